"""Kept results of controls: they depend on rate, settings and what measures, not on who is measured too.

A result is measured once and kept in ``$XDG_CACHE_HOME/tonotopy/controls`` (``~/.cache`` by default). Those
of the preset "quick" at the usual rates lie in the package: ``python -m tonotopy.probes.run.bundling``.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import io
import json
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ...encoders.registry import factory_of
from ...synth.errors import InputError
from ..engine.probe import Probe
from ..engine.variable import Variable
from .schema import validate_probe

FORMAT = "1"
PACKAGE = "tonotopy"
ABOUT = "about this result"  # beside the arrays, whose names are words
UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error, InputError
)  # fmt: skip
ROOT = Path(__file__).parents[2]
BUNDLES = Path(__file__).parent / "kept"  # one file a rate
# What is run to measure, beside the modules of the measure itself: the rest carries results and changes none.
MEASURING = ("synth", "probes/statistics", "probes/filters", "probes/folding", "probes/composition",
             "probes/tokens", "probes/interventions", "probes/engine/respond.py", "probes/engine/stages.py",
             "probes/engine/grid.py")  # fmt: skip
WITHOUT_RESULTS = ("errors.py", "variables.py", "truths.py")


def key_of(one: Probe, control: Any, seed: int) -> str | None:
    """Say what a control's result depends on; None where it is not kept.

    Only the library's own probes and controls are: of others it is not known what they are written in. Nor is
    a result kept that depends on files.

    Examples
    --------
    >>> from ...encoders.registry import load
    >>> from .registry import named
    >>> (tiling,) = named(("tiling",))
    >>> key = key_of(tiling, load("control:decimator"), seed=0)
    >>> key.splitlines()[1:5]
    ['tiling(frames=4, phases=3)', 'control:decimator', '24000 Hz', 'seed 0']
    """
    if not isinstance(control, Encoder):
        return None
    measure = inspect.unwrap(one.measure)
    modules = [inspect.getmodule(made) for made in (measure, factory_of(control.name))]
    ours = all(module is not None and module.__name__.startswith(f"{PACKAGE}.") for module in modules)
    if not ours or any(isinstance(v, str | Path) and Path(v).exists() for v in one.settings.values()):
        return None
    files = tuple(Path(str(module.__file__)).resolve() for module in modules if module is not None)
    about = (one.identity, control.name, f"{control.sample_rate} Hz", f"seed {seed}")
    written = f"{measure.__qualname__} {digest(files)}"
    return "\n".join((f"tonotopy {version(PACKAGE)}, format {FORMAT}", *about, written))


@cache
def digest(modules: tuple[Path, ...]) -> str:
    """Return the digest of modules and of those that they measure with, without comments and docstrings."""
    found: dict[Path, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found[module], imported = _read(module)
            waiting += [other for other in imported if _measures(other)]
    written = "\n".join(f"{module.relative_to(ROOT.resolve())} {found[module]}" for module in sorted(found))
    return hashlib.sha256(written.encode()).hexdigest()


@cache
def _read(module: Path) -> tuple[str, tuple[Path, ...]]:
    """Return the digest of one module, and the modules of the library that it imports."""
    source = module.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(source)))
    return hashlib.sha256(_bare(source, nodes).encode()).hexdigest(), tuple(_imported(module, nodes))


def _bare(source: str, nodes: Sequence[ast.AST]) -> str:
    """Return a module's lines without docstrings, whole-line comments and blanks, alike in any Python."""
    lines = source.splitlines()
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            first, last = node.body[0].lineno, node.body[0].end_lineno or node.body[0].lineno
            lines[first - 1 : last] = [""] * (last - first + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _measures(module: Path) -> bool:
    place = module.relative_to(ROOT.resolve())
    return place.name not in WITHOUT_RESULTS and any(place.is_relative_to(one) for one in MEASURING)


def _imported(module: Path, nodes: Sequence[ast.AST]) -> Iterator[Path]:
    """Yield the modules of the library that a module imports, relatively as all of them do."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = module.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            several = [folder.with_suffix(".py"), *(folder / f"{alias.name}.py" for alias in node.names)]
            yield from (file for file in several if file.is_file())


def kept(key: str, one: Probe) -> xr.Dataset | None:
    """Return a kept result, of the user's or of those in the package; None where there is none.

    What cannot be read, is of another key, or is not what the probe declares is as good as none.
    """
    for place, read in (("cache", _from_cache), ("package", _from_package)):
        try:
            data = read(key)
            if data is not None:
                return unpacked(data, key, one).assign_attrs(kept_in=place)
        except UNREADABLE:
            continue  # measured again, and written over
    return None


def is_kept(key: str) -> bool:
    """Say whether a result of a key lies anywhere, without reading it."""
    name = name_of(key)
    return (folder() / name).is_file() or name in _names_in(bundle_of(_rate_in(key)))


@cache
def _names_in(bundle: Path) -> frozenset[str]:
    """Return the names of the results in a bundle; none where it is missing or not whole."""
    try:
        with zipfile.ZipFile(bundle) as several:
            return frozenset(several.namelist())
    except (OSError, zipfile.BadZipFile):
        return frozenset()


def _rate_in(key: str) -> int:
    return int(key.split("\n")[3].split()[0])


def keep(key: str, result: xr.Dataset) -> None:
    """Keep a result in the user's cache, there whole or not at all."""
    file = folder() / name_of(key)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as part:
            part.write(packed(key, result))
        os.replace(part.name, file)
    except OSError as error:
        warnings.warn(f"controls are not kept: {file.parent}: {error.strerror}", stacklevel=2)


def folder() -> Path:
    """Return the folder of the user's kept results."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / PACKAGE / "controls"


def name_of(key: str) -> str:
    r"""Return the name of the file that holds the result of a key.

    Examples
    --------
    >>> name_of("tonotopy 0.1.0\ntiling(phases=3)\ncontrol:decimator\n24000 Hz")
    'tiling.control.decimator.24000.f5d4bc23.result'
    """
    _, probe, control, rate, *_ = key.split("\n")
    short = hashlib.sha256(key.encode()).hexdigest()[:8]
    return f"{probe.split('(')[0]}.{control.replace(':', '.')}.{rate.split()[0]}.{short}.result"


def packed(key: str, result: xr.Dataset) -> bytes:
    """Write a result with its key."""
    about = {
        "key": key,
        "attributes": {name: value for name, value in result.attrs.items() if name != "kept_in"},
        "coordinates": [str(name) for name in result.coords],
        "dims": {str(name): values.dims for name, values in result.variables.items()},
    }
    arrays: dict[str, Any] = {str(name): values.values for name, values in result.variables.items()}
    arrays[ABOUT] = json.dumps(about, default=_plain)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return zlib.compress(file.getvalue(), 9)  # as a whole: of many small arrays the headers are most


def _plain(value: Any) -> Any:
    """Write numpy's numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else str(value)


def unpacked(data: bytes, key: str, one: Probe) -> xr.Dataset:
    """Read what `packed` wrote, units and names as the probe has them; raise where it is of another key."""
    with np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False) as arrays:
        about = json.loads(str(arrays[ABOUT]))
        if about["key"] != key:
            raise InputError("kept result: of another key")
        found = {
            name: xr.Variable(dims, arrays[name], _named(one.variables[name]))
            for name, dims in about["dims"].items()
        }
    result = xr.Dataset(found, attrs=about["attributes"]).set_coords(about["coordinates"])
    validate_probe("kept result", one.variables, result)
    return result


def key_in(data: bytes) -> str:
    """Return the key that a result was written with."""
    with np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False) as arrays:
        return json.loads(str(arrays[ABOUT]))["key"]


def _named(variable: Variable) -> dict[str, str]:
    return {"units": variable.units, "long_name": variable.long_name}


def _from_cache(key: str) -> bytes | None:
    file = folder() / name_of(key)
    return file.read_bytes() if file.is_file() else None


def _from_package(key: str) -> bytes | None:
    bundle, name = bundle_of(_rate_in(key)), name_of(key)
    if name not in _names_in(bundle):
        return None
    with zipfile.ZipFile(bundle) as several:
        return several.read(name)


def bundle_of(sample_rate: int) -> Path:
    """Return the file of the package that holds the results at a rate, if there is one."""
    return BUNDLES / f"{sample_rate}.zip"
