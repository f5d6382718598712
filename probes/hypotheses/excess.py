"""Evidence about one model beside few draws of another kind: excess over draws, survival, order of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from math import factorial
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import betaincinv, stdtrit

from ...synth.errors import InputError
from ..statistics.agreement import rank_correlation
from ..statistics.groups import jackknife_interval
from ..statistics.means import BRACKET, LEVEL
from ..statistics.resampling import ALPHA
from .evidence import PerUnit
from .exchanges import DRAWS, MOST_ORDERED, exchanged_tails
from .joint import Jointly, Part


def exact_interval(share: float, trials: int, level: float) -> tuple[float, float]:
    """Return Clopper and Pearson's interval of a share of trials, which need not be a whole number of them.

    Source: Clopper and Pearson, Biometrika 26:404, 1934.

    Examples
    --------
    >>> [round(end, 3) for end in exact_interval(0.0, 12, 0.95)]
    [0.0, 0.265]
    """
    tail, there = (1 - level) / 2, share * trials
    low = betaincinv(there, trials - there + 1, tail) if there > 0 else 0.0
    high = betaincinv(there + 1, trials - there, 1 - tail) if there < trials else 1.0
    return min(float(low), share), max(float(high), share)


@dataclass(frozen=True)
class Excess:
    """How much larger a share one model has than models that are drawn; the effect is the difference.

    Parameters
    ----------
    own : float in 0..1
    draws : float in 0..1 [draws]
        At least one.
    trials : int > 0
        Items that each share is of, such as the features of a dictionary.

    Raises
    ------
    InputError
        If shares lie outside 0 to 1, or there are none.

    Notes
    -----
    Three things widen the interval; squared, they add up (Zou and Donner, Statistics in Medicine 27:1693,
    2008). What draws differ by among themselves counts for the model as well, as if it were one more of
    them: t with R - 1 degrees of freedom times ``s sqrt(1 + 1 / R)``, which is what a further draw would be
    foretold by. That items are few counts by `exact_interval`, of the model and of all draws together:
    draws without a single success do not differ, and prove little. A single draw has no spread that is known.

    Examples
    --------
    >>> clear, within = Excess(0.3, [0.1, 0.11, 0.09], 1000), Excess(0.3, [0.1, 0.5, 0.3], 1000)
    >>> round(clear.effect, 3), clear.tails(0.0)[0] < 0.01, within.tails(0.0)[0] > 0.3
    (0.2, True, True)
    """

    unit: ClassVar[str] = "draws"
    own: float
    draws: npt.ArrayLike
    trials: int

    def __post_init__(self) -> None:
        draws = np.atleast_1d(np.asarray(self.draws, dtype=float))
        every = np.append(draws, self.own)
        if not len(draws) or not (every.min() >= 0 and every.max() <= 1):
            raise InputError(f"shares {every.tolist()}: must be one or more, from 0 to 1")
        object.__setattr__(self, "draws", draws)

    @property
    def effect(self) -> float:
        """Difference of shares."""
        return float(self.own - np.asarray(self.draws).mean())

    @property
    def n_units(self) -> int:
        """Draws."""
        return np.size(self.draws)

    @property
    def method(self) -> str:
        """Where p and interval come from, in words."""
        exact = f"Clopper and Pearson's intervals of {self.trials:,} features"
        return exact if self.n_units == 1 else f"t over {self.n_units} draws and one more, and {exact}"

    def interval(self, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of the difference."""
        draws, n = np.asarray(self.draws), self.n_units
        spread = 0.0
        if n > 1:
            spread = stdtrit(n - 1, (1 + level) / 2) * draws.std(ddof=1) * np.sqrt(1 + 1 / n)
        mean = float(draws.mean())
        low, high = exact_interval(self.own, self.trials, level)
        others_low, others_high = exact_interval(mean, self.trials * n, level)
        below = np.sqrt(spread**2 + (self.own - low) ** 2 + (others_high - mean) ** 2)
        above = np.sqrt(spread**2 + (high - self.own) ** 2 + (mean - others_low) ** 2)
        return max(-1.0, float(self.effect - below)), min(1.0, float(self.effect + above))

    def tails(self, threshold: float, seed: int = 0) -> tuple[float, float]:
        """Return p-values of the difference being above a threshold, and below it, by its intervals."""
        above = _tail(lambda level: self.interval(level=level)[0] - threshold)
        below = _tail(lambda level: threshold - self.interval(level=level)[1])
        return (above, 1 - above) if above < below else (1 - below, below)

    def clearest(self, n: int) -> Iterator[Excess]:
        """Yield all items beside none of `n` draws, and the opposite."""
        yield Excess(1.0, np.zeros(n), self.trials)
        yield Excess(0.0, np.ones(n), self.trials)

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Excess:
        """Let the model change places with one of the draws, or none."""
        every = np.append(self.draws, self.own - threshold)
        every = every[generator.permutation(len(every))]
        return Excess(float(np.clip(every[-1] + threshold, 0, 1)), np.clip(every[:-1], 0, 1), self.trials)


