import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.synth.errors import InputError
from tonotopy.synth.melodies import HIGHEST_MIDI, LOWEST_MIDI, pitch_range, random_notes, transposed
from tonotopy.synth.melody_grammar import generated_melodies
from tonotopy.synth.melody_material import SHARES, melody_material, transposition_invariant
from tonotopy.synth.scores import Collected


def collected(tunes=200, slices=4, first=0):
    """Tunes of random notes, each with slices of its own."""
    rolls = random_notes(tunes * slices, seed=first)
    names = tuple(f"tune {first + i}" for i in range(tunes))
    return Collected(rolls, np.repeat(np.arange(tunes), slices), names, {})


def rows(rolls):
    return {roll.tobytes() for roll in rolls}


def test_each_melody_is_in_one_split_and_none_is_lost_or_changed():
    of = collected()
    material = melody_material(of, 500)
    assert list(material) == list(SHARES)
    written = [rows(part.rolls[part.written]) for part in material.values()]
    made_up = [rows(part.rolls[~part.written]) for part in material.values()]
    assert set().union(*written) == rows(of.rolls)
    assert set().union(*made_up) == rows(generated_melodies(500))
    assert sum(map(len, written + made_up)) == len(rows(of.rolls) | rows(generated_melodies(500)))


def test_a_tune_is_in_one_split_with_all_its_slices():
    of = collected()
    split = {roll: name for name, part in melody_material(of, 0).items() for roll in rows(part.rolls)}
    for tune in range(len(of.names)):
        assert len({split[roll.tobytes()] for roll in of.rolls[of.sources == tune]}) == 1


def test_splits_have_their_shares():
    material = melody_material(collected(2000, 1), 0)
    for name, share in SHARES.items():
        assert len(material[name].rolls) == pytest.approx(
            2000 * share, abs=4 * np.sqrt(2000 * share * (1 - share))
        )


def test_a_tune_stays_where_it_is_when_others_come():
    few, more = collected(100), collected(100, first=500)
    both = Collected(
        np.concatenate([more.rolls, few.rolls]), np.concatenate([more.sources, few.sources + 100]),
        more.names + few.names, {},
    )  # fmt: skip
    alone, together = melody_material(few, 0), melody_material(both, 0)
    for name in SHARES:
        assert rows(alone[name].rolls) <= rows(together[name].rolls)


def test_the_seed_moves_tunes():
    of = collected()
    assert rows(melody_material(of, 0)["test"].rolls) != rows(melody_material(of, 0, seed=1)["test"].rolls)


def test_nothing_held_out_is_learnt_from_in_any_transposition():
    of = collected(300, 2)
    lowest, highest = pitch_range(of.rolls)
    up = np.clip(np.arange(len(of.rolls)) % 11 - 5, LOWEST_MIDI - lowest, HIGHEST_MIDI - highest)
    # Every tune again under another name and in another key, so that most pairs fall into two splits.
    twice = Collected(
        np.concatenate([of.rolls, transposed(of.rolls, up)]), np.concatenate([of.sources, of.sources + 300]),
        of.names + tuple(f"{name} again" for name in of.names), {},
    )  # fmt: skip
    forms = {
        name: rows(transposition_invariant(part.rolls)) for name, part in melody_material(twice, 0).items()
    }
    assert not forms["test"] & forms["train"]
    assert not forms["test"] & forms["validation"]
    assert not forms["validation"] & forms["train"]
    assert set().union(*forms.values()) == rows(transposition_invariant(of.rolls))


def test_no_melody_stands_twice_in_a_split():
    of = collected(50)
    twice = Collected(
        np.concatenate([of.rolls, of.rolls]), np.concatenate([of.sources, of.sources]), of.names, {}
    )
    for name, part in melody_material(twice, 0).items():
        assert len(rows(part.rolls)) == len(part.rolls), name
        np.testing.assert_array_equal(part.rolls, melody_material(of, 0)[name].rolls)


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 1000), st.integers(-87, 87))
def test_the_invariant_form_is_that_of_every_transposition_and_keeps_intervals(seed, semitones):
    rolls = random_notes(5, seed=seed)
    lowest, highest = pitch_range(rolls)
    shift = np.clip(semitones, LOWEST_MIDI - lowest, HIGHEST_MIDI - highest)
    form = transposition_invariant(rolls)
    np.testing.assert_array_equal(transposition_invariant(transposed(rolls, shift)), form)
    np.testing.assert_array_equal(transposed(form, lowest - LOWEST_MIDI), rolls)


def test_melodies_of_broken_bars_are_refused():
    with pytest.raises(InputError, match="rolls of 20 steps: must be whole bars of 16"):
        melody_material(Collected(np.zeros((1, 20), np.uint8), np.zeros(1, int), ("a",), {}))
    with pytest.raises(InputError, match="seed -1"):
        melody_material(collected(2), seed=-1)
    with pytest.raises(InputError, match="count -5"):
        melody_material(collected(2), -5)
