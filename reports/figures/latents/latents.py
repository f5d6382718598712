"""Latents of a melody model: which of them carry music, and how firmly that can be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ....probes.latents.active import CRITERIA
from ....probes.latents.materials import PRIOR
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend
from ..panels import MOST_ROWS, axes_or_new, by_network, mean_of

LOOKS = dict(zip(CRITERIA, ((TRAINED, "o"), (THIRD, "s"), (DARK, "^")), strict=True))
USED = {"sigma": "sigma_threshold", "variance": "variance_threshold", "divergence": "divergence_threshold"}
REST = "#8C8C8C"
MANY = 150  # dimensions from which marks are pixels in a vector file


def latent_sigma(data: xr.Dataset, *, random: Sequence[xr.Dataset] = (), ax: Axes | None = None) -> Axes:
    """Draw the mean sigma of every latent dimension, in order of relevance.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "latents".
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
    >>> from tonotopy.probes import Session
    >>> from tonotopy.probes.latents.measures import latents
    >>> latent_sigma(latents(Session(load("control:planted")), samples=100)).get_ylabel()
    'mean sigma (1)'
    """
    with axes_or_new(ax) as axes:
        edge = 1 - float(data.attrs["sigma_threshold"])
        _sigma_panel(axes, _ordered(data), [_ordered(r) for r in random])
        axes.axhline(edge, color=DARK, lw=1, ls=":", label=f"threshold: mean sigma {edge:g}")
        axes.set(xlabel="dimension, by relevance (rank)", ylabel="mean sigma (1)", ylim=(0, None))
        return axes


def latent_mu(data: xr.Dataset, *, random: Sequence[xr.Dataset] = (), ax: Axes | None = None) -> Axes:
    """Draw mean and standard deviation of mu of every latent dimension, in order of relevance.

    Parameters
    ----------
    data, random, ax
        As in `latent_sigma`.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> from tonotopy.probes.latents.measures import latents
    >>> latent_mu(latents(Session(load("control:planted")), samples=100)).get_ylabel()
    'mean of mu ± its sd (1)'
    """
    with axes_or_new(ax) as axes:
        _mu_panel(axes, _ordered(data), [_ordered(r) for r in random])
        axes.set(xlabel="dimension, by relevance (rank)", ylabel="mean of mu ± its sd (1)")
        return axes


def sigma_and_mu(result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw mean sigma and the spread of mu of every dimension, in order of relevance.

    Parameters
    ----------
    result : xarray.Dataset
        Group "latents" of the model.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    name : str
        What the model is called.
    """
    own = _ordered(result)
    edge = 1 - float(result.attrs["sigma_threshold"])
    count, total = int(_music(own).sum()), own.sizes["dimension"]
    with canvas(5.2, f"{name}: {count} of {total} dimensions carry music") as figure:
        above, below = figure.subplots(2, sharex=True)
        latent_sigma(result, random=random, ax=above).set_xlabel("")
        latent_mu(result, random=random, ax=below)
        below.set_xlim(0.5 - 0.01 * total, 0.5 + 1.01 * total)
        one_legend(figure)
    return Illustration(
        "sigma-and-mu",
        "Sigma and mu by relevance",
        figure,
        "Which latent dimensions does the model use, and which does it leave at the prior?",
        "Relevance is the variance of mu; dimensions with a mean sigma below the dotted line are the active "
        "latents. Variance of mu and mean squared sigma add up to 1 where the posteriors of all melodies "
        "together fill the prior. A low sigma alone is no sign of learning: random weights may have it too.",
        f"Mean sigma above, mean and standard deviation of mu below, for {total} dimensions of {name} in "
        f"order of relevance: {count} lie below the threshold"
        + (", beside random weights." if random else "."),
        f"Each dimension's sigma and mu, the most relevant first: below a mean sigma of {edge:g} it carries "
        "music.",
        _dimensions(own, [_ordered(r) for r in random]),
    )


