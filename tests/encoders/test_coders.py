from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tonotopy.encoders import InputError, registry
from tonotopy.encoders.abilities import Decodes, Quantizes
from tonotopy.encoders.coders import third_octaves
from tonotopy.encoders.quantization import residual_quantization

from .tones import tones

load: Any = cache(registry.load)  # the tests look behind the contract

CODERS = ("control:band_codec", "control:dominant_codec")
PATCH_CODECS = ("control:identity_codec", "control:mu_law_codec")
EDGES_HZ = third_octaves(24_000)


def codes(name, waveforms):
    """Int [Q] of the first frame."""
    return load(name).run(waveforms, ["codes"])["codes"][0, :, 0].numpy()


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.floats(120, 6000), st.sampled_from([-20.0, -35.0]), st.floats(0, 6.28))
def test_a_partial_changes_the_codes_of_its_band_alone(frequency_hz, level_dbfs, phase_rad):
    found = codes("control:band_codec", tones(frequency_hz, 10 ** (level_dbfs / 20), phase_rad))
    own = np.searchsorted(EDGES_HZ, frequency_hz, side="right") - 1
    changed = found.nonzero()[0]
    assert own in changed
    if np.abs(EDGES_HZ - frequency_hz).min() > 13.4:
        assert changed.tolist() == [own]
        assert found[own] == np.round((level_dbfs + 60) / 3)
    assert len(changed) <= 2


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    st.integers(4, 19),
    st.lists(st.tuples(st.integers(3, 20), st.floats(0, 6.28)), max_size=12, unique_by=lambda o: o[0]),
)
def test_tokens_of_a_partial_stay_whatever_sounds_elsewhere(band, others):
    centre_hz = np.sqrt(EDGES_HZ[:-1] * EDGES_HZ[1:])
    elsewhere = [other for other in others if other[0] != band]
    alone = codes("control:band_codec", tones(centre_hz[band]))
    together = codes(
        "control:band_codec",
        tones(
            [centre_hz[band], *(centre_hz[b] for b, _ in elsewhere)], 0.1, [0.0, *(p for _, p in elsewhere)]
        ),
    )
    silent = codes("control:band_codec", torch.zeros(1, 7200))
    assert together[band] == alone[band] != silent[band]
    assert set((together != silent).nonzero()[0]) == {band, *(b for b, _ in elsewhere)}


def test_bands_cover_what_lies_between_and_nothing_twice():
    bands = load("control:band_codec").module.bands
    assert bands.shape[0] == len(EDGES_HZ) - 1 == 22
    assert set(bands.sum(0).tolist()) == {0.0, 1.0}
    np.testing.assert_allclose(EDGES_HZ[1:] / EDGES_HZ[:-1], 2 ** (1 / 3))
    assert EDGES_HZ[-1] < 0.45 * 24_000


@pytest.mark.parametrize("name", CODERS)
def test_coders_quantize_as_their_codebooks_say(name, noise):
    assert isinstance(load(name), Quantizes)
    encoder = load(name)
    found = encoder.run(noise(2, 8000), ["latent", "quantized", "codes"])
    expected = residual_quantization(found["latent"].transpose(1, 2), encoder.codebooks)
    assert torch.equal(found["codes"], expected.codes.transpose(1, 2))
    assert torch.equal(found["quantized"], expected.vectors[:, :, -1].transpose(1, 2))
    assert encoder.stages["quantized"].codebooks == len(encoder.codebooks) == encoder.stages["codes"].channels


def test_a_level_is_within_half_a_step_of_its_code(noise):
    found = load("control:band_codec").run(noise(2, 8000), ["latent", "quantized"])
    assert (found["latent"] - found["quantized"]).abs().max() <= 1.501


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(5, 400), st.integers(5, 400), st.floats(0.05, 0.9))
def test_the_dominant_codec_knows_the_louder_partial_alone(loud, quiet, ratio):
    assume(abs(loud - quiet) >= 6)
    bin_hz = 24_000 / 1024
    mixture = tones([loud * bin_hz, quiet * bin_hz], [0.1, 0.1 * ratio], length=1024)
    assert codes("control:dominant_codec", mixture).tolist() == [loud]


def test_the_dominant_codec_names_the_loudest_bin(noise):
    encoder, waveforms = load("control:dominant_codec"), noise(2, 5000)
    magnitude = load("filterbank:stft_magnitude").run(waveforms, ["first_layer"])["first_layer"]
    found = encoder.run(waveforms, ["quantized", "codes"])
    assert torch.equal(found["codes"][:, 0], magnitude.argmax(1))
    assert torch.equal(found["quantized"].argmax(1), magnitude.argmax(1))
    assert torch.equal(found["quantized"].sum(1), torch.ones(found["codes"][:, 0].shape))


@pytest.mark.parametrize("name", PATCH_CODECS)
def test_patch_codecs_lose_nothing(name, noise):
    assert isinstance(load(name), Decodes)
    encoder = load(name)
    for level in (1e-4, 0.1, 1.0):
        waveforms = noise(2, 3200, level)
        decoded = encoder.decode(encoder.run(waveforms, ["latent"])["latent"])
        error = (decoded - waveforms).abs().max() / level
        assert error == 0 if name == "control:identity_codec" else error < 3e-5
    assert encoder.decode(encoder.run(noise(1, 700), ["latent"])["latent"]).shape == (1, 640)


def test_what_is_taken_from_the_identity_s_latent_is_taken_from_the_sound(noise):
    encoder, partial, rest = load("control:identity_codec"), tones(440, length=3200), noise(1, 3200)
    both, one = (encoder.run(w, ["latent"])["latent"] for w in (partial + rest, partial))
    torch.testing.assert_close(encoder.decode(both - one), rest, atol=1e-6, rtol=0)


def test_what_is_taken_from_the_mu_law_s_latent_leaves_something_else():
    encoder, partial, rest = load("control:mu_law_codec"), tones(440, length=3200), tones(1000, length=3200)
    both, one = (encoder.run(w, ["latent"])["latent"] for w in (partial + rest, partial))
    assert (encoder.decode(both - one) - rest).norm() > 0.5 * rest.norm()


def test_mu_law_is_what_its_formula_says():
    waveforms = torch.linspace(-1, 1, 320)[None]
    latent = load("control:mu_law_codec").run(waveforms, ["latent"])["latent"][0, :, 0].numpy()
    x = waveforms[0].double().numpy()
    np.testing.assert_allclose(latent, np.sign(x) * np.log(1 + 255 * np.abs(x)) / np.log(256), atol=1e-6)


@pytest.mark.parametrize("name", [*CODERS, *PATCH_CODECS])
def test_coders_take_no_weights_and_no_odd_rates(name, tmp_path):
    assert load(name).weights.source == load(name, weights="random").weights.source == "none"
    with pytest.raises(InputError, match=f"{name} has no weights"):
        load(name, weights=tmp_path / "model.pt")
    with pytest.raises(InputError, match=f"sample_rate 999: {name} needs"):
        load(name, sample_rate=999)


def test_a_latent_of_another_shape_is_not_decoded():
    with pytest.raises(InputError, match=r"stage 'latent': activations of shape \(1, 3, 2\)"):
        load("control:identity_codec").decode(torch.zeros(1, 3, 2))
