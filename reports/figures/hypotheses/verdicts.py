"""Verdicts: every hypothesis's effect with its interval against its threshold, beside random networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ....probes.hypotheses.hypothesis import REFUTED, SUPPORTED
from ....probes.hypotheses.verdicts import NO_VERDICT
from ...selecting import records
from ..drawing import DARK, RANDOM, TRAINED, Illustration, canvas, hint, one_legend
from ..panels import MOST_ROWS, axes_or_new, shortened

DECIDED = (SUPPORTED, REFUTED)
EDGE = 1.12  # of the axis, in units of the furthest interval
ROW_IN = 0.3
Verdict = Mapping[str, Any]  # about one hypothesis
LONGEST = 44  # characters of a hypothesis with its stage


def verdict_forest(data: xr.Dataset, *, random: Sequence[xr.Dataset] = (), ax: Axes | None = None) -> Axes:
    """Draw a row for each hypothesis with a verdict: right of the line it holds, left of it it does not.

    Parameters
    ----------
    data : xarray.Dataset
        Group "hypotheses" of an encoder.
    random : sequence of xarray.Dataset
        The same of its random networks.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Every row has a scale of its own: the threshold in the middle, the furthest interval at the edge.
    """
    rows, networks = _judged(data), [records(one, "hypothesis") for one in random]
    places = np.arange(len(rows), 0, -1)
    with axes_or_new(ax, 1.3 + ROW_IN * len(rows)) as axes:
        axes.axvline(0, color=DARK, lw=1)
        labels = []
        for (i, one), y in zip(rows.items(), places, strict=True):
            labels.append(shortened(_called(one), LONGEST))
            _row(axes, float(y), one, [network[i] for network in networks], labels[-1])
        axes.set_yticks(places, labels, fontsize=8)
        axes.set(xlim=(-EDGE, EDGE), ylim=(0.4, max(1, len(rows)) + 0.6), xticks=[-0.6, 0, 0.6])
        axes.set_xticklabels(["← fails", "threshold", "holds →"])
        axes.tick_params(axis="both", length=0)
        axes.grid(False)
        axes.hlines(places - 0.5, -EDGE, EDGE, color="#DDDDDD", lw=0.5)
        return axes


def verdicts(judged: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw one row per hypothesis that has a verdict: right of the line it holds, left of it it does not.

    Parameters
    ----------
    judged : xarray.Dataset
        Group "hypotheses" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.
    """
    n = len(_judged(judged))
    with canvas(1.3 + ROW_IN * max(1, n), f"{name}: verdicts") as figure:
        verdict_forest(judged, random=random, ax=figure.subplots())
        one_legend(figure, columns=3)
    return Illustration(
        "verdicts",
        "Verdicts",
        figure,
        "Which claims of the source hold for this encoder, and which for random weights as well?",
        "Each row has a scale of its own: the threshold in the middle, the furthest interval at the edge. "
        "Lines are 95 % intervals; hollow: not decided. What has no verdict is in the data only.",
        f"One row for each of {n} hypotheses about {name}: its effect and interval left or right of a "
        "threshold, random networks below.",
        "What lies right of the line holds, what lies left of it does not; random networks stand below.",
        pd.DataFrame(list(_rows(judged, random))[:MOST_ROWS]),
    )


def _judged(judged: xr.Dataset) -> dict[int, Verdict]:
    """Return the verdicts about hypotheses that have an effect to draw, by their numbers."""
    return {i: one for i, one in enumerate(records(judged, "hypothesis")) if np.isfinite(_oriented(one)[0])}


def _called(one: Verdict) -> str:
    hypothesis, stage = one["hypothesis"], one["judged_at"]
    where = "" if stage.split("_")[0] in hypothesis else f" ({stage.replace('_', ' ')})"
    return hypothesis.replace("_", " ") + where


def _oriented(one: Verdict) -> tuple[float, float, float]:
    """Effect and interval as distances beyond the threshold, positive where the hypothesis holds."""
    effect, low, high, threshold, holds = (one[v] for v in ("effect", "low", "high", "threshold", "holds"))
    if holds == "above":
        return effect - threshold, low - threshold, high - threshold
    if holds == "below":
        return threshold - effect, threshold - high, threshold - low
    least = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return threshold - abs(effect), threshold - max(abs(low), abs(high)), threshold - least


def _row(axes: Axes, y: float, one: Verdict, random: Sequence[Verdict], called: str) -> None:
    own, others = _oriented(one), [o for r in random if np.isfinite((o := _oriented(r))[0])]
    scale = max([1e-12, *(abs(v) for several in (own, *others) for v in several if np.isfinite(v))])
    if others:
        heights = y - 0.16 - 0.18 * np.arange(1, len(others) + 1) / (len(others) + 1)
        middle, low, high = np.transpose(others) / scale
        axes.hlines(heights, low, high, color=RANDOM, lw=1)
        axes.plot(middle, heights, "D", color=RANDOM, ms=2.5, ls="none", label="random networks")
    axes.plot(np.array(own[1:]) / scale, [y + 0.1] * 2, color=TRAINED, lw=1.8)
    is_decided = one["verdict"] in DECIDED
    (point,) = axes.plot(
        own[0] / scale, y + 0.1, "o", color=TRAINED, mfc=TRAINED if is_decided else "white", ms=6,
        label="encoder, decided" if is_decided else "encoder, not decided",
    )  # fmt: skip
    hint(point, f"{called}: {one['effect']:.3g} ({one['low']:.3g} to {one['high']:.3g}), {one['verdict']}")


def _rows(judged: xr.Dataset, random: Sequence[xr.Dataset]) -> Iterator[dict[str, object]]:
    """Yield a row for each hypothesis, those without a verdict too."""
    effects = [one["effect"].values.tolist() for one in random]
    for i, one in enumerate(records(judged, "hypothesis")):
        yield {
            "hypothesis": one["hypothesis"].replace("_", " "), "stage": one["judged_at"],
            "verdict": one["verdict"] or NO_VERDICT, "effect": one["effect"],
            "low (95 %)": one["low"], "high (95 %)": one["high"],
            "holds if": one["holds"], "threshold": one["threshold"],
            "p, corrected": one["p_corrected"], "as the source says": one["agrees"],
            **{f"effect, random weights {k}": several[i] for k, several in enumerate(effects, 1)},
        }  # fmt: skip
