"""Chords: whether they are the sum of their notes, minor is a direction, and inversions stay themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import xarray as xr
from torch import Tensor

from ...encoders.base import Encoder, Stage
from ...synth.chords import TRIADS, chord_notes
from ...synth.partials import midi_to_hz
from ...synth.pitches import TIMBRES
from ...synth.stimuli import Partial, Stimulus, StimulusSet
from ..engine.channel_levels import BASELINES, baseline_levels, channel_levels, decibels, window_frames
from ..engine.known import Known, known_ranges, mean_of, near
from ..engine.probe import Compared, Probe
from ..engine.respond import respond
from ..engine.runtime import one_thread
from ..engine.schema import dataset, stacked_stages, stage_coordinates
from ..engine.session import Session
from ..engine.stages import readable_stages, run_attributes, sampled_frames
from ..statistics.resampling import permutation_p
from ..statistics.ridge import area_under_curve
from .variables import VARIABLES

ROOTS_MIDI = tuple(range(48, 60))  # all pitch classes within one octave, so register hardly varies
POSITIONS = ((0, "close"), (1, "close"), (2, "close"), (0, "spread"))
PHASES = 3
HIGHEST = 0.45  # of the sample rate
SHUFFLES = 99
TILE_SECONDS = 4.0
CODES = "codes cannot be added"
SILENT = "answers to no chord"


@dataclass(frozen=True)
class Chords:
    """Chords that are played: MIDI note of the root, quality, and the notes, [n]."""

    root: np.ndarray
    quality: np.ndarray
    notes: tuple[tuple[float, ...], ...]

    @property
    def pitch_classes(self) -> list[frozenset[float]]:
        """Pitch classes of each chord; inversions do not change them."""
        return [frozenset(note % 12 for note in notes) for notes in self.notes]


def chord_composition(session: Session[Encoder], *, level_dbfs: float = -30.0) -> xr.Dataset:
    """Ask how a representation of a chord follows from its notes, its quality and its pitch classes.

    Sum: the deviation of a chord from silence against the sum of those of its notes, each at the phases
    and amplitudes that it has in the chord, and against the notes of another chord (no note in common) of
    the same octave. Silence counts once in each: f(0) is taken off everywhere.

    Offset: the step from major to minor, of channel levels in dB averaged over phases and positions, at
    one root against another; qualities shuffled at each root are the null. A root's minor chord is
    also foretold from its major chord and the mean step of the other roots. Where channels are narrow the
    step moves along with the root, as a pattern moves along a cochlea: then no two roots share it,
    and a cosine near 0 (-1/11 where octaves are alike and all twelve steps add up to nothing) says that
    the code is tonotopic, not that it knows no chords. Chroma and the magnitude spectrum show what that
    looks like.

    Position: whether a chord is more like its own inversions and voicings than like other chords in the
    same position (AUC of the cosine of channel levels, less their mean over all chords).

    Parameters
    ----------
    session : Session
        By default at the stages of `readout`.
    level_dbfs : float
        Of each note.

    Returns
    -------
    composition : xarray.Dataset
        See `composition.variables`, "chord_composition". NaN with a `remark` where a stage holds
        codes or answers to no chord.

    Raises
    ------
    InputError
        If a stage is not there.

    Notes
    -----
    Sources: additivity, Andreas, Measuring compositionality in representation learning, 2019; offsets,
    Mikolov, Yih and Zweig, Linguistic regularities in continuous space word representations, 2013.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> composed = chord_composition(Session(load("control:decimator")))
    >>> bool(composed.sum_error.max() < 1e-9), bool(composed.wrong_sum_error.median() > 1)
    (True, True)
    """
    session = session.tiled(TILE_SECONDS)
    encoder, seed = session.encoder, session.seed
    stages = readable_stages(encoder, session.stages)
    vectors = [s for s in stages if encoder.stages[s].has_power]
    chords = played_chords()
    placed = positions(encoder.sample_rate, level_dbfs)
    label = f"{encoder.name}: {len(placed)} chords in all positions"
    measured = channel_levels(session, placed, stages, phases=PHASES, label=label)
    shape = (len(ROOTS_MIDI), len(TRIADS), len(POSITIONS), -1)
    with one_thread():
        found = {s: _of_levels(decibels(rms).reshape(shape), chords, seed) for s, rms in measured.rms.items()}
        beside = _baselines(placed, encoder.sample_rate)
        baselines = [_of_levels(decibels(beside[name]).reshape(shape), chords, seed) for name in BASELINES]
    remarks = {s: "" if measured.rms[s].any() else SILENT for s in vectors}
    if vectors:
        errors = _sum_errors(session, vectors, chords, level_dbfs)
        found = {s: {**found[s], **errors[s]} for s in vectors}
    kept = ("offset_cosine", "transfer_error", "position_auc")
    variables = {
        **stacked_stages(VARIABLES["chord_composition"], [found.get(s, {}) for s in stages]),
        **{f"{name}_baseline": np.stack([one[name] for one in baselines]) for name in kept},
        **stage_coordinates(encoder, stages, measured.plan),
        "remark": np.array([remarks.get(s, CODES) for s in stages]),
        "chord": np.array([f"{r} {q}" for r, q in zip(chords.root, chords.quality, strict=True)]),
        "chord_root": chords.root,
        "chord_quality": chords.quality,
        "root": np.array(ROOTS_MIDI),
        "root_2": np.array(ROOTS_MIDI),
        "shuffle": np.arange(SHUFFLES),
        "baseline": np.array(BASELINES),
    }
    settings = {"seed": seed, "chord_level_dbfs": level_dbfs}
    return dataset(
        VARIABLES["chord_composition"],
        variables,
        {**run_attributes(PHASES, measured.plan, placed), **settings},
    )


def played_chords() -> Chords:
    """Return the triads on twelve roots, the root varying slowest: 48 chords."""
    named = [(root, quality) for root in ROOTS_MIDI for quality in TRIADS]
    return Chords(
        np.array([root for root, _ in named]),
        np.array([quality for _, quality in named]),
        tuple(tuple(chord_notes(root, quality)) for root, quality in named),
    )


def positions(sample_rate: float, level_dbfs: float = -30.0) -> StimulusSet:
    """Return the chords in three inversions and one spread voicing, the position varying fastest.

    Examples
    --------
    >>> len(positions(24_000))  # 12 roots, 4 triads, 4 positions
    192
    """
    return StimulusSet.of(
        Stimulus(
            tuple(
                p for note in chord_notes(root, quality, *where) for p in _note(note, level_dbfs, sample_rate)
            )
        )
        for root in ROOTS_MIDI
        for quality in TRIADS
        for where in POSITIONS
    )


def other_chords(chords: Chords, seed: int = 0) -> np.ndarray:
    """Draw for each chord another one that has no note in common with it: int [n]."""
    generator = np.random.default_rng([seed, 8])
    apart = [
        [i for i, others in enumerate(chords.notes) if not set(notes) & set(others)] for notes in chords.notes
    ]
    return np.array([generator.choice(choice) for choice in apart])


def offset_cosines(offsets: np.ndarray) -> np.ndarray:
    """Cosines of the offsets of all pairs of roots: [..., roots, D] -> [..., roots, roots], NaN for none.

    Examples
    --------
    >>> offset_cosines(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, -1.0]])).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    length = np.linalg.norm(offsets, axis=-1, keepdims=True)
    unit = offsets / np.where(length > 0, length, np.nan)
    return unit @ np.swapaxes(unit, -1, -2) + 0.0  # no negative zero


