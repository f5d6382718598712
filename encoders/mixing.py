"""Rotations of channels: an encoder that keeps all it had, and no longer channel by channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.stats import ortho_group
from torch import Tensor, nn

from .base import ModuleEncoder
from .weights import state_sha256


def mixed(encoder: ModuleEncoder, seed: int) -> ModuleEncoder:
    """Return a bank or control of one stage with its channels multiplied by a random orthogonal matrix.

    Lengths and angles of vectors stay what they were; which channel holds what does not.

    Parameters
    ----------
    encoder : ModuleEncoder
        Of one stage, whose module takes waveforms float32 [B, T].
    seed : int
        Of the matrix, which is uniform over the orthogonal ones.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> plain, waveforms = load("filterbank:stft"), torch.ones(1, 1024)
    >>> one, other = (e.run(waveforms, ["first_layer"])["first_layer"] for e in (plain, mixed(plain, 0)))
    >>> torch.allclose(one.norm(dim=1), other.norm(dim=1)), torch.allclose(one, other)
    (True, False)
    """
    (stage,) = encoder.stages.values()
    matrix = np.asarray(ortho_group.rvs(stage.channels, random_state=np.random.default_rng(seed)))
    module = _Mixed(encoder.module, matrix)
    plain = encoder.kernels(stage.name)
    weights = replace(
        encoder.weights,
        sha256=state_sha256(module.state_dict()),
        note=f"orthogonal matrix over channels drawn with seed {seed}",
    )
    return ModuleEncoder(
        encoder.name,
        module,
        encoder.sample_rate,
        {stage.name: stage},
        {stage.name: ""},
        weights,
        prepare=lambda waveforms: waveforms,
        kernels=None if plain is None else {stage.name: matrix @ plain},
    )


class _Mixed(nn.Module):
    matrix: Tensor

    def __init__(self, plain: nn.Module, matrix: np.ndarray) -> None:
        super().__init__()
        self.plain = plain
        self.register_buffer("matrix", torch.from_numpy(matrix).float())  # [C, C]

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, C, F]
        return self.matrix @ self.plain(waveforms)
