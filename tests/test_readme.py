"""What the README shows, works as it is written."""

import re
import tomllib
from pathlib import Path

import xarray as xr

from .plugin.installing import install, run_with

README = (Path(__file__).parent.parent / "README.md").read_text()


def python_blocks():
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_first_script_gives_labelled_results():
    names = {}
    exec(compile(python_blocks()[0], "README", "exec"), names)
    best = names["tuning"].best_frequency
    assert best.sel(stage="first_layer").attrs["units"] == "Hz"
    assert float(best.sel(stage="stack_end").median()) > 0


def test_the_ledger_is_asked_of_the_same_encoder():
    names = {}
    exec(compile(python_blocks()[0] + python_blocks()[1], "README", "exec"), names)
    first = names["books"].sel(stage="first_layer")
    assert float(first.bank_share.sel(component="fold").mean("frequency")) > 0.999
    assert -0.1 < float(first.collapse) < 0.5


def test_four_questions_and_a_hypothesis_of_ones_own():
    names = {}
    exec(compile("".join(python_blocks()[i] for i in (0, 2, 3)), "README", "exec"), names)
    found = names["presence"](names["codec"])
    assert 0.5 < found.proportion.sel(stage="latent").item() < 1
    tree = xr.DataTree(children={"codec": xr.DataTree(children={"presence": xr.DataTree(found)})})
    assert 0.5 < names["mine"].evidence(tree, "codec", "latent").effect <= 1


def test_twenty_lines_wrap_a_module_and_report_on_it(tmp_path, monkeypatch):
    script = python_blocks()[4]
    assert len(script.strip().splitlines()) <= 22
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "README", "exec"), {"__name__": "readme"})
    tree = xr.open_datatree("mine.zarr")
    assert {"selectivity", "waveform_shape"} <= set(tree["Mine"].children)
    assert {"Mine", "Mine.random0", "filterbank.stft", "control.rectifier"} <= set(tree.children)
    page = Path("mine.html").read_text()
    assert "Mine" in page
    assert page.count("<img") >= 5


def test_latents_of_melodies_are_correlated_with_features():
    names = {}
    exec(compile(python_blocks()[5], "README", "exec"), names)
    assert names["found"].phik.shape == (4, len(names["values"].names))
    assert {"rhythm", "pitch"} & set(names["found"].answers)


def test_a_dictionary_is_a_stage_and_steers():
    names = {}
    exec(compile(python_blocks()[6], "README", "exec"), names)
    assert names["sound"].shape == (2, 48_000)
    assert int((names["features"] != 0).sum(1).max()) == 8
    assert not names["steered"].equal(names["codes"])


PROBING = """
from tonotopy.probes import check, probe
from tonotopy.probes.run.registry import named
from tonotopy.reports import report

(homogeneity,) = named(("homogeneity",))
check(homogeneity, tones=4)
report([probe(["control:decimator"], "run.zarr", probes=["homogeneity"], tones=4)], "page.html")
"""


def test_a_probe_of_ones_own_is_measured_from_its_package(tmp_path):
    """Known are the answers of a stage that is linear, of magnitudes, and of patches that know no level."""
    script = python_blocks()[7]
    assert sum(bool(line.strip()) for line in script.splitlines()) <= 45
    (points,) = (
        tomllib.loads(block)["project"]["entry-points"]
        for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
        if "tonotopy.probes" in block
    )
    site = tmp_path / "site-packages"
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "__init__.py").touch()
    (site / "my_package" / "probes.py").write_text(script)
    install(site, "my_package", points)
    run_with(site, PROBING)
    tree = xr.open_datatree(tmp_path / "run.zarr")
    for control, error in (("decimator", 0.0), ("rectifier", 0.0), ("texture", 0.5)):
        found = tree[f"control.{control}/homogeneity"].to_dataset()
        assert found.error.dims == ("stage", "frequency")
        assert abs(found.error - error).max() < 1e-5
    page = (tmp_path / "page.html").read_text()
    assert "error of homogeneity" in page
    assert "Does twice the sound give twice the answer?" in page


def test_every_command_exists():
    from typer.main import get_command

    from tonotopy.reports.cli import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    shown = {line.split()[1] for line in README.splitlines() if line.strip().startswith("tonotopy ")}
    shown |= set(re.findall(r"`tonotopy (\w+)", README))
    assert shown
    assert shown <= known
