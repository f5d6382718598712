"""Weights: find, verify, load. Safetensors first; pickles only without their power to run code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..synth.errors import InputError


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes, types and bytes of a state dict, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict from safetensors, or from a pickle that holds nothing but tensors.

    Raises
    ------
    InputError
        If the file is missing, truncated, or a pickle of anything else (it is not run).
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"weights {path}: no such file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise InputError(f"weights {path}: not a whole safetensors file ({error})") from None
    except Exception as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"weights {path}: not a whole file of plain tensors, and nothing else is opened ({first_line[:120]})"
        ) from None
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"weights {path}: does not hold a mapping of names to tensors")
    return state


def fill(module: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Load a state dict, strictly; the error names the first tensor that does not fit.

    Raises
    ------
    InputError
        If a tensor is missing, left over, of another shape, or holds NaN or Inf.
    """
    own = module.state_dict()
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or extra:
        what = f"lacks {missing[0]!r}" if missing else f"has {extra[0]!r}, which the model lacks"
        raise InputError(
            f"weights {origin}: of another architecture: the file {what} "
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
    module.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in state.items()})


def randomly_initialised(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a module under a seed without touching the caller's random state."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()
