import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tonotopy.encoders import load
from tonotopy.encoders.base import Stage
from tonotopy.probes import waveform_shape
from tonotopy.probes.composition.perturbations import shape_sounds
from tonotopy.probes.composition.shape_similarity import (
    code_similarities,
    shape_over_spectrum,
    similarities,
)
from tonotopy.probes.composition.waveform_shape import _crossover
from tonotopy.probes.engine.session import Session
from tonotopy.probes.statistics.resampling import flipped_p
from tonotopy.synth import Partial, Stimulus, StimulusSet
from tonotopy.synth.errors import InputError

from ..conftest import encoder_of


@pytest.fixture(scope="module")
def stft():
    return waveform_shape(Session(load("filterbank:stft")), draws=4)


@pytest.fixture(scope="module")
def magnitude():
    return waveform_shape(Session(load("filterbank:stft_magnitude")), draws=4)


def hann_power(length=1024):
    return np.sin(np.pi * np.arange(length) / length) ** 4


def kept(power, detuning_hz, sample_rate=24_000):
    """rho: how far windows of this power correlate where every partial has moved by the detuning."""
    from_centre = np.arange(len(power)) - (power * np.arange(len(power))).sum() / power.sum()
    turn = np.cos(2 * np.pi * np.outer(detuning_hz, from_centre) / sample_rate)
    return turn @ power / power.sum()


def test_a_linear_bank_is_as_far_from_each_variant_as_the_waveform_under_its_window(stft):
    closed = np.sqrt(2 * (1 - kept(hann_power(), stft.detuning.values)))
    measured = np.sqrt(np.square(stft.detuning_distance.values[0]).mean(1))
    assert np.abs(measured - closed).max() < 0.02
    assert np.abs(stft.phase_distance.values - np.sqrt(2)).max() < 0.02


def test_a_linear_bank_prefers_the_waveform_by_the_closed_form(stft):
    power = hann_power()
    duration = power.sum() ** 2 / np.square(power).sum() / 24_000
    assert float(stft.window_duration[0]) == pytest.approx(duration, rel=0.02)
    moved = np.sqrt(1 - kept(power, [1 / (8 * duration)]))[0]
    assert float(stft.preference.mean()) == pytest.approx((1 - moved) / (1 + moved), abs=0.02)
    assert 60 < float(stft.crossover[0]) < 90


def test_a_magnitude_spectrum_prefers_the_spectrum(magnitude):
    assert (magnitude.preference < -0.8).all()
    assert (magnitude.mean_preference < -0.85).all()
    assert (magnitude.phase_distance < 0.02).all()
    assert (magnitude.shift_distance < 0.02).all()  # it knows no instants either
    assert float(magnitude.crossover[0]) == 0
    assert (magnitude.mean_preference_p == 0.001).all()


def test_samples_prefer_the_waveform_whatever_the_detuning():
    samples = waveform_shape(Session(load("control:decimator")))
    assert (samples.preference_by_detuning > 0.99).all()
    assert np.isinf(samples.crossover).all()
    assert samples.shift_distance.mean() > 1  # samples know instants, not shapes


def test_a_texture_keeps_waveforms_together_until_detuning_turns_them_within_a_patch():
    patches = waveform_shape(Session(load("control:texture"))).sel(stage="quantized")
    assert float(patches.mean_preference[0]) > 0.7
    assert float(patches.mean_preference[-1]) < 0.1
    assert float(patches.crossover) > 40  # about the inverse of what a patch lasts, 75 Hz; 80 are played


def test_the_stimuli_are_what_they_are_said_to_be(stft):
    assert stft.spectrum_phase_distance.max() < 1e-6
    assert stft.spectrum_detuning_distance.min() > 1.4
    assert stft.waveform_phase_distance.mean() == pytest.approx(np.sqrt(2), abs=0.02)
    closed = np.sqrt(2 * (1 - kept(hann_power(), stft.detuning.values)))
    measured = np.sqrt(np.square(stft.waveform_detuning_distance.values[0]).mean(1))
    assert np.abs(measured - closed).max() < 0.05


