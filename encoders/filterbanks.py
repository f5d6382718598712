"""Positive controls: banks of filters that hear in known ways."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .base import ModuleEncoder, Stage, Weights
from .mixing import mixed
from .weights import no_weights

REFERENCE_HZ = 24_000  # the sample rate at which frames and hops are given in samples
LOWEST_RATE_HZ = 1_000
HIGHEST_SHARE = 0.45  # of the sample rate: the highest centre frequency
FLOOR_DBFS = -60.0  # of logarithmic banks, re a full-scale sine


class Filterbank(ModuleEncoder):
    """A bank with one stage, `first_layer`; `centre_hz` [C] holds its channels' centre frequencies."""

    def __init__(
        self,
        name: str,
        module: nn.Module,
        sample_rate: int,
        stage: Stage,
        weights: Weights,
        centre_hz: np.ndarray,
        kernels: np.ndarray | None = None,
    ) -> None:
        super().__init__(
            name,
            module,
            sample_rate,
            {"first_layer": stage},
            {"first_layer": ""},
            weights,
            prepare=lambda waveforms: waveforms,
            kernels=None if kernels is None else {"first_layer": kernels},
        )
        self.centre_hz = centre_hz


def stft(weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ) -> Filterbank:
    """Return the short-time Fourier transform as an encoder: linear, selective, invertible.

    A periodic Hann window of 1024 samples every 320 (at 24 kHz; the same durations at other rates),
    not centred: frame t sees samples ``t * hop`` to ``t * hop + n - 1``. Not normalised.
    The channels are the real parts of bins 0 to n // 2, then their imaginary parts; the imaginary
    parts of bins 0 and n / 2 are zero.

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
    >>> bank = stft()
    >>> bank.stages["first_layer"].channels, bank.centre_hz[1]
    (1026, np.float64(23.4375))
    """
    return _fourier("filterbank:stft", weights, sample_rate, "complex")


