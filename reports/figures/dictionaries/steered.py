"""Steering: what a feature's direction does to sounds, beside difference of means and random directions."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ....probes.statistics.resampling import ALPHA
from ...selecting import middle, stages_of
from ...writing import counted, listed
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend
from .examples import label_name

COLUMNS = 2
PANEL_IN, ROW_IN = 1.5, 0.21
TEXTS = (0.22, 0.48, 0.64, 0.81, 0.99)  # where the columns of the table end, as shares of its width
BAND = "#DDDDDD"
SHORT = {"octaves": "oct", "dB": "dB", "1/s": "/s"}


def steering_doses(result: xr.Dataset, stage: str, name: str = "") -> Illustration:
    """Draw how far each feature's target changes with the dose, beside its rivals.

    Parameters
    ----------
    result : xarray.Dataset
        Group "steering" of the encoder.
    stage : str
        At which a feature is steered by.
    name : str
        What the encoder is called.
    """
    features = steered_at(result, stage)
    rows = -(-len(features) // COLUMNS)
    tested = float(result.attrs["tested_dose"])
    with canvas(1.2 + PANEL_IN * rows, f"{name}, {stage}: what steering changes") as figure:
        panels = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True).ravel()
        for axes, one in zip(panels, features, strict=False):
            _doses(axes, one, tested)
        for axes in panels[len(features) :]:
            axes.set_axis_off()
        for axes in panels[max(0, len(features) - COLUMNS) : len(features)]:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("dose")
        one_legend(figure)
    survivors = sum(bool(one["survives"]) for one in features)
    norm = float(result["norm"].sel(stage=stage))
    stream = float(result["stream_norm"].sel(stage=stage))
    return Illustration(
        f"steering-doses-{stage}",
        "What steering changes",
        figure,
        f"Does adding a feature's direction at {stage} change sounds as the feature's label says?",
        f"Mean over {counted(int(result.attrs['seeds']), 'sound')}, with standard errors; dose 1 adds a "
        f"norm of {norm:.3g}, where that of the stream is {stream:.3g} on average. Shaded: the way that the "
        f"label says. The bar at dose {tested:g}, the one that is tested: what "
        f"{counted(result.sizes['direction'], 'random direction')} of the same norm do, 95 % of them thick. "
        f"Of {counted(len(features), 'feature')} {survivors} survive{'s' * (survivors == 1)} correction "
        "(filled).",
        f"Curves of the change of a descriptor over the dose for {counted(len(features), 'feature')} at "
        f"{stage} of {name}, with difference of means, and random directions at dose {tested:g}.",
    )


def steering_effects(result: xr.Dataset, name: str = "") -> Illustration:
    """Draw a table of the features that are steered by: effects, p and fluency.

    Parameters
    ----------
    result : xarray.Dataset
        Group "steering" of the encoder, with a feature that is steered by.
    name : str
        What the encoder is called.
    """
    stages = [stage for stage in stages_of(result) if steered_at(result, stage)]
    lines = [one for stage in stages for one in steered_at(result, stage)]
    height = 1.25 + ROW_IN * (len(lines) + len(stages))
    with canvas(height, f"{name}: features that steer") as figure:
        axes, texts = figure.subplots(1, 2, sharey=True, width_ratios=(1.0, 1.5))
        y, places, labels = 0.0, [], []
        for stage in stages:
            texts.text(0, y, stage, fontsize=8, fontweight="bold", va="center")
            y -= 1
            for one in steered_at(result, stage):
                _effect(axes, one, y)
                _cells(texts, one, y)
                places.append(y)
                labels.append(f"{int(one['steered_feature'])}: {label_name(one)}")
                y -= 1
        _heads(texts)
        axes.set_yticks(places, labels, fontsize=7)
        axes.set(ylim=(y + 0.4, 0.8), xlabel="effect (sd of random)")
        axes.axvline(0, color=DARK, lw=0.8)
        axes.tick_params(axis="y", length=0)
        axes.yaxis.grid(False)
        one_legend(figure, columns=3)
    tested = float(result.attrs["tested_dose"])
    return Illustration(
        "steering-effects",
        "Features that steer, beside their rivals",
        figure,
        "Which features steer beyond random directions, and do they more than difference of means?",
        f"All at dose {tested:g}. The effect is the change of the target, in its units, the way that the "
        "label says; drawn from the mean of random directions, in their standard deviations. p: share of "
        "random directions with at least the effect, the feature itself counted; Holm: corrected over all "
        "features of all stages. nats: by how much the cross-entropy of what is generated rises under "
        f"the model as it is, a cost in fluency. {_said(result)}",
        f"Table of {counted(len(lines), 'feature')} of {name} with label, effect, that of difference of "
        "means, p, corrected p and cost in fluency, beside a plot of the effects.",
    )


def steered_at(result: xr.Dataset, stage: str) -> list[xr.Dataset]:
    """Return the features that are steered by at a stage, each a result of its own."""
    one = result.sel(stage=stage)
    return [one.isel(steered=i) for i, feature in enumerate(one["steered_feature"].values) if feature >= 0]


def is_decided(result: xr.Dataset) -> bool:
    """Whether there are random directions enough for one feature to survive correction.

    Parameters
    ----------
    result : xarray.Dataset
        Group "steering" of an encoder.
    """
    return float(result.attrs["least_p_holm"]) <= ALPHA


def cost(one: xr.Dataset, variable: str, tested: float) -> float:
    """Return by how much the cross-entropy of what is generated rises at the tested dose, nats.

    Parameters
    ----------
    one : xarray.Dataset
        Of one feature.
    variable : {"token_loss", "token_loss_means"}
    tested : float
        The dose.
    """
    loss = one[variable]
    return float(loss.sel(dose=tested) - loss.sel(dose=0.0))


def random_cost(one: xr.Dataset) -> float:
    """Return by how much the cross-entropy rises by random directions at a stage, nats; NaN without any."""
    if not len(there := np.flatnonzero(one["steered_feature"].values >= 0)):
        return np.nan
    before = one["token_loss"].isel(steered=there[0]).sel(dose=0.0)
    return float(one["token_loss_random"].mean() - before)


def _target(one: xr.Dataset) -> xr.Dataset:
    return one.sel(descriptor=str(one["target"].values))


def _units(one: xr.Dataset) -> str:
    units = str(_target(one)["descriptor_units"].values)
    return "" if units == "1" else units


def _doses(axes: Axes, one: xr.Dataset, tested: float) -> None:
    at, sign = _target(one), int(one["sign"])
    dose, change, error = one["dose"].values, at["change"].values, at["change_error"].values
    face = TRAINED if bool(one["survives"]) else "white"
    axes.plot(dose, at["change_means"], "s--", color=THIRD, mfc="white", ms=4, lw=1.3,
              label="difference of means")  # fmt: skip
    axes.errorbar(dose, change, error, fmt="o-", color=TRAINED, mfc=face, ms=4.5, lw=1.5, label="feature")
    random = at["change_random"].values
    random = random[np.isfinite(random)]
    if random.size:
        axes.plot([tested] * 2, [random.min(), random.max()], color=RANDOM, lw=1.2, zorder=1.5)
        axes.plot([tested] * 2, middle(random), color=RANDOM, lw=5, alpha=0.75, solid_capstyle="butt",
                  label="random directions", zorder=1.5)  # fmt: skip
    low, high = axes.get_ylim()
    reach = 1.05 * max(abs(low), abs(high), 1e-6)
    axes.axhspan(0, sign * reach, color=BAND, alpha=0.45, lw=0, zorder=0, label="as the label says")
    axes.axhline(0, color=DARK, lw=0.8)
    axes.set_ylim(min(low, -0.25 * reach), max(high, 0.25 * reach))
    axes.set_xticks([0, 2, 4, 8])
    axes.set_title(f"{int(one['steered_feature'])}: {label_name(one)}", fontsize=8.5)
    units = f" ({_units(one)})" if _units(one) else ""
    axes.set_ylabel(f"{str(one['target'].values).replace('_', ' ')}{units}", fontsize=8)
    axes.tick_params(labelsize=8)


def _effect(axes: Axes, one: xr.Dataset, y: float) -> None:
    """Draw the effect of a feature and its rival, from the mean of random directions, in their sd."""
    random = int(one["sign"]) * _target(one)["change_random"].values
    random = random[np.isfinite(random)]
    centre = random.mean() if random.size else 0.0
    spread = float(random.std()) if random.size > 1 and random.std() > 0 else 1.0
    scaled = (random - centre) / spread
    if random.size:
        axes.plot(middle(scaled), [y, y], color=RANDOM, lw=5, alpha=0.75, solid_capstyle="butt",
                  label="random (95 %)")  # fmt: skip
    face = TRAINED if bool(one["survives"]) else "white"
    rival = THIRD if bool(one["means_survive"]) else "white"
    where = [(float(one[name]) - centre) / spread for name in ("effect", "effect_means")]
    axes.plot(where[1], y, "s", color=THIRD, mfc=rival, ms=5, mew=1.2, label="difference of means")
    axes.plot(where[0], y, "o", color=TRAINED, mfc=face, ms=5.5, mew=1.3, label="feature")


def _heads(axes: Axes) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    for x, head in zip(TEXTS, ("effect", "means", "p", "Holm", "nats"), strict=True):
        axes.text(x, 0.85, head, ha="right", va="bottom", fontsize=7.5, fontweight="bold")


def _cells(axes: Axes, one: xr.Dataset, y: float) -> None:
    tested = float(one.attrs["tested_dose"])
    cells = (
        _signed(float(one["effect"])),
        f"{_signed(float(one['effect_means']))} {SHORT.get(_units(one), '')}",
        p_written(float(one["p"])),
        p_written(float(one["p_holm"])),
        f"{cost(one, 'token_loss', tested):+z.2f}",
    )
    for x, text in zip(TEXTS, cells, strict=True):
        strong = "bold" if x == TEXTS[3] and bool(one["survives"]) else "normal"
        axes.text(x, y, text, ha="right", va="center", fontsize=7, fontweight=strong)


def _signed(value: float) -> str:
    return f"{value:+z.2f}" if abs(value) < 10 else f"{value:+.1f}"


def p_written(p: float) -> str:
    """Write a p to three places, or as less than the last of them.

    Examples
    --------
    >>> p_written(0.0324), p_written(0.0002), p_written(1.0)
    ('0.032', '<0.001', '1.000')
    """
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"


def _said(result: xr.Dataset) -> str:
    n, survive = (int(result.attrs[name]) for name in ("n_steered", "n_survive"))
    tested = float(result.attrs["tested_dose"])
    said = []
    for stage in stages_of(result):
        if features := steered_at(result, stage):
            own = np.mean([cost(one, "token_loss", tested) for one in features])
            random = random_cost(result.sel(stage=stage))
            said.append(f"{stage} {own:+z.2f} by features, {random:+z.2f} by random directions")
    return (
        f"Filled: corrected p at most {ALPHA:g}. Of {counted(n, 'feature')} that is {survive}; "
        f"by difference of means {int(result.attrs['n_means_survive'])}. Mean cost in nats: {listed(said)}."
    )
