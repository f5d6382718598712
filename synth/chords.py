"""Chords: notes that sound together, by root, quality, inversion and voicing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from .errors import InputError
from .partials import midi_to_hz
from .pitches import Timbre, find_timbre
from .stimuli import Stimulus, StimulusSet

QUALITIES = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "diminished": (0, 3, 6),
    "augmented": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "dominant7": (0, 4, 7, 10),
    "major7": (0, 4, 7, 11),
    "minor7": (0, 3, 7, 10),
    "half-diminished7": (0, 3, 6, 10),
    "diminished7": (0, 3, 6, 9),
}
TRIADS = ("major", "minor", "diminished", "augmented")
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
VOICINGS = ("close", "open", "spread")


def chord_notes(root_midi: float, quality: str, inversion: int = 0, voicing: str = "close") -> list[float]:
    """MIDI note numbers of a chord, from low to high.

    Parameters
    ----------
    root_midi : float
        The root; with ``inversion=0`` and ``voicing="close"`` it is the lowest note.
    quality : str
        A key of `QUALITIES`.
    inversion : int >= 0
        So many of the lowest notes move up an octave.
    voicing : {"close", "open", "spread"}
        Applied to the inverted chord. "open": the second note from the top moves down an octave
        (drop 2). "spread": every second note from the bottom moves up an octave; the bass stays.

    Raises
    ------
    InputError
        If the quality, the inversion or the voicing does not exist.

    Examples
    --------
    >>> chord_notes(60, "major"), chord_notes(60, "major", 1)
    ([60, 64, 67], [64, 67, 72])
    >>> chord_notes(60, "major", voicing="open"), chord_notes(60, "major", voicing="spread")
    ([52, 60, 67], [60, 67, 76])
    """
    if quality not in QUALITIES:
        raise InputError(f"chord quality {quality!r}: not known; known are {', '.join(QUALITIES)}")
    notes = [root_midi + interval for interval in QUALITIES[quality]]
    if not (inversion == int(inversion) and 0 <= inversion < len(notes)):
        raise InputError(f"inversion {inversion}: a {quality} chord has inversions 0 to {len(notes) - 1}")
    notes = notes[inversion:] + [note + 12 for note in notes[:inversion]]
    if voicing not in VOICINGS:
        raise InputError(f"voicing {voicing!r}: must be one of {', '.join(VOICINGS)}")
    if voicing == "open":
        notes[-2] -= 12
    elif voicing == "spread":
        notes[1::2] = [note + 12 for note in notes[1::2]]
    return sorted(notes)


def chords(
    roots_midi: float | Sequence[float],
    qualities: str | Sequence[str] = TRIADS,
    inversions: int | Sequence[int] = (0,),
    voicings: str | Sequence[str] = ("close",),
    timbre: str | Timbre = "saw",
    level_dbfs: float = -26.0,
    max_hz: float | None = None,
) -> StimulusSet:
    """Build chords: every root in every quality, inversion and voicing; the root varies slowest.

    Parameters
    ----------
    roots_midi : float or sequence of float
        MIDI note numbers of the roots.
    qualities, inversions, voicings : one or a sequence
        As in `chord_notes`.
    timbre : name or Timbre
        Of every note; names as in `TIMBRES`.
    level_dbfs : float
        Level **of each note**, RMS re a full-scale sine: a note is as loud in a chord as alone.
    max_hz : float, optional
        Leave out partials above this; each note keeps its level.

    Returns
    -------
    stimuli : StimulusSet
        Coordinates: kind ("chord"), root_midi, root (pitch class of the nearest semitone), quality,
        inversion, voicing, timbre, f0_hz (of the root), n_notes, n_partials, level_dbfs.

    Raises
    ------
    InputError
        If a quality, inversion, voicing or timbre does not exist, or a number is not finite.

    Examples
    --------
    >>> some = chords([48, 50], ["major", "minor7"])
    >>> some.coordinates["root"].tolist(), some.coordinates["n_notes"].tolist()
    (['C', 'C', 'D', 'D'], [3, 4, 3, 4])
    """
    of = find_timbre(timbre)
    roots = np.atleast_1d(np.asarray(roots_midi, dtype=np.float64))
    if not np.isfinite(roots).all():
        raise InputError(f"root {roots[~np.isfinite(roots)][0]}: must be a finite MIDI note number")
    grid = product(
        roots.tolist(),
        [qualities] if isinstance(qualities, str) else qualities,
        [inversions] if isinstance(inversions, int) else inversions,
        [voicings] if isinstance(voicings, str) else voicings,
    )

    def row(root: float, quality: str, inversion: int, voicing: str) -> Stimulus:
        notes = chord_notes(root, quality, inversion, voicing)
        parts = tuple(p for note in notes for p in of.note(float(midi_to_hz(note)), level_dbfs, max_hz))
        return Stimulus(
            parts,
            coordinates={
                "kind": "chord", "root_midi": root, "root": PITCH_CLASSES[round(root) % 12],
                "quality": quality, "inversion": inversion, "voicing": voicing, "timbre": of.name,
                "f0_hz": float(midi_to_hz(root)), "n_notes": len(notes), "n_partials": len(parts),
                "level_dbfs": float(level_dbfs),
            },
        )  # fmt: skip

    return StimulusSet.of(row(*cell) for cell in grid)
