"""Layout, hop, receptive field and kernels of a wrapped module's stages, found out by running it."""

from __future__ import annotations

import inspect
import traceback
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .base import ModuleEncoder, Stage
from .chance import seed_all
from .fields import LONGEST_S, find_field
from .layouts import Layout
from .taps import tapped_module
from .trimming import Trim

TOLERANCES = {torch.float16: 5e-3, torch.bfloat16: 4e-2}  # the same in half precision
CHANNELS = (2, 4, 6, 8)  # that modules take which take neither one nor none
LENGTHS = 6  # of waveforms, each twice as long: from a quarter of a second to 16
OTHER_FORMS = "give `prepare`, which makes what it takes, or `piece` if it takes one length only"
TOLERANCE = 1e-4  # of an activation's norm; float32 convolutions keep within 1e-5


def noise_for(encoder: ModuleEncoder, batch: int, length: int) -> Tensor:
    """Return what modules are tried with, float32 [batch, length] on the encoder's device."""
    generator = torch.Generator().manual_seed(length)
    return (0.1 * torch.randn(batch, length, generator=generator)).to(encoder.device)


def usual_lengths(sample_rate: int) -> list[int]:
    """Return the lengths at which modules are tried: a quarter of a second, and twice as long each time."""
    longest = int(LONGEST_S * sample_rate)
    first = max(1, sample_rate // 4)
    return [first * 2**i for i in range(LENGTHS) if first * 2**i <= longest]


def find_input(
    encoder: ModuleEncoder, forms: Mapping[str, Callable[[Tensor], Any]], lengths: Sequence[int]
) -> tuple[int, list[str]]:
    """Settle on a form and a length that the module takes; also return the stages in their order."""
    complaints: dict[str, str] = {}
    # a batch of two may be taken for two channels
    for batch, length, (name, form) in product((3, 1), lengths, forms.items()):
        encoder._prepare, encoder.singly = form, batch == 1
        try:
            with torch.inference_mode():
                noise = noise_for(encoder, batch, length)
                return length, list(ModuleEncoder._activations(encoder, noise, list(encoder.stages)))
        except InputError:
            raise
        except Exception as error:  # whatever a module may raise at what it does not take
            if batch > 1:
                complaints[name] = first_line(error)
    if channels := _channels_taken(encoder, forms, lengths):
        raise InputError(
            f"{encoder.name}: takes {channels} channels; give "
            f"`prepare=lambda x: x[:, None].expand(-1, {channels}, -1)`"
        )
    raise InputError(f"{encoder.name}: {_refusal(encoder.module, complaints)}")


def _channels_taken(
    encoder: ModuleEncoder, forms: Mapping[str, Callable[[Tensor], Any]], lengths: Sequence[int]
) -> int | None:
    """Return how many channels a module takes that takes neither one nor none; None if it is not that."""
    if "[B, 1, T]" not in forms:  # but what `prepare` makes
        return None
    for channels, length in product(CHANNELS, lengths[:2]):
        sounds = forms["[B, 1, T]"](noise_for(encoder, 3, length))
        with torch.inference_mode(), suppress(Exception):
            encoder.module(sounds.expand(-1, channels, -1))
            return channels
    return None


def _refusal(module: nn.Module, complaints: Mapping[str, str]) -> str:
    """Say why a module takes none of some forms of waveforms."""
    if more := _needed_besides(module):
        return (
            f"its forward pass needs {', '.join(more)} besides the waveforms; wrap a module that hands it on"
        )
    if len(complaints) == 1:
        form, said = next(iter(complaints.items()))
        return f"cannot be run on {form} ({said})"
    if len(set(complaints.values())) == 1:
        return f"its forward pass fails ({next(iter(complaints.values()))}); {OTHER_FORMS}"
    said = " nor ".join(f"{form} ({said})" for form, said in complaints.items())
    return f"takes neither {said}; {OTHER_FORMS}"


def _needed_besides(module: nn.Module) -> list[str]:
    """Return what else a module's forward has to be given."""
    module = getattr(module, "scripted", module)
    if isinstance(module, torch.jit.ScriptModule):
        schema: Any = getattr(module.forward, "schema", None)
        return [one.name for one in schema.arguments[2:] if not one.has_default_value()] if schema else []
    try:
        wanted = list(inspect.signature(module.forward).parameters.values())[1:]
    except (TypeError, ValueError):
        return []
    return [
        p.name for p in wanted if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]


def first_line(error: Exception) -> str:
    """Return what a foreign error says, short enough for a line of ours.

    Of an error in a script it is the last line, which has the cause; of one that says nothing, where it is.
    """
    said = str(error).strip().splitlines()
    if not said:
        where = traceback.extract_tb(error.__traceback__)[-1:]
        said = [f"{type(error).__name__}{f' at: {where[0].line}' if where and where[0].line else ''}"]
    return said[-1 if "TorchScript interpreter" in said[0] else 0][:160]


def _activations(encoder: ModuleEncoder, stage: str, waveforms: Tensor, seed: int = 0) -> Tensor:
    """Return what a stage gives; of a seed the same, where it has noise of its own."""
    if stage in encoder.noisy and len(waveforms) > 1:  # the same noise in every row
        return torch.cat([_activations(encoder, stage, row, seed) for row in waveforms.split(1)])
    seed_all(encoder.module, seed)
    try:
        return encoder.activations(waveforms, [stage])[stage]
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{encoder.name}: refuses waveforms of {waveforms.shape[1]} samples ({first_line(error)}); "
            "`prepare` may pad them, or `piece` cut them to the one length that it takes"
        ) from None


