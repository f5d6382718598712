import collections
from typing import Any

import pytest
import torch
from torch import nn

from tonotopy.encoders import InputError, load, wrap
from tonotopy.encoders.abilities import RunsFrom, resumable_stages
from tonotopy.encoders.base import ModuleEncoder, Stage, Weights
from tonotopy.encoders.encodec import quantized_stages

RATE = 8_000


@pytest.fixture(autouse=True)
def drawn_the_same_each_time():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class Around(nn.Module):
    """A chain a, b, c, the second of which is passed by, at its input or by the waveforms."""

    def __init__(self, by_waveforms: bool) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv1d(n, 3, 3, padding=1) for n in (1, 3, 3))
        self.by_waveforms = by_waveforms

    def forward(self, x):
        a = self.a(x)
        return self.c(self.b(a) + (x if self.by_waveforms else a))


Pair = collections.namedtuple("Pair", "left right")


class Gives(nn.Module):
    """Puts its input into a form, and takes it out again behind a tap."""

    def __init__(self, form, back) -> None:
        super().__init__()
        self.conv, self.form, self.back = nn.Conv1d(1, 4, 8, stride=4), Through(form), Through(back)
        self.last = nn.Conv1d(4, 2, 3)

    def forward(self, x):
        return self.last(self.back(self.form(self.conv(x))))


class Through(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


FORMS = {
    "tensor": (lambda x: x + 1, lambda x: x),
    "tuple": (lambda x: (x, None), lambda x: x[0]),
    "named tuple": (lambda x: Pair(x, 1), lambda x: x.left),
    "mapping": (lambda x: {"left": x, "right": 1}, lambda x: x["left"]),
    "nested": (lambda x: [(x,), 1], lambda x: x[0][0]),
    "channels last": (lambda x: x.transpose(1, 2), lambda x: x.transpose(1, 2)),
    "time first": (lambda x: x.permute(2, 0, 1), lambda x: x.permute(1, 2, 0)),
    "complex": (lambda x: torch.complex(x, -x), lambda x: x.real * x.imag),
    "four axes": (lambda x: x.unflatten(1, (2, 2)), lambda x: x.flatten(1, 2)),
    "no channels": (lambda x: x[:, 0], lambda x: x[:, None].expand(-1, 4, -1)),
    "in place": (lambda x: x + 1, lambda x: x.mul_(2)),
}


def assert_continues(encoder, waveforms):
    """Resume from every stage, and compare with `run`, to the bit; return where that led."""
    reached = resumable_stages(encoder)
    whole = encoder.run(waveforms, list(encoder.stages))
    for stage, deeper in reached.items():
        kept = whole[stage].clone()
        found = encoder.run_from(stage, whole[stage], deeper)
        assert list(found) == list(deeper)
        assert torch.equal(whole[stage], kept)
        for other in deeper:
            assert torch.equal(found[other], whole[other]), (stage, other)
    return reached


@pytest.mark.parametrize("form", FORMS)
def test_whatever_a_tap_gives_can_be_put_back(form, noise):
    encoder = wrap(Gives(*FORMS[form]), RATE, {"first": "conv", "middle": "form", "last": "last"})
    assert assert_continues(encoder, noise(3, 2345)) == {"first": ("middle", "last"), "middle": ("last",)}
    assert not any(part._forward_hooks for part in encoder.module.modules())


def test_deeper_stages_follow_the_change_and_nothing_else(noise):
    encoder: Any = wrap(
        nn.Sequential(nn.Conv1d(1, 3, 4, stride=2), nn.ReLU(), nn.Conv1d(3, 2, 3)), RATE,
        {"conv": "0", "relu": "1", "last": "2"},
    )  # fmt: skip
    whole = encoder.run(noise(2, 999), ["conv", "relu"])
    changed = whole["conv"].clone()
    changed[:, 1] = 0
    found = encoder.run_from("conv", changed, ["last", "relu"])
    assert list(found) == ["last", "relu"]
    assert torch.equal(found["relu"], changed.relu())
    assert torch.equal(found["last"], encoder.module[2](changed.relu()).detach())


@pytest.mark.parametrize("by_waveforms", [False, True])
def test_what_is_led_around_a_stage_does_not_follow_from_it(by_waveforms, noise):
    encoder: Any = wrap(Around(by_waveforms), RATE, {"a": "a", "b": "b", "c": "c"})
    reached = {"a": ("b",)} if by_waveforms else {"a": ("b", "c")}
    assert assert_continues(encoder, noise(2, 1000)) == reached
    with pytest.raises(
        InputError, match=r"^stage 'c': does not follow from 'b' of Around alone, and nothing"
    ):
        encoder.run_from("b", torch.zeros(1, 3, 8), ["c"])
    if by_waveforms:
        with pytest.raises(InputError, match="'c': does not follow from 'a' of Around alone; b do"):
            encoder.run_from("a", torch.zeros(1, 3, 8), ["b", "c"])


def test_a_stage_that_looks_at_the_waveforms_length_does_not_follow():
    class Measures(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv1d(1, 2, 4, stride=4), nn.Conv1d(2, 2, 3, padding=1)

        def forward(self, x):
            return self.b(self.a(x) * (1 if x.shape[-1] % 4 == 0 else 2))

    encoder: Any = wrap(Measures(), RATE, {"a": "a", "b": "b"})
    assert encoder.stages_from("a") == ()


def test_samplecnn_is_a_chain(noise):
    encoder = load("samplecnn_tiny")
    stages = list(encoder.stages)
    reached = assert_continues(encoder, noise(2, 5000))
    assert reached == {stage: tuple(stages[n + 1 :]) for n, stage in enumerate(stages[:-1])}


@pytest.mark.parametrize("name", ["codec_tiny", "encodec_24khz"])
def test_a_codec_goes_on_from_every_stage_to_its_codes(name, request, noise):
    encoder: Any = load(name) if name == "codec_tiny" else request.getfixturevalue(name)
    stages = list(encoder.stages)
    behind = [*quantized_stages(len(encoder.codebooks)), "codes"]
    reached = assert_continues(encoder, noise(2, 4321))
    before = stages[: stages.index("latent") + 1]
    assert reached == {
        **{stage: tuple(stages[stages.index(stage) + 1 :]) for stage in before},
        "codes": tuple(behind[:-1]),
    }


def test_a_norm_over_time_needs_the_waveforms_scale(encodec_48khz, noise):
    """`first_layer` has the scale undone, which only the waveforms tell; behind it nothing else is needed."""
    reached = assert_continues(encodec_48khz, noise(2, 4321))
    stages = list(encodec_48khz.stages)
    assert set(stages[: stages.index("latent") + 1]) - set(reached) == {"first_layer"}
    with pytest.raises(InputError, match="does not follow from 'first_layer' of encodec_48khz alone"):
        encodec_48khz.run_from("first_layer", torch.zeros(1, 32, 8), ["latent"])


def test_codes_are_looked_up_in_the_codebooks():
    codec: Any = load("codec_tiny")
    codes = torch.tensor([[3, 5]]).repeat(8, 1)[None]  # [B, Q, F]
    found = codec.run_from("codes", codes, ["quantized_1", "quantized"])
    books = torch.stack(codec.codebooks)
    assert torch.equal(found["quantized_1"][0].T, books[0, [3, 5]])
    torch.testing.assert_close(found["quantized"][0].T, books[:, [3, 5]].sum(0))
    for wrong in (-1, 256):
        codes[0, 4, 1] = wrong
        with pytest.raises(InputError, match=f"code {wrong} of codebook 4: must be 0 to 255"):
            codec.run_from("codes", codes, ["quantized"])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (torch.zeros(1, 4, 3), r"of shape \(1, 4, 3\); must be \[B, 3, F\]"),
        (torch.zeros(3, 3), r"must be \[B, 3, F\]"),
        (torch.zeros(0, 3, 3), r"must be \[B, 3, F\]"),
        (torch.zeros(1, 3, 3, dtype=torch.int64), "of torch.int64; must be floating"),
        (torch.full((1, 3, 3), torch.nan), "hold NaN or Inf"),
    ],
)
def test_activations_that_are_none_of_the_stage(changed, says):
    encoder: Any = wrap(Around(False), RATE, {"a": "a", "b": "b"})
    with pytest.raises(InputError, match=f"^stage 'a': .*{says}"):
        encoder.run_from("a", changed, ["b"])
    with pytest.raises(InputError, match="stage 'd'"):
        encoder.run_from("a", torch.zeros(1, 3, 3), ["d"])


