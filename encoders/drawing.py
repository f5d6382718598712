"""A copy of a network whose weights are drawn anew, each submodule in its own way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..synth.errors import InputError
from .base import ModuleEncoder
from .chance import chance_unchanged, seed_all
from .measuring import noise_for
from .weights import is_fixed, set_weights, weight_norms, weights_of

RESETS = ("reset_parameters", "_reset_parameters")  # the second of torch's attention
APART = 27_182_818  # from the small seeds under which people draw the network itself
CONSTANT = ("torch.nn.", "torchaudio.")  # whose buffers are tables, or statistics that are reset
WAYS = "give wrap(..., make=) what builds the network untrained, or ask for none (baselines=0)"


def drawn_anew(
    name: str,
    module: nn.Module,
    seed: int,
    fixed: Sequence[str] = (),
    make: Callable[[], nn.Module] | None = None,
) -> tuple[nn.Module, list[str]]:
    """Return a copy of a module with other weights, which follow from `seed` alone.

    Who made the network knows best: `make`, or the class of a transformers model. Otherwise every submodule
    is drawn by its ``reset_parameters``, under a weight norm too.

    Parameters
    ----------
    name : str
        Of the encoder, for the errors.
    module : nn.Module
        It is left as it is.
    seed : int
    fixed : sequence of str
        Submodules that stay as they are.
    make : callable, optional
        Returns another network of this architecture, untrained.

    Returns
    -------
    twin : nn.Module
    left : list of str
        Parameters and learned buffers that nothing says how to draw; NaN in the copy.

    Raises
    ------
    InputError
        If the module cannot be copied, or `make` makes another architecture.

    Examples
    --------
    >>> twin, left = drawn_anew("tiny", nn.Conv1d(1, 2, 3), seed=0)
    >>> left, bool((twin.weight != nn.Conv1d(1, 2, 3).weight).any())
    ([], True)
    """
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(APART + seed)
        twin = _made(name, module, make) if make is not None else _reset(copied(name, module))
    for one in fixed:
        twin.get_submodule(one).load_state_dict(module.get_submodule(one).state_dict())
    return twin.eval(), [key for key, tensor in _drawn(twin) if tensor.isnan().any()]


def copied(name: str, module: nn.Module) -> nn.Module:
    """Return a copy of a module.

    Raises
    ------
    InputError
        If it cannot be copied.
    """
    held = [
        (part, key, value)
        for part in module.modules()
        if not isinstance(part, torch.jit.ScriptModule)
        for key, value in vars(part).items()
        if isinstance(value, Tensor) and value.grad_fn is not None
    ]
    try:
        for part, key, values in held:  # what a norm of weights makes is a result, which torch does not copy
            setattr(part, key, values.detach())
        return copy.deepcopy(module)
    except (RuntimeError, TypeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise InputError(
            f"{name}: no baseline of other weights: it cannot be copied ({reason}); {WAYS}"
        ) from None
    finally:
        for part, key, values in held:
            setattr(part, key, values)


def learned_buffers(module: nn.Module, fixed: Sequence[str] = ()) -> Iterator[tuple[str, Tensor]]:
    """Yield the buffers that look learned, as codebooks are, by name.

    What is written to files, floating-point, of two axes or more, and in no module of torch's or
    torchaudio's, whose buffers are tables or statistics.
    """
    for name, part in module.named_modules():
        if is_fixed(name, fixed) or type(part).__module__.startswith(CONSTANT):
            continue
        for key, tensor in part.named_buffers(recurse=False):
            kept = key in part._non_persistent_buffers_set
            if not kept and tensor.is_floating_point() and tensor.ndim > 1:
                yield f"{name}.{key}".lstrip("."), tensor


def _drawn(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield what ought to be drawn: floating-point parameters, and buffers that look learned."""
    for key, tensor in module.named_parameters():
        if tensor.is_floating_point() or tensor.is_complex():
            yield key, tensor
    yield from learned_buffers(module)


def _made(name: str, module: nn.Module, make: Callable[[], nn.Module]) -> nn.Module:
    twin = make()
    if not isinstance(twin, nn.Module):
        raise InputError(f"make: returns {type(twin).__name__}; must be a network like {name}")
    own, other = ({k: tuple(v.shape) for k, v in one.state_dict().items()} for one in (module, twin))
    if own != other:
        first = next(k for k in (*own, *other) if own.get(k) != other.get(k))
        raise InputError(
            f"make: builds another architecture than {name}: {first!r} is {other.get(first, 'not there')} "
            f"instead of {own.get(first, 'not there')}"
        )
    return twin


