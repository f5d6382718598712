"""Differences between two subjects of one architecture, with their intervals, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...writing import listed
from ..drawing import DARK, LABEL_SIZE, TRAINED, Illustration, canvas, one_legend


def differences(compared: xr.Dataset, panels: Mapping[tuple[str, str, str], str]) -> Illustration:
    """Draw differences, one panel per measure and one row per stage.

    Parameters
    ----------
    compared : xarray.Dataset
        As from `tonotopy.probes.run.compare.compare`.
    panels : mapping of (str, str, str) to str
        The measures to draw, by probe, variable and where, and what their panels are called.
    """
    first, second = (compared.attrs.get(f"{n}_label", compared.attrs[n]) for n in ("first", "second"))
    columns = [compared[name].values.astype(str) for name in ("probe", "variable", "at")]
    key = list(zip(*columns, strict=True))
    there = {panel: [i for i, k in enumerate(key) if k == panel] for panel in panels}
    there = {panel: rows for panel, rows in there.items() if rows}
    stages = list(dict.fromkeys(compared["at_stage"].values.astype(str)))
    across = min(2, max(1, len(there)))
    down = -(-len(there) // across)
    with canvas(1.1 + down * (0.6 + 0.2 * len(stages)), f"{first} to {second}") as figure:
        grid = figure.subplots(max(1, down), across, squeeze=False, sharey=True)
        for axes in grid.flat[len(there) :]:
            axes.set_axis_off()
        for axes, (panel, rows) in zip(grid.flat, there.items(), strict=False):
            _panel(axes, compared.isel(measure=rows), stages)
            axes.set_title(panels[panel])
        grid.flat[0].set_yticks(range(len(stages), 0, -1), stages)
        grid.flat[0].set_ylim(0.4, len(stages) + 0.6)
        for axes in grid.flat[max(0, len(there) - across) : len(there)]:
            axes.set_xlabel("difference (dimensionless)")
        figure.supylabel("stage", size=LABEL_SIZE)
        one_legend(figure)
    flagged = int(compared["flagged"].sum())
    return Illustration(
        "differences",
        "Differences",
        figure,
        f"What changed from {first} to {second}?",
        f"{second} less {first}: means of paired differences with 95 % intervals. "
        f"Of all {compared.sizes['measure']} measures "
        f"{flagged} have an interval without 0; {round(0.05 * compared.sizes['measure'])} would if nothing "
        f"had changed. Largest here: {listed(_largest(compared, there, panels))}.",
        f"Dots with intervals left or right of no difference at {', '.join(stages)}, one panel for each of "
        f"{', '.join(panels[panel] for panel in there)}.",
    )


def _panel(axes: Axes, rows: xr.Dataset, stages: list[str]) -> None:
    axes.axvline(0, color=DARK, lw=1)
    y = np.array([len(stages) - stages.index(s) for s in rows["at_stage"].values.astype(str)])
    axes.hlines(y, rows["low"], rows["high"], color=TRAINED, lw=1.6)
    flagged = rows["flagged"].values.astype(bool)
    for chosen, face, label in ((flagged, TRAINED, "interval without 0"), (~flagged, "white", "with 0")):
        value = rows["difference"].values
        axes.plot(value[chosen], y[chosen], "o", color=TRAINED, mfc=face, ms=5, label=label)
    reach = 1.1 * max(0.01, float(np.nanmax(np.abs([rows["low"], rows["high"], rows["difference"]]))))
    axes.set_xlim(-reach, reach)


def _largest(
    compared: xr.Dataset,
    there: Mapping[tuple[str, str, str], list[int]],
    panels: Mapping[tuple[str, str, str], str],
) -> list[str]:
    """Name the three largest flagged differences among the panels'."""
    rows = [(abs(float(compared["difference"][i])), i, p) for p, many in there.items() for i in many]
    rows = sorted((r for r in rows if bool(compared["flagged"][r[1]])), reverse=True)[:3]
    said = [
        f"{panels[panel]} at {compared['at_stage'].values[i]} {float(compared['difference'][i]):+.2f}"
        for _, i, panel in rows
    ]
    return said or ["none"]
