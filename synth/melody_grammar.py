"""Melodies made up by a small grammar: scale and register, rhythm by beats, contour, repetition, rests.

They are not music anyone wrote; they add variety where collections of melodies that may be used are
few. Nothing in them is learnt from data: every probability stands in this file and is ours.
"""

from __future__ import annotations

import numpy as np

from .melodies import (
    BLOCK,
    FIRST_NOTE,
    LOWEST_MIDI,
    NOTE_OFF,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    from_notes,
    in_blocks,
    notes,
    whole_number,
)

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "chromatic": tuple(range(12)),
}
SCALE_WEIGHTS = (0.3, 0.15, 0.08, 0.12, 0.15, 0.08, 0.07, 0.05)
TONICS_MIDI = (43, 76)  # lowest and highest
LOWEST_DEGREE, HIGHEST_DEGREE = -7, 11  # scale steps from the tonic

# Onsets within a beat of four sixteenths, from still to busy.
CELLS = np.array(
    [
        [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0], [1, 0, 0, 1],
        [1, 1, 0, 0], [1, 0, 1, 1], [1, 1, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1],
    ],
    bool,
)  # fmt: skip
CELL_WEIGHTS = np.array([0.14, 0.24, 0.05, 0.24, 0.09, 0.03, 0.07, 0.06, 0.01, 0.07])
MOTIONS = np.array([0, -1, 1, -2, 2, -3, 3, -4, 4, -7, 7])  # scale steps from note to note
MOTION_WEIGHTS = np.array([0.13, 0.28, 0.26, 0.09, 0.09, 0.035, 0.04, 0.02, 0.025, 0.015, 0.015])
NEW, RHYTHM, EXACT, SEQUENCE, ENDING = range(5)  # what a bar takes from an earlier one
FORM_WEIGHTS = (0.35, 0.25, 0.12, 0.16, 0.12)


def generated_melodies(count: int, bars: int = 2, seed: int = 0) -> np.ndarray:
    """Make up melodies by a grammar.

    Each has a scale of `SCALES` on a tonic of its own, one to three rhythmic cells it is fond of, more
    or fewer leaps, a contour (arch, valley, rise, fall or none) that its notes are drawn to, chord notes
    on strong beats more often than elsewhere, shortened notes and rests. From the second bar on a bar
    is new or takes an earlier one's rhythm, all its notes, all of them some scale steps higher or lower,
    or those of its first half; shortened notes and rests fall anew.

    Parameters
    ----------
    count : int >= 0
    bars : int >= 1
    seed : int >= 0
        The same seed gives the same rolls; a larger `count` begins with those of a smaller one.

    Returns
    -------
    rolls : uint8 [count, 16 * bars]
        Every roll holds a note; notes are in MIDI 26 to 103.

    Raises
    ------
    InputError
        If an argument is not such a number.

    Examples
    --------
    >>> generated_melodies(3).shape, bool((generated_melodies(300)[:3] == generated_melodies(3)).all())
    ((3, 32), True)
    """
    bars = whole_number("bars", bars, 1)
    steps = STEPS_PER_BAR * bars
    return in_blocks(lambda generator: _block(bars, generator), count, seed, (steps,), np.uint8)


def _block(bars: int, generator: np.random.Generator) -> np.ndarray:
    """One block of melodies: uint8 [BLOCK, 16 * bars]."""
    form = generator.choice(len(FORM_WEIGHTS), (BLOCK, bars), p=FORM_WEIGHTS)
    form[:, 0] = NEW
    model = np.maximum(np.arange(bars) - 2 ** generator.integers(0, 4, (BLOCK, bars)), 0)  # bar taken from
    onsets = _rhythm(form, model, generator)  # [BLOCK, bars, 16]
    degrees = _pitches(onsets, form, model, generator)  # [BLOCK, bars, 16]
    scale = generator.choice(len(SCALES), BLOCK, p=SCALE_WEIGHTS)
    tonic = generator.integers(*TONICS_MIDI, BLOCK, endpoint=True)
    midi = tonic[:, None, None] + _semitones(degrees, scale[:, None, None])
    classes = np.where(onsets, midi - LOWEST_MIDI + FIRST_NOTE, 0)
    rolls = _with_rests(classes.reshape(BLOCK, -1), generator)
    return from_notes(notes(rolls), rolls.shape[1])


