"""Labels by the clips that excite a feature most: what is said of them, beside what is said of others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....synth.errors import InputError
from ...engine.progress import Progress
from ...statistics.resampling import ALPHA, RESAMPLES, quantile_interval
from .base import SILENT, Evidence, Label
from .nulls import reached, step_down
from .ranks import group_weights

TOP = 10
_ENTRIES_AT_ONCE = 8_000_000


@dataclass(frozen=True)
class TopClips:
    """How labels are made from what is said of single clips.

    Parameters
    ----------
    top : int > 1
        Clips of a feature, those that excite it most. With fewer than half of them that excite it at all,
        in either half of the clips, a feature is labelled but not tested.
    permutations : int >= 19
    seed : int

    Raises
    ------
    InputError
        If a number is out of range.

    Notes
    -----
    Chance: groups change places as wholes, so that the top clips of a feature keep as many instruments as
    they have, and are said to be what the clips of other groups are (where these are fewer they repeat, in
    random order). A feature of one instrument is beyond chance by no label: any instrument is said to be
    something.
    """

    top: int = TOP
    permutations: int = RESAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        if self.top < 2:
            raise InputError(f"top: {self.top} given, at least 2 wanted")
        if self.permutations < 19:
            raise InputError(f"permutations: {self.permutations} given, at least 19 wanted for p of 0.05")

    def label(
        self,
        evidence: Evidence,
        said: np.ndarray,
        classes: tuple[str, ...],
        name: str,
        measure: str,
        progress: Progress = SILENT,
    ) -> list[Label]:
        """Label each feature with the class that is said of its top clips more than of all clips.

        Parameters
        ----------
        evidence : Evidence
        said : float [n_clips, C]
            Probability or likeness of each class.
        classes : tuple of str
        name, measure : str
            Of the labeler, and of what is said.
        progress : Progress

        Returns
        -------
        labels : list of Label
            `score` is the mean over top clips that the label was not made from, `baseline` the same by
            chance.

        Raises
        ------
        InputError
            If what is said is not of these clips and classes, or not finite.

        Examples
        --------
        >>> is_organ = np.arange(60) % 3 == 0
        >>> activation = np.where(is_organ, 1.0, 0.0)[:, None].astype(np.float32)
        >>> said = np.stack([is_organ, ~is_organ], axis=1) * 0.8 + 0.1
        >>> classes, evidence = ("organ", "reed"), Evidence(activation)
        >>> (label,) = TopClips().label(evidence, said, classes, "oracle", "probability")
        >>> label.text, round(label.score, 2), label.kept
        ('organ', 0.9, True)
        """
        said = np.asarray(said, dtype=np.float32)
        if said.shape != (len(evidence.activation), len(classes)) or not len(classes):
            wanted = [len(evidence.activation), len(classes)]
            raise InputError(
                f"{name}: {list(said.shape)} of what is said, {wanted} wanted, one class or more"
            )
        if not np.isfinite(said).all():
            raise InputError(f"{name}: NaN or Inf of clip {np.argwhere(~np.isfinite(said))[0][0]}")
        features = evidence.active
        if not len(features):
            return []
        rows, p = self._found(evidence, said, features, progress)
        return self.tested(evidence, said, features, rows, p, classes, name, measure)

    def tested(
        self,
        evidence: Evidence,
        said: np.ndarray,
        features: np.ndarray,
        rows: np.ndarray,
        p: np.ndarray,
        classes: tuple[str, ...],
        name: str,
        measure: str,
    ) -> list[Label]:
        """Measure labels on clips that they were not made from.

        Parameters
        ----------
        evidence : Evidence
        said : float32 [n_clips, C]
        features, rows, p : [labels]
            Features, their classes, and p on the clips that the labels were made from: those of at most
            0.05 are tested.
        classes, name, measure
            As of `label`.
        """
        clips = evidence.held_out
        shares, counts = self._shares(evidence, features, clips)
        scores = (shares @ said[clips])[np.arange(len(rows)), rows]
        thick = counts >= self._least
        beyond = np.flatnonzero((p <= ALPHA) & thick)
        null = self._null_of_pairs(evidence, said, clips, shares[beyond], rows[beyond])
        held_out_p = np.full(len(rows), np.nan)
        if len(beyond):
            held_out_p[beyond] = step_down(scores[beyond], null)
        baselines = said[clips].mean(0)[rows].astype(float)
        baselines[beyond] = null.mean(0)
        generator = np.random.default_rng([self.seed, 2])
        labels = []
        for i, feature in enumerate(features):
            ends = (np.nan, np.nan)
            if i in beyond:
                ends = _interval(evidence, said[:, rows[i]], np.flatnonzero(shares[i]), clips, generator)
            thin = "" if thick[i] else f"excited by {counts[i]} of the clips to test it on: not tested"
            labels.append(
                Label(
                    int(feature), name, "class", classes[rows[i]], float(scores[i]) if counts[i] else np.nan,
                    measure, float(baselines[i]), *ends, float(p[i]), float(held_out_p[i]),
                    bool(held_out_p[i] <= ALPHA), note=thin,
                )
            )  # fmt: skip
        return labels

    @property
    def _least(self) -> int:
        return max(1, self.top // 2)

    def _shares(
        self, evidence: Evidence, features: np.ndarray, clips: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights that average over the top clips of features, float32 [M, n]; how many there are, [M]."""
        place = np.full(len(evidence.activation), -1)
        place[clips] = np.arange(len(clips))
        shares, counts = np.zeros((len(features), len(clips)), np.float32), np.zeros(len(features), int)
        for i, feature in enumerate(features):
            top = place[evidence.top(int(feature), clips, self.top)]
            shares[i, top], counts[i] = 1 / max(1, len(top)), len(top)
        return shares, counts

    def _found(
        self, evidence: Evidence, said: np.ndarray, features: np.ndarray, progress: Progress
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the class of each feature, and its p corrected for all classes and features."""
        clips = evidence.found
        shares, counts = self._shares(evidence, features, clips)
        above = shares @ said[clips] - said[clips].mean(0)  # [M, C]
        rows, p = above.argmax(1), np.ones(len(features))
        thick = counts >= self._least
        if not thick.any():
            return rows, p
        greatest = np.empty(self.permutations)
        orders = exchanged(evidence.group_of[clips], self.permutations, np.random.default_rng([self.seed, 0]))
        size = max(1, _ENTRIES_AT_ONCE // (int(thick.sum()) * said.shape[1]))
        with progress.task("labels by the clips that excite features most", self.permutations) as advance:
            for start in range(0, self.permutations, size):
                others = said[clips][orders[start : start + size]]  # [P, n, C]
                flat = others.transpose(1, 0, 2).reshape(len(clips), -1)
                reach = shares[thick] @ flat - flat.mean(0)  # [M, P C]
                greatest[start : start + size] = reach.max(0).reshape(len(others), -1).max(1)
                advance(len(others))
        p[thick] = reached(above.max(1)[thick], greatest)
        return rows, p

    def _null_of_pairs(
        self, evidence: Evidence, said: np.ndarray, clips: np.ndarray, shares: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        """Return the scores of features' own classes by chance, float64 [permutations, m]."""
        generator = np.random.default_rng([self.seed, 1])
        orders = exchanged(evidence.group_of[clips], self.permutations, generator)
        null = np.empty((self.permutations, len(rows)))
        for row in np.unique(rows):
            null[:, rows == row] = said[clips, row][orders] @ shares[rows == row].T
        return null


def exchanged(groups: np.ndarray, n: int, generator: np.random.Generator) -> np.ndarray:
    """Let groups change places: of every clip, the clip that takes its place; int [n, clips].

    Clips of the group that comes are in random order; they repeat where they are fewer.

    Examples
    --------
    >>> orders = exchanged(np.array([0, 0, 1, 1]), 5, np.random.default_rng(0))
    >>> bool((orders // 2 == orders[:, [1, 0, 3, 2]] // 2).all())
    True
    """
    inverse = np.unique(groups, return_inverse=True)[1]
    members = [np.flatnonzero(inverse == g) for g in range(int(inverse.max()) + 1)]
    if len(members) == len(groups):
        return np.argsort(generator.random((n, len(groups))), axis=1)
    orders = np.empty((n, len(groups)), dtype=int)
    for order in orders:
        for home, guest in zip(members, generator.permutation(len(members)), strict=True):
            order[home] = np.resize(generator.permutation(members[guest]), len(home))
    return orders


def _interval(
    evidence: Evidence, said: np.ndarray, top: np.ndarray, clips: np.ndarray, generator: np.random.Generator
) -> tuple[float, float]:
    """Bootstrap interval of the mean over top clips, their groups drawn again; NaN of a single group."""
    groups = evidence.group_of[clips[top]]
    if len(np.unique(groups)) < 2:
        return np.nan, np.nan
    weights = group_weights(groups, RESAMPLES, generator)
    return quantile_interval((weights @ said[clips[top]].astype(float)) / weights.sum(1))
