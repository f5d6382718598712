"""What stands on a page: chapter by chapter, for whatever subjects the runs hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import xarray as xr

from ..probes.engine.schema import ROLES, subjects
from ..probes.run.registry import registered
from ..probes.run.truths import Truth
from .audio import Sounds, clips
from .chapter import Chapter
from .chapters import chapter_of
from .figures.hypotheses.verdicts import verdicts
from .figures.run.comparison import comparison
from .known_answers import HEADINGS, by_encoder, cells_of, checks, summed_up
from .numbers import Table, side_by_side, table_of
from .page import Cell, Grid, Line, Section, pictured, render
from .runs import Subject, controls_of, encoders_of, named_apart, played_in
from .selecting import at_stage, stages_of
from .verdicts import GROUP, VerdictRow, explained, verdict_rows, verdict_sentences
from .writing import counted, enumerated, hertz

VERDICTS = (
    "Each claim of a source is a hypothesis with a statistic, controls, a null and a threshold. It "
    "is supported or refuted where the corrected p is at most 0.05 and the 95 % interval lies on one side of "
    "the threshold, cannot be decided where so few units could never reach that p, and has no verdict where "
    "a control fails or something was not measured."
)
MARKS = (
    "▲ above every random network, ▼ below every one; no mark: within their range, the same to the digits "
    "shown, or nothing to compare with. This is a range over a few draws, no test of significance. What "
    "random weights show as well is owed to the architecture, not to training."
)
STIMULI = (
    "A few of the sounds, rendered anew from the stored specification: one second, faded over 10 ms, at the "
    "level they were played at unless the label says otherwise. Partials are quiet on purpose; start softly."
)


def contents(trees: Sequence[xr.DataTree], dpi: int) -> str:
    """Write the page about some runs.

    Parameters
    ----------
    trees : sequence of xarray.DataTree
    dpi : int
        Of the figures.

    Returns
    -------
    page : str
        HTML.
    """
    encoders = named_apart(trees)
    controls = list({(c.name, c.layout): c for t in trees for c in controls_of(t).values()}.values())
    measured = {str(probe) for one in (*encoders, *controls) for probe in one.tree.children}
    chapters = [chapter_of(probe) for probe in registered() if probe.name in measured]
    unknown = sorted(measured - {chapter.probe for chapter in chapters} - {GROUP})
    names = list(dict.fromkeys(one.name for one in encoders))
    sections = [
        _judged(encoders, dpi),
        _first(encoders, controls, chapters, unknown),
        _compared(encoders, chapters, dpi),
        *(_encoder(f"e{i}", one, controls, chapters, dpi) for i, one in enumerate(encoders)),
        _controls(controls, chapters, dpi),
        _stimuli(trees, encoders),
        _provenance(trees),
    ]
    title = f"What {enumerated(names)} represent{'s' * (len(names) == 1)}"
    return render(title, [_lead(tree) for tree in trees], [one for one in sections if one is not None])


def _lead(tree: xr.DataTree) -> str:
    """Say who was measured, with what and beside whom."""
    encoders, controls = encoders_of(tree), controls_of(tree)
    played = []
    for kind, table in played_in(tree).items():
        text = f"{table.sizes['stimulus']:,} {kind}"
        if kind == "partials":
            frequency = table["frequency_hz"].values
            text += f" from {hertz(frequency.min())} to {hertz(frequency.max())}"
        played.append(text)
    seeds = sorted({len(one.drawn()) for one in encoders} - {0})
    several = f"{seeds[0]} to {seeds[-1]} random networks" if len(seeds) > 1 else ""
    beside = [several or counted(seeds[0], "random network")] if seeds else []
    beside += [counted(len(controls), "control")] if controls else []
    said = enumerated([f"{one.name} ({', '.join(one.layout)})" for one in encoders])
    said += f", beside {enumerated(beside)}" if beside else ""
    said += f". Played: {enumerated(played)}" if played else ""
    return f"{said}. Measured {str(tree.attrs['created_at'])[:16].replace('T', ' ')}."


def _judged(encoders: Sequence[Subject], dpi: int) -> Section | None:
    """Gather the verdicts about each encoder; runs that were not judged are left out."""
    judged = [
        (f"e{i}", one, found) for i, one in enumerate(encoders) if (found := one.result(GROUP)) is not None
    ]
    parts = []
    for name, one, found in judged:
        rows = verdict_rows(one)
        parts.append(
            Section(
                title=one.name if len(judged) > 1 else "",
                sentences=verdict_sentences(one),
                grids=[_verdict_grid(one.name, rows)],
                summary="What each hypothesis is: the source's sentence, what is measured, null, "
                "threshold, family, controls, and what it cannot exclude",
                terms=[
                    (
                        f"{row.name} ({row.stage}): {row.verdict}"
                        + (f" – {row.remark}" if row.remark else ""),
                        explained(row),
                    )
                    for row in rows
                ],
                pictures=[pictured(verdicts(found, one.of_baselines(GROUP), one.name), name, dpi)],
            )
        )
    return Section("verdicts", "Verdicts", VERDICTS, sections=parts, is_panel=True) if parts else None


def _verdict_grid(name: str, rows: Sequence[VerdictRow]) -> Grid:
    headings = ("Hypothesis", "Stage", "Verdict", "Effect (95 %)", "Holds if", "p", "Random weights",
                "Source says", "Agrees")  # fmt: skip
    lines = [
        Line(
            [row.name, row.stage, Cell(row.verdict, is_strong=True), row.effect, row.threshold, row.p,
             row.random, row.source_expects, row.agrees],
            row.verdict.replace(" ", "-"),
        )
        for row in rows
    ]  # fmt: skip
    caption = f"Verdicts about {name}; p corrected over the family (Holm)"
    return Grid(caption, [(heading, "") for heading in headings], lines, "verdicts")


def _first(
    encoders: Sequence[Subject],
    controls: Sequence[Subject],
    chapters: Sequence[Chapter],
    unknown: Sequence[str],
) -> Section | None:
    """Gather findings and numbers by chapter; what was measured of no encoder is left out."""
    parts, terms = [], []
    for chapter in chapters:
        table = table_of(chapter, encoders, controls)
        said = [s for one in encoders for s in _named(one, chapter.findings(one), encoders)]
        if not said and not any(row.role == "encoder" for row in table.rows):
            continue
        grids = [_number_grid(chapter.title, table)] if table.columns else []
        parts.append(Section(f"first-{chapter.probe}", chapter.title, sentences=said, grids=grids))
        if table.columns:
            terms.append(Section(terms=[(c.heading, c.explanation) for c in table.columns]))
    cautious = [s for one in encoders for s in _named(one, cautions(one, chapters), encoders)]
    cautious += [
        f"{probe}: its plug-in is not installed here, what it found is left out." for probe in unknown
    ]
    parts += [Section(closing=MARKS)] if any(one.drawn() for one in encoders) else []
    parts += [Section("", "With reservations", sentences=cautious)] if cautious else []
    parts += [Section("", "What the columns are", sections=terms)] if terms else []
    return Section("first", "Read this first", sections=parts, is_panel=True) if parts else None


def _named(one: Subject, sentences: Iterable[str], encoders: Sequence[Subject]) -> list[str]:
    """Put an encoder's name before what is said of it, where there are several."""
    return [f"{one.name} – {s}" if len(encoders) > 1 else s for s in sentences]


