"""Representability: whether the strides tell which partials of a signal survive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from ..engine.probe import Compared, Probe
from ..engine.respond import Plan, listening_plan
from ..engine.runtime import flushing_denormals, holding_memory, one_thread
from ..engine.schema import dataset, numbered, stage_coordinates
from ..engine.session import Session
from ..engine.stages import chosen_stages, run_attributes
from ..statistics.agreement import Agreement, agreement, rank_correlation
from ..statistics.ridge import FOLDS, held_out_predictions
from .folding import fold_plan, one_channel_recovery
from .signals import (
    DEMODULATION_SECONDS,
    RECORDING_SECONDS,
    demodulated,
    draws_of,
    representability_signals,
    spectral_peaks,
)
from .variables import VARIABLES

READOUT_SNR_DB = 30.0

TILE_SECONDS = 8.0


def representability(
    session: Session[Encoder],
    signals: StimulusSet | None = None,
    *,
    window_frames: int = 16,
    draws: int = 24,
    windows: int = 10,
) -> xr.Dataset:
    """Predict from strides which partials survive, and correlate that with what a linear readout recovers.

    *Predicted*, from a stage's stride and the partial list alone: what `window_frames` successive frames
    of one ideal channel tell of each partial (`one_channel_recovery`), the mean over partials. The
    channels, their number, kernels and nonlinearities do not enter. Beside it stands the plain count of
    collisions, `clear` of `fold_plan` with folds no further apart than ``fs / (hop * window_frames)``
    counted as one: what so many frames resolve by Rayleigh's criterion, though not all they can tell.

    *Recovered*: the signal plays `draws` times with random phases, and in other noise. A ridge
    regression reads the quadratures (cosine and sine of the phase at the window's last sample) of every
    partial from `window_frames` successive steady frames of all channels, with noise 30 dB below their
    mean power added: without a limit to precision nearly every linear map can be undone, and partials
    are distinguished by digits that no later layer could use. It is tested on draws that it has not seen;
    R^2 of both quadratures together, clipped at 0, mean over partials however loud. For a recording the
    partials are the peaks of its spectrum, draws are successive parts of it, and the quadratures those
    of the recording demodulated there, re their RMS; between the peaks it holds more than so many
    windows can tell apart, so that even the STFT recovers only part. One that is silent there, or too
    short for four parts as long as an encoder needs, has no partials and no values.

    Parameters
    ----------
    session : Session
        At the canonical stages by default. Integer codes have no linear readout: NaN.
    signals : StimulusSet, optional
        Steady signals with the coordinate `signal_kind`; one without partials is a recording. By default
        `representability_signals`.
    window_frames : int > 0
        Where a second holds fewer than ``window_frames + windows`` frames, half as many as it holds.
    draws : int >= 4
    windows : int > 0
        Per draw, at random places in the steady state.

    Returns
    -------
    result : xarray.Dataset
        See `folding.variables`, "representability", and `Agreement`. Correlations are
        Spearman's: a readout sees more than one channel, so only order can be predicted. NaN where there
        is nothing to correlate; `remark` then says why. (The STFT recovers everything whatever folds:
        folding alone is not loss.)

    Raises
    ------
    InputError
        If a stage is not there, a partial lies at or above Nyquist, a number is out of range, or an
        activation is NaN or infinite.

    Notes
    -----
    Source of the claim: folding under strides, Oppenheim & Schafer, Discrete-Time Signal Processing,
    section 4.6; the readout: see `held_out_predictions`.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> from tonotopy.synth import Partial, Stimulus, StimulusSet
    >>> kind = {"signal_kind": "pair"}
    >>> apart = Stimulus((Partial(310.0, 0.1), Partial(400.0, 0.1)), coordinates=kind)
    >>> folded = Stimulus((Partial(310.0, 0.1), Partial(385.0, 0.1)), coordinates=kind)
    >>> result = representability(Session(load("control:decimator")), StimulusSet.of([apart, folded]))
    >>> result.predicted.values.round(2).tolist(), result.in_band.values.tolist()
    ([[1.0, 0.5]], [[0.0, 0.0]])
    >>> result.recovered.values.round(1).tolist()
    [[1.0, 0.5]]
    """
    encoder, stages = session.encoder, chosen_stages(session.encoder, session.stages)
    seed, tile_seconds = session.seed, session.tile_seconds or TILE_SECONDS
    if draws < FOLDS:
        raise InputError(f"draws {draws}: must be at least {FOLDS}, to test on some that were not seen")
    for name, value in (
        ("window_frames", window_frames),
        ("windows", windows),
    ):
        if not value > 0:
            raise InputError(f"{name} {value}: must be positive")
    if signals is None:
        signals = representability_signals(encoder.sample_rate, seed=seed)
    if "signal_kind" not in signals.coordinates:
        raise InputError("representability: the signals have no coordinate 'signal_kind'")
    signals.below_nyquist(encoder.sample_rate)
    readable = [s for s in stages if encoder.stages[s].has_power]
    with flushing_denormals(), holding_memory():
        plan = _plan(encoder, signals, stages, window_frames + windows - 1)
        views = {s: _View.of(encoder, plan, s, window_frames, windows, seed) for s in readable}
        table = {
            name: np.full((len(stages), len(signals)), np.nan)
            for name in ("predicted", "clear", "recovered", "in_band")
        }
        n_partials = np.zeros(len(signals), dtype=np.int64)
        reader = _Reader(encoder, views, plan.n_samples, tile_seconds)
        label = f"{encoder.name}: {len(signals)} signals"
        with session.progress.task(label, len(signals)) as advance:
            for row in range(len(signals)):
                generator = np.random.default_rng([seed, row])
                played = _play(signals, row, draws, encoder.sample_rate, plan.n_samples, generator)
                n_partials[row] = len(played.frequency_hz)
                windows_read = reader.read_windows(played.waveforms) if n_partials[row] else {}
                for name in windows_read:
                    with one_thread():
                        values = _compare(encoder, views[name], played, windows_read[name], seed)
                    for variable, value in zip(table, values, strict=True):
                        table[variable][stages.index(name), row] = value
                advance(1)
    read = n_partials > 0
    judged = [
        agreement(table["predicted"][i, read], table["recovered"][i, read], n_partials[read], seed)
        if name in views
        else Agreement(remark="codes have no linear readout")
        for i, name in enumerate(stages)
    ]
    kept = {name: views[name] for name in readable}
    variables = {
        **table,
        **stage_coordinates(encoder, stages, plan),
        "signal": numbered(signals.coordinates["signal_kind"]),
        "signal_kind": np.asarray(signals.coordinates["signal_kind"]),
        "n_partials": n_partials,
        "resolution": np.array([kept[s].resolution_hz if s in kept else np.nan for s in stages]),
        "n_rows": np.array([draws * len(kept[s].starts) if s in kept else 0 for s in stages]),
        "clear_correlation": np.array(
            [
                np.nan if one.remark else float(rank_correlation(clear[read], recovered[read]))
                for one, clear, recovered in zip(judged, table["clear"], table["recovered"], strict=True)
            ]
        ),
        **{f.name: np.array([getattr(one, f.name) for one in judged]) for f in fields(Agreement)},
    }
    settings = {"tile_seconds": tile_seconds, "draws": draws, "window_frames": window_frames, "seed": seed}
    return dataset(VARIABLES["representability"], variables, {**run_attributes(1, plan, signals), **settings})


@dataclass(frozen=True)
class _View:
    """The windows of a stage that are read: where they start among the steady frames, and end in samples."""

    stage: str
    starts: np.ndarray  # int64 [n]
    frames: int
    first: int
    last_sample: np.ndarray  # int64 [n]
    resolution_hz: float

    @classmethod
    def of(cls, encoder: Encoder, plan: Plan, name: str, frames: int, windows: int, seed: int) -> _View:
        stage, listening = encoder.stages[name], plan.listening[name]
        if listening.frames < frames + windows - 1:
            frames = min(frames, (listening.frames + 1) // 2)
        places = listening.frames - frames + 1
        generator = np.random.default_rng([seed, stage.hop])
        starts = np.sort(generator.choice(places, min(windows, places), replace=False))
        last = (listening.first + starts + frames - 1) * stage.hop + stage.latency
        resolution = encoder.sample_rate / (stage.hop * frames)
        return cls(name, starts, frames, listening.first, last, resolution)

    def read(self, activations: Tensor) -> np.ndarray:
        """Cut the windows out of [B, C, F]: float32 [B, n, C * frames]."""
        place = torch.from_numpy(self.first + self.starts[:, None] + np.arange(self.frames))  # [n, W]
        cut = activations[:, :, place.to(activations.device)]  # [B, C, n, W]
        return cut.transpose(1, 2).flatten(2).float().cpu().numpy()


@dataclass(frozen=True)
class _Reader:
    encoder: Encoder
    views: dict[str, _View]
    n_samples: int
    tile_seconds: float

    def read_windows(self, waveforms: np.ndarray) -> dict[str, np.ndarray]:
        """Return the windows of every stage, float32 [K, n, C * frames]; only they outlive a tile."""
        size = max(1, round(self.tile_seconds * self.encoder.sample_rate / self.n_samples))
        kept: dict[str, list[np.ndarray]] = {name: [] for name in self.views}
        for lo in range(0, len(waveforms) if self.views else 0, size):
            windows_read = self.encoder.run(torch.from_numpy(waveforms[lo : lo + size]), list(self.views))
            for name, view in self.views.items():
                kept[name].append(view.read(windows_read.pop(name)))
                if not np.isfinite(kept[name][-1]).all():
                    raise InputError(f"{self.encoder.name}: NaN or Inf at stage {name!r}")
        return {name: np.concatenate(parts) for name, parts in kept.items()}


@dataclass(frozen=True)
class _Played:
    """A signal as it is played: its draws, its partials, and their phases or the recording itself."""

    waveforms: np.ndarray  # float32 [K, T]
    frequency_hz: np.ndarray  # [P]
    amplitude: np.ndarray  # [P]
    sample_rate: float
    phase_rad: np.ndarray | None = None  # [K, P]
    recorded: np.ndarray | None = None  # [K, lead-in + T]

    def targets(self, last_sample: np.ndarray) -> np.ndarray:
        """Quadratures of each partial at some samples, of mean square 1 together: [K, n, 2 P]."""
        if self.recorded is not None:
            lead_in = self.recorded.shape[1] - self.waveforms.shape[1]
            turning = demodulated(self.recorded, self.frequency_hz, self.sample_rate, lead_in + last_sample)
            turning /= np.sqrt(np.square(np.abs(turning)).mean((0, 1)))
        else:
            assert self.phase_rad is not None
            angle = 2 * np.pi * np.outer(last_sample, self.frequency_hz) / self.sample_rate
            turning = np.exp(1j * (self.phase_rad[:, None] + angle))
        return np.concatenate([np.real(turning), np.imag(turning)], axis=-1)


def _plan(encoder: Encoder, signals: StimulusSet, stages: Sequence[str], frames: int) -> Plan:
    """Find the steady state with partials in silence: noise and recordings have none."""
    alone = np.flatnonzero((signals.rms > 0) & (np.asarray(signals.context_index) < 0))
    if not len(alone):
        raise InputError("representability: needs a signal of partials alone, to find the steady state with")
    steady = signals[alone]
    c = steady.columns
    if (c["onset_s"] > 0).any() or np.isfinite(c["offset_s"]).any() or (c["ramp_s"] > 0).any():
        raise InputError(
            "representability: signals must be steady: a partial has an onset, an offset or a ramp"
        )
    return listening_plan(encoder, steady, stages, frames)


def _play(
    signals: StimulusSet,
    row: int,
    draws: int,
    sample_rate: float,
    n_samples: int,
    generator: np.random.Generator,
) -> _Played:
    lo, hi = signals.first[row : row + 2]
    context = signals.stimulus(row).context
    if hi > lo:
        drawn = draws_of(signals, row, draws, generator)
        return _Played(
            drawn.render(sample_rate, n_samples),
            signals.columns["frequency_hz"][lo:hi],
            np.abs(signals.columns["amplitude"][lo:hi]),
            sample_rate,
            phase_rad=drawn.columns["phase_rad"].reshape(draws, -1),
        )
    if context is None:
        raise InputError(f"signal {row}: has neither partials nor a recording")
    lead_in = round(DEMODULATION_SECONDS * sample_rate)  # not played; keeps the parts' truths apart as well
    parts = min(draws, int(RECORDING_SECONDS * sample_rate) // (lead_in + n_samples))
    if parts < FOLDS:
        return _Played(np.zeros((0, n_samples), np.float32), np.zeros(0), np.zeros(0), sample_rate)
    whole = context.render(parts * (lead_in + n_samples), sample_rate, 0.0)
    recorded = whole.reshape(parts, -1)
    frequency, amplitude = spectral_peaks(recorded, sample_rate)
    played = np.ascontiguousarray(recorded[:, lead_in:])
    return _Played(played, frequency, amplitude, sample_rate, recorded=recorded)


def _compare(
    encoder: Encoder, view: _View, played: _Played, features: np.ndarray, seed: int
) -> tuple[float, ...]:
    """Predicted, clear, recovered and in-band share of one signal at one stage."""
    hop = encoder.stages[view.stage].hop
    frame_rate = encoder.sample_rate / hop
    ideal = one_channel_recovery(
        played.frequency_hz, played.amplitude, frame_rate, view.frames, READOUT_SNR_DB
    )
    plan = fold_plan(played.frequency_hz, played.amplitude, encoder.sample_rate, hop, view.resolution_hz)
    targets = played.targets(view.last_sample)
    groups = np.repeat(np.arange(len(targets)), targets.shape[1])
    targets = targets.reshape(len(groups), -1)
    recovered = recovery(features.reshape(len(groups), -1), targets, groups, seed)
    return float(ideal.mean()), float(plan.clear.mean()), float(recovered.mean()), float(plan.in_band[0])


def recovery(features: np.ndarray, targets: np.ndarray, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """Share of each partial that a linear readout of limited precision recovers in unseen groups.

    Parameters
    ----------
    features : float [n, D]
        Noise 30 dB below their mean power is added, to all alike.
    targets : float [n, 2 P]
        The cosines of all partials, then the sines; of mean 0.
    groups : int [n]
        As in `held_out_predictions`.
    seed : int

    Returns
    -------
    recovered : float64 [P]
        R^2 of both quadratures together, clipped at 0.
    """
    rms = np.sqrt(features.var(0, dtype=np.float64).mean()) * 10 ** (-READOUT_SNR_DB / 20)
    noise = np.random.default_rng(seed).standard_normal(features.shape, dtype=np.float32)
    read = features + np.float32(rms) * noise
    missed = targets - held_out_predictions(read, targets, groups, seed=seed)
    # The mean is 0, so the variance is the mean square.
    error, power = (np.square(x).reshape(len(x), 2, -1).sum((0, 1)) for x in (missed, targets))
    return np.clip(1 - error / power, 0, None)


def _measure(session: Session[Encoder], recordings: str | None = None, strict: bool = False) -> xr.Dataset:
    return representability(session, _signals(session, recordings, strict))


def _refuses(session: Session[Encoder], recordings: str | None = None, strict: bool = False) -> None:
    _signals(session, recordings, strict)


def _signals(session: Session[Encoder], recordings: str | None, strict: bool) -> StimulusSet:
    return representability_signals(session.encoder.sample_rate, recordings, session.seed, strict)


REPRESENTABILITY = Probe(
    "representability",
    question="Do the strides predict which partials of a sound a linear readout recovers?",
    variables=VARIABLES["representability"],
    measure=_measure,
    refuses=_refuses,
    compared=Compared("signal", ("recovered",)),
)
