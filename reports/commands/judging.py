"""Commands that judge runs; what they need is imported inside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Seed


def hypotheses(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="What `tonotopy probe` wrote, to be judged.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """List the hypotheses; with a run, judge them by what it holds, encoders of known truth among it.

    For example:

        tonotopy hypotheses

        tonotopy hypotheses run.zarr

        tonotopy controls --out truths.zarr; tonotopy hypotheses truths.zarr
    """
    from ...probes.engine.outputs import finished

    if run is not None:
        finished(run)
    from ...probes.hypotheses.registry import registered
    from .console import show_admission, show_hypotheses, show_verdicts

    if run is None:
        show_hypotheses(registered())
        return
    from ..runs import encoders_of, read_run
    from ..verdicts import judged

    tree = read_run(run)
    for subject in encoders_of(judged(tree, registered(), seed)):
        show_verdicts(subject)
    show_admission(tree, registered(), seed)


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
    """Compare two runs of one architecture, before and after training, say, measure by measure.

    For example:

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
