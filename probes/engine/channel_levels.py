"""How strongly each channel answers to a sound, and what baselines make of the same sounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...encoders.base import Encoder, Stage
from ...synth.stimuli import StimulusSet
from .respond import Plan, respond
from .session import Session

WINDOW_SECONDS = 4096 / 24_000  # that every stage and every baseline hears
FLOOR_DB = -50.0  # re the mean power of a channel: what lies below counts as silent
MEL_BANDS = 128
BASELINES = ("mel", "chroma", "spectrum")


@dataclass(frozen=True)
class ChannelLevels:
    """RMS deviation from silence by stage, float32 [n, C]; codes have none. `plan` says what was measured."""

    rms: Mapping[str, np.ndarray]
    plan: Plan


def channel_levels(
    session: Session[Encoder],
    stimuli: StimulusSet,
    stages: Sequence[str],
    *,
    phases: int = 1,
    settling: StimulusSet | None = None,
    label: str = "",
) -> ChannelLevels:
    """Measure how strongly each channel of each stage answers to each stimulus.

    The level is the root of the mean power of the deviation from the response to silence, over the
    steady frames of 0.17 s and over `phases` phases. A readout of single frames would be blind: at
    random phase the mean of a linear channel's activation is that of silence, whatever plays.

    Parameters
    ----------
    session, stimuli, settling, label
        As in `respond`.
    stages : sequence of str
        Those that hold codes are measured, and give nothing.
    phases : int > 0
        Equally spaced; see `StimulusSet.with_phases`.
    """
    encoder = session.encoder
    size = {s: (len(stimuli), encoder.stages[s].channels) for s in stages if not _codes(encoder, s)}
    rms = {s: np.empty(shape, dtype=np.float32) for s, shape in size.items()}

    def write(stage: str, rows: slice, values: Mapping[str, np.ndarray]) -> None:
        if stage in rms:
            rms[stage][rows] = values["rms"]

    frames = {s: window_frames(encoder, s) for s in stages}
    plan = respond(
        session, stimuli, stages, _deviation, write,
        phases=phases, frames=frames, settling=settling, label=label,
    )  # fmt: skip
    return ChannelLevels(rms, plan)


def window_frames(encoder: Encoder, stage: str) -> int:
    """Return how many frames of a stage last 0.17 s, at least 1."""
    return max(1, round(WINDOW_SECONDS * encoder.sample_rate / encoder.stages[stage].hop))


def decibels(rms: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Levels of channels in dB re the RMS of all channels, no lower than -50 dB: float64 [n, D].

    Parameters
    ----------
    rms : float [n, D]
    reference : float [m, D], optional
        The rows whose mean power is 0 dB, all rows by default: those that a readout is fitted to.

    Examples
    --------
    >>> decibels(np.array([[1.0, 0.1, 0.0], [1.0, 1.0, 1.0]]), np.ones((1, 3))).tolist()
    [[0.0, -20.0, -50.0], [0.0, 0.0, 0.0]]
    """
    power = np.square(rms, dtype=np.float64)
    mean = power.mean() if reference is None else np.square(reference, dtype=np.float64).mean()
    if not mean > 0:
        return np.zeros(rms.shape)
    return np.maximum(10 * np.log10(np.maximum(power / mean, 1e-30)), FLOOR_DB)


def baseline_levels(stimuli: StimulusSet, sample_rate: int) -> dict[str, np.ndarray]:
    """Represent 0.17 s of the same sounds as people do without a network.

    Returns
    -------
    rms : {"mel": float64 [n, 128], "chroma": [n, 12], "spectrum": [n, D]}
        Square roots of mel band powers and of pitch class powers (librosa's filters), and the magnitude
        spectrum; all of one Hann window.
    """
    from librosa.filters import chroma, mel

    n_samples = 2 * math.ceil(WINDOW_SECONDS * sample_rate / 2)
    window = np.hanning(n_samples + 1)[:-1]
    bands = mel(sr=sample_rate, n_fft=n_samples, n_mels=MEL_BANDS)
    classes = chroma(sr=sample_rate, n_fft=n_samples)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in BASELINES}
    for lo in range(0, len(stimuli), 64):
        power = np.square(np.abs(np.fft.rfft(stimuli[lo : lo + 64].render(sample_rate, n_samples) * window)))
        for name, values in zip(BASELINES, (power @ bands.T, power @ classes.T, power), strict=True):
            parts[name].append(np.sqrt(values))
    return {name: np.concatenate(values) for name, values in parts.items()}


def _codes(encoder: Encoder, stage: str) -> bool:
    return not encoder.stages[stage].has_power


def _deviation(stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor) -> dict[str, Tensor]:
    """Reduce steady frames [b, K, C, F] to [b, C]."""
    if not stage.has_power:
        return {"rms": torch.zeros(len(activations), 0)}
    return {"rms": (activations.float() - silence.float()).square().mean((1, 3)).sqrt()}
