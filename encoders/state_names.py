"""One network's state dict under other names: prefixes, norms of weights, EnCodec as transformers has it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from ..synth.errors import InputError

# What stands for several names of one thing; either side of a comparison is written so.
_WEIGHT_NORM = (
    (r"(^|\.)parametrizations\.(\w+)\.original0$", r"\1\2_g"),
    (r"(^|\.)parametrizations\.(\w+)\.original1$", r"\1\2_v"),
)
_SEANET = (
    (r"(^|\.)(encoder|decoder)\.model\.", r"\1\2.layers."),
    (r"\.(conv|convtr)\.\1\.", ".conv."),
    (r"\.(conv|convtr)\.norm\.", ".norm."),
    (r"(^|\.)quantizer\.vq\.layers\.", r"\1quantizer.layers."),
    (r"\._codebook\.", ".codebook."),
)


def as_named(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> tuple[Mapping[str, Tensor], str]:
    """Return a state dict by the names of a module's own, where it is that module's in another form.

    Forms are a common prefix (see `without_prefix`), torch's two ways of naming what lies under a weight
    norm, weights whose norm was removed, and EnCodec's names in its own package and in transformers.

    Parameters
    ----------
    state : mapping of str to Tensor
    own : mapping of str to Tensor
        The module's own.

    Returns
    -------
    state : mapping of str to Tensor
        As it is if no form fits better.
    form : str
        What was found, and what was left out; "" if nothing.

    Examples
    --------
    >>> kernel, gain = torch.zeros(2, 1, 3), torch.ones(2, 1, 1)
    >>> newer = {"a.parametrizations.weight.original0": gain, "a.parametrizations.weight.original1": kernel}
    >>> found, form = as_named(newer, {"a.weight_g": gain, "a.weight_v": kernel})
    >>> list(found), form
    (['a.weight_g', 'a.weight_v'], "weight norm under torch's newer names")
    """
    best, form = without_prefix(state, own)
    fitting = sum(name in best for name in own)
    for rules in (_WEIGHT_NORM, (*_WEIGHT_NORM, *_SEANET)):
        canonical = {_canonical(name, rules): name for name in own}
        renamed = {_canonical(name, rules): tensor for name, tensor in state.items()}
        if fitting == len(own) or len(canonical) < len(own) or len(renamed) < len(state):
            continue
        renamed, outside = without_prefix(renamed, {key: own[name] for key, name in canonical.items()})
        renamed, plain = _under_norms(renamed, {key: own[name] for key, name in canonical.items()})
        if (found := sum(name in renamed for name in canonical)) > fitting:
            fitting = found
            best = {canonical.get(name, name): tensor for name, tensor in renamed.items()}
            names = _encodec_form(state) if rules is not _WEIGHT_NORM else ""
            form = "; ".join(filter(None, [names, _norm_form(state, own), plain, outside]))
    return best, form


def _encodec_form(state: Collection[str]) -> str:
    """Say whose names of EnCodec's layers these are."""
    others = any(re.search(r"(encoder|decoder)\.layers\.", name) for name in state)
    return f"EnCodec as {'transformers names it' if others else 'its own package names it'}"


def without_prefix(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> tuple[Mapping[str, Tensor], str]:
    """Return a state dict as a module has it, whose names may lie under a common prefix in it.

    Parameters
    ----------
    state : mapping of str to Tensor
    own : mapping of str to Tensor
        The module's own.

    Returns
    -------
    state : mapping of str to Tensor
        As it is if most of the module's names are in it, or none is under any prefix; otherwise what is under
        the prefix that most are under.
    note : str
        The prefix, and how many tensors beside it were left out: those of a loss, say.

    Raises
    ------
    InputError
        If it fits under several prefixes alike: a student and a teacher, say.

    Examples
    --------
    >>> weight = torch.zeros(1)
    >>> without_prefix({"model.weight": weight, "loss.scale": weight}, {"weight": weight})
    ({'weight': tensor([0.])}, "under 'model.', 1 tensor outside it left out")
    """
    if all(name in state for name in own):
        return state, ""
    names = list(own)
    tried = {names[0], names[len(names) // 2], names[-1]} if names else set()  # any of which may be missing
    prefixes = dict.fromkeys(n.removesuffix(one) for n in state for one in tried if n.endswith(f".{one}"))
    found = {prefix: _fitting(state, own, prefix) for prefix in ("", *prefixes)}
    prefix = max(found, key=lambda prefix: found[prefix])
    if not prefix or not found[prefix][0]:
        return state, ""
    if len(alike := [one for one, count in found.items() if count == found[prefix]]) > 1:
        there = " and ".join(map(repr, alike))
        raise InputError(f"weights: such a network lies under each of {there}; keep one")
    under = {n.removeprefix(prefix): tensor for n, tensor in state.items() if n.startswith(prefix)}
    left = len(state) - len(under)
    return under, f"under {prefix!r}" + (
        f", {left} tensor{'s' * (left > 1)} outside it left out" if left else ""
    )


def _fitting(state: Mapping[str, Tensor], own: Mapping[str, Tensor], prefix: str) -> tuple[int, int]:
    """Count the tensors that are there under a prefix, and those of the right shape."""
    there = [name for name in own if prefix + name in state]
    return len(there), sum(state[prefix + name].shape == own[name].shape for name in there)


def _canonical(name: str, rules: Collection[tuple[str, str]]) -> str:
    for pattern, instead in rules:
        name = re.sub(pattern, instead, name)
    return name


def _under_norms(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> tuple[Mapping[str, Tensor], str]:
    """Return weights under norms, or without them, as the module has them.

    A weight is ``g v / |v|``, where the norm is over those axes along which the length g has one entry.
    """
    found, forms = dict(state), []
    for gain in (n for n in (*own, *state) if n.endswith("_g")):
        weight = gain.removesuffix("_g")
        direction = f"{weight}_v"
        if gain in own and gain not in state and weight in state and weight not in own:
            found[direction] = values = found.pop(weight)
            found[gain] = _norm(values, own[gain])
            forms.append("weights without their norm")
        elif gain in state and gain not in own and weight in own and direction in state:
            length, values = found.pop(gain), found.pop(direction)
            found[weight] = values * (length / _norm(values, length))
            forms.append("norms of weights multiplied out")
    return found, "; ".join(dict.fromkeys(forms))


def _norm(values: Tensor, gain: Tensor) -> Tensor:
    """Return the norm of weights over all axes along which a gain has one entry."""
    if gain.ndim != values.ndim:
        return values.norm().view(gain.shape)
    axes = [axis for axis, size in enumerate(gain.shape) if size == 1]
    return torch.linalg.vector_norm(values, dim=axes, keepdim=True)


def _norm_form(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """Say how a file names what lies under weight norms, where the module names it otherwise."""

    def newer(names: Collection[str]) -> bool:
        return any(re.search(r"parametrizations\.\w+\.original[01]$", name) for name in names)

    def older(names: Collection[str]) -> bool:
        return any(name.endswith(("weight_g", "weight_v")) for name in names)

    if newer(state) and older(own):
        return "weight norm under torch's newer names"
    return "weight norm under torch's older names" if older(state) and newer(own) else ""
