"""The measures of latents, against closed forms and against models made up to be wrong."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.encoders import load
from tonotopy.encoders.base import Weights
from tonotopy.encoders.musicvae import posterior
from tonotopy.probes.latents import active, excitation, reconstruction
from tonotopy.probes.statistics.finite import finite_mean_by
from tonotopy.synth.melodies import prior_samples, random_notes


@pytest.fixture(scope="module")
def control():
    return load("control:planted")


@pytest.fixture(scope="module")
def heard(control):
    return posterior.encode(control, prior_samples(control.decode, 16, 9000))


class Fixed:
    """A model whose posteriors are given, and whose melodies say how many latents they were given."""

    modality = "melody"
    name, steps, weights = "fixed", 32, Weights("none", "")

    def __init__(self, mu, sigma):
        self.mu, self.sigma = np.asarray(mu, np.float32), np.asarray(sigma, np.float32)
        self.latent_dimensions = self.mu.shape[1]

    def encode(self, rolls):
        rows = rolls[:, 0].astype(int) * 90 + rolls[:, 1]
        return self.mu[rows], self.sigma[rows]

    def rolls(self):
        rows = np.arange(len(self.mu))
        rolls = np.zeros((len(rows), self.steps), np.uint8)
        rolls[:, 0], rolls[:, 1] = rows // 90, rows % 90
        return rolls

    def decode(self, latents, temperature=None, seed=0):
        return np.repeat((latents != 0).sum(1)[:, None], self.steps, 1).astype(np.uint8)

    def predict(self, latents, rolls):
        return self.decode(latents)


def test_statistics_are_those_of_all_melodies_at_once():
    """Sums over chunks: a mean of chunks' variances would miss what lies between them."""
    generator = np.random.default_rng(0)
    mu = generator.normal(size=(5000, 4)) * [0.1, 1, 2, 0] + np.linspace(-3, 3, 5000)[:, None] * [0, 1, 0, 0]
    sigma = generator.uniform(0.2, 1.5, (5000, 4))
    told = posterior.encode(model := Fixed(mu, sigma), model.rolls()).posterior
    assert told.count == 5000 > posterior.CHUNK
    np.testing.assert_allclose(told.mean_mu, mu.mean(0), atol=1e-5)
    np.testing.assert_allclose(told.variance_mu, mu.var(0), rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(told.mean_sigma, sigma.mean(0), rtol=1e-5)
    np.testing.assert_allclose(told.mean_variance, (sigma**2).mean(0), rtol=1e-5)
    divergence = 0.5 * (mu**2 + sigma**2 - 1 - np.log(sigma**2))
    np.testing.assert_allclose(told.divergence, divergence.mean(0), rtol=1e-4)
    np.testing.assert_array_equal(
        told.order, [2, 1, 0, 3] if mu[:, 2].var() > mu[:, 1].var() else [1, 2, 0, 3]
    )


def test_a_variance_near_nothing_is_not_below_it():
    told = posterior.encode(model := Fixed(np.full((300, 2), 5.0), np.ones((300, 2))), model.rolls())
    assert (told.posterior.variance_mu >= 0).all()
    assert told.posterior.variance_mu.max() < 1e-9


def test_the_control_has_three_active_latents_by_any_criterion(heard):
    np.testing.assert_array_equal(active.counts(heard.posterior, np.geomspace(0.001, 0.6, 9)), 3)
    np.testing.assert_array_equal(active.agreement(active.chosen(heard.posterior)), 1)
    assert set(heard.posterior.order[:3].tolist()) == {2, 6, 11}
    np.testing.assert_allclose(heard.posterior.total_variance, 1, atol=4 * np.sqrt(2 / 9000))


def test_an_untrained_network_shows_why_one_criterion_is_not_enough():
    """Its sigma is below 1 everywhere, since softplus of nothing is 0.69; its mu hardly varies anywhere."""
    model = load("musicvae_tiny", weights="random")
    told = posterior.encode(model, random_notes(200)).posterior
    by_sigma, by_variance, _ = active.chosen(told).sum(1)
    assert by_sigma == model.latent_dimensions
    assert by_variance == 0
    assert active.agreement(active.chosen(told))[0, 1] == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(2, 5))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_agreement_is_jaccards(seed, dimensions, count):
    sets = np.random.default_rng(seed).random((count, dimensions)) < 0.4
    told = active.agreement(sets)
    for i in range(count):
        for j in range(count):
            one, other = set(np.flatnonzero(sets[i])), set(np.flatnonzero(sets[j]))
            expected = len(one & other) / len(one | other) if one | other else 1.0
            assert told[i, j] == pytest.approx(expected)


