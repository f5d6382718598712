"""Tree reconstruction: whether representations of mixtures are sums of something about their parts."""

from __future__ import annotations

import numpy as np


def tree_reconstruction_error(parts: np.ndarray, vectors: np.ndarray) -> float:
    """Share of mixtures' variance that no sum of one vector per part explains, held out.

    Parameters
    ----------
    parts : bool [n, P]
        Which parts each of n mixtures holds.
    vectors : float [n, D]
        What represents each mixture.

    Returns
    -------
    error : float
        0 for a sum of parts, 1 for what parts tell nothing of; above 1 where they mislead. NaN where
        nothing varies, or the mixtures are too few to leave one out.

    Notes
    -----
    Source: Andreas, Measuring Compositionality in Representation Learning, 2019 (arXiv 1902.07181):
    ``min over eta of the mean distance of f(x) from the composition of eta over the parts of x``. With
    addition and squared Euclidean distance that is least squares in closed form. Beyond the paper, one
    vector for the whole (silence, biases) is fitted as well, every mixture is left out once (by the
    diagonal of the projection, which is exact), and the sum is over the variance about that vector.

    Examples
    --------
    >>> r = np.random.default_rng(0)
    >>> parts = r.random((40, 6)) < 0.5
    >>> sums = parts @ r.standard_normal((6, 3)) + 1.0
    >>> round(tree_reconstruction_error(parts, sums), 9)
    0.0
    """
    design = np.column_stack([np.ones(len(parts)), np.asarray(parts, dtype=float)])
    left, sizes, _ = np.linalg.svd(design, full_matrices=False)
    left = left[:, sizes > 1e-9 * sizes[0]]
    leverage = np.square(left).sum(1)
    values = np.asarray(vectors, dtype=float)
    centred = values - values.mean(0)
    # what the mean explains is left out in the same way: its leverage is 1 / n
    spread = np.square(centred * len(values) / max(1, len(values) - 1)).sum()
    if leverage.max() > 1 - 1e-9 or not spread > 0:
        return np.nan
    missed = (centred - left @ (left.T @ centred)) / (1 - leverage)[:, None]
    return float(np.square(missed).sum() / spread)
