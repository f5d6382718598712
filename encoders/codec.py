"""SEANet codecs of any size, out of the encodec package's own modules, and the small one in the box."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .encodec import EncodecEncoder, listen, redrawable
from .state_names import as_named
from .weights import fill, randomly_initialised, read_checkpoint, stored_config

METADATA_KEY = "codec"
# What only the training of a codebook needs: how often entries were used, sums of what chose them, a flag.
_LEARNING = (".cluster_size", ".embed_avg", ".inited")


@dataclass(frozen=True)
class CodecConfig:
    """The size of a causal SEANet codec; the defaults are those of EnCodec at 24 kHz.

    Parameters
    ----------
    sample_rate : int > 0
        Samples per second.
    n_filters : int > 0
        Channels of the first layer; every downsampling doubles them.
    dimension : int > 0
        Channels of the latent.
    ratios : tuple of 4 int
        Strides of the decoder, from the latent up; their product is the hop.
    codebooks : int > 0
        Steps of residual vector quantization.
    entries : int, a power of 2
        Vectors in each codebook.
    lstm_layers : int > 0

    Raises
    ------
    InputError
        If a number is out of range.
    """

    sample_rate: int = 24_000
    n_filters: int = 32
    dimension: int = 128
    ratios: tuple[int, ...] = (8, 5, 4, 2)
    codebooks: int = 32
    entries: int = 1024
    lstm_layers: int = 2

    def __post_init__(self) -> None:
        limits = {
            "sample_rate": (1, 1_000_000),
            "n_filters": (2, 512),
            "dimension": (1, 1024),
            "codebooks": (1, 64),
            "entries": (2, 65_536),
            "lstm_layers": (1, 8),
        }
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if not (isinstance(value, int) and least <= value <= most):
                raise InputError(f"codec with {name} {value!r}: must be a whole number, {least} to {most}")
        if self.entries & (self.entries - 1):
            raise InputError(f"codec with {self.entries} entries in a codebook: must be a power of 2")
        if not (len(self.ratios) == 4 and all(isinstance(r, int) and 1 <= r <= 16 for r in self.ratios)):
            raise InputError(f"codec with ratios {self.ratios!r}: must be 4 whole numbers from 1 to 16")

    @property
    def hop(self) -> int:
        """Samples per latent."""
        return math.prod(self.ratios)

    @property
    def bits_per_frame(self) -> int:
        """Bits of one codebook's choice."""
        return self.entries.bit_length() - 1


TINY = CodecConfig(n_filters=8, dimension=64, codebooks=8, entries=256)


def build(config: CodecConfig) -> nn.Module:
    """Return an untrained codec: the encodec package's model; its codebooks wait for data."""
    from encodec.model import EncodecModel
    from encodec.modules.seanet import SEANetDecoder, SEANetEncoder
    from encodec.quantization.vq import ResidualVectorQuantizer

    size: dict[str, Any] = {
        "dimension": config.dimension,
        "n_filters": config.n_filters,
        "ratios": list(config.ratios),
        "lstm": config.lstm_layers,
        "causal": True,
        "norm": "weight_norm",
    }
    with warnings.catch_warnings():
        # torch renames the weight norm that encodec uses; its checkpoints still carry the old names
        warnings.filterwarnings("ignore", message=".*weight_norm", category=FutureWarning)
        encoder, decoder = SEANetEncoder(**size), SEANetDecoder(**size)
    # threshold 0: the package's reset of dead entries is undone by the update that follows it
    quantizer = ResidualVectorQuantizer(
        config.dimension, config.codebooks, config.entries, threshold_ema_dead_code=0
    )
    return EncodecModel(encoder, decoder, quantizer, [], config.sample_rate, 1)


def inference_state(model: nn.Module) -> dict[str, Tensor]:
    """Return what coding needs of a codec's state, in float16, on the CPU."""
    return {
        name: tensor.detach().to("cpu", torch.float16).contiguous()
        for name, tensor in model.state_dict().items()
        if not name.endswith(_LEARNING)
    }


