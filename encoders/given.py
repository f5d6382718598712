"""What `wrap` is given, in one form."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..synth.errors import InputError
from .base import CANONICAL_STAGES


@dataclass(frozen=True)
class Given:
    """What `wrap` was given, in one form."""

    sample_rate: int
    stages: Mapping[str, str]
    name: str
    prepare: Callable[[Tensor], Any] | None
    fixed: tuple[str, ...]
    decoder: Callable[[nn.Module, Tensor], Any] | None
    make: Callable[[], nn.Module] | None
    piece: int | None


def named(stages: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """Return stages by name; those that are given as submodules alone by the submodule's."""
    if isinstance(stages, Mapping):
        return dict(stages)
    names = [stages] if isinstance(stages, str) else stages
    return {name: name for name in names}


def uncompiled(module: nn.Module, names: Sequence[str]) -> tuple[nn.Module, list[str]]:
    """Return what `torch.compile` was given, and names of submodules as they are in that.

    Examples
    --------
    >>> uncompiled(nn.ReLU(), [""])
    (ReLU(), [''])
    """
    while isinstance(inner := getattr(module, "_orig_mod", None), nn.Module):
        module = inner
        names = [re.sub(r"^_orig_mod(\.|$)", "", name) for name in names]
    return module, list(names)


def warn_of_near_names(stages: Mapping[str, str]) -> None:
    """Warn of names that are nearly canonical."""
    for stage in stages:
        near = difflib.get_close_matches(stage, CANONICAL_STAGES, 1, 0.8)
        if near and stage not in CANONICAL_STAGES and not re.fullmatch(r"quantized_\d+", stage):
            warnings.warn(
                f"stage {stage!r}: is taken for the model's own name; the canonical one is {near[0]!r}",
                stacklevel=3,
            )


def check_holds_values(name: str, module: nn.Module) -> None:
    """Raise where tensors lie on the meta device."""
    for key, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.device.type == "meta":
            raise InputError(
                f"{name}: {key} lies on the meta device and holds no values; load its weights first"
            )


def whole(name: str, value: Any) -> int:
    """Return a number of samples as int; numpy's and 16000.0 are such too."""
    try:
        found = int(value)
        if found > 0 and found == value and not isinstance(value, bool | str):
            return found
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{name} {value!r}: must be a whole number of samples above 0")
