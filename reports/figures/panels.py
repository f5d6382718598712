"""What figures of several panels share, and axes for those who bring none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from ..selecting import spread, stages_of
from ..writing import counted
from .drawing import WIDTH_IN, in_style, one_legend

MOST_STAGES = 6  # that have a panel; a large model has dozens of layers
MOST_ROWS = 300  # of the data of a figure
ACROSS = {1: 1, 2: 2, 4: 2}  # panels to a row by their number: none is left blank; of other numbers three


@contextmanager
def axes_or_new(ax: Axes | None, height_in: float = 3.2) -> Iterator[Axes]:
    """Yield the axes given, or those of a new figure of the house's style, which then gets a legend."""
    if ax is not None:
        yield ax
        return
    with in_style():
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        yield figure.subplots()
        one_legend(figure)


def across(count: int, most: int = 3) -> int:
    """Return how many panels stand side by side.

    Examples
    --------
    >>> [across(count) for count in (1, 2, 3, 4, 7)], across(7, most=2)
    ([1, 2, 3, 2, 3], 2)
    """
    return min(ACROSS.get(count, 3), most)


def panel_rows(count: int, most: int = 3) -> int:
    """Return how many rows some panels take."""
    return -(-max(1, count) // across(max(1, count), most))


def panels(
    figure: FigureBase, count: int, label: str = "", most: int = 3, sharey: bool = True, sharex: bool = True
) -> list[Axes]:
    """Add panels of shared axes, with ticks and a label below the lowest of each column.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    count : int
    label : str
        Of the axis below.
    most : int
        Panels to a row at most.
    sharey, sharex : bool
    """
    columns = across(max(1, count), most)
    grid = figure.subplots(
        panel_rows(count, most), columns, squeeze=False, sharex=sharex, sharey=sharey
    ).ravel()
    for axes in grid[count:]:
        axes.remove()
    shown = list(grid[:count])
    label_below(shown, columns, label)
    return shown


def label_below(shown: Sequence[Axes], columns: int, label: str) -> None:
    """Put ticks and a label below the lowest panels of all columns; once in the middle of many."""
    lowest = shown[-columns:]
    for axes in lowest:
        axes.tick_params(labelbottom=True)
    if columns <= 2 or len(shown) % columns:
        for axes in lowest:
            axes.set_xlabel(label)
    else:
        lowest[(columns - 1) // 2].set_xlabel(label, x=0.5 if columns % 2 else 1.08)


def shortened(name: str, most: int = 24) -> str:
    """Write a name that is too long for its place with the beginnings of its parts, or without its middle.

    Numbers stay whole: they tell the layers of a model apart.

    Examples
    --------
    >>> shortened("latent"), shortened("model.encoder.layers.12.residual", 18)
    ('latent', 'mod.enc.lay.12.res')
    >>> shortened("an_encoder_of_somebody_else", 18)
    'an_enco…body_else'
    """
    if len(name) <= most:
        return name
    parts = name.split(".")
    for letters in (4, 3, 2, 1) if len(parts) > 1 else ():
        short = ".".join(part if part.isdigit() else part[:letters] for part in parts)
        if len(short) <= most:
            return short
    half = (most - 1) // 2
    return f"{name[: half - 1]}…{name[-half - 1 :]}"


def stage_rows(stages: Sequence[str]) -> np.ndarray:
    """Return the heights, [n], at which stages stand, the first one at the top."""
    return np.arange(len(stages), 0, -1, dtype=float)


def drawn_stages(result: xr.Dataset, most: int = MOST_STAGES) -> list[str]:
    """Return the stages that are drawn: all, or some that are spread evenly."""
    return [str(stage) for stage in spread(np.array(stages_of(result)), most)]


def left_out(result: xr.Dataset, most: int = MOST_STAGES) -> str:
    """Say how many stages are not drawn; nothing where all are."""
    hidden = len(stages_of(result)) - len(drawn_stages(result, most))
    if not hidden:
        return ""
    return f" {counted(hidden, 'more stage')} {'is' if hidden == 1 else 'are'} in the tables only."


def mean_of(networks: Sequence[np.ndarray], like: np.ndarray) -> np.ndarray:
    """Return the mean over networks of what is finite, [n]; NaN where nothing is, or shapes differ."""
    same = [one for one in networks if one.shape == like.shape]
    if not same:
        return np.full(like.shape, np.nan)
    values = np.array(same, dtype=float)
    there = np.isfinite(values)
    number = there.sum(0)
    return np.where(number > 0, np.where(there, values, 0.0).sum(0) / np.maximum(number, 1), np.nan)


def by_network(values: Sequence[float]) -> dict[str, float]:
    """Return columns of a table: what each random network gives.

    Examples
    --------
    >>> by_network([0.5, 0.75])
    {'random weights 1': 0.5, 'random weights 2': 0.75}
    """
    return {f"random weights {k}": float(value) for k, value in enumerate(values, 1)}
