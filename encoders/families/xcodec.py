"""Codecs of transformers with a semantic branch beside the acoustic one: X-Codec, Higgs audio's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchaudio.functional import resample

from ...synth.errors import InputError
from ..base import ModuleEncoder
from ..geometry import Geometry, Layer, layer_of, receptive_field, stage_at
from .coded import Parts, coded
from .dac import dac_places
from .residual import books_of
from .seanet import has_submodules

HIGGS_PADDING = 160  # of HuBERT's waveforms, on either side, as the model's code has it


def is_xcodec(model: Any) -> bool:
    """Whether a model is built as an ``XcodecModel``: DAC's encoder, HuBERT, and steps of codebooks."""
    names = ("acoustic_encoder.conv1", "semantic_model.encoder.layers", "encoder_semantic", "quantizer")
    return has_submodules(model, *names)


def xcodec(model: Any, name: str, seed: int = 0) -> ModuleEncoder:
    """Make an encoder of an ``XcodecModel`` or a ``HiggsAudioV2TokenizerModel``.

    Parameters
    ----------
    model : XcodecModel or HiggsAudioV2TokenizerModel
    name : str
    seed : int
        Of what codebooks of zeros are filled with.

    Returns
    -------
    ModuleEncoder
        ``first_layer``, ``block_0`` ... and ``stack_end`` are those of the acoustic branch, which is DAC's
        encoder; ``semantic_layer_0`` ... are the transformer's blocks of the other, whose mean goes on to
        ``semantic``, and ``latent`` is made of both. It decodes.

        Codes are those of the model's own ``encode`` for waveforms of whole frames, which is what its feature
        extractor makes of all. Of others it encodes as many frames as the acoustic branch gives.

    Source: Ye et al., Codec Does Matter, arXiv 2408.17175.
    """
    places = dac_places(model.acoustic_encoder, "acoustic_encoder")
    stack_end = places.geometry
    for i in range(len(model.semantic_model.encoder.layers)):
        semantic = f"semantic_model.encoder.layers.{i}"
        places.add(f"semantic_layer_{i}", semantic, _speech(model, name), bounded=False)
    places.add("semantic", "encoder_semantic", stack_end, bounded=False)
    parts = Parts(
        places,
        stage_at("latent", places.geometry, bounded=False),
        encode=_encoded,
        decode=_decoded,
        quantizer=lambda model: model.quantizer,
        steps=len(books_of(model.quantizer)),
    )
    return coded(model, name, model.config.sample_rate, parts, seed)


@dataclass(frozen=True)
class _SemanticInput:
    """How HuBERT is played a waveform: at which rate, padded by how much, and which of its states count."""

    rate: int
    padding: int
    stride: int


def _semantic_input(model: Any) -> _SemanticInput:
    config = model.config
    if not hasattr(config, "semantic_sample_rate"):  # which Higgs audio's has alone
        return _SemanticInput(config.sample_rate, model.pad, 1)
    return _SemanticInput(
        config.semantic_sample_rate, HIGGS_PADDING, max(1, config.semantic_downsample_factor)
    )


def _speech(model: Any, name: str) -> Geometry:
    """Return what HuBERT's convolutions see, in samples of the codec's rate."""
    heard, rate = _semantic_input(model), model.config.sample_rate
    layers = [layer_of(layer.conv) for layer in model.semantic_model.feature_extractor.conv_layers]
    seen = receptive_field([Layer(1, left_padding=heard.padding), *layers])
    if seen.hop * rate % heard.rate:
        raise InputError(f"{name}: HuBERT at {heard.rate} Hz has no fixed hop of whole samples at {rate} Hz")
    return Geometry(seen.hop * rate // heard.rate, 1, max(0, -(-seen.latency * rate // heard.rate)))


def _encoded(model: Any, waveforms: Tensor) -> Tensor:  # [B, 1, T] -> [B, D, F]
    acoustic = model.acoustic_encoder(waveforms)
    semantic = model.encoder_semantic(_states(model, waveforms).mT)
    both = torch.cat([acoustic, fitted(semantic, acoustic)], dim=1)
    return model.fc(both.mT).mT


def fitted(semantic: Tensor, acoustic: Tensor) -> Tensor:
    """Return as many frames of a semantic branch as the acoustic one has; both are [B, D, F].

    Raises
    ------
    InputError
        If it has fewer, as a configuration may have it.
    """
    frames = acoustic.shape[2]
    if semantic.shape[2] < frames:
        raise InputError(f"its acoustic branch gives {frames} frames, the semantic one {semantic.shape[2]}")
    return semantic[:, :, :frames]


def _states(model: Any, waveforms: Tensor) -> Tensor:
    """Return the mean over HuBERT's hidden states, [B, F, D]; unlike in its own code, gradients flow."""
    heard = _semantic_input(model)
    played = resample(waveforms, model.config.sample_rate, heard.rate)  # the same at the same rate
    padded = functional.pad(played[:, 0], (heard.padding, heard.padding))
    states = model.semantic_model(padded, output_hidden_states=True).hidden_states
    return torch.stack(states, dim=1).mean(dim=1)[:, :: heard.stride]


def _decoded(model: Any, latent: Tensor) -> Tensor:
    return model.acoustic_decoder(model.fc2(latent.mT).mT)