def _reset(twin: nn.Module) -> nn.Module:
    for _, tensor in _drawn(twin):
        tensor.fill_(torch.nan)  # what is still NaN afterwards was not drawn
    done: set[nn.Module] = set()
    for part in twin.modules():
        if part in done:
            continue
        if fresh := _of_its_class(part):
            part.load_state_dict(fresh.state_dict())
            done |= set(part.modules())
            continue
        for reset in RESETS:
            if callable(getattr(part, reset, None)):
                _reset_part(part, reset)
    return twin


def _of_its_class(part: nn.Module) -> nn.Module | None:
    """Return a new transformers model of a part's configuration; None of all that is none."""
    if not any(one.__name__ == "PreTrainedModel" for one in type(part).__mro__):
        return None
    made: Any = type(part)
    return made(copy.deepcopy(part.config))


def _reset_part(part: Any, reset: str) -> None:
    """Draw what a module holds by its own rule; what lies under a norm of weights as without it."""
    norms = weight_norms(part)
    under = list(part.parametrizations) if parametrize.is_parametrized(part) else []
    if not norms and not under:
        getattr(part, reset)()
        return
    keys = [*(norm.name for norm in norms), *under]
    plain = nn.Module.__new__(type(part).__bases__[0] if under else type(part))
    plain.__dict__ = {key: value for key, value in vars(part).items() if key not in keys}
    absent = {key: None for key, values in part._parameters.items() if values is None}  # a bias, say
    plain._parameters = absent | {
        key: nn.Parameter(torch.empty_like(values)) for key, values in weights_of(part).items()
    }
    getattr(plain, reset)()
    with suppress(RuntimeError, NotImplementedError):  # a parametrisation may have no inverse: it stays NaN
        set_weights(part, {key: values.detach() for key, values in plain.named_parameters(recurse=False)})


def check_unused(encoder: ModuleEncoder, twin: nn.Module, left: Sequence[str], length: int) -> None:
    """Give what nothing says how to draw the trained values, where no stage hears it; raise where one does.

    Parameters
    ----------
    encoder : ModuleEncoder
        Of the trained module.
    twin : nn.Module
        Of `drawn_anew`, with what was left.
    left : list of str
    length : int
        Samples that the module takes.

    Raises
    ------
    InputError
        If a stage hears what was not drawn.
    """
    own = {**dict(encoder.module.named_parameters()), **dict(encoder.module.named_buffers())}
    there = {**dict(twin.named_parameters()), **dict(twin.named_buffers())}
    listening = copy.copy(encoder)
    listening.module = twin
    noise = noise_for(encoder, 1, length)

    def answers() -> list[Tensor]:
        seed_all(twin, 0)
        return list(listening.activations(noise, list(encoder.stages)).values())

    def first_that_matters(keys: Sequence[str]) -> str | None:
        for gain in (0.1, 10.0):
            for key in keys:
                there[key].copy_(own[key] + gain * torch.randn(own[key].shape).to(own[key]))
            same = all(map(torch.equal, answers(), expected))
            for key in keys:
                there[key].copy_(own[key])
            if not same:
                break
        else:
            return None
        half = len(keys) // 2
        return keys[0] if not half else first_that_matters(keys[:half]) or first_that_matters(keys[half:])

    with chance_unchanged(twin), torch.no_grad():
        for key in left:
            there[key].copy_(own[key])
        expected = answers()
        if used := first_that_matters(left):
            raise InputError(
                f"{encoder.name}: no random baseline: nothing says how {used!r} is initialised; {WAYS}; "
                "name what is a fixed table in wrap(..., fixed=)"
            )


def shuffle_buffers(twin: nn.Module, fixed: Sequence[str], seed: int) -> None:
    """Shuffle the values of each buffer that looks learned."""
    generator = torch.Generator().manual_seed(seed)
    for _, values in learned_buffers(twin, fixed):
        order = torch.randperm(values.numel(), generator=generator).to(values.device)
        values.copy_(values.flatten()[order].view_as(values))
