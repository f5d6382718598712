"""Compositional stability: index over density and level, by kind of component, and whom one is taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import by_density, of_kind
from ...writing import listed
from ..drawing import DARK, LABEL_SIZE, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend, seeds_label

STFT = "filterbank:stft"
COLUMNS, MATRICES = 3, 4  # panels to a row
FLOOR = 1e-8  # additivity errors below it are drawn at it
LINEAR, COLUMN, LINE = (
    1e-6,
    20.0,
    0.055,
)  # labels: what stands at the edge, where others stand, and how far apart
KINDS = {"partial": "partials", "pitch": "pitches", "chord": "chords"}


def index_by_density(result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw index and AUC of partials over the number of others, a panel per stage.

    Parameters
    ----------
    result : xarray.Dataset
        Group "compositionality" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.
    """
    stages = [str(s) for s in result["stage"].values]
    rows = -(-len(stages) // COLUMNS)
    level = float(of_kind(result)["component_level_dbfs"])
    with canvas(1.3 + 1.75 * rows, f"{name}: partials in context") as figure:
        grid = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, stage in zip(grid, stages, strict=False):
            _density_panel(axes, result, random, stage)
            axes.set_title(stage)
        for axes in grid[len(stages) :]:
            axes.set_axis_off()
        for axes in grid[max(0, len(stages) - COLUMNS) : len(stages)]:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("others that sound")
        figure.supylabel("index, AUC (1)", size=LABEL_SIZE)
        one_legend(figure, columns=4)
    return Illustration(
        "compositionality",
        "Compositional stability",
        figure,
        "Does a partial keep a place of its own when more partials sound?",
        "Index: how much more a partial's response plane resembles its own in other contexts than other "
        "partials' planes (1 separable and stable, 0 neither); AUC: how often it does (0.5 by chance). "
        f"Shaded: 95 % over partials and contexts. From the fewest to the most others, at {level:g} dBFS "
        "each: "
        + listed([f"{s} {_ends(result, random, s)}" for s in stages])
        + "."
        + _said_of_levels(result, stages),
        f"Index and area under the curve over the number of accompanying partials for {name} and its random "
        f"networks, one panel per stage ({', '.join(stages)}).",
    )


def _density_panel(axes: Axes, result: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> None:
    one = by_density(result.sel(stage=stage))
    axes.fill_between(one["density"], one["index_low"], one["index_high"], color=TRAINED, alpha=0.25, lw=0)
    axes.plot(one["density"], one["index"], "o-", color=TRAINED, ms=4, label="index")
    axes.plot(one["density"], one["auc"], "s--", color=THIRD, ms=3.5, lw=1.2, label="AUC")
    there = [r for r in random if stage in r["stage"].values]
    for i, r in enumerate(there):
        other = by_density(r.sel(stage=stage))
        axes.plot(
            other["density"], other["index"], "^:", color=RANDOM, ms=3.5, lw=1.2,
            label=f"index, {seeds_label(len(there))}" if i == 0 else None,
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    ticks = one["density"].values.tolist()
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_ylim(-0.08, 1.05)


def _ends(result: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> str:
    def ends(one: xr.Dataset) -> str:
        values = by_density(one.sel(stage=stage))["index"].values
        return f"{values[0]:.2f} to {values[-1]:.2f}"

    found = dict.fromkeys(ends(r) for r in random if stage in r["stage"].values)
    return ends(result) + (f" (random {' and '.join(found)})" if found else "")


def _said_of_levels(result: xr.Dataset, stages: Sequence[str]) -> str:
    """Say how the index moves with level, where several were played among equally many others."""
    others = of_kind(result)["density"].item()
    same = (result["component_kind"].values == "partial") & (result["density"].values == others)
    swept = result.isel(condition=np.flatnonzero(same)).sortby("component_level_dbfs")
    if swept.sizes["condition"] < 2:
        return ""
    levels = " / ".join(f"{v:g}" for v in swept["component_level_dbfs"].values)
    index = [f"{s} {' / '.join(f'{v:.2f}' for v in swept['index'].sel(stage=s).values)}" for s in stages]
    return f" Among {others} others at {levels} dBFS: {listed(index)}."


def index_by_kind(
    result: xr.Dataset,
    random: Sequence[xr.Dataset] = (),
    controls: Mapping[str, xr.Dataset] | None = None,
    name: str = "",
) -> Illustration:
    """Draw the index of partials, pitches and chords at every stage, trained beside random.

    Parameters
    ----------
    result, random, name
        As in `index_by_density`.
    controls : mapping of str to xarray.Dataset
        The STFT's among them are drawn as a line.
    """
    stages = [str(s) for s in result["stage"].values]
    kinds = [kind for kind in KINDS if kind in result["component_kind"].values]
    ideal = (controls or {}).get(STFT)
    with canvas(3.2, f"{name}: from partials to chords") as figure:
        grid = np.atleast_1d(figure.subplots(1, len(kinds), sharey=True))
        for axes, kind in zip(grid, kinds, strict=True):
            _kind_panel(axes, result, random, kind, stages)
            if ideal is not None:
                level = float(of_kind(ideal, kind)["index"].isel(stage=0))
                axes.axhline(level, color=DARK, ls="--", lw=1, label=STFT)
        grid[0].set_ylabel("index (1)")
        one_legend(figure, columns=2)
    return Illustration(
        "compositionality_kinds",
        "Partials, pitches, chords",
        figure,
        "Are pitches and chords represented as stably as the partials they are made of?",
        "Pitches change their envelope from context to context, chords their inversion and voicing, so that "
        "they share partials with one another; what that does to an analyser that separates all partials "
        "the dashed line shows. " + listed([_said_of_kind(result, kind) for kind in kinds]) + ".",
        f"Index of {', '.join(map(KINDS.__getitem__, kinds))} at each stage of {name} with 95 % intervals, "
        "beside random weights.",
    )


def _kind_panel(
    axes: Axes, result: xr.Dataset, random: Sequence[xr.Dataset], kind: str, stages: Sequence[str]
) -> None:
    one, place = of_kind(result, kind), np.arange(len(stages))
    middle = one["index"].values
    reach = [middle - one["index_low"].values, one["index_high"].values - middle]
    axes.errorbar(
        place - 0.12, middle, np.maximum(reach, 0), fmt="o", color=TRAINED, ms=5, capsize=2,
        label="index, 95 % over components and contexts",
    )  # fmt: skip
    for i, r in enumerate(random):
        values = of_kind(r, kind)["index"].reindex(stage=stages).values
        axes.plot(
            place + 0.15, values, "^", color=RANDOM, ms=5, label="random weights, by seed" if i == 0 else None
        )
    axes.set_xticks(place, stages, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_xlim(-0.5, len(stages) - 0.5)
    axes.set_ylim(-0.08, 1.05)
    others = int(one["density"])
    axes.set_title(KINDS[kind] + (f", {others} other{'s' * (others > 1)}" if others else ""))


def _said_of_kind(result: xr.Dataset, kind: str) -> str:
    one = of_kind(result, kind)
    numbers = [
        f"{s} {float(i):.2f} (AUC {float(a):.2f})"
        for s, i, a in zip(one["stage"].values, one["index"], one["auc"], strict=True)
    ]
    return f"{KINDS[kind]}: {', '.join(numbers)}"


def overlap_matrices(result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw which partial's plane overlaps with which, per stage, trained above one random network.

    Parameters
    ----------
    result, random, name
        As in `index_by_density`.
    """
    stages = [str(s) for s in result["stage"].values]
    shown = [(name, of_kind(result))]
    shown += [("random weights", of_kind(r)) for r in random[:1]]
    wide = min(MATRICES, len(stages))
    portions = [stages[i : i + wide] for i in range(0, len(stages), wide)]
    rows = [(title, one, portion) for portion in portions for title, one in shown]
    with canvas(1.25 + 1.25 * len(rows), f"{name}: whom a partial is taken for") as figure:
        grid = figure.subplots(len(rows), wide, squeeze=False)
        for axes_row, (title, one, portion) in zip(grid, rows, strict=True):
            for axes, stage in zip(axes_row, portion, strict=False):
                _matrix(axes, one, stage)
                if one is shown[0][1]:
                    axes.set_title(stage)
            for axes in axes_row[len(portion) :]:
                axes.set_axis_off()
            axes_row[0].set_ylabel(title, fontsize=8.5)
        mesh = grid[0, 0].images[0] if grid[0, 0].images else None
        if mesh is not None:
            bar = figure.colorbar(mesh, ax=grid, shrink=0.9, aspect=25, pad=0.02)
            bar.set_label("overlap (1)", size=LABEL_SIZE)
        low, high = (float(shown[0][1]["component_frequency"].values[i]) for i in (0, -1))
        figure.supxlabel(f"partial, {low:.0f} Hz (left, top) to {high / 1000:.0f} kHz", size=LABEL_SIZE)
    one = shown[0][1]
    said = [
        f"{s} diagonal {float(a):.2f}, elsewhere {float(b):.2f}"
        for s, a, b in zip(
            stages, one["stability"].mean("component"), one["confusion"].mean("component"), strict=True
        )
    ]
    return Illustration(
        "overlap",
        "Whom a partial is taken for",
        figure,
        "Does a partial's response plane resemble only itself in other contexts?",
        f"Among {int(one['density'])} others at {float(one['component_level_dbfs']):g} dBFS. Bright "
        "diagonal: stable; dark elsewhere: separable. Uniformly bright: all is one; uniformly dark: nothing "
        "recurs. " + listed(said) + ".",
        f"Matrices of the overlap between response planes of {one.sizes['component']} partials in different "
        f"contexts for {name} and random weights, one per stage.",
    )


def _matrix(axes: Axes, one: xr.Dataset, stage: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    if stage not in one["stage"].values:
        axes.set_axis_off()
        return
    table = one["overlap"].sel(stage=stage).mean("context_pair").values
    there = np.isfinite(table[0])
    table = (table + table.T)[np.ix_(there, there)] / 2
    axes.imshow(table, vmin=0, vmax=1, interpolation="nearest")


def additivity_lesson(
    result: xr.Dataset,
    random: Sequence[xr.Dataset] = (),
    controls: Mapping[str, xr.Dataset] | None = None,
    name: str = "",
) -> Illustration:
    """Draw the index against the additivity error: who is additive, and who is compositional.

    Parameters
    ----------
    result, random, controls, name
        As in `index_by_kind`; all controls are drawn.
    """
    beside = {control: of_kind(found).isel(stage=0) for control, found in (controls or {}).items()}
    one = of_kind(result)
    with canvas(3.9, f"{name}: additivity is not compositionality") as figure:
        axes = figure.subplots()
        for i, other in enumerate(map(of_kind, random)):
            axes.plot(
                _clipped(other), other["index"], "^", color=RANDOM, ms=5,
                label="random weights" if i == 0 else None,
            )  # fmt: skip
        axes.plot(_clipped(one), one["index"], "o", color=TRAINED, ms=6, label=name)
        named = [
            (str(s), float(x), float(y), TRAINED)
            for s, x, y in zip(one["stage"].values, _clipped(one), one["index"].values, strict=True)
        ]
        for i, (control, at) in enumerate(beside.items()):
            x, y = float(_clipped(at)), float(at["index"])
            axes.plot(x, y, "X", color=DARK, ms=7, label="controls" if i == 0 else None)
            named.append((control.split(":")[-1], x, y, DARK))
        _label(axes, named)
        axes.set_xscale("log")
        axes.set_xlim(0.5 * FLOOR, 1e4)
        axes.set_xticks([1e-8, 1e-6, 1e-4, 1e-2, 1])
        axes.set_ylim(-0.12, 1.12)
        axes.set_xlabel("additivity error (share of power; $10^{-8}$: that or less)")
        axes.set_ylabel("index of compositional stability (1)")
        one_legend(figure, columns=3)
    additive = [f"{c} {float(o['index']):.2f}" for c, o in beside.items() if _clipped(o) <= LINEAR]
    return Illustration(
        "lesson",
        "Additivity is not compositionality",
        figure,
        "Does a representation that adds up also keep its components apart?",
        "To the left mixtures are sums of their parts, to the top parts are separable and stable. A linear "
        "stage lies at the left edge, at whatever height"
        + (f": {', '.join(additive)}" if additive else "")
        + f". Partials among {int(one['density'])} others at {float(one['component_level_dbfs']):g} dBFS.",
        f"Index against additivity error for the stages of {name}, its random networks and the controls.",
    )


def _clipped(one: xr.Dataset) -> np.ndarray:
    return one["additivity_error"].clip(FLOOR).values


def _label(axes: Axes, named: Sequence[tuple[str, float, float, str]]) -> None:
    """Name points (name, x, y, colour): those of the left edge beside them, all others in one column."""
    edge = [one for one in named if one[1] <= LINEAR]
    for place in dict.fromkeys(round(y, 1) for _, _, y, _ in edge):
        near = [one for one in edge if round(one[2], 1) == place]
        text = ", ".join(n for n, *_ in near)
        axes.annotate(text, near[0][1:3], (7, -3), textcoords="offset points", fontsize=7.5, color=near[0][3])
    below = -np.inf
    for text, x, y, colour in sorted((one for one in named if one[1] > LINEAR), key=lambda one: one[2]):
        below = max(y, below + LINE)
        axes.annotate(
            text, (x, y), (COLUMN, below), fontsize=7.5, color=colour, va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.5, "alpha": 0.6},
        )  # fmt: skip
