"""Codes and decoders of known truth: what tokens and removals can be at best, and at worst."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from scipy.signal.windows import blackmanharris
from torch import Tensor, nn

from .base import ModuleEncoder, Stage, check_activations
from .controls import Control
from .filterbanks import (
    HIGHEST_SHARE,
    REFERENCE_HZ,
    check_sample_rate,
    level_above_floor,
    scaled,
    stft_magnitude,
    windows,
)
from .quantization import residual_quantization
from .weights import no_weights

STEP_DB, ENTRIES = 3.0, 32  # of a band's codebook: from the floor to 93 dB above it
LOWEST_BAND_HZ = 1000 / 2**4  # the third octave around 62.5 Hz
MU = 255.0


class Coder(Control):
    """A control with the stages `latent`, `quantized` and `codes`, of codebooks that are its definition."""

    @property
    def codebooks(self) -> tuple[Tensor, ...]:
        """Float32 [entries, D], one for each step."""
        return tuple(self.module.codebooks)  # type: ignore[arg-type]


class PatchCodec(Control):
    """A control whose `latent` is a function of each sample, 320 a frame, that has an inverse."""

    def decode(self, latent: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return waveforms float32 [B, F * hop] of a latent [B, hop, F]; there is no scale.

        Raises
        ------
        InputError
            If it is no such latent.
        """
        check_activations(self.stages["latent"], latent)
        with torch.inference_mode():
            return self.module.inverse(latent).transpose(1, 2).flatten(1)  # type: ignore[operator]


