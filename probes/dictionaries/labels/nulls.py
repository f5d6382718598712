"""What chance gives: truths that change places among groups or clips, and the greatest of many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .base import Truth
from .ranks import midranks, standardised

TIE = 1e-5  # areas and correlations that differ by less differ by rounding
_ENTRIES_AT_ONCE = 8_000_000  # of statistics of one batch of permutations


def moves_by_group(truth: Truth, groups: np.ndarray) -> bool:
    """Whether a factor is the same throughout each group (as far as it is known)."""
    known = truth.known
    pairs = np.unique(np.stack([groups[known].astype(float), truth.values[known].astype(float)]), axis=1)
    return pairs.shape[1] == len(np.unique(groups[known]))


@dataclass(frozen=True, eq=False)
class Exchange:
    """How the values of a truth change places, and the linear forms of ranks that measure them.

    Parameters
    ----------
    values : int64 or float64 [n]
        Of the clips at hand, all known.
    groups : int [n]
    by_group : bool
        Values belong to groups, and change places among them; otherwise among the clips of each group.
    classes : int [C]
        Those that are measured; empty for numbers.

    Notes
    -----
    A factor that is constant within groups (the family of a program) was drawn once a group: groups are
    what there is to exchange, and clips that change places as if each had been drawn would give far too
    small p-values. A factor that varies within groups is exchanged within them: groups differ in how much
    they excite a feature, and in the factor (a bass plays low), and where clips changed places among groups
    a feature of the group would pass for one of the factor. What is measured is then the distance from
    what the groups alone give. It is exact if clips of a group are exchangeable but for the factor.
    """

    values: np.ndarray
    groups: np.ndarray
    by_group: bool
    classes: np.ndarray

    def forms(self, rows: np.ndarray) -> np.ndarray:
        """Linear forms of ranks (see `ranked`) whose values are the statistics, float64 [P, C, n].

        Parameters
        ----------
        rows : [P, n]
            Values in P orders.
        """
        if not len(self.classes):
            ranks = standardised(midranks(rows.T)).T
            return (ranks - self._group_means(ranks))[:, None]
        member = (rows[:, None] == self.classes[:, None]).astype(float)
        inside = member.sum(-1, keepdims=True)
        return (member - self._group_means(member)) / (inside * (member.shape[-1] - inside))

    def ranked(self, activation: np.ndarray) -> np.ndarray:
        """Ranks that the forms are of, float32 [n, M]: about 0 for areas, of norm 1 for correlations."""
        ranks = midranks(activation)
        centred = ranks - ranks.mean(0) if len(self.classes) else standardised(ranks)
        return centred.astype(np.float32)

    def observed(self, ranked: np.ndarray) -> np.ndarray:
        """Statistics of the values as they are, float32 [C, M]: area less 0.5 (or what groups give)."""
        return self.forms(self.values[None])[0].astype(np.float32) @ ranked

    def expected(self, ranked: np.ndarray) -> np.ndarray:
        """Return what groups alone give, [C, M]; 0 where groups change places."""
        if self.by_group:
            return np.zeros((max(1, len(self.classes)), ranked.shape[1]))
        free = Exchange(self.values, self.groups, True, self.classes)
        return free.observed(ranked) - self.observed(ranked)

    def permuted(
        self, ranked: np.ndarray, permutations: int, generator: np.random.Generator
    ) -> Iterator[np.ndarray]:
        """Yield the statistics of permuted values, float32 [some of P, C, M]."""
        per_permutation = max(1, len(self.classes)) * (ranked.shape[1] + len(self.values))
        size = max(1, _ENTRIES_AT_ONCE // per_permutation)
        for start in range(0, permutations, size):
            rows = self.drawn(min(size, permutations - start), generator)
            forms = self.forms(rows).astype(np.float32)
            yield (forms.reshape(-1, forms.shape[-1]) @ ranked).reshape(*forms.shape[:2], -1)

    def drawn(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """Return the values in `n` random orders, [n, clips]."""
        if not self.by_group:
            random = generator.random((n, len(self.values)))
            home = np.argsort(self.groups, kind="stable")
            order = np.lexsort((random, np.broadcast_to(self.groups, random.shape)), axis=1)
            out = np.empty((n, len(self.values)), self.values.dtype)
            out[:, home] = self.values[order]
            return out
        _, first, inverse = np.unique(self.groups, return_index=True, return_inverse=True)
        order = np.argsort(generator.random((n, len(first))), axis=1)
        return self.values[first][order][:, inverse]

    def _group_means(self, rows: np.ndarray) -> np.ndarray:
        """Replace each entry of [..., n] by the mean of its group; by 0 where groups change places."""
        if self.by_group:
            return np.zeros_like(rows)
        inverse = np.unique(self.groups, return_inverse=True)[1]
        share = np.eye(inverse.max() + 1)[inverse]  # [n, groups]
        return rows @ (share / share.sum(0)) @ share.T


def reached(observed: np.ndarray, greatest: np.ndarray) -> np.ndarray:
    """How often the greatest of all, by chance, is no less than each observed: p-values, single-step.

    Parameters
    ----------
    observed : float [...]
    greatest : float [P]
        Of all statistics, in each permutation.

    Notes
    -----
    The observed order counts: Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology
    9(1):39, 2010. Single-step: Westfall and Young, Resampling-Based Multiple Testing, 1993, chapter 2.

    Examples
    --------
    >>> reached(np.array([3.0, 0.0]), np.array([1.0, 2.0, 4.0])).tolist()
    [0.5, 1.0]
    """
    ascending = np.sort(greatest)
    beaten = np.searchsorted(ascending, np.asarray(observed) - TIE)
    return (1 + len(ascending) - beaten) / (1 + len(ascending))


def step_down(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Correct for there being several statistics, each compared with the greatest of those not yet rejected.

    Parameters
    ----------
    observed : float [m]
    null : float [P, m]
        In permutations, the same for all.

    Returns
    -------
    p : float64 [m]

    Notes
    -----
    Westfall and Young, Resampling-Based Multiple Testing, 1993, algorithm 2.8, of maxima. Holm's correction
    of 999 permutations would leave nothing of more than fifty labels: the least p is 0.001.

    Examples
    --------
    >>> step_down(np.array([1.0, 5.0]), np.array([[0.0, 2.0], [0.5, 1.0], [2.0, 0.0]])).tolist()
    [0.5, 0.25]
    """
    order = np.argsort(-observed, kind="stable")
    greatest = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]  # of it and all smaller ones
    p = (1 + (greatest >= observed[order] - TIE).sum(0)) / (1 + len(null))
    corrected = np.empty(len(observed))
    corrected[order] = np.maximum.accumulate(p)
    return corrected
