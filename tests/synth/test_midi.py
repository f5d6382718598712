import tempfile
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tonotopy.synth.midi as midi
from tonotopy.synth.errors import InputError
from tonotopy.synth.melodies import notes, random_notes
from tonotopy.synth.midi import midi_melodies, read_midi
from tonotopy.synth.scores import OUT_OF_RANGE, POLYPHONIC

PPQ = 480
STEP = PPQ // 4


def track(events):
    """A track of (tick, message), in order of ticks and, at one tick, as told."""
    made, now = mido.MidiTrack(), 0
    for tick, message in sorted(events, key=lambda event: event[0]):
        made.append(message.copy(time=tick - now))
        now = tick
    return made


def played(rows, channel=0, program=None):
    """Events of notes (onset, end, midi) in ticks; ends stand before onsets at the same tick."""
    events = []
    if program is not None:
        events.append((0, mido.Message("program_change", channel=channel, program=program)))
    events += [(end, mido.Message("note_off", channel=channel, note=note)) for _, end, note in rows]
    events += [
        (onset, mido.Message("note_on", channel=channel, note=note, velocity=80)) for onset, _, note in rows
    ]
    return events


def write(path, *tracks):
    path.parent.mkdir(parents=True, exist_ok=True)
    mido.MidiFile(tracks=[track(events) for events in tracks], ticks_per_beat=PPQ).save(path)
    return path


def quarters(*pitches):
    return [(4 * i * STEP, 4 * (i + 1) * STEP, pitch) for i, pitch in enumerate(pitches)]


def metre(numerator, denominator):
    return 0, mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)


def rows_of(roll):
    of = notes(roll[None])
    ends = of.onsets + of.durations
    return [(o * STEP, e * STEP, m) for o, e, m in zip(of.onsets, ends, of.midi.tolist(), strict=True)]


SCALE = quarters(60, 62, 64, 65, 67, 69, 71, 72)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_a_melody_written_to_a_file_comes_back(seed, bars):
    roll = random_notes(1, bars, seed)[0]
    # A note of a bar before and one after keep a silence at either end from cutting the roll short.
    bar, after = 16 * STEP, (bars + 1) * 16 * STEP
    moved = [(onset + bar, end + bar, note) for onset, end, note in rows_of(roll)]
    framed = [(0, bar, 40), *moved, (after, after + bar, 41)]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.mid", played(framed))
        collected = midi_melodies(path, bars)
    assert roll.tolist() in collected.rolls.tolist()


def test_notes_and_changes_are_read_in_ticks(tmp_path):
    conductor = [
        metre(4, 4), (0, mido.MetaMessage("set_tempo", tempo=400_000)),
        (960, mido.MetaMessage("time_signature", numerator=3, denominator=8)),
    ]  # fmt: skip
    path = write(tmp_path / "a.mid", conductor, played([(10, 20, 60), (15, 40, 64)], channel=3))
    score, left_out = read_midi(path)
    assert score.ticks_per_quarter == PPQ
    assert sorted(zip(score.onsets, score.ends, score.midi, strict=True)) == [(10, 20, 60), (15, 40, 64)]
    assert score.time_signatures == ((0, 4, 4), (960, 3, 8))
    assert score.tempos == ((0, 400_000),)
    assert sum(left_out.values()) == 0


def test_a_note_on_without_velocity_ends_a_note(tmp_path):
    events = [
        (0, mido.Message("note_on", note=60, velocity=80)),
        (100, mido.Message("note_on", note=60, velocity=0)),
        (200, mido.Message("note_on", note=60, velocity=0)),
    ]
    score, _ = read_midi(write(tmp_path / "a.mid", events))
    assert (score.onsets.tolist(), score.ends.tolist()) == ([0], [100])


def test_a_note_off_ends_every_note_of_its_pitch_that_began_before(tmp_path):
    on, off = mido.Message("note_on", note=60, velocity=80), mido.Message("note_off", note=60)
    events = [(0, on), (50, on), (100, on), (100, off), (150, off), (150, on)]
    score, left_out = read_midi(write(tmp_path / "a.mid", events))
    assert sorted(zip(score.onsets, score.ends, strict=True)) == [(0, 100), (50, 100), (100, 150)]
    assert +left_out == {midi.NEVER_ENDED: 1}


