"""Collapse: whether tones that share a fold become one sound."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from ....probes.folding.collapse import collapse_remark
from ...selecting import at_stage, spread, stages_with
from ..drawing import (
    LABEL_SIZE,
    RANDOM,
    TICKS_HZ,
    TRAINED,
    Illustration,
    canvas,
    hint,
    one_legend,
    seeds_label,
)
from ..panels import MOST_STAGES, shortened
from ..tables import Row, table

SAME_HZ = 1e-3  # folds no further apart are one: coherent tones lie on bins far wider
NEAR = 0.005  # what two digits do not tell apart
MARK = "#D55E00"


def confusion_map(aliasing: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw how alike the patterns of every two tones are, with the pairs that share a fold marked.

    Parameters
    ----------
    aliasing : xarray.Dataset
        Group "aliasing" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; the first is drawn.
    name : str
        What the encoder is called.
    """
    stages = [str(s) for s in spread(np.array(stages_with(aliasing, "similarity")), MOST_STAGES)]
    beside = [r for r in random[:1] if set(stages) <= set(stages_with(r, "similarity"))]
    columns, rows = 1 + len(beside), len(stages)
    if not beside:  # stages stand side by side
        columns = min(2, len(stages))
        rows = -(-len(stages) // columns)
    drawn = [(s, probe) for s in stages for probe in [aliasing, *beside]]
    with canvas(1.3 + 1.95 * rows, f"{name}: which tones sound alike") as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(drawn) :]:
            axes.set_axis_off()
        for axes, (stage, probe) in zip(grid.flat, drawn, strict=False):
            mesh = _matrix(axes, at_stage(probe, stage))
            axes.set_title(shortened(stage) if probe is aliasing else "random weights")
        for axes in grid.flat[max(0, len(drawn) - columns) : len(drawn)]:
            axes.set_xlabel("frequency (Hz)")
        figure.supylabel("frequency of the other tone (Hz)", size=LABEL_SIZE)
        label = "similarity of patterns (0 to 1)"
        figure.colorbar(mesh, ax=grid, label=label, location="bottom", aspect=40, pad=0.01)
        one_legend(figure)
    return Illustration(
        "confusion-map",
        "Confusion of tones",
        figure,
        "Which tones get the same pattern of amplitudes and phases over channels and output frequencies?",
        "Tones in order of frequency, a row and a column each; grey: tones that the stage does not answer. "
        "Above the diagonal circles mark pairs that share a fold; if these are bright and the others dark, "
        "folding is what confuses.",
        f"Matrices of the similarity between the patterns of every two tones for {name}, one panel per stage "
        f"({', '.join(stages)}), pairs that share a fold marked.",
        "Bright off the diagonal: two tones that the stage confuses; circles mark pairs that share a fold.",
        table([_row(who, probe, s) for s in stages for who, probe in _networks(aliasing, random, s).items()]),
    )


