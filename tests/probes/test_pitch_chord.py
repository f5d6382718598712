import numpy as np
import pytest

from tonotopy.encoders import load
from tonotopy.probes.pitch_chord import chord_tuning, pitch_tuning, variance_shares
from tonotopy.synth import chords, pitches
from tonotopy.synth.errors import InputError


def test_variance_shares_of_an_additive_table():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(7), 2 * rng.standard_normal(5)
    shares = variance_shares((a[:, None] + b)[None])
    np.testing.assert_allclose([s[0] for s in shares], np.array([a.var(), b.var()]) / (a.var() + b.var()))


def test_variance_shares_of_pure_interaction():
    signs = np.array([1.0, -1.0])
    assert [s[0] for s in variance_shares(np.outer(signs, signs)[None])] == [0, 0]


def test_variance_shares_of_a_constant_are_nan():
    assert all(np.isnan(s).all() for s in variance_shares(np.ones((2, 3, 4))))


def test_a_sine_in_two_timbres_answers_as_the_closed_form(stack):
    """A pitch of one partial is a partial; its response is the kernel's."""
    notes = pitches(midi=range(40, 80, 4), timbres=["sine"])
    tuning = pitch_tuning(stack, notes, ["first_layer"])
    w = 2 * np.pi * tuning.f0.values / 24_000
    expected = np.abs(stack.kernels("first_layer") @ np.exp(-1j * np.outer(np.arange(8), w)))
    np.testing.assert_allclose(tuning.response[0, :, :, 0], expected, rtol=1e-3)
    np.testing.assert_allclose(tuning.best_f0[0], tuning.f0.values[expected.argmax(1)])


def test_power_of_a_pitch_is_the_sum_over_its_partials():
    """For a linear stage and a sound longer than the beats: r^2 = sum |H(f_p)|^2 a_p^2 / sum a_p^2."""
    stft = load("filterbank:stft")
    notes = pitches(midi=[57.0, 64.0, 69.0], timbres=["saw", "missing"])
    tuning = pitch_tuning(stft, notes, frames=64)
    for row in range(len(notes)):
        own = slice(*notes.first[row : row + 2])
        a = notes.columns["amplitude"][own]
        w = 2 * np.pi * notes.columns["frequency_hz"][own] / 24_000
        gain = np.abs(stft.kernels("first_layer") @ np.exp(-1j * np.outer(np.arange(1024), w)))
        expected = np.sqrt((gain**2 * a**2).sum(1) / (a**2).sum())
        measured = tuning.response[0].values.reshape(1026, -1)[:, row]
        loud = expected > 0.1 * expected.max()
        np.testing.assert_allclose(measured[loud], expected[loud], rtol=0.05)


def test_the_table_does_not_depend_on_the_order_of_stimuli(stack):
    some = chords([48, 50, 52], ["major", "minor"], inversions=(0, 1))
    order = np.random.default_rng(1).permutation(len(some))
    one, other = chord_tuning(stack, some), chord_tuning(stack, some[order])
    other = other.sel(root=one.root, quality=one.quality, position=one.position)
    np.testing.assert_allclose(one.response, other.response, rtol=1e-4)


def test_a_channel_that_hears_roots_only_follows_the_root():
    """Octave-wide STFT bins around the root: the root's share leads there."""
    tuning = chord_tuning(load("filterbank:stft_magnitude"), chords(range(48, 60), ["major", "minor"]))
    root_bin = round(130.8 / (24_000 / 1024))
    assert float(tuning.root_share[0, root_bin]) > 0.8
    shares = tuning.root_share + tuning.quality_share + tuning.position_share.fillna(0)
    assert float(shares.max()) <= 1 + 1e-6


@pytest.mark.parametrize("rows", [slice(0, 5), [0, 0, 1, 2, 3, 4]])
def test_a_table_with_holes_or_doubles_is_refused(stack, rows):
    with pytest.raises(InputError, match="every combination of f0, timbre exactly once"):
        pitch_tuning(stack, pitches(midi=[60, 62, 64], timbres=["saw", "square"])[rows])
