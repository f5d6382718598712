"""Puts a package where a subprocess finds it as if it were installed; nothing is built or fetched."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, name: str, points: Mapping[str, Mapping[str, str]]) -> None:
    """Write what `importlib.metadata` reads of an installed distribution: its entry points by group."""
    about = folder / f"{name}-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    lines = [
        line
        for group, own in points.items()
        for line in (f"[{group}]", *(f"{point} = {place}" for point, place in own.items()))
    ]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")


def run_with(folder: Path, script: str, *arguments: str) -> str:
    """Run a script in a process of its own that has the folder's packages, in the folder's parent."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder.parent, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
