"""Filter selectivity: what each channel of each stage answers to partials, pitches and chords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.partials import partials, partials_at
from ...synth.stimuli import StimulusSet
from ..engine.probe import Compared, Played, Probe
from ..engine.respond import Plan, respond
from ..engine.schema import stage_coordinates
from ..engine.session import Session
from ..engine.stages import (
    check_below_nyquist,
    check_single,
    chosen_stages,
    coordinate,
    resolving_length,
    run_attributes,
    tone_grid,
    tone_response,
)
from ..engine.store import ResponseStore
from .tuning import (
    closed_form_response,
    noise_bandwidth_floor,
    rectangular_bandwidth,
    stacked,
    tuning_columns,
)
from .variables import VARIABLES

LONGEST_REFINED = 4096  # samples: longer receptive fields would need more tones than a refinement is worth
CHANNELS_AT_ONCE = 64
CLOSED_FORM_FLOOR_DB = -40.0


def selectivity(
    session: Session[Encoder],
    stimuli: StimulusSet,
    *,
    phases: int = 5,
    frames: int = 4,
    refine: bool = False,
) -> xr.Dataset:
    """Measure tuning curves with partials, and read best frequency, bandwidths and the rest off them.

    The response of a channel to a tone is the root of the mean power of its deviation from the response
    to silence, over steady-state frames and equally spaced phases, over the tone's RMS. (The mean of RMS
    values would read 0.9 dB low where a tone folds to DC.) Integer codes have no power: they get the
    probability that a code differs from silence's.

    Parameters
    ----------
    session : Session
        At the canonical stages by default; responses are streamed to its `out`, if it has one.
    stimuli : StimulusSet
        Single partials (`tonotopy.synth.partials`), at one or several levels.
    phases : int >= 3
    frames : int > 0
        Steady frames per tone and phase; see `respond` for both.
    refine : bool
        Add a linear grid of ``fs / (4 L)`` between the lowest and highest partial, L being the longest
        bounded receptive field requested (up to 4096 samples): fine enough for the bandwidth columns.
        Without it they are NaN, and `resolved` False, wherever the grid given is coarser.

    Returns
    -------
    tuning : xarray.Dataset
        See `filters.variables`, "selectivity". With several levels every variable per tone
        or channel has a last dimension `level`.

    Raises
    ------
    InputError
        If a stage is not there, the stimuli are no single partials, or one lies at or above Nyquist.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> from tonotopy.synth import partials
    >>> stft = load("filterbank:stft")
    >>> tuning = selectivity(Session(stft), partials(900, 1100, step_hz=11.71875))
    >>> round(float(tuning.best_frequency.sel(stage="first_layer")[43]))  # bin 43 of 1024 at 24 kHz
    1008
    """
    encoder, stages = session.encoder, chosen_stages(session.encoder, session.stages)
    if phases < 3:
        raise InputError(f"phases {phases}: at least 3 make the mean power of a linear stage exact")
    check_single(stimuli, "selectivity")
    if refine:
        stimuli = refined(stimuli, encoder, stages)
    levels, frequency, order = tone_grid(stimuli, "selectivity")
    store = ResponseStore(VARIABLES["selectivity"], encoder, stages, len(frequency), len(levels), session.out)

    def play(level: int) -> Plan:
        return respond(
            session, stimuli[order[level]], stages, tone_response, store.writer(level),
            phases=phases, frames=frames, label=f"{encoder.name}: {len(frequency)} partials",
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


def played(low_hz: float = 60.0, high_hz: float = 10_000.0, per_octave: float = 24.0, **_: object) -> Played:
    """Return the grid of partials."""
    return {"partials": partials(low_hz, high_hz, per_octave=per_octave)}


def _measure(
    session: Session[Encoder],
    low_hz: float = 60.0,
    high_hz: float = 10_000.0,
    per_octave: float = 24.0,
    refine: bool = True,
    phases: int = 5,
) -> xr.Dataset:
    grid = played(low_hz, high_hz, per_octave)["partials"]
    return selectivity(session, grid, phases=phases, refine=refine)


def _refuses(session: Session[Encoder], high_hz: float = 10_000.0, **others: Any) -> None:
    played(high_hz=high_hz, **others)
    check_below_nyquist(session.encoder, high_hz)


SELECTIVITY = Probe(
    "selectivity",
    question="Which frequencies does each channel answer to, and how narrowly?",
    variables=VARIABLES["selectivity"],
    measure=_measure,
    refuses=_refuses,
    stimuli=played,
    compared=Compared("channel", ("best_frequency", "equivalent_noise_bandwidth", "peak_response")),
)
