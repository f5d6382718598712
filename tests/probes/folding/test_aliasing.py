import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders import load, wrap
from tonotopy.encoders.base import Stage
from tonotopy.encoders.weights import randomly_initialised
from tonotopy.probes.engine.session import Session
from tonotopy.probes.folding.aliasing import aliasing, intermodulation, rejection_db
from tonotopy.probes.folding.coherence import coherence, coherent_pairs, coherent_partials
from tonotopy.probes.folding.folding import fold
from tonotopy.probes.folding.ledger import _spectrum
from tonotopy.synth import partials, partials_at
from tonotopy.synth.errors import InputError

from ..conftest import encoder_of


class Function(nn.Module):
    """A function of every sample, and every `hop`-th of the results."""

    def __init__(self, function, hop=1):
        super().__init__()
        self.function, self.hop = function, hop

    def forward(self, x):  # [B, 1, T]
        return self.function(x)[..., :: self.hop]


def pointwise(function, hop=1):
    """One stage, `first_layer`, of that function; heard through `wrap`."""
    return wrap(
        nn.Sequential(Function(function, hop), nn.Identity()), 24_000, {"first_layer": "0"}, name="function"
    )


def mean_share(result, *names):
    return result.share.isel(stage=0, channel=0).mean("frequency").sel(component=list(names)).values


def test_full_wave_rectifier():
    # |sin| = 2/pi - 4/pi sum cos(2nwt) / (4n^2 - 1); its mean square is 1/2
    result = aliasing(Session(load("control:rectifier")))
    shares = mean_share(result, "mean_shift", "fold", "harmonic_2", "harmonic_4")
    exact = [8 / np.pi**2, 0, 16 / 9 / np.pi**2, 16 / 225 / np.pi**2]
    np.testing.assert_allclose(shares, exact, atol=2e-4)
    np.testing.assert_allclose(shares, [0.8106, 0, 0.1801, 0.0072], atol=2e-3)
    per_tone = result.share.isel(stage=0, channel=0).sel(component="mean_shift")
    np.testing.assert_allclose(per_tone, 8 / np.pi**2, atol=2e-3)


def test_half_wave_rectifier():
    # max(sin, 0) = 1/pi + sin/2 - 2/pi sum cos(2nwt) / (4n^2 - 1); its mean square is 1/4
    result = aliasing(Session(pointwise(torch.relu)))
    shares = mean_share(result, "mean_shift", "fold", "harmonic_2", "harmonic_3")
    exact = [4 / np.pi**2, 0.5, (2 / 3 / np.pi) ** 2 * 2, 0]
    np.testing.assert_allclose(shares, exact, atol=2e-4)
    np.testing.assert_allclose(shares[:2], [0.4053, 0.5], atol=2e-3)


def test_squarer_of_two_tones():
    # (sin a + sin b)^2 = 1 - cos 2a / 2 - cos 2b / 2 + cos(a - b) - cos(a + b); its mean square is 9/4
    result = intermodulation(Session(pointwise(torch.square))).isel(stage=0)
    bank = result.bank_share.mean("pair")
    assert float(bank.sel(component="mean_shift")) == pytest.approx(4 / 9, abs=1e-5)
    assert float(bank.sel(component="harmonic_2")) == pytest.approx(1 / 9, abs=1e-5)
    assert float(bank.sel(component="intermodulation")) == pytest.approx(4 / 9, abs=1e-5)
    others = result.bank_share.sel(component=["fold", "harmonic_3", "harmonic_4", "harmonic_5", "rest"])
    assert float(others.max()) < 1e-8  # -80 dB


