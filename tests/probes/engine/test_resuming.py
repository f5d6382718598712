import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from tonotopy.encoders import load, wrap
from tonotopy.probes import probe
from tonotopy.probes.composition.draws import USUAL
from tonotopy.probes.engine import resuming
from tonotopy.probes.engine.resuming import Blocks

QUESTIONS = {
    "probes": ("presence", "stability", "access", "aliasing", "selectivity"),
    "conditions": (USUAL,),
    "stages": ("latent",),
    "baselines": 0,
    "controls": False,
    "refine": False,
    "progress": False,
}
# A process that dies in the middle of a probe, as one whose power is cut: nothing is cleaned up.
KILLED = """
import os, sys
from tonotopy.encoders import load
from tonotopy.probes import probe
from tonotopy.probes.composition.draws import USUAL
from tonotopy.probes.engine import resuming

resuming.SECONDS_KEPT = 0.0
encoder, left = load("filterbank:stft"), int(sys.argv[2])
encoder.name = "bank"
own = encoder.run

def dying(waveforms, stages):
    global left
    left -= 1
    if not left:
        os._exit(9)
    return own(waveforms, stages)

encoder.run = dying
few = {"probes": ("presence", "stability"), "conditions": (USUAL,), "controls": False, "progress": False}
probe(encoder, sys.argv[1], **few)
"""


def counted(encoder):
    """Count what an encoder plays, in samples."""
    own, played = encoder.run, []

    def run(waveforms, stages):
        played.append(waveforms.numel())
        return own(waveforms, stages)

    encoder.run = run
    return played


@pytest.fixture
def at_once(monkeypatch):
    """Keep every tile."""
    monkeypatch.setattr(resuming, "SECONDS_KEPT", 0.0)


@pytest.fixture
def encoder():
    """A small network that sounds are played to for a while, at several tiles a probe."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv1d(1, 6, 64, stride=32), nn.Tanh(), nn.Conv1d(6, 5, 3, stride=2))
    return wrap(net, 16_000, {"first_layer": "0", "latent": "2"}, name="mine")


def test_blocks_come_back_in_order_and_by_key(tmp_path):
    blocks = Blocks(tmp_path, "squares", 3, seconds=0.0)
    made = [{"latent rms": np.arange(i + 1), "rows": np.array(i)} for i in range(4)]
    for block in made:
        blocks.add(block)
    said = []
    back = list(Blocks(tmp_path, "squares", 3, say=said.append))
    assert said == ["resuming inside a probe: 4 blocks of sounds are kept"]
    assert [{name: value.tolist() for name, value in block.items()} for block in back] == [
        {name: value.tolist() for name, value in block.items()} for block in made
    ]
    assert list(Blocks(tmp_path, "squares", 4)) == []
    assert list(Blocks(None, "squares", 3)) == []


def test_a_quick_loop_leaves_nothing_on_disk(tmp_path):
    blocks = Blocks(tmp_path, "quick")
    blocks.add({"rows": np.array(1)})
    blocks.close()
    assert not list(tmp_path.iterdir())


def test_a_half_written_file_is_not_read(tmp_path):
    blocks = Blocks(tmp_path, "half", seconds=0.0)
    blocks.add({"rows": np.array(1)})
    (file,) = tmp_path.rglob("*.npz")
    file.rename(file.with_suffix(".half"))
    assert list(Blocks(tmp_path, "half")) == []


def test_an_interrupted_run_goes_on_inside_a_probe_and_gives_the_same(encoder, tmp_path, at_once):
    whole = counted(encoder)
    expected = xr.open_datatree(probe(encoder, tmp_path / "whole.zarr", **QUESTIONS))
    assert float(expected["mine/selectivity"].to_dataset()["frequency"].max()) < 8_000
    out, own, spent = tmp_path / "run.zarr", encoder.run, []
    calls, samples = len(whole), sum(whole)
    for stop in (calls // 5, calls // 3):
        budget = iter(range(stop))

        def dying(waveforms, stages, budget=budget):
            if next(budget, None) is None:
                raise KeyboardInterrupt
            spent.append(waveforms.numel())
            return own(waveforms, stages)

        encoder.run = dying
        with pytest.raises(KeyboardInterrupt):
            probe(encoder, out, **QUESTIONS)
        assert list(tmp_path.glob("run.zarr.partial/unfinished/*/*.npz"))
    encoder.run = lambda waveforms, stages: spent.append(waveforms.numel()) or own(waveforms, stages)
    probe(encoder, out, **QUESTIONS)
    found = xr.open_datatree(out)
    assert set(found["mine"].children) == set(expected["mine"].children)
    for name, node in expected["mine"].children.items():
        xr.testing.assert_equal(node.to_dataset(), found[f"mine/{name}"].to_dataset())
    # played again are only the sounds that tell where it is steady, and one tile each time
    assert sum(spent) < 1.1 * samples
    assert not list(tmp_path.glob("*.partial"))


def test_a_killed_process_loses_little(tmp_path):
    script = [sys.executable, "-c", KILLED, str(tmp_path / "run.zarr")]
    done = subprocess.run([*script, "12"], capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    assert list((tmp_path / "run.zarr.partial" / "unfinished").rglob("*.npz"))
    bank: Any = load("filterbank:stft")
    bank.name = "bank"
    played = counted(bank)
    few = {"probes": ("presence", "stability"), "conditions": (USUAL,), "controls": False, "progress": False}
    whole = xr.open_datatree(probe(bank, tmp_path / "whole.zarr", **few))
    at_once = len(played)
    found = xr.open_datatree(probe(bank, tmp_path / "run.zarr", **few))
    assert len(played) - at_once == at_once - 11 + 1  # eleven were played; silence is played again
    for name in few["probes"]:
        xr.testing.assert_equal(whole[f"bank/{name}"].to_dataset(), found[f"bank/{name}"].to_dataset())
