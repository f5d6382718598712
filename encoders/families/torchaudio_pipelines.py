"""The pipelines of torchaudio by name: wav2vec 2.0 and its kin, and source separation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...synth.errors import InputError
from ..base import ModuleEncoder
from ..measuring import first_line
from ..weights import fill_from, randomly_initialised
from ..wrapping import wrap_known
from .hidden_states import geometry_of, stages_of
from .known import check_bundle
from .separators import conv_tasnet, hybrid_demucs, is_conv_tasnet, is_hybrid_demucs


def pipeline(name: str, weights: str | Path = "pretrained", seed: int = 0) -> ModuleEncoder:
    """Return the encoder of one of torchaudio's pipelines; see `load`.

    Parameters
    ----------
    name : str
        As in ``torchaudio.pipelines``: "WAV2VEC2_BASE", "HDEMUCS_HIGH_MUSDB" ...
    weights : {"pretrained", "random"} or path
        As published, fetched by torchaudio if they are not there yet; drawn; or a state dict of the model.
    seed : int
        Of the random initialisation.

    Raises
    ------
    InputError
        If there is no such pipeline, or its weights cannot be had or do not fit.
    """
    check_bundle(name)
    import torchaudio

    bundle: Any = getattr(torchaudio.pipelines, name)
    build = _builder(bundle)
    model = _fetched(bundle, name) if weights == "pretrained" else randomly_initialised(build, seed)
    note = "" if weights in ("pretrained", "random") else fill_from(model, weights)
    encoder = encoder_of(model.eval(), bundle, name, build)
    encoder.weights = replace(encoder.weights, source=str(weights)).noted(note)
    return encoder


def encoder_of(model: Any, bundle: Any, name: str, build: Callable[[], nn.Module]) -> ModuleEncoder:
    """Make an encoder of a pipeline's model.

    Parameters
    ----------
    model : nn.Module
        By itself, without what a bundle puts around it.
    bundle : Wav2Vec2Bundle or SourceSeparationBundle
    name : str
    build : callable
        Returns such a model, untrained.
    """
    rate = int(bundle.sample_rate)
    if is_conv_tasnet(model):
        return conv_tasnet(model, rate, name, build)
    if is_hybrid_demucs(model):
        return hybrid_demucs(model, rate, name, build)
    taps = stages_of(model)
    assert taps is not None
    normalizes = bool(bundle._normalize_waveform)
    stages = geometry_of(model, taps, not normalizes)
    return wrap_known(model, rate, taps, stages, name, _normalized if normalizes else _plain, make=build)


def _builder(bundle: Any) -> Callable[[], nn.Module]:
    """Return what builds the architecture of a bundle, untrained."""
    if hasattr(bundle, "_model_factory_func"):
        return bundle._model_factory_func
    from torchaudio.models import wav2vec2_model, wavlm_model

    make = {"Wav2Vec2": wav2vec2_model, "WavLM": wavlm_model}[bundle._model_type]
    return lambda: make(**bundle._params)


def _fetched(bundle: Any, name: str) -> nn.Module:
    """Return a bundle's own model with its weights, without what brings waveforms to one variance."""
    options = {}
    if hasattr(bundle, "_model_type"):  # of separation none are taken, and weights are read so anyway
        options = {"dl_kwargs": {"weights_only": True, "progress": sys.stderr.isatty()}}
    try:
        model = bundle.get_model(**options)
    except Exception as error:  # of the network, of the disk, of a file that is another
        raise InputError(
            f"weights torchaudio:{name}: not in the cache ({torch.hub.get_dir()}) and not to be had "
            f"({first_line(error)}); give weights='random', or the path of a file you have"
        ) from None
    return getattr(model, "model", model)


def _plain(waveforms: Tensor) -> Tensor:
    return waveforms


def _normalized(waveforms: Tensor) -> Tensor:  # each by itself, where torchaudio takes a batch together
    return functional.layer_norm(waveforms, waveforms.shape[1:])
