"""Reuse of codes: how often a partial gets the same code in other contexts, and at other phases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ...selecting import at_stage, interval_of_mean, stage_with
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend, seeds_label
from ..panels import axes_or_new, by_network
from ..tables import Row, table

SERIES = (  # kind of agreement, color, marker, how far beside its codebook, and what it is called
    ("phase", THIRD, "s", -0.16, "other phase"),
    ("same", TRAINED, "o", 0.0, "other context"),
)
FAMILIES = {"agreement": "each codebook by itself", "joint": "all codebooks up to it at once"}
TICKS = (0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)


def code_agreement(
    data: xr.Dataset,
    *,
    at_once: bool = False,
    random: Sequence[xr.Dataset] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw how often a partial keeps its code, codebook by codebook, beside chance.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "codes".
    at_once : bool
        Whether all codebooks up to each must agree; else each counts by itself.
    random : sequence of xarray.Dataset
        The same of random networks, hollow.
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
    Intervals are 95 %, by resampling partials. The axis is that of square roots, so that small shares
    are told apart and zero has a place.
    """
    one = stage_with(data, "agreement_same")
    seeds = [at_stage(r, str(one["stage"].values)) for r in random]
    family, number = ("joint" if at_once else "agreement"), one["codebook"].values
    with axes_or_new(ax) as axes:
        _share_axis(axes, _panel(axes, one, seeds, family))
        axes.set(title=FAMILIES[family], xlabel="codebook", ylabel="share of codes alike")
        axes.set_xlim(number[0] - 0.6, number[-1] + 0.6)
        axes.set_xticks(number[:: max(1, len(number) // 8)])
    return axes


def code_reuse(codes: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the agreement of a partial's codes with themselves, codebook by codebook and all up to one.

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
    kinds = (False, True) if one.sizes["codebook"] > 1 else (False,)
    with canvas(1.6 + 1.9 * len(kinds), f"{name}: do partials keep their codes?") as figure:
        rows = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
        for axes, at_once in zip(rows, kinds, strict=True):
            code_agreement(codes, at_once=at_once, random=random, ax=axes)
            axes.label_outer()
        one_legend(figure)
    return Illustration(
        "code-reuse",
        "Reuse of codes",
        figure,
        "Does a partial keep its codes when something else sounds beside it, or when its phase moves?",
        "Agreement of codes in the same frame, with 95 % intervals over partials. A vocabulary of partials "
        "would keep a code whatever the context; chance is what different partials in different contexts "
        "share. The table also gives what the codebook that suits each partial best keeps beyond chance.",
        f"Share of codes alike by codebook of {name}: the same partial in other contexts, at another phase, "
        "and different partials, with intervals"
        + (", and random networks in another colour." if random else "."),
        "Blue above the dashes: a partial keeps its code in another context more often than chance would "
        "have it.",
        table(_rows(one, seeds)),
    )


def _panel(axes: Axes, one: xr.Dataset, seeds: Sequence[xr.Dataset], family: str) -> float:
    """Draw one family of agreements; return the highest share."""
    number = one["codebook"].values
    chance = one[f"{family}_different"].mean("component").values
    axes.plot(number, chance, "_--", color=DARK, lw=1.0, ms=13, mew=1.6, label="chance")
    highest = float(chance.max())
    for kind, color, marker, beside, label in SERIES:
        values = one[f"{family}_{kind}"].values  # [component, codebook]
        ends = np.array([interval_of_mean(v) for v in values.T])
        axes.vlines(number + beside, *ends.T, color=color, lw=1.6)
        axes.plot(number + beside, values.mean(0), marker, color=color, ms=5, label=label)
        for seed in seeds:
            random = seed[f"{family}_{kind}"].mean("component").values
            axes.plot(
                number + beside + 0.16, random, marker, mfc="none", mec=RANDOM, ms=4.5, mew=1.1,
                label=seeds_label(len(seeds)) + " (hollow)",
            )  # fmt: skip
            highest = max(highest, float(random.max()))
        highest = max(highest, float(ends.max()))
    return highest


def _share_axis(axes: Axes, highest: float) -> None:
    axes.set_yscale("function", functions=(lambda x: np.sqrt(np.clip(x, 0, None)), np.square))
    axes.yaxis.set_major_locator(FixedLocator(TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g}"))
    axes.set_ylim(0, min(1.05, max(0.02, 1.15 * highest)))


def _rows(one: xr.Dataset, seeds: Sequence[xr.Dataset]) -> list[Row]:
    """Return every share that is drawn, and what the codes tell and keep of partials."""
    measures = {
        f"{said}, {label}": f"{family}_{kind}"
        for family, said in FAMILIES.items()
        for kind, label in (*((s[0], s[-1]) for s in SERIES), ("different", "chance"))
    }
    measures |= {"tells of the partial (bit)": "information"}
    rows: list[Row] = []
    for what, variable in measures.items():
        for codebook in one["codebook"].values:
            mean, *among = (float(e[variable].sel(codebook=codebook).mean()) for e in (one, *seeds))
            row: dict[str, object] = {"measure": what, "codebook": int(codebook), "encoder": mean}
            if variable.endswith(("same", "phase")):
                ends = interval_of_mean(one[variable].sel(codebook=codebook).values)
                row |= dict(zip(("from", "to"), ends, strict=True))
            rows.append(row | by_network(among))
    rows.append(
        {"measure": "most that could be told (bit)", "encoder": float(np.log2(one.sizes["component"]))}
    )
    if "reuse" in one and one["reuse"].notnull().any():
        mean, *among = (float(e["reuse"].mean()) for e in (one, *seeds) if "reuse" in e)
        said = "kept beyond chance by the codebook, or number of them, that suits each partial best"
        rows.append({"measure": said, "encoder": mean, **by_network(among)})
    return rows
