"""How well single features tell known classes: F1 and Matthews correlation of the best of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ....probes.dictionaries.learning import TRAINED
from ...writing import counted, enumerated
from ..drawing import DARK, Illustration, canvas, one_legend
from ..panels import MOST_ROWS, shortened
from .series import Beside, Series, points, series_of

MEASURES = {"f1": "F1", "mcc": "Matthews correlation"}
ROW_IN, MOST_CLASSES = 0.155, 48


def class_recovery(
    result: xr.Dataset, stage: str, beside: Beside | None = None, name: str = ""
) -> Illustration:
    """Draw how well the best feature of each class tells it, beside baselines and chance.

    Parameters
    ----------
    result : xarray.Dataset
        Group "labels" of the encoder.
    stage : str
    beside : mapping of str to sequence of xarray.Dataset
        The same of its baselines, by kind.
    name : str
        What the encoder is called.
    """
    series = series_of(result, beside or {})
    classes = drawn_classes(result, stage)
    with canvas(
        1.3 + ROW_IN * max(3, len(classes)), f"{name}, {shortened(stage)}: features that tell a class"
    ) as figure:
        panels = figure.subplots(1, len(MEASURES), sharey=True)
        for axes, (measure, title) in zip(panels, MEASURES.items(), strict=True):
            _dots(axes, series, stage, classes, measure)
            chance = float(result[f"chance_{measure}"].sel(stage=stage))
            if np.isfinite(chance):
                axes.axvline(chance, color=DARK, ls=":", lw=1.2, label="chance: shuffled truths, mean")
            axes.set_xlabel(title)
        panels[0].set_yticks(
            [-i for i in range(len(classes))], [shortened(known, 34) for known in classes], fontsize=7.5
        )
        panels[0].set_ylim(0.2 - len(classes), 0.8)
        one_legend(figure)
    return Illustration(
        f"class-recovery-{stage}",
        "Features that tell a class",
        figure,
        f"How well does one feature at {stage} tell a known class, on clips that it was not chosen on?",
        "The feature and its threshold are chosen for every class on one half of the clips, and scored on "
        "the other. F1 also grows with how common a class is; Matthews correlation is 0 by "
        f"chance.{_hidden(result, stage, classes)}",
        f"F1 and Matthews correlation of {counted(len(classes), 'class', 'classes')} at {stage} of {name}, "
        f"for {enumerated([one.name for one in series])}, beside chance.",
        "How well the best feature of each class tells it on other clips, beside chance and random weights.",
        pd.DataFrame(_rows(result, stage, series, classes)).head(MOST_ROWS),
    )


def measured_classes(result: xr.Dataset, stage: str) -> list[str]:
    """Return the classes that are measured of the trained dictionary at a stage."""
    own = result.sel(stage=stage, variant=TRAINED)
    return [str(one) for one in own["known_class"].values[np.isfinite(own["mcc"].values)]]


def drawn_classes(result: xr.Dataset, stage: str) -> list[str]:
    """Return the classes that are drawn: those measured, where they are too many the best of them."""
    own = result.sel(stage=stage, variant=TRAINED)
    classes = measured_classes(result, stage)
    best = sorted(classes, key=lambda c: -float(own["mcc"].sel(known_class=c)))[:MOST_CLASSES]
    return [one for one in classes if one in best]


def _dots(axes: Axes, series: Sequence[Series], stage: str, classes: Sequence[str], measure: str) -> None:
    step = 0.7 / len(series)
    for i, one in enumerate(series):
        places = [
            (one.values(measure, stage, known_class=known), -place + 0.35 - step * (i + 0.5))
            for place, known in enumerate(classes)
        ]
        points(axes, places, one, one.name, 4.5 if one.name == TRAINED else 3.2)
    axes.set_xlim(min(-0.05, axes.get_xlim()[0]), 1.05)
    for place, (known, other) in enumerate(pairwise(classes)):
        if known.split(":")[0] != other.split(":")[0]:
            axes.axhline(-place - 0.5, color="#777777", lw=0.8)


def mean_recovery(one: xr.Dataset, measure: str) -> float:
    """Return the mean of F1 ("f1") or Matthews correlation ("mcc") over the classes that are measured."""
    values = one[measure].values
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else np.nan


def _rows(
    result: xr.Dataset, stage: str, series: Sequence[Series], classes: Sequence[str]
) -> Iterator[dict[str, object]]:
    """Yield a row for each dictionary and class, means over networks; before that over all classes."""
    head = {"class": "all, mean"}
    for one in series:
        there = one.at(stage)
        means = {title: [mean_recovery(each, m) for each in there] for m, title in MEASURES.items()}
        if there:
            yield {**head, "dictionary": one.name, **{title: np.mean(v) for title, v in means.items()}}
    chance = {title: float(result[f"chance_{m}"].sel(stage=stage)) for m, title in MEASURES.items()}
    yield {**head, "dictionary": "shuffled truths", **chance}
    for known in classes:
        for one in series:
            values = {title: one.values(m, stage, known_class=known) for m, title in MEASURES.items()}
            if all(len(v) for v in values.values()):
                yield {"class": known, "dictionary": one.name, **{t: v.mean() for t, v in values.items()}}


def _hidden(result: xr.Dataset, stage: str, classes: Sequence[str]) -> str:
    more = len(measured_classes(result, stage)) - len(classes)
    return f" {counted(more, 'class', 'classes')} of lower correlation not drawn." if more else ""
