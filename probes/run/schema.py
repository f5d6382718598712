"""The check of a run against what probes say that it holds."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from ...synth.errors import InputError
from ..engine.schema import (
    BY_MODALITY,
    ROOT_ATTRIBUTES,
    SCHEMA_VERSION,
    SUBJECT_ATTRIBUTES,
    subjects,
)
from ..engine.variable import Variable
from .registry import schema


def validate(tree: xr.DataTree) -> None:
    """Check a run against the schema.

    Raises
    ------
    InputError
        If it is no run, of another schema version, or a variable lacks what the schema promises.
    """
    known = schema()
    for name in ROOT_ATTRIBUTES:
        if name not in tree.attrs:
            raise InputError(f"run: not a tonotopy result (attribute {name!r} is missing)")
    if tree.attrs["schema_version"] != SCHEMA_VERSION:
        raise InputError(
            f"run: schema version {tree.attrs['schema_version']}, this library reads {SCHEMA_VERSION}; "
            "measure again, or read it with the tonotopy that wrote it"
        )
    for subject, node in subjects(tree).items():
        for name in (*SUBJECT_ATTRIBUTES, *BY_MODALITY.get(str(node.attrs.get("modality")), ())):
            if name not in node.attrs:
                raise InputError(f"run: {subject} lacks attribute {name!r}")
        for probe, group in node.children.items():
            if probe in known:  # else it is a plug-in's that is not installed here
                validate_probe(f"{subject}/{probe}", known[probe], group.to_dataset())


def validate_probe(path: str, known: Mapping[str, Variable], probe: xr.Dataset) -> None:
    """Raise unless a result holds what its probe declares, and nothing else."""
    for name, variable in probe.variables.items():
        if name not in known:
            raise InputError(f"run: {path} holds {name!r}, which the schema does not know")
        missing = [a for a in ("units", "long_name") if a not in variable.attrs]
        if missing:
            raise InputError(f"run: {path}/{name} lacks {missing[0]!r}")
        for dim in variable.dims:
            if dim not in probe.coords:
                raise InputError(f"run: {path}/{name} lies along {dim!r}, which has no coordinate")
        if [d for d in variable.dims if d != "level"] != [d for d in known[str(name)].dims if d != "level"]:
            raise InputError(f"run: {path}/{name} has dims {variable.dims}, not {known[str(name)].dims}")
