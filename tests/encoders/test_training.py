import csv
import hashlib
import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from tonotopy.encoders.samplecnn import METADATA_KEY, SampleCNNConfig, samplecnn
from tonotopy.encoders.training import audio, corpus
from tonotopy.encoders.training import samplecnn as trainer
from tonotopy.encoders.training.audio import store_audio
from tonotopy.encoders.training.augment import Augmentation, augment, pink, tilted
from tonotopy.encoders.training.labels import find_labels
from tonotopy.encoders.training.metrics import score
from tonotopy.encoders.training.recipe import TrainingRecipe
from tonotopy.encoders.training.samplecnn import SampleCNNTask, train_samplecnn
from tonotopy.encoders.training.scores import ControlChange, Note, chords, line, midi_file
from tonotopy.synth.errors import InputError

pytestmark = pytest.mark.numerical

RATE = 2_000
THIN = SampleCNNConfig(sample_rate=RATE, channels=(4, 4, 4, 4), latent_channels=6, n_classes=1)
SHORT = TrainingRecipe(epochs=6, batch_size=5, learning_rate=0.01)
HELD_OUT = 3  # of every class, for validation and for the test


def write_tone(path: Path, frequency_hz: float, seconds: float = 1.5, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, tone, rate)


def write_table(path: Path, rows: list[tuple[str, ...]]) -> None:
    with open(path, "w", newline="") as opened:
        csv.writer(opened).writerows(rows)


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """A folder in which pitch is the class."""
    folder = tmp_path_factory.mktemp("tones")
    rows: list[tuple[str, ...]] = [("path", "label", "split")]
    splits = ["training", "validation", "training", "test"] * HELD_OUT
    for label, lowest_hz in (("low", 60), ("high", 500)):
        for n, split in enumerate(splits):
            write_tone(folder / label / f"{n}.wav", lowest_hz * (1 + 0.03 * n))
            rows.append((f"{label}/{n}.wav", label, split))
    write_table(folder / "labels.csv", rows)
    return folder


@pytest.fixture(scope="module")
def trained(tones, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "out"
    before = torch.get_rng_state()
    scores = train_samplecnn(tones, out, THIN, SHORT, background=tones, seed=3)
    assert torch.equal(before, torch.get_rng_state())
    return out, scores


# Training


def test_training_learns(tones, tmp_path):
    plain = Augmentation(share=0.0, peak_dbfs=(-10.5, -10.5))
    recipe = TrainingRecipe(epochs=20, batch_size=4, learning_rate=0.02, augmentation=plain)
    scores = train_samplecnn(tones, tmp_path / "out", replace(THIN, dropout=0.0), recipe)
    # right on pitches between those it learnt; the test's highest lie beyond them
    assert (scores["validation"].accuracy, scores["validation"].chance) == (1.0, 0.5)
    assert scores["test"].n_recordings == scores["validation"].n_recordings == 2 * HELD_OUT


def test_log_has_a_row_for_every_epoch(trained):
    out, _ = trained
    with open(out / "log.csv", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["epoch"] for row in rows if row["validation_accuracy"]] == ["5", "6"]
    assert all(np.isfinite(float(row["loss"])) for row in rows)
    assert not list(out.glob("*.part"))


def test_written_weights_load(trained):
    out, _ = trained
    encoder = samplecnn(weights=out / "model.safetensors")
    assert encoder.sample_rate == RATE
    assert encoder.run(torch.zeros(1, 810), ["latent"])["latent"].shape == (1, 6, 10)
    with safe_open(out / "model.safetensors", framework="pt") as opened:
        assert json.loads(opened.metadata()[METADATA_KEY])["labels"] == ["high", "low"]


@pytest.mark.parametrize("killed_at_step", [1, 5, 14])
def test_killed_and_resumed_equals_uninterrupted(tones, trained, tmp_path, monkeypatch, killed_at_step):
    out, steps = tmp_path / "out", iter(range(100))
    step = SampleCNNTask.step

    def mortal(*arguments):
        if next(steps) == killed_at_step:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(SampleCNNTask, "step", mortal)
    with pytest.raises(KeyboardInterrupt):
        train_samplecnn(tones, out, THIN, SHORT, background=tones, seed=3)
    assert not (out / "model.safetensors").exists()
    (out / "checkpoint.pt.part").write_bytes(b"half-written")
    monkeypatch.undo()
    torch.manual_seed(999)  # whatever the caller drew in between
    train_samplecnn(tones, out, THIN, SHORT, background=tones, seed=3)
    for name in ("model.safetensors", "log.csv", "model.md"):
        assert (out / name).read_bytes() == (trained[0] / name).read_bytes(), name


def test_start_over(tones, trained, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    train_samplecnn(tones, out, THIN, TrainingRecipe(epochs=1, batch_size=5), resume=False)
    assert (out / "log.csv").read_text().count("\n") == 2
    assert (out / "model.safetensors").read_bytes() != (trained[0] / "model.safetensors").read_bytes()


def test_another_recipe_does_not_resume(tones, trained):
    with pytest.raises(InputError, match="another training"):
        train_samplecnn(tones, trained[0], THIN, SHORT, background=tones, seed=4)


def test_output_folder_that_holds_something_else(tones, tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match="holds something else"):
        train_samplecnn(tones, tmp_path, THIN, SHORT)
    assert [p.name for p in tmp_path.iterdir()] == ["diary.txt"]


def test_divergence_is_told(tones, tmp_path):
    with pytest.raises(InputError, match="diverged"):
        train_samplecnn(
            tones, tmp_path / "out", THIN, TrainingRecipe(epochs=4, batch_size=5, learning_rate=1e30)
        )


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0.0}])
def test_impossible_recipe(wrong):
    with pytest.raises(InputError, match="training with"):
        TrainingRecipe(**wrong)


