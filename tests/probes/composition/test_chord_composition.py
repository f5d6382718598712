import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tonotopy.encoders import load
from tonotopy.encoders.base import Stage
from tonotopy.probes import chord_composition
from tonotopy.probes.composition.chord_composition import (
    POSITIONS,
    ROOTS_MIDI,
    SHUFFLES,
    SILENT,
    offset_cosines,
    other_chords,
    played_chords,
    position_areas,
    positions,
    transfer_errors,
)
from tonotopy.probes.engine.session import Session
from tonotopy.synth import midi_to_hz
from tonotopy.synth.chords import TRIADS

from ..conftest import encoder_of

RATE = 24_000
N_ROOTS, N_QUALITIES = len(ROOTS_MIDI), len(TRIADS)
PAIRS = np.triu_indices(N_ROOTS, 1)


class PitchClasses(nn.Module):
    """An invented code: the energy of twelve pitch classes, in windows long enough to tell semitones."""

    def __init__(self, length):
        super().__init__()
        frequency = np.fft.rfftfreq(length, 1 / RATE)
        named = np.round(69 + 12 * np.log2(np.maximum(frequency, 1.0) / 440.0)) % 12
        pooled = (named == np.arange(12)[:, None]) & (frequency > 100.0)
        self.register_buffer("pooled", torch.from_numpy(pooled).float())
        self.length = length

    def forward(self, x):
        frames = x[:, 0].unfold(-1, self.length, self.length // 4) * torch.hann_window(self.length)
        return (torch.fft.rfft(frames).abs().square() @ self.pooled.T).transpose(1, 2)


class Biased(nn.Module):
    """A filter on top of a constant."""

    def __init__(self, constant):
        super().__init__()
        self.conv = nn.Conv1d(1, 2, 8, stride=8)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor(np.random.default_rng(0).integers(-2, 3, (2, 1, 8)) / 2.0))
            self.conv.bias = nn.Parameter(torch.full((2,), constant))

    def forward(self, x):
        return self.conv(x)


@pytest.fixture(scope="module")
def of_pitch_classes():
    stage = Stage("latent", 12, 4096, 16_384, 16_383)
    return chord_composition(Session(encoder_of(PitchClasses(16_384), [stage], {"latent": ""})))


@pytest.fixture(scope="module")
def of_stft():
    return chord_composition(Session(load("filterbank:stft")))


@pytest.fixture(scope="module")
def of_texture():
    return chord_composition(Session(load("control:texture"), ["quantized", "codes"]))


# sums


def test_the_fourier_transform_of_a_chord_is_the_sum_of_its_notes(of_stft):
    assert of_stft.sum_error.max() < 1e-10
    # |X - Y|^2 / |X|^2 of sounds that have nothing to do with one another is 2
    assert of_stft.wrong_sum_error.min() > 1
    assert 1.8 < of_stft.wrong_sum_error.median() < 2.3


def test_the_decimator_is_additive_too_and_knows_no_chord():
    composed = chord_composition(Session(load("control:decimator")))
    assert composed.sum_error.max() < 1e-9
    assert composed.wrong_sum_error.median() > 1
    assert composed.position_auc.mean() < 0.6


def test_silence_counts_once():
    module = Biased(64.0)
    stage = Stage("latent", 2, 8, 8, 7, "convolution")
    composed = chord_composition(Session(encoder_of(module, [stage], {"latent": "conv"})))
    assert composed.sum_error.max() < 1e-6  # what float32 keeps of deviations on top of 64


def test_an_energy_detector_misses_the_beats_between_notes():
    """|a + b|^2 - |a|^2 - |b|^2 = 2 a b: samples squared are no sum, whichever notes they are."""

    class Square(nn.Module):
        def forward(self, x):
            return x.square()

    composed = chord_composition(Session(encoder_of(Square(), [Stage("latent", 1, 1, 1, 0)], {"latent": ""})))
    assert composed.sum_error.min() > 0.1


def test_wrong_notes_are_those_of_another_chord_without_a_note_in_common():
    chords = played_chords()
    for seed in range(5):
        for i, j in enumerate(other_chords(chords, seed)):
            assert not set(chords.notes[i]) & set(chords.notes[j])
            assert len(chords.notes[i]) == len(chords.notes[j])


# offsets


@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 10.0))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_cosines_and_transfer_do_not_depend_on_gain(seed, scale):
    offsets = np.random.default_rng(seed).standard_normal((6, 4))
    np.testing.assert_allclose(offset_cosines(scale * offsets), offset_cosines(offsets), atol=1e-12)
    np.testing.assert_allclose(transfer_errors(scale * offsets), transfer_errors(offsets), rtol=1e-9)


def test_offsets_of_known_kinds():
    same = np.tile([1.0, -2.0], (5, 1))
    np.testing.assert_allclose(offset_cosines(same), 1)
    np.testing.assert_allclose(transfer_errors(same), 0, atol=1e-12)
    np.testing.assert_allclose(transfer_errors(np.eye(5)), 1 + 1 / 4)
    assert np.isnan(transfer_errors(np.zeros((3, 2)))).all()
    assert np.isnan(offset_cosines(np.zeros((3, 2)))).all()


