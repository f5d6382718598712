"""Export: what a run holds as tables, figures and verdicts that other programs read."""

from __future__ import annotations

import json as to_json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..probes.engine.schema import subjects
from ..probes.engine.store import fresh
from ..probes.engine.variable import STAGE
from ..probes.hypotheses.hypothesis import Hypothesis
from ..probes.hypotheses.registry import registered as claims
from ..probes.run.registry import registered
from ..synth.errors import InputError
from .chapters import chapter_of
from .figures.drawing import Illustration, in_style
from .figures.hypotheses.verdicts import verdicts
from .runs import controls_of, encoders_of, read_run
from .verdicts import GROUP, judged, random_verdicts

SOUNDS = ("clip_sample", "sample")  # dims of waveforms, which are no tables
MOST_ROWS = 1_000_000  # of one table; what is larger stays in the run
SUBJECT = ["subject", "encoder", "role", "of", "baseline"]
README = """What tonotopy exported of a run.

tables/PROBE.by_DIMENSIONS.csv  one row for every subject and combination of the dimensions, one column a
                                variable; rows without any value are left out
columns.csv                     what every column is, and its unit ("1": a number without one)
subjects.csv                    who was measured: encoders, baselines of them, controls
verdicts.csv, verdicts.json     what the run says of each hypothesis, about encoders and baselines
run.json                        where the run came from, and who was measured
figures/SUBJECT-PROBE-NAME.svg  the report's figures; the .csv beside one holds what it shows
"""


def export(
    run: str | Path | xr.DataTree,
    out: str | Path,
    *,
    csv: bool = True,
    svg: bool = True,
    json: bool = True,
    hypotheses: Sequence[Hypothesis] = (),
) -> Path:
    """Write a run as tables, figures and verdicts.

    Parameters
    ----------
    run : path or xarray.DataTree
    out : path
        A folder, which must not exist; it appears when it is whole. README.txt says what lies in it, and
        what was left out: waveforms, and tables of more than a million rows.
    csv : bool
        Tables, one for each probe and set of dimensions, tidy: one observation a row.
    svg : bool
        Figures.
    json : bool
        Verdicts and provenance.
    hypotheses : sequence of Hypothesis
        Of one's own, to be judged as well.

    Returns
    -------
    out : Path

    Raises
    ------
    InputError
        If the run cannot be read, `out` exists, or nothing is to be written.
    """
    out, tree = fresh(out), read_run(run)
    if not (csv or svg or json):
        raise InputError("export: nothing requested; there are csv, svg and json")
    if hypotheses:
        tree = judged(tree, (*claims(), *hypotheses))
    partial = fresh(out.with_name(out.name + ".partial"))
    partial.mkdir(parents=True)
    try:
        left_out = _tables(tree, partial) if csv else []
        if json:
            _as_json(tree, partial)
        if svg:
            _figures(tree, partial / "figures")
        said = "".join(f"left out: {line}\n" for line in left_out)
        (partial / "README.txt").write_text(README + (f"\n{said}" if said else ""), encoding="utf-8")
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    os.replace(partial, out)
    return out


def _tables(tree: xr.DataTree, out: Path) -> list[str]:
    """Write all tables; return what is left out, and why."""
    (out / "tables").mkdir()
    left_out: list[str] = []
    columns: list[list[str]] = []
    who = _who(tree)
    who.to_csv(out / "subjects.csv", index=False)
    for group in dict.fromkeys(str(g) for node in subjects(tree).values() for g in node.children):
        results = {n: s[group].to_dataset() for n, s in subjects(tree).items() if group in s.children}
        if group == GROUP:
            frames = {n: one.to_dataframe().reset_index() for n, one in results.items()}
            _with_subject(who, frames).to_csv(out / "verdicts.csv", index=False)
            continue
        for dims, names in _by_dims(list(results.values())).items():
            table = f"{group}.by_{'_'.join(dims)}" if dims else group
            if too_large := _too_large(table, dims, list(results.values())):
                left_out.append(too_large)
                continue
            frames = {n: frame for n, one in results.items() if len(frame := tidy(one, dims, names))}
            if frames:
                whole = _with_subject(who, frames)
                whole.to_csv(out / "tables" / f"{table}.csv", index=False, float_format="%.7g")
                columns += _described(table, whole, list(results.values()))
    about = pd.DataFrame(columns, columns=["table", "column", "unit", "meaning"])
    about.to_csv(out / "columns.csv", index=False)
    return left_out


def _who(tree: xr.DataTree) -> pd.DataFrame:
    """Return who was measured: a row a subject."""
    rows = [{"baseline": "", "subject": node, **one.attrs} for node, one in subjects(tree).items()]
    table = pd.DataFrame(rows)
    return table.reindex(columns=[*SUBJECT, *(name for name in table.columns if name not in SUBJECT)])


