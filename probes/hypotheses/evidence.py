"""Evidence: measured values, and what of them may be exchanged if a hypothesis's null is true.

One exchange gives the p-value, and the relabelled evidence on which the test itself is tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..statistics.agreement import rank_correlation
from ..statistics.resampling import RESAMPLES, bootstrap_interval, quantile_interval, resampled

DRAWS = 4999  # of a null: with 999, a set of 26 hypotheses could not reach 0.05 after correction
MOST_FLIPPED = 12  # units whose 2^n sign patterns are all tried
MOST_ORDERED = 6  # labels whose n! orders are all tried
ROUNDING = 1e-9  # re the spread of a null: what is no further apart is a tie


class Evidence(Protocol):
    """What a kind of evidence offers.

    Attributes
    ----------
    effect : float
    n_units : int
        Independent units, which the interval resamples.
    exact : bool
        Whether `null` holds every exchange, the observed one among them, rather than 4999 draws.
    """

    @property
    def effect(self) -> float: ...  # noqa: D102
    @property
    def n_units(self) -> int: ...  # noqa: D102
    @property
    def exact(self) -> bool: ...  # noqa: D102

    def null(self, threshold: float, seed: int) -> np.ndarray:
        """Return the effect, [exchanges], where exchanges make no difference but `threshold`."""
        ...

    def interval(self, seed: int) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of the effect over units."""
        ...

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Evidence:
        """Return evidence of the same values, exchanged at random: its null is true."""
        ...


def tails(evidence: Evidence, threshold: float, seed: int) -> tuple[float, float]:
    """Return p-values of the effect being above a threshold, and below it.

    Notes
    -----
    The observed exchange counts as one (Phipson & Smyth, Statistical Applications in Genetics and
    Molecular Biology 9(1):39, 2010), so either p is exact: not above x more often than x where the null is
    true. Ties within rounding count against the observed effect. Where all exchanges are tried, p is that of
    `scipy.stats.permutation_test`, the reference of a test; where they are drawn, it would draw others.

    Examples
    --------
    >>> tails(PerUnit([1.0, 2.0, 3.0]), 0.0, seed=0)  # of 8 patterns of signs none has a larger mean
    (0.125, 1.0)
    """
    null, observed = evidence.null(threshold, seed), evidence.effect
    if not np.isfinite(observed) or not np.isfinite(null).all() or len(null) == 0:
        return np.nan, np.nan
    tie = ROUNDING * max(np.ptp(null), abs(observed - threshold))
    counted = 0 if evidence.exact else 1
    above = counted + int(np.count_nonzero(null >= observed - tie))
    below = counted + int(np.count_nonzero(null <= observed + tie))
    return above / (counted + len(null)), below / (counted + len(null))


@dataclass(frozen=True)
class PerUnit:
    """One value per independent unit; under the null each lies as likely so far below the threshold as above.

    Parameters
    ----------
    values : float [units] or [repeats, units]
        Units without a value are left out. Repeats (random networks, say) are averaged; the interval
        resamples them as well.

    Notes
    -----
    Signs of the values' deviations from the threshold are flipped: all patterns up to 12 units, 4999
    drawn ones beyond. Exact where deviations are symmetric about 0, approximate where they are not:
    measures of small encoders, moved onto their thresholds and resampled, were rejected at 0.05 in 3 to
    15 % of cases, and in 36 % where a few units held all there was.
    Source: Fisher, The Design of Experiments, 1935, section 21.

    Examples
    --------
    >>> lengths = PerUnit([3.0, 4.0, 5.0, np.nan])
    >>> lengths.effect, lengths.n_units, lengths.exact
    (4.0, 3, True)
    """

    values: npt.ArrayLike

    def __post_init__(self) -> None:
        values = np.atleast_2d(np.asarray(self.values, dtype=float))
        object.__setattr__(self, "values", values[:, np.isfinite(values).all(0)])

    @property
    def per_unit(self) -> np.ndarray:
        """Mean over repeats, [units]."""
        return np.asarray(self.values).mean(0)

    @property
    def effect(self) -> float:
        """Mean over units."""
        return float(self.per_unit.mean()) if self.n_units else np.nan

    @property
    def n_units(self) -> int:
        """Units with a value."""
        return np.shape(self.values)[1]

    @property
    def exact(self) -> bool:
        """Whether there are few enough units for all patterns of signs."""
        return self.n_units <= MOST_FLIPPED

    def null(self, threshold: float, seed: int) -> np.ndarray:
        """Return the mean under flips of the deviations from the threshold."""
        if not self.n_units:
            return np.zeros(0)
        if self.exact:
            patterns = np.arange(2**self.n_units)[:, None] >> np.arange(self.n_units)
            signs = 1 - 2 * (patterns & 1)
        else:
            signs = np.random.default_rng(seed).choice([-1, 1], size=(DRAWS, self.n_units))
        return threshold + signs @ (self.per_unit - threshold) / self.n_units

    def interval(self, seed: int) -> tuple[float, float]:
        """Resample units, and repeats if there are several."""
        values = np.asarray(self.values)
        repeats, units = values.shape
        if repeats < 2 or not units:
            return bootstrap_interval(values.ravel(), seed)
        generator = np.random.default_rng(seed)
        rows = generator.integers(repeats, size=(RESAMPLES, repeats))
        columns = generator.integers(units, size=(RESAMPLES, units))
        means = [values[r][:, c].mean() for r, c in zip(rows, columns, strict=True)]
        return quantile_interval(means)

    def relabelled(self, threshold: float, generator: np.random.Generator) -> PerUnit:
        """Flip the deviations of whole units."""
        values = np.asarray(self.values)
        return PerUnit(threshold + generator.choice([-1, 1], size=self.n_units) * (values - threshold))


