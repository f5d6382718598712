"""Recordings: find audio files, read them safely, resample once and keep the result."""

from __future__ import annotations

import csv
import hashlib
import math
import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from .errors import InputError
from .mp3 import FRAME, with_length

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
MAX_FRAMES = 1 << 29  # three hours at 48 kHz
MAX_CHANNELS = 64
_READ_FRAMES = 1 << 18


@dataclass(frozen=True)
class Recording:
    """An audio file, with what the collection it belongs to says of it.

    Parameters
    ----------
    path : Path
    title : str
        From ``tracks.csv`` in an FMA layout, else the file's name without its ending.
    genre : str
        Top genre from ``tracks.csv``, else "".
    """

    path: Path
    title: str
    genre: str = ""


def find_recordings(folder: str | Path) -> list[Recording]:
    """List the audio files under a folder, in order of their paths.

    An FMA layout (``fma_small/000/000002.mp3``) is known by a ``tracks.csv`` in the folder, in its
    ``fma_metadata``, or in an ``fma_metadata`` beside it.

    Parameters
    ----------
    folder : path
        Searched to any depth for .wav, .flac, .ogg and .mp3 files; hidden ones are left out. Or a single
        such file.

    Raises
    ------
    InputError
        If there is no such folder, no audio in it, or its ``tracks.csv`` is of another make.
    """
    folder = Path(folder)
    if folder.suffix.lower() in SUFFIXES and folder.is_file():
        return [Recording(folder, folder.stem)]
    if not folder.is_dir():
        raise InputError(f"folder {folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not paths:
        raise InputError(f"folder {folder}: holds no audio ({', '.join(SUFFIXES)})")
    places = (folder, folder / "fma_metadata", folder.resolve().parent / "fma_metadata")
    table = next((p / "tracks.csv" for p in places if (p / "tracks.csv").is_file()), None)
    tracks = {} if table is None else _fma_tracks(table)
    known = (tracks.get(int(path.stem) if path.stem.isdecimal() else -1) for path in paths)
    return [
        Recording(path, title or path.stem, genre)
        for path, (title, genre) in zip(paths, (k or ("", "") for k in known), strict=True)
    ]


def _fma_tracks(path: Path) -> dict[int, tuple[str, str]]:
    """Titles and top genres by track number, from FMA's table with its three header rows."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = csv.reader(file)
        header = list(zip(next(rows, []), next(rows, []), strict=False))
        if ("track", "title") not in header or ("track", "genre_top") not in header:
            raise InputError(f"table {path}: not FMA's tracks.csv (columns track/title and track/genre_top)")
        title, genre = header.index(("track", "title")), header.index(("track", "genre_top"))
        return {int(r[0]): (r[title], r[genre]) for r in rows if len(r) == len(header) and r[0].isdecimal()}


def duration_s(path: str | Path) -> float:
    """Length of a recording in seconds, from its header.

    Raises
    ------
    InputError
        If the file is missing, empty, not audio, or too large.
    """
    with _open(Path(path)) as file:
        return file.frames / file.samplerate


def read_recording(
    path: str | Path,
    sample_rate: float,
    start_s: float = 0.0,
    duration_s: float | None = None,
    cache: str | Path | None = None,
) -> np.ndarray:
    """Read a recording, mixed to mono, at a sample rate.

    The whole file is decoded and resampled (soxr, very high quality) the first time; the result is
    kept under the SHA-256 of the file's content and the sample rate.

    Parameters
    ----------
    path : path
        A .wav, .flac, .ogg or .mp3 file.
    sample_rate : float > 0
        Samples per second of the result.
    start_s, duration_s : float
        The part to return; by default all of it.
    cache : path, optional
        Folder for resampled recordings; by default ``tonotopy/recordings`` in ``$XDG_CACHE_HOME``
        or ``~/.cache``.

    Returns
    -------
    waveform : float32 [round(duration_s * sample_rate)]
        The mean of the channels; samples may pass 1 where resampling overshoots.

    Raises
    ------
    InputError
        If the file is missing, empty, not audio, truncated, silent throughout, too large or holds NaN
        or Inf, or if it ends before the requested part does.
    """
    path = Path(path)
    if not (math.isfinite(sample_rate) and sample_rate > 0):
        raise InputError(f"sample rate {sample_rate} Hz: must be a positive, finite number of hertz")
    if not (math.isfinite(start_s) and start_s >= 0):
        raise InputError(f"recording {path}: start {start_s} s must be finite and at least 0")
    whole = _resampled(path, sample_rate, _cache_folder() if cache is None else Path(cache))
    start = round(start_s * sample_rate)
    stop = len(whole) if duration_s is None else start + round(duration_s * sample_rate)
    if not start < stop <= len(whole):
        raise InputError(
            f"recording {path}: lasts {len(whole) / sample_rate:.3f} s, "
            f"cannot play {start / sample_rate:.3f} to {stop / sample_rate:.3f} s"
        )
    return np.array(whole[start:stop])


def content_sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises
    ------
    InputError
        If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"recording {path}: no such file")
    try:
        status = path.stat()
        return _sha256(path.absolute(), status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise InputError(f"recording {path}: cannot be read ({error.strerror})") from None


def level_dbfs(waveform: np.ndarray) -> float:
    """RMS of a waveform in dB re the RMS of a full-scale sine (AES17); -inf for silence.

    Examples
    --------
    >>> round(level_dbfs(0.1 * np.sin(2 * np.pi * np.arange(100) / 10)), 6)
    -20.0
    """
    power = np.mean(np.square(waveform, dtype=np.float64))
    return float(10 * np.log10(2 * power)) if power > 0 else -math.inf


@lru_cache(maxsize=65_536)
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tonotopy" / "recordings"


def _resampled(path: Path, sample_rate: float, cache: Path) -> np.ndarray:
    """Return the whole recording at `sample_rate`, mapped from the cache: float32 [n_samples]."""
    kept = cache / f"{content_sha256(path)}-{sample_rate:.12g}.npy"
    if not kept.is_file():
        waveform, own_rate = _decode(path)
        if own_rate != sample_rate:
            import soxr

            _refuse_long(path, len(waveform), own_rate, sample_rate)
            waveform = soxr.resample(waveform, own_rate, sample_rate, quality="VHQ")
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=".partial-") as partial:
                whole = Path(partial) / kept.name
                np.save(whole, waveform.astype(np.float32))
                os.replace(whole, kept)
        except OSError as error:
            raise InputError(
                f"cache folder {cache}: cannot be written ({error}); set XDG_CACHE_HOME"
            ) from None
    return np.load(kept, mmap_mode="r")


def _refuse_long(path: Path, frames: int, own_rate: int, sample_rate: float) -> None:
    """Raise if a header's odd sample rate would blow the recording up."""
    if frames * sample_rate > MAX_FRAMES * own_rate:
        raise InputError(
            f"recording {path}: {frames} frames at {own_rate} Hz are too many at {sample_rate:g} Hz"
        )


def _open(path: Path):
    """Open an audio file whose header is sane; sizes are checked before anything is decoded."""
    import soundfile

    if not path.is_file():
        raise InputError(f"recording {path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"recording {path}: the file is empty")
    counted = with_length(path) if path.suffix.lower() == ".mp3" else None
    try:
        file = soundfile.SoundFile(path if counted is None else counted)
    except soundfile.LibsndfileError as error:
        raise InputError(f"recording {path}: not audio that can be read ({error.error_string})") from None
    channels, frames = file.channels, file.frames
    problem = ""
    if frames == 0:
        problem = "holds no samples"
    elif not 0 < channels <= MAX_CHANNELS:
        problem = f"{channels} channels; at most {MAX_CHANNELS} are read"
    elif not 0 < frames <= MAX_FRAMES:
        problem = f"{frames} frames; at most {MAX_FRAMES} are read"
    if problem:
        file.close()
        raise InputError(f"recording {path}: {problem}")
    return file


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """Decode a whole file to mono float32 and its own sample rate."""
    import soundfile

    with _open(path) as file:
        blocks, n = [], 0
        try:
            while n < file.frames and len(block := file.read(_READ_FRAMES, dtype="float32", always_2d=True)):
                blocks.append(block.mean(axis=1))
                n += len(block)
        except soundfile.LibsndfileError as error:
            raise InputError(f"recording {path}: corrupt after {n} frames ({error.error_string})") from None
        if n < file.frames - (FRAME if path.suffix.lower() == ".mp3" else 0):
            raise InputError(
                f"recording {path}: truncated, holds {n} of the {file.frames} frames it announces"
            )
        waveform, rate = np.concatenate(blocks), file.samplerate
    if not np.isfinite(waveform).all():
        where = int(np.flatnonzero(~np.isfinite(waveform))[0])
        raise InputError(f"recording {path}: holds NaN or Inf, first at frame {where}")
    if not waveform.any():
        raise InputError(f"recording {path}: silent throughout")
    return waveform, rate
