"""What a codec learns from: segments of a corpus and of recordings, alone or in pairs, at many levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...synth.errors import InputError
from ..codec import CodecConfig
from .audio import AudioStore, store_audio
from .fidelity import WINDOWS
from .labels import LabelledFile

HELD_OUT_RECORDINGS = 4  # the first of so many, by name, is for the test


@dataclass(frozen=True)
class CodecRecipe:
    """How to train; the defaults suit the small codec on one core in three quarters of an hour.

    Parameters
    ----------
    steps : int > 0
    batch_size : int > 0
    seconds : float
        Length of a segment.
    learning_rate : float > 0
        Peak of the schedule: linear over the first 200 steps, then a cosine down to zero (AdamW).
    recordings_share : float
        Share of sounds that are from recordings; the others are from the corpus.
    mixed_share : float
        Share of segments that are two sounds, the second 0 to 15 dB below the first.
    rms_dbfs : (float, float)
        Levels of the segments, drawn from evenly; dB re full scale. Clipped peaks lower them.
    waveform_weight, mel_weight, commitment_weight : float
        Of the losses: error over signal in units of 10 dB; mean distance of log-mel spectra in
        nepers; squared distance of what is quantized from what it becomes.
    all_codebooks_share : float
        Share of segments decoded from all codebooks; the others from the first few, evenly.
    unquantized_steps : int
        Steps at the beginning that go past the quantizer: codebooks are found for latents that mean
        something.
    dead_share : float
        An entry that is used less often than this share of the mean is dead, and is replaced.
    """

    steps: int = 11_000
    batch_size: int = 8
    seconds: float = 0.5
    learning_rate: float = 1e-3
    recordings_share: float = 0.35
    mixed_share: float = 0.25
    rms_dbfs: tuple[float, float] = (-30.0, -3.0)
    waveform_weight: float = 2.0
    mel_weight: float = 0.25
    commitment_weight: float = 0.1
    all_codebooks_share: float = 0.5
    unquantized_steps: int = 300
    dead_share: float = 0.05

    def __post_init__(self) -> None:
        if not (self.steps >= 1 and self.batch_size >= 1 and self.learning_rate > 0):
            raise InputError(
                f"training with {self.steps} steps, batch {self.batch_size}, rate {self.learning_rate}: "
                "must be at least 1 step, batches of at least 1 and a positive rate"
            )
        if not 0.1 <= self.seconds <= 60:
            raise InputError(f"training with segments of {self.seconds} s: must be 0.1 to 60")


@dataclass(frozen=True)
class CodecMaterial:
    """The sounds to learn from; `recordings` may be missing."""

    corpus: AudioStore
    recordings: AudioStore | None


def split_recordings(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return recordings to learn from and recordings for the test: every fourth, from the first.

    Examples
    --------
    >>> [[path.name for path in part] for part in split_recordings([Path("a"), Path("b"), Path("c")])]
    [['b', 'c'], ['a']]
    """
    held_out = list(paths[::HELD_OUT_RECORDINGS])
    return [path for path in paths if path not in held_out], held_out


def gather(
    found: Sequence[LabelledFile], recordings: Sequence[Path], rate: int, out: Path, progress: bool = False
) -> CodecMaterial:
    """Decode what there is to learn from: the corpus's training split, and recordings."""
    files = [file.path for file in found if file.split == "training"]
    corpus = store_audio(files, rate, out / "audio.i16", progress)
    others = store_audio(recordings, rate, out / "recordings.i16", progress) if recordings else None
    return CodecMaterial(corpus, others)


def segment_samples(config: CodecConfig, recipe: CodecRecipe) -> int:
    """Return the length of a segment: whole frames.

    Raises
    ------
    InputError
        If it is too short for the longest window of the mel spectra.

    Examples
    --------
    >>> from tonotopy.encoders.codec import TINY
    >>> segment_samples(TINY, CodecRecipe())
    12160
    """
    length = config.hop * max(1, round(recipe.seconds * config.sample_rate / config.hop))
    if 2 * length <= max(WINDOWS):
        raise InputError(
            f"segments of {recipe.seconds:g} s: {length} samples at {config.sample_rate} Hz; "
            f"must be more than {max(WINDOWS) // 2}"
        )
    return length


def segments(
    material: CodecMaterial, config: CodecConfig, recipe: CodecRecipe, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Return the waveforms [B, T] of a step and how many codebooks each is decoded from [B].

    They follow from seed and step.
    """
    rng = np.random.default_rng([seed, step])
    waveforms = np.empty((recipe.batch_size, segment_samples(config, recipe)), np.float32)
    for waveform in waveforms:
        waveform[:] = _sound(material, recipe, len(waveform), rng)
        if rng.random() < recipe.mixed_share:
            waveform += _sound(material, recipe, len(waveform), rng) * 10 ** (rng.uniform(-15, 0) / 20)
        level = 10 ** (rng.uniform(*recipe.rms_dbfs) / 20)
        waveform *= level / _rms(waveform)
        waveform *= min(1.0, 1 / float(np.abs(waveform).max() + 1e-9))
    everything = rng.random(len(waveforms)) < recipe.all_codebooks_share
    counts = np.where(everything, config.codebooks, rng.integers(1, config.codebooks + 1, len(waveforms)))
    return torch.from_numpy(waveforms), torch.from_numpy(counts)


def _sound(material: CodecMaterial, recipe: CodecRecipe, length: int, rng: np.random.Generator) -> np.ndarray:
    """Return a crop of unit RMS, float32 [length]; recordings count by their length."""
    store = material.corpus
    if material.recordings is not None and rng.random() < recipe.recordings_share:
        store = material.recordings
        sizes = np.diff(store.first)
        index = int(rng.choice(len(store), p=sizes / sizes.sum()))
    else:
        index = int(rng.integers(len(store)))
    crop = store.crop(index, length, rng)
    return crop / _rms(crop)


def _rms(samples: np.ndarray) -> float:
    return max(float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))), 1e-4)
