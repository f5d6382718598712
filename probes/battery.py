"""What a run plays, and what it asks of everybody it hears."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ..encoders.abilities import Decodes
from ..encoders.base import Encoder
from ..synth.chords import chords
from ..synth.errors import InputError
from ..synth.partials import partials
from ..synth.pitches import Timbre, pitches
from ..synth.stimuli import StimulusSet
from .aliasing import aliasing, intermodulation
from .chord_composition import chord_composition
from .codes import codes
from .coherence import coherent_partials
from .compositionality import compositionality
from .interventions import interventions
from .invertibility import invertibility
from .pitch_chord import chord_tuning, pitch_tuning
from .progress import Progress
from .readout import readout
from .representability import representability
from .selectivity import selectivity
from .signals import representability_signals
from .store import ZARR_FORMAT
from .tiling import tiling
from .waveform_shape import waveform_shape

PROBES: Mapping[str, tuple[str, ...]] = {  # what one asks for, and the groups of the result it fills
    "selectivity": ("selectivity", "pitch_tuning", "chord_tuning"),
    "aliasing": ("aliasing", "intermodulation", "invertibility", "representability"),
    "tiling": ("tiling",),
    "compositionality": ("compositionality",),
    "codes": ("codes",),
    "readout": ("readout", "chord_composition"),
    "waveform_shape": ("waveform_shape",),
    "interventions": ("interventions",),
}
PITCH_TIMBRES = ("saw", "square", "dull", "missing")
CHORD_TIMBRE = Timbre(4, -6.02, name="four partials")  # few, since phases must outnumber them twice
CHORD_QUALITIES = ("major", "minor", "diminished", "augmented", "sus4", "dominant7", "major7", "minor7")
ALIASING_LEVELS_DBFS = (-40.0, -20.0, 0.0)


@dataclass(frozen=True)
class Settings:
    """What a run plays and what it puts beside the encoders.

    Parameters
    ----------
    stages : tuple of str or None
        Stages of the encoders and their baselines; None for the canonical ones.
    baselines : int >= 0
        Random initialisations of each encoder's architecture (none of what has no weights to draw).
    controls : bool
        Whether the controls are heard too.
    seed : int >= 0
        First seed; baselines count on from it.
    refine : bool
        Whether partials are added where the bandwidth columns need a finer grid.
    low_hz, high_hz, per_octave : float
        The grid of partials.
    probes : tuple of str
        Which of `PROBES` are asked.
    recordings : str or None
        A folder of recordings that the representability of sounds is tried on as well.
    """

    stages: tuple[str, ...] | None = None
    baselines: int = 3
    controls: bool = True
    seed: int = 0
    refine: bool = True
    low_hz: float = 60.0
    high_hz: float = 10_000.0
    per_octave: float = 24
    probes: tuple[str, ...] = tuple(PROBES)
    recordings: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("seed", self.seed), ("baselines", self.baselines)):
            if value < 0:
                raise InputError(f"{name} {value}: must not be negative")
        unknown = [name for name in self.probes if name not in PROBES]
        if unknown or not self.probes:
            asked = f"probe {unknown[0]!r}" if unknown else "probes: none asked for"
            raise InputError(f"{asked}; there are {', '.join(PROBES)}")


def played(settings: Settings) -> dict[str, StimulusSet]:
    """Return what a run plays for selectivity, by kind: partials, pitches, chords.

    What the other probes play depends on who listens: coherent tones on the window of their stages.
    """
    if "selectivity" not in settings.probes:
        return {}
    return {
        "partials": partials(settings.low_hz, settings.high_hz, per_octave=settings.per_octave),
        "pitches": pitches(midi=range(36, 97, 2), timbres=PITCH_TIMBRES),
        "chords": chords(range(48, 60), qualities=CHORD_QUALITIES, inversions=(0, 1, 2), timbre=CHORD_TIMBRE),
    }


def measures(
    encoder: Encoder,
    stages: tuple[str, ...] | None,
    stimuli: Mapping[str, StimulusSet],
    settings: Settings,
    where: Path,
    progress: Progress | None,
) -> dict[str, Callable[[], object]]:
    """Return what is asked of somebody: group of the result -> the call that measures and keeps it.

    Parameters
    ----------
    encoder : Encoder
    stages : tuple of str or None
    stimuli : mapping of str to StimulusSet
        As from `played`.
    settings : Settings
    where : Path
        The subject's group.
    progress : Progress or None
    """

    def playable(kind: str) -> StimulusSet:
        """Without the partials above Nyquist, and without the f0 that then lack a timbre or a quality."""
        kept = stimuli[kind].below_nyquist(encoder.sample_rate, above_nyquist="drop")
        f0 = kept.coordinates["f0_hz"]
        values, counts = np.unique(f0, return_counts=True)
        return kept[np.flatnonzero(np.isin(f0, values[counts == counts.max()]))]

    def tones() -> StimulusSet:
        return coherent_partials(
            encoder,
            stages,
            low_hz=settings.low_hz,
            high_hz=settings.high_hz,
            level_dbfs=ALIASING_LEVELS_DBFS,
        )

    def sounds() -> StimulusSet:
        return representability_signals(encoder.sample_rate, settings.recordings, settings.seed)

    seed = settings.seed
    asked: dict[str, Callable[[], xr.Dataset]] = {
        "pitch_tuning": lambda: pitch_tuning(encoder, playable("pitches"), stages, progress=progress),
        "chord_tuning": lambda: chord_tuning(encoder, playable("chords"), stages, progress=progress),
        "aliasing": lambda: aliasing(encoder, tones(), stages, seed=seed, progress=progress),
        "intermodulation": lambda: intermodulation(encoder, stages=stages, progress=progress),
        "invertibility": lambda: invertibility(encoder, stages, progress=progress),
        "representability": lambda: representability(encoder, sounds(), stages, seed=seed, progress=progress),
        "tiling": lambda: tiling(encoder, stages=stages, progress=progress),
        "compositionality": lambda: compositionality(encoder, stages, seed=seed, progress=progress),
        "codes": lambda: codes(encoder, seed=seed, progress=progress),
        "readout": lambda: readout(encoder, stages, seed=seed, progress=progress),
        "chord_composition": lambda: chord_composition(encoder, stages, seed=seed, progress=progress),
        "waveform_shape": lambda: waveform_shape(encoder, stages, seed=seed, progress=progress),
        "interventions": lambda: interventions(encoder, seed=seed, progress=progress),
    }
    if all(encoder.stages[s].has_power for s in stages or encoder.stages):
        del asked["codes"]
    if not isinstance(encoder, Decodes) or "latent" not in (stages or encoder.stages):
        del asked["interventions"]

    def kept(name: str) -> Callable[[], object]:
        return lambda: asked[name]().to_zarr(
            str(where / name), mode="w", zarr_format=ZARR_FORMAT, consolidated=False
        )

    def streamed() -> xr.Dataset:
        return selectivity(
            encoder,
            stimuli["partials"],
            stages,
            refine=settings.refine,
            out=where / "selectivity",
            progress=progress,
        )

    groups = [group for probe in PROBES if probe in settings.probes for group in PROBES[probe]]
    groups = [group for group in groups if group == "selectivity" or group in asked]
    return {group: streamed if group == "selectivity" else kept(group) for group in groups}
