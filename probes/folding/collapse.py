"""Collapse: whether frequencies that share a fold get the same pattern more than others do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ..statistics.resampling import RESAMPLES, permutation_p, quantile_interval

STRATA = 16  # of distance in octaves, within which pairs are compared
ONE = np.float32(1)
LARGEST = 2**22  # resamples x pairs that are looked at together
FEWEST_PAIRS = 8  # that share a fold
NEGLIGIBLE = 1e-6  # re a pattern's largest power


class Patterns:
    """Collects, tile by tile, the power of each tone at every channel and output frequency.

    Powers below 1e-6 of a tone's largest are dropped: they change no similarity by more than some 1e-6.
    """

    def __init__(self) -> None:
        self._tiles: list[sparse.csr_array] = []

    def add(self, power: np.ndarray) -> None:
        """Add a tile's tones, float [b, C, n_bins]."""
        flat = power.reshape(len(power), -1)
        kept = flat > NEGLIGIBLE * flat.max(1, keepdims=True)
        place = np.flatnonzero(kept)
        first = np.concatenate([[0], np.cumsum(kept.sum(1))])
        tile = (flat.ravel()[place], place % flat.shape[1], first)
        self._tiles.append(sparse.csr_array(tile, shape=flat.shape))

    def similarity(self) -> np.ndarray:
        """Cosine of every pair of patterns, float64 [n, n]; NaN for a tone without any response."""
        return cosines(sparse.vstack(self._tiles).astype(np.float64))


@dataclass(frozen=True)
class Collapse:
    """How much more alike tones of one fold are than others; NaN with fewer than 8 pairs of one fold.

    Parameters
    ----------
    collapse : float
        Mean similarity of pairs that share a fold, less that of pairs as far apart that do not: 1 where
        every fold is one sound, 0 where sharing a fold makes no difference.
    collapse_low, collapse_high : float
        Bootstrap interval over tones, 95 %.
    collapse_p : float
        Of a permutation test of `collapse` > 0.
    collapse_chance : float
        What `collapse` would be if tones of one fold excited the channels no more alike than other tones as
        far apart do: the mean similarity of the latter by channel alone, whatever the output frequency.
        Unrelated powers are never unlike: those of many independent random filters give about 1/2.
    n_sharing : int
        Pairs that share a fold and lie far enough apart.
    """

    collapse: float = np.nan
    collapse_low: float = np.nan
    collapse_high: float = np.nan
    collapse_p: float = np.nan
    collapse_chance: float = np.nan
    n_sharing: int = 0


