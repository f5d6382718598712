"""Codecs of transformers around a SEANet encoder: WavTokenizer, Mimi, Pocket TTS's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...synth.errors import InputError
from ..base import ModuleEncoder
from ..geometry import stage_at
from ..seanet import seanet_layer, time_convolutions
from .coded import Parts, Places, coded
from .residual import books_of


def seanet_blocks(layers: Any) -> dict[str, int]:
    """Return stage name -> index among a SEANet encoder's layers; the rest are activation functions.

    ``stack_end`` is the last downsampling where an LSTM follows it, and the last convolution ``latent``;
    without an LSTM the last convolution is ``stack_end``.
    """
    last, blocks, count = len(layers) - 1, {"first_layer": 0}, {"residual": 0, "downsample": 0}
    for index, layer in list(enumerate(layers))[1:last]:
        if hasattr(layer, "lstm"):
            blocks["lstm"] = index
        elif hasattr(layer, "block") or hasattr(layer, "conv"):
            kind = "residual" if hasattr(layer, "block") else "downsample"
            count[kind] += 1
            blocks[f"{kind}{count[kind]}"] = index
    if "lstm" not in blocks:
        return {**blocks, "stack_end": last}
    strided = f"downsample{count['downsample']}"
    renamed = {"stack_end" if stage == strided else stage: index for stage, index in blocks.items()}
    return {**renamed, "latent": last}


def seanet_places(layers: Any, prefix: str, normalizes: bool = False) -> Places:
    """Return the stages of a SEANet encoder.

    Parameters
    ----------
    layers : nn.ModuleList
    prefix : str
        Of their names in the model.
    normalizes : bool
        Whether a norm over time follows every convolution.
    """
    places, bounded = Places(), True
    for stage, index in seanet_blocks(layers).items():
        geometry = places.geometry
        for conv in time_convolutions(layers[index]):
            geometry = geometry.then(seanet_layer(conv.conv, conv.causal))
        bounded = bounded and stage != "lstm" and (stage == "first_layer" or not normalizes)
        submodule = f"{prefix}.{index}" + (".conv" if stage == "first_layer" else "")  # before its norm
        places.add(stage, submodule, geometry, bounded)
    return places


def is_wavtokenizer(model: Any) -> bool:
    """Whether a model is built as a ``WavTokenizerModel``: a SEANet, one codebook, a decoder of spectra."""
    names = ("encoder_model.encoder.layers", "encoder_model.quantizer.codebook", "backbone", "head")
    return has_submodules(model, *names)


def wavtokenizer(model: Any, name: str, seed: int = 0) -> ModuleEncoder:
    """Make an encoder of a ``WavTokenizerModel``.

    Parameters
    ----------
    model : WavTokenizerModel
    name : str
    seed : int
        Of what a codebook of zeros is filled with.

    Returns
    -------
    ModuleEncoder
        Stages are called as those of `encodec_24khz`; what is the last downsampling is ``stack_end``. It has
        one codebook, and decodes.

    Source: Ji et al., WavTokenizer, arXiv 2408.16532.
    """
    check_mono(model, name)
    config = model.config
    layers, normalizes = model.encoder_model.encoder.layers, config.norm_type == "time_group_norm"
    places = seanet_places(layers, "encoder_model.encoder.layers", normalizes)
    parts = Parts(
        places,
        places.last("latent"),
        encode=lambda model, waveforms: model.encoder_model.encoder(waveforms),
        decode=_decoded_by_spectra,
        quantizer=lambda model: model.encoder_model.quantizer,
        steps=1,
    )
    return coded(model, name, config.sampling_rate, parts, seed)


def _decoded_by_spectra(model: Any, latent: Tensor) -> Tensor:
    condition = torch.zeros(1, dtype=torch.long, device=latent.device)  # that of inference
    return model.head(model.backbone(latent, condition))


def is_mimi(model: Any) -> bool:
    """Whether a model is built as a ``MimiModel``: a SEANet, a transformer behind it, downsampling."""
    names = ("encoder.encoder_seanet.layers", "encoder.encoder_transformer.layers", "decoder.upsample")
    return has_submodules(model, *names)


def mimi(model: Any, name: str, seed: int = 0) -> ModuleEncoder:
    """Make an encoder of a ``MimiModel``, or of Pocket TTS's tokenizer, which quantizes nothing.

    Parameters
    ----------
    model : MimiModel or PocketTTSAudioTokenizerModel
    name : str
    seed : int
        Of what codebooks of zeros are filled with.

    Returns
    -------
    ModuleEncoder
        ``first_layer``, ``residual1``, ``downsample1`` ... as of EnCodec, ``stack_end`` the last convolution
        before the transformer, ``layer_0`` ... its blocks, and ``latent`` what is quantized, downsampled once
        more. The first codebook and the others quantize the latent each for itself, in spaces of their own:
        there are no codebooks in the latent's space to measure margins by.

    Raises
    ------
    InputError
        If it takes several channels.

    Source: Défossez et al., Moshi, arXiv 2410.00037.
    """
    check_mono(model, name)
    half = model.encoder
    places = seanet_places(half.encoder_seanet.layers, "encoder.encoder_seanet.layers")
    for i in range(len(half.encoder_transformer.layers)):
        places.add(f"layer_{i}", f"encoder.encoder_transformer.layers.{i}", places.geometry, bounded=False)
    downsampled = places.geometry.then(seanet_layer(half.downsample.conv, half.downsample.causal))
    is_quantized = hasattr(model, "quantizer")
    parts = Parts(
        places,
        stage_at("latent", downsampled, bounded=False),
        encode=lambda model, waveforms: model.encoder(waveforms, use_streaming=False).latents,
        decode=_decoded_by_transformer,
        quantizer=(lambda model: model.quantizer) if is_quantized else None,
        steps=len(books_of(model.quantizer)) if is_quantized else 0,
    )
    return coded(model, name, model.config.sampling_rate, parts, seed)


def _decoded_by_transformer(model: Any, latent: Tensor) -> Tensor:
    projected = model.latent_proj(latent) if hasattr(model, "latent_proj") else latent
    return model.decoder(projected).audio_values


def has_submodules(model: nn.Module, *names: str) -> bool:
    """Whether a model has submodules of these names."""
    there = {name for name, _ in model.named_modules()}
    return all(name in there for name in names)


def check_mono(model: Any, name: str) -> None:
    """Raise unless a model takes one channel, where its configuration says how many."""
    channels = getattr(model.config, "audio_channels", getattr(model.config, "channels", 1))
    if channels != 1:
        raise InputError(f"{name}: {type(model).__name__} of {channels} channels; must be 1 here")
