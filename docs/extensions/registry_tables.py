"""Directives whose content is made and not typed: answers, claims, presets, variables, verdicts, pictures."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

MATRIX = Path(__file__).parents[1] / "known_truths.md"
RECORDED = MATRIX.parent / "recorded"
ROW = re.compile(r"^\| (\w+) \| (.+?) \| (.+?) \| (.+?) \| (yes|✗ no) \|$")


def measured_answers() -> dict[tuple[str, str, str], str]:
    """Read what controls gave from the recorded matrix, by encoder, probe and what is known."""
    found, encoder = {}, ""
    for line in MATRIX.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            encoder = line[3:]
        elif row := ROW.match(line):
            probe, what, _, value, _ = row.groups()
            found[encoder, probe, what] = value
    return found


def short(value: str) -> str:
    """Write a measured value to three digits; what is nothing but rounding, as 0."""
    try:
        number = float(value)
    except ValueError:
        return value
    return "0" if abs(number) < 1e-5 else f"{number:.3g}"


class Table(SphinxDirective):
    """A directive that writes Markdown and has it parsed where it stands."""

    required_arguments = 1
    final_argument_whitespace = True

    def lines(self) -> list[str]:
        """Return the Markdown."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the lines as if they stood in the page."""
        from docutils.statemachine import StringList

        container = nodes.container()
        container.document = self.state.document
        self.state.nested_parse(StringList(self.lines(), self.env.docname), self.content_offset, container)
        return container.children


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Write a table in Markdown."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(headings), line(["---"] * len(headings)), *map(line, rows), ""]


class KnownAnswers(Table):
    """What controls must give under one probe, and what they gave: `{known-answers} presence`.

    With `:by: encoder` encoders are rows and quantities columns; otherwise an answer is a row.
    """

    option_spec: ClassVar = {
        "by": directives.unchanged,
        "only": directives.unchanged,  # words that `what` has to hold, apart by commas
    }

    def lines(self) -> list[str]:
        """Return the Markdown."""
        from tonotopy.probes.run.registry import named

        wanted = [w.strip() for w in self.options.get("only", "").split(",")]
        recorded = measured_answers()
        known = [
            (k.control, k.what, k.text, recorded.get((k.control, probe.name, k.what), "–"))
            for probe in named(tuple(self.arguments[0].split()))
            for k in probe.known
            if any(word in k.what for word in wanted)
        ]
        if not known:
            raise self.error(f"nothing is known of {self.arguments[0]}")
        if self.options.get("by") != "encoder":
            rows = [(f"`{c}`", what, text, short(value)) for c, what, text, value in known]
            return table(("encoder", "what", "must be", "measured"), rows)
        whats = list(dict.fromkeys(what for _, what, _, _ in known))
        cells = {(c, what): f"{short(value)} ({text})" for c, what, text, value in known}
        controls = dict.fromkeys(c for c, _, _, _ in known)
        rows = [(f"`{c}`", *(cells.get((c, what), "") for what in whats)) for c in controls]
        return table(("encoder", *whats), rows)


class Claims(Table):
    """Hypotheses that rest on some probes, or belong to a family: `{claims} presence stability`."""

    option_spec: ClassVar = {"family": directives.flag, "sentence": directives.flag}

    def lines(self) -> list[str]:
        """Return the Markdown."""
        from tonotopy.probes import HYPOTHESES

        given = self.arguments[0]
        if "family" in self.options:
            chosen = [h for h in HYPOTHESES if h.family == given]
        else:
            chosen = [h for h in HYPOTHESES if h.group in given.split()]
        if not chosen:
            raise self.error(f"no hypothesis of {given}")
        if "sentence" in self.options:
            rows = [
                (f"`{h.name}`", f"“{h.claim}”", "yes" if h.source_expects == "supported" else "no", h.group)
                for h in chosen
            ]
            return table(("hypothesis", "sentence of the source", "the source says it holds", "probe"), rows)
        rows = [(f"`{h.name}`", f"`{h.stage}`", h.statement, rule(h), h.justification) for h in chosen]
        return table(("hypothesis", "stage", "what is measured", "holds if", "why this threshold"), rows)


def rule(hypothesis: object) -> str:
    """Write where an effect lies if a hypothesis holds."""
    holds, threshold = hypothesis.holds, hypothesis.threshold  # type: ignore[attr-defined]
    return f"within ± {threshold:.3g}" if holds == "within" else f"{holds} {threshold:.3g}"


