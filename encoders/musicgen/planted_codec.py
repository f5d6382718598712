"""A codec without loss of its own tones: a frame is a pitch, a level and a timbre, a codebook each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...synth.errors import InputError
from ..base import ModuleEncoder, Stage, check_activations
from ..filterbanks import REFERENCE_HZ, scaled, windows
from ..quantization import residual_quantization
from ..weights import no_weights

ENTRIES = 8  # of every codebook
CYCLES = (3, 4, 5, 6, 8, 10, 12, 16)  # of a pitch in a frame
LEVELS_DBFS = (-33, -30, -27, -24, -21, -18, -15, -12)  # root mean square of a frame
OCTAVES = tuple(entry / ENTRIES for entry in range(ENTRIES))  # amplitude of the octave over the fundamental's
BINS = sorted({*CYCLES, *(2 * cycles for cycles in CYCLES)})
FACTORS = {
    "pitch": tuple(f"{75 * cycles} Hz" for cycles in CYCLES),
    "level": tuple(f"{level} dBFS" for level in LEVELS_DBFS),
    "timbre": tuple(f"octave {entry}/{ENTRIES}" for entry in range(ENTRIES)),
}
LOWEST_RATE_HZ = 5_000  # below, the octave of the highest pitch does not fit


class PlantedCodec(ModuleEncoder):
    """A codec of tones: `latent` says how near each entry is, `codes` which are nearest.

    Frames of 320 samples at 24 kHz, and as long at other rates up to half a sample, one after another. Entry
    by entry codebooks are the pitch (whole cycles of a frame, from phase 0: nothing jumps between frames),
    the level of the frame, and the amplitude of the octave above the pitch.
    `latent` has 8 channels each: the largest cosine between the frame's amplitude spectrum and those of
    tones with the entry, phases aside; for levels 1 less the distance, over the range of all levels.
    """

    @property
    def codebooks(self) -> tuple[Tensor, ...]:
        """Float32 [8, 24] each: 1 in the channel of the entry."""
        return tuple(self.module.get_buffer("nearest.codebooks"))

    def decode(self, latent: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return waveforms float32 [B, F * hop] of a latent, or of `quantized`, [B, 24, F].

        Of every factor the entry that is nearest sounds; there is no scale.

        Raises
        ------
        InputError
            If it is no such latent.
        """
        check_activations(self.stages["latent"], latent)
        module: Any = self.module
        with torch.inference_mode():
            return module.sounding(latent.to(self.device))


def planted_codec(name: str, weights: str | Path, sample_rate: int = REFERENCE_HZ) -> PlantedCodec:
    """Return the codec of `planted_stream`.

    Parameters
    ----------
    name : str
        What it is called in messages.
    weights : {"pretrained", "random"}
        Without effect: there are none.
    sample_rate : int >= 5000
        Samples per second.

    Raises
    ------
    InputError
        If `weights` is a path, or the sample rate too low.

    Examples
    --------
    >>> codec = planted_codec("tones", "pretrained")
    >>> tone = torch.sin(2 * torch.pi * 600 * torch.arange(960) / 24_000)
    >>> codec.run(0.1 * tone[None], ["codes"])["codes"].squeeze().T.tolist()
    [[4, 3, 0], [4, 3, 0], [4, 3, 0]]
    """
    if not isinstance(sample_rate, int | np.integer) or sample_rate < LOWEST_RATE_HZ:
        raise InputError(
            f"sample_rate {sample_rate!r}: {name} needs a whole number of hertz, at least {LOWEST_RATE_HZ}"
        )
    hop, count = scaled(320, sample_rate), len(FACTORS)
    module, size = _Tones(name, hop), count * ENTRIES
    stages = [
        Stage("latent", size, hop, hop, hop - 1),
        Stage("quantized", size, hop, hop, hop - 1, "quantized", codebooks=count),
        Stage("codes", count, hop, hop, hop - 1, "codes"),
    ]
    return PlantedCodec(
        name,
        module,
        sample_rate,
        {stage.name: stage for stage in stages},
        {"latent": "likeness", "quantized": "nearest", "codes": "nearest"},
        no_weights(name, weights, module),
        prepare=lambda waveforms: waveforms,
        read=lambda stage, output: output[stage] if isinstance(output, dict) else output,
    )


