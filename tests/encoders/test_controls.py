from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.encoders import InputError, registry

from .tones import tones

load: Any = registry.load  # the tests look behind the contract

CONTROLS = (
    "control:decimator", "control:rectifier", "control:texture", "control:loudness", "control:sign_hash",
    "control:permuted", "control:two_bands",
)  # fmt: skip


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


@pytest.mark.parametrize("name", ["control:texture", "control:sign_hash", "control:permuted"])
def test_what_is_drawn_follows_its_seed(name):
    shas = [load(name, seed=seed).weights.sha256 for seed in (0, 0, 1)]
    assert shas[0] == shas[1] != shas[2]


def first_layer(name, waveforms, **options):
    return load(name, **options).run(waveforms, ["first_layer"])["first_layer"]


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.floats(-99, 20), st.integers(0, 3))
def test_loudness_is_the_level_and_nothing_else(level_db, seed):
    shape = np.random.default_rng(seed).standard_normal((1, 3, 320))
    shape *= 10 ** (level_db / 20) / np.sqrt(np.square(shape).mean(-1, keepdims=True))
    heard = first_layer("control:loudness", torch.tensor(shape).float().flatten(1))
    torch.testing.assert_close(heard, torch.full((1, 1, 3), 100 + level_db), atol=1e-3, rtol=0)


def test_loudness_of_silence_is_a_constant():
    assert first_layer("control:loudness", torch.zeros(1, 640)).tolist() == [[[0.0, 0.0]]]


def test_the_sign_hash_ignores_level_and_knows_angles(noise):
    waveforms = noise(1, 320 * 40)
    heard = first_layer("control:sign_hash", waveforms)
    assert set(heard.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(first_layer("control:sign_hash", 1e-4 * waveforms), heard)
    assert torch.equal(first_layer("control:sign_hash", -waveforms), -heard)
    one, other = waveforms.reshape(2, 20, 320)
    for angle_deg in (18.0, 90.0):
        ortho = other - (other * one).sum(-1, keepdim=True) / one.square().sum(-1, keepdim=True) * one
        ortho *= one.norm(dim=-1, keepdim=True) / ortho.norm(dim=-1, keepdim=True)
        turned = np.cos(np.radians(angle_deg)) * one + np.sin(np.radians(angle_deg)) * ortho
        plain, hashed = (first_layer("control:sign_hash", w.reshape(1, -1)) for w in (one, turned))
        # of 20 times 256 signs; a share of a tenth has a deviation of 0.004
        assert (plain != hashed).double().mean() == pytest.approx(angle_deg / 180, abs=0.02)


def test_permuted_keeps_the_magnitudes_and_moves_them_with_the_loudest(noise):
    waveforms = noise(2, 5000)
    magnitudes = first_layer("filterbank:stft_magnitude", waveforms)
    heard, control = first_layer("control:permuted", waveforms), load("control:permuted")
    assert torch.equal(heard.sort(1).values, magnitudes.sort(1).values)
    assert torch.equal(control.module.permutations.sort(1).values[7], torch.arange(513, dtype=torch.int32))
    order = control.module.permutations[magnitudes.argmax(1)].transpose(1, 2).long()
    assert torch.equal(heard, magnitudes.gather(1, order))


def test_permuted_gives_a_partial_another_place_in_another_context():
    bin_hz = 24_000 / 1024
    quiet, *loud = (tones(k * bin_hz, a, length=1024) for k, a in ((50, 0.05), (200, 0.1), (300, 0.1)))
    first, second = (
        (first_layer("control:permuted", quiet + w) - first_layer("control:permuted", w)).abs().flatten()
        for w in loud
    )
    assert first.argmax() != second.argmax()
    assert (first * second).sum() < 1e-3 * first.norm() * second.norm()


@pytest.mark.parametrize(("sample_rate", "below"), [(24_000, 8), (8_000, 9)])
def test_two_bands_tells_two_classes_of_partials_apart(sample_rate, below):
    frequency_hz = np.geomspace(120, min(6000, 0.45 * sample_rate), 16)
    played = torch.cat([tones(f, length=4000, sample_rate=sample_rate) for f in frequency_hz])
    heard = first_layer("control:two_bands", played, sample_rate=sample_rate)
    in_low = heard[:, 0] > heard[:, 1]  # [16, F]
    assert (in_low.sum(0) == below).all()
    expected = torch.stack([in_low, ~in_low], dim=1) * 0.1 / 2**0.5
    torch.testing.assert_close(heard, expected, atol=2e-3, rtol=0)


def test_two_bands_share_the_power(noise):
    waveforms = noise(1, 24_000)
    power = first_layer("control:two_bands", waveforms).double().square().mean(-1)[0]
    assert power.sum() == pytest.approx(0.01, rel=0.03)
    assert power[0] / power.sum() == pytest.approx(850 / 12_000, rel=0.15)


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
        frames = (3200 - stage.receptive_field) // stage.hop + 1
        assert heard[stage.name].shape == (3, stage.channels, frames)
        assert heard[stage.name].is_floating_point() == (not stage.is_integer)
