"""A module's state, kept while it is tried: weights, buffers, and what it notes on itself."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

CONTAINERS = (dict, list, set, deque)
DEPTH = 4  # of containers and objects within one another that are looked into


class Kept:
    """What a module holds at a moment, so that it can be compared, and put back.

    Of every submodule it is the tensors and arrays, those under plain attributes too, and the attributes
    themselves; what is a container or an object is looked into. Of a scripted one it is all that it holds.

    Parameters
    ----------
    module : nn.Module

    Examples
    --------
    >>> norm = nn.BatchNorm1d(2)
    >>> kept = Kept(norm)
    >>> _ = norm(torch.ones(4, 2))
    >>> kept.differs()
    True
    >>> kept.restore()
    >>> kept.differs(), norm.running_mean
    (False, tensor([0., 0.]))
    """

    def __init__(self, module: nn.Module) -> None:
        self._held: dict[int, tuple[Any, Any]] = {}  # by identity: a container, and a copy of it
        self._values: dict[int, tuple[Any, Any]] = {}  # a tensor or an array, and its values
        self._scripted: list[tuple[Any, str, Any]] = []  # a scripted module, an attribute, and its value
        for part in module.modules():
            for tensor in (*part.parameters(False), *part.buffers(False)):
                self._keep(tensor, 0)
            if isinstance(part, torch.jit.ScriptModule):
                self._scripted += [
                    (part, key, copy.deepcopy(getattr(part, key))) for key in _attributes(part)
                ]
            else:
                self._keep(part.__dict__, 0)

    def differs(self) -> bool:
        """Whether the module holds something else by now."""
        if any(_changed(now, before) for now, before in self._held.values()):
            return True
        if any(not _alike(getattr(part, key), before) for part, key, before in self._scripted):
            return True
        return any(not _same(now, before) for now, before in self._values.values())

    def restore(self) -> None:
        """Put back what there was, to the bit."""
        for now, before in self._held.values():
            if _changed(now, before, by_value=False):
                _refill(now, before)
        for part, key, before in self._scripted:
            if not _alike(getattr(part, key), before):
                setattr(part, key, copy.deepcopy(before))
        with torch.no_grad():
            for now, before in self._values.values():
                if not _same(now, before):
                    if isinstance(now, Tensor):
                        now.copy_(before)
                    else:
                        now[...] = before

    def narrow(self) -> None:
        """Keep on only what is another by now; the rest may change for good."""
        self._held = {key: (now, one) for key, (now, one) in self._held.items() if _changed(now, one)}
        self._values = {key: (now, one) for key, (now, one) in self._values.items() if not _same(now, one)}
        self._scripted = [
            (part, key, one) for part, key, one in self._scripted if not _alike(getattr(part, key), one)
        ]

    def _keep(self, found: Any, depth: int) -> None:
        if id(found) in self._held or id(found) in self._values or depth > DEPTH:
            return
        if isinstance(found, Tensor):
            if found.device.type != "meta":
                self._values[id(found)] = found, found.detach().clone()
        elif isinstance(found, np.ndarray):
            self._values[id(found)] = found, found.copy()
        elif isinstance(found, CONTAINERS):
            self._held[id(found)] = found, copy.copy(found)
            items = found.items() if isinstance(found, dict) else ((None, one) for one in found)
            for name, one in items:
                if "hook" not in str(name):
                    self._keep(one, depth + 1)
                elif isinstance(one, dict):  # a first run may add some, and note that it did
                    self._held[id(one)] = one, copy.copy(one)
        elif isinstance(found, tuple):
            for one in found:
                self._keep(one, depth + 1)
        elif not (isinstance(found, nn.Module | ModuleType | type) or callable(found)):
            self._keep(getattr(found, "__dict__", None), depth + 1)


@contextmanager
def unchanged(module: nn.Module) -> Iterator[Kept]:
    """Leave a module as it was, whatever runs inside.

    Examples
    --------
    >>> norm = nn.BatchNorm1d(2)
    >>> with unchanged(norm):
    ...     _ = norm(torch.ones(4, 2))
    >>> norm.running_mean
    tensor([0., 0.])
    """
    kept = Kept(module)
    try:
        yield kept
    finally:
        kept.restore()


def _attributes(scripted: Any) -> list[str]:
    """Return what a scripted module holds beside its parameters and buffers, which Python does not list."""
    concrete = getattr(scripted, "_concrete_type", None)  # of torch's own, public nowhere
    kept = {
        *dict(scripted.named_parameters(recurse=False)),
        *dict(scripted.named_buffers(recurse=False)),
        "training",
    }
    return [key for key in (concrete.get_attributes() if concrete else ()) if key not in kept]


def _alike(now: Any, before: Any) -> bool:
    """Whether what a scripted module holds, copied out each time, is what it was."""
    if isinstance(now, list | tuple):
        return len(now) == len(before) and all(map(_alike, now, before))
    if isinstance(now, dict):
        return now.keys() == before.keys() and all(_alike(now[key], before[key]) for key in now)
    return not _other(now, before, by_value=True)


def _changed(now: Any, before: Any, by_value: bool = True) -> bool:
    """Whether a container holds something else; by value, what is equal to what was there is the same."""
    if len(now) != len(before):
        return True
    if isinstance(now, dict):
        return any(k not in before or _other(v, before[k], by_value) for k, v in now.items())
    if isinstance(now, set):
        return now != before
    return any(_other(one, other, by_value) for one, other in zip(now, before, strict=True))


def _other(now: Any, before: Any, by_value: bool) -> bool:
    if now is before:
        return False
    if not by_value:
        return True
    arrays = Tensor, np.ndarray
    if isinstance(now, arrays) and isinstance(before, arrays):  # made anew, as under a norm of weights
        return type(now) is not type(before) or not _same(now, before)
    return isinstance(now, CONTAINERS) or type(now) is not type(before) or not _equal(now, before)


def _equal(now: Any, before: Any) -> bool:
    try:
        return bool(now == before)
    except Exception:  # of what holds tensors
        return False


def _refill(container: Any, values: Any) -> None:
    container.clear()
    if isinstance(container, dict | set):
        container.update(values)
    else:
        container.extend(values)


def _same(now: Any, before: Any) -> bool:
    if now.shape != before.shape or now.dtype != before.dtype:
        return False
    if isinstance(now, np.ndarray):
        return now.dtype.hasobject or now.tobytes() == before.tobytes()
    if torch.equal(now, before):
        return True
    if not (now.is_floating_point() or now.is_complex()):
        return False
    return torch.equal(now.isnan(), before.isnan()) and torch.equal(now.nan_to_num(), before.nan_to_num())
