"""Which stage, level and condition stand for a result, in verdicts, tables and figures alike."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .grid import USUAL_DBFS, USUAL_OTHERS


def at_level(result: xr.Dataset) -> xr.Dataset:
    """Return a result at one level: of several the nearest to -20 dBFS, at which most measures play."""
    if "level" not in result.dims:
        return result
    return result.isel(level=usual_level(result))


def usual_level(result: xr.Dataset) -> int:
    """Return the number of the level nearest to -20 dBFS."""
    return int(np.abs(result["level_dbfs"].values - USUAL_DBFS).argmin())


def at_stage(result: xr.Dataset, stage: str) -> xr.Dataset:
    """Return one stage of a result without padding channels, at the level that `at_level` chooses."""
    number = result.indexes["stage"].get_loc(stage)
    at: dict[str, object] = {"stage": number}
    if "level" in result.dims:
        at["level"] = usual_level(result)
    if "channel" in result.dims:
        at["channel"] = slice(0, int(result["n_channels"][number]))
    return result.isel(at)  # once: cutting up a whole result takes long


def of_kind(result: xr.Dataset, kind: str = "partial") -> xr.Dataset:
    """Return the condition that stands for a kind of component: among four others at -20 dBFS, or nearest."""
    there = result["component_kind"].values == kind
    off = np.abs(result["component_level_dbfs"].values - USUAL_DBFS)
    if result["density"].dims == ("condition",):  # else mixtures of each condition have several
        off = off + np.abs(result["density"].values - USUAL_OTHERS)
    return result.isel(condition=int(np.where(there, off, np.inf).argmin()))


def picked(values: xr.DataArray, label: str) -> xr.DataArray:
    """Select a component, spacing, task, removal, density or what stands for a kind; all without a label.

    Nothing is selected of a kind that was not measured.
    """
    if not label:
        return values
    if "condition" in values.dims:
        if label not in values["component_kind"].values:
            return values.isel(condition=[])
        return of_kind(values.to_dataset(name="values"), label)["values"]
    if "density" in values.dims:
        return values.sel(density=float(label), method="nearest")
    return values.sel(
        {next(d for d in ("component", "spacing", "task", "removal") if d in values.dims): label}
    )


def stages_with(result: xr.Dataset, variable: str) -> list[str]:
    """Return the stages at which `variable` was measured, from shallow to deep."""
    if variable not in result:
        return []
    there = at_level(result[[variable]])[variable].notnull()
    found = there.any([dim for dim in there.dims if dim != "stage"])
    at = np.broadcast_to(found.values, result.sizes["stage"])
    return [str(stage) for stage, one in zip(result["stage"].values, at, strict=True) if one]
