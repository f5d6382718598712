"""Models of transformers and torchaudio, tiny and random, in the form in which they are published."""

import json
import re
from typing import Any

import pytest
import torch
from torch import nn

from tonotopy.encoders import InputError, check, load
from tonotopy.encoders.families.hidden_states import hidden_states
from tonotopy.encoders.hub import quiet
from tonotopy.encoders.registry import check_known
from tonotopy.probes import Session, selectivity
from tonotopy.synth import partials

transformers: Any = pytest.importorskip("transformers")

SPEECH = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (8, 8, 8),
    "conv_stride": (5, 4, 2),
    "conv_kernel": (10, 8, 4),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
LAYER_NORM = {**SPEECH, "feat_extract_norm": "layer", "do_stable_layer_norm": True}
CODEC = {
    "encoder_hidden_size": 4,
    "hidden_size": 16,
    "codebook_dim": 2,
    "n_codebooks": 3,
    "codebook_size": 16,
    "decoder_hidden_size": 16,
    "downsampling_ratios": [4, 5],
    "upsampling_ratios": [5, 4],
}
SEANET = {
    "num_filters": 2,
    "hidden_size": 8,
    "codebook_dim": 8,
    "codebook_size": 16,
    "upsampling_ratios": [5, 4],
    "target_bandwidths": [14.4],
    "num_lstm_layers": 1,
}
MODELS = {
    "wav2vec2": ("Wav2Vec2", SPEECH),
    "wav2vec2 with layer norms": ("Wav2Vec2", LAYER_NORM),
    "hubert": ("Hubert", SPEECH),
    "wavlm": ("WavLM", SPEECH),
    "unispeech": ("UniSpeech", SPEECH),
    "dac": ("Dac", CODEC),
    "encodec": ("Encodec", SEANET),
}
CODECS = ("dac", "encodec")


