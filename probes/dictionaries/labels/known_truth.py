"""Labels by known truth: the class or number of the clips that a feature follows most clearly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ....synth.errors import InputError
from ...engine.progress import Progress
from ...statistics.phik import binned, phik
from ...statistics.resampling import ALPHA, RESAMPLES, quantile_interval
from .base import SILENT, Evidence, Label, Truth
from .nulls import TIE, Exchange, moves_by_group, reached, step_down
from .ranks import auc, group_weights, resampled_auc, resampled_spearman, spearman

LEAST_PER_CLASS = 20
_BINS = 10  # of activations and numbers, for phik


@dataclass(frozen=True)
class KnownTruth:
    """Labels each feature with the class, of all known factors, that its activation tells best.

    Parameters
    ----------
    permutations : int > 0
        On the clips that labels are made from, and on those that test them.
    seed : int
    least_per_class : int > 1
        Classes with fewer clips, or with less than a quarter of it in either half, are left out. Of six
        clips a class, an area must exceed .94 to be beyond what the best of a thousand features does.

    Raises
    ------
    InputError
        If a number is out of range.

    Notes
    -----
    The measure of a class is the area under the curve of the activation telling it from all other clips
    (ties counted half), that of a number the rank correlation. Chance is the greatest distance from what is
    expected, over all features and classes of a factor, in permutations of the factor (`Exchange`): p is
    corrected for features and classes by it, and for factors by their number (Bonferroni). Areas are not
    divided by their spread: a feature that fires on two clips, both of one class, is many of its own standard
    deviations off, and a thousand such features would hide all that fire more often.

    The label is kept if on the other clips the same feature follows the same class the same way, with p
    corrected by step-down for all features of the factor that were beyond chance (`step_down`), and for
    factors by their number. Where the halves share groups, a feature of a group that passed by chance passes
    again (where nothing is there, 4 of 150 dictionaries kept a label; 0 where groups were kept whole).

    Examples
    --------
    >>> family = np.repeat([0, 1, 2, 3], 50)
    >>> activation = np.random.default_rng(0).random((200, 2)).astype(np.float32)
    >>> activation[:, 1] += family == 2
    >>> evidence = Evidence(activation, (Truth("family", family, ("bass", "organ", "reed", "pipe")),))
    >>> [(label.feature, label.text) for label in KnownTruth(99).label(evidence) if label.kept]
    [(1, 'reed')]
    """

    permutations: int = RESAMPLES
    seed: int = 0
    least_per_class: int = LEAST_PER_CLASS

    name = "known truth"

    def __post_init__(self) -> None:
        if self.permutations < 1:
            raise InputError(f"permutations: {self.permutations} given, at least 1 wanted")
        if self.least_per_class < 2:
            raise InputError(f"least_per_class: {self.least_per_class} given, at least 2 wanted")

    def label(self, evidence: Evidence, progress: Progress = SILENT) -> list[Label]:
        """Return the clearest label of each feature that does not excite all clips alike.

        Parameters
        ----------
        evidence : Evidence
            Of M features and some truths; sounds are not needed.
        progress : Progress

        Returns
        -------
        labels : list of Label
            In the order of features. Without a factor that can be measured there are none.

        Raises
        ------
        InputError
            If so few permutations could not tell anything from chance.
        """
        factors = [f for f in (self._factor(evidence, truth) for truth in evidence.truths) if f is not None]
        if len(factors) > ALPHA * (1 + self.permutations):
            least = int(np.ceil(len(factors) / ALPHA)) - 1
            raise InputError(
                f"permutations: {self.permutations} given, at least {least} wanted for {len(factors)} factors"
            )
        clearest: dict[int, _Candidate] = {}
        labels: list[Label] = []
        with progress.task("labels by known truth", 2 * len(factors)) as advance:
            for factor in factors:
                for one in self._found(evidence, factor, len(factors)):
                    if one.feature not in clearest or one.order < clearest[one.feature].order:
                        clearest[one.feature] = one
                advance(1)
            for factor in factors:
                mine = [one for one in clearest.values() if one.factor is factor]
                labels += self._tested(evidence, factor, mine, len(factors))
                advance(1)
        return sorted(labels, key=lambda label: label.feature)

    def left_out(self, evidence: Evidence) -> list[str]:
        """Name the classes and factors that are not measured, and why."""
        least, notes = self.least_per_class, []
        for truth in evidence.truths:
            measured = measured_classes(evidence, truth, least)
            thin = [name for c, name in enumerate(truth.classes) if c not in measured]
            if thin:
                why = f"fewer than {least} clips, or {_least_in_half(least)} in either half, or all clips"
                notes.append(f"{truth.name}: {', '.join(thin)} left out: {why}")
            elif self._factor(evidence, truth) is None:
                notes.append(f"{truth.name}: left out: known of fewer than {least} clips of a half")
        return notes

    def _factor(self, evidence: Evidence, truth: Truth) -> _Factor | None:
        """Return a factor's exchanges in either half; None where there is nothing to measure."""
        classes = measured_classes(evidence, truth, self.least_per_class)
        halves = [half[truth.known[half]] for half in (evidence.found, evidence.held_out)]
        if truth.classes and not len(classes):
            return None
        if not truth.classes and min(map(len, halves)) < self.least_per_class:
            return None
        by_group = moves_by_group(truth, evidence.group_of)
        exchanges = [Exchange(truth.values[h], evidence.group_of[h], by_group, classes) for h in halves]
        return _Factor(truth, classes, halves[0], halves[1], exchanges[0], exchanges[1])

    def _generator(self, factor: _Factor, half: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, half, *factor.truth.name.encode()])

    def _found(self, evidence: Evidence, factor: _Factor, n_factors: int) -> list[_Candidate]:
        """Return the clearest class of a factor for each feature, on the clips that labels are made from."""
        active = evidence.active
        if not len(active):
            return []
        ranked = factor.on_found.ranked(evidence.activation[np.ix_(factor.found, active)])
        observed = factor.on_found.observed(ranked)  # [C, M]
        greatest = [
            np.maximum(part.max((1, 2)), -part.min((1, 2)))
            for part in factor.on_found.permuted(ranked, self.permutations, self._generator(factor, 0))
        ]
        chance = np.concatenate(greatest)
        rows = np.abs(observed).argmax(0)
        distances = observed[rows, np.arange(len(active))]
        p = np.minimum(1, n_factors * reached(np.abs(distances), chance))
        return [
            _Candidate(int(feature), factor, int(row), float(distance), float(chance.mean()), float(its_p))
            for feature, row, distance, its_p in zip(active, rows, distances, p, strict=True)
        ]

    def _tested(
        self, evidence: Evidence, factor: _Factor, candidates: list[_Candidate], n_factors: int
    ) -> list[Label]:
        """Measure a factor's labels on the other clips, and test those that are beyond chance."""
        if not candidates:
            return []
        values = evidence.activation[factor.other][:, [one.feature for one in candidates]]
        rows = np.array([one.row for one in candidates])
        ranked = factor.on_other.ranked(values)
        expected = factor.centre + factor.on_other.expected(ranked)[rows, np.arange(len(rows))]
        scores, related = factor.scores(values, rows), factor.phik(values)
        p = np.minimum(1, n_factors * self._held_out_p(factor, ranked, candidates))
        weights = group_weights(factor.on_other.groups, RESAMPLES, self._generator(factor, 2))
        labels = []
        for i, one in enumerate(candidates):
            low, high = np.nan, np.nan
            if one.p <= ALPHA:
                low, high = quantile_interval(factor.resampled(values[:, i], one.row, weights))
            baseline = np.clip(expected[i] + np.copysign(one.chance, one.distance), factor.least, 1)
            labels.append(
                Label(
                    one.feature, self.name, factor.truth.name, factor.text(one.row, one.distance),
                    float(scores[i]), factor.measure, float(baseline), low, high, one.p, float(p[i]),
                    bool(one.p <= ALPHA and p[i] <= ALPHA), float(related[i]), factor.note,
                )
            )  # fmt: skip
        return labels

    def _held_out_p(self, factor: _Factor, ranked: np.ndarray, candidates: list[_Candidate]) -> np.ndarray:
        """P-values of those labels that are beyond chance, each in its own direction; NaN of the others."""
        p = np.full(len(candidates), np.nan)
        beyond = np.flatnonzero([one.p <= ALPHA for one in candidates])
        if len(beyond):
            mine, column = ranked[:, beyond], np.arange(len(beyond))
            row = np.array([candidates[i].row for i in beyond])
            sign = np.sign([candidates[i].distance for i in beyond])
            permuted = factor.on_other.permuted(mine, self.permutations, self._generator(factor, 1))
            null = np.concatenate([sign * part[:, row, column] for part in permuted])  # [P, m]
            p[beyond] = step_down(sign * factor.on_other.observed(mine)[row, column], null)
        return p


