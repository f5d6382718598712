"""Reuse of codes: how often a partial gets the same code in other contexts, and at other phases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ...selecting import at_stage, interval_of_mean, stages_with
from ...writing import among_seeds, listed
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend, seeds_label

SERIES = (  # kind of agreement, color, marker, how far beside its codebook, and what it is called
    ("phase", THIRD, "s", -0.16, "other phase"),
    ("same", TRAINED, "o", 0.0, "other context"),
)
FAMILIES = (("agreement", "each codebook by itself"), ("joint", "all codebooks up to it at once"))
TICKS = (0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)
TOGETHER = (1, 2, 4)  # codebooks at once, of which the reading tells


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

    Notes
    -----
    Intervals are 95 %, by resampling partials. The axis is that of square roots, so that small shares
    are told apart and zero has a place.
    """
    (stage,) = stages_with(codes, "agreement_same")
    one, seeds = at_stage(codes, stage), [at_stage(r, stage) for r in random]
    numbers = one["codebook"].values
    families = FAMILIES if len(numbers) > 1 else FAMILIES[:1]
    with canvas(1.6 + 2.4 * len(families), f"{name}: do partials keep their codes?") as figure:
        rows = figure.subplots(len(families), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (family, title) in zip(rows, families, strict=True):
            _share_axis(axes, _panel(axes, one, seeds, family))
            axes.set_title(title)
            axes.set_ylabel("share of codes alike")
        rows[-1].set_xticks(numbers[:: max(1, len(numbers) // 8)])
        rows[-1].set(xlabel="codebook", xlim=(numbers[0] - 0.6, numbers[-1] + 0.6))
        one_legend(figure)
    return Illustration(
        "code-reuse",
        "Reuse of codes",
        figure,
        "Does a partial keep its codes when something else sounds beside it, or when its phase moves?",
        "Agreement of codes in the same frame. A vocabulary of partials would keep a code whatever the "
        "context, be it those of one codebook (1); chance is what different partials in different contexts "
        "share. "
        f"{listed(_said(one, seeds))}.",
        f"Share of codes alike by codebook of {name}: the same partial in other contexts, at another phase, "
        "and different partials, with intervals"
        + (", and random networks in another colour." if random else "."),
    )


def _panel(axes: Axes, one: xr.Dataset, seeds: Sequence[xr.Dataset], family: str) -> float:
    """Draw one family of agreements; return the highest share."""
    number = one["codebook"].values
    chance = one[f"{family}_different"].mean("component").values
    axes.plot(
        number, chance, "_--", color=DARK, lw=1.0, ms=13, mew=1.6, label="chance: other partial and context"
    )
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


def _said(one: xr.Dataset, seeds: Sequence[xr.Dataset]) -> list[str]:
    """Say what the first codebooks, by themselves and together, keep."""

    def mean(each: xr.Dataset, variable: str, codebook: int) -> float:
        return float(each[variable].sel(codebook=codebook).mean())

    said = []
    for count in [n for n in TOGETHER if n <= int(one["codebook"][-1])]:
        same, chance = (
            [mean(e, f"joint_{kind}", count) for e in (one, *seeds)] for kind in ("same", "different")
        )
        first = "first codebook" if count == 1 else f"first {count} at once"
        said.append(
            f"{first}: {same[0]:.3f} in other contexts{among_seeds(same[1:], 3)}, chance {chance[0]:.3f}"
        )
    phase = [mean(e, "agreement_phase", 1) for e in (one, *seeds)]
    bits = [mean(e, "information", 1) for e in (one, *seeds)]
    limit = np.log2(one.sizes["component"])
    if "reuse" in one and one["reuse"].notnull().any():
        best = [float(e["reuse"].mean()) for e in (one, *seeds) if "reuse" in e]
        said.append(
            f"of the codebook, or number of codebooks, that suits each partial best in other contexts "
            f"{best[0]:.3f}{among_seeds(best[1:], 3)} more are there with it than without"
        )
    said.append(f"at another phase {phase[0]:.2f} of the first codebook stays{among_seeds(phase[1:])}")
    said.append(f"it tells {bits[0]:.2f} of {limit:.1f} bit of which partial sounds{among_seeds(bits[1:])}")
    return said
