"""The numbers of a report: one row per subject and stage, trained beside random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ..encoders.kinds import stage_kind
from .figures.drawing import at_stage, hertz, of_kind
from .runs import Heard


@dataclass(frozen=True)
class Column:
    """A number per stage: how it is read and written.

    Parameters
    ----------
    probe, variable : str
    heading, explanation : str
    unit : str
    reduce : str
        What makes one number of a stage's values.
    compared : bool
        Whether random weights are its yardstick.
    pick : str
        The component, spacing, task or density it is read at, if the variable has one.
    side_by_side : bool
        Whether the figure that compares encoders shows it.
    """

    probe: str
    variable: str
    heading: str
    explanation: str
    unit: str
    reduce: str = "median"
    compared: bool = True
    pick: str = ""
    side_by_side: bool = False


COLUMNS = (
    Column("selectivity", "best_frequency", "Respond", "channels with any response", "share", "live", False),
    Column("selectivity", "best_frequency", "Best freq. from", "lowest best frequency", "Hz", "min", False),
    Column("selectivity", "best_frequency", "to", "highest best frequency", "Hz", "max", False),
    Column("selectivity", "quality", "Q", "median best frequency / -3 dB bandwidth", "1", side_by_side=True),
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
    Column(
        "aliasing", "bank_share", "At fold", "share of a tone's output power at its predicted fold", "1",
        "mean", pick="fold", side_by_side=True,
    ),
    Column(
        "aliasing", "null_share", "Fold by chance", "the same at the folds of the other tones", "1", "mean",
        False,
    ),
    Column(
        "aliasing", "bank_share", "Mean shift", "share that is a steady offset", "1", "mean",
        pick="mean_shift", side_by_side=True,
    ),
    Column("aliasing", "bank_share", "Rest", "share that no prediction claims", "1", "mean", pick="rest"),
    Column(
        "aliasing", "level_effect", "Level",
        "share that changes its part from the lowest to the highest level", "1", "value",
    ),
    Column("intermodulation", "bank_share", "Intermod.", "share of intermodulation when two tones play", "1",
           "mean", pick="intermodulation"),
    Column(
        "aliasing", "bank_rejection", "Rejection", "response above the stage's Nyquist frequency re below",
        "level", "value",
    ),
    Column(
        "aliasing", "collapse", "Collapse",
        "how much more alike tones that share a fold are than others as far apart", "1", "value",
        side_by_side=True,
    ),
    Column(
        "aliasing", "collapse_chance", "Coll. by chance", "collapse if channels answered to both alike", "1",
        "value", False,
    ),
    Column(
        "invertibility", "smallest_singular_value", "Smallest gain",
        "smallest singular value of the bank, 0 if it cannot be undone", "gain", "value",
    ),
    Column(
        "invertibility", "rank_share", "Rank", "share of singular values above zero", "1", "value",
        side_by_side=True,
    ),
    Column("invertibility", "channels_per_hop", "Channels / hop", "below 1 no bank can be undone", "1",
           "value", False),
    Column(
        "representability", "correlation", "Predicted",
        "correlation of what strides predict of a signal's partials with what a readout recovers", "1",
        "value", side_by_side=True,
    ),
    Column(
        "representability", "partial_correlation", "Given density", "the same given the number of partials",
        "1", "value",
    ),
    Column("tiling", "mutual_coherence", "Coherence", "largest likeness of two channels", "1", "value"),
    Column("tiling", "welch_bound", "Welch", "the smallest that so many channels can have", "1", "value",
           False),
    Column("tiling", "mean_coherence", "Mean coh.", "mean likeness of two channels", "1", "value",
           side_by_side=True),
    Column("tiling", "effective_rank", "Eff. rank", "dimensions that the responses fill", "count", "value"),
    Column(
        "tiling", "effective_rank_share", "Of possible", "effective rank / what count and length allow", "1",
        "value", side_by_side=True,
    ),
    Column(
        "tiling", "frame_bound_ratio", "Frame bounds", "highest / lowest summed response", "level", "value"
    ),
    Column(
        "tiling", "evenly_covered_share", "Even", "share of frequency within 3 dB of the mean response",
        "share", "value", side_by_side=True,
    ),
    *(
        Column(
            "tiling", "spacing_distance", f"Off {spelled}",
            f"distance of best frequencies from even {spelled} spacing", "1", "value", pick=scale,
        )
        for scale, spelled in (("linear", "linear"), ("log", "log"), ("mel", "mel"), ("erb", "ERB"))
    ),
    Column("tiling", "neighbour_overlap", "Overlap", "mean likeness of neighbours' magnitudes", "1", "value"),
    Column("tiling", "nyquist_share", "Noise band / Nyquist", "median noise band / the stage's Nyquist", "1"),
    *(
        Column(
            "compositionality", "index", f"Index, {several}",
            f"compositional stability of {several}: 1 separable and stable, 0 neither", "1", "value",
            pick=kind, side_by_side=True,
        )
        for kind, several in (("partial", "partials"), ("pitch", "pitches"), ("chord", "chords"))
    ),
    Column(
        "compositionality", "auc", "AUC", "how often a partial resembles itself more than others", "1",
        "value", pick="partial", side_by_side=True,
    ),
    Column(
        "compositionality", "planarity", "Planarity", "share of a partial's changes that its plane holds",
        "1", "value", pick="partial",
    ),
    Column(
        "compositionality", "unheard", "Unheard", "partials that leave the frame unchanged", "share",
        "value", pick="partial",
    ),
    Column(
        "compositionality", "additivity_error", "Not additive", "power of what partial and company do "
        "together beyond each alone", "1", "value", pick="partial",
    ),
    Column("codes", "agreement_same", "Codes kept", "share of codes that a partial keeps in other company",
           "share", "mean", side_by_side=True),
    Column("codes", "agreement_different", "Kept by chance", "the same of different partials", "share",
           "mean", False),
    Column("codes", "agreement_phase", "At other phase", "share of codes that stay at another phase", "share",
           "mean"),
    Column("codes", "information", "Bits", "what a code tells of which partial sounds, bit", "1", "mean"),
    Column("codes", "perplexity", "Perplexity", "entries that codes spread over as if evenly", "count",
           "mean"),
    Column("codes", "margin", "Margin", "median margin of decisions re the distance of the two entries", "1"),
    Column("codes", "narrow_share", "Narrow", "decisions that rounding may turn", "share", "mean"),
    Column("readout", "mean_auc", "Read in 8", "AUC of readouts of partials in mixtures of 8", "1", "value",
           pick="8", side_by_side=True),
    Column("readout", "mean_auc", "In 32", "the same in mixtures of 32", "1", "value", pick="32"),
    Column("readout", "task_score", "Pitch class", "pitch classes read rightly in unseen timbres", "share",
           "value", pick="pitch class"),
    Column("readout", "task_score", "Chord", "chords read rightly in unseen inversions", "share", "value",
           pick="chord"),
    Column("chord_composition", "sum_error", "No sum", "power of a chord less its notes re the chord's", "1"),
    Column("chord_composition", "wrong_sum_error", "Wrong notes", "the same with another chord's notes", "1",
           "median", False),
    Column("chord_composition", "transfer_error", "Step missed",
           "squared error of the step to minor foretold from other roots, re the step's power", "1"),
    Column("chord_composition", "position_auc", "Inversions",
           "AUC of a chord being more like its inversions than like others", "1", "mean", side_by_side=True),
    Column("waveform_shape", "preference", "Waveform", "keeps together the waveform (1) or the spectrum (-1)",
           "1", "mean", side_by_side=True),
    Column("waveform_shape", "crossover", "Equal at", "detuning that changes as much as other phases", "Hz",
           "value"),
    Column("interventions", "specific_db", "Specific",
           "by how much more a partial falls than its neighbours when its plane is removed", "level",
           pick="own plane, heard in company"),
    Column("interventions", "specific_db", "Heard alone", "the same with its plane heard alone", "level",
           pick="own plane, heard alone"),
    Column("interventions", "specific_db", "Random plane", "the same with random planes of equal energy",
           "level", "median", False, pick="random plane of equal energy"),
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


def stages_of(heard: Heard, groups: Sequence[str]) -> list[str]:
    """Return the stages that any of some probes heard, from shallow to deep."""
    probes = [heard.probe(name) for name in groups]
    return merged([[str(s) for s in probe["stage"].values] for probe in probes if probe is not None])


def merged(orders: Sequence[Sequence[str]]) -> list[str]:
    """Merge several orders of names: what one leaves out stands where the others have it.

    Examples
    --------
    >>> merged([["first_layer", "quantized"], ["first_layer", "quantized_1", "quantized", "codes"]])
    ['first_layer', 'quantized_1', 'quantized', 'codes']
    """
    found: list[str] = []
    for names in orders:
        place = 0
        for name in names:
            if name in found:
                place = found.index(name) + 1
            else:
                found.insert(place, name)
                place += 1
    return found


def value_of(column: Column, probe: xr.Dataset | None, stage: str) -> float:
    """Read a column's number off a probe at a stage; NaN where there is none."""
    if probe is None or column.variable not in probe or stage not in probe["stage"].values:
        return np.nan
    one = at_stage(probe, stage)
    values = np.asarray(picked(one[column.variable], column.pick).values, dtype=float)
    has_power = stage_kind(str(one["kind"].values)).has_power or column.probe in ("codes", "waveform_shape")
    if not has_power and column.variable != "change_probability":
        return np.nan  # codes have no power: no tuning curve, no ledger
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