def _networks(aliasing: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> dict[str, xr.Dataset]:
    there = [r for r in random if stage in stages_with(r, "similarity")]
    return {"encoder": aliasing, **{f"random weights {k}": r for k, r in enumerate(there, 1)}}


def sharing_pairs(one: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (i < j) of tones that share a fold and count for the collapse."""
    folds, frequency = one["predicted_fold"].values, one["frequency"].values
    shared = np.abs(folds[:, None] - folds) < SAME_HZ
    far = np.abs(frequency[:, None] - frequency) > float(one["apart"])
    i, j = np.nonzero(np.triu(shared & far, 1))
    return i, j


def _row(network: str, probe: xr.Dataset, stage: str) -> Row:
    """Return the mean similarity of pairs that share a fold, and of others as far apart."""
    one = at_stage(probe, stage)
    similarity, (i, j) = one["similarity"].values, sharing_pairs(one)
    frequency = one["frequency"].values
    far = np.triu(np.abs(frequency[:, None] - frequency) > float(one["apart"]), 1)
    far[i, j] = False
    return {
        "stage": stage, "network": network, "tones": len(frequency), "pairs that share a fold": len(i),
        "their mean similarity (1)": _mean(similarity[i, j]),
        "mean similarity of others (1)": _mean(similarity[far]),
    }  # fmt: skip


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan


def _matrix(axes: Axes, one: xr.Dataset) -> QuadMesh:
    frequency = one["frequency"].values
    edges = np.arange(len(frequency) + 1) - 0.5
    mesh = axes.pcolormesh(edges, edges, one["similarity"].values, vmin=0, vmax=1, rasterized=True)
    i, j = sharing_pairs(one)
    if len(i):
        axes.plot(i, j, "o", ms=3, mew=0.7, mfc="none", color=MARK, label="pair that shares a fold")
    inside = [f for f in TICKS_HZ if str(f).startswith("1") and frequency[0] <= f <= frequency[-1] * 1.01]
    inside = inside if len(inside) > 1 else [frequency[0], frequency[-1]]
    places = np.interp(np.log(inside), np.log(frequency), np.arange(len(frequency)))
    kept = np.append(True, np.diff(places) > len(frequency) / 8)  # labels must not run together
    inside, places = np.array(inside)[kept], places[kept]
    labels = [f"{f / 1000:.3g}k" if f >= 1000 else f"{f:.3g}" for f in inside]
    axes.set_xticks(places, labels)
    axes.set_yticks(places, labels)
    axes.grid(False)
    axes.set_facecolor("#bdbdbd")
    axes.set_aspect("equal")
    return mesh


def collapse_by_stage(
    aliasing: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw collapse with its interval at every stage, beside chance and every random baseline.

    Parameters as in `confusion_map`; all random baselines are drawn.
    """
    stages = stages_with(aliasing, "similarity")
    rows: list[Row] = []
    with canvas(1.35 + 0.52 * len(stages), f"{name}: collapse of tones that share a fold") as figure:
        axes = figure.subplots()
        for y, stage in zip(range(len(stages), 0, -1), stages, strict=True):
            seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "collapse")]
            for k, seed in enumerate(seeds):
                label = seeds_label(len(seeds))
                _point(axes, seed, y - 0.1 - 0.3 * (k + 1) / (len(seeds) + 1), RANDOM, "x", label)
            one = at_stage(aliasing, stage)
            if not np.isfinite(float(one["collapse"])):
                axes.text(0.02, y, fill(verdict(one), 48), va="center", size=7.5)
            _point(axes, one, y + 0.15, TRAINED, "o", name or "encoder")
            rows.append(_collapse(stage, "encoder", one))
            rows += [_collapse(stage, f"random weights {k}", seed) for k, seed in enumerate(seeds, 1)]
        axes.axvline(0, color="#777777", lw=0.9)
        axes.set_yticks(range(len(stages), 0, -1), [shortened(stage, 18) for stage in stages])
        axes.set(xlim=(-0.25, 1.05), ylim=(0.4, len(stages) + 0.6), ylabel="stage")
        axes.set_xlabel("collapse (0 = none, 1 = all folds)")
        one_legend(figure)
    return Illustration(
        "collapse",
        "Collapse",
        figure,
        "Are tones that share a fold more alike than tones as far apart that do not?",
        "Lines are 95 % intervals over tones; amplitude and phase over channels count, whatever their basis. "
        "The bars mark what a bank shows whose channels answer to tones of one fold no more alike than to "
        "others: N channels that have nothing to do with one another have 1/N. Where chance is near 1, only "
        "output frequencies tell tones apart, which a fold takes away.",
        f"Dots with intervals of collapse for {name} at {', '.join(stages)}, with marks for chance"
        + (" and crosses for random networks." if random else "."),
        "Right of its black bar, which is chance, a stage makes tones that share a fold into one sound.",
        table(rows),
    )


def _collapse(stage: str, network: str, one: xr.Dataset) -> Row:
    numbers = {
        "collapse (1)": "collapse", "from (1)": "collapse_low", "to (1)": "collapse_high",
        "chance (1)": "collapse_chance",
    }  # fmt: skip
    found = {heading: float(one[variable]) for heading, variable in numbers.items()}
    return {"stage": stage, "network": network, **found, "in words": verdict(one)}


def against_chance(one: xr.Dataset) -> int:
    """Say where the interval of collapse lies: 1 above chance, -1 below, 0 if neither (or nearly so)."""
    low, high, chance = (float(one[n]) for n in ("collapse_low", "collapse_high", "collapse_chance"))
    return int(low > chance + NEAR) - int(high < chance - NEAR)


def verdict(one: xr.Dataset) -> str:
    """Say in words where collapse lies relative to chance, at one stage."""
    value, low, high, chance = (
        float(one[n]) for n in ("collapse", "collapse_low", "collapse_high", "collapse_chance")
    )
    sharing = int(np.nan_to_num(float(one["n_sharing"])))
    if not np.isfinite(value) or not sharing:
        return collapse_remark(value, sharing)
    where = {1: "above chance", 0: "not told from chance", -1: "below chance"}[against_chance(one)]
    return f"{value:z.2f} ({low:z.2f} to {high:z.2f}), {where} ({chance:.2f})"


def _point(axes: Axes, one: xr.Dataset, y: float, color: str, marker: str, label: str) -> None:
    value = float(one["collapse"])
    if not np.isfinite(value):
        return
    axes.plot([float(one["collapse_low"]), float(one["collapse_high"])], [y, y], color=color, lw=1.4)
    own = marker == "o"
    (mark,) = axes.plot(value, y, marker, color=color, ms=6.5 if own else 5, ls="none", label=label)
    hint(mark, verdict(one))
    axes.plot(
        float(one["collapse_chance"]), y, "|", color="black" if own else color, ms=15 if own else 6,
        mew=2.2 if own else 1.5, ls="none", label="chance" if own else None,
    )  # fmt: skip
