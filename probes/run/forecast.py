"""How long a run takes, before it begins: what probes play, and how fast an encoder and this machine are.

`python -m tests.benchmarks.bench_forecast` holds it against what probes took.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ...encoders.base import Encoder
from ...synth.partials import partials_at
from ..engine.probe import Probe
from ..engine.progress import duration
from ..engine.respond import listening_plan
from ..engine.runtime import flushing_denormals, one_thread
from ..engine.session import Rehearsed, Session
from ..engine.stages import readable_stages

LONG_S, QUICK = 600.0, "quick"  # the preset that takes less
READING_S = 0.2  # a kept result of a control
TRIED_S, TILES = 4.0, 3  # of audio that an encoder is timed with, and how often at most
ENOUGH_S = 3.0  # of timing
TOLERANCE = 0.01  # that an onset has died away to where an encoder is timed
REFERENCE_S = 0.025  # that `machine` took where efforts were measured


@dataclass(frozen=True)
class Effort:
    """What a probe costs beside the encoder, and what its first sounds do not tell.

    Parameters
    ----------
    beside_s : float
        Seconds beside the encoder.
    each_s : float
        The same for every sound.
    times : float
        How often it plays what it plays first; 0 where it must not be rehearsed.
    each : str
        A setting for each of whose values it plays all of that.
    played_s : float
        Seconds of audio, where it must not be rehearsed.
    """

    beside_s: float
    each_s: float = 0.0
    times: float = 1.0
    each: str = ""
    played_s: float = 0.0


UNKNOWN = Effort(5.0, times=0, played_s=200.0)  # of a plug-in
EFFORTS: Mapping[str, Effort] = {
    "selectivity": Effort(0.5, 0.001, each="level_dbfs"),
    "pitch_tuning": Effort(1.0, 0.0002),
    "chord_tuning": Effort(1.0, 0.0002),
    "aliasing": Effort(0.4, 0.002, each="level_dbfs"),
    "intermodulation": Effort(1.0, 0.005),
    "invertibility": Effort(2.0, times=0, played_s=10.0),
    "representability": Effort(9.0, times=0, played_s=660.0),
    "tiling": Effort(0.5),
    "presence": Effort(0.5, 0.0005),
    "stability": Effort(0.5, 0.0002),
    "access": Effort(0.5, 0.002),
    "place": Effort(0.3),
    "compositionality": Effort(2.0, 0.002),
    "codes": Effort(3.0, 0.003, times=1.35),
    "readout": Effort(10.0, 0.001, times=2),
    "chord_composition": Effort(5.0, 0.001, times=2),
    "waveform_shape": Effort(1.5, times=0, played_s=510.0),
    "interventions": Effort(5.0, times=0, played_s=1000.0),
}


@dataclass(frozen=True)
class Pace:
    """How fast an encoder is.

    Parameters
    ----------
    per_second : float
        Seconds for a second of audio.
    bounded_s, unbounded_s : float
        How long stages of bounded and unbounded receptive fields take to be steady, these to a hundredth.
    """

    per_second: float
    bounded_s: float
    unbounded_s: float

    def onset_s(self, tolerance: float) -> float:
        """Return how long an onset takes to die away, as if it did so exponentially."""
        return max(self.bounded_s, self.unbounded_s * math.log(tolerance) / math.log(TOLERANCE))


class Paces:
    """Paces of the encoders of a run, each timed once, and what probes play to them."""

    def __init__(self) -> None:
        self._known: dict[object, Pace] = {}
        self._rehearsed: dict[object, Rehearsed | None] = {}
        self._played: set[object] = set()
        self._machine = machine() / REFERENCE_S

    def seconds(self, one: Probe, session: Session[Any], subject: str) -> float:
        """Return how long a probe is forecast to take with an encoder.

        Parameters
        ----------
        one : Probe
        session : Session
        subject : str
            Whom it is measured of: what has been played to it is not played again.
        """
        effort = EFFORTS.get(one.name, UNKNOWN)
        if not isinstance(session.encoder, Encoder):
            return self._machine * effort.beside_s
        key = (id(session.encoder), session.stages)
        if key not in self._known:
            self._known[key] = pace_of(session)
        pace = self._known[key]
        rehearsed = self._first_sounds(one, effort, session) if effort.times else None
        if rehearsed is None:
            return effort.played_s * pace.per_second + self._machine * effort.beside_s
        times = effort.times * _number(one, effort.each)
        beside_s = times * self._machine * effort.each_s * rehearsed.sounds + self._machine * effort.beside_s
        if (subject, rehearsed.key) in self._played:
            return beside_s
        self._played.add((subject, rehearsed.key))
        played_s = rehearsed.sounds * (pace.onset_s(rehearsed.tolerance) + rehearsed.steady_s)
        return times * played_s * pace.per_second + beside_s

    def _first_sounds(self, one: Probe, effort: Effort, session: Session[Any]) -> Rehearsed | None:
        key = (id(session.encoder), session.stages, one.identity)
        if key not in self._rehearsed:
            self._rehearsed[key] = None
            try:
                one(replace(session, rehearsing=True))
            except Rehearsed as rehearsed:
                self._rehearsed[key] = rehearsed
        return self._rehearsed[key]


def _number(one: Probe, setting: str) -> int:
    """Return how many values a setting of a probe has."""
    default = inspect.signature(one.measure).parameters.get(setting)
    value = one.settings.get(setting, default.default if default is not None else None)
    return len(value) if isinstance(value, tuple) else 1


def pace_of(session: Session[Encoder]) -> Pace:
    """Time an encoder at a session's stages.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> pace_of(Session(load("filterbank:stft"))).per_second < 1  # faster than the sound lasts
    True
    """
    encoder, rate = session.encoder, session.encoder.sample_rate
    stages = readable_stages(encoder, session.stages)
    two = partials_at([0.01 * rate, 0.2 * rate])
    with flushing_denormals():
        plan = listening_plan(encoder, two, stages, tolerance=TOLERANCE)
        sounds = 0.1 * torch.randn(max(1, round(TRIED_S * rate / plan.n_samples)), plan.n_samples)
        seconds: list[float] = []
        while len(seconds) < TILES and sum(seconds) < ENOUGH_S:
            seconds.append(_timed(lambda: encoder.run(sounds, stages)))
    first = {name: plan.listening[name].first * encoder.stages[name].hop / rate for name in stages}
    is_bounded = {name: encoder.stages[name].receptive_field is not None for name in stages}
    bounded, unbounded = (
        max((first[name] for name in stages if is_bounded[name] is kind), default=0.0)
        for kind in (True, False)
    )
    return Pace(min(seconds) * rate / sounds.numel(), bounded, unbounded)


def machine() -> float:
    """Return how long this machine takes to do a little of what probes do beside encoders, in seconds."""
    generator = np.random.default_rng(0)
    matrix = generator.standard_normal((300, 300))

    def work() -> None:
        np.linalg.eigh(matrix @ matrix.T)
        generator.permuted(generator.standard_normal((100, 5000)), axis=1)

    with one_thread():
        return min(_timed(work) for _ in range(5))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def announced(counts: Mapping[str, int], probes: int, seconds: float, preset: str) -> str:
    """Say what a run is about to do, and how long it will take.

    Parameters
    ----------
    counts : mapping of str to int
        Subjects by role: "encoder", "baseline", "control".
    probes : int
    seconds : float
    preset : str
        Of the suite: another is named where it would take less.

    Examples
    --------
    >>> announced({"encoder": 1, "baseline": 6, "control": 9}, 7, 350, "quick")
    '1 encoder, 6 baselines and 9 controls; 7 probes: about 6 min'
    >>> announced({"encoder": 1, "baseline": 0, "control": 0}, 1, 4000, "full")
    '1 encoder; 1 probe: about 67 min (--preset quick or fewer --probes take less)'
    """
    words = {"encoder": "encoder", "baseline": "baseline", "control": "control"}
    parts = [f"{n} {words[role]}{'s' * (n > 1)}" for role, n in counts.items() if n]
    who = ", ".join(parts[:-1]) + " and " * (len(parts) > 1) + parts[-1]
    less = "" if preset == QUICK else f"--preset {QUICK} or "
    hint = f" ({less}fewer --probes take less)" if seconds > LONG_S else ""
    return f"{who}; {probes} probe{'s' * (probes > 1)}: about {duration(seconds)}{hint}"
