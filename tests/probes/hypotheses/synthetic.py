"""Runs whose values are written down: what the evidence of claims reads, at chosen means."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from tonotopy.probes.composition.access import ORDERS
from tonotopy.probes.composition.drawn_mixtures import TRIED
from tonotopy.probes.composition.draws import GROUPS, MAIN, SWEPT
from tonotopy.probes.composition.mixtures import Condition
from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.run.registry import schema

COMPONENTS = {"partial": 16, "pitch": 10, "chord": 9}
DENSITIES = sorted(TRIED)
Mean = float | Callable[[Condition], float]


def a_run(groups, role="encoder", of="", node="a", run=None, baseline=""):
    """A run, or one with another subject: group -> variables."""
    run = xr.DataTree() if run is None else run
    about = {
        "encoder": node.replace(".", ":", 1),
        "role": role,
        "of": of,
        "baseline": baseline,
        "sample_rate": 24_000,
        "modality": "waveform",
    }
    run[node] = xr.DataTree(xr.Dataset(attrs=about))
    for group, variables in groups.items():
        run[f"{node}/{group}"] = xr.DataTree(dataset(schema()[group], variables))
    return run


def _conditions(conditions, stages):
    labels = np.full((len(conditions), 16), "", dtype="<U32")
    for row, one in zip(labels, conditions, strict=True):
        row[: COMPONENTS[one.kind]] = [f"{one.kind} {i + 1}" for i in range(COMPONENTS[one.kind])]
    return {
        "stage": np.array(stages),
        "component_kind": np.array([one.kind for one in conditions]),
        "density": np.array([one.density for one in conditions]),
        "component_level_dbfs": np.array([one.level_dbfs for one in conditions]),
        "component_label": labels,
    }


def _spread(shape, spread, seed):
    """Deviations of groups, the last axis, from their mean."""
    noise = spread * np.random.default_rng(seed).normal(size=shape)
    return noise - noise.mean(-1, keepdims=True)


def questions(
    contained: Mean = 0.9,
    transferable: Mean = 0.9,
    proportion: Mean = 0.9,
    place: Mean = 0.5,
    stages=("latent",),
    spread=0.02,
):
    """Presence, stability and place: each mean is a number, or a function of the condition."""
    shape = (len(stages), len(SWEPT), GROUPS)

    def by_group(mean, seed):
        means = [mean(one) if callable(mean) else mean for one in SWEPT]
        return np.array(means)[:, None] + _spread(shape, spread, seed)

    about = _conditions(SWEPT, stages)
    there = {
        "proportion_by_group": by_group(proportion, 0),
        "transferable_by_group": by_group(transferable, 1),
        "chance": np.array([1 / COMPONENTS[one.kind] for one in SWEPT]),
    }
    return {
        "presence": {**about, **there},
        "stability": {**about, "containment_by_group": by_group(contained, 2)},
        "place": {**about, "place_by_group": by_group(place, 3)},
    }


def access(auc: float | Callable[[int], float] = 0.5, linear=None, bands=(0.0,) * 4, spread=0.01, seed=0):
    """Access of both orders, a number or a function of the density; of bands of four partials it is more."""
    means = [auc(d) if callable(auc) else auc for d in DENSITIES]
    orders = [means if linear is None else [linear] * len(means), means]
    of_each = np.array(orders)[:, :, None] + np.repeat(bands, 4)  # [orders, densities, components]
    each = of_each[None, None, ..., None] + _spread(GROUPS, spread, seed)
    each = np.repeat(each, len(MAIN), 1)  # [stages, conditions, orders, densities, components, groups]
    return {
        "access": {
            **_conditions(MAIN, ["latent"]),
            "order": np.array(ORDERS),
            "density": np.array(DENSITIES),
            "auc_by_group": each.mean(4),
            "auc_of_each": each,
        }
    }


def with_controls(run, **changes):
    """Add the controls that claims about components are gated by; `changes` are of the decimator."""
    alike = {"contained": 1.0, "transferable": 1 / 16, "proportion": 1 / 16, "place": 0.0}
    whole = {"contained": 0.97, "transferable": 0.97, "proportion": 0.97, "place": 0.95}
    for node, means, auc in (
        ("filterbank.stft", whole, 0.97),
        ("filterbank.stft_magnitude", whole, 0.97),
        ("control.decimator", {**alike, **changes}, 0.5),
        ("control.texture", alike, 0.5),
    ):
        groups = {**questions(**means, spread=0.0), **access(auc, spread=0.0)}
        a_run(groups, "control", node=node, run=run)
    return run
