import csv
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import tonotopy.synth.recordings as recordings
from tonotopy.synth import InputError, Recording, find_recordings, level_dbfs, read_recording
from tonotopy.synth.recordings import duration_s


def tone(frequency_hz, rate, seconds=1.0, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(rate * seconds)) / rate)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_formats_are_read(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, tone(441, 44_100), 44_100)
    waveform = read_recording(path, 44_100)
    assert waveform.dtype == np.float32
    assert len(waveform) == pytest.approx(44_100, rel=0.06)  # mp3 pads
    assert level_dbfs(waveform[10_000:30_000]) == pytest.approx(-6.02, abs=0.2)


@pytest.mark.parametrize(("rate", "target"), [(44_100, 24_000), (48_000, 22_050), (8000, 24_000)])
def test_resampled_tone_is_the_tone_at_the_new_rate(tmp_path, rate, target):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(1000, rate), rate, subtype="FLOAT")
    waveform = read_recording(path, target)
    assert len(waveform) == target
    middle = slice(target // 4, -target // 4)
    assert np.abs(waveform - tone(1000, target))[middle].max() < 1e-5


def test_channels_are_averaged(tmp_path):
    path = tmp_path / "a.wav"
    left, right = tone(100, 8000), tone(300, 8000)
    soundfile.write(path, np.stack([left, right], axis=1), 8000, subtype="FLOAT")
    np.testing.assert_allclose(read_recording(path, 8000), (left + right) / 2, atol=1e-7)


def test_a_part_equals_that_part_of_the_whole(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 44_100), 44_100, subtype="FLOAT")
    whole = read_recording(path, 24_000)
    np.testing.assert_array_equal(read_recording(path, 24_000, 0.25, 0.5), whole[6000:18_000])


def test_decoded_once_for_each_rate_and_content(tmp_path, monkeypatch):
    decoded = []
    decode = recordings._decode
    monkeypatch.setattr(recordings, "_decode", lambda path: decoded.append(path.name) or decode(path))
    cache = tmp_path / "cache"
    (tmp_path / "copy").mkdir()
    for name in ("a.wav", "copy/b.wav"):
        soundfile.write(tmp_path / name, tone(100, 8000), 8000)
    first = read_recording(tmp_path / "a.wav", 8000, cache=cache)
    np.testing.assert_array_equal(first, read_recording(tmp_path / "a.wav", 8000, cache=cache))
    np.testing.assert_array_equal(first, read_recording(tmp_path / "copy/b.wav", 8000, cache=cache))
    assert decoded == ["a.wav"]
    read_recording(tmp_path / "a.wav", 16_000, cache=cache)
    assert decoded == ["a.wav", "a.wav"]
    soundfile.write(tmp_path / "a.wav", tone(200, 8000), 8000)
    os.utime(tmp_path / "a.wav", ns=(1, 1))
    changed = read_recording(tmp_path / "a.wav", 8000, cache=cache)
    assert np.abs(changed - first).max() > 0.1
    assert {path.suffix for path in cache.iterdir()} == {".npy"}


def test_an_interrupted_write_is_not_taken_for_finished(tmp_path, monkeypatch):
    path, cache = tmp_path / "a.wav", tmp_path / "cache"
    soundfile.write(path, tone(100, 8000), 8000)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recordings.os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            read_recording(path, 8000, cache=cache)
    assert list(cache.iterdir()) == []
    assert len(read_recording(path, 8000, cache=cache)) == 8000


def test_what_is_returned_may_be_written_to_without_harm(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(100, 8000), 8000)
    first = read_recording(tmp_path / "a.wav", 8000)
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(read_recording(tmp_path / "a.wav", 8000), kept)


def broken_flac(path):
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 80_000), 8000)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = b""
    path.write_bytes(data)


def with_nan(path):
    samples = tone(100, 8000)
    samples[123] = np.nan
    soundfile.write(path, samples, 8000, subtype="FLOAT")


