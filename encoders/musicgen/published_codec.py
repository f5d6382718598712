"""The codec of a published MusicGen: transformers' EnCodec, recorded at every block."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..base import Stage, Weights
from ..encodec import fill_codebooks
from ..quantization import check_codes
from ..resuming import ResumableEncoder
from ..seanet import quantized_stages, seanet_stages, time_convolutions
from ..threads import single_thread
from ..weights import state_sha256


class PublishedCodec(ResumableEncoder):
    """transformers' ``EncodecModel``, recorded at every block and behind its quantizer."""

    @property
    def codebooks(self) -> tuple[Tensor, ...]:
        """The codebooks, float32 [entries, D] each, in the order of the residual steps."""
        codec: Any = self.module.get_submodule("codec")
        return tuple(layer.codebook.embed for layer in codec.quantizer.layers)

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
        scale : None
            This codec divides by none.

        Returns
        -------
        waveforms : float32 [B, F * hop]
        """
        codec: Any = self.module.get_submodule("codec")
        with torch.inference_mode():
            return codec.decoder(latent.to(self.device))[:, 0]


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
        Mono, without normalisation, with weight norms.
    origin : str
        Where the weights are from.
    seed : int
        Of the filling.

    Returns
    -------
    PublishedCodec
        Stages are called as those of `encodec_24khz`; what is the last downsampling is ``stack_end``.
    """
    codec.eval().requires_grad_(False)
    books = [layer.codebook for layer in codec.quantizer.layers]
    note = "" if all(bool(book.embed.any()) for book in books) else _filled(codec, books, seed)
    blocks = _blocks(codec)
    stages = _stages(codec, blocks, len(books))
    taps = {stage: f"codec.encoder.layers.{index}" for stage, index in blocks.items()}
    return PublishedCodec(
        name,
        _Taps(codec),
        codec.config.sampling_rate,
        stages,
        {stage: taps.get(stage, "quantize") for stage in stages},
        Weights(origin, state_sha256(codec.state_dict()), note),
        read=lambda stage, output: output[stage] if isinstance(output, dict) else output,
        kernels={"first_layer": _first_kernels(codec)},
    )


def _filled(codec: Any, books: list[Any], seed: int) -> str:
    # of the encodec package's model, what the filling looks at
    like = SimpleNamespace(
        encoder=codec.encoder, sample_rate=codec.config.sampling_rate, normalize=False, channels=1
    )
    with single_thread():
        return fill_codebooks(like, books, seed)


def _blocks(codec: Any) -> dict[str, int]:
    """Return stage name -> index among the encoder's layers; what lies between are activation functions."""
    last = len(codec.encoder.layers) - 1
    blocks, residuals, strided = {}, 0, []
    for index, layer in enumerate(codec.encoder.layers):
        if index == 0:
            blocks["first_layer"] = index
        elif hasattr(layer, "block"):
            residuals += 1
            blocks[f"residual{residuals}"] = index
        elif hasattr(layer, "lstm"):
            blocks["lstm"] = index
        elif hasattr(layer, "conv") and index != last:
            strided.append(f"downsample{len(strided) + 1}")
            blocks[strided[-1]] = index
    blocks["latent"] = last
    return {"stack_end" if name == strided[-1] else name: index for name, index in blocks.items()}


def _stages(codec: Any, blocks: dict[str, int], codebooks: int) -> dict[str, Stage]:
    found = {name: time_convolutions(codec.encoder.layers[index]) for name, index in blocks.items()}
    layers = {name: [(conv.conv, conv.causal) for conv in convs] for name, convs in found.items()}
    return seanet_stages(layers, codebooks)


def _first_kernels(codec: Any) -> np.ndarray:  # [C, 7]
    return codec.encoder.layers[0].conv.weight.detach().double()[:, 0].numpy()
