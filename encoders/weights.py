"""Weights: find, verify, load. Safetensors first; pickles only without their power to run code."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.weight_norm import WeightNorm

from ..synth.errors import InputError
from .base import Weights
from .checkpoints import read_whole, state_in
from .state_names import as_named

Config = TypeVar("Config")
COUNTS = ("num_batches_tracked",)  # which older checkpoints lack, and nothing follows from


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes, types and bytes of a state dict, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def tensors_in(module: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a module's state, which may hold other things; quantized ones as integers."""
    state = {key: value for key, value in module.state_dict().items() if isinstance(value, Tensor)}
    return {key: value.int_repr() if value.is_quantized else value for key, value in state.items()}


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict from safetensors, a NumPy archive, or a pickle of tensors and plain values alone.

    Of a training's checkpoint it is the part that is named as usual (`checkpoints.NESTED`), or the only part
    that is one; see `read_checkpoint`.

    Raises
    ------
    InputError
        If the file is missing, truncated, or a pickle of anything else (it is not run); if it holds no state
        dict, or several of which none is named as usual.
    """
    return read_checkpoint(path)[0]


def read_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], str]:
    """Do what `read_state` does, and say where in the file the state dict lay.

    As in "of 'best_state.model' in the file"; "" if it is all that the file holds.

    Parameters
    ----------
    path : path
        A file, or a folder; see `read_whole`.
    """
    found, form = read_whole(Path(path))
    state, where = state_in(found, str(path))
    return state, "; ".join(filter(None, [form, where]))


def read_metadata(path: Path, key: str) -> str | None:
    """Return what a safetensors file says of itself under a key; None for nothing, and for other files.

    Raises
    ------
    InputError
        If a ``.safetensors`` file is missing or is not one.
    """
    if path.suffix != ".safetensors":
        return None
    if not path.is_file():
        raise InputError(f"weights {path}: no such file")
    try:
        with safe_open(path, framework="pt") as opened:
            return (opened.metadata() or {}).get(key)
    except (SafetensorError, OSError) as error:
        raise InputError(f"weights {path}: not a whole safetensors file ({error})") from None


def stored_config(path: Path, key: str, make: Callable[..., Config]) -> Config | None:
    """Return the configuration that a file of weights stores under a key; None where none is stored.

    Parameters
    ----------
    path : Path
    key : str
    make : callable
        Makes it of what is stored, names and values; lists come as tuples.

    Raises
    ------
    InputError
        If the file is no safetensors file, or the configuration is not one.
    """
    stored = read_metadata(path, key)
    if stored is None:
        return None

    def hook(values: dict[str, Any]) -> dict[str, Any]:
        return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}

    try:
        return make(**json.loads(stored, object_hook=hook))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"weights {path}: the configuration stored in it is unusable ({error})") from None


def download(url: str, hash_prefix: str) -> Path:
    """Return the file behind `url` from torch hub's cache; it is downloaded if it is not there yet.

    It appears in the cache whole or not at all, and is verified every time.

    Parameters
    ----------
    url : str
        Where it is published.
    hash_prefix : str
        First hexadecimal digits of the file's SHA-256, as far as its publisher states them.

    Raises
    ------
    InputError
        If it cannot be had, or is not the file that was published.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix, progress=sys.stderr.isatty())
        except (OSError, RuntimeError, HTTPException) as error:
            raise InputError(
                f"weights {path.name}: not in the cache ({path.parent}) and not to be had from {url} "
                f"({str(error).splitlines()[0] if str(error) else type(error).__name__}); "
                "give weights='random', or the path of a file you have"
            ) from None
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(hash_prefix):
        raise InputError(
            f"weights {path}: SHA-256 {found[:16]}... does not begin with {hash_prefix}: delete it and retry"
        )
    return path


def no_weights(name: str, weights: str | Path, module: nn.Module, note: str = "") -> Weights:
    """Return the `Weights` of an encoder that has none to load: its constants are hashed.

    Raises
    ------
    InputError
        If `weights` is a path.
    """
    if weights not in ("pretrained", "random"):
        raise InputError(f"weights {weights}: {name} has no weights; leave the argument out")
    return Weights("none", state_sha256(module.state_dict()), note)


