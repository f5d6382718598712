"""Negative controls: encoders that keep the sound and lose what is audible in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .base import ModuleEncoder, Stage, Weights
from .filterbanks import REFERENCE_HZ, check_sample_rate, scaled, stft_magnitude, windows
from .weights import no_weights

CORNER_HZ = 850.0  # of the two bands: the geometric middle of the frequencies of most music
SILENCE_DBFS = -100.0


class Control(ModuleEncoder):
    """An encoder of known truth: a module that gives its only stage, or a mapping of stages."""

    def __init__(
        self,
        name: str,
        module: nn.Module,
        sample_rate: int,
        stages: Sequence[Stage],
        weights: Weights,
        kernels: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__(
            name,
            module,
            sample_rate,
            {stage.name: stage for stage in stages},
            {stage.name: "" for stage in stages},
            weights,
            prepare=lambda waveforms: waveforms,
            read=lambda stage, output: output[stage] if isinstance(output, dict) else output,
            kernels=kernels,
        )


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
    module = _Decimate(hop)
    origin = no_weights(name, weights, module)
    return Control(name, module, sample_rate, [stage], origin, {"first_layer": np.ones((1, 1))})


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
    module = _Rectify()
    return Control(name, module, sample_rate, [stage], no_weights(name, weights, module))


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
    origin = no_weights(name, weights, module, f"256 pink patches drawn with seed {seed}")
    return Control(name, module, sample_rate, stages, origin)


def loudness(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return an encoder that knows only how loud it is: the level of every 320 samples, and nothing else.

    One channel, in dB above -100 dB re an RMS of 1; silence is 0. 320 samples at 24 kHz, and as long at other
    rates. Parameters and errors are those of `decimator`.

    Examples
    --------
    >>> loudness().run(0.1 * torch.ones(1, 640), ["first_layer"])["first_layer"]
    tensor([[[80., 80.]]])
    """
    name = "control:loudness"
    check_sample_rate(name, sample_rate)
    length = scaled(320, sample_rate)
    module = _Loudness(length)
    stage = Stage("first_layer", 1, length, length, length - 1)
    return Control(name, module, sample_rate, [stage], no_weights(name, weights, module))


