"""Melody models side by side: how many latents carry music, how much they tell, and of what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ....probes.latents.materials import PRIOR
from ..drawing import RANDOM, THIRD, TRAINED, Illustration, canvas, hint, one_legend
from ..panels import panel_rows, panels, shortened

GROUPS = {"pitch": (TRAINED, "o"), "rhythm": (RANDOM, "s"), "melody": (THIRD, "^")}
PANELS = {
    "count": ("active latents", "dimensions"),
    "share": ("share of dimensions", "%"),
    "information": ("information", "nats a melody"),
    "loss": ("lost with the rest zeroed", "percentage points"),
}
RANKS = 2  # dimensions whose best features are drawn
Measured = Mapping[str, xr.Dataset]


def models_side_by_side(models: Mapping[str, Measured]) -> Illustration:
    """Draw models one below the other, a panel for each number that tells them apart.

    Parameters
    ----------
    models : mapping of str to mapping of str to xarray.Dataset
        By name, what was measured by group: "latents", "reconstruction", "features"; any may be missing.
    """
    names = list(models)
    said = {name: _numbers(measured) for name, measured in models.items()}
    keys = [key for key in PANELS if any(key in numbers for numbers in said.values())]
    features = [measured.get("features") for measured in models.values()]
    ranks = [r for r in range(1, RANKS + 1) if any(_best(f, r, g) >= 0 for f in features for g in GROUPS)]
    count = len(keys) + len(ranks)
    height = 1.1 + panel_rows(count, 2) * (0.75 + 0.24 * len(names))
    with canvas(height, "Models side by side") as figure:
        grid = panels(figure, count, most=2, sharex=False)
        for axes, key in zip(grid, keys, strict=False):
            _panel(axes, [said[n].get(key) for n in names])
            axes.set(title=PANELS[key][0], xlabel=PANELS[key][1])
        for axes, rank in zip(grid[len(keys) :], ranks, strict=True):
            _groups(axes, features, rank)
            axes.set(title=f"best feature of rank {rank}", xlabel="phik (1)", xlim=(-0.03, 1.08))
        if grid:
            grid[0].set_yticks(range(len(names)), [shortened(name, 20) for name in names])
            grid[0].set_ylim(len(names) - 0.4, -0.6)
        one_legend(figure, columns=3)
    return Illustration(
        "models-side-by-side",
        "Models side by side",
        figure,
        "Do models of different length use their latents alike?",
        "Active latents are those by mean sigma; what is lost is free-running accuracy with all other "
        "dimensions zeroed. Models trained with free bits are free to leave sigma below 1 where that costs "
        "nothing, so counts compare only between like objectives.",
        f"Dots for {', '.join(names)}: active latents, their share, information, what is lost without the "
        "rest, and the greatest phik with pitch, rhythm and melody features.",
        "A row a model: how many latents carry music, how much they tell, and of what.",
        _tabulated(said, models),
    )


def _numbers(measured: Measured) -> dict[str, tuple[float, float, float]]:
    """Return value, low and high of what was measured."""
    found = {}
    if (latents := measured.get("latents")) is not None:
        music = latents["is_active"].sel(criterion="sigma").values
        nats = float(latents["divergence"].sel(material=PRIOR).sum())
        values = {"count": float(music.sum()), "share": 100.0 * float(music.mean()), "information": nats}
        found = {key: (value, value, value) for key, value in values.items()}
    if (kept := measured.get("reconstruction")) is not None:
        one = kept.sel(order="relevance", measure="free-running", kept=kept.attrs["active_latents"])
        loss, low, high = (100.0 * float(one[v]) for v in ("loss_to_all", "loss_low", "loss_high"))
        found["loss"] = (loss, low, high)
    return found


def _panel(axes: Axes, values: Sequence[tuple[float, float, float] | None]) -> None:
    there = [(row, *value) for row, value in enumerate(values) if value is not None]
    for row, value, low, high in there:
        axes.plot([low, high], [row, row], color=TRAINED, lw=1.6)
        (point,) = axes.plot(value, row, "o", color=TRAINED, ms=5.5)
        hint(point, f"{value:z.3g}")
        axes.annotate(f"{value:z.3g}", (value, row), (0, 6), textcoords="offset points", ha="center", size=8)
    known = [v for _, *several in there for v in several if np.isfinite(v)]  # one piece has no interval
    furthest = max([abs(v) for v in known] or [0.0]) or 1.0
    least = min(known or [0.0])
    axes.set_xlim(min(0.0, least) - 0.08 * furthest, 1.15 * furthest)


def _best(features: xr.Dataset | None, rank: int, group: str) -> float:
    """Return the greatest phik of a dimension with the features of a group; NaN without any."""
    if features is None or rank not in features["rank"].values:
        return np.nan
    one = features.sel(rank=rank)
    values = one["phik"].values[one["feature_group"].values == group]
    values = values[np.isfinite(values)]
    return float(values.max()) if values.size else np.nan


def _groups(axes: Axes, several: Sequence[xr.Dataset | None], rank: int) -> None:
    for i, (group, (color, marker)) in enumerate(GROUPS.items()):
        best = [_best(one, rank, group) for one in several]
        rows = np.arange(len(several)) + 0.18 * (i - 1)
        axes.plot(best, rows, marker, color=color, ms=5, label=group)


def _tabulated(
    said: Mapping[str, Mapping[str, tuple[float, float, float]]], models: Mapping[str, Measured]
) -> pd.DataFrame:
    rows = []
    for name, numbers in said.items():
        for key, (value, low, high) in numbers.items():
            title, unit = PANELS[key]
            rows.append({"model": name, "measure": title, "unit": unit, "value": value, "low (95 %)": low,
                         "high (95 %)": high})  # fmt: skip
        for rank in range(1, RANKS + 1):
            for group in GROUPS:
                best = _best(models[name].get("features"), rank, group)
                if np.isfinite(best):
                    measure = f"best {group} feature of rank {rank}"
                    rows.append({"model": name, "measure": measure, "unit": "phik (1)", "value": best})
    return pd.DataFrame(rows, columns=["model", "measure", "unit", "value", "low (95 %)", "high (95 %)"])
