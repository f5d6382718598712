"""Rules that hold for the whole tree: import direction, docstring examples, what the wheel holds."""

import ast
import doctest
import importlib
import pkgutil
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("synth", "encoders", "probes", "reports")


def modules(room):
    package = importlib.import_module(f"tonotopy.{room}")
    yield package.__name__
    for info in pkgutil.walk_packages(package.__path__, prefix=f"{package.__name__}."):
        yield info.name


def rooms_imported(path):
    """Rooms that a file imports from, other than its own."""
    own = path.relative_to(ROOT).parts[0]
    depth = len(path.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level == depth:
                yield module.split(".")[0]
            elif module.startswith("tonotopy."):
                yield module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("tonotopy."))
    assert own in ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_one_way(room):
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for path in (ROOT / room).rglob("*.py"):
        for imported in rooms_imported(path):
            assert imported in allowed, f"{path.relative_to(ROOT)} imports from {imported}"


@pytest.mark.parametrize("room", ROOMS)
def test_docstring_examples(room, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    attempted = 0
    for name in modules(room):
        results = doctest.testmod(importlib.import_module(name), verbose=False)
        assert results.failed == 0, name
        attempted += results.attempted
    assert attempted >= 3, f"no examples found in {room}: the walk is broken"


def test_the_synth_room_is_light():
    heavy = ("torch", "numba", "librosa", "pandas", "scipy.signal")
    code = f"import sys, tonotopy.synth; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_wheel_holds_the_whole_tree(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in (*ROOMS, "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = source.glob("*.whl")
    packed = {n for n in zipfile.ZipFile(wheel).namelist() if n.startswith("tonotopy/")}
    kept = {".py", ".typed", ".safetensors", ".npz", ".md", ".mplstyle", ".html", ".css"}
    expected = {
        f"tonotopy/{path.relative_to(ROOT)}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and (path.suffix in kept or path.name == "py.typed")
    }
    assert packed == expected