@pytest.mark.parametrize("hop", [1, 320])
def test_intermodulation_lies_at_the_folds_of_sum_and_difference_and_nowhere_else(hop):
    encoder = pointwise(torch.square, hop)
    pairs = coherent_pairs(encoder, pairs=5)
    window = coherence(encoder)
    assert encoder.stages["first_layer"].hop == hop
    n_frames = window.frames["first_layer"]
    heard = encoder.run(torch.from_numpy(pairs.render(24_000, n_frames * hop)), ["first_layer"])
    power = np.abs(np.fft.rfft(heard["first_layer"][:, 0].numpy().astype(float))) ** 2
    rate = 24_000 / hop
    output = np.arange(power.shape[1]) * rate / n_frames
    for row, spectrum in enumerate(power):
        one, two = pairs[[row]].columns["frequency_hz"]
        expected = fold([0, 2 * one, 2 * two, one + two, one - two], rate)
        found = output[spectrum > 1e-8 * spectrum.sum()]
        np.testing.assert_allclose(found, np.sort(expected), atol=1e-6)
    ledger = intermodulation(Session(encoder), pairs).isel(stage=0)
    assert not ledger.coincident.any()
    np.testing.assert_allclose(ledger.bank_share.sel(component="intermodulation"), 4 / 9, atol=1e-5)


def test_decimator_puts_everything_at_the_predicted_fold():
    result = aliasing(Session(load("control:decimator"))).isel(stage=0)
    np.testing.assert_allclose(result.share.sel(component="fold"), 1, atol=1e-6)
    assert float(result.collapse) == pytest.approx(1.0, abs=0.01)
    assert float(result.collapse_low) > 0.99
    assert float(result.collapse_p) < 0.01
    assert float(result.bank_rejection) == pytest.approx(0, abs=0.05)
    assert float(result.fold_p) < 0.01
    shared = np.abs(np.subtract.outer(*[result.predicted_fold.values] * 2)) < 1e-6
    np.testing.assert_allclose(result.null_share, (shared.sum(1) - 1) / (len(shared) - 1), atol=1e-6)
    row = result.predicted_fold / float(result.nyquist_hz)
    np.testing.assert_allclose(result.output[result.alias_map.argmax("output")], row, atol=0.011)
    np.testing.assert_allclose(result.alias_map.max("output"), 1, atol=1e-6)


def test_stft_folds_everything_and_collapses_nothing():
    result = aliasing(Session(load("filterbank:stft"))).isel(stage=0)
    heard = result.share.sel(component="fold").values
    np.testing.assert_allclose(heard[np.isfinite(heard)], 1, atol=1e-4)
    assert float(result.apart) == pytest.approx(4 * 24_000 / 1024)  # the main lobe
    assert abs(float(result.collapse)) <= 0.01
    assert result.collapse_high <= 0.01
    assert result.n_sharing > 50
    assert result.similarity.values.max() <= 1 + 1e-6


