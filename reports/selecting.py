"""What is picked from results, for tables, sentences and figures alike.

Which stage, level and condition stand for a result is decided where verdicts are given as well, in
`tonotopy.probes.engine.selecting`; here are the same names, and what only reports pick.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..probes.engine.selecting import (
    Place,
    at_level,
    at_stage,
    has_stage,
    of_kind,
    picked,
    place_labelled,
    place_of_kind,
    place_of_stage,
    place_picked,
    stages_of,
    stages_with,
    values_at,
)
from ..probes.statistics.groups import group_interval
from ..synth.errors import InputError

if TYPE_CHECKING:
    from .runs import Subject

__all__ = [
    "Place",
    "answers",
    "at_level",
    "at_stage",
    "by_density",
    "five_numbers",
    "has_stage",
    "interval_of_mean",
    "level_db",
    "merged",
    "middle",
    "numbers_by_density",
    "of_controls",
    "of_kind",
    "picked",
    "place_labelled",
    "place_of_answers",
    "place_of_kind",
    "place_of_stage",
    "place_picked",
    "ranked",
    "records",
    "spread",
    "stage_with",
    "stages_of",
    "stages_with",
    "values_at",
]


def stage_with(result: xr.Dataset, variable: str, stage: str | None = None) -> xr.Dataset:
    """Return the stage asked for, or the last one at which a variable was measured.

    Raises
    ------
    InputError
        If it was not measured there.
    """
    there = stages_with(result, variable)
    if not there or (stage or there[-1]) not in there:
        where = f"those that have it are {', '.join(there)}" if there else "no stage has it"
        raise InputError(f"stage {stage or 'of any name'}: {variable} was not measured there; {where}")
    return at_stage(result, stage or there[-1])


def merged(orders: Sequence[Sequence[str]]) -> list[str]:
    """Merge several orders of names: what one leaves out stands where the others have it.

    Examples
    --------
    >>> merged([["first_layer", "quantized"], ["first_layer", "quantized_1", "quantized", "codes"]])
    ['first_layer', 'quantized_1', 'quantized', 'codes']
    """
    found: list[str] = []
    for names in orders:
        place = 0
        for name in names:
            if name in found:
                place = found.index(name) + 1
            else:
                found.insert(place, name)
                place += 1
    return found


def of_controls(controls: Sequence[Subject], probe: str) -> dict[str, xr.Dataset]:
    """Return what a probe found of those controls that it measured, by name."""
    return {c.name: found for c in controls if (found := c.result(probe)) is not None}


def answers(result: xr.Dataset | None, kind: str = "partial") -> xr.Dataset | None:
    """Return the condition of a result that stands for a kind of component; None if it was not measured."""
    place = place_of_answers(result, kind)
    return None if result is None or place is None else result.isel(place)


def place_of_answers(result: xr.Dataset | None, kind: str = "partial") -> Place | None:
    """Return where in a result the condition of `answers` lies; None if it was not measured."""
    if result is None or kind not in np.atleast_1d(result.variables["component_kind"].values):
        return None
    return place_of_kind(result, kind) if "condition" in result.dims else {}


def records(result: xr.Dataset, dim: str) -> list[dict[str, Any]]:
    """Return the variables along one dimension, and no other, as a row of plain values a coordinate."""
    columns = {str(name): one.values.tolist() for name, one in result.variables.items() if one.dims == (dim,)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def by_density(result: xr.Dataset) -> xr.Dataset:
    """Return the conditions of partials at the level that stands for all, from fewest others to most."""
    return result.isel(condition=numbers_by_density(result))


def numbers_by_density(result: xr.Dataset) -> np.ndarray:
    """Return the numbers, [n], of the conditions of `by_density`."""
    kind, level_dbfs, density = (
        result.variables[name].values for name in ("component_kind", "component_level_dbfs", "density")
    )
    usual = place_of_kind(result)["condition"]
    chosen = np.flatnonzero((kind == "partial") & (level_dbfs == level_dbfs[usual]))
    return chosen[np.argsort(density[chosen], kind="stable")]


def ranked(best: np.ndarray) -> np.ndarray:
    """Return the channels that respond, in order of their best frequency."""
    order = np.argsort(best, kind="stable")  # NaN last
    return order[: np.isfinite(best).sum()]


def spread(items: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` of `items`, evenly spread, ends included."""
    if len(items) <= count:
        return items
    return items[np.linspace(0, len(items) - 1, count).round().astype(int)]


def level_db(response: np.ndarray, floor_db: float) -> np.ndarray:
    """Level re the highest value along the last axis, in dB, no lower than `floor_db`."""
    peak = np.nanmax(response, axis=-1, keepdims=True)
    share = response / np.where(peak > 0, peak, np.nan)
    return 20 * np.log10(np.maximum(share, 10 ** (floor_db / 20)))


def interval_of_mean(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the mean of values [n], as verdicts have it: t over them."""
    low, high = group_interval(values)
    return float(low), float(high)


def middle(values: np.ndarray, share: float = 0.95) -> np.ndarray:
    """Return the ends, [2], between which the middle share of values lies."""
    return np.quantile(values, [(1 - share) / 2, (1 + share) / 2])


def five_numbers(values: np.ndarray) -> np.ndarray:
    """Return the 5th, 25th, 50th, 75th and 95th percentile of values."""
    return np.percentile(values, [5, 25, 50, 75, 95])
