"""What every result has in common: attributes, the coordinates of stages, and how arrays become datasets.

A run is one `xarray.DataTree`: the root carries provenance, each child is a subject (an encoder, a
baseline of it, or a control), each child of a subject is a probe. `stimuli` is a child of the
root as well and holds what was played.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ...encoders.musicvae.base import LatentModel
from ...synth.stimuli import COLUMNS, StimulusSet
from .respond import Plan
from .variable import STAGE, Variable

SCHEMA_VERSION = "4"
REDEFINED = {  # groups of earlier schemas that say something else today
    "2": ("hypotheses", "aliasing", "codes", "waveform_shape", "interventions"),
    "3": ("aliasing",),
}
ROLES = ("encoder", "baseline", "control")
ROOT_ATTRIBUTES = ("schema_version", "created_at", "versions", "device", "precision", "seed", "command")
SUBJECT_ATTRIBUTES = ("encoder", "modality", "role", "of", "weights_source", "weights_sha256", "weights_note")
BY_MODALITY = {"waveform": ("sample_rate",), "melody": ("steps", "latent_dimensions")}

LABELS = (  # what tells the items of a dimension apart, beside its own coordinate
    "component_kind", "density", "component_level_dbfs", "component_frequency", "component_label",
    "n_codebooks", "n_partials", "signal_kind", "sound_kind", "sound_group", "removed_frequency",
    "mixture", "lower", "upper",
    "feature_group", "feature_id", "latent_dimension", "first_context", "second_context",
)  # fmt: skip
PADDED = (("channel",), ("codebook",))  # dims of which stages have different numbers
_UNITS = {"hz": "Hz", "s": "s", "rad": "rad", "dbfs": "dB re full-scale sine", "midi": "MIDI note"}


def dataset(
    known: Mapping[str, Variable],
    variables: Mapping[str, object],
    attributes: Mapping[str, object] | None = None,
) -> xr.Dataset:
    """Build a probe's dataset from plain arrays; dims, units and names are those of its known variables.

    What is a coordinate by its name is one: stages and what describes them, dimensions, and `LABELS`.
    Levels and codebooks get their coordinates by themselves.
    """
    filled: dict[str, xr.Variable] = {}
    for name, values in variables.items():
        spec = known[name]
        dims = spec.dims if np.ndim(values) == len(spec.dims) else (*spec.dims, "level")  # type: ignore[arg-type]
        if name == "level_dbfs" and np.ndim(values) == 0:  # type: ignore[arg-type]
            dims = ()
        filled[name] = xr.Variable(dims, values, {"units": spec.units, "long_name": spec.long_name})
    filled |= dict(_by_themselves(known, filled))
    coordinates = {"level_dbfs", *STAGE, *LABELS, *(n for n, v in filled.items() if v.dims == (n,))}
    return xr.Dataset(
        {n: v for n, v in filled.items() if n not in coordinates},
        {n: v for n, v in filled.items() if n in coordinates},
        dict(attributes or {}),
    )


def _by_themselves(
    known: Mapping[str, Variable], filled: Mapping[str, xr.Variable]
) -> Iterator[tuple[str, xr.Variable]]:
    """Yield the coordinates of levels and codebooks, where something lies along them and they are missing."""
    sizes = {str(dim): size for values in filled.values() for dim, size in values.sizes.items()}
    values = {"codebook": np.arange(1, sizes.get("codebook", 0) + 1)}
    if "level" in sizes and "level_dbfs" in filled:
        values["level"] = filled["level_dbfs"].values
    for name in (sizes.keys() & values.keys()) - filled.keys():
        spec = known.get(name, STAGE[name])
        yield name, xr.Variable((name,), values[name], {"units": spec.units, "long_name": spec.long_name})


def numbered(kinds: Iterable[object]) -> np.ndarray:
    """Label things by kind, numbered from 1 within each: what a person selects them by.

    Examples
    --------
    >>> numbered(["pair", "noise", "pair"]).tolist()
    ['pair 1', 'noise 1', 'pair 2']
    """
    seen: Counter[str] = Counter()
    labels = []
    for kind in map(str, kinds):
        seen[kind] += 1
        labels.append(f"{kind} {seen[kind]}")
    return np.array(labels)


def stacked_stages(
    known: Mapping[str, Variable], each: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Stack what single stages say along a first axis, NaN where a stage says nothing.

    Where the schema's second dim is `channel` or `codebook`, narrower stages are padded with NaN. All stages
    pad to the widest array there is, of whatever name.
    """
    first = {name: values for one in each for name, values in one.items()}
    wide = {name: known[name].dims[1] for name in first if known[name].dims[1:2] in PADDED}
    widest = {
        dim: max(len(one[name]) for one in each for name in one if wide.get(name) == dim)
        for dim in wide.values()
    }
    out = {}
    for name, values in first.items():
        shape = (widest[wide[name]], *values.shape[1:]) if name in wide else values.shape
        out[name] = np.full((len(each), *shape), np.nan, np.result_type(values.dtype, np.float32))
        for i, one in enumerate(each):
            if name in one:
                where = (i, slice(len(one[name]))) if name in wide else (i, ...)
                out[name][where] = one[name]
    return out


