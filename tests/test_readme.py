"""What the README shows, works as it is written."""

import re
import tomllib
from pathlib import Path
from typing import Any

import xarray as xr

import tonotopy

from .encoders.test_onnx_files import network
from .encoders.test_onnx_files import written as write_onnx
from .plugin.installing import install, run_with

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROBE_PAGE = (ROOT / "docs/adding/probe.md").read_text()


def python_blocks():
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_ten_lines_wrap_a_module_and_report_on_it(tmp_path, monkeypatch):
    script, _ = python_blocks()
    assert len(script.strip().splitlines()) <= 11
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(script, "README", "exec"), names)
    assert 0 < names["own"].sel(condition=names["own"].condition[0]).item() <= 1
    tree = xr.open_datatree("mine.zarr")
    assert {"mine", "mine.matched0", "filterbank.stft"} <= set(tree.children)
    page = Path("mine.html").read_text()
    assert "What mine represents" in page
    assert page.count("<figure") >= 2


def test_a_file_of_onnx_in_five_lines(tmp_path, monkeypatch):
    _, script = python_blocks()
    assert sum(bool(line) for line in script.splitlines()) <= 5
    monkeypatch.chdir(tmp_path)
    write_onnx(tmp_path / "codec.onnx", network())
    names: dict[str, Any] = {"tonotopy": tonotopy}
    exec(compile(script, "README", "exec"), names)
    assert {name: stage.hop for name, stage in names["codec"].stages.items()} == {"latent": 8}


def test_files_that_are_named_exist():
    for name in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / name).exists(), name


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
    script = re.findall(r"```python\n(.*?)```", PROBE_PAGE, re.DOTALL)[0]
    assert sum(bool(line.strip()) for line in script.splitlines()) <= 45
    (points,) = (
        tomllib.loads(block)["project"]["entry-points"]
        for block in re.findall(r"```toml\n(.*?)```", PROBE_PAGE, re.DOTALL)
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
