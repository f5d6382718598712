"""The compiled part of `phik`, in a module of its own because importing numba takes a while."""

from __future__ import annotations

import math

import numba
import numpy as np

BLOCK = 65_535  # rows that a 16-bit counter can count
CLOSE = 2048  # values that stay in the nearest cache


@numba.njit("void(float64[::1], float64[::1], uint8, uint8[::1])", cache=True, nogil=True)
def fill_bins(values, edges, missing, out):
    """Write every value's bin: how many inner edges lie below it; `missing` for NaN."""
    for start in range(0, len(values), CLOSE):
        some, into = values[start : start + CLOSE], out[start : start + CLOSE]
        into[:] = 0
        for edge in edges[1:-1]:
            for i in range(len(some)):
                into[i] += some[i] > edge
        for i in range(len(some)):
            into[i] = missing if np.isnan(some[i]) else into[i]


@numba.njit(nogil=True)
def _fold_rows(used, sizes, width, folded):
    """Sum counts [first, second, width] over the second column, and over the first: [2, a, width]."""
    folded[:] = 0
    for first in range(sizes[0]):
        for second in range(sizes[1]):
            row = used[(first * sizes[1] + second) * width :][:width]
            one, other = folded[0, first], folded[1, second]
            for j in range(width):
                one[j] += row[j]
                other[j] += row[j]


@numba.njit(nogil=True)
def _fold_columns(row, sizes, one, other):
    """Add counts [first, second] to those of the first column, and of the second if there is one."""
    for first in range(sizes[0]):
        for second in range(sizes[1]):
            counted = row[first * sizes[1] + second]
            one[first] += counted
            if sizes[1] > 1:
                other[second] += counted


@numba.njit(nogil=True)
def _count(x, x_sizes, y, y_sizes, y_first, tables):
    """Count one packed column of x against every packed column of y, into tables [2, Y, A, B]."""
    width = 0
    for q in range(len(y)):
        width = max(width, y_sizes[q, 0] * y_sizes[q, 1])
    scratch = np.empty(x_sizes[0] * x_sizes[1] * width, np.uint16)
    folded = np.empty((2, max(x_sizes[0], x_sizes[1]), width), np.int32)
    tables[:] = 0
    for start in range(0, len(x), BLOCK):
        stop = min(len(x), start + BLOCK)
        for q in range(len(y)):
            wide, column, f = y_sizes[q, 0] * y_sizes[q, 1], y[q], y_first[q]
            used = scratch[: x_sizes[0] * x_sizes[1] * wide]
            used[:] = 0
            step = np.uint64(wide)  # an unsigned index cannot mean "from the end", so nothing checks for it
            for i in range(start, stop):
                used[np.uint64(x[i]) * step + np.uint64(column[i])] += np.uint16(1)
            _fold_rows(used, x_sizes, wide, folded)
            other = f + 1 if y_sizes[q, 1] > 1 else f  # not written to where there is none
            for k in range(2 if x_sizes[1] > 1 else 1):
                for a in range(x_sizes[k]):
                    _fold_columns(folded[k, a], y_sizes[q], tables[k, f, a], tables[k, other, a])


@numba.njit(nogil=True)
def _contingency(table, log_likelihood, rows, columns, out):
    """Write Pearson's chi2 (or the likelihood ratio G), n, and how many rows and columns have counts."""
    rows[:] = 0.0
    columns[:] = 0.0
    for a in range(table.shape[0]):
        for b in range(table.shape[1]):
            rows[a] += table[a, b]
            columns[b] += table[a, b]
    n, n_rows, n_columns, statistic = rows.sum(), (rows > 0).sum(), (columns > 0).sum(), 0.0
    yates = 0.5 if n_rows == 2 and n_columns == 2 else 0.0
    for a in range(table.shape[0]):
        for b in range(table.shape[1]):
            if rows[a] > 0 and columns[b] > 0:
                expected = rows[a] * columns[b] / n
                excess = table[a, b] - expected
                excess -= math.copysign(min(yates, abs(excess)), excess)
                if not log_likelihood:
                    statistic += excess * excess / expected
                elif expected + excess > 0:
                    statistic += 2 * (expected + excess) * math.log((expected + excess) / expected)
    out[0], out[1], out[2], out[3] = statistic, n, n_rows, n_columns


@numba.njit("void(int64[:, :, ::1], boolean, float64[:, ::1])", cache=True, nogil=True)
def measure_tables(tables, log_likelihood, out):
    """Measure every table of counts [N, r, c]: statistic, n, rows and columns with counts, [N, 4]."""
    rows, columns = np.empty(tables.shape[1]), np.empty(tables.shape[2])
    for i in range(len(tables)):
        _contingency(tables[i], log_likelihood, rows, columns, out[i])


@numba.njit(
    "void(uint16[::1], int64[::1], int64[::1], int64, uint8[:, ::1], int64[:, ::1], int64[::1], int64[::1],"
    " boolean, float64[:, :, :, ::1])",
    cache=True,
    nogil=True,
)
def measure_pairs(x, x_sizes, x_levels, strata, y, y_sizes, y_levels, y_first, log_likelihood, out):
    """Measure one packed column of x against every packed column of y.

    A packed column holds a pair of columns, ``code * sizes[1] + next code``, or one with ``sizes[1] == 1``,
    so that one increment counts up to four pairs of columns. A code not below its column's levels is a
    missing value and counts for nothing. With several strata, a code of x is ``stratum * levels + level``.

    Written is ``out[k, j, s]``: statistic, n, rows and columns with counts, of column k of the pack and
    column j of y among the rows of stratum s.
    """
    longest = max(x_sizes[0], x_sizes[1])
    tables = np.empty((2, len(y_levels), longest, y_sizes.max()), np.int64)
    _count(x, x_sizes, y, y_sizes, y_first, tables)
    for k in range(len(out)):
        rows = np.empty(x_levels[k])
        for j in range(len(y_levels)):
            columns = np.empty(y_levels[j])
            for s in range(strata):
                table = tables[k, j, s * x_levels[k] : (s + 1) * x_levels[k], : y_levels[j]]
                _contingency(table, log_likelihood, rows, columns, out[k, j, s])
