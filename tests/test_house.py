"""Rules that hold for the whole tree: import direction, docstring examples, what the wheel holds."""

import ast
import doctest
import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("synth", "encoders", "probes", "reports")


def modules(room):
    face = importlib.import_module(f"tonotopy.{room}")
    yield face.__name__
    for info in pkgutil.walk_packages(face.__path__, prefix=f"{face.__name__}."):
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


def test_the_example_of_the_face():
    results = doctest.testmod(importlib.import_module("tonotopy"))
    assert (results.failed, results.attempted) == (0, 5)


COMPILER = ("torch._dynamo", "torch._inductor")
HEAVY = ("torch", "numba", "librosa", "pandas", "matplotlib", "scipy.signal")
FACES = ("", *ROOMS, "probes.latents", "probes.features")  # the first is `tonotopy` itself


def package(face):
    return f"tonotopy.{face}".rstrip(".")


def loaded_by(statement, modules):
    """Which of some modules a fresh interpreter holds after a statement."""
    code = f"import sys\n{statement}\nprint([m for m in {modules} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("face", FACES)
def test_a_face_loads_nothing_by_itself(face):
    assert loaded_by(f"import {package(face)}", (*HEAVY, *COMPILER)) == []


def test_the_library_is_there_at_once():
    """Under 0.2 s of processor time, of the quickest of three: others may be at work."""
    script = "import time, tonotopy; print(time.process_time())"
    took = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True) for _ in range(3)]
    assert min(float(done.stdout) for done in took) < 0.2


def test_the_face_names_what_the_rooms_hold():
    import tonotopy
    from tonotopy import encoders, probes, reports
    from tonotopy.reports import results

    assert tonotopy.load is encoders.load
    assert tonotopy.Session is probes.Session
    assert tonotopy.report is reports.report
    assert tonotopy.open is results.open
    assert tonotopy.plot.__name__ == "tonotopy.reports.plot"
    assert tonotopy.__version__ == version("tonotopy")
    assert {"load", "wrap", "probe", "report", "compare", "open", "export"} <= set(dir(tonotopy))


@pytest.mark.parametrize(
    ("face", "heavy"),
    [
        ("synth", HEAVY),
        ("encoders", (*COMPILER, "matplotlib", "numba", "librosa")),
        ("probes", (*COMPILER, "matplotlib", "librosa")),
        ("probes.latents", (*COMPILER, "matplotlib", "librosa")),
        ("probes.features", HEAVY),
    ],
)
def test_a_face_is_light_with_all_its_names(face, heavy):
    assert loaded_by(f"from tonotopy.{face} import *", heavy) == []


@pytest.mark.parametrize("face", FACES)
def test_a_stub_exports_what_it_imports_and_hides_no_room(face):
    stub = ROOT / (face.replace(".", "/") or "face") / "__init__.pyi"
    tree = ast.parse(stub.read_text())
    imported = [a.name for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names]
    (listed,) = (ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign))
    assert sorted(imported) == sorted(listed)
    assert not [name for name in listed if (stub.parent / name).is_dir()]


@pytest.mark.parametrize("face", [face for face in FACES if face not in ("", "reports")])
def test_a_name_that_is_also_a_module_stays_what_it_names(face):
    script = f"""
import importlib, pkgutil, types
import tonotopy.{face} as room
for module in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
    importlib.import_module(module.name)
print([name for name in room.__all__ if isinstance(getattr(room, name), types.ModuleType)])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


# Packages whose name is not that of the module they hold.
PACKAGES = {"PIL": "pillow", "sklearn": "scikit-learn"}
# Declared without being imported.
NOT_IMPORTED = {
    "setuptools": "builds the wheel of a test",
    "pytest-xdist": "runs tests two at a time",
    "ruff": "a tool",
    "pyright": "a tool",
}
EXTRAS = ("models", "symbolic", "tensorflow")
REFERENCES = {"phik"}  # what the library itself is held to, by its tests


def imported_packages(*folders):
    """Packages that files import, by the names they are installed under."""
    known = {*sys.stdlib_module_names, "tonotopy", "tests"}
    found = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.split(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.importorskip":
                found.add(ast.literal_eval(node.args[0]).split(".")[0])
    return {PACKAGES.get(name, name) for name in found - known}


def declared_packages(*groups):
    """Packages that pyproject.toml declares, in itself ("") and in extras; without versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [line for g in groups for line in (extras[g] if g else project["dependencies"])]
    names = {re.split(r"[\[<>=!~; ]", line)[0] for line in lines}
    return names - {"tonotopy"}


def test_what_is_imported_is_declared():
    assert imported_packages(*ROOMS) <= declared_packages("", *EXTRAS)
    assert imported_packages("tests") <= declared_packages("", *EXTRAS, "test")


def test_what_is_declared_is_used():
    library, every = imported_packages(*ROOMS), imported_packages(*ROOMS, "tests")
    assert declared_packages("", *EXTRAS, "test", "dev") - NOT_IMPORTED.keys() <= every
    assert declared_packages("", *EXTRAS) - NOT_IMPORTED.keys() - REFERENCES <= library
    assert not NOT_IMPORTED.keys() & every


def test_constraints_pin_what_is_declared():
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().split()}
    needed = declared_packages("", "models", "symbolic", "test", "dev", "docs") - {
        "setuptools"
    }  # `pip freeze` leaves it out
    assert {name.replace("_", "-") for name in needed} <= pinned


def test_the_wheel_holds_the_whole_tree(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in (*ROOMS, "face", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = source.glob("*.whl")
    packed = {n for n in zipfile.ZipFile(wheel).namelist() if n.startswith("tonotopy/")}
    kept = {
        ".py",
        ".pyi",
        ".typed",
        ".safetensors",
        ".npz",
        ".md",
        ".mplstyle",
        ".html",
        ".css",
        ".json",
        ".zip",
    }
    expected = {
        f"tonotopy/{path.relative_to(ROOT if folder in ROOMS else ROOT / folder)}"
        for folder in (*ROOMS, "face")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and (path.suffix in kept or path.name == "py.typed")
    }
    assert packed == expected
