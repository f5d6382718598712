"""Latents moved one at a time: what becomes of a melody, and which features follow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import FigureBase

from ....probes.statistics.resampling import ALPHA
from ....synth.melodies import STEPS_PER_BAR, notes
from ...audio import NOTES
from ..drawing import DARK, LABEL_SIZE, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend
from ..panels import MOST_ROWS, across
from .features import label

MOST_ROWS_OF_ROLLS = 5  # dimensions drawn as rolls, and the unused one below
SHOWN_DOSES = (-3.0, -1.0, 0.0, 1.0, 3.0)
FEATURES = 25  # rows of the matrix
ROW_IN = 0.15
CURVES = 3  # dimensions whose dose and response are drawn
GROUP_LOOKS = {"pitch": (TRAINED, "o-"), "rhythm": (RANDOM, "s--"), "melody": (THIRD, "^:")}
GONE, KEPT = "#D55E00", "#9A9A9A"
DARK_ABOVE = 0.6  # of the direction: cells so dark that marks on them are white
GAP = 0.08  # between rolls that stand side by side, as a share of one
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
    moved = np.flatnonzero(~result["is_unused"].values)[:MOST_ROWS_OF_ROLLS]
    shown = result.isel(rank=[*moved, *np.flatnonzero(result["is_unused"].values)])
    doses = [d for d in SHOWN_DOSES if d in shown["dose"].values]
    steps, rows = shown.sizes["step"], shown.sizes["rank"]
    low, high = _pitch_limits(shown["example"].sel(dose=doses).values)
    starts = np.arange(len(doses)) * (1 + GAP) * steps
    with canvas(1.3 + 0.8 * rows, f"{name}: one melody, one latent moved") as figure:
        grid = figure.subplots(rows, 1, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, rank in zip(grid, shown["rank"].values, strict=True):
            one = shown.sel(rank=rank)
            _rolls(axes, one["example"].sel(dose=doses).values, one["example"].sel(dose=0.0).values, starts)
            for start in starts[1:]:
                axes.axvspan(start - GAP * steps, start, color="#ECECEC", lw=0)
            axes.set_ylabel(_row_label(one), fontsize=8)
        for start, dose in zip(starts, doses, strict=True):
            said = f"{dose:+g}" if dose else "0"
            grid[0].text(start + steps / 2, 1.04, said, ha="center", transform=grid[0].get_xaxis_transform(),
                         fontsize=9, fontweight="bold")  # fmt: skip
        grid[0].set_title(" ")  # it keeps the place of the values above
        _bar_axis(grid[-1], starts, steps)
        octaves = [m for m in range(12 * (low // 12), high + 1, 12) if low <= m <= high]
        grid[0].set_yticks(octaves, [note_name(m) for m in octaves])
        grid[0].set(xlim=(0, starts[-1] + steps), ylim=(low, high))
        _legend(grid[0])
        one_legend(figure, columns=3)
    return Illustration(
        "traversal-rolls",
        "One melody, one latent moved",
        figure,
        "What becomes of a melody when one dimension takes one value after another?",
        "The first of the melodies that were moved, not the best; a row a dimension, a column a value. In "
        "grey the notes as they are with the dimension at 0, in colour those that begin, end or lie "
        "elsewhere. The data tell how many steps change over all melodies.",
        f"Piano rolls of one melody decoded by {name}, a row for each of {rows} dimensions, a column for "
        f"each value from {doses[0]:g} to {doses[-1]:g}; changed notes in colour.",
        "One melody, decoded again with one latent at one value after another: what changes is in colour.",
        pd.DataFrame(
            [
                {"dimension (rank)": int(one["rank"]), "least relevant": "yes" if one["is_unused"] else "no",
                 "value (sd)": float(dose), "steps changed (%)": 100 * float(one["changed"].sel(dose=dose))}
                for i in range(result.sizes["rank"])
                for one in [result.isel(rank=i)]
                for dose in one["dose"].values
            ][:MOST_ROWS]
        ),
    )  # fmt: skip


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
        grid = np.atleast_1d(parts[1, 0].subplots(1, across(curves), sharey=True))
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
        "Colour: mean rank correlation of value and feature, pale where melodies do not agree (corrected p "
        f"above {ALPHA:g}), a dot where they do. Ringed: the feature of its group that the dimension goes "
        "with most, where moving it confirms that; crossed where it contradicts it. Below, how far those "
        "features change; values beyond 2 are rare under the prior.",
        f"Matrix of {len(chosen)} features by {result.sizes['rank']} dimensions of {name}, coloured by "
        "direction, and curves of the change of features over the value of the first dimensions.",
        "Which features rise or fall as a latent is moved; ringed, those that its correlations foretold.",
        _effects(result, chosen),
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


def _rolls(axes: Axes, rolls: np.ndarray, base: np.ndarray, starts: np.ndarray) -> None:
    """Draw rolls side by side: notes as at dose 0 in grey, others in colour, lost ones thin."""
    there = _played(base)
    segments: dict[tuple[str, float], list] = {(GONE, 1.0): [], (KEPT, 2.6): [], (TRAINED, 2.6): []}
    for roll, start in zip(rolls, starts, strict=True):
        own = _played(roll)
        for which, look in zip((there - own, own & there, own - there), segments, strict=True):
            segments[look] += [
                [(start + onset + 0.15, midi), (start + onset + length - 0.15, midi)]
                for onset, length, midi in which
            ]
    for (color, width), some in segments.items():
        axes.add_collection(LineCollection(some, colors=color, linewidths=width, capstyle="butt"))
    axes.tick_params(axis="both", length=2, labelsize=7.5)


def _bar_axis(axes: Axes, starts: np.ndarray, steps: int) -> None:
    """Put the numbers of bars below every roll."""
    bars = np.arange(0, steps, STEPS_PER_BAR * max(1, steps // STEPS_PER_BAR // 4))
    places = [start + bar for start in starts for bar in bars]
    axes.set_xticks(places, [f"{bar // STEPS_PER_BAR + 1}" for _ in starts for bar in bars])
    axes.set_xlabel("bar; above, the value of the latent (sd of the prior)")


def _played(roll: np.ndarray) -> set[tuple[int, int, int]]:
    played = notes(roll[None])
    return set(zip(played.onsets.tolist(), played.durations.tolist(), played.midi.tolist(), strict=True))


def _row_label(one: xr.Dataset) -> str:
    return f"rank {int(one['rank'])}" + " (last)" * bool(one["is_unused"])


def _legend(axes: Axes) -> None:
    for color, width, what in (
        (KEPT, 2.6, "as at 0"),
        (TRAINED, 2.6, "changed"),
        (GONE, 1.0, "gone from 0"),
    ):
        axes.plot([], [], color=color, lw=width, label=what)


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
    for (marker, size, ink), cells in _marks(shown, moved, direction).items():
        axes.plot(*np.transpose(cells), marker, color=ink, mfc="none", ms=size, mew=1.3, ls="none")
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


def _marks(
    shown: xr.Dataset, moved: np.ndarray, direction: np.ndarray
) -> dict[tuple[str, float, str], list[tuple[int, int]]]:
    """Return the cells (rank, feature) that have a mark, by marker, size and colour."""
    found: dict[tuple[str, float, str], list[tuple[int, int]]] = {}
    for k in range(shown.sizes["rank"]):
        said = _said_of(shown.isel(rank=k))
        for row, feature in enumerate(shown["feature"].values.astype(str)):
            marker, size = MARKS.get(said.get(feature, ""), (".", 2.5) if moved[row, k] else ("", 0))
            if marker:
                ink = "white" if moved[row, k] and abs(direction[row, k]) > DARK_ABOVE else "black"
                found.setdefault((marker, size, ink), []).append((k, row))
    return found


def _said_of(one: xr.Dataset) -> dict[str, str]:
    """Return what was claimed of a dimension: the verdict by feature."""
    return dict(
        zip(one["claimed_feature"].values.astype(str), one["verdict"].values.astype(str), strict=True)
    )


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


def _effects(result: xr.Dataset, chosen: np.ndarray) -> pd.DataFrame:
    """Return direction, agreement and verdict of every cell, and what moving a dimension changes at most."""
    rows = []
    for k in range(result.sizes["rank"]):
        one = result.isel(rank=k)
        said, names = _said_of(one), one["feature"].values.astype(str).tolist()
        moved = int((one["p_corrected"] <= ALPHA).sum())
        for i in chosen:
            rows.append({
                "dimension (rank)": int(one["rank"]),
                "feature": f"{one['feature_id'].values[i]} {names[i]}",
                "direction (-1 to 1)": float(one["direction"][i]),
                "p, corrected": float(one["p_corrected"][i]),
                "foretold": said.get(names[i], ""),
                "features moved": moved,
                "steps changed at most (%)": 100 * float(one["changed"].max()),
            })  # fmt: skip
    return pd.DataFrame(rows[:MOST_ROWS])
