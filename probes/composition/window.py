"""The window of a frame: which samples change it, found by clicks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...encoders.base import Encoder
from ...synth.stimuli import StimulusSet
from ..engine.respond import Listening, listening_plan

CELLS = 8  # of a hop, or more of a window that is shorter: so finely windows are known
NOISES, CLICK, NOISE_RMS = 4, 0.5, 0.07
FAINT = 1e-3  # re the largest change: where less is changed there is no window


@dataclass(frozen=True)
class Window:
    """The frame that is looked at, and the samples that change it.

    Parameters
    ----------
    n_samples : int
        Of every sound played.
    listening : Listening
        Which frame.
    hop : int
        Samples per frame.
    first : int
        Of the samples that change the frame, after its nominal time.
    power : float64 [T]
        How much a click at each of them changes it; at most 1. Of a linear bank: the squared window.
    silence : mapping of str to float64 [C]
        The frame of silence, by stage.
    """

    n_samples: int
    listening: Listening
    hop: int
    first: int
    power: np.ndarray
    silence: Mapping[str, Tensor]

    @property
    def centre(self) -> int:
        """Centre of mass of `power`, in samples after the frame's nominal time."""
        return self.first + round(float(self.power @ np.arange(len(self.power)) / self.power.sum()))

    @property
    def duration(self) -> float:
        """``(sum power)^2 / sum power^2`` in samples, which for a rectangle is its length."""
        return float(self.power.sum() ** 2 / np.square(self.power).sum())

    @property
    def instant(self) -> int:
        """The sample of the sound at the window's centre."""
        return self.listening.first * self.hop + self.centre

    def of(self, waveforms: Tensor) -> Tensor:
        """Return what lies under the window, float64 [B, T], of waveforms [B, n_samples]."""
        begin = self.listening.first * self.hop + self.first
        at = torch.arange(begin, begin + len(self.power)).clamp(0, self.n_samples - 1)
        return waveforms[:, at].double() * torch.from_numpy(np.sqrt(self.power))


def window_of(encoder: Encoder, sounds: StimulusSet, anchor: str, members: Sequence[str]) -> Window:
    """Find by clicks in noise what changes a steady frame, to an eighth of a hop or of a shorter window.

    Parameters
    ----------
    encoder : Encoder
    sounds : StimulusSet
        That will be played.
    anchor : str
        Stage that is measured.
    members : sequence of str
        Stages with the same window, whose silence is taken.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.synth import Partial, Stimulus
    >>> tone = StimulusSet.of([Stimulus((Partial(440.0, 0.1),))])
    >>> window = window_of(load("control:patches"), tone, "first_layer", ["first_layer"])
    >>> window.first, len(window.power), round(window.duration)  # a rectangle of 320 samples
    (0, 320, 320)
    """
    stage = encoder.stages[anchor]
    plan = listening_plan(encoder, sounds, [anchor], frames=1)
    frame = plan.listening[anchor].first
    count = min(stage.hop, CELLS)
    step = stage.hop // count
    lag, moved = _moved(encoder, anchor, plan.n_samples, np.arange(count) * stage.hop // count, step)
    first, end = _support(lag, moved, step)
    while step > 1 and end - first < CELLS * step:
        step = max(1, step // CELLS)
        cells = np.arange(first, end, step)
        lag, moved = _moved(encoder, anchor, plan.n_samples, cells, step, one_frame=True)
        first, end = _support(lag, moved, step)
    if end == first:  # nothing changes the frame
        first, end = stage.latency + 1 - (stage.receptive_field or 1), stage.latency + 1
        lag, moved = np.array([first]), np.ones(1)
    power = moved[np.searchsorted(lag, np.arange(first, end), side="right") - 1] / moved.max()
    silent = encoder.run(torch.zeros(1, plan.n_samples), list(members))
    return Window(
        plan.n_samples,
        Listening(frame, 1, plan.listening[anchor].settled),
        stage.hop,
        first,
        power,
        {name: values[0, ..., frame].cpu().double() for name, values in silent.items()},
    )


def _support(lag: np.ndarray, moved: np.ndarray, step: int) -> tuple[int, int]:
    """First lag of the cells that change the frame, and the end of the last; equal if there are none."""
    there = lag[moved > FAINT * moved.max()]
    return (int(there.min()), int(there.max()) + step) if len(there) else (0, 0)


def _moved(
    encoder: Encoder, anchor: str, begin: int, cells: np.ndarray, step: int, one_frame: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Energy by which a click in a cell moves a frame, and the first lag of each cell, rising.

    Cells begin so many samples after the first whole hop from `begin`, and hold `step` samples: every noise
    has its click elsewhere in them, since strides answer otherwise to every sample. All frames are looked
    at, or only that at this hop.
    """
    hop = encoder.stages[anchor].hop
    origin = -(-begin // hop) * hop
    moved = np.zeros((1, 1))
    for seed in range(NOISES):
        noise = np.random.default_rng(seed).normal(0, NOISE_RMS, 2 * begin + 2 * hop)
        waveforms = np.repeat(noise[None], len(cells) + 1, axis=0)
        waveforms[np.arange(len(cells)), origin + cells + seed * step // NOISES] += CLICK
        frames = encoder.run(torch.from_numpy(waveforms).float(), [anchor])[anchor].double()
        moved = moved + (frames[:-1] - frames[-1]).square().sum(1).cpu().numpy()  # [cells, F]
    if one_frame:
        return cells, moved[:, origin // hop]
    lag = origin + cells[:, None] - hop * np.arange(moved.shape[1])
    order = lag.argsort(axis=None)
    return lag.ravel()[order], moved.ravel()[order]
