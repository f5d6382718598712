"""What two encoders are played: single tones, and sounds that find what tones do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...synth.partials import amplitude_of
from ...synth.stimuli import Partial, Stimulus, StimulusSet

TONES = 24
LOWEST_HZ, HIGHEST = 50.0, 0.45  # of the sample rate
LEVEL_DBFS = -20.0
CANDIDATES = 81  # frequencies around each wanted one, up to 4 % off
NOISE_PARTIALS = 200
BURST, RAMP_S = (0.3, 0.6), 0.005  # when the burst sounds, of the whole length


def sounds_for(sample_rate: int, hops: Sequence[int], n_samples: int) -> StimulusSet:
    """Return the sounds that two encoders are compared on; they are called by their coordinate `sound`.

    Tones come first. All are sums of partials, so that each can be played a fraction of a sample later.

    Parameters
    ----------
    sample_rate : int
    hops : sequence of int
        Samples per frame of the stages: no tone folds near 0 or half of a frame rate, where its phase
        cannot be seen.
    n_samples : int
        How long they will be played.

    Examples
    --------
    >>> sounds = sounds_for(16_000, [320], 16_000)
    >>> [str(name) for name in sounds.coordinates["sound"][-3:]]
    ['loud noise', 'noise burst', 'silence']
    """
    duration_s = n_samples / sample_rate
    generator = np.random.default_rng(0)
    rows = [
        _sound(f"tone {f:.5g} Hz", [f], [1.0], [2 * np.pi * i * 0.618], LEVEL_DBFS)
        for i, f in enumerate(tone_frequencies(sample_rate, hops))
    ]
    highest_hz = HIGHEST * sample_rate
    harmonics = np.arange(1, 1 + min(12, int(highest_hz // 110)))
    rows.append(_sound("harmonics of 110 Hz", 110.0 * harmonics, 1 / harmonics, harmonics, LEVEL_DBFS))
    pulses = np.arange(1, 1 + int(highest_hz // LOWEST_HZ))
    ones = np.ones(len(pulses))
    rows.append(_sound("pulses", LOWEST_HZ * pulses, ones, np.pi / 2 * ones, LEVEL_DBFS))
    noise = (
        np.exp(generator.uniform(np.log(LOWEST_HZ), np.log(highest_hz), NOISE_PARTIALS)),
        np.ones(NOISE_PARTIALS),
        generator.uniform(0, 2 * np.pi, NOISE_PARTIALS),
    )
    rows += [
        _sound(name, *noise, level_dbfs)
        for name, level_dbfs in (("noise", LEVEL_DBFS), ("quiet noise", -60.0), ("loud noise", 0.0))
    ]
    rows.append(_sound("noise burst", *noise, LEVEL_DBFS, (BURST[0] * duration_s, BURST[1] * duration_s)))
    rows.append(_sound("silence", [LOWEST_HZ], [0.0], [0.0], LEVEL_DBFS))
    return StimulusSet.of(rows)


def _sound(
    name: str,
    frequency_hz: Sequence[float] | np.ndarray,
    weight: Sequence[float] | np.ndarray,
    phase_rad: Sequence[float] | np.ndarray,
    level_dbfs: float,
    between_s: tuple[float, float] = (0.0, np.inf),
) -> Stimulus:
    amplitude = amplitude_of(level_dbfs) * np.asarray(weight) / max(float(np.linalg.norm(weight)), 1e-12)
    ramp_s = RAMP_S if between_s[0] > 0 else 0.0
    partials = [
        Partial(float(f), float(a), float(p), *between_s, ramp_s)
        for f, a, p in zip(frequency_hz, amplitude, phase_rad, strict=True)
    ]
    return Stimulus(tuple(partials), coordinates={"sound": name})


def tone_frequencies(sample_rate: int, hops: Sequence[int]) -> np.ndarray:
    """Return frequencies in Hz, evenly spaced by ratio but for what keeps them from folding badly."""
    wanted = np.geomspace(LOWEST_HZ, HIGHEST * sample_rate, TONES)
    candidates = wanted[:, None] * np.linspace(0.96, 1.0, CANDIDATES)  # [tones, candidates]
    turns = candidates[..., None] * np.unique(np.asarray(hops)) / sample_rate  # cycles a frame
    away = np.abs(2 * turns - np.round(2 * turns)).min(axis=-1)  # of half a cycle
    return candidates[np.arange(TONES), away.argmax(axis=1)]


def transformed(sounds: StimulusSet, sample_rate: int, delay: float = 0.0, gain: float = 1.0) -> StimulusSet:
    """Return the sounds `delay` samples later, which may be a fraction, and `gain` times as large.

    Examples
    --------
    >>> sounds = sounds_for(16_000, [320], 16_000)
    >>> later = transformed(sounds, 16_000, delay=3.0)
    >>> a, b = (one[:24].render(16_000, 200) for one in (sounds, later))
    >>> bool(np.allclose(a[:, :-3], b[:, 3:], atol=1e-6))
    True
    """
    columns = dict(sounds.columns)
    starts = columns["onset_s"] > 0
    later_s = delay / sample_rate
    columns["phase_rad"] = columns["phase_rad"] - 2 * np.pi * columns["frequency_hz"] * later_s
    columns["onset_s"] = columns["onset_s"] + np.where(starts, later_s, 0.0)
    columns["offset_s"] = columns["offset_s"] + np.where(starts, later_s, 0.0)
    columns["amplitude"] = columns["amplitude"] * gain
    return replace(sounds, columns=columns)
