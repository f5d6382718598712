"""What is ours beside what scipy and scikit-learn have: the same, within rounding."""

from typing import Any

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mutual_info_score
from sklearn.model_selection import GroupKFold, LeaveOneOut, cross_val_predict

from tonotopy.probes.hypotheses.evidence import Trend
from tonotopy.probes.hypotheses.exchanges import Association
from tonotopy.probes.latents.traversals import concordance
from tonotopy.probes.statistics.agreement import partial_rank_correlation, rank_correlation
from tonotopy.probes.statistics.finite import finite_mean, finite_mean_by
from tonotopy.probes.statistics.information import mutual_information
from tonotopy.probes.statistics.means import Bounded, Score, Studentised
from tonotopy.probes.statistics.resampling import bootstrap_interval, flipped_p
from tonotopy.probes.statistics.ridge import area_under_curve, gram, held_out_predictions, ridge
from tonotopy.probes.statistics.stability import _auc, _drawn_weights
from tonotopy.probes.statistics.trees import tree_reconstruction_error

stats: Any = scipy.stats  # neither tells a type checker what its functions return
roc_auc_score: Any = sklearn.metrics.roc_auc_score
seeds = st.integers(0, 10_000)
ROUNDING = 1e-12


@given(seeds, st.integers(2, 40), st.sampled_from([0.5, 0.9, 0.95]))
def test_an_interval_is_scipys(seed, count, level):
    values = np.random.default_rng(seed).standard_normal(count)
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=999, confidence_level=level, method="percentile",
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    ours = bootstrap_interval(values, seed, level=level)
    np.testing.assert_allclose(ours, found.confidence_interval, rtol=0, atol=ROUNDING)


def test_an_interval_of_a_correlation_is_scipys():
    one, other = np.random.default_rng(12).standard_normal((2, 12))
    found = stats.bootstrap(
        (one, other), lambda a, b: stats.spearmanr(a, b).statistic, paired=True, vectorized=False,
        method="BCa", n_resamples=999, rng=np.random.default_rng(5),
    )  # fmt: skip
    np.testing.assert_allclose(Association(one, other).interval(5), found.confidence_interval, atol=ROUNDING)


def test_an_interval_of_three_is_of_those_draws_that_vary():
    one, other = np.random.default_rng(3).standard_normal((2, 3))
    drawn = np.random.default_rng(5).integers(3, size=(999, 3))
    several = [stats.spearmanr(one[which], other[which]).statistic for which in drawn if np.ptp(which)]
    ends = np.quantile(several, [0.025, 0.975])
    np.testing.assert_allclose(Association(one, other).interval(5), ends, rtol=0, atol=ROUNDING)


@given(seeds, st.integers(3, 30), st.booleans())
def test_rank_correlations_are_scipys(seed, count, tied):
    values = np.random.default_rng(seed).standard_normal((5, count))
    one, other = values.round(0 if tied else 9), values[::-1].round(0 if tied else 9)
    other = other + np.arange(count)  # not constant
    one[:, 0] += 7
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(rank_correlation(one, other), expected, rtol=0, atol=ROUNDING)


@given(seeds)
def test_a_partial_rank_correlation_is_that_of_what_lines_leave(seed):
    ranks = [stats.rankdata(v) for v in np.random.default_rng(seed).standard_normal((3, 12))]
    left = [r - np.polyval(np.polyfit(ranks[2], r, 1), ranks[2]) for r in ranks[:2]]
    expected = stats.pearsonr(*left).statistic
    np.testing.assert_allclose(partial_rank_correlation(*ranks), expected, rtol=0, atol=1e-9)


@given(seeds, st.integers(2, 30))
def test_t_is_scipys(seed, count):
    values = np.random.default_rng(seed).standard_normal(count) + 0.5
    ours = Studentised(values, 0.0)
    for alternative, p in zip(("greater", "less"), ours.tails(0.1), strict=True):
        found = stats.ttest_1samp(values, 0.1, alternative=alternative)
        assert p == pytest.approx(found.pvalue, abs=ROUNDING)
    ends = stats.ttest_1samp(values, 0.1).confidence_interval(0.9)
    assert ours.interval(0.9) == pytest.approx(ends, abs=1e-9)


