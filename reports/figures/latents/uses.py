"""What a melody model's latents are good for: what is lost without them, and which melodies excite them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from ....probes.latents.materials import MELODIES, PRIOR, RANDOM_NOTES
from ...writing import listed
from ..drawing import DARK, LABEL_SIZE, THIRD, TRAINED, Illustration, canvas, one_legend

ORDERS = {
    "relevance": (TRAINED, "o-", "most relevant first"),
    "random": (THIRD, "s--", "a random order"),
    "reversed": (DARK, "v:", "least relevant first"),
}
MEASURES = {
    "free-running": (TRAINED, "o-", "most relevant first"),
    "teacher-forced": (THIRD, "P-.", "steps, teacher-forced"),
    "onsets": (DARK, "D:", "onsets, free-running"),
}
MATERIALS = {PRIOR: (TRAINED, "o-"), MELODIES: (THIRD, "s--"), RANDOM_NOTES: (DARK, "^:")}
MARK = "#8C8C8C"
COMPARED_AT = (0.5, 1.0)  # of |mu|, in the reading


def accuracy_by_kept(result: xr.Dataset, name: str = "") -> Illustration:
    """Draw reconstruction accuracy over the number of dimensions kept, all others zeroed.

    Parameters
    ----------
    result : xarray.Dataset
        Group "reconstruction" of the model; random networks have none.
    name : str
        What the model is called.
    """
    count = int(result.attrs["active_latents"])
    with canvas(5.4, f"{name}: what is lost when dimensions are zeroed") as figure:
        above, below = figure.subplots(2, sharex=True, sharey=True)
        for order, (color, style, label) in ORDERS.items():
            one = result.sel(order=order, measure="free-running")
            _band(above, one, "kept", "accuracy", color, style, label)
        for measure, (color, style, label) in MEASURES.items():
            one = result.sel(order="relevance", measure=measure)
            _band(below, one, "kept", "accuracy", color, style, label)
        for axes in (above, below):
            axes.axvline(count, color=MARK, lw=1.4, ls=(0, (5, 2)), label=f"active latents: {count}")
        above.set(title="steps, free-running", yticks=[0, 0.25, 0.5, 0.75, 1], ylim=(-0.03, 1.03))
        above.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
        below.set_title("most relevant first")
        _kept_axis(below, result["kept"].values)
        figure.supylabel("right (%)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "accuracy-by-kept",
        "Accuracy by dimensions kept",
        figure,
        "Are the active latents enough to reconstruct melodies, and are they needed?",
        f"Mean over {int(result.attrs['n_melodies']):,} melodies ({result.attrs['material']}), 95 % "
        f"intervals over {int(result.attrs['n_pieces']):,} pieces. {_lost(result, count)} {_ends(result)} "
        "Most steps sustain what sounds, so that onsets say more than steps; free-running, one wrong step "
        "misleads all that follow, and teacher-forced, the model is given what came before.",
        f"Accuracy of melodies that {name} reconstructs, over how many latent dimensions are kept: rising "
        "early in order of relevance, late in the reversed order; below, free-running, teacher-forced and "
        "for onsets.",
    )


def activation(result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw how many active latents a melody excites over the threshold of |mu|, for every kind of melody.

    Parameters
    ----------
    result : xarray.Dataset
        Group "activation" of the model.
    random : sequence of xarray.Dataset
        The same of its random baselines; only their information is mentioned.
    name : str
        What the model is called.
    """
    count = int(result.attrs["active_latents"])
    there = [(m, look) for m, look in MATERIALS.items() if m in result["material"].values]
    with canvas(3.7, f"{name}: active latents that melodies excite") as figure:
        axes = figure.subplots()
        for material, (color, style) in there:
            _band(axes, result.sel(material=material), "activity", "active", color, style, material, every=5)
        axes.set(xlabel="threshold of |mu| (standard deviations of the prior)", xlim=(0, None))
        axes.set(ylabel="active latents above it", ylim=(0, 1.05 * max(count, 1)))
        one_legend(figure, columns=3)
    information = {m: float(result["information"].sel(material=m)) for m, _ in there}
    return Illustration(
        "activation",
        "Active latents excited",
        figure,
        "Does music excite more latents than random notes do?",
        f"Mean number of the {count} active latents whose mu lies further from 0, 95 % intervals over "
        f"pieces. "
        f"{_excited(result, [m for m, _ in there])} Information, the mean divergence of a melody's posterior "
        f"from the prior over all dimensions, in nats: "
        f"{listed([f'{m} {nats:.1f}' for m, nats in information.items()])}.{_uninformed(random)} Notes that "
        "the model has not met can excite latents more than music: further from what is usual, not more "
        "musical.",
        f"Mean number of active latents of {name} excited by {', '.join(m for m, _ in there)}, falling with "
        "the threshold.",
    )