def stage_coordinates(encoder: Encoder, stages: Sequence[str], plan: Plan) -> dict[str, np.ndarray]:
    """Describe the stages recorded: the coordinates along `stage`, and `channel` up to the widest."""
    stages_there = [encoder.stages[s] for s in stages]
    fields = [np.nan if s.receptive_field is None else s.receptive_field for s in stages_there]
    described = {
        "stage": np.array(stages),
        "channel": np.arange(max(s.channels for s in stages_there)),
        "n_channels": np.array([s.channels for s in stages_there]),
        "hop": np.array([s.hop for s in stages_there]),
        "nyquist_hz": np.array([encoder.sample_rate / (2 * s.hop) for s in stages_there]),
        "receptive_field": np.array(fields, dtype=float),
        "kind": np.array([s.kind for s in stages_there]),
        "first_frame": np.array([plan.listening[s].first for s in stages]),
        "n_frames": np.array([plan.listening[s].frames for s in stages]),
        "settled": np.array([plan.listening[s].settled for s in stages]),
    }
    if plan.noise:  # elsewhere there is none
        floor = np.zeros((len(stages), len(described["channel"])), dtype=np.float32)
        for i, stage in enumerate(stages):
            floor[i, : len(plan.noise.get(stage, ()))] = plan.noise.get(stage, ())
        described["noise_floor"] = floor
    return described


def stimuli_dataset(stimuli: StimulusSet) -> xr.Dataset:
    """Store a specification; `stimuli_from` gives it back."""
    variables: dict[str, xr.Variable] = {}
    for name in COLUMNS:
        variables[name] = xr.Variable(("partial",), stimuli.columns[name], _about(name))
    about = {"units": "1", "long_name": "first partial of each stimulus, and their number"}
    variables["first"] = xr.Variable(("boundary",), stimuli.first, about)
    about = {"units": "1", "long_name": "index of the accompanying context; -1 for silence"}
    variables["context_index"] = xr.Variable(("stimulus",), stimuli.context_index, about)
    for name, values in stimuli.coordinates.items():
        variables[f"coordinate_{name}"] = xr.Variable(("stimulus",), np.asarray(values), _about(name))
    for dim, size in (("partial", len(stimuli.columns["amplitude"])), ("boundary", len(stimuli.first))):
        about = {"units": "1", "long_name": f"number of the {dim}, from 0"}
        variables[dim] = xr.Variable((dim,), np.arange(size), about)
    about = {"units": "1", "long_name": "what the stimulus is called"}
    variables["stimulus"] = xr.Variable(("stimulus",), stimuli.labels, about)
    contexts = "\n".join(repr(context) for context in stimuli.contexts)
    coordinates = {dim: variables.pop(dim) for dim in ("partial", "boundary", "stimulus")}
    return xr.Dataset(variables, coordinates, {"sha256": stimuli.sha256, "contexts": contexts})


def _about(name: str) -> dict[str, str]:
    """Read units off the end of a name."""
    return {"units": _UNITS.get(name.rsplit("_", 1)[-1], "1"), "long_name": name.replace("_", " ")}


def stimuli_from(stored: xr.Dataset) -> StimulusSet:
    """Return the specification that `stimuli_dataset` stored (contexts excepted: they are stored as text)."""
    return StimulusSet(
        columns={name: stored[name].values for name in COLUMNS},
        first=stored["first"].values,
        coordinates={
            str(name).removeprefix("coordinate_"): values.values
            for name, values in stored.data_vars.items()
            if str(name).startswith("coordinate_")
        },
    )


def subject_attributes(
    encoder: Encoder | LatentModel, role: str, of: str = "", baseline: str = ""
) -> dict[str, Any]:
    """Describe who was measured: attributes of a subject's node; `baseline` is the kind of one."""
    return {
        "encoder": encoder.name,
        "modality": encoder.modality,
        "role": role,
        "of": of,
        "baseline": baseline,
        **{name: getattr(encoder, name) for name in BY_MODALITY[encoder.modality]},
        "weights_source": encoder.weights.source,
        "weights_sha256": encoder.weights.sha256,
        "weights_note": encoder.weights.note,
    }


def subjects(tree: xr.DataTree, role: str | None = None) -> dict[str, xr.DataTree]:
    """Return the subjects of a run by node name, of one role if given."""
    return {
        name: node
        for name, node in tree.children.items()
        if name != "stimuli" and (role is None or node.attrs.get("role") == role)
    }


def run_name(tree: xr.DataTree) -> str:
    """Return what a run is called; earlier ones have no name."""
    return str(tree.attrs.get("name", ""))


def short_hash(subject: xr.DataTree) -> str:
    """Return the first six hexadecimal digits of the SHA-256 of a subject's weights."""
    return str(subject.attrs["weights_sha256"])[:6]


def baselines_of(tree: xr.DataTree, encoder: str, kind: str = "random") -> dict[str, xr.DataTree]:
    """Return the baselines of an encoder's architecture by node name, of one kind.

    Parameters
    ----------
    tree : xarray.DataTree
    encoder : str
        Node of the encoder.
    kind : {"random", "matched", "permuted"}
    """
    return {
        name: node
        for name, node in subjects(tree, "baseline").items()
        if node.attrs["of"] == encoder and baseline_kind(node) == kind
    }


def baseline_kind(node: xr.DataTree) -> str:
    """Return the kind of a baseline; those of runs that do not say are random."""
    return node.attrs.get("baseline") or "random"
