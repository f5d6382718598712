"""A run of known content, built through the schema: no encoder runs, so the tests stay fast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import xarray as xr

from tonotopy.probes.engine.schema import SCHEMA_VERSION, dataset, stimuli_dataset
from tonotopy.probes.filters.tuning import rectangular_bandwidth, stacked, tuning_columns
from tonotopy.probes.run.registry import schema
from tonotopy.synth.stimuli import Partial, Stimulus, StimulusSet

from ..reports import folding

RATE = folding.RATE
FREQUENCY_HZ = np.geomspace(60.0, 10_500.0, 400)
F0_HZ = np.geomspace(82.0, 1_000.0, 24)
TIMBRES = np.array(["saw", "square", "sine"])
QUALITIES = np.array(["major", "minor", "diminished"])
STAGES = {  # channels, hop, receptive field, kind
    "first_layer": (12, 3, 3, "convolution"),
    "stack_end": (20, 729, 1093, "nonlinear"),
    "codes": (3, 729, 1093, "codes"),
}


def gaussians(generator: np.random.Generator, channels: int, grid: np.ndarray) -> np.ndarray:
    centre = np.exp(generator.uniform(np.log(grid[2]), np.log(grid[-3]), channels))
    octaves = np.log2(grid / centre[:, None])
    return np.exp(-((octaves / generator.uniform(0.2, 0.8, (channels, 1))) ** 2)) + 1e-3


def stage_variables(stages: dict) -> dict[str, np.ndarray]:
    channels, hops, fields, kinds = (np.array(column) for column in zip(*stages.values(), strict=True))
    return {
        "stage": np.array(list(stages)),
        "channel": np.arange(max(channels)),
        "n_channels": channels,
        "hop": hops,
        "nyquist_hz": RATE / (2 * hops),
        "receptive_field": fields.astype(float),
        "kind": kinds,
        "first_frame": np.zeros(len(stages), int),
        "n_frames": np.full(len(stages), 4),
        "settled": np.full(len(stages), True),
    }


def padded(blocks: Sequence[np.ndarray | None], widest: int, empty: object = np.nan) -> np.ndarray:
    shape = next(b.shape[1:] for b in blocks if b is not None)
    out = np.full((len(blocks), widest, *shape), empty)
    for i, block in enumerate(blocks):
        if block is not None:
            out[i, : len(block)] = block
    return out


def selectivity(seed: int, stages: dict = STAGES) -> xr.Dataset:
    generator = np.random.default_rng(seed)
    widest = max(s[0] for s in stages.values())
    curves = [
        None if kind == "codes" else gaussians(generator, channels, FREQUENCY_HZ)
        for channels, _, _, kind in stages.values()
    ]
    for block in curves:
        if block is not None and len(block) > 2:
            block[1] = 0.0  # a silent channel
    variables: dict[str, np.ndarray] = {"frequency": FREQUENCY_HZ, "level_dbfs": np.array(-20.0)}
    if any(b is not None for b in curves):
        variables["response"] = padded(curves, widest)
        columns = [
            None if b is None else stacked([tuning_columns(FREQUENCY_HZ, c, step_hz=150.0) for c in b])
            for b in curves
        ]
        for name in next(c for c in columns if c is not None):
            flag = name in ("resolved", "open_band")
            blocks = [None if c is None else c[name] for c in columns]
            variables[name] = padded(blocks, widest, False if flag else np.nan)
        variables["nyquist_share"] = variables["bandwidth_3db"] / 3675.0
    fields = np.array([s[2] for s in stages.values()])
    variables["rectangular_bandwidth"] = rectangular_bandwidth(RATE, fields)
    kinds = [s[3] for s in stages.values()]
    if "convolution" in kinds:
        exact = [b if k == "convolution" else None for b, k in zip(curves, kinds, strict=True)]
        variables["closed_form"] = padded(exact, widest)
        variables["closed_form_error"] = np.where(np.array(kinds) == "convolution", 2e-4, np.nan)
    if "codes" in kinds:
        blocks = [
            generator.uniform(size=(s[0], len(FREQUENCY_HZ))) if s[3] == "codes" else None
            for s in stages.values()
        ]
        books = max(s[0] for s in stages.values() if s[3] == "codes")
        variables["change_probability"] = padded(blocks, books)
    return dataset(schema()["selectivity"], {**variables, **stage_variables(stages)})


def tuning(seed: int, probe: str, axes: dict[str, np.ndarray]) -> xr.Dataset:
    generator = np.random.default_rng(seed)
    stages = {name: s for name, s in STAGES.items() if s[3] != "codes"}
    widest = max(s[0] for s in stages.values())
    sizes = tuple(len(levels) for levels in axes.values())
    blocks = [generator.uniform(0.1, 1.0, (s[0], *sizes)) for s in stages.values()]
    first = next(iter(axes))
    variables: dict[str, np.ndarray] = {**axes, "response": padded(blocks, widest)}
    best = [
        np.asarray(axes[first], float)[b.reshape(len(b), sizes[0], -1).mean(-1).argmax(1)] for b in blocks
    ]
    variables[f"best_{first}"] = padded(best, widest)
    for name in axes:
        variables[f"{name}_share"] = padded([generator.uniform(0, 0.5, len(b)) for b in blocks], widest)
    return dataset(schema()[probe], {**variables, **stage_variables(stages)})


def played() -> dict[str, xr.Dataset]:
    tones = [Stimulus((Partial(float(f), 0.1),), coordinates={"kind": "partial"}) for f in FREQUENCY_HZ]
    pitches, chords = [], []
    for f0 in F0_HZ:
        for timbre in TIMBRES:
            partials = tuple(Partial(float(f0) * k, 0.1 / k) for k in range(1, 6))
            pitches.append(Stimulus(partials, coordinates={"kind": "pitch", "f0_hz": f0, "timbre": timbre}))
    for root in (48, 55, 60):
        for quality in QUALITIES:
            partials = tuple(Partial(440.0 * 2 ** ((root + i - 69) / 12), 0.5) for i in (0, 4, 7))
            about = {
                "kind": "chord",
                "root_midi": root,
                "quality": quality,
                "inversion": 0,
                "voicing": "close",
            }
            chords.append(Stimulus(partials, coordinates=about))
    sets = {"partials": tones, "pitches": pitches, "chords": chords}
    return {name: stimuli_dataset(StimulusSet.of(rows)) for name, rows in sets.items()}


def subject(name: str, role: str, probes: dict[str, xr.Dataset], of: str = "") -> xr.DataTree:
    attributes = {
        "encoder": name, "modality": "waveform", "role": role, "of": of, "sample_rate": RATE,
        "weights_source": "random", "weights_sha256": "0123456789abcdef" * 4, "weights_note": "",
    }  # fmt: skip
    return xr.DataTree(
        xr.Dataset(attrs=attributes), children={probe: xr.DataTree(data) for probe, data in probes.items()}
    )


def whole(seed: int) -> dict[str, xr.Dataset]:
    return {
        **folding.whole(seed),
        "selectivity": selectivity(seed),
        "pitch_tuning": tuning(seed, "pitch_tuning", {"f0": F0_HZ, "timbre": TIMBRES}),
        "chord_tuning": tuning(
            seed, "chord_tuning",
            {"root": np.array([48, 55, 60]), "quality": QUALITIES, "position": np.array(["close"])},
        ),
    }  # fmt: skip


@pytest.fixture(scope="session")
def run() -> xr.DataTree:
    attributes = {
        "schema_version": SCHEMA_VERSION, "created_at": "2026-01-01T00:00:00+00:00",
        "versions": '{"numpy": "2"}',
        "name": "run", "device": "cpu", "precision": "float32", "seed": 0,
        "command": "probe(<script>alert(1)</script>)",
    }  # fmt: skip
    flat = {"first_layer": (1, 320, 1, "convolution")}
    children = {
        "toy": subject("toy", "encoder", whole(0)),
        "toy.random0": subject("toy", "baseline", whole(1), of="toy"),
        "toy.random1": subject("toy", "baseline", whole(2), of="toy"),
        "control.decimator": subject(
            "control:decimator",
            "control",
            {"selectivity": selectivity(3, flat), "aliasing": folding.aliasing(3)},
        ),
        "control.texture": subject(
            "control:texture", "control", {"selectivity": selectivity(4, {"codes": (1, 320, 320, "codes")})}
        ),
        "stimuli": xr.DataTree(children={name: xr.DataTree(data) for name, data in played().items()}),
    }
    return xr.DataTree(xr.Dataset(attrs=attributes), children=children)
