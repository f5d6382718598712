"""Training: planted features are found, by both activations; interrupted, it ends with the same bytes."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from tonotopy.probes.dictionaries import training
from tonotopy.probes.dictionaries.dictionary import Origin
from tonotopy.probes.dictionaries.files import read_dictionary
from tonotopy.probes.dictionaries.numbers import dead_share, explained_variance, l0, matching_across_seeds
from tonotopy.probes.dictionaries.rows import MemoryRows
from tonotopy.probes.dictionaries.store import ActivationStore
from tonotopy.probes.dictionaries.synthetic import SyntheticFeatures, mean_best_cosine
from tonotopy.probes.dictionaries.training import (
    DictionaryRecipe,
    DictionaryTask,
    mean_and_scale,
    train_dictionary,
    train_on,
)
from tonotopy.synth.errors import InputError

pytestmark = [pytest.mark.numerical, pytest.mark.usefixtures("one_thread")]

PLANTED = SyntheticFeatures(width=24, features=36, active=2)
RECIPE = DictionaryRecipe(
    features=36, k=2, steps=300, batch_size=256, learning_rate=2e-2, dead_after=5_000, auxiliary_k=4
)
SHORT = replace(RECIPE, steps=12, dead_after=300)
OFFSET = torch.linspace(-3, 5, 24)  # real activations have means far from zero, and any scale
SCALE = 17.0


@pytest.fixture(scope="module")
def rows():
    return SCALE * PLANTED.sample(40_000, seed=1)[0] + OFFSET


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def stored(path, rows, identity=None):
    store = ActivationStore.create(
        path, rows.shape[1], identity or {"model": "planted", "stage": "layer_1"}, 50_000
    )
    store.append(rows, np.arange(len(rows)) // 100, np.arange(len(rows)) % 100)
    store.finish()
    return store


@pytest.mark.parametrize("kind", ["topk", "batch_topk"])
def test_planted_features_are_found(rows, kind):
    """With room to spare: where there is none, a short training leaves a few directions merged."""
    dictionary = train_on(rows, replace(RECIPE, activation=kind, features=72))
    assert mean_best_cosine(dictionary, PLANTED.directions) > 0.99
    sample, active = PLANTED.sample(2_000, seed=2)
    given = SCALE * sample + OFFSET
    features = dictionary.encode(given)
    assert explained_variance(given, dictionary.reconstruct(given)) > 0.95
    assert 1.8 < l0(features) <= (2 if kind == "topk" else 2.2)
    which = (dictionary.decoder @ PLANTED.directions.T).argmax(0)  # the feature of every direction
    assert ((features[:, which] > 0) == active).float().mean() > 0.98
    torch.testing.assert_close(dictionary.decoder.norm(dim=1), torch.ones(72))
    assert dictionary.origin == Origin()


def test_seeds_agree_on_planted_features_and_a_frozen_decoder_does_not_find_them(rows):
    own, other = (train_on(rows, RECIPE, seed) for seed in (0, 1))
    assert not torch.equal(own.decoder, other.decoder)
    assert dead_share((own.encode(rows) > 0).any(0)) < 0.05
    assert mean_best_cosine(own, PLANTED.directions) > 0.97
    frozen = train_on(rows, replace(RECIPE, frozen_decoder=True, steps=100))
    start = train_on(rows, replace(RECIPE, frozen_decoder=True, steps=1))
    assert torch.equal(frozen.decoder, start.decoder)
    assert not torch.equal(frozen.encoder, start.encoder)
    assert mean_best_cosine(frozen, PLANTED.directions) < 0.75
    assert matching_across_seeds(own, other) > 0.9 > 0.7 > matching_across_seeds(own, frozen)
    assert 0.1 < explained_variance(rows, frozen.reconstruct(rows)) < 0.8


def test_the_auxiliary_loss_revives_dead_features(rows):
    """Ten features begin pointing away from all rows."""
    shares = []
    for weight in (1 / 32, 0.0):
        task = DictionaryTask(MemoryRows(rows), replace(RECIPE, auxiliary_weight=weight, steps=300), 0)
        task.learnt.encoder_bias[:10] = -3.0
        for number in range(300):
            for batch in task.batches(number):
                logged = task.step(batch, number)
        shares.append(logged[3])
        assert dict(zip(task.columns, logged, strict=True))["dead_share"] == shares[-1]
    assert shares[0] < 0.06
    assert shares[1] > 0.2


def test_every_epoch_is_in_an_order_of_its_own(rows, tmp_path):
    for source in (MemoryRows(rows[:1_030]), stored(tmp_path / "store", rows[:1_030])):
        task = DictionaryTask(source, SHORT, 0)  # four batches an epoch
        drawn = [next(iter(task.batches(number)))[:, 0].tolist() for number in range(8)]
        first, second = drawn[:4], drawn[4:]
        assert first[0] != second[0]
        for epoch in (first, second):
            every = [value for batch in epoch for value in batch]
            assert len(every) == 1_024
            assert len(set(every)) > 1_000  # each row once: nearly all differ
        again = DictionaryTask(source, SHORT, 0)
        assert next(iter(again.batches(6)))[:, 0].tolist() == drawn[6]  # without those before


def test_what_is_logged_is_what_the_dictionary_does(rows):
    """With a rate of next to nothing, the dictionary after a step is the one before it."""
    task = DictionaryTask(MemoryRows(rows), replace(SHORT, learning_rate=1e-9), 0)
    (batch,) = task.batches(0)
    given = batch * task.scale + task.mean
    dictionary = task.dictionary(Origin())
    found = dict(zip(task.columns, task.step(batch, 0), strict=True))
    assert found["explained_variance"] == pytest.approx(
        explained_variance(given, dictionary.reconstruct(given)), abs=1e-4
    )
    assert found["l0"] == pytest.approx(l0(dictionary.encode(given)), abs=0.02)
    left = (dictionary.reconstruct(given) - given).square().mean() / task.scale**2
    assert found["loss"] == pytest.approx(left.item(), rel=1e-4)
    assert found["dead_share"] == 0


def test_a_feature_is_dead_after_so_many_rows(rows):
    task = DictionaryTask(MemoryRows(rows), replace(SHORT, auxiliary_weight=0.0, dead_after=700), 0)
    task.learnt.encoder_bias[:9] = -99.0
    shares = [task.step(next(task.batches(number)), number)[3] for number in range(5)]
    assert shares[:2] == [0, 0]  # 256 and 512 rows
    assert shares[2:] == pytest.approx([9 / 36] * 3)


def test_the_auxiliary_loss_is_what_dead_features_leave_of_the_error(rows):
    """Loss and entries against the definition, with features declared dead."""
    task = DictionaryTask(MemoryRows(rows), replace(SHORT, features=60, auxiliary_weight=0.5), 0)
    (batch,) = task.batches(0)
    plain = task.step(batch, 0)[0]
    task = DictionaryTask(MemoryRows(rows), replace(SHORT, features=60, auxiliary_weight=0.5), 0)
    task.learnt.silent[20:] = 10_000
    weights = task.learnt.encoder.clone()
    before = torch.relu(batch @ weights.T)
    kept = before * torch.zeros_like(before).scatter(1, before.topk(2).indices, 1.0)
    left = batch - kept @ weights
    dead = before[:, 20:]
    dead = dead * torch.zeros_like(dead).scatter(1, dead.topk(4).indices, 1.0)
    share = (left - dead @ weights[20:]).square().sum() / left.square().sum()
    assert task.step(batch, 0)[0] == pytest.approx(plain + 0.5 * share.item(), rel=1e-5)


def test_a_step_goes_down(rows):
    task = DictionaryTask(MemoryRows(rows), replace(RECIPE, steps=40), 0)
    (batch,) = task.batches(0)
    assert batch.mean(0).abs().max() < 0.3
    assert batch.square().mean() == pytest.approx(1, rel=0.1)
    losses = [task.step(batch, step)[0] for step in range(40)]
    assert losses[-1] < 0.5 * losses[0]
    assert np.mean(np.diff(losses) < 0) > 0.9


@pytest.mark.parametrize("kind", ["topk", "batch_topk"])
def test_killed_and_gone_on_with_it_ends_with_the_same_bytes(rows, tmp_path, monkeypatch, kind):
    """Across epochs (8 batches each), with dead features, between any two checkpoints."""
    recipe, store = replace(SHORT, activation=kind), stored(tmp_path / "store", rows[:2_100])
    monkeypatch.setattr(DictionaryTask, "stored", 5)
    monkeypatch.setattr(DictionaryTask, "logged", 3)
    whole = train_dictionary(store, tmp_path / "whole", recipe)
    real = DictionaryTask.step
    for stop in (2, 7, 11):
        out = tmp_path / f"cut{stop}"

        def dies(task, batch, step, stop=stop):
            if step == stop:
                raise KeyboardInterrupt
            return real(task, batch, step)

        monkeypatch.setattr(DictionaryTask, "step", dies)
        with pytest.raises(KeyboardInterrupt):
            train_dictionary(store, out, recipe)
        assert not (out / "dictionary.safetensors").exists()
        monkeypatch.setattr(DictionaryTask, "step", real)
        train_dictionary(store, out, recipe)
        for name in ("dictionary.safetensors", "log.csv", "training.json"):
            assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    found = read_dictionary(tmp_path / "whole")
    assert torch.equal(found.encoder, whole.encoder)
    assert found.origin == Origin("planted", "layer_1", "", "12 steps of 256 rows, seed 0")
    log = list(csv.DictReader((tmp_path / "whole" / "log.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in log] == [3, 6, 9, 12]
    assert list(log[0]) == ["step", "loss", "explained_variance", "l0", "dead_share"]
    assert float(log[-1]["loss"]) < float(log[0]["loss"])


def test_another_training_or_store_is_refused(rows, tmp_path):
    store = stored(tmp_path / "store", rows[:2_100])
    train_dictionary(store, tmp_path / "out", SHORT)
    with pytest.raises(InputError, match=r"recipe\.k is 2 there and 3 here"):
        train_dictionary(store, tmp_path / "out", replace(SHORT, k=3))
    other = stored(tmp_path / "other", rows[:2_100], {"model": "planted", "stage": "layer_2"})
    with pytest.raises(InputError, match=r'activations\.stage is "layer_1" there and "layer_2" here'):
        train_dictionary(other, tmp_path / "out", SHORT)
    with pytest.raises(InputError, match="batch size 5000: must be 1 to 2100"):
        train_dictionary(store, tmp_path / "large", replace(SHORT, batch_size=5_000))
    assert not (tmp_path / "large").exists()
    half = ActivationStore.create(tmp_path / "half", 24, {})
    with pytest.raises(InputError, match="is half written"):
        train_dictionary(half, tmp_path / "none", SHORT)


def test_what_cannot_be_learnt_from_is_refused(rows):
    with pytest.raises(InputError, match="all rows are the same"):
        train_on(torch.ones(300, 4), SHORT)
    with pytest.raises(InputError, match="row 3 holds NaN or Inf"):
        train_on(torch.cat([rows[:3], rows[:1] * torch.nan, rows[:300]]), SHORT)
    task = DictionaryTask(MemoryRows(rows), SHORT, 0)
    with pytest.raises(InputError, match=r"training diverged: loss .* at rate 0\.02: choose a lower one"):
        task.step(torch.full((256, 24), 1e30), 0)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_mean_and_scale_are_of_the_rows(rows, tmp_path, offset, monkeypatch):
    monkeypatch.setattr(training, "_STRETCH", 7)
    for count in (5, 448, 2_100):  # one stretch; as many rows as are looked at; more
        some = rows[:count] + offset
        mean, scale = mean_and_scale(stored(tmp_path / f"{offset}{count}", some))
        looked = some
        if count == 2_100:
            starts = np.linspace(0, count - 7, 64).astype(int)
            looked = torch.cat([some[start : start + 7] for start in starts])
        exact = looked.double()
        torch.testing.assert_close(mean.double(), exact.mean(0), rtol=1e-6, atol=1e-5)
        assert scale == pytest.approx((exact - exact.mean(0)).square().mean().sqrt().item(), rel=1e-6)


def test_offset_and_scale_of_the_rows_do_not_matter():
    """Powers of two keep rounding the same: features of scaled rows are the scaled features."""
    rows, _ = PLANTED.sample(3_000, seed=5)
    one, other = train_on(rows, SHORT), train_on(64 * rows, SHORT)
    torch.testing.assert_close(other.encode(64 * rows[:99]), 64 * one.encode(rows[:99]), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(other.decoder, one.decoder, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"features": 0}, "features 0"), ({"k": 37}, "k 37: must be at most the number of features, 36"),
        ({"steps": 1.5}, "steps 1.5"), ({"batch_size": -1}, "batch_size -1"),
        ({"dead_after": 0}, "dead_after 0"),
        ({"activation": "jumprelu"}, "activation 'jumprelu': topk and batch_topk can be trained"),
        ({"learning_rate": 0.0}, "learning_rate 0.0"), ({"learning_rate": float("nan")}, "learning_rate nan"),
        ({"auxiliary_weight": -1.0}, "auxiliary_weight -1.0"), ({"auxiliary_k": 0}, "auxiliary_k 0"),
    ],
)  # fmt: skip
def test_bad_recipes(change, says):
    with pytest.raises(InputError, match=says):
        replace(RECIPE, **change)


@pytest.mark.parametrize("change", [{"width": 0}, {"active": 0}, {"active": 37}])
def test_bad_synthetic_features(change):
    with pytest.raises(InputError, match="synthetic features"):
        replace(PLANTED, **change)


def test_synthetic_rows_are_sums_of_their_active_directions():
    rows, active = PLANTED.sample(500, seed=0)
    assert active.sum(1).unique().tolist() == [2]
    assert (active.float().mean(0) > 0.02).all()
    torch.testing.assert_close(PLANTED.directions.norm(dim=1), torch.ones(36))
    for row, on in zip(rows[:20], active[:20], strict=True):
        solved = torch.linalg.lstsq(PLANTED.directions[on].T, row[:, None]).solution[:, 0]
        assert ((solved > 0.499) & (solved < 1.501)).all()
        torch.testing.assert_close(solved @ PLANTED.directions[on], row, rtol=1e-4, atol=1e-5)
    assert not torch.equal(PLANTED.sample(500, seed=1)[0], rows)


# Recorded: mean best cosine 0.9995, none dead, 4 s on one thread of a plain processor.
@pytest.mark.slow
def test_many_planted_features_are_found():
    planted = SyntheticFeatures(width=64, features=128, active=4)
    rows, _ = planted.sample(200_000, seed=1)
    recipe = DictionaryRecipe(
        features=128, k=4, steps=1_200, batch_size=1_024, learning_rate=5e-3, dead_after=20_000
    )
    dictionary = train_on(rows, recipe)
    assert mean_best_cosine(dictionary, planted.directions) > 0.99
    assert dead_share((dictionary.encode(planted.sample(20_000, seed=2)[0]) > 0).any(0)) < 0.05
