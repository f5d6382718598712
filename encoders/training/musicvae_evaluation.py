"""How well a MusicVAE gives back melodies that it has never heard, and how many latents that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...synth.melodies import FIRST_NOTE, LOWEST_MIDI
from ...synth.melody_material import Material
from ..musicvae.base import divergence
from ..musicvae.loading import load_weights
from ..musicvae.model import MusicVAE
from ..weights import randomly_initialised

NARROW = (0.5, 0.8, 0.9, 0.95, 0.99)  # a music neuron's mean sigma is below
CHOSEN = 0.9  # of these, where one has to be chosen
_MOST = 5_000  # melodies of either kind
_ACTIVE_VARIANCE = 0.01
_RELATED = 8  # first dimensions that are held against pitch and rhythm


@dataclass(frozen=True)
class Given:
    """Shares of what is given back rightly: of all steps, of the steps at which a note begins, of melodies.

    Parameters
    ----------
    steps, onsets, whole : float
        Free-running and greedy.
    told_steps, told_onsets : float
        With the true step before given.
    n : int
        Melodies.
    """

    steps: float
    onsets: float
    whole: float
    told_steps: float
    told_onsets: float
    n: int


@dataclass(frozen=True)
class LatentUse:
    """What the dimensions of a latent do on melodies, ordered by the variance of mu, largest first.

    Parameters
    ----------
    sigma, variance, divergence : float64 [D]
        Mean of sigma, variance of mu, mean divergence from the prior (nats).
    total : float64 [D]
        Variance of mu and mean of sigma squared together: 1 where all posteriors together are the prior.
    pitch, onsets : float64 [D]
        Correlation of mu with a melody's mean MIDI pitch, and with how many notes it has.
    order : int64 [D]
        Which dimension stands at each place.
    """

    sigma: np.ndarray
    variance: np.ndarray
    divergence: np.ndarray
    total: np.ndarray
    pitch: np.ndarray
    onsets: np.ndarray
    order: np.ndarray

    def music(self, below: float = CHOSEN) -> np.ndarray:
        """Return which places hold a music neuron: mean sigma under `below`, bool [D]."""
        return self.sigma < below

    @property
    def active(self) -> int:
        """Dimensions whose mu varies by more than 0.01."""
        return int((self.variance > _ACTIVE_VARIANCE).sum())


@dataclass(frozen=True)
class MusicVAEScores:
    """How well a MusicVAE does on what was held out, beside itself untrained and before rounding.

    Parameters
    ----------
    given : dict of (str, str) to Given
        Model ("trained", "untrained", "float32", "music neurons": all others set to zero) and kind of
        melody ("written", "generated"; only those there are).
    use : LatentUse
        On all melodies together.
    constant : dict of str to float
        Share of steps that always saying class 0 gets right, by kind of melody.
    """

    given: Mapping[tuple[str, str], Given]
    use: LatentUse
    constant: Mapping[str, float]

    def __str__(self) -> str:
        told = ", ".join(
            f"{100 * given.steps:.1f} % of steps and {100 * given.onsets:.1f} % of onsets "
            f"of {given.n:,} {kind}"
            for (model, kind), given in self.given.items()
            if model == "trained"
        )
        music = int(self.use.music().sum())
        return f"given back: {told} melodies; {music} music neurons of {len(self.use.sigma)}"


def evaluate(weights: Path, model: MusicVAE, test: Material, seed: int = 0) -> MusicVAEScores:
    """Let a MusicVAE give back melodies it has not heard; as stored in `weights`, as trained, untrained."""
    stored = load_weights(weights)
    untrained = randomly_initialised(lambda: MusicVAE(stored.config), seed)
    assert isinstance(untrained, MusicVAE)
    models = {"trained": stored, "untrained": untrained, "float32": model}
    kinds = {"written": test.rolls[test.written][:_MOST], "generated": test.rolls[~test.written][:_MOST]}
    kinds = {kind: rolls for kind, rolls in kinds.items() if len(rolls)}
    use = latent_use(stored, np.concatenate(list(kinds.values())))
    idle = use.order[~use.music()]
    given, constant = {}, {}
    for kind, rolls in kinds.items():
        mus = {name: other.encode(rolls)[0] for name, other in models.items()}
        for name, other in models.items():
            given[name, kind] = given_back(other, rolls, mus[name])
        mu = mus["trained"]
        mu[:, idle] = 0
        given["music neurons", kind] = given_back(stored, rolls, mu)
        constant[kind] = float((rolls == 0).mean())
    return MusicVAEScores(given, use, constant)


def given_back(model: MusicVAE, rolls: np.ndarray, latents: np.ndarray) -> Given:
    """Compare melodies [N, T] with what latents [N, D] are decoded to."""
    begins = rolls >= FIRST_NOTE
    free, told = model.decode(latents) == rolls, model.predict(latents, rolls) == rolls
    return Given(
        float(free.mean()),
        float(free[begins].mean()),
        float(free.all(axis=1).mean()),
        float(told.mean()),
        float(told[begins].mean()),
        len(rolls),
    )


def latent_use(model: MusicVAE, rolls: np.ndarray) -> LatentUse:
    """Measure what each dimension does on melodies [N, T]."""
    mu, sigma = (values.astype(np.float64) for values in model.encode(rolls))
    variance = mu.var(axis=0)
    order = np.argsort(-variance, kind="stable")
    begins = rolls >= FIRST_NOTE
    count = begins.sum(axis=1)
    midi = np.where(begins, rolls.astype(np.float64) + (LOWEST_MIDI - FIRST_NOTE), 0).sum(axis=1)
    pitch = midi / np.maximum(count, 1)
    return LatentUse(
        sigma.mean(axis=0)[order],
        variance[order],
        divergence(mu, sigma).mean(axis=0)[order],
        (variance + (sigma**2).mean(axis=0))[order],
        _correlations(mu, pitch)[order],
        _correlations(mu, count)[order],
        order,
    )


def _correlations(mu: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Pearson's of every dimension [N, D] with values [N]; 0 where one of them does not vary."""
    mu, values = mu - mu.mean(axis=0), values - values.mean()
    scale = np.sqrt((mu**2).sum(axis=0) * (values**2).sum())
    return np.divide(values @ mu, scale, out=np.zeros(mu.shape[1]), where=scale > 1e-12)
