"""Dictionaries in files: each form there and back, as its own library reads it, and what is no dictionary."""

import importlib
import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tonotopy.probes.dictionaries.dictionary import Origin
from tonotopy.probes.dictionaries.files import WEIGHTS, read_dictionary, stage_of, write_dictionary
from tonotopy.synth.errors import InputError

from .drawn import ORIGIN, drawn_dictionary, drawn_rows

PARTS = ("encoder", "encoder_bias", "decoder", "decoder_bias", "threshold")


def same(one, other):
    return all(
        a is b is None or (a is not None and b is not None and torch.equal(a, b))
        for a, b in ((getattr(one, name), getattr(other, name)) for name in PARTS)
    )


@pytest.mark.parametrize("kind", ["topk", "batch_topk", "jumprelu"])
@pytest.mark.parametrize("centred", [True, False])
def test_own_form_keeps_everything(tmp_path, kind, centred):
    dictionary = drawn_dictionary(kind, centred=centred)
    write_dictionary(dictionary, tmp_path / "d")
    for path in (tmp_path / "d", tmp_path / "d" / "dictionary.safetensors"):
        found = read_dictionary(path)
        assert same(found, dictionary)
        assert (found.k, found.activation, found.centred, found.origin) == (5, kind, centred, ORIGIN)


@pytest.mark.parametrize("kind", ["topk", "batch_topk", "jumprelu"])
@pytest.mark.parametrize("centred", [True, False])
def test_saelens_there_and_back(tmp_path, kind, centred):
    dictionary = drawn_dictionary(kind, centred=centred)
    write_dictionary(dictionary, tmp_path, "saelens")
    config = json.loads((tmp_path / "cfg.json").read_text())
    assert config["architecture"] == ("topk" if kind == "topk" else "jumprelu")
    assert (config["d_in"], config["d_sae"], config.get("k")) == (12, 40, 5 if kind == "topk" else None)
    found = read_dictionary(tmp_path)
    assert same(found, dictionary)
    assert (found.centred, found.origin) == (centred, ORIGIN)
    assert torch.equal(found.encode(drawn_rows()), dictionary.encode(drawn_rows()))


@pytest.mark.parametrize("centred", [True, False])
def test_sparsify_there_and_back(tmp_path, centred):
    dictionary = drawn_dictionary(centred=centred)
    write_dictionary(dictionary, tmp_path, "sparsify")
    found = read_dictionary(tmp_path)
    assert found.centred
    assert found.origin == ORIGIN
    assert same(found, dictionary) == centred
    torch.testing.assert_close(found.encode(drawn_rows()), dictionary.encode(drawn_rows()))
    with pytest.raises(InputError, match="activation 'jumprelu': the form sparsify has topk only"):
        write_dictionary(drawn_dictionary("jumprelu"), tmp_path / "other", "sparsify")
    assert not (tmp_path / "other").exists()


def saelens(folder, config=None, tensors=None, without=()):
    """Write a folder as SAELens 6 does, with changes."""
    write_dictionary(drawn_dictionary(), folder, "saelens")
    settings = json.loads((folder / "cfg.json").read_text()) | (config or {})
    settings = {name: value for name, value in settings.items() if name not in without}
    (folder / "cfg.json").write_text(json.dumps(settings))
    state = load_file(folder / WEIGHTS["saelens"]) | (tensors or {})
    state = {name: tensor.clone() for name, tensor in state.items() if name not in without}
    save_file(state, folder / WEIGHTS["saelens"])
    return folder


FIVE = {  # of Singh et al.'s dictionaries, SAELens 5.3.2
    "architecture": "topk", "d_in": 12, "d_sae": 40, "activation_fn_str": "topk",
    "activation_fn_kwargs": {"k": 7}, "apply_b_dec_to_input": False, "finetuning_scaling_factor": False,
    "context_size": 128, "model_name": "facebook/musicgen-small",
    "hook_name": "decoder.model.decoder.layers.11",
    "hook_layer": 11, "hook_head_index": None, "prepend_bos": False, "dataset_path": "x",
    "dataset_trust_remote_code": True, "normalize_activations": "none", "dtype": "torch.float32",
    "device": "cpu", "sae_lens_training_version": "5.3.2", "neuronpedia_id": None,
    "model_from_pretrained_kwargs": {}, "seqpos_slice": [None],
}  # fmt: skip


