from itertools import product

import numpy as np
import pytest
import torch

from tonotopy.encoders import InputError, check, load
from tonotopy.encoders.abilities import Decodes, Quantizes, Redraws
from tonotopy.encoders.musicgen.model import Edit, MusicGen, addition
from tonotopy.encoders.musicgen.planted import (
    PLANTED,
    REQUEST,
    STAY,
    expected_level_dbfs,
    expected_share,
    expected_shares,
    planted_clips,
    planted_dictionary_arrays,
    planted_direction,
    planted_directions,
    planted_stream,
    transition,
)
from tonotopy.encoders.musicgen.planted_codec import CYCLES, FACTORS, LEVELS_DBFS, OCTAVES

pytest.importorskip("transformers")
pytestmark = pytest.mark.usefixtures("one_thread")

NAME = "control:planted_stream"
RATES = (24_000, 5_000, 16_000, 44_100)
EVERY = torch.tensor(list(product(range(8), repeat=3))).T[None]  # [1, 3, 512]: all there is, frame by frame
SEEDS, FRAMES = range(1500), 40


@pytest.fixture(scope="module")
def model() -> MusicGen:
    found = load(NAME)
    assert isinstance(found, MusicGen)
    return found


@pytest.fixture(scope="module")
def unsteered(model):
    return model.generate(FRAMES, seeds=SEEDS)


def random_codes(batch, frames, seed=0):
    return torch.randint(8, (batch, 3, frames), generator=torch.Generator().manual_seed(seed))


def share(codes, feature):
    """How often a feature is there, of codes [B, 3, F]."""
    factor, value = PLANTED[feature]
    return (codes[:, list(FACTORS).index(factor)] == value).double().mean().item()


def level_dbfs(model, codes):
    return 10 * model.decode_codes(codes).double().square().mean().log10().item()


def test_it_does_what_it_declares(model):
    check(model)
    assert model.weights.source == "none"
    assert model.layers == ("layer_0", "layer_1")
    assert [isinstance(model, ability) for ability in (Decodes, Quantizes, Redraws)] == [True, True, False]


@pytest.mark.parametrize("sample_rate", RATES)
def test_every_frame_is_encoded_as_it_was_decoded(sample_rate):
    model = planted_stream(sample_rate=sample_rate)
    waveform = model.decode_codes(EVERY)
    hop = model.stages["codes"].hop
    assert waveform.shape == (1, 512 * hop)
    assert hop == round(sample_rate / 75)
    assert waveform.abs().max() < 1
    assert torch.equal(model.encode(waveform), EVERY)
    found = model.run(waveform, ["latent", "quantized"])
    assert torch.equal(model.decode(found["latent"]), waveform)
    assert torch.equal(model.decode(found["quantized"]), waveform)
    torch.testing.assert_close(found["latent"].unflatten(1, (3, 8)).amax(2), torch.ones(1, 3, 512))


def test_a_frame_sounds_as_its_entries_say(model):
    frames = model.decode_codes(EVERY).double().reshape(512, 320)
    pitch, level, timbre = EVERY[0].numpy()
    spectrum = torch.fft.rfft(frames).abs().numpy()
    np.testing.assert_array_equal(spectrum.argmax(1), np.array(CYCLES)[pitch])
    rms_dbfs = 10 * np.log10(frames.square().mean(1).numpy())
    np.testing.assert_allclose(rms_dbfs, np.array(LEVELS_DBFS)[level], atol=1e-4)
    octave = spectrum[range(512), 2 * np.array(CYCLES)[pitch]] / spectrum.max(1)
    np.testing.assert_allclose(octave, np.array(OCTAVES)[timbre], atol=1e-5)
    assert model.frame_rate_hz == 75
    assert FACTORS["pitch"][3] == f"{CYCLES[3] * 75} Hz"


def test_any_waveform_has_codes(model, noise):
    assert (model.encode(torch.zeros(1, 640))[:, 1] == 0).all()
    for level in (1e-12, 1e-3, 1.0, 1e6):
        assert model.encode(noise(2, 3200, level)).shape == (2, 3, 10)
    assert (model.encode(noise(1, 3200, 10.0))[:, 1] == 7).all()


def test_phase_and_a_slight_change_of_level_do_not_matter(model):
    codes = random_codes(4, 1).repeat(1, 1, 5)
    waveforms = model.decode_codes(codes)
    moved = waveforms[:, 77 : 77 + 3 * 320]
    assert torch.equal(model.encode(1.15 * moved), codes[..., :3])


