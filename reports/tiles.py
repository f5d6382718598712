"""Tiles: a question, its number with interval, and where it lies between a useless and a perfect map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .answers import Answer, Scale, kinds_shown, place_name, shown
from .estimates import Estimate, baseline_label
from .writing import capitalised, written


@dataclass(frozen=True)
class Mark:
    """A point on a tile's scale, in percent of its length, with the ends of its interval.

    Parameters
    ----------
    place, low, high : float
        0 to 100.
    look : str
        "encoder" or "baseline".
    text : str
        What is shown where one points at it.
    """

    place: float
    low: float
    high: float
    look: str
    text: str


@dataclass(frozen=True)
class Bar:
    """An encoder's number on a tile: its name if there are several, the number, what else, and the marks."""

    name: str
    value: str
    more: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Tile:
    """A question with the numbers that answer it.

    Parameters
    ----------
    href : str
        Of the chapter.
    question, stage : str
    bars : tuple of Bar
        An encoder each.
    useless, perfect : str
        What the two ends of the scale are, with their values.
    """

    href: str
    question: str
    stage: str
    bars: tuple[Bar, ...]
    useless: str
    perfect: str


def tile_of(href: str, question: str, answers: Mapping[str, Answer]) -> Tile | None:
    """Make the tile of a question; None where no answer has a number.

    Parameters
    ----------
    href, question : str
    answers : mapping of str to Answer
        By the encoder's name.
    """
    there = {name: one for name, one in answers.items() if one.estimate is not None and one.scale is not None}
    if not there:
        return None
    first = next(iter(there.values()))
    scale = first.scale
    assert scale is not None
    stages = list(dict.fromkeys(capitalised(place_name(one.stage)) for one in there.values()))
    bars = tuple(_bar(name if len(answers) > 1 else "", one, scale) for name, one in there.items())
    ends = [
        f"{what} ({written(value, scale.unit)})"
        for what, value in ((scale.useless, scale.lowest), (scale.perfect, scale.highest))
    ]
    return Tile(href, question, ", ".join(stages), bars, *ends)


def _bar(name: str, one: Answer, scale: Scale) -> Bar:
    assert one.estimate is not None
    others = [
        _mark(network, scale, "baseline", f"{baseline_label(kind)}: {shown(network, scale.unit)}")
        for kind, networks in kinds_shown(one.beside).items()
        for network in networks
    ]
    value = shown(one.estimate, scale.unit)
    own = _mark(one.estimate, scale, "encoder", f"{name}: {value}" if name else value)
    more = ", ".join(f"{what} {shown(other, scale.unit)}" for what, other in one.more.items())
    return Bar(name, value, more, (*others, own))


def _mark(one: Estimate, scale: Scale, look: str, text: str) -> Mark:
    value, low, high = (
        100 * scale.place(v if np.isfinite(v) else one.value) for v in (one.value, one.low, one.high)
    )
    return Mark(value, min(low, high), max(low, high), look, text)