class _Tones(nn.Module):
    tones: Tensor
    rms: Tensor

    def __init__(self, name: str, hop: int) -> None:
        super().__init__()
        self.likeness, self.nearest = _Likeness(name, hop), _Nearest()
        cycles, octaves = np.array(CYCLES)[:, None, None], np.array(OCTAVES)[:, None]
        phase = 2 * np.pi * cycles * np.arange(hop) / hop
        tones = (np.sin(phase) + octaves * np.sin(2 * phase)) * np.sqrt(2 / (1 + octaves**2))
        self.register_buffer("tones", torch.from_numpy(tones).float())  # [pitch, timbre, hop], RMS 1
        self.register_buffer("rms", 10 ** (torch.tensor(LEVELS_DBFS) / 20))

    def forward(self, waveforms: Tensor) -> dict[str, Tensor]:
        return self.nearest(self.likeness(waveforms))

    def sounding(self, latent: Tensor) -> Tensor:  # [B, 24, F] -> [B, F * hop]
        pitch, level, timbre = latent.unflatten(1, (-1, ENTRIES)).argmax(2).unbind(1)  # [B, F]
        return (self.tones[pitch, timbre] * self.rms[level][..., None]).flatten(1)


class _Likeness(nn.Module):
    """How near a frame is to every entry: waveforms [B, T] -> [B, 24, F]."""

    waves: Tensor
    spectra: Tensor
    levels: Tensor

    def __init__(self, name: str, hop: int) -> None:
        super().__init__()
        self.name, self.hop = name, hop
        phase = 2 * np.pi * np.array(BINS) * np.arange(hop)[:, None] / hop
        self.register_buffer("waves", torch.from_numpy(np.hstack([np.cos(phase), np.sin(phase)])).float())
        spectra = np.zeros((ENTRIES, ENTRIES, len(BINS)))
        for pitch, cycles in enumerate(CYCLES):
            spectra[pitch, :, BINS.index(cycles)] = 1
            spectra[pitch, :, BINS.index(2 * cycles)] = OCTAVES
        spectra /= np.linalg.norm(spectra, axis=2, keepdims=True)
        self.register_buffer("spectra", torch.from_numpy(spectra).float())  # [pitch, timbre, bins]
        self.register_buffer("levels", torch.tensor(LEVELS_DBFS, dtype=torch.float32))

    def forward(self, waveforms: Tensor) -> Tensor:
        frames = windows(self.name, waveforms, self.hop, self.hop)  # [B, F, hop]
        rms = frames.square().mean(-1).clamp(min=1e-20).sqrt()
        real, imaginary = (frames @ self.waves).chunk(2, dim=-1)
        amplitudes = 2 / self.hop * torch.hypot(real, imaginary)
        shares = amplitudes / (2**0.5 * rms[..., None])  # of norm 1 where nothing sounds between the bins
        cosines = torch.einsum("bfk,ptk->bfpt", shares, self.spectra)
        lowest, highest = LEVELS_DBFS[0], LEVELS_DBFS[-1]
        level_dbfs = (20 * rms.log10()).clamp(lowest, highest)[..., None]
        levels = 1 - (level_dbfs - self.levels).abs() / (highest - lowest)
        return torch.cat([cosines.amax(3), levels, cosines.amax(2)], dim=-1).transpose(1, 2)


class _Nearest(nn.Module):
    codebooks: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codebooks", torch.eye(len(FACTORS) * ENTRIES).unflatten(0, (-1, ENTRIES)))

    def forward(self, latent: Tensor) -> dict[str, Tensor]:
        found = residual_quantization(latent.transpose(1, 2), tuple(self.codebooks))
        return {
            "latent": latent,
            "quantized": found.vectors[:, :, -1].transpose(1, 2),
            "codes": found.codes.transpose(1, 2),
        }
