"""Intervals and p-values by resampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from warnings import catch_warnings, simplefilter

import numpy as np
import numpy.typing as npt

RESAMPLES = 999
ALPHA = 0.05  # a corrected p that is no greater counts


def bootstrap_interval(
    values: npt.ArrayLike, seed: int, n: int = RESAMPLES, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over independent items.

    Parameters
    ----------
    values : float [items]
    seed : int
    n : int > 0
        Resamples.
    level : float in (0, 1)

    Returns
    -------
    low, high : float
        NaN without items.

    Notes
    -----
    `scipy.stats.bootstrap` draws; the ends are ours, which leave out what is NaN (its own differ from them
    in the last digit). Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> bootstrap_interval([2.0, 2.0, 2.0], seed=0)
    (2.0, 2.0)
    """
    items = np.asarray(values, dtype=float)
    if items.size == 0:
        return np.nan, np.nan
    return quantile_interval(resampled(np.mean, items, generator=np.random.default_rng(seed), n=n), level)


def resampled(
    statistic: Callable[..., np.ndarray],
    *values: np.ndarray,
    generator: np.random.Generator,
    n: int = RESAMPLES,
) -> np.ndarray:
    """Evaluate a statistic of items drawn again with replacement, float64 [n].

    Parameters
    ----------
    statistic : callable
        (*values, axis) -> what is known of them along an axis.
    *values : float [items]
        Of the same items: they are drawn together.
    generator : numpy.random.Generator
    n : int > 0

    Examples
    --------
    >>> float(resampled(np.mean, np.ones(3), generator=np.random.default_rng(0), n=5).mean())
    1.0
    """
    if len(values[0]) < 2:  # scipy refuses a single item, which is all that can be drawn
        return np.full(n, statistic(*values, axis=-1))
    from scipy.stats import DegenerateDataWarning, bootstrap  # a second to import

    with catch_warnings():
        simplefilter("ignore", DegenerateDataWarning)  # of resamples without a value, which callers leave out
        found = bootstrap(
            values, statistic, n_resamples=n, paired=len(values) > 1, method="percentile", rng=generator,
            vectorized=True,
        )  # fmt: skip
    return found.bootstrap_distribution


