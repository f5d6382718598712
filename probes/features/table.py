"""What is computed, what is left out, and what says the same of every roll.

Features equal music21's also where those depart from jSymbolic:

- Most Common Pitch (P11) is a MIDI number, where jSymbolic divides by 128; of equally common pitches the
  one played first counts (so too in P3 and P5), where jSymbolic takes the lowest; without notes it is 0.
- Interval Between Strongest Pitch Classes (P6) is a lone pitch class's own number, as if C came second.
- Quality (P22) is read from a key signature, not from the notes.
- The beat histogram behind R1 to R7 counts notes by duration, as beats a minute (60 over seconds, rounded)
  between 40 and 200: durations of 3 to 12 sixteenths. In jSymbolic it is the autocorrelation of onsets.
  A pulse that does not exist has 0 beats a minute.
- Harmonicity (R3) divides the strongest pulse by the second strongest; jSymbolic the faster by the slower.
- Note Density (R15) and Duration (R36) end with the last note, so a rest after it does not count, while one
  before the first note does. Without notes R15 is 0.
- With one voice, R24 and R25 are R22 and R23 under other names.
- Amount of Arpeggiation (M8) is missing where none of the intervals counts, and 0 where there are none.
- Melodic Octaves (M15) also counts two and four to ten octaves, but not three; jSymbolic counts one only.
- Arcs (M18, M19) that never turn are 0, where jSymbolic divides by 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

PITCHES = 128  # MIDI numbers, and sizes of intervals: the lengths of music21's histograms
CLASSES_PER_OCTAVE = 12

# What a melody must have for a feature to have a value. Pulses: see R1 to R7 above.
NOTE, INTERVAL, MOVE = "a note", "two notes", "two successive notes of different pitch"
PULSE, TWO_PULSES = "a note of 3 to 12 sixteenths", "notes of two durations from 3 to 12 sixteenths"
ARPEGGIO = "an interval that counts, or no interval"


@dataclass(frozen=True)
class Feature:
    """One feature of jSymbolic, as music21 computes it.

    Parameters
    ----------
    id : str
        jSymbolic's, such as "P8": P is pitch, R is rhythm, M is melody.
    name : str
        As music21 spells it.
    needs : str
        What a melody must have for the feature to have a value; it is NaN without. Empty: nothing.
    columns : int >= 1
        Entries; more than one for a vector.
    """

    id: str
    name: str
    needs: str = ""
    columns: int = 1

    @property
    def group(self) -> str:
        """Give "pitch", "rhythm" or "melody"."""
        return {"P": "pitch", "R": "rhythm", "M": "melody"}[self.id[0]]


# The compiled part is kept on disk and knows this order: touch `_kernels` when you change it.
PITCH = (
    Feature("P1", "Most Common Pitch Prevalence", NOTE),
    Feature("P2", "Most Common Pitch Class Prevalence", NOTE),
    Feature("P3", "Relative Strength of Top Pitches"),
    Feature("P4", "Relative Strength of Top Pitch Classes", NOTE),
    Feature("P5", "Interval Between Strongest Pitches"),
    Feature("P6", "Interval Between Strongest Pitch Classes"),
    Feature("P7", "Number of Common Pitches"),
    Feature("P8", "Pitch Variety"),
    Feature("P9", "Pitch Class Variety"),
    Feature("P10", "Range", NOTE),
    Feature("P11", "Most Common Pitch"),
    Feature("P12", "Primary Register", NOTE),
    Feature("P13", "Importance of Bass Register", NOTE),
    Feature("P14", "Importance of Middle Register", NOTE),
    Feature("P15", "Importance of High Register", NOTE),
    Feature("P16", "Most Common Pitch Class"),
    Feature("P19", "Basic Pitch Histogram", NOTE, columns=PITCHES),
    Feature("P20", "Pitch Class Distribution", NOTE, columns=CLASSES_PER_OCTAVE),
    Feature("P21", "Fifths Pitch Histogram", NOTE, columns=CLASSES_PER_OCTAVE),
    Feature("P22", "Quality"),
)
RHYTHM = (
    Feature("R1", "Strongest Rhythmic Pulse"),
    Feature("R2", "Second Strongest Rhythmic Pulse"),
    Feature("R3", "Harmonicity of Two Strongest Rhythmic Pulses", TWO_PULSES),
    Feature("R4", "Strength of Strongest Rhythmic Pulse", PULSE),
    Feature("R5", "Strength of Second Strongest Rhythmic Pulse", PULSE),
    Feature("R6", "Strength Ratio of Two Strongest Rhythmic Pulses", TWO_PULSES),
    Feature("R7", "Combined Strength of Two Strongest Rhythmic Pulses", PULSE),
    Feature("R15", "Note Density"),
    Feature("R17", "Average Note Duration", NOTE),
    Feature("R18", "Variability of Note Duration", NOTE),
    Feature("R19", "Maximum Note Duration", NOTE),
    Feature("R20", "Minimum Note Duration", NOTE),
    Feature("R21", "Staccato Incidence", NOTE),
    Feature("R22", "Average Time Between Attacks", INTERVAL),
    Feature("R23", "Variability of Time Between Attacks", INTERVAL),
    Feature("R24", "Average Time Between Attacks For Each Voice", INTERVAL),
    Feature("R25", "Average Variability of Time Between Attacks For Each Voice", INTERVAL),
    Feature("R30", "Initial Tempo"),
    Feature("R31", "Initial Time Signature", columns=2),
    Feature("R32", "Compound Or Simple Meter"),
    Feature("R33", "Triple Meter"),
    Feature("R34", "Quintuple Meter"),
    Feature("R35", "Changes of Meter"),
    Feature("R36", "Duration", NOTE),
)
MELODY = (
    Feature("M1", "Melodic Interval Histogram", INTERVAL, columns=PITCHES),
    Feature("M2", "Average Melodic Interval", INTERVAL),
    Feature("M3", "Most Common Melodic Interval"),
    Feature("M4", "Distance Between Most Common Melodic Intervals"),
    Feature("M5", "Most Common Melodic Interval Prevalence", INTERVAL),
    Feature("M6", "Relative Strength of Most Common Intervals", INTERVAL),
    Feature("M7", "Number of Common Melodic Intervals", INTERVAL),
    Feature("M8", "Amount of Arpeggiation", ARPEGGIO),
    Feature("M9", "Repeated Notes"),
    Feature("M10", "Chromatic Motion", INTERVAL),
    Feature("M11", "Stepwise Motion", INTERVAL),
    Feature("M12", "Melodic Thirds", INTERVAL),
    Feature("M13", "Melodic Fifths", INTERVAL),
    Feature("M14", "Melodic Tritones", INTERVAL),
    Feature("M15", "Melodic Octaves", INTERVAL),
    Feature("M17", "Direction of Motion", MOVE),
    Feature("M18", "Duration of Melodic Arcs"),
    Feature("M19", "Size of Melodic Arcs"),
)
FEATURES = (*PITCH, *RHYTHM, *MELODY)
"""What is computed, in the order of the columns."""

_UNIMPLEMENTED = "not implemented in music21"
_INSTRUMENTS = "asks about instruments, and a roll names none"
_LOUDNESS = f"{_UNIMPLEMENTED}; asks about loudness, and a roll has none"
_VOICES = "asks how several voices relate, and a roll has one"
_METRE = "every roll is in 4/4"


def _all(reason: str, *ids: str) -> dict[str, str]:
    return dict.fromkeys(ids, reason)


LEFT_OUT: Mapping[str, str] = MappingProxyType(
    _all(_UNIMPLEMENTED, "P17", "P18", "P23", "P24", "P25", "P26")
    | _all(_UNIMPLEMENTED, "R8", "R9", "R10", "R11", "R12", "R13", "R14")
    | _all(_LOUDNESS, "D1", "D2", "D3", "D4")
    | _all(_INSTRUMENTS, *(f"I{number}" for number in range(1, 21)))
    | _all(_VOICES, "T1", "T2", "T3")
    | _all(f"{_UNIMPLEMENTED}; {_VOICES}", *(f"T{n}" for n in (4, 5, 6, 7, 8, 9, 10, 12, 13, 15, 20)))
)
"""Extractors in music21's jSymbolic module that have no column here, by id, and why."""

CONSTANT: Mapping[str, str] = MappingProxyType(
    {
        "P22": "a roll has no key signature, which counts as major",
        "R21": "a sixteenth lasts an eighth of a second, and staccato is under a tenth",
        "R30": "every roll is at 120 quarters a minute",
    }
    | _all(_METRE, "R31", "R32", "R33", "R34", "R35")
)
"""Features that have the same value for every roll (R21: for every roll with a note), by id, and why."""
