"""How the process runs while encoders are measured: what makes the same arithmetic faster."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from threadpoolctl import ThreadpoolController

from ...encoders.threads import single_thread

# mallopt's options, as numbered in glibc's malloc.h
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_HOLDING = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 1024**2, _MMAP_THRESHOLD: 32 * 1024**2}
# Setting an option ends glibc's own adjustment of it, so leave what that arrives at after large blocks.
_AFTERWARDS = {_TRIM_THRESHOLD: 64 * 1024**2, _TOP_PAD: 0, _MMAP_THRESHOLD: 32 * 1024**2}


@contextmanager
def flushing_denormals() -> Iterator[None]:
    """Treat denormal numbers as zero inside; they slow convolutions on CPUs some 40 times."""
    already = (torch.tensor([1e-40]) * 1.0).item() == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(already)


@contextmanager
def holding_memory() -> Iterator[None]:
    """Keep freed memory for the next layer inside, rather than give it back to the system each time.

    With glibc's defaults every activation of some megabytes is fresh memory, and the page faults take
    longer than a small network's arithmetic. Elsewhere than on glibc this does nothing.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    mallopt, trim = getattr(libc, "mallopt", None), getattr(libc, "malloc_trim", None)
    if mallopt is None or trim is None:
        yield
        return
    for option, value in _HOLDING.items():
        mallopt(option, value)
    try:
        yield
    finally:
        for option, value in _AFTERWARDS.items():
            mallopt(option, value)
        trim(0)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep linear algebra and torch to one thread inside.

    Many small pieces gain little by more; and on a busy machine threads that wait for one another spin,
    which has cost thirty times the work itself.
    """
    with single_thread(), _pools("scipy.linalg" in sys.modules).limit(limits=1):
        yield


@cache
def _pools(has_scipy: bool) -> ThreadpoolController:
    """Find the libraries that keep threads: once, and again when scipy has brought its own."""
    return ThreadpoolController()
