import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.synth.errors import InputError
from tonotopy.synth.melodies import notes
from tonotopy.synth.scores import (
    NO_NOTE,
    OUT_OF_RANGE,
    POLYPHONIC,
    REPEATED,
    TOO_LONG,
    TOO_SHORT,
    Score,
    melodies_from_score,
)

PPQ = 480
STEP = PPQ // 4
BAR = 16 * STEP


def score(played, ticks_per_quarter=PPQ, **changes):
    """A score of (onset, end, midi) or (onset, end, midi, voice), in ticks."""
    rows = [(*note, 0)[:4] for note in played]
    onsets, ends, midi, voices = np.array(rows, np.int64).reshape(-1, 4).T
    return Score(ticks_per_quarter, onsets, ends, midi, voices, **changes)


def melodies(played, bars=2, **changes):
    return melodies_from_score(score(played, **changes), bars)


def steps(*notes_in_steps):
    """Notes given as (onset, end, midi[, voice]) in sixteenths."""
    return [(onset * STEP, end * STEP, *rest) for onset, end, *rest in notes_in_steps]


def scale(bars, first=60):
    """Quarter notes going up, one voice."""
    return steps(*((4 * i, 4 * i + 4, first + i % 12) for i in range(4 * bars)))


def extracted_event_by_event(played, bars):
    """Magenta's procedure on one voice in 4/4, told step by step as its documentation has it.

    Notes are taken in order of onset, of those that share one the highest (the longest of equal ones);
    each is written over what stood there and ended with a NOTE_OFF; a rest of a bar or more closes the
    melody.
    """
    quantized = []
    for onset, end, midi in played:
        begin = math.floor(Fraction(onset * 4, PPQ) + Fraction(1, 2))
        until = math.floor(Fraction(end * 4, PPQ) + Fraction(1, 2))
        quantized.append((begin, -midi, -max(until, begin + 1)))
    rolls, waiting = [], sorted(quantized)
    while waiting:
        origin, events, rest = waiting[0][0] // 16 * 16, {}, []
        last_on = last_off = None
        for i, (begin, negative, negative_until) in enumerate(waiting):
            until = -negative_until
            if last_on is not None and begin == last_on:
                continue
            if last_off is not None and begin - last_off >= 16:
                rest = waiting[i:]
                break
            events = {step: event for step, event in events.items() if step < begin}
            events |= {begin: -negative - 19, until: 1}
            last_on, last_off = begin, until
        waiting = rest
        assert last_off is not None
        length = math.ceil((last_off - origin) / 16) * 16
        if length <= 16:
            continue
        line = [events.get(origin + step, 0) for step in range(length)][:1600]
        for start in range(0, len(line) - 16 * bars + 1, 16):
            slice_ = line[start : start + 16 * bars]
            first = next((i for i, event in enumerate(slice_) if event > 1), None)
            if first is not None:
                roll = [0] * first + slice_[first:]
                if roll not in rolls:
                    rolls.append(roll)
    return rolls


