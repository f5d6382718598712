"""All that a module may draw from: torch's, numpy's and Python's generators, and those of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn


def seed_all(module: nn.Module, seed: int) -> None:
    """Seed all that a module may draw from, its own generators too.

    Examples
    --------
    >>> module = nn.Identity()
    >>> module.generator = np.random.default_rng()
    >>> seed_all(module, 0)
    >>> first = module.generator.random()
    >>> seed_all(module, 0)
    >>> module.generator.random() == first
    True
    """
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - modules draw from it
    random.seed(seed)
    for own in _generators(module):
        if isinstance(own, torch.Generator):
            own.manual_seed(seed)
        elif isinstance(own, np.random.Generator):
            own.bit_generator.state = type(own.bit_generator)(seed).state  # type: ignore[call-arg]
        else:  # a RandomState, or one of Python's
            own.seed(seed)


@contextmanager
def chance_unchanged(module: nn.Module) -> Iterator[None]:
    """Leave all that a module may draw from as it was, whatever is drawn inside.

    Examples
    --------
    >>> before = np.random.get_state()[1].copy()
    >>> with chance_unchanged(nn.Identity()):
    ...     seed_all(nn.Identity(), 5)
    >>> bool((np.random.get_state()[1] == before).all())
    True
    """
    put_back = [_put_back(own) for own in _generators(module)]
    legacy, plain = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            np.random.set_state(legacy)  # noqa: NPY002
            random.setstate(plain)
            for one in put_back:
                one()


def _generators(module: nn.Module) -> list[Any]:
    kinds = torch.Generator, np.random.Generator, np.random.RandomState, random.Random
    parts = (one for one in module.modules() if not isinstance(one, torch.jit.ScriptModule))
    return [own for part in parts for own in vars(part).values() if isinstance(own, kinds)]


def _put_back(own: Any) -> Callable[[], Any]:
    """Return what sets a generator back to where it is now."""
    if isinstance(own, np.random.Generator):
        state = own.bit_generator.state
        return lambda: setattr(own.bit_generator, "state", state)
    for get, put in (("get_state", "set_state"), ("getstate", "setstate")):
        if hasattr(own, get):
            there = getattr(own, get)()
            return lambda: getattr(own, put)(there)
    raise TypeError(type(own).__name__)