def _number_grid(title: str, table: Table) -> Grid:
    are_several = len({row.subject for row in table.rows if row.role == "encoder"}) > 1
    roles = {row.role for row in table.rows}
    caption = f"{title}. {'Encoders side by side' if are_several else 'The encoder'}"
    caption += " at its stages" if table.has_stages and not are_several else ""
    drawn = [row.subject for row in table.rows if row.role == "baseline"]
    what = "random weights" if all(one.startswith("random") for one in drawn) else "baselines"
    caption += f", {what} as lowest to highest over seeds" if drawn else ""
    caption += ", controls below" if "control" in roles else ""
    headings = [("Who", ""), *([("Stage", "")] if table.has_stages else [])]
    headings += [(column.heading, column.explanation) for column in table.columns]
    lines = [
        Line([row.subject, *([row.stage] if table.has_stages else []), *row.cells], row.role)
        for row in table.rows
    ]
    return Grid(caption, headings, lines, "numbers staged" if table.has_stages else "numbers")


def cautions(one: Subject, chapters: Iterable[Chapter]) -> Iterator[str]:
    """Yield what the numbers of an encoder do not show, once where several probes say the same."""
    said = []
    for chapter in chapters:
        if (result := one.result(chapter.probe)) is None:
            continue
        for stage in stages_of(result):
            at = at_stage(result, stage) if stage else result
            if "settled" in at and not bool(at["settled"].values):
                said.append(f"{stage} reached no steady state: its numbers are of the last frames measured.")
            said += [f"{stage}: {text}." if stage else f"{text}." for text in chapter.cautions(at)]
    yield from dict.fromkeys(said)


def _compared(encoders: Sequence[Subject], chapters: Sequence[Chapter], dpi: int) -> Section | None:
    if len(encoders) < 2:
        return None
    numbers = side_by_side(encoders, chapters)
    drawn = [comparison(numbers)] if numbers.sizes["encoder"] > 1 else []
    drawn += [one for chapter in chapters for one in chapter.figures_of_several(encoders)]
    about = ["Every encoder beside its own random networks, stage by stage."]
    pictures = [pictured(one, "compared", dpi) for one in drawn]
    return Section("compared", "Side by side", sentences=about, pictures=pictures) if drawn else None