played_notes = st.lists(
    st.tuples(st.integers(0, 9 * BAR), st.integers(1, 3 * BAR), st.integers(21, 108)).map(
        lambda note: (note[0], note[0] + note[1], note[2])
    ),
    min_size=1,
    max_size=25,
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(played_notes, st.integers(1, 3))
def test_extraction_equals_the_procedure_told_event_by_event(played, bars):
    rolls, _ = melodies(played, bars)
    assert rolls.dtype == np.uint8
    assert rolls.tolist() == extracted_event_by_event(played, bars)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(played_notes, st.randoms(use_true_random=False))
def test_the_order_in_which_notes_are_told_does_not_matter(played, random):
    shuffled = random.sample(played, len(played))
    np.testing.assert_array_equal(melodies(shuffled)[0], melodies(played)[0])


def test_times_go_to_the_nearest_sixteenth_and_halves_up():
    half = STEP // 2
    rolls, _ = melodies([(half - 1, 4 * STEP + half, 60), (8 * STEP + half, 31 * STEP + half, 62)])
    of = notes(rolls)
    assert (of.onsets.tolist(), of.durations.tolist()) == ([0, 9], [5, 23])


def test_a_note_lasts_at_least_a_sixteenth():
    rolls, _ = melodies([(4 * STEP, 4 * STEP + 1, 60), (19 * STEP, 19 * STEP + 59, 62)])
    assert notes(rolls).durations.tolist() == [1, 1]


@pytest.mark.parametrize("ticks_per_quarter", [1, 3, 96, 384, 10_080, 32_767])
def test_no_tick_rate_loses_a_note(ticks_per_quarter):
    quarters = np.arange(8)
    of = Score(
        ticks_per_quarter, quarters * ticks_per_quarter, (quarters + 1) * ticks_per_quarter,
        60 + quarters, np.zeros(8, int),
    )  # fmt: skip
    rolls, _ = melodies_from_score(of)
    assert rolls[0, ::4].tolist() == list(range(41, 49))


def test_the_highest_of_notes_that_begin_together_is_kept_and_counted():
    rolls, left_out = melodies(steps((0, 8, 60), (0, 4, 67), (0, 16, 64), (16, 32, 60)))
    assert notes(rolls).midi.tolist() == [67, 60]
    assert notes(rolls).durations.tolist() == [4, 16]
    assert left_out == {POLYPHONIC: 2}


def test_a_later_note_cuts_a_held_one_though_it_is_lower():
    rolls, left_out = melodies(steps((0, 32, 72), (8, 12, 50), (20, 32, 60)))
    assert rolls[0, [0, 8, 12, 20]].tolist() == [53, 31, 1, 41]
    assert left_out == {}


def test_slices_begin_at_every_bar_and_what_sounds_on_from_before_is_a_rest():
    rolls, _ = melodies(steps((0, 20, 60), (20, 24, 62), (36, 52, 64)))
    assert rolls.shape == (3, 32)
    assert rolls[1, [0, 4, 8, 20]].tolist() == [0, 43, 1, 45]
    assert np.count_nonzero(rolls[1]) == 3
    assert np.flatnonzero(rolls[2]).tolist() == [4, 20]


def test_a_note_off_carried_into_a_slice_is_no_event_there():
    rolls, _ = melodies(steps((8, 20, 60), (24, 48, 62)))
    assert rolls[1, :9].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 43]


def test_a_bar_of_rest_ends_a_melody_and_less_does_not():
    whole, _ = melodies(steps((0, 17, 60), (32, 64, 62)))  # 15 sixteenths of rest
    assert [np.flatnonzero(roll).tolist() for roll in whole] == [[0, 17], [16], [0]]
    parts, _ = melodies(steps((0, 17, 60), (33, 64, 62)))
    assert [np.flatnonzero(roll).tolist() for roll in parts] == [[0, 17], [1]]


def test_a_melody_begins_with_the_bar_of_its_first_note():
    rolls, _ = melodies(steps((52, 56, 60), (56, 80, 62)))
    assert len(rolls) == 1
    assert np.flatnonzero(rolls[0]).tolist() == [4, 8]


def test_the_last_bar_is_filled_with_rest():
    rolls, _ = melodies(steps((0, 16, 60), (16, 18, 62)))
    assert np.flatnonzero(rolls[0]).tolist() == [0, 16, 18]


def test_short_melodies_are_left_out_and_long_ones_cut():
    rolls, left_out = melodies(steps((0, 16, 60)), bars=1)
    assert (rolls.shape, left_out) == ((0, 16), {TOO_SHORT: 1})
    long = steps(*((4 * i, 4 * i + 4, 21 + (i * i) % 88) for i in range(4 * 110)))
    rolls, left_out = melodies(long, bars=100)
    assert (rolls.shape, left_out[TOO_LONG]) == ((1, 1600), 1)
    assert notes(rolls).midi.tolist() == [21 + (i * i) % 88 for i in range(400)]


def test_equal_slices_of_a_piece_are_kept_once_also_over_voices_and_sections():
    played = scale(2) + [(*note, 1) for note in scale(2)]
    rolls, left_out = melodies(played)
    assert (len(rolls), left_out) == (1, {REPEATED: 1})


def test_slices_without_a_note_are_left_out():
    rolls, left_out = melodies(steps((0, 64, 60)))
    assert (len(rolls), left_out) == (1, {NO_NOTE: 2})


def test_voices_do_not_mix():
    played = steps((0, 16, 60, 5), (16, 32, 62, 5), (0, 8, 72, 2), (8, 32, 74, 2))
    rolls, left_out = melodies(played)
    assert [notes(roll[None]).midi.tolist() for roll in rolls] == [[72, 74], [60, 62]]
    assert left_out == {}


