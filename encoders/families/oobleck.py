"""The autoencoder of Stable Audio, as diffusers has it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ...synth.errors import InputError
from ..base import ModuleEncoder
from ..geometry import Geometry, layer_of, stage_at
from ..measuring import first_line
from ..weights import fill, randomly_initialised
from ..wrapping import wrap_known
from .places import state_of

CLASS = "AutoencoderOobleck"  # as a configuration of diffusers names it


def is_oobleck(model: nn.Module) -> bool:
    """Whether a model is built as an ``AutoencoderOobleck`` is: blocks with three units each, a posterior."""
    blocks: Any = getattr(getattr(model, "encoder", None), "block", None)
    return bool(blocks and hasattr(blocks[0], "res_unit3")) and not hasattr(model, "quantizer")


def oobleck(model: Any, name: str) -> ModuleEncoder:
    """Make an encoder of an ``AutoencoderOobleck``.

    Parameters
    ----------
    model : AutoencoderOobleck
    name : str

    Returns
    -------
    ModuleEncoder
        ``first_layer`` is the first convolution, ``block_0`` ... each that downsamples, ``stack_end`` the
        last of them and ``latent`` the mean of the posterior: nothing is sampled. A waveform is played on all
        of its channels, and what it decodes to is their mean. Where strides are odd its decoder gives a few
        samples less than were coded; zeros fill the end.

    Source: Evans et al., Stable Audio Open, arXiv 2407.14358.
    """
    encoder, taps, stages = model.encoder, {"first_layer": "model.encoder.conv1"}, {}
    geometry = Geometry().then(layer_of(encoder.conv1))
    stages["first_layer"] = stage_at("first_layer", geometry, kind="convolution")
    for i, block in enumerate(encoder.block):
        stage = f"block_{i}" if i < len(encoder.block) - 1 else "stack_end"
        for unit in (block.res_unit1, block.res_unit2, block.res_unit3):
            geometry = geometry.then(layer_of(unit.conv1))
        geometry = geometry.then(layer_of(block.conv1))
        taps[stage], stages[stage] = f"model.encoder.block.{i}", stage_at(stage, geometry)
    taps["latent"] = "mean"
    stages["latent"] = stage_at("latent", geometry.then(layer_of(encoder.conv2)))
    return wrap_known(
        _Coded(model),
        model.config.sampling_rate,
        taps,
        stages,
        name,
        decode=_decoded,
        make=lambda: _Coded(_drawn(type(model), model.config)),
    )


def built(about: Mapping[str, Any], folder: Path | None, place: str, seed: int) -> nn.Module:
    """Return the model of a configuration, in float32, with the weights of a folder or drawn.

    Parameters
    ----------
    about : mapping
        What its ``config.json`` holds.
    folder : Path, optional
        With ``diffusion_pytorch_model.safetensors``.
    place : str
        Where it was found, for the errors.
    seed : int
        Of the weights, where there is no folder.

    Raises
    ------
    InputError
        If diffusers is not installed, the configuration is unusable, or the weights do not fit.
    """
    try:
        from diffusers.models.autoencoders.autoencoder_oobleck import AutoencoderOobleck
    except ImportError:
        raise InputError(f"encoder 'hf:{place}': needs diffusers: pip install 'tonotopy[models]'") from None

    try:
        model = randomly_initialised(lambda: _drawn(AutoencoderOobleck, dict(about)), seed)
    except Exception as error:  # of whatever a configuration may hold
        raise InputError(
            f"encoder 'hf:{place}': config.json makes no {CLASS} ({first_line(error)})"
        ) from None
    if folder is not None:
        fill(model, state_of(folder), str(folder))
    return model.eval()


def _drawn(made: Any, config: Any) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # diffusers builds torch's older weight norm
        return made.from_config(config)


class _Coded(nn.Module):
    """The encoding half, on all channels; the mean goes through a submodule."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.channels = model.config.audio_channels
        self.mean = nn.Identity()

    def forward(self, waveforms: Tensor) -> Tensor:  # [B, 1, T]
        model: Any = self.model
        posterior = model.encoder(waveforms.expand(-1, self.channels, -1))  # mean and scale, [B, 2 D, F]
        return self.mean(posterior.chunk(2, dim=1)[0])


def _decoded(coded: Any, latent: Tensor) -> Tensor:
    sound = coded.model.decoder(latent).mean(dim=1)
    return functional.pad(sound, (0, latent.shape[2] * coded.model.hop_length - sound.shape[1]))
