"""Going on from a stage: a forward pass whose output at one tap is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .base import ModuleEncoder, check_activations, check_stages
from .preserving import unchanged
from .taps import tapped_module
from .threads import suited_threads


class ResumableEncoder(ModuleEncoder):
    """A `ModuleEncoder` of several taps, which can go on from one to those that follow from it alone.

    Some waveforms play up to the tap, where the given activations take the place of what came of them.
    Which stages nothing of those waveforms reaches is found by trying, once for each stage to go on from:
    what `run` gave there is resumed among other waveforms, and must give what `run` gave, to the bit.

    Parameters
    ----------
    *arguments, **options
        As of `ModuleEncoder`.
    write : callable
        The inverse of `read`: (stage name, submodule output, [B, C, F]) -> a submodule output that holds
        these activations. By default, for outputs that are the activations.
    """

    def __init__(
        self,
        *arguments: Any,
        write: Callable[[str, Any, Tensor], Any] = lambda stage, output, changed: torch.empty_like(
            output
        ).copy_(changed),
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._write = write
        self._reached: dict[str, tuple[str, ...]] = {}

    def run_from(self, stage: str, activations: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Go on from activations of a stage to deeper ones.

        Parameters
        ----------
        stage : str
        activations : float32 or, at a stage of integers, int64 [B, C, F]
        stages : sequence of str
            Among `stages_from(stage)`.

        Returns
        -------
        activations : dict of str to [B, C, F]
            Of unchanged activations what `run` gives, to the bit.

        Raises
        ------
        InputError
            If a stage is not there or does not follow from `stage` alone (a skip connection leads around
            it, say), or the activations are none of that stage.

        Examples
        --------
        >>> from tonotopy.encoders import wrap
        >>> encoder = wrap(nn.Sequential(nn.Conv1d(1, 2, 4), nn.ReLU()), 8000, {"conv": "0", "relu": "1"})
        >>> encoder.run_from("conv", -torch.ones(1, 2, 3), ["relu"])["relu"].sum()
        tensor(0.)
        """
        check_stages(self, [stage, *stages])
        check_activations(self.stages[stage], activations)
        follow = self.stages_from(stage)
        for other in stages:
            if other not in follow:
                do = f"; {', '.join(follow)} do" if follow else ", and nothing does"
                raise InputError(f"stage {other!r}: does not follow from {stage!r} of {self.name} alone{do}")
        if not stages:
            return {}
        with torch.inference_mode(), suited_threads(self.module):
            found = self._resumed(stage, activations, stages)
        return {other: found[other] for other in stages}

    def stages_from(self, stage: str) -> tuple[str, ...]:
        """Return the stages that follow from `stage` alone, from shallow to deep."""
        check_stages(self, [stage])
        if stage not in self._reached:
            with torch.inference_mode(), suited_threads(self.module):
                self._reached[stage] = self._found_by_trying(stage)
        return self._reached[stage]

    def _found_by_trying(self, stage: str) -> tuple[str, ...]:
        order = list(self.stages)
        deeper = [s for s in order[order.index(stage) + 1 :] if self.taps[s] != self.taps[stage]]
        if not deeper:
            return ()
        expected = self._activations(self._noise(2, self._long_enough()), [stage, *deeper])
        found: dict[str, Tensor] = {}
        with suppress(Exception):  # whatever a module may raise where a detour does not fit
            found = self._resumed(stage, expected[stage], deeper)
        reached, through = [], True
        for other in deeper:
            equal = other in found and torch.equal(found[other], expected[other])
            about = self.stages[other]
            if about.codebooks or about.is_stepwise:  # may be equal by chance, if what is quantized is not
                equal = equal and through
            else:
                through = equal
            reached += [other] if equal else []
        return tuple(reached)

    def _resumed(self, stage: str, activations: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        if self.singly and len(activations) > 1:
            rows = [self._resumed(stage, row, stages) for row in activations.split(1)]
            return {other: torch.cat([row[other] for row in rows]) for other in stages}
        found: dict[str, Tensor] = {}
        with unchanged(self.module) if self.restores else nullcontext():
            self._resume(stage, activations, stages, found)
        return found

    def _resume(
        self, stage: str, activations: Tensor, stages: Sequence[str], found: dict[str, Tensor]
    ) -> None:
        changed = activations.to(self.device)
        part, call = tapped_module(self.module, self.taps[stage])
        calls = count()

        def put(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            return self._write(stage, output, changed) if next(calls) == call else None

        waveforms = self._noise(len(activations), self._samples_for(stage, activations.shape[2]), seed=1)
        handle = part.register_forward_hook(put)
        try:
            with self._recording(stages, found):
                self._forward(waveforms)
        finally:
            handle.remove()

    def _samples_for(self, stage: str, frames: int) -> int:
        """Return how long waveforms are that give so many frames."""
        about = self.stages[stage]
        samples = max(1, (frames - 1) * about.hop + about.latency + 1)
        for _ in range(4):  # padding may give a few frames more
            found: dict[str, Tensor] = {}
            with self._recording([stage], found):
                self._forward(self._noise(1, samples))
            missing = frames - found[stage].shape[2]
            if not missing:
                return samples
            samples = max(1, samples + missing * about.hop)
        raise InputError(f"stage {stage!r}: no waveforms give {frames} frames at it, so none can go on")

    def _long_enough(self) -> int:
        """Return a length with frames at every stage, and not the one that `_samples_for` returns."""
        needed = max(2 * stage.hop + stage.latency + 1 for stage in self.stages.values())
        hop = max(stage.hop for stage in self.stages.values())
        return -(-max(needed, self.sample_rate // 4) // hop) * hop + hop // 2

    def _noise(self, batch: int, length: int, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return 0.1 * torch.randn(batch, length, generator=generator)
