"""Traversals one can hear: a melody with one latent at one value after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ..synth.melodies import STEPS_PER_BAR, STEPS_PER_QUARTER, notes
from ..synth.partials import midi_to_hz
from ..synth.pitches import TIMBRES
from ..synth.stimuli import Partial, Stimulus, StimulusSet
from .audio import Clip, data_uri

SAMPLE_RATE = 11_025
QUARTERS_A_MINUTE = 120
TIMBRE, LEVEL_DBFS, HIGHEST_HZ = "dull", -20.0, 5_000.0
RAMP_S, DECAY_S = 0.005, 0.5
PEAK = 0.9  # of the loudest clip
DIMENSIONS, LONGEST_STEPS = 3, 4 * STEPS_PER_BAR


def traversal_clips(traversals: xr.Dataset) -> list[Clip]:
    """Render the example melody, with each of the first dimensions low, at 0 and high.

    Parameters
    ----------
    traversals : xarray.Dataset
        Group "traversals" of a model.

    Returns
    -------
    clips : list of Clip
        16-bit mono, 11,025 samples per second, at most four bars, all at one gain; a melody at 0 that was
        there before is left out.
    """
    moved = traversals.isel(rank=np.flatnonzero(~traversals["is_unused"].values)[:DIMENSIONS])
    moved = moved.isel(step=slice(0, LONGEST_STEPS))
    doses = [float(moved["dose"][0]), 0.0, float(moved["dose"][-1])]
    labels, sounds, at_zero = [], [], set()
    for rank in moved["rank"].values:
        for dose in doses:
            roll = moved["example"].sel(rank=rank, dose=dose).values
            if dose == 0 and roll.tobytes() in at_zero:
                continue
            if dose == 0:
                at_zero.add(roll.tobytes())
            labels.append(f"rank {int(rank)} at {dose:+g}" if dose else f"rank {int(rank)} at 0")
            sounds.append(played(roll))
    gain = PEAK / max([float(np.abs(sound).max()) for sound in sounds if sound.any()], default=1.0)
    return [
        Clip(label, data_uri(gain * sound, SAMPLE_RATE)[0])
        for label, sound in zip(labels, sounds, strict=True)
    ]


def played(roll: Sequence[int] | np.ndarray) -> np.ndarray:
    """Play a melody at 120 quarters a minute: a harmonic tone a note, that dies away.

    Parameters
    ----------
    roll : uint8 [T]

    Returns
    -------
    waveform : float64 [samples]
        A sixteenth is an eighth of a second.

    Examples
    --------
    >>> len(played([41, 0, 0, 0, 43, 0, 1, 0])) / SAMPLE_RATE
    1.0
    """
    step = SAMPLE_RATE * 60.0 / QUARTERS_A_MINUTE / STEPS_PER_QUARTER
    sound = np.zeros(round(step * len(roll)))
    melody = notes(np.asarray(roll)[None])
    for onset, duration, midi in zip(melody.onsets, melody.durations, melody.midi, strict=True):
        first, last = round(step * onset), round(step * (onset + duration))
        sound[first:last] += _tone(float(midi_to_hz(midi)), last - first)
    return sound


def _tone(f0_hz: float, n_samples: int) -> np.ndarray:
    seconds = (n_samples - 1) / SAMPLE_RATE
    partials = [
        Partial(p.frequency_hz, p.amplitude, p.phase_rad, 0.0, seconds, RAMP_S)
        for p in TIMBRES[TIMBRE].note(f0_hz, LEVEL_DBFS, HIGHEST_HZ)
    ]
    tone = StimulusSet.of([Stimulus(tuple(partials))]).render(SAMPLE_RATE, n_samples)[0]
    return tone * np.exp(-np.arange(n_samples) / SAMPLE_RATE / DECAY_S)
