"""Latents of a melody model: which of them carry music, and how firmly that can be said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ....probes.latents.active import CRITERIA
from ....probes.latents.materials import PRIOR
from ...writing import listed
from ..drawing import DARK, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend

LOOKS = dict(zip(CRITERIA, ((TRAINED, "o"), (THIRD, "s"), (DARK, "^")), strict=True))
USED = {"sigma": "sigma_threshold", "variance": "variance_threshold", "divergence": "divergence_threshold"}
SWEPT = (0.01, 0.3)  # thresholds of sigma between which the reading tells how the count moves
REST = "#8C8C8C"


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
    own, others = _ordered(result), [_ordered(r) for r in random]
    edge = 1 - float(result.attrs["sigma_threshold"])
    count, total = int(_music(own).sum()), own.sizes["dimension"]
    with canvas(5.2, f"{name}: {count} of {total} dimensions carry music") as figure:
        above, below = figure.subplots(2, sharex=True)
        _sigma_panel(above, own, others)
        above.axhline(edge, color=DARK, lw=1, ls=":", label=f"threshold: mean sigma {edge:g}")
        above.set(ylabel="mean sigma (1)", ylim=(0, None))
        _mu_panel(below, own, others)
        below.set(ylabel="mean of mu ± its sd (1)", xlabel="dimension, by relevance (rank)")
        below.set_xlim(0.5 - 0.01 * total, 0.5 + 1.01 * total)
        one_legend(figure)
    return Illustration(
        "sigma-and-mu",
        "Sigma and mu by relevance",
        figure,
        "Which latent dimensions does the model use, and which does it leave at the prior?",
        f"Over {int(own['n_melodies']):,} melodies drawn from the model's prior; relevance is the variance "
        f"of mu. {count} of {total} dimensions ({count / total:.0%}) have a mean sigma below {edge:g}: the "
        f"active latents. {_filled(own)}{_untrained(others, total)} The source does not say how far below "
        "1 a sigma must lie; how the count depends on that is a figure of its own.",
        f"Mean sigma above, mean and standard deviation of mu below, for {total} dimensions of {name} in "
        f"order of relevance: {count} lie below the threshold"
        + (", beside random weights." if random else "."),
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
    with canvas(4.3, f"{name}: active latents over the threshold") as figure:
        axes = figure.subplots()
        _count_lines(axes, result, "-", "", 4.5)
        for i, r in enumerate(random):
            _count_lines(axes, r, "--", None if i else ", random weights", 3.5)
        for criterion, (color, marker) in LOOKS.items():
            used = result.attrs[USED[criterion]], int(result["is_active"].sel(criterion=criterion).sum())
            axes.plot(*used, marker, color=color, mfc="none", ms=12, mew=1.6)
        axes.set(xscale="log", xlabel="threshold (sigma: 1 less it; variance: 1; divergence: nats)")
        axes.set_xticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
        axes.set_yscale("symlog", linthresh=1, linscale=0.5)
        ticks = [t for t in (0, 1, 3, 10, 30, 100, 300, 1000) if t < 0.8 * total] + [total]
        axes.set_yticks(ticks, [f"{t}" for t in ticks])
        axes.minorticks_off()
        axes.set(ylabel="dimensions that carry music", ylim=(-0.15, 1.2 * total))
        one_legend(figure)
    return Illustration(
        "active-by-threshold",
        "Active latents over the threshold",
        figure,
        "How far does the number of active latents depend on the threshold and on the criterion?",
        f"Ringed, the thresholds used: {_counted(result)}. {_agreement(result)} {_swept(result)}"
        f"{_elsewhere(result)}{_counted_at_random(random, total)}",
        f"Number of the {total} dimensions of {name} that carry music, over the threshold, by sigma, "
        "variance of mu and divergence" + (", beside random weights." if random else "."),
    )


def _ordered(result: xr.Dataset) -> xr.Dataset:
    """Return what was measured over prior samples, most relevant dimension first."""
    return result.sel(material=PRIOR).sortby("relevance")


def _music(own: xr.Dataset) -> np.ndarray:
    return own["is_active"].sel(criterion="sigma").values


def _sigma_panel(axes: Axes, own: xr.Dataset, others: Sequence[xr.Dataset]) -> None:
    rank, music = own["relevance"].values, _music(own)
    size = float(np.clip(300 / len(rank), 2.2, 5.0))
    for i, other in enumerate(others):
        axes.plot(
            rank, other["mean_sigma"], "--", color=RANDOM, lw=1.4, label=None if i else "random weights"
        )
    sigma = own["mean_sigma"].values
    axes.plot(
        rank[~music], sigma[~music], "o", color=REST, mfc="white", mew=0.8, ms=size, label="other dimensions"
    )
    axes.plot(rank[music], sigma[music], "o", color=TRAINED, ms=size, label="active latents")


def _mu_panel(axes: Axes, own: xr.Dataset, others: Sequence[xr.Dataset]) -> None:
    rank, music = own["relevance"].values, _music(own)
    size = float(np.clip(300 / len(rank), 2.2, 5.0))
    for other in others:
        middle, spread = other["mean_mu"].values, np.sqrt(other["variance_mu"].values)
        axes.fill_between(rank, middle - spread, middle + spread, color=RANDOM, lw=0.8, alpha=0.6)
    middle, spread = own["mean_mu"].values, np.sqrt(own["variance_mu"].values)
    for which, color, face in ((~music, REST, "white"), (music, TRAINED, TRAINED)):
        axes.vlines(
            rank[which],
            (middle - spread)[which],
            (middle + spread)[which],
            color=color,
            lw=0.35 * size,
            alpha=0.5,
        )
        axes.plot(rank[which], middle[which], "o", color=color, mfc=face, mew=0.8, ms=0.8 * size)


def _count_lines(axes: Axes, one: xr.Dataset, line: str, said: str | None, size: float) -> None:
    """Draw the three counts; markers stand at different places, so that equal ones can be told apart."""
    for i, (criterion, (color, marker)) in enumerate(LOOKS.items()):
        counts = one["count"].sel(material=PRIOR, criterion=criterion)
        axes.plot(
            one["threshold"], counts, line, color=color, marker=marker, ms=size, markevery=(2 + 4 * i, 12),
            mfc=color if line == "-" else "white", lw=1.6 if line == "-" else 0.9,
            label=None if said is None else criterion + said,
        )  # fmt: skip


def _filled(own: xr.Dataset) -> str:
    """Tell the sum of variances over the active latents and over the others."""
    music, said = _music(own), []
    for which, called in ((music, "the active latents"), (~music, "the others")):
        values = own["total_variance"].values[which]
        if len(values):
            said.append(f"{np.median(values):.2f} ({values.min():.2f} to {values.max():.2f}) over {called}")
    return (
        "Variance of mu and mean squared sigma add up to 1 where the posteriors of all melodies together "
        f"fill the prior; their sum is, median and range, {listed(said)}."
    )


def _untrained(others: Sequence[xr.Dataset], total: int) -> str:
    if not others:
        return ""
    counts = ", ".join(str(int(_music(one).sum())) for one in others)
    sigma = np.mean([one["mean_sigma"].mean() for one in others])
    spread = max(float(np.sqrt(one["variance_mu"].max())) for one in others)
    return (
        f" With random weights {counts} of {total} lie below the threshold, at a mean sigma of {sigma:.2f}, "
        f"but no mu has a standard deviation above {spread:.2g}: a low sigma alone is no sign of learning."
    )


def _counted(result: xr.Dataset) -> str:
    said = []
    for criterion, key in USED.items():
        count = int(result["is_active"].sel(criterion=criterion).sum())
        said.append(f"{criterion} {count} ({_limit(criterion, result.attrs[key])})")
    return ", ".join(said)


def _limit(criterion: str, threshold: float) -> str:
    if criterion == "sigma":
        return f"below {1 - threshold:g}"
    return f"above {threshold:g}" + (" nats" if criterion == "divergence" else "")


def _agreement(result: xr.Dataset) -> str:
    pairs = [(a, b) for i, a in enumerate(CRITERIA) for b in CRITERIA[i + 1 :]]
    said = [
        f"{a} and {b} {float(result['agreement'].sel(criterion=a, other_criterion=b)):.2f}" for a, b in pairs
    ]
    return f"Dimensions that two criteria both name, of those either does: {listed(said)}."


def _swept(result: xr.Dataset) -> str:
    counts = result["count"].sel(material=PRIOR, criterion="sigma")
    few, many = (int(counts.sel(threshold=t, method="nearest")) for t in SWEPT[::-1])
    return f"By sigma the count is {many} at a threshold of {SWEPT[0]:g} and {few} at {SWEPT[1]:g}."


def _elsewhere(result: xr.Dataset) -> str:
    others = [str(m) for m in result["material"].values if m != PRIOR]
    at = result["count"].sel(criterion="sigma").sel(
        threshold=result.attrs["sigma_threshold"], method="nearest"
    )  # fmt: skip
    return f" Over other melodies: {listed([f'{m} {int(at.sel(material=m))}' for m in others])}." * bool(
        others
    )


def _counted_at_random(random: Sequence[xr.Dataset], total: int) -> str:
    if not random:
        return ""
    said = f" With random weights, of {total}: {listed([_counted(r) for r in random])}."
    narrow, telling = (
        sum(int(r["is_active"].sel(criterion=c).sum()) for r in random) for c in ("sigma", "variance")
    )
    if narrow > telling:
        said += (
            " A posterior that has not learnt is narrower than the prior and yet tells no melodies apart: "
            "where sigma counts dimensions that the variance of mu does not, believe the lower number."
        )
    return said
