"""Residual vector quantization: codes, how near the runner-up was, and the sums of what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..synth.errors import InputError


@dataclass(frozen=True)
class Quantization:
    """What quantizing vectors step by step gives.

    Parameters
    ----------
    codes : int64 [..., Q]
        Which entry of each codebook was nearest to what the steps before it had left.
    margins : float32 [..., Q]
        Distance to the runner-up minus distance to the nearest (Euclidean), at least 0.
    vectors : float32 [..., Q, D]
        Sums of the entries chosen so far: the last is the quantized vector.
    gaps : float32 [..., Q]
        Distance between the nearest entry and the runner-up: no margin is larger.
    """

    codes: Tensor
    margins: Tensor
    vectors: Tensor
    gaps: Tensor


def residual_quantization(latent: Tensor, codebooks: Sequence[Tensor]) -> Quantization:
    """Quantize vectors by one codebook after another, each by what the ones before it left.

    Codes and sums are those of the encodec package, which compares squared distances expanded into
    products; margins are measured directly, in double precision.

    Parameters
    ----------
    latent : float32 [..., D]
    codebooks : sequence of float32 [entries, D], at least 2 entries each

    Returns
    -------
    Quantization

    Raises
    ------
    InputError
        If there is no codebook, or one is not [entries >= 2, D].

    Notes
    -----
    Source: Zeghidour et al., SoundStream, arXiv 2107.03312, algorithm 1.

    Examples
    --------
    >>> book = torch.tensor([[0.0], [1.0]])
    >>> found = residual_quantization(torch.tensor([[0.2], [0.9]]), [book])
    >>> found.codes[:, 0].tolist(), [round(m, 3) for m in found.margins[:, 0].tolist()]
    ([0, 1], [0.6, 0.8])
    """
    if not codebooks:
        raise InputError("residual quantization with 0 codebooks: must be at least 1")
    size = latent.shape[-1]
    for number, book in enumerate(codebooks):
        if book.ndim != 2 or len(book) < 2 or book.shape[1] != size:
            raise InputError(
                f"codebook {number} of shape {tuple(book.shape)}: must be [entries, {size}], entries >= 2"
            )
    residual = latent.reshape(-1, size)  # [N, D]
    total = torch.zeros_like(residual)
    codes, margins, vectors, gaps = [], [], [], []
    for book in codebooks:
        closeness = _closeness(residual, book)
        nearest = closeness.max(dim=1).indices
        second = closeness.scatter(1, nearest[:, None], -torch.inf).max(dim=1).indices
        codes.append(nearest)
        margins.append((_distance(residual, book[second]) - _distance(residual, book[nearest])).clamp(min=0))
        gaps.append(_distance(book[second], book[nearest]))
        residual = residual - book[nearest]
        total = total + book[nearest]
        vectors.append(total)
    shape = latent.shape[:-1]
    return Quantization(
        torch.stack(codes, dim=-1).reshape(*shape, -1),
        torch.stack(margins, dim=-1).to(latent.dtype).reshape(*shape, -1),
        torch.stack(vectors, dim=-2).reshape(*shape, len(codebooks), size),
        torch.stack(gaps, dim=-1).to(latent.dtype).reshape(*shape, -1),
    )


def check_codes(codes: Tensor, codebooks: Sequence[Tensor]) -> None:
    """Raise unless codes int [B, Q, F] name entries of their codebooks, [entries, D] each."""
    for number, (chosen, book) in enumerate(zip(codes.unbind(1), codebooks, strict=True)):
        least, most = int(chosen.min()), int(chosen.max())
        if least < 0 or most >= len(book):
            wrong = least if least < 0 else most
            raise InputError(f"code {wrong} of codebook {number}: must be 0 to {len(book) - 1}")


def _closeness(vectors: Tensor, book: Tensor) -> Tensor:  # [N, entries]: minus squared distances
    # in the order of operations of the encodec package, so that ties fall as there
    entries = book.t()
    squares = vectors.pow(2).sum(1, keepdim=True)
    return -(squares - 2 * vectors @ entries + entries.pow(2).sum(0, keepdim=True))


def _distance(one: Tensor, other: Tensor) -> Tensor:  # [N]
    return (one.double() - other.double()).norm(dim=1)
