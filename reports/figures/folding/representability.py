"""Representability: what strides predict of a signal's partials against what is recovered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import middle, stages_with
from ...writing import listed
from ..drawing import LABEL_SIZE, Illustration, canvas, one_legend

# Okabe & Ito 2008, and a marker each
KINDS = {
    "single": ("#0072B2", "o"),
    "pitch": ("#D55E00", "^"),
    "chord": ("#009E73", "s"),
    "inharmonic": ("#CC79A7", "D"),
    "noisy": ("#56B4E9", "v"),
    "recording": ("#333333", "X"),
}
OTHER_KIND = ("#E69F00", "P")
COLUMNS = 2


def representability_scatter(
    result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw what is recovered of each signal against what is predicted, a panel per stage.

    Parameters
    ----------
    result : xarray.Dataset
        Group "representability" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines: the reading gives their correlations.
    name : str
        What the encoder is called.
    """
    stages = stages_with(result, "recovered")
    rows = max(1, -(-len(stages) // COLUMNS))
    with canvas(1.3 + 2.45 * rows, f"{name}: partials, predicted and recovered") as figure:
        grid = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, stage in zip(grid, stages, strict=False):
            _panel(axes, result.sel(stage=stage))
            axes.set_title(f"{stage}\n{_said(result.sel(stage=stage), short=True)}", fontsize=8.5)
        for axes in grid[len(stages) :]:
            axes.set_axis_off()
        for axes in grid[max(0, len(stages) - COLUMNS) : len(stages)]:
            axes.set_xlabel("predicted (share, 1 = all)")
            axes.tick_params(labelbottom=True)
        figure.supylabel("recovered (share, 1 = all)", size=LABEL_SIZE)
        one_legend(figure, columns=4)
    n_signals = result.sizes["signal"]
    return Illustration(
        "representability",
        "Representability",
        figure,
        "Do the stride and a signal's partials alone tell how much of it a linear readout recovers?",
        f"{n_signals} signals; on the line a stage keeps what one ideal channel at its stride would, above "
        "it the other channels make up for folding, below it more is lost than folding explains. Spearman "
        "correlation with its 95 % interval over signals, p against shuffled predictions: "
        f"{listed([f'{s} {_said(result.sel(stage=s))}' for s in stages])}." + _said_of_random(random, stages),
        f"Recovered against predicted share of the partials of {n_signals} signals for {name}, one panel per "
        f"stage ({', '.join(stages) or 'none'}), kinds of signal by colour and marker.",
    )


def _panel(axes: Axes, one: xr.Dataset) -> None:
    kinds = one["signal_kind"].values.astype(str)
    axes.plot([0, 1], [0, 1], "--", color="#777777", lw=1, label="as predicted")
    for kind in dict.fromkeys(kinds.tolist()):
        colour, marker = KINDS.get(kind, OTHER_KIND)
        chosen = kinds == kind
        axes.plot(
            one["predicted"].values[chosen], one["recovered"].values[chosen], marker, color=colour, ms=5.5,
            alpha=0.8, mec="white", mew=0.5, label=kind, clip_on=False,
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks(np.arange(0, 1.01, 0.25), ["0", "", "0.5", "", "1"])
    axes.set_yticks(np.arange(0, 1.01, 0.25), ["0", "", "0.5", "", "1"])
    axes.set_aspect("equal")


def _said(one: xr.Dataset, short: bool = False) -> str:
    if str(one["remark"].values):
        low, high = middle(one["recovered"].values, 0.5)
        return f"no order: half at {low:.2f} to {high:.2f}" if short else f"none ({one['remark'].values})"
    low, high, p = (float(one[f"correlation_{end}"]) for end in ("low", "high", "p"))
    correlation = f"{float(one['correlation']):.2f} [{low:.2f}, {high:.2f}]"
    if short:
        return f"$\\rho$ {correlation}, p {p:.3f}"
    beyond = float(one["partial_correlation"])
    if not np.isfinite(beyond):
        return f"{correlation}, p {p:.3f}"
    return (
        f"{correlation}, p {p:.3f} (number of partials alone {float(one['density_correlation']):.2f}; "
        f"given it {beyond:.2f}, p {float(one['partial_correlation_p']):.3f})"
    )


def _said_of_random(random: Sequence[xr.Dataset], stages: Sequence[str]) -> str:
    found = []
    for stage in stages:
        values = [float(r["correlation"].sel(stage=stage)) for r in random if stage in r["stage"].values]
        if values:
            said = ", ".join("none" if np.isnan(v) else f"{v:.2f}" for v in values)
            found.append(f"{stage} {said}")
    return f" With random weights: {listed(found)}." if found else ""
