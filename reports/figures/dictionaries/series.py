"""What stands beside a dictionary in every figure: a frozen decoder, and dictionaries of other weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ....probes.dictionaries.learning import FROZEN, TRAINED
from ...estimates import baseline_label
from ...writing import interval
from .. import drawing
from ..panels import drawn_stages, left_out

Beside = Mapping[str, Sequence[xr.Dataset]]  # what a probe found of baselines, by kind

__all__ = ["Beside", "Series", "dots", "drawn_stages", "left_out", "points", "seeds_of", "series_of"]


@dataclass(frozen=True)
class Series:
    """A dictionary, or those of several draws of weights.

    Parameters
    ----------
    name : str
    color, marker : str
    results : sequence of xarray.Dataset
        Of one variant, a network each.
    """

    name: str
    color: str
    marker: str
    results: Sequence[xr.Dataset]

    def at(self, stage: str) -> list[xr.Dataset]:
        """Return what was found at a stage, a network each; none where they lack it."""
        return [one.sel(stage=stage) for one in self.results if stage in one["stage"].values]

    def values(self, variable: str, stage: str, **labels: object) -> np.ndarray:
        """Return the finite values of a variable at a stage, a network each."""
        found = [float(one[variable].sel(labels)) for one in self.at(stage) if variable in one]
        return np.array([value for value in found if np.isfinite(value)])

    def written(self, variable: str, stage: str, unit: str, **labels: object) -> str:
        """Write name and values, "random weights 3 to 8"; nothing where there is no value."""
        found = self.values(variable, stage, **labels)
        return f"{self.name} {interval(list(found), unit)}" if len(found) else ""


def series_of(result: xr.Dataset, beside: Beside) -> list[Series]:
    """Return the trained dictionary, that with a frozen decoder, and those of baselines by kind."""
    own = Series(TRAINED, drawing.TRAINED, "o", [result.sel(variant=TRAINED)])
    frozen = [result.sel(variant=FROZEN)] if FROZEN in result["variant"].values else []
    others = [
        Series(baseline_label(kind), *drawing.baseline_look(kind), [one.sel(variant=TRAINED) for one in some])
        for kind, some in beside.items()
    ]
    return [one for one in (own, Series(FROZEN, drawing.THIRD, "s", frozen), *others) if one.results]


def seeds_of(series: Sequence[Series]) -> str:
    """Say how many networks stand for a kind of baseline, where that is more than one."""
    several = [f"{one.name} {len(one.results)}" for one in series if len(one.results) > 1]
    return f" Networks: {', '.join(several)}." if several else ""


def dots(axes: Axes, x: np.ndarray, y: float, one: Series, label: str | None, size: float = 5.0) -> None:
    """Draw values of a series at one height: the trained dictionary filled, all others hollow."""
    points(axes, [(x, y)], one, label, size)


def points(
    axes: Axes, places: Sequence[tuple[np.ndarray, float]], one: Series, label: str | None, size: float = 5.0
) -> None:
    """Draw values of a series at several heights: the trained dictionary filled, all others hollow."""
    there = [(x, y) for x, y in places if len(x)]
    if not there:
        return
    several = [(y, x.min(), x.max()) for x, y in there if len(x) > 1]
    if several:
        axes.hlines(*np.transpose(several), color=one.color, lw=1.0)
    x, y = np.concatenate([x for x, _ in there]), np.concatenate([np.full(len(x), y) for x, y in there])
    face = one.color if one.name == TRAINED else "white"
    axes.plot(x, y, one.marker, color=one.color, mfc=face, mew=1.2, ms=size, label=label, ls="none")
