"""Encoders from a file of one's own: `my_codec.py:make`, `package.module:make`, `codec.onnx`."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..synth.errors import InputError, near

if TYPE_CHECKING:
    from .base import Encoder

ONNX = ".onnx"
USUAL = "make"  # the function where a name says none
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")  # of the hub
OURS = (
    "filterbank",
    "control",
    "hf",
    "torchaudio",
)  # what stands before a colon in names of the library's own


def names_a_file(name: str) -> bool:
    """Whether a name is that of a file or a module, rather than of an encoder of the library.

    Examples
    --------
    >>> names_a_file("my_codec.py"), names_a_file("package.module:make"), names_a_file("control:decimator")
    (True, True, False)
    """
    place, function = _parts(name)
    if place.endswith((".py", ONNX)):
        return True
    return ":" in name and place not in OURS and all(p.isidentifier() for p in (*place.split("."), function))


def check_there(name: str) -> None:
    """Raise unless the file of a name is there, or its package is installed; nothing of it is run.

    Raises
    ------
    InputError
        If it is not.
    """
    place, _ = _parts(name)
    if place.endswith((".py", ONNX)):
        if not Path(place).is_file():
            raise InputError(f"encoder {name!r}: no such file {place}")
        return
    with _importable_from(Path.cwd()):
        if find_spec(place.split(".")[0]) is None:
            raise InputError(
                f"encoder {name!r}: no package {place.split('.')[0]!r} is installed or lies here, and it is "
                "no encoder of the library's, which `tonotopy encoders` lists"
            )


def check_place(place: str) -> None:
    """Raise unless a place is a folder that is there, or may be a repository of the hub.

    Raises
    ------
    InputError
        If it is neither.
    """
    if not Path(place).is_dir() and not REPOSITORY.fullmatch(place):
        raise InputError(f"encoder 'hf:{place}': neither a folder that is there nor ORG/NAME of the hub")


def load_from_file(name: str, weights: str | Path, seed: int, options: Mapping[str, object]) -> Encoder:
    """Return the encoder that a function of somebody's own returns; see `load`.

    Parameters
    ----------
    name : str
        "my_codec.py:make" or "package.module:make"; the function is `make` if left out. Or "codec.onnx".
    weights : {"pretrained", "random"} or path
        As the function returns it; drawn anew by what `Redraws` says; or of a file.
    seed : int
        Of what is drawn.
    options : mapping of str to object
        Given to the function.

    Raises
    ------
    InputError
        If there is no such file or function, it raises, or returns no encoder; or weights do not fit.
    """
    from .abilities import Redraws

    place, function = _parts(name)
    if place.endswith(ONNX):
        from .onnx_files import onnx_file

        return onnx_file(place, weights, seed, **options)  # type: ignore[arg-type]
    with _importable_from(Path(place).resolve().parent if place.endswith(".py") else Path.cwd()):
        with _named_in_errors(name, place):
            module = _module_of(place)
        make = _function_of(module, name, function)
        given = dict(options)
        is_file = str(weights) not in ("pretrained", "random")
        if own := is_file and "weights" in inspect.signature(make).parameters:
            given["weights"] = weights
        try:
            inspect.signature(make).bind(**given)
        except TypeError as error:
            raise InputError(
                f"encoder {name!r}: {function} is called as {function}({', '.join(given)}): {error}"
            ) from None
        with _named_in_errors(name, place):
            encoder = make(**given)
    _check_is_encoder(encoder, name, function)
    if weights == "random":
        if not isinstance(encoder, Redraws):
            raise InputError(f"encoder {name!r}: nothing says how its weights are drawn; `wrap` would")
        return encoder.randomised(seed)
    if is_file and not own:
        fill = getattr(encoder, "filled", None)
        if fill is None:
            raise InputError(
                f"weights {weights}: {function} of {name!r} returned no wrapped module to load them into; "
                f"let it take them: {function}(weights)"
            )
        return fill(weights)
    return encoder


def _parts(name: str) -> tuple[str, str]:
    """Return file or module, and function."""
    place, colon, function = name.rpartition(":")
    return (place, function) if colon and "/" not in function and function else (name.rstrip(":"), USUAL)


@contextmanager
def _importable_from(folder: Path) -> Iterator[None]:
    """Let modules beside a file be imported, as if it were run."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _module_of(place: str) -> ModuleType:
    if not place.endswith(".py"):
        return import_module(place)
    spec = spec_from_file_location(Path(place).stem, place)
    assert spec is not None  # of a name that ends in .py there always is one
    assert spec.loader is not None
    module = module_from_spec(spec)
    before = sys.modules.get(spec.name)
    sys.modules[spec.name] = module  # dataclasses and pickles look their module up
    try:
        spec.loader.exec_module(module)
    finally:
        if before is not None:  # what bears the name already keeps it
            sys.modules[spec.name] = before
    return module


def _function_of(module: ModuleType, name: str, function: str) -> Callable[..., Any]:
    make = getattr(module, function, None)
    if callable(make):
        return make
    own = [
        n for n, one in vars(module).items() if inspect.isfunction(one) and one.__module__ == module.__name__
    ]
    there = ", ".join(own[:8]) or "none"
    raise InputError(f"encoder {name!r}: no function {function!r} in it{near(function, own)}; it has {there}")


@contextmanager
def _named_in_errors(name: str, place: str) -> Iterator[None]:
    """Say in one line what code of somebody's own raised, and where."""
    try:
        yield
    except InputError as error:
        raise InputError(f"encoder {name!r}: {error}") from error
    except SyntaxError as error:
        raise InputError(f"encoder {name!r}: line {error.lineno}: {error.msg}") from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if Path(f.filename).name == Path(place).name] or list(frames[-1:])
        said = " ".join(str(error).split())[:200]
        at = f"{Path(own[-1].filename).name}, line {own[-1].lineno}" if own else place
        raise InputError(f"encoder {name!r}: {type(error).__name__} at {at}: {said}") from error


def _check_is_encoder(found: object, name: str, function: str) -> None:
    from .base import MODALITIES

    if getattr(found, "modality", None) not in MODALITIES:
        raise InputError(
            f"encoder {name!r}: {function} returned {type(found).__name__}; it must return an encoder, such "
            "as tonotopy.encoders.wrap(module, sample_rate, {'latent': 'submodule'})"
        )
