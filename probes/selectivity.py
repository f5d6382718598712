"""Filter selectivity: what each channel of each stage answers to partials, pitches and chords."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..encoders.base import Encoder, Stage, canonical_stages, check_stages
from ..synth.errors import InputError
from ..synth.partials import partials_at
from ..synth.stimuli import StimulusSet
from .progress import Progress
from .respond import Plan, respond
from .schema import stage_coordinates
from .store import ResponseStore
from .tuning import (
    closed_form_response,
    noise_bandwidth_floor,
    rectangular_bandwidth,
    stacked,
    tuning_columns,
)

SAMPLED_FRAMES, LINEAR_FRAMES = 256, 16
LONGEST_REFINED = 4096  # samples: longer receptive fields would need more tones than a refinement is worth
CHANNELS_AT_ONCE = 64
CLOSED_FORM_FLOOR_DB = -40.0


def selectivity(
    encoder: Encoder,
    stimuli: StimulusSet,
    stages: Sequence[str] | None = None,
    *,
    phases: int = 5,
    frames: int = 4,
    refine: bool = False,
    tile_seconds: float | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure tuning curves with partials, and read best frequency, bandwidths and the rest off them.

    The response of a channel to a tone is the root of the mean power of its deviation from the response
    to silence, over steady-state frames and equally spaced phases, over the tone's RMS. (The mean of RMS
    values would read 0.9 dB low where a tone folds to DC.) Integer codes have no power: they get the
    probability that a code differs from silence's.

    Parameters
    ----------
    encoder : Encoder
    stimuli : StimulusSet
        Single partials (`tonotopy.synth.partials`), at one or several levels.
    stages : sequence of str, optional
        The canonical stages the encoder has, by default.
    phases : int >= 3
    frames : int > 0
        Steady frames per tone and phase; see `respond` for both.
    refine : bool
        Add a linear grid of ``fs / (4 L)`` between the lowest and highest partial, L being the longest
        bounded receptive field asked for (up to 4096 samples): fine enough for the bandwidth columns.
        Without it they are NaN, and `resolved` False, wherever the grid given is coarser.
    tile_seconds : float, optional
        As in `respond`.
    out : path, optional
        A zarr group to stream the responses to and keep the result in; without it all is in memory.
    progress : Progress, optional

    Returns
    -------
    tuning : xarray.Dataset
        See `tonotopy.probes.schema`, group "selectivity". With several levels every variable per tone
        or channel has a last dimension `level`.

    Raises
    ------
    InputError
        If a stage is not there, the stimuli are no single partials, or one lies at or above Nyquist.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.synth import partials
    >>> stft = load("filterbank:stft")
    >>> tuning = selectivity(stft, partials(900, 1100, step_hz=11.71875))
    >>> round(float(tuning.best_frequency.sel(stage="first_layer")[43]))  # bin 43 of 1024 at 24 kHz
    1008
    """
    stages = chosen_stages(encoder, stages)
    if phases < 3:
        raise InputError(f"phases {phases}: at least 3 make the mean power of a linear stage exact")
    check_single(stimuli, "selectivity")
    if refine:
        stimuli = refined(stimuli, encoder, stages)
    levels, frequency, order = tone_grid(stimuli, "selectivity")
    store = ResponseStore("selectivity", encoder, stages, len(frequency), len(levels), out)

    def play(level: int) -> Plan:
        return respond(
            encoder, stimuli[order[level]], stages, tone_response, store.writer(level),
            phases=phases, frames=frames, tile_seconds=tile_seconds,
            label=f"{encoder.name}: {len(frequency)} partials", progress=progress,
        )  # fmt: skip

    plans = [play(level) for level in range(len(levels))]
    columns = [_columns(encoder, stages, frequency, store, level) for level in range(len(levels))]
    merged = {
        k: np.stack([c[k] for c in columns], -1) if len(levels) > 1 else columns[0][k] for k in columns[0]
    }
    merged |= _closed_form(encoder, stages, frequency, store)
    merged |= stage_coordinates(encoder, stages, plans[0])
    fields = merged["receptive_field"]
    merged["rectangular_bandwidth"] = rectangular_bandwidth(encoder.sample_rate, fields)
    merged["frequency"] = frequency
    merged["level_dbfs"] = levels if len(levels) > 1 else levels[0]
    return store.finish(merged, run_attributes(phases, plans[0], stimuli))


