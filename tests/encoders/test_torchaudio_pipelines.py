"""The pipelines of torchaudio: tiny models of the same classes in the place of the published ones."""

import copy
from typing import Any
from urllib.error import URLError

import pytest
import torch
import torchaudio
from torchaudio.models import ConvTasNet, HDemucs
from torchaudio.pipelines import SourceSeparationBundle, Wav2Vec2Bundle

from tonotopy.encoders import InputError, check, load, wrap
from tonotopy.encoders.families.known import bundles
from tonotopy.encoders.families.separators import conv_tasnet, hybrid_demucs
from tonotopy.encoders.registry import check_known
from tonotopy.encoders.threads import single_thread

SPEECH = {
    "extractor_mode": "group_norm",
    "extractor_conv_layer_config": [(8, 10, 5), (8, 8, 4), (8, 4, 2)],
    "extractor_conv_bias": False,
    "encoder_embed_dim": 16,
    "encoder_projection_dropout": 0.0,
    "encoder_pos_conv_kernel": 8,
    "encoder_pos_conv_groups": 2,
    "encoder_num_layers": 2,
    "encoder_num_heads": 2,
    "encoder_attention_dropout": 0.0,
    "encoder_ff_interm_features": 32,
    "encoder_ff_interm_dropout": 0.0,
    "encoder_dropout": 0.0,
    "encoder_layer_norm_first": False,
    "encoder_layer_drop": 0.0,
    "aux_num_out": 5,
}
LAYER_NORM = {**SPEECH, "extractor_mode": "layer_norm", "encoder_layer_norm_first": True}
WAVLM = {k: v for k, v in SPEECH.items() if k != "encoder_attention_dropout"} | {
    "encoder_attention_dropout": 0.0,
    "encoder_num_buckets": 8,
    "encoder_max_distance": 16,
}
TINY = {
    "WAV2VEC2_BASE": Wav2Vec2Bundle("base.pth", SPEECH, 16_000, False, "Wav2Vec2"),
    "HUBERT_LARGE": Wav2Vec2Bundle("large.pth", LAYER_NORM, 16_000, True, "Wav2Vec2"),
    "WAVLM_BASE": Wav2Vec2Bundle("wavlm.pth", WAVLM, 16_000, False, "WavLM"),
}


def tiny_conv_tasnet():
    return ConvTasNet(
        enc_kernel_size=16, enc_num_feats=8, msk_num_feats=4, msk_num_hidden_feats=6, msk_num_layers=2,
        msk_num_stacks=2, msk_activate="relu",
    ).eval()  # fmt: skip


def tiny_demucs():
    return HDemucs(
        ["voice", "rest"], channels=4, nfft=256, depth=4, norm_starts=3, dconv_lstm=3, dconv_attn=3
    )


SEPARATION = SourceSeparationBundle("models/tiny.pt", tiny_conv_tasnet, 8000)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Put tiny models into the place of torchaudio's, and their weights where it looks for downloads."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "torchaudio" / "models").mkdir(parents=True)
    models = {}
    for name, bundle in {**TINY, "CONVTASNET_BASE_LIBRI2MIX": SEPARATION}.items():
        monkeypatch.setattr(torchaudio.pipelines, name, bundle)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            if bundle is SEPARATION:
                models[name], place = (
                    tiny_conv_tasnet(),
                    tmp_path / "hub" / "torchaudio" / "models" / "tiny.pt",
                )
            else:
                make = {"Wav2Vec2": torchaudio.models.wav2vec2_model, "WavLM": torchaudio.models.wavlm_model}
                models[name] = make[bundle._model_type](**bundle._params).eval()
                place = tmp_path / "hub" / "checkpoints" / bundle._path
        torch.save(models[name].state_dict(), place)
    return models


@pytest.mark.parametrize("name", [*TINY, "CONVTASNET_BASE_LIBRI2MIX"])
def test_a_pipeline_is_fetched_by_torchaudio_and_conforms(tiny, name, noise):
    encoder: Any = load(f"torchaudio:{name}")
    assert encoder.name == name
    assert encoder.weights.source == "pretrained"
    own = tiny[name].state_dict()
    assert all(torch.equal(v, own[key]) for key, v in encoder.module.state_dict().items())
    waveforms = noise(1, 4000) + 0.1
    bundle = getattr(torchaudio.pipelines, name)
    if name in TINY:
        with torch.no_grad():
            layers, _ = bundle.get_model().extract_features(waveforms)
        found = encoder.run(waveforms, ["layer_0", "latent"])
        torch.testing.assert_close(found["layer_0"], layers[0].mT)
        torch.testing.assert_close(found["latent"], layers[1].mT)
    check(encoder)


