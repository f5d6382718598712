"""What a result holds, written down once: dims, units and names of every variable, and the check.

A run is one `xarray.DataTree`: the root carries provenance, each child is a subject (an encoder, a
random baseline of it, or a control), each child of a subject is a probe. `stimuli` is a child of the
root as well and holds what was played.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..encoders.base import Encoder
from ..synth.errors import InputError
from ..synth.stimuli import COLUMNS, StimulusSet
from .respond import Plan

SCHEMA_VERSION = "1"
ROLES = ("encoder", "baseline", "control")
ROOT_ATTRIBUTES = ("schema_version", "created_at", "versions", "device", "precision", "seed", "command")
SUBJECT_ATTRIBUTES = (
    "encoder",
    "role",
    "of",
    "sample_rate",
    "weights_source",
    "weights_sha256",
    "weights_note",
)


@dataclass(frozen=True)
class Variable:
    """Dims, units ("1" where there is none) and name of a variable."""

    dims: tuple[str, ...]
    units: str
    long_name: str


_UNITS = {"hz": "Hz", "s": "s", "rad": "rad", "dbfs": "dB re full-scale sine", "midi": "MIDI note"}
_SC = ("stage", "channel")
_STAGE = {
    "stage": Variable(("stage",), "1", "stage"),
    "channel": Variable(("channel",), "1", "channel"),
    "n_channels": Variable(("stage",), "1", "channels at the stage; beyond them `channel` is padding"),
    "hop": Variable(("stage",), "samples", "samples per frame"),
    "nyquist_hz": Variable(("stage",), "Hz", "half the stage's frame rate"),
    "receptive_field": Variable(("stage",), "samples", "samples a frame depends on; NaN when unbounded"),
    "kind": Variable(("stage",), "1", "kind of stage"),
    "first_frame": Variable(("stage",), "frames", "frames dropped before the steady state"),
    "n_frames": Variable(("stage",), "frames", "steady frames heard"),
    "settled": Variable(("stage",), "1", "whether a steady state was reached"),
    "level_dbfs": Variable(("level",), "dB re full-scale sine", "level of the stimulus"),
}
SCHEMA: Mapping[str, Mapping[str, Variable]] = {
    "selectivity": {
        **_STAGE,
        "frequency": Variable(("frequency",), "Hz", "frequency of the partial"),
        "response": Variable((*_SC, "frequency"), "1", "RMS deviation from silence re RMS of the tone"),
        "change_probability": Variable((*_SC, "frequency"), "1", "share of codes that differ from silence's"),
        "closed_form": Variable((*_SC, "frequency"), "1", "response computed from the kernel"),
        "closed_form_error": Variable(
            ("stage",), "dB", "median |measured - closed form| above -40 dB re peak"
        ),
        "best_frequency": Variable(_SC, "Hz", "frequency of the strongest response, interpolated"),
        "peak_response": Variable(_SC, "1", "strongest response"),
        "bandwidth_3db": Variable(_SC, "Hz", "width of the pass-band at -3 dB"),
        "bandwidth_10db": Variable(_SC, "Hz", "width of the pass-band at -10 dB"),
        "quality": Variable(_SC, "1", "best frequency / -3 dB bandwidth (Q)"),
        "equivalent_noise_bandwidth": Variable(_SC, "Hz", "equivalent noise bandwidth over the grid"),
        "noise_bandwidth_floor": Variable(
            _SC, "Hz", "smallest equivalent noise bandwidth of any linear kernel"
        ),
        "side_lobe_level": Variable(_SC, "dB re peak", "highest response outside the main lobe"),
        "n_pass_bands": Variable(_SC, "1", "separate bands within 3 dB of the peak"),
        "nyquist_share": Variable(_SC, "1", "-3 dB bandwidth / the stage's Nyquist frequency"),
        "rectangular_bandwidth": Variable(
            ("stage",), "Hz", "-3 dB bandwidth of a rectangular kernel, 0.886 fs/L"
        ),
        "resolved": Variable(_SC, "1", "whether the grid is fine enough for the bandwidth columns"),
        "open_band": Variable(_SC, "1", "whether the -3 dB band runs to the edge of the grid (lower bound)"),
    },
    "pitch_tuning": {
        **_STAGE,
        "f0": Variable(("f0",), "Hz", "fundamental frequency"),
        "timbre": Variable(("timbre",), "1", "timbre"),
        "response": Variable((*_SC, "f0", "timbre"), "1", "RMS deviation from silence re RMS of the note"),
        "change_probability": Variable(
            (*_SC, "f0", "timbre"), "1", "share of codes that differ from silence's"
        ),
        "best_f0": Variable(_SC, "Hz", "fundamental of the strongest response, mean over timbres"),
        "f0_share": Variable(_SC, "1", "share of the response's variance that f0 explains"),
        "timbre_share": Variable(_SC, "1", "share of the response's variance that timbre explains"),
    },
    "chord_tuning": {
        **_STAGE,
        "root": Variable(("root",), "MIDI note", "root of the chord"),
        "quality": Variable(("quality",), "1", "quality of the chord"),
        "position": Variable(("position",), "1", "inversion and voicing"),
        "response": Variable(
            (*_SC, "root", "quality", "position"), "1", "RMS deviation from silence re RMS of the chord"
        ),
        "change_probability": Variable(
            (*_SC, "root", "quality", "position"), "1", "share of codes that differ from silence's"
        ),
        "best_root": Variable(_SC, "MIDI note", "root of the strongest response, mean over the rest"),
        "root_share": Variable(_SC, "1", "share of the response's variance that the root explains"),
        "quality_share": Variable(_SC, "1", "share of the response's variance that the quality explains"),
        "position_share": Variable(_SC, "1", "share that inversion and voicing explain"),
    },
}


def dataset(
    probe: str, variables: Mapping[str, object], attributes: Mapping[str, object] | None = None
) -> xr.Dataset:
    """Build a probe's dataset from plain arrays; dims, units and names come from the schema."""
    known = SCHEMA[probe]
    filled = {}
    for name, values in variables.items():
        spec = known[name]
        dims = spec.dims if np.ndim(values) == len(spec.dims) else (*spec.dims, "level")  # type: ignore[arg-type]
        if name == "level_dbfs" and np.ndim(values) == 0:  # type: ignore[arg-type]
            dims = ()
        filled[name] = xr.Variable(dims, values, {"units": spec.units, "long_name": spec.long_name})
    coordinates = {"level_dbfs", *_STAGE, *(n for n, v in filled.items() if v.dims == (n,))}
    return xr.Dataset(
        {n: v for n, v in filled.items() if n not in coordinates},
        {n: v for n, v in filled.items() if n in coordinates},
        dict(attributes or {}),
    )


