"""Steering: what becomes of sounds where a feature's direction is added while the model generates."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...encoders.base import Encoder
from ...encoders.musicgen.model import MusicGen
from ...synth.errors import InputError
from ..engine.progress import Progress
from ..engine.runtime import flushing_denormals, holding_memory
from ..engine.schema import dataset
from ..engine.session import Session
from . import measures
from .labelling import evidence_of, labels_of
from .labels.classifier import samplecnn_classifier
from .learning import TRAINED, Learning, Learnt, learnt, stage_coordinates, stages_of
from .material import joined_truths
from .steering_directions import (
    Choice,
    LabelledSounds,
    choose,
    labelled_sounds,
    means_direction,
    random_directions,
    read_label,
    stream_means,
    target_of,
    unit,
)
from .steering_judges import Judge, Judged, steered_sounds
from .steering_table import DOSES, TESTED, Found, table
from .variables import VARIABLES


def refuses(session: Session[Encoder], **settings: object) -> str | None:
    """Say why an encoder cannot be steered, or return None; raise for bad settings."""
    _check(**{name: value for name, value in settings.items() if name in _LEAST})  # type: ignore[arg-type]
    if not isinstance(session.encoder, MusicGen):
        return f"{session.encoder.name} generates nothing, so there is nothing to steer"
    _check_length(session.encoder, int(settings.get("frames", _FRAMES)))  # type: ignore[call-overload]
    return measures.refuses(session, **settings)


def steering(
    session: Session[Encoder],
    *,
    dictionary: str = "",
    corpus: str = "",
    features: int = 1024,
    k: int = 8,
    tokens: int = 250_000,
    permutations: int = 999,
    directions: int = 399,
    most: int = 12,
    frames: int = 112,
    seeds: int = 12,
) -> xr.Dataset:
    """Steer by the clearest features of dictionaries, and rank what it does among random directions.

    The model generates unconditionally. A vector is added to the residual stream at every column: the unit
    direction of a feature, times a dose, times a norm that all directions of a stage share (the median, over
    the features that are steered by, of the greatest activation on labelled clips). Every direction is tried
    with the same seeds, so that each of its sounds is compared with the one that the model makes of that
    seed by itself.

    What a label says of sounds is read off the labelled clips: the descriptor that stands for its factor
    (`steering_directions.TARGETS`; of a family the probability that `samplecnn_tiny` gives it) must go the
    way in which clips of the class differ from others. Labels whose factor no descriptor stands for, or
    whose clips do not tell the way, are counted and left out. A label that says "not", or "lower", is to
    change it the opposite way.

    The effect of a feature is the mean change of its target over seeds, that way. Random directions of the
    same norm do not average to nothing, so it is ranked among them: p is the share of them, itself counted,
    that have at least this effect; then corrected over all features of all stages (Holm). All this is at one
    dose, 4, declared beforehand; the others are shown. The rival is the difference of means: from the mean
    residual stream over the other clips to that over those of the class, at the same norm.

    A silent sound (below -60 dB re full scale) has no descriptors, its level among them, and an unvoiced one
    no fundamental. Where a descriptor is undefined before or after, it counts as unchanged, for random
    directions alike: silence is not what a label says. `silent_share` and `undefined_share` count them.

    Parameters
    ----------
    session : Session
        Of a MusicGen; at a third of its layers by default.
    dictionary, corpus, features, k, tokens
        As of `Learning`.
    permutations : int > 0
        Of the labels' nulls.
    directions : int > 0
        Random ones at each stage.
    most : int > 0
        Features at each stage; at most three of one label.
    frames : int > 0
        Of every sound; at least a tenth of a second.
    seeds : int > 1
        Sounds of each direction and dose.

    Returns
    -------
    xarray.Dataset
        Variables in `VARIABLES`, "steering"; NaN, -1 or "" where fewer features are steered by than `most`.

    Raises
    ------
    InputError
        If the encoder is no MusicGen, or a setting is out of range.

    Notes
    -----
    Source: steering by dictionaries, Singh et al., arXiv 2505.18186; difference of means as the rival to
    beat, Wu et al., AxBench, arXiv 2501.17148.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> steering(Session(load("filterbank:stft")))
    Traceback (most recent call last):
    tonotopy.synth.errors.InputError: filterbank:stft generates nothing, so there is nothing to steer
    """
    _check(permutations=permutations, directions=directions, most=most, frames=frames, seeds=seeds)
    learning, encoder = Learning(dictionary, corpus, features, k, tokens), session.encoder
    if not isinstance(encoder, MusicGen):
        raise InputError(refuses(session) or "")
    _check_length(encoder, frames)
    usual = (encoder.layers[len(encoder.layers) // 3],)
    here = session.at(stages_of(encoder, usual if session.stages is None else session.stages))
    with flushing_denormals(), holding_memory():
        plans, judge = _planned(here, encoder, learning, permutations, most)
        numbers = [1000 * session.seed + i for i in range(seeds)]
        drawn = {plan.stage: _drawn(encoder, plan.stage, directions, session.seed) for plan in plans}
        found = _steered(encoder, plans, drawn, numbers, frames, judge, session.progress)
    arrays, about = table(found, judge, most, directions)
    stages = [plan.stage for plan in plans]
    coordinates = {
        **stage_coordinates(encoder, stages),
        "norm": np.array([plan.norm for plan in plans]),
        "stream_norm": np.array([plan.stream_norm for plan in plans]),
    }
    about |= {
        "frames": frames,
        "seeds": seeds,
        "directions": directions,
        "sample_rate": encoder.sample_rate,
        "no_target": _counted([plan.choice.without_target for plan in plans]),
        "no_direction": _counted([plan.choice.without_direction for plan in plans]),
    }
    return dataset(VARIABLES["steering"], {**coordinates, **arrays}, about)


_FRAMES, _LEAST_S = 112, 0.1
_LEAST = {"permutations": 1, "directions": 1, "most": 1, "frames": 1, "seeds": 2}


def _check(**settings: int) -> None:
    for name, value in settings.items():
        if value < _LEAST[name]:
            raise InputError(f"{name} {value}: must be at least {_LEAST[name]}")


def _check_length(encoder: MusicGen, frames: int) -> None:
    least, greatest = _LEAST_S * encoder.frame_rate_hz, encoder.context - encoder.n_codebooks
    if not least <= frames <= greatest:
        raise InputError(
            f"frames {frames}: must be from {int(np.ceil(least))}, a tenth of a second, to {greatest}, which "
            f"{encoder.name} was trained on at once"
        )


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is done at a stage; directions are of norm 1.

    Of the difference of means there may be fewer: features of one label share it.
    """

    stage: str
    choice: Choice
    norm: float  # of what is added at dose 1; NaN where nothing is
    stream_norm: float
    features: Tensor  # [n, d]
    means: Tensor  # [m, d]
    which_means: list[int]  # [n]


