"""How well a MusicGen says what is held out, whether it heeds what it is asked, and how it sounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...synth.descriptors import describe
from ..musicgen.model import MusicGen
from ..samplecnn import samplecnn_tiny
from .musicgen_material import CodedClip

HELD_OUT = {"validation": "pieces", "test": "instruments"}  # split -> what of it was not learnt from
JUDGED = {  # factor -> descriptor that tells it, and how it goes with the factor's values in their order
    "register": "centroid",
    "texture": "voiced_share",
    "density": "onset_rate",
}
MUSICALITY = ("voiced_share", "level", "chroma_persistence")
_PERMUTATIONS = 9_999
_PER_VALUE, _PER_FAMILY = 24, 6  # sounds that are asked for
_SOUNDS = 64
_AT_ONCE = 32


@dataclass(frozen=True)
class Heeded:
    """Whether a factor is heeded: what sounds have that were asked for it, beside shuffled requests.

    Parameters
    ----------
    factor, measure : str
    guidance : float
    effect, shuffled : float
        The statistic, and its mean over shuffled requests.
    p : float
        Share of shuffled requests that do at least as well, the observed one counted.
    sounds : int
    """

    factor: str
    measure: str
    guidance: float
    effect: float
    shuffled: float
    p: float
    sounds: int


@dataclass(frozen=True)
class MusicGenScores:
    """How a MusicGen does.

    Parameters
    ----------
    cross_entropy : dict of (str, str) to float64 [K]
        Of each codebook, nats a code: (what was held out, "conditional", "unconditional", "float32" or
        "random").
    unigram : dict of str to float64 [K]
        Of saying how often every code occurs in what was learnt from.
    heeded : tuple of Heeded
    musicality : dict of str to dict of str to float64 [N]
        Descriptors of sounds: from real codes, shuffled ones, and generated.
    """

    cross_entropy: dict[tuple[str, str], np.ndarray]
    unigram: dict[str, np.ndarray]
    heeded: tuple[Heeded, ...]
    musicality: dict[str, dict[str, np.ndarray]]

    def __str__(self) -> str:
        said = {
            name: float(each.mean())
            for (name, how), each in self.cross_entropy.items()
            if how == "conditional"
        }
        told = ", ".join(
            f"{value:.3f} of held-out {name} (unigram {self.unigram[name].mean():.3f})"
            for name, value in said.items()
        )
        return f"cross-entropy {told}"


def evaluate(
    model: MusicGen, precise: MusicGen, clips: Sequence[CodedClip], seed: int = 0, progress: bool = False
) -> MusicGenScores:
    """Measure a model on what it has not learnt from, and what it makes up.

    Parameters
    ----------
    model : MusicGen
        As it is stored.
    precise : MusicGen
        Before its weights were rounded.
    clips : sequence of CodedClip
        Of all splits.
    seed : int
    progress : bool
    """
    from rich.console import Console

    console = Console(quiet=not progress, highlight=False)
    parts = {what: [c for c in clips if c.file.split == split] for split, what in HELD_OUT.items()}
    parts = {what: own for what, own in parts.items() if own}
    learnt = [clip for clip in clips if clip.file.split == "training"]
    untrained = model.randomised(seed)
    assert isinstance(untrained, MusicGen)
    cross_entropy, unigram = {}, {}
    for what, own in parts.items():
        console.print(f"cross-entropy of held-out {what}")
        unigram[what] = unigram_cross_entropy(learnt, own, model.special)
        for how, (one, with_condition) in {
            "conditional": (model, True),
            "unconditional": (model, False),
            "float32": (precise, True),
            "random": (untrained, True),
        }.items():
            cross_entropy[what, how] = held_out_cross_entropy(one, own, with_condition)
    console.print("what is asked for")
    heeded = tuple(heeds(model, seed))
    console.print("how it sounds")
    return MusicGenScores(cross_entropy, unigram, heeded, musicality(model, untrained, clips, seed))


def frames_of(model: MusicGen) -> int:
    """Return how many frames the columns of a model's context hold."""
    return model.context + 1 - model.n_codebooks


