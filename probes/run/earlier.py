"""Runs of earlier schemas: what is defined otherwise today is left out, the rest gets today's coordinates."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from ...encoders.kinds import stage_kind
from ..composition.mixtures import condition_label
from ..engine.schema import LABELS, REDEFINED, SCHEMA_VERSION, numbered, subjects
from ..engine.variable import STAGE
from ..folding.aliasing import pair_labels
from ..interventions.interventions import trial_labels


def up_to_date(tree: xr.DataTree) -> xr.DataTree:
    """Return a run of an earlier schema as one of today's; any other as it is.

    What is defined otherwise today is left out, and named in a warning; nothing that was measured changes.
    """
    version = tree.attrs.get("schema_version")
    if version not in REDEFINED:
        return tree
    found = sorted(
        {group for node in subjects(tree).values() for group in node.children} & set(REDEFINED[version])
    )
    if found:
        left_out = ", ".join(found)
        warnings.warn(f"run of schema version {version}: {left_out} left out, redefined since", stacklevel=2)
    kept = tree.copy()
    for node in subjects(kept).values():
        for group in list(node.children):
            if group in found:
                del node[group]
            else:
                node[group].dataset = labelled(node[group].to_dataset())
    kept.attrs = {**tree.attrs, "schema_version": SCHEMA_VERSION}
    return kept


def labelled(result: xr.Dataset) -> xr.Dataset:
    """Give a result of schema 3 and before the coordinates of today: labels in place of numbers.

    Examples
    --------
    >>> kinds = xr.Dataset({"signal_kind": ("signal", ["pair", "noise"])}, {"signal": [0, 1]})
    >>> labelled(kinds)["signal"].values.tolist()
    ['pair 1', 'noise 1']
    """
    if "channel" in result.get("change_probability", xr.DataArray()).dims:
        result = _by_codebook(result)
    for dim, labels in _labels(result).items():
        about = result[dim].attrs
        result = result.assign_coords({dim: (dim, labels, about)})
    if "level" in result.dims and "level" not in result.coords:
        result = result.assign_coords(
            level=("level", result["level_dbfs"].values, result["level_dbfs"].attrs)
        )
    return result.set_coords([name for name in LABELS if name in result])


def _labels(result: xr.Dataset) -> dict[str, np.ndarray]:
    """Return what the numbers along a result's dimensions stand for."""
    known = {str(d): result[d] for d in result.dims if d in result.coords and result[d].dtype.kind in "iu"}
    found = {}
    if "condition" in known:
        kinds, levels = (result[name].values for name in ("component_kind", "component_level_dbfs"))
        alone = result["density"].dims == ("condition",)
        others = result["density"].values.tolist() if alone else [None] * len(kinds)
        each = zip(kinds, levels, others, strict=True)
        found["condition"] = np.array([condition_label(*one) for one in each])
    if "signal" in known:
        found["signal"] = numbered(result["signal_kind"].values)
    if "sound" in known and "sound_kind" in result:
        found["sound"] = numbered(result["sound_kind"].values)
    if "trial" in known:
        found["trial"] = trial_labels(result["removed_frequency"].values, result["mixture"].values)
    if "pair" in known and "lower" in result:
        found["pair"] = pair_labels(result["lower"].values, result["upper"].values)
    return found


def _by_codebook(result: xr.Dataset) -> xr.Dataset:
    """Put what was measured of codes along codebooks, as many as there are."""
    are_codes = [not stage_kind(str(kind)).has_power for kind in result["kind"].values]
    books = int(result["n_channels"].values[are_codes].max(initial=0))
    changes = result["change_probability"].isel(channel=slice(0, books)).drop_vars("channel", errors="ignore")
    spec = STAGE["codebook"]
    about = {"units": spec.units, "long_name": spec.long_name}
    return result.drop_vars("change_probability").assign(
        change_probability=changes.rename(channel="codebook").assign_coords(
            codebook=("codebook", np.arange(1, books + 1), about)
        )
    )
