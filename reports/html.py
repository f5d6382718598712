"""The report: one self-contained page about one or several runs."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from ..probes.hypotheses.hypothesis import Hypothesis
from ..probes.hypotheses.registry import registered
from ..synth.errors import InputError
from .contents import contents
from .drawn import USUAL_DPI
from .runs import encoders_of, read_run
from .verdicts import judged

Run = str | Path | xr.DataTree
LARGEST_BYTES = 10_000_000
OBJECTS_TO_COLLECT = 50_000  # a few figures' worth
RESOLUTIONS_DPI = (USUAL_DPI, 96)  # the first at which the page stays small enough is taken
MARK = b'<meta name="generator" content="tonotopy">'


def report(runs: Run | Sequence[Run], out: str | Path, *, hypotheses: Sequence[Hypothesis] = ()) -> Path:
    """Write one self-contained HTML page about one or several runs.

    Parameters
    ----------
    runs : path or xarray.DataTree, or a sequence of them
        Results of `tonotopy.probes.run.runner.run`, of encoders of any modality; with several, or several
        encoders in one, they are compared.
    out : path
        The page. A page that an earlier call wrote is replaced, any other file is not.
    hypotheses : sequence of Hypothesis
        Of one's own: every run is judged anew, by these and by those of the sources.

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
    check_output(out)
    several = [runs] if isinstance(runs, str | Path | xr.DataTree) else list(runs)
    if not several:
        raise InputError("report: no run given, at least one is needed")
    trees = [read_run(run) for run in several]
    if hypotheses:
        trees = [judged(tree, (*registered(), *hypotheses)) for tree in trees]
    for run, tree in zip(several, trees, strict=True):
        if not encoders_of(tree):
            which = "run" if isinstance(run, xr.DataTree) else f"run {run}"
            raise InputError(f"{which}: holds no encoder, only controls")
    for dpi in RESOLUTIONS_DPI:
        with _garbage_collected_rarely():
            page = contents(trees, dpi).encode()
        if len(page) < LARGEST_BYTES:
            return write_page(out, page.decode())
    raise InputError(
        f"report: the page would have {len(page) / 1e6:.1f} MB, at most {LARGEST_BYTES / 1e6:.0f} MB are "
        "written; give fewer runs"
    )


@contextmanager
def _garbage_collected_rarely() -> Iterator[None]:
    """Look for reference cycles rarely: figures are many small objects, and a look goes through results."""
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_TO_COLLECT, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def check_output(out: Path) -> None:
    """Raise if a page cannot go there: a folder, or a file that is no page of ours."""
    if out.is_dir():
        raise InputError(f"output {out}: is a folder; give the name of a file")
    if out.is_file():
        with out.open("rb") as file:
            if MARK not in file.read(2000):
                raise InputError(f"output {out}: exists and is not a report of ours; choose another name")
    elif out.exists():
        raise InputError(f"output {out}: is not a file")


def write_page(out: Path, page: str) -> Path:
    """Write a page beside its place, then into it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(page.encode())
        os.chmod(beside, 0o644)  # mkstemp's own mode shuts others out
        os.replace(beside, out)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return out
