"""Any torch module as an encoder: layout, hop and receptive field are found out by running it."""

from __future__ import annotations

import copy
import difflib
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .base import CANONICAL_STAGES, ModuleEncoder, Stage, Weights
from .layouts import Layout, first_tensor, with_first_tensor
from .measuring import find_input, find_kernels, first_line, layout_of, measured_stage, noise_for
from .redrawing import redrawn, through_stages
from .resuming import ResumableEncoder
from .weights import fill, read_state, state_sha256

Decoder = str | nn.Module | Callable[..., Any]


def wrap(
    module: nn.Module,
    sample_rate: int,
    stages: Mapping[str, str] | Sequence[str],
    name: str | None = None,
    prepare: Callable[[Tensor], Any] | None = None,
    fixed: Sequence[str] = (),
    decode: Decoder | None = None,
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
    stages : mapping of str to str, or sequence of str
        Stage name -> submodule name, as in ``module.named_modules()``. Use the canonical names
        (`CANONICAL_STAGES`) where they apply; names of submodules alone are names of stages too. Of a tuple,
        the first tensor is recorded; axes other than batch and time become channels. Integers are codes.
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

    Returns
    -------
    ModuleEncoder
        Its stages are in the order in which the module reaches them.

    Raises
    ------
    InputError
        If a stage is not there, gives no tensor, has no time axis, or has no fixed hop; if the
        module takes no waveforms, a weight is NaN, or `decode` gives something else.

    Warns
    -----
    UserWarning
        If the name of a stage is nearly a canonical one.

    Examples
    --------
    >>> encoder = wrap(nn.Sequential(nn.Conv1d(1, 4, 10, stride=5), nn.ReLU()), 16_000, {"first_layer": "0"})
    >>> first = encoder.stages["first_layer"]
    >>> first.channels, first.hop, first.receptive_field, first.latency, first.kind
    (4, 5, 10, 9, 'convolution')
    """
    name = name or type(module).__name__
    stages = _named(stages)
    if not stages:
        raise InputError(f"{name}: no stages given; its submodules are {_listed(_submodules(module))}")
    for stage, submodule in stages.items():
        _check_submodule(f"stage {stage!r}", name, module, submodule)
    for submodule in fixed:
        _check_submodule("fixed", name, module, submodule)
    _warn_of_near_names(stages)
    return _wrapped(module, sample_rate, stages, name, prepare, fixed, _decoder(decode, name, module))


def _wrapped(
    module: nn.Module,
    sample_rate: int,
    stages: Mapping[str, str],
    name: str,
    prepare: Callable[[Tensor], Any] | None,
    fixed: Sequence[str],
    decoder: Callable[[nn.Module, Tensor], Any] | None,
) -> ModuleEncoder:
    """Do what `wrap` does, with what it was given in one form."""
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
    length, order = find_input(encoder, forms if prepare is None else [prepare])
    layouts = {stage: layout_of(encoder, stage, length) for stage in order}
    # cloned, since modules further on may work in place
    encoder._read = lambda stage, output: layouts[stage].arrange(first_tensor(stage, output)).clone()
    if isinstance(encoder, ResumableEncoder):
        encoder._write = lambda stage, output, changed: with_first_tensor(
            output, lambda own: layouts[stage].restore(own, changed)
        )
    encoder.stages = {stage: measured_stage(encoder, stage, length) for stage in order}
    _read_kernels(encoder, length)
    if decoder is not None:
        _let_decode(encoder, decoder, layouts, length)
    play = through_stages(encoder, length)

    def randomised(seed: int, kind: str = "random") -> ModuleEncoder:
        draw = partial(_copied, name, module, None if kind == "permuted" else seed, fixed)
        twin, note = redrawn(kind, module, draw, play, seed, fixed)
        drawn = _wrapped(twin, sample_rate, stages, name, prepare, fixed, decoder)
        drawn.weights = replace(drawn.weights, source=kind, note=note)
        return drawn

    def filled(path: str | Path) -> ModuleEncoder:
        left_out = fill(module, read_state(path), str(path))
        encoder.weights = Weights(str(path), state_sha256(module.state_dict()), left_out)
        _read_kernels(encoder, length)  # all else follows from the architecture
        return encoder

    encoder.randomised, encoder.filled = randomised, filled
    return encoder


def _read_kernels(encoder: ModuleEncoder, length: int) -> None:
    for stage, about in encoder.stages.items():
        if about.receptive_field is not None:
            find_kernels(encoder, stage, length)


def _named(stages: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """Return stages by name; those that are given as submodules alone by the submodule's."""
    if isinstance(stages, Mapping):
        return dict(stages)
    names = [stages] if isinstance(stages, str) else stages
    return {name: name for name in names}


def _warn_of_near_names(stages: Mapping[str, str]) -> None:
    for stage in stages:
        near = difflib.get_close_matches(stage, CANONICAL_STAGES, 1, 0.8)
        if near and stage not in CANONICAL_STAGES and not re.fullmatch(r"quantized_\d+", stage):
            warnings.warn(
                f"stage {stage!r}: is taken for the model's own name; the canonical one is {near[0]!r}",
                stacklevel=3,
            )


def _decoder(
    decode: Decoder | None, name: str, module: nn.Module
) -> Callable[[nn.Module, Tensor], Any] | None:
    """Return what decodes by a module, that of a baseline as well."""
    if isinstance(decode, nn.Module):
        own = next((n for n, one in module.named_modules() if one is decode), None)
        if own is None:
            raise InputError(f"decode: is no submodule of {name}; baselines could not have one of their own")
        decode = own
    if isinstance(decode, str):
        _check_submodule("decode", name, module, submodule := decode)
        return lambda module, latent: module.get_submodule(submodule)(latent)
    if getattr(decode, "__self__", None) is module:
        return decode.__func__  # type: ignore[union-attr]
    return decode


def _let_decode(
    encoder: ModuleEncoder,
    decoder: Callable[[nn.Module, Tensor], Any],
    layouts: Mapping[str, Layout],
    length: int,
) -> None:
    """Give an encoder `decode`, and try it."""
    stage = next((s for s in ("latent", "quantized") if s in encoder.stages), None)
    if stage is None:
        raise InputError(f"decode: takes the stage 'latent'; {encoder.name} has {', '.join(encoder.stages)}")
    found: dict[str, Tensor] = {}
    arrange, encoder._read = encoder._read, first_tensor
    with torch.inference_mode(), encoder._recording([stage], found):
        encoder._forward(noise_for(encoder, 2, length))
    encoder._read = arrange
    shape, layout = tuple(found[stage].shape), layouts[stage]

    def decode(latent: Tensor, scale: Tensor | None = None) -> Tensor:
        there = latent.to(encoder.device, torch.float32)
        with torch.inference_mode():
            sound = first_tensor("decode", decoder(encoder.module, layout.disarranged(there, shape)))
        return sound[:, 0] if sound.ndim == 3 and sound.shape[1] == 1 else sound

    latent = encoder.run(noise_for(encoder, 2, length), [stage])[stage]
    wanted = (2, latent.shape[2] * encoder.stages[stage].hop)
    try:
        given = tuple(decode(latent).shape)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"decode: cannot be called as decode(module, {stage}) with {stage} of {shape} "
            f"({first_line(error)})"
        ) from None
    if given != wanted:
        raise InputError(
            f"decode: gives {given} of {latent.shape[2]} frames of {stage}; must be [B, T] or [B, 1, T] with "
            f"{wanted[1]} samples, the hop for each frame"
        )
    encoder.decode = decode


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
