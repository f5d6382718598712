"""The funnel: how many features are never active, too rarely, too often, or survive; beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ....probes.dictionaries.numbers import LEAST, MOST
from ...writing import enumerated, listed, written
from ..drawing import TRAINED, Illustration, canvas, one_legend
from .series import Beside, Series, drawn_stages, left_out, seeds_of, series_of

KEPT = f"{100 * LEAST:.0f} to {written(MOST, 'share')}"
LOOKS = {  # in the order in which they are stacked: what survives stands at the axis
    "surviving": (TRAINED, "", "surviving"),
    "too_frequent": ("#CC79A7", "///", f"too frequent (above {written(MOST, 'share')})"),
    "too_rare": ("#E8B84A", "...", f"too rare (below {written(LEAST, 'share')})"),
    "unused": ("#D9D9D9", "", "unused (never active)"),
}
BAR_IN, NARROW = 0.22, 0.14  # of a share in which a number still fits


def feature_funnel(result: xr.Dataset, beside: Beside | None = None, name: str = "") -> Illustration:
    """Draw what becomes of the features of a dictionary, by the share of frames and by that of clips.

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
    definitions = [str(one) for one in result["definition"].values]
    height = 1.35 + len(stages) * (0.42 + BAR_IN * len(series))
    with canvas(height, f"{name}: which features are of use") as figure:
        grid = figure.subplots(len(stages), len(definitions), squeeze=False, sharex=True, sharey=True)
        for row, stage in zip(grid, stages, strict=True):
            for axes, definition in zip(row, definitions, strict=True):
                _bars(axes, series, stage, definition)
                axes.set_title(f"{stage}, by {definition}", fontsize=8.5)
        for axes in grid[-1]:
            axes.set_xlabel("share of features (%)")
        one_legend(figure)
    return Illustration(
        "feature-funnel",
        "Which features are of use",
        figure,
        "How many features of a dictionary are active neither too rarely nor too often?",
        f"Singh et al. keep features that are active on {KEPT}; whether of frames or of clips matters, so "
        "both are drawn. Numbers: features that survive, mean over networks. "
        f"{_said(series, stages, definitions)} To survive is no sign of meaning: compare the bars with "
        f"those of random weights.{seeds_of(series)}{left_out(result)}",
        f"Stacked bars of features of {name} by what becomes of them, at {enumerated(stages)}, for "
        f"{enumerated([one.name for one in series])}.",
    )


def _counts(one: Series, stage: str, definition: str) -> Mapping[str, float]:
    """Return features by fate, averaged over networks; empty where there are none."""
    found = [each["funnel"].sel(definition=definition) for each in one.at(stage)]
    return {fate: float(np.mean([each.sel(fate=fate) for each in found])) for fate in LOOKS} if found else {}


def _bars(axes: Axes, series: Sequence[Series], stage: str, definition: str) -> None:
    for place, one in enumerate(series):
        counts = _counts(one, stage, definition)
        total, start = sum(counts.values()), 0.0
        for fate, count in counts.items():
            color, hatch, label = LOOKS[fate]
            axes.barh(
                -place, 100 * count / total, 0.74, 100 * start / total, color=color, hatch=hatch,
                edgecolor="white", lw=0.4, label=label,
            )  # fmt: skip
            start += count
        if counts:
            _number(axes, counts["surviving"], counts["surviving"] / total, -place)
    axes.set_yticks([-place for place in range(len(series))], [one.name for one in series], fontsize=8)
    axes.set(xlim=(0, 100), ylim=(0.5 - len(series), 0.5))
    axes.tick_params(axis="y", length=0)
    axes.grid(False)


def _number(axes: Axes, count: float, share: float, y: float) -> None:
    text, inside = f"{count:,.0f}", share > NARROW
    where, ink = (50 * share, "white") if inside else (100 * share + 1.5, TRAINED)
    box = None if inside else {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9}
    axes.text(where, y, text, ha="center" if inside else "left", va="center", color=ink, fontsize=8, bbox=box)


def _said(series: Sequence[Series], stages: Sequence[str], definitions: Sequence[str]) -> str:
    said = []
    for stage in stages:
        each = []
        for definition in definitions:
            counts = [(one.name, _counts(one, stage, definition)) for one in series]
            each.append(
                f"by {definition} " + ", ".join(f"{who} {c['surviving']:,.0f}" for who, c in counts if c)
            )
        said.append(f"{stage} {' and '.join(each)}")
    return f"Surviving features: {listed(said)}."
