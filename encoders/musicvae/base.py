"""What a model of melodies with a latent is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from ..base import Weights

_LEAST_SIGMA = float(np.finfo(np.float32).tiny)


@runtime_checkable
class LatentModel(Protocol):
    """The contract that `tonotopy.probes.latents` needs: `MusicVAE` meets it, and so may others.

    Attributes
    ----------
    name : str
    modality : {"melody"}
    weights : Weights
    steps : int
        Sixteenths of a melody.
    latent_dimensions : int
    """

    name: str
    weights: Weights

    @property
    def modality(self) -> str: ...  # noqa: D102

    @property
    def steps(self) -> int: ...  # noqa: D102

    @property
    def latent_dimensions(self) -> int: ...  # noqa: D102

    def encode(self, rolls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation, float32 [N, D] each, of melodies uint8 [N, T]."""
        ...

    def decode(self, latents: np.ndarray, temperature: float | None = None, seed: int = 0) -> np.ndarray:
        """Return melodies as integers [N, T], free-running; the likeliest steps without a temperature."""
        ...

    def predict(self, latents: np.ndarray, rolls: np.ndarray) -> np.ndarray:
        """Return the likeliest class of every step, integers [N, T], the true steps before it given."""
        ...


def divergence(mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Return the divergence of posteriors from the prior, in nats: ``(mu^2 + sigma^2 - 1) / 2 - ln sigma``.

    Parameters
    ----------
    mu, sigma : float64 [...]
        Mean and standard deviation; a sigma of 0 has underflowed, and counts as the least there is.

    Examples
    --------
    >>> divergence(np.array([0.0, 1.0]), np.array([1.0, 1.0])).tolist()
    [0.0, 0.5]
    """
    return (mu**2 + sigma**2 - 1) / 2 - np.log(np.maximum(sigma, _LEAST_SIGMA))
