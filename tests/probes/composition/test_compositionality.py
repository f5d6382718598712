"""Compositional stability on encoders whose answer is known."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders import ModuleEncoder, load
from tonotopy.encoders.base import Stage
from tonotopy.probes.composition.compositionality import compositionality, context_pairs
from tonotopy.probes.composition.mixtures import (
    Condition,
    Ensemble,
    Sound,
    chord_ensemble,
    partial_ensemble,
    pitch_ensemble,
    turned,
)
from tonotopy.probes.engine.runtime import one_thread
from tonotopy.probes.engine.session import Session
from tonotopy.synth.errors import InputError

from ..conftest import encoder_of

REFERENCE = Condition("partial", 4, -20.0)
DENSITIES = [Condition("partial", density, -20.0) for density in (1, 2, 4, 8, 16, 32)]


def tones(frequencies_hz, seed=0, contexts=3, most=2) -> Ensemble:
    """Partials of given frequencies, in random company."""
    drawn = partial_ensemble(24_000, contexts, most, seed)
    own = tuple(Sound(np.array([f]), np.ones(1), np.zeros(1)) for f in frequencies_hz)
    labels = tuple(f"{f:g}" for f in frequencies_hz)
    return Ensemble(
        "partial", np.array(frequencies_hz), labels, (own,) * contexts, drawn.context_sounds, 8, 2
    )


def hann_overlap(apart_hz: float, length: int = 1024, sample_rate: float = 24_000.0) -> float:
    """Overlap of two partials in a Hann window: |sum of w^2 exp(j w n)|^2, by Parseval over all bins."""
    n = np.arange(length)
    squared = np.square(0.5 - 0.5 * np.cos(2 * np.pi * n / length))
    return float(
        np.abs((squared * np.exp(2j * np.pi * apart_hz * n / sample_rate)).sum() / squared.sum()) ** 2
    )


def test_the_stft_separates_partials_at_every_density():
    result = compositionality(Session(load("filterbank:stft")), conditions=DENSITIES)
    assert (result["index"] >= 0.99).all()
    assert (result.auc == 1).all()
    assert (result.index_p == 0.001).all()
    assert (result.additivity_error < 1e-9).all()
    assert (result.planarity > 1 - 1e-6).all()


@pytest.mark.parametrize("apart_hz", [6.0, 20.0, 35.0, 50.0, 94.0])
def test_partials_within_the_main_lobe_are_confused_as_theory_says(apart_hz):
    ensemble = tones([3000.0, 3000.0 + apart_hz])
    result = compositionality(
        Session(load("filterbank:stft")), conditions=[Condition("partial", 2, -20.0)], ensembles=[ensemble]
    )
    assert result.confusion.values.ravel() == pytest.approx([hann_overlap(apart_hz)] * 2, abs=2e-3)
    assert result["index"].item() == pytest.approx(1 - hann_overlap(apart_hz), abs=2e-3)


def test_the_decimator_is_additive_and_useless():
    result = compositionality(Session(load("control:decimator")))
    assert (abs(result["index"]) <= 0.01).all()
    assert (result.auc == 0.5).all()
    errors = result.additivity_error.values
    assert np.nanmax(errors) < 1e-9
    assert np.nanmax(result.tree_error) < 1e-9


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_texture_codebook_has_no_index_once_there_is_company(seed):
    conditions = [c for c in DENSITIES if c.density >= 2]
    result = compositionality(Session(load("control:texture"), seed=seed), conditions=conditions)
    assert (result["index"] <= 0.05).all()
    assert (result.additivity_error > 0.5).all()
    assert result.unchanged.values[0, -1] > 0.3  # many leave the patch unchanged, and that is counted


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_magnitudes_lie_in_between_with_a_perfect_auc(seed):
    result = compositionality(Session(load("filterbank:stft_magnitude"), seed=seed), conditions=[REFERENCE])
    assert 0.5 <= result["index"].item() <= 0.75
    assert result.auc.item() >= 0.99


def test_the_first_layer_of_encodec_gives_the_index_of_its_kernels():
    encoder = load("encodec_24khz", weights="random")
    result = compositionality(Session(encoder, ["first_layer"]), conditions=[REFERENCE])
    kernels = encoder.kernels("first_layer")
    assert kernels is not None
    frequency = result.component_frequency.values[0]
    response = kernels @ np.exp(-2j * np.pi * np.outer(np.arange(kernels.shape[1]), frequency) / 24_000)
    planes = [np.linalg.qr(np.stack([z.real, z.imag], axis=1))[0] for z in response.T]
    overlap = np.array([[np.square(a.T @ b).sum() / 2 for b in planes] for a in planes])
    expected = 1 - overlap[~np.eye(len(planes), dtype=bool)].mean()
    assert result["index"].item() == pytest.approx(expected, abs=2e-3)
    assert 0.25 <= expected <= 0.4  # about a third: seven taps cannot separate


class Gate(nn.Module):
    """Hands on the loudest of two bands only: company changes what is heard of a component."""

    def __init__(self, bank):
        super().__init__()
        self.bank = bank

    def forward(self, waveforms):
        bands = self.bank(waveforms)  # [B, C, F]
        return bands * (bands.abs() == bands.abs().amax(1, keepdim=True))


def test_what_answers_only_when_it_is_loudest_is_unstable():
    bank = load("filterbank:stft_magnitude")
    assert isinstance(bank, ModuleEncoder)
    stage = bank.stages["first_layer"]
    gated = encoder_of(Gate(bank.module), [stage], {"first_layer": ""}, prepare=lambda w: w, name="gate")
    quiet, crowded = (
        compositionality(Session(gated), conditions=[Condition("partial", density, -20.0)])
        for density in (1, 32)
    )
    assert crowded.stability.mean() < quiet.stability.mean() < 0.9
    assert crowded.unchanged.item() > 0.2


def test_an_encoder_that_hears_nothing_has_no_plane_and_no_index():
    class Deaf(nn.Module):
        def forward(self, waveforms):
            return torch.ones_like(waveforms[..., ::100]).expand(-1, 3, -1)

    deaf = encoder_of(Deaf(), [Stage("latent", 3, 100, 1, 0)], {"latent": ""})
    result = compositionality(Session(deaf), conditions=[REFERENCE])
    assert result.unchanged.item() == 1
    assert result["index"].item() == 0
    assert result.auc.item() == 0.5
    assert np.isnan(result.planarity.item())


def test_harmonics_turn_at_rates_of_their_own():
    """At one common rate a pitch would span two dimensions at a linear stage, not eight."""
    result = compositionality(Session(load("filterbank:stft")), conditions=[Condition("pitch", 1, -20.0)])
    assert result["rank"].item() == 8
    assert result.planarity.item() > 1 - 1e-5
    phases = np.array([s.phase_rad for s in turned(Sound(*np.ones((3, 4))), 9)])
    assert np.allclose(np.exp(1j * (phases[1] - phases[0])), np.exp(2j * np.pi * np.arange(1, 5) / 9))
    assert result.stability.mean() > 0.999  # other envelopes, same planes


def test_chords_in_other_positions_are_other_partials():
    result = compositionality(Session(load("filterbank:stft")), conditions=[Condition("chord", 0, -20.0)])
    assert 0.2 < result["index"].item() < 0.6
    assert result.auc.item() > 0.9
    assert np.isnan(result.additivity_error.item())


def test_ensembles_are_what_they_say():
    partials, pitches, chords = partial_ensemble(24_000), pitch_ensemble(24_000), chord_ensemble(24_000)
    assert len(partials.sounds) == len(pitches.sounds) == len(chords.sounds) == 6
    for ensemble in (partials, pitches, chords):
        assert ensemble.phases > ensemble.rank
        assert len(ensemble.labels) == len(ensemble.frequency_hz)
        for sound in ensemble.sounds[0]:
            assert (sound.frequency_hz < 12_000).all()
    assert np.square(pitches.sounds[1][0].amplitude).sum() == pytest.approx(1)
    assert not np.allclose(pitches.sounds[0][0].amplitude, pitches.sounds[1][0].amplitude)
    company = partials.context_sounds
    assert not np.allclose(company[0][0].frequency_hz, company[1][0].frequency_hz)


def test_a_run_repeats_and_does_not_depend_on_tiles_or_threads(stack):
    def measured(tile_seconds):
        return compositionality(
            Session(stack, tile_seconds=tile_seconds), conditions=[REFERENCE, Condition("pitch", 1, -20.0)]
        )

    once, again, small = measured(4.0), measured(4.0), measured(0.5)
    with one_thread():
        alone = measured(4.0)
    for name in once.data_vars:
        assert np.array_equal(once[name].values, again[name].values, equal_nan=once[name].dtype.kind == "f")
    for name in ("overlap", "index", "auc", "additivity_error"):
        for other in (small, alone):
            assert other[name].values == pytest.approx(once[name].values, abs=1e-3, nan_ok=True)


def test_more_contexts_keep_no_more_planes(stack):
    ensemble = tones([300.0, 700.0, 1500.0], contexts=20)
    result = compositionality(
        Session(stack, ["latent"]), conditions=[Condition("partial", 1, -20.0)], ensembles=[ensemble]
    )
    assert result.sizes["context_pair"] == len(context_pairs(20)) == 28 + 28 + 6
    pairs = np.stack([result.first_context, result.second_context], 1)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert (np.diff(pairs) < 8).all()


@pytest.mark.parametrize("contexts", range(2, 30))
def test_every_context_is_compared_with_another(contexts):
    assert set(context_pairs(contexts).ravel()) == set(range(contexts))


def test_wrong_requests_are_refused_in_one_line():
    encoder = load("control:texture")
    with pytest.raises(InputError, match="codes alone"):
        compositionality(Session(encoder, ["codes"]))
    with pytest.raises(InputError, match="no condition"):
        compositionality(Session(encoder), conditions=[])
    with pytest.raises(InputError, match="density must be 0 to 2"):
        compositionality(
            Session(encoder), conditions=[Condition("partial", 3, -20.0)], ensembles=[tones([500.0, 900.0])]
        )
    with pytest.raises(InputError, match="no components of that kind"):
        compositionality(
            Session(encoder), conditions=[Condition("chord", 0, -20.0)], ensembles=[tones([500.0, 900.0])]
        )
    with pytest.raises(InputError, match="at least two contexts"):
        compositionality(
            Session(encoder),
            conditions=[Condition("partial", 1, -20.0)],
            ensembles=[tones([500.0], contexts=1)],
        )


class Biased(nn.Module):
    """Affine, with a bias far above what sounds do to it; or the square."""

    def __init__(self, power: int):
        super().__init__()
        self.power = power
        self.end = nn.Identity()

    def forward(self, x):  # [B, 1, T]
        return self.end(x + 3.0 if self.power == 1 else x.square())


def test_silence_counts_once_in_additivity():
    def error(power):
        encoder = encoder_of(Biased(power), [Stage("latent", 1, 1, 1, 0)], {"latent": "end"})
        heard = tones(np.geomspace(300, 5000, 8), contexts=8, most=1)
        found = compositionality(
            Session(encoder), conditions=[Condition("partial", 1, -20.0)], ensembles=[heard], frames=16
        )
        return found.additivity_error.item()

    assert error(1) < 1e-9
    # 2 a b of (a + b)^2, whose mean squares are 1 and 9/4 of the fourth power of the amplitude
    assert error(2) == pytest.approx(4 / 9, abs=0.05)


class Deaf(nn.Module):
    """Hears nothing below 0.3."""

    def __init__(self):
        super().__init__()
        self.end = nn.Identity()

    def forward(self, x):  # [B, 1, T]
        return self.end(torch.where(x.abs() < 0.3, 0.0, x))


def test_a_component_that_is_not_heard_in_company_spoils_no_mean():
    heard = tones([700.0, 1900.0], most=1)
    loud, faint = (Sound(np.array([f]), np.array([a]), np.zeros(1)) for f, a in ((700.0, 5.0), (1900.0, 0.5)))
    for sounds in ((loud, faint), (faint, faint)):
        ensemble = dataclasses.replace(heard, sounds=(sounds,) * 3)
        encoder = encoder_of(Deaf(), [Stage("latent", 1, 1, 1, 0)], {"latent": "end"})
        found = compositionality(
            Session(encoder), conditions=[Condition("partial", 1, -20.0)], ensembles=[ensemble], frames=16
        )
        assert np.isfinite(found.additivity_error.item()) == (loud in sounds)
