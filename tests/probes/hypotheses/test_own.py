"""Hypotheses of one's own: five fields, in Python and from a file, judged beside the others."""

import numpy as np
import pytest
import xarray as xr

from tonotopy.probes import Control, Hypothesis, PerUnit, evaluate, measured
from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.hypotheses.from_file import hypotheses_in
from tonotopy.probes.run.registry import schema
from tonotopy.synth import InputError


def areas(run, node, stage):
    return PerUnit(measured(run, node, "readout", "auc", stage, density=8), bounds=(0, 1))


def a_run(auc=1.0):
    found = {
        "stage": np.array(["latent"]), "density": np.array([8]), "component": np.geomspace(120, 6000, 16),
        "auc": np.full((1, 1, 16), auc),
    }  # fmt: skip
    about = {"encoder": "mine", "role": "encoder", "of": "", "modality": "waveform", "sample_rate": 24_000}
    run = xr.DataTree.from_dict({"/mine/readout": dataset(schema()["readout"], found)})
    run["mine"].attrs.update(about)
    return run


FIVE = {"statement": "AUC of partials in 8", "evidence": areas, "holds": "above", "threshold": 0.75}


def test_five_fields_are_a_claim_that_is_judged():
    verdicts = evaluate(a_run(), [Hypothesis("readable", **FIVE)])["mine"].sel(hypothesis="readable")
    assert verdicts["verdict"] == "supported"
    assert verdicts["controls"] == "no control"
    assert verdicts["agrees"] == "–"  # there is no source to agree with
    assert verdicts["judged_at"] == "latent"
    assert (verdicts["family"], verdicts["family_size"]) == ("readable", 1)


def test_it_is_refuted_where_the_numbers_are_on_the_other_side():
    verdicts = evaluate(a_run(0.5), [Hypothesis("readable", **FIVE)])["mine"]
    assert verdicts["verdict"].values.tolist() == ["refuted"]


def test_a_control_that_was_not_measured_still_takes_the_verdict():
    careful = Hypothesis("readable", **FIVE, controls=[Control("control:decimator", high=0.6)])
    (remark,) = evaluate(a_run(), [careful])["mine"]["remark"].values
    assert remark == "control control:decimator was not measured"


def test_a_control_of_a_claim_without_a_group_is_taken_at_its_deepest_stage():
    run = a_run()
    run["known"] = a_run(0.5)["mine"].copy()
    run["known"].attrs |= {"encoder": "control:decimator", "role": "control"}
    careful = Hypothesis("readable", **FIVE, controls=[Control("control:decimator", high=0.6)])
    verdicts = evaluate(run, [careful])["mine"]
    assert verdicts["verdict"].values.tolist() == ["supported"]
    assert verdicts["controls"].values.tolist() == ["control:decimator 0.5 (must be <= 0.6)"]


def test_claims_about_melodies_have_no_stage():
    assert Hypothesis("tuneful", **FIVE, modality="melody").stage == ""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"holds": "over"}, "holds 'over'; it is above or below or within"),
        ({"evidence": 3}, "evidence 3 is no function"),
        ({"source_expects": "maybe"}, "source_expects 'maybe'; it is supported or refuted or left out"),
    ],
)
def test_wrong_fields_are_named(wrong, message):
    with pytest.raises(InputError, match=message):
        Hypothesis("mine", **{**FIVE, **wrong})


FILE = """
from beside import LEAST
from tonotopy.probes import Hypothesis, PerUnit, measured

def areas(run, node, stage):
    return PerUnit(measured(run, node, "readout", "auc", stage, density=8), bounds=(0, 1))

one = Hypothesis("one", statement="AUC", evidence=areas, holds="above", threshold=LEAST)
more = [one, Hypothesis("two", statement="AUC", evidence=areas, holds="below", threshold=LEAST)]
"""


def test_all_hypotheses_of_a_file_are_found_once(tmp_path):
    (tmp_path / "beside.py").write_text("LEAST = 0.75")
    (tmp_path / "mine.py").write_text(FILE)
    found = hypotheses_in(tmp_path / "mine.py")
    assert [one.name for one in found] == ["one", "two"]
    assert evaluate(a_run(), found)["mine"]["verdict"].values.tolist() == ["supported", "refuted"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"mine\.py: no such file"),
        ("x = 1\ny = 1 / 0\n", r"mine\.py, line 2: ZeroDivisionError: division by zero"),
        ("def (:\n", r"mine\.py, line 1: SyntaxError"),
        ("x = 1\n", r"mine\.py: holds no Hypothesis"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path, text, message):
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        hypotheses_in(tmp_path / "mine.py")
    assert "\n" not in str(refused.value)