def test_classes_are_drawn_equally_often(tmp_path):
    rows: list[tuple[str, ...]] = [("path", "label", "split")]
    for n in range(40):
        write_tone(tmp_path / f"{n}.wav", 100 + n, seconds=0.1)
        rows.append((f"{n}.wav", "rare" if n < 4 else "common", "training"))
    write_table(tmp_path / "labels.csv", rows)
    material = trainer.gather(find_labels(tmp_path), THIN, tmp_path, [])
    recipe = TrainingRecipe(batch_size=7)
    targets = torch.cat(
        [t for epoch in range(25) for _, t in trainer.batches(material, recipe, 81, 0, epoch)]
    )
    # 1000 fair draws (the last of 40 makes a batch of 5): 4.5 standard deviations
    assert abs(float((targets == 1).double().mean()) - 0.5) < 0.07


# The card


def test_card_tells_the_whole_story(trained):
    out, scores = trained
    card = (out / "model.md").read_text()
    assert hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest() in card
    test = scores["test"]
    assert f"| test | 6 | 6 | {test.accuracy:.3f} | {test.interval[0]:.3f} to" in card
    assert "chance" in card
    assert "12 training, 6 validation, 6 test" in card
    assert "--background BACKGROUND --out OUT --epochs 6" in card
    for name, row in zip(("high", "low"), test.confusion, strict=True):
        assert f"| {name} | {row[0]} | {row[1]} |" in card


def test_unreadable_files_are_named_not_fatal(tones, tmp_path):
    folder = tmp_path / "corpus"
    shutil.copytree(tones, folder)
    (folder / "low" / "0.wav").write_text("this is no sound")
    (folder / "low" / "1.wav").unlink()
    (folder / "high" / "0.wav").write_bytes(b"")
    soundfile.write(folder / "high" / "1.wav", np.zeros(100), RATE)
    soundfile.write(folder / "high" / "2.wav", np.full(100, np.nan), RATE, subtype="FLOAT")
    train_samplecnn(folder, tmp_path / "out", THIN, TrainingRecipe(epochs=1, batch_size=5))
    card = (tmp_path / "out" / "model.md").read_text()
    assert "5 files could not be used" in card
    assert all(f"{name}.wav" in card for name in ("low/0", "low/1", "high/0", "high/1", "high/2"))
    assert "holds NaN or Inf" in card
    assert str(tmp_path) not in card  # a card is passed on
    assert "9 training, 4 validation, 6 test" in card


