"""The ledger: how output power divides into fold, harmonics, mean shift and the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, spread, stages_with
from ..drawing import DARK, LABEL_SIZE, Illustration, canvas, hint, one_legend
from ..panels import MOST_STAGES, axes_or_new, by_network, panel_rows, panels, shortened
from ..tables import Row, table

# part -> (its components, colour, hatch, marker): told apart without colour as well
PARTS = {
    "fold": (("fold",), "#56B4E9", "", "o"),
    "harmonics 2 to 5": (tuple(f"harmonic_{n}" for n in range(2, 6)), "#009E73", "///", "^"),
    "mean shift": (("mean_shift",), "#F0E442", "\\\\\\\\", "s"),
    "intermodulation": (("intermodulation",), "#CC79A7", "xxx", "v"),
    "rest": (("rest",), "#BBBBBB", "", "x"),
}


def ledger_shares(data: xr.Dataset, *, random: Sequence[xr.Dataset] = (), ax: Axes | None = None) -> Axes:
    """Draw how the bank's output power divides, a bar a stage, the mean of random networks below each.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "aliasing" or "intermodulation".
    random : sequence of xarray.Dataset
        The same of random networks.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import aliasing
    >>> from tonotopy.probes.engine.session import Session
    >>> ax = ledger_shares(aliasing(Session(load("control:decimator"))))
    >>> ax.get_xlabel(), len(ax.get_yticks())
    ('share of output power (1 = all)', 1)
    """
    labels, shares, chance = _rows(data, random)
    y = np.arange(len(labels), 0, -1)
    left = np.zeros(len(labels))
    with axes_or_new(ax, 1.4 + 0.3 * len(labels)) as axes:
        for part, (_, color, hatch, _) in PARTS.items():
            if part not in shares[0]:
                continue
            width = np.array([s[part] for s in shares])
            bars = axes.barh(
                y, width, left=left, height=0.72, color=color, hatch=hatch, edgecolor=DARK, lw=0.4, label=part
            )
            for bar, share in zip(bars, width, strict=True):
                hint(bar, f"{part}: {share:.3f}")
            left += width
        if np.isfinite(chance).any():
            axes.plot(chance, y, "|", color="black", ms=13, mew=2.2, label="fold by chance")
        axes.set_yticks(y, [shortened(label) for label in labels])
        axes.set(xlim=(0, 1.005), ylim=(0.4, len(labels) + 0.6), xlabel="share of output power (1 = all)")
        axes.grid(False, axis="y")
    return axes


def ledger(
    aliasing: xr.Dataset,
    random: Sequence[xr.Dataset] = (),
    name: str = "",
    pairs: xr.Dataset | None = None,
    random_pairs: Sequence[xr.Dataset] = (),
) -> Illustration:
    """Draw the bank's ledger as bars, encoder above random weights, for tones and for pairs of tones.

    Parameters
    ----------
    aliasing : xarray.Dataset
        Group "aliasing" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; their mean is drawn.
    name : str
        What the encoder is called.
    pairs, random_pairs : xarray.Dataset, and sequence of them
        Group "intermodulation", if there is one.
    """
    played = [("single tones", aliasing, random)]
    if pairs is not None and stages_with(pairs, "bank_share"):
        played.append(("pairs of tones", pairs, random_pairs))
    heights = [len(_rows(probe, seeds)[0]) for _, probe, seeds in played]
    height = 1.45 + 0.24 * sum(heights) + 0.3 * len(played)
    with canvas(height, f"{name}: where output power goes") as figure:
        grid = figure.subplots(len(played), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
        for axes, (title, probe, seeds) in zip(grid, played, strict=True):
            ledger_shares(probe, random=seeds, ax=axes)
            axes.set(title=title, xlabel="share of output power (1 = all)" if axes is grid[-1] else "")
        figure.supylabel("stage", size=LABEL_SIZE)
        one_legend(figure, 3)
    stages = stages_with(aliasing, "bank_share")
    return Illustration(
        "ledger",
        "Ledger of output power",
        figure,
        "Does power come out where folding puts it, or is it made by nonlinearities?",
        "A linear stage has only the fold. The black mark is the share at the folds of the other tones, "
        "which chance would give; p in the table is against tones that are shuffled.",
        f"Stacked bars of the shares of output power of {name} at {', '.join(stages)}, mean over tones"
        + (", random networks below each." if random else "."),
        "Each bar is a stage's output power: blue is what folding explains, the rest was made by "
        "nonlinearities.",
        table([row for title, probe, seeds in played for row in _table(title, probe, seeds)]),
    )


def _table(played: str, probe: xr.Dataset, random: Sequence[xr.Dataset]) -> list[Row]:
    """Return a row for each stage and part of the ledger."""
    rows: list[Row] = []
    for stage in stages_with(probe, "bank_share"):
        one = at_stage(probe, stage)
        seeds = [_shares(at_stage(r, stage)) for r in random if stage in stages_with(r, "bank_share")]
        for part, share in _shares(one).items():
            row: dict[str, object] = {"played": played, "stage": stage, "part": part, "share (1)": share}
            row |= by_network([seed[part] for seed in seeds])
            if part == "fold" and "null_share" in one:
                row["by chance (1)"] = float(one["null_share"].mean())
                row["p"] = float(one["fold_p"])
            rows.append(row)
    return rows


def _shares(one: xr.Dataset) -> dict[str, float]:
    """Mean over tones (or pairs) of what each part has of the bank's power."""
    share = one["bank_share"]
    mean = share.mean([d for d in share.dims if d != "component"]).values
    each = dict(zip(share["component"].values.astype(str), mean, strict=True))
    return {
        part: float(sum(each[member] for member in members))
        for part, (members, *_) in PARTS.items()
        if each.keys() >= set(members)
    }


