"""The folder of a training: whose it is, its checkpoint and its log, each written whole."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ...synth.errors import InputError


def claim(out: Path, identity: Mapping[str, Any], resume: bool) -> None:
    """Make the folder ours, or see that it is already; start over if requested.

    Raises
    ------
    InputError
        If it holds another training, or something else.
    """
    stored, text = out / "training.json", json.dumps(identity, indent=1)
    if stored.is_file():
        if resume and (found := stored.read_text()) != text:
            raise InputError(
                f"output folder {out}: holds another training ({_difference(found, text)}): "
                "name another folder, or start over without resuming"
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"output folder {out}: exists and holds something else")
    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        (out / "checkpoint.pt").unlink(missing_ok=True)
    replace_file(stored, text.encode())


def _difference(stored: str, own: str) -> str:
    """Name the first setting in which two identities, as JSON, differ.

    Examples
    --------
    >>> _difference('{"seed": 0, "recipe": {"steps": 9}}', '{"seed": 0, "recipe": {"steps": 8}}')
    'recipe.steps is 9 there and 8 here'
    """
    try:
        there, here, name = json.loads(stored), json.loads(own), ""
    except ValueError:
        return "its training.json cannot be read"
    while isinstance(there, dict) and isinstance(here, dict):
        key = next((key for key in {**there, **here} if there.get(key) != here.get(key)), None)
        if key is None:
            return "its training.json is written otherwise"
        there, here, name = there.get(key), here.get(key), f"{name}.{key}" if name else key
    return f"{name} is {json.dumps(there)} there and {json.dumps(here)} here"


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that is there whole or as it was before."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def write_checkpoint(out: Path, state: Mapping[str, Any]) -> None:
    """Store what a training needs to go on, tensors and plain values, as ``checkpoint.pt``."""
    content = io.BytesIO()
    torch.save(dict(state), content)
    replace_file(out / "checkpoint.pt", content.getvalue())


def read_checkpoint(out: Path) -> dict[str, Any] | None:
    """Return what `write_checkpoint` stored, on the CPU; None where there is nothing."""
    path = out / "checkpoint.pt"
    return torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else None


def write_log(out: Path, columns: Sequence[str], rows: Sequence[Mapping[str, float]]) -> None:
    """Write the history of a training as ``log.csv``."""
    log = io.StringIO(newline="")
    writer = csv.DictWriter(log, columns)
    writer.writeheader()
    writer.writerows(rows)
    replace_file(out / "log.csv", log.getvalue().encode())
