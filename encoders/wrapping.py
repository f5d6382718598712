"""Any torch module as an encoder: layout, hop and receptive field are found out by running it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..synth.errors import InputError
from .base import ModuleEncoder, Stage, Weights
from .chance import chance_unchanged, seed_all
from .decoding import Decoder, decoder_of, let_decode
from .drawing import check_unused, copied, drawn_anew, shuffle_buffers
from .given import Given, check_holds_values, named, uncompiled, warn_of_near_names, whole
from .layouts import Layout, first_tensor, with_first_tensor
from .measuring import (
    find_input,
    find_kernels,
    layout_of,
    layouts_of,
    measured_stage,
    noise_for,
    usual_lengths,
)
from .pieces import PieceEncoder, one_frame, piece_stages
from .preserving import Kept, unchanged
from .redrawing import redrawn, through_stages
from .repeatability import settle
from .resuming import ResumableEncoder
from .taps import check_calls, check_tap, listed
from .trimming import Trim
from .weights import fill_from, is_fixed, state_sha256, tensors_in


def wrap(
    module: nn.Module,
    sample_rate: int,
    stages: Mapping[str, str] | Sequence[str],
    name: str | None = None,
    prepare: Callable[[Tensor], Any] | None = None,
    fixed: Sequence[str] = (),
    decode: Decoder | None = None,
    make: Callable[[], nn.Module] | None = None,
    piece: int | None = None,
) -> ModuleEncoder:
    """Make an encoder of a torch module, which is put into evaluation mode.

    Everything a `Stage` states is measured: the axes by varying batch and length, the hop by the
    lengths at which a frame is added, receptive field and latency by the frames that turn NaN when
    part of the waveform does (exact, and not deceived by weights that are zero), or, where NaN is taken
    out or tables leave samples out, by those that change when other sound plays. Where every frame depends
    on every sample, if by rounding alone (a convolution by the Fourier transform of the whole waveform),
    there is no field. A stage that follows the samples as a fixed affine function is a "convolution", and
    its kernels are read off impulses, or off the weights where it is a plain `Conv1d` on the waveform.

    Parameters
    ----------
    module : nn.Module
        Takes [B, 1, T] or [B, T] (found out by running), or what `prepare` makes. Afterwards it is as it was
        before, to the bit, but for its mode; lazy parameters are there.
    sample_rate : int > 0
        Samples per second of the waveforms it expects.
    stages : mapping of str to str, or sequence of str
        Stage name -> submodule name, as in ``module.named_modules()``. Use the canonical names
        (`CANONICAL_STAGES`) where they apply; names of submodules alone are names of stages too. Of a tuple,
        the first tensor is recorded; axes other than batch and time become channels. Integers are codes. Of
        a submodule that is called several times name the call, counted from 0: "act:1". "" is the module's
        own output, the only one of a scripted module.
    name : str, optional
        By default the module's class.
    prepare : callable, optional
        float32 [B, T] -> what `module` takes.
    fixed : sequence of str
        Submodules that are no weights but a basis (a Fourier transform kept as a convolution, a mel
        filterbank): they stay as they are in every baseline.
    decode : str or callable, optional
        What goes back from the stage `latent` (or `quantized`, where there is no latent) to sound: the name
        of a submodule; or a function ``decode(module, latent)``, an unbound method, say, which is handed the
        module since baselines have one of their own. It takes the latent in the axes that the module gives
        it in, and returns waveforms [B, T] or [B, 1, T] of ``F * hop`` samples. `interventions` need it.
    make : callable, optional
        Returns another network of this architecture, untrained, drawn from torch's random state. Needed for
        random baselines only where nothing else says how something is drawn.
    piece : int, optional
        For a module that takes waveforms of one length, or frames of so many samples: each waveform is played
        to it in pieces of this length, one after the other, of which none knows of another.

    Returns
    -------
    ModuleEncoder
        Its stages are in the order in which the module reaches them. ``noisy`` names those with noise of
        their own in the forward pass.

    Raises
    ------
    InputError
        If a stage is not there, gives no tensor, has no time axis, or has no fixed hop; if the
        module takes no waveforms, a weight is NaN, or `decode` gives something else.

    Warns
    -----
    UserWarning
        If the name of a stage is nearly a canonical one; if what the module answers to a sound depends on
        chance, on what it heard before or on the other sounds of a batch. It is then played so that it
        depends on the sound alone; noise stays.

    Examples
    --------
    >>> encoder = wrap(nn.Sequential(nn.Conv1d(1, 4, 10, stride=5), nn.ReLU()), 16_000, {"first_layer": "0"})
    >>> first = encoder.stages["first_layer"]
    >>> first.channels, first.hop, first.receptive_field, first.latency, first.kind
    (4, 5, 10, 9, 'convolution')
    """
    stages = named(stages)
    module, taps = uncompiled(module, [*stages.values(), *fixed])
    stages, fixed = dict(zip(stages, taps, strict=False)), taps[len(stages) :]
    name = name or type(module).__name__
    if not stages:
        there = [one for one, _ in module.named_modules() if one]
        raise InputError(f"{name}: no stages given; its submodules are {listed(there)}")
    for stage, submodule in stages.items():
        check_tap(f"stage {stage!r}", name, module, submodule)
    for submodule in fixed:
        check_tap("fixed", name, module, submodule)
    check_holds_values(name, module)
    if isinstance(module, torch.jit.ScriptModule):
        module = _Scripted(module)
    warn_of_near_names(stages)
    own = decoder_of(decode, name, module)
    rate = whole("sample_rate", sample_rate)
    given = Given(rate, dict(stages), name, prepare, tuple(fixed), own, make, piece)
    encoder = _wrapped(module, given)
    if encoder.weights.note:
        warnings.warn(f"{name}: {encoder.weights.note}", stacklevel=2)
    return encoder


def wrap_known(
    module: nn.Module,
    sample_rate: int,
    taps: Mapping[str, str],
    stages: Mapping[str, Stage],
    name: str,
    prepare: Callable[[Tensor], Any] | None = None,
    decode: Decoder | None = None,
    make: Callable[[], nn.Module] | None = None,
) -> ModuleEncoder:
    """Do what `wrap` does where the geometry follows from how a module is built: a few runs are enough.

    Parameters
    ----------
    module, sample_rate, name, prepare, decode, make
        As of `wrap`.
    taps : mapping of str to str
        Stage name -> submodule name.
    stages : mapping of str to Stage
        What is known of each; channels are counted, and kernels are found of each "convolution".
    """
    own = decoder_of(decode, name, module)
    given = Given(int(sample_rate), dict(taps), name, prepare, (), own, make, None)
    return _wrapped(module, given, stages)


class _Scripted(nn.Module):
    """A scripted module, which takes no hooks itself."""

    def __init__(self, scripted: nn.Module) -> None:
        super().__init__()
        self.scripted = scripted

    def forward(self, waveforms: Tensor) -> Any:
        return self.scripted(waveforms)


@dataclass(frozen=True)
class Measured:
    """What was found out about an architecture: a length it takes, axes, and how it has to be played."""

    length: int
    layouts: Mapping[str, Layout]
    said: str
    bounded: tuple[str, ...]  # stages that may have kernels


def _wrapped(module: nn.Module, given: Given, known: Mapping[str, Stage] | None = None) -> ModuleEncoder:
    was_lazy = any(map(is_lazy, module.parameters()))
    with chance_unchanged(module):
        encoder = _unmeasured(module, given)
        if was_lazy:
            _make_parameters(encoder, _forms(module, given.prepare, Trim()))
        with unchanged(module) as kept:
            found = _measure(encoder, given, kept, known)
    if given.decoder is not None:
        let_decode(encoder, given.decoder, found.layouts, found.length)
    _let_redraw(encoder, given, found)
    return encoder


def _unmeasured(module: nn.Module, given: Given) -> ModuleEncoder:
    stages = {stage: Stage(stage, 1, 1, None, 0) for stage in given.stages}
    about = given.name, module, given.sample_rate, stages, given.stages, Weights("given", "")
    if given.piece is not None:
        return PieceEncoder(*about, read=first_tensor, piece=whole("piece", given.piece))
    kind = ResumableEncoder if len(set(given.stages.values())) > 1 else ModuleEncoder
    return kind(*about, read=first_tensor)


def _measure(encoder: ModuleEncoder, given: Given, kept: Kept, known: Mapping[str, Stage] | None) -> Measured:
    """Find out everything about an encoder by running it, but for what is known."""
    module = encoder.module
    state = tensors_in(module)
    spoilt = next((key for key, v in state.items() if v.is_floating_point() and v.isnan().any()), None)
    if spoilt is not None:
        raise InputError(f"{encoder.name}: {spoilt} holds NaN; every weight must be a number")
    sha256 = state_sha256(state)
    lengths = usual_lengths(given.sample_rate) if given.piece is None else [given.piece]
    trim = Trim()
    length, order = find_input(encoder, _forms(module, given.prepare, trim), lengths)
    layouts: dict[str, Layout] = {}
    if known is None:
        check_calls(module, encoder.taps, lambda: module(encoder._prepare(noise_for(encoder, 1, length))))
    if isinstance(encoder, PieceEncoder):
        about = piece_stages(encoder, order)
        encoder.stages = {stage: found for stage, (found, _) in about.items()}
        layouts = {stage: layout for stage, (_, layout) in about.items() if layout is not None}
    elif known is not None:
        longer = length + 2 * max(stage.hop for stage in known.values())
        layouts = layouts_of(encoder, order, length, longer)
    else:
        layouts = {stage: layout_of(encoder, stage, length) for stage in order}
    encoder._read = partial(_recorded, encoder.stages, layouts, trim)
    if isinstance(encoder, ResumableEncoder):
        encoder._write = lambda stage, output, changed: with_first_tensor(
            output, lambda own: layouts[stage].restore(own, changed)
        )
    said = settle(encoder, length, kept) if known is None else ""
    encoder.weights = Weights("given", sha256, said)
    if known is not None:
        runs = encoder.activations(noise_for(encoder, 1, length), order)
        encoder.stages = {stage: replace(known[stage], channels=runs[stage].shape[1]) for stage in order}
        bounded = tuple(stage for stage in order if known[stage].is_linear)
    else:
        if not isinstance(encoder, PieceEncoder):
            encoder.stages = {s: measured_stage(encoder, s, length, trim, given.fixed) for s in order}
        bounded = tuple(s for s, about in encoder.stages.items() if about.receptive_field is not None)
    if isinstance(encoder, ResumableEncoder):
        encoder._reached |= dict.fromkeys(trim.grid, ())  # what follows sees frames that are left out
    _read_kernels(encoder, bounded, length)
    return Measured(length, layouts, said, bounded)


def _recorded(
    stages: Mapping[str, Stage], layouts: Mapping[str, Layout], trim: Trim, stage: str, output: Any
) -> Tensor:
    """Return what a submodule gives as [B, C, F]; cloned, since modules further on may work in place."""
    if stage in layouts:
        tensor = first_tensor(stage, output)
        if tensor.ndim <= max(layouts[stage].batch, layouts[stage].time):
            raise InputError(
                f"stage {stage!r}: gives {tuple(tensor.shape)}, with an axis less than of other waveforms; "
                "axes of one must stay"
            )
        found = trim.due(stage, layouts[stage].arrange(tensor)).clone()
    else:
        found = one_frame(stage, output, stages[stage].channels).clone()
    return found.float() if found.is_floating_point() else found


def _forms(
    module: nn.Module, prepare: Callable[[Tensor], Any] | None, trim: Trim
) -> dict[str, Callable[[Tensor], Any]]:
    """Return the forms of waveforms to try, in the module's own precision; `trim` is told their length."""

    def own(waveforms: Tensor) -> Tensor:  # which a module may work in place on
        trim.samples = waveforms.shape[1]
        return waveforms.clone(memory_format=torch.contiguous_format)

    if prepare is not None:
        return {getattr(prepare, "form", "what `prepare` makes"): lambda waveforms: prepare(own(waveforms))}
    tensor = next((one for one in module.parameters() if one.is_floating_point()), None)
    dtype = torch.float32 if tensor is None else tensor.dtype
    return {
        "[B, 1, T]": lambda waveforms: own(waveforms)[:, None].to(dtype),
        "[B, T]": lambda waveforms: own(waveforms).to(dtype),
    }