def test_the_ledger_is_that_of_an_independent_spectrum(stack):
    encoder = stack
    tones = coherent_partials(encoder, per_octave=2)
    result = aliasing(Session(encoder), tones)
    window = coherence(encoder)
    for i, stage in enumerate(("first_layer", "latent")):
        about, n_frames = encoder.stages[stage], window.frames[stage]
        first = int(result.first_frame[i])
        n = (first + n_frames) * about.hop + about.latency + 1
        heard = encoder.run(torch.from_numpy(tones.render(24_000, n)), [stage])[stage].double().numpy()
        silence = encoder.run(torch.zeros(1, n), [stage])[stage].double().numpy()
        deviation = (heard - silence)[..., first : first + n_frames]
        spectrum = np.fft.fft(deviation, axis=-1) / n_frames
        power = np.abs(spectrum) ** 2
        total = (deviation**2).mean(-1)
        for t, frequency in enumerate(tones.columns["frequency_hz"]):
            cycles = round(frequency * n_frames * about.hop / 24_000)
            lines = {n: {n * cycles % n_frames, -n * cycles % n_frames} for n in range(6)}
            shares = np.array([power[t][:, sorted(lines[n])].sum(1) for n in range(6)]) / total[t]
            ours = result.share[i, : about.channels, t].values.T
            loud = total[t] > 1e-6 * total[t].max()
            np.testing.assert_allclose(ours[:6, loud], shares[:, loud], atol=2e-5)
            np.testing.assert_allclose(ours[6, loud], 1 - shares.sum(0)[loud], atol=2e-5)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("samplecnn_tiny", "pretrained"),
        ("encodec_24khz", "random"),
        ("filterbank:stft_magnitude", "random"),
        ("filterbank:gammatone", "random"),
        ("control:texture", "random"),
    ],
)
def test_shares_sum_to_one_above_the_floor_and_the_rest_is_counted(name, weights):
    encoder = load(name, weights=weights)
    tones = coherent_partials(encoder, per_octave=1)
    result = aliasing(Session(encoder), tones)
    for stage in result.stage.values:
        one = result.sel(stage=stage).isel(channel=slice(0, encoder.stages[stage].channels))
        if encoder.stages[stage].kind == "codes":
            assert one.share.isnull().all()
            assert ((one.change_probability >= 0) & (one.change_probability <= 1)).all()
            continue
        heard = one.share.notnull().all("component").values
        assert (one.share.isnull().any("component").values == ~heard).all()
        assert int(one.n_below_floor) == (~heard).sum()
        assert heard.any()
        np.testing.assert_allclose(one.share.values.astype(float)[heard].sum(-1), 1, atol=1e-6)
        assert float(one.share.min()) >= 0
        np.testing.assert_allclose(one.bank_share.sum("component"), 1, atol=1e-6)
        np.testing.assert_allclose(one.alias_map.sum("output"), 1, atol=1e-6)


def test_a_dead_channel_has_no_ledger_whatever_its_bias():
    layer = nn.Conv1d(1, 3, 8, stride=4)
    with torch.no_grad():
        layer.weight[1] = 0
        assert layer.bias is not None
        layer.bias[:] = torch.tensor([0.1, 5.0, -0.2])
    encoder = encoder_of(layer, [Stage("first_layer", 3, 4, 8, 7, "convolution")], {"first_layer": ""})
    result = aliasing(Session(encoder)).isel(stage=0)
    assert result.share.isel(channel=1).isnull().all()
    assert int(result.n_below_floor) == result.sizes["frequency"]
    # and the bias of the others is no mean shift
    np.testing.assert_allclose(result.share.isel(channel=[0, 2]).sel(component="fold"), 1, atol=1e-5)


def test_channel_order_changes_nothing():
    def build(order):
        net = randomly_initialised(
            lambda: nn.Sequential(nn.Conv1d(1, 6, 9, stride=4), nn.ReLU(), nn.Conv1d(6, 5, 3, stride=2)), 0
        )
        with torch.no_grad():
            net[2].weight[:], net[2].bias[:] = net[2].weight[order].clone(), net[2].bias[order].clone()
        stages = [Stage("latent", 5, 8, 9 + 8, 16)]
        return encoder_of(net, stages, {"latent": "2"})

    order = [3, 0, 4, 1, 2]
    straight, mixed = (aliasing(Session(build(o))).isel(stage=0) for o in (list(range(5)), order))
    np.testing.assert_allclose(mixed.share, straight.share.isel(channel=order), atol=1e-6)
    for name in ("bank_share", "alias_map", "similarity", "collapse", "collapse_low", "fold_p"):
        np.testing.assert_allclose(mixed[name], straight[name], atol=2e-6, err_msg=name)


