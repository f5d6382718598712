import csv
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch.nn import functional as F

from tonotopy.encoders.musicvae.config import MusicVAEConfig
from tonotopy.encoders.musicvae.model import MusicVAE, one_hot
from tonotopy.encoders.musicvae.named import heldout_melodies, musicvae_tiny
from tonotopy.encoders.training import musicvae as trainer
from tonotopy.encoders.training import precision
from tonotopy.encoders.training.musicvae import MusicVAETask, losses, prepare, sampled_steps, train_musicvae
from tonotopy.encoders.training.musicvae_evaluation import given_back, latent_use
from tonotopy.encoders.training.musicvae_material import (
    MelodyMaterial,
    MusicVAERecipe,
    batch,
    gather_melodies,
)
from tonotopy.encoders.training.precision import learns_in_bfloat16, precision_of
from tonotopy.encoders.weights import randomly_initialised
from tonotopy.synth.errors import InputError
from tonotopy.synth.melodies import CLASSES, FIRST_NOTE, checked_rolls, random_notes
from tonotopy.synth.melody_material import Material, transposition_invariant

pytestmark = [pytest.mark.numerical, pytest.mark.usefixtures("one_thread")]

SMALL = MusicVAEConfig(encoder=(16,), decoder=(16, 16), latent_dimensions=8)
SHORT = MusicVAERecipe(steps=12, batch_size=8, sampling_rate=2.0, excerpts=((8, 0.3),))
WHOLE = replace(SHORT, excerpts=())


