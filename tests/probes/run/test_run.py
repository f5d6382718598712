import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from tonotopy.encoders import load, wrap
from tonotopy.encoders.abilities import Redraws
from tonotopy.probes.composition.access import ACCESS
from tonotopy.probes.composition.draws import USUAL
from tonotopy.probes.composition.mixtures import Condition
from tonotopy.probes.composition.place import PLACE
from tonotopy.probes.composition.presence import PRESENCE
from tonotopy.probes.composition.stability import STABILITY
from tonotopy.probes.engine.activations import activations
from tonotopy.probes.engine.checkpoint import Work
from tonotopy.probes.engine.schema import baseline_kind, stimuli_from, subjects
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.pitch_chord import CHORD_TUNING, PITCH_TUNING, default_chords, default_pitches
from tonotopy.probes.filters.selectivity import SELECTIVITY, selectivity
from tonotopy.probes.filters.tiling import TILING, tiling
from tonotopy.probes.folding.aliasing import LEVELS_DBFS, aliasing, intermodulation
from tonotopy.probes.folding.coherence import coherent_partials
from tonotopy.probes.folding.invertibility import invertibility
from tonotopy.probes.folding.representability import REPRESENTABILITY, representability
from tonotopy.probes.folding.signals import representability_signals
from tonotopy.probes.run import registry, runner
from tonotopy.probes.run.registry import named, registered, usual
from tonotopy.probes.run.runner import probe
from tonotopy.probes.run.schema import validate
from tonotopy.probes.run.suite import CONTROLS, MEASURED_BY, Suite
from tonotopy.synth import chords, partials, pitches
from tonotopy.synth.errors import InputError


