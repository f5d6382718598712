"""The engine: stimuli -> encoder -> steady-state frames -> reducer, a tile at a time.

Memory does not grow with the number of stimuli: a tile is rendered, encoded, reduced, handed to the
caller's `write` and dropped.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...encoders.base import Encoder, Stage, check_stages
from ...encoders.threads import suited_threads
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from .runtime import flushing_denormals, holding_memory
from .session import Rehearsed, Session

TILE_SECONDS = (8.0, 2.0, 4.0, 16.0)  # of audio; the first tiles try these, twice; the fastest stays
MIN_STEADY_SECONDS = 0.02  # where a frame is short, more frames are awaited
MAX_STEADY_SECONDS = 1.0  # where a frame is long, fewer frames are awaited
SETTLING_FRAMES, SETTLING_SECONDS = 48, 0.3  # how long an unbounded stage is watched: the longer of both
SETTLING_WINDOWS = 24
SETTLING_PHASES = 15  # enough that a steady nonlinear response does not look unsettled
FRAMEWISE = {"quantized": "latent", "codes": "latent"}  # functions of one frame: they settle when it does


@dataclass(frozen=True)
class Listening:
    """Which frames of a stage are in the steady state.

    Parameters
    ----------
    first, frames : int
        The steady frames are ``first`` .. ``first + frames - 1``.
    settled : bool
        False where windows never came to agree: the frames are then from the middle of what was watched.
    """

    first: int
    frames: int
    settled: bool = True


@dataclass(frozen=True)
class Plan:
    """How long to play and where to listen; `tile_seconds` of audio go through the encoder at once.

    `noise` is the RMS deviation of silence from silence played before, float32 [C] of each stage that has
    noise of its own (`ModuleEncoder.noisy`): what a channel's response has to exceed.
    """

    n_samples: int
    listening: Mapping[str, Listening]
    tile_seconds: float | None
    noise: Mapping[str, np.ndarray] = field(default_factory=dict)


class Reducer(Protocol):
    """Turns the activations of a tile into numbers per stimulus, which depend on nothing else.

    It is not called for tiles that an interrupted run has kept: what it returns is all that is left of them.
    """

    def __call__(
        self, stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor
    ) -> Mapping[str, Tensor]:
        """Reduce [b, K, C, F] (b stimuli at K phases; steady frames) with silence [C, F] to [b, ...]."""
        ...


Write = Callable[[str, slice, Mapping[str, np.ndarray]], None]


def respond(
    session: Session[Encoder],
    stimuli: StimulusSet,
    stages: Sequence[str],
    reducer: Reducer,
    write: Write,
    *,
    phases: int = 5,
    frames: int | Mapping[str, int] = 4,
    tolerance: float = 0.01,
    settling: StimulusSet | None = None,
    label: str = "",
) -> Plan:
    """Play every stimulus to an encoder and hand what its stages answer to `write`.

    Every stimulus is played as short as the stages allow, in whole hops, at `phases` equally spaced
    phases; it is never cut in two, and all have the same length. The onset is trimmed by receptive
    field. Where that is unbounded, frames are dropped until all later windows agree.

    Parameters
    ----------
    session : Session
    stimuli : StimulusSet
        Steady sounds below the Nyquist frequency.
    stages : sequence of str
    reducer : callable
        See `Reducer`.
    write : callable
        ``write(stage, rows, values)`` receives the reduced values of stimuli ``rows`` as arrays [b, ...].
    phases : int > 0
        Odd numbers serve best: a tone that folds onto a simple fraction of the frame rate repeats the
        same few phases from frame to frame, and an even number of its own repeats them again. Five
        phases at four frames come closer to a long measurement than four at eight, for less.
    frames : int > 0
        Steady frames wanted at each stage: more where they would not fill 20 ms, fewer, at least one,
        where they would last over a second.
    tolerance : float > 0
        Relative change of later windows below which a stage of unbounded receptive field counts as settled.
    settling : StimulusSet, optional
        What such stages are watched with; by default what is played. Give what is the same for every
        choice of conditions, and one condition alone is measured as among others.
    label : str
        What the progress display calls this.

    Returns
    -------
    plan : Plan

    Raises
    ------
    InputError
        If a stage is not there or gives fewer frames than its hop and latency say, a stimulus is not steady
        or silent, a partial is at or above Nyquist, or an activation is NaN or infinite.
    """
    encoder, tile_seconds = session.encoder, session.tile_seconds
    check_stages(encoder, stages)
    fewest = frames if isinstance(frames, int) else min(frames.values())
    for name, value in (("phases", phases), ("frames", fewest)):
        if not value > 0:
            raise InputError(f"{name} {value}: must be positive")
    c = stimuli.columns
    if (c["onset_s"] > 0).any() or np.isfinite(c["offset_s"]).any() or (c["ramp_s"] > 0).any():
        raise InputError("stimuli to probe with must be steady: a partial has an onset, an offset or a ramp")
    if not (stimuli.rms > 0).all():
        raise InputError(f"stimulus {int(np.argmin(stimuli.rms))}: has no partial that sounds")
    stimuli.below_nyquist(encoder.sample_rate)
    if session.rehearsing:
        key = (stimuli.sha256, tuple(stages), phases, _written_as(reducer))
        raise Rehearsed(len(stimuli) * phases, _shortest(encoder, stages, frames), tolerance, key)
    threads = suited_threads(getattr(encoder, "module", None))
    with flushing_denormals(), holding_memory(), threads:
        plan = listening_plan(encoder, settling or stimuli, stages, frames, tolerance)
        silent = encoder.run(torch.zeros(1, plan.n_samples), stages)
        for s in stages:
            _check_frames(encoder, s, silent[s].shape[-1], plan)
        silence = {s: _steady(silent[s], plan.listening[s])[0] for s in stages}
        tiles = _Tiles(plan.n_samples * phases / encoder.sample_rate, tile_seconds)
        blocks = session.blocks(stimuli.sha256, stages, plan, phases, frames, tolerance, _written_as(reducer))
        done = 0
        with session.progress.task(label or encoder.name, len(stimuli)) as advance:
            for block in blocks:  # of a run that was interrupted
                rows = slice(done, done + int(block["rows"]))
                for stage in stages:
                    start = f"{stage} "
                    values = {n.removeprefix(start): v for n, v in block.items() if n.startswith(start)}
                    write(stage, rows, values)
                advance(rows.stop - rows.start)
                done = rows.stop
            while done < len(stimuli):
                rows = slice(done, min(done + tiles.size(), len(stimuli)))
                started = time.perf_counter()
                tile = stimuli[rows]
                waveforms = torch.from_numpy(
                    tile.with_phases(phases).render(encoder.sample_rate, plan.n_samples)
                )
                responses = encoder.run(waveforms, stages)
                block = {"rows": np.array(rows.stop - rows.start)}
                for stage in stages:
                    steady = _steady(responses.pop(stage), plan.listening[stage])
                    steady = steady.unflatten(0, (-1, phases))  # [b, K, C, F]
                    reduced = reducer(encoder.stages[stage], tile, steady, silence[stage])
                    values = _checked(reduced, encoder, stage, rows)
                    write(stage, rows, values)
                    block |= {f"{stage} {name}": value for name, value in values.items()}
                blocks.add(block)
                tiles.timed(rows.stop - rows.start, time.perf_counter() - started)
                advance(rows.stop - rows.start)
                done = rows.stop
        blocks.close()
        noise = _noise(encoder, stages, plan, silence)
    return Plan(plan.n_samples, plan.listening, tiles.seconds, noise)


def _noise(
    encoder: Encoder, stages: Sequence[str], plan: Plan, silence: Mapping[str, Tensor]
) -> dict[str, np.ndarray]:
    """Return how far silence is from silence, channel by channel, where a stage has noise of its own."""
    noisy = [s for s in stages if s in getattr(encoder, "noisy", ()) and encoder.stages[s].has_power]
    if not noisy:
        return {}
    again = encoder.run(torch.zeros(1, plan.n_samples), noisy)
    apart = {s: _steady(again[s], plan.listening[s])[0] - silence[s] for s in noisy}  # [C, F]
    return {s: apart[s].square().mean(-1).sqrt().cpu().numpy() for s in noisy}


def _written_as(reducer: Reducer) -> str:
    """Return where a reducer is written."""
    return f"{reducer.__module__}.{getattr(reducer, '__qualname__', type(reducer).__qualname__)}"


def listening_plan(
    encoder: Encoder,
    stimuli: StimulusSet,
    stages: Sequence[str],
    frames: int | Mapping[str, int] = 4,
    tolerance: float = 0.01,
) -> Plan:
    """Find how long stimuli must be, and which frames of each stage to use; see `respond`."""
    unbounded = [s for s in stages if encoder.stages[s].receptive_field is None]
    settling = _settling(encoder, stimuli, unbounded, tolerance)
    first: dict[str, int] = {}
    settled: dict[str, bool] = {}
    for name in stages:
        stage = encoder.stages[name]
        if stage.receptive_field is None:
            first[name], settled[name] = settling[name]
        else:
            first[name] = max(0, math.ceil((stage.receptive_field - 1 - stage.latency) / stage.hop))
            settled[name] = True
    wanted = {name: _wanted(encoder, encoder.stages[name], frames) for name in stages}
    needed = max(
        (first[name] + wanted[name] - 1) * encoder.stages[name].hop + encoder.stages[name].latency + 1
        for name in stages
    )
    whole_hop = math.lcm(*(encoder.stages[name].hop for name in stages))
    n_samples = math.ceil(needed / whole_hop) * whole_hop
    listening = {}
    for name in stages:
        stage = encoder.stages[name]
        last = (n_samples - 1 - stage.latency) // stage.hop
        there = last - first[name] + 1 if isinstance(frames, int) else wanted[name]
        listening[name] = Listening(first[name], there, settled[name])
    return Plan(n_samples, listening, None)


def _shortest(encoder: Encoder, stages: Sequence[str], frames: int | Mapping[str, int]) -> float:
    """Return how many seconds the steady frames of all stages last, without the onset."""
    about = [encoder.stages[name] for name in stages]
    needed = max((_wanted(encoder, stage, frames) - 1) * stage.hop + stage.latency + 1 for stage in about)
    whole_hop = math.lcm(*(stage.hop for stage in about))
    return math.ceil(needed / whole_hop) * whole_hop / encoder.sample_rate


def _wanted(encoder: Encoder, stage: Stage, frames: int | Mapping[str, int]) -> int:
    if not isinstance(frames, int):
        return frames[stage.name]
    fewest, most = (
        int(s * encoder.sample_rate / stage.hop) for s in (MIN_STEADY_SECONDS, MAX_STEADY_SECONDS)
    )
    return max(1, min(max(frames, fewest), most))


def _settling(
    encoder: Encoder, stimuli: StimulusSet, stages: Sequence[str], tolerance: float
) -> dict[str, tuple[int, bool]]:
    """Frames after which stages without a bounded receptive field are steady, and whether they ever are.

    Two stimuli, a quarter into the set from either end, play for 48 frames or 0.3 s. The vector of RMS
    deviations from silence over channels in one of 24 windows is compared with that of the last quarter
    (the next window alone would agree too soon with a slow decay); the stage has settled where no later
    window differs by more than `tolerance`, relative, for either.
    """
    if not stages:
        return {}
    watched = {s: encoder.stages.get(FRAMEWISE.get(s, s), encoder.stages[s]) for s in stages}
    few = stimuli[np.unique([len(stimuli) // 4, 3 * len(stimuli) // 4])]
    n_frames = {
        s: max(SETTLING_FRAMES, SETTLING_SECONDS * encoder.sample_rate / s.hop) for s in watched.values()
    }
    bounded = max((s.receptive_field or 0) for s in encoder.stages.values())
    n_samples = bounded + max(math.ceil(n * s.hop) + s.latency for s, n in n_frames.items())
    names = [s.name for s in n_frames]
    power: dict[str, list[Tensor]] = {name: [] for name in names}
    silence = encoder.run(torch.zeros(1, n_samples), names)
    for row in range(len(few)):
        tone = few[row : row + 1].with_phases(SETTLING_PHASES).render(encoder.sample_rate, n_samples)
        for name, responses in encoder.run(torch.from_numpy(tone), names).items():
            power[name].append((responses.float() - silence[name].float()).square().mean(0))
    agree = {s.name: _agreement(torch.stack(power[s.name]), s, n_samples, tolerance) for s in n_frames}
    return {name: agree[stage.name] for name, stage in watched.items()}


def _agreement(power: Tensor, stage: Stage, n_samples: int, tolerance: float) -> tuple[int, bool]:
    """First steady frame of mean powers [b, C, F], and whether one was found in the first half."""
    usable = (n_samples - 1 - stage.latency) // stage.hop + 1
    window = max(1, usable // SETTLING_WINDOWS)
    windows = power[..., :usable].unfold(-1, window, window).mean(-1)  # [b, C, W]
    final = windows[..., -SETTLING_WINDOWS // 4 :].mean(-1, keepdim=True).sqrt()  # [b, C, 1]
    change = (windows.sqrt() - final).square().sum(1)  # [b, W]
    size = final.square().sum(1).clamp_min(torch.finfo(torch.float32).tiny)
    unsettled = torch.nonzero((change / size).amax(0).sqrt() > tolerance).flatten()
    # One window more goes: its mean agrees, its beginning may not yet.
    first = 0 if len(unsettled) == 0 else (int(unsettled[-1]) + 2) * window
    return (first, True) if first <= usable // 2 else (usable // 2, False)


def _steady(activations: Tensor, listening: Listening) -> Tensor:
    return activations[..., listening.first : listening.first + listening.frames]


def _check_frames(encoder: Encoder, stage: str, there: int, plan: Plan) -> None:
    needed = plan.listening[stage].first + plan.listening[stage].frames
    if there < needed:
        raise InputError(
            f"stage {stage!r}: {encoder.name} gives {there} frames of {plan.n_samples} samples, by hop and "
            f"latency there should be {needed}"
        )


def _checked(
    values: Mapping[str, Tensor], encoder: Encoder, stage: str, rows: slice
) -> dict[str, np.ndarray]:
    arrays = {name: value.cpu().numpy() for name, value in values.items()}
    for name, array in arrays.items():
        wrong = ~np.isfinite(array).reshape(len(array), -1).all(1)
        if wrong.any():
            row = rows.start + int(np.flatnonzero(wrong)[0])
            raise InputError(f"{encoder.name}: NaN or Inf in {name} at stage {stage!r}, stimulus {row}")
    return arrays


class Regrouped:
    """Puts tiles, as `respond` writes them, together again to blocks of given sizes, in order."""

    def __init__(self, sizes: Iterable[int]) -> None:
        self._sizes = deque(sizes)
        self._waiting: list[np.ndarray] = []

    def add(self, values: np.ndarray) -> Iterator[np.ndarray]:
        """Take a tile [b, ...], and give every block that is complete by it."""
        while len(values):
            missing = self._sizes[0] - sum(map(len, self._waiting))
            self._waiting.append(values[:missing])
            values = values[missing:]
            if len(self._waiting[-1]) == missing:
                block, self._waiting = np.concatenate(self._waiting), []
                self._sizes.popleft()
                yield block


class _Tiles:
    """How many stimuli go at once: the first tiles try several sizes, the fastest stays."""

    def __init__(self, seconds_per_stimulus: float, seconds: float | None) -> None:
        self._each = seconds_per_stimulus
        self._untried = [] if seconds else [*TILE_SECONDS, *TILE_SECONDS]  # twice: others may be at work
        self._speed: dict[float, float] = {}
        self.seconds = seconds or TILE_SECONDS[0]

    def size(self) -> int:
        if self._untried:
            self.seconds = self._untried.pop(0)
        return max(1, round(self.seconds / self._each))

    def timed(self, stimuli: int, elapsed_s: float) -> None:
        # A last, short tile would make its size look slow; it no longer matters then.
        self._speed[self.seconds] = max(self._speed.get(self.seconds, 0.0), stimuli / elapsed_s)
        if not self._untried:
            self.seconds = max(self._speed, key=lambda seconds: self._speed[seconds])
