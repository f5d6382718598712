"""What dictionaries are asked, and what the control with a planted stream must answer."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...encoders.musicgen.planted import PLANTED as PLANTED_FEATURES
from ...encoders.musicgen.planted import expected_level_dbfs
from ..engine.known import Known
from ..engine.probe import Probe
from ..statistics.resampling import ALPHA
from . import labelling, measures, steering
from .learning import PLANTED, TRAINED
from .steering_table import DOSES, TESTED
from .variables import VARIABLES

BASELINES = ("random", "permuted")


def _planted_labels(result: xr.Dataset, _: int) -> float:
    """Return the share of planted features that are labelled as they are planted, at every stage."""
    wanted = [(factor, name.removeprefix(f"{factor} ")) for name, (factor, _) in PLANTED_FEATURES.items()]
    factors, texts, kept = (result[name].values for name in ("label_factor", "label", "is_kept"))  # [S, M]
    right = [
        (factors[:, i] == factor) & (texts[:, i] == text) & kept[:, i].astype(bool)
        for i, (factor, text) in enumerate(wanted)
    ]
    return float(np.mean(right))


def _planted_levels(result: xr.Dataset) -> xr.Dataset:
    """Return what steering by planted levels did, by `steered`, at the first stage."""
    one = result.isel(stage=0)
    return one.isel(steered=np.flatnonzero(one["label_factor"].values == "level"))


def _levels_p(result: xr.Dataset, _: int) -> float:
    """Return the greatest p of a planted level; NaN without any."""
    found = _planted_levels(result)["p"].values
    return float(found.max()) if len(found) else np.nan


def _off_closed_form(result: xr.Dataset, _: int) -> float:
    """Return how far levels in the steered sounds lie from the closed form, of it, at most."""
    levels = _planted_levels(result)
    doses = [dose for dose in DOSES if dose > 1]  # below, the mean of levels is not the level of the mean
    reached = (result["unsteered"] + levels["change"]).sel(descriptor="level", dose=doses)  # [steered, doses]
    expected = [
        [expected_level_dbfs(result.attrs["frames"], dose, f"level {label}") for dose in doses]
        for label in levels["label"].values
    ]
    return float(np.abs(reached.values / np.array(expected) - 1).max(initial=-np.inf))


def _pitch_moved(result: xr.Dataset, _: int) -> float:
    """Return the greatest change of the fundamental by a planted level, at the tested dose, in octaves."""
    found = _planted_levels(result)["change"].sel(descriptor="f0", dose=TESTED)
    return float(np.abs(found.values).max(initial=-np.inf))


DICTIONARIES = Probe(
    "dictionaries",
    question="How sparsely and how faithfully does a dictionary hold a stage, and how many features survive?",
    variables=VARIABLES["dictionaries"],
    measure=measures.dictionaries,
    refuses=measures.refuses,
    asks_baselines=BASELINES,
    by_default=False,
    known=(
        Known(
            PLANTED, "explained variance", 0.98, 1 + 1e-9, "at least 0.98",
            lambda result, _: float(result["explained_variance"].sel(variant=TRAINED).min()),
        ),
    ),
)  # fmt: skip
LABELS = Probe(
    "labels",
    question="What do the features of a dictionary mean, by what is known of the sounds?",
    variables=VARIABLES["labels"],
    measure=labelling.labels,
    refuses=measures.refuses,
    asks_baselines=BASELINES,
    by_default=False,
    known=(
        Known(PLANTED, "share of planted labels that are found", 1, 1, "all", _planted_labels),
        Known(PLANTED, "labels beside those planted", 0, 0, "none",
              lambda result, _: float((result["n_kept"].sel(variant=TRAINED) - len(PLANTED_FEATURES)).max())),
        Known(PLANTED, "labels that are kept of shuffled truths", 0, 1, "at most 1",
              lambda result, _: float(result["n_kept_shuffled"].max())),
    ),
)  # fmt: skip
STEERING = Probe(
    "steering",
    question="Does adding a feature's direction while generating change the sound as its label says?",
    variables=VARIABLES["steering"],
    measure=steering.steering,
    refuses=steering.refuses,
    asks_baselines=(),
    by_default=False,
    known=(
        Known(PLANTED, "greatest p of a planted level", 0, ALPHA, f"at most {ALPHA:g}", _levels_p),
        Known(PLANTED, "greatest distance of a level from the closed form", 0, 0.02, "at most 0.02 of it",
              _off_closed_form),
        Known(PLANTED, "octaves that steering by a level moves the pitch", 0, 0.05, "at most 0.05",
              _pitch_moved),
    ),
)  # fmt: skip
