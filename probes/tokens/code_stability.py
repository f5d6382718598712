"""How firm tokens are: margins of their decisions, and what they do when nothing audible changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...encoders.abilities import Decodes, scale_of
from ...encoders.base import Encoder, Stage
from ...encoders.quantization import Quantization, residual_quantization
from ...synth.stimuli import StimulusSet
from ..engine.respond import Listening, Plan
from ..engine.runtime import flushing_denormals, one_thread

DELAYS_HOPS = (
    1 / 64,
    1 / 16,
    1 / 4,
    1 / 2,
    1,
    8,
)  # and one sample; a whole hop moves frames, not what they hear
GENERATIONS = 3
EPSILON = 2.0**-23  # float32's last place
LATENT_ROUNDING = 8 * EPSILON  # how far another order of sums moves a latent, re its norm
TINY = 1e-30


def relative_margins(made: Quantization) -> Tensor:
    """Return margins over the distance between the two entries, [..., Q]: 0 half-way, 1 at the nearest.

    Examples
    --------
    >>> line = torch.tensor([[0.0], [1.0], [4.0]])
    >>> relative_margins(residual_quantization(torch.tensor([[0.25], [1.0]]), [line]))[:, 0]
    tensor([0.5000, 1.0000])
    """
    return torch.where(made.gaps > 0, made.margins / made.gaps.clamp_min(TINY), 0.0)


def certainty(latent: Tensor, made: Quantization) -> Tensor:
    """How far decisions lie from their edge, re what rounding can bridge: below 1 they may turn.

    Parameters
    ----------
    latent : float [..., D]
    made : Quantization
        Of `latent`.

    Returns
    -------
    certainty : float64 [..., Q]

    Notes
    -----
    A latent z that moves by m changes the difference of two squared distances by at most ``2 m gap``. In
    float32 the squares ``|x|^2 - 2 x e + |e|^2`` of a residual x and an entry e are off by their last
    place, ``(|x| + |e|)^2`` times some 2^-23, however near the two are. With m = 2^-20 |z|, and two last
    places for each square, that is the edge. Codes that differ between batch sizes, thread counts or
    precisions do so below 1 (`arithmetic_certainty` says whether).
    """
    latent = latent.double()
    size = torch.linalg.vector_norm(latent, dim=-1, keepdim=True)
    after = torch.linalg.vector_norm(latent[..., None, :] - made.vectors, dim=-1)  # [..., Q]
    before = torch.cat([size, after[..., :-1]], dim=-1)
    squares_apart = made.margins * (2 * after + made.margins)
    moved = 2 * LATENT_ROUNDING * size * made.gaps
    return squares_apart / (moved + 4 * EPSILON * (2 * before + after) ** 2).clamp_min(TINY)


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
        Steady sounds, in two contexts at least.
    plan : Plan
        From `respond`: which frames are steady.
    codebooks : sequence of float [entries, D]
        Of the encoder, if it tells them and its latent.

    Returns
    -------
    found : dict
        Arrays by the names of the schema's group "codes": shifted_same [delay, n, Q], unrelated_same
        [n, Q], arithmetic_changed [arithmetic, Q]; reencoded_same and reencoded_step [generation, n, Q]
        of encoders that decode; arithmetic_margin, arithmetic_certainty and
        arithmetic_distance [arithmetic] of those with
        codebooks; and the coordinates delay, generation and arithmetic.

    Notes
    -----
    *Delay*: the encoder begins to hear the same steady sound later. By a whole number of hops the frames
    that it has in common with the first time are compared, which is slice consistency: only the past
    that was cut off differs. *Generations*: the quantized latent is decoded and encoded again. The
    yardstick of both is `unrelated_same`, the agreement of codes of sounds that differ in partial and
    context. *Arithmetic*: one sound alone against all in a batch, two threads against one, and distances
    in float64.

    Source: slices after Liu et al., Analyzing and Mitigating Inconsistency in Discrete Audio Tokens,
    arXiv 2409.19283; code drift over generations after O'Reilly's codedrift.
    """
    ear = _Ear(encoder, stage, plan.listening[stage.name], bool(codebooks))
    cut = int(max(DELAYS_HOPS)) * stage.hop
    length = -(-plan.n_samples // stage.hop) * stage.hop + cut
    long = torch.from_numpy(sounds.render(encoder.sample_rate, length + cut))
    with flushing_denormals(), one_thread():
        first = ear.encoded(long[:, :length])
        found = {"unrelated_same": _unrelated(ear.codes(first), np.asarray(sounds.context_index))}
        found |= _shifted(ear, long, first)
        if ear.decodes:
            found |= _reencoded(ear, first)
        found |= _arithmetic(ear, first, codebooks)
    return found


@dataclass(frozen=True)
class _Ear:
    """An encoder at all the stages that its tokens come from and go to."""

    encoder: Any
    stage: Stage
    listening: Listening
    with_latent: bool

    @property
    def decodes(self) -> bool:
        return "quantized" in self.encoder.stages and isinstance(self.encoder, Decodes)

    def encoded(self, waveforms: Tensor) -> dict[str, Tensor]:
        stages = ["latent"] * self.with_latent + ["quantized"] * self.decodes + [self.stage.name]
        return {"waveforms": waveforms, **self.encoder.run(waveforms, stages)}

    def codes(self, seen: dict[str, Tensor], later: int = 0) -> Tensor:
        """Return the steady ones, [n, F, Q], from so many frames later on."""
        return self.steady(seen[self.stage.name], later)

    def steady(self, activations: Tensor, later: int = 0) -> Tensor:  # [n, C, F] -> [n, f, C]
        first = self.listening.first + later
        return activations[..., first : first + self.listening.frames].transpose(1, 2)

    def sound_of(self, seen: dict[str, Tensor]) -> Tensor:
        """Decode what was quantized."""
        scale = scale_of(self.encoder, seen["waveforms"])
        decoded = self.encoder.decode(seen["quantized"], scale)
        return decoded[:, : seen["waveforms"].shape[1]].cpu()


def _share(one: Tensor, other: Tensor) -> np.ndarray:  # [n, F, Q] twice -> [n, Q]
    return (one == other).double().mean(1).cpu().numpy()


def _unrelated(codes: Tensor, context: np.ndarray) -> np.ndarray:  # [n, F, Q], [n] -> [n, Q]
    """Agreement of every sound with those that differ in context as well."""
    alike = (codes[:, None] == codes[None]).double().mean(2).cpu().numpy()  # [n, n, Q]
    unrelated = (context[:, None] != context)[..., None]
    return np.where(unrelated, alike, 0).sum(1) / unrelated.sum(1)


def _shifted(ear: _Ear, long: Tensor, first: dict[str, Tensor]) -> dict[str, np.ndarray]:
    hop, length = ear.stage.hop, first["waveforms"].shape[1]
    delays = sorted({1, *(round(delay * hop) for delay in DELAYS_HOPS)} - {0})  # samples
    same = [
        _share(ear.codes(ear.encoded(long[:, s : s + length])), ear.codes(first, later=s // hop))
        for s in delays
    ]
    return {"delay": np.array(delays) / hop, "shifted_same": np.stack(same)}


def _reencoded(ear: _Ear, first: dict[str, Tensor]) -> dict[str, np.ndarray]:
    same, step, before = [], [], first
    for _ in range(GENERATIONS):
        now = ear.encoded(ear.sound_of(before))
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
    one_by_one = [ear.encoded(one[None]) for one in first["waveforms"]]
    alone = {name: torch.cat([one[name] for one in one_by_one]) for name in first}
    with _threads(2):
        threaded = ear.encoded(first["waveforms"])
    ways = {"batch of one": ear.codes(alone), "two threads": ear.codes(threaded)}
    found = {}
    if codebooks:
        latents = [ear.steady(seen["latent"]).double() for seen in (first, alone, threaded)]
        exact = residual_quantization(latents[0], [book.double() for book in codebooks])
        ways["float64 distances"] = exact.codes.to(together)
        size = torch.linalg.vector_norm(latents[0], dim=-1).clamp_min(TINY)  # [n, F]
        apart = [
            torch.linalg.vector_norm(latent - latents[0], dim=-1) / size
            for latent in (*latents[1:], latents[0])
        ]
        relative = relative_margins(exact)
        firm = certainty(latents[0], exact)
        turned = [_first(codes != together) for codes in ways.values()]
        found["arithmetic_margin"] = np.array([float((relative * t).max()) for t in turned])
        found["arithmetic_certainty"] = np.array([float((firm * t).max()) for t in turned])
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
