"""Negative controls: encoders that keep the sound and lose what is audible in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .base import ModuleEncoder, Stage
from .filterbanks import REFERENCE_HZ, check_sample_rate, scaled, windows
from .weights import no_weights


def decimator(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return an encoder that keeps every 320th sample: perfectly additive, and useless.

    All frequencies that share a fold become one. The hop is 320 samples at 24 kHz and lasts as long
    at other rates.

    Parameters
    ----------
    weights : {"pretrained", "random"}
        Without effect: there are none.
    seed : int
        Without effect.
    sample_rate : int >= 1000
        Samples per second.

    Raises
    ------
    InputError
        If `weights` is a path, or the sample rate too low.

    Examples
    --------
    >>> decimator().run(torch.arange(960.0)[None], ["first_layer"])["first_layer"]
    tensor([[[  0., 320., 640.]]])
    """
    name = "control:decimator"
    check_sample_rate(name, sample_rate)
    hop = scaled(320, sample_rate)
    stage = Stage("first_layer", 1, hop, 1, 0, "convolution")
    return _control(name, _Decimate(hop), sample_rate, [stage], weights, {"first_layer": np.ones((1, 1))})


def rectifier(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return an encoder that takes the magnitude of every sample.

    A tone leaves a mean and even harmonics: 0.8106 of its power at DC, 0.1801 at the second and
    0.0072 at the fourth. Parameters and errors are those of `decimator`.

    Examples
    --------
    >>> rectifier().run(torch.tensor([[-0.5, 0.25]]), ["first_layer"])["first_layer"]
    tensor([[[0.5000, 0.2500]]])
    """
    name = "control:rectifier"
    check_sample_rate(name, sample_rate)
    stage = Stage("first_layer", 1, 1, 1, 0)
    return _control(name, _Rectify(), sample_rate, [stage], weights)


def texture(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return an encoder that replaces each stretch of sound by the nearest of 256 waveform patches.

    The patches are pink noise of unit norm, 320 samples at 24 kHz and as long at other rates, one
    after another; `quantized` is the patch [B, 320, F], `codes` its index [B, 1, F]. With all norms
    equal the nearest patch is the one with the largest inner product, so level does not matter;
    silence gets the first.

    Parameters
    ----------
    weights : {"pretrained", "random"}
        Without effect: there are none.
    seed : int
        Of the patches.
    sample_rate : int >= 1000
        Samples per second.

    Raises
    ------
    InputError
        If `weights` is a path, or the sample rate too low.

    Examples
    --------
    >>> texture().run(torch.zeros(1, 960), ["codes"])["codes"]
    tensor([[[0, 0, 0]]])
    """
    name = "control:texture"
    check_sample_rate(name, sample_rate)
    length = scaled(320, sample_rate)
    stages = [
        Stage("quantized", length, length, length, length - 1),
        Stage("codes", 1, length, length, length - 1, "codes"),
    ]
    module = _Texture(_pink_patches(256, length, seed))
    return _control(
        name, module, sample_rate, stages, weights, note=f"256 pink patches drawn with seed {seed}"
    )


def _control(
    name: str,
    module: nn.Module,
    sample_rate: int,
    stages: list[Stage],
    weights: str | Path,
    kernels: dict[str, np.ndarray] | None = None,
    note: str = "",
) -> ModuleEncoder:
    return ModuleEncoder(
        name,
        module,
        sample_rate,
        {stage.name: stage for stage in stages},
        {stage.name: "" for stage in stages},
        no_weights(name, weights, module, note),
        prepare=lambda waveforms: waveforms,
        read=lambda stage, output: output[stage] if isinstance(output, dict) else output,
        kernels=kernels,
    )


class _Decimate(nn.Module):
    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop = hop

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, 1, F]
        return waveforms[:, None, :: self.hop].clone()


class _Rectify(nn.Module):
    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, 1, T]
        return waveforms.abs()[:, None]


class _Texture(nn.Module):
    patches: Tensor

    def __init__(self, patches: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("patches", torch.from_numpy(patches).float())  # [256, L]

    def forward(self, waveforms: Tensor) -> dict[str, Tensor]:
        length = self.patches.shape[1]
        frames = windows("control:texture", waveforms, length, length)  # [B, F, L]
        codes = (frames @ self.patches.T).argmax(dim=-1)  # [B, F]
        return {"quantized": self.patches[codes].transpose(1, 2), "codes": codes[:, None]}


def _pink_patches(count: int, length: int, seed: int) -> np.ndarray:  # [count, length]
    generator = np.random.default_rng(seed)
    bins = np.arange(length // 2 + 1)
    spectrum = generator.standard_normal((2, count, len(bins))) / np.sqrt(np.maximum(bins, 1))
    spectrum[:, :, 0] = 0  # no mean
    patches = np.fft.irfft(spectrum[0] + 1j * spectrum[1], n=length, axis=1)
    return patches / np.linalg.norm(patches, axis=1, keepdims=True)
