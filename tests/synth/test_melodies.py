import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.synth.errors import InputError
from tonotopy.synth.melodies import (
    BLOCK,
    CLASSES,
    FIRST_NOTE,
    HIGHEST_MIDI,
    LONGEST_STEPS,
    LOWEST_MIDI,
    NO_EVENT,
    NOTE_OFF,
    REST_PROBABILITY,
    Notes,
    checked_rolls,
    from_notes,
    notes,
    pitch_range,
    prior_latents,
    prior_samples,
    random_notes,
    transposed,
)

any_rolls = st.integers(1, 40).flatmap(
    lambda steps: st.lists(
        st.lists(
            st.one_of(st.just(0), st.just(0), st.integers(0, CLASSES - 1)), min_size=steps, max_size=steps
        ),
        max_size=5,
    ).map(lambda rows: np.array(rows, np.uint8).reshape(-1, steps))
)


def played(roll):
    """What sounds at each step, by walking: MIDI number and onset step, or None for a rest."""
    heard, now = [], None
    for step, event in enumerate(roll):
        if event == NOTE_OFF:
            now = None
        elif event != NO_EVENT:
            now = int(event) + 19, step
        heard.append(now)
    return heard


def test_the_vocabulary_is_magentas():
    assert (NO_EVENT, NOTE_OFF, FIRST_NOTE, CLASSES) == (0, 1, 2, 90)
    ends = from_notes(Notes(np.array([0, 1]), np.array([1, 1]), np.array([21, 108]), np.array([0, 2])), 2)
    assert ends.tolist() == [[2, 89]]


@settings(derandomize=True, deadline=None)
@given(any_rolls)
def test_notes_are_what_a_player_hears(rolls):
    of = notes(rolls)
    assert len(of.offsets) == len(rolls) + 1
    for row, roll in enumerate(rolls):
        heard: list[tuple[int, int] | None] = [None] * len(roll)
        for i in range(of.offsets[row], of.offsets[row + 1]):
            for step in range(of.onsets[i], of.onsets[i] + of.durations[i]):
                assert heard[step] is None
                heard[step] = int(of.midi[i]), int(of.onsets[i])
        assert heard == played(roll)


@settings(derandomize=True, deadline=None)
@given(any_rolls)
def test_notes_written_again_sound_the_same_with_no_needless_event(rolls):
    again = from_notes(notes(rolls), rolls.shape[1])
    assert again.dtype == np.uint8
    assert [played(roll) for roll in again] == [played(roll) for roll in rolls]
    assert np.array_equal(again, from_notes(notes(again), rolls.shape[1]))
    for roll in again:
        silent = True
        for step, event in enumerate(roll):
            assert not (event == NOTE_OFF and silent), f"needless NOTE_OFF at {step}"
            silent = event == NOTE_OFF or (event == NO_EVENT and silent)


@st.composite
def note_lists(draw):
    steps = draw(st.integers(1, 64))
    counts, onsets, durations, midi = [], [], [], []
    for _ in range(draw(st.integers(0, 4))):
        step = draw(st.integers(0, 5))
        before = len(onsets)
        while step < steps:
            lasts = draw(st.integers(1, steps - step))
            onsets.append(step)
            durations.append(lasts)
            midi.append(draw(st.integers(LOWEST_MIDI, HIGHEST_MIDI)))
            step += lasts + draw(st.integers(0, 3))
        counts.append(len(onsets) - before)
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=int)]).astype(int)
    return Notes(*(np.array(values, int) for values in (onsets, durations, midi)), offsets), steps


@settings(derandomize=True, deadline=None)
@given(note_lists())
def test_notes_come_back_from_the_rolls_they_are_written_to(written):
    of, steps = written
    back = notes(from_notes(of, steps))
    for name in ("onsets", "durations", "midi", "offsets"):
        np.testing.assert_array_equal(getattr(back, name), getattr(of, name), err_msg=name)


