"""The four questions in one picture: presence, stability, access and place, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....probes.composition.draws import FAR_SEMITONES
from ...estimates import Estimate, baseline_label
from ...selecting import merged, place_of_answers
from ..drawing import TRAINED, Illustration, baseline_look, canvas, hint, one_legend
from ..panels import across, axes_or_new, panel_rows, shortened, stage_rows
from .measures import (
    CEILING,
    CHANCE,
    CONTROL_NAMES,
    CONTROLS,
    KINDS,
    MEASURES,
    Answers,
    Beside,
    Measure,
)

COLUMNS, MANY = 2, 6  # panels to a row; stages from which rows stand closer
LINE_IN = 0.17  # of a legend


def question_by_stage(
    data: xr.Dataset,
    *,
    beside: Mapping[str, Sequence[xr.Dataset]] | None = None,
    controls: Mapping[str, xr.Dataset] | None = None,
    order: str = "linear",
    ax: Axes | None = None,
) -> Axes:
    """Draw what one of the four questions gives at every stage, with intervals.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "presence", "stability", "access" or "place".
    beside : mapping of str to sequence of xarray.Dataset, optional
        The same of baselines, by kind ("random", "matched", "permuted"): a small mark each.
    controls : mapping of str to xarray.Dataset, optional
        The same of controls, by name: the STFT, its magnitude and the decimator are drawn as lines.
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
    >>> question_by_stage(place(load("control:decimator"))).get_title(loc="left")
    'Place: the same channels?'
    """
    measure = next(
        m for m in MEASURES.values() if m.variable in data and m.labels.get("order", order) == order
    )
    stages = [str(s) for s in data["stage"].values]
    with axes_or_new(ax, 1.6 + 0.3 * len(stages)) as axes:
        _points(axes, measure, data, stages, beside or {}, "encoder")
        _references(axes, measure, data, stages, controls or {})
        _dress(axes, measure, stages)
        return axes


def four_questions(
    own: Answers, beside: Beside | None = None, controls: Mapping[str, Answers] | None = None, name: str = ""
) -> Illustration:
    """Draw presence, stability, access and place of partials at every stage, beside baselines and controls.

    Parameters
    ----------
    own : mapping of str to xarray.Dataset
        What the probes "presence", "stability", "access" and "place" found of the encoder; some may lack.
    beside : mapping of str to mapping of str to sequence of xarray.Dataset
        The same of its baselines: by probe, then by kind ("random", "matched", "permuted").
    controls : mapping of str to mapping of str to xarray.Dataset
        The same of controls, by name: the STFT, its magnitude and the decimator are drawn as lines.
    name : str
        What the encoder is called.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import place
    >>> four_questions({"place": place(load("control:decimator"))}, name="decimator").question
    'What is left of a partial: is it there, does it keep its trace, can it be read, has it a place?'
    """
    beside, controls = beside or {}, controls or {}
    measures, stages = _measured(own)

    def draw(axes: Axes, measure: Measure) -> None:
        result, kinds = own[measure.question], beside.get(measure.question, {})
        of_controls = {
            c: found[measure.question] for c, found in controls.items() if measure.question in found
        }
        _points(axes, measure, result, stages, kinds, name or "encoder")
        _references(axes, measure, result, stages, of_controls)

    with canvas(_height(measures, stages), f"{name}: what is left of a partial") as figure:
        _draw_panels(figure, measures, stages, draw)
    return Illustration(
        "four_questions",
        "The four questions",
        figure,
        "What is left of a partial: is it there, does it keep its trace, can it be read, has it a place?",
        "Points: the encoder with its 95 % interval over groups of redrawn frequencies and contexts; smaller "
        "ones: each of its baselines (matched: random, rescaled layer by layer to the trained level). Grey: "
        f"up to chance; of stability the share in the plane of partials {FAR_SEMITONES:g} semitones away.",
        f"Panels for {', '.join(m.title for m in measures)} with points for {name}, its baselines and some "
        f"controls at {', '.join(stages)}.",
        "What is left of a partial at each stage, from chance (grey) to all of it (1), beside random weights "
        "and controls.",
        pd.DataFrame([row for m in measures for row in _tabulated(m, own, beside, controls, stages)]),
    )


def kinds_side_by_side(own: Answers, beside: Beside | None = None, name: str = "") -> Illustration:
    """Draw the answers for partials, pitches and chords at every stage.

    Parameters
    ----------
    own, beside, name
        As in `four_questions`; of the baselines those with random weights are drawn, as bars.
    """
    measures, stages = _measured(own)
    kinds = kinds_of(own)
    places = np.linspace(0.26, -0.26, len(kinds)) if len(kinds) > 1 else np.zeros(1)

    def draw(axes: Axes, measure: Measure) -> None:
        random, result = (beside or {}).get(measure.question, {}).get("random", ()), own[measure.question]
        for kind, off in zip(kinds, places, strict=True):
            several, colour, marker = KINDS[kind]
            y = stage_rows(stages) + off
            found = [measure.of(result, stage, kind) for stage in stages]
            _estimates(axes, y, found, stages, colour, marker, several)
            _ranges(axes, y, [[measure.of(r, stage, kind) for r in random] for stage in stages], colour,
                    f"{several}, random weights")  # fmt: skip
            there = np.array([one.is_there for one in found])
            chance = np.array([measure.chance(result, stage, kind) for stage in stages])
            _shade(axes, y, np.where(there, chance, np.nan), 0.1)

    with canvas(_height(measures, stages), f"{name}: partials, pitches, chords") as figure:
        _draw_panels(figure, measures, stages, draw)
    return Illustration(
        "four_questions_kinds",
        "Partials, pitches, chords",
        figure,
        "Is what holds for partials true of pitches and chords?",
        "Pitches change their envelope from context to context, chords their inversion and voicing. Lines "
        "are 95 % intervals; pale bars: the range of random weights; grey: up to chance.",
        f"Panels for {', '.join(m.title for m in measures)} with points for "
        f"{', '.join(KINDS[k][0] for k in kinds)} at {', '.join(stages)} of {name}.",
        "The same questions of partials, pitches and chords: a mark for each at every stage, from chance "
        "(grey) to 1.",
        pd.DataFrame(
            [row for m in measures for k in kinds for row in _tabulated(m, own, beside or {}, {}, stages, k)]
        ),
    )


def kinds_of(own: Answers) -> list[str]:
    """Return the kinds of components that were measured: "partial", "pitch", "chord"."""
    return [k for k in KINDS if any(place_of_answers(one, k) is not None for one in own.values())]


def _measured(own: Answers) -> tuple[list[Measure], list[str]]:
    """Return the measures there are, and the stages of all of them."""
    measures = [m for m in MEASURES.values() if m.question in own]
    return measures, merged([[str(s) for s in one["stage"].values] for one in own.values()])


def _panel_height(stages: Sequence[str]) -> float:
    return 0.75 + (0.24 if len(stages) <= MANY else 0.19) * len(stages)


def _height(measures: Sequence[Measure], stages: Sequence[str]) -> float:
    return 1.3 + panel_rows(len(measures), COLUMNS) * _panel_height(stages)


def _draw_panels(
    figure: Figure, measures: Sequence[Measure], stages: Sequence[str], draw: Callable[[Axes, Measure], None]
) -> None:
    """Draw a panel a measure, stages from top to bottom."""
    shape = panel_rows(len(measures), COLUMNS), across(len(measures), COLUMNS)
    grid = figure.subplots(*shape, squeeze=False, sharey=True).ravel()
    for axes, measure in zip(grid, measures, strict=False):
        draw(axes, measure)
        _dress(axes, measure, stages)
    if len(grid) == len(measures):
        one_legend(figure, columns=3)
        return
    known = {
        label: handle
        for axes in grid[: len(measures)]
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    place = grid[len(measures)]
    place.set_axis_off()
    if LINE_IN * len(known) > _panel_height(stages):
        one_legend(figure, columns=3)
    else:
        legend = place.legend(known.values(), known.keys(), loc="upper left", handlelength=1.6)
        legend.set_in_layout(False)  # else it makes all panels as narrow as itself


def _dress(axes: Axes, measure: Measure, stages: Sequence[str]) -> None:
    axes.axvline(1, color=CEILING, lw=0.8)
    axes.set_title(measure.title)
    axes.set_xlabel(measure.axis)
    axes.set_xlim(measure.lowest - 0.02, 1.03)
    axes.set_xticks([0.5, 0.75, 1.0] if measure.lowest else [0.0, 0.5, 1.0])
    axes.grid(axis="y", visible=False)
    axes.set_yticks(stage_rows(stages), [shortened(stage) for stage in stages])
    axes.set_ylim(0.45, len(stages) + 0.55)


def _points(
    axes: Axes,
    measure: Measure,
    result: xr.Dataset,
    stages: Sequence[str],
    kinds: Mapping[str, Sequence[xr.Dataset]],
    name: str,
) -> None:
    """Draw a result with its intervals, and each baseline as a smaller mark below it."""
    places = np.linspace(0.26, -0.26, 1 + len(kinds)) if kinds else np.zeros(1)
    found = [measure.of(result, stage) for stage in stages]
    _estimates(axes, stage_rows(stages) + places[0], found, stages, TRAINED, "o", f"{name}, 95 %")
    for (kind, several), off in zip(kinds.items(), places[1:], strict=True):
        colour, marker = baseline_look(kind)
        rows = [
            (one.value, y + off)
            for stage, y in zip(stages, stage_rows(stages), strict=True)
            for network in several
            if (one := measure.of(network, stage)).is_there
        ]
        if rows:
            axes.plot(*np.transpose(rows), marker, color=colour, ms=3.5, alpha=0.85, ls="none",
                      label=baseline_label(kind))  # fmt: skip


def _estimates(
    axes: Axes,
    y: np.ndarray,
    found: Sequence[Estimate],
    stages: Sequence[str],
    colour: str,
    marker: str,
    label: str,
) -> None:
    """Draw numbers with their intervals; each says itself where one points at it."""
    there = [i for i, one in enumerate(found) if one.is_there]
    if not there:
        return
    axes.hlines(y[there], [found[i].low for i in there], [found[i].high for i in there], color=colour, lw=1.4)
    for i in there:
        (point,) = axes.plot(found[i].value, y[i], marker, color=colour, ms=4.5, label=label, ls="none")
        hint(point, f"{label.removesuffix(', 95 %')}, {stages[i]}: {found[i]}")


def _ranges(
    axes: Axes, y: np.ndarray, networks: Sequence[Sequence[Estimate]], colour: str, label: str
) -> None:
    """Draw the range of random networks at every stage as a pale bar with ends."""
    rows = [
        (place, min(values), max(values))
        for place, several in zip(y, networks, strict=True)
        if (values := [one.value for one in several if one.is_there])
    ]
    if not rows:
        return
    place, low, high = np.transpose(rows)
    axes.hlines(place, low, high, color=colour, alpha=0.3, lw=5, zorder=1)
    axes.plot([low, high], [place, place], "|", color=colour, alpha=0.6, ms=7, label=label)


def _references(
    axes: Axes,
    measure: Measure,
    result: xr.Dataset,
    stages: Sequence[str],
    controls: Mapping[str, xr.Dataset],
) -> None:
    """Draw controls, which have one stage, as lines through all stages, and shade what is up to chance."""
    for control, (colour, style) in CONTROLS.items():
        if control in controls:
            one = measure.of(controls[control], str(controls[control]["stage"].values[0]))
            if one.is_there:
                axes.axvline(one.value, color=colour, ls=style, lw=0.9, label=CONTROL_NAMES[control])
    _shade(axes, stage_rows(stages), np.array([measure.chance(result, s, "partial") for s in stages]), 0.42)


def _shade(axes: Axes, y: np.ndarray, chance: np.ndarray, half: float) -> None:
    """Shade what lies up to chance."""
    there = np.isfinite(chance)
    if there.any():
        axes.barh(y[there], chance[there], 2 * half, color=CHANCE, zorder=0, label="up to chance")


def _tabulated(
    measure: Measure,
    own: Answers,
    beside: Beside,
    controls: Mapping[str, Answers],
    stages: Sequence[str],
    kind: str = "partial",
) -> list[dict[str, object]]:
    """Return rows of the data: the encoder at its stages with the range of its baselines, then controls."""
    rows: list[dict[str, object]] = []
    for stage in stages:
        one = measure.of(own[measure.question], stage, kind)
        row = _row(measure, kind, stage, one, measure.chance(own[measure.question], stage, kind))
        for baseline, several in beside.get(measure.question, {}).items():
            values = [e.value for r in several if (e := measure.of(r, stage, kind)).is_there]
            row[f"{baseline_label(baseline)}, least"] = min(values, default=np.nan)
            row[f"{baseline_label(baseline)}, most"] = max(values, default=np.nan)
        rows += [row] if one.is_there else []
    for control in CONTROLS:
        if (result := controls.get(control, {}).get(measure.question)) is not None:
            stage = str(result["stage"].values[0])
            one = measure.of(result, stage, kind)
            if one.is_there:
                rows.append(_row(measure, kind, control, one, measure.chance(result, stage, kind)))
    return rows


def _row(measure: Measure, kind: str, at: str, one: Estimate, chance: float) -> dict[str, object]:
    return {"measure": measure.called, "of": KINDS[kind][0], "stage or control": at, "value": one.value,
            "low (95 %)": one.low, "high (95 %)": one.high, "chance": chance}  # fmt: skip