def picked(values: xr.DataArray, label: str) -> xr.DataArray:
    """Select a component, spacing, task, removal, density or what stands for a kind; all without a label."""
    if not label:
        return values
    if "condition" in values.dims:
        return of_kind(values.to_dataset(name="values"), label)["values"]
    if "density" in values.dims:
        return values.sel(density=float(label), method="nearest")
    return values.sel(
        {next(d for d in ("component", "spacing", "task", "removal") if d in values.dims): label}
    )


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
        return f"{value:.3g}"
    if unit == "share":
        return f"{100 * value:.0f} %"
    if unit == "Hz":
        return hertz(value)
    if unit == "dB":
        return f"{value:.1g} dB"
    if unit == "level":
        return f"{value:z.1f} dB"
    if unit == "gain":
        return f"{value:.2g}"
    return f"{value:z.2f}"


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


def summary(encoders: Sequence[Heard], controls: Sequence[Heard], groups: Sequence[str]) -> Table:
    """Tabulate what some probes found: encoders, random baselines below each stage, then controls."""
    columns = [c for c in COLUMNS if c.probe in groups]
    rows = []
    for heard in encoders:
        probes = {name: (heard.probe(name), heard.random(name)) for name in groups}
        for stage in stages_of(heard, groups):
            own, chance = [], []
            for column in columns:
                probe, seeds = probes[column.probe]
                value = value_of(column, probe, stage)
                among = [value_of(column, seed, stage) for seed in seeds]
                alike = written(value, column.unit) in {written(v, column.unit) for v in among}
                mark = placed(value, among) if column.compared and not alike else ""
                note = f"{mark} the range of {len(among)} random seeds" if mark else ""
                own.append(Cell(written(value, column.unit), mark, note))
                chance.append(Cell(interval(among, column.unit)))
            if all(cell.text == "–" for cell in own):
                continue
            rows.append(Row(heard.name, stage, "encoder", tuple(own)))
            if heard.baselines:
                count = len(heard.baselines)
                label = f"random, {count} seed" + "s" * (count > 1)
                rows.append(Row(label, stage, "baseline", tuple(chance)))
    for heard in controls:
        for stage in stages_of(heard, groups):
            cells = [Cell(written(value_of(c, heard.probe(c.probe), stage), c.unit)) for c in columns]
            if any(cell.text != "–" for cell in cells):
                rows.append(Row(heard.name, stage, "control", tuple(cells)))
    kept = [i for i in range(len(columns)) if any(row.cells[i].text != "–" for row in rows)]
    thinned = (Row(r.subject, r.stage, r.role, tuple(r.cells[i] for i in kept)) for r in rows)
    return Table(tuple(columns[i] for i in kept), tuple(thinned))


