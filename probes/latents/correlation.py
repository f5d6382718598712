"""What latents mean: phik with features of pitch, rhythm and melody, and which group each answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...synth.errors import InputError
from ..statistics.agreement import rank_correlation
from ..statistics.phik import MISSING, binned
from ..statistics.phik_null import permutation_null
from ..statistics.resampling import ALPHA
from .independence import beyond

GROUPS = ("pitch", "rhythm", "melody")
FAINT = 0.1  # a phik below this is no relation to speak of, however many melodies make it significant
NOTHING = "none"
BEYOND_RHYTHM, WITH_RHYTHM, NO_MELODY = "beyond rhythm", "with rhythm only", "no melody"


@dataclass(frozen=True, eq=False)
class Correlation:
    """What latents have to do with features. A relation counts if its corrected p is at most 0.05, phik 0.1.

    Parameters
    ----------
    names, groups : tuple of str
        Of the F features; a group is "pitch", "rhythm" or "melody".
    phik, p, p_corrected : float64 [k, F]
        As in `Tested`: by itself, and as the greatest of all pairs. NaN for a constant feature or latent.
    greatest : float64 [permutations]
        The greatest phik of all pairs in each permutation.
    constant : tuple of str
        Features with fewer than two bins in use.
    best : int64 [k, 3]
        The feature of each group that a latent has the greatest phik with; -1 without any.
    answers : tuple of str [k]
        The group of the greatest phik that counts, or "none".
    group_correlation : float64 [3, 3]
        Spearman's correlation over latents of the greatest phik of two groups: whether those that tell much
        of one tell much of the other. NaN without features, or of fewer than 3 latents.
    explained : float64 [k]
        Share of a latent's variance that rhythm features predict.
    conditional_phik, conditional_p, conditional_p_corrected : float64 [k, F]
        Of melody features, beyond what rhythm features tell of the latent: see `beyond`. NaN for others.
    melody : tuple of str [k]
        "no melody" where no melody feature counts; "beyond rhythm" where one counts conditionally;
        "with rhythm only" otherwise.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    phik: np.ndarray
    p: np.ndarray
    p_corrected: np.ndarray
    greatest: np.ndarray
    constant: tuple[str, ...]
    best: np.ndarray
    answers: tuple[str, ...]
    group_correlation: np.ndarray
    explained: np.ndarray
    conditional_phik: np.ndarray
    conditional_p: np.ndarray
    conditional_p_corrected: np.ndarray
    melody: tuple[str, ...]


def correlate(
    mu: np.ndarray,
    values: np.ndarray,
    names: Sequence[str],
    groups: Sequence[str],
    *,
    bins: int = 10,
    permutations: int = 199,
    seed: int = 0,
) -> Correlation:
    """Correlate latents with features of the same melodies, against permutations of the melodies.

    Parameters
    ----------
    mu : float [N, k]
        Means of the posterior in the dimensions compared.
    values : float [N, F]
        NaN where a feature has no value.
    names, groups : sequence of str [F]
    bins : int of 2 to 254
        For latents equally filled, for features equally wide; conditionally, equally filled for both.
    permutations : int > 0
        p is ``1 / (1 + permutations)`` at least.
    seed : int

    Returns
    -------
    correlation : Correlation

    Raises
    ------
    InputError
        If shapes do not fit, there is no feature, a latent is not finite or a group is unknown.

    Notes
    -----
    Equally wide bins of a latent have hardly any melodies at its ends; one of them that meets a rare value
    of a feature can make a phik of several tenths, and the greatest of all pairs by chance is about that.
    Equally filled ones cannot. The question whether melody is distinguished from rhythm is from Barenboim et
    al., Exploring how a generative AI interprets music, Neural Computing and Applications 36:17007, 2024,
    section 6, which has no null.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> values = generator.standard_normal((2000, 2))
    >>> mu = values[:, ::-1] + 0.5 * generator.standard_normal((2000, 2))
    >>> found = correlate(mu, values, ("Range", "Note Density"), ("pitch", "rhythm"), permutations=19)
    >>> found.answers
    ('rhythm', 'pitch')
    """
    mu, values = _checked(mu, values, names, groups)
    features, of = binned(values, bins), np.array(groups)
    tested = permutation_null(binned(mu, bins, quantile=True), features, permutations, seed)
    melody, rhythm = values[:, of == "melody"], values[:, of == "rhythm"]
    found = beyond(mu, melody, rhythm, bins=bins, permutations=permutations, seed=seed)
    conditional = np.full((3, *tested.phik.shape), np.nan)
    conditional[..., of == "melody"] = found.tested.phik, found.tested.p, found.tested.corrected_p
    best = np.stack([_best(tested.phik, of == group) for group in GROUPS], axis=1)  # [k, 3]
    rows = np.arange(len(best))[:, None]
    tops = np.where(best >= 0, tested.phik[rows, best], np.nan)
    counting = np.where(is_related(tops, tested.corrected_p[rows, best]), tops, 0.0)
    related = is_related(tested.phik, tested.corrected_p)[:, of == "melody"].any(1)
    verdict = np.where(is_related(*conditional[[0, 2]]).any(1), BEYOND_RHYTHM, WITH_RHYTHM)
    few = len(best) < 3
    return Correlation(
        names=tuple(names),
        groups=tuple(groups),
        phik=tested.phik,
        p=tested.p,
        p_corrected=tested.corrected_p,
        greatest=tested.greatest,
        constant=tuple(n for n, codes in zip(names, features.codes, strict=True) if _in_use(codes) < 2),
        best=best,
        answers=tuple(GROUPS[one.argmax()] if one.any() else NOTHING for one in counting),
        group_correlation=np.full((3, 3), np.nan) if few else rank_correlation(tops.T[:, None], tops.T[None]),
        explained=found.explained,
        conditional_phik=conditional[0],
        conditional_p=conditional[1],
        conditional_p_corrected=conditional[2],
        melody=tuple(np.where(related, verdict, NO_MELODY).tolist()),
    )


def _checked(
    mu: np.ndarray, values: np.ndarray, names: Sequence[str], groups: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    mu, values = np.asarray(mu), np.asarray(values)
    if mu.ndim != 2 or values.ndim != 2 or len(mu) != len(values):
        raise InputError(
            f"latents {list(mu.shape)}, features {list(values.shape)}: rows are to be the same melodies"
        )
    if not len(names) == len(groups) == values.shape[1] > 0:
        raise InputError(
            f"features: {values.shape[1]} columns, {len(names)} names, {len(groups)} groups; as many of each "
            "wanted, at least one"
        )
    if not np.isfinite(mu).all():
        row, column = np.argwhere(~np.isfinite(mu))[0]
        raise InputError(f"latents: {mu[row, column]} in row {row}, column {column}; finite ones allowed")
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown:
        raise InputError(f"feature group {unknown[0]!r}: it is {', '.join(GROUPS)}")
    return mu, values


def _best(phik: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Index of every row's greatest phik among the kept columns, -1 where there is none: int64 [k]."""
    among = np.where(kept & np.isfinite(phik), phik, -1.0)
    return np.where((among >= 0).any(1), among.argmax(1), -1)


def is_related(phik: Any, p: Any) -> Any:
    """Say which relations count: significant, and not faint; of arrays of numpy or xarray alike."""
    return (phik >= FAINT) & (p <= ALPHA)


def _in_use(codes: np.ndarray) -> int:
    return int(np.count_nonzero(np.bincount(codes, minlength=MISSING + 1)[:MISSING]))
