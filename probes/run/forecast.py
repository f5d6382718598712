"""How long a run takes, before it begins: what probes play, and how fast an encoder and this machine are.

`python -m tests.benchmarks.forecast` holds it against what runs took, and prints what the table is made of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...encoders.base import Encoder
from ...synth.partials import partials_at
from ..engine.probe import Probe
from ..engine.progress import duration
from ..engine.respond import listening_plan
from ..engine.runtime import flushing_denormals
from ..engine.session import Session
from ..engine.stages import chosen_stages

LONG_S = 600.0
READING_S = 0.2  # a kept result of a control
TRIED_S, TILES = 2.0, 2  # of audio that an encoder is timed with, and how often
REFERENCE_S = 0.04  # that `machine` took where efforts were measured


@dataclass(frozen=True)
class Effort:
    """What a probe asks of an encoder, and beside it.

    Parameters
    ----------
    sounds : float
        That are played, each phase counted.
    steady_s : float
        Of each that is looked at, once it is steady.
    beside_s : float
        Seconds of processor time beside the encoder.
    conditions : int
        Under how many conditions that is, where the probe can be given others; 0 where it cannot.
    onset : float
        Share of the time until an encoder is steady to a hundredth that it waits.
    shares : str
        The probe that has played the same already, if it is asked too.
    """

    sounds: float
    steady_s: float
    beside_s: float
    conditions: int = 0
    onset: float = 1.0
    shares: str = ""


UNKNOWN = Effort(1000, 0.1, 5.0)  # of a plug-in
OF_TRACES = {"conditions": 3, "onset": 0.75}
EFFORTS: Mapping[str, Effort] = {  # of the settings that probes have by default
    "selectivity": Effort(890, 0.05, 4.0),
    "aliasing": Effort(280, 1.35, 2.0),
    "tiling": Effort(1536, 0.05, 0.5),
    "presence": Effort(6016, 0.013, 3.5, **OF_TRACES),
    "stability": Effort(6016, 0.013, 1.0, **OF_TRACES, shares="presence"),
    "place": Effort(6016, 0.013, 1.0, **OF_TRACES, shares="presence"),
}


@dataclass(frozen=True)
class Pace:
    """How fast an encoder is: seconds for a second of audio, and how long a sound takes to be steady."""

    per_second: float
    onset_s: float


class Paces:
    """Paces of the encoders of a run, each timed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Pace] = {}
        self._played: set[tuple[object, ...]] = set()
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
        given = one.settings.get("conditions")
        times = len(given) / effort.conditions if effort.conditions and isinstance(given, tuple) else 1.0
        beside_s = times * self._machine * effort.beside_s
        plays = (subject, effort.shares or one.name)
        if not isinstance(session.encoder, Encoder) or plays in self._played:
            return beside_s
        self._played.add(plays)
        key = (id(session.encoder), session.stages)
        if key not in self._known:
            self._known[key] = pace_of(session)
        pace = self._known[key]
        played_s = times * effort.sounds * (effort.onset * pace.onset_s + effort.steady_s)
        return played_s * pace.per_second + beside_s


def pace_of(session: Session[Encoder]) -> Pace:
    """Time an encoder at a session's stages.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> pace_of(Session(load("filterbank:stft"))).per_second < 1  # faster than the sound lasts
    True
    """
    encoder = session.encoder
    stages = chosen_stages(encoder, session.stages)
    rate = encoder.sample_rate
    two = partials_at(np.geomspace(0.01, 0.2, 2) * rate)
    with flushing_denormals():
        plan = listening_plan(encoder, two, stages)
        sounds = 0.1 * torch.randn(max(1, round(TRIED_S * rate / plan.n_samples)), plan.n_samples)
        seconds = [_timed(lambda: encoder.run(sounds, stages)) for _ in range(TILES)]
    onset = max(plan.listening[name].first * encoder.stages[name].hop for name in stages)
    return Pace(min(seconds) * rate / sounds.numel(), onset / rate)


def machine() -> float:
    """Return how long this machine takes to do a little of what probes do beside encoders, in seconds."""
    generator = np.random.default_rng(0)
    matrix = generator.standard_normal((300, 300))

    def work() -> None:
        np.linalg.eigh(matrix @ matrix.T)
        generator.permuted(generator.standard_normal((100, 5000)), axis=1)

    return min(_timed(work) for _ in range(3))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def announced(counts: Mapping[str, int], probes: int, seconds: float) -> str:
    """Say what a run is about to do, and how long it will take.

    Parameters
    ----------
    counts : mapping of str to int
        Subjects by role: "encoder", "baseline", "control".
    probes : int
    seconds : float

    Examples
    --------
    >>> announced({"encoder": 1, "baseline": 6, "control": 9}, 7, 350)
    '1 encoder, 6 random networks and 9 controls; 7 probes: about 6 min'
    >>> announced({"encoder": 1, "baseline": 0, "control": 0}, 1, 4000)
    '1 encoder; 1 probe: about 67 min (--preset quick and --probes ask for less)'
    """
    words = {"encoder": "encoder", "baseline": "random network", "control": "control"}
    parts = [f"{n} {words[role]}{'s' * (n > 1)}" for role, n in counts.items() if n]
    who = ", ".join(parts[:-1]) + " and " * (len(parts) > 1) + parts[-1]
    less = " (--preset quick and --probes ask for less)" if seconds > LONG_S else ""
    return f"{who}; {probes} probe{'s' * (probes > 1)}: about {duration(seconds)}{less}"
