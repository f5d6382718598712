"""The four questions in one picture: presence, stability, access and place, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ....probes.composition.drawn_mixtures import CHORDS_TRIED
from ....probes.composition.draws import FAR_SEMITONES
from ...estimates import Estimate, baseline_label, estimate
from ...selecting import answers, merged
from ...writing import listed
from ..drawing import DARK, LABEL_SIZE, THIRD, TRAINED, Illustration, baseline_look, canvas

Answers = Mapping[str, xr.Dataset]  # what was found of one network, by question
Beside = Mapping[str, Mapping[str, Sequence[xr.Dataset]]]  # of its baselines, by question and kind

KINDS = {
    "partial": ("partials", TRAINED, "o"), "pitch": ("pitches", "#D55E00", "^"),
    "chord": ("chords", THIRD, "s"),
}  # fmt: skip
CONTROLS = {"filterbank:stft": (DARK, "--"), "filterbank:stft_magnitude": (THIRD, "-."),
            "control:decimator": (DARK, ":")}  # fmt: skip
CHANCE, CEILING = "#DDDDDD", "#888888"
COLUMNS = 2
USUAL = 5  # components in the mixtures that stand for access


@dataclass(frozen=True)
class Measure:
    """The number that answers a question, and what chance gives.

    Parameters
    ----------
    question, title, variable : str
    axis : str
        What the axis says.
    chance : callable
        (result, stage, kind) -> float.
    lowest : float
        Where the axis begins.
    labels : mapping
        Where the variable is taken along its other dimensions.
    """

    question: str
    title: str
    variable: str
    axis: str
    chance: Callable[[xr.Dataset, str, str], float]
    lowest: float = 0.0
    labels: Mapping[str, object] = field(default_factory=dict)

    def of(self, result: xr.Dataset | None, stage: str, kind: str = "partial") -> Estimate:
        """Read it off a result; NaN where it is not."""
        labels = dict(self.labels)
        if kind == "chord" and "density" in labels:
            labels["density"] = max(CHORDS_TRIED)
        return estimate(result, stage, self.variable, kind, **labels)


def _guessing(result: xr.Dataset, stage: str, kind: str) -> float:
    one = answers(result, kind)
    return np.nan if one is None else float(one["chance"])


def _confusion(result: xr.Dataset, stage: str, kind: str) -> float:
    return estimate(result, stage, "confusion", kind, spacing_semitones=FAR_SEMITONES).value


_ACCESS = {
    order: Measure("access", f"Access: {how}?", "auc", "AUC (1)", lambda result, stage, kind: 0.5, 0.4,
                   {"order": order, "density": USUAL})
    for order, how in (("linear", "linearly"), ("quadratic", "by squares"))
}  # fmt: skip
MEASURES = {
    "presence": Measure("presence", "Presence: is it there?", "proportion", "found (share)", _guessing),
    "stability": Measure(
        "stability", "Stability: the same trace?", "containment", "of its energy (share)", _confusion
    ),
    **_ACCESS,
    "place": Measure(
        "place", "Place: the same channels?", "place", "place (1)", lambda result, stage, kind: 0.0
    ),
}


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
        for control, look in CONTROLS.items():
            _reference(axes, measure, control, controls.get(control, {}), look)
        kinds = beside.get(measure.question, {})
        places = np.linspace(0.26, -0.26, 1 + len(kinds))
        for i, stage in enumerate(stages):
            y = len(stages) - i
            result = own[measure.question]
            _chance(axes, y, 0.42, measure.chance(result, stage, "partial"))
            _point(axes, y + places[0], measure.of(result, stage), TRAINED, "o", f"{name or 'encoder'}, 95 %")
            for (kind, several), off in zip(kinds.items(), places[1:], strict=True):
                colour, marker = baseline_look(kind)
                for one in several:
                    found = measure.of(one, stage)
                    _point(axes, y + off, found, colour, marker, baseline_label(kind), small=True)

    with canvas(_height(measures, stages), f"{name}: what is left of a partial") as figure:
        _draw_panels(figure, measures, stages, draw)
    return Illustration(
        "four_questions",
        "The four questions",
        figure,
        "What is left of a partial: is it there, does it keep its trace, can it be read, has it a place?",
        "Points: the encoder with its 95 % interval over groups of redrawn frequencies and contexts; smaller "
        "ones: each of its baselines (matched: random, rescaled layer by layer to the trained level). Grey: "
        "what chance gives (of stability: the share that lies in the plane of partials "
        f" {FAR_SEMITONES:g} semitones away and more); 1 is the most there can be. "
        f"{listed([_said(m, own[m.question], stages) for m in measures])}.",
        f"Panels for {', '.join(m.title for m in measures)} with points for {name}, its baselines and some "
        f"controls at {', '.join(stages)}.",
    )


def kinds_side_by_side(own: Answers, beside: Beside | None = None, name: str = "") -> Illustration:
    """Draw the answers for partials, pitches and chords at every stage.

    Parameters
    ----------
    own, beside, name
        As in `four_questions`; of the baselines those with random weights are drawn, as bars.
    """
    measures, stages = _measured(own)
    kinds = [k for k in KINDS if any(answers(one, k) is not None for one in own.values())]
    places = np.linspace(0.26, -0.26, len(kinds)) if len(kinds) > 1 else np.zeros(1)

    def draw(axes: Axes, measure: Measure) -> None:
        random = (beside or {}).get(measure.question, {}).get("random", ())
        for i, stage in enumerate(stages):
            for kind, off in zip(kinds, places, strict=True):
                several, colour, marker = KINDS[kind]
                y, result = len(stages) - i + off, own[measure.question]
                among = [one.value for r in random if (one := measure.of(r, stage, kind)).is_there]
                if among:
                    axes.plot([min(among), max(among)], [y, y], color=colour, alpha=0.3, lw=5, zorder=1)
                    axes.plot([min(among), max(among)], [y, y], "|", color=colour, alpha=0.6, ms=7,
                              label=f"{several}, random weights")  # fmt: skip
                found = measure.of(result, stage, kind)
                if found.is_there:
                    _chance(axes, y, 0.1, measure.chance(result, stage, kind))
                _point(axes, y, found, colour, marker, several)

    with canvas(_height(measures, stages), f"{name}: partials, pitches, chords") as figure:
        _draw_panels(figure, measures, stages, draw)
    said = [_said(m, own[m.question], stages, k) for m in measures for k in kinds if k != "partial"]
    return Illustration(
        "four_questions_kinds",
        "Partials, pitches, chords",
        figure,
        "Is what holds for partials true of pitches and chords?",
        "Pitches change their envelope from context to context, chords their inversion and voicing. Lines "
        "are 95 % intervals; grey: what chance gives. "
        + (f"{listed(said)}." if said else "Only partials were measured."),
        f"Panels for {', '.join(m.title for m in measures)} with points for "
        f"{', '.join(KINDS[k][0] for k in kinds)} at {', '.join(stages)} of {name}.",
    )


def _measured(own: Answers) -> tuple[list[Measure], list[str]]:
    """Return the measures there are, and the stages of all of them."""
    measures = [m for m in MEASURES.values() if m.question in own]
    return measures, merged([[str(s) for s in one["stage"].values] for one in own.values()])


def _height(measures: Sequence[Measure], stages: Sequence[str]) -> float:
    return 0.8 + -(-(len(measures) + 1) // COLUMNS) * (0.75 + 0.24 * len(stages))


def _draw_panels(
    figure: Figure, measures: Sequence[Measure], stages: Sequence[str], draw: Callable[[Axes, Measure], None]
) -> None:
    """Draw a panel a measure, stages from top to bottom, and the legend where the next panel would be."""
    grid = figure.subplots(-(-(len(measures) + 1) // COLUMNS), COLUMNS, squeeze=False, sharey=True).ravel()
    for axes, measure in zip(grid, measures, strict=False):
        axes.axvline(1, color=CEILING, lw=0.8, label="the most there can be")
        draw(axes, measure)
        axes.set_title(measure.title)
        axes.set_xlabel(measure.axis)
        axes.set_xlim(measure.lowest - 0.02, 1.03)
        axes.grid(axis="y", visible=False)
    grid[0].set_yticks(range(len(stages), 0, -1), stages)
    grid[0].set_ylim(0.45, len(stages) + 0.55)
    for axes in grid[len(measures) :]:
        axes.set_axis_off()
    _legend(list(grid[: len(measures)]), grid[len(measures)])
    figure.supylabel("stage", size=LABEL_SIZE)


def _legend(panels: Sequence[Axes], place: Axes) -> None:
    """Name what several panels draw, points first."""
    known = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    points = [
        label
        for label, handle in known.items()
        if isinstance(handle, Line2D) and handle.get_marker() != "None"
    ]
    labels = [*points, *(label for label in known if label not in points)]
    legend = place.legend(
        [known[label] for label in labels],
        labels,
        loc="center left",
        bbox_to_anchor=(-0.12, 0.5),
        handlelength=1.6,
    )
    legend.set_in_layout(False)  # else it makes all panels as narrow as itself


def _point(
    axes: Axes, y: float, one: Estimate, colour: str, marker: str, label: str, small: bool = False
) -> None:
    """Draw a number with its interval; of small ones the interval is left out."""
    if not one.is_there:
        return
    if not small:
        axes.plot([one.low, one.high], [y, y], color=colour, lw=1.4)
    axes.plot(
        one.value, y, marker, color=colour, ms=3.5 if small else 4.5, alpha=0.85 if small else 1, label=label
    )


def _chance(axes: Axes, y: float, half: float, chance: float) -> None:
    """Shade what lies below chance."""
    if np.isfinite(chance):
        axes.barh(y, chance, 2 * half, color=CHANCE, zorder=0, label="up to chance")


def _reference(axes: Axes, measure: Measure, control: str, found: Answers, look: tuple[str, str]) -> None:
    """Draw a control, which has one stage, as a line through all stages of the encoder."""
    result = found.get(measure.question)
    if result is None:
        return
    one = measure.of(result, str(result["stage"].values[0]))
    if one.is_there:
        colour, style = look
        axes.axvline(one.value, color=colour, ls=style, lw=0.9, label=control)


def _said(measure: Measure, result: xr.Dataset, stages: Sequence[str], kind: str = "partial") -> str:
    found = [(stage, measure.of(result, stage, kind)) for stage in stages]
    values = ", ".join(f"{stage} {one.value:z.2f}" for stage, one in found if one.is_there) or "not measured"
    what = measure.title.split(":")[0] + (
        f" ({measure.labels['order']})" if "order" in measure.labels else ""
    )
    return f"{what} of {KINDS[kind][0]}: {values}"
