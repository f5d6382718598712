"""Zarr groups of format 2 as files, written and consolidated directly.

A result has dozens of small arrays, for each of which zarr takes three asynchronous requests: half a minute
a run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

MOST_BYTES = 64 * 1024**2  # of an array in one chunk; larger ones are zarr's to divide
GROUP = {"zarr_format": 2}
METADATA = (".zgroup", ".zattrs", ".zarray")


def write_group(result: xr.Dataset, where: Path) -> bool:
    """Write a dataset as a zarr group that xarray opens as it was; False, and nothing done, where it cannot.

    Parameters
    ----------
    result : xarray.Dataset
        Of numbers, truth values and strings of fixed length.
    where : Path
        The group's folder; what lies there of an earlier one is written over.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     one = xr.Dataset({"x": ("a", [1.0, np.nan])}, {"a": ["p", "q"]}, {"of": "two"})
    ...     written = write_group(one, Path(folder, "one"))
    ...     xr.open_zarr(Path(folder, "one"), chunks=None, consolidated=False).load().identical(one)
    True
    """
    arrays = {str(name): variable for name, variable in result.variables.items()}
    if any(v.dtype.kind not in "biufU" or v.nbytes > MOST_BYTES or v.encoding for v in arrays.values()):
        return False
    where.mkdir(parents=True, exist_ok=True)
    beside = " ".join(str(name) for name in result.coords if name not in result.dims)
    attributes = {**result.attrs, **({"coordinates": beside} if beside else {})}
    _write(where / ".zgroup", GROUP)
    _write(where / ".zattrs", attributes)
    for name, variable in arrays.items():
        _write_array(where / name, variable)
    return True


def _write_array(folder: Path, variable: xr.Variable) -> None:
    from numcodecs import Blosc

    values, codec = np.ascontiguousarray(variable.values), Blosc()
    folder.mkdir(exist_ok=True)
    about = {
        "shape": variable.shape,
        "chunks": [max(1, n) for n in variable.shape],
        "dtype": values.dtype.str,
        "fill_value": "NaN" if values.dtype.kind == "f" else None,
        "order": "C",
        "filters": None,
        "dimension_separator": ".",
        "compressor": codec.get_config(),
    }
    _write(folder / ".zarray", about | GROUP)
    _write(folder / ".zattrs", {**variable.attrs, "_ARRAY_DIMENSIONS": variable.dims})
    if values.size:
        (folder / ".".join("0" * variable.ndim or "0")).write_bytes(codec.encode(values))


def consolidate(store: Path) -> None:
    """Write what all groups and arrays of a store say of themselves into one file, which readers look for."""
    found = {
        file.relative_to(store).as_posix(): json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(store.rglob(".z*"))
        if file.name in METADATA
    }
    _write(store / ".zmetadata", {"metadata": found, "zarr_consolidated_format": 1})


def _write(file: Path, about: dict[str, Any]) -> None:
    file.write_text(json.dumps(about, default=_plain), encoding="utf-8")


def _plain(value: Any) -> Any:
    """Write numpy's numbers as Python's."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)
