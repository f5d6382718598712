import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tonotopy.encoders.registry import _factories
from tonotopy.reports import cli, results
from tonotopy.reports.commands import listing
from tonotopy.reports.commands.listing import described, tabled
from tonotopy.reports.html import MARK
from tonotopy.synth.errors import InputError


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


def test_bad_input_is_one_line_and_exit_code_2(tonotopy, tmp_path):
    (tmp_path / "somebody").mkdir()
    (tmp_path / "somebody" / "thesis.txt").write_text("years")
    run = tmp_path / "run.zarr"
    cases = {
        "No such command": ["sing"],
        "Missing argument": ["probe"],
        "Missing option": ["probe", "filterbank:stft"],
        "'--baselines'": ["probe", "filterbank:stft", "--out", run, "--baselines", "many"],
        "encoder 'nobody'": ["probe", "nobody", "--out", run],
        "stage 'nowhere'": ["probe", "filterbank:stft", "--out", run, "--stages", "nowhere"],
        "Nyquist": ["probe", "filterbank:stft", "--out", run, "--high-hz", "13000"],
        "nan": ["probe", "filterbank:stft", "--out", run, "--low-hz", "nan"],
        "-5": ["probe", "filterbank:stft", "--out", run, "--low-hz", "-5"],
        "exists": ["probe", "filterbank:stft", "--out", tmp_path / "somebody"],
        "no such file": ["probe", "samplecnn_tiny", "--weights", tmp_path / "no.safetensors", "--out", run],
        "no such folder": ["report", tmp_path / "nowhere.zarr", "--out", tmp_path / "report.html"],
        "is a folder": ["report", tmp_path / "somebody", "--out", tmp_path],
        "somebody": ["stimuli", "partials:100-200:count=2", "--out", tmp_path / "somebody"],
        "drums": ["stimuli", "drums:loud", "--out", tmp_path / "sounds"],
        "'--stimuli'": ["activations", "filterbank:stft", "--out", run],
        "nothing": ["train", "samplecnn", "--corpus", tmp_path / "nothing", "--out", tmp_path / "model"],
    }
    for expected, arguments in cases.items():
        code, out, err = tonotopy(*arguments)
        assert code == 2, (arguments, err)
        assert re.fullmatch(r"error: [^\n]+\n", err), (arguments, err)
        assert expected.lower() in err.lower(), (arguments, err)
        assert "Traceback" not in out + err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["somebody"]


def test_an_error_of_the_system_is_one_line_too(tonotopy, tmp_path, monkeypatch):
    def refuse(*_args, **_more):
        raise PermissionError(13, "Permission denied", str(tmp_path / "sounds"))

    monkeypatch.setattr("tonotopy.synth.export.write_wavs", refuse)
    code, _, err = tonotopy("stimuli", "partials:100-200:count=2", "--out", tmp_path / "sounds")
    assert (code, err) == (2, f"error: {tmp_path / 'sounds'}: Permission denied\n")


