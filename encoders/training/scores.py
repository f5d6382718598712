"""Scores for training: random monophonic lines and chords, and the MIDI bytes that play them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

KINDS = ("line", "chords")
REGISTERS = ("low", "middle", "high")
DENSITIES = ("sparse", "medium", "dense")
TICKS_PER_SECOND = 960  # 480 ticks a beat at MIDI's default of 120 beats a minute

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), tuple(range(12)))
_QUALITIES = (
    (0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8), (0, 5, 7), (0, 2, 7),
    (0, 4, 7, 10), (0, 4, 7, 11), (0, 3, 7, 10),
)  # fmt: skip


# Onsets per second between one density and the next, of each kind: about a third of the pieces lies in each,
# so that density says nothing of the kind.
_DENSITY_EDGES = {"line": (1.75, 2.25), "chords": (0.75, 1.0)}


@dataclass(frozen=True)
class Note:
    """A note of a score: MIDI note number, MIDI velocity 1..127, seconds."""

    midi: int
    velocity: int
    onset_s: float
    offset_s: float


@dataclass(frozen=True)
class ControlChange:
    """A MIDI control change: 91 is the reverb's send level, 120 stops all sound at once."""

    controller: int
    value: int
    onset_s: float


def line(rng: np.random.Generator, seconds: float, lowest: int, highest: int) -> list[Note]:
    """Return a monophonic line: a random walk over a random scale.

    Tempo, rhythm, articulation, loudness and register are drawn once per line, velocities per note.

    Parameters
    ----------
    rng : numpy Generator
    seconds : float > 0
        No note starts at or sounds beyond this time.
    lowest, highest : int
        Range in MIDI note numbers, both included.

    Examples
    --------
    >>> notes = line(np.random.default_rng(0), 4.0, 60, 72)
    >>> all(60 <= note.midi <= 72 and note.offset_s <= 4.0 for note in notes)
    True
    """
    scale = _SCALES[rng.integers(len(_SCALES))]
    tonic = rng.integers(12)
    pitches = [p for p in range(lowest, highest + 1) if (p - tonic) % 12 in scale]
    place = int(rng.integers(len(pitches)))
    notes = []
    for onset_s, length_s, velocity in _rhythm(rng, seconds, beats=(0.25, 0.5, 0.5, 1.0, 1.0, 1.5, 2.0)):
        place = int(np.clip(place + rng.choice((-4, -2, -1, -1, 0, 1, 1, 2, 4)), 0, len(pitches) - 1))
        notes.append(Note(pitches[place], velocity, onset_s, min(seconds, onset_s + length_s)))
    return notes


def chords(rng: np.random.Generator, seconds: float, lowest: int, highest: int) -> list[Note]:
    """Return a row of chords of random root, quality, inversion and spacing; see `line`.

    Examples
    --------
    >>> notes = chords(np.random.default_rng(0), 4.0, 48, 84)
    >>> len(notes) > len({note.onset_s for note in notes})
    True
    """
    notes = []
    for onset_s, length_s, velocity in _rhythm(rng, seconds, beats=(1.0, 2.0, 2.0, 4.0)):
        steps = np.array(_QUALITIES[rng.integers(len(_QUALITIES))])
        steps = steps + 12 * (np.arange(len(steps)) < rng.integers(len(steps)))  # inversion
        steps = steps + 12 * (rng.random(len(steps)) < 0.15)  # open spacing
        root = int(rng.integers(lowest, max(lowest, highest - int(steps.max())) + 1))
        for midi in sorted(set((root + steps).tolist())):
            if midi <= highest:
                own = int(np.clip(velocity + rng.integers(-6, 7), 1, 127))
                notes.append(Note(midi, own, onset_s, min(seconds, onset_s + length_s)))
    return notes


