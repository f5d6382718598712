"""Checkpoints in the forms that people have: each is read, and says which form it was."""

import re
from typing import Any

import pytest
import torch
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