def fill(module: nn.Module, state: Mapping[str, Tensor], origin: str) -> str:
    """Load a state dict, strictly; the error names the first tensors that do not fit.

    Names may be those of another form, as under "module." of `DataParallel`: see `as_named`.

    Returns
    -------
    note : str
        In which form the state dict was, and what of it was left out; empty if there is nothing to say.

    Raises
    ------
    InputError
        If a tensor is missing, left over, of another shape, or holds NaN or Inf.
    """
    own = tensors_in(module)
    others = {key: value for key, value in module.state_dict().items() if key not in own}
    state, note = as_named(state, own)
    counts = {key: value for key, value in own.items() if key.endswith(COUNTS) and key not in state}
    state = {**state, **counts}
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or extra:
        what = f"lacks {_first(missing)}" if missing else f"has {_first(extra)}, which the model lacks"
        beside = f", and has {_first(extra)}" if missing and extra else ""
        raise InputError(
            f"weights {origin}: of another architecture: the file {what}{beside} "
            f"({len(missing)} tensors missing, {len(extra)} left over)"
        )
    for name, tensor in state.items():
        if tensor.shape != own[name].shape:
            raise InputError(
                f"weights {origin}: of another architecture: {name!r} is {tuple(tensor.shape)}, "
                f"the model needs {tuple(own[name].shape)}"
            )
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"weights {origin}: {name!r} holds NaN or Inf")
    module.load_state_dict({n: tensor.to(own[n].dtype) for n, tensor in state.items()} | others)
    return note


def fill_from(module: nn.Module, path: str | Path) -> str:
    """Do what `fill` does with a file; return what is to be said of both."""
    state, where = read_checkpoint(path)
    form = fill(module, state, str(path))
    return "; ".join(filter(None, [where, form]))


def _first(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(map(repr, names[:most])) + " ..." * (len(names) > most)


def randomly_initialised(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a module under a seed without touching the caller's random state."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a module itself by name; those under a weight norm as they take effect."""
    found: dict[str, Tensor] = dict(module.named_parameters(recurse=False))
    for norm in weight_norms(module):
        for part in (f"{norm.name}_g", f"{norm.name}_v"):
            found.pop(part)
        found[norm.name] = norm.compute_weight(module)
    if parametrize.is_parametrized(module):
        for name in module.get_submodule("parametrizations")._modules:
            found[name] = getattr(module, name)
    return found


def set_weights(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a module other weights, as `weights_of` returned them.

    Raises
    ------
    RuntimeError, NotImplementedError
        If a parametrisation does not say which parameters give them.
    """
    norms = {norm.name: norm for norm in weight_norms(module)}
    for name, values in weights.items():
        if name in norms:
            getattr(module, f"{name}_g").copy_(torch.norm_except_dim(values, 2, norms[name].dim))
            getattr(module, f"{name}_v").copy_(values)
            setattr(module, name, norms[name].compute_weight(module))
        elif parametrize.is_parametrized(module, name):
            setattr(module, name, values)
            _settle_spectral_norms(module, name)
        else:
            getattr(module, name).copy_(values)


def _settle_spectral_norms(module: nn.Module, name: str) -> None:
    """Let spectral norms find the norm of the weights that are there now."""
    weights: Any = module.get_submodule("parametrizations")[name]  # type: ignore[index]
    for one in weights:
        if hasattr(one, "_power_method"):
            one._power_method(one._reshape_weight_to_matrix(weights.original), 50)


def weight_norms(module: nn.Module) -> list[WeightNorm]:
    """Return the weight norms of a module itself, in torch's older form."""
    return [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, WeightNorm)]


def with_weights(network: nn.Module, fixed: Sequence[str] = ()) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that have weights of their own and are not fixed, by name."""
    for name, module in network.named_modules():
        is_parametrisation = "parametrizations" in name.split(".")
        if not is_parametrisation and not is_fixed(name, fixed) and weights_of(module):
            yield name, module


def is_fixed(name: str, fixed: Sequence[str]) -> bool:
    """Whether a submodule of a name is one of those that stay as they are, or in one of them."""
    return any(name == one or name.startswith(f"{one}.") or not one for one in fixed)