def test_no_file_of_use(tmp_path):
    write_table(
        tmp_path / "labels.csv",
        [("path", "label", "split"), ("a.wav", "x", "train"), ("b.wav", "y", "train")],
    )
    (tmp_path / "a.wav").write_text("text")
    with pytest.raises(InputError, match=r"none of 2 audio files can be used.*a\.wav"):
        train_samplecnn(tmp_path, tmp_path / "out", THIN, SHORT)


def test_class_without_a_file_of_use(tones, tmp_path):
    folder = tmp_path / "corpus"
    shutil.copytree(tones, folder)
    for path in (folder / "low").iterdir():
        path.write_text("text")
    with pytest.raises(InputError, match="class 'low'"):
        train_samplecnn(folder, tmp_path / "out", THIN, SHORT)


def test_background_without_audio(tones, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no audio"):
        train_samplecnn(tones, tmp_path / "out", THIN, SHORT, background=tmp_path / "empty")


# Labels


@pytest.fixture
def fma(tmp_path):
    """FMA small's layout, with two tracks that are not there and one without a genre."""
    head = [
        ("", "album", "artist", "set", "set", "track", "track"),
        ("", "id", "id", "split", "subset", "genre_top", "title"),
        ("track_id", "", "", "", "", "", ""),
    ]
    rows = [
        ("2", "1", "7", "training", "small", "Hip-Hop", "Food"),
        ("3", "1", "7", "training", "medium", "Hip-Hop", "Electric, Ave"),
        ("5", "1", "8", "training", "small", "Rock", "This World"),
        ("10", "6", "9", "validation", "small", "Rock", "Freeway"),
        ("20", "4", "9", "test", "large", "", "Spiritual Level"),
        ("140", "61", "54", "test", "small", "Folk", "Queen"),
        ("141", "60", "54", "test", "small", "Rock", "Ohio"),
    ]
    (tmp_path / "fma_metadata").mkdir()
    write_table(tmp_path / "fma_metadata" / "tracks.csv", [*head, *rows])
    for track in (2, 5, 10, 20, 140, 141):
        write_tone(tmp_path / "fma_small" / f"{track // 1000:03d}" / f"{track:06d}.wav", 100 + track)
    return tmp_path


@pytest.mark.parametrize("inside", [True, False], ids=["parent folder", "fma_small itself"])
def test_fma_layout(fma, inside):
    found = find_labels(fma if inside else fma / "fma_small")
    assert [(int(f.path.stem), f.label, f.split, f.group) for f in found] == [
        (2, "Hip-Hop", "training", "7"),
        (5, "Rock", "training", "8"),
        (10, "Rock", "validation", "9"),
        (141, "Rock", "test", "54"),  # 140 is of a genre that is not trained on
    ]


def test_train_on_fma_layout(fma):
    scores = train_samplecnn(fma / "fma_small", fma / "out", THIN, TrainingRecipe(epochs=1, batch_size=2))
    assert {name: s.n_recordings for name, s in scores.items()} == {"validation": 1, "test": 1}


def test_without_splits_groups_stay_together(tmp_path):
    rows = [("path", "label", "group")]
    rows += [(f"{n}.wav", "ab"[n % 2], str(n // 4)) for n in range(800)]
    write_table(tmp_path / "mine.csv", rows)
    found = find_labels(tmp_path, tmp_path / "mine.csv")
    split_of = {(f.group, f.split) for f in found}
    assert len(split_of) == 200
    shares = [sum(f.split == s for f in found) / 800 for s in ("training", "validation", "test")]
    assert shares[0] == pytest.approx(0.8, abs=0.1)
    assert min(shares[1:]) > 0.04


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has columns none"),
        ([("file", "genre")], "has columns file, genre"),
        ([("path", "label")], "name no file"),
        ([("path", "label", "split"), ("a.wav", "x", "holdout")], "split 'holdout' of a.wav"),
        ([("path", "label", "split"), ("a.wav", "x", "train")], "1 class"),
    ],
)
def test_tables_of_no_use(tmp_path, rows, message):
    write_table(tmp_path / "labels.csv", rows)
    with pytest.raises(InputError, match=message):
        find_labels(tmp_path)


def test_folder_without_labels(tmp_path):
    with pytest.raises(InputError, match="no labels"):
        find_labels(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_labels(tmp_path / "nowhere")
    (tmp_path / "labels.csv").write_bytes(b"path,label\n\xff\xfe\n")
    with pytest.raises(InputError, match="cannot be read"):
        find_labels(tmp_path)


# Audio


def test_store_keeps_the_recordings(tmp_path, monkeypatch):
    files = [tmp_path / "a.wav", tmp_path / "gone.wav", tmp_path / "b.wav"]
    write_tone(files[0], 440, rate=44_100)
    write_tone(files[2], 50, seconds=0.01)
    store = store_audio(files, RATE, tmp_path / "audio.i16")
    assert store.kept.tolist() == [0, 2]
    assert "gone.wav" in store.unreadable[0]
    assert np.diff(store.first).tolist() == [3_000, 20]
    # resampled: the tone away from the ends, at the store's own rate
    expected = 0.3 * np.sin(2 * np.pi * 440 * np.arange(3_000) / RATE)
    assert np.abs(store.whole(0) - expected)[100:-100].max() < 0.003
    assert len(store.whole(1, at_least=81)) == 81
    monkeypatch.setattr(audio, "decode", None)  # opened again: nothing is decoded
    np.testing.assert_array_equal(store_audio(files, RATE, tmp_path / "audio.i16").samples, store.samples)


def test_store_notices_changed_files(tmp_path):
    file = tmp_path / "a.wav"
    write_tone(file, 100)
    store_audio([file], RATE, tmp_path / "audio.i16")
    write_tone(file, 100, seconds=1.0)
    assert len(store_audio([file], RATE, tmp_path / "audio.i16").samples) == RATE


@given(length=st.integers(1, 4_000), seed=st.integers(0, 99))
def test_crops_are_pieces_of_the_recording(tmp_path_factory, length, seed):
    folder = tmp_path_factory.mktemp("store")
    soundfile.write(folder / "ramp.wav", np.linspace(0.1, 0.9, 3_000), RATE)
    store = store_audio([folder / "ramp.wav"], RATE, folder / "audio.i16")
    crop = store.crop(0, length, np.random.default_rng(seed))
    whole = store.whole(0, length)
    start = int(np.argmin(np.abs(whole - crop[0])))
    np.testing.assert_array_equal(crop, whole[start : start + length])
    assert len(crop) == length


# Augmentation

QUIET = {"share": 1.0, "tilt_db_per_octave": (0.0, 0.0)}


def test_noise_comes_at_the_level_asked_for():
    rng = np.random.default_rng(0)
    example = np.sin(2 * np.pi * 0.05 * np.arange(40_000)).astype(np.float32)
    for _ in range(4):  # white and pink
        settings = Augmentation(**QUIET, noise_snr_db=(12.0, 12.0), peak_dbfs=(-6.0, -6.0))
        mixture = augment(example, settings, None, rng).astype(np.float64)
        assert np.abs(mixture).max() == pytest.approx(10 ** (-6 / 20), rel=1e-5)
        heard = (mixture @ example) / (example @ example) * example
        snr_db = 10 * np.log10(np.sum(heard**2) / np.sum((mixture - heard) ** 2))
        assert snr_db == pytest.approx(12.0, abs=0.2)


def test_background_comes_at_the_level_asked_for(tmp_path):
    write_tone(tmp_path / "company.wav", 400, seconds=4)
    company = store_audio([tmp_path / "company.wav"], RATE, tmp_path / "audio.i16")
    example = np.sin(2 * np.pi * 0.05 * np.arange(4_000)).astype(np.float32)
    settings = Augmentation(**QUIET, noise_snr_db=(200.0, 200.0), background_snr_db=(20.0, 20.0))
    power = np.abs(np.fft.rfft(augment(example, settings, company, np.random.default_rng(0)))) ** 2
    assert 10 * np.log10(power[200] / power[800]) == pytest.approx(20.0, abs=0.05)  # 100 Hz over 400 Hz


def test_pink_noise_falls_by_3_db_per_octave():
    rng = np.random.default_rng(0)
    power = np.mean([np.abs(np.fft.rfft(pink(4_096, rng))) ** 2 for _ in range(200)], axis=0)
    octaves = np.array([power[2**k : 2 ** (k + 1)].mean() for k in range(3, 11)])
    slopes = np.diff(10 * np.log10(octaves))
    np.testing.assert_allclose(slopes, -3.01, atol=0.3)


@given(slope=st.floats(-6, 6), octaves=st.integers(1, 5))
def test_tilt_changes_levels_by_its_slope(slope, octaves):
    t = np.arange(4_096) / 4_096
    low, high = 40, 40 * 2**octaves
    power = (
        np.abs(np.fft.rfft(tilted(np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * high * t), slope))) ** 2
    )
    assert 10 * np.log10(power[high] / power[low]) == pytest.approx(slope * octaves, abs=1e-3)


# Scores of a model


def test_score_counts():
    targets, named = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 0, 1, 0, 2])
    result = score(targets, named, 3, list("aabbcc"))
    assert (result.accuracy, result.chance, result.n_groups) == (4 / 6, 0.5, 3)
    assert result.confusion.tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert result.interval == (0.5, 1.0)  # groups score 1/2, 2/2, 1/2
    told = "accuracy 0.667 (95 % interval 0.500 to 1.000; chance 0.500) on 6 recordings of 3 groups"
    assert str(result) == told


