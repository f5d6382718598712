"""Steering by features: how many change sounds as their labels say, beside difference of means."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from ...probes.statistics.resampling import ALPHA
from ..audio import Sounds
from ..chapter import Chapter, first_finding
from ..columns import Column, Value, measured
from ..dictionary_audio import steered_clips
from ..figures import Illustration
from ..figures.dictionaries.series import Beside, drawn_stages
from ..figures.dictionaries.steered import (
    cost,
    is_decided,
    random_cost,
    steered_at,
    steering_doses,
    steering_effects,
)
from ..runs import Subject
from ..selecting import stages_of
from ..writing import counted
from .dictionaries import MOST_DETAILED, drawn, drawn_of_all


def _steering_about(subject: Subject) -> Iterator[str]:
    if (found := subject.result("steering")) is None:
        return
    sounds, frames = (int(found.attrs[name]) for name in ("seeds", "frames"))
    yield f"Steered by features whose label holds: {counted(sounds, 'sound')} of {frames} frames each."
    for name, why in (
        ("no_target", "no descriptor stands for their factor"),
        ("no_direction", "the clips do not tell which way a sound should change"),
    ):
        if found.attrs[name] != "none":
            yield f"Labels that are not steered by, as {why}: {found.attrs[name]}."


def _how_many_steer(subject: Subject) -> Iterator[str]:
    if (found := subject.result("steering")) is None or not (n := int(found.attrs["n_steered"])):
        return
    own, rivals, better = (
        int(found.attrs[f"n_{one}"]) for one in ("survive", "means_survive", "beats_means")
    )
    beyond = f"beyond {counted(found.sizes['direction'], 'random direction')} of the same norm"
    if not is_decided(found):
        yield (
            f"It is not decided whether {'the one feature' if n == 1 else f'any of {n} features'} steers: "
            f"with {counted(found.sizes['direction'], 'random direction')} the least p, corrected, is "
            f"{float(found.attrs['least_p_holm']):.2g}, above {ALPHA:g}."
        )
        return
    if n == 1:
        yield (
            f"The one feature that was steered by {'changes' if own else 'does not change'} its target as "
            f"its label says, {beyond} (corrected p at most {ALPHA:g}); difference of means "
            f"{'does' if rivals else 'does not'}. The feature does {'' if better else 'no '}more than "
            "difference of means."
        )
        return
    yield (
        f"Of {n} features that were steered by, {_so_many(own, n)} {_change(own)} target as "
        f"{'their' if own > 1 else 'its'} label says, {beyond} (corrected p at most {ALPHA:g}); "
        f"difference of means does for {_so_many(rivals, n)}. {_so_many(better, n).capitalize()} "
        f"{'do' if better > 1 else 'does'} more than difference of means."
    )
    yield from _by_stage(found)


def _so_many(count: int, total: int) -> str:
    """Write how many of several: "none", "3", "all"."""
    return {0: "none", total: "all"}.get(count, str(count))


def _change(count: int) -> str:
    return "change their" if count > 1 else "changes its"


def _by_stage(found: xr.Dataset) -> Iterator[str]:
    each = {stage: features for stage in stages_of(found) if (features := steered_at(found, stage))}
    if len(each) > 1:
        said = [
            f"{stage} {sum(bool(one['survives']) for one in some)} of {len(some)}"
            for stage, some in each.items()
        ]
        yield f"By stage: {', '.join(said)}."


def _cost(variable: str) -> Value:
    """Return what reads the mean cost in fluency at the tested dose."""

    def read(result: xr.Dataset, stage: str) -> float:
        features = steered_at(result, stage)
        each = [cost(one, variable, float(result.attrs["tested_dose"])) for one in features]
        return float(np.mean(each)) if each else np.nan

    return read


def _random_cost(result: xr.Dataset, stage: str) -> float:
    return random_cost(result.sel(stage=stage))


def _sum_at(variable: str) -> Value:
    return lambda result, stage: float(sum(bool(one[variable]) for one in steered_at(result, stage)))


def _silent(result: xr.Dataset, stage: str) -> float:
    dose = float(result.attrs["tested_dose"])
    each = [float(one["silent_share"].sel(dose=dose)) for one in steered_at(result, stage)]
    return float(np.mean(each)) if each else np.nan


def _nothing_to_steer_by(one: xr.Dataset) -> Iterator[str]:
    if (one["steered_feature"] < 0).all():
        yield "no label that holds says of sounds what could be measured, so nothing is steered by"


def _steering(found: xr.Dataset, beside: Beside, name: str) -> Iterator[Illustration]:
    if not int(found.attrs["n_steered"]):
        return
    yield steering_effects(found, name)
    for stage in drawn_stages(found, MOST_DETAILED):
        if steered_at(found, stage):
            yield steering_doses(found, stage, name)


def _steered_sounds(found: xr.Dataset) -> Sounds | None:
    clips = steered_clips(found, drawn_stages(found, MOST_DETAILED))
    return Sounds("The same seed before and after, all at one gain:", clips) if clips else None


STEERING = Chapter(
    "steering",
    question="Do features steer what is generated?",
    title="Steering",
    answer=first_finding(_how_many_steer),
    columns=(
        Column("Steered", "features that are steered by", "count",
               lambda result, stage: float(len(steered_at(result, stage))), is_compared=False),
        Column("Survive", "features that change their target as their label says, beyond random directions, "
               "corrected", "count", _sum_at("survives")),
        Column("Means survive", "the same by difference of means", "count", _sum_at("means_survive")),
        Column("Cost", "nats by which the cross-entropy of what is generated rises, mean over features",
               "1", _cost("token_loss")),
        Column("Cost of means", "that rise by difference of means", "1", _cost("token_loss_means")),
        Column("Cost of random", "that rise by random directions", "1", _random_cost),
        Column("Silent", "share of steered sounds below -60 dB re full scale", "percent", _silent),
        measured("norm", "Norm", "of what is added at dose 1", "number", is_compared=False),
        measured("stream_norm", "Stream", "mean norm of the residual stream", "number", is_compared=False),
    ),
    about=_steering_about,
    findings=_how_many_steer,
    cautions=_nothing_to_steer_by,
    figures=drawn("steering", _steering),
    figures_of_controls=drawn_of_all("steering", _steering),
    sounds=_steered_sounds,
)  # fmt: skip
CHAPTERS = (STEERING,)
