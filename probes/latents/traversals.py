"""Causal traversals: a latent dimension is set to one value after another, and features are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from ...encoders.musicvae.base import LatentModel
from ..statistics.phik_null import TIE
from ..statistics.resampling import ALPHA

DOSES = np.linspace(-3.0, 3.0, 7)  # in standard deviations of the prior


@dataclass(frozen=True)
class Traversal:
    """What becomes of melodies when one dimension is moved.

    Parameters
    ----------
    concordance : float64 [k, F]
        How far melodies agree on which doses have more of a feature: Kendall's W, 0 to 1.
    direction : float64 [k, F]
        Mean over melodies of the rank correlation of dose and feature.
    p, p_corrected : float64 [k, F]
        Of the concordance, against doses dealt anew within every melody; corrected by the largest
        concordance of each deal over all features and all dimensions.
    response : float64 [k, K, F]
        Mean change of the feature from dose 0, in standard deviations of the feature.
    changed : float64 [k, K]
        Share of steps that differ from those at dose 0.
    examples : uint8 [k, K, T]
        The first melody at every dose.
    """

    concordance: np.ndarray
    direction: np.ndarray
    p: np.ndarray
    p_corrected: np.ndarray
    response: np.ndarray
    changed: np.ndarray
    examples: np.ndarray


def traverse(
    model: LatentModel,
    bases: np.ndarray,
    dimensions: np.ndarray,
    features: Callable[[np.ndarray], np.ndarray],
    doses: np.ndarray = DOSES,
    permutations: int = 199,
    seed: int = 0,
    advance: Callable[[int], None] = lambda n: None,
) -> Traversal:
    """Set each of some dimensions to each of some values, decode greedily, and ask which features move.

    Parameters
    ----------
    model : LatentModel
    bases : float32 [N, D]
        Latents to start from.
    dimensions : int64 [k]
    features : callable
        Rolls uint8 [M, T] to features float64 [M, F].
    doses : float [K]
        Values the dimension is set to; 0 among them.
    permutations, seed : int
        Deals of the doses.
    advance : callable, optional
        Called after every dimension.

    Notes
    -----
    Friedman's test (Journal of the American Statistical Association 32:675, 1937), its p by permutation
    and with a maximum statistic. It takes no side: a feature that is least at dose 0 moves as well. A
    feature without a value (an interval of a single note) ranks with the lowest.
    """
    at_zero = int(np.flatnonzero(doses == 0)[0])
    ranks, responses, changed, examples = [], [], [], []
    for dimension in dimensions:
        moved = np.repeat(bases[:, None], len(doses), 1)  # [N, K, D]
        moved[:, :, dimension] = doses
        rolls = model.decode(moved.reshape(-1, bases.shape[1]))
        decoded = features(rolls).reshape(len(bases), len(doses), -1)  # [N, K, F]
        rolls = rolls.reshape(len(bases), len(doses), -1)
        changed.append((rolls != rolls[:, [at_zero]]).mean((0, 2)))
        examples.append(rolls[0])
        responses.append(_standardised(decoded, at_zero))
        ranks.append(rankdata(np.where(np.isnan(decoded), -np.inf, decoded), axis=1))
        advance(1)
    observed = np.array([concordance(r) for r in ranks])
    null = _null(ranks, permutations, seed)  # [permutations, k, F]
    largest = null.max((1, 2))
    return Traversal(
        concordance=observed,
        direction=np.array([_direction(r, doses) for r in ranks]),
        p=_share_above(observed, null),
        p_corrected=_share_above(observed, largest[:, None, None]),
        response=np.array(responses),
        changed=np.array(changed),
        examples=np.array(examples),
    )


def concordance(ranks: np.ndarray) -> np.ndarray:
    """Return Kendall's W, corrected for ties, of ranks within melodies.

    Parameters
    ----------
    ranks : float [N, K, F]
        Of every melody, its doses ranked by each feature.

    Returns
    -------
    concordance : float64 [F]
        Variance of the mean ranks over the mean variance of ranks; 0 for a feature that never changes.

    Examples
    --------
    >>> concordance(np.array([[[1.0], [2.0], [3.0]], [[1.0], [2.0], [3.0]]])).tolist()
    [1.0]
    >>> concordance(np.array([[[1.0], [2.0], [3.0]], [[3.0], [2.0], [1.0]]])).tolist()
    [0.0]
    """
    within = ranks.var(1).mean(0)
    return np.where(within > 0, ranks.mean(0).var(0) / np.where(within > 0, within, 1.0), 0.0)


def _null(ranks: list[np.ndarray], permutations: int, seed: int) -> np.ndarray:
    """Concordances of doses dealt anew within every melody, the same deal for all features."""
    generator = np.random.default_rng(seed)
    count, doses, _ = ranks[0].shape
    rows = np.arange(count)[:, None]
    within = [np.where((v := r.var(1).mean(0)) > 0, v, np.inf) for r in ranks]
    null = np.empty((permutations, len(ranks), ranks[0].shape[2]))
    for deal in null:
        order = generator.permuted(np.tile(np.arange(doses), (count, 1)), axis=1)
        for found, r, spread in zip(deal, ranks, within, strict=True):
            found[:] = r[rows, order].mean(0).var(0) / spread
    return null


def _direction(ranks: np.ndarray, doses: np.ndarray) -> np.ndarray:
    """Mean rank correlation with the dose, [F]; a melody whose feature does not change counts as 0."""
    dose = rankdata(doses)
    dose = (dose - dose.mean()) / dose.std()
    spread = ranks.std(1)
    correlation = np.einsum("nkf,k->nf", ranks, dose) / (len(doses) * np.where(spread > 0, spread, np.inf))
    return correlation.mean(0)


def _standardised(decoded: np.ndarray, at_zero: int) -> np.ndarray:
    """Mean change from dose 0 over melodies, in standard deviations over all that was measured, [K, F]."""
    change = decoded - decoded[:, [at_zero]]
    known = ~np.isnan(change)
    mean = np.where(known, change, 0).sum(0) / np.maximum(known.sum(0), 1)
    there = ~np.isnan(decoded)
    count = np.maximum(there.sum((0, 1)), 1)
    centre = np.where(there, decoded, 0).sum((0, 1)) / count
    spread = np.sqrt(np.where(there, (decoded - centre) ** 2, 0).sum((0, 1)) / count)
    return np.where(spread > 0, mean / np.where(spread > 0, spread, 1.0), 0.0)


def _share_above(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    return (1 + (null >= observed - TIE).sum(0)) / (1 + len(null))


def verdict(correlated_p: float, moved_p: float) -> str:
    """Say what a traversal makes of a correlation.

    Examples
    --------
    >>> verdict(0.005, 0.005), verdict(0.005, 0.6), verdict(0.3, 0.005)
    ('confirmed', 'contradicted', 'moved only')
    """
    correlated, moved = correlated_p <= ALPHA, moved_p <= ALPHA
    if correlated:
        return "confirmed" if moved else "contradicted"
    return "moved only" if moved else "neither"
