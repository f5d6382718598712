"""Pitch features, P1 to P22.

Where music21 departs from jSymbolic, its values are kept. Most Common Pitch (P11) is a MIDI number,
where jSymbolic divides by 128; of equally common pitches the one heard first counts (so too in P3 and
P5), where jSymbolic takes the lowest; without notes it is 0. With one pitch class only, Interval Between
Strongest Pitch Classes (P6) is that class's own number, as if C came second. Quality (P22) is read from
a key signature, not from the notes: a roll has none, and counts as major (0).
"""

from __future__ import annotations

import numpy as np

from .counting import divided
from .melodies import CLASSES_PER_OCTAVE, PITCHES, Feature, Melodies

COMMON = 0.09  # of all notes, or of all intervals
MIDDLE_FROM, HIGH_FROM = 55, 73  # MIDI numbers


def _interval_between_pitches(melodies: Melodies) -> np.ndarray:
    top = melodies.top_pitches
    return np.where(top.next_most > 0, np.abs(top.first - top.second), 0)


def _second_to_first_pitch(melodies: Melodies) -> np.ndarray:
    top = melodies.top_pitches
    return top.next_most / np.maximum(top.most, 1)


def _register(melodies: Melodies, begins: int, ends: int) -> np.ndarray:
    """Share of notes from one MIDI number up to, but without, another."""
    inside = (melodies.midi >= begins) & (melodies.midi < ends)
    return divided(melodies.total(melodies.row[inside]), melodies.n_notes)


def _distribution(melodies: Melodies) -> np.ndarray:
    """Share of each pitch class, counted up from the most common one."""
    classes = (melodies.top_classes.first[:, None] + np.arange(CLASSES_PER_OCTAVE)) % CLASSES_PER_OCTAVE
    return divided(np.take_along_axis(melodies.class_counts, classes, 1), melodies.n_notes[:, None])


def _fifths(melodies: Melodies) -> np.ndarray:
    """Share of each pitch class, in order of fifths up from C."""
    # Seven times seven is one more than four octaves: the way there is the way back.
    classes = 7 * np.arange(CLASSES_PER_OCTAVE) % CLASSES_PER_OCTAVE
    return divided(melodies.class_counts[:, classes], melodies.n_notes[:, None])


PITCH = (
    Feature("P1", "Most Common Pitch Prevalence", lambda m: divided(m.top_pitches.most, m.n_notes)),
    Feature("P2", "Most Common Pitch Class Prevalence", lambda m: divided(m.top_classes.most, m.n_notes)),
    Feature("P3", "Relative Strength of Top Pitches", _second_to_first_pitch),
    Feature(
        "P4", "Relative Strength of Top Pitch Classes",
        lambda m: divided(m.top_classes.next_most, m.top_classes.most),
    ),
    Feature("P5", "Interval Between Strongest Pitches", _interval_between_pitches),
    Feature(
        "P6", "Interval Between Strongest Pitch Classes",
        lambda m: np.abs(m.top_classes.first - m.top_classes.second),
    ),
    Feature(
        "P7", "Number of Common Pitches",
        lambda m: (m.pitch_shares >= COMMON).sum(axis=1),
    ),
    Feature("P8", "Pitch Variety", lambda m: (m.pitch_counts > 0).sum(axis=1)),
    Feature("P9", "Pitch Class Variety", lambda m: (m.class_counts > 0).sum(axis=1)),
    Feature("P10", "Range", lambda m: m.greatest(m.midi) - m.least(m.midi)),
    Feature("P11", "Most Common Pitch", lambda m: m.top_pitches.first),
    Feature("P12", "Primary Register", lambda m: divided(m.total(m.row, m.midi), m.n_notes)),
    Feature("P13", "Importance of Bass Register", lambda m: _register(m, 0, MIDDLE_FROM)),
    Feature("P14", "Importance of Middle Register", lambda m: _register(m, MIDDLE_FROM, HIGH_FROM)),
    Feature("P15", "Importance of High Register", lambda m: _register(m, HIGH_FROM, PITCHES)),
    Feature("P16", "Most Common Pitch Class", lambda m: m.top_classes.first),
    Feature(
        "P19", "Basic Pitch Histogram",
        lambda m: m.pitch_shares, columns=PITCHES,
    ),
    Feature("P20", "Pitch Class Distribution", _distribution, columns=CLASSES_PER_OCTAVE),
    Feature("P21", "Fifths Pitch Histogram", _fifths, columns=CLASSES_PER_OCTAVE),
    Feature("P22", "Quality", lambda m: 0.0),
)  # fmt: skip