@given(seeds, st.integers(3, 30), st.floats(0.1, 2.0))
def test_what_is_corrected_for_is_scipys_skewness(seed, count, share):
    values = np.random.default_rng(seed).lognormal(size=count)
    ratio = stats.ttest_1samp(values, 1.5).statistic
    c = share * stats.skew(values, bias=False) / np.sqrt(count)  # Hall 1992
    near = np.clip(ratio, -5, 5)  # beyond, with slope 1
    bent = near + c * near**2 / 3 + c**2 * near**3 / 27 + c / 6 + ratio - near
    assert Studentised(values, share).tails(1.5)[1] == pytest.approx(
        stats.t.cdf(bent, count - 1), abs=ROUNDING
    )


@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.01, 0.99))
def test_proportions_are_scipys(trials, hits, value):
    """Wilson's interval and, of values 0 and 1, Clopper and Pearson's are those of `binomtest`."""
    hits = min(hits, trials)
    found = stats.binomtest(hits, trials, value)
    ends = found.proportion_ci(0.9, method="wilson")
    assert Score(hits / trials, trials).interval(0.9) == pytest.approx(ends, abs=1e-9)
    exact = Bounded(np.repeat([0.0, 1.0], [trials - hits, hits]), 0.0, 1.0)
    assert exact.interval(0.9) == pytest.approx(found.proportion_ci(0.9, method="exact"), abs=1e-7)
    expected = [stats.binomtest(hits, trials, value, alternative=a).pvalue for a in ("greater", "less")]
    assert exact.tails(value) == pytest.approx(expected, abs=1e-9)


@given(seeds)
def test_p_of_drawn_signs_is_near_that_of_all(seed):
    values = np.random.default_rng(seed).standard_normal(10) + 0.3
    for n_tails, alternative in ((1, "greater"), (2, "two-sided")):
        found = stats.permutation_test(
            (values,), np.mean, permutation_type="samples", vectorized=True, alternative=alternative
        )
        spread = np.sqrt(found.pvalue * (1 - found.pvalue) / 999)
        assert abs(flipped_p(values, seed, n_tails) - found.pvalue) < 5 * spread + 2 / 1000


@pytest.mark.parametrize(("seed", "count"), [(0, 4), (1, 5), (2, 6)])
def test_p_of_all_orders_is_scipys(seed, count):
    one, other = np.random.default_rng(seed).standard_normal((2, count))

    def correlation(values):
        return stats.spearmanr(values, other).statistic

    for alternative, ours in zip(("greater", "less"), Association(one, other).tails(0.0), strict=True):
        found = stats.permutation_test(
            (one,), correlation, permutation_type="pairings", vectorized=False, alternative=alternative
        )
        assert ours == pytest.approx(found.pvalue, abs=ROUNDING)


@given(seeds)
def test_a_trend_is_a_line_through_the_means(seed):
    values = np.random.default_rng(seed).standard_normal((7, 5))
    steps = np.array([1.0, 2.0, 4.0, 7.0, 8.0])
    assert Trend(values, steps).effect == pytest.approx(
        stats.linregress(steps, values.mean(0)).slope, abs=1e-12
    )


@given(seeds, st.booleans())
def test_areas_are_scikit_learns(seed, tied):
    generator = np.random.default_rng(seed)
    scores = generator.standard_normal((30, 4)).round(1 if tied else 9)
    labels = generator.random((30, 4)) < 0.4
    labels[:2] = [[True] * 4, [False] * 4]
    expected = roc_auc_score(labels, scores, average=None)
    np.testing.assert_allclose(area_under_curve(scores, labels), expected, rtol=0, atol=ROUNDING)


@given(seeds)
def test_weighted_areas_are_scikit_learns(seed):
    generator = np.random.default_rng(seed)
    overlap = generator.random((5, 5, 6)).round(1)
    contexts = np.array([(i, j) for i in range(3) for j in range(3) if i != j])
    components, pairs = _drawn_weights(5, contexts, 7, generator)
    i, j, k = (axis.ravel() for axis in np.indices(overlap.shape))
    for area, c, p in zip(_auc(overlap, components, pairs), components, pairs, strict=True):
        weight = np.where(i == j, c[i] * p[k], c[i] * c[j] * p[k])
        if weight[i == j].any() and weight[i != j].any():
            expected = roc_auc_score(i == j, overlap.ravel(), sample_weight=weight)
            assert area == pytest.approx(expected, abs=ROUNDING)