# Scores of music


def played(midi: bytes) -> tuple[int, list[tuple[int, int, float, float]]]:
    """Read a MIDI file of one channel: its program, and notes with onset and offset in seconds."""
    assert midi[:8] == b"MThd\x00\x00\x00\x06"
    ticks_per_beat = int.from_bytes(midi[12:14], "big")
    assert int.from_bytes(midi[18:22], "big") == len(midi) - 22
    track, place, ticks, program, sounding, notes = midi[22:], 0, 0, -1, {}, []
    while True:
        delta = 0
        while track[place] & 0x80:
            delta, place = (delta << 7) | (track[place] & 0x7F), place + 1
        delta, place = (delta << 7) | track[place], place + 1
        ticks += delta
        now_s = ticks / ticks_per_beat * 0.5  # 120 beats a minute, unless said otherwise
        status, place = track[place], place + 1
        if status == 0xFF:
            assert (track[place], track[place + 1], place + 2) == (0x2F, 0, len(track))
            assert not sounding
            return program, sorted(notes, key=lambda note: (note[2], note[0]))
        if status == 0xC0:
            program, place = track[place], place + 1
            continue
        first, second, place = track[place], track[place + 1], place + 2
        if status == 0x90:
            assert first not in sounding
            sounding[first] = (second, now_s)
        elif status == 0x80:
            velocity, onset_s = sounding.pop(first)
            notes.append((first, velocity, onset_s, now_s))


