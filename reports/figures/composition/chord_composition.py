"""Chords: the sum of their notes, the step from major to minor, inversions and voicings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import middle, stages_with
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, hint, one_legend
from ..panels import by_network, shortened, stage_rows

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
    y = stage_rows(stages)
    own, wrong = (
        [_spread(composed[v].sel(stage=s).values, np.median, SMALLEST_ERROR) for s in stages]
        for v in ("sum_error", "wrong_sum_error")
    )
    seeds = [[float(r["sum_error"].median()) for r in _at(random, s)] for s in stages]
    with canvas(1.7 + 0.45 * max(1, len(stages)), f"{name}: chords and the sum of their notes") as figure:
        axes = figure.subplots()
        _spreads(axes, own, y, TRAINED, "o", f"{name or 'encoder'}, its own notes", stages)
        _spreads(axes, wrong, y + 0.2, DARK, "D", "notes of another chord", stages)
        _crosses(axes, [[max(v, SMALLEST_ERROR) for v in several] for several in seeds], y)
        axes.axvline(1, color="#777777", lw=0.8)
        axes.set_xscale("log")
        axes.set_xlim(SMALLEST_ERROR / 1.5, None)
        axes.set_xlabel("power missed re the chord's response (0.0001: or less)")
        _label(axes, stages)
        one_legend(figure)
    rows = [
        {
            "stage": stage,
            **_ends(composed["sum_error"].sel(stage=stage).values, "power missed"),
            **_ends(composed["wrong_sum_error"].sel(stage=stage).values, "with another chord's notes"),
            **by_network(seed),
        }
        for stage, seed in zip(stages, seeds, strict=True)
    ]
    return Illustration(
        "chord_sums",
        "Chords and the sum of their notes",
        figure,
        "Is the response to a chord the sum of the responses to its notes?",
        f"Markers are medians over {composed.sizes['chord']} chords, lines run from the 5th to the 95th "
        "percentile. 0 is a sum, 1 misses as much as silence would; a linear stage misses 2 with the notes "
        "of an unrelated chord. A sum alone is no composition: keeping every 320th sample is one too.",
        f"Errors of the sum of notes for {name} at {', '.join(stages) or 'no stage'}, beside those of the "
        "notes of another chord.",
        "What the sum of its notes misses of a chord's response at each stage, beside the notes of another "
        "chord.",
        pd.DataFrame(rows),
    )


def chord_steps(composed: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the cosine of the steps from major to minor at different roots; parameters as before."""
    pairs = np.triu_indices(composed.sizes["root"], 1)

    def mean(one: xr.Dataset, variable: str = "offset_cosine") -> float:
        return float(one[variable].values[pairs].mean())

    stages = stages_with(composed, "offset_cosine")
    y, own = stage_rows(stages), [mean(composed.sel(stage=stage)) for stage in stages]
    nulls = [middle(composed["offset_cosine_shuffled"].sel(stage=stage).values) for stage in stages]
    seeds = [[mean(r) for r in _at(random, stage)] for stage in stages]
    beside = {b: mean(composed.sel(baseline=b), "offset_cosine_baseline") for b in BESIDE}
    with canvas(1.9 + 0.45 * max(1, len(stages)), f"{name}: one step to minor?") as figure:
        axes = figure.subplots()
        _points(axes, own, y, TRAINED, "o", name or "encoder", stages)
        _crosses(axes, seeds, y)
        if stages:
            axes.hlines(y, *np.transpose(nulls), color="#999999", lw=6, alpha=0.6, label="shuffled", zorder=1)
        _baselines(axes, beside)
        axes.set_xlabel("mean cosine of the steps at two roots")
        _label(axes, stages)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -0.25), max(high, 1.03))
        one_legend(figure, columns=3)
    rows = [
        {
            "stage": stage, "mean cosine": value, "shuffled, low (95 %)": null[0],
            "shuffled, high (95 %)": null[1], "p": float(composed["offset_p"].sel(stage=stage)),
            "error of the foretold step": float(composed["transfer_error"].sel(stage=stage).median()),
            **by_network(seed), **beside,
        }
        for stage, value, null, seed in zip(stages, own, nulls, seeds, strict=True)
    ]  # fmt: skip
    return Illustration(
        "chord_steps",
        "One step from major to minor",
        figure,
        "Is the step from major to minor the same at every root?",
        "1: one direction for all roots; grey: qualities shuffled at each root (95 %); -1/11: the step moves "
        "along the channels with the root, as in a chromagram. A cosine near 0 is what a tonotopic code "
        "gives; a high one may be mere loudness where filters are broad. Error of a step foretold from the "
        "other roots: 0 is perfect, 1 as good as no step.",
        f"Mean cosines for {name} at {', '.join(stages) or 'no stage'}, with shuffled qualities, random "
        "networks, mel, chroma and spectrum beside them.",
        "Whether the step from major to minor has one direction at all roots: 1 if so, grey if as shuffled.",
        pd.DataFrame(rows),
    )


