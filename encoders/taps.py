"""Where a module is recorded: the name of a submodule, and which of its calls."""

from __future__ import annotations

import difflib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from ..synth.errors import InputError


def tapped_module(module: nn.Module, tap: str) -> tuple[nn.Module, int]:
    """Return the submodule that a tap names, and which of its calls in a forward pass is recorded.

    Examples
    --------
    >>> part, call = tapped_module(nn.Sequential(nn.ReLU()), "0:1")  # the second time that it is called
    >>> part, call
    (ReLU(), 1)
    """
    if not tap:
        return module, 0
    name, colon, call = tap.rpartition(":")
    if colon and call.isdecimal():
        return (module.get_submodule(name) if name else module), int(call)
    return module.get_submodule(tap), 0


def check_tap(about: str, name: str, module: nn.Module, tap: str) -> None:
    """Raise unless a module has the submodule that a tap names, and tells what it gives.

    Raises
    ------
    InputError
        Names those that are there, the likeliest first.
    """
    modules = dict(module.named_modules())
    known = [one for one in modules if one]
    submodule = tap.rpartition(":")[0] if _names_a_call(tap) else tap
    if submodule not in modules:
        nearest = difflib.get_close_matches(submodule, known, n=5, cutoff=0.3)
        names = [*nearest, *(other for other in known if other not in nearest)]
        raise InputError(f"{about}: {name} has no submodule {submodule!r}; it has {listed(names) or 'none'}")
    around = ["", *itertools.accumulate(submodule.split("."), "{}.{}".format)][:-1] if submodule else []
    if any(isinstance(modules[one], torch.jit.ScriptModule) for one in (*around, *filter(None, [submodule]))):
        raise InputError(
            f"{about}: {submodule!r} lies within a scripted module, or is one; such give their output only: "
            'record that of the whole ("" names it), or wrap the module before it is scripted'
        )


def _names_a_call(tap: str) -> bool:
    return re.fullmatch(r".*:\d+", tap) is not None


def check_calls(module: nn.Module, taps: Mapping[str, str], play: Callable[[], Any]) -> None:
    """Raise where a submodule is called several times in a forward pass, and no call was named.

    Parameters
    ----------
    module : nn.Module
    taps : mapping of str to str
        Stage name -> tap.
    play : callable
        Runs the whole forward pass; what comes after the stages may raise.

    Raises
    ------
    InputError
        Names the calls there are.
    """
    calls: Counter[str] = Counter()
    parts = {tapped_module(module, tap)[0]: tap for tap in taps.values()}
    handles = [
        part.register_forward_hook(lambda *_, tap=tap: calls.update([tap])) for part, tap in parts.items()
    ]
    try:
        with torch.inference_mode(), suppress(Exception):
            play()
    finally:
        for handle in handles:
            handle.remove()
    for stage, tap in taps.items():
        if calls[tap] > 1 and not _names_a_call(tap):
            raise InputError(
                f"stage {stage!r}: {tap!r} is called {calls[tap]} times in a forward pass; name one of them, "
                f"{tap + ':0'!r} to {f'{tap}:{calls[tap] - 1}'!r}"
            )


def listed(names: list[str], most: int = 20) -> str:
    """Return names in a row, the first of them.

    Examples
    --------
    >>> listed(["conv", "norm", "act"], most=2)
    'conv, norm and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
