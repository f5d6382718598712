"""From an encoder to a dictionary on disk: killed anywhere, it goes on and ends with the same bytes."""

import dataclasses

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from tonotopy.encoders import load
from tonotopy.probes.dictionaries import capturing, store
from tonotopy.probes.dictionaries.capturing import capture, train_dictionaries
from tonotopy.probes.dictionaries.files import read_dictionary
from tonotopy.probes.dictionaries.learning import Learning, dictionary_of, stages_of
from tonotopy.probes.dictionaries.material import joined_groups, labelled_clips, learning_clips
from tonotopy.probes.engine.progress import Progress
from tonotopy.synth.errors import InputError

SILENT = Progress(show=False)


@pytest.fixture(scope="module")
def model():
    return load("control:planted_stream")


@pytest.fixture(scope="module")
def clips(model):
    return learning_clips(model, None, 0).some(np.arange(60))


def test_rows_are_the_residual_stream(model, clips, tmp_path):
    found = capture(model, clips, "layer_1", tmp_path / "store", 700, SILENT)
    assert (len(found), found.width, found.finished) == (700, 512, True)
    numbers, frames = found.places(0, 700)
    stream = model.run_codes(clips.inputs, ["layer_1"])["layer_1"]  # [60, 512, F]
    assert torch.equal(found.rows(0, 700), stream[numbers, :, frames])
    assert len(set(zip(numbers.tolist(), frames.tolist(), strict=True))) == 700


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_interrupted_it_goes_on_where_it_stopped(model, clips, tmp_path, monkeypatch, calls):
    monkeypatch.setattr(store, "SHARD_BYTES", 512 * 4 * 100)
    whole = capture(model, clips, "layer_0", tmp_path / "whole", 2_000, SILENT)
    real, done = capturing.responses, []

    def failing(*arguments):
        done.append(True)
        if len(done) > calls:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(capturing, "responses", failing)
    with pytest.raises(KeyboardInterrupt):
        capture(model, clips, "layer_0", tmp_path / "cut", 2_000, SILENT)
    monkeypatch.setattr(capturing, "responses", real)
    found = capture(model, clips, "layer_0", tmp_path / "cut", 2_000, SILENT)
    assert len(found) == len(whole)
    assert torch.equal(found.rows(0, len(found)), whole.rows(0, len(whole)))
    for one, other in zip(found.places(0, len(found)), whole.places(0, len(whole)), strict=True):
        assert np.array_equal(one, other)


def test_another_store_is_refused(model, clips, tmp_path):
    capture(model, clips, "layer_0", tmp_path / "store", 500, SILENT)
    with pytest.raises(InputError, match=r"stage is \"layer_0\" there and \"layer_1\" here"):
        capture(model, clips, "layer_1", tmp_path / "store", 500, SILENT)
    with pytest.raises(InputError, match="clips is"):
        capture(model, clips.some(np.arange(30)), "layer_0", tmp_path / "store", 500, SILENT)


def test_dictionaries_are_written_and_read(model, tmp_path):
    learning = Learning(features=24, k=3, tokens=3_000)
    found = train_dictionaries(model, tmp_path / "out", learning, ["layer_1"])
    stored = read_dictionary(tmp_path / "out" / "layer_1")
    assert torch.equal(stored.encoder, found["layer_1"].encoder)
    assert stored.origin == found["layer_1"].origin
    assert (stored.origin.model, stored.origin.stage) == (model.name, "layer_1")
    given = dataclasses.replace(learning, dictionary=str(tmp_path / "out" / "layer_1"))
    assert torch.equal(dictionary_of(model, "layer_1", given).decoder, stored.decoder)
    again = train_dictionaries(model, tmp_path / "out", learning, ["layer_1"])
    assert torch.equal(again["layer_1"].encoder, stored.encoder)
    with pytest.raises(InputError, match="none is given for layer_0"):
        dictionary_of(model, "layer_0", given)


def test_layers_are_the_usual_stages(model):
    assert stages_of(model, None) == ["layer_0", "layer_1"]
    assert stages_of(load("codec_tiny"), None) == ["latent"]
    with pytest.raises(InputError, match="no such stage"):
        stages_of(model, ["layer_9"])
    with pytest.raises(InputError, match="codes"):
        stages_of(model, ["codes"])


def test_clips_to_label_on_are_not_learnt_from(model):
    learnt, labelled = learning_clips(model, None, 0), labelled_clips(model, None)
    assert len(labelled) == 1  # its codec knows its own tones only
    assert len(learnt) == len(labelled[0]) == 480
    assert len(np.unique(joined_groups(labelled))) == 480


def test_no_clips_is_one_line():
    with pytest.raises(InputError, match="name a corpus, as `tonotopy corpus` renders one"):
        learning_clips(load("codec_tiny"), None, 0)


@pytest.mark.parametrize("wrong", [{"features": 1}, {"k": 0}, {"tokens": 5}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="must be at least"):
        Learning(**wrong)
