import copy
import json
import shutil
import warnings
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tonotopy.encoders import InputError, check, load
from tonotopy.encoders.families.encodec import _stages, codec_of
from tonotopy.encoders.families.seanet import seanet_blocks
from tonotopy.encoders.hub import quiet
from tonotopy.encoders.musicgen.decoder import blocks_of, logits_of
from tonotopy.encoders.musicgen.delay import delayed
from tonotopy.encoders.musicgen.folder import open_folder
from tonotopy.encoders.musicgen.published import (
    SIZES,
    architecture,
    musicgen_of,
    random_musicgen,
)

pytest.importorskip("transformers")
pytestmark = [pytest.mark.numerical, pytest.mark.usefixtures("one_thread")]

K, ENTRIES = 4, 32
WORDS = ["<pad>", "</s>", "<unk>", "slow", "piano", "loud", "drums", "and"]
TEXTS = ["slow piano and loud drums", "drums", ""]
SIZE: dict[str, Any] = {
    "text_encoder": {"model_type": "t5", "vocab_size": len(WORDS), "d_model": 12, "d_kv": 4, "d_ff": 16,
                     "num_layers": 2, "num_heads": 2},
    "audio_encoder": {"model_type": "encodec", "sampling_rate": 8000, "hidden_size": 16, "num_filters": 4,
                      "upsampling_ratios": [8, 5, 4], "use_causal_conv": False, "use_conv_shortcut": False,
                      "codebook_size": ENTRIES, "target_bandwidths": [1.0]},
    "decoder": {"model_type": "musicgen_decoder", "vocab_size": ENTRIES, "num_codebooks": K,
                "hidden_size": 16, "ffn_dim": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
                "pad_token_id": ENTRIES, "bos_token_id": ENTRIES},
}  # fmt: skip


def config_of() -> Any:
    from transformers.models.musicgen import MusicgenConfig

    with quiet():
        return MusicgenConfig(**copy.deepcopy(SIZE))


def write_tokenizer(folder: Path, words: list[str]) -> None:
    """Write a tokenizer of a few words in the form of T5's."""
    tokens = [{"id": i, "content": word, "special": True, "single_word": False, "lstrip": False,
               "rstrip": False, "normalized": False} for i, word in enumerate(words[:3])]  # fmt: skip
    pattern = [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    spaces = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    vocabulary = [[word if i < 3 else f"▁{word}", -float(i)] for i, word in enumerate(words)]
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": None,
        "pre_tokenizer": spaces, "decoder": spaces,
        "post_processor": {"type": "TemplateProcessing", "single": pattern, "pair": pattern, "special_tokens":
                           {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "model": {"type": "Unigram", "unk_id": 2, "vocab": vocabulary, "byte_fallback": False},
    }))  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "T5Tokenizer", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>",
        "extra_ids": 0, "additional_special_tokens": [],
    }))  # fmt: skip


@pytest.fixture(scope="module")
def reference() -> Any:
    """transformers' own model, its weights enlarged so that every one of them counts."""
    from transformers.models.musicgen import MusicgenForConditionalGeneration

    with torch.random.fork_rng(), torch.no_grad(), quiet():
        torch.manual_seed(0)
        made = MusicgenForConditionalGeneration(config_of()).eval()
        for tensor in (*made.decoder.parameters(), *made.enc_to_dec_proj.parameters()):
            tensor.copy_(torch.randn_like(tensor) * 0.3)
    codec_of("reference", made.audio_encoder, "random")  # fills its codebooks
    return made


