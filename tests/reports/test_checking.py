"""`tonotopy check` as it is typed: what it prints, writes and ends with."""

import re
import sys

import pytest

from tonotopy.reports import cli

MINE = """
import torch
from torch import nn
from tonotopy.encoders import wrap


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(1, 4, 16, stride=8), nn.ELU(), nn.Conv1d(4, 8, 3, stride=2))


def make():
    return wrap(network(), 8000, {"first_layer": "0", "latent": "2"}, "mine")


def inverted():
    return wrap(network(), 8000, {"first_layer": "0", "latent": "2"}, "port", prepare=lambda w: -w[:, None])


def renamed():
    return wrap(network(), 8000, {"output": "2"}, "renamed")


def slower():
    return wrap(network(), 4000, {"latent": "2"}, "slower")
"""


@pytest.fixture
def check(monkeypatch, capsys, tmp_path):
    """Run the command in this process, in a folder of its own; returns exit code, stdout, stderr."""
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["tonotopy", "check", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    return run


def test_a_port_that_differs_ends_with_1_and_says_why(check, tmp_path):
    code, out, _ = check("mine.py:make", "mine.py:inverted", "--out", "no.html")
    assert code == 1
    assert "port does not do what mine does: they first differ at first_layer" in out
    assert "with the polarity inverted" in out
    page = (tmp_path / "no.html").read_text()
    assert "Does port do what mine does?" in page
    assert "polarity inverted" in re.sub(r"\s+", " ", page)


def test_the_same_at_another_batch_ends_with_0(check, tmp_path):
    code, out, _ = check("mine.py", "--batch", "4", "--out", "yes.html")
    assert (code, (tmp_path / "yes.html").is_file()) == (0, True)
    assert "does what mine" in out


def test_stages_of_other_names(check):
    code, out, _ = check("mine.py", "mine.py:renamed", "--stages", "latent=output", "--out", "s.html")
    assert code == 0
    assert "latent (output)" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mine.py",), "needs B, or one of --second-weights, --precision, --device, --batch"),
        (("mine.py", "--precision", "int3"), "precision 'int3': must be float16, bfloat16"),
        (("mine.py", "--device", "moon"), "device 'moon': cannot be used"),
        (("mine.py", "mine.py:slower"), "mine takes 8000 Hz, slower 4000 Hz"),
        (("mine.py", "mine.py:renamed"), "no stage to compare"),
        (("mine.py", "mine.py:renamed", "--stages", "latent=outptu"), "did you mean output"),
        (("mine.py", "mine.py:inverted", "--tolerance", "3"), "tolerance 3 dB: must lie below 0"),
        (("mine.py", "gone.onnx"), "no such file"),
        (("codec_tinny", "mine.py"), "did you mean codec_tiny"),
        (("mine.py", "mine.py:inverted", "--out", "."), "is a folder"),
        (("mine.py", "musicvae_tiny"), "takes melodies"),
    ],
)
def test_bad_input_is_one_line_and_2(check, words, message):
    code, _, error = check(*words)
    assert code == 2
    assert message in error
    assert len(error.strip().splitlines()) == 1
