"""How many features mean something: beyond the null, and on clips that labels were not made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import stages_of
from ...writing import enumerated, written
from ..drawing import DARK, Illustration, canvas, one_legend
from ..panels import MOST_ROWS, across, axes_or_new, drawn_stages, left_out, panel_rows, panels, shortened
from .series import Beside, Series, dots, points, series_of

SHUFFLED = "shuffled truths"
ROW_IN = 0.19
DECADES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
COLUMNS = 2


def dictionary_labels(
    data: xr.Dataset, *, stage: str | None = None, beside: Beside | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how many features have a label: beyond the null, and holding on clips it was not made from.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "labels".
    stage : str, optional
        The last of them if left out.
    beside : mapping of str to sequence of xarray.Dataset, optional
        The same of baselines, by kind.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes
    """
    stage = stage or stages_of(data)[-1]
    series = series_of(data, beside or {})
    with axes_or_new(ax, 1.4 + ROW_IN * len(series)) as axes:
        most = _counts(axes, series, data, stage)
        _counts_axis(axes, max(1.0, most))
        axes.set_title(shortened(stage, 50), fontsize=8.5)
        axes.set_xlabel("features")
        return axes


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
        grid = figure.subplots(len(stages), 1, squeeze=False, sharex=True).ravel()
        for axes, stage in zip(grid, stages, strict=True):
            dictionary_labels(result, stage=stage, beside=beside, ax=axes)
            axes.set_xlabel("features" if stage == stages[-1] else "")
        found = pd.DataFrame(_number_rows(series, result, stages))[["beyond the null", "kept"]]
        _counts_axis(grid[-1], max(1.0, float(found.max(axis=None))))
        one_legend(figure)
    return Illustration(
        "label-counts",
        "Features that mean something",
        figure,
        "How many features have a label that holds, and how many without training, or with wrong truths?",
        "A label is beyond the null where it exceeds what the best of all features gives by chance over all "
        "factors, on the half of the clips that it is made from; it is kept where it holds on the other "
        f"half too.{left_out(result)}",
        f"Numbers of features of {name} beyond the null and kept, at {enumerated(stages)}, for "
        f"{enumerated([*(one.name for one in series), SHUFFLED])}.",
        "How many features have a label that holds on other clips, beside random weights and wrong truths.",
        pd.DataFrame(_number_rows(series, result, stages)),
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
    rows = [row for stage in stages for row in _factor_rows(series, stage, factors)]
    height = 1.1 + panel_rows(len(stages), COLUMNS) * (0.45 + 0.27 * len(factors))
    with canvas(height, f"{name}: what labels are of") as figure:
        grid = panels(figure, len(stages), "features whose label holds", COLUMNS)
        for axes, stage in zip(grid, stages, strict=True):
            _factors(axes, series, stage, factors)
            axes.set_title(shortened(stage, 50 // across(len(stages), COLUMNS)), fontsize=8.5)
        most = max([1.0, *pd.DataFrame(rows)["features"].tolist()])
        _counts_axis(grid[0], most, narrow=len(stages) > 1)
        one_legend(figure)
    return Illustration(
        "labels-by-factor",
        "What labels are of",
        figure,
        "Which of the known factors do features stand for, and which of them without training?",
        f"Every feature has one label, of the factor that it tells best.{left_out(result)}",
        f"Numbers of features of {name} whose label holds, by factor, at {enumerated(stages)}.",
        "How many features stand for each known factor, beside those of random weights.",
        pd.DataFrame(rows[:MOST_ROWS]),
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


def _number_rows(
    series: Sequence[Series], result: xr.Dataset, stages: Sequence[str]
) -> list[dict[str, object]]:
    """Return a row for each network at each stage, and for shuffled truths."""
    rows: list[dict[str, object]] = []
    for stage in stages:
        for one in series:
            for k, each in enumerate(one.at(stage), 1):
                row = {"stage": stage, "dictionary": one.name, "network": k}
                numbers = {"beyond the null": float(each["n_beyond"]), "kept": float(each["n_kept"])}
                rows.append({**row, **numbers})
        rows.append({"stage": stage, "dictionary": SHUFFLED, "network": 1,
                     "kept": float(result["n_kept_shuffled"].sel(stage=stage))})  # fmt: skip
    return rows


def _factors(axes: Axes, series: Sequence[Series], stage: str, factors: Sequence[str]) -> None:
    step = 0.72 / len(series)
    for i, one in enumerate(series):
        places = [
            (one.values("n_by_factor", stage, factor=factor), -place + 0.36 - step * (i + 0.5))
            for place, factor in enumerate(factors)
        ]
        points(axes, places, one, one.name, 4.5)
    axes.set_yticks([-place for place in range(len(factors))], factors, fontsize=8)
    axes.set_ylim(0.55 - len(factors), 0.55)


def _factor_rows(series: Sequence[Series], stage: str, factors: Sequence[str]) -> Iterator[dict[str, object]]:
    for one in series:
        for factor in factors:
            found = one.values("n_by_factor", stage, factor=factor)
            if len(found):
                yield {"stage": stage, "dictionary": one.name, "factor": factor,
                       "features": float(found.mean()), "least of networks": float(found.min()),
                       "most of networks": float(found.max())}  # fmt: skip


def kept_beside(series: Sequence[Series], result: xr.Dataset, stage: str) -> list[str]:
    """Write how many labels hold at a stage, for every dictionary: "trained 12", "shuffled truths 0"."""
    said = [text for one in series if (text := one.written("n_kept", stage, "count"))]
    shuffled = float(result["n_kept_shuffled"].sel(stage=stage))
    return [*said, f"{SHUFFLED} {written(shuffled, 'count')}"]


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
