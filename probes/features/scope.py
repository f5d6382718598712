"""Which extractors of music21 are left out and why, and which features say the same of every roll."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_UNIMPLEMENTED = "not implemented in music21"
_INSTRUMENTS = "asks about instruments, and a roll names none"
_TEXTURE = "asks how several voices relate, and a roll has one"


def _all(reason: str, *ids: str) -> dict[str, str]:
    return dict.fromkeys(ids, reason)


LEFT_OUT: Mapping[str, str] = MappingProxyType(
    _all(_UNIMPLEMENTED, "P17", "P18", "P23", "P24", "P25", "P26")
    | _all(_UNIMPLEMENTED, "R8", "R9", "R10", "R11", "R12", "R13", "R14")
    | _all(f"{_UNIMPLEMENTED}; asks about loudness, and a roll has none", "D1", "D2", "D3", "D4")
    | _all(_INSTRUMENTS, *(f"I{number}" for number in range(1, 21)))
    | _all(_TEXTURE, "T1", "T2", "T3")
    | _all(
        f"{_UNIMPLEMENTED}; {_TEXTURE}",
        "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T12", "T13", "T15", "T20",
    )
)  # fmt: skip
"""Extractors of music21 that have no counterpart here, by id, and why."""

_METRE = "the metre of every roll is 4/4"
CONSTANT: Mapping[str, str] = MappingProxyType(
    {
        "P22": "a roll has no key signature, which counts as major",
        "R21": "a sixteenth lasts an eighth of a second, and staccato is under a tenth",
        "R30": "the tempo of every roll is 120 quarters a minute",
    }
    | _all(_METRE, "R31", "R32", "R33", "R34", "R35")
)
"""Features that have one value for every roll, or one and NaN, by id, and why."""
