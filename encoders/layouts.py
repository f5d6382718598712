"""Where batch and time lie in what a submodule gives, and how to put another tensor in its place."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..synth.errors import InputError


@dataclass(frozen=True)
class Layout:
    """Which axes of a submodule's output are batch and time."""

    batch: int
    time: int

    def arrange(self, output: Tensor) -> Tensor:
        """Return [B, C, F]; axes other than batch and time are flattened, in their order."""
        output = self._moved(output)
        return output.flatten(1, -2) if output.ndim > 2 else output[:, None]

    def restore(self, output: Tensor, arranged: Tensor) -> Tensor:
        """Return [B, C, F] in the axes, and at the strides, of the `output` they were arranged from.

        Examples
        --------
        >>> output = torch.arange(24).view(4, 2, 3)  # time, batch, channels
        >>> layout = Layout(batch=1, time=0)
        >>> bool((layout.restore(0 * output, layout.arrange(output)) == output).all())
        True
        """
        restored = torch.empty_like(output)  # what follows may round otherwise at other strides
        moved = self._moved(restored)
        moved.copy_(arranged.reshape(moved.shape))
        return restored

    def disarranged(self, arranged: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return [B, C, F] in the axes of an output of a `shape`, which is that of any batch and length.

        Examples
        --------
        >>> Layout(batch=1, time=0).disarranged(torch.zeros(2, 3, 9), (5, 2, 3)).shape
        torch.Size([9, 2, 3])
        """
        there = list(shape)
        there[self.batch], there[self.time] = arranged.shape[0], arranged.shape[2]
        return self.restore(arranged.new_empty(there), arranged)

    def _moved(self, output: Tensor) -> Tensor:
        return output.movedim((self.batch, self.time), (0, -1))


def first_tensor(stage: str, output: Any) -> Tensor:
    """Return the first tensor of nested tuples, lists and mappings; complex numbers as an axis of two."""
    while not isinstance(output, Tensor):
        if isinstance(output, Mapping):
            output = list(output.values())
        if not isinstance(output, list | tuple) or not output:
            raise InputError(f"stage {stage!r}: gives {type(output).__name__}, not a tensor")
        output = output[0]
    return torch.view_as_real(output) if output.is_complex() else output


def with_first_tensor(output: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return a copy of `output` whose first tensor, as of `first_tensor`, is what `change` makes of it.

    Examples
    --------
    >>> with_first_tensor((torch.zeros(1), "state"), lambda tensor: tensor + 1)
    (tensor([1.]), 'state')
    """
    if isinstance(output, Tensor):
        if output.is_complex():
            return torch.view_as_complex(change(torch.view_as_real(output)))
        return change(output)
    if isinstance(output, Mapping):
        changed: Any = copy.copy(output)
        first = next(iter(output))
        changed[first] = with_first_tensor(output[first], change)
        return changed
    parts = [with_first_tensor(output[0], change), *output[1:]]
    named: Any = type(output)
    return named._make(parts) if hasattr(named, "_make") else named(parts)
