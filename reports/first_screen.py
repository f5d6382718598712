"""The first screen: plain sentences, one figure, and a tile a question, before any table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..probes.run.registry import usual
from .answers import Answer, together
from .chapter import Chapter
from .component_answers import QUESTIONS
from .figures import Illustration
from .figures.run.answer import REFERENCE, answer_over_frequency
from .page import Section, pictured
from .runs import Subject
from .tiles import tile_of
from .verdicts import claims_sentence
from .writing import enumerated

MOST_SENTENCES = 6
FIRST = (  # questions in the order in which the first screen answers them; others follow as chapters do
    "stability", "presence", "access", "place", "aliasing", "selectivity",
)  # fmt: skip

CHOOSING = ("--probes", "--preset", "--out", "-o")  # options that choose what is asked, and where it goes

Answers = Mapping[str, Mapping[str, Answer]]  # by probe, then by the encoder's name


def first_screen(
    encoders: Sequence[Subject], controls: Sequence[Subject], chapters: Sequence[Chapter], lead: str, dpi: int
) -> Section:
    """Gather what a page says first.

    Parameters
    ----------
    encoders, controls : sequence of Subject
    chapters : sequence of Chapter
        Of what was measured.
    lead : str
        Who was measured with what.
    dpi : int
        Of a figure that is no SVG.
    """
    answers = answers_of(encoders, chapters)
    questions = {chapter.probe: chapter.question for chapter in chapters}
    tiles = [
        tile
        for probe, by_name in answers.items()
        if (tile := tile_of(f"#c-{probe}", questions[probe], by_name)) is not None
    ]
    pictures = [
        pictured(drawn, "first", dpi, look)
        for columns, look in ((4, "wide"), (2, "narrow"))
        if (drawn := _figure(encoders, controls, columns)) is not None
    ]
    return Section(
        "answer",
        "What was found",
        sentences=sentences(encoders, chapters, answers),
        closing=" ".join([lead, *not_requested(encoders, chapters)]),
        sections=[Section(pictures=pictures), Section(tiles=tiles)],
        is_panel=True,
    )


def answers_of(encoders: Sequence[Subject], chapters: Sequence[Chapter]) -> Answers:
    """Return what chapters answer about each encoder, in the order of the first screen."""
    order = {probe: i for i, probe in enumerate(FIRST)}
    found: dict[str, dict[str, Answer]] = {}
    for chapter in sorted(chapters, key=lambda one: order.get(one.probe, len(order))):
        for encoder in encoders:
            if (answer := chapter.answer(encoder)) is not None:
                found.setdefault(chapter.probe, {})[encoder.name] = answer
    return found


def sentences(encoders: Sequence[Subject], chapters: Sequence[Chapter], answers: Answers) -> list[str]:
    """Write three to six sentences: one a question, and what became of the claims; fewer of fewer probes.

    A page on which nothing answers says so.
    """
    questions = {chapter.probe: chapter.question for chapter in chapters}
    judged = {one.name: said for one in encoders if (said := claims_sentence(one))}
    most = MOST_SENTENCES - (1 if judged else 0)
    found = [together(questions[probe], by_name) for probe, by_name in list(answers.items())[:most]]
    if len(encoders) == 1:
        found += judged.values()
    elif judged:
        found.append(" ".join(f"{name}: {said}" for name, said in judged.items()))
    return found or ["Nothing that was measured answers a question by itself; the chapters show it."]


def not_requested(encoders: Sequence[Subject], chapters: Sequence[Chapter]) -> Iterator[str]:
    """Name what was not requested, with the command that does, and what could not be measured, and why."""
    refused = {one.name: one.refused for one in encoders if one.refused}
    for reason in dict.fromkeys(refused.values()):
        who = [name for name, other in refused.items() if other == reason]
        of = f" of {enumerated(who)}" if len(encoders) > 1 else ""
        yield f"Could not be measured{of}: {reason}."
    reasons = " ".join(refused.values())
    there = {chapter.probe for chapter in chapters}
    modalities = dict.fromkeys(one.modality for one in encoders)
    left = [
        probe.name
        for modality in modalities
        for probe in usual(modality)
        if probe.name not in there and f"{probe.name}:" not in reasons
    ]
    if left:
        them = "them" if len(left) > 1 else "it"
        yield (
            f"Not requested: {enumerated([name.replace('_', ' ') for name in left])}; "
            f"“{command_for_all(encoders)}” asks {them} too."
        )


def command_for_all(encoders: Sequence[Subject]) -> str:
    """Return what asks everything of encoders: the command that measured them, without what chose probes."""
    words = iter(str(encoders[0].tree.root.attrs["command"]).split())
    program, command = next(words, ""), next(words, "")
    if program == "tonotopy" and command in ("probe", "latents"):
        kept = [program, command]
        for word in words:
            if word in CHOOSING:
                next(words, "")
            elif word.partition("=")[0] not in CHOOSING:
                kept.append(word)
        return " ".join([*kept, "--out", "all.zarr"])
    names = list(dict.fromkeys(one.encoder for one in encoders))
    if program == "tonotopy":  # which has others in the box
        return f"tonotopy probe {' '.join(names)} --out all.zarr"
    return 'tonotopy.probe(..., "all.zarr")'


def _figure(encoders: Sequence[Subject], controls: Sequence[Subject], columns: int) -> Illustration | None:
    """Draw the answer over frequency, where partials were measured."""

    def of(subject: Subject) -> dict[str, object]:
        return {probe: found for probe in QUESTIONS if (found := subject.result(probe)) is not None}

    own = {one.name: of(one) for one in encoders}
    beside = {one.name: {probe: one.by_kind(probe) for probe in QUESTIONS} for one in encoders}
    reference = next((of(one) for one in controls if one.encoder == REFERENCE), None)
    return answer_over_frequency(own, beside, reference, columns)  # type: ignore[arg-type]
