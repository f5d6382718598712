import json
from dataclasses import replace
from functools import partial
from importlib.resources import files

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from tonotopy.encoders import load, wrap
from tonotopy.encoders.abilities import Redraws
from tonotopy.probes.composition.compositionality import compositionality
from tonotopy.probes.composition.mixtures import Condition
from tonotopy.probes.engine.activations import activations
from tonotopy.probes.engine.checkpoint import Work
from tonotopy.probes.engine.schema import stimuli_from, subjects
from tonotopy.probes.engine.session import Session
from tonotopy.probes.run import runner, suite
from tonotopy.probes.run.runner import Settings, probe
from tonotopy.probes.run.schema import validate
from tonotopy.synth import chords, partials, pitches
from tonotopy.synth.errors import InputError

SMALL = Settings(
    baselines=1,
    controls=False,
    low_hz=100,
    high_hz=5000,
    per_octave=3,
    refine=False,
    probes=("selectivity",),
)
SHORT = [Condition("partial", density, -20.0) for density in (1, 4)]
EVERY_PROBE = replace(SMALL, probes=tuple(suite.PROBES))


@pytest.fixture
def few_stimuli(monkeypatch):
    played = runner.played

    def fewer(settings):
        whole = played(settings)
        return whole | {
            "pitches": pitches(midi=[60, 67], timbres=["saw", "square"]),
            "chords": chords([48, 50], ["major", "minor"]),
        }

    sounds = suite.representability_signals
    monkeypatch.setattr(suite, "representability_signals", lambda *given: sounds(*given)[::8])
    monkeypatch.setattr(runner, "played", fewer)


def small_net():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return nn.Sequential(nn.Conv1d(1, 4, 16, stride=4), nn.ReLU(), nn.Conv1d(4, 6, 4, stride=2))


@pytest.fixture
def wrapped():
    return wrap(small_net(), 16_000, {"first_layer": "0", "latent": "2"}, name="mine")


def test_a_run_reopens_bit_equal_and_by_xarray_alone(wrapped, tmp_path, few_stimuli):
    out = probe([wrapped], tmp_path / "run.zarr", SMALL)
    tree = xr.open_datatree(out)
    validate(tree)
    again = xr.open_datatree(out)
    direct = suite.selectivity(Session(wrapped), runner.played(SMALL)["partials"], refine=False)
    stored = tree["mine/selectivity"].to_dataset().load()
    for name, values in direct.variables.items():
        if values.dtype.kind == "f" and name != "response":
            np.testing.assert_allclose(stored[name], values, rtol=1e-4, err_msg=str(name))
    xr.testing.assert_identical(stored, again["mine/selectivity"].to_dataset().load())
    assert tree.attrs["weights_sha256"] == wrapped.weights.sha256
    assert json.loads(tree.attrs["versions"])["torch"] == torch.__version__.split("+")[0]


def test_every_variable_has_units_and_a_name(wrapped, tmp_path, few_stimuli):
    tree = xr.open_datatree(probe([wrapped], tmp_path / "run.zarr", EVERY_PROBE))
    seen = 0
    for node in tree.subtree:
        for variable in node.variables.values():
            assert variable.attrs["units"]
            assert variable.attrs["long_name"]
            seen += 1
    assert seen > 100
    asked = {group for groups in suite.PROBES.values() for group in groups}
    for node in subjects(tree).values():  # who has neither codes nor a way back to sound
        assert set(node.children) == asked - {"codes", "interventions"} | {"hypotheses"}


def test_subjects_are_encoder_baselines_and_controls(wrapped, tmp_path, few_stimuli):
    asked = replace(SMALL, controls=True, baselines=2)
    tree = xr.open_datatree(probe([wrapped], tmp_path / "run.zarr", asked))
    assert list(subjects(tree, "encoder")) == ["mine"]
    assert list(subjects(tree, "baseline")) == ["mine.random0", "mine.random1"]
    assert set(subjects(tree, "control")) == {c.replace(":", ".") for c in runner.CONTROLS}
    hashes = [tree[n].attrs["weights_sha256"] for n in ("mine", "mine.random0", "mine.random1")]
    assert len(set(hashes)) == 3
    assert {node.attrs["sample_rate"] for node in subjects(tree).values()} == {16_000}
    for node in subjects(tree).values():
        judged = set() if node.attrs["role"] == "control" else {"hypotheses"}
        assert set(node.children) == set(suite.PROBES["selectivity"]) | judged


