"""Traces: what components change in a representation, group by group, free of its basis and layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...encoders.base import Encoder, Stage
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from ..engine.respond import Plan, Regrouped, respond
from ..engine.runtime import one_thread
from ..engine.session import Session
from ..engine.stages import readable_stages
from .draws import GROUPS, MAIN, Draw, draw
from .mixtures import Condition, joined, rendered, settling_sounds, together

DURATION_S = 320 / 24_000  # that frames are stacked to: a frame of EnCodec's latent
NOISE_SHARE = 1e-3  # variance of sensor noise in each direction, re that of mixtures in all
SETTLED = (
    NOISE_SHARE**0.5
)  # relative change that is left of an onset: as large as sensor noise, the same for all
TILE_SECONDS = 4.0
FEWEST_GROUPS = 4  # so that those of conditions that stand for no kind, half as many, have an interval
ROUNDING = 1e-6  # re a frame: what changes less is not changed
FAINTEST_CHANNEL = 1e-3  # of the strongest channel's variance: fainter ones are silent
SPECTRUM = 64  # eigenvalues of a component's channel covariance that are kept


@dataclass(frozen=True)
class Trace:
    """What the components of one group change at one stage, ``d = z(context + component) - z(context)``.

    Everything is in coordinates that depend on inner products alone: gain, offset, rotation, repeated
    channels and the order of frames and channels change nothing but their common scale.

    Parameters
    ----------
    changes : float64 [contexts, N, K, m]
        Of every component in every context at all its phases; exactly 0 where nothing but rounding changes.
    raised : float64 [spacings, N', K - 1, m]
        Of the raised ones in the last context, at all phases but the last.
    channel_energy : float64 [contexts, N, C]
        Mean energy of the changes in each channel.
    spectrum : float64 [contexts, N, up to 64]
        Eigenvalues of the changes' covariance over channels, falling.
    """

    draw: Draw
    changes: np.ndarray
    raised: np.ndarray
    channel_energy: np.ndarray
    spectrum: np.ndarray


@dataclass(frozen=True)
class Traces:
    """The groups of one condition at one stage.

    Parameters
    ----------
    groups : list of Trace
    noise : float
        Variance of sensor noise in every direction: a thousandth of the total variance of mixtures.
    loud_channels : int
        Channels that are not silent: their variance is above a thousandth of the strongest's.
    """

    groups: list[Trace]
    noise: float
    loud_channels: int


@dataclass(frozen=True)
class Played:
    """What was played, and how."""

    conditions: tuple[Condition, ...]
    groups: int
    plan: Plan
    stimuli: StimulusSet


def groups_of(condition: Condition, groups: int = GROUPS) -> int:
    """Return how many of so many groups a condition has: all where it stands for its kind, else half."""
    return groups if condition in MAIN else groups // 2


def stacked_frames(stage: Stage, sample_rate: float) -> int:
    """Return how many frames make up 13.3 ms: at least one."""
    return max(1, round(DURATION_S * sample_rate / stage.hop))


def powered_stages(session: Session[Encoder], conditions: Sequence[Condition], groups: int) -> list[str]:
    """Return the stages that can be asked, or raise where there are none, or no conditions, or few groups."""
    encoder = session.encoder
    if not FEWEST_GROUPS <= groups <= GROUPS:
        raise InputError(f"groups {groups}: must be {FEWEST_GROUPS} to {GROUPS}")
    if not conditions:
        raise InputError("conditions: none given; there is `USUAL`, a partial among four others")
    stages = [s for s in readable_stages(encoder, session.stages) if encoder.stages[s].has_power]
    if not stages:
        raise InputError(f"{encoder.name}: integer codes have no traces, and nothing else was requested")
    return stages


def traces(
    session: Session[Encoder], conditions: tuple[Condition, ...], groups: int = GROUPS, raised: bool = True
) -> tuple[Played, dict[str, list[Traces]]]:
    """Play components in contexts, and keep what they change at each stage.

    Made once for all questions of a session: call ``session.once(traces, conditions, groups, raised)``.

    Parameters
    ----------
    session : Session
    conditions : tuple of Condition
    groups : int
        As in `groups_of`.
    raised : bool
        Whether partials a little higher are played as well, for what one is confused with.

    Returns
    -------
    played : Played
    traces : dict of str to list of Traces
        By stage, of each condition.
    """
    encoder, stages = session.encoder, powered_stages(session, conditions, groups)
    blocks = [
        (i, session.shared(draw, condition, group, encoder.sample_rate, session.seed, raised))
        for i, condition in enumerate(conditions)
        for group in range(groups_of(condition, groups))
    ]
    played = [_played(one, conditions[i].level_dbfs) for i, one in blocks]
    sizes = [len(stimuli) for stimuli in played]
    frames = {s: stacked_frames(encoder.stages[s], encoder.sample_rate) for s in stages}
    collectors = {s: _Collector(blocks, sizes) for s in stages}
    stimuli = joined(played)

    def pick(stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor) -> dict[str, Tensor]:
        return {"frames": activations[:, 0].float(), "silence": silence[None].float()}  # [b, C, F]

    plan = respond(
        session.tiled(TILE_SECONDS), stimuli, stages, pick,
        lambda stage, _rows, values: collectors[stage].add(values["frames"], values["silence"][0]),
        phases=1, frames=frames, tolerance=SETTLED, settling=settling_sounds(encoder.sample_rate),
        label=f"{encoder.name}: {len(stimuli):,} components in contexts",
    )  # fmt: skip
    by_stage = {name: [collectors[name].of(i) for i in range(len(conditions))] for name in stages}
    return Played(conditions, groups, plan, stimuli), by_stage


def _played(one: Draw, level_dbfs: float) -> StimulusSet:
    """Return a group's sounds: context by context, alone first; then what is raised, in the last one."""
    rows = []
    for components, others in zip(one.sounds, one.others, strict=True):
        beside = [] if others is None else [others]
        rows += beside
        rows += [together([*beside, sound]) for each in components for sound in one.of.turned(each)]
    beside = [] if one.others[-1] is None else [one.others[-1]]
    rows += [
        together([*beside, sound])
        for several in one.raised
        for each in several
        for sound in one.of.turned(each, len(one.of.turns) - 1)
    ]
    return rendered(rows, level_dbfs)


@dataclass
class _Moments:
    """Sums over the mixtures of one condition, of which variances are made."""

    count: int = 0
    total: np.ndarray | float = 0.0  # [C, F]
    squares: np.ndarray | float = 0.0  # [C, F]

    def add(self, frames: np.ndarray) -> None:
        self.count += len(frames)
        self.total = self.total + frames.sum(0, dtype=np.float64)
        self.squares = self.squares + np.square(frames, dtype=np.float64).sum(0)

    @property
    def by_channel(self) -> np.ndarray:
        """Variance of each channel, summed over frames, [C]."""
        mean = np.asarray(self.total) / self.count
        return (np.asarray(self.squares) / self.count - np.square(mean)).clip(0).sum(1)


class _Collector:
    """Collects frames at one stage, block by block, and keeps traces and sums."""

    def __init__(self, blocks: Sequence[tuple[int, Draw]], sizes: Sequence[int]) -> None:
        self._todo, self._regrouped = iter(blocks), Regrouped(sizes)
        self._moments: dict[int, _Moments] = {}
        self._groups: dict[int, list[Trace]] = {}
        self.silence = np.zeros(0)

    def add(self, frames: np.ndarray, silence: np.ndarray) -> None:  # [b, C, F], [C, F]
        self.silence = silence
        for block in self._regrouped.add(frames):
            with one_thread():
                self._keep(*next(self._todo), block)

    def _keep(self, condition: int, one: Draw, block: np.ndarray) -> None:
        n, phases = len(one.of.labels), len(one.of.turns)
        moments = self._moments.setdefault(condition, _Moments())
        changes, at = [], 0
        alone = self.silence
        for others in one.others:
            if others is not None:
                alone, at = block[at], at + 1
            mixtures = block[at : at + n * phases]
            at += n * phases
            moments.add(mixtures)
            changes.append(_changed(mixtures, alone))
        raised = _changed(block[at:], alone)
        self._groups.setdefault(condition, []).append(_trace(one, np.stack(changes), raised))

    def of(self, condition: int) -> Traces:
        """Return the traces of a condition."""
        variance = self._moments[condition].by_channel
        loud = int((variance > FAINTEST_CHANNEL * variance.max()).sum())
        return Traces(self._groups[condition], NOISE_SHARE * float(variance.sum()), loud)


def _changed(mixtures: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """Take a frame from [n, C, F], in float64; exactly 0 where the difference is rounding."""
    change = mixtures.astype(np.float64) - alone
    size, floor = np.square(change).sum((1, 2)), ROUNDING**2 * np.square(alone, dtype=np.float64).sum()
    change[size <= floor] = 0
    return change


def _trace(one: Draw, changes: np.ndarray, raised: np.ndarray) -> Trace:
    """Make a trace of what components change, [contexts, N K, C, F], and raised ones, [n, C, F]."""
    n, phases = len(one.of.labels), len(one.of.turns)
    everything = np.concatenate([*changes, raised]).reshape(-1, changes[0][0].size)
    energy, vectors = np.linalg.eigh(everything @ everything.T)
    placed = (vectors * np.sqrt(energy.clip(0))) @ vectors.T  # the symmetric root of the Gram matrix
    split, n_raised = len(changes) * n * phases, len(one.raised[0]) if one.raised else 0
    by_component = changes.reshape(len(changes), n, phases, *changes.shape[2:])  # [contexts, N, K, C, F]
    return Trace(
        one,
        placed[:split].reshape(len(changes), n, phases, -1),
        placed[split:].reshape(len(one.raised), n_raised, phases - 1, len(placed)),
        np.square(by_component).sum(-1).mean(2),
        np.stack([[_spectrum(each) for each in several] for several in by_component]),
    )


def _spectrum(changes: np.ndarray) -> np.ndarray:
    """Eigenvalues over channels of [K, C, F], falling, the first 64 of them."""
    vectors = changes.transpose(0, 2, 1).reshape(-1, changes.shape[1])  # [K F, C]
    product = vectors.T @ vectors if vectors.shape[1] < len(vectors) else vectors @ vectors.T
    found = np.linalg.eigvalsh(product)[::-1].clip(0)[:SPECTRUM]
    return np.pad(found, (0, SPECTRUM - len(found)))
