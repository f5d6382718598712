"""What latents know of pitch, rhythm and melody: phik with features, beside random weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ....probes.latents.correlation import BEYOND_RHYTHM, FAINT, WITH_RHYTHM, is_related
from ....probes.statistics.resampling import ALPHA
from ..drawing import DARK, LABEL_SIZE, RANDOM, TRAINED, Illustration, canvas, one_legend
from ..panels import axes_or_new

ROW_IN = 0.155
COLOURS, GREYS = "YlGnBu", "Greys"
LONGEST = 31  # characters of a feature's name
NAMED = 3  # dimensions of which the data hold every phik


def feature_heat_map(data: xr.Dataset, *, group: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw phik of dimensions with features: in colour where it counts, in grey elsewhere.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "features".
    group : {"pitch", "rhythm", "melody"}, optional
        All features if left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's, with a colour bar, if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Its second image is that of the colours.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> from tonotopy.probes.latents.measures import features
    >>> found = features(Session(load("control:planted")), samples=200, permutations=19)
    >>> drawn = feature_heat_map(found)
    >>> drawn.get_xlabel()
    'dimension (rank)'
    """
    shown = by_feature(data)
    if group is not None:
        shown = shown.isel(feature=np.flatnonzero(shown["feature_group"].values == group))
    with axes_or_new(ax, 1.2 + ROW_IN * shown.sizes["feature"]) as axes:
        _cells(axes, shown)
        _rank_axis(axes, shown["rank"].values)
        axes.set_title(group or "features")
        if ax is None:
            _dressed(axes.figure.colorbar(axes.images[1], ax=axes, pad=0.02, aspect=30))
        return axes


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
    with canvas(
        1.9 + ROW_IN * shown.sizes["feature"], f"{name}: what the latents know of melodies"
    ) as figure:
        _panels(figure, result, shown, others, first)
        one_legend(figure, columns=3)
    return Illustration(
        "phik-matrix",
        "Features that latents know",
        figure,
        "Which dimension goes with which features of pitch, rhythm and melody?",
        "phik is 0 for independent variables and 1 where either tells the other, whatever the shape. In "
        f"colour, pairs with a phik of at least {FAINT:g} and a p of at most {ALPHA:g} against shuffled "
        f"melodies, corrected over all pairs; in grey, all others.{_constant(result)}",
        f"Matrix of phik between {result.sizes['rank']} dimensions of {name} and {shown.sizes['feature']} "
        "features grouped in pitch, rhythm and melody"
        + (", beside each feature's best dimension with random weights." if random else "."),
        "In colour, features of melodies that a dimension tells; on the right each feature's best dimension.",
        _tabulated(result, shown, others, first),
    )


def _panels(
    figure: Figure, result: xr.Dataset, shown: xr.Dataset, others: Sequence[xr.Dataset], first: int
) -> None:
    """Draw a matrix and the best dimensions for every group of features, and the colour bar below."""
    groups = [str(g) for g in shown["group"].values]
    portions = {g: shown.isel(feature=np.flatnonzero(shown["feature_group"].values == g)) for g in groups}
    portions = {g: p for g, p in portions.items() if p.sizes["feature"]}
    rows = [p.sizes["feature"] for p in portions.values()]
    places = figure.add_gridspec(len(rows) + 1, 2, height_ratios=[*rows, 0.8], width_ratios=(2.2, 1))
    for i, (group, portion) in enumerate(portions.items()):
        matrix, best = (figure.add_subplot(places[i, k]) for k in (0, 1))
        _cells(matrix, portion)
        matrix.set_title(group, pad=9)
        _best(best, portion.isel(rank=slice(0, first)), others)
        if group == "melody":
            _mark_beyond(matrix, result)
        if i < len(rows) - 1:
            matrix.set_xticks([])
            best.set_xticks([0, 0.5, 1], [""] * 3)
        else:
            _rank_axis(matrix, shown["rank"].values)
            best.set(xlabel="best phik (1)", xticks=[0, 0.5, 1])
    bar = figure.colorbar(
        figure.axes[0].images[1], cax=figure.add_subplot(places[-1, 0]), orientation="horizontal"
    )
    _dressed(bar)


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
    axes.set_yticks(range(portion.sizes["feature"]), portion["feature"].values, fontsize=7.5)
    axes.tick_params(axis="both", length=0)
    axes.grid(False)


def _scale(colours: str) -> Normalize:
    """Scale phik; grey stays pale, so that it is taken for the absence of colour."""
    return Normalize(0, 1 if colours == COLOURS else 2.5)