def refined(stimuli: StimulusSet, encoder: Encoder, stages: Sequence[str]) -> StimulusSet:
    """Add the linear grid that resolves every one of `stages`, up to a receptive field of 4096 samples."""
    lengths = [resolving_length(encoder, encoder.stages[s]) for s in stages]
    longest = max((n for n in lengths if n <= LONGEST_REFINED), default=0)
    frequency = stimuli.columns["frequency_hz"]
    if longest < 2:
        return stimuli
    step = encoder.sample_rate / (4 * longest)  # half of what is needed: sums over it are good to 1 %
    count = int(np.ceil((frequency.max() - frequency.min()) / step)) + 1
    grid = np.union1d(frequency, np.linspace(frequency.min(), frequency.max(), max(count, 2)))
    return partials_at(grid, level_dbfs=np.unique(coordinate(stimuli, "level_dbfs", "selectivity")).tolist())


def resolving_length(encoder: Encoder, stage: Stage) -> int:
    """Return the L whose ``fs / (2 L)`` resolves a stage: its receptive field, or the longest bounded."""
    return stage.receptive_field or max((s.receptive_field or 1) for s in encoder.stages.values())


def tone_response(
    stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor
) -> dict[str, Tensor]:
    """Reduce steady frames [b, K, C, F] to the response of each channel, re the stimulus's RMS: [b, C].

    Of many frames some are looked at; see `sampled_frames`.
    """
    n_frames = activations.shape[-1]
    chosen = sampled_frames(stage, n_frames)
    if len(chosen) < n_frames:
        there = chosen.to(activations.device)
        activations, silence = activations[..., there], silence[..., there]
    if not stage.has_power:
        return {"change_probability": (activations != silence).float().mean((1, 3))}
    power = (activations.float() - silence.float()).square().mean((1, 3))  # [b, C]
    rms = torch.as_tensor(stimuli.rms, dtype=torch.float32, device=power.device)
    return {"response": power.sqrt() / rms[:, None]}


def sampled_frames(stage: Stage, n_frames: int) -> Tensor:
    """Return which of many steady frames to look at, increasing: all, or at most 256 of them.

    They are spread by the golden ratio so that no period repeats them; 16 suffice at a linear stage, where
    enough phases make each single frame exact (`StimulusSet.with_phases`).
    """
    enough = LINEAR_FRAMES if stage.is_linear else SAMPLED_FRAMES
    if n_frames <= enough:
        return torch.arange(n_frames)
    golden = torch.arange(enough, dtype=torch.float64) * 0.6180339887498949
    return torch.unique((golden % 1.0 * n_frames).long())


def chosen_stages(encoder: Encoder, stages: Sequence[str] | None) -> list[str]:
    """Return the stages asked for, each once; by default the canonical ones, or all if there are none."""
    if stages is None:
        return canonical_stages(encoder) or list(encoder.stages)
    if not stages:
        raise InputError(f"{encoder.name}: no stage asked for; it has {', '.join(encoder.stages)}")
    return list(dict.fromkeys(check_stages(encoder, list(stages))))


def coordinate(stimuli: StimulusSet, name: str, probe: str) -> np.ndarray:
    """Return a coordinate that a probe needs, or raise naming it."""
    if name not in stimuli.coordinates:
        raise InputError(f"{probe}: the stimuli have no coordinate {name!r}")
    return np.asarray(stimuli.coordinates[name])


