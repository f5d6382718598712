"""Which features are steered by, which way their labels point, and the directions that stand beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...encoders.musicgen.model import MusicGen
from ..engine.progress import Progress
from .labels.base import Label, Truth
from .material import Clips, joined_groups, joined_truths, responses
from .steering_judges import FAMILY, Judge

TARGETS = {
    "register": "centroid",
    "mean pitch": "centroid",
    "pitch": "centroid",
    "f0": "centroid",
    "timbre": "centroid",
    "level": "level",
    "density": "onset_rate",
    "onset rate": "onset_rate",
    "texture": "voiced_share",
}
BETWEEN = ("middle", "medium")  # classes that point nowhere, whatever their clips are like
MOST_OF_ONE_TEXT = 3
LEAST_ERRORS = 2.0  # standard errors that sounds of a class must lie from the others to point anywhere
MOST_DESCRIBED = 240  # clips of a part that are played to find out


@dataclass(frozen=True, eq=False)
class Steered:
    """A feature to steer by.

    Parameters
    ----------
    label : Label
    descriptor : str
        What is to change in the sounds.
    target_at : int
        Place of that among the descriptors.
    sign : int
        Which way, by the labelled clips: 1 or -1.
    """

    label: Label
    descriptor: str
    target_at: int
    sign: int


@dataclass(eq=False)
class Choice:
    """The features that are steered by at a stage, and the kept labels that are not, counted by factor.

    Parameters
    ----------
    steered : list of Steered
    without_target : Counter of str
        Labels of factors that no descriptor stands for.
    without_direction : Counter of str
        Labels whose clips do not differ from others in the descriptor, or are neither the highest nor the
        lowest in it.
    """

    steered: list[Steered] = field(default_factory=list)
    without_target: Counter[str] = field(default_factory=Counter)
    without_direction: Counter[str] = field(default_factory=Counter)


def target_of(factor: str, text: str, judge: Judge) -> str | None:
    """Return the descriptor that a label stands for; None where there is none.

    Examples
    --------
    >>> target_of("register", "low", Judge(24_000)), target_of("chord quality", "major", Judge(24_000))
    ('centroid', None)
    """
    if factor != "family":
        return TARGETS.get(factor)
    name = FAMILY + read_label(text)[1]
    return name if name in judge.names else None


def read_label(text: str) -> tuple[int, str]:
    """Return which way a label goes, and the class it is of.

    Examples
    --------
    >>> read_label("organ"), read_label("not organ"), read_label("lower f0")
    ((1, 'organ'), (-1, 'organ'), (-1, 'f0'))
    """
    for before, way in (("not ", -1), ("lower ", -1), ("higher ", 1)):
        if text.startswith(before):
            return way, text.removeprefix(before)
    return 1, text


@dataclass(frozen=True, eq=False)
class LabelledSounds:
    """What is known of clips, and what the sounds of some of them are like.

    Parameters
    ----------
    clips : tuple of Clips
    is_found_on : bool [N]
        Clips that labels are made from; nothing else is looked at.
    values : float64 [N, D]
        Descriptors; NaN of clips that were not played.
    names : tuple of str
        Of the descriptors.
    """

    clips: tuple[Clips, ...]
    is_found_on: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]

    def truth(self, factor: str) -> Truth:
        """Return what is known of all clips, of a factor."""
        return next(truth for truth in joined_truths(self.clips) if truth.name == factor)

    def sides(self, label: Label) -> tuple[np.ndarray, np.ndarray]:
        """Return the clips of a label's class and the others, bool [N]; of numbers the upper and lower half.

        Whether the label says "not", or "lower", makes no difference.
        """
        truth = self.truth(label.factor)
        known = truth.known & self.is_found_on
        if truth.classes:
            inside = truth.values == truth.classes.index(read_label(label.text)[1])
            return known & inside, known & ~inside
        middle = np.median(truth.values[known])
        return known & (truth.values > middle), known & (truth.values < middle)

    def sign(self, label: Label, descriptor: str) -> int:
        """Return which way a descriptor is to go by a label, 1 or -1; 0 if the clips do not tell.

        They do not where the two sides are within two standard errors, over groups of clips, of each
        other; where a class is neither highest nor lowest of all, or is named as being between; or where
        a tagger finds a family less often in its own sounds than in others.
        """
        column = self.values[:, self.names.index(descriptor)]
        difference, error = self._difference(column, *self.sides(label))
        if not abs(difference) > LEAST_ERRORS * error:  # NaN is not
            return 0
        if label.factor == "family":
            return read_label(label.text)[0] if difference > 0 else 0
        truth = self.truth(label.factor)
        way, name = read_label(label.text)
        if truth.classes and (name in BETWEEN or not self._is_at_an_end(column, truth, name)):
            return 0
        return int(np.sign(difference)) * way

    def _difference(self, column: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
        """Return how far apart two sets of clips are, and the standard error of that, over groups."""
        groups = joined_groups(self.clips)
        means, variance = [], 0.0
        for side in (one, other):
            rows = side & np.isfinite(column)
            _, group = np.unique(groups[rows], return_inverse=True)
            sums = np.bincount(group, column[rows])
            each = sums / np.maximum(np.bincount(group), 1)
            if len(each) < 2:
                return np.nan, np.nan
            means.append(each.mean())
            variance += each.var(ddof=1) / len(each)
        return float(means[0] - means[1]), float(np.sqrt(variance))

    def _is_at_an_end(self, column: np.ndarray, truth: Truth, name: str) -> bool:
        rows = self.is_found_on & np.isfinite(column)
        means = {
            one: column[rows & (truth.values == c)].mean()
            for c, one in enumerate(truth.classes)
            if (rows & (truth.values == c)).any()
        }
        return means[name] in (min(means.values()), max(means.values()))


def labelled_sounds(
    encoder: MusicGen,
    clips: tuple[Clips, ...],
    is_found_on: np.ndarray,
    factors: Sequence[str],
    judge: Judge,
    seed: int,
    progress: Progress,
) -> LabelledSounds:
    """Play clips of which some factor is known, up to `MOST_DESCRIBED` of a part, and describe them.

    Parameters
    ----------
    encoder : MusicGen
    clips : tuple of Clips
    is_found_on : bool [N]
        Of all clips, one part after another: those that may be played.
    factors : sequence of str
        One of them must be known of a clip.
    judge : Judge
    seed : int
        Of which clips are played.
    progress : Progress
    """
    values = np.full((len(is_found_on), len(judge.names)), np.nan)
    known = np.any([truth.known for truth in joined_truths(clips) if truth.name in factors], axis=0)
    generator, first, chosen = np.random.default_rng([seed, 24]), 0, []
    for part in clips:
        rows = np.flatnonzero((known & is_found_on)[first : first + len(part)])
        chosen.append((part, first, np.sort(generator.permutation(rows)[:MOST_DESCRIBED])))
        first += len(part)
    total = sum(len(rows) for *_, rows in chosen)
    with progress.task(f"{encoder.name}: sounds of labelled clips", total) as advance:
        for part, before, rows in chosen:
            for few in np.split(rows, range(16, len(rows), 16)):
                if len(few):
                    values[before + few] = judge(part.sounds(encoder, few))
                    advance(len(few))
    return LabelledSounds(clips, is_found_on, values, judge.names)


def choose(labels: Sequence[Label], most: int, judge: Judge, sign: Callable[[Label, str], int]) -> Choice:
    """Choose the features that are steered by.

    Parameters
    ----------
    labels : sequence of Label
        Those that are kept are looked at: of the least held-out p first, then of the greatest score beyond
        its baseline.
    most : int > 0
        Features in all; at most three of one label.
    judge : Judge
    sign : callable
        (label, descriptor) -> which way the descriptor is to go, or 0; see `LabelledSounds.sign`.
    """
    found, texts = Choice(), Counter[tuple[str, str]]()
    ordered = sorted(
        (one for one in labels if one.kept), key=lambda o: (o.held_out_p, -abs(o.score - o.baseline))
    )
    for label in ordered:
        descriptor = target_of(label.factor, label.text, judge)
        if descriptor is None:
            found.without_target[label.factor] += 1
        elif not (way := sign(label, descriptor)):
            found.without_direction[label.factor] += 1
        elif len(found.steered) < most and texts[label.factor, label.text] < MOST_OF_ONE_TEXT:
            texts[label.factor, label.text] += 1
            found.steered.append(Steered(label, descriptor, judge.names.index(descriptor), way))
    return found


def stream_means(
    encoder: MusicGen, stages: Sequence[str], clips: Sequence[Clips], wanted: np.ndarray, progress: Progress
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Return the mean of the residual stream over the frames of clips, and its mean norm.

    Parameters
    ----------
    encoder : MusicGen
    stages : sequence of str
        Among its layers.
    clips : sequence of Clips
    wanted : bool [N]
        Which of all clips are heard; the means of the others are zeros.
    progress : Progress

    Returns
    -------
    means : dict of str to float32 [N, d]
    norms : dict of str to float
        Over the frames of the clips that are heard.
    """
    means = {s: torch.zeros(len(wanted), encoder.stages[s].channels) for s in stages}
    norms, frames, first = dict.fromkeys(stages, 0.0), dict.fromkeys(stages, 0), 0
    with progress.task(f"{encoder.name}: means of the residual stream", int(wanted.sum())) as advance:
        for part in clips:
            rows = np.flatnonzero(wanted[first : first + len(part)])
            for start, inputs in part.some(rows).batches():
                here = torch.from_numpy(first + rows[start : start + len(inputs)])
                for stage, stream in responses(encoder, inputs, stages).items():  # [B, d, F]
                    means[stage][here] = stream.mean(2).float().cpu()
                    norms[stage] += float(stream.norm(dim=1).double().sum())
                    frames[stage] += len(stream) * stream.shape[2]
                advance(len(inputs))
            first += len(part)
    return means, {stage: norms[stage] / max(1, frames[stage]) for stage in stages}


def means_direction(means: Tensor, sides: tuple[np.ndarray, np.ndarray], way: int) -> Tensor:
    """Return the unit vector from the mean of one set of clips to that of another, float32 [d].

    Parameters
    ----------
    means : float32 [N, d]
    sides : two of bool [N]
        Clips that it leads to, and from.
    way : int
        -1 for the opposite direction.

    Examples
    --------
    >>> means = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    >>> means_direction(means, (np.array([True, False]), np.array([False, True])), -1)
    tensor([-0.6000,  0.8000])
    """
    one, other = (means[torch.from_numpy(side)].double().mean(0) for side in sides)
    return unit((way * (one - other)).float()[None])[0]


def random_directions(count: int, width: int, seed: Sequence[int]) -> Tensor:
    """Return directions of unit norm that are as likely one way as another, float32 [count, width].

    Examples
    --------
    >>> random_directions(3, 8, [0]).norm(dim=1).allclose(torch.ones(3))
    True
    """
    drawn = np.random.default_rng(list(seed)).standard_normal((count, width))
    return unit(torch.from_numpy(drawn)).float()


def unit(rows: Tensor) -> Tensor:
    """Return rows [n, d] of norm 1; those of zeros as they are."""
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