def built(kind: str) -> nn.Module:
    family, sizes = MODELS[kind]
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        return getattr(transformers, f"{family}Model")(
            getattr(transformers, f"{family}Config")(**sizes)
        ).eval()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return a function: kind -> folder as transformers writes it, and the model in it."""
    made: dict[str, Any] = {}

    def folder(kind: str):
        if kind not in made:
            place, model = tmp_path_factory.mktemp("published"), built(kind)
            with quiet():
                model.save_pretrained(place)
            made[kind] = place, model
        return made[kind]

    return folder


@pytest.mark.parametrize("kind", MODELS)
def test_a_folder_is_read_to_the_bit_and_conforms(folders, kind):
    place, model = folders(kind)
    encoder: Any = load(f"hf:{place}")
    own = {**model.state_dict()}
    read = {re.sub("^(model|codec)[.]", "", key): v for key, v in encoder.module.state_dict().items()}
    filled = "filled" in encoder.weights.note  # codebooks of zeros, which never saw data
    assert filled == (kind == "encodec")
    assert all(torch.equal(read[key], v) for key, v in own.items() if not (filled and "codebook" in key))
    assert {"first_layer", "stack_end", "latent"} <= set(encoder.stages)
    assert encoder.weights.source == "pretrained"
    assert encoder.name == place.name  # a slash is no part of a name
    check(encoder)


@pytest.mark.parametrize("kind", [kind for kind in MODELS if kind not in CODECS])
def test_hidden_states_are_those_of_transformers(folders, noise, kind):
    place, model = folders(kind)
    encoder: Any = load(f"hf:{place}")
    waveforms = noise(2, 4000)
    found = encoder.run(waveforms, ["first_layer", "stack_end", "layer_0", "latent"])
    with torch.no_grad():
        features = model.feature_extractor(waveforms)
        states = model(waveforms, output_hidden_states=True).hidden_states
        first = model.feature_extractor.conv_layers[0].conv(waveforms[:, None])
    torch.testing.assert_close(found["first_layer"], first)
    torch.testing.assert_close(found["stack_end"], features)
    torch.testing.assert_close(found["layer_0"], states[1].mT)
    if not getattr(model.config, "do_stable_layer_norm", False):  # there a norm follows the last block
        torch.testing.assert_close(found["latent"], states[2].mT)
    assert (encoder.stages["latent"].hop, encoder.stages["latent"].latency) == (40, 104)


MERT = {
    "model_type": "mert_model",
    "feature_extractor_cqt": False,
    "attention_relax": -1.0,
    "deepnorm": False,
    "sample_rate": 24_000,
}


def test_mert_is_read_as_hubert(folders, tmp_path, noise):
    place, _ = folders("hubert")
    hubert: Any = load(f"hf:{place}")
    about = json.loads((place / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**about, **MERT}))
    (tmp_path / "model.safetensors").write_bytes((place / "model.safetensors").read_bytes())
    mert: Any = load(f"hf:{tmp_path}")
    assert mert.sample_rate == 24_000
    found, expected = (one.run(noise(1, 2000), ["latent"])["latent"] for one in (mert, hubert))
    assert torch.equal(found, expected)
    for key, value in (("feature_extractor_cqt", True), ("deepnorm", True), ("attention_relax", 32.0)):
        (tmp_path / "config.json").write_text(json.dumps({**about, **MERT, key: value}))
        with pytest.raises(InputError, match=f"{key} {value}: a part of MERT that HuBERT has not"):
            load(f"hf:{tmp_path}")


def test_a_preprocessor_that_normalises_is_followed(folders, noise):
    place, model = folders("wav2vec2")
    about = {"do_normalize": True, "sampling_rate": 8000}
    (place / "preprocessor_config.json").write_text(json.dumps(about))
    encoder: Any = load(f"hf:{place}")
    (place / "preprocessor_config.json").unlink()
    assert encoder.sample_rate == 8000
    waveforms = noise(1, 2000) + 0.3
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True, sampling_rate=8000)
    given = extractor(waveforms[0].numpy(), sampling_rate=8000, return_tensors="pt").input_values
    with torch.no_grad():
        expected = model.feature_extractor(given)
    torch.testing.assert_close(
        encoder.run(waveforms, ["stack_end"])["stack_end"], expected, rtol=1e-4, atol=1e-4
    )


def test_dac_codes_and_decodes_as_transformers_does(folders, noise):
    place, model = folders("dac")
    encoder: Any = load(f"hf:{place}")
    waveforms = noise(2, 2000)
    found = encoder.run(waveforms, ["latent", "quantized_1", "quantized", "codes"])
    with torch.no_grad():
        whole, one = model.encode(waveforms[:, None]), model.encode(waveforms[:, None], n_quantizers=1)
        sound = model.decode(whole.quantized_representation).audio_values
    assert torch.equal(found["codes"], whole.audio_codes)
    torch.testing.assert_close(found["quantized"], whole.quantized_representation, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found["quantized_1"], one.quantized_representation, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found["latent"], model.encoder(waveforms[:, None]).detach())
    decoded = encoder.decode(found["quantized"])
    torch.testing.assert_close(decoded[:, : sound.shape[1]], sound, atol=1e-6, rtol=1e-4)
    assert not decoded[:, sound.shape[1] :].any()
    assert [encoder.stages[s].codebooks for s in ("quantized_1", "quantized_2", "quantized")] == [1, 2, 3]


def test_what_is_drawn_follows_the_configuration(folders):
    place, _ = folders("wavlm")
    one, same, other = (load(f"hf:{place}", weights="random", seed=seed) for seed in (1, 1, 2))
    assert one.weights.source == "random"
    assert one.weights.sha256 == same.weights.sha256 != other.weights.sha256
    tuning = selectivity(Session(one), partials(200, 4000, per_octave=2))
    assert tuning.best_frequency.sel(stage="first_layer").notnull().any()


def test_models_of_torchaudio():
    import torchaudio

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torchaudio.models.wav2vec2_model(
            extractor_mode="group_norm",
            extractor_conv_layer_config=[(8, 10, 5), (8, 8, 4), (8, 4, 2)],
            extractor_conv_bias=False,
            encoder_embed_dim=16,
            encoder_projection_dropout=0.0,
            encoder_pos_conv_kernel=8,
            encoder_pos_conv_groups=2,
            encoder_num_layers=2,
            encoder_num_heads=2,
            encoder_attention_dropout=0.0,
            encoder_ff_interm_features=32,
            encoder_ff_interm_dropout=0.0,
            encoder_dropout=0.0,
            encoder_layer_norm_first=False,
            encoder_layer_drop=0.0,
            aux_num_out=None,
        ).eval()
    encoder = hidden_states(model, 16_000, "torchaudio's wav2vec 2.0", normalize=False)
    assert list(encoder.stages) == [
        "first_layer", "convolution_0", "convolution_1", "stack_end", "layer_0", "latent",
    ]  # fmt: skip
    check(encoder)


# What cannot be had says so in one line


def test_places():
    with pytest.raises(InputError, match="neither a folder that is there nor ORG/NAME"):
        check_known("hf:nowhere")
    check_known("hf:facebook/wav2vec2-base@main")


def test_a_model_of_another_kind(tmp_path):
    config = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=10
    )
    with quiet():
        transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"BertModel is built as none of .*wav2vec 2\.0 and its kin.*wrap"):
        load(f"hf:{tmp_path}")


@pytest.mark.parametrize("about", [{"model_type": "unheard"}, {}, {"model_type": "wav2vec2", "conv_dim": 3}])
def test_a_configuration_that_is_none(tmp_path, about):
    (tmp_path / "config.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="of no model that transformers knows") as raised:
        load(f"hf:{tmp_path}")
    assert len(str(raised.value)) < 500


def test_weights_of_another_architecture(folders, tmp_path):
    place, _ = folders("hubert")
    about = json.loads((place / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**about, "num_hidden_layers": 3}))
    with pytest.raises(InputError, match="of another architecture than its configuration: lacks 'encoder"):
        load(f"hf:{tmp_path}", weights=place)


def test_without_a_network_one_line_says_so(monkeypatch):
    import huggingface_hub

    def refuse(*_args, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(InputError, match=r"facebook/nothing: not in the cache and not to be had.*no route"):
        load("hf:facebook/nothing")
