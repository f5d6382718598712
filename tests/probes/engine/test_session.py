"""A session: where and how; what is shared by measures and by encoders."""

from dataclasses import replace

import pytest

from tonotopy.encoders import load
from tonotopy.probes.engine.session import Session
from tonotopy.synth.errors import InputError


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_tile_lasts(seconds):
    with pytest.raises(InputError, match=f"tile_seconds {seconds}: must be positive"):
        Session(load("control:decimator"), tile_seconds=seconds)


def test_a_default_tile_gives_way_to_that_of_the_session():
    free, fixed = Session(load("control:decimator")), Session(load("control:decimator"), tile_seconds=1.0)
    assert free.tiled(4.0).tile_seconds == 4.0
    assert fixed.tiled(4.0) is fixed


def test_what_measures_share_is_made_once_and_not_for_another_encoder():
    made = []

    def make(session, word):
        made.append((session.encoder.name, word))
        return word

    one = Session(load("control:decimator"))
    other = one.of(load("control:rectifier"), None)
    for session in (one, replace(one, out=None), other, replace(one, encoder=other.encoder)):
        assert session.once(make, "a") == "a"
    assert [name for name, _ in made] == ["control:decimator", "control:rectifier", "control:rectifier"]
    for session in (replace(one, seed=1), one.at(["first_layer"])):
        session.once(make, "a")
    assert len(made) == 5  # another seed or stage is another question


def test_one_stage_may_be_named_alone():
    assert Session(load("control:decimator"), "first_layer").stages == ("first_layer",)


def test_what_encoders_share_is_made_once_in_a_run():
    made = []
    one = Session(load("control:decimator"))
    for session in (one, one.of(load("control:rectifier"), None)):
        session.shared(made.append, "read")
    assert made == ["read"]
