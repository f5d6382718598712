"""MusicGen as it is published: small, medium and large, from the hub, from a folder, or at random."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ..families.encodec import codec_of
from ..hub import fetched, quiet
from ..weights import fill, randomly_initialised
from .decoder import transformers_musicgen
from .folder import PublishedFolder, open_folder
from .model import MusicGen
from .text import TextConditions, TextEncoder, has_tokenizer, without_padding

TRAINED_S = 30.0  # clips that the published models were trained on
FETCHED = ("config.json", "*.safetensors", "model.safetensors.index.json", "tokenizer*", "special_tokens*",
           "spiece.model")  # fmt: skip


@dataclass(frozen=True)
class Published:
    """One of the published models.

    Parameters
    ----------
    repository, revision : str
        Where it is, and the commit that is fetched.
    dimension, heads, layers : int
    """

    repository: str
    revision: str
    dimension: int
    heads: int
    layers: int


SIZES = {
    "musicgen_small": Published(
        "facebook/musicgen-small", "4c8334b02c6ec4e8664a91979669a501ec497792", 1024, 16, 24
    ),
    "musicgen_medium": Published(
        "facebook/musicgen-medium", "d3bd7b00761b78ad7a8a05145ee31e7832e9916c", 1536, 24, 48
    ),
    "musicgen_large": Published(
        "facebook/musicgen-large", "15ccdc92099879e47b6da12c350cdb71d4eab3ca", 2048, 32, 48
    ),
}


def musicgen_small(weights: str | Path = "pretrained", seed: int = 0) -> MusicGen:
    """Return the published MusicGen of 24 blocks of 1024 channels, over an EnCodec at 32 kHz.

    Parameters
    ----------
    weights : {"pretrained", "random"} or path
        What Meta publishes (2.4 GB, not for commercial use), a random initialisation, or a folder of the same
        form: ``config.json``, safetensors, and the tokenizer's files where texts are to be asked for.
    seed : int
        Of the random initialisation.

    Raises
    ------
    InputError
        If transformers is not installed, or the weights cannot be had or do not fit.

    Notes
    -----
    T5 and its tokenizer are loaded when the first text is asked for; the hash of the weights is of everything
    else. At random there are none, and the codebooks, which would hold zeros, are filled from data.

    Source: Copet et al., Simple and Controllable Music Generation, arXiv 2306.05284.

    Examples
    --------
    >>> musicgen_small("no-such-folder")
    Traceback (most recent call last):
    tonotopy.synth.errors.InputError: weights no-such-folder: no such folder
    """
    return _published("musicgen_small", weights, seed)


def musicgen_medium(weights: str | Path = "pretrained", seed: int = 0) -> MusicGen:
    """Return the published MusicGen of 48 blocks of 1536 channels.

    Parameters
    ----------
    weights, seed
        As in `musicgen_small`; 8 GB in float32.

    Raises
    ------
    InputError
        As in `musicgen_small`.
    """
    return _published("musicgen_medium", weights, seed)


def musicgen_large(weights: str | Path = "pretrained", seed: int = 0) -> MusicGen:
    """Return the published MusicGen of 48 blocks of 2048 channels: 3.3 billion weights.

    Parameters
    ----------
    weights, seed
        As in `musicgen_small`; 14 GB in float32.

    Raises
    ------
    InputError
        As in `musicgen_small`.
    """
    return _published("musicgen_large", weights, seed)


def _published(name: str, weights: str | Path, seed: int) -> MusicGen:
    if weights == "random":
        return random_musicgen(name, architecture(SIZES[name]), seed)
    if weights != "pretrained":
        return musicgen_of(name, open_folder(Path(weights)), str(weights))
    path = _fetched(SIZES[name])
    return musicgen_of(name, open_folder(path), "pretrained", f"{SIZES[name].repository}, commit {path.name}")


def _fetched(model: Published) -> Path:
    """Return the folder of a model in the hub's cache; what is not there yet is downloaded."""
    transformers_musicgen()  # says in one line that it is not installed
    return fetched(
        model.repository, model.revision, FETCHED, lambda folder: has_tokenizer(open_folder(folder).path)
    )


