"""Gram matrices: which channels of a stage say the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from ...selecting import at_stage, stages_with
from ...writing import among_seeds, listed
from ..drawing import LABEL_SIZE, Illustration, canvas


def gram_matrices(tiling: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw |G| of every stage's channels in order of best frequency, beside one random network's.

    Parameters
    ----------
    tiling : xarray.Dataset
        Group "tiling" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; the first is drawn, the reading gives all.
    name : str
        What the encoder is called.
    """
    stages = [s for s in stages_with(tiling, "gram") if float(at_stage(tiling, s)["n_live"]) > 1]
    columns = [("", tiling), *((", random", r) for r in random[:1])]
    found = []
    with canvas(1.0 + 2.55 * max(1, len(stages)), f"{name}: inner products of channels") as figure:
        grid = figure.subplots(max(1, len(stages)), len(columns), squeeze=False)
        mesh = None
        for row, stage in zip(grid, stages, strict=False):
            for axes, (note, probe) in zip(row, columns, strict=True):
                mesh = _matrix(axes, at_stage(probe, stage))
                axes.set_title(f"{stage}{note}")
            seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "gram")]
            mean = among_seeds([float(s["mean_coherence"]) for s in seeds])
            found.append(f"{float(at_stage(tiling, stage)['mean_coherence']):.2f}{mean} at {stage}")
        for axes in grid[-1]:
            axes.set_xlabel("channel")
        figure.supylabel("channel, in order of best frequency", size=LABEL_SIZE)
        if mesh is not None:
            label = "|inner product| (0 = orthogonal, 1 = the same)"
            figure.colorbar(mesh, ax=grid, label=label, location="bottom", aspect=40, pad=0.01)
    return Illustration(
        "gram",
        "Inner products of channels",
        figure,
        "Are the channels orthogonal, or do many of them say the same?",
        "Each cell compares two channels' answers to all tones. A bright diagonal alone is an orthogonal "
        "bank; light around it, neighbours that overlap; light all over, channels that repeat one another "
        f"whatever their best frequency. Mean off the diagonal: {listed(found) or 'no stage has a pair'}.",
        f"Matrices of the inner products of the channels of {name} in order of best frequency, one panel per "
        f"stage ({', '.join(stages) or 'none'})"
        + (", a randomly initialised network beside it." if random else "."),
    )


def _matrix(axes: Axes, one: xr.Dataset) -> QuadMesh:
    kept = int((one["gram_channel"].values >= 0).sum())
    count = int(np.nan_to_num(float(one["n_live"])))
    edges = np.linspace(0.5, count + 0.5, kept + 1)
    size = np.abs(one["gram"].values[:kept, :kept])
    mesh = axes.pcolormesh(edges, edges, size, vmin=0, vmax=1, rasterized=True)
    axes.grid(False)
    axes.set_aspect("equal")
    axes.set_facecolor("#bdbdbd")
    ticks = [1, count] if count > 1 else [1]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    return mesh
