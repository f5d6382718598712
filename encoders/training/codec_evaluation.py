"""How well a codec gives back sounds that it was not trained on, from few codebooks and from many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..codec import codec as load_codec
from ..encodec import EncodecEncoder, listen, quantized_stages
from ..quantization import residual_quantization
from .audio import store_audio
from .fidelity import MelSpectra, mel_distance, si_sdr_db
from .labels import LabelledFile
from .recognition import (
    Agreement,
    chroma,
    chroma_cosine,
    pitch_track,
    same_chords,
    same_notes,
    same_pitch,
)

SECONDS = 8.0
RMS_DBFS = -20.0
LEVELS_DBFS = (-50.0, -40.0, -30.0, -20.0, -10.0)
GROUPS = {"validation": "pieces", "test": "instruments"}  # split -> what of it was not trained on
_PER_INSTRUMENT = {"validation": 1, "test": 3}
_MOST = 72  # instruments of a split, pieces of a recording
_MELODIES = 24
_WITHOUT = 0  # as a number of codebooks: the latent itself is decoded


@dataclass(frozen=True)
class HeldOut:
    """A sound for the test: float32 [T] at -20 dBFS RMS; `group` says what of it was not trained on."""

    name: str
    group: str
    kind: str
    samples: np.ndarray


@dataclass
class Recognised:
    """What a pitch tracker and chroma find again in the melodies and chords that were decoded."""

    frames: Agreement = field(default_factory=lambda: Agreement(0, 0))
    frames_but_octaves: Agreement = field(default_factory=lambda: Agreement(0, 0))
    notes: Agreement = field(default_factory=lambda: Agreement(0, 0))
    chords: Agreement = field(default_factory=lambda: Agreement(0, 0))
    cosines: list[float] = field(default_factory=list)

    def add_melody(self, original_hz: np.ndarray, decoded_hz: np.ndarray) -> None:
        """Count a melody by its pitch tracks [F]."""
        self.frames += same_pitch(original_hz, decoded_hz)
        self.frames_but_octaves += same_pitch(original_hz, decoded_hz, octaves=True)
        self.notes += same_notes(original_hz, decoded_hz)

    def add_chords(self, original: np.ndarray, decoded: np.ndarray) -> None:
        """Count a row of chords by its chroma [12, F]."""
        self.chords += same_chords(original, decoded)
        self.cosines.append(chroma_cosine(original, decoded))


@dataclass(frozen=True)
class CodecScores:
    """How well a codec does on what was held out, beside itself untrained and before rounding.

    Parameters
    ----------
    groups : tuple of str [N]
        What of each sound was not trained on: "pieces", "instruments" or "recordings".
    counts : tuple of int [C]
        Numbers of codebooks: 1, 2, 4 ... all; and 0, for the latent that no quantizer has touched.
    si_sdr_db, mel_distance : dict of str to float64 [N, C]
        Of "trained", "untrained" and "float32" (the trained weights before they were rounded).
    used, perplexity : dict of str to float64 [Q]
        Share of the entries of each codebook that are used at all, and two to the power of the
        entropy of their use.
    recognised : dict of (str, int) to Recognised
        Model and number of codebooks. "chance" compares each sound with the next.
    level_si_sdr_db : dict of float to float
        From all codebooks, at other levels (dB re full scale, RMS): mean over held-out pieces.
    """

    groups: tuple[str, ...]
    counts: tuple[int, ...]
    si_sdr_db: dict[str, np.ndarray]
    mel_distance: dict[str, np.ndarray]
    used: dict[str, np.ndarray]
    perplexity: dict[str, np.ndarray]
    recognised: dict[tuple[str, int], Recognised]
    level_si_sdr_db: dict[float, float]

    def __str__(self) -> str:
        pairs = zip(self.counts, self.si_sdr_db["trained"].mean(axis=0), strict=True)
        counted = [(str(n), f"{db:.1f}") for n, db in pairs if n]
        numbers, ratios = (", ".join(column) for column in zip(*counted, strict=True))
        return f"SI-SDR {ratios} dB from {numbers} codebooks"


def held_out(
    found: Sequence[LabelledFile], recordings: Sequence[Path], rate: int, out: Path, progress: bool = False
) -> list[HeldOut]:
    """Decode the sounds for the test: a few of every instrument, and recordings piece by piece."""
    chosen = [(file.path, GROUPS[file.split], file.kind) for file in _few(found)]
    chosen += [(path, "recordings", "") for path in recordings]
    if not chosen:
        return []
    store = store_audio([path for path, _, _ in chosen], rate, out / "held_out.i16", progress)
    sounds, length = [], round(SECONDS * rate)
    for index, which in enumerate(store.kept):
        path, group, kind = chosen[which]
        whole = store.whole(index)
        pieces = [whole[a : a + length] for a in range(0, max(1, len(whole) - length // 4), length)][:_MOST]
        for piece in pieces if group == "recordings" else pieces[:1]:
            if (rms := np.sqrt(np.mean(np.square(piece, dtype=np.float64)))) > 1e-4:
                level = np.float32(10 ** (RMS_DBFS / 20) / rms)
                sounds.append(HeldOut(path.stem, group, kind, piece * level))
    return sounds


def evaluate(
    weights: Path, codec: nn.Module, test: Sequence[HeldOut], seed: int = 0, progress: bool = False
) -> CodecScores:
    """Let a codec code sounds it was not trained on; as stored in `weights`, as trained, and untrained."""
    from rich.progress import track

    stored = load_codec(weights)
    untrained = stored.randomised(seed)
    assert isinstance(untrained, EncodecEncoder)
    models = {"trained": stored, "untrained": untrained, "float32": listen("float32", codec, None, "")}
    counts = (*quantized_stages(len(stored.codebooks)).values(), _WITHOUT)
    shape = (len(test), len(counts))
    si_sdr, mels = ({name: np.full(shape, np.nan) for name in models} for _ in range(2))
    used = {name: [np.zeros(len(book)) for book in model.codebooks] for name, model in models.items()}
    melodies, chords, compared = _tracks(test, stored.sample_rate)
    recognised = {(name, n): Recognised() for name in models for n in counts}
    mel = MelSpectra(stored.sample_rate)
    bar = track(range(len(test)), "evaluating", disable=not progress)
    for index in bar:
        original = torch.from_numpy(test[index].samples)[None]
        for name, model in models.items():
            decoded, codes = decode_each(model, original, counts)
            for book, taken in zip(used[name], codes, strict=True):
                np.add.at(book, taken.numpy(), 1)
            si_sdr[name][index] = [float(si_sdr_db(original, sound)) for sound in decoded]
            rms = original.square().mean().sqrt()
            mels[name][index] = [float(mel_distance(mel, original / rms, s / rms)) for s in decoded]
            for n, sound in zip(counts, decoded, strict=True):
                samples, rate = sound[0].numpy(), model.sample_rate
                if index in melodies and _is_tracked(name, n, counts):
                    recognised[name, n].add_melody(melodies[index], pitch_track(samples, rate))
                if index in chords:
                    recognised[name, n].add_chords(chords[index], chroma(samples, rate))
    share, perplexity = zip(*(_usage(books) for books in used.values()), strict=True)
    return CodecScores(
        tuple(sound.group for sound in test),
        counts,
        si_sdr,
        mels,
        dict(zip(models, share, strict=True)),
        dict(zip(models, perplexity, strict=True)),
        recognised | {("chance", 0): compared},
        _levels(stored, test),
    )


def decode_each(
    model: EncodecEncoder, waveforms: Tensor, counts: Sequence[int]
) -> tuple[list[Tensor], Tensor]:
    """Return waveforms [B, T] decoded from each number of codebooks, and all codes [Q, B * F].

    0 codebooks: the latent itself.
    """
    latent = model.run(waveforms, ["latent"])["latent"]
    found = residual_quantization(latent.transpose(1, 2), model.codebooks)
    vectors_there = [found.vectors[..., n - 1, :].transpose(1, 2) if n else latent for n in counts]
    sounds = [model.decode(vectors)[:, : waveforms.shape[1]] for vectors in vectors_there]
    return sounds, found.codes.flatten(0, 1).T


def _few(found: Sequence[LabelledFile]) -> list[LabelledFile]:
    """Return a few held-out files of every group, taking turns between its kinds of score."""
    chosen = []
    for split, count in _PER_INSTRUMENT.items():
        groups = sorted({file.group for file in found if file.split == split})
        for number, group in enumerate(groups[:: max(1, -(-len(groups) // _MOST))]):
            files = [file for file in found if file.split == split and file.group == group]
            chosen += [files[(number + n) % len(files)] for n in range(min(count, len(files)))]
    return chosen


def _tracks(
    test: Sequence[HeldOut], rate: int
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], Recognised]:
    """Return pitch tracks of the melodies, chroma of the chords, and what they share with the next one."""
    lines = [index for index, sound in enumerate(test) if sound.kind == "line"]
    lines = lines[:: max(1, len(lines) // _MELODIES)]
    melodies = {index: pitch_track(test[index].samples, rate) for index in lines}
    chords = {i: chroma(sound.samples, rate) for i, sound in enumerate(test) if sound.kind == "chords"}
    chance = Recognised()
    for one, other in pairwise(lines):
        length = min(len(melodies[one]), len(melodies[other]))
        chance.add_melody(melodies[one][:length], melodies[other][:length])
    for one, other in pairwise(chords):
        length = min(chords[one].shape[1], chords[other].shape[1])
        chance.add_chords(chords[one][:, :length], chords[other][:, :length])
    return melodies, chords, chance


def _is_tracked(name: str, n: int, counts: Sequence[int]) -> bool:
    """Whether pitch is tracked, which takes long: the rounded weights are those in use."""
    return name == "trained" or (name == "untrained" and n == max(counts))


def _usage(books: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    share = [float((book > 0).mean()) for book in books]
    entropies = []
    for book in books:
        p = book[book > 0] / book.sum()
        entropies.append(-(p * np.log2(p)).sum())
    return np.array(share), 2 ** np.array(entropies)


def _levels(model: EncodecEncoder, test: Sequence[HeldOut]) -> dict[float, float]:
    pieces = [sound for sound in test if sound.group == "pieces"][::4]
    if not pieces:
        return {}
    found = {}
    for level in LEVELS_DBFS:
        ratios = []
        for sound in pieces:
            original = torch.from_numpy(sound.samples * np.float32(10 ** ((level - RMS_DBFS) / 20)))[None]
            (decoded,), _ = decode_each(model, original, [len(model.codebooks)])
            ratios.append(float(si_sdr_db(original, decoded)))
        found[level] = float(np.mean(ratios))
    return found
