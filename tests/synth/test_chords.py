import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.synth import QUALITIES, InputError, chord_notes, chords, pitches

SETTINGS = settings(derandomize=True, deadline=None, max_examples=60)
quality = st.sampled_from(sorted(QUALITIES))
voicing = st.sampled_from(["close", "open", "spread"])


def test_qualities_are_those_of_the_textbook():
    spelled = {name: "".join("0123456789te"[i] for i in steps) for name, steps in QUALITIES.items()}
    assert spelled == {
        "major": "047", "minor": "037", "diminished": "036", "augmented": "048", "sus2": "027", "sus4": "057",
        "dominant7": "047t", "major7": "047e", "minor7": "037t", "half-diminished7": "036t",
        "diminished7": "0369",
    }  # fmt: skip


@SETTINGS
@given(quality, st.integers(24, 96), st.integers(0, 3), voicing)
def test_inversion_and_voicing_keep_the_pitch_classes(quality, root, inversion, voicing):
    inversion %= len(QUALITIES[quality])
    notes = chord_notes(root, quality, inversion, voicing)
    assert notes == sorted(notes)
    assert sorted({n % 12 for n in notes}) == sorted({(root + i) % 12 for i in QUALITIES[quality]})
    assert len(notes) == len(QUALITIES[quality])


def test_inversions_move_the_lowest_notes_up():
    assert [chord_notes(60, "dominant7", i) for i in range(4)] == [
        [60, 64, 67, 70], [64, 67, 70, 72], [67, 70, 72, 76], [70, 72, 76, 79],
    ]  # fmt: skip


def test_open_is_drop_two_and_spread_keeps_the_bass():
    assert chord_notes(60, "major7", voicing="open") == [55, 60, 64, 71]
    assert chord_notes(60, "major7", voicing="spread") == [60, 67, 76, 83]
    assert chord_notes(60, "minor", 1, "open") == [55, 63, 72]


def test_a_note_is_as_loud_in_a_chord_as_alone():
    chord = chords(48, "minor7", inversions=2, timbre="square", level_dbfs=-26.0).stimulus(0)
    notes = pitches(midi=chord_notes(48, "minor7", 2), timbres="square", level_dbfs=-26.0)
    alone = [p for row in range(len(notes)) for p in notes.stimulus(row).partials]
    assert [(p.amplitude, p.phase_rad) for p in chord.partials] == [(p.amplitude, p.phase_rad) for p in alone]
    assert [p.frequency_hz for p in chord.partials] == pytest.approx([p.frequency_hz for p in alone])


def test_a_chord_sounds_as_the_sum_of_its_notes():
    chord = chords(48, "major", voicings="spread")
    notes = pitches(midi=chord_notes(48, "major", voicing="spread"), level_dbfs=-26.0)
    np.testing.assert_allclose(
        chord.render(24_000, 3000)[0], notes.render(24_000, 3000).sum(axis=0), atol=1e-6
    )


def test_coordinates_say_what_is_played():
    some = chords([57, 61], ["major", "diminished7"], [0, 1], ["close", "open"], timbre="sine")
    assert len(some) == 16
    known = {name: values.tolist() for name, values in some[5:7].coordinates.items()}
    assert known.pop("f0_hz") == pytest.approx([220, 220])
    assert known == {
        "kind": ["chord"] * 2,
        "root_midi": [57, 57],
        "root": ["A", "A"],
        "quality": ["diminished7"] * 2,
        "inversion": [0, 1],
        "voicing": ["open", "close"],
        "timbre": ["sine"] * 2,
        "n_notes": [4, 4],
        "n_partials": [4, 4],
        "level_dbfs": [-26, -26],
    }
    assert some.coordinates["root"][-1] == "C#"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"roots_midi": []}, "empty"),
        ({"roots_midi": 60, "qualities": []}, "empty"),
        ({"roots_midi": float("nan")}, "root nan"),
        ({"roots_midi": 60, "qualities": "mystic"}, "quality 'mystic'.*known are major"),
        ({"roots_midi": 60, "inversions": 3}, "inversion 3: a major chord has inversions 0 to 2"),
        ({"roots_midi": 60, "inversions": -1}, "inversion -1"),
        ({"roots_midi": 60, "voicings": "wide"}, "voicing 'wide'"),
        ({"roots_midi": 60, "timbre": "kazoo"}, "timbre 'kazoo'"),
        ({"roots_midi": 60, "level_dbfs": float("nan")}, "level nan"),
    ],
)
def test_refuses_unusable_chords(arguments, named):
    with pytest.raises(InputError, match=named):
        chords(**arguments)
