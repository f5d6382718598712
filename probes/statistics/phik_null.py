"""What phik is of columns that have nothing to do with each other: permutation nulls of all pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...synth.errors import InputError
from .binormal import correlation_of
from .phik import Binned, Packed, correlated, excess_share, measured_packs, packed

TIE = 1e-9  # phik that differ by less differ by rounding


@dataclass(frozen=True, eq=False)
class Tested:
    """phik of all pairs of columns beside its permutation null.

    Parameters
    ----------
    phik : float64 [X, Y]
        NaN where it has no value.
    p : float64 [X, Y]
        How often a pair by itself reaches its phik by chance: one test.
    corrected_p : float64 [X, Y]
        How often the greatest of all pairs does: with those at most 0.05 taken for related, one or more of
        all unrelated pairs is taken so with probability 0.05 at most.
    greatest : float64 [permutations]
        Of all pairs, in each permutation.
    """

    phik: np.ndarray
    p: np.ndarray
    corrected_p: np.ndarray
    greatest: np.ndarray


def permutation_null(x: Binned, y: Binned, permutations: int = 199, seed: int = 0) -> Tested:
    """Test every column of x against every column of y, and correct for there being many pairs.

    Parameters
    ----------
    x, y : Binned
        Of the same n rows, X and Y columns.
    permutations : int > 0
        p is ``1 / (1 + permutations)`` at least.
    seed : int

    Returns
    -------
    tested : Tested

    Raises
    ------
    InputError
        If numbers of rows differ, or `permutations` is less than 1.

    Notes
    -----
    The rows of x are put in another order as wholes, so columns stay as dependent on others of their own
    side as they are; bins stay, as an order has nothing to do with them. The corrected p-values are exact
    for independent rows, single-step: Westfall & Young, Resampling-Based Multiple Testing, 1993, chapter 2;
    the observed order is counted: Phipson & Smyth, Statistical Applications in Genetics and Molecular
    Biology 9(1):39, 2010. phik is noise-corrected. What is held does not grow with `permutations`.

    Examples
    --------
    >>> from tonotopy.probes.statistics.phik import binned
    >>> x = np.random.default_rng(0).standard_normal((500, 2))
    >>> permutation_null(binned(x[:, :1]), binned(x), permutations=99).corrected_p[0, 0].round(3)
    np.float64(0.01)
    """
    _check(x, y, permutations)
    from_x, to_y = packed(x), packed(y)

    def shuffled(generator: np.random.Generator) -> Packed:
        return replace(from_x, codes=from_x.codes[:, generator.permutation(from_x.codes.shape[1])])

    def compare(columns: Packed) -> np.ndarray:
        return correlated(measured_packs(columns, to_y))[..., 0]

    return _tested(from_x, shuffled, compare, permutations, seed)


def conditional_null(
    x: Binned, y: Binned, strata: np.ndarray, permutations: int = 199, seed: int = 0
) -> Tested:
    """Test every column of x against every column of y among rows that are alike in something else.

    Parameters
    ----------
    x, y : Binned
        Of the same n rows, X and Y columns.
    strata : int [X, n]
        For every column of x, the part that a row is in, from 0; negative where a row is in none. Columns
        of x that are given the same parts are permuted together.
    permutations : int > 0
    seed : int

    Returns
    -------
    tested : Tested
        `phik` is conditional: that of normal variables as far from independent as the two are within strata
        (chi2, what noise gives and what full dependence gives are each summed over those strata in which
        either column has two bins or more). It is `phik` where there is one stratum, and 0 but for chance
        where the columns have to do with each other only through the strata.

    Raises
    ------
    InputError
        If shapes do not fit, or `permutations` is less than 1.

    Notes
    -----
    Rows change places within strata only, which leaves everything as it was but the relation of the column
    to others within them: the p-values of one column are exact if it is independent, given its stratum, of
    all columns of y together. Columns given different strata are permuted as if they were independent of
    each other within them; where they are positively dependent the correction is on the safe side (Šidák).
    Permutation within strata: Rosenbaum, Journal of the American Statistical Association 79:565, 1984.

    Examples
    --------
    Both follow a third thing, and nothing else:

    >>> from tonotopy.probes.statistics.phik import binned, phik
    >>> generator = np.random.default_rng(0)
    >>> third = generator.integers(5, size=2000)
    >>> x, y = (binned((third + generator.standard_normal(2000))[:, None]) for _ in range(2))
    >>> bool(phik(x, y)[0, 0] > 0.6), bool(conditional_null(x, y, third[None]).phik[0, 0] < 0.1)
    (True, True)
    """
    _check(x, y, permutations)
    if strata.shape != x.codes.shape or strata.dtype.kind not in "iu":
        raise InputError(f"strata: {strata.dtype} {list(strata.shape)} given, {list(x.codes.shape)} wanted")
    whole, to_y = packed(x, pairs=False), packed(y)
    n_strata = int(strata.max(initial=0)) + 1
    if n_strata * int(whole.levels.max(initial=1)) >= 2**16:
        raise InputError(f"strata: {n_strata} given, they and the bins are to be less than {2**16} together")
    inside = (strata >= 0) & (whole.codes < whole.levels[:, None])
    last = n_strata * whole.levels  # the code of rows that do not count
    codes = np.where(inside, strata * whole.levels[:, None] + whole.codes, last[:, None]).astype(np.uint16)
    sizes = np.stack([last + 1, np.ones_like(last)], axis=1)
    from_x = replace(whole, codes=codes, sizes=sizes, strata=n_strata)
    alike, members = np.unique(strata, axis=0, return_inverse=True)
    parts = (alike + 1).astype(np.uint16)  # sorted in a blink
    places = [np.argsort(part, kind="stable") for part in parts]

    def shuffled(generator: np.random.Generator) -> Packed:
        order, out = generator.permutation(codes.shape[1]), np.empty_like(codes)
        for g, (part, place) in enumerate(zip(parts, places, strict=True)):
            drawn = order[np.argsort(part[order], kind="stable")]
            for column in np.flatnonzero(members == g):
                out[column, place] = codes[column, drawn]
        return replace(from_x, codes=out)

    def compare(columns: Packed) -> np.ndarray:
        statistic, n, r, c = np.moveaxis(measured_packs(columns, to_y), -1, 0)  # [X, Y, strata]
        pedestal = np.where(n > 0, (r - 1) * (c - 1), 0.0)
        share = excess_share(
            statistic.sum(-1), pedestal.sum(-1), (n * (np.minimum(r, c) - 1)).sum(-1)
        )  # a stratum in which one is constant adds nothing
        phik = correlation_of(share, *np.broadcast_arrays(whole.levels[:, None], to_y.levels))
        return np.where(pedestal.any(-1), phik, np.nan)

    return _tested(from_x, shuffled, compare, permutations, seed)


def _tested(
    columns: Packed,
    shuffled: Callable[[np.random.Generator], Packed],
    compare: Callable[[Packed], np.ndarray],
    permutations: int,
    seed: int,
) -> Tested:
    """Compare columns as they are, and shuffled so many times."""
    generator, observed = np.random.default_rng(seed), compare(columns)
    reached, beaten = np.ones(observed.shape), np.ones(observed.shape)
    greatest = np.full(permutations, np.nan)
    for i in range(permutations):
        chance = compare(shuffled(generator))
        greatest[i] = np.fmax.reduce(chance, axis=None, initial=np.nan)
        reached += ~(chance < observed - TIE)  # a value that is lost counts as reached
        beaten += ~(greatest[i] < observed - TIE)
    there = np.where(np.isnan(observed), np.nan, 1 + permutations)
    return Tested(observed, reached / there, beaten / there, greatest)


def _check(x: Binned, y: Binned, permutations: int) -> None:
    if x.codes.shape[1] != y.codes.shape[1]:
        raise InputError(f"rows: x has {x.codes.shape[1]} and y {y.codes.shape[1]}, the same number wanted")
    if permutations < 1:
        raise InputError(f"permutations: {permutations} given, at least 1 wanted")
