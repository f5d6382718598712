"""Sizes of a MusicVAE, and Magenta's own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...synth.errors import InputError
from ...synth.melodies import STEPS_PER_BAR
from ..weights import stored_config

METADATA_KEY = "musicvae"


@dataclass(frozen=True)
class MusicVAEConfig:
    """A flat MusicVAE, or one with a conductor.

    Parameters
    ----------
    bars : int > 0
        Length of a melody, in bars of sixteen steps.
    encoder : tuple of int
        Units of each layer, in either direction.
    decoder : tuple of int
        Units of each layer of the decoder; with a conductor, of the core that plays its segments.
    latent_dimensions : int > 0
    conductor : tuple of int
        Units of each layer of the conductor; none in a flat model.
    segments : int > 0
        How many stretches of the melody the conductor directs; 1 in a flat model.

    Raises
    ------
    InputError
        If a size is not a positive whole number, or the segments do not divide the melody.
    """

    bars: int = 2
    encoder: tuple[int, ...] = (2048,)
    decoder: tuple[int, ...] = (2048, 2048, 2048)
    latent_dimensions: int = 512
    conductor: tuple[int, ...] = ()
    segments: int = 1

    def __post_init__(self) -> None:
        stacks = (*self.encoder, *self.decoder, *self.conductor)
        wrong = [n for n in (self.bars, self.latent_dimensions, self.segments, *stacks)
                 if not isinstance(n, int | np.integer) or n < 1]  # fmt: skip
        if wrong or not self.encoder or not self.decoder:
            raise InputError(
                f"MusicVAE of {self}: every size must be whole and at least 1, every stack one layer"
            )
        if self.steps % self.segments or (self.segments > 1) != bool(self.conductor):
            raise InputError(
                f"MusicVAE of {self.segments} segments: must divide {self.steps} steps, "
                "and more than one needs a conductor"
            )

    @property
    def steps(self) -> int:
        """Sixteenths of a melody."""
        return self.bars * STEPS_PER_BAR


# Magenta's `cat-mel_2bar_small`, `cat-mel_2bar_big` and `hierdec-mel_16bar`
TWO_BAR_SMALL = MusicVAEConfig(encoder=(512,), decoder=(256, 256), latent_dimensions=256)
TWO_BAR_BIG = MusicVAEConfig()
SIXTEEN_BAR = MusicVAEConfig(
    bars=16,
    encoder=(2048, 2048),
    decoder=(1024, 1024),
    conductor=(1024, 1024),
    segments=16,
)
TINY = MusicVAEConfig(encoder=(128,), decoder=(128, 128), latent_dimensions=128)  # the bundled one


def metadata_of(config: MusicVAEConfig) -> dict[str, str]:
    """Return what a safetensors file of weights says of itself: the configuration."""
    return {METADATA_KEY: json.dumps(asdict(config))}


def read_config(path: Path) -> MusicVAEConfig | None:
    """Return the configuration stored in a file of weights; None where none is stored.

    Raises
    ------
    InputError
        If the file is no safetensors file, or the configuration is not one.
    """
    return stored_config(path, METADATA_KEY, MusicVAEConfig)
