"""Arithmetic on histograms and lists that hold many melodies at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def divided(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; NaN where the denominator is 0."""
    return numerator / np.where(denominator == 0, np.nan, denominator)


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
        others = counts.copy()
        others[rows, first] = 0
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
        held = counts[row, bins]
        first, most = _earliest(held, len(counts), row, bins)
        second, next_most = _earliest(np.where(bins == first[row], 0, held), len(counts), row, bins)
        return cls(first, second, most, next_most)


def _earliest(
    held: np.ndarray, size: int, row: np.ndarray, bins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each of `size` rows, the first bin that holds most, and what it holds; 0 where nothing is held."""
    starts = np.flatnonzero(first_of_each(row))
    most, fullest = np.zeros((2, size), np.int64)
    most[row[starts]] = np.maximum.reduceat(held, starts)
    as_full = (held == most[row]) & (held > 0)
    row, bins = row[as_full], bins[as_full]
    earliest = first_of_each(row)
    fullest[row[earliest]] = bins[earliest]
    return fullest, most
