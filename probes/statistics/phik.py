"""phik: a correlation of 0 to 1 between variables of any kind, from counts in bins."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...synth.errors import InputError
from .binormal import correlation_of

MISSING = 255  # code of a value that is not there
MOST_BINS = MISSING - 1
PACKED = 256  # codes that two columns in one byte have at most
AT_ONCE, ROWS_AT_ONCE = 32, 4096  # columns binned at a time, and their tiles


@dataclass(frozen=True, eq=False)
class Binned:
    """Columns of values in bins.

    Parameters
    ----------
    codes : uint8 [F, n]
        Bin of every value, `MISSING` where there is none. Column after column: counts run along them.
    edges : float64 [F, bins + 1]
        Bin b holds ``edges[b] < value <= edges[b + 1]``; NaN where a column has no value.
    """

    codes: np.ndarray
    edges: np.ndarray

    @property
    def bins(self) -> int:
        """How many each column was given; empty ones count for nothing."""
        return self.edges.shape[1] - 1


def binned(values: npt.ArrayLike, bins: int = 10, quantile: bool = False) -> Binned:
    """Put every column of values in bins, as the phik package does.

    Parameters
    ----------
    values : float [n, F]
        NaN where a value is missing.
    bins : int of 2 to 254
    quantile : bool
        Edges at equally spaced quantiles instead of equal distances between the least and greatest value.

    Returns
    -------
    binned : Binned

    Raises
    ------
    InputError
        If `values` is no matrix of numbers with a row, or has infinite ones; if there are too few or too
        many `bins`.

    Examples
    --------
    >>> binned([[0.0], [1.0], [2.0], [np.nan], [9.0]], bins=3).codes
    array([[  0,   0,   0, 255,   2]], dtype=uint8)
    """
    from ._tables import fill_bins

    table = np.asarray(values)
    if table.ndim != 2 or table.dtype.kind not in "fiub" or not len(table):
        raise InputError(
            f"values: {table.dtype} {list(table.shape)} given, a matrix of numbers [n, F] wanted"
        )
    if not isinstance(bins, (int, np.integer)) or not 2 <= bins <= MOST_BINS:
        raise InputError(f"bins: {bins!r} given, a whole number of 2 to {MOST_BINS} allowed")
    n, n_columns = table.shape
    codes, edges = np.empty((n_columns, n), np.uint8), np.full((n_columns, bins + 1), np.nan)

    def fill(start: int) -> None:
        some = np.empty((min(AT_ONCE, n_columns - start), n))
        for row in range(0, n, ROWS_AT_ONCE):  # in tiles, for the cache
            rows = slice(row, row + ROWS_AT_ONCE)
            some[:, rows] = table[rows, start : start + AT_ONCE].T
        for f, column in enumerate(some, start):
            least, most = np.fmin.reduce(column), np.fmax.reduce(column)  # NaN only where there is no value
            if np.isinf([least, most]).any():
                row = np.flatnonzero(np.isinf(column))[0]
                raise InputError(
                    f"values: {column[row]} in row {row}, column {f}; finite ones and NaN allowed"
                )
            below = least - max(1e-14 * abs(least), np.finfo(float).tiny)  # the package's, to the bit
            edges[f] = np.linspace(below, most, bins + 1)
            if quantile and not np.isnan(least):
                there = column[~np.isnan(column)]
                edges[f, 1:] = np.quantile(there, np.linspace(0, 1, bins + 1)[1:])
            fill_bins(column, edges[f], MISSING, codes[f])

    _for_each(range(0, n_columns, AT_ONCE), fill)
    return Binned(codes, edges)


def phik(x: Binned, y: Binned, noise_correction: bool = True) -> np.ndarray:
    """Correlate every column of x with every column of y.

    phik is the correlation of two normal variables that are as far from independent, in a table of so many
    bins, as these two are: 0 where they look independent, 1 where either tells the other, whatever the shape
    of their relation. It depends on the bins, so these are to be reported with it.

    Parameters
    ----------
    x, y : Binned
        Of the same n rows, X and Y columns.
    noise_correction : bool
        Take off the chi2 that independent variables have.

    Returns
    -------
    phik : float64 [X, Y]
        NaN where a column has fewer than two bins with values (among the rows where both have one).

    Raises
    ------
    InputError
        If numbers of rows differ.

    Notes
    -----
    Rows with a missing value, and then empty bins, are left out pair by pair. chi2 is Pearson's, Yates' for
    tables of two by two; of r x c bins and n rows, independent variables have about ``(r - 1) (c - 1)`` and
    variables that tell each other ``n (min(r, c) - 1)``; where chi2 lies between the two is where the
    distance of the normal variables lies between none and that at correlation 1. Equal to the package of
    that name, version 0.12.5. Source: Baak, Koopman, Snoek and Klous, Computational Statistics and Data
    Analysis 152:107043, 2020. Threads are as many as numba's setting says.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((2000, 1))
    >>> phik(binned(x), binned(np.concatenate([-x, x**2], axis=1))).round(2)
    array([[1.  , 0.88]])
    """
    return correlated(measured(x, y), noise_correction)[..., 0]


def phik_from_table(counts: npt.ArrayLike, noise_correction: bool = True) -> np.ndarray:
    """Correlate two variables from the table of their counts.

    Parameters
    ----------
    counts : int [..., r, c]
        Bins of the one by bins of the other. Empty rows and columns count as bins here, as in the package's
        `phik_from_hist2d`, but have no chi2.
    noise_correction : bool
        As in `phik`.

    Returns
    -------
    phik : float64 [...]
        NaN for a table without counts.

    Raises
    ------
    InputError
        If there are fewer than two rows or columns, or a count is negative or not whole.

    Examples
    --------
    >>> phik_from_table([[10, 2], [3, 15]]).round(4)
    np.float64(0.7815)
    """
    from ._tables import measure_tables

    tables = np.asarray(counts)
    if tables.ndim < 2 or min(tables.shape[-2:]) < 2 or tables.dtype.kind not in "fiu":
        raise InputError(
            f"counts: {tables.dtype} {list(tables.shape)} given, numbers of at least 2 x 2 wanted"
        )
    wrong = tables[~((tables >= 0) & (tables == np.floor(tables)) & np.isfinite(tables))]
    if wrong.size:
        raise InputError(f"counts: {wrong[0]} given, whole numbers of 0 or more allowed")
    r, c = tables.shape[-2:]
    stacked = np.ascontiguousarray(tables.reshape(-1, r, c), dtype=np.int64)
    found = np.empty((len(stacked), 4))
    measure_tables(stacked, False, found)
    statistic, n, rows, columns = found.T
    pedestal = np.maximum((r - 1) * (c - 1) - (r * c - rows * columns), 0) * noise_correction
    share = excess_share(statistic, pedestal, n * (min(r, c) - 1))
    out = correlation_of(share, np.full(len(found), r), np.full(len(found), c))
    return np.where(n > 0, out, np.nan).reshape(tables.shape[:-2])


def significance(x: Binned, y: Binned) -> np.ndarray:
    """Z of every pair's dependence: how many standard deviations of a normal variable as rare would lie.

    Parameters
    ----------
    x, y : Binned
        As in `phik`.

    Returns
    -------
    z : float64 [X, Y]
        NaN where `phik` is.

    Notes
    -----
    From the likelihood ratio G (Yates' correction for two by two) and its asymptotic chi2 distribution, with
    the package's Chernoff bound where that underflows: equal to the package's method "asymptotic". Its
    default draws tables at random, which the permutation null does as well while keeping columns as
    dependent on one another as they are; where bins are sparse, trust that.

    Examples
    --------
    >>> x = np.repeat([0.0, 1.0], 8)[:, None]
    >>> significance(binned(x, bins=2), binned(x, bins=2)).round(2)
    array([[3.66]])
    """
    from scipy.stats import chi2, norm

    g, _, rows, columns = np.moveaxis(measured(x, y, log_likelihood=True)[:, :, 0], -1, 0)
    freedom = np.where((rows > 1) & (columns > 1), (rows - 1) * (columns - 1), np.nan)
    p = chi2.sf(g, freedom)
    with np.errstate(invalid="ignore", divide="ignore"):
        bound = freedom * (g / freedom - 1 - np.log(g / freedom)) - np.log(2 * np.pi)
        return np.where(p == 0, np.sqrt(bound - np.log(bound)), norm.isf(p))


@dataclass(frozen=True, eq=False)
class Packed:
    """Columns as the compiled loop reads them: two in one code where they fit, empty bins taken out.

    Parameters
    ----------
    codes : uint8 or uint16 [P, n]
    sizes : int64 [P, 2]
        Codes of either column of a pack, at least 2, with one for missing values; 1 for a second that is not
        there.
    first : int64 [P]
        Column that a pack begins with.
    levels : int64 [F]
        Bins with values.
    strata : int
        Parts that rows are in; a code counts the levels of one after the other.
    """

    codes: np.ndarray
    sizes: np.ndarray
    first: np.ndarray
    levels: np.ndarray
    strata: int = 1


def packed(columns: Binned, pairs: bool = True) -> Packed:
    """Pack columns for `measured_packs`, two and two or each by itself: codes are uint8."""
    n_columns, n = columns.codes.shape
    names = np.zeros((n_columns, MISSING + 1), np.uint8)  # of every code, what it is called
    levels, room = np.empty((2, n_columns), np.int64)  # room: with one for missing values, if there are
    for f, column in enumerate(columns.codes):
        counts = np.bincount(column, minlength=MISSING + 1)
        occupied = counts[:MISSING] > 0
        levels[f] = occupied.sum()
        room[f] = max(2, levels[f] + (counts[MISSING] > 0))
        names[f, :MISSING] = np.cumsum(occupied) - 1
        names[f, MISSING] = levels[f]
    first, sizes, f = [], [], 0
    while f < n_columns:
        pair = pairs and f + 1 < n_columns and room[f] * room[f + 1] <= PACKED
        first.append(f)
        sizes.append((room[f], room[f + 1] if pair else 1))
        f += 2 if pair else 1
    codes = np.empty((len(first), n), np.uint8)
    for p, (f, (_, second)) in enumerate(zip(first, sizes, strict=True)):
        np.take(names[f], columns.codes[f], out=codes[p])
        if second > 1:
            codes[p] *= np.uint8(second)
            codes[p] += names[f + 1][columns.codes[f + 1]]
    return Packed(codes, np.array(sizes, np.int64).reshape(-1, 2), np.array(first, np.int64), levels)


def measured(x: Binned, y: Binned, log_likelihood: bool = False) -> np.ndarray:
    """Measure every pair of columns: see `measured_packs`."""
    if x.codes.shape[1] != y.codes.shape[1]:
        raise InputError(f"rows: x has {x.codes.shape[1]} and y {y.codes.shape[1]}, the same number wanted")
    return measured_packs(packed(x), packed(y), log_likelihood)


def measured_packs(x: Packed, y: Packed, log_likelihood: bool = False) -> np.ndarray:
    """Count and measure the table of every pair of columns; no more than one pack's tables are held a thread.

    Returns
    -------
    measures : float64 [X, Y, strata, 4]
        Pearson's chi2 (or G), counted rows, and the table's rows and columns that have counts.
    """
    from ._tables import measure_pairs

    out = np.zeros((len(x.levels), len(y.levels), x.strata, 4))

    def measure(pack: int) -> None:
        here = slice(x.first[pack], x.first[pack] + (2 if x.sizes[pack, 1] > 1 else 1))
        column = x.codes[pack].astype(np.uint16)
        measure_pairs(
            column, x.sizes[pack], x.levels[here], x.strata, y.codes, y.sizes, y.levels, y.first,
            log_likelihood, out[here],
        )  # fmt: skip

    _for_each(range(len(x.first) if len(y.levels) else 0), measure)
    return out


def _for_each(items: range, work: Callable[[int], None]) -> None:
    """Work in as many threads as numba's setting says."""
    import numba

    if min(len(items), numba.get_num_threads()) < 2:
        for item in items:
            work(item)
    else:
        with ThreadPoolExecutor(numba.get_num_threads()) as pool:
            list(pool.map(work, items))


def correlated(measures: np.ndarray, noise_correction: bool = True) -> np.ndarray:
    """Turn measures [..., 4] into phik [...]."""
    statistic, n, rows, columns = np.moveaxis(measures, -1, 0)
    pedestal = (rows - 1) * (columns - 1) * noise_correction
    share = excess_share(statistic, pedestal, n * (np.minimum(rows, columns) - 1))
    return correlation_of(share, rows, columns)


def excess_share(statistic: np.ndarray, pedestal: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Where chi2 lies between what noise and what full dependence give: 0 to 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (statistic - pedestal) / (most - pedestal)
    return np.where(statistic <= pedestal, 0.0, np.where(statistic >= most, 1.0, between))
