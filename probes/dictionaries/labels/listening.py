"""Sounds of clips for models that listen: batches of one length, and other sample rates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....synth.errors import InputError
from ...engine.progress import Progress
from .base import SILENT, Evidence

NEEDS_TRANSFORMERS = "need transformers: pip install 'tonotopy[models]'"
_SAMPLES_AT_ONCE = 2_000_000


def resample(waveforms: np.ndarray, own_rate: int, sample_rate: int) -> np.ndarray:
    """Bring waveforms [..., T] to another sample rate, Hz (soxr, very high quality).

    Examples
    --------
    >>> resample(np.zeros((2, 441), dtype=np.float32), 44_100, 22_050).shape
    (2, 221)
    """
    if own_rate == sample_rate:
        return waveforms
    import soxr

    rows = [soxr.resample(row, own_rate, sample_rate, quality="VHQ") for row in np.atleast_2d(waveforms)]
    return np.stack(rows).astype(np.float32).reshape(*waveforms.shape[:-1], -1)


def for_each_clip(
    evidence: Evidence,
    work: Callable[[np.ndarray], np.ndarray],
    task: str,
    progress: Progress = SILENT,
) -> np.ndarray:
    """Let a model listen to all clips, several of one length at a time.

    Parameters
    ----------
    evidence : Evidence
    work : callable
        Waveforms float32 [B, T] -> float [B, C].
    task : str
        What progress calls it.
    progress : Progress

    Returns
    -------
    found : float32 [n_clips, C]

    Raises
    ------
    InputError
        If a clip has no sound, or something is not finite or not as many as there are clips.
    """
    n = len(evidence.activation)
    rows: list[np.ndarray | None] = [None] * n
    waiting: dict[int, list[tuple[int, np.ndarray]]] = {}

    def empty(batch: list[tuple[int, np.ndarray]]) -> None:
        found = np.asarray(work(np.stack([sound for _, sound in batch])), dtype=np.float32)
        if found.ndim != 2 or len(found) != len(batch) or not np.isfinite(found).all():
            raise InputError(f"{task}: {list(found.shape)} for {len(batch)} clips, finite [B, C] wanted")
        for (clip, _), row in zip(batch, found, strict=True):
            rows[clip] = row
        batch.clear()

    with progress.task(task, n) as advance:
        for clip in range(n):
            sound = evidence.sound(clip)
            batch = waiting.setdefault(len(sound), [])
            batch.append((clip, sound))
            if (len(batch) + 1) * len(sound) > _SAMPLES_AT_ONCE:
                empty(batch)
            advance(1)
        for batch in waiting.values():
            if batch:
                empty(batch)
    return np.stack([row for row in rows if row is not None])
