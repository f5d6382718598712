"""What measures have in common: which stages, which frames, and what stimuli must be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...encoders.base import CANONICAL_STAGES, Encoder, Stage, canonical_stages, check_stages
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from .respond import Plan
from .session import Session

SAMPLED_FRAMES, LINEAR_FRAMES = 256, 16


def chosen_stages(encoder: Encoder, stages: Sequence[str] | None) -> list[str]:
    """Return the stages requested, each once; by default the canonical ones, or all if there are none."""
    if stages is None:
        return canonical_stages(encoder) or list(encoder.stages)
    if not stages:
        raise InputError(f"{encoder.name}: no stage requested; it has {', '.join(encoder.stages)}")
    return list(dict.fromkeys(check_stages(encoder, list(stages))))


def readable_stages(encoder: Encoder, stages: Sequence[str] | None) -> list[str]:
    """Return the stages requested; by default the canonical ones but codes, and each number of codebooks."""
    if stages is not None:
        return chosen_stages(encoder, stages)
    vectors = [s for s in encoder.stages if encoder.stages[s].has_power]
    known = [s for s in vectors if s in CANONICAL_STAGES or encoder.stages[s].codebooks]
    return known or vectors or list(encoder.stages)


def resolving_length(encoder: Encoder, stage: Stage) -> int:
    """Return the L whose ``fs / (2 L)`` resolves a stage: its receptive field, or the longest bounded."""
    return stage.receptive_field or max((s.receptive_field or 1) for s in encoder.stages.values())


def tone_response(
    stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor
) -> dict[str, Tensor]:
    """Reduce steady frames [b, K, C, F] to the response of each channel, re the stimulus's RMS: [b, C].

    Of many frames some are looked at; see `sampled_frames`.
    """
    n_frames = activations.shape[-1]
    chosen = sampled_frames(stage, n_frames)
    if len(chosen) < n_frames:
        there = chosen.to(activations.device)
        activations, silence = activations[..., there], silence[..., there]
    if not stage.has_power:
        return {"change_probability": (activations != silence).float().mean((1, 3))}
    power = (activations.float() - silence.float()).square().mean((1, 3))  # [b, C]
    rms = torch.as_tensor(stimuli.rms, dtype=torch.float32, device=power.device)
    return {"response": power.sqrt() / rms[:, None]}


def sampled_frames(stage: Stage, n_frames: int) -> Tensor:
    """Return which of many steady frames to look at, increasing: all, or at most 256 of them.

    They are spread by the golden ratio so that no period repeats them; 16 suffice at a linear stage, where
    enough phases make each single frame exact (`StimulusSet.with_phases`).
    """
    enough = LINEAR_FRAMES if stage.is_linear else SAMPLED_FRAMES
    if n_frames <= enough:
        return torch.arange(n_frames)
    golden = torch.arange(enough, dtype=torch.float64) * 0.6180339887498949
    return torch.unique((golden % 1.0 * n_frames).long())


def coordinate(stimuli: StimulusSet, name: str, probe: str) -> np.ndarray:
    """Return a coordinate that a probe needs, or raise naming it."""
    if name not in stimuli.coordinates:
        raise InputError(f"{probe}: the stimuli have no coordinate {name!r}")
    return np.asarray(stimuli.coordinates[name])


def check_single(stimuli: StimulusSet, probe: str) -> None:
    """Raise unless every stimulus is one partial and nothing else."""
    if (np.diff(stimuli.first) != 1).any() or len(stimuli.contexts):
        raise InputError(f"{probe}: takes single partials without context")


def tone_grid(stimuli: StimulusSet, probe: str) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the levels, the frequencies, and per level the rows in order of frequency; or raise."""
    check_single(stimuli, probe)
    level = coordinate(stimuli, "level_dbfs", probe)
    frequency = stimuli.columns["frequency_hz"]
    levels = np.unique(level)
    order = [(rows := np.flatnonzero(level == one))[np.argsort(frequency[rows])] for one in levels]
    grid = frequency[order[0]]
    if (np.diff(grid) == 0).any() or any(not np.array_equal(frequency[rows], grid) for rows in order):
        raise InputError(f"{probe}: every frequency must occur once at every level")
    return levels, grid, order


def run_attributes(phases: int, plan: Plan, stimuli: StimulusSet) -> dict[str, object]:
    """Say how a probe was run."""
    return {
        "phases": phases,
        "n_samples": plan.n_samples,
        "tile_seconds": plan.tile_seconds,
        "stimuli_sha256": stimuli.sha256,
    }


def refuse_codes_alone(session: Session[Encoder], **_: object) -> str | None:
    """Say that codes have no response, where there is nothing else."""
    stages = chosen_stages(session.encoder, session.stages)
    if not any(session.encoder.stages[s].has_power for s in stages):
        return f"{', '.join(stages)} of {session.encoder.name} holds codes, which have no response"
    return None


def check_below_nyquist(encoder: Encoder, high_hz: float) -> None:
    """Raise unless partials up to `high_hz` can be played."""
    if high_hz >= encoder.sample_rate / 2:
        raise InputError(
            f"high_hz {high_hz:g}: must lie below {encoder.sample_rate / 2:g} Hz, "
            f"the Nyquist frequency of {encoder.name}"
        )
