"""Tree reconstruction error against refits, and on compositions known beforehand."""

import numpy as np
import pytest

from tonotopy.probes.statistics.trees import tree_reconstruction_error

pytestmark = pytest.mark.numerical


@pytest.fixture
def parts() -> np.ndarray:
    return np.random.default_rng(0).random((40, 5)) < 0.5


def test_it_is_what_leaving_each_mixture_out_and_fitting_again_gives(parts):
    vectors = np.random.default_rng(1).standard_normal((40, 3)) + parts @ np.ones((5, 3))
    missed, spread = 0.0, 0.0
    for i in range(40):
        others = np.arange(40) != i
        design = np.column_stack([np.ones(40), parts])
        fit, *_ = np.linalg.lstsq(design[others], vectors[others], rcond=None)
        missed += np.square(vectors[i] - design[i] @ fit).sum()
        spread += np.square(vectors[i] - vectors[others].mean(0)).sum()
    assert tree_reconstruction_error(parts, vectors) == pytest.approx(missed / spread)


def test_sums_have_none_whatever_silence_says(parts):
    eta = np.random.default_rng(2).standard_normal((5, 4))
    assert tree_reconstruction_error(parts, parts @ eta + 7.0) < 1e-12


def test_what_two_parts_only_say_together_is_lost(parts):
    together = (parts[:, 0] ^ parts[:, 1]).astype(float)[:, None]
    assert tree_reconstruction_error(parts, together) > 0.9


def test_nothing_to_explain_or_too_few_mixtures_is_no_number(parts):
    assert np.isnan(tree_reconstruction_error(parts, np.ones((40, 2))))
    assert np.isnan(tree_reconstruction_error(parts[:4], np.random.default_rng(0).random((4, 2))))
