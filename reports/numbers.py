"""The numbers of a report: one row per subject and stage, trained beside random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from .chapter import Chapter
from .columns import Column, placed
from .page import Cell
from .runs import Subject
from .selecting import merged, stages_of
from .writing import DASH, counted, interval, written

SHOWN = 0.005  # what two decimals show


@dataclass(frozen=True)
class Row:
    """A line of a table: a subject at a stage; role is "encoder", "baseline" or "control"."""

    subject: str
    stage: str
    role: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Columns that have a value somewhere, and the rows."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def has_stages(self) -> bool:
        """Whether its rows are of stages."""
        return any(row.stage for row in self.rows)


def table_of(chapter: Chapter, encoders: Sequence[Subject], controls: Sequence[Subject]) -> Table:
    """Tabulate what a probe found: encoders, random baselines below each stage, then controls."""
    rows = [row for one in encoders for row in _rows(chapter, one)]
    for one in controls:
        result = one.result(chapter.probe)
        for stage in stages_of(result) if result is not None else ():
            cells = [Cell(c.shown(result, stage)) for c in chapter.columns]
            rows.append(Row(one.name, stage, "control", tuple(cells)))
    rows = [row for row in rows if row.role == "baseline" or any(c.text != DASH for c in row.cells)]
    kept = [i for i in range(len(chapter.columns)) if any(row.cells[i].text != DASH for row in rows)]
    thinned = (replace(row, cells=tuple(row.cells[i] for i in kept)) for row in rows)
    return Table(tuple(chapter.columns[i] for i in kept), tuple(thinned))


def _rows(chapter: Chapter, subject: Subject) -> Iterator[Row]:
    """Yield a row for each stage at which there is a value, followed by one of every kind of baseline."""
    result, kinds = subject.result(chapter.probe), subject.by_kind(chapter.probe)
    for stage in stages_of(result) if result is not None else ():
        own = [_cell(column, result, kinds.get("random", ()), stage) for column in chapter.columns]
        if all(cell.text == DASH for cell in own):
            continue
        yield Row(subject.name, stage, "encoder", tuple(own))
        for kind, seeds in kinds.items():
            among = [
                Cell(interval([column.of(seed, stage) for seed in seeds], column.unit))
                for column in chapter.columns
            ]
            yield Row(f"{kind}, {counted(len(seeds), 'seed')}", stage, "baseline", tuple(among))


def _cell(column: Column, result: xr.Dataset | None, seeds: Sequence[xr.Dataset], stage: str) -> Cell:
    """Write a number, marked where it lies outside the range of random seeds."""
    value, among = column.of(result, stage), [column.of(seed, stage) for seed in seeds]
    alike = written(value, column.unit) in {written(v, column.unit) for v in among}
    mark = placed(value, among) if column.is_compared and not alike else ""
    note = f"{mark} the range of {counted(len(among), 'random seed')}" if mark else ""
    return Cell(column.shown(result, stage), mark, note)


def side_by_side(encoders: Sequence[Subject], chapters: Sequence[Chapter]) -> xr.Dataset:
    """Return the numbers by which encoders are compared.

    Returns
    -------
    numbers : xarray.Dataset
        `value`, [encoder, stage, measure], with `low` and `high` where a probe gives an interval, and
        `random_low`, `random_high` of the random seeds; NaN where there is none. Of encoders, measures and
        stages those are kept for which there is a value.
    """
    columns = [(one.probe, column) for one in chapters for column in one.columns if column.is_side_by_side]
    stages = merged(
        [
            stages_of(result)
            for subject in encoders
            for probe in dict.fromkeys(probe for probe, _ in columns)
            if (result := subject.result(probe)) is not None
        ]
    )
    found = np.full((5, len(encoders), len(stages), len(columns)), np.nan)
    for i, subject in enumerate(encoders):
        for k, (probe, column) in enumerate(columns):
            found[:, i, :, k] = _with_ends(column, subject, probe, stages).T
    names = ("value", "low", "high", "random_low", "random_high")
    there = np.isfinite(found[0])
    return xr.Dataset(
        {name: (("encoder", "stage", "measure"), block) for name, block in zip(names, found, strict=True)},
        {
            "encoder": [subject.name for subject in encoders],
            "stage": stages,
            "measure": [column.heading for _, column in columns],
            "explanation": ("measure", [column.explanation for _, column in columns]),
        },
    ).isel(encoder=there.any((1, 2)), measure=there.any((0, 1)), stage=there.any((0, 2)))


def _with_ends(column: Column, subject: Subject, probe: str, stages: Sequence[str]) -> np.ndarray:
    """Return value, low, high, and the range of the random seeds at some stages, [stages, 5]."""
    result, seeds = subject.result(probe), subject.of_baselines(probe)
    ends = (column, replace(column, value=column.low), replace(column, value=column.high))
    rows = []
    for stage in stages:
        among = [v for seed in seeds if np.isfinite(v := column.of(seed, stage))] or [np.nan]
        rows.append([*(end.of(result, stage) for end in ends), min(among), max(among)])
    return np.array(rows, dtype=float).reshape(len(stages), 5)


def differing(numbers: xr.Dataset) -> list[list[str]]:
    """List the measures of `side_by_side` whose intervals lie apart between two encoders, most apart first.

    Parameters
    ----------
    numbers : xarray.Dataset

    Returns
    -------
    rows : list of list of str
        Measure, stage, the value of each encoder, and by how much the highest and the lowest differ; what
        is the same to the digits that are shown is left out.
    """
    found: list[tuple[float, list[str]]] = []
    for measure in range(numbers.sizes["measure"]):
        for stage in range(numbers.sizes["stage"]):
            one = numbers.isel(measure=measure, stage=stage)
            value, low, high = (one[name].values for name in ("value", "low", "high"))
            there = np.isfinite(value) & np.isfinite(low) & np.isfinite(high)
            if there.sum() < 2 or low[there].max() <= high[there].min():
                continue
            apart = float(value[there].max() - value[there].min())
            if apart < SHOWN:
                continue
            cells = [f"{v:z.2f} ({a:z.2f} to {b:z.2f})" if k else DASH
                     for v, a, b, k in zip(value, low, high, there, strict=True)]  # fmt: skip
            row = [str(one["measure"].values), str(one["stage"].values), *cells, f"{apart:.2f}"]
            found.append((apart, row))
    return [row for _, row in sorted(found, key=lambda pair: -pair[0])]
