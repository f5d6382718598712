"""What may explain that a stage differs: each is tried, and holds if little is left of the difference."""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...encoders.base import Encoder, ModuleEncoder
from ...encoders.drawing import copied
from .differences import Difference, differences, worst_sound
from .findings import Finding
from .playing import Input, Pair, run
from .precision import HALVES, precision_of
from .tokens import quantizer_steps

EXPLAINED_DB = -20.0  # by how much a difference must fall where an explanation is taken into account
LONGEST_S = 0.25  # largest delay that is looked for
LEAST_DELAY, LEAST_GAIN_DB = 0.001, 0.01  # samples; of an explanation that says so
COHERENT = 0.9  # of tones, for one multiple to be looked for in all channels
TRIED = 3  # sounds that are looked at for what holds of all
ROUNDED_DB = -3.0  # what half precision makes of a layer is less, at most sounds
MOST_FRAMES = 4  # that frames may be off by
SEEN = 1e-6  # of a stage's largest activation: what has changed


def explained(pair: Pair, one: Difference, before: str, tolerance_db: float) -> Finding:
    """Return what explains that a stage differs, the first explanation that holds.

    Parameters
    ----------
    pair : Pair
    one : Difference
        Of the first stage that differs, which holds no codes.
    before : str
        The stage before it, which does not differ; "" where there is none.
    tolerance_db : float
    """
    worst = worst_sound(pair, one, tolerance_db)
    sound = str(pair.sounds.coordinates["sound"][worst])
    about: dict[str, Any] = {"stage": one.stage, "sound": sound, "db": float(one.db[worst])}
    if one.inside_db.max() <= tolerance_db:
        values = {"leading": one.leading, "trailing": one.trailing}
        return Finding("edges", **about, left_db=float(one.inside_db.max()), values=values)
    found = _silence(pair, one) or _precision(pair, one)
    found = found or _least(pair, one, before, tolerance_db) or _reach(pair, one, before)
    if found is None:
        return Finding("unexplained", **about)
    kind, left_db, values = found
    return Finding(kind, **about, left_db=left_db, values=values)


Explanation = tuple[str, float, dict[str, float | str]]


def _least(pair: Pair, one: Difference, before: str, tolerance_db: float) -> Explanation | None:
    """Return the explanation that leaves least; of those that leave nothing beyond tolerance the first."""
    holding: list[Explanation] = []
    is_quantized = bool(quantizer_steps(pair.first.stages[one.stage], 1))  # other codes hide what is left
    for explain in (_frames, _channels) if is_quantized else (_input, _weights, _channels):
        found = explain(pair, one, before, tolerance_db)
        if found is not None:
            holding.append(found)
            if found[1] <= tolerance_db:
                break
    return min(holding, key=lambda found: found[1], default=None)


def _holds(before_db: float, left_db: float, tolerance_db: float) -> bool:
    """Whether what is left of a difference is little."""
    return left_db <= before_db + EXPLAINED_DB or left_db <= min(tolerance_db, before_db + EXPLAINED_DB / 2)


def _precision(pair: Pair, one: Difference) -> Explanation | None:
    """Whether all that one of them gives is a number in half precision, and not all of the other."""
    first, second = (found[one.stage] for found in pair.played(slice(0, TRIED), [one.stage]))
    names = precision_of(first), precision_of(second)
    if names[0] == names[1] or float(np.median(one.db)) > ROUNDED_DB:
        return None
    which, dtype = ("first", names[0]) if names[0] else ("second", names[1])
    return "precision", float("nan"), {"dtype": dtype, "which": which}


def _silence(pair: Pair, one: Difference) -> Explanation | None:
    """Whether one of them gives nothing but zeros."""
    sounding = [bool(found[one.stage].any()) for found in pair.played(slice(0, TRIED), [one.stage])]
    if sounding[0] == sounding[1]:
        return None
    return "silent", float("nan"), {"which": "second" if sounding[0] else "first"}


