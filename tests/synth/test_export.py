import csv

import numpy as np
import pytest
import soundfile

from tonotopy.synth import (
    InputError,
    Partial,
    Stimulus,
    StimulusSet,
    chords,
    parse_stimuli,
    partials,
    pitches,
    recording_slices,
    write_wavs,
)


def table_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_files_hold_the_stimuli_and_the_table_says_which(tmp_path):
    notes = pitches(midi=[57, 69], timbres=["sine", "saw"])
    table = write_wavs(notes, tmp_path / "out", sample_rate=16_000, duration_s=0.5)
    rows = table_of(table)
    assert table == tmp_path / "out" / "stimuli.csv"
    assert {path.name for path in table.parent.iterdir()} == {"stimuli.csv", *(row["file"] for row in rows)}
    assert rows[1]["file"] == "1_pitch_saw_220Hz.wav"
    waveforms = notes.render(16_000, 8000)
    for row, waveform, f0, timbre in zip(
        rows, waveforms, [220, 220, 440, 440], ["sine", "saw"] * 2, strict=True
    ):
        assert float(row["f0_hz"]) == pytest.approx(f0)
        assert (row["timbre"], row["level_dbfs"], row["fade_s"]) == (timbre, "-20.0", "0.01")
        heard, rate = soundfile.read(table.parent / row["file"])
        assert rate == 16_000
        assert soundfile.info(table.parent / row["file"]).subtype == "PCM_16"
        assert np.abs(heard - waveform)[160:-160].max() <= 1.01 / 2**15
        assert 20 * np.log10(np.abs(heard).max()) == pytest.approx(float(row["peak_dbfs"]), abs=0.02)


def test_ends_fade_against_clicks(tmp_path):
    rows = table_of(write_wavs(partials(1000, 1000, count=1, phase_rad=np.pi / 2), tmp_path / "out"))
    heard, _ = soundfile.read(tmp_path / "out" / rows[0]["file"])
    assert heard[0] == heard[-1] == 0.0
    assert np.abs(np.diff(heard[:24])).max() < 0.1 * np.abs(np.diff(heard)).max()


def test_a_peak_over_full_scale_is_refused_and_nothing_written(tmp_path):
    loud = partials(1000, 1000, count=1, level_dbfs=[-6.0, 3.0])
    with pytest.raises(InputError, match=r"stimulus 1: its peak of \+3.00 dBFS would clip.*it is 3 dBFS"):
        write_wavs(loud, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_full_scale_itself_is_written(tmp_path):
    square_wave = StimulusSet.of([Stimulus((Partial(6000.0, 1.0, np.pi / 2),))])
    rows = table_of(write_wavs(square_wave, tmp_path / "out"))
    heard, _ = soundfile.read(tmp_path / "out" / rows[0]["file"])
    assert heard.max() == pytest.approx(1.0, abs=1.01 / 2**15)
    assert heard.min() == pytest.approx(-1.0, abs=1.01 / 2**15)


@pytest.mark.parametrize("name", ["out", "out/thesis.txt", "out/stimuli.csv"])
def test_what_exists_is_never_overwritten(tmp_path, name):
    (tmp_path / "out").mkdir()
    if name != "out":
        (tmp_path / name).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="out: exists already; remove it or choose another"):
        write_wavs(partials(100, 200, count=1), tmp_path / "out", duration_s=0.1)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"duration_s": 0.0}, "duration 0.0 s"),
        ({"duration_s": float("inf")}, "duration inf s"),
        ({"fade_s": -0.1}, "fade -0.1 s"),
        ({"fade_s": 0.6}, "fade 0.6 s"),
        ({"sample_rate": 300}, "Nyquist"),
    ],
)
def test_refuses_unusable_lengths(tmp_path, arguments, named):
    with pytest.raises(InputError, match=named):
        write_wavs(partials(100, 200, count=2), tmp_path / "out", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_an_output_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="exists already"):
        write_wavs(partials(100, 200, count=2), tmp_path / "out")


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        ("partials:60-10000:per_octave=24", lambda: partials(60, 10_000, per_octave=24)),
        ("partials:60-100.5:count=7:spacing=linear", lambda: partials(60, 100.5, count=7, spacing="linear")),
        (
            "partials:60-100:step_hz=5:level_dbfs=-40,-20",
            lambda: partials(60, 100, step_hz=5, level_dbfs=[-40, -20]),
        ),
        (
            "pitches:midi=48-50:timbres=saw,square",
            lambda: pitches(midi=[48, 49, 50], timbres=["saw", "square"]),
        ),
        ("pitches:f0_hz=110,220.5:max_hz=5000", lambda: pitches(f0_hz=[110, 220.5], max_hz=5000)),
        (
            "chords:roots=48,52-53:qualities=major,minor7:inversions=0,1:voicings=open:timbre=sine:level_dbfs=-30",
            lambda: chords([48, 52, 53], ["major", "minor7"], [0, 1], ["open"], "sine", -30.0),
        ),
    ],
)
def test_notation_means_what_the_functions_make(spec, meant):
    assert parse_stimuli(spec).sha256 == meant().sha256


def test_notation_takes_folders_of_recordings(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(16_000)) / 2, 8000)
    assert parse_stimuli(str(tmp_path)).sha256 == recording_slices(tmp_path).sha256
    spec = f"recordings:{tmp_path}:seconds=0.5:per_file=3"
    assert parse_stimuli(spec).sha256 == recording_slices(tmp_path, 0.5, 3).sha256


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ("", "begin with one of partials, pitches, chords, recordings"),
        ("tones:60-100", "begin with one of"),
        ("partials", "lacks the band, as in partials:60-10000"),
        ("partials:100:count=2", "band='100' cannot be read"),
        ("partials:60-10000", "not 0"),
        ("partials:60-10000:per_octave=many", "per_octave='many' cannot be read"),
        ("partials:60-10000:count=2:count=3", "'count=3' given twice"),
        ("partials:60-10000:colour=red", "'colour=red' not known; partials take per_octave"),
        ("partials:0-10000:count=2", "low_hz 0.0"),
        ("partials:nan-10000:count=2", "low_hz nan"),
        ("partials:60-10000:count=0", "empty"),
        ("pitches", "exactly one of f0_hz and midi"),
        ("pitches:midi=72-48", "runs go upwards"),
        ("pitches:midi=300", "MIDI notes are 0 to 127"),
        ("pitches:midi=60:timbres=kazoo", "timbre 'kazoo'"),
        ("chords", "lacks the roots"),
        ("chords:roots=60:inversions=5", "inversion 5"),
        ("recordings", "lacks the folder"),
        ("recordings:/no/such/folder", "no such folder"),
    ],
)
def test_notation_errors_are_one_line(spec, named):
    with pytest.raises(InputError, match=named) as caught:
        parse_stimuli(spec)
    assert "\n" not in str(caught.value)