def active_by_threshold(
    result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw how many dimensions carry music over the threshold, by three criteria.

    Parameters
    ----------
    result, random, name
        As in `sigma_and_mu`.
    """
    total = result.sizes["dimension"]
    with canvas(4.0, f"{name}: active latents over the threshold") as figure:
        grid = figure.subplots(1, 1 + bool(random), squeeze=False, sharey=True).ravel()
        _count_lines(grid[0], result["threshold"].values, _counts(result))
        for criterion, (color, marker) in LOOKS.items():
            used = result.attrs[USED[criterion]], int(result["is_active"].sel(criterion=criterion).sum())
            grid[0].plot(*used, marker, color=color, mfc="none", ms=12, mew=1.6)
        if random:
            each = [_counts(r) for r in random]
            mean = {c: mean_of([one[c] for one in each], each[0][c]) for c in CRITERIA}
            _count_lines(grid[1], random[0]["threshold"].values, mean)
        for axes, title in zip(grid, (name or "model", "random weights"), strict=False):
            axes.set(title=title, xscale="log", xlabel="threshold")
            axes.set_xticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
        grid[0].set_yscale("symlog", linthresh=1, linscale=0.5)
        ticks = [t for t in (0, 1, 3, 10, 30, 100, 300, 1000) if t < 0.8 * total] + [total]
        grid[0].set_yticks(ticks, [f"{t}" for t in ticks])
        for axes in grid:
            axes.minorticks_off()
        grid[0].set(ylabel="dimensions that carry music", ylim=(-0.15, 1.2 * total))
        one_legend(figure, columns=3)
    return Illustration(
        "active-by-threshold",
        "Active latents over the threshold",
        figure,
        "How far does the number of active latents depend on the threshold and on the criterion?",
        "Ringed: the thresholds used. The threshold is 1 less sigma, a variance, or nats of divergence. "
        "A posterior that has not learnt can be narrower than the prior and yet tell no melodies "
        "apart: where sigma counts more than the variance of mu, believe the lower number.",
        f"Number of the {total} dimensions of {name} that carry music, over the threshold, by sigma, "
        "variance of mu and divergence" + (", beside random weights." if random else "."),
        "The flatter the curves where they are ringed, the less the number of active latents hangs on the "
        "threshold.",
        _thresholds(result, random),
    )


def _counts(one: xr.Dataset) -> dict[str, np.ndarray]:
    """Return over thresholds, [n], how many dimensions each criterion counts."""
    return {c: one["count"].sel(material=PRIOR, criterion=c).values.astype(float) for c in CRITERIA}


def _dimensions(own: xr.Dataset, others: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Return a row a dimension, the most relevant first; of a large model the first of them."""
    columns = {
        "rank": own["relevance"].values,
        "active": np.where(_music(own), "yes", "no"),
        "mean sigma": own["mean_sigma"].values,
        "mean of mu": own["mean_mu"].values,
        "sd of mu": np.sqrt(own["variance_mu"].values),
        "variance of mu and mean squared sigma": own["total_variance"].values,
    }
    for k, other in enumerate(others, 1):
        columns |= {f"mean sigma, random weights {k}": other["mean_sigma"].values,
                    f"sd of mu, random weights {k}": np.sqrt(other["variance_mu"].values)}  # fmt: skip
    return pd.DataFrame(columns).head(MOST_ROWS)


def _thresholds(result: xr.Dataset, random: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Return the counts over thresholds by criterion, and at those used also how criteria agree."""
    thresholds, rows = result["threshold"].values, []
    materials = [str(m) for m in result["material"].values]
    for criterion in CRITERIA:
        used = float(result.attrs[USED[criterion]])
        own = {m: result["count"].sel(material=m, criterion=criterion).values for m in materials}
        others = [r["count"].sel(material=PRIOR, criterion=criterion).values for r in random]
        for i in range(len(thresholds)):
            rows.append({"criterion": criterion, "threshold": float(thresholds[i]), "used": "",
                         **{f"dimensions, {m}": int(own[m][i]) for m in materials},
                         **by_network([other[i] for other in others])})  # fmt: skip
        agreed = {f"also by {c}": float(result["agreement"].sel(criterion=criterion, other_criterion=c))
                  for c in CRITERIA}  # fmt: skip
        chosen = [int(one["is_active"].sel(criterion=criterion).sum()) for one in (result, *random)]
        rows.append({"criterion": criterion, "threshold": used, "used": "yes",
                     f"dimensions, {PRIOR}": chosen[0], **by_network(chosen[1:]), **agreed})  # fmt: skip
    return pd.DataFrame(rows).sort_values(["criterion", "threshold"], ignore_index=True)


def _ordered(result: xr.Dataset) -> xr.Dataset:
    """Return what was measured over prior samples, most relevant dimension first."""
    return result.sel(material=PRIOR).sortby("relevance")


def _music(own: xr.Dataset) -> np.ndarray:
    return own["is_active"].sel(criterion="sigma").values


def _sigma_panel(axes: Axes, own: xr.Dataset, others: Sequence[xr.Dataset]) -> None:
    rank, music = own["relevance"].values, _music(own)
    size, sigma = _mark_size(rank), own["mean_sigma"].values
    for which, color, face, label in (
        (music, TRAINED, TRAINED, "active latents"), (~music, REST, "white", "other dimensions"),
    ):  # fmt: skip
        if which.any():
            axes.plot(rank[which], sigma[which], "o", color=color, mfc=face, mew=0.8, ms=size, label=label,
                      rasterized=len(rank) > MANY)  # fmt: skip
    for other in others:
        axes.plot(rank, other["mean_sigma"], "--", color=RANDOM, lw=1.4, label="random weights")


def _mark_size(rank: np.ndarray) -> float:
    return float(np.clip(300 / len(rank), 2.2, 5.0))


def _mu_panel(axes: Axes, own: xr.Dataset, others: Sequence[xr.Dataset]) -> None:
    rank, music, size = own["relevance"].values, _music(own), _mark_size(own["relevance"].values)
    many = len(rank) > MANY
    for other in others:
        middle, spread = other["mean_mu"].values, np.sqrt(other["variance_mu"].values)
        axes.fill_between(rank, middle - spread, middle + spread, color=RANDOM, lw=0.8, alpha=0.6)
    middle, spread = own["mean_mu"].values, np.sqrt(own["variance_mu"].values)
    for which, color, face in ((~music, REST, "white"), (music, TRAINED, TRAINED)):
        ends = (middle - spread)[which], (middle + spread)[which]
        axes.vlines(rank[which], *ends, color=color, lw=0.35 * size, alpha=0.5, rasterized=many)
        axes.plot(rank[which], middle[which], "o", color=color, mfc=face, mew=0.8, ms=0.8 * size,
                  rasterized=many)  # fmt: skip


def _count_lines(axes: Axes, threshold: np.ndarray, counts: Mapping[str, np.ndarray]) -> None:
    """Draw the three counts; markers stand at different places, so that equal ones can be told apart."""
    for i, (criterion, (color, marker)) in enumerate(LOOKS.items()):
        axes.plot(threshold, counts[criterion], "-", color=color, marker=marker, ms=4.5,
                  markevery=(2 + 4 * i, 12), lw=1.4, label=criterion)  # fmt: skip
