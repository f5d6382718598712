"""What a published MusicGen is asked for: texts, each as many tokens as T5 makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...synth.errors import InputError
from ..hub import quiet
from ..measuring import first_line
from .folder import PublishedFolder

TOKENIZERS = ("tokenizer.json", "spiece.model")


class TextEncoder:
    """T5 and its tokenizer, loaded when the first text comes: most uses of a MusicGen need neither.

    Parameters
    ----------
    name : str
        Of the model, for what is said of it.
    folder : PublishedFolder, optional
        Where they are; without, there are none.
    """

    def __init__(self, name: str, folder: PublishedFolder | None = None) -> None:
        self.name, self.folder = name, folder

    def hidden(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return what T5 makes of texts, float32 [B, n, h], and which of it is no padding, bool [B, n].

        Raises
        ------
        InputError
            If there is no tokenizer or no T5, or they are not of each other.
        """
        tokenizer, encoder = self._loaded
        taken = tokenizer(list(texts), padding=True, return_tensors="pt")
        ids, mask = taken["input_ids"], taken["attention_mask"]
        entries = encoder.config.vocab_size
        if int(ids.max()) >= entries:
            raise InputError(
                f"{self.name}: its tokenizer gives token {int(ids.max())}, its text encoder knows {entries}"
            )
        with torch.inference_mode():
            return encoder(input_ids=ids, attention_mask=mask)[0], mask.bool()

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        if self.folder is None:
            raise InputError(
                f"{self.name}: weights='random' has no text encoder and no tokenizer, so no text may be "
                "asked for; weights= takes a folder that has them"
            )
        path = self.folder.path
        if not has_tokenizer(path):
            raise InputError(
                f"weights {path}: has no tokenizer ({' or '.join(TOKENIZERS)}), so no text may be asked for"
            )
        from transformers import AutoTokenizer
        from transformers.models.t5 import T5EncoderModel

        try:
            with quiet():
                tokenizer = AutoTokenizer.from_pretrained(
                    str(path), local_files_only=True, trust_remote_code=False
                )
        except Exception as error:  # whatever transformers may raise at files that are none
            raise InputError(f"weights {path}: its tokenizer is unusable ({first_line(error)})") from None
        return tokenizer, self.folder.load(T5EncoderModel, "text_encoder")


class TextConditions(nn.Module):
    """Tokens of texts: what T5 makes of them, projected to the width of the residual stream.

    Weights are those of the projection alone; T5 is no part of what was trained with the model.

    Parameters
    ----------
    projection : nn.Linear or nn.Identity
        From T5's width to the decoder's.
    dimension : int
        The decoder's.
    encoder : TextEncoder
    """

    def __init__(self, projection: nn.Module, dimension: int, encoder: TextEncoder) -> None:
        super().__init__()
        self.projection, self.dimension, self.encoder = projection, dimension, encoder

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Return the tokens, float32 [B, n, d]; of an empty text, and of padding, zeros.

        Raises
        ------
        InputError
            If one is no text, or there is nothing to make tokens with.

        Examples
        --------
        >>> conditions = TextConditions(nn.Identity(), 8, TextEncoder("none"))
        >>> conditions.tokens(["", ""]).shape
        torch.Size([2, 1, 8])
        """
        for text in texts:
            if not isinstance(text, str):
                takes = f"; it takes no {', '.join(map(str, text))}" if isinstance(text, Mapping) else ""
                raise InputError(f"{self.encoder.name}: condition {text!r}: must be a text{takes}"[:500])
        device = next((p.device for p in self.projection.parameters()), torch.device("cpu"))
        some = [i for i, text in enumerate(texts) if text.strip()]
        if not some:
            return torch.zeros(len(texts), 1, self.dimension, device=device)
        hidden, real = self.encoder.hidden([texts[i] for i in some])
        projected = self.projection(hidden.to(device)) * real.to(device)[..., None]
        tokens = projected.new_zeros(len(texts), *projected.shape[1:])
        tokens[some] = projected
        return tokens


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a tokenizer, in one of its two forms."""
    return any((folder / file).is_file() for file in TOKENIZERS)


def without_padding(decoder: nn.Module) -> nn.Module:
    """Let a decoder attend to no padding, so that what a text does depends on no other text of its batch.

    Padding is what is zero while another token of the sequence is not: a sequence without any text still
    attends to zeros, whose values are zero.

    Parameters
    ----------
    decoder : nn.Module
        ``MusicgenForCausalLM``; it is changed.

    Notes
    -----
    As ``MusicgenForConditionalGeneration`` does with the tokenizer's mask.
    """
    decoder.register_forward_pre_hook(_masked, with_kwargs=True)
    return decoder


def _masked(_decoder: nn.Module, inputs: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    tokens = options.get("encoder_hidden_states")
    if tokens is not None:
        real = (tokens != 0).any(dim=-1)  # [B, n]
        real |= ~real.any(dim=1, keepdim=True)
        if not real.all():
            options = {**options, "encoder_attention_mask": real.long()}
    return inputs, options
