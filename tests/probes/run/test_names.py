"""What runs, their encoders and probes are called."""

from typing import Any

import pytest
import torch
import xarray as xr
from torch import nn

from tonotopy.encoders import wrap
from tonotopy.probes.engine.schema import subjects
from tonotopy.probes.engine.session import Session
from tonotopy.probes.run import registry
from tonotopy.probes.run.compare import compare
from tonotopy.probes.run.registry import named, registered, usual
from tonotopy.probes.run.runner import probe
from tonotopy.probes.run.suite import Suite
from tonotopy.reports.runs import named_apart
from tonotopy.synth.errors import InputError

FEW: dict[str, Any] = {
    "probes": ("selectivity",), "controls": False, "baselines": 0, "per_octave": 2, "refine": False,
    "high_hz": 5000.0,
}  # fmt: skip


@pytest.fixture
def wrapped():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv1d(1, 6, 16, stride=4), nn.Tanh(), nn.Conv1d(6, 8, 4, stride=2))
    return wrap(net, 16_000, {"first_layer": "0", "latent": "2"}, name="mine")


def test_checkpoints_of_one_name_are_told_apart_by_their_weights(wrapped, tmp_path):
    twin = wrapped.randomised(5)
    few: dict[str, Any] = FEW | {"baselines": 1}
    run = probe([wrapped, twin], tmp_path / "run.zarr", **few)
    tree = xr.open_datatree(run)
    hashes = [one.weights.sha256[:6] for one in (wrapped, twin)]
    nodes = [f"mine.{short}" for short in hashes]
    assert set(subjects(tree, "encoder")) == set(nodes)
    assert {b.attrs["of"] for b in subjects(tree, "baseline").values()} == set(nodes)
    assert {one.name for one in named_apart([tree])} == {f"mine {short}" for short in hashes}
    found = compare(tree, tree, *nodes)
    assert found.attrs["first_label"] == f"run (mine.{hashes[0]}, {hashes[0]})"
    with pytest.raises(InputError, match="'mine': given twice with the same weights"):
        probe([wrapped, wrapped], tmp_path / "other.zarr", **few)


def test_a_run_has_a_name(wrapped, tmp_path):
    runs = [probe([wrapped], tmp_path / "ae0.v2.zarr", **FEW)]
    runs.append(probe([wrapped], tmp_path / "ae1.zarr", name="run3", **FEW))
    trees = [xr.open_datatree(run) for run in runs]
    assert [tree.attrs["name"] for tree in trees] == ["ae0.v2", "run3"]
    assert [one.name for one in named_apart(trees)] == ["ae0.v2", "run3"]
    assert [one.name for one in named_apart(trees[:1])] == ["mine"]
    short = wrapped.weights.sha256[:6]
    assert [one.name for one in named_apart([trees[0]] * 2)] == [f"mine {short}", f"mine {short} (2)"]


def test_what_probes_ask_is_known_without_importing_them():
    for modality in (None, "waveform", "melody"):
        assert registry.questions(modality) == {p.name: p.question for p in usual(modality)}
    by_name = {probe.name: probe.question for probe in registered()}
    assert registry.questions(names=tuple(by_name)) == by_name
    registry.check_known(by_name)


def test_suites_and_sessions_show_what_they_are(wrapped):
    suite = Suite((wrapped, "codec_tiny"), ("tiling",))
    assert repr(suite).startswith("<Suite of mine, codec_tiny; preset: full; probes: tiling(")
    assert "<ResumableEncoder 'mine': 16000 Hz" in repr(Session(wrapped))
    assert repr(named(("tiling",))[0]).startswith("<Probe tiling(")