def stft_magnitude(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> Filterbank:
    """Return the magnitude of `stft` as an encoder: selective, deaf to phase, not linear.

    Parameters and errors are those of `stft`; the channels are bins 0 to n // 2.

    Examples
    --------
    >>> stft_magnitude().stages["first_layer"].channels
    513
    """
    return _fourier("filterbank:stft_magnitude", weights, sample_rate, "magnitude")


def stft_log(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> Filterbank:
    """Return the logarithm of `stft_magnitude` as an encoder: what a component adds depends on what is there.

    In dB above a floor 60 dB below a full-scale sine on a bin; what lies below it, and silence, is 0.

    Parameters and errors are those of `stft`; the channels are bins 0 to n // 2.

    Examples
    --------
    >>> tone = 0.1 * torch.cos(2 * torch.pi * 3000 * torch.arange(1024.0) / 24_000)
    >>> levels = stft_log().run(tone[None], ["first_layer"])["first_layer"]
    >>> round(levels[0, 128, 0].item(), 2), levels[0, 200, 0].item()  # -20 dBFS
    (40.0, 0.0)
    """
    return _fourier("filterbank:stft_log", weights, sample_rate, "level")


def stft_mixed(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return `stft` multiplied by an orthogonal matrix: the same geometry, with nothing in its place.

    Parameters and errors are those of `stft`, but that `seed` draws the matrix.

    Examples
    --------
    >>> stft_mixed().stages["first_layer"].kind
    'convolution'
    """
    return mixed(_fourier("filterbank:stft_mixed", weights, sample_rate, "complex"), seed)


def stft_magnitude_mixed(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> ModuleEncoder:
    """Return `stft_magnitude` multiplied by an orthogonal matrix: still deaf to phase, nothing in its place.

    Parameters and errors are those of `stft`, but that `seed` draws the matrix.

    Examples
    --------
    >>> stft_magnitude_mixed(seed=1).weights.note
    'orthogonal matrix over channels drawn with seed 1'
    """
    return mixed(_fourier("filterbank:stft_magnitude_mixed", weights, sample_rate, "magnitude"), seed)


def gammatone(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> Filterbank:
    """Return a gammatone bank as an encoder: 64 channels, evenly spaced on the ERB-rate scale.

    Impulse responses ``t^3 exp(-2 pi 1.019 ERB(f) t) cos(2 pi f t)``, f from 50 Hz to 0.45 of the
    sample rate, cut off after 100 ms (the lowest channel has decayed by 90 dB), with unit gain at
    f; a frame every 64 samples (at 24 kHz; the same duration at other rates), not centred.

    Parameters and errors are those of `stft`.

    Source: Patterson, Holdsworth, Nimmo-Smith and Rice 1988 (gammatone); Glasberg and Moore 1990
    (ERB and ERB-rate).

    Examples
    --------
    >>> bank = gammatone()
    >>> bank.stages["first_layer"].receptive_field, round(float(bank.centre_hz[0]), 6)
    (2400, 50.0)
    """
    name = "filterbank:gammatone"
    check_sample_rate(name, sample_rate)
    centre_hz, response = _gammatone(sample_rate)
    kernels = np.ascontiguousarray(response.real[:, ::-1])  # a response runs backwards over the samples
    module = _Projection(name, kernels, scaled(64, sample_rate))
    stage = _stage(kernels, module.hop, "convolution")
    return Filterbank(name, module, sample_rate, stage, no_weights(name, weights, module), centre_hz, kernels)


def gammatone_envelope(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> Filterbank:
    """Return the envelopes of `gammatone` as an encoder: the magnitude of each channel's analytic output.

    The impulse responses are those of `gammatone` with ``exp(2 pi i f t)`` in place of the cosine, so a
    steady tone gives a steady envelope: its amplitude, in the channel whose centre it is.

    Parameters and errors are those of `stft`.

    Examples
    --------
    >>> bank = gammatone_envelope()
    >>> tone = torch.cos(2 * torch.pi * bank.centre_hz[30] * torch.arange(2400) / 24_000).float()
    >>> round(bank.run(tone[None], ["first_layer"])["first_layer"][0, 30, 0].item(), 3)
    1.0
    """
    name = "filterbank:gammatone_envelope"
    check_sample_rate(name, sample_rate)
    centre_hz, response = _gammatone(sample_rate)
    module = Envelopes(name, response[:, ::-1], scaled(64, sample_rate))
    stage = _stage(response, module.hop)
    return Filterbank(name, module, sample_rate, stage, no_weights(name, weights, module), centre_hz)


def erb_rate(frequency_hz: npt.ArrayLike) -> np.ndarray:
    """Return the ERB-rate, the number of auditory filters' bandwidths below a frequency.

    Source: Glasberg and Moore 1990, ``21.4 log10(4.37 f / 1000 + 1)``.

    Examples
    --------
    >>> round(float(erb_rate(1000.0)), 2)
    15.62
    """
    return 21.4 * np.log10(0.00437 * np.asarray(frequency_hz, dtype=np.float64) + 1)


def stft_lower_frame_bound(sample_rate: int = REFERENCE_HZ) -> float:
    """Square of the smallest singular value of `stft`, in closed form: ``(N/2) min_n sum_m w^2[n + m S]``.

    N is the length of the window w, S the hop. (The real and imaginary parts of bins 0 to N/2 hold N/2 times
    the windowed frame's energy, but for those of bins 0 and N/2, which are not doubled: one part in N.)

    Examples
    --------
    >>> round(stft_lower_frame_bound(), 1)
    609.6
    """
    length, hop = scaled(1024, sample_rate), scaled(320, sample_rate)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return length / 2 * float(min(np.square(hann[n::hop]).sum() for n in range(hop)))


def scaled(samples: int, sample_rate: int) -> int:
    """Return how many samples last as long at `sample_rate` as `samples` do at 24 kHz; at least 1."""
    return max(1, round(samples * sample_rate / REFERENCE_HZ))


def level_above_floor(amplitude: Tensor) -> Tensor:
    """Return amplitudes in dB above `FLOOR_DBFS`, 0 for what lies below it.

    Examples
    --------
    >>> level_above_floor(torch.tensor([1.0, 0.1, 0.0]))
    tensor([60., 40.,  0.])
    """
    floor = 10 ** (FLOOR_DBFS / 20)
    return 20 * (amplitude.clamp(min=floor) / floor).log10()


def check_sample_rate(name: str, sample_rate: int) -> None:
    """Raise unless `sample_rate` is a whole number of hertz that the controls can work at."""
    if not isinstance(sample_rate, int | np.integer) or sample_rate < LOWEST_RATE_HZ:
        raise InputError(
            f"sample_rate {sample_rate!r}: {name} needs a whole number of hertz, at least {LOWEST_RATE_HZ}"
        )


def windows(name: str, waveforms: Tensor, length: int, hop: int) -> Tensor:
    """Return the frames of [B, T] `waveforms` as a view, [B, F, length]."""
    if waveforms.shape[-1] < length:
        raise InputError(f"waveforms of {waveforms.shape[-1]} samples: {name} needs at least {length}")
    return waveforms.unfold(-1, length, hop)


class Envelopes(nn.Module):
    """Magnitudes of what complex kernels [C, L] give of frames: waveforms [B, T] -> [B, C, F]."""

    def __init__(self, name: str, kernels: np.ndarray, hop: int) -> None:
        super().__init__()
        self.hop = hop
        self.projection = _Projection(name, np.concatenate([kernels.real, kernels.imag]), hop)

    def forward(self, waveforms: Tensor) -> Tensor:  # noqa: D102
        return torch.complex(*self.projection(waveforms).chunk(2, dim=1)).abs()


def _fourier(
    name: str, weights: str | Path, sample_rate: int, output: Literal["complex", "magnitude", "level"]
) -> Filterbank:
    check_sample_rate(name, sample_rate)
    length, hop = scaled(1024, sample_rate), scaled(320, sample_rate)
    bins = length // 2 + 1
    module = _Fourier(name, length, hop, output)
    centre_hz = np.arange(bins) * sample_rate / length
    kernels = None
    if output == "complex":
        # whole turns taken off in integers, where float64 would lose digits
        angle = 2 * np.pi * (np.outer(np.arange(bins), np.arange(length)) % length) / length
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
        kernels = np.concatenate([hann * np.cos(angle), -hann * np.sin(angle)])
        centre_hz = np.tile(centre_hz, 2)
    kind = "convolution" if output == "complex" else "nonlinear"
    stage = Stage("first_layer", len(centre_hz), hop, length, length - 1, kind)
    origin = no_weights(name, weights, module)
    return Filterbank(name, module, sample_rate, stage, origin, centre_hz, kernels)


def _gammatone(sample_rate: int) -> tuple[np.ndarray, np.ndarray]:  # [C], complex [C, L]
    """Return centre frequencies and analytic impulse responses; the real parts have unit gain there."""
    centre_hz = _from_erb_rate(np.linspace(erb_rate(50.0), erb_rate(HIGHEST_SHARE * sample_rate), 64))
    time_s = np.arange(round(0.1 * sample_rate)) / sample_rate
    bandwidth_hz = 1.019 * 24.7 * (0.00437 * centre_hz + 1)
    envelope = time_s**3 * np.exp(-2 * np.pi * bandwidth_hz[:, None] * time_s)
    turn = 2 * np.pi * centre_hz[:, None] * time_s
    gain = np.abs((envelope * np.cos(turn) * np.exp(-1j * turn)).sum(axis=1, keepdims=True))
    return centre_hz, envelope * np.exp(1j * turn) / gain


def _stage(kernels: np.ndarray, hop: int, kind: str = "nonlinear") -> Stage:
    channels, length = kernels.shape
    return Stage("first_layer", channels, hop, length, length - 1, kind)


class _Fourier(nn.Module):
    window: Tensor

    def __init__(self, name: str, length: int, hop: int, output: str) -> None:
        super().__init__()
        self.name, self.hop, self.output = name, hop, output
        window = torch.hann_window(length, periodic=True, dtype=torch.float64)
        self.register_buffer("window", window.float())

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, C, F]
        frames = windows(self.name, waveforms, len(self.window), self.hop)
        spectrum = torch.fft.rfft(frames * self.window).transpose(1, 2)  # [B, n // 2 + 1, F]
        if self.output == "complex":
            return torch.cat([spectrum.real, spectrum.imag], dim=1)
        magnitude = spectrum.abs()
        # n / 4 is what a full-scale sine on a bin gives
        return (
            magnitude if self.output == "magnitude" else level_above_floor(magnitude * 4 / len(self.window))
        )


class _Projection(nn.Module):
    kernels: Tensor

    def __init__(self, name: str, kernels: np.ndarray, hop: int) -> None:
        super().__init__()
        self.name, self.hop = name, hop
        self.register_buffer("kernels", torch.from_numpy(kernels).float())

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, C, F]
        frames = windows(self.name, waveforms, self.kernels.shape[1], self.hop)
        return (frames @ self.kernels.T).transpose(1, 2)


def _from_erb_rate(rate: np.ndarray) -> np.ndarray:
    return (10 ** (rate / 21.4) - 1) / 0.00437
