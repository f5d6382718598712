"""The compiled part of `extraction`, in a module of its own because importing numba takes a while."""

from __future__ import annotations

import numba
import numpy as np

from ...synth.melodies import STEPS_PER_QUARTER
from .table import CLASSES_PER_OCTAVE, FEATURES, PITCHES

# First column of each feature, in the order of the table; the last is one past the end.
_WIDTHS = np.cumsum([0, *(feature.columns for feature in FEATURES)])
(
    P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P19, P20, P21, P22,
    R1, R2, R3, R4, R5, R6, R7, R15, R17, R18, R19, R20, R21, R22, R23, R24, R25,
    R30, R31, R32, R33, R34, R35, R36,
    M1, M2, M3, M4, M5, M6, M7, M8, M9, M10, M11, M12, M13, M14, M15, M17, M18, M19,
    _,
) = (int(column) for column in _WIDTHS)  # fmt: skip

COMMON = 0.09  # of all notes, or of all intervals
MIDDLE_FROM, HIGH_FROM = 55, 73  # MIDI numbers
QUARTERS_PER_MINUTE = 120
STEP_SECONDS = 60 / QUARTERS_PER_MINUTE / STEPS_PER_QUARTER
STACCATO_SECONDS = 0.1
BEATS_IN_A_BAR = BEAT_UNIT = 4
# Beats a minute of notes of 12 down to 3 steps: 40 to 160. Longer and shorter notes are no pulse.
SHORTEST_PULSE, LONGEST_PULSE = 3, 12
PULSES = tuple(round(60 / (s * STEP_SECONDS)) for s in range(LONGEST_PULSE, SHORTEST_PULSE - 1, -1))


@numba.njit
def _over(numerator, denominator):
    return numerator / denominator if denominator else np.nan


@numba.njit
def _top_two(counts):
    """Give the two fullest bins and what they hold; among equals the lowest, 0 where nothing is left."""
    first = second = 0
    most = next_most = 0.0
    for i in range(len(counts)):
        if counts[i] > most:
            first, second, most, next_most = i, first, counts[i], most
        elif counts[i] > next_most:
            second, next_most = i, counts[i]
    return first, second, most, next_most


@numba.njit
def _top_two_played(midi, counts):
    """As `_top_two`, but among equals the one played first."""
    first = second = 0
    most = next_most = 0.0
    for pitch in midi:
        if counts[pitch] > most:
            first, most = pitch, counts[pitch]
    for pitch in midi:
        if pitch != first and counts[pitch] > next_most:
            second, next_most = pitch, counts[pitch]
    return first, second, most, next_most


@numba.njit
def _spread(values):
    """Mean and population standard deviation of whole numbers, whose sums are exact."""
    total = squares = 0
    for value in values:
        total += value
        squares += value * value
    n = len(values)
    return _over(total, n), _over(np.sqrt(n * squares - total * total), n)


@numba.njit
def _pitch(midi, out):
    n = len(midi)
    pitches, classes = np.zeros(PITCHES), np.zeros(CLASSES_PER_OCTAVE)
    total = bass = high = 0
    for pitch in midi:
        pitches[pitch] += 1
        classes[pitch % CLASSES_PER_OCTAVE] += 1
        total += pitch
        bass += pitch < MIDDLE_FROM
        high += pitch >= HIGH_FROM

    first, second, most, next_most = _top_two_played(midi, pitches)
    out[P1] = _over(most, n)
    out[P3] = next_most / most if n else 0.0
    out[P5] = abs(first - second) if next_most else 0.0
    out[P11] = first
    out[P10] = max(midi) - min(midi) if n else np.nan
    out[P12] = _over(total, n)
    out[P13] = _over(bass, n)
    out[P14] = _over(n - bass - high, n)
    out[P15] = _over(high, n)

    top, second, most, next_most = _top_two(classes)
    out[P2] = _over(most, n)
    out[P4] = _over(next_most, most)
    out[P6] = abs(top - second)
    out[P16] = top
    out[P9] = np.count_nonzero(classes)
    for i in range(CLASSES_PER_OCTAVE):
        out[P20 + i] = _over(classes[(top + i) % CLASSES_PER_OCTAVE], n)
        out[P21 + 7 * i % CLASSES_PER_OCTAVE] = _over(classes[i], n)

    out[P8] = np.count_nonzero(pitches)
    out[P7] = _shares(pitches, n, out[P19:])
    out[P22] = 0.0


