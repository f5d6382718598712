"""Codes that two encoders chose differently: near a decision, or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...encoders.base import Stage


def quantizer_steps(stage: Stage, codebooks: int) -> int:
    """Return by how many of some codebooks a stage is quantized; 0 of one before a quantizer.

    Examples
    --------
    >>> quantizer_steps(Stage("quantized_2", 8, 320, None, 0), 4)  # of a wrapped module, known by its name
    2
    """
    if stage.is_integer or stage.name == "quantized":
        return codebooks
    named = re.fullmatch(r"quantized_(\d+)", stage.name)
    return stage.codebooks or (int(named[1]) if named else 0)


@dataclass(frozen=True)
class Flips:
    """Frames in which two encoders chose other codes; each counts at the first step at which they differ.

    Parameters
    ----------
    frames : int
        All that were compared; without codebooks each once, however often it comes, as that of silence does.
    near, beyond : int64 [Q]
        At each step those that what the latent moved accounts for, and those that it does not. Without
        codebooks in the latent's space all are beyond: nobody can tell.
    worst : float
        Largest distance that the other's entry was farther by than the nearest, less what may be; 0 without.
    has_margins : bool
        Whether there are codebooks to tell by.
    """

    frames: int
    near: np.ndarray
    beyond: np.ndarray
    worst: float
    has_margins: bool


def flips(
    codes: Tensor,
    others: Tensor,
    latent: Tensor | None = None,
    other: Tensor | None = None,
    codebooks: Sequence[Tensor] = (),
) -> Flips:
    """Count codes that differ, and tell which were near a decision.

    A vector that moved by d may choose an entry that is farther by up to 2 d; besides, squared distances
    expanded into float32 products are rounded, by at most the number of channels and 2 units in the last
    place of ``(|x| + |e|)^2``.

    Parameters
    ----------
    codes, others : int [B, Q, F]
    latent, other : float32 [B, D, F], optional
        What was quantized.
    codebooks : sequence of float32 [entries, D], optional
        Of the first.

    Examples
    --------
    >>> book = torch.tensor([[0.0], [1.0]])
    >>> one, two = torch.tensor([[[0.49, 0.1]]]), torch.tensor([[[0.51, 0.1]]])
    >>> found = flips(torch.tensor([[[0, 0]]]), torch.tensor([[[1, 1]]]), one, two, [book])
    >>> found.near.tolist(), found.beyond.tolist()
    ([1], [1])
    """
    steps = codes.shape[1]
    frames = min(codes.shape[2], others.shape[2])
    codes, others = (c[:, :, :frames].transpose(1, 2).flatten(0, 1) for c in (codes, others))  # [N, Q]
    near, beyond = np.zeros(steps, np.int64), np.zeros(steps, np.int64)
    alike = torch.ones(len(codes), dtype=torch.bool)
    if latent is None or other is None or not codebooks:
        both = torch.cat([codes, others], dim=1).unique(dim=0)
        codes, others = both.split(steps, dim=1)
        alike = torch.ones(len(codes), dtype=torch.bool)
        for step in range(steps):
            differs = alike & (codes[:, step] != others[:, step])
            beyond[step] = int(differs.sum())
            alike &= ~differs
        return Flips(len(codes), near, beyond, 0.0, False)
    residual, moved = (
        part[:, :, :frames].transpose(1, 2).flatten(0, 1).double() for part in (latent, other)
    )  # [N, D]
    moved = (moved - residual).norm(dim=1)
    rounding = (residual.shape[1] + 2) * torch.finfo(torch.float32).eps
    worst = 0.0
    for step, book in enumerate(codebooks[:steps]):
        entries = book.double().cpu()
        chosen = entries[codes[:, step]]
        differs = alike & (codes[:, step] != others[:, step])
        known = others[:, step].clamp(0, len(entries) - 1)
        own, theirs = ((residual - e).norm(dim=1) for e in (chosen, entries[known]))
        largest = (residual.norm(dim=1) + entries.norm(dim=1).max()) ** 2
        excess = theirs - own - 2 * moved - 2 * rounding * largest / (own + theirs).clamp(min=1e-30)
        is_beyond = differs & ((excess > 0) | (known != others[:, step]))
        near[step], beyond[step] = int((differs & ~is_beyond).sum()), int(is_beyond.sum())
        worst = max(worst, float(excess[is_beyond].max()) if is_beyond.any() else 0.0)
        alike &= ~differs
        residual = residual - chosen
    return Flips(len(codes), near, beyond, worst, True)
