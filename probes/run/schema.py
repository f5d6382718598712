"""What a run may hold, all probes together, and the check of a run against it."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from ...synth.errors import InputError
from ..composition.variables import VARIABLES as COMPOSITION
from ..engine.schema import HEARING, ROOT_ATTRIBUTES, SCHEMA_VERSION, SUBJECT_ATTRIBUTES, hears_in, subjects
from ..engine.variable import Groups, Variable
from ..filters.variables import VARIABLES as FILTERS
from ..folding.variables import VARIABLES as FOLDING
from ..hypotheses.variables import VARIABLES as HYPOTHESES
from ..interventions.variables import VARIABLES as INTERVENTIONS
from ..latents.variables import VARIABLES as LATENTS
from ..tokens.variables import VARIABLES as TOKENS

SCHEMA: Groups = {
    **FILTERS, **FOLDING, **COMPOSITION, **TOKENS, **INTERVENTIONS, **LATENTS, **HYPOTHESES
}  # fmt: skip


def validate(tree: xr.DataTree) -> None:
    """Check a run against the schema.

    Raises
    ------
    InputError
        If it is no run, of another schema version, or a variable lacks what the schema promises.
    """
    for name in ROOT_ATTRIBUTES:
        if name not in tree.attrs:
            raise InputError(f"run: not a tonotopy result (attribute {name!r} is missing)")
    if tree.attrs["schema_version"] != SCHEMA_VERSION:
        raise InputError(
            f"run: schema version {tree.attrs['schema_version']}, this library reads {SCHEMA_VERSION}"
        )
    for subject, node in subjects(tree).items():
        for name in (*SUBJECT_ATTRIBUTES, *HEARING[hears_in(tree)]):
            if name not in node.attrs:
                raise InputError(f"run: {subject} lacks attribute {name!r}")
        for probe, group in node.children.items():
            _validate_probe(f"{subject}/{probe}", SCHEMA.get(probe, {}), group.to_dataset())


def _validate_probe(path: str, known: Mapping[str, Variable], probe: xr.Dataset) -> None:
    for name, variable in probe.variables.items():
        if name not in known:
            raise InputError(f"run: {path} holds {name!r}, which the schema does not know")
        missing = [a for a in ("units", "long_name") if a not in variable.attrs]
        if missing:
            raise InputError(f"run: {path}/{name} lacks {missing[0]!r}")
        if [d for d in variable.dims if d != "level"] != [d for d in known[str(name)].dims if d != "level"]:
            raise InputError(f"run: {path}/{name} has dims {variable.dims}, not {known[str(name)].dims}")