@pytest.fixture(scope="module")
def folder(reference, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("published")
    with quiet():
        reference.save_pretrained(path)
    write_tokenizer(path, WORDS)
    return path


@pytest.fixture
def copied(folder, tmp_path) -> Path:
    """A folder that a test may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "copied"))


@pytest.fixture(scope="module")
def model(folder) -> Any:
    return loaded(folder)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("reached for the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def loaded(folder: Path) -> Any:
    return load("musicgen_small", weights=folder)


def change_config(folder: Path, part: str | None, **changes: Any) -> None:
    about = json.loads((folder / "config.json").read_text())
    (about if part is None else about[part]).update(changes)
    (folder / "config.json").write_text(json.dumps(about))


def change_tensors(folder: Path, change: Any) -> None:
    state = load_file(folder / "model.safetensors")
    save_file(change(state), folder / "model.safetensors", {"format": "pt"})


# It is the model that was saved


@pytest.fixture(scope="module")
def codes() -> torch.Tensor:
    return torch.randint(ENTRIES, (3, K, 6), generator=torch.Generator().manual_seed(0))


def reference_logits(reference: Any, codes: torch.Tensor, texts: list[str] | None) -> torch.Tensor:
    """Return what transformers' whole model says at every column, [B, K, S, entries]."""
    if texts is None:
        conditions = {
            "encoder_outputs": (torch.zeros(len(codes), 1, 12),),
            "attention_mask": torch.zeros(len(codes), 1, dtype=torch.int64),
        }
    else:
        ids = [[WORDS.index(word) for word in text.split()] + [1] for text in texts]
        longest = max(map(len, ids))
        conditions = {
            "input_ids": torch.tensor([one + [0] * (longest - len(one)) for one in ids]),
            "attention_mask": torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in ids]),
        }
    columns = delayed(codes, ENTRIES)
    with torch.inference_mode():
        said = reference(decoder_input_ids=columns.flatten(0, 1), **conditions).logits
    return said.unflatten(0, columns.shape[:2])


def test_unconditional_logits_are_those_of_transformers(model, reference, codes):
    with torch.inference_mode():
        said = logits_of(model.decoder, delayed(codes, ENTRIES))
    torch.testing.assert_close(said, reference_logits(reference, codes, None), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("texts", [["drums", "slow piano", "and"], TEXTS[:1] * 3, [*TEXTS[:2], "loud"]])
def test_logits_of_texts_are_those_of_transformers(model, reference, codes, texts):
    """Texts of several lengths too, padding and its mask included."""
    with torch.inference_mode():
        said = logits_of(model.decoder, delayed(codes, ENTRIES), model.tokens(texts, 3))
    expected = reference_logits(reference, codes, texts)
    torch.testing.assert_close(said, expected, rtol=1e-5, atol=1e-5)
    plain = reference_logits(reference, codes, None)
    assert bool(((said - plain).abs().amax(dim=(1, 2, 3)) > 1e-3).all())  # and a text matters


def test_what_a_text_does_depends_on_no_other(model, codes):
    said = model.logits(codes, TEXTS)
    for row, text in enumerate(TEXTS):
        torch.testing.assert_close(said[row], model.logits(codes[row : row + 1], text)[0])


def test_an_empty_text_is_none(model, codes):
    plain = model.logits(codes)
    assert torch.equal(model.logits(codes, ""), plain)
    assert torch.equal(model.logits(codes, TEXTS)[2], plain[2])
    tokens = model.tokens(TEXTS, 3)
    assert tokens is not None
    lengths = (tokens != 0).any(-1).sum(1)
    assert lengths.tolist() == [6, 2, 0]  # words and the end


def test_codes_and_sound_are_those_of_transformers(model, reference, noise):
    waveforms = noise(2, 8123)
    found = model.run(waveforms, ["latent", "quantized", "codes"])
    codec = reference.audio_encoder
    bandwidth = codec.config.target_bandwidths[-1]
    with torch.inference_mode():
        given = codec.encode(waveforms[:, None], bandwidth=bandwidth)
        sound = codec.decode(given.audio_codes, given.audio_scales).audio_values[:, 0]
        latent = codec.encoder(waveforms[:, None])
    assert torch.equal(found["codes"], given.audio_codes[0])
    assert min(len(book.unique()) for book in found["codes"].transpose(0, 1)) > 5
    assert torch.equal(found["latent"], latent)
    assert torch.equal(model.decode(found["quantized"]), sound)
    torch.testing.assert_close(model.decode_codes(found["codes"]), sound, rtol=1e-4, atol=1e-5)


def test_it_generates_with_a_text(model):
    made = model.generate(5, seeds=(0, 1), condition=["slow piano and drums", "drums"], temperature=0)
    each = [model.generate(5, condition=text, temperature=0) for text in ("slow piano and drums", "drums")]
    assert torch.equal(made, torch.cat(each))
    said = [model.logits(made[:1], text) for text in ("", "slow piano and drums")]
    assert torch.equal((said[0] + 3 * (said[1] - said[0])).argmax(-1), made[:1])


def test_weights_say_where_they_are_from(model, folder):
    assert model.weights.source == str(folder)
    assert model.weights.note == ""
    assert model.name == "musicgen_small"
    assert load("musicgen_medium", weights=folder).weights.sha256 == model.weights.sha256


def test_context_is_what_it_was_trained_on(model, copied):
    assert model.context == 1503  # 30 s at 50 Hz, and what the delay takes
    change_config(copied, "decoder", max_position_embeddings=64)
    assert loaded(copied).context == 64


# Other forms of the same


def test_shards_are_read_by_their_index(model, reference, tmp_path, codes):
    with quiet():
        reference.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    sharded = loaded(tmp_path)
    assert sharded.weights.sha256 == model.weights.sha256
    assert torch.equal(sharded.logits(codes), model.logits(codes))


def test_names_and_constants_of_older_files(model, copied, codes):
    """Files of 2023 name the parts of a weight norm otherwise, and hold tables that follow from others."""
    parts = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}

    def older(state):
        for own, former in parts.items():
            state = {name.replace(own, former): tensor for name, tensor in state.items()}
        return {
            **state,
            "decoder.model.decoder.embed_positions.weights": torch.zeros(2048, 16),
            "text_encoder.encoder.embed_tokens.weight": state["text_encoder.shared.weight"].clone(),
        }

    change_tensors(copied, older)
    read = loaded(copied)
    assert read.weights.sha256 == model.weights.sha256
    assert torch.equal(read.logits(codes, TEXTS), model.logits(codes, TEXTS))


