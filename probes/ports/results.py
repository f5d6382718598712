"""What a check of two encoders found, as a labelled tree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import xarray as xr

from ..engine.schema import dataset
from .differences import Difference
from .explanations import LONGEST_S
from .findings import Finding
from .playing import Pair
from .tokens import Flips
from .transfer import Alignment, Transfer
from .variables import VARIABLES

SIDES = ("first", "second")
Shape = Mapping[str, tuple[int, int]]  # hop, channels and frames of both


@dataclass(frozen=True)
class Found:
    """All that was found out about two encoders, by stage."""

    shapes: Mapping[str, Shape]
    stages: Mapping[str, Difference]
    uneven: Mapping[str, Difference]
    uneven_samples: int
    flips: Flips | None
    rest_db: Mapping[str, float]
    decode: Difference | None
    round_trips: tuple[Transfer | None, Transfer | None]
    findings: Sequence[Finding]


def as_tree(pair: Pair, found: Found, tolerance_db: float, left_out: Sequence[str]) -> xr.DataTree:
    """Return what was found; see `equivalence`."""
    groups = {"stages": _stages(pair, found), "findings": _findings(found.findings)}
    if found.flips is not None:
        about = {"frames": found.flips.frames, "worst": found.flips.worst}
        groups["codes"] = dataset(
            VARIABLES["codes"],
            {"near": found.flips.near, "beyond": found.flips.beyond},
            {**about, "margins": "known" if found.flips.has_margins else "unknown"},
        )
    if any(trip is not None for trip in found.round_trips):
        groups["round_trip"] = _round_trips(found.round_trips)
    attributes = {
        "agrees": "no" if found.findings else "yes",
        "tolerance_db": tolerance_db,
        "sample_rate": pair.sample_rate,
        "n_samples": pair.n_samples,
        "batch": pair.batch,
        "left_out": "\n".join(left_out),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **{side: one.name for side, one in zip(SIDES, (pair.first, pair.second), strict=True)},
        **{
            f"{side}_{what}": getattr(one.weights, what)
            for side, one in zip(SIDES, (pair.first, pair.second), strict=True)
            for what in ("source", "sha256", "note")
        },
    }
    tree = xr.DataTree.from_dict({f"/{name}": group for name, group in groups.items()})
    tree.attrs = attributes
    return tree


def _stages(pair: Pair, found: Found) -> xr.Dataset:
    names = [*pair.stages, *(["decode"] if found.decode else [])]
    several = {**found.stages, **({"decode": found.decode} if found.decode else {})}
    sounds = [str(name) for name in pair.sounds.coordinates["sound"]]
    tones = pair.sounds.columns["frequency_hz"][pair.sounds.first[: _tones(sounds)]]
    nothing = np.full(len(sounds) + 1, np.nan)
    aligned = [_alignment(several.get(stage), pair.sample_rate) for stage in names]
    about = [found.shapes.get(stage) for stage in names]
    frames = found.decode.frames if found.decode else (0, 0)
    shapes = [one or {"hop": (1, 1), "channels": (1, 1), "frames": frames} for one in about]

    def along(value: str) -> np.ndarray:  # [2, stages]
        return np.array([shape[value] for shape in shapes]).T

    def of_sounds(stage: str, what: str) -> np.ndarray:  # [S + 1]
        one, two = several.get(stage), found.uneven.get(stage)
        if one is None:
            return nothing
        return np.append(getattr(one, what), getattr(two, what) if two is not None else np.nan)

    integer = [s in pair.first.stages and pair.first.stages[s].is_integer for s in names]
    difference_db = np.array([of_sounds(stage, "db") for stage in names])
    difference_db[np.array(integer)] = np.nan
    transfers = [None if (one := several.get(stage)) is None else one.transfer for stage in names]
    gains = [np.full(len(tones), np.nan) if t is None else t.gain_db for t in transfers]
    levels = [np.full(len(tones), np.nan) if t is None else _levels(t) for t in transfers]
    return dataset(
        VARIABLES["stages"],
        {
            "stage": np.array(names),
            "sound": np.array([*sounds, f"noise, {found.uneven_samples:,} samples"]),
            "tone_hz": tones,
            "side": np.array(SIDES),
            "second_stage": np.array([pair.stages.get(stage, stage) for stage in names]),
            "hop": along("hop"),
            "n_channels": along("channels"),
            "n_frames": along("frames"),
            "difference_db": difference_db,
            "flipped": np.array([of_sounds(stage, "flipped") for stage in names]),
            "delay": np.array([one.delay for one in aligned]),
            "polarity": np.array([one.polarity for one in aligned]),
            "phase_left_deg": np.array([one.phase_left_deg for one in aligned]),
            "gain_db": np.array(gains),
            "level_db": np.array(levels),
            "rest_db": np.array([found.rest_db.get(stage, np.nan) for stage in names]),
        },
    )


def _tones(sounds: Sequence[str]) -> int:
    return sum(name.startswith("tone ") for name in sounds)


def _alignment(one: Difference | None, sample_rate: int) -> Alignment:
    if one is None or one.transfer is None:
        return Alignment(np.nan, 1, np.nan, np.nan)
    return one.transfer.alignment(LONGEST_S * sample_rate)


def _levels(found: Transfer) -> np.ndarray:
    strongest = max(found.power.max(), 1e-300)
    return 10 * np.log10(np.maximum(found.power, 1e-30 * strongest) / strongest)


def _round_trips(trips: Sequence[Transfer | None]) -> xr.Dataset:
    there = [(side, trip) for side, trip in zip(SIDES, trips, strict=True) if trip is not None]
    aligned = [trip.alignment(LONGEST_S * trip.sample_rate) for _, trip in there]
    return dataset(
        VARIABLES["round_trip"],
        {
            "side": np.array([side for side, _ in there]),
            "tone_hz": there[0][1].frequency_hz,
            "gain_db": np.array([trip.gain_db for _, trip in there]),
            "delay": np.array([one.delay for one in aligned]),
            "polarity": np.array([one.polarity for one in aligned]),
            "phase_left_deg": np.array([one.phase_left_deg for one in aligned]),
        },
    )


def _findings(findings: Sequence[Finding]) -> xr.Dataset:
    return dataset(
        VARIABLES["findings"],
        {
            "finding": np.arange(1, len(findings) + 1),
            "kind": np.array([one.kind for one in findings], dtype=str),
            "at_stage": np.array([one.stage for one in findings], dtype=str),
            "on_sound": np.array([one.sound for one in findings], dtype=str),
            "size_db": np.array([one.db for one in findings], dtype=float),
            "left_db": np.array([one.left_db for one in findings], dtype=float),
            "details": np.array([json.dumps(dict(one.values)) for one in findings], dtype=str),
        },
    )
