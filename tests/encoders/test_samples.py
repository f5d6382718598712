from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from tonotopy.encoders import InputError, registry

from .tones import tones

load: Any = cache(registry.load)  # the tests look behind the contract

SAMPLES = ("control:patches", "control:patches_mixed", "control:waveform", "control:downsampler")


def first_layer(name, waveforms, **options):
    return load(name, **options).run(waveforms, ["first_layer"])["first_layer"]


@pytest.mark.parametrize(("sample_rate", "hop"), [(24_000, 320), (22_050, 294), (48_000, 640)])
def test_patches_and_waveform_hold_the_same_samples(sample_rate, hop, noise):
    waveforms = noise(2, 10 * hop)
    patches = first_layer("control:patches", waveforms, sample_rate=sample_rate)
    assert patches.shape == (2, hop, 10)
    one_channel = first_layer("control:waveform", waveforms, sample_rate=sample_rate)
    assert torch.equal(one_channel[:, 0], waveforms)
    assert torch.equal(patches.transpose(1, 2).flatten(1), waveforms)


def test_mixing_preserves_products(noise):
    waveforms = noise(2, 3200)
    plain, mixed = (first_layer(name, waveforms).transpose(1, 2) for name in SAMPLES[:2])
    torch.testing.assert_close(mixed @ mixed.mT, plain @ plain.mT, atol=1e-5, rtol=1e-5)
    assert (mixed - plain).norm() > 0.5 * plain.norm()


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_their_closed_form(name, noise, predicted):
    encoder, waveforms = load(name, sample_rate=22_050), noise(2, 5000)
    expected, frames = predicted(encoder, "first_layer", waveforms)
    heard = encoder.run(waveforms, ["first_layer"])["first_layer"]
    assert frames == slice(0, heard.shape[2])
    np.testing.assert_allclose(heard.transpose(1, 2), expected, atol=1e-6)


@pytest.mark.parametrize("sample_rate", [8_000, 24_000])
def test_the_downsampler_keeps_what_is_below_the_new_nyquist_and_rejects_the_rest(sample_rate):
    stage = load("control:downsampler", sample_rate=sample_rate).stages["first_layer"]
    assert (stage.channels, stage.hop) == (1, 4)  # a factor, at every rate
    nyquist_hz = sample_rate / 8

    def gain_db(share):
        waveforms = torch.cat(
            [tones(share * nyquist_hz, 1.0, p, length=8000, sample_rate=sample_rate) for p in (0, np.pi / 2)]
        )
        heard = first_layer("control:downsampler", waveforms, sample_rate=sample_rate).double()
        return 10 * float(heard.square().mean(dim=2).sum().log10())  # sine and cosine add up to 1

    assert gain_db(0.4) == pytest.approx(0, abs=0.001)
    for share in (1.01, 1.3, 2.0, 3.7):
        assert gain_db(share) < -80


def test_the_downsampler_s_response():
    (response,) = load("control:downsampler").kernels("first_layer")
    np.testing.assert_allclose(response, response[::-1], atol=1e-15)  # linear phase
    gain = np.abs(np.fft.rfft(response, 2**16))
    share = np.arange(len(gain)) / 2**16 * 2 * 4  # of the new Nyquist frequency
    assert np.abs(20 * np.log10(gain[share <= 0.9])).max() < 0.001
    assert 20 * np.log10(gain[share >= 1].max()) < -80


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_take_no_weights_and_no_odd_rates(name, tmp_path):
    assert load(name).weights.source == load(name, weights="random").weights.source == "none"
    with pytest.raises(InputError, match=f"{name} has no weights"):
        load(name, weights=tmp_path / "model.pt")
    with pytest.raises(InputError, match=f"sample_rate 999: {name} needs"):
        load(name, sample_rate=999)


@pytest.mark.parametrize("name", ["control:patches", "control:downsampler"])
def test_a_sound_too_short(name):
    with pytest.raises(InputError, match=f"waveforms of 300 samples: {name} needs at least"):
        first_layer(name, torch.zeros(1, 300))


def test_the_mixing_follows_its_seed(noise):
    first, same, other = (first_layer("control:patches_mixed", noise(1, 640), seed=s) for s in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.allclose(first, other, atol=0.01)
    shas = [load("control:patches_mixed", seed=seed).weights.sha256 for seed in (0, 0, 1)]
    assert shas[0] == shas[1] != shas[2]
