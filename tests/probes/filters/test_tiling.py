import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tonotopy.encoders import load, wrap
from tonotopy.encoders.base import Stage
from tonotopy.encoders.filterbanks import gammatone
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.bank import (
    effective_rank,
    gram_matrix,
    mutual_coherence,
    spacing_distance,
    welch_bound,
)
from tonotopy.probes.filters.tiling import tiling, tiling_partials
from tonotopy.synth import Snap, chords, partials, partials_at
from tonotopy.synth.errors import InputError

from ..conftest import encoder_of

FEW = partials_at((np.arange(32) + 0.5) * 24_000 / 64)  # exact for kernels of at most 64 samples


def bank(kernels, hop=1, bias=0.0, gain=1.0, sample_rate=24_000):
    """Wrap kernels [C, L] as an encoder with one linear stage."""
    kernels = torch.as_tensor(np.asarray(kernels), dtype=torch.float32)
    conv = nn.Conv1d(1, len(kernels), kernels.shape[1], stride=hop)
    with torch.no_grad():
        conv.weight.copy_(gain * kernels[:, None])
        conv.bias.copy_(torch.full((len(kernels),), bias))  # type: ignore[union-attr]
    length = kernels.shape[1]
    stage = Stage("first_layer", len(kernels), hop, length, length - 1, "convolution")
    return encoder_of(nn.Sequential(conv), [stage], {"first_layer": "0"}, sample_rate)


def of_kernels(kernels):
    unit = kernels / np.linalg.norm(kernels, axis=1, keepdims=True)
    return unit @ unit.T


def gram_of(one):
    """Return the Gram matrix and the channels it is of."""
    kept = one.gram_channel.values[one.gram_channel.values >= 0]
    return one.gram.values[: len(kept), : len(kept)], kept


def dct_iv(size):
    k = np.arange(size) + 0.5
    return np.sqrt(2 / size) * np.cos(np.pi / size * np.outer(k, k))


@pytest.fixture(scope="module")
def stft():
    return tiling(Session(load("filterbank:stft"))).sel(stage="first_layer")


def assert_gram_of_kernels(one, kernels):
    gram, kept = gram_of(one)
    np.testing.assert_allclose(gram, of_kernels(kernels[kept]), atol=1e-4)
    assert len(kept) == min(int(one.n_live), 256)
    assert (np.diff(one.best_frequency.values[kept]) >= 0).all()


@pytest.mark.parametrize(("name", "weights"), [("encodec_24khz", "random"), ("samplecnn_tiny", "pretrained")])
def test_gram_matrix_of_a_first_layer_is_that_of_its_kernels(name, weights):
    encoder = load(name, weights=weights)
    one = tiling(Session(encoder, ["first_layer"])).isel(stage=0)
    kernels = encoder.kernels("first_layer")
    assert_gram_of_kernels(one, kernels)
    exact = of_kernels(kernels)
    assert float(one.mutual_coherence) == pytest.approx(np.abs(exact - np.eye(len(exact))).max(), abs=1e-4)
    assert float(one.effective_rank) == pytest.approx(effective_rank(exact), rel=1e-3)
    assert float(one.mutual_coherence) >= float(one.welch_bound)


def test_gram_matrix_of_the_stft_is_that_of_its_kernels(stft):
    encoder = load("filterbank:stft")
    kernels = encoder.kernels("first_layer")
    assert kernels is not None
    assert_gram_of_kernels(stft, kernels)
    live = np.flatnonzero(np.abs(kernels).max(1) > 1e-9)
    assert int(stft.n_live) == len(live) == 1024
    exact = of_kernels(kernels[live])
    np.testing.assert_array_equal(np.flatnonzero(stft.best_frequency.isnull()), [513, 1025])
    largest, mean = mutual_coherence(exact)
    assert float(stft.mutual_coherence) == pytest.approx(largest, abs=1e-4)
    assert float(stft.mean_coherence) == pytest.approx(mean, rel=1e-2)
    assert float(stft.effective_rank) == pytest.approx(effective_rank(exact), rel=1e-3)


