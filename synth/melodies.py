"""Melodies as rolls: one integer class per sixteenth, in the vocabulary of Magenta's melody models.

Class 0 sustains (or goes on resting), 1 ends the note, 2 to 89 begin a note of MIDI 21 to 108. A note
lasts until the next class that is not 0, or the roll's end; zeros before the first note are a rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .errors import InputError

NO_EVENT, NOTE_OFF, FIRST_NOTE = 0, 1, 2
LOWEST_MIDI, HIGHEST_MIDI = 21, 108
CLASSES = FIRST_NOTE + HIGHEST_MIDI - LOWEST_MIDI + 1
STEPS_PER_QUARTER = 4
STEPS_PER_BAR = 16
LONGEST_STEPS = 8
REST_PROBABILITY = 0.2
_CLASS_TO_MIDI = LOWEST_MIDI - FIRST_NOTE
BLOCK = 256  # rows drawn from one generator, so that a larger draw begins with the smaller one


@dataclass(frozen=True)
class Notes:
    """The notes of several rolls, one after the other; those of roll i are ``offsets[i]:offsets[i + 1]``.

    Parameters
    ----------
    onsets, durations : int64 [n_notes]
        In sixteenths, onsets from the start of the note's own roll.
    midi : int64 [n_notes]
        MIDI note numbers.
    offsets : int64 [n_rolls + 1]
        Where each roll's notes begin; the last is n_notes.
    """

    onsets: np.ndarray
    durations: np.ndarray
    midi: np.ndarray
    offsets: np.ndarray


def checked_rolls(rolls) -> np.ndarray:
    """Check that rolls are rolls, and give them as uint8.

    Parameters
    ----------
    rolls : integers [N, T]
        N melodies of T sixteenths, T at least 1.

    Returns
    -------
    rolls : uint8 [N, T]

    Raises
    ------
    InputError
        If the shape or the type is another, or a class is not in 0 to 89.

    Examples
    --------
    >>> checked_rolls([[41, 0, 43, 1]])
    array([[41,  0, 43,  1]], dtype=uint8)
    """
    try:
        array = np.asarray(rolls)
    except ValueError:
        raise InputError("rolls: rows of unequal length; must be integers [melodies, sixteenths]") from None
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(f"rolls of shape {array.shape}: must be [melodies, sixteenths]")
    if array.dtype.kind not in "ui":
        raise InputError(f"rolls of type {array.dtype}: must be integer classes 0 to {CLASSES - 1}")
    if array.size and not (array.min() >= 0 and array.max() < CLASSES):
        row, step = np.argwhere((array < 0) | (array >= CLASSES))[0]
        raise InputError(
            f"roll {row}, step {step}: class {array[row, step]} is not one of 0 to {CLASSES - 1}"
        )
    return array.astype(np.uint8, copy=False)


def notes(rolls) -> Notes:
    """Read the notes of rolls.

    Parameters
    ----------
    rolls : integers [N, T]

    Returns
    -------
    notes : Notes
        In order of onset within each roll.

    Raises
    ------
    InputError
        If `rolls` are not rolls.

    Examples
    --------
    >>> played = notes([[41, 0, 43, 1], [0, 0, 0, 0], [0, 45, 0, 0]])
    >>> played.onsets, played.durations, played.midi, played.offsets
    (array([0, 2, 1]), array([2, 1, 3]), array([60, 62, 64]), array([0, 2, 2, 3]))
    """
    rolls = checked_rolls(rolls)
    rows, steps = np.nonzero(rolls)
    ends = np.full(len(rows), rolls.shape[1])
    ends[:-1] = np.where(rows[1:] == rows[:-1], steps[1:], rolls.shape[1])
    classes = rolls[rows, steps]
    begins = classes >= FIRST_NOTE
    counts = np.bincount(rows[begins], minlength=len(rolls))
    return Notes(
        onsets=steps[begins],
        durations=(ends - steps)[begins],
        midi=classes[begins].astype(np.int64) + _CLASS_TO_MIDI,
        offsets=np.concatenate([[0], np.cumsum(counts)]),
    )


def from_notes(played: Notes, steps: int) -> np.ndarray:
    """Write notes as rolls: the inverse of `notes`.

    A NOTE_OFF is written where a note ends, unless another begins there or the roll is over; rolls
    written that way come back the same, others (a NOTE_OFF during a rest) with the needless left out.

    Parameters
    ----------
    played : Notes
        Within a roll, each onset is at or after the end of the note before.
    steps : int >= 1
        Length of every roll in sixteenths.

    Returns
    -------
    rolls : uint8 [N, steps]

    Raises
    ------
    InputError
        If a note is outside MIDI 21 to 108 or outside the roll, lasts less than one step, or begins
        before the one before it ends.

    Examples
    --------
    >>> from_notes(notes([[41, 0, 43, 1], [0, 45, 0, 0]]), 4)
    array([[41,  0, 43,  1],
           [ 0, 45,  0,  0]], dtype=uint8)
    """
    onsets, durations, midi, offsets = (
        np.asarray(values, np.int64)
        for values in (played.onsets, played.durations, played.midi, played.offsets)
    )
    if not (steps == int(steps) and steps >= 1):
        raise InputError(f"rolls of {steps} steps: must have at least 1, in whole steps")
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    ends = onsets + durations
    overlapping = np.zeros(len(onsets), bool)
    overlapping[1:] = (rows[1:] == rows[:-1]) & (onsets[1:] < ends[:-1])
    for wrong, allowed in (
        ((midi < LOWEST_MIDI) | (midi > HIGHEST_MIDI), f"must be in MIDI {LOWEST_MIDI} to {HIGHEST_MIDI}"),
        (durations < 1, "must last at least one step"),
        ((onsets < 0) | (ends > steps), f"must lie within {steps} steps"),
        (overlapping, "must not begin before the note before it ends"),
    ):
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            named = f"MIDI {midi[i]}, steps {onsets[i]} to {ends[i]}"
            raise InputError(f"note {i - offsets[rows[i]]} of roll {rows[i]} ({named}): {allowed}")
    rolls = np.zeros((len(offsets) - 1, steps + 1), np.uint8)
    rolls[rows, ends] = NOTE_OFF
    rolls[rows, onsets] = midi - _CLASS_TO_MIDI
    return rolls[:, :steps].copy()


def pitch_range(rolls) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest MIDI note of each roll; 108 and 21 where there is none.

    Parameters
    ----------
    rolls : integers [N, T]

    Returns
    -------
    lowest, highest : int64 [N]
        A shift by s semitones fits where ``21 - lowest <= s <= 108 - highest``: any, without notes.

    Examples
    --------
    >>> pitch_range([[41, 0, 43, 1], [0, 0, 0, 0]])
    (array([ 60, 108]), array([62, 21]))
    """
    midi = checked_rolls(rolls).astype(np.int64) + _CLASS_TO_MIDI
    sounds = midi >= LOWEST_MIDI
    return (
        np.where(sounds, midi, HIGHEST_MIDI).min(axis=1),
        np.where(sounds, midi, LOWEST_MIDI).max(axis=1),
    )


