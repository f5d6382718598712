"""The tonotopic map: channels in order of best frequency, against frequency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from ...selecting import at_stage, level_db, ranked, spread, stage_with, stages_with
from ..drawing import LABEL_SIZE, Illustration, bin_edges, canvas, frequency_axis
from ..panels import MOST_STAGES, axes_or_new, shortened
from ..tables import Row, thinned

FLOOR_DB = -40.0
COLUMNS_DRAWN = 320
CHANNELS_DRAWN = 256
ROWS, LEVEL = "channel, in order of best frequency", "level (dB re the channel's peak)"


def tonotopic_map(data: xr.Dataset, *, stage: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw every channel's tuning curve as a row, in order of best frequency.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "selectivity".
    stage : str, optional
        The last one with tuning curves if left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Its mesh holds levels in dB re each channel's own peak, from -40 dB.

    Raises
    ------
    InputError
        If the stage has no tuning curves.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import selectivity
    >>> from tonotopy.probes.engine.session import Session
    >>> from tonotopy.synth import partials_at
    >>> tones = partials_at([100.0, 200.0, 400.0])
    >>> ax = tonotopic_map(selectivity(Session(load("filterbank:gammatone")), tones))
    >>> ax.get_xlabel()
    'frequency (Hz)'
    """
    one = stage_with(data, "response", stage)
    with axes_or_new(ax) as axes:
        mesh = draw_map(axes, one["frequency"].values, one["response"].values[_order(one)])
        axes.set(title=shortened(str(one["stage"].values)), xlabel="frequency (Hz)", ylabel=ROWS)
        if ax is None:
            axes.figure.colorbar(mesh, ax=axes, label=LEVEL)
    return axes


def tonotopic_maps(tuning: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the tonotopic map of every stage, beside one random network's.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "selectivity" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; the first is drawn.
    name : str
        What the encoder is called.
    """
    stages = [str(s) for s in spread(np.array(stages_with(tuning, "response")), MOST_STAGES)]
    beside = [r for r in random[:1] if set(stages) <= set(stages_with(r, "response"))]
    with canvas(0.95 + 1.7 * len(stages), f"{name}: tonotopic map") as figure:
        grid = figure.subplots(len(stages), 1 + len(beside), squeeze=False, sharex=True)
        for row, stage in zip(grid, stages, strict=True):
            for axes, probe in zip(row, [tuning, *beside], strict=True):
                tonotopic_map(probe, stage=stage, ax=axes)
        finish_maps(figure, grid, "frequency (Hz)", ROWS)
    return Illustration(
        "tonotopic-map",
        "Tonotopic map",
        figure,
        "Do the channels lay frequency out along a line, each answering to its own region?",
        "Levels are re each channel's own peak, so a weak channel looks as bright as a strong one. Vertical "
        "stripes: channels that all answer to the same. A channel that answers to nothing has no row.",
        f"Heat map of level against frequency for the channels of {name}, sorted by best frequency, one "
        f"panel per stage ({', '.join(stages)})"
        f"{', with a randomly initialised network beside it' if beside else ''}.",
        "Each row is a channel's tuning curve, brightest at its peak: a diagonal means that the channels "
        "share the frequency range out.",
        thinned([channel_rows(at_stage(tuning, s), stage=s) for s in stages]),
    )


def control_maps(tunings: Mapping[str, xr.Dataset]) -> Illustration:
    """Draw the tonotopic maps of the controls, whose answers are known, one panel each.

    Parameters
    ----------
    tunings : mapping of str to xarray.Dataset
        Group "selectivity" by control; a control without a stage that has a response is left out.
    """
    shown = {n: (t, stages[0]) for n, t in tunings.items() if (stages := stages_with(t, "response"))}
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    with canvas(0.95 + 1.6 * rows, "Controls: tonotopic maps") as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(shown) :]:
            axes.set_axis_off()
        for axes, (name, (tuning, stage)) in zip(grid.flat, shown.items(), strict=False):
            mesh = tonotopic_map(tuning, stage=stage, ax=axes).collections[0]
            axes.set(title=shortened(name), xlabel="", ylabel="")
        for axes in grid.flat[max(0, len(shown) - columns) : len(shown)]:
            axes.set_xlabel("frequency (Hz)")
        figure.supylabel(ROWS, size=LABEL_SIZE)
        figure.colorbar(mesh, ax=grid, label=LEVEL, location="bottom", aspect=40, pad=0.01)
    return Illustration(
        "control-maps",
        "Controls: tonotopic maps",
        figure,
        "What does the same measurement show where the answer is known beforehand?",
        "Rows and levels as in the encoder's own map.",
        f"Heat maps of level against frequency for the channels of the controls {', '.join(shown)}.",
        "A filterbank must show a clean diagonal; a decimator and a rectifier, which select nothing, one "
        "uniform row.",
        thinned([channel_rows(at_stage(t, s), control=n) for n, (t, s) in shown.items()]),
    )


def finish_maps(figure: Figure, grid: np.ndarray, below: str, beside: str) -> None:
    """Say what rows, columns and colours of maps [stages, networks] are, for all panels at once."""
    for row in grid:
        for k, axes in enumerate(row):
            axes.set(xlabel="", ylabel="")
            if k:
                axes.set_title("random weights")
    for axes in grid[-1]:
        axes.set_xlabel(below)
    figure.supylabel(beside, size=LABEL_SIZE)
    mesh = grid[0, 0].collections[0]
    figure.colorbar(mesh, ax=grid, label=LEVEL, location="bottom", aspect=40, pad=0.01)


def channel_rows(one: xr.Dataset, **who: str) -> list[Row]:
    """Return what is known of each channel that responds, in order of best frequency; a row if none does."""
    best, order = one["best_frequency"].values, _order(one)
    about: Row = {**who, "channels": len(best), "silent": len(best) - len(order)}
    columns = {"best frequency (Hz)": best}
    if "bandwidth_3db" in one:
        columns["-3 dB bandwidth (Hz)"] = one["bandwidth_3db"].values
    rows: list[Row] = [{**about, "channel": i, **{n: float(v[i]) for n, v in columns.items()}} for i in order]
    return rows or [about]


def _order(one: xr.Dataset) -> np.ndarray:
    return ranked(one["best_frequency"].values)


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
