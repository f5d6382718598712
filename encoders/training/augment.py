"""What a training example goes through: background, noise and another level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .audio import AudioStore


@dataclass(frozen=True)
class Augmentation:
    """How examples are varied; ranges are drawn from evenly.

    Parameters
    ----------
    share : float
        Share of examples that get each of: a spectral tilt, noise, a background recording.
    tilt_db_per_octave : (float, float)
        Slope of a filter on the example, as rooms, microphones and other instruments have it.
    noise_snr_db, background_snr_db : (float, float)
        Power of the example over that of the noise (white or pink) or background, in dB.
    peak_dbfs : (float, float)
        Peak of the mixture, dB re full scale.
    """

    share: float = 0.5
    tilt_db_per_octave: tuple[float, float] = (-4.0, 4.0)
    noise_snr_db: tuple[float, float] = (5.0, 50.0)
    background_snr_db: tuple[float, float] = (10.0, 40.0)
    peak_dbfs: tuple[float, float] = (-30.0, 0.0)


def augment(
    example: np.ndarray, settings: Augmentation, background: AudioStore | None, rng: np.random.Generator
) -> np.ndarray:
    """Return a varied copy of a float32 [T] example."""
    if rng.random() < settings.share:
        example = tilted(example, rng.uniform(*settings.tilt_db_per_octave))
    mixture = example.astype(np.float32)
    rms = max(_rms(example), 1e-4)
    if rng.random() < settings.share:
        noise = white(len(example), rng) if rng.random() < 0.5 else pink(len(example), rng)
        mixture = mixture + noise * (rms * _gain(-rng.uniform(*settings.noise_snr_db)))
    if background is not None and rng.random() < settings.share:
        background_crop = background.crop(int(rng.integers(len(background))), len(example), rng)
        level = rms * _gain(-rng.uniform(*settings.background_snr_db)) / max(_rms(background_crop), 1e-4)
        mixture = mixture + background_crop * level
    peak = max(float(np.abs(mixture).max()), 1e-6)
    return mixture * np.float32(_gain(rng.uniform(*settings.peak_dbfs)) / peak)


def tilted(example: np.ndarray, slope_db_per_octave: float) -> np.ndarray:
    """Return float32 [T] whose spectrum is tilted, with its mean gone and its power unchanged."""
    spectrum = np.fft.rfft(example)
    spectrum[0] = 0.0
    spectrum[1:] *= np.arange(1, len(spectrum)) ** (slope_db_per_octave / (20 * np.log10(2)))
    changed = np.fft.irfft(spectrum, len(example))
    return (changed * (_rms(example) / max(_rms(changed), 1e-12))).astype(np.float32)


def white(length: int, rng: np.random.Generator) -> np.ndarray:
    """Return white noise of unit power, float32 [length]."""
    return rng.standard_normal(length, dtype=np.float32)


def pink(length: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise of unit power whose spectral density falls by 3 dB per octave, float32 [length]."""
    spectrum = np.fft.rfft(white(length, rng))
    spectrum[0] = 0.0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    noise = np.fft.irfft(spectrum, length)
    return (noise / _rms(noise)).astype(np.float32)


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _gain(level_db: float) -> float:
    return 10.0 ** (level_db / 20)
