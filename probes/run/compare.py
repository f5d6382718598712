"""Compare: what changed between two subjects of one architecture, measure by measure."""

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

SAME_ARCHITECTURE = ("n_channels", "hop", "kind")
CONDITION = ("component_kind", "density", "component_level_dbfs")
ROUNDING = 1e-6  # re the largest value there is: activations are of float32
SAME = 1e-9  # re frequencies that are meant to be the same


def compare(
    first: xr.DataTree, second: xr.DataTree, first_node: str = "", second_node: str = ""
) -> xr.Dataset:
    """Compare two subjects of one architecture: before and after training, random and trained.

    Parameters
    ----------
    first, second : xarray.DataTree
        Runs; or twice the same one, with two of its subjects named.
    first_node, second_node : str
        Subject of each run; by default its only encoder.

    Returns
    -------
    compared : xarray.Dataset
        See `hypotheses.variables`, "compare": every measure that both runs hold, at every stage
        and whatever else it is taken at, as the mean of paired differences (second less first) over its
        units, with the interval and p of t, skewness-corrected (`PerUnit`). `flagged` are those whose
        interval excludes 0, and not by rounding. Of measures that nothing changed, one in twenty is
        flagged all the same.

    Raises
    ------
    InputError
        If a subject is not there, the two differ in architecture or in what was played, or have no measure
        in common.

    Notes
    -----
    Channels are paired by number. That pairs like with like where one network was trained on from the
    other; where they were not, differences of means are the same, and their intervals as wide as those of
    unrelated channels.
    """
    one, node = _subject(first, first_node, "first")
    other, other_node = _subject(second, second_node, "second")
    names = f"{node} and {other_node}"
    kinds = [str(s.attrs["modality"]) for s in (one, other)]
    rates = [int(s.attrs.get("sample_rate", 0)) for s in (one, other)]
    if kinds[0] != kinds[1]:
        raise InputError(f"compare: {names} are of different architectures: {' and '.join(kinds)}")
    if rates[0] != rates[1]:
        raise InputError(f"compare: {names} are of different architectures: {rates[0]} and {rates[1]} Hz")
    rows: list[dict[str, object]] = []
    for group, compared in measures().items():
        if group in one.children and group in other.children:
            before, after = (s[group].to_dataset() for s in (one, other))
            _check(names, group, compared, before, after)
            rows += _rows(group, compared, before, after)
    if not rows:
        raise InputError(f"compare: {names} have no measure in common")
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return dataset(
        VARIABLES["compare"],
        {"measure": np.arange(len(rows)), **columns},
        {
            "first": node,
            "second": other_node,
            "first_label": _label_of(first, node),
            "second_label": _label_of(second, other_node),
            "encoder": one.attrs["encoder"],
        },
    )


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


def _label_of(run: xr.DataTree, node: str) -> str:
    """Say which subject of which run it is: "ae0 (my_ae, 3fa9c1)"."""
    about = f"{node}, {short_hash(subjects(run)[node])}"
    return f"{run_name(run)} ({about})" if run_name(run) else about.replace(", ", " (") + ")"


def _check(names: str, group: str, compared: Compared, one: xr.Dataset, other: xr.Dataset) -> None:
    """Raise unless two results of a probe are of one architecture and of the same sounds."""
    shared = [s for s in one["stage"].values if s in other["stage"].values]
    if not shared:
        raise InputError(f"compare: {names} are of different architectures: no stage in common")
    for name in SAME_ARCHITECTURE:
        if name in one and name in other:
            for stage in shared:
                a, b = (probe[name].sel(stage=stage).item() for probe in (one, other))
                if a != b:
                    raise InputError(
                        f"compare: {names} are of different architectures: {name} {a} and {b} at {stage}"
                    )
    for name in _grid(compared, one):
        a, b = (probe[name].values if name in probe.variables else np.zeros(0) for probe in (one, other))
        if not _alike(a, b):
            raise InputError(
                f"compare: {names} were measured with other things in {group}: {name} does not match "
                f"({np.size(a)} and {np.size(b)} values)"
            )


def _grid(compared: Compared, probe: xr.Dataset) -> list[str]:
    """Name the coordinates that say what was measured: of the units, and of all that labels a measure."""
    dims = {str(d) for v in compared.variables if v in probe for d in probe[v].dims}
    beside = {
        name
        for name, values in probe.variables.items()
        if values.dims and set(map(str, values.dims)) <= dims - {"stage", "channel"}
    }
    labels = {"frequency", "lower", "upper", "signal_kind", "n_partials", "component_frequency", "sound_kind"}
    labels |= {"removed_frequency", "chord", "component_label", "reference_detuning", *CONDITION}
    return sorted(str(n) for n in beside if n in labels or n in dims)


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "fiu" and b.dtype.kind in "fiu":
        return bool(np.allclose(a, b, rtol=SAME, atol=0, equal_nan=True))
    return bool((a.astype(str) == b.astype(str)).all())


def _rows(group: str, compared: Compared, one: xr.Dataset, other: xr.Dataset) -> Iterator[dict[str, object]]:
    for variable in compared.variables:
        values = [compared.values(probe, variable) for probe in (one, other)]
        if values[0] is None or values[1] is None:
            continue
        rounding = ROUNDING * max(float(np.abs(v).max()) for v in values if v is not None)
        for at, (before, after) in _slices(values[0], values[1], compared.unit, one):
            difference = PerUnit(after - before)
            there = np.isfinite(after - before)
            if not difference.n_units:
                continue
            low, high = difference.interval()
            real = difference.n_units > 1 and abs(difference.effect) > rounding
            yield {
                "probe": group,
                "variable": variable,
                "at_stage": at.pop("stage"),
                "at": ", ".join(at.values()),
                "unit_of": compared.unit,
                "n_units": difference.n_units,
                "first": before[there].mean(),
                "second": after[there].mean(),
                "difference": difference.effect,
                "low": low,
                "high": high,
                "p": two_sided(*widest_tails(difference.methods(), 0.0)),
                "flagged": bool(real and (low > 0 or high < 0)),
            }


def _slices(
    one: xr.DataArray, other: xr.DataArray, unit: str, probe: xr.Dataset
) -> Iterator[tuple[dict[str, str], tuple[np.ndarray, np.ndarray]]]:
    """Yield where a measure is taken, in words, and its values there in both, [units]."""
    dims = [str(d) for d in one.dims if d not in ("stage", unit)]
    for stage in one["stage"].values:
        if stage not in other["stage"].values:
            continue
        for place in product(*(range(one.sizes[d]) for d in dims)):
            index = dict(zip(dims, place, strict=True))
            at = {"stage": str(stage), **{d: _label(probe, d, i) for d, i in index.items()}}
            pair = (v.sel(stage=stage).isel(index).values.astype(float) for v in (one, other))
            before, after = pair
            both = min(len(before), len(after))  # channels are padded to the widest stage of each run
            yield at, (before[:both], after[:both])


def _label(probe: xr.Dataset, dim: str, i: int) -> str:
    """Write where along a dimension a measure is taken."""
    if dim == "condition":
        kind, density, level = (probe[name] for name in CONDITION)
        among = f" among {density.values[i]:g}" if density.dims == (dim,) else ""
        return f"{kind.values[i]}{among} at {level.values[i]:g} dBFS"
    label = probe[dim].values[i] if dim in probe.variables else i
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
