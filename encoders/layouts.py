"""Where batch and time lie in what a submodule gives, and how to put another tensor in its place."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
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
    """Return the first tensor of nested tuples, mappings and dataclasses; complex as an axis of two.

    Examples
    --------
    >>> first_tensor("latent", (None, {"codes": torch.ones(1)}))
    tensor([1.])
    """
    found = next(_tensors(output), None)
    if found is None:
        raise InputError(f"stage {stage!r}: gives {type(output).__name__}, not a tensor")
    return torch.view_as_real(found) if found.is_complex() else found


def as_in(output: Any, tensor: Tensor) -> Tensor:
    """Return what `first_tensor` made real as it was: complex, if the first tensor of an output is.

    Examples
    --------
    >>> as_in((torch.zeros(3, dtype=torch.complex64), None), torch.ones(1, 2))
    tensor([1.+1.j])
    """
    found = next(_tensors(output), tensor)
    return torch.view_as_complex(tensor.contiguous()) if found.is_complex() else tensor


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    else:
        for part in _parts(output).values():
            yield from _tensors(part)


def _parts(output: Any) -> dict[Any, Any]:
    """Return what a tuple, a list, a mapping or a dataclass holds; nothing of all else."""
    if isinstance(output, Mapping):
        return dict(output)
    if isinstance(output, list | tuple):
        return dict(enumerate(output))
    return dict(vars(output)) if dataclasses.is_dataclass(output) else {}


def with_first_tensor(output: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return a copy of `output` whose first tensor, as of `first_tensor`, is what `change` makes of it.

    Examples
    --------
    >>> with_first_tensor((None, torch.zeros(1), "state"), lambda tensor: tensor + 1)
    (None, tensor([1.]), 'state')
    """
    if isinstance(output, Tensor):
        if output.is_complex():
            return torch.view_as_complex(change(torch.view_as_real(output)))
        return change(output)
    first = next(key for key, part in _parts(output).items() if next(_tensors(part), None) is not None)
    if isinstance(output, list | tuple):
        parts = [*output[:first], with_first_tensor(output[first], change), *output[first + 1 :]]
        named: Any = type(output)
        return named._make(parts) if hasattr(named, "_make") else named(parts)
    changed: Any = copy.copy(output)
    part = with_first_tensor(_parts(output)[first], change)
    if isinstance(output, Mapping):
        changed[first] = part
    else:
        setattr(changed, first, part)
    return changed
