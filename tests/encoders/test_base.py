from typing import Any

import pytest
import torch
from torch import nn

from tonotopy.encoders import Encoder, InputError, ModuleEncoder, Stage, load
from tonotopy.encoders.base import Weights, canonical_stages
from tonotopy.encoders.geometry import Geometry, Layer, receptive_field

LIGHT = ("filterbank:stft", "filterbank:stft_magnitude", "filterbank:gammatone",
         "control:decimator", "control:rectifier", "control:texture")  # fmt: skip


class Counted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x + 1


@pytest.fixture
def counted():
    """Three steps of +1, and a fourth part that is never called."""

    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c, self.idle = Counted(), Counted(), Counted(), Counted()

        def forward(self, x):
            return self.c(self.b(self.a(x)))

    stages = {name: Stage(name, 1, 1, 1, 0) for name in ("a", "b", "c", "idle")}
    return ModuleEncoder("chain", Chain(), 8000, stages, {name: name for name in stages}, Weights("none", ""))


@pytest.mark.parametrize(
    ("asked", "calls"),
    [(["a"], [1, 0, 0]), (["b"], [1, 1, 0]), (["c", "a"], [1, 1, 1]), (["a", "a"], [1, 0, 0])],
)
def test_run_stops_once_everything_is_heard(counted, asked, calls):
    heard = counted.run(torch.zeros(1, 5), asked)
    module = counted.module
    assert [module.a.calls, module.b.calls, module.c.calls] == calls
    assert list(heard) == list(dict.fromkeys(asked))
    assert all(bool((heard[name] == " abc".index(name)).all()) for name in asked)
    assert not module.a._forward_hooks  # nothing stays behind


@pytest.mark.parametrize("name", ["filterbank:stft", "control:rectifier", "encodec_24khz", "encodec_48khz"])
def test_the_differentiable_function_is_the_one_that_runs(name, request, noise):
    encoder: Any = request.getfixturevalue(name) if name.startswith("encodec") else load(name)
    stages = [s for s in encoder.stages if s in ("first_layer", "stack_end")]
    waveforms = noise(2, 4000).requires_grad_()
    for stage, expected in encoder.run(waveforms.detach(), stages).items():
        answer = encoder.differentiable(stage)(waveforms)
        torch.testing.assert_close(answer.detach(), expected)
        weights = torch.linspace(0, 20, answer.numel(), dtype=torch.float64).cos().view_as(answer)
        (gradient,) = torch.autograd.grad((weights * answer).sum(), waveforms)
        step = 1e-3 * gradient / gradient.abs().max()
        less, more = (
            (weights * encoder.run(moved, [stage])[stage]).sum()
            for moved in (waveforms.detach() - step, waveforms.detach() + step)
        )
        torch.testing.assert_close(2 * (gradient * step).sum().double(), more - less, rtol=0.02, atol=0.0)
    with pytest.raises(InputError, match="stage 'd'"):
        encoder.differentiable("d")


def test_a_stage_that_is_not_there_or_not_reached(counted):
    with pytest.raises(InputError, match="stage 'd': chain has no such stage; it has a, b, c, idle"):
        counted.run(torch.zeros(1, 5), ["a", "d"])
    with pytest.raises(InputError, match="stage 'd'"):
        counted.kernels("d")
    with pytest.raises(InputError, match=r"chain: stage 'idle' \(idle\) was never reached"):
        counted.run(torch.zeros(1, 5), ["a", "idle"])
    assert not counted.module.a._forward_hooks


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_the_waveform_that_is_not_finite_is_named(counted, wrong):
    waveforms = torch.zeros(4, 6)
    waveforms[2, 3] = wrong
    with pytest.raises(InputError, match="waveform 2 holds NaN or Inf"):
        counted.run(waveforms, ["a"])
    assert counted.module.a.calls == 0


@pytest.mark.parametrize("shape", [(6,), (2, 1, 6), (0, 6), (2, 0)])
def test_waveforms_of_another_shape(counted, shape):
    with pytest.raises(InputError, match=r"must be \[B, T\]"):
        counted.run(torch.zeros(shape), ["a"])


@pytest.mark.parametrize("name", [*LIGHT, "encodec_24khz", "encodec_48khz"])
def test_running_changes_nothing(name, request, noise):
    encoder: Any = request.getfixturevalue(name) if name.startswith("encodec") else load(name)
    stages = list(encoder.stages)
    waveforms = noise(2, 4000)
    kept, random_state = waveforms.clone(), torch.get_rng_state()
    state = {key: value.clone() for key, value in encoder.module.state_dict().items()}
    first, again = encoder.run(waveforms, stages), encoder.run(waveforms, stages[::-1])
    assert torch.equal(waveforms, kept)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, state[key]) for key, value in encoder.module.state_dict().items())
    assert all(torch.equal(first[stage], again[stage]) for stage in stages)
    for stage in stages:
        assert first[stage].untyped_storage().data_ptr() != waveforms.untyped_storage().data_ptr()


@pytest.mark.parametrize("name", LIGHT)
def test_rows_do_not_hear_each_other(name, noise):
    encoder, waveforms = load(name), noise(3, 4000)
    stages = list(encoder.stages)
    together, alone = encoder.run(waveforms, stages), encoder.run(waveforms[1:2], stages)
    for stage in stages:
        torch.testing.assert_close(together[stage][1:2], alone[stage], rtol=1e-5, atol=1e-5)


def test_everything_meets_the_contract(encodec_24khz):
    for encoder in (encodec_24khz, *(load(name) for name in LIGHT)):
        assert isinstance(encoder, Encoder)
        assert encoder.device == torch.device("cpu")
        assert set(canonical_stages(encoder)) <= set(encoder.stages)
        for name, stage in encoder.stages.items():
            assert (encoder.kernels(name) is not None) == stage.is_linear
    assert canonical_stages(encodec_24khz) == ["first_layer", "stack_end", "latent", "quantized", "codes"]


def test_geometry_of_encodec_s_stack():
    layers = [Layer(7, left_padding=6)]
    fields = [receptive_field(layers).receptive_field]
    for stride in (2, 4, 5, 8):
        layers += [Layer(3, left_padding=2), Layer(1), Layer(2 * stride, stride, left_padding=stride)]
        fields.append(receptive_field(layers).receptive_field)
    assert fields == [7, 12, 30, 118, 798]
    assert receptive_field(layers) == Geometry(320, 798, 319)
    assert receptive_field([]) == Geometry(1, 1, 0)


@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_geometry_is_what_torch_does(dilation, padding, stride):
    stack = nn.Sequential(
        nn.Conv1d(1, 1, 4, stride=stride, dilation=dilation, padding=padding), nn.MaxPool1d(3, 2, padding=1)
    )
    geometry = receptive_field([Layer(4, stride, dilation, padding), Layer(3, 2, left_padding=1)])
    frame = 8
    last = frame * geometry.hop + geometry.latency
    first = last - geometry.receptive_field + 1
    lost = []
    for sample in (first, last, first - 1, last + 1):
        waveform = torch.zeros(1, 1, 200)
        waveform[..., sample] = torch.nan
        lost.append(bool(stack(waveform)[0, 0, frame].isnan()))
    assert lost == [True, True, False, False]
