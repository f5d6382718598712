import re
from typing import Any

import pytest
import torch
from torch import nn

from tonotopy.encoders import load, wrap
from tonotopy.probes import probe
from tonotopy.probes.engine.session import Rehearsed, Session
from tonotopy.probes.run.forecast import EFFORTS, Pace, Paces
from tonotopy.probes.run.registry import named, usual


@pytest.fixture
def wrapped():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv1d(1, 6, 16, stride=4), nn.Tanh(), nn.Conv1d(6, 8, 4, stride=2))
    return wrap(net, 24_000, {"first_layer": "0", "latent": "2"}, name="mine")


def test_every_probe_of_sounds_is_forecast():
    assert set(EFFORTS) == {one.name for one in usual("waveform")}


@pytest.mark.parametrize("name", [name for name, effort in EFFORTS.items() if effort.times])
def test_a_rehearsal_plays_nothing_and_tells_what_would_be_played(wrapped, name):
    (one,) = named((name,))
    session = Session(load("control:band_codec") if name == "codes" else wrapped, rehearsing=True)
    encoder: Any = session.encoder
    own, encoder.run = encoder.run, lambda *_: pytest.fail("it was played to")
    with pytest.raises(Rehearsed) as told:
        one(session)
    encoder.run = own
    assert told.value.sounds > 0
    assert 0 < told.value.steady_s < 10


def test_what_is_rehearsed_is_what_is_played(wrapped):
    (one,) = named(("selectivity",))
    one = one.with_settings(per_octave=4.0, refine=False)
    with pytest.raises(Rehearsed) as told:
        one(Session(wrapped, rehearsing=True))
    own, played = wrapped.run, []
    wrapped.run = lambda waveforms, stages: played.append(waveforms.shape) or own(waveforms, stages)
    one(Session(wrapped))
    assert sum(batch for batch, _ in played) == told.value.sounds + 1  # silence
    # a bounded stage is steady at once
    assert played[-1][1] / 24_000 == pytest.approx(told.value.steady_s, rel=0.1)


def test_what_was_played_already_is_not_played_again(wrapped):
    paces = Paces()
    paces._machine, paces._known[id(wrapped), None] = 1.0, Pace(1.0, 0.0, 0.0)
    presence, stability = named(("presence", "stability"))
    first, second, of_another = (
        paces.seconds(one, Session(wrapped), subject)
        for one, subject in ((presence, "mine"), (stability, "mine"), (stability, "random"))
    )
    assert first > 50 * second
    assert of_another > 50 * second


def test_an_onset_dies_away_exponentially():
    pace = Pace(1.0, 0.03, 0.4)
    assert pace.onset_s(0.01) == pytest.approx(0.4)
    assert pace.onset_s(0.1) == pytest.approx(0.2)
    assert pace.onset_s(0.9) == pytest.approx(0.03)


def test_a_run_says_what_it_will_do_and_how_long_it_takes(wrapped, tmp_path, capsys):
    few = {"probes": ("invertibility",), "baselines": 1}
    probe(wrapped, tmp_path / "run.zarr", **few)
    said = capsys.readouterr().err
    assert re.match(r"1 encoder, 1 baseline and 6 controls; 1 probe: about \d+ (s|min)\b", said)
    probe(wrapped, tmp_path / "quiet.zarr", progress=False, **few)
    assert capsys.readouterr().err == ""
