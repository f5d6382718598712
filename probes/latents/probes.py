"""What melody models are asked, and what the control with planted latents must answer."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...encoders.musicvae.control import CELLS, truncated_normal
from ..engine.known import Known, near
from ..engine.probe import Probe
from . import measures
from .encodings import refuses
from .variables import VARIABLES

PLANTED = "control:planted"
PLANTED_SIGMA = np.array([truncated_normal(cells)[1].mean() for cells in CELLS.values()])


def _active(criterion: int) -> Known:
    """Return how many latents are active by a criterion, less how many are planted."""
    name = ("sigma", "variance", "divergence")[criterion]

    def excess(result: xr.Dataset, _: int) -> float:
        known = len(PLANTED_SIGMA)
        if criterion == 0:
            known = int((1 - result.attrs["sigma_threshold"] > PLANTED_SIGMA).sum())
        return float(result["is_active"].isel(criterion=criterion).sum()) - known

    return Known(PLANTED, f"active latents by {name}, less those planted", 0, 0, "0", excess)


def _furthest_total(result: xr.Dataset, _: int) -> float:
    """Return how far variance of mu + mean squared sigma is from 1, re four deviations of a variance."""
    own = result.isel(material=0)
    within = max(0.05, 4 * np.sqrt(2 / float(own["n_melodies"])))
    return float(abs(own["total_variance"] - 1).max()) / within


def _lost(result: xr.Dataset, _: int) -> float:
    """Return the accuracy lost when all but the active latents are zeroed, where all planted are active."""
    active = result.attrs["active_latents"]
    if active != len(PLANTED_SIGMA):
        return np.nan
    return abs(float(result["loss_to_all"].sel(order="relevance", measure="free-running", kept=active)))


def _least_concordance(result: xr.Dataset, _: int) -> float:
    planted = result.isel(rank=np.flatnonzero(~result["is_unused"].values)[: len(PLANTED_SIGMA)])
    return float(planted["concordance"].max("feature").min())


LATENTS = Probe(
    "latents",
    question="How many latent dimensions carry anything, and which?",
    variables=VARIABLES["latents"],
    measure=measures.latents,
    refuses=refuses,
    modality="melody",
    known=(
        *(_active(criterion) for criterion in range(3)),
        Known(PLANTED, "variance of mu + mean squared sigma, distance from 1 re what sampling allows",
              0, 1, "at most 1", _furthest_total),
    ),
)  # fmt: skip
RECONSTRUCTION = Probe(
    "reconstruction",
    question="What is lost when all but the most relevant latents are zeroed?",
    variables=VARIABLES["reconstruction"],
    measure=measures.reconstructions,
    refuses=refuses,
    modality="melody",
    asks_baselines=(),  # their decoder says nothing
    known=(
        Known(PLANTED, "accuracy lost when all but the active latents are zeroed", 0, 1e-12, "0", _lost),
    ),
)  # fmt: skip
FEATURES = Probe(
    "features",
    question="Which features of pitch, rhythm and melody does each latent go with?",
    variables=VARIABLES["features"],
    measure=measures.features,
    refuses=refuses,
    modality="melody",
    known=(
        Known(PLANTED, "largest phik", 0.99, 1 + 1e-9, "at least 0.99",
              lambda result, _: float(result["phik"].max())),
    ),
)  # fmt: skip
ACTIVATION = Probe(
    "activation",
    question="How many latents does a melody excite: music, and random notes?",
    variables=VARIABLES["activation"],
    measure=measures.activation,
    refuses=refuses,
    modality="melody",
)
TRAVERSALS = Probe(
    "traversals",
    question="Does moving a latent change what it correlates with?",
    variables=VARIABLES["traversals"],
    measure=measures.traversal,
    refuses=refuses,
    modality="melody",
    asks_baselines=(),
    known=(
        Known(PLANTED, "steps that the unused dimension changes", 0, 0, "0",
              lambda result, _: float(result["changed"].isel(rank=-1).max())),
        Known(PLANTED, "largest concordance of each planted dimension", *near(1, 0.02, "1.00 ± 0.02"),
              _least_concordance),
    ),
)  # fmt: skip
