"""How well a MusicVAE gives back melodies that it was not trained on, and how many latents that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...synth.melodies import FIRST_NOTE, LOWEST_MIDI
from ...synth.melody_material import Material
from ..musicvae.loading import load_weights
from ..musicvae.model import MusicVAE
from ..musicvae.posterior import SIGMA_THRESHOLD, Posterior, carries, encode
from ..weights import randomly_initialised

_MOST = 5_000  # melodies of either kind


@dataclass(frozen=True)
class Given:
    """Shares of what is given back rightly: of all steps, of the steps at which a note begins, of melodies.

    Parameters
    ----------
    steps, onsets, whole : float
        Free-running and greedy.
    forced_steps, forced_onsets : float
        With the true step before given.
    n : int
        Melodies.
    """

    steps: float
    onsets: float
    whole: float
    forced_steps: float
    forced_onsets: float
    n: int


@dataclass(frozen=True)
class LatentUse:
    """What the dimensions of a latent do on melodies.

    Parameters
    ----------
    posterior : Posterior
    pitch, onsets : float64 [D]
        Correlation of mu with a melody's mean MIDI pitch, and with how many notes it has.
    """

    posterior: Posterior
    pitch: np.ndarray
    onsets: np.ndarray

    @property
    def music(self) -> np.ndarray:
        """Which dimensions are active: mean sigma under 0.9, bool [D]."""
        return carries(self.posterior, "sigma", SIGMA_THRESHOLD)


@dataclass(frozen=True)
class MusicVAEScores:
    """How well a MusicVAE does on what was held out, beside itself untrained and before rounding.

    Parameters
    ----------
    given : dict of (str, str) to Given
        Model ("trained", "untrained", "float32", "active latents": all others set to zero) and kind of
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
        forced = ", ".join(
            f"{100 * given.steps:.1f} % of steps and {100 * given.onsets:.1f} % of onsets "
            f"of {given.n:,} {kind}"
            for (model, kind), given in self.given.items()
            if model == "trained"
        )
        music = self.use.music
        return f"given back: {forced} melodies; {music.sum()} active latents of {len(music)}"


def evaluate(weights: Path, model: MusicVAE, test: Material, seed: int = 0) -> MusicVAEScores:
    """Let a MusicVAE give back melodies it was not trained on; as stored, as trained, untrained."""
    stored = load_weights(weights)
    untrained = randomly_initialised(lambda: MusicVAE(stored.config), seed)
    assert isinstance(untrained, MusicVAE)
    models = {"trained": stored, "untrained": untrained, "float32": model}
    kinds = {"written": test.rolls[test.written][:_MOST], "generated": test.rolls[~test.written][:_MOST]}
    kinds = {kind: rolls for kind, rolls in kinds.items() if len(rolls)}
    use = latent_use(stored, np.concatenate(list(kinds.values())))
    given, constant = {}, {}
    for kind, rolls in kinds.items():
        mus = {name: other.encode(rolls)[0] for name, other in models.items()}
        for name, other in models.items():
            given[name, kind] = given_back(other, rolls, mus[name])
        mu = mus["trained"]
        mu[:, ~use.music] = 0
        given["active latents", kind] = given_back(stored, rolls, mu)
        constant[kind] = float((rolls == 0).mean())
    return MusicVAEScores(given, use, constant)


def given_back(model: MusicVAE, rolls: np.ndarray, latents: np.ndarray) -> Given:
    """Compare melodies [N, T] with what latents [N, D] are decoded to."""
    begins = rolls >= FIRST_NOTE
    free, forced = model.decode(latents) == rolls, model.predict(latents, rolls) == rolls
    return Given(
        float(free.mean()),
        float(free[begins].mean()),
        float(free.all(axis=1).mean()),
        float(forced.mean()),
        float(forced[begins].mean()),
        len(rolls),
    )


def latent_use(model: MusicVAE, rolls: np.ndarray) -> LatentUse:
    """Measure what each dimension does on melodies [N, T]."""
    encoded = encode(model, rolls)
    mu = np.asarray(encoded.mu, np.float64)
    begins = rolls >= FIRST_NOTE
    count = begins.sum(axis=1)
    midi = np.where(begins, rolls.astype(np.float64) + (LOWEST_MIDI - FIRST_NOTE), 0).sum(axis=1)
    pitch = midi / np.maximum(count, 1)
    return LatentUse(encoded.posterior, _correlations(mu, pitch), _correlations(mu, count))


def _correlations(mu: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Pearson's of every dimension [N, D] with values [N]; 0 where one of them does not vary."""
    mu, values = mu - mu.mean(axis=0), values - values.mean()
    scale = np.sqrt((mu**2).sum(axis=0) * (values**2).sum())
    return np.divide(values @ mu, scale, out=np.zeros(mu.shape[1]), where=scale > 1e-12)