def test_half_precision_becomes_float32(model, copied, codes):
    change_tensors(copied, lambda state: {n: t.half() for n, t in state.items()})
    change_config(copied, None, dtype="float16")
    half = loaded(copied)
    assert half.logits(codes).dtype == torch.float32
    assert {t.dtype for t in half.module.parameters()} == {torch.float32}
    torch.testing.assert_close(half.logits(codes), model.logits(codes), rtol=0.05, atol=0.05)


def test_random_state_is_left_alone(folder):
    before = torch.get_rng_state()
    loaded(folder)
    assert torch.equal(torch.get_rng_state(), before)


# Stages


def test_it_conforms(model):
    check(model)


def test_its_codec_conforms(model):
    check(model.codec)


def test_stages_of_the_published_codec():
    """At the published size, by arithmetic: no weights are made."""
    from transformers.models.encodec import EncodecModel

    with quiet(), torch.device("meta"):
        codec: Any = EncodecModel(architecture(SIZES["musicgen_small"]).audio_encoder)
    stages = _stages(codec, seanet_blocks(codec.encoder.layers), codec.quantizer.num_quantizers)
    assert list(stages) == [
        "first_layer", "residual1", "downsample1", "residual2", "downsample2", "residual3", "downsample3",
        "residual4", "stack_end", "lstm", "latent", "quantized_1", "quantized_2", "quantized", "codes",
    ]  # fmt: skip
    fields = [stages[name].receptive_field for name in ("first_layer", "downsample1", "downsample2")]
    assert fields == [7, 16, 52]
    assert [stages[name].receptive_field for name in ("downsample3", "stack_end", "latent")] == [
        228,
        1588,
        None,
    ]
    assert stages["codes"].channels == 4
    assert (stages["latent"].hop, stages["latent"].channels) == (640, 128)  # 50 Hz at 32 kHz
    assert len(codec.quantizer.layers[0].codebook.embed) == 2048


