import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from tonotopy.probes.dictionaries.labels.ranks import (
    auc,
    group_weights,
    midranks,
    resampled_auc,
    resampled_spearman,
    spearman,
)

pytestmark = pytest.mark.numerical


@given(seed=st.integers(0, 10_000), n=st.integers(4, 60), levels=st.integers(1, 30))
def test_areas_and_correlations_are_those_of_others_with_ties(seed, n, levels):
    generator = np.random.default_rng(seed)
    values = generator.integers(levels, size=(n, 5)).astype(float)
    is_class = generator.permutation(np.arange(n) < max(1, n // 3))
    np.testing.assert_array_equal(midranks(values), rankdata(values, axis=0))
    expected = [roc_auc_score(is_class, column) for column in values.T]
    np.testing.assert_allclose(auc(values, is_class), expected, atol=1e-12)
    numbers = generator.integers(levels + 1, size=n).astype(float)
    for column, found in zip(values.T, spearman(values, numbers), strict=True):
        constant = np.ptp(column) == 0 or np.ptp(numbers) == 0
        expected = 0 if constant else np.corrcoef(rankdata(column), rankdata(numbers))[0, 1]
        assert found == pytest.approx(expected, abs=1e-12)


@given(seed=st.integers(0, 10_000))
def test_a_resample_is_the_statistic_of_its_clips(seed):
    generator = np.random.default_rng(seed)
    values, numbers = generator.integers(6, size=(2, 24)).astype(float)
    is_class, groups = generator.random(24) < 0.4, np.arange(24) // 3
    weights = group_weights(groups, 5, generator)
    assert (weights.sum(1) == 24).all()
    areas, correlations = (
        resampled_auc(values, is_class, weights),
        resampled_spearman(values, numbers, weights),
    )
    for row, area, correlation in zip(weights.astype(int), areas, correlations, strict=True):
        clips = np.repeat(np.arange(24), row)
        expected = auc(values[clips, None], is_class[clips])[0]
        np.testing.assert_allclose(area, expected, atol=1e-12)
        if np.isfinite(correlation):
            assert correlation == pytest.approx(spearman(values[clips, None], numbers[clips])[0], abs=1e-12)


def test_a_class_of_all_or_none_has_no_area():
    assert np.isnan(auc(np.eye(3), np.zeros(3, bool))).all()
    assert np.isnan(resampled_auc(np.arange(3.0), np.ones(3, bool), np.ones((2, 3)))).all()
