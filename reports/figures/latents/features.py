"""What latents know of pitch, rhythm and melody: phik with features, beside random weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from ....probes.latents.correlation import BEYOND_RHYTHM, FAINT, WITH_RHYTHM, is_related
from ....probes.statistics.resampling import ALPHA
from ...writing import listed
from ..drawing import DARK, LABEL_SIZE, RANDOM, TRAINED, Illustration, canvas, one_legend

ROW_IN = 0.145
COLOURS, GREYS = "YlGnBu", "Greys"
LONGEST = 31  # characters of a feature's name
NAMED = 3  # dimensions in the reading


def phik_matrix(result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw phik of every requested dimension with every feature, and each feature's best dimension.

    Parameters
    ----------
    result : xarray.Dataset
        Group "features" of the model.
    random : sequence of xarray.Dataset
        The same of its random baselines: of each feature its best dimension.
    name : str
        What the model is called.
    """
    shown = by_feature(result)
    first = min(r.sizes["rank"] for r in (result, *random))  # the best of as many dimensions everywhere
    others = [by_feature(r.isel(rank=slice(0, first))) for r in random]
    others = [other.reindex(feature=shown["feature"].values) for other in others]
    groups = [str(g) for g in shown["group"].values]
    portions = {g: shown.isel(feature=np.flatnonzero(shown["feature_group"].values == g)) for g in groups}
    portions = {g: p for g, p in portions.items() if p.sizes["feature"]}
    rows = [p.sizes["feature"] for p in portions.values()]
    with canvas(1.9 + ROW_IN * sum(rows), f"{name}: what the latents know of melodies") as figure:
        grid = figure.subplots(len(rows), 2, height_ratios=rows, width_ratios=(2.2, 1), sharex="col")
        for (matrix, best), (group, portion) in zip(grid, portions.items(), strict=True):
            _cells(matrix, portion)
            _best(best, portion.isel(rank=slice(0, first)), others)
            matrix.set_title(group, pad=9)
            if group == "melody":
                _mark_beyond(matrix, result)
        _rank_axis(grid[-1, 0], shown["rank"].values)
        grid[-1, 1].set(xlabel="best phik (1)", xlim=(-0.03, 1.03), xticks=[0, 0.5, 1])
        _colour_bars(figure, grid)
        one_legend(figure)
    return Illustration(
        "phik-matrix",
        "Features that latents know",
        figure,
        "Which dimension goes with which features of pitch, rhythm and melody?",
        f"Over {int(result.attrs['n_melodies']):,} melodies drawn from the model's prior, in "
        f"{int(result.attrs['bins'])} bins: phik is 0 for independent variables and 1 where either tells the "
        f"other, whatever the shape. In colour, pairs with a phik of at least {FAINT:g} and a p of at most "
        f"{ALPHA:g} against melodies dealt anew, corrected over all pairs; in grey, all others. "
        f"{_strongest(shown)} {_significant(shown)} {_beyond(result)}"
        f"{_constant(result)}{_at_random(shown.isel(rank=slice(0, first)), others)}",
        f"Matrix of phik between {result.sizes['rank']} dimensions of {name} and {shown.sizes['feature']} "
        "features grouped in pitch, rhythm and melody"
        + (", beside each feature's best dimension with random weights." if random else "."),
    )


def by_feature(result: xr.Dataset) -> xr.Dataset:
    """Return `phik` and `p_corrected`, [feature, rank], one row a feature: of vectors the greatest.

    Features that never have a value are left out (unless none ever has); the others are called by
    jSymbolic's number and name.
    """
    ids, phik, p = (result[v].values for v in ("feature_id", "phik", "p_corrected"))
    features = result["feature"].values.astype(str).tolist()
    every = list(dict.fromkeys(ids.tolist()))
    kept = [i for i in every if np.isfinite(phik[:, ids == i]).any()] or every
    found, names, groups, called = np.full((2, len(kept), len(phik)), np.nan), [], [], []
    for row, one in enumerate(kept):
        entries = np.flatnonzero(ids == one)
        best = entries[np.nan_to_num(phik[:, entries], nan=-1.0).argmax(1)]  # [k]
        for values, into in zip((phik, p), found, strict=True):
            into[row] = np.take_along_axis(values, best[:, None], 1)[:, 0]
        name = features[entries[0]].rsplit(" ", 1)[0] if len(entries) > 1 else features[entries[0]]
        names.append(label(one, name))
        called.append(f"{one} {name}")
        groups.append(str(result["feature_group"].values[entries[0]]))
    return xr.Dataset(
        {
            "phik": (("feature", "rank"), found[0]),
            "p_corrected": (("feature", "rank"), found[1]),
            "feature_group": ("feature", groups),
            "called": ("feature", called),
        },
        {"feature": names, "rank": result["rank"].values, "group": result["group"].values},
    )


def label(feature_id: str, name: str) -> str:
    """Write a feature's number and name, so short that it fits beside a figure.

    Examples
    --------
    >>> label("P11", "Most Common Pitch"), label("M6", "Relative Strength of Most Common Intervals")
    ('P11 Most Common Pitch', 'M6 Relative Strength of Most Comm…')
    """
    return f"{feature_id} {name if len(name) <= LONGEST else name[: LONGEST - 1].rstrip() + '…'}"