def test_notes_off_the_piano_are_left_out_and_counted():
    rolls, left_out = melodies(steps((0, 8, 20), (8, 16, 21), (16, 24, 108), (24, 32, 109), (24, 32, 0)))
    assert notes(rolls).midi.tolist() == [21, 108]
    assert left_out == {OUT_OF_RANGE: 3}


@pytest.mark.parametrize(
    ("numerator", "denominator", "kept"),
    [(4, 4, True), (2, 2, True), (8, 8, True), (3, 4, False), (2, 4, False), (6, 8, False), (12, 8, False)],
)
def test_only_bars_of_sixteen_sixteenths_are_taken(numerator, denominator, kept):
    rolls, left_out = melodies(scale(2), time_signatures=((0, numerator, denominator),))
    assert len(rolls) == kept
    assert left_out == ({} if kept else {f"sections in {numerator}/{denominator}": 1})


def test_bars_count_from_where_the_metre_or_the_tempo_changes():
    played = steps((0, 16, 60), (16, 32, 62), (37, 53, 64), (53, 69, 65))
    whole, _ = melodies(played)
    assert len(whole) > 2
    ways: list[dict] = [
        {"time_signatures": ((0, 4, 4), (37 * STEP, 2, 2))},
        {"tempos": ((0, 500_000), (37 * STEP, 400_000))},
        {"tempos": ((37 * STEP, 400_000),)},
        {"restarts": (37 * STEP,)},
    ]
    for changes in ways:
        rolls, _ = melodies(played, **changes)
        assert [np.flatnonzero(roll).tolist() for roll in rolls] == [[0, 16], [0, 16]], changes


def test_a_change_that_changes_nothing_does_not_split():
    played = scale(4)
    whole, _ = melodies(played)
    same = ((0, 4, 4), (5 * STEP, 4, 4)), ((0, 500_000), (21 * STEP, 500_000))
    rolls, left_out = melodies(played, time_signatures=same[0], tempos=same[1])
    np.testing.assert_array_equal(rolls, whole)
    assert left_out == {}


def test_a_section_in_another_metre_between_two_is_left_out_alone():
    played = scale(2) + [(o + 2 * BAR, e + 2 * BAR, m) for o, e, m in scale(3, 40)]
    played += [(o + 5 * BAR, e + 5 * BAR, m) for o, e, m in scale(2, 80)]
    rolls, left_out = melodies(played, time_signatures=((2 * BAR, 3, 4), (5 * BAR, 4, 4)))
    assert rolls[:, 0].tolist() == [41, 61]
    assert left_out == {"sections in 3/4": 1}


def test_a_note_held_over_a_change_ends_there():
    rolls, _ = melodies(steps((0, 16, 60), (16, 60, 62), (60, 92, 64)), tempos=((32 * STEP, 400_000),))
    assert [notes(roll[None]).durations.tolist() for roll in rolls] == [[16, 16], [20]]


def test_of_two_changes_at_one_tick_the_last_told_holds():
    rolls, _ = melodies(scale(2), time_signatures=((0, 6, 8), (0, 4, 4)))
    assert len(rolls) == 1
    rolls, _ = melodies(scale(2), time_signatures=((0, 4, 4), (0, 3, 4)))
    assert len(rolls) == 0


def test_no_notes_give_no_melody():
    rolls, left_out = melodies([])
    assert (rolls.shape, left_out) == ((0, 32), Counter())


def test_a_piece_of_enormous_length_is_not_written_out():
    rolls, left_out = melodies([(0, 1 << 40, 60), (1 << 39, 1 << 40, 62)])
    assert (len(rolls), left_out[TOO_LONG]) == (1, 1)


@pytest.mark.parametrize("bars", [0, -1, 1.5, True])
def test_bars_are_counted_in_whole_numbers(bars):
    with pytest.raises(InputError, match="bars"):
        melodies(scale(2), bars)


def test_a_score_that_is_none_is_refused():
    one, two = np.zeros(1, int), np.zeros(2, int)
    with pytest.raises(InputError, match="0 ticks per quarter"):
        Score(0, one, one, one, one)
    with pytest.raises(InputError, match="must all be"):
        Score(480, one, one, two, one)
