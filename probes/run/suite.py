"""A suite: who is measured, which probes ask, and what stands beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...encoders.base import MODALITIES, Encoder
from ...encoders.musicvae.base import LatentModel
from ...synth.errors import InputError
from ...synth.melodies import whole_number
from ..engine.probe import Probe
from .presets import DEFAULT, preset_named, taken
from .registry import named, registered

CONTROLS: Mapping[str, tuple[str, ...]] = {  # by modality
    "waveform": (
        "filterbank:stft",
        "filterbank:stft_magnitude",
        "filterbank:gammatone",
        "control:decimator",
        "control:texture",
        "control:rectifier",
        "control:band_codec",
        "control:dominant_codec",
        "control:identity_codec",
        "control:mu_law_codec",
        "control:planted_stream",
    ),
    "melody": ("control:planted",),
}
MEASURED_BY: Mapping[str, tuple[str, ...]] = {  # controls that stand beside some probes alone
    "control:band_codec": ("codes",),
    "control:dominant_codec": ("codes",),
    "control:identity_codec": ("interventions",),
    "control:mu_law_codec": ("interventions",),
    "control:planted_stream": ("dictionaries", "labels", "steering"),
}


@dataclass(frozen=True)
class Suite:
    """Who is measured, which probes ask, and what stands beside them.

    Parameters
    ----------
    encoders : sequence of str, Encoder or LatentModel
        Names that `load` knows, or encoders at hand (from `wrap`, say).
    probes : sequence of str or Probe, optional
        Those that are not of an encoder's modality skip it. Those of the preset, if left out.
    modality : str, optional
        Of the encoders; those of another are refused. Any, if left out.
    stages : sequence of str, optional
        Stages of the encoders and their baselines; by default those of the preset that an encoder has, or
        each probe's own choice.
    baselines : int >= 0, optional
        Draws of each encoder's architecture in every kind of baseline that a probe asks (none of what has no
        weights to draw); by default those of the preset.
    controls : bool
        Whether controls are measured of which no result is kept (see `kept`). Kept ones are used either way.
    seed : int >= 0
        First seed; baselines count on from it.
    settings : mapping of str to object
        Settings of probes by name, given to all that have them, before those of the preset.
    preset : {"full", "quick"}
        Stands in for whatever else is not given: see `presets`.
    weights : {"pretrained", "random"} or path
        Passed to `load` for encoders given by name.

    Raises
    ------
    InputError
        If there is no encoder, a number is negative, a probe or the preset is not known, or no probe has a
        setting.

    Examples
    --------
    >>> quick = Suite("codec_tiny", preset="quick", stages="latent")
    >>> quick.stages, quick.draws, [probe.name for probe in quick.of("waveform")][:3]
    (('latent',), 2, ['selectivity', 'aliasing', 'tiling'])
    """

    encoders: tuple[str | Encoder | LatentModel, ...]
    probes: tuple[str | Probe, ...] | None = None
    modality: Literal["waveform", "melody"] | None = None
    stages: tuple[str, ...] | None = None
    baselines: int | None = None
    controls: bool = True
    seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    preset: str = DEFAULT
    weights: str = "pretrained"

    def __post_init__(self) -> None:
        preset = preset_named(self.preset)
        for name, value in (("seed", self.seed), ("baselines", self.draws)):
            whole_number(name, value, 0)
        if self.modality not in (None, *MODALITIES):
            raise InputError(f"modality {self.modality!r}: must be {' or '.join(MODALITIES)}")
        for name in ("encoders", "probes", "stages"):
            object.__setattr__(self, name, _several(getattr(self, name)))
        if not self.encoders:
            raise InputError("encoders: none given")
        probes = preset.asks(self.modality) if self.probes is None else named(self.probes)
        if not probes:
            raise InputError(f"probes: none given; there are {', '.join(p.name for p in registered())}")
        for one in probes:
            if [other.name for other in probes].count(one.name) > 1:
                raise InputError(f"probe {one.name!r}: given twice")
        settings = {name for probe in probes for name in probe.takes}
        for name in self.settings:
            if name not in settings:
                there = ", ".join(sorted(settings)) or "none"
                raise InputError(f"setting {name!r}: no requested probe has it; there are {there}")
        configured = (preset.configured(one) for one in probes)
        object.__setattr__(
            self, "probes", tuple(one.with_settings(**taken(self.settings, one)) for one in configured)
        )

    def __repr__(self) -> str:
        names = ", ".join(e if isinstance(e, str) else e.name for e in self.encoders)
        return f"<Suite of {names}; {self.description}>"

    @property
    def draws(self) -> int:
        """Draws of each encoder's architecture in every kind of baseline that a probe asks."""
        return preset_named(self.preset).baselines if self.baselines is None else self.baselines

    def stages_of(self, encoder: Encoder | LatentModel, one: Probe) -> tuple[str, ...] | None:
        """Return the stages that an encoder is measured at by a probe; None for the probe's own choice."""
        preset = preset_named(self.preset)
        wanted = preset.stages_of.get(one.name, preset.stages)
        if self.stages is not None or wanted is None or not isinstance(encoder, Encoder):
            return self.stages
        return tuple(stage for stage in encoder.stages if stage in wanted) or None

    def of(self, modality: str, baseline: str = "") -> tuple[Probe, ...]:
        """Return the probes of a modality; those that measure a kind of baseline, with its settings."""
        probes = tuple(p for p in self.probes or () if isinstance(p, Probe) and p.modality == modality)
        if not baseline:
            return probes
        preset = preset_named(self.preset).baseline_settings
        settings = {name: value for name, value in preset.items() if name not in self.settings}
        return tuple(
            one.with_settings(**taken(settings, one)) for one in probes if baseline in one.asks_baselines
        )

    @property
    def description(self) -> str:
        """What is measured and how, in words: what a result depends on beside the encoders."""
        written = ", ".join(p.identity for p in self.probes or () if isinstance(p, Probe))
        stages = "default" if self.stages is None else ", ".join(self.stages)
        return (
            f"preset: {self.preset}; probes: {written}; stages: {stages}; baselines: {self.draws}; "
            f"controls: {self.controls}; seed: {self.seed}"
        )


def _several(given: Any) -> tuple[Any, ...] | None:
    """Return a sequence as a tuple, and one thing as a tuple of one."""
    if given is None:
        return None
    return tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
