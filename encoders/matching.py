"""Random weights at the trained level: a network scaled, layer by layer, to how strongly another answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .layouts import first_tensor
from .weights import is_fixed, set_weights, weights_of, with_weights

TOLERANCE = 1e-3  # of the RMS that a layer is scaled to; one that follows its weights keeps within 1e-6
CHANNELS_LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Embedding, nn.RNNBase)

Play = Callable[[nn.Module], object]  # plays the same sounds to a network in evaluation mode


def match(trained: nn.Module, drawn: nn.Module, play: Play, seed: int, fixed: Sequence[str] = ()) -> str:
    """Scale a random network, layer by layer, to the level of the trained one.

    Both play the reference. In the order of execution, and after all layers before it were scaled, every
    layer's weight and bias are multiplied by the one number that gives what varies in its output, about the
    mean of each channel over sounds and time, the RMS of the trained layer's; then its bias is moved so that
    these means keep their direction and get the trained ones' RMS. The RMS of the whole output would not do:
    a random network's is nearly all constant, and what varies would stay on one side of every kink.

    What does not follow its weights in proportion (an LSTM's output is bounded) has every tensor of weights
    scaled to the RMS of the trained one instead. Batch norms take their statistics from what comes in, and
    the direction of their means is drawn. Of a module that is called more than once the first call counts.

    Parameters
    ----------
    trained, drawn : nn.Module
        Of one architecture, in evaluation mode; `drawn` is changed.
    play, seed, fixed
        As in `redrawn`.

    Returns
    -------
    note : str
        How closely, over all calls, as in "36 layers at the trained level, within 0.00 dB (RMS), 0.00 dB
        (what varies)".

    Notes
    -----
    Layers scaled to an output variance of 1, one after the other: Mishkin and Matas, "All you need is a good
    init", ICLR 2016. Here the trained layer's takes the place of 1.
    """
    parts = dict(with_weights(drawn, fixed))
    due = _levels(trained, parts, play)
    layers = {name: part for name, part in parts.items() if name in due and not _holds_layers(part)}
    for name in parts.keys() - layers.keys():  # what holds layers, and what nobody calls as a module
        _scale_tensors(parts[name], trained.get_submodule(name))
    generator = torch.Generator().manual_seed(seed)
    at_level = set()

    def calibrate(name: str, output: Any, again: Callable[[], Any]) -> Any:
        part, level, wanted = layers[name], _level(layers[name], output), due[name][0]
        if not (level.varying > 0 and wanted.varying > 0):
            return output  # silent in either: no number makes them equal
        own = {key: values.clone() for key, values in weights_of(part).items()}
        set_weights(part, {key: wanted.varying / level.varying * values for key, values in own.items()})
        answer = _with_constant(part, again, wanted.constant, generator)
        if abs(_level(part, answer).varying / wanted.varying - 1) < TOLERANCE:
            at_level.add(name)
            return answer
        set_weights(part, own)
        _scale_tensors(part, trained.get_submodule(name))
        return again()

    with statistics_taken(drawn, fixed) as taken, _first_calls(layers, calibrate):
        play(drawn)
    found = _levels(drawn, layers, play)
    said = f"{len(at_level)} layers at the trained level, {_within(at_level, found, due)}"
    if others := layers.keys() - at_level:
        said += f"; {len(others)} by their weights, {_within(others, found, due)}"
    return said + taken


@contextmanager
def statistics_taken(network: nn.Module, fixed: Sequence[str] = ()) -> Iterator[str]:
    """While this lasts, norms that keep statistics take those of what comes in first.

    Yields what to say of it; "" where there are none.
    """
    norms = [
        module
        for name, module in network.named_modules()
        if getattr(module, "running_var", None) is not None and not is_fixed(name, fixed)
    ]
    handles: dict[nn.Module, Any] = {}

    def take(norm: Any, inputs: tuple[Tensor, ...]) -> None:
        handles.pop(norm).remove()
        axes = [axis for axis in range(inputs[0].ndim) if axis != 1]
        var, mean = torch.var_mean(inputs[0], dim=axes, correction=0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(var)

    handles |= {norm: norm.register_forward_pre_hook(take) for norm in norms}
    try:
        yield f"; statistics of {len(norms)} norms from the same sounds" if norms else ""
    finally:
        for handle in handles.values():
            handle.remove()


@contextmanager
def _first_calls(
    parts: Mapping[str, nn.Module], change: Callable[[str, Any, Callable[[], Any]], Any]
) -> Iterator[None]:
    """While this lasts, ``change(name, output, again)`` takes the place of a part's first output.

    ``again()`` is what the part would give now of what it was given.
    """
    handles = {}

    def hook(name: str, part: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        handles.pop(name).remove()
        return change(name, output, lambda: part.forward(*args, **kwargs))

    for name, part in parts.items():
        handles[name] = part.register_forward_hook(partial(hook, name), with_kwargs=True)
    try:
        yield
    finally:
        for handle in handles.values():
            handle.remove()


def _with_constant(
    part: nn.Module, again: Callable[[], Any], wanted: float, generator: torch.Generator
) -> Any:
    """Move a layer's bias so that its channels' means have an RMS; return what it gives then."""
    answer = again()
    bias, (variances, means) = weights_of(part).get("bias"), _moments(part, answer)
    if bias is None or bias.shape != means.shape:
        return answer
    direction = means
    if _rms(means) <= TOLERANCE * float(variances.mean()) ** 0.5:  # behind a norm there is none
        direction = torch.randn(means.shape, generator=generator).to(means)
    moved = bias + (wanted / _rms(direction) * direction - means).to(bias)
    set_weights(part, {"bias": moved})
    return again()


def _holds_layers(module: nn.Module) -> bool:
    return any(name != "parametrizations" for name, _ in module.named_children())


def _scale_tensors(part: nn.Module, trained: nn.Module) -> None:
    """Scale each tensor of weights to the RMS that it has in the trained module; zeros stay."""
    wanted = weights_of(trained)
    scaled = {}
    for key, values in weights_of(part).items():
        rms = _rms(values)
        scaled[key] = values * (_rms(wanted[key]) / rms) if rms > 0 else values
    set_weights(part, scaled)


class Level(NamedTuple):
    """RMS of what varies in an output, and of its channels' means."""

    varying: float
    constant: float


def _levels(network: nn.Module, parts: Mapping[str, nn.Module], play: Play) -> dict[str, list[Level]]:
    """Return the levels of modules of the names of `parts` while the reference plays, call by call."""
    found: dict[str, list[Level]] = {}

    def hook(name: str, module: nn.Module, _inputs: Any, output: Any) -> None:
        found.setdefault(name, []).append(_level(module, output))

    handles = [network.get_submodule(name).register_forward_hook(partial(hook, name)) for name in parts]
    try:
        play(network)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _level(module: nn.Module, output: Any) -> Level:
    """Return the level of the first tensor of an output; 0 of what holds none."""
    try:
        variances, means = _moments(module, output)
    except InputError:
        return Level(0.0, 0.0)
    return Level(float(variances.double().mean().sqrt()), _rms(means))


def _moments(module: nn.Module, output: Any) -> tuple[Tensor, Tensor]:
    """Return variance and mean of each channel of an output over all else, float32 [C]."""
    values = torch.atleast_2d(first_tensor("", output)).float()
    channel = values.ndim - 1 if isinstance(module, CHANNELS_LAST) else 1
    return torch.var_mean(values, dim=[axis for axis in range(values.ndim) if axis != channel], correction=0)


def _rms(values: Tensor) -> float:
    return float(values.detach().double().square().mean().sqrt())


def _within(names: Collection[str], found: Mapping[str, list[Level]], due: Mapping[str, list[Level]]) -> str:
    """Say how far the levels of layers, over all calls, are from those that are due."""

    def furthest(parts: slice) -> float:
        pairs = [
            [math.hypot(*(x for call in at[name] for x in call[parts])) for at in (found, due)]
            for name in names
        ]
        return max((abs(20 * math.log10(a / b)) for a, b in pairs if min(a, b) > 0), default=0.0)

    silent = sum(found[name][0].varying == 0 or due[name][0].varying == 0 for name in names)
    said = f"within {furthest(slice(2)):.2f} dB (RMS), {furthest(slice(1)):.2f} dB (what varies)"
    return said + (f", {silent} of them silent" if silent else "")
