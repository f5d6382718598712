"""TensorFlow's checkpoints of MusicVAE, as Magenta publishes them; read by TensorFlow itself.

``python -m tonotopy.encoders.musicvae.tensorflow CHECKPOINT OUT.safetensors`` keeps the variables in a
file that needs no TensorFlow. It needs no torch, so it can run where only TensorFlow is installed.
"""

from __future__ import annotations

import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...synth.errors import InputError

_INDEX = ".index"
_DATA = re.compile(r"\.data-\d{5}-of-\d{5}$")
_TRAINING = re.compile(r"/Adam(_1)?$|/opaque_kernel$")  # an optimizer's slots and cuDNN's copies


def read_tensorflow(path: str | Path) -> dict[str, np.ndarray]:
    """Read the variables of a TensorFlow checkpoint that a model needs.

    Parameters
    ----------
    path : path
        A checkpoint's prefix, one of its files (``.index``, ``.data-00000-of-00001``), a folder that
        holds one checkpoint, or a tar archive of one, as published.

    Returns
    -------
    variables : dict of str to array
        Without scalars and an optimizer's slots.

    Raises
    ------
    InputError
        If TensorFlow is not installed, or there is not just one checkpoint, or it cannot be read.
    """
    path = Path(path)
    with _unpacked(path) as folder_or_prefix:
        prefix = _prefix(folder_or_prefix, path)
        try:
            import tensorflow  # pyright: ignore[reportMissingModuleSource]
        except ImportError:
            raise InputError(
                f"checkpoint {path}: TensorFlow, which reads it, is not installed: "
                "pip install 'tonotopy[tensorflow]', or, where TensorFlow is, "
                "python -m tonotopy.encoders.musicvae.tensorflow CHECKPOINT OUT.safetensors"
            ) from None
        try:
            return variables_of(tensorflow.train.load_checkpoint(str(prefix)))
        except Exception as error:  # TensorFlow's own, of many types
            raise InputError(f"checkpoint {path}: TensorFlow cannot read it ({_line(error)})") from None


def variables_of(reader: Any) -> dict[str, np.ndarray]:
    """Return the variables a model needs from a checkpoint's reader (``tf.train.load_checkpoint``)."""
    shapes = reader.get_variable_to_shape_map()
    wanted = sorted(name for name, shape in shapes.items() if shape and not _TRAINING.search(name))
    return {name: reader.get_tensor(name) for name in wanted}


def convert(source: str | Path, target: str | Path) -> list[str]:
    """Write a TensorFlow checkpoint's variables to a safetensors file; return their names.

    Raises
    ------
    InputError
        As `read_tensorflow`, or if the target is not named ``.safetensors`` or cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    target = Path(target)
    if target.suffix != ".safetensors":
        raise InputError(f"output {target}: must be named .safetensors")
    variables = read_tensorflow(source)
    try:
        save_file({name: np.ascontiguousarray(values) for name, values in variables.items()}, target)
    except (SafetensorError, OSError) as error:
        raise InputError(f"output {target}: cannot be written ({_line(error)})") from None
    return list(variables)


def is_checkpoint(path: Path) -> bool:
    """Say whether a path looks like a TensorFlow checkpoint, in any of the forms `read_tensorflow` takes."""
    if path.is_dir():
        return any(path.glob(f"*{_INDEX}"))
    if not path.is_file():
        return _beside(path, _INDEX).is_file()
    return path.suffix in (_INDEX, ".tar") or bool(_DATA.search(path.name)) or tarfile.is_tarfile(path)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Give the path itself, or a folder that lasts as long as the context with what the archive holds."""
    if not (path.is_file() and path.suffix != _INDEX and not _DATA.search(path.name)):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="tonotopy-") as folder:
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    name = Path(member.name).name  # members are laid flat: none can leave the folder
                    if member.isfile() and (name.endswith(_INDEX) or _DATA.search(name)):
                        content = archive.extractfile(member)
                        assert content is not None  # it is a file
                        with content, (Path(folder) / name).open("wb") as file:
                            shutil.copyfileobj(content, file)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise InputError(f"checkpoint {path}: not a whole tar archive ({_line(error)})") from None
        yield Path(folder)


def _prefix(path: Path, origin: Path) -> Path:
    """Return what all files of a checkpoint begin with."""
    if path.is_dir():
        found = sorted(path.glob(f"*{_INDEX}"))
        if len(found) != 1:
            names = ", ".join(file.name for file in found[:4]) or "none"
            raise InputError(f"checkpoint {origin}: must hold one checkpoint's .index file, holds {names}")
        path = found[0]
    prefix = path.with_name(_DATA.sub("", path.name.removesuffix(_INDEX)))
    if not _beside(prefix, _INDEX).is_file():
        raise InputError(f"checkpoint {origin}: there is no {prefix.name}{_INDEX}")
    if not any(_DATA.search(file.name) for file in prefix.parent.glob(f"{prefix.name}.data-*")):
        raise InputError(
            f"checkpoint {origin}: there is no {prefix.name}.data-00000-of-00001 beside its .index"
        )
    return prefix


def _beside(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(prefix.name + suffix)


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:160]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m tonotopy.encoders.musicvae.tensorflow CHECKPOINT OUT.safetensors")
    try:
        names = convert(*sys.argv[1:])
    except InputError as error:
        raise SystemExit(str(error)) from None
    print(f"{sys.argv[2]}: {len(names)} variables")