@pytest.mark.parametrize("name", ["filterbank:stft", "control:rectifier", "control:texture", "musicvae_tiny"])
def test_what_has_one_tap_has_nowhere_to_go_on_to(name):
    assert not isinstance(load(name), RunsFrom)
    assert isinstance(load("codec_tiny"), RunsFrom)
    one = wrap(nn.Sequential(nn.Conv1d(1, 2, 3)), RATE, {"only": "0"})
    assert not isinstance(one, RunsFrom)


def test_an_encoder_by_hand_may_say_how_its_activations_are_put_back(noise):
    from tonotopy.encoders.resuming import ResumableEncoder

    module = nn.Sequential(
        nn.Conv1d(1, 2, 2, stride=2), Through(lambda x: {"it": x}), Through(lambda x: x["it"])
    )
    stages = {name: Stage(name, 2, 2, 2, 1) for name in ("pairs", "out")}
    given: dict[str, Any] = {
        "read": lambda stage, output: output["it"] if isinstance(output, dict) else output
    }
    arguments = ("by hand", module, RATE, stages, {"pairs": "1", "out": "2"}, Weights("given", ""))
    plain = ResumableEncoder(*arguments, **given)
    assert plain.stages_from("pairs") == ()  # nobody says how
    told = ResumableEncoder(*arguments, **given, write=lambda stage, output, changed: {"it": changed})
    assert assert_continues(told, noise(2, 101)) == {"pairs": ("out",)}
    assert isinstance(told, ModuleEncoder)