def stage_coordinates(encoder: Encoder, stages: Sequence[str], plan: Plan) -> dict[str, np.ndarray]:
    """Describe the stages heard: the coordinates along `stage`, and `channel` up to the widest."""
    heard = [encoder.stages[s] for s in stages]
    fields = [np.nan if s.receptive_field is None else s.receptive_field for s in heard]
    return {
        "stage": np.array(stages),
        "channel": np.arange(max(s.channels for s in heard)),
        "n_channels": np.array([s.channels for s in heard]),
        "hop": np.array([s.hop for s in heard]),
        "nyquist_hz": np.array([encoder.sample_rate / (2 * s.hop) for s in heard]),
        "receptive_field": np.array(fields, dtype=float),
        "kind": np.array([s.kind for s in heard]),
        "first_frame": np.array([plan.listening[s].first for s in stages]),
        "n_frames": np.array([plan.listening[s].frames for s in stages]),
        "settled": np.array([plan.listening[s].settled for s in stages]),
    }


def stimuli_dataset(stimuli: StimulusSet) -> xr.Dataset:
    """Store a specification; `stimuli_from` gives it back."""
    variables: dict[str, xr.Variable] = {}
    for name in COLUMNS:
        variables[name] = xr.Variable(("partial",), stimuli.columns[name], _told_by(name))
    about = {"units": "1", "long_name": "first partial of each stimulus, and their number"}
    variables["first"] = xr.Variable(("boundary",), stimuli.first, about)
    about = {"units": "1", "long_name": "index of the accompanying context; -1 for silence"}
    variables["context_index"] = xr.Variable(("stimulus",), stimuli.context_index, about)
    for name, values in stimuli.coordinates.items():
        variables[f"coordinate_{name}"] = xr.Variable(("stimulus",), np.asarray(values), _told_by(name))
    contexts = "\n".join(repr(context) for context in stimuli.contexts)
    return xr.Dataset(variables, attrs={"sha256": stimuli.sha256, "contexts": contexts})


