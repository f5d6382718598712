"""Activations on disk: what is written is read, interrupted or not, and damage is named."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tonotopy.probes.dictionaries import store as stores
from tonotopy.probes.dictionaries.rows import MemoryRows
from tonotopy.probes.dictionaries.store import ActivationStore, open_store
from tonotopy.synth.errors import InputError

IDENTITY = {"model": "musicgen_tiny", "stage": "layer_1", "weights_sha256": "ab", "settings": {"seconds": 10}}
WIDTH, SHARD_ROWS = 3, 10
SHARD_BYTES = 4 * WIDTH * SHARD_ROWS


def table(rows):
    """Rows that name themselves, of clips of seven frames."""
    numbers = torch.arange(float(rows))
    return numbers[:, None] + torch.tensor([0.0, 0.25, 0.5]), np.arange(rows) // 7, np.arange(rows) % 7


def written(path, rows, pieces=(4, 25, 1), finish=True):
    store = ActivationStore.create(path, WIDTH, IDENTITY, SHARD_BYTES)
    add(store, rows, pieces)
    if finish:
        store.finish()
    return store


def add(store, rows, pieces=(4, 25, 1)):
    values, clips, frames = table(rows)
    at, number = len(store), 0
    while at < rows:
        piece = slice(at, at + pieces[number % len(pieces)])
        store.append(values[piece], clips[piece], frames[piece])
        at, number = piece.stop, number + 1


def contents(path):
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


@given(st.integers(1, 64), st.lists(st.integers(1, 40), min_size=1, max_size=4), st.data())
def test_what_is_written_is_read(tmp_path_factory, rows, pieces, data):
    store = written(tmp_path_factory.mktemp("store") / "s", rows, pieces)
    values, clips, frames = table(rows)
    reopened = open_store(store.path)
    assert len(reopened) == len(store) == rows
    assert reopened.last == (clips[-1], frames[-1])
    start = data.draw(st.integers(0, rows - 1))
    stop = data.draw(st.integers(start + 1, rows))
    assert torch.equal(reopened.rows(start, stop), values[start:stop])
    found = reopened.places(start, stop)
    assert found[0].dtype == found[1].dtype == np.int32
    assert found[0].tolist() == clips[start:stop].tolist()
    assert found[1].tolist() == frames[start:stop].tolist()


@pytest.mark.parametrize("killed_after", [3, 10, 27])
def test_an_interrupted_store_goes_on_to_the_same_bytes(tmp_path, killed_after):
    written(tmp_path / "whole", 44)
    written(tmp_path / "cut", killed_after, finish=False)
    again = ActivationStore.create(tmp_path / "cut", WIDTH, IDENTITY, SHARD_BYTES)
    assert len(again) == killed_after // SHARD_ROWS * SHARD_ROWS
    assert again.last == (None if killed_after < 10 else ((len(again) - 1) // 7, (len(again) - 1) % 7))
    add(again, 44, (7,))
    again.finish()
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.parametrize("stop", range(1, 17))
def test_killed_between_any_two_files(tmp_path, monkeypatch, stop):
    """Every shard is three files and an index; the last is finished by one."""
    written(tmp_path / "whole", 34)
    real, done = stores.replace_file, 0

    def dies(path, content):
        nonlocal done
        done += 1
        if done > stop:
            raise KeyboardInterrupt
        real(path, content)

    monkeypatch.setattr(stores, "replace_file", dies)
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "cut", 34)
    monkeypatch.setattr(stores, "replace_file", real)
    again = ActivationStore.create(tmp_path / "cut", WIDTH, IDENTITY, SHARD_BYTES)
    assert not again.finished
    add(again, 34)
    again.finish()
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_finished_store_is_found_and_not_added_to(tmp_path):
    written(tmp_path / "s", 12)
    before = contents(tmp_path / "s")
    again = ActivationStore.create(tmp_path / "s", WIDTH, IDENTITY)
    assert again.finished
    with pytest.raises(InputError, match="is finished; nothing can be added"):
        again.append(*table(2))
    again.finish()
    assert contents(tmp_path / "s") == before


def test_another_identity_is_refused_by_name(tmp_path):
    written(tmp_path / "s", 12, finish=False)
    for other, says in (
        (IDENTITY | {"stage": "layer_2"}, 'stage is "layer_1" there and "layer_2" here'),
        (IDENTITY | {"settings": {"seconds": 9}}, "settings.seconds is 10 there and 9 here"),
        (IDENTITY | {"corpus": "x"}, 'corpus is null there and "x" here'),
        ({k: v for k, v in IDENTITY.items() if k != "model"}, 'model is "musicgen_tiny" there and null here'),
    ):
        with pytest.raises(InputError, match=says):
            ActivationStore.create(tmp_path / "s", WIDTH, other)
    with pytest.raises(InputError, match="width is 3 there and 4 here"):
        ActivationStore.create(tmp_path / "s", 4, IDENTITY)


def test_what_is_no_store_is_left_alone(tmp_path):
    with pytest.raises(InputError, match="there is none"):
        open_store(tmp_path / "nowhere")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(InputError, match="exists and holds something else"):
        ActivationStore.create(tmp_path / "mine", WIDTH, IDENTITY)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"
    written(tmp_path / "half", 12, finish=False)
    with pytest.raises(InputError, match="half written"):
        open_store(tmp_path / "half")
    with pytest.raises(InputError, match="no activations were added"):
        ActivationStore.create(tmp_path / "empty", WIDTH, IDENTITY).finish()


@pytest.mark.parametrize("name", ["rows-00001.npy", "clips-00000.npy", "frames-00002.npy"])
def test_damaged_shards_are_named(tmp_path, name):
    written(tmp_path / "s", 26)
    path = tmp_path / "s" / name
    whole = path.read_bytes()
    for length in (len(whole) - 1, 100, 0):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=rf"shard {name} is truncated: {length} of {len(whole)} bytes"):
            open_store(tmp_path / "s")
    path.write_bytes(b"?" * len(whole))
    with pytest.raises(InputError, match=f"shard {name} cannot be read"):
        reads_all(open_store(tmp_path / "s"))
    np.save(path, np.zeros((40, 4)))
    with pytest.raises(InputError, match=f"shard {name} holds float64"):
        reads_all(open_store(tmp_path / "s"))
    path.unlink()
    with pytest.raises(InputError, match=f"shard {name} is missing"):
        open_store(tmp_path / "s")


def reads_all(store):
    store.rows(0, len(store))
    store.places(0, len(store))


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"version": 1, "width": 3}'])
def test_a_damaged_index_is_named(tmp_path, content):
    written(tmp_path / "s", 12)
    (tmp_path / "s" / "store.json").write_text(content)
    with pytest.raises(InputError, match=r"store\.json"):
        open_store(tmp_path / "s")


def test_bad_rows_are_refused(tmp_path):
    store = ActivationStore.create(tmp_path / "s", WIDTH, IDENTITY, SHARD_BYTES)
    values, clips, frames = table(9)
    with pytest.raises(InputError, match=r"activations of shape \(9, 2\)"):
        store.append(values[:, :2], clips, frames)
    with pytest.raises(InputError, match=r"clips of shape \(8,\)"):
        store.append(values, clips[:8], frames)
    with pytest.raises(InputError, match=r"frames of shape .* float64"):
        store.append(values, clips, frames / 1)
    with pytest.raises(InputError, match="clips from 0 to 4294967296"):
        store.append(values, clips * 2**32, frames)
    values[8, 1] = float("nan")
    with pytest.raises(InputError, match="activations: clip 1, frame 1 holds NaN or Inf"):
        store.append(values, clips, frames)
    assert store._waits == 0
    with pytest.raises(InputError, match="rows 0 to 1"):
        store.rows(0, 1)


@given(st.integers(1, 400), st.integers(1, 30), st.integers(0, 3), st.integers(0, 5))
def test_batches_hold_every_row_once_in_an_order_of_their_own(tmp_path_factory, rows, size, seed, first):
    store = written(tmp_path_factory.mktemp("store") / "s", rows, (100,))
    windows = store._window_rows()
    assert sum(windows) == rows
    assert max(windows) <= stores.WINDOW * SHARD_ROWS
    if size > max(windows):
        with pytest.raises(InputError, match=f"batch size {size}"):
            next(store.batches(seed, 0, size))
        return
    found = [batch[:, 0].int().tolist() for batch in store.batches(seed, 1, size)]
    every = [row for batch in found for row in batch]
    assert all(len(batch) == size for batch in found)
    assert len(set(every)) == len(every) >= rows - len(windows) * (size - 1)
    assert len(found) == store.batches_per_epoch(size)
    again = [batch[:, 0].int().tolist() for batch in store.batches(seed, 1, size, first)]
    assert again == found[first:]
    whole = torch.cat(list(store.batches(seed, 1, size)))
    assert torch.equal(whole, whole[:, :1] + torch.tensor([0.0, 0.25, 0.5]))


def test_other_seeds_and_epochs_draw_other_orders(tmp_path):
    sources = (
        written(tmp_path / "s", 230, (100,)),
        written(tmp_path / "one", SHARD_ROWS, (100,)),  # whose one shard cannot be in another order
        MemoryRows(table(230)[0]),
    )
    for rows in sources:
        orders = [
            tuple(torch.cat(list(rows.batches(seed, epoch, 5)))[:, 0].int().tolist())
            for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))
        ]
        assert orders[0] == orders[3]
        assert len(set(orders)) == 3
    store = open_store(tmp_path / "s")
    firsts = {int(next(store.batches(seed, 0, 5))[:, 0].max()) // 100 for seed in range(20)}
    assert len(firsts) > 1, "shards are read in the order of the corpus"
    mixed = next(store.batches(0, 0, 20))[:, 0]
    assert len((mixed // SHARD_ROWS).unique()) > 3, "a batch is of one shard"


def test_only_a_window_is_read_at_a_time(tmp_path, monkeypatch):
    store = written(tmp_path / "s", 300, (100,))
    loaded = []
    real = store._load
    monkeypatch.setattr(store, "_load", lambda shard, kind: loaded.append(shard) or real(shard, kind))
    drawn = store.batches(0, 0, 10)
    next(drawn)
    assert len(loaded) <= stores.WINDOW
    assert len(list(drawn)) == store.batches_per_epoch(10) - 1
    assert sorted(loaded) == list(range(30))
    loaded.clear()
    last = store.batches_per_epoch(10) - 1
    list(store.batches(0, 0, 10, last))
    assert len(loaded) <= stores.WINDOW, "what is left out is read"


def test_the_index_says_it_all(tmp_path):
    written(tmp_path / "s", 26)
    index = json.loads((tmp_path / "s" / "store.json").read_text())
    assert index == {
        "version": 1, "width": 3, "identity": IDENTITY, "shard_rows": 10, "rows": 26, "finished": True
    }  # fmt: skip


def test_rows_in_memory_must_be_a_table_of_numbers():
    with pytest.raises(InputError, match=r"rows of shape \(3,\)"):
        MemoryRows(torch.zeros(3))
    with pytest.raises(InputError, match="rows: row 1 holds NaN or Inf"):
        MemoryRows(torch.tensor([[1.0], [torch.inf]]))
    with pytest.raises(InputError, match="batch size 4: must be 1 to 3"):
        next(MemoryRows(torch.zeros(3, 1)).batches(0, 0, 4))
