import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders import load
from tonotopy.encoders.base import ModuleEncoder, Stage, Weights
from tonotopy.probes.engine.session import Session
from tonotopy.probes.interventions.interventions import CLIPS, intervention_mixtures, interventions
from tonotopy.probes.interventions.removal import (
    ABSENT,
    EQUAL_AMONG_OTHERS,
    EQUAL_OF,
    OWN_ALONE,
    OWN_AMONG_OTHERS,
    RANDOM,
    REMOVALS,
    Bench,
    Trial,
    beyond_random,
    levels,
    of_equal_energy,
    removal,
)
from tonotopy.synth import Partial, Stimulus, StimulusSet
from tonotopy.synth.errors import InputError

LENGTH, HOP = 1920, 480


class Frames(nn.Module):
    """Hann-windowed spectra of the last 80 ms, every 20 ms: real parts, then imaginary ones."""

    def forward(self, x):
        frames = nn.functional.pad(x, (LENGTH - HOP, 0)).unfold(-1, LENGTH, HOP)
        spectrum = torch.fft.rfft(frames * torch.hann_window(LENGTH)).transpose(1, 2)
        return torch.cat([spectrum.real, spectrum.imag], dim=1)


class LinearCodec(ModuleEncoder):
    """`Frames` and its inverse by overlap and add: perfect but for the last three frames."""

    def __init__(self):
        stage = Stage("latent", LENGTH + 2, HOP, LENGTH, HOP - 1)
        weights = Weights("none", "")
        super().__init__("linear", Frames(), 24_000, {"latent": stage}, {"latent": ""}, weights, lambda x: x)

    def decode(self, latent, scale=None):
        real, imaginary = latent.chunk(2, dim=1)
        window = torch.hann_window(LENGTH)
        frames = torch.fft.irfft(torch.complex(real, imaginary).transpose(1, 2), n=LENGTH) * window
        count = frames.shape[1]
        out = torch.zeros(len(latent), LENGTH + (count - 1) * HOP)
        for f in range(count):
            out[:, f * HOP : f * HOP + LENGTH] += frames[:, f]
        total = window.square().unfold(0, HOP, HOP).sum(0).repeat(count + LENGTH // HOP - 1)
        return (out / total)[:, LENGTH - HOP :]


class HummingCodec(LinearCodec):
    """Hears all sounds equally loud; its decoder hums at 705 Hz before it gives loudness back."""

    def __init__(self):
        super().__init__()
        self._prepare = lambda x: x / self.scale(x)[:, None]

    def scale(self, waveforms):
        return 1e-8 + waveforms.square().mean(1).sqrt()

    def decode(self, latent, scale=None):
        sound = super().decode(latent)
        hum = 2.0 * torch.sin(2 * torch.pi * 705.0 / 24_000 * torch.arange(sound.shape[1]))
        return (sound + hum) * (1.0 if scale is None else scale[:, None])


class Pairs(ModuleEncoder):
    """Two samples a frame: what a partial spans is all there is."""

    def __init__(self):
        stage = Stage("latent", 2, 2, 2, 1)
        weights = Weights("none", "")
        super().__init__(
            "pairs", nn.Identity(), 24_000, {"latent": stage}, {"latent": ""}, weights,
            lambda x: x, lambda _stage, x: x.unflatten(1, (-1, 2)).transpose(1, 2),
        )  # fmt: skip

    def decode(self, latent, scale=None):
        return latent.transpose(1, 2).flatten(1)


def mixture(*frequency_hz):
    return Stimulus(tuple(Partial(f, 0.05, i) for i, f in enumerate(frequency_hz)))


APART = StimulusSet.of([mixture(310.0, 705.0, 1510.0, 3120.0), mixture(425.0, 930.0, 2210.0, 4040.0)])


@pytest.fixture(scope="module")
def linear():
    return interventions(Session(LinearCodec()), mixtures=APART, random_planes=3).isel(stage=0)


@pytest.mark.parametrize("removal", [OWN_ALONE, OWN_AMONG_OTHERS])
def test_a_linear_codec_loses_the_partial_and_nothing_else(linear, removal):
    own = linear.sel(removal=removal)
    assert (own.removed_db.sel(dose=1) < -40).all()
    assert (own.worst_neighbour_db.sel(dose=1) < 0.1).all()
    assert own.held.values == pytest.approx(0.25, abs=0.01)  # one of four equal partials
    assert (linear.reference_db.round(2) == 0).all()  # the codec itself changes nothing


def test_a_hum_is_no_partial_however_loud_the_scale_makes_it():
    found = interventions(Session(HummingCodec()), mixtures=APART[:1], tested=4, random_planes=1).isel(
        stage=0
    )
    assert np.abs(found.reference_db).max() < 0.01
    assert (found.removed_db.sel(removal=OWN_ALONE, dose=1) < -40).all()


def test_the_dose_is_linear_in_amplitude(linear):
    own = linear.sel(removal=OWN_ALONE)
    for dose, level in [(0.0, 1.0), (0.25, 0.75), (0.5, 0.5), (0.75, 0.25), (1.5, 0.5)]:
        assert np.abs(own.removed_db.sel(dose=dose) - 20 * np.log10(level)).max() < 0.1


def test_random_planes_do_next_to_nothing(linear):
    plane = linear.sel(removal=RANDOM)
    assert np.abs(plane.removed_db).max() < 0.2
    assert np.abs(plane.neighbours_db).max() < 0.2
    assert (plane.held < 0.02).all()


@pytest.mark.parametrize("own", EQUAL_OF)
def test_random_planes_of_equal_energy_take_as_much_from_all(linear, own):
    plane = linear.sel(removal=EQUAL_OF[own])
    # along the mixture itself goes the share of energy that is held: a quarter of every amplitude
    assert float(plane.mean_removed_db.sel(dose=1)) == pytest.approx(20 * np.log10(0.75), abs=0.5)
    assert float(plane.mean_neighbours_db.sel(dose=1)) == pytest.approx(20 * np.log10(0.75), abs=0.5)
    assert (linear.specific_db.sel(removal=own) > 40).all()
    assert (np.abs(plane.specific_db) < 2).all()
    assert (linear.beyond_db.sel(removal=own) > 40).all()


@pytest.mark.parametrize("codec", ["control:mu_law_codec", "control:identity_codec"])
def test_every_plane_is_compared_with_random_ones_of_its_own_energy(codec):
    bench = Bench.of(load(codec), "latent", APART, 0.05)
    partials = APART.stimulus(0).partials
    trial = Trial(0, partials, 1, Partial(1100.0, 0.05))
    taken = removal(bench, trial, 3, [0]).taken
    for own, equal in EQUAL_OF.items():
        for part in taken[equal]:
            assert torch.allclose(part.norm(dim=0), taken[own][0].norm(dim=0), rtol=1e-3, atol=1e-6)
    alone, among = (float(taken[own][0].square().sum()) for own in EQUAL_OF)
    assert (alone / among == pytest.approx(1, abs=0.01)) is ("identity" in codec)


def test_raw_samples_lose_a_partial_and_bent_ones_lose_all_alike():
    one, other = (
        interventions(Session(load(f"control:{name}_codec")), mixtures=APART, doses=[0, 1]).isel(stage=0)
        for name in ("identity", "mu_law")
    )
    own = one.sel(removal=OWN_AMONG_OTHERS)
    assert (own.removed_db.sel(dose=1) < -30).all()
    assert (np.abs(own.neighbours_db.sel(dose=1)) < 0.5).all()
    assert (one.beyond_db.sel(removal=OWN_ALONE) > 30).all()
    assert float(other.beyond_db.sel(removal=OWN_ALONE).mean()) < 4
    for found in (one, other):
        for plane, equal in EQUAL_OF.items():
            held = found.held.sel(removal=equal).values
            assert held == pytest.approx(found.held.sel(removal=plane).values, rel=1e-3)


class Muffled(LinearCodec):
    """Its decoder gives nothing above 1 kHz."""

    def decode(self, latent, scale=None):
        latent = latent.clone()
        high = torch.arange(LENGTH // 2 + 1) > 1000 * LENGTH / 24_000
        latent[:, torch.cat([high, high])] = 0
        return super().decode(latent)


def test_lost_partials_stay_in_the_count_as_nothing_removed():
    found = interventions(Session(Muffled()), mixtures=APART, tested=4, doses=[0, 1]).isel(stage=0)
    high = found.removed_frequency.values > 1000
    assert high.sum() == 4
    assert int(found.lost) == 4
    assert str(found.remark.values).startswith("4 of 8 partials")
    assert np.isnan(found.specific_db.sel(removal=OWN_ALONE).values).tolist() == high.tolist()
    beyond = found.beyond_db.sel(removal=OWN_ALONE).values
    assert (beyond[high] == 0).all()
    assert (beyond[~high] > 40).all()
    assert found.beyond_db.sel(removal=RANDOM).isnull().all()


def test_nothing_is_said_where_all_trials_are_lost():
    specific = np.full((1, len(REMOVALS), 3), np.nan)
    assert np.isnan(beyond_random(specific)).all()
    specific[:, :, 1] = 5.0
    assert beyond_random(specific)[0, REMOVALS.index(OWN_AMONG_OTHERS)].tolist() == [0.0, 0.0, 0.0]
    specific[:, REMOVALS.index(EQUAL_AMONG_OTHERS), 1] = 1.0
    assert beyond_random(specific)[0, REMOVALS.index(OWN_AMONG_OTHERS)].tolist() == [0.0, 4.0, 0.0]


def test_the_plane_of_an_absent_partial_holds_nothing(linear):
    absent = linear.sel(removal=ABSENT)
    assert (absent.held < 0.01).all()
    assert (np.abs(absent.removed_db.sel(dose=1)) < 0.2).all()


def test_without_any_channel_there_is_silence_and_the_ideal_is_exact(linear):
    assert (linear.channels_removed_db.isel(channels_removed=-1) < -100).all()
    assert (linear.channels_neighbours_db.isel(channels_removed=-1) < -100).all()
    assert (linear.channels_removed_db.sel(channels_removed=16) < -20).all()  # its own main lobe
    assert (linear.ideal_removed_db < -80).all()
    assert (np.abs(linear.ideal_neighbours_db) < 0.01).all()


def test_what_holds_everything_in_one_plane_cannot_separate():
    pairs = interventions(Session(Pairs()), mixtures=APART, doses=[0, 0.5, 1]).isel(stage=0)
    own = pairs.sel(removal=OWN_ALONE)
    assert np.abs(own.removed_db.sel(dose=0.5) - 20 * np.log10(0.5)).max() < 0.01
    assert np.abs(own.removed_db.sel(dose=0.5) - own.neighbours_db.sel(dose=0.5)).max() < 0.01
    assert (own.held > 0.999).all()


def test_doses_begin_with_no_change_and_means_lie_in_their_intervals(linear):
    for name in ("removed_db", "neighbours_db", "worst_neighbour_db", "rest_db"):
        assert (linear[name].sel(dose=0) == 0).all()
    for name in ("mean_removed", "mean_neighbours"):
        assert (linear[f"{name}_low"] <= linear[f"{name}_db"] + 1e-9).all()
        assert (linear[f"{name}_high"] >= linear[f"{name}_db"] - 1e-9).all()


def test_clips_are_what_they_are_called(linear):
    sound, frequency = linear.sound, np.array([p.frequency_hz for p in APART.stimulus(0).partials])
    which = int(np.argmin(np.abs(frequency - float(linear.removed_frequency[0]))))
    found = levels(sound.values.astype(float), frequency, 24_000).partials[:, which]
    by_name = dict(zip(CLIPS, found, strict=True))
    assert by_name[CLIPS[0]] == pytest.approx(20 * np.log10(0.05), abs=0.05)
    assert by_name[CLIPS[1]] < by_name[CLIPS[0]] - 40
    assert by_name[CLIPS[2]] < by_name[CLIPS[0]] - 60
    assert by_name[CLIPS[3]] > by_name[CLIPS[0]] - 6


def test_an_untrained_codec_transmits_nothing_and_says_so():
    encoder = load("codec_tiny", weights="random")
    mixtures = StimulusSet.of([mixture(310.0, 1510.0)])
    result = interventions(Session(encoder), mixtures=mixtures, tested=1, doses=[0, 1]).isel(stage=0)
    assert result.codebooks.values.tolist() == [1, 2, 4, 8]
    assert str(result.remark.values).startswith("1 of 1 partials")
    for name in ("reference_db", "removed_db", "quantized_removed_db", "ideal_removed_db", "specific_p"):
        assert result[name].isnull().all()
    assert int(result.lost) == 1
    assert result.beyond_db.isnull().all()
    assert (result.held > 0).all()
    again = interventions(Session(encoder), mixtures=mixtures, tested=1, doses=[0, 1]).isel(stage=0)
    assert result.identical(again)


def test_equal_energy_is_equal_whatever_the_direction():
    generator = torch.Generator().manual_seed(0)
    moved, share = torch.randn(9, 5, generator=generator), torch.rand(5, generator=generator)
    for _ in range(4):
        part = of_equal_energy(moved, share, torch.randn(9, generator=generator))
        assert torch.allclose(part.norm(dim=0), share * moved.norm(dim=0), atol=1e-5)
        # taking it away is a projection: what is left is orthogonal to it
        assert ((moved - part) * part).sum(0).abs().max() < 1e-4


def test_levels_tell_partials_from_noise():
    time_s = np.arange(4800) / 24_000
    noise = np.random.default_rng(0).normal(0, 0.01, len(time_s))
    found = levels((0.1 * np.sin(2 * np.pi * 500 * time_s) + noise)[None], np.array([500.0, 900.0]), 24_000)
    assert found.partials[0, 0] == pytest.approx(-20, abs=0.1)
    assert found.audible.tolist() == [[True, False]]
    assert found.rest[0] == pytest.approx(-40, abs=0.3)


def test_mixtures_are_apart():
    for seed in range(5):
        mixtures = intervention_mixtures(24_000, seed=seed)
        step = np.log(50) / 15
        for row in range(len(mixtures)):
            frequency = np.array([p.frequency_hz for p in mixtures.stimulus(row).partials])
            assert (np.diff(np.log(frequency)) > 1.99 * step).all()
            assert frequency[0] > 119.9
            assert frequency[-1] < 6000.1


def test_bad_input_takes_one_line():
    codec = LinearCodec()
    single = StimulusSet.of([mixture(310.0)])
    for encoder, options, word in [
        (load("filterbank:stft"), {"stage": "first_layer"}, "cannot decode"),
        (codec, {"stage": "nowhere"}, "nowhere"),
        (codec, {"doses": [0.5, 1]}, "begin with 0"),
        (codec, {"doses": [0, 0.5]}, "hold 1"),
        (codec, {"doses": [0, 1, 0.5]}, "rise"),
        (codec, {"tested": 0}, "tested 0"),
        (codec, {"random_planes": 0}, "random_planes 0"),
        (codec, {"mixtures": single}, "at least two partials"),
    ]:
        with pytest.raises(InputError, match=word) as caught:
            interventions(Session(encoder), **options)
        assert "\n" not in str(caught.value)
