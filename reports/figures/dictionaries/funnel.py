"""The funnel: how many features are never active, too rarely, too often, or survive; beside baselines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ....probes.dictionaries.numbers import LEAST, MOST
from ...selecting import stages_of
from ...writing import enumerated, written
from ..drawing import TRAINED, Illustration, canvas, one_legend
from ..panels import axes_or_new, drawn_stages, left_out, shortened
from .series import Beside, Series, series_of

KEPT = f"{100 * LEAST:.0f} to {written(MOST, 'share')}"
LOOKS = {  # in the order in which they are stacked: what survives stands at the axis
    "surviving": (TRAINED, "surviving"),
    "too_frequent": ("#CC79A7", f"too frequent (above {written(MOST, 'share')})"),
    "too_rare": ("#F0CB72", f"too rare (below {written(LEAST, 'share')})"),
    "unused": ("#E2E2E2", "unused (never active)"),
}
BAR_IN, NARROW = 0.22, 0.14  # of a share in which a number still fits


def dictionary_funnel(
    data: xr.Dataset,
    *,
    stage: str | None = None,
    definition: str = "frames",
    beside: Beside | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many features of a dictionary are never active, too rarely, too often, or survive.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "dictionaries".
    stage : str, optional
        The last of them if left out.
    definition : {"frames", "clips"}
        Of what share a feature is active.
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
    with axes_or_new(ax, 1.4 + BAR_IN * len(series)) as axes:
        _bars(axes, series, stage, definition)
        axes.set_title(f"{shortened(stage, 20)}, by {definition}", fontsize=8.5)
        axes.set_xlabel("share of features (%)")
        return axes


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
                dictionary_funnel(result, stage=stage, definition=definition, beside=beside, ax=axes)
                axes.set_title(f"{shortened(stage, 18)}, by {definition}", fontsize=8.5)
                axes.set_xlabel("share of features (%)" if stage == stages[-1] else "")
        one_legend(figure)
    return Illustration(
        "feature-funnel",
        "Which features are of use",
        figure,
        "How many features of a dictionary are active neither too rarely nor too often?",
        f"Singh et al. keep features that are active on {KEPT}; whether of frames or of clips matters, so "
        "both are drawn. Numbers: features that survive, mean over networks; to survive is no sign of "
        f"meaning.{left_out(result)}",
        f"Stacked bars of features of {name} by what becomes of them, at {enumerated(stages)}, for "
        f"{enumerated([one.name for one in series])}.",
        "How many features of each dictionary survive, beside those of random weights.",
        pd.DataFrame(_rows(series, stages, definitions)),
    )


def _counts(one: Series, stage: str, definition: str) -> Mapping[str, float]:
    """Return features by fate, averaged over networks; empty where there are none."""
    found = [each["funnel"].sel(definition=definition) for each in one.at(stage)]
    return {fate: float(np.mean([each.sel(fate=fate) for each in found])) for fate in LOOKS} if found else {}


def _bars(axes: Axes, series: Sequence[Series], stage: str, definition: str) -> None:
    found = {
        -place: counts for place, one in enumerate(series) if (counts := _counts(one, stage, definition))
    }
    y, start = np.array(list(found), dtype=float), np.zeros(len(found))
    totals = np.array([sum(counts.values()) for counts in found.values()])
    for fate, (color, label) in LOOKS.items():
        share = 100 * np.array([counts[fate] for counts in found.values()]) / totals
        axes.barh(y, share, 0.74, start, color=color, edgecolor="white", lw=0.6, label=label)
        start = start + share
    for place, counts in found.items():
        _number(axes, counts["surviving"], counts["surviving"] / sum(counts.values()), place)
    axes.set_yticks([-place for place in range(len(series))], [one.name for one in series], fontsize=8)
    axes.set(xlim=(0, 100), ylim=(0.5 - len(series), 0.5))
    axes.tick_params(axis="y", length=0)
    axes.grid(False)


def _number(axes: Axes, count: float, share: float, y: float) -> None:
    text, inside = f"{count:,.0f}", share > NARROW
    where, ink = (50 * share, "white") if inside else (100 * share + 1.5, TRAINED)
    box = None if inside else {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9}
    axes.text(where, y, text, ha="center" if inside else "left", va="center", color=ink, fontsize=8, bbox=box)


def _rows(
    series: Sequence[Series], stages: Sequence[str], definitions: Sequence[str]
) -> Iterator[dict[str, object]]:
    """Yield a row for each dictionary: how many features have which fate, mean over networks."""
    for stage in stages:
        for definition in definitions:
            for one in series:
                if counts := _counts(one, stage, definition):
                    fates = {LOOKS[fate][1]: count for fate, count in counts.items()}
                    yield {"stage": stage, "by": definition, "dictionary": one.name, **fates,
                           "networks": len(one.at(stage))}  # fmt: skip
