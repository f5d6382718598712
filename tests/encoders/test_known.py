"""Published models by name: what is listed of them holds of their architectures, at small widths."""

import copy
import dataclasses
import json
from typing import Any

import pytest
import torchaudio
from torchaudio.models import ConvTasNet, HDemucs
from torchaudio.pipelines import Wav2Vec2Bundle

from tonotopy.encoders import InputError, check, load
from tonotopy.encoders.families.known import KNOWN
from tonotopy.probes import Session, compositionality, selectivity
from tonotopy.probes.composition.mixtures import Condition, partial_ensemble
from tonotopy.synth import partials

transformers: Any = pytest.importorskip("transformers")
pytest.importorskip("diffusers")

LEVELS = {
    "hidden_size": 32,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "encoder_hidden_size": 2,
    "quantization_dim": 40,
    "semantic_model_config": {
        "model_type": "wav2vec2-bert", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 8,
    },
}  # fmt: skip
SPEECH = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "conv_dim": [4] * 7,
    "num_conv_pos_embedding_groups": 2,
}
NARROW: dict[str, dict[str, Any]] = {  # rates, strides and kernels stay
    "dac": {"encoder_hidden_size": 2, "decoder_hidden_size": 32, "codebook_size": 8, "codebook_dim": 2,
            "n_codebooks": 2},
    "encodec": {
        "num_filters": 2, "hidden_size": 8, "codebook_dim": 8, "codebook_size": 64, "num_lstm_layers": 1,
        "target_bandwidths": [2.0],
    },
    "mimi": {
        "num_filters": 2, "hidden_size": 8, "codebook_size": 8, "codebook_dim": 4, "num_quantizers": 2,
        "vector_quantization_hidden_dimension": 4, "num_hidden_layers": 1, "intermediate_size": 8,
        "num_attention_heads": 2, "num_key_value_heads": 2, "upsample_groups": 8,
    },
    "wavtokenizer": {
        "num_filters": 2, "hidden_size": 8, "codebook_dim": 8, "codebook_size": 8, "num_lstm_layers": 1,
        "decoder_hidden_size": 16, "decoder_intermediate_size": 16, "decoder_num_layers": 1,
        "decoder_attention_num_groups": 4,
    },
    "xcodec": {
        "codebook_size": 8,
        "target_bandwidths": [0.5],
        "acoustic_model_config": {"encoder_hidden_size": 2, "decoder_hidden_size": 32, "hidden_size": 4},
        "semantic_model_config": SPEECH,
    },
    "_class_name": {
        "encoder_hidden_size": 2, "channel_multiples": [1] * 5, "decoder_channels": 2,
        "decoder_input_channels": 1,
    },
    **dict.fromkeys(("wav2vec2", "hubert", "wavlm", "data2vec-audio"), SPEECH),
    **dict.fromkeys(("xcodec2", "neucodec"), LEVELS),
}  # fmt: skip
TORCHAUDIO = {
    "extractor_conv_layer_config": [(4, k, s) for k, s in [(10, 5), *[(3, 2)] * 4, *[(2, 2)] * 2]],
    "encoder_embed_dim": 8,
    "encoder_pos_conv_groups": 2,
    "encoder_num_layers": 2,
    "encoder_num_heads": 2,
    "encoder_ff_interm_features": 8,
}
NAMED = [row for row in KNOWN if row.config]
PIPELINES = [row for row in KNOWN if row.name.startswith("torchaudio:")]
SLOW = ("X-Codec 2", "Hybrid Demucs")  # twenty seconds each, tried elsewhere
FEW = Condition("partial", 2, -20.0)


def merged(config, changes):
    """Return a configuration with others within it changed as well."""
    found = dict(config)
    for key, value in changes.items():
        inner = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if inner else value
    return found


def small(row, tmp_path):
    """Load a model of the same geometry and small widths."""
    narrow = NARROW[row.config.get("model_type", "_class_name")]
    (tmp_path / "config.json").write_text(json.dumps(merged(row.config, narrow)))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(row.preprocessor))
    return load(f"hf:{tmp_path}", weights="random")


