"""The Descript Audio Codec, as transformers has it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..base import ModuleEncoder
from ..seanet import quantized_stages
from ..wrapping import wrap


def is_dac(model: nn.Module) -> bool:
    """Whether a model is built as a ``DacModel`` is: an encoder of blocks, steps of a projected quantizer."""
    quantizers: Any = getattr(getattr(model, "quantizer", None), "quantizers", None)
    return hasattr(getattr(model, "encoder", None), "conv1") and bool(
        quantizers and hasattr(quantizers[0], "out_proj")
    )


def dac(model: Any, name: str) -> ModuleEncoder:
    """Make an encoder of a ``DacModel``.

    Parameters
    ----------
    model : DacModel
    name : str

    Returns
    -------
    ModuleEncoder
        ``first_layer`` is the first convolution, ``block_0`` ... each that downsamples, ``stack_end`` the
        last of them and ``latent`` what is quantized. ``quantized_1`` ... are the sums of the first steps,
        ``quantized`` of all. It decodes; where strides are odd its decoder gives a few samples less than were
        coded, 8 at 16 and 24 kHz, and zeros fill the end. Entries are looked up by their direction in a few
        dimensions: there are no codebooks in the latent's space to measure margins by.

    Source: Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, arXiv 2306.06546.
    """
    steps = len(model.quantizer.quantizers)
    sums = quantized_stages(steps)
    blocks = len(model.encoder.block)
    stages = {"first_layer": "model.encoder.conv1"}
    stages |= {f"block_{i}": f"model.encoder.block.{i}" for i in range(blocks - 1)}
    stages |= {"stack_end": f"model.encoder.block.{blocks - 1}", "latent": "model.encoder.conv2"}
    stages |= {stage: f"sums.{i}" for i, stage in enumerate(sums)}
    stages["codes"] = "codes"
    encoder = wrap(
        _Coded(model, list(sums.values())), model.config.sampling_rate, stages, name, decode=_decoded
    )
    for stage, n in sums.items():
        encoder.stages[stage] = replace(encoder.stages[stage], codebooks=n)
    codes = encoder.stages["codes"]  # integers hide what they depend on
    encoder.stages["codes"] = replace(codes, latency=encoder.stages["latent"].latency)
    return encoder


class _Coded(nn.Module):
    """The encoding half of a codec; what each number of steps adds up to goes through a submodule."""

    def __init__(self, model: nn.Module, numbers: list[int]) -> None:
        super().__init__()
        self.model, self.numbers = model, numbers
        self.sums = nn.ModuleList(nn.Identity() for _ in numbers)
        self.codes = nn.Identity()

    def forward(self, waveforms: Tensor) -> Tensor:
        model: Any = self.model
        residual, total, codes = model.encoder(waveforms), 0, []
        places = dict(zip(self.numbers, self.sums, strict=True))
        for n, step in enumerate(model.quantizer.quantizers, start=1):
            found, _, _, code, _ = step(residual)
            residual, total = residual - found, total + found
            codes.append(code)
            if n in places:
                places[n](total)
        return self.codes(torch.stack(codes, dim=1))


def _decoded(coded: Any, latent: Tensor) -> Tensor:
    sound = coded.model.decoder(latent)
    lacking = latent.shape[2] * math.prod(coded.model.config.downsampling_ratios) - sound.shape[2]
    return functional.pad(sound, (0, lacking))
