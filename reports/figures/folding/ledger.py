"""The ledger: how output power divides into fold, harmonics, mean shift and the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, stages_with
from ...writing import among_seeds, listed
from ..drawing import DARK, LABEL_SIZE, Illustration, canvas, one_legend

# part -> (its components, colour, hatch, marker): told apart without colour as well
PARTS = {
    "fold": (("fold",), "#56B4E9", "", "o"),
    "harmonics 2 to 5": (tuple(f"harmonic_{n}" for n in range(2, 6)), "#009E73", "///", "^"),
    "mean shift": (("mean_shift",), "#F0E442", "...", "s"),
    "intermodulation": (("intermodulation",), "#CC79A7", "xxx", "v"),
    "rest": (("rest",), "#BBBBBB", "", "x"),
}


def ledger(
    aliasing: xr.Dataset,
    random: Sequence[xr.Dataset] = (),
    name: str = "",
    pairs: xr.Dataset | None = None,
    random_pairs: Sequence[xr.Dataset] = (),
) -> Illustration:
    """Draw the bank's ledger as bars, encoder above random weights, for tones and for pairs of tones.

    Parameters
    ----------
    aliasing : xarray.Dataset
        Group "aliasing" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; their mean is drawn.
    name : str
        What the encoder is called.
    pairs, random_pairs : xarray.Dataset, and sequence of them
        Group "intermodulation", if there is one.
    """
    panels = [("single tones", aliasing, random)]
    if pairs is not None and stages_with(pairs, "bank_share"):
        panels.append(("pairs of tones", pairs, random_pairs))
    rows = [_rows(probe, seeds) for _, probe, seeds in panels]
    heights = [len(labels) for labels, _, _ in rows]
    with canvas(1.45 + 0.27 * sum(heights) + 0.3 * len(rows), f"{name}: where output power goes") as figure:
        grid = figure.subplots(len(rows), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
        for axes, (title, _, _), (labels, shares, chance) in zip(grid, panels, rows, strict=True):
            _bars(axes, labels, shares, chance)
            axes.set_title(title)
        grid[-1].set_xlabel("share of the bank's output power (1 = all)")
        figure.supylabel("stage", size=LABEL_SIZE)
        one_legend(figure, 3)
    stages = stages_with(aliasing, "bank_share")
    return Illustration(
        "ledger",
        "Ledger of output power",
        figure,
        "Does power come out where folding puts it, or is it made by nonlinearities?",
        "A linear stage has only the fold. The black mark is the share at the folds of the other tones, "
        "which chance would give. What is not the fold: "
        f"{listed([_said(s, aliasing, random) for s in stages])}.",
        f"Stacked bars of the shares of output power of {name} at {', '.join(stages)}, mean over tones"
        + (", random networks below each." if random else "."),
    )


def _said(stage: str, aliasing: xr.Dataset, random: Sequence[xr.Dataset]) -> str:
    own = _shares(at_stage(aliasing, stage))
    seeds = [_shares(at_stage(r, stage)) for r in random if stage in stages_with(r, "bank_share")]
    text = f"{stage} {1 - own['fold']:.2f}{among_seeds([1 - s['fold'] for s in seeds])}"
    others = {part: share for part, share in own.items() if part != "fold" and share >= 0.005}
    if others:
        largest = max(others, key=lambda part: others[part])
        text += f", most of it {largest}"
    p = float(at_stage(aliasing, stage)["fold_p"])
    return text + (f", fold above chance with p {p:.3f}" if np.isfinite(p) else "")


def _shares(one: xr.Dataset) -> dict[str, float]:
    """Mean over tones (or pairs) of what each part has of the bank's power."""
    mean = one["bank_share"].mean([d for d in one["bank_share"].dims if d != "component"])
    there = set(one["component"].values)
    return {
        part: float(mean.sel(component=list(members)).sum())
        for part, (members, *_) in PARTS.items()
        if there.issuperset(members)
    }


