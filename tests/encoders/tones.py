"""Sums of tones, for the tests of encoders whose answers to them are known."""

import numpy as np
import torch


def tones(frequency_hz, amplitude=0.1, phase_rad=0.0, *, length=7200, sample_rate=24_000):
    """Return the sum of tones as a waveform float32 [1, length]; amplitudes and phases broadcast."""
    frequency_hz, amplitude, phase_rad = np.broadcast_arrays(
        np.atleast_1d(frequency_hz).astype(float), amplitude, phase_rad
    )
    turn = 2 * np.pi * frequency_hz[:, None] * np.arange(length) / sample_rate + phase_rad[:, None]
    return torch.from_numpy((amplitude[:, None] * np.sin(turn)).sum(0)).float()[None]