@pytest.mark.parametrize("name", TINY)
def test_what_is_known_of_hidden_states_is_what_is_measured(tiny, name):
    encoder: Any = load(f"torchaudio:{name}")
    measured = wrap(copy.deepcopy(encoder.module), 16_000, encoder.taps, prepare=encoder._prepare)
    assert measured.stages == encoder.stages


def test_a_batch_is_brought_to_one_variance_sound_by_sound(tiny, noise):
    encoder = load("torchaudio:HUBERT_LARGE")
    quiet, loud = noise(1, 4000), 100 * noise(1, 5000)[:, :4000]
    both = encoder.run(torch.cat([quiet, loud]), ["latent"])["latent"]
    alone = encoder.run(quiet, ["latent"])["latent"]
    torch.testing.assert_close(both[:1], alone, rtol=1e-4, atol=1e-5)


def test_weights_drawn_or_of_a_file(tiny, tmp_path):
    one, same, other = (load("torchaudio:WAV2VEC2_BASE", weights="random", seed=s) for s in (1, 1, 2))
    assert one.weights.sha256 == same.weights.sha256 != other.weights.sha256
    path = tmp_path / "hub" / "checkpoints" / "base.pth"
    assert load("torchaudio:WAV2VEC2_BASE", weights=path).weights.source == str(path)
    with pytest.raises(InputError, match="of another architecture"):
        load("torchaudio:HUBERT_LARGE", weights=path.with_name("wavlm.pth"))


@pytest.mark.parametrize("name", ["WAV2VEC2_BASE", "CONVTASNET_BASE_LIBRI2MIX"])
def test_without_a_network_one_line_says_so(monkeypatch, tmp_path, name):
    def refuse(*_args, **_options):
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr("torchaudio.utils.download.download_url_to_file", refuse)
    monkeypatch.setattr(torchaudio.pipelines, name, {**TINY, "CONVTASNET_BASE_LIBRI2MIX": SEPARATION}[name])
    with pytest.raises(
        InputError, match=rf"torchaudio:{name}: not in the cache .* no route to host"
    ) as error:
        load(f"torchaudio:{name}")
    assert len(str(error.value)) < 500


def test_names_are_those_of_torchaudio():
    there = {
        name
        for name in torchaudio.pipelines.__all__
        if isinstance(getattr(torchaudio.pipelines, name), Wav2Vec2Bundle | SourceSeparationBundle)
    }
    assert set(bundles()) == there
    assert len(bundles()) == len(there)
    check_known("torchaudio:MMS_FA")
    with pytest.raises(InputError, match=r"no such pipeline \(did you mean HUBERT_BASE"):
        check_known("torchaudio:HUBERT_BASS")


# Source separation, by its parts


def test_what_is_known_of_conv_tasnet_is_what_is_measured():
    model = tiny_conv_tasnet()
    encoder = conv_tasnet(model, 8000, "tiny")
    assert list(encoder.stages) == ["first_layer", "block_0", "block_1", "block_2", "stack_end", "latent"]
    measured = wrap(model, 8000, encoder.taps)
    assert measured.stages["first_layer"] == encoder.stages["first_layer"]
    for stage, about in measured.stages.items():
        known = encoder.stages[stage]
        assert (known.channels, known.hop, known.receptive_field) == (
            about.channels, about.hop, about.receptive_field,
        )  # fmt: skip


def test_both_branches_of_hybrid_demucs(noise):
    model = tiny_demucs().eval()
    encoder: Any = hybrid_demucs(model, 8000, "tiny", tiny_demucs)
    assert [(s.name, s.hop) for s in encoder.stages.values()] == [
        ("first_layer", 4), ("time_0", 4), ("spectral_0", 64), ("time_1", 16), ("spectral_1", 64),
        ("stack_end", 64), ("spectral_2", 64), ("latent", 128),
    ]  # fmt: skip
    waveforms = noise(1, 2000)
    found = encoder.run(waveforms, ["time_0", "spectral_0"])
    recorded = {}
    model.time_encoder[0].register_forward_hook(lambda *a: recorded.update(time=a[2]))
    model.freq_encoder[0].register_forward_hook(lambda *a: recorded.update(spectral=a[2]))
    with torch.no_grad(), single_thread():  # as small networks are run
        model(waveforms[:, None].expand(-1, 2, -1))
    assert torch.equal(found["time_0"], recorded["time"])
    assert torch.equal(found["spectral_0"], recorded["spectral"].flatten(1, 2))
    check(encoder)
