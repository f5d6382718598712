"""Chords: the sum of their notes, the step from major to minor, inversions and voicings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import middle, stages_with
from ...writing import among_seeds, listed
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend

PURPLE = "#CC79A7"  # Okabe & Ito 2008
BESIDE = {"mel": (THIRD, ":"), "chroma": (PURPLE, "-."), "spectrum": (DARK, "--")}
SMALLEST_ERROR = 1e-4  # where the axis ends: below lies float32 rounding


def chord_sums(composed: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw how far chords are from the sum of their notes, and of another chord's, per stage.

    Parameters
    ----------
    composed : xarray.Dataset
        Group "chord_composition" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.
    """
    stages = stages_with(composed, "sum_error")
    with canvas(1.7 + 0.45 * max(1, len(stages)), f"{name}: chords and the sum of their notes") as figure:
        axes = figure.subplots()
        for y, stage in zip(range(len(stages), 0, -1), stages, strict=True):
            one = composed.sel(stage=stage)
            _spread(axes, one["wrong_sum_error"].values, y + 0.2, DARK, "D", "notes of another chord")
            _spread(axes, one["sum_error"].values, y, TRAINED, "o", f"{name or 'encoder'}, its own notes")
            medians = [max(float(r["sum_error"].median()), SMALLEST_ERROR) for r in _at(random, stage)]
            axes.plot(medians, [y - 0.22] * len(medians), "x", color=RANDOM, ms=5, label="random weights")
        axes.axvline(1, color="#777777", lw=0.8)
        axes.set_xscale("log")
        axes.set_xlim(SMALLEST_ERROR / 1.5, None)
        axes.set_xlabel("power missed re the chord's response (0.0001: or less)")
        _label(axes, stages)
        one_legend(figure)
    said = [
        f"{s} {_median(composed, 'sum_error', s)}"
        f"{among_seeds([float(r['sum_error'].median()) for r in _at(random, s)])}, wrong notes "
        f"{_median(composed, 'wrong_sum_error', s)}"
        for s in stages
    ]
    return Illustration(
        "chord_sums",
        "Chords and the sum of their notes",
        figure,
        "Is the response to a chord the sum of the responses to its notes?",
        f"Markers are medians over {composed.sizes['chord']} chords, lines run from the 5th to the 95th "
        "percentile. 0 is a sum; 1 misses as much as silence would; a linear stage misses 2 with the notes "
        "of an unrelated chord. A sum alone is no composition: keeping every 320th sample is one too. "
        f"{listed(said)}.",
        f"Errors of the sum of notes for {name} at {', '.join(stages) or 'no stage'}, beside those of the "
        "notes of another chord.",
    )


