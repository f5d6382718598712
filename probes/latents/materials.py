"""The melodies that a melody model is measured with: its own, random notes, and real ones."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...encoders.musicvae.base import LatentModel
from ...synth.errors import InputError
from ...synth.melodies import STEPS_PER_BAR, prior_samples, random_notes
from ..engine.progress import Progress

PRIOR, RANDOM_NOTES, MELODIES = "prior samples", "random notes", "melodies"
TEMPERATURE = 0.5  # of prior samples: Magenta's own default


@dataclass(frozen=True)
class Material:
    """Melodies of one kind.

    Parameters
    ----------
    name : str
    rolls : uint8 [N, T]
    pieces : int64 [N]
        Which piece each is from; melodies of one piece resemble one another, and are one draw in a test.
    about : str
        Where they are from, for the report.
    """

    name: str
    rolls: np.ndarray
    pieces: np.ndarray
    about: str


def prior_material(model: LatentModel, count: int, seed: int, progress: Progress) -> Material:
    """Draw melodies from a model's prior, every batch from a seed of its own."""
    seeds = itertools.count(seed)  # with one for all, the same noise would come again in every batch
    with progress.task(f"{model.name}: melodies drawn from its prior", count) as advance:

        def decode(latents: np.ndarray) -> np.ndarray:
            rolls = model.decode(latents, TEMPERATURE, next(seeds))
            advance(len(rolls))
            return rolls

        rolls = prior_samples(decode, model.latent_dimensions, count, seed)
    about = f"{count:,} melodies that the model draws from its prior, at temperature {TEMPERATURE:g}"
    return Material(PRIOR, rolls, np.arange(count), about)


def random_material(model: LatentModel, count: int, seed: int) -> Material:
    """Draw random notes."""
    rolls = random_notes(count, model.steps // STEPS_PER_BAR, seed)
    return Material(RANDOM_NOTES, rolls, np.arange(count), f"{count:,} sequences of random notes")


def real_material(bars: int, count: int, folder: str | Path | None, seed: int) -> Material | None:
    """Take real melodies: from a folder of MIDI files, or those that come with the library.

    Returns None where there are none of so many bars: the library's have two.

    Raises
    ------
    InputError
        If the folder holds no melody of so many bars.
    """
    if folder is None:
        from ...encoders.musicvae.named import heldout_melodies

        if bars != 2:
            return None
        rolls, pieces = heldout_melodies()
        about = "melodies of tunes that musicvae_tiny has not learnt from"
    else:
        from ...synth.midi import midi_melodies

        found = midi_melodies(folder, bars=bars)
        rolls, pieces = found.rolls, np.asarray(found.sources)
        skipped = ", ".join(f"{count} {reason}" for reason, count in found.skipped.items())
        about = f"melodies of the MIDI files in {folder}" + (f" (skipped: {skipped})" if skipped else "")
        if not len(rolls):
            raise InputError(f"folder {folder}: holds no melody of {bars} bars ({skipped or 'no MIDI file'})")
    chosen = np.random.default_rng(seed).permutation(len(rolls))[:count]
    return Material(MELODIES, rolls[chosen], pieces[chosen], f"{len(chosen):,} {about}")
