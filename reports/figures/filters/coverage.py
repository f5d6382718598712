"""Coverage: whether all channels of a stage together hear every frequency as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, stages_with
from ...writing import among_seeds, listed
from ..drawing import DARK, RANDOM, TRAINED, Illustration, canvas, frequency_axis, one_legend, seeds_label

LOWEST_DB = -40.0  # what lies lower is drawn at the edge


def coverage(tiling: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the summed squared gain over frequency at every stage, beside the range of random networks.

    Parameters
    ----------
    tiling : xarray.Dataset
        Group "tiling" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines: a band from the lowest to the highest of them.
    name : str
        What the encoder is called.
    """
    stages = stages_with(tiling, "coverage")
    found = []
    with canvas(0.9 + 1.7 * max(1, len(stages)), f"{name}: coverage of frequency") as figure:
        grid = figure.subplots(max(1, len(stages)), 1, squeeze=False)[:, 0]
        for axes, stage in zip(grid, stages, strict=False):
            one = at_stage(tiling, stage)
            seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "coverage")]
            _curves(axes, one, seeds, name or "encoder")
            axes.set_title(f"{stage} ({int(one['n_live'])} channels)")
            ratio = among_seeds([float(s["frame_bound_ratio"]) for s in seeds], 1)
            share = 100 * float(one["evenly_covered_share"])
            found.append(
                f"{float(one['frame_bound_ratio']):.1f} dB{ratio} and {share:.0f} % of frequency at {stage}"
            )
        grid[len(grid) // 2].set_ylabel("coverage (dB re its mean)")
        grid[-1].set_xlabel("frequency (Hz)")
        one_legend(figure)
    return Illustration(
        "coverage",
        "Coverage of frequency",
        figure,
        "Do all channels of a stage together hear every frequency equally well?",
        "The line is the sum of the squared gains of all channels; it lies flat where nothing responds "
        "better than anything else, and loud channels count for more. Highest re lowest, and share of the "
        f"range within 3 dB of the mean (dotted): {listed(found) or 'no stage has a value'}.",
        f"Curves of coverage in dB against frequency for {name} at {', '.join(stages) or 'no stage'}"
        + (f", with the range of {len(random)} random networks." if random else "."),
    )


def _curves(axes: Axes, one: xr.Dataset, seeds: Sequence[xr.Dataset], name: str) -> None:
    frequency = one["frequency"].values
    drawn = [np.maximum(o["coverage"].values, LOWEST_DB) for o in [one, *seeds]]
    if seeds:
        low, high = np.min(drawn[1:], axis=0), np.max(drawn[1:], axis=0)
        label = seeds_label(len(seeds)) + " (min to max)" * (len(seeds) > 1)
        axes.fill_between(frequency, low, high, color=RANDOM, alpha=0.4, lw=1.2, label=label)
    axes.plot(frequency, drawn[0], color=TRAINED, lw=1.6, label=name)
    for edge in (-3, 3):
        axes.axhline(edge, color=DARK, ls=":", lw=1.1, label="3 dB from the mean")
    frequency_axis(axes, "x", frequency[0], frequency[-1])
    every = np.concatenate(drawn)
    axes.set_ylim(min(-6.0, every.min() - 1), max(6.0, every.max() + 1))
