"""The compiled part of `sparse`, in a module of its own because importing numba takes a while.

Every kernel works on a range of rows or of features that no other thread writes to, and adds up in an order
that follows from the data alone: the same bytes come out however many threads share the work.
"""

from __future__ import annotations

import numba
import numpy as np

SCANNED = 32  # values that are compared with the least kept one at a time
ROUND = 64  # rows that are added up before their sum is added: rounding grows with the number of rounds
FAINT = np.float32(1e-30)  # a moment below is zero: denormal numbers are a hundred times slower


@numba.njit(cache=True, nogil=True)
def _below(values, indices, i, j):
    """Whether entry i leaves a heap before entry j: the smaller, and among equals the later."""
    return values[i] < values[j] or (values[i] == values[j] and indices[i] > indices[j])


@numba.njit(cache=True, nogil=True)
def _sink(values, indices, size, start):
    """Move an entry of a heap down to where the one above it leaves before it."""
    here = start
    while 2 * here + 1 < size:
        child = 2 * here + 1
        if child + 1 < size and _below(values, indices, child + 1, child):
            child += 1
        if not _below(values, indices, child, here):
            return
        values[here], values[child] = values[child], values[here]
        indices[here], indices[child] = indices[child], indices[here]
        here = child


@numba.njit(cache=True, nogil=True)
def _rise(values, indices, start):
    """Move an entry of a heap up to where it leaves after the one above it."""
    here = start
    while here > 0 and _below(values, indices, here, (here - 1) // 2):
        above = (here - 1) // 2
        values[here], values[above] = values[above], values[here]
        indices[here], indices[above] = indices[above], indices[here]
        here = above


@numba.njit(cache=True, nogil=True)
def largest(rows, indices, values):
    """Write the k largest positive values of every row, from the largest on; among equals the first.

    Where a row has fewer, the places left are taken by zeros of its first features without one.
    """
    width, k = rows.shape[1], indices.shape[1]
    for n in range(len(rows)):
        row, kept, where, size = rows[n], values[n], indices[n], 0
        least = np.float32(0.0)
        for start in range(0, width, SCANNED):
            some, hits = row[start : start + SCANNED], 0
            for value in some:
                hits += value > least
            if hits == 0:
                continue
            for i in range(len(some)):
                if not some[i] > least:
                    continue
                if size < k:
                    kept[size], where[size] = some[i], start + i
                    size += 1
                    _rise(kept, where, size - 1)
                else:
                    kept[0], where[0] = some[i], start + i
                    _sink(kept, where, size, 0)
                if size == k:
                    least = kept[0]
        for last in range(size - 1, 0, -1):
            kept[0], kept[last] = kept[last], kept[0]
            where[0], where[last] = where[last], where[0]
            _sink(kept, where, last, 0)
        free = 0
        while size < k:
            if not row[free] > 0:
                kept[size], where[size] = 0.0, free
                size += 1
            free += 1


@numba.njit(cache=True, nogil=True)
def count_upper(bits, counts):
    """Count positive numbers by the upper half of their bits, in whose order they are."""
    for row in bits:
        for value in row:
            if np.int32(value) > 0:
                counts[value >> 16] += 1


@numba.njit(cache=True, nogil=True)
def count_lower(bits, upper, counts):
    """Count the numbers that have an upper half by their lower half."""
    for row in bits:
        for value in row:
            if value >> 16 == upper:
                counts[value & 0xFFFF] += 1


@numba.njit(cache=True, nogil=True)
def count_from(rows, least, above, equal):
    """Count how many numbers of every row are above one, and how many are it."""
    for n in range(len(rows)):
        more = same = 0
        for value in rows[n]:
            more += value > least
            same += value == least
        above[n], equal[n] = more, same


@numba.njit(cache=True, nogil=True)
def collect(rows, least, of_equal, starts, features, values):
    """Write what every row has above a number, and the first so many that are it, from `starts` on."""
    for n in range(len(rows)):
        at, left = starts[n], of_equal[n]
        for i in range(rows.shape[1]):
            value = rows[n, i]
            if value > least or (value == least and left > 0):
                left -= value == least
                features[at], values[at] = i, value
                at += 1


@numba.njit(cache=True, nogil=True, fastmath=True)
def _dot(one, other):
    total = np.float32(0.0)
    for j in range(len(one)):
        total += one[j] * other[j]
    return total


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_scaled(total, factor, row):
    for j in range(len(total)):
        total[j] += factor * row[j]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_four(total, factors, a, b, c, d):
    """Add four scaled rows at once: the total is read and written once instead of four times."""
    w, x, y, z = factors[0], factors[1], factors[2], factors[3]
    for j in range(len(total)):
        total[j] += (w * a[j] + x * b[j]) + (y * c[j] + z * d[j])


@numba.njit(cache=True, nogil=True)
def combine(starts, features, values, decoder, out):
    """Write the sum of decoder rows of every row: entries ``starts[n]:starts[n + 1]`` are its own."""
    for n in range(len(out)):
        out[n] = 0
        first, stop = starts[n], starts[n + 1]
        while stop - first >= 4:
            a, b, c, d = features[first], features[first + 1], features[first + 2], features[first + 3]
            _add_four(out[n], values[first : first + 4], decoder[a], decoder[b], decoder[c], decoder[d])
            first += 4
        for e in range(first, stop):
            _add_scaled(out[n], values[e], decoder[features[e]])


@numba.njit(cache=True, nogil=True)
def lean(starts, features, values, decoder, gradients, slopes):
    """Write the gradient of every value that is not zero: its row's gradient along its decoder row."""
    for n in range(len(gradients)):
        for e in range(starts[n], starts[n + 1]):
            slopes[e] = _dot(gradients[n], decoder[features[e]]) if values[e] > 0 else np.float32(0.0)


@numba.njit(cache=True, nogil=True)
def sort_by_feature(features, values, starts, order):
    """Sort entries with a value by feature, in their order: ``order[starts[f]:starts[f + 1]]`` are f's."""
    starts[:] = 0
    for e in range(len(features)):
        starts[features[e] + 1] += values[e] > 0
    for f in range(len(starts) - 1):
        starts[f + 1] += starts[f]
    at = starts[:-1].copy()
    for e in range(len(features)):
        if values[e] > 0:
            order[at[features[e]]] = e
            at[features[e]] += 1


@numba.njit(cache=True, nogil=True)
def _gather(own, factors, rows, table, total, part):
    """Write the sum of a feature's rows of a table, each times a factor.

    `rows` may count further than the table is long: it then begins again.
    """
    four, length = np.empty(4, np.float32), len(table)
    total[:] = 0
    for start in range(0, len(own), ROUND):
        some = own[start : start + ROUND]
        into, first = (total if start == 0 else part), 0
        into[:] = 0
        while len(some) - first >= 4:
            for i in range(4):
                four[i] = factors[some[first + i]]
            a, b = rows[some[first]] % length, rows[some[first + 1]] % length
            c, d = rows[some[first + 2]] % length, rows[some[first + 3]] % length
            _add_four(into, four, table[a], table[b], table[c], table[d])
            first += 4
        for e in some[first:]:
            _add_scaled(into, factors[e], table[rows[e] % length])
        if start > 0:
            _add_scaled(total, np.float32(1.0), part)


@numba.njit(cache=True, nogil=True)
def add_slopes(starts, order, slopes, out):
    """Write the sum of every feature's slopes: the gradient by its bias."""
    for f in range(len(out)):
        total = 0.0
        for i in range(starts[f], starts[f + 1]):
            total += slopes[order[i]]
        out[f] = total


@numba.njit(cache=True, nogil=True)
def take_rows(table, factors, total):
    """Take from a total the rows of a table, each times its factor."""
    for f in range(len(table)):
        if factors[f] != 0:
            for j in range(len(total)):
                total[j] -= factors[f] * table[f, j]


@numba.njit(cache=True, nogil=True)
def gather(first, stop, batch, encoder, decoder):
    """Write the gradients of features ``first:stop``: encoder rows and decoder rows."""
    starts, order, rows, values, slopes, errors, inputs = batch
    part = np.empty(inputs.shape[1], np.float32)
    for f in range(first, stop):
        own = order[starts[f] : starts[f + 1]]
        _gather(own, slopes, rows, inputs, encoder[f], part)
        _gather(own, values, rows, errors, decoder[f], part)


@numba.njit(cache=True, nogil=True, fastmath=True)
def adam(weights, gradient, mean, square, settings):
    """Move weights by Adam; `settings` are those of `sparse.adam_settings`."""
    rate, keep, keep_square, whole, whole_square, epsilon = settings
    one = np.float32(1.0)
    for j in range(len(weights)):
        m = keep * mean[j] + (one - keep) * gradient[j]
        s = keep_square * square[j] + (one - keep_square) * gradient[j] * gradient[j]
        mean[j] = m if abs(m) > FAINT else np.float32(0.0)
        square[j] = s if s > FAINT else np.float32(0.0)
        weights[j] -= rate * (m / whole) / (np.sqrt(s / whole_square) + epsilon)


@numba.njit(cache=True, nogil=True)
def learn(first, stop, batch, encoders, decoders, settings, frozen):
    """Find the gradients of features ``first:stop`` and take Adam's step, row by row.

    No table of gradients is ever written. Of a decoder row's gradient only what turns it counts, and it is
    of norm one afterwards.
    """
    starts, order, rows, values, slopes, errors, inputs = batch
    encoder, encoder_mean, encoder_square = encoders
    decoder, decoder_mean, decoder_square = decoders
    width = inputs.shape[1]
    gradient, part = np.empty(width, np.float32), np.empty(width, np.float32)
    for f in range(first, stop):
        own = order[starts[f] : starts[f + 1]]
        _gather(own, slopes, rows, inputs, gradient, part)
        adam(encoder[f], gradient, encoder_mean[f], encoder_square[f], settings)
        if frozen:
            continue
        row = decoder[f]
        _gather(own, values, rows, errors, gradient, part)
        _add_scaled(gradient, -_dot(gradient, row), row)
        adam(row, gradient, decoder_mean[f], decoder_square[f], settings)
        norm = np.sqrt(_dot(row, row))
        for j in range(width):
            row[j] /= norm
