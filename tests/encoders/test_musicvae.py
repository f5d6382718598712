import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.encoders import load
from tonotopy.encoders.abilities import Redraws
from tonotopy.encoders.musicvae.base import LatentModel
from tonotopy.encoders.musicvae.config import SIXTEEN_BAR, TWO_BAR_SMALL, MusicVAEConfig
from tonotopy.encoders.musicvae.control import MELODY, PITCH, RHYTHM, truncated_normal
from tonotopy.encoders.musicvae.model import MusicVAE
from tonotopy.synth.errors import InputError
from tonotopy.synth.melodies import prior_latents, prior_samples, random_notes

pytestmark = pytest.mark.numerical

FLAT = MusicVAEConfig(encoder=(12,), decoder=(10, 8), latent_dimensions=6)
DIRECTED = MusicVAEConfig(
    bars=4, encoder=(6, 6), decoder=(7, 7), latent_dimensions=5, conductor=(9, 8), segments=4
)


@pytest.fixture(params=[FLAT, DIRECTED], ids=["flat", "directed"])
def model(request):
    torch.manual_seed(3)
    made = MusicVAE(request.param).eval()
    for parameter in made.parameters():  # far enough from nothing for melodies to differ
        torch.nn.init.normal_(parameter, std=1.0)
    return made


def melodies(model, count=40):
    return random_notes(count, model.config.bars)


def test_steps_of_decoded_melodies_may_be_subtracted():
    model = load("control:planted")
    latents = np.random.default_rng(0).standard_normal((8, model.latent_dimensions)).astype(np.float32)
    for rolls in (model.decode(latents), model.predict(latents, model.decode(latents))):
        assert np.diff(rolls).min() < 0


def test_it_is_a_latent_model(model):
    assert isinstance(model, LatentModel)
    assert not isinstance(load("filterbank:stft"), LatentModel)


def test_teacher_forced_and_free_running_agree_on_what_it_decoded(model):
    """Given its own steps as the truth, a greedy model predicts those steps: both paths are one decoder."""
    latents = prior_latents(model.latent_dimensions, 60)
    rolls = model.decode(latents)
    assert len(np.unique(rolls)) > 5
    assert len(np.unique(rolls, axis=0)) > 30
    np.testing.assert_array_equal(model.predict(latents, rolls), rolls)


def test_a_step_depends_on_those_before_it_only(model):
    latents, rolls = prior_latents(model.latent_dimensions, 20), melodies(model, 20)
    late = model.steps // 2 + 3
    changed = rolls.copy()
    changed[:, late] = (changed[:, late] + 7) % 90
    before, after = (model.predict(latents, r) for r in (rolls, changed))
    np.testing.assert_array_equal(before[:, : late + 1], after[:, : late + 1])
    assert (before[:, late + 1 :] != after[:, late + 1 :]).any()


def test_the_step_before_reaches_across_segments():
    """A segment's first step is told the last step of the segment before, not nothing."""
    torch.manual_seed(0)
    model = MusicVAE(DIRECTED).eval()
    latents, rolls = prior_latents(5, 30), random_notes(30, 4)
    changed = rolls.copy()
    changed[:, 15] = (changed[:, 15] + 9) % 90  # the end of the first segment
    decoder = model.decoder
    assert decoder is not None
    with torch.no_grad():
        one, other = (
            decoder(
                torch.from_numpy(latents), torch.nn.functional.one_hot(torch.from_numpy(r).long(), 90).float()
            )
            for r in (rolls, changed)
        )
    assert (one[:, 16] - other[:, 16]).abs().max() > 1e-4
    np.testing.assert_array_equal(one[:, 32:], other[:, 32:])  # later segments begin anew


def test_rows_do_not_depend_on_one_another(model):
    rolls = melodies(model)
    mu, sigma = model.encode(rolls)
    alone, spread = model.encode(rolls[7:8])
    np.testing.assert_allclose(mu[7:8], alone, atol=1e-6)
    np.testing.assert_allclose(sigma[7:8], spread, atol=1e-6)
    assert (sigma > 0).all()
    assert np.ptp(mu, axis=0).min() > 0


def test_time_runs_both_ways_in_the_encoder(model):
    """The first and the last step both matter, and differently."""
    rolls = melodies(model, 10)
    mu, _ = model.encode(rolls)
    for step in (0, model.steps - 1):
        changed = rolls.copy()
        changed[:, step] = (changed[:, step] + 5) % 90
        assert np.abs(model.encode(changed)[0] - mu).max() > 1e-3
    assert np.abs(model.encode(rolls[:, ::-1])[0] - mu).max() > 1e-3