@given(seed=st.integers(0, 10_000), seconds=st.floats(1, 200), program=st.integers(0, 127))
def test_midi_plays_what_is_written(seed, seconds, program):
    rng = np.random.default_rng(seed)
    notes = (line if seed % 2 else chords)(rng, seconds, 30, 90)
    found_program, found = played(midi_file(program, notes, [ControlChange(91, 10, 0.0)]))
    assert found_program == program
    wanted = sorted(notes, key=lambda note: (round(note.onset_s * 960), note.midi))
    assert [note[:2] for note in found] == [(note.midi, note.velocity) for note in wanted]
    times = np.array([(note.onset_s, note.offset_s) for note in wanted])
    np.testing.assert_allclose(np.array(found)[:, 2:], times, atol=1.5 / 960)


@given(seed=st.integers(0, 10_000), lowest=st.integers(0, 90), span=st.integers(12, 37))
def test_scores_keep_to_their_range_and_time(seed, lowest, span):
    for compose in (line, chords):
        notes = compose(np.random.default_rng(seed), 5.0, lowest, lowest + span)
        assert all(lowest <= note.midi <= lowest + span and 1 <= note.velocity <= 127 for note in notes)
        assert all(0 <= note.onset_s < note.offset_s <= 5.0 for note in notes)
        assert notes[0].onset_s == 0.0
    melody = line(np.random.default_rng(seed), 5.0, lowest, lowest + span)
    assert all(a.offset_s <= b.onset_s + 1e-9 for a, b in pairwise(melody))


# The corpus


