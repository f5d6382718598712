import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from tonotopy.encoders import load, wrap
from tonotopy.probes.composition.draws import MAIN, USUAL
from tonotopy.probes.engine.probe import Probe
from tonotopy.probes.engine.schema import subjects
from tonotopy.probes.hypotheses.questions import FEWEST_DRAWS
from tonotopy.probes.run.presets import DEFAULT, PRESETS
from tonotopy.probes.run.registry import usual
from tonotopy.probes.run.runner import probe
from tonotopy.probes.run.suite import Suite
from tonotopy.synth.errors import InputError


def by_name(suite: Suite, baseline: str = "") -> dict[str, Probe]:
    return {one.name: one for one in suite.of("waveform", baseline)}


def test_without_a_preset_everything_is_measured():
    suite = Suite(("codec_tiny",))
    assert (suite.preset, suite.draws) == (DEFAULT, 3)
    assert suite.of("waveform") == usual("waveform")


def test_quick_measures_the_canonical_stages_that_an_encoder_has():
    suite = Suite(("codec_tiny",), preset="quick")
    probes = by_name(suite)
    codec, cnn, stft = (load(name) for name in ("codec_tiny", "samplecnn_tiny", "filterbank:stft"))
    canonical = ("first_layer", "stack_end", "latent", "quantized", "codes")
    assert suite.stages_of(codec, probes["presence"]) == canonical
    assert suite.stages_of(cnn, probes["presence"]) == canonical[:3]
    assert suite.stages_of(cnn, probes["tiling"]) == canonical[:2]
    assert suite.stages_of(stft, probes["tiling"]) == ("first_layer",)
    assert Suite(("codec_tiny",)).stages_of(codec, probes["presence"]) is None


def test_quick_answers_what_is_claimed_of_architecture():
    """Which takes several random networks at the trained scale."""
    suite = Suite(("codec_tiny",), preset="quick")
    assert suite.draws >= FEWEST_DRAWS
    assert "access" in by_name(suite, "matched")


def test_baselines_of_quick_are_played_partials_alone():
    suite = Suite(("codec_tiny",), preset="quick")
    assert by_name(suite)["presence"].settings["conditions"] == MAIN
    assert by_name(suite, "matched")["presence"].settings["conditions"] == (USUAL,)
    assert set(by_name(suite, "random")) == {"selectivity"}
    assert by_name(suite, "permuted") == {}


def test_what_is_given_wins_over_the_preset():
    suite = Suite(
        ("codec_tiny",), ("presence", "chord_tuning"), stages=("latent",), baselines=0, preset="quick",
        settings={"conditions": (USUAL,), "groups": 5},
    )  # fmt: skip
    probes = by_name(suite)
    assert list(probes) == ["presence", "chord_tuning"]
    assert suite.draws == 0
    assert suite.stages_of(load("codec_tiny"), probes["presence"]) == ("latent",)
    settings = probes["presence"].settings
    assert (settings["conditions"], settings["groups"], settings["raised"]) == ((USUAL,), 5, False)
    assert probes["chord_tuning"].asks_baselines == ("random",)
    several = Suite(("codec_tiny",), preset="quick", settings={"conditions": MAIN[:2]})
    assert by_name(several, "matched")["presence"].settings["conditions"] == MAIN[:2]


def test_a_quick_run_of_a_small_network(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = nn.Sequential(nn.Conv1d(1, 4, 16, stride=4), nn.ReLU(), nn.Conv1d(4, 6, 4, stride=2))
    encoder = wrap(net, 16_000, {"first_layer": "0", "middle": "1", "latent": "2"}, name="mine")
    out = probe(
        encoder, tmp_path / "run.zarr", preset="quick", controls=False, conditions=(USUAL,), high_hz=5000.0,
        probes=["selectivity", "tiling", "presence"],
    )  # fmt: skip
    run = xr.open_datatree(out)
    measured = {node: set(subject.children) - {"hypotheses"} for node, subject in subjects(run).items()}
    of_scale, of_random = {"presence"}, {"selectivity"}
    assert {node: groups for node, groups in measured.items() if node.startswith("mine")} == {
        "mine": {"selectivity", "tiling", "presence"},
        "mine.random0": of_random, "mine.random1": of_random,
        "mine.matched0": of_scale, "mine.matched1": of_scale,
    }  # fmt: skip
    presence = run["mine/presence"].to_dataset()
    assert presence.stage.values.tolist() == ["first_layer", "latent"]
    assert run["mine/tiling"].to_dataset().stage.values.tolist() == ["first_layer"]
    each = presence.proportion_by_group.sel(stage="latent").values
    assert np.isfinite(each).sum() == 4
    assert presence.proportion_low.notnull().all()
    assert presence.two_alternative.sel(spacing_semitones=1.0).isnull().all()


@pytest.mark.parametrize("groups", [3, 9])
def test_groups_are_enough_for_an_interval(groups, tmp_path):
    with pytest.raises(InputError, match=f"groups {groups}: must be 4 to 8"):
        probe("control:decimator", tmp_path / "run.zarr", probes=["presence"], baselines=0, groups=groups)


def test_suites_of_other_presets_are_described_otherwise():
    assert Suite(("a",), preset="quick").description != Suite(("a",)).description


@pytest.mark.parametrize("name", ["", "fast", "Quick"])
def test_a_preset_that_there_is_not(name):
    with pytest.raises(InputError, match=f"preset {name!r}: must be quick or full"):
        Suite(("codec_tiny",), preset=name)


def test_a_melody_model_is_asked_nothing_by_quick(tmp_path):
    with pytest.raises(InputError, match="no requested probe is for a melody encoder"):
        probe("musicvae_tiny", tmp_path / "run.zarr", preset="quick")


def test_presets_say_what_they_are_for():
    assert all(preset.use for preset in PRESETS.values())
