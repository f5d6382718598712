"""Readouts: partials in ever denser mixtures, how many channels that takes, and chords and notes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from ...selecting import middle, stages_with
from ...writing import among_seeds, listed
from ..drawing import DARK, LABEL_SIZE, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend

PURPLE = "#CC79A7"  # Okabe & Ito 2008
BESIDE = {"mel": (THIRD, ":"), "chroma": (PURPLE, "-."), "spectrum": (DARK, "--")}
COLUMNS = 2
ENOUGH = 0.9  # of the way from guessing to what all channels allow


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
    stages, density = stages_with(readouts, "mean_auc"), readouts["density"].values
    rows = _rows(stages)
    with canvas(1.4 + 1.75 * rows, f"{name}: partials read in mixtures") as figure:
        for axes, stage in zip(
            _panels(figure, rows, len(stages), "partials in the mixture"), stages, strict=False
        ):
            one = readouts.sel(stage=stage)
            for k, seed in enumerate(_at(random, stage)):
                label = "random weights" if k == 0 else None
                axes.plot(density, seed["mean_auc"], "x-", color=RANDOM, lw=1, ms=4, label=label)
            for which, (color, style) in BESIDE.items():
                beside = readouts["auc_baseline"].sel(baseline=which).mean("component")
                axes.plot(density, beside, style, color=color, lw=1.3, label=which)
            axes.fill_between(
                density, one["mean_auc_low"], one["mean_auc_high"], color=TRAINED, alpha=0.2, lw=0
            )
            axes.plot(density, one["mean_auc"], "o-", color=TRAINED, lw=2, ms=4.5, label=name or "encoder")
            _style(axes, stage, density)
        figure.supylabel("AUC (0.5: guessing)", size=LABEL_SIZE)
        one_legend(figure, columns=3)
    few, many = (int(d) for d in (density[0], density[-1]))
    said = [
        f"{s} {_auc(readouts, s, few)} in {few}, {_auc(readouts, s, many)}"
        f"{among_seeds([float(r['mean_auc'].sel(density=many)) for r in _at(random, s)])} in {many}"
        for s in stages
    ]
    beside = [
        f"{b} {float(readouts['auc_baseline'].sel(baseline=b, density=many).mean()):.2f}" for b in BESIDE
    ]
    return Illustration(
        "readout_by_density",
        "Partials read in mixtures",
        figure,
        "Are partials learnt in sparse mixtures read in dense ones, and better than off a spectrum?",
        "Linear readouts of the channels' levels, trained on single partials and pairs, rank mixtures with a "
        f"partial above those without. Mean over {readouts.sizes['component']} partials with its 95 % "
        f"interval: {listed(said)}. Baselines in {many}: {listed(beside)}.",
        f"AUC over density for {name}, one panel for each of {', '.join(stages) or 'no stage'}, with random "
        "networks, mel bands, chroma and magnitude spectrum beside it.",
    )


def readout_capacity(readouts: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the AUC over the number of channels that a readout may use; parameters as before."""
    stages, used = stages_with(readouts, "capacity"), readouts["n_channels_used"].values
    rows, density = _rows(stages), int(readouts.attrs["capacity_density"])
    with canvas(1.4 + 1.75 * rows, f"{name}: channels that a readout needs") as figure:
        for axes, stage in zip(_panels(figure, rows, len(stages), "channels used"), stages, strict=False):
            for k, seed in enumerate(_at(random, stage)):
                x, mean = _curve(seed)
                axes.plot(x, mean, "x-", color=RANDOM, lw=1, ms=4, label="random weights" if k == 0 else None)
            one = readouts.sel(stage=stage)
            bounds = one["capacity"].min("draw"), one["capacity"].max("draw")
            axes.fill_between(used, *bounds, color=TRAINED, alpha=0.2, lw=0)
            x, mean = _curve(one)
            axes.plot(x, mean, "o-", color=TRAINED, lw=2, ms=4.5, label=name or "encoder")
            _style(axes, stage, used)
        figure.supylabel("AUC (0.5: guessing)", size=LABEL_SIZE)
        one_legend(figure)
    said = [_needed(readouts.sel(stage=s), _at(random, s)) for s in stages]
    return Illustration(
        "readout_capacity",
        "Channels that a readout needs",
        figure,
        "Is a partial read off a few channels of its own, or only by many together?",
        f"AUC in mixtures of {density} for random subsets of the channels: the mean of "
        f"{readouts.sizes['draw']} draws and their range; the last point is all channels. "
        f"{100 * ENOUGH:.0f} % of the way from guessing to all channels takes: {listed(said)}.",
        f"AUC over number of channels for {name}, one panel for each of {', '.join(stages) or 'no stage'}, "
        "random networks in another colour.",
    )