def _rhythm(form: np.ndarray, model: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Onsets: bool [BLOCK, bars, 16]."""
    bars = form.shape[1]
    fond = generator.dirichlet(2.5 * CELL_WEIGHTS / CELL_WEIGHTS.sum() * 4, BLOCK)  # [BLOCK, cells]
    drawn = generator.random((BLOCK, bars, 4, 1))
    cells = (drawn > np.cumsum(fond, axis=1)[:, None, None, :-1]).sum(axis=-1)  # [BLOCK, bars, 4]
    onsets = CELLS[cells].reshape(BLOCK, bars, STEPS_PER_BAR)
    rows = np.arange(BLOCK)
    for bar in range(1, bars):
        taken = onsets[rows, model[:, bar]].copy()
        half = taken.copy()
        half[:, STEPS_PER_BAR // 2 :] = onsets[:, bar, STEPS_PER_BAR // 2 :]
        of = form[:, bar, None]
        onsets[:, bar] = np.where(of == NEW, onsets[:, bar], np.where(of == ENDING, half, taken))
    onsets[~onsets.any(axis=(1, 2)), 0, 0] = True
    return onsets


def _pitches(
    onsets: np.ndarray, form: np.ndarray, model: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Scale degrees of the notes, 0 the tonic: int [BLOCK, bars, 16], of no meaning between onsets."""
    bars = onsets.shape[1]
    drawn = generator.random((BLOCK, bars, STEPS_PER_BAR))
    calm = generator.uniform(0.5, 2.5, (BLOCK, 1))
    weights = MOTION_WEIGHTS**calm  # [BLOCK, motions]: calm melodies leap less
    edges = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)[:, :-1]
    contour = _contour(bars * STEPS_PER_BAR, generator).reshape(BLOCK, bars, STEPS_PER_BAR)
    pull = generator.uniform(0, 0.4, BLOCK)
    chordal = generator.uniform(0, 0.7, BLOCK)
    to_chord = generator.random((BLOCK, bars, STEPS_PER_BAR))
    shift = generator.choice([-2, -1, 1, 2], (BLOCK, bars))
    degrees = np.empty((BLOCK, bars, STEPS_PER_BAR), np.int64)
    now = np.round(contour[:, 0, 0]).astype(np.int64)
    rows = np.arange(BLOCK)
    for bar in range(bars):
        taken = degrees[rows, model[:, bar]] if bar else degrees[:, 0]
        for step in range(STEPS_PER_BAR):
            motion = MOTIONS[(drawn[:, bar, step, None] > edges).sum(axis=1)]
            to = now + motion + np.round(pull * (contour[:, bar, step] - now)).astype(np.int64)
            if step % STEPS_PER_QUARTER == 0:
                to = np.where(to_chord[:, bar, step] < chordal, to // 2 * 2, to)
            copied = (form[:, bar] == EXACT) | (form[:, bar] == SEQUENCE)
            copied |= (form[:, bar] == ENDING) & (step < STEPS_PER_BAR // 2)
            moved = taken[:, step] + np.where(form[:, bar] == SEQUENCE, shift[:, bar], 0)
            to = np.clip(np.where(copied, moved, to), LOWEST_DEGREE, HIGHEST_DEGREE)
            now = np.where(onsets[:, bar, step], to, now)
            degrees[:, bar, step] = now
    return degrees


def _contour(steps: int, generator: np.random.Generator) -> np.ndarray:
    """Degree that notes are drawn to at each step: float [BLOCK, steps]."""
    time = np.linspace(0, 1, steps)
    arch = 1 - 4 * (time - 0.5) ** 2
    shapes = np.stack([arch, 1 - arch, time, 1 - time, np.zeros(steps)])
    shape = shapes[generator.integers(0, len(shapes), BLOCK)]
    height = generator.uniform(2, 10, (BLOCK, 1))
    return generator.integers(-3, 6, (BLOCK, 1)) + height * (shape - 0.5)


def _semitones(degrees: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Semitones above the tonic of scale degrees, scales by their place in `SCALES`."""
    lengths = np.array([len(notes) for notes in SCALES.values()])
    table = np.array([tones + (0,) * (12 - len(tones)) for tones in SCALES.values()])
    octave, place = np.divmod(degrees, lengths[scale])
    return 12 * octave + table[scale, place]


def _with_rests(classes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Shorten some notes to a half or less, and silence others: uint8 [BLOCK, steps]."""
    rolls = classes.astype(np.uint8)
    steps = rolls.shape[1]
    shortened = generator.beta(0.5, 3, (BLOCK, 1))  # how often, per melody: mostly seldom
    silent = generator.beta(0.5, 8, (BLOCK, 1))
    rolls[(rolls > 0) & (generator.random(rolls.shape) < silent)] = NOTE_OFF
    cut = (rolls >= FIRST_NOTE) & (generator.random(rolls.shape) < shortened)
    length = generator.integers(1, STEPS_PER_QUARTER, rolls.shape, endpoint=True)
    rows, begins = np.nonzero(cut)
    ends = begins + length[rows, begins]
    inside = ends < steps
    rows, ends = rows[inside], ends[inside]
    free = rolls[rows, ends] == 0
    rolls[rows[free], ends[free]] = NOTE_OFF
    mute = ~(rolls >= FIRST_NOTE).any(axis=1)
    rolls[mute] = classes[mute]
    return rolls
