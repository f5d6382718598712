"""Training of a sparse dictionary: activations given back through few features of many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from ...encoders.training.folder import claim
from ...encoders.training.loop import Task, fit
from ...synth.errors import InputError
from . import sparse
from .dictionary import Dictionary, Origin
from .files import write_dictionary
from .rows import MemoryRows, Rows
from .store import ActivationStore

_STRETCHES, _STRETCH = 64, 1024  # places in a store, and rows from each, that mean and scale are taken from
_WARM, _FALLING = 0.05, 0.2  # shares of the steps in which the learning rate rises, and falls to zero
_THRESHOLD_KEPT = 0.99  # of the moving average, at every step


@dataclass(frozen=True)
class DictionaryRecipe:
    """How to train a dictionary.

    Parameters
    ----------
    features : int > 0
        M.
    k : int, 1 to M
        Active features of a row; with ``batch_topk`` on average.
    activation : {"topk", "batch_topk"}
        What is kept while training: the k largest of every row, or the N k largest of N rows. Of the second
        kind a threshold remains, so that afterwards a row is encoded by itself.
    steps, batch_size : int > 0
    learning_rate : float > 0
        Adam's; it rises over the first twentieth of the steps and falls to zero over the last fifth.
    auxiliary_weight : float >= 0
        Of the loss by which dead features learn to predict what the others leave over.
    auxiliary_k : int > 0
        Dead features that predict it, of a row.
    dead_after : int > 0
        Rows without being active after which a feature counts as dead.
    frozen_decoder : bool
        The baseline in which the decoder's directions stay random.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    features: int = 4096
    k: int = 32
    activation: Literal["topk", "batch_topk"] = "topk"
    steps: int = 5_000
    batch_size: int = 2048
    learning_rate: float = 1e-3
    auxiliary_weight: float = 1 / 32
    auxiliary_k: int = 32
    dead_after: int = 200_000
    frozen_decoder: bool = False

    def __post_init__(self) -> None:
        for name in ("features", "k", "steps", "batch_size", "auxiliary_k", "dead_after"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} {value}: must be a whole number of at least 1")
        if self.k > self.features:
            raise InputError(f"k {self.k}: must be at most the number of features, {self.features}")
        if self.activation not in ("topk", "batch_topk"):
            raise InputError(f"activation {self.activation!r}: topk and batch_topk can be trained")
        if not 0 < self.learning_rate < 1:
            raise InputError(f"learning_rate {self.learning_rate}: must be more than 0 and less than 1")
        if not 0 <= self.auxiliary_weight < float("inf"):
            raise InputError(f"auxiliary_weight {self.auxiliary_weight}: must be at least 0")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step.

        Examples
        --------
        >>> recipe = DictionaryRecipe(steps=100, learning_rate=1.0e-3)
        >>> [round(1e3 * recipe.rate(step), 3) for step in (0, 4, 50, 80, 90, 99)]
        [0.2, 1.0, 1.0, 1.0, 0.5, 0.05]
        """
        warm, falling = max(1, round(_WARM * self.steps)), max(1, round(_FALLING * self.steps))
        return self.learning_rate * min(1.0, (step + 1) / warm, (self.steps - step) / falling)


def train_dictionary(
    store: ActivationStore,
    out: str | Path,
    recipe: DictionaryRecipe | None = None,
    seed: int = 0,
    resume: bool = True,
    progress: bool = False,
) -> Dictionary:
    """Learn a dictionary of stored activations.

    Writes into `out`: ``dictionary.safetensors`` when done; ``training.json``, ``log.csv`` and
    ``checkpoint.pt`` on the way. Columns of the log are means over the steps since its last row: loss (the
    share of variance that is left over, of rows scaled by one number, and the auxiliary loss), explained
    variance, L0, and the share of dead features. An interrupted training goes on from its last checkpoint and
    ends with the same bytes.

    Parameters
    ----------
    store : ActivationStore
    out : path
        Folder: new, empty, or that of an earlier training of the same recipe.
    recipe : DictionaryRecipe, optional
    seed : int
    resume : bool
        Go on from a checkpoint; otherwise start over.
    progress : bool
        Show one line per row of the log.

    Returns
    -------
    dictionary : Dictionary
        It takes activations as they are in the store: the centring and the scaling that were learnt with
        are part of its weights. Decoder rows have a norm of one.

    Raises
    ------
    InputError
        If the store is half written or smaller than a batch, `out` holds something else, or the training
        diverges.

    Notes
    -----
    Unit-norm decoder rows, an encoder that starts as their transpose, and the auxiliary loss are those of
    Gao et al., Scaling and evaluating sparse autoencoders, arXiv 2406.04093; ``batch_topk`` is that of
    Bussmann et al., arXiv 2412.06410.
    """
    recipe, out = recipe or DictionaryRecipe(), Path(out)
    if not store.finished:
        raise InputError(f"store {store.path}: is half written ({len(store):,} rows): finish it first")
    identity = {"recipe": asdict(recipe), "seed": seed, "rows": len(store), "activations": store.identity}
    store.batches_per_epoch(recipe.batch_size)
    claim(out, json.loads(json.dumps(identity)), resume)
    task = DictionaryTask(store, recipe, seed)
    fit(task, out, progress)
    dictionary = task.dictionary(_origin(store, recipe, seed))
    write_dictionary(dictionary, out)
    return dictionary


def train_on(rows: Tensor, recipe: DictionaryRecipe, seed: int = 0) -> Dictionary:
    """Learn a dictionary of rows in memory, float32 [N, d]; nothing is written.

    Raises
    ------
    InputError
        If there are fewer rows than a batch has, they are not finite, or the training diverges.
    """
    task = DictionaryTask(MemoryRows(rows), recipe, seed)
    for number in range(task.rounds):
        for batch in task.batches(number):
            task.step(batch, number)
    return task.dictionary(Origin())


def _origin(store: ActivationStore, recipe: DictionaryRecipe, seed: int) -> Origin:
    known = {name: str(store.identity.get(name, "")) for name in ("model", "stage", "weights_sha256")}
    note = f"{recipe.steps} steps of {recipe.batch_size} rows, seed {seed}"
    return Origin(**known, note=note + (", decoder frozen" if recipe.frozen_decoder else ""))


def mean_and_scale(rows: Rows) -> tuple[Tensor, float]:
    """Return the mean of rows [d], and the root of the mean square of what remains, over all numbers.

    At most 65,536 rows are looked at, in stretches that are spread evenly over all.

    Examples
    --------
    >>> mean_and_scale(MemoryRows(torch.tensor([[1.0, 3.0], [3.0, 3.0]])))
    (tensor([2., 3.]), 0.7071067811865476)
    """
    count = len(rows)
    stretches = 1 if count <= _STRETCHES * _STRETCH else _STRETCHES
    length = count if stretches == 1 else _STRETCH
    total, squares, seen = torch.zeros(rows.width, dtype=torch.float64), 0.0, 0
    first = rows.rows(0, 1).double()  # sums of squares about it stay exact where the mean is large
    for start in np.linspace(0, count - length, stretches).astype(int).tolist():
        for at in range(start, start + length, _STRETCH):
            some = rows.rows(at, min(at + _STRETCH, start + length)).double() - first
            total += some.sum(0)
            squares += some.square().sum().item()
            seen += len(some)
    mean = total / seen
    variance = squares / seen - mean.square().sum().item()
    return (mean + first[0]).float(), float(max(variance / rows.width, 0.0) ** 0.5)


class _Learnt(nn.Module):
    """All that training changes, in buffers: what is stored is complete."""

    encoder: Tensor
    encoder_mean: Tensor
    encoder_square: Tensor
    decoder: Tensor
    decoder_mean: Tensor
    decoder_square: Tensor
    encoder_bias: Tensor
    decoder_bias: Tensor
    bias_moments: Tensor
    decoder_bias_moments: Tensor
    silent: Tensor
    threshold: Tensor

    def __init__(self, width: int, features: int, seed: int) -> None:
        super().__init__()
        directions = torch.randn(features, width, generator=torch.Generator().manual_seed(seed))
        directions /= directions.norm(dim=1, keepdim=True)
        tables = {"encoder": directions, "decoder": directions.clone()}
        for name, table in tables.items():
            self.register_buffer(name, table)
            self.register_buffer(f"{name}_mean", torch.zeros_like(table))
            self.register_buffer(f"{name}_square", torch.zeros_like(table))
        self.register_buffer("encoder_bias", torch.zeros(features))
        self.register_buffer("decoder_bias", torch.zeros(width))
        self.register_buffer("bias_moments", torch.zeros(2, features))
        self.register_buffer("decoder_bias_moments", torch.zeros(2, width))
        self.register_buffer("silent", torch.zeros(features, dtype=torch.int64))  # rows since it was active
        self.register_buffer("threshold", torch.full((), -1.0))


class DictionaryTask(Task):
    """Giving rows back through k features, on centred rows with a root mean square of one.

    Parameters
    ----------
    rows : Rows
    recipe : DictionaryRecipe
    seed : int
    """

    columns = ("loss", "explained_variance", "l0", "dead_share")
    logged = 100
    stored = 1_000

    def __init__(self, rows: Rows, recipe: DictionaryRecipe, seed: int) -> None:
        self.source, self.recipe, self.seed, self.rounds = rows, recipe, seed, recipe.steps
        self.per_epoch = rows.batches_per_epoch(recipe.batch_size)
        self.mean, self.scale = mean_and_scale(rows)
        if not self.scale > 0:
            raise InputError("activations: all rows are the same; there is nothing to learn")
        self.learnt = _Learnt(rows.width, recipe.features, seed)
        self.parts = {"learnt": self.learnt}
        self._running: tuple[int, Iterator[Tensor]] | None = None
        self._scratch = torch.empty(0)

    def batches(self, number: int) -> Iterator[Tensor]:
        """Yield the rows of a step, centred and scaled, float32 [N, d]."""
        if self._running is None or self._running[0] != number or number % self.per_epoch == 0:
            epoch, first = divmod(number, self.per_epoch)
            self._running = None  # the rows it holds, before others are read
            drawn = self.source.batches(self.seed, epoch, self.recipe.batch_size, first)
        else:
            drawn = self._running[1]
        rows = next(drawn)
        self._running = number + 1, drawn
        yield (rows - self.mean) / self.scale

    def step(self, batch: Tensor, step: int) -> list[float]:
        """Take a step down; return loss, explained variance, L0 and the share of dead features."""
        learnt, recipe = self.learnt, self.recipe
        inputs = batch - learnt.decoder_bias
        before = self._before(inputs)
        entries = self._entries(before)
        errors = sparse.combined(entries, learnt.decoder) - inputs.numpy()
        loss, gradient = sparse.loss_gradient(errors, 1 / errors.size)
        if not np.isfinite(loss):
            raise InputError(
                f"training diverged: loss {loss} at rate {recipe.learning_rate:g}: choose a lower one"
            )
        left, dead = loss * errors.size, learnt.silent >= recipe.dead_after
        auxiliary = None
        if dead.any() and recipe.auxiliary_weight > 0 and left > 0:
            more, auxiliary = self._auxiliary(before, dead, errors, left)
            loss += more
        self._learn(sparse.backward(inputs, learnt.decoder, entries, gradient, auxiliary), step)
        learnt.silent += len(batch)
        active = entries.values > 0
        learnt.silent[torch.from_numpy(entries.features[active])] = 0
        self._follow_threshold(entries)
        varies = (batch - batch.mean(0)).square().sum().item()
        explained = 1 - left / varies if varies > 0 else float("nan")
        dead_share = (learnt.silent >= recipe.dead_after).float().mean().item()
        return [loss, explained, active.sum().item() / len(batch), dead_share]

    def _before(self, inputs: Tensor) -> Tensor:
        """Return pre-activations [N, M], in memory that is used again."""
        if len(self._scratch) != len(inputs):
            self._scratch = torch.empty(len(inputs), self.recipe.features)
        return torch.addmm(self.learnt.encoder_bias, inputs, self.learnt.encoder.T, out=self._scratch)

    def _entries(self, before: Tensor) -> sparse.Entries:
        if self.recipe.activation == "topk":
            return sparse.row_entries(before, self.recipe.k)
        return sparse.batch_entries(before, self.recipe.k * len(before))

    def _auxiliary(
        self, before: Tensor, dead: Tensor, errors: np.ndarray, left: float
    ) -> tuple[float, tuple[sparse.Entries, np.ndarray]]:
        """Have dead features predict what is left over; the loss is a share of it, times its weight."""
        which = dead.nonzero()[:, 0]
        found = sparse.row_entries(before[:, which], min(self.recipe.auxiliary_k, len(which)))
        entries = sparse.Entries(found.starts, which.numpy()[found.features], found.values)
        wrong = sparse.combined(entries, self.learnt.decoder) + errors  # errors are result less input
        loss, gradient = sparse.loss_gradient(wrong, self.recipe.auxiliary_weight / left)
        return loss, (entries, gradient)

    def _learn(self, batch: sparse.Backward, step: int) -> None:
        learnt, rate = self.learnt, self.recipe.rate(step)
        encoder = learnt.encoder, learnt.encoder_mean, learnt.encoder_square
        decoder = learnt.decoder, learnt.decoder_mean, learnt.decoder_square
        bias = sparse.encoder_bias_gradient(batch, len(learnt.encoder))
        decoder_bias = sparse.decoder_bias_gradient(batch, learnt.encoder, bias)  # before it changes
        sparse.learn(batch, encoder, decoder, step, rate, self.recipe.frozen_decoder)
        sparse.adam(learnt.encoder_bias, bias, *learnt.bias_moments, step=step, rate=rate)
        sparse.adam(learnt.decoder_bias, decoder_bias, *learnt.decoder_bias_moments, step=step, rate=rate)

    def _follow_threshold(self, entries: sparse.Entries) -> None:
        """Follow the least value that is kept of a batch."""
        kept = entries.values[entries.values > 0]
        if self.recipe.activation != "batch_topk" or not len(kept):
            return
        least, threshold = float(kept.min()), self.learnt.threshold
        before = least if threshold.item() < 0 else threshold.item()
        threshold.fill_(_THRESHOLD_KEPT * before + (1 - _THRESHOLD_KEPT) * least)

    def dictionary(self, origin: Origin) -> Dictionary:
        """Return what was learnt, for activations as they are given to the task."""
        learnt, scale = self.learnt, self.scale
        threshold = None
        if self.recipe.activation == "batch_topk":
            threshold = torch.full((self.recipe.features,), max(learnt.threshold.item(), 0.0) * scale)
        return Dictionary(
            encoder=learnt.encoder.T.contiguous(),
            encoder_bias=scale * learnt.encoder_bias,
            decoder=learnt.decoder.clone(),
            decoder_bias=self.mean + scale * learnt.decoder_bias,
            k=self.recipe.k,
            activation=self.recipe.activation,
            threshold=threshold,
            centred=True,
            origin=origin,
        )
