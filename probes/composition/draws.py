"""What the four questions play: groups of components, each with contexts of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...synth.chords import chord_notes
from ...synth.errors import InputError
from ...synth.partials import midi_to_hz
from ..engine.grid import HIGH_HZ, HIGHEST_SHARE, LOW_HZ, USUAL_DBFS, USUAL_OTHERS
from .mixtures import CHORD_HARMONICS, CHORD_QUALITIES, HARMONICS, POSITIONS, Condition, Sound, note, together

GROUPS, CONTEXTS = 8, 2
STEP_SEMITONES = 4.5  # between neighbouring partials
JITTER_SEMITONES = 0.5  # by which each strays from even steps
RAISED_SEMITONES = (0.5, 1.0, 2.0)
FAR_SEMITONES = 9.0  # from here on two components are far apart
PITCH_STEP, PITCHES, LOWEST_PITCH = 5.0, 10, 48.0  # fourths, so that no two are octaves or twelfths
CHORD_ROOTS, ROOTS_STRAY = np.array([52.0, 57.0, 62.0]), 1.5
SPARE_PHASES = 3  # of drawn phases: more than a plane has dimensions, so that each is found
BEYOND_OCTAVES = 0.5  # how far beyond the components their contexts reach
USUAL = Condition("partial", USUAL_OTHERS, USUAL_DBFS)
MAIN = (USUAL, Condition("pitch", USUAL_OTHERS, USUAL_DBFS), Condition("chord", 2, USUAL_DBFS))  # one a kind
SWEPT = (
    USUAL,
    *(Condition("partial", others, USUAL_DBFS) for others in (1, 32)),
    Condition("partial", USUAL_OTHERS, -35.0),
    *MAIN[1:],
)


@dataclass(frozen=True)
class Components:
    """The components of one group, and what may sound beside them.

    Parameters
    ----------
    frequency_hz : float [N]
        Frequencies, or fundamental frequencies, rising for partials and pitches.
    labels : tuple of str [N]
        The same in all groups.
    turns : float [K, H]
        Phases, rad, at which a component of H partials is played: its plane is found from all but the last.
    one : callable
        (number, generator) -> Sound: the component, its phases, envelope or position drawn anew.
    other : callable
        generator -> Sound: something of the kind at any frequency.
    """

    frequency_hz: np.ndarray
    labels: tuple[str, ...]
    turns: np.ndarray
    one: Callable[[int, np.random.Generator], Sound]
    other: Callable[[np.random.Generator], Sound]

    @property
    def semitones(self) -> np.ndarray:
        """How far apart every two components are, [N, N]."""
        return 12 * np.abs(np.log2(self.frequency_hz[:, None] / self.frequency_hz))

    @property
    def neighbours(self) -> np.ndarray:
        """Which components are next to each other, bool [N, N]; none of chords, which are in no order."""
        number = np.arange(len(self.labels))
        rising = (np.diff(self.frequency_hz) > 0).all()
        return (np.abs(number[:, None] - number) == 1) & rising

    def turned(self, sound: Sound, phases: int | None = None) -> list[Sound]:
        """Return a component at the first of its phases, by default at all."""
        return [
            Sound(sound.frequency_hz, sound.amplitude, sound.phase_rad + turn) for turn in self.turns[:phases]
        ]


@dataclass(frozen=True)
class Draw:
    """One group: the sounds that its components are in each context, and the contexts.

    Parameters
    ----------
    of : Components
    sounds : tuple over contexts of tuples over components of Sound
    raised : tuple over `RAISED_SEMITONES` of tuples of Sound
        Every second partial as in the last context, a little higher; none of pitches and chords.
    others : tuple over contexts of Sound or None
        What sounds beside.
    """

    of: Components
    sounds: tuple[tuple[Sound, ...], ...]
    raised: tuple[tuple[Sound, ...], ...]
    others: tuple[Sound | None, ...]


def draw(condition: Condition, group: int, sample_rate: float, seed: int, raised: bool = True) -> Draw:
    """Draw the components and contexts of a group.

    All conditions of a kind have the same components, and the contexts of a few others begin those of many.
    All others together are as loud as four at the condition's level. Partials a little higher are left out
    where `raised` is False.

    Raises
    ------
    InputError
        If the kind is not known, the density negative, or the sample rate too low.

    Examples
    --------
    >>> one = draw(USUAL, group=0, sample_rate=24_000, seed=0)
    >>> len(one.of.labels), len(one.sounds), one.of.turns.shape, len(one.raised[0])
    (16, 2, (5, 1), 8)
    >>> round(float((one.others[0].amplitude ** 2).sum()), 6)
    4.0
    """
    of = components_of(condition.kind, group, sample_rate, seed)
    if condition.density < 0:
        raise InputError(f"condition {condition}: must be among 0 others or more")
    sounds, others = [], []
    for context in range(CONTEXTS):
        generator = np.random.default_rng([seed, 32, kind_number(condition.kind), group, context])
        sounds.append(tuple(of.one(i, generator) for i in range(len(of.labels))))
        others.append(_others(of, condition.density, generator))
    several = tuple(
        tuple(Sound(s.frequency_hz * 2 ** (up / 12), s.amplitude, s.phase_rad) for s in sounds[-1][::2])
        for up in (RAISED_SEMITONES if raised and condition.kind == "partial" else ())
    )
    return Draw(of, tuple(sounds), several, tuple(others))


def components_of(kind: str, group: int, sample_rate: float, seed: int) -> Components:
    """Draw the components of a group.

    Raises
    ------
    InputError
        If the kind is not known, or the sample rate too low.
    """
    number = kind_number(kind)
    return KINDS[kind](sample_rate, np.random.default_rng([seed, 31, number, group]))


def kind_number(kind: str) -> int:
    """Return a number that seeds what is drawn of a kind, or raise naming the kinds there are."""
    if kind not in KINDS:
        raise InputError(f"component kind {kind!r}: must be {', '.join(KINDS)}")
    return list(KINDS).index(kind)


def _others(of: Components, density: int, generator: np.random.Generator) -> Sound | None:
    """Return so many others as one sound, or none."""
    if not density:
        return None
    several = together([of.other(generator) for _ in range(density)])
    return several.amplified(np.sqrt(USUAL_OTHERS / density))


def _partials(sample_rate: float, generator: np.random.Generator) -> Components:
    """16 partials 4.5 semitones apart from about 120 to 6000 Hz, fewer at low sample rates.

    Together they lie anywhere within a step; each strays from there by up to half a semitone.
    """
    reach = (
        STEP_SEMITONES / 2 + JITTER_SEMITONES + RAISED_SEMITONES[-1]
    )  # how far above its place one may lie
    span = 12 * np.log2(min(HIGH_HZ, HIGHEST_SHARE * sample_rate * 2 ** (-reach / 12)) / LOW_HZ)
    count = int(span / STEP_SEMITONES + 1e-9) + 1
    if count < 4:
        raise InputError(
            f"sample rate {sample_rate:g} Hz: too low for partials {STEP_SEMITONES:g} semitones apart"
        )
    place = STEP_SEMITONES * (np.arange(count) + generator.uniform(-0.5, 0.5))
    place += (
        generator.uniform(-JITTER_SEMITONES, JITTER_SEMITONES, count)
        + (span - STEP_SEMITONES * (count - 1)) / 2
    )
    frequency = LOW_HZ * 2 ** (place / 12)
    turns = np.array([0.0, 0.5, 1.0, 1.5, generator.uniform(0, 2)])[:, None] * np.pi
    beyond = 2.0**BEYOND_OCTAVES
    most = np.log([LOW_HZ / beyond, min(HIGH_HZ * beyond, HIGHEST_SHARE * sample_rate)])

    def one(i: int, generator: np.random.Generator) -> Sound:
        return note(frequency[i], 1, generator)

    def other(generator: np.random.Generator) -> Sound:
        return note(float(np.exp(generator.uniform(*most))), 1, generator)

    return Components(frequency, tuple(f"partial {i + 1}" for i in range(count)), turns, one, other)


def _pitches(sample_rate: float, generator: np.random.Generator) -> Components:
    """Ten pitches of four harmonics, fourths apart, and pitches at fractional notes in between."""
    midi = LOWEST_PITCH + PITCH_STEP * np.arange(PITCHES)
    midi = midi[midi_to_hz(midi + PITCH_STEP / 2) < HIGHEST_SHARE * sample_rate / HARMONICS]
    midi = midi + PITCH_STEP * generator.uniform(-0.5, 0.5)
    if len(midi) < 3:
        raise InputError(f"sample rate {sample_rate:g} Hz: too low for pitches of {HARMONICS} harmonics")

    def one(i: int, generator: np.random.Generator) -> Sound:
        return note(float(midi_to_hz(midi[i])), HARMONICS, generator)

    def other(generator: np.random.Generator) -> Sound:
        return note(float(midi_to_hz(generator.uniform(midi[0], midi[-1]))), HARMONICS, generator)

    labels = tuple(f"pitch {i + 1}" for i in range(len(midi)))
    return Components(midi_to_hz(midi), labels, _drawn_turns(HARMONICS, generator), one, other)


def _chords(sample_rate: float, generator: np.random.Generator) -> Components:
    """Nine triads of notes of two harmonics, in any inversion and voicing, and single notes beside them."""
    roots = CHORD_ROOTS + generator.uniform(-ROOTS_STRAY, ROOTS_STRAY)
    roots = roots[
        midi_to_hz(roots) < HIGHEST_SHARE * sample_rate / (4 * CHORD_HARMONICS)
    ]  # open: two octaves up
    if len(roots) < 2:
        raise InputError(f"sample rate {sample_rate:g} Hz: too low for chords")
    named = [(float(root), quality) for root in roots for quality in CHORD_QUALITIES]

    def one(i: int, generator: np.random.Generator) -> Sound:
        notes = chord_notes(*named[i], *POSITIONS[generator.integers(len(POSITIONS))])
        sounds = [note(float(midi_to_hz(m)), CHORD_HARMONICS, generator) for m in notes]
        return together(sounds).amplified(1 / np.sqrt(len(notes)))

    def other(generator: np.random.Generator) -> Sound:
        return note(
            float(midi_to_hz(generator.uniform(roots[0], roots[-1] + 12))), CHORD_HARMONICS, generator
        )

    partials = len(chord_notes(60, CHORD_QUALITIES[0])) * CHORD_HARMONICS
    labels = tuple(f"root {i + 1} {quality}" for i in range(len(roots)) for quality in CHORD_QUALITIES)
    frequency = midi_to_hz(np.array([root for root, _ in named]))
    return Components(frequency, labels, _drawn_turns(partials, generator), one, other)


def _drawn_turns(partials: int, generator: np.random.Generator) -> np.ndarray:
    """Draw phases, rad, of every partial by itself: enough to tell its plane of two dimensions a partial."""
    return generator.uniform(0, 2 * np.pi, (2 * partials + SPARE_PHASES, partials))


KINDS: dict[str, Callable[[float, np.random.Generator], Components]] = {
    "partial": _partials,
    "pitch": _pitches,
    "chord": _chords,
}