@dataclass(frozen=True, eq=False)
class _Factor:
    """A truth, the classes of it that are measured, and its exchanges among either half of the clips."""

    truth: Truth
    classes: np.ndarray
    found: np.ndarray
    other: np.ndarray
    on_found: Exchange
    on_other: Exchange

    @property
    def measure(self) -> str:
        return "AUC" if len(self.classes) else "Spearman"

    @property
    def centre(self) -> float:
        return 0.5 if len(self.classes) else 0.0

    @property
    def least(self) -> float:
        return 0.0 if len(self.classes) else -1.0

    @property
    def note(self) -> str:
        return "exchanged among groups" if self.on_found.by_group else "exchanged within groups"

    def text(self, row: int, distance: float) -> str:
        if not len(self.classes):
            return f"{'higher' if distance > 0 else 'lower'} {self.truth.name}"
        return ("" if distance > 0 else "not ") + self.truth.classes[self.classes[row]]

    def scores(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Area, or rank correlation, of every column with its class: float64 [M]."""
        truths = self.truth.values[self.other]
        if not len(self.classes):
            return spearman(values, truths)
        found = np.empty(len(rows))
        for row in np.unique(rows):
            found[rows == row] = auc(values[:, rows == row], truths == self.classes[row])
        return found

    def resampled(self, values: np.ndarray, row: int, weights: np.ndarray) -> np.ndarray:
        truths = self.truth.values[self.other]
        if len(self.classes):
            return resampled_auc(values, truths == self.classes[row], weights)
        return resampled_spearman(values, truths, weights)

    def phik(self, values: np.ndarray) -> np.ndarray:
        """Relate every column to the factor, all its classes, on the other clips: [M]."""
        truths = self.truth.values[self.other]
        if not len(self.classes):
            return phik(binned(values, _BINS), binned(truths[:, None], _BINS))[:, 0]
        names, index = np.unique(truths, return_inverse=True)
        return phik(binned(values, _BINS), binned(index[:, None], max(2, len(names))))[:, 0]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A feature's clearest class of a factor: its distance from what is expected, and chance's greatest."""

    feature: int
    factor: _Factor
    row: int
    distance: float
    chance: float
    p: float

    @property
    def order(self) -> tuple[float, float]:
        """The least first: of equal p, what is furthest beyond chance."""
        return self.p, -abs(self.distance) / max(self.chance, TIE)


def _least_in_half(least_per_class: int) -> int:
    return max(1, least_per_class // 4)


def measured_classes(evidence: Evidence, truth: Truth, least_per_class: int = LEAST_PER_CLASS) -> np.ndarray:
    """Return those classes of a truth that have clips enough, and clips that are not of them: int [C].

    Enough is `least_per_class`, and a quarter of it in either half.

    Examples
    --------
    >>> family = Truth("family", np.repeat([0, 1], [50, 7]), ("bass", "organ"))
    >>> measured_classes(Evidence(np.eye(57, dtype=np.float32), (family,)), family).tolist()
    [0]
    """
    halves = (evidence.found, evidence.held_out)

    def enough(c: int) -> bool:
        inside = truth.values == c
        counts = [(inside[half].sum(), truth.known[half].sum()) for half in halves]
        thick = inside.sum() >= least_per_class
        return bool(thick and all(_least_in_half(least_per_class) <= n < known for n, known in counts))

    return np.array([c for c in range(len(truth.classes)) if enough(c)], dtype=int)


def shuffled(evidence: Evidence, seed: int = 0) -> Evidence:
    """Return the evidence with its truths out of place: the baseline that hardly a label is kept of.

    Parameters
    ----------
    evidence : Evidence
    seed : int

    Returns
    -------
    shuffled : Evidence
        Factors that are constant within groups are exchanged among groups, in each half by itself where
        groups lie in one half; the others among all clips of a half. What is not known stays so.

    Examples
    --------
    >>> evidence = Evidence(np.eye(8, 2, dtype=np.float32), (Truth("f0", np.arange(8.0)),))
    >>> sorted(shuffled(evidence).truths[0].values.tolist()) == list(range(8))
    True
    """
    generator = np.random.default_rng(seed)
    groups, truths = evidence.group_of, []
    halves = [evidence.found, evidence.held_out]
    straddles = len(np.intersect1d(groups[halves[0]], groups[halves[1]])) > 0
    for truth in evidence.truths:
        by_group, values = moves_by_group(truth, groups), truth.values.copy()
        together = [np.arange(len(values))] if by_group and straddles else halves
        for part in (half[truth.known[half]] for half in together):
            owners = groups[part] if by_group else part
            if len(part):
                values[part] = Exchange(values[part], owners, True, np.zeros(0, int)).drawn(1, generator)[0]
        truths.append(replace(truth, values=values))
    return replace(evidence, truths=tuple(truths))


def count_by_factor(
    labels: list[Label], among: Callable[[Label], bool] = lambda label: label.kept
) -> dict[str, int]:
    """Count the labels of each factor: those kept, or those of another kind.

    Examples
    --------
    >>> count_by_factor([Label(0, "known truth", "family", "reed", 0.9, "AUC", 0.7, kept=True)])
    {'family': 1}
    """
    chosen = [label.factor for label in labels if among(label)]
    return {factor: chosen.count(factor) for factor in dict.fromkeys(chosen)}
