"""Polyphase matrices of strided filter banks, and their singular values over frequency."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from ...synth.errors import InputError
from ..engine.runtime import one_thread

# Gram matrices hold squares, which lose half of float64's digits: some 1e-8 would be rounding
FLOOR = 1e-6  # re the largest: whoever undoes less than that makes a signal of float32 rounding
TURNS = 65  # of the curves that are kept; every finer grid contains them
TURNS_PER_TAP = 16  # singular values vary over turns like polynomials of as many terms as there are taps
DIPS = 3  # lowest points of the grid around which the minimum is sought
BLOCK_BYTES = 2**26  # of polyphase matrices at a time


def polyphase_singular_values(kernels: np.ndarray, hop: int, n_turns: int | None = None) -> np.ndarray:
    """Return the singular values of a strided bank's polyphase matrix over frequency.

    Parameters
    ----------
    kernels : float [C, L]
        Real, in order of time; where on the samples they lie does not matter.
    hop : int > 0
        Samples per frame, S.
    n_turns : int >= 2, optional
        Frequencies, theta / 2 pi, evenly from 0 to 0.5 (real kernels mirror themselves beyond). By default
        65, or 8 for each of the ``ceil(L / S)`` taps per phase, if that is more: the minimum over them is
        then mostly, though not surely, within 1 %.

    Returns
    -------
    values : float64 [n_turns, S]
        Descending. All S columns count: with fewer channels than that the last are 0, as is what lies
        below 1e-6 of the largest at any frequency.

    Raises
    ------
    InputError
        If `kernels` is not [C, L] or not finite, or a number is out of range.

    Examples
    --------
    >>> haar = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    >>> np.allclose(polyphase_singular_values(haar, hop=2), 1.0)  # an orthonormal basis
    True
    """
    gram = gram_coefficients(kernels, hop)
    if n_turns is not None and n_turns < 2:
        raise InputError(f"n_turns {n_turns}: must be at least 2")
    turns = turns_of(gram) if n_turns is None else np.linspace(0, 0.5, n_turns)
    some = singular_values(gram, turns)  # [n_turns, min(C, S)]
    values = np.zeros((len(some), hop))
    values[:, : some.shape[1]] = np.where(some < FLOOR * some.max(), 0.0, some)
    return values


def gram_coefficients(kernels: np.ndarray, hop: int) -> np.ndarray:
    """Return the coefficients of the smaller Gram matrix of the polyphase matrix E, [n_taps, m, m].

    With theta running, ``E^H E`` or ``E E^H`` is ``R[0] + sum_d R[d] exp(j theta d) + its adjoint``.
    """
    kernels = np.asarray(kernels, dtype=np.float64)
    if kernels.ndim != 2 or 0 in kernels.shape:
        raise InputError(f"kernels of shape {kernels.shape}: must be [C, L], neither of them 0")
    if not np.isfinite(kernels).all():
        raise InputError("kernels: every tap must be a finite number")
    if hop < 1:
        raise InputError(f"hop {hop}: must be at least 1 sample")
    n_channels, length = kernels.shape
    n_taps = math.ceil(length / hop)
    taps = np.zeros((n_channels, n_taps * hop))
    taps[:, :length] = kernels
    taps = taps.reshape(n_channels, n_taps, hop).transpose(1, 0, 2)  # [n, C, S]
    if n_channels < hop:
        return np.stack([np.tensordot(taps[d:], taps[: n_taps - d], ((0, 2), (0, 2))) for d in range(n_taps)])
    return np.stack([np.tensordot(taps[: n_taps - d], taps[d:], ((0, 1), (0, 1))) for d in range(n_taps)])


def turns_of(gram: np.ndarray) -> np.ndarray:
    """Return a grid that resolves singular values, and holds the grid of the curves that are kept."""
    return np.linspace(0, 0.5, (TURNS - 1) * math.ceil(TURNS_PER_TAP * len(gram) / (TURNS - 1)) + 1)


def singular_values(gram: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Return the singular values that are not zero for want of channels or hop, descending: [n_turns, m]."""
    n_taps, m, _ = gram.shape
    at_once = max(1, BLOCK_BYTES // (16 * (m * m + n_taps)))
    values = []
    for low in range(0, len(turns), at_once):
        turn = np.exp(2j * np.pi * np.outer(turns[low : low + at_once], np.arange(1, n_taps)))
        later = (turn @ gram[1:].reshape(n_taps - 1, m * m)).reshape(-1, m, m)
        matrices = torch.from_numpy(gram[0] + later + later.conj().swapaxes(1, 2))
        with one_thread():
            squares = torch.linalg.eigvalsh(matrices).numpy()
        values.append(np.sqrt(np.maximum(squares[:, ::-1], 0.0)))
    return np.concatenate(values)


def lowest(gram: np.ndarray, turns: np.ndarray, values: np.ndarray) -> float:
    """Return the minimum over turns of what `values` [n_turns] are samples of, sought around the lowest."""
    left, right = np.r_[np.inf, values[:-1]], np.r_[values[1:], np.inf]
    # a dip hardly deeper than both of its neighbours is no deeper than it looks
    dips = np.flatnonzero((left >= values) & (values <= right) & (np.fmin(left, right) > 1.01 * values))
    lowest = float(values.min())
    for i in dips[np.argsort(values[dips])][:DIPS]:
        low, high = turns[max(0, i - 1)], turns[min(len(turns) - 1, i + 1)]
        found = minimize_scalar(
            lambda turn: singular_values(gram, np.array([turn]))[0, -1],
            bounds=(low, high),
            method="bounded",
            options={"xatol": 1e-3 * (high - low)},
        )
        lowest = min(lowest, float(found.fun))  # type: ignore[attr-defined]
    return lowest
