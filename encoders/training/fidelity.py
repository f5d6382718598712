"""How like its original a decoded sound is: as a waveform, and as a spectrum."""

from __future__ import annotations

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

    A Hann window of n samples, of unit energy, has hop n / 4 and n / 16 mel bands (Slaney's, of unit height).

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
        from torchaudio.transforms import MelScale, Spectrogram

        self.floor = floor
        self.spectra = nn.ModuleList(
            nn.Sequential(
                Spectrogram(length, hop_length=length // 4, normalized="window"),
                MelScale(length // 16, sample_rate, n_stft=length // 2 + 1, mel_scale="slaney"),
            )
            for length in windows
        )

    def forward(self, waveforms: Tensor) -> list[Tensor]:  # [B, T] -> [B, M, F] each
        """Return half of ln(floor^2 + mel power), in nepers, at each window length."""
        return [0.5 * torch.log(self.floor**2 + power(waveforms)) for power in self.spectra]


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
