"""Folders in the form in which the hub publishes models: configuration, safetensors; and the hub itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..synth.errors import InputError
from .measuring import first_line

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PREFIXES = ("", "diffusion_pytorch_")  # of transformers, of diffusers
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def tensors_of(files: Mapping[str, Path], prefix: str = "") -> dict[str, Tensor]:
    """Return tensors by their names behind a prefix.

    Parameters
    ----------
    files : mapping of str to Path
        In which file each tensor is; see `files_of`.
    prefix : str

    Raises
    ------
    InputError
        If a tensor cannot be read, or holds NaN or Inf.
    """
    found = {}
    for file in sorted({file for name, file in files.items() if name.startswith(prefix)}):
        with opened(file) as tensors:
            for name in tensors.keys():  # noqa: SIM118 (it is no mapping)
                if name.startswith(prefix):
                    found[name.removeprefix(prefix)] = tensor = tensors.get_tensor(name)
                    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                        raise InputError(f"weights {file}: {name!r} holds NaN or Inf")
    return found


def fetched(
    repository: str, revision: str | None, patterns: Sequence[str], whole: Callable[[Path], bool]
) -> Path:
    """Return the folder of a model in the hub's cache; what is not there yet is downloaded.

    Parameters
    ----------
    repository : str
        "ORG/NAME".
    revision : str, optional
        A commit; the newest without.
    patterns : sequence of str
        Which files are wanted.
    whole : callable
        ``whole(folder)`` says whether what is in the cache is all that is wanted.

    Raises
    ------
    InputError
        If it cannot be had.
    """
    import huggingface_hub

    def fetch(local: bool) -> Path:
        return Path(
            huggingface_hub.snapshot_download(
                repository, revision=revision, allow_patterns=list(patterns), local_files_only=local
            )
        )

    with suppress(Exception):  # without a network the hub's client tries on for half a minute
        if whole(folder := fetch(local=True)):
            return folder
    try:
        return fetch(local=False)
    except Exception as error:  # of the hub, of its client, of the disk
        raise InputError(
            f"weights {repository}: not in the cache and not to be had from the hub "
            f"({first_line(error)}); weights= takes a folder that holds them, or 'random'"
        ) from None


def files_of(path: Path) -> dict[str, Path]:
    """Return in which file of a folder each tensor is.

    Raises
    ------
    InputError
        If it holds pickles only or nothing, or a file is not there or not whole.
    """
    single = next((p + SINGLE for p in PREFIXES if (path / (p + SINGLE)).is_file()), None)
    index = next((p + INDEX for p in PREFIXES if (path / (p + INDEX)).is_file()), None)
    if single is not None:
        shards = [single]
    elif index is not None:
        named = read_json(path / index).get("weight_map")
        if not (isinstance(named, dict) and all(isinstance(file, str) for file in named.values())):
            raise InputError(f"weights {path / index}: has no 'weight_map' of tensors to files")
        shards = sorted(set(named.values()))
    else:
        pickles = sorted(file.name for pattern in PICKLES for file in path.glob(pattern))
        has = f"holds pickles only ({pickles[0]}), which are not opened" if pickles else "holds no weights"
        raise InputError(f"weights {path}: {has}; must hold {SINGLE}, or {INDEX} and its files")
    files = {}
    for shard in shards:
        if Path(shard).name != shard or not shard.endswith(".safetensors"):
            raise InputError(
                f"weights {path / str(index)}: names {shard!r}; must be a .safetensors file of the folder"
            )
        if not (path / shard).is_file():
            raise InputError(f"weights {path}: {index} names {shard}, which is not there")
        with opened(path / shard) as tensors:
            files.update(dict.fromkeys(tensors.keys(), path / shard))
    return files


@contextmanager
def opened(file: Path) -> Iterator[Any]:
    """Open a safetensors file; what is wrong with it is said in one line."""
    try:
        with safe_open(file, framework="pt") as tensors:
            yield tensors
    except (SafetensorError, OSError) as error:
        raise InputError(f"weights {file}: not a whole safetensors file ({first_line(error)})") from None


def read_json(file: Path) -> dict[str, Any]:
    """Return the object that a JSON file of a folder holds."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(f"weights {file.parent}: has no {file.name} that can be read") from None
    except ValueError as error:
        raise InputError(f"weights {file}: not JSON ({first_line(error)})") from None
    if not isinstance(found, dict):
        raise InputError(f"weights {file}: must hold a JSON object")
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' reports and progress bars off the terminal as long as this lasts."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
