"""Oscillators: sums of sinusoids, by a rotor of many lanes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from .errors import InputError


def oscillate(
    cycles_per_sample: np.ndarray,
    amplitude: np.ndarray,
    phase_rad: np.ndarray,
    first: np.ndarray,
    n_samples: int,
    onset_samples: np.ndarray,
    offset_samples: np.ndarray,
    ramp_samples: np.ndarray,
    threads: int = 1,
) -> np.ndarray:
    """Sum sinusoids into waveforms.

    A bank of 64 neighbouring samples turns by one complex rotation at a time, in float64; every
    2048 samples it starts again from the exact phase, so nothing drifts however long the sound is.

    Parameters
    ----------
    cycles_per_sample, amplitude, phase_rad : float64 [n_partials]
        Frequency over sample rate, amplitude and phase at sample 0.
    first : int64 [n_rows + 1]
        Row r is the sum of partials ``first[r]:first[r + 1]``; it may have none.
    n_samples : int > 0
        Length of every waveform.
    onset_samples, offset_samples : float64 [n_partials]
        A partial sounds at samples ``onset <= n <= offset``; neither needs to be whole.
    ramp_samples : float64 [n_partials]
        Length of the raised cosine after the onset and before the offset.
    threads : int > 0
        Rows are shared out among so many threads; the samples do not depend on it.

    Returns
    -------
    waveforms : float32 [n_rows, n_samples]

    Raises
    ------
    InputError
        If `n_samples` or `threads` is less than 1.

    Notes
    -----
    The compiled kernel is serial and releases Python's lock; threads are plain Python threads. Numba's own
    parallel loops kill processes that fork afterwards (OpenMP) or that call them twice at once
    (workqueue), so they are not used.

    Examples
    --------
    >>> one = lambda *values: np.array(values, dtype=np.float64)
    >>> oscillate(one(0.25), one(1.0), one(0.0), np.array([0, 1]), 4, one(0), one(np.inf), one(0)).round(6)
    array([[ 0.,  1.,  0., -1.]], dtype=float32)
    """
    from ._rotor import oscillate_rows

    if n_samples < 1:
        raise InputError(f"length {n_samples} samples: must be at least 1")
    if threads < 1:
        raise InputError(f"threads {threads}: must be at least 1")
    given = (cycles_per_sample, amplitude, phase_rad, onset_samples, offset_samples, ramp_samples)
    cycles, level, phase, onset, offset, ramp = (np.ascontiguousarray(v, dtype=np.float64) for v in given)
    starts = np.ascontiguousarray(first, dtype=np.int64)
    out = np.empty((len(starts) - 1, n_samples), dtype=np.float32)

    def fill(lo: int, hi: int) -> None:
        oscillate_rows(cycles, level, phase, starts[lo : hi + 1], onset, offset, ramp, out[lo:hi])

    cuts = _even_cuts(starts, threads)
    if len(cuts) == 2:
        fill(*cuts)
        return out
    with ThreadPoolExecutor(len(cuts) - 2) as pool:
        others = [pool.submit(fill, *run) for run in pairwise(cuts[1:])]
        fill(*cuts[:2])  # the caller works too
        for other in others:
            other.result()
    return out


def _even_cuts(first: np.ndarray, parts: int) -> list[int]:
    """Row numbers that cut the rows into at most `parts` runs with about as many partials each."""
    work = first - first[0] + np.arange(len(first))  # writing a row costs about one partial
    cuts = np.searchsorted(work, np.linspace(0, work[-1], parts + 1))
    return sorted({*cuts.tolist(), 0, len(first) - 1})


def oscillate_reference(cycles_per_sample, amplitude, phase_rad, first, n_samples, onset, offset, ramp):
    """Sum of float64 sines, the plain way; the yardstick for `oscillate`."""
    out = np.zeros((len(first) - 1, n_samples))
    n = np.arange(n_samples)
    for row in range(len(first) - 1):
        for p in range(first[row], first[row + 1]):
            wave = amplitude[p] * np.sin(2 * np.pi * cycles_per_sample[p] * n + phase_rad[p])
            edge = np.minimum(n - onset[p], offset[p] - n)
            if ramp[p] > 0:
                wave *= np.where(edge < ramp[p], 0.5 - 0.5 * np.cos(np.pi * edge.clip(0) / ramp[p]), 1.0)
            out[row] += wave * (edge >= 0)
    return out.astype(np.float32)
