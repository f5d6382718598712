"""What compositionality plays: components at several phases, alone and among others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...synth.chords import QUALITIES, chord_notes
from ...synth.errors import InputError
from ...synth.partials import amplitude_of, midi_to_hz
from ...synth.stimuli import COLUMNS, StimulusSet
from ..engine.grid import HIGHEST_SHARE, LOW_HZ, PHASES, USUAL_DBFS, USUAL_OTHERS, partial_grid

PITCHES_MIDI = tuple(range(48, 94, 5))  # fourths apart, so that no two are octaves or twelfths
HARMONICS = 4
ENVELOPE_DB = 6.0  # how far a harmonic's level strays from one context to the next, standard deviation
CHORD_ROOTS_MIDI, CHORD_QUALITIES, CHORD_HARMONICS = (52, 55, 58, 61), ("major", "minor", "sus4"), 2
POSITIONS = tuple((inversion, voicing) for voicing in ("close", "open") for inversion in (0, 1, 2))
BEYOND_OCTAVES = 0.5  # how far beyond the components the context reaches


@dataclass(frozen=True)
class Condition:
    """What one index is measured of: the kind of component, how many others sound, and at what level.

    Parameters
    ----------
    kind : {"partial", "pitch", "chord"}
    density : int >= 0
        Others beside it.
    level_dbfs : float
        Of every single component, RMS re a full-scale sine; a mixture is louder.
    """

    kind: str
    density: int
    level_dbfs: float

    @property
    def label(self) -> str:
        """What a result is selected by.

        Examples
        --------
        >>> Condition("partial", 4, -20.0).label, Condition("chord", 0, -20.0).label
        ('partial among 4 at -20 dBFS', 'chord alone at -20 dBFS')
        """
        return condition_label(self.kind, self.level_dbfs, self.density)


def condition_label(kind: str, level_dbfs: float, density: int | None = None) -> str:
    """Label what is played: a kind of component, how many others sound beside it, at what level."""
    among = "" if density is None else f" among {density:g}" if density else " alone"
    return f"{kind}{among} at {level_dbfs:g} dBFS"


@dataclass(frozen=True)
class Sound:
    """Partials that sound together: arrays [n]."""

    frequency_hz: np.ndarray
    amplitude: np.ndarray
    phase_rad: np.ndarray

    def amplified(self, by: float) -> Sound:
        """Return the sound with its amplitudes multiplied."""
        return Sound(self.frequency_hz, self.amplitude * by, self.phase_rad)


@dataclass(frozen=True)
class Ensemble:
    """Components of one kind, and their contexts.

    Parameters
    ----------
    kind : str
    frequency_hz : float [N]
        Frequencies, or fundamentals.
    labels : tuple of str [N]
    sounds : tuple over contexts of tuples over components of Sound
        The components as they are in each context: partials are the same in all, the envelope of a
        pitch and the position of a chord vary.
    context_sounds : tuple over contexts of tuple of Sound
        Others to draw a context from, the first `density` of them.
    phases : int
    rank : int
        Dimensions of a response plane: two for each partial.
    """

    kind: str
    frequency_hz: np.ndarray
    labels: tuple[str, ...]
    sounds: tuple[tuple[Sound, ...], ...]
    context_sounds: tuple[tuple[Sound, ...], ...]
    phases: int
    rank: int

    @property
    def isolated_once(self) -> bool:
        """Whether the components are the same in all contexts, so that they are played alone just once."""
        return self.kind == "partial"


def partial_ensemble(sample_rate: float, contexts: int = 6, most: int = 32, seed: int = 0) -> Ensemble:
    """Return 16 partials from 120 to 6000 Hz, evenly by ratio, and random partials beside them.

    The contexts of a few others begin those of many, whatever the `most` there are.

    Examples
    --------
    >>> ensemble = partial_ensemble(24_000)
    >>> len(ensemble.labels), len(ensemble.context_sounds), len(ensemble.context_sounds[0])
    (16, 6, 32)
    """
    frequency = partial_grid(sample_rate)
    reach = 2.0**BEYOND_OCTAVES
    ends = np.log([LOW_HZ / reach, min(frequency[-1] * reach, HIGHEST_SHARE * sample_rate)])
    context_sounds = tuple(
        tuple(_partial(np.exp(generator.uniform(*ends)), generator) for _ in range(most))
        for generator in (np.random.default_rng([seed, 1, context]) for context in range(contexts))
    )
    own = tuple(_sound([f], [1.0], [0.0]) for f in frequency)
    labels = tuple(f"{f:.0f} Hz" for f in frequency)
    return Ensemble("partial", frequency, labels, (own,) * contexts, context_sounds, PHASES, 2)


def pitch_ensemble(sample_rate: float, contexts: int = 6, most: int = 4, seed: int = 0) -> Ensemble:
    """Return ten pitches of four harmonics, in another envelope in every context, among others.

    The fundamentals are fourths apart (MIDI 48 to 93). Beside them: pitches at fractional notes in between.
    Each harmonic turns at a rate of its own, so that nine phases tell eight dimensions.
    """
    highest = HIGHEST_SHARE * sample_rate / HARMONICS
    midi = np.array([m for m in PITCHES_MIDI if midi_to_hz(m) < highest])
    if len(midi) < 3:
        raise InputError(f"sample rate {sample_rate:g} Hz: too low for pitches of {HARMONICS} harmonics")
    sounds, context_sounds = [], []
    for context in range(contexts):
        generator = np.random.default_rng([seed, 2, context])
        sounds.append(tuple(note(f, HARMONICS, generator) for f in midi_to_hz(midi)))
        others = (generator.uniform(midi[0], midi[-1]) for _ in range(most))
        context_sounds.append(tuple(note(float(midi_to_hz(m)), HARMONICS, generator) for m in others))
    labels = tuple(f"MIDI {m}" for m in midi)
    return Ensemble(
        "pitch",
        midi_to_hz(midi),
        labels,
        tuple(sounds),
        tuple(context_sounds),
        2 * HARMONICS + 1,
        2 * HARMONICS,
    )


def chord_ensemble(sample_rate: float, seed: int = 0) -> Ensemble:
    """Return twelve triads, whose contexts are three inversions in two voicings; no others.

    Every note has two harmonics.
    """
    highest = HIGHEST_SHARE * sample_rate / (4 * CHORD_HARMONICS)  # open voicings reach two octaves up
    roots = [m for m in CHORD_ROOTS_MIDI if midi_to_hz(m) < highest]
    if len(roots) < 2:
        raise InputError(f"sample rate {sample_rate:g} Hz: too low for chords")
    named = [(root, quality) for root in roots for quality in CHORD_QUALITIES]
    n_notes = len(QUALITIES[CHORD_QUALITIES[0]])
    sounds = tuple(
        tuple(
            together(
                [
                    note(float(midi_to_hz(m)), CHORD_HARMONICS)
                    for m in chord_notes(root, quality, inversion, voicing)
                ]
            )
            for root, quality in named
        )
        for inversion, voicing in POSITIONS
    )
    rank = 2 * n_notes * CHORD_HARMONICS
    frequency = midi_to_hz(np.array([root for root, _ in named]))
    labels = tuple(f"MIDI {root} {quality}" for root, quality in named)
    return Ensemble("chord", frequency, labels, sounds, ((),) * len(POSITIONS), rank + 1, rank)


def settling_sounds(sample_rate: float) -> StimulusSet:
    """Return what stages of unbounded receptive field are watched with, whatever else is to be played.

    The partials of `partial_ensemble` in its first context, among four others at -20 dBFS.
    """
    ensemble = partial_ensemble(sample_rate, contexts=1, most=USUAL_OTHERS)
    others = ensemble.context_sounds[0]
    return rendered([together([*others, sound]) for sound in ensemble.sounds[0]], USUAL_DBFS)


def rendered(sounds: Sequence[Sound], level_dbfs: float) -> StimulusSet:
    """Return sounds as stimuli, a relative amplitude of 1 being at `level_dbfs`."""
    n = np.array([len(sound.frequency_hz) for sound in sounds])
    size = int(n.sum())
    constant = {"onset_s": 0.0, "offset_s": np.inf, "ramp_s": 0.0}
    columns = {
        "frequency_hz": np.concatenate([sound.frequency_hz for sound in sounds]),
        "amplitude": np.concatenate([sound.amplitude for sound in sounds]) * float(amplitude_of(level_dbfs)),
        "phase_rad": np.concatenate([sound.phase_rad for sound in sounds]) % (2 * np.pi),
        **{name: np.full(size, value) for name, value in constant.items()},
    }
    return StimulusSet({name: columns[name] for name in COLUMNS}, np.concatenate([[0], np.cumsum(n)]), {})


def joined(sets: Sequence[StimulusSet]) -> StimulusSet:
    """Put sets without contexts or coordinates one after another."""
    first = np.cumsum([0, *(s.first[-1] for s in sets)])
    return StimulusSet(
        {name: np.concatenate([s.columns[name] for s in sets]) for name in COLUMNS},
        np.concatenate([[0], *(s.first[1:] + offset for s, offset in zip(sets, first, strict=False))]),
        {},
    )


def turned(sound: Sound, phases: int) -> list[Sound]:
    """Return a sound at `phases` phases; its j-th partial, from 1, turns j times as it goes round.

    Examples
    --------
    >>> [float(s.phase_rad[0]) / np.pi for s in turned(Sound(np.ones(1), np.ones(1), np.zeros(1)), 4)]
    [0.0, 0.5, 1.0, 1.5]
    """
    number = np.arange(1, len(sound.phase_rad) + 1)
    return [
        Sound(sound.frequency_hz, sound.amplitude, sound.phase_rad + 2 * np.pi * number * k / phases)
        for k in range(phases)
    ]


def together(sounds: Sequence[Sound]) -> Sound:
    """Return sounds as one."""
    return Sound(
        *(np.concatenate(parts) for parts in zip(*(s.__dict__.values() for s in sounds), strict=True))
    )


def _sound(frequency_hz: Sequence[float], amplitude: Sequence[float], phase_rad: Sequence[float]) -> Sound:
    return Sound(*(np.array(values, dtype=float) for values in (frequency_hz, amplitude, phase_rad)))


def _partial(frequency_hz: float, generator: np.random.Generator) -> Sound:
    return _sound([frequency_hz], [1.0], [generator.uniform(0, 2 * np.pi)])


def note(f0_hz: float, harmonics: int, generator: np.random.Generator | None = None) -> Sound:
    """Return a note at 0 dB: harmonics fall by 6 dB an octave, or stray from that at random phases."""
    number = np.arange(1, harmonics + 1)
    strays = np.zeros(harmonics) if generator is None else generator.normal(0, ENVELOPE_DB, harmonics)
    phase = np.zeros(harmonics) if generator is None else generator.uniform(0, 2 * np.pi, harmonics)
    amplitude = 10.0 ** (strays / 20.0) / number
    return Sound(number * f0_hz, amplitude / np.sqrt(np.square(amplitude).sum()), phase)
