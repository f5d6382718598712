"""The four questions: presence, stability, access and place of components, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import xarray as xr

from ...probes.composition.drawn_mixtures import CHORDS_TRIED
from ...probes.composition.draws import FAR_SEMITONES, STEP_SEMITONES
from ..chapter import Chapter, each_stage
from ..columns import Column
from ..component_answers import ANSWERS, PLACED, PRESENT, QUESTIONS, READABLE, STABLE
from ..estimates import (
    Estimate,
    beside,
    estimate,
    exactly,
    standing,
)
from ..figures import Illustration
from ..figures.composition.measures import KINDS, MEASURES, Measure
from ..figures.composition.question_curves import over_density, over_frequency, over_spacing
from ..figures.composition.questions import four_questions, kinds_of, kinds_side_by_side
from ..runs import Subject
from ..selecting import answers, of_controls, place_of_answers

USUAL, DENSE = 5, 16  # components in the mixtures that readouts are tried on
CHORDS = max(CHORDS_TRIED)
FAINT = 0.01  # share of components without a trace that is worth a word


def _column(
    variable: str,
    heading: str,
    explanation: str,
    kind: str = "partial",
    is_main: bool = False,
    **labels: object,
) -> Column:
    """Return the column of a variable; a main one shows its interval, and stands side by side too."""

    def read(result: xr.Dataset, stage: str, end: str) -> float:
        return getattr(estimate(result, stage, variable, kind, **labels), end)

    value, low, high = (partial(read, end=end) for end in ("value", "low", "high"))
    return Column(
        heading, explanation, "1", value, low, high, is_side_by_side=is_main, shows_interval=is_main
    )


def _stood_beside(
    subject: Subject, probe: str, stage: str, variable: str, **labels: object
) -> tuple[Estimate, str]:
    """Return an estimate of partials, and a sentence on where it lies beside baselines, if there are any."""
    own = estimate(subject.result(probe), stage, variable, "partial", **labels)
    others = {
        kind: [estimate(one, stage, variable, "partial", **labels) for one in several]
        for kind, several in subject.by_kind(probe).items()
    }
    said = beside(own, others)
    return own, f" That is {said}." if said else ""


def _of_other_kinds(result: xr.Dataset, stage: str, measure: Measure) -> Iterator[str]:
    """Say what pitches and chords have of it, and what chance gives for them."""
    said = []
    for kind in ("pitch", "chord"):
        if (one := measure.of(result, stage, kind)).is_there:
            said.append(f"{KINDS[kind][0]} {one}, by chance {measure.chance(result, stage, kind):z.2f}")
    if said:
        yield f"The same of {'; of '.join(said)}."


def _among(result: xr.Dataset) -> str:
    """Name the component that a sentence is about, with what sounds beside it."""
    one = answers(result)
    return "a partial" if one is None else f"a partial among {int(one['density'])} others"


def _presence(subject: Subject, result: xr.Dataset, stage: str) -> Iterator[str]:
    one = answers(result)
    own, others = _stood_beside(subject, "presence", stage, "proportion")
    if one is None or not own.is_there:
        return
    chance = exactly(float(one["chance"]))
    moved = estimate(result, stage, "transferable")
    yield (
        f"{_among(result)} {PRESENT[standing(own, chance)]}: of those added {own} are found by planes of the "
        f"same context, {moved} by those of another; by chance {chance.value:.2f}.{others}"
    )
    yield from _of_other_kinds(result, stage, MEASURES["presence"])


def _stability(subject: Subject, result: xr.Dataset, stage: str) -> Iterator[str]:
    own, others = _stood_beside(subject, "stability", stage, "containment")
    if not own.is_there:
        return
    near, far = (
        estimate(result, stage, "confusion", spacing_semitones=s) for s in (STEP_SEMITONES, FAR_SEMITONES)
    )
    yield (
        f"{_among(result)} {STABLE[standing(own, far)]}: {own} of its energy lies in its own plane of "
        f"another context, {near} in that of a partial {STEP_SEMITONES:g} semitones away, {far} of one "
        f"{FAR_SEMITONES:g} or more away.{others}"
    )
    yield from _of_other_kinds(result, stage, MEASURES["stability"])


def _access(subject: Subject, result: xr.Dataset, stage: str) -> Iterator[str]:
    for order, how in (
        ("linear", f"by a linear readout of mixtures of {USUAL} a partial"),
        ("quadratic", "by one of squares it"),
    ):  # fmt: skip
        own, others = _stood_beside(subject, "access", stage, "auc", order=order, density=USUAL)
        if not own.is_there:
            continue
        null = estimate(result, stage, "auc_null", order=order, density=USUAL).value
        chance = Estimate(null, min(0.5, null), max(0.5, null))
        dense = estimate(result, stage, "auc", order=order, density=DENSE)
        said = (
            f"{how} {READABLE[standing(own, chance)]}: AUC {own}, with permuted labels {null:.2f}.{others} "
            f"In mixtures of {DENSE} it is {dense}."
        )
        yield said if order == "linear" else said[0].upper() + said[1:]
        yield from _of_other_kinds(result, stage, MEASURES[order])


def _place(subject: Subject, result: xr.Dataset, stage: str) -> Iterator[str]:
    own, others = _stood_beside(subject, "place", stage, "place")
    if not own.is_there:
        return
    parts = [estimate(result, stage, name).value for name in ("locality", "consistency")]
    yield (
        f"{_among(result)} {PLACED[standing(own, exactly(0.0))]}: {own} of at most 1; locality "
        f"{parts[0]:z.2f}, consistency {parts[1]:z.2f}.{others}"
    )
    yield from _of_other_kinds(result, stage, MEASURES["place"])


def _presence_cautions(one: xr.Dataset) -> Iterator[str]:
    shown = answers(one)
    if shown is not None and float(shown["unchanged"]) >= FAINT:
        yield (
            f"{100 * float(shown['unchanged']):.0f} % of partials among {int(shown['density'])} others leave "
            "the frame unchanged; they count as not there"
        )


def _answers(subject: Subject) -> dict[str, xr.Dataset]:
    """Return what was found of a subject, question by question."""
    return {q: found for q in QUESTIONS if (found := subject.result(q)) is not None}


def _beside(subject: Subject) -> dict[str, dict[str, list[xr.Dataset]]]:
    """Return what was found of its baselines, question by question and kind by kind."""
    return {question: subject.by_kind(question) for question in QUESTIONS}


def _figures_of(question: str, subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    own, others = _answers(subject), _beside(subject)
    if question not in own:
        return
    if question == next(iter(own)):  # whatever was measured first leads
        yield four_questions(own, others, {c.name: _answers(c) for c in controls}, subject.name)
        if kinds_of(own) != ["partial"]:
            yield kinds_side_by_side(own, others, subject.name)
    if any(place_of_answers(one) is None for one in own.values()):
        return  # no partials: nothing to draw over frequency, spacing or density
    yield over_frequency(
        own[question], others[question], question, subject.name, of_controls(controls, question)
    )
    if question == "stability":
        yield over_spacing(own, others, subject.name)
    if question in ("stability", "access"):
        yield over_density(own, others, question, subject.name)


PRESENCE = Chapter(
    "presence",
    question="Is a component there?",
    answer=ANSWERS["presence"],
    columns=(
        _column("proportion", "Presence", "partials found: which one was added, by planes of the same "
                "context",
                is_main=True),
        _column("transferable", "Transferable", "the same by planes of another context"),
        _column("bits", "Bits", "information about which partial was added, less that of shuffled choices"),
        _column("proportion", "Pitches", "pitches found: which one was added", "pitch"),
        _column("proportion", "Chords", "chords found: which one was added", "chord"),
    ),
    findings=each_stage("presence", _presence),
    cautions=_presence_cautions,
    figures=partial(_figures_of, "presence"),
    panels={("proportion_profile", "partial among 4 at -20 dBFS"): "presence of partials"},
)  # fmt: skip
STABILITY = Chapter(
    "stability",
    question="Does it keep its own trace whatever else sounds?",
    answer=ANSWERS["stability"],
    columns=(
        _column("containment", "Stability",
                "share of a partial's trace in the plane of its trace in another context", is_main=True),
        _column("confusion", "Confusion, 4.5 st", "the same in the plane of a partial 4.5 semitones away",
                spacing_semitones=STEP_SEMITONES),
        _column("confusion", "Far", "the same, 9 semitones away and more: stability by chance",
                spacing_semitones=FAR_SEMITONES),
        _column("containment", "Pitches", "stability of pitches", "pitch"),
        _column("containment", "Chords", "stability of chords", "chord"),
    ),
    findings=each_stage("stability", _stability),
    figures=partial(_figures_of, "stability"),
    panels={("containment_profile", "partial among 4 at -20 dBFS"): "stability of partials"},
)  # fmt: skip
ACCESS = Chapter(
    "access",
    question="Can it be read?",
    answer=ANSWERS["access"],
    columns=(
        *(
            _column("auc", f"{order.capitalize()}, {density}",
                    f"AUC of {order} readouts of partials, in mixtures of {density}",
                    is_main=density == USUAL, order=order, density=density)
            for order in ("linear", "quadratic") for density in (USUAL, DENSE)
        ),
        _column("auc", "Pitches", "AUC of linear readouts of pitches, in mixtures of 5", "pitch",
                order="linear", density=USUAL),
        _column("auc", "Chords", "AUC of linear readouts of chords", "chord", order="linear", density=CHORDS),
    ),
    findings=each_stage("access", _access),
    figures=partial(_figures_of, "access"),
    panels={
        ("auc_profile", f"partial among 4 at -20 dBFS, {order}, density 5"): f"AUC, {order}"
        for order in ("linear", "quadratic")
    },
)  # fmt: skip
PLACE = Chapter(
    "place",
    question="Has it a place?",
    answer=ANSWERS["place"],
    columns=(
        _column("place", "Place", "the same few channels answer to a partial: 1; not: 0", is_main=True),
        _column("locality", "Locality", "how few channels hold a partial's trace, against rotated ones"),
        _column("consistency", "Consistency", "how much more alike its channels are in two contexts than "
                "different partials' are"),
        _column("place", "Pitches", "place of pitches", "pitch"),
        _column("place", "Chords", "place of chords", "chord"),
    ),
    findings=each_stage("place", _place),
    figures=partial(_figures_of, "place"),
    panels={("place_profile", "partial among 4 at -20 dBFS"): "place of partials"},
)  # fmt: skip
CHAPTERS = (PRESENCE, STABILITY, ACCESS, PLACE)
