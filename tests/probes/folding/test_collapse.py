import numpy as np
import pytest

from tonotopy.probes.folding.collapse import Patterns, collapse, cosines

FREQUENCY = np.geomspace(100, 5000, 60)
CLASSES = np.arange(60) % 10
SHARED = CLASSES[:, None] == CLASSES


def test_similarity_is_the_cosine_of_whole_patterns():
    generator = np.random.default_rng(0)
    power = generator.exponential(size=(12, 5, 30)) ** 4  # heavy tails: some entries are negligible
    power[7] = 0
    patterns = Patterns()
    for rows in (slice(0, 5), slice(5, 12)):
        patterns.add(power[rows])
    flat = power.reshape(12, -1)
    norm = np.linalg.norm(flat, axis=1)
    with np.errstate(invalid="ignore"):
        expected = flat @ flat.T / np.outer(norm, norm)
    np.testing.assert_allclose(patterns.similarity(), expected, atol=2e-6)
    assert np.isnan(patterns.similarity()[7]).all()


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
    assert found.collapse == pytest.approx(0.3, abs=0.02)
    assert found.collapse_low < 0.3 < found.collapse_high
    assert found.collapse_high - found.collapse_low < 0.08
    assert found.collapse_chance == pytest.approx(0.2, abs=0.02)


def test_the_permutation_test_holds_its_level():
    generator = np.random.default_rng(3)
    p = []
    for _ in range(40):
        vectors = generator.exponential(size=(60, 8))  # tones in common make pairs depend on each other
        p.append(collapse(cosines(vectors), cosines(vectors), SHARED, FREQUENCY, 0.0).collapse_p)
    assert np.mean(np.array(p) <= 0.1) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 40)
    assert np.mean(p) == pytest.approx(0.5, abs=0.15)


def test_interval_and_p_are_those_of_resampled_and_relabelled_tones():
    generator = np.random.default_rng(0)
    loud = generator.exponential(size=60)  # pairs depend on each other by the tones in common
    similarity = np.outer(loud, loud) / loud.max() ** 2
    high = np.arange(60) >= 30  # every pair that counts is an octave apart: a single stratum
    found = collapse(similarity, similarity, SHARED, np.where(high, 1000.0, 500.0), 0.0)

    def difference(shared, times):
        weight = np.outer(times, times) * (high & ~high[:, None])
        return np.average(similarity, weights=weight * shared) - np.average(
            similarity, weights=weight * ~shared
        )

    resampled, relabelled = [], []
    for _ in range(2000):
        resampled.append(difference(SHARED, generator.multinomial(60, np.full(60, 1 / 60))))
        classes = generator.permutation(CLASSES)
        relabelled.append(difference(classes[:, None] == classes, np.ones(60)))
    width = np.ptp(np.quantile(resampled, [0.025, 0.975]))
    assert found.collapse_high - found.collapse_low == pytest.approx(width, rel=0.2)
    expected = np.mean(np.array(relabelled) >= difference(SHARED, np.ones(60)))
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