def accelerated_interval(
    statistic: Callable[..., np.ndarray],
    *values: np.ndarray,
    seed: int,
    n: int = RESAMPLES,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the BCa bootstrap interval of a statistic of items: corrected for bias and acceleration.

    Parameters
    ----------
    statistic : callable
        (*values, axis) -> what is known of them along an axis.
    *values : float [items]
        Of the same items: they are drawn together.
    seed : int
    n : int > 0
        Resamples.
    level : float in (0, 1)

    Returns
    -------
    low, high : float
        NaN without items. Percentiles where a resample has no value, or all have the same: BCa is undefined.

    Notes
    -----
    Source: Efron, Journal of the American Statistical Association 82:171, 1987; by `scipy.stats.bootstrap`.

    Examples
    --------
    >>> low, high = accelerated_interval(np.mean, np.arange(20.0), seed=0)
    >>> 6 < low < 8 and 11 < high < 13
    True
    """
    if len(values[0]) < 2:
        return quantile_interval(statistic(*values, axis=-1) if len(values[0]) else [], level)
    from scipy.stats import DegenerateDataWarning, bootstrap  # a second to import

    with catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        simplefilter("ignore", DegenerateDataWarning)  # of no acceleration, which percentiles stand in for
        found = bootstrap(
            values, statistic, n_resamples=n, paired=len(values) > 1, method="BCa", confidence_level=level,
            rng=np.random.default_rng(seed), vectorized=True,
        )  # fmt: skip
    low, high = (float(end) for end in found.confidence_interval)
    if np.isfinite([low, high]).all():
        return low, high
    return quantile_interval(found.bootstrap_distribution, level)


def quantile_interval(statistics: npt.ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Return the central interval that holds `level` of what is finite of resampled statistics.

    Examples
    --------
    >>> quantile_interval(np.arange(101.0), level=0.5)
    (25.0, 75.0)
    """
    finite = np.asarray(statistics, dtype=float)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return np.nan, np.nan
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def pseudo_values(with_others: np.ndarray) -> np.ndarray:
    """Turn every unit's mean over its pairs with the others into a value that units have to themselves.

    Parameters
    ----------
    with_others : float [units, ...]

    Returns
    -------
    values : float [units, ...]
        Of the same mean, and ``2 (n - 1) / (n - 2)`` times as far from it.

    Notes
    -----
    A pair counts with both of its units, so that the means U_i of units spread by half as much, about their
    own mean, as that mean does about its expectation: signs of U_i, and intervals over them, are far too
    sure of it (of kernels drawn at random one in five passed for other than random). Source: jackknife
    pseudo-values of a U-statistic, Arvesen, Annals of Mathematical Statistics 40:2076, 1969.

    Examples
    --------
    >>> pseudo_values(np.array([1.0, 2.0, 6.0])).tolist()
    [-5.0, -1.0, 15.0]
    """
    n, mean = len(with_others), with_others.mean(0)
    return mean + 2 * (n - 1) / max(1, n - 2) * (with_others - mean)


def by_neighbours(values: np.ndarray, groups: int = 12) -> np.ndarray:
    """Average values along a scale in groups of neighbours, which resemble each other: one value a group.

    Parameters
    ----------
    values : float [n]
        In order along the scale.
    groups : int > 0
        At most so many, as equal in size as can be.

    Returns
    -------
    means : float64 [groups]
        Of the same mean as the values; where groups differ in size, larger ones lie further from it.

    Notes
    -----
    Tones a tenth of an octave apart are hardly more than one tone to a channel (share of power at the fold,
    at the stack end of a trained codec: correlated by 0.99), and signs of single ones would be far too sure.

    Examples
    --------
    >>> by_neighbours(np.array([1.0, 3.0, 5.0, 7.0]), groups=2).tolist()
    [2.0, 6.0]
    """
    parts = np.array_split(np.asarray(values, dtype=float), min(groups, len(values)) or 1)
    mean = np.mean(values) if len(values) else np.nan
    return np.array([mean + (part - mean).sum() * len(parts) / max(1, len(values)) for part in parts])


def permutation_p(observed: float, null: npt.ArrayLike) -> float:
    """One-sided p-value: how often a relabelling does at least as well, the observed one counted.

    Parameters
    ----------
    observed : float
    null : float [relabellings]
        The statistic under random relabellings; those that are NaN do not count.

    Notes
    -----
    Counting the observed labelling keeps the test exact: Phipson & Smyth, Statistical Applications in
    Genetics and Molecular Biology 9(1):39, 2010.

    Examples
    --------
    >>> permutation_p(3.0, [1.0, 2.0, 4.0])
    0.5
    """
    finite = np.asarray(null, dtype=float)
    finite = finite[np.isfinite(finite)]
    if not np.isfinite(observed) or finite.size == 0:
        return np.nan
    return float((1 + np.count_nonzero(finite >= observed)) / (1 + finite.size))


def flipped_p(values: np.ndarray, seed: int | Sequence[int], tails: int = 1) -> float:
    """P-value of a mean above 0 where each value lies as likely so far below 0 as above: signs are drawn.

    Parameters
    ----------
    values : float [items]
        None has no p.
    seed : int or sequence of int
    tails : {1, 2}
        With two, a mean below 0 counts as well.

    Notes
    -----
    `scipy.stats.permutation_test` draws other signs, at 7 times the time: of 100 sets of 24 values, p moved
    by up to 0.08. It is the reference of a test, where all signs are tried.
    Source: Fisher, The Design of Experiments, 1935, section 21.

    Examples
    --------
    >>> flipped_p(np.full(20, 1.0), seed=0)
    0.001
    """
    if len(values) == 0:
        return np.nan
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (RESAMPLES, len(values)))
    null, observed = signs @ values / len(values), values.mean()
    if tails == 2:
        null, observed = np.abs(null), abs(observed)
    return permutation_p(observed - 1e-12 * np.abs(values).mean(), null)  # a tie but for rounding is a tie


def holm(p: npt.ArrayLike, size: int | None = None) -> np.ndarray:
    """Correct p-values for there being several of them.

    Parameters
    ----------
    p : float [tests]
        Those that are NaN do not count.
    size : int >= number of finite p, optional
        Tests that were declared: those that are not in `p`, or NaN there, count as if their p was 1. By
        default as many as have a p.

    Returns
    -------
    corrected : float64 [tests]
        With those at most 0.05 rejected, one test or more of true nulls is with probability 0.05 at most,
        whatever the tests have to do with one another.

    Notes
    -----
    The k-th smallest of m is multiplied by ``m - k + 1``, and is no smaller than those before it.
    Source: Holm, Scandinavian Journal of Statistics 6:65, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, np.nan])
    array([0.03, 0.06, 0.06,  nan])
    >>> holm([0.01, 0.04, 0.03, np.nan], size=4)
    array([0.04, 0.09, 0.09,  nan])
    """
    values = np.asarray(p, dtype=float)
    corrected = np.full(values.shape, np.nan)
    there = np.flatnonzero(np.isfinite(values))
    order = there[np.argsort(values[there], kind="stable")]
    factors = (len(order) if size is None else size) - np.arange(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return corrected