def held_out_cross_entropy(model: MusicGen, clips: Sequence[CodedClip], with_condition: bool) -> np.ndarray:
    """Return the cross-entropy of each codebook, float64 [K], nats a code, over stretches of a context."""
    codes, requests = stretches(clips, frames_of(model))
    total = np.zeros(model.n_codebooks)
    for start in range(0, len(codes), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        given = requests[rows] if with_condition else None
        total += model.token_losses(codes[rows], given).double().sum((0, 2)).cpu().numpy()
    return total / (len(codes) * codes.shape[2])


def stretches(clips: Sequence[CodedClip], frames: int) -> tuple[Tensor, list[Mapping[str, str]]]:
    """Return whole stretches of clips, one after another, int64 [N, K, T], and the factors of each."""
    codes, requests = [], []
    for clip in clips:
        for start in range(0, clip.codes.shape[1] - frames + 1, frames):
            codes.append(clip.codes[:, start : start + frames])
            requests.append(clip.requested)
    return torch.from_numpy(np.stack(codes).astype(np.int64)), requests


def unigram_cross_entropy(
    learnt: Sequence[CodedClip], held_out: Sequence[CodedClip], entries: int
) -> np.ndarray:
    """Return the cross-entropy of each codebook when only how often codes occur is known, float64 [K]."""

    def counts(clips: Sequence[CodedClip]) -> np.ndarray:
        together = np.concatenate([clip.codes for clip in clips], axis=1)
        return np.stack([np.bincount(own, minlength=entries) for own in together]).astype(np.float64)

    known, there = counts(learnt) + 1, counts(held_out)
    logarithms = np.log(known / known.sum(1, keepdims=True))
    return -(there * logarithms).sum(1) / there.sum(1)


def generated(
    model: MusicGen, requests: Sequence[Mapping[str, str]] | None, seeds: Sequence[int], **how: object
):
    """Return sounds that a model makes up, float32 [N, T], a context long."""
    sounds = []
    for start in range(0, len(seeds), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        codes = model.generate(
            frames_of(model),
            seeds=seeds[rows],
            condition=None if requests is None else list(requests[rows]),
            **how,
        )
        sounds.append(model.decode_codes(codes).numpy())
    return np.concatenate(sounds)


def heeds(model: MusicGen, seed: int) -> list[Heeded]:
    """Return whether each factor is heeded, without guidance (1) and with (3)."""
    found = []
    values = getattr(model.conditions, "factors", {})
    for factor, those in values.items():
        of_each = _PER_FAMILY if factor not in JUDGED else _PER_VALUE
        requests = [{factor: value} for value in those for _ in range(of_each)]
        place = np.repeat(np.arange(len(those)), of_each)
        seeds = [1_000 * seed + n for n in range(len(requests))]
        for guidance in (1.0, 3.0):
            sounds = generated(model, requests, seeds, guidance=guidance)
            judge = _judged(factor, those, sounds, model.sample_rate)
            if judge is not None:
                name, statistic = judge
                found.append(_heeded(factor, name, guidance, statistic, place, seed))
    return found


def _judged(
    factor: str, values: Sequence[str], sounds: np.ndarray, sample_rate: int
) -> tuple[str, Callable[[np.ndarray], float]] | None:
    """Return what tells a factor in sounds, and the statistic of which values [N] were asked for."""
    if factor in JUDGED:
        name = JUDGED[factor]
        measured = describe(sounds, sample_rate)[name]
        measured = np.log2(measured) if name == "centroid" else measured
        there = np.isfinite(measured)

        def rises(place: np.ndarray) -> float:
            """Return how much more the last value has than the first; lines are more voiced than chords."""
            first = measured[there & (place == 0)].mean()
            last = measured[there & (place == len(values) - 1)].mean()
            return float(first - last if factor == "texture" else last - first)

        return name, rises
    if factor != "family":
        return None
    tagger = samplecnn_tiny()
    if not set(values) <= set(tagger.classes):
        return None
    probability = tagger.classify(_resampled(sounds, sample_rate, tagger.sample_rate)).numpy()
    columns = np.array([tagger.classes.index(value) for value in values])
    rows = np.arange(len(sounds))
    return "tagger's probability", lambda place: float(probability[rows, columns[place]].mean())


def _heeded(
    factor: str,
    measure: str,
    guidance: float,
    statistic: Callable[[np.ndarray], float],
    place: np.ndarray,
    seed: int,
) -> Heeded:
    rng = np.random.default_rng(seed)
    effect = statistic(place)
    shuffled = np.array([statistic(rng.permutation(place)) for _ in range(_PERMUTATIONS)])
    p = (1 + int((shuffled >= effect - 1e-12).sum())) / (1 + len(shuffled))
    return Heeded(factor, measure, guidance, effect, float(shuffled.mean()), p, len(place))


def _resampled(sounds: np.ndarray, sample_rate: int, wanted: int) -> Tensor:
    import soxr

    return torch.from_numpy(soxr.resample(sounds.T, sample_rate, wanted).T.astype(np.float32).copy())


def musicality(
    model: MusicGen, untrained: MusicGen, clips: Sequence[CodedClip], seed: int
) -> dict[str, dict[str, np.ndarray]]:
    """Return descriptors of sounds from real codes, shuffled ones, and what models make up."""
    rng = np.random.default_rng(seed)
    frames = frames_of(model)
    real, every = stretches([c for c in clips if c.file.split == "validation"], frames)
    chosen = rng.permutation(len(real))[:_SOUNDS]
    codes, requests = real[chosen], [every[n] for n in chosen]
    in_time = torch.from_numpy(np.stack([own[:, rng.permutation(frames)] for own in codes.numpy()]))
    everywhere = torch.from_numpy(rng.permuted(codes.numpy(), axis=2))
    uniform = torch.from_numpy(rng.integers(0, model.special, codes.shape))
    sounds = {
        "real codes": codes,
        "real codes, frames shuffled in time": in_time,
        "real codes, each codebook shuffled in time": everywhere,
        "codes drawn evenly": uniform,
    }
    seeds = [1_000 * seed + n for n in range(len(codes))]
    sounding = {name: model.decode_codes(own).numpy() for name, own in sounds.items()}
    sounding["the model, not asked"] = generated(model, None, seeds)
    sounding["the model, asked, guidance 3"] = generated(model, requests, seeds, guidance=3.0)
    sounding["the model, asked, guidance 3, of the 32 likeliest"] = generated(
        model, requests, seeds, guidance=3.0, top_k=32
    )
    sounding["the model at random weights"] = generated(untrained, None, seeds)
    return {
        name: {key: values for key, values in describe(own, model.sample_rate).items() if key in MUSICALITY}
        for name, own in sounding.items()
    }
