"""Partials: single sinusoids on a grid of frequencies and levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .errors import InputError
from .stimuli import COLUMNS, StimulusSet

MAX_GRID = 10_000_000  # a slip of the keyboard, not a wish


@dataclass(frozen=True)
class Snap:
    """Coherent bins: whole numbers of cycles in `n_samples` samples.

    Parameters
    ----------
    n_samples : int > 1
        The window that every tone fills with whole cycles.
    sample_rate : float > 0
        Samples per second.
    coprime : bool
        Only numbers of cycles that share no divisor with `n_samples`: such a tone meets every phase of its
        window, whatever part of the samples is kept.
    """

    n_samples: int
    sample_rate: float
    coprime: bool = False

    def __post_init__(self) -> None:
        if self.n_samples < 3:
            raise InputError(f"snap to {self.n_samples} samples: needs at least 3 for one bin below Nyquist")
        if not (math.isfinite(self.sample_rate) and self.sample_rate > 0):
            raise InputError(f"sample rate {self.sample_rate} Hz: must be a positive, finite number of hertz")

    def cycles(self, frequency_hz: np.ndarray) -> np.ndarray:
        """Return the allowed number of cycles nearest to each frequency, above DC and below Nyquist."""
        wanted = np.asarray(frequency_hz) * self.n_samples / self.sample_rate
        allowed = np.arange(1, (self.n_samples - 1) // 2 + 1)
        if self.coprime:
            allowed = allowed[np.gcd(allowed, self.n_samples) == 1]
        place = np.searchsorted(allowed, wanted)
        low, high = (allowed[p.clip(0, len(allowed) - 1)] for p in (place - 1, place))
        return np.where(wanted - low <= high - wanted, low, high)


def midi_to_hz(midi):
    """Frequency of a MIDI note number, which may be fractional: 69 is 440 Hz, 12 to the octave."""
    return 440.0 * 2.0 ** ((np.asarray(midi, dtype=np.float64) - 69.0) / 12.0)


def hz_to_midi(frequency_hz):
    """MIDI note number of a frequency, fractional."""
    return 69.0 + 12.0 * np.log2(np.asarray(frequency_hz, dtype=np.float64) / 440.0)


def amplitude_of(level_dbfs):
    """Amplitude of a sine whose RMS lies `level_dbfs` above that of a full-scale sine (AES17)."""
    level = np.asarray(level_dbfs, dtype=np.float64)
    wrong = ~(np.abs(level) <= 300)
    if wrong.any():
        raise InputError(
            f"level {level[wrong].flat[0]} dBFS: must be a finite number of at most 300 dB either way"
        )
    return 10.0 ** (level / 20.0)


def partials(
    low_hz: float,
    high_hz: float,
    *,
    per_octave: float | None = None,
    count: int | None = None,
    step_hz: float | None = None,
    spacing: Literal["log", "linear"] = "log",
    level_dbfs: float | Sequence[float] = -20.0,
    phase_rad: float = 0.0,
    snap: Snap | None = None,
) -> StimulusSet:
    """Build single partials from `low_hz` up to `high_hz`, spaced in one of three ways.

    Parameters
    ----------
    low_hz, high_hz : float > 0
        Ends of the grid. The lowest frequency is always in it; the highest is if a step falls on it,
        and always with a `count` of two or more.
    per_octave : float > 0
        So many to the octave.
    count : int > 0
        So many from end to end, evenly by ratio (``spacing="log"``) or difference (``"linear"``).
    step_hz : float > 0
        One every so many hertz.
    spacing : {"log", "linear"}
        How `count` partials are spread; the other two ways leave no choice.
    level_dbfs, phase_rad, snap
        As in `partials_at`.

    Returns
    -------
    stimuli : StimulusSet
        As from `partials_at`.

    Raises
    ------
    InputError
        Unless exactly one of `per_octave`, `count` and `step_hz` is given and the grid holds something.

    Examples
    --------
    >>> partials(110, 440, per_octave=1).coordinates["f0_hz"]
    array([110., 220., 440.])
    >>> len(partials(60, 10_000, count=240, level_dbfs=[-40, -20]))
    480
    """
    for name, value in (("low_hz", low_hz), ("high_hz", high_hz)):
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} {value}: must be a positive, finite number of hertz")
    if low_hz >= high_hz and not (low_hz == high_hz and count == 1):
        raise InputError(f"low_hz {low_hz:g}: must lie below high_hz, which is {high_hz:g}")
    ways = {"per_octave": per_octave, "count": count, "step_hz": step_hz}
    given = {name: value for name, value in ways.items() if value is not None}
    if len(given) != 1:
        raise InputError(f"grid of partials: give one of per_octave, count, step_hz, not {len(given)}")
    [(name, value)] = given.items()
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{name} {value}: must be positive and finite, or the grid is empty")
    if spacing not in ("log", "linear"):
        raise InputError(f"spacing {spacing!r}: must be 'log' or 'linear'")
    span = high_hz - low_hz
    size = {"per_octave": math.log2(high_hz / low_hz) * value, "step_hz": span / value, "count": value}[name]
    if size > MAX_GRID:
        raise InputError(f"{name} {value:g}: the grid would hold over {MAX_GRID:,} partials")
    rounding = 1e-9  # a step that meets high_hz but for rounding counts as meeting it
    if per_octave is not None:
        steps = math.floor(math.log2(high_hz / low_hz) * per_octave + rounding)
        frequency = low_hz * 2.0 ** (np.arange(steps + 1) / per_octave)
    elif step_hz is not None:
        frequency = low_hz + step_hz * np.arange(math.floor(span / step_hz + rounding) + 1)
    elif count != int(value):
        raise InputError(f"count {count}: must be a whole number")
    else:
        frequency = (np.geomspace if spacing == "log" else np.linspace)(low_hz, high_hz, int(value))
    return partials_at(frequency, level_dbfs=level_dbfs, phase_rad=phase_rad, snap=snap)


def partials_at(
    frequencies_hz: Sequence[float] | np.ndarray,
    *,
    level_dbfs: float | Sequence[float] = -20.0,
    phase_rad: float = 0.0,
    snap: Snap | None = None,
) -> StimulusSet:
    """Build single partials at given frequencies.

    Parameters
    ----------
    frequencies_hz : float > 0 [n]
        Frequencies, in the order they are to be played.
    level_dbfs : float or sequence of float
        Level re full scale: a sine of amplitude 1 is 0 dBFS RMS (AES17), so -20 is amplitude 0.1.
        Several levels are crossed with the frequencies; the frequency varies slowest.
    phase_rad : float
        Phase at time 0; 0 starts a sine.
    snap : Snap, optional
        Move every frequency to the nearest coherent bin; of those that fall on the same bin the first
        stays. The coordinate `requested_hz` says what was requested.

    Returns
    -------
    stimuli : StimulusSet
        Coordinates: kind ("partial"), f0_hz, midi (fractional), n_partials (1), level_dbfs, and
        requested_hz if snapped.

    Raises
    ------
    InputError
        If there is no frequency, one is not a positive number, or a level or the phase is not finite.

    Examples
    --------
    >>> snapped = partials_at([440.0, 441.0], snap=Snap(n_samples=1000, sample_rate=24_000))
    >>> snapped.coordinates["f0_hz"], snapped.coordinates["requested_hz"]
    (array([432.]), array([440.]))
    """
    frequency = np.atleast_1d(np.asarray(frequencies_hz, dtype=np.float64))
    wrong = ~(np.isfinite(frequency) & (frequency > 0))
    if wrong.any():
        raise InputError(f"frequency {frequency[wrong][0]} Hz: must be a positive, finite number of hertz")
    if not math.isfinite(phase_rad):
        raise InputError(f"phase {phase_rad} rad: must be finite")
    extra = {}
    if snap is not None:
        cycles, kept = np.unique(snap.cycles(frequency), return_index=True)
        in_order = np.argsort(kept)
        extra = {"requested_hz": frequency[kept[in_order]]}
        frequency = cycles[in_order] * snap.sample_rate / snap.n_samples
    level = np.atleast_1d(np.asarray(level_dbfs, dtype=np.float64))
    amplitude = np.tile(amplitude_of(level), len(frequency))
    n = len(amplitude)
    frequency = np.repeat(frequency, len(level))
    values = (frequency, amplitude, np.full(n, phase_rad), np.zeros(n), np.full(n, np.inf), np.zeros(n))
    return StimulusSet(
        columns=dict(zip(COLUMNS, values, strict=True)),
        first=np.arange(n + 1),
        coordinates={
            "kind": np.full(n, "partial"),
            "f0_hz": frequency,
            "midi": hz_to_midi(frequency),
            "n_partials": np.ones(n, dtype=np.int64),
            "level_dbfs": np.tile(level, n // len(level) if len(level) else 0),
            **{name: np.repeat(v, len(level)) for name, v in extra.items()},
        },
    )