PATCH = 320


class Patches(nn.Module):
    """Some function of consecutive stretches of sound, [B, F, L] -> [B, F, C]."""

    def __init__(self, function, length=PATCH):
        super().__init__()
        self.function, self.length = function, length

    def forward(self, x):
        frames = x.reshape(len(x), -1).unfold(-1, self.length, self.length)
        return self.function(frames).transpose(1, 2)


def patches_of(function, channels, length=PATCH):
    stage = Stage("first_layer", channels, length, length, length - 1)
    return encoder_of(Patches(function, length), [stage], {"first_layer": ""})


def directions(count, length=PATCH, seed=0):
    drawn = torch.randn(count, length, generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.norm(dim=1, keepdim=True)


def nearest(count, length):
    own = directions(count, length)
    return patches_of(lambda frames: own[(frames @ own.T).argmax(-1)], length, length)


def shares(length=PATCH):
    """Soft assignment of the normalised waveform to 64 patches, as of a mixture model."""
    own = directions(64, length)

    def assigned(frames):
        unit = frames / (frames.norm(dim=-1, keepdim=True) + 1e-9)
        return torch.softmax(40 * unit @ own.T, -1)

    return patches_of(assigned, 64)


def excess(encoder, sounds=None):
    found = waveform_shape(Session(encoder), sounds=sounds, detunings_hz=[10.0])
    return found.isel(stage=0).shape_over_spectrum


TURN = torch.linalg.qr(torch.randn(PATCH, PATCH, generator=torch.Generator().manual_seed(1)))[0]
LINEAR = {
    "patches": lambda: patches_of(lambda frames: frames, PATCH),
    "patches in another basis": lambda: patches_of(lambda frames: frames @ TURN, PATCH),
    "spectrum": lambda: load("filterbank:stft"),
    "one sample": lambda: load("control:decimator"),
}
# what answers sample by sample, or projection by projection, knows no pattern however bent the answer is
BENT = {
    "cubes": lambda: patches_of(lambda frames: frames**3, PATCH),
    "signs of projections": lambda: patches_of(lambda frames: (frames @ directions(256).T).sign(), 256),
    "rectified projections": lambda: patches_of(lambda frames: (frames @ directions(256).T).relu(), 256),
    "loudness": lambda: patches_of(lambda frames: frames.square().mean(-1, keepdim=True).sqrt(), 1),
    "rectified samples": lambda: load("control:rectifier"),
    "gammatones": lambda: load("filterbank:gammatone"),
    "logarithmic magnitudes": lambda: load("filterbank:log_tracker"),
}
PATTERNS = {
    "pink patches": lambda: load("control:texture"),
    "long patches": lambda: nearest(64, 800),
    "short patches": lambda: nearest(256, 160),
    "shares of patches": lambda: shares(),
}


@pytest.mark.parametrize("name", LINEAR)
def test_a_windowed_spectrum_is_no_evidence_of_shape_in_whatever_basis(name):
    assert np.abs(excess(LINEAR[name]()).mean()) < 0.02


def test_a_rectangle_is_found_to_the_sample():
    found = waveform_shape(Session(load("control:patches")), detunings_hz=[5, 10, 20]).isel(stage=0)
    assert int(found.window_centre) in (159, 160)
    assert float(found.window_duration) == pytest.approx(PATCH / 24_000)
    moved = np.sqrt(1 - kept(np.ones(PATCH), [24_000 / (8 * PATCH)]))[0]
    assert float(found.preference.mean()) == pytest.approx((1 - moved) / (1 + moved), abs=0.02)


@pytest.mark.parametrize("name", BENT)
def test_an_answer_that_is_bent_is_no_pattern(name):
    assert float(excess(BENT[name]()).mean()) < 0.2


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_of_waveform_are_shape_over_spectrum(name):
    assert float(excess(PATTERNS[name]()).mean()) > 0.3


def test_a_magnitude_spectrum_keeps_the_spectrum_whole(magnitude):
    assert float(magnitude.shape_over_spectrum.mean()) < -0.9
    similar = magnitude.isel(stage=0).similarity.mean("sound")
    assert (similar > 0.98).all()
    windowed = magnitude.isel(stage=0).windowed_similarity.mean("sound")
    assert windowed.values == pytest.approx([-1, 0.5, 1], abs=0.01)


def test_gain_rotation_repetition_and_offset_of_channels_change_nothing():
    own, sounds = directions(PATCH), shape_sounds(24_000)[:6]

    def pattern(frames):
        return own[(frames @ own.T).argmax(-1)]

    ways = (
        lambda frames: 30 * pattern(frames),
        lambda frames: pattern(frames) @ TURN,
        lambda frames: torch.cat([pattern(frames)] * 2, -1),
        lambda frames: pattern(frames) + 3 * own[0],
    )
    plain = excess(patches_of(pattern, PATCH), sounds)
    assert plain.std() > 0.01
    for way, channels in zip(ways, (PATCH, PATCH, 2 * PATCH, PATCH), strict=True):
        assert np.abs(excess(patches_of(way, channels), sounds) - plain).max() < 1e-3


def test_similarity_is_the_angle_between_deviations():
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(4, 6, 1, 50, generator=generator, dtype=torch.float64)
    offset = torch.randn(50, generator=generator, dtype=torch.float64)
    three = torch.cat([frames, frames, -frames, 2 * frames], dim=2) + offset
    assert similarities(three, offset) == pytest.approx(np.tile([1, -1, 0.8], (4, 1)))


def test_codes_are_as_similar_as_one_hot_vectors():
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(5, (6, 4, 3, 2), generator=generator)
    vectors = nn.functional.one_hot(codes, 5).double().flatten(3)
    expected = similarities(vectors, vectors.mean((0, 1, 2)))
    assert code_similarities(codes) == pytest.approx(expected)


def test_what_is_kept_of_the_spectrum_is_the_more_telling_of_two():
    window = np.array([[-1.0], [0.5], [1.0]])
    for similarity, expected in (([0, 0, 1], 1), ([1, 0, 1], 0), ([0, 0.5, 1], 0), ([0, 0, 0.1], 0.1)):
        assert shape_over_spectrum(np.array(similarity)[:, None], window) == pytest.approx([expected])


def test_groups_of_sounds_are_drawn_anew():
    sounds = shape_sounds(24_000)
    groups, kinds = (sounds.coordinates[name] for name in ("group", "kind"))
    assert all(sorted(kinds[groups == g]) == ["chord", "inharmonic", "pitch"] for g in range(8))
    lowest = {
        min(p.frequency_hz for p in sounds.stimulus(row).partials)
        for row, kind in enumerate(kinds)
        if kind == "pitch"
    }
    assert len(lowest) == 8
    assert shape_sounds(24_000, 1).sha256 != sounds.sha256


class Delayed(nn.Module):
    def __init__(self, delay):
        super().__init__()
        self.delay = delay

    def forward(self, x):
        return nn.functional.pad(x, (self.delay, 0))[..., : x.shape[-1]]


@pytest.mark.parametrize("delay", [0, 700])
def test_it_is_found_out_where_a_frame_hears(delay):
    stage = Stage("first_layer", 1, 1, delay + 1, 0)
    result = waveform_shape(
        Session(encoder_of(Delayed(delay), [stage], {"first_layer": ""})), detunings_hz=[10, 80]
    )
    assert int(result.window_centre[0]) == -delay
    assert float(result.window_duration[0]) == 1 / 24_000
    assert (result.preference_by_detuning > 0.99).all()


def test_what_is_quantized_is_heard_where_the_latent_is():
    encoder = load("codec_tiny", weights="random")
    result = waveform_shape(Session(encoder, ["latent", "quantized_1", "codes"]), detunings_hz=[5], draws=2)
    assert len(set(result.window_centre.values)) == 1
    assert not (np.abs(result.preference) > 1).any()
    assert (result.phase_distance.sel(stage="codes") <= np.sqrt(2) + 1e-9).all()  # one-hot vectors
    assert np.isfinite(result.mean_preference).all()


def test_tiles_and_repetitions_give_the_same():
    encoder = load("filterbank:stft")
    one, other = (waveform_shape(Session(encoder, tile_seconds=s), detunings_hz=[10]) for s in (8.0, 0.2))
    assert np.abs(one.preference - other.preference).max() < 1e-5
    assert one.identical(waveform_shape(Session(encoder), detunings_hz=[10]))


class Deaf(nn.Module):
    def forward(self, x):
        return torch.ones(len(x), 3, x.shape[-1] // 4)


def test_a_stage_that_hears_nothing_has_no_preference_and_says_so():
    deaf = encoder_of(Deaf(), [Stage("first_layer", 3, 4, 4, 3)], {"first_layer": ""})
    result = waveform_shape(Session(deaf), detunings_hz=[10])
    assert result.preference.isnull().all()
    assert np.isnan(result.crossover).all()
    assert str(result.remark.values[0]).startswith("24 of 24 sounds")


def test_sounds_are_equally_loud_and_resolved():
    sounds = shape_sounds(24_000)
    assert sounds.rms == pytest.approx(0.1 / np.sqrt(2))
    for row in range(len(sounds)):
        frequency = np.sort([p.frequency_hz for p in sounds.stimulus(row).partials])
        assert len(frequency) >= 4
        assert np.diff(frequency).min() > 99.9


@pytest.mark.parametrize(
    ("mean", "expected"),
    [
        ([0.5, 0.0, -0.5], 10.0),
        ([1.0, 0.5, -0.5], 10 * np.sqrt(2)),
        ([0.1, 0.1, 0.1], np.inf),
        ([-0.1, 0.1, 0.1], 0),
    ],
)
def test_crossover_is_where_the_preference_falls_through_zero(mean, expected):
    assert _crossover(np.array([5.0, 10.0, 20.0]), np.array(mean)) == pytest.approx(expected)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.lists(st.floats(0.01, 1), min_size=12, max_size=24), st.booleans())
def test_p_is_least_where_all_sounds_agree_and_the_same_for_both_signs(values, negative):
    values = np.array(values) * (-1 if negative else 1)
    # of 2^12 or more sign patterns only two are as far from 0
    assert flipped_p(values, 0, tails=2) <= 0.005
    alternating = values * np.where(np.arange(len(values)) % 2, 1, -1)
    assert flipped_p(values, 0, tails=2) <= flipped_p(alternating, 0, tails=2)


def test_p_is_uniform_under_the_null():
    generator = np.random.default_rng(1)
    p = np.array([flipped_p(generator.normal(size=24), seed, tails=2) for seed in range(400)])
    # 95 % binomial range of 400 draws at 0.05
    assert 11 <= (p <= 0.05).sum() <= 29


def test_there_is_no_room_for_sounds_at_a_very_low_rate():
    with pytest.raises(InputError, match="sample rate 2000 Hz"):
        shape_sounds(2000)
    assert len(shape_sounds(4000)) == 24


def test_bad_input_takes_one_line():
    encoder = load("control:decimator")
    low = StimulusSet.of([Stimulus((Partial(50.0, 0.1),), coordinates={"kind": "low"})])
    plain = StimulusSet.of([Stimulus((Partial(500.0, 0.1),))])
    for options, word in [
        ({"draws": 3}, "draws 3"),
        ({"detunings_hz": []}, "detunings_hz"),
        ({"detunings_hz": [10, 5]}, "detunings_hz"),
        ({"sounds": low}, "frequency 50 Hz"),
        ({"sounds": plain}, "'kind'"),
        ({"stages": ["nowhere"]}, "nowhere"),
    ]:
        with pytest.raises(InputError, match=word) as caught:
            waveform_shape(Session(encoder, options.pop("stages", None)), **options)
        assert "\n" not in str(caught.value)
