"""Sparse autoencoders: a sparse step against a dense one, and memory of much over that of little."""

import time
from collections.abc import Sequence

import torch

from tonotopy.probes.dictionaries import sparse

from .table import Row
from .watched import watched

WIDTH, FEATURES, K, BATCH = 1024, 16_384, 32, 2048
REPEATS = 3  # the shortest counts: others' work on the machine only ever adds
FEW, MANY = 1_000_000, 10_000_000

STORED = """
import numpy as np
import torch
from tonotopy.probes.dictionaries.store import ActivationStore
from tonotopy.probes.dictionaries.training import DictionaryRecipe, train_dictionary
width, piece = 32, 10_000
recipe = DictionaryRecipe(features=64, k=4, steps=300, batch_size=4096)
watcher.start()
store = ActivationStore.create(out, width, {"count": count})
source = torch.Generator().manual_seed(0)
for clip in range(count // piece):
    rows = torch.randn(piece, width, generator=source)
    store.append(rows, np.full(piece, clip), np.arange(piece))
store.finish()
for batch in store.batches(0, 0, 4096):
    pass
train_dictionary(store, out + "-trained", recipe)
"""


class Weights:
    """Of a dictionary of the benchmark's size, and a batch of rows."""

    def __init__(self) -> None:
        source = torch.Generator().manual_seed(0)
        rows = torch.randn(FEATURES, WIDTH, generator=source)
        self.encoder = rows / rows.norm(dim=1, keepdim=True)
        self.decoder = self.encoder.clone()
        self.encoder_bias = 0.01 * torch.randn(FEATURES, generator=source)
        self.decoder_bias = 0.01 * torch.randn(WIDTH, generator=source)
        self.batch = torch.randn(BATCH, WIDTH, generator=source)
        self.scale = 1 / self.batch.numel()


def dense_step(
    weights: Weights, optimizer: torch.optim.Optimizer, both: Sequence[torch.Tensor]
) -> list[float]:
    """Take a step as it is written in torch: seconds until the gradients are there, and with Adam's step."""
    encoder, decoder, encoder_bias, decoder_bias = both
    start = time.perf_counter()
    optimizer.zero_grad()
    before = torch.relu((weights.batch - decoder_bias) @ encoder.T + encoder_bias)
    values, indices = before.topk(K, dim=1, sorted=False)
    features = torch.zeros_like(before).scatter(1, indices, values)
    (weights.scale * (features @ decoder + decoder_bias - weights.batch).square().sum()).backward()
    gradients = time.perf_counter() - start
    optimizer.step()
    with torch.no_grad():
        decoder /= decoder.norm(dim=1, keepdim=True)
    return [gradients, time.perf_counter() - start]


def sparse_parts(weights: Weights, scratch: torch.Tensor) -> tuple[sparse.Backward, float]:
    """Return what gradients are sums of, and the seconds of the encoder's product, which is dense."""
    inputs = weights.batch - weights.decoder_bias
    start = time.perf_counter()
    before = torch.addmm(weights.encoder_bias, inputs, weights.encoder.T, out=scratch)
    product = time.perf_counter() - start
    entries = sparse.row_entries(before, K)
    _, errors = sparse.loss_gradient(
        sparse.combined(entries, weights.decoder) - inputs.numpy(), weights.scale
    )
    return sparse.backward(inputs, weights.decoder, entries, errors), product


def steps() -> list[Row]:
    """Compare steps in turns; both have memory that is used again."""
    weights, scratch = Weights(), torch.empty(BATCH, FEATURES)
    batch, _ = sparse_parts(weights, scratch)
    found = sparse.gradients(batch, weights.encoder)
    own = [weights.encoder.clone(), weights.decoder.clone()]
    moments = [torch.zeros_like(weights.encoder) for _ in range(4)]
    both = [
        torch.nn.Parameter(w.clone())
        for w in (weights.encoder, weights.decoder, weights.encoder_bias, weights.decoder_bias)
    ]
    optimizer = torch.optim.Adam(both, 1e-4)
    dense_step(weights, optimizer, both)
    theirs = [both[0].grad, both[1].grad]
    difference = max(
        (torch.from_numpy(one) - other).norm().item() / other.norm().item()
        for one, other in zip((found.encoder, found.decoder), theirs, strict=True)
        if other is not None
    )
    times = []
    for step in range(REPEATS):
        dense = dense_step(weights, optimizer, both)
        start = time.perf_counter()
        batch, product = sparse_parts(weights, scratch)
        before = time.perf_counter() - start
        sparse.gradients(batch, weights.encoder, found)
        gradients = time.perf_counter() - start
        start = time.perf_counter()
        sparse.learn(batch, (own[0], *moments[:2]), (own[1], *moments[2:]), step, 1e-4)
        times.append([*dense, gradients, before + time.perf_counter() - start, product])
    dense, dense_adam, ours, ours_adam, product = (min(column) for column in zip(*times, strict=True))
    return [
        Row(
            "sparse autoencoder step against dense top-k",
            f"{ours:.2f} s",
            f"{dense:.2f} s, bound {dense / product:.1f}",
            dense / ours,
            3,
        ),
        Row("  with Adam's step", f"{ours_adam:.2f} s", f"{dense_adam:.2f} s", dense_adam / ours_adam, 3),
        Row("  greatest difference of gradients", f"{difference:.1e}", "autograd", difference, 4e-7, True),
    ]


def rows() -> list[Row]:
    """Compare steps; store and train on ten million activations and on one million."""
    little, much = watched(STORED, FEW)[0], watched(STORED, MANY)[0]
    name = f"peak memory, {MANY:,} activations / {FEW:,}"
    return [*steps(), Row(name, f"{much:.0f} MiB", f"{little:.0f} MiB", much / little, 1.1, True)]


if __name__ == "__main__":
    for row in rows():
        print(row)