def transposed(rolls, semitones) -> np.ndarray:
    """Move every note of rolls by so many semitones; sustains and rests stay.

    Nothing is clipped or folded: a note that would leave MIDI 21 to 108 is refused. `pitch_range`
    tells beforehand how far each roll can go.

    Parameters
    ----------
    rolls : integers [N, T]
    semitones : int or integers [N]
        The same for all rolls, or one for each.

    Returns
    -------
    rolls : uint8 [N, T]

    Raises
    ------
    InputError
        If a note would leave MIDI 21 to 108, or `semitones` are not whole or not one per roll.

    Examples
    --------
    >>> transposed([[41, 0, 43, 1], [45, 0, 0, 0]], [12, -1])
    array([[53,  0, 55,  1],
           [44,  0,  0,  0]], dtype=uint8)
    """
    rolls, shift = checked_rolls(rolls), np.asarray(semitones)
    if shift.dtype.kind not in "ui" or shift.shape not in ((), (len(rolls),)):
        raise InputError(
            f"semitones {semitones!r}: must be an integer, or one for each of {len(rolls)} rolls"
        )
    shift = np.broadcast_to(shift.astype(np.int64), len(rolls))
    lowest, highest = pitch_range(rolls)
    leaves = (lowest + shift < LOWEST_MIDI) | (highest + shift > HIGHEST_MIDI)
    if leaves.any():
        i = int(np.flatnonzero(leaves)[0])
        raise InputError(
            f"roll {i}, MIDI {lowest[i]} to {highest[i]}, by {shift[i]} semitones: "
            f"must stay in MIDI {LOWEST_MIDI} to {HIGHEST_MIDI}"
        )
    return np.where(rolls >= FIRST_NOTE, rolls + shift[:, None], rolls).astype(np.uint8)