def _planned(
    here: Session[Encoder], encoder: MusicGen, learning: Learning, permutations: int, most: int
) -> tuple[list[_Plan], Judge]:
    """Choose features at every stage, and find all that is needed to steer by them."""
    labels = labels_of(here, learning, permutations)
    found = here.once(learnt, learning, (TRAINED,))
    is_found_on = np.asarray(evidence_of(here, found, (next(iter(labels)), TRAINED)).is_found_on)
    kept = [one for several in labels.values() for one in several if one.kept]
    tagged = any(one.factor == "family" for one in kept)
    judge = Judge(encoder.sample_rate, samplecnn_classifier() if tagged else None)
    factors = sorted({one.factor for one in kept if target_of(one.factor, one.text, judge)})
    if not factors:
        empty = {s: choose(several, most, judge, lambda *_: 0) for s, several in labels.items()}
        plans = [_nothing(encoder, stage, choice) for stage, choice in empty.items()]
        return plans, Judge(encoder.sample_rate)
    sounds = labelled_sounds(encoder, found.clips, is_found_on, factors, judge, here.seed, here.progress)
    choices = {stage: choose(several, most, judge, sounds.sign) for stage, several in labels.items()}
    if not any(one.label.factor == "family" for choice in choices.values() for one in choice.steered):
        judge = Judge(encoder.sample_rate)
    known = [truth.known for truth in joined_truths(found.clips) if truth.name in factors]
    wanted = is_found_on & np.any(known, axis=0)
    means, norms = stream_means(encoder, list(choices), found.clips, wanted, here.progress)
    return [
        _plan(found, stage, choice, sounds, means[stage], norms[stage])
        if choice.steered
        else _nothing(encoder, stage, choice)
        for stage, choice in choices.items()
    ], judge


