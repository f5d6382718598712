"""Where the frames of a wrapped module lie, and what they see: padding, windows, and NaN that is hidden."""

from typing import Any

import pytest
import torch
from torch import nn

from tonotopy.encoders import InputError, check, wrap

RATE = 8000


@pytest.fixture(autouse=True)
def drawn_the_same_each_time():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def places(encoder) -> dict[str, tuple[int, int | None, int]]:
    return {name: (s.hop, s.receptive_field, s.latency) for name, s in encoder.stages.items()}


class Padding(nn.Module):
    """Pads the end to a multiple of 32 samples, as codecs do; its codes are those of two frames."""

    def __init__(self, at=32, before=0) -> None:
        super().__init__()
        self.one, self.two = nn.Conv1d(1, 4, 5, padding=2), nn.Conv1d(4, 6, 16, stride=16)
        self.pairs, self.at, self.before = nn.AvgPool1d(2), at, before

    def latent(self, waveforms):
        lacking = -waveforms.shape[-1] % self.at
        before = lacking // 2 if self.before else 0
        waveforms = nn.functional.pad(waveforms, (before, lacking - before))
        return self.two(self.one(waveforms).relu())

    def forward(self, waveforms):
        return self.pairs(self.latent(waveforms)).repeat_interleave(2, -1)


def test_frames_of_padding_alone_are_left_out(noise):
    module = Padding()
    encoder: Any = wrap(module, RATE, {"first_layer": "one", "latent": "two", "quantized": ""})
    assert places(encoder) == {
        "first_layer": (1, 5, 2),
        "latent": (16, 20, 17),
        "quantized": (16, 52, 33),  # whatever either frame of a pair sees
    }
    for samples, frames in ((128, 8), (129, 9), (144, 9), (145, 10)):
        found = encoder.run(waveforms := noise(2, samples), list(encoder.stages))
        assert [tensor.shape[2] for tensor in found.values()] == [samples, frames, frames]
        with torch.no_grad():
            assert torch.equal(found["latent"], module.latent(waveforms[:, None])[..., :frames])
    assert encoder.stages_from("latent") == ()  # what follows sees frames that are left out
    check(encoder)


def test_frames_at_once_by_prepare():
    def prepare(waveforms):
        return nn.functional.pad(waveforms, (0, -waveforms.shape[1] % 64))[:, None]

    encoder = wrap(nn.Sequential(nn.Conv1d(1, 2, 8, stride=4, padding=2)), RATE, ["0"], prepare=prepare)
    assert places(encoder) == {"0": (4, 8, 5)}


def test_padding_of_both_ends_has_no_place():
    with pytest.raises(InputError, match=r"depends on how long the waveform is, .* `prepare` may pad"):
        wrap(Padding(at=16, before=1), RATE, {"latent": "two"})


class Windowed(nn.Module):
    """Frames of 64 samples, of which a window leaves 40 in the middle; or a layer that was pruned."""

    def __init__(self, table=True, function=None) -> None:
        super().__init__()
        self.function = function or (lambda values: values)
        window = torch.zeros(64)
        window[12:52] = torch.rand(40) + 0.1
        weight = torch.randn(8, 1, 64) * window
        if table:
            self.register_buffer("weight", weight)
        else:
            self.weight = nn.Parameter(weight)

    def forward(self, waveforms):
        return nn.functional.conv1d(self.function(waveforms), self.weight, stride=16)


def test_a_window_that_is_padded_with_zeros():
    assert places(wrap(Windowed(), RATE, {"a": ""})) == {"a": (16, 40, 51)}
    check(wrap(Windowed(), RATE, {"a": ""}))
    # weights of zero can be others in a baseline
    assert places(wrap(Windowed(table=False), RATE, {"a": ""})) == {"a": (16, 64, 63)}


def stops_at_nan(values):
    assert not values.isnan().any(), "NaN in the input"
    return values


@pytest.mark.parametrize("guard", [torch.nan_to_num, stops_at_nan, lambda x: torch.where(x.isnan(), 0, x)])
@pytest.mark.parametrize("table", [False, True])
def test_what_takes_nan_out_is_measured_by_other_sound(guard, table):
    module = nn.Sequential(Windowed(table, guard), nn.Tanh())
    expected = {"a": (16, 40, 51)} if table else {"a": (16, 64, 63)}
    assert places(wrap(module, RATE, {"a": "1"})) == expected


@pytest.mark.parametrize("shift", [-9, 9])
def test_delays_by_cropping_and_padding(shift):
    encoder: Any = wrap(
        nn.Sequential(nn.ConstantPad1d((shift, -shift), 0.0), nn.Conv1d(1, 2, 8, stride=4)), RATE, {"a": "1"}
    )
    assert places(encoder) == {"a": (4, 8, 7 - shift)}
    assert encoder.stages["a"].kind == "convolution"
    check(encoder)


class ByTransform(nn.Module):
    """A convolution with the whole waveform by its Fourier transform."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(3, 1, 32))

    def forward(self, waveforms):
        n = waveforms.shape[-1] + 31
        spectrum = torch.fft.rfft(waveforms, n) * torch.fft.rfft(self.kernel[:, 0], n)
        return torch.fft.irfft(spectrum, n)[..., : waveforms.shape[-1]]


def test_a_convolution_by_fourier_transform_has_no_exact_field():
    """Every output depends on every sample, if by rounding alone."""
    assert places(wrap(ByTransform(), RATE, {"a": ""})) == {"a": (1, None, 0)}
