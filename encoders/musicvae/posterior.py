"""What a model makes of many melodies: mean and deviation of every latent, and which carry anything."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...synth.errors import InputError
from .base import LatentModel, divergence

CHUNK = 4096  # melodies encoded at a time
SIGMA_THRESHOLD = 0.1  # a music rank's mean sigma is below 1 less this
VARIANCE_THRESHOLD = 0.01  # Burda et al., Importance Weighted Autoencoders, arXiv 1509.00519: active units
DIVERGENCE_THRESHOLD = 0.01  # nats


@dataclass(frozen=True)
class Posterior:
    """Statistics of each latent dimension over N melodies.

    Parameters
    ----------
    count : int
        Melodies.
    mean_mu, variance_mu : float64 [D]
        Mean and variance, over melodies, of the posterior's mean.
    mean_sigma, mean_variance : float64 [D]
        Mean of the posterior's standard deviation, and of its square.
    divergence : float64 [D]
        Mean divergence of the posterior from the prior, in nats: ``(mu^2 + sigma^2 - 1) / 2 - ln sigma``.

    Notes
    -----
    Where the posteriors of all melodies together make up the prior, variance and mean variance add up to
    1: the law of total variance.
    """

    count: int
    mean_mu: np.ndarray
    variance_mu: np.ndarray
    mean_sigma: np.ndarray
    mean_variance: np.ndarray
    divergence: np.ndarray

    @property
    def total_variance(self) -> np.ndarray:
        """Variance of mu and mean squared sigma together, float64 [D]."""
        return self.variance_mu + self.mean_variance

    @property
    def order(self) -> np.ndarray:
        """Dimensions by relevance: those first whose mu varies most, int64 [D]."""
        return np.argsort(-self.variance_mu, kind="stable")


@dataclass(frozen=True)
class Encoded:
    """Melodies, the means of their posteriors, and statistics of these.

    Parameters
    ----------
    rolls : uint8 [N, T]
    mu : float32 [N, D]
        Lies in a file that nobody else sees, so that memory does not grow with N.
    posterior : Posterior
    """

    rolls: np.ndarray
    mu: np.ndarray
    posterior: Posterior


def encode(model: LatentModel, rolls: np.ndarray, advance: Callable[[int], None] = lambda n: None) -> Encoded:
    """Encode melodies.

    Parameters
    ----------
    model : LatentModel
    rolls : uint8 [N, T]
    advance : callable, optional
        Called with how many melodies were encoded since the last call.

    Raises
    ------
    InputError
        If a mean or deviation is not finite, or a deviation is negative.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.synth.melodies import prior_samples
    >>> control = load("control:planted")
    >>> found = encode(control, prior_samples(control.decode, 16, 4000))
    >>> found.posterior.order[:3].tolist(), bool(abs(found.posterior.total_variance - 1).max() < 0.05)
    ([11, 2, 6], True)
    """
    size = (len(rolls), model.latent_dimensions)
    with tempfile.TemporaryFile() as file:
        mu = np.memmap(file, np.float32, "w+", shape=size)
    sums = np.zeros((5, model.latent_dimensions))
    for first in range(0, len(rolls), CHUNK):
        rows = slice(first, min(first + CHUNK, len(rolls)))
        mean, sigma = (values.astype(np.float64) for values in model.encode(rolls[rows]))
        wrong = ~(np.isfinite(mean) & (sigma >= 0) & np.isfinite(sigma))
        if wrong.any():
            row, d = np.argwhere(wrong)[0]
            where = f"mu {mean[row, d]:g}, sigma {sigma[row, d]:g} in dimension {d} of melody {first + row}"
            raise InputError(f"{model.name}: {where}; must be finite, sigma not negative")
        nats = divergence(mean, sigma)
        sums += [values.sum(0) for values in (mean, mean**2, sigma, sigma**2, nats)]
        mu[rows] = mean
        advance(rows.stop - rows.start)
    mean_mu, square, mean_sigma, mean_variance, nats = sums / max(1, len(rolls))
    variance = np.maximum(square - mean_mu**2, 0.0)
    found = Posterior(len(rolls), mean_mu, variance, mean_sigma, mean_variance, nats)
    return Encoded(rolls, mu, found)


def carries(posterior: Posterior, criterion: str, threshold: float) -> np.ndarray:
    """Say which dimensions carry music.

    Parameters
    ----------
    posterior : Posterior
    criterion : {"sigma", "variance", "divergence"}
        Mean sigma below ``1 - threshold``; variance of mu above the threshold; divergence from the prior
        above the threshold, in nats.
    threshold : float

    Returns
    -------
    carries : bool [D]

    Notes
    -----
    The source counts dimensions with sigma below 1, and does not say how far below.
    """
    if criterion == "sigma":
        return posterior.mean_sigma < 1 - threshold
    return (posterior.variance_mu if criterion == "variance" else posterior.divergence) > threshold
