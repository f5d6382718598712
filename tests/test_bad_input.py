"""Bad input through the command line: one line that names it, exit code 2, nothing left behind."""

import pickle
import re

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from tonotopy.reports import cli


class Canary:
    """A pickle that would create a file if it ran."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run a command that must be refused; return what it says."""

    def run(*arguments):
        before = sorted(tmp_path.rglob("*"))
        monkeypatch.setattr("sys.argv", ["tonotopy", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        assert left.value.code == 2, captured
        assert re.fullmatch(r"error: [^\n]+\n", captured.err), captured.err
        assert sorted(tmp_path.rglob("*")) == before, "something was left behind"
        return captured.err

    return run


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.zarr"


def test_encoders_and_stages(refused, out):
    assert (
        "encoder 'samplecn': not known (did you mean samplecnn or samplecnn_tiny?); known are samplecnn_tiny"
        in refused("probe", "samplecn", "-o", out)
    )
    message = refused("probe", "samplecnn_tiny", "-o", out, "--stages", "first_layer,conv7")
    assert "stage 'conv7': samplecnn_tiny has no such stage; it has first_layer" in message


@pytest.mark.parametrize("more", [("probe",), ("activations", "--stimuli", "partials:100-200:count=2")])
def test_models_of_melodies(refused, out, more):
    command, *options = more
    line = "encoder 'musicvae_tiny': takes melodies, not waveforms: ask `tonotopy latents musicvae_tiny`"
    assert line in refused(command, "musicvae_tiny", "-o", out, *options)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--high-hz", "11025", "11025"),
        ("--high-hz", "20000", "Nyquist"),
        ("--low-hz", "0", "low_hz 0"),
        ("--low-hz", "-60", "low_hz -60"),
        ("--low-hz", "nan", "low_hz nan"),
        ("--low-hz", "inf", "low_hz inf"),
        ("--low-hz", "12000", "12000"),
        ("--per-octave", "0", "per_octave 0"),
        ("--per-octave", "nan", "per_octave nan"),
    ],
)
def test_frequencies(refused, out, option, value, says):
    assert says in refused("probe", "samplecnn_tiny", "-o", out, option, value)


def test_probes(refused, out, tmp_path):
    message = refused("probe", "samplecnn_tiny", "-o", out, "--probes", "aliasing,folding")
    assert (
        "probe 'folding': not known; there are selectivity, pitch_tuning, chord_tuning, aliasing" in message
    )
    nowhere = tmp_path / "nowhere"
    message = refused("probe", "samplecnn_tiny", "-o", out, "--probes", "aliasing", "--recordings", nowhere)
    assert "setting 'recordings': no requested probe has it" in message
    message = refused(
        "probe", "samplecnn_tiny", "-o", out, "--probes", "representability", "--recordings", nowhere
    )
    assert "nowhere" in message


@pytest.mark.parametrize("spec", ["partials:500-100:count=3", "pitches:midi=", "partials:100-200:count=0"])
def test_empty_grids(refused, tmp_path, spec):
    refused("stimuli", spec, "-o", tmp_path / "sounds")


@pytest.mark.parametrize("name", ["encodec_24khz", "samplecnn_tiny", "samplecnn"])
def test_weights(refused, tmp_path, out, name):
    canary = tmp_path / "canary"
    files = {
        "missing.safetensors": None,
        "truncated.safetensors": b"\x40\x00\x00\x00\x00\x00\x00\x00{",
        "truncated.th": None,
        "malicious.th": pickle.dumps(Canary(canary)),
        "other.safetensors": None,
        "other.th": None,
    }
    for file, content in files.items():
        if content is not None:
            (tmp_path / file).write_bytes(content)
    save_file({"conv.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "other.th")
    whole = (tmp_path / "other.th").read_bytes()
    (tmp_path / "truncated.th").write_bytes(whole[: len(whole) // 2])
    torch.save({"conv.weight": Canary(canary)}, tmp_path / "malicious_zip.th")
    for file in [*files, "malicious_zip.th"]:
        assert file in refused("probe", name, "-o", out, "--weights", tmp_path / file)
    assert not canary.exists(), "the pickle ran"


def test_folders_that_hold_something_else(refused, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    for command in (
        ("probe", "filterbank:stft"),
        ("stimuli", "partials:100-200:count=2"),
        ("activations", "filterbank:stft", "--stimuli", "partials:100-200:count=2"),
    ):
        assert "mine" in refused(*command, "-o", mine)
    assert (mine / "thesis.txt").read_text() == "years"


def test_recordings(refused, tmp_path, out, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 22_050)
    for name in ("corrupt", "silent", "empty", "text", "nan", "no-audio"):
        (tmp_path / name).mkdir()
    soundfile.write(tmp_path / "corrupt" / "a.wav", noise, 22_050)
    whole = (tmp_path / "corrupt" / "a.wav").read_bytes()
    (tmp_path / "corrupt" / "a.wav").write_bytes(b"RIFF" + bytes(60) + whole[64:])
    soundfile.write(tmp_path / "silent" / "a.wav", 0 * noise, 22_050)
    (tmp_path / "empty" / "a.wav").write_bytes(b"")
    (tmp_path / "text" / "a.wav").write_text("this is no sound")
    soundfile.write(tmp_path / "nan" / "a.wav", np.append(noise, np.nan), 22_050, subtype="FLOAT")
    for name in ("corrupt", "silent", "empty", "text", "nan"):
        message = refused("activations", "filterbank:stft", "--stimuli", tmp_path / name, "-o", out)
        assert "a.wav" in message
    assert "no-audio" in refused(
        "activations", "filterbank:stft", "--stimuli", tmp_path / "no-audio", "-o", out
    )
    assert "nowhere" in refused(
        "activations", "filterbank:stft", "--stimuli", tmp_path / "nowhere", "-o", out
    )
