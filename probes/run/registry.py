"""Probes by name: those of the library, and those of installed plug-ins."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points

from ...synth.errors import InputError
from ..engine.probe import Probe
from ..engine.variable import Groups, Variable
from ..hypotheses.variables import VARIABLES as VERDICTS

ENTRY_POINT_GROUP = "tonotopy.probes"
_BUILT_IN = (  # in the order of the report
    "..filters.selectivity:SELECTIVITY",
    "..filters.pitch_chord:PITCH_TUNING",
    "..filters.pitch_chord:CHORD_TUNING",
    "..folding.aliasing:ALIASING",
    "..folding.aliasing:INTERMODULATION",
    "..folding.invertibility:INVERTIBILITY",
    "..folding.representability:REPRESENTABILITY",
    "..filters.tiling:TILING",
    "..composition.compositionality:COMPOSITIONALITY",
    "..tokens.codes:CODES",
    "..composition.readout:READOUT",
    "..composition.chord_composition:CHORD_COMPOSITION",
    "..composition.waveform_shape:WAVEFORM_SHAPE",
    "..interventions.interventions:INTERVENTIONS",
    "..latents.probes:LATENTS",
    "..latents.probes:RECONSTRUCTION",
    "..latents.probes:FEATURES",
    "..latents.probes:ACTIVATION",
    "..latents.probes:TRAVERSALS",
)


def registered(modality: str | None = None) -> tuple[Probe, ...]:
    """Return the probes of the library and of installed plug-ins, of one modality if given.

    A plug-in's entry point, of group "tonotopy.probes", names a `Probe` or a sequence of them.

    Raises
    ------
    InputError
        If an entry point names something else, or a name is taken.

    Examples
    --------
    >>> [probe.name for probe in registered("melody")]
    ['latents', 'reconstruction', 'features', 'activation', 'traversals']
    """
    found: dict[str, Probe] = {}
    for place in _BUILT_IN:
        module, name = place.split(":")
        probe = getattr(import_module(module, __package__), name)
        found[probe.name] = probe
    for point in entry_points(group=ENTRY_POINT_GROUP):
        several = point.load()
        for probe in [several] if isinstance(several, Probe) else several:
            if not isinstance(probe, Probe):
                raise InputError(f"probe {point.name!r}: its entry point names no Probe")
            if probe.name in found or probe.name in VERDICTS:
                raise InputError(f"probe {probe.name!r}: the name is taken; its plug-in must give another")
            found[probe.name] = probe
    return tuple(probe for probe in found.values() if modality in (None, probe.modality))


def named(names: tuple[str | Probe, ...]) -> tuple[Probe, ...]:
    """Return probes by name; those that are probes already as they are.

    Raises
    ------
    InputError
        If a name is not known.
    """
    known = {probe.name: probe for probe in registered()}
    for name in names:
        if not isinstance(name, Probe) and name not in known:
            raise InputError(f"probe {name!r}; there are {', '.join(known)}")
    return tuple(name if isinstance(name, Probe) else known[name] for name in names)


def schema() -> Groups:
    """Return every variable that a run can hold, by group: the union of what the probes say."""
    groups: dict[str, Mapping[str, Variable]] = {probe.name: probe.variables for probe in registered()}
    return {**groups, **VERDICTS}
