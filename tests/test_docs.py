"""What the site shows works as it is written: its Python is run, its commands are held against the command line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)
BLOCK = re.compile(r"(<!-- not run: .+? -->\n)?```python\n(.*?)```", re.DOTALL)


def blocks(page):
    """Python of a page, in order: (whether it is run, code)."""
    return [(not left, code) for left, code in BLOCK.findall(page.read_text())]


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
