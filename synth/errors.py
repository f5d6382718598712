"""The one error that users see: bad input, in one line."""

from __future__ import annotations

from collections.abc import Collection


class InputError(ValueError):
    """Input the library cannot use; the message names the thing, its value and what is allowed.

    The command line prints it as one line and exits with code 2.
    """


def near(name: str, known: Collection[str]) -> str:
    """Ask whether another of the known names was meant: " (did you mean tiling?)"; nothing if none is alike.

    Examples
    --------
    >>> near("tilling", ["tiling", "aliasing"]), near("drums", ["tiling", "aliasing"])
    (' (did you mean tiling?)', '')
    """
    from difflib import get_close_matches

    alike = get_close_matches(str(name), known, 2, 0.7)
    return f" (did you mean {' or '.join(alike)}?)" if alike else ""
