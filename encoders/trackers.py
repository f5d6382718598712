"""Positive controls: banks that follow partials and pitches, each in channels of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.signal.windows import blackmanharris
from torch import Tensor, nn

from .base import Stage
from .filterbanks import (
    FLOOR_DBFS,
    HIGHEST_SHARE,
    REFERENCE_HZ,
    Envelopes,
    Filterbank,
    check_sample_rate,
    level_above_floor,
    scaled,
)
from .weights import no_weights

LOWEST_HZ = 80.0
PER_SEMITONE = 4
PERIODS, LONGEST_S = 36, 0.3  # of a window: its main lobe is as wide as 2 semitones on either side
HARMONICS = 4
MISSING_DBFS = -120.0  # what a harmonic counts as that is not there


def log_tracker(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> Filterbank:
    """Return a tracker of partials as an encoder: spectral peaks alone, and their levels.

    Amplitudes at frequencies from 80 Hz to 0.45 of the sample rate, a quarter of a semitone apart, under
    Blackman-Harris windows (side lobes at -92 dB) of 36 periods, at most 0.3 s, around the middle of the
    frame. A channel that does not exceed its lower and reach its upper neighbour is 0; the others are
    in dB above a floor 60 dB below a full-scale sine. So partials from 120 Hz on that are 2 semitones
    apart have channels of their own. A frame every 320 samples (at 24 kHz; as long at other rates), not
    centred.

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

    Notes
    -----
    Source of the window: Harris 1978, table 1 (four terms); of channels a fixed share of an octave wide:
    Brown 1991, constant Q transform.

    Examples
    --------
    >>> import torch
    >>> tones = torch.sin(2 * torch.pi * torch.tensor([[440.0], [494.0]]) * torch.arange(7200) / 24_000)
    >>> levels = log_tracker().run(0.1 * tones.sum(0, keepdim=True), ["first_layer"])["first_layer"][0, :, 0]
    >>> levels.nonzero().flatten().tolist(), [round(x, 1) for x in levels[levels > 0].tolist()]
    ([118, 126], [40.0, 40.0])
    """
    return _tracker("filterbank:log_tracker", weights, sample_rate, divisive=False)


def divisive_tracker(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> Filterbank:
    """Return a tracker of partials with divisive normalisation: every peak is less the more others there are.

    The peaks are those of `log_tracker`; their amplitudes are divided by the root of their summed squares
    and that of an amplitude at the floor, so that silence is 0.

    Parameters and errors are those of `log_tracker`.

    Notes
    -----
    Source of the normalisation: Heeger 1992, with exponent 2 under the root.

    Examples
    --------
    >>> import torch
    >>> tone = torch.sin(2 * torch.pi * 440 * torch.arange(7200) / 24_000)[None]
    >>> quiet, loud = (divisive_tracker().run(a * tone, ["first_layer"])["first_layer"] for a in (0.1, 1.0))
    >>> [round(x.max().item(), 2) for x in (quiet, loud)]
    [1.0, 1.0]
    """
    return _tracker("filterbank:divisive_tracker", weights, sample_rate, divisive=True)


def harmonic_template(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> Filterbank:
    """Return an encoder of pitches: it answers where harmonics 1 to 4 of a fundamental are all there.

    Fundamentals from 80 Hz to a quarter of 0.45 of the sample rate, a quarter of a semitone apart; a channel
    is the geometric mean of the amplitudes at its four harmonics, measured as by `log_tracker`. What the
    levels of the harmonics are changes a gain that all channels near the pitch have in common. A harmonic
    that is not there counts as 120 dB below a full-scale sine, so a single partial leaves -90 dB.

    Parameters and errors are those of `log_tracker`. `centre_hz` holds the fundamentals.

    Examples
    --------
    >>> import torch
    >>> bank = harmonic_template()
    >>> turn = 2 * torch.pi * 220 * torch.arange(7200) / 24_000
    >>> harmonics = torch.sin(torch.outer(torch.arange(1.0, 5.0), turn))
    >>> for envelope in ([0.1, 0.1, 0.1, 0.1], [0.01, 0.2, 0.1, 0.03], [0.1, 0.0, 0.0, 0.0]):
    ...     waveforms = (torch.tensor(envelope) @ harmonics)[None]
    ...     highest, channel = bank.run(waveforms, ["first_layer"])["first_layer"][0, :, 0].max(0)
    ...     print(f"{bank.centre_hz[channel]:.0f} Hz: {20 * highest.log10():.1f} dB")
    220 Hz: -20.0 dB
    220 Hz: -26.1 dB
    110 Hz: -95.0 dB
    """
    name = "filterbank:harmonic_template"
    check_sample_rate(name, sample_rate)
    centre_hz = _quarter_semitones(LOWEST_HZ, HIGHEST_SHARE * sample_rate / HARMONICS)
    number = np.arange(1, HARMONICS + 1)
    kernels = _windowed_tones(np.outer(number, centre_hz).ravel(), sample_rate)  # harmonic by harmonic
    module = _Template(Envelopes(name, kernels, scaled(320, sample_rate)))
    return _bank(name, module, kernels.shape[1], sample_rate, weights, centre_hz)


def _tracker(name: str, weights: str | Path, sample_rate: int, divisive: bool) -> Filterbank:
    check_sample_rate(name, sample_rate)
    centre_hz = _quarter_semitones(LOWEST_HZ, HIGHEST_SHARE * sample_rate)
    kernels = _windowed_tones(centre_hz, sample_rate)
    module = _Peaks(Envelopes(name, kernels, scaled(320, sample_rate)), divisive)
    return _bank(name, module, kernels.shape[1], sample_rate, weights, centre_hz)


def _bank(
    name: str, module: nn.Module, length: int, sample_rate: int, weights: str | Path, centre_hz: np.ndarray
) -> Filterbank:
    stage = Stage("first_layer", len(centre_hz), scaled(320, sample_rate), length, length - 1)
    return Filterbank(name, module, sample_rate, stage, no_weights(name, weights, module), centre_hz)


def _quarter_semitones(low_hz: float, high_hz: float) -> np.ndarray:
    steps = int(12 * PER_SEMITONE * np.log2(high_hz / low_hz))
    return low_hz * 2 ** (np.arange(steps + 1) / (12 * PER_SEMITONE))


def _windowed_tones(frequency_hz: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return kernels complex [C, L], whose magnitude is the amplitude of a tone at their frequency."""
    longest = round(LONGEST_S * sample_rate)
    kernels = np.zeros((len(frequency_hz), longest), complex)
    for kernel, f in zip(kernels, frequency_hz, strict=True):
        length = min(longest, round(PERIODS * sample_rate / f))
        window = blackmanharris(length, sym=False)
        start = (longest - length) // 2
        turn = 2 * np.pi * f * np.arange(length) / sample_rate
        kernel[start : start + length] = 2 * window / window.sum() * np.exp(-1j * turn)
    return kernels


class _Peaks(nn.Module):
    def __init__(self, envelopes: Envelopes, divisive: bool) -> None:
        super().__init__()
        self.envelopes, self.divisive = envelopes, divisive

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, C, F]
        amplitude = self.envelopes(waveforms)
        inner = amplitude[:, 1:-1]
        peak = (inner > amplitude[:, :-2]) & (inner >= amplitude[:, 2:])
        kept = amplitude * nn.functional.pad(peak, (0, 0, 1, 1))  # the outermost have one neighbour only
        if not self.divisive:
            return level_above_floor(kept)
        floor = 10 ** (FLOOR_DBFS / 20)
        return kept / (floor**2 + kept.square().sum(dim=1, keepdim=True)).sqrt()


class _Template(nn.Module):
    def __init__(self, envelopes: Envelopes) -> None:
        super().__init__()
        self.envelopes = envelopes

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, C, F]
        harmonics = self.envelopes(waveforms).unflatten(1, (HARMONICS, -1))  # [B, 4, C, F]
        return harmonics.clamp(min=10 ** (MISSING_DBFS / 20)).log().mean(dim=1).exp()