def _encoder(
    name: str, one: Subject, controls: Sequence[Subject], chapters: Sequence[Chapter], dpi: int
) -> Section:
    """Gather the figures and sounds of an encoder by chapter."""
    about = [f"Weights: {one.tree.attrs['weights_source']}. {one.tree.attrs['weights_note']}".strip()]
    about += [sentence for chapter in chapters for sentence in chapter.about(one)]
    about += [f"Not measured: {one.refused}."] if one.refused else []
    about += [f"Baselines not drawn: {one.not_drawn}."] if one.not_drawn else []
    parts = []
    for chapter in chapters:
        if (result := one.result(chapter.probe)) is not None:
            part = f"{name}-{chapter.probe}"
            pictures = [pictured(drawn, part, dpi) for drawn in chapter.figures(one, controls)]
            if pictures:
                sounds = chapter.sounds(result)
                parts.append(Section(part, chapter.title, pictures=pictures, sounds=sounds))
    return Section(f"encoder-{name}", one.name, sentences=about, sections=parts)


def _controls(controls: Sequence[Subject], chapters: Sequence[Chapter], dpi: int) -> Section | None:
    """Gather what each control gave beside what it must give, and what controls draw together."""
    if not controls:
        return None
    truths = by_encoder(checks(controls))
    all_of_them = [truth for several in truths.values() for truth in several]
    about = ["What the same measurement gives where the answer is known beforehand."]
    about += [f"{summed_up(all_of_them)}."] if all_of_them else []
    about += [f"{t.encoder}, {t.probe}: {t.known.what} does not hold." for t in all_of_them if not t.holds]
    about.append("Their numbers stand in the tables at the top.")
    parts = []
    for one in {control.name: control for control in controls}.values():
        said = [f"{note}."] if (note := one.tree.attrs["weights_note"]) else []
        said += [f"Not measured: {one.refused}."] if one.refused else []
        grids = [_truth_grid(one.name, truths[one.name])] if one.name in truths else []
        if said or grids:
            parts.append(Section(title=one.name, sentences=said, grids=grids))
    drawn = [one for chapter in chapters for one in chapter.figures_of_controls(controls)]
    # what several controls draw may have the same name
    parts.append(Section(pictures=[pictured(one, f"c{i}", dpi) for i, one in enumerate(drawn)]))
    return Section("controls", "Controls", sentences=about, sections=parts)


def _truth_grid(control: str, truths: Sequence[Truth]) -> Grid:
    lines = []
    for truth in truths:
        *cells, holds = cells_of(truth)
        lines.append(Line([*cells, holds if truth.holds else Cell(holds, "flag")]))
    caption = f"{control}: known answers beside what was measured"
    return Grid(caption, [(heading, "") for heading in HEADINGS], lines, "checks")


def _stimuli(trees: Sequence[xr.DataTree], encoders: Sequence[Subject]) -> Section | None:
    played = {kind: table for tree in reversed(trees) for kind, table in played_in(tree).items()}
    rates = [one.sample_rate for one in encoders if one.sample_rate]
    if not played or not rates:
        return None
    parts = [
        Section("", kind.capitalize(), sounds=Sounds("", clips(table, min(rates))))
        for kind, table in played.items()
    ]
    return Section("stimuli", "Stimuli", STIMULI, sections=parts)


def _provenance(trees: Sequence[xr.DataTree]) -> Section:
    """Tell where each run came from."""
    grids = []
    for i, tree in enumerate(trees):
        run = f"Run {i + 1}" if len(trees) > 1 else "Run"
        about = [[str(name).replace("_", " "), str(value)] for name, value in tree.attrs.items()]
        about += [[f"{kind}, SHA-256", str(t.attrs["sha256"])] for kind, t in played_in(tree).items()]
        who = [
            [node, _weights(role, child.attrs)]
            for role in ROLES
            for node, child in subjects(tree, role).items()
        ]
        grids += [
            Grid(caption, (), [Line(cells) for cells in rows], "facts")
            for caption, rows in ((run, about), (f"{run}: who was measured", who))
        ]
    return Section("provenance", "Provenance", grids=grids)


def _weights(role: str, attributes: Mapping[Any, Any]) -> str:
    source, sha256, note = (attributes[f"weights_{name}"] for name in ("source", "sha256", "note"))
    rate = f"{attributes['sample_rate']:,} Hz; " if "sample_rate" in attributes else ""
    said = f"{role}; {rate}weights: {source}" + f", SHA-256 {sha256}" * bool(sha256)
    return f"{said}; {note}" if note else said
