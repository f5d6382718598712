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

_LEAST_SHARE = 0.01  # of the decoder's own draws: fewer are not worth letting it run for


@dataclass(frozen=True)
class MusicVAERecipe:
    """How to train; the defaults suit the small model on one core in three quarters of an hour.

    Parameters
    ----------
    steps : int > 0
    batch_size : int > 0
    learning_rate : float > 0
        Peak of the schedule: linear over the first hundred steps, then a cosine down to zero (Adam).
    first_beta, max_beta, beta_rate : float
        Weight of the Kullback-Leibler divergence: the first during the excerpts, and then
        ``(1 - beta_rate**step) * max_beta`` where that is more, counted in steps after the last excerpt.
        A large one before the decoder can read latents would empty them.
    free_bits : float >= 0
        Bits of a melody's divergence, over all dimensions, that cost nothing.
    sampling_rate : float >= 0
        How soon the decoder is given what it drew itself in place of the true step before, counted in
        steps after the last excerpt; see `sampled_share`. 0: never.
    excerpts : tuple of (int, float)
        The training begins with excerpts: of so many sixteenths, up to this share of its steps. An LSTM
        that can hold four notes learns to hold eight far sooner than one that can hold none.
    narrow, released : int >= 0, float
        Dimensions that begin with a small deviation. The others begin at the prior, see `prepare`, and
        are held there up to this share of the steps.
    semitones : int >= 0
        Melodies are moved by up to so many, up or down.
    bfloat16 : bool
        Multiply matrices in half the bits where the processor can, twice as fast where it has instructions
        for it. Which it was is part of a training's identity, and stands in its card.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    steps: int = 22_000
    batch_size: int = 64
    learning_rate: float = 4e-3
    first_beta: float = 0.005
    max_beta: float = 0.2
    beta_rate: float = 0.99985
    free_bits: float = 0.0
    sampling_rate: float = 1_000.0
    excerpts: tuple[tuple[int, float], ...] = ((4, 0.03), (8, 0.1), (16, 0.25))
    narrow: int = 48
    released: float = 0.5
    semitones: int = 5
    bfloat16: bool = True

    def __post_init__(self) -> None:
        if not (self.steps >= 1 and self.batch_size >= 1 and self.learning_rate > 0):
            raise InputError(
                f"training with {self.steps} steps, batch {self.batch_size}, rate {self.learning_rate}: "
                "must be at least 1 step, 1 melody and a positive rate"
            )
        if self.beta_rate > 1:
            raise InputError(f"beta_rate {self.beta_rate}: must be at most 1")
        for name in (
            "first_beta",
            "max_beta",
            "beta_rate",
            "free_bits",
            "sampling_rate",
            "narrow",
            "released",
            "semitones",
        ):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} {getattr(self, name)}: must not be negative")
        if list(self.excerpts) != sorted(self.excerpts) or any(n < 1 or s > 1 for n, s in self.excerpts):
            raise InputError(f"excerpts {self.excerpts}: lengths and shares of the steps must rise to 1")

    def beta(self, step: int) -> float:
        """Return the weight of the divergence at a step.

        Examples
        --------
        >>> MusicVAERecipe().beta(0)
        0.005
        """
        risen = (1 - self.beta_rate ** max(0.0, self.since_excerpts(step))) * self.max_beta
        return max(self.first_beta, risen)

    def since_excerpts(self, step: int) -> float:
        """Return how many steps ago melodies became whole; negative before."""
        return step - self.excerpts[-1][1] * self.steps if self.excerpts else step

    def sampled_share(self, step: int) -> float:
        """Return the share of steps at which the decoder is given its own draw: an inverse sigmoid.

        Less than a hundredth counts as none.

        Examples
        --------
        >>> recipe = MusicVAERecipe(sampling_rate=1000.0, excerpts=())
        >>> round(recipe.sampled_share(0), 3), round(recipe.sampled_share(6908), 3)
        (0.0, 0.5)
        """
        rate, since = self.sampling_rate, self.since_excerpts(step)
        if rate == 0 or since < 0:
            return 0.0
        share = 1 - 1 / (1 + math.exp(min(since / rate, 700)) / rate)
        return share if share >= _LEAST_SHARE else 0.0

    def length(self, step: int, whole: int) -> int:
        """Return how many sixteenths the melodies of a step have.

        Examples
        --------
        >>> recipe = MusicVAERecipe(steps=100, excerpts=((8, 0.25), (16, 0.5)))
        >>> recipe.length(0, 32), recipe.length(25, 32), recipe.length(50, 32)
        (8, 16, 32)
        """
        for length, share in self.excerpts:
            if step < share * self.steps:
                return min(length, whole)
        return whole


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
    generated: int = 30_000,
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

    Each is moved by a number of semitones, all as likely, but not beyond the range of the classes. An
    excerpt begins at a multiple of its length.
    """
    rng = np.random.default_rng([seed, step])
    chosen = rolls[rng.integers(0, len(rolls), recipe.batch_size)]
    semitones = rng.integers(-recipe.semitones, recipe.semitones + 1, recipe.batch_size)
    lowest, highest = pitch_range(chosen)
    moved = transposed(chosen, np.clip(semitones, LOWEST_MIDI - lowest, HIGHEST_MIDI - highest))
    length = recipe.length(step, rolls.shape[1])
    first = length * rng.integers(0, rolls.shape[1] // length)
    return moved[:, first : first + length]


def _collected(collected: Collected) -> str:
    tunes = len(np.unique(collected.sources))
    skipped = "; ".join(f"{count:,} {reason}" for reason, count in sorted(collected.skipped.items()))
    text = f"{len(collected.rolls):,} different slices of {tunes:,} pieces."
    return text + (f" Left out: {skipped}." if skipped else "")


def _counts(splits: Mapping[str, Material]) -> str:
    return ", ".join(f"{len(part.rolls):,} {name}" for name, part in splits.items())
