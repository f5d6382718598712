"""What dictionaries are asked, and what the control with a planted stream must answer."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...encoders.musicgen.planted import PLANTED as PLANTED_FEATURES
from ..engine.known import Known
from ..engine.probe import Probe
from . import labelling, measures
from .learning import PLANTED, TRAINED
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
