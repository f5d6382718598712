"""Tuning to pitch: response against fundamental, and what it follows, fundamental or timbre."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ...selecting import at_stage, ranked, spread, stages_with
from ..drawing import LABEL_SIZE, RANDOM, TRAINED, Illustration, canvas, one_legend, seeds_label
from ..panels import MOST_STAGES, by_network, panel_rows, panels, shortened
from ..tables import Row, table, thinned
from .tonotopic_map import draw_map, finish_maps

MANY = 50  # marks of random networks; they would weigh more as vectors than as pixels
FACTORS = {"f0": "f0_share", "timbre": "timbre_share"}


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
    stages = [str(s) for s in spread(np.array(stages_with(tuning, "response")), MOST_STAGES)]
    beside = [r for r in random[:1] if set(stages) <= set(stages_with(r, "response"))]
    with canvas(0.95 + 1.7 * len(stages), f"{name}: response to fundamental frequency") as figure:
        grid = figure.subplots(len(stages), 1 + len(beside), squeeze=False, sharex=True)
        for row, stage in zip(grid, stages, strict=True):
            for axes, probe in zip(row, [tuning, *beside], strict=True):
                one = at_stage(probe, stage)
                order = ranked(one["best_f0"].values)
                draw_map(axes, one["f0"].values, one["response"].mean("timbre").values[order])
                axes.set_title(shortened(stage, 15))
        finish_maps(figure, grid, "fundamental (Hz)", "channel, in order of best fundamental")
    return Illustration(
        "pitch-map",
        "Response to pitch",
        figure,
        "Do channels answer to the fundamental of a note, whatever its timbre?",
        "Mean over the timbres, re each channel's own peak.",
        f"Heat map of level against fundamental frequency for the channels of {name}, sorted by best "
        f"fundamental, one panel per stage ({', '.join(stages)}).",
        "Each row is a channel's response to notes, brightest at its best fundamental: a diagonal is a map "
        "of pitch.",
        thinned([_channels(at_stage(tuning, s), s) for s in stages]),
    )


def pitch_shares(tuning: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw, channel by channel, the share of the response's variance that f0 and timbre explain.

    Parameters as in `pitch_map`; all random baselines are drawn.
    """
    stages = [str(s) for s in spread(np.array(stages_with(tuning, "f0_share")), MOST_STAGES)]
    with canvas(1.1 + 2.0 * panel_rows(len(stages)), f"{name}: what responses to notes follow") as figure:
        below = "explained by f0 (1 = all)"
        for axes, stage in zip(panels(figure, len(stages), below), stages, strict=True):
            seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "f0_share")]
            for seed in seeds:
                axes.plot(
                    seed["f0_share"], seed["timbre_share"], "x", ms=4, mew=0.9, color=RANDOM, alpha=0.6,
                    label=seeds_label(len(seeds)), rasterized=seed.sizes["channel"] > MANY,
                )  # fmt: skip
            one = at_stage(tuning, stage)
            own = name or "encoder"
            axes.plot(one["f0_share"], one["timbre_share"], "o", ms=3.6, color=TRAINED, label=own)
            axes.plot([0, 1], [1, 0], color="#999999", lw=0.9, ls="--")
            axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), title=shortened(stage, 15))
        figure.supylabel("explained by timbre (1 = all)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "pitch-shares",
        "Fundamental or timbre",
        figure,
        "Does a channel's answer to a note follow its fundamental or its timbre?",
        "On the dashed line the two main effects explain everything; below it the rest is interaction.",
        "Scatter of the variance share explained by timbre against that explained by fundamental, per "
        f"channel of {name} at {', '.join(stages)}.",
        "Each mark is a channel: far right, its answer follows the fundamental; far up, the timbre.",
        table([_row(tuning, random, stage, factor) for stage in stages for factor in FACTORS]),
    )


def _row(tuning: xr.Dataset, random: Sequence[xr.Dataset], stage: str, factor: str) -> Row:
    """Return the median and the middle half of the shares that a factor explains."""
    seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, FACTORS[factor])]
    one = at_stage(tuning, stage)[FACTORS[factor]].values
    low, median, high = np.nanquantile(one, [0.25, 0.5, 0.75])
    medians = by_network([float(np.nanmedian(seed[FACTORS[factor]].values)) for seed in seeds])
    return {
        "stage": stage, "factor": factor, "channels": int(np.isfinite(one).sum()),
        "median share (1)": median, "first quarter (1)": low, "third quarter (1)": high,
        **{f"median, {who} (1)": value for who, value in medians.items()},
    }  # fmt: skip


def _channels(one: xr.Dataset, stage: str) -> list[Row]:
    best = one["best_f0"].values
    about: Row = {"stage": stage, "channels": len(best), "timbres": one.sizes["timbre"]}
    return [
        {
            **about, "channel": int(i), "best fundamental (Hz)": float(best[i]),
            "share of f0 (1)": float(one["f0_share"].values[i]),
        }
        for i in ranked(best)
    ] or [about]  # fmt: skip
