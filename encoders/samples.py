"""Neutral controls: encoders that learn nothing and, but for what a band limit takes, lose nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.signal import firwin, kaiserord
from torch import Tensor, nn

from .base import ModuleEncoder, Stage
from .controls import Control
from .filterbanks import REFERENCE_HZ, check_sample_rate, scaled, windows
from .mixing import mixed
from .weights import no_weights

FACTOR = 4  # of the downsampler
REJECTION_DB = 80.0
PASS_SHARE = 0.9  # of the new Nyquist frequency


def patches(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return the samples as an encoder, 320 a frame: channel c of frame t is sample ``320 t + c``.

    320 at 24 kHz, and as long at other rates.

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
    >>> patches().run(torch.arange(640.0)[None], ["first_layer"])["first_layer"][0, :2]
    tensor([[  0., 320.],
            [  1., 321.]])
    """
    return _patches("control:patches", weights, sample_rate)


def patches_mixed(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return `patches` multiplied by an orthogonal matrix: the same samples in another basis.

    Parameters and errors are those of `patches`, but that `seed` draws the matrix.

    Examples
    --------
    >>> patches_mixed(seed=2).weights.note
    'orthogonal matrix over channels drawn with seed 2'
    """
    return mixed(_patches("control:patches_mixed", weights, sample_rate), seed)


def waveform(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return the samples as an encoder, one channel with a frame for each: what `patches` holds.

    Parameters and errors are those of `patches`.

    Examples
    --------
    >>> waveform().run(torch.tensor([[0.5, -0.25]]), ["first_layer"])["first_layer"]
    tensor([[[ 0.5000, -0.2500]]])
    """
    name = "control:waveform"
    check_sample_rate(name, sample_rate)
    module, stage = _Patches(name, 1), Stage("first_layer", 1, 1, 1, 0, "convolution")
    origin = no_weights(name, weights, module)
    return Control(name, module, sample_rate, [stage], origin, {"first_layer": np.ones((1, 1))})


def downsampler(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return the samples as an encoder, at a quarter of their rate: all below an eighth of it, nothing above.

    One channel, and a frame every 4 samples at any sample rate, not centred. A linear-phase low-pass filter
    (Kaiser window) passes 0.9 of the new Nyquist frequency within 0.001 dB and rejects what lies above it by
    80 dB.

    Parameters and errors are those of `patches`.

    Examples
    --------
    >>> encoder = downsampler()
    >>> constant = encoder.run(torch.ones(1, 600), ["first_layer"])["first_layer"]
    >>> constant.shape, round(constant.max().item(), 4)
    (torch.Size([1, 1, 50]), 1.0)
    """
    name = "control:downsampler"
    check_sample_rate(name, sample_rate)
    taps, beta = kaiserord(REJECTION_DB, (1 - PASS_SHARE) / FACTOR)
    taps |= 1  # an odd number has its delay in whole samples
    response = firwin(taps, (1 + PASS_SHARE) / 2 / FACTOR, window=("kaiser", beta))
    module = _LowPass(name, response)
    stage = Stage("first_layer", 1, FACTOR, taps, taps - 1, "convolution")
    origin = no_weights(name, weights, module)
    return Control(name, module, sample_rate, [stage], origin, {"first_layer": response[None]})


def _patches(name: str, weights: str | Path, sample_rate: int) -> ModuleEncoder:
    check_sample_rate(name, sample_rate)
    length = scaled(320, sample_rate)
    module = _Patches(name, length)
    stage = Stage("first_layer", length, length, length, length - 1, "convolution")
    origin = no_weights(name, weights, module)
    return Control(name, module, sample_rate, [stage], origin, {"first_layer": np.eye(length)})


class _Patches(nn.Module):
    def __init__(self, name: str, length: int) -> None:
        super().__init__()
        self.name, self.length = name, length

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, length, T // length]
        return windows(self.name, waveforms, self.length, self.length).transpose(1, 2).clone()


class _LowPass(nn.Module):
    response: Tensor

    def __init__(self, name: str, response: np.ndarray) -> None:
        super().__init__()
        self.name = name
        self.register_buffer("response", torch.from_numpy(response).float())  # [L], symmetric

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, 1, F]
        windows(self.name, waveforms, len(self.response), FACTOR)  # raises where they are too short
        return nn.functional.conv1d(waveforms[:, None], self.response[None, None], stride=FACTOR)
