"""What a run holds of sparse dictionaries, of known content: nothing is learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from tonotopy.probes.dictionaries.labelling import EXAMPLES, SHOWN
from tonotopy.probes.dictionaries.learning import FROZEN, TRAINED
from tonotopy.probes.dictionaries.measures import ABLATIONS, DEFINITIONS, RANKS
from tonotopy.probes.dictionaries.numbers import FATES
from tonotopy.probes.dictionaries.steering_judges import UNITS
from tonotopy.probes.dictionaries.steering_table import DOSES, TESTED
from tonotopy.probes.dictionaries.variables import VARIABLES
from tonotopy.probes.engine.schema import dataset

LAYERS = ("layer_1", "layer_3")
RATE, HOP, FRAMES = 24_000, 320, 60
FACTORS: Mapping[str, Sequence[str]] = {
    "family": ("organ", "reed", "strings", "brass"),
    "register": ("low", "middle", "high"),
    "onset rate": (),
}


def stages(names: Sequence[str]) -> dict[str, np.ndarray]:
    n = len(names)
    return {
        "stage": np.array(names), "n_channels": np.full(n, 128), "hop": np.full(n, HOP),
        "kind": np.full(n, "nonlinear"), "variant": np.array([TRAINED, FROZEN]),
    }  # fmt: skip


def dictionaries(
    layers: Sequence[str] = LAYERS,
    features: int = 64,
    k: int = 8,
    surviving: int = 20,
    explained: float = 0.995,
    components: float = 0.96,
    recovered: float = 0.999,
    seeds: float = 0.7,
    with_codes: bool = True,
) -> xr.Dataset:
    """`surviving` features by frames; by clips half as many. Components at k explain `components`."""
    n, rest = len(layers), features - surviving
    fates = dict(
        zip(
            FATES,
            ((rest // 2, rest // 4), (rest // 4, 0), (0, rest // 4), (surviving, surviving // 2)),
            strict=True,
        )
    )
    counts = np.array([[fates[fate][d] for fate in FATES] for d in range(2)])
    counts[:, 0] += features - counts.sum(1)
    curve = 1 - (1 - components) * (8 / np.array(RANKS)) ** 0.7
    rates = np.linspace(0, 0.3, features)
    values: dict[str, np.ndarray] = {
        "feature": np.arange(features),
        "rank": np.array(RANKS),
        "ablation": np.array(ABLATIONS),
        "definition": np.array(DEFINITIONS),
        "fate": np.array(FATES),
        "n_features": np.full(n, features),
        "k": np.full(n, k),
        "n_learnt_from": np.full(n, 250_000),
        "n_frames": np.full(n, 36_000),
        "l0": np.full((n, 2), float(k)),
        "explained_variance": np.tile([explained, explained - 0.1], (n, 1)),
        "components_variance": np.tile(np.clip(curve, 0, 1), (n, 1)),
        "unused_share": np.tile([counts[0, 0] / features, 0.1], (n, 1)),
        "seeds_cosine": np.full(n, seeds),
        "random_cosine": np.full(n, 0.3),
        "funnel": np.tile(counts, (n, 2, 1, 1)),
        "token_rate": np.tile(rates, (n, 2, 1)),
        "clip_rate": np.tile(rates, (n, 2, 1)),
    }
    if with_codes:
        values |= {
            "cross_entropy": np.full(n, 3.3),
            "cross_entropy_with": np.full((n, 2), 3.31),
            "cross_entropy_ablated": np.tile([6.5, 4.7], (n, 1)),
            "recovered": np.tile([[recovered, recovered - 0.001], [0.6, 0.5]], (n, 1, 1)),
        }
    about = {
        "clips": "240 clips (validation, test)",
        "dictionaries": "; ".join(f"{one}: made up" for one in layers),
    }
    return dataset(VARIABLES["dictionaries"], {**stages(layers), **values}, about)


def labels(
    layers: Sequence[str] = LAYERS,
    kept: int = 9,
    frozen: int = 2,
    shuffled: int = 0,
    features: int = 64,
    told: int = 7,
    shown: int | None = None,
    factors: Mapping[str, Sequence[str]] = FACTORS,
    seed: int = 0,
) -> xr.Dataset:
    """The first `kept` features have a label that holds; `told` of the classes are measured."""
    generator, n = np.random.default_rng(seed), len(layers)
    classes = [f"{factor}: {one}" for factor, several in factors.items() for one in several]
    texts = [(c.split(": ")[0], c.split(": ")[1]) for c in classes] + [
        (factor, f"higher {factor}") for factor, several in factors.items() if not several
    ]
    own = [texts[i % len(texts)] for i in range(kept)]
    empty = [""] * (features - kept)
    gone = np.full(features - kept, np.nan)

    def everywhere(values: object) -> np.ndarray:
        return np.repeat(np.asarray(values)[None], n, 0)

    counts = [[sum(factor == one for factor, _ in own) for one in factors], [0] * len(factors)]
    counts[1][0] = frozen
    score = np.concatenate([np.linspace(0.99, 0.8, kept), gone])
    f1 = np.full((2, len(classes)), np.nan)
    f1[:, :told] = [np.linspace(0.9, 0.4, told), np.linspace(0.5, 0.3, told)]
    n_shown = min(kept, SHOWN) if shown is None else shown
    chosen = np.full(SHOWN, -1)
    chosen[:n_shown] = np.arange(n_shown)
    firing = np.full((n, SHOWN, EXAMPLES, FRAMES), np.nan, np.float32)
    when = generator.uniform(0, FRAMES, (n, n_shown, EXAMPLES, 1))
    firing[:, :n_shown] = np.clip(1.5 - np.abs(np.arange(FRAMES) - when) / 5, 0, None)
    return dataset(
        VARIABLES["labels"],
        {
            **stages(layers),
            "feature": np.arange(features),
            "factor": np.array(list(factors)),
            "known_class": np.array(classes),
            "class_factor": np.array([one.split(": ")[0] for one in classes]),
            "labeler": np.array([], str),
            "shown": 1 + np.arange(SHOWN),
            "example": 1 + np.arange(EXAMPLES),
            "frame": np.arange(FRAMES),
            "sample": np.arange(FRAMES * HOP),
            "n_clips": np.full(n, 240),
            "label": everywhere([*(text for _, text in own), *empty]),
            "label_factor": everywhere([*(factor for factor, _ in own), *empty]),
            "measure": everywhere([*("AUC" for _ in own), *empty]),
            "score": everywhere(score),
            "baseline": everywhere(np.where(np.isfinite(score), 0.71, np.nan)),
            "score_low": everywhere(score - 0.05),
            "score_high": everywhere(np.minimum(score + 0.05, 1)),
            "p": everywhere(np.where(np.isfinite(score), 0.005, np.nan)),
            "held_out_p": everywhere(np.where(np.isfinite(score), 0.005, np.nan)),
            "is_kept": everywhere(np.isfinite(score)),
            "n_beyond": np.tile([kept + 3, frozen + 1], (n, 1)),
            "n_kept": np.tile([kept, frozen], (n, 1)),
            "n_kept_shuffled": np.full(n, shuffled),
            "n_by_factor": everywhere(counts),
            "f1": everywhere(f1),
            "mcc": everywhere(f1 - 0.05),
            "chance_f1": np.full(n, 0.21 if told else np.nan),
            "chance_mcc": np.full(n, 0.01 if told else np.nan),
            "shown_feature": everywhere(chosen),
            "example_sound": everywhere(_sounds(n_shown, generator)),
            "example_firing": firing,
        },
        {
            "clips": "240 clips (validation, test)", "left_out": "", "sample_rate": RATE, "permutations": 199,
        },
    )  # fmt: skip


def _sounds(there: int, generator: np.random.Generator) -> np.ndarray:
    """Tones that die away, int16 [SHOWN, EXAMPLES, samples]."""
    seconds = np.arange(FRAMES * HOP) / RATE
    pitch = generator.uniform(200, 900, (SHOWN, EXAMPLES, 1))
    sounds = 12_000 * np.sin(2 * np.pi * pitch * seconds) * np.exp(-3 * seconds)
    sounds[there:] = 0
    return sounds.astype(np.int16)


def steering(
    layers: Sequence[str] = LAYERS,
    steered: int = 3,
    survive: int = 2,
    means_survive: int = 3,
    beats: int = 1,
    most: int = 4,
    directions: int = 99,
    seed: int = 0,
) -> xr.Dataset:
    """At each stage `steered` features; of these the first `survive` are beyond random directions."""
    generator, n, frames = np.random.default_rng(seed), len(layers), 20
    names, texts = tuple(UNITS), ("low", "high", "loud", "dense")
    targets = ("centroid", "centroid", "level", "onset_rate")
    shape = (n, most, len(DOSES), len(names))
    there = np.arange(most) < steered
    dose, sign = np.array(DOSES), np.where(np.arange(most) % 4 == 0, -1, 1)
    effect = np.where(np.arange(most) < survive, 1.0, 0.05)
    rival = effect + np.where(np.arange(most) < beats, -0.2, 0.2)
    change, by_means, undefined = (np.zeros(shape) for _ in range(3))
    for place in range(most):
        at = names.index(targets[place % 4])
        for array, size in ((change, effect), (by_means, rival)):
            array[:, place, :, at] = sign[place] * size[place] * dose / TESTED
    for array in (change, by_means, undefined):
        array[:, ~there] = np.nan

    def table(values: object) -> np.ndarray:
        """[n, most], NaN where nothing is steered by."""
        return np.repeat(np.where(there, np.asarray(values, float), np.nan)[None], n, 0)

    def words(values: Sequence[str]) -> np.ndarray:
        return np.repeat(np.where(there, [values[i % 4] for i in range(most)], "")[None], n, 0)

    survives, rivals = (there & (np.arange(most) < some) for some in (survive, means_survive))
    loss = np.repeat((3.3 + 0.05 * dose)[None], n * most, 0).reshape(n, most, -1)
    loss[:, ~there] = np.nan
    sounds = _sounds(1, generator)[0, 0, : frames * HOP]
    after = np.where(there[:, None], sounds // 2, 0)
    gone = np.nan if not steered else 1.0
    about = {name: values for name, values in stages(layers).items() if name != "variant"}
    values = {
        "steered": 1 + np.arange(most), "dose": dose, "descriptor": np.array(names),
        "descriptor_units": np.array(list(UNITS.values())), "direction": np.arange(directions),
        "sample": np.arange(frames * HOP), "norm": np.full(n, 2.0 * gone),
        "stream_norm": np.full(n, 31.0 * gone),
        "unsteered": np.zeros(len(names)),
        "steered_feature": np.repeat(np.where(there, 10 + np.arange(most), -1)[None], n, 0),
        "label": words(texts), "label_factor": words(("register", "register", "level", "onset rate")),
        "target": words(targets), "sign": np.repeat(np.where(there, sign, 0)[None], n, 0),
        "change": change, "change_error": np.abs(change) / 10, "change_means": by_means,
        "change_random": gone * generator.normal(0, 0.2, (n, directions, len(names))),
        "effect": table(effect), "effect_means": table(rival),
        "p": table(np.where(survives, 0.01, 0.4)), "p_means": table(np.where(rivals, 0.01, 0.4)),
        "p_holm": table(np.where(survives, 0.04, 1.0)), "p_means_holm": table(np.where(rivals, 0.04, 1.0)),
        "survives": np.repeat(survives[None], n, 0), "means_survive": np.repeat(rivals[None], n, 0),
        "means_cosine": table(np.full(most, 0.3)),
        "off_target_p": np.repeat(np.where(there, 0.5, np.nan)[None, :, None], n, 0).repeat(len(names), 2),
        "token_loss": loss, "token_loss_means": loss + 0.1 * dose,
        "token_loss_random": gone * np.full((n, directions), 3.4),
        "silent_share": np.where(np.isfinite(loss), 0.0, np.nan), "silent_random": np.zeros(n),
        "undefined_share": undefined,
        "sound_before": np.repeat(np.where(there[:, None], sounds, 0)[None], n, 0).astype(np.int16),
        "sound_after": np.repeat(after[None], n, 0).astype(np.int16),
    }  # fmt: skip
    count = n * steered
    return dataset(
        VARIABLES["steering"],
        {**about, **values},
        {
            "tested_dose": TESTED, "n_steered": count, "n_survive": int(n * survives.sum()),
            "n_means_survive": int(n * rivals.sum()), "n_beats_means": n * min(beats, steered),
            "least_p": 1 / (1 + directions),
            "least_p_holm": min(1.0, count / (1 + directions)) if count else np.nan,
            "unsteered_silent": 0, "remark": "", "frames": frames, "seeds": 12, "directions": directions,
            "sample_rate": RATE, "no_target": "chord quality: 2", "no_direction": "none",
        },
    )  # fmt: skip
