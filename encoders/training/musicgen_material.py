"""What a MusicGen learns from: the codes of a corpus with what is known of every clip; and its recipe."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...synth.errors import InputError
from ..encodec import EncodecEncoder
from ..musicgen.coded import UNITS, CodedClips
from ..musicgen.conditions import NOT_REQUESTED
from ..musicgen.config import MusicGenConfig
from .audio import decode, fingerprint
from .labels import LabelledFile
from .scores import DENSITIES, KINDS, REGISTERS

FACTORS = ("family", "texture", "register", "density")
_COLUMNS = {"family": "label", "texture": "kind"}  # of the table of labels, where it calls them otherwise
_ORDER = (*KINDS, *REGISTERS, *DENSITIES)  # of values that have one
_AT_ONCE = 16  # clips of equal length that are encoded together


@dataclass(frozen=True)
class MusicGenRecipe:
    """How to train; the defaults suit the small model on one core in three quarters of an hour.

    Parameters
    ----------
    steps : int > 0
    batch_size : int > 0
        Sequences of as many columns as the model's context.
    learning_rate : float > 0
        Peak of the schedule: linear over the first 200 steps, then a cosine down to zero (AdamW).
    weight_decay : float >= 0
    dropout : float, 0 to 1
        Share of what every part of a block adds to the residual stream that is left out.
    unconditional, factor_left_out : float, 0 to 1
        How often no factor is asked for, and how often each of them is not.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    steps: int = 6_000
    batch_size: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.05
    unconditional: float = 0.15
    factor_left_out: float = 0.10

    def __post_init__(self) -> None:
        if not (self.steps >= 1 and self.batch_size >= 1 and self.learning_rate > 0):
            raise InputError(
                f"training with {self.steps} steps, batch {self.batch_size}, rate {self.learning_rate}: "
                "must be at least 1 step, batches of at least 1 and a positive rate"
            )
        for name in ("dropout", "unconditional", "factor_left_out"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"training with {name} {getattr(self, name)}: must be 0 to 1, 1 excluded")


@dataclass(frozen=True)
class CodedClip:
    """A clip as its codes, int16 [K, T], with the values of its factors."""

    file: LabelledFile
    codes: np.ndarray
    requested: Mapping[str, str]