def chord_steps(composed: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the cosine of the steps from major to minor at different roots; parameters as before."""
    pairs = np.triu_indices(composed.sizes["root"], 1)

    def mean(one: xr.Dataset, variable: str = "offset_cosine") -> float:
        return float(one[variable].values[pairs].mean())

    stages = stages_with(composed, "offset_cosine")
    with canvas(1.9 + 0.45 * max(1, len(stages)), f"{name}: one step to minor?") as figure:
        axes = figure.subplots()
        _baselines(axes, {b: mean(composed.sel(baseline=b), "offset_cosine_baseline") for b in BESIDE})
        for y, stage in zip(range(len(stages), 0, -1), stages, strict=True):
            one = composed.sel(stage=stage)
            null = middle(one["offset_cosine_shuffled"].values)
            axes.plot(null, [y, y], color="#999999", lw=6, alpha=0.6, solid_capstyle="butt", label="shuffled")
            seeds = [mean(r) for r in _at(random, stage)]
            axes.plot(seeds, [y - 0.22] * len(seeds), "x", color=RANDOM, ms=5, label="random weights")
            axes.plot(mean(one), y, "o", color=TRAINED, ms=6.5, label=name or "encoder")
        axes.set_xlabel("mean cosine of the steps at two roots")
        _label(axes, stages)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -0.25), max(high, 1.03))
        one_legend(figure, columns=3)
    said = [
        f"{s} {mean(composed.sel(stage=s)):.2f}{among_seeds([mean(r) for r in _at(random, s)])}, p "
        f"{float(composed['offset_p'].sel(stage=s)):.2f}, foretold with an error of "
        f"{_median(composed, 'transfer_error', s)}"
        for s in stages
    ]
    return Illustration(
        "chord_steps",
        "One step from major to minor",
        figure,
        "Is the step from major to minor the same at every root?",
        "1: one direction for all roots; grey: qualities shuffled at each root (95 %); -1/11: the step moves "
        "along the channels with the root, as in a chromagram. A cosine near 0 is what a tonotopic code "
        "gives; a high one may be mere loudness where filters are broad. Error of a step foretold from the "
        f"other roots: 0 is perfect, 1 as good as no step. {listed(said)}.",
        f"Mean cosines for {name} at {', '.join(stages) or 'no stage'}, with shuffled qualities, random "
        "networks, mel, chroma and spectrum beside them.",
    )


def chord_positions(composed: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw whether chords are more like their own inversions than like others; parameters as before."""
    stages = stages_with(composed, "position_auc")
    with canvas(1.9 + 0.45 * max(1, len(stages)), f"{name}: chords and their inversions") as figure:
        axes = figure.subplots()
        beside = composed["position_auc_baseline"].mean("chord")
        _baselines(axes, {b: float(beside.sel(baseline=b)) for b in BESIDE})
        for y, stage in zip(range(len(stages), 0, -1), stages, strict=True):
            own = composed["position_auc"].sel(stage=stage).values
            _spread(axes, own, y, TRAINED, "o", name or "encoder", centre=np.mean)
            seeds = [float(r["position_auc"].mean()) for r in _at(random, stage)]
            axes.plot(seeds, [y - 0.22] * len(seeds), "x", color=RANDOM, ms=5, label="random weights")
        axes.axvline(0.5, color="#777777", lw=0.8)
        axes.set(xlim=(-0.03, 1.03), xlabel="AUC: more like itself than like others (0.5: guessing)")
        _label(axes, stages)
        one_legend(figure, columns=3)
    said = [
        f"{s} {float(composed['position_auc'].sel(stage=s).mean()):.2f}"
        f"{among_seeds([float(r['position_auc'].mean()) for r in _at(random, s)])}"
        for s in stages
    ]
    spelled = listed([f"{b} {float(beside.sel(baseline=b)):.2f}" for b in BESIDE])
    return Illustration(
        "chord_positions",
        "Chords and their inversions",
        figure,
        "Is a chord more like its own inversions and voicings than like other chords in the same position?",
        f"Markers are means over {composed.sizes['chord']} chords, lines run from the 5th to the 95th "
        "percentile. Below 0.5 the position tells more than the chord. "
        f"{listed(said)}; baselines: {spelled}.",
        f"AUC of chords against other chords for {name} at {', '.join(stages) or 'no stage'}, with random "
        "networks, mel, chroma and spectrum beside it.",
    )


def _spread(
    axes: Axes,
    values: np.ndarray,
    y: float,
    color: str,
    marker: str,
    label: str,
    centre: Callable[[np.ndarray], np.floating] = np.median,
) -> None:
    there = values[np.isfinite(values)]
    low = SMALLEST_ERROR if centre is np.median else -np.inf
    ends = np.maximum(middle(there, 0.9), low)
    axes.plot(ends, [y, y], color=color, lw=1.5, solid_capstyle="butt")
    axes.plot(max(float(centre(there)), low), y, marker, color=color, ms=6, label=label)


def _baselines(axes: Axes, values: dict[str, float]) -> None:
    for which, value in values.items():
        color, style = BESIDE[which]
        axes.axvline(value, color=color, ls=style, lw=1.3, label=which)


def _label(axes: Axes, stages: Sequence[str]) -> None:
    axes.set_yticks(range(len(stages), 0, -1), stages)
    axes.set(ylim=(0.4, max(1, len(stages)) + 0.6), ylabel="stage")


def _at(random: Sequence[xr.Dataset], stage: str) -> list[xr.Dataset]:
    return [r.sel(stage=stage) for r in random if stage in r["stage"].values]


def _median(composed: xr.Dataset, variable: str, stage: str) -> str:
    return f"{float(composed[variable].sel(stage=stage).median()):.2f}"
