import json
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tonotopy.encoders.abilities import Redraws
from tonotopy.encoders.base import canonical_stages
from tonotopy.encoders.codec import (
    TINY,
    CodecConfig,
    build,
    codec,
    codec_tiny,
    inference_state,
    metadata_of,
)
from tonotopy.encoders.encodec import encodec_24khz
from tonotopy.encoders.training.fidelity import si_sdr_db
from tonotopy.encoders.training.recognition import pitch_track, same_pitch
from tonotopy.synth.errors import InputError

pytestmark = pytest.mark.numerical

SMALL = CodecConfig(
    16_000, n_filters=4, dimension=12, ratios=(5, 4, 2, 2), codebooks=3, entries=16, lstm_layers=1
)
FIELDS = {"first_layer": 7, "downsample1": 12, "downsample2": 30, "downsample3": 118, "stack_end": 798}


@pytest.fixture(scope="module")
def untrained():
    return codec_tiny(weights="random")


@pytest.fixture(scope="module")
def bundled():
    return codec_tiny()


@pytest.fixture
def stored(tmp_path):
    """A file of a small codec's weights, as a training leaves it, and the codec."""
    torch.manual_seed(0)
    model: Any = build(SMALL).train()
    for _ in range(2):
        model.quantizer.vq(model.encoder(0.1 * torch.randn(4, 1, 8_000)))
    path = tmp_path / "model.safetensors"
    save_file(inference_state(model), path, metadata=metadata_of(SMALL))
    return path, model.eval()


def melody() -> tuple[torch.Tensor, list[float]]:
    """Eight notes of four partials, half a second each, float32 [1, T]; and their fundamentals."""
    time_s = np.arange(12_000) / 24_000
    fundamentals_hz = [440 * 2 ** ((note - 69) / 12) for note in (60, 62, 64, 65, 67, 69, 71, 72)]
    envelope = np.minimum(1, np.minimum(time_s, time_s[::-1]) / 0.02) * np.exp(-2 * time_s)
    notes = [
        sum(0.12 / n * np.sin(2 * np.pi * n * f * time_s) for n in range(1, 5)) * envelope
        for f in fundamentals_hz
    ]
    return torch.from_numpy(np.concatenate(notes).astype(np.float32))[None], fundamentals_hz


def test_its_stages_are_those_of_encodec(untrained):
    stages = untrained.stages
    encodec = encodec_24khz("random").stages
    assert list(stages) == list(encodec)
    for name, stage in stages.items():
        theirs = encodec[name]
        assert (stage.hop, stage.receptive_field, stage.latency, stage.kind, stage.codebooks) == (
            theirs.hop, theirs.receptive_field, theirs.latency, theirs.kind, theirs.codebooks
        )  # fmt: skip
    assert {name: stages[name].receptive_field for name in FIELDS} == FIELDS
    assert [stages[name].channels for name in ("first_layer", "stack_end", "latent", "codes")] == [
        8,
        128,
        64,
        8,
    ]
    assert canonical_stages(untrained) == ["first_layer", "stack_end", "latent", "quantized", "codes"]


def test_its_size(untrained):
    assert untrained.sample_rate == 24_000
    assert untrained.stages["latent"].hop == TINY.hop == 320
    assert [tuple(book.shape) for book in untrained.codebooks] == [(256, 64)] * 8
    assert TINY.bits_per_frame == 8


