"""Single tuning curves: a page of channels spread over best frequency."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...selecting import at_stage, ranked, spread
from ...writing import hertz
from ..drawing import DARK, LABEL_SIZE, TRAINED, Illustration, canvas, frequency_axis

FLOOR_DB = -50.0
PER_ROW = 3


def tuning_curves(tuning: xr.Dataset, stage: str, name: str = "", count: int = 12) -> Illustration:
    """Draw single tuning curves of one stage, with the closed form where there is one.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "selectivity" of the encoder.
    stage : str
    name : str
        What the encoder is called.
    count : int > 0
        Channels drawn, evenly spread in order of best frequency.
    """
    one = at_stage(tuning, stage)
    live = ranked(one["best_frequency"].values)
    chosen = spread(live, count)
    frequency = one["frequency"].values
    exact = one["closed_form"].values if "closed_form" in one and one["closed_form"].notnull().any() else None
    look = {"lw": 1.3} if exact is None else {"lw": 3.2, "alpha": 0.55}  # both lines stay visible
    rows = max(1, -(-len(chosen) // PER_ROW))
    with canvas(0.8 + 1.2 * rows, f"{name}, {stage}: single tuning curves") as figure:
        grid = figure.subplots(rows, PER_ROW, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(chosen) :]:
            axes.set_axis_off()
        for axes, channel in zip(grid.flat, chosen, strict=False):
            peak = one["response"].values[channel].max()
            axes.plot(
                frequency, _db(one["response"].values[channel], peak), color=TRAINED, label="measured", **look
            )
            if exact is not None:
                axes.plot(
                    frequency, _db(exact[channel], peak), "--", color="black", lw=1.1, label="closed form"
                )
            axes.axhline(-3, color=DARK, ls=":", lw=0.8)
            axes.set_title(
                f"{channel}: {hertz(float(one['best_frequency'].values[channel]))}", weight="normal", size=9
            )
            frequency_axis(axes, "x", frequency[0], frequency[-1], narrow=True)
            axes.set_ylim(FLOOR_DB, 4)
        for axes in grid.flat[max(0, len(chosen) - PER_ROW) : len(chosen)]:
            axes.set_xlabel("frequency (Hz)")
            axes.xaxis.set_tick_params(labelbottom=True)
        figure.supylabel("level (dB re the channel's peak)", size=LABEL_SIZE)
        if len(chosen) and exact is not None:
            figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return Illustration(
        f"tuning-curves-{stage}",
        f"Single tuning curves: {stage}",
        figure,
        f"What does a single filter at {stage} look like?",
        f"{len(chosen)} of {len(live)} responding channels, evenly spread in order of best frequency; "
        "each title "
        "gives the channel's number and best frequency, the dotted line lies 3 dB below its peak."
        + _agreement(one),
        f"{len(chosen)} small plots of level against frequency, one per channel of {name} at {stage}"
        + (", the closed form dashed over the measured curve." if exact is not None else "."),
    )


def _agreement(one: xr.Dataset) -> str:
    error = float(one.get("closed_form_error", np.nan))
    if not np.isfinite(error):
        return ""
    return f" Measured and closed form differ by {error:.2g} dB (median above -40 dB re peak)."


def _db(response: np.ndarray, peak: float) -> np.ndarray:
    return 20 * np.log10(np.maximum(response / peak, 10 ** ((FLOOR_DB - 10) / 20)))
