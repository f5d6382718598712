"""Progress of long work: a bar with time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

SECONDS_BETWEEN_LINES = 15.0


class Progress:
    """Shows how far tasks have come, on stderr.

    Parameters
    ----------
    show : bool
        False shows nothing.
    """

    def __init__(self, show: bool = True) -> None:
        self.show = show

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Yield ``advance(count)``; the label and the count out of `total` are shown meanwhile."""
        if not self.show:
            yield lambda count: None
        elif sys.stderr.isatty():
            columns = (
                TextColumn("{task.description:<44}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            with RichProgress(*columns, console=Console(stderr=True)) as bar:
                task = bar.add_task(label, total=total)
                yield lambda count: bar.advance(task, count)
        else:
            started = said = time.monotonic()
            done = 0

            def advance(count: int) -> None:
                nonlocal said, done
                done += count
                now = time.monotonic()
                if now - said > SECONDS_BETWEEN_LINES:
                    left = (now - started) / done * (total - done)
                    print(f"{label}: {done} of {total}, about {left:.0f} s left", file=sys.stderr, flush=True)
                    said = now

            yield advance
            print(f"{label}: {total} in {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
