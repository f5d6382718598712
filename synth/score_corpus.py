"""Melodies of music21's corpus: which of its collections may be used, and their reading.

music21 (BSD) brings scores of many makers, "with the permission of the encoders" and, in the words of
its ``corpus/license.txt``, some "may not be used for commercial uses or have other restrictions: please
see the licenses embedded in individual compositions or directories". `COLLECTIONS` says for each what
its files state, and whether it is used here.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import numpy as np

from .errors import InputError
from .melodies import STEPS_PER_BAR
from .scores import Collected, Score, melodies_from_score

TICKS_PER_QUARTER = 10_080  # whole for every tuplet up to tenths
METRE = "tunes not in 4/4 or 2/2 throughout"
RESERVED = "tunes by a transcriber who reserves commercial use elsewhere"
UNREADABLE = "tunes that music21 cannot read"
_BROAD = ("C", "C|", "4/4", "2/2")


@dataclass(frozen=True)
class Collection:
    """A collection of music21's corpus and what its files say of their use.

    Parameters
    ----------
    name : str
        Its folder.
    works : str
        What it holds.
    terms : str
        What its files state of their use.
    used : bool
    why : str
        The reason for it.
    files : str
        Which of its files are meant, as a pattern.
    without : str
        Tunes whose transcriber's name holds this are left out.
    """

    name: str
    works: str
    terms: str
    used: bool
    why: str
    files: str = "*"
    without: str = ""


_STATED = "the file states it"
_PLAIN = (
    "melodies in the public domain, transcribed note by note by volunteers to be shared; no reservation "
    "in the files. What is taken is pitch and duration alone"
)
COLLECTIONS = (
    Collection(
        "ryansMammoth", "Ryan's Mammoth Collection, Boston 1883: fiddle tunes",
        "transcribers named, no terms", True, _PLAIN,
    ),
    Collection(
        "oneills1850", "O'Neill's Music of Ireland, Chicago 1903 (O'Neill died 1936)",
        "transcribers named, no terms", True,
        _PLAIN + ". Tunes by H. Norbeck are left out: his own collection reserves commercial use",
        without="norbeck",
    ),
    Collection(
        "liliuokalani", "Liliuokalani, Aloha Oe, 1884",
        "'Now, Public Domain; Encoding by MSAC, CC0'", True, _STATED,
    ),
    Collection(
        "johnson_j_r", "J. R. Johnson, Lift Every Voice and Sing, 1900",
        "'Public Domain (Encoding by MSAC: CC0)'", True, _STATED,
    ),
    Collection(
        "leadSheet", "S. Foster, Jeanie with the Light Brown Hair, 1854",
        "'Public Domain'; the folder's other file 'All Rights Reserved'", True,
        _STATED + "; the other file is left out", files="fosterBrownHair*",
    ),
    Collection(
        "weber", "C. M. von Weber, one piece", "'Released to Public Domain in 1998'", True, _STATED,
    ),
    Collection(
        "corelli", "A. Corelli, one sonata", "'2014, Creative Commons License (CC-BY)'", True, _STATED,
    ),
    Collection(
        "airdsAirs", "Aird's Airs, Glasgow 1782 to 1801", "J. Campin named, no terms", False,
        "the transcriber sells his edition and states no licence",
    ),
    Collection(
        "miscFolk", "Northumbrian Minstrelsy 1882; American fife music", "J. Campin named, no terms", False,
        "no licence stated; part of it from a site that is gone",
    ),
    Collection(
        "essenFolksong", "the Essen folk songs", "permission for non-commercial use; status 'unclear'", False,
        "unclear, and non-commercial",
    ),
    Collection(
        "nottingham-dataset", "two tunes of the Nottingham database", "none", False, "no licence stated",
    ),
    Collection("josquin", "Josquin des Prez", "GNU General Public License", False, "copyleft for software"),
    Collection(
        "bach", "J. S. Bach, chorales and others", "'PDF © 2004 Margaret Greentree, used by permission'",
        False, "permission to music21 only; three files reserve all derivatives",
    ),
    Collection(
        "palestrina", "G. P. da Palestrina", "'Rights to all derivative electronic formats reserved'", False,
        "reserved",
    ),
    Collection(
        "trecento", "Italian songs of the 14th century", "some 'Copyright ©', most none", False,
        "no licence stated",
    ),
    Collection(
        "beach", "A. Beach, one song", "'most uses allowed for free (CC-SA-BY)'", False, "share-alike",
    ),
    Collection(
        "schumann_clara", "C. Schumann, songs", "'CC BY-SA 4.0'", False, "share-alike",
    ),
    Collection(
        "others", "the other folders: Beethoven, Haydn, Mozart, Monteverdi, Joplin and more", "none", False,
        "modern editions whose licence is not stated",
    ),
)  # fmt: skip
CLEAR = tuple(collection.name for collection in COLLECTIONS if collection.used)


def corpus_melodies(
    collections: Sequence[str] = CLEAR, bars: int = 2, cache: str | Path | None = None
) -> Collected:
    """Melodies of music21's corpus, sliced as `melodies_from_score` does.

    Every part of a score is searched by itself. A pick-up is set at the end of a bar of its own, and
    where a written bar does not begin on the grid of sixteen sixteenths the bars are counted anew, so
    that slices begin where bars do. Ornaments and chord symbols are left out, ties are joined, repeats
    are not unfolded.

    Parameters
    ----------
    collections : sequence of str
        Names out of `COLLECTIONS`, by default those in `CLEAR`.
    bars : int >= 1
        Bars in a slice.
    cache : path, optional
        An .npz file: read if it holds this very request, else written, since parsing takes minutes.

    Returns
    -------
    collected : Collected
        Names are ``folder/file`` or, where a file holds many tunes, ``folder/file#number``.

    Raises
    ------
    InputError
        If a collection is unknown or not to be used, music21 is not installed, or the cache cannot be
        read or written.

    Examples
    --------
    >>> jeanie = corpus_melodies(["leadSheet"])
    >>> jeanie.names, jeanie.rolls.shape[1]
    (('leadSheet/fosterBrownHair.mxl',), 32)
    """
    known = {collection.name: collection for collection in COLLECTIONS}
    for name in collections:
        if name not in CLEAR:
            why = f"not used: {known[name].why}" if name in known else "not known"
            raise InputError(f"collection {name!r}: {why}; used are {', '.join(CLEAR)}")
    try:
        import music21
    except ImportError:
        raise InputError("music21 is not installed: pip install tonotopy[symbolic]") from None
    request = json.dumps([list(collections), bars, music21.__version__, version("tonotopy")])
    if cache is not None and (kept := _read(Path(cache), request)) is not None:
        return kept
    skipped: Counter[str] = Counter()
    names, rolls, sources = [], [], []
    folder = Path(music21.__file__).parent / "corpus"
    for name, score in _scores(folder, [known[name] for name in collections], skipped):
        found, left_out = melodies_from_score(score, bars)
        skipped += left_out
        rolls.append(found)
        sources.append(np.full(len(found), len(names)))
        names.append(name)
    collected = Collected(
        np.concatenate([np.empty((0, STEPS_PER_BAR * bars), np.uint8), *rolls]),
        np.concatenate([np.empty(0, np.int64), *sources]),
        tuple(names),
        dict(skipped),
    )
    if cache is not None:
        _write(Path(cache), request, collected)
    return collected


def _read(cache: Path, request: str) -> Collected | None:
    """Read the cache, if it was written for the same request."""
    if not cache.is_file():
        return None
    try:
        with np.load(cache) as file:
            if str(file["request"]) != request:
                return None
            return Collected(
                file["rolls"],
                file["sources"],
                tuple(file["names"].tolist()),
                json.loads(str(file["skipped"])),
            )
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"cache {cache}: not a melody cache that can be read ({error}); remove it") from None


def _write(cache: Path, request: str, collected: Collected) -> None:
    """Keep the result; a file half written is never taken for finished."""
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent, prefix=".partial-") as partial:
            whole = Path(partial) / "melodies.npz"
            np.savez_compressed(
                whole, request=request, rolls=collected.rolls, sources=collected.sources,
                names=np.array(collected.names), skipped=json.dumps(dict(collected.skipped)),
            )  # fmt: skip
            os.replace(whole, cache)
    except OSError as error:
        raise InputError(f"cache {cache}: cannot be written ({error})") from None


def _scores(
    folder: Path, collections: Sequence[Collection], skipped: Counter[str]
) -> Iterator[tuple[str, Score]]:
    """Names and scores of the collections' pieces, file by file."""
    from music21 import converter
    from music21.exceptions21 import Music21Exception
    from music21.musicxml.xmlObjects import MusicXMLWarning

    for collection in collections:
        for path in sorted((folder / collection.name).rglob(collection.files)):
            name = path.relative_to(folder).as_posix()
            if path.suffix == ".abc":
                yield from _tunes(path, name, collection.without, skipped)
            elif path.suffix in (".mxl", ".xml", ".musicxml", ".krn"):
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", MusicXMLWarning)  # bars too full by a rounding
                        stream = converter.parseFile(path, forceSource=True, storePickle=False)
                except Music21Exception:
                    skipped[UNREADABLE] += 1
                    continue
                yield name, _score(stream)


