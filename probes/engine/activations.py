"""Raw activations of chosen stimuli and stages, for those who want to ask their own questions."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr
import zarr

from ...encoders.base import Encoder
from ...synth.contexts import whole_recordings
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from .outputs import fresh
from .runtime import flushing_denormals, holding_memory
from .schema import stimuli_dataset, subject_attributes
from .session import Session
from .stages import chosen_stages
from .store import ZARR_FORMAT

TILE_SECONDS, LONGEST_SECONDS = 8.0, 600.0
USUAL_SECONDS = 1.0  # of what lasts as long as one likes
CHUNK_VALUES = 1 << 20  # of a long recording, in one chunk


def activations(
    session: Session[Encoder],
    stimuli: StimulusSet | str | Path,
    out: str | Path,
    *,
    seconds: float | None = None,
    strict: bool = False,
) -> Path:
    """Write the activations themselves to a zarr store, a tile at a time.

    Parameters
    ----------
    session : Session
        At the canonical stages by default.
    stimuli : StimulusSet or path
        Anything that renders: partials, pitches, chords, recordings. A path is an audio file, or a folder
        of them: each is encoded as a whole. What cannot be read, or is too short for a frame, is left
        out; the root attribute `left_out` says what and why, as it says what was cut.
    out : path
        Must not exist. Group `stimuli` tells what was played; every stage is a group with `activation`
        [stimulus, channel, frame], nothing trimmed; at stages of codes [stimulus, codebook, frame], integers.
        Coordinates: the stimulus's name and what else is known of it, `time_s` of each frame (that of its
        number times hop), and `n_frames` of each stimulus: beyond them NaN, or -1 of codes.
    seconds : float > 0, optional
        How long every stimulus sounds, by default one second; a recording at most so long, from its middle,
        by default as long as it lasts, but for ten minutes.
    strict : bool
        Raise where something would be left out.

    Returns
    -------
    out : Path

    Raises
    ------
    InputError
        If a stage is not there, `seconds` not positive, a partial not playable, no recording can be read, or
        `out` exists.
    """
    encoder, stages = session.encoder, chosen_stages(session.encoder, session.stages)
    out = fresh(out)
    if seconds is not None and not (seconds <= LONGEST_SECONDS and seconds * encoder.sample_rate >= 1):
        raise InputError(f"seconds {seconds:g}: must be at least a sample, and at most {LONGEST_SECONDS:g} s")
    left_out: list[str] = []
    are_files = not isinstance(stimuli, StimulusSet)
    if not isinstance(stimuli, StimulusSet):
        stimuli, unread = whole_recordings(stimuli, seconds)
        if strict and unread:
            raise InputError(unread[0])
        left_out += unread
    stimuli.below_nyquist(encoder.sample_rate)
    partial = fresh(out.with_name(out.name + ".partial"))
    lengths = _lengths(encoder, stimuli, seconds)
    if seconds is None:
        left_out += _too_long(stimuli)
    try:
        _write(session, stimuli, partial, stages, lengths, left_out, are_files, strict)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    os.replace(partial, out)
    return out


def _lengths(encoder: Encoder, stimuli: StimulusSet, seconds: float | None) -> np.ndarray:
    """Return how many samples of each stimulus are played."""
    rate = encoder.sample_rate
    if "duration_s" in stimuli.coordinates:
        lasts = np.minimum(stimuli.coordinates["duration_s"], LONGEST_SECONDS if seconds is None else seconds)
        return np.floor(lasts * rate + 1e-6).astype(int)
    return np.full(len(stimuli), round((USUAL_SECONDS if seconds is None else seconds) * rate))


def _too_long(stimuli: StimulusSet) -> list[str]:
    """Say of which recordings only the beginning is encoded, though nobody asked for that."""
    lasts = np.asarray(stimuli.coordinates.get("duration_s", np.zeros(len(stimuli))))
    too_long = zip(stimuli.labels[lasts > LONGEST_SECONDS], lasts[lasts > LONGEST_SECONDS], strict=True)
    return [
        f"recording {name}: {s - LONGEST_SECONDS:.0f} s after {LONGEST_SECONDS:g} s" for name, s in too_long
    ]


def _blocks(lengths: np.ndarray, sample_rate: float) -> Iterator[np.ndarray]:
    """Yield rows that are played at once: one after another, of one length, together 8 s or a single one."""
    start = 0
    while start < len(lengths):
        at_once = max(1, int(TILE_SECONDS * sample_rate / max(1, lengths[start])))
        alike = lengths[start : start + at_once] == lengths[start]
        rows = np.arange(start, start + (len(alike) if alike.all() else int(alike.argmin())))
        yield rows
        start = int(rows[-1]) + 1


def _write(
    session: Session[Encoder],
    stimuli: StimulusSet,
    folder: Path,
    stages: Sequence[str],
    lengths: np.ndarray,
    left_out: list[str],
    are_files: bool,
    strict: bool,
) -> None:
    encoder = session.encoder
    root = zarr.open_group(str(folder), mode="w", zarr_format=ZARR_FORMAT)
    root.attrs.update(subject_attributes(encoder, "encoder"))
    kept: list[int] = []
    n_frames: dict[str, list[int]] = {stage: [] for stage in stages}
    arrays: dict[str, zarr.Array] = {}
    names, shortest = stimuli.labels, max(encoder.stages[s].latency for s in stages) + 1
    with (
        flushing_denormals(),
        holding_memory(),
        session.progress.task(encoder.name, len(stimuli)) as advance,
    ):
        for rows in _blocks(lengths, encoder.sample_rate):
            advance(len(rows))
            try:
                if are_files and lengths[rows[0]] < shortest:
                    raise InputError(f"recording {names[rows[0]]}: {lengths[rows[0]]} samples give no frame")
                waveforms = stimuli[rows].render(encoder.sample_rate, int(lengths[rows[0]]))
            except InputError as reason:
                if strict or not are_files:
                    raise
                left_out.append(str(reason))
                continue
            for stage, values in encoder.run(torch.from_numpy(waveforms), stages).items():
                block = values.cpu().numpy()  # [b, C, F]
                _put(root, arrays, encoder, stage, block, len(kept), lengths)
                n_frames[stage] += [block.shape[-1]] * len(rows)
            kept += rows.tolist()
    if not kept:
        raise InputError(left_out[0])
    played = stimuli[kept]
    root.attrs["left_out"] = left_out
    stimuli_dataset(played).to_zarr(
        str(folder), group="stimuli", mode="w", zarr_format=ZARR_FORMAT, consolidated=False
    )
    for stage, array in arrays.items():
        array.resize((len(kept), *array.shape[1:]))
        if array.dtype.kind != "f":
            for row, there in enumerate(n_frames[stage]):
                array[row, :, there:] = -1
        _coordinates(encoder, stage, played, n_frames[stage], array.shape).to_zarr(
            str(folder), group=stage, mode="a", zarr_format=ZARR_FORMAT, consolidated=False
        )
    zarr.consolidate_metadata(str(folder), zarr_format=ZARR_FORMAT)


def _put(
    root: zarr.Group,
    arrays: dict[str, zarr.Array],
    encoder: Encoder,
    stage: str,
    block: np.ndarray,
    at: int,
    lengths: np.ndarray,
) -> None:
    """Write a block [b, C, F] of a stage; the array grows to the longest there is."""
    if stage not in arrays:
        arrays[stage] = _allocate(root, encoder, stage, lengths, block)
    array = arrays[stage]
    if block.shape[-1] > array.shape[-1]:
        array.resize((*array.shape[:2], block.shape[-1]))
    array[at : at + len(block), :, : block.shape[-1]] = block


def _allocate(
    root: zarr.Group, encoder: Encoder, stage: str, lengths: np.ndarray, block: np.ndarray
) -> zarr.Array:
    group = root.create_group(stage)
    about, (rows, channels, frames) = encoder.stages[stage], block.shape
    group.attrs.update(
        {"hop": about.hop, "frame_rate_hz": encoder.sample_rate / about.hop, "kind": about.kind}
    )
    if (lengths != lengths[0]).any():
        rows, frames = 1, max(1, CHUNK_VALUES // channels)
    return group.create_array(
        "activation",
        shape=(len(lengths), *block.shape[1:]),
        chunks=(rows, channels, frames),
        dtype=block.dtype,
        fill_value=float("nan") if block.dtype.kind == "f" else None,  # readers would mask a number
        attributes={
            "_ARRAY_DIMENSIONS": ["stimulus", _along(encoder, stage), "frame"],
            "units": "1",
            "long_name": f"activation at {stage}",
        },
    )


def _along(encoder: Encoder, stage: str) -> str:
    return "channel" if encoder.stages[stage].has_power else "codebook"


def _coordinates(
    encoder: Encoder, stage: str, played: StimulusSet, n_frames: Sequence[int], shape: Sequence[int]
) -> xr.Dataset:
    """Return what the activations of a stage are selected by."""
    along, frame = _along(encoder, stage), np.arange(shape[2])
    time_s = frame * encoder.stages[stage].hop / encoder.sample_rate
    about: Mapping[str, tuple[str, np.ndarray, str, str]] = {
        "stimulus": ("stimulus", played.labels, "1", "what the stimulus is called"),
        "n_frames": ("stimulus", np.array(n_frames), "frames", "frames of the stimulus; beyond is padding"),
        "frame": ("frame", frame, "frames", "number of the frame, from 0"),
        "time_s": ("frame", time_s, "s", "number of the frame times hop"),
        along: (along, np.arange(shape[1]) + (along == "codebook"), "1", f"number of the {along}"),
    }
    stored = stimuli_dataset(played)
    known = {str(n).removeprefix("coordinate_"): v for n, v in stored.items() if v.dims == ("stimulus",)}
    return xr.Dataset(
        coords={name: values.variable for name, values in known.items() if name != "context_index"}
        | {
            name: xr.Variable((dim,), values, {"units": units, "long_name": long_name})
            for name, (dim, values, units, long_name) in about.items()
        }
    )
