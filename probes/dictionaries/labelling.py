"""What features mean: labels by known truth, beside those of other dictionaries and of shuffled truths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ..engine.progress import Progress
from ..engine.schema import dataset
from ..engine.session import Session
from .firing import Key
from .labels.base import Evidence, Label, Truth, split_in_halves
from .labels.choosing import chosen_labelers
from .labels.known_truth import KnownTruth, count_by_factor, shuffled
from .labels.recovery import recovery
from .learning import (
    TRAINED,
    Learning,
    Learnt,
    firing_over_time,
    learnt,
    stage_coordinates,
    stages_of,
    variants_of,
)
from .material import Clips, joined_groups, joined_truths
from .variables import VARIABLES

SHOWN, EXAMPLES = 12, 3  # labels that are shown, and clips of each
_FULL_SCALE = 32_767


def labels(
    session: Session[Encoder],
    *,
    dictionary: str = "",
    corpus: str = "",
    features: int = 1024,
    k: int = 8,
    tokens: int = 250_000,
    permutations: int = 999,
    labelers: str = "",
) -> xr.Dataset:
    """Label the features of an encoder's dictionaries by what is known of the clips.

    Parameters
    ----------
    session : Session
        At the layers of a residual stream by default, or at the latent.
    dictionary, corpus, features, k, tokens
        As of `Learning`.
    permutations : int > 0
        Of each null.
    labelers : str
        What labels beside known truth; see `chosen_labelers`.

    Returns
    -------
    xarray.Dataset
        Variables in `VARIABLES`; dims `stage`, `feature`.

    Raises
    ------
    InputError
        If a setting is out of range, or a dictionary is of something else.
    """
    learning = Learning(dictionary, corpus, features, k, tokens)
    stages = stages_of(session.encoder, session.stages)
    variants = variants_of(session.encoder)
    found = session.at(stages).once(learnt, learning, variants)
    truths = joined_truths(found.clips)
    each_evidence = {key: evidence_of(session, found, key) for key in found.firings}
    labeler = KnownTruth(permutations, session.seed)

    classes = [(truth.name, name) for truth in truths for name in truth.classes]
    each = []
    for stage in stages:
        own = [each_evidence[stage, variant] for variant in variants]
        with_labels = [_labelled(labeler, one, session.progress) for one in own]
        without = _labelled(labeler, shuffled(own[0], session.seed), session.progress)
        widest = max(one.features for one in found.dictionaries.values())
        values = _table(with_labels[0], widest) | _counts(with_labels, without, truths)
        values |= _recovered(own, classes, session.seed)
        values |= _examples(session.encoder, found, stage, with_labels[0])
        values |= _listened(session, found, own[0], widest, labelers, [name for _, name in classes])
        each.append(values)
    encoder = session.encoder
    coordinates = {
        **stage_coordinates(encoder, stages),
        "variant": np.array(variants),
        "feature": np.arange(max(one.features for one in found.dictionaries.values())),
        "factor": np.array([truth.name for truth in truths]),
        "known_class": np.array([f"{factor}: {name}" for factor, name in classes]),
        "class_factor": np.array([factor for factor, _ in classes]),
        "labeler": np.array([one.name for one in chosen_labelers(labelers, (), ())], str),
        "shown": 1 + np.arange(SHOWN),
        "example": 1 + np.arange(EXAMPLES),
        "n_clips": np.full(len(stages), sum(map(len, found.clips))),
    }
    stacked = _stacked(each)
    coordinates |= {"sample": np.arange(stacked["example_sound"].shape[-1])}
    coordinates |= {"frame": np.arange(stacked["example_firing"].shape[-1])}
    about = {
        "clips": "; ".join(part.about for part in found.clips),
        "left_out": "; ".join(labeler.left_out(each_evidence[stages[0], TRAINED])),
        "sample_rate": encoder.sample_rate,
        "permutations": permutations,
    }
    return dataset(VARIABLES["labels"], {**coordinates, **stacked}, about)


def labels_of(session: Session[Encoder], learning: Learning, permutations: int) -> dict[str, list[Label]]:
    """Return the labels of the features of a session's dictionaries, by stage; nothing stands beside them."""
    found = session.once(learnt, learning, (TRAINED,))
    labeler = KnownTruth(permutations, session.seed)
    return {
        stage: _labelled(labeler, evidence_of(session, found, (stage, TRAINED)), session.progress)
        for stage, _ in found.dictionaries
    }


def evidence_of(session: Session[Encoder], found: Learnt, key: Key) -> Evidence:
    """Return what the features of a dictionary do on the labelled clips, which are halved by parts."""
    truths, groups = joined_truths(found.clips), joined_groups(found.clips)
    halves = split_in_halves(groups, session.seed, _parts(found.clips))
    return Evidence(found.firings[key].mean, truths, groups, halves)


def _listened(
    session: Session[Encoder],
    found: Learnt,
    evidence: Evidence,
    features: int,
    labelers: str,
    texts: Sequence[str],
) -> dict[str, np.ndarray]:
    """Return what labelers that listen say of the features, by labeler and feature; nothing without any."""
    if not labelers:
        return {}
    with_sounds = replace(
        evidence, sounds=_Sounds(session.encoder, found.clips), sample_rate=session.encoder.sample_rate
    )
    chosen = chosen_labelers(labelers, tuple(dict.fromkeys(texts)), evidence.active.tolist())
    tables = [_table(one.label(with_sounds, session.progress), features) for one in chosen]
    names = {
        "label": "other_label",
        "score": "other_score",
        "baseline": "other_baseline",
        "score_low": "other_low",
        "score_high": "other_high",
        "is_kept": "other_is_kept",
    }
    return {other: np.stack([table[name] for table in tables]) for name, other in names.items()}


