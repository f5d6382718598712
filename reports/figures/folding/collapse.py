"""Collapse: whether tones that share a fold become one sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from ....probes.folding.collapse import collapse_remark
from ...selecting import at_stage, stages_with
from ...writing import listed
from ..drawing import LABEL_SIZE, RANDOM, TICKS_HZ, TRAINED, Illustration, canvas, one_legend, seeds_label

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
    stages = stages_with(aliasing, "similarity")
    columns = [("", aliasing), *((", random weights", r) for r in random[:1])]
    with canvas(1.1 + 2.55 * len(stages), f"{name}: which tones sound alike") as figure:
        grid = figure.subplots(len(stages), len(columns), squeeze=False)
        for row, stage in zip(grid, stages, strict=True):
            for axes, (note, probe) in zip(row, columns, strict=True):
                mesh = _matrix(axes, at_stage(probe, stage))
                axes.set_title(f"{stage}{note}")
        for axes in grid[-1]:
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
        "Bright off the diagonal: two tones that it confuses. Above the diagonal circles mark pairs that "
        "share a fold; if these are bright and the others dark, folding is what confuses. Mean similarity of "
        "the former and the latter: "
        f"{listed([_said(at_stage(aliasing, s), s) for s in stages])}.",
        f"Matrices of the similarity between the patterns of every two tones for {name}, one panel per stage "
        f"({', '.join(stages)}), pairs that share a fold marked.",
    )


def sharing_pairs(one: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (i < j) of tones that share a fold and count for the collapse."""
    folds, frequency = one["predicted_fold"].values, one["frequency"].values
    shared = np.abs(folds[:, None] - folds) < SAME_HZ
    far = np.abs(frequency[:, None] - frequency) > float(one["apart"])
    i, j = np.nonzero(np.triu(shared & far, 1))
    return i, j


def _said(one: xr.Dataset, stage: str) -> str:
    similarity, (i, j) = one["similarity"].values, sharing_pairs(one)
    frequency = one["frequency"].values
    far = np.triu(np.abs(frequency[:, None] - frequency) > float(one["apart"]), 1)
    far[i, j] = False
    others = f"{np.nanmean(similarity[far]):.2f}" if np.isfinite(similarity[far]).any() else "–"
    if not np.isfinite(similarity[i, j]).any():
        return f"{stage} no pair and {others}"
    return f"{stage} {np.nanmean(similarity[i, j]):.2f} ({len(i)} pairs) and {others}"


def _matrix(axes: Axes, one: xr.Dataset) -> QuadMesh:
    frequency = one["frequency"].values
    edges = np.arange(len(frequency) + 1) - 0.5
    mesh = axes.pcolormesh(edges, edges, one["similarity"].values, vmin=0, vmax=1, rasterized=True)
    i, j = sharing_pairs(one)
    if len(i):
        axes.plot(i, j, "o", ms=3, mew=0.7, mfc="none", color=MARK, label="pair that shares a fold")
    inside = [f for f in TICKS_HZ if str(f).startswith("1") and frequency[0] <= f <= frequency[-1] * 1.01]
    places = np.interp(np.log(inside), np.log(frequency), np.arange(len(frequency)))
    kept = np.append(True, np.diff(places) > len(frequency) / 8)  # labels must not run together
    inside, places = np.array(inside)[kept], places[kept]
    labels = [f"{f // 1000}k" if f >= 1000 else str(f) for f in inside]
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
    with canvas(1.35 + 0.62 * len(stages), f"{name}: collapse of tones that share a fold") as figure:
        axes = figure.subplots()
        for y, stage in zip(range(len(stages), 0, -1), stages, strict=True):
            seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "collapse")]
            for k, seed in enumerate(seeds):
                label = seeds_label(len(seeds))
                _point(axes, seed, y - 0.1 - 0.3 * (k + 1) / (len(seeds) + 1), RANDOM, "x", label)
            one = at_stage(aliasing, stage)
            if not np.isfinite(float(one["collapse"])):
                axes.text(0.02, y, verdict(one), va="center", size=7.5)
            _point(axes, one, y + 0.15, TRAINED, "o", name or "encoder")
        axes.axvline(0, color="#777777", lw=0.9)
        axes.set_yticks(range(len(stages), 0, -1), stages)
        axes.set(xlim=(-0.25, 1.05), ylim=(0.4, len(stages) + 0.6), ylabel="stage")
        axes.set_xlabel("collapse (0 = none, 1 = all folds are one sound)")
        one_legend(figure)
    return Illustration(
        "collapse",
        "Collapse",
        figure,
        "Are tones that share a fold more alike than tones as far apart that do not?",
        "Lines are 95 % intervals over tones. Amplitude and phase over channels count, whatever their basis. "
        "The bars mark chance: what a bank shows whose channels answer to tones of one fold no more alike "
        "than to others; N channels that have nothing to do with one another have 1/N. Chance near 1: all "
        "tones answer alike in the channels, and only output frequencies tell them apart, which a fold takes "
        "away. At 0 sharing a fold makes no difference. "
        f"{listed([f'{s}: {verdict(at_stage(aliasing, s))}' for s in stages])}.",
        f"Dots with intervals of collapse for {name} at {', '.join(stages)}, with marks for chance"
        + (" and crosses for random networks." if random else "."),
    )


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
    axes.plot(value, y, marker, color=color, ms=6.5 if marker == "o" else 5, ls="none", label=label)
    own = marker == "o"
    axes.plot(
        float(one["collapse_chance"]), y, "|", color="black" if own else color, ms=15 if own else 6,
        mew=2.2 if own else 1.5, ls="none", label="chance" if own else None,
    )  # fmt: skip
