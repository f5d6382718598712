"""What an encoder is: a thing with named stages that turns waveforms into activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ..synth.errors import InputError, near
from .kinds import stage_kind
from .preserving import unchanged
from .taps import tapped_module
from .threads import suited_threads

MODALITIES = ("waveform", "melody")
CANONICAL_STAGES = ("first_layer", "stack_end", "latent", "quantized", "codes")


@dataclass(frozen=True)
class Stage:
    """A place to listen at.

    Parameters
    ----------
    name : str
        A canonical name (`CANONICAL_STAGES`) or the model's own.
    channels : int > 0
        Channels at this stage; for codes, the number of codebooks.
    hop : int > 0
        Samples per frame: the frame rate is ``sample_rate / hop``.
    receptive_field : int or None
        Samples that one frame depends on; None when unbounded (an LSTM, a norm over time).
    latency : int
        Samples a frame waits beyond its nominal time: the last sample that frame t sees is
        ``t * hop + latency``, the first ``t * hop + latency - receptive_field + 1``. Where the
        receptive field is None it is the latency of the bounded part, or 0.
    kind : {"convolution", "nonlinear", "quantized", "codes", "sparse"} or as registered
        See `StageKind`, which says what the activations allow. "convolution": an affine function of the
        samples, with a closed form (`Encoder.kernels`). "codes": integers, which have no power.
    codebooks : int >= 0
        How many codebooks the vectors are summed from; 0 before a quantizer, and where there is none.

    Raises
    ------
    InputError
        If the kind is not known.

    Examples
    --------
    >>> Stage("codes", 8, 320, None, 319, "codes").is_integer
    True
    """

    name: str
    channels: int
    hop: int
    receptive_field: int | None
    latency: int
    kind: str = "nonlinear"
    codebooks: int = 0

    def __post_init__(self) -> None:
        stage_kind(self.kind)

    @property
    def has_power(self) -> bool:
        """Whether activations can be squared and summed."""
        return stage_kind(self.kind).has_power

    @property
    def is_linear(self) -> bool:
        """Whether activations are an affine function of the samples."""
        return stage_kind(self.kind).is_linear

    @property
    def is_integer(self) -> bool:
        """Whether activations are integers."""
        return stage_kind(self.kind).is_integer

    @property
    def is_stepwise(self) -> bool:
        """Whether activations are piecewise constant."""
        return stage_kind(self.kind).is_stepwise

    @property
    def is_sparse(self) -> bool:
        """Whether most activations are 0."""
        return stage_kind(self.kind).is_sparse


@dataclass(frozen=True)
class Weights:
    """Where an encoder's weights came from, and their hash.

    The source is "pretrained", "given", "none", a path, or the kind of a baseline: "random", "matched" or
    "permuted".
    """

    source: str
    sha256: str
    note: str = ""

    def noted(self, *sentences: str) -> Weights:
        """Return the same with sentences before its note; empty ones are left out.

        Examples
        --------
        >>> Weights("given", "", "filled").noted("", "of 'model' in the file").note
        "of 'model' in the file; filled"
        """
        return replace(self, note="; ".join(filter(None, [*sentences, self.note])))


@runtime_checkable
class Encoder(Protocol):
    """The contract; see `ModuleEncoder` for the usual way to meet it.

    Attributes
    ----------
    name : str
    modality : {"waveform"}
        What it takes; a model of melodies is a `LatentModel`.
    sample_rate : int
        Samples per second of the waveforms it expects.
    stages : mapping of str to Stage
        From shallow to deep.
    weights : Weights
    device : torch.device

    Notes
    -----
    What else an encoder can do is declared by the protocols of `abilities`: `Decodes`, `RunsFrom`,
    `Quantizes`, `Redraws`, `Differentiates`. `check` tries all of it. Stages that answer the same sound
    otherwise each time are named in an attribute `noisy`, a tuple, where there are such.
    """

    # read-only here, so that an attribute, a property or a narrower type all meet the contract
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def modality(self) -> str: ...  # noqa: D102
    @property
    def sample_rate(self) -> int: ...  # noqa: D102
    @property
    def stages(self) -> Mapping[str, Stage]: ...  # noqa: D102
    @property
    def weights(self) -> Weights: ...  # noqa: D102
    @property
    def device(self) -> torch.device: ...  # noqa: D102

    def run(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Listen at `stages` while float32 [B, T] waveforms play; returns {stage: [B, C, F]}."""
        ...

    def kernels(self, stage: str) -> np.ndarray | None:
        """Return a linear stage's closed form: float64 [C, receptive_field], in order of time.

        ``activation[c, t] = sum_k kernels[c, k] x[t hop + latency - receptive_field + 1 + k] + bias``:
        frame t sees the samples up to ``t hop + latency``. None for every other kind.
        """
        ...


