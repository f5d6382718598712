"""Gram matrices: which channels of a stage say the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, spread, stage_with, stages_with
from ..drawing import LABEL_SIZE, Illustration, canvas
from ..panels import MOST_STAGES, axes_or_new, by_network, shortened
from ..tables import table

ALIKE = "|inner product| (0 = orthogonal, 1 = the same)"


def gram_matrix(data: xr.Dataset, *, stage: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the inner products of a stage's channels, without sign, in order of best frequency.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "tiling".
    stage : str, optional
        The last one that has inner products if left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    InputError
        If the stage has no inner products.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import tiling
    >>> from tonotopy.probes.engine.session import Session
    >>> gram_matrix(tiling(Session(load("control:decimator")))).get_xlabel()
    'channel'
    """
    one = stage_with(data, "gram", stage)
    kept = int((one["gram_channel"].values >= 0).sum())
    count = int(np.nan_to_num(float(one["n_live"])))
    edges = np.linspace(0.5, count + 0.5, kept + 1)
    with axes_or_new(ax) as axes:
        size = np.abs(one["gram"].values[:kept, :kept])
        mesh = axes.pcolormesh(edges, edges, size, vmin=0, vmax=1, rasterized=True)
        axes.grid(False)
        axes.set_aspect("equal")
        axes.set_facecolor("#bdbdbd")
        ticks = [1, count] if count > 1 else [1]
        axes.set(xticks=ticks, yticks=ticks, title=shortened(str(one["stage"].values)))
        axes.set(xlabel="channel", ylabel="channel, in order of best frequency")
        if ax is None:
            axes.figure.colorbar(mesh, ax=axes, label=ALIKE)
    return axes


def gram_matrices(tiling: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw |G| of every stage's channels in order of best frequency, beside one random network's.

    Parameters
    ----------
    tiling : xarray.Dataset
        Group "tiling" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; the first is drawn, the table gives all.
    name : str
        What the encoder is called.
    """
    stages = [s for s in stages_with(tiling, "gram") if float(at_stage(tiling, s)["n_live"]) > 1]
    stages = [str(s) for s in spread(np.array(stages), MOST_STAGES)]
    beside = [r for r in random[:1] if set(stages) <= set(stages_with(r, "gram"))]
    columns, rows = 1 + len(beside), len(stages)
    if not beside:  # stages stand side by side
        columns, rows = min(2, max(1, len(stages))), -(-len(stages) // 2)
    drawn = [(s, probe) for s in stages for probe in [tiling, *beside]]
    with canvas(1.05 + 1.8 * max(1, rows), f"{name}: inner products of channels") as figure:
        grid = figure.subplots(max(1, rows), columns, squeeze=False)
        for axes in grid.flat[max(1, len(drawn)) :]:
            axes.set_axis_off()
        for axes, (stage, probe) in zip(grid.flat, drawn, strict=False):
            gram_matrix(probe, stage=stage, ax=axes)
            axes.set(xlabel="", ylabel="")
            if probe is not tiling:
                axes.set_title("random weights")
        for axes in grid.flat[max(0, len(drawn) - columns) : max(1, len(drawn))]:
            axes.set_xlabel("channel")
        figure.supylabel("channel, in order of best frequency", size=LABEL_SIZE)
        if stages:
            mesh = grid[0, 0].collections[0]
            figure.colorbar(mesh, ax=grid, label=ALIKE, location="bottom", aspect=40, pad=0.01)
    return Illustration(
        "gram",
        "Inner products of channels",
        figure,
        "Are the channels orthogonal, or do many of them say the same?",
        "Each cell compares two channels' answers to all tones. Light around the diagonal: neighbours that "
        "overlap; light all over: channels that repeat one another whatever their best frequency."
        if stages
        else "No stage has a pair of channels.",
        f"Matrices of the inner products of the channels of {name} in order of best frequency, one panel per "
        f"stage ({', '.join(stages) or 'none'})"
        + (", a randomly initialised network beside it." if beside else "."),
        "A bright diagonal alone is an orthogonal bank; light off it, channels that say the same.",
        table([_row(tiling, random, stage) for stage in stages]) if stages else None,
    )


def _row(tiling: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> dict[str, object]:
    seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "gram")]
    one = at_stage(tiling, stage)
    row: dict[str, object] = {"stage": stage, "channels": int(one["n_live"])}
    for what, variable in (("mean", "mean_coherence"), ("largest", "mutual_coherence")):
        row[f"{what} off the diagonal (1)"] = float(one[variable])
        among = by_network([float(seed[variable]) for seed in seeds])
        row |= {f"{what} off the diagonal, {who}": value for who, value in among.items()}
    return row
