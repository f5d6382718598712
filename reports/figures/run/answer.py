"""The answer in one picture: a measure of partials over frequency and stage, beside random networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ....encoders.base import CANONICAL_STAGES
from ...selecting import answers, merged, place_labelled, place_of_answers, stages_of, values_at
from ...writing import counted, enumerated
from ..composition.questions import Answers, Beside
from ..drawing import (
    DARK,
    LABEL_SIZE,
    TRAINED,
    WIDTH_IN,
    Illustration,
    baseline_look,
    canvas,
    frequency_axis,
    hint,
    one_legend,
)

REFERENCE = "filterbank:stft"
YARDSTICKS = {"matched": "random weights of the same scale", "random": "random weights"}


@dataclass(frozen=True)
class Shown:
    """A measure that may be the answer: of which probe, and what its axis, title and question say."""

    probe: str
    variable: str
    labels: Mapping[str, object]
    chance: float
    axis: str
    question: str


MEASURES = (  # the first that was measured is drawn
    Shown("stability", "containment", {}, 0.0, "trace that stays (share)",
          "Where does a partial keep its trace, whatever else sounds?"),
    Shown("presence", "proportion", {}, 1 / 16, "partials found (share)", "Where is a partial there?"),
    Shown("access", "auc", {"order": "quadratic"}, 0.5, "readout (AUC)", "Where can a partial be read?"),
    Shown("place", "place", {}, 0.0, "place (1)", "Where has a partial channels of its own?"),
)  # fmt: skip


def answer_over_frequency(
    own: Mapping[str, Answers],
    beside: Mapping[str, Beside] | None = None,
    reference: Answers | None = None,
    columns: int = 4,
) -> Illustration | None:
    """Draw the measure that answers first, over frequency: a row an encoder, a panel a stage.

    Parameters
    ----------
    own : mapping of str to mapping of str to xarray.Dataset
        By encoder: what the probes "stability", "presence", "access" and "place" found; some may lack.
    beside : mapping of str to mapping
        By encoder: the same of its baselines, by probe and kind.
    reference : mapping of str to xarray.Dataset
        The same of the STFT.
    columns : int
        Panels side by side.

    Returns
    -------
    illustration : Illustration or None
        None where no partials were measured.
    """
    one = next(
        (m for m in MEASURES if any(answers(found.get(m.probe)) is not None for found in own.values())), None
    )
    if one is None:
        return None
    rows: dict[str, xr.Dataset] = {}
    for name, found in own.items():
        if answers(result := found.get(one.probe)) is not None and result is not None:
            rows[name] = result
    stages = _stages(list(rows.values()))
    look = "wide" if columns > 2 else "narrow"
    own_stages = {name: [s for s in stages if s in stages_of(result)] for name, result in rows.items()}
    columns = min(columns, max(map(len, own_stages.values())))
    lines = sum(-(-len(several) // columns) for several in own_stages.values())
    table: list[dict[str, object]] = []
    with canvas(
        1.0 + 1.8 * lines, "", width_in=min(11.2, 1.4 + 2.45 * columns) if columns > 2 else WIDTH_IN
    ) as figure:
        grid = iter(figure.subplots(lines, columns, squeeze=False, sharey=True))
        for name, several in own_stages.items():
            others = (beside or {}).get(name, {}).get(one.probe, {})
            for start in range(0, len(several), columns):
                row = next(grid)
                for axes, stage in zip(row, several[start : start + columns], strict=False):
                    _panel(
                        axes, one, rows[name], stage, others, (reference or {}).get(one.probe), name, table
                    )
                    axes.set_title(f"{name}: {_short(stage)}" if len(rows) > 1 else _short(stage))
                for axes in row[len(several) - start :]:
                    axes.set_axis_off()
        figure.supylabel(one.axis, size=LABEL_SIZE)
        one_legend(figure, 4 if columns > 2 else 2)
    names = enumerated(list(rows))
    return Illustration(
        f"answer-{look}",
        "The answer over frequency",
        figure,
        one.question,
        "Band: 95 % over groups of redrawn frequencies and contexts; dashed: half-way between chance and "
        "certainty.",
        f"{one.axis.capitalize()} over frequency for {names} at {', '.join(stages)}, beside random weights.",
        "1 is all there can be; the line of an encoder above the dashed one means more than half of it.",
        pd.DataFrame(table),
    )


def _stages(results: Sequence[xr.Dataset]) -> list[str]:
    """Return the canonical stages of some results; whatever there is where none is canonical."""
    there = merged([stages_of(result) for result in results])
    return [stage for stage in there if stage in CANONICAL_STAGES] or there[:4]


def _short(stage: str) -> str:
    return stage.replace("_", " ")


def _panel(
    axes: Axes,
    one: Shown,
    result: xr.Dataset,
    stage: str,
    others: Mapping[str, Sequence[xr.Dataset]],
    reference: xr.Dataset | None,
    name: str,
    table: list[dict[str, object]],
) -> None:
    """Draw an encoder at a stage: its own band, the networks that are its yardstick, and the STFT."""
    frequency, value, low, high = _profile(one, result, stage)
    axes.axhline(one.chance + (1 - one.chance) / 2, color="#999999", lw=0.9, ls=(0, (4, 3)))
    if reference is not None:
        x, y, *_ = _profile(one, reference, stages_of(reference)[-1])
        axes.plot(x, y, color=DARK, ls=":", lw=1.3, label="STFT")
    kind = next((kind for kind in YARDSTICKS if others.get(kind)), "")
    for i, network in enumerate(others.get(kind, ())):
        if stage in stages_of(network):
            x, y, *_ = _profile(one, network, stage)
            label = f"{YARDSTICKS[kind]}, {counted(len(others[kind]), 'draw')}" if not i else None
            axes.plot(x, y, color=baseline_look(kind)[0], lw=1.2, ls="-.", label=label)
            table += [_line(name, stage, YARDSTICKS[kind], f, v) for f, v in zip(x, y, strict=True)]
    axes.fill_between(frequency, low, high, color=TRAINED, alpha=0.22, lw=0)
    axes.plot(frequency, value, "o-", color=TRAINED, ms=3.2, label="trained, 95 %")
    for f, v, a, b in zip(frequency, value, low, high, strict=True):
        (dot,) = axes.plot([f], [v], "o", color=TRAINED, ms=7, alpha=0)
        hint(dot, f"{f:.0f} Hz: {v:.2f} ({a:.2f} to {b:.2f})")
        table.append(_line(name, stage, "trained", f, v, a, b))
    frequency_axis(axes, "x", frequency[0] / 1.1, frequency[-1] * 1.1, "frequency (Hz)", narrow=True)
    axes.set_ylim(min(0.0, one.chance), 1.03)


def _profile(one: Shown, result: xr.Dataset, stage: str) -> tuple[np.ndarray, ...]:
    """Return frequency, value, low and high of each partial, [n], in order of frequency."""
    condition = place_of_answers(result)
    assert condition is not None
    labels = {dim: label for dim, label in one.labels.items() if dim in result.dims}
    place = condition | place_labelled(result, {"stage": stage, **labels})
    names = ("component_frequency", *(f"{one.variable}_profile{end}" for end in ("", "_low", "_high")))
    values = np.stack([values_at(result, name, place) for name in names])
    values = values[:, np.isfinite(values).all(0)]
    return tuple(values[:, np.argsort(values[0])])


def _line(
    name: str, stage: str, who: str, frequency: float, value: float, low: float = np.nan, high: float = np.nan
) -> dict[str, object]:
    return {"encoder": name, "stage": stage, "weights": who, "frequency (Hz)": round(float(frequency), 1),
            "value": round(float(value), 3), "low, 95 %": round(float(low), 3),
            "high, 95 %": round(float(high), 3)}  # fmt: skip
