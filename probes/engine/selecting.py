"""Which stage, level and condition stand for a result, in verdicts, tables and figures alike.

A place is where that is: a number, or several, along each dimension. Tables read thousands of numbers at
their places; cutting up a whole result with all its coordinates for each would take thirty times as long.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from .grid import USUAL_DBFS, USUAL_OTHERS

Place = dict[str, int | slice | np.ndarray]  # along each dimension


def values_at(result: xr.Dataset, variable: str, place: Place) -> np.ndarray:
    """Return the values of a variable at a place, whose dimensions it need not have all."""
    one = result.variables[variable]
    return np.asarray(one.values[tuple(place.get(str(dim), slice(None)) for dim in one.dims)])


def place_labelled(result: xr.Dataset, labels: Mapping[str, object]) -> Place:
    """Return where labels lie along their dimensions.

    Raises
    ------
    KeyError
        If there is no such label.
    """
    return {dim: result.indexes[dim].get_loc(label) for dim, label in labels.items()}


def at_level(result: xr.Dataset) -> xr.Dataset:
    """Return a result at one level: of several the nearest to -20 dBFS, at which most measures play."""
    if "level" not in result.dims:
        return result
    return result.isel(level=usual_level(result))


def usual_level(result: xr.Dataset) -> int:
    """Return the number of the level nearest to -20 dBFS."""
    return int(np.abs(result.variables["level_dbfs"].values - USUAL_DBFS).argmin())


def place_of_stage(result: xr.Dataset, stage: str) -> Place:
    """Return where a stage lies, without padding channels, at the level that `at_level` chooses."""
    place = place_labelled(result, {"stage": stage})
    if "level" in result.dims:
        place["level"] = usual_level(result)
    if "channel" in result.dims:
        place["channel"] = slice(0, int(values_at(result, "n_channels", place)))
    return place


def at_stage(result: xr.Dataset, stage: str) -> xr.Dataset:
    """Return one stage of a result without padding channels, at the level that `at_level` chooses."""
    return result.isel(place_of_stage(result, stage))  # once: cutting up a whole result takes long


def place_of_kind(result: xr.Dataset, kind: str = "partial") -> Place:
    """Return where the condition lies that stands for a kind of component, as in `of_kind`."""
    there = result.variables["component_kind"].values == kind
    off = np.abs(result.variables["component_level_dbfs"].values - USUAL_DBFS)
    density = result.variables["density"]
    if density.dims == ("condition",):  # else mixtures of each condition have several
        off = off + np.abs(density.values - USUAL_OTHERS)
    return {"condition": int(np.where(there, off, np.inf).argmin())}


def of_kind(result: xr.Dataset, kind: str = "partial") -> xr.Dataset:
    """Return the condition that stands for a kind of component: among four others at -20 dBFS, or nearest."""
    return result.isel(place_of_kind(result, kind))


def place_picked(result: xr.Dataset, variable: str, label: str) -> Place:
    """Return where a component, spacing, task, removal, density or what stands for a kind lies in a variable.

    Everywhere without a label; nowhere of a kind that was not measured.
    """
    dims = result.variables[variable].dims
    if not label:
        return {}
    if "condition" in dims:
        is_there = label in result.variables["component_kind"].values
        return place_of_kind(result, label) if is_there else {"condition": slice(0, 0)}
    if "density" in dims:
        return {"density": int(result.indexes["density"].get_indexer([float(label)], method="nearest")[0])}
    return place_labelled(
        result, {next(d for d in ("component", "spacing", "task", "removal") if d in dims): label}
    )


def picked(values: xr.DataArray, label: str) -> xr.DataArray:
    """Select a component, spacing, task, removal, density or what stands for a kind; all without a label.

    Nothing is selected of a kind that was not measured.
    """
    return values.isel(place_picked(values.to_dataset(name="values"), "values", label))


def stages_with(result: xr.Dataset, variable: str) -> list[str]:
    """Return the stages at which `variable` was measured, from shallow to deep."""
    if variable not in result:
        return []
    one = result.variables[variable]
    if "level" in one.dims:
        one = one.isel(level=usual_level(result))
    there = one.notnull()
    found = there.any([dim for dim in there.dims if dim != "stage"])
    at = np.broadcast_to(found.values, result.sizes["stage"])
    return [stage for stage, is_measured in zip(stages_of(result), at, strict=True) if is_measured]


def has_stage(result: xr.Dataset, stage: str) -> bool:
    """Whether a result has a stage, or is of none where the name is empty."""
    return stage in result.indexes["stage"] if "stage" in result.dims else not stage


def stages_of(result: xr.Dataset) -> list[str]:
    """Return the stages of a result, from shallow to deep; a single one without a name if it has none."""
    return [str(stage) for stage in result.indexes["stage"]] if "stage" in result.dims else [""]
