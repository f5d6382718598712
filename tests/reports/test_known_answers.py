"""The matrix of known truths on the command line, as a document, and admission of claims by it."""

import dataclasses

import pytest

from tonotopy.probes.engine.known import Known
from tonotopy.probes.hypotheses.registry import registered
from tonotopy.probes.run.truths import Truth
from tonotopy.reports import report
from tonotopy.reports.known_answers import MADE_BY, by_encoder, cells_of, summed_up, write_markdown
from tonotopy.synth.errors import InputError

from .test_cli import tonotopy  # noqa: F401

SETTINGS = ("controls", "--probes", "invertibility,aliasing", "--encoders", "control:decimator")


def truth(value, encoder="control:decimator", what="a | b"):
    return Truth(encoder, "aliasing", Known(encoder, what, 0, 1, "0 to 1", lambda result, rate: value), value)


def test_a_truth_is_written_with_whether_it_holds():
    assert cells_of(truth(0.5)) == ("aliasing", "a | b", "0 to 1", "0.5", "yes")
    assert cells_of(truth(1.5))[3:] == ("1.5", "✗ no")
    assert cells_of(truth(float("nan")))[3:] == ("–", "✗ no")
    assert summed_up([truth(0.5), truth(2.0)]) == "1 of 2 known answers hold"
    assert list(by_encoder([truth(0), truth(0, "b"), truth(1)])) == ["control:decimator", "b"]


def test_a_document_is_replaced_and_nothing_else(tmp_path):
    page = write_markdown([truth(0.5)], tmp_path / "docs" / "known_truths.md", "tonotopy controls")
    text = page.read_text(encoding="utf-8")
    assert text.startswith(MADE_BY)
    assert "`tonotopy controls`: 1 of 1 known answers hold" in text
    assert "| aliasing | a \\| b | 0 to 1 | 0.5 | yes |" in text
    write_markdown([truth(0.5)], page, "again")
    (tmp_path / "thesis.md").write_text("years")
    with pytest.raises(InputError, match=r"thesis\.md: exists and was not written by"):
        write_markdown([truth(0.5)], tmp_path / "thesis.md", "")


def test_controls_are_measured_printed_and_kept(tonotopy, tmp_path):  # noqa: F811
    out, page = tmp_path / "truths.zarr", tmp_path / "known.md"
    code, printed, _ = tonotopy(*SETTINGS, "--out", out, "--markdown", page)
    assert code == 0
    assert "smallest singular value" in printed
    assert "known answers hold" in printed
    assert "## control:decimator" in page.read_text(encoding="utf-8")
    code, printed, _ = tonotopy("hypotheses", out)
    assert code == 0
    assert "Admission" in printed
    assert "alias_collapse" in printed
    with pytest.raises(InputError, match="only controls"):
        report([out], tmp_path / "page.html")


def test_what_is_out_of_its_range_makes_the_exit_code_1(tonotopy, monkeypatch):  # noqa: F811
    monkeypatch.setattr("tonotopy.probes.run.truths.measure_truths", lambda *_, **__: [truth(2.0)])
    code, printed, _ = tonotopy(*SETTINGS)
    assert code == 1
    assert "✗ no" in printed


def test_a_document_of_somebody_else_is_refused_before_anything_is_measured(tonotopy, tmp_path):  # noqa: F811
    (tmp_path / "thesis.md").write_text("years")
    code, _, err = tonotopy(*SETTINGS, "--markdown", tmp_path / "thesis.md")
    assert code == 2
    assert "thesis.md" in err


def test_admission_says_what_was_not_tried(tonotopy, tmp_path, monkeypatch):  # noqa: F811
    (one,) = (h for h in registered() if h.name == "alias_collapse")
    wrong = dataclasses.replace(one, positive=("filterbank:stft",), negative=("control:decimator",))
    monkeypatch.setattr("tonotopy.probes.hypotheses.registry.registered", lambda: (wrong,))
    out = tmp_path / "truths.zarr"
    tonotopy("controls", "--probes", "aliasing", "--encoders", "control:decimator", "--out", out)
    _, printed, _ = tonotopy("hypotheses", out)
    words = " ".join(printed.replace("│", " ").split())
    assert "must be refuted" in words
    assert "not in this run" in words
    assert "no; control.decimator must" in words
