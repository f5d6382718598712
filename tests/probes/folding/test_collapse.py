import numpy as np
import pytest

from tonotopy.probes.folding.collapse import Patterns, collapse, collapse_of_tones, in_groups
from tonotopy.probes.hypotheses.evidence import PerGroup

FREQUENCY = np.geomspace(100, 5000, 60)
CLASSES = np.arange(60) % 10
SHARED = CLASSES[:, None] == CLASSES


def fidelity(spectrum):
    """Similarity by its definition, of the covariances of real responses over phase."""
    _, channels, bins = spectrum.shape
    covariance = []
    for one in spectrum:
        blocks = np.zeros((bins * 2 * channels, bins * 2 * channels))
        for k in range(bins):
            place = slice(2 * channels * k, 2 * channels * (k + 1))
            plane = np.stack([np.r_[one[:, k].real, one[:, k].imag], np.r_[-one[:, k].imag, one[:, k].real]])
            blocks[place, place] = plane.T @ plane  # what the phases' mean of the outer product is
        covariance.append(blocks)
    roots = [
        vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
        for values, vectors in map(np.linalg.eigh, covariance)
    ]
    product = [[np.linalg.svd(a @ b, compute_uv=False).sum() ** 2 for b in roots] for a in roots]
    power = np.array([np.trace(c) for c in covariance])
    return np.array(product) / np.outer(power, power)


def collected(spectrum, *splits):
    patterns = Patterns()
    for tile in np.split(spectrum, splits):
        patterns.add(tile)
    return patterns


def drawn(generator, *shape):
    return generator.standard_normal(shape) + 1j * generator.standard_normal(shape)


def test_similarity_is_the_fidelity_of_covariances_over_phase():
    spectrum = drawn(np.random.default_rng(0), 4, 2, 3)
    np.testing.assert_allclose(collected(spectrum, 1, 3).similarity(), fidelity(spectrum), atol=1e-5)


def test_a_tone_without_power_is_like_none_and_faint_bins_are_dropped_whole():
    spectrum = drawn(np.random.default_rng(1), 5, 3, 7)
    spectrum[2] = 0
    spectrum[:, :, 4] *= 1e-4  # -80 dB
    without = spectrum.copy()
    without[:, :, 4] = 0
    found = collected(spectrum).similarity()
    assert np.isnan(found[2]).all()
    assert np.isnan(found[:, 2]).all()
    np.testing.assert_array_equal(found, collected(without).similarity())


def test_aligned_lines_are_compared_wherever_they_lie():
    generator = np.random.default_rng(2)
    fold, shift = drawn(generator, 2, 3), drawn(generator, 2, 3)
    spectrum = np.zeros((2, 3, 9), complex)
    spectrum[:, :, 0] = shift
    spectrum[0, :, 3], spectrum[1, :, 5] = fold
    spectrum[1, :, 8] = 10.0  # no line
    lines = np.array([[0, 3, 0], [0, 5, 5]])  # the last coincides
    expected = collected(np.stack([shift, fold], -1)).similarity()
    np.testing.assert_allclose(collected(spectrum).similarity(lines), expected, atol=1e-12)


def test_likeness_by_distance_alone_is_no_collapse():
    # alike where near, whatever the fold; and sharing pairs lie further apart than others
    far = np.abs(np.log2(FREQUENCY[:, None] / FREQUENCY))
    near = np.exp(-far)
    shared = SHARED & (far > 1.0)
    naive = near[shared].mean() - near[~shared & ~np.eye(60, dtype=bool)].mean()
    found = collapse(near, near, shared, FREQUENCY, 0.0)
    assert abs(found.collapse) < 0.03 < abs(naive)


def test_one_sound_per_fold_is_collapse_whole():
    found = collapse(SHARED.astype(float), np.ones((60, 60)), SHARED, FREQUENCY, 0.0)
    np.testing.assert_allclose([found.collapse, found.collapse_low, found.collapse_high], 1.0, atol=1e-6)
    assert found.collapse_p == pytest.approx(0.001)
    assert found.n_sharing == 10 * 15