class _Deepest(Exception):
    """Raised inside a forward pass once every requested stage has been recorded."""


class ModuleEncoder:
    """An encoder made of a torch module, recorded through forward hooks.

    The forward pass ends as soon as the last requested stage has answered.

    Parameters
    ----------
    name, sample_rate, stages, weights
        As in `Encoder`.
    module : nn.Module
        Put into evaluation mode.
    taps : mapping of str to str
        Stage name -> name of the submodule whose output is recorded, as in ``module.named_modules()``; one
        that is called several times with the call, counted from 0, as in "act:1".
    prepare : callable
        float32 [B, T] -> what `module` takes; by default adds a channel axis: [B, 1, T].
    read : callable
        (stage name, submodule output) -> [B, C, F]; by default the output itself.
    kernels : mapping of str to float64 [C, L]
        Closed forms of plain convolution stages.
    """

    modality = "waveform"
    noisy: tuple[str, ...] = ()  # stages that answer the same sound otherwise each time
    singly = False  # hears one sound at a time, since others in a batch would change what it answers
    restores = False  # starts every run from the state that the module is in before it
    randomised: Callable[..., Encoder]  # of `Redraws`; set on those alone that can be drawn anew
    decode: Callable[..., Tensor]  # of `Decodes`; the same
    filled: Callable[..., ModuleEncoder]  # loads weights of a file; set by `wrap`

    def __init__(
        self,
        name: str,
        module: nn.Module,
        sample_rate: int,
        stages: Mapping[str, Stage],
        taps: Mapping[str, str],
        weights: Weights,
        prepare: Callable[[Tensor], Any] = lambda waveforms: waveforms[:, None],
        read: Callable[[str, Any], Tensor] = lambda stage, output: output,
        kernels: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.name, self.sample_rate, self.stages, self.weights = name, sample_rate, dict(stages), weights
        with suppress(NotImplementedError):  # an exported module has no modes
            module.eval()
        self.module = module
        self.taps = dict(taps)
        self._prepare, self._read, self._kernels = prepare, read, dict(kernels or {})

    @property
    def device(self) -> torch.device:
        """Where the module's tensors live."""
        tensor = next(chain(self.module.parameters(), self.module.buffers()), None)
        return torch.device("cpu") if tensor is None else tensor.device

    def __repr__(self) -> str:
        named = canonical_stages(self) or list(self.stages)[:5]
        more = len(self.stages) - len(named)
        about = [f"{s} {self.stages[s].channels} x {self.stages[s].hop}" for s in named]
        stages = ", ".join([*about, *([f"{more} more"] if more else [])])
        return f"<{type(self).__name__} {self.name!r}: {self.sample_rate} Hz; channels x hop: {stages}>"

    def run(self, waveforms: Tensor | np.ndarray, stages: Sequence[str]) -> dict[str, Tensor]:
        """Listen at `stages` while `waveforms` play; see `Encoder.run`.

        Raises
        ------
        InputError
            If a stage is not there or not reached, or `waveforms` is not [B, T] or holds NaN or Inf.
        """
        stages = [stages] if isinstance(stages, str) else stages
        check_stages(self, stages)
        waveforms = torch.as_tensor(waveforms)
        check_waveforms(waveforms)
        found = self.activations(waveforms, stages)
        return {stage: found[stage] for stage in stages}

    def activations(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Do what `run` does, unchecked; the stages come in the order in which they were reached."""
        with torch.inference_mode(), suited_threads(self.module):
            return self._activations(waveforms, stages)

    def differentiable(self, stage: str) -> Callable[[Tensor], Tensor]:
        """Return the function [B, T] -> [B, C, F] that `run` evaluates at `stage`; gradients flow through it.

        Examples
        --------
        >>> from tonotopy.encoders import wrap
        >>> encoder = wrap(nn.Sequential(nn.Conv1d(1, 2, 4, stride=2), nn.ELU()), 8000, {"latent": "1"})
        >>> waveform = torch.zeros(1, 8, requires_grad=True)
        >>> encoder.differentiable("latent")(waveform).sum().backward()
        >>> waveform.grad.shape
        torch.Size([1, 8])
        """
        check_stages(self, [stage])
        return lambda waveforms: self._activations(waveforms, [stage])[stage]

    def _activations(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        played = []
        with unchanged(self.module) if self.restores else nullcontext() as kept:
            for row in waveforms.split(1 if self.singly else max(1, len(waveforms))):
                played.append(self._played(row, stages))
                if kept:
                    kept.restore()
        if len(played) == 1:
            return played[0]
        return {stage: torch.cat([found[stage] for found in played]) for stage in played[0]}

    def _played(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        with self._recording(stages, found):
            self._forward(waveforms)
        missed = [stage for stage in stages if stage not in found]
        if missed:
            raise InputError(f"{self.name}: stage {missed[0]!r} ({self.taps[missed[0]]}) was never reached")
        return found

    def _forward(self, waveforms: Tensor) -> None:
        with suppress(_Deepest):
            self.module(self._prepare(waveforms.to(self.device, torch.float32)))

    def kernels(self, stage: str) -> np.ndarray | None:
        """Return the closed form of a plain convolution stage; see `Encoder.kernels`."""
        check_stages(self, [stage])
        return self._kernels.get(stage)

    @contextmanager
    def _recording(self, stages: Sequence[str], found: dict[str, Tensor]) -> Iterator[None]:
        """While this lasts, a forward pass fills `found`, and ends once it holds all `stages`."""

        def recorder(stage: str, call: int) -> Callable[..., None]:
            calls = count()

            def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
                if next(calls) == call:
                    found[stage] = self._read(stage, output)
                if len(found) == len(set(stages)):
                    raise _Deepest

            return hook

        tapped = {stage: tapped_module(self.module, self.taps[stage]) for stage in stages}
        handles = [
            part.register_forward_hook(recorder(stage, call)) for stage, (part, call) in tapped.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def check_waveforms(waveforms: Tensor) -> None:
    """Raise unless `waveforms` is [B, T] and finite; the error names the first waveform that is not."""
    if waveforms.ndim != 2 or 0 in waveforms.shape:
        raise InputError(f"waveforms of shape {tuple(waveforms.shape)}: must be [B, T], neither of them 0")
    if waveforms.sum().isfinite():  # which one NaN or Inf would make one, in a fraction of the time
        return
    finite = torch.isfinite(waveforms).all(dim=1)
    if not finite.all():
        first = int((~finite).nonzero()[0])
        raise InputError(f"waveform {first} holds NaN or Inf: every sample must be a finite number")


def check_activations(stage: Stage, activations: Tensor) -> None:
    """Raise unless `activations` are [B, C, F] and finite, or integers, as they come from a stage."""
    if activations.ndim != 3 or 0 in activations.shape or activations.shape[1] != stage.channels:
        raise InputError(
            f"stage {stage.name!r}: activations of shape {tuple(activations.shape)}; "
            f"must be [B, {stage.channels}, F], neither of them 0"
        )
    if activations.is_floating_point() == stage.is_integer:
        needed = "integers" if stage.is_integer else "floating-point numbers"
        raise InputError(f"stage {stage.name!r}: activations of {activations.dtype}; must be {needed}")
    if not torch.isfinite(activations).all():
        raise InputError(f"stage {stage.name!r}: activations hold NaN or Inf; every one must be finite")


def check_stages(encoder: Encoder, stages: Sequence[str]) -> list[str]:
    """Return `stages` as a list, or raise naming the one that is not there and those that are."""
    for stage in stages:
        if stage not in encoder.stages:
            known = ", ".join(encoder.stages)
            raise InputError(
                f"stage {stage!r}: {encoder.name} has no such stage{near(stage, encoder.stages)}; "
                f"it has {known}"
            )
    return list(stages)


def canonical_stages(encoder: Encoder) -> list[str]:
    """Return the canonical stages an encoder has, from shallow to deep."""
    return [stage for stage in encoder.stages if stage in CANONICAL_STAGES]