@numba.njit(error_model="numpy")  # without a check at every division, it is four at once
def _shares(counts, n, out):
    """Write the share of each bin, NaN for n = 0, and return how many of them are common."""
    whole = n if n else np.nan
    common = 0
    for i in range(len(counts)):
        out[i] = counts[i] / whole
        common += out[i] >= COMMON
    return common


@numba.njit
def _rhythm(onsets, durations, out):
    n = len(onsets)
    pulses = np.zeros(len(PULSES))
    for duration in durations:
        if SHORTEST_PULSE <= duration <= LONGEST_PULSE:
            pulses[LONGEST_PULSE - duration] += 1
    first, second, most, next_most = _top_two(pulses)
    out[R1] = PULSES[first] if most else 0
    out[R2] = PULSES[second] if next_most else 0
    out[R3] = _over(out[R1], out[R2])
    out[R4] = _over(most, pulses.sum())
    out[R5] = _over(next_most, pulses.sum())
    out[R6] = _over(most, next_most)
    out[R7] = _over(most + next_most, pulses.sum())

    end = (onsets[-1] + durations[-1]) * STEP_SECONDS if n else np.nan
    out[R15] = n / end if n else 0.0
    out[R36] = end
    mean, deviation = _spread(durations)
    out[R17], out[R18] = mean * STEP_SECONDS, deviation * STEP_SECONDS
    out[R19] = max(durations) * STEP_SECONDS if n else np.nan
    out[R20] = min(durations) * STEP_SECONDS if n else np.nan
    out[R21] = _over(np.sum(durations * STEP_SECONDS < STACCATO_SECONDS), n)

    mean, deviation = _spread(onsets[1:] - onsets[:-1])
    out[R22] = out[R24] = mean * STEP_SECONDS
    out[R23] = out[R25] = deviation * STEP_SECONDS
    out[R30] = QUARTERS_PER_MINUTE
    out[R31], out[R31 + 1] = BEATS_IN_A_BAR, BEAT_UNIT
    out[R32] = out[R33] = out[R34] = out[R35] = 0.0


@numba.njit
def _melody(intervals, out):
    n = len(intervals)
    sizes = np.zeros(PITCHES)
    for interval in intervals:
        sizes[abs(interval)] += 1
    first, second, most, next_most = _top_two(sizes)
    out[M2] = _over(np.sum(np.abs(intervals)), n)
    out[M3] = first
    out[M4] = abs(first - second)
    out[M5] = _over(most, n)
    out[M6] = _over(next_most, most)
    common = _shares(sizes, n, out[M1:])
    out[M7] = common if n else np.nan

    # Unisons, thirds, fifths, sevenths, octaves and tenths.
    arpeggio = sizes[0] + sizes[3] + sizes[4] + sizes[7] + sizes[10:13].sum() + sizes[15] + sizes[16]
    octaves = sizes[12::12].sum() - sizes[36]
    out[M8] = _over(arpeggio, n) if arpeggio else (np.nan if n else 0.0)
    out[M9] = sizes[0] / n if n else 0.0
    out[M10] = _over(sizes[1], n)
    out[M11] = _over(sizes[1] + sizes[2], n)
    out[M12] = _over(sizes[3] + sizes[4], n)
    out[M13] = _over(sizes[7], n)
    out[M14] = _over(sizes[6], n)
    out[M15] = _over(octaves, n)
    _arcs(intervals, out)


@numba.njit
def _arcs(intervals, out):
    direction = moves = rising = turns = passed = passed_at_turn = 0
    for interval in intervals:
        if interval:
            towards = 1 if interval > 0 else -1
            if towards == -direction:
                turns += 1
                passed_at_turn = passed
            direction = towards
            passed += abs(interval)
            moves += 1
            rising += interval > 0
    out[M17] = _over(rising, moves)
    out[M18] = moves / turns if turns else 0.0
    out[M19] = passed_at_turn / turns if turns else 0.0


@numba.njit("void(int64[::1], int64[::1], int64[::1], int64[::1], float64[:, ::1])", cache=True, nogil=True)
def fill(onsets, durations, midi, offsets, values):
    """Write the features [N, F] of melodies whose notes are ``offsets[i]:offsets[i + 1]``."""
    for i in range(len(values)):
        begin, end = offsets[i], offsets[i + 1]
        pitches = midi[begin:end]
        _pitch(pitches, values[i])
        _rhythm(onsets[begin:end], durations[begin:end], values[i])
        _melody(pitches[1:] - pitches[:-1], values[i])