def chord_positions(composed: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw whether chords are more like their own inversions than like others; parameters as before."""
    stages = stages_with(composed, "position_auc")
    y = stage_rows(stages)
    of_chords = [composed["position_auc"].sel(stage=stage).values for stage in stages]
    seeds = [[float(r["position_auc"].mean()) for r in _at(random, stage)] for stage in stages]
    beside = composed["position_auc_baseline"].mean("chord")
    spelled = {b: float(beside.sel(baseline=b)) for b in BESIDE}
    with canvas(1.9 + 0.45 * max(1, len(stages)), f"{name}: chords and their inversions") as figure:
        axes = figure.subplots()
        spreads = [_spread(values, np.mean) for values in of_chords]
        _spreads(axes, spreads, y, TRAINED, "o", name or "encoder", stages)
        _crosses(axes, seeds, y)
        _baselines(axes, spelled)
        axes.axvline(0.5, color="#777777", lw=0.8)
        axes.set(xlim=(-0.03, 1.03), xlabel="AUC: more like itself than like others (0.5: guessing)")
        _label(axes, stages)
        one_legend(figure, columns=3)
    rows = [
        {"stage": stage, **_ends(values, "AUC", np.mean, "mean"), **by_network(seed), **spelled}
        for stage, values, seed in zip(stages, of_chords, seeds, strict=True)
    ]
    return Illustration(
        "chord_positions",
        "Chords and their inversions",
        figure,
        "Is a chord more like its own inversions and voicings than like other chords in the same position?",
        f"Markers are means over {composed.sizes['chord']} chords, lines run from the 5th to the 95th "
        "percentile. Below 0.5 the position tells more than the chord.",
        f"AUC of chords against other chords for {name} at {', '.join(stages) or 'no stage'}, with random "
        "networks, mel, chroma and spectrum beside it.",
        "How often a chord is more like its own inversions than like other chords; by guessing, every "
        "second time.",
        pd.DataFrame(rows),
    )


def _spread(
    values: np.ndarray, centre: Callable[[np.ndarray], np.floating], low: float = -np.inf
) -> tuple[float, float, float]:
    """Return the centre of what is finite, and the ends of its middle nine tenths, none below `low`."""
    there = values[np.isfinite(values)]
    ends = np.maximum(middle(there, 0.9), low)
    return max(float(centre(there)), low), float(ends[0]), float(ends[1])


def _ends(
    values: np.ndarray,
    what: str,
    centre: Callable[[np.ndarray], np.floating] = np.median,
    called: str = "median",
) -> dict[str, float]:
    mid, low, high = _spread(values, centre)
    return {f"{what}, {called}": mid, f"{what}, 5th percentile": low, f"{what}, 95th percentile": high}


def _spreads(
    axes: Axes,
    spreads: Sequence[tuple[float, float, float]],
    y: np.ndarray,
    color: str,
    marker: str,
    label: str,
    stages: Sequence[str],
) -> None:
    if spreads:
        mid, low, high = np.transpose(spreads)
        axes.hlines(y, low, high, color=color, lw=1.5)
        _points(axes, mid.tolist(), y, color, marker, label, stages)


def _points(
    axes: Axes,
    values: Sequence[float],
    y: np.ndarray,
    color: str,
    marker: str,
    label: str,
    stages: Sequence[str],
) -> None:
    for value, place, stage in zip(values, y, stages, strict=True):
        (point,) = axes.plot(value, place, marker, color=color, ms=6, label=label)
        hint(point, f"{label}, {stage}: {value:.3g}")


def _crosses(axes: Axes, seeds: Sequence[Sequence[float]], y: np.ndarray) -> None:
    """Draw what random networks give below each stage."""
    rows = [(value, place - 0.22) for several, place in zip(seeds, y, strict=True) for value in several]
    if rows:
        axes.plot(*np.transpose(rows), "x", color=RANDOM, ms=5, label="random weights")


def _baselines(axes: Axes, values: Mapping[str, float]) -> None:
    for which, value in values.items():
        color, style = BESIDE[which]
        axes.axvline(value, color=color, ls=style, lw=1.3, label=which)


def _label(axes: Axes, stages: Sequence[str]) -> None:
    axes.set_yticks(stage_rows(stages), [shortened(stage) for stage in stages])
    axes.set(ylim=(0.4, max(1, len(stages)) + 0.6))


def _at(random: Sequence[xr.Dataset], stage: str) -> list[xr.Dataset]:
    return [r.sel(stage=stage) for r in random if stage in r["stage"].values]
