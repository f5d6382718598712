import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.probes.folding.folding import components, fold, folded_bin, predicted_lines, separable

derandomised = settings(derandomize=True, deadline=None)
frequencies = st.floats(0, 1e5, allow_nan=False)
rates = st.floats(1, 1e5)


@derandomised
@given(frequencies, rates, st.integers(-5, 5))
def test_folds_repeat_with_the_rate_and_mirror(frequency, rate, turns):
    folded = fold(frequency, rate)
    tolerance = 1e-9 * (frequency + 5 * rate)
    assert 0 <= folded <= rate / 2 + tolerance
    assert fold(frequency + turns * rate, rate) == pytest.approx(folded, abs=tolerance)
    assert fold(turns * rate - frequency, rate) == pytest.approx(folded, abs=tolerance)
    if frequency <= rate / 2:
        assert folded == frequency


@derandomised
@given(st.floats(0, 1e4), st.sampled_from([(2, 4), (3, 729), (8, 40), (5, 5)]))
def test_only_the_last_of_nested_hops_matters(frequency, hops):
    first, last = (24_000 / hop for hop in hops)
    assert fold(fold(frequency, first), last) == pytest.approx(fold(frequency, last), abs=1e-6)


@derandomised
@given(st.integers(0, 10**6), st.integers(2, 10**4))
def test_a_bin_is_the_fold_in_whole_numbers(cycles, n_frames):
    assert folded_bin(cycles, n_frames) == pytest.approx(fold(cycles, n_frames))


@derandomised
@given(st.integers(1, 5000), st.sampled_from([101, 202, 808, 2727]))
def test_predicted_lines_are_where_a_power_series_puts_them(cycles, n_frames):
    # cos^n of a coherent tone has exactly the lines n, n - 2, ...; their sum those of all harmonics up to n
    t = np.arange(n_frames)
    turn = np.cos(2 * np.pi * cycles * t / n_frames + 0.3)
    spectrum = np.abs(np.fft.rfft(sum(turn**n for n in range(6))))
    lines = predicted_lines(np.array([cycles]), n_frames)
    found = set(np.flatnonzero(spectrum > 1e-6 * spectrum.max()))
    assert found <= set(lines.bins.tolist())
    if not lines.coincident.any():
        assert found == set(lines.bins.tolist())


def test_coincident_bins_belong_to_the_earlier_component():
    lines = predicted_lines(np.array([25]), 100)  # a quarter of the frame rate
    assert lines.bins.tolist() == [0, 25, 50, 25, 0, 25]
    assert lines.coincident.tolist() == [False, False, False, True, True, True]
    assert separable(np.array([3]), 101)
    assert not separable(np.array([101]), 101)  # folds to DC


def test_two_tones_mix_to_second_and_third_order():
    lines = predicted_lines(np.array([100, 230]), 10_000)
    mixed = lines.bins[lines.component == len(components(2)) - 2]
    assert sorted(mixed) == sorted([330, 130, 430, 30, 560, 360])
    assert len(set(lines.bins.tolist())) == len(lines.bins)
    assert components(2)[-2:] == ("intermodulation", "rest")
