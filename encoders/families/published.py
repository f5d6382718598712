"""Models on the hub, or in a folder of its form, recognised by how they are built."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...synth.errors import InputError
from ..base import ModuleEncoder
from ..hub import quiet
from ..measuring import first_line
from ..weights import randomly_initialised
from . import oobleck
from .dac import dac, is_dac
from .encodec import codec_of, is_encodec
from .hidden_states import as_known, hidden_states, stages_of
from .places import place_of, state_of
from .seanet import is_mimi, is_wavtokenizer, mimi, wavtokenizer
from .vibevoice import is_vibevoice, vibevoice
from .xcodec import is_xcodec, xcodec
from .xcodec2 import is_xcodec2, xcodec2


def published(place: str, weights: str | Path = "pretrained", seed: int = 0) -> ModuleEncoder:
    """Return the encoder of a model on the hub, or in a folder; see `load`.

    Parameters
    ----------
    place : str
        "ORG/NAME", "ORG/NAME@REVISION", or a folder with ``config.json`` and safetensors.
    weights : {"pretrained", "random"} or path
        What is published there, drawn by transformers from the configuration, or a folder of the same form.
    seed : int
        Of the random initialisation.

    Raises
    ------
    InputError
        If transformers is not installed, there is no such model, it cannot be had, its weights do not fit, or
        it is of a kind that is not known.
    """
    there = place_of(place, with_weights=weights == "pretrained")
    own = there.folder if weights in ("pretrained", "random") else Path(weights)
    if there.about.get("_class_name") == oobleck.CLASS:
        model = oobleck.built(there.about, own, place, seed)
    else:
        model = _model(dict(there.about), own, place, seed)
    encoder = _encoder(model, there.preprocessor, place, seed)
    source = {"pretrained": "pretrained", "random": "random"}.get(str(weights), str(weights))
    weights_there = replace(encoder.weights, source=source)
    encoder.weights = weights_there.noted(f"{place}, commit {there.commit}" if there.commit else "")
    return encoder


def _model(about: dict[str, Any], folder: Path | None, place: str, seed: int) -> nn.Module:
    """Return the model of a configuration, in float32, with the weights of a folder or drawn."""
    transformers = _transformers()
    kind = str(about.get("model_type"))
    try:
        with quiet():
            config = transformers.AutoConfig.for_model(**as_known(about, place))
            made = _class_of(transformers, config)
    except InputError:
        raise
    except Exception as error:  # of whatever a configuration may hold
        raise InputError(
            f"encoder 'hf:{place}': config.json is of no model that transformers knows ({kind!r}: "
            f"{first_line(error)})"
        ) from None

    def build() -> nn.Module:
        with quiet():
            return made(copy.deepcopy(config))

    if folder is None:
        return randomly_initialised(build, seed).eval()
    info: dict[str, Any] = {}

    def fill() -> nn.Module:
        state = state_of(folder)
        with quiet():
            model, found = made.from_pretrained(
                None, config=copy.deepcopy(config), state_dict=state, output_loading_info=True,
                ignore_mismatched_sizes=True,  # named below
            )  # fmt: skip
        info.update(found)
        return model.float()

    model = randomly_initialised(fill, 0)  # what is missing is drawn before it is named
    lacking, shapes = sorted(info["missing_keys"]), sorted(info["mismatched_keys"])
    if lacking or shapes:
        what = f"lacks {lacking[0]!r}" if lacking else f"{shapes[0][0]!r} is {tuple(shapes[0][1])}"
        raise InputError(f"weights {folder}: of another architecture than its configuration: {what}")
    return model.eval()


def _encoder(model: Any, preprocessor: Mapping[str, Any], place: str, seed: int) -> ModuleEncoder:
    source = Source(Path(place.partition("@")[0]).name, preprocessor, seed)
    family = next((one for one in FAMILIES if one.recognises(model)), None)
    if family is None:
        raise InputError(
            f"encoder 'hf:{place}': {type(model).__name__} is built as none of "
            f"{', '.join(one.title for one in FAMILIES)}; "
            "`tonotopy.wrap` takes it with the names of its submodules"
        )
    return family.encoder(model, source)


@dataclass(frozen=True)
class Source:
    """Where a model is from.

    Parameters
    ----------
    name : str
        Of the encoder.
    preprocessor : mapping
        What its configuration holds.
    seed : int
        Of what is drawn.
    """

    name: str
    preprocessor: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class Family:
    """Models that are built alike.

    Parameters
    ----------
    title : str
    recognises : callable
        Whether a model is built so.
    encoder : callable
        (model, source) -> encoder
    """

    title: str
    recognises: Callable[[Any], bool]
    encoder: Callable[[Any, Source], ModuleEncoder]


def _hidden_states(model: Any, source: Source) -> ModuleEncoder:
    about = source.preprocessor
    rate = about.get("sampling_rate", getattr(model.config, "sample_rate", 16_000))  # of MERT's alone
    return hidden_states(model, int(rate), source.name, bool(about.get("do_normalize", False)))


def _vibevoice(model: Any, source: Source) -> ModuleEncoder:
    return vibevoice(model, source.name, int(source.preprocessor.get("sampling_rate", 24_000)))


FAMILIES = (
    Family(
        "Stable Audio's autoencoder", oobleck.is_oobleck, lambda model, at: oobleck.oobleck(model, at.name)
    ),
    Family("wav2vec 2.0 and its kin", lambda model: stages_of(model) is not None, _hidden_states),
    Family("EnCodec", is_encodec, lambda model, at: codec_of(at.name, model, "pretrained", at.seed)),
    Family("Mimi", is_mimi, lambda model, at: mimi(model, at.name, at.seed)),
    Family("WavTokenizer", is_wavtokenizer, lambda model, at: wavtokenizer(model, at.name, at.seed)),
    Family("X-Codec", is_xcodec, lambda model, at: xcodec(model, at.name, at.seed)),
    Family("X-Codec 2", is_xcodec2, lambda model, at: xcodec2(model, at.name)),
    Family("VibeVoice's tokenizer", is_vibevoice, _vibevoice),
    Family("DAC", is_dac, lambda model, at: dac(model, at.name)),
)


def _class_of(transformers: Any, config: Any) -> Any:
    """Return the class of the model that a configuration is of; nothing is allocated."""
    with torch.device("meta"):
        return type(transformers.AutoModel.from_config(copy.deepcopy(config)))


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise InputError("hf: needs transformers: pip install 'tonotopy[models]'") from None
    return transformers