def mean_midi(notes: Sequence[Note]) -> float:
    """Return the mean pitch of notes, in MIDI note numbers, each counted by how long it sounds.

    Examples
    --------
    >>> mean_midi([Note(60, 64, 0.0, 3.0), Note(64, 64, 3.0, 4.0)])
    61.0
    """
    return float(np.average([n.midi for n in notes], weights=[n.offset_s - n.onset_s for n in notes]))


def onset_rate(notes: Sequence[Note], seconds: float) -> float:
    """Return how many times a second notes begin; those that begin together count once.

    Examples
    --------
    >>> onset_rate([Note(60, 64, 0.0, 1.0), Note(64, 64, 0.0, 1.0), Note(62, 64, 1.0, 2.0)], 4.0)
    0.5
    """
    return len({note.onset_s for note in notes}) / seconds


def register_of(midi: float, lowest: int, highest: int) -> str:
    """Return the third of an instrument's sounding range in which a pitch lies, one of `REGISTERS`.

    Examples
    --------
    >>> register_of(50.0, 40, 100), register_of(70.0, 40, 100), register_of(100.0, 40, 100)
    ('low', 'middle', 'high')
    """
    third = int(3 * (midi - lowest) / max(1, highest - lowest))
    return REGISTERS[min(max(third, 0), 2)]


def density_of(onsets_per_s: float, kind: str) -> str:
    """Return how dense a piece is among those of its kind, one of `DENSITIES`.

    Examples
    --------
    >>> density_of(1.5, "line"), density_of(1.5, "chords")
    ('sparse', 'dense')
    """
    return DENSITIES[sum(onsets_per_s >= edge for edge in _DENSITY_EDGES[kind])]


def _rhythm(
    rng: np.random.Generator, seconds: float, beats: Sequence[float]
) -> Iterable[tuple[float, float, int]]:
    """Yield onset, sounding length (seconds) and velocity of events with about one rest in ten."""
    beat_s = 60.0 / rng.uniform(60.0, 180.0)
    articulation = rng.uniform(0.4, 1.0)
    velocity = rng.integers(35, 116)
    onset_s = 0.0
    while onset_s < seconds - 0.05:
        step_s = float(rng.choice(beats)) * beat_s
        if onset_s == 0.0 or rng.random() > 0.1:
            yield onset_s, articulation * step_s, int(np.clip(velocity + rng.integers(-12, 13), 1, 127))
        onset_s += step_s


def midi_file(program: int, notes: Iterable[Note], controls: Iterable[ControlChange] = ()) -> bytes:
    """Return a standard MIDI file (format 0) in which one program plays.

    Parameters
    ----------
    program : int
        General-MIDI program, 0 to 127.
    notes : iterable of Note
    controls : iterable of ControlChange

    Returns
    -------
    bytes

    References
    ----------
    MIDI Manufacturers Association, "Standard MIDI Files 1.0", 1988.

    Examples
    --------
    >>> midi_file(0, [Note(60, 64, 0.0, 0.5)])[:4]
    b'MThd'
    """
    events: list[tuple[int, int, bytes]] = [(0, 0, bytes([0xC0, program]))]  # tick, order within it, bytes
    for control in controls:
        events.append((_ticks(control.onset_s), 1, bytes([0xB0, control.controller, control.value])))
    for note in notes:
        start, stop = _ticks(note.onset_s), _ticks(note.offset_s)
        events.append((start, 3, bytes([0x90, note.midi, note.velocity])))
        events.append((max(stop, start + 1), 2, bytes([0x80, note.midi, 64])))
    track = bytearray()
    now = 0
    for tick, _, message in sorted(events):
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"  # end of track
    header = (
        b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01" + (TICKS_PER_SECOND // 2).to_bytes(2, "big")
    )
    return header + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track)


def _ticks(time_s: float) -> int:
    return round(time_s * TICKS_PER_SECOND)


def _variable_length(value: int) -> bytes:
    """Seven bits a byte, most significant first; all bytes but the last have the top bit set."""
    encoded = bytes([value & 0x7F])
    while value := value >> 7:
        encoded = bytes([0x80 | (value & 0x7F)]) + encoded
    return encoded
