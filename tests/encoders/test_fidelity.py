import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.encoders.training.fidelity import WINDOWS, MelSpectra, mel_distance, si_sdr_db
from tonotopy.encoders.training.recognition import (
    Agreement,
    chroma,
    chroma_cosine,
    pitch_track,
    same_chords,
    same_notes,
    same_pitch,
)

pytestmark = pytest.mark.numerical

RATE = 8_000
TIME_S = np.arange(RATE) / RATE


def tone(*frequencies_hz: float) -> np.ndarray:
    return np.sum([0.2 * np.sin(2 * np.pi * f * TIME_S) for f in frequencies_hz], axis=0).astype(np.float32)


def midi(*notes: int) -> list[float]:
    return [440 * 2 ** ((note - 69) / 12) for note in notes]


@settings(derandomize=True, deadline=None, max_examples=20)
@given(seed=st.integers(0, 100), ratio_db=st.floats(-20, 60), gain=st.floats(0.01, 100))
def test_si_sdr_is_the_ratio_that_was_mixed_at_any_gain(seed, ratio_db, gain):
    generator = torch.Generator().manual_seed(seed)
    original, noise = torch.randn(2, 500, generator=generator, dtype=torch.float64)
    noise = noise - original * (noise @ original) / (
        original @ original
    )  # none of it lies along the original
    noise = noise * original.norm() / noise.norm() * 10 ** (-ratio_db / 20)
    assert float(si_sdr_db(original, gain * (original + noise))) == pytest.approx(ratio_db, abs=1e-6)


def test_si_sdr_of_a_batch_is_that_of_each():
    original, decoded = torch.randn(2, 3, 400, generator=torch.Generator().manual_seed(0))
    together = si_sdr_db(original, decoded)
    assert together.shape == (3,)
    assert torch.equal(together[1], si_sdr_db(original[1], decoded[1]))


def test_mel_distance_of_a_sound_to_itself_and_to_a_louder_one():
    mel = MelSpectra(RATE)
    noise = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    assert float(mel_distance(mel, noise, noise)) == 0
    assert float(mel_distance(mel, noise, 2 * noise)) == pytest.approx(np.log(2), rel=1e-3)
    assert float(mel_distance(mel, 2 * noise, noise)) == float(mel_distance(mel, noise, 2 * noise))


def test_mel_spectra_of_white_noise_have_the_power_of_their_bands():
    from librosa.filters import mel as filters

    mel = MelSpectra(RATE, windows=(512,))
    noise = torch.randn(1, 40 * RATE, generator=torch.Generator().manual_seed(0))
    (spectrum,) = mel(noise)
    power = spectrum[0].mul(2).exp().mean(dim=1).numpy()
    # a Hann window scaled to unit energy hears white noise of unit power as 1 in every bin
    expected = filters(sr=RATE, n_fft=512, n_mels=32, norm=None).sum(axis=1)
    np.testing.assert_allclose(power, expected, rtol=0.1)


@pytest.mark.parametrize("length", WINDOWS)
def test_mel_spectra_are_those_of_librosas_filters(length):
    from librosa.filters import mel as filters

    noise = torch.randn(2, RATE // 4, generator=torch.Generator().manual_seed(0))
    window = torch.hann_window(length, dtype=torch.float64)
    spectra = torch.stft(noise.double(), length, length // 4, window=window, return_complex=True)
    bands = torch.from_numpy(filters(sr=RATE, n_fft=length, n_mels=length // 16, norm=None)).double()
    power = bands @ spectra.abs().square() / window.square().sum()
    (found,) = MelSpectra(RATE, windows=(length,))(noise)
    torch.testing.assert_close(found.double(), 0.5 * torch.log(1e-6 + power), rtol=0, atol=3e-5)


def test_silence_lies_at_the_floor():
    for spectrum in MelSpectra(RATE, floor=0.01)(torch.zeros(1, RATE)):
        torch.testing.assert_close(spectrum, torch.full_like(spectrum, np.log(0.01)))


@pytest.mark.parametrize("frequency_hz", [82.4, 440.0, 1318.5])
def test_the_tracker_finds_a_sine(frequency_hz):
    found = pitch_track(tone(frequency_hz), RATE)
    assert same_pitch(np.full(len(found), frequency_hz), found).share > 0.9


def test_the_tracker_finds_no_pitch_in_noise():
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    assert np.isnan(pitch_track(noise, RATE)).mean() > 0.7


def test_pitch_is_lost_beyond_a_quarter_tone_and_where_there_is_none():
    original = np.array([100.0, 100.0, 100.0, 100.0, np.nan])
    cents = np.array([0.0, 49.0, -51.0])
    decoded = np.append(100 * 2 ** (cents / 1200), [np.nan, 100.0])
    assert same_pitch(original, decoded) == Agreement(2, 4)
    assert same_pitch(original, 2 * decoded) == Agreement(0, 4)
    assert same_pitch(original, 2 * decoded, octaves=True) == Agreement(2, 4)


def test_notes_too_short_are_not_asked():
    original = np.array([440.0] * 4 + [494.0] * 5 + [440.0] * 6)
    assert same_notes(original, original) == Agreement(2, 2)
    assert same_notes(original, np.full(15, 440.0)) == Agreement(1, 2)
    assert np.isnan(same_notes(original[:4], original[:4]).share)


def test_chords_keep_their_triad_only_while_they_are_played():
    major, same_class, minor = (
        chroma(tone(*midi(*notes)), RATE) for notes in ((48, 52, 55), (60, 64, 67), (48, 51, 55))
    )
    assert same_chords(major, major).share == 1
    assert same_chords(major, same_class).share == 1
    assert same_chords(major, minor).share == 0
    assert chroma_cosine(major, major) == pytest.approx(1)
    assert chroma_cosine(major, minor) < chroma_cosine(major, same_class)


def test_chroma_leaves_silence_out():
    sound = np.concatenate([tone(440.0), np.zeros(RATE, np.float32)])
    found = chroma(sound, RATE)
    assert np.argmax(found[:, 3]) == 9  # A
    assert np.isnan(found[:, -3:]).all()
    silence = chroma(np.zeros(2 * RATE, np.float32), RATE)
    assert np.isnan(silence).all()
    assert chroma_cosine(found, silence) == 0
