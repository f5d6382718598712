"""What is picked from results, for tables, sentences and figures alike.

Which stage, level and condition stand for a result is decided where verdicts are given as well, in
`tonotopy.probes.engine.selecting`; here are the same names, and what only reports pick.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..probes.engine.selecting import at_level, at_stage, of_kind, picked, stages_with
from ..probes.statistics.groups import group_interval
from ..synth.errors import InputError

if TYPE_CHECKING:
    from .runs import Subject

__all__ = [
    "answers",
    "at_level",
    "at_stage",
    "by_density",
    "five_numbers",
    "interval_of_mean",
    "level_db",
    "merged",
    "middle",
    "of_controls",
    "of_kind",
    "only",
    "picked",
    "ranked",
    "spread",
    "stage_with",
    "stages_of",
    "stages_with",
]


def stages_of(result: xr.Dataset) -> list[str]:
    """Return the stages of a result, from shallow to deep; a single one without a name if it has none."""
    return [str(s) for s in result["stage"].values] if "stage" in result.dims else [""]


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


def only(result: xr.Dataset, *variables: str) -> xr.Dataset:
    """Return some variables of a result with all that selecting needs: cutting up all takes long."""
    needed = (
        *variables,
        "kind",
        "n_channels",
        "level_dbfs",
        "component_kind",
        "component_level_dbfs",
        "density",
    )
    return result[[name for name in dict.fromkeys(needed) if name in result]]


def answers(result: xr.Dataset | None, kind: str = "partial") -> xr.Dataset | None:
    """Return the condition of a result that stands for a kind of component; None if it was not measured."""
    if result is None or kind not in np.atleast_1d(result["component_kind"].values):
        return None
    return of_kind(result, kind) if "condition" in result.dims else result


def by_density(result: xr.Dataset) -> xr.Dataset:
    """Return the conditions of partials at the level that stands for all, from fewest others to most."""
    level = float(of_kind(result)["component_level_dbfs"])
    partials = result["component_kind"].values == "partial"
    chosen = partials & (result["component_level_dbfs"].values == level)
    return result.isel(condition=np.flatnonzero(chosen)).sortby("density")


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
