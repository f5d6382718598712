"""The matrix of known truths, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Seed, names


def controls(
    seed: Seed = 0,
    probes: Annotated[
        str, typer.Option("--probes", help="Probes, apart by commas; all if left out.", show_default=False)
    ] = "",
    encoders: Annotated[
        str,
        typer.Option("--encoders", help="Encoders of known truth, apart by commas, or patterns of names."),
    ] = "*",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Keep what is measured, as a run.", show_default=False)
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write the matrix as a page too.", show_default=False)
    ] = None,
) -> None:
    """Measure encoders of known truth, and hold every probe to what it must find; exit code 1 if one fails.

    For example:

        tonotopy controls --probes aliasing,tiling

        tonotopy controls --encoders 'filterbank:*' --out truths.zarr --markdown docs/known_truths.md
    """
    from ...probes.engine.progress import Progress
    from ...probes.run.truths import measure_truths
    from ..known_answers import check_page, write_markdown
    from .console import show_truths

    if markdown is not None:
        check_page(markdown)
    found = measure_truths(names(probes), names(encoders) or ("*",), seed=seed, out=out, progress=Progress())
    show_truths(found)
    if markdown is not None:
        given = f" --probes {probes}" * bool(probes) + f" --encoders '{encoders}'" * (encoders != "*")
        print(write_markdown(found, markdown, f"tonotopy controls --seed {seed}{given}"))
    if not all(truth.holds for truth in found):
        raise typer.Exit(1)
