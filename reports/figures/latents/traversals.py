"""Latents moved one at a time: what becomes of a melody, and which features follow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import FigureBase

from ....probes.statistics.resampling import ALPHA
from ....synth.melodies import STEPS_PER_BAR, notes
from ...audio import NOTES
from ...writing import listed
from ..drawing import DARK, LABEL_SIZE, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend
from .features import label

MOST_ROWS = 5  # dimensions drawn as rolls, and the unused one below
SHOWN_DOSES = (-3.0, -1.0, 0.0, 1.0, 3.0)
FEATURES = 25  # rows of the matrix
ROW_IN = 0.15
CURVES = 3  # dimensions whose dose and response are drawn
GROUP_LOOKS = {"pitch": (TRAINED, "o-"), "rhythm": (RANDOM, "s--"), "melody": (THIRD, "^:")}
GONE = "#D55E00"
DARK_ABOVE = 0.6  # of the direction: cells so dark that marks on them are white
MARKS = {"confirmed": ("o", 6.5), "contradicted": ("x", 5.5)}


def traversal_rolls(result: xr.Dataset, name: str = "") -> Illustration:
    """Draw one melody as piano rolls, with one dimension after another set to one value after another.

    Parameters
    ----------
    result : xarray.Dataset
        Group "traversals" of the model.
    name : str
        What the model is called.
    """
    moved = np.flatnonzero(~result["is_unused"].values)[:MOST_ROWS]
    shown = result.isel(rank=[*moved, *np.flatnonzero(result["is_unused"].values)])
    doses = [d for d in SHOWN_DOSES if d in shown["dose"].values]
    steps, rows = shown.sizes["step"], shown.sizes["rank"]
    low, high = _pitch_limits(shown["example"].sel(dose=doses).values)
    with canvas(1.3 + 0.85 * rows, f"{name}: one melody, one latent moved") as figure:
        grid = figure.subplots(rows, len(doses), squeeze=False, sharex=True, sharey=True)
        for axes_row, rank in zip(grid, shown["rank"].values, strict=True):
            one = shown.sel(rank=rank)
            base = one["example"].sel(dose=0.0).values
            for axes, dose in zip(axes_row, doses, strict=True):
                _roll(axes, one["example"].sel(dose=dose).values, base)
            axes_row[0].set_ylabel(_row_label(one), fontsize=8)
        for axes, dose in zip(grid[0], doses, strict=True):
            axes.set_title(f"{dose:+g}" if dose else "0")
        for axes in grid[-1]:
            bars = np.arange(0, steps + 1, STEPS_PER_BAR * max(1, steps // STEPS_PER_BAR // 4))
            axes.set_xticks(bars, [f"{b // STEPS_PER_BAR + 1}" if b < steps else "" for b in bars])
        grid[0, 0].set(xlim=(0, steps), ylim=(low, high))
        octaves = [m for m in range(12 * (low // 12), high + 1, 12) if low <= m <= high]
        grid[0, 0].set_yticks(octaves, [note_name(m) for m in octaves])
        grid[0, 0].set_title(f"latent at {doses[0]:+g}")
        grid[-1, len(doses) // 2].set_xlabel("bar; above, the value of the latent (sd of the prior)")
        _legend(grid[0, 0])
        one_legend(figure, columns=3)
    return Illustration(
        "traversal-rolls",
        "One melody, one latent moved",
        figure,
        "What becomes of a melody when one dimension takes one value after another?",
        "The first of the melodies that were moved, not the best; in grey the notes as they are with the "
        f"dimension at 0, in colour those that begin, end or lie elsewhere. {_changed(result)}",
        f"Piano rolls of one melody decoded by {name}, a row for each of {rows} dimensions, a column for "
        f"each value from {doses[0]:g} to {doses[-1]:g}; changed notes in colour.",
    )


def traversal_effects(result: xr.Dataset, name: str = "") -> Illustration:
    """Draw which features follow which dimension, and how far they move with the dose.

    Parameters
    ----------
    result : xarray.Dataset
        Group "traversals" of the model.
    name : str
        What the model is called.
    """
    chosen = _chosen(result)
    shown = result.isel(feature=chosen)
    with canvas(3.6 + ROW_IN * len(chosen), f"{name}: features that follow a latent") as figure:
        parts = figure.subfigures(2, 1, squeeze=False, height_ratios=(0.7 + ROW_IN * len(chosen), 1.9))
        _matrix(parts[0, 0], parts[0, 0].subplots(), shown)
        curves = min(CURVES, int((~result["is_unused"]).sum()))
        grid = np.atleast_1d(parts[1, 0].subplots(1, curves, sharey=True))
        for i, axes in enumerate(grid):
            _curves(axes, result.isel(rank=i))
        grid[0].set_ylabel("change (sd)")
        grid[curves // 2].set_xlabel("value of the latent (sd of the prior)")
        one_legend(figure, columns=3)
    return Illustration(
        "traversal-effects",
        "Features that follow a latent",
        figure,
        "Do the features that go with a dimension follow when it is moved? Does the least relevant move any?",
        f"{int(result.attrs['n_melodies'])} melodies, decoded greedily at every value; colour: mean rank "
        f"correlation of value and feature. Pale: melodies do not agree (corrected p above {ALPHA:g}); "
        "a dot: they do, whatever the direction. Ringed or crossed: the feature of its group that the "
        "dimension goes with most, ringed where moving the dimension confirms that, crossed where it "
        f"contradicts it. Below, how far those features change. {_verdicts(result)} {_unused(result)} Values "
        "beyond 2 are rare under the prior, and what happens there says less about melodies.",
        f"Matrix of {len(chosen)} features by {result.sizes['rank']} dimensions of {name}, coloured by "
        "direction, and curves of the change of features over the value of the first dimensions.",
    )


def note_name(midi: int) -> str:
    """Name a MIDI note.

    Examples
    --------
    >>> note_name(60), note_name(21)
    ('C4', 'A0')
    """
    return f"{NOTES[midi % 12]}{midi // 12 - 1}"


def _pitch_limits(rolls: np.ndarray) -> tuple[int, int]:
    """Give the range of pitches that panels share, an octave at least."""
    midi = notes(rolls.reshape(-1, rolls.shape[-1])).midi
    if not len(midi):
        return 59, 73
    low, high = int(midi.min()) - 2, int(midi.max()) + 2
    spare = max(0, 14 - (high - low))
    return low - spare // 2, high + (spare + 1) // 2


def _roll(axes: Axes, roll: np.ndarray, base: np.ndarray) -> None:
    """Draw notes; those that the roll at dose 0 has too in grey, others in colour, its lost ones outlined."""
    own, there = _played(roll), _played(base)
    for which, color, width in (
        (there - own, GONE, 1.0),
        (own & there, "#9A9A9A", 2.6),
        (own - there, TRAINED, 2.6),
    ):
        segments = [[(onset + 0.15, midi), (onset + length - 0.15, midi)] for onset, length, midi in which]
        axes.add_collection(LineCollection(segments, colors=color, linewidths=width, capstyle="butt"))
    axes.xaxis.grid(True)
    axes.tick_params(axis="both", length=2, labelsize=7.5)


def _played(roll: np.ndarray) -> set[tuple[int, int, int]]:
    played = notes(roll[None])
    return set(zip(played.onsets.tolist(), played.durations.tolist(), played.midi.tolist(), strict=True))


def _row_label(one: xr.Dataset) -> str:
    return f"rank {int(one['rank'])}" + " (last)" * bool(one["is_unused"])


def _legend(axes: Axes) -> None:
    for color, width, what in (
        ("#9A9A9A", 2.6, "as at 0"),
        (TRAINED, 2.6, "changed"),
        (GONE, 1.0, "gone from 0"),
    ):
        axes.plot([], [], color=color, lw=width, label=what)


def _changed(result: xr.Dataset) -> str:
    said = []
    for i in range(result.sizes["rank"]):
        one = result.isel(rank=i)
        ends = [100 * float(one["changed"].isel(dose=k)) for k in (0, -1)]
        who = "the least relevant dimension" if bool(one["is_unused"]) else f"rank {int(one['rank'])}"
        said.append(f"{who} {ends[0]:.0f} % and {ends[1]:.0f} %")
    low, high = (float(result["dose"][k]) for k in (0, -1))
    return (
        f"Over all {int(result.attrs['n_melodies'])} melodies, steps that differ at {low:g} and at {high:g}: "
        f"{listed(said)}."
    )


def _chosen(result: xr.Dataset) -> np.ndarray:
    """Choose the claimed features and those that follow most, of a vector one entry; in their own order."""
    names = result["feature"].values.astype(str)
    claimed = set(result["claimed_feature"].values.ravel().tolist())
    first = [i for i, n in enumerate(names) if n in claimed]
    strength = np.nan_to_num(result["concordance"].values).max(0)
    ids = result["feature_id"].values.astype(str)
    known, rest = {ids[i] for i in first}, []
    for i in np.argsort(-strength, kind="stable"):
        if ids[i] not in known:
            known.add(ids[i])
            rest.append(i)
    return np.sort(np.array([*first, *rest[: max(0, FEATURES - len(first))]], dtype=int))


def _matrix(figure: FigureBase, axes: Axes, shown: xr.Dataset) -> None:
    moved = (shown["p_corrected"] <= ALPHA).transpose("feature", "rank").values
    direction = shown["direction"].transpose("feature", "rank").values
    mesh = axes.imshow(
        direction, cmap="PuOr", vmin=-1, vmax=1, aspect="auto", interpolation="nearest",
        alpha=np.where(moved, 1.0, 0.15),
    )  # fmt: skip
    names = shown["feature"].values.astype(str)
    for k in range(shown.sizes["rank"]):
        said = dict(zip(shown["claimed_feature"].values[k], shown["verdict"].values[k], strict=True))
        for row, feature in enumerate(names):
            marker, size = MARKS.get(said.get(feature, ""), (".", 2.5) if moved[row, k] else ("", 0))
            ink = "white" if moved[row, k] and abs(direction[row, k]) > DARK_ABOVE else "black"
            axes.plot(k, row, marker, color=ink, mfc="none", ms=size, mew=1.3)
    labels = [label(i, n) for i, n in zip(shown["feature_id"].values.astype(str), names, strict=True)]
    axes.set_yticks(range(len(names)), labels, fontsize=7)
    ranks = [f"{n}\n(last)" if u else f"{n}" for n, u in zip(
        shown["rank"].values, shown["is_unused"].values, strict=True)]  # fmt: skip
    axes.set_xticks(range(len(ranks)), ranks)
    axes.set_xlabel("dimension, by relevance (rank)")
    axes.tick_params(axis="both", length=0)
    axes.grid(False)
    for above, (one, other) in enumerate(pairwise(shown["feature_group"].values.astype(str))):
        if one != other:
            axes.axhline(above + 0.5, color=DARK, lw=0.8)
    bar = figure.colorbar(mesh, ax=axes, aspect=30, pad=0.02, ticks=[-1, 0, 1])
    bar.set_label("falls (-1) or rises (1)", size=LABEL_SIZE)


def _curves(axes: Axes, one: xr.Dataset) -> None:
    names, ids = one["feature"].values.astype(str), one["feature_id"].values.astype(str)
    said = []
    for group, claimed in zip(one["group"].values, one["claimed_feature"].values, strict=True):
        if claimed in names:
            place = int(np.flatnonzero(names == claimed)[0])
            color, style = GROUP_LOOKS[str(group)]
            axes.plot(
                one["dose"], one["response"].isel(feature=place), style, color=color, ms=3.5, label=group
            )
            said.append(ids[place])
    axes.set_title(f"{int(one['rank'])}: {', '.join(said)}", fontsize=8.5)
    axes.set_xticks([float(one["dose"][0]), 0, float(one["dose"][-1])])
    axes.set_xlim(float(one["dose"][0]) * 1.1, float(one["dose"][-1]) * 1.1)


def _verdicts(result: xr.Dataset) -> str:
    moved = result.isel(rank=np.flatnonzero(~result["is_unused"].values))
    verdicts = moved["verdict"].values.astype(str)
    confirmed, contradicted = (int((verdicts == v).sum()) for v in ("confirmed", "contradicted"))
    said = []
    for i in range(min(CURVES, moved.sizes["rank"])):
        one = moved.isel(rank=i)
        each = [
            f"{g} {_called(result, c)} {v}"
            for g, c, v in zip(one["group"].values, one["claimed_feature"].values, verdicts[i], strict=True)
            if v in MARKS
        ]
        said.append(f"rank {int(one['rank'])} {', '.join(each) or 'none'}")
    return (
        f"Of {confirmed + contradicted} correlations above the null, moving the dimension confirms "
        f"{confirmed} and contradicts {contradicted}: {listed(said)}."
    )


def _called(result: xr.Dataset, feature: str) -> str:
    place = np.flatnonzero(result["feature"].values == feature)
    return str(result["feature_id"].values[place[0]]) if len(place) else feature


def _unused(result: xr.Dataset) -> str:
    one = result.isel(rank=np.flatnonzero(result["is_unused"].values))
    if not one.sizes["rank"]:
        return ""
    features = int((one["p_corrected"] <= ALPHA).sum())
    share = 100 * float(one["changed"].max())
    verdict = "as unused ones should" if features == 0 else "so it is in use"
    return (
        f"The least relevant dimension, moved as a control, changes {share:.1f} % of steps at most and moves "
        f"{features} features, {verdict}."
    )
