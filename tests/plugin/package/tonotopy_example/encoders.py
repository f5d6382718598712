"""A network of two layers, and a model of melodies whose latents are known."""

import numpy as np
from torch import nn

from tonotopy.encoders import ModuleEncoder, wrap
from tonotopy.encoders.base import Weights
from tonotopy.encoders.weights import randomly_initialised
from tonotopy.synth.melodies import FIRST_NOTE, LOWEST_MIDI, checked_rolls, notes

PRETRAINED_SEED = 1_000_003  # its weights were never trained: a seed stands for them


def example_net(weights: str = "pretrained", seed: int = 0) -> ModuleEncoder:
    """Return a network of two layers at 8 kHz."""
    module = randomly_initialised(
        lambda: nn.Sequential(nn.Conv1d(1, 8, 32, stride=8), nn.ReLU(), nn.Conv1d(8, 12, 4, stride=4)),
        PRETRAINED_SEED if weights == "pretrained" else seed,
    )
    return wrap(module, 8_000, {"first_layer": "0", "latent": "2"}, name="example_net")


class Tune:
    """Two bars of one note, repeated: a latent is its pitch, another how often it sounds, ten are nothing."""

    name = "example_tune"
    modality = "melody"
    weights = Weights("none", "", "one note, repeated; two latents carry it")
    steps, latent_dimensions = 32, 12
    sigma = 0.1  # of the two

    def encode(self, rolls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation, float32 [N, 12] each, of melodies uint8 [N, 32]."""
        played = notes(checked_rolls(rolls))
        counts = np.diff(played.offsets)
        first = np.append(played.midi, 60)[played.offsets[:-1]]
        mu = np.zeros((len(rolls), self.latent_dimensions), np.float32)
        mu[:, 0] = np.where(counts > 0, (first - 60) / 8, 0)
        mu[:, 1] = np.log2(np.maximum(counts, 1)) - 2.5
        sigma = np.ones_like(mu)
        sigma[:, :2] = self.sigma
        return mu, sigma

    def decode(self, latents: np.ndarray, temperature: float | None = None, seed: int = 0) -> np.ndarray:
        """Return melodies uint8 [N, 32]; nothing is drawn."""
        midi = np.clip(60 + 8 * latents[:, 0], 40, 80).round().astype(int)
        lasting = 32 >> np.clip(latents[:, 1] + 2.5, 0, 5).round().astype(int)
        starts = np.arange(self.steps) % lasting[:, None] == 0
        return np.where(starts, FIRST_NOTE + midi[:, None] - LOWEST_MIDI, 0).astype(np.uint8)

    def predict(self, latents: np.ndarray, rolls: np.ndarray) -> np.ndarray:
        """Return the melodies of the latents."""
        return self.decode(latents)


def example_tune(weights: str = "pretrained", seed: int = 0) -> Tune:
    """Return the model of melodies; it has no weights."""
    return Tune()