def test_gain_changes_nothing_in_a_linear_stage_and_is_a_level_effect_elsewhere():
    net = randomly_initialised(
        lambda: nn.Sequential(nn.Conv1d(1, 6, 9, stride=4), nn.Tanh(), nn.Conv1d(6, 5, 3, stride=2)), 1
    )
    stages = [Stage("first_layer", 6, 4, 9, 8, "convolution"), Stage("latent", 5, 8, 17, 16)]
    encoder = encoder_of(net, stages, {"first_layer": "0", "latent": "2"})
    tones = coherent_partials(encoder, per_octave=2, level_dbfs=[-30.0, 10.0, 30.0])
    result = aliasing(Session(encoder), tones)
    assert result.sizes["level"] == 3
    linear, curved = (result.sel(stage=s) for s in ("first_layer", "latent"))
    np.testing.assert_allclose(linear.share.isel(level=0), linear.share.isel(level=2), atol=1e-6)
    np.testing.assert_allclose(linear.response.isel(level=0), linear.response.isel(level=2), rtol=1e-4)
    assert float(linear.level_effect) < 1e-6
    assert float(curved.level_effect) > 0.05
    harmonics = curved.bank_share.sel(component="harmonic_3").mean("frequency").values
    assert (np.diff(harmonics) > 0).all()


def test_level_effect_is_the_share_that_moves():
    # x + x^2 of a tone of amplitude a: a^2 / 2 at the fold, a^4 / 4 + a^4 / 8 elsewhere
    encoder = pointwise(lambda x: x + x**2)
    result = aliasing(
        Session(encoder), coherent_partials(encoder, per_octave=1, level_dbfs=[-40.0, -20.0, 0.0])
    )
    amplitude = 10 ** (np.array([-40.0, 0.0]) / 20)
    elsewhere = 3 / 8 * amplitude**4 / (amplitude**2 / 2 + 3 / 8 * amplitude**4)
    assert float(result.level_effect[0]) == pytest.approx(elsewhere[1] - elsewhere[0], abs=1e-4)


@pytest.mark.parametrize("n_frames", [9, 10])
def test_output_power_adds_up_to_the_mean_square(n_frames):
    deviation = torch.randn(3, n_frames, generator=torch.Generator().manual_seed(0))
    power = _spectrum(deviation).abs().square()
    torch.testing.assert_close(power.sum(-1), deviation.square().mean(-1))


def test_a_stage_that_remembers_is_booked_once_settled(leaky):
    result = aliasing(Session(leaky), coherent_partials(leaky, per_octave=1)).isel(stage=0)
    assert int(result.first_frame) > 500  # 0.99^t below 0.5 %
    np.testing.assert_allclose(result.bank_share.sel(component="fold"), 1, atol=1e-4)


def test_coincident_predictions_are_said_and_counted_once():
    # 6000 Hz at a frame rate of 24 kHz: the fourth harmonic on DC, the third and the fifth on the first
    encoder = pointwise(torch.relu)
    window = coherence(encoder, n_samples=400)
    tones = partials_at([6000.0, 1620.0])
    result = aliasing(Session(encoder), tones, n_samples=window.n_samples).isel(stage=0, channel=0)
    said = result.coincident.sel(frequency=6000.0)
    assert said.component.values[said.values].tolist() == ["harmonic_3", "harmonic_4", "harmonic_5"]
    assert not result.coincident.sel(frequency=1620.0).any()
    np.testing.assert_allclose(result.share.sum("component"), 1, atol=1e-6)
    assert (result.share.sel(frequency=6000.0, component=["harmonic_3", "harmonic_4"]) == 0).all()


def test_what_varies_in_time_is_booked_as_rest():
    # the side bands of amplitude modulation of depth 1/2 hold 1/9 of the power
    class Wobble(nn.Module):
        def forward(self, x):
            t = torch.arange(x.shape[-1])
            return x * (1 + 0.5 * torch.sin(2 * np.pi * t * np.sqrt(2) / 50))

    encoder = encoder_of(Wobble(), [Stage("first_layer", 1, 1, 1, 0)], {"first_layer": ""})
    result = aliasing(Session(encoder)).isel(stage=0)
    assert float(result.bank_share.sel(component="rest").median()) == pytest.approx(1 / 9, abs=1e-3)