def random_notes(count: int, bars: int = 2, seed: int = 0) -> np.ndarray:
    """Random-note sequences: no key, no metre, no contour.

    The generator of the paper this follows (Barenboim et al. 2023, arXiv 2308.00015) is unknown; this
    one is ours. Events follow each other without gap. Each is a note of uniform MIDI number 21 to 108
    or, with probability `REST_PROBABILITY` but never twice running, a rest; each lasts a uniform 1 to
    `LONGEST_STEPS` sixteenths, the last one until the end if it is longer. There is always a note.

    Parameters
    ----------
    count : int >= 0
    bars : int >= 1
        Bars of sixteen sixteenths.
    seed : int >= 0
        The same seed gives the same rolls; a larger `count` begins with those of a smaller one.

    Returns
    -------
    rolls : uint8 [count, 16 * bars]

    Raises
    ------
    InputError
        If an argument is not such a number.

    Examples
    --------
    >>> random_notes(3).shape, bool((random_notes(300)[:3] == random_notes(3)).all())
    ((3, 32), True)
    """
    steps = STEPS_PER_BAR * whole_number("bars", bars, 1)
    return in_blocks(lambda generator: _random_notes(steps, generator), count, seed, (steps,), np.uint8)


def _random_notes(steps: int, generator: np.random.Generator) -> np.ndarray:
    """One block of random-note sequences: uint8 [BLOCK, steps]."""
    shape = (BLOCK, steps)  # no roll holds more events than steps
    lasts = generator.integers(1, LONGEST_STEPS, shape, endpoint=True)
    classes = generator.integers(FIRST_NOTE, CLASSES, shape)
    rests = generator.random(shape) < REST_PROBABILITY
    for event in range(1, steps):
        rests[:, event] &= ~rests[:, event - 1]
    classes[rests] = NOTE_OFF
    classes[:, 0] = np.where(rests[:, 0], NO_EVENT, classes[:, 0])
    begins = np.cumsum(lasts, axis=1) - lasts
    rows, events = np.nonzero(begins < steps)
    rolls = np.zeros(shape, np.uint8)
    rolls[rows, begins[rows, events]] = classes[rows, events]
    return rolls


def prior_latents(latent_dimensions: int, count: int, seed: int = 0) -> np.ndarray:
    """Latents drawn from the prior of a variational auto-encoder, a standard normal.

    Parameters
    ----------
    latent_dimensions : int >= 1
    count : int >= 0
    seed : int >= 0
        The same seed gives the same latents; a larger `count` begins with those of a smaller one.

    Returns
    -------
    latents : float32 [count, latent_dimensions]

    Raises
    ------
    InputError
        If an argument is not such a number.

    Examples
    --------
    >>> prior_latents(4, 300).shape, bool((prior_latents(4, 300)[:2] == prior_latents(4, 2)).all())
    ((300, 4), True)
    """
    width = whole_number("latent dimensions", latent_dimensions, 1)
    return in_blocks(
        lambda generator: generator.standard_normal((BLOCK, width), np.float32),
        count, seed, (width,), np.float32,
    )  # fmt: skip


def prior_samples(
    decode: Callable[[np.ndarray], np.ndarray],
    latent_dimensions: int,
    count: int,
    seed: int = 0,
    batch: int = 512,
) -> np.ndarray:
    """Melodies a model decodes from `prior_latents`.

    Parameters
    ----------
    decode : callable
        Latents float32 [N, latent_dimensions] to rolls [N, T], such as a model's ``decode``. It is called
        batch by batch: one that draws must not draw from the same seed each time.
    latent_dimensions, count, seed : int
        As in `prior_latents`.
    batch : int >= 1
        Latents decoded at a time.

    Returns
    -------
    rolls : uint8 [count, T]

    Raises
    ------
    InputError
        If an argument is not such a number, `count` is 0, or `decode` does not give rolls.

    Examples
    --------
    >>> prior_samples(lambda latents: np.where(latents > 0, 41, 0), 4, 3).shape
    (3, 4)
    """
    latents = prior_latents(latent_dimensions, whole_number("count", count, 1), seed)
    batch = whole_number("batch", batch, 1)
    return np.concatenate(
        [checked_rolls(decode(latents[start : start + batch])) for start in range(0, count, batch)]
    )


def whole_number(name: str, value: int, least: int) -> int:
    """Check that an argument is a whole number, at least `least`; raise `InputError` that names it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} {value!r}: must be a whole number, at least {least}")
    return int(value)


def in_blocks(draw: Callable[[np.random.Generator], np.ndarray], count, seed, shape, dtype) -> np.ndarray:
    """Rows drawn block by block, each block from its own generator: [count, *shape]."""
    count, seed = whole_number("count", count, 0), whole_number("seed", seed, 0)
    drawn = np.empty((count, *shape), dtype)
    for block, start in enumerate(range(0, count, BLOCK)):
        rows = drawn[start : start + BLOCK]
        rows[:] = draw(np.random.default_rng([seed, block]))[: len(rows)]
    return drawn