def test_an_error_of_ours_keeps_its_traceback(monkeypatch):
    def broken(*_args, **_more):
        raise ZeroDivisionError

    monkeypatch.setattr("tonotopy.synth.export.parse_stimuli", broken)
    monkeypatch.setattr(sys, "argv", ["tonotopy", "stimuli", "x", "--out", "y"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_interrupting_is_one_line_and_130(tonotopy, monkeypatch):
    def interrupted(*_args, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr("tonotopy.synth.export.parse_stimuli", interrupted)
    code, _, err = tonotopy("stimuli", "partials:100-200:count=2", "--out", "unused")
    assert (code, err) == (130, "interrupted\n")


def test_stimuli_are_written(tonotopy, tmp_path):
    code, out, _ = tonotopy(
        "stimuli", "partials:100-200:count=2", "--out", tmp_path / "sounds", "--seconds", "0.1"
    )
    assert code == 0
    assert len(list((tmp_path / "sounds").glob("*.wav"))) == 2
    assert "sounds" in out


def test_probe_then_report(tonotopy, tmp_path):
    run = tmp_path / "run.zarr"
    grid = ["--low-hz", 500, "--high-hz", 1000, "--per-octave", 3, "--no-refine"]
    code, out, _ = tonotopy(
        "probe", "control:decimator", "--out", run, "--no-controls", "--baselines", 0, *grid
    )
    assert code == 0
    assert str(run) in out
    code, out, _ = tonotopy("report", run, "--out", tmp_path / "report.html")
    assert (code, out) == (0, f"{tmp_path / 'report.html'}\n")
    assert "control:decimator" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_activations_are_written(tonotopy, tmp_path):
    out = tmp_path / "act.zarr"
    code, _, _ = tonotopy(
        "activations",
        "filterbank:stft",
        "--stimuli",
        "partials:100-200:count=2",
        "--out",
        out,
        "--seconds",
        0.1,
    )
    assert code == 0
    found = results.open(out)["first_layer"].to_dataset().activation
    assert found.dims == ("stimulus", "channel", "frame")
    assert found.sizes["stimulus"] == 2
    assert float(abs(found).max()) > 0


def test_encoders_lists_them_even_if_one_cannot_be_had(tonotopy, monkeypatch):
    def available():
        return [
            "filterbank:stft",
            "plugin",
            "samplecnn_tiny",
            "musicvae_tiny",
            "of melodies",
            "of no modality",
        ]

    def load(name, **options):
        if name == "plugin":
            raise InputError("encoder 'plugin': its weights have gone")
        if name == "of melodies":  # a plug-in's, of its own making
            weights = SimpleNamespace(source="none")
            return SimpleNamespace(modality="melody", steps=24, latent_dimensions=7, weights=weights)
        if name == "of no modality":
            return SimpleNamespace(name=name)
        return original(name, **options)

    from types import SimpleNamespace

    from tonotopy.encoders import registry

    original = registry.load
    monkeypatch.setattr(registry, "available", available)
    monkeypatch.setattr(registry, "load", load)
    code, out, _ = tonotopy("encoders")
    assert code == 0
    assert "first_layer: 1026 / 320 / 1024" in out
    assert "its weights have gone" in out
    assert "stack_end: 128 / 729" in out
    assert "latent: 128 for 2 bars; ask `tonotopy latents`" in out
    assert "latent: 7 for 1.5 bars; ask `tonotopy latents`" in out
    assert "cannot be loaded: AttributeError" in out


def test_the_demo_runs_once_and_again_only_if_something_changed(tonotopy, tmp_path, monkeypatch, run):
    from importlib.metadata import version
    from types import SimpleNamespace

    from tonotopy.encoders import registry
    from tonotopy.probes.run import runner as running

    probed = []

    def weights_of(suite):
        assert suite.preset == "quick"
        return ", ".join(encoder.weights.sha256 for encoder in suite.encoders)

    def run_suite(suite, out, progress):
        tree = run.copy(deep=True)
        tree.attrs |= {"settings": suite.description, "weights_sha256": weights_of(suite)}
        tree.attrs["versions"] = f'{{"tonotopy": "{version("tonotopy")}"}}'
        tree.to_zarr(out, zarr_format=2)
        probed.append(out)

    monkeypatch.setattr("tonotopy.reports.html.contents", lambda trees, dpi: MARK.decode())
    weights = SimpleNamespace(sha256="a")
    monkeypatch.setattr(running, "run", run_suite)
    monkeypatch.setattr(registry, "load", lambda name, seed: SimpleNamespace(weights=weights))
    for sha256, times in (("a", 1), ("a", 1), ("b", 2)):
        weights.sha256 = sha256
        code, out, err = tonotopy("demo", "--out", tmp_path / "demo")
        assert code == 0, err
        assert len(probed) == times
        assert (tmp_path / "demo" / "report.html").as_uri() in out
    (tmp_path / "other" / "demo.zarr").mkdir(parents=True)
    (tmp_path / "other" / "demo.zarr" / "thesis.txt").write_text("years")
    code, _, _ = tonotopy("demo", "--out", tmp_path / "other")
    assert code == 2
    assert (tmp_path / "other" / "demo.zarr" / "thesis.txt").exists()


HEAVY = "{'torch', 'xarray', 'matplotlib', 'numba', 'scipy', 'librosa', 'zarr', 'pandas'}"


@pytest.mark.parametrize(
    ("command", "code", "shown"),
    [
        ("", 0, "Usage: tonotopy"),
        ("--help", 0, "probe"),
        ("probe --help", 0, "waveform_shape: Does a frame keep together"),
        ("latents --help", 0, "traversals: Does moving a latent"),
        ("sae steer --help", 0, "steering: Does adding a feature's direction"),
        ("encoders", 0, "latent: 64 / 320 / unbounded"),
        ("nosuch", 2, "No such command 'nosuch'"),
        ("probe", 2, "Missing argument"),
        ("probe codec_tinny --out x.zarr", 2, "encoder 'codec_tinny': not known (did you mean codec_tiny"),
        ("probe my_codec.py:make --out x.zarr", 2, "no such file my_codec.py"),
        (
            "probe codec_tiny --out x.zarr --probes tilling",
            2,
            "probe 'tilling': not known (did you mean tiling",
        ),
        ("activations codec_tinny --stimuli partials:100-200:count=2 --out x", 2, "did you mean codec_tiny"),
        ("report nowhere.zarr", 2, "run nowhere.zarr: no such folder"),
        ("compare nowhere.zarr nowhere.zarr", 2, "run nowhere.zarr: no such folder"),
        ("hypotheses nowhere.zarr", 2, "run nowhere.zarr: no such folder"),
    ],
)
def test_help_lists_and_usage_errors_do_not_wait_for_torch(command, code, shown, tmp_path):
    script = (
        f"import sys; sys.argv = ['tonotopy', *{command.split()}]\n"
        "from tonotopy.reports.cli import main\n"
        "try: main()\n"
        f"except SystemExit as left: assert left.code == {code}\n"
        f"heavy = {HEAVY} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert shown in " ".join((done.stdout + done.stderr).split())


SLOW_TO_BUILD = ("codec", "encodec_24khz", "encodec_48khz", "musicvae_2bar", "musicvae_16bar",
                 "musicgen_tiny", "filterbank:stft_mixed")  # fmt: skip


def test_all_of_the_library_is_in_the_table():
    assert list(tabled()) == list(_factories)


@pytest.mark.parametrize("name", [name for name in _factories if name not in SLOW_TO_BUILD])
def test_the_table_of_encoders_says_what_they_are(name):
    assert tabled()[name] == described(name)


@pytest.mark.slow  # half a minute; with musicgen_tiny, `tonotopy[models]`
@pytest.mark.parametrize("name", SLOW_TO_BUILD)
def test_the_table_says_what_large_encoders_are(name):
    assert tabled()[name] == described(name)


def test_where_weights_are_looked_for(monkeypatch, tmp_path):
    for variables in ({}, {"XDG_CACHE_HOME": str(tmp_path)}, {"TORCH_HOME": str(tmp_path / "home")}):
        for name in ("XDG_CACHE_HOME", "TORCH_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert listing._torch_home() / "hub" == Path(torch.hub.get_dir())


def test_version(tonotopy):
    code, out, _ = tonotopy("--version")
    assert code == 0
    assert re.fullmatch(r"tonotopy \d+\.\d+\.\d+\n", out)


def test_every_command_has_an_example_in_its_help(tonotopy):
    for command in ("probe", "report", "stimuli", "activations", "corpus"):
        code, out, _ = tonotopy(command, "--help")
        assert code == 0
        assert f"tonotopy {command}" in out.split("Options")[0].split("Usage", 1)[1].split("\n", 1)[1]
