"""Stability of codes: which stay when nothing audible changes, and how firmly they were decided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, interval_of_mean, stages_with
from ...writing import among_seeds, listed
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend, seeds_label

TIMES = {1: "once", 2: "twice"}


def code_stability(codes: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the share of codes that stay under each inaudible change, and the decisions' margins.

    Parameters
    ----------
    codes : xarray.Dataset
        Group "codes" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the encoder is called.

    Notes
    -----
    Shares are means over codebooks, with 95 % intervals by resampling sounds.
    """
    (stage,) = stages_with(codes, "agreement_same")
    one, seeds = at_stage(codes, stage), [at_stage(r, stage) for r in random]
    kept = changes(one)
    margins = "margin" in one and bool(one["margin"].notnull().any())
    heights = [0.24 * len(kept) + 0.5, *([0.2 * one.sizes["codebook"] + 0.5] if margins else [])]
    with canvas(1.7 + sum(heights), f"{name}: do codes stay?") as figure:
        rows = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        _shares(rows[0], one, seeds, name)
        if margins:
            _margins(rows[1], one)
        one_legend(figure)
    return Illustration(
        "code-stability",
        "Stability of codes",
        figure,
        "Do codes stay when nothing audible changes?",
        "Share of the codes that stay when the encoder begins to listen later to the same steady sound "
        "(a whole hop only cuts the past), when what was coded is decoded and coded again, and when the "
        "same sums are done in another order; the line is the share that unrelated sounds have in common. "
        f"A margin of 0 lies half-way between two entries. {listed(_said(one, seeds))}.",
        f"Share of codes of {name} that stay, by kind of change, with intervals"
        + (", random networks in another colour" if random else "")
        + (", and below it the margins of decisions by codebook." if margins else "."),
    )


def changes(one: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the share of codes that stay by kind of change: of every sound, or one number, [n].

    Parameters
    ----------
    one : xarray.Dataset
        Group "codes" at its stage.
    """
    found = {}
    smallest = float(one["delay"][0])
    for delay in one["delay"].values:
        hops = "1 sample" if delay == smallest else f"{_fraction(delay)} hop" + "s" * bool(delay > 1)
        found[f"begins {hops} later"] = one["shifted_same"].sel(delay=delay).mean("codebook").values
    if "reencoded_same" in one:
        for generation in one["generation"].values:
            times = TIMES.get(int(generation), f"{generation} times")
            found[f"coded again {times}"] = (
                one["reencoded_same"].sel(generation=generation).mean("codebook").values
            )
    for way in one["arithmetic"].values:
        changed = one["arithmetic_changed"].sel(arithmetic=way).mean("codebook")
        found[str(way)] = 1 - np.atleast_1d(changed.values)
    return found


def _fraction(hops: float) -> str:
    return f"{hops:g}" if hops >= 1 else f"1/{round(1 / hops)}"


def _shares(axes: Axes, one: xr.Dataset, seeds: Sequence[xr.Dataset], name: str) -> None:
    kept = changes(one)
    unrelated = float(one["unrelated_same"].mean())
    axes.axvline(unrelated, color=DARK, ls="--", lw=1.3, label="unrelated sounds")
    others = [changes(seed) for seed in seeds]
    for y, (kind, values) in zip(range(len(kept), 0, -1), kept.items(), strict=True):
        for other in others:
            if kind in other:
                axes.plot(
                    other[kind].mean(), y - 0.2, "X", color=RANDOM, ms=5, clip_on=False,
                    label=seeds_label(len(seeds)),
                )  # fmt: skip
        axes.hlines(y + 0.1, *interval_of_mean(values), color=TRAINED, lw=1.6)
        axes.plot(values.mean(), y + 0.1, "o", color=TRAINED, ms=5, label=name or "encoder", clip_on=False)
    axes.set_yticks(range(len(kept), 0, -1), list(kept))
    axes.set(xlim=(0, 1), ylim=(0.4, len(kept) + 0.6), xlabel="share of codes that stay")


def _margins(axes: Axes, one: xr.Dataset) -> None:
    """Draw the middle half, the middle nine tenths and the median of each codebook's margins."""
    number = one["codebook"].values
    low, quarter, half, most, high = (
        one["margin"].sel(quantile=q, method="nearest").values for q in (0.05, 0.25, 0.5, 0.75, 0.95)
    )
    axes.hlines(number, low, high, color=THIRD, lw=1.2, label="middle 90 % of margins")
    axes.hlines(number, quarter, most, color=THIRD, lw=4, label="middle half")
    axes.plot(half, number, "|", color=DARK, ms=9, mew=1.8, label="median")
    axes.set(ylim=(number[-1] + 0.6, number[0] - 0.6), xlim=(0, None), ylabel="codebook")
    axes.set_yticks(number)
    axes.set_xlabel("margin (re distance of the two nearest entries)")


def _said(one: xr.Dataset, seeds: Sequence[xr.Dataset]) -> list[str]:
    kept, others = changes(one), [changes(seed) for seed in seeds]

    def share(kind: str) -> str:
        return f"{kept[kind].mean():.2f}{among_seeds([o[kind].mean() for o in others if kind in o])}"

    said = [
        f"{kind}: {share(kind)}"
        for kind in (*list(kept)[:1], "begins 1 hop later", "coded again once")
        if kind in kept
    ]
    changed = [float(each["arithmetic_changed"].max("codebook").max()) for each in (one, *seeds)]
    said.append(
        f"another order of sums changes up to {changed[0]:.3f} of a codebook{among_seeds(changed[1:], 3)}"
    )
    if "narrow_share" in one:
        narrow = [float(each["narrow_share"].mean()) for each in (one, *seeds)]
        said.append(f"rounding may turn {narrow[0]:.3f} of the decisions{among_seeds(narrow[1:], 3)}")
    return [*said, f"unrelated sounds: {float(one['unrelated_same'].mean()):.2f}"]
