"""Invertibility: how much of a sound each stage keeps, taken as a bank of strided filters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ....probes.folding.invertibility import MISLEADING
from ...selecting import at_stage, stages_with
from ..drawing import DARK, RANDOM, TRAINED, Illustration, canvas, hint, one_legend, seeds_label
from ..panels import shortened
from ..tables import Row, table

STEP_DB = 20


def invertibility_by_stage(
    invertibility: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw the range of the bank's gain at every stage, from its smallest to its largest singular value.

    Parameters
    ----------
    invertibility : xarray.Dataset
        Group "invertibility" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.

    Notes
    -----
    A smallest gain of zero has no level: it is drawn in a column of its own, with a dotted line to the
    smallest that is not zero.
    """
    stages = stages_with(invertibility, "largest_singular_value")
    low_db, high_db = _span([invertibility, *random])
    zero_db = low_db - 0.12 * (high_db - low_db)
    with canvas(1.6 + 0.66 * max(1, len(stages)), f"{name}: what the filters keep") as figure:
        axes = figure.subplots()
        label = seeds_label(len(random))
        for y, stage in zip(range(len(stages), 0, -1), stages, strict=True):
            for k, seed in enumerate(random):
                _range(
                    axes, at_stage(seed, stage), y - 0.4 * (k + 1) / (len(random) + 1), zero_db, RANDOM, label
                )
            _range(axes, at_stage(invertibility, stage), y + 0.15, zero_db, TRAINED, name or "encoder")
        if not stages:
            axes.text(low_db, 0.95, "no stage has a gain to speak of", size=8.5)
        _label_axes(axes, low_db, high_db, zero_db)
        axes.set_yticks(range(len(stages), 0, -1), [_label(at_stage(invertibility, s)) for s in stages])
        axes.set(ylim=(0.4, max(1, len(stages)) + 0.6), ylabel="stage")
        one_legend(figure)
    networks = {"encoder": invertibility}
    networks |= {f"random weights {n}": seed for n, seed in enumerate(random, 1)}
    at = [str(s) for s in invertibility["stage"].values]
    return Illustration(
        "invertibility",
        "Invertibility",
        figure,
        "Could the sound be had back from a stage, in spite of what folds?",
        "Gains are those that the bank of filters has for any faint sound; where the smallest is zero, some "
        "sounds leave no trace. With fewer channels C than samples S per hop that is always so. Hollow: the "
        "linearisation at silence foretells nothing.",
        f"Lines from smallest to largest gain on a logarithmic axis for {name} at "
        f"{', '.join(stages) or 'no stage'}, with a column for gains of zero"
        + (", random networks in another colour below." if random else "."),
        "A line runs from a stage's smallest gain to its largest: the shorter it is, the easier the way back "
        "to the sound.",
        table([_row(who, at_stage(one, s)) for s in at for who, one in networks.items()]),
    )


def _span(drawn: Sequence[xr.Dataset]) -> tuple[float, float]:
    """Return the levels between which all gains lie that are not zero, with some room."""
    names = ("smallest_nonzero_singular_value", "largest_singular_value")
    values = np.concatenate([d[n].values for d in drawn for n in names])
    levels_db = 20 * np.log10(values[np.isfinite(values) & (values > 0)])
    if len(levels_db) == 0:
        return -STEP_DB, STEP_DB
    low, high = levels_db.min(), levels_db.max()
    room = max(0.06 * (high - low), 3.0)
    return float(low - room), float(high + room)


def _label_axes(axes: Axes, low_db: float, high_db: float, zero_db: float) -> None:
    ticks = np.arange(np.ceil(low_db / STEP_DB), np.floor(high_db / STEP_DB) + 1) * STEP_DB
    axes.set_xticks([zero_db, *ticks], ["zero", *(f"{t:z.0f}" for t in ticks)])
    axes.axvline(low_db - 0.05 * (high_db - low_db), color=DARK, lw=0.8)
    axes.set(xlim=(2 * zero_db - (low_db + zero_db) / 2, high_db))
    axes.set_xlabel("gain of the bank, smallest to largest (dB re 1)")


def _range(axes: Axes, one: xr.Dataset, y: float, zero_db: float, color: str, label: str) -> None:
    smallest, least, largest = (
        float(one[f"{n}_singular_value"]) for n in ("smallest", "smallest_nonzero", "largest")
    )
    if not np.isfinite(largest):
        return
    own = color == TRAINED
    hollow = float(one["linearisation_error"]) > MISLEADING
    style = {"marker": "o" if own else "X", "ms": 6.5 if own else 5, "ls": "none", "color": color}
    face = "white" if hollow else color
    start = 20 * np.log10(smallest) if smallest > 0 else zero_db
    if largest > 0:
        ends = 20 * np.log10([least, largest])
        axes.plot(ends, [y, y], color=color, lw=2.4 if own else 1.4, solid_capstyle="butt")
        axes.plot(ends[1], y, "|", color=color, ms=9 if own else 6, mew=2.0)
        if smallest == 0:
            axes.plot([zero_db, ends[0]], [y, y], ":", color=color, lw=1.2)
    (mark,) = axes.plot(start, y, mfc=face, mec=color, label=label, **style)
    hint(mark, f"smallest gain {smallest:.3g}, largest {largest:.3g}")


def _label(one: xr.Dataset) -> str:
    share = float(one["channels_per_hop"])
    return (
        f"{shortened(one['stage'].item(), 18)}\nC/S {int(one['n_channels'])}/{int(one['hop'])} = {share:.2g}"
    )


def _row(network: str, one: xr.Dataset) -> Row:
    """Return how hard the way back is."""
    smallest, nonzero, largest = (
        float(one[f"{n}_singular_value"]) for n in ("smallest", "smallest_nonzero", "largest")
    )
    span = 20 * np.log10(float(one["condition_number"])) if smallest > 0 else np.nan
    return {
        "stage": one["stage"].item(), "network": network,
        "channels per sample": float(one["channels_per_hop"]),
        "smallest gain (1)": smallest, "smallest above zero (1)": nonzero, "largest gain (1)": largest,
        "from least to most (dB)": span, "singular values above 0 (share)": float(one["rank_share"]),
        "error of the linearisation (1)": float(one["linearisation_error"]),
        "remark": one["remark"].item() or None,
    }  # fmt: skip