def test_directions_are_a_basis_and_not_orthogonal():
    directions = planted_directions()
    assert directions.shape == (len(PLANTED), 512) == (24, 512)
    assert torch.linalg.matrix_rank(directions) == 24
    assert torch.linalg.cond(directions) < 5
    overlaps = (directions @ directions.T - torch.eye(24)).abs()
    assert overlaps.max() > 0.1
    for row, feature in enumerate(PLANTED):
        assert torch.equal(planted_direction(feature), directions[row])
    names = [f"{factor} {value}" for factor, values in FACTORS.items() for value in values]
    assert list(PLANTED) == names


@pytest.mark.parametrize("stage", ["layer_0", "layer_1"])
def test_the_dictionary_reads_the_codes(model, stage):
    codes, truths = planted_clips(24, 8, seed=3)
    stream = model.run(model.decode_codes(codes), [stage])[stage]  # [B, d, F]
    encoder, encoder_bias, decoder = planted_dictionary_arrays()
    whole = stream[..., :-2].transpose(1, 2)  # the last two wait for codes that never come
    features = whole @ encoder + encoder_bias
    expected = torch.zeros(24, 24)
    for row, (factor, value) in enumerate(PLANTED.values()):
        expected[:, row] = torch.from_numpy(truths[factor] == value).float()
    torch.testing.assert_close(features, expected[:, None].expand(features.shape), atol=1e-5, rtol=0)
    torch.testing.assert_close(features @ decoder, whole, atol=1e-5, rtol=0)


def test_clips_keep_what_is_said_of_them():
    codes, truths = planted_clips(20, 6, seed=1)
    assert codes.shape == (20, 3, 6)
    assert codes.dtype == torch.int64
    for q, factor in enumerate(FACTORS):
        np.testing.assert_array_equal(codes[:, q].numpy(), np.repeat(truths[factor][:, None], 6, 1))
        assert set(np.bincount(truths[factor])) == {2, 3}
    assert torch.equal(planted_clips(20, 6, seed=1)[0], codes)
    assert not torch.equal(planted_clips(20, 6, seed=2)[0], codes)


@pytest.mark.parametrize("feature", ["pitch 450 Hz", "level -12 dBFS", "timbre octave 0/8"])
@pytest.mark.parametrize("alpha", [0.0, 0.7, -2.0])
def test_losses_are_those_of_the_chain(model, feature, alpha):
    codes = random_codes(3, 20)
    found = model.token_losses(codes, edit=addition("layer_1", alpha * planted_direction(feature)))
    for q, factor in enumerate(FACTORS):
        strength = alpha if factor == PLANTED[feature][0] else 0.0
        own = feature if factor == PLANTED[feature][0] else f"{factor} {FACTORS[factor][0]}"
        follows, first = transition(strength, own), expected_shares(1, strength, own)
        chain = codes[:, q].numpy()
        np.testing.assert_allclose(found[:, q, 0], -np.log(first[chain[:, 0]]), atol=1e-5)
        np.testing.assert_allclose(found[:, q, 1:], -np.log(follows[chain[:, :-1], chain[:, 1:]]), atol=1e-5)


def test_transitions_are_probabilities_that_stay():
    for alpha in (-3.0, 0.0, 0.4, 50.0):
        follows = transition(alpha, "pitch 600 Hz")
        np.testing.assert_allclose(follows.sum(1), 1)
    np.testing.assert_allclose(np.diag(transition(0, "pitch 600 Hz")), STAY)
    np.testing.assert_allclose(expected_shares(30, 0, "level -33 dBFS"), 1 / 8)
    at_length = expected_shares(20_000, 0.3, "pitch 600 Hz")
    np.testing.assert_allclose(at_length @ transition(0.3, "pitch 600 Hz"), at_length, atol=1e-4)


def test_a_direction_adds_to_its_own_logit_alone(model):
    codes = random_codes(2, 6)
    added = model.logits(codes, edit=addition("layer_0", 2 * planted_direction("level -24 dBFS")))
    expected = torch.zeros(3, 8)
    expected[1, 3] = 2 * np.log(7 * STAY / (1 - STAY))
    difference = added - model.logits(codes)
    torch.testing.assert_close(difference, expected[:, None].expand(difference.shape), atol=1e-5, rtol=0)


def test_an_empty_edit_changes_nothing(model):
    codes = random_codes(2, 6)
    nothing = addition("layer_0", torch.zeros(512))
    assert torch.equal(model.logits(codes, edit=nothing), model.logits(codes))
    same = Edit("layer_1", lambda stream: stream)
    assert torch.equal(model.generate(12, seeds=(0, 1), edit=same), model.generate(12, seeds=(0, 1)))


