"""Numbers of dictionaries, against definitions and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tonotopy.probes.dictionaries.numbers import (
    FATES,
    activation_rates,
    dead_share,
    explained_variance,
    funnel,
    l0,
    matching_across_seeds,
    principal_components_variance,
    recovered,
)
from tonotopy.probes.dictionaries.rows import MemoryRows
from tonotopy.synth.errors import InputError

from .drawn import drawn_dictionary, drawn_rows


def test_l0_counts_features_of_a_row():
    features = torch.zeros(4, 1000)
    features[:3, 100:107] = torch.rand(3, 7) + 0.1
    assert l0(features) == 7 * 3 / 4


def test_explained_variance_is_about_the_mean_of_every_dimension():
    rows = drawn_rows(500, 6) * torch.tensor([1.0, 1, 1, 1, 1, 30]) + torch.tensor([100.0, 0, 0, 0, 0, 0])
    mean = rows.mean(0).expand_as(rows)
    assert explained_variance(rows, mean) == pytest.approx(0, abs=1e-9)
    assert explained_variance(rows, mean + 0.5 * (rows - mean)) == pytest.approx(0.75, rel=1e-5)
    one = rows.clone()
    one[:, 5] = mean[:, 5]  # nearly all variance is in one dimension
    assert explained_variance(rows, one) < 0.01
    assert explained_variance(rows, rows + 1) < 1  # a constant error is an error
    assert explained_variance(rows, mean + 100) < -1
    assert np.isnan(explained_variance(torch.ones(5, 2), torch.ones(5, 2)))
    with pytest.raises(InputError, match=r"rows \(500, 6\), reconstruction \(500, 5\)"):
        explained_variance(rows, rows[:, :5])


@given(st.integers(2, 40), st.integers(1, 8), st.sampled_from([0.0, 1e4]), st.integers(0, 99))
def test_principal_components_are_those_of_a_singular_value_decomposition(n, width, offset, seed):
    rows = drawn_rows(n, width, seed) * torch.logspace(0, 1, width) + offset
    ranks = list(range(width + 1))
    energies = torch.linalg.svdvals(rows.double() - rows.double().mean(0)).square()
    energies = torch.nn.functional.pad(energies, (0, width - len(energies)))
    right = [(energies[:rank].sum() / energies.sum()).item() for rank in ranks]
    assert principal_components_variance(rows, ranks) == pytest.approx(right, abs=1e-6)
    assert principal_components_variance(MemoryRows(rows), ranks) == pytest.approx(right, abs=1e-6)


def test_principal_components_of_what_has_none():
    assert np.isnan(principal_components_variance(torch.ones(9, 2), [1])).all()
    with pytest.raises(InputError, match="rank 3: must be 0 to the width of the activations, 2"):
        principal_components_variance(torch.eye(2), [1, 3])


def test_seeds_are_matched_one_to_one():
    dictionary, shuffled = drawn_dictionary(), torch.randperm(40, generator=torch.Generator().manual_seed(0))
    decoder = dictionary.decoder
    assert matching_across_seeds(dictionary, 3 * decoder[shuffled]) == pytest.approx(1, abs=1e-6)
    # Two rows that are alike cannot both be matched with the same one.
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert matching_across_seeds(first, torch.eye(2)) == pytest.approx(0.5)
    assert matching_across_seeds(decoder[:10], dictionary) == pytest.approx(1, abs=1e-6)
    # The pair that is most alike is left, so that all are best.
    one = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]), dim=1)
    other = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2, 0.0], [1.0, -1.0, 0.0]]), dim=1)
    cosines = one @ other.T
    best = max(cosines[0, 0] + cosines[1, 1], cosines[0, 1] + cosines[1, 0]).item() / 2
    assert matching_across_seeds(one, other) == pytest.approx(best)
    with pytest.raises(InputError, match="dictionary of width 12: the other is of width 2"):
        matching_across_seeds(dictionary, first)


def test_the_funnel_at_its_edges():
    rates = np.array([0.0, 0.0, 1e-9, 0.0099, 0.01, 0.25, 0.2501, 1.0])
    assert dict(zip(FATES, funnel(rates).tolist(), strict=True)) == {
        "unused": 2, "too_rare": 2, "too_frequent": 2, "surviving": 2
    }  # fmt: skip
    assert funnel(rates, least=0.001, most=1.0).tolist() == [2, 1, 0, 5]
    for bad in (np.array([0.5, 1.5]), np.array([np.nan]), np.array([-0.1]), np.zeros((2, 2))):
        with pytest.raises(InputError, match="must be shares"):
            funnel(bad)
    with pytest.raises(InputError, match=r"rates from 0\.3 to 0\.2"):
        funnel(rates, 0.3, 0.2)


def test_tokens_and_clips_give_different_funnels():
    """Active on one token of every clip: rare by tokens, too frequent by clips."""
    clips = np.repeat(np.array([4, 9, 2]), [200, 300, 500])
    active = torch.zeros(1000, 3, dtype=torch.bool)
    active[[0, 200, 999], 0] = True  # once in every clip
    active[200:500, 1] = True  # all of one clip
    of_tokens, of_clips = activation_rates(active, clips)
    np.testing.assert_allclose(of_tokens, [0.003, 0.3, 0])
    np.testing.assert_allclose(of_clips, [1, 1 / 3, 0])
    assert funnel(of_tokens).tolist() == [1, 1, 1, 0]
    assert funnel(of_clips).tolist() == [1, 0, 2, 0]


def test_dead_share():
    assert dead_share(torch.tensor([0.0, 2.0, 0.0, 0.0])) == 0.75


def test_recovered():
    assert recovered(3.337, 3.339, 6.58) == pytest.approx(0.9994, abs=1e-4)
    assert recovered(3, 3, 5) == 1
    assert recovered(3, 5, 5) == 0
    assert recovered(3, 6, 5) == -0.5
    assert np.isnan(recovered(5.578, 5.577, 5.586))  # a random model: nothing to recover
    assert np.isnan(recovered(5.0, 5.0, 4.0))
    assert recovered(3, 3, 3.05, floor=0.01) == 1
