"""Rows that a dictionary is learnt from, drawn in batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...synth.errors import InputError


class Rows(Protocol):
    """Rows that a dictionary can be learnt from."""

    width: int

    def __len__(self) -> int: ...
    def rows(self, start: int, stop: int) -> Tensor: ...  # noqa: D102
    def batches_per_epoch(self, batch_size: int) -> int: ...  # noqa: D102
    def batches(self, seed: int, epoch: int, batch_size: int, first: int = 0) -> Iterator[Tensor]: ...  # noqa: D102


class MemoryRows:
    """Rows in memory, float32 [N, d].

    Raises
    ------
    InputError
        If they are not a table of finite numbers.

    Examples
    --------
    >>> rows = MemoryRows(torch.arange(6.0).reshape(6, 1))
    >>> [len(batch) for batch in rows.batches(seed=0, epoch=0, batch_size=4)]
    [4]
    """

    def __init__(self, rows: Tensor) -> None:
        if rows.dim() != 2 or 0 in rows.shape:
            raise InputError(f"rows of shape {tuple(rows.shape)}: must be [rows, width]")
        if not torch.isfinite(rows).all():
            raise InputError(f"rows: row {int((~torch.isfinite(rows)).any(1).nonzero()[0])} holds NaN or Inf")
        self._rows, self.width = rows.to(torch.float32), rows.shape[1]

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, start: int, stop: int) -> Tensor:
        """Return rows ``start:stop``, float32 [n, d]."""
        return self._rows[start:stop]

    def batches_per_epoch(self, batch_size: int) -> int:
        """Return how many whole batches there are."""
        return whole_batches([len(self)], batch_size)

    def batches(self, seed: int, epoch: int, batch_size: int, first: int = 0) -> Iterator[Tensor]:
        """Yield batches [batch_size, d], the same for a seed and an epoch, from the `first`-th on."""
        order = generator(seed, epoch, 0).permutation(len(self))
        for number in range(first, self.batches_per_epoch(batch_size)):
            yield self._rows[order[number * batch_size : (number + 1) * batch_size]]


def whole_batches(windows: list[int], batch_size: int) -> int:
    """Return how many whole batches fit into windows of so many rows."""
    if batch_size < 1 or not any(size >= batch_size for size in windows):
        raise InputError(f"batch size {batch_size}: must be 1 to {max(windows)}, rows in memory at a time")
    return sum(size // batch_size for size in windows)


def generator(seed: int, epoch: int, number: int) -> np.random.Generator:
    """Return a generator of its own for every window of every epoch; 0 is that of their order."""
    return np.random.default_rng([seed, epoch, number])