def _with_subject(who: pd.DataFrame, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put the tables of subjects below one another, each row with whom it is about."""
    whole = pd.concat([frame.assign(subject=node) for node, frame in frames.items()], ignore_index=True)
    return who[SUBJECT].merge(whole, on="subject")


def _by_dims(results: Sequence[xr.Dataset]) -> dict[tuple[str, ...], list[str]]:
    """Gather variables by the dimensions they have, those that describe stages by stage."""
    found: dict[tuple[str, ...], dict[str, None]] = {}
    for result in results:
        described = [name for name in STAGE if name in result and result[name].dims == ("stage",)]
        for name in map(str, (*described, *result.data_vars)):
            if name != "stage":
                found.setdefault(tuple(map(str, result[name].dims)), {})[name] = None
    return {dims: list(names) for dims, names in found.items()}


def _too_large(table: str, dims: Sequence[str], results: Sequence[xr.Dataset]) -> str:
    """Say why a table is not written, if it is not."""
    if set(SOUNDS) & set(dims):
        return f"{table}: waveforms; the run holds them"
    rows = sum(int(np.prod([one.sizes.get(dim, 0) for dim in dims])) for one in results)
    return f"{table}: {rows:,} rows, at most {MOST_ROWS:,}; the run holds them" if rows > MOST_ROWS else ""


def tidy(result: xr.Dataset, dims: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """Return some variables of a result, which have the same dimensions, as a table: an observation a row.

    Parameters
    ----------
    result : xarray.Dataset
    dims : sequence of str
        Those of the variables: columns that say what the observation is of, with what labels them.
    names : sequence of str
        Those that the result lacks are left out.

    Returns
    -------
    table : pandas.DataFrame
        Without rows that hold nothing, as beyond the channels of a narrow stage.

    Examples
    --------
    >>> result = xr.Dataset({"level_db": ("channel", [-3.0, np.nan])}, {"channel": [0, 1]})
    >>> tidy(result, ["channel"], ["level_db"]).to_dict("records")
    [{'channel': 0, 'level_db': -3.0}]
    """
    there = [name for name in names if name in result and set(result[name].dims) == set(dims)]
    if not there:
        return pd.DataFrame()
    if not dims:
        return pd.DataFrame([{name: result[name].item() for name in there}])
    labels = [
        str(name)
        for name, values in result.coords.items()
        if name not in (*dims, *STAGE, *there) and values.dims and set(values.dims) <= set(dims)
    ]
    kept = result[[*there, *labels]].reset_coords([n for n in (*there, *labels) if n in result.coords])
    frame = kept.drop_vars([str(n) for n in kept.coords if n not in dims]).to_dataframe(dim_order=list(dims))
    holds = (frame[there].notna() & (frame[there] != "")).any(axis=1)
    return frame[holds].reset_index().reindex(columns=[*dims, *labels, *there])


def _described(table: str, whole: pd.DataFrame, results: Sequence[xr.Dataset]) -> Iterator[list[str]]:
    """Yield what the columns of a table are."""
    for column in (name for name in map(str, whole.columns) if name not in SUBJECT):
        about = next(one[column].attrs for one in results if column in one.variables)
        yield [table, column, str(about.get("units", "1")), str(about.get("long_name", column))]


def _as_json(tree: xr.DataTree, out: Path) -> None:
    """Write verdicts and provenance."""
    said = {
        node: _records(one[GROUP].to_dataset().to_dataframe().reset_index())
        for node, one in subjects(tree).items()
        if GROUP in one.children
    }
    about = {"run": dict(tree.attrs), "subjects": _records(_who(tree))}
    for name, content in (("verdicts", said), ("run", about)):
        text = to_json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
        (out / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of a table as JSON has them: what is not finite is null."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain


def drawn(tree: xr.DataTree) -> Iterator[tuple[str, Illustration]]:
    """Yield the figures of a run, each with what it is called: who, of which probe, its name."""
    encoders, controls = encoders_of(tree), list(controls_of(tree).values())
    chapters = [chapter_of(probe) for probe in registered()]
    for one in encoders:
        if (found := one.result(GROUP)) is not None:
            yield f"{one.node}-{GROUP}", verdicts(found, random_verdicts(one), one.name)
        for chapter in chapters:
            if one.result(chapter.probe) is not None:
                for figure in chapter.figures(one, controls):
                    yield f"{one.node}-{chapter.probe}-{figure.name}", figure
    for chapter in chapters:
        for i, figure in enumerate(chapter.figures_of_controls(controls)):
            yield f"controls-{chapter.probe}-{figure.name}" + (f"-{i + 1}" if i else ""), figure
        if len(encoders) > 1:
            for figure in chapter.figures_of_several(encoders):
                yield f"encoders-{chapter.probe}-{figure.name}", figure


def _figures(tree: xr.DataTree, folder: Path) -> None:
    folder.mkdir()
    for name, one in drawn(tree):
        with in_style({"svg.fonttype": "none"}):  # text stays text
            one.figure.savefig(folder / f"{name}.svg")
        if one.data is not None:
            one.data.to_csv(folder / f"{name}.csv", index=False, float_format="%.7g")