def test_rejection_is_the_mean_power_above_nyquist_re_below():
    frequency = np.concatenate([np.linspace(10, 500, 50), np.geomspace(501, 12_000, 80)])
    flat = np.ones((130, 1))
    low_pass = np.where(frequency < 500.5, 1.0, 0.1)[:, None]
    assert rejection_db(flat, frequency, 500.5)[0] == pytest.approx(0)
    assert rejection_db(low_pass, frequency, 500.5)[0] == pytest.approx(-20)
    one_over_f = np.where(frequency < 500.5, 1.0, np.sqrt(501 / frequency))[:, None]
    expected = 10 * np.log10(501 * np.log(12_000 / 501) / (12_000 - 501))
    assert rejection_db(one_over_f, frequency, 500.5)[0] == pytest.approx(expected, abs=0.05)
    assert np.isnan(rejection_db(flat, frequency, 5.0)).all()


def test_an_anti_alias_filter_rejects():
    from scipy.signal import firwin

    taps = torch.from_numpy(np.array(firwin(255, 300, fs=24_000))).float()
    low_pass = nn.Conv1d(1, 1, 255, stride=32, bias=False)
    low_pass.weight.data = taps[None, None]
    encoder = encoder_of(
        low_pass, [Stage("first_layer", 1, 32, 255, 254, "convolution")], {"first_layer": ""}
    )
    result = aliasing(Session(encoder)).isel(stage=0)
    assert float(result.bank_rejection) < -15
    assert float(result.rejection[0]) == pytest.approx(float(result.bank_rejection))


@pytest.mark.parametrize("bias", [0.0, 0.01, 1.0])
def test_what_a_filter_leaves_of_a_tone_is_not_told_by_its_rounding(bias):
    from scipy.signal import firwin

    taps = torch.from_numpy(np.array(firwin(513, 300, fs=24_000, window="blackmanharris"))).float()
    low_pass = nn.Conv1d(1, 1, 513, stride=32)
    low_pass.weight.data = taps[None, None]
    low_pass.bias = nn.Parameter(torch.tensor([bias]))
    encoder = encoder_of(
        low_pass, [Stage("first_layer", 1, 32, 513, 512, "convolution")], {"first_layer": ""}
    )
    result = aliasing(Session(encoder)).isel(stage=0)
    told = result.bank_share.notnull().all("component")
    assert 10 < told.sum() < result.sizes["frequency"]
    np.testing.assert_allclose(result.bank_share.sel(component="fold")[told], 1, atol=1e-3)
    assert (result.share.isel(channel=0).notnull().all("component") == told).all()
    assert int(result.n_below_floor) == (~told).sum()
    answered = result.similarity.notnull().any("frequency_2")
    assert 5 < answered.sum() < told.sum()  # at -30 dB
    assert (told | ~answered).all()


def test_repeat_runs_and_tile_sizes_agree():
    encoder = load("samplecnn_tiny")
    tones = coherent_partials(encoder, per_octave=1)
    one, same, other = (aliasing(Session(encoder, tile_seconds=s), tones) for s in (8.0, 8.0, 20.0))
    for name in one.data_vars:
        np.testing.assert_array_equal(one[name], same[name], err_msg=str(name))
    loud = one.share.notnull() & other.share.notnull()
    assert float(abs(one.share - other.share).where(loud).max()) < 1e-2  # of channels near the floor
    np.testing.assert_allclose(one.bank_share, other.bank_share, atol=1e-5)


def test_tones_that_do_not_fit_are_refused():
    encoder = load("control:decimator")
    with pytest.raises(InputError, match="has no whole number of cycles in the window of 3232 samples"):
        aliasing(Session(encoder), partials(100, 1000, per_octave=3))
    with pytest.raises(InputError, match=r"n_samples 1000: the hop of stage 'first_layer', 320 samples"):
        aliasing(Session(encoder), n_samples=1000)
    with pytest.raises(InputError, match="aliasing: takes single partials"):
        aliasing(Session(encoder), coherent_pairs(encoder))
    with pytest.raises(InputError, match="intermodulation: every stimulus must have two partials"):
        intermodulation(Session(encoder), coherent_partials(encoder))
    with pytest.raises(InputError, match="has no such stage"):
        aliasing(Session(encoder, ["latent"]))
