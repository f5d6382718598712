"""Residual quantizers of published codecs, by their parts: steps that each encode and decode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..filling import Step, fill_steps


def residual_parts(quantizer: Any) -> list[Any]:
    """Return the residual quantizers that a quantizer is made of; [] of what is built otherwise.

    Most are one: a list of steps, ``layers`` or ``quantizers``, or one step alone. Mimi's is split: each part
    quantizes the same latent, and what they decode to adds up.
    """
    if quantizer is None:
        return []
    if steps_of(quantizer):
        return [quantizer]
    parts = [part for part in quantizer.children() if steps_of(part)]
    return parts if len(parts) == len(list(quantizer.children())) else []


def steps_of(part: nn.Module) -> list[Any]:
    """Return the steps of a residual quantizer, from the first on; [] of what is none."""
    listed: Any = getattr(part, "layers", None) or getattr(part, "quantizers", None) or [part]
    return list(listed) if all(_is_step(one) for one in listed) else []


def _is_step(one: Any) -> bool:
    return all(hasattr(one, name) for name in ("encode", "decode", "codebook"))


def books_of(quantizer: Any) -> list[Any]:
    """Return the codebooks of a quantizer, modules, in the order of its codes."""
    return [step.codebook for part in residual_parts(quantizer) for step in steps_of(part)]


def in_latent_space(quantizer: Any) -> bool:
    """Whether codebooks quantize the latent itself: one residual, and nothing projects."""
    parts = residual_parts(quantizer)
    projected = [getattr(parts[0], "input_proj", None)] if len(parts) == 1 else [True]
    projected += [getattr(step, "project_in", None) for part in parts for step in steps_of(part)]
    return not any(one is not None for one in projected)


def quantized_by(quantizer: Any, latent: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield, of each step, its codes int64 [B, F] and what all steps so far decode to, [B, D, F]."""
    total: Any = 0
    for part in residual_parts(quantizer):
        residual, within = _within(part, latent), torch.zeros((), device=latent.device)
        for step in steps_of(part):
            _forget(step.codebook)
            codes = step.encode(residual)
            found = step.decode(codes)
            residual, within = residual - found, within + found
            yield codes, total + _without(part, within)
        total = total + _without(part, within)


def is_untrained(quantizer: Any) -> bool:
    """Whether some codebook holds nothing but zeros: it never saw data."""
    return not all(bool(_entries(book).any()) for book in books_of(quantizer))


def empty(quantizer: Any) -> None:
    """Let all codebooks be as if they had never seen data."""
    for book in books_of(quantizer):
        _entries(book).zero_()


def fill_quantizer(quantizer: Any, latents: Tensor, seed: int) -> None:
    """Fill all codebooks from latents [N, D]; see `fill_steps`."""
    for part in residual_parts(quantizer):
        steps = [
            Step(step.codebook, getattr(step, "project_in", _same), getattr(step, "project_out", _same))
            for step in steps_of(part)
        ]
        fill_steps(steps, _within(part, latents.T[None])[0].T, seed)
        for step in steps:
            _forget(step.book)


def _same(vectors: Tensor) -> Tensor:
    return vectors


def _within(part: Any, latent: Tensor) -> Tensor:
    projection = getattr(part, "input_proj", None)
    return latent if projection is None else projection(latent)


def _without(part: Any, quantized: Tensor) -> Tensor:
    projection = getattr(part, "output_proj", None)
    return quantized if projection is None else projection(quantized)


def _entries(book: Any) -> Tensor:
    return book.embed_sum if hasattr(book, "embed_sum") else book.embed


def _forget(book: Any) -> None:
    """Let a codebook that divides its sums once do so again: other sums, or another device, it would miss."""
    if hasattr(book, "_embed"):
        book._embed = None
