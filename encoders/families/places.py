"""Where a published model is: in a folder, on the hub, or in the table of those that are known."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ...synth.errors import InputError
from ..from_file import check_place
from ..hub import fetched, files_of, read_json, tensors_of
from ..weights import read_state
from .known import known

CONFIG, PREPROCESSOR, PIPELINE = "config.json", "preprocessor_config.json", "model_index.json"
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
PICKLE = "pytorch_model.bin"  # which older models have alone
PARTS = ("AutoencoderOobleck",)  # of a pipeline's, those that are encoders


@dataclass(frozen=True)
class Place:
    """What there is of a model.

    Parameters
    ----------
    about : mapping
        What its ``config.json`` holds.
    preprocessor : mapping
        The same of its preprocessor; empty if it has none.
    folder : Path, optional
        With its weights; None where none are wanted.
    commit : str
        Of the hub; "" of a folder of one's own.
    """

    about: Mapping[str, Any]
    preprocessor: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    commit: str = ""


def place_of(place: str, with_weights: bool = True) -> Place:
    """Return what there is of a model, downloaded if need be.

    Parameters
    ----------
    place : str
        "ORG/NAME", "ORG/NAME@REVISION", or a folder.
    with_weights : bool
        Otherwise none are fetched, and of known models nothing at all.

    Raises
    ------
    InputError
        If there is no such model, or it cannot be had.
    """
    check_place(place)
    row = known(f"hf:{place}")
    if row is not None and row.config and not with_weights:
        return Place(row.config, row.preprocessor)
    if Path(place).is_dir():
        folder, commit = _part(Path(place)), ""
    else:
        repository, _, revision = place.partition("@")
        root = fetched(repository, revision or None, (CONFIG, PREPROCESSOR, PIPELINE), _is_described)
        folder, commit = _part(root), root.name
        if with_weights:
            within = "" if folder == root else f"{folder.name}/"
            _fetch_weights(repository, revision or root.name, within)
    preprocessor = folder / PREPROCESSOR
    return Place(
        read_json(folder / CONFIG),
        read_json(preprocessor) if preprocessor.is_file() else {},
        folder if with_weights else None,
        commit,
    )


def state_of(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of a folder; safetensors, or the pickle of older models if it has nothing else.

    Raises
    ------
    InputError
        If there are none, one cannot be read, or the pickle holds more than tensors.
    """
    has_others = any(next(folder.glob(pattern), None) for pattern in WEIGHTS)
    if has_others or not (folder / PICKLE).is_file():
        return tensors_of(files_of(folder))
    state = read_state(folder / PICKLE)
    spoilt = next((k for k, v in state.items() if v.is_floating_point() and not v.isfinite().all()), None)
    if spoilt is not None:
        raise InputError(f"weights {folder / PICKLE}: {spoilt!r} holds NaN or Inf")
    return state


def _is_described(folder: Path) -> bool:
    return (folder / CONFIG).is_file() or (folder / PIPELINE).is_file()


def _part(folder: Path) -> Path:
    """Return the folder of a model; of a pipeline's, that of the part that is an encoder."""
    if (folder / CONFIG).is_file() or not (folder / PIPELINE).is_file():
        return folder
    parts = read_json(folder / PIPELINE).items()
    found = next((key for key, v in parts if isinstance(v, list) and v[-1:] and v[-1] in PARTS), None)
    if found is None or Path(found).name != found:
        raise InputError(
            f"weights {folder}: {PIPELINE} names no part that is known; known are {', '.join(PARTS)}"
        )
    return folder / found


def _fetch_weights(repository: str, revision: str, within: str) -> None:
    """Fetch the safetensors of a folder of the hub, or the pickle where there are none."""

    def is_whole(root: Path) -> bool:
        with suppress(InputError):
            return bool(files_of(root / within))
        return False

    patterns = [within + name for name in (CONFIG, PREPROCESSOR, *WEIGHTS)]
    root = fetched(repository, revision, patterns, lambda root: is_whole(root) or _has_pickle(root, within))
    if not is_whole(root) and not _has_pickle(root, within):
        fetched(repository, revision, [within + PICKLE], lambda root: _has_pickle(root, within))


def _has_pickle(root: Path, within: str) -> bool:
    return (root / within / PICKLE).is_file()
