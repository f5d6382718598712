"""Differences between two subjects of one architecture, with their intervals, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ..drawing import DARK, TRAINED, Illustration, canvas, one_legend
from ..panels import MOST_ROWS, panel_rows, panels, shortened

Panel = tuple[str, str, str]  # probe, variable, where


def differences(compared: xr.Dataset, called: Mapping[Panel, str]) -> Illustration:
    """Draw differences, one panel per measure and one row per stage.

    Parameters
    ----------
    compared : xarray.Dataset
        As from `tonotopy.probes.run.compare.compare`.
    called : mapping of (str, str, str) to str
        The measures to draw, by probe, variable and where, and what their panels are called.
    """
    first, second = (compared.attrs.get(f"{n}_label", compared.attrs[n]) for n in ("first", "second"))
    columns = [compared[name].values.astype(str) for name in ("probe", "variable", "at")]
    key = list(zip(*columns, strict=True))
    there = {panel: [i for i, k in enumerate(key) if k == panel] for panel in called}
    there = {panel: rows for panel, rows in there.items() if rows}
    stages = list(dict.fromkeys(compared["at_stage"].values.astype(str)))
    height = 1.1 + panel_rows(len(there), 2) * (0.6 + 0.2 * len(stages))
    with canvas(height, f"{first} to {second}") as figure:
        grid = panels(figure, len(there), "difference (dimensionless)", 2, sharex=False)
        for axes, (panel, rows) in zip(grid, there.items(), strict=True):
            _panel(axes, compared.isel(measure=rows), stages)
            axes.set_title(shortened(called[panel], 34))
        if grid:
            grid[0].set_yticks(range(len(stages), 0, -1), [shortened(stage, 20) for stage in stages])
            grid[0].set_ylim(0.4, len(stages) + 0.6)
        one_legend(figure)
    return Illustration(
        "differences",
        "Differences",
        figure,
        f"What changed from {first} to {second}?",
        f"{second} less {first}: means of paired differences with 95 % intervals; of every twenty measures "
        "one has an interval without 0 if nothing has changed.",
        f"Dots with intervals left or right of no difference at {', '.join(stages)}, one panel for each of "
        f"{', '.join(called[panel] for panel in there)}.",
        "Each dot says how much a measure changed at a stage; filled where its interval excludes no change.",
        _tabulated(compared, there, called),
    )


def _tabulated(
    compared: xr.Dataset, there: Mapping[Panel, list[int]], called: Mapping[Panel, str]
) -> pd.DataFrame:
    """Return what is drawn, the largest first, and over all measures how many intervals are without 0."""
    rows = [
        {"measure": called[panel], "stage": str(compared["at_stage"].values[i]),
         "difference": float(compared["difference"][i]), "low (95 %)": float(compared["low"][i]),
         "high (95 %)": float(compared["high"][i]), "without 0": int(compared["flagged"][i])}
        for panel, several in there.items()
        for i in several
    ]  # fmt: skip
    rows.sort(key=lambda row: (-row["without 0"], -abs(row["difference"])))
    total = compared.sizes["measure"]
    summed = {"measure": "all measures", "stage": "", "without 0": int(compared["flagged"].sum()),
              "measures": total, "without 0 if nothing changed": round(0.05 * total)}  # fmt: skip
    return pd.DataFrame([summed, *rows][:MOST_ROWS])


def _panel(axes: Axes, rows: xr.Dataset, stages: list[str]) -> None:
    axes.axvline(0, color=DARK, lw=1)
    y = np.array([len(stages) - stages.index(s) for s in rows["at_stage"].values.astype(str)])
    axes.hlines(y, rows["low"], rows["high"], color=TRAINED, lw=1.6)
    flagged = rows["flagged"].values.astype(bool)
    value = rows["difference"].values
    for chosen, face, label in ((flagged, TRAINED, "interval without 0"), (~flagged, "white", "with 0")):
        if chosen.any():
            axes.plot(value[chosen], y[chosen], "o", color=TRAINED, mfc=face, ms=5, label=label)
    reach = 1.1 * max(0.01, float(np.nanmax(np.abs([rows["low"], rows["high"], rows["difference"]]))))
    axes.set_xlim(-reach, reach)