def sign_hash(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return an encoder that tells sounds apart and says nothing of them: signs of random projections.

    256 projections of every 320 samples (at 24 kHz; as long at other rates) on Gaussian directions, 1 where
    they are at least 0, else -1. Two sounds at an angle differ in as large a share of the signs as the angle
    is of 180 degrees; level does not matter.

    Parameters and errors are those of `decimator`, but that `seed` draws the directions.

    Notes
    -----
    Source: Charikar 2002, "Similarity estimation techniques from rounding algorithms".

    Examples
    --------
    >>> patch = torch.randn(1, 320, generator=torch.Generator().manual_seed(0))
    >>> quiet, loud = (sign_hash().run(a * patch, ["first_layer"])["first_layer"] for a in (0.01, 1.0))
    >>> torch.equal(quiet, loud), quiet.shape
    (True, torch.Size([1, 256, 1]))
    """
    name = "control:sign_hash"
    check_sample_rate(name, sample_rate)
    length = scaled(320, sample_rate)
    module = _SignHash(np.random.default_rng(seed).standard_normal((256, length)))
    stage = Stage("first_layer", 256, length, length, length - 1, "quantized")
    origin = no_weights(name, weights, module, f"256 directions drawn with seed {seed}")
    return Control(name, module, sample_rate, [stage], origin)


def permuted(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return an encoder that puts what it finds elsewhere in every context: bins permuted by the loudest.

    The magnitudes of `stft_magnitude`; for each bin that may be the loudest of a frame there is one
    permutation of the channels. Every frame holds all that the magnitudes hold but where it was.

    Parameters and errors are those of `decimator`, but that `seed` draws the permutations.

    Examples
    --------
    >>> encoder, bank = permuted(), stft_magnitude()
    >>> noise = torch.randn(1, 1024, generator=torch.Generator().manual_seed(0))
    >>> one, other = (e.run(noise, ["first_layer"])["first_layer"] for e in (encoder, bank))
    >>> torch.equal(one, other), torch.equal(one.sort(dim=1).values, other.sort(dim=1).values)
    (False, True)
    """
    name = "control:permuted"
    check_sample_rate(name, sample_rate)
    bank = stft_magnitude(sample_rate=sample_rate)
    stage = bank.stages["first_layer"]
    every = np.tile(np.arange(stage.channels, dtype=np.int32), (stage.channels, 1))
    module = _Permuted(bank.module, np.random.default_rng(seed).permuted(every, axis=1))
    origin = no_weights(name, weights, module, f"permutations drawn with seed {seed}")
    return Control(name, module, sample_rate, [stage], origin)


def two_bands(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return an encoder that tells two bands apart and no more: how much lies below a corner, and above.

    Two channels: RMS below and above 850 Hz (a quarter of the sample rate, where that is lower), over the
    frames and under the window of `stft_magnitude`, up to half a bin. Tones of one band are one to it.

    Parameters and errors are those of `decimator`.

    Examples
    --------
    >>> frequency_hz = torch.tensor([[300.0], [600.0], [3000.0]])
    >>> tones = torch.sin(2 * torch.pi * frequency_hz * torch.arange(1024) / 24_000)
    >>> two_bands().run(tones, ["first_layer"])["first_layer"][:, :, 0].round(decimals=3)
    tensor([[0.7070, 0.0000],
            [0.7070, 0.0000],
            [0.0000, 0.7070]])
    """
    name = "control:two_bands"
    check_sample_rate(name, sample_rate)
    bank = stft_magnitude(sample_rate=sample_rate)
    stage = bank.stages["first_layer"]
    low = bank.centre_hz < min(CORNER_HZ, sample_rate / 4)
    length = scaled(1024, sample_rate)
    module = _Bands(bank.module, np.stack([low, ~low]) * 2 / (3 / 8 * length**2))  # Hann: sum w^2 = 3 n / 8
    two = replace(stage, channels=2)
    return Control(name, module, sample_rate, [two], no_weights(name, weights, module))


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


class _Loudness(nn.Module):
    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, 1, F]
        power = windows("control:loudness", waveforms, self.length, self.length).square().mean(dim=-1)
        return 10 * power.clamp(min=10 ** (SILENCE_DBFS / 10)).log10()[:, None] - SILENCE_DBFS


class _SignHash(nn.Module):
    directions: Tensor

    def __init__(self, directions: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("directions", torch.from_numpy(directions).float())  # [256, L]

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, 256, F]
        length = self.directions.shape[1]
        projected = windows("control:sign_hash", waveforms, length, length) @ self.directions.T
        return torch.where(projected >= 0, 1.0, -1.0).transpose(1, 2)


class _Permuted(nn.Module):
    permutations: Tensor

    def __init__(self, magnitudes: nn.Module, permutations: np.ndarray) -> None:
        super().__init__()
        self.magnitudes = magnitudes
        self.register_buffer("permutations", torch.from_numpy(permutations))  # int32 [C, C]

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, C, F]
        magnitudes = self.magnitudes(waveforms)
        order = self.permutations[magnitudes.argmax(dim=1)].transpose(1, 2)  # [B, C, F]
        return magnitudes.gather(1, order.long())


class _Bands(nn.Module):
    bands: Tensor

    def __init__(self, magnitudes: nn.Module, bands: np.ndarray) -> None:
        super().__init__()
        self.magnitudes = magnitudes
        self.register_buffer("bands", torch.from_numpy(bands).float())  # [2, bins], 0 or what a power counts

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, 2, F]
        power = self.bands @ self.magnitudes(waveforms).square()
        return power.clamp(min=1e-20).sqrt()


def _pink_patches(count: int, length: int, seed: int) -> np.ndarray:  # [count, length]
    generator = np.random.default_rng(seed)
    bins = np.arange(length // 2 + 1)
    spectrum = generator.standard_normal((2, count, len(bins))) / np.sqrt(np.maximum(bins, 1))
    spectrum[:, :, 0] = 0  # no mean
    patches = np.fft.irfft(spectrum[0] + 1j * spectrum[1], n=length, axis=1)
    return patches / np.linalg.norm(patches, axis=1, keepdims=True)
