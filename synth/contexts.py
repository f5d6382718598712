"""Contexts: what sounds beside a stimulus. Silence is None."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from .errors import InputError
from .partials import amplitude_of, midi_to_hz
from .pitches import Timbre, find_timbre
from .recordings import Recording, content_sha256, duration_s, find_recordings, read_recording
from .stimuli import Partial, Stimulus, StimulusSet


@dataclass(frozen=True)
class Noise:
    """Gaussian noise at a signal-to-noise ratio; the stimulus keeps its amplitude.

    The same seed, length and sample rate give the same noise, so every stimulus of a set has the same
    context, and its RMS over the rendered length is exact.

    Parameters
    ----------
    colour : {"white", "pink"}
        Pink: power falls as 1/f from 20 Hz to Nyquist, and there is none below.
    snr_db : float
        RMS of the stimulus's partials re RMS of the noise.
    seed : int >= 0

    Examples
    --------
    >>> hiss = Noise("white", snr_db=20.0).render(24_000, 24_000.0, component_rms=0.1)
    >>> round(float(np.sqrt(np.mean(hiss**2))), 6)
    0.01
    """

    colour: Literal["white", "pink"] = "white"
    snr_db: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.colour not in ("white", "pink"):
            raise InputError(f"noise colour {self.colour!r}: must be 'white' or 'pink'")
        if not math.isfinite(self.snr_db):
            raise InputError(f"noise SNR {self.snr_db} dB: must be finite")
        if self.seed < 0:
            raise InputError(f"noise seed {self.seed}: must be at least 0")

    @property
    def label(self) -> str:
        """Such as "pink noise 10 dB"."""
        return f"{self.colour} noise {self.snr_db:g} dB" + (f" #{self.seed}" if self.seed else "")

    def render(self, n_samples: int, sample_rate: float, component_rms: float) -> np.ndarray:
        """Return the noise, float32 [n_samples]."""
        gain = _gain(self.label, self.snr_db, component_rms)
        return (gain * _unit_noise(self.colour, self.seed, n_samples, sample_rate)).astype(np.float32)


@dataclass(frozen=True)
class OtherPartials:
    """More partials, at amplitudes of their own.

    Parameters
    ----------
    partials : tuple of Partial
    label : str
    """

    partials: tuple[Partial, ...]
    label: str

    def __post_init__(self) -> None:
        if not self.partials:
            raise InputError(f"context {self.label!r}: holds no partial; silence is None")

    def render(self, n_samples: int, sample_rate: float, component_rms: float) -> np.ndarray:
        """Return their sum, float32 [n_samples]; `component_rms` does not matter."""
        return StimulusSet.of([Stimulus(self.partials)]).render(sample_rate, n_samples)[0]


@dataclass(frozen=True)
class RecordingSlice:
    """A part of a recording, as long as what it accompanies.

    It plays at the recording's own level unless one of `snr_db` and `level_dbfs` says otherwise.

    Parameters
    ----------
    path : path
        An audio file; see `read_recording`. What counts in the specification is its content.
    start_s : float >= 0
        Where the part begins.
    snr_db : float, optional
        RMS of the stimulus's partials re RMS of this part.
    level_dbfs : float, optional
        RMS of this part re that of a full-scale sine.
    label : str
        By default the file's name and `start_s`.
    sha256 : str
        Of the file; found out when left empty. A file that has changed since does not play.
    """

    path: Path = field(repr=False)
    start_s: float = 0.0
    snr_db: float | None = None
    level_dbfs: float | None = None
    label: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        if self.snr_db is not None and self.level_dbfs is not None:
            raise InputError(f"recording {self.path}: give snr_db or level_dbfs, not both")
        for name in ("start_s", "snr_db", "level_dbfs"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and (value >= 0 or name != "start_s")):
                raise InputError(f"recording {self.path}: {name} {value} must be a usable number")
        object.__setattr__(self, "sha256", self.sha256 or content_sha256(self.path))
        object.__setattr__(self, "label", self.label or f"{self.path.stem} {self.start_s:g} s")

    def render(self, n_samples: int, sample_rate: float, component_rms: float) -> np.ndarray:
        """Return the part, float32 [n_samples]."""
        if content_sha256(self.path) != self.sha256:
            raise InputError(f"recording {self.path}: has changed since the stimuli were specified")
        part = read_recording(self.path, sample_rate, self.start_s, n_samples / sample_rate)
        if self.snr_db is None and self.level_dbfs is None:
            return part
        rms = math.sqrt(np.mean(np.square(part, dtype=np.float64)))
        if rms == 0.0:
            raise InputError(
                f"recording {self.path}: silent from {self.start_s:g} s on, cannot be brought to a level"
            )
        wanted = (
            float(amplitude_of(self.level_dbfs)) / math.sqrt(2.0)
            if self.snr_db is None
            else _gain(self.label, self.snr_db, component_rms)
        )
        return (part * (wanted / rms)).astype(np.float32)


def other_pitches(
    midi: float | Sequence[float], timbre: str | Timbre = "saw", level_dbfs: float = -20.0
) -> OtherPartials:
    """Other notes as context.

    Parameters
    ----------
    midi : float or sequence of float
        MIDI note numbers.
    timbre : name or Timbre
    level_dbfs : float
        RMS of each note re that of a full-scale sine.

    Examples
    --------
    >>> other_pitches([48, 55], "sine").label
    'sine 48 55'
    """
    of, notes = find_timbre(timbre), np.atleast_1d(midi).tolist()
    partials = tuple(p for note in notes for p in of.note(float(midi_to_hz(note)), level_dbfs))
    level = "" if level_dbfs == -20.0 else f" {level_dbfs:g} dBFS"
    return OtherPartials(partials, f"{of.name} {' '.join(f'{note:g}' for note in notes)}{level}")


def recording_slices(folder: str | Path, seconds: float = 1.0, per_file: int = 1) -> StimulusSet:
    """Take the user's own recordings as the stimulus: parts of every audio file under a folder.

    Parameters
    ----------
    folder : path
        As in `find_recordings`.
    seconds : float > 0
        Length that each part must be able to play. Files that are shorter, or cannot be read, are left out
        and named in a warning.
    per_file : int > 0
        Parts of each file, evenly spread; a single one lies in the middle.

    Returns
    -------
    stimuli : StimulusSet
        Rows without partials, whose context is the part at its own level. Coordinates: kind
        ("recording"), recording (path within the folder), title, start_s.

    Raises
    ------
    InputError
        If the folder holds no audio that can be read and lasts `seconds`.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(f"seconds {seconds}: must be positive and finite")
    if per_file < 1:
        raise InputError(f"per_file {per_file}: must be at least 1")
    rows = []
    lasting, left_out = lasting_recordings(folder, seconds)
    if left_out:
        warnings.warn(f"{len(left_out)} recordings left out: {'; '.join(left_out)}", stacklevel=2)
    for recording, lasts_s in lasting:
        spare = lasts_s - seconds
        for start in spare * (np.arange(per_file) + 0.5) / per_file:
            start = math.floor(start * 1000) / 1000  # readable, and never past the end
            context = RecordingSlice(recording.path, start)
            coordinates = {**_about(recording, folder), "start_s": start}
            rows.append(Stimulus((), context, coordinates))
    return StimulusSet.of(rows)


