"""The main job: probe encoders or melody models, and report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import (
    Controls,
    Name,
    Out,
    Own,
    Probes,
    Seed,
    Stages,
    Strict,
    Weights,
    given,
    names,
    own_hypotheses,
)

DEMONSTRATED = ("codec_tiny", "samplecnn_tiny")


def probe(
    encoders: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Encoders, as `tonotopy encoders` lists them; or my_codec.py:make, a function of your own "
            "that returns one.",
        ),
    ],
    out: Out,
    weights: Weights = "pretrained",
    name: Name = "",
    stages: Stages = "",
    preset: Annotated[
        str, typer.Option(help="What to measure where nothing else is given: full or quick, see below.")
    ] = "full",
    baselines: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Networks of its architecture beside each encoder, of each kind that a probe asks; "
            "the preset's if left out.",
            show_default=False,
        ),
    ] = None,
    controls: Controls = True,
    probes: Probes = "",
    recordings: Annotated[
        str | None, typer.Option(help="Folder of recordings to try representability on as well.")
    ] = None,
    strict: Strict = False,
    seed: Seed = 0,
    refine: Annotated[
        bool | None,
        typer.Option("--refine/--no-refine", help="Add the partials that resolve bandwidths. [default: yes]"),
    ] = None,
    low_hz: Annotated[float | None, typer.Option(help="Lowest partial. [default: 60]")] = None,
    high_hz: Annotated[float | None, typer.Option(help="Highest partial. [default: 10000]")] = None,
    per_octave: Annotated[float | None, typer.Option(help="Partials per octave. [default: 24]")] = None,
) -> None:
    """Play partials, pitches and chords to encoders, beside random baselines and controls.

    Interrupted, the same command goes on where it stopped. Examples:

        tonotopy probe samplecnn_tiny encodec_24khz --out run.zarr

        tonotopy probe encodec_24khz --weights best.pt --preset quick --out quick.zarr

        tonotopy probe samplecnn_tiny --probes aliasing,tiling --out folds.zarr

        tonotopy probe my_codec.py:make --weights best.pt --name run3 --out run3.zarr
    """
    _run(
        encoders, out, "waveform", name, weights=weights, stages=names(stages), preset=preset,
        baselines=baselines,
        controls=controls, probes=names(probes), seed=seed,
        settings=given(
            recordings=recordings, strict=strict or None, refine=refine, low_hz=low_hz, high_hz=high_hz,
            per_octave=per_octave,
        ),
    )  # fmt: skip


def latents(
    models: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Models of melodies: musicvae_tiny, for one.")
    ],
    out: Out,
    weights: Weights = "pretrained",
    name: Name = "",
    probes: Probes = "",
    melodies: Annotated[
        str | None, typer.Option(help="Folder of MIDI files; the library's own melodies if left out.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=100, help="Melodies drawn from the prior. [default: 20000]")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="An active latent's mean sigma is below 1 less this. [default: 0.1]"),
    ] = None,
    permutations: Annotated[
        int | None, typer.Option(min=19, help="Deals of every null. [default: 199]")
    ] = None,
    baselines: Annotated[
        int,
        typer.Option(
            min=0, help="Networks of its architecture beside each model, of each kind that a probe asks."
        ),
    ] = 1,
    controls: Controls = True,
    seed: Seed = 0,
) -> None:
    """Ask which latents of a melody model carry music, and what they mean.

    Interrupted, the same command goes on where it stopped. Examples:

        tonotopy latents musicvae_tiny --out latents.zarr

        tonotopy latents musicvae_16bar --weights hierdec-mel_16bar.tar --samples 500 --out bars16.zarr
    """
    _run(
        models, out, "melody", name, weights=weights, baselines=baselines, controls=controls,
        probes=names(probes), seed=seed,
        settings=given(
            melodies=melodies, samples=samples, threshold=threshold, permutations=permutations
        ),
    )  # fmt: skip


def _run(encoders: list[str], out: Path, modality: str, name: str = "", **fields: Any) -> None:
    check_arguments(encoders, out, fields["probes"])
    from ...probes.engine.progress import Progress
    from ...probes.run.runner import run
    from ...probes.run.suite import Suite

    suite = Suite(tuple(encoders), modality=modality, **fields)  # type: ignore[arg-type]
    path = run(suite, out, progress=Progress(), name=name)
    print(f"{path}\nread it:  tonotopy report {path} --out report.html")


def check_arguments(encoders: Sequence[str], out: Path, probes: Sequence[str] | None) -> None:
    """Refuse what can be seen to be wrong before torch is imported, which takes seconds."""
    from ...encoders.registry import check_known as check_encoder
    from ...probes.engine.outputs import fresh
    from ...probes.run.registry import check_known as check_probes

    fresh(out)
    for encoder in encoders:
        check_encoder(encoder)
    check_probes(probes or ())


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="What `tonotopy probe` wrote.")],
    out: Out = Path("report.html"),
    hypotheses: Own = None,
) -> None:
    """Write one self-contained page about one or several runs.

    For example:

        tonotopy report run.zarr other.zarr --out report.html

        tonotopy report run.zarr --hypotheses mine.py
    """
    from ...probes.engine.outputs import finished

    for run in runs:
        finished(run)
    with _shown("writing the report"):
        from ..html import report as write_report

        page = write_report(runs, out, hypotheses=own_hypotheses(hypotheses))
    print(page)


def _shown(what: str) -> AbstractContextManager[object]:
    """Show on a terminal what is being done."""
    from rich.console import Console

    return Console(stderr=True).status(what)


def demo(out: Out = Path("tonotopy-demo"), seed: Seed = 0) -> None:
    """Probe the bundled encoders beside controls and random networks, and write the report.

    It asks every question once, as `tonotopy probe codec_tiny samplecnn_tiny --preset quick` does. A finished
    run of the same settings is used again; one of other settings there is replaced.
    """
    from ...encoders.registry import load
    from ...probes.engine.progress import Progress
    from ...probes.run.runner import run as run_suite
    from ...probes.run.suite import Suite
    from ..html import report as write_report

    encoders = tuple(load(name, seed=seed) for name in DEMONSTRATED)
    suite = Suite(encoders, preset="quick", seed=seed)
    run = out / "demo.zarr"
    weights = ", ".join(encoder.weights.sha256 for encoder in encoders)
    if run.exists() and not _is_run_of(run, suite.description, weights):
        import shutil

        shutil.rmtree(run)
    if not run.exists():
        out.mkdir(parents=True, exist_ok=True)
        run_suite(suite, run, progress=Progress())
    with _shown("writing the report"):
        page = write_report([run], out / "report.html")
    print(f"The report is at {page.resolve().as_uri()}")


def _is_run_of(run: Path, settings: str, weights_sha256: str) -> bool:
    """Whether a finished run has these settings, weights and version; raise if it is no run at all."""
    import json
    from importlib.metadata import version

    import zarr

    from ...probes.engine.schema import SCHEMA_VERSION
    from ..runs import read_run

    try:
        stored = zarr.open_group(str(run), mode="r").attrs.get("schema_version")
    except Exception:  # whatever the reader finds wrong with it, the line below says it
        stored = None
    if stored not in (None, SCHEMA_VERSION):
        return False  # of an earlier version of ours
    attributes = read_run(run).attrs
    return (
        attributes.get("settings") == settings
        and attributes.get("weights_sha256") == weights_sha256
        and json.loads(attributes["versions"]).get("tonotopy") == version("tonotopy")
    )