def _frames(pair: Pair, one: Difference, before: str, tolerance_db: float) -> Explanation | None:
    """Whether the second gives the first's frames earlier or later."""
    worst = worst_sound(pair, one, tolerance_db)
    both = pair.played(slice(worst, worst + 1), [one.stage])
    first, second = (found[one.stage][0].double() for found in both)  # [C, F]
    hop, left = pair.first.stages[one.stage].hop, {}
    for late in range(-MOST_FRAMES, MOST_FRAMES + 1):
        moved = first.roll(late, dims=1)[:, MOST_FRAMES : min(first.shape[1], second.shape[1]) - MOST_FRAMES]
        apart = (second[:, MOST_FRAMES : MOST_FRAMES + moved.shape[1]] - moved).square().mean()
        left[late] = _db(apart, moved.square().mean())
    late = min(left, key=lambda n: left[n])
    if not late or not _holds(left[0], left[late], tolerance_db):
        return None
    values = {"delay": float(late * hop), "polarity": 1.0, "gain_db": 0.0, "before": before}
    return "delay", left[late], values


def _input(pair: Pair, one: Difference, before: str, tolerance_db: float) -> Explanation | None:
    """Whether the first answers the same, given the sounds later, louder or inverted."""
    if one.transfer is None or not one.transfer.is_there.any():
        return None
    if float(np.median(one.transfer.coherence[one.transfer.is_there])) < COHERENT:
        return None
    hop = pair.first.stages[one.stage].hop
    found = one.transfer.alignment(max(LONGEST_S * pair.sample_rate, 2 * hop))
    step = pair.first.stages[before].hop if before else 1
    whole = round(found.delay / step) * step  # a frame of the stage before, where that is meant
    is_whole = whole != 0 and abs(found.delay - whole) < (0.02 * step if step > 1 else LEAST_DELAY)
    delay = float(whole) if is_whole else found.delay
    best: tuple[float, Input] | None = None
    loudness = 10 ** (found.gain_db / 20) if abs(found.gain_db) > LEAST_GAIN_DB else 1.0
    for gain in dict.fromkeys((1.0, loudness)):
        how = Input(delay if abs(delay) > LEAST_DELAY else 0.0, found.polarity * gain)
        if how == Input():
            continue
        left = differences(pair, [one.stage], tolerance_db, how)[one.stage]
        left_db = _steady(left)
        if best is None or left_db < best[0] - 1:
            best = left_db, how
    if best is None or not _holds(_steady(one), best[0], tolerance_db):
        return None
    how = best[1]
    kind = "delay" if how.delay else "polarity" if how.gain == -1 else "gain"
    field = pair.first.stages[one.stage].receptive_field or 0
    if kind == "delay" and is_whole and how.gain == 1 and (before or abs(delay) < field):
        kind = "padding"
    gain_db = 20 * float(np.log10(abs(how.gain)))
    values = {
        "delay": how.delay,
        "polarity": float(np.sign(how.gain)),
        "gain_db": gain_db,
        "before": before,
    }
    return kind, best[0], values


def _steady(one: Difference) -> float:
    """Return the largest difference without edges, at all sounds but the burst and silence."""
    return float(one.inside_db[: len(one.inside_db) - 2].max())


def _reach(pair: Pair, one: Difference, before: str) -> Explanation | None:
    """Whether a frame sees other samples."""
    if quantizer_steps(pair.first.stages[one.stage], 1):
        return None
    ends = [
        seen_samples(play, pair.n_samples)
        for play in (
            lambda waveforms: pair.of_first(waveforms, [one.stage])[one.stage],
            lambda waveforms: pair.of_second(waveforms, [one.stage])[one.stage],
        )
    ]
    earlier, later = (ends[1][i] - ends[0][i] for i in (0, 1))
    if pair.first.stages[one.stage].receptive_field is None:
        earlier = later  # where its past ends, depends on what counts as nothing
    if earlier == later == 0:
        return None
    is_shifted = earlier == later
    values = {"earliest": float(earlier), "later": float(later), "before": before}
    return ("padding" if is_shifted else "receptive field"), float("nan"), values


