import numpy as np
import pytest

from tonotopy.probes.statistics import bootstrap_interval, permutation_p, quantile_interval


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
