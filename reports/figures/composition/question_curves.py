"""The four questions over frequency, over the spacing of components, and over how many sound together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from ....probes.composition.draws import FAR_SEMITONES
from ...selecting import values_at
from ..drawing import LABEL_SIZE, Illustration, canvas, one_legend
from ..panels import across, drawn_stages, label_below, left_out, shortened
from .curves import (
    CHOICE,
    CONFUSION,
    CURVES,
    FREQUENCY,
    LINEAR,
    PRESENCE,
    QUADRATIC,
    SPACING,
    STABILITY,
    TOGETHER,
    Along,
    Curve,
    Kinds,
    draw_curve,
    fitted,
    least,
    place_of_partials,
    tabulated,
)
from .measures import STFT, Answers, Beside

MOST_ACROSS = 4  # panels to a row where there is a row for each curve
WANTED = {
    "presence": "Where in frequency is a partial there?",
    "stability": "Where in frequency does a partial keep its trace?",
    "access": "Where in frequency can a partial be read in other mixtures?",
    "place": "Where in frequency do the same few channels answer to a partial?",
}


def over_frequency(
    result: xr.Dataset,
    beside: Kinds | None = None,
    question: str = "presence",
    name: str = "",
    controls: Mapping[str, xr.Dataset] | None = None,
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
    controls : mapping of str to xarray.Dataset, optional
        The STFT's among them is drawn.
    """
    curves = [fitted(curve, result) for curve in CURVES[question]]
    drawn = curves if question == "access" else curves[:1]
    stft = (controls or {}).get(STFT)
    title = f"{name}: {question} over frequency"
    own, others = {question: result}, {question: beside or {}}
    figure = _panels(title, own, others, drawn, FREQUENCY, {question: stft} if stft is not None else {})
    return Illustration(
        f"{question}_over_frequency",
        f"{question.capitalize()} over frequency",
        figure,
        WANTED[question],
        "Shaded: 95 % intervals over groups, in each of which every frequency is drawn anew near its place. "
        f"Thin: baselines, mean over networks.{left_out(result)}",
        f"{question.capitalize()} of single partials over frequency for {name}, one panel per stage "
        f"({', '.join(drawn_stages(result))}).",
        f"{question.capitalize()} of each partial over its frequency, stage by stage, with random weights "
        "beside it.",
        tabulated(own, others, curves, FREQUENCY, {question: stft} if stft is not None else {}),
    )


def over_spacing(own: Answers, beside: Beside | None = None, name: str = "") -> Illustration:
    """Draw how far apart two partials must be to be kept apart, a panel per stage.

    Parameters
    ----------
    own, beside, name
        As in `tonotopy.reports.figures.four_questions`; "stability" is needed, "presence" adds choices.
    """
    curves = [curve for curve in (CONFUSION, CHOICE) if curve.question in own]
    figure = _panels(f"{name}: how far apart partials must be", own, beside or {}, curves[:1], SPACING)
    result = own["stability"]
    kept = pd.DataFrame(
        [
            {"measure": "stability", "stage": stage, SPACING.heading: 0.0,
             "value": float(values_at(result, "containment", place_of_partials(result, stage=stage)))}
            for stage in drawn_stages(result)
        ]
    )  # fmt: skip
    return Illustration(
        "confusion",
        "Whom a partial is taken for",
        figure,
        "How far apart must two partials be to be kept apart?",
        "Confusion: the share of a partial's trace that lies in the plane of another partial in another "
        f"context, at least {FAR_SEMITONES:g} semitones away in the last place. A trace of its own is at 0."
        f"{left_out(result)}",
        f"Confusion between two partials over their distance for {name}, one panel per stage "
        f"({', '.join(drawn_stages(result))}).",
        "The lower a curve, the less of a partial's trace is taken for that of another so far away.",
        pd.concat([tabulated(own, beside or {}, curves, SPACING), kept], ignore_index=True),
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
    is_access = question == "access"
    several = (LINEAR, QUADRATIC) if is_access else (STABILITY, PRESENCE)
    curves = [one for one in several if one.question in own]
    title = f"{name}: {'access' if is_access else 'traces'} in dense mixtures"
    figure = _panels(title, own, beside or {}, curves, TOGETHER)
    return Illustration(
        f"{question}_over_density",
        "Dense mixtures",
        figure,
        "Can a partial still be read when more sound?" if is_access
        else "Is a partial still there, with the same trace, when more sound?",
        "All that sounds beside a partial is equally loud together, whatever the number. Shaded: 95 % "
        f"intervals; thin: baselines, mean over networks.{left_out(own[question])}",
        f"{'Readouts' if is_access else 'Stability and presence'} over the number of partials for "
        f"{name}, one panel per stage ({', '.join(drawn_stages(own[question]))}).",
        f"What is left of a partial as more sound at once: a row each for {curves[0].label}"
        + (f" and {curves[1].label}." if len(curves) > 1 else "."),
        tabulated(own, beside or {}, curves, TOGETHER),
    )  # fmt: skip


def _panels(
    title: str,
    own: Answers,
    beside: Beside,
    curves: Sequence[Curve],
    along: Along,
    stft: Mapping[str, xr.Dataset] | None = None,
) -> Figure:
    """Draw a panel per stage, in rows of their own for every curve."""
    stages = drawn_stages(own[curves[0].question])
    columns = len(stages) if len(curves) > 1 and len(stages) <= MOST_ACROSS else across(len(stages))
    rows = -(-len(stages) // columns)
    height = 1.35 if len(curves) > 1 else 1.6
    with canvas(1.35 + height * rows * len(curves), title) as figure:
        grid = figure.subplots(rows * len(curves), columns, squeeze=False, sharex=True, sharey="row")
        for block, curve in enumerate(curves):
            places = grid[block * rows : (block + 1) * rows].ravel()
            for axes, stage in zip(places, stages, strict=False):
                result, there = own[curve.question], beside.get(curve.question, {})
                draw_curve(axes, curve, along, stage, result, there, (stft or {}).get(curve.question))
                if block == 0 or rows > 1:
                    axes.set_title(shortened(stage, 46 // columns))
            for axes in places[len(stages) :]:
                axes.remove()
            shown = places[: len(stages)]
            lowest = min(least(curve), *(axes.dataLim.y0 - 0.02 for axes in shown))
            for axes in shown[::columns]:
                axes.set_ylim(lowest, 1.05)
                axes.set_ylabel(curve.label if len(curves) > 1 else "")
        label_below(list(grid[-rows:].ravel()[: len(stages)]), columns, along.heading)
        if len(curves) == 1:
            figure.supylabel(curves[0].axis, size=LABEL_SIZE)
        one_legend(figure, columns=2)
    return figure
