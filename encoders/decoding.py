"""Decoders of wrapped modules: what goes back from a stage to sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .base import ModuleEncoder
from .layouts import Layout, as_in, first_tensor
from .measuring import first_line, noise_for
from .taps import check_tap

Decoder = str | nn.Module | Callable[..., Any]


def decoder_of(
    decode: Decoder | None, name: str, module: nn.Module
) -> Callable[[nn.Module, Tensor], Any] | None:
    """Return what decodes by a module, that of a baseline as well."""
    if isinstance(decode, nn.Module):
        own = next((n for n, one in module.named_modules() if one is decode), None)
        if own is None:
            raise InputError(f"decode: is no submodule of {name}; baselines could not have one of their own")
        decode = own
    if isinstance(decode, str):
        check_tap("decode", name, module, submodule := decode)
        return lambda module, latent: module.get_submodule(submodule)(latent)
    if getattr(decode, "__self__", None) is module:
        return decode.__func__  # type: ignore[union-attr]
    return decode


def let_decode(
    encoder: ModuleEncoder,
    decoder: Callable[[nn.Module, Tensor], Any],
    layouts: Mapping[str, Layout],
    length: int,
) -> None:
    """Give an encoder `decode`, and try it."""
    stage = next((s for s in ("latent", "quantized") if s in encoder.stages), None)
    if stage is None:
        raise InputError(f"decode: takes the stage 'latent'; {encoder.name} has {', '.join(encoder.stages)}")
    found: dict[str, Any] = {}
    arrange, encoder._read = encoder._read, lambda _stage, output: output
    with torch.inference_mode(), encoder._recording([stage], found):
        encoder._forward(noise_for(encoder, 1, length))
    encoder._read = arrange
    given, layout = first_tensor(stage, output := found[stage]), layouts[stage]
    shape = tuple(given.shape)

    def decode(latent: Tensor, scale: Tensor | None = None) -> Tensor:
        if encoder.singly and len(latent) > 1:
            return torch.cat([decode(row) for row in latent.split(1)])
        there = latent.to(encoder.device, given.dtype)  # in the module's own precision
        there = as_in(output, layout.disarranged(there, shape))
        with torch.inference_mode():
            sound = first_tensor("decode", decoder(encoder.module, there)).float()
        return sound[:, 0] if sound.ndim == 3 and sound.shape[1] == 1 else sound

    latent = encoder.run(noise_for(encoder, 2, length), [stage])[stage]
    wanted = (2, latent.shape[2] * encoder.stages[stage].hop)
    try:
        decoded = tuple(decode(latent).shape)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"decode: cannot be called as decode(module, {stage}) with {stage} of {shape} "
            f"({first_line(error)})"
        ) from None
    if decoded != wanted:
        raise InputError(
            f"decode: gives {decoded} of {latent.shape[2]} frames of {stage}; must be [B, T] or [B, 1, T] "
            f"with {wanted[1]} samples, the hop for each frame"
        )
    encoder.decode = decode
