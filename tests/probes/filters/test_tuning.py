import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonotopy.probes.filters.tuning import (
    closed_form_response,
    noise_bandwidth_floor,
    rectangular_bandwidth,
    tuning_columns,
)

FS = 24_000.0


def gaussian(frequency, centre, width):
    return np.exp(-(((frequency - centre) / width) ** 2))


def test_gaussian_in_closed_form():
    f = np.arange(1.0, 2000.0, 0.5)
    c = tuning_columns(f, 3 * gaussian(f, 700.2, 50.0), step_hz=1.0)
    assert c.best_frequency == pytest.approx(700.2, abs=1e-3)
    assert c.peak_response == pytest.approx(3, rel=1e-4)
    for width, drop_db in ((c.bandwidth_3db, 3.0), (c.bandwidth_10db, 10.0)):
        assert width == pytest.approx(2 * 50 * np.sqrt(drop_db / 20 * np.log(10)), rel=1e-4)
    assert c.quality == pytest.approx(700.2 / c.bandwidth_3db)
    assert c.equivalent_noise_bandwidth == pytest.approx(50 * np.sqrt(np.pi / 2), rel=1e-4)
    assert c.n_pass_bands == 1
    assert c.resolved
    assert not c.open_band


def test_rectangular_kernel_away_from_the_edges():
    length = 64
    tone = np.cos(2 * np.pi * 6000 * np.arange(length) / FS)  # whole cycles, centred: the image is far
    f = np.arange(10.0, FS / 2, 10.0)
    c = tuning_columns(f, closed_form_response(tone[None], f, FS)[0], step_hz=FS / (2 * length))
    assert c.best_frequency == pytest.approx(6000, abs=1)
    assert c.bandwidth_3db == pytest.approx(float(rectangular_bandwidth(FS, length)), rel=0.01)
    assert c.side_lobe_level == pytest.approx(-13.3, abs=0.3)
    assert c.equivalent_noise_bandwidth == pytest.approx(FS / length, rel=0.01)


def test_pass_bands_within_3_db_are_counted():
    f = np.arange(1.0, 4000.0)
    two = gaussian(f, 1000, 30) + 0.8 * gaussian(f, 3000, 30) + 0.5 * gaussian(f, 2000, 30)
    c = tuning_columns(f, two, step_hz=2.0)
    assert c.n_pass_bands == 2
    assert c.side_lobe_level == pytest.approx(20 * np.log10(0.8), abs=0.01)
    assert c.bandwidth_3db == pytest.approx(
        2 * 30 * np.sqrt(0.15 * np.log(10)), rel=0.01
    )  # of the peak alone


def test_a_coarse_grid_gives_nan_and_a_flag():
    f = np.geomspace(60, 10_000, 100)
    curve = gaussian(f, f[60], 10.0)
    c = tuning_columns(f, curve, step_hz=5.0)
    assert not c.resolved
    assert np.isnan([c.bandwidth_3db, c.bandwidth_10db, c.quality, c.equivalent_noise_bandwidth]).all()
    assert c.best_frequency == pytest.approx(f[60], rel=0.01)


def test_a_needle_at_one_point_has_no_bandwidth():
    f = np.arange(100.0, 200.0)
    needle = np.where(f == 150, 1.0, 1e-9)
    c = tuning_columns(f, needle, step_hz=2.0)
    assert not c.resolved
    assert np.isnan([c.bandwidth_3db, c.quality]).all()


def test_a_band_at_the_edge_is_a_lower_bound():
    f = np.arange(100.0, 200.0)
    assert tuning_columns(f, gaussian(f, 100.0, 30.0), step_hz=2.0).open_band
    assert tuning_columns(f, gaussian(f, 199.0, 30.0), step_hz=2.0).open_band
    assert not tuning_columns(f, gaussian(f, 150.0, 10.0), step_hz=2.0).open_band


def test_dead_channel_is_nan_not_zero():
    c = tuning_columns(np.arange(1.0, 9.0), np.zeros(8), step_hz=2.0)
    assert np.isnan(c.best_frequency)
    assert np.isnan(c.peak_response)
    assert not c.resolved


@given(st.integers(2, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.3, 1.0, 1000.0]))
def test_no_kernel_is_narrower_than_the_floor(length, seed, gain):
    kernel = gain * np.random.default_rng(seed).standard_normal((1, length))
    f = np.linspace(0, FS / 2, 8 * length + 1)  # |H|^2 has 2L - 1 coefficients: the sum is exact
    curve = closed_form_response(kernel, f, FS)[0]
    best = f[curve.argmax()]
    width = np.trapezoid(curve**2, f) / curve.max() ** 2
    assert width >= noise_bandwidth_floor(np.array([best]), FS, length)[0] * (1 - 1e-9)


@given(st.integers(2, 40), st.floats(0.02, 0.48))
def test_the_floor_is_reached(length, cycles):
    """By the kernel in span{cos wk, sin wk} that a wrong sign or factor in the formula would miss."""
    k = np.arange(length)
    basis = np.stack([np.cos(2 * np.pi * cycles * k), np.sin(2 * np.pi * cycles * k)], 1)
    _, vectors = np.linalg.eigh(basis.T @ basis)
    kernel = (basis @ vectors[:, -1])[None]
    f = np.linspace(0, FS / 2, 8 * length + 1)
    at_tone = closed_form_response(kernel, np.array([cycles * FS]), FS)[0, 0]
    width = np.trapezoid(closed_form_response(kernel, f, FS)[0] ** 2, f) / at_tone**2
    assert width == pytest.approx(noise_bandwidth_floor(np.array([cycles * FS]), FS, length)[0], rel=1e-9)


def test_floor_is_halved_at_dc_and_nyquist():
    floor = noise_bandwidth_floor(np.array([0.0, FS / 2]), FS, 8)
    np.testing.assert_allclose(floor, FS / 16)


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_columns_do_not_depend_on_gain(seed, gain):
    f = np.linspace(1, 1000, 200)
    curve = np.random.default_rng(seed).random(200)
    one, other = tuning_columns(f, curve, 10.0), tuning_columns(f, gain * curve, 10.0)
    assert one.best_frequency == pytest.approx(other.best_frequency, rel=1e-9)
    assert one.bandwidth_3db == pytest.approx(other.bandwidth_3db, rel=1e-6, nan_ok=True)
    assert one.n_pass_bands == pytest.approx(other.n_pass_bands, nan_ok=True)
