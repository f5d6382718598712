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

CLICKS, NOISES, CLICK, NOISE_RMS = 8, 4, 0.5, 0.07
ENDS = 1 / 64  # of the window's length: so finely its ends are searched for
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
    """Find by clicks in noise, an eighth of a hop apart and closer at the ends, what changes a steady frame.

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
    >>> window = window_of(load("filterbank:stft"), tone, "first_layer", ["first_layer"])
    >>> window.centre, round(window.duration, -1)  # of a Hann window of 1024 samples
    (512, 530.0)
    """
    stage = encoder.stages[anchor]
    plan = listening_plan(encoder, sounds, [anchor], frames=1)
    frame = plan.listening[anchor].first
    step = max(1, stage.hop // CLICKS)
    lag, moved = _moved(encoder, anchor, plan.n_samples, np.arange(0, stage.hop, step))
    if moved.max() > 0:
        first, last = _ends(lag, moved)
        while step > max(1, ENDS * (last - first)):
            finer = max(1, step // CLICKS)
            ends = [np.arange(end - step, end + step + 1, finer) for end in (first, last)]
            more = np.setdiff1d(np.concatenate(ends), lag)
            more = more[np.abs(more) < plan.n_samples]
            lag = np.concatenate([lag, more])
            moved = np.concatenate([moved, _moved(encoder, anchor, plan.n_samples, more, one_frame=True)[1]])
            order = lag.argsort()
            lag, moved, step = lag[order], moved[order], finer
            first, last = _ends(lag, moved)
        samples = np.arange(first, last + 1)
        power = np.interp(samples, lag, moved) / moved.max()
    else:
        length = stage.receptive_field or 1
        samples, power = np.arange(stage.latency - length + 1, stage.latency + 1), np.ones(length)
    silent = encoder.run(torch.zeros(1, plan.n_samples), list(members))
    return Window(
        plan.n_samples,
        Listening(frame, 1, plan.listening[anchor].settled),
        stage.hop,
        int(samples[0]),
        power,
        {name: values[0, ..., frame].cpu().double() for name, values in silent.items()},
    )


def _ends(lag: np.ndarray, moved: np.ndarray) -> tuple[int, int]:
    there = lag[moved > FAINT * moved.max()]
    return int(there.min()), int(there.max())


def _moved(
    encoder: Encoder, anchor: str, begin: int, clicks: np.ndarray, one_frame: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Energy by which a click moves a frame, over its lag after the frame's nominal time, rising.

    The clicks lie so many samples after the first whole hop from `begin`; all frames are looked at,
    or only that at this hop.
    """
    hop = encoder.stages[anchor].hop
    origin = -(-begin // hop) * hop
    at = origin + clicks
    moved = np.zeros((1, 1))
    for seed in range(NOISES):
        noise = np.random.default_rng(seed).normal(0, NOISE_RMS, 2 * begin + 2 * hop)
        waveforms = np.repeat(noise[None], len(at) + 1, axis=0)
        waveforms[np.arange(len(at)), at] += CLICK
        frames = encoder.run(torch.from_numpy(waveforms).float(), [anchor])[anchor].double()
        moved = moved + (frames[:-1] - frames[-1]).square().sum(1).cpu().numpy()  # [clicks, F]
    if one_frame:
        return clicks, moved[:, origin // hop]
    lag = at[:, None] - hop * np.arange(moved.shape[1])
    order = lag.argsort(axis=None)
    return lag.ravel()[order], moved.ravel()[order]
