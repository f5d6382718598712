"""Tables for the terminal: hypotheses, their verdicts, and what differs between two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import xarray as xr
from rich.table import Table

from ...probes.engine.outputs import fresh
from ...probes.engine.schema import subjects
from ...probes.engine.store import ZARR_FORMAT
from ...probes.hypotheses.admission import complaints
from ...probes.hypotheses.hypothesis import Hypothesis
from ...probes.run.compare import at_a_glance
from ...probes.run.truths import Truth
from .. import ports
from ..chapters import panels
from ..figures.hypotheses.differences import differences
from ..known_answers import HEADINGS, by_encoder, cells_of, summed_up
from ..runs import Subject
from ..verdicts import sided, verdict_rows, verdict_sentences
from ..writing import DASH
from .terminal import wide_console

PICTURE_DPI = 144


def show_hypotheses(hypotheses: Sequence[Hypothesis]) -> None:
    """List hypotheses: what is measured where, against what, and what the source says."""
    console = wide_console()
    table = Table("hypothesis", "stage", "what is measured", "holds if", "controls must be", "source says")
    for one in hypotheses:
        said = [f"{c.encoder} {c.bounds}" for c in one.controls]
        said += [f"{name} supported" for name in one.positive] + [f"{name} refuted" for name in one.negative]
        holds = sided(one.holds, one.threshold)
        table.add_row(
            f"{one.name}\n({one.family})", one.stage, _measured(one), holds, "\n".join(said),
            one.source_expects, end_section=True,
        )  # fmt: skip
    console.print(table)


def _measured(one: Hypothesis) -> str:
    return one.statement + (f"; not excluded: {one.alternative}" if one.alternative else "")


def show_admission(run: xr.DataTree, hypotheses: Sequence[Hypothesis], seed: int) -> None:
    """List which hypotheses get encoders of known truth right, as far as a run holds them."""
    known = {str(subject.attrs["encoder"]) for subject in subjects(run).values()}
    table = Table("hypothesis", "must be supported", "must be refuted", "admitted", title="Admission")
    for one in hypotheses:
        positive, negative = (tuple(n for n in names if n in known) for names in (one.positive, one.negative))
        if positive or negative:
            wrong = complaints(replace(one, positive=positive, negative=negative), run, seed)
            missing = [name for name in (*one.positive, *one.negative) if name not in known]
            said = "; ".join(["no", *wrong]) if wrong else "as far as tried" if missing else "yes"
            said += f" (not in this run: {', '.join(missing)})" if missing else ""
            table.add_row(
                one.name, "\n".join(positive) or DASH, "\n".join(negative) or DASH, said, end_section=True
            )
    if table.row_count:
        wide_console().print(table)


def show_truths(truths: Sequence[Truth]) -> None:
    """List what encoders of known truth gave beside what they must give, encoder by encoder."""
    console = wide_console()
    for encoder, several in by_encoder(truths).items():
        table = Table(*HEADINGS, title=encoder, title_justify="left", min_width=100)
        for truth in several:
            table.add_row(*cells_of(truth), style=None if truth.holds else "bold red")
        console.print(table)
    console.print(f"{summed_up(truths)}.")


def show_verdicts(subject: Subject) -> None:
    """List what a run says of the hypotheses about an encoder."""
    console = wide_console()
    table = Table(
        "hypothesis", "stage", "verdict", "effect (95 %)", "holds if", "p", "random networks", "as the source"
    )
    for row in verdict_rows(subject):
        said = f"{row.verdict}: {row.remark}" if row.remark else row.verdict
        p = f"{row.p} (least {row.least_p})" if row.least_p != DASH else row.p
        table.add_row(row.name, row.stage, said, row.effect, row.threshold, p, row.random, row.agrees)
    console.print(f"[bold]{subject.name}[/bold]")
    console.print(table)
    for sentence in verdict_sentences(subject):
        console.print(sentence)


def keep_comparison(compared: xr.Dataset, out: Path) -> Path:
    """Write a comparison: a table as .csv, a picture as .png or .svg, or else a zarr group."""
    fresh(out)
    if out.suffix == ".csv":
        compared.to_dataframe().to_csv(out)
    elif out.suffix in (".png", ".svg"):
        differences(compared, panels()).figure.savefig(out, dpi=PICTURE_DPI)
    else:
        compared.to_zarr(out, mode="w", zarr_format=ZARR_FORMAT, consolidated=False)
    return out


def show_differences(compared: xr.Dataset) -> None:
    """List the measures of a comparison whose interval excludes 0."""
    console = wide_console()
    first, second = compared.attrs["first_label"], compared.attrs["second_label"]
    table = Table("measure", "stage", "at", f"A: {first}", f"B: {second}", "B - A (95 %)", "units")
    for i in range(compared.sizes["measure"]):
        row = {str(name): values.values[i] for name, values in compared.data_vars.items()}
        if row["flagged"]:
            table.add_row(
                f"{row['probe']}: {row['variable']}", row["at_stage"], row["at"],
                f"{row['first']:.3g}", f"{row['second']:.3g}",
                f"{row['difference']:+.3g} ({row['low']:+.3g} to {row['high']:+.3g})",
                f"{row['n_units']} x {row['unit_of']}",
            )  # fmt: skip
    console.print(table)
    counts = at_a_glance(compared)
    for line in compared.attrs["left_out"].splitlines():
        console.print(f"left out: {line}")
    console.print(
        f"{counts['flagged']} of {counts['measures']} measures have a 95 % interval without 0; "
        f"{counts['by chance']} would if nothing had changed."
    )


def show_check(found: xr.DataTree) -> None:
    """List stage by stage how two encoders differ, and say what explains it."""
    console = wide_console()
    table = Table(*(heading for heading, _ in ports.HEADINGS))
    for row in ports.rows(found):
        table.add_row(*row)
    console.print(table)
    for sentence in ports.sentences(found):
        console.print(sentence, highlight=False)
