"""Collapse: whether frequencies that share a fold get the same pattern more than others do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..statistics.groups import group_interval
from ..statistics.resampling import RESAMPLES, by_neighbours, permutation_p, pseudo_values

STRATA = 16  # of distance in octaves, within which pairs are compared
LARGEST = 2**22  # resamples x pairs that are looked at together
FEWEST_PAIRS = 8  # that share a fold
NEGLIGIBLE = 1e-4  # power at an output frequency re a tone's largest
TIE = 1e-6  # no further above is no more than rounding
LEAST_APART = 0.01  # of tones that share no fold: where they are one sound too, nothing is left to collapse


class Patterns:
    """Collects, tile by tile, what each tone puts at every output frequency: a complex vector over channels.

    Output frequencies that hold less than 1e-4 of the power at a tone's strongest are dropped, whole, so
    that no basis of the channels is preferred. A linear stage has a single one for each tone.
    """

    def __init__(self) -> None:
        self._tone: list[np.ndarray] = []
        self._bin: list[np.ndarray] = []
        self._vector: list[np.ndarray] = []
        self._n = 0

    def add(self, spectrum: np.ndarray) -> None:
        """Add a tile's tones, complex [b, C, n_bins]: one-sided, its squares the power of each bin."""
        power = np.square(np.abs(spectrum)).sum(1)  # [b, n_bins]
        tone, at = np.nonzero(power > NEGLIGIBLE * power.max(1, keepdims=True))
        self._tone.append(tone + self._n)
        self._bin.append(at)
        self._vector.append(spectrum[tone, :, at])  # [kept, C]
        self._n += len(spectrum)

    def similarity(self, lines: np.ndarray | None = None) -> np.ndarray:
        """How alike the patterns of every two tones are, float64 [n, n], 0 to 1; NaN for one without power.

        Parameters
        ----------
        lines : int [n, n_lines], optional
            Output bins of each tone to be compared with those of the others, in order, wherever they lie;
            by default bins are compared that are the same.

        Notes
        -----
        ``(sum_k |<a_k, b_k>|)^2 / (sum_k |a_k|^2 sum_k |b_k|^2)`` over output frequencies k, with a_k the
        complex vector over channels. Of two linear responses at one output frequency that is the squared
        cosine of the one principal angle between the planes (cosine and sine phase) that the tones span in
        the space of channels and frames; a tone whose fold runs backwards is there as what its real signal
        holds at the positive frequency, so that nothing else need be done for mirror images. With several
        output frequencies it is the fidelity of the responses' covariances over phases, which are one such
        plane each; a mean shift is the output frequency 0. Orthogonal mixtures, gains and repetitions of
        channels change nothing.

        Source: Uhlmann, Reports on Mathematical Physics 9:273, 1976; of covariances: Bhatia, Jain & Lim,
        Expositiones Mathematicae 37:165, 2019.
        """
        tone, at, vector = (np.concatenate(x) for x in (self._tone, self._bin, self._vector))
        if lines is not None:
            number = np.full((self._n, at.max() + 1), -1)
            for line in range(lines.shape[1] - 1, -1, -1):  # of coincident lines the first counts
                number[np.arange(self._n), np.minimum(lines[:, line], at.max())] = line
            at = number[tone, at]
        overlap = np.zeros((self._n, self._n))
        order = np.argsort(at, kind="stable")
        order = order[at[order] >= 0]
        for rows in np.split(order, np.flatnonzero(np.diff(at[order])) + 1):
            one = vector[rows]
            overlap[np.ix_(tone[rows], tone[rows])] += np.abs(one @ one.conj().T)
        power = np.diag(overlap)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.square(overlap) / np.outer(power, power)