@pytest.mark.parametrize(
    ("rolls", "named"),
    [
        ([0, 41, 0], r"shape \(3,\)"),
        (np.zeros((2, 0), int), r"shape \(2, 0\)"),
        (np.zeros((1, 4, 2), int), r"shape \(1, 4, 2\)"),
        ([[0, 41], [0]], "unequal length"),
        ([[0.0, 41.0]], "type float64"),
        ([[True, False]], "type bool"),
        ([["C4", "D4"]], "type <U2"),
        ([[0, 0], [0, 90]], "roll 1, step 1: class 90 is not one of 0 to 89"),
        ([[0, -1]], "roll 0, step 1: class -1"),
        (np.array([[257]]), "class 257"),
    ],
)
@pytest.mark.parametrize("use", [checked_rolls, notes, pitch_range, lambda rolls: transposed(rolls, 1)])
def test_what_is_no_roll_is_refused_in_one_line(use, rolls, named):
    with pytest.raises(InputError, match=named) as caught:
        use(rolls)
    assert "\n" not in str(caught.value)


def test_no_melodies_are_fine():
    none = np.empty((0, 32), np.uint8)
    assert checked_rolls(none).shape == transposed(none, 3).shape == random_notes(0).shape == (0, 32)
    assert notes(none).offsets.tolist() == [0]
    assert from_notes(notes(none), 32).shape == (0, 32)


@pytest.mark.parametrize(
    ("second", "named"),
    [
        ([(0, 4, 60), (4, 4, 20)], r"note 1 of roll 1 \(MIDI 20, steps 4 to 8\): must be in MIDI 21 to 108"),
        ([(0, 4, 109)], "note 0 of roll 1 .MIDI 109"),
        ([(0, 0, 60)], "must last at least one step"),
        ([(-1, 4, 60)], "must lie within 8 steps"),
        ([(7, 2, 60)], "must lie within 8 steps"),
        ([(0, 4, 60), (3, 2, 62)], "note 1 of roll 1 .*must not begin before the note before it ends"),
        ([(4, 2, 60), (0, 2, 62)], "must not begin before the note before it ends"),
    ],
)
def test_notes_that_make_no_roll_are_refused(second, named):
    onsets, durations, midi = np.array([(0, 8, 60), *second]).T
    with pytest.raises(InputError, match=named):
        from_notes(Notes(onsets, durations, midi, np.array([0, 1, 1 + len(second)])), 8)


@settings(derandomize=True, deadline=None)
@given(any_rolls, st.integers(-30, 30))
def test_transposing_moves_notes_and_nothing_else(rolls, semitones):
    lowest, highest = pitch_range(rolls)
    shift = np.clip(semitones, LOWEST_MIDI - lowest, HIGHEST_MIDI - highest)
    moved = transposed(rolls, shift)
    before, after = notes(rolls), notes(moved)
    np.testing.assert_array_equal(after.midi - before.midi, np.repeat(shift, np.diff(before.offsets)))
    np.testing.assert_array_equal(after.onsets, before.onsets)
    np.testing.assert_array_equal(moved < FIRST_NOTE, rolls < FIRST_NOTE)
    np.testing.assert_array_equal(moved[rolls < FIRST_NOTE], rolls[rolls < FIRST_NOTE])
    np.testing.assert_array_equal(transposed(moved, -shift), rolls)


@pytest.mark.parametrize(
    ("semitones", "named"),
    [
        (1, "roll 1, MIDI 60 to 108, by 1 semitones: must stay in MIDI 21 to 108"),
        ([0, -40], "roll 1, MIDI 60 to 108, by -40"),
        (0.5, "semitones 0.5"),
        ([1, 2, 3], "one for each of 2 rolls"),
    ],
)
def test_notes_are_neither_clipped_nor_folded_at_the_edges(semitones, named):
    with pytest.raises(InputError, match=named):
        transposed([[41, 0], [41, 89]], semitones)


