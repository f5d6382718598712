"""The features that latents are compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..features import FEATURES, Features, features

_LONGEST = 12  # entries of a vector that are used; histograms of 128 notes say little each
_CHUNK = 8192


def labels() -> Features:
    """Return names, ids and groups of the features that latents are compared with, without values [0, F]."""
    described = features(np.zeros((0, 1), np.uint8))
    long = {feature.id for feature in FEATURES if feature.columns > _LONGEST}
    kept = [i for i, one in enumerate(described.ids) if one not in long]
    names, ids, groups = (
        tuple(row[i] for i in kept) for row in (described.names, described.ids, described.groups)
    )
    return Features(described.values[:, kept], names, ids, groups)


def values(rolls: np.ndarray, advance: Callable[[int], None] = lambda n: None) -> np.ndarray:
    """Compute the features that latents are compared with, float64 [N, F], a chunk of melodies at a time.

    Examples
    --------
    >>> values(np.array([[41, 0, 43, 0]])).shape == (1, len(labels().names))
    True
    """
    every = features(np.zeros((0, 1), np.uint8))
    kept = np.flatnonzero(np.isin(every.ids, labels().ids))
    found = np.empty((len(rolls), len(kept)))
    for first in range(0, len(rolls), _CHUNK):
        rows = slice(first, min(first + _CHUNK, len(rolls)))
        found[rows] = features(rolls[rows]).values[:, kept]
        advance(rows.stop - rows.start)
    return found