def seen_samples(play: Callable[[Tensor], Tensor], n_samples: int) -> tuple[int, int]:
    """Return the first and the last sample that the middle frame depends on, by changing all others.

    Examples
    --------
    >>> from torch.nn.functional import conv1d
    >>> seen_samples(lambda x: conv1d(x[:, None], torch.ones(1, 1, 4), stride=2), 100)
    (48, 51)
    """
    generator = torch.Generator().manual_seed(0)
    sound, other = 0.1 * torch.randn(2, 1, n_samples, generator=generator)
    plain = play(sound)
    middle = plain.shape[2] // 2

    def unseen(changed: slice) -> bool:
        mixed = sound.clone()
        mixed[:, changed] = other[:, changed]
        moved = (play(mixed) - plain)[:, :, middle].abs().max()
        return bool(moved <= SEEN * plain.abs().max())

    samples = range(n_samples)
    after_last = bisect_left(samples, True, key=lambda sample: unseen(slice(sample, None)))
    first = bisect_left(samples, True, key=lambda sample: not unseen(slice(0, sample + 1)))
    return first, after_last - 1


def _weights(pair: Pair, one: Difference, before: str, tolerance_db: float) -> Explanation | None:
    """Whether one of them answers as the other does with its weights changed in a way that is known."""
    deepest = [name for name, about in pair.first.stages.items() if not quantizer_steps(about, 1)][-1]
    deepest = deepest if deepest in pair.stages else one.stage
    holding: list[tuple[float, Explanation]] = []
    worst = worst_sound(pair, one, tolerance_db)
    for which, other in (("second", pair), ("first", _exchanged(pair))):  # which one has the fault
        stage, last = (s if other is pair else pair.stages[s] for s in (one.stage, deepest))
        as_it_is = _left_db(other, other.first, stage, worst)
        for kind, values, changed in _changed_weights(other.first):
            left_db = _left_db(other, changed, stage, worst)
            if as_it_is > tolerance_db and _holds(as_it_is, left_db, tolerance_db):
                further = _left_db(other, changed, last, worst)  # of several, what explains most
                holding.append((further, (kind, left_db, {**values, "which": which})))
    return min(holding, key=lambda found: found[0])[1] if holding else None


def _exchanged(pair: Pair) -> Pair:
    names = {theirs: mine for mine, theirs in pair.stages.items()}
    return replace(pair, first=pair.second, second=pair.first, stages=names)


def _left_db(pair: Pair, changed: Encoder, stage: str, sound: int) -> float:
    """Return how far a changed first differs from the second at a sound, in dB."""
    waveforms = pair.waveforms(slice(sound, sound + 1))
    mine = run(changed, waveforms, [stage])[stage].cpu().double()
    theirs = pair.of_second(waveforms, [stage])[stage].double()
    frames = min(mine.shape[2], theirs.shape[2])
    apart = (mine[:, :, :frames] - theirs[:, :, :frames]).square().mean()
    return _db(apart, theirs[:, :, :frames].var(dim=2).mean())


def _db(apart: Tensor, power: Tensor) -> float:
    """Return one power re another, in dB."""
    return float(10 * torch.log10(apart / power.clamp(min=1e-30) + 1e-30))


def _changed_weights(encoder: Encoder) -> Iterator[tuple[str, dict[str, float | str], Encoder]]:
    """Yield copies of an encoder with weights rounded, and with weight norms left out."""
    if not isinstance(encoder, ModuleEncoder):
        return
    normed = [name for name, part in encoder.module.named_modules() if _is_scaled(part)]
    for dtype, name in HALVES.items():
        for is_folded in (False, True) if normed else (False,):
            yield "rounded weights", {"dtype": name}, _rounded(encoder, dtype, is_folded)
    for names in ([name] for name in normed):
        yield "weight norm", {"layer": names[0]}, _unfolded(encoder, names)
    if len(normed) > 1:
        yield "weight norm", {"layer": ""}, _unfolded(encoder, normed)


def _copied(encoder: ModuleEncoder) -> ModuleEncoder:
    changed = copy.copy(encoder)
    changed.module = copied(encoder.name, encoder.module)
    return changed