@dataclass(frozen=True)
class Trend:
    """Values of units at several steps of a quantity; under the null the steps may change places.

    The effect is the slope over the quantity, mean over units. Steps change places for all units alike,
    since units measured at one step may have a context in common.

    Parameters
    ----------
    values : float [units, steps]
        Units without a value at some step are left out.
    steps : float [steps]

    Examples
    --------
    >>> falling = Trend([[3.0, 2.0, 1.0, 0.0], [6.0, 4.0, 2.0, 0.0]], np.log2([1, 2, 4, 8]))
    >>> falling.effect, len(falling.null(0.0, seed=0))
    (-1.5, 24)
    """

    values: npt.ArrayLike
    steps: npt.ArrayLike

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=float)
        object.__setattr__(self, "values", values[np.isfinite(values).all(1)])
        object.__setattr__(self, "steps", np.asarray(self.steps, dtype=float))

    @property
    def slopes(self) -> np.ndarray:
        """Slope of each unit, [units]."""
        return np.asarray(self.values) @ self._weights

    @property
    def _weights(self) -> np.ndarray:
        centred = np.asarray(self.steps) - np.asarray(self.steps).mean()
        return centred / np.square(centred).sum()

    @property
    def effect(self) -> float:
        """Mean slope."""
        return float(self.slopes.mean()) if self.n_units and np.ptp(self.steps) > 0 else np.nan

    @property
    def n_units(self) -> int:
        """Units with a value at every step."""
        return len(np.asarray(self.values))

    @property
    def exact(self) -> bool:
        """Whether there are few enough steps for all their orders."""
        return np.size(self.steps) <= MOST_ORDERED

    def null(self, threshold: float, seed: int) -> np.ndarray:
        """Return the mean slope with the steps in other orders."""
        if not np.isfinite(self.effect):
            return np.zeros(0)
        level = self._level(threshold)
        orders = np.array(list(_orders(np.size(self.steps), np.random.default_rng(seed))))
        return threshold + level[orders] @ self._weights

    def _level(self, threshold: float) -> np.ndarray:
        return np.asarray(self.values).mean(0) - threshold * np.asarray(self.steps)

    def interval(self, seed: int) -> tuple[float, float]:
        """Resample units."""
        return bootstrap_interval(self.slopes, seed)

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Trend:
        """Let the steps change places."""
        slope = threshold * np.asarray(self.steps)
        flat = np.asarray(self.values) - slope
        return Trend(flat[:, generator.permutation(len(slope))] + slope, self.steps)


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

    Examples
    --------
    >>> Association([1.0, 2.0, 3.0], [2.0, 4.0, 9.0]).effect
    1.0
    """

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

    def null(self, threshold: float, seed: int) -> np.ndarray:
        """Return the correlation with one of the two dealt anew."""
        if threshold:
            raise ValueError("values can be dealt anew only where they are unrelated: threshold 0")
        one, other = np.asarray(self.one), np.asarray(self.other)
        orders = np.array(list(_orders(len(one), np.random.default_rng(seed))))
        return rank_correlation(one[orders], other) if np.isfinite(self.effect) else np.zeros(0)

    def interval(self, seed: int) -> tuple[float, float]:
        """Resample units."""
        if not self.n_units:
            return np.nan, np.nan
        one, other = np.asarray(self.one), np.asarray(self.other)
        return quantile_interval(
            resampled(rank_correlation, one, other, generator=np.random.default_rng(seed))
        )

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Association:
        """Deal one of the two anew."""
        return Association(generator.permutation(np.asarray(self.one)), self.other)
