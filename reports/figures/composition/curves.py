"""Curves of the four questions in a panel: how they are read off results, drawn and tabulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from ....probes.composition.draws import FAR_SEMITONES
from ...estimates import baseline_label
from ...selecting import (
    Place,
    numbers_by_density,
    place_labelled,
    place_of_answers,
    stages_of,
    values_at,
)
from ..drawing import DARK, TRAINED, baseline_look, frequency_axis, hint, logarithmic, seeds_label
from ..panels import MOST_ROWS, axes_or_new, drawn_stages, mean_of, shortened
from .measures import CEILING, USUAL, Answers, Beside

LINES = {"random": "--", "matched": "-."}
MOST_KINDS = 2  # of baselines in a panel; the data hold all
ENDS = ("", "_low", "_high")  # of a variable: itself and its interval
Kinds = Mapping[str, Sequence[xr.Dataset]]  # what was found of baselines, by kind
Points = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x, value, low, high: each [n]
Read = Callable[[xr.Dataset, str, "Curve"], Points]


@dataclass(frozen=True)
class Curve:
    """A variable that is drawn as a line with a band.

    Parameters
    ----------
    question, variable, label : str
    axis : str
        What the axis says.
    labels : mapping
        Where the variable is taken along its other dimensions.
    chance : float
        What guessing gives, if anything.
    """

    question: str
    variable: str
    label: str
    axis: str
    labels: Mapping[str, object] = field(default_factory=dict)
    chance: float = np.nan


@dataclass(frozen=True)
class Along:
    """What curves are drawn over: how they are read, what the axis says, and how it is drawn."""

    read: Read
    heading: str
    style: Callable[[Axes, np.ndarray], None]


PRESENCE = Curve("presence", "proportion", "presence", "found (share)", chance=1 / 16)
STABILITY = Curve("stability", "containment", "stability", "of its energy (share)")
LINEAR, QUADRATIC = (
    Curve("access", "auc", f"{order} access", "AUC (1)", {"order": order}, 0.5)
    for order in ("linear", "quadratic")
)
CONFUSION = Curve("stability", "confusion", "confusion", "of its energy (share)")
CHOICE = Curve("presence", "two_alternative", "choice of two", "right (share)", chance=0.5)
CURVES = {
    "presence": (PRESENCE, Curve("presence", "transferable", "by another context", "found (share)")),
    "stability": (STABILITY,),
    "access": (LINEAR, QUADRATIC),
    "place": (Curve("place", "place", "place", "place (1)", chance=0.0),),
}


def question_over_frequency(
    data: xr.Dataset,
    *,
    stage: str | None = None,
    beside: Kinds | None = None,
    stft: xr.Dataset | None = None,
    order: str = "linear",
    ax: Axes | None = None,
) -> Axes:
    """Draw what one of the four questions gives for each partial over its frequency, with its band.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "presence", "stability", "access" or "place".
    stage : str, optional
        The last of them if left out.
    beside : mapping of str to sequence of xarray.Dataset, optional
        The same of baselines, by kind ("random", "matched", "permuted"); their means are drawn, of two kinds
        at most.
    stft : xarray.Dataset, optional
        The same of the STFT.
    order : {"linear", "quadratic"}
        Of access: which readout.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import place
    >>> ax = question_over_frequency(place(load("control:decimator")))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('frequency (Hz)', 'place (1)')
    """
    curve = next(c for q, several in CURVES.items() if (c := several[0]).variable in data)
    if curve.question == "access" and order == "quadratic":
        curve = QUADRATIC
    return _alone(data, fitted(curve, data), FREQUENCY, stage, beside, stft, ax)


def confusion_over_spacing(
    data: xr.Dataset, *, stage: str | None = None, beside: Kinds | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how much of a partial's trace lies in the plane of another, over how far apart they are.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "stability".
    stage, beside, ax
        As in `question_over_frequency`.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import stability
    >>> confusion_over_spacing(stability(load("control:decimator"))).get_xlabel()
    'apart (semitones)'
    """
    return _alone(data, CONFUSION, SPACING, stage, beside, None, ax)


