"""What is left of melodies when only some latent dimensions are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...encoders.musicvae.base import LatentModel
from ...synth.melodies import FIRST_NOTE

ORDERS = ("relevance", "random", "reversed")
MEASURES = ("free-running", "teacher-forced", "onsets")


@dataclass(frozen=True)
class KeptCurve:
    """Accuracies over the number of dimensions kept.

    Parameters
    ----------
    kept : int64 [K]
    accuracy : float64 [order, K, measure, N]
        Of every melody; NaN for the onsets of melodies without any.
    """

    kept: np.ndarray
    accuracy: np.ndarray


def step_accuracy(rolls: np.ndarray, given_back: np.ndarray) -> np.ndarray:
    """Return the share of steps that are right, float64 [N].

    Most steps of a melody sustain what sounds, so a model that sustains everything is often right.
    """
    return (rolls == given_back).mean(1)


def onset_accuracy(rolls: np.ndarray, given_back: np.ndarray) -> np.ndarray:
    """Return the share of notes that begin where they should, at their pitch, float64 [N].

    Examples
    --------
    >>> onset_accuracy(np.array([[41, 0, 43, 0]]), np.array([[41, 0, 44, 0]])).tolist()
    [0.5]
    """
    begins = rolls >= FIRST_NOTE
    right = (begins & (rolls == given_back)).sum(1)
    return np.where(begins.any(1), right / np.maximum(begins.sum(1), 1), np.nan)


def ladder(dimensions: int, active_latents: int) -> np.ndarray:
    """Return the numbers of dimensions to keep: powers of two, the active latents, and all.

    Examples
    --------
    >>> ladder(16, 3).tolist()
    [0, 1, 2, 3, 4, 8, 16]
    """
    powers = 2 ** np.arange(int(np.log2(dimensions)) + 1)
    return np.unique(np.append(powers, (0, active_latents, dimensions)))


def kept_curve(
    model: LatentModel,
    rolls: np.ndarray,
    mu: np.ndarray,
    order: np.ndarray,
    kept: Sequence[int] | np.ndarray,
    seed: int = 0,
    advance: Callable[[int], None] = lambda n: None,
) -> KeptCurve:
    """Reconstruct melodies from the first dimensions of an order alone, all others zeroed.

    Greedy and free-running (the model hears its own steps), teacher-forced beside it, and free-running
    counted over onsets alone.

    Parameters
    ----------
    model : LatentModel
    rolls : uint8 [N, T]
    mu : float32 [N, D]
        Their latents.
    order : int64 [D]
        Dimensions, most relevant first.
    kept : ints [K]
    seed : int
        Of the random order.
    advance : callable, optional
        Called after every reconstruction of all melodies.

    Returns
    -------
    curve : KeptCurve
        In three orders: of relevance, a random one, and of relevance from behind.

    Notes
    -----
    Source: Barenboim et al., Exploring how a Generative AI interprets music, arXiv 2308.00015: irrelevant
    dimensions are those that can be zeroed at little cost.
    """
    kept = np.asarray(kept)
    shuffled = np.random.default_rng(seed).permutation(order)
    accuracy = np.empty((len(ORDERS), len(kept), len(MEASURES), len(rolls)))
    for o, dimensions in enumerate((order, shuffled, order[::-1])):
        for k, count in enumerate(kept):
            if o and count in (0, len(order)):  # the same in every order
                accuracy[o, k] = accuracy[0, k]
            else:
                latents = np.zeros_like(mu)
                latents[:, dimensions[:count]] = mu[:, dimensions[:count]]
                free = model.decode(latents)
                accuracy[o, k] = (
                    step_accuracy(rolls, free),
                    step_accuracy(rolls, model.predict(latents, rolls)),
                    onset_accuracy(rolls, free),
                )
            advance(1)
    return KeptCurve(kept, accuracy)