BROKEN = {
    "text.wav": (lambda path: path.write_text("RIFF me this\n" * 50), "not audio"),
    "text.mp3": (lambda path: path.write_text("la la la\n" * 50), "not audio"),
    "empty.wav": (lambda path: path.write_bytes(b""), "the file is empty"),
    "no-samples.wav": (lambda path: soundfile.write(path, np.empty(0), 8000), "holds no samples"),
    "silent.wav": (lambda path: soundfile.write(path, np.zeros(100), 8000), "silent throughout"),
    "cut.flac": (broken_flac, "corrupt after|truncated, holds"),
    "nan.wav": (with_nan, "NaN or Inf, first at frame 123"),
    "folder.wav": (lambda path: path.mkdir(), "no such file"),
    "none.wav": (lambda path: None, "no such file"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_unusable_files_are_one_line_errors_that_name_them(tmp_path, name):
    make, named = BROKEN[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=named) as caught:
        read_recording(tmp_path / name, 8000)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.sampled_from([".wav", ".flac", ".ogg"]),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 2000),
)
def test_damaged_headers_are_read_or_refused(suffix, changes, cut):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        soundfile.write(path, tone(441, 8000, 0.25), 8000)
        data = bytearray(path.read_bytes())
        for place, value in changes:
            data[place] = value
        path.write_bytes(data[: len(data) - cut])
        problem = ""
        try:
            assert recordings.duration_s(path) > 0
            assert np.isfinite(read_recording(path, 8000, cache=Path(folder) / "cache")).all()
        except InputError as error:
            problem = str(error)
        assert "\n" not in problem


def test_sizes_are_checked_before_decoding(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "long.wav", tone(100, 8000), 8000)
    soundfile.write(tmp_path / "wide.wav", np.ones((10, 65)) / 2, 8000)
    monkeypatch.setattr(recordings, "MAX_FRAMES", 7999)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(InputError, match="8000 frames; at most 7999"):
        read_recording(tmp_path / "long.wav", 8000)
    with pytest.raises(InputError, match="65 channels; at most 64"):
        read_recording(tmp_path / "wide.wav", 8000)


def test_a_rate_that_would_blow_the_recording_up_is_refused(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "slow.wav", tone(100, 8000), 1)
    monkeypatch.setattr(recordings, "MAX_FRAMES", 100_000)
    with pytest.raises(InputError, match="8000 frames at 1 Hz are too many at 24000 Hz"):
        read_recording(tmp_path / "slow.wav", 24_000)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"sample_rate": 0}, "sample rate 0"),
        ({"sample_rate": 8000, "start_s": -1.0}, "start -1.0 s"),
        ({"sample_rate": 8000, "start_s": 1.0}, "lasts 1.000 s, cannot play 1.000 to 1.000 s"),
        ({"sample_rate": 8000, "duration_s": 1.5}, "lasts 1.000 s, cannot play 0.000 to 1.500 s"),
        ({"sample_rate": 8000, "duration_s": 0.0}, "cannot play 0.000 to 0.000 s"),
    ],
)
def test_refuses_unusable_parts(tmp_path, arguments, named):
    soundfile.write(tmp_path / "a.wav", tone(100, 8000), 8000)
    with pytest.raises(InputError, match=named):
        read_recording(tmp_path / "a.wav", **arguments)


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(100, 8000), 8000)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cache folder .*file.*XDG_CACHE_HOME"):
        read_recording(tmp_path / "a.wav", 8000, cache=tmp_path / "file")


