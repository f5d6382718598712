"""Waveform shape or spectrum: which of the two a frame keeps together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from ..engine.known import Known, mean_of, near
from ..engine.probe import Compared, Probe
from ..engine.respond import FRAMEWISE, Plan
from ..engine.runtime import flushing_denormals, holding_memory
from ..engine.schema import dataset, numbered, stacked_stages, stage_coordinates
from ..engine.session import Session
from ..engine.stages import chosen_stages
from ..statistics.planes import NOISE
from ..statistics.resampling import bootstrap_interval, flipped_p
from .perturbations import perturbed, shape_sounds
from .shape_similarity import CHANGES, code_similarities, shape_over_spectrum, similarities
from .variables import VARIABLES
from .window import Window, window_of

DETUNINGS_HZ = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
REFERENCE_TURN = 1 / 8  # that partials move by within a frame's window, where `preference` is taken
SAME_TURN = 1 / 32  # the same, where the waveform is the same within 6 %
OF_CHANGES = [0, 3, 4, 5]  # of what `perturbed` returns: the sound and its `CHANGES`
FIRST_DETUNED = 5  # of the variants: those before are in `CHANGES`, or scrambled, or shifted
TILE_SECONDS = 8.0
LONG_SECONDS = 4.0  # of the spectrum that tells every detuning
EXCESS = "waveform shape kept beyond a windowed spectrum"


def waveform_shape(
    session: Session[Encoder],
    *,
    sounds: StimulusSet | None = None,
    detunings_hz: Sequence[float] = DETUNINGS_HZ,
    draws: int = 4,
) -> xr.Dataset:
    """Change sounds so that they keep their waveform, or their spectrum, and see which of it a frame keeps.

    Of every sound, a sum of steady partials, there are variants about an instant t0, the centre of the
    frame's window. The window is measured: with clicks (`window_of`).

    - *scrambled*: the same partials, each at another phase. The line spectrum is exactly the same; the
      waveform is another one at every instant (relative distance sqrt(2), as of two unrelated sounds).
    - *half scrambled*: half of the partials are scrambled, the others stay as they are.
    - *inverted*: all phases turn by pi. The magnitude spectrum is the same in every window.
    - *detuned*: every partial moves by `detuning` up or down, at random, and keeps its phase at t0. No
      line is where one was, so that spectra over a few times ``1 / detuning`` have nothing in common
      (distance sqrt(2)); but u seconds from t0 every partial is turned by no more than ``2 pi detuning
      u``, so that the waveforms differ by ``2 |sin(pi detuning u)|``, relative to either: by 0.2 at 3 ms
      for 10 Hz. Nothing is cut or faded: all variants are as steady as the sound itself.
    - *shifted* by 2 to 12 ms, which changes neither shape nor spectrum: a frame that this moves as far
      as scrambled phases do knows instants rather than shapes.

    **Shape over spectrum.** Any frame that keeps phases keeps together what has the same waveform: the
    complex spectrum under its window does. So that spectrum is the reference, not support. It cannot but
    treat an inverted sound as the same with another sign (similarity -1), and a half scrambled one as half
    the same (1/2): it is the sum of its parts. A frame that answers to patterns of waveform treats either
    as another pattern (0). With s the similarity of a variant's frame with the sound's (`similarities`:
    1 the same, 0 unrelated), and w that of the waveform under the frame's window, ``shape_over_spectrum =
    s_same / w_same - max(|s_inverted / w_inverted|, |s_half / w_half|)``; "same" is detuned by so little
    that partials turn by a 32nd within `window_duration`: the waveforms differ by 6 %. It is 0 for every
    complete linear bank, whatever its basis, 1 for a frame that keeps whole waveforms together and nothing
    else, -1 for a magnitude spectrum that resolves the partials. Gain, offset, rotation and repetition of
    channels change nothing. What it cannot exclude: a frame above 0 answers to waveforms as wholes, and
    not to their opposites; rectified projections do so without any pattern that recurs.

    **Preference.** With d the distance of a variant's frame from the sound's, ``preference = (d_scrambled -
    d_detuned) / (d_scrambled + d_detuned)``: 1 if the frame keeps together what has the same waveform
    there, -1 if it keeps together what has the same line spectrum. What lasts longer than its window a
    frame cannot know: as the detuning goes to 0 all that keep phases end at 1, and where it turns partials
    round within the window there is no waveform left to keep. So detunings are swept; `preference` is
    taken where they turn partials by an eighth within `window_duration`; and `crossover` is the detuning
    that changes as much as scrambled phases. For a complete linear bank with windows w, ``d_detuned^2 = 2
    (1 - rho)``, ``rho = sum w^2 cos(2 pi detuning u) / sum w^2``, and ``d_scrambled^2 = 2``, as for the
    waveform itself under that window: its `preference` is 0.72 (rectangular windows; others are near).

    Parameters
    ----------
    session : Session
        By default at the canonical stages and those of fewer codebooks. Codes count as one-hot vectors.
    sounds : StimulusSet, optional
        Steady sounds with the coordinate `kind`, and `group` where some were drawn together; phases do not
        matter. By default `shape_sounds`.
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
        measured on the stimuli and stands beside: in the waveform under the frame's window, and in the
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
    >>> round(float(samples.preference.mean()), 3), round(float(samples.shape_over_spectrum.mean()), 1)
    (1.0, -0.0)
    """
    encoder, seed, tile_seconds = session.encoder, session.seed, session.tile_seconds or TILE_SECONDS
    stages = _stages(encoder, session.stages)
    if sounds is None:
        sounds = shape_sounds(encoder.sample_rate, seed)
    detunings = np.asarray(detunings_hz, dtype=np.float64)
    _check(encoder, sounds, detunings, draws)
    groups = _grouped_by_window(encoder, stages)
    measured: dict[str, dict[str, np.ndarray]] = {}
    windows: dict[str, Window] = {}
    task = session.progress.task(f"{encoder.name}: {len(sounds)} sounds", len(sounds) * len(groups))
    with flushing_denormals(), holding_memory(), task as advance:
        for anchor, members in groups.items():
            window = window_of(encoder, sounds, anchor, members)
            swept = np.array([_detuning(SAME_TURN, window, encoder, detunings), *detunings])

            def frames_of(
                row: int, window: Window = window, swept: np.ndarray = swept
            ) -> dict[str, np.ndarray]:
                played = perturbed(sounds, row, swept, draws, window.instant / encoder.sample_rate, seed)
                frames = _frames(encoder, played, draws, window, tile_seconds)
                return {name: values.numpy() for name, values in frames.items()}

            found = []
            kept = session.blocks("sounds and their variants", sounds.sha256, swept.tolist(), draws, members)
            for frames in kept.each(len(sounds), frames_of):
                found.append({name: torch.from_numpy(values) for name, values in frames.items()})
                advance(1)
            windows |= dict.fromkeys(members, window)
            measured |= _measured(encoder, window, found, seed)
    variables = {
        **stage_coordinates(encoder, stages, Plan(0, {s: windows[s].listening for s in stages}, None)),
        **stacked_stages(VARIABLES["waveform_shape"], [measured[s] for s in stages]),
        **_yardstick(sounds, detunings, encoder.sample_rate, seed),
        "sound": numbered(sounds.coordinates["kind"]),
        "sound_kind": np.asarray(sounds.coordinates["kind"]),
        "sound_group": np.asarray(sounds.coordinates.get("group", np.arange(len(sounds)))),
        "n_partials": np.diff(sounds.first),
        "detuning": detunings,
        "change": np.array(CHANGES),
        "window_centre": np.array([float(windows[s].centre) for s in stages]),
        "window_duration": np.array([windows[s].duration / encoder.sample_rate for s in stages]),
    }
    for name, turn in (("same_detuning", SAME_TURN), ("reference_detuning", REFERENCE_TURN)):
        variables[name] = np.array([_detuning(turn, windows[s], encoder, detunings) for s in stages])
    variables["preference"] = _interpolated(
        detunings, variables["preference_by_detuning"], variables["reference_detuning"].clip(detunings[0])
    )
    variables["crossover"] = np.array([_crossover(detunings, mean) for mean in variables["mean_preference"]])
    variables["remark"] = np.array([_remark(values) for values in variables["shape_over_spectrum"]])
    del variables["channel"]
    attributes = {"draws": draws, "seed": seed, "stimuli_sha256": sounds.sha256, "tile_seconds": tile_seconds}
    return dataset(VARIABLES["waveform_shape"], variables, attributes)


def _detuning(turn: float, window: Window, encoder: Encoder, detunings: np.ndarray) -> float:
    """Return the detuning that turns partials so far within a window, at most the highest one played."""
    return float(min(turn * encoder.sample_rate / window.duration, detunings[-1]))


def _frames(
    encoder: Encoder, played: StimulusSet, draws: int, window: Window, tile_seconds: float
) -> dict[str, Tensor]:
    """Frames of a sound and its variants, [draws, 1 + variants, C]; as "" the waveform under the window."""
    at_once = max(1, round(tile_seconds * encoder.sample_rate / window.n_samples))
    frames: dict[str, list[Tensor]] = {stage: [] for stage in ("", *window.silence)}
    for first in range(0, len(played), at_once):
        waveforms = torch.from_numpy(
            played[first : first + at_once].render(encoder.sample_rate, window.n_samples)
        )
        frames[""].append(window.of(waveforms))
        for stage, values in encoder.run(waveforms, list(window.silence)).items():
            frames[stage].append(values[..., window.listening.first].cpu())
    several = {stage: torch.cat(parts).unflatten(0, (draws, -1)) for stage, parts in frames.items()}
    for stage, values in several.items():
        if not torch.isfinite(values).all():
            raise InputError(f"{encoder.name}: NaN or Inf at stage {stage!r}")
    return several


def _measured(
    encoder: Encoder, window: Window, found: Sequence[dict[str, Tensor]], seed: int
) -> dict[str, dict[str, np.ndarray]]:
    """Measure, at every stage with this window, the frames of all sounds."""
    waveform = np.array([_apart(one[""], torch.zeros(1)) for one in found])  # [sounds, variants]
    windowed = np.array([similarities(one[""][:, OF_CHANGES], 0.0) for one in found])  # [sounds, changes]
    out = {}
    for stage, silence in window.silence.items():
        changed = torch.stack([one[stage][:, OF_CHANGES] for one in found])  # [sounds, draws, 1 + changes, C]
        if encoder.stages[stage].has_power:
            distances = [_apart(one[stage].double(), silence) for one in found]
            changed = changed.double()
            similarity = similarities(changed, changed.mean((0, 1, 2)))
        else:
            distances = [_codes_apart(one[stage]) for one in found]
            similarity = code_similarities(changed)
        out[stage] = _judged(np.array(distances), waveform, seed) | {
            "similarity": similarity.T,
            "windowed_similarity": windowed.T,
            "shape_over_spectrum": shape_over_spectrum(similarity.T, windowed.T),
        }
    return out


def _apart(several: Tensor, silence: Tensor) -> np.ndarray:
    """RMS distance from the first of [draws, 1 + variants, C], re that from silence [C]: [variants]."""
    moved = several - silence.to(several)
    power = moved.square().sum(-1).mean(0)  # [1 + variants]
    apart = (moved[:, 1:] - moved[:, :1]).square().sum(-1).mean(0)
    rounding = (NOISE * several.norm(dim=-1)).square().mean(0)
    response = (power[1:] + power[0]) / 2
    there = response > rounding[1:] + rounding[0]
    return torch.where(there, apart / torch.where(there, response, 1.0), torch.nan).sqrt().numpy()


def _codes_apart(several: Tensor) -> np.ndarray:
    """Do the same for integers [draws, 1 + variants, Q], each a one-hot vector."""
    return (2 * (several[:, 1:] != several[:, :1]).double().mean((0, 2))).sqrt().numpy()


def _judged(distances: np.ndarray, waveform: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Judge the distances of a sound's variants, in the order of `perturbed`, from it, [sounds, variants]."""
    scrambled, detuned = distances[:, 0], distances[:, FIRST_DETUNED:].T  # [detunings, sounds]
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
        "waveform_detuning_distance": waveform[:, FIRST_DETUNED:].T,
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
    return {
        "spectrum_phase_distance": apart[:, 0],
        "spectrum_detuning_distance": apart[:, FIRST_DETUNED - 1 :].T,
    }


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
    """Group stages whose frames have one window: what is quantized has the latent's."""
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
    compared=Compared("sound", ("shape_over_spectrum", "preference")),
    known=(
        Known("control:decimator", EXCESS, *near(0, 0.05, "0.00 ± 0.05"), mean_of("shape_over_spectrum")),
        Known("filterbank:stft", EXCESS, *near(0, 0.05, "0.00 ± 0.05"), mean_of("shape_over_spectrum")),
        Known("filterbank:stft_magnitude", EXCESS, -np.inf, -0.9, "at most -0.90",
              mean_of("shape_over_spectrum")),
        Known("control:texture", EXCESS, 0.3, 1, "at least 0.30", mean_of("shape_over_spectrum")),
        Known("filterbank:stft", "preference for waveform over spectrum", *near(0.73, 0.02, "0.73 ± 0.02"),
              mean_of("preference")),
    ),
)  # fmt: skip