def test_an_empty_note_is_none(tmp_path):
    """A note that ends at the tick at which it begins does not swallow the next of its pitch."""
    on, off = mido.Message("note_on", note=72, velocity=80), mido.Message("note_off", note=72)
    events = [(0, on), (0, off), (0, on), (0, on), (0, off)]
    melody = []
    for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72)):
        melody += [(100 * i, mido.Message("note_on", note=pitch)), (100 * i + 100, off.copy(note=pitch))]
    score, left_out = read_midi(write(tmp_path / "a.mid", events + melody))
    assert score.midi[np.argsort(score.onsets)].tolist() == [60, 62, 64, 65, 67, 69, 71, 72]
    assert +left_out == {midi.EMPTY: 3}
    assert score.onsets.max() == 700


def test_channels_programs_and_tracks_are_voices_of_their_own(tmp_path):
    both = played([(0, 10, 60)], channel=0) + played([(0, 10, 61)], channel=1)
    changed = [
        *played([(0, 10, 62)]),
        (20, mido.Message("program_change", program=5)),
        *played([(30, 40, 63)]),
    ]
    score, _ = read_midi(write(tmp_path / "a.mid", both, changed))
    assert dict(zip(score.midi.tolist(), score.voices.tolist(), strict=True)) == {60: 0, 61: 1, 62: 2, 63: 3}


def test_only_melodic_programs_are_searched_and_no_drums(tmp_path):
    tracks = [
        played(quarters(60, 62, 64, 65, 67, 69, 71, 72), program=31),
        played(quarters(50, 52, 54, 55, 57, 59, 61, 62), channel=1, program=32),
        played(quarters(*[38] * 8), channel=9),
    ]
    collected = midi_melodies(write(tmp_path / "a.mid", *tracks))
    assert notes(collected.rolls).midi.tolist() == [60, 62, 64, 65, 67, 69, 71, 72]
    assert collected.skipped == {midi.OTHER_PROGRAMS: 8, midi.DRUMS: 8}


def test_a_folder_is_read_in_order_and_what_is_left_out_is_counted(tmp_path):
    write(tmp_path / "b" / "scale.mid", played(SCALE))
    write(tmp_path / "a.MID", played([(o, e, m - 12) for o, e, m in SCALE]))
    write(tmp_path / "chord.midi", played(SCALE + [(o, e, m - 4) for o, e, m in SCALE]))
    write(tmp_path / "waltz.mid", [metre(3, 4)], played(SCALE))
    write(tmp_path / "high.mid", played(quarters(60, 109, 64, 65, 67, 127, 71, 72)))
    write(tmp_path / "silent.mid", [])
    (tmp_path / "empty.mid").touch()
    (tmp_path / "text.mid").write_text("not music")
    (tmp_path / ".hidden.mid").write_text("")
    (tmp_path / "notes.txt").write_text("")
    collected = midi_melodies(tmp_path)
    read = ("a.MID", "b/scale.mid", "chord.midi", "high.mid")
    names = tuple(sorted((*read, "empty.mid", "silent.mid", "text.mid", "waltz.mid")))
    assert collected.names == names
    assert [names[source] for source in collected.sources] == list(read)
    assert notes(collected.rolls).midi[:8].tolist() == [48, 50, 52, 53, 55, 57, 59, 60]
    assert collected.skipped == {
        midi.UNREADABLE: 2, midi.NO_MELODY: 2, "sections in 3/4": 1, POLYPHONIC: 8, OUT_OF_RANGE: 2,
    }  # fmt: skip


def cut(path):
    data = write(path, played(SCALE)).read_bytes()
    path.write_bytes(data[:-20])


def with_data(path, place, value):
    data = bytearray(write(path, played(SCALE)).read_bytes())
    data[place] = value
    path.write_bytes(data)


