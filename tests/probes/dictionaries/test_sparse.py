"""The sparse step against torch's dense top-k and autograd, and against other numbers of threads."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tonotopy.probes.dictionaries import sparse
from tonotopy.synth.errors import InputError

pytestmark = pytest.mark.numerical


def drawn(width, features, rows, seed=0):
    """Weights with a structure of their own each, and rows; nothing is centred or of norm one."""
    source = torch.Generator().manual_seed(seed)
    encoder, decoder = (torch.randn(features, width, generator=source) / width**0.5 for _ in range(2))
    biases = 0.1 * torch.randn(features, generator=source), 0.3 * torch.randn(width, generator=source)
    return encoder, decoder, *biases, torch.randn(rows, width, generator=source) + 0.5


def dense_gradients(weights, rows, keep, scale, dtype):
    """Loss and gradients by autograd, all features dense."""
    encoder, decoder, encoder_bias, decoder_bias = (
        w.detach().clone().to(dtype).requires_grad_() for w in weights
    )
    rows = rows.to(dtype)
    before = torch.relu((rows - decoder_bias) @ encoder.T + encoder_bias)
    features = before * keep(before)
    loss = scale * (features @ decoder + decoder_bias - rows).square().sum()
    loss.backward()
    return loss.item(), [w.grad.double().numpy() for w in (encoder, decoder, encoder_bias, decoder_bias)]


def sparse_gradients(weights, rows, entries_of, scale):
    encoder, decoder, encoder_bias, decoder_bias = weights
    inputs = rows - decoder_bias
    entries = entries_of(torch.addmm(encoder_bias, inputs, encoder.T))
    loss, errors = sparse.loss_gradient(sparse.combined(entries, decoder) - inputs.numpy(), scale)
    found = sparse.gradients(sparse.backward(inputs, decoder, entries, errors), encoder)
    return loss, [found.encoder, found.decoder, found.encoder_bias, found.decoder_bias]


def among_largest(k):
    def keep(before):
        return torch.zeros_like(before).scatter(1, before.topk(k, dim=1).indices, 1.0)

    return keep


def among_largest_of_all(count):
    def keep(before):
        flat = torch.zeros(before.numel(), dtype=before.dtype)
        return flat.scatter(0, before.flatten().topk(count).indices, 1.0).view_as(before)

    return keep


def relative(found, exact):
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


@pytest.mark.parametrize("rows", [7, 300])  # 300: features with more rows than are added up at a time
@pytest.mark.parametrize("kind", ["topk", "batch_topk"])
def test_gradients_are_those_of_dense_autograd(kind, rows):
    *weights, batch = drawn(48, 160, rows)
    keep, entries_of = {
        "topk": (among_largest(8), lambda before: sparse.row_entries(before, 8)),
        "batch_topk": (
            among_largest_of_all(8 * rows),
            lambda before: sparse.batch_entries(before, 8 * rows),
        ),
    }[kind]
    scale = 1 / batch.numel()
    exact_loss, exact = dense_gradients(weights, batch, keep, scale, torch.float64)
    _, theirs = dense_gradients(weights, batch, keep, scale, torch.float32)
    loss, ours = sparse_gradients(weights, batch, entries_of, scale)
    assert loss == pytest.approx(exact_loss, rel=1e-6)
    for found, other, true in zip(ours, theirs, exact, strict=True):
        assert relative(found, true) < max(2e-7, 1.5 * relative(other, true))
        assert relative(found, other) < 4e-7


def test_gradients_where_fewer_than_k_are_positive():
    *weights, batch = drawn(16, 40, 50)
    weights[2] -= 1.5  # most rows have two or three positive features of the eight wanted
    _, exact = dense_gradients(weights, batch, among_largest(8), 0.01, torch.float64)
    _, ours = sparse_gradients(weights, batch, lambda before: sparse.row_entries(before, 8), 0.01)
    for found, true in zip(ours, exact, strict=True):
        assert relative(found, true) < 3e-7


def test_auxiliary_gradients_are_added_to_those_of_the_same_rows():
    encoder, decoder, encoder_bias, decoder_bias, rows = drawn(16, 40, 50)
    inputs = rows - decoder_bias
    before = torch.addmm(encoder_bias, inputs, encoder.T)
    entries = sparse.row_entries(before, 3)
    left = sparse.combined(entries, decoder) - inputs.numpy()
    dead = torch.arange(20, 40)
    found = sparse.row_entries(before[:, dead], 4)
    other = sparse.Entries(found.starts, dead.numpy()[found.features], found.values)
    _, errors = sparse.loss_gradient(left, 0.01)
    _, auxiliary = sparse.loss_gradient(sparse.combined(other, decoder) + left, 0.002)
    ours = sparse.gradients(sparse.backward(inputs, decoder, entries, errors, (other, auxiliary)), encoder)

    weights = [w.double().requires_grad_() for w in (encoder, decoder, encoder_bias, decoder_bias)]
    activations = torch.relu((rows.double() - weights[3]) @ weights[0].T + weights[2])
    result = activations * among_largest(3)(activations) @ weights[1] + weights[3]
    only = activations[:, 20:] * among_largest(4)(activations[:, 20:]) @ weights[1][20:]
    target = (rows.double() - result).detach()
    (0.01 * (result - rows).square().sum() + 0.002 * (only - target).square().sum()).backward()
    for one, weight in zip(
        (ours.encoder, ours.decoder, ours.encoder_bias, ours.decoder_bias), weights, strict=True
    ):
        assert weight.grad is not None
        assert relative(one, weight.grad.numpy()) < 3e-7


@given(
    st.integers(1, 6),
    st.integers(1, 90),
    st.integers(0, 10_000),
    st.sampled_from(["normal", "tied", "negative", "few"]),
)
def test_top_k_takes_the_largest_and_among_equals_the_first(rows, width, seed, kind):
    draws = np.random.default_rng(seed)
    values = draws.standard_normal((rows, width)).astype(np.float32)
    if kind == "tied":
        values = np.round(values)
    elif kind == "negative":
        values = -np.abs(values)
    elif kind == "few":
        values[draws.random(values.shape) < 0.8] *= -1
    k = int(draws.integers(1, width + 1))
    indices, kept = sparse.top_k(torch.from_numpy(values), k)
    positive = np.maximum(values, 0)
    order = np.lexsort([np.broadcast_to(np.arange(width), values.shape), -positive], axis=1)[:, :k]
    np.testing.assert_array_equal(kept.numpy(), np.take_along_axis(positive, order, axis=1))
    for own, right, value in zip(indices.tolist(), order.tolist(), kept.tolist(), strict=True):
        assert len(set(own)) == k
        some = sum(v > 0 for v in value)
        assert own[:some] == right[:some]


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 10_000), st.booleans())
def test_batch_top_k_takes_the_largest_of_all(rows, width, seed, tied):
    draws = np.random.default_rng(seed)
    values = draws.standard_normal((rows, width)).astype(np.float32)
    values = np.round(values) if tied else values
    count = int(draws.integers(1, rows * width + 1))
    entries = sparse.batch_entries(torch.from_numpy(values), count)
    flat = np.maximum(values, 0).ravel()
    order = np.lexsort([np.arange(flat.size), -flat])[:count]
    right = np.sort(order[flat[order] > 0])
    assert (entries.rows * width + entries.features).tolist() == right.tolist()
    assert entries.values.tolist() == flat[right].tolist()


@pytest.fixture
def threads():
    usual = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(usual)


def test_the_number_of_threads_does_not_matter(threads, monkeypatch):
    monkeypatch.setattr(sparse, "_WORTH_THREADS", 0)
    encoder, decoder, encoder_bias, decoder_bias, rows = drawn(33, 130, 70)
    inputs = rows - decoder_bias
    before = torch.addmm(encoder_bias, inputs, encoder.T)
    found = []
    for count in (1, 2, 5):
        threads(count)
        for entries in (sparse.row_entries(before, 9), sparse.batch_entries(before, 500)):
            _, errors = sparse.loss_gradient(sparse.combined(entries, decoder) - inputs.numpy(), 0.01)
            batch = sparse.backward(inputs, decoder, entries, errors)
            tables = [encoder.clone(), decoder.clone()]
            moments = [torch.full_like(encoder, 0.1) for _ in range(4)]
            sparse.learn(batch, (tables[0], *moments[:2]), (tables[1], *moments[2:]), 3, 1e-3)
            dense = sparse.gradients(batch, encoder)
            found.append([t.numpy().tobytes() for t in (*tables, *moments)])
            found[-1] += [dense.encoder.tobytes(), dense.decoder.tobytes(), dense.decoder_bias.tobytes()]
    assert found[0] == found[2] == found[4]
    assert found[1] == found[3] == found[5]
    assert found[0] != found[1]


@pytest.mark.parametrize("frozen", [False, True])
def test_learning_is_adam_on_what_turns_decoder_rows(frozen):
    encoder, decoder, encoder_bias, decoder_bias, rows = drawn(24, 60, 40)
    decoder /= decoder.norm(dim=1, keepdim=True)
    ours, reference = [encoder.clone(), decoder.clone()], [encoder.clone(), decoder.clone()]
    moments = [torch.zeros_like(encoder) for _ in range(4)]
    parameters = [torch.nn.Parameter(w) for w in reference]
    adam = torch.optim.Adam(parameters, 1e-2, betas=sparse.BETAS, eps=sparse.EPSILON)
    inputs = rows - decoder_bias
    for step in range(5):
        entries = sparse.row_entries(torch.addmm(encoder_bias, inputs, ours[0].T), 6)
        _, errors = sparse.loss_gradient(sparse.combined(entries, ours[1]) - inputs.numpy(), 0.01)
        batch = sparse.backward(inputs, ours[1], entries, errors)
        dense = sparse.gradients(batch, ours[0])
        turning = torch.from_numpy(dense.decoder.copy())
        turning -= (turning * ours[1]).sum(1, keepdim=True) * ours[1]
        parameters[0].grad = torch.from_numpy(dense.encoder.copy())
        parameters[1].grad = None if frozen else turning
        adam.step()
        with torch.no_grad():
            parameters[1].div_(1.0 if frozen else parameters[1].norm(dim=1, keepdim=True))
        sparse.learn(batch, (ours[0], *moments[:2]), (ours[1], *moments[2:]), step, 1e-2, frozen)
    torch.testing.assert_close(ours[0], parameters[0].detach(), rtol=1e-4, atol=2e-6)
    torch.testing.assert_close(ours[1], parameters[1].detach(), rtol=1e-4, atol=2e-6)
    assert torch.equal(ours[1], decoder) == frozen


@pytest.mark.parametrize("k", [0, 5])
def test_k_out_of_range(k):
    with pytest.raises(InputError, match=f"k {k}: must be 1 to the number of features, 4"):
        sparse.top_k(torch.zeros(2, 4), k)
