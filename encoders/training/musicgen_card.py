"""The model card of a MusicGen: what it was made of, says and heeds, and how it sounds, beside chance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from ..musicgen.config import MusicGenConfig
from .musicgen_evaluation import MUSICALITY, Heeded, MusicGenScores
from .musicgen_material import CodedClip, MusicGenRecipe
from .musicvae_card import table

_MODELS = {
    "conditional": "with its factors",
    "unconditional": "without",
    "float32": "with its factors, before rounding",
    "random": "random weights",
}
_HEADS = {
    "voiced_share": "voiced share",
    "level": "level, dBFS (RMS)",
    "chroma_persistence": "chroma persistence",
}


def card(
    weights: Path,
    config: MusicGenConfig,
    recipe: MusicGenRecipe,
    seed: int,
    clips: Sequence[CodedClip],
    frame_rate_hz: float,
    scores: MusicGenScores,
    corpus: Path,
) -> str:
    """Return the card of a trained MusicGen in Markdown."""
    stored = corpus / "corpus.json"
    origin = json.loads(stored.read_text()) if stored.is_file() else {}
    factors = ", ".join(f"{name} ({len(values)})" for name, values in config.factors)
    parts = [
        f"# MusicGen, {config.layers} blocks of {config.dimension} channels\n\nA language model over the "
        f"first {config.codebooks} codebooks of `{config.codec}` ({frame_rate_hz:g} frames a second), of "
        "MusicGen's architecture with the delay pattern (Copet et al. 2023). It may be asked for values of "
        f"factors: {factors}.",
        _data(clips, frame_rate_hz, origin),
        _cross_entropy(scores, config),
        _heeded(scores.heeded),
        _musicality(scores),
        _recipe(config, recipe, seed),
        _commands(origin, recipe, seed),
        "## Licence\n\nWeights: MIT, as this library, as far as the data allow. Data: "
        f"{origin.get('licence', 'as its source states it; name it here before you pass the weights on')}.",
        f"## Weights\n\nSHA-256 of the file: `{hashlib.sha256(weights.read_bytes()).hexdigest()}` "
        f"({weights.stat().st_size:,} bytes, safetensors, float16).",
    ]
    return "\n\n".join(parts) + "\n"


def _data(clips: Sequence[CodedClip], frame_rate_hz: float, origin: dict[str, object]) -> str:
    counts = []
    for split in ("training", "validation", "test"):
        own = [clip.codes.shape[1] for clip in clips if clip.file.split == split]
        counts.append(f"{split} {len(own):,} clips, {sum(own) / frame_rate_hz / 3600:.2f} hours")
    return f"## Data\n\n{origin.get('description', 'A folder of labelled audio')}. {'; '.join(counts)}."


def _cross_entropy(scores: MusicGenScores, config: MusicGenConfig) -> str:
    rows = []
    for (what, how), each in scores.cross_entropy.items():
        rows.append([f"held-out {what}", _MODELS[how], *_numbers(each)])
        if how == list(_MODELS)[-1]:
            rows.append(
                [f"held-out {what}", "how often codes occur (unigram)", *_numbers(scores.unigram[what])]
            )
            rows.append(
                [f"held-out {what}", "all alike", *_numbers(np.full(len(each), np.log(config.entries)))]
            )
    head = ["of", "model", "all", *(f"codebook {q + 1}" for q in range(config.codebooks))]
    return (
        f"## What it says\n\nCross-entropy in nats a code, over stretches of {config.context} columns; "
        "places that the delay leaves empty do not count. Pieces: unheard ones by instruments it has learnt "
        "from; instruments: those that neither it nor the codec has ever heard.\n\n" + table(head, rows)
    )


def _numbers(each: np.ndarray) -> list[str]:
    return [f"{value:.3f}" for value in (each.mean(), *each)]


def _heeded(heeded: Sequence[Heeded]) -> str:
    rows = [
        [one.factor, one.measure.replace("_", " "), f"{one.guidance:g}", f"{one.effect:+.3f}",
         f"{one.shuffled:+.3f}", f"{one.p:.4f}", str(one.sounds)]
        for one in heeded
    ]  # fmt: skip
    head = ["factor", "measured", "guidance", "effect", "shuffled requests", "p", "sounds"]
    return (
        "## What it heeds\n\nSounds are made up, one factor asked for at a time, every value equally often. "
        "Of the family: the mean probability that `samplecnn_tiny` gives to the family that was asked for. "
        "Of the others: how much more of a measure the sounds have that were asked for the last value than "
        "those for the first (centroid in octaves, onsets a second; of texture, voiced share of lines less "
        "chords). Shuffled: the same with requests exchanged between sounds; p is one-sided.\n\n"
        + table(head, rows)
    )


def _musicality(scores: MusicGenScores) -> str:
    rows = []
    for name, measured in scores.musicality.items():
        rows.append([name, *(_mean(measured[key]) for key in MUSICALITY)])
    return (
        "## How it sounds\n\nMean with 95 % interval over sounds. Voiced: frames whose autocorrelation has a "
        "peak above 0.85; quiet output fools it, so the level stands beside it. Chroma persistence: "
        "correlation of chroma with that of a quarter of a second later. No one of them tells music from "
        "anything: a held tone has all of the first and the last. The tagger's confidence is left out: codes "
        "shuffled in time score higher than music.\n\n"
        + table(["sounds", *(_HEADS[key] for key in MUSICALITY)], rows)
    )


def _mean(values: np.ndarray) -> str:
    there = values[np.isfinite(values)]
    if len(there) < 2:
        return "none"
    half = student.ppf(0.975, len(there) - 1) * there.std(ddof=1) / len(there) ** 0.5
    return f"{there.mean():.3f} ± {half:.3f}"


def _recipe(config: MusicGenConfig, recipe: MusicGenRecipe, seed: int) -> str:
    lines = [
        f"- network: {json.dumps(asdict(config))}",
        f"- training: {json.dumps(asdict(recipe))}",
        f"- stretches of {config.context} columns from random places of random clips; of their factors none "
        f"is asked for in {recipe.unconditional:.0%}, and each is left out in {recipe.factor_left_out:.0%}",
        "- AdamW (0.9, 0.95), gradients clipped to norm 1, learning rate linear over the first 200 steps, "
        "then half a cosine down to zero; norms and tables of tokens do not decay",
        f"- seed {seed}",
    ]
    return "## Recipe\n\n" + "\n".join(lines)


def _commands(origin: dict[str, object], recipe: MusicGenRecipe, seed: int) -> str:
    lines = []
    if origin:
        lines.append(
            f"tonotopy corpus --out CORPUS --clips-per-program {origin['clips_per_program']} "
            f"--seconds {origin['seconds']:g} --seed {origin['seed']}"
        )
    lines.append(f"tonotopy train musicgen --corpus CORPUS --out OUT --steps {recipe.steps} --seed {seed}")
    return "## To reproduce\n\n```\n" + "\n".join(lines) + "\n```"
