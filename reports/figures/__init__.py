"""Figures: one module per figure, each from xarray to an `Illustration`; `figures.NAME` finds one by name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages
from typing import Any

from .drawing import Illustration

__all__ = ["Illustration"]


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        for module in walk_packages(__path__, f"{__name__}."):
            if not module.ispkg and hasattr(found := import_module(module.name), name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
