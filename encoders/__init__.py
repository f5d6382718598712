"""Who listens: encoders with named stages."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..synth.errors import InputError
    from .base import Encoder, ModuleEncoder, Stage
    from .conformance import check
    from .registry import available, load, register
    from .wrapping import wrap

# Imported on first use, so that a name costs torch only where it is needed.
_homes = {
    "Encoder": ".base",
    "InputError": "..synth.errors",
    "ModuleEncoder": ".base",
    "Stage": ".base",
    "available": ".registry",
    "check": ".conformance",
    "load": ".registry",
    "register": ".registry",
    "wrap": ".wrapping",
}

__all__ = [
    "Encoder", "InputError", "ModuleEncoder", "Stage", "available", "check", "load", "register", "wrap",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_homes[name], __name__), name)
