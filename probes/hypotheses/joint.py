"""Joint evidence: a claim that holds only if each of several things holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..statistics.means import LEVEL
from .deciding import verdict_p
from .evidence import Evidence


@dataclass(frozen=True)
class Part:
    """Something that has to hold: evidence above or below a threshold, or no further from 0 than it."""

    evidence: Evidence
    holds: str
    threshold: float

    def margin(self, value: float) -> float:
        """How far a value lies on the side where the part holds."""
        if self.holds == "within":
            return self.threshold - abs(value)
        return (value - self.threshold) * (1 if self.holds == "above" else -1)

    def margins(self, seed: int, level: float) -> tuple[float, float]:
        """Interval of the margin."""
        low, high = self.evidence.interval(seed, level)
        ends = sorted([self.margin(low), self.margin(high)])
        return (
            (ends[0], self.margin(0.0)) if self.holds == "within" and low <= 0 <= high else (ends[0], ends[1])
        )


@dataclass(frozen=True)
class Jointly:
    """Evidence that several things hold at once; the effect is the margin of the one that holds least.

    Parameters
    ----------
    parts : tuple of Part

    Notes
    -----
    That all hold has the largest of their p: an intersection-union test (Berger, Technometrics 24:295,
    1982). That one fails has the least, times their number (Bonferroni). The threshold of a claim is 0.

    Examples
    --------
    >>> from .evidence import PerGroup
    >>> there, small = PerGroup([0.9, 0.8, 0.9, 1.0]), PerGroup([0.1, 0.2, 0.1, 0.1])
    >>> both = Jointly((Part(there, "above", 0.5), Part(small, "below", 0.2)))
    >>> round(both.effect, 3), both.n_units, both.tails(0.0)[0] == small.tails(0.2)[1]
    (0.075, 4, True)
    """

    unit: ClassVar[str] = "groups"
    parts: tuple[Part, ...]

    @property
    def effect(self) -> float:
        """Margin of the part that holds least."""
        return float(np.min([part.margin(part.evidence.effect) for part in self.parts]))

    @property
    def n_units(self) -> int:
        """Units of the part that has fewest."""
        return min(part.evidence.n_units for part in self.parts)

    @property
    def method(self) -> str:
        """Where p and interval come from, in words."""
        several = dict.fromkeys(part.evidence.method for part in self.parts)
        return f"the weakest of {len(self.parts)} parts: {'; '.join(several)}"

    def tails(self, threshold: float, seed: int = 0) -> tuple[float, float]:
        """Return p-values of all parts holding, and of one failing."""
        if threshold:
            raise ValueError("joint evidence is held against its parts' thresholds: that of the claim is 0")
        each = [verdict_p(part.evidence, part.holds, part.threshold, seed) for part in self.parts]
        holding, failing = np.max([p for p, _ in each]), len(each) * np.min([p for _, p in each])
        return float(holding), float(np.minimum(1.0, failing))

    def interval(self, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of the least margin: its upper end is corrected for the number of parts."""
        low = min(part.margins(seed, level)[0] for part in self.parts)
        corrected = 1 - (1 - level) / len(self.parts)
        return low, min(part.margins(seed, corrected)[1] for part in self.parts)

    def clearest(self, n: int) -> Iterator[Jointly]:
        """Yield the clearest evidence that `n` units of each part could give, for all and against all."""
        for_all, against = [], []
        for part in self.parts:
            several = sorted(part.evidence.clearest(n), key=lambda one, part=part: part.margin(one.effect))
            against.append(Part(several[0], part.holds, part.threshold))
            for_all.append(Part(several[-1], part.holds, part.threshold))
        yield from (Jointly(tuple(parts)) for parts in (for_all, against))

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Jointly:
        """Relabel every part about its own threshold."""
        return Jointly(
            tuple(
                Part(part.evidence.relabelled(part.threshold, generator), part.holds, part.threshold)
                for part in self.parts
            )
        )