def question_over_density(
    data: xr.Dataset,
    *,
    stage: str | None = None,
    beside: Kinds | None = None,
    order: str = "linear",
    ax: Axes | None = None,
) -> Axes:
    """Draw what is left of a partial as more sound, all together at one level.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "presence", "stability" or "access", of several densities.
    stage, beside, order, ax
        As in `question_over_frequency`.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import stability
    >>> question_over_density(stability(load("control:decimator"))).get_xlabel()
    'sounding together'
    """
    by_question = {"proportion": PRESENCE, "containment": STABILITY, "auc": LINEAR}
    curve = next(curve for variable, curve in by_question.items() if variable in data)
    if curve.question == "access":
        curve = QUADRATIC if order == "quadratic" else LINEAR
    return _alone(data, curve, TOGETHER, stage, beside, None, ax)


def _alone(
    data: xr.Dataset,
    curve: Curve,
    along: Along,
    stage: str | None,
    beside: Kinds | None,
    stft: xr.Dataset | None,
    ax: Axes | None,
) -> Axes:
    stage = stage or str(data["stage"].values[-1])
    with axes_or_new(ax) as axes:
        draw_curve(axes, curve, along, stage, data, beside or {}, stft)
        axes.set(title=shortened(stage), xlabel=along.heading, ylabel=curve.axis)
        axes.set_ylim(min(least(curve), axes.dataLim.y0 - 0.02), 1.05)
        return axes


def least(curve: Curve) -> float:
    """Return where the axis of a curve begins."""
    return 0.38 if curve.chance == 0.5 else -0.04


def draw_curve(
    axes: Axes,
    curve: Curve,
    along: Along,
    stage: str,
    result: xr.Dataset,
    beside: Kinds,
    stft: xr.Dataset | None,
) -> None:
    """Draw a curve with its band, that of the STFT, and the means of baselines thin."""
    if stage in stages_of(result):
        x, value, low, high = _finite(along.read(result, stage, curve))
        axes.fill_between(x, low, high, color=TRAINED, alpha=0.22, lw=0)
        (line,) = axes.plot(x, value, "o-", color=TRAINED, ms=3.5, lw=1.4, label="encoder, 95 %", zorder=3)
        if len(x):
            hint(line, f"{stage}, {curve.label}: {value.min():z.2f} to {value.max():z.2f}")
            along.style(axes, x)
    if stft is not None:
        x, value, _, _ = _finite(along.read(stft, stages_of(stft)[0], curve))
        axes.plot(x, value, ":", color=DARK, lw=1.2, label="STFT")
    for kind in _drawn_kinds(beside):
        there = [along.read(one, stage, curve) for one in beside[kind] if stage in stages_of(one)]
        if there:
            colour, _ = baseline_look(kind)
            mean = mean_of([value for _, value, _, _ in there], there[0][1])
            axes.plot(there[0][0], mean, LINES.get(kind, ":"), color=colour, lw=1.2, alpha=0.9,
                      label=seeds_label(len(beside[kind]), kind))  # fmt: skip
    axes.axhline(1, color=CEILING, lw=0.8, zorder=1)
    if np.isfinite(curve.chance):
        axes.axhline(curve.chance, color=CEILING, lw=0.9, ls=":", label="chance", zorder=1)


def _drawn_kinds(beside: Kinds) -> list[str]:
    """Return the kinds of baselines that are drawn: those of random weights first."""
    order = dict.fromkeys(["random", "matched", *beside])
    return [kind for kind in order if beside.get(kind)][:MOST_KINDS]


