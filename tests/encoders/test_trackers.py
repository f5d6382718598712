from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.encoders import InputError, registry

from .tones import tones

load: Any = cache(registry.load)  # the tests look behind the contract

TRACKERS = ("filterbank:log_tracker", "filterbank:divisive_tracker")
ALL = (*TRACKERS, "filterbank:harmonic_template")
phases = st.floats(0, 6.28)


def first_layer(name, waveforms, **options):
    """Float64 [C] of the first frame."""
    return load(name, **options).run(waveforms, ["first_layer"])["first_layer"][0, :, 0].double().numpy()


@st.composite
def partials_apart(draw, at_least_semitones=2.0):
    """Frequencies from 120 Hz to 6000 Hz, at least 2 semitones apart, with phases."""
    steps = draw(st.lists(st.floats(at_least_semitones, 24), min_size=2, max_size=8))
    semitones = np.cumsum([draw(st.floats(0, 12)), *steps])
    frequency_hz = 120 * 2 ** (semitones[semitones < 12 * np.log2(50)] / 12)
    return frequency_hz, np.array([draw(phases) for _ in frequency_hz])


@settings(derandomize=True, deadline=None, max_examples=30)
@given(partials_apart(), st.data())
def test_a_partial_keeps_its_channel_and_its_level_whatever_else_sounds(partials, data):
    frequency_hz, phase_rad = partials
    one = data.draw(st.integers(0, len(frequency_hz) - 1))
    together = first_layer("filterbank:log_tracker", tones(frequency_hz, 0.1, phase_rad))
    alone = first_layer("filterbank:log_tracker", tones(frequency_hz[one], 0.1))
    assert np.count_nonzero(together) == len(frequency_hz)
    (channel,) = alone.nonzero()[0]
    assert together[channel] == pytest.approx(alone[channel], abs=0.05)  # dB
    away = abs(np.log2(load("filterbank:log_tracker").centre_hz[channel] / frequency_hz[one]))
    assert away < np.log2(2 ** (1 / 96) + 0.42 / frequency_hz[one])  # half a channel and half a step


@pytest.mark.parametrize("level_dbfs", [-20.0, -35.0])
def test_levels_are_those_of_the_partials(level_dbfs):
    for frequency_hz in 130 * 2 ** (np.arange(0, 60, 0.77) / 12):
        found = first_layer("filterbank:log_tracker", tones(frequency_hz, 10 ** (level_dbfs / 20)))
        (level,) = found[found > 0]
        assert level == pytest.approx(level_dbfs + 60, abs=0.06)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(partials_apart())
def test_divisive_normalisation_shares_one_among_the_peaks(partials):
    frequency_hz, phase_rad = partials
    waveforms = tones(frequency_hz, 0.1, phase_rad)
    level, share = (first_layer(name, waveforms) for name in TRACKERS)
    peaks = level > 0
    amplitude = 10 ** ((level[peaks] - 60) / 20)
    np.testing.assert_allclose(share[peaks], amplitude / np.sqrt(np.square(amplitude).sum()), rtol=2e-4)
    assert np.square(share).sum() == pytest.approx(1, abs=2e-4)
    assert share[~peaks].max() < 1e-3


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.integers(0, 45), st.lists(st.floats(-18, 18), min_size=4, max_size=4), phases)
def test_a_pitch_has_one_pattern_whatever_its_envelope(midi_above, envelope_db, phase_rad):
    name, f0_hz = "filterbank:harmonic_template", 440 * 2 ** ((48 + midi_above - 69) / 12)
    number = np.arange(1, 5)
    flat = first_layer(name, tones(f0_hz * number, 0.05))
    other = first_layer(
        name, tones(f0_hz * number, 0.05 * 10 ** (np.array(envelope_db) / 20), phase_rad * number)
    )
    away = np.abs(12 * np.log2(load(name).centre_hz / f0_hz))  # semitones
    assert flat.argmax() == other.argmax()
    assert away[flat.argmax()] < 0.27
    gain = 10 ** (np.mean(envelope_db) / 20)
    np.testing.assert_allclose(other, gain * flat, rtol=0.002, atol=1e-6)
    assert (other > 1e-6).sum() in (1, 2, 3)


def test_a_template_answers_to_nothing_but_whole_pitches():
    name, number = "filterbank:harmonic_template", np.arange(1, 5)
    whole = first_layer(name, tones(300 * number)).max()
    for missing in range(4):
        assert first_layer(name, tones(300 * np.delete(number, missing))).max() < 1e-6 * whole
    assert first_layer(name, tones([300, 420, 613, 900])).max() < 1e-6 * whole


@pytest.mark.parametrize("name", ALL)
def test_silence_is_one_constant(name):
    heard = load(name).run(torch.zeros(1, 8000), ["first_layer"])["first_layer"]
    assert heard.abs().max() <= 1.001e-6
    assert heard.min() == heard.max()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("sample_rate", "field", "hop"), [(1000, 300, 13), (16_000, 4800, 213), (48_000, 14_400, 640)]
)
def test_trackers_last_as_long_at_every_rate(name, sample_rate, field, hop):
    bank = load(name, sample_rate=sample_rate)
    stage = bank.stages["first_layer"]
    assert (stage.receptive_field, stage.hop, stage.latency) == (field, hop, field - 1)
    assert stage.channels == len(bank.centre_hz)
    highest = bank.centre_hz[-1] * (4 if name == ALL[-1] else 1)
    assert 0.45 * sample_rate / 2 ** (1 / 48) < highest <= 0.45 * sample_rate


@pytest.mark.parametrize("name", ALL)
def test_trackers_take_no_weights(name, tmp_path):
    assert load(name).weights.source == load(name, weights="random", seed=3).weights.source == "none"
    assert load(name).weights.sha256 == load(name, weights="random", seed=3).weights.sha256
    with pytest.raises(InputError, match=f"{name} has no weights"):
        load(name, weights=tmp_path / "model.pt")
    with pytest.raises(InputError, match=f"waveforms of 500 samples: {name} needs at least 7200"):
        load(name).run(torch.zeros(1, 500), ["first_layer"])
    with pytest.raises(InputError, match=f"sample_rate 999: {name} needs"):
        load(name, sample_rate=999)
