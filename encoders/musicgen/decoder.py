"""The language model itself: transformers' MusicGen decoder, built without anything else of the package."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor, nn

from ...synth.errors import InputError
from .conditions import FactorConditions
from .config import MusicGenConfig


def transformers_musicgen() -> Any:
    """Return transformers' module of MusicGen.

    Raises
    ------
    InputError
        If transformers is not installed.
    """
    try:
        from transformers.models import musicgen
    except ImportError:
        raise InputError("MusicGen needs transformers: pip install 'tonotopy[models]'") from None
    return musicgen


class ConditionedDecoder(nn.Module):
    """A decoder and the tables of its conditions: all that is trained.

    Tokens begin as large as positions, which have a mean square of 1/2: under transformers' own
    initialisation they begin a tenth as large, and a short training spends itself on making them heard.

    Parameters
    ----------
    config : MusicGenConfig
    dropout : float
        Share of what every part adds to the residual stream that is left out in training.
    """

    def __init__(self, config: MusicGenConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.decoder = build_decoder(config, dropout)
        self.conditions = FactorConditions(config.values, config.dimension)
        for table in tokens_of(self.decoder):
            nn.init.normal_(table.weight, std=(2 * config.codebooks) ** -0.5)


def tokens_of(decoder: nn.Module) -> list[nn.Embedding]:
    """Return the tables of tokens, one of each codebook."""
    model: Any = decoder
    return list(model.model.decoder.embed_tokens)


def special_of(decoder: nn.Module) -> int:
    """Return the token of places without a frame: the first that is no entry of a codebook."""
    model: Any = decoder
    return int(model.config.vocab_size)


def blocks_of(decoder: nn.Module) -> list[nn.Module]:
    """Return the blocks, from shallow to deep; what they give is the residual stream [B, S, d]."""
    model: Any = decoder
    return list(model.model.decoder.layers)


def logits_of(
    decoder: nn.Module, columns: Tensor, tokens: Tensor | None = None, cache: object | None = None
) -> Tensor:
    """Return what the decoder says of the column after each.

    Parameters
    ----------
    decoder : nn.Module
        ``MusicgenForCausalLM``.
    columns : int64 [B, K, S]
    tokens : float32 [B, n, d], optional
        Of conditions; without, and where all are zero, it goes on unconditionally.
    cache : transformers' EncoderDecoderCache, optional
        Of the columns before these; these are added to it.

    Returns
    -------
    logits : float32 [B, K, S, entries]
    """
    model: Any = decoder
    said = model(
        input_ids=columns.flatten(0, 1),
        encoder_hidden_states=tokens,
        cache=cache,
        use_cache=cache is not None,
    )
    return said.logits.unflatten(0, columns.shape[:2])


def build_decoder(config: MusicGenConfig, dropout: float = 0.0) -> nn.Module:
    """Return an untrained ``MusicgenForCausalLM`` of a size, drawn from torch's random state.

    Raises
    ------
    InputError
        If transformers is not installed.
    """
    musicgen = transformers_musicgen()
    special = config.entries
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        about = musicgen.MusicgenDecoderConfig(
            vocab_size=config.entries,
            max_position_embeddings=2048,
            num_hidden_layers=config.layers,
            ffn_dim=config.feedforward,
            num_attention_heads=config.heads,
            hidden_size=config.dimension,
            dropout=dropout,
            num_codebooks=config.codebooks,
            pad_token_id=special,
            bos_token_id=special,
        )
        about.decoder_start_token_id = special
        return musicgen.MusicgenForCausalLM(about)
