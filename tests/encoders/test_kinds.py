import pytest

from tonotopy.encoders import InputError, Stage, kinds
from tonotopy.encoders.kinds import StageKind, register_kind, stage_kind


@pytest.fixture(autouse=True)
def own_kinds(monkeypatch):
    monkeypatch.setattr(kinds, "_kinds", dict(kinds._kinds))


def test_what_the_kinds_allow():
    properties = ("has_power", "is_linear", "is_integer", "is_stepwise", "is_sparse")
    allowed = {
        name: [p for p in properties if getattr(Stage("one", 1, 1, 1, 0, name), p)]
        for name in ("convolution", "nonlinear", "quantized", "codes", "sparse")
    }
    assert allowed == {
        "convolution": ["has_power", "is_linear"],
        "nonlinear": ["has_power"],
        "quantized": ["has_power", "is_stepwise"],
        "codes": ["is_integer", "is_stepwise"],
        "sparse": ["has_power", "is_sparse"],
    }


def test_an_unknown_kind_names_those_that_are_known():
    line = "^stage kind 'code': not known; known are convolution, nonlinear, quantized, codes, sparse$"
    with pytest.raises(InputError, match=line):
        Stage("one", 1, 1, 1, 0, "code")
    with pytest.raises(InputError, match=line):
        stage_kind("code")


def test_a_plug_in_has_kinds_of_its_own():
    spikes = StageKind("spikes", is_integer=True, is_stepwise=True, is_sparse=True)
    register_kind(spikes)
    register_kind(spikes)  # the same once more: a module may be imported twice
    stage = Stage("one", 1, 1, 1, 0, "spikes")
    assert (stage.has_power, stage.is_integer, stage.is_linear) == (True, True, False)
    with pytest.raises(InputError, match="kind 'codes': the name is taken by StageKind"):
        register_kind(StageKind("codes"))
    assert not stage_kind("codes").has_power


@pytest.mark.parametrize("wrong", [{"name": ""}, {"is_integer": True}, {"is_stepwise": True}])
def test_kinds_that_contradict_themselves(wrong):
    with pytest.raises(InputError, match=r"^kind "):
        StageKind(**{"name": "odd", "is_linear": True, **wrong})
