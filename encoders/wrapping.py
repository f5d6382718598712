"""Any torch module as an encoder: layout, hop and receptive field are found out by running it."""

from __future__ import annotations

import copy
import difflib
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .base import ModuleEncoder, Stage, Weights
from .layouts import Layout, first_tensor, with_first_tensor
from .redrawing import redrawn, through_stages
from .resuming import ResumableEncoder
from .weights import state_sha256

LONGEST_S = 4.0  # a frame that still hears both ends of this much sound has no bounded receptive field
TOLERANCE = 1e-4  # of an activation's norm; float32 convolutions keep within 1e-5


def wrap(
    module: nn.Module,
    sample_rate: int,
    stages: Mapping[str, str],
    name: str | None = None,
    prepare: Callable[[Tensor], Any] | None = None,
    fixed: Sequence[str] = (),
) -> ModuleEncoder:
    """Make an encoder of a torch module, which is put into evaluation mode.

    Everything a `Stage` states is measured: the axes by varying batch and length, the hop by the
    lengths at which a frame is added, receptive field and latency by the frames that turn NaN when
    part of the waveform does (exact, and not deceived by weights that are zero). A stage that
    follows the samples as a fixed affine function is a "convolution", and its kernels are read off
    impulses, or off the weights where it is a plain `Conv1d` on the waveform.

    Parameters
    ----------
    module : nn.Module
        Takes float32 [B, 1, T] or [B, T] (found out by running), or what `prepare` makes.
    sample_rate : int > 0
        Samples per second of the waveforms it expects.
    stages : mapping of str to str
        Stage name -> submodule name, as in ``module.named_modules()``. Use the canonical names
        (`CANONICAL_STAGES`) where they apply. Of a tuple, the first tensor is recorded; axes other than
        batch and time become channels.
    name : str, optional
        By default the module's class.
    prepare : callable, optional
        float32 [B, T] -> what `module` takes.
    fixed : sequence of str
        Submodules that are no weights but a basis (a Fourier transform kept as a convolution, a mel
        filterbank): they stay as they are in every baseline.

    Returns
    -------
    ModuleEncoder
        Its stages are in the order in which the module reaches them.

    Raises
    ------
    InputError
        If a stage is not there, gives no tensor, has no time axis, or has no fixed hop; if the
        module takes no waveforms, or a weight is NaN.

    Examples
    --------
    >>> encoder = wrap(nn.Sequential(nn.Conv1d(1, 4, 10, stride=5), nn.ReLU()), 16_000, {"first_layer": "0"})
    >>> first = encoder.stages["first_layer"]
    >>> first.channels, first.hop, first.receptive_field, first.latency, first.kind
    (4, 5, 10, 9, 'convolution')
    """
    name = name or type(module).__name__
    if not stages:
        raise InputError(f"{name}: no stages given; its submodules are {_listed(_submodules(module))}")
    for stage, submodule in stages.items():
        _check_submodule(f"stage {stage!r}", name, module, submodule)
    for submodule in fixed:
        _check_submodule("fixed", name, module, submodule)
    state = {key: value for key, value in module.state_dict().items() if isinstance(value, Tensor)}
    spoilt = next((key for key, value in state.items() if value.isnan().any()), None)
    if spoilt is not None:
        raise InputError(f"{name}: {spoilt} holds NaN; every weight must be a number")
    kind = ResumableEncoder if len(set(stages.values())) > 1 else ModuleEncoder
    encoder = kind(
        name,
        module,
        sample_rate,
        {stage: Stage(stage, 1, 1, None, 0) for stage in stages},  # measured below
        stages,
        Weights("given", state_sha256(state)),
        read=first_tensor,
    )
    forms = [lambda waveforms: waveforms[:, None], lambda waveforms: waveforms]
    length, order = _find_input(encoder, forms if prepare is None else [prepare])
    layouts = {stage: _layout(encoder, stage, length) for stage in order}
    # cloned, since modules further on may work in place
    encoder._read = lambda stage, output: layouts[stage].arrange(first_tensor(stage, output)).clone()
    if isinstance(encoder, ResumableEncoder):
        encoder._write = lambda stage, output, changed: with_first_tensor(
            output, lambda own: layouts[stage].restore(own, changed)
        )
    encoder.stages = {stage: _measure(encoder, stage, length) for stage in order}
    for stage in order:
        if encoder.stages[stage].receptive_field is not None:
            _find_kernels(encoder, stage, length)
    play = through_stages(encoder, length)

    def randomised(seed: int, kind: str = "random") -> ModuleEncoder:
        draw = partial(_copied, name, module, None if kind == "permuted" else seed, fixed)
        twin, note = redrawn(kind, module, draw, play, seed, fixed)
        drawn = wrap(twin, sample_rate, stages, name, prepare, fixed)
        drawn.weights = replace(drawn.weights, source=kind, note=note)
        return drawn

    encoder.randomised = randomised
    return encoder


