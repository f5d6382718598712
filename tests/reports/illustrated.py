"""What every illustration says beside its picture: a caption of one sentence, and the numbers drawn."""

from __future__ import annotations

import re

import pandas as pd

from tonotopy.reports.figures import Illustration

MOST_ROWS = 300


def assert_illustrated(one: Illustration) -> None:
    """Hold texts and data of an illustration to what pages count on."""
    assert one.question.endswith("?"), one.name
    assert 0 < len(one.caption) <= 160, (one.name, one.caption)
    assert one.caption.endswith("."), one.name
    assert not re.search(r"[.?!] ", one.caption), (one.name, one.caption)
    assert len(re.findall(r"\d+(?:\.\d+)?", one.caption)) <= 2, (one.name, one.caption)
    assert len(re.findall(r"[.?!](?: |$)", one.reading)) <= 4, (one.name, one.reading)
    assert one.reading.endswith("."), one.name
    assert "nan" not in f"{one.reading} {one.alt} {one.caption}", one.name
    assert one.data is not None, one.name
    assert 0 < len(one.data) <= MOST_ROWS, one.name
    assert one.data.columns.is_unique, one.name
    assert all(isinstance(column, str) and column for column in one.data.columns), one.name


def row_of(data: pd.DataFrame | None, **where: object) -> pd.Series:
    """Return the one row of the data of a figure whose columns have some values; `_` stands for a space."""
    assert data is not None
    found = data
    for column, value in where.items():
        found = found.loc[found[column.replace("_", " ")] == value]
    assert len(found) == 1, (where, found)
    return found.iloc[0]
