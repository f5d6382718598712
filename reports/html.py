"""The report: one self-contained page about one or several runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from ..synth.errors import InputError
from .contents import contents
from .runs import encoders_of, read_run

LARGEST_BYTES = 10_000_000
RESOLUTIONS_DPI = (144, 96)  # the first at which the page stays small enough is taken
MARK = b'<meta name="generator" content="tonotopy">'


def report(runs: Sequence[str | Path | xr.DataTree], out: str | Path) -> Path:
    """Write one self-contained HTML page about one or several runs.

    Parameters
    ----------
    runs : sequence of path or xarray.DataTree
        Results of `tonotopy.probes.run.runner.run`, of encoders of any modality; with several, or several
        encoders in one, they are compared.
    out : path
        The page. A page that an earlier call wrote is replaced, any other file is not.

    Returns
    -------
    out : Path

    Raises
    ------
    InputError
        If a run is missing, unfinished or no run, or `out` is a folder or somebody else's file, or the page
        would be larger than 10 MB.
    """
    out = Path(out)
    _check_output(out)
    if not runs:
        raise InputError("report: no run given, at least one is needed")
    trees = [read_run(run) for run in runs]
    for run, tree in zip(runs, trees, strict=True):
        if not encoders_of(tree):
            which = "run" if isinstance(run, xr.DataTree) else f"run {run}"
            raise InputError(f"{which}: holds no encoder, only controls")
    for dpi in RESOLUTIONS_DPI:
        page = contents(trees, dpi).encode()
        if len(page) < LARGEST_BYTES:
            return _write(out, page)
    raise InputError(
        f"report: the page would have {len(page) / 1e6:.1f} MB, at most {LARGEST_BYTES / 1e6:.0f} MB are "
        "written; give fewer runs"
    )


def _check_output(out: Path) -> None:
    if out.is_dir():
        raise InputError(f"output {out}: is a folder; give the name of a file")
    if out.is_file():
        with out.open("rb") as file:
            if MARK not in file.read(2000):
                raise InputError(f"output {out}: exists and is not a report of ours; choose another name")
    elif out.exists():
        raise InputError(f"output {out}: is not a file")


def _write(out: Path, page: bytes) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(page)
        os.chmod(beside, 0o644)  # mkstemp's own mode shuts others out
        os.replace(beside, out)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return out
