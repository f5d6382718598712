"""Active latents: the latent dimensions that carry anything, by three criteria and any threshold."""

from __future__ import annotations

import numpy as np

from ...encoders.musicvae.posterior import (
    DIVERGENCE_THRESHOLD,
    SIGMA_THRESHOLD,
    VARIANCE_THRESHOLD,
    Posterior,
    carries,
)

CRITERIA = ("sigma", "variance", "divergence")
THRESHOLDS = np.geomspace(0.001, 0.9, 60)


def counts(posterior: Posterior, thresholds: np.ndarray = THRESHOLDS) -> np.ndarray:
    """Count the dimensions that carry music, int64 [3, thresholds], one row a criterion."""
    return np.array([[carries(posterior, c, t).sum() for t in thresholds] for c in CRITERIA])


def chosen(posterior: Posterior, sigma_threshold: float = SIGMA_THRESHOLD) -> np.ndarray:
    """Say which dimensions carry music by each criterion at its own threshold, bool [3, D]."""
    levels = (sigma_threshold, VARIANCE_THRESHOLD, DIVERGENCE_THRESHOLD)
    return np.array([carries(posterior, c, t) for c, t in zip(CRITERIA, levels, strict=True)])


def agreement(sets: np.ndarray) -> np.ndarray:
    """Say how far sets of dimensions agree: shared over all of either.

    Parameters
    ----------
    sets : bool [n, D]

    Returns
    -------
    jaccard : float64 [n, n]
        1 for two empty sets.

    Examples
    --------
    >>> agreement(np.array([[True, True, False], [True, False, False]])).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    counted = sets.astype(int)
    shared = counted @ counted.T
    either = counted.sum(1)[:, None] + counted.sum(1) - shared
    return np.where(either == 0, 1.0, shared / np.maximum(either, 1))
