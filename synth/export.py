"""Stimuli for ears and for the command line: WAV files with a table, and a short notation."""

from __future__ import annotations

import csv
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .chords import chords
from .contexts import recording_slices
from .errors import InputError
from .partials import partials
from .pitches import pitches
from .stimuli import StimulusSet

TABLE = "stimuli.csv"
_MADE_HERE = ("peak_dbfs", "fade_s")  # the last columns of the table
_TILE = 64  # waveforms held at once


def write_wavs(
    stimuli: StimulusSet,
    folder: str | Path,
    sample_rate: int = 24_000,
    duration_s: float = 1.0,
    fade_s: float = 0.01,
) -> Path:
    """Write every stimulus as a 16-bit WAV file, and ``stimuli.csv`` that says what each is.

    Parameters
    ----------
    stimuli : StimulusSet
    folder : path
        Must not exist; it appears with everything in it, or not at all.
    sample_rate : int > 0
        Samples per second.
    duration_s : float > 0
        Length of every file.
    fade_s : float >= 0
        Raised-cosine fades at both ends, against clicks. They are for the ear: encoders hear none
        unless the stimulus has them. The table's column `fade_s` says so.

    Returns
    -------
    table : Path
        The CSV file: one row per stimulus with file, the set's coordinates, peak_dbfs, fade_s.

    Raises
    ------
    InputError
        If the folder exists, a waveform's peak passes 1, a partial lies at or above half
        the sample rate, or the lengths make no sense.
    """
    import soundfile

    if not (math.isfinite(duration_s) and round(duration_s * sample_rate) >= 1):
        raise InputError(f"duration {duration_s} s: must be finite and hold a sample at {sample_rate} Hz")
    if not (math.isfinite(fade_s) and 0 <= 2 * fade_s <= duration_s):
        raise InputError(
            f"fade {fade_s} s: must be at least 0 and at most half of the duration {duration_s:g} s"
        )
    folder = Path(folder)
    if folder.exists():
        raise InputError(f"output {folder}: exists already; remove it or choose another")
    window = _fades(round(duration_s * sample_rate), round(fade_s * sample_rate))
    digits = len(str(len(stimuli) - 1))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as unfinished:
        target = Path(unfinished) / "export"
        target.mkdir()
        with (target / TABLE).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["file", *stimuli.coordinates, *_MADE_HERE])
            for start in range(0, len(stimuli), _TILE):
                tile = stimuli[start : start + _TILE]
                for row, waveform in enumerate(tile.render(sample_rate, len(window)) * window, start):
                    peak = float(np.abs(waveform).max())
                    if not peak <= 1.0:
                        raise InputError(
                            f"stimulus {row}: its peak of {20 * math.log10(peak):+.2f} dBFS would clip; "
                            f"lower its level by as much{_level_of(stimuli, row)}"
                        )
                    name = f"{row:0{digits}d}{_slug(stimuli, row)}.wav"
                    soundfile.write(target / name, waveform, sample_rate, subtype="PCM_16")
                    known = [values[row] for values in stimuli.coordinates.values()]
                    table.writerow([name, *known, f"{20 * math.log10(peak):.2f}" if peak else "-inf", fade_s])
        os.replace(target, folder)
    return folder / TABLE


def parse_stimuli(spec: str) -> StimulusSet:
    """Read the command line's notation for stimuli.

    Parameters
    ----------
    spec : str
        A kind and its settings, apart by colons; lists by commas, runs of MIDI notes by a dash:

        - ``partials:60-10000:per_octave=24`` (or ``count=``, ``step_hz=``; ``spacing=``, ``level_dbfs=``)
        - ``pitches:midi=48-72:timbres=saw,square`` (or ``f0_hz=110,220``; ``level_dbfs=``, ``max_hz=``)
        - ``chords:roots=48-59:qualities=major,minor`` (``inversions=``, ``voicings=``, ``timbre=``,
          ``level_dbfs=``, ``max_hz=``)
        - ``recordings:FOLDER:seconds=1:per_file=3``, or just a folder or an audio file

    Raises
    ------
    InputError
        If the notation or what it asks for makes no sense.

    Examples
    --------
    >>> len(parse_stimuli("partials:110-440:per_octave=12"))
    25
    >>> parse_stimuli("chords:roots=60:qualities=major,minor7").coordinates["n_notes"]
    array([3, 4])
    """
    kind, *fields = spec.split(":")
    if kind not in _READERS:
        if spec and Path(spec).exists():
            return recording_slices(spec)
        known = ", ".join(_READERS)
        raise InputError(
            f"stimuli {spec!r}: begin with one of {known} and a colon, or name a folder of audio, or a file"
        )
    make, bare, readers = _READERS[kind]
    settings: dict[str, Any] = {}
    for position, text in enumerate(fields):
        name, equals, value = text.partition("=")
        if not equals and position == 0 and bare:
            name, value = bare, text
        if name not in readers or name in settings:
            what = "given twice" if name in settings else "not known"
            names = ", ".join(n for n in readers if n != bare)
            raise InputError(f"stimuli {spec!r}: setting {text!r} {what}; {kind} take {names}")
        try:
            settings[name] = readers[name](value)
        except ValueError as error:
            raise InputError(f"stimuli {spec!r}: {name}={value!r} cannot be read ({error})") from None
    missing = _REQUIRED[kind] - settings.keys()
    if missing:
        raise InputError(f"stimuli {spec!r}: lacks {_FORMS[kind]}")
    return make(**settings)


