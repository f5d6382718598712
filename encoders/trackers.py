"""Positive controls: banks that follow partials and pitches, each in channels of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.signal.windows import blackmanharris
from torch import Tensor, nn

from .base import Stage
from .filterbanks import (
    FLOOR_DBFS,
    HIGHEST_SHARE,
    REFERENCE_HZ,
    Filterbank,
    check_sample_rate,
    level_above_floor,
    scaled,
    windows,
)
from .weights import no_weights

LOWEST_HZ = 80.0
PER_SEMITONE = 4
WINDOW_S = 0.3
FINER = 4  # zeros fill frames to as many times their length: as many more frequencies
HARMONICS = 4  # of a template
FLOOR = 10 ** (FLOOR_DBFS / 20)


def log_tracker(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> Filterbank:
    """Return a tracker of partials as an encoder: spectral peaks alone, and their levels.

    Frames of 0.3 s under a Blackman-Harris window, whose main lobe is 13 Hz wide on either side and whose
    side lobes lie at -92 dB, transformed at steps of 0.8 Hz; of the magnitudes only local maxima are kept. A
    channel is a quarter of a semitone, from 80 Hz to 0.45 of the sample rate: the amplitude of the highest
    peak in it, in dB above a floor 60 dB below a full-scale sine, or 0. So partials from 120 Hz on that are
    2 semitones apart have channels of their own. A frame every 320 samples (at 24 kHz; as long at other
    rates), not centred.

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
    Source of the window: Harris 1978, table 1 (four terms).

    Examples
    --------
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

    Frames and peaks are those of `log_tracker`. A channel has a fundamental, a quarter of a semitone above
    that of the channel below, and is the geometric mean of the highest peaks within a quarter of a semitone
    of each of its first four multiples; it is 0 (1e-8 at most) unless each of them has one above a floor
    60 dB below a full-scale sine. So a pitch answers in two channels (one or three at an edge), and the
    levels of its harmonics do nothing but set a gain that these have in common.

    Parameters and errors are those of `log_tracker`. `centre_hz` holds the fundamentals.

    Examples
    --------
    >>> bank = harmonic_template()
    >>> turn = 2 * torch.pi * 220 * torch.arange(7200) / 24_000
    >>> harmonics = torch.sin(torch.outer(torch.arange(1.0, 5.0), turn))
    >>> for envelope in ([0.1, 0.1, 0.1, 0.1], [0.01, 0.2, 0.1, 0.03], [0.1, 0.0, 0.1, 0.1]):
    ...     waveforms = (torch.tensor(envelope) @ harmonics)[None]
    ...     heard = bank.run(waveforms, ["first_layer"])["first_layer"][0, :, 0]
    ...     print(bank.centre_hz[heard > 1e-6].round(1), round(heard.max().item(), 4))
    [219.  222.2] 0.1
    [219.  222.2] 0.0495
    [] 0.0
    """
    name = "filterbank:harmonic_template"
    check_sample_rate(name, sample_rate)
    peaks = _Peaks(name, sample_rate, 2 * PER_SEMITONE)
    module = _Template(peaks)
    centre = 2 * np.arange(module.channels) + 1.5  # of four cells
    return _bank(module, peaks, sample_rate, weights, LOWEST_HZ * 2 ** (centre / (24 * PER_SEMITONE)))


def chroma(weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ) -> Filterbank:
    """Return an encoder of chords, whatever their position: peaks of all octaves in one, by pitch class.

    48 channels, a quarter of a semitone apart; each is the sum of the amplitudes that `log_tracker`
    measures in its pitch class. Inversions and open voicings of a chord, whose notes move by octaves,
    excite the same channels.

    Parameters and errors are those of `log_tracker`. `centre_hz` holds the frequencies in the lowest octave.

    Examples
    --------
    >>> import torch
    >>> turn = 2 * torch.pi * torch.arange(7200) / 24_000
    >>> notes = 0.1 * torch.sin(torch.tensor([[220.0], [440.0], [330.0]]) * turn)
    >>> found = [chroma().run(note[None], ["first_layer"])["first_layer"][0, :, 0] for note in notes]
    >>> [one.argmax().item() for one in found]  # a fifth is 28 quarters of a semitone
    [22, 22, 2]
    """
    name = "filterbank:chroma"
    check_sample_rate(name, sample_rate)
    peaks = _Peaks(name, sample_rate, PER_SEMITONE)
    centre_hz = LOWEST_HZ * 2 ** (np.arange(12 * PER_SEMITONE) / (12 * PER_SEMITONE))
    return _bank(_Folded(peaks), peaks, sample_rate, weights, centre_hz)


def _tracker(name: str, weights: str | Path, sample_rate: int, divisive: bool) -> Filterbank:
    check_sample_rate(name, sample_rate)
    peaks = _Peaks(name, sample_rate, PER_SEMITONE)
    centre_hz = LOWEST_HZ * 2 ** (np.arange(peaks.cells) / (12 * PER_SEMITONE))
    return _bank(_Tracker(peaks, divisive), peaks, sample_rate, weights, centre_hz)


def _bank(
    module: nn.Module, peaks: _Peaks, sample_rate: int, weights: str | Path, centre_hz: np.ndarray
) -> Filterbank:
    length = len(peaks.window)
    stage = Stage("first_layer", len(centre_hz), peaks.hop, length, length - 1)
    origin = no_weights(peaks.name, weights, module)
    return Filterbank(peaks.name, module, sample_rate, stage, origin, centre_hz)


class _Peaks(nn.Module):
    """The amplitude of the highest peak in each cell, of which a semitone has several; 0 without one."""

    window: Tensor
    cell: Tensor

    def __init__(self, name: str, sample_rate: int, per_semitone: int) -> None:
        super().__init__()
        self.name, self.hop = name, scaled(320, sample_rate)
        length = round(WINDOW_S * sample_rate)
        window = blackmanharris(length, sym=False)
        window *= 2 / window.sum()  # the magnitude of a tone is its amplitude
        self.register_buffer("window", torch.from_numpy(window).float())
        bin_hz = np.arange(FINER * length // 2 + 1) * sample_rate / (FINER * length)
        reach = 12 * per_semitone * np.log2(HIGHEST_SHARE * sample_rate / LOWEST_HZ)
        self.cells = int(reach) + 1
        cell = np.rint(12 * per_semitone * np.log2(np.maximum(bin_hz, 1.0) / LOWEST_HZ)).astype(int)
        self.first, self.end = np.searchsorted(cell, [0, self.cells]).tolist()
        self.register_buffer("cell", torch.from_numpy(cell[self.first : self.end]))

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, F, cells]
        frames = windows(self.name, waveforms, len(self.window), self.hop)
        spectrum = torch.fft.rfft(frames * self.window, n=FINER * len(self.window))
        amplitude = spectrum[..., self.first - 1 : self.end + 1].abs()
        inner = amplitude[..., 1:-1]
        peaks = inner * ((inner > amplitude[..., :-2]) & (inner >= amplitude[..., 2:]))
        highest = peaks.new_zeros(*peaks.shape[:2], self.cells)
        return highest.scatter_reduce(2, self.cell.expand_as(peaks), peaks, "amax")


class _Tracker(nn.Module):
    def __init__(self, peaks: _Peaks, divisive: bool) -> None:
        super().__init__()
        self.peaks, self.divisive = peaks, divisive

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, C, F]
        amplitude = self.peaks(waveforms).transpose(1, 2)
        if not self.divisive:
            return level_above_floor(amplitude)
        return amplitude / (FLOOR**2 + amplitude.square().sum(dim=1, keepdim=True)).sqrt()


class _Folded(nn.Module):
    def __init__(self, peaks: _Peaks) -> None:
        super().__init__()
        self.peaks = peaks

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, 48, F]
        found = self.peaks(waveforms)  # [B, F, cells]
        octave = 12 * PER_SEMITONE
        whole = nn.functional.pad(found, (0, -found.shape[-1] % octave))
        return whole.unflatten(-1, (-1, octave)).sum(-2).transpose(1, 2)


class _Template(nn.Module):
    def __init__(self, peaks: _Peaks) -> None:
        super().__init__()
        self.peaks = peaks
        self.shifts = [round(24 * PER_SEMITONE * np.log2(n)) for n in range(1, HARMONICS + 1)]  # cells
        self.channels = (peaks.cells - 4 - self.shifts[-1]) // 2 + 1

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, C, F]
        found = self.peaks(waveforms)
        near = nn.functional.max_pool1d(found * (found > FLOOR), 4, stride=1)  # half a semitone
        harmonics = torch.stack([near[..., s : s + 2 * self.channels : 2] for s in self.shifts])
        return harmonics.clamp(min=1e-30).log().mean(dim=0).exp().transpose(1, 2)
