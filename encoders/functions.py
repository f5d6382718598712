"""Any function of waveforms as an encoder: what is no torch module, as a session of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .base import ModuleEncoder
from .measuring import noise_for
from .weights import state_sha256
from .wrapping import wrap

Function = Callable[[np.ndarray], Any]


def wrap_function(
    function: Function,
    sample_rate: int,
    stages: str | Sequence[str] | Mapping[str, str | int] = "latent",
    name: str | None = None,
    make: Callable[[int], Function] | None = None,
    piece: int | None = None,
) -> ModuleEncoder:
    """Make an encoder of a function; what a stage states is measured, as `wrap` does.

    Parameters
    ----------
    function : callable
        ``function(waveforms)`` takes a float32 array [B, T] and returns an array, or several in a sequence or
        a mapping, with an axis for the batch and one for time. NaN among the samples has to come through.
    sample_rate : int > 0
        Samples per second of the waveforms it expects.
    stages : str, sequence of str, or mapping of str to str or int
        Name of what it returns; names in the order in which it returns several; or stage name -> key or
        index of what it returns.
    name : str, optional
        By default the function's.
    make : callable, optional
        ``make(seed)`` returns such a function of an untrained network, for random baselines. Without it there
        are none.
    piece : int, optional
        As in `wrap`: the function takes waveforms of this many samples only.

    Returns
    -------
    ModuleEncoder
        Its weights are known by a hash of its answers to noise.

    Raises
    ------
    InputError
        If the function returns something else, or what `wrap` raises.

    Examples
    --------
    >>> def levels(waveforms):
    ...     frames = waveforms[:, : waveforms.shape[1] // 10 * 10].reshape(len(waveforms), -1, 10)
    ...     return np.abs(frames).mean(axis=2)
    >>> encoder = wrap_function(levels, 8000)
    >>> encoder.stages["latent"].hop, encoder.stages["latent"].receptive_field
    (10, 10)
    """
    keys: dict[str, str | int | None]
    if isinstance(stages, str):
        keys = {stages: None}
    elif isinstance(stages, Mapping):
        keys = dict(stages)
    else:
        keys = {stage: i for i, stage in enumerate(stages)}
    named = name or getattr(function, "__name__", type(function).__name__)
    module = _Outputs(function, keys)
    taps = {stage: f"outputs.{i}" for i, stage in enumerate(keys)}
    encoder = wrap(module, sample_rate, taps, named, prepare=_as_they_are, piece=piece)
    del encoder.filled  # of modules; a function has no weights to be seen
    encoder.weights = replace(encoder.weights, sha256=answers_sha256(encoder))
    if make is not None:
        encoder.randomised = lambda seed: wrap_function(make(seed), sample_rate, stages, named, make, piece)
    return encoder


def _as_they_are(waveforms: Tensor) -> Tensor:
    return waveforms


_as_they_are.form = "waveforms float32 [B, T]"  # type: ignore[attr-defined]


def _only(found: Any) -> Any:
    """Return the one thing that a function returns, in a list or a mapping of its own perhaps."""
    while isinstance(found, list | tuple | Mapping) and len(found) == 1:
        found = next(iter(found.values() if isinstance(found, Mapping) else found))
    return None if isinstance(found, list | tuple | Mapping) else found


def answers_sha256(encoder: ModuleEncoder) -> str:
    """Return what stands for the weights that cannot be seen: a hash of the answers to noise."""
    frames = [2 * stage.hop + stage.latency for stage in encoder.stages.values()]
    noise = noise_for(encoder, 1, max(encoder.sample_rate, *frames))
    return state_sha256(encoder.run(noise, list(encoder.stages)))


class _Outputs(nn.Module):
    """Runs a function, and hands each of the things it returns to a submodule of its own."""

    def __init__(self, function: Function, keys: Mapping[str, str | int | None]) -> None:
        super().__init__()
        self.function, self.keys = function, list(keys.values())
        self.outputs = nn.ModuleList(nn.Identity() for _ in keys)

    def forward(self, waveforms: Tensor) -> None:
        found = self.function(waveforms.detach().cpu().numpy().copy())
        if len(self.keys) == 1 and (only := _only(found)) is not None:
            found = {self.keys[0]: only}
        for key, output in zip(self.keys, self.outputs, strict=True):
            try:
                values = found[key]
            except (KeyError, IndexError, TypeError):
                there = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found).__name__
                which = f"no {key!r}" if key is not None else "several things, and no stage says which"
                raise InputError(f"stages: the function returns {which}; it returns {there}") from None
            output(torch.from_numpy(np.array(values)).to(waveforms.device))