def _rounded(encoder: ModuleEncoder, dtype: torch.dtype, is_folded: bool) -> ModuleEncoder:
    """Return a copy with weights rounded: scale and direction of a norm each, or what they make."""
    changed = _copied(encoder)
    with torch.no_grad():
        for parameter in changed.module.parameters():
            if parameter.dtype == torch.float32:
                parameter.copy_(parameter.to(dtype))
        for name, part in encoder.module.named_modules() if is_folded else ():
            if (normed := _norm_of(part)) is not None:
                scale, direction = _norm_of(changed.module.get_submodule(name)) or normed
                weight = normed[0] * normed[1] / _scale_of(*normed)
                direction.copy_(weight.to(dtype))
                scale.copy_(_scale_of(scale, direction))
    return changed


def _scale_of(scale: Tensor, direction: Tensor) -> Tensor:
    """Return the norm of a direction along the axes over which a weight norm takes it; all, of one scale."""
    if scale.ndim != direction.ndim:
        return torch.linalg.vector_norm(direction).reshape(scale.shape)
    kept = tuple(axis for axis in range(direction.ndim) if scale.shape[axis] == 1)
    return torch.linalg.vector_norm(direction, dim=kept, keepdim=True)


def _unfolded(encoder: ModuleEncoder, names: list[str]) -> ModuleEncoder:
    """Return a copy in which some layers use the direction of their weights as it is."""
    changed = _copied(encoder)
    parts = dict(changed.module.named_modules())
    with torch.no_grad():
        for name in names:
            scale, direction = _norm_of(parts[name]) or (None, None)
            assert scale is not None
            assert direction is not None
            scale.copy_(_scale_of(scale, direction))
    return changed


def _is_scaled(part: nn.Module) -> bool:
    """Whether a layer is under weight norm, and its weight another than its direction."""
    if (normed := _norm_of(part)) is None:
        return False
    return not torch.allclose(normed[0], _scale_of(*normed))


def _norm_of(part: nn.Module) -> tuple[Tensor, Tensor] | None:
    """Return g and v of a layer under weight norm, in either form of torch."""
    if hasattr(part, "weight_g") and hasattr(part, "weight_v"):
        return part.weight_g, part.weight_v  # type: ignore[return-value]
    own = getattr(getattr(part, "parametrizations", None), "weight", None)
    if own is not None and hasattr(own, "original0"):
        return own.original0, own.original1
    return None


def _channels(pair: Pair, one: Difference, before: str, tolerance_db: float) -> Explanation | None:
    """Whether each channel follows from its own by a gain and an offset."""
    rows = slice(len(pair.sounds) - 5, len(pair.sounds) - 5 + TRIED)
    first, second = (found[one.stage].double() for found in pair.played(rows, [one.stage]))
    frames = min(first.shape[2], second.shape[2])
    first, second = (f[:, :, :frames].transpose(0, 1).flatten(1) for f in (first, second))  # [C, N]
    means = [f.mean(dim=1, keepdim=True) for f in (first, second)]
    x, y = (f - mean for f, mean in zip((first, second), means, strict=True))
    gain = (x * y).sum(1) / x.square().sum(1).clamp(min=1e-30)
    apart = (y - gain[:, None] * x).square().mean()
    left_db = _db(apart, x.square().mean())
    before_db = _db((second - first).square().mean(), x.square().mean())
    is_off = (means[1] - means[0]).square().mean() > 10 ** (tolerance_db / 10) * x.square().mean()
    if before_db <= tolerance_db or not _holds(before_db, left_db, tolerance_db):
        return None
    sounding = x.square().mean(1) > 1e-8 * x.square().mean(1).max()
    gains = gain[sounding]
    if bool((gains - 1).abs().max() < 1e-3):
        if not is_off:
            return None
        offset = (means[1] - means[0]).abs().max() / x.square().mean().sqrt().clamp(min=1e-30)
        return "bias", left_db, {"largest": float(offset)}
    levels = 20 * torch.log10(gains.abs().clamp(min=1e-12))
    low, high = float(levels.min()), float(levels.max())
    inverted = int((gains < 0).sum())
    values = {"lowest_db": low, "highest_db": high, "inverted": inverted, "channels": len(gains)}
    is_level = max(abs(low), abs(high)) < LEAST_GAIN_DB
    return "polarity" if is_level and inverted == len(gains) else "channel gains", left_db, values
