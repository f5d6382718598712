"""Encoders side by side: the numbers that tell them apart, stage by stage."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import records
from ..drawing import LABEL_SIZE, Illustration, canvas, one_legend
from ..panels import shortened
from ..tables import Row, table

# Okabe & Ito's colours, each with a marker of its own
LOOKS = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#333333", "P"),
)


def comparison(numbers: xr.Dataset) -> Illustration:
    """Draw several encoders' numbers at every stage, one panel per measure.

    Parameters
    ----------
    numbers : xarray.Dataset
        As from `tonotopy.reports.numbers.side_by_side`: `value`, `low`, `high`, `random_low` and
        `random_high`, each [encoder, stage, measure].
    """
    measures, stages = numbers["measure"].values, [str(s) for s in numbers["stage"].values]
    names = [str(n) for n in numbers["encoder"].values]
    columns = min(2, len(measures))
    rows = -(-len(measures) // columns)
    height = 0.55 + (0.16 + 0.11 * len(names)) * len(stages)
    with canvas(0.9 + 0.2 * len(names) + rows * height, "Encoders side by side") as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes in grid.flat[len(measures) :]:
            axes.set_axis_off()
        for k, axes in enumerate(grid.flat[: len(measures)]):
            _panel(axes, numbers.isel(measure=k), names)
            axes.set_title(str(measures[k]))
        grid.flat[0].set_yticks(range(len(stages), 0, -1), [shortened(stage, 16) for stage in stages])
        grid.flat[0].set_ylim(0.4, len(stages) + 0.6)
        for axes in grid.flat[max(0, len(measures) - columns) : len(measures)]:
            axes.set_xlabel("value (dimensionless)")
        figure.supylabel("stage", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "comparison",
        "Encoders side by side",
        figure,
        "In what do the encoders differ, and in what are they what their architecture makes them?",
        f"Lines are 95 % intervals. Furthest apart: {_furthest(numbers)}.",
        f"Dots for {', '.join(names)} at {', '.join(stages)}, one panel for each of {', '.join(measures)}.",
        "A dot outside the pale bars of its colour, the range of that encoder's random networks, is owed to "
        "training.",
        table(_rows(numbers)),
    )


def _rows(numbers: xr.Dataset) -> list[Row]:
    """Return a row for each value, of the measures that fit."""
    rows: list[Row] = []
    ends = {str(name).replace("_", " "): one.values for name, one in numbers.data_vars.items()}
    for k, measure in enumerate(records(numbers, "measure")):
        for j, stage in enumerate(numbers["stage"].values):
            for i, name in enumerate(numbers["encoder"].values):
                if np.isfinite(ends["value"][i, j, k]):
                    about: Row = {"measure": measure["measure"], "stage": str(stage), "encoder": str(name)}
                    values = {end: float(several[i, j, k]) for end, several in ends.items()}
                    rows.append({**about, **values, "what it is": measure["explanation"]})
    return rows


def _panel(axes: Axes, one: xr.Dataset, names: list[str]) -> None:
    stages = one.sizes["stage"]
    for i, name in enumerate(names):
        color, marker = LOOKS[i % len(LOOKS)]
        y = np.arange(stages, 0, -1) + 0.3 - 0.6 * (i + 0.5) / len(names)
        value, low, high, random_low, random_high = (
            one[v].values[i] for v in ("value", "low", "high", "random_low", "random_high")
        )
        axes.hlines(y, random_low, random_high, color=color, alpha=0.3, lw=6)
        for end in (random_low, random_high):
            axes.plot(end, y, "|", color=color, alpha=0.5, ms=9)
        axes.hlines(y, low, high, color=color, lw=1.4)
        face = color if i < len(LOOKS) else "white"  # the seventh looks like the first, but hollow
        axes.plot(value, y, marker, color=color, mfc=face, ms=5, label=name)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.05), max(high, 1.05))  # most measures run from 0 to 1


def _furthest(numbers: xr.Dataset) -> str:
    """Name the measure and stage with the widest gap between encoders, relative where values exceed 1."""
    value = numbers["value"]
    low, high = value.min("encoder"), value.max("encoder")
    gap = ((high - low) / high.clip(1)).where(value.notnull().sum("encoder") > 1)
    if not gap.notnull().any():
        return "no stage has a value for two of them"
    at = value.isel({d: int(i) for d, i in gap.argmax(...).items()})
    return f"{at['measure'].values} at {at['stage'].values}"
