"""Signals that differ in kind, and what they are made of: partials known, or found in a recording."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...synth.chords import chords
from ...synth.contexts import Noise, RecordingSlice, lasting_recordings
from ...synth.errors import InputError
from ...synth.partials import partials_at
from ...synth.pitches import TIMBRES, Timbre, pitches
from ...synth.stimuli import Context, Partial, Stimulus, StimulusSet

LEVEL_DBFS = -20.0
HIGHEST = 0.45  # of the sample rate
RECORDING_SECONDS = 12.0
MAX_RECORDINGS = 6
MAX_PEAKS = 16
PEAK_FLOOR_DB = -30.0
FAINTEST = 1e-6  # amplitude: what lies below is no sound but rounding
DEMODULATION_SECONDS = 0.05  # a Hann window of this length tells partials 40 Hz apart


def representability_signals(
    sample_rate: float, recordings: str | Path | None = None, seed: int = 0, strict: bool = False
) -> StimulusSet:
    """Build 40 signals that differ in kind, and up to 6 recordings.

    Parameters
    ----------
    sample_rate : float > 0
        Nothing lies above 0.45 of it.
    recordings : path, optional
        A folder as in `find_recordings`; of its files that last 12 s at most 6, evenly spread, are
        used, each from its middle.
    seed : int
        Of the random partials.
    strict : bool
        Whether a recording that cannot be read is an error; otherwise it is left out, and named in a warning.

    Returns
    -------
    signals : StimulusSet
        Coordinate `signal_kind`: "single" partials; harmonic "pitch"es over the range of f0; "chord"s;
        "inharmonic" notes, random partials, and partials a few hertz apart, which differ in what is
        predicted and not in number from others; "noisy" ones, in noise; "recording"s, which have a
        context and no partials.

    Raises
    ------
    InputError
        If the folder holds no audio, or none that lasts 12 s; `strict`, if one of it cannot be read.

    Examples
    --------
    >>> signals = representability_signals(24_000)
    >>> len(signals), sorted(set(signals.coordinates["signal_kind"].tolist()))
    (40, ['chord', 'inharmonic', 'noisy', 'pitch', 'single'])
    """
    generator = np.random.default_rng(seed)
    highest = HIGHEST * sample_rate
    notes = [34, 44, 54, 64, 74, 84]  # 58 to 1047 Hz
    of_notes = Timbre(4, name="four")
    kinds: dict[str, list[Stimulus]] = {
        "single": _rows(partials_at(highest / 8 * 2.0 ** np.array([-4.3, -2.9, -1.6, 0.2]))),
        "pitch": _rows(pitches(midi=notes, timbres=["saw", "square"], max_hz=highest)),
        "chord": _rows(
            chords(48, ["major", "diminished"], timbre=of_notes, level_dbfs=LEVEL_DBFS - 5, max_hz=highest)
        )
        + _rows(
            chords(63, ["minor", "augmented", "dominant7"], timbre=of_notes, level_dbfs=LEVEL_DBFS - 5,
                   max_hz=highest)
        ),
        "inharmonic": _rows(pitches(midi=[40, 60], timbres=TIMBRES["stiff"], max_hz=highest))
        + [_random_partials(count, highest, generator) for count in (2, 2, 4, 4, 8, 8, 16, 16)]
        + [_beating(count, step, generator) for count, step in ((2, 1.0), (2, 3.0), (4, 2.0), (8, 2.0))],
        "noisy": [
            replace(_random_partials(count, highest, generator), context=background)
            for count, background in (
                (1, Noise("white", 10.0)), (2, Noise("pink", 10.0)), (4, Noise("white", 20.0)),
                (8, Noise("pink", 20.0)), (10, Noise("white", 10.0)),
            )
        ],
    }  # fmt: skip
    if recordings is not None:
        kinds["recording"] = _recordings(recordings, strict)
    return StimulusSet.of(
        replace(row, coordinates={"signal_kind": kind}) for kind, rows in kinds.items() for row in rows
    )


def _rows(stimuli: StimulusSet) -> list[Stimulus]:
    return [stimuli.stimulus(i) for i in range(len(stimuli))]


def _random_partials(count: int, highest_hz: float, generator: np.random.Generator) -> Stimulus:
    """Draw partials from anywhere above 80 Hz, evenly by ratio, at levels within 12 dB of one another."""
    frequency = np.exp(generator.uniform(np.log(80.0), np.log(highest_hz), count))
    relative = 10 ** (generator.uniform(-12.0, 0.0, count) / 20)
    amplitude = 10 ** (LEVEL_DBFS / 20) * relative / np.sqrt(np.square(relative).sum())
    return Stimulus(tuple(Partial(float(f), float(a)) for f, a in zip(frequency, amplitude, strict=True)))


def _beating(count: int, step_hz: float, generator: np.random.Generator) -> Stimulus:
    """Draw a place for so many partials of one level, a few hertz apart."""
    lowest = np.exp(generator.uniform(np.log(200.0), np.log(2000.0)))
    amplitude = 10 ** (LEVEL_DBFS / 20) / np.sqrt(count)
    return Stimulus(tuple(Partial(float(lowest + i * step_hz), float(amplitude)) for i in range(count)))


def _recordings(folder: str | Path, strict: bool) -> list[Stimulus]:
    lasting, unread = lasting_recordings(folder, 0.0)
    if unread and strict:
        raise InputError(unread[0])
    if unread:
        warnings.warn(f"{len(unread)} recordings left out: {'; '.join(unread)}", stacklevel=3)
    long = [(one.path, lasts_s) for one, lasts_s in lasting if lasts_s >= RECORDING_SECONDS]
    if not long:
        raise InputError(f"folder {folder}: no recording in it lasts {RECORDING_SECONDS:g} s")
    chosen = np.unique(np.linspace(0, len(long) - 1, min(len(long), MAX_RECORDINGS)).round().astype(int))
    return [
        Stimulus((), RecordingSlice(long[i][0], np.floor((long[i][1] - RECORDING_SECONDS) * 500) / 1000))
        for i in chosen
    ]


def draws_of(signals: StimulusSet, row: int, draws: int, generator: np.random.Generator) -> StimulusSet:
    """Repeat a signal with independent random phases of its partials, and other noise each time."""
    repeated = signals[np.full(draws, row)]
    phase = generator.uniform(0, 2 * np.pi, repeated.first[-1])
    context = signals.stimulus(row).context
    background: tuple[Context, ...] = () if context is None else (context,)
    which = np.full(draws, len(background) - 1)
    if isinstance(context, Noise):
        background = tuple(replace(context, seed=context.seed + k) for k in range(draws))
        which = np.arange(draws)
    return StimulusSet(
        {**repeated.columns, "phase_rad": phase}, repeated.first, repeated.coordinates, background, which
    )


def spectral_peaks(waveforms: np.ndarray, sample_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the partials of a recording: peaks of its mean power spectrum.

    Parameters
    ----------
    waveforms : float [K, T]
    sample_rate : float > 0

    Returns
    -------
    frequency_hz, amplitude : float64 [P]
        The at most 16 highest peaks, at least 40 Hz apart, within 30 dB of the highest, from 50 Hz to
        0.45 of the sample rate; of Hann windows of 0.1 s. The frequency is that of the bin. None where
        all lie below -120 dBFS.

    Examples
    --------
    >>> time_s = np.arange(24_000) / 24_000
    >>> spectral_peaks(0.5 * np.sin(2 * np.pi * 440 * time_s)[None], 24_000)[0]
    array([440.])
    """
    from scipy.signal import find_peaks

    length = min(round(0.1 * sample_rate), waveforms.shape[-1])
    window = np.hanning(length + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(waveforms, length, axis=-1)[:, :: length // 2]
    power = np.square(np.abs(np.fft.rfft(frames * window))).mean((0, 1))
    frequency = np.fft.rfftfreq(length, 1 / sample_rate)
    power[(frequency < 50.0) | (frequency > HIGHEST * sample_rate)] = 0.0
    if 2 * np.sqrt(power.max()) < FAINTEST * window.sum():
        return np.zeros(0), np.zeros(0)
    apart = max(1, round(2 / DEMODULATION_SECONDS * length / sample_rate))
    peaks, _ = find_peaks(power, height=power.max() * 10 ** (PEAK_FLOOR_DB / 10), distance=apart)
    peaks = np.sort(peaks[np.argsort(power[peaks])[::-1][:MAX_PEAKS]])
    return frequency[peaks], 2 * np.sqrt(power[peaks]) / window.sum()


def demodulated(
    waveforms: np.ndarray, frequency_hz: np.ndarray, sample_rate: float, last: np.ndarray
) -> np.ndarray:
    """Complex amplitude of a recording at some frequencies: what a Hann window that ends there hears.

    Parameters
    ----------
    waveforms : float [K, T]
    frequency_hz : float [P]
    sample_rate : float > 0
    last : int [n]
        Last samples of the windows, of 50 ms.

    Returns
    -------
    amplitude : complex128 [K, n, P]
        Its angle is the phase, of a cosine, at the last sample.
    """
    length = round(DEMODULATION_SECONDS * sample_rate)
    back = np.arange(length) - (length - 1)
    window = np.hanning(length + 1)[:-1]
    turns = np.exp(-2j * np.pi * np.outer(back, frequency_hz) / sample_rate)
    return 2 / window.sum() * (waveforms[:, last[:, None] + back] * window) @ turns
