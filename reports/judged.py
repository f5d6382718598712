"""Claims on a page: one line each, and what stands behind it."""

from __future__ import annotations

from collections.abc import Sequence

from ..probes.hypotheses.registry import registered
from .figures.hypotheses.verdicts import verdicts
from .page import Cell, Grid, Line, Section, pictured
from .runs import Subject
from .verdicts import VerdictRow, explained, random_verdicts, requested, verdict_rows, verdict_sentences

VERDICTS = (
    "Each claim is a hypothesis with a statistic, controls, a null and a threshold. It "
    "is supported or refuted where the corrected p is at most 0.05 and the 95 % interval lies on one side of "
    "the threshold, cannot be decided where so few units could never reach that p, and has no verdict where "
    "a control fails or something was not measured."
)


def claims_section(encoders: Sequence[Subject], dpi: int) -> Section | None:
    """Gather the verdicts about each encoder; None where nothing was judged.

    Parameters
    ----------
    encoders : sequence of Subject
    dpi : int
        Of a figure that is no SVG.
    """
    judged = [(i, one, found) for i, one in enumerate(encoders) if (found := requested(one)) is not None]
    parts = []
    for i, one, found in judged:
        rows = verdict_rows(one)
        beside = [seed.sel(hypothesis=found["hypothesis"].values) for seed in random_verdicts(one)]
        behind = [
            (f"{row.name} ({row.stage}): {row.verdict}" + (f" – {row.remark}" if row.remark else ""),
             explained(row))
            for row in rows
        ]  # fmt: skip
        parts.append(
            Section(
                title=one.name if len(judged) > 1 else "",
                sentences=verdict_sentences(one),
                grids=[_grid(i, one.name, rows, bool(beside))],
                pictures=[pictured(verdicts(found, beside, one.name), f"e{i}", dpi)],
                sections=[
                    Section(
                        folded="What each claim is: the sentence, what is measured, null, threshold, family, "
                        "controls, and what it cannot exclude",
                        opening=VERDICTS,
                        terms=behind,
                    )
                ],
            )
        )
    return Section("verdicts", "The claims", sections=parts) if parts else None


def _grid(number: int, name: str, rows: Sequence[VerdictRow], has_random: bool) -> Grid:
    """Tabulate verdicts; each links to the chapter that shows what it rests on."""
    groups = {one.name.replace("_", " "): one.group for one in registered()}
    headings = ["Claim", "Stage", "Verdict", "Effect (95 %)", "Holds if", "p"]
    headings += ["Random weights"] * has_random + ["Source says"]
    lines = []
    for row in rows:
        group = groups.get(row.name, "")
        verdict = Cell(row.verdict, is_strong=True)
        cells = [Cell(row.name, href=f"#c-{group}") if group else row.name, row.stage, verdict, row.effect,
                 row.threshold, row.p, *([row.random] if has_random else []), row.source_expects]  # fmt: skip
        lines.append(Line(cells, row.verdict.replace(" ", "-")))
    caption = f"Claims about {name}; p corrected over the family (Holm)"
    return Grid(caption, [(heading, "") for heading in headings], lines, "verdicts")
