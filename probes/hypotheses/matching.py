"""Matching: evidence from things that are met twice, and recognised or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ..statistics.means import LEVEL
from ..statistics.resampling import pseudo_values
from ..statistics.stability import relabelled_index
from .evidence import PerGroup
from .exchanges import DRAWS, exchanged_tails


@dataclass(frozen=True)
class Matching:
    """Likeness of things met twice; under the null nothing tells who of the second meeting is who.

    The effect is the likeness of a thing to itself less that to the others, mean over things and meetings.

    Parameters
    ----------
    likeness : float [things, things, meetings]
        Of each thing, as met in the first place of a meeting, to each as met in the second. Things and
        meetings without values are left out.
    places : int >= 0 [meetings, 2], optional
        Under the null things change names in every place, for all its meetings alike. By default no two
        meetings have a place in common.

    Examples
    --------
    >>> Matching(np.eye(5)[..., None]).effect
    1.0
    >>> Matching(np.eye(5)[..., None]).tails(0.0)[0] < 0.05
    True
    """

    unit: ClassVar[str] = "things"
    likeness: npt.ArrayLike
    places: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        likeness = np.asarray(self.likeness, dtype=float)
        places = np.arange(2 * likeness.shape[2]).reshape(-1, 2) if self.places is None else self.places
        there = np.isfinite(likeness).any((1, 2)) & np.isfinite(likeness).any((0, 2))
        likeness = likeness[there][:, there]
        met = np.isfinite(likeness).all((0, 1))
        object.__setattr__(self, "likeness", likeness[..., met])
        object.__setattr__(self, "places", np.asarray(places)[met])

    @property
    def per_meeting(self) -> np.ndarray:
        """How much more alike each thing is to itself than to the others, [things, meetings].

        As `pseudo_values`; their mean over things is the effect.
        """
        likeness = np.asarray(self.likeness)
        own = np.einsum("iik->ik", likeness)
        others = (likeness.sum(0) + likeness.sum(1)) / 2 - own
        return own - pseudo_values(others / max(1, len(likeness) - 1))

    @property
    def per_unit(self) -> np.ndarray:
        """The same, mean over meetings, [things]."""
        return self.per_meeting.mean(1)

    @property
    def of_units(self) -> PerGroup:
        """The same as evidence that can be held against a threshold; places, not meetings, are its repeats.

        A thing's value is a mean over many: its others. Meetings have places in common, as pairs of
        contexts have contexts: see `pseudo_values`.
        """
        if self.n_units < 2:
            return PerGroup([])
        meetings, places = self.per_meeting.T, np.asarray(self.places)
        there = np.unique(places)
        count, mean = len(there), meetings.mean(0)  # [things]
        part = (places[:, :, None] == there).sum(1).T  # [places, meetings]
        part = part * count / len(places) * (count - 1) / max(1, count - 2)
        return PerGroup(mean + part @ (meetings - mean))

    @property
    def effect(self) -> float:
        """Mean over things."""
        return float(self.per_unit.mean()) if self.n_units > 1 else np.nan

    @property
    def n_units(self) -> int:
        """Things with a likeness."""
        return len(np.asarray(self.likeness)) if np.size(self.likeness) else 0

    @property
    def method(self) -> str:
        """Where p comes from, in words."""
        return f"{DRAWS} drawn exchanges of names"

    def null(self, threshold: float, seed: int) -> np.ndarray:
        """Return the effect where things have other names in every place."""
        if threshold:
            raise ValueError("names can be exchanged only where they make no difference: threshold 0")
        if self.n_units < 2:
            return np.zeros(0)
        likeness, places = np.asarray(self.likeness), np.asarray(self.places)
        return relabelled_index(likeness, places, np.random.default_rng(seed), DRAWS)

    def tails(self, threshold: float, seed: int = 0) -> tuple[float, float]:
        """Return p-values of the effect being above 0, and below it."""
        return exchanged_tails(self.null(threshold, seed), self.effect, threshold, are_all=False)

    def interval(self, seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval over things, and over the places of meetings if there are several."""
        return self.of_units.interval(seed, level)

    def clearest(self, n: int) -> Iterator[Matching]:
        """Yield `n` things that are like nothing but themselves, met as often and in the same places."""
        places = np.asarray(self.places)
        yield Matching(np.repeat(np.eye(n)[..., None], len(places), axis=2), places)

    def relabelled(self, threshold: float, generator: np.random.Generator) -> Matching:
        """Give things other names in every place."""
        likeness, places = np.asarray(self.likeness), np.asarray(self.places)
        names = np.argsort(generator.random((places.max() + 1, self.n_units)), axis=1)
        rows, columns = names[places[:, 0]].T, names[places[:, 1]].T  # [things, meetings]
        renamed = likeness[rows[:, None], columns[None], np.arange(len(places))]
        return Matching(renamed, places)
