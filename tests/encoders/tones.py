"""Sums of tones, for the tests of encoders whose answers to them are known."""

import numpy as np
import numpy.typing as npt
import torch


def tones(
    frequency_hz: npt.ArrayLike,
    amplitude: npt.ArrayLike = 0.1,
    phase_rad: npt.ArrayLike = 0.0,
    *,
    length: int = 7200,
    sample_rate: float = 24_000,
) -> torch.Tensor:
    """Return the sum of tones as a waveform float32 [1, length]; amplitudes and phases broadcast."""
    f, a, p = np.broadcast_arrays(np.atleast_1d(frequency_hz), amplitude, phase_rad)
    turn = 2 * np.pi * f[:, None] * np.arange(length) / sample_rate + p[:, None]
    return torch.from_numpy((a[:, None] * np.sin(turn)).sum(0)).float()[None]
