"""Progress of long work: a bar with time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

SECONDS_BETWEEN_LINES = 15.0
FIRST_TASK = 0.9  # of what is left of a step: most have one task alone
TRUSTED = 0.05  # a forecast weighs as much as this share of the work measured


@dataclass(frozen=True)
class Step:
    """A part of a run: what it is called, and how many seconds it is forecast to take."""

    label: str
    seconds: float


class Progress:
    """Shows how far tasks have come, on stderr.

    Parameters
    ----------
    show : bool
        False shows nothing.
    """

    def __init__(self, show: bool = True) -> None:
        self.show = show
        self._run: _Run | None = None

    def say(self, text: str) -> None:
        """Print a line."""
        if self._run is not None:
            self._run.say(text)
        elif self.show:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def run(self, steps: Mapping[str, Step]) -> Iterator[None]:
        """Show one bar for all steps as long as this lasts; tasks move it on, and have none of their own.

        Parameters
        ----------
        steps : mapping of str to Step
            What is left to do, by the keys that `step` is given.
        """
        if not self.show or not steps:
            yield
            return
        with _bar() as bar:
            self._run = _Run(steps, bar)
            try:
                yield
                self._run.finish()
            finally:
                self._run = None

    @contextmanager
    def step(self, key: str) -> Iterator[None]:
        """Show that a step of the run is being taken; one that is not planned is not counted."""
        run = self._run
        if run is None:
            yield
            return
        run.begin(key)
        yield
        run.end(key)

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Yield ``advance(count)``; the label and the count out of `total` are shown meanwhile."""
        if not self.show:
            yield lambda count: None
        elif self._run is not None:
            with self._run.task(total) as part:
                yield part
        elif sys.stderr.isatty():
            columns = (
                TextColumn("{task.description:<44}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            with RichProgress(*columns, console=Console(stderr=True)) as bar:
                task = bar.add_task(label, total=total)

                def move(count: int) -> None:
                    bar.advance(task, count)

                yield move
        else:
            started = said = time.monotonic()
            done = 0

            def advance(count: int) -> None:
                nonlocal said, done
                done += count
                now = time.monotonic()
                if now - said > SECONDS_BETWEEN_LINES:
                    left = (now - started) / done * (total - done)
                    print(
                        f"{label}: {done} of {total}, about {duration(left)} left",
                        file=sys.stderr,
                        flush=True,
                    )
                    said = now

            yield advance
            if time.monotonic() - started > SECONDS_BETWEEN_LINES:
                print(f"{label}: {total} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def progress_of(given: Progress | bool | None) -> Progress:
    """Return what shows progress: what is given, or whether anything is to; by default it is."""
    return given if isinstance(given, Progress) else Progress(show=given is not False)


def duration(seconds: float) -> str:
    """Write a duration that is known roughly.

    Examples
    --------
    >>> duration(8.4), duration(74), duration(400), duration(9000)
    ('8 s', '70 s', '7 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 90:
        return f"{round(seconds, -1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def _bar() -> Iterator[RichProgress | None]:
    """Open a bar on a terminal; elsewhere there is none."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        BarColumn(24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[left]:<14}"),
        TextColumn("{task.description}"),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bar:
        yield bar


class _Run:
    """How far a run has come, by what its steps were forecast to take."""

    def __init__(self, steps: Mapping[str, Step], bar: RichProgress | None) -> None:
        self._steps, self._bar = steps, bar
        self._total = sum(step.seconds for step in steps.values())
        self._done = 0.0  # seconds of forecast
        self._now = Step("", 0.0)
        self._share = 0.0  # of the step that is being taken
        self._started = self._said = time.monotonic()
        self._shown = None if bar is None else bar.add_task("", total=1.0, left="")

    @property
    def fraction(self) -> float:
        """Which share of the run is done."""
        return min(1.0, self._reached / self._total) if self._total else 0.0

    @property
    def _reached(self) -> float:
        return self._done + self._share * self._now.seconds

    @property
    def left(self) -> float:
        """Seconds left: forecast at first, then as what is done has taken."""
        prior = TRUSTED * self._total
        elapsed = time.monotonic() - self._started
        return (self._total - self._reached) * (elapsed + prior) / max(self._reached + prior, 1e-9)

    def begin(self, key: str) -> None:
        self._now, self._share = self._steps.get(key, Step(key, 0.0)), 0.0
        self._update()

    def end(self, key: str) -> None:
        self._done += self._now.seconds
        self._now, self._share = Step(self._now.label, 0.0), 0.0
        self._update()

    @contextmanager
    def task(self, total: int) -> Iterator[Callable[[int], None]]:
        """Move on through the step; a task after others has the most of what they left."""
        begun, done = self._share, 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self._share = begun + (1 - begun) * FIRST_TASK * done / max(total, 1)
            self._update()

        yield advance

    def say(self, text: str) -> None:
        if self._bar is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._bar.console.print(text, highlight=False)

    def finish(self) -> None:
        took = time.monotonic() - self._started
        if self._bar is not None and self._shown is not None:
            self._bar.update(self._shown, completed=1.0, description="done", left=f"in {duration(took)}")
        elif took > SECONDS_BETWEEN_LINES:
            self.say(f"100 %: done in {duration(took)}")

    def _update(self) -> None:
        if self._bar is not None and self._shown is not None:
            left = f"{duration(self.left)} left"
            self._bar.update(self._shown, completed=self.fraction, description=self._now.label, left=left)
        elif time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            self.say(f"{100 * self.fraction:.0f} %: {self._now.label}, about {duration(self.left)} left")
