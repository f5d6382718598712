"""Audio for training: decoded once into one flat file, then read in random crops."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...synth.errors import InputError
from ...synth.recordings import read_recording


@dataclass(frozen=True)
class AudioStore:
    """Recordings of any length in one memory-mapped file.

    Parameters
    ----------
    samples : int16 [n_samples]
        All recordings, one after another, each at full scale.
    first : int64 [n_recordings + 1]
        Recording i is ``samples[first[i]:first[i + 1]]``.
    peak : float32 [n_recordings]
        What full scale stands for.
    kept : int64 [n_recordings]
        Which of the requested files each recording is.
    unreadable : tuple of str
        Why each of the others is not here.
    """

    samples: np.ndarray
    first: np.ndarray
    peak: np.ndarray
    kept: np.ndarray
    unreadable: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.peak)

    def whole(self, index: int, at_least: int = 1) -> np.ndarray:
        """Return a recording as float32 [T], repeated until it has `at_least` samples."""
        own = self.samples[self.first[index] : self.first[index + 1]]
        own = own if len(own) >= at_least else np.resize(own, at_least)
        return own.astype(np.float32) * (self.peak[index] / 32767)

    def crop(self, index: int, length: int, rng: np.random.Generator) -> np.ndarray:
        """Return float32 [length] from a random place; of two places the louder, since pieces have rests."""
        start, stop = self.first[index : index + 2]
        if stop - start <= length:
            return self.whole(index, length)[:length]
        places = rng.integers(start, stop - length + 1, size=2)
        crops = [self.samples[p : p + length].astype(np.float32) for p in places]
        return max(crops, key=lambda crop: float(crop @ crop)) * (self.peak[index] / 32767)


def store_audio(files: Sequence[Path], sample_rate: int, path: Path, progress: bool = False) -> AudioStore:
    """Decode files into ``path`` (int16) and ``path.json``, or open what an earlier call left there.

    A file that cannot be used (missing, corrupt, empty, silent, NaN) is left out and named in
    `unreadable`.

    Raises
    ------
    InputError
        If no file can be used.
    """
    key = hashlib.sha256(repr([sample_rate, *map(fingerprint, files)]).encode()).hexdigest()
    index = path.with_name(path.name + ".json")
    known = json.loads(index.read_text()) if index.is_file() and path.is_file() else {}
    if known.get("key") != key:
        known = _decode_all(files, sample_rate, path, progress) | {"key": key}
        part = index.with_name(index.name + ".part")
        part.write_text(json.dumps(known))
        os.replace(part, index)
    if not known["kept"]:
        raise InputError(f"none of {len(files)} audio files can be used; the first: {known['unreadable'][0]}")
    return AudioStore(
        np.memmap(path, np.int16, mode="r"),
        np.cumsum([0, *known["lengths"]]),
        np.array(known["peaks"], dtype=np.float32),
        np.array(known["kept"]),
        tuple(known["unreadable"]),
    )


def fingerprint(file: Path) -> tuple[str, int, int]:
    """Return what tells a file from another, and from itself changed: name, size and time."""
    try:
        facts = file.stat()
    except OSError:
        return str(file), -1, -1
    return str(file), facts.st_size, facts.st_mtime_ns


def _decode_all(files: Sequence[Path], sample_rate: int, path: Path, progress: bool) -> dict[str, list]:
    from rich.progress import track

    known: dict[str, list] = {"lengths": [], "peaks": [], "kept": [], "unreadable": []}
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as opened:
        for number, file in enumerate(track(files, "decoding", disable=not progress)):
            try:
                samples = decode(file, sample_rate)
            except InputError as error:
                known["unreadable"].append(str(error))
                continue
            peak = float(np.abs(samples).max())
            opened.write(np.round(samples * (32767 / peak)).astype("<i2").tobytes())
            known["lengths"].append(len(samples))
            known["peaks"].append(peak)
            known["kept"].append(number)
    os.replace(part, path)
    return known


def decode(file: Path, sample_rate: int) -> np.ndarray:
    """Read a whole recording as mono float32 [T] at `sample_rate`; see `read_recording`."""
    with TemporaryDirectory() as cache:  # the store is the cache
        return read_recording(file, sample_rate, cache=cache)
