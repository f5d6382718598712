"""A run on its way to disk: taken up where it stopped, there whole or not at all, and where it came from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch

from ...synth.errors import InputError
from .schema import SCHEMA_VERSION
from .session import Named
from .zarr_files import consolidate

VERSIONED = ("tonotopy", "torch", "numpy", "scipy", "numba", "librosa", "encodec", "xarray", "zarr")

Drawn = TypeVar("Drawn", bound=Named)


class Work:
    """Work in progress in ``<out>.partial``: the store to be, and beside it the list of what is done.

    Parameters
    ----------
    out : Path
        Where the run goes when it is whole.
    identity : iterable of str
        What the run must have in common with one that was interrupted, to go on with it; versions of the
        libraries and of the schema are always in it.

    Raises
    ------
    InputError
        If something else lies there.
    """

    def __init__(self, out: Path, identity: Iterable[str]) -> None:
        self._out, self.folder = out, out.with_name(out.name + ".partial")
        self.store, self._marker = self.folder / "store", self.folder / "finished.json"
        self.unfinished = self.folder / "unfinished"  # what steps keep on their way
        parts = [SCHEMA_VERSION, *(f"{name} {version(name)}" for name in VERSIONED), *identity]
        self._fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        self._done: list[str] = []
        left = self._left()
        if left.get("fingerprint") == self._fingerprint:
            self._done = [name for name in left["done"] if (self.store / name).exists()]
            return
        if left:
            shutil.rmtree(self.folder)  # of other settings, weights or versions
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise InputError(
                f"output {self.folder}: exists and is not an unfinished run; remove it or choose another"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._note()

    def _left(self) -> dict[str, Any]:
        try:
            left = json.loads(self._marker.read_text())
        except (OSError, ValueError):
            return {}
        return left if isinstance(left, dict) and isinstance(left.get("done"), list) else {}

    def is_done(self, name: str) -> bool:
        """Whether a step was taken before."""
        return name in self._done

    def do(self, name: str, step: Callable[[], object]) -> None:
        """Take the step that fills group `name`, unless it was taken before."""
        if name not in self._done:
            shutil.rmtree(self.store / name, ignore_errors=True)  # what a killed step left of it
            step()
            self._done.append(name)
            self._note()

    def drop_unfinished(self) -> None:
        """Remove what steps kept on their way: they are done."""
        shutil.rmtree(self.unfinished, ignore_errors=True)

    def finish(self) -> Path:
        """Put the store where it goes, and remove what was needed on the way."""
        consolidate(self.store)
        os.replace(self.store, self._out)
        shutil.rmtree(self.folder)
        return self._out

    def _note(self) -> None:
        # outside the folder until it is whole, so that a half-written list is never found
        beside = self.folder.with_name(self.folder.name + ".json")
        beside.write_text(json.dumps({"fingerprint": self._fingerprint, "done": self._done}))
        os.replace(beside, self._marker)


def provenance(settings: str, seed: int, encoders: Sequence[Named]) -> dict[str, object]:
    """Say where a run came from: the root's attributes."""
    versions = {name: version(name) for name in VERSIONED} | {"python": platform.python_version()}
    return {
        "schema_version": SCHEMA_VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": json.dumps(versions),
        "device": ", ".join(sorted({str(getattr(encoder, "device", "cpu")) for encoder in encoders})),
        "precision": "float32",
        "seed": seed,
        "settings": settings,
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "platform": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads",
        "encoders": ", ".join(encoder.name for encoder in encoders),
        "weights_sha256": ", ".join(encoder.weights.sha256 for encoder in encoders),
    }


def drawn_anew(encoder: Drawn, twin: Callable[[int], Drawn], seed: int, count: int) -> Iterator[Drawn]:
    """Draw networks like an encoder; a draw that happens to be the encoder itself is none.

    Raises
    ------
    InputError
        If the draws do not depend on the seed.
    """
    found, last = 0, seed + count
    while found < count:
        baseline, seed = twin(seed), seed + 1
        if baseline.weights.sha256 != encoder.weights.sha256:
            found += 1
            yield baseline
        elif seed > last + 1:
            raise InputError(f"encoder {encoder.name!r}: its baseline does not depend on the seed")


def node_name(name: str) -> str:
    """Return what a subject's node is called.

    Examples
    --------
    >>> node_name("control:texture")
    'control.texture'
    """
    return name.replace(":", ".").replace("/", ".")
