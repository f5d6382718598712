"""Sounds in a page: a few stimuli of each kind, and whatever else can be played, as WAV files within it."""

from __future__ import annotations

import base64
import io
import wave
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..probes.engine.schema import stimuli_from
from ..synth.stimuli import StimulusSet

HIGHEST_RATE_HZ = 24_000
SECONDS = 1.0
FADE_S = 0.01
PER_KIND = 3
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class Clip:
    """A sound in a page: what it is, and its data URI."""

    label: str
    source: str


@dataclass(frozen=True)
class Sounds:
    """Clips with something in common, and what that is."""

    caption: str
    clips: list[Clip]


def clips(stimuli: xr.Dataset, sample_rate: int) -> list[Clip]:
    """Render examples of one kind of stimulus, as they were played.

    Parameters
    ----------
    stimuli : xarray.Dataset
        A specification as a run stores it.
    sample_rate : int
        The encoder's; at most 24 kHz is used, and partials that do not fit under it are left out.

    Returns
    -------
    clips : list of Clip
        16-bit mono, one second, faded over 10 ms; the label says where the level had to be lowered.
    """
    rate = min(sample_rate, HIGHEST_RATE_HZ)
    found = []
    table = stimuli_from(stimuli).below_nyquist(rate, above_nyquist="drop")
    for row in _examples(table):
        waveform = table[[row]].render(rate, round(SECONDS * rate))[0]
        source, lowered = data_uri(waveform, rate)
        found.append(Clip(_label(table, row) + (", level lowered" if lowered else ""), source))
    return found


def data_uri(waveform: np.ndarray, sample_rate: int) -> tuple[str, bool]:
    """Encode float [T] as a WAV data URI; scaled down to full scale (and said so) only if it would clip."""
    n_fade = round(FADE_S * sample_rate)
    fade = 0.5 - 0.5 * np.cos(np.pi * np.arange(n_fade) / n_fade)
    faded = np.array(waveform, dtype=np.float64)
    faded[:n_fade] *= fade
    faded[-n_fade:] *= fade[::-1]
    peak = float(np.abs(faded).max())
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.round(faded / max(1.0, peak) * 32767).astype("<i2").tobytes())
    return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode(), peak > 1.0


def _examples(table: StimulusSet) -> list[int]:
    """Rows spread over the table; a step that never keeps to one column of it."""
    count = min(PER_KIND, len(table))
    rows = np.linspace(0.2, 0.75, count) * (len(table) - 1)
    return list(dict.fromkeys((rows.astype(int) + np.arange(count)).clip(0, len(table) - 1).tolist()))


def _label(table: StimulusSet, row: int) -> str:
    known = {name: values[row] for name, values in table.coordinates.items()}
    words = []
    if "root_midi" in known:
        root = round(float(known["root_midi"]))
        words.append(f"{NOTES[root % 12]}{root // 12 - 1}")
    elif "f0_hz" in known:
        words.append(f"{float(known['f0_hz']):.0f} Hz")
    else:
        words.append(f"{table.columns['frequency_hz'][table.first[row]]:.0f} Hz")
    words += [str(known[name]) for name in ("quality", "timbre", "voicing") if name in known]
    if "inversion" in known:
        words.append(f"inversion {known['inversion']}")
    if "level_dbfs" in known:
        words.append(f"{float(known['level_dbfs']):g} dBFS")
    return ", ".join(words)