def test_audio_is_found_at_any_depth_in_order(tmp_path):
    for name in ("b/z.wav", "a.FLAC", "b/a.wav", ".hidden.wav", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert find_recordings(tmp_path) == [
        Recording(tmp_path / "a.FLAC", "a"),
        Recording(tmp_path / "b" / "a.wav", "a"),
        Recording(tmp_path / "b" / "z.wav", "z"),
    ]


def fma(folder):
    """Lay out two tracks as FMA small does, and the table as fma_metadata does."""
    for number in (2, 140_005):
        path = folder / "fma_small" / f"{number // 1000:03d}" / f"{number:06d}.mp3"
        path.parent.mkdir(parents=True)
        path.touch()
    (folder / "fma_metadata").mkdir()
    with (folder / "fma_metadata" / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [
                ["", "album", "track", "track"],
                ["", "title", "genre_top", "title"],
                ["track_id", "", "", ""],
                ["2", "An album", "Hip-Hop", "Food, and\nmore"],
                ["3", "An album", "Rock", "Another"],
            ]
        )


@pytest.mark.parametrize("below", ["", "fma_small"])
def test_fma_layout_gives_titles_and_genres(tmp_path, below):
    fma(tmp_path)
    found = [(r.path.name, r.title, r.genre) for r in find_recordings(tmp_path / below)]
    assert found == [("000002.mp3", "Food, and\nmore", "Hip-Hop"), ("140005.mp3", "140005", "")]


def test_folders_without_audio_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match="holds no audio"):
        find_recordings(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_recordings(tmp_path / "none")
    with pytest.raises(InputError, match="not a folder"):
        find_recordings(tmp_path / "notes.txt")
    (tmp_path / "a.wav").touch()
    (tmp_path / "tracks.csv").write_text("id,name\n1,x\n")
    with pytest.raises(InputError, match=r"not FMA's tracks\.csv"):
        find_recordings(tmp_path)


def test_level_of_silence_is_minus_infinity():
    assert level_dbfs(np.zeros(10)) == -np.inf


def test_real_recordings_are_read(audio):
    found = find_recordings(audio)
    assert len(found) == 5
    trumpet = next(r for r in found if "trumpet" in r.title)
    waveform = read_recording(trumpet.path, 24_000)
    assert recordings.duration_s(trumpet.path) == pytest.approx(len(waveform) / 24_000, abs=1e-3)
    assert -40 < level_dbfs(waveform) < 0


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
@pytest.mark.parametrize("rate", [44_100, 22_050, 8_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("loud_first", [True, False])
def test_an_mp3_without_its_length_is_counted(tmp_path, mode, rate, channels, loud_first):
    """Its first frame, which says how many there are, was taken off; frames of the halves differ in size."""
    level = np.repeat([0.3, 0.0003] if loud_first else [0.0003, 0.3], 2 * rate)
    noise = np.random.default_rng(0).standard_normal((4 * rate, channels)) * level[:, None]
    whole, cut = tmp_path / "whole.mp3", tmp_path / "cut.mp3"
    soundfile.write(
        whole, noise, rate, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode=mode, compression_level=0.5
    )
    data = whole.read_bytes()
    second = data.index(data[:2], 4)
    cut.write_bytes(b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + data[second:])
    assert duration_s(whole) == pytest.approx(4, abs=2e-3)
    assert duration_s(cut) == pytest.approx(4, abs=4 * 1152 / rate)
    found = read_recording(cut, rate, cache=tmp_path / "cache")
    assert len(found) == pytest.approx(duration_s(cut) * rate, abs=1)
    ends = [float(np.std(part)) for part in (found[rate // 2 : rate], found[-rate:])]
    assert (ends[0] > 100 * ends[1]) == loud_first
    assert (ends[1] > 100 * ends[0]) != loud_first


def test_an_mp3_that_ends_in_a_frame_is_read(tmp_path):
    path = tmp_path / "a.mp3"
    noise = 0.1 * np.random.default_rng(0).standard_normal(44_100)
    soundfile.write(path, noise, 44_100, format="MP3", subtype="MPEG_LAYER_III")
    data = path.read_bytes()
    path.write_bytes(data[data.index(data[:2], 4) : -40] + b"TAG" + bytes(125))
    assert len(read_recording(path, 44_100, cache=tmp_path)) == pytest.approx(44_100, abs=4 * 1152)


def test_mp3_files_that_were_joined_are_read_to_the_end(tmp_path):
    parts = []
    for seed in range(2):
        noise = 0.1 * np.random.default_rng(seed).standard_normal(2 * 44_100)
        soundfile.write(tmp_path / "part.mp3", noise, 44_100, format="MP3", subtype="MPEG_LAYER_III")
        parts.append((tmp_path / "part.mp3").read_bytes())
    (tmp_path / "joined.mp3").write_bytes(b"".join(parts))
    assert duration_s(tmp_path / "joined.mp3") == pytest.approx(4, abs=0.2)
    (tmp_path / "cut.mp3").write_bytes(parts[0][: len(parts[0]) // 2])
    assert duration_s(tmp_path / "cut.mp3") == pytest.approx(1, abs=0.2)
