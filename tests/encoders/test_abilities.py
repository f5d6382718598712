import pytest

from tonotopy.encoders import load
from tonotopy.encoders.abilities import (
    Decodes,
    Differentiates,
    Quantizes,
    Redraws,
    RunsFrom,
    Scales,
    codebooks_of,
    scale_of,
)

ABILITIES = (Decodes, Scales, RunsFrom, Quantizes, Redraws, Differentiates)
CODEC = {ability.__name__ for ability in ABILITIES}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("codec_tiny", CODEC),
        ("samplecnn_tiny", {"RunsFrom", "Redraws", "Differentiates"}),
        ("filterbank:stft", {"Differentiates"}),  # no weights, nothing to draw
        ("control:texture", {"Differentiates"}),
        ("musicvae_tiny", {"Decodes", "Redraws"}),
        ("control:planted", {"Decodes"}),
    ],
)
def test_an_encoder_is_what_it_can_do(name, expected):
    encoder = load(name)
    assert {ability.__name__ for ability in ABILITIES if isinstance(encoder, ability)} == expected


def test_an_ability_that_is_none_is_none():
    encoder = load("samplecnn_tiny", weights="random")
    assert isinstance(encoder, Redraws)
    encoder.randomised = None  # type: ignore[method-assign]
    assert not isinstance(encoder, Redraws)


def test_what_is_not_there_is_empty(noise):
    bank, codec = load("filterbank:stft"), load("codec_tiny")
    waveforms = noise(1, 4000)
    assert scale_of(bank, waveforms) is None
    assert scale_of(codec, waveforms) is None  # it could, and does not: no norm
    assert codebooks_of(bank) == ()
    assert [tuple(book.shape) for book in codebooks_of(codec)] == [(256, 64)] * 8


def test_the_scale_is_what_the_waveforms_are_divided_by(encodec_48khz, noise):
    waveforms = noise(2, 4000)
    scale = scale_of(encodec_48khz, waveforms)
    assert scale is not None
    assert scale.tolist() == pytest.approx(waveforms.square().mean(dim=1).sqrt().tolist(), rel=1e-5)