def tiny_conv_tasnet():
    return ConvTasNet(2, 16, 4, 3, 4, 4, 2, 2, "relu")


def tiny_demucs():
    return HDemucs(["voice"], channels=4, depth=6)


def small_bundle(row):
    """Return one of torchaudio's pipelines with small widths."""
    bundle = copy.copy(getattr(torchaudio.pipelines, row.name.partition(":")[2]))
    if row.family == "Conv-TasNet":
        return dataclasses.replace(bundle, _model_path="", _model_factory_func=tiny_conv_tasnet)
    if row.family == "Hybrid Demucs":
        return dataclasses.replace(bundle, _model_path="", _model_factory_func=tiny_demucs)
    params = {**bundle._params, **TORCHAUDIO, "aux_num_out": None}
    return Wav2Vec2Bundle("", params, bundle._sample_rate, bundle._normalize_waveform, bundle._model_type)


def conforms(encoder: Any, rows):
    for row in rows:
        assert (encoder.sample_rate, encoder.stages["latent"].hop) == (row.sample_rate, row.hop), row.name
        for stage in row.stages.replace(" …", "").split(", "):
            assert stage in encoder.stages, (row.name, stage)
    if rows[0].family in SLOW:
        return
    tuning = selectivity(Session(encoder, ["latent"]), partials(200, 1600, per_octave=1))
    assert tuning.best_frequency.notnull().any()
    planes = compositionality(
        Session(encoder, ["latent"]), conditions=[FEW], ensembles=[few_partials(encoder.sample_rate)]
    )
    assert planes.stability.notnull().all()
    assert planes.unchanged.max() < 1  # every partial changes something
    encoder.randomised = None  # each family's baselines are tried where it is
    check(encoder)


def few_partials(sample_rate):
    """Return three partials and two contexts: whether it can be asked, not how much."""
    whole = partial_ensemble(sample_rate, contexts=2, most=2)
    own = tuple(sounds[::6] for sounds in whole.sounds)
    return dataclasses.replace(
        whole, frequency_hz=whole.frequency_hz[::6], labels=whole.labels[::6], sounds=own
    )


def alike(rows, architecture):
    """Return rows in lists of one architecture each, at small widths: what holds of one holds of all."""
    found: dict[str, list] = {}
    for row in rows:
        found.setdefault(repr(architecture(row)), []).append(row)
    return [pytest.param(group, id=" ".join(row.name for row in group)) for group in found.values()]


@pytest.mark.parametrize("rows", alike(NAMED, lambda row: (row.config, row.preprocessor)))
def test_named_models_are_as_listed(rows, tmp_path):
    conforms(small(rows[0], tmp_path), rows)


@pytest.mark.parametrize("rows", alike(PIPELINES, small_bundle))
def test_named_pipelines_are_as_listed(rows, monkeypatch):
    row = rows[0]
    monkeypatch.setattr(torchaudio.pipelines, row.name.partition(":")[2], small_bundle(row))
    conforms(load(row.name, weights="random"), rows)


def test_at_least_twenty_are_listed_with_a_configuration_that_is_one():
    assert len(NAMED) >= 20
    for row in NAMED:
        if "model_type" in row.config:
            transformers.AutoConfig.for_model(**dict(row.config))
    assert len({row.name for row in KNOWN}) == len(KNOWN)


def test_a_known_name_is_built_without_a_network(monkeypatch):
    import huggingface_hub

    def refuse(*_args, **_options):
        raise OSError("no route to host")

    row = next(row for row in NAMED if row.name == "hf:microsoft/wavlm-base-plus")
    changed = dataclasses.replace(row, config=merged(row.config, SPEECH))
    monkeypatch.setattr("tonotopy.encoders.families.known.KNOWN", (changed,))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    one, same, other = (load(row.name, weights="random", seed=seed) for seed in (1, 1, 2))
    assert one.name == "wavlm-base-plus"
    assert one.weights.sha256 == same.weights.sha256 != other.weights.sha256
    with pytest.raises(InputError, match="not in the cache and not to be had from the hub"):
        load(row.name)
