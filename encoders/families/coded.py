"""Codecs of any architecture as encoders: what their parts are, and the taps between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..base import ModuleEncoder, Stage, Weights
from ..filling import filling_note, filling_sounds, settled_latents
from ..geometry import Geometry, stage_at
from ..resuming import ResumableEncoder
from ..seanet import quantized_stages
from ..threads import single_thread
from ..weights import state_sha256, tensors_in
from ..wrapping import wrap_known
from .residual import books_of, empty, fill_quantizer, in_latent_space, is_untrained, quantized_by

Quantized = Iterator[tuple[Tensor, Tensor]]  # of each step its codes [B, F], and the sum so far [B, D, F]


class Places:
    """Stages before the latent: where each is, and what it sees.

    Attributes
    ----------
    taps : dict of str to str
        Stage name -> submodule of the model.
    stages : dict of str to Stage
    geometry : Geometry
        Of the last that was added.
    """

    def __init__(self) -> None:
        self.taps: dict[str, str] = {}
        self.stages: dict[str, Stage] = {}
        self.geometry = Geometry()

    def add(self, stage: str, submodule: str, geometry: Geometry, bounded: bool = True) -> None:
        """Add a stage; the first is the convolution on the waveform."""
        kind = "nonlinear" if self.stages else "convolution"
        self.taps[stage], self.geometry = submodule, geometry
        self.stages[stage] = stage_at(stage, geometry, bounded, kind)

    def last(self, stage: str) -> Stage:
        """Take a stage out, as what is quantized has a tap of its own."""
        del self.taps[stage]
        return self.stages.pop(stage)


@dataclass(frozen=True)
class Parts:
    """How a codec is run, part by part; each is handed the model, since baselines have one of their own.

    Parameters
    ----------
    places : Places
        Of the stages before the latent.
    latent : Stage
    encode : callable
        (model, waveforms [B, 1, T]) -> latent [B, D, F].
    decode : callable, optional
        (model, latent or its quantized version [B, D, F]) -> waveforms [B, 1, F * hop].
    quantizer : callable, optional
        model -> its residual quantizer; see `residual_parts`.
    quantize : callable, optional
        (model, latent) -> `Quantized`, where a quantizer is of another kind.
    steps : int
        How many; 0 of a codec whose latent is not quantized.
    """

    places: Places
    latent: Stage
    encode: Callable[[Any, Tensor], Tensor]
    decode: Callable[[Any, Tensor], Tensor] | None = None
    quantizer: Callable[[Any], Any] | None = None
    quantize: Callable[[Any, Tensor], Quantized] | None = None
    steps: int = 0


def coded(model: Any, name: str, sample_rate: int, parts: Parts, seed: int = 0) -> ModuleEncoder:
    """Make an encoder of a codec, with the stages behind its quantizer.

    Parameters
    ----------
    model : nn.Module
    name : str
    sample_rate : int
    parts : Parts
    seed : int
        Of what codebooks of zeros, which never saw data, are filled with.

    Returns
    -------
    ModuleEncoder
        After the stages of `parts` come ``latent``; ``quantized_1``, ``quantized_2``, ``quantized_4`` ...,
        the sums of the first steps; ``quantized``, of all; ``codes``. It has ``codebooks`` where they lie in
        the latent's space.
    """
    module = Coded(model, parts)
    note = module.fill(sample_rate, seed)
    decode = parts.decode
    encoder = wrap_known(
        module,
        sample_rate,
        module.taps,
        module.stages,
        name,
        decode=None if decode is None else lambda coded, latent: decode(coded.model, latent),
    )
    encoder.weights = encoder.weights.noted(note)
    return _with_abilities(encoder, module)


class Coded(nn.Module):
    """The encoding half of a codec: waveforms [B, 1, T] -> latent -> sums of steps -> codes."""

    def __init__(self, model: nn.Module, parts: Parts) -> None:
        super().__init__()
        self.model, self.parts = model.eval().requires_grad_(False), parts
        self.sums = nn.ModuleList(nn.Identity() for _ in self.counts)
        self.latent, self.codes = nn.Identity(), nn.Identity()

    @property
    def counts(self) -> Mapping[str, int]:
        """Stage name -> how many steps it is the sum of."""
        return quantized_stages(self.parts.steps) if self.parts.steps else {}

    @property
    def taps(self) -> dict[str, str]:
        """Stage name -> submodule."""
        before = {stage: f"model.{submodule}" for stage, submodule in self.parts.places.taps.items()}
        behind = {stage: f"sums.{i}" for i, stage in enumerate(self.counts)}
        return {**before, "latent": "latent", **behind, **({"codes": "codes"} if behind else {})}

    @property
    def stages(self) -> dict[str, Stage]:
        """What is known of each stage."""
        latent = self.parts.latent
        found = {**self.parts.places.stages, "latent": latent}
        found |= {stage: replace(latent, name=stage, codebooks=n) for stage, n in self.counts.items()}
        return {**found, "codes": replace(latent, name="codes", kind="codes")} if self.counts else found

    @property
    def quantizer(self) -> Any:
        """The model's residual quantizer; None where it has none, or another kind."""
        return None if self.parts.quantizer is None else self.parts.quantizer(self.model)

    def forward(self, waveforms: Tensor) -> Tensor:  # noqa: D102 ([B, 1, T] -> [B, D, F])
        latent = self.latent(self.parts.encode(self.model, waveforms))
        sums = dict(zip(self.counts.values(), self.sums, strict=True))
        codes = []
        for n, (chosen, total) in enumerate(self._quantized(latent), start=1):
            codes.append(chosen)
            if n in sums:
                sums[n](total)
        if codes:
            self.codes(torch.stack(codes, dim=1).long())
        return latent

    def _quantized(self, latent: Tensor) -> Quantized:
        if self.parts.quantize is not None:
            return self.parts.quantize(self.model, latent)
        return quantized_by(self.quantizer, latent) if self.counts else iter(())

    def fill(self, sample_rate: int, seed: int) -> str:
        """Fill codebooks that hold nothing but zeros, and return the sentence that says so; "" otherwise."""
        quantizer = self.quantizer
        if quantizer is None or not is_untrained(quantizer):
            return ""
        with single_thread(), torch.inference_mode():  # more threads would round otherwise
            sounds = filling_sounds(sample_rate, seed)[:, None]
            latents = torch.cat([self.parts.encode(self.model, sound) for sound in sounds.split(1)])
            fill_quantizer(quantizer, settled_latents(latents), seed)
        return filling_note(len(books_of(quantizer)), seed)


class _WithCodebooks(ResumableEncoder):
    """A wrapped codec whose codebooks quantize its latent itself."""

    def __init__(self, wrapped: ModuleEncoder) -> None:
        vars(self).update(vars(wrapped))

    @property
    def codebooks(self) -> tuple[Tensor, ...]:
        """The codebooks, float32 [entries, D] each, in the order of the residual steps."""
        module: Any = self.module
        return tuple(book.embed for book in books_of(module.quantizer))


def _with_abilities(encoder: ModuleEncoder, module: Coded) -> ModuleEncoder:
    """Give an encoder its codebooks, and baselines whose codebooks are filled from their own latents."""
    if module.quantizer is None:
        return encoder
    found = _WithCodebooks(encoder) if in_latent_space(module.quantizer) else encoder
    draw: Any = encoder.randomised

    def randomised(seed: int, kind: str = "random") -> ModuleEncoder:
        twin = draw(seed, kind)
        own: Any = twin.module
        empty(own.quantizer)
        note = own.fill(encoder.sample_rate, seed)
        weights = Weights(twin.weights.source, state_sha256(tensors_in(own)), twin.weights.note)
        twin.weights = weights.noted(note)
        return _with_abilities(twin, own)

    found.randomised = randomised
    return found
