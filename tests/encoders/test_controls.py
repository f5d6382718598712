from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.encoders import InputError, registry

load: Any = registry.load  # the tests look behind the contract

CONTROLS = ("control:decimator", "control:rectifier", "control:texture")


@pytest.mark.parametrize(("sample_rate", "hop"), [(24_000, 320), (22_050, 294), (48_000, 640)])
def test_decimator_keeps_every_hop_th_sample(sample_rate, hop, noise):
    control = load("control:decimator", sample_rate=sample_rate)
    waveforms = noise(2, 5000)
    assert control.stages["first_layer"].hop == hop
    assert torch.equal(control.run(waveforms, ["first_layer"])["first_layer"][:, 0], waveforms[:, ::hop])
    assert control.kernels("first_layer").tolist() == [[1.0]]


def test_decimator_is_its_closed_form(noise, predicted):
    control, waveforms = load("control:decimator"), noise(2, 5000)
    expected, frames = predicted(control, "first_layer", waveforms)
    heard = control.run(waveforms, ["first_layer"])["first_layer"]
    assert np.array_equal(heard[:, :, frames].transpose(1, 2), expected)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(1, 37), st.integers(1, 100), st.sampled_from([-1, 1]))
def test_decimator_cannot_tell_frequencies_that_share_a_fold(fold_hz, image, sign):
    # 75 frames a second: f and 75 k +- f are one
    time_s = np.arange(9600) / 24_000
    tones = [np.cos(2 * np.pi * f * time_s) for f in (fold_hz, 75 * image + sign * fold_hz)]
    one, other = load("control:decimator").run(torch.tensor(np.array(tones)).float(), ["first_layer"])[
        "first_layer"
    ]
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_rectifier_leaves_a_mean_and_even_harmonics():
    time = np.arange(24_000)
    waveform = torch.tensor(np.sin(2 * np.pi * 100 * time / 24_000 + 0.3)).float()[None]
    heard = load("control:rectifier").run(waveform, ["first_layer"])["first_layer"][0, 0].double().numpy()
    spectrum = np.abs(np.fft.rfft(heard) / len(time)) ** 2
    spectrum[1:] *= 2
    shares = spectrum[[0, 100, 200, 300, 400]] / spectrum.sum()
    assert shares == pytest.approx([8 / np.pi**2, 0, 0.1801, 0, 0.0072], abs=5e-5)


def test_texture_is_the_nearest_patch(noise):
    control = load("control:texture")
    waveforms = noise(2, 5 * 320 + 7)
    heard = control.run(waveforms, ["quantized", "codes"])
    patches = control.module.patches.double()
    frames = waveforms.unfold(1, 320, 320).double()
    nearest = torch.cdist(frames, patches.expand(2, -1, -1)).argmin(-1)
    assert heard["codes"].shape == (2, 1, 5)
    assert torch.equal(heard["codes"][:, 0], nearest)
    assert torch.equal(heard["quantized"], patches.float()[nearest].transpose(1, 2))


def test_texture_knows_its_patches_at_any_level():
    control = load("control:texture")
    patches = control.module.patches
    assert patches.shape == (256, 320)
    np.testing.assert_allclose(patches.norm(dim=1), 1, rtol=1e-6)
    for level in (1e-4, 1.0, 100.0):
        codes = control.run(level * patches.reshape(1, -1), ["codes"])["codes"]
        assert codes.flatten().tolist() == list(range(256))


def test_texture_patches_are_pink():
    power = np.abs(np.fft.rfft(load("control:texture").module.patches.numpy(), axis=1)) ** 2
    low, high = power[:, 4:8].mean(), power[:, 64:128].mean()
    assert 10 * np.log10(low / high) == pytest.approx(12, abs=1)  # four octaves, 3 dB each
    assert power[:, 0].max() < 1e-10


def test_texture_follows_its_seed():
    shas = [load("control:texture", seed=seed).weights.sha256 for seed in (0, 0, 1)]
    assert shas[0] == shas[1] != shas[2]


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_take_no_weights_and_no_odd_rates(name, tmp_path):
    assert load(name).weights.source == load(name, weights="random").weights.source == "none"
    with pytest.raises(InputError, match=f"{name} has no weights"):
        load(name, weights=tmp_path / "model.pt")
    for wrong in (0, 999, 24_000.5):
        with pytest.raises(InputError, match=f"sample_rate {wrong}: {name} needs"):
            load(name, sample_rate=wrong)


@pytest.mark.parametrize("name", CONTROLS)
def test_stages_say_what_is_heard(name, noise):
    control = load(name)
    heard = control.run(noise(3, 3200), list(control.stages))
    for stage in control.stages.values():
        assert heard[stage.name].shape == (3, stage.channels, 3200 // stage.hop)
        assert heard[stage.name].is_floating_point() == (not stage.is_integer)
