"""How channels share the frequency range out: best frequency against rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import place_of_stage, spread, stage_with, stages_with, values_at
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

RANKS = np.linspace(0, 1, 61)
SCALES = {
    "linear": (lambda f: f, lambda x: x, ":"),
    # O'Shaughnessy 1987
    "mel": (lambda f: 2595 * np.log10(1 + f / 700), lambda m: 700 * (10 ** (m / 2595) - 1), "-."),
    # Glasberg & Moore 1990, ERB-rate
    "ERB": (lambda f: 21.4 * np.log10(1 + 0.00437 * f), lambda e: (10 ** (e / 21.4) - 1) / 0.00437, "--"),
}


def best_frequency(
    data: xr.Dataset,
    *,
    stage: str | None = None,
    random: Sequence[xr.Dataset] = (),
    name: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw best frequency against channel rank, with evenly spaced linear, mel and ERB scales for comparison.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "selectivity".
    stage : str, optional
        The last one with best frequencies if left out.
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
        If the stage has no best frequencies.

    Notes
    -----
    Mel after O'Shaughnessy 1987, ERB-rate after Glasberg & Moore 1990. The scales run between the lowest
    and the highest best frequency.

    Examples
    --------
    >>> best = xr.DataArray([[200.0, 100.0, 400.0]], dims=("stage", "channel"))
    >>> about = {"stage": ["latent"], "n_channels": ("stage", [3])}
    >>> ax = best_frequency(xr.Dataset({"best_frequency": best}, about))
    >>> ax.get_lines()[-1].get_ydata()[[0, 30, 60]].tolist()
    [100.0, 200.0, 400.0]
    """
    stage = str(stage_with(data, "best_frequency", stage)["stage"].values)
    at_rank, seeds = _at_ranks(data, stage), _of_random(random, stage)
    with axes_or_new(ax) as axes:
        if seeds:
            low, high = np.min(seeds, axis=0), np.max(seeds, axis=0)
            label = seeds_label(len(seeds))
            axes.fill_between(100 * RANKS, low, high, color=RANDOM, alpha=0.4, lw=1.5, label=label)
        for scale, (_, _, dashes) in SCALES.items():
            even = _even(scale, at_rank[0], at_rank[-1])
            axes.plot(100 * RANKS, even, dashes, color=DARK, lw=1.1, label=f"evenly {scale}")
        axes.plot(100 * RANKS, at_rank, color=TRAINED, lw=2.2, label=name or "encoder")
        every = np.concatenate([at_rank, *seeds])
        frequency_axis(axes, "y", every.min() / 1.1, every.max() * 1.1, "best frequency (Hz)")
        axes.set(title=f"{shortened(stage, 11)} ({len(_sorted(data, stage))})", xlabel="channel rank (%)")
    return axes


def best_frequency_by_rank(
    tuning: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw best frequency against channel rank at every stage.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "selectivity" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.
    """
    stages = [s for s in stages_with(tuning, "best_frequency") if len(_sorted(tuning, s)) > 1]
    stages = [str(s) for s in spread(np.array(stages), MOST_STAGES)]
    with canvas(1.0 + 1.75 * panel_rows(len(stages)), f"{name}: best frequency by rank") as figure:
        shown = panels(figure, max(1, len(stages)), "channel rank (%)", sharey=False)
        for axes, stage in zip(shown, stages, strict=False):
            best_frequency(tuning, stage=stage, random=random, name=name, ax=axes)
            axes.set(xlabel="", ylabel="")
        label_below(shown, across(len(shown)), "channel rank (%)")
        figure.supylabel("best frequency (Hz)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "best-frequency",
        "Best frequency by rank",
        figure,
        "Are best frequencies spaced evenly in hertz, or like the ear's scales?",
        "The scales run between the encoder's own lowest and highest best frequency, the band over "
        "the random networks; in brackets the number of channels that respond. The table gives the RMS "
        "distance from each scale in octaves."
        if stages
        else "No stage has two channels that respond.",
        f"Curves of best frequency against channel rank for {name} at {', '.join(stages) or 'no stage'}, "
        "with evenly spaced linear, mel and ERB scales"
        + (" and the range of random networks." if random else "."),
        "The blue line is the encoder's best frequencies in order; the dark line that it lies nearest to is "
        "the scale on which they are evenly spaced.",
        table([_row(tuning, random, stage) for stage in stages]) if stages else None,
    )


def _row(tuning: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> dict[str, object]:
    """Return the ends of best frequencies, and how far they are off each scale."""
    best = _sorted(tuning, stage)
    row: dict[str, object] = {"stage": stage, "channels": len(best)}
    row |= {"lowest (Hz)": best[0], "median (Hz)": np.median(best), "highest (Hz)": best[-1]}
    off = _distances(_at_ranks(tuning, stage))
    row |= {f"off even {scale} (octaves)": distance for scale, distance in off.items()}
    row["nearest scale"] = min(off, key=lambda scale: off[scale])
    medians = [float(np.median(seed)) for seed in _of_random(random, stage)]
    return row | {f"median, {who} (Hz)": value for who, value in by_network(medians).items()}


def _distances(at_rank: np.ndarray) -> dict[str, float]:
    """RMS distance in octaves from each even scale between the same ends."""
    even = {scale: _even(scale, at_rank[0], at_rank[-1]) for scale in SCALES}
    return {scale: float(np.sqrt(np.mean(np.log2(at_rank / r) ** 2))) for scale, r in even.items()}


def _at_ranks(tuning: xr.Dataset, stage: str) -> np.ndarray:
    best = _sorted(tuning, stage)
    return np.interp(RANKS, np.linspace(0, 1, len(best)), best)


def _of_random(random: Sequence[xr.Dataset], stage: str) -> list[np.ndarray]:
    there = [r for r in random if stage in stages_with(r, "best_frequency")]
    return [_at_ranks(r, stage) for r in there if len(_sorted(r, stage)) > 1]


def _sorted(tuning: xr.Dataset, stage: str) -> np.ndarray:
    best = values_at(tuning, "best_frequency", place_of_stage(tuning, stage))
    return np.sort(best[np.isfinite(best)])


def _even(scale: str, low_hz: float, high_hz: float) -> np.ndarray:
    forward, back, _ = SCALES[scale]
    start, stop = forward(low_hz), forward(high_hz)
    return back(start + RANKS * (stop - start))