class VerdictsFound(Table):
    """Verdicts that `docs/record.py` recorded, under the command that they come from."""

    def lines(self) -> list[str]:
        """Return the Markdown."""
        path = RECORDED / f"{self.arguments[0]}.csv"
        self.env.note_dependency(str(path))
        if not path.is_file():
            return [
                f"Nothing was recorded: `python docs/record.py RUN {self.arguments[0]}` records a run.",
                "",
            ]
        first, *rest = path.read_text(encoding="utf-8").splitlines()
        found = list(csv.DictReader(rest))
        encoders = list(dict.fromkeys(row["of"] for row in found))
        rows = []
        for name in dict.fromkeys(row["hypothesis"] for row in found):
            cells = []
            for encoder in encoders:
                about = [row for row in found if (row["hypothesis"], row["of"]) == (name, encoder)]
                cells += [trained(about), untrained(about)]
            rows.append((f"`{name}`", *cells))
        headings = [text for e in encoders for text in (f"`{e}`", "random networks")]
        return [f"From `{first[2:]}`:", "", *table(("hypothesis", *headings), rows)]


def trained(rows: Sequence[Mapping[str, str]]) -> str:
    """Write the verdict on an encoder, with effect and interval."""
    own = next((row for row in rows if not row["kind"]), None)
    if own is None:
        return "–"
    if own["effect"] == "nan":
        return own["verdict"]
    effect, low, high = (short(own[name]) for name in ("effect", "low", "high"))
    return f"{own['verdict']}: {effect} ({low} to {high})"


def untrained(rows: Sequence[Mapping[str, str]]) -> str:
    """Count the verdicts on random networks, by their kind; not those of which nothing was measured."""
    counted = Counter((row["kind"], row["verdict"]) for row in rows if row["kind"] and row["effect"] != "nan")
    return "; ".join(f"{kind}: {n} {verdict}" for (kind, verdict), n in counted.items()) or "–"


class FirstScreens(Table):
    """Pictures of a report's first screen by width, as far as `docs/pictures.py` has taken them."""

    def lines(self) -> list[str]:
        """Return the Markdown."""
        lines = []
        for width in self.arguments[0].split():
            path = MATRIX.parent / "pictures" / f"first_screen_{width}.png"
            self.env.note_dependency(str(path))
            if path.is_file():
                lines += [f"![First screen, {width} pixels wide](/pictures/{path.name}){{.first-screen}}", ""]
        return lines or ["No picture was taken yet.", ""]


class Variables(Table):
    """The variables of a probe's result, with dimensions and units: `{variables} presence`."""

    def lines(self) -> list[str]:
        """Return the Markdown."""
        from tonotopy.probes.run.registry import named

        (probe,) = named((self.arguments[0],))
        rows = [
            (f"`{name}`", ", ".join(one.dims) or "–", one.units if one.units != "1" else "–", one.long_name)
            for name, one in probe.variables.items()
        ]
        return table(("variable", "dimensions", "unit", "what"), rows)


class Asked(Table):
    """Which probes a preset asks, beside all that ask by themselves: `{preset} quick`."""

    def lines(self) -> list[str]:
        """Return the Markdown."""
        from tonotopy.probes.run.presets import DEFAULT, PRESETS
        from tonotopy.probes.run.registry import usual

        name = self.arguments[0]
        chosen = PRESETS[name].probes or {}
        rows = [
            (
                f"`{probe.name}`",
                probe.question,
                ", ".join(probe.asks_baselines) or "–",
                "not asked" if probe.name not in chosen else ", ".join(chosen[probe.name]) or "–",
            )
            for probe in usual("waveform")
        ]
        return table(("probe", "question", f"random networks in `{DEFAULT}`", f"in `{name}`"), rows)


class Published(Table):
    """Published models by name, with the licence of their weights: `{published}`."""

    required_arguments = 0

    def lines(self) -> list[str]:
        """Return the Markdown."""
        from tonotopy.encoders.families.known import KNOWN

        rows = [
            (f"`{row.name}`", row.family, str(row.sample_rate), str(row.hop), row.licence, row.source)
            for row in KNOWN
        ]
        return table(("name", "built as", "rate (Hz)", "hop", "licence of the weights", "from"), rows)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("known-answers", KnownAnswers)
    app.add_directive("claims", Claims)
    app.add_directive("first-screens", FirstScreens)
    app.add_directive("preset", Asked)
    app.add_directive("published", Published)
    app.add_directive("variables", Variables)
    app.add_directive("verdicts-found", VerdictsFound)
    return {"parallel_read_safe": True}
