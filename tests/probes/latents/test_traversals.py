"""Traversals: planted effects are found, and nothing where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, rankdata

from tonotopy.encoders import load
from tonotopy.probes.latents import feature_set
from tonotopy.probes.latents.traversals import DOSES, concordance, traverse
from tonotopy.synth.melodies import prior_latents


class Doubles:
    """Decodes a latent to steps of its own size; dimension 0 doubles, 1 squares, 2 does nothing."""

    steps, latent_dimensions = 4, 3

    def decode(self, latents, temperature=None, seed=0):
        level = 40 + 4 * latents[:, 0] + 2 * latents[:, 1] ** 2
        return np.repeat(np.clip(level, 0, 89)[:, None], 4, 1).astype(np.uint8)


def first_step(rolls):
    noise = np.random.default_rng(0).normal(size=(len(rolls), 1))
    return np.hstack([rolls[:, :1].astype(float), noise])


def test_what_moves_is_found_and_what_does_not_is_not():
    told = traverse(Doubles(), prior_latents(3, 40), np.arange(3), first_step)  # type: ignore[arg-type]
    assert told.concordance[0, 0] == pytest.approx(1, abs=0.02)
    assert told.direction[0, 0] == pytest.approx(1, abs=0.02)
    assert told.concordance[1, 0] > 0.8  # least in the middle: no direction, and yet an effect
    assert abs(told.direction[1, 0]) < 0.1
    assert told.concordance[2, 0] == 0
    assert told.p_corrected[2, 0] == 1
    assert (told.p_corrected[:2, 0] == 1 / 200).all()
    assert (told.p_corrected[:, 1] > 0.05).all()  # the noise
    assert (told.p_corrected >= told.p).all()
    np.testing.assert_array_equal(told.changed[2], 0)
    np.testing.assert_array_equal(told.changed[:, DOSES == 0], 0)
    np.testing.assert_array_equal(told.response[:, DOSES == 0], 0)
    assert (np.diff(told.response[0, :, 0]) > 0).all()


def test_the_controls_dimensions_do_what_they_were_planted_for():
    control = load("control:planted")
    told = traverse(control, prior_latents(16, 60), np.array([11, 6, 2, 0]), feature_set.values)  # type: ignore[arg-type]
    names = feature_set.labels().names
    for row, name, direction in (
        (0, "Most Common Pitch", 1),
        (1, "Note Density", 1),
        (1, "Average Note Duration", -1),
        (2, "Range", 1),
    ):
        column = names.index(name)
        assert told.concordance[row, column] > 0.97, name
        assert direction * told.direction[row, column] > 0.85, name
        assert told.p_corrected[row, column] <= 0.005
    assert told.concordance[0, names.index("Range")] == 0
    assert told.concordance[2, names.index("Note Density")] == 0
    assert told.concordance[3].max() == 0
    assert (told.changed[3] == 0).all()
    assert (told.examples[3] == told.examples[3, 0]).all()


def test_false_alarms_are_as_rare_as_they_should_be():
    """Features that have nothing to do with the dose: one in twenty families has a corrected p of 0.05."""
    alarms = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)

        def noise(rolls, generator=generator):
            shared = generator.normal(size=(len(rolls), 1))
            return shared + 0.5 * generator.normal(size=(len(rolls), 12))  # features that resemble each other

        told = traverse(Doubles(), prior_latents(3, 25), np.array([2]), noise, permutations=99, seed=seed)  # type: ignore[arg-type]
        alarms += told.p_corrected.min() <= 0.05
    assert alarms <= 8  # binomial(60, 0.05): more than 8 in 0.4 % of cases


@pytest.mark.parametrize("count", [1, 7, 25, 100, 128])
def test_what_changes_in_one_melody_alone_tells_nothing(count):
    """However its doses are dealt, the concordance is the same but for rounding."""

    class Once(Doubles):
        def decode(self, latents, temperature=None, seed=0):
            return super().decode(np.where(latents[:, 2:] == 5, latents, 0))

    bases = prior_latents(3, count)
    bases[0, 2] = 5
    told = traverse(Once(), bases, np.arange(2), first_step)  # type: ignore[arg-type]
    assert (told.concordance[:, 0] > 0).all()
    np.testing.assert_array_equal(told.p[:, 0], 1)


@given(st.integers(0, 2**32 - 1), st.integers(3, 12), st.integers(3, 7))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_concordance_is_friedmans_chi_square_over_its_largest(seed, count, doses):
    values = np.random.default_rng(seed).integers(0, 6, (count, doses)).astype(float)
    values[:, 0] += np.arange(count) / 1000  # ties in part, never in full
    ranks = rankdata(values, axis=1)
    statistic, _ = friedmanchisquare(*values.T)
    expected = statistic / (count * (doses - 1))
    assert concordance(ranks[..., None])[0] == pytest.approx(expected, abs=1e-12)


def test_a_feature_without_a_value_does_not_count_for_or_against():
    def holes(rolls):
        told = first_step(rolls)
        told[:, 1] = np.nan
        return told

    told = traverse(Doubles(), prior_latents(3, 10), np.arange(2), holes)  # type: ignore[arg-type]
    assert (told.concordance[:, 1] == 0).all()
    assert np.isfinite(told.response).all()
