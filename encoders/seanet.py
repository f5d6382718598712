"""Stages of SEANet encoders, whoever built them, and those behind their quantizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from .base import Stage
from .geometry import Geometry, Layer


def seanet_stages(
    blocks: Mapping[str, Sequence[tuple[nn.Conv1d, bool]]], codebooks: int, normalizes: bool = False
) -> dict[str, Stage]:
    """Return the stages of a SEANet encoder with a quantizer behind it.

    Parameters
    ----------
    blocks : mapping of str to sequence of (convolution, bool)
        Of each block from shallow to deep the convolutions along its longest path, and whether they are
        causal.
    codebooks : int > 0
    normalizes : bool
        Whether a group norm follows every convolution.
    """
    stages, geometry, channels, bounded = {}, Geometry(), 0, True
    for name, convolutions in blocks.items():
        for conv, is_causal in convolutions:
            geometry = geometry.then(seanet_layer(conv, is_causal))
            channels = conv.out_channels
        # an LSTM hears the whole past; a group norm, from the first layer's on, the whole segment
        bounded = bounded and name != "lstm" and (name == "first_layer" or not normalizes)
        stages[name] = Stage(
            name,
            channels,
            geometry.hop,
            geometry.receptive_field if bounded else None,
            geometry.latency,
            "convolution" if name == "first_layer" else "nonlinear",
        )
    for name, n in quantized_stages(codebooks).items():
        stages[name] = Stage(name, channels, geometry.hop, None, geometry.latency, codebooks=n)
    stages["codes"] = Stage("codes", codebooks, geometry.hop, None, geometry.latency, "codes")
    return stages


def time_convolutions(block: Any) -> list[Any]:
    """Return a block's convolutions along its longest path; the shortcut of a residual block has kernel 1."""
    if hasattr(block, "block"):
        return [layer for layer in block.block if hasattr(layer, "conv")]
    return [block] if hasattr(block, "conv") else []


def seanet_layer(conv: nn.Conv1d, is_causal: bool) -> Layer:
    """Return what a convolution of a SEANet sees, as it is padded: on the left only where it is causal."""
    kernel, stride, dilation = conv.kernel_size[0], conv.stride[0], conv.dilation[0]
    total = (kernel - 1) * dilation - (stride - 1)
    return Layer(kernel, stride, dilation, total if is_causal else total - total // 2)


def quantized_stages(codebooks: int) -> dict[str, int]:
    """Return the stages behind a quantizer and how many codebooks each sums: 1, 2, 4 ... and all.

    Examples
    --------
    >>> quantized_stages(6)
    {'quantized_1': 1, 'quantized_2': 2, 'quantized_4': 4, 'quantized': 6}
    """
    powers = [1 << n for n in range(codebooks.bit_length()) if 1 << n < codebooks]
    return {f"quantized_{n}": n for n in powers} | {"quantized": codebooks}
