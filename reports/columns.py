"""Columns: the numbers that tables, sentences and comparisons have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr

from ..encoders.kinds import stage_kind
from ..probes.hypotheses.hypothesis import NoEvidence
from ..probes.hypotheses.registry import HYPOTHESES
from .runs import Subject
from .selecting import has_stage, place_labelled, place_of_stage, place_picked, values_at
from .writing import interval, written

Reduce = Callable[[np.ndarray], float]  # finite values -> one number
Value = Callable[[xr.Dataset, str], float]  # (result, stage) -> a number, NaN where there is none


def nothing(result: xr.Dataset, stage: str) -> float:
    """Return NaN: there is no such number."""
    return np.nan


@dataclass(frozen=True)
class Column:
    """A number of a result at a stage: how it is read, and how it is written.

    Parameters
    ----------
    heading, explanation : str
    unit : str
        As in `written`.
    value : callable
        (result, stage) -> float, NaN where there is none; `stage` is "" for a result without stages. See
        `measured`.
    low, high : callable
        The same of the ends of its interval.
    is_compared : bool
        Whether random weights are its yardstick.
    is_side_by_side : bool
        Whether the figure that sets encoders side by side shows it.
    shows_interval : bool
        Whether the interval stands beside it in tables.
    """

    heading: str
    explanation: str
    unit: str
    value: Value
    low: Value = nothing
    high: Value = nothing
    is_compared: bool = True
    is_side_by_side: bool = False
    shows_interval: bool = False

    def of(self, result: xr.Dataset | None, stage: str) -> float:
        """Read the number off a result; NaN where there is none."""
        return np.nan if result is None or not has_stage(result, stage) else self.value(result, stage)

    def shown(self, result: xr.Dataset | None, stage: str) -> str:
        """Write the number, with its interval where that is shown."""
        ends = [replace(self, value=end).of(result, stage) for end in (self.low, self.high)]
        beside = f" ({interval(ends, self.unit)})" if self.shows_interval and np.isfinite(ends).all() else ""
        return written(self.of(result, stage), self.unit) + beside

    def beside_random(self, subject: Subject, probe: str, stage: str) -> str:
        """Write the number of a subject, and what random networks have of it."""
        among = [self.of(seed, stage) for seed in subject.of_baselines(probe)]
        beside = f" (random {interval(among, self.unit)})" if np.isfinite(among).any() else ""
        return written(self.of(subject.result(probe), stage), self.unit) + beside


def measured(
    variable: str,
    heading: str,
    explanation: str,
    unit: str,
    reduce: Reduce = np.median,
    pick: str = "",
    *,
    at_codes: bool = False,
    is_compared: bool = True,
    is_side_by_side: bool = False,
) -> Column:
    """Return the column of a variable.

    Parameters
    ----------
    variable : str
        Of the result; its interval, if it has one, is in `variable`_low and `variable`_high.
    heading, explanation, unit : str
    reduce : callable
        Makes one number of a stage's finite values.
    pick : str
        The component, spacing, task or density it is read at, if the variable has one; see `picked`.
    at_codes : bool
        Whether it means anything of codes, which have no power.
    is_compared, is_side_by_side : bool
    """
    value, low, high = (
        partial(_read, variable=f"{variable}{end}", reduce=reduce, pick=pick, at_codes=at_codes)
        for end in ("", "_low", "_high")
    )
    return Column(heading, explanation, unit, value, low, high, is_compared, is_side_by_side)


def as_judged(
    claim: str, heading: str, explanation: str, unit: str, *, is_side_by_side: bool = False
) -> Column:
    """Return the column of what a claim of the sources is judged by: the same number, at every stage.

    Parameters
    ----------
    claim : str
        Its name.
    heading, explanation, unit : str
    is_side_by_side : bool
    """
    return Column(heading, explanation, unit, partial(_effect, claim=claim), is_side_by_side=is_side_by_side)


def _effect(result: xr.Dataset, stage: str, claim: str) -> float:
    """Return the effect that a claim is judged by, of one result."""
    (of,) = (one for one in HYPOTHESES if one.name == claim)
    try:
        return of.evidence(xr.DataTree.from_dict({f"/it/{of.group}": result}), "it", stage).effect
    except NoEvidence:
        return np.nan


def has_power(result: xr.Dataset, stage: str = "") -> bool:
    """Whether activations at a stage can be squared and summed: codes are names of entries, and cannot.

    Without a stage, of a result at one.
    """
    place = place_labelled(result, {"stage": stage} if stage else {})
    return "kind" not in result or stage_kind(str(values_at(result, "kind", place))).has_power


def _read(result: xr.Dataset, stage: str, variable: str, reduce: Reduce, pick: str, at_codes: bool) -> float:
    if variable not in result or result.variables[variable].dtype.kind not in "fiub":
        return np.nan
    if not at_codes and not has_power(result, stage):
        return np.nan
    place = place_of_stage(result, stage) if stage else {}
    values = values_at(result, variable, place | place_picked(result, variable, pick)).astype(float)
    finite = values[np.isfinite(values)]
    return float(reduce(finite)) if finite.size else np.nan


def placed(value: float, seeds: Sequence[float]) -> str:
    """Say where a value lies among those of random seeds: "above", "below", "within" their range.

    Fewer than two finite values span no range: "".

    Examples
    --------
    >>> placed(2.0, [0.5, 1.0]), placed(0.7, [0.5, 1.0]), placed(2.0, [1.0])
    ('above', 'within', '')
    """
    finite = [s for s in seeds if np.isfinite(s)]
    if len(finite) < 2 or not np.isfinite(value):
        return ""
    return "above" if value > max(finite) else "below" if value < min(finite) else "within"
