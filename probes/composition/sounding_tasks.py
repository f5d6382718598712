"""What is read out of single chords and notes, and which of them are never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...synth.chords import TRIADS, chords
from ...synth.pitches import pitches
from ...synth.stimuli import COLUMNS, StimulusSet
from ..engine.grid import HIGHEST_SHARE
from ..statistics.ridge import held_out_predictions

CHORD_ROOTS_MIDI, INVERSIONS = range(48, 60), (0, 1, 2)
NOTES_MIDI = range(48, 72)
NOTE_TIMBRES = ("saw", "square", "triangle", "bright", "dull", "missing")
CHORD_DRAWS = 2  # of the phases of each chord: near copies, as a corpus holds them
SHUFFLES = 99


@dataclass(frozen=True)
class Task:
    """Something to read out.

    Parameters
    ----------
    name, held_out : str
        What is read, and what train and test never share.
    rows : int [n]
        Of the stimuli.
    answer : float [n]
        Number of the class, or the value.
    groups : int [n]
        Which rows are held out together.
    sounds : int [n]
        Which rows are draws of one sound: their answers are shuffled together.
    folds : int
    classes : int
        0: a value is read, and scored by R^2.
    """

    name: str
    held_out: str
    rows: np.ndarray
    answer: np.ndarray
    groups: np.ndarray
    sounds: np.ndarray
    folds: int
    classes: int

    @property
    def chance(self) -> float:
        """Score of guessing."""
        return 1 / self.classes if self.classes else 0.0


def sounding_tasks(
    sample_rate: float, level_dbfs: float = -30.0, seed: int = 0
) -> tuple[StimulusSet, tuple[Task, ...]]:
    """Return chords and notes at random phases, and what there is to read out of them.

    144 chords (12 roots, four triads, three inversions, a sawtooth's partials), each at two draws of
    phases, and 144 notes (two octaves in six timbres). Read are, in groups that were left out: a chord's
    quality in other roots, its root in other qualities, root and quality in other inversions; a note's
    pitch class and f0 in other timbres.

    Examples
    --------
    >>> sounds, tasks = sounding_tasks(24_000)
    >>> len(sounds), [(task.name, task.held_out) for task in tasks][:2]
    (432, [('quality', 'root'), ('root', 'quality')])
    """
    most = HIGHEST_SHARE * sample_rate
    each = chords(CHORD_ROOTS_MIDI, TRIADS, INVERSIONS, level_dbfs=level_dbfs, max_hz=most)
    chord = np.repeat(np.arange(len(each)), CHORD_DRAWS)
    played = each[chord]
    notes = pitches(midi=NOTES_MIDI, timbres=NOTE_TIMBRES, level_dbfs=level_dbfs, max_hz=most)
    here, there = np.arange(len(played)), len(played) + np.arange(len(notes))
    root, quality, inversion = (
        _numbered(played.coordinates[name]) for name in ("root_midi", "quality", "inversion")
    )
    pitch_class = np.round(notes.coordinates["midi"]).astype(int) % 12
    timbre = _numbered(notes.coordinates["timbre"])
    octaves = np.log2(notes.coordinates["f0_hz"])
    note = np.arange(len(notes))
    n_qualities, n_roots = len(TRIADS), len(CHORD_ROOTS_MIDI)
    tasks = (
        Task("quality", "root", here, quality, root, chord, 4, n_qualities),
        Task("root", "quality", here, root, quality, chord, 4, n_roots),
        Task(
            "chord",
            "inversion",
            here,
            root * n_qualities + quality,
            inversion,
            chord,
            3,
            n_roots * n_qualities,
        ),
        Task("pitch class", "timbre", there, pitch_class, timbre, note, 3, 12),
        Task("f0", "timbre", there, octaves, timbre, note, 3, 0),
    )
    phase = np.random.default_rng([seed, 4]).uniform(0, 2 * np.pi, played.first[-1] + notes.first[-1])
    columns = {c: np.concatenate([played.columns[c], notes.columns[c]]) for c in COLUMNS}
    first = np.concatenate([played.first, notes.first[1:] + played.first[-1]])
    return StimulusSet({**columns, "phase_rad": phase}, first, {}), tasks


def task_scores(
    features: np.ndarray, task: Task, seed: int = 0, shuffles: int = SHUFFLES
) -> tuple[float, np.ndarray, float]:
    """Read a task's answer by a ridge regression: accuracy, or R^2 of a value.

    Parameters
    ----------
    features : float [n, D]
        Of the task's rows.
    task : Task
    seed : int
    shuffles : int

    Returns
    -------
    score : float
        In groups that the readout has not been fitted to.
    null : float64 [shuffles]
        The same after the answers of each group have been shuffled.
    leaky : float
        Score when single rows are held out instead: near copies of what is tried are trained on then,
        so it says how much a split by rows flatters.
    """
    generator = np.random.default_rng([seed, 5])
    answers = np.stack([task.answer] * (1 + shuffles), axis=1).astype(float)  # [n, 1 + shuffles]
    for group in np.unique(task.groups):
        rows = np.flatnonzero(task.groups == group)
        _, first, sound = np.unique(task.sounds[rows], return_index=True, return_inverse=True)
        for k in range(1, 1 + shuffles):
            answers[rows, k] = task.answer[rows[generator.permutation(first)[sound]]]

    def scored(answers: np.ndarray, groups: np.ndarray, folds: int) -> np.ndarray:
        targets = answers[:, :, None]
        if task.classes:
            targets = (targets == np.arange(task.classes)).astype(float)  # [n, labellings, classes]
        predictions = held_out_predictions(
            features,
            targets.reshape(len(targets), -1),
            groups,
            seed=seed,
            folds=folds,
            together=max(1, task.classes),
        ).reshape(targets.shape)
        if task.classes:
            return (predictions.argmax(-1) == answers).mean(0)
        missed = np.square(predictions - targets).sum((0, 2))
        return 1 - missed / np.square(answers - answers.mean(0)).sum(0)

    grouped = scored(answers, task.groups, task.folds)
    leaky = scored(answers[:, :1], np.arange(len(answers)), folds=4)
    return float(grouped[0]), grouped[1:], float(leaky[0])


def _numbered(values: Sequence[object] | np.ndarray) -> np.ndarray:
    """Return numbers for different values, in the order of their first appearance."""
    named = {value: i for i, value in enumerate(dict.fromkeys(np.asarray(values).tolist()))}
    return np.array([named[value] for value in np.asarray(values).tolist()])
