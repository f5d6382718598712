"""What steering changed, in numbers: effects, their ranks among random directions, and what else moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..statistics.finite import finite_mean
from ..statistics.resampling import ALPHA, holm, permutation_p
from .steering_directions import Steered
from .steering_judges import Judge, Judged

DOSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
TESTED = 4.0  # the dose that all p are of, declared beforehand
_TESTED_AT = DOSES.index(TESTED)
_FULL_SCALE = 32_767
_TIE = 1e-6  # effects that differ by less do not


@dataclass(frozen=True, eq=False)
class Found:
    """The sounds of a stage, judged: features n, doses but for 0, seeds S, descriptors D.

    Parameters
    ----------
    steered : list of Steered
    before : Judged
        Of the one direction that changes nothing.
    own, means : list of Judged
        Of each feature, and of the difference of means of its label: a direction for each dose but 0.
    random : Judged or None
        Of the random directions, at the dose that is tested; None where nothing is steered by.
    means_cosine : float [n]
        Between a feature's direction and the difference of means.
    """

    steered: list[Steered]
    before: Judged
    own: list[Judged]
    means: list[Judged]
    random: Judged | None
    means_cosine: np.ndarray


def changes(after: Judged, before: Judged) -> np.ndarray:
    """Return how descriptors change, seed by seed, float64 [V, S, D]; 0 where one is undefined on a side."""
    return np.nan_to_num(after.values - before.values, nan=0.0)


def rank_p(effect: float, among: np.ndarray) -> float:
    """Return the share of random directions, this one counted, of at least an effect.

    Examples
    --------
    >>> rank_p(3.0, np.array([1.0, 2.0, 3.0])), rank_p(3.1, np.array([1.0, 2.0, 3.0]))
    (0.5, 0.25)
    """
    return float(permutation_p(effect - _TIE, among))


def two_sided_p(change: float, among: np.ndarray) -> float:
    """Return twice the lesser share of random directions that change at least, or at most, so much.

    Examples
    --------
    >>> two_sided_p(-5.0, np.arange(9.0)), two_sided_p(4.0, np.arange(9.0))
    (0.2, 1.0)
    """
    return min(1.0, 2 * min(rank_p(change, among), rank_p(-change, -among)))


def table(
    found: Sequence[Found], judge: Judge, most: int, directions: int
) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Return the arrays of all stages, by variable, and what holds of the whole.

    Parameters
    ----------
    found : sequence of Found
        One for each stage.
    judge : Judge
    most : int > 0
        Places for features at each stage.
    directions : int > 0
        Random ones at each stage.
    """
    each = [_of_stage(one, len(judge.names), most, directions) for one in found]
    arrays = {name: np.stack([one[name] for one in each]) for name in each[0]}
    arrays["label"], arrays["label_factor"], arrays["target"] = (
        arrays[name].astype(str) for name in ("label", "label_factor", "target")
    )
    is_steered = arrays["steered_feature"] >= 0
    count = int(is_steered.sum())
    for name in ("p", "p_means"):
        corrected = np.full(is_steered.shape, np.nan)
        corrected[is_steered] = holm(arrays[name][is_steered], count) if count else []
        arrays[f"{name}_holm"] = corrected
    arrays["survives"] = arrays["p_holm"] <= ALPHA  # NaN does not
    arrays["means_survive"] = arrays["p_means_holm"] <= ALPHA
    beats = arrays["effect"] > arrays["effect_means"] + _TIE
    before = found[0].before
    least = 1 / (1 + directions)
    about: dict[str, object] = {
        "tested_dose": TESTED,
        "n_steered": count,
        "n_survive": int(arrays["survives"].sum()),
        "n_means_survive": int(arrays["means_survive"].sum()),
        "n_beats_means": int(beats.sum()),
        "least_p": least,
        "least_p_holm": min(1.0, least * count) if count else np.nan,
        "unsteered_silent": int(np.isnan(before.values[..., 0]).sum()),
        "remark": _remark(count, least),
    }
    arrays |= {
        "steered": 1 + np.arange(most),
        "dose": np.array(DOSES),
        "descriptor": np.array(judge.names),
        "descriptor_units": np.array(judge.units),
        "direction": np.arange(directions),
        "sample": np.arange(arrays["sound_before"].shape[-1]),
        "unsteered": finite_mean(before.values[0].T),
    }
    return arrays, about


