"""The tonotopic map: channels in order of best frequency, against frequency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from ...selecting import at_stage, level_db, ranked, spread, stages_with
from ...writing import hertz, listed
from ..drawing import LABEL_SIZE, Illustration, bin_edges, canvas, frequency_axis

FLOOR_DB = -40.0
COLUMNS_DRAWN = 320
CHANNELS_DRAWN = 256


def _label(figure: Figure, grid: np.ndarray, mesh: QuadMesh) -> None:
    """Say what rows and colours are, for all panels at once."""
    figure.supylabel("channel, in order of best frequency", size=LABEL_SIZE)
    figure.colorbar(
        mesh, ax=grid, label="level (dB re the channel's peak)", location="bottom", aspect=40, pad=0.01
    )


def tonotopic_map(tuning: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw every channel's tuning curve as a row, in order of best frequency, beside one random network's.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "selectivity" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; the first is drawn.
    name : str
        What the encoder is called.

    Returns
    -------
    illustration : Illustration
        Levels are in dB re each channel's own peak, from -40 dB.
    """
    stages = stages_with(tuning, "response")
    columns = [(name or "encoder", tuning), *(("random weights", r) for r in random[:1])]
    with canvas(0.75 + 1.9 * len(stages), f"{name}: tonotopic map") as figure:
        grid = figure.subplots(len(stages), len(columns), squeeze=False, sharex=True)
        for row, stage in zip(grid, stages, strict=True):
            for axes, (title, probe) in zip(row, columns, strict=True):
                mesh = _curves(axes, at_stage(probe, stage))
                axes.set_title(stage if probe is tuning else f"{stage}, {title}")
        for axes in grid[-1]:
            axes.set_xlabel("frequency (Hz)")
        _label(figure, grid, mesh)
    return Illustration(
        "tonotopic-map",
        "Tonotopic map",
        figure,
        "Do the channels lay frequency out along a line, each answering to its own region?",
        "Each row is a channel's tuning curve, brightest at its peak; a diagonal means that channels "
        "share the "
        "range out, vertical stripes that they all hear the same. Levels are re each channel's own peak, "
        "so a "
        "weak channel looks as bright as a strong one. Best frequencies span "
        + listed([f"{_span(at_stage(tuning, s))} at {s}" for s in stages]) + ".",
        f"Heat map of level against frequency for the channels of {name}, sorted by best frequency, one "
        "panel "
        "per stage "
        f"({', '.join(stages)}){', with a randomly initialised network beside it' if random else ''}.",
    )  # fmt: skip


def control_maps(tunings: Mapping[str, xr.Dataset]) -> Illustration:
    """Draw the tonotopic maps of the controls, whose answers are known, one panel each.

    Parameters
    ----------
    tunings : mapping of str to xarray.Dataset
        Group "selectivity" by control; a control without a stage that has a response is left out.
    """
    shown = {n: (t, stages[0]) for n, t in tunings.items() if (stages := stages_with(t, "response"))}
    rows = (len(shown) + 1) // 2
    with canvas(0.75 + 1.9 * rows, "Controls: tonotopic maps") as figure:
        grid = figure.subplots(rows, 2, squeeze=False)
        for axes in grid.flat[len(shown) :]:
            axes.set_axis_off()
        for axes, (name, (tuning, stage)) in zip(grid.flat, shown.items(), strict=False):
            mesh = _curves(axes, at_stage(tuning, stage))
            axes.set_title(name)
        for axes in grid.flat[max(0, len(shown) - 2) : len(shown)]:
            axes.set_xlabel("frequency (Hz)")
        _label(figure, grid, mesh)
    return Illustration(
        "control-maps",
        "Controls: tonotopic maps",
        figure,
        "What does the same measurement show where the answer is known beforehand?",
        "A filterbank must show a clean diagonal; a decimator and a rectifier, which select nothing, one "
        "uniform row. Best frequencies span "
        + listed([f"{_span(at_stage(t, s))} in {n}" for n, (t, s) in shown.items()]) + ".",
        f"Heat maps of level against frequency for the channels of the controls {', '.join(shown)}.",
    )  # fmt: skip


def _span(one: xr.Dataset) -> str:
    best = one["best_frequency"].values
    live = best[np.isfinite(best)]
    if len(live) == 0:
        return f"nothing (none of {len(best)} channels responds)"
    silent = f", {len(best) - len(live)} silent" if len(live) < len(best) else ""
    channels = f"{len(best)} channel" + "s" * (len(best) > 1)
    if len(best) == 1:
        return f"{hertz(live[0])} ({channels}{silent})"
    return f"{hertz(live.min())} to {hertz(live.max())} ({channels}{silent})"


def _curves(axes: Axes, one: xr.Dataset) -> QuadMesh:
    order = ranked(one["best_frequency"].values)
    return draw_map(axes, one["frequency"].values, one["response"].values[order])


def draw_map(axes: Axes, frequency_hz: np.ndarray, response: np.ndarray) -> QuadMesh:
    """Draw responses [C, n] as rows, in dB re each row's peak, on a logarithmic frequency axis.

    Of many channels 256 are drawn, evenly spread.
    """
    count = len(response)
    response = response[spread(np.arange(count), CHANNELS_DRAWN)]
    edges = bin_edges(frequency_hz)
    if len(frequency_hz) > COLUMNS_DRAWN:
        edges, response = _thinned(frequency_hz, response)
    rows = np.linspace(0.5, count + 0.5, len(response) + 1)
    levels = level_db(response, FLOOR_DB) if len(response) else np.zeros((0, len(edges) - 1))
    mesh = axes.pcolormesh(edges, rows, levels, vmin=FLOOR_DB, vmax=0.0, rasterized=True)
    frequency_axis(axes, "x", edges[0], edges[-1], narrow=True)
    axes.grid(False)
    axes.set_facecolor("#bdbdbd")  # where nothing responds
    axes.set_yticks([1, count] if count > 1 else [1])
    return mesh


def _thinned(frequency_hz: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bin a fine grid logarithmically; the highest value in a bin stays, so that no peak is lost."""
    edges = np.geomspace(frequency_hz[0], frequency_hz[-1], COLUMNS_DRAWN + 1)
    first = np.searchsorted(frequency_hz, edges[:-1])
    binned = np.maximum.reduceat(response, first, axis=1)  # an empty bin takes the next value above it
    return edges, binned