def changed(options: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return options | changes


FEW_PITCHES = PITCH_TUNING.with_settings(stimuli=pitches(midi=[60, 67], timbres=["saw", "square"]))
FEW_CHORDS = CHORD_TUNING.with_settings(stimuli=chords([48, 50], ["major", "minor"]))
TUNING = (SELECTIVITY, FEW_PITCHES, FEW_CHORDS)
SMALL: dict[str, Any] = {
    "baselines": 1,
    "controls": False,
    "low_hz": 100,
    "high_hz": 5000,
    "per_octave": 3,
    "refine": False,
    "probes": TUNING,
}


def represent_few(session):
    signals = representability_signals(session.encoder.sample_rate, None, session.seed)[::8]
    return representability(session, signals)


FEW_SIGNALS = replace(REPRESENTABILITY, measure=represent_few, refuses=lambda session: None)
QUESTIONS = tuple(one.with_settings(conditions=(USUAL,)) for one in (PRESENCE, STABILITY, ACCESS, PLACE))
SMALLER = {probe.name: probe for probe in (*TUNING, FEW_SIGNALS, *QUESTIONS)}
EVERY_PROBE: dict[str, Any] = SMALL | {"probes": tuple(SMALLER.get(p.name, p) for p in usual("waveform"))}


def breaks(session, stimuli):
    raise KeyboardInterrupt


BREAKING = changed(SMALL, probes=(SELECTIVITY, FEW_PITCHES, replace(FEW_CHORDS, measure=breaks)))
SHORT = [Condition("partial", density, -20.0) for density in (1, 4)]


def small_net():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return nn.Sequential(nn.Conv1d(1, 4, 16, stride=4), nn.ReLU(), nn.Conv1d(4, 6, 4, stride=2))


@pytest.fixture
def wrapped():
    return wrap(small_net(), 16_000, {"first_layer": "0", "latent": "2"}, name="mine")


def test_a_run_reopens_bit_equal_and_by_xarray_alone(wrapped, tmp_path):
    out = probe([wrapped], tmp_path / "run.zarr", **SMALL)
    tree = xr.open_datatree(out)
    validate(tree)
    again = xr.open_datatree(out)
    direct = selectivity(Session(wrapped), partials(100, 5000, per_octave=3), refine=False)
    stored = tree["mine/selectivity"].to_dataset().load()
    for name, values in direct.variables.items():
        if values.dtype.kind == "f" and name != "response":
            np.testing.assert_allclose(stored[name], values, rtol=1e-4, err_msg=str(name))
    xr.testing.assert_identical(stored, again["mine/selectivity"].to_dataset().load())
    assert tree.attrs["weights_sha256"] == wrapped.weights.sha256
    assert json.loads(tree.attrs["versions"])["torch"] == torch.__version__.split("+")[0]


def test_every_variable_has_units_and_a_name(wrapped, tmp_path):
    tree = xr.open_datatree(probe([wrapped], tmp_path / "run.zarr", **EVERY_PROBE))
    seen = 0
    for node in tree.subtree:
        for variable in node.variables.values():
            assert variable.attrs["units"]
            assert variable.attrs["long_name"]
            seen += 1
    assert seen > 100
    asked = {one.name for one in usual("waveform")}
    asked -= {"codes", "interventions"}  # who has neither codes nor a way back to sound
    measured = [
        node for node in subjects(tree).values() if node.attrs["role"] != "control"
    ]  # others are kept
    for node in measured:
        kind = baseline_kind(node)
        those = {one.name for one in usual("waveform") if kind in one.asks_baselines} & asked
        assert set(node.children) == (those if node.attrs["role"] == "baseline" else asked) | {"hypotheses"}


def test_subjects_are_encoder_baselines_and_controls(wrapped, tmp_path):
    asked = SMALL | {"controls": True, "baselines": 2}
    tree = xr.open_datatree(probe([wrapped], tmp_path / "run.zarr", **asked))
    assert list(subjects(tree, "encoder")) == ["mine"]
    assert list(subjects(tree, "baseline")) == ["mine.random0", "mine.random1"]
    everywhere = set(CONTROLS["waveform"]) - set(MEASURED_BY)
    assert set(subjects(tree, "control")) == {c.replace(":", ".") for c in everywhere}
    hashes = [tree[n].attrs["weights_sha256"] for n in ("mine", "mine.random0", "mine.random1")]
    assert len(set(hashes)) == 3
    assert {node.attrs["sample_rate"] for node in subjects(tree).values()} == {16_000}
    for node in subjects(tree).values():
        judged = set() if node.attrs["role"] == "control" else {"hypotheses"}
        assert set(node.children) == {one.name for one in TUNING} | judged


def test_the_specification_is_stored_whole(wrapped, tmp_path):
    tree = xr.open_datatree(probe([wrapped], tmp_path / "run.zarr", **SMALL))
    played = {
        "partials": partials(100, 5000, per_octave=3),
        "pitches": FEW_PITCHES.settings["stimuli"],
        "chords": FEW_CHORDS.settings["stimuli"],
    }
    assert PITCH_TUNING.played()["pitches"].sha256 == default_pitches().sha256
    assert CHORD_TUNING.played()["chords"].sha256 == default_chords().sha256
    assert set(tree["stimuli"].children) == set(played)
    for kind, stimuli in played.items():
        assert stimuli_from(tree[f"stimuli/{kind}"].to_dataset().load()).sha256 == stimuli.sha256


def test_interrupted_work_goes_on(wrapped, tmp_path):
    out, calls = tmp_path / "run.zarr", []

    def breaks_once(session, **settings):
        calls.append("pitch")
        if len(calls) == 2:
            raise KeyboardInterrupt
        return FEW_PITCHES.measure(session, **settings)

    breaking = changed(SMALL, probes=(SELECTIVITY, replace(FEW_PITCHES, measure=breaks_once), FEW_CHORDS))
    with pytest.raises(KeyboardInterrupt):
        probe([wrapped], out, progress=False, **breaking)  # a forecast would call it too
    assert not out.exists()  # nothing half-written is taken for finished
    probe([wrapped], out, progress=False, **breaking)
    assert len(calls) == 3  # the first subject's was not measured again
    validate(xr.open_datatree(out))
    assert not out.with_name("run.zarr.partial").exists()


def test_a_step_that_was_killed_while_writing_is_taken_again(wrapped, tmp_path):
    out = tmp_path / "run.zarr"

    def dies(session, low_hz, high_hz, per_octave, refine):
        SELECTIVITY.measure(session, low_hz, high_hz, per_octave, refine)
        (session.out / "response" / ".zarray").write_text("{")  # torn
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe([wrapped], out, **changed(SMALL, probes=(replace(SELECTIVITY, measure=dies), *TUNING[1:])))
    tree = xr.open_datatree(probe([wrapped], out, **SMALL))
    validate(tree)
    assert np.isfinite(tree["mine/selectivity"].to_dataset().response[0, :4]).all()


def test_other_settings_start_afresh(wrapped, tmp_path):
    out = tmp_path / "run.zarr"

    with pytest.raises(KeyboardInterrupt):
        probe([wrapped], out, **BREAKING)
    tree = xr.open_datatree(probe([wrapped], out, **changed(SMALL, per_octave=4)))
    assert tree["mine/selectivity"].sizes["frequency"] == len(partials(100, 5000, per_octave=4))


@pytest.mark.parametrize("name", ["run.zarr", "run.zarr.partial"])
def test_a_folder_that_holds_something_else_is_left_alone(wrapped, tmp_path, name):
    other = tmp_path / name
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="exists"):
        probe([wrapped], tmp_path / "run.zarr", **SMALL)
    assert (other / "thesis.txt").read_text() == "mine"