def test_the_specification_is_stored_whole(wrapped, tmp_path, few_stimuli):
    tree = xr.open_datatree(probe([wrapped], tmp_path / "run.zarr", SMALL))
    played = runner.played(SMALL)
    for kind, stimuli in played.items():
        assert stimuli_from(tree[f"stimuli/{kind}"].to_dataset().load()).sha256 == stimuli.sha256


def test_interrupted_work_goes_on(wrapped, tmp_path, few_stimuli, monkeypatch):
    out, calls = tmp_path / "run.zarr", []
    measure = suite.pitch_tuning

    def breaks_once(*args, **kwargs):
        calls.append("pitch")
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(*args, **kwargs)

    monkeypatch.setattr(suite, "pitch_tuning", breaks_once)
    with pytest.raises(KeyboardInterrupt):
        probe([wrapped], out, SMALL)
    assert not out.exists()  # nothing half-written is taken for finished
    probe([wrapped], out, SMALL)
    assert len(calls) == 3  # the first subject's was not measured again
    validate(xr.open_datatree(out))
    assert not out.with_name("run.zarr.partial").exists()


def test_a_step_that_was_killed_while_writing_is_taken_again(wrapped, tmp_path, few_stimuli, monkeypatch):
    out, measure = tmp_path / "run.zarr", suite.selectivity

    def dies(encoder, stimuli, stages, *, out, **options):
        measure(encoder, stimuli, stages, out=out, **options)
        (out / "response" / ".zarray").write_text("{")  # torn
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(suite, "selectivity", dies)
        with pytest.raises(KeyboardInterrupt):
            probe([wrapped], out, SMALL)
    tree = xr.open_datatree(probe([wrapped], out, SMALL))
    validate(tree)
    assert np.isfinite(tree["mine/selectivity"].to_dataset().response[0, :4]).all()


def test_other_settings_start_afresh(wrapped, tmp_path, few_stimuli, monkeypatch):
    out = tmp_path / "run.zarr"

    def breaks(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(suite, "chord_tuning", breaks)
        with pytest.raises(KeyboardInterrupt):
            probe([wrapped], out, SMALL)
    tree = xr.open_datatree(probe([wrapped], out, replace(SMALL, per_octave=4)))
    assert tree["mine/selectivity"].sizes["frequency"] == len(partials(100, 5000, per_octave=4))


@pytest.mark.parametrize("name", ["run.zarr", "run.zarr.partial"])
def test_a_folder_that_holds_something_else_is_left_alone(wrapped, tmp_path, name):
    other = tmp_path / name
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="exists"):
        probe([wrapped], tmp_path / "run.zarr", SMALL)
    assert (other / "thesis.txt").read_text() == "mine"


def test_bad_requests_are_refused_before_anything_is_written(wrapped, tmp_path):
    out = tmp_path / "run.zarr"
    for encoders, settings, message in (
        (["encodek"], SMALL, "encoder 'encodek': not known; known are"),
        ([wrapped], Settings(stages=("conv9",)), "'conv9': mine has no such stage"),
        ([wrapped], Settings(high_hz=9000), "Nyquist"),
        ([wrapped], Settings(low_hz=-1), "low_hz -1: must be a positive"),
        ([wrapped, wrapped], SMALL, "'mine': given twice"),
        ([], SMALL, "encoders: none given"),
        ([wrapped], replace(SMALL, stages=()), "no stage asked for"),
        (["control:texture"], replace(EVERY_PROBE, stages=("codes",)), "tiling: codes of control:texture"),
    ):
        with pytest.raises(InputError, match=message):
            probe(encoders, out, settings)
        assert not list(tmp_path.iterdir())


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="seed -1: must not be negative"):
        replace(SMALL, seed=-1)
    with pytest.raises(InputError, match="probe 'alias'; there are selectivity, aliasing, tiling"):
        replace(SMALL, probes=("tiling", "alias"))
    with pytest.raises(InputError, match="probes: none asked for"):
        replace(SMALL, probes=())


