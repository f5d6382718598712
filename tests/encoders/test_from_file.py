import sys
from typing import Any

import pytest
import torch
from torch import nn

from tonotopy.encoders import InputError, load
from tonotopy.encoders.abilities import Decodes
from tonotopy.encoders.registry import check_known

CODEC = """
import torch
from torch import nn

from tonotopy.encoders import wrap


class Codec(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv1d(1, 4, 8, stride=8), nn.ELU())
        self.decoder = nn.ConvTranspose1d(4, 1, 8, stride=8)

    def forward(self, waveforms):
        return self.decoder(self.encoder(waveforms))


def make():
    return wrap(Codec(), 8_000, {"first_layer": "encoder.0", "latent": "encoder.1"}, decode="decoder")


def takes_weights(weights="none given"):
    encoder = make()
    encoder.name = str(weights)
    return encoder


def net():
    return Codec()


def needs(width):
    return width


def broken():
    return [][3]
"""


@pytest.fixture
def codec(tmp_path):
    (tmp_path / "my_codec.py").write_text(CODEC)
    return str(tmp_path / "my_codec.py")


@pytest.fixture
def trained(tmp_path, codec):
    """Weights of the codec, as a training writes them, and their state dict."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        state = {
            f"module.{name}": torch.randn_like(t) for name, t in loaded(codec).module.state_dict().items()
        }
    checkpoint = {"epoch": 3, "model_state_dict": state, "optimizer": {"state": {}, "param_groups": []}}
    torch.save(checkpoint, tmp_path / "best.pt")
    return tmp_path / "best.pt", {name.removeprefix("module."): tensor for name, tensor in state.items()}


def loaded(*given: Any, **options: Any) -> Any:
    return load(*given, **options)


def test_weights_of_a_file_are_what_is_measured(codec, trained):
    path, state = trained
    encoder: Any = loaded(f"{codec}:make", weights=path)
    assert torch.equal(encoder.module.encoder[0].weight, state["encoder.0.weight"])
    assert encoder.kernels("first_layer") == pytest.approx(state["encoder.0.weight"][:, 0].double().numpy())
    assert encoder.weights.source == str(path)
    assert encoder.weights.sha256 != load(codec).weights.sha256
    sounds = torch.randn(2, 80)
    latent = nn.functional.conv1d(sounds[:, None], state["encoder.0.weight"], state["encoder.0.bias"], 8)
    expected = nn.functional.conv_transpose1d(
        nn.functional.elu(latent), state["decoder.weight"], state["decoder.bias"], 8
    )
    found = encoder.run(sounds, ["latent"])["latent"]
    assert isinstance(encoder, Decodes)
    assert torch.allclose(encoder.decode(found), expected[:, 0], atol=1e-5)


@pytest.mark.parametrize("kind", ["random", "matched", "permuted"])
def test_baselines_are_drawn_and_decode_by_their_own_decoder(codec, trained, kind):
    path, state = trained
    encoder = loaded(codec, weights=path)
    baseline = encoder.randomised(1, kind=kind)
    assert baseline.weights.source == kind
    assert not torch.equal(baseline.module.decoder.weight, state["decoder.weight"])
    latent = torch.randn(1, 4, 3)
    assert torch.allclose(baseline.decode(latent), baseline.module.decoder(latent)[:, 0])
    assert torch.equal(encoder.module.decoder.weight, state["decoder.weight"])


def test_random_weights(codec):
    drawn = [load(codec, weights="random", seed=seed).weights for seed in (1, 1, 2)]
    assert drawn[0].source == "random"
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_function_that_takes_weights_loads_them_itself(codec, trained):
    assert load(f"{codec}:takes_weights", weights=trained[0]).name == str(trained[0])
    assert load(f"{codec}:takes_weights").name == "none given"


def test_a_module_of_a_package(codec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("my_codec:make").sample_rate == 8_000
    assert str(tmp_path) not in sys.path
    monkeypatch.delitem(sys.modules, "my_codec")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.py:make", r"'nowhere.py:make': no such file nowhere.py$"),
        ("nowhere:make", r"no package 'nowhere' is installed or lies here, and it is no encoder"),
        ("{}:mak", r"no function 'mak' in it \(did you mean make\?\); it has make, takes_weights"),
        ("{}:broken", f"IndexError at my_codec.py, line {CODEC.count(chr(10))}: list index out of range"),
        ("{}:net", r"net returned Codec; it must return an encoder, such as tonotopy.encoders.wrap\("),
        ("{}:needs", r"needs is called as needs\(\): missing a required argument: 'width'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(codec, name, message):
    with pytest.raises(InputError, match=message) as raised:
        load(name.format(codec))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) <= 500


@pytest.mark.parametrize(
    ("text", "message"),
    [("def make(:\n", "line 1: invalid syntax"), ("import no_such\n", "line 1: No module")],
)
def test_a_file_that_cannot_be_imported(tmp_path, text, message):
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(InputError, match=message):
        load(str(tmp_path / "bad.py"))


def test_weights_that_do_not_fit_name_what_is_missing_and_what_is_left(codec, tmp_path):
    torch.save(
        {"module.encoder.0.weight": torch.zeros(4, 1, 8), "module.other": torch.zeros(1)}, tmp_path / "w.pt"
    )
    with pytest.raises(
        InputError, match=r"lacks 'decoder.bias', .*, and has 'other' \(3 tensors missing, 1 left"
    ):
        load(codec, weights=tmp_path / "w.pt")


def test_weights_for_what_wraps_nothing(tmp_path):
    (tmp_path / "bank.py").write_text(
        "from tonotopy.encoders import load\ndef make(): return load('control:decimator')"
    )
    with pytest.raises(
        InputError, match=r"make of '.*bank.py' returned no wrapped module .* make\(weights\)"
    ):
        load(str(tmp_path / "bank.py"), weights="w.pt")


def test_names_are_checked_without_importing_anything(codec):
    for name in (codec, f"{codec}:make", "json.tool:main", "codec_tiny", "control:decimator"):
        check_known(name)
    for name in ("codec_tinny", "control:decimater", f"{codec}x.py"):
        with pytest.raises(InputError, match=name):
            check_known(name)