@pytest.mark.parametrize(
    ("name", "size"),
    [("small", (24, 1024, 16, 4096)), ("medium", (48, 1536, 24, 6144)), ("large", (48, 2048, 32, 8192))],
)
def test_published_sizes(name, size):
    decoder = architecture(SIZES[f"musicgen_{name}"]).decoder
    assert (
        decoder.num_hidden_layers,
        decoder.hidden_size,
        decoder.num_attention_heads,
        decoder.ffn_dim,
    ) == size
    assert (decoder.num_codebooks, decoder.vocab_size, decoder.pad_token_id) == (4, 2048, 2048)


# Random weights and baselines


def test_random_weights_follow_from_the_seed(noise):
    one, again, other = (random_musicgen("musicgen_small", config_of(), seed) for seed in (0, 0, 1))
    assert one.weights.source == "random"
    assert one.weights.sha256 == again.weights.sha256 != other.weights.sha256
    assert one.codec.weights.sha256 == again.codec.weights.sha256 != other.codec.weights.sha256
    waveforms = noise(2, 8000)
    assert torch.equal(
        one.run(waveforms, ["layer_2"])["layer_2"], again.run(waveforms, ["layer_2"])["layer_2"]
    )


def test_random_codebooks_are_filled_and_used(noise):
    drawn = random_musicgen("musicgen_small", config_of(), 0)
    assert "seed 0; 4 codebooks untrained: filled by k-means" in drawn.weights.note
    codes = drawn.encode(noise(4, 8000))
    assert min(len(book.unique()) for book in codes.transpose(0, 1)) > 5
    with pytest.raises(InputError, match="weights='random' has no text encoder and no tokenizer"):
        drawn.generate(3, condition="slow piano")
    assert drawn.generate(3, condition="").shape == (1, K, 3)


def test_codebooks_of_zeros_in_a_file_are_filled_and_it_says_so(copied):
    change_tensors(copied, lambda s: {n: 0 * t if n.endswith("embed") else t for n, t in s.items()})
    assert "codebooks untrained: filled" in loaded(copied).weights.note


@pytest.mark.parametrize("kind", ["random", "permuted", "matched"])
def test_baselines_keep_codec_and_text_encoder(model, kind, noise, codes):
    drawn = model.randomised(1, kind)
    waveforms = noise(2, 4000)
    found, own = (one.run(waveforms, ["codes", "layer_2"]) for one in (drawn, model))
    assert torch.equal(found["codes"], own["codes"])
    assert not torch.allclose(found["layer_2"], own["layer_2"], atol=0.01)
    assert drawn.weights.source == kind
    assert model.randomised(1, kind).weights.sha256 == drawn.weights.sha256
    assert drawn.conditions.encoder is model.conditions.encoder
    blocks: list[Any] = [blocks_of(each.decoder)[1] for each in (model, drawn)]
    one, other = (block.fc1.weight.flatten().sort().values for block in blocks)
    assert torch.equal(one, other) == (kind == "permuted")
    projections = [one.conditions.projection.weight for one in (model, drawn)]
    assert torch.equal(*projections) == (kind != "random")
    each = drawn.logits(codes, TEXTS)  # texts of several lengths, of which none depends on another
    torch.testing.assert_close(each[1], drawn.logits(codes[1:2], TEXTS[1])[0])


# What it refuses


def refused(folder: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        loaded(folder)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) <= 500


