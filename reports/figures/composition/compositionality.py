"""Compositional stability: index over density and level, by kind of component, and whom one is taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import by_density, of_kind
from ...writing import counted
from ..drawing import (
    DARK,
    LABEL_SIZE,
    RANDOM,
    TRAINED,
    Illustration,
    canvas,
    hint,
    one_legend,
    seeds_label,
)
from ..panels import (
    MOST_ROWS,
    drawn_stages,
    left_out,
    mean_of,
    panel_rows,
    panels,
    shortened,
    stage_rows,
)

STFT = "filterbank:stft"
MATRICES = 4  # panels to a row
FLOOR = 1e-8  # additivity errors below it are drawn at it
LINEAR = 1e-6  # up to it a stage stands at the left edge
LEFT, RIGHT, LINE = 2e-9, 20.0, 0.06  # where the columns of labels stand, and how far apart their lines
INDEX = ["index", "index_low", "index_high", "auc"]  # a whole result takes long to cut up
KINDS = {"partial": "partials", "pitch": "pitches", "chord": "chords"}


def index_by_density(result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the plane index of partials over the number of others, a panel per stage.

    Parameters
    ----------
    result : xarray.Dataset
        Group "compositionality" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.
    """
    result, random = result[INDEX], [one[INDEX] for one in random]
    stages = drawn_stages(result)
    level = float(of_kind(result)["component_level_dbfs"])
    with canvas(1.3 + 1.6 * panel_rows(len(stages)), f"{name}: partials in context") as figure:
        for axes, stage in zip(panels(figure, len(stages), "others that sound"), stages, strict=True):
            _density_panel(axes, result, random, stage)
            axes.set_title(shortened(stage, 16))
        figure.supylabel("index (1)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "compositionality",
        "Compositional stability",
        figure,
        "Does a partial keep a place of its own when more partials sound?",
        "Index: how much more a partial's response plane resembles its own in other contexts than other "
        "partials' planes (1 separable and stable, 0 neither). Shaded: 95 % over partials and contexts, each "
        f"at {level:g} dBFS.{left_out(result)}",
        f"Plane index over the number of accompanying partials for {name} and its random networks, one panel "
        f"per stage ({', '.join(stages)}).",
        "A partial keeps a plane of its own (1) or loses it (0) as more others sound, beside random weights.",
        _conditions(result, random, ("partial",), stages),
    )


