"""Sparse dictionaries: train them, label their features, steer by these."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Controls, Out, ProbingCommand, Seed, Stages, Weights, given, names
from .probing import _run

LABELLING, STEERING = ("dictionaries", "labels"), ("steering",)

Dictionary = Annotated[
    str | None,
    typer.Option(
        help="Files or folders of dictionaries, apart by commas; if left out those bundled, or learnt on the "
        "spot.",
        show_default=False,
    ),
]
Corpus = Annotated[
    str | None,
    typer.Option(
        help="Folder of labelled audio, as `tonotopy corpus` renders one; if left out what comes with the "
        "encoder.",
        show_default=False,
    ),
]
Features = Annotated[int | None, typer.Option(min=2, help="Features of what is learnt. [default: 1024]")]
Kept = Annotated[int | None, typer.Option("--k", min=1, help="Features kept of a frame. [default: 8]")]
Tokens = Annotated[int | None, typer.Option(help="Frames to learn from. [default: 250000]")]
Permutations = Annotated[int | None, typer.Option(min=1, help="Deals of every null. [default: 999]")]
Baselines = Annotated[
    int,
    typer.Option(
        min=0, help="Networks of its architecture beside each encoder: of random weights, and permuted."
    ),
]


class SparseCommand(ProbingCommand):
    """A command whose help ends with the probes that it runs."""

    asks: tuple[str, ...] = ()

    def listed(self) -> dict[str, str]:
        """Return the probes below the help, with their questions."""
        from ...probes.run.registry import questions

        return questions(names=self.asks)


class LabelCommand(SparseCommand):
    """The same for labels."""

    asks = LABELLING


class SteerCommand(SparseCommand):
    """The same for steering."""

    asks = STEERING


sae = typer.Typer(help="Sparse dictionaries: train them, label their features, steer by these.")


@sae.callback()
def _sae() -> None:
    pass


@sae.command("train")
def train_sae(
    encoder: Annotated[str, typer.Argument(metavar="NAME", help="As `tonotopy encoders` lists it.")],
    out: Out,
    weights: Weights = "pretrained",
    stages: Stages = "",
    corpus: Corpus = None,
    features: Annotated[int, typer.Option(min=2, help="Features of a dictionary.")] = 1024,
    k: Annotated[int, typer.Option("--k", min=1, help="Features kept of a frame.")] = 8,
    tokens: Annotated[int, typer.Option(help="Frames to learn from.")] = 250_000,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option(help="Go on from a checkpoint.")] = True,
) -> None:
    """Train a sparse dictionary of each stage of an encoder; interrupted, it goes on.

    Of a language model the stages are its layers, of any other encoder its latent. Examples:

        tonotopy sae train musicgen_tiny --out dictionaries --stages layer_1,layer_3

        tonotopy sae train codec_tiny --corpus corpus --out dictionaries --features 512
    """
    from ...encoders.registry import load
    from ...probes.dictionaries.capturing import train_dictionaries
    from ...probes.dictionaries.learning import Learning
    from ...probes.engine.progress import Progress

    learning = Learning(corpus=corpus or "", features=features, k=k, tokens=tokens)
    found = train_dictionaries(load(encoder, weights), out, learning, names(stages), seed, resume, Progress())
    for stage in found:
        print(out / stage / "dictionary.safetensors")


@sae.command("label", cls=LabelCommand)
def label(
    encoders: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Encoders, as `tonotopy encoders` lists them.")
    ],
    out: Out,
    weights: Weights = "pretrained",
    stages: Stages = "",
    dictionary: Dictionary = None,
    corpus: Corpus = None,
    features: Features = None,
    k: Kept = None,
    tokens: Tokens = None,
    permutations: Permutations = None,
    labelers: Annotated[
        str | None,
        typer.Option(
            help="What labels beside known truth, apart by commas: classifier, classifier:FOLDER, "
            "clap:FOLDER, endpoint:MODEL@URL.",
            show_default=False,
        ),
    ] = None,
    baselines: Baselines = 2,
    controls: Controls = True,
    seed: Seed = 0,
) -> None:
    """Label the features of dictionaries by what is known of the sounds, beside four baselines.

    Interrupted, the same command goes on where it stopped. Examples:

        tonotopy sae label musicgen_tiny --out labels.zarr

        tonotopy sae label codec_tiny --corpus corpus --dictionary dictionaries/latent --out labels.zarr
    """
    _run(
        encoders, out, "waveform", weights=weights, stages=names(stages), baselines=baselines,
        controls=controls, probes=LABELLING, seed=seed,
        settings=given(
            dictionary=dictionary, corpus=corpus, features=features, k=k, tokens=tokens,
            permutations=permutations, labelers=labelers,
        ),
    )  # fmt: skip


@sae.command("steer", cls=SteerCommand)
def steer(
    encoder: Annotated[
        str, typer.Argument(metavar="NAME", help="A model that generates: musicgen_tiny, for one.")
    ],
    out: Out,
    weights: Weights = "pretrained",
    stages: Stages = "",
    dictionary: Dictionary = None,
    corpus: Corpus = None,
    features: Features = None,
    k: Kept = None,
    tokens: Tokens = None,
    permutations: Permutations = None,
    directions: Annotated[
        int | None,
        typer.Option(min=1, help="Random directions of the same norm to rank among. [default: 399]"),
    ] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="Features to steer by at a stage. [default: 12]")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames of each sound. [default: 112]")] = None,
    sounds: Annotated[
        int | None, typer.Option(min=2, help="Sounds of each direction and dose. [default: 12]")
    ] = None,
    controls: Controls = True,
    seed: Seed = 0,
) -> None:
    """Steer a model by its features while it generates, beside difference of means and random directions.

    Interrupted, the same command goes on where it stopped. Examples:

        tonotopy sae steer musicgen_tiny --out steering.zarr

        tonotopy sae steer musicgen_tiny --stages layer_1 --directions 999 --no-controls --out layer1.zarr
    """
    _run(
        [encoder], out, "waveform", weights=weights, stages=names(stages), baselines=0,
        controls=controls, probes=STEERING, seed=seed,
        settings=given(
            dictionary=dictionary, corpus=corpus, features=features, k=k, tokens=tokens,
            permutations=permutations, directions=directions, most=most, frames=frames, seeds=sounds,
        ),
    )  # fmt: skip
