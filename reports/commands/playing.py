"""Commands that play sounds: to a person, or to an encoder, for its raw activations."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Out, Seed, Stages, Strict, Weights, names


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
    from ...synth.export import parse_stimuli, write_wavs

    print(write_wavs(parse_stimuli(spec), out, sample_rate=sample_rate, duration_s=seconds))


def activations(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An encoder.")],
    stimuli: Annotated[
        str,
        typer.Option(help="What to play, as in `tonotopy stimuli`; or an audio file or a folder of them."),
    ],
    out: Out,
    stages: Stages = "",
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Length of each sound; of longer recordings the middle. [default: 1; recordings as long as "
            "they last]",
            show_default=False,
        ),
    ] = None,
    strict: Strict = False,
    weights: Weights = "pretrained",
    seed: Seed = 0,
) -> None:
    """Write an encoder's raw activations to a zarr store.

    For example:

        tonotopy activations samplecnn_tiny --stimuli pitches:midi=48-60 --stages latent --out act.zarr

        tonotopy activations codec_tiny --stimuli song.wav --out song.zarr
    """
    from ...encoders.registry import check_known, load_for

    check_known(name)
    import zarr

    from ...synth.export import parse_stimuli

    played = Path(stimuli) if stimuli and Path(stimuli).exists() else parse_stimuli(stimuli)
    from ...probes.engine.activations import activations as write_activations
    from ...probes.engine.progress import Progress
    from ...probes.engine.session import Session

    encoder = load_for("waveform", name, weights, seed)
    session = Session(encoder, names(stages), progress=Progress())
    written = write_activations(session, played, out, seconds=seconds, strict=strict)
    reasons: Any = zarr.open_group(str(written), mode="r").attrs["left_out"]
    if reasons:
        print(f"{len(reasons)} left out:", file=sys.stderr)
    for reason in reasons:
        print(f"left out: {reason}", file=sys.stderr)
    print(written)
