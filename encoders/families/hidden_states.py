"""wav2vec 2.0 and its kin: convolutions on the waveform, and a transformer behind them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..base import ModuleEncoder
from ..wrapping import wrap

VARIANCE_FLOOR = 1e-7  # as transformers' Wav2Vec2FeatureExtractor has it


def stages_of(model: nn.Module) -> dict[str, str] | None:
    """Return stage name -> submodule of a model of hidden states; None of all else.

    Such models have ``feature_extractor.conv_layers`` and blocks under ``encoder.layers`` (transformers) or
    ``encoder.transformer.layers`` (torchaudio): wav2vec 2.0, HuBERT, WavLM, UniSpeech, data2vec, MERT.

    Examples
    --------
    >>> stages_of(nn.Linear(2, 2)) is None
    True
    """
    modules = dict(model.named_modules())
    convolutions: Any = modules.get("feature_extractor.conv_layers")
    places = ("encoder.layers", "encoder.transformer.layers")
    blocks = next((place for place in places if isinstance(modules.get(place), nn.ModuleList)), None)
    if convolutions is None or blocks is None or not hasattr(convolutions[0], "conv"):
        return None
    last, deepest = len(convolutions) - 1, len(list(modules[blocks].children())) - 1
    layers = {"first_layer": "feature_extractor.conv_layers.0.conv"}  # before its norm
    layers |= {f"convolution_{i}": f"feature_extractor.conv_layers.{i}" for i in range(last)}
    layers["stack_end"] = f"feature_extractor.conv_layers.{last}"
    layers |= {f"layer_{i}": f"{blocks}.{i}" for i in range(deepest)}
    return {**layers, "latent": f"{blocks}.{deepest}"}


def hidden_states(
    model: nn.Module,
    sample_rate: int,
    name: str,
    normalize: bool,
) -> ModuleEncoder:
    """Make an encoder of a model of hidden states.

    Parameters
    ----------
    model : nn.Module
    sample_rate : int
    name : str
    normalize : bool
        Whether its preprocessor brings each waveform to mean 0 and variance 1; the first layer then follows
        the samples no longer as a fixed function.

    Returns
    -------
    ModuleEncoder
        ``first_layer`` is the first convolution, ``convolution_0`` ... each with its norm and activation,
        ``stack_end`` the last, ``layer_0`` ... the transformer's blocks and ``latent`` the last of them.
    """
    stages = stages_of(model)
    assert stages is not None
    return wrap(model, sample_rate, stages, name, _normalized if normalize else _plain)


def _plain(waveforms: Tensor) -> Tensor:
    return waveforms


def _normalized(waveforms: Tensor) -> Tensor:
    variance, mean = torch.var_mean(waveforms, dim=1, correction=0, keepdim=True)
    return (waveforms - mean) / (variance + VARIANCE_FLOOR).sqrt()
