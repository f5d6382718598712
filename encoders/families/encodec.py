"""EnCodec, as transformers has it: for one channel or two, with weight norms or group norms."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..base import Stage, Weights
from ..encodec import unscaled
from ..filling import Step, fill_steps, filling_note, filling_sounds, settled_latents
from ..hub import quiet
from ..quantization import check_codes
from ..redrawing import redrawn, reference
from ..resuming import ResumableEncoder
from ..seanet import quantized_stages, seanet_stages, time_convolutions
from ..threads import single_thread, suited_threads
from ..weights import randomly_initialised, state_sha256
from .seanet import seanet_blocks


def is_encodec(model: Any) -> bool:
    """Whether a model is built as transformers' ``EncodecModel``: a SEANet and steps of plain codebooks."""
    steps: Any = getattr(getattr(model, "quantizer", None), "layers", None)
    layers = getattr(getattr(model, "encoder", None), "layers", None)
    return bool(layers and steps and hasattr(getattr(steps[0], "codebook", None), "embed"))


class PublishedCodec(ResumableEncoder):
    """transformers' ``EncodecModel``, recorded at every block and behind its quantizer."""

    @property
    def codebooks(self) -> tuple[Tensor, ...]:
        """The codebooks, float32 [entries, D] each, in the order of the residual steps."""
        codec: Any = self.module.get_submodule("codec")
        return tuple(layer.codebook.embed for layer in codec.quantizer.layers)

    def scale(self, waveforms: Tensor) -> Tensor | None:
        """Return what the model divides float [B, T] `waveforms` by, [B]; None where it does not."""
        codec: Any = self.module.get_submodule("codec")
        return _scale(codec, waveforms)

    def _activations(self, waveforms: Tensor, stages: Any) -> dict[str, Tensor]:
        found = super()._activations(waveforms, stages)
        scale = self.scale(waveforms)
        if "first_layer" in found and scale is not None:
            codec: Any = self.module.get_submodule("codec")
            found["first_layer"] = unscaled(found["first_layer"], codec.encoder.layers[0].conv.bias, scale)
        return found

    def stages_from(self, stage: str) -> tuple[str, ...]:
        """Return the stages that follow from one; from "codes" it is the sums of the entries they name."""
        return tuple(self._sums) if stage == "codes" else super().stages_from(stage)

    def _resumed(self, stage: str, activations: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        if stage != "codes":
            return super()._resumed(stage, activations, stages)
        check_codes(activations, self.codebooks)
        codec: Any = self.module.get_submodule("codec")
        codes = activations.to(self.device).transpose(0, 1)  # [K, B, F]
        return {name: codec.quantizer.decode(codes[: self._sums[name]]) for name in stages}

    @property
    def _sums(self) -> dict[str, int]:
        return quantized_stages(self.stages["codes"].channels)

    def decode(self, latent: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return the sound of a latent, or of its quantized version.

        Parameters
        ----------
        latent : float32 [B, D, F]
        scale : float32 [B], optional
            What `scale` returned for the waveforms, of a codec that divides by one.

        Returns
        -------
        waveforms : float32 [B, F * hop]
            The mean over the model's channels.
        """
        codec: Any = self.module.get_submodule("codec")
        with torch.inference_mode(), suited_threads(codec):
            waveforms = codec.decoder(latent.to(self.device)).mean(dim=1)
        return waveforms if scale is None else waveforms * scale.to(waveforms)[:, None]


class _Taps(nn.Module):
    """The encoding half of a codec: waveforms -> latent -> codes."""

    def __init__(self, codec: Any) -> None:
        super().__init__()
        self.codec = codec
        self.quantize = _Quantize(codec.quantizer)

    def forward(self, waveforms: Tensor) -> dict[str, Tensor]:
        return self.quantize(self.codec.encoder(waveforms))


class _Quantize(nn.Module):
    """All steps of the residual vector quantization."""

    def __init__(self, quantizer: Any) -> None:
        super().__init__()
        self.quantizer = quantizer

    def forward(self, latent: Tensor) -> dict[str, Tensor]:
        codes = self.quantizer.encode(latent)  # [K, B, F]
        sums = {name: self.quantizer.decode(codes[:n]) for name, n in quantized_stages(len(codes)).items()}
        return {**sums, "codes": codes.transpose(0, 1)}


def codec_of(name: str, codec: Any, origin: str, seed: int = 0) -> PublishedCodec:
    """Make an encoder of transformers' EnCodec; codebooks that hold nothing but zeros are filled.

    Parameters
    ----------
    name : str
    codec : EncodecModel
    origin : str
        Where the weights are from.
    seed : int
        Of the filling.

    Returns
    -------
    PublishedCodec
        Stages are called as those of `encodec_24khz`; what is the last downsampling is ``stack_end``. A model
        of two channels hears a waveform on both, and the whole of it as one segment; see `encodec_48khz`.
    """
    codec.eval().requires_grad_(False)
    books = [layer.codebook for layer in codec.quantizer.layers]
    note = "" if all(bool(book.embed.any()) for book in books) else _fill(codec, books, seed)
    blocks = seanet_blocks(codec.encoder.layers)
    stages = _stages(codec, blocks, len(books))
    taps = {stage: f"codec.encoder.layers.{index}" for stage, index in blocks.items()}
    taps["first_layer"] += ".conv"  # before its norm
    encoder = PublishedCodec(
        name,
        _Taps(codec),
        codec.config.sampling_rate,
        stages,
        {stage: taps.get(stage, "quantize") for stage in stages},
        Weights(origin, state_sha256(codec.state_dict()), note),
        prepare=lambda waveforms: _prepare(codec, waveforms),
        read=lambda stage, output: output[stage] if isinstance(output, dict) else output,
        kernels={"first_layer": _first_kernels(codec)},
    )
    encoder.randomised = lambda seed, kind="random": _redrawn(name, codec, seed, kind)
    return encoder


def _redrawn(name: str, codec: Any, seed: int, kind: str) -> PublishedCodec:
    """Return an encoder of another network of a codec's architecture, its decoder and codebooks too."""
    sounds = _prepare(codec, reference(codec.config.sampling_rate, codec.config.sampling_rate // 2))

    def build() -> nn.Module:
        with quiet():
            return type(codec)(copy.deepcopy(codec.config))

    def play(network: Any) -> Tensor:  # not through the quantizer, which is not filled yet
        return network.decoder(network.encoder(sounds))

    drawn, note = redrawn(kind, codec, lambda: randomly_initialised(build, seed), play, seed)
    encoder = codec_of(name, drawn, kind, seed)
    encoder.weights = encoder.weights.noted(note)
    return encoder


def _scale(codec: Any, waveforms: Tensor) -> Tensor | None:  # [B]
    return waveforms.square().mean(dim=1).sqrt() + 1e-8 if codec.config.normalize else None


def _prepare(codec: Any, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, audio_channels, T]
    scale = _scale(codec, waveforms)
    heard = waveforms if scale is None else waveforms / scale[:, None]
    return heard[:, None].expand(-1, codec.config.audio_channels, -1)


def _fill(codec: Any, books: list[Any], seed: int) -> str:
    with single_thread(), torch.inference_mode():  # more threads would round otherwise
        latents = codec.encoder(_prepare(codec, filling_sounds(codec.config.sampling_rate, seed)))
        fill_steps([Step(book) for book in books], settled_latents(latents), seed)
    return filling_note(len(books), seed)


def _stages(codec: Any, blocks: dict[str, int], codebooks: int) -> dict[str, Stage]:
    found = {name: time_convolutions(codec.encoder.layers[index]) for name, index in blocks.items()}
    layers = {name: [(conv.conv, conv.causal) for conv in convs] for name, convs in found.items()}
    return seanet_stages(layers, codebooks, normalizes=codec.config.norm_type == "time_group_norm")


def _first_kernels(codec: Any) -> np.ndarray:  # [C, 7]
    weight = codec.encoder.layers[0].conv.weight.detach().double()
    return weight.sum(dim=1).numpy()  # the waveform plays on every channel