def _mark_beyond(axes: Axes, result: xr.Dataset) -> None:
    """Mark the dimensions that tell something of melody that rhythm does not."""
    there = np.flatnonzero(result["melody"].values == BEYOND_RHYTHM)
    if not len(there):
        return
    limits = axes.get_ylim()
    above = np.full(len(there), limits[1] - 0.45)
    axes.plot(there, above, "v", color=DARK, ms=3.5, clip_on=False, label="melody beyond rhythm")
    axes.set_ylim(limits)


def _best(axes: Axes, portion: xr.Dataset, others: Sequence[xr.Dataset]) -> None:
    y = np.arange(portion.sizes["feature"])
    for other in others:
        best = other["phik"].sel(feature=portion["feature"].values).max("rank")
        axes.plot(best, y, "D", color=RANDOM, ms=3.5, label="random weights")
    best = f"best of {portion.sizes['rank']} dimensions"
    axes.plot(portion["phik"].max("rank"), y, "o", color=TRAINED, ms=3.5, label=best)
    axes.set_yticks(y, [""] * len(y))
    axes.tick_params(axis="y", length=0)
    axes.set(ylim=(len(y) - 0.5, -0.5), xlim=(-0.03, 1.03))


def _rank_axis(axes: Axes, ranks: np.ndarray) -> None:
    step = next(s for s in (1, 2, 5, 10, 20, 50) if len(ranks) / s <= 9)
    places = [i for i, n in enumerate(ranks) if n == 1 or n % step == 0]
    axes.set_xticks(places, [f"{ranks[i]}" for i in places])
    axes.set_xlabel("dimension (rank)")


def _dressed(bar) -> None:
    bar.set_label("phik (1), where it counts", size=LABEL_SIZE)
    bar.outline.set_edgecolor(DARK)


def _tabulated(
    result: xr.Dataset, shown: xr.Dataset, others: Sequence[xr.Dataset], first: int
) -> pd.DataFrame:
    """Return a row for each feature, then means over groups, then what dimensions tell of melody."""
    counts = is_related(shown["phik"], shown["p_corrected"])
    columns: dict[str, np.ndarray] = {
        "feature": shown["called"].values,
        "group": shown["feature_group"].values,
    }
    own = _most(shown["phik"].values[:, :first])
    columns |= {f"best of {first} dimensions": own, "dimensions in colour": counts.sum("rank").values}
    if others:
        best = _most(np.array([_most(other["phik"].values) for other in others]).T)
        columns |= {"best, random weights": best, "more than random weights": (own > best).astype(int)}
    for rank in shown["rank"].values[:NAMED]:
        one = shown.sel(rank=rank)
        columns |= {f"phik, rank {rank}": one["phik"].values, f"p, rank {rank}": one["p_corrected"].values,
                    f"in colour, rank {rank}": counts.sel(rank=rank).values.astype(int)}  # fmt: skip
    table = pd.DataFrame(columns)
    summed = [
        _summed(table.loc[table["group"] == group], f"{group}, mean or sum")
        for group in table["group"].unique()
    ]
    summed.append(_summed(table, "all features, mean or sum"))
    melody = result["melody"].values.astype(str)
    told = [
        {"feature": f"melody {which}", "dimensions in colour": int((melody == which).sum())}
        for which in (BEYOND_RHYTHM, WITH_RHYTHM)
    ]
    return pd.concat([table, pd.DataFrame([*summed, *told])], ignore_index=True)


def _summed(some: pd.DataFrame, called: str) -> dict[str, object]:
    """Return the means of what is a phik and the sums of what is counted."""
    counted = [c for c in some if c.startswith(("in colour", "more than"))]
    means = [c for c in some if c.startswith(("phik", "best"))]
    return {"feature": called, **{c: some[c].mean() for c in means}, **{c: some[c].sum() for c in counted}}


def _most(values: np.ndarray) -> np.ndarray:
    """Return the greatest of what is finite along the last axis; NaN where nothing is."""
    most = np.where(np.isfinite(values), values, -np.inf).max(-1)
    return np.where(np.isfinite(most), most, np.nan)


def _constant(result: xr.Dataset) -> str:
    """Name the features that have the same value for every melody."""
    ids = result["feature_id"].values
    known = set(ids[np.isfinite(result["phik"].values).any(0)].tolist())
    left = [i for i in dict.fromkeys(ids.tolist()) if i not in known]
    return f" Without a value, since they never change: {', '.join(left)}." if left else ""