def side_by_side(encoders: Sequence[Heard]) -> xr.Dataset:
    """Return the numbers by which encoders are compared.

    Returns
    -------
    numbers : xarray.Dataset
        `value`, [encoder, stage, measure], with `low` and `high` where a probe gives an interval, and
        `random_low`, `random_high` of the random seeds; NaN where there is none. Of measures and stages those
        are kept at which somebody has a value.
    """
    columns = [c for c in COLUMNS if c.side_by_side]
    groups = list(dict.fromkeys(c.probe for c in columns))
    stages = merged([stages_of(h, groups) for h in encoders])
    found = np.full((5, len(encoders), len(stages), len(columns)), np.nan)
    for i, heard in enumerate(encoders):
        for k, column in enumerate(columns):
            probe, seeds = heard.probe(column.probe), heard.random(column.probe)
            ends = [replace(column, variable=f"{column.variable}_{end}") for end in ("low", "high")]
            for j, stage in enumerate(stages):
                among = [value_of(column, seed, stage) for seed in seeds]
                among = [v for v in among if np.isfinite(v)] or [np.nan]
                own = [value_of(c, probe, stage) for c in (column, *ends)]
                found[:, i, j, k] = [*own, min(among), max(among)]
    names = ("value", "low", "high", "random_low", "random_high")
    there = np.isfinite(found[0])
    return xr.Dataset(
        {name: (("encoder", "stage", "measure"), block) for name, block in zip(names, found, strict=True)},
        {
            "encoder": [h.name for h in encoders],
            "stage": stages,
            "measure": [c.heading for c in columns],
            "explanation": ("measure", [c.explanation for c in columns]),
        },
    ).isel(measure=there.any((0, 1)), stage=there.any((0, 2)))
