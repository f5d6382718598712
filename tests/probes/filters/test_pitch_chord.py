import numpy as np
import pytest

from tonotopy.encoders import load
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.pitch_chord import chord_tuning, pitch_tuning, variance_shares
from tonotopy.probes.filters.tuning import closed_form_response
from tonotopy.synth import Noise, Timbre, chords, partials, pitches
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
    tuning = pitch_tuning(Session(stack, ["first_layer"]), notes)
    w = 2 * np.pi * tuning.f0.values / 24_000
    expected = np.abs(stack.kernels("first_layer") @ np.exp(-1j * np.outer(np.arange(8), w)))
    np.testing.assert_allclose(tuning.response[0, :, :, 0], expected, rtol=1e-3)
    np.testing.assert_allclose(tuning.best_f0[0], tuning.f0.values[expected.argmax(1)])


@pytest.mark.parametrize("name", ["filterbank:stft", "filterbank:gammatone", "samplecnn_tiny"])
def test_power_of_a_sound_is_the_sum_over_its_partials(name):
    """For a linear stage r^2 = sum |H(f_p)|^2 a_p^2 / sum a_p^2, however its partials beat.

    Chords of close notes are what a common turn of all partials, or a short look, gets wrong.
    """
    encoder = load(name)
    few = Timbre(3, -6.02, name="few")
    sets = (
        (pitch_tuning, pitches(midi=[36.0, 57.0, 69.0], timbres=["saw", "missing", "stiff"])),
        (chord_tuning, chords([36, 48], ["major7", "diminished"], inversions=(0, 1), timbre=few)),
    )
    kernels = encoder.kernels("first_layer")
    assert kernels is not None
    for measure, stimuli in sets:
        tuning = measure(Session(encoder, ["first_layer"]), stimuli)
        response = tuning.response[0].values.reshape(-1, len(stimuli))
        for row in range(len(stimuli)):
            own = slice(*stimuli.first[row : row + 2])
            a = stimuli.columns["amplitude"][own]
            gain = closed_form_response(kernels, stimuli.columns["frequency_hz"][own], encoder.sample_rate)
            expected = np.sqrt((gain**2 * a**2).sum(1) / (a**2).sum())
            loud = expected > 0.01 * expected.max()
            off_db = 20 * np.log10(response[: len(kernels), row][loud] / expected[loud])
            assert np.abs(off_db).max() < 0.05


def test_the_table_does_not_depend_on_the_order_of_stimuli(stack):
    some = chords([48, 50, 52], ["major", "minor"], inversions=(0, 1))
    order = np.random.default_rng(1).permutation(len(some))
    one, other = chord_tuning(Session(stack), some), chord_tuning(Session(stack), some[order])
    other = other.sel(root=one.root, quality=one.quality, position=one.position)
    np.testing.assert_allclose(one.response, other.response, rtol=1e-4)


def test_a_channel_that_hears_roots_only_follows_the_root():
    """Octave-wide STFT bins around the root: the root's share leads there."""
    tuning = chord_tuning(
        Session(load("filterbank:stft_magnitude")), chords(range(48, 60), ["major", "minor"])
    )
    root_bin = round(130.8 / (24_000 / 1024))
    assert float(tuning.root_share[0, root_bin]) > 0.8
    shares = tuning.root_share + tuning.quality_share + tuning.position_share.fillna(0)
    assert float(shares.max()) <= 1 + 1e-6


@pytest.mark.parametrize("rows", [slice(0, 5), [0, 0, 1, 2, 3, 4]])
def test_a_table_with_holes_or_doubles_is_refused(stack, rows):
    with pytest.raises(InputError, match="every combination of f0, timbre exactly once"):
        pitch_tuning(Session(stack), pitches(midi=[60, 62, 64], timbres=["saw", "square"])[rows])


def test_what_a_probe_needs_is_named():
    stft = load("filterbank:stft")
    for measure, stimuli, missing in (
        (pitch_tuning, partials(100, 200, count=2), "timbre"),
        (chord_tuning, pitches(midi=[60]), "root_midi"),
    ):
        with pytest.raises(InputError, match=f"no coordinate '{missing}'"):
            measure(Session(stft), stimuli)
    with pytest.raises(InputError, match="without context"):
        pitch_tuning(Session(stft), pitches(midi=[60]).in_contexts([Noise("white", 10, 0)]))
