"""Permutation nulls of phik: exact where nothing is related, blind to nothing that is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from tonotopy.probes.statistics.binormal import correlation_of
from tonotopy.probes.statistics.phik import Binned, binned, phik
from tonotopy.probes.statistics.phik_null import conditional_null, permutation_null
from tonotopy.synth.errors import InputError

pytestmark = pytest.mark.numerical

LIKELY = (8, 34)  # binomial(200, 0.1): 99.9 % lie within; of 9 permutations one in ten p is 0.1


def related(seed, n=400):
    """Draw three columns against four; only the first of either are related."""
    generator = np.random.default_rng(seed)
    x, y = generator.standard_normal((n, 3)), generator.standard_normal((n, 4))
    y[:, 0] += x[:, 0]
    y[:, 1] = 2.0
    return binned(x), binned(y, 6)


def test_p_values_are_what_a_loop_over_the_same_orders_counts():
    x, y = related(0, n=80)
    tested = permutation_null(x, y, permutations=30, seed=5)
    generator = np.random.default_rng(5)
    orders = [generator.permutation(80) for _ in range(30)]
    chance = np.array([phik(Binned(x.codes[:, order], x.edges), y) for order in orders])
    observed = phik(x, y)
    assert tested.phik == pytest.approx(observed, nan_ok=True)
    assert tested.greatest == pytest.approx(np.nanmax(chance, axis=(1, 2)))
    there = ~np.isnan(observed)
    assert not there[:, 1].any()
    alone = (1 + (chance >= observed - 1e-12).sum(0)) / 31
    together = (1 + (tested.greatest[:, None, None] >= observed - 1e-12).sum(0)) / 31
    assert np.array_equal(tested.p[there], alone[there])
    assert np.array_equal(tested.corrected_p[there], together[there])
    assert np.isnan(tested.p[~there]).all()
    assert np.isnan(tested.corrected_p[~there]).all()
    assert len(np.unique(tested.p[there])) > 3


def test_what_is_related_is_told_from_what_is_not():
    tested = permutation_null(*related(1), permutations=99)
    assert tested.corrected_p[0, 0] == tested.p[0, 0] == 0.01
    others = np.delete(tested.corrected_p.ravel(), 0)
    assert np.nanmin(others) > 0.05


def test_columns_stay_as_dependent_on_each_other_as_they_are():
    """Were each put in an order of its own, the greatest of three alike would exceed that of one."""
    x, y = related(2)
    alike = Binned(x.codes[[0, 0, 0]], x.edges)
    one = Binned(x.codes[:1], x.edges)
    first, second = (permutation_null(columns, y, permutations=19, seed=3) for columns in (alike, one))
    assert np.array_equal(first.greatest, second.greatest)
    assert np.array_equal(first.corrected_p[1:2], second.corrected_p, equal_nan=True)


def test_seeds_and_reruns():
    x, y = related(3, n=100)
    first, again, other = (permutation_null(x, y, 9, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.greatest, again.greatest)
    assert not np.array_equal(first.greatest, other.greatest)


def test_the_corrected_test_is_exact_where_nothing_is_related():
    """With columns that depend on one another on either side, and values missing together."""
    rejected = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        x, y = generator.standard_normal((40, 3)), generator.standard_normal((40, 4))
        x[:, 1], y[:, 1] = x[:, 0] + 0.5 * x[:, 1], np.round(y[:, 0])
        y[generator.random(40) < 0.2, 2:] = np.nan
        tested = permutation_null(binned(x, 4), binned(y, 5), permutations=9, seed=seed)
        rejected += tested.corrected_p.min() <= 0.1
    assert LIKELY[0] <= rejected <= LIKELY[1]


def test_without_any_values_there_is_nothing_to_tell():
    flat = binned(np.ones((20, 2)))
    tested = permutation_null(flat, flat, permutations=3)
    for values in (tested.phik, tested.p, tested.corrected_p, tested.greatest):
        assert np.isnan(values).all()


def test_two_alike_halves_tie_with_themselves():
    """Of the 20 orders of three and three, 2 give the observed table or its mirror."""
    x = binned(np.repeat([[0.0], [1.0]], 3, axis=0), bins=2)
    p = permutation_null(x, x, permutations=999).p[0, 0]
    assert p == pytest.approx(0.1, abs=0.03)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_one_stratum_is_no_condition(seed):
    x, y = related(seed, n=150)
    tested = conditional_null(x, y, np.full((3, 150), 4), permutations=1)
    assert tested.phik == pytest.approx(phik(x, y), abs=1e-12, nan_ok=True)


def third_thing(seed, n=400, own=0.0):
    """Draw two sides that follow a third thing of five values, which each column of x is sorted by."""
    generator = np.random.default_rng(seed)
    thirds = generator.integers(5, size=(n, 2))
    x = thirds[:, [0, 0, 1]] + generator.standard_normal((n, 3))
    y = thirds[:, [0, 1]] + 0.7 * generator.standard_normal((n, 2)) + own * x[:, :1]
    return binned(x, 6), binned(y, 7), np.ascontiguousarray(thirds[:, [0, 0, 1]].T)


def test_conditional_phik_is_of_the_sums_over_strata():
    x, y, strata = third_thing(0, own=0.5)
    strata[0, :40] = -1
    found = conditional_null(x, y, strata, permutations=1).phik
    for i in range(3):
        for j in range(2):
            chi2 = pedestal = most = 0.0
            for s in range(5):
                here, table = strata[i] == s, np.zeros((6, 7))
                np.add.at(table, (x.codes[i, here], y.codes[j, here]), 1)
                table = table[table.any(1)][:, table.any(0)]
                r, c = table.shape
                chi2 += float(np.asarray(chi2_contingency(table)[0]))
                pedestal += (r - 1) * (c - 1)
                most += here.sum() * (min(r, c) - 1)
            share = np.clip((chi2 - pedestal) / (most - pedestal), 0, 1)
            expected = correlation_of(np.array([share]), np.array([6]), np.array([7]))[0]
            assert found[i, j] == pytest.approx(expected, abs=1e-12)


def test_what_follows_a_third_thing_is_related_but_not_within_it():
    """The marginal null rejects always; the conditional one as often as it should."""
    rejected = 0
    for seed in range(200):
        x, y, strata = third_thing(seed, n=120)
        if seed < 20:
            assert permutation_null(x, y, permutations=19).corrected_p[0, 0] == 0.05
        tested = conditional_null(x, y, strata, permutations=9, seed=seed)
        rejected += tested.corrected_p.min() <= 0.1
    assert LIKELY[0] <= rejected <= LIKELY[1]


def test_the_conditional_test_of_one_column_is_exact():
    rejected = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        third = generator.integers(4, size=100)
        x = binned((third + generator.standard_normal(100))[:, None], 5)
        y = third[:, None] + generator.standard_normal((100, 3))
        y[:, 1] += y[:, 0]
        y[generator.random(100) < 0.1, 2] = np.nan
        tested = conditional_null(x, binned(y, 5), third[None], permutations=9, seed=seed)
        rejected += tested.corrected_p.min() <= 0.1
    assert LIKELY[0] <= rejected <= LIKELY[1]


def test_what_is_related_beyond_the_third_thing_is_found():
    x, y, strata = third_thing(1, n=1000, own=0.5)
    tested = conditional_null(x, y, strata, permutations=99)
    assert tested.corrected_p[0, 0] == 0.01
    assert tested.phik[0, 0] > 0.3


def test_rows_in_no_stratum_and_names_of_strata_do_not_matter():
    x, y, strata = third_thing(2)
    strata[:, 300:] = -1
    first = conditional_null(x, y, strata, permutations=2).phik
    few = conditional_null(
        Binned(x.codes[:, :300], x.edges), Binned(y.codes[:, :300], y.edges), strata[:, :300], permutations=1
    )
    renamed = np.where(strata < 0, -7, 11 - 2 * strata)
    assert first == pytest.approx(few.phik, abs=1e-12)
    assert first == pytest.approx(conditional_null(x, y, renamed, permutations=1).phik, abs=1e-12)


def test_nothing_leaves_its_stratum():
    """What the stratum decides is constant within it, in every order: there is nothing to test."""
    x, _, strata = third_thing(4)
    tested = conditional_null(x, binned(strata[:1].T.astype(float), 5), strata[[0, 0, 0]], permutations=5)
    assert np.isnan(tested.phik).all()
    assert np.isnan(tested.greatest).all()


def test_columns_of_the_same_strata_change_places_together():
    x, y, strata = third_thing(3)
    alike = Binned(x.codes[[0, 0, 0]], x.edges)
    first = conditional_null(alike, y, strata[[0, 0, 0]], permutations=9, seed=1)
    second = conditional_null(Binned(x.codes[:1], x.edges), y, strata[:1], permutations=9, seed=1)
    assert np.array_equal(first.greatest, second.greatest)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x, y: permutation_null(x, binned([[1.0]])), "rows: x has 30 and y 1"),
        (lambda x, y: permutation_null(x, y, permutations=0), "permutations: 0 given, at least 1"),
        (lambda x, y: conditional_null(x, y, np.zeros((2, 30), int)), "strata: int64 [2, 30] given, [3, 30]"),
        (lambda x, y: conditional_null(x, y, np.zeros((3, 30))), "strata: float64"),
        (lambda x, y: conditional_null(x, y, np.full((3, 30), 10**5)), "strata: 100001 given"),
    ],
)
def test_bad_input_is_told_in_one_line(call, told):
    with pytest.raises(InputError) as error:
        call(*related(0, n=30))
    assert told in str(error.value)
    assert "\n" not in str(error.value)
