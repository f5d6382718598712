"""Standard MIDI files as scores, read with mido, and the melodies of one or of a folder of them."""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .errors import InputError
from .melodies import STEPS_PER_BAR, whole_number
from .scores import Collected, Score, melodies_from_score

SUFFIXES = (".mid", ".midi")
MAX_BYTES = 1 << 22
MAX_TICK = 1 << 40
PROGRAMS = range(32)  # piano, chromatic percussion, organ, guitar
DRUM_CHANNEL = 9

DRUMS = "notes of drums"
OTHER_PROGRAMS = f"notes of programs {PROGRAMS.stop} to 127"
NEVER_ENDED = "notes that never end"
EMPTY = "notes that end as they begin"
UNREADABLE = "files that cannot be read"
NO_MELODY = "files without a melody"


def midi_melodies(path: str | Path, bars: int = 2, progress: bool = False) -> Collected:
    """Melodies of a MIDI file, or of every one in a folder, sliced as `melodies_from_score` does.

    As in Magenta's melody models only programs 0 to 31 are searched, each track, channel and program by
    itself, and no drums. In a folder, files that cannot be read or hold no melody are left out and
    counted.

    Parameters
    ----------
    path : path
        A .mid or .midi file, or a folder that is searched to any depth; hidden files are left out.
    bars : int >= 1
        Bars in a slice.
    progress : bool
        Show how far a long folder is.

    Returns
    -------
    collected : Collected
        In order of the files' paths; names are paths within the folder.

    Raises
    ------
    InputError
        If there is no such file or folder, no MIDI file or no melody in it, or, for a single file, it
        cannot be read.

    Examples
    --------
    >>> import mido
    >>> track = mido.MidiTrack()
    >>> for pitch in range(60, 68):
    ...     track.append(mido.Message("note_on", note=pitch))
    ...     track.append(mido.Message("note_off", note=pitch, time=480))
    >>> mido.MidiFile(tracks=[track], ticks_per_beat=480).save("scale.mid")
    >>> midi_melodies("scale.mid").rolls[:, ::4]
    array([[41, 42, 43, 44, 45, 46, 47, 48]], dtype=uint8)
    """
    path, bars = Path(path), whole_number("bars", bars, 1)
    files = _files(path) if path.is_dir() else [path]
    skipped: Counter[str] = Counter()
    rolls, sources = [np.empty((0, STEPS_PER_BAR * bars), np.uint8)], [np.empty(0, np.int64)]
    for number, file in enumerate(_tracked(files, progress)):
        try:
            score, unplayed = read_midi(file)
        except InputError:
            if file == path:
                raise
            skipped[UNREADABLE] += 1
            continue
        found, left_out = melodies_from_score(score, bars)
        skipped += unplayed + left_out
        skipped[NO_MELODY] += not len(found)
        rolls.append(found)
        sources.append(np.full(len(found), number))
    if not sum(len(found) for found in rolls):
        why = ", ".join(f"{reason}: {count}" for reason, count in (+skipped).items() if reason != NO_MELODY)
        kind = "MIDI folder" if path.is_dir() else "MIDI file"
        raise InputError(f"{kind} {path}: no melody of {bars} bars ({why or 'holds no notes'})")
    names = tuple(file.relative_to(path).as_posix() if file != path else file.name for file in files)
    return Collected(np.concatenate(rolls), np.concatenate(sources), names, dict(+skipped))


def read_midi(path: str | Path) -> tuple[Score, Counter[str]]:
    """Read the notes of a MIDI file that a melody may be looked for in.

    A note-off ends every sounding note of its pitch and channel that began before it; where there is none,
    those that begin with it are empty and left out, as pretty_midi has it.

    Parameters
    ----------
    path : path
        Of at most `MAX_BYTES`, type 0 or 1, with time in ticks per quarter.

    Returns
    -------
    score : Score
        Notes of programs 0 to 31 outside the drum channel; a voice is a program on a channel of a track.
    left_out : Counter
        How many notes were left out, and why.

    Raises
    ------
    InputError
        If the file is missing, empty, too large, corrupt, or counts time otherwise.
    """
    import mido

    path = Path(path)
    if not path.is_file():
        raise InputError(f"MIDI file {path}: no such file or folder")
    size = path.stat().st_size
    if not 0 < size <= MAX_BYTES:
        raise InputError(f"MIDI file {path}: {size} bytes; must hold 1 to {MAX_BYTES}")
    try:
        file = mido.MidiFile(path)
    except EOFError:
        raise InputError(f"MIDI file {path}: truncated") from None
    except (OSError, ValueError, LookupError, TypeError, struct.error, mido.KeySignatureError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"MIDI file {path}: corrupt, or not MIDI ({reason})") from None
    if file.type not in (0, 1) or file.ticks_per_beat <= 0:
        raise InputError(
            f"MIDI file {path}: type {file.type}, {file.ticks_per_beat} ticks per quarter; "
            "must be type 0 or 1 with at least one"
        )
    rows, left_out, signatures, tempos = [], Counter(), [], []
    for number, track in enumerate(file.tracks):
        if sum(message.time for message in track) > MAX_TICK:
            raise InputError(f"MIDI file {path}: track {number} lasts more than {MAX_TICK} ticks")
        rows += _notes(number, track, left_out)
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "time_signature":
                signatures.append((tick, message.numerator, message.denominator))
            elif message.type == "set_tempo":
                tempos.append((tick, message.tempo))
    keys = sorted({row[:3] for row in rows})
    voice = {key: i for i, key in enumerate(keys)}
    table = np.array([(voice[row[:3]], *row[3:]) for row in rows], np.int64).reshape(-1, 4)
    voices, onsets, ends, midi = table.T
    score = Score(file.ticks_per_beat, onsets, ends, midi, voices, tuple(signatures), tuple(tempos))
    return score, left_out


def _notes(number: int, track, left_out: Counter[str]) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Track, channel, program, onset, end and MIDI number of a track's melodic notes."""
    tick, programs = 0, [0] * 16
    sounding: defaultdict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for message in track:
        tick += message.time
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type == "note_on" and message.velocity > 0:
            sounding[message.channel, message.note].append((tick, programs[message.channel]))
        elif message.type in ("note_on", "note_off"):
            begun = sounding.pop((message.channel, message.note), [])
            now = [(onset, program) for onset, program in begun if onset == tick]
            if len(now) < len(begun):  # they go on; where nothing was ended, they were empty
                sounding[message.channel, message.note] = now
            else:
                left_out[EMPTY] += len(now)
            for onset, program in begun:
                if onset == tick:
                    continue
                if message.channel == DRUM_CHANNEL:
                    left_out[DRUMS] += 1
                elif program not in PROGRAMS:
                    left_out[OTHER_PROGRAMS] += 1
                else:
                    yield number, message.channel, program, onset, tick, message.note
    left_out[NEVER_ENDED] += sum(len(begun) for begun in sounding.values())


def _files(folder: Path) -> list[Path]:
    """MIDI files under a folder, in order of their paths."""
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
    if not files:
        raise InputError(f"folder {folder}: holds no MIDI file ({', '.join(SUFFIXES)})")
    return files


def _tracked(files: list[Path], progress: bool) -> Iterator[Path]:
    if not progress:
        yield from files
        return
    from rich.progress import track

    yield from track(files, "reading MIDI")
