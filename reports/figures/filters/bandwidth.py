"""How sharp the filters are: -3 dB bandwidth against best frequency."""

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
    THIRD,
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

MANY = 100  # marks; they would weigh more as vectors than as pixels


def equivalent_rectangular_bandwidth(frequency_hz: np.ndarray) -> np.ndarray:
    """Bandwidth of the human auditory filter in Hz, Glasberg & Moore 1990: 24.7 (4.37 f / 1000 + 1).

    Examples
    --------
    >>> round(float(equivalent_rectangular_bandwidth(np.array(1000.0))), 1)
    132.6
    """
    return 24.7 * (4.37 * frequency_hz / 1000 + 1)


def bandwidth(
    data: xr.Dataset,
    *,
    stage: str | None = None,
    random: Sequence[xr.Dataset] = (),
    name: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw -3 dB bandwidth against best frequency, a mark a channel, with three references.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "selectivity".
    stage : str, optional
        The last one with best frequencies if left out.
    random : sequence of xarray.Dataset
        The same of random networks, drawn paler.
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
        If the stage has no best frequencies.

    Notes
    -----
    References: the stage's Nyquist frequency, the -3 dB bandwidth 0.886 fs/L of a rectangular kernel as
    long as the receptive field, and the ERB of Glasberg & Moore 1990. Bands that run to the edge of the
    grid are lower bounds and get a triangle.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import selectivity
    >>> from tonotopy.probes.engine.session import Session
    >>> from tonotopy.synth import partials
    >>> tones = partials(200, 400, step_hz=25)
    >>> ax = bandwidth(selectivity(Session(load("filterbank:stft")), tones))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('best frequency (Hz)', '-3 dB bandwidth (Hz)')
    """
    one = stage_with(data, "best_frequency", stage)
    stage = str(one["stage"].values)
    others = [at_stage(r, stage) for r in random if stage in stages_with(r, "best_frequency")]
    with axes_or_new(ax) as axes:
        for other in others:
            _bands(axes, other, RANDOM, 0.45, 3.2, seeds_label(len(others)))
        _bands(axes, one, TRAINED, 0.9, 4.0, name or "encoder")
        _references(axes, one, np.concatenate([_values(o) for o in [one, *others]]))
        axes.set(title=shortened(stage, 15), xlabel="best frequency (Hz)", ylabel="-3 dB bandwidth (Hz)")
    return axes


def bandwidth_by_frequency(
    tuning: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw -3 dB bandwidth against best frequency at every stage.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "selectivity" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.
    """
    stages = [str(s) for s in spread(np.array(stages_with(tuning, "best_frequency")), MOST_STAGES)]
    with canvas(1.35 + 1.95 * panel_rows(len(stages)), f"{name}: bandwidth by best frequency") as figure:
        shown = panels(figure, max(1, len(stages)), sharex=False, sharey=False)
        for axes, stage in zip(shown, stages, strict=False):
            bandwidth(tuning, stage=stage, random=random, name=name, ax=axes)
            axes.set(xlabel="", ylabel="")
        label_below(shown, across(len(shown)), "best frequency (Hz)")
        figure.supylabel("-3 dB bandwidth (Hz)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "bandwidth",
        "Bandwidth by best frequency",
        figure,
        "How sharply does each channel select, next to what its receptive field, its frame rate and the "
        "ear allow?",
        "Above the line of the stage's Nyquist frequency a pass-band is wider than what the frame rate can "
        "carry and folds onto itself; the rectangular kernel (0.886 fs/L) is a reference, not a floor. "
        "Bandwidths that the grid does not resolve are counted in the table and not drawn.",
        f"Scatter of -3 dB bandwidth against best frequency on logarithmic axes for the channels of {name} "
        f"at {', '.join(stages) or 'no stage'}{', random networks in paler colour' if random else ''}, with "
        "lines for the stage's Nyquist frequency, a rectangular kernel and the ERB.",
        "Each mark is a channel: the lower it lies, the more narrowly it selects; a triangle is a lower "
        "bound.",
        table([_row(tuning, random, stage) for stage in stages]) if stages else None,
    )


def _values(one: xr.Dataset) -> np.ndarray:
    values = one["bandwidth_3db"].values
    return values[np.isfinite(values) & (values > 0)]


def _row(tuning: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> dict[str, object]:
    """Return the median of a stage's bandwidths, and how many there are of which kind."""
    one = at_stage(tuning, stage)
    drawn = np.isfinite(one["bandwidth_3db"].values)
    live = int(np.isfinite(one["best_frequency"].values).sum())
    others = [_values(at_stage(r, stage)) for r in random if stage in stages_with(r, "best_frequency")]
    medians = by_network([_median(values) for values in others])
    return {
        "stage": stage,
        "channels with a bandwidth": len(_values(one)),
        "lower bounds among them": int((one["open_band"].values.astype(bool) & drawn).sum()),
        "not resolved": live - len(_values(one)),
        "median bandwidth (Hz)": _median(_values(one)),
        "stage's Nyquist (Hz)": float(one["nyquist_hz"]),
        "rectangular kernel (Hz)": float(one.get("rectangular_bandwidth", np.nan)),
        **{f"median, {who} (Hz)": value for who, value in medians.items()},
    }


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else np.nan


def _bands(axes: Axes, one: xr.Dataset, color: str, alpha: float, size: float, label: str) -> None:
    best, band = one["best_frequency"].values, one["bandwidth_3db"].values
    drawn = np.isfinite(best) & np.isfinite(band)
    lower_bound = one["open_band"].values.astype(bool) & drawn
    own = color == TRAINED
    bound = "lower bound" if own else None
    for chosen, marker, said in ((drawn & ~lower_bound, "o", label), (lower_bound, "^", bound)):
        if chosen.any():
            axes.plot(
                best[chosen], band[chosen], marker, ms=size, color=color, alpha=alpha, mew=0, label=said,
                zorder=3 if own else 2, rasterized=bool(chosen.sum() > MANY),
            )  # fmt: skip


def _references(axes: Axes, one: xr.Dataset, bands: np.ndarray) -> None:
    low_hz, high_hz = float(one["frequency"].min()), float(one["frequency"].max())
    span = np.geomspace(low_hz, high_hz, 24)
    axes.plot(span, equivalent_rectangular_bandwidth(span), "--", color=DARK, lw=1.2, label="ear (ERB)")
    nyquist, rectangle = float(one["nyquist_hz"]), float(one.get("rectangular_bandwidth", np.nan))
    axes.axhline(nyquist, color=THIRD, ls="-", lw=1.2, label="stage's Nyquist")
    if np.isfinite(rectangle):
        axes.axhline(rectangle, color=DARK, ls=":", lw=1.4, label="rectangular kernel")
    every = np.concatenate([bands, equivalent_rectangular_bandwidth(span[[0, -1]]), [nyquist], [rectangle]])
    every = every[np.isfinite(every)]
    frequency_axis(axes, "x", low_hz / 1.05, high_hz * 1.05, narrow=True)
    frequency_axis(axes, "y", every.min() / 1.3, every.max() * 1.3)
