"""Runs of known content for whole pages: no encoder runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from tonotopy.probes.composition.draws import MAIN
from tonotopy.probes.engine.schema import SCHEMA_VERSION
from tonotopy.probes.hypotheses.registry import HYPOTHESES
from tonotopy.reports.verdicts import judged

from . import folding
from . import questions as made_up

QUESTIONS = ("presence", "stability", "access", "place")
MEASURE = {"presence": ("proportion", "transferable"), "stability": ("containment",), "access": ("auc",),
           "place": ("place",)}  # fmt: skip
ALL, NONE = np.ones(made_up.COMPONENTS), np.zeros(made_up.COMPONENTS)
LOW_ONLY = np.where(np.arange(made_up.COMPONENTS) < 9, 1.0, 0.0)
MIXED = np.where(np.arange(made_up.COMPONENTS) % 3, 1.0, 0.0)


def questioned(
    holds: np.ndarray, half: float = 0.05, probes: Sequence[str] = QUESTIONS
) -> dict[str, xr.Dataset]:
    """Answers to the four questions that hold at the given partials (1), or not (0), or half-way (0.5)."""
    found = {}
    for probe in probes:
        chance = {"presence": 1 / 16, "access": 0.5}.get(probe, 0.0)
        result = made_up.question(probe, {"confusion": 0.02}, half, ("first_layer", "latent"), MAIN).copy(
            deep=True
        )
        level = (chance + 0.1 * (1 - chance)) + 0.8 * (1 - chance) * holds
        for name in MEASURE[probe]:
            for end, by in (("", 0.0), ("_low", -half), ("_high", half)):
                profile = result[f"{name}_profile{end}"]
                profile.values[...] = np.clip(level + by, 0, 1)
                result[f"{name}{end}"].values[...] = np.clip(level.mean() + by, 0, 1)
            spread = np.linspace(-half / 4, half / 4, result.sizes["group"])
            result[f"{name}_by_group"].values[...] = np.clip(level.mean() + spread, 0, 1)
        found[probe] = result
    return found


def run_of(
    encoders: Mapping[str, Mapping[str, xr.Dataset]],
    baselines: Mapping[str, Sequence[Mapping[str, xr.Dataset]]] | None = None,
    controls: Mapping[str, Mapping[str, xr.Dataset]] | None = None,
    name: str = "run",
    sha256: str = "0123456789abcdef" * 4,
    refused: str = "",
) -> xr.DataTree:
    """A judged run of encoders, each with the same baselines by kind, and controls."""
    attributes = {
        "schema_version": SCHEMA_VERSION, "created_at": "2026-01-01T00:00:00+00:00", "versions": "{}",
        "device": "cpu", "precision": "float32", "seed": 0, "command": "script.py", "name": name,
    }  # fmt: skip
    children: dict[str, xr.DataTree] = {}
    for i, (encoder, found) in enumerate(encoders.items()):
        node = f"subject{i}"
        children[node] = made_up.subject(found, name=encoder)
        children[node].attrs |= {"refused": refused, "weights_sha256": sha256}
        for kind, several in (baselines or {}).items():
            for k, one in enumerate(several):
                tree = made_up.subject(one, name=encoder, role="baseline", of=node, baseline=kind)
                children[f"{node}.{kind}{k}"] = tree
    for control, found in (controls or {}).items():
        children[control.replace(":", ".")] = made_up.subject(found, name=control, role="control")
    return judged(xr.DataTree(xr.Dataset(attrs=attributes), children=children), HYPOTHESES)


def folded(seed: int = 0) -> dict[str, xr.Dataset]:
    """What the probes of folding found."""
    return folding.whole(seed)
