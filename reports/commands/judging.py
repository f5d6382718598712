"""Commands that judge runs; what they need is imported inside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Out, Own, Seed, own_hypotheses


def hypotheses(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="What `tonotopy probe` wrote, to be judged.")
    ] = None,
    seed: Seed = 0,
    hypotheses: Own = None,
) -> None:
    """List the hypotheses; with a run, judge them by what it holds, encoders of known truth among it.

    For example:

        tonotopy hypotheses

        tonotopy hypotheses run.zarr --hypotheses mine.py

        tonotopy controls --out truths.zarr; tonotopy hypotheses truths.zarr
    """
    from ...probes.engine.outputs import finished

    if run is not None:
        finished(run)
    from ...probes.hypotheses.registry import registered
    from .console import show_admission, show_hypotheses, show_verdicts

    claims = (*registered(), *own_hypotheses(hypotheses))
    if run is None:
        show_hypotheses(claims)
        return
    from ..runs import encoders_of, read_run
    from ..verdicts import judged

    tree = read_run(run)
    for subject in encoders_of(judged(tree, claims, seed)):
        show_verdicts(subject)
    show_admission(tree, claims, seed)


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="What `tonotopy probe` wrote.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The same of another, or the same run.")],
    first_subject: Annotated[str, typer.Option(help="Subject of A; its only encoder if left out.")] = "",
    second_subject: Annotated[str, typer.Option(help="Subject of B; its only encoder if left out.")] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="All measures as a .csv table or a zarr group; or a picture, .png or .svg."
        ),
    ] = None,
) -> None:
    """Compare two runs, before and after training, or of two architectures, measure by measure.

    What is measured channel by channel compares where both have the same channels. For example:

        tonotopy compare before.zarr after.zarr --out differences.csv

        tonotopy compare run.zarr run.zarr --first-subject codec_tiny.random0 --second-subject codec_tiny
    """
    from ...probes.engine.outputs import finished

    for run in (first, second):
        finished(run)
    from ...probes.run.compare import compare as compare_runs
    from ..runs import read_run
    from .console import keep_comparison, show_differences

    found = compare_runs(read_run(first), read_run(second), first_subject, second_subject)
    show_differences(found)
    if out is not None:
        print(keep_comparison(found, out))


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="What `tonotopy probe` wrote.")],
    out: Out,
    csv: Annotated[bool, typer.Option("--csv", help="Tables, tidy, and the verdicts.")] = False,
    svg: Annotated[bool, typer.Option("--svg", help="Figures.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Verdicts and provenance.")] = False,
    hypotheses: Own = None,
) -> None:
    """Write a run as tables, figures and verdicts that other programs read; all, if none is named.

    For example:

        tonotopy export run.zarr --out exported

        tonotopy export run.zarr --csv --json --out exported
    """
    from ..exporting import export as write_export

    kinds = {"csv": csv, "svg": svg, "json": json}
    if not any(kinds.values()):
        kinds = dict.fromkeys(kinds, True)
    print(write_export(run, out, **kinds, hypotheses=own_hypotheses(hypotheses)))