def _make_parameters(encoder: ModuleEncoder, forms: Mapping[str, Callable[[Tensor], Any]]) -> None:
    """Run a module of lazy parameters once, which is what makes them."""
    for form in forms.values():
        with torch.no_grad(), suppress(Exception):  # whether it runs at all is found out later
            encoder.module(form(noise_for(encoder, 2, encoder.sample_rate)))


def _let_redraw(encoder: ModuleEncoder, given: Given, found: Measured) -> None:
    """Give an encoder what draws its baselines, and what fills it from a file."""
    module, name = encoder.module, given.name
    play = through_stages(encoder, found.length)

    def draw(kind: str, seed: int) -> nn.Module:
        if kind == "permuted":
            return copied(name, module)
        twin, left = drawn_anew(name, module, seed, given.fixed, given.make)
        if left:
            check_unused(encoder, twin, left, found.length)
        return twin

    def randomised(seed: int, kind: str = "random") -> ModuleEncoder:
        with chance_unchanged(module):
            seed_all(module, seed)
            drawn = draw(kind, seed)
            with _as_it_starts(drawn, play) if encoder.restores else nullcontext():
                twin, note = redrawn(kind, module, lambda: drawn, play, seed, given.fixed)
            if kind == "permuted":
                shuffle_buffers(twin, given.fixed, seed)
        if may_differ and state_sha256(tensors_in(twin)) == state_sha256(tensors_in(module)):
            raise InputError(f"{name}: no {kind} baseline: nothing of it is drawn, the weights are the same")
        return _twin(encoder, twin, given, found, kind, note)

    def filled(path: str | Path) -> ModuleEncoder:
        form = fill_from(module, path)
        encoder.weights = Weights(str(path), state_sha256(tensors_in(module)), found.said).noted(form)
        with chance_unchanged(module), unchanged(module):
            _read_kernels(encoder, found.bounded, found.length)  # all else follows from the architecture
        return encoder

    encoder.filled = filled
    parameters = [key for key, _ in module.named_parameters()]
    may_differ = given.make is not None or not all(is_fixed(key, given.fixed) for key in parameters)
    if given.make is not None or parameters:
        encoder.randomised = randomised  # where there is something to draw, or said to be fixed


