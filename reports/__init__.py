"""What is told: measures -> figures, pages, command line."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .html import report

__all__ = ["report"]


def __getattr__(name: str) -> Any:
    # imported on first use, so that the command line's help does not wait for torch
    if name != "report":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .html import report

    return report
