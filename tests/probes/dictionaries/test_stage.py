"""A dictionary as a stage: what it gives is what the dictionary says of the stage's activations."""

import numpy as np
import pytest
import torch

from tonotopy.encoders import check, load
from tonotopy.probes import selectivity
from tonotopy.probes.dictionaries.dictionary import Dictionary, Origin
from tonotopy.probes.dictionaries.stage import with_dictionary
from tonotopy.probes.engine.session import Session
from tonotopy.synth import partials
from tonotopy.synth.errors import InputError


def drawn(width: int, features: int, k: int = 4, **origin: str) -> Dictionary:
    generator = torch.Generator().manual_seed(0)
    decoder = torch.nn.functional.normalize(torch.randn(features, width, generator=generator), dim=1)
    zeros = torch.zeros(features)
    return Dictionary(
        decoder.T.contiguous(), zeros, decoder, torch.zeros(width), k, "topk", origin=Origin(**origin)
    )


@pytest.fixture(scope="module")
def codec():
    return load("codec_tiny")


@pytest.fixture(scope="module")
def encoder(codec):
    return with_dictionary(codec, "latent", drawn(64, 96))


def test_it_conforms(encoder):
    check(encoder)
    check(with_dictionary(load("samplecnn_tiny"), "stack_end", drawn(128, 32)))


def test_the_stage_comes_after_its_own(encoder, codec):
    names = list(encoder.stages)
    assert names[names.index("latent") + 1] == "latent_features"
    assert [name for name in names if name != "latent_features"] == list(codec.stages)
    about, own = encoder.stages["latent_features"], codec.stages["latent"]
    assert (about.channels, about.hop, about.latency, about.receptive_field) == (
        96, own.hop, own.latency, own.receptive_field,
    )  # fmt: skip
    assert about.is_sparse
    assert encoder.weights.sha256 != codec.weights.sha256


def test_it_gives_the_features_of_every_frame(encoder, codec):
    waveforms = 0.1 * torch.randn(2, 6400, generator=torch.Generator().manual_seed(1))
    found = encoder.run(waveforms, ["latent_features", "first_layer"])
    assert list(found) == ["latent_features", "first_layer"]
    latent = codec.run(waveforms, ["latent"])["latent"]
    assert found["latent_features"].shape == (2, 96, 20)
    for row in range(2):
        expected = encoder.dictionary.encode(latent[row].T)
        assert torch.equal(found["latent_features"][row].T, expected)
    assert int((found["latent_features"] != 0).sum(1).max()) == 4
    assert torch.equal(found["first_layer"], codec.run(waveforms, ["first_layer"])["first_layer"])


def test_it_decodes_as_before(encoder, codec):
    latent = codec.run(torch.randn(1, 3200), ["latent"])["latent"]
    assert torch.equal(encoder.decode(latent), codec.decode(latent))
    assert not hasattr(encoder, "run_from")


def test_probes_run_on_it(encoder):
    found = selectivity(Session(encoder, ["latent_features"]), partials(200, 2_000, per_octave=3))
    assert found["best_frequency"].shape[:2] == (1, 96)
    assert np.isfinite(found["best_frequency"].values).any()


@pytest.mark.parametrize(
    ("stage", "dictionary", "message"),
    [
        ("latent", drawn(32, 8), "width"),
        ("codes", drawn(8, 8), "gives codes, which are no vectors"),
        ("nowhere", drawn(64, 8), "no such stage"),
        ("latent", drawn(64, 8, stage="stack_end"), "stack_end"),
        ("latent", drawn(64, 8, model="other"), "other"),
        ("latent", drawn(64, 8, model="codec_tiny", weights_sha256="0" * 64), "weights"),
    ],
)
def test_another_layer_width_or_model_is_refused_by_name(codec, stage, dictionary, message):
    with pytest.raises(InputError, match=message):
        with_dictionary(codec, stage, dictionary)


def test_a_name_that_is_taken_is_refused(encoder):
    with pytest.raises(InputError, match="one of that name already"):
        with_dictionary(encoder, "latent", drawn(64, 8))