def _drawn(encoder: MusicGen, stage: str, directions: int, seed: int) -> Tensor:
    width, place = encoder.stages[stage].channels, encoder.layers.index(stage)
    return random_directions(directions, width, [seed, 25, place])  # whatever other stages there are


def _nothing(encoder: MusicGen, stage: str, choice: Choice) -> _Plan:
    none = torch.zeros(0, encoder.stages[stage].channels)
    return _Plan(stage, choice, np.nan, np.nan, none, none, [])


def _plan(
    found: Learnt, stage: str, choice: Choice, sounds: LabelledSounds, means: Tensor, stream_norm: float
) -> _Plan:
    at = torch.tensor([one.label.feature for one in choice.steered])
    rows = found.dictionaries[stage, TRAINED].decoder[at]
    greatest = found.firings[stage, TRAINED].greatest[at.numpy()] * rows.norm(dim=1).numpy()
    labels = {(one.label.factor, one.label.text): one.label for one in choice.steered}
    keys = list(labels)
    rivals = [means_direction(means, sounds.sides(one), read_label(one.text)[0]) for one in labels.values()]
    which = [keys.index((one.label.factor, one.label.text)) for one in choice.steered]
    norm = float(np.median(greatest))
    return _Plan(stage, choice, norm, stream_norm, unit(rows), torch.stack(rivals), which)


def _steered(
    encoder: MusicGen,
    plans: Sequence[_Plan],
    drawn: dict[str, Tensor],
    seeds: Sequence[int],
    frames: int,
    judge: Judge,
    progress: Progress,
) -> list[Found]:
    """Make all sounds there are to make; nothing at stages without a feature to steer by."""
    nothing = torch.zeros(1, encoder.stages[plans[0].stage].channels)
    judge(np.random.default_rng(0).normal(0, 0.1, (1, encoder.sample_rate)))  # what it imports is not timed
    started = time.monotonic()
    before = steered_sounds(encoder, plans[0].stage, nothing, seeds, frames, judge, keep=True)
    each_s = (time.monotonic() - started) / len(seeds)
    per_stage = [(len(DOSES) - 1) * (len(p.features) + len(p.means)) + len(drawn[p.stage]) for p in plans]
    sounds = len(seeds) * sum(n for n, p in zip(per_stage, plans, strict=True) if len(p.features))
    if progress.show and sounds:
        minutes = max(1, round(each_s * sounds / 60))
        print(f"{encoder.name}: {sounds} sounds, about {minutes} minutes", file=sys.stderr, flush=True)
    found = []
    with progress.task(f"{encoder.name}: steered sounds", sounds) as advance:
        for plan in plans:

            def sounded(added: Tensor, keep: bool = False, stage: str = plan.stage) -> Judged:
                return steered_sounds(encoder, stage, added, seeds, frames, judge, advance, keep)

            found.append(_of_stage(plan, drawn[plan.stage], before, sounded))
    return found


def _of_stage(plan: _Plan, drawn: Tensor, before: Judged, sounded: Callable[..., Judged]) -> Found:
    """Steer at a stage by features and differences of means at all doses, and by random directions at one."""
    if not len(plan.features):
        return Found([], before, [], [], None, np.zeros(0))
    doses = torch.tensor(DOSES[1:])[:, None] * plan.norm
    own = sounded((doses * plan.features[:, None]).flatten(0, 1), keep=True).split(len(doses))
    rivals = sounded((doses * plan.means[:, None]).flatten(0, 1)).split(len(doses))
    random = sounded(TESTED * plan.norm * drawn)
    chosen = plan.means[torch.tensor(plan.which_means)]
    cosines = (plan.features * chosen).sum(1).numpy()
    return Found(plan.choice.steered, before, own, [rivals[i] for i in plan.which_means], random, cosines)


def _counted(several: Sequence[dict[str, int]]) -> str:
    total: dict[str, int] = {}
    for counts in several:
        for factor, count in counts.items():
            total[factor] = total.get(factor, 0) + count
    return ", ".join(f"{factor}: {count}" for factor, count in sorted(total.items())) or "none"
