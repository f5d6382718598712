"""Explained variance beside principal components, and how much cross-entropy is recovered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import FixedLocator, NullLocator

from ....probes.dictionaries.learning import TRAINED
from ...writing import enumerated
from ..drawing import DARK, Illustration, canvas, one_legend
from ..panels import MOST_ROWS, across, drawn_stages, left_out, panel_rows, panels, shortened
from .series import Beside, Series, points, series_of

COLUMNS = 2
COSTS = {"zero": "zeros", "mean": "means"}  # what takes the place of activations, in words
FROZEN_MARKER = "s"
LEAST_LEFT = 1e-4  # share of variance that is not explained; less is drawn there
TICKS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999)
LOWEST = -0.5  # recovered share below which a value is drawn at the edge


def explained_variance(result: xr.Dataset, beside: Beside | None = None, name: str = "") -> Illustration:
    """Draw what dictionaries and principal components explain, and the cross-entropy that is recovered.

    Parameters
    ----------
    result : xarray.Dataset
        Group "dictionaries" of the encoder.
    beside : mapping of str to sequence of xarray.Dataset
        The same of its baselines, by kind.
    name : str
        What the encoder is called.
    """
    series, stages = series_of(result, beside or {}), drawn_stages(result)
    rows = panel_rows(len(stages), COLUMNS)
    ablations = [str(a) for a in result["ablation"].values] if "recovered" in result else []
    above, below = 0.5 + 1.65 * rows, (0.85 + 0.12 * len(stages) * len(series)) if ablations else 0.0
    with canvas(0.9 + above + below, f"{name}: explained variance says little alone") as figure:
        heights = (above, below) if ablations else (above,)
        parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights).ravel()
        _curves(parts[0], series, stages)
        if ablations:
            grid = np.atleast_1d(parts[1].subplots(1, len(ablations), sharey=True))
            for axes, ablation in zip(grid, ablations, strict=True):
                _recovered(axes, series, stages, ablation)
        one_legend(figure)
    below_said = (
        "Below, the share of what ablating a stage costs that comes back with reconstructed activations; "
        "undefined where that costs hardly anything."
    )
    return Illustration(
        "explained-variance",
        "Explained variance says little alone",
        figure,
        "Does a dictionary explain more than as many principal components, and than one of random weights?",
        "Lines: principal components, over how many; markers: dictionaries, at the features that they keep "
        "of a frame. A dictionary chooses those anew at every frame, components are the same throughout. "
        f"{f'What is above {1 - LEAST_LEFT:g} is drawn there.' if not ablations else below_said}"
        f"{left_out(result)}",
        f"Explained variance of {name} over principal components, with that of dictionaries at their k, at "
        f"{enumerated(stages)}" + (", and recovered cross-entropy." if ablations else "."),
        "A dictionary above the line of components explains more than as many of them do.",
        pd.DataFrame(_rows(result, series, stages, ablations)).head(MOST_ROWS),
    )


def components_beside(one: xr.Dataset) -> dict[int, float]:
    """Return what as many principal components explain as a dictionary keeps features.

    Parameters
    ----------
    one : xarray.Dataset
        Group "dictionaries" at a stage.

    Returns
    -------
    explained : dict of int to float
        By the number of components: of k alone if it was measured, or of the next below and above.
    """
    ranks, k = one["rank"].values, int(one["k"])
    chosen = [k] if k in ranks else [*ranks[ranks < k][-1:], *ranks[ranks > k][:1]]
    return {int(rank): float(one["components_variance"].sel(rank=rank)) for rank in chosen}


def _left(explained: np.ndarray | float) -> np.ndarray:
    return np.clip(1 - np.asarray(explained, float), LEAST_LEFT, 1.0)


def _curves(figure: FigureBase, series: Sequence[Series], stages: Sequence[str]) -> None:
    grid = panels(figure, len(stages), "components, or features kept (k)", COLUMNS)
    least = 1.0
    for axes, stage in zip(grid, stages, strict=True):
        for one in series:
            for i, each in enumerate(one.at(stage)):
                least = min(least, _curve(axes, each, one, not i))
        axes.set_title(shortened(stage, 50 // across(len(stages), COLUMNS)), fontsize=8.5)
    for axes in grid[:: across(len(stages), COLUMNS)]:
        axes.set_ylabel("explained variance")
    low = 0.6 * least
    for axes in grid:
        axes.set(xscale="log", yscale="log", ylim=(1.25, low))
        axes.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
        inside = [tick for tick in TICKS if 1 - tick >= max(low, 0.99 * LEAST_LEFT)]
        shown = (
            inside if len(inside) <= 6 else [t for t in inside if t in (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)]
        )
        axes.yaxis.set_major_locator(FixedLocator([1 - tick for tick in shown]))
        axes.yaxis.set_major_formatter(lambda left, _: f"{1 - left:.4g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_locator(NullLocator())


def _curve(axes: Axes, one: xr.Dataset, of: Series, first: bool) -> float:
    """Draw components of a network and its dictionary; return the least share that is left."""
    curve = _left(one["components_variance"].values)
    if of.marker != FROZEN_MARKER:  # a frozen decoder reads the same activations
        label = f"components, {of.name}" if first else None
        axes.plot(
            one["rank"], curve, "-" if of.name == TRAINED else "--", color=of.color, lw=1.3, label=label
        )
    own = _left(float(one["explained_variance"]))
    face = of.color if of.name == TRAINED else "white"
    label = f"dictionary, {of.name}" if first else None
    axes.plot(
        float(one["k"]), own, of.marker, color=of.color, mfc=face, mew=1.3, ms=6.5, label=label, zorder=3
    )
    return float(np.nanmin([*curve, own]))


def _recovered(axes: Axes, series: Sequence[Series], stages: Sequence[str], ablation: str) -> None:
    step = 0.8 / len(series)
    for i, one in enumerate(series):
        places = []
        for place, stage in enumerate(stages):
            y = -place + 0.4 - step * (i + 0.5)
            values = one.values("recovered", stage, ablation=ablation)
            places.append((np.clip(values, LOWEST, None), y))
            if not len(values) and one.at(stage):
                axes.text(0.02, y, f"undefined: {one.name}", color=DARK, fontsize=7, va="center")
        points(axes, places, one, None)
    axes.set_yticks([-place for place in range(len(stages))], [shortened(s, 20) for s in stages], fontsize=8)
    axes.set(ylim=(0.5 - len(stages), 0.5))
    low, _ = axes.get_xlim()
    axes.set_xlim(min(0.0, low), 1.05)
    axes.set_xticks([tick for tick in (-0.5, 0.0, 0.5, 1.0) if tick >= min(0.0, low)])
    axes.set_title(f"recovered of what {COSTS.get(ablation, ablation)} cost", fontsize=8.5)
    axes.set_xlabel("share of cross-entropy")


def _rows(
    result: xr.Dataset, series: Sequence[Series], stages: Sequence[str], ablations: Sequence[str]
) -> Iterator[dict[str, object]]:
    """Yield a row for each dictionary, then for each number of components."""
    for stage in stages:
        for one in series:
            for k, each in enumerate(one.at(stage), 1):
                row = {"stage": stage, "what": f"dictionary, {one.name}", "network": k,
                       "components or features kept": int(each["k"]),
                       "explained variance": float(each["explained_variance"])}  # fmt: skip
                for ablation in ablations:
                    cost = f"recovered of what {COSTS.get(ablation, ablation)} cost"
                    row[cost] = float(each["recovered"].sel(ablation=ablation))
                yield row
    for stage in stages:
        for one in (each for each in series if each.marker != FROZEN_MARKER):
            for each in one.at(stage)[:1]:
                for rank, value in zip(each["rank"].values, each["components_variance"].values, strict=True):
                    yield {"stage": stage, "what": f"components, {one.name}", "network": 1,
                           "components or features kept": int(rank),
                           "explained variance": float(value)}  # fmt: skip