def _rows(
    probe: xr.Dataset, random: Sequence[xr.Dataset]
) -> tuple[list[str], list[Mapping[str, float]], list[float]]:
    """Return labels, shares and chance of each bar: a stage, and below it the mean of the random seeds."""
    labels: list[str] = []
    shares: list[Mapping[str, float]] = []
    chance: list[float] = []
    for stage in stages_with(probe, "bank_share"):
        seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "bank_share")]
        for label, group in ((stage, [at_stage(probe, stage)]), (f"random ({len(seeds)})", seeds)):
            if not group:
                continue
            each = [_shares(one) for one in group]
            labels.append(label)
            shares.append({part: float(np.mean([e[part] for e in each])) for part in each[0]})
            null = [float(one["null_share"].mean()) for one in group if "null_share" in one]
            chance.append(float(np.mean(null)) if null else np.nan)
    return labels, shares, chance


def _bars(
    axes: Axes, labels: Sequence[str], shares: Sequence[Mapping[str, float]], chance: Sequence[float]
) -> None:
    y = np.arange(len(labels), 0, -1)
    left = np.zeros(len(labels))
    for part, (_, color, hatch, _) in PARTS.items():
        if part not in shares[0]:
            continue
        width = np.array([s[part] for s in shares])
        axes.barh(
            y, width, left=left, height=0.72, color=color, hatch=hatch, edgecolor=DARK, lw=0.4, label=part
        )
        left += width
    if np.isfinite(chance).any():
        axes.plot(chance, y, "|", color="black", ms=13, mew=2.2, label="fold by chance")
    axes.set_yticks(y, labels)
    axes.set(xlim=(0, 1.005), ylim=(0.4, len(labels) + 0.6))
    axes.grid(False, axis="y")


def ledger_by_level(aliasing: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw how the bank's ledger changes with the level of the tones.

    Parameters as in `ledger`; `aliasing` has several levels. Random baselines are drawn as their mean.
    """
    stages = stages_with(aliasing, "level_effect")
    columns = min(2, len(stages))
    rows = -(-len(stages) // columns)
    with canvas(1.3 + 1.85 * rows, f"{name}: the ledger over level") as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes in grid.flat[len(stages) :]:
            axes.set_axis_off()
        for axes, stage in zip(grid.flat, stages, strict=False):
            seeds = [r for r in random if "level" in r.dims and stage in stages_with(r, "bank_share")]
            for i, (group, look) in enumerate((([aliasing], "-"), (seeds, ":"))):
                if group:
                    _sweep(axes, group, stage, look, i == 0)
            axes.set(ylim=(-0.03, 1.03), title=stage, xlabel="level (dBFS)")
        figure.supylabel("share of output power (1 = all)", size=LABEL_SIZE)
        one_legend(figure, 3)
    found = []
    for stage in stages:
        seeds = [float(at_stage(r, stage)["level_effect"]) for r in random if "level_effect" in r]
        found.append(f"{float(at_stage(aliasing, stage)['level_effect']):.2f} at {stage}{among_seeds(seeds)}")
    low, high = float(aliasing["level_dbfs"].min()), float(aliasing["level_dbfs"].max())
    return Illustration(
        "ledger-level",
        "Ledger over level",
        figure,
        "Does it depend on level where the power goes?",
        "A gain changes nothing in a linear stage. Dotted: mean of the random networks. Share of the power "
        f"that changes its part between {low:g} and {high:g} dBFS: {listed(found)}.",
        f"Lines of the shares of output power of {name} against level, one panel per stage "
        f"({', '.join(stages)}).",
    )


def _sweep(axes: Axes, group: Sequence[xr.Dataset], stage: str, look: str, named: bool) -> None:
    levels = group[0]["level_dbfs"].values
    each = [[_shares(one.sel(stage=stage).isel(level=i)) for i in range(len(levels))] for one in group]
    for part, (_, color, _, marker) in PARTS.items():
        if part in each[0][0]:
            share = np.mean([[at[part] for at in one] for one in each], axis=0)
            line = {"color": color if part != "mean shift" else "#B8A900", "marker": marker, "ms": 5}
            axes.plot(levels, share, look, **line, lw=1.5, label=part if named else None)
    axes.set_xticks(levels)
