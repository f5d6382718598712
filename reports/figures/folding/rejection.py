"""Rejection: how much less a stage answers to what its frame rate cannot carry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, stages_with
from ...writing import among_seeds, hertz, listed
from ..drawing import DARK, RANDOM, TRAINED, Illustration, box, canvas, one_legend, seeds_label


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
    found = []
    with canvas(1.25 + 0.66 * len(stages), f"{name}: rejection of what cannot be carried") as figure:
        axes = figure.subplots()
        for y, stage in zip(range(len(stages), 0, -1), stages, strict=True):
            one = at_stage(aliasing, stage)
            seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "bank_rejection")]
            label = seeds_label(len(seeds))
            _box(axes, [one], y + 0.19, TRAINED, name or "encoder")
            if seeds:
                _box(axes, seeds, y - 0.19, RANDOM, label)
            bank = [float(s["bank_rejection"]) for s in seeds]
            found.append(
                f"{float(one['bank_rejection']):.1f} dB at {stage}, Nyquist {hertz(float(one['nyquist_hz']))}"
                + among_seeds(bank, 1)
            )
        axes.axvline(0, color="#777777", lw=0.9)
        axes.set_yticks(range(len(stages), 0, -1), stages)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -3.0), max(high, 3.0))  # rounding must not look like a difference
        axes.set(ylim=(0.4, len(stages) + 0.6), ylabel="stage")
        axes.set_xlabel("response above the stage's Nyquist frequency (dB re below)")
        one_legend(figure)
    left_out = [s for s in stages_with(aliasing, "bank_share") if s not in stages]
    return Illustration(
        "rejection",
        "Rejection",
        figure,
        "Does a stage answer less to tones above its own Nyquist frequency, which must fold?",
        "Left of 0 dB a stage filters before it decimates; boxes span the middle half of the channels, "
        f"whiskers 5 to 95 %, diamonds are the bank. The bank: {listed(found)}."
        + (f" No tone above Nyquist at {', '.join(left_out)}." if left_out else ""),
        f"Box plots of rejection in dB over the channels of {name} at {', '.join(stages)}"
        + (", random networks beside them." if random else "."),
    )


def _box(axes: Axes, probes: Sequence[xr.Dataset], y: float, color: str, label: str) -> None:
    box(axes, np.concatenate([p["rejection"].values.ravel() for p in probes]), y, color, label)
    bank = [float(p["bank_rejection"]) for p in probes]
    axes.plot(bank, [y] * len(bank), "D", color="white", mec=DARK, ms=5, label="all channels together")