@pytest.mark.parametrize(("hop", "frames", "phases"), [(1, 1, 3), (5, 7, 3), (16, 4, 4), (7, 3, 5)])
def test_a_bias_many_frames_and_any_hop_leave_a_linear_bank_what_it_is(hop, frames, phases):
    """Silence forgotten, frames turned wrongly or phases mirrored would show here."""
    kernels = np.random.default_rng(0).standard_normal((9, 16))
    one = tiling(Session(bank(kernels, hop, bias=3.0)), frames=frames, phases=phases).isel(stage=0)
    assert_gram_of_kernels(one, kernels)
    np.testing.assert_allclose(one.linear_share, 1.0, atol=1e-5)
    frequency = one.frequency.values
    exact = np.abs(kernels @ np.exp(-2j * np.pi * np.outer(np.arange(16), frequency) / 24_000)) ** 2
    level = 10 * np.log10(exact.sum(0) / exact.sum(0).mean())
    np.testing.assert_allclose(one.coverage, level, atol=1e-3)
    assert float(one.frame_bound_low) == pytest.approx(exact.sum(0).min(), rel=1e-4)
    assert float(one.frame_bound_high) == pytest.approx(exact.sum(0).max(), rel=1e-4)
    assert float(one.frame_bound_ratio) == pytest.approx(np.ptp(level), abs=1e-3)


def test_a_grid_coarser_than_the_kernels_is_noticed():
    """The agreement above is one of the grid: with N < L, lags of N samples fold onto lag zero."""
    kernels = np.zeros((2, 65))
    kernels[0, 0] = kernels[1, 64] = 1.0  # orthogonal, 64 samples apart
    coarse = (np.arange(32) + 0.5) * 24_000 / 64
    fine = (np.arange(33) + 0.5) * 24_000 / 66
    gram, _ = gram_of(tiling(Session(bank(kernels)), partials_at(coarse)).isel(stage=0))
    assert gram[0, 1] == pytest.approx(-1.0, abs=1e-4)
    gram, _ = gram_of(tiling(Session(bank(kernels)), partials_at(fine)).isel(stage=0))
    assert gram[0, 1] == pytest.approx(0.0, abs=1e-4)


def test_sines_and_cosines_overlap_wholly_and_are_orthogonal():
    """Magnitudes in place of what the phases say would make them one."""
    encoder = load("filterbank:stft", sample_rate=2_000)
    one = tiling(Session(encoder)).isel(stage=0)
    gram, kept = gram_of(one)
    place = {channel: row for row, channel in enumerate(kept)}
    for k in range(8, 35):  # clear of their own mirror images
        assert abs(gram[place[k], place[43 + k]]) < 1e-4
        assert one.best_frequency[k] == pytest.approx(float(one.best_frequency[43 + k]), rel=1e-3)
    assert 0.75 < float(one.neighbour_overlap) < 1.0
    assert float(one.mean_coherence) < 0.05


def test_the_stft_is_evenly_spaced_in_hertz_and_covers_evenly(stft):
    bins = np.repeat(np.arange(513), 2)[1:-1]  # of 513 real and 511 imaginary channels
    place = ((bins - 0.25) / 511.5).clip(0, 1)  # the grid runs from a quarter of a bin to 511.75 bins
    rank = np.arange(1024)
    expected = max(((rank + 1) / 1024 - place).max(), (place - rank / 1024).max())
    assert float(stft.spacing_distance.sel(spacing="linear")) == pytest.approx(expected, abs=5e-4)
    assert expected < 0.003
    for spacing in ("log", "mel", "erb"):
        assert float(stft.spacing_distance.sel(spacing=spacing)) > 0.3
    share = 10 ** (stft.coverage.values / 10)
    gain = share * float(stft.frame_bound_low) / share.min()
    interior = slice(8, -8)  # half a window's spectrum of either sign: N/2 sum w^2 = 1024 * 384 / 2
    np.testing.assert_allclose(gain[interior], 1024 * 384 / 2, rtol=1e-4)
    inside = np.r_[8:505, 521:1017]
    np.testing.assert_allclose(stft.equivalent_noise_bandwidth[inside] / (24_000 / 1024), 1.5, rtol=0.02)
    np.testing.assert_allclose(stft.nyquist_share, stft.equivalent_noise_bandwidth / 37.5)
    assert float(stft.even_bandwidth) == 12_000 / 1024