def _told_by(name: str) -> dict[str, str]:
    """Read units off the end of a name."""
    return {"units": _UNITS.get(name.rsplit("_", 1)[-1], "1"), "long_name": name.replace("_", " ")}


def stimuli_from(stored: xr.Dataset) -> StimulusSet:
    """Return the specification that `stimuli_dataset` stored (contexts excepted: they are told in words)."""
    return StimulusSet(
        columns={name: stored[name].values for name in COLUMNS},
        first=stored["first"].values,
        coordinates={
            str(name).removeprefix("coordinate_"): values.values
            for name, values in stored.data_vars.items()
            if str(name).startswith("coordinate_")
        },
    )


def subject_attributes(encoder: Encoder, role: str, of: str = "") -> dict[str, Any]:
    """Describe who was heard: attributes of a subject's node."""
    return {
        "encoder": encoder.name,
        "role": role,
        "of": of,
        "sample_rate": encoder.sample_rate,
        "weights_source": encoder.weights.source,
        "weights_sha256": encoder.weights.sha256,
        "weights_note": encoder.weights.note,
    }


def validate(tree: xr.DataTree) -> None:
    """Check a run against the schema.

    Raises
    ------
    InputError
        If it is no run, of another schema version, or a variable lacks what the schema promises.
    """
    for name in ROOT_ATTRIBUTES:
        if name not in tree.attrs:
            raise InputError(f"run: not a tonotopy result (attribute {name!r} is missing)")
    if tree.attrs["schema_version"] != SCHEMA_VERSION:
        raise InputError(
            f"run: schema version {tree.attrs['schema_version']}, this library reads {SCHEMA_VERSION}"
        )
    for subject, node in subjects(tree).items():
        for name in SUBJECT_ATTRIBUTES:
            if name not in node.attrs:
                raise InputError(f"run: {subject} lacks attribute {name!r}")
        for probe, group in node.children.items():
            _validate_probe(f"{subject}/{probe}", SCHEMA.get(probe, {}), group.to_dataset())


def _validate_probe(path: str, known: Mapping[str, Variable], probe: xr.Dataset) -> None:
    for name, variable in probe.variables.items():
        if name not in known:
            raise InputError(f"run: {path} holds {name!r}, which the schema does not know")
        missing = [a for a in ("units", "long_name") if a not in variable.attrs]
        if missing:
            raise InputError(f"run: {path}/{name} lacks {missing[0]!r}")
        if [d for d in variable.dims if d != "level"] != [d for d in known[str(name)].dims if d != "level"]:
            raise InputError(f"run: {path}/{name} has dims {variable.dims}, not {known[str(name)].dims}")


def subjects(tree: xr.DataTree, role: str | None = None) -> dict[str, xr.DataTree]:
    """Return the subjects of a run by node name, of one role if given."""
    return {
        name: node
        for name, node in tree.children.items()
        if name != "stimuli" and (role is None or node.attrs.get("role") == role)
    }