def check_single(stimuli: StimulusSet, probe: str) -> None:
    """Raise unless every stimulus is one partial and nothing else."""
    if (np.diff(stimuli.first) != 1).any() or len(stimuli.contexts):
        raise InputError(f"{probe}: takes single partials without context")


def tone_grid(stimuli: StimulusSet, probe: str) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the levels, the frequencies, and per level the rows in order of frequency; or raise."""
    check_single(stimuli, probe)
    level = coordinate(stimuli, "level_dbfs", probe)
    frequency = stimuli.columns["frequency_hz"]
    levels = np.unique(level)
    order = [(rows := np.flatnonzero(level == one))[np.argsort(frequency[rows])] for one in levels]
    grid = frequency[order[0]]
    if (np.diff(grid) == 0).any() or any(not np.array_equal(frequency[rows], grid) for rows in order):
        raise InputError(f"{probe}: every frequency must occur once at every level")
    return levels, grid, order


def _columns(
    encoder: Encoder, stages: Sequence[str], frequency: np.ndarray, store: ResponseStore, level: int
) -> dict[str, np.ndarray]:
    """Read the columns off every tuning curve: name -> [stage, channel], NaN where there is no channel."""
    n_stages, widest = len(stages), max(store.n_channels)
    out: dict[str, np.ndarray] = {}
    for i, name in enumerate(stages):
        stage = encoder.stages[name]
        step = encoder.sample_rate / (2 * resolving_length(encoder, stage))
        for lo in range(0, stage.channels if stage.has_power else 0, CHANNELS_AT_ONCE):
            block = slice(lo, min(lo + CHANNELS_AT_ONCE, stage.channels))
            curves = stacked(
                [tuning_columns(frequency, curve, step) for curve in store.read(i, block, level)]
            )
            if stage.is_linear and stage.receptive_field is not None:
                curves["noise_bandwidth_floor"] = noise_bandwidth_floor(
                    curves["best_frequency"], encoder.sample_rate, stage.receptive_field
                )
            curves["nyquist_share"] = curves["bandwidth_3db"] / (encoder.sample_rate / (2 * stage.hop))
            for key, values in curves.items():
                empty = False if values.dtype == bool else np.nan
                table = out.setdefault(key, np.full((n_stages, widest), empty, dtype=values.dtype))
                table[i, block] = values
    return out


def _closed_form(
    encoder: Encoder, stages: Sequence[str], frequency: np.ndarray, store: ResponseStore
) -> dict[str, np.ndarray]:
    """Tuning curves of plain convolution stages from their kernels, and how far the measured ones are off."""
    known = {i: w for i, s in enumerate(stages) if (w := encoder.kernels(s)) is not None}
    if not known:
        return {}
    exact = store.allocate("closed_form", per_level=False)
    error_db = np.full(len(stages), np.nan)
    for i, kernels in known.items():
        off_db = []
        for lo in range(0, len(kernels), CHANNELS_AT_ONCE):
            block = slice(lo, min(lo + CHANNELS_AT_ONCE, len(kernels)))
            curves = closed_form_response(kernels[block], frequency, encoder.sample_rate)
            exact[i, block] = curves.astype(np.float32)
            loud = curves > curves.max(1, keepdims=True) * 10 ** (CLOSED_FORM_FLOOR_DB / 20)
            measured = np.maximum(store.read(i, block)[loud], 1e-30)
            off_db.append(np.abs(20 * np.log10(measured / curves[loud])).astype(np.float32))
        if sum(map(len, off_db)):
            error_db[i] = np.median(np.concatenate(off_db))
    return {"closed_form_error": error_db}


def run_attributes(phases: int, plan: Plan, stimuli: StimulusSet) -> dict[str, object]:
    """Say how a probe was run."""
    return {
        "phases": phases,
        "n_samples": plan.n_samples,
        "tile_seconds": plan.tile_seconds,
        "stimuli_sha256": stimuli.sha256,
    }
