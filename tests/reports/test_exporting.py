"""Export: tables that say what every column is, verdicts, figures."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tonotopy.probes import HYPOTHESES
from tonotopy.reports import exporting
from tonotopy.reports.exporting import export
from tonotopy.reports.verdicts import judged
from tonotopy.synth import InputError


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return export(judged(run, HYPOTHESES), tmp_path_factory.mktemp("out") / "exported", svg=False)


def table(folder, name) -> Any:  # what pandas selects has many types
    return pd.read_csv(folder / "tables" / f"{name}.csv", keep_default_na=False, na_values=[""])


def test_a_table_holds_every_observation_of_every_subject(exported, run):
    widths = table(exported, "selectivity.by_stage_channel")
    assert set(widths["subject"]) == {"toy", "toy.random0", "toy.random1", "control.decimator"}  # not codes
    own = widths[(widths["subject"] == "toy") & (widths["stage"] == "stack_end")].set_index("channel")
    stored = run["toy/selectivity"].to_dataset().sel(stage="stack_end")["quality"].to_series()
    np.testing.assert_allclose(own["quality"], stored[own.index], rtol=1e-6)
    assert (widths[widths["role"] == "baseline"]["of"] == "toy").all()


def test_padding_is_no_observation(exported, run):
    tuning = run["toy/selectivity"].to_dataset()
    curves = table(exported, "selectivity.by_stage_channel_frequency")
    first = curves[(curves["subject"] == "toy") & (curves["stage"] == "first_layer")]
    assert first["channel"].nunique() == int(tuning["n_channels"].sel(stage="first_layer"))
    assert len(first) == first["channel"].nunique() * tuning.sizes["frequency"]


def test_codes_lie_along_codebooks(exported):
    changed = table(exported, "selectivity.by_stage_codebook_frequency")
    assert set(changed[changed["subject"] == "toy"]["codebook"]) == {1, 2, 3}


def test_every_column_is_explained_with_its_unit(exported):
    known = pd.read_csv(exported / "columns.csv").set_index(["table", "column"])
    for file in (exported / "tables").glob("*.csv"):
        for column in pd.read_csv(file, nrows=1).columns[5:]:
            assert known.loc[(file.stem, column), "meaning"]
    assert known.loc[("selectivity.by_stage_channel", "best_frequency"), "unit"] == "Hz"


def test_verdicts_are_those_of_the_run(exported, run):
    found = judged(run, HYPOTHESES)["toy/hypotheses"].to_dataset()
    rows = pd.read_csv(exported / "verdicts.csv").query("subject == 'toy'").set_index("hypothesis")
    names, given = found["hypothesis"].values, found["verdict"].values
    assert rows["verdict"].to_dict() == dict(zip(names, given, strict=True))
    said = {row["hypothesis"]: row for row in json.loads((exported / "verdicts.json").read_text())["toy"]}
    assert {name: row["verdict"] for name, row in said.items()} == rows["verdict"].to_dict()
    effects = np.array([np.nan if r["effect"] is None else r["effect"] for r in said.values()])
    np.testing.assert_allclose(effects, found["effect"].values)
    about = json.loads((exported / "run.json").read_text())
    assert about["run"]["schema_version"] == run.attrs["schema_version"]


def test_figures_are_svg_whose_text_is_text(run, tmp_path, monkeypatch):
    shown = list(exporting.drawn(run))
    monkeypatch.setattr(exporting, "drawn", lambda tree: iter(shown[:2]))
    folder = export(run, tmp_path / "figures", csv=False, json=False) / "figures"
    assert sorted(file.stem for file in folder.glob("*.svg")) == sorted(name for name, _ in shown[:2])
    assert len({name for name, _ in shown}) == len(shown)
    assert all("<text" in file.read_text() for file in folder.glob("*.svg"))


def test_nothing_is_overwritten_and_nothing_half_done_remains(run, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="exists already"):
        export(run, tmp_path / "mine")
    with pytest.raises(InputError, match="nothing requested"):
        export(run, tmp_path / "out", csv=False, svg=False, json=False)
    monkeypatch.setattr(exporting, "_figures", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(run, tmp_path / "out", csv=False, json=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_is_too_large_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "MOST_ROWS", 100)
    folder = export(run, tmp_path / "out", svg=False, json=False)
    assert "left out: selectivity.by_stage_channel_frequency: " in (folder / "README.txt").read_text()
    assert not (folder / "tables" / "selectivity.by_stage_channel_frequency.csv").exists()