def layout_of(encoder: ModuleEncoder, stage: str, length: int) -> Layout:
    """Find the axes of a stage by varying batch and length."""
    rows = (1, 1) if encoder.singly else (2, 3)
    plain, wide = (_activations(encoder, stage, noise_for(encoder, b, length)).shape for b in rows)
    longer = length
    for _ in range(LENGTHS):  # of which the last gives two frames of a hop of some seconds
        longer *= 2
        long = _activations(encoder, stage, noise_for(encoder, rows[0], longer)).shape
        if long != plain:
            break
    if encoder.singly:  # a batch of one is the first axis that has always one
        alone = next((axis for axis, size in enumerate(plain) if size == 1), None)
        wide = torch.Size(size + (axis == alone) for axis, size in enumerate(plain))
    return _axes(stage, plain, wide, long)


def layouts_of(encoder: ModuleEncoder, stages: Sequence[str], length: int, longer: int) -> dict[str, Layout]:
    """Do what `layout_of` does for many stages, each of which gives more frames of `longer` waveforms."""
    runs = [
        encoder.activations(noise_for(encoder, batch, samples), stages)
        for batch, samples in ((2, length), (3, length), (2, longer))
    ]
    return {stage: _axes(stage, *(found[stage].shape for found in runs)) for stage in stages}


def _axes(stage: str, plain: torch.Size, wide: torch.Size, long: torch.Size) -> Layout:
    """Return the axes that the size of a batch and the length of the waveforms tell."""
    if not len(plain) == len(wide) == len(long):
        raise InputError(f"stage {stage!r}: gives tensors of varying rank, {tuple(plain)} and {tuple(long)}")
    batch = [axis for axis, size in enumerate(plain) if size != wide[axis]]
    time = [axis for axis, size in enumerate(plain) if size != long[axis]]
    if not time:
        raise InputError(
            f"stage {stage!r}: has no time axis: it is {tuple(plain)} however long "
            "the waveforms are; choose a stage before the pooling over time"
        )
    if len(time) > 1 or len(batch) != 1 or batch == time:
        raise InputError(
            f"stage {stage!r}: needs one batch axis and one time axis, has {len(batch)} and {len(time)} "
            f"in {tuple(plain)}"
        )
    return Layout(batch[0], time[0])


def measured_stage(
    encoder: ModuleEncoder, stage: str, length: int, trim: Trim, fixed: Sequence[str] = ()
) -> Stage:
    """Return a stage as it is measured; see `wrap`. `trim` gets to know where frames come several at once."""
    output = _activations(encoder, stage, noise_for(encoder, 1, length))
    hop, late, steps = _hop(encoder, stage, length)
    if steps > 1:
        trim.grid[stage] = hop, late
    measured = Stage(stage, output.shape[1], hop, None, max(0, late))
    if not output.is_floating_point():
        return replace(measured, kind="codes")
    play, noise = partial(_activations, encoder, stage), partial(noise_for, encoder, 1)
    field, latency = find_field(encoder, stage, play, noise, (hop, late, steps), length, fixed)
    if field is None:  # how late it is may then be known by its frames only
        return replace(measured, latency=max(latency, measured.latency))
    return replace(measured, receptive_field=field, latency=latency)


