"""MusicGen by name: the bundled one, and others over a small codec."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import torch
from torch import Tensor, nn

from ..codec import codec_tiny
from ..weights import fill, randomly_initialised, read_state
from .coded import bundled_clips
from .config import MusicGenConfig, read_config
from .decoder import ConditionedDecoder
from .model import MusicGen

TINY = MusicGenConfig(
    factors=(
        (
            "family",
            ("bass", "brass", "chromatic percussion", "ensemble", "guitar", "organ", "piano", "pipe", "reed",
             "strings", "synth lead", "synth pad"),
        ),
        ("texture", ("line", "chords")),
        ("register", ("low", "middle", "high")),
        ("density", ("sparse", "medium", "dense")),
    )
)  # fmt: skip


def musicgen_tiny(weights: str | Path = "pretrained", seed: int = 0) -> MusicGen:
    """Return the small MusicGen that comes with the library: 4 blocks of 128 channels over `codec_tiny`.

    A model of the first 4 codebooks, which may be asked for an instrument family, a texture, a register and
    a density. Trained on General-MIDI renders; see the model card ``encoders/zoo/musicgen_tiny.md``.

    Parameters
    ----------
    weights : {"pretrained", "random"} or path
        The bundled weights, a random initialisation, or a file that `train_musicgen` wrote.
    seed : int
        Seeds the random initialisation.

    Raises
    ------
    InputError
        If transformers is not installed, or a file cannot be read or is of another architecture.

    Examples
    --------
    >>> model = musicgen_tiny(weights="random")
    >>> model.generate(10, seeds=(0, 1), condition={"texture": "chords"}).shape
    torch.Size([2, 4, 10])
    """
    if weights == "random":
        model = randomly_initialised(lambda: ConditionedDecoder(TINY), seed)
        return listening("musicgen_tiny", model, TINY, "random", f"seed {seed}")
    if weights == "pretrained":
        with as_file(files("tonotopy.encoders.zoo") / "musicgen_tiny.safetensors") as path:
            return _from_file("musicgen_tiny", path, "pretrained")
    return _from_file("musicgen_tiny", Path(weights), str(weights))


def listening(name: str, model: nn.Module, config: MusicGenConfig, source: str, note: str = "") -> MusicGen:
    """Make an encoder of a decoder and its conditions, over the codec that its configuration names.

    Parameters
    ----------
    name : str
    model : ConditionedDecoder
    config : MusicGenConfig
    source, note : str
        Where the weights are from.
    """
    assert isinstance(model, ConditionedDecoder)

    def draw() -> tuple[nn.Module, nn.Module]:
        drawn = ConditionedDecoder(config)
        return drawn.decoder, drawn.conditions

    codec = codec_tiny(codebooks=config.codebooks)
    known = bundled_clips if config == TINY else None
    return MusicGen(name, codec, model.decoder, model.conditions, config.context, source, note, draw, known)


def inference_state(model: ConditionedDecoder) -> dict[str, Tensor]:
    """Return a model's state in float16, on the CPU."""
    return {n: t.detach().to("cpu", torch.float16).contiguous() for n, t in model.state_dict().items()}


def _from_file(name: str, path: Path, source: str) -> MusicGen:
    state = read_state(path)
    config = read_config(path) or TINY
    model = randomly_initialised(lambda: ConditionedDecoder(config), 0)
    fill(model, state, str(path))
    return listening(name, model, config, source)