@given(seeds, st.floats(-6, 2), st.integers(1, 40))
def test_a_ridge_is_scikit_learns(seed, exponent, width):
    generator = np.random.default_rng(seed)
    features, targets = generator.standard_normal((30, width)), generator.standard_normal((30, 3))
    fit = np.arange(30) < 20
    centred = features[fit] - features[fit].mean(0)
    alpha = 10**exponent * np.trace(centred @ centred.T) / fit.sum()  # re the mean eigenvalue
    expected = Ridge(alpha=alpha, solver="svd").fit(features[fit], targets[fit]).predict(features[~fit])
    found = ridge(gram(features), targets, fit, ~fit, np.array([10**exponent]))[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)


class Dealer(np.random.RandomState):
    """Deals as numpy's generators do."""

    def permutation(self, x):
        return np.random.default_rng(3).permutation(x)


@pytest.mark.parametrize("folds", [2, 4, 5])
def test_groups_are_dealt_out_as_group_k_fold_does(folds, monkeypatch):
    groups = np.random.default_rng(0).integers(9, size=60)
    held_out = []

    def noted(kernel, targets, fit, choosing, other, together=1):
        held_out.append(np.flatnonzero(other))
        assert (choosing <= fit).all()
        assert not set(groups[choosing]) & set(groups[fit & ~choosing])
        return np.zeros((other.sum(), 1))

    monkeypatch.setattr("tonotopy.probes.statistics.ridge.chosen_ridge", noted)
    held_out_predictions(np.zeros((60, 1)), np.zeros((60, 1)), groups, seed=3, folds=folds)
    dealt = GroupKFold(folds, shuffle=True, random_state=Dealer()).split(groups, groups=groups)
    for found, (_, expected) in zip(held_out, dealt, strict=True):
        np.testing.assert_array_equal(found, expected)


@given(seeds)
def test_mutual_information_is_scikit_learns(seed):
    choices = np.random.default_rng(seed).integers(5, size=(3, 5, 4))  # [sounds, components, draws]
    named = np.broadcast_to(np.arange(5)[:, None], choices.shape)
    expected = mutual_info_score(named.ravel(), choices.ravel()) / np.log(2)
    assert mutual_information(choices) == pytest.approx(expected, abs=ROUNDING)


@given(seeds)
def test_what_sums_leave_is_what_leaving_one_out_leaves(seed):
    generator = np.random.default_rng(seed)
    parts, vectors = generator.random((24, 4)) < 0.5, generator.standard_normal((24, 3))
    missed = vectors - cross_val_predict(LinearRegression(), parts.astype(float), vectors, cv=LeaveOneOut())
    mean = vectors - cross_val_predict(LinearRegression(), np.zeros((24, 1)), vectors, cv=LeaveOneOut())
    expected = np.square(missed).sum() / np.square(mean).sum()
    found = tree_reconstruction_error(parts, vectors)
    assert np.isnan(found) or found == pytest.approx(expected, rel=1e-9)


@given(seeds)
def test_concordance_is_friedmans(seed):
    values = np.random.default_rng(seed).integers(4, size=(8, 5)).astype(float)
    values[0] = np.arange(5)  # not all alike
    ranks = stats.rankdata(values, axis=1)
    expected = stats.friedmanchisquare(*values.T).statistic / (8 * 4)
    assert concordance(ranks[:, :, None])[0] == pytest.approx(expected, abs=ROUNDING)


@given(seeds)
def test_means_of_what_is_finite_are_numpys(seed):
    generator = np.random.default_rng(seed)
    values = np.where(generator.random((3, 20)) < 0.3, np.nan, generator.standard_normal((3, 20)))
    values[:, :2] = 1.0
    labels = np.array([0, 1] * 10)
    np.testing.assert_allclose(finite_mean(values), np.nanmean(values, -1), atol=ROUNDING)
    expected = np.stack([np.nanmean(values[:, labels == label], -1) for label in (0, 1)], -1)
    np.testing.assert_allclose(finite_mean_by(values, labels), expected, atol=ROUNDING)
