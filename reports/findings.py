"""Findings and reservations: what the numbers of an encoder say, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from ..encoders.kinds import stage_kind
from .figures.drawing import at_stage, of_kind, stages_with
from .figures.folding.collapse import against_chance, verdict
from .numbers import COLUMNS, Column, interval, placed, stages_of, value_of, written
from .runs import Heard

FAINT = 0.01  # share of tones and channels below the floor that is worth a word
ONE_SOUND, NOTHING = 0.9, 0.01  # of collapse
SPELLED = {"erb": "ERB"}
LINEAR_ENOUGH = 0.5  # of a nonlinear response's power in its first harmonic


def findings(heard: Heard, groups: Sequence[str]) -> list[str]:
    """Say what some probes found, stage by stage, next to random weights."""
    stages = stages_of(heard, groups)
    said = [s for stage in stages for s in _sharpness(heard, stage)] if "selectivity" in groups else []
    told_of = {"aliasing": (_folding, _kept), "tiling": (_tiles,), "compositionality": (_composed,)}
    for probe, told in told_of.items():
        if probe in groups:
            each = {stage: [s for tell in told for s in tell(heard, stage)] for stage in stages}
            said += [f"{stage}: {' '.join(sentences)}" for stage, sentences in each.items() if sentences]
    return said


def _column(probe: str, variable: str, pick: str = "") -> Column:
    found = (c for c in COLUMNS if (c.probe, c.variable, c.pick) == (probe, variable, pick))
    return next(c for c in found if c.reduce not in ("live", "min", "max"))


def _told(heard: Heard, column: Column, stage: str) -> str:
    """Write a number and what random networks have of it."""
    value = value_of(column, heard.probe(column.probe), stage)
    among = [value_of(column, seed, stage) for seed in heard.random(column.probe)]
    beside = f" (random {interval(among, column.unit)})" if np.isfinite(among).any() else ""
    return written(value, column.unit) + beside


def _sharpness(heard: Heard, stage: str) -> Iterator[str]:
    sharpness = _column("selectivity", "quality")
    value = value_of(sharpness, heard.probe("selectivity"), stage)
    if np.isfinite(value):
        among = [value_of(sharpness, seed, stage) for seed in heard.random("selectivity")]
        text = f"{stage}: the median channel has Q {value:.2f}"
        if mark := placed(value, among):
            text += (
                f"; {len(among)} random networks give {interval(among, '1')}, so it lies {mark} their range"
            )
        elif among:
            text += f"; a random network gives {interval(among, '1')}"
        yield text + "."
    error = value_of(_column("selectivity", "closed_form_error"), heard.probe("selectivity"), stage)
    if np.isfinite(error):
        yield f"{stage}: measured and closed-form tuning differ by {error:.1g} dB (median)."


def _folding(heard: Heard, stage: str) -> Iterator[str]:
    probe = heard.probe("aliasing")
    if probe is None or stage not in stages_with(probe, "bank_share"):
        return
    at_fold, shift = (_column("aliasing", "bank_share", pick) for pick in ("fold", "mean_shift"))
    yield (
        f"{_told(heard, at_fold, stage)} of a tone's output power lies where folding must put it, "
        f"{_told(heard, shift, stage)} is a mean shift."
    )
    one = at_stage(probe, stage)
    if np.isfinite(float(one["collapse"])):
        yield f"Collapse is {verdict(one)}: {_meaning(one)}."


def _meaning(one: xr.Dataset) -> str:
    low, high = float(one["collapse_low"]), float(one["collapse_high"])
    if low > ONE_SOUND:
        return "tones of one fold are one sound"
    if low <= 0 or high < NOTHING:
        return "sharing a fold makes no difference"
    side = against_chance(one)
    if side < 0:
        return "tones of one fold are told apart, by other channels or by power that is not at the fold"
    compared = "worse than" if side > 0 else "as well as"
    return f"by their power over channels tones of one fold are told apart {compared} any others"


def _kept(heard: Heard, stage: str) -> Iterator[str]:
    gain = _column("invertibility", "smallest_singular_value")
    bank = heard.probe("invertibility")
    value = value_of(gain, bank, stage)
    if bank is not None and np.isfinite(value):
        rank = _told(heard, _column("invertibility", "rank_share"), stage)
        can = f"can be undone (smallest gain {value:.2g})" if value > 0 else "cannot be undone"
        one, what = at_stage(bank, stage), "As a linear bank"
        if str(one["method"].values) == "jacobian":
            what += f", its Jacobian at silence, which errs by {float(one['linearisation_error']):.2g},"
        yield f"{what} it {can}; {rank} of its singular values are above zero."
    fit = _column("representability", "correlation")
    probe = heard.probe("representability")
    if probe is not None and np.isfinite(value_of(fit, probe, stage)):
        one = at_stage(probe, stage)
        low, high, p = (float(one[f"correlation_{n}"]) for n in ("low", "high", "p"))
        yield (
            "What the strides predict of a signal's partials correlates with what a readout recovers by "
            f"{_told(heard, fit, stage)}, interval {low:z.2f} to {high:z.2f}, p {p:.3f}."
        )


def _tiles(heard: Heard, stage: str) -> Iterator[str]:
    probe = heard.probe("tiling")
    if probe is None or stage not in stages_with(probe, "coverage"):
        return
    alike, filled, even = (
        _column("tiling", name) for name in ("mean_coherence", "effective_rank_share", "evenly_covered_share")
    )
    if np.isfinite(value_of(alike, probe, stage)):
        yield (
            f"Two channels are alike by {_told(heard, alike, stage)} on average (1: the same); their "
            f"responses fill {_told(heard, filled, stage)} of the dimensions they could."
        )
    yield f"{_told(heard, even, stage)} of the frequency range lie within 3 dB of the mean response."
    distance = at_stage(probe, stage)["spacing_distance"]
    if distance.notnull().any() and int(at_stage(probe, stage)["n_live"]) > 1:
        nearest = str(distance["spacing"].values[int(distance.argmin("spacing"))])
        off = _told(heard, _column("tiling", "spacing_distance", nearest), stage)
        yield f"Best frequencies come nearest to even {SPELLED.get(nearest, nearest)} spacing, {off} off."


def _composed(heard: Heard, stage: str) -> Iterator[str]:
    probe = heard.probe("compositionality")
    if probe is None or stage not in probe["stage"].values:
        return
    one = of_kind(probe.sel(stage=stage))
    index, area, additive = (
        _column("compositionality", name, "partial") for name in ("index", "auc", "additivity_error")
    )
    yield (
        f"a partial among {int(one['density'])} others has the index {_told(heard, index, stage)}, 95 % "
        f"interval {float(one['index_low']):z.2f} to {float(one['index_high']):z.2f}, AUC "
        f"{_told(heard, area, stage)}; {_told(heard, additive, stage)} of the power is interaction."
    )
    whole = probe.sel(stage=stage)
    crowd = np.flatnonzero(
        (whole["component_kind"].values == "partial")
        & (whole["component_level_dbfs"].values == float(one["component_level_dbfs"]))
    )
    if len(crowd) > 1:
        by_density = whole.isel(condition=crowd).sortby("density")
        ends = [
            f"{float(by_density['index'][i]):z.2f} among {int(by_density['density'][i])}" for i in (0, -1)
        ]
        yield f"It goes from {' to '.join(ends)}."


def cautions(heard: Heard) -> list[str]:
    """Say what the numbers of an encoder do not show."""
    said = []
    for name, told in (
        ("selectivity", _selectivity_cautions),
        ("aliasing", _aliasing_cautions),
        ("invertibility", _invertibility_cautions),
        ("representability", _representability_cautions),
        ("tiling", _tiling_cautions),
        ("compositionality", _compositionality_cautions),
    ):
        probe = heard.probe(name)
        if probe is None:
            continue
        for stage in probe["stage"].values:
            one = at_stage(probe, stage)
            if "settled" in one and not bool(one["settled"].values):
                said.append(f"{stage} reached no steady state: its numbers are of the last frames heard.")
            said += [f"{stage}: {text}." for text in told(one)]
    return list(dict.fromkeys(said))  # several probes may have the same to say


def _selectivity_cautions(one: xr.Dataset) -> Iterator[str]:
    if "resolved" not in one or not stage_kind(str(one["kind"].values)).has_power:
        return
    live = np.isfinite(one["best_frequency"].values)
    unresolved = int((live & ~one["resolved"].values.astype(bool)).sum())
    if unresolved:
        yield (
            f"the grid is too coarse for the bandwidth of {unresolved} of {live.sum()} channels; "
            "they are left out of Q and bandwidth"
        )
    several = int((one["n_pass_bands"].values > 1).sum())
    if several:
        yield (
            f"{several} of {live.sum()} channels have more than one pass-band within 3 dB of their peak; "
            "Q and bandwidth describe the highest of them only"
        )
    bounds = int((live & one["open_band"].values.astype(bool)).sum())
    if bounds:
        yield (
            f"the pass-band of {bounds} of {live.sum()} channels runs to the edge of the grid; "
            "their bandwidth is a lower bound, their Q an upper one"
        )


def _aliasing_cautions(one: xr.Dataset) -> Iterator[str]:
    if "bank_share" not in one or not one["bank_share"].notnull().any():
        return
    cells = one.sizes["channel"] * one.sizes["frequency"]
    faint = int(one["n_below_floor"])
    if faint >= FAINT * cells:
        yield (
            f"{faint} of {cells} responses of a channel to a tone lie below the floor and have no ledger of "
            "their own"
        )
    coincident = int(one["coincident"].values.astype(bool).any(-1).sum())
    if coincident:
        yield (
            f"for {coincident} of {one.sizes['frequency']} tones two predicted frequencies are one; the "
            "power there is counted for the lower harmonic"
        )
    if not np.isfinite(float(one["collapse"])):
        yield f"{int(np.nan_to_num(float(one['n_sharing'])))} pairs share a fold, too few for collapse"


def _invertibility_cautions(one: xr.Dataset) -> Iterator[str]:
    remark = str(one["remark"].values)
    if remark and stage_kind(str(one["kind"].values)).has_power:
        found = "no singular values"
        if str(one["method"].values) == "jacobian":
            found = "singular values are of the linearisation"
        yield f"{found} ({remark})"


def _representability_cautions(one: xr.Dataset) -> Iterator[str]:
    if remark := str(one["remark"].values):
        yield f"no correlation of predicted and recovered partials ({remark})"
    if "recovered" in one and (unread := int((one["n_partials"] == 0).sum())):
        yield (
            f"{unread} of {one.sizes['signal']} signals have no partials and no values: recordings that are "
            "silent, or too short for what the encoder has to hear"
        )


def _tiling_cautions(one: xr.Dataset) -> Iterator[str]:
    linear = one["linear_share"].values
    if np.isfinite(linear).any() and (median := float(np.nanmedian(linear))) < LINEAR_ENOUGH:
        yield (
            f"the median channel has {100 * median:.1f} % of its response's power in the first harmonic; "
            "at such a stage tiling compares what channels answer to, not filters"
        )


def _compositionality_cautions(one: xr.Dataset) -> Iterator[str]:
    shown = of_kind(one)
    unheard = float(shown["unheard"])
    if unheard >= FAINT:
        yield (
            f"{100 * unheard:.0f} % of partials among {int(shown['density'])} others leave the frame "
            "unchanged; they count as unstable"
        )
