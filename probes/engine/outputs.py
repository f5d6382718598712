"""Where results may go, and where they are; apart from what reads and writes them, which loads slowly."""

from __future__ import annotations

from pathlib import Path

from ...synth.errors import InputError


def fresh(out: str | Path) -> Path:
    """Return a path that nothing lies at yet, or raise: what is there is somebody's."""
    if Path(out).exists():
        raise InputError(f"output {out}: exists already; remove it or choose another")
    return Path(out)


def finished(run: str | Path) -> Path:
    """Return the path of a run that lies there whole, or raise.

    Raises
    ------
    InputError
        If there is none, or work on it is not finished.
    """
    path = Path(run)
    if path.name.endswith(".partial") or path.parent.name.endswith(".partial"):
        raise InputError(
            f"run {path}: not finished; give the same 'tonotopy probe' again, it goes on from there"
        )
    if not path.exists():
        partial = path.with_name(path.name + ".partial")
        raise InputError(f"run {path}: {'not finished yet' if partial.exists() else 'no such folder'}")
    return path
