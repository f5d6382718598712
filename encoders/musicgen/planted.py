"""A language model over codes whose residual stream is a sum of known features: the control of steering."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...synth.errors import InputError
from ..filterbanks import REFERENCE_HZ
from ..weights import randomly_initialised
from .coded import CodedClips
from .conditions import FactorConditions
from .model import MusicGen
from .planted_codec import ENTRIES, FACTORS, LEVELS_DBFS, planted_codec

CHANNELS, BLOCKS, CONTEXT = 512, 2, 2048  # channels: so many that a direction at random holds little of any
CLIPS, CLIP_FRAMES = 480, 40  # that come with it, to learn from and to label on each
STAY = 0.9  # probability that a factor keeps its value from one frame to the next
GAIN = math.log((ENTRIES - 1) * STAY / (1 - STAY))  # of logits, over coefficients of the directions
REQUEST = 0.5  # how much of its direction a condition adds
PLANTED: Mapping[str, tuple[str, int]] = MappingProxyType(
    {f"{factor} {value}": (factor, i) for factor, values in FACTORS.items() for i, value in enumerate(values)}
)


def planted_stream(
    weights: str | Path = "pretrained", seed: int = 0, sample_rate: int = REFERENCE_HZ
) -> MusicGen:
    """Return a model whose residual stream is the sum of three known directions, one for each code.

    Codes are a pitch, a level and a timbre of 8 values each (`PlantedCodec`: tones, encoded and decoded
    without loss); every value has a direction in 512 channels (`planted_directions`). Blocks pass the stream
    on, at `layer_0` with what is asked for; the heads read its coefficients. So each factor is a Markov
    chain by itself, which keeps its value with a probability of 0.9 and else takes any other, and a
    direction that is added changes the probability of its value within its factor and nothing else: see
    `transition`, `expected_share`, `expected_level_dbfs`. Asking for a value with a guidance g adds g / 2 of
    its direction.

    Frame t of a layer holds frame t of the timbre, t + 1 of the level and t + 2 of the pitch
    (`delay.aligned`): at the end of a clip those that are not there add nothing.

    Values are called by the frequencies that they have where a frame, 1/75 s, is a whole number of samples;
    at other rates they lie less than 1 % away, at 16 kHz 0.2 %.

    Parameters
    ----------
    weights : {"pretrained", "random"}
        Without effect: there are none.
    seed : int
        Without effect.
    sample_rate : int >= 5000
        Samples per second.

    Raises
    ------
    InputError
        If `weights` is a path, or the sample rate too low.

    Examples
    --------
    >>> from tonotopy.encoders.musicgen.model import addition
    >>> model, louder = planted_stream(), addition("layer_0", 3 * planted_direction("level -12 dBFS"))
    >>> model.generate(8, edit=louder)[0, 1].tolist()
    [7, 7, 7, 7, 7, 7, 7, 7]
    """
    name = "control:planted_stream"
    codec = planted_codec(name, weights, sample_rate)
    decoder = randomly_initialised(_PlantedDecoder, 0)
    conditions = randomly_initialised(_conditions, 0)
    note = f"{len(PLANTED)} features planted in {CHANNELS} channels"
    return PlantedStream(name, codec, decoder, conditions, CONTEXT, "none", note, known_clips=_known_clips)


class PlantedStream(MusicGen):
    """The control; its codec knows tones of a few pitches, levels and timbres."""

    codes_any_sound = False


def _known_clips() -> CodedClips:
    """Return clips with what they are: half to learn from, half to label on."""
    codes, values = planted_clips(2 * CLIPS, CLIP_FRAMES)
    splits = np.where(np.arange(2 * CLIPS) % 2, "validation", "training")
    groups = np.arange(2 * CLIPS)
    return CodedClips(codes.numpy().astype(np.uint8), splits, groups, dict(FACTORS), values, {})


def planted_directions() -> Tensor:
    """Return the directions of all features: float32 [24, 512], in the order of `PLANTED`.

    Drawn once for all at random; of unit norm and linearly independent, but not orthogonal.

    Examples
    --------
    >>> planted_directions().norm(dim=1).allclose(torch.ones(24))
    True
    """
    return torch.from_numpy(_directions()).float()


def planted_direction(feature: str) -> Tensor:
    """Return the direction of a feature, float32 [512].

    Raises
    ------
    InputError
        If there is no such feature.

    Examples
    --------
    >>> planted_direction("pitch 225 Hz").equal(planted_directions()[0])
    True
    """
    _planted(feature)
    return planted_directions()[list(PLANTED).index(feature)]


def planted_dictionary_arrays() -> tuple[Tensor, Tensor, Tensor]:
    """Return the dictionary that reads and writes the features, in the order of `PLANTED`.

    Of what a stream holds of a code it gives 1, and 0 of all others but for rounding.

    Returns
    -------
    encoder : float32 [512, 24]
        The dual basis: the coefficients of a stream x are ``x @ encoder``.
    encoder_bias : float32 [24]
        Zeros.
    decoder : float32 [24, 512]
        `planted_directions`.

    Examples
    --------
    >>> encoder, encoder_bias, decoder = planted_dictionary_arrays()
    >>> (decoder @ encoder).allclose(torch.eye(24), atol=1e-6)
    True
    """
    directions = planted_directions()
    return torch.from_numpy(_dual()).float(), torch.zeros(len(directions)), directions


def planted_clips(n: int, frames: int, seed: int = 0) -> tuple[Tensor, dict[str, np.ndarray]]:
    """Return clips that keep a pitch, a level and a timbre, with what these are.

    Parameters
    ----------
    n : int > 0
        How many. Every value of a factor occurs equally often, up to once, whatever the others are.
    frames : int > 0
    seed : int >= 0

    Returns
    -------
    codes : int64 [n, 3, frames]
    truths : dict of str to int64 [n]
        Of each factor, which of its values the clip has.

    Raises
    ------
    InputError
        If a number is out of range.

    Examples
    --------
    >>> codes, truths = planted_clips(16, 10)
    >>> codes.shape, np.bincount(truths["level"]).tolist()
    (torch.Size([16, 3, 10]), [2, 2, 2, 2, 2, 2, 2, 2])
    """
    if n < 1 or frames < 1 or seed < 0:
        raise InputError(
            f"{n} clips of {frames} frames, seed {seed}: must be at least 1 of each, from seed 0"
        )
    generator = np.random.default_rng(seed)
    truths = {factor: generator.permutation(n) % ENTRIES for factor in FACTORS}
    codes = torch.from_numpy(np.stack(list(truths.values()), axis=1))
    return codes[:, :, None].repeat(1, 1, frames), truths


def transition(alpha: float, feature: str) -> np.ndarray:
    """Return what follows on what within a feature's factor, while its direction is added.

    Parameters
    ----------
    alpha : float
        How much of the direction is added; 0 for what the model does by itself.
    feature : str
        One of `PLANTED`.

    Returns
    -------
    probabilities : float64 [8, 8]
        That value j follows on value i, at temperature 1.

    Raises
    ------
    InputError
        If there is no such feature, or alpha is not finite.

    Examples
    --------
    >>> transition(0, "pitch 225 Hz")[0].round(3).tolist()
    [0.9, 0.014, 0.014, 0.014, 0.014, 0.014, 0.014, 0.014]
    >>> transition(1, "pitch 225 Hz")[1].round(3).tolist()
    [0.477, 0.477, 0.008, 0.008, 0.008, 0.008, 0.008, 0.008]
    """
    return _softmax(np.eye(ENTRIES) + _added(alpha, feature))


def expected_shares(frames: int, alpha: float, feature: str) -> np.ndarray:
    """Return how often each value of a feature's factor is to be expected, while its direction is added.

    Of what the model makes up of nothing: the first frame follows on no code, all values are as likely but
    for what is added.

    Parameters
    ----------
    frames : int > 0
        Over which probabilities are averaged.
    alpha, feature
        As in `transition`.

    Returns
    -------
    shares : float64 [8]

    Raises
    ------
    InputError
        If a number is out of range, or there is no such feature.

    Examples
    --------
    >>> expected_shares(50, 0, "pitch 225 Hz").round(3).tolist()
    [0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125]
    >>> expected_shares(50, 1, "pitch 225 Hz").round(3).tolist()
    [0.992, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001]
    """
    if frames < 1:
        raise InputError(f"{frames} frames: must be at least 1")
    follows, likely = transition(alpha, feature), _softmax(_added(alpha, feature))
    total = np.zeros(ENTRIES)
    for _ in range(frames):
        total += likely
        likely = likely @ follows
    return total / frames


def expected_share(frames: int, alpha: float, feature: str) -> float:
    """Return the expected share of frames with a feature, while its direction is added.

    Parameters and errors are those of `expected_shares`.

    Examples
    --------
    >>> [round(expected_share(50, alpha, "level -12 dBFS"), 3) for alpha in (-1, 0, 0.5, 1)]
    [0.0, 0.125, 0.822, 0.992]
    """
    return float(expected_shares(frames, alpha, feature)[PLANTED[feature][1]])


def expected_level_dbfs(frames: int, alpha: float, feature: str) -> float:
    """Return the level of the expected power of what is made up, while a direction is added, in dBFS.

    Parameters and errors are those of `expected_shares`; features of other factors leave the level alone.

    Examples
    --------
    >>> [round(expected_level_dbfs(50, alpha, "level -12 dBFS"), 2) for alpha in (-1, 0, 1)]
    [-20.46, -18.03, -12.03]
    """
    shares = expected_shares(frames, alpha, feature)
    if _planted(feature)[0] != "level":
        shares = np.full(ENTRIES, 1 / ENTRIES)
    return float(10 * np.log10(shares @ 10 ** (np.array(LEVELS_DBFS) / 10)))


def _planted(feature: str) -> tuple[str, int]:
    if feature not in PLANTED:
        raise InputError(f"feature {feature!r}: not planted; planted are {', '.join(PLANTED)}")
    return PLANTED[feature]


def _added(alpha: float, feature: str) -> np.ndarray:  # [8]: coefficients
    if not math.isfinite(alpha):
        raise InputError(f"alpha {alpha}: must be finite")
    return alpha * (np.arange(ENTRIES) == _planted(feature)[1])


def _softmax(coefficients: np.ndarray) -> np.ndarray:  # over the last axis
    logits = GAIN * coefficients
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


@cache
def _directions() -> np.ndarray:  # float64 [24, 512]
    drawn = np.random.default_rng(0).standard_normal((len(PLANTED), CHANNELS))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@cache
def _dual() -> np.ndarray:  # float64 [512, 24]
    return np.linalg.pinv(_directions())


def _conditions() -> FactorConditions:
    conditions = FactorConditions(FACTORS, CHANNELS)
    for table, directions in zip(conditions.tables, planted_directions().split(ENTRIES), strict=True):
        table.get_parameter("weight").data.copy_(REQUEST * directions)
    return conditions


class _Config:
    """What is looked at of the configuration of a ``MusicgenForCausalLM``; its caches have no layers."""

    vocab_size, num_codebooks, hidden_size = ENTRIES, len(FACTORS), CHANNELS
    layer_types, per_layer_config = (), ()

    def get_text_config(self, decoder: bool = True) -> _Config:
        return self


class _Block(nn.Module):
    def forward(self, stream: Tensor, tokens: Tensor | None = None) -> Tensor:
        return stream if tokens is None else stream + tokens.sum(1, keepdim=True)


class _Stream(nn.Module):
    """Columns [B, K, S] -> stream [B, S, d]: a direction for each code, and for the special token nothing."""

    def __init__(self) -> None:
        super().__init__()
        nothing = torch.zeros(1, CHANNELS)
        self.embed_tokens = nn.ModuleList(
            nn.Embedding.from_pretrained(torch.cat([directions, nothing]))
            for directions in planted_directions().split(ENTRIES)
        )
        self.layers = nn.ModuleList(_Block() for _ in range(BLOCKS))

    def forward(self, columns: Tensor, tokens: Tensor | None) -> Tensor:
        vectors = [table(columns[:, q]) for q, table in enumerate(self.embed_tokens)]
        stream = torch.stack(vectors).sum(0)
        for i, block in enumerate(self.layers):
            stream = block(stream, tokens if i == 0 else None)
        return stream


class _PlantedDecoder(nn.Module):
    """Called as ``MusicgenForCausalLM`` is. It looks at no other column, and has no use for a cache."""

    def __init__(self) -> None:
        super().__init__()
        self.config = _Config()
        self.model = nn.ModuleDict({"decoder": _Stream()})
        self.lm_heads = nn.ModuleList(nn.Linear(CHANNELS, ENTRIES, bias=False) for _ in FACTORS)
        for head, weight in zip(
            self.lm_heads, torch.from_numpy(GAIN * _dual().T).split(ENTRIES), strict=True
        ):
            head.get_parameter("weight").data.copy_(weight)

    def forward(self, input_ids: Tensor, encoder_hidden_states: Tensor | None = None, **_: Any) -> Any:
        columns = input_ids.unflatten(0, (-1, len(FACTORS)))
        stream = self.model["decoder"](columns, encoder_hidden_states)
        logits = torch.stack([head(stream) for head in self.lm_heads], dim=1)
        return SimpleNamespace(logits=logits.flatten(0, 1))
