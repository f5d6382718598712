"""Size of a MusicGen over a small codec, and of its conditions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ...synth.errors import InputError
from ..weights import stored_config

METADATA_KEY = "musicgen"


@dataclass(frozen=True)
class MusicGenConfig:
    """A MusicGen decoder whose conditions are factors of known values.

    Parameters
    ----------
    codec : str
        The codec whose codes it is a model of, as `load` knows it.
    codebooks : int > 0
        How many of its codebooks.
    entries : int > 1
        Entries of each codebook; one token more fills the places that the delay leaves empty.
    dimension, layers, heads, feedforward : int > 0
        Width of the residual stream, blocks, attention heads in each, and width of what lies between the two
        matrices of a block's last part.
    context : int > codebooks
        Columns that it was trained on at once; beyond, its positions are none that it has seen.
    factors : tuple of (str, tuple of str)
        What it may be asked for: names of factors, each with its values.

    Raises
    ------
    InputError
        If a number is out of range, the heads do not divide the dimension, or a factor has no values.
    """

    codec: str = "codec_tiny"
    codebooks: int = 4
    entries: int = 256
    dimension: int = 128
    layers: int = 4
    heads: int = 4
    feedforward: int = 512
    context: int = 256
    factors: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        for name in ("codebooks", "entries", "dimension", "layers", "heads", "feedforward", "context"):
            value = getattr(self, name)
            if not (isinstance(value, int) and 1 <= value <= 1_000_000):
                raise InputError(f"MusicGen with {name} {value!r}: must be a whole number from 1 on")
        if self.dimension % self.heads:
            raise InputError(f"MusicGen with {self.heads} heads: must divide the dimension {self.dimension}")
        if self.context <= self.codebooks:
            raise InputError(
                f"MusicGen with context {self.context}: must be more columns than {self.codebooks} codebooks"
            )
        factors = tuple((name, tuple(values)) for name, values in self.factors)  # JSON has lists
        if not all(values for _, values in factors):
            raise InputError(f"MusicGen with factors {factors}: every factor needs values")
        object.__setattr__(self, "factors", factors)

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """Values of every factor."""
        return dict(self.factors)


def metadata_of(config: MusicGenConfig) -> dict[str, str]:
    """Return what a safetensors file of weights says of itself: the configuration."""
    return {METADATA_KEY: json.dumps(asdict(config))}


def read_config(path: Path) -> MusicGenConfig | None:
    """Return the configuration stored in a file of weights; None where none is stored.

    Raises
    ------
    InputError
        If the file is no safetensors file, or the configuration is not one.
    """
    return stored_config(path, METADATA_KEY, MusicGenConfig)