def transfer_errors(offsets: np.ndarray) -> np.ndarray:
    """Squared error of the other roots' mean offset, re the offset's own power: [roots, D] -> [roots].

    0: the offset is the same at every root; 1: as good as no step at all; with n orthogonal offsets of one
    length ``1 + 1 / (n - 1)``.

    Examples
    --------
    >>> transfer_errors(np.eye(3)).round(6).tolist()
    [1.5, 1.5, 1.5]
    """
    n = len(offsets)
    others = (offsets.sum(0) - offsets) / (n - 1)
    power = np.square(offsets).sum(-1)
    return np.square(offsets - others).sum(-1) / np.where(power > 0, power, np.nan)


def position_areas(levels: np.ndarray, pitch_classes: Sequence[frozenset[float]]) -> np.ndarray:
    """Chance that a chord is more like itself in another position than like another in the same one.

    Parameters
    ----------
    levels : float [chords, positions, D]
    pitch_classes : sequence of frozenset
        Of each chord. Chords that share all of them (augmented triads a major third apart) are not
        compared: they are the same notes.

    Returns
    -------
    area : float64 [chords]
        0.5 by chance, 1 where position makes no difference; NaN where all chords are alike.
    """
    n, n_positions = levels.shape[:2]
    centred = levels - levels.mean((0, 1))
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    if not length.max() > 0:
        return np.full(n, np.nan)
    unit = centred / np.where(length > 0, length, np.inf)
    alike = np.einsum("kpd,lqd->klpq", unit, unit, optimize=True).round(9)  # differences below are rounding
    upper = np.triu_indices(n_positions, 1)
    areas = np.empty(n)
    for k in range(n):
        others = [j for j in range(n) if pitch_classes[j] != pitch_classes[k]]
        same, different = alike[k, k][upper], alike[k, others].diagonal(axis1=-2, axis2=-1).ravel()
        labels = np.arange(len(same) + len(different)) < len(same)
        areas[k] = area_under_curve(np.concatenate([same, different]), labels)
    return areas


