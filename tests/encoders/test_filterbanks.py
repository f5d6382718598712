from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.encoders import InputError, registry

load: Any = registry.load  # the tests look behind the contract

MIXED = ("filterbank:stft_mixed", "filterbank:stft_magnitude_mixed")
BANKS = (
    "filterbank:stft", "filterbank:stft_magnitude", "filterbank:stft_log", "filterbank:gammatone",
    "filterbank:gammatone_envelope",
)  # fmt: skip
RATES = (16_000, 22_050, 24_000, 48_000)


def tone(frequency_hz: float, sample_rate: int, length: int, phase_rad: float = 0.0) -> torch.Tensor:
    turn = 2 * np.pi * frequency_hz * np.arange(length) / sample_rate + phase_rad
    return torch.from_numpy(np.sin(turn)).float()[None]


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("name", ["filterbank:stft", "filterbank:stft_mixed", "filterbank:gammatone"])
def test_linear_banks_are_their_closed_form(name, sample_rate, noise, predicted):
    bank = load(name, sample_rate=sample_rate)
    waveforms = noise(2, sample_rate // 4)
    expected, frames = predicted(bank, "first_layer", waveforms)
    heard = bank.run(waveforms, ["first_layer"])["first_layer"]
    assert frames == slice(0, heard.shape[2])  # every frame lies wholly on the waveform
    np.testing.assert_allclose(heard.transpose(1, 2), expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("sample_rate", "length", "hop"), [(24_000, 1024, 320), (22_050, 941, 294), (48_000, 2048, 640)]
)
def test_stft_lasts_as_long_at_every_rate(sample_rate, length, hop):
    for name, parts in (("filterbank:stft", 2), ("filterbank:stft_magnitude", 1)):
        bank = load(name, sample_rate=sample_rate)
        stage = bank.stages["first_layer"]
        assert (stage.receptive_field, stage.hop, stage.latency) == (length, hop, length - 1)
        assert stage.channels == len(bank.centre_hz) == parts * (length // 2 + 1)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(4, 508), st.floats(0, 2 * np.pi))
def test_stft_of_a_tone_on_a_bin(bin_index, phase_rad):
    # a periodic Hann window answers a tone of amplitude 1 on a bin with n / 4, on its neighbours with n / 8
    waveforms = tone(bin_index * 24_000 / 1024, 24_000, 3000, phase_rad)
    heard = load("filterbank:stft").run(waveforms, ["first_layer"])["first_layer"][0].double()
    magnitude = load("filterbank:stft_magnitude").run(waveforms, ["first_layer"])["first_layer"][0].double()
    power = heard[:513] ** 2 + heard[513:] ** 2
    torch.testing.assert_close(power.sqrt(), magnitude, atol=1e-3, rtol=1e-4)
    expected = torch.zeros(513, dtype=torch.float64)
    expected[bin_index - 1 : bin_index + 2] = torch.tensor([128.0, 256.0, 128.0], dtype=torch.float64)
    torch.testing.assert_close(magnitude, expected[:, None].expand_as(magnitude), atol=2e-3, rtol=0)


@pytest.mark.parametrize("name", ["filterbank:stft", "filterbank:gammatone"])
@pytest.mark.parametrize("frequency_hz", [61.0, 440.0, 3210.0, 9876.0])
def test_answers_to_tones_are_the_kernels_transform(name, frequency_hz):
    bank = load(name)
    kernels, hop = bank.kernels("first_layer"), bank.stages["first_layer"].hop
    turn = 2 * np.pi * frequency_hz / 24_000
    transform = kernels @ np.exp(1j * turn * np.arange(kernels.shape[1]))
    waveforms = torch.cat([tone(frequency_hz, 24_000, 6000, 2 * np.pi * k / 3) for k in range(3)])
    heard = bank.run(waveforms, ["first_layer"])["first_layer"].double()
    # over three phases the mean power is half |W|^2, in every frame
    power = heard.square().mean(0).numpy()
    expected = np.abs(transform[:, None]) ** 2 / 2
    np.testing.assert_allclose(power, np.broadcast_to(expected, power.shape), atol=1e-6 * expected.max())
    angle = np.angle(transform) + turn * hop * np.arange(heard.shape[2])[:, None]
    frames = (np.abs(transform) * np.sin(angle)).T
    np.testing.assert_allclose(heard[0], frames, atol=1e-5 * np.abs(transform).max())


def test_stft_best_frequency_and_noise_bandwidth_of_its_kernels():
    bank = load("filterbank:stft")
    kernels = bank.kernels("first_layer")
    power = np.abs(np.fft.rfft(kernels, n=16 * 1024)) ** 2
    for channel in (5, 100, 400, 513 + 5, 513 + 400):
        peak = power[channel].argmax()
        assert peak * 24_000 / (16 * 1024) == bank.centre_hz[channel]
        assert power[channel].sum() / power[channel, peak] / 16 == pytest.approx(1.5, rel=1e-3)  # bins


def test_stft_imaginary_parts_without_frequency_are_silent(noise):
    heard = load("filterbank:stft").run(noise(1, 2000), ["first_layer"])["first_layer"]
    assert heard[:, [513, 1025]].abs().max() < 1e-5 < heard[:, 514:1025].abs().amax(dim=(0, 2)).min()


@pytest.mark.parametrize("sample_rate", RATES)
def test_gammatone_has_unit_gain_at_even_erb_steps(sample_rate):
    bank = load("filterbank:gammatone", sample_rate=sample_rate)
    assert bank.centre_hz[[0, -1]] == pytest.approx([50.0, 0.45 * sample_rate])
    assert np.ptp(np.diff(21.4 * np.log10(0.00437 * bank.centre_hz + 1))) < 1e-9
    kernels = bank.kernels("first_layer")
    turn = 2 * np.pi * bank.centre_hz[:, None] / sample_rate * np.arange(kernels.shape[1])
    np.testing.assert_allclose(np.abs((kernels * np.exp(1j * turn)).sum(1)), 1.0, rtol=1e-12)


def test_gammatone_bandwidth_is_the_ear_s():
    # equivalent rectangular bandwidth of a 4th-order gammatone of b = 1.019 ERB is one ERB
    bank = load("filterbank:gammatone")
    power = np.abs(np.fft.rfft(bank.kernels("first_layer"), n=48_000)) ** 2
    width_hz = power.sum(axis=1) / power.max(axis=1) * 0.5
    middle = slice(4, 60)  # away from zero and Nyquist, where a channel meets its mirror image
    np.testing.assert_allclose(width_hz[middle], 24.7 * (0.00437 * bank.centre_hz[middle] + 1), rtol=0.01)


def test_gammatone_has_decayed_where_it_is_cut():
    kernels = np.abs(load("filterbank:gammatone").kernels("first_layer"))
    assert kernels[:, :24].max(axis=1) == pytest.approx(0, abs=10 ** (-85 / 20) * kernels.max(axis=1).min())


@pytest.mark.parametrize("sample_rate", RATES)
def test_stft_log_is_the_level_of_the_magnitude(sample_rate, noise):
    waveforms = noise(2, sample_rate // 4)
    magnitude, level = (
        load(f"filterbank:stft_{name}", sample_rate=sample_rate).run(waveforms, ["first_layer"])[
            "first_layer"
        ]
        for name in ("magnitude", "log")
    )
    length = load("filterbank:stft_log", sample_rate=sample_rate).stages["first_layer"].receptive_field
    amplitude = magnitude.double() / (length / 4)
    expected = 60 + 20 * torch.log10(amplitude.clamp(min=1e-3))
    torch.testing.assert_close(level.double(), expected, atol=1e-4, rtol=0)
    silent = load("filterbank:stft_log", sample_rate=sample_rate).run(0 * waveforms, ["first_layer"])
    assert silent["first_layer"].abs().max() == 0


def test_stft_log_adds_a_constant_for_a_gain_above_its_floor():
    quiet, loud = (
        load("filterbank:stft_log").run(a * tone(3000, 24_000, 3000), ["first_layer"])["first_layer"][0, 128]
        for a in (10 ** (-35 / 20), 10 ** (-20 / 20))
    )
    torch.testing.assert_close(loud - quiet, torch.full_like(loud, 15.0), atol=1e-3, rtol=0)
    assert quiet.min() > 24


@pytest.mark.parametrize("name", MIXED)
def test_mixing_preserves_products_and_moves_every_channel(name, noise):
    waveforms = noise(2, 4000)
    plain, mixed = (
        load(n).run(waveforms, ["first_layer"])["first_layer"].double().transpose(1, 2)
        for n in (name.removesuffix("_mixed"), name)
    )
    product = plain @ plain.mT
    torch.testing.assert_close(mixed @ mixed.mT, product, atol=1e-5 * product.max(), rtol=0)
    matrix = load(name).module.matrix.double()
    torch.testing.assert_close(plain @ matrix.T, mixed, atol=1e-4 * plain.max(), rtol=0)
    assert matrix.abs().max() < 6 / len(matrix) ** 0.5  # nothing keeps a place


@pytest.mark.parametrize("name", MIXED)
def test_mixing_follows_its_seed(name):
    shas = [load(name, seed=seed).weights.sha256 for seed in (0, 0, 1)]
    assert shas[0] == shas[1] != shas[2]
    assert load(name).weights.source == load(name, weights="random").weights.source == "none"


@pytest.mark.parametrize("frequency_hz", [150.0, 440.0, 3210.0, 6000.0])
def test_envelopes_are_steady_and_those_of_the_gammatone(frequency_hz):
    waveforms = torch.cat([tone(frequency_hz, 24_000, 6000, 2 * np.pi * k / 3) for k in range(3)])
    found, real = (
        load(name).run(waveforms, ["first_layer"])["first_layer"].double()
        for name in ("filterbank:gammatone_envelope", "filterbank:gammatone")
    )
    envelope = (2 * real.square().mean(0)).sqrt()  # over three phases, of each frame
    np.testing.assert_allclose(found, envelope.expand_as(found), atol=0.01 * envelope.max())


@pytest.mark.parametrize("name", BANKS)
def test_banks_take_no_weights(name, tmp_path):
    assert load(name).weights.source == load(name, weights="random", seed=3).weights.source == "none"
    assert load(name).weights.sha256 == load(name, weights="random", seed=3).weights.sha256
    with pytest.raises(InputError, match=f"{name} has no weights"):
        load(name, weights=tmp_path / "model.pt")


@pytest.mark.parametrize("name", [*BANKS, *MIXED])
def test_a_sound_too_short_and_a_rate_too_low(name, noise):
    with pytest.raises(InputError, match=f"waveforms of 500 samples: {name} needs at least"):
        load(name).run(noise(1, 500), ["first_layer"])
    for wrong in (0, -24_000, 999, 24_000.5, float("nan")):
        with pytest.raises(InputError, match="sample_rate"):
            load(name, sample_rate=wrong)