def _band(
    axes: Axes, one: xr.Dataset, along: str, variable: str, color: str, style: str, label: str, every: int = 1
) -> None:
    low, high = one[f"{variable}_low"].values, one[f"{variable}_high"].values
    axes.fill_between(one[along], low, high, color=color, alpha=0.2, lw=0)
    axes.plot(one[along], one[variable], style, color=color, ms=4, lw=1.4, markevery=every, label=label)


def _kept_axis(axes: Axes, kept: np.ndarray) -> None:
    """Make the axis linear from 0 to 1 and in octaves from there, with a tick at every power of two."""
    axes.set_xscale("symlog", base=2, linthresh=1, linscale=1)
    ticks = [0, *2 ** np.arange(int(np.log2(kept[-1])) + 1)]
    axes.set_xticks(ticks, [f"{t}" for t in ticks])
    axes.minorticks_off()
    axes.set(xlabel="dimensions kept, all others zero", xlim=(-0.15, 1.15 * kept[-1]))


def _lost(result: xr.Dataset, count: int) -> str:
    """Tell what zeroing all but the active latents costs, in percentage points."""
    there = result.sel(order="relevance", kept=count)
    every = result.sel(order="relevance").isel(kept=-1)
    said = []
    for measure in MEASURES:
        one, whole = there.sel(measure=measure), float(every["accuracy"].sel(measure=measure))
        if np.isnan(whole):  # the onsets of melodies without notes
            continue
        loss, low, high = (100 * float(one[v]) for v in ("loss_to_all", "loss_low", "loss_high"))
        said.append(
            f"{measure} {100 * float(one['accuracy']):.1f} % of {100 * whole:.1f} %, a loss of {loss:z.2f} "
            "percentage points" + f" ({low:z.2f} to {high:z.2f})" * bool(np.isfinite(low))
        )
    return f"With the {count} active latents alone: {listed(said)}."


def _ends(result: xr.Dataset) -> str:
    """Tell what is right with nothing kept, and how many dimensions the reversed order needs."""
    free = result["accuracy"].sel(measure="free-running")
    nothing, whole = (float(free.sel(order="relevance")[i]) for i in (0, -1))
    said = f"With nothing kept {100 * nothing:.1f} % of steps are right"
    if whole <= nothing:
        return f"{said}, and no fewer than with all."
    needed = {
        o: int(free["kept"][np.argmax(free.sel(order=o).values >= (nothing + whole) / 2)]) for o in ORDERS
    }
    return (
        f"{said}; half-way from there to all are, of the numbers tried, {needed['relevance']} by relevance, "
        f"{needed['random']} in a random order, {needed['reversed']} in the reversed one."
    )


def _excited(result: xr.Dataset, materials: Sequence[str]) -> str:
    said = []
    for threshold in COMPARED_AT:
        at = result.sel(activity=threshold, method="nearest")
        numbers = [
            f"{m} {float(at['active'].sel(material=m)):.1f} (others "
            f"{float(at['active_rest'].sel(material=m)):.1f})"
            for m in materials
        ]
        said.append(f"beyond {threshold:g}: {', '.join(numbers)}")
    return f"{listed(said).capitalize()}. Others: dimensions that are no active latents."


def _uninformed(random: Sequence[xr.Dataset]) -> str:
    if not random:
        return ""
    nats = [float(r["information"].sel(material=PRIOR)) for r in random]
    return (
        f" With random weights {PRIOR} have {', '.join(f'{n:.1f}' for n in nats)}: there it is the width of "
        "sigma alone and tells nothing apart."
    )