def test_held_out_instruments_are_heard_nowhere_else():
    clips = corpus.clips_of(8)
    groups = {
        split: {c.group for c in clips if c.split == split} for split in ("training", "validation", "test")
    }
    assert not groups["test"] & (groups["training"] | groups["validation"])
    assert groups["training"] == groups["validation"]
    for family in corpus.PLAYED:
        assert len({c.group for c in clips if c.label == family and c.split == "test"}) == 2
    assert len({c.path for c in clips}) == len(clips) == 12 * 8 * 8
    assert corpus.clips_of(8) == clips != corpus.clips_of(8, seed=1)


def test_missing_programs_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="install the package fluidsynth"):
        corpus.render_corpus(tmp_path / "corpus")
    monkeypatch.setattr(shutil, "which", lambda name: f"/{name}")
    monkeypatch.setattr(corpus, "_SOUNDFONTS", ())
    with pytest.raises(InputError, match="install the package fluid-soundfont-gm"):
        corpus.render_corpus(tmp_path / "corpus")
    with pytest.raises(InputError, match="no such file"):
        corpus.render_corpus(tmp_path / "corpus", soundfont=tmp_path / "my.sf2")
    with pytest.raises(InputError, match="at least 1 clip"):
        corpus.render_corpus(tmp_path / "corpus", clips_per_program=0)
    assert not (tmp_path / "corpus").exists()


def _can_render() -> bool:
    return shutil.which("fluidsynth") is not None and any(Path(p).is_file() for p in corpus._SOUNDFONTS)


needs_fluidsynth = pytest.mark.skipif(not _can_render(), reason="needs fluidsynth and FluidR3_GM.sf2")


@needs_fluidsynth
def test_fluidsynth_plays_the_note():
    font = corpus._find_soundfont(None)
    samples = corpus._fluidsynth(midi_file(73, [Note(69, 100, 0.0, 1.5)]), font)  # a flute's A
    spectrum = np.abs(np.fft.rfft(samples[22_050:66_150] * np.hanning(44_100)))
    assert abs(int(spectrum.argmax()) - 440) <= 3  # bins of 1 Hz


@needs_fluidsynth
def test_render_resume_and_train(tmp_path, monkeypatch):
    played = ("organ", "bass")  # three programs each, which play an octave
    monkeypatch.setattr(corpus, "_PROGRAMS", 3)
    monkeypatch.setattr(corpus, "_HELD_OUT", 1)
    monkeypatch.setattr(corpus, "PLAYED", played)
    monkeypatch.setattr(corpus, "FAMILIES", {f: (40, 52) if f in played else None for f in corpus.FAMILIES})
    folder = tmp_path / "corpus"
    table = corpus.render_corpus(folder, clips_per_program=2, seconds=1.0)
    found = find_labels(folder)
    assert len(found) == 12
    assert {f.label for f in found} == {"organ", "bass"}
    for file in found:
        facts = soundfile.info(file.path)
        assert (facts.samplerate, facts.channels, facts.frames) == (22_050, 1, 22_050)
        assert np.abs(soundfile.read(file.path)[0]).max() == pytest.approx(0.5, abs=1e-3)
    before = {f.path: f.path.read_bytes() for f in found}
    table.unlink()
    found[0].path.unlink()
    found[-1].path.with_suffix(".part").write_bytes(b"half-written")
    corpus.render_corpus(folder, clips_per_program=2, seconds=1.0)
    assert {f.path: f.path.read_bytes() for f in find_labels(folder)} == before
    with pytest.raises(InputError, match="another recipe"):
        corpus.render_corpus(folder, clips_per_program=2, seconds=1.0, seed=1)
    config = SampleCNNConfig(channels=(2,) * 6, latent_channels=2)
    train_samplecnn(folder, tmp_path / "out", config, TrainingRecipe(epochs=1, batch_size=5))
    card = (tmp_path / "out" / "model.md").read_text()
    assert "held-out instruments: 1 of 3 programs" in card
    assert "tonotopy corpus --out CORPUS --clips-per-program 2 --seconds 1 --seed 0" in card
    assert "MIT licence" in card


@needs_fluidsynth
def test_corpus_folder_that_holds_something_else(tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match="holds something else"):
        corpus.render_corpus(tmp_path)
