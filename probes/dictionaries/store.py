"""Activations on disk: rows with the clip and the frame that each is of, in shards of one size."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...encoders.training.folder import replace_file
from ...synth.errors import InputError
from .rows import generator, whole_batches

INDEX, VERSION = "store.json", 1
SHARD_BYTES = 16 << 20
WINDOW = 8  # shards that are in memory at a time
_KINDS = ("rows", "clips", "frames")


class ActivationStore:
    """A folder of activations, written once in order and read at random.

    Rows lie in shards of one size, ``rows-00000.npy`` and so on, with their clips and frames beside them,
    and an index that says how many rows are there, whose they are, and whether there will be more. Every
    file is written beside its place and renamed, the index last: what it counts is there.

    Made by `ActivationStore.create` and `open_store`.
    """

    def __init__(self, path: Path, index: Mapping[str, Any]) -> None:
        self.path, self.width, self.identity = path, int(index["width"]), dict(index["identity"])
        self.shard_rows, self.finished = int(index["shard_rows"]), bool(index["finished"])
        self._stored = int(index["rows"])
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for shard in range(self.shards):
            for kind in _KINDS:
                self._check(shard, kind)

    @classmethod
    def create(
        cls, path: str | Path, width: int, identity: Mapping[str, Any], shard_bytes: int = SHARD_BYTES
    ) -> ActivationStore:
        """Begin a store, or go on with one that was begun for the same activations.

        Parameters
        ----------
        path : path
            A folder: new, empty, or a store.
        width : int > 0
        identity : mapping
            Whose activations they are, in plain values: model, stage, SHA-256 of the weights, digest of the
            corpus, settings.
        shard_bytes : int > 0
            Size of a shard, about.

        Returns
        -------
        store : ActivationStore
            Of one that was half written the complete shards are there: go on after the last row.

        Raises
        ------
        InputError
            If the folder holds another's activations or something else, or a shard of it is damaged.
        """
        if width < 1 or shard_bytes < 1:
            raise InputError(f"store of width {width}, shards of {shard_bytes} bytes: both must be positive")
        path, own = Path(path), json.loads(json.dumps(dict(identity)))
        if (path / INDEX).is_file():
            store = open_store(path, finished=False)
            for name, there, here in _differences(
                {"width": store.width, **store.identity}, {"width": width, **own}
            ):
                raise InputError(
                    f"store {path}: holds other activations ({name} is {json.dumps(there)} there and "
                    f"{json.dumps(here)} here): name another folder"
                )
            return store
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InputError(f"store {path}: exists and holds something else")
        path.mkdir(parents=True, exist_ok=True)
        shard_rows = max(1, shard_bytes // (4 * width))
        index = {"width": width, "identity": own, "shard_rows": shard_rows, "finished": False, "rows": 0}
        store = cls(path, index)
        store._write_index()
        return store

    def __len__(self) -> int:
        """Rows on disk."""
        return self._stored

    @property
    def _waits(self) -> int:
        """Rows that wait for their shard to be full."""
        return sum(len(part[0]) for part in self._waiting)

    @property
    def shards(self) -> int:
        """Shards on disk; all but the last of a finished store have as many rows."""
        return -(-self._stored // self.shard_rows)

    @property
    def last(self) -> tuple[int, int] | None:
        """Clip and frame of the last row on disk, after which an interrupted writer goes on."""
        if not self._stored:
            return None
        clips, frames = self.places(self._stored - 1, self._stored)
        return int(clips[0]), int(frames[0])

    def append(self, rows: Tensor, clips: np.ndarray, frames: np.ndarray) -> None:
        """Add rows after the last; whole shards of them go to disk.

        Parameters
        ----------
        rows : float32 [n, d]
        clips, frames : int [n]
            Number of the clip that a row is of, and of the frame in it.

        Raises
        ------
        InputError
            If the store is finished, shapes do not fit, or a row holds NaN or Inf.
        """
        if self.finished:
            raise InputError(f"store {self.path}: is finished; nothing can be added")
        values = rows.detach().cpu().numpy().astype(np.float32)
        if values.ndim != 2 or values.shape[1] != self.width:
            raise InputError(f"activations of shape {values.shape}: the store's are [rows, {self.width}]")
        places = [np.asarray(p) for p in (clips, frames)]
        for name, place in zip(("clips", "frames"), places, strict=True):
            if place.shape != (len(values),) or place.dtype.kind not in "iu":
                raise InputError(
                    f"{name} of shape {place.shape} and {place.dtype}: must be {len(values)} integers"
                )
            if len(place) and not 0 <= int(place.min()) <= int(place.max()) < 2**31:
                raise InputError(f"{name} from {place.min()} to {place.max()}: must be 0 to {2**31 - 1}")
        if not np.isfinite(values).all():
            bad = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
            raise InputError(f"activations: clip {places[0][bad]}, frame {places[1][bad]} holds NaN or Inf")
        of_clips, of_frames = places[0].astype(np.int32), places[1].astype(np.int32)
        at = 0
        while at < len(values):
            taken = min(self.shard_rows - self._waits, len(values) - at)
            piece = slice(at, at + taken)
            self._waiting.append((values[piece], of_clips[piece], of_frames[piece]))
            at += taken
            if self._waits == self.shard_rows:
                self._write_shard()

    def finish(self) -> None:
        """Write what is left and mark the store as whole.

        Raises
        ------
        InputError
            If it is empty.
        """
        if not (self._stored or self._waits):
            raise InputError(f"store {self.path}: no activations were added")
        self.finished = True  # before the last shard: a shorter one can have none after it
        if self._waits:
            self._write_shard()
        else:
            self._write_index()

    def rows(self, start: int, stop: int) -> Tensor:
        """Return rows ``start:stop``, float32 [n, d].

        Raises
        ------
        InputError
            If they are not all there.
        """
        return torch.from_numpy(self._between("rows", start, stop))

    def places(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return clip and frame of rows ``start:stop``, two of int32 [n]."""
        return self._between("clips", start, stop), self._between("frames", start, stop)

    def batches_per_epoch(self, batch_size: int) -> int:
        """Return how many batches `batches` yields.

        Raises
        ------
        InputError
            If not even one fits into a window of shards.
        """
        return whole_batches(self._window_rows(), batch_size)

    def batches(self, seed: int, epoch: int, batch_size: int, first: int = 0) -> Iterator[Tensor]:
        """Yield rows at random: shards are drawn into windows of a few, and rows within a window.

        A window is all that is in memory, however many rows there are. What is left over of a window, less
        than a batch, is passed over; in another epoch it is of other rows.

        Parameters
        ----------
        seed, epoch : int
            All draws follow from these.
        batch_size : int > 0
        first : int
            Batches to leave out at the beginning, without reading them.

        Yields
        ------
        rows : float32 [batch_size, d]
        """
        sizes, drawn = self._window_rows(), self._windows(generator(seed, epoch, 0))
        self.batches_per_epoch(batch_size)
        done = 0
        window = np.empty((max(sizes), self.width), np.float32)
        for number, (size, shards) in enumerate(zip(sizes, drawn, strict=True)):
            count, skipped = size // batch_size, max(0, first - done)
            done += count
            if skipped >= count:
                continue
            at = 0
            for shard in shards:
                some = self._load(shard, "rows")
                window[at : at + len(some)] = some
                at += len(some)
            order = generator(seed, epoch, 1 + number).permutation(size)
            for batch in range(skipped, count):
                yield torch.from_numpy(window[order[batch * batch_size : (batch + 1) * batch_size]])

    def _window_rows(self) -> list[int]:
        """Return the rows of every window: the same in every epoch, as the last shard is in the last."""
        shards = self.shards
        parts = np.array_split(np.arange(shards), max(1, -(-shards // WINDOW)))
        missing = shards * self.shard_rows - self._stored
        return [len(part) * self.shard_rows - missing * (i + 1 == len(parts)) for i, part in enumerate(parts)]

    def _windows(self, draws: np.random.Generator) -> list[np.ndarray]:
        order = np.append(draws.permutation(self.shards - 1), self.shards - 1)
        return np.array_split(order, max(1, -(-self.shards // WINDOW)))

    def _between(self, kind: str, start: int, stop: int) -> np.ndarray:
        if not 0 <= start < stop <= self._stored:
            raise InputError(f"rows {start} to {stop} of store {self.path}: there are 0 to {self._stored}")
        found = []
        for shard in range(start // self.shard_rows, -(-stop // self.shard_rows)):
            before = shard * self.shard_rows
            found.append(self._load(shard, kind)[max(0, start - before) : stop - before])
        return np.concatenate(found)

    def _file(self, shard: int, kind: str) -> Path:
        return self.path / f"{kind}-{shard:05d}.npy"

    def _shape(self, shard: int, kind: str) -> tuple[int, ...]:
        rows = min(self.shard_rows, self._stored - shard * self.shard_rows)
        return (rows, self.width) if kind == "rows" else (rows,)

    def _check(self, shard: int, kind: str) -> None:
        """See that a shard is there whole, by its size."""
        path, least = self._file(shard, kind), _file_bytes(self._shape(shard, kind))
        if not path.is_file():
            raise InputError(f"store {self.path}: shard {path.name} is missing")
        if (size := path.stat().st_size) < least:
            raise InputError(f"store {self.path}: shard {path.name} is truncated: {size} of {least} bytes")

    def _load(self, shard: int, kind: str) -> np.ndarray:
        self._check(shard, kind)
        path, shape = self._file(shard, kind), self._shape(shard, kind)
        try:
            found = np.load(path)
        except (ValueError, EOFError, OSError) as error:
            first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"store {self.path}: shard {path.name} cannot be read ({first_line})") from None
        if found.shape != shape or found.dtype != (np.float32 if kind == "rows" else np.int32):
            raise InputError(
                f"store {self.path}: shard {path.name} holds {found.dtype} {found.shape}: must be {shape}"
            )
        return found

    def _write_shard(self) -> None:
        shard = self.shards
        for kind, parts in zip(_KINDS, zip(*self._waiting, strict=True), strict=True):
            content = io.BytesIO()
            np.save(content, np.concatenate(parts))
            replace_file(self._file(shard, kind), content.getvalue())
        self._stored += self._waits
        self._waiting = []
        self._write_index()

    def _write_index(self) -> None:
        index = {
            "version": VERSION,
            "width": self.width,
            "identity": self.identity,
            "shard_rows": self.shard_rows,
            "rows": self._stored,
            "finished": self.finished,
        }
        replace_file(self.path / INDEX, json.dumps(index, indent=1).encode())


def open_store(path: str | Path, finished: bool = True) -> ActivationStore:
    """Open a store of activations.

    Parameters
    ----------
    path : path
    finished : bool
        Refuse one that is half written.

    Raises
    ------
    InputError
        If there is none, it is half written, or a shard is missing or truncated.
    """
    path = Path(path)
    try:
        index = json.loads((path / INDEX).read_text())
    except FileNotFoundError:
        raise InputError(f"store {path}: there is none") from None
    except (ValueError, OSError) as error:
        raise InputError(f"store {path}: {INDEX} cannot be read ({error})") from None
    if not isinstance(index, dict) or index.get("version") != VERSION:
        raise InputError(f"store {path}: {INDEX} is of another version")
    try:
        store = ActivationStore(path, index)
    except (KeyError, TypeError) as error:
        raise InputError(f"store {path}: {INDEX} is damaged ({error})") from None
    if finished and not store.finished:
        raise InputError(f"store {path}: is half written ({len(store):,} rows): run again what writes it")
    return store


def _file_bytes(shape: tuple[int, ...]) -> int:
    """Return the size of a file of numbers of four bytes, with the header that numpy writes."""
    header = io.BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, about)
    return header.tell() + 4 * int(np.prod(shape))


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield where two identities differ: name, value there, value here."""
    for key in {**there, **here}:
        a, b = there.get(key), here.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from ((f"{key}.{name}", one, other) for name, one, other in _differences(a, b))
        elif a != b:
            yield key, a, b
