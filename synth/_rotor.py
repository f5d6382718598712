"""The compiled part of `kernels`, in a module of its own because importing numba takes a while."""

from __future__ import annotations

import math

import numba
import numpy as np

BLOCK = 2048  # samples between two exact phases; both buffers stay in the first-level cache
LANES = 64  # samples that one turn of the rotor moves at once


@numba.njit(fastmath={"contract"})
def _fill_lanes(cycles, amplitude, phase, start, lane_cos, lane_sin):
    """Fill the lanes from the exact phase at sample `start`; return the turn by LANES samples."""
    turns = cycles * start
    angle = 2.0 * math.pi * (turns - math.floor(turns)) + phase
    lane_cos[0], lane_sin[0] = amplitude * math.cos(angle), amplitude * math.sin(angle)
    c, s = math.cos(2.0 * math.pi * cycles), math.sin(2.0 * math.pi * cycles)
    m = 1
    while m < LANES:  # lanes 0..m turned by m samples are lanes m..2m
        from_cos, from_sin, to_cos, to_sin = lane_cos[:m], lane_sin[:m], lane_cos[m:], lane_sin[m:]
        for i in range(m):
            to_cos[i] = from_cos[i] * c - from_sin[i] * s
            to_sin[i] = from_sin[i] * c + from_cos[i] * s
        c, s = c * c - s * s, 2.0 * c * s
        m *= 2
    return c, s


@numba.njit(fastmath={"contract"})
def _turn_lanes(n_turns, step_cos, step_sin, lane_cos, lane_sin, into, fresh):
    """Write the sinusoid into ``into[:n_turns]`` if it is fresh, else add it."""
    c, s = 1.0, 0.0
    for k in range(n_turns):
        if fresh:
            for i in range(LANES):
                into[k, i] = lane_sin[i] * c + lane_cos[i] * s
        else:
            for i in range(LANES):
                into[k, i] += lane_sin[i] * c + lane_cos[i] * s
        c, s = c * step_cos - s * step_sin, s * step_cos + c * step_sin


@numba.njit(fastmath={"contract"})
def _turn_lanes_out(n_turns, step_cos, step_sin, lane_cos, lane_sin, total, fresh, out):
    """Write the sinusoid, and `total` unless it is fresh, straight to the output.

    Storing between the turns instead of after them hides the memory's time: twice as fast for one partial.
    """
    c, s = 1.0, 0.0
    for k in range(n_turns):
        target = out[k * LANES : (k + 1) * LANES]
        if fresh:
            for i in range(LANES):
                target[i] = lane_sin[i] * c + lane_cos[i] * s
        else:
            for i in range(LANES):
                target[i] = total[k, i] + (lane_sin[i] * c + lane_cos[i] * s)
        c, s = c * step_cos - s * step_sin, s * step_cos + c * step_sin


@numba.njit(fastmath={"contract"})
def _add_enveloped(n_turns, start, onset, offset, ramp, wave, total):
    for k in range(n_turns):
        for i in range(LANES):
            n = start + k * LANES + i
            edge = min(n - onset, offset - n)
            if edge >= ramp:
                total[k, i] += wave[k, i]
            elif edge >= 0.0:
                total[k, i] += wave[k, i] * (0.5 - 0.5 * math.cos(math.pi * edge / ramp))


@numba.njit(
    "void(float64[::1], float64[::1], float64[::1], int64[::1], float64[::1], float64[::1], float64[::1],"
    " float32[:, ::1])",
    cache=True,
    nogil=True,
    fastmath={"contract"},  # fused multiply-add; no sum is reordered
)
def oscillate_rows(cycles, amplitude, phase, first, onset, offset, ramp, out):
    """Fill ``out[row]`` with the sum of partials ``first[row]:first[row + 1]``."""
    n_rows, n_samples = out.shape
    total, wave = np.empty((BLOCK // LANES, LANES)), np.empty((BLOCK // LANES, LANES))
    lane_cos, lane_sin = np.empty(LANES), np.empty(LANES)
    for row in range(n_rows):
        for start in range(0, n_samples, BLOCK):
            length = min(BLOCK, n_samples - start)
            n_turns = (length + LANES - 1) // LANES
            target = out[row, start : start + length]
            fresh, written = True, False
            for p in range(first[row], first[row + 1]):
                if onset[p] > start + length - 1 or offset[p] < start:
                    continue
                step_cos, step_sin = _fill_lanes(cycles[p], amplitude[p], phase[p], start, lane_cos, lane_sin)
                plain = onset[p] + ramp[p] <= start and offset[p] - ramp[p] >= start + length - 1
                if plain and p + 1 == first[row + 1] and n_turns * LANES == length:
                    _turn_lanes_out(n_turns, step_cos, step_sin, lane_cos, lane_sin, total, fresh, target)
                    written = True
                elif plain:
                    _turn_lanes(n_turns, step_cos, step_sin, lane_cos, lane_sin, total, fresh)
                else:
                    _turn_lanes(n_turns, step_cos, step_sin, lane_cos, lane_sin, wave, True)
                    if fresh:
                        total[:n_turns] = 0.0
                    _add_enveloped(n_turns, start, onset[p], offset[p], ramp[p], wave, total)
                fresh = False
            if fresh and not written:
                target[:] = 0.0
            elif not written:
                samples = total.reshape(BLOCK)
                for i in range(length):
                    target[i] = samples[i]