def test_a_difference_of_means_is_measured_with_its_interval():
    noise = np.random.default_rng(1).normal(0, 0.1, (60, 60))
    similarity = np.where(SHARED, 0.5, 0.2) + (noise + noise.T) / 2
    found = collapse(similarity, similarity, SHARED, FREQUENCY, 0.0)
    assert found.collapse == pytest.approx(0.3 / 0.8, abs=0.03)
    assert found.collapse_low < 0.3 / 0.8 < found.collapse_high
    assert found.collapse_high - found.collapse_low < 0.15
    assert found.collapse_chance == pytest.approx(0, abs=0.02)
    each = collapse_of_tones(similarity, SHARED, FREQUENCY, 0.0)
    assert np.nanmean(each) == pytest.approx(found.collapse, abs=1e-12)
    groups = PerGroup(in_groups(each))  # by which the claim is judged
    assert (groups.effect, *groups.interval()) == pytest.approx(
        (found.collapse, found.collapse_low, found.collapse_high)
    )


def test_the_permutation_test_holds_its_level():
    generator = np.random.default_rng(3)
    p = []
    for _ in range(40):
        vectors = drawn(generator, 60, 4, 1)  # tones in common make pairs depend on each other
        alike = collected(vectors).similarity()
        p.append(collapse(alike, alike, SHARED, FREQUENCY, 0.0).collapse_p)
    assert np.mean(np.array(p) <= 0.1) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 40)
    assert np.mean(p) == pytest.approx(0.5, abs=0.15)


def test_p_is_that_of_relabelled_tones():
    generator = np.random.default_rng(0)
    loud = generator.exponential(size=60)  # pairs depend on each other by the tones in common
    similarity = np.outer(loud, loud) / loud.max() ** 2
    high = np.arange(60) >= 30  # every pair that counts is an octave apart: a single stratum
    found = collapse(similarity, similarity, SHARED, np.where(high, 1000.0, 500.0), 0.0)

    def difference(shared):
        weight = high & ~high[:, None]
        others = np.average(similarity, weights=weight * ~shared)
        return (np.average(similarity, weights=weight * shared) - others) / (1 - others)

    relabelled = []
    for _ in range(2000):
        classes = generator.permutation(CLASSES)
        relabelled.append(difference(classes[:, None] == classes))
    expected = np.mean(np.array(relabelled) >= difference(SHARED))
    assert 0.02 < expected < 0.98
    assert found.collapse_p == pytest.approx(expected, abs=0.1)


def test_near_pairs_do_not_count_and_too_few_give_no_number():
    apart = collapse(SHARED.astype(float), np.ones((60, 60)), SHARED, FREQUENCY, 2000.0)
    f = FREQUENCY
    pairs = SHARED & (np.abs(f[:, None] - f) > 2000)
    assert apart.n_sharing == np.triu(pairs, 1).sum() > 0
    none = collapse(SHARED.astype(float), np.ones((60, 60)), SHARED, FREQUENCY, 4500.0)
    assert np.isnan(none.collapse)
    assert none.n_sharing < 8


def test_silent_tones_do_not_count():
    similarity = SHARED.astype(float)
    similarity[CLASSES == 3] = np.nan
    similarity[:, CLASSES == 3] = np.nan
    found = collapse(similarity, np.ones((60, 60)), SHARED, FREQUENCY, 0.0)
    assert found.collapse == pytest.approx(1.0, abs=1e-6)
    assert found.n_sharing == 9 * 15


def test_where_no_tones_share_a_fold_nothing_collapses():
    alike, none = np.eye(60), np.eye(60, dtype=bool)
    alike[4] = alike[:, 4] = np.nan
    found = collapse(alike, alike, none, FREQUENCY, 0.0)
    assert (found.collapse, found.collapse_low, found.collapse_high) == (0.0, 0.0, 0.0)
    assert (found.collapse_p, found.n_sharing) == (1.0, 0)
    each = collapse_of_tones(alike, none, FREQUENCY, 0.0)
    assert np.flatnonzero(np.isnan(each)).tolist() == [4]
    assert np.nansum(each) == 0


def test_a_mean_shift_that_all_tones_cause_alike_neither_helps_nor_harms():
    alike = np.where(SHARED, 1.0, 0.9)
    assert collapse(alike, alike, SHARED, FREQUENCY, 0.0).collapse == pytest.approx(1.0, abs=1e-5)
    alike = np.where(np.eye(60, dtype=bool), 1.0, 0.9)
    assert collapse(alike, alike, SHARED, FREQUENCY, 0.0).collapse == pytest.approx(0.0, abs=1e-5)
    loudness = np.ones((60, 60))  # one sound anyway: nothing is left for folds to collapse
    assert np.isnan(collapse(loudness, loudness, SHARED, FREQUENCY, 0.0).collapse)
    assert np.isnan(collapse_of_tones(loudness, SHARED, FREQUENCY, 0.0)).all()
