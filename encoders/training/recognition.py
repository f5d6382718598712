"""Whether melodies and chords are still what they were: a pitch tracker and chroma, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LOWEST_HZ, HIGHEST_HZ = 55.0, 2_000.0  # what the pitch tracker looks for
_TRACKER_WINDOW_S, _TRACKER_HOP_S = 0.085, 0.02
_TRACKER_SEMITONES = 0.2  # the time it takes goes with the inverse square
_CHROMA_WINDOW_S, _CHROMA_HOP_S = 0.34, 0.085
_TOLERANCE_CENTS = 50.0
_UNVOICED = -999.0  # in place of a semitone
_NOTE_FRAMES = 5  # a note is at least as many frames long
_QUALITIES = {"major": (0, 4, 7), "minor": (0, 3, 7), "diminished": (0, 3, 6), "augmented": (0, 4, 8)}


@dataclass(frozen=True)
class Agreement:
    """How many of `total` frames, notes or chords were found again.

    Examples
    --------
    >>> (Agreement(1, 2) + Agreement(2, 2)).share
    0.75
    """

    found: int
    total: int

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(self.found + other.found, self.total + other.total)

    @property
    def share(self) -> float:
        """Found over total; NaN where nothing was."""
        return self.found / self.total if self.total else float("nan")


def pitch_track(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the fundamental of a monophonic float [T] sound every 20 ms, in Hz, [F]; NaN where unvoiced.

    Source: pYIN (Mauch and Dixon, ICASSP 2014), by librosa.
    """
    from librosa import pyin

    window = round(_TRACKER_WINDOW_S * sample_rate)
    frequency_hz, _, _ = pyin(
        sound.astype(np.float64),
        fmin=LOWEST_HZ,
        fmax=HIGHEST_HZ,
        sr=sample_rate,
        frame_length=window + window % 2,
        hop_length=round(_TRACKER_HOP_S * sample_rate),
        resolution=_TRACKER_SEMITONES,
    )
    return frequency_hz


def same_pitch(original_hz: np.ndarray, decoded_hz: np.ndarray, octaves: bool = False) -> Agreement:
    """Count the frames of pitch tracks [F] with a pitch in the original that are within 50 cents of it.

    With `octaves`, a pitch that is off by whole octaves counts as found.

    Examples
    --------
    >>> same_pitch(np.array([440.0, 440.0, np.nan]), np.array([441.0, 880.0, 440.0]))
    Agreement(found=1, total=2)
    >>> same_pitch(np.array([440.0]), np.array([880.0]), octaves=True)
    Agreement(found=1, total=1)
    """
    return _count(_frames_agree(original_hz, decoded_hz, octaves)[~np.isnan(original_hz)])


def same_notes(original_hz: np.ndarray, decoded_hz: np.ndarray) -> Agreement:
    """Count the notes of pitch tracks [F] of which most frames are within 50 cents.

    A note is a stretch of at least five frames of the original that round to the same semitone.

    Examples
    --------
    >>> original = np.array([440.0] * 6 + [np.nan] + [494.0] * 5)
    >>> same_notes(original, np.array([440.0] * 10 + [494.0] * 2))
    Agreement(found=1, total=2)
    """
    agree = _frames_agree(original_hz, decoded_hz, octaves=False)
    voiced = ~np.isnan(original_hz)
    semitone = np.where(voiced, np.round(12 * np.log2(np.where(voiced, original_hz, 1.0))), _UNVOICED)
    bounds = np.flatnonzero(np.diff(semitone, prepend=np.nan, append=np.nan) != 0)
    notes = [agree[a:b] for a, b in pairwise(bounds) if voiced[a] and b - a >= _NOTE_FRAMES]
    return _count(np.array([note.mean() > 0.5 for note in notes], dtype=bool))


def chroma(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the energy in each pitch class of a float [T] sound, [12, F], of unit norm per frame.

    Frames more than 40 dB below the loudest are NaN.
    """
    from librosa.feature import chroma_stft

    window = round(_CHROMA_WINDOW_S * sample_rate)
    classes = chroma_stft(
        y=sound,
        sr=sample_rate,
        n_fft=window,
        hop_length=round(_CHROMA_HOP_S * sample_rate),
        norm=None,
        tuning=0.0,
    )
    energy = classes.sum(axis=0)
    norm = np.linalg.norm(classes, axis=0)
    audible = (energy > 1e-4 * energy.max(initial=0.0)) & (norm > 0)
    return np.where(audible, classes / np.where(audible, norm, 1.0), np.nan)


def chroma_cosine(original: np.ndarray, decoded: np.ndarray) -> float:
    """Return the mean cosine of chroma [12, F], over frames in which the original sounds.

    A decoded frame that is silent counts as 0.
    """
    total = ~np.isnan(original[0])
    return float((original * np.nan_to_num(decoded)).sum(axis=0)[total].mean())


def same_chords(original: np.ndarray, decoded: np.ndarray) -> Agreement:
    """Count the frames of chroma [12, F] for which the nearest of 48 triads is the same.

    Twelve roots; major, minor, diminished and augmented (of which four are different).
    """
    total = ~np.isnan(original[0])
    return _count((_triad(original) == _triad(np.nan_to_num(decoded)))[total])


def _triad(classes: np.ndarray) -> np.ndarray:  # [12, F] -> [F]
    templates = np.zeros((len(_QUALITIES) * 12, 12))
    for number, steps in enumerate(_QUALITIES.values()):
        for root in range(12):
            templates[12 * number + root, [(root + step) % 12 for step in steps]] = 1.0
    return np.argmax(templates @ np.nan_to_num(classes), axis=0)


def _frames_agree(original_hz: np.ndarray, decoded_hz: np.ndarray, octaves: bool) -> np.ndarray:
    voiced = ~np.isnan(original_hz) & ~np.isnan(decoded_hz)
    ratio = np.where(voiced, decoded_hz, 1.0) / np.where(voiced, original_hz, 1.0)
    cents = 1200 * np.log2(ratio)
    cents = cents - 1200 * np.round(cents / 1200) if octaves else cents
    return voiced & (np.abs(cents) <= _TOLERANCE_CENTS)


def _count(hits: np.ndarray) -> Agreement:
    return Agreement(int(hits.sum()), len(hits))