def _remark(count: int, least: float) -> str:
    if not count:
        return "no label that is kept says of sounds what could be measured, so nothing is steered by"
    if least * count > ALPHA:
        needed = int(np.ceil(count / ALPHA)) - 1
        return (
            f"nothing can survive: the least p, corrected for {count} features, is "
            f"{min(1.0, least * count):.3g}; it would take {needed} random directions"
        )
    return f"the least p, corrected for {count} features, is {least * count:.3g}"


def _of_stage(one: Found, descriptors: int, most: int, directions: int) -> dict[str, np.ndarray]:
    """Return a stage's arrays; where there are fewer features than places, NaN, -1 or nothing."""
    values = _empty(descriptors, most, directions, one.before.first.shape[1])
    if one.random is None:
        return values
    random = changes(one.random, one.before).mean(1)  # [R, D]
    values["change_random"][:] = random
    values["token_loss_random"][:] = one.random.losses.mean(1)
    values["silent_random"][()] = np.isnan(one.random.values[..., 0]).mean()
    for place in range(len(one.steered)):
        for name, value in _of_feature(one, place, random).items():
            values[name][place] = value
    return values


def _of_feature(one: Found, place: int, random: np.ndarray) -> dict[str, object]:
    """Return what is known of one feature, by variable."""
    steered, before = one.steered[place], one.before
    own, means = one.own[place], one.means[place]
    target = steered.target_at
    changed = _from_zero(changes(own, before))  # [doses, S, D]
    by_means = _from_zero(changes(means, before)).mean(1)
    mean = changed.mean(1)
    effect, rival = (steered.sign * c[_TESTED_AT, target] for c in (mean, by_means))
    null = steered.sign * random[:, target]
    with_before = np.concatenate([before.values, own.values])  # [doses, S, D]
    undefined = np.isnan(with_before) | np.isnan(before.values)
    return {
        "steered_feature": steered.label.feature,
        "label": steered.label.text,
        "label_factor": steered.label.factor,
        "target": steered.descriptor,
        "sign": steered.sign,
        "change": mean,
        "change_error": changed.std(1, ddof=1) / np.sqrt(changed.shape[1]),
        "change_means": by_means,
        "effect": effect,
        "effect_means": rival,
        "p": rank_p(effect, null),
        "p_means": rank_p(rival, null),
        "off_target_p": [two_sided_p(float(m), random[:, d]) for d, m in enumerate(mean[_TESTED_AT])],
        "means_cosine": one.means_cosine[place],
        "token_loss": np.concatenate([before.losses.mean(1), own.losses.mean(1)]),
        "token_loss_means": np.concatenate([before.losses.mean(1), means.losses.mean(1)]),
        "silent_share": np.isnan(with_before[..., 0]).mean(1),
        "undefined_share": undefined.mean(1),
        "sound_before": _as_int16(before.first[0]),
        "sound_after": _as_int16(own.first[_TESTED_AT - 1]),
    }


def _from_zero(changed: np.ndarray) -> np.ndarray:
    """Put dose 0, at which nothing changes, before the others: [1 + V, S, D]."""
    return np.concatenate([np.zeros_like(changed[:1]), changed])


def _as_int16(sound: np.ndarray) -> np.ndarray:
    return np.round(np.clip(sound, -1, 1) * _FULL_SCALE).astype(np.int16)


def _empty(descriptors: int, most: int, directions: int, samples: int) -> dict[str, np.ndarray]:
    doses = len(DOSES)
    shapes = {
        "change": (most, doses, descriptors),
        "change_error": (most, doses, descriptors),
        "change_means": (most, doses, descriptors),
        "change_random": (directions, descriptors),
        "effect": (most,),
        "effect_means": (most,),
        "p": (most,),
        "p_means": (most,),
        "off_target_p": (most, descriptors),
        "means_cosine": (most,),
        "token_loss": (most, doses),
        "token_loss_means": (most, doses),
        "token_loss_random": (directions,),
        "silent_share": (most, doses),
        "silent_random": (),
        "undefined_share": (most, doses, descriptors),
    }
    values = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
    values |= {name: np.full(most, "", object) for name in ("label", "label_factor", "target")}
    values |= {"steered_feature": np.full(most, -1), "sign": np.zeros(most, int)}
    values |= {name: np.zeros((most, samples), np.int16) for name in ("sound_before", "sound_after")}
    return values