def levels_of(root_part, quality_part):
    """Levels [roots, qualities, positions, D] that are the sum of two tables and nothing else."""
    table = root_part[:, None] + quality_part
    return np.repeat(table[:, :, None], len(POSITIONS), axis=2)


def told(levels):
    from tonotopy.probes.composition.chord_composition import _of_levels

    return _of_levels(levels, played_chords(), seed=0)


def test_a_code_of_root_plus_quality_has_one_step_to_minor():
    generator = np.random.default_rng(0)
    found = told(
        levels_of(generator.standard_normal((N_ROOTS, 9)), generator.standard_normal((N_QUALITIES, 9)))
    )
    np.testing.assert_allclose(found["offset_cosine"], 1)
    np.testing.assert_allclose(found["transfer_error"], 0, atol=1e-12)
    assert found["offset_p"] == 1 / (1 + SHUFFLES)


def test_a_code_that_knows_every_chord_by_heart_has_none():
    levels = np.random.default_rng(1).standard_normal((N_ROOTS, N_QUALITIES, 1, 400))
    found = told(np.repeat(levels, len(POSITIONS), axis=2))
    assert np.abs(found["offset_cosine"][PAIRS]).max() < 0.25  # five standard deviations, 1 / sqrt(400)
    assert found["offset_p"] > 0.05
    np.testing.assert_allclose(found["transfer_error"], 1 + 1 / (N_ROOTS - 1), atol=0.3)


def test_the_step_of_pitch_classes_moves_with_the_root(of_pitch_classes):
    """The twelve steps add up to nothing, so their mean cosine is -1 / 11 however a step looks."""
    cosine = of_pitch_classes.offset_cosine.isel(stage=0).values[PAIRS]
    assert cosine.mean() == pytest.approx(-1 / 11, abs=0.02)
    assert of_pitch_classes.offset_p.item() > 0.5
    assert of_pitch_classes.transfer_error.median() > 1


# positions


def test_pitch_classes_do_not_hear_inversions(of_pitch_classes):
    np.testing.assert_allclose(of_pitch_classes.position_auc, 1, atol=0.01)
    assert of_pitch_classes.position_auc_baseline.sel(baseline="chroma").mean() > 0.95


def test_a_code_of_the_position_alone_is_worse_than_guessing():
    levels = np.tile(np.eye(len(POSITIONS)), (N_ROOTS * N_QUALITIES, 1, 1))
    assert (position_areas(levels, played_chords().pitch_classes) == 0).all()


def test_a_code_of_the_chord_alone_is_perfect_and_chance_is_one_half():
    chords = played_chords()
    generator = np.random.default_rng(0)
    by_heart = generator.standard_normal((48, 1, 60)).repeat(len(POSITIONS), axis=1)
    assert (position_areas(by_heart, chords.pitch_classes) == 1).all()
    noise = position_areas(generator.standard_normal((48, len(POSITIONS), 60)), chords.pitch_classes)
    # 6 pairs each: the standard error of one area is below 0.13, of the mean of 48 below 0.02
    assert noise.mean() == pytest.approx(0.5, abs=0.06)
    assert np.isnan(position_areas(np.ones((48, 4, 3)), chords.pitch_classes)).all()


def test_chords_of_the_same_notes_are_not_told_apart():
    """Augmented triads a major third apart are one: a code of pitch classes is no worse for that."""
    chords = played_chords()
    code = np.array([[float(p in classes) for p in range(12)] for classes in chords.pitch_classes])
    levels = np.repeat(code[:, None], len(POSITIONS), axis=1)
    assert (position_areas(levels, chords.pitch_classes) == 1).all()


def test_positions_hold_the_notes_of_the_chord():
    chords, placed = played_chords(), positions(RATE)
    for row in (0, 5, 100, len(placed) - 1):
        lowest = placed.columns["frequency_hz"][placed.first[row] : placed.first[row + 1]].reshape(3, -1)[
            :, 0
        ]
        heard = np.round(69 + 12 * np.log2(lowest / 440.0)) % 12
        assert frozenset(heard) == chords.pitch_classes[row // len(POSITIONS)]
    assert midi_to_hz(ROOTS_MIDI[0]) == pytest.approx(placed.columns["frequency_hz"].min())


# what cannot be judged


def test_codes_and_dead_stages_say_so(of_texture):
    assert of_texture.sel(stage="codes").remark.item() == "codes cannot be added"
    assert np.isnan(of_texture.sel(stage="codes").sum_error).all()
    assert of_texture.sel(stage="quantized").sum_error.median() > 1
    silent = nn.Conv1d(1, 4, 8, stride=8)
    nn.init.zeros_(silent.weight)
    dead = chord_composition(
        Session(encoder_of(nn.Sequential(silent), [Stage("latent", 4, 8, 8, 7)], {"latent": "0"}))
    )
    assert dead.remark.item() == SILENT
    for name in ("sum_error", "offset_cosine", "offset_p", "transfer_error", "position_auc"):
        assert np.isnan(dead[name]).all(), name


def test_codes_alone_leave_the_baselines():
    result = chord_composition(Session(load("control:texture"), ["codes"]))
    assert "sum_error" not in result
    assert result.position_auc_baseline.sel(baseline="chroma").mean() > 0.95
