"""Pitches: notes made of partials, by a timbre."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .partials import amplitude_of, hz_to_midi, midi_to_hz
from .stimuli import Partial, Stimulus, StimulusSet


@dataclass(frozen=True)
class Timbre:
    """What a note is made of.

    Partial k, for each harmonic number k that sounds, has amplitude ``k ** (slope / 6.02)`` and frequency
    ``k f0 sqrt((1 + B k^2) / (1 + B))``: a stiff string's (Fletcher & Rossing, *The Physics of Musical
    Instruments*, 2.18), divided so that the first partial is f0 for every B.

    Parameters
    ----------
    n_partials : int > 0
        Partials that sound.
    slope_db_per_octave : float
        Level of partial 2k re partial k; -6.02 is a sawtooth's.
    odd_only : bool
        Harmonic numbers 1, 3, 5, ... instead of 1, 2, 3, ...
    missing_fundamental : bool
        Leave out number 1; `n_partials` still sound.
    inharmonicity : float >= 0
        B; a piano's is about 4e-4 in the middle of the keyboard.
    name : str
        Coordinate value of the rows that use it.

    Examples
    --------
    >>> Timbre(3, odd_only=True).harmonics
    array([1, 3, 5])
    """

    n_partials: int = 10
    slope_db_per_octave: float = -6.02
    odd_only: bool = False
    missing_fundamental: bool = False
    inharmonicity: float = 0.0
    name: str = "custom"

    def __post_init__(self) -> None:
        if self.n_partials < 1:
            raise InputError(f"timbre {self.name!r}: n_partials {self.n_partials} must be at least 1")
        if not math.isfinite(self.slope_db_per_octave):
            raise InputError(f"timbre {self.name!r}: {self.slope_db_per_octave} dB/octave must be finite")
        if not (math.isfinite(self.inharmonicity) and self.inharmonicity >= 0):
            raise InputError(f"timbre {self.name!r}: inharmonicity {self.inharmonicity} must be >= 0")

    @property
    def harmonics(self) -> np.ndarray:
        """Harmonic numbers that sound, int64 [n_partials]."""
        step = 2 if self.odd_only else 1
        return 1 + step * np.arange(self.missing_fundamental, self.n_partials + self.missing_fundamental)

    def note(self, f0_hz: float, level_dbfs: float, max_hz: float | None = None) -> tuple[Partial, ...]:
        """Return the partials of one note.

        Parameters
        ----------
        f0_hz : float > 0
            Frequency of the first partial, whether it sounds or not.
        level_dbfs : float
            RMS of the whole note re that of a full-scale sine.
        max_hz : float, optional
            Leave out partials above this; the note keeps its level.

        Raises
        ------
        InputError
            If `f0_hz` or the level is no usable number, or no partial is left.

        Notes
        -----
        Phases are Schroeder's (1970), ``-2 pi sum_{l<n} (n - l) p_l`` for relative powers p: they keep
        the crest factor low, so a note plays louder before it clips, and depend on the timbre alone.
        """
        if not (math.isfinite(f0_hz) and f0_hz > 0):
            raise InputError(f"f0 {f0_hz} Hz: must be a positive, finite number of hertz")
        k, b = self.harmonics, self.inharmonicity
        frequency = k * f0_hz * np.sqrt((1 + b * k.astype(float) ** 2) / (1 + b))
        kept = frequency <= (math.inf if max_hz is None else max_hz)
        if not kept.any():
            raise InputError(
                f"f0 {f0_hz:g} Hz, timbre {self.name!r}: no partial lies at or below max_hz {max_hz}"
            )
        decibels = self.slope_db_per_octave * np.log2(k[kept])
        power = 10.0 ** ((decibels - decibels.max()) / 10.0)  # re the loudest, so no slope overflows
        power /= power.sum()
        amplitude = amplitude_of(level_dbfs) * np.sqrt(power)
        phase = np.concatenate([[0.0], -2 * np.pi * np.cumsum(np.cumsum(power))[:-1]]) % (2 * np.pi)
        return tuple(
            Partial(*map(float, values)) for values in zip(frequency[kept], amplitude, phase, strict=True)
        )


TIMBRES = {
    timbre.name: timbre
    for timbre in (
        Timbre(1, name="sine"),
        Timbre(10, -6.02, name="saw"),
        Timbre(10, -6.02, odd_only=True, name="square"),
        Timbre(10, -12.04, odd_only=True, name="triangle"),
        Timbre(10, 0.0, name="bright"),
        Timbre(10, -12.04, name="dull"),
        Timbre(10, -6.02, missing_fundamental=True, name="missing"),
        Timbre(10, -6.02, inharmonicity=4e-4, name="stiff"),
    )
}


def find_timbre(timbre: str | Timbre) -> Timbre:
    """Return a timbre given itself or its name in `TIMBRES`."""
    if isinstance(timbre, Timbre):
        return timbre
    if timbre not in TIMBRES:
        raise InputError(f"timbre {timbre!r}: not known; known are {', '.join(TIMBRES)}")
    return TIMBRES[timbre]


def pitches(
    f0_hz: float | Sequence[float] | None = None,
    midi: float | Sequence[float] | None = None,
    timbres: str | Timbre | Sequence[str | Timbre] = ("saw",),
    level_dbfs: float = -20.0,
    max_hz: float | None = None,
) -> StimulusSet:
    """Build notes of given fundamentals, each in each timbre; f0 varies slowest.

    Parameters
    ----------
    f0_hz, midi : float or sequence of float
        Fundamentals in hertz or as MIDI note numbers (69 is 440 Hz; they may be fractional).
    timbres : name or Timbre, or a sequence of them
        Names as in `TIMBRES`.
    level_dbfs : float
        RMS of each whole note re that of a full-scale sine.
    max_hz : float, optional
        Leave out partials above this; notes keep their level, and `n_partials` says what is left.

    Returns
    -------
    stimuli : StimulusSet
        Coordinates: kind ("pitch"), f0_hz, midi, timbre (name), n_partials, level_dbfs.

    Raises
    ------
    InputError
        Unless exactly one of `f0_hz` and `midi` is given, every number is usable, and timbres have
        different names.

    Examples
    --------
    >>> notes = pitches(midi=[57, 69], timbres=["sine", "saw"])
    >>> notes.coordinates["f0_hz"], notes.coordinates["n_partials"]
    (array([220., 220., 440., 440.]), array([ 1, 10,  1, 10]))
    """
    if (f0_hz is None) == (midi is None):
        raise InputError("pitches: give exactly one of f0_hz and midi")
    fundamentals = np.atleast_1d(np.asarray(f0_hz, dtype=np.float64) if midi is None else midi_to_hz(midi))
    chosen = [find_timbre(t) for t in ([timbres] if isinstance(timbres, str | Timbre) else timbres)]
    names = [timbre.name for timbre in chosen]
    if len(set(names)) < len(names):
        raise InputError(f"timbres {', '.join(names)}: must have different names")
    if max_hz is not None and not max_hz > 0:
        raise InputError(f"max_hz {max_hz}: must be a positive number of hertz")

    def row(f0: float, timbre: Timbre) -> Stimulus:
        note = timbre.note(f0, level_dbfs, max_hz)
        coordinates = {"kind": "pitch", "f0_hz": f0, "midi": float(hz_to_midi(f0)), "timbre": timbre.name}
        return Stimulus(
            note, coordinates={**coordinates, "n_partials": len(note), "level_dbfs": float(level_dbfs)}
        )

    return StimulusSet.of(row(float(f0), timbre) for f0 in fundamentals for timbre in chosen)