def test_only_what_is_asked_for_is_measured_and_stored(wrapped, tmp_path):
    out = probe([wrapped], tmp_path / "run.zarr", replace(SMALL, probes=("tiling",)))
    tree = xr.open_datatree(out)
    validate(tree)
    assert set(tree["mine"].children) == {"tiling", "hypotheses"}
    assert not tree["stimuli"].children


def test_a_run_measures_what_the_functions_do(wrapped, tmp_path, few_stimuli):
    tree = xr.open_datatree(probe([wrapped], tmp_path / "run.zarr", replace(EVERY_PROBE, baselines=0)))
    tones = suite.coherent_partials(wrapped, low_hz=100, high_hz=5000, level_dbfs=suite.ALIASING_LEVELS_DBFS)
    direct = {
        "aliasing": suite.aliasing(Session(wrapped), tones),
        "intermodulation": suite.intermodulation(Session(wrapped)),
        "invertibility": suite.invertibility(Session(wrapped)),
        "tiling": suite.tiling(Session(wrapped)),
        "representability": suite.representability(
            Session(wrapped), suite.representability_signals(16_000, None, 0)
        ),
    }
    for name, expected in direct.items():
        stored = tree[f"mine/{name}"].to_dataset().load()
        assert set(stored.variables) == set(expected.variables)
        for variable, values in expected.variables.items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(stored[variable], values, rtol=1e-3, atol=1e-5, err_msg=f"{name}")
            else:
                assert (stored[variable].values == values.values).all(), (name, variable)


@pytest.mark.parametrize("name", ["tiling", "compositionality", "readout"])
def test_codes_alone_are_not_asked_for_a_response(tmp_path, name):
    asked = replace(SMALL, stages=("codes",), probes=(name,))
    with pytest.raises(InputError, match=f"{name}: codes of control:texture holds codes"):
        probe(["control:texture"], tmp_path / "run.zarr", asked)
    assert not list(tmp_path.iterdir())


def test_a_codec_is_asked_for_codes_and_interventions_and_judged_by_its_controls(tmp_path, monkeypatch):
    """What is asked, and what becomes of it; the measures themselves have tests of their own."""
    monkeypatch.setattr(suite, "compositionality", partial(compositionality, conditions=SHORT))
    asked = Settings(baselines=1, probes=("compositionality", "codes"))
    tree = xr.open_datatree(probe(["codec_tiny"], tmp_path / "run.zarr", asked, weights="random"))
    assert set(tree["codec_tiny"].children) == {"compositionality", "codes", "hypotheses"}
    verdicts = tree["codec_tiny/hypotheses"].to_dataset().set_index(hypothesis="hypothesis")
    told = verdicts.sel(hypothesis="stable_partials_first_layer")
    assert "filterbank:stft 0.99" in str(told["controls"].values)
    assert str(told["verdict"].values) in ("supported", "refuted", "undecided")
    unasked = verdicts.sel(hypothesis="narrowband_first_layer")
    assert str(unasked["verdict"].values) == "no verdict"
    assert str(unasked["remark"].values)


def test_what_has_no_weights_has_no_baseline(tmp_path, few_stimuli):
    tree = xr.open_datatree(probe(["control:decimator"], tmp_path / "run.zarr", SMALL))
    assert list(subjects(tree)) == ["control.decimator"]


def test_weights_without_a_way_to_draw_them_are_refused_at_once(wrapped, tmp_path):
    wrapped.randomised = None
    with pytest.raises(InputError, match="no random baseline"):
        probe([wrapped], tmp_path / "run.zarr", SMALL)
    assert not list(tmp_path.iterdir())


def test_a_control_that_is_asked_for_is_an_encoder(tmp_path, few_stimuli):
    tree = xr.open_datatree(probe(["filterbank:stft"], tmp_path / "run.zarr", replace(SMALL, controls=True)))
    assert list(subjects(tree, "encoder")) == ["filterbank.stft"]
    assert len(subjects(tree, "control")) == len(runner.CONTROLS) - 1