def _tunes(path: Path, name: str, without: str, skipped: Counter[str]) -> Iterator[tuple[str, Score]]:
    """Tunes of an ABC file that may be used and stay in 4/4 or 2/2: music21 overlooks a later metre."""
    from music21.abcFormat import ABCFile, ABCMetadata, translate
    from music21.exceptions21 import Music21Exception

    file = ABCFile()
    file.open(path)
    tunes = file.read().splitByReferenceNumber()
    file.close()
    for number, tune in tunes.items():
        fields = [token.src for token in tune.tokens if isinstance(token, ABCMetadata)]
        metres = [field[2:].split("%")[0].strip() for field in fields if field.startswith("M")]
        if without and any(f.startswith("Z") and without in f.lower() for f in fields):
            skipped[RESERVED] += 1
        elif not metres or not all(metre in _BROAD for metre in metres):
            skipped[METRE] += 1
        else:
            try:
                stream = translate.abcToStreamScore(tune)
            except (Music21Exception, ValueError, AttributeError, IndexError):
                skipped[UNREADABLE] += 1
                continue
            yield (name if len(tunes) == 1 else f"{name}#{number}"), _score(stream)


def _score(stream) -> Score:
    """Convert a music21 score: its parts are the voices, and bars begin where they are written."""
    rows, signatures, restarts = [], set(), set()
    for voice, part in enumerate(stream.parts):
        bars = list(part.getElementsByClass("Measure"))
        shift = Fraction(bars[0].paddingLeft) if bars else Fraction(0)
        grid = Fraction(0)
        for bar in bars:
            begins = Fraction(bar.offset) + shift
            if bar.timeSignature is not None:
                signature = bar.timeSignature.numerator, bar.timeSignature.denominator
                signatures.add((_ticks(begins) if signatures else 0, *signature))
            if bar.duration.quarterLength >= 4 and (begins - grid) % 4:
                restarts.add(_ticks(begins))
                grid = begins
        rows += [(voice, *note) for note in _notes(part, shift)]
    voices, onsets, ends, midi = np.array(rows, np.int64).reshape(-1, 4).T
    return Score(
        TICKS_PER_QUARTER, onsets, ends, midi, voices, tuple(sorted(signatures)), (), tuple(sorted(restarts))
    )


def _notes(part, shift: Fraction) -> Iterator[tuple[int, int, int]]:
    """Onset tick, end tick and MIDI number of every note of a part that lasts, ties joined."""
    from music21.harmony import ChordSymbol

    held: dict[int, tuple[int, int]] = {}  # MIDI number -> onset and end of a note tied onwards
    for note in part.flatten().notes:
        if isinstance(note, ChordSymbol) or note.duration.isGrace or not note.quarterLength:
            continue
        onset = _ticks(Fraction(note.getOffsetInHierarchy(part)) + shift)
        end = onset + _ticks(Fraction(note.quarterLength))
        for pitch in note.pitches:
            tie = note.tie.type if note.tie is not None else ""
            begun, until = held.pop(pitch.midi, (onset, onset))
            if until != onset or tie not in ("stop", "continue"):
                if begun != onset:
                    yield begun, until, pitch.midi
                begun = onset
            if tie in ("start", "continue"):
                held[pitch.midi] = begun, end
            else:
                yield begun, end, pitch.midi
    yield from ((begun, until, midi) for midi, (begun, until) in held.items())


def _ticks(quarters: Fraction) -> int:
    return round(quarters * TICKS_PER_QUARTER)
