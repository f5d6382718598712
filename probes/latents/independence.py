"""Whether latents tell of some features beyond what others tell: the question of melody without rhythm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..statistics.phik import binned
from ..statistics.phik_null import Tested, conditional_null

KNOTS = 16  # of the curve fitted for each given feature; its values where there are no more
STRATA = 8  # parts of equally many melodies with alike predictions
RESOLUTION = 0.02  # of the spread of a latent or feature: what is finer is no information
WHOLLY = 0.99  # of a variance: if so much is predicted, what is left is misfit
PSEUDO_ROWS = 1.0  # penalty of the fit, in rows that say nothing
BLOCK = 8192  # rows held as a basis at a time


@dataclass(frozen=True, eq=False)
class Beyond:
    """What latents tell of features beyond what given features tell.

    Parameters
    ----------
    explained : float64 [k]
        Share of a latent's variance that the given features predict, in melodies they were not fitted to;
        0 where they predict nothing, NaN for a constant latent.
    tested : Tested
        Conditional phik of every latent with every feature [k, F], with its null.
    """

    explained: np.ndarray
    tested: Tested


def beyond(
    mu: np.ndarray,
    values: np.ndarray,
    given: np.ndarray,
    *,
    bins: int = 10,
    permutations: int = 199,
    seed: int = 0,
) -> Beyond:
    """Test whether latents tell of features beyond what given features tell of both.

    What the given features predict is taken off the latents, and off the features. Then melodies whose
    predicted latents are alike are compared with one another: among them, does what is left of the one go
    with what is left of the other? The null exchanges it among such melodies only.

    Parameters
    ----------
    mu : float [N, k]
    values : float [N, F]
        NaN where a feature has no value.
    given : float [N, G]
        NaN where a feature has no value, which is a value of its own here.
    bins : int of 2 to 254
        Equally filled.
    permutations, seed : int

    Returns
    -------
    beyond : Beyond

    Notes
    -----
    A prediction is a sum of curves, one for each given feature (pieces of straight lines between 16
    quantiles), and of products of any two given features' ranks, fitted by ridge regression to the other
    half of the melodies. If latents go with the features only by way of the given ones, p-values are exact
    but for what the sums miss; as it would have to be missed on both sides, the errors multiply (Shah and
    Peters, Annals of Statistics 48:1514, 2020), and where spreads change with the given features, melodies
    of alike predictions still compare (Imai and van Dyk, Journal of the American Statistical Association
    99:854, 2004). Of a latent or feature of which 0.99 is predicted nothing is left to test: NaN.

    Examples
    --------
    The latent follows the given feature, and so does another feature; they have nothing else in common:

    >>> generator = np.random.default_rng(0)
    >>> given, noise = generator.standard_normal((2, 3000, 1))
    >>> found = beyond(given**2 + noise, given + generator.standard_normal((3000, 1)), given)
    >>> bool(found.tested.p[0, 0] > 0.05), bool(found.explained[0] > 0.6)
    (True, True)
    """
    there = ~np.isnan(values)
    means = np.where(there, values, 0).sum(0) / np.maximum(there.sum(0), 1)
    both = np.concatenate([mu, np.where(there, values, means)], axis=1)
    spread = np.where(np.ptp(both, axis=0) > 0, both.std(0), np.nan)  # a deviation of rounding is none
    predicted, step = _predicted(both, given, seed), np.nan_to_num(spread, nan=1.0) * RESOLUTION
    left = np.rint((both - predicted) / step) * step
    explained = 1 - (left.std(0) / spread) ** 2
    left[:, explained >= WHOLLY] = 0.0
    of_mu, of_values = left[:, : mu.shape[1]], left[:, mu.shape[1] :]
    alike = np.rint(predicted / step)[:, : mu.shape[1]]
    tested = conditional_null(
        binned(of_mu, bins, quantile=True),
        binned(np.where(there, of_values, np.nan), bins, quantile=True),
        binned(alike, STRATA, quantile=True).codes.astype(np.int64),
        permutations=permutations,
        seed=seed,
    )
    return Beyond(np.maximum(explained[: mu.shape[1]], 0.0), tested)


def _predicted(targets: np.ndarray, given: np.ndarray, seed: int) -> np.ndarray:
    """Predict columns from given features, every half of the rows by a fit to the other: float64 [N, k]."""
    half = np.random.default_rng(seed).permutation(len(targets)) % 2
    mean, knots = targets.mean(0, dtype=float), [_knots(column) for column in given.T]
    gram, towards = [np.zeros(())] * 2, [np.zeros(())] * 2  # of either half
    for rows, basis in _bases(given, knots):
        for h in range(2):
            own = basis[half[rows] == h]
            gram[h] = gram[h] + own.T @ own
            towards[h] = towards[h] + own.T @ (targets[rows][half[rows] == h] - mean)
    fits = [np.linalg.solve(g + PSEUDO_ROWS * np.eye(len(g)), t) for g, t in zip(gram, towards, strict=True)]
    out = np.empty(targets.shape)
    for rows, basis in _bases(given, knots):
        out[rows] = mean + np.where(half[rows, None] == 0, basis @ fits[1], basis @ fits[0])
    return out


def _knots(column: np.ndarray) -> np.ndarray:
    there = column[~np.isnan(column)]
    values = np.unique(there)
    return values if len(values) <= KNOTS else np.unique(np.quantile(there, np.linspace(0, 1, KNOTS)))


def _bases(given: np.ndarray, knots: list[np.ndarray]) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows, and the functions of the given features that a prediction is a sum of: [rows, K].

    For every feature that varies: how near a value is to each of the two knots around it, whether it is
    missing, and its rank times that of every other feature, from -1 to 1.
    """
    varying = [f for f, at in enumerate(knots) if len(at) > 1 or (np.isnan(given[:, f]).any() and len(at))]
    pairs = np.triu_indices(len(varying), 1)
    for start in range(0, len(given), BLOCK):
        rows = slice(start, min(start + BLOCK, len(given)))
        parts, ranks = [], np.zeros((rows.stop - start, len(varying)))
        for i, f in enumerate(varying):
            column, last = given[rows, f], len(knots[f]) - 1
            there = np.flatnonzero(~np.isnan(column))
            place = np.interp(column[there], knots[f], np.arange(last + 1))
            lower = np.minimum(place.astype(int), max(last - 1, 0))
            near = np.zeros((len(column), last + 2))
            near[np.isnan(column), -1] = 1.0
            near[there, lower] = 1 - (place - lower)
            if last:
                near[there, lower + 1] = place - lower
                ranks[there, i] = 2 * place / last - 1
            parts.append(near)
        yield rows, np.concatenate([*parts, ranks[:, pairs[0]] * ranks[:, pairs[1]]], axis=1)
