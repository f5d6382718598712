"""Baselines of a trained network: drawn at random, drawn at the trained level, and with shuffled weights.

A random network at its default scale answers so faintly that everything stays on one side of every kink:
it is close to linear, whatever its architecture. What training changed shows beside networks that work at
the same level, "matched" and "permuted".
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.weight_norm import WeightNorm

from ..synth.contexts import Noise
from ..synth.errors import InputError
from .abilities import BASELINE_KINDS
from .base import ModuleEncoder
from .layouts import first_tensor

SOUNDS, PARTIALS, LEVEL_DBFS = 4, 12, -20.0
TOLERANCE = 1e-3  # of the RMS that a layer is scaled to; one that follows its weights keeps within 1e-6

Play = Callable[[nn.Module], object]  # plays the reference to a network in evaluation mode


def redrawn(
    kind: str,
    trained: nn.Module,
    draw: Callable[[], nn.Module],
    play: Play,
    seed: int,
    fixed: Sequence[str] = (),
) -> tuple[nn.Module, str]:
    """Return a baseline of a trained network, and a sentence about it.

    Parameters
    ----------
    kind : {"random", "matched", "permuted"}
        As `draw` made it; scaled by `match`; or filled by `permute`.
    trained : nn.Module
        In evaluation mode; it is left as it is.
    draw : callable
        Returns another network of its architecture, whose weights follow from `seed` alone.
    play : callable
        ``play(network)`` runs a network on the `reference`.
    seed : int
        Of `draw`, and of the shuffling.
    fixed : sequence of str
        Submodules whose weights `draw` has left as they are trained, and which stay so.

    Raises
    ------
    InputError
        If the kind is none, or the network has weights that cannot be set.

    Examples
    --------
    >>> trained = nn.Conv1d(1, 2, 5, bias=False)
    >>> shuffled, note = redrawn("permuted", trained, lambda: nn.Conv1d(1, 2, 5, bias=False), print, seed=0)
    >>> bool((shuffled.weight.sort().values.sum() - trained.weight.sum()).abs() < 1e-6), note
    (True, 'trained weights, each tensor shuffled (seed 0)')
    """
    if kind not in BASELINE_KINDS:
        raise InputError(f"baseline {kind!r}: must be {', '.join(BASELINE_KINDS)}")
    drawn = draw().eval()
    if kind == "random":
        return drawn, f"drawn anew, seed {seed}"
    try:
        with torch.no_grad():
            if kind == "matched":
                return drawn, f"drawn anew, seed {seed}; {match(trained, drawn, play, fixed)}"
            return drawn, permute(trained, drawn, play, seed, fixed)
    except (RuntimeError, NotImplementedError) as error:  # a parametrisation that has no inverse, say
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"no {kind} baseline: its weights cannot be set ({reason})") from None


def match(trained: nn.Module, drawn: nn.Module, play: Play, fixed: Sequence[str] = ()) -> str:
    """Scale a random network, layer by layer, to the level of the trained one.

    Both play the reference. In the order of execution every layer's weight and bias are multiplied by the
    one number that gives its output, constant part included, the RMS of the trained layer's, after all
    layers before it were scaled. What does not follow its weights in proportion (an LSTM's output is
    bounded) has every tensor of weights scaled to the RMS of the trained one instead. Batch norms take
    their statistics from what comes in. Of a module that is called more than once the first call counts.

    Parameters
    ----------
    trained, drawn : nn.Module
        Of one architecture, in evaluation mode; `drawn` is changed.
    play, fixed
        As in `redrawn`.

    Returns
    -------
    note : str
        How closely, over all calls: "outputs of 19 layers scaled to the trained level, within 0.00 dB".

    Notes
    -----
    Scaled to unit output variance, one layer after the other: Mishkin and Matas, "All you need is a good
    init", ICLR 2016 (LSUV). Here the trained layer's RMS takes the place of 1.
    """
    parts = dict(_with_weights(drawn, fixed))
    due = _levels(trained, parts, play)
    layers = {name: part for name, part in parts.items() if name in due and not _holds_layers(part)}
    for name in parts.keys() - layers.keys():  # what holds layers, and what nobody calls as a module
        _scale_tensors(parts[name], trained.get_submodule(name))
    scaled = set()

    def calibrate(name: str, output: Any, again: Callable[[], Any]) -> Any:
        part, level, wanted = layers[name], _level(output), due[name][0]
        if not (level > 0 and wanted > 0):
            return output  # silent in either: no number makes them equal
        own = {key: values.clone() for key, values in weights_of(part).items()}
        set_weights(part, {key: wanted / level * values for key, values in own.items()})
        answer = again()
        if abs(_level(answer) / wanted - 1) < TOLERANCE:
            scaled.add(name)
            return answer
        set_weights(part, own)
        _scale_tensors(part, trained.get_submodule(name))
        return again()

    with _statistics_taken(drawn, fixed) as norms, _first_calls(layers, calibrate):
        play(drawn)
    found = _levels(drawn, layers, play)
    apart = {name: _apart_db(found[name], due[name]) for name in layers}
    said = f"{len(scaled)} layers scaled to the trained level, outputs {_within(apart[n] for n in scaled)}"
    if others := apart.keys() - scaled:
        said += f"; {len(others)} by their weights, outputs {_within(apart[n] for n in others)}"
    return said + _said(norms)


def permute(trained: nn.Module, drawn: nn.Module, play: Play, seed: int, fixed: Sequence[str] = ()) -> str:
    """Fill a network with the trained weights, the values of each tensor shuffled.

    Weights under a weight norm are shuffled as they take effect. Batch norms take their statistics from
    what comes in while the reference plays: the trained ones are those of other activations.

    Parameters
    ----------
    trained, drawn, play, seed, fixed
        As in `redrawn`; `drawn` is changed.

    Returns
    -------
    note : str
    """
    generator = torch.Generator().manual_seed(seed)
    for name, part in _with_weights(drawn, fixed):
        shuffled = {}
        for key, values in weights_of(trained.get_submodule(name)).items():
            order = torch.randperm(values.numel(), generator=generator).to(values.device)
            shuffled[key] = values.flatten()[order].view_as(values)
        set_weights(part, shuffled)
    with _statistics_taken(drawn, fixed) as norms:
        if norms:
            play(drawn)
    return f"trained weights, each tensor shuffled (seed {seed})" + _said(norms)


def reference(sample_rate: int, samples: int) -> Tensor:
    """Return the sounds by whose levels networks are matched: partials and pink noise, -20 dBFS together.

    They depend on nothing but rate and length.

    Parameters
    ----------
    sample_rate : int > 0
    samples : int > 0

    Returns
    -------
    waveforms : float32 [4, samples]
        In each 12 partials of equal level, 50 Hz to 0.4 of the sample rate, over noise of their RMS.

    Examples
    --------
    >>> sounds = reference(24_000, 24_000)
    >>> bool((20 * (sounds.square().mean(1).sqrt() * 2**0.5).log10() + 20).abs().max() < 0.2)
    True
    """
    generator = np.random.default_rng(0)
    frequency_hz = np.exp(
        generator.uniform(math.log(50), math.log(max(51, 0.4 * sample_rate)), (SOUNDS, PARTIALS, 1))
    )
    phase_rad = generator.uniform(0, 2 * np.pi, frequency_hz.shape)
    time_s = np.arange(samples) / sample_rate
    rms = 10 ** (LEVEL_DBFS / 20) / 2  # of either half; a full-scale sine has an RMS of 1 / sqrt(2)
    tones = np.sin(2 * np.pi * frequency_hz * time_s + phase_rad).sum(axis=1)  # [B, T]
    tones *= rms * math.sqrt(2 / PARTIALS)
    noise = [Noise("pink", seed=i).render(samples, sample_rate, rms) for i in range(SOUNDS)]
    return torch.from_numpy((tones + np.stack(noise)).astype(np.float32))


def through_stages(encoder: ModuleEncoder, samples: int = 0) -> Play:
    """Return what plays the reference to a network in the place of an encoder's, as far as its stages reach.

    Parameters
    ----------
    encoder : ModuleEncoder
    samples : int
        Its reference lasts at least so long, a second, and two frames of every stage.
    """
    longest = max(2 * stage.hop + stage.latency + 1 for stage in encoder.stages.values())
    sounds = reference(encoder.sample_rate, max(samples, encoder.sample_rate, longest))

    def play(network: nn.Module) -> None:
        other = copy.copy(encoder)
        other.module = network
        other.activations(sounds, list(encoder.stages))

    return play


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a module itself by name; those under a weight norm as they take effect."""
    found: dict[str, Tensor] = dict(module.named_parameters(recurse=False))
    for norm in _weight_norms(module):
        for part in (f"{norm.name}_g", f"{norm.name}_v"):
            found.pop(part)
        found[norm.name] = norm.compute_weight(module)
    if parametrize.is_parametrized(module):
        for name in module.get_submodule("parametrizations")._modules:
            found[name] = getattr(module, name)
    return found


