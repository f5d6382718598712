"""Means of what is finite."""

from __future__ import annotations

import numpy as np


def finite_mean(values: np.ndarray) -> np.ndarray:
    """Average the last axis over what is finite; NaN where nothing is.

    ``np.nanmean`` warns where nothing is, and takes infinity for a value.

    Examples
    --------
    >>> finite_mean(np.array([[1.0, 3.0, np.nan], [np.nan, np.nan, np.inf]])).tolist()
    [2.0, nan]
    """
    there = np.isfinite(values)
    count = there.sum(-1)
    return np.where(count > 0, np.where(there, values, 0.0).sum(-1) / np.maximum(count, 1), np.nan)


def finite_mean_by(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average the last axis over what is finite and of one label: [..., labels], in their sorted order.

    Examples
    --------
    >>> finite_mean_by(np.array([[1.0, 3.0, 8.0, np.nan]]), np.array([2, 2, 1, 1])).tolist()
    [[8.0, 2.0]]
    """
    _, label = np.unique(labels, return_inverse=True)
    there = np.isfinite(values)
    flat = np.where(there, values, 0.0).reshape(-1, len(label))
    sums = np.array([np.bincount(label, row) for row in flat])
    counts = np.array([np.bincount(label, row) for row in there.reshape(-1, len(label)).astype(float)])
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means.reshape(*values.shape[:-1], -1)
