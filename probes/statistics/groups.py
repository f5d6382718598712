"""Means over groups: each a repetition of the whole measurement, with everything redrawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .means import LEVEL, Method, Score, Studentised, widest_interval

SKEWNESS_OF_ITEMS = 1.75  # share of a sample's skewness: of eight lognormal units it shows less than half
SKEWNESS_OF_GROUPS = 0.5  # means of many items are hardly skewed, and eight tell that badly
NEAR_END = 0.1  # proportions as near as that to 0 or 1 are skewed


def group_methods(groups: np.ndarray, trials: int | None = None) -> list[Method]:
    """Return the methods whose widest interval, and largest p, count for a mean over groups.

    Student's t corrected for half the sample's skewness. Proportions within 0.1 of 0 or 1 are skewed, and all
    groups may be at the end: there t, t corrected as for single items, and Wilson's of all trials together.

    Parameters
    ----------
    groups : float [groups]
    trials : int, optional
        Binary outcomes that each is the proportion of, 0 to 1.

    Examples
    --------
    >>> [type(one).__name__ for one in group_methods(np.ones(8), trials=16)]
    ['Studentised', 'Studentised', 'Score']
    """
    mean = float(groups.mean())
    if not trials or min(mean, 1 - mean) > NEAR_END:
        return [Studentised(groups, SKEWNESS_OF_GROUPS)]
    pooled = Score(min(1.0, max(0.0, mean)), trials * len(groups))
    return [Studentised(groups, 0.0), Studentised(groups, SKEWNESS_OF_ITEMS), pooled]


def group_interval(
    by_group: np.ndarray, trials: int = 0, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a mean over groups that were drawn independently; see `group_methods`.

    Parameters
    ----------
    by_group : float [..., groups]
        Groups that are NaN are left out.
    trials : int, optional
        Of proportions: how many independent trials a group's proportion is of.
    level : float in (0, 1)

    Returns
    -------
    low, high : float64 [...]
        NaN with fewer than two groups.

    Examples
    --------
    >>> low, high = group_interval(np.array([0.4, 0.5, 0.6]))
    >>> round(float(low), 3), round(float(high), 3)
    (0.252, 0.748)
    """
    values = np.asarray(by_group, dtype=float)
    flat = values.reshape(-1, values.shape[-1])
    ends = np.full((len(flat), 2), np.nan)
    for row, groups in zip(ends, flat, strict=True):
        there = groups[np.isfinite(groups)]
        if len(there) > 1:
            row[:] = widest_interval(group_methods(there, trials), level)
    return ends[:, 0].reshape(values.shape[:-1]), ends[:, 1].reshape(values.shape[:-1])


def jackknife_interval(
    statistic: Callable[[np.ndarray], float], values: np.ndarray, axis: int, level: float = LEVEL
) -> tuple[float, float, float]:
    """Return a statistic of all groups, and its interval by leaving out each of them.

    Parameters
    ----------
    statistic : callable
        Of `values`, or of some groups of them.
    values : array
    axis : int
        Along which groups lie; at least two.
    level : float in (0, 1)

    Notes
    -----
    t over pseudo-values, ``G s - (G - 1) s(without one)``. Source: Tukey, Annals of Mathematical Statistics
    29:614, 1958.

    Examples
    --------
    >>> jackknife_interval(lambda kept: float(kept.mean()), np.array([2.0, 2.0, 2.0]), axis=0)
    (2.0, 2.0, 2.0)
    """
    groups, whole = values.shape[axis], statistic(values)
    without = np.array([statistic(np.delete(values, i, axis)) for i in range(groups)])
    low, high = group_interval(groups * whole - (groups - 1) * without, level=level)
    middle = (float(low) + float(high)) / 2
    return whole, float(low) + whole - middle, float(high) + whole - middle