def set_weights(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a module other weights, as `weights_of` returned them.

    Raises
    ------
    RuntimeError, NotImplementedError
        If a parametrisation does not say which parameters give them.
    """
    norms = {norm.name: norm for norm in _weight_norms(module)}
    for name, values in weights.items():
        if name in norms:
            getattr(module, f"{name}_g").copy_(torch.norm_except_dim(values, 2, norms[name].dim))
            getattr(module, f"{name}_v").copy_(values)
            setattr(module, name, norms[name].compute_weight(module))
        elif parametrize.is_parametrized(module, name):
            setattr(module, name, values)
        else:
            getattr(module, name).copy_(values)


def _weight_norms(module: nn.Module) -> list[WeightNorm]:
    return [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, WeightNorm)]


def _with_weights(network: nn.Module, fixed: Sequence[str]) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that have weights of their own and are not fixed, by name."""
    for name, module in network.named_modules():
        is_parametrisation = "parametrizations" in name.split(".")
        if not is_parametrisation and not _is_fixed(name, fixed) and weights_of(module):
            yield name, module


def _is_fixed(name: str, fixed: Sequence[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") or not one for one in fixed)


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


@contextmanager
def _statistics_taken(network: nn.Module, fixed: Sequence[str]) -> Iterator[list[nn.Module]]:
    """While this lasts, norms with stored statistics take those of what comes in first; yields the norms."""
    norms = [
        module
        for name, module in network.named_modules()
        if getattr(module, "running_var", None) is not None and not _is_fixed(name, fixed)
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
        yield norms
    finally:
        for handle in handles.values():
            handle.remove()


def _levels(network: nn.Module, parts: Mapping[str, nn.Module], play: Play) -> dict[str, list[float]]:
    """Return the RMS of what modules of the names of `parts` give while the reference plays, call by call."""
    found: dict[str, list[float]] = {}

    def hook(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        found.setdefault(name, []).append(_level(output))

    handles = [network.get_submodule(name).register_forward_hook(partial(hook, name)) for name in parts]
    try:
        play(network)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _level(output: Any) -> float:
    """Return the RMS of the first tensor of an output; 0 of what holds none."""
    try:
        return _rms(first_tensor("", output))
    except InputError:
        return 0.0


def _rms(values: Tensor) -> float:
    return float(values.detach().double().square().mean().sqrt())


def _apart_db(found: Sequence[float], due: Sequence[float]) -> float:
    """Return how far the level of all calls is from the one that is due; NaN where either is silent."""
    levels = [math.hypot(*several) for several in (found, due)]
    return abs(20 * math.log10(levels[0] / levels[1])) if min(levels) > 0 else math.nan


def _within(apart_db: Iterable[float]) -> str:
    """Say how far levels are from those that are due."""
    values = list(apart_db)
    audible = [value for value in values if not math.isnan(value)]
    said = f"within {max(audible, default=0.0):.2f} dB"
    return said + (f", {len(values) - len(audible)} silent" if len(audible) < len(values) else "")


def _said(norms: Sequence[nn.Module]) -> str:
    return f"; statistics of {len(norms)} norms from the same sounds" if norms else ""
