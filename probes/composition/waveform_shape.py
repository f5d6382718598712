"""Waveform shape or spectrum: which of the two a frame keeps together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from ..engine.known import Known, mean_of, near
from ..engine.probe import Compared, Probe
from ..engine.respond import FRAMEWISE, Listening, Plan, listening_plan
from ..engine.runtime import flushing_denormals, holding_memory
from ..engine.schema import dataset, stacked_stages, stage_coordinates
from ..engine.session import Session
from ..engine.stages import chosen_stages
from ..statistics.planes import NOISE
from ..statistics.resampling import bootstrap_interval, flipped_p
from .perturbations import perturbed, shape_sounds
from .variables import VARIABLES

DETUNINGS_HZ = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
REFERENCE_TURN = 1 / 8  # that partials move by within what a frame hears, where `preference` is taken
TILE_SECONDS = 8.0
LONG_SECONDS = 4.0  # of the spectrum that tells every detuning
CLICKS, NOISES, CLICK, NOISE_RMS = 8, 4, 0.5, 0.07


def waveform_shape(
    session: Session[Encoder],
    *,
    sounds: StimulusSet | None = None,
    detunings_hz: Sequence[float] = DETUNINGS_HZ,
    draws: int = 2,
) -> xr.Dataset:
    """Play sounds with scrambled phases and with moved partials, and see which change a frame ignores.

    Of every sound, a sum of steady partials, there are two variants about an instant t0:

    - *scrambled*: the same partials, each at another phase. The line spectrum is exactly the same; the
      waveform is another one at every instant (relative distance sqrt(2), as of two unrelated sounds).
    - *detuned*: every partial moves by `detuning` up or down, at random, and keeps its phase at t0. No
      line is where one was, so that spectra over a few times ``1 / detuning`` have nothing in common
      (distance sqrt(2)); but u seconds from t0 every partial is turned by no more than ``2 pi detuning
      u``, so that the waveforms differ by ``2 |sin(pi detuning u)|``, relative to either: by 0.2 at 3 ms
      for 10 Hz. Nothing is cut or faded: both variants are as steady as the sound itself.

    t0 is the centre of what the frame hears, measured with clicks (`window_centre`). With d the distance of
    a variant's frame from the sound's, ``preference = (d_scrambled - d_detuned) / (d_scrambled +
    d_detuned)``: 1 if the frame keeps together what has the same waveform there, -1 if it keeps together
    what has the same line spectrum.

    What lasts longer than a frame hears it cannot know: as the detuning goes to 0 all that hear phases
    end at 1, and where it turns partials round within the frame there is no waveform left to keep. So
    detunings are swept; `preference` is taken where they turn partials by an eighth within
    `window_duration`, wherever that is; and `crossover` is the detuning that changes as much as scrambled
    phases. For a complete linear bank with windows w, ``d_detuned^2 = 2 (1 - rho)``, ``rho = sum w^2
    cos(2 pi detuning u) / sum w^2``, and ``d_scrambled^2 = 2``, which is what the waveform itself under
    that window gives: its `preference` is 0.72 (rectangular windows; others are near), and falls to 0 as
    the detuning nears the inverse of the duration. A magnitude spectrum that resolves the partials has
    ``d_scrambled = 0``: -1 at every detuning.

    Beside the two stands a *shift* by 2 to 12 ms, which changes neither shape nor spectrum: a frame
    that it moves as far as scrambled phases do knows instants rather than shapes.

    Parameters
    ----------
    session : Session
        By default at the canonical stages and those of fewer codebooks. Codes count as one-hot vectors.
    sounds : StimulusSet, optional
        Steady sounds with the coordinate `kind`; phases do not matter. By default `shape_sounds`.
    detunings_hz : sequence of float > 0
    draws : int > 0, even
        Phases that every sound is played at. Scrambled phases come in pairs, the second of opposite sign,
        so that over a pair they correlate with the sound by exactly 0.

    Returns
    -------
    result : xarray.Dataset
        See `composition.variables`, "waveform_shape". Distances are root mean squares over
        draws, relative to the root mean square deviation from silence. `preference` is interpolated
        between detunings (by ratio), and taken no further than they reach. p: signs of the sounds'
        preferences flipped, both tails; intervals over sounds. How far the two changes really go is
        measured on the stimuli and stands beside: in the waveform that a frame hears, and in the
        magnitude spectrum of four seconds.

    Raises
    ------
    InputError
        If a stage is not there, a number is out of range, a partial lies too near to 0 or to the Nyquist
        frequency to be moved, or an activation is NaN or infinite.

    Notes
    -----
    Source of the claim: Cosme-Clifford, Machines on Music, 2025 ("coarse, recurring patterns of local
    waveform shape"); the test is this project's own.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> samples = waveform_shape(Session(load("control:decimator")), detunings_hz=[10.0])
    >>> round(float(samples.preference.mean()), 3)
    1.0
    """
    encoder, seed, tile_seconds = session.encoder, session.seed, session.tile_seconds or TILE_SECONDS
    stages = _stages(encoder, session.stages)
    if sounds is None:
        sounds = shape_sounds(encoder.sample_rate, seed)
    detunings = np.asarray(detunings_hz, dtype=np.float64)
    _check(encoder, sounds, detunings, draws)
    groups = _grouped_by_window(encoder, stages)
    measured: dict[str, dict[str, np.ndarray]] = {}
    ears: dict[str, _Ear] = {}
    label = f"{encoder.name}: {len(sounds)} sounds"
    task = session.progress.task(label, len(sounds) * len(groups))
    with flushing_denormals(), holding_memory(), task as advance:
        for anchor, members in groups.items():
            ear = _ear(encoder, sounds, anchor, members)
            found = []
            for row in range(len(sounds)):
                played = perturbed(sounds, row, detunings, draws, ear.instant / encoder.sample_rate, seed)
                found.append(_distances(encoder, played, draws, ear, tile_seconds))
                advance(1)
            distances = {name: np.array([one[name] for one in found]) for name in found[0]}
            ears |= dict.fromkeys(members, ear)
            measured |= {s: _judged(distances[s], distances[""], seed) for s in members}
    variables = {
        **stage_coordinates(encoder, stages, Plan(0, {s: ears[s].listening for s in stages}, None)),
        **stacked_stages(VARIABLES["waveform_shape"], [measured[s] for s in stages]),
        **_yardstick(sounds, detunings, encoder.sample_rate, seed),
        "sound": np.arange(len(sounds)),
        "sound_kind": np.asarray(sounds.coordinates["kind"]),
        "n_partials": np.diff(sounds.first),
        "detuning": detunings,
        "window_centre": np.array([float(ears[s].centre) for s in stages]),
        "window_duration": np.array([ears[s].duration / encoder.sample_rate for s in stages]),
    }
    reference = np.clip(REFERENCE_TURN / variables["window_duration"], detunings[0], detunings[-1])
    variables["reference_detuning"] = reference
    variables["preference"] = _interpolated(detunings, variables["preference_by_detuning"], reference)
    variables["crossover"] = np.array([_crossover(detunings, mean) for mean in variables["mean_preference"]])
    variables["remark"] = np.array([_remark(values) for values in variables["preference"]])
    del variables["channel"]
    attributes = {"draws": draws, "seed": seed, "stimuli_sha256": sounds.sha256, "tile_seconds": tile_seconds}
    return dataset(VARIABLES["waveform_shape"], variables, attributes)


@dataclass(frozen=True)
class _Ear:
    """The frame that is looked at, and the samples it hears: about `instant`, so many as `duration`."""

    n_samples: int
    listening: Listening
    centre: int
    duration: int
    hop: int
    silence: Mapping[str, Tensor]

    @property
    def instant(self) -> int:
        return self.listening.first * self.hop + self.centre


def _ear(encoder: Encoder, sounds: StimulusSet, anchor: str, members: Sequence[str]) -> _Ear:
    """Find by clicks in noise, an eighth of a hop apart, where a frame hears: centre and duration.

    Both are of the energy e that a click at some lag changes a frame by: its centre of mass, and (sum e)^2 /
    sum e^2, which for a rectangle is its length.
    """
    stage = encoder.stages[anchor]
    plan = listening_plan(encoder, sounds, [anchor], frames=1)
    frame = plan.listening[anchor].first
    n = min(stage.hop, CLICKS)
    at = plan.n_samples + np.arange(n) * stage.hop // n
    moved = np.zeros((n, 1))
    for seed in range(NOISES):
        noise = np.random.default_rng(seed).normal(0, NOISE_RMS, 2 * plan.n_samples + stage.hop)
        waveforms = np.repeat(noise[None], n + 1, axis=0)
        waveforms[np.arange(n), at] += CLICK
        heard = encoder.run(torch.from_numpy(waveforms).float(), [anchor])[anchor].double()
        moved = moved + (heard[:n] - heard[n]).square().sum(1).cpu().numpy()  # [clicks, F]
    lag = at[:, None] - stage.hop * np.arange(moved.shape[1])
    if moved.sum() > 0:
        centre = round(float((moved * lag).sum() / moved.sum()))
        duration = float(moved.sum() ** 2 / np.square(moved).sum()) * stage.hop / n
    else:
        centre, duration = stage.latency - ((stage.receptive_field or 1) - 1) // 2, float(stage.hop)
    silent = encoder.run(torch.zeros(1, plan.n_samples), list(members))
    return _Ear(
        plan.n_samples,
        Listening(frame, 1, plan.listening[anchor].settled),
        centre,
        max(1, round(duration)),
        stage.hop,
        {name: values[0, ..., frame].cpu().double() for name, values in silent.items()},
    )


def _distances(
    encoder: Encoder, played: StimulusSet, draws: int, ear: _Ear, tile_seconds: float
) -> dict[str, np.ndarray]:
    """Distance of every variant from its sound, [variants], at each stage; as "" in the waveform itself."""
    at_once = max(1, round(tile_seconds * encoder.sample_rate / ear.n_samples))
    frames: dict[str, list[Tensor]] = {stage: [] for stage in ("", *ear.silence)}
    begin = max(0, ear.instant - ear.duration // 2)
    for first in range(0, len(played), at_once):
        waveforms = torch.from_numpy(
            played[first : first + at_once].render(encoder.sample_rate, ear.n_samples)
        )
        frames[""].append(waveforms[:, begin : begin + ear.duration].double())
        for stage, heard in encoder.run(waveforms, list(ear.silence)).items():
            frames[stage].append(heard[..., ear.listening.first].cpu())
    out = {}
    for stage, parts in frames.items():
        several = torch.cat(parts).unflatten(0, (draws, -1))  # [draws, 1 + variants, C]
        if not torch.isfinite(several).all():
            raise InputError(f"{encoder.name}: NaN or Inf at stage {stage!r}")
        if stage and not encoder.stages[stage].has_power:
            out[stage] = _codes_apart(several)
        else:
            out[stage] = _apart(several.double(), ear.silence[stage] if stage else torch.zeros(1))
    return out


def _apart(several: Tensor, silence: Tensor) -> np.ndarray:
    """RMS distance from the first of [draws, 1 + variants, C], re that from silence [C]: [variants]."""
    moved = several - silence.to(several)
    power = moved.square().sum(-1).mean(0)  # [1 + variants]
    apart = (moved[:, 1:] - moved[:, :1]).square().sum(-1).mean(0)
    rounding = (NOISE * several.norm(dim=-1)).square().mean(0)
    response = (power[1:] + power[0]) / 2
    heard = response > rounding[1:] + rounding[0]
    return torch.where(heard, apart / torch.where(heard, response, 1.0), torch.nan).sqrt().numpy()


def _codes_apart(several: Tensor) -> np.ndarray:
    """Do the same for integers [draws, 1 + variants, Q], each a one-hot vector."""
    return (2 * (several[:, 1:] != several[:, :1]).double().mean((0, 2))).sqrt().numpy()


def _judged(distances: np.ndarray, waveform: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Judge the distances of scrambled, shifted, and detuned variants from each sound, [sounds, variants]."""
    scrambled, detuned = distances[:, 0], distances[:, 2:].T  # [detunings, sounds]
    both = scrambled + detuned
    measured = both > NOISE
    preference = np.where(measured, (scrambled - detuned) / np.where(measured, both, 1.0), np.nan)
    finite = [values[np.isfinite(values)] for values in preference]
    intervals = [bootstrap_interval(values, seed) for values in finite]
    return {
        "phase_distance": scrambled,
        "shift_distance": distances[:, 1],
        "detuning_distance": detuned,
        "waveform_phase_distance": waveform[:, 0],
        "waveform_detuning_distance": waveform[:, 2:].T,
        "preference_by_detuning": preference,
        "mean_preference": np.array([values.mean() if len(values) else np.nan for values in finite]),
        "mean_preference_low": np.array([low for low, _ in intervals]),
        "mean_preference_high": np.array([high for _, high in intervals]),
        "mean_preference_p": np.array([flipped_p(values, [seed, 12], tails=2) for values in finite]),
    }


def _crossover(detunings: np.ndarray, mean: np.ndarray) -> float:
    """Find the detuning at which a mean preference, [detunings], falls through 0, interpolated by ratio.

    0 where it is negative from the lowest detuning on; infinite where it is positive up to the highest.
    """
    if np.isnan(mean).any():
        return np.nan
    below = np.flatnonzero(mean <= 0)
    if len(below) == 0:
        return np.inf
    i = int(below[0])
    if i == 0:
        return 0.0
    share = mean[i - 1] / (mean[i - 1] - mean[i])
    return float(detunings[i - 1] * (detunings[i] / detunings[i - 1]) ** share)


def _interpolated(detunings: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate [stages, detunings, sounds] at a detuning of each stage, linearly over its logarithm."""
    above = np.searchsorted(detunings, at).clip(1, max(1, len(detunings) - 1))
    if len(detunings) == 1:
        return values[:, 0]
    low, high = np.log(detunings[above - 1]), np.log(detunings[above])
    share = ((np.log(at) - low) / (high - low))[:, None]
    stage = np.arange(len(values))
    return (1 - share) * values[stage, above - 1] + share * values[stage, above]


def _yardstick(sounds: StimulusSet, detunings: np.ndarray, rate: int, seed: int) -> dict[str, np.ndarray]:
    """How far the variants are from each sound in the magnitude spectrum of a long time."""
    window = np.hanning(round(LONG_SECONDS * rate) + 1)[:-1]
    found = []
    for row in range(len(sounds)):
        played = perturbed(sounds, row, detunings, 2, LONG_SECONDS / 2, seed)
        magnitude = np.abs(np.fft.rfft(window * played.render(rate, len(window))))
        found.append(_apart(torch.from_numpy(magnitude).unflatten(0, (2, -1)), torch.zeros(1)))
    apart = np.array(found)
    return {"spectrum_phase_distance": apart[:, 0], "spectrum_detuning_distance": apart[:, 2:].T}


def _remark(preference: np.ndarray) -> str:
    lost = int(np.isnan(preference).sum())
    return (
        f"{lost} of {len(preference)} sounds: neither they nor their variants change a frame" if lost else ""
    )


def _stages(encoder: Encoder, stages: Sequence[str] | None) -> list[str]:
    if stages is not None:
        return chosen_stages(encoder, stages)
    wanted = {*chosen_stages(encoder, None), *(n for n, s in encoder.stages.items() if s.codebooks)}
    return [name for name in encoder.stages if name in wanted]


def _grouped_by_window(encoder: Encoder, stages: Sequence[str]) -> dict[str, list[str]]:
    """Group stages whose frames hear the same samples: what is quantized hears what the latent does."""
    groups: dict[str, list[str]] = {}
    for name in stages:
        framewise = name in FRAMEWISE or encoder.stages[name].codebooks
        groups.setdefault("latent" if framewise and "latent" in encoder.stages else name, []).append(name)
    return groups


def _check(encoder: Encoder, sounds: StimulusSet, detunings: np.ndarray, draws: int) -> None:
    if "kind" not in sounds.coordinates:
        raise InputError("waveform_shape: the sounds have no coordinate 'kind'")
    if draws < 2 or draws % 2:
        raise InputError(f"draws {draws}: must be even and at least 2, since phases are scrambled in pairs")
    if (
        detunings.ndim != 1
        or len(detunings) == 0
        or not (detunings > 0).all()
        or (np.diff(detunings) <= 0).any()
    ):
        raise InputError(f"detunings_hz {detunings.tolist()}: must be positive and rising")
    frequency, most = sounds.columns["frequency_hz"], detunings[-1]
    for f in (frequency.min(), frequency.max()):
        if not most < f < encoder.sample_rate / 2 - most:
            raise InputError(
                f"frequency {f:g} Hz: too near to 0 or to the Nyquist frequency "
                f"{encoder.sample_rate / 2:g} Hz to be moved by {most:g} Hz"
            )


WAVEFORM_SHAPE = Probe(
    "waveform_shape",
    question="Does a frame keep together what has the same waveform, or what has the same spectrum?",
    variables=VARIABLES["waveform_shape"],
    measure=waveform_shape,
    compared=Compared("sound", ("preference",)),
    known=(
        Known("control:decimator", "preference for waveform over spectrum", *near(1, 0.01, "1.00 ± 0.01"),
              mean_of("preference")),
        Known("filterbank:stft", "preference for waveform over spectrum", *near(0.73, 0.02, "0.73 ± 0.02"),
              mean_of("preference")),
        Known("filterbank:stft_magnitude", "preference for waveform over spectrum", -1, -0.9, "at most -0.90",
              mean_of("preference")),
    ),
)  # fmt: skip
