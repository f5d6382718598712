"""Modules of the forms that people have: each kind with its right value."""

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from tonotopy.encoders import InputError, check, wrap, wrap_function
from tonotopy.encoders.abilities import Redraws
from tonotopy.probes import Session, selectivity
from tonotopy.synth import partials

RATE = 16_000


@pytest.fixture(autouse=True)
def drawn_the_same_each_time():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def front(stride: int = 16, kernel: int = 64) -> nn.Conv1d:
    return nn.Conv1d(1, 8, kernel, stride=stride)


class Just(nn.Module):
    """A front end, and a function of what it gives."""

    def __init__(self, function, conv=None) -> None:
        super().__init__()
        self.conv, self.function = conv or front(), function

    def forward(self, waveforms):
        return self.function(self.conv(waveforms))


def geometry(encoder) -> tuple[int, int | None, int]:
    (stage,) = encoder.stages.values()
    return stage.hop, stage.receptive_field, stage.latency


# Geometry


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lstm = front(320, 400), nn.LSTM(8, 4, batch_first=True, bidirectional=True)

    def forward(self, waveforms):
        return self.lstm(self.conv(waveforms).mT)[0]


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.attend = front(320, 400), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, waveforms):
        return self.attend(self.conv(waveforms).mT)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Conv1d(1, 4, 400, stride=320), nn.GroupNorm(1, 4)),
        nn.Sequential(nn.Conv1d(1, 4, 400, stride=320), nn.InstanceNorm1d(4)),
        Recurrent(),
        Attending(),
    ],
    ids=["group norm", "instance norm", "lstm both ways", "transformer"],
)
def test_what_hears_everything_behind_a_front_end_without_padding(module):
    assert geometry(wrap(module, RATE, {"latent": ""})) == (320, None, 399)


