"""The commands that train: a corpus, and an encoder on it. What they need is imported inside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Out, Seed

train = typer.Typer(help="Train an encoder on audio, or a model of melodies.")


def corpus(
    out: Out,
    clips_per_program: Annotated[int, typer.Option(help="Clips per instrument; 96 play.")] = 40,
    seconds: Annotated[float, typer.Option(help="Length of a clip.")] = 8.0,
    soundfont: Annotated[
        Path | None, typer.Option(help="A General-MIDI soundfont; FluidR3 by default.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Render a labelled corpus of General-MIDI instruments to train on (needs fluidsynth).

    Example:

        tonotopy corpus --out corpus --clips-per-program 10
    """
    from ...encoders.training.corpus import render_corpus

    print(render_corpus(out, clips_per_program, seconds, seed, soundfont, progress=True))


@train.callback()
def _train() -> None:
    pass


@train.command("samplecnn")
def train_samplecnn(
    corpus: Annotated[Path, typer.Option(help="Folder of audio with labels (labels.csv, or FMA's layout).")],
    out: Out,
    labels: Annotated[Path | None, typer.Option(help="Table of labels, if it lies elsewhere.")] = None,
    background: Annotated[Path | None, typer.Option(help="Folder of unlabelled audio to mix in.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the recordings.")] = 36,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option(help="Go on from a checkpoint.")] = True,
) -> None:
    """Train a small SampleCNN to name the class of a recording; interrupted, it goes on.

    Example:

        tonotopy train samplecnn --corpus corpus --out training-runs/first
    """
    from ...encoders.training.recipe import TrainingRecipe
    from ...encoders.training.samplecnn import train_samplecnn as run_training

    scores = run_training(
        corpus,
        out,
        recipe=TrainingRecipe(epochs=epochs),
        background=background,
        labels=labels,
        seed=seed,
        resume=resume,
        progress=True,
    )
    for split, score in scores.items():
        print(f"{split}: {score}")
    print(out / "model.safetensors")


@train.command("codec")
def train_codec(
    corpus: Annotated[Path, typer.Option(help="Folder of audio with labels, which say what is held out.")],
    out: Out,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of recordings to learn from too; every fourth is held out.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of eight segments of half a second.")] = 11_000,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option(help="Go on from a checkpoint.")] = True,
) -> None:
    """Train a small codec to give sounds back through its codes; interrupted, it goes on.

    Example:

        tonotopy train codec --corpus corpus --recordings recordings --out training-runs/codec
    """
    from ...encoders.training.codec import train_codec as run_training
    from ...encoders.training.codec_material import CodecRecipe

    scores = run_training(
        corpus,
        out,
        recipe=CodecRecipe(steps=steps),
        recordings=recordings,
        seed=seed,
        resume=resume,
        progress=True,
    )
    print(f"{scores}\n{out / 'model.safetensors'}")


@train.command("musicvae")
def train_musicvae(
    out: Out,
    midi: Annotated[
        Path | None,
        typer.Option(
            help="Folder of MIDI files; music21's corpus (tonotopy[symbolic]) if left out.",
            show_default=False,
        ),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="File that keeps what was read of the corpus.", show_default=False)
    ] = None,
    generated: Annotated[int, typer.Option(min=0, help="Melodies that a grammar makes up.")] = 30_000,
    steps: Annotated[int, typer.Option(min=1, help="Steps of 64 melodies.")] = 22_000,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option(help="Go on from a checkpoint.")] = True,
) -> None:
    """Train a small MusicVAE to give two bars of melody back; interrupted, it goes on.

    Example:

        tonotopy train musicvae --cache corpus.npz --out training-runs/musicvae
    """
    from ...encoders.training.musicvae import train_musicvae as run_training
    from ...encoders.training.musicvae_material import MusicVAERecipe, gather_melodies

    material = gather_melodies(midi, cache, generated=generated, seed=seed, progress=True)
    scores = run_training(
        material, out, recipe=MusicVAERecipe(steps=steps), seed=seed, resume=resume, progress=True
    )
    print(f"{scores}\n{out / 'model.safetensors'}")


@train.command("musicgen")
def train_musicgen(
    corpus: Annotated[Path, typer.Option(help="Folder of audio whose labels.csv tells factors.")],
    out: Out,
    steps: Annotated[int, typer.Option(min=1, help="Steps of eight stretches of 256 columns.")] = 6_000,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option(help="Go on from a checkpoint.")] = True,
) -> None:
    """Train a small MusicGen over codec_tiny's codes (needs tonotopy[models]); interrupted, it goes on.

    Example:

        tonotopy corpus --out corpus --clips-per-program 32

        tonotopy train musicgen --corpus corpus --out training-runs/musicgen
    """
    from ...encoders.training.musicgen import train_musicgen as run_training
    from ...encoders.training.musicgen_material import MusicGenRecipe

    scores = run_training(
        corpus, out, recipe=MusicGenRecipe(steps=steps), seed=seed, resume=resume, progress=True
    )
    print(f"{scores}\n{out / 'model.safetensors'}")
