"""Coverage: whether all channels of a stage together answer to every frequency as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, spread, stage_with, stages_with
from ..drawing import (
    DARK,
    LABEL_SIZE,
    RANDOM,
    TRAINED,
    Illustration,
    canvas,
    frequency_axis,
    one_legend,
    seeds_label,
)
from ..panels import (
    MOST_STAGES,
    across,
    axes_or_new,
    by_network,
    label_below,
    panel_rows,
    panels,
    shortened,
)
from ..tables import table

POINTS = 180  # of a curve
LOWEST_DB = -40.0  # what lies lower is drawn at the edge
EVEN_DB = 3.0


def coverage(
    data: xr.Dataset,
    *,
    stage: str | None = None,
    random: Sequence[xr.Dataset] = (),
    name: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the summed squared gain of all channels over frequency.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "tiling".
    stage : str, optional
        The last one that has a coverage if left out.
    random : sequence of xarray.Dataset
        The same of random networks: a band from the lowest to the highest of them.
    name : str
        What the encoder is called in the legend.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    InputError
        If the stage has no coverage.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import tiling
    >>> from tonotopy.probes.engine.session import Session
    >>> coverage(tiling(Session(load("control:decimator")))).get_ylabel()
    'coverage (dB re its mean)'
    """
    one = stage_with(data, "coverage", stage)
    stage = str(one["stage"].values)
    seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "coverage")]
    kept = spread(np.arange(one.sizes["frequency"]), POINTS)
    frequency = one["frequency"].values[kept]
    drawn = [np.maximum(o["coverage"].values[kept], LOWEST_DB) for o in [one, *seeds]]
    with axes_or_new(ax) as axes:
        if seeds:
            low, high = np.min(drawn[1:], axis=0), np.max(drawn[1:], axis=0)
            label = seeds_label(len(seeds))
            axes.fill_between(frequency, low, high, color=RANDOM, alpha=0.4, lw=1.2, label=label)
        axes.plot(frequency, drawn[0], color=TRAINED, lw=1.6, label=name or "encoder")
        for edge in (-EVEN_DB, EVEN_DB):
            axes.axhline(edge, color=DARK, ls=":", lw=1.1, label="3 dB from the mean")
        frequency_axis(axes, "x", frequency[0], frequency[-1], "frequency (Hz)", narrow=True)
        every = np.concatenate(drawn)
        axes.set_ylim(min(-6.0, every.min() - 1), max(6.0, every.max() + 1))
        axes.set(title=f"{shortened(stage, 14)} ({int(one['n_live'])})", ylabel="coverage (dB re its mean)")
    return axes


def coverage_by_stage(tiling: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the summed squared gain over frequency at every stage, beside the range of random networks.

    Parameters
    ----------
    tiling : xarray.Dataset
        Group "tiling" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.
    """
    stages = [str(s) for s in spread(np.array(stages_with(tiling, "coverage")), MOST_STAGES)]
    with canvas(1.05 + 1.6 * panel_rows(len(stages)), f"{name}: coverage of frequency") as figure:
        shown = panels(figure, max(1, len(stages)), sharey=False)
        for axes, stage in zip(shown, stages, strict=False):
            coverage(tiling, stage=stage, random=random, name=name, ax=axes)
            axes.set(xlabel="", ylabel="")
        label_below(shown, across(len(shown)), "frequency (Hz)")
        figure.supylabel("coverage (dB re its mean)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "coverage",
        "Coverage of frequency",
        figure,
        "Do all channels of a stage together answer to every frequency equally well?",
        "The line is the sum of the squared gains of all channels, whose number stands in brackets; loud "
        "channels count for more. The table gives highest re lowest, and the share of the range within 3 dB "
        "of the mean."
        if stages
        else "No stage has a coverage.",
        f"Curves of coverage in dB against frequency for {name} at {', '.join(stages) or 'no stage'}"
        + (", with the range of random networks." if random else "."),
        "The line lies flat where no frequency is answered better than any other.",
        table([_row(tiling, random, stage) for stage in stages]) if stages else None,
    )


def _row(tiling: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> dict[str, object]:
    seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "coverage")]
    one = at_stage(tiling, stage)
    row: dict[str, object] = {"stage": stage, "channels": int(one["n_live"])}
    for what, variable in (
        ("highest re lowest (dB)", "frame_bound_ratio"),
        ("within 3 dB of the mean (share)", "evenly_covered_share"),
    ):
        row[what] = float(one[variable])
        among = by_network([float(seed[variable]) for seed in seeds])
        row |= {f"{what}, {who}": value for who, value in among.items()}
    return row
