import pickle
import urllib.error
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from tonotopy.encoders import InputError
from tonotopy.encoders.weights import (
    download,
    fill,
    no_weights,
    randomly_initialised,
    read_state,
    state_sha256,
)


class Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("suffix", [".th", ".pt", ".safetensors"])
def test_a_state_comes_back_as_it_was(tmp_path, suffix):
    state = {"weight": torch.randn(3, 4), "steps": torch.tensor(7)}
    path = tmp_path / f"state{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    back = read_state(path)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)
    assert state_sha256(back) == state_sha256(state)


def test_a_state_may_lie_one_level_down(tmp_path):
    torch.save({"state_dict": {"weight": torch.ones(2)}}, tmp_path / "state.pt")
    assert torch.equal(read_state(tmp_path / "state.pt")["weight"], torch.ones(2))


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: {"model": state, "epoch": 3},
        lambda state: {"generator": state, "optimizer": {"state": {0: {"step": 1}}, "param_groups": []}},
        lambda state: {"model": {"state_dict": state}, "ema": state},
    ],
)
def test_a_state_lies_somewhere_in_a_checkpoint(tmp_path, wrapped):
    torch.save(wrapped({"weight": torch.ones(2)}), tmp_path / "state.pt")
    assert torch.equal(read_state(tmp_path / "state.pt")["weight"], torch.ones(2))


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (
            {"a": {"w": torch.ones(1)}, "b": {"w": torch.ones(1)}},
            r"holds several state dicts \(a, b\); keep one",
        ),
        ({"epoch": 3, "loss": 0.1}, "does not hold a mapping of names to tensors; it holds epoch, loss"),
        ({}, "does not hold a mapping of names to tensors$"),
    ],
)
def test_a_checkpoint_without_one_state(tmp_path, held, message):
    torch.save(held, tmp_path / "state.pt")
    with pytest.raises(InputError, match=message):
        read_state(tmp_path / "state.pt")


@pytest.mark.parametrize("prefix", ["module.", "model.", "model._orig_mod."])
def test_names_may_begin_with_what_a_training_put_before_them(prefix):
    module, trained = nn.Linear(3, 2), nn.Linear(3, 2)
    state = {f"{prefix}{name}": tensor for name, tensor in trained.state_dict().items()}
    assert fill(module, state, "here.pt") == f"under {prefix!r}"
    assert torch.equal(module.weight, trained.weight)
    left = fill(module, {**state, "loss.weight": torch.ones(1), "loss.bias": torch.ones(1)}, "here.pt")
    assert left == f"under {prefix!r}, 2 tensors outside it left out"
    del state[f"{prefix}bias"]
    with pytest.raises(InputError, match=r"the file lacks 'bias' \(1 tensors missing, 0 left over\)"):
        fill(module, state, "here.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_does_not_run(tmp_path, zipped):
    canary = tmp_path / "canary"
    path = tmp_path / "evil.th"
    torch.save({"weight": Canary(canary)}, path) if zipped else path.write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(InputError, match=r"evil\.th: not a whole file of plain tensors") as raised:
        read_state(path)
    assert "\n" not in str(raised.value)
    assert not canary.exists()
    pickle.loads(pickle.dumps(Canary(canary))).close()  # it would have
    assert canary.exists()


@pytest.mark.parametrize("suffix", [".th", ".safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file(tmp_path, suffix, kept):
    path = tmp_path / f"state{suffix}"
    state = {"weight": torch.randn(100, 100)}
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(InputError, match="not a whole") as raised:
        read_state(path)
    assert "\n" not in str(raised.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.th: no such file"):
        read_state(tmp_path / "nowhere.th")


def test_a_file_of_something_else(tmp_path):
    torch.save([torch.ones(2)], tmp_path / "list.pt")
    with pytest.raises(InputError, match="does not hold a mapping of names to tensors"):
        read_state(tmp_path / "list.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("weight"), "the file lacks 'weight'"),
        (lambda state: state.update(more=torch.ones(1)), "the file has 'more', which the model lacks"),
        (
            lambda state: state.update(weight=torch.ones(2, 2)),
            r"'weight' is \(2, 2\), the model needs \(2, 3\)",
        ),
        (lambda state: state["bias"].fill_(torch.nan), "'bias' holds NaN or Inf"),
    ],
)
def test_a_state_that_does_not_fit(change, message):
    module = nn.Linear(3, 2)
    before = state_sha256(module.state_dict())
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    change(state)
    with pytest.raises(InputError, match=message):
        fill(module, state, "here.pt")
    assert state_sha256(module.state_dict()) == before


def test_fill_keeps_the_model_s_types():
    module = nn.Linear(3, 2)
    fill(module, {name: tensor.half() for name, tensor in module.state_dict().items()}, "half.pt")
    assert module.weight.dtype == torch.float32


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 5), st.integers(0, 31))
def test_the_hash_follows_every_bit(index, bit):
    state = {"a": torch.arange(6, dtype=torch.int32), "b": torch.zeros(0)}
    changed = {"b": state["b"], "a": state["a"].clone()}
    assert state_sha256(changed) == state_sha256(state)  # in any order
    changed["a"][index] ^= (1 << bit) - (1 << 32 if bit == 31 else 0)
    assert state_sha256(changed) != state_sha256(state)


def test_the_hash_follows_names_shapes_and_types():
    zeros = torch.zeros(4)
    states = [
        {"a": zeros},
        {"b": zeros},
        {"a": zeros.reshape(2, 2)},
        {"a": zeros.int()},
        {"a": zeros, "b": zeros},
    ]
    assert len({state_sha256(state) for state in states}) == len(states)


def test_random_initialisation_leaves_the_caller_s_state():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (
        randomly_initialised(lambda: nn.Linear(3, 3), seed).state_dict() for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert state_sha256(one) == state_sha256(same) != state_sha256(other)


@pytest.mark.parametrize(
    "error", [urllib.error.URLError("offline"), RuntimeError("invalid hash value"), OSError()]
)
def test_a_download_that_fails_leaves_nothing(tmp_path, monkeypatch, error):
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(
        InputError, match=r"weights model\.th: not in the cache .* not to be had from"
    ) as raised:
        download("https://example.org/model.th", "0123")
    assert "\n" not in str(raised.value)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_download_is_kept_and_verified_again(tmp_path, monkeypatch):
    source = tmp_path / "published.th"
    source.write_bytes(b"weights")
    prefix = "9a129038"
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = download(source.as_uri(), prefix)
    assert path.read_bytes() == b"weights"
    source.unlink()
    assert download(source.as_uri(), prefix) == path  # from the cache
    path.write_bytes(b"weight")
    with pytest.raises(InputError, match=f"does not begin with {prefix}"):
        download(source.as_uri(), prefix)


def test_who_has_no_weights_takes_no_file():
    assert no_weights("control", "random", nn.Identity()).source == "none"
    with pytest.raises(InputError, match=r"weights model\.th: control has no weights"):
        no_weights("control", "model.th", nn.Identity())
