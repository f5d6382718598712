"""Presets: what a suite measures where nothing else is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from ...synth.errors import InputError
from ..composition.draws import MAIN, USUAL
from ..engine.grid import USUAL_DBFS
from .registry import named, usual

if TYPE_CHECKING:  # a help text names presets, and needs no torch
    from ..engine.probe import Probe


@dataclass(frozen=True)
class Preset:
    """Probes, settings, baselines and stages of a suite that gives none.

    Parameters
    ----------
    use : str
        What it is for, in one line.
    baselines : int
        Draws in every kind of baseline.
    probes : mapping of str to tuple of str, optional
        Probes by name, with the kinds of baselines that each asks. By default all that ask where none is
        named, of the kinds that they declare.
    settings, baseline_settings : mapping of str to object
        Of those probes that have them; the latter of baselines, before the former.
    stages : tuple of str, optional
        Of each encoder those that it has, or each probe's own choice if it has none of them.
    stages_of : mapping of str to tuple of str
        The same of single probes.
    """

    use: str
    baselines: int
    probes: Mapping[str, tuple[str, ...]] | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    baseline_settings: Mapping[str, object] = field(default_factory=dict)
    stages: tuple[str, ...] | None = None
    stages_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def asks(self, modality: str | None = None) -> tuple[Probe, ...]:
        """Return the probes that ask where none is given, of one modality."""
        return usual(modality) if self.probes is None else named(tuple(self.probes))

    def configured(self, one: Probe) -> Probe:
        """Return a probe with the settings and the kinds of baselines of this preset, where it has any."""
        baselines = (self.probes or {}).get(one.name, one.asks_baselines)
        return replace(one.with_settings(**taken(self.settings, one)), asks_baselines=baselines)


def taken(settings: Mapping[str, object], one: Probe) -> dict[str, object]:
    """Return the settings that a probe has."""
    return {name: value for name, value in settings.items() if name in one.takes}


AT_SCALE = ("matched",)  # random networks at the trained scale: without them no trained result can be read
AT_RANDOM = ("random",)
PRESETS: Mapping[str, Preset] = MappingProxyType({
    "quick": Preset(
        use="every question once, in some ten minutes: the canonical stages, two random networks",
        baselines=2,  # fewer are no baseline to a claim about architecture
        probes={
            "selectivity": AT_RANDOM,
            "aliasing": (),
            "tiling": (),
            "presence": AT_SCALE,
            "stability": AT_SCALE,
            "access": AT_SCALE,
            "place": AT_SCALE,
            "codes": (),
        },
        settings={
            "per_octave": 12.0,
            "refine": False,  # bandwidths are those of tiling
            "phases": 3,  # the fewest that make the mean power of a linear stage exact
            "level_dbfs": (USUAL_DBFS,),
            "conditions": MAIN,  # one density and level for each kind of component
            "groups": 4,  # intervals over them are nearly twice as wide as over eight
            "raised": False,
        },
        baseline_settings={"conditions": (USUAL,)},  # partials alone
        stages=("first_layer", "stack_end", "latent", "quantized", "codes"),  # the canonical ones
        stages_of={"tiling": ("first_layer", "stack_end")},  # where something is claimed of it
    ),
    "full": Preset(use="everything, with three random networks of each kind", baselines=3),
})  # fmt: skip
DEFAULT = "full"


def preset_named(name: str) -> Preset:
    """Return a preset by name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"preset {name!r}: must be {' or '.join(PRESETS)}")
    return PRESETS[name]
