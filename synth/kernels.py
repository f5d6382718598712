"""Oscillators: sums of sinusoids."""

from __future__ import annotations

import numpy as np


def oscillate_reference(cycles_per_sample, amplitude, phase_rad, first, n_samples, onset, offset, ramp):
    """Sum of float64 sines, the plain way; the yardstick for `oscillate`."""
    out = np.zeros((len(first) - 1, n_samples))
    n = np.arange(n_samples)
    for row in range(len(first) - 1):
        for p in range(first[row], first[row + 1]):
            wave = amplitude[p] * np.sin(2 * np.pi * cycles_per_sample[p] * n + phase_rad[p])
            edge = np.minimum(n - onset[p], offset[p] - n)
            inside = edge >= 0
            if ramp[p] > 0:
                wave = wave * np.where(edge < ramp[p], 0.5 - 0.5 * np.cos(np.pi * edge.clip(0) / ramp[p]), 1.0)
            out[row] += wave * inside
    return out.astype(np.float32)


oscillate = oscillate_reference