def metadata_of(config: CodecConfig) -> dict[str, str]:
    """Return what a safetensors file of weights says of itself: the configuration."""
    return {METADATA_KEY: json.dumps(asdict(config))}


def read_config(path: Path) -> CodecConfig | None:
    """Return the configuration stored in a file of weights; None where none is stored.

    Raises
    ------
    InputError
        If the file is no safetensors file, or the configuration is not one.
    """
    return stored_config(path, METADATA_KEY, CodecConfig)


def codec(weights: str | Path = "pretrained", seed: int = 0, codebooks: int | None = None) -> EncodecEncoder:
    """Return a codec of the size that its weights have, or of EnCodec's size at 24 kHz.

    Parameters
    ----------
    weights : "random" or path
        A random initialisation at EnCodec's size, or a file that `train_codec` wrote.
    seed : int
        Seeds the random initialisation.
    codebooks : int, optional
        How many codebooks `quantized` and `codes` use; all if None.

    Raises
    ------
    InputError
        If pretrained weights are requested (see `encodec_24khz` and `codec_tiny`), the file cannot be
        read or is of another architecture, or `codebooks` is out of range.
    """
    if weights == "pretrained":
        raise InputError(
            "codec has no published weights: load 'encodec_24khz' or 'codec_tiny', or pass weights='random' "
            "or the path of a file that `tonotopy train codec` wrote"
        )
    if weights == "random":
        return _random("codec", CodecConfig(), seed, codebooks)
    return _from_file("codec", Path(weights), CodecConfig(), str(weights), codebooks)


def codec_tiny(
    weights: str | Path = "pretrained", seed: int = 0, codebooks: int | None = None
) -> EncodecEncoder:
    """Return the small codec that comes with the library: 24 kHz, 75 latents of 64 channels a second.

    Trained on General-MIDI renders and recordings; see the model card ``encoders/zoo/codec_tiny.md``.

    Parameters
    ----------
    weights : {"pretrained", "random"} or path
        The bundled weights, a random initialisation, or a file that `train_codec` wrote.
    seed : int
        Seeds the random initialisation.
    codebooks : int, 1 to 8, optional
        How many codebooks `quantized` and `codes` use; all if None. Each is 600 bit/s.

    Raises
    ------
    InputError
        If a file cannot be read or is of another architecture, or `codebooks` is out of range.

    Examples
    --------
    >>> import torch
    >>> encoder = codec_tiny(weights="random")
    >>> encoder.run(torch.zeros(1, 3200), ["codes"])["codes"].shape
    torch.Size([1, 8, 10])
    """
    if weights == "random":
        return _random("codec_tiny", TINY, seed, codebooks)
    if weights == "pretrained":
        with as_file(files("tonotopy.encoders.zoo") / "codec_tiny.safetensors") as path:
            return _from_file("codec_tiny", path, TINY, "pretrained", codebooks)
    return _from_file("codec_tiny", Path(weights), TINY, str(weights), codebooks)


def _random(name: str, config: CodecConfig, seed: int, codebooks: int | None) -> EncodecEncoder:
    model = randomly_initialised(lambda: build(config), seed)
    return redrawable(listen(name, model, codebooks, "random", seed), lambda: build(config))


def _from_file(
    name: str, path: Path, default: CodecConfig, source: str, codebooks: int | None
) -> EncodecEncoder:
    config = read_config(path) or default
    model = randomly_initialised(lambda: build(config), 0)  # leaves the caller's random state alone
    state, where = read_checkpoint(path)
    needed = {key: tensor for key, tensor in model.state_dict().items() if not key.endswith(_LEARNING)}
    state, form = as_named(state, needed)
    fill(model, _with_learning(state, model), str(path))
    encoder = listen(name, model, codebooks, source)
    encoder.weights = encoder.weights.noted(where, form)
    return redrawable(encoder, lambda: build(config))


def _with_learning(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Add what only training needs and a file may lack: every codebook is as if it had been learnt."""
    lacking = {
        name: torch.ones_like(tensor)
        for name, tensor in model.state_dict().items()
        if name.endswith(_LEARNING) and name not in state
    }
    return {**lacking, **state}
