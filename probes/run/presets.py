"""Presets: what a suite measures where nothing else is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ...encoders.base import CANONICAL_STAGES
from ...synth.errors import InputError
from ..composition.draws import MAIN
from ..engine.probe import Probe
from .registry import named, usual


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
    settings : mapping of str to object
        Of those probes that have them.
    stages : tuple of str, optional
        Of each encoder those that it has, or each probe's own choice if it has none of them.
    """

    use: str
    baselines: int
    probes: Mapping[str, tuple[str, ...]] | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    stages: tuple[str, ...] | None = None

    def asks(self, modality: str | None = None) -> tuple[Probe, ...]:
        """Return the probes that ask where none is given, of one modality."""
        return usual(modality) if self.probes is None else named(tuple(self.probes))

    def configured(self, probes: Sequence[Probe]) -> tuple[Probe, ...]:
        """Return probes with the settings and the kinds of baselines of this preset, where it has any."""
        kinds: Mapping[str, tuple[str, ...]] = self.probes or {}
        configured = []
        for one in probes:
            settings = {name: value for name, value in self.settings.items() if name in one.takes}
            baselines = kinds.get(one.name, one.asks_baselines)
            configured.append(replace(one.with_settings(**settings), asks_baselines=baselines))
        return tuple(configured)


AT_SCALE = ("matched",)  # random networks at the trained scale: without them no trained result can be read
AT_RANDOM = ("random",)
PRESETS: Mapping[str, Preset] = MappingProxyType({
    "quick": Preset(
        use="every question once, in some ten minutes: the canonical stages, two random networks",
        baselines=2,  # fewer are no baseline to a claim about architecture
        probes={
            "selectivity": AT_RANDOM,
            "aliasing": AT_RANDOM,
            "tiling": AT_RANDOM,
            "presence": AT_SCALE,
            "stability": AT_SCALE,
            "access": AT_SCALE,
            "place": AT_SCALE,
            "codes": (),
        },
        settings={
            "conditions": MAIN,  # one density and level for each kind of component
            "refine": False,  # bandwidths are those of tiling
        },
        stages=CANONICAL_STAGES,
    ),
    "full": Preset(use="everything, with three random networks of each kind", baselines=3),
})  # fmt: skip
DEFAULT = "full"


def preset_named(name: str) -> Preset:
    """Return a preset.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"preset {name!r}: must be {' or '.join(PRESETS)}")
    return PRESETS[name]


def described() -> str:
    """Describe the presets, for a help text."""
    return "; ".join(
        f"'{name}': {preset.use}" + ("" if preset.probes is None else f" ({', '.join(preset.probes)})")
        for name, preset in PRESETS.items()
    )
