"""What the four questions play: groups of components, each with contexts of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...synth.chords import chord_notes
from ...synth.errors import InputError
from ...synth.partials import midi_to_hz
from ..engine.grid import HIGH_HZ, HIGHEST_SHARE, LOW_HZ, USUAL_DBFS, USUAL_OTHERS
from .mixtures import (
    CHORD_HARMONICS,
    CHORD_QUALITIES,
    HARMONICS,
    POSITIONS,
    Condition,
    Sound,
    _note,
    _partial,
    together,
)

GROUPS, CONTEXTS = 8, 2
STEP_SEMITONES = 4.5  # between neighbouring partials
JITTER_SEMITONES = 0.5  # by which each strays from even steps
RAISED_SEMITONES = (0.5, 1.0, 2.0)
FAR_SEMITONES = 9.0  # from here on two components are far apart
PITCH_STEP, PITCHES, LOWEST_PITCH = 5.0, 10, 48.0  # fourths, so that no two are octaves or twelfths
CHORD_ROOTS = (52.0, 56.0, 60.0)
SPARE_PHASES = 2  # drawn phases more than a plane has dimensions, so that each is found
BEYOND_OCTAVES = 0.5  # how far beyond the components their contexts reach
USUAL = Condition("partial", USUAL_OTHERS, USUAL_DBFS)
MAIN = (USUAL, Condition("pitch", USUAL_OTHERS, USUAL_DBFS), Condition("chord", 0, USUAL_DBFS))  # one a kind
SWEPT = (
    USUAL,
    *(Condition("partial", others, USUAL_DBFS) for others in (1, 32)),  # all others together as loud as four
    Condition("partial", USUAL_OTHERS, -35.0),
    *MAIN[1:],
)


@dataclass(frozen=True)
class Draw:
    """One group: components, the sounds they are in each context, and the contexts.

    Parameters
    ----------
    frequency_hz : float [N]
        Frequencies, or fundamental frequencies, rising for partials and pitches.
    labels : tuple of str [N]
        The same in all groups.
    turns : float [K, H]
        Phases, rad, at which a component of H partials is played: its plane is found from all but the last.
    components : tuple over contexts of tuples over components of Sound
        Partials are the same in all contexts, the envelope of a pitch and the position of a chord vary.
    raised : tuple over `RAISED_SEMITONES` of tuples over components of Sound
        Every second component, a little higher; none of pitches and chords.
    others : tuple over contexts of Sound or None
        What sounds beside.
    """

    frequency_hz: np.ndarray
    labels: tuple[str, ...]
    turns: np.ndarray
    components: tuple[tuple[Sound, ...], ...]
    raised: tuple[tuple[Sound, ...], ...]
    others: tuple[Sound | None, ...]

    @property
    def semitones(self) -> np.ndarray:
        """How far apart every two components are, [N, N]."""
        return 12 * np.abs(np.log2(self.frequency_hz[:, None] / self.frequency_hz))

    def turned(self, sound: Sound, phases: int | None = None) -> list[Sound]:
        """Return a component at the first of its phases, by default at all."""
        turns = self.turns[:phases]
        return [Sound(sound.frequency_hz, sound.amplitude, sound.phase_rad + turn) for turn in turns]


def draw(condition: Condition, group: int, sample_rate: float, seed: int) -> Draw:
    """Draw the components and contexts of a group.

    The components are those of all conditions of the group, and the contexts of a few others begin those of
    many; all others together are as loud as four at the condition's level.

    Raises
    ------
    InputError
        If the kind is not known, the density negative, or the sample rate too low.

    Examples
    --------
    >>> one = draw(USUAL, group=0, sample_rate=24_000, seed=0)
    >>> len(one.frequency_hz), len(one.components), one.turns.shape, len(one.raised[0])
    (16, 2, (5, 1), 8)
    >>> round(float((one.others[0].amplitude ** 2).sum()), 6)
    4.0
    """
    if condition.kind not in KINDS or not condition.density >= 0:
        raise InputError(f"condition {condition}: must be of kind {', '.join(KINDS)}, among 0 others or more")
    number = list(KINDS).index(condition.kind)
    made = KINDS[condition.kind](sample_rate, np.random.default_rng([seed, 31, number, group]))
    contexts = range(CONTEXTS)
    several = [np.random.default_rng([seed, 32, number, group, context]) for context in contexts]
    others = tuple(_others(made, condition.density, generator) for generator in several)
    return Draw(*made[:-1], others)


Made = tuple[
    np.ndarray, tuple[str, ...], np.ndarray, tuple[tuple[Sound, ...], ...], tuple[tuple[Sound, ...], ...],
    Callable[[np.random.Generator], Sound],
]  # fmt: skip


def _others(made: Made, density: int, generator: np.random.Generator) -> Sound | None:
    """Return so many others as one sound, or none."""
    if not density:
        return None
    several = together([made[-1](generator) for _ in range(density)])
    return Sound(
        several.frequency_hz, several.amplitude * np.sqrt(USUAL_OTHERS / density), several.phase_rad
    )


def component_frequencies(sample_rate: float, generator: np.random.Generator) -> np.ndarray:
    """Draw partials 4.5 semitones apart from about 120 to 6000 Hz, fewer at low sample rates: 16 at most.

    Together they lie anywhere within a step; each strays from there by up to half a semitone.
    """
    reach = STEP_SEMITONES / 2 + JITTER_SEMITONES + RAISED_SEMITONES[-1]  # how far above its place one may lie
    top = min(HIGH_HZ, HIGHEST_SHARE * sample_rate * 2 ** (-reach / 12))
    count = int(12 * np.log2(top / LOW_HZ) / STEP_SEMITONES + 1e-9) + 1
    if count < 4:
        raise InputError(f"sample rate {sample_rate:g} Hz: too low for partials {STEP_SEMITONES:g} semitones apart")
    place = generator.uniform(-0.5, 0.5) * STEP_SEMITONES + STEP_SEMITONES * np.arange(count)
    place += generator.uniform(-JITTER_SEMITONES, JITTER_SEMITONES, count)
    middle = 12 * np.log2(top / LOW_HZ) / 2 - STEP_SEMITONES * (count - 1) / 2
    return LOW_HZ * 2 ** ((place + middle) / 12)


def _partials(sample_rate: float, generator: np.random.Generator) -> Made:
    frequency = component_frequencies(sample_rate, generator)
    sounds = tuple(Sound(np.array([f]), np.ones(1), np.zeros(1)) for f in frequency)
    raised = tuple(
        tuple(Sound(s.frequency_hz * 2 ** (semitones / 12), s.amplitude, s.phase_rad) for s in sounds[::2])
        for semitones in RAISED_SEMITONES
    )
    turns = np.array([0.0, 0.5, 1.0, 1.5, generator.uniform(0, 2)])[:, None] * np.pi
    reach = 2.0**BEYOND_OCTAVES
    span = np.log([LOW_HZ / reach, min(HIGH_HZ * reach, HIGHEST_SHARE * sample_rate)])
    labels = tuple(f"partial {i + 1}" for i in range(len(frequency)))

    def other(generator: np.random.Generator) -> Sound:
        return _partial(float(np.exp(generator.uniform(*span))), generator)

    return frequency, labels, turns, (sounds,) * CONTEXTS, raised, other


def _pitches(sample_rate: float, generator: np.random.Generator) -> Made:
    highest = HIGHEST_SHARE * sample_rate / HARMONICS
    midi = LOWEST_PITCH + generator.uniform(-0.5, 0.5) * PITCH_STEP + PITCH_STEP * np.arange(PITCHES)
    midi = midi[midi_to_hz(midi) < highest]
    if len(midi) < 3:
        raise InputError(f"sample rate {sample_rate:g} Hz: too low for pitches of {HARMONICS} harmonics")
    f0 = midi_to_hz(midi)
    sounds = tuple(tuple(_note(f, HARMONICS, generator) for f in f0) for _ in range(CONTEXTS))

    def other(generator: np.random.Generator) -> Sound:
        return _note(float(midi_to_hz(generator.uniform(midi[0], midi[-1]))), HARMONICS, generator)

    labels = tuple(f"pitch {i + 1}" for i in range(len(midi)))
    return f0, labels, _drawn_turns(HARMONICS, generator), sounds, (), other


def _chords(sample_rate: float, generator: np.random.Generator) -> Made:
    highest = HIGHEST_SHARE * sample_rate / (4 * CHORD_HARMONICS)  # open voicings reach two octaves up
    moved = np.array(CHORD_ROOTS) + generator.uniform(-1.5, 1.5)
    roots = [float(m) for m in moved if midi_to_hz(m) < highest]
    if len(roots) < 2:
        raise InputError(f"sample rate {sample_rate:g} Hz: too low for chords")
    named = [(root, quality) for root in roots for quality in CHORD_QUALITIES]
    sounds = []
    for _ in range(CONTEXTS):
        places = generator.integers(len(POSITIONS), size=len(named))
        sounds.append(tuple(_chord(root, quality, *POSITIONS[p]) for (root, quality), p in zip(named, places, strict=True)))

    def other(generator: np.random.Generator) -> Sound:
        return _note(float(midi_to_hz(generator.uniform(roots[0], roots[-1] + 12))), CHORD_HARMONICS)

    labels = tuple(f"root {roots.index(root) + 1} {quality}" for root, quality in named)
    notes = len(chord_notes(60, CHORD_QUALITIES[0]))
    turns = _drawn_turns(notes * CHORD_HARMONICS, generator)
    return midi_to_hz(np.array([root for root, _ in named])), labels, turns, tuple(sounds), (), other


def _chord(root: float, quality: str, inversion: int, voicing: str) -> Sound:
    notes = chord_notes(root, quality, inversion, voicing)
    sound = together([_note(float(midi_to_hz(m)), CHORD_HARMONICS) for m in notes])
    return Sound(sound.frequency_hz, sound.amplitude / np.sqrt(len(notes)), sound.phase_rad)


def _drawn_turns(partials: int, generator: np.random.Generator) -> np.ndarray:
    """Draw phases, rad, of every partial by itself: enough to tell its plane of two dimensions a partial."""
    return generator.uniform(0, 2 * np.pi, (2 * partials + SPARE_PHASES + 1, partials))


KINDS: dict[str, Callable[[float, np.random.Generator], Made]] = {
    "partial": _partials,
    "pitch": _pitches,
    "chord": _chords,
}
