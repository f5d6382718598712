"""The loop of every training, which knows no architecture, and what the steps of its tasks share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from ...synth.errors import InputError
from .folder import read_checkpoint, write_checkpoint, write_log

if TYPE_CHECKING:
    from rich.console import Console


class Stateful(Protocol):
    """Whatever a training changes: a module, an optimizer, a schedule."""

    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any: ...  # noqa: D102


class Task(Protocol):
    """What is trained: the parts that change, what a step is given, and what it does.

    A round is one step, or an epoch of them. All draws in a round follow from the seed and its number, and
    nothing but `parts` goes over into the next: a training can be stored between any two rounds.

    Attributes
    ----------
    unit : str
        What a round is called: "step", "epoch".
    columns : tuple of str
        What `summary` and `evaluate` return.
    logged, evaluated, stored : int > 0
        Every so many rounds, and after the last. Only a round that is logged is evaluated.
    seed : int
    rounds, steps_per_round : int > 0
    parts : mapping of str to Stateful
    """

    unit: ClassVar[str] = "step"
    columns: ClassVar[tuple[str, ...]]
    logged: ClassVar[int] = 1
    evaluated: ClassVar[int] = 1
    stored: ClassVar[int] = 1
    seed: int
    rounds: int
    steps_per_round: int = 1
    parts: Mapping[str, Stateful]

    def batches(self, number: int) -> Iterable[Any]:
        """Yield what each step of a round is given; it follows from the seed and the round's number."""
        ...

    def step(self, batch: Any, step: int) -> Sequence[float]:
        """Change the parts; return what is logged. The steps of all rounds are counted through."""
        ...

    def summary(self, rows: Sequence[Sequence[float]]) -> dict[str, float]:
        """Return a row of the log from what the steps since the last row returned: their means."""
        return dict(zip(self.columns, np.mean(rows, axis=0).tolist(), strict=True))

    def evaluate(self) -> dict[str, float]:
        """Return what is measured on what is not learnt from, by column."""
        return {}


def fit(task: Task, folder: Path, progress: bool = False) -> list[dict[str, float]]:
    """Train to the last round, from the folder's checkpoint if there is one.

    Interrupted and gone on with, a training ends with the same bytes as without: what was done since the
    last checkpoint is done again, from the same draws.

    Parameters
    ----------
    task : Task
        Its parts are changed.
    folder : path
        Where ``checkpoint.pt`` and ``log.csv`` lie, each whole or as it was before.
    progress : bool
        Show the steps of a long round, and one line per row of the log.

    Returns
    -------
    history : list of dict
        The rows of the log.

    Raises
    ------
    InputError
        If the loss ceases to be finite, or the checkpoint is of another version.
    """
    from rich.console import Console

    console = Console(quiet=not progress, highlight=False, soft_wrap=True)
    start, history, rows = _restore(task, folder)
    stored, began = start, time.monotonic()
    if start:
        console.print(f"goes on after {task.unit} {start:,} of {task.rounds:,}")
    try:
        for done in range(start + 1, task.rounds + 1):
            rows += _run_round(task, done - 1, console)
            if _due(task, done, task.logged):
                row = {task.unit: done, **task.summary(rows)}
                history.append(row | (task.evaluate() if _due(task, done, task.evaluated) else {}))
                rows = []
                left_min = (time.monotonic() - began) / (done - start) * (task.rounds - done) / 60
                console.print(_line(task, history[-1], left_min))
            if _due(task, done, task.stored):
                state = {name: part.state_dict() for name, part in task.parts.items()}
                write_checkpoint(folder, {"parts": state, "done": done, "history": history, "rows": rows})
                write_log(folder, (task.unit, *task.columns), history)
                stored = done
    except KeyboardInterrupt:
        console.print(f"stored up to {task.unit} {stored:,} of {task.rounds:,}; run again, it goes on there")
        raise
    return history


def _run_round(task: Task, number: int, console: Console) -> list[Sequence[float]]:
    """Take the steps of a round; return what each returned."""
    from rich.progress import track

    batches = track(
        task.batches(number),
        f"{task.unit} {number + 1:,} of {task.rounds:,}",
        total=task.steps_per_round,
        transient=True,
        console=console,
        disable=task.steps_per_round == 1 or not console.is_terminal,
    )
    with torch.random.fork_rng():
        torch.manual_seed((task.seed * 1_000_003 + number) % 2**63)
        return [task.step(batch, step) for step, batch in enumerate(batches, number * task.steps_per_round)]


def _restore(task: Task, folder: Path) -> tuple[int, list[dict[str, float]], list[Sequence[float]]]:
    """Take up the parts as they were stored; return the rounds done, the log, and its unfinished row."""
    stored = read_checkpoint(folder)
    if stored is None:
        return 0, [], []
    if stored.get("parts", {}).keys() != task.parts.keys():
        raise InputError(f"{folder / 'checkpoint.pt'}: of another version: start over without resuming")
    for name, part in task.parts.items():
        part.load_state_dict(stored["parts"][name])
    return stored["done"], stored["history"], stored["rows"]


def _due(task: Task, done: int, every: int) -> bool:
    return done % every == 0 or done == task.rounds


def _line(task: Task, row: Mapping[str, float], left_min: float) -> str:
    values = [f"{name.replace('_', ' ')} {row[name]:.4g}" for name in task.columns if name in row]
    return "  ".join(
        [f"{task.unit} {row[task.unit]:,} of {task.rounds:,}", *values, f"{left_min:.0f} min left"]
    )


def usual_device() -> torch.device:
    """Return the accelerator that torch finds, or the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def warmed_cosine(optimizer: Optimizer, steps: int, warm: int | None = None) -> LRScheduler:
    """Return the schedule of learning rates: linear up to the optimizer's own, then half a cosine to zero.

    Parameters
    ----------
    optimizer : Optimizer
    steps : int > 0
        Of the whole training.
    warm : int, optional
        Steps on the way up: at most so many, and at most a twentieth; a twentieth without.

    Examples
    --------
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule, rates = warmed_cosine(optimizer, 60), []
    >>> for _ in range(60):
    ...     rates.append(optimizer.param_groups[0]["lr"])
    ...     optimizer.step()
    ...     schedule.step()
    >>> [round(rate, 4) for rate in (*rates[:4], rates[-1])]
    [0.25, 0.5, 0.75, 1.0, 0.0008]
    """
    up = max(1, steps // 20 if warm is None else min(warm, steps // 20))
    rising = LinearLR(optimizer, start_factor=1 / (up + 1), total_iters=up)
    falling = CosineAnnealingLR(optimizer, max(1, steps - up))
    return SequentialLR(optimizer, [rising, falling], [up])


def backpropagate(loss: Tensor, optimizer: Optimizer) -> None:
    """Leave the gradients of a loss in what an optimizer changes.

    Raises
    ------
    InputError
        If the loss is not finite.
    """
    if not torch.isfinite(loss):
        rate = optimizer.param_groups[0]["lr"]
        raise InputError(
            f"training diverged: loss {loss.item()} at learning rate {rate:g}: choose a lower one"
        )
    optimizer.zero_grad()
    loss.backward()