def _tail(gap: Callable[[float], float]) -> float:
    """One-sided p at which an end of the interval reaches a threshold; 0.5 at most."""
    if gap(BRACKET) <= 0:
        return 0.5
    if gap(1 - BRACKET) > 0:
        return BRACKET / 2
    return (1 - float(brentq(gap, BRACKET, 1 - BRACKET))) / 2  # type: ignore[arg-type]


@dataclass(frozen=True)
class Together(Jointly):
    """Joint evidence whose parts have names, and say whether they agree.

    Parameters
    ----------
    parts : tuple of Part
        Some of them an `Excess`.
    names : tuple of str
        One a part.

    Examples
    --------
    >>> more, less = Excess(0.3, [0.1, 0.1], 100), Excess(0.1, [0.3, 0.3], 100)
    >>> both = Together((Part(more, "above", 0.0), Part(less, "above", 0.0)), ("by frames", "by clips"))
    >>> both.method.partition("margins: ")[2]
    'by frames +0.2, by clips -0.2; they disagree'
    """

    unit: ClassVar[str] = "draws"
    names: tuple[str, ...] = ()

    @property
    def n_units(self) -> int:
        """Draws of the kind of model of which there are fewest; what is drawn but once does not count."""
        several = [part.evidence.n_units for part in self.parts if isinstance(part.evidence, Excess)]
        return min((n for n in several if n > 1), default=1)

    @property
    def method(self) -> str:
        """Where p and interval come from, in words, and how far each part holds."""
        margins = [part.margin(part.evidence.effect) for part in self.parts]
        each = ", ".join(f"{name} {margin:+.2g}" for name, margin in zip(self.names, margins, strict=True))
        agree = min(margins) > 0 or max(margins) <= 0
        return f"{super().method}; margins: {each}" + ("" if agree else "; they disagree")

    def clearest(self, n: int) -> Iterator[Jointly]:
        """Yield the clearest evidence of `n` draws, for all parts and against all; of other units as many."""
        for side in (-1, 0):
            chosen = []
            for part in self.parts:
                count = n if isinstance(part.evidence, Excess) else part.evidence.n_units
                several = sorted(part.evidence.clearest(count), key=lambda e, p=part: p.margin(e.effect))
                chosen.append(Part(several[side], part.holds, part.threshold))
            yield Together(tuple(chosen), self.names)


class PerLabel(PerUnit):
    """One value of each of several labels, a mean over their features."""

    unit: ClassVar[str] = "labels"


