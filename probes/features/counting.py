"""Arithmetic on histograms and lists that hold many melodies at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def divided(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; NaN where the denominator is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


def first_of_each(row: np.ndarray) -> np.ndarray:
    """Mark the first entry of each melody in an ascending list: bool, as `row`."""
    marks = np.ones(len(row), bool)
    marks[1:] = row[1:] != row[:-1]
    return marks


@dataclass(frozen=True)
class TopTwo:
    """The two fullest bins of N histograms, and what they hold; bin 0 where nothing is left.

    Parameters
    ----------
    first, second : int64 [N]
        Bins.
    most, next_most : int64 [N]
        What they hold.
    """

    first: np.ndarray
    second: np.ndarray
    most: np.ndarray
    next_most: np.ndarray

    @classmethod
    def lowest_first(cls, counts: np.ndarray) -> TopTwo:
        """Among equally full bins of int64 [N, K] take the lowest."""
        rows = np.arange(len(counts))
        first = counts.argmax(axis=1)
        others = _without(counts, first)
        second = others.argmax(axis=1)
        return cls(first, second, counts[rows, first], others[rows, second])

    @classmethod
    def earliest_first(cls, counts: np.ndarray, row: np.ndarray, bins: np.ndarray) -> TopTwo:
        """Among equally full bins take the one that comes first in the list that was counted.

        Parameters
        ----------
        counts : int64 [N, K]
        row, bins : int64 [n]
            The list; `row` ascends.
        """
        first, most = _earliest(counts, row, bins)
        second, next_most = _earliest(_without(counts, first), row, bins)
        return cls(first, second, most, next_most)


def _without(counts: np.ndarray, bins: np.ndarray) -> np.ndarray:
    others = counts.copy()
    others[np.arange(len(counts)), bins] = 0
    return others


def _earliest(counts: np.ndarray, row: np.ndarray, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fullest bin of each histogram, the earliest in the list among equals, and what it holds."""
    most = counts.max(axis=1)
    as_full = (counts[row, bins] == most[row]) & (most[row] > 0)
    row, bins = row[as_full], bins[as_full]
    earliest = first_of_each(row)
    fullest = np.zeros(len(counts), np.int64)
    fullest[row[earliest]] = bins[earliest]
    return fullest, most