def test_counts_fall_as_the_threshold_rises(heard):
    generator = np.random.default_rng(1)
    told = posterior.encode(
        model := Fixed(generator.normal(size=(500, 40)) * np.linspace(0, 1, 40), np.full((500, 40), 0.8)),
        model.rolls(),
    )
    assert (np.diff(active.counts(told.posterior), axis=1) <= 0).all()
    assert active.counts(told.posterior)[0, 0] == 40


def test_zeroing_all_but_the_active_latents_costs_the_control_nothing(control, heard):
    rolls, mu = heard.rolls[:300], np.asarray(heard.mu[:300])
    curve = reconstruction.kept_curve(control, rolls, mu, heard.posterior.order, [0, 1, 2, 3, 16])
    free = curve.accuracy[:, :, 0].mean(-1)
    np.testing.assert_array_equal(free[0, 3:], 1)
    assert free[0, 0] < free[0, 2] < 1
    assert (free[2, :4] == free[0, 0]).all()  # from behind, three dimensions say nothing
    np.testing.assert_array_equal(free[:, -1], 1)


def test_kept_are_the_first_of_the_order_and_the_others_are_zero():
    model = Fixed(np.ones((10, 6)), np.ones((10, 6)))
    seen = []

    def decode(latents, temperature=None, seed=0):
        seen.append(latents.copy())
        return np.zeros((10, 32), np.uint8)

    model.decode = decode
    model.predict = lambda latents, rolls: np.zeros((10, 32), np.uint8)
    mu = np.arange(1, 7) * np.ones((10, 1), np.float32)
    reconstruction.kept_curve(
        model, model.rolls(), mu.astype(np.float32), np.array([4, 0, 5, 1, 2, 3]), [2, 6]
    )
    np.testing.assert_array_equal(seen[0][0], [1, 0, 0, 0, 5, 0])
    np.testing.assert_array_equal(seen[1][0], np.arange(1, 7))
    np.testing.assert_array_equal(np.flatnonzero(seen[-1][0]), [2, 3])


def test_onsets_tell_what_steps_hide():
    """A model that sustains everything is mostly right about steps, and wrong about every note."""
    rolls = random_notes(500)
    silent = np.zeros_like(rolls)
    assert reconstruction.step_accuracy(rolls, silent).mean() > 0.7
    assert reconstruction.onset_accuracy(rolls, silent).max() == 0
    assert np.isnan(reconstruction.onset_accuracy(silent[:1], rolls[:1])).all()
    late = np.roll(rolls, 1, axis=1)
    assert reconstruction.onset_accuracy(rolls, late).mean() < 0.05


@given(st.integers(0, 2**32 - 1))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_active_latents_are_counted(seed):
    generator = np.random.default_rng(seed)
    mu, which = generator.normal(size=(7, 9)), generator.random(9) < 0.6
    thresholds = np.array([0.0, 0.3, 1.0])
    expected = (np.abs(mu[:, which])[:, :, None] > thresholds).sum(1)
    np.testing.assert_array_equal(excitation.active_counts(mu, which, thresholds), expected)


def test_melodies_of_one_piece_count_once():
    values = np.array([[1.0, 3.0, np.nan, 10.0]])
    np.testing.assert_array_equal(finite_mean_by(values, np.array([7, 7, 7, 2])), [[10.0, 2.0]])
    assert np.isnan(finite_mean_by(np.array([np.nan, 1.0]), np.array([0, 1]))[0])


def test_memory_does_not_grow_with_the_melodies(control):
    def peak(count):
        rolls = random_notes(count)
        tracemalloc.start()
        posterior.encode(control, rolls)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(8 * posterior.CHUNK) < 1.1 * peak(2 * posterior.CHUNK)
