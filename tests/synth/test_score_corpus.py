import builtins
from collections import Counter

import numpy as np
import pytest

import tonotopy.synth.score_corpus as score_corpus
from tonotopy.synth.errors import InputError
from tonotopy.synth.melodies import notes
from tonotopy.synth.score_corpus import CLEAR, COLLECTIONS, METRE, RESERVED, UNREADABLE, corpus_melodies
from tonotopy.synth.scores import POLYPHONIC, melodies_from_score

pytest.importorskip("music21")

HEAD = "X:1\nT:Test\nM:4/4\nL:1/4\nK:C\n"


def tunes(tmp_path, text, without=""):
    """Scores of the tunes of an ABC text by name, and what was skipped."""
    path, skipped = tmp_path / "a.abc", Counter()
    path.write_text(text)
    return dict(score_corpus._tunes(path, "folder/a.abc", without, skipped)), skipped


def melodies(tmp_path, body, bars=2):
    ((name, score),) = tunes(tmp_path, HEAD + body + "\n")[0].items()
    assert name == "folder/a.abc"
    return melodies_from_score(score, bars)


def test_a_tune_is_read_as_it_is_written(tmp_path):
    rolls, left_out = melodies(tmp_path, "CDEF|G2 A z/B/|c4|]")
    of = notes(rolls[:1])
    assert of.midi.tolist() == [60, 62, 64, 65, 67, 69, 71]
    assert of.onsets.tolist() == [0, 4, 8, 12, 16, 24, 30]
    assert of.durations.tolist() == [4, 4, 4, 4, 8, 4, 2]
    assert notes(rolls[1:]).midi.tolist() == [67, 69, 71, 72]
    assert left_out == {}


def test_a_pick_up_stands_at_the_end_of_a_bar_of_its_own(tmp_path):
    rolls, _ = melodies(tmp_path, "G|cdef|g3|]")
    assert notes(rolls[:1]).onsets.tolist() == [12, 16, 20, 24, 28]


def test_a_pick_up_within_a_tune_completes_the_short_bar_before_it(tmp_path):
    rolls, _ = melodies(tmp_path, "G|cdef|g3:|e|dcBA|G3|]")
    whole = [(12, 67), (16, 72), (20, 74), (24, 76), (28, 77), (32, 79), (44, 76), (48, 74)]
    heard = [(start * 16 + o, m) for start, roll in enumerate(rolls) for o, m in onsets(roll)]
    assert set(whole) <= set(heard)
    assert all((step - 16) % 16 == 0 for step, midi in heard if midi == 79)


def onsets(roll):
    of = notes(roll[None])
    return list(zip(of.onsets.tolist(), of.midi.tolist(), strict=True))


def test_bars_are_counted_anew_after_one_too_short(tmp_path):
    rolls, _ = melodies(tmp_path, "CDEF|GA|GFED|C4|CEGc|]")
    assert [onsets(roll)[0] for roll in rolls] == [(0, 60), (0, 67), (0, 60)]
    assert onsets(rolls[1]) == [(0, 67), (4, 65), (8, 64), (12, 62), (16, 60)]


def test_ties_are_joined_and_equal_neighbours_are_not(tmp_path):
    rolls, _ = melodies(tmp_path, "CDEF-|FGGA-|A4-|A4|]")
    of = notes(rolls[:1])
    assert of.midi.tolist() == [60, 62, 64, 65, 67, 67, 69]
    assert of.durations.tolist() == [4, 4, 4, 8, 4, 4, 4]
    assert notes(rolls[1:]).midi.tolist() == [67, 67, 69]
    assert notes(rolls[1:]).durations.tolist() == [4, 4, 20]


def test_chord_symbols_and_ornaments_are_no_notes_and_of_chords_the_highest_is_kept(tmp_path):
    rolls, left_out = melodies(tmp_path, '"G7"CD{fga}EF|"Am"[CEG]2 A2|]')
    assert notes(rolls).midi.tolist() == [60, 62, 64, 65, 67, 69]
    assert left_out == {POLYPHONIC: 2}


def test_tunes_in_other_metres_and_of_reserved_transcribers_are_left_out_and_counted(tmp_path):
    text = "\n\n".join(
        f"X:{number}\nT:Test\n{fields}\nL:1/4\nK:C\nCDEF|GABc|\n"
        for number, fields in enumerate(
            ["M:C", "M:3/4", "M:C|", "M:2/2\nZ:Transcribed by Some.One", "M:6/8", "M:4/4 % said so"], start=1
        )
    )
    found, skipped = tunes(tmp_path, text, without="some.one")
    assert list(found) == ["folder/a.abc#1", "folder/a.abc#3", "folder/a.abc#6"]
    assert skipped == {METRE: 2, RESERVED: 1}
    found, skipped = tunes(tmp_path, text)
    assert (len(found), skipped) == (4, {METRE: 2})


