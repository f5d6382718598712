import numpy as np
import pytest

from tonotopy.probes.dictionaries.labels.base import Truth
from tonotopy.probes.dictionaries.labels.nulls import Exchange, moves_by_group, reached, step_down
from tonotopy.probes.dictionaries.labels.ranks import auc, spearman
from tonotopy.probes.statistics.resampling import holm

pytestmark = pytest.mark.numerical

GROUPS = np.array([0, 0, 0, 1, 1, 2, 2, 2, 3])
NONE = np.zeros(0, int)


def test_a_factor_moves_by_group_where_it_is_constant():
    assert moves_by_group(Truth("f", np.array([0, 0, -1, 1, 1, 0, 0, 0, 1]), ("a", "b")), GROUPS)
    assert not moves_by_group(Truth("f", np.array([0, 1, 1, 1, 1, 0, 0, 0, 1]), ("a", "b")), GROUPS)
    assert moves_by_group(Truth("f", np.arange(9.0)), np.arange(9))
    assert not moves_by_group(Truth("f", np.arange(9.0)), GROUPS)


def test_groups_move_as_wholes_and_clips_stay_in_their_group():
    generator = np.random.default_rng(0)
    family = np.array([5, 5, 5, 6, 6, 7, 7, 7, 8])
    for row in Exchange(family, GROUPS, True, NONE).drawn(50, generator):
        assert [len(set(row[g == GROUPS])) for g in range(4)] == [1, 1, 1, 1]
        assert set(row) == {5, 6, 7, 8}
    values = np.arange(9.0)
    rows = Exchange(values, GROUPS, False, NONE).drawn(50, generator)
    assert len(np.unique(rows, axis=0)) > 20
    for row in rows:
        for g in range(4):
            assert sorted(row[g == GROUPS]) == sorted(values[g == GROUPS])


@pytest.mark.parametrize("by_group", [True, False])
def test_observed_and_expected_add_up_to_the_measure(by_group):
    generator = np.random.default_rng(1)
    groups, activation = np.repeat(np.arange(10), 6), generator.integers(9, size=(60, 7)).astype(float)
    classes = (groups if by_group else generator.integers(10, size=60)) % 3
    exchange = Exchange(classes, groups, by_group, np.arange(3))
    ranked = exchange.ranked(activation)
    whole = exchange.observed(ranked) + exchange.expected(ranked)
    expected = np.stack([auc(activation, classes == c) for c in range(3)]) - 0.5
    np.testing.assert_allclose(whole, expected, atol=1e-6)
    numbers = classes + 0.5
    exchange = Exchange(numbers, groups, by_group, NONE)
    ranked = exchange.ranked(activation)
    whole = exchange.observed(ranked) + exchange.expected(ranked)
    np.testing.assert_allclose(whole[0], spearman(activation, numbers), atol=1e-6)


def test_what_groups_give_is_the_mean_over_orders():
    generator = np.random.default_rng(2)
    groups = np.repeat(np.arange(6), 5)
    activation = generator.normal(size=(30, 3)) + 3 * groups[:, None]
    numbers = generator.normal(size=30) + groups  # both go up with the group
    exchange = Exchange(numbers, groups, False, NONE)
    ranked = exchange.ranked(activation)
    null = np.concatenate(list(exchange.permuted(ranked, 4000, generator)))[:, 0]
    assert spearman(activation, numbers).min() > 0.6
    np.testing.assert_allclose(null.mean(0), 0, atol=0.01)
    assert np.abs(exchange.observed(ranked)).max() < 5 * null.std()


def test_batches_do_not_change_the_null(monkeypatch):
    from tonotopy.probes.dictionaries.labels import nulls

    exchange = Exchange(np.arange(12) % 3, np.arange(12), True, np.arange(3))
    ranked = exchange.ranked(np.random.default_rng(0).normal(size=(12, 4)))
    whole = np.concatenate(list(exchange.permuted(ranked, 20, np.random.default_rng(1))))
    monkeypatch.setattr(nulls, "_ENTRIES_AT_ONCE", 3 * 16 * 6)
    parts = list(exchange.permuted(ranked, 20, np.random.default_rng(1)))
    assert [len(part) for part in parts] == [6, 6, 6, 2]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)


def test_step_down_is_between_single_step_and_none():
    generator = np.random.default_rng(3)
    null, observed = generator.normal(size=(499, 8)), np.array([0.1, 4, 2.4, 2.6, -1, 3.2, 0, 1])
    p, alone = step_down(observed, null), (1 + (null >= observed).sum(0)) / 500
    assert (p <= reached(observed, null.max(1)) + 1e-12).all()
    assert (p >= alone).all()
    assert (np.diff(p[np.argsort(-observed)]) >= 0).all()
    assert (p <= holm(alone) + 0.02).all()  # of independent statistics they are about the same