@pytest.mark.parametrize("kernel", [1601, 3801, 7001])
def test_a_wide_field_that_is_padded(kernel):
    encoder = wrap(nn.Sequential(nn.Conv1d(1, 2, kernel, stride=100, padding=kernel // 2)), RATE, {"a": "0"})
    assert geometry(encoder) == (100, kernel, kernel // 2)
    assert encoder.stages["a"].kind == "convolution"


@pytest.mark.parametrize("padding", [0, 20, 49])
def test_gaps_between_frames(padding):
    encoder = wrap(nn.Sequential(nn.Conv1d(1, 2, 100, stride=320, padding=padding)), RATE, {"a": "0"})
    assert geometry(encoder) == (320, 100, 99 - padding)


def test_a_hop_of_seconds():
    assert geometry(wrap(nn.Sequential(nn.Conv1d(1, 2, 8, stride=20_000)), RATE, {"a": "0"})) == (
        20_000,
        8,
        7,
    )


class Scaled(nn.Module):
    """Something before the layer scales what comes, as where samples are integers."""

    def __init__(self, before=1.0, crop=0) -> None:
        super().__init__()
        self.conv, self.before, self.crop = front(), before, crop

    def forward(self, waveforms):
        return self.conv(waveforms * self.before)[..., self.crop :]


@pytest.mark.parametrize(("before", "crop"), [(0.5, 0), (32_768.0, 0), (1.0, 3), (2.0, 9)])
def test_scaled_and_cropped_convolutions_are_convolutions(before, crop):
    module = Scaled(before, crop)
    encoder: Any = wrap(module, RATE, {"latent": ""})
    assert geometry(encoder) == (16, 64, 63 + 16 * crop)
    expected = before * module.conv.weight[:, 0].detach().double().numpy()
    np.testing.assert_allclose(encoder.kernels("latent"), expected, atol=1e-6 * before)
    check(encoder)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_a_convolution_in_half_precision_is_one(precision):
    assert wrap(nn.Sequential(front()).to(precision), RATE, {"a": "0"}).stages["a"].kind == "convolution"


class Guarded(nn.Module):
    """Refuses what is louder than full scale."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = front()

    def forward(self, waveforms):
        if waveforms.abs().max() > 1:
            raise ValueError("louder than full scale")
        return self.conv(waveforms)


def test_what_refuses_loud_sounds_is_measured_below():
    encoder = wrap(Guarded(), RATE, {"latent": ""})
    assert geometry(encoder) == (16, 64, 63)
    assert encoder.stages["latent"].kind == "convolution"


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = front()

    def forward(self, waveforms):
        waveforms -= waveforms.mean(-1, keepdim=True)
        return self.conv(waveforms.mul_(2))


def test_what_works_in_place_leaves_the_sound_alone(noise):
    encoder = wrap(InPlace(), RATE, {"latent": ""})
    waveforms = noise(2, 900)
    kept = waveforms.clone()
    first = encoder.run(waveforms, ["latent"])["latent"]
    assert torch.equal(waveforms, kept)
    assert torch.equal(encoder.run(waveforms, ["latent"])["latent"], first)


# Others in a batch, chance, and what played before


def over_the_batch(values):
    return values / values.abs().max()


def limited(values):
    level = 20 * values.abs().clamp(min=1e-10).log10()
    return level.clamp(min=level.max() - 80)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(front(), nn.BatchNorm1d(8, track_running_stats=False), nn.ReLU()),
        Just(over_the_batch),
        Just(limited, nn.Conv1d(1, 8, 64, stride=16, bias=False)),
    ],
    ids=["statistics of the batch", "peak of the batch", "80 dB below the batch's maximum"],
)
def test_a_sound_is_played_alone_where_others_would_matter(module, noise):
    with pytest.warns(UserWarning, match="depends on the other sounds of a batch: they are played one at"):
        encoder = wrap(module, RATE, {"latent": ""})
    waveforms = torch.cat([noise(1, 4000), 100 * noise(1, 4000)])
    found = encoder.run(waveforms, ["latent"])["latent"]
    for row in range(2):
        assert torch.equal(found[row], encoder.run(waveforms[row : row + 1], ["latent"])["latent"][0])
    check(encoder)


def test_tuning_does_not_depend_on_how_many_play_at_once():
    module = nn.Sequential(front(), nn.BatchNorm1d(8, track_running_stats=False), nn.ReLU())
    with pytest.warns(UserWarning, match="one at a time"):
        encoder = wrap(module, RATE, {"latent": "2"})
    tones = partials(200, 6000, per_octave=4)
    best = [
        selectivity(Session(encoder, tile_seconds=seconds), tones).best_frequency.values
        for seconds in (0.3, 1.0, 8.0)
    ]
    np.testing.assert_array_equal(best[0], best[1])
    np.testing.assert_array_equal(best[0], best[2])


def test_sounds_that_others_do_not_touch_play_together():
    encoder = wrap(nn.Sequential(front(), nn.BatchNorm1d(8), nn.ReLU()), RATE, {"latent": "2"})
    assert not encoder.singly
    assert not encoder.noisy
    assert not encoder.restores
    assert not encoder.weights.note


def plus_noise(values):
    return values + 0.05 * torch.randn_like(values)


def test_noise_is_found_and_stands_beside_the_response():
    with pytest.warns(UserWarning, match="noise in its forward pass, at latent$"):
        encoder: Any = wrap(Just(plus_noise), RATE, {"first_layer": "conv", "latent": ""})
    assert encoder.noisy == ("latent",)
    for stage in encoder.stages.values():  # the noise hides nothing of what lies below it
        assert (stage.hop, stage.receptive_field, stage.latency, stage.kind) == (16, 64, 63, "convolution")
    np.testing.assert_allclose(encoder.kernels("latent"), encoder.kernels("first_layer"), atol=1e-6)
    tuning = selectivity(Session(encoder), partials(200, 6000, per_octave=4, level_dbfs=-60.0))
    floor = tuning.noise_floor
    assert not floor.sel(stage="first_layer").any()
    np.testing.assert_allclose(floor.sel(stage="latent"), 0.05 * 2**0.5, rtol=0.5)
    rms = 10 ** (-60 / 20) / 2**0.5
    assert (tuning.peak_response.sel(stage="latent") * rms < 3 * floor.sel(stage="latent")).all()
    check(encoder)


class OwnNoise(nn.Module):
    """Draws from numpy, from Python, or from a generator of its own."""

    def __init__(self, source) -> None:
        super().__init__()
        self.conv, self.source = front(), source
        self.torch, self.numpy = torch.Generator(), np.random.default_rng(0)

    def forward(self, waveforms):
        found = self.conv(waveforms)
        if self.source == "own":
            noise = torch.randn(found.shape, generator=self.torch)
        else:
            draw = np.random.normal if self.source == "numpy" else self.numpy.normal
            noise = torch.from_numpy(draw(size=found.shape)).float()
        return found + 0.05 * noise


@pytest.mark.parametrize("source", ["own", "numpy", "numpy's newer"])
def test_noise_from_elsewhere_is_noise(source):
    module = OwnNoise(source)
    own, numpys = module.torch.get_state(), str(np.random.get_state())  # noqa: NPY002
    with pytest.warns(UserWarning, match="^OwnNoise: there is noise in its forward pass, at latent$"):
        encoder = wrap(module, RATE, {"latent": ""})
    assert encoder.noisy == ("latent",)
    assert not encoder.restores
    assert geometry(encoder) == (16, 64, 63)
    assert encoder.stages["latent"].kind == "convolution"
    assert torch.equal(module.torch.get_state(), own)
    assert str(np.random.get_state()) == numpys  # noqa: NPY002


def test_dropout_that_is_always_at_work_is_no_convolution():
    with pytest.warns(UserWarning, match="noise in its forward pass"):
        encoder = wrap(Just(lambda values: nn.functional.dropout(values, 0.3)), RATE, {"latent": ""})
    assert encoder.stages["latent"].kind == "nonlinear"
    assert geometry(encoder) == (16, 64, 63)


class Running(nn.Module):
    """Divides by a running level, a buffer; counts its calls, and keeps the last sound."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = front()
        self.register_buffer("level", torch.ones(()))
        self.calls, self.last, self.seen = 0, None, []

    def forward(self, waveforms):
        self.level.mul_(0.9).add_(0.1 * waveforms.abs().mean())
        self.calls, self.last = self.calls + 1, waveforms
        self.seen.append(len(waveforms))
        return self.conv(waveforms) / self.level


class Pinned(nn.BatchNorm1d):
    """Stays in training mode."""

    def train(self, mode: bool = True):
        return super().train(True)


@pytest.mark.parametrize(
    "make", [Running, lambda: nn.Sequential(front(), Pinned(8))], ids=["running level", "pinned norm"]
)
def test_what_a_module_keeps_is_as_before(make, noise):
    module = make()
    before = copy.deepcopy(module)
    with pytest.warns(UserWarning, match="every run starts from what it held at first"):
        encoder = wrap(module, RATE, {"latent": ""})
    loud, quiet = noise(1, 4000), 0.01 * noise(1, 3000)
    first = encoder.run(loud, ["latent"])["latent"]
    encoder.run(quiet, ["latent"])
    assert torch.equal(encoder.run(loud, ["latent"])["latent"], first)
    for key, values in before.state_dict().items():
        assert torch.equal(module.state_dict()[key], values), key
    if isinstance(module, Running):
        assert (module.calls, module.last, module.seen) == (0, None, [])


class Once(nn.Module):
    """Takes its level from the first sound that it hears; keeps things in containers, objects and arrays."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.level = front(), None
        self.inside = {"level": torch.ones(1), "list": [0, [1]], "array": np.zeros(2)}

    def forward(self, waveforms):
        if self.level is None:
            self.level = waveforms.abs().mean() + 0.1
        self.inside["level"].mul_(0.9).add_(0.1 * waveforms.abs().mean())
        self.inside["array"] += float(waveforms.abs().mean())
        self.inside["list"][1].append(1)
        return self.conv(waveforms) / self.level / self.inside["level"]


@pytest.mark.parametrize("piece", [None, 500])
def test_what_keeps_something_has_baselines(piece):
    with pytest.warns(UserWarning, match="every run starts from what it held at first"):
        encoder: Any = wrap(nn.Sequential(Running(), nn.ReLU()), RATE, {"latent": "1"}, piece=piece)
    before = encoder.module[0].conv.weight.detach()
    drawn = encoder.randomised(0, "matched")
    note = drawn.weights.note
    assert "1 layers at the trained level, within 0." in note
    assert not torch.equal(drawn.module[0].conv.weight, before)
    assert (drawn.module[0].level, drawn.module[0].calls) == (1, 0)


def test_what_is_set_by_the_first_sound_is_set_by_each(noise):
    module = Once()
    with pytest.warns(UserWarning, match="every run starts from what it held at first"):
        encoder = wrap(module, RATE, {"latent": ""})
    assert module.level is None
    assert module.inside["level"] == 1
    assert module.inside["list"] == [0, [1]]
    assert not module.inside["array"].any()
    quiet, loud = noise(1, 2000), 100 * noise(1, 3000)
    first = encoder.run(quiet, ["latent"])["latent"]
    encoder.run(loud, ["latent"])
    assert torch.equal(encoder.run(quiet, ["latent"])["latent"], first)


class Seldom(nn.Module):
    """Leaves a layer out one time in five."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = front()

    def forward(self, waveforms):
        return self.conv(waveforms) * (1 if torch.rand(()) < 0.8 else 2)


def test_noise_that_is_seldom_is_found():
    with pytest.warns(UserWarning, match="noise in its forward pass"):
        assert wrap(Seldom(), RATE, {"latent": ""}).noisy == ("latent",)


# Submodules that are called several times, scripts, and outputs


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.act = nn.Conv1d(1, 4, 8, stride=4), nn.Conv1d(4, 4, 3), nn.ReLU()

    def forward(self, waveforms):
        return self.act(self.two(self.act(self.one(waveforms))))


def test_a_call_is_named(noise):
    with pytest.raises(InputError, match=r"'act' is called 2 times .* name one of them, 'act:0' to 'act:1'"):
        wrap(Twice(), RATE, {"latent": "act"})
    module = Twice()
    encoder: Any = wrap(module, RATE, {"shallow": "act:0", "latent": "act:1"})
    assert {s: stage.receptive_field for s, stage in encoder.stages.items()} == {"shallow": 8, "latent": 16}
    found = encoder.run(waveforms := noise(2, 900), ["shallow", "latent"])
    with torch.no_grad():
        assert torch.equal(found["shallow"], module.one(waveforms[:, None]).relu())
        assert torch.equal(found["latent"], module(waveforms[:, None]))
    assert encoder.stages_from("shallow") == ("latent",)
    check(encoder)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_a_scripted_module_gives_its_output(noise):
    scripted = torch.jit.script(nn.Sequential(front(), nn.ReLU()))
    encoder = wrap(scripted, RATE, {"latent": ""})
    assert geometry(encoder) == (16, 64, 63)
    with torch.no_grad():
        expected = scripted(noise(1, 900)[:, None])
    torch.testing.assert_close(encoder.run(noise(1, 900), ["latent"])["latent"], expected)
    with pytest.raises(InputError, match="'0' lies within a scripted module, or is one; such give"):
        wrap(scripted, RATE, {"latent": "0"})


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_a_scripted_part_gives_its_output_where_it_is_the_whole():
    module = nn.Sequential(torch.jit.script(front()), nn.ReLU())
    with pytest.raises(InputError, match="'0' lies within a scripted module, or is one"):
        wrap(module, RATE, {"latent": "0"})
    assert geometry(wrap(module, RATE, {"latent": "1"})) == (16, 64, 63)


@dataclasses.dataclass
class Output:
    loss: torch.Tensor | None
    hidden: torch.Tensor


@pytest.mark.parametrize(
    "form", [lambda h: (None, h), lambda h: [None, (h, 1)], lambda h: Output(None, h), lambda h: {"a": h}]
)
def test_the_first_tensor_is_recorded_wherever_it_lies(form):
    encoder = wrap(Just(form), RATE, {"latent": ""})
    assert encoder.stages["latent"].kind == "convolution"


# Types


@pytest.mark.parametrize("prepare", [None, lambda waveforms: waveforms[:, None].double()])
def test_double_precision(prepare, noise):
    module = nn.Sequential(front()).double()
    encoder = wrap(module, RATE, {"first_layer": "0"}, prepare=prepare)
    assert encoder.stages["first_layer"].kind == "convolution"
    assert encoder.run(noise(1, 900), ["first_layer"])["first_layer"].dtype == torch.float32
    check(encoder)


def test_half_precision():
    encoder = wrap(nn.Sequential(front()).bfloat16(), RATE, {"first_layer": "0"})
    assert geometry(encoder) == (16, 64, 63)
    assert encoder.run(torch.zeros(1, 900), ["first_layer"])["first_layer"].dtype == torch.float32


def test_lazy_parameters():
    module = nn.Sequential(nn.LazyConv1d(8, 64, stride=16), nn.ReLU(), nn.LazyConv1d(4, 3))
    assert wrap(module, RATE, {"first_layer": "0", "latent": "2"}).stages["latent"].receptive_field == 96


def test_no_values():
    with pytest.raises(InputError, match=r"0\.weight lies on the meta device and holds no values"):
        wrap(nn.Sequential(nn.Conv1d(1, 8, 64, device="meta")), RATE, {"a": "0"})


@pytest.mark.parametrize("rate", [np.int64(RATE), float(RATE), np.float32(RATE), np.array(RATE)])
def test_a_rate_is_any_whole_number(rate):
    encoder = wrap(nn.Sequential(front()), rate, {"a": "0"})
    assert encoder.sample_rate == RATE
    assert type(encoder.sample_rate) is int


@pytest.mark.parametrize("rate", [RATE + 0.5, "16k", 0, -1, True, float("nan"), float("inf"), None])
def test_a_rate_that_is_none(rate):
    with pytest.raises(InputError, match=r"^sample_rate .*: must be a whole number of samples above 0$"):
        wrap(nn.Sequential(front()), rate, {"a": "0"})


# What cannot be played to says why


class Wants(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = front()

    def forward(self, waveforms, lengths, scale=1.0):
        return self.conv(waveforms) * scale


class Raises(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = front()

    def forward(self, waveforms):
        raise RuntimeError("no licence found")


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (Wants(), {}, "needs lengths besides the waveforms"),
        (Raises(), {}, "its forward pass fails .no licence found."),
        (
            nn.Sequential(front()),
            {"prepare": lambda w: w.no_such_thing},
            "what `prepare` makes .*no_such_thing",
        ),
    ],
)
def test_the_real_cause_is_named(module, options, message):
    with pytest.raises(InputError, match=message) as raised:
        wrap(module, RATE, {"latent": ""}, **options)
    assert len(str(raised.value)) < 500


# One length only


class Fixed(nn.Module):
    """Takes 6,000 samples."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv1d(1, 4, 9, padding=4), nn.AvgPool1d(100)
        self.attend = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)

    def forward(self, waveforms):
        if waveforms.shape[-1] != 6000:
            raise ValueError(f"needs 6000 samples, not {waveforms.shape[-1]}")
        return self.attend(self.pool(self.conv(waveforms)).mT).mean(1)


def test_pieces_of_one_length(noise):
    with pytest.raises(InputError, match=r"needs 6000 samples, not .*`piece` if it takes one length only"):
        wrap(Fixed(), RATE, {"latent": ""})
    module = Fixed()
    stages = {"first_layer": "conv", "stack_end": "pool", "attended": "attend", "latent": ""}
    encoder: Any = wrap(module, RATE, stages, piece=6000)
    assert {s: (stage.channels, stage.hop) for s, stage in encoder.stages.items()} == {
        "first_layer": (4, 1), "stack_end": (4, 100), "attended": (4, 100), "latent": (4, 6000),
    }  # fmt: skip
    assert {stage.latency for stage in encoder.stages.values()} == {5999}
    waveforms = noise(2, 14_000)
    found = encoder.run(waveforms, list(stages))
    assert {s: values.shape[2] for s, values in found.items()} == {
        "first_layer": 8001, "stack_end": 81, "attended": 81, "latent": 2,
    }  # fmt: skip
    with torch.no_grad():
        expected = [module(waveforms[:, None, i : i + 6000]) for i in (0, 6000)]
    torch.testing.assert_close(found["latent"], torch.stack(expected, 2))
    with pytest.raises(InputError, match="hears pieces of 6000 samples; the waveforms have 5999"):
        encoder.run(waveforms[:, :5999], ["latent"])
    check(encoder)


def test_frames_that_a_module_wants():
    module = nn.Sequential(nn.Linear(1024, 32), nn.ReLU(), nn.Linear(32, 8))
    encoder = wrap(module, RATE, {"first_layer": "0", "latent": "2"}, piece=1024)
    assert {(s.hop, s.receptive_field, s.latency) for s in encoder.stages.values()} == {(1024, 1024, 1023)}
    kernels: Any = encoder.kernels("first_layer")  # which is linear
    np.testing.assert_allclose(kernels, module[0].weight.detach().numpy(), atol=1e-6)
    check(encoder)


# What modules take, and what they hand back


class Alone(nn.Module):
    """Takes one sound at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = front()
        self.back = nn.ConvTranspose1d(8, 1, 16, stride=16)

    def forward(self, waveforms):
        if len(waveforms) != 1:
            raise ValueError("one at a time")
        return self.conv(waveforms).mT


def decode_one(module, latent):
    return module.back(latent.reshape(1, *latent.shape[1:]).mT)


def test_a_module_that_takes_one_sound_at_a_time(noise):
    with pytest.warns(UserWarning, match="it takes one sound at a time$"):
        encoder: Any = wrap(Alone(), RATE, {"latent": ""}, decode=decode_one)
    assert geometry(encoder) == (16, 64, 63)
    waveforms = noise(3, 1000)
    with torch.no_grad():
        expected = encoder.module.conv(waveforms[:, None])
    torch.testing.assert_close(encoder.run(waveforms, ["latent"])["latent"], expected)
    assert encoder.decode(expected).shape == (3, 16 * expected.shape[2])
    check(encoder)


def test_the_message_names_the_two_channels_needed():
    with pytest.raises(InputError, match=r"takes 2 channels; give `prepare=lambda x: x\[:, None\]\.expand"):
        wrap(nn.Sequential(nn.Conv1d(2, 4, 8), nn.ReLU()), RATE, {"latent": "1"})
    encoder = wrap(nn.Conv1d(2, 4, 8), RATE, {"a": ""}, prepare=lambda x: x[:, None].expand(-1, 2, -1))
    assert geometry(encoder) == (1, 8, 7)


class Transform(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(9))

    def forward(self, waveforms):
        frames = waveforms.squeeze(1).unfold(-1, 16, 16)
        return torch.fft.rfft(frames) * self.weight  # [B, F, 9], complex

    def decode(self, latent):
        return torch.fft.irfft(latent / self.weight, 16).flatten(1)


def test_complex_latents_are_decoded(noise):
    encoder: Any = wrap(Transform(), RATE, {"latent": ""}, decode=Transform.decode)
    assert encoder.stages["latent"].channels == 18
    latent = encoder.run(waveforms := noise(2, 640), ["latent"])["latent"]
    torch.testing.assert_close(encoder.decode(latent), waveforms)


@pytest.mark.filterwarnings("ignore:.torch.jit.* is deprecated")
def test_a_compiled_module_is_taken_as_it_was():
    module = nn.Sequential(front(), nn.ReLU())
    compiled: Any = torch.compile(module)
    encoder = wrap(compiled, RATE, {"first_layer": "0", "latent": "_orig_mod.1"}, fixed=["_orig_mod.0"])
    assert encoder.module is module
    assert encoder.name == "Sequential"
    assert encoder.stages["first_layer"].kind == "convolution"


def needs_thirds(waveforms):
    if waveforms.shape[-1] % 3 != 0:
        raise ValueError
    return waveforms


class Rated(nn.Module):
    def forward(self, waveforms, rate: int):
        return waveforms * rate


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_the_true_cause_is_named():
    with pytest.raises(InputError, match=r"fails .ValueError at: raise ValueError.;"):
        wrap(Just(needs_thirds, nn.Identity()), RATE, {"latent": ""})
    with pytest.raises(InputError, match="its forward pass needs rate besides the waveforms"):
        wrap(torch.jit.script(Rated()), RATE, {"latent": ""})
    with pytest.raises(InputError, match="or `piece` cut them to the one length that it takes"):
        wrap(Just(lambda values: values.reshape(len(values), 8, -1, 4), front(1, 1)), RATE, {"latent": ""})


class Counting(nn.Module):
    """Keeps a running level as scripts may: under a plain attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = front()
        self.level, self.calls, self.book = torch.ones(1), 0, nn.Buffer(torch.ones(1, 8, 1))

    def forward(self, waveforms):
        self.level = 0.5 * self.level + waveforms.abs().mean()
        self.calls += 1
        return self.conv(waveforms) * self.level * self.book


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_what_a_script_keeps_is_as_before(noise):
    scripted: Any = torch.jit.script(Counting())
    with pytest.warns(UserWarning, match="every run starts from what it held at first"):
        encoder: Any = wrap(scripted, RATE, {"latent": ""})
    assert not encoder.noisy
    first = encoder.run(loud := 100 * noise(1, 2000), ["latent"])["latent"]
    encoder.run(noise(1, 1500), ["latent"])
    assert torch.equal(encoder.run(loud, ["latent"])["latent"], first)
    assert (scripted.calls, float(scripted.level)) == (0, 1.0)
    with pytest.raises(InputError, match=r"nothing says how 'scripted.*' is initialised"):
        encoder.randomised(0)
    encoder.randomised(0, "permuted")


# Baselines


def test_a_constant_that_matters_is_not_taken_for_unused():
    class Gained(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gain = front(), nn.Parameter(torch.ones(8, 1))

        def forward(self, waveforms):
            return self.conv(waveforms) * self.gain

    encoder: Any = wrap(Gained(), RATE, {"latent": ""})
    with pytest.raises(InputError, match="nothing says how 'gain' is initialised"):
        encoder.randomised(0)


def test_layers_without_bias_under_a_norm_are_drawn():
    conv: Any = parametrizations.weight_norm(nn.Conv1d(1, 8, 16, stride=8, bias=False))
    encoder: Any = wrap(nn.Sequential(conv), RATE, {"latent": ""})
    assert not torch.equal(encoder.randomised(0).module[0].weight, conv.weight)


class Learned(nn.Module):
    """A codebook kept as a buffer, a basis, a table that files do not hold, and a gain nobody draws."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = front()
        self.register_buffer("book", torch.randn(8, 5))
        self.register_buffer("window", torch.hann_window(5), persistent=False)
        self.gain = nn.Parameter(torch.ones(5))

    def forward(self, waveforms):
        return self.conv(waveforms).mT @ self.book * self.window * self.gain


def test_what_is_learned_is_drawn_or_refused():
    encoder: Any = wrap(Learned(), RATE, {"latent": ""})
    with pytest.raises(InputError, match=r"'(gain|book)' is initialised; give wrap\(.*baselines=0"):
        encoder.randomised(0)
    shuffled = encoder.randomised(0, "permuted").module
    assert not torch.equal(shuffled.book, encoder.module.book)
    assert torch.equal(shuffled.book.flatten().sort().values, encoder.module.book.flatten().sort().values)
    assert torch.equal(shuffled.window, encoder.module.window)
    made: Any = wrap(Learned(), RATE, {"latent": ""}, make=Learned)
    for kind in ("random", "matched"):
        assert not torch.equal(made.randomised(0, kind).module.book, made.module.book)
    check(made)


def test_what_follows_the_stages_does_not_count():
    encoder: Any = wrap(Learned(), RATE, {"latent": "conv"})
    assert not torch.equal(encoder.randomised(3).module.conv.weight, encoder.module.conv.weight)


def test_a_baseline_that_is_the_network_itself_is_none():
    module = nn.Sequential(front())
    assert not isinstance(wrap(nn.Sequential(nn.AvgPool1d(8)), RATE, {"latent": "0"}), Redraws)
    same: Any = wrap(module, RATE, {"latent": ""}, make=lambda: module)
    with pytest.raises(InputError, match="no random baseline: nothing of it is drawn"):
        same.randomised(0)


@pytest.mark.parametrize("kind", ["random", "matched", "permuted"])
def test_spectral_norms_hold_for_baselines(kind):
    torch.manual_seed(1)
    module = nn.Sequential(parametrizations.spectral_norm(front()), nn.ReLU())
    for _ in range(20):
        module(torch.randn(1, 1, 200))
    encoder: Any = wrap(module, RATE, {"latent": "1"})
    weight = encoder.randomised(0, kind).module[0].weight.detach().flatten(1)
    assert torch.linalg.matrix_norm(weight, 2) == pytest.approx(1, rel=0.02)


def test_baselines_of_noisy_modules_follow_from_their_seed():
    with pytest.warns(UserWarning, match="noise in its forward pass"):
        encoder: Any = wrap(Just(plus_noise), RATE, {"latent": ""})
    state = torch.get_rng_state()
    one, same = (encoder.randomised(1, "matched").weights.sha256 for _ in range(2))
    assert one == same
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("make", [lambda: Twice(), lambda: nn.Sequential(nn.Conv1d(1, 8, 9))])
def test_a_factory_of_something_else(make):
    encoder: Any = wrap(Learned(), RATE, {"latent": ""}, make=make)
    with pytest.raises(InputError, match="make: builds another architecture than Learned"):
        encoder.randomised(0)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("norm", [nn.utils.weight_norm, parametrizations.weight_norm])
@pytest.mark.parametrize("kind", ["random", "matched", "permuted"])
def test_weights_under_a_norm_are_drawn(norm, kind):
    module = nn.Sequential(norm(front()), nn.ReLU(), norm(nn.Conv1d(8, 4, 3)))
    before = copy.deepcopy(module.state_dict())
    encoder: Any = wrap(module, RATE, {"first_layer": "0", "latent": "2"})
    drawn = encoder.randomised(3, kind).module
    for part in ("0", "2"):
        ours, theirs = (of.get_submodule(part).weight for of in (encoder.module, drawn))
        assert not torch.equal(ours, theirs)
        if kind == "random":  # as without the norm
            bound = (theirs[0].numel()) ** -0.5
            assert 0.8 * bound < theirs.abs().max() <= bound * (1 + 1e-5)
    assert all(torch.equal(values, before[key]) for key, values in module.state_dict().items())


# Functions


def halves(waveforms):
    frames = waveforms[:, : waveforms.shape[1] // 20 * 20].reshape(len(waveforms), -1, 20)
    return {"samples": frames, "levels": np.abs(frames).sum(2)}


def test_a_function_is_an_encoder():
    encoder = wrap_function(halves, RATE, {"first_layer": "samples", "latent": "levels"})
    assert {s: (x.channels, x.hop, x.kind) for s, x in encoder.stages.items()} == {
        "first_layer": (20, 20, "convolution"), "latent": (1, 20, "nonlinear"),
    }  # fmt: skip
    assert encoder.name == "halves"
    assert not isinstance(encoder, Redraws)
    check(encoder)
    several = wrap_function(lambda w: tuple(halves(w).values()), RATE, ["first_layer", "latent"], name="pair")
    assert several.stages == encoder.stages
    alone = wrap_function(lambda w: halves(w)["levels"], RATE)
    assert alone.stages == {"latent": encoder.stages["latent"]}
    for form in (lambda found: [found], lambda found: {"level": found}, lambda found: ([found],)):
        assert wrap_function(lambda w, form=form: form(halves(w)["levels"]), RATE).stages == alone.stages
    with pytest.raises(InputError, match="several things, and no stage says which; it returns samples"):
        wrap_function(halves, RATE)
    with pytest.raises(InputError, match="returns no 'third'; it returns samples, levels"):
        wrap_function(halves, RATE, {"latent": "third"})


def test_a_function_of_an_untrained_network_is_its_baseline():
    def make(seed):
        kernel = np.random.default_rng(seed).normal(size=(20, 3)).astype(np.float32)
        return lambda waveforms: halves(waveforms)["samples"] @ kernel

    encoder = wrap_function(make(7), RATE, name="projection", make=make)
    assert isinstance(encoder, Redraws)
    check(encoder)


class OwnScale(nn.Module):
    """A layer with a parameter of which nothing says how it is initialised."""

    def __init__(self):
        super().__init__()
        self.conv, self.alpha = nn.Conv1d(1, 4, 8, stride=4), nn.Parameter(torch.ones(1, 4, 1))

    def forward(self, x):
        x = self.conv(x)
        return x + (self.alpha * x).sin().square() / self.alpha


def test_who_can_only_be_shuffled_conforms():
    encoder = wrap(nn.Sequential(OwnScale()), 8000, {"latent": "0"})
    with pytest.raises(InputError, match=r"no random baseline: nothing says how .*alpha.* is initialised"):
        encoder.randomised(1)
    check(encoder)
