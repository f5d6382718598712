"""The index of compositional stability, its area under the curve, their intervals and null."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .resampling import RESAMPLES, permutation_p, quantile_interval

AUC_RESAMPLES = 199  # of its interval: every resample sorts all pairs anew
AT_ONCE = 400_000  # numbers of the resamples that are held together
DIGITS = 6  # overlaps that differ by less are ties: their last digits are rounding
TIE = 1e-9  # and so are indices


@dataclass(frozen=True)
class Stability:
    """How far same components overlap in different contexts, and different ones.

    Parameters
    ----------
    stability, confusion : float64 [components]
        Mean overlap with the same component, and with the others, in other contexts.
    index, auc : float
        Mean stability less mean confusion; how often a same pair overlaps more than a different one.
    index_interval, auc_interval : (float, float)
        95 %, components and contexts drawn again.
    index_p : float
        Components relabelled within every context.
    """

    stability: np.ndarray
    confusion: np.ndarray
    index: float
    auc: float
    index_interval: tuple[float, float]
    auc_interval: tuple[float, float]
    index_p: float


def stability_of(overlap: np.ndarray, contexts: np.ndarray, seed: int = 0, n: int = RESAMPLES) -> Stability:
    """Judge the overlaps of components' planes.

    Parameters
    ----------
    overlap : float [components, components, pairs]
        Between the plane of the first component in a pair's first context and that of the second
        component in its second.
    contexts : int [pairs, 2]
        Different contexts that were compared.
    seed : int
    n : int > 0
        Resamples, and relabellings.

    Notes
    -----
    Source: the project's own definition; intervals by the two-way bootstrap of Owen, Annals of Applied
    Statistics 1(2), 2007. The same pairs of contexts serve same and different components, so that what
    two contexts have in common cannot tell them apart.

    Examples
    --------
    >>> perfect = stability_of(np.eye(5)[:, :, None].repeat(3, axis=2), np.array([[0, 1], [0, 2], [1, 2]]))
    >>> perfect.index, perfect.auc, perfect.index_interval
    (1.0, 1.0, (1.0, 1.0))
    """
    size = len(overlap)
    table = np.round(np.asarray(overlap, dtype=np.float64), DIGITS)
    diagonal = table[np.arange(size), np.arange(size)]  # [components, pairs]
    rest = table.sum(axis=(1, 2)) + table.sum(axis=(0, 2)) - 2 * diagonal.sum(1)
    generator = np.random.default_rng(seed)
    weights = _drawn_weights(size, contexts, n, generator)
    index, auc = _index(table, *weights), _auc(table, *(w[:AUC_RESAMPLES] for w in weights))
    null = relabelled_index(table, contexts, generator, n)
    observed, area = _index(table, *_ones(table)), _auc(table, *_ones(table))
    return Stability(
        diagonal.mean(1),
        rest / (2 * max(1, size - 1) * table.shape[2]),
        float(observed[0]),
        float(area[0]),
        quantile_interval(index),
        quantile_interval(auc),
        permutation_p(float(observed[0]), null + TIE),
    )


def relabelled_index(
    overlap: np.ndarray, contexts: np.ndarray, generator: np.random.Generator, n: int = RESAMPLES
) -> np.ndarray:
    """Index under `n` relabellings of the components within every context, float64 [n]."""
    size, total = len(overlap), overlap.sum()
    n_contexts, pair = int(contexts.max()) + 1, np.arange(overlap.shape[2])[:, None]
    same = np.empty(n)
    for rows in _portions(n, n_same := size * overlap.shape[2]):
        shape = (rows.stop - rows.start, n_contexts, size)
        named = generator.permuted(np.broadcast_to(np.arange(size), shape), axis=2)
        first, second = named[:, contexts[:, 0]], named[:, contexts[:, 1]]  # [rows, pairs, components]
        same[rows] = overlap[first, second, pair].sum(axis=(1, 2))
    return same / n_same - (total - same) / max(1, n_same * (size - 1))


def _portions(n: int, each: int) -> Iterator[slice]:
    """Divide `n` resamples of `each` numbers so that memory does not grow with their number."""
    step = max(1, AT_ONCE // each)
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _ones(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ones((1, len(table))), np.ones((1, table.shape[2]))


def _drawn_weights(
    size: int, contexts: np.ndarray, n: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """How often each component and each pair of contexts is drawn: [n, components], [n, pairs]."""
    n_contexts = int(contexts.max()) + 1
    components = generator.multinomial(size, np.full(size, 1 / size), size=n)
    drawn = generator.multinomial(n_contexts, np.full(n_contexts, 1 / n_contexts), size=n)
    return components.astype(float), (drawn[:, contexts[:, 0]] * drawn[:, contexts[:, 1]]).astype(float)


def _index(table: np.ndarray, components: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Index with components and pairs weighted; NaN where a resample holds nothing to compare."""
    size = len(table)
    by_pair = pairs @ table.reshape(size * size, -1).T  # [n, components^2]
    square = by_pair.reshape(-1, size, size)
    same = np.einsum("nii,ni->n", square, components)
    different = np.einsum("nij,ni,nj->n", square, components, components) - np.einsum(
        "nii,ni->n", square, components**2
    )
    heavy = pairs.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        n_different = components.sum(1) ** 2 - (components**2).sum(1)
        return same / (components.sum(1) * heavy) - different / (n_different * heavy)


def _auc(table: np.ndarray, components: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Area under the curve of same against different pairs, ties half, with weights: [n].

    `sklearn.metrics.roc_auc_score` takes one set of weights at a time, in 19 times the time; it is the
    reference of a test.
    """
    size = len(table)
    i, j, k = (axis.ravel() for axis in np.indices(table.shape))
    order = np.argsort(table.ravel(), kind="stable")
    _, starts = np.unique(table.ravel()[order], return_index=True)
    i, j, k = i[order], j[order], k[order]
    areas = np.empty(len(components))
    for rows in _portions(len(components), table.size):
        c, p = components[rows], pairs[rows]
        same = np.where(i == j, c[:, i] * p[:, k], 0.0)
        different = np.where(i == j, 0.0, c[:, i] * c[:, j] * p[:, k])
        same, different = (np.add.reduceat(w, starts, axis=1) for w in (same, different))
        below = np.cumsum(different, axis=1) - different / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            areas[rows] = (same * below).sum(1) / (same.sum(1) * different.sum(1))
    return areas if size > 1 else np.full(len(areas), np.nan)