def tabulated(
    own: Answers,
    beside: Beside,
    curves: Sequence[Curve],
    along: Along,
    stft: Mapping[str, xr.Dataset] | None = None,
) -> pd.DataFrame:
    """Return what is drawn, and of baselines and further measures what is not: a row a point."""
    rows = []
    for curve in curves:
        result = own[curve.question]
        for stage in drawn_stages(result):
            x, value, low, high = along.read(result, stage, curve)
            columns = {along.heading: x, "value": value, "low (95 %)": low, "high (95 %)": high}
            for kind, several in beside.get(curve.question, {}).items():
                there = [along.read(r, stage, curve)[1] for r in several if stage in stages_of(r)]
                columns[f"{baseline_label(kind)}, mean"] = mean_of(there, value)
            if (ideal := (stft or {}).get(curve.question)) is not None:
                there = [along.read(ideal, stages_of(ideal)[0], curve)[1]]
                columns["STFT"] = mean_of(there, value)
            one = pd.DataFrame({"measure": curve.label, "stage": stage, **columns})
            rows.append(one[np.isfinite(value)])
    return pd.concat(rows, ignore_index=True).head(MOST_ROWS)


def place_of_partials(result: xr.Dataset, **labels: object) -> Place:
    """Return where partials lie at the condition that stands for them, and labels along other dimensions."""
    condition = place_of_answers(result)
    if condition is None:
        raise ValueError("no partials were measured")
    return condition | place_labelled(result, labels)


def fitted(curve: Curve, result: xr.Dataset) -> Curve:
    """Return a curve as it is drawn of a result: at the usual density of mixtures, with its own chance."""
    if curve.question == "access":
        return replace(curve, labels={**curve.labels, "density": USUAL})
    if np.isfinite(curve.chance) and "chance" in result:
        return replace(curve, chance=float(values_at(result, "chance", place_of_partials(result))))
    return curve


def _points(result: xr.Dataset, x: str, variable: str, place: Place) -> Points:
    names = (x, *(f"{variable}{end}" for end in ENDS))
    places, value, low, high = (values_at(result, name, place).astype(float) for name in names)
    return places, value, low, high


def _finite(points: Points) -> Points:
    there = np.isfinite(points[0]) & np.isfinite(points[1])
    x, value, low, high = (one[there] for one in points)
    return x, value, low, high


def _profile(result: xr.Dataset, stage: str, curve: Curve) -> Points:
    place = place_of_partials(result, stage=stage, **curve.labels)
    return _points(result, "component_frequency", f"{curve.variable}_profile", place)


def _spaced(result: xr.Dataset, stage: str, curve: Curve) -> Points:
    return _points(result, "spacing_semitones", curve.variable, place_of_partials(result, stage=stage))


def _together(result: xr.Dataset, stage: str, curve: Curve) -> Points:
    """Over how many sound together: of presence and stability the others, and the partial itself."""
    if curve.question == "access":
        place = place_of_partials(result, stage=stage, **curve.labels)
        return _points(result, "density", curve.variable, place)
    points = _points(result, "density", curve.variable, place_labelled(result, {"stage": stage}))
    swept = numbers_by_density(result) if "condition" in result.dims else [0]
    others, value, low, high = (np.atleast_1d(one)[swept] for one in points)
    return others + 1, value, low, high


def _hertz_axis(axes: Axes, frequency_hz: np.ndarray) -> None:
    frequency_axis(axes, "x", frequency_hz.min() / 1.1, frequency_hz.max() * 1.1, narrow=True)


def _semitones_axis(axes: Axes, apart: np.ndarray) -> None:
    logarithmic(axes, "x")
    _ticks(axes, apart, FAR_SEMITONES)


def _number_axis(axes: Axes, number: np.ndarray) -> None:
    logarithmic(axes, "x", base=2)
    _ticks(axes, number)


def _ticks(axes: Axes, at: np.ndarray, last: float = np.nan) -> None:
    """Put ticks at some values; `last` stands for itself and more."""
    axes.xaxis.set_major_locator(FixedLocator(at.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}" + ("+" if x == last else ""))


FREQUENCY = Along(_profile, "frequency (Hz)", _hertz_axis)
SPACING = Along(_spaced, "apart (semitones)", _semitones_axis)
TOGETHER = Along(_together, "sounding together", _number_axis)
