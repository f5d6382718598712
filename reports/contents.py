"""What stands on a page: the answer, the claims, differences, then chapter by chapter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import xarray as xr

from ..probes.engine.schema import ROLES, run_name, short_hash, subjects
from ..probes.run.registry import registered
from ..probes.run.truths import Truth
from .audio import Sounds, clips
from .chapter import Chapter
from .chapters import chapter_of
from .estimates import BASELINES, baseline_label
from .figures.run.comparison import comparison
from .first_screen import first_screen
from .judged import claims_section
from .known_answers import HEADINGS, by_encoder, cells_of, checks, summed_up
from .numbers import Table, differing, side_by_side, table_of
from .page import Cell, Grid, Line, Section, pictured, render
from .runs import Subject, controls_of, named_apart, played_in
from .selecting import at_stage, stages_of
from .verdicts import GROUP
from .writing import counted, enumerated, hertz

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
        Of the figures that are no SVG.

    Returns
    -------
    page : str
        HTML.
    """
    encoders = named_apart(trees)
    controls = list({(c.name, c.layout): c for t in trees for c in controls_of(t).values()}.values())
    requested = {str(probe) for one in encoders for probe in one.tree.children}
    measured = requested | {str(probe) for one in controls for probe in one.tree.children}
    chapters = [chapter_of(probe) for probe in registered() if probe.name in requested]
    unknown = sorted(measured - {probe.name for probe in registered()} - {GROUP})
    lead = " ".join(_lead(tree, encoders) for tree in trees)
    sections = [
        first_screen(encoders, controls, chapters, lead, dpi),
        claims_section(encoders, dpi),
        _compared(encoders, chapters, dpi),
        *(_chapter(chapter, encoders, controls, dpi) for chapter in chapters),
        _reservations(encoders, chapters, unknown),
        _controls(controls, chapters, dpi),
        _stimuli(trees, encoders),
        _provenance(trees, encoders),
    ]
    title = f"What {enumerated([one.name for one in encoders])} represent{'s' * (len(encoders) == 1)}"
    return render(title, [one for one in sections if one is not None])


def _lead(tree: xr.DataTree, everybody: Sequence[Subject]) -> str:
    """Say who was measured, with what and beside whom."""
    encoders = [one for one in everybody if any(one.tree is child for child in tree.children.values())]
    controls = controls_of(tree)
    played = []
    for kind, table in played_in(tree).items():
        text = f"{table.sizes['stimulus']:,} {kind}"
        if kind == "partials":
            frequency = table["frequency_hz"].values
            text += f" from {hertz(frequency.min())} to {hertz(frequency.max())}"
        played.append(text)
    beside = []
    for kind in BASELINES:
        numbers = sorted({len(one.drawn(kind)) for one in encoders} - {0})
        if numbers:
            several = f"{numbers[0]} to {numbers[-1]} networks"
            count = several if len(numbers) > 1 else counted(numbers[0], "network")
            beside.append(f"{count} of {baseline_label(kind)}")
    beside += [counted(len(controls), "control")] if controls else []
    said = enumerated(
        [f"{one.name} ({', '.join([*one.layout, f'weights {short_hash(one.tree)}'])})" for one in encoders]
    )
    if (name := run_name(tree)) and name not in {one.name for one in encoders}:
        said = f"Run {name}: {said}"
    said += f", beside {enumerated(beside)}" if beside else ""
    said += f". Played: {enumerated(played)}" if played else ""
    return f"{said}. Measured {str(tree.attrs['created_at'])[:16].replace('T', ' ')}."


def _chapter(
    chapter: Chapter, encoders: Sequence[Subject], controls: Sequence[Subject], dpi: int
) -> Section | None:
    """Gather what a probe found of every encoder: sentences, figures, numbers, sounds; None without any."""
    table = table_of(chapter, encoders, controls)
    said = [s for one in encoders for s in _named(one, chapter.findings(one), encoders)]
    parts, about = [], []
    for i, one in enumerate(encoders):
        if (result := one.result(chapter.probe)) is None:
            continue
        about += _named(one, chapter.about(one), encoders)
        name = f"e{i}-{chapter.probe}"
        pictures = [pictured(drawn, name, dpi) for drawn in chapter.figures(one, controls)]
        title = one.name if len(encoders) > 1 and pictures else ""
        if pictures:
            parts.append(Section(name, title, pictures=pictures[:1]))
        if pictures[1:]:
            more = f"{counted(len(pictures) - 1, 'more figure')}{f' of {title}' if title else ''}"
            parts.append(Section(folded=more, pictures=pictures[1:]))
        if (sounds := chapter.sounds(result)) is not None:
            parts.append(Section(sounds=sounds))
    is_empty = not any(row.role == "encoder" for row in table.rows)
    if not said and not parts and is_empty:
        return None
    if not is_empty:
        explained = [(column.heading, column.explanation) for column in table.columns]
        marks = MARKS if any(one.drawn() for one in encoders) else ""
        grids = [_number_grid(chapter.title, table)]
        parts.append(Section(folded="All numbers", grids=grids, closing=marks, terms=explained))
    if about:
        parts.append(Section(folded="What was played", sentences=about))
    return Section(f"c-{chapter.probe}", chapter.title, chapter.question, said, sections=parts)