def five(folder, **changes):
    saelens(folder)
    (folder / "cfg.json").write_text(json.dumps(FIVE | changes))
    return folder


def test_saelens_5(tmp_path):
    found = read_dictionary(five(tmp_path))
    assert (found.k, found.activation, found.centred) == (7, "topk", False)
    assert found.origin.stage == "layer_11"
    assert found.origin.model == "facebook/musicgen-small"
    assert "decoder.model.decoder.layers.11" in found.origin.note
    assert torch.equal(found.encoder, drawn_dictionary().encoder)
    old = {
        name: value
        for name, value in FIVE.items()
        if name not in ("activation_fn_str", "apply_b_dec_to_input")
    }
    (tmp_path / "cfg.json").write_text(
        json.dumps(old | {"activation_fn": "topk", "architecture": "standard"})
    )
    found = read_dictionary(tmp_path)
    assert (found.activation, found.k, found.centred) == ("topk", 7, True)


def test_what_is_applied_on_the_way_becomes_part_of_the_weights(tmp_path):
    plain, rows = drawn_dictionary(), drawn_rows()
    scaled = read_dictionary(saelens(tmp_path / "a", {"rescale_acts_by_decoder_norm": True}))
    norms = plain.decoder.norm(dim=1)
    before = ((rows - plain.decoder_bias) @ plain.encoder + plain.encoder_bias).relu() * norms
    right = before * torch.zeros_like(before).scatter(1, before.topk(5).indices, 1.0)
    torch.testing.assert_close(scaled.encode(rows), right)
    torch.testing.assert_close(scaled.reconstruct(rows), right / norms @ plain.decoder + plain.decoder_bias)

    factor = torch.linspace(0.5, 2, 40)
    tuned = read_dictionary(
        saelens(tmp_path / "b", {"finetuning_scaling_factor": True}, {"finetuning_scaling_factor": factor})
    )
    features = plain.encode(rows)
    assert torch.equal(tuned.encode(rows), features)
    torch.testing.assert_close(
        tuned.reconstruct(rows), features * factor @ plain.decoder + plain.decoder_bias
    )
    with pytest.raises(InputError, match="'scaling_factor', and its configuration says that it is not used"):
        read_dictionary(saelens(tmp_path / "c", None, {"scaling_factor": factor}))
    assert same(read_dictionary(saelens(tmp_path / "d", None, {"scaling_factor": torch.ones(40)})), plain)


