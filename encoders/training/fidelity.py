"""How like its original a decoded sound is: as a waveform, and as a spectrum."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

WINDOWS = (2048, 1024, 512, 256, 128)  # samples


def si_sdr_db(original: Tensor, decoded: Tensor) -> Tensor:
    """Return the scale-invariant signal-to-distortion ratio of float [..., T] sounds, in dB, [...].

    The original, scaled to lie nearest to the decoded sound, over what that leaves of it. Constant
    offsets are not removed.

    Source: Le Roux et al., SDR - Half-baked or Well Done?, ICASSP 2019.

    Examples
    --------
    >>> original = torch.tensor([1.0, 0.0, -1.0, 0.0])
    >>> noise = torch.tensor([0.0, 0.1, 0.0, 0.1])
    >>> round(float(si_sdr_db(original, 3 * (original + noise))), 3)
    20.0
    """
    original, decoded = original.double(), decoded.double()
    gain = (original * decoded).sum(-1, keepdim=True) / original.square().sum(-1, keepdim=True)
    target = gain * original
    return 10 * torch.log10(target.square().sum(-1) / (decoded - target).square().sum(-1))


class MelSpectra(nn.Module):
    """Log-mel spectra at several window lengths.

    A Hann window of n samples has hop n / 4 and n / 16 mel bands (librosa's, of unit height).

    Parameters
    ----------
    sample_rate : int
    windows : tuple of int
        Window lengths in samples.
    floor : float > 0
        Added to the amplitudes, before the logarithm: 1e-3 for sounds of unit RMS is -60 dB.
    """

    def __init__(self, sample_rate: int, windows: tuple[int, ...] = WINDOWS, floor: float = 1e-3) -> None:
        super().__init__()
        from librosa.filters import mel

        self.windows, self.floor = windows, floor
        for length in windows:
            filters = mel(sr=sample_rate, n_fft=length, n_mels=length // 16, norm=None)
            self.register_buffer(f"filters_{length}", torch.from_numpy(filters.astype(np.float32)))
            self.register_buffer(f"window_{length}", torch.hann_window(length) * (8 / 3 / length) ** 0.5)

    def forward(self, waveforms: Tensor) -> list[Tensor]:  # [B, T] -> [B, M, F] each
        """Return half of ln(floor^2 + mel power), in nepers, at each window length."""
        return [self._at(waveforms, length) for length in self.windows]

    def _at(self, waveforms: Tensor, length: int) -> Tensor:
        window, filters = self.get_buffer(f"window_{length}"), self.get_buffer(f"filters_{length}")
        spectra = torch.stft(waveforms, length, length // 4, window=window, return_complex=True)
        power = filters @ (spectra.real.square() + spectra.imag.square())
        return 0.5 * torch.log(self.floor**2 + power)


def mel_distance(mel: MelSpectra, original: Tensor, decoded: Tensor) -> Tensor:
    """Return the mean distance of log-mel spectra of float32 [B, T] sounds, in nepers, one number.

    The mean over bands and frames, then over window lengths; 1 neper is 8.7 dB. Divide both sounds by
    the original's RMS first: the floor is absolute.

    Examples
    --------
    >>> sound = torch.randn(1, 4800, generator=torch.Generator().manual_seed(0))
    >>> round(float(mel_distance(MelSpectra(24_000), sound, 10 * sound)), 2)  # ln 10
    2.3
    """
    pairs = zip(mel(original), mel(decoded), strict=True)
    return torch.stack([(one - other).abs().mean() for one, other in pairs]).mean()
