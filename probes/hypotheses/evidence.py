"""Evidence whose effect is a mean over independent units: single items, groups of items, slopes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ...synth.errors import InputError
from ..statistics.groups import NEAR_END, SKEWNESS_OF_ITEMS, group_methods
from ..statistics.means import LEVEL, Bounded, Crossed, Method, Studentised, widest_interval, widest_tails

UNSEEN = 0.1  # share of single items that may be unlike all that were measured, where no range is known
ROUNDING = 1e-9  # re a range: what is no further outside lies at its end


class Evidence(Protocol):
    """What a kind of evidence offers.

    Attributes
    ----------
    unit : str
        What its independent units are called, in the plural.
    effect : float
    n_units : int
        Independent units, which the interval is over.
    method : str
        Where p and interval come from, in words.
    """

    unit: ClassVar[str]

    @property
    def effect(self) -> float: ...  # noqa: D102
    @property
    def n_units(self) -> int: ...  # noqa: D102
    @property
    def method(self) -> str: ...  # noqa: D102

    def tails(self, threshold: float, seed: int) -> tuple[float, float]:
        """Return p-values of the effect being above a threshold, and below it; NaN of too few units."""
        ...

    def interval(self, seed: int, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of the effect over units."""
        ...

    def clearest(self, n: int) -> Iterator[Evidence]:
        """Yield the clearest evidence that `n` units of the kind could give, for and against."""
        ...

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Evidence:
        """Return evidence of the same values, exchanged at random: its null is true."""
        ...


