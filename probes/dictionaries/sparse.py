"""The sparse step of a dictionary's training: what is zero is neither multiplied nor stored.

Of M features a row has k. The encoder must look at all of them, one dense product; all else, the decoder
and every gradient, concerns k decoder rows of a row of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...synth.errors import InputError
from . import _kernels

_WORTH_THREADS = 1 << 22  # numbers to go through, below which starting threads takes longer
BETAS, EPSILON = (0.9, 0.999), 6.25e-10  # Gao et al.: gradients are small where many features share them


@dataclass(frozen=True)
class Entries:
    """Active features, row by row: entries ``starts[n]:starts[n + 1]`` are those of row n.

    Parameters
    ----------
    starts : int64 [N + 1]
    features : int64 [E]
    values : float32 [E]
        A zero stands for nothing.
    """

    starts: np.ndarray
    features: np.ndarray
    values: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The row of every entry, int64 [E]."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


@dataclass(frozen=True)
class Backward:
    """All that the gradients of a batch are sums of.

    Parameters
    ----------
    starts, order : int64 [M + 1], int64 [E]
        Entries by feature: ``order[starts[f]:starts[f + 1]]`` are those of feature f.
    rows : int64 [E]
        Row of `errors` of every entry; modulo N it is that of `inputs`.
    values, slopes : float32 [E]
        Of every entry, and the gradient of the loss by it.
    errors : float32 [N or 2 N, d]
        Gradient of the loss by every reconstruction: those of the rows, then those of the auxiliary loss.
    inputs : float32 [N, d]
        What the encoder was given, without the bias.
    """

    starts: np.ndarray
    order: np.ndarray
    rows: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    errors: np.ndarray
    inputs: np.ndarray

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """All of them, as kernels take them."""
        return self.starts, self.order, self.rows, self.values, self.slopes, self.errors, self.inputs


@dataclass(frozen=True)
class Gradients:
    """Gradients of the loss by all weights, as dense as the weights: for tests, and for other optimizers.

    Parameters
    ----------
    encoder, decoder : float32 [M, d]
    encoder_bias : float32 [M]
    decoder_bias : float32 [d]
    """

    encoder: np.ndarray
    decoder: np.ndarray
    encoder_bias: np.ndarray
    decoder_bias: np.ndarray


def top_k(activations: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the k largest positive values of every row, from the largest on.

    Parameters
    ----------
    activations : float32 [N, M]
    k : int, 1 to M

    Returns
    -------
    indices : int64 [N, k]
        Among equal values the first; all of a row are different.
    values : float32 [N, k]
        Zero where a row has fewer.

    Examples
    --------
    >>> indices, values = top_k(torch.tensor([[1.0, 3.0, 3.0, -4.0], [-1.0, -2.0, 5.0, -3.0]]), 2)
    >>> indices.tolist(), values.tolist()
    ([[1, 2], [2, 0]], [[3.0, 3.0], [5.0, 0.0]])
    """
    if not 1 <= k <= activations.shape[1]:
        raise InputError(f"k {k}: must be 1 to the number of features, {activations.shape[1]}")
    rows = activations.detach().contiguous().numpy()
    indices, values = np.empty((len(rows), k), np.int64), np.empty((len(rows), k), np.float32)

    def work(a: int, b: int) -> None:
        _kernels.largest(rows[a:b], indices[a:b], values[a:b])

    _shared(work, len(rows), rows.size)
    return torch.from_numpy(indices), torch.from_numpy(values)


def row_entries(activations: Tensor, k: int) -> Entries:
    """Return the k largest positive values of every row, as entries."""
    indices, values = top_k(activations, k)
    starts = np.arange(len(indices) + 1, dtype=np.int64) * k
    return Entries(starts, indices.flatten().numpy(), values.flatten().numpy())


