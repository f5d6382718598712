"""Raw activations: whole recordings, what cannot be read, and what everything is selected by."""

import numpy as np
import pytest
import soundfile
import torch
import xarray as xr

from tonotopy.encoders import load
from tonotopy.probes.engine import activations as module
from tonotopy.probes.engine.activations import activations
from tonotopy.probes.engine.session import Session
from tonotopy.synth import InputError, partials, read_recording

RATE = 24_000


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two recordings, one of them longer, and a file that is none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = tmp_path / "files"
    files.mkdir()
    generator = np.random.default_rng(0)
    for name, seconds in (("a.wav", 0.25), ("b.wav", 0.1)):
        noise = 0.1 * generator.standard_normal(round(seconds * RATE))
        soundfile.write(files / name, noise, RATE, subtype="FLOAT")
    return files


def opened(path) -> dict[str, xr.Dataset]:
    return {name: node.to_dataset() for name, node in xr.open_datatree(path).children.items()}


def left_out(path) -> list[str]:
    return xr.open_datatree(path).attrs["left_out"]


def test_recordings_are_encoded_as_a_whole(folder, tmp_path):
    encoder = load("filterbank:stft")
    out = activations(Session(encoder), folder, tmp_path / "act.zarr")
    stage = opened(out)["first_layer"]
    assert stage["activation"].dims == ("stimulus", "channel", "frame")
    assert stage["stimulus"].values.tolist() == ["a.wav", "b.wav"]
    for name in ("a.wav", "b.wav"):
        whole = read_recording(folder / name, RATE)
        expected = encoder.run(torch.from_numpy(whole)[None], ["first_layer"])["first_layer"][0].numpy()
        one = stage.sel(stimulus=name)
        assert int(one["n_frames"]) == expected.shape[-1]
        there = one["activation"].isel(frame=slice(0, expected.shape[-1]))
        np.testing.assert_array_equal(there, expected)
        assert one["activation"].isel(frame=slice(expected.shape[-1], None)).isnull().all()
    hop = encoder.stages["first_layer"].hop
    np.testing.assert_allclose(stage["time_s"], np.arange(stage.sizes["frame"]) * hop / RATE)
    assert stage["time_s"].attrs["units"] == "s"
    assert stage["duration_s"].values.tolist() == [0.25, 0.1]
    assert left_out(out) == []


def test_seconds_cut_and_a_single_file_is_a_folder_of_one(folder, tmp_path):
    session = Session(load("filterbank:stft"))
    cut = opened(activations(session, folder, tmp_path / "cut.zarr", seconds=0.15))["first_layer"]
    whole = opened(activations(session, folder / "b.wav", tmp_path / "b.zarr"))["first_layer"]
    assert cut["n_frames"].sel(stimulus="b.wav") == whole["n_frames"].sel(stimulus="b.wav")
    frames = int(cut["n_frames"].sel(stimulus="a.wav"))
    assert frames == (0.15 * RATE - 1024) // 320 + 1
    assert opened(tmp_path / "cut.zarr")["stimuli"]["coordinate_start_s"].values.tolist() == [0.05, 0.0]
    middle = soundfile.read(folder / "a.wav", dtype="float32")[0][round(0.05 * RATE) :][: round(0.15 * RATE)]
    expected = session.encoder.run(torch.from_numpy(middle[None]), ["first_layer"])["first_layer"][0]
    np.testing.assert_array_equal(cut["activation"].sel(stimulus="a.wav"), expected)


def test_what_cannot_be_read_is_left_out_and_named(folder, tmp_path):
    (folder / "broken.wav").write_bytes(b"RIFFnothing")
    soundfile.write(folder / "short.wav", np.zeros(20), RATE)
    out = activations(Session(load("filterbank:stft")), folder, tmp_path / "act.zarr")
    read = opened(out)
    assert read["first_layer"]["stimulus"].values.tolist() == ["a.wav", "b.wav"]
    assert read["stimuli"].sizes["stimulus"] == 2
    unread, short = left_out(out)
    assert "broken.wav" in unread
    assert "short.wav: 20 samples give no frame" in short
    with pytest.raises(InputError, match=r"broken\.wav"):
        activations(Session(load("filterbank:stft")), folder, tmp_path / "strict.zarr", strict=True)
    (folder / "broken.wav").unlink()
    with pytest.raises(InputError, match=r"short\.wav: 20 samples give no frame"):
        activations(Session(load("filterbank:stft")), folder, tmp_path / "strict.zarr", strict=True)
    assert not list(tmp_path.glob("strict*"))


def test_nothing_left_is_refused_and_nothing_remains(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "broken.wav").write_bytes(b"RIFFnothing")
    with pytest.raises(InputError, match=r"broken\.wav: not audio"):
        activations(Session(load("filterbank:stft")), tmp_path / "files", tmp_path / "act.zarr")
    assert not list(tmp_path.glob("act.zarr*"))


def test_of_what_lasts_too_long_the_beginning_is_encoded_and_that_is_said(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.2)
    out = activations(Session(load("filterbank:stft")), folder, tmp_path / "act.zarr")
    assert left_out(out) == ["recording a.wav: 0 s after 0.2 s"]
    assert opened(out)["first_layer"]["n_frames"].values.max() == (0.2 * RATE - 1024) // 320 + 1


def test_codes_lie_along_codebooks_and_are_padded_with_none(folder, tmp_path):
    read = opened(activations(Session(load("control:texture")), folder, tmp_path / "act.zarr"))
    codes = read["codes"]["activation"]
    assert codes.dims == ("stimulus", "codebook", "frame")
    assert codes["codebook"].values.tolist() == [1]
    assert codes.dtype.kind == "i"
    n = int(codes["n_frames"].sel(stimulus="b.wav"))
    assert (codes.sel(stimulus="b.wav", codebook=1)[n:] == -1).all()
    assert (codes.sel(stimulus="b.wav", codebook=1)[:n] >= 0).all()


def test_tones_are_selected_by_their_frequency(tmp_path):
    tones = partials(100, 400, per_octave=1)
    out = activations(Session(load("filterbank:stft")), tones, tmp_path / "act.zarr", seconds=0.1)
    stage = opened(out)["first_layer"]
    assert stage["stimulus"].values.tolist() == ["100 Hz", "200 Hz", "400 Hz"]
    assert stage["f0_hz"].values.tolist() == [100.0, 200.0, 400.0]
    assert stage["f0_hz"].attrs["units"] == "Hz"
