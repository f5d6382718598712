"""Raw activations of chosen stimuli and stages, for those who want to ask their own questions."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import zarr

from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from .outputs import fresh
from .progress import Progress
from .runtime import flushing_denormals, holding_memory
from .schema import stimuli_dataset, subject_attributes
from .session import Session
from .stages import chosen_stages
from .store import ZARR_FORMAT

TILE_SECONDS, LONGEST_SECONDS = 8.0, 600.0


def activations(
    session: Session[Encoder], stimuli: StimulusSet, out: str | Path, *, seconds: float = 1.0
) -> Path:
    """Write the activations themselves to a zarr store, a tile at a time.

    Parameters
    ----------
    session : Session
        At the canonical stages by default.
    stimuli : StimulusSet
        Anything that renders: partials, pitches, chords, recordings.
    out : path
        Must not exist. Group `stimuli` tells what was played; every stage is a group with `activation`
        [stimulus, channel, frame] (integers at stages of codes), nothing trimmed.
    seconds : float > 0
        How long every stimulus sounds.

    Returns
    -------
    out : Path

    Raises
    ------
    InputError
        If a stage is not there, `seconds` not positive, a partial not playable, or `out` exists.
    """
    encoder, stages = session.encoder, chosen_stages(session.encoder, session.stages)
    out = fresh(out)
    if not (seconds <= LONGEST_SECONDS and seconds * encoder.sample_rate >= 1):
        raise InputError(f"seconds {seconds:g}: must be at least a sample, and at most {LONGEST_SECONDS:g} s")
    stimuli.below_nyquist(encoder.sample_rate)
    n_samples = round(seconds * encoder.sample_rate)
    at_once = max(1, int(TILE_SECONDS / seconds))
    partial = fresh(out.with_name(out.name + ".partial"))
    try:
        _write(encoder, stimuli, partial, stages, n_samples, at_once, session.progress)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    os.replace(partial, out)
    return out


def _write(
    encoder: Encoder,
    stimuli: StimulusSet,
    folder: Path,
    stages: Sequence[str],
    n_samples: int,
    at_once: int,
    progress: Progress,
) -> None:
    root = zarr.open_group(str(folder), mode="w", zarr_format=ZARR_FORMAT)
    root.attrs.update(subject_attributes(encoder, "encoder"))
    stimuli_dataset(stimuli).to_zarr(
        str(folder), group="stimuli", mode="w", zarr_format=ZARR_FORMAT, consolidated=False
    )
    arrays: dict[str, zarr.Array] = {}
    advancing = progress.task(encoder.name, len(stimuli))
    with flushing_denormals(), holding_memory(), advancing as advance:
        for start in range(0, len(stimuli), at_once):
            tile = stimuli[start : start + at_once]
            activations_of = encoder.run(
                torch.from_numpy(tile.render(encoder.sample_rate, n_samples)), stages
            )
            for stage, values in activations_of.items():
                block = values.cpu().numpy()  # [b, C, F]
                if stage not in arrays:
                    arrays[stage] = _allocate(root, encoder, stage, len(stimuli), at_once, block)
                arrays[stage][start : start + len(tile)] = block
            advance(len(tile))
    zarr.consolidate_metadata(str(folder), zarr_format=ZARR_FORMAT)


def _allocate(
    root: zarr.Group, encoder: Encoder, stage: str, n_stimuli: int, at_once: int, block: np.ndarray
) -> zarr.Array:
    group = root.create_group(stage)
    about = encoder.stages[stage]
    group.attrs.update(
        {"hop": about.hop, "frame_rate_hz": encoder.sample_rate / about.hop, "kind": about.kind}
    )
    return group.create_array(
        "activation",
        shape=(n_stimuli, *block.shape[1:]),
        chunks=(min(at_once, n_stimuli), *block.shape[1:]),
        dtype=block.dtype,
        fill_value=float("nan") if block.dtype.kind == "f" else None,
        attributes={
            "_ARRAY_DIMENSIONS": ["stimulus", "channel", "frame"],
            "units": "1",
            "long_name": f"activation at {stage}",
        },
    )