def test_a_standard_one_keeps_what_is_positive(tmp_path):
    found, rows = (
        read_dictionary(saelens(tmp_path, {"architecture": "standard"}, without=("k",))),
        drawn_rows(),
    )
    plain = drawn_dictionary()
    right = ((rows - plain.decoder_bias) @ plain.encoder + plain.encoder_bias).relu()
    torch.testing.assert_close(found.encode(rows), right)
    assert (found.activation, found.k) == ("jumprelu", 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read(tmp_path, dtype):
    state = {"W_dec": drawn_dictionary().decoder.to(dtype)}
    found = read_dictionary(saelens(tmp_path, None, state))
    assert torch.equal(found.decoder, state["W_dec"].float())


@pytest.mark.parametrize(
    ("config", "without", "says"),
    [
        ({}, ("k",), "k is missing from its configuration: .* cannot be guessed"),
        ({"k": None}, (), "k in its configuration is missing"),
        ({"k": 0}, (), "k in its configuration is 0"),
        ({"k": 41}, (), "k 41"),
        ({"activation_fn_kwargs": {"k": 9}}, (), "k is 5 in one place of its configuration and 9 in another"),
        ({"activation_fn_kwargs": 9}, ("k",), "activation_fn_kwargs is 9"),
        ({}, ("d_in",), "d_in in its configuration is missing"),
        ({"d_sae": "40"}, (), "d_sae in its configuration is '40'"),
        ({"d_in": 13}, (), r"'W_enc' is \(12, 40\): cfg.json says \(13, 40\)"),
        ({"architecture": "gated"}, (), "architecture is 'gated': only standard or topk or jumprelu"),
        ({"architecture": "jumprelu"}, (), "lacks the tensor 'threshold'"),
        ({"normalize_activations": "layer_norm"}, (), "normalize_activations is 'layer_norm': only none"),
        ({"normalize_activations": "expected_average_only_in"}, (), "normalize_activations is 'expected"),
        ({"activation_fn_str": "tanh-relu"}, (), "activation function is 'tanh-relu'"),
        ({"activation_fn_str": "relu"}, (), "'topk' and activation function 'relu': contradict"),
        ({"apply_b_dec_to_input": "yes"}, (), "apply_b_dec_to_input is 'yes'"),
        (
            {"hook_name": "blocks.5.hook_resid_post", "hook_layer": 6, "metadata": None},
            (),
            "different layers",
        ),
        ({}, ("b_enc",), "lacks the tensor 'b_enc'"),
    ],
)
def test_bad_saelens_files(tmp_path, config, without, says):
    with pytest.raises(InputError, match=says) as refused:
        read_dictionary(saelens(tmp_path, config, without=without))
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"W_dec": torch.zeros(12, 40)}, r"'W_dec' is \(12, 40\): cfg.json says \(40, 12\)"),
        ({"b_dec": torch.full((12,), torch.inf)}, "decoder_bias: holds NaN or Inf"),
        ({"W_enc": torch.full((12, 40), torch.nan)}, "encoder: holds NaN or Inf"),
        ({"b_enc": torch.zeros(40, dtype=torch.int32)}, "'b_enc' is of torch.int32"),
        ({"W_gate": torch.zeros(40)}, "has the tensor 'W_gate', which has no place"),
        ({"threshold": torch.zeros(40)}, "has the tensor 'threshold', which has no place"),
    ],
)
def test_bad_tensors(tmp_path, tensors, says):
    with pytest.raises(InputError, match=says):
        read_dictionary(saelens(tmp_path, None, tensors))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"k": None}, "k in its configuration is missing"),
        ({"activation": "groupmax"}, "activation is 'groupmax'"),
        ({"skip_connection": True}, "skip_connection is True"),
        ({"transcode": True}, "transcode is True"),
        ({"num_latents": 0}, "expansion_factor in its configuration is missing"),
        ({"num_latents": 41}, r"'encoder.weight' is \(40, 12\): cfg.json says \(41, 12\)"),
    ],
)
def test_bad_sparsify_files(tmp_path, change, says):
    write_dictionary(drawn_dictionary(), tmp_path, "sparsify")
    config = json.loads((tmp_path / "cfg.json").read_text()) | change
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=says):
        read_dictionary(tmp_path)


def test_sparsify_counts_features_by_their_factor(tmp_path):
    write_dictionary(drawn_dictionary(width=10), tmp_path, "sparsify")
    config = {"d_in": 10, "expansion_factor": 4, "num_latents": 0, "k": 5}
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    found = read_dictionary(tmp_path)
    assert (found.features, found.k, found.origin) == (40, 5, Origin())


