"""The model card of a codec: what it was made of and how well it codes, beside itself untrained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..codec import CodecConfig
from .codec_evaluation import RMS_DBFS, SECONDS, CodecScores, HeldOut
from .codec_material import CodecMaterial, CodecRecipe
from .fidelity import WINDOWS


def card(
    weights: Path,
    config: CodecConfig,
    recipe: CodecRecipe,
    seed: int,
    material: CodecMaterial,
    test: Sequence[HeldOut],
    scores: CodecScores,
    corpus: Path,
) -> str:
    """Return the card of a trained codec in Markdown."""
    stored = corpus / "corpus.json"
    origin = json.loads(stored.read_text()) if stored.is_file() else {}
    bits = config.bits_per_frame * config.sample_rate / config.hop
    parts = [
        f"# SEANet codec, {config.n_filters} filters\n\nA causal encoder, {config.codebooks} codebooks of "
        f"{config.entries} entries, and a decoder, of the encodec package's modules: "
        f"{config.sample_rate:,} Hz, {config.sample_rate / config.hop:g} latents of {config.dimension} "
        f"channels a second, {bits:g} bit/s a codebook, {bits * config.codebooks:g} bit/s in all.",
        _data(material, test, origin, config.sample_rate),
        _fidelity(scores, bits),
        _recognition(scores),
        _usage(scores, config),
        _recipe(config, recipe, seed),
        _commands(origin, recipe, seed, material.recordings is not None),
        "## Licence\n\nWeights: MIT, as this library, as far as the data allow. Data: "
        f"{origin.get('licence', 'as its source states it; name it here before you pass the weights on')}.",
        f"## Weights\n\nSHA-256 of the file: `{hashlib.sha256(weights.read_bytes()).hexdigest()}` "
        f"({weights.stat().st_size:,} bytes, safetensors, float16, inference tensors only).",
    ]
    return "\n\n".join(parts) + "\n"


def _data(
    material: CodecMaterial, test: Sequence[HeldOut], origin: Mapping[str, Any], sample_rate: int
) -> str:
    def hours(samples: np.ndarray) -> float:
        return len(samples) / sample_rate / 3600

    text = f"## Data\n\n{origin.get('description', 'A folder of labelled audio')}. Learnt from: "
    text += f"{len(material.corpus)} of these pieces ({hours(material.corpus.samples):.2f} hours)"
    if material.recordings is not None:
        text += f" and {len(material.recordings)} recordings ({hours(material.recordings.samples):.2f} hours)"
    counts = [f"{[s.group for s in test].count(g)} of {g}" for g in dict.fromkeys(s.group for s in test)]
    text += f". Held out: {len(test)} sounds of at most {SECONDS:g} s ({', '.join(counts)})"
    recordings = dict.fromkeys(sound.name for sound in test if sound.group == "recordings")
    return text + (f"; the recordings: {', '.join(recordings)}." if recordings else ".")


def _fidelity(scores: CodecScores, bits: float) -> str:
    text = (
        f"## Fidelity\n\nOn held-out sounds at {RMS_DBFS:g} dBFS (RMS): scale-invariant signal-to-distortion "
        "ratio in dB (higher is better), and mean distance of log-mel spectra in nepers (1 neper is 8.7 dB; "
        f"windows of {', '.join(map(str, WINDOWS))} samples; lower is better). The mean over sounds, with "
        "quartiles. Untrained: the same model with random weights and codebooks filled from data. "
        "No codebooks: the latent is decoded as it is."
    )
    for group in dict.fromkeys(scores.groups):
        mine = np.array([g == group for g in scores.groups])
        rows = []
        for column, n in enumerate(scores.counts):
            cells = [str(n) if n else "none", f"{n * bits:g}" if n else "–"]
            for measure, digits in ((scores.si_sdr_db, 1), (scores.mel_distance, 2)):
                for model in ("trained", "untrained"):
                    cells.append(_spread(measure[model][mine, column], digits))
            rows.append(cells)
        head = [
            "codebooks",
            "bit/s",
            "SI-SDR trained",
            "SI-SDR untrained",
            "mel trained",
            "mel untrained",
        ]
        text += f"\n\nHeld-out {group} ({mine.sum()} sounds):\n\n" + _table(head, rows)
    all_of_them = scores.counts.index(max(scores.counts))
    exact = scores.si_sdr_db["float32"] - scores.si_sdr_db["trained"]
    text += (
        f"\n\nThe weights before they were rounded to float16 give {exact[:, all_of_them].mean():+.3f} dB "
        f"SI-SDR from all codebooks, {exact[:, -1].mean():+.3f} dB without."
    )
    if scores.level_si_sdr_db:
        levels = ", ".join(f"{db:.1f} dB at {level:g} dBFS" for level, db in scores.level_si_sdr_db.items())
        text += f" Other levels, a quarter of the held-out pieces, all codebooks: {levels}."
    return text


def _recognition(scores: CodecScores) -> str:
    every = max(scores.counts)
    rows = [(f"trained, codebooks: {n or 'none'}", scores.recognised["trained", n]) for n in scores.counts]
    rows += [
        (f"untrained, codebooks: {every}", scores.recognised["untrained", every]),
        ("another sound (chance)", scores.recognised["chance", 0]),
    ]
    cells = [
        [
            label,
            *(f"{100 * a.share:.1f}" for a in (r.frames, r.frames_but_octaves, r.notes)),
            f"{np.mean(r.cosines) if r.cosines else np.nan:.3f}",
            f"{100 * r.chords.share:.1f}",
        ]
        for label, r in rows
    ]
    one = scores.recognised["trained", every]
    head = ["", "frames %", "frames % but octaves", "notes %", "chroma cosine", "same triad %"]
    return (
        "## Are melodies and chords still what they were?\n\nHeld-out melodies: pYIN (55 to 2,000 Hz) on the "
        "original and on the decoded sound; share of the frames that are voiced in the original and within "
        "50 cents in the decoded sound (also where octaves do not count), and of the notes (at least 0.1 s "
        f"on a semitone) of which most frames are; {one.frames.total:,} frames, {one.notes.total:,} notes. "
        "Held-out chords: cosine of chroma vectors, and share of frames for which the nearest of 48 triads "
        f"(12 roots; major, minor, diminished, augmented) stays the same; {one.chords.total:,} frames. A "
        "sound against "
        "itself gives 100 % and 1.\n\n" + _table(head, cells)
    )


def _usage(scores: CodecScores, config: CodecConfig) -> str:
    head = ["codebook", "used %", "perplexity", "untrained: used %", "perplexity"]
    rows = [
        [str(n + 1)]
        + [
            f"{value:.0f}"
            for model in ("trained", "untrained")
            for value in (100 * scores.used[model][n], scores.perplexity[model][n])
        ]
        for n in range(config.codebooks)
    ]
    return (
        f"## Codebooks\n\nShare of the {config.entries} entries that the held-out sounds use at all, and the "
        "perplexity of their use (as many entries, evenly used, would be as unpredictable).\n\n"
    ) + _table(head, rows)


def _recipe(config: CodecConfig, recipe: CodecRecipe, seed: int) -> str:
    return "## Recipe\n\n" + "\n".join(
        [
            f"- network: {json.dumps(asdict(config))}",
            f"- training: {json.dumps(asdict(recipe))}",
            "- AdamW (0.8, 0.99), gradients clipped to norm 1, learning rate linear over the first 200 "
            "steps, then half a cosine; codebooks by moving averages (0.99), dead entries replaced by what "
            "the batch leaves to quantize; convolutions scaled once on data before the first step",
            f"- seed {seed}",
        ]
    )


def _commands(origin: Mapping[str, Any], recipe: CodecRecipe, seed: int, recordings: bool) -> str:
    lines = []
    if origin:
        lines.append(
            f"tonotopy corpus --out CORPUS --clips-per-program {origin['clips_per_program']} "
            f"--seconds {origin['seconds']:g} --seed {origin['seed']}"
        )
    more = " --recordings RECORDINGS" if recordings else ""
    lines.append(f"tonotopy train codec --corpus CORPUS{more} --out OUT --steps {recipe.steps} --seed {seed}")
    return "## To reproduce\n\n```\n" + "\n".join(lines) + "\n```"


def _spread(values: np.ndarray, digits: int) -> str:
    low, high = np.quantile(values, (0.25, 0.75))
    return f"{values.mean():.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