def batch_entries(activations: Tensor, count: int) -> Entries:
    """Return the largest positive values of a whole batch, as entries.

    Parameters
    ----------
    activations : float32 [N, M]
    count : int > 0
        Values wanted in all. Among equals those of the first rows, and in a row of the first features.

    Examples
    --------
    >>> entries = batch_entries(torch.tensor([[1.0, 5.0, 4.0], [2.0, -6.0, 0.0]]), 3)
    >>> entries.starts.tolist(), entries.features.tolist(), entries.values.tolist()
    ([0, 2, 3], [1, 2, 0], [5.0, 4.0, 2.0])
    """
    rows = activations.detach().contiguous().numpy()
    least = _least_kept(rows.view(np.uint32), count)
    above, equal = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)

    def count_rows(a: int, b: int) -> None:
        _kernels.count_from(rows[a:b], least, above[a:b], equal[a:b])

    _shared(count_rows, len(rows), rows.size)
    left = count - above.sum() if least > 0 else 0
    before = np.cumsum(equal) - equal
    of_equal = np.clip(left - before, 0, equal)
    starts = np.concatenate([[0], np.cumsum(above + of_equal)])
    features, values = np.empty(starts[-1], np.int64), np.empty(starts[-1], np.float32)

    def collect(a: int, b: int) -> None:
        _kernels.collect(rows[a:b], least, of_equal[a:b], starts[a:b], features, values)

    _shared(collect, len(rows), rows.size)
    return Entries(starts, features, values)


def _least_kept(bits: np.ndarray, count: int) -> np.float32:
    """Return the count-th largest of positive numbers, given by their bits; 0 if there are fewer.

    Positive numbers are ordered as their bits are, so two counts of 16 bits each find it exactly.
    """
    upper = np.zeros(1 << 16, np.int64)
    _kernels.count_upper(bits, upper)
    if upper.sum() < count:
        return np.float32(0)
    from_top = np.cumsum(upper[::-1])[::-1]
    high = int(np.flatnonzero(from_top >= count)[-1])
    lower = np.zeros(1 << 16, np.int64)
    _kernels.count_lower(bits, high, lower)
    left = count - (from_top[high] - upper[high])
    low = int(np.flatnonzero(np.cumsum(lower[::-1])[::-1] >= left)[-1])
    return np.array([high << 16 | low], np.uint32).view(np.float32)[0]


def combined(entries: Entries, decoder: Tensor) -> np.ndarray:
    """Sum the decoder's rows of every row, times their values, without a bias.

    Parameters
    ----------
    entries : Entries
    decoder : float32 [M, d]

    Returns
    -------
    rows : float32 [N, d]
    """
    table = decoder.numpy()
    out = np.empty((len(entries.starts) - 1, table.shape[1]), np.float32)

    def work(a: int, b: int) -> None:
        _kernels.combine(entries.starts[a : b + 1], entries.features, entries.values, table, out[a:b])

    _shared(work, len(out), len(entries.features) * table.shape[1])
    return out


def backward(
    inputs: Tensor,
    decoder: Tensor,
    entries: Entries,
    errors: np.ndarray,
    auxiliary: tuple[Entries, np.ndarray] | None = None,
) -> Backward:
    """Gather what the gradients are sums of.

    Parameters
    ----------
    inputs : float32 [N, d]
        What the encoder was given, without the bias.
    decoder : float32 [M, d]
    entries : Entries
    errors : float32 [N, d]
        Gradient of the loss by every reconstruction.
    auxiliary : (Entries, float32 [N, d]), optional
        Other entries of the same rows, and the gradient by what they add up to.
    """
    parts = [(entries, errors), *([] if auxiliary is None else [auxiliary])]
    slopes = np.concatenate([_slopes(some, decoder.numpy(), wrong) for some, wrong in parts])
    features = np.concatenate([some.features for some, _ in parts])
    values = np.concatenate([some.values for some, _ in parts])
    rows = np.concatenate([some.rows + i * len(inputs) for i, (some, _) in enumerate(parts)])
    starts, order = np.empty(len(decoder) + 1, np.int64), np.empty(len(features), np.int64)
    _kernels.sort_by_feature(features, values, starts, order)
    stacked = np.concatenate([wrong for _, wrong in parts]) if auxiliary else errors
    return Backward(starts, order, rows, values, slopes, stacked, inputs.numpy())