def _band(text: str) -> tuple[float, float]:
    low, dash, high = text.partition("-")
    if not dash:
        raise ValueError("a band is written LOW-HIGH in hertz")
    return float(low), float(high)


def _numbers(text: str) -> list[float]:
    return [float(item) for item in text.split(",")]


def _notes(text: str) -> list[float]:
    """Numbers and inclusive runs of them: "48,52-55" is 48, 52, 53, 54, 55."""
    notes: list[float] = []
    for item in text.split(","):
        low, dash, high = item.partition("-")
        notes += range(int(low), int(high) + 1) if dash else [float(item)]
    if not notes or not all(0 <= note <= 127 for note in notes):
        raise ValueError("MIDI notes are 0 to 127, runs go upwards")
    return notes


def _names(text: str) -> list[str]:
    return text.split(",")


def _whole_numbers(text: str) -> list[int]:
    return [int(item) for item in text.split(",")]


def _partials(band: tuple[float, float], **settings: Any) -> StimulusSet:
    return partials(*band, **settings)


def _chords(roots: list[float], **settings: Any) -> StimulusSet:
    return chords(roots, **settings)


# kind -> what builds it, the setting that needs no name, and how each setting is read
_READERS: dict[str, tuple[Callable[..., StimulusSet], str, dict[str, Callable[[str], Any]]]] = {
    "partials": (
        _partials,
        "band",
        {"band": _band, "per_octave": float, "count": int, "step_hz": float, "spacing": str,
         "level_dbfs": _numbers},
    ),
    "pitches": (
        pitches,
        "",
        {"midi": _notes, "f0_hz": _numbers, "timbres": _names, "level_dbfs": float, "max_hz": float},
    ),
    "chords": (
        _chords,
        "",
        {"roots": _notes, "qualities": _names, "inversions": _whole_numbers, "voicings": _names,
         "timbre": str, "level_dbfs": float, "max_hz": float},
    ),
    "recordings": (recording_slices, "folder", {"folder": Path, "seconds": float, "per_file": int}),
}  # fmt: skip
_REQUIRED = {"partials": {"band"}, "pitches": set(), "chords": {"roots"}, "recordings": {"folder"}}
_FORMS = {
    "partials": "the band, as in partials:60-10000:per_octave=24",
    "chords": "the roots, as in chords:roots=48-59",
    "recordings": "the folder, as in recordings:FOLDER",
}


def _fades(n_samples: int, n_fade: int) -> np.ndarray:
    """Window of ones with raised-cosine ends, float32 [n_samples]."""
    window = np.ones(n_samples, dtype=np.float32)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(n_fade) / max(n_fade, 1))
    window[:n_fade] = ramp
    window[n_samples - n_fade :] = ramp[::-1]
    return window


def _slug(stimuli: StimulusSet, row: int) -> str:
    """Say in a file's name what its stimulus is, such as "_chord_C_major"."""
    known = {name: values[row] for name, values in stimuli.coordinates.items()}
    words = [str(known[name]) for name in ("kind", "title", "root", "quality", "timbre") if name in known]
    if "f0_hz" in known:
        words.append(f"{known['f0_hz']:.0f}Hz")
    kept = ("".join(c if c.isalnum() or c in "#-" else "-" for c in word) for word in words)
    return "".join(f"_{word[:40]}" for word in kept)


def _level_of(stimuli: StimulusSet, row: int) -> str:
    level = stimuli.coordinates.get("level_dbfs")
    return "" if level is None else f" (it is {level[row]:g} dBFS)"
