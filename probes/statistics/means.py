"""Intervals and p-values of a mean over few independent units.

A method knows the one-sided p-values of the mean lying above a value, and below it (`tails`), and the
interval that holds what neither rejects (`interval`). How well each keeps its level is measured by
``python -m tests.benchmarks.type_one``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.interpolate import BSpline
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtr, stdtrit

ROUNDING = 1e-12  # re the largest value: spread that is no more is none
LEVEL = 0.95
KNOT_DIGITS = 9  # of a share of the range
BRACKET = 1e-12  # probabilities and shares of a range that a search runs between, and to


class Method(Protocol):
    """What knows the p-values of a mean, and its interval."""

    def tails(self, value: float) -> tuple[float, float]:
        """Return p-values of the mean being above a value, and below it."""
        ...

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the two-sided interval of a level."""
        ...


FARTHEST = 5.0  # t ratio up to which skewness is corrected for


@dataclass(frozen=True)
class Studentised:
    """Student's t, corrected for skewness by Hall's transformation.

    Parameters
    ----------
    values : float64 [n]
        Of independent units.
    skewness_share : float >= 0
        Share of the sample's skewness that is corrected for; 0 is Student's t.

    Notes
    -----
    Source: Hall, Journal of the Royal Statistical Society B 54:221, 1992: ``g(T) = T + c T^2 / 3 + c^2 T^3 /
    27 + c / 6`` with c the skewness over the root of n, which rises with T and can be inverted. It is meant
    for T of a few: beyond 5 it goes on with slope 1, where the square would undo what lies far away. Beyond
    the paper, g(T) is referred to t with n - 1 degrees of freedom, and c multiplied by a share: few units
    tell their skewness badly, and where it is large tell too little of it.

    Examples
    --------
    >>> [round(end, 3) for end in Studentised(np.array([1.0, 2.0, 3.0, 4.0]), 0.0).interval()]
    [0.446, 4.554]
    """

    values: np.ndarray
    skewness_share: float

    @cached_property
    def _error(self) -> float:
        """Standard error of the mean; 0 where units differ by rounding."""
        spread = self.values.std(ddof=1)
        return float(spread / np.sqrt(len(self.values)) * (spread > ROUNDING * np.abs(self.values).max()))

    @cached_property
    def _bend(self) -> float:
        """Hall's c over 6. The unbiased skewness is `scipy.stats.skew`'s, which takes 20 times as long."""
        n = len(self.values)
        if n < 3 or not self.skewness_share or not self._error:
            return 0.0
        scaled = (self.values - self.values.mean()) / (self._error * np.sqrt(n))
        skewness = (scaled**3).sum() * n / ((n - 1) * (n - 2))
        return float(self.skewness_share * skewness / (6 * np.sqrt(n)))

    def tails(self, value: float) -> tuple[float, float]:
        """Return p-values of the mean being above a value, and below it; NaN of fewer than two units."""
        n = len(self.values)
        if n < 2:
            return np.nan, np.nan
        away = self.values.mean() - value
        if not self._error:
            tie = ROUNDING * max(np.abs(self.values).max(), abs(value))
            return float(away <= tie), float(away >= -tie)
        bent = self._bent(away / self._error)
        return float(stdtr(n - 1, -bent)), float(stdtr(n - 1, bent))

    def _bent(self, ratio: float) -> float:
        """Return g of a t ratio; beyond `FARTHEST`, where a cubic of small terms is none, with slope 1."""
        near, bend = float(np.clip(ratio, -FARTHEST, FARTHEST)), self._bend
        return near + 2 * bend * near**2 + 4 / 3 * bend**2 * near**3 + bend + (ratio - near)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the two-sided interval of a level; NaN of fewer than two units."""
        n = len(self.values)
        if n < 2:
            return np.nan, np.nan
        end, bend = np.array([1, -1]) * stdtrit(n - 1, (1 + level) / 2), self._bend
        ratio = end if abs(bend) < ROUNDING else (np.cbrt(1 + 6 * bend * (end - bend)) - 1) / (2 * bend)
        edge = np.array([1, -1]) * FARTHEST
        ratio = np.where(np.abs(ratio) > FARTHEST, edge + end - [self._bent(one) for one in edge], ratio)
        low, high = self.values.mean() - self._error * ratio
        return float(low), float(high)


@dataclass(frozen=True)
class Crossed:
    """Student's t for units that were all measured in several repeats: both are draws.

    Parameters
    ----------
    values : float64 [repeats, units]
        At least two of each.

    Notes
    -----
    Source: Zou and Donner, Statistics in Medicine 27:1693, 2008: the half-width is the root of the sum of
    the squared half-widths over repeats and over units. Exact where one of them varies alone, conservative
    elsewhere; Satterthwaite's degrees of freedom reject up to 11 % with two repeats.

    Examples
    --------
    >>> Crossed(np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])).interval() == Studentised(
    ...     np.array([0.0, 1.0, 2.0]), 0.0).interval()
    True
    """

    values: np.ndarray

    def _half_width(self, level: float) -> float:
        squares = [
            stdtrit(len(means) - 1, (1 + level) / 2) ** 2 * means.var(ddof=1) / len(means)
            for means in (self.values.mean(1), self.values.mean(0))
        ]
        return float(np.sqrt(np.sum(squares)))

    def tails(self, value: float) -> tuple[float, float]:
        """Return p-values of the mean being above a value, and below it."""
        away = float(self.values.mean() - value)
        if self._half_width(1 - BRACKET) <= abs(away):
            return float(away <= 0), float(away >= 0)
        level = brentq(lambda level: self._half_width(level) - abs(away), 0.0, 1 - BRACKET)
        tail = (1 - float(level)) / 2  # type: ignore[arg-type]
        return (tail, 1 - tail) if away > 0 else (1 - tail, tail)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the two-sided interval of a level."""
        mean, half = float(self.values.mean()), self._half_width(level)
        return mean - half, mean + half