def _slopes(entries: Entries, decoder: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return the gradient of the loss by every entry, float32 [E]."""
    slopes = np.empty(len(entries.features), np.float32)

    def work(a: int, b: int) -> None:
        starts = entries.starts[a : b + 1]
        _kernels.lean(starts, entries.features, entries.values, decoder, errors[a:b], slopes)

    _shared(work, len(errors), slopes.size * decoder.shape[1])
    return slopes


def gradients(batch: Backward, encoder: Tensor, into: Gradients | None = None) -> Gradients:
    """Return the gradients by all weights.

    Parameters
    ----------
    batch : Backward
    encoder : float32 [M, d]
    into : Gradients, optional
        Of an earlier batch: written over.
    """
    shape = tuple(encoder.shape)
    empty = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape[0], np.float32)
    found = into or Gradients(*empty, np.empty(shape[1], np.float32))

    def work(a: int, b: int) -> None:
        _kernels.gather(a, b, batch.arrays, found.encoder, found.decoder)

    _shared(work, shape[0], len(batch.order) * shape[1], batch.starts)
    found.encoder_bias[:] = encoder_bias_gradient(batch, shape[0])
    found.decoder_bias[:] = decoder_bias_gradient(batch, encoder, found.encoder_bias)
    return found


def encoder_bias_gradient(batch: Backward, features: int) -> np.ndarray:
    """Return the gradient by the encoder's bias, float32 [M]."""
    bias = np.empty(features, np.float32)
    _kernels.add_slopes(batch.starts, batch.order, batch.slopes, bias)
    return bias


def decoder_bias_gradient(batch: Backward, encoder: Tensor, encoder_bias: np.ndarray) -> np.ndarray:
    """Return the gradient by the decoder's bias, [d]: it is in the result, and taken from the inputs."""
    own = batch.errors[: len(batch.inputs)].sum(0, dtype=np.float64)
    _kernels.take_rows(encoder.numpy(), encoder_bias, own)
    return own.astype(np.float32)


def loss_gradient(errors: np.ndarray, scale: float) -> tuple[float, np.ndarray]:
    """Return a loss, the sum of squared errors [N, d] times a scale, and its gradient by them."""
    total = float(np.einsum("nd,nd->n", errors, errors).sum(dtype=np.float64))
    return scale * total, np.float32(2 * scale) * errors


def adam_settings(step: int, rate: float) -> tuple[np.float32, ...]:
    """Return what Adam's step takes: rate, what stays of either moment, how whole they are, epsilon."""
    first, second = BETAS
    return tuple(map(np.float32, (
        rate, first, second, 1 - first ** (step + 1), 1 - second ** (step + 1), EPSILON
    )))  # fmt: skip


def adam(weights: Tensor, gradient: np.ndarray, mean: Tensor, square: Tensor, step: int, rate: float) -> None:
    """Move weights by Adam (Kingma and Ba, 1412.6980), and its two moments, all float32 [n]."""
    _kernels.adam(weights.numpy(), gradient, mean.numpy(), square.numpy(), adam_settings(step, rate))


def learn(
    batch: Backward,
    encoder: Sequence[Tensor],
    decoder: Sequence[Tensor],
    step: int,
    rate: float,
    frozen_decoder: bool = False,
) -> None:
    """Take Adam's step from a batch's gradients, which are never written down.

    Parameters
    ----------
    batch : Backward
    encoder, decoder : three of float32 [M, d]
        The weights, and their first and second moments; changed. Decoder rows keep a norm of one: only
        what turns them is learnt from.
    step : int >= 0
    rate : float > 0
    frozen_decoder : bool
        The decoder stays as it is.
    """
    encoders, decoders = tuple(t.numpy() for t in encoder), tuple(t.numpy() for t in decoder)
    settings = adam_settings(step, rate)

    def work(a: int, b: int) -> None:
        _kernels.learn(a, b, batch.arrays, encoders, decoders, settings, frozen_decoder)

    _shared(work, len(encoder[0]), encoder[0].numel() + len(batch.order) * encoder[0].shape[1])


def _shared(
    work: Callable[[int, int], None], count: int, numbers: int, starts: np.ndarray | None = None
) -> None:
    """Have threads do ranges of ``0:count``; `starts` [count + 1] says how much lies before each.

    There are as many as torch uses: numba's own, once asked how many they are, change torch's number.
    """
    threads = min(torch.get_num_threads(), count)
    if threads < 2 or numbers < _WORTH_THREADS:
        work(0, count)
        return
    shares = np.linspace(0, count if starts is None else starts[-1], threads + 1)
    cuts = np.rint(shares).astype(int) if starts is None else np.searchsorted(starts[:-1], shares)
    cuts[0], cuts[-1] = 0, count
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, cuts[:-1].tolist(), cuts[1:].tolist()))
