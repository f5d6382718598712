"""Checkpoints in the forms that people have: each is read, and says which form it was."""

import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations

from tonotopy.encoders import InputError, wrap
from tonotopy.encoders.codec import codec_tiny
from tonotopy.encoders.encodec import encodec_24khz
from tonotopy.encoders.state_names import as_named

NEWER = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}


@pytest.fixture(scope="module")
def state():
    """The names and values of a codec in the encodec package, whose codebooks were filled."""
    encoder: Any = codec_tiny(weights="random", seed=3)
    return dict(encoder.module.get_submodule("codec").state_dict())


def newer_names(state):
    def renamed(name):
        start, _, last = name.rpartition(".")
        return f"{start}.{NEWER[last]}" if last in NEWER else name

    return {renamed(name): tensor for name, tensor in state.items()}


def under(prefix, state):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


FORMS = {
    "as it is": (lambda s: s, ""),
    "data parallel": (lambda s: under("module.", s), "under 'module.'"),
    "compiled": (lambda s: under("_orig_mod.", s), "under '_orig_mod.'"),
    "both": (lambda s: under("module._orig_mod.", s), "under 'module._orig_mod.'"),
    "lightning": (
        lambda s: {"state_dict": under("model.", s), "epoch": 3},
        "of 'state_dict'.*under 'model.'",
    ),
    "epoch": (lambda s: {"model": s, "epoch": 3}, "of 'model' in the file"),
    "named": (lambda s: {"model_state_dict": s}, "of 'model_state_dict' in the file"),
    "best": (lambda s: {"best_state": {"model": s}}, "of 'best_state.model' in the file"),
    "newer norms": (newer_names, "weight norm under torch's newer names"),
    "newer, compiled": (lambda s: under("_orig_mod.", newer_names(s)), "newer names; under '_orig_mod.'"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_codec_in_other_forms(form, state, tmp_path):
    made, said = FORMS[form]
    torch.save(made(dict(state)), tmp_path / "codec.pt")
    found: Any = codec_tiny(weights=tmp_path / "codec.pt")
    read = found.module.get_submodule("codec").state_dict()
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    assert re.search(said, found.weights.note)
    assert bool(said) == bool(found.weights.note)


def test_weights_whose_norm_was_removed(state, tmp_path):
    plain = {}
    for name, tensor in state.items():
        if name.endswith("weight_v"):
            gain = state[name.removesuffix("v") + "g"]
            plain[name.removesuffix("_v")] = gain * tensor / torch.norm_except_dim(tensor, 2, 0)
        elif not name.endswith("weight_g"):
            plain[name] = tensor
    torch.save(plain, tmp_path / "codec.pt")
    torch.save(state, tmp_path / "norms.pt")
    found, expected = (codec_tiny(weights=tmp_path / name) for name in ("codec.pt", "norms.pt"))
    waveforms = 0.1 * torch.randn(1, 3200, generator=torch.Generator().manual_seed(0))
    latents = [one.run(waveforms, ["latent"])["latent"] for one in (found, expected)]
    torch.testing.assert_close(*latents)
    assert found.weights.note == "weights without their norm"


def test_encodec_of_transformers(tmp_path):
    """What transformers writes is heard as transformers runs it."""
    transformers = pytest.importorskip("transformers")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.EncodecModel(transformers.EncodecConfig()).eval()
        for layer in model.quantizer.layers:
            layer.codebook.embed.normal_()
    model.save_pretrained(tmp_path / "folder")
    encoder = encodec_24khz(weights=tmp_path / "folder")
    assert encoder.weights.note.startswith("EnCodec as transformers names it")
    waveforms = 0.1 * torch.randn(2, 6400, generator=torch.Generator().manual_seed(0))
    found = encoder.run(waveforms, ["latent", "codes"])
    with torch.no_grad():
        latent = model.encoder(waveforms[:, None])
        codes = model.quantizer.encode(latent, bandwidth=6.0)
    torch.testing.assert_close(found["latent"], latent, rtol=1e-4, atol=1e-4 * float(latent.abs().max()))
    assert (found["codes"] == codes.transpose(0, 1)).float().mean() > 0.99  # ties may fall otherwise


def test_a_wrapped_module_with_newer_norms_takes_older_names(tmp_path):
    def build(norm):
        return nn.Sequential(norm(nn.Conv1d(1, 4, 8, stride=4)), nn.ReLU())

    with pytest.warns(FutureWarning, match="weight_norm"):
        trained = build(nn.utils.weight_norm)
    torch.save({"net": trained.state_dict()}, tmp_path / "best.pt")
    encoder = wrap(build(parametrizations.weight_norm), 8000, {"latent": "1"}).filled(tmp_path / "best.pt")
    assert encoder.weights.note == "of 'net' in the file; weight norm under torch's older names"
    waveforms = torch.randn(1, 100, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(encoder.run(waveforms, ["latent"])["latent"], trained(waveforms[:, None]))


def test_another_architecture_is_still_refused(state, tmp_path):
    cut = {name: tensor for name, tensor in state.items() if "model.3." not in name}
    torch.save(newer_names(cut), tmp_path / "codec.pt")
    with pytest.raises(InputError, match=r"of another architecture: the file lacks .*model\.3\."):
        codec_tiny(weights=tmp_path / "codec.pt")


def test_a_student_and_a_teacher_are_two_networks():
    weight = {"conv.weight": torch.zeros(1)}
    both = {**under("teacher.", weight), **under("student.", weight)}
    with pytest.raises(InputError, match=r"lies under each of 'teacher\.' and 'student\.'; keep one"):
        as_named(both, weight)


def test_a_state_dict_of_something_else_is_left_as_it_is():
    state = {"conv.weight": torch.zeros(1)}
    assert as_named(state, {"linear.weight": torch.zeros(1)}) == (state, "")


def test_older_checkpoints_count_no_batches(tmp_path):
    module = nn.Sequential(nn.Conv1d(1, 4, 8), nn.BatchNorm1d(4))
    trained = {key: value + 1 for key, value in module.state_dict().items() if "num_batches" not in key}
    torch.save(trained, tmp_path / "old.pt")
    encoder = wrap(module, 8000, {"latent": "1"}).filled(tmp_path / "old.pt")
    assert torch.equal(encoder.module[1].running_mean, torch.ones(4))  # type: ignore[index]


def plain():
    return nn.Sequential(nn.Conv1d(1, 4, 8, stride=4), nn.ReLU(), nn.ConvTranspose1d(4, 3, 5, stride=2))


def normed(dim):
    module = plain()
    for part in (module[0], module[2]):
        parametrizations.weight_norm(part, dim=dim)
    return module


@pytest.mark.parametrize("dim", [0, 1, 2, None])
@pytest.mark.parametrize(
    ("make", "other", "said"),
    [
        (lambda dim: normed(dim), lambda dim: plain(), "norms of weights multiplied out"),
        (lambda dim: plain(), lambda dim: normed(dim), "weights without their norm"),
    ],
    ids=["multiplied out", "split"],
)
def test_a_norm_on_one_side_only(dim, make, other, said, tmp_path):
    trained = make(dim)
    with torch.no_grad():
        for weights in trained.parameters():
            weights.add_(0.3 * torch.rand(weights.shape))
    torch.save(trained.state_dict(), tmp_path / "best.pt")
    encoder = wrap(other(dim), 8000, {"latent": "2"}).filled(tmp_path / "best.pt")
    assert encoder.weights.note == said
    waveforms = torch.randn(1, 103, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(encoder.run(waveforms, ["latent"])["latent"], trained(waveforms[:, None]))


class Noted(nn.Module):
    """Writes something beside its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 8, stride=4)

    def forward(self, waveforms):
        return self.conv(waveforms)

    def get_extra_state(self):
        return {"version": 3, "scale": torch.ones(2)}

    def set_extra_state(self, state):
        assert state["version"] == 3


def shards(state, folder, suffix):
    names = list(state)
    files = {name: f"{suffix[0]}-0000{1 + i % 2}-of-00002.{suffix[1]}" for i, name in enumerate(names)}
    for file in set(files.values()):
        part = {name: state[name].clone() for name in names if files[name] == file}
        save_file(part, folder / file) if suffix[1] == "safetensors" else torch.save(part, folder / file)
    (folder / f"{suffix[0]}.{suffix[1]}.index.json").write_text(json.dumps({"weight_map": files}))
    return folder


FILES = {
    "numpy": (
        lambda s, at: np.savez(at / "best.npz", **{k: v.numpy() for k, v in s.items()}) or at / "best.npz",
        "a NumPy archive",
    ),
    "shards": (lambda s, at: shards(s, at, ("model", "safetensors")), "in 2 files"),
    "older shards": (lambda s, at: shards(s, at, ("pytorch_model", "bin")), "in 2 files"),
    "with numbers": (
        lambda s, at: (
            torch.save({**s, "step": 3, "conv._extra_state": {"a": torch.ones(1)}}, at / "a.pt")
            or at / "a.pt"
        ),
        r"2 entries that are no weights left out \(step, conv\._extra_state\)",
    ),
}


@pytest.mark.parametrize("form", FILES)
def test_files_of_other_forms(form, tmp_path):
    write, said = FILES[form]
    trained = nn.Sequential(nn.Conv1d(1, 4, 8, stride=4)).state_dict()
    path = write({f"conv.{key.removeprefix('0.')}": value for key, value in trained.items()}, tmp_path)
    encoder: Any = wrap(Noted(), 8000, {"latent": "conv"}).filled(path)
    assert torch.equal(encoder.module.conv.weight, trained["0.weight"])
    assert re.fullmatch(said, encoder.weights.note)


def test_what_a_module_writes_itself_is_read(tmp_path):
    trained = Noted()
    torch.save(trained.state_dict(), tmp_path / "own.pt")
    encoder: Any = wrap(Noted(), 8000, {"latent": "conv"}).filled(tmp_path / "own.pt")
    assert torch.equal(encoder.module.conv.weight, trained.conv.weight)


@pytest.mark.filterwarnings("ignore:.torch.jit.* is deprecated")
def test_files_that_are_refused_for_what_they_are(tmp_path):
    module = Noted()
    encoder = wrap(module, 8000, {"latent": "conv"})
    torch.save(list(module.parameters()), tmp_path / "list.pt")
    with pytest.raises(InputError, match="holds 2 tensors without names"):
        encoder.filled(tmp_path / "list.pt")
    torch.jit.save(torch.jit.script(nn.Sequential(module.conv)), tmp_path / "script.pt")
    with pytest.raises(InputError, match=r"is a TorchScript archive.*wrap\(torch\.jit\.load"):
        encoder.filled(tmp_path / "script.pt")
    shards(dict(module.conv.state_dict()), tmp_path, ("model", "safetensors"))
    with pytest.raises(InputError, match="is one of 2 parts; give the folder"):
        encoder.filled(tmp_path / "model-00001-of-00002.safetensors")
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(InputError, match=r"names 'model-00002-of-00002[.]safetensors', which is not"):
        encoder.filled(tmp_path)