def _hop(encoder: ModuleEncoder, stage: str, length: int) -> tuple[int, int, int]:
    """Return the samples per frame, from the exact lengths at which frames appear.

    Also how many samples beyond ``t * hop`` must have played before frame t is there (without padding, the
    latency), and how many frames appear at once: more than one where the module pads what it is given.
    """

    @cache
    def count(samples: int) -> int:
        return _activations(encoder, stage, noise_for(encoder, 1, samples)).shape[-1]

    def next_step(start: int, width: int) -> int:  # the first length beyond `start` with more frames
        while count(start + width) == count(start) and width < LONGEST_S * encoder.sample_rate:
            width *= 2
        steps = range(start + width + 1)
        return bisect_left(steps, True, start + 1, key=lambda samples: count(samples) > count(start))

    # frames per sample over a longer stretch bound the hop, the steps themselves tell it
    frames, longer = count(length), 2 * length
    while count(longer) < frames + 8 and 2 * longer <= LONGEST_S * encoder.sample_rate:
        longer *= 2
    guess = (longer - length) // max(1, count(longer) - frames) + 1
    first = next_step(length, guess)
    step = next_step(first, guess) - first
    at_once = count(first) - frames
    hop = step // max(1, at_once)
    steady = hop > 0 and hop * at_once == step
    steady = steady and count(longer) == frames + at_once * (1 + (longer - first) // step)
    for k in (0, 1, 2, 7):
        expected = frames + k * at_once, frames + (k + 1) * at_once
        steady = steady and (count(first + k * step - 1), count(first + k * step)) == expected
    if not steady:
        raise InputError(
            f"stage {stage!r}: has no fixed hop of whole samples: {frames} frames at {length} samples, "
            f"{count(longer)} at {longer}"
        )
    return hop, first - 1 - frames * hop, at_once


def _close(found: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> bool:
    return bool((found - expected).norm() <= tolerance * expected.norm())


def find_kernels(encoder: ModuleEncoder, stage: str, length: int) -> None:
    """Make a stage a "convolution" if it is an affine function of its window, the same in every frame."""
    known = encoder.stages[stage]
    field = known.receptive_field or 1
    length = max(length, 3 * field + 16 * known.hop + 2 * abs(known.latency))
    one, two = noise_for(encoder, 2, length)
    played = torch.stack([one + two, one, two, 0 * one])
    both, first, second, silence = _activations(encoder, stage, played)
    inside = _whole_frames(known, length, silence.shape[-1])
    steady = silence[:, inside.start, None].expand(-1, len(inside))
    if stage not in encoder.noisy and not _close(silence[:, inside], steady, _tolerance(encoder)):
        return
    cheap = _tolerance(encoder)  # before the impulses
    if not _close(both - silence, first + second - 2 * silence, cheap):
        return
    start = inside.start * known.hop + known.latency - field + 1
    windows = one[start:].double().unfold(0, field, known.hop)[: len(inside)]  # [F, L]
    exact = _conv_weights(tapped_module(encoder.module, encoder.taps[stage])[0])
    if exact is not None and exact.shape != (known.channels, field):
        exact = None
    kernels = exact if exact is None or _follows(encoder, stage, one, windows, exact, inside) else None
    if kernels is None:  # something before or behind the layer may scale
        kernels = _impulse_kernels(encoder, stage, silence, length).double()
        if not _follows(encoder, stage, one, windows, kernels, inside):
            return
    encoder.stages[stage] = replace(known, kind="convolution")
    encoder._kernels[stage] = kernels.cpu().numpy()


def _follows(
    encoder: ModuleEncoder, stage: str, sound: Tensor, windows: Tensor, kernels: Tensor, inside: range
) -> bool:
    """Whether kernels [C, L] tell what comes of a sound [T], at two levels and with other noise each time."""
    tried = 0
    for seed, gain in enumerate((0.1, 100.0), start=1):  # noise that multiplies is another each time
        try:
            silent, response = _activations(encoder, stage, torch.stack([0 * sound, gain * sound]), seed)
        except InputError:  # a module may refuse what is so loud
            continue
        tried += 1
        expected = gain * kernels @ windows.T
        if not _close((response - silent)[:, inside].double(), expected, _tolerance(encoder)):
            return False
    return tried > 0


def _tolerance(encoder: ModuleEncoder) -> float:
    """Return what rounding may make of an activation's norm, in a module's own precision."""
    tensor = next((one for one in encoder.module.parameters() if one.is_floating_point()), None)
    return TOLERANCES.get(torch.float32 if tensor is None else tensor.dtype, TOLERANCE)


def _whole_frames(stage: Stage, length: int, frames: int) -> range:
    """Return the frames whose whole field lies on the waveform."""
    before = (stage.receptive_field or 1) - 1 - stage.latency
    return range(max(0, -(-before // stage.hop)), min(frames, (length - 1 - stage.latency) // stage.hop + 1))


def _impulse_kernels(encoder: ModuleEncoder, stage: str, silence: Tensor, length: int) -> Tensor:  # [C, L]
    """Read kernels off the answers to impulses at `hop` neighbouring samples; each gives every hop-th tap."""
    known = encoder.stages[stage]
    field, hop = known.receptive_field or 1, known.hop
    kernels = torch.zeros(known.channels, field, device=silence.device)
    first = field + max(0, known.latency)  # so that frames see the impulses, where the first are cropped
    for positions in torch.arange(first, first + hop).split(64):
        impulses = torch.zeros(len(positions), length)
        impulses[torch.arange(len(positions)), positions] = 1
        answers = _activations(encoder, stage, impulses) - silence
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
