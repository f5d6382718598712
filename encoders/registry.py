"""Encoders by name: `register`, `available`, `load`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from ..synth.errors import InputError
from .base import Encoder, ModuleEncoder

ENTRY_POINT_GROUP = "tonotopy.encoders"

_factories: dict[str, str | Callable[..., Encoder]] = {
    "samplecnn_tiny": ".samplecnn:samplecnn_tiny",
    "samplecnn": ".samplecnn:samplecnn",
    "codec_tiny": ".codec:codec_tiny",
    "codec": ".codec:codec",
    "encodec_24khz": ".encodec:encodec_24khz",
    "encodec_48khz": ".encodec:encodec_48khz",
    "filterbank:stft": ".filterbanks:stft",
    "filterbank:stft_magnitude": ".filterbanks:stft_magnitude",
    "filterbank:gammatone": ".filterbanks:gammatone",
    "control:decimator": ".controls:decimator",
    "control:texture": ".controls:texture",
    "control:rectifier": ".controls:rectifier",
}


def register(name: str, factory: Callable[..., Encoder]) -> None:
    """Make `load(name)` call ``factory(weights=..., seed=...)``.

    Raises
    ------
    InputError
        If the name is taken.
    """
    if name in available():
        raise InputError(f"encoder {name!r}: the name is already registered")
    _factories[name] = factory


def available() -> list[str]:
    """Return the names `load` knows: built in, registered, and from installed plug-ins."""
    return [*_factories, *(e.name for e in entry_points(group=ENTRY_POINT_GROUP) if e.name not in _factories)]


def load(name: str, weights: str | Path = "pretrained", seed: int = 0, **options: object) -> Encoder:
    """Load an encoder by name.

    Parameters
    ----------
    name : str
        One of `available()`.
    weights : {"pretrained", "random"} or path
        Published or bundled weights, a random initialisation, or a file.
    seed : int
        Seeds the random initialisation, and whatever else is drawn.
    **options
        Passed to the encoder's factory (`sample_rate` for the controls, say).

    Raises
    ------
    InputError
        If the name is unknown, or the weights cannot be had or do not fit.

    Examples
    --------
    >>> load("filterbank:stft").stages["first_layer"].hop
    320
    """
    factory = _factories.get(name)
    if factory is None:
        plugin = next((e for e in entry_points(group=ENTRY_POINT_GROUP) if e.name == name), None)
        if plugin is None:
            raise InputError(f"encoder {name!r}: not known; known are {', '.join(available())}")
        factory = plugin.load()
    if isinstance(factory, str):
        module, attribute = factory.split(":")
        factory = getattr(import_module(module, __package__), attribute)
    encoder: Encoder = factory(weights=weights, seed=seed, **options)  # type: ignore[operator]
    if isinstance(encoder, ModuleEncoder) and encoder.randomised is None and encoder.weights.source != "none":
        encoder.randomised = lambda seed: load(name, weights="random", seed=seed, **options)
    return encoder