def test_an_orthonormal_bank():
    one = tiling(Session(bank(dct_iv(16), hop=16))).isel(stage=0)
    assert float(one.mutual_coherence) < 1e-5
    assert float(one.effective_rank) == pytest.approx(16, rel=1e-5)
    assert float(one.effective_rank_share) == pytest.approx(1, rel=1e-5)
    assert float(one.frame_bound_low) == pytest.approx(16, rel=1e-4)  # |exp(-jwk)|^2 over 16 samples
    assert float(one.frame_bound_high) == pytest.approx(16, rel=1e-4)
    assert float(one.frame_bound_ratio) < 1e-3
    assert float(one.evenly_covered_share) == 1.0
    assert float(one.welch_bound) == 0.0


def test_a_bank_of_one_filter_many_times():
    kernels = np.outer([1.0, 2.0, -0.5, 1.0, 7.0], np.random.default_rng(1).standard_normal(3))
    one = tiling(Session(bank(kernels))).isel(stage=0)
    assert float(one.mutual_coherence) == pytest.approx(1, abs=1e-6)
    assert float(one.mean_coherence) == pytest.approx(1, abs=1e-6)
    assert float(one.effective_rank) == pytest.approx(1, abs=1e-3)
    assert float(one.neighbour_overlap) == pytest.approx(1, abs=1e-6)
    gram, kept = gram_of(one)
    np.testing.assert_allclose(gram[list(kept).index(2)][[list(kept).index(0)]], -1, atol=1e-5)


def test_three_vectors_in_a_plane_reach_the_welch_bound():
    turn = 2 * np.pi * np.arange(3) / 3
    one = tiling(Session(bank(np.stack([np.cos(turn), np.sin(turn)], 1)))).isel(stage=0)
    assert float(one.welch_bound) == pytest.approx(0.5)
    assert float(one.mutual_coherence) == pytest.approx(0.5, abs=1e-5)
    assert float(one.effective_rank) == pytest.approx(2, rel=1e-4)
    assert float(one.effective_rank_share) == pytest.approx(1, rel=1e-4)


def test_the_gammatone_is_evenly_spaced_by_erb_rate():
    encoder = gammatone()
    one = tiling(Session(encoder)).isel(stage=0)
    low, high = float(one.frequency[0]), float(one.frequency[-1])
    for spacing in ("linear", "log", "mel", "erb"):
        expected = spacing_distance(encoder.centre_hz, low, high, spacing)
        assert float(one.spacing_distance.sel(spacing=spacing)) == pytest.approx(expected, abs=0.01)
    erb, mel, log, linear = (
        float(one.spacing_distance.sel(spacing=s)) for s in ("erb", "mel", "log", "linear")
    )
    assert erb < 0.06 < mel < log < linear
    assert linear > 0.4


def test_bandwidths_are_those_of_the_kernels():
    """Of a rectangular kernel at DC the equivalent noise bandwidth is fs / (2 L), which is its floor."""
    one = tiling(Session(bank(np.ones((1, 10))))).isel(stage=0)
    assert float(one.equivalent_noise_bandwidth[0]) == pytest.approx(1200, rel=1e-3)
    assert float(one.noise_bandwidth_floor[0]) == pytest.approx(1200, rel=1e-3)
    many = tiling(Session(bank(np.random.default_rng(3).standard_normal((20, 12)), hop=4))).isel(stage=0)
    assert (many.equivalent_noise_bandwidth > 0.99 * many.noise_bandwidth_floor).all()
    np.testing.assert_allclose(many.nyquist_share, many.equivalent_noise_bandwidth / 3000)


MEASURES = (
    "n_live", "mutual_coherence", "mean_coherence", "effective_rank", "effective_rank_share", "coverage",
    "evenly_covered_share", "frame_bound_ratio", "spacing_distance", "neighbour_overlap",
)  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=8)
@given(st.permutations(range(7)), st.sampled_from([1e-4, 0.3, 1e4]), st.booleans())
def test_order_of_channels_and_gain_do_not_matter(order, gain, nonlinear):
    kernels = np.random.default_rng(2).standard_normal((7, 12))

    def measured(kernels, gain):
        conv = bank(kernels, 6, gain=gain).module[0]
        module = nn.Sequential(conv, nn.ReLU() if nonlinear else nn.Identity())
        stage = Stage("latent", 7, 6, 12, 11)
        return tiling(Session(encoder_of(module, [stage], {"latent": "1"}), tile_seconds=2.0), FEW).isel(
            stage=0
        )

    one, other = measured(kernels, 1.0), measured(kernels[order], gain)
    for name in MEASURES:
        np.testing.assert_allclose(other[name], one[name], rtol=2e-3, atol=1e-4, err_msg=name)
    for name in ("best_frequency", "equivalent_noise_bandwidth", "linear_share"):
        np.testing.assert_allclose(other[name], one[name].values[order], rtol=2e-3, err_msg=name)


