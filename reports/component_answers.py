"""Answers about components: where in frequency one is there, keeps its trace, is readable, has a place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from . import patterns
from .answers import SAME_SCALE, Answer, Scale, at, network_words, yardstick
from .columns import has_power
from .estimates import (
    ABOVE_CHANCE,
    AT_CEILING,
    AT_CHANCE,
    BARELY_ABOVE,
    NO_ROOM,
    UNDECIDED,
    Estimate,
    standing,
)
from .figures.composition.questions import KINDS, MEASURES, Measure
from .patterns import Pattern, Words
from .runs import Subject
from .selecting import answers, place_of_answers, stages_of
from .writing import capitalised, enumerated, in_words

QUESTIONS = ("presence", "stability", "access", "place")
HALF_WAY = 0.5  # from chance to certainty: where the hypotheses have their thresholds too
PLURAL = {"is": "are", "has": "have", "keeps": "keep", "leaves": "leave", "its": "their"}
Profile = Callable[[Subject, xr.DataTree, str], Pattern | None]  # of a subject's tree, or a baseline's


@dataclass(frozen=True)
class ComponentQuestion:
    """A question about components, and the words in which it is answered.

    Parameters
    ----------
    probe : str
    measures : tuple of str
        Of `figures.composition.questions.MEASURES`; of several that which reads best stands.
    predicates : mapping of str to str
        Where a number stands between chance and ceiling -> what a component does: "is there in part".
    yes, no, it_does, it_does_not : str
        What it does where a frequency lies beyond half-way, as in `patterns.Words`, without the subject.
    networks_do : str
        What random networks do with it: "keep it".
    useless, perfect : str
        What the two ends of the scale are.
    """

    probe: str
    measures: tuple[str, ...]
    predicates: Mapping[str, str]
    yes: str
    no: str
    it_does: str
    it_does_not: str
    networks_do: str
    useless: str
    perfect: str


def stage_of(result: xr.Dataset) -> str:
    """Return the stage that answers are about: the latent, or else the deepest that has power."""
    stages = stages_of(result)
    deep = [stage for stage in stages if not stage or has_power(result, stage)]
    return "latent" if "latent" in deep else (deep or stages)[-1]


def answer(question: ComponentQuestion, subject: Subject) -> Answer | None:
    """Answer a question about components of one encoder; None where it holds no number."""
    result = subject.result(question.probe)
    if result is None:
        return None
    stage = stage_of(result)
    kind = next((kind for kind in KINDS if place_of_answers(result, kind) is not None), "")
    measure = _best(question, result, stage, kind)
    own = measure.of(result, stage, kind)
    if not kind or not own.is_there:
        return None
    among = _among(result, kind)
    chance = _chance(measure, result, stage, kind)
    pattern = profile(question, subject.tree, stage, measure) if kind == "partial" else None
    if pattern is not None and len(pattern.holds):
        words = Words(
            f"{among} {question.yes}", f"{among} {question.no}", question.it_does, question.it_does_not
        )
        said, clause = patterns.sentence(pattern, words), patterns.clause(pattern)
        comma = "," if said.startswith(("up to", "it is open")) else ""
        sentence = f"{at(stage)}{comma} {said}."
        networks, random = _random_patterns(question, subject, stage, measure)
    else:
        sentence = f"{at(stage)} {among} {question.predicates[standing(own, chance)]} ({own})."
        clause, networks, random = str(own), "", ""
    more = {KINDS[k][0]: measure.of(result, stage, k) for k in KINDS if k != kind}
    more = {name: one for name, one in more.items() if one.is_there}
    sentence += _of_others(question, measure, result, stage, more) + networks
    beside = {
        k: [measure.of(one, stage, kind) for one in several]
        for k, several in subject.by_kind(question.probe).items()
    }
    scale = Scale(min(chance.value, HALF_WAY), 1.0, question.useless, question.perfect)
    return Answer(stage, sentence, clause, random, own, scale, beside, more)


def profile(question: ComponentQuestion, tree: xr.DataTree, stage: str, measure: Measure) -> Pattern | None:
    """Return where over frequency a partial lies beyond half-way to certainty, of a subject or a baseline.

    A trace is a partial's own only if planes of another context also find the partial: where all traces are
    alike, each contains every other.
    """
    one = _partials(tree, question.probe, stage)
    if one is None:
        return None
    chance = float(one["chance"]) if "chance" in one else 0.5 if measure.variable == "auc" else 0.0
    pattern = _pattern(one, measure.variable, chance, dict(measure.labels))
    if question.probe != "stability" or pattern is None:
        return pattern
    found = _partials(tree, "presence", stage)
    if found is None:
        far = float(one["confusion"].isel(spacing_semitones=-1))  # what lies there by chance
        return _pattern(one, measure.variable, far, {})
    other = _pattern(found, "transferable", float(found["chance"]), {})
    alike = other is not None and len(other.holds) == len(pattern.holds)
    return pattern & other if alike and other is not None else pattern


def _partials(tree: xr.DataTree, probe: str, stage: str) -> xr.Dataset | None:
    result = tree[probe].to_dataset() if probe in tree.children else None
    one = answers(result)
    return one.sel(stage=stage) if one is not None and stage in one["stage"].values else None


def _pattern(one: xr.Dataset, variable: str, chance: float, labels: Mapping[str, object]) -> Pattern | None:
    names = [f"{variable}_profile_{end}" for end in ("low", "high")]
    if any(name not in one for name in names):
        return None
    low, high = (one[name].sel({k: v for k, v in labels.items() if k in one[name].dims}) for name in names)
    threshold = chance + HALF_WAY * (1 - chance)
    return Pattern.of(one["component_frequency"].values, low.values, high.values, threshold)


def _best(question: ComponentQuestion, result: xr.Dataset, stage: str, kind: str) -> Measure:
    """Return the measure that reads best: a readout of squares reads what a linear one cannot."""
    several = [MEASURES[name] for name in question.measures]
    if not kind:
        return several[0]
    return max(several, key=lambda one: np.nan_to_num(one.of(result, stage, kind).value, nan=-1.0))


def _chance(measure: Measure, result: xr.Dataset, stage: str, kind: str) -> Estimate:
    value = measure.chance(result, stage, kind)
    return Estimate(value, value, value)


def _among(result: xr.Dataset, kind: str) -> str:
    """Name a component with what sounds beside it."""
    one = answers(result, kind)
    others = int(one["density"]) if one is not None and np.ndim(one["density"]) == 0 else 0
    return f"a {kind}" + (f" among {in_words(others)} other{'s' * (others > 1)}" if others else "")


def _of_others(
    question: ComponentQuestion,
    measure: Measure,
    result: xr.Dataset,
    stage: str,
    more: Mapping[str, Estimate],
) -> str:
    """Say the same of pitches and chords."""
    said: dict[str, list[str]] = {}
    for kind, (name, *_) in KINDS.items():
        if name in more:
            stands = standing(more[name], _chance(measure, result, stage, kind))
            said.setdefault(_plural(question.predicates[stands]), []).append(name)
    whole = "; ".join(f"{enumerated(names)} {does}" for does, names in said.items())
    return f" {capitalised(whole)}." if whole else ""


def _plural(predicate: str) -> str:
    return " ".join(PLURAL.get(word, word) for word in predicate.split(" "))


def _random_patterns(
    question: ComponentQuestion, subject: Subject, stage: str, measure: Measure
) -> tuple[str, str]:
    """Say where random networks do it: a sentence, and a clause."""
    found = {
        kind: [
            pattern
            for tree in subject.drawn(kind)
            if (pattern := profile(question, tree, stage, measure)) is not None and len(pattern.holds)
        ]
        for kind in SAME_SCALE
    }
    if not (kind := yardstick(found)):
        return "", ""
    who, where = network_words(kind, len(found[kind])), patterns.shared(found[kind])
    return f" {capitalised(who)} {question.networks_do} {where}.", f"{who}: {where}"


def several(question: Sequence[ComponentQuestion]) -> dict[str, Callable[[Subject], Answer | None]]:
    """Return what answers each question, by probe."""
    return {one.probe: (lambda subject, one=one: answer(one, subject)) for one in question}


PRESENT = {
    AT_CEILING: "is there", ABOVE_CHANCE: "is there in part", BARELY_ABOVE: "is barely there",
    AT_CHANCE: "is not there", UNDECIDED: "may or may not be there", NO_ROOM: "is there by chance",
}  # fmt: skip
STABLE = {
    AT_CEILING: "keeps its trace", ABOVE_CHANCE: "keeps its trace in part",
    BARELY_ABOVE: "barely keeps a trace of its own", AT_CHANCE: "keeps no trace of its own",
    UNDECIDED: "may or may not keep a trace of its own", NO_ROOM: "leaves the trace that all others leave",
}  # fmt: skip
READABLE = {
    AT_CEILING: "can be read", ABOVE_CHANCE: "can be read in part", BARELY_ABOVE: "can barely be read",
    AT_CHANCE: "cannot be read", UNDECIDED: "may or may not be readable", NO_ROOM: "can be read by chance",
}  # fmt: skip
PLACED = {
    AT_CEILING: "has a place", ABOVE_CHANCE: "has a place in part", BARELY_ABOVE: "barely has a place",
    AT_CHANCE: "has no place", UNDECIDED: "may or may not have a place", NO_ROOM: "has a place by chance",
}  # fmt: skip
ANSWERS = several(
    (
        ComponentQuestion("presence", ("presence",), PRESENT, "is there", "is not there", "it is",
                          "it is not", "hold it", "guessing", "every one is found"),
        ComponentQuestion("stability", ("stability",), STABLE, "keeps its own trace",
                          "does not keep its own trace", "it does", "it does not", "keep it",
                          "no trace in common", "the same trace"),
        ComponentQuestion("access", ("linear", "quadratic"), READABLE, "can be read by a simple readout",
                          "cannot be read by a simple readout", "it can", "it cannot", "allow it",
                          "guessing", "never wrong"),
        ComponentQuestion("place", ("place",), PLACED, "has a place of its own", "has no place of its own",
                          "it has", "it has none", "give it one", "spread over all channels",
                          "a few channels of its own"),
    )
)  # fmt: skip
