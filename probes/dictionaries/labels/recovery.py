"""How well single features tell known classes: a number for a whole dictionary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....synth.errors import InputError
from ...engine.progress import Progress
from .base import SILENT, Evidence, Truth
from .known_truth import LEAST_PER_CLASS, measured_classes, shuffled

_COLUMNS_AT_ONCE = 1024


@dataclass(frozen=True)
class Recovered:
    """The single feature that tells a class best.

    Parameters
    ----------
    factor, name : str
    feature : int
    threshold : float
        Clips that excite the feature as much, or more, are said to be of the class.
    mcc : float
        Matthews' correlation of what is said with what is, on clips that neither was chosen on; -1 to 1.
    f1 : float
        Harmonic mean of precision and recall, there; 0 to 1.
    """

    factor: str
    name: str
    feature: int
    threshold: float
    mcc: float
    f1: float


@dataclass(frozen=True)
class Recovery:
    """What a dictionary's single features know of all classes, beside shuffled truths.

    Parameters
    ----------
    classes : tuple of Recovered
    chance_mcc, chance_f1 : tuple of float
        Of each shuffling, the mean over classes.
    """

    classes: tuple[Recovered, ...]
    chance_mcc: tuple[float, ...]
    chance_f1: tuple[float, ...]

    @property
    def mcc(self) -> float:
        """Mean over classes; NaN without one."""
        return float(np.mean([one.mcc for one in self.classes])) if self.classes else np.nan

    @property
    def f1(self) -> float:
        """Mean over classes; NaN without one."""
        return float(np.mean([one.f1 for one in self.classes])) if self.classes else np.nan


def recovery(
    evidence: Evidence,
    least_per_class: int = LEAST_PER_CLASS,
    shuffles: int = 9,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Recovery:
    """Choose a feature and a threshold for every class, and measure on other clips how well they tell it.

    Parameters
    ----------
    evidence : Evidence
        Truths that are numbers are left out.
    least_per_class : int > 1
        As of `KnownTruth`.
    shuffles : int >= 0
        Shufflings of the truths, for chance.
    seed : int
    progress : Progress

    Returns
    -------
    recovery : Recovery

    Raises
    ------
    InputError
        If `shuffles` is negative.

    Notes
    -----
    Both are chosen by Matthews' correlation (Biochimica et Biophysica Acta 405:442, 1975) among all features
    and all of their activations. The best of many by chance is chosen the same way from shuffled truths.

    Examples
    --------
    >>> family = np.repeat([0, 1], 40)
    >>> activation = np.stack([family == 1, np.arange(80) % 2], axis=1).astype(np.float32)
    >>> found = recovery(Evidence(activation, (Truth("family", family, ("bass", "organ")),)))
    >>> [(one.name, one.feature, one.mcc) for one in found.classes if one.mcc > 0.9]
    [('organ', 0, 1.0)]
    """
    if shuffles < 0:
        raise InputError(f"shuffles: {shuffles} given, 0 or more wanted")
    with progress.task("recovery of known classes", 1 + shuffles) as advance:
        classes = _recovered(evidence, least_per_class)
        advance(1)
        chance = []
        for i in range(shuffles):
            chance.append(Recovery(_recovered(shuffled(evidence, seed + i), least_per_class), (), ()))
            advance(1)
    return Recovery(classes, tuple(c.mcc for c in chance), tuple(c.f1 for c in chance))


def matthews(hits: np.ndarray, said: np.ndarray, inside: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Matthews' correlation of what is said with what is; 0 where all or none are said, or are.

    Parameters
    ----------
    hits, said, inside, n : float [...]
        Clips of the class that are said to be of it, clips said to be, clips of the class, and all clips.

    Examples
    --------
    >>> float(matthews(np.array(5.0), np.array(5.0), np.array(5.0), np.array(20.0)))
    1.0
    """
    spread = np.sqrt(said * (n - said) * inside * (n - inside))
    above = n * hits - said * inside
    return np.divide(above, spread, out=np.zeros(np.broadcast(above, spread).shape), where=spread > 0)


def _recovered(evidence: Evidence, least_per_class: int) -> tuple[Recovered, ...]:
    return tuple(
        _measured(evidence, truth, c, *chosen)
        for truth in evidence.truths
        for c, chosen in _chosen(evidence, truth, measured_classes(evidence, truth, least_per_class)).items()
    )


def _chosen(evidence: Evidence, truth: Truth, classes: np.ndarray) -> dict[int, tuple[int, float]]:
    """Return the feature and the threshold that tell each class best, on the clips for finding them."""
    clips, active = evidence.found[truth.known[evidence.found]], evidence.active
    best = {int(c): (-np.inf, 0, 0.0) for c in classes} if len(active) else {}
    said = np.arange(1, len(clips) + 1, dtype=float)[:, None]
    for start in range(0, len(active) if best else 0, _COLUMNS_AT_ONCE):
        features = active[start : start + _COLUMNS_AT_ONCE]
        values = evidence.activation[np.ix_(clips, features)]
        order = np.argsort(-values, axis=0, kind="stable")
        values = np.take_along_axis(values, order, axis=0)
        cut = np.ones(values.shape, dtype=bool)  # ties are said together
        cut[:-1] = values[1:] < values[:-1]
        for c in best:
            inside = truth.values[clips] == c
            hits = np.cumsum(inside[order], axis=0, dtype=float)
            found = np.where(cut, matthews(hits, said, np.array(inside.sum()), np.array(len(clips))), -np.inf)
            place, column = np.unravel_index(found.argmax(), found.shape)
            if found[place, column] > best[c][0]:
                threshold = float(values[place, column])
                best[c] = float(found[place, column]), int(features[column]), threshold
    return {c: (feature, threshold) for c, (_, feature, threshold) in best.items()}


def _measured(evidence: Evidence, truth: Truth, c: int, feature: int, threshold: float) -> Recovered:
    clips = evidence.held_out[truth.known[evidence.held_out]]
    says, inside = evidence.activation[clips, feature] >= threshold, truth.values[clips] == c
    hits, said, there = (np.array(float(x.sum())) for x in (says & inside, says, inside))
    mcc = float(matthews(hits, said, there, np.array(float(len(clips)))))
    return Recovered(truth.name, truth.classes[c], feature, threshold, mcc, float(2 * hits / (said + there)))
