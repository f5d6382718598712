"""A module's state, kept while it is tried: weights, buffers, and what it notes on itself."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

CONTAINERS = (list, dict, set, deque)


class Kept:
    """What a module holds at a moment, so that it can be compared, and put back.

    Of every submodule it is the tensors, those under plain attributes too, and the attributes themselves; a
    list, dictionary or set among them by what lies in it.

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
        self._parts: list[tuple[nn.Module, dict[str, Any], dict[str, Any]]] = []
        self._values: dict[int, tuple[Tensor, Tensor]] = {}
        for part in module.modules():
            own = {} if isinstance(part, torch.jit.ScriptModule) else dict(part.__dict__)
            held = {
                name: copy.copy(value)
                for name, value in own.items()
                if isinstance(value, CONTAINERS) and _may_change(name)
            }
            self._parts.append((part, own, held))
            for tensor in (*part.parameters(False), *part.buffers(False), *own.values()):
                if isinstance(tensor, Tensor) and tensor.device.type != "meta":
                    self._values[id(tensor)] = tensor, tensor.detach().clone()

    def differs(self) -> bool:
        """Whether the module holds something else by now."""
        for part, own, held in self._parts:
            if not own:
                continue
            now = part.__dict__
            if now.keys() != own.keys() or any(_other(now[name], value) for name, value in own.items()):
                return True
            if any(_changed(now[name], value) for name, value in held.items()):
                return True
        return any(not _same(tensor, before) for tensor, before in self._values.values())

    def restore(self) -> None:
        """Put back what there was, to the bit."""
        for part, own, held in self._parts:
            if not own:
                continue
            part.__dict__.clear()
            part.__dict__.update(own)
            for name, value in held.items():
                if _changed(own[name], value):
                    _refill(own[name], value)
        with torch.no_grad():
            for tensor, before in self._values.values():
                if not _same(tensor, before):
                    tensor.copy_(before)


@contextmanager
def unchanged(module: nn.Module) -> Iterator[None]:
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
        yield
    finally:
        kept.restore()


def _may_change(name: str) -> bool:
    """Whether an attribute is the module's own, or where torch keeps tensors; hooks stay as they are."""
    return not name.startswith("_") or name in ("_parameters", "_buffers") or "hook" not in name


def _other(now: Any, before: Any) -> bool:
    if now is before:
        return False
    if isinstance(now, Tensor) and isinstance(before, Tensor):  # made anew, as under a norm of weights
        return not _same(now, before)
    plain = (bool, int, float, str, bytes, type(None), tuple)
    return not (isinstance(now, plain) and type(now) is type(before) and _equal(now, before))


def _equal(now: Any, before: Any) -> bool:
    try:
        return bool(now == before)
    except Exception:  # of tuples that hold tensors
        return False


def _changed(now: Any, before: Any) -> bool:
    if len(now) != len(before):
        return True
    if isinstance(now, dict):
        return any(k not in before or _other(v, before[k]) for k, v in now.items())
    if isinstance(now, set):
        return now != before
    return any(_other(one, other) for one, other in zip(now, before, strict=True))


def _refill(container: Any, values: Any) -> None:
    container.clear()
    if isinstance(container, dict | set):
        container.update(values)
    else:
        container.extend(values)


def _same(now: Tensor, before: Tensor) -> bool:
    if now.shape != before.shape:
        return False
    return torch.equal(now, before) or (
        torch.equal(now.isnan(), before.isnan()) and torch.equal(now.nan_to_num(), before.nan_to_num())
    )
