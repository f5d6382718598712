"""What latents know of pitch, rhythm and melody: phik with features, beside random weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from ...probes.latents.correlation import ALPHA, FAINT
from .drawing import DARK, LABEL_SIZE, RANDOM, TRAINED, Illustration, canvas, listed, one_legend

ROW_IN = 0.145
COLOURS, GREYS = "YlGnBu", "Greys"
LONGEST = 31  # characters of a feature's name
TOLD = 3  # dimensions in the reading


def phik_matrix(result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw phik of every dimension asked about with every feature, and each feature's best dimension.

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
    first = slice(0, result.sizes["neuron"])  # of random weights as many dimensions, for a fair best of all
    others = [by_feature(r.isel(neuron=first)).reindex(feature=shown["feature"].values) for r in random]
    groups = [str(g) for g in shown["group"].values]
    portions = {g: shown.isel(feature=np.flatnonzero(shown["feature_group"].values == g)) for g in groups}
    rows = [max(1, p.sizes["feature"]) for p in portions.values()]
    with canvas(1.9 + ROW_IN * sum(rows), f"{name}: what the latents know of melodies") as figure:
        grid = figure.subplots(len(groups), 2, height_ratios=rows, width_ratios=(2.2, 1), sharex="col")
        for (matrix, best), (group, portion) in zip(grid, portions.items(), strict=True):
            _cells(matrix, portion)
            _best(best, portion, others)
            matrix.set_title(group)
        _neuron_axis(grid[-1, 0], shown["neuron"].values)
        grid[-1, 1].set(xlabel="greatest phik (1)", xlim=(-0.03, 1.03), xticks=[0, 0.5, 1])
        _colour_bars(figure, grid)
        one_legend(figure)
    return Illustration(
        "phik-matrix",
        "Features that latents know",
        figure,
        "Which dimension goes with which features of pitch, rhythm and melody?",
        f"{_asked(result)}phik is 0 for independent variables and 1 where either tells the other, whatever "
        f"the shape. In colour, pairs with a phik of at least {FAINT:g} and a corrected p of at most "
        f"{ALPHA:g} against melodies dealt anew; in grey, all others. "
        f"{_strongest(shown)} {_significant(shown)}{_constant(result)}{_at_random(shown, others)}",
        f"Matrix of phik between {result.sizes['neuron']} dimensions of {name} and {shown.sizes['feature']} "
        "features grouped in pitch, rhythm and melody"
        + (", beside each feature's best dimension with random weights." if random else "."),
    )


def by_feature(result: xr.Dataset) -> xr.Dataset:
    """Return `phik` and `p_corrected`, [feature, neuron], one row a feature: of vectors the greatest.

    Features that never have a value are left out; the others are called by jSymbolic's number and name.
    """
    ids, phik, p = (result[v].values for v in ("feature_id", "phik", "p_corrected"))
    kept = [i for i in dict.fromkeys(ids.tolist()) if np.isfinite(phik[:, ids == i]).any()]
    found, names, groups = np.full((2, len(kept), len(phik)), np.nan), [], []
    for row, one in enumerate(kept):
        entries = np.flatnonzero(ids == one)
        best = entries[np.nan_to_num(phik[:, entries], nan=-1.0).argmax(1)]  # [k]
        for values, into in zip((phik, p), found, strict=True):
            into[row] = np.take_along_axis(values, best[:, None], 1)[:, 0]
        names.append(label(one, str(result["feature"].values[entries[0]]), len(entries)))
        groups.append(str(result["feature_group"].values[entries[0]]))
    return xr.Dataset(
        {
            "phik": (("feature", "neuron"), found[0]),
            "p_corrected": (("feature", "neuron"), found[1]),
            "feature_group": ("feature", groups),
        },
        {"feature": names, "neuron": result["neuron"].values, "group": result["group"].values},
    )


def related(shown: xr.Dataset) -> xr.DataArray:
    """Say which pairs count: significant, and not faint."""
    return (shown["p_corrected"] <= ALPHA) & (shown["phik"] >= FAINT)


def label(feature_id: str, name: str, entries: int = 1) -> str:
    """Write a feature's number and name, so short that it fits beside a figure.

    Examples
    --------
    >>> label("P11", "Most Common Pitch"), label("P20", "Pitch Class Distribution 0", 12)
    ('P11 Most Common Pitch', 'P20 Pitch Class Distribution')
    >>> label("R25", "Average Variability of Time Between Attacks For Each Voice")
    'R25 Average Variability of Time B…'
    """
    if entries > 1:
        name = name.rsplit(" ", 1)[0]
    return f"{feature_id} {name if len(name) <= LONGEST else name[: LONGEST - 1].rstrip() + '…'}"


def _cells(axes: Axes, portion: xr.Dataset) -> None:
    counts = related(portion).values
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


def _best(axes: Axes, portion: xr.Dataset, others: Sequence[xr.Dataset]) -> None:
    y = np.arange(portion.sizes["feature"])
    for i, other in enumerate(others):
        best = other["phik"].sel(feature=portion["feature"].values).max("neuron")
        axes.plot(best, y, "D", color=RANDOM, ms=3.5, label=None if i else "random weights")
    axes.plot(
        portion["phik"].max("neuron"), y, "o", color=TRAINED, ms=3.5, label="each feature's best dimension"
    )
    axes.set_yticks(y, [""] * len(y))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(y) - 0.5, -0.5)


def _neuron_axis(axes: Axes, neurons: np.ndarray) -> None:
    step = next(s for s in (1, 2, 5, 10, 20, 50) if len(neurons) / s <= 9)
    places = [i for i, n in enumerate(neurons) if n == 1 or n % step == 0]
    axes.set_xticks(places, [f"{neurons[i]}" for i in places])
    axes.set_xlabel("dimension (rank)")


def _colour_bars(figure, grid: np.ndarray) -> None:
    mesh = grid[0, 0].images[1]
    bar = figure.colorbar(mesh, ax=grid, location="bottom", shrink=0.6, aspect=30, pad=0.01)
    bar.set_label("phik (1), where it counts", size=LABEL_SIZE)
    bar.outline.set_edgecolor(DARK)


def _asked(result: xr.Dataset) -> str:
    said = f"Over {int(result.attrs['n_melodies']):,} melodies drawn from the model's prior" * (
        "n_melodies" in result.attrs
    )
    bins = f"{int(result.attrs['bins'])} bins" if "bins" in result.attrs else ""
    told = ", in ".join(part for part in (said, bins) if part)
    return f"{told}. " if told else ""


def _strongest(shown: xr.Dataset) -> str:
    """Tell of the first dimensions the feature each goes with most, and its p."""
    told = []
    for neuron in shown["neuron"].values[:TOLD]:
        one = shown.sel(neuron=neuron)
        if one["phik"].notnull().any():
            best = one.isel(feature=int(one["phik"].argmax("feature")))
            told.append(
                f"rank {neuron} with {best['feature'].item()} ({best['feature_group'].item()}): "
                f"{float(best['phik']):.2f}, p {float(best['p_corrected']):.3f}"
            )
    return f"Strongest: {listed(told)}."


def _significant(shown: xr.Dataset) -> str:
    """Tell per group how many features the first dimensions know, and the mean of their phik."""
    told = []
    for group in shown["group"].values:
        one = shown.isel(feature=np.flatnonzero(shown["feature_group"].values == group))
        known = related(one).sum("feature").values[:TOLD]
        mean = one["phik"].mean("feature").values[:TOLD]
        pairs = ", ".join(f"{k} at a mean phik of {m:.2f}" for k, m in zip(known, mean, strict=True))
        told.append(f"{group} (of {one.sizes['feature']}) {pairs}")
    return f"Features in colour of the first dimensions in turn: {listed(told)}."


def _constant(result: xr.Dataset) -> str:
    """Name the features that have the same value for every melody."""
    ids = result["feature_id"].values
    known = set(ids[np.isfinite(result["phik"].values).any(0)].tolist())
    left = [i for i in dict.fromkeys(ids.tolist()) if i not in known]
    return f" Without a value, since they never change: {', '.join(left)}." if left else ""


def _at_random(shown: xr.Dataset, others: Sequence[xr.Dataset]) -> str:
    """Compare the best dimension of every feature with that of random weights."""
    if not others:
        return ""
    own = shown["phik"].max("neuron")
    best = xr.concat([o["phik"].max("neuron") for o in others], "seed").max("seed")
    more = int((own > best).sum())
    return (
        f" With random weights a feature's best dimension has {float(best.mean()):.2f} on average "
        f"(here {float(own.mean()):.2f}); here it has more for {more} of {shown.sizes['feature']} features. "
        "phik does not ask how much a mu varies: what an untrained network computes of its input goes with "
        "features too."
    )
