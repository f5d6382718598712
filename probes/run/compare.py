"""Compare: what differs between two subjects, measure by measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np
import xarray as xr

from ...synth.errors import InputError
from ..engine.probe import Compared
from ..engine.schema import dataset, run_name, short_hash, subjects
from ..hypotheses.deciding import two_sided
from ..hypotheses.evidence import PerUnit
from ..hypotheses.variables import VARIABLES
from ..statistics.means import widest_tails
from .registry import registered

SAME_ARCHITECTURE = ("n_channels", "hop", "kind")  # of a stage, for its channels to be the same ones
ROUNDING = 1e-6  # re the largest value there is: activations are of float32
SAME = 1e-9  # re frequencies that are meant to be the same


class Unpaired(Exception):
    """Raised where two runs have a measure, and nothing to pair its values by; the message says why."""


def compare(
    first: xr.DataTree, second: xr.DataTree, first_node: str = "", second_node: str = ""
) -> xr.Dataset:
    """Compare two subjects: before and after training, random and trained, one architecture and another.

    Parameters
    ----------
    first, second : xarray.DataTree
        Runs; or twice the same one, with two of its subjects named.
    first_node, second_node : str
        Subject of each run; by default its only encoder.

    Returns
    -------
    compared : xarray.Dataset
        See `hypotheses.variables`, "compare": every measure that both runs hold, at every stage of a name
        that both have and whatever else it is taken at, as the mean of paired differences (second less first)
        over its units, with the interval and p of t, skewness-corrected (`PerUnit`). `flagged` are those
        whose interval excludes 0, and not by rounding. Of measures that nothing changed, one in twenty is
        flagged all the same. The attribute `left_out` names, line by line, what could not be paired, and why.

    Raises
    ------
    InputError
        If a subject is not there, one takes waveforms and the other melodies, or they have no measure in
        common.

    Notes
    -----
    Components, tones, signals and chords are paired by what they are, in whatever architecture. Channels are
    paired by number, where a stage has as many in both, at one hop. That pairs like with like where one
    network was trained on from the other; where they were not, differences of means are the same, and their
    intervals as wide as those of unrelated channels.
    """
    one, node = _subject(first, first_node, "first")
    other, other_node = _subject(second, second_node, "second")
    names = f"{node} and {other_node}"
    kinds = [str(s.attrs["modality"]) for s in (one, other)]
    if kinds[0] != kinds[1]:
        raise InputError(f"compare: {names} are of different modalities, {kinds[0]} and {kinds[1]}")
    rows: list[dict[str, object]] = []
    left_out: dict[str, list[str]] = {}  # why -> which measures
    for group, compared in measures().items():
        if group in one.children and group in other.children:
            before, after = (s[group].to_dataset() for s in (one, other))
            for variable in compared.variables:
                try:
                    pair, reasons = _paired(compared, variable, before, after)
                except Unpaired as reason:
                    pair, reasons = None, [str(reason)]
                for reason in reasons:
                    left_out.setdefault(f"{group}: {reason}", []).append(variable)
                rows += [] if pair is None else _rows(group, variable, compared.unit, *pair)
    said = [f"{reason} ({', '.join(variables)})" for reason, variables in left_out.items()]
    if not rows:
        raise InputError(f"compare: {names} have no measure in common" + (f": {said[0]}" if said else ""))
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return dataset(
        VARIABLES["compare"],
        {"measure": _measure_labels(columns), **columns},
        {
            "first": node,
            "second": other_node,
            "first_label": _label_of(first, node),
            "second_label": _label_of(second, other_node),
            "encoder": one.attrs["encoder"],
            "left_out": "\n".join(said),
        },
    )


def _label_of(run: xr.DataTree, node: str) -> str:
    """Say which subject of which run it is: "ae0 (my_ae, 3fa9c1)"."""
    called, weights = run_name(run), short_hash(subjects(run)[node])  # what has no weights has no hash
    about = ", ".join(filter(None, (node if called else "", weights)))
    return f"{called or node} ({about})" if about else node


def _measure_labels(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Label measures by all that tells them apart."""
    each = zip(*(columns[name] for name in ("probe", "variable", "at_stage", "at")), strict=True)
    places = [(f"{group}: {name} at {stage}", at) for group, name, stage, at in each]
    return np.array([", ".join(filter(None, place)) for place in places])


def measures() -> dict[str, Compared]:
    """Return what every probe that there is says two runs are compared by."""
    return {probe.name: probe.compared for probe in registered() if probe.compared is not None}


def _subject(run: xr.DataTree, node: str, which: str) -> tuple[xr.DataTree, str]:
    """Return a subject and its name."""
    known = subjects(run)
    if not node:
        encoders = list(subjects(run, "encoder"))
        if len(encoders) != 1:
            raise InputError(
                f"compare: the {which} run holds {len(encoders)} encoders; name one of {', '.join(known)}"
            )
        node = encoders[0]
    if node not in known:
        raise InputError(f"compare: no subject {node!r} in the {which} run; there are {', '.join(known)}")
    return known[node], node