def test_bad_requests_are_refused_before_anything_is_written(wrapped, tmp_path):
    out = tmp_path / "run.zarr"
    cases: list[tuple[list[Any], dict[str, Any], str]] = [
        (["encodek"], SMALL, "encoder 'encodek': not known .*; known are"),
        ([wrapped], {"stages": ("conv9",)}, "'conv9': mine has no such stage"),
        ([wrapped], {"high_hz": 9000}, "Nyquist"),
        ([wrapped], {"low_hz": -1, "high_hz": 7000}, "low_hz -1: must be a positive"),
        ([wrapped, wrapped], SMALL, "'mine': given twice"),
        ([], SMALL, "encoders: none given"),
        ([wrapped], changed(SMALL, stages=()), "no stage requested"),
        (
            [wrapped],
            {"per_oktave": 3},
            "setting 'per_oktave': no requested probe has it; there are bins",
        ),
        (["musicvae_tiny"], SMALL, "no requested probe is for a melody encoder"),
    ]
    for encoders, settings, message in cases:
        with pytest.raises(InputError, match=message):
            probe(encoders, out, **settings)
        assert not list(tmp_path.iterdir())


def test_sounds_that_cannot_be_played_are_refused_before_anything_is_written(tmp_path):
    slow = wrap(small_net(), 4_000, {"mine": "2"}, name="slow")
    for tuning in (FEW_PITCHES, FEW_CHORDS):
        with pytest.raises(InputError, match="must lie below the Nyquist frequency 2000 Hz"):
            probe([slow], tmp_path / "run.zarr", probes=(tuning,), baselines=0, controls=False)
    assert not list(tmp_path.iterdir())


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="seed -1: must be a whole number, at least 0"):
        Suite(("codec_tiny",), seed=-1)
    with pytest.raises(
        InputError, match=r"probe 'alias': not known .*aliasing.*; there are selectivity, pitch_tuning"
    ):
        Suite(("codec_tiny",), ("tiling", "alias"))
    with pytest.raises(InputError, match="probes: none given"):
        Suite(("codec_tiny",), ())
    with pytest.raises(InputError, match="probe 'tiling': has no setting 'low'; it has frames, phases"):
        named(("tiling",))[0].with_settings(low=1)


def test_one_encoder_probe_or_stage_may_be_named_alone():
    alone: dict[str, Any] = {"encoders": "codec_tiny", "probes": "tiling", "stages": "latent"}
    suite = Suite(**alone)
    assert (suite.encoders, suite.stages) == (("codec_tiny",), ("latent",))
    assert suite.probes == named(("tiling",))


def test_a_probe_is_given_once():
    twice = (FEW_PITCHES, FEW_PITCHES.with_settings(frames=3))
    with pytest.raises(InputError, match="probe 'pitch_tuning': given twice"):
        Suite(("codec_tiny",), twice)


def test_settings_that_look_alike_in_words_are_told_apart():
    long = np.zeros(10_000)
    other = long.copy()
    other[5_000] = 1
    one, two = (SELECTIVITY.with_settings(low_hz=values).identity for values in (long, other))
    assert one != two
    sets = (partials(100, 200, count=2), partials(100, 300, count=2))
    one, two = (FEW_PITCHES.with_settings(stimuli=[played]).identity for played in sets)
    assert one != two


@pytest.mark.parametrize("name", ["stimuli", "hypotheses", "..", "filterbank.stft"])
def test_a_name_that_means_something_else_in_a_run_is_refused(wrapped, tmp_path, name):
    wrapped.name = name
    with pytest.raises(InputError, match="the name is taken"):
        probe([wrapped], tmp_path / "run.zarr", **SMALL)
    assert not list(tmp_path.iterdir())


def test_a_melody_model_has_no_stages_to_choose(tmp_path):
    with pytest.raises(InputError, match="is a melody model and has none"):
        probe("control:planted", tmp_path / "run.zarr", probes="latents", stages="latent", samples=64)


