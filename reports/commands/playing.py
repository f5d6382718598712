"""Commands that play sounds: to a person, or to an encoder, for its raw activations."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Out, Seed, Stages, Weights, names


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
    from ...encoders.registry import check_known, load_for
    from ...synth.export import parse_stimuli

    check_known(name)
    played = parse_stimuli(stimuli)
    from ...probes.engine.activations import activations as write_activations
    from ...probes.engine.progress import Progress
    from ...probes.engine.session import Session

    encoder = load_for("waveform", name, weights, seed)
    session = Session(encoder, names(stages), progress=Progress())
    print(write_activations(session, played, out, seconds=seconds))