def test_stages_say_what_is_heard(untrained, noise):
    heard = untrained.run(noise(2, 6_401), list(untrained.stages))
    for name, stage in untrained.stages.items():
        assert heard[name].shape == (2, stage.channels, -(-6_401 // stage.hop))


def test_seed_makes_the_weights(untrained):
    before = torch.get_rng_state()
    again, other = (codec_tiny(weights="random", seed=seed) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert again.weights.sha256 == untrained.weights.sha256 != other.weights.sha256
    assert "8 codebooks untrained: filled by k-means" in untrained.weights.note


def test_fewer_codebooks(untrained, noise):
    three = codec_tiny(weights="random", codebooks=3)
    assert [n for n in three.stages if n.startswith("quantized")] == [
        "quantized_1",
        "quantized_2",
        "quantized",
    ]
    assert len(three.codebooks) == 3
    waveforms = noise(1, 6_400)
    codes = three.run(waveforms, ["codes"])["codes"]
    assert torch.equal(codes, untrained.run(waveforms, ["codes"])["codes"][:, :3])
    assert [n for n in codec_tiny(weights="random", codebooks=1).stages if "quantized" in n] == ["quantized"]
    for wrong in (0, 9):
        with pytest.raises(InputError, match=f"codebooks {wrong}: codec_tiny has 1 to 8"):
            codec_tiny(weights="random", codebooks=wrong)


def test_it_goes_back_to_sound(untrained, noise):
    latent = untrained.run(noise(2, 6_400), ["latent"])["latent"]
    sound = untrained.decode(latent)
    assert sound.shape == (2, 6_400)
    with torch.inference_mode():
        torch.testing.assert_close(sound, untrained.module.codec.decoder(latent)[:, 0])


def test_what_codec_is_without_a_file():
    encoder = codec(weights="random")
    network: Any = encoder.module
    assert len(encoder.codebooks) == 32
    assert sum(p.numel() for p in network.codec.encoder.parameters()) == 7_425_792  # as published


def test_a_file_brings_its_own_size(stored, noise):
    path, model = stored
    encoder = codec(weights=path)
    assert encoder.sample_rate == 16_000
    assert encoder.stages["latent"].hop == 80
    assert [tuple(book.shape) for book in encoder.codebooks] == [(16, 12)] * 3
    assert encoder.weights.source == str(path)
    assert encoder.weights.note == ""
    waveforms = noise(2, 4_000)
    with torch.inference_mode():
        exact = model.encoder(waveforms[:, None])
    heard = encoder.run(waveforms, ["latent"])["latent"]
    assert (heard - exact).norm() < 2e-3 * exact.norm()  # float16 keeps eleven bits
    assert isinstance(encoder, Redraws)
    baseline = encoder.randomised(5)
    assert baseline.stages == encoder.stages
    assert baseline.weights.source == "random"
    assert baseline.weights.sha256 != encoder.weights.sha256


def test_a_file_holds_what_coding_needs_and_no_more(stored):
    path, model = stored
    state = load_file(path)
    own = {
        name
        for name in model.state_dict()
        if name.split(".")[-1] not in ("cluster_size", "embed_avg", "inited")
    }
    assert set(state) == own
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"codec": "{"}, "configuration stored in it is unusable"),
        ({"codec": json.dumps({"ratios": [5, 4, 2, 2], "depth": 3})}, "configuration stored in it is unus"),
        ({"codec": json.dumps({"n_filters": 4, "ratios": [5, 4]})}, "codec with ratios .5, 4.: must be 4"),
        (metadata_of(TINY), "of another architecture"),
        (None, "of another architecture"),
    ],
)  # fmt: skip
def test_a_file_of_something_else(stored, tmp_path, metadata, message):
    path = tmp_path / "other.safetensors"
    save_file(load_file(stored[0]), path, metadata=metadata)
    with pytest.raises(InputError, match=message) as raised:
        codec(weights=path)
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read(tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"half a file")
    with pytest.raises(InputError, match="not a whole safetensors file"):
        codec(weights=broken)
    with pytest.raises(InputError, match="no such file"):
        codec_tiny(weights=tmp_path / "nothing.safetensors")
    with pytest.raises(
        InputError, match="codec has no published weights: load 'encodec_24khz' or 'codec_tiny'"
    ):
        codec()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_filters": 0}, "n_filters 0: must be a whole number, 2 to 512"),
        ({"dimension": 1.5}, "dimension 1.5"),
        ({"entries": 100}, "100 entries in a codebook: must be a power of 2"),
        ({"ratios": (8, 5, 4)}, r"ratios \(8, 5, 4\): must be 4 whole numbers"),
        ({"ratios": (8, 5, 4, 0)}, "must be 4 whole numbers from 1 to 16"),
        ({"lstm_layers": 0}, "lstm_layers 0"),
        ({"codebooks": 65}, "codebooks 65: must be a whole number, 1 to 64"),
    ],
)
def test_unusable_sizes(wrong, message):
    with pytest.raises(InputError, match=message):
        CodecConfig(**wrong)


def test_the_bundled_file_is_small_and_has_a_card(bundled):
    zoo = files("tonotopy.encoders.zoo")
    weights, card = (zoo / f"codec_tiny.{suffix}" for suffix in ("safetensors", "md"))
    assert len(weights.read_bytes()) < 4 * 2**20
    text = card.read_text(encoding="utf-8")
    for part in ("SI-SDR", "codebooks", "tonotopy train codec", "Attribution", "perplexity"):
        assert part in text
    assert bundled.weights.source == "pretrained"
    assert bundled.weights.note == ""


def test_the_bundled_codec_codes_a_melody_and_the_untrained_one_does_not(bundled, untrained):
    waveforms, _ = melody()
    ratios = {}
    for encoder in (bundled, untrained):
        heard = encoder.run(waveforms, ["quantized_1", "quantized"])
        for stage, vectors in heard.items():
            sound = encoder.decode(vectors)[:, : waveforms.shape[1]]
            ratios[encoder.weights.source, stage] = float(si_sdr_db(waveforms, sound))
    assert ratios["pretrained", "quantized"] > 3
    assert ratios["pretrained", "quantized"] > ratios["pretrained", "quantized_1"]
    assert ratios["pretrained", "quantized"] > ratios["random", "quantized"] + 10


def test_the_melody_is_still_heard_as_it_was(bundled):
    waveforms, _ = melody()
    decoded = bundled.decode(bundled.run(waveforms, ["quantized"])["quantized"])[0, : waveforms.shape[1]]
    original_hz, decoded_hz = (pitch_track(s.numpy(), 24_000) for s in (waveforms[0], decoded))
    assert same_pitch(original_hz, decoded_hz).share > 0.8
