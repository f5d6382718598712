"""A corpus of known content: General-MIDI instruments play random lines and chords."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from ...synth.errors import InputError
from .scores import (
    KINDS,
    ControlChange,
    Note,
    chords,
    density_of,
    line,
    mean_midi,
    midi_file,
    onset_rate,
    register_of,
)

SAMPLE_RATE = 22_050
PEAK = 0.5
_RENDER_RATE = 2 * SAMPLE_RATE
_GAP_S = 2.0  # between the clips of one rendering; all sound is cut off 0.5 s before its end
_HELD_OUT = 2
_PROGRAMS = 8  # in every General-MIDI family
_SOUNDFONTS = (
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
    "/usr/local/share/soundfonts/FluidR3_GM.sf2",
)

# Family: lowest and highest MIDI note to play. General MIDI counts them in this order, 8 programs each;
# None leaves a family out: effects, percussion, and "ethnic", whose members share no way of sounding.
FAMILIES: dict[str, tuple[int, int] | None] = {
    "piano": (28, 100),
    "chromatic percussion": (55, 98),
    "organ": (36, 90),
    "guitar": (40, 84),
    "bass": (26, 60),
    "strings": (34, 94),
    "ensemble": (36, 86),
    "brass": (34, 82),
    "reed": (38, 88),
    "pipe": (50, 98),
    "synth lead": (36, 92),
    "synth pad": (36, 86),
    "synth effects": None,
    "ethnic": None,
    "percussive": None,
    "sound effects": None,
}
PLAYED = tuple(family for family, register in FAMILIES.items() if register)


@dataclass(frozen=True)
class Clip:
    """One clip: where it lies, its family, what it is for, its program (0 to 127), and its kind of score.

    What follows from the score once it is composed: its register (third of the program's sounding range), its
    density (among the scores of its kind), mean pitch in MIDI note numbers, and onsets per second.
    """

    path: str
    label: str
    split: str
    group: int
    kind: str
    register: str = ""
    density: str = ""
    mean_midi: float = math.nan
    onsets_per_s: float = math.nan


@dataclass(frozen=True)
class Recipe:
    """What a corpus is made of; stored beside it as ``corpus.json``."""

    clips_per_program: int
    seconds: float
    seed: int
    soundfont: str
    soundfont_sha256: str
    description: str
    licence: str
    splits: dict[str, str]


def held_out_programs(seed: int = 0) -> dict[str, tuple[int, ...]]:
    """Return the programs (0 to 127) of each family that are kept for the test.

    Examples
    --------
    >>> [len(programs) for programs in held_out_programs().values()] == [2] * len(PLAYED)
    True
    """
    held_out = {}
    for index, family in enumerate(FAMILIES):
        if family in PLAYED:
            drawn = np.random.default_rng([seed, index]).choice(_PROGRAMS, _HELD_OUT, replace=False)
            held_out[family] = tuple(sorted((_PROGRAMS * index + drawn).tolist()))
    return held_out


def clips_of(clips_per_program: int, seed: int = 0) -> list[Clip]:
    """Return the clips of a corpus, program after program.

    Two of eight programs in each family are for the test only; of the others, the last eighth of
    the pieces (at least one where there are two) is for validation. Lines and chords take turns.

    Examples
    --------
    >>> [clip.split for clip in clips_of(8) if clip.group == 0].count("validation")
    1
    """
    held_out = held_out_programs(seed)
    n_validation = max(1, round(clips_per_program / 8)) if clips_per_program > 1 else 0
    clips = []
    for index, family in enumerate(FAMILIES):
        for program in range(_PROGRAMS * index, _PROGRAMS * (index + 1)) if family in PLAYED else ():
            for n in range(clips_per_program):
                split = "validation" if n >= clips_per_program - n_validation else "training"
                split = "test" if program in held_out[family] else split
                path = f"{split}/{family.replace(' ', '_')}/{program:03d}_{n:04d}.wav"
                clips.append(Clip(path, family, split, program, KINDS[n % 2]))
    return clips


def render_corpus(
    folder: str | Path,
    clips_per_program: int = 40,
    seconds: float = 8.0,
    seed: int = 0,
    soundfont: str | Path | None = None,
    progress: bool = False,
) -> Path:
    """Render a labelled corpus of General-MIDI instruments with fluidsynth.

    On disk: ``<split>/<family>/<program>_<n>.wav`` (22,050 Hz, mono, 16 bit, peak -6 dBFS),
    ``corpus.json`` (the recipe) and, written last, ``labels.csv`` (path, label = family, split,
    group = program, kind, and of each score register, density, mean pitch and onset rate). The splits are
    "training", "validation" (other pieces by the same instruments) and "test" (instruments that occur nowhere
    else). Interrupted, it goes on where it stopped.

    Parameters
    ----------
    folder : path
        New, empty, or an unfinished corpus of the same recipe.
    clips_per_program : int > 0
        96 programs play: 40 clips of 8 s make 8.5 hours and 1.4 GB.
    seconds : float > 0
        Length of a clip.
    seed : int
        Seeds the scores and the choice of held-out instruments.
    soundfont : path, optional
        By default FluidR3 GM where Debian and others install it.
    progress : bool
        Show a progress bar.

    Returns
    -------
    path of ``labels.csv``

    Raises
    ------
    InputError
        If fluidsynth or the soundfont is missing, a number is out of range, the folder holds
        something else, or an instrument renders as silence.
    """
    if not (clips_per_program >= 1 and 1.0 <= seconds <= 600.0):
        raise InputError(
            f"corpus of {clips_per_program} clips a program, {seconds} s each: "
            "must be at least 1 clip, of 1 to 600 s"
        )
    folder, font = Path(folder), _find_soundfont(soundfont)
    recipe = _recipe(clips_per_program, seconds, seed, font)
    _claim(folder, recipe)
    clips = clips_of(clips_per_program, seed)
    programs = sorted({clip.group for clip in clips})
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:

        def render(program: int) -> list[Clip]:
            return _render_program(folder, [c for c in clips if c.group == program], recipe, font)

        from rich.progress import track

        done = track(pool.map(render, programs), "rendering", total=len(programs), disable=not progress)
        rendered = [clip for several in done for clip in several]
    _write_atomically(folder / "labels.csv", _table(rendered))
    return folder / "labels.csv"


def _recipe(clips_per_program: int, seconds: float, seed: int, font: Path) -> Recipe:
    with open(font, "rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    held_out = sorted(p for programs in held_out_programs(seed).values() for p in programs)
    fluid = (
        "FluidR3 GM is under the MIT licence"
        if font.name.startswith("FluidR3_GM")
        else f"that of {font.name}"
    )
    return Recipe(
        clips_per_program,
        float(seconds),
        seed,
        font.name,
        sha256,
        description=(
            f"General-MIDI renders ({font.name}, fluidsynth) of random monophonic lines and chords: "
            f"{len(PLAYED)} instrument families of {_PROGRAMS} programs, {clips_per_program} pieces of "
            f"{seconds:g} s for each program, with varied tempo, rhythm, articulation, velocity, register "
            "and reverb"
        ),
        licence=f"soundfont: {fluid}; the scores are generated and free of rights",
        splits={
            "validation": "held-out pieces, played by instruments that were trained on",
            "test": f"held-out instruments: {_HELD_OUT} of {_PROGRAMS} programs of each family, never "
            f"played in training (General-MIDI programs, counted from 0: {', '.join(map(str, held_out))})",
        },
    )


def _claim(folder: Path, recipe: Recipe) -> None:
    """Make the folder ours, or see that it is already."""
    stored = folder / "corpus.json"
    text = json.dumps(asdict(recipe), indent=1)
    if stored.is_file():
        if stored.read_text() != text:
            raise InputError(
                f"corpus folder {folder}: holds a corpus of another recipe (see corpus.json in it)"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"corpus folder {folder}: exists and holds something else")
    folder.mkdir(parents=True, exist_ok=True)
    _write_atomically(stored, text)


def _find_soundfont(soundfont: str | Path | None) -> Path:
    if shutil.which("fluidsynth") is None:
        raise InputError("fluidsynth is not installed: on Debian, install the package fluidsynth")
    if soundfont is not None:
        if not Path(soundfont).is_file():
            raise InputError(f"soundfont {soundfont}: no such file")
        return Path(soundfont)
    found = next((Path(p) for p in _SOUNDFONTS if Path(p).is_file()), None)
    if found is None:
        raise InputError(
            "no soundfont FluidR3_GM.sf2 in the usual places: on Debian, install the package "
            "fluid-soundfont-gm, or name a soundfont"
        )
    return found


def _sounding_range(program: int, family: str, font: Path) -> tuple[int, int]:
    """Return the lowest and highest note of a family's register that a program has a sound for."""
    lowest, highest = FAMILIES[family] or (0, 127)
    keys = np.arange(lowest, highest + 1)
    notes = [Note(int(key), 100, 0.3 * k, 0.3 * k + 0.2) for k, key in enumerate(keys)]
    dry = [ControlChange(91, 0, 0.0), ControlChange(93, 0, 0.0)]
    cuts = [ControlChange(120, 0, 0.3 * k + 0.25) for k in range(len(keys))]
    samples = _fluidsynth(midi_file(program, notes, dry + cuts), font)
    step = round(0.3 * _RENDER_RATE)
    samples = np.pad(samples, (0, step))[: len(keys) * step]  # the rendering ends with its last event
    loudest = np.abs(samples.reshape(len(keys), step)).max(axis=1)
    sounding = keys[loudest > 1e-3]
    if not len(sounding):
        raise InputError(f"soundfont {font}: program {program} ({family}) is silent")
    return int(sounding[0]), int(sounding[-1])


def _score(clip: Clip, n: int, recipe: Recipe, lowest: int, highest: int) -> tuple[list[Note], int]:
    """Return the notes of a clip and its reverb level."""
    rng = np.random.default_rng([recipe.seed, clip.group, n])
    centre = rng.uniform(lowest, highest)
    narrow = rng.uniform(8, 18)  # half the range of one piece, in semitones
    low = round(max(lowest, min(centre, highest - 12) - narrow))
    high = round(min(highest, max(centre, lowest + 12) + narrow))
    compose = line if clip.kind == "line" else chords
    return compose(rng, recipe.seconds, low, high), int(rng.integers(0, 81))


def _described(clip: Clip, notes: list[Note], seconds: float, lowest: int, highest: int) -> Clip:
    """Return a clip with what follows from its score."""
    midi, onsets_per_s = mean_midi(notes), onset_rate(notes, seconds)
    return replace(
        clip,
        register=register_of(midi, lowest, highest),
        density=density_of(onsets_per_s, clip.kind),
        mean_midi=round(midi, 3),
        onsets_per_s=round(onsets_per_s, 4),
    )


def _render_program(folder: Path, clips: list[Clip], recipe: Recipe, font: Path) -> list[Clip]:
    """Render all clips of one program in one go (loading a soundfont takes long), then cut; describe them."""
    lowest, highest = _sounding_range(clips[0].group, clips[0].label, font)
    scores = [_score(clip, n, recipe, lowest, highest) for n, clip in enumerate(clips)]
    described = [
        _described(clip, own, recipe.seconds, lowest, highest)
        for clip, (own, _) in zip(clips, scores, strict=True)
    ]
    if all((folder / clip.path).is_file() for clip in clips):
        return described
    notes, controls = [], []
    step_s = recipe.seconds + _GAP_S
    for n, (own, reverb) in enumerate(scores):
        start = n * step_s
        notes += [Note(x.midi, x.velocity, x.onset_s + start, x.offset_s + start) for x in own]
        controls += [ControlChange(91, reverb, start), ControlChange(120, 0, start + step_s - 0.5)]
    samples = _fluidsynth(midi_file(clips[0].group, notes, controls), font)
    for clip, own in zip(clips, _cut(samples, len(clips), recipe.seconds), strict=True):
        peak = float(np.abs(own).max(initial=0.0))
        if peak < 1e-4:
            raise InputError(f"soundfont {font}: program {clip.group} ({clip.label}) renders as silence")
        path = folder / clip.path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        soundfile.write(part, own * (PEAK / peak), SAMPLE_RATE, subtype="PCM_16", format="WAV")
        os.replace(part, path)
    return described


def _cut(samples: np.ndarray, n_clips: int, seconds: float) -> Iterator[np.ndarray]:
    """Yield the clips of a rendering [n_samples], at half its sample rate."""
    step, length = round((seconds + _GAP_S) * _RENDER_RATE), round(seconds * _RENDER_RATE)
    for n in range(n_clips):
        yield resample_poly(samples[n * step : n * step + length], 1, 2)


def _fluidsynth(midi: bytes, font: Path) -> np.ndarray:
    """Play MIDI bytes; mono float64 [n_samples] at twice the corpus's sample rate."""
    with tempfile.TemporaryDirectory() as scratch:
        score, sound = Path(scratch, "score.mid"), Path(scratch, "sound.wav")
        score.write_bytes(midi)
        command = [
            "fluidsynth",
            "-ni",
            "-q",
            "-g",
            "0.5",
            "-r",
            str(_RENDER_RATE),
            "-T",
            "wav",
            "-O",
            "float",
        ]
        command += ["-o", "synth.dynamic-sample-loading=1", "-F", str(sound), str(font), str(score)]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode or not sound.is_file():
            said = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[0]
            raise InputError(f"fluidsynth could not render with soundfont {font}: {said[:200]}")
        return soundfile.read(sound)[0].mean(axis=1)


def _table(clips: list[Clip]) -> str:
    from io import StringIO

    text = StringIO(newline="")
    rows = csv.DictWriter(text, list(asdict(clips[0])))
    rows.writeheader()
    rows.writerows(asdict(clip) for clip in clips)
    return text.getvalue()


def _write_atomically(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, newline="")
    os.replace(part, path)
