"""Codecs of transformers with w2v-BERT beside the acoustic branch, and one codebook of levels: X-Codec 2."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchaudio.compliance.kaldi import fbank

from ...synth.errors import InputError
from ..base import ModuleEncoder
from ..geometry import Geometry, layer_of, stage_at
from .coded import Parts, Quantized, coded
from .dac import activated, dac_places
from .seanet import has_submodules

MELS, WINDOW, SHIFT = 80, 400, 160  # of w2v-BERT's features, in samples; two make a frame
LOUDEST = 2**15  # full scale, as Kaldi has it
VARIANCE_FLOOR = 1e-7


def is_xcodec2(model: Any) -> bool:
    """Whether a model is built as an ``Xcodec2Model``: DAC's encoder, w2v-BERT, one quantizer of levels."""
    names = ("acoustic_encoder.conv1", "semantic_encoder.encoder.layers", "semantic_adapter")
    return has_submodules(model, *names, "fc_encoder", "quantizer.project_in")


def xcodec2(model: Any, name: str) -> ModuleEncoder:
    """Make an encoder of an ``Xcodec2Model`` or a ``NeuCodecModel``.

    Parameters
    ----------
    model : Xcodec2Model or NeuCodecModel
    name : str

    Returns
    -------
    ModuleEncoder
        ``first_layer``, ``block_0`` ... and ``stack_end`` are those of the acoustic branch;
        ``semantic_layer_0`` ... are the blocks of w2v-BERT, which takes mel features that are normalised over
        the whole sound, ``semantic`` what comes of them, and ``latent`` is made of both. Entries of its
        codebook are levels in a few dimensions: there is none in the latent's space to measure margins by.
        It decodes where the decoder gives the rate that was encoded, which NeuCodec's does not.

        Codes are those of the model's own ``encode`` for waveforms of whole frames.

    Raises
    ------
    InputError
        If its frames are not those of w2v-BERT, 320 samples.

    Source: Ye et al., Llasa, arXiv 2502.04128.
    """
    config, encoder = model.config, model.acoustic_encoder
    places = dac_places(encoder, "acoustic_encoder")
    stack_end = places.geometry
    if stack_end.hop != 2 * SHIFT:
        raise InputError(f"{name}: frames of {stack_end.hop} samples; must be w2v-BERT's, {2 * SHIFT}")
    semantic = Geometry(2 * SHIFT, 1, SHIFT + WINDOW - 1 - _padding(model))
    for i in range(len(model.semantic_encoder.encoder.layers)):
        places.add(f"semantic_layer_{i}", f"semantic_encoder.encoder.layers.{i}", semantic, bounded=False)
    latent = activated(stack_end, encoder.snake1).then(layer_of(encoder.conv2))
    places.add("semantic", "semantic_adapter", semantic, bounded=False)
    output_rate = getattr(config, "output_sampling_rate", None)  # of NeuCodec's alone
    rate = config.sampling_rate if output_rate is None else config.input_sampling_rate
    parts = Parts(
        places,
        stage_at("latent", latent, bounded=False),
        encode=_encoded,
        decode=_decoded if output_rate in (None, rate) else None,
        quantize=_quantized,
        steps=1,
    )
    return coded(model, name, rate, parts)


def _padding(model: Any) -> int:
    """Return by how many samples the features' waveform is padded on either side; NeuCodec's is not."""
    return 0 if hasattr(model.config, "output_sampling_rate") else SHIFT


def _encoded(model: Any, waveforms: Tensor) -> Tensor:  # [B, 1, T] -> [B, D, F]
    acoustic = model.acoustic_encoder(waveforms)
    features = _features(functional.pad(waveforms, (_padding(model), _padding(model))))
    semantic = model.semantic_adapter(model.semantic_encoder(features).last_hidden_state.mT)
    frames = min(acoustic.shape[2], semantic.shape[2])
    both = torch.cat([semantic[:, :, :frames], acoustic[:, :, :frames]], dim=1)
    return model.fc_encoder(both.mT).mT


def _features(waveforms: Tensor) -> Tensor:
    """Return w2v-BERT's features [B, F, 2 * MELS] of waveforms [B, 1, T]: Kaldi's, normalised over time."""
    rate = 16_000  # to which its frequencies and durations refer

    def normalised(sound: Tensor) -> Tensor:
        mels = fbank(
            sound,
            num_mel_bins=MELS,
            frame_length=WINDOW / rate * 1000,
            frame_shift=SHIFT / rate * 1000,
            sample_frequency=rate,
            window_type="povey",
            dither=0.0,
            high_freq=rate // 2,
        )
        return (mels - mels.mean(0)) / (mels.var(0) + VARIANCE_FLOOR).sqrt()

    mels = torch.stack([normalised(sound) for sound in LOUDEST * waveforms])
    whole = mels[:, : mels.shape[1] // 2 * 2]
    return whole.reshape(len(whole), -1, 2 * MELS)


def _quantized(model: Any, latent: Tensor) -> Quantized:
    quantized, codes = model.quantizer(latent.mT)
    yield codes[..., 0], quantized.mT


def _decoded(model: Any, latent: Tensor) -> Tensor:
    return model.acoustic_decoder(latent.mT)
