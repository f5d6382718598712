import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.probes.hypotheses.evidence import PerGroup, PerUnit
from tonotopy.probes.statistics.means import Bounded, Crossed, Score, Studentised, widest_interval

from ...benchmarks.type_one import UNITS, covered, rejected, rejected_groups

DRAWS = 400
CELLS = [(kind, size) for kind in UNITS for size in (8, 10, 16)]
AT_MOST = 0.1  # of 400 draws at a rate of 0.07, with probability 0.99; finely in tests/benchmarks/type_one.md


@pytest.mark.parametrize(("kind", "size"), CELLS)
def test_the_truth_is_rarely_rejected(kind, size):
    for method in ("PerUnit", "PerUnit with bounds"):
        assert rejected(method, kind, size, DRAWS) <= AT_MOST
    assert rejected_groups(kind, size, draws=DRAWS) <= AT_MOST


@pytest.mark.parametrize("kind", ["lognormal", "one in ten"])
def test_signs_and_percentiles_rejected_it_too_often(kind):
    assert max(rejected("before: signs and percentiles", kind, size, DRAWS) for size in (8, 10, 16)) > AT_MOST


def test_skewness_is_corrected_for_where_units_show_it():
    """What of a tenth of the units alone makes the mean, no sample without one of them can show."""
    for size in (8, 10, 16):
        assert rejected("PerUnit, its studentised part", "lognormal", size, DRAWS) <= AT_MOST
    assert rejected("PerUnit, its studentised part", "one in ten", 8, DRAWS) > 0.3


@pytest.mark.parametrize("proportion", [0.75, 0.95, 0.99, 1.0])
def test_proportions_are_covered_up_to_the_ceiling(proportion):
    assert covered(proportion, np.inf, 32, draws=DRAWS) >= 0.91  # of 0.95, binomial 0.999


def test_the_middle_needs_no_wilson():
    """Groups that differ by more than their trials are judged by how they differ."""
    values = np.array([0.3, 0.7, 0.4, 0.6, 0.2, 0.8, 0.5, 0.5])
    assert PerGroup(values, trials=1000).interval() == PerGroup(values).interval()
    assert PerGroup(np.ones(8), trials=16).interval() == pytest.approx(Score(1.0, 128).interval())
    assert PerGroup(np.zeros(8), trials=16).interval()[0] == 0.0


values_in_range = st.lists(st.floats(0, 1), min_size=3, max_size=20)


@given(values_in_range, st.floats(0.01, 0.99))
@settings(derandomize=True, deadline=None)
def test_bounds_that_are_further_apart_tell_less(values, value):
    units = np.array(values)
    near, far = Bounded(units, 0.0, 1.0), Bounded(units, -1.0, 2.0)
    assert far.interval()[0] <= near.interval()[0] + 1e-9
    assert far.interval()[1] >= near.interval()[1] - 1e-9
    assert all(f >= n - 1e-9 for f, n in zip(far.tails(value), near.tails(value), strict=True))


@given(values_in_range)
@settings(derandomize=True, deadline=None)
def test_gaffke_s_bounds_are_a_quantile_of_what_uniform_weights_give(values):
    units = np.array(values)
    weights = np.random.default_rng(0).dirichlet(np.ones(len(units) + 1), 4000)
    means = weights @ np.append(units, 0.0)
    for value in (0.2, 0.5, 0.8):
        share = np.mean(means <= value)
        assert Bounded(units, 0.0, 1.0).tails(value)[0] == pytest.approx(share, abs=0.04)  # 5 standard errors


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=12, unique=True), st.floats(0, 2))
@settings(derandomize=True, deadline=None)
def test_correction_for_skewness_lengthens_the_longer_tail(values, share):
    units = np.array(values, dtype=float)
    (low, high), (low_t, high_t) = (Studentised(units, s).interval() for s in (share, 0.0))
    third = ((units - units.mean()) ** 3).mean()
    if share > 0.01 and abs(third) > 1e-3 * units.std() ** 3:
        assert (high - high_t) * np.sign(third) > -1e-9 * (high_t - low_t)
    for end, side in ((low, 0), (high, 1)):
        assert Studentised(units, share).tails(end)[side] == pytest.approx(0.025, abs=1e-6)


def test_an_end_of_an_interval_has_the_p_of_its_level():
    values = np.random.default_rng(0).random((3, 9))
    for method in (Crossed(values), Bounded(values[0], 0.0, 1.0), Score(0.3, 40)):
        low, high = method.interval(0.9)
        assert method.tails(low)[0] == pytest.approx(0.05, abs=1e-6)
        assert method.tails(high)[1] == pytest.approx(0.05, abs=1e-6)


def test_units_that_do_not_differ_are_taken_at_their_word_only_within_a_range():
    alike = np.full(8, 0.9)
    assert Studentised(alike, 1.0).interval() == (0.9, 0.9)
    assert Studentised(alike, 1.0).tails(0.9) == (1.0, 1.0)
    assert PerUnit(alike, (0, 1)).interval() == pytest.approx(Bounded(alike, 0.0, 1.0).interval())
    assert widest_interval([Studentised(alike, 1.0), Bounded(alike, 0.0, 1.0)])[0] < 0.7


@pytest.mark.parametrize("level", [0.9, 0.99, 0.99999, 0.9999999])
def test_intervals_end_where_p_says(level):
    """Far out too, where skewness is corrected for no further."""
    one = Studentised(np.array([0.551, 0.557, 0.632, 0.541, 0.537, 0.581, 0.581, 0.558]), 0.5)
    low, high = one.interval(level)
    assert one.tails(low)[0] == pytest.approx((1 - level) / 2, rel=1e-6)
    assert one.tails(high)[1] == pytest.approx((1 - level) / 2, rel=1e-6)
