"""The numbers of a report: one row per subject and stage, trained beside random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from .figures.drawing import at_stage, hertz
from .runs import Heard


@dataclass(frozen=True)
class Column:
    """A number per stage: how it is read, written, and whether random weights are its yardstick."""

    probe: str
    variable: str
    heading: str
    explanation: str
    unit: str
    reduce: str = "median"
    compared: bool = True


COLUMNS = (
    Column("selectivity", "best_frequency", "Respond", "channels with any response", "share", "live", False),
    Column("selectivity", "best_frequency", "Best freq. from", "lowest best frequency", "Hz", "min", False),
    Column("selectivity", "best_frequency", "to", "highest best frequency", "Hz", "max", False),
    Column("selectivity", "quality", "Q", "median best frequency / -3 dB bandwidth", "1"),
    Column("selectivity", "n_pass_bands", "Bands", "median number of bands within 3 dB of the peak", "count"),
    Column("selectivity", "bandwidth_3db", "-3 dB band", "median width of the pass-band at -3 dB", "Hz"),
    Column("selectivity", "equivalent_noise_bandwidth", "Noise band", "median equivalent noise band", "Hz"),
    Column("selectivity", "nyquist_share", "Band / Nyquist", "median -3 dB band / the stage's Nyquist", "1"),
    Column(
        "selectivity", "resolved", "Resolved", "channels whose band is resolved", "share", "share", False
    ),
    Column(
        "selectivity", "open_band", "Open", "channels whose band runs off the grid: lower bounds", "share",
        "share", False,
    ),
    Column(
        "selectivity", "closed_form_error", "Closed form", "median |measured - exact|", "dB", "value", False
    ),
    Column("selectivity", "change_probability", "Codes changed", "mean chance that one changes", "1", "mean"),
    Column("pitch_tuning", "f0_share", "Pitch: f0", "median variance share of f0", "1"),
    Column("chord_tuning", "root_share", "Chord: root", "median variance share of the root", "1"),
    Column("chord_tuning", "quality_share", "Chord: quality", "median variance share of the quality", "1"),
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What stands in a table; `mark` places the value among the random seeds'."""

    text: str
    mark: str = ""
    note: str = ""


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


def stages_of(heard: Heard) -> list[str]:
    """Return the stages that any probe heard, in the order of the first probe that did."""
    probes = [heard.probe(name) for name in ("selectivity", "pitch_tuning", "chord_tuning")]
    names = [str(s) for probe in probes if probe is not None for s in probe["stage"].values]
    return list(dict.fromkeys(names))


def value_of(column: Column, probe: xr.Dataset | None, stage: str) -> float:
    """Read a column's number off a probe at a stage; NaN where there is none."""
    if probe is None or column.variable not in probe or stage not in probe["stage"].values:
        return np.nan
    one = at_stage(probe, stage)
    values = np.asarray(one[column.variable].values, dtype=float)
    if (
        "best_frequency" in one
        and str(one["kind"].values) == "codes"
        and column.variable != "change_probability"
    ):
        return np.nan  # codes have no tuning curve
    finite = values[np.isfinite(values)]
    if column.reduce == "live":
        return len(finite) / max(1, values.size)
    if finite.size == 0:
        return np.nan
    if column.reduce == "share":
        live = np.isfinite(one["best_frequency"].values)
        return float(values[live].mean()) if live.any() else np.nan
    reducers = {"median": np.median, "mean": np.mean, "min": np.min, "max": np.max, "value": np.max}
    return float(reducers[column.reduce](finite))


def written(value: float, unit: str) -> str:
    """Write a number in its unit; a dash where there is none.

    Examples
    --------
    >>> written(0.5, "share"), written(1234.0, "Hz"), written(float("nan"), "1")
    ('50 %', '1.23 kHz', '–')
    """
    if not np.isfinite(value):
        return "–"
    if unit == "count":
        return f"{value:g}"
    if unit == "share":
        return f"{100 * value:.0f} %"
    if unit == "Hz":
        return hertz(value)
    if unit == "dB":
        return f"{value:.1g} dB"
    return f"{value:.2f}"


def placed(value: float, seeds: Sequence[float]) -> str:
    """Say where a value lies among those of random seeds: "above", "below", "within" their range.

    Fewer than two finite values span no range: "".

    Examples
    --------
    >>> placed(2.0, [0.5, 1.0]), placed(0.7, [0.5, 1.0]), placed(2.0, [1.0])
    ('above', 'within', '')
    """
    finite = [s for s in seeds if np.isfinite(s)]
    if len(finite) < 2 or not np.isfinite(value):
        return ""
    return "above" if value > max(finite) else "below" if value < min(finite) else "within"