def test_an_encoder_without_a_modality_is_refused(tmp_path):
    with pytest.raises(InputError, match="'object': declares no modality"):
        probe([object()], tmp_path / "run.zarr")  # type: ignore[list-item]


def test_what_a_probe_did_not_declare_is_not_kept(wrapped, tmp_path):
    def undeclared(session):
        return tiling(session).assign(extra=("stage", [1.0, 2.0]))

    bad = replace(TILING, measure=undeclared)
    with pytest.raises(InputError, match="mine/tiling holds 'extra', which the schema does not know"):
        probe([wrapped], tmp_path / "run.zarr", probes=[bad], baselines=0, controls=False)
    assert not (tmp_path / "run.zarr").exists()


class Point:
    """An entry point of a plug-in."""

    name, value, dist = "theirs", "their_package:PROBE", None

    def __init__(self, named):
        self.named = named

    def load(self):
        if isinstance(self.named, Exception):
            raise self.named
        return self.named


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        (ImportError("no module"), r"it cannot be loaded \(ImportError: no module\)"),
        (3, "it cannot be loaded"),
        (["tiling"], "its entry point names no Probe"),
        (SELECTIVITY, "the name 'selectivity' is taken"),
        (replace(SELECTIVITY, name="hypotheses"), "the name 'hypotheses' is taken"),
    ],
)
def test_a_plug_in_that_is_no_good_is_left_out_and_named(monkeypatch, named, reason):
    everybody = registered()
    monkeypatch.setattr(registry, "entry_points", lambda group: [Point(named)])
    with pytest.warns(UserWarning, match=f"probe 'theirs' of their_package:PROBE is left out: {reason}"):
        assert registered() == everybody


def test_only_what_is_asked_for_is_measured_and_stored(wrapped, tmp_path):
    out = probe([wrapped], tmp_path / "run.zarr", probes=("tiling",), baselines=0, controls=False)
    tree = xr.open_datatree(out)
    validate(tree)
    assert set(tree["mine"].children) == {"tiling", "hypotheses"}
    assert not tree["stimuli"].children


def test_what_a_probe_refuses_is_said_beside_what_others_found(tmp_path):
    asked = ("invertibility", "tiling", "compositionality")
    tree = xr.open_datatree(
        probe(["control:texture"], tmp_path / "run.zarr", probes=asked, stages=("codes",), controls=False)
    )
    assert set(tree["control.texture"].children) == {"invertibility", "hypotheses"}
    refused = tree["control.texture"].attrs["refused"].split("; ")
    assert [line.split(":")[0] for line in refused] == ["tiling", "compositionality"]


def test_one_run_holds_waveform_encoders_and_melody_models(wrapped, tmp_path):
    out = probe(
        [wrapped, "control:planted"], tmp_path / "run.zarr", probes=("invertibility", "latents"),
        baselines=0, controls=False, samples=64,
    )  # fmt: skip
    tree = xr.open_datatree(out)
    validate(tree)
    assert set(tree["mine"].children) == {"invertibility", "hypotheses"}
    assert set(tree["control.planted"].children) == {"latents"}
    assert {n: s.attrs["modality"] for n, s in subjects(tree).items()} == {
        "mine": "waveform", "control.planted": "melody",
    }  # fmt: skip