def factors_of(found: Sequence[LabelledFile]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the factors that a corpus's table tells, with their values in order.

    Raises
    ------
    InputError
        If it tells none of `FACTORS` beside the label.
    """
    known: list[tuple[str, tuple[str, ...]]] = []
    for name in FACTORS:
        values = {file.columns.get(_COLUMNS.get(name, name), "") for file in found} - {""}
        if len(values) > 1:
            known.append((name, tuple(sorted(values, key=_place))))
    if len(known) < 2:
        raise InputError(
            "corpus: its table tells no factors beside the label; needs columns kind, register or density "
            "(render it anew with `tonotopy corpus`)"
        )
    return tuple(known)


def _place(value: str) -> tuple[int, str]:
    return (_ORDER.index(value) if value in _ORDER else len(_ORDER), value)


def requested_of(file: LabelledFile, names: Sequence[str] = FACTORS) -> dict[str, str]:
    """Return the values of some factors of a file, as far as its table tells them."""
    values = {name: file.columns.get(_COLUMNS.get(name, name), "") for name in names}
    return {name: value for name, value in values.items() if value}


def encode_corpus(
    found: Sequence[LabelledFile],
    codec: EncodecEncoder,
    out: Path,
    factors: Sequence[str] = FACTORS,
    progress: bool = False,
) -> list[CodedClip]:
    """Return clips as codes; what an earlier call left in ``out`` is not encoded again.

    Parameters
    ----------
    found : sequence of LabelledFile
    codec : EncodecEncoder
        Of as many codebooks as are wanted.
    out : path
        Folder for ``<digest>.npy``, a file for every few clips.
    factors : sequence of str
        Those that are wanted of each.
    progress : bool

    Raises
    ------
    InputError
        If a file cannot be read, or is silent.
    """
    from rich.progress import track

    out.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(found), _AT_ONCE)
    clips: list[CodedClip] = []
    for start in track(starts, "encoding", disable=not progress):
        several = found[start : start + _AT_ONCE]
        for file, codes in zip(several, _codes(several, codec, out), strict=True):
            clips.append(CodedClip(file, codes, requested_of(file, factors)))
    return clips


def _codes(files: Sequence[LabelledFile], codec: EncodecEncoder, out: Path) -> list[np.ndarray]:
    """Return the codes of a few files, int16 [K, T] each."""
    about = [codec.weights.sha256, len(codec.codebooks), *(fingerprint(file.path) for file in files)]
    path = out / f"{hashlib.sha256(repr(about).encode()).hexdigest()[:24]}.npy"
    if not path.is_file():
        sounds = [decode(file.path, codec.sample_rate) for file in files]
        lengths = [len(sound) // codec.stages["codes"].hop for sound in sounds]
        table = np.full((len(files), len(codec.codebooks), max(lengths)), -1, np.int16)
        for length in sorted(set(lengths)):
            rows = [row for row, own in enumerate(lengths) if own == length]
            samples = length * codec.stages["codes"].hop
            waveforms = torch.from_numpy(np.stack([sounds[row][:samples] for row in rows]))
            table[rows, :, :length] = codec.run(waveforms, ["codes"])["codes"][..., :length].numpy()
        part = path.with_suffix(".part")
        with open(part, "wb") as opened:
            np.save(opened, table)
        os.replace(part, path)
    return [row[:, row[0] >= 0] for row in np.load(path)]


def coded_clips(clips: Sequence[CodedClip], config: MusicGenConfig, seed: int) -> CodedClips:
    """Return a stretch of every clip, as long as a model's context holds, with what the table tells of it."""
    frames = config.context + 1 - config.codebooks
    rng = np.random.default_rng(seed)
    long = [clip for clip in clips if clip.codes.shape[1] >= frames]
    starts = [int(rng.integers(0, clip.codes.shape[1] - frames + 1)) for clip in long]
    programs = {group: n for n, group in enumerate(sorted({clip.file.group for clip in long}))}
    told = {name: [clip.file.columns.get(name, "") for clip in long] for name in UNITS}
    return CodedClips(
        np.stack(
            [clip.codes[:, start : start + frames] for clip, start in zip(long, starts, strict=True)]
        ).astype(np.uint8 if config.entries <= 256 else np.int16),
        np.array([clip.file.split for clip in long]),
        np.array([programs[clip.file.group] for clip in long]),
        config.values,
        {
            name: np.array(
                [values.index(clip.requested[name]) if name in clip.requested else -1 for clip in long]
            )
            for name, values in config.factors
        },
        {name: np.array([float(value or "nan") for value in values]) for name, values in told.items()},
    )


def batch(
    clips: Sequence[CodedClip],
    values: Tensor,
    recipe: MusicGenRecipe,
    frames: int,
    seed: int,
    step: int,
) -> tuple[Tensor, Tensor]:
    """Return the codes of a step, int64 [B, K, T], and which factors are asked for, int64 [B, factors].

    They follow from seed and step.

    Parameters
    ----------
    clips : sequence of CodedClip
    values : int64 [clips, factors]
        What every clip's factors are.
    recipe : MusicGenRecipe
    frames : int > 0
        T; a shorter clip is repeated.
    seed, step : int
    """
    rng = np.random.default_rng([seed, step])
    chosen = rng.integers(0, len(clips), recipe.batch_size)
    codes = np.empty((recipe.batch_size, len(clips[0].codes), frames), np.int64)
    for row, index in enumerate(chosen):
        own = clips[index].codes
        own = own if own.shape[1] >= frames else np.tile(own, -(-frames // own.shape[1]))
        start = int(rng.integers(0, own.shape[1] - frames + 1))
        codes[row] = own[:, start : start + frames]
    left_out = rng.random((recipe.batch_size, values.shape[1])) < recipe.factor_left_out
    left_out |= rng.random((recipe.batch_size, 1)) < recipe.unconditional
    given = values[torch.from_numpy(chosen)]
    return torch.from_numpy(codes), given.masked_fill(torch.from_numpy(left_out), NOT_REQUESTED)