@contextmanager
def _as_it_starts(network: nn.Module, play: Callable[[nn.Module], Any]) -> Iterator[None]:
    """Let weights change, and put back what a network keeps of what it hears."""
    kept = Kept(network)
    play(network)
    kept.narrow()
    kept.restore()
    yield
    kept.restore()


def _twin(
    encoder: ModuleEncoder, module: nn.Module, given: Given, found: Measured, kind: str, note: str
) -> ModuleEncoder:
    """Return an encoder of a module with other weights: all but the kernels follows from the architecture."""
    twin = copy.copy(encoder)
    twin.module, twin._kernels = module.eval(), {}
    twin.stages = {
        name: replace(stage, kind="nonlinear") if stage.is_linear else stage
        for name, stage in encoder.stages.items()
    }
    twin.weights = Weights(kind, state_sha256(tensors_in(module)), found.said).noted(note)
    with chance_unchanged(module), unchanged(module):
        _read_kernels(twin, found.bounded, found.length)
    if given.decoder is not None:
        let_decode(twin, given.decoder, found.layouts, found.length)
    _let_redraw(twin, given, found)
    return twin


def _read_kernels(encoder: ModuleEncoder, stages: Sequence[str], length: int) -> None:
    for stage in stages:
        find_kernels(encoder, stage, length)
