"""Similarity of frames whose sounds share a waveform, or parts of a spectrum."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..statistics.planes import NOISE

INVERTED, HALF, SAME = "inverted", "half scrambled", "same waveform"
CHANGES = (INVERTED, HALF, SAME)


def similarities(frames: Tensor, centre: Tensor | float) -> np.ndarray:
    """Return how alike changed sounds leave a frame: 1 the same, 0 as unrelated sounds, -1 the opposite.

    Parameters
    ----------
    frames : float64 [..., draws, 1 + changes, C]
        The frame of each sound, and of it changed.
    centre : float64 [C] or 0
        What deviations are taken from: the mean over sounds.

    Returns
    -------
    similarity : float64 [..., changes]
        ``2 <a, b> / (|a|^2 + |b|^2)``, a and b the deviations, both sums over draws; NaN where they are no
        more than rounding.

    Examples
    --------
    >>> similarities(torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0]]]).double(), 0.0).tolist()
    [-1.0, 0.8]
    """
    moved = frames - centre
    own, changed = moved[..., :1, :], moved[..., 1:, :]
    return _ratio(
        (own * changed).sum(-1),
        own.square().sum(-1) + changed.square().sum(-1),
        frames[..., :1, :].square().sum(-1) + frames[..., 1:, :].square().sum(-1),
    )


def code_similarities(codes: Tensor) -> np.ndarray:
    """Return the same of integers [sounds, draws, 1 + changes, Q], each a one-hot vector.

    Examples
    --------
    >>> codes = torch.tensor([[[[0], [0]]], [[[1], [0]]]])
    >>> code_similarities(codes).round(2).tolist()  # three times 0, once 1
    [[1.0], [-0.6]]
    """
    share, every = torch.zeros(codes.shape, dtype=torch.float64), 0.0
    for q in range(codes.shape[-1]):
        _, place, count = codes[..., q].unique(return_inverse=True, return_counts=True)
        frequency = count.double() / count.sum()
        share[..., q] = frequency[place]
        every += float(frequency.square().sum())
    own, changed = codes[..., :1, :], codes[..., 1:, :]
    # <e_a - f, e_b - f> of one-hot vectors e and their mean f
    both = (own == changed).double().sum(-1) - share[..., :1, :].sum(-1) - share[..., 1:, :].sum(-1) + every
    power = codes.shape[-1] - 2 * share.sum(-1) + every  # [sounds, draws, 1 + changes]
    power = power[..., :1] + power[..., 1:]
    return _ratio(both, power, torch.full_like(power, 2 * codes.shape[-1]))


def _ratio(both: Tensor, power: Tensor, all_there_is: Tensor) -> np.ndarray:
    """Twice `both` over `power`, all [..., draws, changes], summed over draws."""
    both, power = both.sum(-2), power.sum(-2)
    there = power > NOISE**2 * all_there_is.sum(-2)
    return torch.where(there, 2 * both / torch.where(there, power, 1.0), torch.nan).numpy()


def shape_over_spectrum(similarity: np.ndarray, windowed: np.ndarray) -> np.ndarray:
    """Return how much more a frame keeps of a waveform's shape than of its spectrum.

    Parameters
    ----------
    similarity, windowed : float [changes, sounds]
        Of the frame, and of the waveform under its window, for `CHANGES`.

    Returns
    -------
    excess : float [sounds]
        ``s_same / w_same - max(|s_inverted / w_inverted|, |s_half / w_half|)``.

    Examples
    --------
    >>> window = np.array([[-1.0], [0.5], [1.0]])
    >>> spectrum, magnitude, pattern = window, np.ones((3, 1)), np.array([[0.0], [0.1], [0.9]])
    >>> [float(shape_over_spectrum(s, window)[0].round(3)) for s in (spectrum, magnitude, pattern)]
    [0.0, -1.0, 0.7]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        inverted, half, same = similarity / windowed
    excess = same - np.maximum(np.abs(inverted), np.abs(half))
    return np.where(np.isfinite(excess), excess, np.nan)
