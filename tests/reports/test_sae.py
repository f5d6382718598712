"""`tonotopy sae`: what its commands run, and how bad input ends."""

from __future__ import annotations

import re
import sys

import pytest

from tonotopy.probes.dictionaries.files import read_dictionary
from tonotopy.probes.dictionaries.learning import Learning
from tonotopy.probes.run import runner
from tonotopy.probes.run.registry import registered
from tonotopy.reports import cli
from tonotopy.reports.runs import encoders_of, read_run

PLANTED = "control:planted_stream"


@pytest.fixture
def tonotopy(monkeypatch, capsys):
    """Run the command line in this process; returns exit code, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tonotopy", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    return run


@pytest.fixture
def suites(monkeypatch):
    """Suites that were to be run; none is."""
    wanted = []
    monkeypatch.setattr(runner, "run", lambda suite, out, progress, name="": wanted.append(suite) or out)
    return wanted


@pytest.mark.parametrize(
    ("command", "probes"), [("label", ("dictionaries", "labels")), ("steer", ("steering",))]
)
def test_help_lists_the_probes_that_are_run(tonotopy, command, probes):
    code, out, _ = tonotopy("sae", command, "--help")
    said = " ".join(out.split())
    assert code == 0
    for probe in registered("waveform"):
        assert (probe.question in said) == (probe.name in probes)


def test_help_shows_the_three_commands(tonotopy):
    code, out, _ = tonotopy("sae", "--help")
    assert code == 0
    assert all(re.search(rf"\b{name}\b", out) for name in ("train", "label", "steer"))


def test_labels_are_a_suite(tonotopy, suites, tmp_path):
    code, out, err = tonotopy(
        "sae", "label", PLANTED, "--out", tmp_path / "run.zarr", "--stages", "layer_0,layer_1", "--k", 3,
        "--features", 64, "--tokens", 9000, "--permutations", 99, "--labelers", "classifier",
        "--baselines", 2, "--no-controls", "--seed", 5,
    )  # fmt: skip
    assert code == 0, err
    (suite,) = suites
    assert [probe.name for probe in suite.probes] == ["dictionaries", "labels"]
    assert suite.encoders == (PLANTED,)
    assert (suite.stages, suite.baselines, suite.controls, suite.seed) == (
        ("layer_0", "layer_1"),
        2,
        False,
        5,
    )
    assert dict(suite.settings) == {
        "features": 64, "k": 3, "tokens": 9000, "permutations": 99, "labelers": "classifier",
    }  # fmt: skip
    assert f"tonotopy report {tmp_path / 'run.zarr'}" in out


def test_what_is_left_out_is_the_probes_own(tonotopy, suites, tmp_path):
    assert tonotopy("sae", "label", PLANTED, "--out", tmp_path / "a")[0] == 0
    assert tonotopy("sae", "steer", PLANTED, "--out", tmp_path / "b")[0] == 0
    labels, steering = suites
    assert (dict(labels.settings), labels.baselines, labels.controls) == ({}, 2, True)
    assert [probe.name for probe in steering.probes] == ["steering"]
    assert (dict(steering.settings), steering.stages, steering.controls) == ({}, None, True)


def test_steering_is_a_suite(tonotopy, suites, tmp_path):
    code, _, err = tonotopy(
        "sae", "steer", PLANTED, "--out", tmp_path / "run.zarr", "--dictionary", "one,other",
        "--directions", 99, "--most", 4, "--frames", 60, "--sounds", 6,
    )  # fmt: skip
    assert code == 0, err
    assert dict(suites[0].settings) == {
        "dictionary": "one,other", "directions": 99, "most": 4, "frames": 60, "seeds": 6,
    }  # fmt: skip


def test_a_dictionary_is_trained(tonotopy, tmp_path):
    arguments = ("--stages", "layer_1", "--features", 32, "--k", 3, "--tokens", 4096, "--seed", 1)
    code, out, err = tonotopy("sae", "train", PLANTED, "--out", tmp_path / "own", *arguments)
    assert code == 0, err
    path = tmp_path / "own" / "layer_1" / "dictionary.safetensors"
    assert out.splitlines()[-1] == str(path)
    found = read_dictionary(path)
    assert (found.features, found.k, found.origin.stage) == (32, 3, "layer_1")


def test_what_is_trained_by_default_is_what_is_labelled_by_default(tonotopy, monkeypatch, tmp_path):
    trained = []
    monkeypatch.setattr(
        "tonotopy.probes.dictionaries.capturing.train_dictionaries",
        lambda encoder, out, learning, stages, seed, resume, progress: (
            trained.append((learning, stages, seed, resume)) or {}
        ),
    )
    assert tonotopy("sae", "train", PLANTED, "--out", tmp_path / "own")[0] == 0
    assert tonotopy("sae", "train", PLANTED, "--out", tmp_path / "own", "--no-resume")[0] == 0
    assert trained == [(Learning(), None, 0, True), (Learning(), None, 0, False)]


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        ("Missing argument", ("train", "--out", "x")),
        ("encoder 'nobody'", ("train", "nobody", "--out", "x")),
        ("stage 'nowhere'", ("train", PLANTED, "--out", "x", "--stages", "nowhere")),
        ("tokens 5", ("train", PLANTED, "--out", "x", "--tokens", "5")),
        ("'--k'", ("label", PLANTED, "--out", "x", "--k", "0")),
        ("no labelled clips", ("label", "samplecnn_tiny", "--out", "x", "--no-controls")),
        ("generates nothing", ("steer", "samplecnn_tiny", "--out", "x", "--no-controls")),
        ("--directions", ("steer", PLANTED, "--out", "x", "--directions", "0")),
    ],
)
def test_bad_input_is_one_line(tonotopy, tmp_path, monkeypatch, expected, arguments):
    monkeypatch.chdir(tmp_path)
    code, out, err = tonotopy("sae", *arguments)
    assert code == 2, (out, err)
    assert re.fullmatch(r"error: [^\n]{,500}\n", err.splitlines(keepends=True)[-1])
    assert expected in err
    assert "Traceback" not in out + err


def test_labels_of_the_control_are_a_run(tonotopy, tmp_path):
    run = tmp_path / "run.zarr"
    code, _, err = tonotopy(
        "sae", "label", PLANTED, "--out", run, "--stages", "layer_1", "--tokens", 4096, "--permutations", 99,
        "--baselines", 0, "--no-controls",
    )  # fmt: skip
    assert code == 0, err
    (encoder,) = encoders_of(read_run(run))
    assert {"dictionaries", "labels"} <= set(encoder.tree.children)
