"""Composition beside the four questions: the earlier plane index, readouts, chords, waveform shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from ...probes.engine.grid import USUAL_DBFS, USUAL_OTHERS
from ..answers import Scale
from ..chapter import Chapter, each_stage
from ..columns import as_judged, measured
from ..estimates import Estimate
from ..figures import Illustration
from ..figures.composition.chord_composition import chord_positions, chord_steps, chord_sums
from ..figures.composition.compositionality import (
    additivity_lesson,
    index_by_density,
    index_by_kind,
    overlap_matrices,
)
from ..figures.composition.readout import readout_by_density, readout_capacity, readout_tasks
from ..figures.composition.waveform_shape import (
    preference_by_detuning,
    shape_by_stage,
    waveform_shape_of_controls,
)
from ..judged_answers import judged_answer, side
from ..runs import Subject
from ..selecting import by_density, of_controls, of_kind, stages_with

SHAPE = 0.2  # where the hypothesis has its threshold too
FAINT = 0.01  # share of partials without a trace that is worth a word

INDEX = {
    kind: measured(
        "index", f"Index, {several}", f"plane index of {several}: stability less confusion, every direction "
        "counting alike", "1", np.max, kind,
    )
    for kind, several in (("partial", "partials"), ("pitch", "pitches"), ("chord", "chords"))
}  # fmt: skip
AREA = measured("auc", "AUC", "how often a partial resembles itself more than others", "1", np.max, "partial")
ADDITIVE = measured(
    "additivity_error", "Not additive",
    "power of what partial and context do together beyond each alone", "1", np.max, "partial",
)  # fmt: skip


def _composed(subject: Subject, result: xr.Dataset, stage: str) -> Iterator[str]:
    one = of_kind(result.sel(stage=stage))
    index, area, additive = (
        column.beside_random(subject, "compositionality", stage)
        for column in (INDEX["partial"], AREA, ADDITIVE)
    )
    yield (
        f"a partial among {int(one['density'])} others has the plane index {index}, 95 % interval "
        f"{float(one['index_low']):z.2f} to {float(one['index_high']):z.2f}, AUC {area}; {additive} of the "
        "power is interaction."
    )
    crowd = by_density(result.sel(stage=stage))
    if crowd.sizes["condition"] > 1:
        ends = [f"{float(crowd['index'][i]):z.2f} among {int(crowd['density'][i])}" for i in (0, -1)]
        yield f"It goes from {' to '.join(ends)}."


def _compositionality_cautions(one: xr.Dataset) -> Iterator[str]:
    shown = of_kind(one)
    unchanged = float(shown["unchanged"])
    if unchanged >= FAINT:
        yield (
            f"{100 * unchanged:.0f} % of partials among {int(shown['density'])} others leave the frame "
            "unchanged; they count as unstable"
        )


def _compositionality(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    result, random = subject.result("compositionality"), subject.of_baselines("compositionality")
    if result is None:
        return
    beside = of_controls(controls, "compositionality")
    yield index_by_density(result, random, subject.name)
    yield additivity_lesson(result, random, beside, subject.name)
    yield overlap_matrices(result, random, subject.name)
    yield index_by_kind(result, random, beside, subject.name)


def _readout(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    read, random = subject.result("readout"), subject.of_baselines("readout")
    if read is not None and stages_with(read, "mean_auc"):
        yield readout_by_density(read, random, subject.name)
        yield readout_capacity(read, random, subject.name)
        yield readout_tasks(read, random, subject.name)


def _chords(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    chords, random = subject.result("chord_composition"), subject.of_baselines("chord_composition")
    if chords is not None and stages_with(chords, "sum_error"):
        yield chord_sums(chords, random, subject.name)
        yield chord_steps(chords, random, subject.name)
        yield chord_positions(chords, random, subject.name)


def _waveform_shape(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    found, random = subject.result("waveform_shape"), subject.of_baselines("waveform_shape")
    if found is not None and stages_with(found, "preference"):
        yield shape_by_stage(found, random, of_controls(controls, "waveform_shape"), subject.name)
        yield preference_by_detuning(found, random, subject.name)


def _waveform_shape_of_controls(controls: Sequence[Subject]) -> Iterator[Illustration]:
    if results := of_controls(controls, "waveform_shape"):
        yield waveform_shape_of_controls(results)


def _follows(shape: Estimate) -> tuple[str, str]:
    """Say what frames keep beyond their windowed spectrum."""
    return {
        1: "frames keep the shape of the waveform beyond what a windowed spectrum keeps",
        0: "it is open whether frames keep the shape of the waveform beyond what a windowed spectrum keeps",
        -1: "frames keep no more of the waveform's shape than a windowed spectrum does",
    }[side(shape, SHAPE)], "shape over spectrum"


COMPOSITIONALITY = Chapter(
    "compositionality",
    question="Do response planes of a component agree between contexts?",
    title="Plane index (earlier versions)",
    columns=(
        *INDEX.values(),
        AREA,
        measured("planarity", "Planarity", "share of a partial's changes that its plane holds", "1", np.max,
                 "partial"),
        measured("unchanged", "No trace", "partials that leave the frame unchanged", "share", np.max,
                 "partial"),
        ADDITIVE,
    ),
    findings=each_stage("compositionality", _composed),
    cautions=_compositionality_cautions,
    figures=_compositionality,
    panels={
        ("index", f"{kind} among {USUAL_OTHERS} at {USUAL_DBFS:g} dBFS"): f"index of {several}"
        for kind, several in (("partial", "partials"), ("pitch", "pitches"))
    },
)  # fmt: skip
READOUT = Chapter(
    "readout",
    question="Can a readout trained on sparse mixtures tell what sounds in dense ones?",
    columns=(
        measured("mean_auc", "Read in 8", "AUC of readouts of partials in mixtures of 8", "1", np.max, "8",
                 is_side_by_side=True),
        measured("mean_auc", "In 32", "the same in mixtures of 32", "1", np.max, "32"),
        measured("task_score", "Pitch class", "pitch classes read rightly in unseen timbres", "share",
                 np.max, "pitch class"),
        measured("task_score", "Chord", "chords read rightly in unseen inversions", "share", np.max,
                 "chord"),
    ),
    figures=_readout,
    panels={("auc", "density 32"): "AUC in dense mixtures"},
)  # fmt: skip
CHORD_COMPOSITION = Chapter(
    "chord_composition",
    question="Is a chord the sum of its notes, in every position?",
    columns=(
        measured("sum_error", "No sum", "power of a chord less its notes re the chord's", "1"),
        measured("wrong_sum_error", "Wrong notes", "the same with another chord's notes", "1",
                 is_compared=False),
        measured("transfer_error", "Step missed",
                 "squared error of the step to minor foretold from other roots, re the step's power", "1"),
        measured("position_auc", "Inversions", "AUC of a chord being more like its inversions than like "
                 "others", "1", np.mean, is_side_by_side=True),
    ),
    figures=_chords,
    panels={
        ("sum_error", ""): "what a sum of notes leaves",
        ("position_auc", ""): "chords across positions",
    },
)  # fmt: skip
WAVEFORM_SHAPE = Chapter(
    "waveform_shape",
    question="Does it follow the shape of the waveform or the spectrum?",
    answer=judged_answer(
        "waveform_shape_over_spectrum",
        Scale(-1.0, 1.0, "magnitudes only", "whole waveforms only"),
        _follows,
    ),
    columns=(
        as_judged("waveform_shape_over_spectrum", "Shape", "keeps whole waveforms together and nothing else "
                  "(1), what the windowed spectrum keeps (0), or its magnitude (-1)", "1",
                  is_side_by_side=True),
        measured("preference", "Waveform", "keeps together the waveform (1), as does any windowed spectrum, "
                 "or the line spectrum (-1)", "1", np.mean, at_codes=True),
        measured("crossover", "Equal at", "detuning that changes as much as other phases", "Hz", np.max,
                 at_codes=True),
    ),
    figures=_waveform_shape,
    figures_of_controls=_waveform_shape_of_controls,
    panels={
        ("shape_over_spectrum", ""): "shape beyond a windowed spectrum",
        ("preference", ""): "waveform (1) or line spectrum (-1)",
    },
)  # fmt: skip
CHAPTERS = (COMPOSITIONALITY, READOUT, CHORD_COMPOSITION, WAVEFORM_SHAPE)
