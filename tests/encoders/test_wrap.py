import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders import InputError, load, wrap
from tonotopy.encoders.abilities import Decodes
from tonotopy.encoders.geometry import Layer, receptive_field

RATE = 8_000


@pytest.fixture(autouse=True)
def drawn_the_same_each_time():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


DOWN = ("downsample1", "downsample2", "downsample3")


def fields(encoder) -> dict[str, int | None]:
    return {name: stage.receptive_field for name, stage in encoder.stages.items()}


class Spectral(nn.Module):
    """Log spectrogram, 2-d convolution, pooling over time, classifier; takes [B, T]."""

    def __init__(self) -> None:
        super().__init__()
        self.power = Power()
        self.conv = nn.Conv2d(1, 4, 3, padding=1, stride=(2, 2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(4, 2)

    def forward(self, waveforms):
        assert waveforms.ndim == 2
        image = torch.log(1e-3 + self.power(waveforms))[:, None]
        return self.classify(self.pool(self.conv(image)).flatten(1))


class Power(nn.Module):
    def forward(self, waveforms):
        return torch.stft(
            waveforms, 64, 32, window=torch.hann_window(64), center=False, return_complex=True
        ).abs()


class Sequence(nn.Module):
    """Frames, a channel-last projection, and what may follow it."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(160, 16)
        self.attend = nn.MultiheadAttention(16, 4, batch_first=True)
        self.transform = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.recur = nn.LSTM(16, 12)
        self.recur_batch_first = nn.GRU(12, 8, batch_first=True)

    def forward(self, waveforms):
        frames = self.project(waveforms[:, 0].unfold(-1, 160, 80))
        frames = self.transform(self.attend(frames, frames, frames)[0])
        return self.recur_batch_first(self.recur(frames.transpose(0, 1))[0].transpose(0, 1))


class Just(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, waveforms):
        return self.function(waveforms)


def heard_by(function, **options: Any):
    return wrap(nn.Sequential(Just(function)), RATE, {"stage": "0"}, **options)


def test_plain_convolutions(predicted, noise):
    first, second = nn.Conv1d(1, 8, 5, stride=3, padding=1), nn.Conv1d(8, 6, 3, stride=2, dilation=2)
    module = nn.Sequential(first, nn.ReLU(inplace=True), second, nn.Tanh())
    encoder: Any = wrap(module, RATE, {"latent": "2", "first_layer": "0", "bounded": "3"})
    assert list(encoder.stages) == ["first_layer", "latent", "bounded"]  # as they are reached
    layers = [Layer(5, 3, left_padding=1), Layer(3, 2, dilation=2)]
    for stage, depth in (("first_layer", 1), ("latent", 2), ("bounded", 2)):
        known, expected = encoder.stages[stage], receptive_field(layers[:depth])
        assert (known.hop, known.receptive_field, known.latency) == (
            expected.hop, expected.receptive_field, expected.latency,
        )  # fmt: skip
    assert [stage.kind for stage in encoder.stages.values()] == ["convolution", "nonlinear", "nonlinear"]
    # the weights themselves, in float64
    assert np.array_equal(encoder.kernels("first_layer"), first.weight[:, 0].detach().double().numpy())
    assert encoder.kernels("latent") is None
    # what works in place further on does not change what was heard before it
    waveforms = noise(2, 900)
    both = encoder.run(waveforms, ["first_layer", "bounded"])
    assert torch.equal(both["first_layer"], encoder.run(waveforms, ["first_layer"])["first_layer"])
    expected, frames = predicted(encoder, "first_layer", waveforms)
    assert first.bias is not None
    heard = both["first_layer"] - first.bias.detach()[:, None]
    np.testing.assert_allclose(heard[:, :, frames].transpose(1, 2), expected, atol=1e-6)


def test_a_cascade_of_convolutions_is_one(predicted, noise):
    module = nn.Sequential(nn.Conv1d(1, 4, 6, stride=2), nn.Conv1d(4, 3, 5, stride=3, dilation=2, bias=False))
    encoder = wrap(module, RATE, {"first_layer": "1"})
    assert encoder.stages["first_layer"].kind == "convolution"
    waveforms = noise(2, 600)
    expected, frames = predicted(encoder, "first_layer", waveforms)
    heard = encoder.run(torch.cat([waveforms, torch.zeros(1, 600)]), ["first_layer"])["first_layer"]
    response = (heard - heard[2])[:2, :, frames].transpose(1, 2)
    np.testing.assert_allclose(response, expected, atol=1e-6)


def test_weights_that_are_zero_still_hear():
    conv = nn.Conv1d(1, 2, 9)
    nn.init.zeros_(conv.weight)
    encoder = wrap(nn.Sequential(conv), RATE, {"first_layer": "0"})
    assert fields(encoder) == {"first_layer": 9}


def test_the_stack_of_encodec():
    from encodec.modules.seanet import SEANetEncoder

    with pytest.warns(FutureWarning, match="weight_norm"):
        module = SEANetEncoder(causal=True, n_filters=2, dimension=4)
    taps = {
        "first_layer": 0,
        "downsample1": 3,
        "downsample2": 6,
        "downsample3": 9,
        "stack_end": 12,
        "lstm": 13,
    }
    encoder = wrap(module, 24_000, {stage: f"model.{index}" for stage, index in taps.items()})
    stages = encoder.stages.values()
    assert [stage.receptive_field for stage in stages] == [7, 12, 30, 118, 798, None]
    assert [stage.hop for stage in stages] == [1, 2, 8, 40, 320, 320]
    assert [stage.latency for stage in stages] == [0, 1, 7, 39, 319, 319]
    assert [stage.kind for stage in stages] == ["convolution", *["nonlinear"] * 5]


@pytest.mark.parametrize(
    "name",
    [
        "filterbank:stft",
        "filterbank:stft_magnitude",
        "filterbank:gammatone",
        "control:decimator",
        "control:rectifier",
    ],
)
def test_the_controls_are_found_out(name):
    control: Any = load(name)
    module = nn.Sequential(control.module)
    encoder: Any = wrap(module, 24_000, {"first_layer": "0"}, prepare=lambda waveforms: waveforms)
    assert encoder.stages == control.stages
    if control.kernels("first_layer") is not None:
        np.testing.assert_allclose(encoder.kernels("first_layer"), control.kernels("first_layer"), atol=1e-6)


def test_two_dimensional_convolutions():
    encoder = wrap(Spectral(), RATE, {"spectrum": "power", "latent": "conv"})
    assert encoder.stages["spectrum"].channels == 33
    assert encoder.stages["latent"].channels == 4 * 17
    assert [(s.hop, s.receptive_field, s.latency) for s in encoder.stages.values()] == [
        (32, 64, 63),
        (64, 128, 95),
    ]
    waveforms = torch.randn(2, 700)
    heard = encoder.run(waveforms, ["latent"])["latent"]
    module: Any = encoder.module
    image = torch.log(1e-3 + module.power(waveforms))[:, None]
    torch.testing.assert_close(heard, module.conv(image).flatten(1, 2))


def test_channel_last_recurrent_and_tuple_outputs():
    taps = {stage: stage for stage in ("project", "attend", "transform", "recur", "recur_batch_first")}
    encoder = wrap(Sequence(), RATE, taps)
    assert list(fields(encoder).values()) == [160, None, None, None, None]
    assert [stage.channels for stage in encoder.stages.values()] == [16, 16, 16, 12, 8]
    assert {stage.hop for stage in encoder.stages.values()} == {80}
    assert encoder.stages["project"].kind == "convolution"
    waveforms = torch.randn(3, 1200)
    heard = encoder.run(waveforms, list(taps))
    assert {tensor.shape[::2] for tensor in heard.values()} == {(3, 14)}
    whole = encoder.module(waveforms[:, None])[0]
    torch.testing.assert_close(heard["recur_batch_first"], whole.transpose(1, 2))


def test_an_lstm_hears_the_past_only():
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.lstm = nn.Conv1d(1, 4, 80, stride=40), nn.LSTM(4, 4)

        def forward(self, waveforms):
            return self.lstm(self.conv(waveforms).permute(2, 0, 1))

    stage = wrap(Recurrent(), RATE, {"latent": "lstm"}).stages["latent"]
    assert (stage.hop, stage.receptive_field, stage.latency) == (40, None, 79)


def test_a_norm_over_time_hears_everything():
    module = nn.Sequential(nn.Conv1d(1, 4, 3), nn.GroupNorm(1, 4))
    assert fields(wrap(module, RATE, {"a": "0", "b": "1"})) == {"a": 3, "b": None}


def test_a_norm_over_time_is_as_late_as_its_frames_are():
    module = nn.Sequential(nn.Conv1d(1, 4, 10, stride=5), nn.GroupNorm(1, 4), nn.Conv1d(4, 3, 6, stride=2))
    encoder = wrap(module, RATE, {"latent": "2"})
    stage = encoder.stages["latent"]
    assert (stage.hop, stage.receptive_field, stage.latency) == (10, None, 9 + 5 * 5)
    for frames in (20, 21):
        n_samples = (frames - 1) * stage.hop + stage.latency + 1
        heard = encoder.run(torch.zeros(1, n_samples), ["latent"])["latent"]
        assert heard.shape[-1] == frames


def test_weights_that_are_no_numbers_are_named():
    module = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU())
    with torch.no_grad():
        module[0].weight[1, 0, 2] = torch.nan
    with pytest.raises(InputError, match=r"Sequential: 0\.weight holds NaN"):
        wrap(module, RATE, {"first_layer": "0"})


def test_what_hides_nan_is_measured_by_other_sound():
    one = heard_by(lambda x: torch.nan_to_num(x[..., 4:]))
    assert (fields(one), one.stages["stage"].latency) == ({"stage": 1}, 4)
    # one way shows its three samples, the other hides what it hears farther off
    two = heard_by(lambda x: x[..., 9:] + x[..., 8:-1] + x[..., 7:-2] + torch.nan_to_num(x[..., :-9]))
    assert (fields(two), two.stages["stage"].latency) == ({"stage": 10}, 9)


def test_gaps_belong_to_the_field():
    encoder = heard_by(lambda x: x[..., 12:] - x[..., :-12])
    assert fields(encoder) == {"stage": 13}
    kernels = encoder.kernels("stage")
    assert kernels is not None
    np.testing.assert_allclose(kernels, [[-1, *[0] * 11, 1]], atol=1e-7)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.abs(),
        lambda x: x**2,
        lambda x: nn.functional.elu(x),
        lambda x: x * torch.sin(torch.arange(x.shape[-1])),  # linear, but not the same in every frame
        lambda x: x + torch.sin(torch.arange(x.shape[-1])),  # what silence gives moves
    ],
)
def test_what_is_not_a_convolution(function):
    encoder = heard_by(function)
    assert (encoder.stages["stage"].kind, encoder.kernels("stage")) == ("nonlinear", None)


def test_integers_are_codes():
    stage = heard_by(lambda x: (x[..., ::10] > 0).long()).stages["stage"]
    assert (stage.kind, stage.hop, stage.channels) == ("codes", 10, 1)


def test_a_stage_that_is_not_there_names_those_that_are():
    with pytest.raises(
        InputError, match="stage 'first_layer': Spectral has no submodule 'convv'; it has conv, "
    ) as raised:
        wrap(Spectral(), RATE, {"first_layer": "convv"})
    assert all(name in str(raised.value) for name in ("power", "pool", "classify"))
    with pytest.raises(InputError, match="no stages given; its submodules are power, conv"):
        wrap(Spectral(), RATE, {})


@pytest.mark.parametrize("tap", ["pool", "classify"])
def test_a_stage_without_time(tap):
    with pytest.raises(InputError, match=r"stage 'end': has no time axis: .*before the pooling over time"):
        wrap(Spectral(), RATE, {"end": tap})


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: nn.functional.interpolate(x, scale_factor=2.0), "no fixed hop"),
        (lambda x: nn.functional.interpolate(x, size=x.shape[-1] * 2 // 3), "no fixed hop"),
        (lambda x: x[..., : int(x.shape[-1] ** 0.9)], "no fixed hop"),
        (lambda x: x.transpose(1, 2) @ x, "one batch axis and one time axis, has 1 and 2"),
        (lambda x: x.flatten(), "one batch axis and one time axis"),
        (lambda x: "sound", "gives str, not a tensor"),
        (lambda x: x.reshape(len(x), -1, 100), "refuses waveforms of"),
        (lambda x: x.no_such_thing, "its forward pass fails .*no_such_thing"),
        (lambda x: x.unfold(-1, 10**9, 1), r"takes neither \[B, 1, T\] \(.*\) nor \[B, T\] \("),
    ],
)
def test_what_cannot_be_wrapped_is_told_in_one_line(function, message):
    with pytest.raises(InputError, match=message) as raised:
        heard_by(function)
    assert not re.search(r"\n", str(raised.value))


def test_prepare_makes_what_the_module_takes():
    module = nn.Sequential(nn.Conv1d(2, 3, 4))
    encoder: Any = wrap(
        module, RATE, {"first_layer": "0"}, name="stereo", prepare=lambda x: torch.stack([x, -x], dim=1)
    )
    assert (encoder.name, encoder.stages["first_layer"].kind) == ("stereo", "convolution")
    weight: Any = module[0].weight
    np.testing.assert_allclose(
        encoder.kernels("first_layer"), (weight[:, 0] - weight[:, 1]).detach().numpy(), atol=1e-6
    )


def test_wrapping_changes_neither_weights_nor_the_random_state():
    module = nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.Dropout())
    before, state = torch.get_rng_state(), {k: v.clone() for k, v in module.state_dict().items()}
    encoder = wrap(module, RATE, {"first_layer": "0", "latent": "2"})
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    assert encoder.weights.source == "given"
    assert not any(part._forward_hooks for part in module.modules())


def test_the_random_baseline_is_drawn_anew_and_never_by_half():
    module = nn.Sequential(nn.Conv1d(1, 4, 8, stride=4), nn.BatchNorm1d(4))
    encoder: Any = wrap(module, RATE, {"first_layer": "0", "latent": "1"})
    one, same, other = (encoder.randomised(seed) for seed in (1, 1, 2))
    assert one.stages == encoder.stages
    assert len({twin.weights.sha256 for twin in (encoder, one, other)}) == 3
    assert one.weights.sha256 == same.weights.sha256
    with torch.no_grad():  # as nothing says how they are drawn
        module.register_parameter("gain", nn.Parameter(torch.ones(1)))
    scaled: Any = wrap(module, RATE, {"latent": "1"})
    assert scaled.randomised(0).module.gain == 1  # which no stage hears
    heard: Any = wrap(_Table(module), RATE, {"latent": "module.1"})
    with pytest.raises(InputError, match=r"nothing says how 'table' is initialised; give wrap\(..., make="):
        heard.randomised(0)
    assert heard.randomised(0, "permuted").weights.source == "permuted"


class _Table(nn.Module):
    """Multiplies by what it has learned into a buffer."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("table", torch.full((2, 3), 0.5))

    def forward(self, waveforms):
        return self.module(waveforms * self.table.mean())


class Codec(nn.Module):
    """Gives its latent as [B, F, C]."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(20, 6)
        self.back = nn.Linear(6, 20)

    def forward(self, waveforms):
        return self.decode(self.project(waveforms[:, 0].unfold(-1, 20, 20)))

    def decode(self, latent):
        return self.back(latent).flatten(1)[:, None]


@pytest.mark.parametrize("form", ["method", "function", "bound"])
def test_decode_takes_the_latent_as_the_module_gives_it(form):
    net = Codec()
    decode: Any = {
        "method": Codec.decode, "function": lambda net, latent: net.decode(latent), "bound": net.decode
    }[form]  # fmt: skip
    encoder = wrap(net, RATE, {"latent": "project"}, decode=decode)
    sounds = torch.randn(3, 200)
    assert isinstance(encoder, Decodes)
    assert torch.allclose(
        encoder.decode(encoder.run(sounds, ["latent"])["latent"]), net(sounds[:, None])[:, 0]
    )
    baseline: Any = encoder.randomised(7)
    latent = torch.randn(2, 6, 5)
    assert torch.allclose(baseline.decode(latent), baseline.module.decode(latent.movedim(1, 2))[:, 0])
    assert not torch.allclose(baseline.decode(latent), encoder.decode(latent))


@pytest.mark.parametrize(
    ("stages", "decode", "message"),
    [
        ({"latent": "project"}, "bak", r"decode: Codec has no submodule 'bak'; it has back, project"),
        (
            {"latent": "project"},
            lambda latent: latent,
            r"cannot be called as decode\(module, latent\) with latent",
        ),
        ({"latent": "project"}, lambda net, latent: latent, r"decode: gives \(2, 100, 6\) of 100 frames"),
        ({"mine": "project"}, "back", "decode: takes the stage 'latent'; Codec has mine"),
        ({"latent": "project"}, nn.Linear(6, 20), "decode: is no submodule of Codec"),
    ],
)
def test_a_decoder_that_does_not_fit_is_refused(stages, decode, message):
    with pytest.raises(InputError, match=message):
        wrap(Codec(), RATE, stages, decode=decode)


def test_a_decoder_in_double_precision():
    encoder = wrap(Codec().double(), RATE, {"latent": "project"}, decode=Codec.decode)
    latent = encoder.run(torch.randn(2, 200), ["latent"])["latent"]
    assert latent.dtype == encoder.decode(latent).dtype == torch.float32


def test_without_a_decoder_it_does_not_decode():
    assert not isinstance(wrap(Codec(), RATE, {"latent": "project"}), Decodes)


def test_submodules_alone_are_stages_by_their_own_names():
    encoder = wrap(nn.Sequential(nn.Conv1d(1, 3, 4, stride=2), nn.ReLU()), RATE, ["0", "1"])
    assert list(encoder.stages) == ["0", "1"]


def test_a_name_that_is_nearly_canonical_is_warned_of():
    net = nn.Sequential(nn.Conv1d(1, 3, 4, stride=2))
    with pytest.warns(UserWarning, match="stage 'laten': .* the canonical one is 'latent'"):
        encoder = wrap(net, RATE, {"laten": "0"})
    encoder.randomised(0)  # is not warned of again
    wrap(net, RATE, {"quantized_1": "0"})


def test_an_encoder_shows_itself_and_takes_numpy():
    encoder = wrap(nn.Sequential(nn.Conv1d(1, 3, 4, stride=2)), RATE, {"latent": "0"})
    assert repr(encoder) == "<ModuleEncoder 'Sequential': 8000 Hz; channels x hop: latent 3 x 2>"
    sounds = np.random.default_rng(0).standard_normal((2, 50))
    assert torch.equal(
        encoder.run(sounds, "latent")["latent"],
        encoder.run(torch.from_numpy(sounds).float(), ["latent"])["latent"],
    )
    with pytest.raises(InputError, match=r"no such stage \(did you mean latent\?\); it has latent"):
        encoder.run(sounds, ["latnt"])
