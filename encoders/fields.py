"""Receptive field and latency of a stage: which samples matter to one of its frames."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache

import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .base import ModuleEncoder
from .preserving import unchanged
from .weights import is_fixed

LONGEST_S = 4.0  # a frame that still hears both ends of this much sound has no bounded receptive field
GAINS = (1.0, 1e4)  # of what plays instead, which may have to be loud to matter, to a maximum say
ROUNDING = 1e-6  # of the largest activation: what some algorithms of convolutions leak

Play = Callable[[Tensor], Tensor]  # float32 [B, T] -> [B, C, F] of one stage
Noise = Callable[[int], Tensor]  # samples -> float32 [1, T]
Seen = Callable[[int, int, int], Tensor]  # (samples, start, stop) -> bool [F]: frames that see any of these


class Hidden(Exception):
    """What is spoilt does not show: something on the way takes it out, or refuses it."""


class Uneven(InputError):
    """Frames do not lie where they should."""


def find_field(
    encoder: ModuleEncoder,
    stage: str,
    play: Play,
    noise: Noise,
    grid: tuple[int, int, int],
    length: int,
    fixed: Sequence[str] = (),
) -> tuple[int | None, int]:
    """Return receptive field and latency; the field is None where it grows with the waveform.

    By what turns NaN, which no weight of zero hides. Where NaN does not come through, or samples at either
    end do nothing whatever the weights are (a window that is padded with zeros), by what changes when other
    sound plays, with all weights that are no fixed table moved.

    Parameters
    ----------
    encoder : ModuleEncoder
    stage : str
    play, noise : callable
    grid : (int, int, int)
        Hop, how many samples beyond ``t * hop`` must have played before frame t is there, and how many frames
        the module makes at once. They may see the same samples, as where codes are those of several frames;
        field and latency are then the least that hold for each.
    length : int
        Samples that the module takes.
    fixed : sequence of str
        Submodules that are tables.

    Raises
    ------
    InputError
        If frames are not evenly spaced over the samples, or lie elsewhere on waveforms of other lengths.
    """
    hop, _, at_once = grid
    lengths = [max(length, 16 * hop, 8 * at_once * hop)]
    while 4 * lengths[-1] <= LONGEST_S * encoder.sample_rate:
        lengths.append(4 * lengths[-1])
    spoilt = _spoilt(play, noise)
    field, latency = None, 0
    with suppress(Hidden):
        try:
            field, latency = _search(stage, spoilt, grid, lengths)
        except Uneven:
            if at_once == 1:
                raise
            return _of_all(spoilt, hop, at_once, lengths[0])
        if field is None or _goes_in_steps(play, noise, lengths[0]):
            return field, latency  # what goes in steps shows other sound by chance only
        if _around_matters(_changed(play, noise, ROUNDING), hop, lengths[0], field, latency):
            field = None  # one of the ways to what lies around hides NaN
        elif _ends_matter(_changed(play, noise), hop, lengths[0], field, latency):
            return field, latency
    with unchanged(encoder.module):
        _move_weights(encoder.module, fixed)
        changed = _changed(play, noise, ROUNDING if field is None else 0.0)
        if field is not None and _ends_matter(changed, hop, lengths[0], field, latency):
            return field, latency  # some weights are 0
        with suppress(Hidden, Uneven):
            found = _search(stage, changed, grid, lengths)
            return (field, latency) if found[0] is None else found
    return field, latency


def _spoilt(play: Play, noise: Noise) -> Seen:
    """Return which frames turn NaN where samples do."""

    def seen(samples: int, start: int, stop: int) -> Tensor:
        sound = noise(samples)
        sound[:, max(0, start) : stop] = torch.nan
        try:
            return play(sound)[0].isnan().any(dim=0)
        except InputError:
            raise Hidden from None

    return seen


def _changed(play: Play, noise: Noise, tolerance: float = 0.0) -> Seen:
    """Return which frames are others where other sound plays; `tolerance` is of the largest."""

    @cache
    def plain(samples: int) -> Tensor:
        return play(noise(samples))

    def seen(samples: int, start: int, stop: int) -> Tensor:
        differs = torch.zeros(plain(samples).shape[2], dtype=torch.bool)
        for gain in GAINS:
            sound = noise(samples)
            sound[:, max(0, start) : stop] = -gain * sound.flip(1)[:, max(0, start) : stop]
            try:
                found = play(sound)
            except InputError:
                if gain == 1.0:  # what is louder may be refused
                    raise
                continue
            change = (found - plain(samples))[0].abs().amax(dim=0)  # [F]
            differs |= (
                change > tolerance * torch.maximum(found.abs().max(), plain(samples).abs().max())
            ).cpu()
        return differs

    return seen


def _goes_in_steps(play: Play, noise: Noise, samples: int) -> bool:
    """Whether most of what a stage gives stays as it is where the sound is slightly another."""
    before, after = play(noise(samples)), play(noise(samples) * (1 + 1e-3))
    same = ((after - before).abs() <= 1e-5 * before.abs().max()).all(dim=1)
    return float(same.double().mean()) > 0.5


def _move_weights(module: nn.Module, fixed: Sequence[str]) -> None:
    """Move all weights that are no tables, so that none is 0; what is frozen beside others is a table."""
    weights = [(key, one) for key, one in module.named_parameters() if one.is_floating_point()]
    trained = any(one.requires_grad for _, one in weights)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, one in weights:
            if not is_fixed(key, fixed) and (one.requires_grad or not trained):
                scale = float(one.float().std(correction=0)) or 0.1
                one += (scale * torch.randn(one.shape, generator=generator)).to(one)


def _around_matters(changed: Seen, hop: int, length: int, field: int, latency: int) -> bool:
    """Whether a frame depends on what lies around its field."""
    samples, frame, first, last = _inside(hop, length, field, latency)
    before = first > 0 and bool(changed(samples, 0, first)[frame])
    return before or bool(changed(samples, last + 1, samples)[frame])


def _ends_matter(changed: Seen, hop: int, length: int, field: int, latency: int) -> bool:
    """Whether a frame depends on its field's ends: on a sixteenth of it, or a hop if that is less."""
    samples, frame, first, last = _inside(hop, length, field, latency)
    stretch = max(1, min(hop, field // 16))
    oldest, newest = (first, first + stretch), (last + 1 - stretch, last + 1)
    return all(bool(changed(samples, start, stop)[frame]) for start, stop in (oldest, newest))


def _inside(hop: int, length: int, field: int, latency: int) -> tuple[int, int, int, int]:
    """Return a number of samples, a frame whose field lies on them, and its first and last sample."""
    frame = max(0, -(-(field - 1 - latency) // hop)) + 2
    last = frame * hop + latency
    return max(length, last + 1 + 2 * hop), frame, last - field + 1, last


def _search(
    stage: str, seen: Seen, grid: tuple[int, int, int], lengths: Sequence[int]
) -> tuple[int | None, int]:
    """Return receptive field and latency, by which frames see samples from one on, or up to one.

    Rather than one alone: what a frame sees may have gaps. Both ends are tried as far as some frame sees:
    without padding, the last samples may be seen by none.
    """
    hop, late, _ = grid

    def middle_sees(samples: int, start: int, stop: int) -> bool:
        frames = seen(samples, start, stop)
        return bool(frames[len(frames) // 2])

    for samples in lengths:
        frames = len(seen(samples, 0, 0))
        if middle_sees(samples, min(samples - 1, (frames - 1) * hop + late), samples):
            continue  # it hears the end
        if not middle_sees(samples, 0, samples):
            raise Hidden
        centre, tail = frames // 2, samples - 4 * hop
        latencies = range(-centre * hop, samples - centre * hop)
        lost = seen(samples, tail, samples).nonzero()
        if len(lost) and (first_lost := int(lost[0])):  # tells it to within a hop
            latencies = range(tail - first_lost * hop, tail - first_lost * hop + hop - 1)
        latency = latencies.start + bisect_left(
            latencies, True, key=lambda late: not middle_sees(samples, centre * hop + late + 1, samples)
        )
        if (centre + 2) * hop + latency + 1 < samples:
            break
    else:
        return None, 0
    _check_places(stage, seen, hop, latency, samples, centre)

    start = 1 + (latency if latency >= 0 else latency % hop)  # some frame sees one of these
    longer = next((n for n in lengths if n >= samples and not middle_sees(n, 0, start)), None)
    if longer is None:
        return None, latency
    centre, head = len(seen(longer, 0, 0)) // 2, 4 * hop
    last = centre * hop + latency
    fields = range(1, last + 2)
    lost = seen(longer, 0, head).nonzero()
    if len(lost):
        last_lost = int(lost[-1]) * hop + latency
        fields = range(last_lost + 2 - head, last_lost + hop + 1 - head)
    field = fields.start + bisect_left(fields, True, key=lambda f: not middle_sees(longer, 0, last - f + 1))
    return field, latency


def _of_all(seen: Seen, hop: int, at_once: int, samples: int) -> tuple[int | None, int]:
    """Return the receptive field and latency that hold for each of some frames in a row."""
    seen = cache(seen)
    centre = len(seen(samples, 0, 0)) // 2
    newest, oldest = [0], [0]
    frames = range(centre, centre + at_once)
    for frame in frames:
        if seen(samples, 0, 1)[frame] or seen(samples, samples - 1, samples)[frame]:
            return None, 0
        sees_up_to = range(samples)
        if seen(samples, newest[-1] + 1, samples)[frame]:  # more than the frame before it
            newest.append(
                bisect_left(sees_up_to, True, key=lambda s: not seen(samples, s, samples)[frame]) - 1
            )
        else:
            newest.append(newest[-1])
        if not seen(samples, 0, oldest[-1] + 1)[frame]:
            oldest.append(bisect_left(sees_up_to, True, key=lambda s: bool(seen(samples, 0, s + 1)[frame])))
        else:
            oldest.append(oldest[-1])
    latency = max(sample - frame * hop for sample, frame in zip(newest[1:], frames, strict=True))
    earliest = min(sample - frame * hop for sample, frame in zip(oldest[1:], frames, strict=True))
    return latency - earliest + 1, latency


def _check_places(stage: str, seen: Seen, hop: int, latency: int, samples: int, centre: int) -> None:
    """Raise unless another frame lies where it should, on waveforms of other lengths as well."""
    frame = centre + 2
    last = frame * hop + latency
    for more in sorted({0, 1, hop // 2, hop - 1}):
        n = samples + more
        if seen(n, last, n)[frame] and not seen(n, last + 1, n)[frame]:
            continue
        if more:
            raise Uneven(
                f"stage {stage!r}: where its frames lie on the samples depends on how long the waveform is, "
                "as where both ends are padded by what a length lacks; `prepare` may pad the end, to lengths "
                "that lack nothing"
            )
        raise Uneven(f"stage {stage!r}: has no fixed hop: its frames are not evenly spaced over the samples")
