"""The conformance suite: whether an encoder does what it declares."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from . import faults
from .abilities import (
    Decodes,
    Differentiates,
    Quantizes,
    Redraws,
    RunsFrom,
    codebooks_of,
    scale_of,
)
from .base import MODALITIES, Encoder, Stage
from .measuring import TOLERANCE, first_line
from .quantization import check_codes
from .shared_checks import check_members, check_redraws, equal

MEMBERS = ("name", "modality", "sample_rate", "stages", "weights", "device", "run", "kernels")
LEVELS = (1.0, 0.3, 0.01)  # of the waveforms of a batch, which no norm over the batch leaves alone
TIES = 0.1  # of frames
FRAMES = 4  # in a row, whose place on the samples is tried


def check(encoder: Any) -> None:
    """Raise unless an encoder, or a model of melodies, does what it declares.

    For the tests of a plug-in. Stages, shapes, hop, receptive field and latency are tried on noise,
    and so is every ability that the encoder declares (see `abilities`).

    Parameters
    ----------
    encoder : Encoder or LatentModel

    Raises
    ------
    NotConforming
        A subclass for each fault, in `tonotopy.encoders.faults`; the first that is found, in one line.

    Notes
    -----
    That a receptive field is larger than need be is no fault: a weight at its edge may be 0.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> encoder = load("control:decimator")
    >>> check(encoder)
    >>> encoder.modality = "sound"
    >>> check(encoder)
    Traceback (most recent call last):
    tonotopy.encoders.faults.UnknownModality: control:decimator: modality 'sound'; must be waveform or melody
    """
    modality = getattr(encoder, "modality", None)
    if modality not in MODALITIES:
        name = getattr(encoder, "name", type(encoder).__name__)
        raise faults.UnknownModality(f"{name}: modality {modality!r}; must be {' or '.join(MODALITIES)}")
    if modality == "melody":
        from .musicvae.conformance import check_melodies

        check_melodies(encoder)
    else:
        check_members(encoder, MEMBERS)
        _check_declared(encoder)
        _check_activations(encoder)
        counted = _frame_counts(encoder)
        for stage in encoder.stages.values():
            _check_hop(encoder, stage, counted)
            _check_place(encoder, stage)
            _check_kernels(encoder, stage)
        _check_abilities(encoder)
        if isinstance(encoder, Redraws):
            check_redraws(encoder, ("sample_rate", "stages"), lambda one: _answers(one, _noise(one)))


def _check_declared(encoder: Encoder) -> None:
    if not encoder.stages:
        raise faults.StageMisnamed(f"{encoder.name}: has no stages")
    widest: float = 0
    for name, stage in encoder.stages.items():
        if stage.name != name:
            raise faults.StageMisnamed(f"{encoder.name}: stage {stage.name!r} is filed under {name!r}")
        field = torch.inf if stage.receptive_field is None else stage.receptive_field
        if field < widest:
            raise faults.StageOrder(
                f"{encoder.name}: stage {name!r} sees {field:g} samples, one before it {widest:g}: "
                "stages go from shallow to deep"
            )
        widest = field


def _check_activations(encoder: Encoder) -> None:
    """Try shape and type, and that nothing but the waveform tells what comes of it."""
    waveforms = _noise(encoder)
    kept = waveforms.clone()
    first = _run(encoder, waveforms, list(encoder.stages))
    if not torch.equal(waveforms, kept):
        raise faults.InputChanged(f"{encoder.name}: `run` changes the waveforms that it is given")
    for name, found in first.items():
        _check_tensor(encoder, encoder.stages[name], found, len(waveforms))
    second = _run(encoder, waveforms, list(encoder.stages), seed=1)
    certain = [name for name in first if name not in getattr(encoder, "noisy", ())]
    for name in certain:
        if not equal([first[name]], [second[name]]):
            raise faults.NotDeterministic(
                f"{encoder.name}: stage {name!r} gives something else the second time, and is not in `noisy`"
            )
    for row in range(len(waveforms)):
        alone = _run(encoder, waveforms[row : row + 1], list(encoder.stages))
        for name in certain:
            found = first[name]
            if not _close_but_for_ties(encoder.stages[name], alone[name], found[row : row + 1]):
                raise faults.BatchMatters(
                    f"{encoder.name}: stage {name!r} gives something else of a waveform alone than in a batch"
                )


def _check_tensor(encoder: Encoder, stage: Stage, found: Tensor, batch: int) -> None:
    if found.ndim != 3 or found.shape[:2] != (batch, stage.channels) or not found.shape[2]:
        raise faults.WrongShape(
            f"{encoder.name}: stage {stage.name!r} gives {tuple(found.shape)}; "
            f"must be [{batch}, {stage.channels}, F]"
        )
    if found.is_floating_point() == stage.is_integer:
        raise faults.CodesNotInteger(
            f"{encoder.name}: stage {stage.name!r} of kind {stage.kind!r} gives {found.dtype}"
        )
    if not torch.isfinite(found).all():
        raise faults.NotFinite(f"{encoder.name}: stage {stage.name!r} gives NaN or Inf of finite waveforms")


def _frame_counts(encoder: Encoder) -> Callable[[Stage, int], int]:
    """Return what counts the frames of a stage by samples; stages of one hop run together, and once."""

    @cache
    def counted(hop: int, samples: int) -> dict[str, int]:
        alike = [name for name, stage in encoder.stages.items() if stage.hop == hop]
        found = _run(encoder, _noise(encoder, samples)[:1], alike)
        return {name: activations.shape[2] for name, activations in found.items()}

    return lambda stage, samples: counted(stage.hop, samples)[stage.name]


def _check_hop(encoder: Encoder, stage: Stage, counted: Callable[[Stage, int], int]) -> None:
    """Try how many samples lie between the lengths at which one frame more appears."""
    length, hop = _length(encoder), stage.hop
    frames = partial(counted, stage)
    here = frames(length)
    longer = range(length + 1, length + hop + 1)
    more = length + 1 + bisect_left(longer, True, key=lambda samples: frames(samples) > here)
    found = [frames(samples) - here for samples in (more - 1, more, more + hop - 1, more + hop)]
    if found != [0, 1, 1, 2]:
        raise faults.WrongHop(
            f"{encoder.name}: stage {stage.name!r} of hop {hop} gives {here} frames of {length} samples, and "
            f"{', '.join(map(str, found))} more of {more - 1}, {more}, {more + hop - 1}, {more + hop}"
        )


def _check_place(encoder: Encoder, stage: Stage) -> None:
    """Try on which samples a frame depends, where they are bounded; a row of the batch is a frame's."""
    field = stage.receptive_field
    if field is None:
        return
    first = max(0, -(-(field - 1 - stage.latency) // stage.hop)) + 1
    last = [frame * stage.hop + stage.latency for frame in range(first, first + FRAMES)]
    length = last[-1] + 3 * stage.hop + 1
    noise = _noise(encoder, length)[:1].expand(FRAMES, -1)
    loud = 10 * _noise(encoder, length).flip(1)[:1].expand(FRAMES, -1)
    sample, end = torch.arange(length), torch.tensor(last)[:, None]

    def frames(where: Tensor, gain: float = 1.0) -> Tensor:
        """Return [FRAMES, C] where other noise plays at samples bool [FRAMES, T]."""
        found = _run(encoder, torch.where(where, gain * loud, noise), [stage.name])[stage.name]
        if found.shape[2] < first + FRAMES:
            raise faults.WrongLatency(
                f"{encoder.name}: stage {stage.name!r} of latency {stage.latency} gives {found.shape[2]} "
                f"frames of {length} samples; {first + FRAMES} are due"
            )
        return torch.stack([found[row, :, first + row] for row in range(FRAMES)])

    plain = frames(sample < 0 * end)
    newest = max(1, min(stage.hop, field // 16))
    if not _close(frames(sample > end), plain):
        raise faults.WrongLatency(
            f"{encoder.name}: stage {stage.name!r} sees samples after t * hop + {stage.latency}, its latency"
        )
    last_heard = (sample <= end) & (sample > end - newest)  # what they do may lie below rounding
    steps = stage.is_stepwise or stage.codebooks
    unheard = not steps and all(equal([frames(last_heard, gain)], [plain]) for gain in (1.0, 1e5))
    if unheard and not _spoilt_by(encoder, stage, torch.where(last_heard, torch.nan, noise), first):
        raise faults.WrongLatency(
            f"{encoder.name}: stage {stage.name!r} sees nothing of the {newest} samples up to "
            f"t * hop + {stage.latency}, its latency"
        )
    if not _close(frames(sample <= end - field), plain):
        raise faults.ReceptiveFieldTooSmall(
            f"{encoder.name}: stage {stage.name!r} sees samples before its receptive field of {field}"
        )


def _spoilt_by(encoder: Encoder, stage: Stage, waveforms: Tensor, first: int) -> bool:
    """Whether NaN in waveforms reaches their frames, as it does through weights too small to be heard."""
    if not isinstance(encoder, Differentiates):
        return False
    found = encoder.differentiable(stage.name)(waveforms).detach()
    return all(bool(found[row, :, first + row].isnan().any()) for row in range(FRAMES))


def _check_kernels(encoder: Encoder, stage: Stage) -> None:
    kernels, field = encoder.kernels(stage.name), stage.receptive_field
    about = f"{encoder.name}: stage {stage.name!r} of kind {stage.kind!r}"
    if (kernels is not None) != stage.is_linear:
        raise faults.KernelsDisagree(f"{about} has {'no ' if kernels is None else ''}kernels")
    if kernels is None:
        return
    if kernels.shape != (stage.channels, field) or kernels.dtype != "float64" or field is None:
        raise faults.KernelsDisagree(
            f"{about} has kernels {kernels.dtype} {kernels.shape}; "
            f"must be float64 ({stage.channels}, {field})"
        )
    first = max(0, -(-(field - 1 - stage.latency) // stage.hop))
    start = first * stage.hop + stage.latency - field + 1
    noise = _noise(encoder, start + field + 20 * stage.hop)[:1]
    found, silence = (_run(encoder, one, [stage.name])[stage.name][0].cpu() for one in (noise, 0 * noise))
    windows = noise[0, start:].double().unfold(0, field, stage.hop)  # [F, L]
    expected = torch.from_numpy(kernels) @ windows.T
    frames = slice(first, first + min(expected.shape[1], found.shape[1] - first))
    if not _close((found - silence)[:, frames].double(), expected[:, : frames.stop - first]):
        raise faults.KernelsDisagree(f"{about} is not what its kernels say")


def _check_abilities(encoder: Encoder) -> None:
    waveforms = _noise(encoder)
    found = _run(encoder, waveforms, list(encoder.stages))
    if isinstance(encoder, Differentiates):
        for stage in encoder.stages.values():
            with torch.random.fork_rng():
                torch.manual_seed(0)
                answer = encoder.differentiable(stage.name)(waveforms)
            if not stage.is_stepwise and not _close_but_for_ties(stage, answer.detach(), found[stage.name]):
                raise faults.DifferentiableDisagrees(
                    f"{encoder.name}: `differentiable` is not what `run` evaluates at {stage.name!r}"
                )
    if isinstance(encoder, Quantizes):
        _check_codebooks(encoder, found)
    if isinstance(encoder, RunsFrom):
        _run(encoder, waveforms.flip(0), list(encoder.stages))  # whoever repeats the last run is found out
        for stage in encoder.stages:
            _check_continues(encoder, stage, found)
    if isinstance(encoder, Decodes):
        _check_decodes(encoder, waveforms, found)


def _check_codebooks(encoder: Any, found: dict[str, Tensor]) -> None:
    if not {"codes", "quantized"} <= set(found):
        return
    books, codes = codebooks_of(encoder), found["codes"]
    if codes.shape[1] != len(books):
        raise faults.CodebooksDisagree(f"{encoder.name}: {len(books)} codebooks, codes of {codes.shape[1]}")
    try:
        check_codes(codes, books)
    except faults.InputError as error:
        raise faults.CodebooksDisagree(f"{encoder.name}: {error}") from None
    entries = sum(book[chosen] for book, chosen in zip(books, codes.unbind(1), strict=True))  # [B, F, D]
    if not _close(found["quantized"], entries.transpose(1, 2)):  # type: ignore[union-attr]
        raise faults.CodebooksDisagree(
            f"{encoder.name}: the entries that its codes name do not add up to its 'quantized'"
        )


def _check_continues(encoder: Any, stage: str, found: dict[str, Tensor]) -> None:
    follow = encoder.stages_from(stage)
    if not follow:
        return
    try:
        resumed = encoder.run_from(stage, found[stage].clone(), follow)
    except Exception as error:
        raise faults.RunFromDoesNotContinue(
            f"{encoder.name}: `run_from` raises at {stage!r}: {first_line(error)}"
        ) from error
    for other in follow:
        if not equal([resumed.get(other)], [found[other]]):
            raise faults.RunFromDoesNotContinue(
                f"{encoder.name}: `run_from` {stage!r} does not give at {other!r} just what `run` gives"
            )


def _check_decodes(encoder: Any, waveforms: Tensor, found: dict[str, Tensor]) -> None:
    for stage in {"latent", "quantized"} & set(found):
        frames, hop = found[stage].shape[2], encoder.stages[stage].hop
        decoded = encoder.decode(found[stage], scale_of(encoder, waveforms))
        if decoded.shape != (len(waveforms), frames * hop):
            raise faults.DecodeWrongShape(
                f"{encoder.name}: decodes {frames} frames of {stage!r} to {tuple(decoded.shape)}; "
                f"must be {(len(waveforms), frames * hop)}"
            )
        if not torch.isfinite(decoded).all():
            raise faults.NotFinite(f"{encoder.name}: decodes NaN or Inf of its own {stage!r}")


def _run(encoder: Encoder, waveforms: Tensor, stages: list[str], seed: int = 0) -> dict[str, Tensor]:
    """Return what `run` does; of a seed the same, at stages with noise of their own too."""
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            found = encoder.run(waveforms, stages)
    except Exception as error:  # whatever an encoder may raise
        raise faults.StageNotReached(
            f"{encoder.name}: `run` raises at {', '.join(stages)}: {first_line(error)}"
        ) from error
    if list(found) != stages:
        raise faults.StageNotReached(
            f"{encoder.name}: `run` returns {', '.join(found) or 'nothing'} of {', '.join(stages)}"
        )
    return found


def _answers(encoder: Encoder, waveforms: Tensor) -> list[Tensor]:
    return list(_run(encoder, waveforms, list(encoder.stages)).values())


def _length(encoder: Encoder) -> int:
    """Return a length that gives a few frames at every stage."""
    longest = max(2 * stage.hop + stage.latency + 1 for stage in encoder.stages.values())
    return max(longest, encoder.sample_rate // 8)


def _noise(encoder: Encoder, length: int | None = None) -> Tensor:  # [B, T]
    length = _length(encoder) if length is None else length
    generator = torch.Generator().manual_seed(length)
    return 0.1 * torch.tensor(LEVELS)[:, None] * torch.randn(len(LEVELS), length, generator=generator)


def _close_but_for_ties(stage: Stage, found: Tensor, expected: Tensor) -> bool:
    """Whether two are equal but for rounding, which may decide a few frames behind a quantizer."""
    if not (stage.is_stepwise or stage.codebooks) or found.shape != expected.shape:
        return _close(found, expected)
    far = (found.double() - expected.double()).norm(dim=1) > TOLERANCE * expected.double().norm(dim=1)
    return int(far.sum()) <= max(1, TIES * far.numel())


def _close(found: Tensor, expected: Tensor) -> bool:
    """Whether two are equal but for rounding; integers to the last."""
    if found.shape != expected.shape:
        return False
    if not expected.is_floating_point():
        return torch.equal(found, expected)
    return bool((found - expected).norm() <= TOLERANCE * expected.norm())
