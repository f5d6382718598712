"""Representability: what strides predict of a signal's partials against what is recovered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import middle, spread, stages_with
from ..drawing import LABEL_SIZE, Illustration, canvas, one_legend
from ..panels import MOST_STAGES, by_network, panel_rows, panels, shortened
from ..tables import Row, table

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
        The same of its random baselines: the table gives their correlations.
    name : str
        What the encoder is called.
    """
    stages = [str(s) for s in spread(np.array(stages_with(result, "recovered")), MOST_STAGES)]
    rows = panel_rows(len(stages), COLUMNS)
    with canvas(1.3 + 2.1 * rows, f"{name}: partials, predicted and recovered") as figure:
        below = "predicted (share, 1 = all)"
        for axes, stage in zip(panels(figure, len(stages), below, COLUMNS), stages, strict=True):
            _panel(axes, result.sel(stage=stage))
            said = _said(result.sel(stage=stage))
            axes.set_title(f"{shortened(stage)}\n{said}", fontsize=8.5)
        figure.supylabel("recovered (share, 1 = all)", size=LABEL_SIZE)
        one_legend(figure, columns=4)
    n_signals = result.sizes["signal"]
    return Illustration(
        "representability",
        "Representability",
        figure,
        "Do the stride and a signal's partials alone tell how much of it a linear readout recovers?",
        "On the line a stage keeps what one ideal channel at its stride would; above it the other channels "
        "make up for folding, below it more is lost than folding explains. Titles give Spearman's "
        "correlation, its 95 % interval over signals, and p against shuffled predictions.",
        f"Recovered against predicted share of the partials of {n_signals} signals for {name}, one panel per "
        f"stage ({', '.join(stages) or 'none'}), kinds of signal by colour and marker.",
        "Each mark is a signal; near the dashed line the strides alone foretell how much of it can be read.",
        table([_row(result, random, stage) for stage in stages]),
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


def _said(one: xr.Dataset) -> str:
    if str(one["remark"].values):
        low, high = middle(one["recovered"].values, 0.5)
        return f"no order: half at {low:.2f} to {high:.2f}"
    low, high, p = (float(one[f"correlation_{end}"]) for end in ("low", "high", "p"))
    return f"$\\rho$ {float(one['correlation']):.2f} [{low:.2f}, {high:.2f}], p {p:.3f}"


def _row(result: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> Row:
    """Return how well recovery follows prediction at a stage, and the number of partials."""
    one = result.sel(stage=stage)
    numbers = {
        "correlation (1)": "correlation", "from (1)": "correlation_low", "to (1)": "correlation_high",
        "p": "correlation_p", "of number of partials alone (1)": "density_correlation",
        "given number of partials (1)": "partial_correlation", "p, given it": "partial_correlation_p",
    }  # fmt: skip
    low, high = middle(one["recovered"].values, 0.5)
    among = [float(r["correlation"].sel(stage=stage)) for r in random if stage in r["stage"].values]
    return {
        "stage": stage, "signals": one.sizes["signal"],
        **{heading: float(one[variable]) for heading, variable in numbers.items()},
        "recovered, first quarter (share)": low, "recovered, third quarter (share)": high,
        **{f"correlation, {who} (1)": value for who, value in by_network(among).items()},
        "remark": str(one["remark"].values) or None,
    }  # fmt: skip
