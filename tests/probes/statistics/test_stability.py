"""The index, its area under the curve, and their statistics, against plain loops."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.probes.statistics.stability import relabelled_index, stability_of

CONTEXTS = np.array(list(combinations(range(4), 2)))


def random_table(seed: int, size: int = 6, lift: float = 0.0) -> np.ndarray:
    table = np.random.default_rng(seed).random((size, size, len(CONTEXTS)))
    return table + lift * np.eye(size)[:, :, None]


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0, 1))
def test_index_and_auc_are_what_loops_over_all_pairs_give(seed, lift):
    table = random_table(seed, lift=lift)
    judged = stability_of(table, CONTEXTS, n=20)
    same = [table[i, i, k] for i in range(6) for k in range(len(CONTEXTS))]
    different = [table[i, j, k] for i in range(6) for j in range(6) for k in range(len(CONTEXTS)) if i != j]
    assert judged.index == pytest.approx(np.mean(same) - np.mean(different), abs=1e-6)
    wins = np.mean([[(a > b) + 0.5 * (a == b) for b in different] for a in same])
    assert judged.auc == pytest.approx(wins, abs=1e-4)  # rounding of overlaps may tie a pair
    assert np.mean(judged.stability - judged.confusion) == pytest.approx(judged.index, abs=1e-6)


def test_confusion_of_a_component_counts_it_on_either_side_of_a_pair():
    table = np.zeros((3, 3, 1))
    table[0, 1] = 1.0
    judged = stability_of(table, np.array([[0, 1]]), n=5)
    assert judged.confusion == pytest.approx([0.25, 0.25, 0.0])


def test_overlaps_that_are_all_alike_tell_nothing():
    judged = stability_of(np.ones((5, 5, 6)) - 1e-9 * random_table(0, 5), CONTEXTS)
    assert judged.index == pytest.approx(0, abs=1e-6)
    assert judged.auc == 0.5
    assert judged.index_p == 1


def test_the_interval_holds_the_index_and_narrows_with_more_components():
    few, many = (stability_of(random_table(1, size, lift=0.5), CONTEXTS) for size in (5, 40))
    for judged in (few, many):
        low, high = judged.index_interval
        assert low < judged.index < high
    width = [one.index_interval[1] - one.index_interval[0] for one in (few, many)]
    assert width[1] < width[0]


def test_components_that_are_drawn_twice_are_not_taken_for_different_ones():
    """Otherwise a perfect table would lose by resampling."""
    judged = stability_of(np.eye(4)[:, :, None].repeat(6, 2), CONTEXTS)
    assert judged.index_interval == (1, 1)
    assert judged.auc_interval == (1, 1)


def test_relabelling_moves_components_within_contexts():
    table = random_table(3)
    null = relabelled_index(table, CONTEXTS, np.random.default_rng(5), 4)
    names = np.random.default_rng(5).permuted(np.broadcast_to(np.arange(6), (4, 4, 6)), axis=2)
    for got, name in zip(null, names, strict=True):
        moved = np.stack([table[np.ix_(name[a], name[b])][..., k] for k, (a, b) in enumerate(CONTEXTS)], -1)
        assert got == pytest.approx(stability_of(moved, CONTEXTS, n=2).index, abs=1e-5)


def test_the_permutation_test_is_exact_on_tables_without_structure():
    rejected = sum(stability_of(random_table(seed), CONTEXTS, n=99).index_p <= 0.1 for seed in range(200))
    assert 8 <= rejected <= 34  # binomial(200, 0.1): 99.9 % lie within


def test_structure_is_found():
    assert stability_of(random_table(2, lift=0.6), CONTEXTS).index_p == 0.001


def test_ties_are_ties_whatever_rounding_the_sums_leave():
    """Were they broken by it, p would be the least there is."""
    for alike in (0.3, 0.7, 0.123456):
        told = stability_of(np.full((16, 16, 3), alike), np.array([[0, 1], [0, 2], [1, 2]]), n=99)
        assert told.index_p == 1.0
        assert told.auc == 0.5


def test_the_interval_holds_what_contexts_have_in_common():
    """Six contexts that differ make fifteen pairs that do: those are no fifteen draws."""
    pairs = np.array(list(combinations(range(6), 2)))
    generator, widths = np.random.default_rng(0), []
    for draw in range(10):
        context = generator.normal(0, 0.1, 6)
        own = np.eye(8)[:, :, None] * (0.5 + context[pairs].sum(1))
        low, high = stability_of(own, pairs, seed=draw).index_interval
        widths.append((high - low) / context.std())
    # pairs drawn one by one would spread by 2 sqrt(2 / 15) x 1.96 = 1.43 times that of contexts
    assert np.mean(widths) > 2.0