def whole_recordings(
    folder: str | Path, longest_s: float | None = None
) -> tuple[StimulusSet, tuple[str, ...]]:
    """Take the user's own recordings as stimuli, each as long as it lasts.

    Parameters
    ----------
    folder : path
        As in `find_recordings`.
    longest_s : float > 0, optional
        Of what lasts longer it is the middle.

    Returns
    -------
    stimuli : StimulusSet
        As of `recording_slices`, with the coordinate duration_s.
    left_out : tuple of str
        What could not be read, and why.

    Raises
    ------
    InputError
        If the folder holds no audio that can be read.
    """
    lasting, left_out = lasting_recordings(folder, 0.0)
    rows = []
    for one, lasts_s in lasting:
        spare = 0.0 if longest_s is None else max(0.0, lasts_s - longest_s)
        start = math.floor(spare / 2 * 1000) / 1000
        about = {**_about(one, folder), "start_s": start, "duration_s": lasts_s - spare}
        rows.append(Stimulus((), RecordingSlice(one.path, start), about))
    return StimulusSet.of(rows), tuple(left_out)


def lasting_recordings(folder: str | Path, seconds: float) -> tuple[list[tuple[Recording, float]], list[str]]:
    """Return the recordings that last so long, each with its seconds, and why others do not count.

    Raises
    ------
    InputError
        If there is none.
    """
    lasting, left_out = [], []
    for recording in find_recordings(folder):
        try:
            lasts_s = duration_s(recording.path)
        except InputError as reason:
            left_out.append(str(reason))
            continue
        if lasts_s < seconds:
            left_out.append(f"recording {recording.path}: lasts {lasts_s:.3f} s, shorter than {seconds:g} s")
        else:
            lasting.append((recording, lasts_s))
    if not lasting:
        more = f"; so are {len(left_out) - 1} others" if len(left_out) > 1 else ""
        raise InputError(f"{left_out[0]}{more}")
    return lasting, left_out


def _about(recording: Recording, folder: str | Path) -> dict[str, str]:
    """Return the coordinates of a recording: what it is called within its folder, and its title."""
    inside = recording.path.relative_to(folder).as_posix()
    file = recording.path.name if inside == "." else inside  # the folder is the file itself
    return {"kind": "recording", "recording": file, "title": recording.title}


def _gain(label: str, snr_db: float, component_rms: float) -> float:
    """RMS of a context that lies `snr_db` below the component."""
    if not component_rms > 0:
        raise InputError(f"context {label!r}: the stimulus is silent, so there is no SNR to set")
    return component_rms * 10.0 ** (-snr_db / 20.0)


@lru_cache(maxsize=16)
def _unit_noise(colour: str, seed: int, n_samples: int, sample_rate: float) -> np.ndarray:
    """Noise of RMS 1, float64 [n_samples]; read-only, since every caller gets the same array."""
    noise = np.random.default_rng(seed).standard_normal(n_samples)
    if colour == "pink":
        frequency = np.fft.rfftfreq(n_samples, 1 / sample_rate)
        if frequency[-1] < 20.0:
            raise InputError(
                f"pink noise over {n_samples} samples: too short to hold a cycle of 20 Hz or more"
            )
        audible = frequency >= 20.0
        shape = np.zeros(len(frequency))
        shape[audible] = frequency[audible] ** -0.5
        noise = np.fft.irfft(np.fft.rfft(noise) * shape, n_samples)
    noise /= math.sqrt(np.mean(noise**2))
    noise.flags.writeable = False
    return noise