BROKEN = {
    "none.mid": (lambda path: None, "no such file"),
    "empty.mid": (lambda path: path.touch(), "0 bytes"),
    "text.mid": (lambda path: path.write_text("la la la, " * 9), "corrupt, or not MIDI .MThd not found"),
    "cut.mid": (cut, "truncated"),
    "status.mid": (lambda path: with_data(path, 23, 0xF5), "corrupt"),
    "data.mid": (lambda path: with_data(path, 24, 0xFF), "corrupt"),
    "type2.mid": (lambda path: with_data(path, 9, 2), "type 2, 480 ticks"),
    "smpte.mid": (lambda path: with_data(path, 12, 0xE7), "ticks per quarter; must be"),
    "silent.mid": (lambda path: write(path, []), "no melody of 2 bars .holds no notes"),
    "short.mid": (lambda path: write(path, played(SCALE[:4])), "no melody of 2 bars .melodies too short"),
    "waltz.mid": (lambda path: write(path, [metre(3, 4)], played(SCALE)), "sections in 3/4: 1"),
    "high.mid": (
        lambda path: write(path, played(quarters(*[110] * 8))), "notes outside MIDI 21 to 108: 8",
    ),
    "drums.mid": (lambda path: write(path, played(SCALE, channel=9)), "notes of drums: 8"),
    "violin.mid": (lambda path: write(path, played(SCALE, program=40)), "notes of programs 32 to 127: 8"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_unusable_files_are_one_line_errors_that_name_them(tmp_path, name):
    make, named = BROKEN[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=named) as caught:
        midi_melodies(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_without_melodies_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no MIDI file \(\.mid, \.midi\)"):
        midi_melodies(tmp_path)
    (tmp_path / "empty.mid").touch()
    write(tmp_path / "waltz.mid", [metre(3, 4)], played(SCALE))
    with pytest.raises(
        InputError, match=r"no melody of 2 bars \(files that cannot be read: 1, sections in 3/4: 1\)"
    ):
        midi_melodies(tmp_path)


def test_sizes_are_checked_before_decoding(tmp_path, monkeypatch):
    path = write(tmp_path / "a.mid", played(SCALE))
    monkeypatch.setattr(midi, "MAX_BYTES", path.stat().st_size - 1)
    monkeypatch.setattr(mido, "MidiFile", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=f"{path.stat().st_size} bytes; must hold 1 to"):
        read_midi(path)


def test_a_time_beyond_reason_is_refused(tmp_path):
    path = tmp_path / "a.mid"
    late = bytes([0x90, 60, 80]) + bytes([0xFF] * 8 + [0x7F]) + bytes([0x80, 60, 0])
    body = b"\0" + late + b"\0\xff\x2f\0"
    path.write_bytes(
        b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 1, 224]) + b"MTrk" + len(body).to_bytes(4) + body
    )
    with pytest.raises(InputError, match="track 0 lasts more than"):
        read_midi(path)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 60)
)
def test_damaged_files_are_read_or_refused(changes, shortened):
    with tempfile.TemporaryDirectory() as folder:
        path = write(
            Path(folder) / "a.mid",
            [
                metre(4, 4), (0, mido.MetaMessage("set_tempo", tempo=500_000)),
                (0, mido.MetaMessage("key_signature", key="D")), (5, mido.Message("sysex", data=(1, 2))),
            ],
            played(SCALE, program=3),
        )  # fmt: skip
        data = bytearray(path.read_bytes())
        for place, value in changes:
            data[place] = value
        path.write_bytes(data[: len(data) - shortened])
        problem = ""
        try:
            collected = midi_melodies(path)
            assert len(collected.rolls)
        except InputError as error:
            problem = str(error)
        assert "\n" not in problem


def test_progress_is_shown_when_asked_for(tmp_path, capsys):
    write(tmp_path / "a.mid", played(SCALE))
    quiet = midi_melodies(tmp_path)
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(midi_melodies(tmp_path, progress=True).rolls, quiet.rolls)
    assert "reading MIDI" in capsys.readouterr().out
