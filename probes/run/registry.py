"""Probes by name: those of the library, and those of installed plug-ins."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from ...synth.errors import InputError, near

if TYPE_CHECKING:  # names are known without torch and xarray, which take seconds to import
    from ..engine.probe import Probe
    from ..engine.variable import Groups, Variable

ENTRY_POINT_GROUP = "tonotopy.probes"
_BUILT_IN = (  # in the order of the report; what a probe's object is called is its name, in capitals
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
    from ..hypotheses.variables import VARIABLES as VERDICTS

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
    from ..engine.probe import Probe

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


def named(names: Collection[str | Probe]) -> tuple[Probe, ...]:
    """Return probes by name; those that are probes already as they are.

    Raises
    ------
    InputError
        If a name is not known.
    """
    known = {probe.name: probe for probe in registered()}
    _check_known((name for name in names if isinstance(name, str)), known)
    return tuple(known[name] if isinstance(name, str) else name for name in names)


def check_known(names: Iterable[str]) -> None:
    """Raise unless there are probes of these names; nothing is imported but plug-ins, where there are any.

    Raises
    ------
    InputError
        Names the first that is not known, and those that are.

    Examples
    --------
    >>> check_known(["tiling", "selectivty"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tonotopy.synth.errors.InputError: probe 'selectivty': not known (did you mean selectivity?); ...
    """
    own = [place.split(":")[1].lower() for place in _BUILT_IN]
    if not set(names) <= set(own):
        points = entry_points(group=ENTRY_POINT_GROUP)
        _check_known(names, [*own, *(probe.name for point in points for probe in _probes_of(point))])


def _check_known(names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"probe {name!r}: not known{near(name, known)}; there are {', '.join(known)}")


def questions(modality: str | None = None, names: Collection[str] | None = None) -> dict[str, str]:
    """Return what probes ask, by name: those named, or all that ask by default, of one modality if given.

    What the library's own ask is read off its source, so that help need not wait for torch.

    Examples
    --------
    >>> questions(names=["place"])
    {'place': 'Do the same few channels answer to a partial, pitch or chord, whatever else sounds?'}
    """
    found = {}
    for place in _BUILT_IN:
        module, name = place.split(":")
        said = _declared(module, name)
        of = said.get("modality", "waveform")
        if (said.get("by_default", True) or names) and modality in (None, of):
            found[name.lower()] = str(said["question"])
    points = entry_points(group=ENTRY_POINT_GROUP)
    theirs = [probe for point in points for probe in _probes_of(point)]
    found |= {
        p.name: p.question for p in theirs if (p.by_default or names) and modality in (None, p.modality)
    }
    return found if names is None else {name: found[name] for name in names}


@cache
def _parsed(module: str) -> ast.Module:
    path = Path(__file__).parent.parent.joinpath(*module.removeprefix("..").split(".")).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _declared(module: str, name: str) -> dict[str, object]:
    """Return what a probe is declared with in so many words, by argument."""
    calls = [n for n in _parsed(module).body if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)]
    call = next(n.value for n in calls if ast.unparse(n.targets[0]) == name)
    assert isinstance(call, ast.Call)
    return {str(k.arg): k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}


def schema() -> Groups:
    """Return every variable that a run can hold, by group: the union of what the probes say."""
    from ..hypotheses.variables import VARIABLES as VERDICTS

    groups: dict[str, Mapping[str, Variable]] = {probe.name: probe.variables for probe in registered()}
    return {**groups, **VERDICTS}