def _copied(name: str, module: nn.Module, seed: int | None, fixed: Sequence[str]) -> nn.Module:
    """Return a copy of a module; with a seed, its parameters drawn anew, each submodule in its own way."""
    try:
        twin = copy.deepcopy(module)
    except RuntimeError as error:
        raise InputError(f"{name}: no random baseline: it cannot be copied ({first_line(error)})") from None
    if seed is None:
        return twin
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for tensor in twin.parameters():
            tensor.fill_(torch.nan)  # what is still NaN afterwards was not drawn: a weight norm's parts, say
        for part in twin.modules():
            reset: Any = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
    for one in fixed:
        twin.get_submodule(one).load_state_dict(module.get_submodule(one).state_dict())
    left = [key for key, tensor in twin.named_parameters() if tensor.isnan().any()]
    if left:
        raise InputError(f"{name}: no random baseline: nothing says how {left[0]!r} is initialised")
    return twin


def _submodules(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_modules() if name]


def _check_submodule(about: str, name: str, module: nn.Module, submodule: str) -> None:
    known = _submodules(module)
    if submodule not in known and submodule:
        nearest = difflib.get_close_matches(submodule, known, n=5, cutoff=0.3)
        names = [*nearest, *(other for other in known if other not in nearest)]
        raise InputError(f"{about}: {name} has no submodule {submodule!r}; it has {_listed(names) or 'none'}")


def _listed(names: list[str], most: int = 20) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _noise(encoder: ModuleEncoder, batch: int, length: int) -> Tensor:
    generator = torch.Generator().manual_seed(length)
    return (0.1 * torch.randn(batch, length, generator=generator)).to(encoder.device)


