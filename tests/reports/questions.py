"""Results of the four questions, of known content: no encoder runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from tonotopy.probes.composition.access import ORDERS
from tonotopy.probes.composition.drawn_mixtures import TRIED
from tonotopy.probes.composition.draws import GROUPS, SWEPT
from tonotopy.probes.composition.questions import SPACINGS
from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.run.registry import schema

COMPONENTS = 16
MEASURES = {
    "presence": {"proportion": (), "transferable": (), "two_alternative": (4,)},
    "stability": {"containment": (), "confusion": (5,), "plane_index": ()},
    "access": {"auc": (2, 3)},
    "place": {"place": (), "locality": (), "consistency": ()},
}


def question(
    probe: str, values: Mapping[str, float], half: float = 0.02, stages=("latent",), conditions=SWEPT
) -> xr.Dataset:
    """A result whose measures have given values everywhere, or else 0.5, within intervals of +- `half`."""
    shape, profile = (len(stages), len(conditions)), {}
    n = len(stages)
    found = {"stage": np.array(stages), "n_channels": np.full(n, 8), "hop": np.full(n, 320),
             "nyquist_hz": np.full(n, 37.5), "receptive_field": np.full(n, 1000.0),
             "kind": np.full(n, "nonlinear"), "n_codebooks": np.zeros(n, int)}  # fmt: skip
    for name, more in MEASURES[probe].items():
        middle = np.broadcast_to(np.asarray(values.get(name, 0.5), float), (*shape, *more)).copy()
        found |= {name: middle, f"{name}_low": middle - half, f"{name}_high": middle + half,
                  f"{name}_by_group": np.repeat(middle[..., None], GROUPS, -1)}  # fmt: skip
        profile[f"{name}_profile"] = np.repeat(middle[..., None], COMPONENTS, -1)
        for end, by in (("low", -2 * half), ("high", 2 * half)):
            profile[f"{name}_profile_{end}"] = profile[f"{name}_profile"] + by
    if probe == "presence":
        bits = np.full(shape, 2.0)
        found |= {"bits": bits, "bits_low": bits - 0.1, "bits_high": bits + 0.1, "unchanged": np.zeros(shape),
                  "chance": np.full(len(conditions), values.get("chance", 1 / 16)),
                  "spacing_semitones": np.array(SPACINGS[:-1])}  # fmt: skip
    if probe == "stability":
        found["spacing_semitones"] = np.array(SPACINGS)
    if probe == "access":
        null = np.full((*shape, 2, 3), values.get("auc_null", 0.5))
        found |= {"auc_null": null, "order": np.array(ORDERS)}
    frequency = np.broadcast_to(np.geomspace(120, 6000, COMPONENTS), (len(conditions), COMPONENTS))
    density = sorted(TRIED) if probe == "access" else [c.density for c in conditions]
    found |= {
        "condition": np.array([c.label for c in conditions]), "density": np.array(density),
        "component_kind": np.array([c.kind for c in conditions]),
        "component_level_dbfs": np.array([c.level_dbfs for c in conditions]),
        "component": np.arange(COMPONENTS), "component_frequency": frequency, "group": np.arange(GROUPS),
    }  # fmt: skip
    result = dataset(schema()[probe], {**found, **profile})
    return result


def subject(
    answers: Mapping[str, xr.Dataset],
    name: str = "toy",
    role: str = "encoder",
    of: str = "",
    baseline: str = "",
) -> xr.DataTree:
    """A node of a run that holds them."""
    attributes = {
        "encoder": name, "modality": "waveform", "role": role, "of": of, "baseline": baseline,
        "sample_rate": 24_000, "weights_source": "random", "weights_sha256": "0123456789abcdef" * 4,
        "weights_note": "",
    }  # fmt: skip
    children = {probe: xr.DataTree(found) for probe, found in answers.items()}
    return xr.DataTree(xr.Dataset(attrs=attributes), children=children)