def _of_levels(levels: np.ndarray, chords: Chords, seed: int) -> dict[str, np.ndarray]:
    """Offsets and positions of levels [roots, qualities, positions, D]."""
    generator = np.random.default_rng([seed, 9])
    mean = levels.mean(2)  # [roots, qualities, D]
    offsets = mean[:, TRIADS.index("minor")] - mean[:, TRIADS.index("major")]
    cosine = offset_cosines(offsets)
    pairs = np.triu_indices(len(mean), 1)
    shuffled = np.empty(SHUFFLES)
    roots = np.arange(len(mean))
    for k in range(SHUFFLES):
        dealt = np.array([generator.permutation(len(TRIADS))[:2] for _ in roots])
        shuffled[k] = offset_cosines(mean[roots, dealt[:, 0]] - mean[roots, dealt[:, 1]])[pairs].mean()
    flat = levels.reshape(-1, *levels.shape[2:])
    return {
        "offset_cosine": cosine,
        "offset_cosine_shuffled": shuffled,
        "offset_p": np.array(permutation_p(float(cosine[pairs].mean()), shuffled)),
        "transfer_error": transfer_errors(offsets),
        "position_auc": position_areas(flat, chords.pitch_classes),
    }


def _baselines(stimuli: StimulusSet, sample_rate: int) -> dict[str, np.ndarray]:
    """Levels of the baselines, their power averaged over phases."""
    rms = baseline_levels(stimuli.with_phases(PHASES), sample_rate)
    return {name: np.sqrt(np.square(v).reshape(len(stimuli), PHASES, -1).mean(1)) for name, v in rms.items()}


