"""How well a prediction agrees in order with what was measured, and what it adds to a simpler one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .resampling import RESAMPLES, permutation_p, quantile_interval, resampled

FLAT = 0.02  # items within this of one another have no order to predict
FEWEST_ITEMS = 4
FEWEST_ALIKE = 3


@dataclass(frozen=True)
class Agreement:
    """Rank correlations of a prediction with a measurement over items.

    Parameters
    ----------
    correlation, correlation_low, correlation_high : float
        Spearman's, and its 95 % bootstrap interval over items.
    correlation_p : float
        Against predictions shuffled over items.
    density_correlation : float
        The same of ``-log`` of the items' numbers of parts: fewer parts, better measured.
    partial_correlation, partial_correlation_p : float
        Of the prediction, given the number of parts; against predictions shuffled among items of as
        many parts.
    remark : str
        Why there is no correlation, if there is none.
    """

    correlation: float = np.nan
    correlation_low: float = np.nan
    correlation_high: float = np.nan
    correlation_p: float = np.nan
    density_correlation: float = np.nan
    partial_correlation: float = np.nan
    partial_correlation_p: float = np.nan
    remark: str = ""


def agreement(predicted: np.ndarray, measured: np.ndarray, parts: np.ndarray, seed: int = 0) -> Agreement:
    """Correlate a prediction with a measurement, and ask whether it says more than a count of parts.

    Parameters
    ----------
    predicted, measured : float [items]
    parts : int > 0 [items]
    seed : int
        Of resampling and shuffling.

    Examples
    --------
    >>> agreement(np.array([0.1, 0.5, 0.9, 1.0]), np.array([0.2, 0.4, 0.7, 0.9]), np.ones(4)).correlation
    1.0
    >>> agreement(np.array([0.1, 0.5, 0.9, 1.0]), np.ones(4), np.ones(4)).remark
    'measured alike (half of them from 1.000 to 1.000): there is no order to predict'
    """
    if len(predicted) < FEWEST_ITEMS:
        return Agreement(remark=f"{len(predicted)} items are too few to correlate")
    for name, values in (("measured", measured), ("predicted", predicted)):
        low, high = np.quantile(values, [0.25, 0.75])
        if high - low < FLAT:  # ranks would make much of what is no difference
            span = f"half of them from {low:.3f} to {high:.3f}"
            return Agreement(remark=f"{name} alike ({span}): there is no order to predict")
    generator = np.random.default_rng(seed)
    observed = float(rank_correlation(predicted, measured))
    low, high = quantile_interval(resampled(rank_correlation, predicted, measured, generator=generator))
    shuffled = generator.permuted(np.tile(predicted, (RESAMPLES, 1)), axis=1)
    p = permutation_p(observed, rank_correlation(shuffled, measured))
    if np.ptp(parts) == 0:
        return Agreement(observed, low, high, p)
    sparse = -np.log(parts)
    density = float(rank_correlation(sparse, measured))
    beyond = float(partial_rank_correlation(predicted, measured, sparse))
    among = alike(parts)
    within = np.stack([_shuffled_within(predicted, among, generator) for _ in range(RESAMPLES)])
    beyond_p = permutation_p(beyond, partial_rank_correlation(within, measured, sparse))
    return Agreement(observed, low, high, p, density, beyond, beyond_p)


def rank_correlation(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
    """Spearman's rank correlation along an axis, the last; NaN where one of them is constant.

    `scipy.stats.spearmanr` takes one pair at a time, a thousand of them in 300 times the time, and differs in
    the last digit; it is the reference of a test.

    Examples
    --------
    >>> float(rank_correlation(np.array([1.0, 2.0, 5.0]), np.array([0.1, 7.0, 8.0])))
    1.0
    """
    a, b = _ranks(one, axis), _ranks(other, axis)
    size = np.sqrt((a**2).sum(axis) * (b**2).sum(axis))
    return np.divide((a * b).sum(axis), size, out=np.full(size.shape, np.nan), where=size > 0)


def partial_rank_correlation(one: np.ndarray, other: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Spearman's correlation of two with a third held fixed: ``(ab - ac bc) / sqrt((1 - ac^2)(1 - bc^2))``.

    Source: Kendall and Gibbons, Rank Correlation Methods, 1990, chapter 8.
    """
    ab, ac, bc = rank_correlation(one, other), rank_correlation(one, given), rank_correlation(other, given)
    left = np.sqrt(np.clip((1 - ac**2) * (1 - bc**2), 0, None))
    return np.divide(ab - ac * bc, left, out=np.full(np.shape(left), np.nan), where=left > 1e-9)


def alike(parts: np.ndarray) -> np.ndarray:
    """Label items by their number of parts; a number that fewer than 3 have joins the nearest by ratio.

    Examples
    --------
    >>> alike(np.array([2, 2, 2, 3, 8, 8, 8])).tolist()
    [2, 2, 2, 2, 8, 8, 8]
    """
    numbers, counts = np.unique(parts, return_counts=True)
    common = numbers[counts >= FEWEST_ALIKE] if (counts >= FEWEST_ALIKE).any() else numbers[:1]
    return common[np.abs(np.log(parts[:, None] / common)).argmin(1)]


def _ranks(values: np.ndarray, axis: int) -> np.ndarray:
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=axis)
    return ranks - ranks.mean(axis, keepdims=True)


def _shuffled_within(values: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    shuffled = values.copy()
    for label in np.unique(labels):
        shuffled[labels == label] = generator.permutation(values[labels == label])
    return shuffled
