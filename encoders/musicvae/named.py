"""MusicVAE by name: the bundled one, Magenta's, and the control."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...synth.errors import InputError
from ..base import Weights
from ..weights import randomly_initialised, state_sha256
from .config import SIXTEEN_BAR, TINY, TWO_BAR_BIG, MusicVAEConfig
from .control import PlantedLatents
from .loading import load_weights
from .model import MusicVAE

_PUBLISHED = "https://storage.googleapis.com/magentadata/models/music_vae/checkpoints/{}.tar"


_BUNDLED = (
    "Of its 128 dimensions 48 began narrow and 80 at the prior, where they were held for half the training: "
    "that a minority carries music is partly built in"
)
CONFIGS = {"musicvae_tiny": TINY, "musicvae_2bar": TWO_BAR_BIG, "musicvae_16bar": SIXTEEN_BAR}


def musicvae_tiny(weights: str | Path = "pretrained", seed: int = 0) -> MusicVAE:
    """Return the small two-bar MusicVAE that comes with the library.

    Trained on folk tunes and generated melodies; see the model card ``encoders/zoo/musicvae_tiny.md``.

    Parameters
    ----------
    weights : {"pretrained", "random"} or path
        The bundled weights, a random initialisation, or a file that `train_musicvae` wrote.
    seed : int
        Seeds the random initialisation.

    Raises
    ------
    InputError
        If a file cannot be read or is of another architecture.

    Examples
    --------
    >>> musicvae_tiny(weights="random").steps
    32
    """
    if weights == "pretrained":
        with as_file(files("tonotopy.encoders.zoo") / "musicvae_tiny.safetensors") as path:
            model = load_weights(path, "musicvae_tiny", TINY)
        model.weights = replace(model.weights, source="pretrained", note=_BUNDLED)
        return _with_provenance(model)
    return _given("musicvae_tiny", weights, seed, TINY)


def heldout_melodies() -> tuple[np.ndarray, np.ndarray]:
    """Return melodies of tunes that `musicvae_tiny` has not learnt from, in no transposition.

    Returns
    -------
    rolls : uint8 [N, 32]
        No two the same.
    pieces : int64 [N]
        Which tune each is from.

    Examples
    --------
    >>> rolls, pieces = heldout_melodies()
    >>> rolls.shape == (len(pieces), 32)
    True
    """
    with as_file(files("tonotopy.encoders.zoo") / "musicvae_tiny_heldout.npz") as path, np.load(path) as held:
        return held["rolls"], held["pieces"]


def musicvae_2bar(weights: str | Path = "pretrained", seed: int = 0) -> MusicVAE:
    """Return Magenta's ``cat-mel_2bar_big``, or the two-bar model that a file or folder holds.

    Parameters
    ----------
    weights : "random" or path
        A checkpoint as `checkpoints` reads it, or a file of ours; a random initialisation.
    seed : int
        Seeds the random initialisation.

    Raises
    ------
    InputError
        If pretrained weights are requested, or what the path names cannot be read.
    """
    return _published("musicvae_2bar", "cat-mel_2bar_big", weights, seed)


def musicvae_16bar(weights: str | Path = "pretrained", seed: int = 0) -> MusicVAE:
    """Return Magenta's ``hierdec-mel_16bar``, or the model with a conductor that a file or folder holds.

    Parameters
    ----------
    weights : "random" or path
        A checkpoint as `checkpoints` reads it, or a file of ours; a random initialisation.
    seed : int
        Seeds the random initialisation.

    Raises
    ------
    InputError
        If pretrained weights are requested, or what the path names cannot be read.
    """
    return _published("musicvae_16bar", "hierdec-mel_16bar", weights, seed)


def planted(weights: str | Path = "pretrained", seed: int = 0) -> PlantedLatents:
    """Return the control; it has neither weights nor anything to draw.

    Raises
    ------
    InputError
        If `weights` is a path.
    """
    if weights not in ("pretrained", "random"):
        raise InputError(f"weights {weights}: control:planted has no weights; leave the argument out")
    return PlantedLatents()


def inference_state(model: MusicVAE) -> dict[str, Tensor]:
    """Return a model's state in float16, on the CPU."""
    return {n: t.detach().to("cpu", torch.float16).contiguous() for n, t in model.state_dict().items()}


def _given(name: str, weights: str | Path, seed: int, default: MusicVAEConfig) -> MusicVAE:
    if weights == "random":
        return _random(name, default, seed)
    return _with_provenance(load_weights(weights, name, default))


def _random(name: str, config: MusicVAEConfig, seed: int) -> MusicVAE:
    model = randomly_initialised(lambda: MusicVAE(config, name), seed)
    assert isinstance(model, MusicVAE)
    model.weights = Weights("random", state_sha256(model.state_dict()), f"seed {seed}")
    return _with_provenance(model)


def _with_provenance(model: MusicVAE) -> MusicVAE:
    """Tell a model how others like it are drawn."""
    model.randomised = lambda seed: _random(model.name, model.config, seed)
    return model.eval()


def _published(name: str, published: str, weights: str | Path, seed: int) -> MusicVAE:
    if weights != "pretrained":
        return _given(name, weights, seed, CONFIGS[name])
    raise InputError(
        f"weights of {name}: not on this machine; Magenta publishes them at {_PUBLISHED.format(published)}: "
        "give the path of that file, of what it holds, or of a magenta-js folder"
    )
