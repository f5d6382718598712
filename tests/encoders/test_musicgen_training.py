"""Training of a MusicGen: it learns what follows, resumes to the byte, and its card says what it measured."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

pytest.importorskip("transformers")

from tonotopy.encoders.codec import codec_tiny
from tonotopy.encoders.musicgen.coded import read_coded
from tonotopy.encoders.musicgen.conditions import NOT_REQUESTED, FactorConditions
from tonotopy.encoders.musicgen.config import MusicGenConfig
from tonotopy.encoders.musicgen.decoder import ConditionedDecoder
from tonotopy.encoders.musicgen.named import listening, musicgen_tiny
from tonotopy.encoders.training import musicgen_evaluation
from tonotopy.encoders.training.labels import LabelledFile, find_labels
from tonotopy.encoders.training.musicgen import MusicGenTask, losses, train_musicgen
from tonotopy.encoders.training.musicgen_evaluation import (
    held_out_cross_entropy,
    stretches,
    unigram_cross_entropy,
)
from tonotopy.encoders.training.musicgen_material import (
    CodedClip,
    MusicGenRecipe,
    batch,
    coded_clips,
    encode_corpus,
    factors_of,
)
from tonotopy.encoders.weights import randomly_initialised
from tonotopy.synth.errors import InputError

pytestmark = pytest.mark.numerical

RATE = 24_000
SMALL = MusicGenConfig(dimension=16, layers=2, heads=2, feedforward=32, context=32)
SHORT = MusicGenRecipe(steps=8, batch_size=2)
FACTORS = (("texture", ("line", "chords")), ("register", ("low", "high")))


@pytest.fixture(scope="module", autouse=True)
def one_thread_throughout():
    """One thread for all that is compared to the byte, what the whole module shares among it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Low and high tones, alone and in threes, with what is known of them."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = [("path", "label", "split", "group", "kind", "register", "density", "mean_midi", "onsets_per_s")]
    time_s = np.arange(RATE) / RATE
    for label, lowest_hz in (("organ", 200.0), ("reed", 400.0)):
        for n, split in enumerate(["training"] * 4 + ["validation"] * 2 + ["test"] * 2):
            name, kind = f"{label}/{n}.wav", ("line", "chords")[n % 2]
            ratios = ((1.0,), (1.0, 1.26, 1.5))[n % 2]
            Path(folder / label).mkdir(exist_ok=True)
            tones = [0.2 * np.sin(2 * np.pi * lowest_hz * 2 ** (n / 12) * ratio * time_s) for ratio in ratios]
            soundfile.write(folder / name, np.sum(tones, axis=0), RATE)
            register = ("low", "high")[n // 2 % 2]
            rows.append((name, label, split, f"{label}{n}", kind, register, "sparse", str(60 + n), "1.0"))
    with open(folder / "labels.csv", "w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    return folder


@pytest.fixture
def few(monkeypatch):
    """An evaluation of few sounds."""
    for name, value in (("_PER_VALUE", 2), ("_PER_FAMILY", 2), ("_SOUNDS", 3), ("_PERMUTATIONS", 19)):
        monkeypatch.setattr(musicgen_evaluation, name, value)


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_PER_VALUE", 2), ("_PER_FAMILY", 2), ("_SOUNDS", 3), ("_PERMUTATIONS", 19)):
            patch.setattr(musicgen_evaluation, name, value)
        out = tmp_path_factory.mktemp("out") / "musicgen"
        before = torch.get_rng_state()
        scores = train_musicgen(corpus, out, SMALL, SHORT)
        assert torch.equal(torch.get_rng_state(), before)  # the caller's random state is left alone
        return out, scores


def made_up(n: int, frames: int, split: str = "training", seed: int = 0) -> list[CodedClip]:
    """Clips whose next code follows from the last: each codebook counts upwards."""
    rng = np.random.default_rng(seed)
    clips = []
    for i in range(n):
        starts = rng.integers(0, 256, 4)
        codes = ((starts[:, None] + np.arange(frames)) % 256).astype(np.int16)
        file = LabelledFile(Path(f"{i}.wav"), "organ", split, str(i))
        clips.append(CodedClip(file, codes, {"texture": ("line", "chords")[i % 2], "register": "low"}))
    return clips


def test_it_learns_what_follows():
    config = replace(SMALL, factors=FACTORS, dimension=32)
    recipe = MusicGenRecipe(steps=150, batch_size=8, learning_rate=1e-2, dropout=0.0)
    task = MusicGenTask(made_up(64, 64), config, recipe, seed=0)
    for number in range(recipe.steps):
        with torch.random.fork_rng():
            torch.manual_seed(number)
            for one in task.batches(number):
                task.step(one, number)
    model = listening("counting", task.model.eval(), config, "trained")
    found = held_out_cross_entropy(model, made_up(16, 29, seed=1), True)
    assert found.mean() < 0.6 * math.log(256)


def test_losses_are_the_mean_of_what_the_model_says():
    config = replace(SMALL, factors=FACTORS)
    model = randomly_initialised(lambda: ConditionedDecoder(config), 0).eval()
    assert isinstance(model, ConditionedDecoder)
    codes = torch.randint(0, 256, (3, 4, 20), generator=torch.Generator().manual_seed(0))
    chosen = torch.tensor([[0, 1], [NOT_REQUESTED, 0], [NOT_REQUESTED, NOT_REQUESTED]])
    encoder = listening("model", model, config, "random")
    asked = [{"texture": "line", "register": "high"}, {"register": "low"}, {}]
    expected = encoder.token_losses(codes, asked).mean((0, 2))
    torch.testing.assert_close(losses(model, codes, chosen), expected, rtol=1e-5, atol=1e-5)


def test_what_training_leaves_behind(trained):
    out, scores = trained
    model = musicgen_tiny(out / "model.safetensors")
    assert model.weights.source == str(out / "model.safetensors")
    assert [stage for stage in model.stages if stage.startswith("layer")] == ["layer_0", "layer_1"]
    conditions = model.conditions
    assert isinstance(conditions, FactorConditions)
    assert conditions.factors["family"] == ("organ", "reed")
    with open(out / "log.csv", newline="") as opened:
        assert [row["step"] for row in csv.DictReader(opened)] == ["8"]
    assert set(scores.cross_entropy) == {
        (what, how)
        for what in ("pieces", "instruments")
        for how in ("conditional", "unconditional", "float32", "random")
    }
    for each in scores.cross_entropy.values():
        assert each.shape == (4,)
    stored, rounded = (scores.cross_entropy["pieces", how] for how in ("float32", "conditional"))
    np.testing.assert_allclose(stored, rounded, rtol=1e-2)


def test_the_card_states_what_was_measured(trained):
    out, scores = trained
    card = (out / "model.md").read_text()
    each = scores.cross_entropy["pieces", "conditional"]
    assert f"| held-out pieces | with its factors | {each.mean():.3f} | {each[0]:.3f} |" in card
    assert f"unigram) | {scores.unigram['pieces'].mean():.3f} |" in card
    for one in scores.heeded:
        assert f"| {one.factor} |" in card
        assert f"{one.p:.4f}" in card
    assert "tonotopy train musicgen --corpus CORPUS --out OUT --steps 8 --seed 0" in card
    assert "real codes, frames shuffled in time" in card


def test_a_stretch_of_every_clip_is_kept(trained, corpus):
    out, _ = trained
    kept = read_coded(out / "codes.npz")
    assert kept.codes.shape == (16, 4, SMALL.context + 1 - 4)
    assert sorted(set(kept.splits.tolist())) == ["test", "training", "validation"]
    table = {file.path.stem + file.label: file.columns for file in find_labels(corpus)}
    for row in range(len(kept)):
        values = {name: kept.classes[name][kept.factors[name][row]] for name in ("family", "texture")}
        place = {"validation": (4, 5), "test": (6, 7), "training": range(4)}[str(kept.splits[row])]
        assert any(
            table[f"{n}{values['family']}"]["kind"] == values["texture"]
            and float(table[f"{n}{values['family']}"]["mean_midi"]) == kept.numbers["mean_midi"][row]
            for n in place
        )
    assert len(kept.of("test")) == 4
    again = out / "again.npz"
    again.write_bytes(kept.stored())
    assert read_coded(again).stored() == kept.stored()


@pytest.mark.usefixtures("few")
def test_interrupted_and_resumed_it_ends_with_the_same_bytes(corpus, tmp_path, monkeypatch, trained):
    monkeypatch.setattr(MusicGenTask, "stored", 3)
    step, done = MusicGenTask.step, []

    def interrupted(*arguments):
        done.append(True)
        if len(done) == 6:  # two steps beyond the checkpoint
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(MusicGenTask, "step", interrupted)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train_musicgen(corpus, out, SMALL, SHORT)
    assert not (out / "model.safetensors").exists()
    train_musicgen(corpus, out, SMALL, SHORT)
    assert len(done) == 6 + 8 - 3
    for name in ("model.safetensors", "log.csv", "model.md", "codes.npz"):
        assert (out / name).read_bytes() == (trained[0] / name).read_bytes()


def test_nothing_held_out_is_learnt(corpus, tmp_path, monkeypatch):
    seen: list[CodedClip] = []

    class Stop(Exception):
        pass

    def caught(self, clips, *_):
        seen.extend(clips)
        raise Stop

    monkeypatch.setattr(MusicGenTask, "__init__", caught)
    with pytest.raises(Stop):
        train_musicgen(corpus, tmp_path / "out", SMALL, SHORT)
    assert len(seen) == 8
    assert {clip.file.split for clip in seen} == {"training"}


def test_batches_follow_from_seed_and_step():
    clips = made_up(8, 40)
    values = torch.arange(16).reshape(8, 2)
    recipe = MusicGenRecipe(batch_size=400)
    one, again, other = (batch(clips, values, recipe, 20, 0, step) for step in (1, 1, 2))
    assert torch.equal(one[0], again[0])
    assert torch.equal(one[1], again[1])
    assert not torch.equal(one[0], other[0])
    assert one[0].shape == (400, 4, 20)
    none = (one[1] == NOT_REQUESTED).all(1).float().mean()
    each = (one[1] == NOT_REQUESTED).float().mean()
    assert abs(none - (0.15 + 0.85 * 0.01)) < 0.06
    assert abs(each - (0.15 + 0.85 * 0.1)) < 0.05
    kept = one[1][(one[1] != NOT_REQUESTED).all(1)]
    assert bool((kept[:, 1] == kept[:, 0] + 1).all())  # both of one clip


def test_the_unigram_is_exact():
    learnt, held_out = made_up(1, 256), made_up(1, 100, "validation")
    expected = math.log(512) - math.log(2)  # every code once, and once more for safety
    np.testing.assert_allclose(unigram_cross_entropy(learnt, held_out, 256), expected)


def test_stretches_do_not_overlap():
    clips = made_up(2, 50)
    codes, conditions = stretches(clips, 20)
    assert codes.shape == (4, 4, 20)
    assert torch.equal(codes[1, :, 0], torch.from_numpy(clips[0].codes[:, 20].astype(np.int64)))
    assert conditions[3] == clips[1].requested


def test_codes_are_those_of_the_codec_and_are_not_made_twice(corpus, tmp_path, monkeypatch):
    codec = codec_tiny(codebooks=4)
    found = find_labels(corpus)[:5]
    clips = encode_corpus(found, codec, tmp_path / "codes")
    sound, _ = soundfile.read(found[3].path, dtype="float32")
    expected = codec.run(torch.from_numpy(sound)[None], ["codes"])["codes"][0]
    assert np.array_equal(clips[3].codes, expected.numpy())
    monkeypatch.setattr(type(codec), "run", None)
    again = encode_corpus(found, codec, tmp_path / "codes")
    assert all(np.array_equal(a.codes, b.codes) for a, b in zip(clips, again, strict=True))


def test_factors_come_in_their_order(corpus):
    factors = dict(factors_of(find_labels(corpus)))
    assert factors == {
        "family": ("organ", "reed"),
        "texture": ("line", "chords"),
        "register": ("low", "high"),
    }  # density is sparse everywhere, and says nothing


def test_a_corpus_without_factors_is_refused(tmp_path):
    rows = [("path", "label"), *((f"{n}.wav", "ab"[n % 2]) for n in range(4))]
    with open(tmp_path / "labels.csv", "w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    with pytest.raises(InputError, match="tells no factors beside the label"):
        train_musicgen(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"dropout": 1.0}, {"unconditional": -0.1}])
def test_recipes_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=r"^training with "):
        MusicGenRecipe(**wrong)


def test_clips_shorter_than_a_context_are_left_out(tmp_path):
    clips = [*made_up(2, 40), *made_up(1, 10)]
    config = replace(SMALL, factors=FACTORS)
    assert len(coded_clips(clips, config, 0)) == 2
