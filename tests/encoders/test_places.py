"""Where published models are: what is fetched of the hub, and in which files weights may be."""

import json
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import torch

from tonotopy.encoders import InputError, load
from tonotopy.encoders.families.places import place_of, state_of
from tonotopy.encoders.hub import quiet

transformers: Any = pytest.importorskip("transformers")

SIZES = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "conv_dim": (4, 4),
    "conv_stride": (5, 4),
    "conv_kernel": (10, 4),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub of one repository, and its cache; returns both folders."""
    import huggingface_hub

    there, cache = tmp_path / "there", tmp_path / "0123abc"
    there.mkdir()

    def snapshot_download(repository, revision=None, allow_patterns=(), local_files_only=False):
        assert repository == "org/model"
        if local_files_only:
            if not cache.is_dir():
                raise FileNotFoundError("nothing of it")
            return str(cache)
        for file in there.rglob("*"):
            name = str(file.relative_to(there))
            if file.is_file() and any(fnmatch(name, pattern) for pattern in allow_patterns):
                (cache / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, cache / name)
        return str(cache)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return there, cache


def names(folder: Path):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def touch(folder: Path, *files: str):
    from safetensors.torch import save_file

    for file in files:
        place = folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.endswith(".safetensors"):
            save_file({"weight": torch.ones(2)}, place)
        elif file.endswith(".json"):
            place.write_text("{}")
        else:
            torch.save({"weight": torch.ones(2)}, place)


def test_without_weights_nothing_but_configurations_is_fetched(hub):
    there, cache = hub
    touch(there, "config.json", "preprocessor_config.json", "model.safetensors", "README.md")
    found = place_of("org/model", with_weights=False)
    assert names(cache) == ["config.json", "preprocessor_config.json"]
    assert (found.folder, found.commit) == (None, "0123abc")


def test_safetensors_are_fetched_and_no_pickle_beside_them(hub):
    there, cache = hub
    touch(there, "config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5")
    for _ in range(2):  # from the hub, from the cache
        found = place_of("org/model")
        assert names(cache) == ["config.json", "model.safetensors"]
        assert found.folder is not None
        assert torch.equal(state_of(found.folder)["weight"], torch.ones(2))


def test_the_pickle_of_an_older_model_is_fetched_where_there_is_nothing_else(hub):
    there, cache = hub
    touch(there, "config.json", "pytorch_model.bin")
    for _ in range(2):
        found = place_of("org/model@v1")
        assert names(cache) == ["config.json", "pytorch_model.bin"]
        assert found.folder is not None
        assert torch.equal(state_of(found.folder)["weight"], torch.ones(2))


def test_of_a_pipeline_nothing_but_its_autoencoder_is_fetched(hub):
    there, cache = hub
    weights = "diffusion_pytorch_model.safetensors"
    touch(there, "vae/config.json", f"vae/{weights}", f"transformer/{weights}", "model.safetensors")
    (there / "model_index.json").write_text(json.dumps({"vae": ["diffusers", "AutoencoderOobleck"]}))
    found = place_of("org/model")
    assert names(cache) == ["model_index.json", "vae/config.json", f"vae/{weights}"]
    assert (found.folder, found.commit) == (cache / "vae", "0123abc")


def test_an_older_file_names_its_weights_otherwise(tmp_path, noise):
    """A prefix of the model with a head, torch's older names of weight norms: as of 2021."""
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        model = transformers.HubertModel(transformers.HubertConfig(**SIZES)).eval()
        model.config.save_pretrained(tmp_path)
    older = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    state = {}
    for key, values in model.state_dict().items():
        for new, old in older.items():
            key = key.replace(new, old)
        state[f"hubert.{key}"] = values
    torch.save({**state, "lm_head.bias": torch.ones(3)}, tmp_path / "pytorch_model.bin")
    encoder = load(f"hf:{tmp_path}")
    waveforms = noise(1, 2000)
    with torch.no_grad():
        expected = model(waveforms).last_hidden_state.mT
    torch.testing.assert_close(encoder.run(waveforms, ["latent"])["latent"], expected)


def test_a_pickle_of_more_than_tensors_is_not_opened(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "hubert", **SIZES}))
    torch.save({"weight": Path("of no use")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="not a whole file of plain tensors, nothing else is opened"):
        load(f"hf:{tmp_path}")
    torch.save({"weight": torch.tensor([1.0, torch.nan])}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="'weight' holds NaN or Inf"):
        load(f"hf:{tmp_path}")
