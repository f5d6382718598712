"""Rhythm features, R1 to R36, at 120 quarters a minute.

Where music21 departs from jSymbolic, its values are kept. The beat histogram of R1 to R7 counts notes by
duration, as beats a minute (60 over seconds, rounded) between 40 and 200: of sixteenths at this tempo,
durations of 3 to 12. In jSymbolic it is the autocorrelation of onsets. A pulse that does not exist has
0 beats a minute. Harmonicity (R3) is the strongest over the second strongest pulse, where jSymbolic
divides the faster by the slower. Note Density (R15) and Duration (R36) end with the last note, so a rest
after it does not count, while one before the first note does; without notes R15 is 0. With one voice
R24 and R25 are R22 and R23, but for names. Tempo, metre and staccato (R21, R30 to R35) are the same for
every roll: no sixteenth is shorter than a tenth of a second.
"""

from __future__ import annotations

import numpy as np

from .counting import divided
from .melodies import PULSES, QUARTERS_PER_MINUTE, STEP_SECONDS, Feature, Melodies

STACCATO_SECONDS = 0.1
BEATS_IN_A_BAR = BEAT_UNIT = 4


def _harmonicity(melodies: Melodies) -> np.ndarray:
    return divided(PULSES[melodies.top_pulses.first], PULSES[melodies.top_pulses.second])


def _end(melodies: Melodies) -> np.ndarray:
    """Where the last note ends, in seconds; NaN without notes."""
    return melodies.greatest(melodies.onsets + melodies.durations) * STEP_SECONDS


def _density(melodies: Melodies) -> np.ndarray:
    return np.where(melodies.n_notes > 0, melodies.n_notes / _end(melodies), 0.0)


def _staccato(melodies: Melodies) -> np.ndarray:
    short = melodies.durations * STEP_SECONDS < STACCATO_SECONDS
    return divided(melodies.total(melodies.row[short]), melodies.n_notes)


def _mean_duration(melodies: Melodies) -> np.ndarray:
    return divided(melodies.total(melodies.row, melodies.durations), melodies.n_notes) * STEP_SECONDS


def _duration_deviation(melodies: Melodies) -> np.ndarray:
    return _deviation(melodies, melodies.row, melodies.durations, melodies.n_notes)


def _mean_gap(melodies: Melodies) -> np.ndarray:
    return divided(melodies.total(melodies.interval_row, melodies.gaps), melodies.n_intervals) * STEP_SECONDS


def _gap_deviation(melodies: Melodies) -> np.ndarray:
    return _deviation(melodies, melodies.interval_row, melodies.gaps, melodies.n_intervals)


def _deviation(melodies: Melodies, row: np.ndarray, steps: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Give the population standard deviation of each melody's `count` values in seconds, or NaN."""
    # Sums of whole numbers are exact, so that nothing is lost in the difference.
    spread = count * melodies.total(row, steps**2) - melodies.total(row, steps) ** 2
    return divided(np.sqrt(spread), count) * STEP_SECONDS


RHYTHM = (
    Feature("R1", "Strongest Rhythmic Pulse", lambda m: PULSES[m.top_pulses.first]),
    Feature("R2", "Second Strongest Rhythmic Pulse", lambda m: PULSES[m.top_pulses.second]),
    Feature("R3", "Harmonicity of Two Strongest Rhythmic Pulses", _harmonicity),
    Feature(
        "R4", "Strength of Strongest Rhythmic Pulse",
        lambda m: divided(m.top_pulses.most, m.n_pulses),
    ),
    Feature(
        "R5", "Strength of Second Strongest Rhythmic Pulse",
        lambda m: divided(m.top_pulses.next_most, m.n_pulses),
    ),
    Feature(
        "R6", "Strength Ratio of Two Strongest Rhythmic Pulses",
        lambda m: divided(m.top_pulses.most, m.top_pulses.next_most),
    ),
    Feature(
        "R7", "Combined Strength of Two Strongest Rhythmic Pulses",
        lambda m: divided(m.top_pulses.most + m.top_pulses.next_most, m.n_pulses),
    ),
    Feature("R15", "Note Density", _density),
    Feature("R17", "Average Note Duration", _mean_duration),
    Feature(
        "R18", "Variability of Note Duration",
        _duration_deviation,
    ),
    Feature("R19", "Maximum Note Duration", lambda m: m.greatest(m.durations) * STEP_SECONDS),
    Feature("R20", "Minimum Note Duration", lambda m: m.least(m.durations) * STEP_SECONDS),
    Feature("R21", "Staccato Incidence", _staccato),
    Feature("R22", "Average Time Between Attacks", _mean_gap),
    Feature("R23", "Variability of Time Between Attacks", _gap_deviation),
    Feature("R24", "Average Time Between Attacks For Each Voice", _mean_gap),
    Feature("R25", "Average Variability of Time Between Attacks For Each Voice", _gap_deviation),
    Feature("R30", "Initial Tempo", lambda m: float(QUARTERS_PER_MINUTE)),
    Feature("R31", "Initial Time Signature", lambda m: np.full((m.size, 2), [BEATS_IN_A_BAR, BEAT_UNIT]), 2),
    Feature("R32", "Compound Or Simple Meter", lambda m: 0.0),
    Feature("R33", "Triple Meter", lambda m: 0.0),
    Feature("R34", "Quintuple Meter", lambda m: 0.0),
    Feature("R35", "Changes of Meter", lambda m: 0.0),
    Feature("R36", "Duration", _end),
)  # fmt: skip