def _cells(axes: Axes, portion: xr.Dataset) -> None:
    counts = is_related(portion["phik"], portion["p_corrected"]).values
    for colours, there in ((GREYS, ~counts), (COLOURS, counts)):
        axes.imshow(
            np.where(there, portion["phik"].values, np.nan), cmap=colours, norm=_scale(colours),
            aspect="auto", interpolation="nearest",
        )  # fmt: skip
    axes.set_yticks(range(portion.sizes["feature"]), portion["feature"].values, fontsize=7)
    axes.tick_params(axis="both", length=0)
    axes.grid(False)


def _scale(colours: str) -> Normalize:
    """Scale phik; grey stays pale, so that it is taken for the absence of colour."""
    return Normalize(0, 1 if colours == COLOURS else 2.5)


def _mark_beyond(axes: Axes, result: xr.Dataset) -> None:
    """Mark the dimensions that tell something of melody that rhythm does not."""
    there = np.flatnonzero(result["melody"].values == BEYOND_RHYTHM)
    limits = axes.get_ylim()
    above = np.full(len(there), limits[1] - 0.45)
    axes.plot(there, above, "v", color=DARK, ms=3.5, clip_on=False, label="melody beyond rhythm")
    axes.set_ylim(limits)


def _best(axes: Axes, portion: xr.Dataset, others: Sequence[xr.Dataset]) -> None:
    y = np.arange(portion.sizes["feature"])
    for i, other in enumerate(others):
        best = other["phik"].sel(feature=portion["feature"].values).max("rank")
        axes.plot(best, y, "D", color=RANDOM, ms=3.5, label=None if i else "random weights")
    best = f"best of {portion.sizes['rank']} dimensions"
    axes.plot(portion["phik"].max("rank"), y, "o", color=TRAINED, ms=3.5, label=best)
    axes.set_yticks(y, [""] * len(y))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(y) - 0.5, -0.5)


def _rank_axis(axes: Axes, ranks: np.ndarray) -> None:
    step = next(s for s in (1, 2, 5, 10, 20, 50) if len(ranks) / s <= 9)
    places = [i for i, n in enumerate(ranks) if n == 1 or n % step == 0]
    axes.set_xticks(places, [f"{ranks[i]}" for i in places])
    axes.set_xlabel("dimension (rank)")


def _colour_bars(figure, grid: np.ndarray) -> None:
    mesh = grid[0, 0].images[1]
    bar = figure.colorbar(mesh, ax=grid, location="bottom", shrink=0.6, aspect=30, pad=0.01)
    bar.set_label("phik (1), where it counts", size=LABEL_SIZE)
    bar.outline.set_edgecolor(DARK)


def _strongest(shown: xr.Dataset) -> str:
    """Tell of the first dimensions the feature each goes with most, and its p."""
    said = []
    for rank in shown["rank"].values[:NAMED]:
        one = shown.sel(rank=rank)
        if one["phik"].notnull().any():
            best = one.isel(feature=int(one["phik"].argmax("feature")))
            said.append(
                f"rank {rank} with {best['called'].item()} ({best['feature_group'].item()}): "
                f"{float(best['phik']):.2f}, p {float(best['p_corrected']):.3f}"
            )
    return f"Strongest: {listed(said)}." if said else "No feature has a value."


def _significant(shown: xr.Dataset) -> str:
    """Tell per group how many features the first dimensions know, and the mean of their phik."""
    said = []
    for group in shown["group"].values:
        one = shown.isel(feature=np.flatnonzero(shown["feature_group"].values == group))
        known = is_related(one["phik"], one["p_corrected"]).sum("feature").values[:NAMED]
        mean = one["phik"].mean("feature").values[:NAMED]
        pairs = ", ".join(f"{k} at a mean phik of {m:.2f}" for k, m in zip(known, mean, strict=True))
        if one["phik"].notnull().any():
            said.append(f"{group} (of {one.sizes['feature']}) {pairs}")
    return f"Features in colour of the first dimensions in turn: {listed(said)}." if said else ""


def _beyond(result: xr.Dataset) -> str:
    """Tell how many dimensions say something of melody that rhythm does not."""
    melody = result["melody"].values.astype(str)
    ranks = result["rank"].values[melody == BEYOND_RHYTHM]
    first = f" (first rank {ranks[0]})" if len(ranks) else ""
    return (
        f"Of {len(melody)} dimensions, {len(ranks)}{first} tell more of melody than rhythm does, "
        f"{int((melody == WITH_RHYTHM).sum())} only what goes with rhythm."
    )


def _constant(result: xr.Dataset) -> str:
    """Name the features that have the same value for every melody."""
    ids = result["feature_id"].values
    known = set(ids[np.isfinite(result["phik"].values).any(0)].tolist())
    left = [i for i in dict.fromkeys(ids.tolist()) if i not in known]
    return f" Without a value, since they never change: {', '.join(left)}." if left else ""


def _at_random(shown: xr.Dataset, others: Sequence[xr.Dataset]) -> str:
    """Compare the best dimension of every feature with that of random weights."""
    if not shown["phik"].notnull().any() or not any(o["phik"].notnull().any() for o in others):
        return ""
    own = shown["phik"].max("rank")
    best = xr.concat([o["phik"].max("rank") for o in others], "seed").max("seed")
    more = int((own > best).sum())
    return (
        f" With random weights the best of {shown.sizes['rank']} dimensions has, on average over features, "
        f"{float(best.mean()):.2f} (here {float(own.mean()):.2f}); here it has more for {more} of "
        f"{shown.sizes['feature']}. phik does not ask how much a mu varies: what an untrained network "
        "computes of its input goes with features too."
    )
