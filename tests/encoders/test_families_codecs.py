"""Codecs of transformers, tiny and random, in the form in which they are published."""

from typing import Any

import pytest
import torch
from torch import nn

from tonotopy.encoders import InputError, check, load
from tonotopy.encoders.abilities import Decodes, Quantizes, codebooks_of, scale_of
from tonotopy.encoders.hub import quiet
from tonotopy.encoders.threads import single_thread
from tonotopy.probes import Session, presence, selectivity, stability
from tonotopy.synth import partials

transformers: Any = pytest.importorskip("transformers")

SEANET = {
    "sampling_rate": 8000,
    "num_filters": 2,
    "hidden_size": 8,
    "codebook_size": 16,
    "upsampling_ratios": [5, 4],
}
LSTM = {**SEANET, "codebook_dim": 8, "num_lstm_layers": 1}
STEREO = {
    **LSTM,
    "audio_channels": 2,
    "normalize": True,
    "norm_type": "time_group_norm",
    "use_causal_conv": False,
    "chunk_length_s": 1.0,
    "overlap": 0.01,
    "target_bandwidths": [5.0],
}
SPECTRA = {
    "decoder_hidden_size": 8,
    "decoder_intermediate_size": 16,
    "decoder_num_layers": 1,
    "decoder_attention_num_groups": 2,
}
ATTENDING = {
    **SEANET,
    "num_hidden_layers": 2,
    "intermediate_size": 16,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "upsample_groups": 8,
}
MIMI = {**ATTENDING, "num_quantizers": 4, "codebook_dim": 4, "vector_quantization_hidden_dimension": 4}
CONTINUOUS = {
    **{k: v for k, v in ATTENDING.items() if k != "codebook_size"},
    "latent_stride": 2,
    "latent_dim": 4,
}
DAC = {
    "model_type": "dac",
    "encoder_hidden_size": 2,
    "hidden_size": 8,
    "decoder_hidden_size": 32,
    "downsampling_ratios": [4, 5],
    "upsampling_ratios": [4, 5],
}
SPEECH = {
    "model_type": "hubert",
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": (4, 4),
    "conv_stride": (5, 4),
    "conv_kernel": (10, 4),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
BESIDE = {
    "sample_rate": 8000,
    "acoustic_model_config": DAC,
    "semantic_model_config": SPEECH,
    "codebook_size": 16,
    "target_bandwidths": [1.7, 4.9],
}
RATIOS = [24, 40]  # HuBERT's padding is fixed, and made for frames of 320 of its samples
HIGGS = {
    "sample_rate": 6000,
    "semantic_sample_rate": 4000,
    "acoustic_model_config": {**DAC, "downsampling_ratios": RATIOS, "upsampling_ratios": RATIOS},
    "semantic_model_config": {
        **SPEECH,
        "conv_stride": (16, 20),
        "conv_kernel": (40, 23),
    },
    "codebook_size": 16,
    "codebook_dim": 4,
    "target_bandwidths": [0.029, 0.085],
}
LEVELS = {
    "hidden_size": 32,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 8,
    "encoder_hidden_size": 4,
    "downsampling_ratios": [16, 20],
    "quantization_dim": 40,
    "quantization_levels": [4, 4, 4],
    "semantic_model_config": {
        "model_type": "wav2vec2-bert",
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "feature_projection_input_dim": 160,
        "conv_depthwise_kernel_size": 3,
        "left_max_position_embeddings": 4,
        "right_max_position_embeddings": 4,
        "output_hidden_size": 8,
    },
}
CAUSAL = {
    "hidden_size": 4,
    "num_filters": 2,
    "downsampling_ratios": [4, 5],
    "depths": [1, 1, 1],
    "kernel_size": 3,
    "layer_scale_init_value": 0.1,
}
MODELS = {
    "EnCodec for two channels": ("Encodec", STEREO),
    "Mimi": ("Mimi", MIMI),
    "Pocket TTS": ("PocketTTSAudioTokenizer", CONTINUOUS),
    "WavTokenizer": ("WavTokenizer", {**LSTM, **SPECTRA}),
    "X-Codec": ("Xcodec", BESIDE),
    "Higgs audio": ("HiggsAudioV2Tokenizer", HIGGS),
    "X-Codec 2": ("Xcodec2", {**LEVELS, "sampling_rate": 8000}),
    "NeuCodec": ("NeuCodec", {**LEVELS, "input_sampling_rate": 8000, "output_sampling_rate": 12_000}),
    "VibeVoice": ("VibeVoiceAcousticTokenizer", CAUSAL),
}
WITH_BOOKS = ("EnCodec for two channels", "Mimi", "WavTokenizer", "X-Codec", "Higgs audio")
IN_LATENT_SPACE = ("EnCodec for two channels", "WavTokenizer", "X-Codec")
SAMPLES = 2 * 960  # whole frames of all of them
HOPS = {"Mimi": 40, "Pocket TTS": 40, "Higgs audio": 960, "X-Codec 2": 320, "NeuCodec": 320}


def built(kind: str) -> nn.Module:
    family, sizes = MODELS[kind]
    config = getattr(transformers, f"{family}Config")(**sizes)
    with torch.random.fork_rng(), quiet(), torch.no_grad():
        torch.manual_seed(0)
        model: Any = getattr(transformers, f"{family}Model")(config).eval()
        if hasattr(model, "fc_encoder"):  # as it is drawn, all latents lie within one level
            model.fc_encoder.weight.mul_(200)
            model.quantizer.project_in.weight.mul_(200)
    return model


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Return a function: kind -> the encoder of an untrained model in a folder as transformers writes it."""
    made: dict[str, Any] = {}

    def folder(kind: str) -> Any:
        if kind not in made:
            place = tmp_path_factory.mktemp("untrained")
            with quiet():
                built(kind).save_pretrained(place)
            if kind == "VibeVoice":  # whose configuration has no rate
                (place / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
            made[kind] = load(f"hf:{place}")
        return made[kind]

    return folder


def model_of(encoder: Any) -> Any:
    return encoder.module.codec if hasattr(encoder.module, "codec") else encoder.module.model


def encoded(kind: str, model: Any, waveforms: torch.Tensor) -> Any:
    """What the model's own `encode` gives of waveforms [B, T] whose last sample is 0."""
    with torch.no_grad(), single_thread():  # as small networks are run
        if kind == "EnCodec for two channels":
            return model.encode(waveforms[:, None].expand(-1, 2, -1), bandwidth=5.0)
        if kind == "VibeVoice":
            return model.encode(waveforms[:, None], sample=False)
        if kind in ("X-Codec 2", "NeuCodec"):  # their extractors add a sample, and make whole frames
            extractor = getattr(transformers, f"{MODELS[kind][0]}FeatureExtractor")()
            sounds = [sound.numpy() for sound in waveforms[:, :-1]]
            inputs = extractor(sounds, sampling_rate=16_000, return_tensors="pt")
            assert torch.equal(inputs.input_values[:, 0], waveforms)
            return model.encode(inputs.input_values, inputs.input_features, output_latents=True)
        return model.encode(waveforms[:, None])


@pytest.mark.parametrize("kind", MODELS)
def test_codes_and_sound_are_the_models_own(published, noise, kind):
    encoder = published(kind)
    model, waveforms = model_of(encoder), noise(2, SAMPLES)
    waveforms[:, -1] = 0
    found, own = encoder.run(waveforms, list(encoder.stages)), encoded(kind, model, waveforms)
    assert encoder.stages["latent"].hop == HOPS.get(kind, 20)
    assert encoder.sample_rate == (6000 if kind == "Higgs audio" else 8000)
    if "codes" not in found:
        assert torch.equal(found["latent"], own.latents.mT)
        coded = own.latents
    else:
        coded = own.audio_codes
        expected = coded[0] if kind == "EnCodec for two channels" else coded
        assert torch.equal(found["codes"], expected)
        assert len(expected.unique()) > 3
    if kind == "NeuCodec":  # it decodes to another rate
        assert not isinstance(encoder, Decodes)
        return
    with torch.no_grad():
        scales = (own.audio_scales,) if kind == "EnCodec for two channels" else ()
        sound = next(iter(model.decode(coded, *scales).values())).mean(dim=1)
    decoded = encoder.decode(found.get("quantized", found["latent"]), scale_of(encoder, waveforms))
    torch.testing.assert_close(decoded, sound)


@pytest.mark.parametrize("kind", MODELS)
def test_what_was_filled_is_read_back_to_the_bit(published, tmp_path, noise, kind):
    untrained = published(kind)
    assert ("untrained: filled by k-means" in untrained.weights.note) == (kind in WITH_BOOKS)
    with quiet():
        model_of(untrained).save_pretrained(tmp_path)
    read: Any = load(f"hf:{tmp_path}")
    assert "filled" not in read.weights.note
    assert read.weights.source == "pretrained"
    waveforms = noise(2, 2100)
    for stage, expected in untrained.run(waveforms, list(untrained.stages)).items():
        assert torch.equal(read.run(waveforms, [stage])[stage], expected)
    assert isinstance(read, Quantizes) == (kind in IN_LATENT_SPACE)


SLOW = [pytest.param("NeuCodec", marks=pytest.mark.slow)]  # nearly the same as X-Codec 2


@pytest.mark.parametrize("kind", [*(kind for kind in MODELS if kind != "NeuCodec"), *SLOW])
def test_it_conforms(published, kind):
    check(published(kind))


@pytest.mark.parametrize("kind", WITH_BOOKS)
@pytest.mark.parametrize("baseline", ["random", "matched", "permuted"])
def test_baselines_have_codebooks_of_their_own(published, noise, kind, baseline):
    encoder = published(kind)
    twin = encoder.randomised(3, baseline)
    assert "filled by k-means" in twin.weights.note
    assert twin.weights.source == baseline
    waveforms = noise(4, 4 * SAMPLES)
    codes, own = (one.run(waveforms, ["codes"])["codes"] for one in (twin, encoder))
    assert not torch.equal(codes, own)
    assert min(len(chosen.unique()) for chosen in codes.unbind(1)) > 3
    assert len(codebooks_of(twin)) == len(codebooks_of(encoder))
    assert not any(map(torch.equal, codebooks_of(twin), codebooks_of(encoder)))


@pytest.mark.parametrize("kind", MODELS)
def test_it_can_be_probed(published, kind):
    encoder = published(kind)
    session = Session(encoder, ["first_layer", "latent"])
    assert selectivity(session, partials(200, 2000, per_octave=1)).best_frequency.notnull().any()
    for ask in (presence, stability):
        found = ask(encoder, ["first_layer"])
        assert all(
            0 <= values <= 1 for name, values in found.items() if name in ("proportion", "containment")
        )


def test_a_configuration_whose_branches_do_not_fit(tmp_path):
    unfit = {**BESIDE, "semantic_model_config": {**SPEECH, "conv_kernel": (10, 16)}}
    with quiet():
        transformers.XcodecConfig(**unfit).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"acoustic branch gives .* frames, the semantic one"):
        load(f"hf:{tmp_path}", weights="random")