def band_codec(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return a codec whose every codebook has a band of its own: tokens of a partial stay with it.

    `latent` is the level of each third octave from 62.5 Hz on, up to 0.45 of the sample rate, in dB above
    60 dB below a full-scale sine; codebook k is 32 levels 3 dB apart of the k-th band and leaves the others
    alone. A partial changes the token of its band; near an edge (within 13 Hz) that of the band beyond it,
    too; from 120 Hz on no third. What sounds in other bands changes nothing of it. Frames of 0.3 s under
    a Blackman-Harris window, every 320 samples (at 24 kHz; as long at other rates), not centred.

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
    >>> encoder = band_codec()
    >>> low, high = torch.sin(2 * torch.pi * torch.tensor([[250.0], [2000.0]]) * torch.arange(7200) / 24_000)
    >>> for waveform in (low, high, low + high):
    ...     print(encoder.run(0.1 * waveform[None], ["codes"])["codes"].flatten()[4:17].tolist())
    [0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, 0]
    [0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0, 13, 0]
    """
    name = "control:band_codec"
    check_sample_rate(name, sample_rate)
    length, hop = round(0.3 * sample_rate), scaled(320, sample_rate)
    module = _BandLevels(name, length, hop, third_octaves(sample_rate), sample_rate)
    return _coder(name, module, length, hop, sample_rate, weights)


def dominant_codec(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return a codec of one codebook that names the loudest bin: in a mixture all but one partial are lost.

    `latent` holds the amplitudes of `stft_magnitude`, 1 for a full-scale sine on a bin, `quantized` 1 in the
    loudest bin and 0 elsewhere, `codes` its number. Silence is bin 0.

    Parameters and errors are those of `band_codec`.

    Examples
    --------
    >>> tones = torch.sin(2 * torch.pi * torch.tensor([[750.0], [3000.0]]) * torch.arange(1024) / 24_000)
    >>> dominant_codec().run(torch.stack([tones[0], 0.5 * tones[0] + tones[1]]), ["codes"])["codes"].flatten()
    tensor([ 32, 128])
    """
    name = "control:dominant_codec"
    check_sample_rate(name, sample_rate)
    bank = stft_magnitude(sample_rate=sample_rate)
    about = bank.stages["first_layer"]
    length = scaled(1024, sample_rate)
    module = _Dominant(bank.module, about.channels, 4 / length)
    return _coder(name, module, length, about.hop, sample_rate, weights)


def identity_codec(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> PatchCodec:
    """Return a codec that changes nothing: `latent` is the samples, 320 a frame, and `decode` returns them.

    320 at 24 kHz, and as long at other rates. Linear, so that whatever is removed from the latent is removed
    from the sound. Parameters and errors are those of `band_codec`.

    Examples
    --------
    >>> encoder, waveform = identity_codec(), torch.arange(640.0)[None]
    >>> torch.equal(encoder.decode(encoder.run(waveform, ["latent"])["latent"]), waveform)
    True
    """
    name = "control:identity_codec"
    check_sample_rate(name, sample_rate)
    length = scaled(320, sample_rate)
    return _patch_codec(name, _Identity(name, length), "convolution", sample_rate, weights)


def mu_law_codec(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> PatchCodec:
    """Return a codec that keeps the sound and no planes: companded samples, which `decode` expands.

    ``sign(x) log(1 + mu |x|) / log(1 + mu)`` with mu = 255, 320 samples a frame (at 24 kHz; as long at other
    rates), not quantized: nothing is lost, but what a component adds depends on all others.

    Parameters and errors are those of `band_codec`.

    Notes
    -----
    Source: ITU-T G.711, in its continuous form.

    Examples
    --------
    >>> encoder, waveform = mu_law_codec(), torch.linspace(-1, 1, 320)[None]
    >>> latent = encoder.run(waveform, ["latent"])["latent"]
    >>> torch.allclose(encoder.decode(latent), waveform, atol=1e-6), round(latent[0, 160, 0].item(), 3)
    (True, 0.106)
    """
    name = "control:mu_law_codec"
    check_sample_rate(name, sample_rate)
    length = scaled(320, sample_rate)
    return _patch_codec(name, _MuLaw(name, length), "nonlinear", sample_rate, weights)


def third_octaves(sample_rate: int) -> np.ndarray:
    """Return the edges, float [n + 1] in Hz, of third octaves around 1000 Hz and up and down from there.

    Examples
    --------
    >>> third_octaves(24_000)[[0, 12, 13]].round(), len(third_octaves(24_000))
    (array([  56.,  891., 1122.]), 23)
    """
    first = LOWEST_BAND_HZ * 2 ** (-1 / 6)
    steps = int(3 * np.log2(HIGHEST_SHARE * sample_rate / first))
    return first * 2 ** (np.arange(steps + 1) / 3)


def _coder(
    name: str, module: nn.Module, length: int, hop: int, sample_rate: int, weights: str | Path
) -> Coder:
    books = module.codebooks
    size, latency = books[0].shape[1], length - 1  # type: ignore[index]
    stages = [
        Stage("latent", size, hop, length, latency),
        Stage("quantized", size, hop, length, latency, "quantized", codebooks=len(books)),  # type: ignore[arg-type]
        Stage("codes", len(books), hop, length, latency, "codes"),  # type: ignore[arg-type]
    ]
    return Coder(name, module, sample_rate, stages, no_weights(name, weights, module))


def _patch_codec(
    name: str, module: _Identity, kind: str, sample_rate: int, weights: str | Path
) -> PatchCodec:
    length = module.length
    stage = Stage("latent", length, length, length, length - 1, kind)
    kernels = {"latent": np.eye(length)} if stage.is_linear else None
    return PatchCodec(name, module, sample_rate, [stage], no_weights(name, weights, module), kernels)


class _Quantizing(nn.Module):
    """Codes a latent by `codebooks`, a buffer [Q, entries, D]."""

    codebooks: Tensor

    def latent(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, D, F]
        raise NotImplementedError

    def forward(self, waveforms: Tensor) -> dict[str, Tensor]:
        latent = self.latent(waveforms)
        found = residual_quantization(latent.transpose(1, 2), tuple(self.codebooks))
        return {
            "latent": latent,
            "quantized": found.vectors[:, :, -1].transpose(1, 2),
            "codes": found.codes.transpose(1, 2),
        }


class _BandLevels(_Quantizing):
    window: Tensor
    bands: Tensor

    def __init__(self, name: str, length: int, hop: int, edges_hz: np.ndarray, sample_rate: int) -> None:
        super().__init__()
        self.name, self.hop = name, hop
        window = blackmanharris(length, sym=False)
        window *= 2 / np.sqrt(length * np.square(window).sum())  # a full-scale sine has a power of 1
        self.register_buffer("window", torch.from_numpy(window).float())
        bin_hz = np.arange(length // 2 + 1) * sample_rate / length
        bands = (edges_hz[:-1, None] <= bin_hz) & (bin_hz < edges_hz[1:, None])
        self.register_buffer("bands", torch.from_numpy(bands).float())  # [Q, bins]
        levels = STEP_DB * torch.arange(ENTRIES)
        self.register_buffer("codebooks", torch.eye(len(bands))[:, None] * levels[:, None])  # [Q, entries, Q]

    def latent(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, Q, F]
        frames = windows(self.name, waveforms, len(self.window), self.hop)
        power = self.bands @ torch.fft.rfft(frames * self.window).abs().square().transpose(1, 2)
        return level_above_floor(power.clamp(min=1e-20).sqrt())


class _Dominant(_Quantizing):
    def __init__(self, magnitudes: nn.Module, bins: int, scale: float) -> None:
        super().__init__()
        self.magnitudes, self.scale = magnitudes, scale
        self.register_buffer("codebooks", torch.eye(bins)[None])

    def latent(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, C, F]
        return self.scale * self.magnitudes(waveforms)


class _Identity(nn.Module):
    def __init__(self, name: str, length: int) -> None:
        super().__init__()
        self.name, self.length = name, length

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, length, F]
        return windows(self.name, waveforms, self.length, self.length).transpose(1, 2).clone()

    def inverse(self, latent: Tensor) -> Tensor:
        return latent


class _MuLaw(_Identity):
    def forward(self, waveforms: Tensor) -> Tensor:
        return super().forward(waveforms.sign() * (MU * waveforms.abs()).log1p() / math.log1p(MU))

    def inverse(self, latent: Tensor) -> Tensor:
        return latent.sign() * (latent.abs() * math.log1p(MU)).expm1() / MU