def test_a_tune_that_changes_its_metre_is_left_out(tmp_path):
    body = "CDEF|GABc|\nM:3/4\nCDE|FGA|GFE|\nM:4/4\ncBAG|FEDC|]\n"
    assert tunes(tmp_path, HEAD + body) == ({}, {METRE: 1})


def test_a_tune_that_cannot_be_read_is_counted(tmp_path, monkeypatch):
    from music21.abcFormat import ABCHandlerException, translate

    def fails(_):
        raise ABCHandlerException("broken")

    monkeypatch.setattr(translate, "abcToStreamScore", fails)
    assert tunes(tmp_path, HEAD + "CDEF|\n") == ({}, {UNREADABLE: 1})


def test_the_corpus_is_read_once_and_kept(tmp_path, monkeypatch):
    cache = tmp_path / "new" / "melodies.npz"
    read = corpus_melodies(["leadSheet"], cache=cache)
    assert read.names == ("leadSheet/fosterBrownHair.mxl",)
    assert len(read.rolls) > 10
    assert len(np.unique(read.rolls, axis=0)) == len(read.rolls)
    assert [path.name for path in cache.parent.iterdir()] == ["melodies.npz"]
    with monkeypatch.context() as patch:
        patch.setattr(score_corpus, "_scores", lambda *_: pytest.fail("read again"))
        again = corpus_melodies(["leadSheet"], cache=cache)
    np.testing.assert_array_equal(again.rolls, read.rolls)
    np.testing.assert_array_equal(again.sources, read.sources)
    assert (again.names, again.skipped) == (read.names, read.skipped)
    other = corpus_melodies(["leadSheet"], bars=3, cache=cache)
    assert other.rolls.shape[1] == 48


def test_a_score_begins_as_music21_has_it():
    import music21

    path = score_corpus.Path(music21.__file__).parent / "corpus" / "leadSheet" / "fosterBrownHair.mxl"
    (part,) = music21.converter.parse(path, storePickle=False).getElementsByClass("Part")
    pitches = [n.pitch.midi for n in part.flatten().notes if isinstance(n, music21.note.Note)]
    first = notes(corpus_melodies(["leadSheet"]).rolls[:1]).midi.tolist()
    assert len(first) >= 3
    assert first == pitches[: len(first)]


def test_a_broken_cache_is_named(tmp_path):
    cache = tmp_path / "melodies.npz"
    cache.write_text("not an archive")
    with pytest.raises(InputError, match=r"cache .*melodies\.npz: not a melody cache"):
        corpus_melodies(["leadSheet"], cache=cache)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        corpus_melodies(["leadSheet"], cache=tmp_path / "file" / "melodies.npz")


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("essenFolksong", "collection 'essenFolksong': not used: unclear, and non-commercial"),
        ("palestrina", "not used: reserved"),
        ("Essen", "collection 'Essen': not known; used are ryansMammoth"),
    ],
)
def test_collections_that_are_not_clear_are_refused(name, named):
    with pytest.raises(InputError, match=named):
        corpus_melodies([name])


def test_every_collection_says_what_its_files_state_and_why_it_is_used_or_not():
    import music21

    folder = score_corpus.Path(music21.__file__).parent / "corpus"
    for collection in COLLECTIONS:
        assert all((collection.works, collection.terms, collection.why)), collection.name
        assert collection.name == "others" or (folder / collection.name).is_dir()
        assert not collection.used or list((folder / collection.name).rglob(collection.files))
    assert "essenFolksong" not in CLEAR
    assert len({collection.name for collection in COLLECTIONS}) == len(COLLECTIONS)


@pytest.mark.parametrize("collection", [c for c in COLLECTIONS if c.used and not c.terms.startswith("trans")])
def test_what_single_files_state_still_stands_in_them(collection):
    """The quoted terms, read again from the files themselves."""
    import zipfile

    import music21

    folder = score_corpus.Path(music21.__file__).parent / "corpus" / collection.name
    quoted = collection.terms.split("'")[1]
    for path in folder.rglob(collection.files):
        if path.suffix == ".mxl":
            with zipfile.ZipFile(path) as file:
                texts = [file.read(name).decode() for name in file.namelist() if "META-INF" not in name]
        elif path.suffix in (".xml", ".musicxml"):
            texts = [path.read_text()]
        else:
            continue
        assert any(quoted in text for text in texts), path.name


def test_without_music21_the_extra_is_named(monkeypatch):
    imported = builtins.__import__

    def without(name, *rest, **named):
        if name == "music21":
            raise ImportError(name)
        return imported(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install tonotopy\[symbolic\]"):
        corpus_melodies(["leadSheet"])
