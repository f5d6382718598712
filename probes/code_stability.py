"""How firm tokens are: margins of their decisions, and what they do when nothing audible changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..encoders.base import Encoder, Stage
from ..synth.stimuli import StimulusSet
from .process import flushing_denormals, one_thread
from .respond import Listening, Plan

DELAYS_HOPS = (
    1 / 64,
    1 / 16,
    1 / 4,
    1 / 2,
    1,
    8,
)  # and one sample; a whole hop moves frames, not what they hear
GENERATIONS = 3
ROUNDING = 2.0**-23  # of float32, relative
TINY = 1e-30


@dataclass(frozen=True)
class Decisions:
    """The choices of residual vector quantization, step by step; shapes [..., Q].

    Parameters
    ----------
    codes : int64
        Nearest entries.
    margin : float64
        Distance to the runner-up less that to the nearest. By the triangle inequality a step of less
        than half of it, in whatever direction, leaves the choice as it is.
    relative : float64, 0 to 1
        The same over the distance between the two entries: 0 half-way, 1 at the nearest.
    """

    codes: Tensor
    margin: Tensor
    relative: Tensor


def decisions(latent: Tensor, codebooks: Sequence[Tensor]) -> Decisions:
    """Quantize residual by residual, in float64.

    Parameters
    ----------
    latent : float [..., D]
    codebooks : sequence of float [entries, D]

    Examples
    --------
    >>> line = torch.tensor([[0.0], [1.0], [4.0]])
    >>> found = decisions(torch.tensor([[0.25]]), [line])
    >>> found.codes.item(), found.margin.item(), found.relative.item()
    (0, 0.5, 0.5)
    """
    residual = latent.double()
    steps = []
    for book in codebooks:
        entries = book.to(residual)
        flat = residual.reshape(-1, residual.shape[-1])
        exact = "donot_use_mm_for_euclid_dist"
        distance, index = torch.cdist(flat, entries, compute_mode=exact).topk(2, largest=False)  # [N, 2]
        margin = distance[:, 1] - distance[:, 0]
        apart = torch.linalg.vector_norm(entries[index[:, 1]] - entries[index[:, 0]], dim=-1)
        relative = torch.where(apart > 0, margin / apart.clamp_min(torch.finfo(apart.dtype).tiny), 0.0)
        steps.append([v.reshape(residual.shape[:-1]) for v in (index[:, 0], margin, relative)])
        residual = residual - entries[steps[-1][0]]
    codes, margin, relative = (torch.stack(values, dim=-1) for values in zip(*steps, strict=True))
    return Decisions(codes, margin, relative)


def code_stability(
    encoder: Encoder, stage: Stage, sounds: StimulusSet, plan: Plan, codebooks: Sequence[Tensor] = ()
) -> dict[str, np.ndarray]:
    """Change nothing audible and count the tokens that stay, per sound and codebook.

    Parameters
    ----------
    encoder : Encoder
    stage : Stage
        Of kind "codes".
    sounds : StimulusSet
        Steady sounds.
    plan : Plan
        From `respond`: which frames are steady.
    codebooks : sequence of float [entries, D]
        Of the encoder, if it tells them and its latent.

    Returns
    -------
    found : dict
        Arrays by the names of the schema's group "codes": shifted_same [delay, n, Q], unrelated_same
        [n, Q], arithmetic_changed [arithmetic, Q]; reencoded_same and reencoded_step [generation, n, Q]
        of encoders that decode; arithmetic_margin and arithmetic_distance [arithmetic] of those with
        codebooks; and the coordinates delay, generation and arithmetic.

    Notes
    -----
    *Delay*: the encoder begins to hear the same steady sound later. By a whole number of hops the frames
    that it has in common with the first time are compared, which is slice consistency: only the past
    that was cut off differs. *Generations*: the quantized latent is decoded and encoded again. The
    yardstick of both is `unrelated_same`, the agreement of codes of different sounds. *Arithmetic*: one
    sound alone against all in a batch, two threads against one, and distances in float64.

    Source: slices after Liu et al., Analyzing and Mitigating Inconsistency in Discrete Audio Tokens,
    arXiv 2409.19283; code drift over generations after O'Reilly's codedrift.
    """
    ear = _Ear(encoder, stage, plan.listening[stage.name], bool(codebooks))
    cut = int(max(DELAYS_HOPS)) * stage.hop
    length = -(-plan.n_samples // stage.hop) * stage.hop + cut
    long = torch.from_numpy(sounds.render(encoder.sample_rate, length + cut))
    with flushing_denormals(), one_thread():
        first = ear.hear(long[:, :length])
        found = {"unrelated_same": _unrelated(ear.codes(first))}
        found |= _shifted(ear, long, first)
        if ear.decodes:
            found |= _reencoded(ear, first)
        found |= _arithmetic(ear, first, codebooks)
    return found


@dataclass(frozen=True)
class _Ear:
    """An encoder, heard at all that its tokens come from and go to."""

    encoder: Any
    stage: Stage
    listening: Listening
    with_latent: bool

    @property
    def decodes(self) -> bool:
        return hasattr(self.encoder, "decode") and "quantized" in self.encoder.stages

    def hear(self, waveforms: Tensor) -> dict[str, Tensor]:
        stages = ["latent"] * self.with_latent + ["quantized"] * self.decodes + [self.stage.name]
        return {"waveforms": waveforms, **self.encoder.run(waveforms, stages)}

    def codes(self, heard: dict[str, Tensor], later: int = 0) -> Tensor:
        """Return the steady ones, [n, F, Q], from so many frames later on."""
        return self.steady(heard[self.stage.name], later)

    def steady(self, activations: Tensor, later: int = 0) -> Tensor:  # [n, C, F] -> [n, f, C]
        first = self.listening.first + later
        return activations[..., first : first + self.listening.frames].transpose(1, 2)

    def sound_of(self, heard: dict[str, Tensor]) -> Tensor:
        """Decode what was quantized."""
        scale = self.encoder.scale(heard["waveforms"]) if hasattr(self.encoder, "scale") else None
        decoded = self.encoder.decode(heard["quantized"], scale)
        return decoded[:, : heard["waveforms"].shape[1]].cpu()


def _share(one: Tensor, other: Tensor) -> np.ndarray:  # [n, F, Q] twice -> [n, Q]
    return (one == other).double().mean(1).cpu().numpy()


def _unrelated(codes: Tensor) -> np.ndarray:  # [n, F, Q] -> [n, Q]
    alike = (codes[:, None] == codes[None]).double().mean(2)  # [n, n, Q]
    n = len(codes)
    return ((alike.sum(1) - 1) / max(n - 1, 1)).cpu().numpy()


def _shifted(ear: _Ear, long: Tensor, first: dict[str, Tensor]) -> dict[str, np.ndarray]:
    hop, length = ear.stage.hop, first["waveforms"].shape[1]
    delays = sorted({1, *(round(delay * hop) for delay in DELAYS_HOPS)} - {0})  # samples
    same = [
        _share(ear.codes(ear.hear(long[:, s : s + length])), ear.codes(first, later=s // hop)) for s in delays
    ]
    return {"delay": np.array(delays) / hop, "shifted_same": np.stack(same)}


def _reencoded(ear: _Ear, first: dict[str, Tensor]) -> dict[str, np.ndarray]:
    same, step, before = [], [], first
    for _ in range(GENERATIONS):
        now = ear.hear(ear.sound_of(before))
        same.append(_share(ear.codes(now), ear.codes(first)))
        step.append(_share(ear.codes(now), ear.codes(before)))
        before = now
    return {
        "generation": np.arange(1, GENERATIONS + 1),
        "reencoded_same": np.stack(same),
        "reencoded_step": np.stack(step),
    }


def _arithmetic(ear: _Ear, first: dict[str, Tensor], codebooks: Sequence[Tensor]) -> dict[str, np.ndarray]:
    """Do the same sums another way than all sounds in one batch, on one thread."""
    together = ear.codes(first)
    one_by_one = [ear.hear(one[None]) for one in first["waveforms"]]
    alone = {name: torch.cat([one[name] for one in one_by_one]) for name in first}
    with _threads(2):
        threaded = ear.hear(first["waveforms"])
    ways = {"batch of one": ear.codes(alone), "two threads": ear.codes(threaded)}
    found = {}
    if codebooks:
        latents = [ear.steady(heard["latent"]).double() for heard in (first, alone, threaded)]
        exact = decisions(latents[0], codebooks)
        ways["float64 distances"] = exact.codes.to(together)
        size = torch.linalg.vector_norm(latents[0], dim=-1).clamp_min(TINY)  # [n, F]
        apart = [
            torch.linalg.vector_norm(latent - latents[0], dim=-1) / size
            for latent in (*latents[1:], latents[0])
        ]
        turned = [torch.where(_first(codes != together), exact.relative, 0.0) for codes in ways.values()]
        found["arithmetic_margin"] = np.array([float(t.max()) for t in turned])
        found["arithmetic_distance"] = np.array([float(a.max()) for a in apart])
    changed = [(codes != together).double().mean((0, 1)).cpu().numpy() for codes in ways.values()]
    return found | {"arithmetic": np.array(list(ways)), "arithmetic_changed": np.stack(changed)}


def _first(changed: Tensor) -> Tensor:
    """Mark the first code of a frame that changed: those after it start from another residual."""
    return changed & (changed.cumsum(-1) == 1)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