def test_a_run_measures_what_the_functions_do(wrapped, tmp_path):
    tree = xr.open_datatree(probe([wrapped], tmp_path / "run.zarr", **changed(EVERY_PROBE, baselines=0)))
    tones = coherent_partials(wrapped, low_hz=100, high_hz=5000, level_dbfs=LEVELS_DBFS)
    direct = {
        "aliasing": aliasing(Session(wrapped), tones),
        "intermodulation": intermodulation(Session(wrapped)),
        "invertibility": invertibility(Session(wrapped)),
        "tiling": tiling(Session(wrapped)),
        "representability": represent_few(Session(wrapped)),
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
    asked = {"stages": ("codes",), "probes": (name,), "controls": False}
    with pytest.raises(InputError, match=f"{name}: codes of control:texture holds codes"):
        probe(["control:texture"], tmp_path / "run.zarr", **asked)
    assert not list(tmp_path.iterdir())


def test_a_codec_is_asked_for_codes_and_interventions_and_judged_by_its_controls(tmp_path):
    """What is asked, and what becomes of it; the measures themselves have tests of their own."""
    asked = (*QUESTIONS[:2], "codes")
    tree = xr.open_datatree(
        probe(["codec_tiny"], tmp_path / "run.zarr", baselines=0, probes=asked, weights="random")
    )
    assert set(tree["codec_tiny"].children) == {"presence", "stability", "codes", "hypotheses"}
    verdicts = tree["codec_tiny/hypotheses"].to_dataset().set_index(hypothesis="hypothesis")
    told = verdicts.sel(hypothesis="stable_partials_first_layer")
    assert "filterbank:stft 0.469 (must be >= 0.4)" in str(told["controls"].values)
    assert str(told["verdict"].values) in ("supported", "refuted", "undecided")
    unasked = verdicts.sel(hypothesis="narrowband_first_layer")
    assert str(unasked["verdict"].values) == "no verdict"
    assert str(unasked["remark"].values)


def test_what_has_no_weights_has_no_baseline(tmp_path):
    tree = xr.open_datatree(probe(["control:decimator"], tmp_path / "run.zarr", **SMALL))
    assert list(subjects(tree, "encoder")) == ["control.decimator"]
    assert not subjects(tree, "baseline")


def test_weights_without_a_way_to_draw_them_are_refused_at_once(wrapped, tmp_path):
    wrapped.randomised = None
    with pytest.raises(InputError, match="no random baseline"):
        probe([wrapped], tmp_path / "run.zarr", **SMALL)
    assert not list(tmp_path.iterdir())


def test_a_control_that_is_asked_for_is_an_encoder(tmp_path):
    tree = xr.open_datatree(
        probe(["filterbank:stft"], tmp_path / "run.zarr", **changed(SMALL, controls=True))
    )
    assert list(subjects(tree, "encoder")) == ["filterbank.stft"]
    assert len(subjects(tree, "control")) == len(CONTROLS["waveform"]) - len(MEASURED_BY) - 1


def test_a_name_that_is_taken_is_refused(wrapped, tmp_path):
    wrapped.name = "stimuli"
    with pytest.raises(InputError, match="the name is taken"):
        probe([wrapped], tmp_path / "run.zarr", **SMALL)


def test_no_baseline_is_the_encoder_itself(tmp_path):
    encoder = load("samplecnn_tiny", weights="random", seed=1)
    tree = xr.open_datatree(
        probe([encoder], tmp_path / "run.zarr", **changed(SMALL, baselines=2, stages=("first_layer",)))
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
    out = probe(
        [slow],
        tmp_path / "run.zarr",
        **changed(SMALL, high_hz=1_900, low_hz=100, probes=("selectivity", "pitch_tuning")),
    )
    tree = xr.open_datatree(out)
    assert float(tree["slow/pitch_tuning"].f0.max()) < 2_000
    assert tree["slow/selectivity"].stage.values.tolist() == ["mine"]


def test_work_of_other_stages_is_not_taken_up(tmp_path):
    out = tmp_path / "run.zarr"

    with pytest.raises(KeyboardInterrupt):
        probe([wrap(small_net(), 16_000, {"latent": "2"}, name="mine")], out, **BREAKING)
    tree = xr.open_datatree(
        probe([wrap(small_net(), 16_000, {"first_layer": "0"}, name="mine")], out, **SMALL)
    )
    assert tree["mine/selectivity"].stage.values.tolist() == ["first_layer"]


@pytest.mark.parametrize("content", ["garbage", "{}", "[]", '{"done": 3}'])
def test_a_list_that_cannot_be_read_is_no_run_of_ours(wrapped, tmp_path, content):
    (tmp_path / "run.zarr.partial").mkdir()
    (tmp_path / "run.zarr.partial" / "finished.json").write_text(content)
    with pytest.raises(InputError, match="not an unfinished run"):
        probe([wrapped], tmp_path / "run.zarr", **SMALL)


def test_a_list_whose_store_is_gone_starts_afresh(wrapped, tmp_path):
    """As after a kill between the last two steps, and the finished run removed by its owner."""
    out = tmp_path / "run.zarr"
    fields = {n: v for n, v in SMALL.items() if n in Suite.__dataclass_fields__}
    suite = Suite((wrapped,), settings={n: v for n, v in SMALL.items() if n not in fields}, **fields)
    work = Work(out, runner._identity(suite, runner._stimuli(suite, [wrapped]), [wrapped]))
    work.do("stimuli", lambda: None)
    work.do("mine/selectivity", lambda: None)
    validate(xr.open_datatree(probe([wrapped], out, **SMALL)))


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
