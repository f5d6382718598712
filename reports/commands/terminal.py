"""Where tables are printed."""

from __future__ import annotations

import sys

from rich.console import Console


def wide_console() -> Console:
    """Return a console as wide as its content where nobody reads it on a terminal."""
    return Console(width=None if sys.stdout.isatty() else 160)
