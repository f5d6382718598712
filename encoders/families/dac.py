"""The Descript Audio Codec, as transformers has it."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ..base import ModuleEncoder
from ..geometry import Geometry, Layer, layer_of, stage_at
from .coded import Parts, Places, Quantized, coded


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
    places = dac_places(model.encoder, "encoder")
    parts = Parts(
        places,
        stage_at("latent", places.geometry.then(layer_of(model.encoder.conv2))),
        encode=lambda model, waveforms: model.encoder(waveforms),
        decode=_decoded,
        quantize=_quantized,
        steps=len(model.quantizer.quantizers),
    )
    return coded(model, name, model.config.sampling_rate, parts)


def dac_places(encoder: Any, prefix: str) -> Places:
    """Return the stages of an encoder that is built as DAC's, up to its last block.

    Parameters
    ----------
    encoder : nn.Module
    prefix : str
        Its name in the model.
    """
    places, last = Places(), len(encoder.block) - 1
    places.add("first_layer", f"{prefix}.conv1", Geometry().then(layer_of(encoder.conv1)))
    for i, block in enumerate(encoder.block):
        geometry = places.geometry
        for unit in (block.res_unit1, block.res_unit2, block.res_unit3):
            geometry = activated(geometry, unit.snake1).then(layer_of(unit.conv1))
            geometry = activated(geometry, unit.snake2).then(layer_of(unit.conv2))
        geometry = activated(geometry, block.snake1).then(layer_of(block.conv1))
        places.add(f"block_{i}" if i < last else "stack_end", f"{prefix}.block.{i}", geometry)
    return places


def activated(geometry: Geometry, activation: Any) -> Geometry:
    """Return what is seen after an activation: the same, but where it works at twice the rate."""
    if not hasattr(activation, "upsample"):
        return geometry
    # 12 taps up and 12 down: five samples on either side
    return geometry.then(Layer(11, left_padding=5))


def _quantized(model: Any, latent: Tensor) -> Quantized:
    residual, total = latent, 0
    for step in model.quantizer.quantizers:
        found, _, _, code, _ = step(residual)
        residual, total = residual - found, total + found
        yield code, total


def _decoded(model: Any, latent: Tensor) -> Tensor:
    sound = model.decoder(latent)
    lacking = latent.shape[2] * math.prod(model.config.downsampling_ratios) - sound.shape[2]
    return functional.pad(sound, (0, lacking))
