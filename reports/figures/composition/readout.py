"""Readouts: partials in ever denser mixtures, how many channels that takes, and chords and notes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from ...selecting import middle, spread, stages_with
from ..drawing import (
    DARK,
    LABEL_SIZE,
    RANDOM,
    THIRD,
    TRAINED,
    Illustration,
    canvas,
    hint,
    one_legend,
    seeds_label,
)
from ..panels import (
    MOST_ROWS,
    MOST_STAGES,
    axes_or_new,
    by_network,
    mean_of,
    panel_rows,
    panels,
    shortened,
    stage_rows,
)

BESIDE = ("mel", "chroma", "spectrum")
DRAWN = {"mel": (THIRD, ":"), "spectrum": (DARK, "-.")}  # over density; chroma has fewer numbers still
COLUMNS = 2
ENOUGH = 0.9  # of the way from guessing to what all channels allow


def readout_over_density(
    data: xr.Dataset, *, stage: str | None = None, random: Sequence[xr.Dataset] = (), ax: Axes | None = None
) -> Axes:
    """Draw the AUC of readouts of partials over the number of partials in the mixture.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "readout".
    stage : str, optional
        The last with a readout if left out.
    random : sequence of xarray.Dataset
        The same of random networks; their mean is drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Examples
    --------
    >>> import tonotopy.probes  # doctest: +SKIP
    >>> run = tonotopy.probes.probe(["codec_tiny"], "run.zarr", probes=["readout"])  # doctest: +SKIP
    >>> readout_over_density(run["codec_tiny/readout"].to_dataset(), stage="latent")  # doctest: +SKIP
    """
    stage = stage or stages_with(data, "mean_auc")[-1]
    with axes_or_new(ax) as axes:
        _density_panel(axes, data, random, stage)
        axes.set(title=shortened(stage), xlabel="partials in the mixture", ylabel="AUC (0.5: guessing)")
        return axes


def readout_by_density(
    readouts: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw the AUC of readouts of partials over the density of the mixture, a panel per stage.

    Parameters
    ----------
    readouts : xarray.Dataset
        Group "readout" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.
    """
    names = ["mean_auc", "mean_auc_low", "mean_auc_high", "auc_baseline"]  # a whole one takes long to cut up
    readouts, random = readouts[names], [one[names] for one in random]
    stages = _drawn(readouts, "mean_auc")
    with canvas(1.4 + 1.6 * panel_rows(len(stages)), f"{name}: partials read in mixtures") as figure:
        for axes, stage in zip(panels(figure, len(stages), "partials in the mixture"), stages, strict=True):
            _density_panel(axes, readouts, random, stage)
            axes.set_title(shortened(stage, 16))
        figure.supylabel("AUC (0.5: guessing)", size=LABEL_SIZE)
        one_legend(figure, columns=3)
    rows = []
    for stage in stages:
        for density in readouts["density"].values:
            one = readouts.sel(stage=stage, density=density)
            seeds = [float(r["mean_auc"].sel(density=density)) for r in _at(random, stage)]
            beside = {b: float(one["auc_baseline"].sel(baseline=b).mean()) for b in BESIDE}
            rows.append({"stage": stage, "partials in the mixture": int(density),
                         "AUC": float(one["mean_auc"]),
                         "low (95 %)": float(one["mean_auc_low"]), "high (95 %)": float(one["mean_auc_high"]),
                         **by_network(seeds), **beside})  # fmt: skip
    return Illustration(
        "readout_by_density",
        "Partials read in mixtures",
        figure,
        "Are partials learnt in sparse mixtures read in dense ones, and better than off a spectrum?",
        "Linear readouts of the channels' levels, trained on single partials and pairs, rank mixtures with a "
        f"partial above those without. Mean over {readouts.sizes['component']} partials, shaded its 95 % "
        "interval; readouts of mel bands and of the magnitude spectrum beside it.",
        f"AUC over density for {name}, one panel for each of {', '.join(stages) or 'no stage'}, with random "
        "networks, mel bands and magnitude spectrum beside it.",
        "How well partials are read as mixtures grow denser, beside random weights and readouts of a "
        "spectrum.",
        pd.DataFrame(rows[:MOST_ROWS]),
    )


