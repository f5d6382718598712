"""How many features mean something: beyond the null, and on clips that labels were not made from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ....probes.dictionaries.learning import TRAINED
from ...writing import enumerated, listed, written
from ..drawing import DARK, Illustration, canvas, one_legend
from .series import Beside, Series, dots, drawn_stages, left_out, seeds_of, series_of

SHUFFLED = "shuffled truths"
ROW_IN = 0.19
DECADES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
COLUMNS = 2


def label_counts(result: xr.Dataset, beside: Beside | None = None, name: str = "") -> Illustration:
    """Draw how many features have a label, beside baselines and shuffled truths.

    Parameters
    ----------
    result : xarray.Dataset
        Group "labels" of the encoder.
    beside : mapping of str to sequence of xarray.Dataset
        The same of its baselines, by kind.
    name : str
        What the encoder is called.
    """
    series, stages = series_of(result, beside or {}), drawn_stages(result)
    rows = len(series) + 1
    with canvas(
        1.1 + len(stages) * (0.34 + ROW_IN * rows), f"{name}: features that mean something"
    ) as figure:
        panels = figure.subplots(len(stages), 1, squeeze=False, sharex=True).ravel()
        most = 1.0
        for axes, stage in zip(panels, stages, strict=True):
            most = max(most, _counts(axes, series, result, stage))
            axes.set_title(stage, fontsize=8.5)
        _counts_axis(panels[-1], most)
        panels[-1].set_xlabel("features")
        one_legend(figure)
    return Illustration(
        "label-counts",
        "Features that mean something",
        figure,
        "How many features have a label that holds, and how many without training, or with wrong truths?",
        "A label is beyond the null where it exceeds what the best of all features gives by chance over all "
        "factors, on the half of the clips that it is made from; it is kept where it holds on the other "
        f"half too. Kept: {_said(series, result, stages)}.{seeds_of(series)}{left_out(result)}",
        f"Numbers of features of {name} beyond the null and kept, at {enumerated(stages)}, for "
        f"{enumerated([*(one.name for one in series), SHUFFLED])}.",
    )


def labels_by_factor(result: xr.Dataset, beside: Beside | None = None, name: str = "") -> Illustration:
    """Draw what the labels that hold are of.

    Parameters
    ----------
    result, beside, name
        As in `label_counts`.
    """
    series, stages = series_of(result, beside or {}), drawn_stages(result)
    factors = [str(factor) for factor in result["factor"].values]
    panel_rows = -(-len(stages) // COLUMNS)
    height = 1.1 + panel_rows * (0.45 + 0.27 * len(factors))
    with canvas(height, f"{name}: what labels are of") as figure:
        panels = figure.subplots(panel_rows, COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
        most = 1.0
        for axes, stage in zip(panels, stages, strict=False):
            most = max(most, _factors(axes, series, stage, factors))
            axes.set_title(stage, fontsize=8.5)
        for axes in panels[len(stages) :]:
            axes.set_axis_off()
        for axes in panels[max(0, len(stages) - COLUMNS) : len(stages)]:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("features whose label holds")
        _counts_axis(panels[0], most, narrow=True)
        one_legend(figure)
    return Illustration(
        "labels-by-factor",
        "What labels are of",
        figure,
        "Which of the known factors do features stand for, and which of them without training?",
        f"Every feature has one label, of the factor that it tells best. {_said_by_factor(series, stages)}"
        f"{seeds_of(series)}{left_out(result)}",
        f"Numbers of features of {name} whose label holds, by factor, at {enumerated(stages)}.",
    )


def _counts_axis(axes: Axes, most: float, narrow: bool = False) -> None:
    """Make counts nearly logarithmic, with 0 on the axis."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    inside = [tick for tick in DECADES if tick <= 1.3 * most]
    if len(inside) > (5 if narrow else 8):
        inside = [tick for tick in inside if str(tick)[0] in "01"]
    axes.set_xticks(inside, [f"{tick:,}" for tick in inside])
    axes.set_xlim(-0.15, 1.6 * most)
    axes.minorticks_off()


def _counts(axes: Axes, series: Sequence[Series], result: xr.Dataset, stage: str) -> float:
    """Draw a row for each dictionary; return the largest count."""
    most = 0.0
    for place, one in enumerate(series):
        beyond, kept = (one.values(variable, stage) for variable in ("n_beyond", "n_kept"))
        if not len(beyond) or not len(kept):
            continue
        means = float(beyond.mean()), float(kept.mean())
        axes.plot(means, [-place, -place], color=one.color, lw=1.2, zorder=1)
        axes.plot(means[0], -place, "|", color=one.color, ms=10, mew=2.0)
        dots(axes, kept, -place, one, None, 6.0)
        most = max(most, *beyond, *kept)
    shuffled = float(result["n_kept_shuffled"].sel(stage=stage))
    axes.plot(shuffled, -len(series), "x", color=DARK, ms=6, mew=1.6)
    axes.plot([], [], "|", color=DARK, ms=10, mew=2.0, label="beyond the null, where labels are made")
    axes.plot([], [], "o", color=DARK, mfc="white", ms=6, label="kept, on other clips")
    names = [*(one.name for one in series), SHUFFLED]
    axes.set_yticks([-place for place in range(len(names))], names, fontsize=8)
    axes.set_ylim(0.6 - len(names), 0.6)
    return max(most, shuffled)


def _factors(axes: Axes, series: Sequence[Series], stage: str, factors: Sequence[str]) -> float:
    most, step = 0.0, 0.72 / len(series)
    for place, factor in enumerate(factors):
        for i, one in enumerate(series):
            found = one.values("n_by_factor", stage, factor=factor)
            y = -place + 0.36 - step * (i + 0.5)
            dots(axes, found, y, one, one.name if place == 0 else None, 4.5)
            most = max([most, *found])
    axes.set_yticks([-place for place in range(len(factors))], factors, fontsize=8)
    axes.set_ylim(0.55 - len(factors), 0.55)
    return most


def kept_beside(series: Sequence[Series], result: xr.Dataset, stage: str) -> list[str]:
    """Write how many labels hold at a stage, for every dictionary: "trained 12", "shuffled truths 0"."""
    said = [text for one in series if (text := one.written("n_kept", stage, "count"))]
    shuffled = float(result["n_kept_shuffled"].sel(stage=stage))
    return [*said, f"{SHUFFLED} {written(shuffled, 'count')}"]


def _said(series: Sequence[Series], result: xr.Dataset, stages: Sequence[str]) -> str:
    return listed([f"{stage} {', '.join(kept_beside(series, result, stage))}" for stage in stages])


def _said_by_factor(series: Sequence[Series], stages: Sequence[str]) -> str:
    own = next(one for one in series if one.name == TRAINED)
    said = []
    for stage in stages:
        if counts := factor_counts(own.at(stage)[0]):
            said.append(f"{stage} {', '.join(f'{factor} {count}' for factor, count in counts.items())}")
    return f"Trained: {listed(said)}." if said else "No label of the trained dictionary holds."


def factor_counts(one: xr.Dataset) -> dict[str, int]:
    """Return how many labels that hold are of which factor, most first; none of factors without any.

    Parameters
    ----------
    one : xarray.Dataset
        Group "labels" at a stage, of one variant.
    """
    counts = one["n_by_factor"].values
    order = np.argsort(-counts, kind="stable")
    return {str(one["factor"].values[i]): int(counts[i]) for i in order if counts[i] > 0}
