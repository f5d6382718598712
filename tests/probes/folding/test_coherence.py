from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.encoders import load
from tonotopy.encoders.base import Stage
from tonotopy.probes.folding.coherence import coherence, coherent_pairs, coherent_partials
from tonotopy.probes.folding.folding import folded_bin, separable
from tonotopy.synth import partials_at
from tonotopy.synth.errors import InputError


def encoder_with(*hops, sample_rate=24_000) -> Any:
    stages = {f"s{i}": Stage(f"s{i}", 1, hop, hop, 0) for i, hop in enumerate(hops)}
    return SimpleNamespace(name="fake", sample_rate=sample_rate, stages=stages)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from([1, 2, 3, 5, 8, 9, 10, 64, 101, 294, 320, 729]), min_size=1, max_size=3),
    st.sampled_from([8_000, 16_000, 22_050, 24_000, 48_000]),
)
def test_every_default_tone_has_bins_of_its_own_at_every_stage(hops, sample_rate):
    encoder = encoder_with(*hops, sample_rate=sample_rate)
    window = coherence(encoder)
    tones = coherent_partials(encoder, low_hz=60, high_hz=3500)
    for stage in encoder.stages:
        frames, hop = window.frames[stage], window.hops[stage]
        assert frames >= 17
        assert frames * hop % window.n_samples == 0
        for cycles in window.cycles(tones, stage):
            assert cycles / frames == pytest.approx(tones.columns["frequency_hz"][0] * 0 + cycles[0] / frames)
            assert separable(cycles, frames)
            # coprime, so that the frames meet as many phases as there are frames
            assert np.gcd(cycles[0], frames) in (1, frames * hop // window.n_samples)


def test_cycles_are_frequency_times_duration():
    encoder = load("samplecnn_tiny")
    window, tones = coherence(encoder), coherent_partials(encoder)
    for stage, frames in window.frames.items():
        seconds = frames * window.hops[stage] / encoder.sample_rate
        cycles = np.concatenate(window.cycles(tones, stage))
        np.testing.assert_allclose(cycles, tones.columns["frequency_hz"] * seconds, rtol=1e-9)


@pytest.mark.parametrize("name", ["samplecnn_tiny", "control:decimator", "filterbank:gammatone"])
def test_there_are_pairs_of_one_fold_near_and_far(name):
    encoder = load(name)
    window, tones = coherence(encoder), coherent_partials(encoder)
    f = tones.columns["frequency_hz"]
    assert (np.diff(f) > 0).all()
    for stage, frames in window.frames.items():
        folds = folded_bin(np.concatenate(window.cycles(tones, stage)), frames)
        shared = np.triu(folds[:, None] == folds, 1)
        octaves = np.abs(np.log2(f[:, None] / f))[shared]
        assert shared.sum() >= 20
        assert octaves.min() < 1.0
        assert octaves.max() > 2.0
        rate = encoder.sample_rate / encoder.stages[stage].hop
        one, other = (f[i] for i in np.nonzero(shared))
        turns = np.array([one - other, one + other]) / rate
        np.testing.assert_allclose(np.abs(turns - turns.round()).min(0), 0, atol=1e-6)


def test_pairs_keep_all_their_lines_apart():
    encoder = load("encodec_24khz", weights="random")
    window, pairs = coherence(encoder), coherent_pairs(encoder)
    assert len(pairs) == 12
    ratio = pairs.coordinates["upper_hz"] / pairs.coordinates["f0_hz"]
    assert (np.abs(ratio - 1.26) < 0.15).all()
    for stage, frames in window.frames.items():
        assert all(separable(cycles, frames) for cycles in window.cycles(pairs, stage))


def test_a_prime_hop_leaves_frames_enough():
    window = coherence(encoder_with(53, sample_rate=500))
    assert window.frames["s0"] >= 17


def test_a_window_of_the_users():
    window = coherence(encoder_with(3, 12), n_samples=1200)
    assert window.frames == {"s0": 400, "s1": 100}


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda: coherence(encoder_with(3, 7), n_samples=700),
            "hop of stage 's0', 3 samples, does not",
        ),
        (lambda: coherence(encoder_with(64), n_samples=640), "holds 10 frames of stage 's0', at least 11"),
        (lambda: coherence(encoder_with(64), n_samples=0), "n_samples 0"),
        (lambda: coherence(encoder_with(None)), "stage 's0': fake has no fixed hop"),
        (lambda: coherence(encoder_with(2.5)), "no fixed hop"),
        (lambda: coherent_partials(encoder_with(64), high_hz=13_000), "Nyquist frequency of fake"),
        (lambda: coherent_partials(encoder_with(64), low_hz=500, high_hz=100), "lowest first"),
        (lambda: coherent_partials(encoder_with(64), per_octave=0), "per_octave 0"),
        (lambda: coherent_pairs(encoder_with(64), pairs=0), "pairs 0"),
        (lambda: coherent_pairs(encoder_with(64), ratio=1.0), "ratio 1"),
        (lambda: coherent_pairs(encoder_with(64), high_hz=30_000), "Nyquist frequency of fake"),
    ],
)
def test_bad_input_is_one_clear_line(ask, said):
    with pytest.raises(InputError) as error:
        ask()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_tone_between_bins_is_refused_and_the_nearest_named():
    window = coherence(load("control:decimator"))
    with pytest.raises(
        InputError, match=r"frequency 440 Hz: has no whole number .* nearest that has is 438\.11"
    ):
        window.cycles(partials_at([440.0]), "first_layer")
    bin_hz = 24_000 / window.n_samples
    with pytest.raises(InputError, match="has no whole number"):
        window.cycles(partials_at([59.001 * bin_hz]), "first_layer")