def test_what_is_no_dictionary(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder or file"):
        read_dictionary(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds none of dictionary\.safetensors"):
        read_dictionary(tmp_path)
    save_file({"conv": torch.zeros(2)}, tmp_path / "sae.safetensors")
    with pytest.raises(InputError, match="of no known form: it holds conv"):
        read_dictionary(tmp_path)
    write_dictionary(drawn_dictionary(), tmp_path)
    with pytest.raises(
        InputError, match=r"holds dictionary\.safetensors and sae\.safetensors; it must hold one"
    ):
        read_dictionary(tmp_path)
    with pytest.raises(InputError, match="form 'keras': must be one of tonotopy, saelens, sparsify"):
        write_dictionary(drawn_dictionary(), tmp_path, "keras")  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["tonotopy", "saelens", "sparsify"])
def test_truncated_files_and_missing_configurations(tmp_path, form):
    write_dictionary(drawn_dictionary(), tmp_path, form)
    weights = tmp_path / WEIGHTS[form]
    whole = weights.read_bytes()
    for length in (len(whole) - 1, len(whole) // 2, 20, 0):
        weights.write_bytes(whole[:length])
        with pytest.raises(InputError, match="not a whole safetensors file"):
            read_dictionary(tmp_path)
    weights.write_bytes(whole)
    if form == "tonotopy":
        save_file(load_file(weights), weights)  # without what it says of itself
        with pytest.raises(InputError, match="has no configuration in it"):
            read_dictionary(tmp_path)
        return
    for content, says in (
        ("{", "cannot be read as JSON"),
        ("[]", "must be an object"),
        (None, "is not beside it"),
    ):
        if content is None:
            (tmp_path / "cfg.json").unlink()
        else:
            (tmp_path / "cfg.json").write_text(content)
        with pytest.raises(InputError, match=says):
            read_dictionary(tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"k": "five"}, {"activation": "relu"}, {"origin": {"colour": "red"}}, {"surplus": 1}, {"centred": None}],
)
def test_an_own_file_with_a_configuration_that_makes_no_dictionary(tmp_path, change):
    write_dictionary(drawn_dictionary(), tmp_path)
    path = tmp_path / "dictionary.safetensors"
    config = {"activation": "topk", "k": 5, "centred": True, "origin": {}} | change
    save_file(load_file(path), path, metadata={"dictionary": json.dumps(config)})
    with pytest.raises(InputError, match=r"dictionary\.safetensors"):
        read_dictionary(path)


@pytest.mark.parametrize(
    ("hook", "layer", "stage"),
    [
        ("", 5, "layer_5"),
        ("", None, ""),
        ("layer_5", None, "layer_5"),
        ("transformer.layers.17", 17, "layer_17"),
        ("residual", 5, "layer_5"),
        ("blocks.0.hook_resid_pre", 0, "blocks.0.hook_resid_pre"),
        ("blocks.3.attn.hook_z", 3, "blocks.3.attn.hook_z"),
        ("decoder.layers.3.fc1", None, "decoder.layers.3.fc1"),
    ],
)
def test_stages_of_hooks(hook, layer, stage):
    assert stage_of(hook, layer) == stage


def needs(package):
    """Mark a test that needs a library which nothing here depends on."""
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@needs("sae_lens")
@pytest.mark.parametrize("kind", ["topk", "jumprelu"])
def test_saelens_reads_what_we_write_and_we_what_it_writes(tmp_path, kind):
    library = importlib.import_module("sae_lens")
    dictionary, rows = drawn_dictionary(kind), drawn_rows()
    write_dictionary(dictionary, tmp_path / "ours", "saelens")
    theirs = library.SAE.load_from_disk(str(tmp_path / "ours"), device="cpu")
    torch.testing.assert_close(theirs.encode(rows).detach(), dictionary.encode(rows))
    torch.testing.assert_close(theirs(rows).detach(), dictionary.reconstruct(rows))
    theirs.save_model(str(tmp_path / "theirs"))
    assert same(read_dictionary(tmp_path / "theirs"), dictionary)


@needs("sparsify")
def test_sparsify_reads_what_we_write_and_we_what_it_writes(tmp_path):
    library = importlib.import_module("sparsify")
    dictionary, rows = drawn_dictionary(), drawn_rows()
    write_dictionary(dictionary, tmp_path / "ours", "sparsify")
    theirs = library.SparseCoder.load_from_disk(tmp_path / "ours")
    found = theirs.encode(rows)
    dense = torch.zeros(30, 40).scatter(1, found.top_indices, found.top_acts.detach())
    torch.testing.assert_close(dense, dictionary.encode(rows))
    theirs.save_to_disk(tmp_path / "theirs")
    back = read_dictionary(tmp_path / "theirs")
    assert same(replace(back, origin=ORIGIN), dictionary)
    np.testing.assert_array_equal(back.k, 5)