def _density_panel(axes: Axes, readouts: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> None:
    one, density = readouts.sel(stage=stage), readouts["density"].values
    axes.fill_between(density, one["mean_auc_low"], one["mean_auc_high"], color=TRAINED, alpha=0.2, lw=0)
    (line,) = axes.plot(density, one["mean_auc"], "o-", color=TRAINED, lw=1.6, ms=4, label="encoder, 95 %")
    few, many = (float(one["mean_auc"][i]) for i in (0, -1))
    hint(line, f"{stage}: {few:z.2f} in {density[0]}, {many:z.2f} in {density[-1]}")
    if seeds := [r["mean_auc"].values for r in _at(random, stage)]:
        label = seeds_label(len(seeds))
        axes.plot(density, mean_of(seeds, one["mean_auc"].values), "--", color=RANDOM, lw=1.2, label=label)
    for which, (color, style) in DRAWN.items():
        beside = readouts["auc_baseline"].sel(baseline=which).mean("component")
        axes.plot(density, beside, style, color=color, lw=1.2, label=which)
    _style(axes, density)


def readout_capacity(readouts: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the AUC over the number of channels that a readout may use; parameters as before."""
    names = ["capacity", "mean_auc", "n_channels"]
    readouts, random = readouts[names], [one[names] for one in random]
    stages, used = _drawn(readouts, "capacity"), readouts["n_channels_used"].values
    density = int(readouts.attrs["capacity_density"])
    rows = []
    with canvas(1.4 + 1.6 * panel_rows(len(stages)), f"{name}: channels that a readout needs") as figure:
        for axes, stage in zip(panels(figure, len(stages), "channels used"), stages, strict=True):
            one, seeds = readouts.sel(stage=stage), [_curve(seed) for seed in _at(random, stage)]
            x, mean = _curve(one)
            bounds = one["capacity"].min("draw").values, one["capacity"].max("draw").values
            axes.fill_between(used, *bounds, color=TRAINED, alpha=0.2, lw=0)
            axes.plot(x, mean, "o-", color=TRAINED, lw=1.6, ms=4, label=name or "encoder")
            same = [y for _, y in seeds if y.shape == mean.shape]
            if same:
                axes.plot(x, mean_of(same, mean), "--", color=RANDOM, lw=1.2, label=seeds_label(len(same)))
            _style(axes, used)
            axes.set_title(shortened(stage, 16))
            rows += _capacities(one, _at(random, stage))
        figure.supylabel("AUC (0.5: guessing)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "readout_capacity",
        "Channels that a readout needs",
        figure,
        "Is a partial read off a few channels of its own, or only by many together?",
        f"AUC in mixtures of {density} for random subsets of the channels: the mean of "
        f"{readouts.sizes['draw']} draws and their range; the last point is all channels. The data tell how "
        f"many take it {100 * ENOUGH:.0f} % of the way from guessing to all channels.",
        f"AUC over number of channels for {name}, one panel for each of {', '.join(stages) or 'no stage'}, "
        "random networks in another colour.",
        "How well partials are read off random subsets of the channels, up to all of them.",
        pd.DataFrame(rows[:MOST_ROWS]),
    )


def readout_tasks(readouts: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw how well chords and notes are read in groups held out, a panel per task; parameters as before."""
    names = [str(name) for name in readouts.variables if str(name).startswith(("task", "held_out"))]
    readouts, random = readouts[names], [one[names] for one in random]
    stages, tasks = stages_with(readouts, "task_score"), readouts["task"].values.astype(str)
    rows = panel_rows(len(tasks), COLUMNS)
    with canvas(1.5 + (0.5 + 0.24 * max(2, len(stages))) * rows, f"{name}: chords and notes read") as figure:
        grid = panels(figure, len(tasks), "accuracy (of f0: R², cut off at 0)", COLUMNS)
        for axes, task in zip(grid, tasks, strict=True):
            _task(axes, readouts.sel(task=task), [r.sel(task=task) for r in random], stages, name)
        one_legend(figure, columns=3)
    return Illustration(
        "readout_tasks",
        "Chords and notes read",
        figure,
        "Which properties of chords and notes can be read in groups that were never trained on?",
        "Grey: what shuffled labels give (95 %). Hollow: the score if rows instead of groups were held out, "
        "which near copies may flatter. A chord's quality in unseen roots asks a linear readout for a "
        "pattern that moves along the channels with the root.",
        f"Scores of {', '.join(tasks)} for {name} by stage, with random networks, shuffled labels and the "
        "best of mel, chroma and spectrum beside them.",
        "How well properties of chords and notes are read at each stage, in groups that no readout was "
        "trained on.",
        pd.DataFrame(
            [_scores(readouts.sel(task=t), [r.sel(task=t) for r in random], s) for t in tasks for s in stages]
        ),
    )


def _task(
    axes: Axes, one: xr.Dataset, random: Sequence[xr.Dataset], stages: Sequence[str], name: str
) -> None:
    y = stage_rows(stages)
    for stage, place in zip(stages, y, strict=True):
        score = float(one["task_score"].sel(stage=stage))
        (point,) = axes.plot(max(0.0, score), place, "o", color=TRAINED, ms=5.5, label=name or "encoder")
        hint(point, f"{one['task'].item()} at {stage}: {score:z.2f}")
    if stages:
        leaky = one["task_leaky"].sel(stage=list(stages)).clip(0)
        axes.plot(leaky, y + 0.22, "o", mfc="white", mec=TRAINED, ms=4, label="rows held out")
        nulls = [np.clip(middle(one["task_null"].sel(stage=s).values), 0, None) for s in stages]
        axes.hlines(y, *np.transpose(nulls), color="#999999", lw=5, alpha=0.6, label="shuffled", zorder=1)
    seeds = [
        (max(0.0, float(r["task_score"])), place - 0.22)
        for stage, place in zip(stages, y, strict=True)
        for r in _at(random, stage)
    ]
    if seeds:
        axes.plot(*np.transpose(seeds), "x", color=RANDOM, ms=4, label="random weights")
    best = max(0.0, float(one["task_score_baseline"].max()))
    axes.axvline(best, color=DARK, ls="--", lw=1.2, label="best of mel, chroma, spectrum")
    axes.set_yticks(y, [shortened(stage, 20) for stage in stages], fontsize=8)
    axes.set(xlim=(-0.03, 1.03), ylim=(0.4, max(1, len(stages)) + 0.6), xticks=[0, 0.5, 1])
    axes.set_title(f"{one['task'].item()}, {one['held_out'].item()} held out", fontsize=8.5)


def _scores(one: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> dict[str, object]:
    at = one.sel(stage=stage)
    low, high = middle(at["task_null"].values)
    return {
        "task": str(one["task"].item()), "held out": str(one["held_out"].item()), "stage": stage,
        "score": float(at["task_score"]), "by chance": float(one["task_chance"]), "p": float(at["task_p"]),
        "shuffled, low (95 %)": low, "shuffled, high (95 %)": high,
        "rows held out": float(at["task_leaky"]),
        **by_network([float(r["task_score"]) for r in _at(random, stage)]),
        **{b: float(one["task_score_baseline"].sel(baseline=b)) for b in BESIDE},
    }  # fmt: skip


def _drawn(readouts: xr.Dataset, variable: str) -> list[str]:
    return [str(stage) for stage in spread(np.array(stages_with(readouts, variable)), MOST_STAGES)]


def _style(axes: Axes, numbers: np.ndarray) -> None:
    axes.axhline(0.5, color="#777777", lw=0.8)
    axes.set_xscale("log", base=2)
    axes.set(ylim=(0.4, 1.02))
    shown = numbers if len(numbers) <= 5 else numbers[:: -(-len(numbers) // 4)]
    axes.xaxis.set_major_locator(FixedLocator(shown.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")


def _at(random: Sequence[xr.Dataset], stage: str) -> list[xr.Dataset]:
    return [r.sel(stage=stage) for r in random if stage in r["stage"].values]


def _curve(one: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Mean over draws where there are any, and the point of all channels, which is no draw."""
    mean = one["capacity"].mean("draw")
    there = np.isfinite(mean.values)
    x, y = one["n_channels_used"].values[there], mean.values[there]
    if len(x) and x[-1] < int(one["n_channels"]):
        density = int(one.attrs["capacity_density"])
        x, y = np.append(x, int(one["n_channels"])), np.append(y, float(one["mean_auc"].sel(density=density)))
    return x, y


def _capacities(one: xr.Dataset, random: Sequence[xr.Dataset]) -> list[dict[str, object]]:
    """Return rows of the data of a stage: AUC by channels, and how many are enough."""
    x, mean = _curve(one)
    draws = {int(n): one["capacity"].sel(n_channels_used=n).values for n in one["n_channels_used"].values}
    others = [dict(zip(*(v.tolist() for v in _curve(r)), strict=True)) for r in random]
    enough = {f"channels for {100 * ENOUGH:.0f} % of the way": _needed(one)}
    for k, r in enumerate(random, 1):
        enough[f"the same, random weights {k}"] = _needed(r)
    return [
        {
            "stage": one["stage"].item(), "channels": int(one["n_channels"]), "channels used": int(n),
            "AUC": float(value), "least of draws": float(draws.get(int(n), mean[i : i + 1]).min()),
            "most of draws": float(draws.get(int(n), mean[i : i + 1]).max()),
            **by_network([other.get(n, np.nan) for other in others]), **enough,
        }
        for i, (n, value) in enumerate(zip(x.tolist(), mean.tolist(), strict=True))
    ]  # fmt: skip


def _needed(one: xr.Dataset) -> float:
    """Return how many channels are enough; NaN where there is nothing to be read."""
    x, y = _curve(one)
    enough = np.flatnonzero(y - 0.5 >= ENOUGH * (y[-1] - 0.5)) if len(y) and y[-1] > 0.5 else []
    return float(x[enough[0]]) if len(enough) else np.nan