@dataclass(frozen=True)
class Survival:
    """Share of features that are beyond what chance gives at a level; the effect is the mean over labels.

    Parameters
    ----------
    shares : float in 0..1 [labels]
        Share of the features of a label whose p is at most the level.
    least_corrected : float in 0..1
        The least p of any feature, corrected for how many there are.

    Notes
    -----
    Units are labels: features of one label are hardly more than one, if they are copies. Tested by Gaffke's
    bounds, see `PerUnit`, against the level. Features share random directions and seeds: by chance all may
    pass at once. So p of the share being above is no less than the corrected one, unless that is at most
    0.05, which holds whatever features have to do with one another.

    Examples
    --------
    >>> Survival(np.ones(4), 0.01).tails(0.05)[0] < 0.001, Survival(np.ones(4), 0.2).tails(0.05)[0]
    (True, 0.2)
    """

    unit: ClassVar[str] = "labels"
    shares: npt.ArrayLike
    least_corrected: float

    @cached_property
    def _each(self) -> PerLabel:
        return PerLabel(self.shares, (0, 1))

    @property
    def effect(self) -> float:
        """Mean over labels."""
        return self._each.effect

    @property
    def n_units(self) -> int:
        """Labels."""
        return self._each.n_units

    @property
    def method(self) -> str:
        """Where p and interval come from, in words."""
        return f"{self._each.method}; least p corrected for all features {self.least_corrected:.2g}"

    def tails(self, threshold: float, seed: int = 0) -> tuple[float, float]:
        """Return p-values of the share being above a threshold, and below it."""
        above, below = self._each.tails(threshold)
        return (above if self.least_corrected <= ALPHA else max(above, self.least_corrected)), below

    def interval(self, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of the share."""
        return self._each.interval(level=level)

    def clearest(self, n: int) -> Iterator[Survival]:
        """Yield `n` labels all of whose features pass, and none."""
        yield Survival(np.ones(n), 0.0)
        yield Survival(np.zeros(n), 1.0)

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Survival:
        """Draw p of all labels by chance."""
        p = generator.random(self.n_units)
        return Survival(p <= threshold, float(min(1.0, p.min() * len(p))))


@dataclass(frozen=True)
class Ordering:
    """Whether layers that lie further apart differ more; under the null their order says nothing.

    The effect is the rank correlation, over pairs of layers, of how far apart they are with how much they
    differ.

    Parameters
    ----------
    depth : float [layers]
    apart : float [layers, layers]
        How much two layers differ, the same either way.

    Notes
    -----
    All orders of up to six layers are tried; an order and its reverse are one, so that n layers reach no p
    below 2 / n!. Source: Mantel, Cancer Research 27:209, 1967. Interval by leaving out single layers.

    Examples
    --------
    >>> four = Ordering(np.arange(4), abs(np.subtract.outer([0.1, 0.2, 0.4, 0.8], [0.1, 0.2, 0.4, 0.8])))
    >>> round(four.effect, 2), round(four.tails(0.0)[0] * 24)
    (0.77, 2)
    """

    unit: ClassVar[str] = "layers"
    depth: npt.ArrayLike
    apart: npt.ArrayLike

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", np.asarray(self.depth, dtype=float))
        object.__setattr__(self, "apart", np.asarray(self.apart, dtype=float))

    @property
    def effect(self) -> float:
        """Rank correlation over pairs."""
        return self._among(np.arange(self.n_units))

    def _among(self, kept: np.ndarray) -> float:
        one, other = np.triu_indices(len(kept), 1)
        if len(one) < 3:
            return np.nan
        depth, apart = np.asarray(self.depth)[kept], np.asarray(self.apart)[np.ix_(kept, kept)]
        return float(rank_correlation(apart[one, other][None], np.abs(depth[one] - depth[other]))[0])

    @property
    def n_units(self) -> int:
        """Layers."""
        return np.size(self.depth)

    @property
    def exact(self) -> bool:
        """Whether there are few enough layers for all orders."""
        return self.n_units <= MOST_ORDERED

    @property
    def method(self) -> str:
        """Where p and interval come from, in words."""
        orders = f"all {factorial(self.n_units)}" if self.exact else f"{DRAWS} drawn"
        return f"{orders} orders of layers; interval by leaving out single layers"

    def tails(self, threshold: float, seed: int = 0) -> tuple[float, float]:
        """Return p-values of the correlation being above 0, and below it."""
        if threshold:
            raise ValueError("layers can change places only where their order says nothing: threshold 0")
        if not np.isfinite(self.effect):
            return np.nan, np.nan
        n, generator = self.n_units, np.random.default_rng(seed)
        every = permutations(range(n)) if self.exact else (generator.permutation(n) for _ in range(DRAWS))
        orders, (one, other) = np.array(list(every)), np.triu_indices(n, 1)
        exchanged = np.asarray(self.apart)[orders[:, one], orders[:, other]]  # [orders, pairs]
        depth = np.asarray(self.depth)
        null = rank_correlation(exchanged, np.abs(depth[one] - depth[other]))
        return exchanged_tails(null, self.effect, threshold, self.exact)

    def interval(self, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """Leave out single layers; NaN of fewer than four, and where layers do not differ."""
        if self.n_units < 4 or not np.isfinite(self.effect):
            return np.nan, np.nan
        _, low, high = jackknife_interval(self._among, np.arange(self.n_units), 0, level)
        return float(np.clip(low, -1, 1)), float(np.clip(high, -1, 1))

    def clearest(self, n: int) -> Iterator[Ordering]:
        """Yield `n` layers that differ as they lie apart, and the more the nearer they are."""
        depth = np.arange(n)
        for sign in (1, -1):
            yield Ordering(depth, sign * np.abs(np.subtract.outer(depth, depth)))

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Ordering:
        """Exchange layers."""
        order = generator.permutation(self.n_units)
        return Ordering(self.depth, np.asarray(self.apart)[np.ix_(order, order)])
