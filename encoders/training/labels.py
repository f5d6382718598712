"""Which files to learn from: a table of labels beside the audio, or FMA's layout."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...synth.errors import InputError
from ...synth.recordings import SUFFIXES

SPLITS = ("training", "validation", "test")
_ALIASES = {"train": "training", "valid": "validation", "val": "validation"}


@dataclass(frozen=True)
class LabelledFile:
    """A file to learn from; files of one group (an instrument, an artist) are not independent.

    `kind` is the kind of score where the table tells it ("line", "chords"), or empty; `columns` is its row of
    the table, as it stands.
    """

    path: Path
    label: str
    split: str
    group: str
    kind: str = ""
    columns: Mapping[str, str] = field(default_factory=dict, repr=False)


def find_labels(corpus: str | Path, labels: str | Path | None = None) -> list[LabelledFile]:
    """Return the labelled files of a folder.

    Two tables are understood: columns ``path`` (relative to the corpus), ``label`` and, if wanted,
    ``split`` ("training", "validation", "test"), ``group`` and ``kind``; or FMA's ``tracks.csv`` (three rows
    of header; top genre and split are read), of which the tracks that are in the folder count.
    Where no split is given, about one group in ten (one file in ten, without groups) goes to the
    test and one to validation, by a hash of its name.

    Parameters
    ----------
    corpus : path
        Folder of audio.
    labels : path, optional
        The table; by default ``labels.csv`` in the corpus, then ``fma_metadata/tracks.csv`` in or
        beside it.

    Raises
    ------
    InputError
        If there is no table, it has other columns or unknown splits, names no file, or leaves fewer
        than two classes to learn.
    """
    corpus = Path(corpus)
    if not corpus.is_dir():
        raise InputError(f"corpus {corpus}: no such folder")
    fma = Path("fma_metadata", "tracks.csv")
    usual = [corpus / "labels.csv", corpus / fma, corpus.parent / fma]
    table = Path(labels) if labels is not None else next((t for t in usual if t.is_file()), None)
    if table is None:
        raise InputError(f"corpus {corpus}: no labels: needs labels.csv (path,label[,split]) or {fma}")
    try:
        with open(table, newline="", encoding="utf-8-sig") as opened:
            rows = list(csv.reader(opened))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"labels {table}: cannot be read ({error})") from None
    found = _from_fma(rows, corpus) if _is_fma(rows) else _from_columns(rows, corpus, table)
    if not found:
        raise InputError(f"labels {table}: name no file in {corpus}")
    learnt = sorted({file.label for file in found if file.split == "training"})
    if len(learnt) < 2:
        raise InputError(
            f"labels {table}: {len(learnt)} class(es) to train on ({', '.join(learnt)}); needs two"
        )
    return [file for file in found if file.label in learnt]


def _from_columns(rows: Sequence[Sequence[str]], corpus: Path, table: Path) -> list[LabelledFile]:
    header = [name.strip() for name in rows[0]] if rows else []
    if not {"path", "label"} <= set(header):
        raise InputError(
            f"labels {table}: has columns {', '.join(header) or 'none'}; needs path,label[,split]"
        )
    found = []
    for row in rows[1:]:
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        if not (cells.get("path") and cells.get("label")):
            continue
        group = cells.get("group") or cells["path"]
        split = cells.get("split") or _split_of(group)
        split = _ALIASES.get(split, split)
        if split not in SPLITS:
            raise InputError(
                f"labels {table}: split {split!r} of {cells['path']}: must be one of {', '.join(SPLITS)}"
            )
        found.append(
            LabelledFile(corpus / cells["path"], cells["label"], split, group, cells.get("kind", ""), cells)
        )
    return found


def _is_fma(rows: Sequence[Sequence[str]]) -> bool:
    return len(rows) > 3 and "genre_top" in rows[1] and "split" in rows[1]


def _from_fma(rows: Sequence[Sequence[str]], corpus: Path) -> list[LabelledFile]:
    columns = list(zip(rows[0], rows[1], strict=False))
    genre, split = columns.index(("track", "genre_top")), columns.index(("set", "split"))
    artist = columns.index(("artist", "id")) if ("artist", "id") in columns else 0
    there = {
        int(path.stem): path
        for path in sorted(corpus.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.stem.isdecimal()
    }
    found = []
    for row in rows[3:]:
        if row and row[0].isdecimal() and int(row[0]) in there and row[genre] and row[split] in SPLITS:
            found.append(LabelledFile(there[int(row[0])], row[genre], row[split], row[artist]))
    return found


def _split_of(group: str) -> str:
    draw = int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") % 10
    return {0: "test", 1: "validation"}.get(draw, "training")
