"""How sharp the filters are: -3 dB bandwidth against best frequency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, stages_with
from ...writing import hertz, listed
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, frequency_axis, seeds_label


def equivalent_rectangular_bandwidth(frequency_hz: np.ndarray) -> np.ndarray:
    """Bandwidth of the human auditory filter in Hz, Glasberg & Moore 1990: 24.7 (4.37 f / 1000 + 1).

    Examples
    --------
    >>> round(float(equivalent_rectangular_bandwidth(np.array(1000.0))), 1)
    132.6
    """
    return 24.7 * (4.37 * frequency_hz / 1000 + 1)


def bandwidth_by_frequency(
    tuning: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw -3 dB bandwidth against best frequency, with three references.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "selectivity" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines, drawn paler.
    name : str
        What the encoder is called.

    Notes
    -----
    References: the stage's Nyquist frequency, the -3 dB bandwidth 0.886 fs/L of a rectangular kernel as
    long as the receptive field, and the ERB of Glasberg & Moore 1990. Bands that run to the edge of the
    grid are lower bounds and get a triangle.
    """
    stages = stages_with(tuning, "best_frequency")
    found = []
    with canvas(1.2 + 2.25 * max(1, len(stages)), f"{name}: bandwidth by best frequency") as figure:
        grid = figure.subplots(max(1, len(stages)), 1, squeeze=False)[:, 0]
        for axes, stage in zip(grid, stages, strict=False):
            one = at_stage(tuning, stage)
            others = [at_stage(r, stage) for r in random if stage in stages_with(r, "best_frequency")]
            for i, other in enumerate(others):
                label = seeds_label(len(others))
                _bands(axes, other, RANDOM, 0.45, 14, label if i == 0 else "")
            _bands(axes, one, TRAINED, 0.9, 20, name or "encoder")
            _references(axes, one, np.concatenate([_values(o) for o in [one, *others]]))
            axes.set_title(stage)
            found.append(f"{stage}: {_counts(one)}")
        if not stages:
            grid[0].set_ylabel("-3 dB bandwidth (Hz)")
        grid[-1].set_xlabel("best frequency (Hz)")
        known = {
            label: h for axes in grid for h, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        if known:
            figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=2)
    return Illustration(
        "bandwidth",
        "Bandwidth by best frequency",
        figure,
        "How sharply does each channel select, next to what its receptive field, its frame rate and the "
        "ear allow?",
        "Above the line of the stage's Nyquist frequency a pass-band is wider than what the frame rate can "
        "carry and folds onto itself; the rectangular kernel is a reference, not a floor. "
        + listed(found)
        + ".",
        "Scatter of -3 dB bandwidth against best frequency on logarithmic axes for the channels of "
        f"{name} at "
        f"{', '.join(stages) or 'no stage'}"
        f"{', random networks in paler colour' if random else ''}, with lines for the stage's Nyquist "
        "frequency, "
        "a rectangular kernel and the ERB.",
    )


def _values(one: xr.Dataset) -> np.ndarray:
    values = one["bandwidth_3db"].values
    return values[np.isfinite(values) & (values > 0)]


def _counts(one: xr.Dataset) -> str:
    live = int(np.isfinite(one["best_frequency"].values).sum())
    bands = _values(one)
    unresolved = live - len(bands)
    text = (
        f"median {hertz(float(np.median(bands)))} over {len(bands)} channels"
        if len(bands)
        else "no bandwidth"
    )
    is_open = int((one["open_band"].values.astype(bool) & np.isfinite(one["bandwidth_3db"].values)).sum())
    if is_open:
        text += f", {is_open} of them lower bounds"
    return text + (f", {unresolved} not resolved by the grid and not drawn" if unresolved else "")


def _bands(axes: Axes, one: xr.Dataset, color: str, alpha: float, size: float, label: str) -> None:
    best, band = one["best_frequency"].values, one["bandwidth_3db"].values
    drawn = np.isfinite(best) & np.isfinite(band)
    lower_bound = one["open_band"].values.astype(bool) & drawn
    for chosen, marker, note in ((drawn & ~lower_bound, "o", ""), (lower_bound, "^", " (lower bound)")):
        if chosen.any():
            axes.scatter(
                best[chosen], band[chosen], s=size, marker=marker, color=color, alpha=alpha,
                linewidths=0, label=f"{label}{note}" if label else None, zorder=3 if color == TRAINED else 2,
            )  # fmt: skip


def _references(axes: Axes, one: xr.Dataset, bands: np.ndarray) -> None:
    low_hz, high_hz = float(one["frequency"].min()), float(one["frequency"].max())
    span = np.geomspace(low_hz, high_hz, 64)
    axes.plot(span, equivalent_rectangular_bandwidth(span), "--", color=DARK, lw=1.2, label="ERB of the ear")
    nyquist, rectangle = float(one["nyquist_hz"]), float(one.get("rectangular_bandwidth", np.nan))
    axes.axhline(nyquist, color=THIRD, ls="-", lw=1.2, label="stage's Nyquist frequency")
    if np.isfinite(rectangle):
        axes.axhline(rectangle, color=DARK, ls=":", lw=1.4, label="rectangular kernel, 0.886 fs/L")
    every = np.concatenate([bands, equivalent_rectangular_bandwidth(span[[0, -1]]), [nyquist], [rectangle]])
    every = every[np.isfinite(every)]
    frequency_axis(axes, "x", low_hz / 1.05, high_hz * 1.05)
    frequency_axis(axes, "y", every.min() / 1.3, every.max() * 1.3, "-3 dB bandwidth (Hz)")
