"""What the site shows works as it is written: its Python runs, its commands and options exist."""

import importlib
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

import tonotopy

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)
NOTEBOOKS = sorted(DOCS.glob("notebooks/*.ipynb"))
BLOCK = re.compile(r"(<!-- not run: .+? -->\n)?```python\n(.*?)```", re.DOTALL)
FACES = ("synth", "encoders", "probes", "probes.latents", "probes.features", "reports", "plot")


def blocks(page):
    """Python of a page, in order: (whether it is run, code)."""
    return [(not left, code) for left, code in BLOCK.findall(page.read_text())]


def cells(notebook, kind):
    """Source of a notebook's cells of a kind."""
    return ["".join(c["source"]) for c in json.loads(notebook.read_text())["cells"] if c["cell_type"] == kind]


def named(page):
    return str(page.relative_to(DOCS))


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=named)
def test_python_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for run, code in blocks(page):
        compiled = compile(code, named(page), "exec")
        if run:
            exec(compiled, names)


def commands():
    """Every command of the site, in blocks, lines and notebooks: (where, words)."""
    texts = [(named(p), p.read_text()) for p in PAGES]
    texts += [(named(n), "\n".join(cells(n, "markdown"))) for n in NOTEBOOKS]
    for where, text in texts:
        for block, line in re.findall(r"^\$ (tonotopy .+)$|`(tonotopy [^`]+)`", text, re.MULTILINE):
            yield where, shlex.split(block or line, comments=True)[1:]


def test_every_command_and_option_exists():
    from typer.main import get_command

    from tonotopy.reports.cli import app

    tried = 0
    for where, words in commands():
        command = get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
        assert not hasattr(command, "commands"), f"{where}: no command {words[:1]}"
        options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        unknown = [word for word in words if word.startswith("--") and word not in options]
        assert not unknown, f"{where}: {unknown}"
        tried += 1
    assert tried > 20


def test_reference_lists_every_public_name():
    listed = " ".join(p.read_text() for p in (DOCS / "reference").glob("*.md")).split()
    for face in FACES:
        named_there = tonotopy.plot if face == "plot" else importlib.import_module(f"tonotopy.{face}")
        missing = set(named_there.__all__) - set(listed)
        assert not missing, f"{face}: {sorted(missing)}"


def test_gallery_draws_every_figure():
    page = (DOCS / "gallery.md").read_text()
    assert not [name for name in tonotopy.plot.__all__ if f"plot.{name}(" not in page]


def test_presets_page_says_what_quick_makes_smaller():
    from tonotopy.probes.composition.draws import GROUPS
    from tonotopy.probes.run.presets import PRESETS

    page, quick = (DOCS / "presets.md").read_text(), PRESETS["quick"].settings
    described = {"conditions", "groups", "level_dbfs", "per_octave", "phases", "raised", "refine"}
    assert set(quick) == described  # a row each
    assert f"| groups | {GROUPS} | {quick['groups']} |" in page
    assert f"| {quick['per_octave']:.0f} an octave |" in page


def test_every_encoder_that_can_be_loaded_is_described():
    from tonotopy.encoders import available

    page = (DOCS / "encoders" / "index.md").read_text()
    assert not [name for name in available() if f"`{name}`" not in page]


def test_reference_lists_the_variables_of_every_probe():
    from tonotopy.probes.run.registry import registered

    page = (DOCS / "reference" / "variables.md").read_text()
    for probe in registered():
        assert f"```{{variables}} {probe.name}\n" in page, probe.name


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=named)
def test_a_notebook_holds_no_outputs(notebook):
    """They are made when the site is built, see `make docs`."""
    assert cells(notebook, "code")
    for cell in json.loads(notebook.read_text())["cells"]:
        assert not cell.get("outputs"), cell["source"]
        assert cell.get("execution_count") is None


def test_citation_is_of_this_version():
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {version}" in lines
    assert "cff-version: 1.2.0" in lines
    assert "license: MIT" in lines
