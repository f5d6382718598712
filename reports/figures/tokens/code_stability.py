"""Stability of codes: which stay when nothing audible changes, and how firmly they were decided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, interval_of_mean, stage_with
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, hint, one_legend, seeds_label
from ..panels import axes_or_new, by_network
from ..tables import Row, table

TIMES = {1: "once", 2: "twice"}


def codes_kept(
    data: xr.Dataset, *, random: Sequence[xr.Dataset] = (), name: str = "", ax: Axes | None = None
) -> Axes:
    """Draw the share of codes that stay under each change that cannot be heard.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "codes".
    random : sequence of xarray.Dataset
        The same of random networks.
    name : str
        What the encoder is called in the legend.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    InputError
        If no stage has codes.

    Notes
    -----
    Shares are means over codebooks, with 95 % intervals by resampling sounds.
    """
    one = stage_with(data, "agreement_same")
    seeds = [at_stage(r, str(one["stage"].values)) for r in random]
    kept, others = changes(one), [changes(seed) for seed in seeds]
    with axes_or_new(ax, 1.4 + 0.24 * len(kept)) as axes:
        unrelated = float(one["unrelated_same"].mean())
        axes.axvline(unrelated, color=DARK, ls="--", lw=1.3, label="unrelated sounds")
        for y, (kind, values) in zip(range(len(kept), 0, -1), kept.items(), strict=True):
            for other in others:
                if kind in other:
                    axes.plot(
                        other[kind].mean(), y - 0.2, "X", color=RANDOM, ms=5, clip_on=False,
                        label=seeds_label(len(seeds)),
                    )  # fmt: skip
            low, high = interval_of_mean(values)
            axes.hlines(y + 0.1, low, high, color=TRAINED, lw=1.6)
            own = name or "encoder"
            (mark,) = axes.plot(values.mean(), y + 0.1, "o", color=TRAINED, ms=5, label=own, clip_on=False)
            hint(mark, f"{values.mean():.2f} ({low:.2f} to {high:.2f})")
        axes.set_yticks(range(len(kept), 0, -1), list(kept))
        axes.set(xlim=(0, 1), ylim=(0.4, len(kept) + 0.6), xlabel="share of codes that stay")
    return axes


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
    """
    one = stage_with(codes, "agreement_same")
    seeds = [at_stage(r, str(one["stage"].values)) for r in random]
    margins = "margin" in one and bool(one["margin"].notnull().any())
    heights = [0.24 * len(changes(one)) + 0.5]
    heights += [0.16 * one.sizes["codebook"] + 0.5] if margins else []
    with canvas(1.7 + sum(heights), f"{name}: do codes stay?") as figure:
        rows = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        codes_kept(codes, random=random, name=name, ax=rows[0])
        if margins:
            _margins(rows[1], one)
        one_legend(figure)
    return Illustration(
        "code-stability",
        "Stability of codes",
        figure,
        "Do codes stay when nothing audible changes?",
        "The encoder begins later in the same steady sound (a whole hop only cuts the past), what was coded "
        "is decoded and coded again, or the same sums are done in another order; lines are 95 % intervals "
        "over sounds." + (" A margin of 0 lies half-way between two entries." if margins else ""),
        f"Share of codes of {name} that stay, by kind of change, with intervals"
        + (", random networks in another colour" if random else "")
        + (", and below it the margins of decisions by codebook." if margins else "."),
        "Dots at the right: codes stay as they are; at the dashed line they are no more alike than those of "
        "unrelated sounds.",
        table(_rows(one, seeds)),
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
    axes.set_yticks(number[:: max(1, len(number) // 16)])
    axes.set_xlabel("margin (re distance of the two nearest entries)")


def _rows(one: xr.Dataset, seeds: Sequence[xr.Dataset]) -> list[Row]:
    """Return the share that stays by kind of change, and what the decisions' margins are."""
    others = [changes(seed) for seed in seeds]
    rows: list[Row] = []
    for kind, values in changes(one).items():
        low, high = interval_of_mean(values)
        among = by_network([other[kind].mean() if kind in other else np.nan for other in others])
        rows.append(
            {"what": f"stays: {kind} (share)", "encoder": values.mean(), "from": low, "to": high, **among}
        )
    rows.append({"what": "stays: unrelated sounds (share)", "encoder": float(one["unrelated_same"].mean())})
    changed = [float(each["arithmetic_changed"].max("codebook").max()) for each in (one, *seeds)]
    said = "changed by another order of sums, in the codebook that changes most (share)"
    rows.append({"what": said, "encoder": changed[0], **by_network(changed[1:])})
    if "narrow_share" in one:
        narrow = [float(each["narrow_share"].mean()) for each in (one, *seeds)]
        said = "decisions that rounding may turn (share)"
        rows.append({"what": said, "encoder": narrow[0], **by_network(narrow[1:])})
    if "margin" in one and one["margin"].notnull().any():
        for codebook in one["codebook"].values:
            at = one["margin"].sel(codebook=codebook)
            low, half, high = (float(at.sel(quantile=q, method="nearest")) for q in (0.05, 0.5, 0.95))
            said = f"margin of codebook {codebook}, median, 5 and 95 % (re distance)"
            rows.append({"what": said, "encoder": half, "from": low, "to": high})
    return rows
