"""Hypotheses of one's own, from a Python file."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from ...synth.errors import InputError
from .hypothesis import Hypothesis


def hypotheses_in(file: str | Path) -> tuple[Hypothesis, ...]:
    """Return all hypotheses of a Python file, each by itself or in a list, in the order they are named.

    Parameters
    ----------
    file : path
        It is run.

    Raises
    ------
    InputError
        If there is no such file, it cannot be run, or holds no hypothesis.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError(f"hypotheses {file}: no such file")
    spec = spec_from_file_location(f"hypotheses_of_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"hypotheses {file}: no Python file")
    module = module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))  # it may import what lies beside it
    try:
        spec.loader.exec_module(module)
    except InputError:
        raise
    except Exception as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == path]
        line = lines[-1] if lines else getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise InputError(f"hypotheses {file}{where}: {type(error).__name__}: {error}") from None
    finally:
        sys.path.remove(str(path.resolve().parent))
    found = dict.fromkeys(one for value in vars(module).values() for one in _hypotheses(value))
    if not found:
        raise InputError(f"hypotheses {file}: holds no Hypothesis")
    return tuple(found)


def _hypotheses(value: object) -> Iterable[Hypothesis]:
    if isinstance(value, Hypothesis):
        return (value,)
    several = value if isinstance(value, list | tuple) else ()
    return tuple(one for one in several if isinstance(one, Hypothesis))
