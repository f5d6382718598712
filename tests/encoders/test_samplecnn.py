import hashlib
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tonotopy.encoders import samplecnn as module
from tonotopy.encoders.base import ModuleEncoder
from tonotopy.encoders.registry import load
from tonotopy.encoders.samplecnn import (
    TINY,
    SampleCNN,
    SampleCNNConfig,
    encode,
    metadata_of,
    samplecnn,
    stages_of,
)
from tonotopy.encoders.weights import Weights
from tonotopy.synth.errors import InputError

pytestmark = pytest.mark.numerical

THIN = SampleCNNConfig(sample_rate=8_000, channels=(3, 4, 5, 6), latent_channels=7, n_classes=2)
ZOO = files("tonotopy.encoders.zoo")


def network_of(encoder) -> SampleCNN:
    assert isinstance(encoder.module, SampleCNN)
    return encoder.module


def all_positive(config: SampleCNNConfig) -> ModuleEncoder:
    """A network in which every sample that is seen raises the output: no ReLU or maximum hides it."""
    network = SampleCNN(config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("conv.weight"):
                parameter.fill_(1.0)
    return encode("positive", network, Weights("none", ""))


def stored(config: SampleCNNConfig, path: Path, metadata: dict[str, str] | None = None) -> SampleCNN:
    torch.manual_seed(1)
    network = SampleCNN(config)
    save_file(network.state_dict(), path, metadata=metadata)
    return network


def test_published_size():
    network = network_of(samplecnn(weights="random"))
    parameters = dict(network.named_parameters())
    shapes = [tuple(p.shape) for name, p in parameters.items() if name.endswith("conv.weight")]
    wide = [(256, 256, 3)] * 5
    assert shapes == [
        (128, 1, 3), (128, 128, 3), (128, 128, 3), (256, 128, 3), *wide, (512, 256, 3), (512, 512, 1),
    ]  # fmt: skip
    assert tuple(network.classifier.weight.shape) == (50, 512)
    assert network.dropout.p == 0.5
    first = network.get_submodule("blocks.0.conv")
    assert (first.stride, first.padding) == ((3,), (0,))


def test_published_input_gives_one_frame():
    encoder = samplecnn(weights="random")
    assert encoder.sample_rate == 22_050
    waveform = 0.1 * torch.randn(2, 3**10, generator=torch.Generator().manual_seed(0))
    heard = encoder.run(waveform, list(encoder.stages))
    assert {stage: tuple(a.shape[1:]) for stage, a in heard.items()} == {
        stage: (s.channels, 3**10 // s.hop) for stage, s in encoder.stages.items()
    }
    with torch.inference_mode():
        scores = network_of(encoder)(waveform[:, None])
        assert scores.shape == (2, 50)
        # one frame: the mean over time leaves the published network as it is
        torch.testing.assert_close(network_of(encoder).classifier(heard["latent"][:, :, 0]), scores)


def test_receptive_fields_and_names():
    published, tiny = stages_of(SampleCNNConfig()), stages_of(TINY)
    assert [s.receptive_field for s in published.values()][:6] == [3, 3, 15, 51, 159, 483]
    assert (published["stack_end"].receptive_field, published["stack_end"].hop) == (118_095, 59_049)
    assert list(tiny) == [
        "first_layer",
        "block0",
        "block1",
        "block2",
        "block3",
        "block4",
        "stack_end",
        "latent",
    ]
    assert (tiny["stack_end"].receptive_field, tiny["stack_end"].hop) == (1455, 729)
    assert [s.kind for s in tiny.values()] == ["convolution"] + ["nonlinear"] * 7


@pytest.mark.parametrize(
    "config",
    [
        SampleCNNConfig(channels=(2,) * 6, latent_channels=2, n_classes=2),
        SampleCNNConfig(channels=(1,) * 10, latent_channels=1, n_classes=2),
    ],
    ids=["tiny", "published"],
)
@given(data=st.data())
def test_stages_see_the_samples_they_declare(config, data):
    encoder = all_positive(config)
    n_samples = 6 * config.hop
    place = data.draw(st.integers(0, n_samples - 1))
    pulse = torch.zeros(1, n_samples)
    pulse[0, place] = 1.0
    for name, activation in encoder.run(pulse, list(encoder.stages)).items():
        stage = encoder.stages[name]
        last = np.arange(activation.shape[-1]) * stage.hop + stage.latency
        assert stage.receptive_field is not None
        sees = (last - stage.receptive_field < place) & (place <= last)
        np.testing.assert_array_equal(activation[0].sum(dim=0).numpy() > 0, sees, err_msg=name)


@pytest.mark.parametrize("weights", ["random", "pretrained"])
def test_first_layer_is_its_closed_form(weights):
    encoder = load("samplecnn_tiny", weights=weights)
    with torch.no_grad():
        network_of(encoder).blocks[0].conv.bias += torch.linspace(-1, 1, 32)  # type: ignore[operator]
    stage, kernels = encoder.stages["first_layer"], encoder.kernels("first_layer")
    assert kernels is not None
    x = np.random.default_rng(0).standard_normal(301)
    heard = encoder.run(torch.tensor(x, dtype=torch.float32)[None], ["first_layer"])["first_layer"][0].numpy()
    first = np.arange(heard.shape[1]) * stage.hop + stage.latency - 3 + 1
    assert (first[0], stage.receptive_field) == (0, 3)
    patches = x[first[:, None] + np.arange(3)]  # [F, 3]
    bias = network_of(encoder).get_parameter("blocks.0.conv.bias").detach().numpy()
    np.testing.assert_allclose(heard, kernels @ patches.T + bias[:, None], atol=2e-6)
    assert encoder.kernels("block0") is None


def test_first_layer_is_raw_and_block0_is_not():
    encoder = load("samplecnn_tiny", weights="random")
    noise = torch.randn(1, 3_000, generator=torch.Generator().manual_seed(0))
    heard = encoder.run(noise, ["first_layer", "block0"])
    assert heard["first_layer"].min() < 0
    scale = (1 + 1e-3) ** -0.5  # batch norm at its initial statistics
    torch.testing.assert_close(heard["block0"], torch.relu(heard["first_layer"] * scale))


def test_random_weights_follow_the_seed_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    hashes = [load("samplecnn_tiny", weights="random", seed=seed).weights.sha256 for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert torch.equal(before, torch.get_rng_state())


def test_user_weights_of_any_size(tmp_path):
    path = tmp_path / "mine.safetensors"
    network = stored(THIN, path, metadata_of(THIN, ("a", "b"))).eval()
    encoder = samplecnn(weights=path)
    assert (encoder.sample_rate, encoder.stages["stack_end"].hop, encoder.weights.source) == (
        8_000,
        81,
        str(path),
    )
    waveform = torch.randn(2, 1, 810, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network.latent(network.blocks(waveform))
    torch.testing.assert_close(encoder.run(waveform[:, 0], ["latent"])["latent"], expected)


def test_published_samplecnn_has_no_weights_to_fetch():
    with pytest.raises(InputError, match=r"weights='random'.*tonotopy train samplecnn") as error:
        samplecnn()
    assert "\n" not in str(error.value)


def test_weights_that_do_not_fit(tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"encoder.weight": torch.zeros(3)}, other)
    with pytest.raises(InputError, match="another architecture"):
        samplecnn(weights=other)
    thin = tmp_path / "thin.safetensors"
    stored(THIN, thin)  # says nothing of its size
    with pytest.raises(InputError, match="another architecture"):
        module.samplecnn_tiny(weights=thin)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(thin.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        samplecnn(weights=broken)
    with pytest.raises(InputError, match="no such file"):
        samplecnn(weights=tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        "{}",
        '{"config": 5}',
        '{"config": {}}',
        '{"config": {"channels": 5}}',
        '{"config": {"channels": [3, 1000000000]}}',
        '{"config": {"channels": [3]}}',
        '{"config": {"channels": [3, 4], "sample_rate": "fast"}}',
        '{"config": {"channels": [3, 4], "dropout": 1}}',
        '{"config": {"channels": [3, 4], "unheard_of": 1}}',
    ],
)
def test_stored_configuration_that_is_none(tmp_path, text):
    path = tmp_path / "odd.safetensors"
    stored(THIN, path, {module.METADATA_KEY: text})
    with pytest.raises(InputError, match="the configuration stored in it is unusable") as error:
        samplecnn(weights=path)
    assert "\n" not in str(error.value)


def test_waveform_too_short():
    encoder = load("samplecnn_tiny", weights="random")
    assert encoder.run(torch.zeros(1, 700), ["block4"])["block4"].shape[-1] == 2
    with pytest.raises(InputError, match="too short"):
        encoder.run(torch.zeros(1, 700), ["stack_end"])


def test_bundled_weights():
    path = Path(str(ZOO / "samplecnn_tiny.safetensors"))
    assert path.stat().st_size <= 4 * 2**20
    encoder = load("samplecnn_tiny")
    assert encoder.weights.source == "pretrained"
    assert encoder.stages["stack_end"].hop == 729
    assert set(load_file(path)) == set(network_of(encoder).state_dict())
    with safe_open(path, framework="pt") as opened:
        labels = json.loads(opened.metadata()[module.METADATA_KEY])["labels"]
    assert len(labels) == network_of(encoder).config.n_classes == 12
    card = (ZOO / "samplecnn_tiny.md").read_text()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert all(word in card for word in ("chance", "held-out instruments", "MIT", "CC BY 3.0", *labels))


def test_bundled_weights_are_trained():
    # Statistics of real sound sit in the batch norms, and every stage answers to a tone.
    encoder = load("samplecnn_tiny")
    fresh = load("samplecnn_tiny", weights="random")
    name = "blocks.5.norm.running_var"
    assert not torch.allclose(network_of(encoder).get_buffer(name), network_of(fresh).get_buffer(name))
    tone = 0.1 * torch.sin(2 * torch.pi * 440 * torch.arange(22_050) / 22_050)
    heard = encoder.run(torch.stack([tone, torch.zeros_like(tone)]), list(encoder.stages))
    for stage, activation in heard.items():
        assert torch.isfinite(activation).all(), stage
        assert not torch.allclose(activation[0], activation[1]), stage


def test_deep_stages_have_a_steady_state():
    # A tone of a whole number of periods per hop: every interior frame is the same.
    encoder = load("samplecnn_tiny")
    hop = torch.sin(2 * torch.pi * 27 * torch.arange(729, dtype=torch.float64) / 729)  # 816.7 Hz
    tone = (0.1 * hop).float().repeat(12)
    for stage in ("stack_end", "latent"):
        frames = encoder.run(tone[None], [stage])[stage][0, :, 1:-1]
        torch.testing.assert_close(frames, frames[:, :1].expand_as(frames))


def test_classify_is_the_softmax_over_whole_recordings():
    encoder = module.samplecnn_tiny()
    waveforms = 0.1 * torch.randn(3, 40_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network_of(encoder)(waveforms[:, None]).softmax(dim=1)
    probabilities = encoder.classify(waveforms)
    assert (probabilities.shape, probabilities.dtype) == ((3, 12), torch.float32)
    torch.testing.assert_close(probabilities, expected)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(3))


def test_classify_in_parts_is_classify(monkeypatch):
    encoder = module.samplecnn_tiny(weights="random")
    waveforms = torch.randn(5, 3_000, generator=torch.Generator().manual_seed(0))
    whole = encoder.classify(waveforms)
    monkeypatch.setattr(module, "_SAMPLES_AT_ONCE", 6_000)  # two at once, then one
    torch.testing.assert_close(encoder.classify(waveforms), whole)


def test_classes_are_those_stored(tmp_path):
    bundled = module.samplecnn_tiny()
    assert bundled.classes[:3] == ("bass", "brass", "chromatic percussion")
    assert len(bundled.classes) == 12
    for kind in ("random", "permuted"):
        redrawn = bundled.randomised(1, kind)
        assert isinstance(redrawn, module.SampleCNNEncoder)
        assert redrawn.classes == bundled.classes
    stored(THIN, tmp_path / "named.safetensors", metadata_of(THIN, ("low", "high")))
    assert samplecnn(tmp_path / "named.safetensors").classes == ("low", "high")
    stored(THIN, tmp_path / "unnamed.safetensors", metadata_of(THIN))
    assert samplecnn(tmp_path / "unnamed.safetensors").classes == ("class 0", "class 1")
    stored(THIN, tmp_path / "three.safetensors", metadata_of(THIN, ("a", "b", "c")))
    with pytest.raises(InputError, match="3 labels of 2 classes"):
        samplecnn(tmp_path / "three.safetensors")


@pytest.mark.parametrize(
    ("waveforms", "said"),
    [
        (torch.zeros(700), r"\[B, T\]"),
        (torch.zeros(1, 700), "short"),
        (torch.full((1, 9_000), torch.nan), "NaN"),
    ],
)
def test_classify_refuses_what_is_no_recording(waveforms, said):
    with pytest.raises(InputError, match=said) as error:
        module.samplecnn_tiny(weights="random").classify(waveforms)
    assert "\n" not in str(error.value)
