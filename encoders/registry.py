"""Encoders by name: `register`, `available`, `load`."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from ..synth.errors import InputError
from .abilities import Redraws
from .base import MODALITIES, Encoder, ModuleEncoder

if TYPE_CHECKING:
    from .musicvae.base import LatentModel
    from .musicvae.model import MusicVAE

ENTRY_POINT_GROUP = "tonotopy.encoders"

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


def _near(name: str) -> str:
    """List models, and those of the encoders of known truth that are called alike."""
    models = [one for one in available() if ":" not in one]
    alike = get_close_matches(name, [one for one in available() if ":" in one], 4, 0.5)
    return f"{', '.join((*alike, *models))} and others, which `tonotopy encoders` lists"


def factory_of(name: str) -> Callable[..., Encoder]:
    """Return what makes the encoder of a name, or raise naming those that are known.

    Examples
    --------
    >>> factory_of("control:decimator").__name__
    'decimator'
    """
    factory = _factories.get(name)
    if factory is None:
        plugin = next((e for e in entry_points(group=ENTRY_POINT_GROUP) if e.name == name), None)
        if plugin is None:
            raise InputError(f"encoder {name!r}: not known; known are {_near(name)}")
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
    encoder: Encoder | LatentModel = factory_of(name)(weights=weights, seed=seed, **options)
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
