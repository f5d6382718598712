"""What an encoder can do besides `run`: one small protocol an ability, for ``isinstance``.

An encoder that lacks an ability has no attribute of that name, or None there: either fails ``isinstance``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ..synth.errors import InputError
from .base import Encoder

BASELINE_KINDS = ("random", "matched", "permuted")  # kinds, see `redrawing`


@runtime_checkable
class Decodes(Protocol):
    """Goes back from its `latent`, or `quantized`, to waveforms."""

    def decode(self, latent: Tensor, scale: Tensor | None = None, /) -> Tensor:
        """Return waveforms float32 [B, F * hop] of [B, D, F]; `scale` [B] is for what `Scales`."""
        ...


@runtime_checkable
class Scales(Protocol):
    """Divides waveforms by a scale before it encodes them, and wants it back to decode."""

    def scale(self, waveforms: Tensor) -> Tensor | None:
        """Return what float32 [B, T] `waveforms` are divided by, [B]; None where they are not."""
        ...


@runtime_checkable
class RunsFrom(Protocol):
    """Goes on from activations of a stage, changed or not, to deeper stages."""

    def run_from(self, stage: str, activations: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Return {stage: [B, C, F]} of deeper `stages` that follow from `activations` [B, C, F] of one."""
        ...

    def stages_from(self, stage: str) -> tuple[str, ...]:
        """Return the stages that `run_from` reaches from `stage`; none where it does not lead on."""
        ...


@runtime_checkable
class Quantizes(Protocol):
    """Quantizes its `latent`, step by step.

    `codebooks` is a tuple of float32 [entries, D], one for each residual step (see
    `residual_quantization`). Between `latent` and `quantized` there may be the stages `quantized_1`,
    `quantized_2`, `quantized_4` ...: sums over the first codebooks only.
    """

    @property
    def codebooks(self) -> tuple[Tensor, ...]: ...  # noqa: D102


@runtime_checkable
class Redraws(Protocol):
    """Can be drawn anew: the baselines beside it.

    Whoever takes no `kind` is drawn at random only; see `draws`.
    """

    def randomised(self, seed: int, /, kind: str = "random") -> Any:
        """Return the same architecture with other weights, which follow from `seed` alone.

        Of the kind "random" as an untrained network has them; "matched", random but at the level of the
        trained ones; "permuted", the trained ones shuffled.
        """
        ...


@runtime_checkable
class Differentiates(Protocol):
    """Lets gradients flow from a stage back to the waveforms."""

    def differentiable(self, stage: str) -> Callable[[Tensor], Tensor]:
        """Return the function [B, T] -> [B, C, F] that `run` evaluates at `stage`."""
        ...


def scale_of(encoder: object, waveforms: Tensor) -> Tensor | None:
    """Return what an encoder divides float32 [B, T] `waveforms` by, [B]; None where it does not.

    Examples
    --------
    >>> import torch
    >>> from tonotopy.encoders import load
    >>> scale_of(load("control:decimator"), torch.zeros(1, 320)) is None
    True
    """
    return encoder.scale(waveforms) if isinstance(encoder, Scales) else None


def codebooks_of(encoder: object) -> tuple[Tensor, ...]:
    """Return the codebooks that an encoder quantizes its latent by, float32 [entries, D] each; () if none."""
    return tuple(encoder.codebooks) if isinstance(encoder, Quantizes) else ()


def draws(randomised: Callable[..., Any], kind: str) -> Callable[[int], Any]:
    """Return what draws baselines of one of `BASELINE_KINDS` from a seed.

    Parameters
    ----------
    randomised : callable
        Of `Redraws`: ``randomised(seed)``, or ``randomised(seed, kind=kind)``.
    kind : str

    Raises
    ------
    InputError
        If it takes a seed only, and the kind is another than "random".

    Examples
    --------
    >>> draws(lambda seed: f"network {seed}", "random")(3)
    'network 3'
    >>> draws(lambda seed: f"network {seed}", "matched")
    Traceback (most recent call last):
    tonotopy.synth.errors.InputError: baseline 'matched': it is drawn at random only
    """
    if kind == "random":
        return randomised
    try:
        inspect.signature(randomised).bind(0, kind=kind)
    except (TypeError, ValueError):
        raise InputError(f"baseline {kind!r}: it is drawn at random only") from None
    return partial(randomised, kind=kind)


def resumable_stages(encoder: Encoder) -> dict[str, tuple[str, ...]]:
    """Return the stages that an encoder can go on from, each with the deeper ones that it then reaches.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> resumable_stages(load("filterbank:stft"))
    {}
    """
    if not isinstance(encoder, RunsFrom):
        return {}
    found = {stage: encoder.stages_from(stage) for stage in encoder.stages}
    return {stage: reached for stage, reached in found.items() if reached}
