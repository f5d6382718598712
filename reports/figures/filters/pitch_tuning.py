"""Tuning to pitch: response against fundamental, and what it follows, fundamental or timbre."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ...selecting import at_stage, ranked, stages_with
from ...writing import hertz, listed
from ..drawing import LABEL_SIZE, RANDOM, TRAINED, Illustration, canvas, seeds_label
from .tonotopic_map import draw_map


def pitch_map(tuning: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw response against fundamental frequency, mean over timbres, in order of best fundamental.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "pitch_tuning" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; the first is drawn.
    name : str
        What the encoder is called.
    """
    stages = stages_with(tuning, "response")
    columns = [("", tuning), *((", random weights", r) for r in random[:1])]
    with canvas(0.75 + 1.9 * len(stages), f"{name}: response to fundamental frequency") as figure:
        grid = figure.subplots(len(stages), len(columns), squeeze=False, sharex=True)
        for row, stage in zip(grid, stages, strict=True):
            for axes, (note, probe) in zip(row, columns, strict=True):
                one = at_stage(probe, stage)
                order = ranked(one["best_f0"].values)
                mesh = draw_map(axes, one["f0"].values, one["response"].mean("timbre").values[order])
                axes.set_title(f"{stage}{note}")
        for axes in grid[-1]:
            axes.set_xlabel("fundamental (Hz)")
        figure.supylabel("channel, in order of best fundamental", size=LABEL_SIZE)
        figure.colorbar(
            mesh, ax=grid, label="level (dB re the channel's peak)", location="bottom", aspect=40, pad=0.01
        )
    n_timbres = tuning.sizes["timbre"]
    return Illustration(
        "pitch-map",
        "Response to pitch",
        figure,
        "Do channels answer to the fundamental of a note, whatever its timbre?",
        f"Mean over {n_timbres} timbres, re each channel's peak. Best fundamentals span "
        + listed([f"{_span(at_stage(tuning, s))} at {s}" for s in stages])
        + ".",
        f"Heat map of level against fundamental frequency for the channels of {name}, sorted by best "
        f"fundamental, one panel per stage ({', '.join(stages)}).",
    )


def pitch_shares(tuning: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw, channel by channel, the share of the response's variance that f0 and timbre explain.

    Parameters as in `pitch_map`; all random baselines are drawn.
    """
    stages = stages_with(tuning, "f0_share")
    columns = min(2, len(stages))
    rows = -(-len(stages) // columns)
    found = []
    with canvas(0.95 + 2.2 * rows, f"{name}: what responses to notes follow") as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(stages) :]:
            axes.set_axis_off()
        for axes, stage in zip(grid.flat, stages, strict=False):
            one = at_stage(tuning, stage)
            seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "f0_share")]
            for i, seed in enumerate(seeds):
                label = seeds_label(len(seeds)) if i == 0 else None
                axes.scatter(
                    seed["f0_share"], seed["timbre_share"], s=16, marker="x", color=RANDOM, alpha=0.6,
                    linewidths=0.9, label=label,
                )  # fmt: skip
            axes.scatter(
                one["f0_share"], one["timbre_share"], s=16, color=TRAINED, label=name or "encoder", zorder=3
            )
            axes.plot([0, 1], [1, 0], color="#999999", lw=0.9, ls="--")
            axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), title=stage)
            median = np.nanmedian(one["f0_share"].values)
            chance = [float(np.nanmedian(s["f0_share"].values)) for s in seeds]
            found.append(f"{median:.2f} at {stage}" + (f" (random {_range(chance)})" if chance else ""))
        for axes in grid.flat[max(0, len(stages) - columns) : len(stages)]:
            axes.set_xlabel("share explained by f0")
            axes.xaxis.set_tick_params(labelbottom=True)
        figure.supylabel("share explained by timbre (1 = all)", size=LABEL_SIZE)
        figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return Illustration(
        "pitch-shares",
        "Fundamental or timbre",
        figure,
        "Does a channel's answer to a note follow its fundamental or its timbre?",
        "Each mark is a channel; on the dashed line the two main effects explain everything, below it "
        "the rest is "
        f"interaction. The median share that f0 explains is {listed(found)}.",
        "Scatter of the variance share explained by timbre against that explained by fundamental, per "
        "channel of "
        f"{name} at {', '.join(stages)}.",
    )


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _span(one: xr.Dataset) -> str:
    best = one["best_f0"].values
    live = best[np.isfinite(best)]
    return f"{hertz(live.min())} to {hertz(live.max())}" if len(live) else "nothing"
