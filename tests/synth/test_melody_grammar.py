import numpy as np
import pytest

from tonotopy.synth.errors import InputError
from tonotopy.synth.melodies import BLOCK, from_notes, notes, random_notes
from tonotopy.synth.melody_grammar import SCALE_WEIGHTS, SCALES, generated_melodies


@pytest.fixture(scope="module")
def rolls():
    return generated_melodies(4000)


def pitch_classes(rolls):
    """Which of the twelve each melody of ten notes or more uses: bool [N, 12]."""
    rolls = rolls[np.diff(notes(rolls).offsets) >= 10]
    of = notes(rolls)
    used = np.zeros((len(rolls), 12), bool)
    used[np.repeat(np.arange(len(rolls)), np.diff(of.offsets)), of.midi % 12] = True
    return used


def within_a_scale(used):
    """Share of melodies whose notes all lie in some transposition of a scale of seven notes or fewer."""
    fits = np.zeros(len(used), bool)
    for tones in SCALES.values():
        for tonic in range(12 if len(tones) < 12 else 0):
            outside = np.ones(12, bool)
            outside[(tonic + np.array(tones)) % 12] = False
            fits |= ~(used & outside).any(axis=1)
    return fits.mean()


@pytest.mark.parametrize("bars", [1, 2, 3, 16])
def test_every_melody_has_its_length_and_a_note_and_no_needless_event(bars):
    rolls = generated_melodies(BLOCK + 10, bars)
    assert rolls.shape == (BLOCK + 10, 16 * bars)
    assert rolls.dtype == np.uint8
    of = notes(rolls)
    assert (np.diff(of.offsets) > 0).all()
    assert of.midi.min() >= 26
    assert of.midi.max() <= 103
    np.testing.assert_array_equal(from_notes(of, 16 * bars), rolls)


def test_a_draw_follows_from_its_seed_and_not_from_its_size(rolls):
    for count in (0, 1, BLOCK, BLOCK + 1):
        np.testing.assert_array_equal(generated_melodies(count), rolls[:count])
    assert not np.array_equal(rolls[:BLOCK], rolls[BLOCK : 2 * BLOCK])
    assert not np.array_equal(generated_melodies(10, seed=1), rolls[:10])


def test_melodies_keep_to_a_scale_as_random_notes_do_not(rolls):
    chromatic = dict(zip(SCALES, SCALE_WEIGHTS, strict=True))["chromatic"]
    assert sum(SCALE_WEIGHTS) == pytest.approx(1)
    assert within_a_scale(pitch_classes(rolls)) >= 1 - chromatic - 0.01
    assert within_a_scale(pitch_classes(random_notes(4000))) < 0.2


def test_neighbouring_notes_lie_closer_than_shuffled_ones(rolls):
    of = notes(rolls)
    row = np.repeat(np.arange(len(rolls)), np.diff(of.offsets))
    order = np.lexsort((np.random.default_rng(0).random(len(row)), row))
    same = row[1:] == row[:-1]
    leap, shuffled = (np.abs(np.diff(midi))[same].mean() for midi in (of.midi, of.midi[order]))
    assert leap < 0.85 * shuffled


def test_notes_begin_on_beats_more_than_between(rolls):
    counts = np.bincount(notes(rolls).onsets % 4, minlength=4) / len(notes(rolls).onsets)
    assert counts[0] > counts[2] > max(counts[1], counts[3])


def test_second_bars_repeat_first_ones_far_more_than_chance(rolls):
    onsets = rolls >= 2
    first, second = onsets[:, :16], onsets[:, 16:]
    by_chance = (first == np.roll(second, 1, axis=0)).all(axis=1).mean()
    assert (first == second).all(axis=1).mean() > by_chance + 0.2
    pitches = np.where(onsets, rolls, 0)
    assert 0.05 < (pitches[:, :16] == pitches[:, 16:]).all(axis=1).mean() < 0.3


def test_melodies_are_varied(rolls):
    assert len(np.unique(rolls, axis=0)) > 0.99 * len(rolls)
    counts = np.diff(notes(rolls).offsets)
    assert np.percentile(counts, 5) <= 7
    assert np.percentile(counts, 95) >= 18
    assert (rolls == 1).any(axis=1).mean() > 0.2
    assert (rolls[:, 0] == 0).mean() > 0.05


def test_a_bar_of_many_is_taken_from_an_earlier_one():
    rolls = generated_melodies(2000, bars=16).reshape(2000, 16, 16)
    rolls = np.where(rolls >= 2, rolls, 0)  # rests and shortened notes fall anew
    alike = (rolls[:, :, None] == rolls[:, None]).all(axis=-1) & (rolls >= 2).any(axis=-1)[:, :, None]
    repeated = np.tril(alike, -1).any(axis=-1)  # [melody, bar]
    assert repeated.mean(axis=0)[1:].min() > 0.05
    assert repeated[:, 0].sum() == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((-1,), "count -1"), ((1, 0), "bars 0"), ((1, 1.5), "bars 1.5"), ((1, 2, -3), "seed -3")],
)
def test_arguments_that_make_no_melody_are_refused(arguments, named):
    with pytest.raises(InputError, match=named):
        generated_melodies(*arguments)
