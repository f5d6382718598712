"""What a run holds of a model of melodies, of known content: no model runs."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tonotopy.encoders.musicvae.posterior import Posterior
from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.latents import active, feature_set
from tonotopy.probes.latents.materials import MELODIES, PRIOR, RANDOM_NOTES
from tonotopy.probes.run.registry import schema

GROUPS = np.array(["pitch", "rhythm", "melody"])
CONSTANT = "Quality"  # has no value of phik anywhere


def posterior(dimensions: int, music: int, seed: int) -> Posterior:
    """`music` dimensions with ever less in them, at random places; the others stay at the prior."""
    generator = np.random.default_rng(seed)
    place = generator.permutation(dimensions)[:music]
    variance = 1e-4 * generator.uniform(0.5, 2.0, dimensions)
    variance[place] = np.linspace(0.95, 0.2, music)
    deviation = np.sqrt(1 - variance)
    return Posterior(
        count=20_000,
        mean_mu=generator.normal(0, 0.05, dimensions) * np.sqrt(variance),
        variance_mu=variance,
        mean_sigma=deviation,
        mean_variance=deviation**2 * generator.uniform(0.98, 1.02, dimensions),
        divergence=-np.log(deviation),
    )


def untrained(dimensions: int, seed: int) -> Posterior:
    """Sigma is ln 2 wherever nothing was learnt, and mu hardly moves."""
    generator = np.random.default_rng(seed)
    variance = 1e-7 * generator.uniform(0.5, 2.0, dimensions)
    sigma = np.full(dimensions, np.log(2))
    return Posterior(
        20_000, 0.01 * generator.normal(size=dimensions), variance, sigma, sigma**2,
        (sigma**2 - 1) / 2 - np.log(sigma),
    )  # fmt: skip


def latents(dimensions: int = 16, music: int = 3, seed: int = 0, random: bool = False) -> xr.Dataset:
    one = untrained(dimensions, seed) if random else posterior(dimensions, music, seed)
    sets = active.chosen(one)
    fields = ("mean_mu", "variance_mu", "mean_sigma", "mean_variance", "divergence", "total_variance")
    return dataset(
        schema()["latents"],
        {
            **{name: np.array([getattr(one, name)] * 3) for name in fields},
            "material": np.array([PRIOR, RANDOM_NOTES, MELODIES]),
            "dimension": np.arange(dimensions),
            "criterion": np.array(active.CRITERIA),
            "other_criterion": np.array(active.CRITERIA),
            "threshold": active.THRESHOLDS,
            "n_melodies": np.array([20_000, 20_000, 3_000]),
            "relevance": np.argsort(one.order) + 1,
            "is_active": sets,
            "count": np.array([active.counts(one)] * 3),
            "agreement": active.agreement(sets),
        },
        {
            "sigma_threshold": active.SIGMA_THRESHOLD,
            "variance_threshold": active.VARIANCE_THRESHOLD,
            "divergence_threshold": active.DIVERGENCE_THRESHOLD,
        },
    )


def features(neurons_drawn: int = 8, seed: int = 0, strength: float = 0.9) -> xr.Dataset:
    """The first dimension knows pitch, the second rhythm, all others ever less of anything."""
    generator = np.random.default_rng(seed)
    about = feature_set.labels()
    phik = generator.uniform(0, 0.12, (neurons_drawn, len(about.names)))
    for rank in range(neurons_drawn):
        group = GROUPS[rank] if rank < 2 else GROUPS[rank % 3]
        there = np.array(about.groups) == group
        phik[rank, there] = generator.uniform(0.2, 1.0, there.sum()) * strength / (1 + rank / 4)
    phik[:, list(about.names).index(CONSTANT)] = np.nan
    significant = np.where(np.isnan(phik), np.nan, np.where(phik > 0.1, 0.005, 0.6))
    conditional = np.where(np.array(about.groups) == "melody", phik, np.nan)
    conditional[1] *= 0.1  # the second knows of melody what rhythm tells
    beyond = np.where(np.isnan(conditional), np.nan, np.where(conditional > 0.15, 0.005, 0.6))
    return dataset(
        schema()["features"],
        {
            "feature": np.array(about.names),
            "feature_group": np.array(about.groups),
            "feature_id": np.array(about.ids),
            "group": GROUPS,
            "rank": np.arange(1, neurons_drawn + 1),
            "latent_dimension": generator.permutation(512)[:neurons_drawn],
            "phik": phik,
            "p": significant,
            "p_corrected": significant,
            "conditional_phik": conditional,
            "conditional_p": beyond,
            "conditional_p_corrected": beyond,
            "melody": np.where((beyond <= 0.05).any(1), "beyond rhythm", "with rhythm only"),
        },
        {"bins": 10, "n_melodies": 20_000, "permutations": 199},
    )