def _density_panel(axes: Axes, result: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> None:
    one = by_density(result.sel(stage=stage))
    axes.fill_between(one["density"], one["index_low"], one["index_high"], color=TRAINED, alpha=0.25, lw=0)
    axes.plot(one["density"], one["index"], "o-", color=TRAINED, ms=4, label="encoder, 95 %")
    there = [by_density(r.sel(stage=stage)) for r in random if stage in r["stage"].values]
    if there:
        mean = mean_of([r["index"].values for r in there], there[0]["index"].values)
        axes.plot(there[0]["density"], mean, "--", color=RANDOM, lw=1.2, label=seeds_label(len(there)))
    axes.set_xscale("log", base=2)
    ticks = one["density"].values.tolist()
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_ylim(-0.08, 1.05)


def _conditions(
    result: xr.Dataset, random: Sequence[xr.Dataset], kinds: Sequence[str], stages: Sequence[str]
) -> pd.DataFrame:
    """Return index and AUC at every condition of some kinds, with the index of every random network."""
    rows = []
    for i in np.flatnonzero(np.isin(result["component_kind"].values, kinds)):
        for stage in stages:
            one = result.isel(condition=i).sel(stage=stage)
            row = {
                "of": KINDS[str(one["component_kind"].item())],
                "stage": stage,
                "others": int(one["density"]),
                "level (dBFS)": float(one["component_level_dbfs"]),
                "index": float(one["index"]),
                "low (95 %)": float(one["index_low"]),
                "high (95 %)": float(one["index_high"]),
                "AUC": float(one["auc"]),
            }
            for k, other in enumerate(random, 1):
                there = stage in other["stage"].values
                value = float(other.isel(condition=i).sel(stage=stage)["index"]) if there else np.nan
                row[f"index, random weights {k}"] = value
            rows.append(row)
    return pd.DataFrame(rows[:MOST_ROWS])


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
    result, random = result[INDEX], [one[INDEX] for one in random]
    stages = [str(s) for s in result["stage"].values]
    kinds = [kind for kind in KINDS if kind in result["component_kind"].values]
    ideal = (controls or {}).get(STFT)
    with canvas(1.6 + 0.24 * len(stages), f"{name}: from partials to chords") as figure:
        grid = panels(figure, len(kinds), "index (1)")
        for axes, kind in zip(grid, kinds, strict=True):
            _kind_panel(axes, result, random, kind, stages)
            if ideal is not None:
                level = float(of_kind(ideal[INDEX], kind)["index"].isel(stage=0))
                axes.axvline(level, color=DARK, ls="--", lw=1, label="STFT")
        one_legend(figure, columns=3)
    table = _conditions(result, random, kinds, stages)
    if ideal is not None:
        limits = {KINDS[kind]: float(of_kind(ideal[INDEX], kind)["index"].isel(stage=0)) for kind in kinds}
        table["index of the STFT"] = [limits[str(kind)] for kind in table["of"]]
    return Illustration(
        "compositionality_kinds",
        "Partials, pitches, chords",
        figure,
        "Are pitches and chords represented as stably as the partials they are made of?",
        "Pitches change their envelope from context to context, chords their inversion and voicing, so that "
        "they share partials with one another; what that does to an analyser that separates all partials "
        "the dashed line shows.",
        f"Index of {', '.join(KINDS[kind] for kind in kinds)} at each stage of {name} with 95 % intervals, "
        "beside random weights.",
        "The plane index of partials, pitches and chords at every stage, from 0 to 1.",
        table,
    )


def _kind_panel(
    axes: Axes, result: xr.Dataset, random: Sequence[xr.Dataset], kind: str, stages: Sequence[str]
) -> None:
    one, y = of_kind(result, kind), stage_rows(stages)
    axes.hlines(y + 0.1, one["index_low"], one["index_high"], color=TRAINED, lw=1.4)
    (line,) = axes.plot(one["index"], y + 0.1, "o", color=TRAINED, ms=5, label="index, 95 %")
    hint(line, f"{KINDS[kind]}: " + ", ".join(f"{v:z.2f}" for v in one["index"].values))
    for r in random:
        values = of_kind(r, kind)["index"].reindex(stage=list(stages)).values
        axes.plot(values, y - 0.18, "^", color=RANDOM, ms=4, label="random weights, by seed")
    axes.set_yticks(y, [shortened(stage, 20) for stage in stages])
    axes.set(ylim=(0.5, len(stages) + 0.5), xlim=(-0.08, 1.05), xticks=[0, 0.5, 1])
    others = int(one["density"])
    among = f", {counted(others, 'other')}" if others else ""
    axes.set_title(KINDS[kind] + among, fontsize=8.5)


def overlap_matrices(result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw which partial's plane overlaps with which, per stage, trained above one random network.

    Parameters
    ----------
    result, random, name
        As in `index_by_density`.
    """
    stages = drawn_stages(result, 2 * MATRICES)
    one = of_kind(result)
    shown = [(name or "encoder", one), *(("random weights", of_kind(r)) for r in random[:1])]
    wide = min(MATRICES, len(stages))
    portions = [stages[i : i + wide] for i in range(0, len(stages), wide)]
    rows = [(title, each, portion) for portion in portions for title, each in shown]
    with canvas(1.15 + min(1.02, 4.4 / wide) * len(rows), f"{name}: whom a partial is taken for") as figure:
        grid = figure.subplots(len(rows), wide, squeeze=False, sharex=True, sharey=True)
        for axes_row, (title, each, portion) in zip(grid, rows, strict=True):
            for axes, stage in zip(axes_row, portion, strict=False):
                _matrix(axes, each, stage)
                if each is one:
                    axes.set_title(shortened(stage, 13), fontsize=8.5)
            for axes in axes_row[len(portion) :]:
                axes.set_axis_off()
            axes_row[0].set_ylabel(shortened(title, 15), fontsize=8.5)
        _component_ticks(grid[0, 0], one["component_frequency"].values)
        if grid[0, 0].images:
            bar = figure.colorbar(grid[0, 0].images[0], ax=grid, shrink=0.9, aspect=25, pad=0.02)
            bar.set_label("overlap (1)", size=LABEL_SIZE)
        figure.supxlabel("partial (Hz), both ways", size=LABEL_SIZE)
    return Illustration(
        "overlap",
        "Whom a partial is taken for",
        figure,
        "Does a partial's response plane resemble only itself in other contexts?",
        f"Among {int(one['density'])} others at {float(one['component_level_dbfs']):g} dBFS. Bright "
        "diagonal: stable; dark elsewhere: separable. Uniformly bright: all is one; uniformly dark: nothing "
        f"recurs.{left_out(result, 2 * MATRICES)}",
        f"Matrices of the overlap between response planes of {one.sizes['component']} partials in different "
        f"contexts for {name} and random weights, one per stage.",
        "Overlap of each partial's plane with every other's: a bright diagonal on dark ground keeps them "
        "apart.",
        _overlaps(shown, stages),
    )


def _matrix(axes: Axes, one: xr.Dataset, stage: str) -> None:
    axes.grid(False)
    if stage not in one["stage"].values:
        axes.set_axis_off()
        return
    table = one["overlap"].sel(stage=stage).mean("context_pair").values
    there = np.isfinite(table[0])
    table = (table + table.T)[np.ix_(there, there)] / 2
    axes.imshow(table, vmin=0, vmax=1, interpolation="nearest")


def _component_ticks(axes: Axes, frequency_hz: np.ndarray) -> None:
    """Put three ticks on axes that count partials: the lowest, one in the middle, the highest."""
    known = frequency_hz[np.isfinite(frequency_hz)]
    places = sorted({0, len(known) // 2, len(known) - 1})
    labels = [f"{known[i]:.0f}" if known[i] < 1000 else f"{known[i] / 1000:.2g}k" for i in places]
    axes.set_xticks(places, labels, fontsize=7.5)
    axes.set_yticks(places, labels, fontsize=7.5)


def _overlaps(shown: Sequence[tuple[str, xr.Dataset]], stages: Sequence[str]) -> pd.DataFrame:
    """Return diagonal and the mean elsewhere, of all partials and, while they fit, of each."""
    means, rows = [], []
    for title, one in shown:
        for stage in (s for s in stages if s in one["stage"].values):
            own, others = (one[v].sel(stage=stage) for v in ("stability", "confusion"))
            head = {"weights": title, "stage": stage}
            means.append({**head, "partial": "all", "diagonal": float(own.mean()),
                          "elsewhere": float(others.mean())})  # fmt: skip
            for i, frequency in enumerate(one["component_frequency"].values):
                if np.isfinite(frequency):
                    rows.append({**head, "partial": f"{frequency:.0f} Hz", "diagonal": float(own[i]),
                                 "elsewhere": float(others[i])})  # fmt: skip
    return pd.DataFrame([*means, *rows][:MOST_ROWS])


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
    names = ["index", "additivity_error"]
    one, random = of_kind(result[names]), [other[names] for other in random]
    named = [(str(s), "stage", one.sel(stage=s)) for s in one["stage"].values]
    named += [(c, "control", of_kind(found[names]).isel(stage=0)) for c, found in (controls or {}).items()]
    places = [(label, role, float(_clipped(at)), float(at["index"])) for label, role, at in named]
    seeds = [
        (f"{stage}, random weights {k}", "random weights", float(x), float(y))
        for k, other in enumerate(map(of_kind, random), 1)
        for stage, x, y in zip(other["stage"].values, _clipped(other), other["index"].values, strict=True)
    ]
    with canvas(3.9, f"{name}: additivity is not compositionality") as figure:
        axes = figure.subplots()
        if seeds:
            axes.plot([x for *_, x, _ in seeds], [y for *_, y in seeds], "^", color=RANDOM, ms=5,
                      label="random weights")  # fmt: skip
        for role, marker, colour, label in (
            ("stage", "o", TRAINED, name or "encoder"), ("control", "X", DARK, "controls"),
        ):  # fmt: skip
            for called, own, x, y in places:
                if own == role:
                    (point,) = axes.plot(x, y, marker, color=colour, ms=6, label=label)
                    hint(point, f"{called}: index {y:z.2f}, additivity error {x:.2g}")
        _label(axes, [(c.split(":")[-1], x, y, TRAINED if r == "stage" else DARK) for c, r, x, y in places])
        axes.set_xscale("log")
        axes.set_xlim(1e-13, 1e5)
        axes.set_xticks([1e-8, 1e-6, 1e-4, 1e-2, 1])
        axes.set(ylim=(-0.16, 1.16), yticks=[0, 0.5, 1])
        axes.set_xlabel("additivity error (share of power; 1e-8: that or less)")
        axes.set_ylabel("index of compositional stability (1)")
        one_legend(figure, columns=3)
    return Illustration(
        "lesson",
        "Additivity is not compositionality",
        figure,
        "Does a representation that adds up also keep its components apart?",
        "To the left mixtures are sums of their parts, to the top parts are separable and stable. A linear "
        "stage lies at the left edge, at whatever height. Partials among "
        f"{int(one['density'])} others at {float(one['component_level_dbfs']):g} dBFS.",
        f"Index against additivity error for the stages of {name}, its random networks and the controls.",
        "Stages and controls that add up (left) stand at any height: what adds up need not keep parts apart.",
        pd.DataFrame(
            [*places, *seeds], columns=["name", "what", "additivity error (share of power)", "index"]
        ),
    )


def _clipped(one: xr.Dataset) -> np.ndarray:
    return one["additivity_error"].clip(FLOOR).values


def _label(axes: Axes, named: Sequence[tuple[str, float, float, str]]) -> None:
    """Name points (name, x, y, colour) in a column on their side, apart from one another and from points."""
    for column, align, some in (
        (LEFT, "right", [one for one in named if one[1] <= LINEAR]),
        (RIGHT, "left", [one for one in named if one[1] > LINEAR]),
    ):
        some = sorted((one for one in some if np.isfinite(one[2])), key=lambda one: one[2])
        heights = _apart(np.array([y for *_, y, _ in some]))
        for (text, x, y, colour), height in zip(some, heights, strict=True):
            axes.annotate(
                shortened(text, 18), (x, y), (column, height), fontsize=7.5, color=colour, va="center",
                ha=align,
                arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.5, "alpha": 0.6, "shrinkB": 3},
            )  # fmt: skip


def _apart(heights: np.ndarray) -> np.ndarray:
    """Move sorted heights apart by a line at least, evenly up and down where there are several."""
    moved = heights.copy()
    for _ in range(200):
        close = np.diff(moved) < LINE - 1e-9
        if not close.any():
            break
        push = np.where(close, (LINE - np.diff(moved)) / 2, 0.0)
        moved[:-1] -= push
        moved[1:] += push
    return moved
