"""Zarr groups of format 2 as files, written, consolidated and read directly.

A result has dozens of small arrays, for each of which zarr takes three asynchronous requests: half a minute
a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numcodecs import Blosc, get_codec

MOST_BYTES = 64 * 1024**2  # of an array in one chunk; larger ones are zarr's to divide
GROUP = {"zarr_format": 2}
METADATA = (".zgroup", ".zattrs", ".zarray")
DECODED = {
    "_FillValue", "missing_value", "scale_factor", "add_offset", "dtype", "_Unsigned", "calendar",
    "coordinates",
}  # fmt: skip


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


def set_attributes(where: Path, attributes: Mapping[str, Any]) -> None:
    """Give a group attributes, beside those that it has; it is made if it is not there."""
    where.mkdir(parents=True, exist_ok=True)
    there = where / ".zattrs"
    before = json.loads(there.read_text(encoding="utf-8")) if there.is_file() else {}
    _write(where / ".zgroup", GROUP)
    _write(there, {**before, **attributes})


def consolidate(store: Path) -> None:
    """Write what all groups and arrays of a store say of themselves into one file, which readers look for."""
    found = {
        file.relative_to(store).as_posix(): json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(store.rglob(".z*"))
        if file.name in METADATA
    }
    _write(store / ".zmetadata", {"metadata": found, "zarr_consolidated_format": 1})


def read_tree(store: Path) -> xr.DataTree:
    """Read a store as ``xarray.open_datatree`` opens it, what `write_group` wrote into memory at once.

    Other groups, with arrays in several chunks or of xarray's own encoding, are left to xarray and read when
    they are needed.

    Parameters
    ----------
    store : Path
        Consolidated; any other is left to xarray.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     written = write_group(xr.Dataset({"x": ("a", [1.0, 2.0])}), Path(folder, "one", "two"))
    ...     for group in (Path(folder), Path(folder, "one")):
    ...         _ = (group / ".zgroup").write_text('{"zarr_format": 2}')
    ...     consolidate(Path(folder))
    ...     read_tree(Path(folder))["one/two"]["x"].values.tolist()
    [1.0, 2.0]
    """
    try:
        metadata = json.loads((store / ".zmetadata").read_text(encoding="utf-8"))["metadata"]
    except (OSError, ValueError, KeyError):
        return xr.open_datatree(store, engine="zarr", chunks=None)
    arrays: dict[str, dict[str, Any]] = {
        file.rpartition("/")[0]: {} for file in metadata if file.endswith(".zgroup")
    }
    for file, about in metadata.items():
        if file.endswith(".zarray"):
            group, _, name = file.removesuffix("/.zarray").rpartition("/")
            arrays[group][name] = about, metadata[file.removesuffix(".zarray") + ".zattrs"]
    groups = {
        f"/{group}": _read_group(store / group, metadata.get(f"{group}/.zattrs".lstrip("/"), {}), of)
        for group, of in arrays.items()
    }
    return xr.DataTree.from_dict(groups)


def _read_group(where: Path, attributes: dict[str, Any], arrays: dict[str, Any]) -> xr.Dataset:
    if not all(_is_plain(*about) for about in arrays.values()):
        return xr.open_zarr(str(where), chunks=None, consolidated=False)
    variables = {name: _read_array(where / name, *about) for name, about in arrays.items()}
    rest = {name: value for name, value in attributes.items() if name != "coordinates"}
    return xr.Dataset(variables, attrs=rest).set_coords(str(attributes.get("coordinates", "")).split())


def _is_plain(about: dict[str, Any], attributes: dict[str, Any]) -> bool:
    is_whole = 0 in about["shape"] or about["chunks"] == about["shape"]
    return is_whole and not about["filters"] and about["order"] == "C" and not DECODED & attributes.keys()


def _read_array(folder: Path, about: dict[str, Any], attributes: dict[str, Any]) -> xr.Variable:
    shape, dtype = about["shape"], np.dtype(about["dtype"])
    if 0 in shape:
        values = np.empty(shape, dtype)
    elif (file := folder / about.get("dimension_separator", ".").join("0" * len(shape) or "0")).is_file():
        whole: Any = file.read_bytes()
        if about["compressor"] is not None:
            whole = get_codec(about["compressor"]).decode(whole)
        values = np.frombuffer(bytearray(whole), dtype).reshape(shape)
    else:
        values = np.full(shape, about["fill_value"] or 0, dtype)
    rest = {name: value for name, value in attributes.items() if name != "_ARRAY_DIMENSIONS"}
    return xr.Variable(attributes["_ARRAY_DIMENSIONS"], values, rest)


def _write(file: Path, about: dict[str, Any]) -> None:
    file.write_text(json.dumps(about, default=_plain), encoding="utf-8")


def _plain(value: Any) -> Any:
    """Write numpy's numbers as Python's."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)
