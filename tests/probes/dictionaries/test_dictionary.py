"""What a dictionary makes of rows, against dense formulas; and what it is refused for."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tonotopy.probes.dictionaries.dictionary import Dictionary, Origin, check_fits
from tonotopy.synth.errors import InputError

from .drawn import drawn_dictionary, drawn_rows

pytestmark = pytest.mark.numerical
KINDS = ("topk", "batch_topk", "jumprelu")


def dense_features(dictionary, rows):
    """The formula, in float64, one row at a time."""
    found = torch.zeros(len(rows), dictionary.features, dtype=torch.float64)
    for row, features in zip(rows.double(), found, strict=True):
        inputs = row - dictionary.decoder_bias.double() if dictionary.centred else row
        before = dictionary.encoder_bias.double() + dictionary.encoder.double().T @ inputs
        for feature in before.argsort(descending=True).tolist():
            if dictionary.activation == "topk":
                keeps = (features > 0).sum() < dictionary.k
            else:
                keeps = before[feature] > dictionary.threshold[feature]
            if keeps and before[feature] > 0:
                features[feature] = before[feature]
    return found


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_features_and_reconstruction_are_the_formula(kind, centred):
    dictionary, rows = drawn_dictionary(kind, centred=centred), drawn_rows()
    right = dense_features(dictionary, rows)
    assert 1 < (right > 0).sum(1).double().mean() < 30
    torch.testing.assert_close(dictionary.encode(rows).double(), right, rtol=1e-5, atol=1e-5)
    result = right @ dictionary.decoder.double() + dictionary.decoder_bias.double()
    for found in (dictionary.reconstruct(rows), dictionary.decode(dictionary.encode(rows))):
        torch.testing.assert_close(found.double(), result, rtol=1e-5, atol=1e-5)


@given(st.sampled_from(KINDS), st.integers(0, 1_000), st.integers(1, 700))
def test_a_row_does_not_depend_on_those_beside_it(kind, seed, others):
    """Large rows beside a small one must not take its features; with hundreds of rows, across blocks."""
    dictionary, rows = drawn_dictionary(kind), drawn_rows(3, seed=seed)
    beside = torch.cat([100 * drawn_rows(others, seed=seed + 1), rows])
    torch.testing.assert_close(
        dictionary.encode(beside)[others:], dictionary.encode(rows), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(
        dictionary.reconstruct(beside)[others:], dictionary.reconstruct(rows), rtol=1e-4, atol=1e-5
    )


def test_sparse_and_dense_features_are_the_same():
    dictionary, rows = drawn_dictionary(k=39), drawn_rows()  # so many that some are not positive
    indices, values = dictionary.encode_sparse(rows)
    assert indices.dtype == torch.int64
    assert values.dtype == torch.float32
    assert indices.shape == values.shape == (30, 39)
    assert (values[:, :-1] >= values[:, 1:]).all()
    assert (values == 0).any()
    assert all(len(set(row)) == 39 for row in indices.tolist())
    assert torch.equal(torch.zeros(30, 40).scatter(1, indices, values), dictionary.encode(rows))


def test_thresholds_are_exceeded_and_not_met():
    both, zero = torch.eye(3), torch.zeros(3)
    thresholds = torch.tensor([1.0, 1.0, -5.0])
    dictionary = Dictionary(both, zero, both, zero, 0, "jumprelu", thresholds)
    rows = torch.tensor([[1.0, 1.5, -2.0]])
    assert dictionary.encode(rows).tolist() == [[0.0, 1.5, 0.0]]


def test_other_types_and_graphs_are_taken():
    dictionary, rows = drawn_dictionary(), drawn_rows().double().requires_grad_()
    assert torch.equal(dictionary.encode(rows), dictionary.encode(rows.detach().float()))
    assert dictionary.encode(torch.empty(0, 12)).shape == (0, 40)
    assert dictionary.reconstruct(torch.empty(0, 12)).shape == (0, 12)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_activations_are_refused(kind):
    dictionary = drawn_dictionary(kind)
    for method in (dictionary.encode, dictionary.reconstruct):
        with pytest.raises(InputError, match="dictionary of width 12: was given activations of width 11"):
            method(torch.zeros(2, 11))
        with pytest.raises(InputError, match=r"activations of shape \(12,\)"):
            method(torch.zeros(12))
        for bad in (float("nan"), float("inf")):
            rows = drawn_rows()
            rows[7, 3] = bad
            with pytest.raises(InputError, match="activations: row 7 holds NaN or Inf"):
                method(rows)
    with pytest.raises(InputError, match="40 features: was given features of width 41"):
        dictionary.decode(torch.zeros(2, 41))
    if kind != "topk":
        with pytest.raises(InputError, match=f"encode_sparse: a {kind} dictionary"):
            dictionary.encode_sparse(drawn_rows())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"encoder": torch.zeros(12)}, r"encoder of shape \(12,\)"),
        ({"encoder": torch.zeros(0, 40)}, r"encoder of shape \(0, 40\)"),
        ({"decoder": torch.zeros(12, 40)}, r"decoder of shape \(12, 40\): must be \(40, 12\)"),
        ({"encoder_bias": torch.zeros(12)}, "encoder_bias of shape"),
        ({"decoder_bias": torch.zeros(40)}, "decoder_bias of shape"),
        ({"decoder": torch.full((40, 12), torch.nan)}, "decoder: holds NaN or Inf"),
        ({"decoder_bias": torch.zeros(12).double()}, "decoder_bias of torch.float64"),
        ({"k": 0}, "k 0: must be a whole number, 1 to the number of features, 40"),
        ({"k": 41}, "k 41"),
        ({"k": 2.0}, "k 2.0"),
        ({"activation": "relu"}, "activation 'relu': must be one of topk, batch_topk, jumprelu"),
        ({"activation": "jumprelu"}, "threshold: a jumprelu dictionary needs one"),
        ({"threshold": torch.zeros(40)}, "threshold: a topk dictionary has none"),
        ({"activation": "batch_topk", "threshold": torch.zeros(12)}, "threshold of shape"),
    ],
)
def test_parts_that_make_no_dictionary(change, says):
    with pytest.raises(InputError, match=says):
        replace(drawn_dictionary(), **change)


def test_a_dictionary_of_other_activations_is_refused():
    dictionary = drawn_dictionary()
    check_fits(dictionary)
    check_fits(dictionary, "musicgen_tiny", "layer_1", 12, "ab" * 32)
    check_fits(replace(dictionary, origin=Origin()), "other", "layer_9", 12, "cd")
    for other, says in (
        ({"width": 64}, "dictionary of width 12: the activations are of width 64"),
        ({"stage": "layer_2"}, "dictionary of stage 'layer_1': the activations are of stage 'layer_2'"),
        ({"model": "musicgen_small"}, "dictionary of model 'musicgen_tiny'"),
        ({"weights_sha256": "cd"}, "dictionary of weights 'abab"),
    ):
        own: dict[str, Any] = {"model": "musicgen_tiny", "stage": "layer_1", "weights_sha256": "ab" * 32}
        with pytest.raises(InputError, match=says):
            check_fits(dictionary, **{**own, **other})
