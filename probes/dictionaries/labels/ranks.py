"""Ranks of activations, and what follows from them: areas under curves and rank correlations."""

from __future__ import annotations

import numpy as np


def midranks(values: np.ndarray) -> np.ndarray:
    """Rank every column, ties by the mean of their ranks: float64 [n, M], from 1.

    Examples
    --------
    >>> midranks(np.array([[3.0], [1.0], [3.0]])).ravel().tolist()
    [2.5, 1.0, 2.5]
    """
    n = len(values)
    order = np.argsort(values, axis=0, kind="stable")
    ascending = np.take_along_axis(values, order, axis=0)
    places = np.arange(n)[:, None]
    starts = np.ones(values.shape, dtype=bool)
    starts[1:] = ascending[1:] != ascending[:-1]
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=0)
    ends = np.ones_like(starts)
    ends[:-1] = starts[1:]
    last = np.minimum.accumulate(np.where(ends, places, n - 1)[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    return ranks


def standardised(ranks: np.ndarray) -> np.ndarray:
    """Give every column [n, ...] mean 0 and norm 1, or 0 throughout where it is constant."""
    centred = ranks - ranks.mean(0)
    norm = np.sqrt(np.square(centred).sum(0))
    return np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)


def auc(values: np.ndarray, is_class: np.ndarray) -> np.ndarray:
    """Area under the curve of every column telling a class from the rest, ties counted half.

    Parameters
    ----------
    values : float [n, M]
    is_class : bool [n]

    Returns
    -------
    area : float64 [M]
        NaN where all or none are of the class.

    Notes
    -----
    From the rank sum: Mann and Whitney, Annals of Mathematical Statistics 18:50, 1947.

    Examples
    --------
    >>> auc(np.array([[1.0], [2.0], [2.0], [5.0]]), np.array([False, False, True, True])).tolist()
    [0.875]
    """
    inside = int(is_class.sum())
    outside = len(is_class) - inside
    if not inside or not outside:
        return np.full(values.shape[1], np.nan)
    return (midranks(values)[is_class].mean(0) - (inside + 1) / 2) / outside


def spearman(values: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Rank correlation of every column with some numbers, float64 [M]; 0 where either is constant.

    Examples
    --------
    >>> spearman(np.array([[1.0], [2.0], [9.0]]), np.array([3.0, 2.0, 1.0])).round(9).tolist()
    [-1.0]
    """
    return standardised(midranks(numbers[:, None]))[:, 0] @ standardised(midranks(values))


def group_weights(groups: np.ndarray, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Draw groups with replacement: how often each clip is there, float64 [resamples, n]."""
    inverse = np.unique(groups, return_inverse=True)[1]
    n_groups = int(inverse.max()) + 1
    return generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), resamples)[:, inverse].astype(
        float
    )


def weighted_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rank clips that are there several times: weight below, and half of what is tied, [resamples, n]."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=np.nan) != 0)  # of runs of equal values
    runs = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = np.empty_like(weights)
    ranks[:, order] = np.repeat(np.cumsum(runs, 1) - runs / 2, np.diff(starts, append=len(order)), axis=1)
    return ranks


def resampled_auc(values: np.ndarray, is_class: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area of one feature in every resample, [resamples]; NaN without clips of the class, or others."""
    own = weights[:, is_class]
    inside, outside = own.sum(1), weights[:, ~is_class].sum(1)
    pairs = (own * weighted_ranks(values, weights)[:, is_class]).sum(1) - np.square(inside) / 2
    both = inside * outside
    return np.divide(pairs, both, out=np.full(len(weights), np.nan), where=both > 0)


def resampled_spearman(values: np.ndarray, numbers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rank correlation of one feature in every resample, [resamples]; NaN where either is constant."""
    sides = []
    for side in (values, numbers):
        ranks = weighted_ranks(side, weights)
        sides.append(ranks - weights.sum(1, keepdims=True) / 2)  # the mean of such ranks
    covariance, *spread = ((weights * a * b).sum(1) for a, b in (sides, [sides[0]] * 2, [sides[1]] * 2))
    scale = np.sqrt(spread[0] * spread[1])
    return np.divide(covariance, scale, out=np.full(len(weights), np.nan), where=scale > 0)