def _rows(
    probe: xr.Dataset, random: Sequence[xr.Dataset]
) -> tuple[list[str], list[Mapping[str, float]], list[float]]:
    """Return labels, shares and chance of each bar: a stage, and below it the mean of the random seeds."""
    labels: list[str] = []
    shares: list[Mapping[str, float]] = []
    chance: list[float] = []
    for stage in stages_with(probe, "bank_share"):
        seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "bank_share")]
        for label, group in ((stage, [at_stage(probe, stage)]), (f"random ({len(seeds)})", seeds)):
            if not group:
                continue
            each = [_shares(one) for one in group]
            labels.append(label)
            shares.append({part: float(np.mean([e[part] for e in each])) for part in each[0]})
            null = [float(one["null_share"].mean()) for one in group if "null_share" in one]
            chance.append(float(np.mean(null)) if null else np.nan)
    return labels, shares, chance


def ledger_by_level(aliasing: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw how the bank's ledger changes with the level of the tones.

    Parameters as in `ledger`; `aliasing` has several levels. Random baselines stand in the table.
    """
    stages = [str(s) for s in spread(np.array(stages_with(aliasing, "level_effect")), MOST_STAGES)]
    rows: list[Row] = []
    with canvas(1.1 + 1.6 * panel_rows(len(stages)), f"{name}: the ledger over level") as figure:
        for axes, stage in zip(panels(figure, len(stages), "level (dBFS)"), stages, strict=True):
            seeds = [r for r in random if "level" in r.dims and stage in stages_with(r, "bank_share")]
            rows += _sweep(axes, aliasing, seeds, stage)
            axes.set(ylim=(-0.03, 1.03), title=shortened(stage, 18))
        figure.supylabel("share of output power (1 = all)", size=LABEL_SIZE)
        one_legend(figure, 4)
    return Illustration(
        "ledger-level",
        "Ledger over level",
        figure,
        "Does it depend on level where the power goes?",
        "The table gives the share of the power that changes its part between the lowest and the highest "
        "level, and the random networks.",
        f"Lines of the shares of output power of {name} against level, one panel per stage "
        f"({', '.join(stages)}).",
        "Lines lie flat where a gain changes nothing, as in a linear stage.",
        table(rows),
    )


def _sweep(axes: Axes, aliasing: xr.Dataset, seeds: Sequence[xr.Dataset], stage: str) -> list[Row]:
    """Draw shares over level; return them, with those of random networks."""
    levels = aliasing["level_dbfs"].values
    own, *others = (
        [_shares(one.sel(stage=stage).isel(level=i)) for i in range(len(levels))]
        for one in (aliasing, *seeds)
    )
    moved = by_network([float(at_stage(r, stage)["level_effect"]) for r in seeds if "level_effect" in r])
    effect = {"changes its part (share)": float(at_stage(aliasing, stage)["level_effect"])}
    effect |= {f"changes its part, {who}": value for who, value in moved.items()}
    rows: list[Row] = []
    for part, (_, color, _, marker) in PARTS.items():
        if part not in own[0]:
            continue
        share = [at[part] for at in own]
        color = color if part != "mean shift" else "#B8A900"  # yellow is too pale for a line
        axes.plot(levels, share, "-", color=color, marker=marker, ms=5, lw=1.5, label=part)
        for i, level in enumerate(levels):
            among = by_network([other[i][part] for other in others])
            about: Row = {"stage": stage, "part": part, "level (dBFS)": float(level), "share (1)": share[i]}
            rows.append({**about, **among, **effect})
    axes.set_xticks(levels)
    return rows
