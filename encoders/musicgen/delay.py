"""The delay pattern: which frame of which codebook stands in a column of the language model.

Codebook q is q columns late. Column 0 holds nothing but the special token; column s holds frame s - 1 - q of
codebook q, or the special token where there is no such frame. So T frames of K codebooks take T + K columns,
what the model says at column s is about column s + 1, and a residual vector at column s has last heard frame
s - 1 of the first codebook and frame s - K of the last.

Source: Copet et al., Simple and Controllable Music Generation, arXiv 2306.05284, section 2.1 ("delay").
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...synth.errors import InputError


def delayed(codes: Tensor, special: int) -> Tensor:
    """Lay codes out in columns.

    Parameters
    ----------
    codes : int64 [B, K, T]
    special : int
        Token of places without a frame.

    Returns
    -------
    columns : int64 [B, K, T + K]

    Examples
    --------
    >>> delayed(torch.tensor([[[1, 2, 3], [4, 5, 6]]]), special=0)
    tensor([[[0, 1, 2, 3, 0],
             [0, 0, 4, 5, 6]]])
    """
    batch, codebooks, frames = codes.shape
    columns = codes.new_full((batch, codebooks, frames + codebooks), special)
    for q in range(codebooks):
        columns[:, q, 1 + q : 1 + q + frames] = codes[:, q]
    return columns


def undelayed(columns: Tensor) -> Tensor:
    """Return the codes, [B, K, T, ...], that lie in columns [B, K, T + K, ...].

    Raises
    ------
    InputError
        If there are too few columns to hold a frame.

    Examples
    --------
    >>> codes = torch.tensor([[[1, 2, 3], [4, 5, 6]]])
    >>> bool((undelayed(delayed(codes, special=0)) == codes).all())
    True
    """
    codebooks = columns.shape[1]
    frames = columns.shape[2] - codebooks
    if frames < 1:
        raise InputError(f"{columns.shape[2]} columns of {codebooks} codebooks: hold no whole frame")
    return torch.stack([columns[:, q, 1 + q : 1 + q + frames] for q in range(codebooks)], dim=1)


def frames_in_column(column: int, codebooks: int) -> list[int]:
    """Return which frame of each codebook stands in a column; a negative one is not there.

    Examples
    --------
    >>> frames_in_column(5, 4)
    [4, 3, 2, 1]
    """
    return [column - 1 - q for q in range(codebooks)]


def aligned(columns: Tensor, codebooks: int) -> Tensor:
    """Return the columns that stand for frames: of T + K columns [B, S, d] T - K + 1, [B, T - K + 1, d].

    Frame t is column t + K, the first that has heard all codebooks of it; it has also heard the first
    codebook of the K - 1 frames after it. Of the last K - 1 frames these are not there: such columns have
    heard special tokens, and are left out.

    Raises
    ------
    InputError
        If there are fewer frames than codebooks.

    Examples
    --------
    >>> aligned(torch.arange(9)[None, :, None], codebooks=4).flatten()
    tensor([4, 5])
    """
    frames = columns.shape[1] - codebooks
    if frames < codebooks:
        raise InputError(
            f"{frames} frames of {codebooks} codebooks: a layer has heard all codebooks of a frame and none "
            f"beyond the end from {codebooks} frames on"
        )
    return columns[:, codebooks : frames + 1]