def _reservations(
    encoders: Sequence[Subject], chapters: Sequence[Chapter], unknown: Sequence[str]
) -> Section | None:
    """Gather what the numbers do not show."""
    said = [s for one in encoders for s in _named(one, cautions(one, chapters), encoders)]
    said += [f"{probe}: its plug-in is not installed here, what it found is left out." for probe in unknown]
    drawn = [(one, f"Baselines not drawn: {one.not_drawn}.") for one in encoders if one.not_drawn]
    said += [s for one, text in drawn for s in _named(one, [text], encoders)]
    return Section("reservations", "With reservations", sentences=said) if said else None


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
    """Set encoders side by side: what differs most first, then the figures."""
    if len(encoders) < 2:
        return None
    numbers = side_by_side(encoders, chapters)
    drawn = [comparison(numbers)] if numbers.sizes["encoder"] > 1 else []
    drawn += [one for chapter in chapters for one in chapter.figures_of_several(encoders)]
    pictures = [pictured(one, "compared", dpi) for one in drawn]
    lines = differing(numbers)
    headings = [("Measure", ""), ("Stage", ""), *((one.name, "") for one in encoders), ("Apart by", "")]
    grids = [Grid("What differs most, intervals apart", headings, [Line(row) for row in lines], "apart")]
    said = (
        "Where the 95 % intervals of two encoders do not meet, largest difference first."
        if lines
        else "No measure with an interval differs beyond it between these encoders."
    )
    if not drawn and not lines:
        return None
    return Section("compared", "Differences", said, grids=grids if lines else (), pictures=pictures)


def _controls(controls: Sequence[Subject], chapters: Sequence[Chapter], dpi: int) -> Section | None:
    """Gather what each control gave beside what it must give, and what controls draw together."""
    if not controls:
        return None
    truths = by_encoder(checks(controls))
    all_of_them = [truth for several in truths.values() for truth in several]
    opening = "What the same measurement gives where the answer is known beforehand."
    about = [f"{summed_up(all_of_them)}."] if all_of_them else []
    about += [f"{t.encoder}, {t.probe}: {t.known.what} does not hold." for t in all_of_them if not t.holds]
    parts = []
    for one in {control.name: control for control in controls}.values():
        said = [f"{note}."] if (note := one.tree.attrs["weights_note"]) else []
        said += [f"Not measured: {one.refused}."] if one.refused else []
        grids = [_truth_grid(one.name, truths[one.name])] if one.name in truths else []
        if said or grids:
            parts.append(Section(folded=one.name, sentences=said, grids=grids))
    drawn = [one for chapter in chapters for one in chapter.figures_of_controls(controls)]
    # what several controls draw may have the same name
    pictures = [pictured(one, f"c{i}", dpi) for i, one in enumerate(drawn)]
    parts += [Section(folded="Figures of the controls", pictures=pictures)] if pictures else []
    return Section("controls", "Controls", opening, about, sections=parts)


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
    return Section("stimuli", "Stimuli", STIMULI, sections=parts, folded="Listen to what is played")


def _provenance(trees: Sequence[xr.DataTree], encoders: Sequence[Subject]) -> Section:
    """Tell where each run came from."""
    grids = []
    weights = [
        f"Weights: {one.tree.attrs['weights_source']}. {one.tree.attrs['weights_note']}" for one in encoders
    ]
    said = [
        s.strip() for one, text in zip(encoders, weights, strict=True) for s in _named(one, [text], encoders)
    ]
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
    return Section(
        "provenance", "Provenance", sentences=said, grids=grids, folded="Settings, versions, weights"
    )


def _weights(role: str, attributes: Mapping[Any, Any]) -> str:
    source, sha256, note = (attributes[f"weights_{name}"] for name in ("source", "sha256", "note"))
    rate = f"{attributes['sample_rate']:,} Hz; " if "sample_rate" in attributes else ""
    said = f"{role}; {rate}weights: {source}" + f", SHA-256 {sha256}" * bool(sha256)
    return f"{said}; {note}" if note else said
