"""Melody features, M1 to M19.

Where music21 departs from jSymbolic, its values are kept. Amount of Arpeggiation (M8) is missing where
there are intervals and none of them counts, 0 where there are none. Melodic Octaves (M15) also counts
two, four and more octaves, but not three, where jSymbolic counts one octave only. Arcs (M18, M19) that
never turn are 0, where jSymbolic divides by 0. Distance Between Most Common Melodic Intervals (M4) is
the interval's own size where there is one only, in both.
"""

from __future__ import annotations

import numpy as np

from .counting import divided
from .melodies import CLASSES_PER_OCTAVE, PITCHES, Feature, Melodies
from .pitch import COMMON

ARPEGGIO = [0, 3, 4, 7, 10, 11, 12, 15, 16]
OCTAVES = [size for size in range(CLASSES_PER_OCTAVE, PITCHES, CLASSES_PER_OCTAVE) if size != 36]


def _share(melodies: Melodies, sizes: list[int]) -> np.ndarray:
    return divided(melodies.interval_counts[:, sizes].sum(axis=1), melodies.n_intervals)


def _mean_interval(melodies: Melodies) -> np.ndarray:
    semitones = melodies.total(melodies.interval_row, np.abs(melodies.intervals))
    return divided(semitones, melodies.n_intervals)


def _common(melodies: Melodies) -> np.ndarray:
    common = (melodies.interval_shares >= COMMON).sum(axis=1)
    return np.where(melodies.n_intervals > 0, common, np.nan)


def _arpeggiation(melodies: Melodies) -> np.ndarray:
    share = _share(melodies, ARPEGGIO)
    return np.where(melodies.n_intervals == 0, 0.0, np.where(share > 0, share, np.nan))


def _rising(melodies: Melodies) -> np.ndarray:
    rising = melodies.total(melodies.interval_row[melodies.intervals > 0])
    return divided(rising, melodies.total(melodies.interval_row[melodies.intervals != 0]))


def _turns(melodies: Melodies) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intervals other than unisons, the melody each belongs to, and whether each turns the direction."""
    moves = melodies.intervals != 0
    row, intervals = melodies.interval_row[moves], melodies.intervals[moves]
    turns = np.zeros(len(row), bool)
    turns[1:] = (row[1:] == row[:-1]) & ((intervals[1:] > 0) != (intervals[:-1] > 0))
    return row, intervals, turns


def _arc_durations(melodies: Melodies) -> np.ndarray:
    """Intervals other than unisons, for each turn of direction; 0 without a turn."""
    row, _, turns = _turns(melodies)
    return np.nan_to_num(divided(melodies.total(row), melodies.total(row[turns])))


def _arc_sizes(melodies: Melodies) -> np.ndarray:
    """Semitones passed before the last turn, for each turn of direction; 0 without a turn."""
    row, intervals, turns = _turns(melodies)
    n_turns = melodies.total(row[turns])
    before_last = np.cumsum(turns) < np.cumsum(n_turns)[row]
    semitones = melodies.total(row[before_last], np.abs(intervals[before_last]))
    return np.nan_to_num(divided(semitones, n_turns))


MELODY = (
    Feature(
        "M1", "Melodic Interval Histogram",
        lambda m: m.interval_shares, columns=PITCHES,
    ),
    Feature("M2", "Average Melodic Interval", _mean_interval),
    Feature("M3", "Most Common Melodic Interval", lambda m: m.top_intervals.first),
    Feature(
        "M4", "Distance Between Most Common Melodic Intervals",
        lambda m: np.abs(m.top_intervals.first - m.top_intervals.second),
    ),
    Feature(
        "M5", "Most Common Melodic Interval Prevalence",
        lambda m: divided(m.top_intervals.most, m.n_intervals),
    ),
    Feature(
        "M6", "Relative Strength of Most Common Intervals",
        lambda m: divided(m.top_intervals.next_most, m.top_intervals.most),
    ),
    Feature("M7", "Number of Common Melodic Intervals", _common),
    Feature("M8", "Amount of Arpeggiation", _arpeggiation),
    Feature("M9", "Repeated Notes", lambda m: m.interval_counts[:, 0] / np.maximum(m.n_intervals, 1)),
    Feature("M10", "Chromatic Motion", lambda m: _share(m, [1])),
    Feature("M11", "Stepwise Motion", lambda m: _share(m, [1, 2])),
    Feature("M12", "Melodic Thirds", lambda m: _share(m, [3, 4])),
    Feature("M13", "Melodic Fifths", lambda m: _share(m, [7])),
    Feature("M14", "Melodic Tritones", lambda m: _share(m, [6])),
    Feature("M15", "Melodic Octaves", lambda m: _share(m, OCTAVES)),
    Feature("M17", "Direction of Motion", _rising),
    Feature("M18", "Duration of Melodic Arcs", _arc_durations),
    Feature("M19", "Size of Melodic Arcs", _arc_sizes),
)  # fmt: skip