def test_names_that_would_meet_in_one_place_are_refused(wrapped, tmp_path):
    twin = wrap(small_net(), 16_000, {"latent": "2"}, name="a.b")
    wrapped.name = "a:b"
    with pytest.raises(InputError, match="given twice"):
        probe([wrapped, twin], tmp_path / "run.zarr", SMALL)
    wrapped.name = "stimuli"
    with pytest.raises(InputError, match="the name is taken"):
        probe([wrapped], tmp_path / "run.zarr", SMALL)


def test_no_baseline_is_the_encoder_itself(tmp_path, few_stimuli):
    encoder = load("samplecnn_tiny", weights="random", seed=1)
    tree = xr.open_datatree(
        probe([encoder], tmp_path / "run.zarr", replace(SMALL, baselines=2, stages=("first_layer",)))
    )
    hashes = {node.attrs["weights_sha256"] for node in subjects(tree).values()}
    assert len(hashes) == 3


def test_the_baseline_of_a_file_has_the_size_of_the_file():
    bundled = files("tonotopy.encoders.zoo") / "samplecnn_tiny.safetensors"
    encoder = load("samplecnn", weights=str(bundled))
    assert isinstance(encoder, Redraws)
    assert encoder.randomised(0).stages == encoder.stages


def test_an_encoder_of_a_low_rate_is_probed_as_far_as_it_goes(tmp_path):
    slow = wrap(small_net(), 4_000, {"mine": "2"}, name="slow")
    out = probe([slow], tmp_path / "run.zarr", replace(SMALL, high_hz=1_900, low_hz=100))
    tree = xr.open_datatree(out)
    assert float(tree["slow/pitch_tuning"].f0.max()) < 2_000
    assert tree["slow/selectivity"].stage.values.tolist() == ["mine"]


def test_work_of_other_stages_is_not_taken_up(tmp_path, few_stimuli, monkeypatch):
    out = tmp_path / "run.zarr"

    def breaks(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(suite, "chord_tuning", breaks)
        with pytest.raises(KeyboardInterrupt):
            probe([wrap(small_net(), 16_000, {"latent": "2"}, name="mine")], out, SMALL)
    tree = xr.open_datatree(probe([wrap(small_net(), 16_000, {"first_layer": "0"}, name="mine")], out, SMALL))
    assert tree["mine/selectivity"].stage.values.tolist() == ["first_layer"]


@pytest.mark.parametrize("content", ["garbage", "{}", "[]", '{"done": 3}'])
def test_a_list_that_cannot_be_read_is_no_run_of_ours(wrapped, tmp_path, content):
    (tmp_path / "run.zarr.partial").mkdir()
    (tmp_path / "run.zarr.partial" / "finished.json").write_text(content)
    with pytest.raises(InputError, match="not an unfinished run"):
        probe([wrapped], tmp_path / "run.zarr", SMALL)


def test_a_list_whose_store_is_gone_starts_afresh(wrapped, tmp_path, few_stimuli):
    """As after a kill between the last two steps, and the finished run removed by its owner."""
    out = tmp_path / "run.zarr"
    work = Work(out, runner._identity(SMALL, runner.played(SMALL), [wrapped]))
    work.do("stimuli", lambda: None)
    work.do("mine/selectivity", lambda: None)
    validate(xr.open_datatree(probe([wrapped], out, SMALL)))


def test_activations_are_those_of_the_encoder(wrapped, tmp_path):
    tones = partials(100, 5000, count=20)
    out = activations(Session(wrapped, ["latent", "first_layer"]), tones, tmp_path / "act.zarr", seconds=0.6)
    tree = xr.open_datatree(out)
    waves = torch.from_numpy(tones.render(16_000, 9600))
    for stage, values in wrapped.run(waves, ["first_layer", "latent"]).items():
        assert tree[stage]["activation"].dims == ("stimulus", "channel", "frame")
        np.testing.assert_allclose(tree[stage]["activation"], values, atol=1e-6)
    with pytest.raises(InputError, match="exists already"):
        activations(Session(wrapped), tones, tmp_path / "act.zarr")


def test_codes_stay_integers(tmp_path):
    texture, tones = load("control:texture"), partials(100, 5000, count=3)
    out = activations(Session(texture), tones, tmp_path / "act.zarr", seconds=0.2)
    assert xr.open_datatree(out)["codes/activation"].dtype.kind == "i"
