"""Steering: what a feature's direction does to sounds, beside difference of means and random directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ....probes.statistics.resampling import ALPHA
from ...selecting import middle, spread, stages_of
from ...writing import counted
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, hint, one_legend
from ..panels import MOST_ROWS, MOST_STAGES, panel_rows, panels, shortened
from .examples import label_name

COLUMNS = 2
PANEL_IN, ROW_IN = 1.5, 0.21
BAND = "#DDDDDD"


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
    tested = float(result.attrs["tested_dose"])
    with canvas(1.2 + PANEL_IN * panel_rows(len(features), COLUMNS),
                f"{name}, {shortened(stage)}: what steering changes") as figure:  # fmt: skip
        for axes, one in zip(
            panels(figure, len(features), "dose", COLUMNS, sharey=False), features, strict=True
        ):
            _doses(axes, one, tested)
        one_legend(figure)
    return Illustration(
        f"steering-doses-{stage}",
        "What steering changes",
        figure,
        f"Does adding a feature's direction at {stage} change sounds as the feature's label says?",
        f"Mean over {counted(int(result.attrs['seeds']), 'sound')}, with standard errors. The bar at dose "
        f"{tested:g}, the one that is tested: what {counted(result.sizes['direction'], 'random direction')} "
        "of the same norm do, 95 % of them thick. Filled: survives correction.",
        f"Curves of the change of a descriptor over the dose for {counted(len(features), 'feature')} at "
        f"{stage} of {name}, with difference of means, and random directions at dose {tested:g}.",
        "A feature steers where its curve runs through the shade, beyond the bar of random directions.",
        pd.DataFrame(list(_dose_rows(result, stage, features))[:MOST_ROWS]),
    )


def steering_effects(result: xr.Dataset, name: str = "") -> Illustration:
    """Draw the effects of the features that are steered by, beside their rivals.

    Parameters
    ----------
    result : xarray.Dataset
        Group "steering" of the encoder, with a feature that is steered by.
    name : str
        What the encoder is called.
    """
    steered = [stage for stage in stages_of(result) if steered_at(result, stage)]
    stages = [str(stage) for stage in spread(np.array(steered), MOST_STAGES)]
    lines = [(stage, one) for stage in stages for one in steered_at(result, stage)]
    with canvas(1.35 + ROW_IN * (len(lines) + len(stages)), f"{name}: features that steer") as figure:
        axes = figure.subplots()
        y, places, labels = 0.0, [], []
        for stage in stages:
            axes.text(0.01, y, shortened(stage, 50), transform=axes.get_yaxis_transform(), fontsize=8,
                      fontweight="bold", va="center")  # fmt: skip
            for one in steered_at(result, stage):
                y -= 1
                _effect(axes, one, y)
                places.append(y)
                labels.append(shortened(f"{int(one['steered_feature'])}: {label_name(one)}", 34))
            y -= 1
        axes.set_yticks(places, labels, fontsize=7.5)
        axes.set(ylim=(y + 0.4, 0.6), xlabel="effect (sd of random directions)")
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
        f"The change of the target at dose {tested:g}, the way that the label says, from the mean of "
        f"random directions, in their standard deviations. Filled: corrected p at most {ALPHA:g}. "
        "The data hold effects in units and their cost: by how many nats the cross-entropy rises.",
        f"Effects of {counted(len(lines), 'feature')} of {name}, beside difference of means and random "
        "directions.",
        "What lies right of the bar of random directions steers as its label says; squares are its rival.",
        pd.DataFrame(list(_effects(result, lines))[:MOST_ROWS]),
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
    axes.set_title(shortened(f"{int(one['steered_feature'])}: {label_name(one)}", 28), fontsize=8.5)
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
    (point,) = axes.plot(where[0], y, "o", color=TRAINED, mfc=face, ms=5.5, mew=1.3, label="feature")
    hint(
        point,
        f"{label_name(one)}: {float(one['effect']):+z.2f} {_units(one)}, p {p_written(float(one['p']))}",
    )


def p_written(p: float) -> str:
    """Write a p to three places, or as less than the last of them.

    Examples
    --------
    >>> p_written(0.0324), p_written(0.0002), p_written(1.0)
    ('0.032', '<0.001', '1.000')
    """
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"


def _effects(result: xr.Dataset, lines: Sequence[tuple[str, xr.Dataset]]) -> Iterator[dict[str, object]]:
    """Yield a row for each feature, then the mean cost at each stage."""
    tested = float(result.attrs["tested_dose"])
    for stage, one in lines:
        yield {
            "stage": stage, "feature": int(one["steered_feature"]), "label": label_name(one),
            "target": str(one["target"].values), "units": _units(one), "effect": float(one["effect"]),
            "effect of difference of means": float(one["effect_means"]), "p": float(one["p"]),
            "p, corrected": float(one["p_holm"]), "steers": "yes" if one["survives"] else "no",
            "difference of means steers": "yes" if one["means_survive"] else "no",
            "cost (nats)": cost(one, "token_loss", tested),
        }  # fmt: skip
    for stage in dict.fromkeys(stage for stage, _ in lines):
        each = [cost(one, "token_loss", tested) for where, one in lines if where == stage]
        yield {"stage": stage, "label": "mean of features", "cost (nats)": float(np.mean(each))}
        yield {
            "stage": stage,
            "label": "random directions",
            "cost (nats)": random_cost(result.sel(stage=stage)),
        }


def _dose_rows(result: xr.Dataset, stage: str, features: Sequence[xr.Dataset]) -> Iterator[dict[str, object]]:
    norms = {f"norm of {what}": float(result[name].sel(stage=stage)) for what, name in
             (("what dose 1 adds", "norm"), ("the stream", "stream_norm"))}  # fmt: skip
    for one in features:
        at = _target(one)
        random = at["change_random"].values
        low, high = middle(random[np.isfinite(random)]) if np.isfinite(random).any() else (np.nan, np.nan)
        for i, dose in enumerate(one["dose"].values):
            is_tested = dose == float(result.attrs["tested_dose"])
            yield {
                "feature": int(one["steered_feature"]), "label": label_name(one),
                "target": str(one["target"].values), "units": _units(one), "dose": float(dose),
                "change": float(at["change"][i]), "standard error": float(at["change_error"][i]),
                "change by difference of means": float(at["change_means"][i]),
                "random directions, low (95 %)": low if is_tested else np.nan,
                "random directions, high (95 %)": high if is_tested else np.nan,
                "steers": "yes" if one["survives"] else "no", **norms,
            }  # fmt: skip
