"""The command line. Every command is one call of the library; what it needs is imported inside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..synth.errors import InputError
from .judging import compare, hypotheses
from .options import Out, Seed
from .training import corpus, train

if TYPE_CHECKING:
    from ..encoders.base import Encoder

Weights = Annotated[str, typer.Option("--weights", help="'pretrained', 'random', or the path of a file.")]
Stages = Annotated[
    str,
    typer.Option(
        "--stages", help="Stages, apart by commas; the canonical ones if left out.", show_default=False
    ),
]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Play sounds of known content to neural audio encoders and measure what they hear. "
    "Begin with `tonotopy demo`.",
)
app.add_typer(train, name="train")
app.command()(corpus)
app.command()(hypotheses)
app.command()(compare)


def main() -> None:
    """Run the command line: bad input is one line on stderr and exit code 2, Ctrl-C one line and 130."""
    # Idle threads of a parallel region spin before they sleep. On a busy machine they spin against the
    # very work they wait for, and a small network runs ten times slower; sleep soon. Before torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # the reader (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except InputError as error:
        code = _refuse(str(error))
    except OSError as error:
        code = _refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except Exception as error:
        if not hasattr(error, "format_message"):  # what typer raises for unusable arguments has one
            raise
        code = _refuse(error.format_message())  # type: ignore[attr-defined]
    if code == 130:
        print("interrupted", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tonotopy {version('tonotopy')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def encoders() -> None:
    """List what can be probed: stages, hops, receptive fields, where the weights are."""
    from rich.console import Console
    from rich.table import Table

    from ..encoders.registry import available

    # as wide as its content where nobody reads it on a terminal
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table("encoder", "rate (Hz)", "stage: channels / hop / receptive field (samples)", "weights")
    with Console(stderr=True).status("building the encoders") as status:
        for name in available():
            status.update(f"building {name}")
            table.add_row(name, *_described(name), end_section=True)
    console.print(table)


def _described(name: str) -> tuple[str, str, str]:
    """Sample rate, stages and whereabouts of the weights of an encoder, or why it cannot be had."""
    from ..encoders.registry import load

    try:
        encoder = load(name, weights="random")
        melodic = encoder.modality == "melody"
        rate, about = _described_melodic(encoder) if melodic else _described_stages(encoder)
    except InputError as error:
        return "–", "–", str(error)
    except Exception as error:  # a plug-in may fail in any way; the others are listed all the same
        return "–", "–", f"cannot be loaded: {type(error).__name__}"
    return rate, about, _whereabouts(name, encoder.weights.source)


def _described_melodic(model: Any) -> tuple[str, str]:
    from ..synth.melodies import STEPS_PER_BAR

    bars = f"{model.steps / STEPS_PER_BAR:g} bars"
    return "melodies", f"latent: {model.latent_dimensions} for {bars}; ask `tonotopy latents`"


def _described_stages(encoder: Encoder) -> tuple[str, str]:
    from ..encoders.base import canonical_stages

    named = canonical_stages(encoder) or list(encoder.stages)
    lines = []
    for stage in named:
        about = encoder.stages[stage]
        field = "unbounded" if about.receptive_field is None else about.receptive_field
        lines.append(f"{stage}: {about.channels} / {about.hop} / {field}")
    if more := [stage for stage in encoder.stages if stage not in named]:
        lines.append(f"and {len(more)} more: {', '.join(more)}")
    return str(encoder.sample_rate), "\n".join(lines)


def _whereabouts(name: str, source: str) -> str:
    """Where pretrained weights are, without fetching any."""
    from importlib.resources import files

    import torch

    if source == "none":
        return "needs none"
    if (files("tonotopy.encoders.zoo") / f"{name}.safetensors").is_file():
        return "in the box"
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    found = sorted(cache.glob(f"{name}-*"))
    return str(found[0]) if found else "not on this machine; loading fetches them or says how to get them"


@app.command()
def probe(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Encoders, as `tonotopy encoders` lists them.")
    ],
    out: Out,
    weights: Weights = "pretrained",
    stages: Stages = "",
    baselines: Annotated[
        int, typer.Option(min=0, help="Randomly initialised networks beside each encoder.")
    ] = 3,
    controls: Annotated[bool, typer.Option(help="Hear the controls too.")] = True,
    probes: Annotated[
        str,
        typer.Option(help="What to ask, apart by commas: selectivity, aliasing, tiling; all if left out."),
    ] = "",
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of recordings to try representability on as well.")
    ] = None,
    seed: Seed = 0,
    refine: Annotated[bool, typer.Option(help="Add the partials that resolve bandwidths.")] = True,
    low_hz: Annotated[float, typer.Option(help="Lowest partial.")] = 60.0,
    high_hz: Annotated[float, typer.Option(help="Highest partial.")] = 10_000.0,
    per_octave: Annotated[float, typer.Option(help="Partials per octave.")] = 24.0,
) -> None:
    """Play partials, pitches and chords to encoders, beside random baselines and controls.

    Interrupted, the same command goes on where it stopped. Examples:

        tonotopy probe samplecnn_tiny encodec_24khz --out run.zarr

        tonotopy probe samplecnn_tiny --probes aliasing,tiling --out folds.zarr
    """
    from ..probes.engine.progress import Progress
    from ..probes.run.runner import Settings
    from ..probes.run.runner import probe as run_probe

    settings = Settings(
        _names(stages),
        baselines,
        controls,
        seed,
        refine,
        low_hz=low_hz,
        high_hz=high_hz,
        per_octave=per_octave,
        probes=_names(probes) or Settings.probes,
        recordings=None if recordings is None else str(recordings),
    )
    path = run_probe(names, out, settings, weights=weights, progress=Progress())
    print(f"{path}\nread it:  tonotopy report {path} --out report.html")


@app.command()
def latents(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Models of melodies: musicvae_tiny, for one.")
    ],
    out: Out,
    weights: Weights = "pretrained",
    melodies: Annotated[
        str | None, typer.Option(help="Folder of MIDI files; the library's own melodies if left out.")
    ] = None,
    samples: Annotated[int, typer.Option(min=100, help="Melodies drawn from the prior.")] = 20_000,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="A music neuron's mean sigma is below 1 less this.")
    ] = 0.1,
    permutations: Annotated[int, typer.Option(min=19, help="Deals of every null.")] = 199,
    baselines: Annotated[int, typer.Option(min=0, help="Random networks beside each model.")] = 1,
    control: Annotated[bool, typer.Option(help="Ask the control too.")] = True,
    seed: Seed = 0,
) -> None:
    """Ask which latents of a melody model carry music, and what they mean.

    Interrupted, the same command goes on where it stopped. Examples:

        tonotopy latents musicvae_tiny --out latents.zarr

        tonotopy latents musicvae_16bar --weights hierdec-mel_16bar.tar --samples 500 --out bars16.zarr
    """
    from ..probes.engine.progress import Progress
    from ..probes.latents.measures import Settings
    from ..probes.latents.run import latents as run_latents

    settings = Settings(
        samples=samples,
        melodies=melodies,
        threshold=threshold,
        permutations=permutations,
        baselines=baselines,
        control=control,
        seed=seed,
    )
    path = run_latents(names, out, settings, weights=weights, progress=Progress())
    print(f"{path}\nread it:  tonotopy report {path} --out report.html")


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="What `tonotopy probe` wrote.")],
    out: Out = Path("report.html"),
) -> None:
    """Write one self-contained page about one or several runs.

    Example:

        tonotopy report run.zarr other.zarr --out report.html
    """
    from .html import report as write_report

    print(write_report(runs, out))


@app.command()
def stimuli(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="What to play; see the examples.")],
    out: Out,
    sample_rate: Annotated[int, typer.Option(help="Samples per second.")] = 24_000,
    seconds: Annotated[float, typer.Option(help="Length of each sound.")] = 1.0,
) -> None:
    """Write stimuli as WAV files with a table, to hear what is played.

    For example:

        tonotopy stimuli partials:60-10000:per_octave=2 --out sounds

        tonotopy stimuli pitches:midi=48-60:timbres=saw,square --out sounds

        tonotopy stimuli chords:roots=48-59:qualities=major,minor --out sounds
    """
    from ..synth.export import parse_stimuli, write_wavs

    print(write_wavs(parse_stimuli(spec), out, sample_rate=sample_rate, duration_s=seconds))


@app.command()
def activations(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An encoder.")],
    stimuli: Annotated[
        str, typer.Option(help="What to play, as in `tonotopy stimuli`; or a folder of recordings.")
    ],
    out: Out,
    stages: Stages = "",
    seconds: Annotated[float, typer.Option(help="Length of each sound.")] = 1.0,
    weights: Weights = "pretrained",
    seed: Seed = 0,
) -> None:
    """Write an encoder's raw activations to a zarr store.

    Example:

        tonotopy activations samplecnn_tiny --stimuli pitches:midi=48-60 --stages latent --out act.zarr
    """
    from ..encoders.registry import load_for
    from ..probes.engine.activations import activations as write_activations
    from ..probes.engine.progress import Progress
    from ..synth.export import parse_stimuli

    played = parse_stimuli(stimuli)
    encoder = load_for("waveform", name, weights, seed)
    print(write_activations(encoder, played, out, _names(stages), seconds=seconds, progress=Progress()))


@app.command()
def demo(out: Out = Path("tonotopy-demo"), seed: Seed = 0) -> None:
    """Probe the bundled codec beside its controls and a random baseline, and write the report.

    It is asked for what a few minutes allow; `tonotopy probe codec_tiny` asks everything. A finished run of
    the same settings is used again; one of other settings there is replaced.
    """
    from ..encoders.registry import load
    from ..probes.engine.progress import Progress
    from ..probes.run.runner import Settings
    from ..probes.run.runner import probe as run_probe
    from .html import report as write_report

    asked = ("compositionality", "codes", "waveform_shape", "interventions")
    settings = Settings(baselines=1, seed=seed, probes=asked)
    encoder = load("codec_tiny", seed=seed)
    run = out / "codec_tiny.zarr"
    if run.exists() and not _is_run_of(run, repr(settings), encoder.weights.sha256):
        import shutil

        shutil.rmtree(run)
    if not run.exists():
        out.mkdir(parents=True, exist_ok=True)
        run_probe([encoder], run, settings, progress=Progress())
    page = write_report([run], out / "report.html")
    print(f"The report is at {page.resolve().as_uri()}")


def _is_run_of(run: Path, settings: str, weights_sha256: str) -> bool:
    """Whether a finished run has these settings, weights and version; raise if it is no run at all."""
    import json
    from importlib.metadata import version

    from .runs import read_run

    attributes = read_run(run).attrs
    return (
        attributes.get("settings") == settings
        and attributes.get("weights_sha256") == weights_sha256
        and json.loads(attributes["versions"]).get("tonotopy") == version("tonotopy")
    )


def _names(listed: str) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in listed.split(",") if name.strip()) or None


if __name__ == "__main__":
    main()
