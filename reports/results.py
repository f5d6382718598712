"""What one does with finished runs from Python, by path or by tree: open one, compare two."""

from __future__ import annotations

import json
from pathlib import Path

import xarray as xr

from ..probes.engine.zarr_files import read_tree
from ..probes.run.compare import compare as compare_runs
from .runs import read_run


def open(run: str | Path | xr.DataTree) -> xr.DataTree:
    """Open a run and check it against the schema; or open what `tonotopy activations` wrote.

    Parameters
    ----------
    run : path or xarray.DataTree
        What `tonotopy.probe` wrote.

    Returns
    -------
    run : xarray.DataTree
        The root carries provenance; ``run[subject][probe]`` is what a probe found of an encoder, of a
        baseline of it (``codec_tiny.random0``) or of a control. Of activations it is
        ``run[stage]["activation"]``. Large arrays are read when they are used.

    Raises
    ------
    InputError
        If it is missing, unfinished, no run, or of a schema that cannot be read.
    """
    if not isinstance(run, xr.DataTree) and _holds_activations(Path(run)):
        return read_tree(Path(run))
    return read_run(run)


def _holds_activations(store: Path) -> bool:
    try:
        return "left_out" in json.loads((store / ".zattrs").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def compare(
    first: str | Path | xr.DataTree,
    second: str | Path | xr.DataTree,
    first_subject: str = "",
    second_subject: str = "",
) -> xr.Dataset:
    """Compare two runs, or two subjects of one, measure by measure.

    Parameters
    ----------
    first, second : path or xarray.DataTree
    first_subject, second_subject : str
        Subject of each run; by default its only encoder.

    Returns
    -------
    compared : xarray.Dataset
        As `tonotopy.probes.compare` gives it.

    Raises
    ------
    InputError
        If a run cannot be read, a subject is not there, or the two have no measure in common.
    """
    return compare_runs(read_run(first), read_run(second), first_subject, second_subject)