def test_a_half_wave_rectifier_is_half_linear():
    """Of a sine's half-waves: mean power 1/4, the first harmonic's 1/8 (amplitude 1/2)."""
    encoder = wrap(nn.ReLU(), 24_000, {"first_layer": ""})
    one = tiling(Session(encoder), phases=5).isel(stage=0)
    assert float(one.linear_share[0]) == pytest.approx(0.5, abs=0.005)
    assert np.abs(one.coverage).max() < 0.5


def test_a_rectifier_hears_all_and_follows_nothing():
    one = tiling(Session(load("control:rectifier")), phases=5).isel(stage=0)
    assert int(one.n_live) == 1
    assert float(one.linear_share[0]) < 0.005
    assert np.abs(one.coverage).max() < 0.1
    assert float(one.effective_rank) == pytest.approx(1)
    assert np.isnan(one.mutual_coherence)  # there is no pair
    assert "welch_bound" not in one  # of linear stages only


def test_what_a_frame_hears_twice_is_said_to_be_redundant():
    """ReLUs of a kernel and of its negative: G = -1 before; after, d d' = 0 but for the mean they share."""
    conv = nn.Conv1d(1, 2, 1, bias=False)
    with torch.no_grad():
        conv.weight[:, 0, 0] = torch.tensor([1.0, -1.0])
    encoder = wrap(nn.Sequential(conv, nn.ReLU()), 24_000, {"first_layer": "0", "stack_end": "1"})
    heard = tiling(Session(encoder), phases=5)
    gram = heard.gram.sel(stage="first_layer").values
    assert gram[0, 1] == pytest.approx(-1, abs=1e-6)
    assert float(heard.mutual_coherence.sel(stage="stack_end")) < 1e-6  # never awake at the same time


def test_dead_channels_are_left_out_and_counted():
    kernels = np.random.default_rng(4).standard_normal((4, 8))
    kernels[2] = 0
    one = tiling(Session(bank(kernels, bias=100.0))).isel(stage=0)
    assert int(one.n_live) == 3
    assert np.flatnonzero(one.best_frequency.isnull()).tolist() == [2]
    assert 2 not in gram_of(one)[1]
    np.testing.assert_allclose(gram_of(one)[0], of_kernels(kernels[gram_of(one)[1]]), atol=2e-3)
    alone = tiling(Session(bank(kernels[[0, 1, 3]]))).isel(stage=0)
    np.testing.assert_allclose(one.effective_rank, alone.effective_rank, rtol=2e-3)
    silent = tiling(Session(bank(np.zeros((3, 8)), bias=1.0))).isel(stage=0)
    assert int(silent.n_live) == 0


def test_codes_have_no_tiling():
    both = tiling(Session(load("control:texture", sample_rate=2_000)))
    assert both.stage.values.tolist() == ["quantized", "codes"]
    assert np.isfinite(both.effective_rank.sel(stage="quantized"))
    codes = both.sel(stage="codes")
    assert all(codes[name].isnull().all() for name in codes.data_vars if name != "gram_channel")
    assert (codes.gram_channel == -1).all()
    with pytest.raises(InputError, match="codes of control:texture holds codes, which have no response"):
        tiling(Session(load("control:texture"), ["codes"]))


def test_stages_of_different_width_lie_side_by_side(stack, tmp_path):
    heard = tiling(Session(stack))
    assert heard.n_live.values.tolist() == [5, 7]
    assert heard.gram.dims == ("stage", "rank", "rank_2")
    assert np.isnan(heard.gram.sel(stage="first_layer")[5:]).all()
    assert np.isnan(heard.linear_share.sel(stage="first_layer")[5:]).all()
    assert np.isfinite(heard.linear_share.sel(stage="latent")).all()
    assert float(heard.linear_share.sel(stage="latent").max()) < 0.999
    assert np.isnan(heard.welch_bound.sel(stage="latent"))
    assert all({"units", "long_name"} <= heard[name].attrs.keys() for name in heard.variables)
    heard.to_zarr(tmp_path / "tiling.zarr", zarr_format=2)
    xr.testing.assert_identical(heard, xr.open_zarr(tmp_path / "tiling.zarr").load())


