"""What the features are computed from: the notes and intervals of many melodies, and counts of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...synth.melodies import STEPS_PER_QUARTER, notes
from .counting import TopTwo, divided, first_of_each

PITCHES = 128  # MIDI numbers, and sizes of intervals: the lengths of music21's histograms
CLASSES_PER_OCTAVE = 12
QUARTERS_PER_MINUTE = 120
STEP_SECONDS = 60 / QUARTERS_PER_MINUTE / STEPS_PER_QUARTER
# Pulses are as slow as 40 beats a minute and as fast as 160: notes of 12 down to 3 steps. Bin 0 is for none.
SHORTEST_PULSE, LONGEST_PULSE = 3, 12
PULSES = np.array(
    [0.0, *(round(60 / (s * STEP_SECONDS)) for s in range(LONGEST_PULSE, SHORTEST_PULSE - 1, -1))]
)


@dataclass(frozen=True)
class Feature:
    """One feature of jSymbolic, as music21 computes it.

    Parameters
    ----------
    id : str
        jSymbolic's, such as "P8": P is pitch, R is rhythm, M is melody.
    name : str
        As music21 spells it.
    compute : callable
        From `Melodies` to float [N] or [N, columns], or one number for all; NaN where music21 raises.
    columns : int >= 1
    """

    id: str
    name: str
    compute: Callable[[Melodies], np.ndarray | float]
    columns: int = 1

    @property
    def group(self) -> str:
        """Give "pitch", "rhythm" or "melody"."""
        return {"P": "pitch", "R": "rhythm", "M": "melody"}[self.id[0]]


@dataclass(frozen=True)
class Melodies:
    """N melodies as one list of notes, and tables of them that several features need, each made once.

    An interval leads from a note to the next of the same melody, over rests.

    Parameters
    ----------
    size : int
        N.
    row : int64 [n_notes]
        The melody each note belongs to, ascending.
    onsets, durations : int64 [n_notes]
        In sixteenths; onsets ascend within a melody.
    midi : int64 [n_notes]
    """

    size: int
    row: np.ndarray
    onsets: np.ndarray
    durations: np.ndarray
    midi: np.ndarray

    @classmethod
    def of(cls, rolls: np.ndarray) -> Melodies:
        """Read the notes of rolls, integers [N, T]."""
        played = notes(rolls)
        row = np.repeat(np.arange(len(rolls)), np.diff(played.offsets))
        return cls(len(rolls), row, played.onsets, played.durations, played.midi)

    def total(self, row: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        """Sum what belongs to each melody, or count it: [N]."""
        return np.bincount(row, values, minlength=self.size)

    def greatest(self, values: np.ndarray) -> np.ndarray:
        """Greatest of one value for each note; NaN without notes: float64 [N]."""
        greatest = np.full(self.size, np.nan)
        greatest[self.sounding] = np.maximum.reduceat(values, self.starts)
        return greatest

    def least(self, values: np.ndarray) -> np.ndarray:
        """Least of one value for each note; NaN without notes: float64 [N]."""
        return -self.greatest(-values)

    def histogram(self, row: np.ndarray, bins: np.ndarray, n_bins: int) -> np.ndarray:
        """Count what belongs to each melody by bin: int64 [N, n_bins]."""
        flat = np.bincount(row * n_bins + bins, minlength=self.size * n_bins)
        return flat.reshape(self.size, n_bins)

    @cached_property
    def n_notes(self) -> np.ndarray:
        """Notes of each melody: int64 [N]."""
        return self.total(self.row)

    @cached_property
    def pitch_counts(self) -> np.ndarray:
        """Notes at each MIDI number: int64 [N, 128]."""
        return self.histogram(self.row, self.midi, PITCHES)

    @cached_property
    def class_counts(self) -> np.ndarray:
        """Notes of each pitch class, C first: int64 [N, 12]."""
        return self.histogram(self.row, self.midi % CLASSES_PER_OCTAVE, CLASSES_PER_OCTAVE)

    @cached_property
    def pitch_shares(self) -> np.ndarray:
        """Share of notes at each MIDI number; NaN without notes: float64 [N, 128]."""
        return divided(self.pitch_counts, self.n_notes[:, None])

    @cached_property
    def top_pitches(self) -> TopTwo:
        """The most common MIDI numbers; among equals the one heard first."""
        return TopTwo.earliest_first(self.pitch_counts, self.row, self.midi)

    @cached_property
    def top_classes(self) -> TopTwo:
        """The most common pitch classes; among equals the lowest."""
        return TopTwo.lowest_first(self.class_counts)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the notes of each melody that has any begin: int64 [n_sounding]."""
        return np.flatnonzero(first_of_each(self.row))

    @cached_property
    def sounding(self) -> np.ndarray:
        """Melodies that have notes: int64 [n_sounding]."""
        return self.row[self.starts]

    @cached_property
    def _pulse_counts(self) -> np.ndarray:
        """Notes as long as each of `PULSES`: int64 [N, 11]."""
        pulses = (self.durations >= SHORTEST_PULSE) & (self.durations <= LONGEST_PULSE)
        bins = LONGEST_PULSE + 1 - self.durations[pulses]
        return self.histogram(self.row[pulses], bins, len(PULSES))

    @cached_property
    def n_pulses(self) -> np.ndarray:
        """Notes as long as any of `PULSES`: int64 [N]."""
        return self._pulse_counts.sum(axis=1)

    @cached_property
    def top_pulses(self) -> TopTwo:
        """The most common of `PULSES`, by index; among equals the slowest."""
        return TopTwo.lowest_first(self._pulse_counts)

    @cached_property
    def _followed(self) -> np.ndarray:
        """Whether the next note is of the same melody: bool [n_notes - 1]."""
        return self.row[1:] == self.row[:-1]

    @cached_property
    def interval_row(self) -> np.ndarray:
        """The melody each interval belongs to: int64 [n_intervals]."""
        return self.row[1:][self._followed]

    @cached_property
    def intervals(self) -> np.ndarray:
        """Semitones up (positive) or down: int64 [n_intervals]."""
        return np.diff(self.midi)[self._followed]

    @cached_property
    def gaps(self) -> np.ndarray:
        """Sixteenths from onset to onset: int64 [n_intervals]."""
        return np.diff(self.onsets)[self._followed]

    @cached_property
    def n_intervals(self) -> np.ndarray:
        """Intervals of each melody: int64 [N]."""
        return self.total(self.interval_row)

    @cached_property
    def interval_counts(self) -> np.ndarray:
        """Intervals of each size, whether up or down: int64 [N, 128]."""
        return self.histogram(self.interval_row, np.abs(self.intervals), PITCHES)

    @cached_property
    def interval_shares(self) -> np.ndarray:
        """Share of intervals of each size; NaN without intervals: float64 [N, 128]."""
        return divided(self.interval_counts, self.n_intervals[:, None])

    @cached_property
    def top_intervals(self) -> TopTwo:
        """The most common sizes of interval; among equals the smallest."""
        return TopTwo.lowest_first(self.interval_counts)