def collapse(
    similarity: np.ndarray,
    by_channel: np.ndarray,
    shared: np.ndarray,
    frequency_hz: np.ndarray,
    apart_hz: float,
    seed: int = 0,
) -> Collapse:
    """Compare pairs that share a fold with pairs matched in log-frequency distance that do not.

    Parameters
    ----------
    similarity : float [n, n]
        Of the patterns of every two tones.
    by_channel : float [n, n]
        The same of the powers of channels alone.
    shared : bool [n, n]
        Whether two tones share a fold.
    frequency_hz : float [n]
    apart_hz : float >= 0
        Pairs no further apart are left out: where filters are as broad as that, likeness says nothing
        about folding.
    seed : int
        Of resampling.

    Returns
    -------
    collapse : Collapse

    Notes
    -----
    Pairs are matched by stratification: within each of up to 16 ranges of distance (in octaves; together
    they span the pairs that share a fold), the mean over pairs that do not share a fold is taken from the
    mean over those that do; ranges count by the number of the latter. The interval resamples tones, the
    permutation test deals the folds anew to the tones; both keep the dependence of pairs that have a tone
    in common.

    The difference of means is taken rather than a rank statistic, which would make much of side lobes
    at -80 dB.

    Examples
    --------
    >>> bins = np.tile(np.arange(8), 4)
    >>> alike = (bins[:, None] == bins).astype(float)
    >>> frequency_hz = np.arange(100.0, 3300.0, 100.0)
    >>> found = collapse(alike, np.ones((32, 32)), bins[:, None] == bins, frequency_hz, 0.0)
    >>> round(found.collapse, 6), round(found.collapse_chance, 6)
    (1.0, 1.0)
    """
    responds = np.isfinite(np.diag(similarity))
    first, second = np.triu_indices(len(frequency_hz), 1)
    usable = responds[first] & responds[second]
    usable &= np.abs(frequency_hz[first] - frequency_hz[second]) > apart_hz
    first, second = first[usable], second[usable]
    alike, sharing = similarity[first, second], shared[first, second]
    n_sharing = int(sharing.sum())
    if n_sharing < FEWEST_PAIRS:
        return Collapse(n_sharing=n_sharing)
    octaves = np.abs(np.log2(frequency_hz[first] / frequency_hz[second]))
    edges = np.quantile(octaves[sharing], np.linspace(0, 1, min(STRATA, n_sharing // 4) + 1))
    within = (octaves >= edges[0]) & (octaves <= edges[-1])
    first, second, alike, sharing = first[within], second[within], alike[within], sharing[within]
    alike = alike.astype(np.float32)  # twice as fast below, and no less exact than the activations were
    stratum = np.searchsorted(edges[1:-1], octaves[within])

    strata = np.eye(int(stratum.max()) + 1, dtype=np.float32)[stratum]  # [pairs, strata]
    observed = float(_difference(alike, sharing, strata))
    chance = float(_means(by_channel[first, second], sharing, strata)[1])
    generator, n = np.random.default_rng(seed), len(frequency_hz)
    resampled, null = [], []
    at_once = max(1, LARGEST // len(alike))
    for count in np.diff([*range(0, RESAMPLES, at_once), RESAMPLES]):
        times = generator.multinomial(n, np.full(n, 1 / n), count).astype(np.float32)  # [resamples, n]
        resampled.append(_difference(alike, sharing, strata, times[:, first] * times[:, second]))
        dealt = np.argsort(generator.random((count, n)), axis=1)
        null.append(_difference(alike, shared[dealt[:, first], dealt[:, second]], strata))
    interval = quantile_interval(np.concatenate(resampled))
    return Collapse(observed, *interval, permutation_p(observed, np.concatenate(null)), chance, n_sharing)


def cosines(vectors: Any) -> np.ndarray:
    """Cosine of every pair of rows, float64 [n, n], of an array or a sparse one; NaN for a row of zeros."""
    product = vectors @ vectors.T
    product = product.toarray() if sparse.issparse(product) else product
    norm = np.sqrt(np.diag(product))
    with np.errstate(invalid="ignore", divide="ignore"):
        return product / np.outer(norm, norm)


def _difference(
    alike: np.ndarray, sharing: np.ndarray, strata: np.ndarray, weight: np.ndarray | np.float32 = ONE
) -> np.ndarray:
    of_one_fold, others = _means(alike, sharing, strata, weight)
    return of_one_fold - others


def _means(
    alike: np.ndarray, sharing: np.ndarray, strata: np.ndarray, weight: np.ndarray | np.float32 = ONE
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over sharing pairs, and over the others with as many from each stratum: [...].

    Of pairs [p], whether they share a fold [..., p], their strata [p, s] and their weights [..., p].
    """
    of_one_fold, others = weight * sharing, weight * ~sharing  # [..., p]
    count, count_others = of_one_fold @ strata, others @ strata  # [..., s]
    both = (count > 0) & (count_others > 0)
    share = np.where(both, count, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = share / share.sum(-1, keepdims=True)
        of_one_fold = np.where(both, (of_one_fold * alike) @ strata / count, 0.0)
        others = np.where(both, (others * alike) @ strata / count_others, 0.0)
    return (share * of_one_fold).sum(-1), (share * others).sum(-1)
