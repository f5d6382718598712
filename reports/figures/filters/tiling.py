"""Tiling in numbers: coherence, effective rank and spacing of every stage's channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, spread, stages_with
from ..drawing import DARK, RANDOM, TRAINED, Illustration, canvas, hint, one_legend, seeds_label
from ..panels import MOST_STAGES, by_network, shortened
from ..tables import Row, table

SCALES = {"linear": "linear", "log": "log", "mel": "mel", "erb": "ERB-rate"}


def tiling_numbers(tiling: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw mutual coherence, effective rank and distance from even spacing, beside random baselines.

    Parameters
    ----------
    tiling : xarray.Dataset
        Group "tiling" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines, one mark each.
    name : str
        What the encoder is called.
    """
    stages = [str(s) for s in spread(np.array(stages_with(tiling, "effective_rank")), MOST_STAGES)]
    here = {s: at_stage(tiling, s) for s in stages}
    seeds = {s: [at_stage(r, s) for r in random if s in stages_with(r, "effective_rank")] for s in stages}
    rows = max(1, len(stages))
    with canvas(1.9 + 1.05 * rows, f"{name}: tiling in numbers") as figure:
        top, middle, bottom = figure.subplots(3, 1, height_ratios=[rows + 0.2, rows + 0.2, 4 * rows])
        for axes, variable in ((top, "mutual_coherence"), (middle, "effective_rank_share")):
            _rows(axes, {s: (here[s], seeds[s]) for s in stages}, _reader(variable), name)
        for y, stage in enumerate(stages):
            if "welch_bound" in here[stage] and np.isfinite(here[stage]["welch_bound"]):
                bound = float(here[stage]["welch_bound"])
                top.plot(bound, y, "|", color=DARK, ms=13, mew=2, label="Welch bound (linear stages)")
        _spacings(bottom, {s: (here[s], seeds[s]) for s in stages}, name)
        top.set_title("mutual coherence (1 = two say the same)")
        middle.set_title("effective rank, share (1 = all)")
        bottom.set_title("distance from even spacing (0 = even)")
        for axes in (top, middle, bottom):
            axes.set_xlim(-0.02, 1.03)
        bottom.set_xlabel("coherence, share, distance (1)")
        middle.set_ylabel("stage")
        one_legend(figure)
    data = _table({s: (here[s], seeds[s]) for s in stages})
    return Illustration(
        "tiling",
        "Tiling in numbers",
        figure,
        "Do the channels tile frequency evenly, and without saying the same twice?",
        "Effective rank counts the dimensions that the channels fill, re their number or, at linear stages, "
        "the kernel's length if that is less. Distance is the largest difference between the shares of "
        "channels and of the scale below a frequency."
        if stages
        else "No stage has a value.",
        f"Dot plots of mutual coherence, effective rank and distance from even linear, log, mel and ERB-rate "
        f"spacing for {name} at {', '.join(stages) or 'no stage'}"
        + (", random networks as open diamonds." if random else "."),
        "Dots right in the first panel say the same twice, right in the second fill what they could, left in "
        "the third are evenly spaced.",
        table(data) if data else None,
    )


Read = Callable[[xr.Dataset], float]


def _reader(variable: str, **selection: str) -> Read:
    return lambda one: float(one[variable].sel(selection)) if variable in one else np.nan


def _rows(
    axes: Axes, rows: dict[str, tuple[xr.Dataset, list[xr.Dataset]]], read: Read, name: str, first: int = 0
) -> None:
    """Draw one row of marks for each label, from row `first` down."""
    for y, (one, seeds) in enumerate(rows.values(), start=first):
        label = seeds_label(len(seeds))
        values = [read(seed) for seed in seeds]
        if seeds:
            height = np.full(len(seeds), y)
            axes.plot(values, height, "D", color=RANDOM, mfc="none", mew=1.4, ms=6, label=label)
        (mark,) = axes.plot(read(one), y, "o", color=TRAINED, ms=7, label=name or "encoder")
        hint(mark, f"{read(one):.2f}")
    axes.set_yticks(range(first, first + len(rows)), [shortened(label, 18) for label in rows])
    axes.set_ylim(first + len(rows) - 0.4, first - 0.6)  # from top to bottom


def _spacings(axes: Axes, rows: dict[str, tuple[xr.Dataset, list[xr.Dataset]]], name: str) -> None:
    labels = []
    for block, (stage, row) in enumerate(rows.items()):
        for i, (scale, spelled) in enumerate(SCALES.items()):
            read = _reader("spacing_distance", spacing=scale)
            _rows(axes, {stage: row}, read, name, first=len(SCALES) * block + i)
            labels.append(f"{shortened(stage, 14)}: {spelled}" if i == 0 else spelled)
        if block:
            axes.axhline(len(SCALES) * block - 0.5, color="#777777", lw=0.8)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def _table(rows: dict[str, tuple[xr.Dataset, list[xr.Dataset]]]) -> list[Row]:
    """Return a row for each stage and measure."""
    numbers = {
        "mutual coherence": _reader("mutual_coherence"),
        "Welch bound": _reader("welch_bound"),
        "effective rank, share": _reader("effective_rank_share"),
        **{
            f"distance from even {spelled} spacing": _reader("spacing_distance", spacing=scale)
            for scale, spelled in SCALES.items()
        },
        "power that follows the tone as a filter's does, median": lambda one: float(
            one["linear_share"].median()
        ),
    }
    return [
        {"stage": stage, "measure (1)": what, "encoder": read(one), **by_network([read(s) for s in seeds])}
        for stage, (one, seeds) in rows.items()
        for what, read in numbers.items()
        if np.isfinite(read(one))
    ]
