"""How many of torch's threads run a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

SMALL = 3_000_000  # parameters of a network that one thread runs about as fast as several do


@contextmanager
def single_thread() -> Iterator[None]:
    """Keep torch to one thread inside."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def suited_threads(module: nn.Module | None) -> AbstractContextManager[None]:
    """Keep torch to one thread inside, if a network is small; one that is None is not.

    Several threads gain a small network little, and wait for one another by spinning: on a busy machine that
    has cost ten times the work itself.

    Examples
    --------
    >>> with suited_threads(nn.Conv1d(1, 8, 64)):
    ...     torch.get_num_threads()
    1
    """
    if module is None or sum(tensor.numel() for tensor in module.parameters()) >= SMALL:
        return nullcontext()
    return single_thread()
