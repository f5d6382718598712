"""Sounds that dictionaries are learnt from and labelled on: clips of a corpus, and stimuli of known pitch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...encoders.base import Encoder
from ...encoders.musicgen.coded import UNITS, CodedClips
from ...encoders.musicgen.model import MusicGen
from ...synth.chords import PITCH_CLASSES, TRIADS, chords
from ...synth.errors import InputError
from ...synth.pitches import pitches
from ...synth.stimuli import StimulusSet
from .labels.base import Truth

SECONDS = 3.0  # of a corpus's clip, where an encoder hears waveforms
STIMULUS_S = 1.0
AT_ONCE = 16  # clips that are heard together
_TIMBRES = ("saw", "square", "triangle", "bright", "dull")
_CHORD_TIMBRES = ("saw", "dull")
_LEVELS_DBFS = (-30.0, -20.0, -10.0)
_NAMES = {"mean_midi": "mean pitch", "onsets_per_s": "onset rate"}


@dataclass(frozen=True, eq=False)
class Clips:
    """Sounds of one length, as an encoder is given them.

    Parameters
    ----------
    inputs : int64 codes [N, K, F] or float32 waveforms [N, T]
        Codes where the encoder is a model of them.
    truths : tuple of Truth
        What is known of each.
    groups : int64 [N]
        Clips of one are not independent.
    about : str
        Where they are from, for the report.
    """

    inputs: Tensor
    truths: tuple[Truth, ...]
    groups: np.ndarray
    about: str

    def __len__(self) -> int:
        return len(self.inputs)

    def some(self, rows: np.ndarray) -> Clips:
        """Return some of the clips."""
        truths = tuple(Truth(t.name, t.values[rows], t.classes, t.units) for t in self.truths)
        return Clips(self.inputs[torch.from_numpy(rows)], truths, self.groups[rows], self.about)

    def batches(self) -> Iterator[tuple[int, Tensor]]:
        """Yield the first clip of each batch, and what an encoder is given."""
        for start in range(0, len(self), AT_ONCE):
            yield start, self.inputs[start : start + AT_ONCE]

    def sounds(self, encoder: Encoder, rows: np.ndarray) -> np.ndarray:
        """Return waveforms of some clips, float32 [n, T]: those that were played, or decoded codes."""
        inputs = self.inputs[torch.from_numpy(np.asarray(rows))]
        if inputs.is_floating_point():
            return inputs.numpy()
        assert isinstance(encoder, MusicGen)
        return encoder.decode_codes(inputs).numpy()


def responses(encoder: Encoder, inputs: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
    """Return activations {stage: [B, C, F]} of waveforms or, of a model of codes, of codes."""
    if inputs.is_floating_point():
        return encoder.run(inputs, stages)
    assert isinstance(encoder, MusicGen)
    return encoder.run_codes(inputs, stages)


def learning_clips(encoder: Encoder, corpus: str | Path | None, seed: int) -> Clips:
    """Return the clips that a dictionary is learnt from, in an order that follows from the seed.

    Raises
    ------
    InputError
        If there are none: no corpus is given, and none comes with the encoder.
    """
    clips = _corpus(encoder, corpus, ("training",))
    return clips.some(np.random.default_rng(seed).permutation(len(clips)))


def labelled_clips(encoder: Encoder, corpus: str | Path | None) -> tuple[Clips, ...]:
    """Return the clips that features are labelled on: what a dictionary was not learnt from, and stimuli.

    Raises
    ------
    InputError
        If there are none: no corpus is given, and none comes with the encoder.
    """
    held_out = _corpus(encoder, corpus, ("validation", "test"))
    if isinstance(encoder, MusicGen) and not encoder.codes_any_sound:
        return (held_out,)
    return held_out, *stimulus_clips(encoder)


def stimulus_clips(encoder: Encoder) -> tuple[Clips, ...]:
    """Return notes and chords of known pitch, quality and level, as an encoder is given them."""
    played = {
        "notes": [
            pitches(midi=range(48, 72), timbres=_TIMBRES, level_dbfs=level, max_hz=encoder.sample_rate * 0.45)
            for level in _LEVELS_DBFS
        ],
        "chords": [
            chords(range(48, 60), TRIADS, (0, 1, 2), timbre=timbre, max_hz=encoder.sample_rate * 0.45)
            for timbre in _CHORD_TIMBRES
        ],
    }
    found = []
    for kind, sets in played.items():
        inputs = torch.cat([_as_given(encoder, stimuli) for stimuli in sets])
        truths = _note_truths(sets) if kind == "notes" else _chord_truths(sets)
        about = f"{len(inputs)} {kind} of {STIMULUS_S:g} s"
        found.append(Clips(inputs, truths, np.arange(len(inputs)), about))
    return tuple(found)


def joined_truths(parts: Sequence[Clips]) -> tuple[Truth, ...]:
    """Return the truths of several clips one after another; what is not known of a part is not known.

    Examples
    --------
    >>> one = Clips(torch.zeros(1, 8), (Truth("f0", np.array([440.0]), (), "Hz"),), np.zeros(1, int), "")
    >>> other = Clips(torch.zeros(1, 8), (Truth("kind", np.array([1]), ("a", "b")),), np.zeros(1, int), "")
    >>> [truth.values.tolist() for truth in joined_truths((one, other))]
    [[440.0, nan], [-1, 1]]
    """
    about = {truth.name: truth for part in parts for truth in part.truths}
    joined = []
    for name, truth in about.items():
        values = []
        for part in parts:
            own = next((one for one in part.truths if one.name == name), None)
            unknown = np.full(len(part), -1) if truth.classes else np.full(len(part), np.nan)
            values.append(unknown if own is None else own.values)
        joined.append(Truth(name, np.concatenate(values), truth.classes, truth.units))
    return tuple(joined)


def joined_groups(parts: Sequence[Clips]) -> np.ndarray:
    """Return the groups of several clips one after another; those of different parts are different."""
    first, groups = 0, []
    for part in parts:
        groups.append(part.groups + first)
        first += int(part.groups.max(initial=-1)) + 1
    return np.concatenate(groups)


def _corpus(encoder: Encoder, corpus: str | Path | None, splits: tuple[str, ...]) -> Clips:
    if corpus is not None:
        return _from_folder(encoder, Path(corpus), splits)
    if not isinstance(encoder, MusicGen) or encoder.known_clips is None:
        raise InputError(
            f"{encoder.name}: no labelled clips come with it; name a corpus, as `tonotopy corpus` renders one"
        )
    return _from_coded(encoder.known_clips().of(*splits), splits)


def _from_coded(clips: CodedClips, splits: tuple[str, ...]) -> Clips:
    if not len(clips):
        raise InputError(f"labelled clips: none of {' and '.join(splits)}")
    truths = [Truth(name, values, clips.classes[name]) for name, values in clips.factors.items()]
    truths += [
        Truth(_NAMES.get(name, name), values, (), UNITS.get(name, "1"))
        for name, values in clips.numbers.items()
    ]
    inputs = torch.from_numpy(clips.codes.astype(np.int64))
    return Clips(inputs, tuple(truths), clips.groups, f"{len(clips)} clips ({', '.join(splits)})")


def _from_folder(encoder: Encoder, corpus: Path, splits: tuple[str, ...]) -> Clips:
    """Return a stretch of every clip of a corpus, from its middle."""
    from ...encoders.training.audio import decode
    from ...encoders.training.labels import find_labels
    from ...encoders.training.musicgen_material import factors_of, requested_of

    found = [file for file in find_labels(corpus) if file.split in splits]
    if not found:
        raise InputError(f"corpus {corpus}: has no clips of {' or '.join(splits)}")
    length = round(SECONDS * encoder.sample_rate)
    waveforms = []
    for file in found:
        sound = np.resize(own := decode(file.path, encoder.sample_rate), max(len(own), length))
        start = (len(sound) - length) // 2
        waveforms.append(sound[start : start + length])
    values = dict(factors_of(found))
    requested = [requested_of(file) for file in found]
    truths = [
        Truth(name, np.array([those.index(one[name]) if name in one else -1 for one in requested]), those)
        for name, those in values.items()
    ]
    for name, units in UNITS.items():
        numbers = np.array([float(file.columns.get(name) or "nan") for file in found])
        if np.isfinite(numbers).any():
            truths.append(Truth(_NAMES[name], numbers, (), units))
    groups = np.unique([file.group for file in found], return_inverse=True)[1]
    inputs = _given(encoder, torch.from_numpy(np.stack(waveforms).astype(np.float32)))
    return Clips(inputs, tuple(truths), groups, f"{len(found)} clips of the corpus ({', '.join(splits)})")


def _as_given(encoder: Encoder, stimuli: StimulusSet) -> Tensor:
    samples = round(STIMULUS_S * encoder.sample_rate)
    return _given(encoder, torch.from_numpy(stimuli.render(encoder.sample_rate, samples)))


def _given(encoder: Encoder, waveforms: Tensor) -> Tensor:
    """Return waveforms [N, T] as an encoder is given them: a model of codes is given codes."""
    if not isinstance(encoder, MusicGen):
        return waveforms
    return torch.cat([encoder.encode(some) for some in waveforms.split(AT_ONCE)])


def _note_truths(sets: Sequence[StimulusSet]) -> tuple[Truth, ...]:
    midi = _joined(sets, "midi")
    return (
        Truth("pitch class", np.round(midi).astype(np.int64) % 12, PITCH_CLASSES),
        Truth("f0", _joined(sets, "f0_hz"), (), "Hz"),
        Truth("level", _joined(sets, "level_dbfs"), (), "dB re full-scale sine"),
    )


def _chord_truths(sets: Sequence[StimulusSet]) -> tuple[Truth, ...]:
    quality, root = _joined(sets, "quality"), _joined(sets, "root")
    return (
        Truth("chord quality", np.array([TRIADS.index(one) for one in quality]), tuple(TRIADS)),
        Truth("chord root", np.array([PITCH_CLASSES.index(one) for one in root]), PITCH_CLASSES),
    )


def _joined(sets: Sequence[StimulusSet], name: str) -> Any:
    return np.concatenate([stimuli.coordinates[name] for stimuli in sets])
