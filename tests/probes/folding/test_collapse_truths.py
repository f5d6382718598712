"""Collapse of encoders of known truth: what they keep decides, not the layout of what they keep."""

import numpy as np
import pytest
import torch
from scipy.signal import firwin
from torch import nn

from tonotopy.encoders import load
from tonotopy.encoders.base import Stage
from tonotopy.encoders.weights import randomly_initialised
from tonotopy.probes.engine.session import Session
from tonotopy.probes.folding.aliasing import aliasing

from ..conftest import encoder_of

RATE = 24_000


def bank(kernels, hop, *after, bias=0.0):
    """Kernels [C, L], every `hop` samples, and what follows."""
    kernels = np.asarray(kernels, dtype=float)
    layer = nn.Conv1d(1, len(kernels), kernels.shape[1], stride=hop)
    layer.weight = nn.Parameter(torch.from_numpy(kernels[:, None]).float())
    layer.bias = nn.Parameter(torch.full((len(kernels),), bias))
    channels = after[-1].out_channels if after and hasattr(after[-1], "out_channels") else len(kernels)
    kind = "nonlinear" if after else "convolution"
    stage = Stage("first_layer", channels, hop, kernels.shape[1], kernels.shape[1] - 1, kind)
    return encoder_of(nn.Sequential(layer, *after), [stage], {"first_layer": ""}, RATE)


def mixed_by(matrix, bias=0.0):
    layer = nn.Conv1d(matrix.shape[1], len(matrix), 1)
    layer.weight = nn.Parameter(torch.from_numpy(matrix[..., None]).float())
    layer.bias = nn.Parameter(torch.full((len(matrix),), bias))
    return layer


def rotation(size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


class Rectified(nn.Module):
    def forward(self, x):
        return x.abs()


def measured(encoder):
    return aliasing(Session(encoder)).isel(stage=0)


def test_raw_samples_collapse_nothing_whatever_their_layout():
    waveform, patches, mixed = (
        measured(bank(kernels, hop))
        for kernels, hop in ((np.eye(1), 1), (np.eye(320), 320), (rotation(320), 320))
    )
    assert float(waveform.collapse) == float(waveform.n_sharing) == 0
    assert "nothing collapses" in str(waveform.remark.values)
    for found in (patches, mixed):
        assert abs(float(found.collapse)) < 1e-6
        assert float(found.n_sharing) > 50
        assert float(found.collapse_p) == 1.0
        assert float(found.collapse_chance) < 0.01
        assert str(found.remark.values) == ""


def test_the_magnitude_of_a_transform_collapses_nothing():
    found = measured(load("filterbank:stft_magnitude"))
    assert abs(float(found.collapse)) < 0.01


def test_one_channel_in_which_tones_fold_is_collapse_whole_whatever_is_made_of_it():
    for after in ((), (Rectified(),), (mixed_by(np.array([[1.0], [-3.0]])),)):  # the last repeats it
        found = measured(bank(np.eye(1), 320, *after))
        assert float(found.collapse) == pytest.approx(1.0, abs=1e-3)
        assert float(found.collapse_chance) == pytest.approx(1.0, abs=1e-3)


def test_tones_that_are_rejected_do_not_collapse():
    taps = np.array(firwin(127, 2800, fs=RATE))[None]
    found = measured(bank(taps, 4))
    answered = found.similarity.notnull().any("frequency_2").values
    assert not answered[found.frequency.values > 3200].any()
    assert answered[found.frequency.values < 2500].all()
    assert float(found.collapse) == float(found.n_sharing) == 0
    # without the filter, the same hop folds: with a field as long, but nothing in it
    late = np.eye(127)[:1]
    assert float(measured(bank(late, 4)).collapse) == pytest.approx(1.0, abs=1e-6)


def test_two_samples_tell_tones_of_one_fold_apart_as_far_as_their_phases_differ():
    found = measured(bank(np.eye(2), 64))
    turn = 2 * np.pi * found.frequency.values / RATE  # from the first sample to the second
    backwards = np.where(turn * 64 % (2 * np.pi) > np.pi, -1.0, 1.0)  # folds that run the other way
    apart = backwards * turn
    expected = np.cos((apart[:, None] - apart) / 2) ** 2
    shared = np.abs(np.subtract.outer(*[found.predicted_fold.values] * 2)) < 1e-6
    np.testing.assert_allclose(found.similarity.values[shared], expected[shared], atol=1e-5)
    assert np.abs(found.similarity.values[~shared]).max() < 1e-6
    assert 0.2 < float(found.collapse) < 0.8


@pytest.mark.parametrize("channels", [2, 8, 32])
def test_filters_that_have_nothing_to_do_with_each_other_have_one_over_their_number(channels):
    kernels = np.random.default_rng(channels).standard_normal((channels, 960))
    found = measured(bank(kernels, 320))
    spread = 1 / channels / np.sqrt(float(found.n_sharing))
    assert float(found.collapse) == pytest.approx(1 / channels, abs=4 * spread)
    assert float(found.collapse_chance) == pytest.approx(1 / channels, rel=0.2)


@pytest.fixture(scope="module")
def rectifying():
    """Kernels, hop and what follows of a stage with mean shifts, folds and harmonics."""
    kernels = np.random.default_rng(5).standard_normal((6, 96))
    return kernels, 64, nn.ReLU()


@pytest.mark.parametrize(
    "change",
    [
        mixed_by(rotation(6, 1)),
        mixed_by(30.0 * np.eye(6)),
        mixed_by(np.eye(6), bias=5.0),
        mixed_by(np.concatenate([np.eye(6)] * 3)),
    ],
    ids=["rotation", "gain", "offset", "repeated channels"],
)
def test_the_basis_of_channels_changes_nothing(rectifying, change):
    plain, changed = (measured(bank(*rectifying, *after)) for after in ((), (change,)))
    assert 0.02 < float(plain.collapse) < 0.6
    for name in ("similarity", "collapse", "collapse_low", "collapse_high", "collapse_chance"):
        np.testing.assert_allclose(changed[name], plain[name], atol=2e-6, err_msg=name)


def test_networks_are_measured_in_bounded_memory():
    """A tone of a linear stage has one vector over channels, whatever the number of output frequencies."""
    from tonotopy.probes.folding.coherence import coherence, coherent_partials
    from tonotopy.probes.folding.ledger import keep_ledger

    encoder = encoder_of(
        randomly_initialised(lambda: nn.Conv1d(1, 64, 9), 0),
        [Stage("first_layer", 64, 1, 9, 8, "convolution")],
        {"first_layer": ""},
    )
    tones, window = coherent_partials(encoder, per_octave=1), coherence(encoder)
    books, _ = keep_ledger(Session(encoder), tones, window, ["first_layer"])
    kept = np.concatenate(books["first_layer"].patterns._vector)
    assert kept.shape == (len(tones), 64)
    assert window.frames["first_layer"] > 1000
