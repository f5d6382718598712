"""Codebooks that never saw data, filled from what a codec makes of a few sounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

POOL, SOUND_S, SOUNDS = 4096, 1.0, 8
SETTLED = 10  # frames at most until an LSTM has settled


@dataclass(frozen=True)
class Step:
    """One step of a residual quantizer, as it is filled.

    Parameters
    ----------
    book : nn.Module
        With ``codebook_size`` and the buffers of entries, as `put_entries` knows them.
    project : callable
        What is left of latents, [N, D], in the codebook's space, [N, d].
    back : callable
        Entries [entries, d] in the latents' space, [entries, D].
    """

    book: Any
    project: Callable[[Tensor], Tensor] = lambda latents: latents
    back: Callable[[Tensor], Tensor] = lambda entries: entries


def fill_steps(steps: Sequence[Step], latents: Tensor, seed: int) -> None:
    """Fill codebooks, residual by residual.

    Points drawn between pairs of latents are the data; of each codebook the vectors are the means that two
    steps of k-means find among what is left of the data.

    Parameters
    ----------
    steps : sequence of Step
    latents : float32 [N, D]
    seed : int
    """
    generator = torch.Generator().manual_seed(seed)
    one, other = torch.randint(len(latents), (2, POOL), generator=generator)
    residual = torch.lerp(latents[one], latents[other], torch.rand(POOL, 1, generator=generator))
    for step in steps:
        data = step.project(residual)
        order = torch.randperm(POOL, generator=generator)
        means = data[order[torch.arange(step.book.codebook_size) % POOL]]
        for _ in range(2):
            nearest = nearest_entries(data, means)
            count = torch.bincount(nearest, minlength=len(means))
            sums = torch.zeros_like(means).index_add_(0, nearest, data)
            means = torch.where(count[:, None] > 0, sums / count.clamp(min=1)[:, None], means)
        nearest = nearest_entries(data, means)
        residual = residual - step.back(means)[nearest]
        put_entries(step.book, means, torch.bincount(nearest, minlength=len(means)))


def put_entries(book: Any, entries: Tensor, counts: Tensor) -> None:
    """Put entries [entries, d] into a codebook, and how often each was chosen."""
    if hasattr(book, "embed_sum"):  # Mimi's holds sums of what chose an entry, and how much did
        book.embed_sum.copy_(entries)
        book.cluster_usage.fill_(1)
        book.initialized.fill_(1)
        return
    book.embed.copy_(entries)
    book.embed_avg.copy_(entries)
    book.cluster_size.copy_(counts)
    book.inited.fill_(1)


def filling_sounds(sample_rate: int, seed: int) -> Tensor:
    """Return float32 [SOUNDS, T]: every 40 ms another tone, 50 Hz to 0.4 fs, in noise; -60 to -6 dBFS."""
    generator = np.random.default_rng(seed)
    step = sample_rate // 25
    shape = (SOUNDS, round(SOUND_S * 25))
    frequency_hz = np.exp(generator.uniform(np.log(50), np.log(0.4 * sample_rate), shape))
    amplitude = 10 ** (generator.uniform(-60, -6, (2, *shape)) / 20)
    tone, noise = np.repeat(amplitude, step, axis=2)
    phase_rad = 2 * np.pi * np.cumsum(np.repeat(frequency_hz, step, axis=1), axis=1) / sample_rate
    sounds = tone * np.sin(phase_rad) + noise * generator.standard_normal(phase_rad.shape) / 3
    return torch.from_numpy(sounds.astype(np.float32))


def settled_latents(latents: Tensor) -> Tensor:
    """Return the rows [N, D] of latents [B, D, F], without the first frames of each sound."""
    return latents[:, :, min(SETTLED, latents.shape[2] // 4) :].transpose(1, 2).flatten(0, 1)


def filling_note(codebooks: int, seed: int) -> str:
    """Return the sentence that says how codebooks were filled."""
    return (
        f"{codebooks} codebooks untrained: filled by k-means, residual by residual, "
        f"from {POOL} points between its latents of {SOUNDS} s of tones and noise (seed {seed})"
    )


def nearest_entries(vectors: Tensor, entries: Tensor) -> Tensor:
    """Return which of entries [entries, d] is nearest to each of vectors [..., d]."""
    return (vectors @ entries.T - entries.square().sum(1) / 2).argmax(-1)
