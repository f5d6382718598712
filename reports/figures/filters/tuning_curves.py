"""Single tuning curves: a few channels of every stage, spread over best frequency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, ranked, spread, stage_with, stages_with
from ...writing import hertz
from ..drawing import DARK, LABEL_SIZE, THIRD, TRAINED, Illustration, canvas, frequency_axis, hint, one_legend
from ..panels import MOST_STAGES, axes_or_new, shortened
from ..tables import Row, table

FLOOR_DB = -50.0
CURVES = 4  # in a panel
POINTS = 140  # of a curve
LOOKS = ((TRAINED, "-"), ("#D55E00", "-"), (THIRD, "-"), ("#CC79A7", "-"))
CLOSED_FORM = "closed form"


def tuning_curves(
    data: xr.Dataset,
    *,
    stage: str | None = None,
    channels: Sequence[int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw tuning curves of single channels, with the closed form where there is one.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "selectivity".
    stage : str, optional
        The last one with tuning curves if left out.
    channels : sequence of int, optional
        Which; four that are evenly spread over the order of best frequency if left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Levels are in dB re each channel's peak; above it stands the channel's number.

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
    >>> ax = tuning_curves(selectivity(Session(load("filterbank:gammatone")), tones), channels=[3, 9])
    >>> [text.get_text() for text in ax.texts]
    ['3', '9']
    """
    one = stage_with(data, "response", stage)
    chosen = _chosen(one) if channels is None else np.asarray(channels)
    frequency, exact = one["frequency"].values, _closed_form(one)
    kept = spread(np.arange(len(frequency)), POINTS)
    best = one["best_frequency"].values
    with axes_or_new(ax) as axes:
        for k, channel in enumerate(chosen):
            color, dashes = LOOKS[k % len(LOOKS)]
            response = one["response"].values[channel]
            peak = response.max()
            at = np.union1d(kept, response.argmax())  # a thinned curve keeps its peak
            width, alpha = (1.4, 1.0) if exact is None else (3.2, 0.5)  # both lines stay visible
            (line,) = axes.plot(
                frequency[at], _db(response[at], peak), dashes, color=color, lw=width, alpha=alpha
            )
            hint(line, f"channel {channel}, best frequency {hertz(float(best[channel]))}")
            if exact is not None:
                level = _db(exact[channel][at], peak)
                axes.plot(frequency[at], level, "--", color="black", lw=0.9, label=CLOSED_FORM)
            place_hz = np.clip(frequency[response.argmax()], 1.04 * frequency[0], frequency[-1] / 1.06)
            above_db = 1.5 + 5.5 * (k % 2)  # neighbours' numbers must not meet
            axes.text(place_hz, above_db, str(channel), color=color, size=8, ha="center")
        axes.axhline(-3, color=DARK, ls=":", lw=0.8)
        frequency_axis(axes, "x", frequency[0], frequency[-1])
        axes.set(ylim=(FLOOR_DB, 14), yticks=[-40, -20, 0], title=shortened(str(one["stage"].values)))
        axes.set(xlabel="frequency (Hz)", ylabel="level (dB re the channel's peak)")
    return axes


def tuning_curves_by_stage(tuning: xr.Dataset, name: str = "") -> Illustration:
    """Draw four single tuning curves of every stage, with the closed form where there is one.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "selectivity" of the encoder.
    name : str
        What the encoder is called.
    """
    stages = [str(s) for s in spread(np.array(stages_with(tuning, "best_frequency")), MOST_STAGES)]
    with canvas(1.0 + 1.45 * max(1, len(stages)), f"{name}: single tuning curves") as figure:
        grid = figure.subplots(max(1, len(stages)), 1, squeeze=False)[:, 0]
        for axes, stage in zip(grid, stages, strict=False):
            tuning_curves(tuning, stage=stage, ax=axes)
            axes.set(xlabel="", ylabel="")
        grid[-1].set_xlabel("frequency (Hz)")
        figure.supylabel("level (dB re the channel's peak)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "tuning-curves",
        "Single tuning curves",
        figure,
        "What does a single filter look like?",
        "Channels evenly spread in order of best frequency; the dotted line lies 3 dB below their peaks. "
        "Where there is a closed form, it is dashed over the measured curve.",
        f"Curves of level against frequency for up to {CURVES} channels of {name} at "
        f"{', '.join(stages) or 'no stage'}, with the closed form where there is one.",
        "Each curve is one channel's response to single tones, its number above the peak: the narrower, the "
        "more selective.",
        table([row for stage in stages for row in _rows(at_stage(tuning, stage), stage)]) if stages else None,
    )


def _rows(one: xr.Dataset, stage: str) -> list[Row]:
    best, live = one["best_frequency"].values, ranked(one["best_frequency"].values)
    about: Row = {"stage": stage, "channels that respond": len(live)}
    error = float(one.get("closed_form_error", np.nan))
    return [
        {
            **about,
            "channel": int(channel),
            "best frequency (Hz)": float(best[channel]),
            "-3 dB bandwidth (Hz)": float(one["bandwidth_3db"].values[channel]),
            "measured less closed form, median above -40 dB (dB)": error,
        }
        for channel in _chosen(one)
    ]


def _chosen(one: xr.Dataset) -> np.ndarray:
    return spread(ranked(one["best_frequency"].values), CURVES)


def _closed_form(one: xr.Dataset) -> np.ndarray | None:
    there = "closed_form" in one and bool(one["closed_form"].notnull().any())
    return one["closed_form"].values if there else None


def _db(response: np.ndarray, peak: float) -> np.ndarray:
    return 20 * np.log10(np.maximum(response / peak, 10 ** ((FLOOR_DB - 10) / 20)))
