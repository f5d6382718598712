"""Codes: how often a partial changes the token that silence gets."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...selecting import at_stage, stages_with
from ..drawing import Illustration, bin_edges, canvas, frequency_axis
from ..panels import shortened
from ..tables import Row, table


def code_changes(tuning: xr.Dataset, name: str = "") -> Illustration:
    """Draw the probability of a changed code against frequency, one row per codebook.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "selectivity" of a subject with a stage of kind "codes".
    name : str
        What the subject is called.
    """
    stages = stages_with(tuning, "change_probability")
    heights = [0.5 + 0.11 * min(16, int(at_stage(tuning, s)["n_channels"])) for s in stages]
    rows: list[Row] = []
    with canvas(1.5 + sum(heights), f"{name}: codes that a partial changes") as figure:
        grid = figure.subplots(len(stages), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, stage in zip(grid, stages, strict=True):
            one = at_stage(tuning, stage)
            frequency, changed = one["frequency"].values, one["change_probability"].values
            edges, sides = bin_edges(frequency), np.arange(len(changed) + 1) + 0.5
            mesh = axes.pcolormesh(edges, sides, changed, vmin=0, vmax=1, rasterized=True)
            frequency_axis(axes, "x", edges[0], edges[-1], "frequency (Hz)")
            axes.grid(False)
            axes.set(title=shortened(stage), ylabel="codebook")
            axes.set_yticks([1, len(changed)] if len(changed) > 1 else [1])
            rows += [
                {
                    "stage": stage, "codebook": k, "mean probability of a change (1)": float(each.mean()),
                    "lowest (1)": float(each.min()), "highest (1)": float(each.max()),
                    "at (Hz)": float(frequency[each.argmax()]),
                }
                for k, each in enumerate(changed, 1)
            ]  # fmt: skip
        label = "probability that the code changes"
        figure.colorbar(mesh, ax=list(grid), label=label, location="bottom", aspect=40, pad=0.01)
    return Illustration(
        "codes",
        "Codes that a partial changes",
        figure,
        "Which partials change the tokens at all?",
        "Share of frames and phases in which a codebook's code differs from the one that silence gets; "
        "integers have no power, so there is no tuning curve.",
        f"Heat map of the probability that a code changes against frequency, one row per codebook of {name}.",
        "Each row is a codebook: bright where a partial changes its code, dark where the code stays that of "
        "silence.",
        table(rows),
    )
