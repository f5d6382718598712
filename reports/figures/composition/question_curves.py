"""The four questions over frequency, over the spacing of components, and over how many sound together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from ....probes.composition.draws import FAR_SEMITONES
from ...selecting import answers, by_density
from ...writing import listed
from ..drawing import (
    LABEL_SIZE,
    THIRD,
    TRAINED,
    Illustration,
    baseline_look,
    canvas,
    frequency_axis,
    one_legend,
    seeds_label,
)
from .questions import CEILING, USUAL, Answers, Beside

COLUMNS = 3
Points = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x, value, low, high: each [n]
Read = Callable[[xr.Dataset, str, "Curve"], Points]


@dataclass(frozen=True)
class Curve:
    """A variable that is drawn as a line with a band.

    Parameters
    ----------
    question, variable, label : str
    look : (str, str)
        Colour, and format of marker and line.
    labels : mapping
        Where the variable is taken along its other dimensions.
    chance : float
        What guessing gives, if anything.
    """

    question: str
    variable: str
    label: str
    look: tuple[str, str]
    labels: Mapping[str, object] = field(default_factory=dict)
    chance: float = np.nan


FIRST, SECOND = (TRAINED, "o-"), (THIRD, "s--")
CURVES = {
    "presence": (Curve("presence", "proportion", "found", FIRST, chance=1 / 16),
                 Curve("presence", "transferable", "found by planes of another context", SECOND)),
    "stability": (Curve("stability", "containment", "energy in its own plane", FIRST),),
    "access": (Curve("access", "auc", "AUC, linear", FIRST, {"order": "linear"}, 0.5),
               Curve("access", "auc", "AUC, quadratic", SECOND, {"order": "quadratic"})),
    "place": (Curve("place", "place", "place", FIRST, chance=0.0),),
}  # fmt: skip
OVER_FREQUENCY = {
    "presence": ("Where in frequency is a partial there?", "found (share)"),
    "stability": ("Where in frequency does a partial keep its trace?", "of its energy (share)"),
    "access": ("Where in frequency can a partial be read in other mixtures?", "AUC (1)"),
    "place": ("Where in frequency do the same few channels answer to a partial?", "place (1)"),
}


def over_frequency(
    result: xr.Dataset,
    beside: Mapping[str, Sequence[xr.Dataset]] | None = None,
    question: str = "presence",
    name: str = "",
) -> Illustration:
    """Draw what a question gives for each partial over its frequency, a panel per stage.

    Parameters
    ----------
    result : xarray.Dataset
        Of the encoder.
    beside : mapping of str to sequence of xarray.Dataset
        Of its baselines, by kind.
    question : {"presence", "stability", "access", "place"}
    name : str
        What the encoder is called.
    """
    wanted, label = OVER_FREQUENCY[question]
    curves = [_fitted(curve, result) for curve in CURVES[question]]

    def style(axes: Axes) -> None:
        frequency = _partials(result)["component_frequency"].values
        low, high = np.nanmin(frequency), np.nanmax(frequency)
        frequency_axis(axes, "x", low / 1.1, high * 1.1, "frequency (Hz)", narrow=True)

    title = f"{name}: {question} over frequency"
    figure = _panels(title, {question: result}, {question: beside or {}}, curves, _profile, style, label)
    said = [_said_of_ends(result, curve, stage) for curve in curves for stage in _stages(result)]
    return Illustration(
        f"{question}_over_frequency",
        f"{question.capitalize()} over frequency",
        figure,
        wanted,
        "Shaded: 95 % intervals over groups, in each of which every frequency is drawn anew near its place; "
        f"thin: baselines, mean over seeds. Lowest and highest: {listed(said)}.",
        f"{question.capitalize()} of single partials over frequency for {name}, one panel per stage "
        f"({', '.join(_stages(result))}).",
    )


def over_spacing(own: Answers, beside: Beside | None = None, name: str = "") -> Illustration:
    """Draw how far apart two partials must be to be kept apart, a panel per stage.

    Parameters
    ----------
    own, beside, name
        As in `tonotopy.reports.figures.four_questions`; "stability" is needed, "presence" adds choices.
    """
    curves = [
        Curve("stability", "confusion", "confusion", FIRST),
        Curve("presence", "two_alternative", "found, of the two", SECOND, chance=0.5),
    ]
    curves = [curve for curve in curves if curve.question in own]

    def style(axes: Axes) -> None:
        axes.set_xscale("log")
        _ticks(axes, _partials(own["stability"])["spacing_semitones"].values, FAR_SEMITONES)
        axes.set_xlabel("apart (semitones)")

    figure = _panels(f"{name}: how far apart partials must be", own, beside or {}, curves, _spaced, style,
                     "share (1)")  # fmt: skip
    result = own["stability"]
    said = []
    for stage in _stages(result):
        values = _partials(result)["confusion"].sel(stage=stage).values
        held = float(_partials(result)["containment"].sel(stage=stage))
        confused = " / ".join(f"{v:z.2f}" for v in values)
        said.append(f"{stage} {confused}, its own {held:z.2f}")
    apart = " / ".join(f"{s:g}" for s in result["spacing_semitones"].values)
    return Illustration(
        "confusion",
        "Whom a partial is taken for",
        figure,
        "How far apart must two partials be to be kept apart?",
        "Confusion: the share of a partial's trace that lies in the plane of another partial in another "
        f"context, {apart} semitones away (the last: or more). {listed(said)}.",
        f"Confusion and choices between two partials over their distance for {name}, one panel per stage "
        f"({', '.join(_stages(result))}).",
    )


def over_density(
    own: Answers, beside: Beside | None = None, question: str = "stability", name: str = ""
) -> Illustration:
    """Draw what is left as more components sound, all together at one level, a panel per stage.

    Parameters
    ----------
    own, beside, name
        As in `tonotopy.reports.figures.four_questions`.
    question : {"stability", "access"}
        "stability" draws presence too.
    """
    traced = (CURVES["stability"][0], CURVES["presence"][0])
    curves = CURVES["access"] if question == "access" else [
        Curve(one.question, one.variable, label, look) for one, label, look in
        zip(traced, ("stability", "presence"), (FIRST, SECOND), strict=True)
        if one.question in own
    ]  # fmt: skip
    read = _tried if question == "access" else _crowded
    numbers = read(own[question], _stages(own[question])[0], curves[0])[0]

    def style(axes: Axes) -> None:
        axes.set_xscale("log", base=2)
        _ticks(axes, numbers)
        axes.set_xlabel("sounding together")

    title = f"{name}: {'access' if question == 'access' else 'traces'} in dense mixtures"
    label = "AUC (1)" if question == "access" else "share (1)"
    figure = _panels(title, own, beside or {}, curves, read, style, label)
    said = []
    for curve in curves:
        for stage in _stages(own[curve.question]):
            values = read(own[curve.question], stage, curve)[1]
            said.append(f"{curve.label} {stage} {' / '.join(f'{v:z.2f}' for v in values)}")
    return Illustration(
        f"{question}_over_density",
        "Dense mixtures",
        figure,
        "Can a partial still be read when more sound?" if question == "access"
        else "Is a partial still there, with the same trace, when more sound?",
        f"All that sounds beside it is equally loud, whatever the number; {' / '.join(map(str, numbers))} "
        f"sounding together: {listed(said)}.",
        f"{'Readouts' if question == 'access' else 'Stability and presence'} over the number of partials for "
        f"{name}, one panel per stage ({', '.join(_stages(own[question]))}).",
    )  # fmt: skip


def _panels(
    title: str,
    own: Answers,
    beside: Beside,
    curves: Sequence[Curve],
    read: Read,
    style: Callable[[Axes], None],
    label: str,
):
    """Draw curves with bands, those of baselines thin, a panel per stage."""
    stages = _stages(own[curves[0].question])
    rows = -(-len(stages) // COLUMNS)
    with canvas(1.35 + 1.6 * rows, title) as figure:
        grid = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, stage in zip(grid, stages, strict=False):
            axes.axhline(1, color=CEILING, lw=0.8)
            for curve in curves:
                _curve(axes, own, beside, curve, stage, read)
            style(axes)
            axes.label_outer()
            axes.set_title(stage)
        for axes in grid[len(stages) :]:
            axes.set_axis_off()
        shown = grid[0].get_xlabel() or grid[len(stages) - 1].get_xlabel()
        for axes in grid[max(0, len(stages) - COLUMNS) : len(stages)]:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(shown)
        least = 0.38 if curves[0].chance == 0.5 else -0.04
        grid[0].set_ylim(min(least, *(axes.dataLim.y0 - 0.02 for axes in grid[: len(stages)])), 1.05)
        figure.supylabel(label, size=LABEL_SIZE)
        one_legend(figure, columns=2)
    return figure


def _curve(axes: Axes, own: Answers, beside: Beside, curve: Curve, stage: str, read: Read) -> None:
    for kind, several in beside.get(curve.question, {}).items():
        there = [read(one, stage, curve) for one in several if stage in one["stage"].values]
        if there:
            colour, marker = baseline_look(kind)
            mean = np.mean([value for _, value, _, _ in there], axis=0)
            axes.plot(there[0][0], mean, marker + curve.look[1][1:], color=colour, lw=0.9, ms=2.5, alpha=0.8,
                      label=seeds_label(len(several), kind))  # fmt: skip
    if stage not in own[curve.question]["stage"].values:
        return
    x, value, low, high = read(own[curve.question], stage, curve)
    colour, line = curve.look
    axes.fill_between(x, low, high, color=colour, alpha=0.22, lw=0)
    axes.plot(x, value, line, color=colour, ms=3.5, lw=1.4, label=curve.label)
    if np.isfinite(curve.chance):
        axes.axhline(curve.chance, color=CEILING, lw=0.9, ls=":", label="chance")


def _partials(result: xr.Dataset) -> xr.Dataset:
    one = answers(result)
    if one is None:
        raise ValueError("no partials were measured")
    return one


def _stages(result: xr.Dataset) -> list[str]:
    return [str(s) for s in result["stage"].values]


def _fitted(curve: Curve, result: xr.Dataset) -> Curve:
    """Return a curve as it is drawn of a result: at the usual density of mixtures, with its own chance."""
    if curve.question == "access":
        return replace(curve, labels={**curve.labels, "density": USUAL})
    if np.isfinite(curve.chance) and "chance" in result:
        return replace(curve, chance=float(_partials(result)["chance"]))
    return curve


def _points(one: xr.Dataset, x: np.ndarray, variable: str, at: Mapping[str, object]) -> Points:
    ends = [one[f"{variable}{end}"].sel(at).values.astype(float) for end in ("", "_low", "_high")]
    there = np.isfinite(x) & np.isfinite(ends[0])
    return x[there], ends[0][there], ends[1][there], ends[2][there]


def _profile(result: xr.Dataset, stage: str, curve: Curve) -> Points:
    one = _partials(result)
    at = {"stage": stage, **curve.labels}
    return _points(one, one["component_frequency"].values, f"{curve.variable}_profile", at)


def _spaced(result: xr.Dataset, stage: str, curve: Curve) -> Points:
    one = _partials(result)
    return _points(one, one["spacing_semitones"].values, curve.variable, {"stage": stage})


def _tried(result: xr.Dataset, stage: str, curve: Curve) -> Points:
    one = _partials(result)
    return _points(one, one["density"].values, curve.variable, {"stage": stage, **curve.labels})


def _crowded(result: xr.Dataset, stage: str, curve: Curve) -> Points:
    """Over how many sound together: the others, and the partial itself."""
    swept = by_density(result) if "condition" in result.dims else result.expand_dims("condition")
    count = np.atleast_1d(swept["density"].values) + 1
    return _points(swept, count, curve.variable, {"stage": stage})


def _ticks(axes: Axes, at: np.ndarray, last: float = np.nan) -> None:
    """Put ticks at some values; `last` stands for itself and more."""
    axes.xaxis.set_major_locator(FixedLocator(at.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}" + ("+" if x == last else ""))


def _said_of_ends(result: xr.Dataset, curve: Curve, stage: str) -> str:
    frequency, value, _, _ = _profile(result, stage, curve)
    if not len(value):
        return f"{curve.label} at {stage} not measured"
    least, most = int(value.argmin()), int(value.argmax())
    return (
        f"{curve.label} at {stage} {value[least]:z.2f} at {frequency[least]:.0f} Hz, {value[most]:z.2f} at "
        f"{frequency[most]:.0f} Hz"
    )