def test_no_folder(tmp_path, folder):
    refused(tmp_path / "none", "none: no such folder")
    refused(folder / "model.safetensors", "a file; must be the folder that holds config.json")
    refused(tmp_path, r"has no config\.json that can be read")


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        (None, {"model_type": "bert"}, "config.json is of model type 'bert'; must be 'musicgen'"),
        (None, {"model_type": "musicgen_melody"}, "'musicgen_melody'; must be 'musicgen'"),
        (None, {"audio_encoder": None}, "config.json has audio_encoder None; must be 'encodec'"),
        ("text_encoder", {"model_type": "bert"}, "config.json has text_encoder 'bert'; must be 't5'"),
        ("audio_encoder", {"model_type": "dac"}, "config.json has audio_encoder 'dac'; must be 'encodec'"),
        ("decoder", {"hidden_size": "wide"}, "config.json is unusable"),
        ("decoder", {"num_codebooks": 8}, "decoder.num_codebooks 8; must be 4 here"),
        ("decoder", {"audio_channels": 2}, "decoder.audio_channels 2; must be 1 here"),
        ("decoder", {"vocab_size": 64, "pad_token_id": 64}, "decoder.vocab_size 64; must be 32 here"),
        ("decoder", {"pad_token_id": 0}, "decoder.pad_token_id 0; must be 32 here"),
        ("audio_encoder", {"normalize": True}, "audio_encoder.normalize True; must be False here"),
        ("audio_encoder", {"audio_channels": 2}, "audio_encoder.audio_channels 2; must be 1 here"),
        ("audio_encoder", {"chunk_length_s": 1.0}, "audio_encoder.chunk_length_s 1.0; must be None here"),
        ("decoder", {"num_hidden_layers": 2}, r"has 'decoder\.model\.decoder\.layers\.2\..*left over"),
        ("decoder", {"num_hidden_layers": 4}, r"lacks 'decoder\.model\.decoder\.layers\.3\..*missing"),
        ("decoder", {"ffn_dim": 48}, r"fc1\.weight' is \(32, 16\), the model needs \(48, 16\)"),
    ],
)
def test_a_configuration_of_something_else(copied, part, changes, message):
    change_config(copied, part, **changes)
    refused(copied, message)


def test_a_configuration_that_is_no_json(copied):
    (copied / "config.json").write_text("{")
    refused(copied, r"config\.json: not JSON")
    (copied / "config.json").write_text("[]")
    refused(copied, r"config\.json: must hold a JSON object")


@pytest.mark.parametrize("kept", [0, 5, 2000, -10])
def test_a_file_that_is_cut(copied, kept):
    file = copied / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:kept])
    refused(copied, r"model\.safetensors: not a whole safetensors file")


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("decoder.lm_heads.1.weight", r"lacks 'decoder\.lm_heads\.1\.weight' \(1 tensors missing\)"),
        (
            "audio_encoder.encoder.layers.0.conv.bias",
            r"lacks 'audio_encoder\.encoder\.layers\.0\.conv\.bias'",
        ),
        ("enc_to_dec_proj.weight", r"the file lacks 'projection\.weight'"),
        ("audio_encoder.", "holds no tensors of the audio encoder"),
        ("decoder.", "holds no tensors of the decoder"),
    ],
)
def test_a_tensor_that_is_missing(copied, lost, message):
    change_tensors(copied, lambda state: {n: t for n, t in state.items() if not n.startswith(lost)})
    refused(copied, message)


def test_a_weight_that_is_no_number(copied):
    name = "decoder.lm_heads.0.weight"
    change_tensors(copied, lambda state: {**state, name: state[name] * torch.nan})
    refused(copied, f"{name}' holds NaN or Inf")


def test_pickles_are_not_opened(copied):
    (copied / "model.safetensors").unlink()
    refused(copied, r"holds no weights; must hold model\.safetensors")
    (copied / "pytorch_model.bin").write_bytes(b"cposix\nsystem\n(S'false'\ntR.")
    refused(copied, r"holds pickles only \(pytorch_model\.bin\), which are not opened")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": {"a": "model-2.safetensors"}}, r"names model-2\.safetensors, which is not there"),
        ({"weight_map": {"a": "../model.safetensors"}}, "must be a .safetensors file of the folder"),
        ({"weight_map": {"a": "model.bin"}}, "must be a .safetensors file of the folder"),
        ({"weight_map": ["a"]}, "has no 'weight_map'"),
        ({}, "has no 'weight_map'"),
    ],
)
def test_an_index_of_files_that_are_not_there(copied, index, message):
    (copied / "model.safetensors").unlink()
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(copied, message)