def readout_tasks(readouts: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw how well chords and notes are read in groups held out, a panel per task; parameters as before."""
    stages, tasks = stages_with(readouts, "task_score"), readouts["task"].values.astype(str)
    with canvas(
        1.7 + 0.3 * max(2, len(stages)) * -(-len(tasks) // COLUMNS), f"{name}: chords and notes read"
    ) as figure:
        rows = -(-len(tasks) // COLUMNS)
        grid = figure.subplots(rows, COLUMNS, squeeze=False, sharey=True, sharex=True).ravel()
        for axes, task in zip(grid, tasks, strict=False):
            _task(axes, readouts.sel(task=task), [r.sel(task=task) for r in random], stages, name)
        for axes in grid[len(tasks) :]:
            axes.set_axis_off()
        for axes in grid[max(0, len(tasks) - COLUMNS) : len(tasks)]:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("accuracy (of f0: R², cut off at 0)")
        one_legend(figure, columns=3)
    said = [_said_of_task(readouts.sel(task=t), [r.sel(task=t) for r in random], stages) for t in tasks]
    return Illustration(
        "readout_tasks",
        "Chords and notes read",
        figure,
        "Which properties of chords and notes can be read in groups that were never trained on?",
        "Grey: what shuffled labels give (95 %). Hollow: the score if rows instead of groups were held out, "
        "which near copies may flatter. A chord's quality in unseen roots asks a linear readout for a "
        f"pattern that moves along the channels with the root. Best stage of each: {listed(said)}.",
        f"Scores of {', '.join(tasks)} for {name} by stage, with random networks, shuffled labels, mel, "
        "chroma and spectrum beside them.",
    )


def _task(
    axes: Axes, one: xr.Dataset, random: Sequence[xr.Dataset], stages: Sequence[str], name: str
) -> None:
    for which, (color, style) in BESIDE.items():
        score = max(0.0, float(one["task_score_baseline"].sel(baseline=which)))
        axes.axvline(score, color=color, ls=style, lw=1.3, label=which)
    for y, stage in zip(range(len(stages), 0, -1), stages, strict=True):
        at = one.sel(stage=stage)
        null = np.clip(middle(at["task_null"].values), 0, None)
        axes.plot(null, [y, y], color="#999999", lw=5, alpha=0.6, solid_capstyle="butt", label="shuffled")
        scores = [max(0.0, float(r["task_score"])) for r in _at(random, stage)]
        axes.plot(scores, [y - 0.22] * len(scores), "x", color=RANDOM, ms=4, label="random weights")
        leaky = max(0.0, float(at["task_leaky"]))
        axes.plot(leaky, y + 0.22, "o", mfc="white", mec=TRAINED, ms=4, label="rows held out")
        axes.plot(max(0.0, float(at["task_score"])), y, "o", color=TRAINED, ms=5.5, label=name or "encoder")
    axes.set_yticks(range(len(stages), 0, -1), stages, fontsize=7.5)
    axes.set(xlim=(-0.03, 1.03), ylim=(0.4, len(stages) + 0.6))
    axes.set_title(f"{one['task'].item()}, {one['held_out'].item()} held out", fontsize=8.5)


def _panels(figure: Figure, rows: int, count: int, label: str) -> np.ndarray:
    grid = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
    for axes in grid[count:]:
        axes.set_axis_off()
    for axes in grid[max(0, count - COLUMNS) : count]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(label)
    return grid


def _rows(stages: Sequence[str]) -> int:
    return max(1, -(-len(stages) // COLUMNS))


def _style(axes: Axes, stage: str, numbers: np.ndarray) -> None:
    axes.axhline(0.5, color="#777777", lw=0.8)
    axes.set_xscale("log", base=2)
    axes.set(ylim=(0.4, 1.02))
    axes.set_title(stage, fontsize=8.5)
    shown = numbers if len(numbers) <= 8 else numbers[:: -(-len(numbers) // 6)]
    axes.xaxis.set_major_locator(FixedLocator(shown.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")


def _at(random: Sequence[xr.Dataset], stage: str) -> list[xr.Dataset]:
    return [r.sel(stage=stage) for r in random if stage in r["stage"].values]


def _auc(readouts: xr.Dataset, stage: str, density: int) -> str:
    one = readouts.sel(stage=stage, density=density)
    value, low, high = (float(one[n]) for n in ("mean_auc", "mean_auc_low", "mean_auc_high"))
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _curve(one: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Mean over draws where there are any, and the point of all channels, which is no draw."""
    mean = one["capacity"].mean("draw")
    there = np.isfinite(mean.values)
    x, y = one["n_channels_used"].values[there], mean.values[there]
    if len(x) and x[-1] < int(one["n_channels"]):
        density = int(one.attrs["capacity_density"])
        x, y = np.append(x, int(one["n_channels"])), np.append(y, float(one["mean_auc"].sel(density=density)))
    return x, y


def _needed(one: xr.Dataset, random: Sequence[xr.Dataset]) -> str:
    def count(each: xr.Dataset) -> float:
        x, y = _curve(each)
        enough = np.flatnonzero(y - 0.5 >= ENOUGH * (y[-1] - 0.5)) if len(y) and y[-1] > 0.5 else []
        return float(x[enough[0]]) if len(enough) else np.nan

    own = count(one)
    said = f"{own:.0f} of {int(one['n_channels'])}" if np.isfinite(own) else "nothing to be read"
    return f"{one['stage'].item()} {said}{among_seeds([count(r) for r in random], places=0)}"


def _said_of_task(one: xr.Dataset, random: Sequence[xr.Dataset], stages: Sequence[str]) -> str:
    there = one.sel(stage=list(stages))
    if not stages:
        return f"{one['task'].item()} at no stage"
    best = str(there["stage"].values[int(there["task_score"].values.argmax())])
    at = one.sel(stage=best)
    beside = one["task_score_baseline"]
    return (
        f"{one['task'].item()} {float(at['task_score']):.2f} at {best}"
        f"{among_seeds([float(r['task_score']) for r in _at(random, best)])}, by chance "
        f"{float(one['task_chance']):.2f}, p {float(at['task_p']):.2f}, "
        f"{beside['baseline'].values[int(beside.values.argmax())]} {float(beside.max()):.2f}"
    )
