"""Features of melodies: equal to music21's, and what they must not depend on."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from music21.features.base import FeatureExtractor

from tonotopy.probes.features import CONSTANT, FEATURES, LEFT_OUT, features
from tonotopy.synth.errors import InputError
from tonotopy.synth.melodies import CLASSES, FIRST_NOTE, NOTE_OFF, notes, transposed

from .reference import EXTRACTORS, STORED, line, random_rolls, reference, roll_of, short_edges

pytestmark = pytest.mark.numerical

TOLERANCE = 1e-9
SOME_ROLLS = random_rolls(200, 32, seed=1)
repeatable = settings(derandomize=True, deadline=None, max_examples=50)
# Mostly sustained, as melodies are; every class may occur.
any_roll = arrays(
    np.uint8, st.integers(1, 40), elements=st.integers(0, CLASSES - 1), fill=st.sampled_from([0, 0, 1])
)
middle_roll = arrays(
    np.uint8, st.integers(1, 40), elements=st.integers(30, 60), fill=st.sampled_from([0, 0, 1])
)


@pytest.fixture(scope="module")
def stored():
    with np.load(STORED) as file:
        return dict(file)


def differing(found, expected):
    """Name the columns that differ, so that a failure can be read."""
    same = (np.abs(found.values - expected) <= TOLERANCE) | (np.isnan(found.values) & np.isnan(expected))
    return sorted({found.names[column] for column in np.nonzero(~same)[1]})


def value(roll, name):
    found = features(np.asarray([roll], np.uint8))
    return found.values[0, found.names.index(name)]


@pytest.mark.parametrize("length", ["2_bars", "16_bars"])
def test_features_equal_music21s_on_500_stored_melodies(stored, length):
    found = features(stored[f"rolls_{length}"])
    assert list(stored["ids"]) == [feature.id for feature in FEATURES]
    assert found.values.shape == stored[f"values_{length}"].shape
    assert differing(found, stored[f"values_{length}"]) == []


def test_the_stored_melodies_are_500_and_leave_nothing_untried(stored):
    """Each feature takes several values, and is missing on some melody where it can be."""
    values = np.concatenate([stored["values_2_bars"], stored["values_16_bars"]])
    assert len(values) == 500
    found = features(stored["rolls_2_bars"][:1])
    for feature in FEATURES:
        columns = values[:, [i == feature.id for i in found.ids]]
        missing = np.isnan(columns).all(axis=1)
        assert missing.any() == bool(feature.needs), feature
        assert (np.isnan(columns) == missing[:, None]).all(), feature
        distinct = len(np.unique(columns[~missing], axis=0))
        assert distinct == 1 if feature.id in CONSTANT else distinct >= 7, feature


def test_features_equal_music21s_as_it_is_installed(stored):
    """Not only what was stored: every edge case, and some of the rest, asked again."""
    edges = np.array(short_edges(), np.uint8)
    for rolls in (edges, stored["rolls_2_bars"][len(edges) :: 24], stored["rolls_16_bars"][::16]):
        assert differing(features(rolls), reference(rolls)) == []


@pytest.mark.slow
def test_features_equal_music21s_on_all_500_asked_again(stored):
    """All equal when last run, with music21 10.5.1."""
    for rolls in (stored["rolls_2_bars"], stored["rolls_16_bars"]):
        assert differing(features(rolls), reference(rolls)) == []


def test_columns_are_named_as_in_music21():
    found = features(SOME_ROLLS)
    expected = []
    for feature in FEATURES:
        extractor = EXTRACTORS[feature.id]()
        assert extractor.dimensions is not None
        labels = extractor.getAttributeLabels()
        expected += [(label.replace("_", " "), feature.id) for label in labels]
    assert list(zip(found.names, found.ids, strict=True)) == expected
    assert len(set(found.names)) == len(found.names) == found.values.shape[1]
    letters = {"pitch": "P", "rhythm": "R", "melody": "M"}
    assert [letters[group] for group in found.groups] == [i[0] for i in found.ids]


def test_every_extractor_has_a_column_or_a_reason():
    computed = {feature.id for feature in FEATURES}
    assert computed | set(LEFT_OUT) == set(EXTRACTORS)
    assert not computed & set(LEFT_OUT)
    assert set(CONSTANT) <= computed


def test_what_is_said_to_be_unimplemented_is_so():
    """And no pitch, rhythm or melody extractor that works is left out."""
    said = {i for i, reason in LEFT_OUT.items() if "not implemented" in reason}
    assert {i for i in LEFT_OUT if i[0] in "PRM"} <= said
    for i in said:
        own = EXTRACTORS[i].process is not FeatureExtractor.process
        if own:
            with pytest.raises(Exception, match="not yet implemented"):
                EXTRACTORS[i]().process()


@repeatable
@given(any_roll)
def test_a_feature_is_missing_exactly_where_its_need_is_not_met(roll):
    played = notes(roll[None])
    intervals = np.abs(np.diff(played.midi))
    pulses = {d for d in played.durations.tolist() if 3 <= d <= 12}
    met = {
        "": True,
        "a note": len(played.midi) > 0,
        "two notes": len(intervals) > 0,
        "two successive notes of different pitch": (intervals > 0).any(),
        "a note of 3 to 12 sixteenths": len(pulses) > 0,
        "notes of two durations from 3 to 12 sixteenths": len(pulses) > 1,
        "an interval that counts, or no interval": len(intervals) == 0
        or np.isin(intervals, [0, 3, 4, 7, 10, 11, 12, 15, 16]).any(),
    }
    found = features(roll[None])
    needs = {feature.id: feature.needs for feature in FEATURES}
    for name, i, got in zip(found.names, found.ids, found.values[0], strict=True):
        assert np.isnan(got) != met[needs[i]], name


@repeatable
@given(middle_roll, st.integers(-28, 29))
def test_transposition_changes_what_names_pitches_only(roll, semitones):
    found = features(np.array([roll, transposed(roll[None], semitones)[0]]))
    names_pitches = {"P6", "P11", "P12", "P13", "P14", "P15", "P16", "P19", "P20", "P21"}
    for name, i, values in zip(found.names, found.ids, found.values.T, strict=True):
        if i not in names_pitches:
            np.testing.assert_array_equal(*values, err_msg=name)


@repeatable
@given(any_roll, st.integers(0, 2**32 - 1))
def test_rhythm_does_not_depend_on_pitch(roll, seed):
    other = np.random.default_rng(seed).integers(FIRST_NOTE, CLASSES, len(roll))
    found = features(np.array([roll, np.where(roll >= FIRST_NOTE, other, roll)], np.uint8))
    before, after = found.values[:, [group == "rhythm" for group in found.groups]]
    np.testing.assert_array_equal(before, after)


@repeatable
@given(any_roll, st.integers(0, 8))
def test_rests_at_the_end_and_needless_note_offs_change_nothing(roll, rest):
    longer = np.concatenate([roll, [NOTE_OFF], np.zeros(rest)]).astype(np.uint8)
    sounds = False
    for step, event in enumerate(longer):
        if event == 0 and not sounds:
            longer[step] = NOTE_OFF
        elif event:
            sounds = event >= FIRST_NOTE
    np.testing.assert_array_equal(features(roll[None]).values, features(longer[None]).values)


def test_silence_before_the_first_note_counts_and_after_the_last_does_not():
    assert value(roll_of((0, 4), (60, 4)), "Duration") == 1.0
    assert value(roll_of((0, 4), (60, 4)), "Note Density") == 1.0
    assert value(roll_of((60, 4)), "Note Density") == 2.0


def test_known_melodies_have_known_features():
    scale = line(60, 62, 64, 65, 67, 69, 71, 72, length=4)  # C major, in quarters
    expected = {
        "Range": 12, "Primary Register": 66.25, "Pitch Variety": 8, "Pitch Class Variety": 7,
        "Most Common Pitch Class Prevalence": 0.25, "Pitch Class Distribution 0": 0.25,
        "Strongest Rhythmic Pulse": 120, "Note Density": 2, "Variability of Note Duration": 0,
        "Stepwise Motion": 1, "Chromatic Motion": 2 / 7, "Direction of Motion": 1, "Size of Melodic Arcs": 0,
    }  # fmt: skip
    for name, expected_value in expected.items():
        assert value(scale, name) == pytest.approx(expected_value, abs=1e-12), name
    fifths = features(scale[None]).values[0, [i == "P21" for i in features(scale[None]).ids]]
    assert fifths.tolist() == [0.25] + [0.125] * 5 + [0] * 5 + [0.125]  # F is a fifth below C
    up_and_down = line(60, 64, 67, 65, 60, 62)
    assert value(up_and_down, "Size of Melodic Arcs") == 7  # up 7, down 7; the last arc is not over
    assert value(up_and_down, "Duration of Melodic Arcs") == 2.5
    assert value(up_and_down, "Direction of Motion") == 0.6


def test_histograms_are_shares():
    found = features(SOME_ROLLS)
    for i in ("P19", "P20", "P21", "M1"):
        shares = found.values[:, [own == i for own in found.ids]].sum(axis=1)
        np.testing.assert_allclose(shares[~np.isnan(shares)], 1, atol=1e-12)
        assert np.isfinite(shares).sum() > 150


def test_melodies_do_not_depend_on_their_company():
    """Nor on where the chunks end, or how the array lies in memory."""
    many = np.tile(SOME_ROLLS, (12, 1))
    found = features(many).values
    np.testing.assert_array_equal(found, np.tile(features(SOME_ROLLS).values, (12, 1)))
    np.testing.assert_array_equal(found[::-1], features(many[::-1]).values)
    np.testing.assert_array_equal(found, features(np.asfortranarray(many).astype(np.int64)).values)
    np.testing.assert_array_equal(found[7], features(many[7:8]).values[0])


def test_no_melodies_have_no_features():
    assert features(np.zeros((0, 32), np.uint8)).values.shape == (0, features(SOME_ROLLS).values.shape[1])


def test_little_memory_is_taken_beside_the_values():
    rolls = np.tile(SOME_ROLLS, (100, 1))
    features(SOME_ROLLS)
    tracemalloc.start()
    found = features(rolls)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < found.values.nbytes + 8 * 2**20


@pytest.mark.parametrize(
    "rolls", [np.zeros(32, np.uint8), np.zeros((2, 32)), [[0, CLASSES]], [[-1, 0]], np.zeros((2, 0), int)]
)
def test_what_is_no_roll_is_refused(rolls):
    with pytest.raises(InputError, match="roll"):
        features(rolls)
