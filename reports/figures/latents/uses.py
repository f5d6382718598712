"""What a melody model's latents are good for: what is lost without them, and which melodies excite them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from ....probes.latents.materials import MELODIES, PRIOR, RANDOM_NOTES
from ..drawing import DARK, LABEL_SIZE, THIRD, TRAINED, Illustration, canvas, hint, one_legend
from ..panels import MOST_ROWS

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
ENDS = {"": "", "_low": ", low (95 %)", "_high": ", high (95 %)"}  # of a variable, and in the data


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
        f"Mean over melodies ({result.attrs['material']}), shaded 95 % intervals over pieces. Most steps "
        "sustain what sounds, so that onsets say more than steps. Free-running, one wrong step misleads all "
        "that follow; teacher-forced, the model is given what came before.",
        f"Accuracy of melodies that {name} reconstructs, over how many latent dimensions are kept: rising "
        "early in order of relevance, late in the reversed order; below, free-running, teacher-forced and "
        "for onsets.",
        "Of melodies, how many steps stay right as all but the first dimensions are zeroed, in three orders.",
        _tabulated(result),
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
    return Illustration(
        "activation",
        "Active latents excited",
        figure,
        "Does music excite more latents than random notes do?",
        "Active latents whose mu lies further from 0, mean over melodies, with 95 % intervals over pieces. "
        "Notes that the model has not met can excite latents more than music: further from what is usual, "
        "not more musical. With random weights the information in the data is the width of sigma alone.",
        f"Mean number of active latents of {name} excited by {', '.join(m for m, _ in there)}, falling with "
        "the threshold.",
        f"How many of {count} active latents a melody moves further than the threshold, by kind of melody.",
        _excitations(result, [m for m, _ in there], random),
    )


def _band(
    axes: Axes, one: xr.Dataset, along: str, variable: str, color: str, style: str, label: str, every: int = 1
) -> None:
    low, high = one[f"{variable}_low"].values, one[f"{variable}_high"].values
    axes.fill_between(one[along], low, high, color=color, alpha=0.2, lw=0)
    (line,) = axes.plot(
        one[along], one[variable], style, color=color, ms=4, lw=1.4, markevery=every, label=label
    )
    hint(line, f"{label}: {float(one[variable][0]):.3g} to {float(one[variable][-1]):.3g}")


def _kept_axis(axes: Axes, kept: np.ndarray) -> None:
    """Make the axis linear from 0 to 1 and in octaves from there, with a tick at every power of two."""
    axes.set_xscale("symlog", base=2, linthresh=1, linscale=1)
    ticks = [0, *2 ** np.arange(int(np.log2(kept[-1])) + 1)]
    axes.set_xticks(ticks, [f"{t}" for t in ticks])
    axes.minorticks_off()
    axes.set(xlabel="dimensions kept, all others zero", xlim=(-0.15, 1.15 * kept[-1]))


def _tabulated(result: xr.Dataset) -> pd.DataFrame:
    """Return accuracy and loss of what is drawn: three orders, and three measures of the first of them."""
    drawn = [(order, "free-running") for order in ORDERS]
    drawn += [("relevance", measure) for measure in MEASURES if measure != "free-running"]
    rows = []
    for order, measure in drawn:
        one = result.sel(order=order, measure=measure)
        half = _half_way(one)
        for i, kept in enumerate(one["kept"].values):
            row = {"order": order, "measure": measure, "dimensions kept": int(kept)}
            row |= {f"right{said} (%)": 100 * float(one[f"accuracy{end}"][i]) for end, said in ENDS.items()}
            for variable, said in (("loss_to_all", "lost"), ("loss_low", "lost, low (95 %)"),
                                   ("loss_high", "lost, high (95 %)")):  # fmt: skip
                row[f"{said} (percentage points)"] = 100 * float(one[variable][i])
            rows.append({**row, "half-way there with": half})
    return pd.DataFrame(rows).head(MOST_ROWS)


def _half_way(one: xr.Dataset) -> float:
    """Return how many dimensions, of those tried, are half-way from none to all; NaN if none lifts it."""
    accuracy = one["accuracy"].values
    if not accuracy[-1] > accuracy[0]:
        return np.nan
    return float(one["kept"].values[np.argmax(accuracy >= (accuracy[0] + accuracy[-1]) / 2)])


def _excitations(result: xr.Dataset, materials: Sequence[str], random: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Return how many latents are excited over the threshold, and the information of a melody."""
    rows = []
    thresholds = result["activity"].values
    for material in materials:
        one = result.sel(material=material)
        for i in range(0, len(thresholds), -(-len(thresholds) * len(materials) // MOST_ROWS)):
            row = {"melodies": material, "threshold of |mu| (sd)": float(thresholds[i])}
            row |= {f"active latents{said}": float(one[f"active{end}"][i]) for end, said in ENDS.items()}
            row |= {"other dimensions": float(one["active_rest"][i]),
                    "information (nats)": float(one["information"])}  # fmt: skip
            for k, other in enumerate(random, 1):
                there = material in other["material"].values
                nats = float(other["information"].sel(material=material)) if there else np.nan
                row[f"information, random weights {k} (nats)"] = nats
            rows.append(row)
    return pd.DataFrame(rows)
