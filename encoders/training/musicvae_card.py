"""The model card of a MusicVAE: what it was made of and what it gives back, beside itself untrained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..musicvae.config import MusicVAEConfig
from ..musicvae.posterior import SIGMA_THRESHOLD, VARIANCE_THRESHOLD, carries
from .musicvae_evaluation import LatentUse, MusicVAEScores
from .musicvae_material import MelodyMaterial, MusicVAERecipe

_LISTED = 12  # dimensions in the table
_SIGMAS = (0.5, 0.8, 0.9, 0.95, 0.99)  # under which dimensions are counted


def card(
    weights: Path,
    config: MusicVAEConfig,
    recipe: MusicVAERecipe,
    seed: int,
    precision: str,
    material: MelodyMaterial,
    scores: MusicVAEScores,
) -> str:
    """Return the card of a trained MusicVAE in Markdown."""
    conductor = " with a conductor" if config.conductor else ""
    parts = [
        f"# MusicVAE, {config.bars} bars, {config.latent_dimensions} latent dimensions\n\nA variational "
        f"autoencoder of melodies{conductor} (Roberts et al. 2018), of Magenta's architecture: "
        f"{config.steps} steps of a sixteenth, 90 classes.",
        _data(material),
        _reconstruction(scores),
        _latents(scores.use),
        _recipe(config, recipe, seed, precision),
        f"## To reproduce\n\n```\ntonotopy train musicvae --out OUT {material.command}"
        f"--steps {recipe.steps} --seed {seed}\n```",
        f"## Licence\n\nWeights: MIT, as this library, as far as the data allow. Data: {material.licence}.",
        f"## Weights\n\nSHA-256 of the file: `{hashlib.sha256(weights.read_bytes()).hexdigest()}` "
        f"({weights.stat().st_size:,} bytes, safetensors, float16).",
    ]
    return "\n\n".join(parts) + "\n"


def _data(material: MelodyMaterial) -> str:
    rows = [
        [name, f"{int(part.written.sum()):,}", f"{int((~part.written).sum()):,}"]
        for name, part in material.splits.items()
    ]
    return (
        f"## Data\n\n{material.description} Split by piece; what stands in the test in any transposition is "
        "in neither of the others.\n\n" + table(["split", "written", "made up"], rows)
    )


def _reconstruction(scores: MusicVAEScores) -> str:
    rows = []
    for (model, kind), given in scores.given.items():
        shares = (given.steps, given.onsets, given.whole, given.forced_steps, given.forced_onsets)
        rows.append([kind, model, *(f"{100 * share:.2f}" for share in shares)])
    counted = {kind: given.n for (model, kind), given in scores.given.items() if model == "trained"}
    listed = " and ".join(f"{n:,} {kind}" for kind, n in counted.items())
    always = ", ".join(f"{100 * share:.2f} ({kind})" for kind, share in scores.constant.items())
    head = ["melodies", "model", "steps %", "onsets %", "whole %", "forced: steps %", "forced: onsets %"]
    return (
        f"## What it gives back\n\nOn {listed} melodies of the test. Each is encoded to its mu and decoded "
        "free-running, the likeliest class at each step: share of the steps that are the same class, of the "
        "steps at which a note begins (at most other steps one is held), and of melodies without one wrong "
        "step. Forced: each step given the true ones. Untrained: the same sizes with random weights. "
        "float32: the weights before they were rounded. Active latents: the trained model, all other "
        f"dimensions set to zero (mean sigma at least {1 - SIGMA_THRESHOLD:g}). Always saying class 0 gets "
        f"{always} % of steps.\n\n" + table(head, rows)
    )


def _latents(use: LatentUse) -> str:
    posterior, music = use.posterior, use.music
    total, nats = posterior.total_variance, posterior.divergence
    counts = ", ".join(f"{(posterior.mean_sigma < below).sum()} below {below:g}" for below in _SIGMAS)
    active = carries(posterior, "variance", VARIANCE_THRESHOLD).sum()
    text = (
        f"## Latents\n\nOn the same melodies. Of {len(music)} dimensions, mean sigma is: {counts}; the "
        f"variance of mu is above {VARIANCE_THRESHOLD:g} in {active}. Divergence from the prior: "
        f"{nats.sum():.1f} nats a melody, of which {nats[music].sum():.1f} in the {music.sum()} "
        f"active latents (mean sigma below {1 - SIGMA_THRESHOLD:g}). Variance of mu and mean of sigma "
        f"squared together, 1 where all posteriors together are the prior: {_spread(total[music])} in these, "
        f"{_spread(total[~music])} in the others (mean, least, most).\n\n"
        "The first by variance of mu, with Pearson's correlation of mu with a melody's mean pitch and with "
        "its number of notes:"
    )
    shown = (posterior.mean_sigma, posterior.variance_mu, nats, total)
    rows = [
        [str(place), str(dimension)]
        + [f"{values[dimension]:.3f}" for values in shown]
        + [f"{values[dimension]:+.2f}" for values in (use.pitch, use.onsets)]
        for place, dimension in enumerate(posterior.order[:_LISTED], 1)
    ]
    head = ["place", "dimension", "sigma", "variance of mu", "nats", "total", "pitch", "notes"]
    return f"{text}\n\n{table(head, rows)}"


def _recipe(config: MusicVAEConfig, recipe: MusicVAERecipe, seed: int, precision: str) -> str:
    lacking = ", as the processor cannot in bfloat16" * (recipe.bfloat16 and precision != "bfloat16")
    last, whole = recipe.steps - 1, round(-min(0.0, recipe.since_excerpts(0)))
    lines = [
        f"- network: {json.dumps(asdict(config))}",
        f"- training: {json.dumps(asdict(recipe))}",
        "- loss, as Magenta's: cross-entropy and beta times what the divergence exceeds the free bits by",
        f"- melodies are whole from step {whole:,} on; excerpts before (length, up to which share of steps)",
        f"- beta is first_beta, or (1 - beta_rate^s) max_beta where that is more: {recipe.beta(last):.3f} in "
        "the end; the decoder is given its own draws in place of the true step before with probability "
        f"1 - k / (k + exp(s / k)), k the sampling_rate: {recipe.sampled_share(last):.3f} in the end; s "
        "counts the steps with whole melodies (Magenta's rates are 0.99999 and 1000, from the first step on)",
    ]
    if 0 < recipe.narrow < config.latent_dimensions:
        lines.append(
            f"- {recipe.narrow} of {config.latent_dimensions} dimensions begin with a sigma of about 0.05, "
            "the others at the prior (sigma 1, mu 0, not read by the decoder), where they are held until "
            f"step {round(recipe.released * recipe.steps):,}; then nothing but the loss keeps them there"
        )
    return "## Recipe\n\n" + "\n".join(
        [
            *lines,
            "- output biases begin at the logarithms of how often classes occur, forget biases spread from 0 "
            "to the logarithm of the length, input biases at their negatives, recurrent matrices orthogonal "
            "(Magenta: 0, 1, 0 and Xavier's)",
            "- Adam (0.9, 0.999), gradients clipped to norm 1, learning rate linear over the first 100 "
            "steps, then half a cosine down to zero (Magenta: exponentially)",
            f"- matrices multiplied in {precision}{lacking}",
            f"- seed {seed}",
        ]
    )


def _spread(values: np.ndarray) -> str:
    if not len(values):
        return "none"
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
