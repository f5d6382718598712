"""How well recordings are named: accuracy with an interval, chance, and who is taken for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Score:
    """The outcome for one split.

    Parameters
    ----------
    accuracy : float
        Share of recordings named rightly.
    interval : (float, float)
        95 % bootstrap interval of the accuracy, drawing whole groups (instruments, artists).
    chance : float
        Accuracy of always naming the most frequent class.
    n_groups : int
        Independent groups the recordings come from.
    confusion : int64 [n_classes, n_classes]
        Recordings of the row's class that were named as the column's.
    """

    accuracy: float
    interval: tuple[float, float]
    chance: float
    n_groups: int
    confusion: np.ndarray

    @property
    def n_recordings(self) -> int:
        """How many recordings were judged."""
        return int(self.confusion.sum())

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"accuracy {self.accuracy:.3f} (95 % interval {low:.3f} to {high:.3f}; chance {self.chance:.3f}) "
            f"on {self.n_recordings} recordings of {self.n_groups} groups"
        )


def score(targets: np.ndarray, named: np.ndarray, n_classes: int, groups: Sequence[str]) -> Score:
    """Compare names with truth; both int64 [n_recordings].

    Examples
    --------
    >>> result = score(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 2, ["a", "a", "b", "b"])
    >>> result.accuracy, result.chance, result.n_groups
    (0.75, 0.5, 2)
    """
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (targets, named), 1)
    _, group = np.unique(np.array(groups), return_inverse=True)
    right, count = np.bincount(group, weights=targets == named), np.bincount(group)
    draws = np.random.default_rng(0).integers(len(count), size=(2000, len(count)))
    accuracies = right[draws].sum(axis=1) / count[draws].sum(axis=1)
    low, high = np.quantile(accuracies, (0.025, 0.975))
    return Score(
        accuracy=float(np.mean(targets == named)),
        interval=(float(low), float(high)),
        chance=float(np.bincount(targets).max() / len(targets)),
        n_groups=len(count),
        confusion=confusion,
    )
