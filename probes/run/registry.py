"""Probes by name: those of the library, and those of installed plug-ins."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

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
    "..composition.presence:PRESENCE",
    "..composition.stability:STABILITY",
    "..composition.access:ACCESS",
    "..composition.place:PLACE",
    "..composition.compositionality:COMPOSITIONALITY",
    "..tokens.codes:CODES",
    "..composition.readout:READOUT",
    "..composition.chord_composition:CHORD_COMPOSITION",
    "..composition.waveform_shape:WAVEFORM_SHAPE",
    "..interventions.interventions:INTERVENTIONS",
    "..dictionaries.probes:DICTIONARIES",
    "..dictionaries.probes:LABELS",
    "..dictionaries.probes:STEERING",
    "..latents.probes:LATENTS",
    "..latents.probes:RECONSTRUCTION",
    "..latents.probes:FEATURES",
    "..latents.probes:ACTIVATION",
    "..latents.probes:TRAVERSALS",
)


def registered(modality: str | None = None) -> tuple[Probe, ...]:
    """Return the probes of the library and of installed plug-ins, of one modality if given.

    A plug-in's entry point, of group "tonotopy.probes", names a `Probe` or a sequence of them. What cannot be
    loaded, is no probe, or has a name that is taken is left out, with a warning that names the plug-in.

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
        for probe in _probes_of(point):
            if probe.name in found or probe.name in VERDICTS:
                _left_out(point, f"the name {probe.name!r} is taken")
            else:
                found[probe.name] = probe
    return tuple(probe for probe in found.values() if modality in (None, probe.modality))


def usual(modality: str | None = None) -> tuple[Probe, ...]:
    """Return the probes that ask where none is named, of one modality if given.

    Examples
    --------
    >>> "labels" in [probe.name for probe in usual("waveform")]
    False
    """
    return tuple(probe for probe in registered(modality) if probe.by_default)


def _probes_of(point: EntryPoint) -> list[Probe]:
    """Return what an entry point names; nothing, and a warning, where that is no probe."""
    try:
        several = point.load()
        probes = [several] if isinstance(several, Probe) else list(several)
    except Exception as error:  # one bad plug-in must not take the others down
        _left_out(point, f"it cannot be loaded ({type(error).__name__}: {error})")
        return []
    if not all(isinstance(probe, Probe) for probe in probes):
        _left_out(point, "its entry point names no Probe")
        return []
    return probes


def _left_out(point: EntryPoint, reason: str) -> None:
    package = point.dist.name if point.dist is not None else point.value
    warnings.warn(f"probe {point.name!r} of {package} is left out: {reason}", stacklevel=3)


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
            raise InputError(f"probe {name!r}: not known; there are {', '.join(known)}")
    return tuple(name if isinstance(name, Probe) else known[name] for name in names)


def schema() -> Groups:
    """Return every variable that a run can hold, by group: the union of what the probes say."""
    groups: dict[str, Mapping[str, Variable]] = {probe.name: probe.variables for probe in registered()}
    return {**groups, **VERDICTS}