def test_drawing_follows_the_softmax_at_a_temperature(model):
    latents = np.repeat(prior_latents(model.latent_dimensions, 1), 4000, 0)
    first = model.decode(latents, temperature=2.0, seed=5)[:, 0]
    with torch.no_grad():
        logits = model.decoder.run(torch.from_numpy(latents[:1]), lambda step, told: torch.zeros(1, 90))[0, 0]
    expected = torch.softmax(logits / 2.0, 0).numpy()
    share = np.bincount(first, minlength=90) / len(first)
    assert np.abs(share - expected).max() < 5 * np.sqrt(0.25 / len(first))
    assert share.max() < 0.9


def test_draws_follow_from_the_seed(model):
    latents = prior_latents(model.latent_dimensions, 50)
    again = model.decode(latents, 1.0, seed=1)
    np.testing.assert_array_equal(model.decode(latents, 1.0, seed=1), again)
    assert (model.decode(latents, 1.0, seed=2) != again).any()
    np.testing.assert_array_equal(model.decode(latents, 1e-6, seed=2), model.decode(latents))


def test_what_does_not_fit_is_refused(model):
    with pytest.raises(InputError, match=f"hears {model.steps}"):
        model.encode(np.zeros((2, model.steps + 1), np.uint8))
    with pytest.raises(InputError, match="class 90"):
        model.encode(np.full((2, model.steps), 90, np.uint8))
    for latents in (np.zeros((2, 3)), np.zeros(6), np.full((1, model.latent_dimensions), np.nan)):
        with pytest.raises(InputError, match="latents of shape"):
            model.decode(latents)
    for count in (1, 3):  # neither of one for both, nor of the first two
        with pytest.raises(InputError, match=f"{count} latents for 2 melodies"):
            model.predict(np.zeros((count, model.latent_dimensions)), np.zeros((2, model.steps), np.uint8))
    with pytest.raises(InputError, match="temperature 0"):
        model.decode(np.zeros((1, model.latent_dimensions)), temperature=0)
    model.decoder = None
    with pytest.raises(InputError, match="encoder only"):
        model.decode(np.zeros((1, model.latent_dimensions)))
    model.encoder = None
    with pytest.raises(InputError, match="decoder only"):
        model.encode(melodies(model))


@pytest.mark.parametrize(
    "sizes",
    [
        {"encoder": ()},
        {"decoder": (0,)},
        {"latent_dimensions": 0},
        {"latent_dimensions": float("nan")},
        {"encoder": (8.0,)},
        {"bars": 2.5},
        {"segments": 2},
        {"segments": 3, "conductor": (4,)},
        {"conductor": (4,)},
    ],
)
def test_sizes_that_make_no_model_are_refused(sizes):
    with pytest.raises(InputError, match="MusicVAE of"):
        MusicVAEConfig(**sizes)


def test_named_models_are_as_published():
    assert (TWO_BAR_SMALL.steps, SIXTEEN_BAR.steps) == (32, 256)
    with pytest.raises(InputError, match=r"cat-mel_2bar_big\.tar"):
        load("musicvae_2bar")
    with pytest.raises(InputError, match=r"hierdec-mel_16bar\.tar"):
        load("musicvae_16bar")


def test_random_weights_follow_from_the_seed():
    one, same, other = (load("musicvae_tiny", weights="random", seed=s) for s in (1, 1, 2))
    assert one.weights == same.weights
    assert one.weights.sha256 != other.weights.sha256
    assert isinstance(one, Redraws)
    assert one.randomised(2).weights.sha256 == other.weights.sha256


def test_the_control_gives_back_what_it_encodes():
    control = load("control:planted")
    rolls = prior_samples(control.decode, 16, 2000)
    mu, _ = control.encode(rolls)
    np.testing.assert_array_equal(control.decode(mu), rolls)
    np.testing.assert_array_equal(control.predict(mu, rolls), rolls)


def test_the_controls_posteriors_fill_the_prior():
    control = load("control:planted")
    mu, sigma = control.encode(prior_samples(control.decode, 16, 40_000))
    np.testing.assert_allclose(mu.var(0) + (sigma**2).mean(0), 1, atol=0.02)
    idle = np.delete(np.arange(16), [PITCH, RHYTHM, MELODY])
    assert (mu[:, idle] == 0).all()
    assert (sigma[:, idle] == 1).all()


@given(st.integers(2, 40))
@settings(derandomize=True, deadline=None)
def test_cells_of_the_normal_keep_its_mean_and_variance(cells):
    means, deviations = truncated_normal(cells)
    assert abs(means.mean()) < 1e-9
    assert abs((means**2 + deviations**2).mean() - 1) < 1e-9
    assert (np.diff(means) > 0).all()


def test_the_control_takes_any_melody_and_no_weights():
    control = load("control:planted")
    mu, sigma = control.encode(np.vstack([random_notes(50), np.zeros((1, 32), np.uint8)]))
    assert np.isfinite(mu).all()
    assert (sigma > 0).all()
    with pytest.raises(InputError, match="hears 32"):
        control.encode(random_notes(2, bars=4))
    with pytest.raises(InputError, match="has no weights"):
        load("control:planted", weights="some.file")
