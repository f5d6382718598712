import numpy as np
import pytest

from tonotopy.probes.hypotheses.evidence import PerGroup
from tonotopy.probes.statistics.resampling import (
    bootstrap_interval,
    by_neighbours,
    permutation_p,
    quantile_interval,
)


def test_a_bootstrap_interval_is_that_of_the_normal_distribution_for_many_items():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    low, high = bootstrap_interval(values, seed=1, n=4000)
    half = 1.96 * values.std() / 20
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.02)
    assert (high - low) / 2 == pytest.approx(half, rel=0.08)


def test_nothing_has_no_interval():
    assert np.isnan(bootstrap_interval([], 0)).all()
    assert np.isnan(quantile_interval([np.nan])).all()


def test_p_values_count_the_observed_labelling():
    assert permutation_p(1.0, np.zeros(99)) == 0.01
    assert permutation_p(0.0, np.zeros(99)) == 1.0
    assert permutation_p(0.5, [0.0, 1.0, np.nan]) == pytest.approx(2 / 3)
    assert np.isnan(permutation_p(np.nan, [0.0]))


def test_p_values_are_uniform_under_the_null():
    generator = np.random.default_rng(2)
    p = [permutation_p(x[0], x[1:]) for x in generator.normal(size=(4000, 20))]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.011)  # 3 standard errors


@pytest.mark.parametrize("n", [1, 5, 12, 13, 79])
def test_groups_of_neighbours_have_the_mean_of_all(n):
    values = np.random.default_rng(n).normal(size=n)
    assert by_neighbours(values).mean() == pytest.approx(values.mean())
    assert by_neighbours(np.full(n, 2.0)) == pytest.approx(2.0)  # groups may differ in size


def test_neighbours_that_resemble_each_other_are_not_taken_for_many():
    """Seven tones to a bump: the sign of each would reject the null in more than a third of cases."""
    generator, rejected = np.random.default_rng(0), 0
    for draw in range(200):
        smooth = np.repeat(generator.normal(size=12), 7)
        rejected += 2 * min(PerGroup(by_neighbours(smooth)).tails(0.0, draw)) <= 0.05
    assert 3 <= rejected <= 17  # of 10, binomial 0.99


def test_nothing_has_no_groups():
    assert np.isnan(by_neighbours(np.zeros(0))).all()
