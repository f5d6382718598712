"""Sounds that a model makes while its residual stream is steered, and what they are judged by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...encoders.musicgen.model import MusicGen, addition
from ...synth.descriptors import QUIETEST_DBFS, describe
from .labels.classifier import Classified
from .material import AT_ONCE

FAMILY = "family "  # before the name of a family, in those of descriptors
UNITS = {
    "level": "dB",
    "centroid": "octaves",
    "voiced_share": "1",
    "f0": "octaves",
    "onset_rate": "1/s",
    "chroma_persistence": "1",
}
_IN_OCTAVES = ("centroid", "f0")
_CACHE_BYTES = 256 * 1024**2  # that keys and values of earlier columns may take
_MOST_ROWS = 192  # more at once are no faster


@dataclass(frozen=True, eq=False)
class Judge:
    """Describes sounds by numbers of which differences make sense.

    Parameters
    ----------
    sample_rate : int
        Of the sounds, Hz.
    tagger : Classified, optional
        Its probabilities of classes are descriptors too.

    Examples
    --------
    >>> sounds = np.sin(2 * np.pi * 500 * np.arange(8_000) / 8_000) * np.array([[1.0], [0.5], [0.0]])
    >>> Judge(8_000)(sounds)[:, 0].round(2).tolist()
    [-3.01, -9.03, nan]
    """

    sample_rate: int
    tagger: Classified | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the descriptors."""
        return (*UNITS, *(FAMILY + name for name in (self.tagger.classes if self.tagger else ())))

    @property
    def units(self) -> tuple[str, ...]:
        """Of differences of each descriptor."""
        return tuple(UNITS.get(name, "1") for name in self.names)

    def __call__(self, sounds: np.ndarray) -> np.ndarray:
        """Return descriptors, float64 [B, D], of sounds [B, T].

        Centroid and fundamental are octaves re 1 Hz. NaN where a sound has no such thing: a silent one
        (quieter than -60 dB re full scale) has none of them.

        Raises
        ------
        InputError
            If a sound is too short, or holds NaN or Inf.
        """
        found = describe(sounds, self.sample_rate)
        columns = [np.log2(found[name]) if name in _IN_OCTAVES else found[name] for name in UNITS]
        if self.tagger is not None:
            said = self.tagger.classify(np.asarray(sounds, np.float32), self.sample_rate)
            columns += list(said.astype(np.float64).T)
        values = np.stack(columns, axis=1)
        values[found["level"] <= QUIETEST_DBFS] = np.nan
        return values


@dataclass(frozen=True, eq=False)
class Judged:
    """What became of sounds: directions V, seeds S, descriptors D.

    Parameters
    ----------
    values : float64 [V, S, D]
        NaN where a sound has no such thing.
    losses : float64 [V, S]
        Mean cross-entropy of the codes under the model as it is, in nats.
    first : float32 [V, T]
        The sounds of the first seed; [0, T] where they were not kept.
    """

    values: np.ndarray
    losses: np.ndarray
    first: np.ndarray

    def split(self, size: int) -> list[Judged]:
        """Return parts of so many directions each."""
        starts = range(0, len(self.values), size)
        return [Judged(*(a[i : i + size] for a in (self.values, self.losses, self.first))) for i in starts]


def steered_sounds(
    encoder: MusicGen,
    stage: str,
    added: Tensor,
    seeds: Sequence[int],
    frames: int,
    judge: Judge,
    advance: Callable[[int], None] = lambda sounds: None,
    keep: bool = False,
) -> Judged:
    """Generate with vectors added to the residual stream, decode, and judge.

    Parameters
    ----------
    encoder : MusicGen
        Nothing is asked of it: it goes on unconditionally, at temperature 1.
    stage : str
        Among its layers.
    added : float32 [V, d]
        Each is added at every column; zeros leave the model as it is, digit for digit.
    seeds : sequence of int
        The same for every vector, so that its sounds can be compared one by one.
    frames : int > 0
        Of every sound.
    judge : Judge
    advance : callable
        Called with the number of sounds done.
    keep : bool
        Whether the sounds of the first seed are returned.

    Raises
    ------
    InputError
        If the stage is none of its layers, or a sound is too short or not finite.
    """
    at_once = max(1, rows_at_once(encoder, frames) // len(seeds))
    parts = []
    for some in added.split(at_once):
        rows = some.repeat_interleave(len(seeds), dim=0).to(encoder.device)
        codes = encoder.generate(frames, seeds=list(seeds) * len(some), edit=addition(stage, rows))
        losses = encoder.token_losses(codes).mean((1, 2)).double().cpu().numpy()
        sounds = [encoder.decode_codes(few).cpu().numpy() for few in codes.split(AT_ONCE)]
        values = np.concatenate([judge(few) for few in sounds])
        first = np.concatenate(sounds)[:: len(seeds)] if keep else sounds[0][:0]
        shape = (len(some), len(seeds), -1)
        parts.append(Judged(values.reshape(shape), losses.reshape(shape[:2]), first))
        advance(len(rows))
    whole = ([getattr(part, name) for part in parts] for name in ("values", "losses", "first"))
    return Judged(*map(np.concatenate, whole))


def rows_at_once(encoder: MusicGen, frames: int) -> int:
    """Return how many sequences are generated together: as many as memory for earlier columns allows.

    It follows from sizes alone: rounding, and with it now and then a code, depends on it.
    """
    width = encoder.stages[encoder.layers[0]].channels
    each = len(encoder.layers) * 2 * 4 * width * (frames + encoder.n_codebooks)
    return int(np.clip(_CACHE_BYTES // each, 1, _MOST_ROWS))
