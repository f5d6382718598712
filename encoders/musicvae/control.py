"""A model of melodies whose every latent is known: the control beside MusicVAE."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import norm

from ...synth.errors import InputError
from ...synth.melodies import FIRST_NOTE, LOWEST_MIDI, checked_rolls, notes
from ..base import Weights

STEPS, DIMENSIONS = 32, 16
PITCH, RHYTHM, MELODY = 11, 6, 2  # the dimensions that carry something
LOWEST_PITCH, PITCHES = 41, 36
INTERVALS = 8
CELLS = {PITCH: PITCHES, RHYTHM: 5, MELODY: INTERVALS}


class PlantedLatents:
    """Two bars of equally long notes: one dimension is the pitch, one how many notes, one their interval.

    Notes alternate between a pitch (MIDI 41 to 76, dimension 11) and one that lies 0 to 7 semitones above it
    (dimension 2); there are 2, 4, 8, 16 or 32 (dimension 6). Each choice is as likely as any other: it is
    the cell of a standard normal that the latent falls into. The posterior is exact: in these dimensions
    the prior within the cell, in all others the prior. So three dimensions carry music, variance of mu and
    mean squared sigma add up to 1, and nothing is lost when all other dimensions are zeroed.
    """

    name = "control:planted"
    modality = "melody"
    weights = Weights("none", "", "melodies of two alternating notes; three latents carry them, exactly")
    steps, latent_dimensions = STEPS, DIMENSIONS

    def encode(self, rolls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation of the exact posterior; of other melodies, that of the nearest kind."""
        rolls = checked_rolls(rolls)
        if rolls.shape[1] != STEPS:
            raise InputError(f"melodies of {rolls.shape[1]} steps: {self.name} hears {STEPS}")
        played = notes(rolls)
        counts = np.diff(played.offsets)
        midi = np.append(played.midi, [60, 60])  # what a melody without notes is taken for
        first = np.where(counts > 0, midi[played.offsets[:-1]], 60)
        second = np.where(counts > 1, midi[np.minimum(played.offsets[:-1] + 1, len(midi) - 1)], first)
        cells = {
            PITCH: np.clip(first - LOWEST_PITCH, 0, PITCHES - 1),
            RHYTHM: np.clip(np.log2(np.maximum(counts, 1)).round().astype(int) - 1, 0, 4),
            MELODY: np.clip(second - first, 0, INTERVALS - 1),
        }
        mu = np.zeros((len(rolls), DIMENSIONS), np.float32)
        sigma = np.ones_like(mu)
        for dimension, cell in cells.items():
            means, deviations = truncated_normal(CELLS[dimension])
            mu[:, dimension], sigma[:, dimension] = means[cell], deviations[cell]
        return mu, sigma

    def decode(self, latents: np.ndarray, temperature: float | None = None, seed: int = 0) -> np.ndarray:
        """Return the melodies; nothing is drawn, at whatever temperature."""
        latents = np.asarray(latents, np.float64)
        cell = {d: np.minimum((norm.cdf(latents[:, d]) * n).astype(int), n - 1) for d, n in CELLS.items()}
        lasting = STEPS >> (cell[RHYTHM] + 1)
        step = np.arange(STEPS)
        above = (step // lasting[:, None]) % 2 * cell[MELODY][:, None]  # [N, T]
        classes = FIRST_NOTE + LOWEST_PITCH - LOWEST_MIDI + cell[PITCH][:, None] + above
        return np.where(step % lasting[:, None] == 0, classes, 0).astype(np.int16)

    def predict(self, latents: np.ndarray, rolls: np.ndarray) -> np.ndarray:
        """Return the melodies of the latents: what came before a step tells nothing more."""
        return self.decode(latents)


def truncated_normal(cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation, float64 [cells], of a standard normal in each of `cells` likely cells.

    Examples
    --------
    >>> means, deviations = truncated_normal(2)
    >>> bool(np.allclose(means, [-(2 / np.pi) ** 0.5, (2 / np.pi) ** 0.5]))
    True
    """
    edges = ndtri(np.linspace(0, 1, cells + 1))
    density = norm.pdf(edges)
    means = -np.diff(density) * cells
    finite = np.where(np.isfinite(edges), edges, 0.0)
    variance = 1 - np.diff(finite * density) * cells - means**2
    return means, np.sqrt(variance)
