"""Checkpoints of MusicVAE in the form that magenta-js reads: a manifest and shards of plain numbers."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...synth.errors import InputError
from ...synth.melodies import HIGHEST_MIDI, LOWEST_MIDI, STEPS_PER_BAR

MANIFEST, CONFIG = "weights_manifest.json", "config.json"
EARLIER = "manifest.json"  # of 2018: a file for each variable

# How values lie in a shard, little-endian.
_STORED = {"float32": "<f4", "int32": "<i4", "bool": "|u1", "uint8": "|u1", "uint16": "<u2", "float16": "<f2"}
_QUANTIZED = ("uint8", "uint16", "float16")


@dataclass(frozen=True)
class MagentaJS:
    """What a folder that magenta-js reads holds.

    Parameters
    ----------
    variables : dict of str to float32 array
        Under the names TensorFlow gave them.
    bars : int or None
        Length of a melody; None where the folder does not say.
    segments : int or None
        Stretches that a conductor directs; None without one.
    quantized : tuple of str
        The types that the values were stored in for less space; none where they are as they were trained.
    """

    variables: dict[str, np.ndarray]
    bars: int | None
    segments: int | None
    quantized: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    """One variable of a manifest."""

    name: str
    shape: tuple[int, ...]
    stored: str  # the type that its values have in the shard
    scale: float | None = None  # of the integers it was quantized to; None where it was not
    least: float = 0.0

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.size * np.dtype(_STORED[self.stored]).itemsize

    def read(self, data: memoryview) -> np.ndarray:
        values = np.frombuffer(data, _STORED[self.stored], self.size).reshape(self.shape)
        with np.errstate(over="ignore"):  # whoever uses the values refuses the Inf
            if self.scale is not None:
                values = values * np.float64(self.scale) + self.least
            return values.astype(np.float32)


def read_magenta_js(folder: str | Path) -> MagentaJS:
    """Read a folder of ``weights_manifest.json``, shards and, if it is there, ``config.json``.

    In folders of 2018 there is ``manifest.json`` instead, and a file of float32 for each variable.

    Parameters
    ----------
    folder : path
        As published under magentadata/js/checkpoints/music_vae, or as magenta-js's
        ``checkpoint_converter.py`` writes it.

    Raises
    ------
    InputError
        If a file is missing, short, long or not what it should be, or the folder says that it holds
        another model than a MusicVAE of melodies. Sizes are checked before any shard is read.

    Notes
    -----
    The shards of a group are one run of bytes, in which its variables follow one another. A value that
    was quantized to an integer q is ``q * scale + min``.

    Source: tfjs-core/src/io/io_utils.ts and weights_loader.ts, and magenta-js
    music/src/music_vae/model.ts and music/src/core/data.ts.
    """
    folder = Path(folder)
    bars, segments = _read_config(folder / CONFIG)
    if not (folder / MANIFEST).is_file() and (folder / EARLIER).is_file():
        return MagentaJS(_read_earlier(folder / EARLIER), bars, segments, ())
    groups = _read_manifest(folder / MANIFEST)
    for paths, entries in groups:
        _check_sizes(folder, paths, entries)
    variables = {}
    for paths, entries in groups:
        data = memoryview(b"".join(path.read_bytes() for path in paths))
        for entry in entries:
            variables[entry.name], data = entry.read(data), data[entry.bytes :]
    stored = {entry.stored for _, entries in groups for entry in entries} & set(_QUANTIZED)
    return MagentaJS(variables, bars, segments, tuple(sorted(stored)))


def _read_earlier(path: Path) -> dict[str, np.ndarray]:
    """Return the variables of a manifest of 2018: name -> file and shape."""
    manifest = _read_json(path)
    if not isinstance(manifest, Mapping) or not manifest:
        raise InputError(f"{path}: must say which file holds each variable")
    groups = []
    for name, about in manifest.items():
        shape = tuple(_get(about, "shape", list, path))
        if not all(_whole(size) for size in shape):
            raise InputError(f"{path}: variable {name!r} of shape {shape}: must be whole numbers")
        groups.append((_shard(path, _get(about, "filename", str, path)), _Entry(name, shape, "float32")))
    for file, entry in groups:
        _check_sizes(path.parent, [file], [entry])
    return {entry.name: entry.read(memoryview(file.read_bytes())) for file, entry in groups}


def _read_config(path: Path) -> tuple[int | None, int | None]:
    """Return bars and segments, or raise if the model is not one of melodies."""
    if not path.is_file():
        return None, None
    config = _read_json(path)
    converter = _get(config, "dataConverter", dict, path)
    arguments = _get(converter, "args", dict, path)
    kind, converted = config.get("type"), converter.get("type")
    if kind != "MusicVAE" or converted != "MelodyConverter" or config.get("chordEncoder"):
        chords = ", conditioned on chords" if config.get("chordEncoder") else ""
        raise InputError(
            f"{path}: of a {kind} for {converted}{chords}; must be a MusicVAE for MelodyConverter"
        )
    pitches = arguments.get("minPitch", LOWEST_MIDI), arguments.get("maxPitch", HIGHEST_MIDI)
    if pitches != (LOWEST_MIDI, HIGHEST_MIDI):
        raise InputError(f"{path}: pitches {pitches}: must be {(LOWEST_MIDI, HIGHEST_MIDI)}")
    steps, segments = arguments.get("numSteps"), arguments.get("numSegments")
    if steps is not None and not (_whole(steps) and steps and steps % STEPS_PER_BAR == 0):
        raise InputError(f"{path}: numSteps {steps!r}: must be whole bars of {STEPS_PER_BAR} steps")
    if segments is not None and not (_whole(segments) and segments):
        raise InputError(f"{path}: numSegments {segments!r}: must be a whole number, at least 1")
    return steps and steps // STEPS_PER_BAR, segments


def _read_manifest(path: Path) -> list[tuple[list[Path], list[_Entry]]]:
    groups = _read_json(path)
    if not isinstance(groups, list) or not groups:
        raise InputError(f"{path}: not a weights manifest: must be a list of groups of weights")
    read, names = [], set()
    for group in groups:
        paths = [_shard(path, name) for name in _get(group, "paths", list, path)]
        entries = [_entry(path, weight) for weight in _get(group, "weights", list, path)]
        for entry in entries:
            if entry.name in names:
                raise InputError(f"{path}: variable {entry.name!r} is listed twice")
            names.add(entry.name)
        read.append((paths, entries))
    return read


def _entry(path: Path, weight: Any) -> _Entry:
    name, shape = _get(weight, "name", str, path), tuple(_get(weight, "shape", list, path))
    if not all(_whole(size) for size in shape):
        raise InputError(f"{path}: variable {name!r} of shape {shape}: must be whole numbers")
    quantization = weight.get("quantization")
    if quantization is None:
        stored, allowed = weight.get("dtype"), ("float32", "int32", "bool")
        if stored not in allowed:
            raise InputError(f"{path}: variable {name!r} of {stored}: must be one of {', '.join(allowed)}")
        return _Entry(name, shape, stored)
    stored = _get(weight, "quantization", dict, path).get("dtype")
    if stored not in _QUANTIZED:
        raise InputError(f"{path}: variable {name!r} quantized to {stored}: must be {', '.join(_QUANTIZED)}")
    if stored == "float16":
        return _Entry(name, shape, stored)
    scale, least = quantization.get("scale"), quantization.get("min")
    if not (_finite(scale) and _finite(least)):
        raise InputError(f"{path}: variable {name!r} has scale {scale} and min {least}: must be numbers")
    return _Entry(name, shape, stored, scale, least)


def _shard(manifest: Path, name: Any) -> Path:
    if not isinstance(name, str) or Path(name).name != name:
        raise InputError(f"{manifest}: shard {name!r}: must be the name of a file beside the manifest")
    return manifest.parent / name


def _check_sizes(folder: Path, paths: Sequence[Path], entries: Sequence[_Entry]) -> None:
    for path in paths:
        if not path.is_file():
            raise InputError(f"{folder}: shard {path.name} is missing")
    found, needed = sum(path.stat().st_size for path in paths), sum(entry.bytes for entry in entries)
    if found != needed:
        names = f"{len(paths)} shards" + (f" from {paths[0].name} on" if paths else "")
        raise InputError(f"{folder}: {names}: {found} bytes, the manifest says {needed}")


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({str(error).splitlines()[0]})") from None


def _get(mapping: Any, key: str, kind: type, path: Path) -> Any:
    """Return what a mapping read from JSON holds under a key, if it is of a kind."""
    value = mapping.get(key) if isinstance(mapping, Mapping) else None
    if not isinstance(value, kind):
        names = {dict: "a mapping", list: "a list", str: "text"}
        raise InputError(f"{path}: {key!r} is missing or is not {names[kind]}")
    return value


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
