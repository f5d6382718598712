"""What files of weights hold, in the forms that people have, and where in it the state dict lies."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..synth.errors import InputError

NAMES = ("model.safetensors", "pytorch_model.bin", "diffusion_pytorch_model.safetensors")
NESTED = ("state_dict", "model_state_dict", "model", "module", "net", "network")  # where checkpoints keep it
EXTRA = "_extra_state"  # what torch's modules write beside tensors
PART = re.compile(r"-\d+-of-(\d+)\.\w+$")


def read_whole(path: Path) -> tuple[Any, str]:
    """Return what a file, or a folder of files, holds, and what is to be said of its form.

    Safetensors, NumPy's archives, and pickles of nothing but tensors and plain values; of a folder one of
    `NAMES`, or the files that an index beside them names.

    Raises
    ------
    InputError
        If it is missing, not whole, or something else (it is not run).
    """
    if path.is_dir():
        whole, indices = [path / name for name in NAMES], [path / f"{name}.index.json" for name in NAMES]
        there = next((file for file in (*whole, *indices) if file.is_file()), whole[0])
        if there in indices:
            return _by_index(there)
        path = there
    if not path.is_file():
        raise InputError(f"weights {path}: no such file")
    if parts := PART.search(path.name):
        raise InputError(
            f"weights {path}: is one of {int(parts[1])} parts; give the folder, with the index of all"
        )
    return _read_file(path)


def _by_index(index: Path) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of all files that an index names."""
    try:
        files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError):
        raise InputError(f"weights {index}: has no 'weight_map' of tensors to files") from None
    state: dict[str, Tensor] = {}
    for file in files:
        if not isinstance(file, str) or Path(file).name != file or not (index.parent / file).is_file():
            raise InputError(f"weights {index}: names {file!r}, which is not in the folder")
        state.update(_read_file(index.parent / file)[0])
    return state, f"in {len(files)} files"


def _read_file(path: Path) -> tuple[Any, str]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path), ""
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(array) for name, array in arrays.items()}, "a NumPy archive"
        if _is_script(path):
            raise InputError(
                f"weights {path}: is a TorchScript archive, which holds a program; wrap(torch.jit.load(...), "
                "...) takes it whole, and torch.save of its state_dict() writes the weights"
            )
        return torch.load(path, map_location="cpu", weights_only=True), ""
    except InputError:
        raise
    except SafetensorError as error:
        raise InputError(f"weights {path}: not a whole safetensors file ({error})") from None
    except Exception as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"weights {path}: not a whole file of plain tensors, nothing else is opened ({first_line[:120]})"
            "; torch.save(module.state_dict(), path) writes one"
        ) from None


def _is_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def state_in(found: Any, origin: str, where: tuple[str, ...] = ()) -> tuple[dict[str, Tensor], str]:
    """Return the state dict in what a file held, however deep it lies, and where.

    What in it is no tensor, or is an extra state of torch's modules, is left out.

    Raises
    ------
    InputError
        If there is none, or there are several of which none is named as usual.
    """
    if not _is_mapping(found):
        tensors = isinstance(found, list | tuple) and all(isinstance(one, Tensor) for one in found)
        has = f"holds {len(found)} tensors without names; " if tensors else ""
        raise InputError(f"weights {origin}: {has}does not hold a mapping of names to tensors")
    parts = {key: value for key, value in found.items() if _holds_state(key, value)}
    if not parts and _is_state(found):
        state = {key: value for key, value in found.items() if _is_named(key, value)}
        left = [key for key in found if key not in state]
        said = f"of {'.'.join(where)!r} in the file" if where else ""
        more = f"{len(left)} entries that are no weights left out ({', '.join(left[:3])})" if left else ""
        return state, "; ".join(filter(None, [said, more]))
    chosen = next((key for key in NESTED if key in parts), None)
    if chosen is None and len(parts) > 1:
        raise InputError(f"weights {origin}: holds several state dicts ({', '.join(parts)}); keep one")
    if not parts:
        there = f"; it holds {', '.join(list(found)[:8])}" if found else ""
        raise InputError(f"weights {origin}: does not hold a mapping of names to tensors{there}")
    key = next(iter(parts)) if chosen is None else chosen
    return state_in(parts[key], origin, (*where, key))


def _is_mapping(found: Any) -> bool:
    return isinstance(found, dict) and all(isinstance(key, str) for key in found)


def _is_named(key: str, value: Any) -> bool:
    return isinstance(value, Tensor) and not key.endswith(EXTRA)


def _is_state(found: Any) -> bool:
    return _is_mapping(found) and any(_is_named(key, value) for key, value in found.items())


def _holds_state(key: str, found: Any) -> bool:
    if key.endswith(EXTRA) or not _is_mapping(found):
        return False
    return _is_state(found) or any(_holds_state(name, value) for name, value in found.items())
