"""All features of many melodies: one table, filled a few thousand melodies at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...synth.melodies import checked_rolls, notes
from .table import FEATURES, Feature

_CHUNK = 1024  # melodies whose notes are listed at a time


@dataclass(frozen=True)
class Features:
    """Features of N melodies, one in each column; a feature that is a vector has several columns.

    Parameters
    ----------
    values : float64 [N, F]
        In seconds, semitones, MIDI numbers, beats a minute, counts or shares; NaN where a feature has no
        value, as on a melody without notes.
    names : tuple of str
        As music21 spells them; "Pitch Class Distribution 3" is entry 3, from 0, of a vector.
    ids : tuple of str
        Of jSymbolic, such as "P20"; the same for all columns of a vector.
    groups : tuple of str
        "pitch", "rhythm" or "melody".
    """

    values: np.ndarray
    names: tuple[str, ...]
    ids: tuple[str, ...]
    groups: tuple[str, ...]


def features(rolls) -> Features:
    """Compute jSymbolic's pitch, rhythm and melody features of melodies.

    Each equals what music21's extractor of that name gives for the same melody, written as notes and
    rests in 4/4 at 120 quarters a minute: a rest lasts from the start of the roll to the first note,
    from a NOTE_OFF to the next note, and from the last NOTE_OFF to the end. Where music21 raises, there
    is NaN; `FEATURES` tells what each feature needs. `LEFT_OUT` tells which extractors have no column and
    why, `CONSTANT` which features have the same value for every roll. Entries of histograms that notes of
    MIDI 21 to 108 do not reach are 0 throughout.

    Parameters
    ----------
    rolls : integers [N, T]
        Melodies of T sixteenths; see `tonotopy.synth.melodies`.

    Returns
    -------
    features : Features
        With float64 values [N, F], about 2.7 kB a melody.

    Raises
    ------
    InputError
        If `rolls` are not rolls.

    Notes
    -----
    The features are McKay's (*Automatic Genre Classification of MIDI Recordings*, 2004), in the
    definitions of music21 10.5.1 (``music21.features.jSymbolic``); the module ``table`` lists where those
    depart from jSymbolic.

    Examples
    --------
    >>> found = features([[41, 0, 43, 0, 45, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0]])
    >>> found.values[:, found.names.index("Range")]
    array([ 4., nan])
    >>> found.values[:, found.names.index("Duration")]
    array([0.875,   nan])
    """
    from ._kernels import fill

    rolls = checked_rolls(rolls)
    values = np.empty((len(rolls), sum(feature.columns for feature in FEATURES)))
    for start in range(0, len(rolls), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        played = notes(rolls[chunk])
        fill(played.onsets, played.durations, played.midi, played.offsets, values[chunk])
    labels = [(_name(f, entry), f.id, f.group) for f in FEATURES for entry in range(f.columns)]
    names, ids, groups = zip(*labels, strict=True)
    return Features(values, names, ids, groups)


def _name(feature: Feature, entry: int) -> str:
    return feature.name if feature.columns == 1 else f"{feature.name} {entry}"