def _find_input(encoder: ModuleEncoder, forms: list[Callable[[Tensor], Any]]) -> tuple[int, list[str]]:
    """Settle on a form and a length that the module takes; also return the stages in their order."""
    complaint = ""
    length = max(1, encoder.sample_rate // 4)
    while length <= LONGEST_S * encoder.sample_rate:
        for form in forms:
            encoder._prepare = form
            try:
                return length, list(encoder.activations(_noise(encoder, 2, length), list(encoder.stages)))
            except InputError:
                raise
            except Exception as error:  # whatever a module may raise at what it does not take
                complaint = complaint or first_line(error)
        length *= 2
    raise InputError(
        f"{encoder.name}: takes neither [B, 1, T] nor [B, T] waveforms ({complaint}); give `prepare`"
    )


def first_line(error: Exception) -> str:
    """Return what a foreign error says, short enough for a line of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _activations(encoder: ModuleEncoder, stage: str, waveforms: Tensor) -> Tensor:
    try:
        return encoder.activations(waveforms, [stage])[stage]
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{encoder.name}: refuses waveforms of {waveforms.shape[1]} samples ({first_line(error)}); "
            "`prepare` may pad them"
        ) from None


def _layout(encoder: ModuleEncoder, stage: str, length: int) -> Layout:
    plain, wide, long = (
        _activations(encoder, stage, _noise(encoder, batch, samples)).shape
        for batch, samples in ((2, length), (3, length), (2, 2 * length))
    )
    if not len(plain) == len(wide) == len(long):
        raise InputError(f"stage {stage!r}: gives tensors of varying rank, {tuple(plain)} and {tuple(long)}")
    batch = [axis for axis, size in enumerate(plain) if size != wide[axis]]
    time = [axis for axis, size in enumerate(plain) if size != long[axis]]
    if not time:
        raise InputError(
            f"stage {stage!r}: has no time axis: it is {tuple(plain)} whether {length} samples play or "
            f"{2 * length}; choose a stage before the pooling over time"
        )
    if len(time) > 1 or len(batch) != 1 or batch == time:
        raise InputError(
            f"stage {stage!r}: needs one batch axis and one time axis, has {len(batch)} and {len(time)} "
            f"in {tuple(plain)}"
        )
    return Layout(batch[0], time[0])


def _measure(encoder: ModuleEncoder, stage: str, length: int) -> Stage:
    output = _activations(encoder, stage, _noise(encoder, 1, length))
    hop, late = _hop(encoder, stage, length)
    measured = Stage(stage, output.shape[1], hop, None, max(0, late))
    if not output.is_floating_point():
        return replace(measured, kind="codes")
    field, latency = _field(encoder, stage, hop, length)
    if field is None:  # how late it is may then be known by its frames only
        return replace(measured, latency=max(latency, measured.latency))
    return replace(measured, receptive_field=field, latency=latency)


def _hop(encoder: ModuleEncoder, stage: str, length: int) -> tuple[int, int]:
    """Return the samples per frame, from the exact lengths at which one more frame appears.

    Also how many samples beyond ``t * hop`` must have played before frame t is there: without padding,
    the latency.
    """

    @cache
    def count(samples: int) -> int:
        return _activations(encoder, stage, _noise(encoder, 1, samples)).shape[-1]

    # frames per sample over a longer stretch bound the hop, the steps themselves tell it
    frames, longer = count(length), 2 * length
    while count(longer) < frames + 8 and 2 * longer <= LONGEST_S * encoder.sample_rate:
        longer *= 2
    more = count(longer) - frames
    lowest = (longer - length) // (more + 1) + 1
    highest = -((length - longer) // max(1, more - 1)) - 1 if more > 1 else longer - length
    first = bisect_left(
        range(length + highest), True, length + 1, key=lambda samples: count(samples) > frames
    )
    hop = bisect_left(range(highest), True, lowest, key=lambda step: count(first + step) > frames + 1)
    steady = 1 <= lowest <= hop <= highest and count(longer) == frames + 1 + (longer - first) // hop
    for k in (0, 1, 2, 7):
        steady = steady and (count(first + k * hop - 1), count(first + k * hop)) == (
            frames + k,
            frames + k + 1,
        )
    if not steady:
        raise InputError(
            f"stage {stage!r}: has no fixed hop of whole samples: {frames} frames at {length} samples, "
            f"{count(longer)} at {longer}"
        )
    return hop, first - 1 - frames * hop


def _field(encoder: ModuleEncoder, stage: str, hop: int, length: int) -> tuple[int | None, int]:
    """Return receptive field and latency, by what turns NaN; None where it grows with the waveform.

    NaN from a sample on, or up to one, rather than at one: what a frame sees may have gaps.
    """
    lengths = [max(length, 16 * hop)]
    while 4 * lengths[-1] <= LONGEST_S * encoder.sample_rate:
        lengths.append(4 * lengths[-1])

    def lost(samples: int, start: int, stop: int) -> Tensor:  # bool [F]
        spoilt = _noise(encoder, 1, samples)
        spoilt[:, start:stop] = torch.nan
        return _activations(encoder, stage, spoilt)[0].isnan().any(dim=0)

    def middle_lost(samples: int, start: int, stop: int) -> bool:
        frames = lost(samples, start, stop)
        return bool(frames[len(frames) // 2])

    samples = next((n for n in lengths if not middle_lost(n, n - 1, n)), None)
    if samples is None or not middle_lost(samples, 0, samples):  # it hears the end, or hides NaN
        return None, 0
    frames = len(lost(samples, 0, 0))
    centre, tail = frames // 2, samples - 4 * hop
    latencies = range(-centre * hop, samples - centre * hop)
    first_lost = frames - int(lost(samples, tail, samples).sum())
    if 0 < first_lost < frames:  # tells it to within a hop
        latencies = range(tail - first_lost * hop, tail - first_lost * hop + hop - 1)
    latency = latencies.start + bisect_left(
        latencies, True, key=lambda late: not middle_lost(samples, centre * hop + late + 1, samples)
    )
    later = (centre + 2) * hop + latency
    if not lost(samples, later, samples)[centre + 2] or lost(samples, later + 1, samples)[centre + 2]:
        raise InputError(
            f"stage {stage!r}: has no fixed hop: its frames are not evenly spaced over the samples"
        )

    longer = next((n for n in lengths if n >= samples and not middle_lost(n, 0, 1)), None)
    if longer is None:
        return None, latency
    centre, head = len(lost(longer, 0, 0)) // 2, 4 * hop
    last = centre * hop + latency
    fields = range(1, last + 2)
    lost_frames = int(lost(longer, 0, head).sum())
    if lost_frames > 0:
        fields = range((lost_frames - 1) * hop + latency + 2 - head, lost_frames * hop + latency + 1 - head)
    field = fields.start + bisect_left(fields, True, key=lambda f: not middle_lost(longer, 0, last - f + 1))
    # a module that hides NaN on one of its ways gives itself away when other sound plays around the field
    noise = _noise(encoder, 1, longer)
    elsewhere = noise.flip(-1)
    elsewhere[:, last - field + 1 : last + 1] = noise[:, last - field + 1 : last + 1]
    response, again = (_activations(encoder, stage, sound)[0, :, centre] for sound in (noise, elsewhere))
    return (field if _close(again, response) else None), latency


def _close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).norm() <= TOLERANCE * expected.norm())


def _find_kernels(encoder: ModuleEncoder, stage: str, length: int) -> None:
    """Make a stage a "convolution" if it is an affine function of its window, the same in every frame."""
    known = encoder.stages[stage]
    field = known.receptive_field or 1
    length = max(length, 2 * field + 16 * known.hop + abs(known.latency))
    one, two = _noise(encoder, 2, length)
    played = torch.stack([one + two, one, two, 0 * one])
    both, first, second, silence = _activations(encoder, stage, played)
    inside = _whole_frames(known, length, silence.shape[-1])
    bias = silence[:, inside.start, None]
    if not _close(silence[:, inside], bias.expand(-1, len(inside))):
        return
    if not _close(both - silence, first + second - 2 * silence):  # the cheap test, before the impulses
        return
    kernels = _impulse_kernels(encoder, stage, length, bias)
    start = inside.start * known.hop + known.latency - field + 1
    windows = one[start:].unfold(0, field, known.hop)[: len(inside)]  # [F, L]
    for gain in (0.1, 100.0):
        response = _activations(encoder, stage, gain * one[None])[0, :, inside]
        if not _close(response - bias, gain * kernels @ windows.T):
            return
    exact = _conv_weights(encoder.module.get_submodule(encoder.taps[stage]))
    if exact is not None and exact.shape == kernels.shape and _close(exact.to(kernels), kernels):
        kernels = exact
    encoder.stages[stage] = replace(known, kind="convolution")
    encoder._kernels[stage] = kernels.double().cpu().numpy()


def _whole_frames(stage: Stage, length: int, frames: int) -> range:
    """Return the frames whose whole field lies on the waveform."""
    before = (stage.receptive_field or 1) - 1 - stage.latency
    return range(max(0, -(-before // stage.hop)), min(frames, (length - 1 - stage.latency) // stage.hop + 1))


def _impulse_kernels(encoder: ModuleEncoder, stage: str, length: int, bias: Tensor) -> Tensor:  # [C, L]
    """Read kernels off the answers to impulses at `hop` neighbouring samples; each gives every hop-th tap."""
    known = encoder.stages[stage]
    field, hop = known.receptive_field or 1, known.hop
    kernels = torch.zeros(known.channels, field, device=bias.device)
    for positions in torch.arange(field, field + hop).split(64):
        impulses = torch.zeros(len(positions), length)
        impulses[torch.arange(len(positions)), positions] = 1
        answers = _activations(encoder, stage, impulses) - bias
        for answer, position in zip(answers, positions.tolist(), strict=True):
            newest = -(-(position - known.latency) // hop)  # the first frame that sees the impulse
            taps = list(range(position - (newest * hop + known.latency - field + 1), -1, -hop))
            kernels[:, taps] = answer[:, newest : newest + len(taps)]
    return kernels


def _conv_weights(module: nn.Module) -> Tensor | None:
    """Return the kernels of a `Conv1d` that hears one channel, with zeros where it is dilated."""
    if not isinstance(module, nn.Conv1d) or module.in_channels != 1:
        return None
    weight = module.weight.detach().double()[:, 0]
    (dilation,) = module.dilation
    kernels = weight.new_zeros(len(weight), (weight.shape[1] - 1) * dilation + 1)
    kernels[:, ::dilation] = weight
    return kernels
