"""The autoencoder of Stable Audio, tiny and random, in the form in which diffusers writes it."""

import copy
import json
import shutil
import warnings
from typing import Any

import pytest
import torch

from tonotopy.encoders import InputError, check, load, wrap
from tonotopy.encoders.families.oobleck import oobleck
from tonotopy.encoders.threads import single_thread

pytest.importorskip("diffusers")

SIZES = {
    "encoder_hidden_size": 4,
    "downsampling_ratios": [2, 5],
    "channel_multiples": [1, 2],
    "decoder_channels": 4,
    "decoder_input_channels": 2,
    "sampling_rate": 8000,
}


@pytest.fixture(scope="module")
def model():
    from diffusers.models.autoencoders.autoencoder_oobleck import AutoencoderOobleck

    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch, at diffusers
        torch.manual_seed(0)
        return AutoencoderOobleck(**SIZES).eval()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("autoencoder")
    model.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def pipeline(folder, tmp_path_factory):
    """A folder in which the autoencoder is a part."""
    place = tmp_path_factory.mktemp("pipeline")
    index = {
        "_class_name": "StableAudioPipeline",
        "scheduler": ["diffusers", "EDMDPMSolverMultistepScheduler"],
        "vae": ["diffusers", "AutoencoderOobleck"],
    }
    (place / "model_index.json").write_text(json.dumps(index))
    shutil.copytree(folder, place / "vae")
    return place


def test_what_is_known_of_its_stages_is_what_is_measured(model):
    encoder = oobleck(model, "tiny")
    assert list(encoder.stages) == ["first_layer", "block_0", "stack_end", "latent"]
    measured = wrap(copy.deepcopy(encoder.module), 8000, encoder.taps)
    assert measured.stages == encoder.stages
    assert (measured.kernels("first_layer") == encoder.kernels("first_layer")).all()
    check(encoder)


def test_a_folder_is_read_to_the_bit(model, folder, pipeline, noise):
    waveforms = noise(2, 1000)
    with torch.no_grad(), single_thread():  # as small networks are run
        stereo = waveforms[:, None].expand(-1, 2, -1)
        mean = model.encode(stereo).latent_dist.mean
        sound = model.decode(mean).sample.mean(dim=1)
    for place in (folder, pipeline):
        encoder: Any = load(f"hf:{place}")
        assert encoder.name == place.name
        assert (encoder.sample_rate, encoder.weights.source) == (8000, "pretrained")
        assert torch.equal(encoder.run(waveforms, ["latent"])["latent"], mean)
        decoded = encoder.decode(mean)
        assert decoded.shape == (2, mean.shape[2] * 10)
        torch.testing.assert_close(decoded[:, : sound.shape[1]], sound)
        assert not decoded[:, sound.shape[1] :].any()  # of odd strides a sample is lacking


def test_what_is_drawn_follows_the_seed(folder):
    one, same, other = encoders = [load(f"hf:{folder}", weights="random", seed=seed) for seed in (1, 1, 2)]
    assert one.weights.source == "random"
    assert one.weights.sha256 == same.weights.sha256 != other.weights.sha256
    encoder: Any = encoders[0]
    assert not encoder.module.model.encoder.snake1.alpha.any()  # as the family draws it


@pytest.mark.parametrize("changes", [{"downsampling_ratios": 3}, {"encoder_hidden_size": "many"}])
def test_a_configuration_that_makes_none(folder, tmp_path, changes):
    about = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**about, **changes}))
    with pytest.raises(InputError, match=r"config\.json makes no AutoencoderOobleck"):
        load(f"hf:{tmp_path}", weights="random")


def test_weights_that_do_not_fit(folder, tmp_path):
    about = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**about, "encoder_hidden_size": 8}))
    shutil.copy(folder / "diffusion_pytorch_model.safetensors", tmp_path)
    with pytest.raises(InputError, match="of another architecture"):
        load(f"hf:{tmp_path}")
    (tmp_path / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(InputError, match="holds no weights"):
        load(f"hf:{tmp_path}")


def test_a_pipeline_without_a_part_that_is_known(pipeline, tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"vae": ["diffusers", "AutoencoderKL"]}))
    with pytest.raises(InputError, match=r"model_index\.json names no part that is known; .*Oobleck"):
        load(f"hf:{tmp_path}")
