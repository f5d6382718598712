"""Which baselines a run measures: those of the kinds that its probes ask, where they can be drawn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from tonotopy.encoders import wrap
from tonotopy.encoders.weights import randomly_initialised
from tonotopy.probes import Probe
from tonotopy.probes.engine.schema import baseline_kind, dataset, subjects
from tonotopy.probes.engine.variable import STAGE, Variable
from tonotopy.probes.hypotheses.hypothesis import baselines
from tonotopy.probes.run.runner import probe
from tonotopy.reports.runs import encoders_of, read_run
from tonotopy.synth.errors import InputError

VARIABLES = {
    "stage": STAGE["stage"],
    "strength": Variable(("stage",), "1", "RMS of what a stage gives of noise"),
}
KINDS = ("random", "matched", "permuted")


def strengths(session):
    stages = list(session.encoder.stages)
    noise = 0.1 * torch.randn(2, 4000, generator=torch.Generator().manual_seed(session.seed))
    found = session.encoder.run(noise, stages)
    levels = np.array([float(found[stage].square().mean().sqrt()) for stage in stages])
    return dataset(VARIABLES, {"stage": np.array(stages), "strength": levels})


STRENGTH = Probe("strength", "How strong is a stage?", VARIABLES, strengths, asks_baselines=KINDS)
PLAIN = replace(STRENGTH, name="plain", asks_baselines=("random",))
ALONE = replace(STRENGTH, name="alone", asks_baselines=())


@pytest.fixture
def wrapped():
    module = randomly_initialised(
        lambda: nn.Sequential(nn.Conv1d(1, 4, 16, stride=4), nn.ReLU(), nn.Conv1d(4, 6, 4)), 5
    )
    with torch.no_grad():
        module[2].weight.mul_(20)  # type: ignore[index, union-attr]
    return wrap(module, 8_000, {"first_layer": "0", "latent": "2"}, name="mine")


def measured(encoder, out, *probes, **options: Any) -> xr.DataTree:
    return read_run(probe([encoder], out, probes=probes, **{"baselines": 2, "controls": False} | options))


def test_every_kind_is_measured_by_the_probes_that_ask_it(wrapped, tmp_path):
    tree = measured(wrapped, tmp_path / "run.zarr", PLAIN, STRENGTH, ALONE)
    names = [f"mine.{kind}{i}" for kind in KINDS for i in range(2)]
    assert set(subjects(tree)) == {"mine", *names}
    for name in names:
        node = tree[name]
        asked = {"plain", "strength"} if ".random" in name else {"strength"}
        assert set(node.children) == {*asked, "hypotheses"}
        assert (node.attrs["role"], node.attrs["of"]) == ("baseline", "mine")
        assert f"mine.{node.attrs['baseline']}" == name[:-1]
    assert tree["mine"].attrs["baseline"] == tree["mine"].attrs["not_drawn"] == ""
    assert len({node.attrs["weights_sha256"] for node in subjects(tree).values()}) == 7


def test_baselines_are_the_random_ones_unless_a_kind_is_named(wrapped, tmp_path):
    tree = measured(wrapped, tmp_path / "run.zarr", STRENGTH)
    assert baselines(tree, "mine") == ["mine.random0", "mine.random1"]
    assert baselines(tree, "mine", "matched") == ["mine.matched0", "mine.matched1"]
    assert baselines(tree, "mine.matched0", "matched") == ["mine.matched1"]
    (mine,) = encoders_of(tree)
    level = {kind: [float(one.strength[1]) for one in mine.of_baselines("strength", kind)] for kind in KINDS}
    assert [float(one.strength[1]) for one in mine.of_baselines("strength")] == level["random"]
    (own,) = (float(one.strength[1]) for one in [tree["mine/strength"].to_dataset()])
    assert max(level["random"]) < own / 5
    assert level["matched"] == pytest.approx([own, own], rel=0.5)
    earlier = subjects(tree)["mine.random0"]
    del earlier.attrs["baseline"]  # as in runs that had one kind
    assert baseline_kind(earlier) == "random"


class Gain(nn.Module):
    """Has a parameter, and does not say how it is drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.linspace(0.5, 2, 4)[:, None])

    def forward(self, x):
        return x * self.gain


def test_a_kind_that_is_not_drawn_is_left_out_with_the_reason(tmp_path):
    gained = wrap(nn.Sequential(nn.Conv1d(1, 4, 16, stride=4), Gain()), 8_000, {"latent": "1"}, name="gained")
    tree = measured(gained, tmp_path / "run.zarr", STRENGTH)
    assert list(subjects(tree)) == ["gained", "gained.permuted0", "gained.permuted1"]
    (one,) = encoders_of(tree)
    assert "random: gained: no random baseline: nothing says how '1.gain' is initialised" in one.not_drawn
    assert "; matched: " in one.not_drawn
    by_seed = wrap(nn.Sequential(nn.Conv1d(1, 4, 16)), 8_000, {"latent": "0"}, name="by_seed")
    draw = by_seed.randomised
    by_seed.randomised = lambda seed: draw(seed)
    tree = measured(by_seed, tmp_path / "seed.zarr", STRENGTH)
    assert list(subjects(tree)) == ["by_seed", "by_seed.random0", "by_seed.random1"]
    assert tree["by_seed"].attrs["not_drawn"] == (
        "matched: baseline 'matched': it is drawn at random only; "
        "permuted: baseline 'permuted': it is drawn at random only"
    )


def test_nobody_is_drawn_whom_no_probe_asks(wrapped, tmp_path):
    assert list(subjects(measured(wrapped, tmp_path / "a.zarr", ALONE))) == ["mine"]
    refusing = replace(STRENGTH, refuses=lambda session: "not today")
    tree = measured(wrapped, tmp_path / "b.zarr", PLAIN, refusing)
    assert list(subjects(tree)) == ["mine", "mine.random0", "mine.random1"]
    wrapped.randomised = None
    assert list(subjects(measured(wrapped, tmp_path / "c.zarr", ALONE))) == ["mine"]
    with pytest.raises(InputError, match=r"'mine': has no random baseline \(nothing says"):
        measured(wrapped, tmp_path / "d.zarr", STRENGTH)


def test_an_interrupted_run_goes_on_and_other_kinds_are_another_run(wrapped, tmp_path):
    def until(name):
        def breaks(session):
            done.append(session.encoder.weights.source)
            if session.encoder.weights.source == name:
                raise KeyboardInterrupt
            return strengths(session)

        return replace(STRENGTH, measure=breaks)

    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        measured(wrapped, tmp_path / "run.zarr", until("matched"))
    assert done == ["given", "random", "random", "matched"]
    done.clear()
    tree = measured(wrapped, tmp_path / "run.zarr", until(""))
    assert done == ["matched", "matched", "permuted", "permuted"]
    assert len(subjects(tree)) == 7
    with pytest.raises(KeyboardInterrupt):
        measured(wrapped, tmp_path / "other.zarr", until("matched"))
    tree = measured(wrapped, tmp_path / "other.zarr", replace(until(""), asks_baselines=("permuted",)))
    assert list(subjects(tree)) == ["mine", "mine.permuted0", "mine.permuted1"]


def test_kinds_that_are_none_are_refused():
    for kinds in (("shuffled",), "random", True):
        with pytest.raises(InputError, match="must be a tuple of random, matched, permuted"):
            replace(STRENGTH, asks_baselines=kinds)