def test_without_a_text_encoder_only_texts_are_refused(copied, codes, model):
    change_tensors(copied, lambda s: {n: t for n, t in s.items() if not n.startswith("text_encoder.")})
    bare = loaded(copied)
    assert torch.equal(bare.logits(codes), model.logits(codes))
    assert torch.equal(bare.logits(codes, ""), model.logits(codes))
    with pytest.raises(InputError, match="holds no tensors of the text encoder"):
        bare.logits(codes, "slow piano")
    (copied / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"has no tokenizer \(tokenizer\.json or spiece\.model\)"):
        bare.logits(codes, "slow piano")


def test_a_tokenizer_that_is_none(copied, codes):
    (copied / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="its tokenizer is unusable") as raised:
        loaded(copied).logits(codes, "slow piano")
    assert "\n" not in str(raised.value)


def test_a_tokenizer_of_another_text_encoder(copied, codes):
    write_tokenizer(copied, [*WORDS, "violin"])
    with pytest.raises(InputError, match="its tokenizer gives token 8, its text encoder knows 8"):
        loaded(copied).logits(codes, "slow violin")


def test_a_condition_that_is_no_text(model, codes):
    with pytest.raises(InputError, match="must be a text; it takes no texture"):
        model.logits(codes, {"texture": "chords"})
    with pytest.raises(InputError, match="condition 3: must be a text"):
        model.logits(codes, [3, "drums", ""])


# The hub


@pytest.mark.parametrize("name", list(SIZES))
def test_without_the_hub_one_line_says_what_to_do(name, monkeypatch):
    import huggingface_hub

    def refuse(*_args, **_options):
        raise ConnectionError("Name or service not known\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(InputError) as raised:
        load(name)
    message = str(raised.value)
    assert "\n" not in message
    for part in (SIZES[name].repository, "not known", "weights= takes a folder", "'random'"):
        assert part in message


@pytest.mark.parametrize("cache", ["whole", "empty", "half"])
def test_what_the_hub_gives_is_pinned_and_has_no_pickles(cache, monkeypatch, folder, copied, model):
    import huggingface_hub

    (copied / "model.safetensors").unlink()
    calls: list[Any] = []

    def give(repository, **options):
        calls.append((repository, options))
        if not options["local_files_only"] or cache == "whole":
            return str(folder)
        if cache == "half":
            return str(copied)
        raise FileNotFoundError("not in the cache")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    fetched = load("musicgen_small")
    assert [options["local_files_only"] for _, options in calls] == [True, False][
        : 1 if cache == "whole" else 2
    ]
    for repository, options in calls:
        assert repository == "facebook/musicgen-small"
        assert len(options["revision"]) == 40
        names = ("pytorch_model.bin", "state_dict.bin", "compression_state_dict.bin", "a.pt", "a.py")
        assert not any(fnmatch(name, pattern) for name in names for pattern in options["allow_patterns"])
        needed = (
            *(file.name for file in folder.iterdir()),
            "model-00001-of-00002.safetensors",
            "spiece.model",
        )
        for name in set(needed) - {"generation_config.json"}:
            assert any(fnmatch(name, pattern) for pattern in options["allow_patterns"])
    assert fetched.weights.source == "pretrained"
    assert fetched.weights.note == f"facebook/musicgen-small, commit {folder.name}"
    assert fetched.weights.sha256 == model.weights.sha256


def test_quiet_is_over_when_it_is_over():
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with quiet(), warnings.catch_warnings():
        assert not logging.is_progress_bar_enabled()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_a_model_of_a_folder_by_hand(folder, model):
    assert musicgen_of("mine", open_folder(folder), "given").weights.sha256 == model.weights.sha256
