"""Source separation models of torchaudio: Conv-TasNet, and Hybrid Demucs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ..base import ModuleEncoder
from ..geometry import Geometry, layer_of, stage_at
from ..wrapping import wrap_known


def is_conv_tasnet(model: nn.Module) -> bool:
    """Whether a model is built as torchaudio's ``ConvTasNet``: a convolution, and masks of what it gives."""
    masks: Any = getattr(model, "mask_generator", None)
    return isinstance(getattr(model, "encoder", None), nn.Conv1d) and hasattr(masks, "conv_layers")


def conv_tasnet(
    model: Any, sample_rate: int, name: str, make: Callable[[], nn.Module] | None = None
) -> ModuleEncoder:
    """Make an encoder of a ``ConvTasNet``.

    Parameters
    ----------
    model : ConvTasNet
    sample_rate : int
    name : str
    make : callable, optional
        As of `wrap`.

    Returns
    -------
    ModuleEncoder
        ``first_layer`` is the convolution on the waveform, ``block_0`` ... what each block of the mask
        generator adds to its input, ``stack_end`` what the last of them hands on and ``latent`` the sum of
        what all hand on, from which the masks are made. A norm in every block sees the whole waveform.

    Source: Luo and Mesgarani, Conv-TasNet, arXiv 1809.07454.
    """
    geometry = Geometry().then(layer_of(model.encoder))
    taps = {"first_layer": "encoder"}
    last = len(model.mask_generator.conv_layers) - 1
    taps |= {f"block_{i}": f"mask_generator.conv_layers.{i}" for i in range(last)}
    taps["stack_end"] = f"mask_generator.conv_layers.{last}"
    taps["latent"] = "mask_generator.output_prelu"
    stages = {stage: stage_at(stage, geometry, bounded=False) for stage in taps}
    stages["first_layer"] = stage_at("first_layer", geometry, kind="convolution")
    return wrap_known(model, sample_rate, taps, stages, name, _mono, make=make)


def is_hybrid_demucs(model: nn.Module) -> bool:
    """Whether a model is built as torchaudio's ``HDemucs``: layers on the waveform, others on a spectrum."""
    return all(isinstance(getattr(model, n, None), nn.ModuleList) for n in ("time_encoder", "freq_encoder"))


def hybrid_demucs(
    model: Any, sample_rate: int, name: str, make: Callable[[], nn.Module] | None = None
) -> ModuleEncoder:
    """Make an encoder of the encoding half of an ``HDemucs``.

    Parameters
    ----------
    model, sample_rate, name, make
        As of `conv_tasnet`.

    Returns
    -------
    ModuleEncoder
        ``first_layer`` is the first convolution on the waveform, ``time_0`` ... the layers of that branch and
        ``stack_end`` the last of them; ``spectral_0`` ... those of the branch on the spectrum, whose channels
        are those of every frequency, and ``latent`` the last of all, where the branches have met. A waveform
        is played on all channels, and brought to mean 0 and variance 1 by the model: every stage sees all of
        it.

    Source: Défossez, Hybrid Spectrogram and Waveform Source Separation, arXiv 2111.03600.
    """
    taps, hops, hop = {"first_layer": "time_encoder.0.conv"}, {}, 1
    last = len(model.time_encoder) - 1
    for i, layer in enumerate(model.time_encoder):
        hop *= layer.stride
        stage = f"time_{i}" if i < last else "stack_end"
        taps[stage], hops[stage] = f"time_encoder.{i}", hop
    hops["first_layer"], hop = model.time_encoder[0].stride, model.hop_length
    last = len(model.freq_encoder) - 1
    for i, layer in enumerate(model.freq_encoder):
        hop *= 1 if layer.freq else layer.stride
        stage = f"spectral_{i}" if i < last else "latent"
        taps[stage], hops[stage] = f"freq_encoder.{i}", hop
    stages = {stage: stage_at(stage, Geometry(hops[stage]), bounded=False) for stage in taps}
    channels = model.audio_channels
    return wrap_known(
        model, sample_rate, taps, stages, name, lambda waveforms: _on_all(waveforms, channels), make=make
    )


def _mono(waveforms: Tensor) -> Tensor:  # [B, 1, T]
    return waveforms[:, None]


def _on_all(waveforms: Tensor, channels: int) -> Tensor:  # [B, channels, T]
    return waveforms[:, None].expand(-1, channels, -1)
