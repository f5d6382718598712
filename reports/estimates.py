"""Estimates: numbers with intervals, and where they lie between chance and ceiling and beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from .selecting import has_stage, place_labelled, place_of_answers, values_at
from .writing import DASH, counted, enumerated, interval, written

# Where a number lies, decided on numbers as they are written: a sentence cannot contradict those it gives.
AT_CEILING, ABOVE_CHANCE, BARELY_ABOVE = "at ceiling", "above chance", "barely above chance"
AT_CHANCE, UNDECIDED, NO_ROOM = "at chance", "undecided", "no room"
MARGIN = 0.1  # of the way from chance to ceiling: what lies so near to either counts as there
BASELINES = {
    "random": "random weights",
    "matched": "matched random weights",
    "permuted": "permuted weights",
}


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; NaN where there is none.

    Examples
    --------
    >>> print(Estimate(0.746, 0.71, 0.79))
    0.75 (0.71 to 0.79)
    """

    value: float
    low: float
    high: float

    @property
    def is_there(self) -> bool:
        """Whether there is such a number."""
        return bool(np.isfinite(self.value))

    def __str__(self) -> str:
        """Return it as it is written in sentences."""
        if not self.is_there:
            return DASH
        ends = f" ({written(self.low, '1')} to {written(self.high, '1')})"
        return written(self.value, "1") + (ends if np.isfinite(self.low) else "")

    @property
    def rounded(self) -> Estimate:
        """The same to the digits that are written."""
        return Estimate(*(round(v, 2) + 0.0 for v in (self.value, self.low, self.high)))


def exactly(value: float) -> Estimate:
    """Return a number that is known, as chance often is."""
    return Estimate(value, value, value)


def estimate(
    result: xr.Dataset | None, stage: str, variable: str, kind: str = "partial", **labels: object
) -> Estimate:
    """Read a variable with its interval off a result, at the condition that stands for a kind of component.

    Parameters
    ----------
    result : xarray.Dataset, optional
        Of a probe with conditions.
    stage, variable, kind : str
    **labels
        Where it is taken along its other dimensions, as ``order="linear"``.
    """
    if result is None or variable not in result or not has_stage(result, stage):
        return exactly(np.nan)
    if (condition := place_of_answers(result, kind)) is None:
        return exactly(np.nan)
    place = condition | place_labelled(result, {"stage": stage, **labels})
    ends = (f"{variable}{end}" for end in ("", "_low", "_high"))
    return Estimate(*(float(values_at(result, end, place)) if end in result else np.nan for end in ends))


def standing(one: Estimate, chance: Estimate) -> str:
    """Say where a number lies between chance and the ceiling of 1, by its whole interval.

    Parameters
    ----------
    one, chance : Estimate
        Of a chance that was measured the less favourable end counts.

    Returns
    -------
    standing : str
        `AT_CEILING` and `AT_CHANCE` where the interval keeps within a tenth of the way from either,
        `BARELY_ABOVE` where it does and excludes chance; `ABOVE_CHANCE` where it excludes chance and reaches
        further; `UNDECIDED` where it holds chance and more than a tenth of the way; `NO_ROOM` where chance is
        as near to the ceiling itself.

    Examples
    --------
    >>> half = exactly(0.5)
    >>> standing(Estimate(0.7, 0.66, 0.74), half), standing(Estimate(0.51, 0.48, 0.54), half)
    ('above chance', 'at chance')
    >>> standing(Estimate(0.6, 0.45, 0.75), half), standing(Estimate(0.99, 0.97, 1.0), half)
    ('undecided', 'at ceiling')
    """
    one, chance = one.rounded, chance.rounded
    if chance.low >= 1 - MARGIN:
        return NO_ROOM
    if not np.isfinite([one.low, one.high, chance.low, chance.high]).all():
        return UNDECIDED
    if one.low > chance.high:
        if one.low >= 1 - MARGIN * (1 - chance.high):
            return AT_CEILING
        within = one.high <= chance.low + MARGIN * (1 - chance.low)
        return BARELY_ABOVE if within else ABOVE_CHANCE
    return AT_CHANCE if one.high <= chance.low + MARGIN * (1 - chance.low) else UNDECIDED


def beside(one: Estimate, others: Mapping[str, Sequence[Estimate]]) -> str:
    """Say how a number lies beside those of baselines, kind by kind; kinds without one are left out.

    It is above or below a kind where its interval is clear of that of every network.

    Examples
    --------
    >>> beside(Estimate(0.75, 0.7, 0.8), {"random": [Estimate(1.0, 0.98, 1.0), exactly(0.9)], "permuted": []})
    'below random weights (0.90 to 1.00, 2 seeds)'
    """
    found: dict[str, list[str]] = {}
    own = one.rounded
    for kind, networks in others.items():
        there = [network.rounded for network in networks if network.is_there]
        if not there or not one.is_there:
            continue
        side = "not beyond"
        if all(own.low > network.high for network in there):
            side = "above"
        elif all(own.high < network.low for network in there):
            side = "below"
        values = interval([network.value for network in there], "1")
        found.setdefault(side, []).append(f"{baseline_label(kind)} ({values}, {counted(len(there), 'seed')})")
    return ", ".join(f"{side} {enumerated(several)}" for side, several in found.items())


def baseline_label(kind: str) -> str:
    """Name a kind of baseline.

    Examples
    --------
    >>> baseline_label("matched"), baseline_label("pruned")
    ('matched random weights', 'pruned weights')
    """
    return BASELINES.get(kind, f"{kind} weights")