def melodies(count, seed=0):
    """Scales: a first note, up or down, in eighths or quarters."""
    rng = np.random.default_rng(seed)
    rolls = np.zeros((count, 32), np.uint8)
    for roll in rolls:
        lasts, way, first = rng.choice([2, 4]), rng.choice([-1, 1]), rng.integers(35, 50)
        roll[::lasts] = first + way * np.arange(32 // lasts)
    return rolls


@pytest.fixture(scope="module")
def material():
    splits = {
        name: np.unique(melodies(n, seed), axis=0)
        for seed, (name, n) in enumerate({"train": 60, "validation": 10, "test": 30}.items())
    }
    splits = {
        name: Material(rolls, np.arange(len(rolls)) % 2 == 0, np.arange(len(rolls)) // 3)
        for name, rolls in splits.items()
    }
    return MelodyMaterial(splits, "Scales.", "none needed", "--generated 0 ")


@pytest.fixture(scope="module")
def trained(material, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "musicvae"
    before = torch.get_rng_state()
    scores = train_musicvae(material, out, SMALL, SHORT)
    assert torch.equal(torch.get_rng_state(), before)  # the caller's random state is left alone
    return out, scores


@pytest.fixture
def model():
    return randomly_initialised(lambda: MusicVAE(SMALL), 0)


def test_it_learns_scales(material, tmp_path):
    config = MusicVAEConfig(encoder=(32,), decoder=(32,), latent_dimensions=8)
    recipe = MusicVAERecipe(
        steps=350, batch_size=32, learning_rate=2e-2, beta_rate=0.999, sampling_rate=0, excerpts=()
    )
    scores = train_musicvae(material, tmp_path / "out", config, recipe)
    for kind in ("written", "generated"):
        assert scores.given["trained", kind].steps > scores.constant[kind] + 0.1
        assert (
            scores.given["trained", kind].forced_onsets > scores.given["untrained", kind].forced_onsets + 0.2
        )
    first = scores.use.posterior.order[:2]
    assert np.abs(scores.use.pitch[first]).max() > 0.5 or np.abs(scores.use.onsets[first]).max() > 0.5


def test_what_training_leaves_behind(trained):
    out, _ = trained
    with safe_open(out / "model.safetensors", framework="pt") as opened:
        assert json.loads(opened.metadata()["musicvae"])["latent_dimensions"] == 8
        assert {opened.get_tensor(name).dtype for name in opened.keys()} == {torch.float16}  # noqa: SIM118
    assert musicvae_tiny(out / "model.safetensors").config == SMALL
    with open(out / "log.csv", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["step"] for row in rows] == ["12"]
    assert float(rows[0]["loss"]) > 0


def test_the_held_out_melodies_are_the_written_ones_of_the_test(trained, material):
    test = material.splits["test"]
    with np.load(trained[0] / "heldout.npz", allow_pickle=False) as held_out:
        np.testing.assert_array_equal(held_out["rolls"], test.rolls[test.written])
        np.testing.assert_array_equal(held_out["pieces"], test.pieces[test.written])
        assert held_out["rolls"].dtype == np.uint8


def test_the_bundled_melodies_are_tunes_of_two_bars():
    rolls, pieces = heldout_melodies()
    assert checked_rolls(rolls).shape == (len(pieces), 32)
    assert rolls.dtype == np.uint8
    assert len(np.unique(rolls, axis=0)) == len(rolls)
    assert 1 < len(np.unique(pieces)) < len(pieces)


def test_the_bundled_model_is_what_its_card_says():
    zoo = files("tonotopy.encoders.zoo")
    content, card = (zoo / "musicvae_tiny.safetensors").read_bytes(), (zoo / "musicvae_tiny.md").read_text()
    assert f"`{hashlib.sha256(content).hexdigest()}` ({len(content):,} bytes" in card
    assert len(content) <= 4 << 20
    model, (rolls, _) = musicvae_tiny(), heldout_melodies()
    mu, sigma = model.encode(rolls)
    given = given_back(model, rolls, mu)
    stated = re.search(r"\| written \| trained \| ([\d.]+) \| ([\d.]+) \|", card)
    assert stated is not None
    assert [100 * given.steps, 100 * given.onsets] == pytest.approx(
        [float(s) for s in stated.groups()], abs=0.1
    )
    music = sigma.mean(axis=0) < 0.9
    assert 20 < music.sum() < 64  # a clear minority of 128
    without = given_back(model, rolls, np.where(music, mu, 0))
    assert given.steps - without.steps < 0.01


def test_the_card_states_what_was_measured(trained, material):
    out, scores = trained
    card = (out / "model.md").read_text()
    for (name, kind), given in scores.given.items():
        shares = (given.steps, given.onsets, given.whole, given.forced_steps, given.forced_onsets)
        assert f"| {kind} | {name} | " + " | ".join(f"{100 * s:.2f}" for s in shares) + " |" in card
    assert {name for name, _ in scores.given} == {"trained", "untrained", "float32", "active latents"}
    assert {kind for _, kind in scores.given} == {"written", "generated"}
    for share in scores.constant.values():
        assert f"{100 * share:.2f} (" in card
    assert f"Divergence from the prior: {scores.use.posterior.divergence.sum():.1f} nats" in card
    for place, dimension in enumerate(scores.use.posterior.order, 1):
        assert f"| {place} | {dimension} | {scores.use.posterior.mean_sigma[dimension]:.3f} |" in card
    assert json.dumps({"steps": 12, "batch_size": 8})[1:-1] in card
    assert "tonotopy train musicvae --out OUT --generated 0 --steps 12 --seed 0" in card
    assert f"matrices multiplied in {precision_of(True, torch.device('cpu'))}" in card
    assert f"| train | {int(material.splits['train'].written.sum())} | " in card


def test_interrupted_and_resumed_it_ends_with_the_same_bytes(material, tmp_path, monkeypatch, trained):
    monkeypatch.setattr(MusicVAETask, "stored", 5)
    step, done = MusicVAETask.step, []

    def interrupted(*arguments):
        done.append(True)
        if len(done) == 8:  # three steps beyond the checkpoint
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(MusicVAETask, "step", interrupted)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train_musicvae(material, out, SMALL, SHORT)
    assert not (out / "model.safetensors").exists()
    train_musicvae(material, out, SMALL, SHORT)
    assert len(done) == 8 + 12 - 5
    for name in ("model.safetensors", "log.csv", "model.md"):
        assert (out / name).read_bytes() == (trained[0] / name).read_bytes()


def test_a_diverging_training_is_refused(material, tmp_path):
    recipe = replace(SHORT, learning_rate=1e30)
    with pytest.raises(InputError, match=r"training diverged: loss .* choose a lower one"):
        train_musicvae(material, tmp_path / "out", SMALL, recipe)
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_another_training_in_the_folder_is_not_touched(trained, material):
    with pytest.raises(InputError, match="holds another training"):
        train_musicvae(material, trained[0], SMALL, replace(SHORT, steps=13))
    fewer = {**material.splits, "test": Material(melodies(3, 9), np.ones(3, bool), np.arange(3))}
    with pytest.raises(InputError, match="holds another training"):
        train_musicvae(replace(material, splits=fewer), trained[0], SMALL, SHORT)


def test_a_processor_without_bfloat16_trains_in_float32_and_says_so(material, tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise RuntimeError(
            "could not create a primitive descriptor for the LSTM forward propagation primitive"
        )

    full = replace(SHORT, bfloat16=False)
    train_musicvae(material, tmp_path / "full", SMALL, full)
    monkeypatch.setattr(precision.LSTMLayer, "step", refuse)
    learns_in_bfloat16.cache_clear()
    assert precision_of(True, torch.device("cpu")) == "float32"
    monkeypatch.undo()  # what was found holds for the process
    train_musicvae(material, tmp_path / "lacking", SMALL, SHORT)
    learns_in_bfloat16.cache_clear()
    files = [tmp_path / name / "model.safetensors" for name in ("full", "lacking")]
    assert files[0].read_bytes() == files[1].read_bytes()
    cards = [(tmp_path / name / "model.md").read_text() for name in ("full", "lacking")]
    assert "- matrices multiplied in float32\n" in cards[0]
    assert "- matrices multiplied in float32, as the processor cannot in bfloat16\n" in cards[1]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="AVX2 is of another processor")
def test_what_the_processor_is_held_to_counts_and_not_what_it_has():
    tried = "from tonotopy.encoders.training.precision import learns_in_bfloat16 as f; print(f('cpu'))"
    held = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    ran = subprocess.run([sys.executable, "-c", tried], env=held, capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_a_training_does_not_go_on_in_another_precision(material, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "precision_of", lambda *_: "float32")
    train_musicvae(material, tmp_path, SMALL, SHORT)
    monkeypatch.setattr(trainer, "precision_of", lambda *_: "bfloat16")
    with pytest.raises(InputError, match='precision is "float32" there and "bfloat16" here'):
        train_musicvae(material, tmp_path, SMALL, SHORT)


def test_trying_a_precision_draws_nothing():
    learns_in_bfloat16.cache_clear()
    before = torch.get_rng_state()
    learns_in_bfloat16("cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_melodies_of_another_length_are_refused_before_anything_is_written(material, tmp_path):
    with pytest.raises(InputError, match=r"train melodies of 32 steps: the model's have 16"):
        train_musicvae(material, tmp_path / "out", replace(SMALL, bars=1), SHORT)
    assert not (tmp_path / "out").exists()


def test_a_batch_follows_from_seed_and_step_and_moves_melodies():
    rolls, recipe = melodies(4), replace(WHOLE, batch_size=600)
    one, again, other = (batch(rolls, recipe, 0, step) for step in (3, 3, 4))
    assert (one == again).all()
    assert not (one == other).all()
    forms = {roll.tobytes() for roll in transposition_invariant(rolls)}
    assert {roll.tobytes() for roll in transposition_invariant(one)} == forms
    (moved,) = np.unique(batch(rolls[:1], recipe, 0, 0)[:, 0].astype(int) - rolls[0, 0], return_counts=True)[
        :1
    ]
    assert moved.tolist() == list(range(-5, 6))


def test_a_training_begins_with_excerpts():
    rolls, recipe = random_notes(3), replace(SHORT, steps=40, batch_size=400, excerpts=((4, 0.1), (16, 0.5)))
    lengths = [batch(rolls, recipe, 0, step).shape[1] for step in (0, 3, 4, 19, 20, 39)]
    assert lengths == [4, 4, 16, 16, 32, 32]
    drawn = np.concatenate([batch(rolls, recipe, seed, 0) for seed in range(40)])
    excerpts = transposition_invariant(drawn)
    whole = transposition_invariant(rolls.reshape(-1, 4))
    assert {e.tobytes() for e in excerpts} == {w.tobytes() for w in whole}  # each begins at a quarter


def test_a_model_with_a_conductor_has_no_excerpts(material, tmp_path):
    config = MusicVAEConfig(encoder=(8,), decoder=(8,), latent_dimensions=4, conductor=(8,), segments=2)
    with pytest.raises(InputError, match="learns from whole melodies"):
        train_musicvae(material, tmp_path / "out", config, SHORT)
    scores = train_musicvae(material, tmp_path / "out", config, replace(WHOLE, steps=2))
    assert scores.use.posterior.mean_sigma.shape == (4,)


def test_a_melody_at_the_edge_is_moved_as_far_as_it_can_be():
    rolls = np.zeros((2, 32), np.uint8)
    rolls[0, 0], rolls[1, 0], rolls[1, 1] = FIRST_NOTE, CLASSES - 1, FIRST_NOTE + 2
    moved = batch(rolls, replace(WHOLE, batch_size=300), 0, 0)
    low, high = moved[moved[:, 1] == 0, 0], moved[moved[:, 1] > 0]
    assert (low.min(), low.max()) == (FIRST_NOTE, FIRST_NOTE + 5)
    assert (high[:, 0].min(), high[:, 0].max()) == (CLASSES - 3, CLASSES - 1)


def test_schedules_are_magentas():
    recipe = MusicVAERecipe(max_beta=0.2, beta_rate=0.99999, sampling_rate=1000.0, excerpts=())
    assert recipe.beta(0) == 0.005
    assert recipe.beta(100_000) == pytest.approx(0.2 * (1 - np.exp(-1)), rel=1e-4)
    for step in (3_000, 5_000, 10_000):
        expected = 1 - 1000 / (1000 + np.exp(step / 1000))
        assert recipe.sampled_share(step) == pytest.approx(expected)
    assert recipe.sampled_share(0) == 0  # Magenta's 0.001 is less than is worth a run
    assert recipe.sampled_share(10**9) == 1
    later = replace(recipe, steps=20_000, excerpts=((8, 0.25),))
    assert later.sampled_share(4_999) == 0
    assert later.beta(4_999) == 0.005
    assert later.beta(105_000) == recipe.beta(100_000)
    assert later.sampled_share(10_000) == recipe.sampled_share(5_000)
    assert replace(recipe, sampling_rate=0).sampled_share(10**6) == 0


def test_what_the_decoder_says_of_its_own_draws_is_what_it_said_while_it_drew(model):
    inputs, latents = one_hot(random_notes(6)), torch.randn(6, 8, generator=torch.manual_seed(0))
    said = []
    run = model.decoder.run
    model.decoder.run = lambda z, choose: run(z, lambda s, lg: (said.append(lg), choose(s, lg))[1])
    mixed = sampled_steps(model.decoder, latents, inputs, 0.5)
    assert (mixed.sum(2) == 1).all()
    changed = (mixed != inputs).any(2).float().mean()
    assert 0.3 < changed < 0.6
    with torch.no_grad():
        torch.testing.assert_close(model.decoder(latents, mixed), torch.stack(said, 1), rtol=0, atol=1e-5)


def test_share_of_draws_and_their_distribution(model):
    inputs, latents = one_hot(random_notes(500)), torch.zeros(500, 8)
    assert torch.equal(sampled_steps(model.decoder, latents, inputs, 0.0), inputs)
    with torch.no_grad():
        model.decoder.output.weight.zero_()
        model.decoder.output.bias.fill_(-50.0)
        model.decoder.output.bias[[1, 44]] = torch.tensor([0.25, 0.75]).log()
    drawn = sampled_steps(model.decoder, latents, inputs, 1.0).argmax(2)
    assert set(drawn.unique().tolist()) == {1, 44}
    assert (drawn == 44).float().mean() == pytest.approx(0.75, abs=0.02)  # 16,000 draws: 0.003


def test_losses_of_a_model_that_says_the_same_whatever_it_hears(model):
    rolls = np.zeros((5, 32), np.uint8)
    rolls[:, 0] = 40
    with torch.no_grad():
        model.decoder.output.weight.zero_()
        model.decoder.output.bias.zero_()
        model.encoder.mu.weight.zero_()
        model.encoder.mu.bias.fill_(2.0)
        model.encoder.sigma.weight.zero_()
        model.encoder.sigma.bias.fill_(np.log(np.expm1(0.5)))
        wrong, divergence, excess = losses(model, one_hot(rolls), 0.5, free_bits=10.0)
        nothing = losses(model, one_hot(rolls), 0.0, free_bits=1e3)[2]
    each = 0.5 * (4 + 0.25 - 1) - np.log(0.5)
    assert float(wrong) == pytest.approx(32 * np.log(CLASSES), rel=1e-5)
    assert float(divergence) == pytest.approx(8 * each, rel=1e-5)
    assert float(excess) == pytest.approx(8 * each - 10 * np.log(2), rel=1e-5)
    assert float(nothing) == 0


def test_losses_learn_from_the_latent_through_its_noise(model):
    wrong, _, _ = losses(model, one_hot(random_notes(4)), 1.0, 0.0)
    wrong.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
    assert model.encoder.sigma.weight.grad.abs().max() > 0


def test_preparation_says_how_often_classes_occur_and_leaves_most_latents_at_the_prior(model):
    rolls = melodies(50)
    prepare(model, rolls, 3)
    mu, sigma = model.encode(rolls)
    assert 0.02 < sigma[:, :3].mean() < 0.1
    assert (mu[:, :3].std(axis=0) > 10 * mu[:, 3:].std(axis=0).max()).all()
    assert sigma[:, 3:] == pytest.approx(1, abs=0.01)
    assert mu[:, 3:] == pytest.approx(0, abs=0.01)
    latents = np.zeros((1, 8), np.float32)
    other = latents + np.array([0, 0, 0, 1, 1, 1, 1, 1], np.float32)
    with torch.no_grad():
        said, again = (model.decoder(torch.from_numpy(z), one_hot(rolls[:1])) for z in (latents, other))
        assert torch.equal(said, again)  # what begins at the prior is unread
        model.decoder.output.weight.zero_()
        said = F.softmax(model.decoder(torch.from_numpy(latents), one_hot(rolls[:1])), 2)[0, 0]
    assert float(said[0]) == pytest.approx((rolls == 0).mean(), abs=0.05)


def test_what_begins_at_the_prior_is_held_there_until_it_is_released(material, tmp_path):
    recipe = replace(WHOLE, steps=6, narrow=3, released=1.0, learning_rate=0.05)
    untouched = replace(recipe, released=0.0)
    for name, asked in (("held", recipe), ("free", untouched)):
        train_musicvae(material, tmp_path / name, SMALL, asked)
    held, free = (musicvae_tiny(tmp_path / name / "model.safetensors") for name in ("held", "free"))
    mu, sigma = held.encode(material.splits["test"].rolls)
    assert sigma[:, 3:] == pytest.approx(1, abs=0.01)
    assert mu[:, 3:] == pytest.approx(0, abs=0.01)
    assert mu[:, :3].std(axis=0).min() > 0.01
    latents = np.zeros((1, 8), np.float32)
    moved = latents + np.array([0, 0, 0, 9, 9, 9, 9, 9], np.float32)
    rolls = material.splits["test"].rolls[:1]
    for model, same in ((held, True), (free, False)):
        decoder = model.decoder
        assert decoder is not None
        with torch.no_grad():
            said = [decoder(torch.from_numpy(z), one_hot(rolls)) for z in (latents, moved)]
        assert torch.equal(*said) == same


class Lookup(MusicVAE):
    """A model that decodes what its first latent says: every melody, class 0, or one wrong onset."""

    def __init__(self, rolls):
        super().__init__(SMALL)
        self.rolls = rolls

    def decode(self, latents, temperature=None, seed=0):
        return np.where(latents[:, :1] > 0, self.rolls, 0).astype(np.uint8)

    def predict(self, latents, rolls):
        wrong = rolls.copy()
        wrong[:, 0] += 1
        return wrong


def test_what_is_given_back_is_counted_by_steps_and_by_onsets():
    rolls = np.zeros((4, 32), np.uint8)
    rolls[:, 0], rolls[:, 8], rolls[:, 12] = 40, 42, 1
    given = given_back(Lookup(rolls), rolls, np.array([[1.0], [1.0], [1.0], [-1.0]]))
    assert given.steps == pytest.approx((3 * 32 + 29) / (4 * 32))
    assert (given.onsets, given.whole, given.n) == (0.75, 0.75, 4)
    assert (given.forced_steps, given.forced_onsets) == (31 / 32, 0.5)


class Planted(MusicVAE):
    """Mu: nothing, mean pitch, number of notes; sigma 1 in the first."""

    def encode(self, rolls):
        begins = rolls >= FIRST_NOTE
        count = begins.sum(1)
        pitch = np.where(begins, rolls, 0).sum(1) / count
        mu = np.stack([np.zeros(len(rolls)), -pitch / 10, count], 1).astype(np.float32)
        return mu, np.tile(np.array([1.0, 0.5, 0.2], np.float32), (len(rolls), 1))


def test_latent_use_of_known_latents():
    use = latent_use(Planted(replace(SMALL, latent_dimensions=3)), random_notes(400))
    assert use.posterior.order.tolist() == [2, 1, 0]
    assert use.posterior.mean_sigma == pytest.approx([1.0, 0.5, 0.2])
    assert use.music.tolist() == [False, True, True]
    assert (use.onsets[2], use.pitch[1]) == (pytest.approx(1), pytest.approx(-1))
    assert (use.onsets[0], use.pitch[0], use.posterior.divergence[0]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "training with 0 steps"),
        ({"batch_size": 0}, "batch 0"),
        ({"learning_rate": 0.0}, "rate 0.0: must be"),
        ({"max_beta": -1.0}, "max_beta -1.0"),
        ({"beta_rate": 1.5}, "beta_rate 1.5"),
        ({"free_bits": -1.0}, "free_bits -1.0"),
        ({"sampling_rate": -1.0}, "sampling_rate -1.0"),
        ({"semitones": -1}, "semitones -1"),
        ({"first_beta": float("nan")}, "first_beta nan"),
        ({"excerpts": ((8, 0.5), (4, 0.7))}, "must rise"),
        ({"excerpts": ((0, 0.5),)}, "must rise"),
        ({"excerpts": ((4, 1.5),)}, "must rise"),
    ],
)
def test_unusable_recipes(wrong, message):
    with pytest.raises(InputError, match=message):
        MusicVAERecipe(**wrong)


def test_a_folder_without_melodies_is_refused(tmp_path):
    with pytest.raises(InputError):
        gather_melodies(tmp_path, generated=0)