def _paired(
    compared: Compared, variable: str, before: xr.Dataset, after: xr.Dataset
) -> tuple[tuple[xr.DataArray, xr.DataArray] | None, list[str]]:
    """Return a measure of both, unit by unit at what both were measured at, and why some of it is left out.

    Raises
    ------
    Unpaired
        If nothing of it can be paired.
    """
    one, other = (compared.values(probe, variable) for probe in (before, after))
    if one is None or other is None:
        return None, []
    stages = [str(s) for s in one["stage"].values if s in other["stage"].values]
    if not stages:
        raise Unpaired("no stage in common")
    reasons = []
    if compared.unit == "channel":
        apart = {stage: why for stage in stages if (why := _other_channels(before, after, stage))}
        reasons = [f"{why} at {stage}, its channels cannot be paired" for stage, why in apart.items()]
        stages = [stage for stage in stages if stage not in apart]
        if not stages:
            raise Unpaired("; ".join(reasons))
    one, other = one.sel(stage=stages), other.sel(stage=stages)
    for dim in (str(d) for d in one.dims if d not in ("stage", compared.unit)):
        there = [label for label in one[dim].values if label in other[dim].values]
        if not there:
            raise Unpaired(f"no {dim} in common")
        alone = [label for a in (one, other) for label in a[dim].values if label not in there]
        reasons += [f"{dim} {', '.join(map(str, alone))} in one of them alone"] if alone else []
        one, other = one.sel({dim: there}), other.sel({dim: there})
    for name in map(str, one.coords):
        if name in other.coords and one[name].dims and not {"stage", "channel"} & set(one[name].dims):
            a, b = one[name].values, other[name].values
            if not _alike(a, b):
                raise Unpaired(f"{name} does not match ({np.size(a)} and {np.size(b)} values)")
    return (one, other), reasons


def _other_channels(before: xr.Dataset, after: xr.Dataset, stage: str) -> str:
    """Say in what a stage of two encoders differs, if that keeps its channels from being the same ones."""
    for name in SAME_ARCHITECTURE:
        if name in before and name in after:
            a, b = (probe[name].sel(stage=stage).item() for probe in (before, after))
            if a != b:
                return f"{name} {a} and {b}"
    return ""


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "fiu" and b.dtype.kind in "fiu":
        return bool(np.allclose(a, b, rtol=SAME, atol=0, equal_nan=True))
    return bool((a.astype(str) == b.astype(str)).all())


def _rows(
    group: str, variable: str, unit: str, one: xr.DataArray, other: xr.DataArray
) -> Iterator[dict[str, object]]:
    """Yield the differences of a measure, place by place."""
    rounding = ROUNDING * max(float(np.abs(v).max()) for v in (one, other))
    dims = [str(d) for d in one.dims if d != unit]
    for place in product(*(range(one.sizes[d]) for d in dims)):
        index = dict(zip(dims, place, strict=True))
        before, after = (v.isel(index).values.astype(float) for v in (one, other))
        both = min(len(before), len(after))  # channels are padded to the widest stage of each run
        before, after = before[:both], after[:both]
        difference = PerUnit(after - before)
        there = np.isfinite(after - before)
        if not difference.n_units:
            continue
        low, high = difference.interval()
        real = difference.n_units > 1 and abs(difference.effect) > rounding
        at = {d: _label(one, d, i) for d, i in index.items()}
        yield {
            "probe": group,
            "variable": variable,
            "at_stage": at.pop("stage"),
            "at": ", ".join(at.values()),
            "unit_of": unit,
            "n_units": difference.n_units,
            "first": before[there].mean(),
            "second": after[there].mean(),
            "difference": difference.effect,
            "low": low,
            "high": high,
            "p": two_sided(*widest_tails(difference.methods(), 0.0)),
            "flagged": bool(real and (low > 0 or high < 0)),
        }


def _label(values: xr.DataArray, dim: str, i: int) -> str:
    """Write where along a dimension a measure is taken."""
    label = values[dim].values[i]
    return str(label) if isinstance(label, str) else f"{dim} {label:g}"


def at_a_glance(compared: xr.Dataset) -> Mapping[str, int]:
    """Count measures, flagged ones, and how many would be flagged if nothing had changed.

    Examples
    --------
    >>> flags = xr.Dataset({"flagged": ("measure", [True] + [False] * 39)})
    >>> at_a_glance(flags)
    {'measures': 40, 'flagged': 1, 'by chance': 2}
    """
    n = compared.sizes["measure"]
    return {"measures": n, "flagged": int(compared["flagged"].sum()), "by chance": round(0.05 * n)}