@dataclass(frozen=True)
class Bounded:
    """Gaffke's bounds of a mean of values that are known to lie in a range, whatever their distribution.

    Parameters
    ----------
    values : float64 [n]
    low, high : float
        Range of the values.

    Notes
    -----
    Source: Learned-Miller and Thomas, A new confidence interval for the mean of a bounded random variable,
    2019 (arXiv 1905.06208), after Gaffke 2005: the bound is a quantile of the mean of the values and an end
    of the range under uniform random weights. Exact for values 0 and 1 (Clopper and Pearson); that it holds
    for every distribution is proven for those and conjectured beyond, on the ground of simulations. The
    paper draws the weights; the mean under them has a B-spline as density (Curry and Schoenberg, Journal
    d'Analyse 17:71, 1966), so that here the quantile is exact.

    Examples
    --------
    >>> round(Bounded(np.ones(8), 0.0, 1.0).tails(0.6)[0] / 0.6**8, 9)
    1.0
    """

    values: np.ndarray
    low: float
    high: float

    def tails(self, value: float) -> tuple[float, float]:
        """Return p-values of the mean being above a value, and below it; NaN of no units."""
        if not len(self.values):
            return np.nan, np.nan
        above = _share_below(np.append(self.values, self.low), value)
        below = _share_below(-np.append(self.values, self.high), -value)
        return above, below

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the two-sided interval of a level; NaN of no units."""
        if not len(self.values):
            return np.nan, np.nan
        tail, step = (1 - level) / 2, BRACKET * (self.high - self.low)
        low = _quantile(np.append(self.values, self.low), tail, step)
        high = -_quantile(-np.append(self.values, self.high), tail, step)
        return low, high


def _share_below(points: np.ndarray, value: float) -> float:
    """Probability that the mean of points under uniform random weights is at most a value."""
    n, low, high = len(points) - 1, points.min(), points.max()
    if value < low or high <= low:
        return float(value >= high)
    scaled = (value - low) / (high - low)
    if scaled >= 1:
        return 1.0
    # of knots that differ by rounding only a spline has no value
    knots = np.sort(np.round((points - low) / (high - low), KNOT_DIGITS))
    padded = np.concatenate([np.full(n, -1.0), knots, np.full(n, 2.0)])
    return float(BSpline(padded, np.repeat([0.0, 1.0], n), n)(scaled))


def _quantile(points: np.ndarray, share: float, step: float) -> float:
    low, high = points.min(), points.max()
    if high - low <= step:
        return float(low)
    return float(brentq(lambda value: _share_below(points, value) - share, low, high, xtol=step))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Score:
    """Wilson's interval and score test of a proportion.

    Parameters
    ----------
    proportion : float in 0..1
    trials : int > 0

    Notes
    -----
    Source: Wilson, Journal of the American Statistical Association 22:209, 1927. As
    `scipy.stats.binomtest(...).proportion_ci(method="wilson")`, the reference of a test, which gives no p.

    Examples
    --------
    >>> [round(end, 3) for end in Score(1.0, 128).interval()]
    [0.971, 1.0]
    """

    proportion: float
    trials: int

    def tails(self, value: float) -> tuple[float, float]:
        """Return p-values of the proportion being above a value, and below it."""
        away = self.proportion - value
        error = np.sqrt(max(0.0, value * (1 - value)) / self.trials)
        if not error:
            return float(away <= 0), float(away >= 0)
        return float(ndtr(-away / error)), float(ndtr(away / error))

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the two-sided interval of a level."""
        square = ndtri((1 + level) / 2) ** 2 / self.trials
        spread = self.proportion * (1 - self.proportion) * square + square**2 / 4
        centre, half = self.proportion + square / 2, np.sqrt(spread)
        low, high = (centre + np.array([-half, half])) / (1 + square)
        return float(low), float(high)


def widest_tails(methods: Sequence[Method], value: float) -> tuple[float, float]:
    """Return the largest p-values of several methods."""
    above, below = np.array([one.tails(value) for one in methods]).max(axis=0)
    return float(above), float(below)


def widest_interval(methods: Sequence[Method], level: float = LEVEL) -> tuple[float, float]:
    """Return the interval that holds those of several methods.

    Examples
    --------
    >>> widest_interval([Score(1.0, 128), Studentised(np.ones(8), 0.0)])[1]
    1.0
    """
    ends = np.array([one.interval(level) for one in methods])
    return float(ends[:, 0].min()), float(ends[:, 1].max())