class OfMean(ABC):
    """Evidence whose effect is the mean of `rows`, float64 [repeats, units]."""

    unit: ClassVar[str] = "units"

    @property
    @abstractmethod
    def rows(self) -> np.ndarray:
        """Values of all repeats and units, [repeats, units]."""

    @property
    @abstractmethod
    def method(self) -> str:
        """Where p and interval come from, in words."""

    @abstractmethod
    def methods(self) -> list[Method]:
        """Return those whose widest p and interval count."""

    @property
    def per_unit(self) -> np.ndarray:
        """Mean over repeats, [units]."""
        return self.rows.mean(0)

    @property
    def effect(self) -> float:
        """Mean over units."""
        return float(self.per_unit.mean()) if self.n_units else np.nan

    @property
    def n_units(self) -> int:
        """Units with a value."""
        return self.rows.shape[1]

    def tails(self, threshold: float, seed: int = 0) -> tuple[float, float]:
        """Return p-values of the mean being above a threshold, and below it."""
        return widest_tails(self.methods(), threshold) if self.n_units else (np.nan, np.nan)

    def interval(self, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of the mean."""
        return widest_interval(self.methods(), level) if self.n_units else (np.nan, np.nan)

    def flipped(self, threshold: float, generator: np.random.Generator) -> np.ndarray:
        """Flip the deviations of whole units from a threshold, [repeats, units]."""
        return threshold + generator.choice([-1, 1], size=self.n_units) * (self.rows - threshold)


def _whole(values: npt.ArrayLike) -> np.ndarray:
    """Return [repeats, units] without the units that lack a value."""
    rows = np.atleast_2d(np.asarray(values, dtype=float))
    return rows[:, np.isfinite(rows).all(0)]


def _crossed(rows: np.ndarray) -> list[Method]:
    return [Crossed(rows)] if len(rows) > 1 and rows.shape[1] > 1 else []


@dataclass(frozen=True)
class PerUnit(OfMean):
    """One value of each of several single items, drawn independently: sounds, channels, partials.

    Parameters
    ----------
    values : float [units] or [repeats, units]
        Units without a value are left out. Repeats (random networks, say) are averaged; that they are
        draws themselves widens p and interval.
    bounds : (float, float), optional
        Range that a unit of the kind can have. Without one, a tenth of all units may be unlike any that was
        measured: p is at least twice the chance of meeting none of them, ``2 * 0.9**n``.

    Raises
    ------
    InputError
        If a value lies outside the bounds.

    Notes
    -----
    With bounds Gaffke's (`Bounded`), which hold for every distribution in the range and are conservative.
    Without, the larger p, and the wider interval, of Student's t and of the same corrected for 1.75 times
    the sample's skewness (`Studentised`), and p no less than said above. No test of a mean holds for every
    distribution without a range (Bahadur and Savage, Annals of Mathematical Statistics 27:1115, 1956):
    a sample of ten may hold none of the one unit in ten that makes up the mean. What is rejected where the
    mean is the threshold is in the table of ``python -m tests.benchmarks.type_one``.

    Examples
    --------
    >>> shares = PerUnit([0.9, 0.8, 1.0, 0.9, 1.0, 1.0, 0.9, 1.0, np.nan], bounds=(0, 1))
    >>> round(shares.effect, 3), shares.n_units, shares.tails(0.5)[0] < 0.025
    (0.938, 8, True)
    >>> PerUnit([0.9, 0.8, 1.0, 0.9, 1.0, 1.0, 0.9, 1.0]).tails(0.5)[0] < 0.025  # others might be -5
    False
    """

    values: npt.ArrayLike
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        rows = _whole(self.values)
        if self.bounds is not None:
            low, high = self.bounds
            slack = ROUNDING * (high - low)
            if not low < high or (
                rows.size and not (low - slack <= rows.min() <= rows.max() <= high + slack)
            ):
                raise InputError(
                    f"bounds {low:g} to {high:g}: values go from {rows.min():g} to {rows.max():g}"
                )
            rows = np.clip(rows, low, high)
        object.__setattr__(self, "values", rows)

    @property
    def rows(self) -> np.ndarray:
        """Values of all repeats and units, [repeats, units]."""
        return np.asarray(self.values)

    @property
    def method(self) -> str:
        """Where p and interval come from, in words."""
        if self.bounds is None:
            return "skewness-corrected t over units of unknown range"
        return f"Gaffke's bounds over units from {self.bounds[0]:g} to {self.bounds[1]:g}"

    def methods(self) -> list[Method]:
        """Return Gaffke's bounds, or without a range t and skewness-corrected t; and what repeats ask for."""
        units = self.per_unit
        if self.bounds:
            return [Bounded(units, *self.bounds), *_crossed(self.rows)]
        return [*(Studentised(units, share) for share in (0.0, SKEWNESS_OF_ITEMS)), *_crossed(self.rows)]

    def tails(self, threshold: float, seed: int = 0) -> tuple[float, float]:
        """Return p-values of the mean being above a threshold, and below it."""
        unseen = 0.0 if self.bounds else (1 - UNSEEN) ** self.n_units
        above, below = super().tails(threshold, seed)
        return max(above, unseen), max(below, unseen)

    def interval(self, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of the mean; without bounds it takes units for like those measured."""
        low, high = super().interval(seed, level)
        return (low, high) if self.bounds is None else (max(low, self.bounds[0]), min(high, self.bounds[1]))

    def clearest(self, n: int) -> Iterator[PerUnit]:
        """Yield `n` units at either end of their range, and at 0."""
        ends = (-1.0, 1.0) if self.bounds is None else self.bounds
        for value in {*ends, float(np.clip(0.0, *ends))}:
            yield PerUnit(np.full(n, value), self.bounds)

    def relabelled(self, threshold: float, generator: np.random.Generator) -> PerUnit:
        """Flip the deviations of whole units; bounds lie as far on the other side."""
        flipped = self.flipped(threshold, generator)
        if self.bounds is None:
            return PerUnit(flipped)
        reach = max(threshold - self.bounds[0], self.bounds[1] - threshold)
        return PerUnit(flipped, (threshold - reach, threshold + reach))


@dataclass(frozen=True)
class PerGroup(OfMean):
    """One value of each of several groups: a mean over many items that were drawn for the group alone.

    Parameters
    ----------
    values : float [groups] or [repeats, groups]
        Groups without a value are left out. Repeats (random networks, say) are averaged; that they are
        draws themselves widens p and interval.
    trials : int, optional
        Binary outcomes that each value is the proportion of, 0 to 1.
    ends : (float, float), optional
        What the mean cannot pass, nor its interval; 0 and 1 of proportions.

    Raises
    ------
    InputError
        If proportions are repeated, or lie outside 0 to 1.

    Notes
    -----
    Student's t over groups, corrected for half the sample's skewness (`Studentised`). Proportions within 0.1
    of 0 or 1 are skewed, and eight groups may all be at the end: there p and interval are the widest of t,
    of t corrected as for single items, and of Wilson's for all trials together (`Score`). How often the
    interval covers is in the table of ``python -m tests.benchmarks.type_one``.

    Examples
    --------
    >>> PerGroup([0.7, 0.8, 0.75, 0.72]).tails(0.5)[0] < 0.025
    True
    >>> [round(end, 3) for end in PerGroup(np.ones(8), trials=16).interval()]
    [0.971, 1.0]
    """

    unit: ClassVar[str] = "groups"
    values: npt.ArrayLike
    trials: int | None = None
    ends: tuple[float, float] = (-np.inf, np.inf)

    def __post_init__(self) -> None:
        rows = _whole(self.values)
        if self.trials is not None and rows.size:
            if len(rows) > 1:
                raise InputError(f"trials {self.trials}: of repeated groups they are not counted")
            if rows.min() < -ROUNDING or rows.max() > 1 + ROUNDING:
                raise InputError(
                    f"trials {self.trials}: proportions go from {rows.min():g} to {rows.max():g}"
                )
            rows = np.clip(rows, 0, 1)
        if self.trials is not None:
            object.__setattr__(self, "ends", (0.0, 1.0))
        object.__setattr__(self, "values", rows)

    @property
    def rows(self) -> np.ndarray:
        """Values of all repeats and groups, [repeats, groups]."""
        return np.asarray(self.values)

    @property
    def _near_end(self) -> bool:
        return self.trials is not None and min(self.effect, 1 - self.effect) <= NEAR_END

    @property
    def method(self) -> str:
        """Where p and interval come from, in words."""
        if self._near_end:
            return "skewness-corrected t over groups and Wilson's interval of all their trials"
        return "t over groups and over repeats" if len(self.rows) > 1 else "t over groups"

    def methods(self) -> list[Method]:
        """Return t over groups, and what repeats and proportions near an end ask for."""
        return _crossed(self.rows) or group_methods(self.per_unit, self.trials)

    def interval(self, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of the mean, within its ends."""
        low, high = super().interval(seed, level)
        return max(low, self.ends[0]), min(high, self.ends[1])

    def clearest(self, n: int) -> Iterator[PerGroup]:
        """Yield `n` groups at 0, and at 1."""
        for value in (0.0, 1.0) if self.trials else (-1.0, 0.0, 1.0):
            yield PerGroup(np.full(n, value), self.trials)

    def relabelled(self, threshold: float, generator: np.random.Generator) -> PerGroup:
        """Flip the deviations of whole groups, which are no proportions then."""
        return PerGroup(self.flipped(threshold, generator))


@dataclass(frozen=True)
class Trend(OfMean):
    """Values of groups at several steps of a quantity; the effect is the slope over it, mean over groups.

    Slopes are values of groups: see `PerGroup`.

    Parameters
    ----------
    values : float [groups, steps]
        Groups without a value at some step are left out.
    steps : float [steps]

    Examples
    --------
    >>> falling = Trend([[3.0, 2.0, 1.0, 0.0], [6.0, 4.0, 2.0, 0.0]], np.log2([1, 2, 4, 8]))
    >>> falling.effect, falling.per_unit.tolist()
    (-1.5, [-1.0, -2.0])
    """

    unit: ClassVar[str] = "groups"
    values: npt.ArrayLike
    steps: npt.ArrayLike

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=float)
        object.__setattr__(self, "values", values[np.isfinite(values).all(1)])
        object.__setattr__(self, "steps", np.asarray(self.steps, dtype=float))

    @property
    def rows(self) -> np.ndarray:
        """Slope of each group, [1, groups]."""
        centred = np.asarray(self.steps) - np.asarray(self.steps).mean()
        if not centred.any():
            return np.zeros((1, 0))
        return (np.asarray(self.values) @ centred / np.square(centred).sum())[None]

    @property
    def method(self) -> str:
        """Where p and interval come from, in words."""
        return "t over slopes of groups"

    def methods(self) -> list[Method]:
        """Return t over slopes."""
        return PerGroup(self.rows).methods()

    def clearest(self, n: int) -> Iterator[PerGroup]:
        """Yield `n` groups of one slope."""
        return PerGroup(self.rows).clearest(n)

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Trend:
        """Flip the deviations of groups from a line of the threshold's slope."""
        line = threshold * np.asarray(self.steps)
        signs = generator.choice([-1, 1], size=(self.n_units, 1))
        return Trend(line + signs * (np.asarray(self.values) - line), self.steps)
