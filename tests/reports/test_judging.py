import re
import sys
import warnings

import numpy as np
import pytest
import xarray as xr

from tonotopy.probes.engine.store import ZARR_FORMAT
from tonotopy.probes.hypotheses.concepts import SINGH
from tonotopy.probes.hypotheses.registry import HYPOTHESES
from tonotopy.probes.run.compare import compare
from tonotopy.probes.run.schema import validate
from tonotopy.reports import cli
from tonotopy.reports.chapters import panels as panels_of_chapters
from tonotopy.reports.figures.hypotheses.differences import differences
from tonotopy.reports.runs import encoders_of
from tonotopy.reports.verdicts import judged, verdict_rows

from .illustrated import assert_illustrated, row_of

MEASURED = [one for one in HYPOTHESES if one.family != SINGH]  # of the others nothing was measured


@pytest.fixture
def tonotopy(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tonotopy", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def stored(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run.zarr"
    kept = {"toy": "tiling", "toy.random0": "tiling", "control.decimator": "aliasing"}
    small = {
        node: xr.DataTree(run[node].to_dataset(), children={group: run[node][group].copy()})
        for node, group in kept.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about strings of a fixed length
        xr.DataTree(run.to_dataset(), children=small).to_zarr(path)
    return path


@pytest.fixture(autouse=True)
def _strings_of_fixed_length():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Zarr V3 specification.*")
        yield


def test_hypotheses_are_listed(tonotopy):
    code, out, _ = tonotopy("hypotheses")
    assert code == 0
    for hypothesis in HYPOTHESES:
        assert hypothesis.name in out


def test_a_run_is_judged(tonotopy, stored):
    code, out, _ = tonotopy("hypotheses", stored)
    assert code == 0
    assert "toy" in out
    assert re.search(r"Of \d+ claims", out)
    code, _, err = tonotopy("hypotheses", stored.with_name("none.zarr"))
    assert code == 2
    assert "no such folder" in err


def test_verdicts_are_part_of_a_run_and_come_back_from_disk(run, tmp_path):
    whole = judged(run, HYPOTHESES)
    validate(whole)
    assert "hypotheses" not in run["toy"].children  # the run itself is left alone
    found = whole["toy/hypotheses"].to_dataset()
    found.to_zarr(str(tmp_path / "verdicts"), zarr_format=ZARR_FORMAT, consolidated=False)
    again = xr.open_zarr(str(tmp_path / "verdicts"), zarr_format=ZARR_FORMAT, consolidated=False).load()
    assert (again["claim"].values.astype(str) == found["claim"].values).all()
    assert np.array_equal(again["p"], found["p"], equal_nan=True)
    (toy,) = encoders_of(whole)
    there = [h.name for h in MEASURED if h.group in run["toy"].children]
    assert [row.name.replace(" ", "_") for row in verdict_rows(toy)] == there  # of what was measured


@pytest.mark.parametrize("name", ["differences.csv", "differences.zarr", "differences.png"])
def test_compare_prints_and_keeps(tonotopy, stored, tmp_path, name):
    out = tmp_path / name
    command = ["compare", stored, stored, "--first-subject", "toy.random0", "--out", out]
    code, printed, _ = tonotopy(*command)
    assert code == 0
    assert "measures have a 95 % interval without 0" in printed
    assert out.exists()
    code, _, err = tonotopy(*command)
    assert code == 2
    assert "exists already" in err


def test_compare_refuses_in_one_line(tonotopy, stored):
    code, _, err = tonotopy("compare", stored, stored, "--second-subject", "control.decimator")
    assert code == 2
    assert "no measure in common" in err
    assert err.count("\n") == 1


def test_differences_are_drawn_where_they_are(run):
    compared = compare(run, run, "toy.random0", "toy")
    titles = panels_of_chapters()
    drawn = differences(compared, titles)
    panels = {axes.get_title(loc="left"): axes for axes in drawn.figure.axes if axes.axison}
    assert panels
    assert panels.keys() <= set(titles.values())
    where = ("aliasing", "bank_share", "fold")
    columns = (compared[n].values.astype(str) for n in ("probe", "variable", "at"))
    rows = [i for i, key in enumerate(zip(*columns, strict=True)) if key == where]
    lines = [line for line in panels[titles[where]].lines if line.get_marker() == "o"]
    points = np.sort(np.concatenate([np.ravel(line.get_xdata()) for line in lines]))
    assert points == pytest.approx(np.sort(compared["difference"].values[rows]))
    assert_illustrated(drawn)
    summed = row_of(drawn.data, measure="all measures")
    assert summed["without 0"] == int(compared["flagged"].sum())
    assert summed["measures"] == compared.sizes["measure"]
    labels = {
        line.get_label() for axes in drawn.figure.axes for line in axes.lines if np.size(line.get_xdata())
    }
    assert {text.get_text() for text in drawn.figure.legends[0].get_texts()} <= labels
