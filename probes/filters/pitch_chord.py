"""Tuning beyond partials: what channels answer to pitches and to chords, and what their answers follow."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ...synth.chords import chords
from ...synth.errors import InputError
from ...synth.pitches import Timbre, pitches
from ...synth.stimuli import StimulusSet
from ..engine.probe import Compared, Probe
from ..engine.respond import respond
from ..engine.schema import stage_coordinates
from ..engine.session import Session
from ..engine.stages import chosen_stages, coordinate, run_attributes, tone_response
from ..engine.store import ResponseStore
from .variables import VARIABLES

PITCH_TIMBRES = ("saw", "square", "dull", "missing")
CHORD_TIMBRE = Timbre(4, -6.02, name="four partials")  # few, since phases must outnumber them twice
CHORD_QUALITIES = ("major", "minor", "diminished", "augmented", "sus4", "dominant7", "major7", "minor7")


def pitch_tuning(
    session: Session[Encoder],
    stimuli: StimulusSet | None = None,
    *,
    phases: int | None = None,
    frames: int = 2,
) -> xr.Dataset:
    """Measure the response to fundamental frequency with timbre varied.

    Parameters
    ----------
    session, frames
        As in `selectivity`.
    phases : int, optional
        By default twice the most partials of a stimulus and one more: then the power of a linear stage is
        exact in every frame, whatever beats there are (see `StimulusSet.with_phases`).
    stimuli : StimulusSet, optional
        Pitches (`tonotopy.synth.pitches`): every f0 in every timbre, once; by default `default_pitches`.

    Returns
    -------
    tuning : xarray.Dataset
        `response` [stage, channel, f0, timbre] as in `selectivity`, re the note's RMS; the best f0; and
        the shares of the response's variance over the table that f0 and timbre explain (main effects of
        a two-way layout; the rest is interaction). See `filters.variables`, "pitch_tuning".

    Raises
    ------
    InputError
        If the stimuli do not form a full table, or as in `selectivity`.
    """
    if stimuli is None:
        stimuli = complete(default_pitches(), session.encoder.sample_rate)
    axes = {"f0": coordinate(stimuli, "f0_hz", "pitch_tuning")}
    axes |= {"timbre": coordinate(stimuli, "timbre", "pitch_tuning")}
    return _tuning("pitch_tuning", session, stimuli, axes, phases, frames)


def chord_tuning(
    session: Session[Encoder],
    stimuli: StimulusSet | None = None,
    *,
    phases: int | None = None,
    frames: int = 2,
) -> xr.Dataset:
    """Measure the response to chord root and quality with inversion and voicing varied.

    Parameters
    ----------
    session, phases, frames
        As in `selectivity`.
    stimuli : StimulusSet, optional
        Chords (`tonotopy.synth.chords`): every root in every quality and position, once; by default
        `default_chords`.

    Returns
    -------
    tuning : xarray.Dataset
        `response` [stage, channel, root, quality, position], the best root, and the shares of variance
        that root, quality and position explain. See `filters.variables`, "chord_tuning".

    Raises
    ------
    InputError
        As in `pitch_tuning`.
    """
    if stimuli is None:
        stimuli = complete(default_chords(), session.encoder.sample_rate)
    names = ("root_midi", "quality", "voicing", "inversion")
    root, quality, voicing, inversion = (coordinate(stimuli, name, "chord_tuning") for name in names)
    position = np.array([f"{v}, inversion {i}" for v, i in zip(voicing, inversion, strict=True)])
    axes = {"root": root, "quality": quality, "position": position}
    return _tuning("chord_tuning", session, stimuli, axes, phases, frames)


def default_pitches() -> StimulusSet:
    """Return 31 pitches, two semitones apart, in four timbres."""
    return pitches(midi=range(36, 97, 2), timbres=PITCH_TIMBRES)


def default_chords() -> StimulusSet:
    """Return chords of eight qualities on twelve roots, in three inversions."""
    return chords(range(48, 60), qualities=CHORD_QUALITIES, inversions=(0, 1, 2), timbre=CHORD_TIMBRE)


def complete(stimuli: StimulusSet, sample_rate: float) -> StimulusSet:
    """Leave out what has partials above Nyquist, and every f0 that then lacks a timbre or a quality."""
    kept = stimuli.below_nyquist(sample_rate, above_nyquist="drop")
    f0 = kept.coordinates["f0_hz"]
    values, counts = np.unique(f0, return_counts=True)
    return kept[np.flatnonzero(np.isin(f0, values[counts == counts.max()]))]


def variance_shares(table: np.ndarray) -> list[np.ndarray]:
    """Share of a table's variance that each of its factors explains by itself.

    Parameters
    ----------
    table : float [C, n1, n2, ...]
        A response per channel and combination of factor levels, one value each.

    Returns
    -------
    shares : list of float [C]
        Main effects: variance of the factor's means over the variance of the table. They sum to at most
        1; the rest is interaction. NaN where nothing varies.

    Examples
    --------
    >>> rows, columns = np.arange(3.0)[:, None], np.zeros(4)
    >>> [float(s[0]) for s in variance_shares((rows + columns)[None])]
    [1.0, 0.0]
    """
    axes = tuple(range(1, table.ndim))
    total = table.var(axis=axes)
    total = np.where(total > 0, total, np.nan)
    return [table.mean(axis=tuple(a for a in axes if a != axis)).var(axis=1) / total for axis in axes]


def _tuning(
    probe: str,
    session: Session[Encoder],
    stimuli: StimulusSet,
    axes: dict[str, np.ndarray],
    phases: int | None,
    frames: int,
) -> xr.Dataset:
    encoder, stages = session.encoder, chosen_stages(session.encoder, session.stages)
    if len(stimuli.contexts):
        raise InputError(f"{probe}: takes stimuli without context")
    if phases is None:
        phases = max(5, 2 * int(np.diff(stimuli.first).max()) + 1)
    levels = {name: list(dict.fromkeys(np.asarray(values).tolist())) for name, values in axes.items()}
    sizes = tuple(len(values) for values in levels.values())
    index = [[levels[name].index(v) for v in np.asarray(values).tolist()] for name, values in axes.items()]
    cell = np.ravel_multi_index(index, sizes)
    if not np.array_equal(np.sort(cell), np.arange(np.prod(sizes))):
        named = ", ".join(axes)
        raise InputError(
            f"{probe}: needs every combination of {named} exactly once, got {len(stimuli)} stimuli"
        )
    store = ResponseStore(VARIABLES[probe], encoder, stages, len(stimuli))
    plan = respond(
        session, stimuli[np.argsort(cell)], stages, tone_response, store.writer(),
        phases=phases, frames=frames,
        label=f"{encoder.name}: {len(stimuli)} {probe.removesuffix('_tuning')} stimuli",
    )  # fmt: skip
    tables = {name: np.asarray(a) for name, a in store.arrays.items()}  # [stage, channel, cell]
    store.arrays = {name: table.reshape(*table.shape[:2], *sizes) for name, table in tables.items()}
    variables: dict[str, object] = {name: np.array(values) for name, values in levels.items()}
    if "response" in store.arrays:
        variables |= _summary(np.asarray(store.arrays["response"]), list(axes), next(iter(levels.values())))
    return store.finish(
        {**variables, **stage_coordinates(encoder, stages, plan)}, run_attributes(phases, plan, stimuli)
    )


def _summary(response: np.ndarray, names: list[str], first_levels: list[float]) -> dict[str, np.ndarray]:
    """Best level of the first factor, and every factor's share: [stage, channel]."""
    n_stages, n_channels = response.shape[:2]
    flat = response.reshape(n_stages * n_channels, *response.shape[2:]).astype(np.float64)
    mean = flat.mean(axis=tuple(range(2, flat.ndim)))
    alive = np.isfinite(mean).all(1) & (np.nan_to_num(mean).max(1) > 0)
    best = np.where(alive, np.array(first_levels, dtype=float)[np.nan_to_num(mean).argmax(1)], np.nan)
    columns = {f"best_{names[0]}": best}
    columns |= {f"{name}_share": share for name, share in zip(names, variance_shares(flat), strict=True)}
    return {name: values.reshape(n_stages, n_channels) for name, values in columns.items()}


def _refuses(session: Session[Encoder], stimuli: StimulusSet | None = None, **_: object) -> None:
    if stimuli is not None:
        stimuli.below_nyquist(session.encoder.sample_rate)


PITCH_TUNING = Probe(
    "pitch_tuning",
    question="Do channels follow the pitch of a note, whatever its timbre?",
    variables=VARIABLES["pitch_tuning"],
    measure=pitch_tuning,
    refuses=_refuses,
    stimuli=lambda stimuli=None, **_: {"pitches": default_pitches() if stimuli is None else stimuli},
    compared=Compared("channel", ("f0_share",)),
)
CHORD_TUNING = Probe(
    "chord_tuning",
    question="Do channels follow the root or the quality of a chord, whatever its position?",
    variables=VARIABLES["chord_tuning"],
    measure=chord_tuning,
    refuses=_refuses,
    stimuli=lambda stimuli=None, **_: {"chords": default_chords() if stimuli is None else stimuli},
    compared=Compared("channel", ("root_share", "quality_share")),
)
