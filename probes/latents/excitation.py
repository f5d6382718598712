"""How many latents a melody excites: music beside random notes."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

_CHUNK = 4096  # melodies counted at a time
THRESHOLDS = np.linspace(0.0, 3.0, 31)  # of |mu|, in standard deviations of the prior


def active_counts(mu: np.ndarray, which: np.ndarray, thresholds: np.ndarray = THRESHOLDS) -> np.ndarray:
    """Count, for every melody, the dimensions whose mu lies further from 0 than a threshold.

    Parameters
    ----------
    mu : float32 [N, D]
    which : bool [D]
        Dimensions that are counted.
    thresholds : float [K]

    Returns
    -------
    counts : int64 [N, K]

    Examples
    --------
    >>> which = np.array([True, True, False])
    >>> active_counts(np.array([[0.0, -0.6, 2.0]]), which, np.array([0.0, 0.5, 1.0])).tolist()
    [[1, 1, 0]]
    """
    counts = np.empty((len(mu), len(thresholds)), np.int64)
    for first in range(0, len(mu), _CHUNK):
        size = np.abs(mu[first : first + _CHUNK, which])
        counts[first : first + _CHUNK] = np.stack([(size > t).sum(1) for t in thresholds], axis=1)
    return counts


def half_width(values: np.ndarray) -> np.ndarray:
    """Return half the width of the 95 % interval of a mean over pieces, from Student's t.

    Parameters
    ----------
    values : float [..., pieces]

    Returns
    -------
    half : float64 [...]
        NaN for one piece, which says nothing of others.

    Examples
    --------
    >>> half_width(np.array([1.0, 2.0, 3.0])).round(2)
    np.float64(2.48)
    """
    pieces = values.shape[-1]
    if pieces < 2:
        return np.full(values.shape[:-1], np.nan)
    return stdtrit(pieces - 1, 0.975) * values.std(-1, ddof=1) / np.sqrt(pieces)
