"""The model card: what a model was made of and how well it does, beside chance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..samplecnn import SampleCNNConfig
from .metrics import Score
from .recipe import Material, TrainingRecipe, crop_samples

_NAMED = 10  # unreadable files listed by name


def card(
    weights: Path,
    config: SampleCNNConfig,
    material: Material,
    recipe: TrainingRecipe,
    seed: int,
    history: Sequence[Mapping[str, float]],
    scores: Mapping[str, Score],
    corpus: Path,
) -> str:
    """Return the card of a trained SampleCNN in Markdown."""
    stored = corpus / "corpus.json"
    origin = json.loads(stored.read_text()) if stored.is_file() else {}
    parts = [
        f"# SampleCNN, {len(config.channels)} blocks\n\nA tagger of raw audio (Lee et al. 2018) that names "
        f"one of {len(material.classes)} classes: {', '.join(material.classes)}.",
        _data(material, origin, corpus, config.sample_rate),
        _metrics(material, scores, origin.get("splits", {}), history),
        _recipe(config, recipe, seed),
        _commands(origin, recipe, seed, material.background is not None),
        f"## Licence\n\nWeights: MIT, as this library, as far as the data allow. Data: "
        f"{origin.get('licence', 'as its source states it; name it here before you pass the weights on')}.",
        f"## Weights\n\nSHA-256 of the file: `{hashlib.sha256(weights.read_bytes()).hexdigest()}` "
        f"({weights.stat().st_size:,} bytes, safetensors, float32, inference tensors only).",
    ]
    return "\n\n".join(parts) + "\n"


def _data(material: Material, origin: Mapping[str, object], corpus: Path, sample_rate: int) -> str:
    lengths_s = np.diff(material.store.first) / sample_rate
    counts = ", ".join(
        f"{len(material.split(split))} {split}" for split in ("training", "validation", "test")
    )
    text = f"## Data\n\n{origin.get('description', 'A folder of labelled audio')}. "
    text += f"{len(material.files)} recordings ({counts}), together "
    text += f"{lengths_s.sum() / 3600:.2f} hours at {sample_rate:,} Hz, "
    text += f"{lengths_s.min():.2f} to {lengths_s.max():.2f} s each."
    if material.background is not None:
        text += f" Unlabelled background: {len(material.background)} recordings, mixed in at low level."
    if unreadable := material.store.unreadable:
        text += f"\n\n{len(unreadable)} files could not be used:\n\n"
        text += "\n".join(f"- {reason.replace(f'{corpus}/', '')}" for reason in unreadable[:_NAMED])
        text += f"\n- and {len(unreadable) - _NAMED} more" if len(unreadable) > _NAMED else ""
    return text


def _metrics(
    material: Material,
    scores: Mapping[str, Score],
    splits: Mapping[str, str],
    history: Sequence[Mapping[str, float]],
) -> str:
    lines = [
        "## Metrics",
        "",
        "Accuracy on whole recordings; the interval is a 95 % bootstrap over groups",
        "",
    ]
    lines[2] += (
        " (instruments, artists or, where none are given, recordings). Chance is the accuracy of always"
    )
    lines[2] += " naming the most frequent class. The last epoch's weights; no split chose among epochs."
    lines += [
        "| split | recordings | groups | accuracy | 95 % interval | chance |",
        "|---|---|---|---|---|---|",
    ]
    for name, s in scores.items():
        lines.append(
            f"| {name} | {s.n_recordings} | {s.n_groups} | {s.accuracy:.3f} "
            f"| {s.interval[0]:.3f} to {s.interval[1]:.3f} | {s.chance:.3f} |"
        )
    lines += ["", *(f"- {name}: {meaning}." for name, meaning in splits.items())]
    lines.append(
        f"- training examples (random crops, augmented) of the last epoch: {history[-1]['accuracy']:.3f}."
    )
    name = "test" if "test" in scores else "validation"
    if name in scores:
        lines += ["", f"Who is taken for whom ({name}; rows are the truth, columns what was said):", ""]
        lines += confusion_table(material.classes, scores[name].confusion)
    return "\n".join(lines)


def confusion_table(classes: Sequence[str], confusion: np.ndarray) -> list[str]:
    """Return a confusion matrix as the lines of a Markdown table, with the recall of every class."""
    lines = [f"| | {' | '.join(classes)} | recall |", "|---" * (len(classes) + 2) + "|"]
    for name, row in zip(classes, confusion, strict=True):
        recall = f"{row[classes.index(name)] / row.sum():.2f}" if row.sum() else "none"
        lines.append(f"| {name} | {' | '.join(map(str, row))} | {recall} |")
    return lines


def _recipe(config: SampleCNNConfig, recipe: TrainingRecipe, seed: int) -> str:
    lines = [
        f"- network: {json.dumps(asdict(config))}",
        f"- examples: random crops of {crop_samples(config):,} samples, classes equally often",
        f"- augmentation: {json.dumps(asdict(recipe.augmentation))}",
        f"- AdamW, cross-entropy, batches of {recipe.batch_size}, {recipe.epochs} epochs, peak learning rate "
        f"{recipe.learning_rate:g} (linear over the first twentieth, then cosine), weight decay "
        f"{recipe.weight_decay:g}",
        f"- seed {seed}",
    ]
    return "## Recipe\n\n" + "\n".join(lines)


def _commands(origin: Mapping[str, object], recipe: TrainingRecipe, seed: int, background: bool) -> str:
    lines = []
    if origin:
        lines.append(
            f"tonotopy corpus --out CORPUS --clips-per-program {origin['clips_per_program']} "
            f"--seconds {origin['seconds']:g} --seed {origin['seed']}"
        )
    option = " --background BACKGROUND" if background else ""
    lines.append(
        f"tonotopy train samplecnn --corpus CORPUS{option} --out OUT --epochs {recipe.epochs} --seed {seed}"
    )
    return "## To reproduce\n\n```\n" + "\n".join(lines) + "\n```"
