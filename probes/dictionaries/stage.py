"""A dictionary as a stage: an encoder with one stage more, whose channels are the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...encoders.base import Encoder, Stage, Weights, check_stages
from ...encoders.weights import state_sha256
from ...synth.errors import InputError
from .dictionary import Dictionary, check_fits
from .learning import sparse_rows

# what an encoder may do besides, which a stage more does not change
_KEPT = ("decode", "scale", "codebooks", "generate", "decode_codes", "token_losses", "layers")


def with_dictionary(encoder: Encoder, stage: str, dictionary: Dictionary) -> DictionaryEncoder:
    """Add a sparse stage to an encoder: what the features of a dictionary are at one of its stages.

    Parameters
    ----------
    encoder : Encoder
    stage : str
        One of its stages; not of codes.
    dictionary : Dictionary
        Of this stage, as far as it says.

    Returns
    -------
    encoder : DictionaryEncoder
        The new stage is called ``<stage>_features`` and comes right after `stage`.

    Raises
    ------
    InputError
        If the stage is not there or one of codes, or the dictionary is of another model, stage or width.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> both = torch.eye(64)
    >>> dictionary = Dictionary(both, torch.zeros(64), both, torch.zeros(64), k=4, activation="topk")
    >>> encoder = with_dictionary(load("codec_tiny"), "latent", dictionary)
    >>> found = encoder.run(torch.randn(1, 3200), ["latent_features"])["latent_features"]
    >>> found.shape, int((found != 0).sum(1).max())
    (torch.Size([1, 64, 10]), 4)
    """
    check_stages(encoder, [stage])
    about = encoder.stages[stage]
    if not about.has_power:
        raise InputError(f"stage {stage!r}: gives codes, which are no vectors; a dictionary needs vectors")
    check_fits(dictionary, encoder.name, stage, about.channels, encoder.weights.sha256)
    return DictionaryEncoder(encoder, stage, dictionary)


class DictionaryEncoder:
    """An encoder with a sparse stage more; see `with_dictionary`.

    Parameters
    ----------
    encoder : Encoder
    stage : str
    dictionary : Dictionary

    Attributes
    ----------
    sparse_stage : str
        Name of the stage that is added.
    """

    modality = "waveform"

    def __init__(self, encoder: Encoder, stage: str, dictionary: Dictionary) -> None:
        self.encoder, self.stage, self.dictionary = encoder, stage, dictionary
        self.name, self.sample_rate = encoder.name, encoder.sample_rate
        self.sparse_stage = f"{stage}_features"
        own = {"name": self.sparse_stage, "channels": dictionary.features, "kind": "sparse", "codebooks": 0}
        about = replace(encoder.stages[stage], **own)
        self.stages: Mapping[str, Stage] = MappingProxyType(_inserted(encoder.stages, stage, about))
        digest = state_sha256(
            {"encoder": dictionary.encoder, "bias": dictionary.encoder_bias, "decoder": dictionary.decoder}
        )
        self.weights = Weights(
            encoder.weights.source,
            state_sha256({f"{encoder.weights.sha256}{digest}": torch.zeros(0)}),
            encoder.weights.note,
        )

    def __getattr__(self, name: str) -> Any:
        if name in _KEPT:
            return getattr(self.encoder, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def device(self) -> torch.device:
        """Where the encoder's tensors live."""
        return self.encoder.device

    def run(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Listen at `stages`, the sparse one among them; see `Encoder.run`."""
        check_stages(self, stages)
        needed = [self.stage if name == self.sparse_stage else name for name in stages]
        found = self.encoder.run(waveforms, list(dict.fromkeys(needed)))
        if self.sparse_stage in stages:
            found[self.sparse_stage] = sparse_rows(self.dictionary, found[self.stage])
        return {name: found[name] for name in stages}

    def kernels(self, stage: str) -> np.ndarray | None:
        """Return a linear stage's closed form; see `Encoder.kernels`."""
        return None if stage == self.sparse_stage else self.encoder.kernels(stage)


def _inserted(stages: Mapping[str, Stage], after: str, added: Stage) -> dict[str, Stage]:
    if added.name in stages:
        raise InputError(f"stage {added.name!r}: the encoder has one of that name already")
    found: dict[str, Stage] = {}
    for name, stage in stages.items():
        found[name] = stage
        if name == after:
            found[added.name] = added
    return found
