import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from tonotopy.encoders import load
from tonotopy.encoders.base import Stage
from tonotopy.probes.engine import store
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.selectivity import selectivity
from tonotopy.synth import Partial, Stimulus, StimulusSet, chords, partials
from tonotopy.synth.errors import InputError
from tonotopy.synth.partials import partials_at

from ..conftest import encoder_of

BIN = 24_000 / 1024


@pytest.fixture(scope="module")
def stft_tuning():
    return selectivity(Session(load("filterbank:stft")), partials_at(np.arange(1, 1023) * BIN / 2)).sel(
        stage="first_layer"
    )


def test_stft_best_frequencies_are_bin_centres(stft_tuning):
    for part in (0, 513):  # real channels, then imaginary
        bins = np.arange(8, 505)
        np.testing.assert_allclose(stft_tuning.best_frequency[part + bins], bins * BIN, rtol=1e-3)


def test_stft_noise_bandwidth_is_one_and_a_half_bins(stft_tuning):
    for part in (0, 513):
        inside = part + np.arange(8, 505)  # main lobe inside the grid
        np.testing.assert_allclose(stft_tuning.equivalent_noise_bandwidth[inside] / BIN, 1.5, rtol=0.01)
        assert bool(stft_tuning.resolved[inside].all())


def test_stft_on_the_grid_of_a_run():
    """The union of a logarithmic and a refining grid, at another rate: the same within 1 %."""
    stft = load("filterbank:stft", sample_rate=22_050)
    tuning = selectivity(Session(stft), partials(60, 10_000, per_octave=24), refine=True).isel(stage=0)
    n = int(tuning.receptive_field)
    bins = np.arange(8, round(9_900 * n / 22_050))
    inside = np.r_[bins, n // 2 + 1 + bins]
    np.testing.assert_allclose(tuning.equivalent_noise_bandwidth[inside] * n / 22_050, 1.5, rtol=0.01)
    np.testing.assert_allclose(tuning.bandwidth_3db[inside] * n / 22_050, 1.441, rtol=0.01)
    np.testing.assert_allclose(tuning.side_lobe_level[inside], -31.5, atol=0.5)
    assert (tuning.n_pass_bands[inside] == 1).all()


def test_stft_agrees_with_its_closed_form(stft_tuning):
    assert float(stft_tuning.closed_form_error) < 0.05


@pytest.mark.parametrize(
    ("name", "weights"),
    [("encodec_24khz", "random"), ("samplecnn_tiny", "pretrained"), ("filterbank:gammatone", "random")],
)
def test_first_layer_agrees_with_its_closed_form(name, weights):
    tuning = selectivity(
        Session(load(name, weights=weights), ["first_layer"]), partials(60, 10_000, count=60)
    )
    assert float(tuning.closed_form_error[0]) < 0.05


def test_a_wrong_kernel_would_be_noticed(stack):
    """The oracle is not the measurement again: shift or flip it and they part."""
    stack._kernels["first_layer"] = stack._kernels["first_layer"] * np.linspace(1, 1.2, 8)
    tuning = selectivity(Session(stack, ["first_layer"]), partials(60, 10_000, count=60))
    assert float(tuning.closed_form_error[0]) > 0.05


def test_level_moves_nonlinear_stages_only(stack):
    tuning = selectivity(Session(stack), partials(100, 9000, count=20, level_dbfs=[-40.0, -20.0, 0.0]))
    assert tuning.response.dims == ("stage", "channel", "frequency", "level")
    assert tuning.level_dbfs.values.tolist() == [-40, -20, 0]
    linear = tuning.response.sel(stage="first_layer")[:5]
    np.testing.assert_allclose(linear[..., 0], linear[..., 2], rtol=1e-3)
    deep = tuning.response.sel(stage="latent")
    assert np.abs(deep[..., 0] / deep[..., 2] - 1).max() > 0.05
    assert tuning.best_frequency.dims == ("stage", "channel", "level")


def test_padding_is_nan(stack):
    tuning = selectivity(Session(stack), partials(100, 9000, count=10))
    assert tuning.n_channels.values.tolist() == [5, 7]
    assert np.isnan(tuning.response.sel(stage="first_layer")[5:]).all()
    assert np.isfinite(tuning.response.sel(stage="first_layer")[:5]).all()
    assert np.isnan(tuning.best_frequency.sel(stage="first_layer")[5:]).all()


def test_refinement_resolves_what_a_coarse_grid_cannot():
    gammatone = load("filterbank:gammatone")
    coarse = selectivity(Session(gammatone), partials(100, 9000, per_octave=6))
    fine = selectivity(Session(gammatone), partials(100, 9000, per_octave=6), refine=True)
    assert int(coarse.resolved.sum()) < 10
    assert int(fine.resolved.sum()) > 50
    assert np.isnan(coarse.bandwidth_3db.where(~coarse.resolved)).all()
    assert set(coarse.frequency.values) <= set(fine.frequency.values)
    step = 24_000 / (4 * int(fine.receptive_field[0]))
    assert float(fine.frequency.diff("frequency").max()) <= step * (1 + 1e-9)


def test_gammatone_bandwidths_are_those_of_its_definition():
    """-3 dB bandwidth of a fourth-order gammatone is 2 b sqrt(2^(1/4) - 1), b = 1.019 ERB."""
    gammatone = load("filterbank:gammatone")
    tuning = selectivity(Session(gammatone), partials(60, 10_000, per_octave=12), refine=True).sel(
        stage="first_layer"
    )
    f = tuning.best_frequency.values
    b = 1.019 * 24.7 * (4.37 * f / 1000 + 1)
    inside = (f > 300) & (f < 6000)
    np.testing.assert_allclose(
        tuning.bandwidth_3db.values[inside], 2 * b[inside] * np.sqrt(2**0.25 - 1), rtol=0.03
    )


def test_codes_get_a_probability_of_change():
    texture = load("control:texture")
    tuning = selectivity(Session(texture), partials(100, 9000, count=10))
    change = tuning.change_probability.sel(stage="codes")[:1]
    assert ((change >= 0) & (change <= 1)).all()
    assert float(change.max()) > 0.5  # silence always gets one code, tones get others
    assert np.isnan(tuning.response.sel(stage="codes")).all()
    assert np.isnan(tuning.change_probability.sel(stage="quantized")).all()


@pytest.mark.parametrize("streamed_bytes", [0, 1_000_000])
def test_streamed_to_disk_is_the_same_to_the_bit(stack, tmp_path, monkeypatch, streamed_bytes):
    monkeypatch.setattr(store, "STREAMED_BYTES", streamed_bytes)
    tones = partials(100, 9000, count=30, level_dbfs=[-30.0, -10.0])
    memory = selectivity(Session(stack, tile_seconds=0.05), tones)
    disk = selectivity(Session(stack, tile_seconds=0.05, out=tmp_path / "tuning.zarr"), tones)
    xr.testing.assert_identical(memory, disk.load())
    xr.testing.assert_identical(memory, xr.open_datatree(tmp_path / "tuning.zarr").to_dataset().load())


def test_an_output_that_exists_is_left_alone(stack, tmp_path):
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(InputError, match="exists already"):
        selectivity(Session(stack, out=tmp_path), partials(100, 200, count=2))


def test_a_dead_channel_is_nan():
    module = nn.Sequential(nn.Conv1d(1, 2, 3))
    with torch.no_grad():
        module[0].weight[1] = 0
    encoder = encoder_of(module, [Stage("first_layer", 2, 1, 3, 2)], {"first_layer": "0"})
    tuning = selectivity(Session(encoder), partials(100, 9000, count=10)).sel(stage="first_layer")
    assert np.isfinite(tuning.best_frequency[0])
    assert np.isnan(tuning.best_frequency[1])
    assert (tuning.response[1] == 0).all()


def test_channel_order_does_not_matter(stack):
    order = [3, 0, 4, 2, 1]
    turned = encoder_of(
        stack.module, [stack.stages["first_layer"]], {"first_layer": "0"},
        read=lambda stage, output: output[:, order],
    )  # fmt: skip
    tones = partials(100, 9000, count=15)
    one = selectivity(Session(stack, ["first_layer"]), tones).isel(stage=0)
    other = selectivity(Session(turned, ["first_layer"]), tones).isel(stage=0)
    for name in ("response", "best_frequency", "side_lobe_level"):
        np.testing.assert_allclose(one[name].values[order], other[name].values, rtol=1e-6)


def _one(partial, **coordinates):
    return StimulusSet.of([Stimulus((partial,), coordinates=coordinates)])


def test_one_partial_and_a_stage_named_twice(stack):
    tuning = selectivity(Session(stack, ["latent", "latent"]), partials_at([440.0]))
    assert tuning.stage.values.tolist() == ["latent"]
    assert not tuning.resolved.any()
    assert np.isfinite(tuning.best_frequency).all()


@pytest.mark.parametrize(
    ("stimuli", "options", "message"),
    [
        (lambda: chords([60]), {}, "takes single partials"),
        (lambda: partials(100, 200, count=2), {"phases": 2}, "phases 2: at least 3"),
        (
            lambda: partials(100, 200, count=2),
            {"stages": ["conv9"]},
            "'conv9': test has no such stage; it has",
        ),
        (lambda: partials_at([100.0, 12_000.0]), {}, "frequency 12000 Hz: must lie below the Nyquist"),
        (lambda: partials(100, 200, count=2), {"frames": 0}, "frames 0: must be positive"),
        (lambda: partials(100, 200, count=2), {"stages": []}, "no stage requested; it has first_layer"),
        (lambda: _one(Partial(440.0, 0.1)), {}, "no coordinate 'level_dbfs'"),
        (lambda: _one(Partial(440.0, 0.0), level_dbfs=0.0), {}, "stimulus 0: has no partial that sounds"),
        (lambda: _one(Partial(440.0, 0.1, offset_s=0.01), level_dbfs=-20.0), {}, "must be steady"),
    ],
)
def test_bad_input_is_told_in_one_line(stack, stimuli, options, message):
    with pytest.raises(InputError, match=message) as caught:
        selectivity(Session(stack, options.pop("stages", None)), stimuli(), **options)
    assert "\n" not in str(caught.value)
