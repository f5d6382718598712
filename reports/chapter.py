"""What a chapter is: what a page says of one probe, in numbers, sentences, figures and sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from ..probes.engine.probe import Probe
from ..probes.engine.variable import STAGE
from .answers import Answer
from .audio import Sounds
from .columns import Column, measured
from .figures import Illustration
from .runs import Subject
from .selecting import stages_of
from .writing import enumerated, spelled

Sentences = Iterable[str]
Illustrations = Iterable[Illustration]


@dataclass(frozen=True)
class Chapter:
    """What a page says of one probe; whatever it leaves out is not on the page.

    Parameters
    ----------
    probe : str
        Name of the probe.
    title : str
        By default the probe's name in words.
    question : str
        What the chapter answers, in plain words.
    columns : tuple of Column
        Of its table: a row a subject and stage, or a row a subject where a result has no stages.
    answer : callable
        (subject) -> what the page says of it first, and None where there is nothing to say.
    about : callable
        (subject) -> sentences: what was played, above the figures.
    findings : callable
        (subject) -> sentences: what was found, beside random networks.
    cautions : callable
        (result at a stage) -> sentences without a full stop: what the numbers do not show. Of a result
        without stages it gets all.
    figures : callable
        (subject, controls) -> illustrations; only what there are data for.
    figures_of_controls, figures_of_several : callable
        (subjects) -> illustrations of all controls together, of all encoders of a page side by side.
    sounds : callable
        (result) -> what can be heard, below the figures.
    panels : mapping of (str, str) to str
        Panels in the figure of two runs that are compared: (variable, where) -> what it is called.
    """

    probe: str
    title: str = ""
    question: str = ""
    columns: tuple[Column, ...] = ()
    answer: Callable[[Subject], Answer | None] = lambda subject: None
    about: Callable[[Subject], Sentences] = lambda subject: ()
    findings: Callable[[Subject], Sentences] = lambda subject: ()
    cautions: Callable[[xr.Dataset], Sentences] = lambda one: ()
    figures: Callable[[Subject, Sequence[Subject]], Illustrations] = lambda subject, controls: ()
    figures_of_controls: Callable[[Sequence[Subject]], Illustrations] = lambda controls: ()
    figures_of_several: Callable[[Sequence[Subject]], Illustrations] = lambda encoders: ()
    sounds: Callable[[xr.Dataset], Sounds | None] = lambda result: None
    panels: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", spelled(self.probe))


def each_stage(
    probe: str, say: Callable[[Subject, xr.Dataset, str], Sentences]
) -> Callable[[Subject], Sentences]:
    """Return findings that say something of every stage at which there is something to say.

    Parameters
    ----------
    probe : str
    say : callable
        (subject, result, stage) -> sentences.
    """

    def findings(subject: Subject) -> Sentences:
        if (result := subject.result(probe)) is None:
            return
        for stage in stages_of(result):
            if said := " ".join(say(subject, result, stage)):
                yield f"{stage}: {said}"

    return findings


def first_finding(findings: Callable[[Subject], Sentences]) -> Callable[[Subject], Answer | None]:
    """Return what answers by the first of some findings, where no number stands for all."""

    def answer(subject: Subject) -> Answer | None:
        said = next(iter(findings(subject)), "")
        return Answer("", said, said.rstrip(".")) if said else None

    return answer


def default_chapter(probe: Probe) -> Chapter:
    """Return the chapter of a probe that has none: its question, and the numbers of its variables.

    Of a variable with further dimensions the mean over them stands in the table.
    """
    columns = []
    for name, variable in probe.variables.items():
        over = [dim for dim in variable.dims if dim not in ("stage", "level")]
        if name in STAGE or name in variable.dims:
            continue  # it describes the stage, or is a coordinate
        units = "" if variable.units == "1" else f" ({variable.units})"
        means = f", mean over {enumerated(over)}" if over else ""
        columns.append(
            measured(name, f"{variable.long_name}{units}", f"{name}{means}", "number", np.mean, at_codes=True)
        )
    return Chapter(
        probe.name, question=probe.question, columns=tuple(columns), about=lambda subject: (probe.question,)
    )
