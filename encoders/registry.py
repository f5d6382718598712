"""Encoders by name: `register`, `available`, `load`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from ..synth.errors import InputError, near
from .families.known import check_bundle
from .from_file import check_place, check_there, load_from_file, names_a_file

if TYPE_CHECKING:  # names are known without torch, which takes seconds to import
    from .base import Encoder
    from .musicvae.base import LatentModel
    from .musicvae.model import MusicVAE

ENTRY_POINT_GROUP = "tonotopy.encoders"
HUB = "hf:"  # before the name of a model on the hub, or of a folder of its form
TORCHAUDIO = "torchaudio:"  # before the name of one of its pipelines

_factories: dict[str, str | Callable[..., Encoder]] = {
    "samplecnn_tiny": ".samplecnn:samplecnn_tiny",
    "samplecnn": ".samplecnn:samplecnn",
    "codec_tiny": ".codec:codec_tiny",
    "codec": ".codec:codec",
    "encodec_24khz": ".encodec:encodec_24khz",
    "encodec_48khz": ".encodec:encodec_48khz",
    "musicvae_tiny": ".musicvae.named:musicvae_tiny",
    "musicvae_2bar": ".musicvae.named:musicvae_2bar",
    "musicvae_16bar": ".musicvae.named:musicvae_16bar",
    "musicgen_tiny": ".musicgen.named:musicgen_tiny",
    "musicgen_small": ".musicgen.published:musicgen_small",
    "musicgen_medium": ".musicgen.published:musicgen_medium",
    "musicgen_large": ".musicgen.published:musicgen_large",
    "filterbank:stft": ".filterbanks:stft",
    "filterbank:stft_magnitude": ".filterbanks:stft_magnitude",
    "filterbank:gammatone": ".filterbanks:gammatone",
    "filterbank:stft_log": ".filterbanks:stft_log",
    "filterbank:stft_mixed": ".filterbanks:stft_mixed",
    "filterbank:stft_magnitude_mixed": ".filterbanks:stft_magnitude_mixed",
    "filterbank:gammatone_envelope": ".filterbanks:gammatone_envelope",
    "filterbank:log_tracker": ".trackers:log_tracker",
    "filterbank:divisive_tracker": ".trackers:divisive_tracker",
    "filterbank:harmonic_template": ".trackers:harmonic_template",
    "filterbank:chroma": ".trackers:chroma",
    "control:decimator": ".controls:decimator",
    "control:texture": ".controls:texture",
    "control:rectifier": ".controls:rectifier",
    "control:loudness": ".controls:loudness",
    "control:sign_hash": ".controls:sign_hash",
    "control:permuted": ".controls:permuted",
    "control:two_bands": ".controls:two_bands",
    "control:patches": ".samples:patches",
    "control:patches_mixed": ".samples:patches_mixed",
    "control:waveform": ".samples:waveform",
    "control:downsampler": ".samples:downsampler",
    "control:band_codec": ".coders:band_codec",
    "control:dominant_codec": ".coders:dominant_codec",
    "control:identity_codec": ".coders:identity_codec",
    "control:mu_law_codec": ".coders:mu_law_codec",
    "control:planted": ".musicvae.named:planted",
    "control:planted_stream": ".musicgen.planted:planted_stream",
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


def check_known(name: str) -> None:
    """Raise unless `load` knows a name, or finds the file or package that it names; nothing is imported.

    Raises
    ------
    InputError
        Names those that are called alike, and the models there are.

    Examples
    --------
    >>> check_known("codec_tinny")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tonotopy.synth.errors.InputError: encoder 'codec_tinny': not known (did you mean codec_tiny...
    """
    known = available()
    if name in known:
        return
    if name.startswith(HUB):
        check_place(name.removeprefix(HUB))
        return
    if name.startswith(TORCHAUDIO):
        check_bundle(name.removeprefix(TORCHAUDIO))
        return
    if names_a_file(name):
        check_there(name)
        return
    models = ", ".join(one for one in known if ":" not in one)
    raise InputError(
        f"encoder {name!r}: not known{near(name, known)}; known are {models} and others, which `tonotopy "
        "encoders` lists; one of the hub is hf:ORG/NAME, one of yours my_codec.py:make"
    )


def factory_of(name: str) -> Callable[..., Encoder] | None:
    """Return what makes the encoder of a name; None for a file of somebody's own.

    Raises
    ------
    InputError
        If the name is not known; the error names those that are.

    Examples
    --------
    >>> factory_of("control:decimator").__name__
    'decimator'
    """
    factory = _factories.get(name)
    if factory is None and name.startswith(HUB):
        from .families.published import published

        return partial(published, name.removeprefix(HUB))
    if factory is None and name.startswith(TORCHAUDIO):
        from .families.torchaudio_pipelines import pipeline

        return partial(pipeline, name.removeprefix(TORCHAUDIO))
    if factory is None:
        plugin = next((e for e in entry_points(group=ENTRY_POINT_GROUP) if e.name == name), None)
        if plugin is None:
            check_known(name)
            return None
        factory = plugin.load()
    if isinstance(factory, str):
        module, attribute = factory.split(":")
        factory = getattr(import_module(module, __package__), attribute)
    return factory  # type: ignore[return-value]


@overload
def load(
    name: Literal["musicvae_tiny", "musicvae_2bar", "musicvae_16bar"],
    weights: str | Path = "pretrained",
    seed: int = 0,
) -> MusicVAE: ...
@overload
def load(
    name: Literal["control:planted"], weights: str | Path = "pretrained", seed: int = 0
) -> LatentModel: ...
@overload
def load(name: str, weights: str | Path = "pretrained", seed: int = 0, **options: object) -> Encoder: ...
def load(
    name: str, weights: str | Path = "pretrained", seed: int = 0, **options: object
) -> Encoder | LatentModel:
    """Load an encoder by name; ``musicvae_*`` hear melodies, not waveforms, and are `MusicVAE`.

    Parameters
    ----------
    name : str
        One of `available()`; a model of transformers or diffusers on the hub, "hf:ORG/NAME" or
        "hf:ORG/NAME@REVISION", or in a folder of that form, "hf:FOLDER"; one of torchaudio's pipelines,
        "torchaudio:WAV2VEC2_BASE"; or a file of yours and a function in it that returns an encoder, as in
        "my_codec.py:make", or "package.module:make"; or a file of ONNX, "codec.onnx", with the option
        `sample_rate` where the file does not say it.
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

    Notes
    -----
    A function of yours is called without arguments but `options`, and returns an encoder, from `wrap` say.
    Weights of a file are then loaded into the wrapped module; where the function takes an argument `weights`
    it is given the file's path instead, and loads them itself.

    Examples
    --------
    >>> load("filterbank:stft").stages["first_layer"].hop
    320
    """
    from .abilities import Redraws
    from .base import ModuleEncoder

    make = factory_of(name)
    if make is None:
        return load_from_file(name, weights, seed, options)
    encoder: Encoder | LatentModel = make(weights=weights, seed=seed, **options)
    lacking = not isinstance(encoder, Redraws)
    if lacking and isinstance(encoder, ModuleEncoder) and encoder.weights.source != "none":
        encoder.randomised = lambda seed: load(name, weights="random", seed=seed, **options)
    return encoder


@overload
def load_for(
    modality: Literal["waveform"],
    encoder: str | Encoder | LatentModel,
    weights: str | Path = "pretrained",
    seed: int = 0,
) -> Encoder: ...
@overload
def load_for(
    modality: Literal["melody"],
    encoder: str | Encoder | LatentModel,
    weights: str | Path = "pretrained",
    seed: int = 0,
) -> LatentModel: ...
def load_for(
    modality: Literal["waveform", "melody"],
    encoder: str | Encoder | LatentModel,
    weights: str | Path = "pretrained",
    seed: int = 0,
) -> Encoder | LatentModel:
    """Return an encoder, by name or at hand, which must be of a modality.

    Parameters
    ----------
    modality : {"waveform", "melody"}
        What it is to be given.
    encoder : str or Encoder or LatentModel
        A name that `load` knows, or what it would return.
    weights, seed
        Passed to `load` for a name.

    Raises
    ------
    InputError
        If it is of another modality or declares none, or `load` refuses it.

    Examples
    --------
    >>> load_for("melody", "control:planted").steps
    32
    """
    from .base import MODALITIES

    found = load(encoder, weights=weights, seed=seed) if isinstance(encoder, str) else encoder
    name = encoder if isinstance(encoder, str) else found.name
    own = getattr(found, "modality", None)  # a plug-in may have forgotten it
    if own not in MODALITIES:
        raise InputError(f"encoder {name!r}: modality {own!r}; it must be {' or '.join(MODALITIES)}")
    if own != modality:
        takes, other, command = {
            "melody": ("melodies", "waveforms", "latents"),
            "waveform": ("waveforms", "melodies", "probe"),
        }[own]
        raise InputError(f"encoder {name!r}: takes {takes}, not {other}: ask `tonotopy {command} {name}`")
    return found
