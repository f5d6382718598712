"""Means over groups: each a repetition of the whole measurement, with everything redrawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

LEVEL = 0.95


def group_interval(
    by_group: np.ndarray, trials: int = 0, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a mean over groups that were drawn independently, by Student's t.

    Parameters
    ----------
    by_group : float [..., groups]
    trials : int, optional
        Of proportions: how many independent trials a group's proportion is of. Where all groups are nearly at
        0 or 1 their spread tells little; the interval then holds Wilson's as well.
    level : float in (0, 1)

    Returns
    -------
    low, high : float64 [...]
        NaN with fewer than two groups.

    Notes
    -----
    Source: E. B. Wilson, Journal of the American Statistical Association 22:209, 1927.

    Examples
    --------
    >>> low, high = group_interval(np.array([0.4, 0.5, 0.6]))
    >>> round(float(low), 3), round(float(high), 3)
    (0.252, 0.748)
    """
    from scipy.stats import norm, t

    values = np.asarray(by_group, dtype=float)
    groups = values.shape[-1]
    mean = values.mean(-1)
    if groups < 2:
        return np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)
    half = t.ppf((1 + level) / 2, groups - 1) * values.std(-1, ddof=1) / np.sqrt(groups)
    low, high = mean - half, mean + half
    if not trials:
        return low, high
    z, n = norm.ppf((1 + level) / 2), trials * groups
    centre = (mean + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(mean * (1 - mean) / n + z**2 / (4 * n**2))
    return np.minimum(low, centre - reach).clip(0, 1), np.maximum(high, centre + reach).clip(0, 1)


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
