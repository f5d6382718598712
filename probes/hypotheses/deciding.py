"""How evidence is held against a hypothesis's threshold: p, place of the interval, and what is too little."""

from __future__ import annotations

import numpy as np

from ..statistics.resampling import ALPHA
from .evidence import Evidence
from .hypothesis import REFUTED, SUPPORTED

UNDECIDED = "undecided"
MOST_UNITS = 10_000  # that a verdict is said to need: beyond, the effect lies on the threshold
MOST_TRIED = 500  # units for which the least p is computed


def verdict_p(evidence: Evidence, holds: str, threshold: float, seed: int = 0) -> tuple[float, float]:
    """Return one-sided p-values of the hypothesis holding, and of it not holding."""
    if holds == "within":
        beyond, inside_high = evidence.tails(threshold, seed)
        inside_low, short = evidence.tails(-threshold, seed)
        return max(inside_high, inside_low), min(1.0, 2 * min(beyond, short))
    above, below = evidence.tails(threshold, seed)
    return (above, below) if holds == "above" else (below, above)


def two_sided(holding: float, failing: float) -> float:
    """Return the p-value of either.

    Examples
    --------
    >>> two_sided(0.01, 0.99), two_sided(0.6, 0.5)
    (0.02, 1.0)
    """
    return min(1.0, 2 * min(holding, failing)) if np.isfinite([holding, failing]).all() else np.nan


def place(holds: str, threshold: float, low: float, high: float) -> str:
    """Say on which side of the threshold an interval lies: that of a verdict, or none.

    Examples
    --------
    >>> place("above", 0.5, 0.6, 0.8), place("within", 0.1, 0.2, 0.3), place("below", 0.0, -1.0, 1.0)
    ('supported', 'refuted', 'undecided')
    """
    if holds == "within":
        inside, outside = -threshold < low and high < threshold, low > threshold or high < -threshold
    else:
        inside, outside = low > threshold, high < threshold
        if holds == "below":
            inside, outside = outside, inside
    return SUPPORTED if inside else REFUTED if outside else UNDECIDED


def least_p(evidence: Evidence, n: int, holds: str, threshold: float) -> float:
    """Return the least two-sided p that `n` units of a kind of evidence can reach, before correction.

    Examples
    --------
    >>> from .evidence import PerGroup, PerUnit
    >>> kinds = PerUnit([0.6, 0.7], bounds=(0, 1)), PerUnit([0.6, 0.7]), PerGroup([0.6, 0.7])
    >>> [round(least_p(kind, 8, "above", 0.5), 4) for kind in kinds]  # 2 / 2^8, 2 * 0.9^8, none
    [0.0078, 0.8609, 0.0]
    """
    found = [two_sided(*verdict_p(one, holds, threshold)) for one in evidence.clearest(n)]
    return min(found, default=np.nan)


def units_to_reach(evidence: Evidence, p: float, holds: str, threshold: float) -> int | None:
    """Return the least number of units, beyond those there are, whose least p is at most `p`.

    None if 500 are too few.
    """
    tried = range(evidence.n_units + 1, MOST_TRIED + 1)
    return next((n for n in tried if least_p(evidence, n, holds, threshold) <= p), None)


def units_to_decide(evidence: Evidence, size: int, holds: str, threshold: float, seed: int = 0) -> int | None:
    """Estimate how many units would decide in a family of some size, at the effect and spread observed.

    So many that the interval of level ``1 - 0.05 / size`` would end at the threshold, if its width falls
    with the root of their number; None where that is over 10,000: the effect lies on the threshold.

    Examples
    --------
    >>> from .evidence import PerGroup
    >>> units_to_decide(PerGroup([0.2, 0.4, 0.9, 0.8, 0.6, 0.7]), 1, "above", 0.5)
    59
    """
    edges = (-threshold, threshold) if holds == "within" else (threshold,)
    effect = evidence.effect
    edge = min(edges, key=lambda one: abs(one - effect))
    low, high = evidence.interval(seed, 1 - ALPHA / size)
    half = effect - low if effect > edge else high - effect
    if not half < np.sqrt(MOST_UNITS / max(1, evidence.n_units)) * abs(effect - edge):  # NaN is not
        return None
    return max(evidence.n_units + 1, int(np.ceil(evidence.n_units * (half / (effect - edge)) ** 2)))