def test_the_range_leaves_exactly_the_shifts_that_fit():
    rolls = np.array([[41, 30, 0, 1], [0, 1, 0, 0], [2, 89, 0, 0]])
    lowest, highest = pitch_range(rolls)
    for row in range(3):
        for shift in range(-87, 88):
            fits = LOWEST_MIDI - lowest[row] <= shift <= HIGHEST_MIDI - highest[row]
            if fits:
                transposed(rolls[row : row + 1], shift)
            else:
                with pytest.raises(InputError):
                    transposed(rolls[row : row + 1], shift)


@pytest.mark.parametrize("draw", [random_notes, lambda count, seed=0: prior_latents(3, count, seed)])
def test_a_draw_follows_from_its_seed_and_not_from_its_size(draw):
    many = draw(2 * BLOCK + 10)
    for count in (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 10):
        np.testing.assert_array_equal(draw(count), many[:count])
    assert not np.array_equal(many[:BLOCK], many[BLOCK : 2 * BLOCK])
    assert not np.array_equal(draw(10, seed=1), many[:10])


def test_random_notes_are_as_documented():
    rolls = random_notes(20_000, bars=3)
    assert rolls.shape == (20_000, 48)
    of = notes(rolls)
    assert (np.diff(of.offsets) > 0).all()
    np.testing.assert_array_equal(from_notes(of, 48), rolls)
    # Pitches and durations are uniform: chi-squared over its degrees of freedom stays near 1.
    counts = np.bincount(of.midi - 21, minlength=88)
    assert np.sum((counts - counts.mean()) ** 2 / counts.mean()) / 87 < 1.4
    early = of.onsets < 24
    counts = np.bincount(of.durations[early] - 1)
    assert np.sum((counts - counts.mean()) ** 2 / counts.mean()) / (LONGEST_STEPS - 1) < 3
    # A roll begins with a rest as often as a rest is drawn, and no rest is longer than the longest event.
    first = of.onsets[of.offsets[:-1]]
    assert np.mean(first > 0) == pytest.approx(REST_PROBABILITY, abs=0.01)
    assert first.max() == LONGEST_STEPS
    same = np.repeat(np.arange(20_000), np.diff(of.offsets))
    gaps = (of.onsets[1:] - of.onsets[:-1] - of.durations[:-1])[(same[1:] == same[:-1]) & early[:-1]]
    assert gaps.max() == LONGEST_STEPS
    assert np.mean(gaps > 0) == pytest.approx(REST_PROBABILITY, abs=0.01)


def test_prior_latents_are_standard_normal():
    latents = prior_latents(8, 4000)
    assert latents.dtype == np.float32
    assert np.abs(latents.mean(axis=0)).max() < 0.06
    np.testing.assert_allclose(np.cov(latents.T), np.eye(8), atol=0.08)


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_prior_samples_decode_the_prior_batch_by_batch(batch):
    sizes = []

    def decode(latents):
        sizes.append(len(latents))
        return np.where(latents > 0, 41, 0)

    rolls = prior_samples(decode, 5, 30, seed=3, batch=batch)
    np.testing.assert_array_equal(rolls, np.where(prior_latents(5, 30, 3) > 0, 41, 0))
    assert rolls.dtype == np.uint8
    assert max(sizes) <= batch
    assert sum(sizes) == 30


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: random_notes(-1), "count -1: must be a whole number, at least 0"),
        (lambda: random_notes(2.5), "count 2.5"),  # pyright: ignore[reportArgumentType]
        (lambda: random_notes(1, bars=0), "bars 0"),
        (lambda: random_notes(1, seed=-1), "seed -1"),
        (lambda: prior_latents(0, 1), "latent dimensions 0"),
        (lambda: prior_samples(lambda z: z, 3, 4), "type float32"),
        (lambda: prior_samples(lambda z: z, 3, 0), "count 0"),
        (lambda: prior_samples(lambda z: z, 3, 4, batch=0), "batch 0"),
    ],
)
def test_arguments_that_make_no_draw_are_refused(call, named):
    with pytest.raises(InputError, match=named):
        call()