@dataclass(frozen=True)
class Collapse:
    """How much more alike tones of one fold are than others, NaN where that cannot be measured.

    Parameters
    ----------
    collapse : float
        ``(S - O) / (1 - O)`` of the mean similarity S of pairs that share a fold, and O of pairs as far
        apart that do not: 1 where every fold is one sound, 0 where sharing a fold makes no difference, and
        where no two tones share one. NaN with 1 to 7 pairs, and where O is above 0.99.
    collapse_low, collapse_high : float
        Bootstrap interval over tones, 95 %.
    collapse_p : float
        Of a permutation test of `collapse` > 0.
    collapse_chance : float
        What `collapse` would be if tones of one fold answered in the channels no more alike than other
        tones as far apart do, were their output frequencies the same. It is 1 over the number of channels
        for filters that have nothing to do with each other, and 1 for a single channel, in which all tones
        answer alike and only output frequencies tell them apart.
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
    aligned: np.ndarray,
    shared: np.ndarray,
    frequency_hz: np.ndarray,
    apart_hz: float,
    seed: int = 0,
) -> Collapse:
    """Compare pairs that share a fold with pairs matched in log-frequency distance that do not.

    Parameters
    ----------
    similarity : float [n, n]
        Of the patterns of every two tones; NaN where a tone has no answer.
    aligned : float [n, n]
        The same as if all tones had their output at the same frequencies.
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
    they span the pairs that share a fold), the mean over pairs that do not share a fold is set beside those
    that do. The collapse is the mean over tones of `collapse_of_tones`, and its interval t over groups of
    neighbouring tones (of pseudo-values, since every pair counts with both of its tones): the numbers that
    the claim is judged by. The permutation test deals the folds anew to the tones; it takes the mean over
    pairs, ranges counting by the number of pairs that share a fold.

    The correction for what pairs have in common anyway is that of agreement for chance: Cohen, Educational
    and Psychological Measurement 20:37, 1960. A mean shift that all tones cause alike does not count.

    Examples
    --------
    >>> bins = np.tile(np.arange(8), 4)
    >>> alike = (bins[:, None] == bins).astype(float)
    >>> frequency_hz = np.arange(100.0, 3300.0, 100.0)
    >>> found = collapse(alike, np.ones((32, 32)), bins[:, None] == bins, frequency_hz, 0.0)
    >>> round(found.collapse, 6), round(found.collapse_chance, 6)
    (1.0, 1.0)
    """
    if nothing_shared(similarity, shared):
        return Collapse(0.0, 0.0, 0.0, 1.0)
    pairs = _Pairs.of(similarity, shared, frequency_hz, apart_hz)
    if pairs.n_sharing < FEWEST_PAIRS:
        return Collapse(n_sharing=pairs.n_sharing)
    first, second, sharing = pairs.first, pairs.second, pairs.sharing
    alike = pairs.alike.astype(np.float32)  # twice as fast below, and no less exact than activations were
    strata = np.eye(int(pairs.stratum.max()) + 1, dtype=np.float32)[pairs.stratum]  # [pairs, strata]
    observed = float(_beyond(*_means(alike, sharing, strata)))
    if not np.isfinite(observed):
        return Collapse(n_sharing=pairs.n_sharing)
    others = _means(alike, sharing, strata)[1]
    chance = float(_beyond(_means(aligned[first, second], sharing, strata)[1], others))
    generator, n = np.random.default_rng(seed), len(frequency_hz)
    null = []
    at_once = max(1, LARGEST // len(alike))
    for count in np.diff([*range(0, RESAMPLES, at_once), RESAMPLES]):
        dealt = np.argsort(generator.random((count, n)), axis=1)
        null.append(_beyond(*_means(alike, shared[dealt[:, first], dealt[:, second]], strata)))
    p = permutation_p(observed, np.concatenate(null) + TIE)
    groups = in_groups(collapse_of_tones(similarity, shared, frequency_hz, apart_hz))
    low, high = (float(end) for end in group_interval(groups))
    return Collapse(float(groups.mean()), low, high, p, chance, pairs.n_sharing)


def collapse_of_tones(
    similarity: np.ndarray, shared: np.ndarray, frequency_hz: np.ndarray, apart_hz: float
) -> np.ndarray:
    """`collapse` of each tone with those of its fold, float64 [n]; NaN where it has none, or no answer.

    Parameters as in `collapse`. Where no two tones share a fold all that answer have 0.

    Examples
    --------
    >>> bins = np.tile(np.arange(8), 4)
    >>> alike = (bins[:, None] == bins).astype(float)
    >>> collapse_of_tones(alike, bins[:, None] == bins, np.arange(100.0, 3300.0, 100.0), 0.0)[:3]
    array([1., 1., 1.])
    """
    if nothing_shared(similarity, shared):
        return np.where(np.isfinite(np.diag(similarity)), 0.0, np.nan)
    nothing = np.full(len(frequency_hz), np.nan)
    pairs = _Pairs.of(similarity, shared, frequency_hz, apart_hz)
    if pairs.n_sharing < FEWEST_PAIRS:
        return nothing
    others = ~pairs.sharing
    n_strata = int(pairs.stratum.max()) + 1
    count = np.bincount(pairs.stratum[others], minlength=n_strata)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = (np.bincount(pairs.stratum[others], pairs.alike[others], n_strata) / count)[pairs.stratum]
        there = pairs.sharing & np.isfinite(expected)
        beyond = (pairs.alike - expected)[there]
        both = np.concatenate([pairs.first[there], pairs.second[there]])
        n = len(nothing)
        each = np.bincount(both, np.tile(beyond, 2), n) / np.bincount(both, minlength=n)
    apart = 1 - expected[there].mean()
    return each / apart if apart > LEAST_APART else nothing


def in_groups(per_tone: np.ndarray) -> np.ndarray:
    """Return the collapse of groups of neighbouring tones, from that of each tone, float64 [groups]."""
    return by_neighbours(pseudo_values(per_tone[np.isfinite(per_tone)]))


def collapse_remark(value: float, n_sharing: int) -> str:
    """Say why there is no collapse to measure, or none at all; "" otherwise.

    Examples
    --------
    >>> collapse_remark(0.0, 0)
    'no two tones that it answers share a fold: nothing collapses'
    """
    if np.isfinite(value):
        return "" if n_sharing else "no two tones that it answers share a fold: nothing collapses"
    if n_sharing < FEWEST_PAIRS:
        pairs = "1 pair shares" if n_sharing == 1 else f"{n_sharing} pairs share"
        return f"{pairs} a fold and lie far enough apart, too few for collapse"
    return "tones are one sound whether they share a fold or not"


def nothing_shared(similarity: np.ndarray, shared: np.ndarray) -> bool:
    """Whether no two tones that have an answer share a fold, however near they are."""
    answered = np.isfinite(np.diag(similarity))
    return not np.triu(shared[answered][:, answered], 1).any()


@dataclass(frozen=True)
class _Pairs:
    """Pairs of tones that lie far enough apart, with their ranges of distance; [pairs] each."""

    first: np.ndarray
    second: np.ndarray
    alike: np.ndarray
    sharing: np.ndarray
    stratum: np.ndarray
    n_sharing: int

    @classmethod
    def of(
        cls, similarity: np.ndarray, shared: np.ndarray, frequency_hz: np.ndarray, apart_hz: float
    ) -> _Pairs:
        answered = np.isfinite(np.diag(similarity))
        first, second = np.triu_indices(len(frequency_hz), 1)
        usable = answered[first] & answered[second]
        usable &= np.abs(frequency_hz[first] - frequency_hz[second]) > apart_hz
        first, second = first[usable], second[usable]
        sharing = shared[first, second]
        n_sharing = int(sharing.sum())
        octaves = np.abs(np.log2(frequency_hz[first] / frequency_hz[second]))
        parts = max(1, min(STRATA, n_sharing // 4))
        edges = np.quantile(octaves[sharing], np.linspace(0, 1, parts + 1)) if n_sharing else np.zeros(2)
        within = (octaves >= edges[0]) & (octaves <= edges[-1])
        first, second = first[within], second[within]
        stratum = np.searchsorted(edges[1:-1], octaves[within])
        return cls(first, second, similarity[first, second], sharing[within], stratum, n_sharing)


def _beyond(of_one_fold: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how far the likeness of pairs of one fold is from others' towards 1."""
    apart = 1 - np.asarray(others)
    return (of_one_fold - others) / np.where(apart > LEAST_APART, apart, np.nan)


def _means(alike: np.ndarray, sharing: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over sharing pairs, and over the others with as many from each stratum: [...].

    Of pairs [p], whether they share a fold [..., p], and their strata [p, s].
    """
    of_one_fold, others = sharing.astype(np.float32), (~sharing).astype(np.float32)  # [..., p]
    count, count_others = of_one_fold @ strata, others @ strata  # [..., s]
    both = (count > 0) & (count_others > 0)
    share = np.where(both, count, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = share / share.sum(-1, keepdims=True)
        of_one_fold = np.where(both, (of_one_fold * alike) @ strata / count, 0.0)
        others = np.where(both, (others * alike) @ strata / count_others, 0.0)
    return (share * of_one_fold).sum(-1), (share * others).sum(-1)