def test_tiles_make_no_difference(stack):
    one, other = (tiling(Session(stack, tile_seconds=seconds), FEW) for seconds in (0.05, 3.0))
    for name in MEASURES:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", ["filterbank:stft", "control:texture", "samplecnn_tiny"])
def test_the_default_grid(name):
    encoder = load(name)
    f = tiling_partials(encoder).columns["frequency_hz"]
    n = 2 * len(f)
    np.testing.assert_allclose(f, (np.arange(len(f)) + 0.5) * encoder.sample_rate / n)
    assert 2048 >= n >= max(s.receptive_field or 0 for s in encoder.stages.values())


@settings(derandomize=True, deadline=None)
@given(st.integers(2, 12), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_bounds_hold_for_any_vectors(count, dimension, seed):
    vectors = np.random.default_rng(seed).standard_normal((count, dimension))
    gram = gram_matrix(vectors @ vectors.T)
    largest, mean = mutual_coherence(gram)
    assert welch_bound(count, dimension) <= largest * (1 + 1e-9)
    assert mean <= largest <= 1 + 1e-9
    assert 1 - 1e-9 <= effective_rank(gram) <= min(count, dimension) * (1 + 1e-9)


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 40), st.sampled_from(["linear", "log", "mel", "erb"]), st.integers(0, 2**32 - 1))
def test_even_spacing_is_the_nearest_there_is(count, spacing, seed):
    """In the middles of equal parts the distance is 1 / (2 C), its least; it never leaves [1 / (2 C), 1]."""
    forward, back = {
        "linear": (lambda f: f, lambda x: x),
        "log": (np.log, np.exp),
        "mel": (lambda f: np.log1p(f / 700), lambda x: 700 * np.expm1(x)),
        "erb": (lambda f: np.log1p(0.00437 * f), lambda x: np.expm1(x) / 0.00437),
    }[spacing]
    low, high = forward(np.array([20.0, 12_000.0]))
    even = back(low + (np.arange(count) + 0.5) / count * (high - low))
    assert spacing_distance(even, 20.0, 12_000.0, spacing) == pytest.approx(0.5 / count, rel=1e-6)
    anywhere = np.random.default_rng(seed).uniform(20, 12_000, count)
    assert 0.5 / count * (1 - 1e-9) <= spacing_distance(anywhere, 20.0, 12_000.0, spacing) <= 1


@pytest.mark.parametrize(
    ("stimuli", "options", "message"),
    [
        (lambda: partials(100, 8000, count=20), {}, "evenly spaced in frequency"),
        (lambda: partials_at([440.0]), {}, "at least two partials"),
        (lambda: partials_at([100.0, 200.0, 200.0, 300.0]), {}, "evenly spaced in frequency"),
        (lambda: partials(100, 900, step_hz=100, level_dbfs=[-40, -20]), {}, "at one level, not 2"),
        (lambda: chords([60]), {}, "takes single partials"),
        (lambda: None, {"phases": 2}, "phases 2: at least 3"),
        (lambda: partials_at([6000.0, 12_000.0]), {}, "must lie below the Nyquist"),
    ],
)
def test_bad_input_is_told_in_one_line(stack, stimuli, options, message):
    with pytest.raises(InputError, match=message) as caught:
        tiling(Session(stack), stimuli(), **options)
    assert "\n" not in str(caught.value)


def test_a_stage_that_is_not_there(stack):
    with pytest.raises(InputError, match="'conv9': test has no such stage"):
        tiling(Session(stack, ["conv9"]))


def test_an_even_grid_of_the_user_may_come_in_any_order(stack):
    tones = partials(300, 9_000, count=30, spacing="linear", snap=Snap(240, 24_000))
    shuffled = tones[np.random.default_rng(0).permutation(len(tones))]
    one, other = tiling(Session(stack), tones), tiling(Session(stack), shuffled)
    np.testing.assert_allclose(one.coverage, other.coverage, atol=1e-3)
