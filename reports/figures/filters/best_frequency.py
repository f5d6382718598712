"""How channels share the frequency range out: best frequency against rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ...selecting import at_stage, stages_with
from ...writing import hertz, listed
from ..drawing import DARK, RANDOM, TRAINED, Illustration, canvas, frequency_axis

RANKS = np.linspace(0, 1, 101)
SCALES = {
    "linear": (lambda f: f, lambda x: x, ":"),
    # O'Shaughnessy 1987
    "mel": (lambda f: 2595 * np.log10(1 + f / 700), lambda m: 700 * (10 ** (m / 2595) - 1), "-."),
    # Glasberg & Moore 1990, ERB-rate
    "ERB": (lambda f: 21.4 * np.log10(1 + 0.00437 * f), lambda e: (10 ** (e / 21.4) - 1) / 0.00437, "--"),
}


def best_frequency_by_rank(
    tuning: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw best frequency against channel rank, with evenly spaced linear, mel and ERB scales for comparison.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "selectivity" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines: a band from the lowest to the highest of them.
    name : str
        What the encoder is called.

    Notes
    -----
    Mel after O'Shaughnessy 1987, ERB-rate after Glasberg & Moore 1990.
    """
    stages = [s for s in stages_with(tuning, "best_frequency") if len(_sorted(tuning, s)) > 1]
    found = []
    with canvas(0.9 + 1.95 * max(1, len(stages)), f"{name}: best frequency by rank") as figure:
        grid = figure.subplots(max(1, len(stages)), 1, squeeze=False)[:, 0]
        for axes, stage in zip(grid, stages, strict=False):
            best = _sorted(tuning, stage)
            at_rank = np.interp(RANKS, np.linspace(0, 1, len(best)), best)
            references = {scale: _even(scale, best[0], best[-1]) for scale in SCALES}
            seeds = [_sorted(r, stage) for r in random if stage in stages_with(r, "best_frequency")]
            seeds = [np.interp(RANKS, np.linspace(0, 1, len(s)), s) for s in seeds if len(s) > 1]
            if seeds:
                low, high = np.min(seeds, axis=0), np.max(seeds, axis=0)
                label = (
                    f"random weights, {len(seeds)} seeds (min to max)" if len(seeds) > 1 else "random weights"
                )
                axes.fill_between(100 * RANKS, low, high, color=RANDOM, alpha=0.4, lw=1.5, label=label)
            for scale, (_, _, dashes) in SCALES.items():
                axes.plot(100 * RANKS, references[scale], dashes, color=DARK, lw=1.1, label=f"evenly {scale}")
            axes.plot(100 * RANKS, at_rank, color=TRAINED, lw=2.2, label=name or "encoder")
            every = np.concatenate([at_rank, *seeds])
            frequency_axis(axes, "y", every.min() / 1.1, every.max() * 1.1, "best frequency (Hz)")
            axes.set_title(f"{stage} ({len(best)} channels)")
            distance = {s: np.sqrt(np.mean(np.log2(at_rank / r) ** 2)) for s, r in references.items()}
            nearest = min(distance, key=lambda scale: distance[scale])
            found.append(
                f"{stage} nearest to {nearest} ("
                + ", ".join(f"{scale} {octaves:.2f}" for scale, octaves in distance.items())
                + " octaves off)"
            )
        grid[-1].set_xlabel("channel rank (% of the channels that respond)")
        if stages:
            handles, labels = grid[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=2)
        else:
            grid[0].set_ylabel("best frequency (Hz)")
    return Illustration(
        "best-frequency",
        "Best frequency by rank",
        figure,
        "Are best frequencies spaced evenly in hertz, or like the ear's scales?",
        "The references run between the encoder's own lowest and highest best frequency. "
        + (f"RMS distance: {listed(found)}." if found else "No stage has two channels that respond."),
        f"Curves of best frequency against channel rank for {name} at {', '.join(stages) or 'no stage'}, "
        "with "
        "evenly spaced linear, mel and ERB scales"
        + (f" and the range of {len(random)} random networks" if random else "")
        + (f", from {hertz(_sorted(tuning, stages[0])[0])} up." if stages else "."),
    )


def _sorted(tuning: xr.Dataset, stage: str) -> np.ndarray:
    best = at_stage(tuning, stage)["best_frequency"].values
    return np.sort(best[np.isfinite(best)])


def _even(scale: str, low_hz: float, high_hz: float) -> np.ndarray:
    forward, back, _ = SCALES[scale]
    start, stop = forward(low_hz), forward(high_hz)
    return back(start + RANKS * (stop - start))
