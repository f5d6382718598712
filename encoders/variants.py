"""The same encoder at another precision, on another device, or given other numbers of sounds at once."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from ..synth.errors import InputError
from .base import Encoder, ModuleEncoder
from .drawing import copied

PRECISIONS = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}


def moved(encoder: Encoder, precision: str | None = None, device: str | None = None) -> ModuleEncoder:
    """Return an encoder with its module at another precision or on another device; the first stays.

    It has no baselines of its own, and none of the decoders that `wrap` makes.

    Parameters
    ----------
    encoder : ModuleEncoder
    precision : {"float16", "bfloat16", "float32", "float64"}, optional
        Of weights and activations; what it answers comes as float32 all the same.
    device : str, optional
        As torch names it: "cuda", "cpu".

    Raises
    ------
    InputError
        If it is no `ModuleEncoder`, or precision or device are not known or not there.

    Examples
    --------
    >>> from tonotopy.encoders import wrap
    >>> encoder = wrap(torch.nn.Sequential(torch.nn.Conv1d(1, 2, 4)), 8000, {"latent": "0"})
    >>> other = moved(encoder, "bfloat16")
    >>> other.run(torch.ones(1, 4), ["latent"])["latent"].dtype
    torch.float32
    """
    if not isinstance(encoder, ModuleEncoder):
        raise InputError(f"{encoder.name}: is no torch module; its precision and device are its own")
    if precision is not None and precision not in PRECISIONS:
        raise InputError(f"precision {precision!r}: must be {', '.join(PRECISIONS)}")
    dtype = PRECISIONS[precision or "float32"] if precision else None
    other = copy.copy(encoder)
    module = copied(encoder.name, encoder.module)
    try:
        other.module = module.to(device=device, dtype=dtype)
    except Exception as error:  # whatever torch says of a device
        raise InputError(f"device {device!r}: cannot be used ({str(error).splitlines()[0][:120]})") from None
    prepare, read = encoder._prepare, encoder._read
    other._prepare = lambda waveforms: _cast(prepare(waveforms), dtype)
    other._read = lambda stage, output: _cast(read(stage, output), torch.float32)
    for made in ("decode", "randomised", "filled"):  # functions of `wrap`'s, which know the first's module
        vars(other).pop(made, None)
    if hasattr(type(encoder), "decode"):
        decode = type(encoder).decode
        other.decode = lambda latent, scale=None: decode(other, _cast(latent, dtype), scale).float()
    about = " on ".join(filter(None, (precision, device)))
    other.name = f"{encoder.name} ({about})"
    other.weights = encoder.weights.noted(about)
    return other


def _cast(value: Any, dtype: torch.dtype | None) -> Any:
    """Return a value with the floating-point tensors in it of another type."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() and dtype is not None else value
    if isinstance(value, Mapping):
        return {name: _cast(one, dtype) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_cast(one, dtype) for one in value)
    return value


def in_batches(encoder: Encoder, batch: int) -> Encoder:
    """Return an encoder that is given `batch` sounds at once, whatever is to be run.

    Parameters
    ----------
    encoder : Encoder
    batch : int > 0

    Raises
    ------
    InputError
        If `batch` is no such number.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> one_by_one = in_batches(load("filterbank:stft"), 1)
    >>> one_by_one.run(torch.zeros(3, 4000), ["first_layer"])["first_layer"].shape[0]
    3
    """
    if not (isinstance(batch, int) and batch > 0):
        raise InputError(f"batch {batch!r}: must be a whole number above 0")
    return cast(Encoder, _Batched(encoder, batch))


class _Batched:
    """An encoder that is given so many sounds at once; see `in_batches`."""

    def __init__(self, encoder: Encoder, batch: int) -> None:
        self._encoder, self._batch = encoder, batch
        self.name = f"{encoder.name} ({batch} at once)"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._encoder, name)

    def run(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Do what the encoder's `run` does, in batches."""
        parts = [self._encoder.run(part, stages) for part in waveforms.split(self._batch)]
        return {stage: torch.cat([part[stage] for part in parts]) for stage in stages}
