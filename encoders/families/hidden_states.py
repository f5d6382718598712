"""wav2vec 2.0 and its kin: convolutions on the waveform, and a transformer behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...synth.errors import InputError
from ..base import ModuleEncoder, Stage
from ..geometry import Geometry, layer_of, stage_at
from ..wrapping import wrap_known

MERT_TYPES = ("mert_model", "music2vec")
MERT_PARTS = {"feature_extractor_cqt": False, "attention_relax": -1.0, "deepnorm": False}  # none at work
VARIANCE_FLOOR = 1e-7  # as transformers' Wav2Vec2FeatureExtractor has it


def as_known(about: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a configuration as transformers knows it: MERT's, which has code of its own, as HuBERT's.

    Parameters
    ----------
    about : mapping
        What a ``config.json`` holds.
    place : str
        Where it was found, for the errors.

    Raises
    ------
    InputError
        If it is of a MERT that is no HuBERT.

    Examples
    --------
    >>> as_known({"model_type": "mert_model", "hidden_size": 768}, "m-a-p/MERT-v1-95M")["model_type"]
    'hubert'
    """
    if about.get("model_type") not in MERT_TYPES:
        return dict(about)
    for key, usual in MERT_PARTS.items():
        if about.get(key, usual) != usual:
            raise InputError(
                f"encoder 'hf:{place}': {key} {about[key]!r}: a part of MERT that HuBERT has not; "
                f"must be {usual}"
            )
    return {**about, "model_type": "hubert"}


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
    taps = stages_of(model)
    assert taps is not None
    prepare = _normalized if normalize else _plain
    return wrap_known(model, sample_rate, taps, geometry_of(model, taps, not normalize), name, prepare)


def geometry_of(model: nn.Module, taps: Mapping[str, str], bounded: bool) -> dict[str, Stage]:
    """Return what is known of the stages of a model of hidden states.

    Parameters
    ----------
    model : nn.Module
    taps : mapping of str to str
        Of `stages_of`.
    bounded : bool
        Whether it is played the waveforms themselves: what brings them to one variance sees all of them.
    """
    geometry, found = Geometry(), {}
    layers: Any = model.get_submodule("feature_extractor.conv_layers")
    for i, layer in enumerate(layers):
        geometry = geometry.then(layer_of(layer.conv))
        if i == 0:
            kind = "convolution" if bounded else "nonlinear"
            found["first_layer"] = stage_at("first_layer", geometry, bounded, kind)
        bounded = bounded and not any(isinstance(part, nn.GroupNorm) for part in layer.modules())
        stage = f"convolution_{i}" if i < len(layers) - 1 else "stack_end"
        found[stage] = stage_at(stage, geometry, bounded)
    return found | {stage: stage_at(stage, geometry, False) for stage in taps if stage not in found}


def _plain(waveforms: Tensor) -> Tensor:
    return waveforms


def _normalized(waveforms: Tensor) -> Tensor:
    variance, mean = torch.var_mean(waveforms, dim=1, correction=0, keepdim=True)
    return (waveforms - mean) / (variance + VARIANCE_FLOOR).sqrt()