def interval(seeds: Sequence[float], unit: str) -> str:
    """Write the range of finite values, the unit once where both share it.

    Examples
    --------
    >>> interval([80.0, 105.0, float("nan")], "Hz")
    '80 to 105 Hz'
    """
    finite = [s for s in seeds if np.isfinite(s)]
    if not finite:
        return "–"
    low, high = written(min(finite), unit), written(max(finite), unit)
    if low == high:
        return low
    if low.split(" ")[1:] == high.split(" ")[1:]:
        low = low.split(" ")[0]
    return f"{low} to {high}"


def summary(encoders: Sequence[Heard], controls: Sequence[Heard] = (), random: bool = True) -> Table:
    """Tabulate encoders, their random baselines below each stage, then controls."""
    rows = []
    for heard in encoders:
        probes = {name: (heard.probe(name), heard.random(name)) for name in {c.probe for c in COLUMNS}}
        for stage in stages_of(heard):
            own, chance = [], []
            for column in COLUMNS:
                probe, seeds = probes[column.probe]
                value = value_of(column, probe, stage)
                among = [value_of(column, seed, stage) for seed in seeds]
                mark = placed(value, among) if column.compared else ""
                note = f"{mark} the range of {len(among)} random seeds" if mark else ""
                own.append(Cell(written(value, column.unit), mark, note))
                chance.append(Cell(interval(among, column.unit)))
            rows.append(Row(heard.name, stage, "encoder", tuple(own)))
            if random and heard.baselines:
                count = len(heard.baselines)
                label = f"random, {count} seed" + "s" * (count > 1)
                rows.append(Row(label, stage, "baseline", tuple(chance)))
    for heard in controls:
        for stage in stages_of(heard):
            cells = [Cell(written(value_of(c, heard.probe(c.probe), stage), c.unit)) for c in COLUMNS]
            rows.append(Row(heard.name, stage, "control", tuple(cells)))
    kept = [i for i in range(len(COLUMNS)) if any(row.cells[i].text != "–" for row in rows)]
    thinned = (Row(r.subject, r.stage, r.role, tuple(r.cells[i] for i in kept)) for r in rows)
    return Table(tuple(COLUMNS[i] for i in kept), tuple(thinned))


def findings(heard: Heard) -> list[str]:
    """Say in one sentence per stage how sharp it is, next to random weights."""
    sentences = []
    tuning, seeds = heard.probe("selectivity"), heard.random("selectivity")
    sharpness = next(c for c in COLUMNS if c.variable == "quality")
    for stage in stages_of(heard):
        value = value_of(sharpness, tuning, stage)
        if not np.isfinite(value):
            continue
        among = [value_of(sharpness, seed, stage) for seed in seeds]
        text = f"{stage}: the median channel has Q {value:.2f}"
        if mark := placed(value, among):
            text += (
                f"; {len(among)} random networks give {interval(among, '1')}, so it lies {mark} their range"
            )
        elif among:
            text += f"; a random network gives {interval(among, '1')}"
        sentences.append(text + ".")
    for stage in stages_of(heard):
        error = value_of(next(c for c in COLUMNS if c.variable == "closed_form_error"), tuning, stage)
        if np.isfinite(error):
            sentences.append(f"{stage}: measured and closed-form tuning differ by {error:.1g} dB (median).")
    return sentences


def cautions(heard: Heard) -> list[str]:
    """Say what the numbers of an encoder do not show: unresolved bands, stages without a steady state."""
    tuning = heard.probe("selectivity")
    if tuning is None:
        return []
    said = []
    for stage in stages_of(heard):
        if stage not in tuning["stage"].values:
            continue
        one = at_stage(tuning, stage)
        if not bool(one["settled"].values):
            said.append(f"{stage} reached no steady state: its numbers are of the last frames heard.")
        if "resolved" not in one or str(one["kind"].values) == "codes":
            continue
        live = np.isfinite(one["best_frequency"].values)
        unresolved = int((live & ~one["resolved"].values.astype(bool)).sum())
        if unresolved:
            said.append(
                f"{stage}: the grid is too coarse for the bandwidth of {unresolved} of {live.sum()} "
                "channels; "
                "they are left out of Q and bandwidth."
            )
        several = int((one["n_pass_bands"].values > 1).sum())
        if several:
            said.append(
                f"{stage}: {several} of {live.sum()} channels have more than one pass-band within 3 dB of "
                "their "
                "peak; Q and bandwidth describe the highest of them only."
            )
        bounds = int((live & one["open_band"].values.astype(bool)).sum())
        if bounds:
            said.append(
                f"{stage}: the pass-band of {bounds} of {live.sum()} channels runs to the edge of the grid; "
                "their bandwidth is a lower bound, their Q an upper one."
            )
    return said
