"""Removal: what can be taken out of a latent, and what then becomes of partials in the sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...encoders.abilities import scale_of
from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.stimuli import Partial, Stimulus, StimulusSet
from ..engine.grid import PHASES
from ..engine.respond import Plan, listening_plan
from ..statistics.planes import response_planes

RANK = 2  # dimensions of a response plane
DECODER_FRAMES = 8  # that the decoder gets to settle, and again to look ahead
DECODED_AT_ONCE = 16
OWN_ALONE, OWN_AMONG_OTHERS = "own plane, alone", "own plane, among others"
ABSENT, RANDOM = "plane of an absent partial", "random plane"
EQUAL_ALONE, EQUAL_AMONG_OTHERS = "random, energy as alone", "random, energy as among others"
REMOVALS = (OWN_ALONE, OWN_AMONG_OTHERS, ABSENT, RANDOM, EQUAL_ALONE, EQUAL_AMONG_OTHERS)
EQUAL_OF = {OWN_ALONE: EQUAL_ALONE, OWN_AMONG_OTHERS: EQUAL_AMONG_OTHERS}  # the null of a partial's own plane
CHANGES = ("removed_db", "neighbours_db", "worst_neighbour_db", "rest_db")
AUDIBLE = 4.0  # times what noise would give: fainter partials have no level
FAINTEST_DB = -60.0  # re the partial played: what is fainter was not transmitted
LOWEST_DB = -140.0


@dataclass(frozen=True)
class Trial:
    """A mixture, which of its partials is to be removed, and a partial that is not in it."""

    mixture: int
    partials: tuple[Partial, ...]
    which: int
    absent: Partial

    @property
    def own(self) -> Partial:
        """The partial to be removed."""
        return self.partials[self.which]

    @property
    def others(self) -> tuple[Partial, ...]:
        """The others."""
        return self.partials[: self.which] + self.partials[self.which + 1 :]


@dataclass(frozen=True)
class Bench:
    """An encoder that decodes, how long it is played to, and which samples of what it decodes are measured.

    Parameters
    ----------
    encoder : Encoder with `decode`
    stage : str
        Whose activations it decodes.
    plan : Plan
    n_samples : int
        Of every sound played.
    measured : slice
        Samples of the decoded sound.
    silence : float32 [C, F]
        The latent of silence.
    hum : float64 [T]
        What that decodes to, where no scale is requested.
    """

    encoder: Any
    stage: str
    plan: Plan
    n_samples: int
    measured: slice
    silence: Tensor
    hum: np.ndarray

    @classmethod
    def of(cls, encoder: Encoder, stage: str, mixtures: StimulusSet, seconds: float) -> Bench:
        """Find out how long to play, so that `seconds` of steady sound can be measured."""
        plan, hop = listening_plan(encoder, mixtures, [stage], frames=1), encoder.stages[stage].hop
        first = plan.listening[stage].first + DECODER_FRAMES
        measured = max(1, round(seconds * encoder.sample_rate / hop))
        n_samples = (first + measured + DECODER_FRAMES) * hop
        waveforms = torch.zeros(1, n_samples)
        silence = encoder.run(waveforms, [stage])[stage][0].float().cpu()
        steady = slice(first * hop, (first + measured) * hop)
        bench = cls(encoder, stage, plan, n_samples, steady, silence, np.zeros(n_samples))
        return replace(bench, hum=bench.decode(silence[None], None)[0])

    def encode(self, rows: Sequence[Sequence[Partial]]) -> tuple[Tensor, Tensor | None]:
        """Return latents [B, C, F] of sums of partials, and what `decode` wants to know of their scale."""
        played = StimulusSet.of([Stimulus(tuple(row)) for row in rows])
        waveforms = torch.from_numpy(played.render(self.encoder.sample_rate, self.n_samples))
        scale = scale_of(self.encoder, waveforms)
        return self.encoder.run(waveforms, [self.stage])[self.stage].float().cpu(), scale

    def decode(self, latents: Tensor, scale: Tensor | None) -> np.ndarray:
        """Return the sounds, float64 [B, T], of latents [B, C, F] that share one `scale` [1]."""
        sounds = []
        for part in latents.split(DECODED_AT_ONCE):
            values = None if scale is None else scale.expand(len(part))
            sounds.append(self.encoder.decode(part, values).cpu().double())
        decoded = torch.cat(sounds)
        if not torch.isfinite(decoded).all():
            raise InputError(f"{self.encoder.name}: NaN or Inf in what it decodes")
        if decoded.shape[1] < self.measured.stop:
            raise InputError(
                f"{self.encoder.name}: decodes {decoded.shape[1]} samples of {self.n_samples}; "
                f"at least {self.measured.stop} are needed"
            )
        return decoded.numpy()


@dataclass(frozen=True)
class Levels:
    """Levels in sounds, in dB re amplitude 1.

    Parameters
    ----------
    partials : float [B, P]
    rest : float [B]
        RMS of everything that is no partial.
    audible : bool [B, P]
        Whether a partial is four times what noise as strong as the rest would give in the fit.
    """

    partials: np.ndarray
    rest: np.ndarray
    audible: np.ndarray


def levels(sounds: np.ndarray, frequency_hz: np.ndarray, sample_rate: float) -> Levels:
    """Fit partials of known frequencies, and an offset, to sounds [B, T] by least squares.

    Examples
    --------
    >>> sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2400) / 24_000 + 1)
    >>> levels(sine[None], np.array([440.0]), 24_000).partials.round(3).tolist()
    [[-6.021]]
    """
    turn = 2 * np.pi * np.outer(np.arange(sounds.shape[1]), frequency_hz) / sample_rate
    parts = np.concatenate([np.cos(turn), np.sin(turn), np.ones((len(turn), 1))], axis=1)
    fit, *_ = np.linalg.lstsq(parts, sounds.T, rcond=None)
    n = len(frequency_hz)
    amplitude = np.hypot(fit[:n], fit[n : 2 * n]).T  # [B, P]
    rest = np.sqrt(np.square(sounds.T - parts @ fit).mean(0))  # [B]
    noise = rest * 2 / np.sqrt(len(turn))  # RMS of the amplitude that white noise of this power gives
    return Levels(_db(amplitude), _db(rest), amplitude > AUDIBLE * noise[:, None])


def _db(amplitude: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.maximum(amplitude, 10 ** (LOWEST_DB / 20)))


@dataclass(frozen=True)
class Meter:
    """Compares sounds with a reference: what became of the removed partial, its neighbours and the rest.

    Parameters
    ----------
    bench : Bench
    trial : Trial
    scale : float32 [1] or None
        Of the mixture.
    reference : Levels
        Of the sound that others are compared with.
    """

    bench: Bench
    trial: Trial
    scale: Tensor | None
    reference: Levels

    @classmethod
    def of(cls, bench: Bench, trial: Trial, latent: Tensor, scale: Tensor | None) -> Meter:
        """Take the sound of a latent [C, F] as the reference."""
        return cls(bench, trial, scale, _levels(bench, trial, latent[None], scale))

    @property
    def reference_db(self) -> float:
        """Level of the partial in the reference re the partial played; NaN if it is not there."""
        if not self.reference.audible[0, self.trial.which]:
            return np.nan
        return float(self.reference.partials[0, self.trial.which] - _db(np.array(self.trial.own.amplitude)))

    def changes(self, latents: Tensor, scale: Tensor | None = None) -> dict[str, np.ndarray]:
        """Decode latents [B, C, F] and return changes in dB, [B] each; NaN if the partial was never there."""
        if np.isnan(self.reference_db):  # nothing to remove: spare the decoder
            return {name: np.full(len(latents), np.nan) for name in CHANGES}
        found = _levels(self.bench, self.trial, latents, self.scale if scale is None else scale)
        there = self.reference.audible[0]
        change = np.where(there, found.partials - self.reference.partials, np.nan)  # [B, P]
        others = np.delete(change, self.trial.which, axis=1)
        others = others[:, np.delete(there, self.trial.which)]
        if others.shape[1] == 0:
            others = np.full((len(change), 1), np.nan)
        rest = found.rest - self.reference.rest
        values = (change[:, self.trial.which], others.mean(1), np.abs(others).max(1), rest)
        return dict(zip(CHANGES, values, strict=True))


def _levels(bench: Bench, trial: Trial, latents: Tensor, scale: Tensor | None) -> Levels:
    """Levels of what latents add: an untrained decoder hums at its frame rate whatever it is given.

    And the louder the larger the scale is, if there is one.
    """
    hum = bench.hum if scale is None else bench.decode(bench.silence[None], scale)[0]
    sounds = bench.decode(latents, scale) - hum
    frequency = np.array([p.frequency_hz for p in trial.partials])
    found = levels(sounds[:, bench.measured], frequency, bench.encoder.sample_rate)
    played = _db(np.array([p.amplitude for p in trial.partials]))
    return replace(found, audible=found.audible & (found.partials > played + FAINTEST_DB))


def beyond_random(specific_db: np.ndarray) -> np.ndarray:
    """Return how much more specific a partial's own plane is than random planes of the same energy.

    Parameters
    ----------
    specific_db : float [..., removal, trial]
        In the order of `REMOVALS`; NaN where the partial or all of its neighbours are lost.

    Returns
    -------
    beyond_db : float [..., removal, trial]
        For the own planes, NaN for the others. A lost trial counts as 0 dB: what the decoder does not
        transmit no change of the latent removes. NaN throughout where all trials are lost.

    Examples
    --------
    >>> specific = np.full((len(REMOVALS), 2), np.nan)
    >>> specific[REMOVALS.index(OWN_ALONE)] = 30.0, np.nan
    >>> specific[REMOVALS.index(EQUAL_ALONE)] = 2.0, np.nan
    >>> beyond_random(specific)[0].tolist()
    [28.0, 0.0]
    """
    beyond = np.full_like(specific_db, np.nan)
    for own, equal in EQUAL_OF.items():
        place = REMOVALS.index(own)
        more = specific_db[..., place, :] - specific_db[..., REMOVALS.index(equal), :]
        lost = np.isnan(more)
        beyond[..., place, :] = np.where(lost & ~lost.all(-1, keepdims=True), 0.0, more)
    return beyond


@dataclass(frozen=True)
class Removal:
    """The latents of a mixture and of the others in it, [C, F], and what can be taken out of the former.

    Parameters
    ----------
    mixture, others : float32 [C, F]
    scale, others_scale : float32 [1] or None
    taken : mapping of str to list of float32 [C, F]
        By name of the removal, `REMOVALS`; one for each random plane.
    channels : int64 [C]
        Those that answer most to the partial alone come first.
    """

    mixture: Tensor
    scale: Tensor | None
    others: Tensor
    others_scale: Tensor | None
    taken: Mapping[str, list[Tensor]]
    channels: Tensor


def removal(bench: Bench, trial: Trial, random_planes: int, seed: Sequence[int]) -> Removal:
    """Find the planes of a trial and what each of them takes out of the mixture's latent."""
    others, others_scale = bench.encode([trial.others])
    mixture, scale = bench.encode([trial.partials])
    around = bench.encode([(*trial.others, p) for p in _turned(trial.own)])[0]
    alone = bench.encode([(p,) for p in _turned(trial.own)])[0] - bench.silence
    absent = bench.encode([(p,) for p in _turned(trial.absent)])[0] - bench.silence
    moved = mixture[0] - bench.silence  # [C, F]
    taken = {
        OWN_ALONE: [_projected(moved, _plane(alone, bench.silence))],
        OWN_AMONG_OTHERS: [_projected(moved, _plane(around - others, others[0]))],
        ABSENT: [_projected(moved, _plane(absent, bench.silence))],
        **{name: [] for name in (RANDOM, *EQUAL_OF.values())},
    }
    length = moved.norm(dim=0).clamp_min(1e-30)
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    for _ in range(random_planes):
        drawn = torch.randn(len(moved), RANK, generator=generator)
        plane = torch.linalg.qr(drawn)[0][None].expand(moved.shape[1], -1, -1)  # [F, C, r]
        taken[RANDOM].append(_projected(moved, plane))
        for own, equal in EQUAL_OF.items():
            share = taken[own][0].norm(dim=0) / length
            taken[equal].append(of_equal_energy(moved, share, drawn[:, 0]))
    answer = alone.square().mean(0).sum(1)  # [C]
    return Removal(mixture[0], scale, others[0], others_scale, taken, answer.argsort(descending=True))


