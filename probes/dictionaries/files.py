"""Dictionaries in files: our own form, and those of SAELens 5 and 6 and of sparsify."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save
from torch import Tensor

from ...encoders.training.folder import replace_file
from ...encoders.weights import read_metadata, read_state
from ...synth.errors import InputError
from .dictionary import Dictionary, Origin

Form = Literal["tonotopy", "saelens", "sparsify"]
CONFIG = "cfg.json"
WEIGHTS = {
    "tonotopy": "dictionary.safetensors",
    "saelens": "sae_weights.safetensors",
    "sparsify": "sae.safetensors",
}
_KEY = "dictionary"  # of our own configuration, in the file of weights
_OUTPUT = re.compile(r"(?:^|[._/])(?:blocks|layers|layer|h)[._/](\d+)(?:\.hook_resid_(pre|post))?$")


def read_dictionary(path: str | Path) -> Dictionary:
    """Read a dictionary, in whichever form it is.

    Parameters
    ----------
    path : path
        A folder, or the file of weights in it. The form follows from the tensors in it.

    Returns
    -------
    dictionary : Dictionary
        In float32. What a form applies on the way (scaling by decoder norms, a factor of fine-tuning) is
        part of the weights. A "standard" one of SAELens, which keeps whatever is positive, is a
        ``jumprelu`` with thresholds of zero.

    Raises
    ------
    InputError
        If files are missing, truncated or of no known form, tensors do not fit the configuration or are not
        finite, there is no `k`, or the dictionary does what cannot be part of weights.

    Notes
    -----
    Source: SAELens 5.3.2 and 6.54 (``sae.py``, ``saes/topk_sae.py``, ``saes/jumprelu_sae.py``), sparsify
    1.3.3 (``sparse_coder.py``, ``fused_encoder.py``). SAELens takes 100 for a `k` that is missing; nothing
    is guessed here.
    """
    file = _weights_file(Path(path))
    state = read_state(file)
    if "encoder.weight" in state:
        reader = _from_sparsify
    elif "W_enc" in state:
        reader = _from_saelens
    elif "decoder" in state:
        reader = _from_own
    else:
        held = ", ".join(sorted(state)[:4]) or "nothing"
        raise InputError(f"dictionary {file}: of no known form: it holds {held}")
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            raise InputError(f"dictionary {file}: {name!r} is of {tensor.dtype}: must be floating point")
    try:
        return reader(file, {name: tensor.float() for name, tensor in state.items()})
    except InputError as error:
        text = str(error)
        raise InputError(text if str(file.parent) in text else f"dictionary {file}: {text}") from None


def write_dictionary(dictionary: Dictionary, path: str | Path, form: Form = "tonotopy") -> None:
    """Write a dictionary into a folder.

    Parameters
    ----------
    dictionary : Dictionary
    path : path
        A folder; it need not exist.
    form : {"tonotopy", "saelens", "sparsify"}
        Of SAELens 6, which has one that keeps what is above a threshold too: it is a ``jumprelu`` there.
        sparsify has none, and always centres: what `centred` says is made part of the encoder's bias.

    Raises
    ------
    InputError
        If the form is not known, or has no such dictionary.
    """
    writers = {"tonotopy": _to_own, "saelens": _to_saelens, "sparsify": _to_sparsify}
    if form not in writers:
        raise InputError(f"form {form!r}: must be one of {', '.join(writers)}")
    tensors, config, metadata = writers[form](dictionary)
    Path(path).mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    if config is not None:
        replace_file(Path(path) / CONFIG, json.dumps(config, indent=1).encode())
    replace_file(Path(path) / WEIGHTS[form], save(contiguous, metadata=metadata))


def _weights_file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"dictionary {path}: no such folder or file")
    found = [path / name for name in WEIGHTS.values() if (path / name).is_file()]
    if len(found) == 1:
        return found[0]
    what = " and ".join(file.name for file in found) or f"none of {', '.join(WEIGHTS.values())}"
    raise InputError(f"dictionary {path}: holds {what}; it must hold one of them")


def _config(file: Path) -> dict[str, Any]:
    path = file.with_name(CONFIG)
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"dictionary {file}: {CONFIG} is not beside it") from None
    except (ValueError, OSError) as error:
        raise InputError(f"dictionary {path}: cannot be read as JSON ({error})") from None
    if not isinstance(config, dict):
        raise InputError(f"dictionary {path}: must be an object of names and values")
    return config


def _take(state: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]], where: str) -> list[Tensor]:
    """Return tensors by name; the first that is missing, left over or of another shape is an error."""
    for name, shape in shapes.items():
        if name not in state:
            raise InputError(f"lacks the tensor {name!r}")
        if tuple(state[name].shape) != tuple(shape):
            raise InputError(f"{name!r} is {tuple(state[name].shape)}: {where} says {tuple(shape)}")
    for name in sorted(state.keys() - shapes.keys()):
        raise InputError(f"has the tensor {name!r}, which has no place in such a dictionary")
    return [state[name] for name in shapes]


def _whole(config: Mapping[str, Any], name: str, least: int = 1) -> int:
    value = config.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        shown = "missing" if value is None else repr(value)
        raise InputError(f"{name} in its configuration is {shown}: must be a whole number from {least} on")
    return value


def _must_be(config: Mapping[str, Any], name: str, allowed: Sequence[Any]) -> Any:
    """Return a setting, the first of those allowed where it is missing; any other is an error."""
    value = config.get(name, allowed[0])
    if value not in allowed:
        wanted = " or ".join(str(one) for one in allowed)
        raise InputError(f"{name} is {value!r}: only {wanted} can be read")
    return value


def _flag(config: Mapping[str, Any], name: str, usual: bool) -> bool:
    return _must_be(config, name, (usual, not usual))


# tonotopy


def _to_own(dictionary: Dictionary) -> tuple[dict[str, Tensor], None, dict[str, str]]:
    names = ("encoder", "encoder_bias", "decoder", "decoder_bias")
    tensors = {name: getattr(dictionary, name) for name in names}
    if dictionary.threshold is not None:
        tensors["threshold"] = dictionary.threshold
    config = {
        "activation": dictionary.activation,
        "k": dictionary.k,
        "centred": dictionary.centred,
        "origin": asdict(dictionary.origin),
    }
    return tensors, None, {_KEY: json.dumps(config)}


def _from_own(file: Path, state: dict[str, Tensor]) -> Dictionary:
    stored = read_metadata(file, _KEY)
    if stored is None:
        raise InputError("has no configuration in it: must be a .safetensors file that this library wrote")
    try:
        config = json.loads(stored)
        origin = Origin(**config.pop("origin"))
        return Dictionary(**state, **config, origin=origin)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"its tensors and the configuration in it make no dictionary ({error})") from None


# SAELens


def _to_saelens(dictionary: Dictionary) -> tuple[dict[str, Tensor], dict[str, Any], None]:
    origin = dictionary.origin
    tensors = {
        "W_enc": dictionary.encoder,
        "b_enc": dictionary.encoder_bias,
        "W_dec": dictionary.decoder,
        "b_dec": dictionary.decoder_bias,
    }
    config: dict[str, Any] = {
        "architecture": "topk",
        "d_in": dictionary.width,
        "d_sae": dictionary.features,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": dictionary.centred,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "model_name": origin.model,
            "hook_name": origin.stage,
            "weights_sha256": origin.weights_sha256,
            "note": origin.note,
        },
    }
    if dictionary.threshold is None:
        return tensors, {**config, "k": dictionary.k, "rescale_acts_by_decoder_norm": False}, None
    return tensors | {"threshold": dictionary.threshold}, {**config, "architecture": "jumprelu"}, None


def _from_saelens(file: Path, state: dict[str, Tensor]) -> Dictionary:
    config = _config(file)
    d, m = _whole(config, "d_in"), _whole(config, "d_sae")
    kind = _saelens_kind(config)
    for name, allowed in {
        "normalize_activations": ("none", False),
        "hook_head_index": (None,),
    }.items():
        _must_be(config, name, allowed)
    shapes = {"W_enc": (d, m), "b_enc": (m,), "W_dec": (m, d), "b_dec": (d,)}
    factor = _finetuning_factor(config, state, m)
    if kind == "jumprelu":
        shapes["threshold"] = (m,)
    encoder, encoder_bias, decoder, decoder_bias, *threshold = _take(state, shapes, CONFIG)
    if kind == "topk" and _flag(config, "rescale_acts_by_decoder_norm", False):
        norms = decoder.norm(dim=1)
        if not (norms > 0).all():
            raise InputError("a decoder row is zero: rescale_acts_by_decoder_norm divides by its norm")
        encoder, encoder_bias, decoder = encoder * norms, encoder_bias * norms, decoder / norms[:, None]
    return Dictionary(
        encoder=encoder,
        encoder_bias=encoder_bias,
        decoder=decoder * factor[:, None],
        decoder_bias=decoder_bias,
        k=_saelens_k(config) if kind == "topk" else 0,
        activation="topk" if kind == "topk" else "jumprelu",
        threshold=None if kind == "topk" else threshold[0] if threshold else torch.zeros(m),
        centred=_flag(config, "apply_b_dec_to_input", True),
        origin=_saelens_origin(config),
    )


def _saelens_kind(config: Mapping[str, Any]) -> str:
    """Return "topk", "jumprelu" or "standard"; version 5 says it in two places."""
    kind = _must_be(config, "architecture", ("standard", "topk", "jumprelu"))
    function = config.get("activation_fn_str", config.get("activation_fn"))
    if function is None:
        return kind
    _must_be({"activation function": function}, "activation function", ("relu", "topk"))
    if function == "topk" and kind == "standard":
        return "topk"
    if (function == "topk") != (kind == "topk"):
        raise InputError(f"architecture {kind!r} and activation function {function!r}: contradict each other")
    return kind


def _saelens_k(config: Mapping[str, Any]) -> int:
    """Return k, which version 5 keeps with the activation function."""
    arguments = config.get("activation_fn_kwargs") or {}
    if not isinstance(arguments, dict):
        raise InputError(f"activation_fn_kwargs is {arguments!r}: must be names and values")
    found = [_whole(place, "k") for place in (config, arguments) if "k" in place]
    if not found:
        raise InputError("k is missing from its configuration: how many features a row has cannot be guessed")
    if len(set(found)) > 1:
        raise InputError(f"k is {found[0]} in one place of its configuration and {found[1]} in another")
    return found[0]


def _finetuning_factor(config: Mapping[str, Any], state: dict[str, Tensor], m: int) -> Tensor:
    """Take the factors of features that version 5 may have; ones where there are none."""
    names = [name for name in ("finetuning_scaling_factor", "scaling_factor") if name in state]
    if not names:
        return torch.ones(m)
    factor = state.pop(names[0])
    if tuple(factor.shape) != (m,):
        raise InputError(f"{names[0]!r} is {tuple(factor.shape)}: {CONFIG} says {(m,)}")
    if not _flag(config, "finetuning_scaling_factor", False) and not (factor == 1).all():
        raise InputError(f"has the tensor {names[0]!r}, and its configuration says that it is not used")
    return factor


def _saelens_origin(config: Mapping[str, Any]) -> Origin:
    metadata = config.get("metadata") if isinstance(config.get("metadata"), dict) else {}
    known = {**config, **(metadata or {})}
    hook = known.get("hook_name", known.get("hook_point"))
    stage = stage_of(_text(hook), known.get("hook_layer", known.get("hook_point_layer")))
    return Origin(
        model=_text(known.get("model_name")),
        stage=stage,
        weights_sha256=_text(known.get("weights_sha256")),
        note=_text(known.get("note")) or (f"hook {hook}" if hook and stage != hook else ""),
    )


def stage_of(hook: str, layer: object = None) -> str:
    """Return the stage that a hook is at: ``layer_5`` for the residual stream after layer 5.

    The stream before a layer is that after the one before. A hook of anything else keeps its own name.

    Parameters
    ----------
    hook : str
        Empty where only the layer is known.
    layer : int, optional

    Raises
    ------
    InputError
        If the layer is not that in the hook's name.

    Examples
    --------
    >>> stage_of("blocks.5.hook_resid_post", 5), stage_of("decoder.model.decoder.layers.5"), stage_of("", 5)
    ('layer_5', 'layer_5', 'layer_5')
    >>> stage_of("blocks.5.hook_resid_pre"), stage_of("blocks.5.hook_mlp_out", 5)
    ('layer_4', 'blocks.5.hook_mlp_out')
    """
    numbers = [int(one) for one in re.findall(r"(?:^|[._/])(?:blocks|layers|layer|h)[._/](\d+)", hook)]
    has_layer = isinstance(layer, int) and not isinstance(layer, bool)
    if has_layer and numbers and layer not in numbers:
        raise InputError(f"hook_layer {layer} and hook_name {hook!r}: name different layers")
    if found := _OUTPUT.search(hook):
        after = int(found[1]) - (found[2] == "pre")
        return f"layer_{after}" if after >= 0 else hook
    return f"layer_{layer}" if has_layer and not numbers else hook


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# sparsify


def _to_sparsify(dictionary: Dictionary) -> tuple[dict[str, Tensor], dict[str, Any], None]:
    if dictionary.activation != "topk":
        raise InputError(f"activation {dictionary.activation!r}: the form sparsify has topk only")
    shift = 0.0 if dictionary.centred else dictionary.decoder_bias @ dictionary.encoder
    tensors = {
        "encoder.weight": dictionary.encoder.T,
        "encoder.bias": dictionary.encoder_bias + shift,
        "W_dec": dictionary.decoder,
        "b_dec": dictionary.decoder_bias,
    }
    config = {
        "activation": "topk",
        "num_latents": dictionary.features,
        "k": dictionary.k,
        "multi_topk": False,
        "skip_connection": False,
        "transcode": False,
        "d_in": dictionary.width,
        "origin": asdict(dictionary.origin),
    }
    return tensors, config, None


def _from_sparsify(file: Path, state: dict[str, Tensor]) -> Dictionary:
    config = _config(file)
    _must_be(config, "activation", ("topk",))
    for name in ("skip_connection", "transcode"):
        _must_be(config, name, (False,))
    d, m = _whole(config, "d_in"), config.get("num_latents")
    m = _whole(config, "num_latents") if m else d * _whole(config, "expansion_factor")
    shapes = {"encoder.weight": (m, d), "encoder.bias": (m,), "W_dec": (m, d), "b_dec": (d,)}
    encoder, encoder_bias, decoder, decoder_bias = _take(state, shapes, CONFIG)
    origin = config.get("origin")
    known = {name: _text(value) for name, value in origin.items()} if isinstance(origin, dict) else {}
    return Dictionary(
        encoder=encoder.T.contiguous(),
        encoder_bias=encoder_bias,
        decoder=decoder,
        decoder_bias=decoder_bias,
        k=_whole(config, "k"),
        activation="topk",
        centred=True,
        origin=Origin(**{name: known.get(name, "") for name in asdict(Origin())}),
    )
