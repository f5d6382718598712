"""Rejection: how much less a stage answers to what its frame rate cannot carry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, five_numbers, stages_with
from ..drawing import DARK, RANDOM, TRAINED, Illustration, box, canvas, one_legend, seeds_label
from ..panels import shortened
from ..tables import Row, table


def rejection(aliasing: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the distribution of rejection over channels, and the bank's, beside random baselines.

    Parameters
    ----------
    aliasing : xarray.Dataset
        Group "aliasing" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines, pooled.
    name : str
        What the encoder is called.
    """
    stages = stages_with(aliasing, "bank_rejection")
    rows: list[Row] = []
    with canvas(1.25 + 0.56 * len(stages), f"{name}: rejection of what cannot be carried") as figure:
        axes = figure.subplots()
        for y, stage in zip(range(len(stages), 0, -1), stages, strict=True):
            one = at_stage(aliasing, stage)
            seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "bank_rejection")]
            _box(axes, [one], y + 0.19, TRAINED, name or "encoder")
            if seeds:
                _box(axes, seeds, y - 0.19, RANDOM, seeds_label(len(seeds)))
            rows.append(_row("encoder", stage, one))
            rows += [_row(f"random weights {k}", stage, seed) for k, seed in enumerate(seeds, 1)]
        axes.axvline(0, color="#777777", lw=0.9)
        axes.set_yticks(range(len(stages), 0, -1), [shortened(stage, 18) for stage in stages])
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -3.0), max(high, 3.0))  # rounding must not look like a difference
        axes.set(ylim=(0.4, len(stages) + 0.6), ylabel="stage")
        axes.set_xlabel("response above Nyquist (dB re below)")
        one_legend(figure)
    left_out = [s for s in stages_with(aliasing, "bank_share") if s not in stages]
    return Illustration(
        "rejection",
        "Rejection",
        figure,
        "Does a stage answer less to tones above its own Nyquist frequency, which must fold?",
        "Boxes span the middle half of the channels, whiskers 5 to 95 %, diamonds are all channels together."
        + (f" No tone above Nyquist at {', '.join(left_out)}." if left_out else ""),
        f"Box plots of rejection in dB over the channels of {name} at {', '.join(stages)}"
        + (", random networks beside them." if random else "."),
        "Left of the line at zero a stage filters before it decimates; right of it, it answers more to what "
        "must fold.",
        table(rows),
    )


def _row(network: str, stage: str, one: xr.Dataset) -> Row:
    values = one["rejection"].values
    values = values[np.isfinite(values)]
    ends = five_numbers(values) if len(values) else np.full(5, np.nan)
    names = ("5 %", "25 %", "median", "75 %", "95 %")
    return {
        "stage": stage, "network": network, "stage's Nyquist (Hz)": float(one["nyquist_hz"]),
        "all channels together (dB)": float(one["bank_rejection"]), "channels": len(values),
        **{f"{n} of channels (dB)": float(v) for n, v in zip(names, ends, strict=True)},
    }  # fmt: skip


def _box(axes: Axes, probes: Sequence[xr.Dataset], y: float, color: str, label: str) -> None:
    box(axes, np.concatenate([p["rejection"].values.ravel() for p in probes]), y, color, label)
    bank = [float(p["bank_rejection"]) for p in probes]
    axes.plot(bank, [y] * len(bank), "D", color="white", mec=DARK, ms=5, label="all channels together")