class _Sounds(Sequence[np.ndarray]):
    """The sounds of clips, one after another, decoded when they are wanted."""

    def __init__(self, encoder: Encoder, clips: Sequence[Clips]) -> None:
        self._encoder = encoder
        self._places = [(part, row) for part in clips for row in range(len(part))]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        part, row = self._places[index]
        return part.sounds(self._encoder, np.array([row]))[0]


def _parts(clips: Sequence[Clips]) -> np.ndarray:
    """Return which part each clip is of, int64 [N]: every part is halved by itself."""
    return np.concatenate([np.full(len(part), n) for n, part in enumerate(clips)])


def _labelled(labeler: KnownTruth, evidence: Evidence, progress: Progress) -> list[Label]:
    return labeler.label(evidence, progress) if len(evidence.active) else []


def _table(found: Sequence[Label], features: int) -> dict[str, np.ndarray]:
    """Return labels by feature, empty or NaN where there is none."""
    words = {name: np.full(features, "", object) for name in ("label", "label_factor", "measure")}
    numbers = {
        name: np.full(features, np.nan)
        for name in ("score", "baseline", "score_low", "score_high", "p", "held_out_p")
    }
    kept = np.zeros(features, bool)
    for one in found:
        at = one.feature
        for name, word in zip(words, (one.text, one.factor, one.measure), strict=True):
            words[name][at] = word
        for name, value in zip(
            numbers, (one.score, one.baseline, one.low, one.high, one.p, one.held_out_p), strict=True
        ):
            numbers[name][at] = value
        kept[at] = one.kept
    return {**{name: values.astype(str) for name, values in words.items()}, **numbers, "is_kept": kept}


def _counts(
    each: Sequence[Sequence[Label]], without: Sequence[Label], truths: Sequence[Truth]
) -> dict[str, np.ndarray]:
    by_factor = [count_by_factor(list(several)) for several in each]
    return {
        "n_beyond": np.array([sum(one.beyond_chance for one in several) for several in each]),
        "n_kept": np.array([sum(one.kept for one in several) for several in each]),
        "n_kept_shuffled": np.array(sum(one.kept for one in without)),
        "n_by_factor": np.array([[counts.get(truth.name, 0) for truth in truths] for counts in by_factor]),
    }


def _recovered(
    each: Sequence[Evidence], classes: Sequence[tuple[str, str]], seed: int
) -> dict[str, np.ndarray]:
    """Return how well the best feature of each variant tells each class, NaN where that is not measured."""
    f1, mcc = np.full((2, len(each), len(classes)), np.nan)
    chance = np.full(2, np.nan)
    for row, own in enumerate(each):
        found = recovery(own, shuffles=9 if row == 0 else 0, seed=seed)
        for one in found.classes:
            column = classes.index((one.factor, one.name))
            f1[row, column], mcc[row, column] = one.f1, one.mcc
        if row == 0 and found.classes:
            chance[:] = np.mean(found.chance_f1), np.mean(found.chance_mcc)
    return {"f1": f1, "mcc": mcc, "chance_f1": chance[0], "chance_mcc": chance[1]}


def _examples(encoder: Encoder, found: Learnt, stage: str, labels: Sequence[Label]) -> dict[str, np.ndarray]:
    """Return sounds of the clips that excite the clearest features, and when these are active in them."""
    clearest = sorted((one for one in labels if one.kept), key=lambda one: (one.held_out_p, -_beyond(one)))
    chosen = np.full(SHOWN, -1)
    corpus, dictionary = found.clips[0], found.dictionaries[stage, TRAINED]
    mean = found.firings[stage, TRAINED].mean[: len(corpus)]
    length = len(corpus.sounds(encoder, np.array([0]))[0])
    frames = int(found.firings[stage, TRAINED].frames[0])
    sounds = np.zeros((SHOWN, EXAMPLES, length), np.int16)
    firing = np.full((SHOWN, EXAMPLES, frames), np.nan, np.float32)
    for place, one in enumerate(_varied(clearest)[:SHOWN]):
        chosen[place] = one.feature
        top = np.argsort(-mean[:, one.feature], kind="stable")[:EXAMPLES]
        heard = corpus.sounds(encoder, top)
        sounds[place] = np.round(np.clip(heard, -1, 1) * _FULL_SCALE).astype(np.int16)
        for example, clip in enumerate(top.tolist()):
            firing[place, example] = firing_over_time(encoder, corpus, clip, stage, dictionary, one.feature)
    return {"shown_feature": chosen, "example_sound": sounds, "example_firing": firing}


def _beyond(one: Label) -> float:
    return abs(one.score - one.baseline)


def _varied(ordered: Sequence[Label]) -> list[Label]:
    """Return labels so that every text comes once before any comes twice."""
    rounds: dict[str, int] = {}
    keyed = []
    for one in ordered:
        rounds[one.text] = rounds.get(one.text, -1) + 1
        keyed.append((rounds[one.text], one))
    return [one for _, one in sorted(keyed, key=lambda pair: pair[0])]


def _stacked(each: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([np.asarray(one[name]) for one in each]) for name in each[0]}
