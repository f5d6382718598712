"""Evidence by exchange: what of the measured values may change places if a hypothesis's null is true.

One exchange gives the p-value, and the relabelled evidence on which the test itself is tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ..statistics.agreement import rank_correlation
from ..statistics.means import LEVEL
from ..statistics.resampling import accelerated_interval

DRAWS = 4999  # of a null: with 999, a family of 26 hypotheses could not reach 0.05 after correction
MOST_ORDERED = 6  # labels whose n! orders are all tried
ROUNDING = 1e-9  # re the spread of a null: what is no further apart is a tie


def exchanged_tails(
    null: np.ndarray, observed: float, threshold: float, are_all: bool
) -> tuple[float, float]:
    """Return p-values of an effect being above a threshold, and below it, by its values under exchanges.

    Parameters
    ----------
    null : float [exchanges]
    observed, threshold : float
    are_all : bool
        Whether the null holds every exchange, the observed one among them, rather than draws.

    Notes
    -----
    The observed exchange counts as one (Phipson & Smyth, Statistical Applications in Genetics and
    Molecular Biology 9(1):39, 2010), so either p is exact: not above x more often than x where the null is
    true. Ties within rounding count against the observed effect. Where all exchanges are tried, p is that of
    `scipy.stats.permutation_test`, the reference of a test; where they are drawn, it would draw others.

    Examples
    --------
    >>> exchanged_tails(np.array([-1.0, 0.0, 0.0, 1.0]), 1.0, 0.0, are_all=True)
    (0.25, 1.0)
    """
    if not np.isfinite(observed) or not np.isfinite(null).all() or len(null) == 0:
        return np.nan, np.nan
    tie = ROUNDING * max(np.ptp(null), abs(observed - threshold))
    counted = 0 if are_all else 1
    above = counted + int(np.count_nonzero(null >= observed - tie))
    below = counted + int(np.count_nonzero(null <= observed + tie))
    return above / (counted + len(null)), below / (counted + len(null))


def _orders(n: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    if n <= MOST_ORDERED:
        yield from map(np.array, permutations(range(n)))
    else:
        yield from (generator.permutation(n) for _ in range(DRAWS))


@dataclass(frozen=True)
class Association:
    """Two values per unit; under the null either may belong to any unit. The effect: Spearman's correlation.

    Parameters
    ----------
    one, other : float [units]
        Units that lack either are left out.

    Notes
    -----
    Interval by BCa bootstrap. Of normal pairs correlated by 0, 0.5 and 0.9 it covered in 0.95 to 0.98 of
    cases at 8, 10, 20 and 40 units (``python -m tests.benchmarks.type_one``).

    Examples
    --------
    >>> Association([1.0, 2.0, 3.0], [2.0, 4.0, 9.0]).effect
    1.0
    """

    unit: ClassVar[str] = "units"
    one: npt.ArrayLike
    other: npt.ArrayLike

    def __post_init__(self) -> None:
        one, other = np.asarray(self.one, dtype=float), np.asarray(self.other, dtype=float)
        there = np.isfinite(one) & np.isfinite(other)
        object.__setattr__(self, "one", one[there])
        object.__setattr__(self, "other", other[there])

    @property
    def effect(self) -> float:
        """Rank correlation."""
        return self._correlation(np.asarray(self.one)) if self.n_units > 2 else np.nan

    def _correlation(self, one: np.ndarray) -> float:
        return float(rank_correlation(one, np.asarray(self.other)))

    @property
    def n_units(self) -> int:
        """Units with both values."""
        return np.size(self.one)

    @property
    def exact(self) -> bool:
        """Whether there are few enough units for all orders."""
        return factorial(min(self.n_units, MOST_ORDERED + 1)) <= factorial(MOST_ORDERED)

    @property
    def method(self) -> str:
        """Where p comes from, in words."""
        return f"all {factorial(self.n_units)} orders" if self.exact else f"{DRAWS} drawn orders"

    def null(self, threshold: float, seed: int) -> np.ndarray:
        """Return the correlation with one of the two dealt anew, float64 [exchanges]."""
        if threshold:
            raise ValueError("values can be dealt anew only where they are unrelated: threshold 0")
        one, other = np.asarray(self.one), np.asarray(self.other)
        orders = np.array(list(_orders(len(one), np.random.default_rng(seed))))
        return rank_correlation(one[orders], other) if np.isfinite(self.effect) else np.zeros(0)

    def tails(self, threshold: float, seed: int = 0) -> tuple[float, float]:
        """Return p-values of the correlation being above 0, and below it."""
        return exchanged_tails(self.null(threshold, seed), self.effect, threshold, self.exact)

    def interval(self, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """Resample units."""
        one, other = np.asarray(self.one), np.asarray(self.other)
        return accelerated_interval(rank_correlation, one, other, seed=seed, level=level)

    def clearest(self, n: int) -> Iterator[Association]:
        """Yield `n` units in one order, and in the opposite one."""
        yield Association(np.arange(n), np.arange(n))
        yield Association(np.arange(n), -np.arange(n))

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Association:
        """Deal one of the two anew."""
        return Association(generator.permutation(np.asarray(self.one)), self.other)