def _sum_errors(
    session: Session[Encoder], stages: Sequence[str], chords: Chords, level_dbfs: float
) -> dict[str, dict[str, np.ndarray]]:
    """Power of chord less the sum of notes, re the chord's, by stage: of its notes, and of another's."""
    encoder, seed = session.encoder, session.seed
    stimuli, first = _with_notes(chords, encoder.sample_rate, level_dbfs, seed)
    kept: dict[str, list[np.ndarray]] = {s: [] for s in stages}

    def write(stage: str, _rows: slice, values: Mapping[str, np.ndarray]) -> None:
        kept[stage].append(values["deviation"])

    respond(
        session, stimuli, stages, _deviation, write, phases=1,
        frames={s: window_frames(encoder, s) for s in stages},
        label=f"{encoder.name}: {len(stimuli)} chords and notes",
    )  # fmt: skip
    other = other_chords(chords, seed)
    errors = {}
    for stage, parts in kept.items():
        measured = np.concatenate(parts).astype(np.float64)  # [chords and notes, C F]
        whole = measured[first[:-1]]
        sums = np.stack([measured[lo + 1 : hi].sum(0) for lo, hi in pairwise(first)])
        power = np.square(whole).sum(1)
        power = np.where(power > 0, power, np.nan)
        errors[stage] = {
            "sum_error": np.square(whole - sums).sum(1) / power,
            "wrong_sum_error": np.square(whole - sums[other]).sum(1) / power,
        }
    return errors


def _with_notes(
    chords: Chords, sample_rate: float, level_dbfs: float, seed: int
) -> tuple[StimulusSet, np.ndarray]:
    """Each chord, then its notes as they are in it; and at which row each chord begins, int [n + 1]."""
    generator = np.random.default_rng([seed, 10])
    rows: list[Stimulus] = []
    first = [0]
    for notes in chords.notes:
        parts = [
            tuple(
                replace(p, phase_rad=float(generator.uniform(0, 2 * np.pi)))
                for p in _note(note, level_dbfs, sample_rate)
            )
            for note in notes
        ]
        rows += [Stimulus(tuple(p for part in parts for p in part)), *(Stimulus(part) for part in parts)]
        first.append(len(rows))
    return StimulusSet.of(rows), np.array(first)


def _note(midi: float, level_dbfs: float, sample_rate: float) -> tuple[Partial, ...]:
    return TIMBRES["saw"].note(float(midi_to_hz(midi)), level_dbfs, HIGHEST * sample_rate)


def _deviation(stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor) -> dict[str, Tensor]:
    """Reduce steady frames [b, 1, C, F] to the deviations of some of them: [b, C F]."""
    chosen = sampled_frames(stage, activations.shape[-1]).to(activations.device)
    deviation = activations[:, 0][..., chosen].float() - silence[..., chosen].float()
    return {"deviation": deviation.flatten(1)}


CHORD_COMPOSITION = Probe(
    "chord_composition",
    question="Does a chord follow from its notes, its quality and its pitch classes?",
    variables=VARIABLES["chord_composition"],
    measure=chord_composition,
    compared=Compared("chord", ("sum_error", "position_auc")),
    known=(
        Known("filterbank:stft", "chord less the sum of its notes", 0, 1e-9, "0", mean_of("sum_error")),
        Known("filterbank:stft", "chord less the notes of another", *near(2, 0.2, "2 ± 0.2"),
              mean_of("wrong_sum_error")),
        *(
            Known(name, "chord less the sum of its notes", 0, 1e-9, "0", mean_of("sum_error"))
            for name in ("control:decimator", "control:patches")
        ),
        *(
            Known(name, "chord less the sum of its notes", 1, np.inf, "at least 1", mean_of("sum_error"))
            for name in ("control:texture", "control:sign_hash", "control:loudness")
        ),
        *known_ranges(
            "chord like its positions, AUC",
            mean_of("position_auc"),
            {
                "filterbank:stft": (0.85, 1.0), "filterbank:stft_magnitude": (0.85, 1.0),
                "filterbank:log_tracker": (0.95, 1.0), "filterbank:harmonic_template": (0.95, 1.0),
                "control:patches": (0.4, 0.6), "control:decimator": (0.4, 0.6),
                "control:texture": (0.4, 0.65), "control:sign_hash": (0.4, 0.65),
                "control:loudness": (0.3, 0.6),
            },
        ),
    ),
)  # fmt: skip