def musicgen_of(name: str, folder: PublishedFolder, source: str, note: str = "") -> MusicGen:
    """Make an encoder of what a folder holds.

    Parameters
    ----------
    name : str
    folder : PublishedFolder
        See `open_folder`.
    source, note : str
        Where the weights are from.

    Raises
    ------
    InputError
        If a tensor is missing, left over or of another shape.
    """
    from transformers.models.encodec import EncodecModel

    musicgen = transformers_musicgen()
    codec = codec_of(f"{name}'s codec", folder.load(EncodecModel, "audio_encoder"), source)
    decoder = without_padding(folder.load(musicgen.MusicgenForCausalLM, "decoder"))
    text = TextEncoder(name, folder)
    conditions = randomly_initialised(lambda: _conditions(folder.config, text), 0)  # filled below
    projection = folder.tensors("enc_to_dec_proj.").items()
    fill(conditions, {f"projection.{key}": tensor for key, tensor in projection}, str(folder.path))
    note = "; ".join(filter(None, (note, codec.weights.note)))
    draw = drawing(folder.config, text)
    return MusicGen(name, codec, decoder, conditions, _context(folder.config), source, note, draw)


def random_musicgen(name: str, config: Any, seed: int = 0) -> MusicGen:
    """Make an encoder of a configuration, its weights drawn as transformers draws them.

    Parameters
    ----------
    name : str
    config : MusicgenConfig
    seed : int
    """
    from transformers.models.encodec import EncodecModel

    def build() -> nn.Module:
        with quiet():
            return EncodecModel(copy.deepcopy(config.audio_encoder))

    codec = codec_of(f"{name}'s codec", randomly_initialised(build, seed), "random", seed)
    draw = drawing(config, TextEncoder(name))
    drawn: list[tuple[nn.Module, nn.Module]] = []
    randomly_initialised(lambda: drawn.append(draw()) or drawn[0][0], seed)
    ((decoder, conditions),) = drawn
    note = f"seed {seed}; {codec.weights.note}"
    return MusicGen(name, codec, decoder, conditions, _context(config), "random", note, draw)


def drawing(config: Any, text: TextEncoder) -> Callable[[], tuple[nn.Module, nn.Module]]:
    """Return what draws a decoder and the projection of texts from torch's random state; T5 stays."""
    musicgen = transformers_musicgen()

    def draw() -> tuple[nn.Module, nn.Module]:
        with quiet():
            decoder = musicgen.MusicgenForCausalLM(copy.deepcopy(config.decoder)).eval()
        return without_padding(decoder), _conditions(config, text)

    return draw


def architecture(model: Published) -> Any:
    """Return transformers' configuration of a published model; the text encoder's is that of T5's base size.

    Examples
    --------
    >>> architecture(SIZES["musicgen_small"]).decoder.ffn_dim
    4096
    """
    musicgen = transformers_musicgen()
    codec = {
        "model_type": "encodec", "sampling_rate": 32_000, "num_filters": 64, "codebook_size": 2048,
        "upsampling_ratios": [8, 5, 4, 4], "target_bandwidths": [2.2], "use_causal_conv": False,
        "use_conv_shortcut": False,
    }  # fmt: skip
    decoder = {
        "model_type": "musicgen_decoder", "hidden_size": model.dimension, "ffn_dim": 4 * model.dimension,
        "num_attention_heads": model.heads, "num_hidden_layers": model.layers,
    }  # fmt: skip
    text = {"model_type": "t5", "d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12}
    with quiet():
        return musicgen.MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=decoder)


def _conditions(config: Any, text: TextEncoder) -> TextConditions:
    given, own = config.text_encoder.hidden_size, config.decoder.hidden_size
    # where the widths are the same nothing projects
    return TextConditions(nn.Identity() if given == own else nn.Linear(given, own), own, text)


def _context(config: Any) -> int:
    # a clip of the training is 30 s; positions further on are in the table, and in no clip
    frames = round(TRAINED_S * config.audio_encoder.frame_rate)
    return min(config.decoder.max_position_embeddings, frames + config.decoder.num_codebooks - 1)