def _turned(partial: Partial) -> list[Partial]:
    return [
        Partial(partial.frequency_hz, partial.amplitude, partial.phase_rad + 2 * np.pi * k / PHASES)
        for k in range(PHASES)
    ]


def _plane(deviations: Tensor, without: Tensor) -> Tensor:  # [K, C, F], [C, F] -> [F, C, r]
    return response_planes(deviations[None], RANK, without.norm(dim=0)).basis[0]


def _projected(moved: Tensor, plane: Tensor) -> Tensor:
    """Part of [C, F] that lies in planes [F, C, r]."""
    held = torch.einsum("fcr,cf->fr", plane, moved)
    return torch.einsum("fcr,fr->cf", plane, held)


def of_equal_energy(moved: Tensor, share: Tensor, drawn: Tensor) -> Tensor:
    """Return the part of `moved` along a direction that is random but holds a given share of its length.

    Parameters
    ----------
    moved : float [C, F]
    share : float [F]
        From 0 to 1.
    drawn : float [C]
        The random direction.

    Returns
    -------
    part : float [C, F]
        Along ``share d + sqrt(1 - share^2) w``: d the direction of `moved`, w that of `drawn` without its
        part along d. (A second direction of the plane, one that holds nothing, changes nothing.)

    Examples
    --------
    >>> part = of_equal_energy(torch.tensor([[2.0], [0.0]]), torch.tensor([0.5]), torch.tensor([1.0, 1.0]))
    >>> round(float(part.norm()), 6), [round(float(v), 3) for v in part]
    (1.0, [0.5, 0.866])
    """
    along = moved / moved.norm(dim=0).clamp_min(1e-30)
    across = drawn[:, None] - along * (along * drawn[:, None]).sum(0)
    across = across / across.norm(dim=0).clamp_min(1e-30)
    direction = share * along + (1 - share.square()).clamp_min(0).sqrt() * across
    return direction * (direction * moved).sum(0)