@pytest.mark.parametrize("asked", [None, {"pitch": "300 Hz", "timbre": "octave 7/8"}])
def test_generation_needs_no_cache(model, asked):
    edit = addition("layer_1", planted_direction("level -33 dBFS"))
    cached, whole = (
        model.generate(20, seeds=range(4), condition=asked, edit=edit, cached=cached)
        for cached in (True, False)
    )
    assert torch.equal(cached, whole)


def test_unsteered_shares_are_even(unsteered):
    for feature in PLANTED:
        assert share(unsteered, feature) == pytest.approx(1 / 8, abs=0.02)
    stays = (unsteered[..., 1:] == unsteered[..., :-1]).double().mean((0, 2))
    np.testing.assert_allclose(stays, STAY, atol=0.003)


@pytest.mark.parametrize(
    ("feature", "alpha", "stage"),
    [
        ("pitch 900 Hz", 0.5, "layer_0"),
        ("level -12 dBFS", 0.3, "layer_1"),
        ("level -21 dBFS", 1.0, "layer_0"),
    ],
)
def test_steering_does_what_the_closed_form_says(model, unsteered, feature, alpha, stage):
    steered = model.generate(FRAMES, seeds=SEEDS, edit=addition(stage, alpha * planted_direction(feature)))
    assert share(steered, feature) == pytest.approx(expected_share(FRAMES, alpha, feature), rel=0.02)
    power = 10 ** (expected_level_dbfs(FRAMES, alpha, feature) / 10)
    assert 10 ** (level_dbfs(model, steered) / 10) == pytest.approx(power, rel=0.02)
    for q, factor in enumerate(FACTORS):
        assert torch.equal(steered[:, q], unsteered[:, q]) == (factor != PLANTED[feature][0])


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_value_is_asked_for_by_its_direction(model, guidance):
    feature, options = "timbre octave 4/8", {"seeds": range(300), "guidance": guidance}
    asked = model.generate(FRAMES, condition={"timbre": "octave 4/8"}, **options)
    edit = addition("layer_0", guidance * REQUEST * planted_direction(feature))
    assert torch.equal(asked, model.generate(FRAMES, edit=edit, **options))
    assert share(asked, feature) == pytest.approx(
        expected_share(FRAMES, guidance * REQUEST, feature), rel=0.02
    )


def test_nothing_asked_for_is_nothing_heard(model):
    codes = random_codes(2, 6)
    assert torch.equal(model.logits(codes, condition={}), model.logits(codes))


def test_loading_leaves_the_random_state_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, other = load(NAME, seed=1), load(NAME, weights="random", seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.weights == other.weights


def test_bad_input_is_refused(model, tmp_path):
    with pytest.raises(InputError, match=f"{NAME} has no weights"):
        load(NAME, weights=tmp_path / "model.pt")
    for rate in (4_999, 24_000.5):
        with pytest.raises(InputError, match=f"sample_rate {rate}: {NAME} needs a whole number"):
            load(NAME, sample_rate=rate)
    for refused in (planted_direction, lambda one: transition(0, one), lambda one: expected_share(9, 0, one)):
        with pytest.raises(
            InputError, match="feature 'pitch': not planted; planted are pitch 225 Hz"
        ) as error:
            refused("pitch")
        assert len(str(error.value)) <= 500
    with pytest.raises(InputError, match="alpha nan: must be finite"):
        expected_level_dbfs(9, float("nan"), "level -12 dBFS")
    with pytest.raises(InputError, match="0 frames: must be at least 1"):
        expected_share(0, 1, "level -12 dBFS")
    for n, frames, seed in ((0, 9, 0), (9, 0, 0), (9, 9, -1)):
        with pytest.raises(InputError, match=f"{n} clips of {frames} frames, seed {seed}: must be"):
            planted_clips(n, frames, seed)
    with pytest.raises(InputError, match="needs at least 320"):
        model.encode(torch.zeros(1, 319))
    with pytest.raises(InputError, match=r"activations of shape \(1, 3, 2\)"):
        model.decode(torch.zeros(1, 3, 2))
    with pytest.raises(InputError, match="must be a whole number, 0 to 7"):
        model.decode_codes(torch.full((1, 3, 2), 8))
    with pytest.raises(InputError, match="condition pitch '226 Hz': must be one of 225 Hz"):
        model.generate(4, condition={"pitch": "226 Hz"})
