"""From notes as a sequencer holds them to melodies: quantized, extracted and sliced as Magenta does.

Written from the behaviour of note-seq (``sequences_lib``, ``melodies_lib``) and of
``magenta/models/music_vae/data.py`` as its melody configurations set them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .errors import InputError
from .melodies import (
    FIRST_NOTE,
    HIGHEST_MIDI,
    LOWEST_MIDI,
    NO_EVENT,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    Notes,
    from_notes,
    whole_number,
)

GAP_STEPS = STEPS_PER_BAR  # so long a silence ends a melody
LONGEST_STEPS = 100 * STEPS_PER_BAR
DEFAULT_QUARTER_US = 500_000  # 120 quarters a minute

OUT_OF_RANGE = f"notes outside MIDI {LOWEST_MIDI} to {HIGHEST_MIDI}"
POLYPHONIC = "notes that begin together with a higher one"
TOO_SHORT = "melodies too short to slice"
TOO_LONG = "melodies cut at 100 bars"
NO_NOTE = "slices in which no note begins"
REPEATED = "slices met before in the same piece"


@dataclass(frozen=True)
class Score:
    """Notes in ticks, with the time signatures and tempos they are written under.

    Parameters
    ----------
    ticks_per_quarter : int
    onsets, ends : int64 [n_notes]
        In ticks from the start of the piece; a note ends after it begins.
    midi : int64 [n_notes]
        MIDI note numbers.
    voices : int64 [n_notes]
        Which instrument plays it; melodies are looked for in each alone.
    time_signatures : tuple of (tick, numerator, denominator)
        4/4 until the first.
    tempos : tuple of (tick, microseconds per quarter)
        120 quarters a minute until the first.
    restarts : tuple of int
        Ticks at which bars are counted anew beside those, as after a bar that is written too short.

    Raises
    ------
    InputError
        If there is less than one tick to the quarter, or the arrays are of unequal length.
    """

    ticks_per_quarter: int
    onsets: np.ndarray
    ends: np.ndarray
    midi: np.ndarray
    voices: np.ndarray
    time_signatures: tuple[tuple[int, int, int], ...] = ()
    tempos: tuple[tuple[int, int], ...] = ()
    restarts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.ticks_per_quarter < 1:
            raise InputError(f"{self.ticks_per_quarter} ticks per quarter: must be at least 1")
        shapes = [np.shape(a) for a in (self.onsets, self.ends, self.midi, self.voices)]
        if len(set(shapes)) != 1 or len(shapes[0]) != 1:
            raise InputError(f"notes of a score of shapes {shapes}: must all be [n_notes]")


@dataclass(frozen=True)
class Collected:
    """Melodies out of several pieces, and what was left behind.

    Parameters
    ----------
    rolls : uint8 [N, T]
    sources : int64 [N]
        For each roll the index of its piece in `names`.
    names : tuple of str
        Every piece looked at, in order, also those that gave nothing.
    skipped : mapping from reason to count
        What was left out and why, the reason saying what is counted.
    """

    rolls: np.ndarray
    sources: np.ndarray
    names: tuple[str, ...]
    skipped: Mapping[str, int]


def melodies_from_score(score: Score, bars: int = 2) -> tuple[np.ndarray, Counter[str]]:
    """Take the melodies of a piece, in slices of so many bars.

    The piece is split where the time signature or the tempo changes; each section's bars count from its
    start, and sections whose bar has not 16 sixteenths (4/4 and 2/2 have) are left out. Onsets and ends
    go to the nearest sixteenth, a half upwards; a note lasts at least one. In each voice the highest of
    the notes that begin together is kept and lasts until the next begins. A bar of silence ends a
    melody; a melody begins with the bar of its first note and is filled with rest to a whole bar, is
    dropped if it has but one bar and cut at 100. Slices begin at every bar; what sounds on from before
    a slice is a rest in it. Equal slices of one piece are kept once.

    Two things differ from Magenta: a slice in which no note begins (one is held for bars) is left out,
    and every slice is kept, where Magenta takes at most five of a piece, at random in training.

    Parameters
    ----------
    score : Score
    bars : int >= 1
        Bars in a slice.

    Returns
    -------
    rolls : uint8 [N, 16 * bars]
        In order of voice and time, sections after each other.
    left_out : Counter
        Reasons and how often each applied.

    Raises
    ------
    InputError
        If `bars` is not such a number.

    Examples
    --------
    >>> scale = np.arange(9) * 480
    >>> voice = np.zeros(9, int)
    >>> score = Score(480, scale, scale + 480, 60 + np.arange(9), voice)
    >>> rolls, left_out = melodies_from_score(score)
    >>> rolls.shape, rolls[0, ::4].tolist(), rolls[1, ::4].tolist()
    ((2, 32), [41, 42, 43, 44, 45, 46, 47, 48], [45, 46, 47, 48, 49, 1, 0, 0])
    """
    steps, left_out = STEPS_PER_BAR * whole_number("bars", bars, 1), Counter()
    playable = (score.midi >= LOWEST_MIDI) & (score.midi <= HIGHEST_MIDI)
    left_out[OUT_OF_RANGE] += int((~playable).sum())
    order = np.flatnonzero(playable)[np.argsort(score.onsets[playable], kind="stable")]
    onset_ticks, end_ticks, midi, voices = (
        values[order] for values in (score.onsets, score.ends, score.midi, score.voices)
    )
    slices = [np.empty((0, steps), np.uint8)]
    for start, end, numerator, denominator in _sections(score):
        first, last = np.searchsorted(onset_ticks, [start, end])
        if first == last:
            continue
        if STEPS_PER_QUARTER * 4 * numerator != STEPS_PER_BAR * denominator:
            left_out[f"sections in {numerator}/{denominator}"] += 1
            continue
        for voice in np.unique(voices[first:last]):
            of = first + np.flatnonzero(voices[first:last] == voice)
            onsets = _quantized(onset_ticks[of] - start, score.ticks_per_quarter)
            ends = _quantized(np.minimum(end_ticks[of], end) - start, score.ticks_per_quarter)
            for roll in _voice_melodies(onsets, np.maximum(ends, onsets + 1), midi[of], left_out):
                if len(roll) <= STEPS_PER_BAR or len(roll) < steps:
                    left_out[TOO_SHORT] += 1
                else:
                    slices.append(np.lib.stride_tricks.sliding_window_view(roll, steps)[::STEPS_PER_BAR])
    return _cleaned(np.concatenate(slices), left_out), +left_out


def _sections(score: Score) -> Iterator[tuple[int, int, int, int]]:
    """Start and end tick, numerator and denominator of each stretch of one metre, tempo and bar count."""
    last = int(score.ends.max(initial=0))
    # Sorted by tick alone: of several at one tick the last one holds.
    signatures = [(0, 4, 4), *sorted(score.time_signatures, key=lambda change: change[0])]
    tempos = [(0, DEFAULT_QUARTER_US), *sorted(score.tempos, key=lambda change: change[0])]
    edges = {0, last, *score.restarts}
    for changes in (signatures, tempos):
        edges |= {now[0] for before, now in pairwise(changes) if now[1:] != before[1:]}
    signed_at = [tick for tick, *_ in signatures]
    for start, end in pairwise(sorted(tick for tick in edges if 0 <= tick <= last)):
        _, numerator, denominator = signatures[bisect_right(signed_at, start) - 1]
        yield start, end, numerator, denominator


def _quantized(ticks: np.ndarray, ticks_per_quarter: int) -> np.ndarray:
    """Nearest sixteenths, a half upwards, in whole numbers so that no tie is lost to rounding."""
    return (2 * STEPS_PER_QUARTER * ticks + ticks_per_quarter) // (2 * ticks_per_quarter)


def _voice_melodies(
    onsets: np.ndarray, ends: np.ndarray, midi: np.ndarray, left_out: Counter[str]
) -> list[np.ndarray]:
    """Melodies of one voice, cut where it rests for a bar: each uint8 [whole bars]."""
    order = np.lexsort((-ends, -midi, onsets))
    onsets, ends, midi = onsets[order], ends[order], midi[order]
    highest = np.concatenate([[True], onsets[1:] > onsets[:-1]])
    left_out[POLYPHONIC] += int((~highest).sum())
    onsets, ends, midi = onsets[highest], ends[highest], midi[highest]
    ends[:-1] = np.minimum(ends[:-1], onsets[1:])
    cuts = np.flatnonzero(onsets[1:] - ends[:-1] >= GAP_STEPS) + 1
    melodies = []
    for part in np.split(np.arange(len(onsets)), cuts):
        first = onsets[part[0]] // STEPS_PER_BAR * STEPS_PER_BAR
        length = -((first - ends[part[-1]]) // STEPS_PER_BAR) * STEPS_PER_BAR
        if length > LONGEST_STEPS:
            left_out[TOO_LONG] += 1
            length = LONGEST_STEPS
            part = part[onsets[part] - first < length]
        begins = onsets[part] - first
        lasts = np.minimum(ends[part] - first, length) - begins
        melodies.append(
            from_notes(Notes(begins, lasts, midi[part], np.array([0, len(part)])), int(length))[0]
        )
    return melodies


def _cleaned(slices: np.ndarray, left_out: Counter[str]) -> np.ndarray:
    """Slices without what is left of a note from before, without empty ones, each once: uint8 [N, T]."""
    begun = np.logical_or.accumulate(slices >= FIRST_NOTE, axis=1)
    sounding = begun[:, -1]
    left_out[NO_NOTE] += int((~sounding).sum())
    kept = np.where(begun, slices, NO_EVENT).astype(np.uint8)[sounding]
    _, first = np.unique(kept, axis=0, return_index=True)
    left_out[REPEATED] += len(kept) - len(first)
    return kept[np.sort(first)]
