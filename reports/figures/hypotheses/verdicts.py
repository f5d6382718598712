"""Verdicts: every hypothesis's effect with its interval against its threshold, beside random networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ....probes.hypotheses.deciding import UNDECIDED
from ....probes.hypotheses.hypothesis import REFUTED, SUPPORTED
from ....probes.hypotheses.verdicts import NO_VERDICT, UNDECIDABLE
from ..drawing import DARK, RANDOM, TRAINED, Illustration, canvas, one_legend

DECIDED = (SUPPORTED, REFUTED)
EDGE = 1.12  # of the axis, in units of the furthest interval


def verdicts(judged: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw one row per hypothesis: right of the line it holds, left of it it does not.

    Parameters
    ----------
    judged : xarray.Dataset
        Group "hypotheses" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.
    """
    n = judged.sizes["hypothesis"]
    y = np.arange(n, 0, -1)
    with canvas(1.3 + 0.3 * n, f"{name}: verdicts") as figure:
        axes = figure.subplots()
        axes.axvline(0, color=DARK, lw=1)
        for i in range(n):
            _row(axes, float(y[i]), judged.isel(hypothesis=i), [r.isel(hypothesis=i) for r in random])
        labels = [
            f"{str(h).replace('_', ' ')}" + ("" if str(s).split("_")[0] in str(h) else f" ({_short(str(s))})")
            for h, s in zip(judged["hypothesis"].values, judged["judged_at"].values, strict=True)
        ]
        axes.set_yticks(y, labels)
        axes.set(xlim=(-EDGE, EDGE), ylim=(0.4, n + 0.6), xticks=[-0.6, 0, 0.6])
        axes.set_xticklabels(["← fails", "threshold", "holds →"])
        axes.tick_params(axis="x", length=0)
        axes.grid(False)
        axes.hlines(y - 0.5, -EDGE, EDGE, color="#DDDDDD", lw=0.5)
        _legend(axes, bool(random))
        one_legend(figure)
    return Illustration(
        "verdicts",
        "Verdicts",
        figure,
        "Which claims of the source hold for this encoder, and which for random weights as well?",
        "Each row has a scale of its own: the threshold in the middle, the furthest interval at the edge; "
        f"lines are 95 % intervals. {_counted(judged)}",
        f"One row for each of {n} hypotheses about {name}: its effect and interval left or right of a "
        "threshold, random networks below.",
    )


def _short(stage: str) -> str:
    return stage.replace("_", " ")


def _oriented(one: xr.Dataset) -> tuple[float, float, float]:
    """Effect and interval as distances beyond the threshold, positive where the hypothesis holds."""
    effect, low, high = (float(one[v]) for v in ("effect", "low", "high"))
    threshold, holds = float(one["threshold"]), str(one["holds"].item())
    if holds == "above":
        return effect - threshold, low - threshold, high - threshold
    if holds == "below":
        return threshold - effect, threshold - high, threshold - low
    least = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return threshold - abs(effect), threshold - max(abs(low), abs(high)), threshold - least


def _row(axes: Axes, y: float, one: xr.Dataset, random: Sequence[xr.Dataset]) -> None:
    own, others = _oriented(one), [_oriented(r) for r in random]
    finite = [abs(v) for several in (own, *others) for v in several if np.isfinite(v)]
    scale = max([*finite, 1e-12])
    for k, other in enumerate(others):
        place = y - 0.16 - 0.18 * (k + 1) / (len(others) + 1)
        axes.plot(np.array(other[1:]) / scale, [place] * 2, color=RANDOM, lw=1)
        axes.plot(other[0] / scale, place, "D", color=RANDOM, ms=2.5)
    verdict = str(one["verdict"].item())
    if not np.isfinite(own[0]):
        axes.text(0.04, y, NO_VERDICT, va="center", size=7.5, color="#666666")
        return
    axes.plot(np.array(own[1:]) / scale, [y + 0.1] * 2, color=TRAINED, lw=1.8)
    face = TRAINED if verdict in DECIDED else "white"
    axes.plot(own[0] / scale, y + 0.1, "o", color=TRAINED, mfc=face, ms=6)
    mark = {"yes": "as the source says", "no": "against the source"}.get(str(one["agrees"].item()), verdict)
    left = own[0] > 0
    axes.text(-EDGE * 0.98 if left else EDGE * 0.98, y + 0.1, mark, va="center", size=7.5,
              ha="left" if left else "right", color="#666666")  # fmt: skip


def _legend(axes: Axes, random: bool) -> None:
    axes.plot([], [], "o-", color=TRAINED, label="encoder, decided")
    axes.plot([], [], "o-", color=TRAINED, mfc="white", label="encoder, not decided")
    if random:
        axes.plot([], [], "D-", color=RANDOM, ms=3, lw=1, label="random networks")


def _counted(judged: xr.Dataset) -> str:
    verdict, agrees = (judged[v].values.astype(str) for v in ("verdict", "agrees"))
    counts = {v: int((verdict == v).sum()) for v in (*DECIDED, UNDECIDED, UNDECIDABLE, NO_VERDICT)}
    said = ", ".join(f"{count} {v}" for v, count in counts.items() if count)
    as_said, against = (int((agrees == answer).sum()) for answer in ("yes", "no"))
    return f"{said}; {as_said} as the source says, {against} against it."
