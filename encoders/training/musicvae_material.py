"""What a MusicVAE learns from: written and made-up melodies, moved up and down; and its recipe."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...synth.errors import InputError
from ...synth.melodies import HIGHEST_MIDI, LOWEST_MIDI, pitch_range, transposed
from ...synth.melody_material import Material, melody_material
from ...synth.midi import midi_melodies
from ...synth.score_corpus import CLEAR, COLLECTIONS, corpus_melodies
from ...synth.scores import Collected


@dataclass(frozen=True)
class MusicVAERecipe:
    """How to train; the defaults suit the small model on one core in three quarters of an hour.

    Parameters
    ----------
    steps : int > 0
    batch_size : int > 0
    learning_rate : float > 0
        Peak of the schedule: linear over the first hundred steps, then a cosine down to zero (Adam).
    max_beta, beta_rate : float
        Weight of the Kullback-Leibler divergence at a step: ``(1 - beta_rate**step) * max_beta``.
    free_bits : float >= 0
        Bits of a melody's divergence, over all dimensions, that cost nothing.
    sampling_rate : float >= 0
        After so many steps the decoder begins to be given what it drew itself in place of the true step
        before; see `sampled_share`. 0: never.
    semitones : int >= 0
        Melodies are moved by up to so many, up or down.
    bfloat16 : bool
        Multiply matrices in half the bits: twice as fast where the processor has instructions for it.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    steps: int = 30_000
    batch_size: int = 64
    learning_rate: float = 4e-3
    max_beta: float = 0.2
    beta_rate: float = 0.9999
    free_bits: float = 0.0
    sampling_rate: float = 2_000.0
    semitones: int = 5
    bfloat16: bool = True

    def __post_init__(self) -> None:
        if not (self.steps >= 1 and self.batch_size >= 1 and self.learning_rate > 0):
            raise InputError(
                f"training with {self.steps} steps, batch {self.batch_size}, rate {self.learning_rate}: "
                "must be at least 1 step, 1 melody and a positive rate"
            )
        if not (self.max_beta >= 0 and 0 <= self.beta_rate <= 1 and self.free_bits >= 0):
            raise InputError(
                f"max_beta {self.max_beta}, beta_rate {self.beta_rate}, free_bits {self.free_bits}: "
                "must not be negative, the rate at most 1"
            )
        if not (self.sampling_rate >= 0 and self.semitones >= 0):
            raise InputError(
                f"sampling_rate {self.sampling_rate}, semitones {self.semitones}: must not be negative"
            )

    def beta(self, step: int) -> float:
        """Return the weight of the divergence at a step.

        Examples
        --------
        >>> MusicVAERecipe().beta(0)
        0.0
        """
        return (1 - self.beta_rate**step) * self.max_beta

    def sampled_share(self, step: int) -> float:
        """Return the share of steps at which the decoder is given its own draw: an inverse sigmoid.

        Examples
        --------
        >>> recipe = MusicVAERecipe(sampling_rate=1000.0)
        >>> round(recipe.sampled_share(0), 3), round(recipe.sampled_share(6908), 3)
        (0.001, 0.5)
        """
        rate = self.sampling_rate
        return 0.0 if rate == 0 else 1 - 1 / (1 + math.exp(min(step / rate, 700)) / rate)


@dataclass(frozen=True)
class MelodyMaterial:
    """Melodies by split, and what a card says of them.

    Parameters
    ----------
    splits : mapping of str to Material
        "train", "validation" and "test".
    description : str
        Where they are from, and how many were left out.
    licence : str
    command : str
        The options of ``tonotopy train musicvae`` that lead to them.
    """

    splits: Mapping[str, Material]
    description: str
    licence: str
    command: str = ""

    def sha256(self) -> str:
        """Return a hash of all melodies by split."""
        digest = hashlib.sha256()
        for name in sorted(self.splits):
            digest.update(f"{name} {self.splits[name].rolls.shape}".encode())
            digest.update(np.ascontiguousarray(self.splits[name].rolls).tobytes())
        return digest.hexdigest()


def gather_melodies(
    midi: str | Path | None = None,
    cache: str | Path | None = None,
    bars: int = 2,
    generated: int = 60_000,
    seed: int = 0,
    progress: bool = False,
) -> MelodyMaterial:
    """Gather the melodies to learn from and to be tested on.

    Parameters
    ----------
    midi : path, optional
        Folder of MIDI files; music21's corpus if left out, those of its collections that are clear.
    cache : path, optional
        A file that keeps what was read of the corpus, written if it is not there.
    bars : int > 0
        Length of a melody.
    generated : int >= 0
        How many melodies a grammar makes up besides.
    seed : int
        Of the split and of what is made up.
    progress : bool

    Raises
    ------
    InputError
        If nothing is found, or music21 is not installed.
    """
    if midi is not None:
        collected = midi_melodies(midi, bars, progress)
        description, command = "a folder of MIDI files", "--midi MIDI "
        licence = "the MIDI files' own; name it here before you pass the weights on"
    else:
        collected = corpus_melodies(CLEAR, bars, cache)
        used = [collection for collection in COLLECTIONS if collection.used]
        described = "; ".join(f"{c.name} ({c.works}; {c.terms})" for c in used)
        description, command = f"music21's corpus, of which {described}", ""
        licence = (
            "the tunes are in the public domain; what their transcribers state is given above with each "
            "collection"
        )
    splits = melody_material(collected, generated, seed)
    if not all(len(part.rolls) for part in splits.values()):
        raise InputError(f"melodies: {_counts(splits)}; every split needs some")
    description = f"Melodies of {bars} bars in 4/4, sliced at every bar, from {description}. "
    description += f"{_collected(collected)} Besides, melodies that a grammar made up (this library's own)."
    return MelodyMaterial(splits, description, licence, f"{command}--generated {generated} ")


def batch(rolls: np.ndarray, recipe: MusicVAERecipe, seed: int, step: int) -> np.ndarray:
    """Return the melodies of a step, uint8 [B, T]; they follow from seed and step.

    Each is moved by a number of semitones, all as likely, but not beyond the range of the classes.
    """
    rng = np.random.default_rng([seed, step])
    chosen = rolls[rng.integers(0, len(rolls), recipe.batch_size)]
    semitones = rng.integers(-recipe.semitones, recipe.semitones + 1, recipe.batch_size)
    lowest, highest = pitch_range(chosen)
    return transposed(chosen, np.clip(semitones, LOWEST_MIDI - lowest, HIGHEST_MIDI - highest))


def _collected(collected: Collected) -> str:
    tunes = len(np.unique(collected.sources))
    skipped = "; ".join(f"{count:,} {reason}" for reason, count in sorted(collected.skipped.items()))
    text = f"{len(collected.rolls):,} different slices of {tunes:,} pieces."
    return text + (f" Left out: {skipped}." if skipped else "")


def _counts(splits: Mapping[str, Material]) -> str:
    return ", ".join(f"{len(part.rolls):,} {name}" for name, part in splits.items())
