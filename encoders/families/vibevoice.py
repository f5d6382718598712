"""VibeVoice's acoustic tokenizer, as transformers has it: causal convolutions, and a latent that stays so."""

from __future__ import annotations

from typing import Any

from ..base import ModuleEncoder
from ..geometry import Geometry, Layer, stage_at
from .coded import Parts, Places, coded
from .seanet import check_mono, has_submodules


def is_vibevoice(model: Any) -> bool:
    """Whether a model is built as a ``VibeVoiceAcousticTokenizerModel``: a stem, stages, a head; and back."""
    return has_submodules(
        model, "encoder.stem.conv", "encoder.conv_layers", "encoder.head", "decoder.stem.conv"
    )


def vibevoice(model: Any, name: str, sample_rate: int) -> ModuleEncoder:
    """Make an encoder of a ``VibeVoiceAcousticTokenizerModel``.

    Parameters
    ----------
    model : VibeVoiceAcousticTokenizerModel
    name : str
    sample_rate : int

    Returns
    -------
    ModuleEncoder
        ``first_layer`` is the first convolution, ``block_0`` the stem, ``block_1`` ... each stage that
        downsamples, ``stack_end`` the last of them, and ``latent`` what the head makes of it: the mean,
        without the noise that is added for training. It decodes.

    Raises
    ------
    InputError
        If it takes several channels.

    Source: Peng et al., VibeVoice Technical Report, arXiv 2508.19205.
    """
    check_mono(model, name)
    encoder, places = model.encoder, Places()
    places.add("first_layer", "encoder.stem.conv.conv", _then(Geometry(), encoder.stem.conv))
    blocks = {"encoder.stem": encoder.stem}
    blocks |= {f"encoder.conv_layers.{i}": layer for i, layer in enumerate(encoder.conv_layers)}
    for i, (submodule, block) in enumerate(blocks.items()):
        geometry = places.geometry if i == 0 else _then(places.geometry, block.conv)
        for layer in block.stage:
            geometry = _then(geometry, layer.mixer)
        places.add(f"block_{i}" if i < len(blocks) - 1 else "stack_end", submodule, geometry)
    parts = Parts(
        places,
        stage_at("latent", _then(places.geometry, encoder.head)),
        encode=lambda model, waveforms: model.encoder(waveforms).latents.mT,
        decode=lambda model, latent: model.decoder(latent).audio,
    )
    return coded(model, name, sample_rate, parts)


def _then(geometry: Geometry, causal: Any) -> Geometry:
    conv = causal.conv
    return geometry.then(Layer(conv.kernel_size[0], conv.stride[0], conv.dilation[0], causal.left_pad))
