"""Checkpoints of MusicVAE: names, shapes, magenta-js folders, TensorFlow, and what is refused."""

import io
import json
import re
import subprocess
import sys
import tarfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from tonotopy.encoders import InputError, load
from tonotopy.encoders.musicvae.checkpoints import read_magenta_js
from tonotopy.encoders.musicvae.config import (
    SIXTEEN_BAR,
    TWO_BAR_BIG,
    TWO_BAR_SMALL,
    MusicVAEConfig,
    metadata_of,
)
from tonotopy.encoders.musicvae.loading import load_weights
from tonotopy.encoders.musicvae.model import MusicVAE
from tonotopy.encoders.musicvae.tensorflow import convert, is_checkpoint, read_tensorflow
from tonotopy.encoders.musicvae.variables import architecture, from_variables, state_of, variable_shapes
from tonotopy.encoders.weights import randomly_initialised, state_sha256

FLAT = MusicVAEConfig(encoder=(5,), decoder=(6, 7), latent_dimensions=4)
HIERARCHICAL = MusicVAEConfig(
    bars=16, encoder=(5, 6), decoder=(6, 7), latent_dimensions=4, conductor=(5, 8), segments=16
)
BOTH = pytest.mark.parametrize("config", [FLAT, HIERARCHICAL], ids=["flat", "hierarchical"])
PUBLISHED = {"2-bar small": TWO_BAR_SMALL, "2-bar big": TWO_BAR_BIG, "16-bar": SIXTEEN_BAR}


def random_variables(config, seed=0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        name: generator.standard_normal(shape).astype(np.float32)
        for name, shape in variable_shapes(config).items()
    }


def sha(variables, config=None):
    return from_variables(variables, config).weights.sha256


def complaint(call, *arguments, **options):
    """The one line that bad input gives."""
    with pytest.raises(InputError) as raised:
        call(*arguments, **options)
    line = str(raised.value)
    assert line
    assert "\n" not in line
    return line


# What Magenta's models are made of


@pytest.mark.parametrize(
    ("config", "count"),
    [(TWO_BAR_SMALL, 4_423_770), (TWO_BAR_BIG, 134_571_098), (SIXTEEN_BAR, 176_061_530)],
    ids=PUBLISHED,
)
def test_parameters_of_the_published_models(config, count):
    with torch.device("meta"):
        model = MusicVAE(config)
    assert sum(p.numel() for p in model.parameters()) == count
    assert sum(np.prod(shape) for shape in variable_shapes(config).values()) == count


ENCODER_CELL = "encoder/cell_{}/bidirectional_rnn/{}/multi_rnn_cell/cell_0/lstm_cell"
# Of Magenta's code; those of the 16-bar model also as github.com/magenta/magenta/issues/1854 lists them.
SHAPES = {
    "2-bar big": {
        **{f"{ENCODER_CELL.format(0, d)}/kernel": (2138, 8192) for d in ("fw", "bw")},
        **{f"{ENCODER_CELL.format(0, d)}/bias": (8192,) for d in ("fw", "bw")},
        **{f"encoder/{name}/kernel": (4096, 512) for name in ("mu", "sigma")},
        **{f"encoder/{name}/bias": (512,) for name in ("mu", "sigma")},
        "decoder/multi_rnn_cell/cell_0/lstm_cell/kernel": (2650, 8192),
        "decoder/multi_rnn_cell/cell_1/lstm_cell/kernel": (4096, 8192),
        "decoder/multi_rnn_cell/cell_2/lstm_cell/kernel": (4096, 8192),
        **{f"decoder/multi_rnn_cell/cell_{layer}/lstm_cell/bias": (8192,) for layer in range(3)},
        "decoder/z_to_initial_state/kernel": (512, 12288),
        "decoder/z_to_initial_state/bias": (12288,),
        "decoder/output_projection/kernel": (2048, 90),
        "decoder/output_projection/bias": (90,),
    },
    "16-bar": {
        **{f"{ENCODER_CELL.format(0, d)}/kernel": (2138, 8192) for d in ("fw", "bw")},
        **{f"{ENCODER_CELL.format(1, d)}/kernel": (6144, 8192) for d in ("fw", "bw")},
        **{f"{ENCODER_CELL.format(layer, d)}/bias": (8192,) for layer in (0, 1) for d in ("fw", "bw")},
        **{f"encoder/{name}/kernel": (4096, 512) for name in ("mu", "sigma")},
        **{f"encoder/{name}/bias": (512,) for name in ("mu", "sigma")},
        "decoder/hierarchical_level_0/cell_0/lstm_cell/kernel": (1025, 4096),
        "decoder/hierarchical_level_0/cell_1/lstm_cell/kernel": (2048, 4096),
        **{f"decoder/hierarchical_level_0/cell_{layer}/lstm_cell/bias": (4096,) for layer in (0, 1)},
        "decoder/hierarchical_level_0/initial_state/kernel": (512, 4096),
        "decoder/hierarchical_level_0/initial_state/bias": (4096,),
        "core_decoder/decoder/multi_rnn_cell/cell_0/lstm_cell/kernel": (2138, 4096),
        "core_decoder/decoder/multi_rnn_cell/cell_1/lstm_cell/kernel": (2048, 4096),
        **{f"core_decoder/decoder/multi_rnn_cell/cell_{layer}/lstm_cell/bias": (4096,) for layer in (0, 1)},
        "core_decoder/decoder/z_to_initial_state/kernel": (1024, 4096),
        "core_decoder/decoder/z_to_initial_state/bias": (4096,),
        "core_decoder/decoder/output_projection/kernel": (1024, 90),
        "core_decoder/decoder/output_projection/bias": (90,),
    },
}


@pytest.mark.parametrize("which", SHAPES)
def test_the_published_variables_fill_the_model(which):
    variables = {name: torch.empty(shape, device="meta") for name, shape in SHAPES[which].items()}
    config = architecture(variables)
    assert config == PUBLISHED[which]
    with torch.device("meta"):
        own = MusicVAE(config).state_dict()
    state = state_of(variables, config)
    assert {n: t.shape for n, t in state.items()} == {n: t.shape for n, t in own.items()}


# Names


@BOTH
def test_names_with_slashes_or_underscores_and_what_only_training_needs(config):
    variables = random_variables(config)
    expected = sha(variables)
    assert sha({name.replace("/", "_"): v for name, v in variables.items()}) == expected
    assert sha({f"{name}:0": v for name, v in variables.items()}) == expected
    mixed = {n.replace("/", "_", 1 + i % 3): v for i, (n, v) in enumerate(variables.items())}
    assert sha(mixed) == expected
    slots = {
        f"{n}/{slot}": np.full_like(v, np.nan) for n, v in variables.items() for slot in ("Adam", "Adam_1")
    }
    scalars = {
        "global_step": np.int64(7),
        "beta1_power": np.float32(0.9),
        "_CHECKPOINTABLE_OBJECT_GRAPH": b"x",
    }
    cudnn = {"decoder/opaque_kernel": np.ones(9), "decoder/opaque_kernel/Adam": np.ones(9)}
    more = {**slots, **scalars, **cudnn}
    assert sha({**variables, **more}) == expected
    assert sha({n.replace("/", "_"): v for n, v in {**variables, **more}.items()}) == expected
    assert sha({**variables, "encoder/mu/bias": variables["encoder/mu/bias"] + 1}) != expected


@BOTH
def test_lists_tensors_and_other_types_of_numbers(config):
    variables = {n: np.round(8 * v) / 8 for n, v in random_variables(config).items()}
    expected = sha(variables)
    assert sha({n: v.astype(np.float64) for n, v in variables.items()}) == expected
    assert sha({n: torch.from_numpy(v).half() for n, v in variables.items()}) == expected
    assert sha({n: v.tolist() for n, v in variables.items()}) == expected
    frozen = {n: np.frombuffer(v.tobytes(), np.float32).reshape(v.shape) for n, v in variables.items()}
    assert sha(frozen) == expected


def test_the_model_keeps_its_own_numbers_and_draws_none():
    variables = random_variables(FLAT)
    before = torch.get_rng_state()
    model = from_variables(variables)
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training
    assert model.weights.sha256 == state_sha256(model.state_dict())
    for values in variables.values():
        values[:] = 0
    assert model.weights.sha256 == state_sha256(model.state_dict())


@BOTH
def test_every_missing_variable_is_named(config):
    variables = random_variables(config)
    for name, values in variables.items():
        lacking = {n: v for n, v in variables.items() if n != name}
        shape = re.escape(str(values.shape))
        assert re.search(
            f"weights here: variable '{name}' is missing.*{shape}",
            complaint(from_variables, lacking, config, source="here"),
        )
        assert name.rpartition("/")[0] in complaint(from_variables, lacking)  # its sizes are not known


@BOTH
def test_every_wrong_shape_is_named_with_both_shapes(config):
    variables = random_variables(config)
    for name, values in variables.items():
        longer = np.concatenate([values, values[:1]])
        line = complaint(from_variables, {**variables, name: longer}, config)
        assert f"'{name}' is {longer.shape}, the model needs {values.shape}" in line
    line = complaint(from_variables, random_variables(FLAT), TWO_BAR_SMALL)
    assert f"'{ENCODER_CELL.format(0, 'fw')}/kernel' is (95, 20), the model needs (602, 2048)" in line


def test_a_wrong_shape_is_named_without_a_config_too():
    """The others of its size outvote it."""
    variables = random_variables(FLAT)
    for name in (
        f"{ENCODER_CELL.format(0, 'fw')}/kernel",
        "encoder/mu/kernel",
        "encoder/sigma/kernel",
        "decoder/output_projection/kernel",
        "decoder/z_to_initial_state/bias",
    ):
        wrong = variables[name][..., :-1]
        line = complaint(from_variables, {**variables, name: wrong})
        assert f"'{name}' is {wrong.shape}, the model needs {variables[name].shape}" in line


def test_what_is_left_over_twice_there_or_no_number():
    variables = random_variables(FLAT)
    extra = {**variables, "decoder/attention/kernel": np.ones((2, 2))}
    assert "'decoder/attention/kernel' has no place in" in complaint(from_variables, extra)
    third = {**variables, "decoder/multi_rnn_cell/cell_3/lstm_cell/kernel": np.ones((14, 28))}
    assert "cell_3/lstm_cell/kernel' has no place" in complaint(from_variables, third)
    twice = {**variables, "encoder_mu_bias": variables["encoder/mu/bias"]}
    assert "'encoder/mu/bias' and 'encoder_mu_bias' are the same" in complaint(from_variables, twice)
    text = {**variables, "encoder/mu/bias": np.array(["a", "b"])}
    assert "'encoder/mu/bias' is of <U1, not of numbers" in complaint(from_variables, text)
    for bad in (np.nan, np.inf, 1e300):
        spoilt = variables["decoder/output_projection/bias"].astype(np.float64)
        spoilt[3] = bad
        line = complaint(from_variables, {**variables, "decoder/output_projection/bias": spoilt})
        assert "'decoder/output_projection/bias' holds NaN or Inf" in line


@pytest.mark.parametrize("variables", [{}, {"global_step": np.int64(3)}, {"layer/weights": np.ones(3)}])
def test_a_checkpoint_of_nothing_known(variables):
    assert "weights here: not a MusicVAE's" in complaint(from_variables, variables, source="here")
    assert "weights here: " in complaint(from_variables, variables, FLAT, source="here")


# Halves


@BOTH
def test_a_decoder_alone_decodes_and_an_encoder_alone_encodes(config):
    variables = random_variables(config)
    whole = from_variables(variables)
    latents = np.random.default_rng(3).standard_normal((4, config.latent_dimensions)).astype(np.float32)
    rolls = np.random.default_rng(4).integers(0, 90, (4, config.steps), dtype=np.uint8)
    of_decoder = {n: v for n, v in variables.items() if not n.startswith("encoder")}
    decoder = from_variables(of_decoder, config, "half")
    np.testing.assert_array_equal(decoder.decode(latents), whole.decode(latents))
    np.testing.assert_array_equal(decoder.predict(latents, rolls), whole.predict(latents, rolls))
    assert re.search("half.*decoder only", complaint(decoder.encode, rolls))
    assert decoder.weights.note == "decoder only"
    encoder = from_variables({n: v for n, v in variables.items() if n not in of_decoder}, config, "half")
    for ours, theirs in zip(encoder.encode(rolls), whole.encode(rolls), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert re.search("half.*encoder only", complaint(encoder.decode, latents))
    assert len({decoder.weights.sha256, encoder.weights.sha256, whole.weights.sha256}) == 3


@pytest.mark.parametrize("which", PUBLISHED)
@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_half_of_a_published_model_tells_which_it_is(which, half):
    config = PUBLISHED[which]
    variables = {
        name: torch.empty(shape, device="meta")
        for name, shape in variable_shapes(config).items()
        if name.startswith("encoder") == (half == "encoder")
    }
    assert architecture(variables) == config


def test_half_of_another_size_needs_the_config():
    of_decoder = {n: v for n, v in random_variables(FLAT).items() if not n.startswith("encoder")}
    line = complaint(from_variables, of_decoder, source="here")
    assert "weights here: hold the decoder only, of layers (6, 7)" in line
    assert "give from_variables its config" in line
    core = MusicVAEConfig(decoder=SIXTEEN_BAR.decoder)  # flat, though its layers are those of the 16-bar core
    shapes = {n: s for n, s in variable_shapes(core).items() if not n.startswith("encoder")}
    of_core = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    assert "give from_variables its config" in complaint(architecture, of_core)


# Other models of Magenta's


def of_another(outputs=90, inputs=90, controls=0, **names):
    """Variables of a flat model with other inputs or outputs."""
    variables = random_variables(FLAT)
    for direction in ("fw", "bw"):
        name = ENCODER_CELL.format(0, direction) + "/kernel"
        variables[name] = np.ones((inputs + controls + 5, 20))
    variables["decoder/multi_rnn_cell/cell_0/lstm_cell/kernel"] = np.ones((outputs + controls + 4 + 6, 24))
    variables["decoder/output_projection/kernel"] = np.ones((7, outputs))
    variables["decoder/output_projection/bias"] = np.ones(outputs)
    return variables


def renamed(config, old, new):
    return {name.replace(old, new, 1): values for name, values in random_variables(config).items()}


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        (of_another(outputs=512, inputs=10), "of drums"),
        (of_another(outputs=27, inputs=27), "of grooves on nine drums"),
        (of_another(outputs=692, inputs=692), "of a trio of melody, bass and drums"),
        (of_another(outputs=130, inputs=130), "that tells 130 classes"),
        (of_another(controls=49), r"hears 90 and 49 more \(of chords, say\)"),
        (renamed(HIERARCHICAL, "core_decoder/decoder", "core_decoder/core_decoder_0/decoder"), "of a trio"),
        (
            renamed(HIERARCHICAL, "encoder/cell_0", "encoder/hierarchical_level_0/cell_0"),
            "hierarchical encoder",
        ),
        ({**random_variables(FLAT), "decoder/nade/w_enc": np.ones((9, 1, 4))}, "of drum rolls"),
    ],
    ids=["drums", "groove", "flat trio", "other", "chords", "trio", "hierarchical encoder", "nade"],
)
@pytest.mark.parametrize("separator", ["/", "_"])
def test_another_model_is_refused_by_name(variables, what, separator):
    given_names = {name.replace("/", separator): values for name, values in variables.items()}
    for config in (None, FLAT):
        line = complaint(from_variables, given_names, config, source="here")
        assert re.search(f"weights here: a MusicVAE .*{what}.*only those of melodies of 90 classes", line)


def test_drums_are_told_from_half_a_checkpoint():
    variables = of_another(outputs=512, inputs=10)
    encoder = {n: v for n, v in variables.items() if n.startswith("encoder")}
    decoder = {n: v for n, v in variables.items() if n not in encoder}
    assert "that hears 10; only" in complaint(from_variables, encoder)
    assert "of drums" in complaint(from_variables, decoder)


# magenta-js folders

MELODIES = {"type": "MelodyConverter", "args": {"numSteps": 32, "minPitch": 21, "maxPitch": 108}}


def write_folder(folder, variables, quantized=None, shard_bytes=1000, groups=1, config=None, **converter):
    """Write what magenta-js reads, as tfjs's own converter does."""
    folder.mkdir(exist_ok=True)
    arguments = {**MELODIES["args"], **converter}
    config = config or {"type": "MusicVAE", "dataConverter": {**MELODIES, "args": arguments}}
    (folder / "config.json").write_text(json.dumps(config))
    manifest, names = [], list(variables)
    for group in range(groups):
        data, weights, paths = b"", [], []
        for name in names[group::groups]:
            values, entry = stored(variables[name], quantized)
            data += values.tobytes()
            weights.append({"name": name, "shape": list(np.shape(variables[name])), **entry})
        for first in range(0, len(data), shard_bytes):
            paths.append(f"group{group + 1}-shard{len(paths) + 1}of{-(-len(data) // shard_bytes)}")
            (folder / paths[-1]).write_bytes(data[first : first + shard_bytes])
        manifest.append({"paths": paths, "weights": weights})
    (folder / "weights_manifest.json").write_text(json.dumps(manifest))
    return folder


def stored(values, quantized):
    if quantized is None:
        return values.astype("<f4"), {"dtype": "float32"}
    if quantized == "float16":
        return values.astype("<f2"), {"dtype": "float32", "quantization": {"dtype": "float16"}}
    least, most = float(values.min()), float(values.max())
    scale = (most - least) / np.iinfo(quantized).max or 1.0
    integers = np.round((values - np.float64(least)) / scale).astype(np.dtype(quantized).newbyteorder("<"))
    return integers, {"dtype": "float32", "quantization": {"dtype": quantized, "scale": scale, "min": least}}


@BOTH
@pytest.mark.parametrize(("shard_bytes", "groups"), [(64, 1), (4096, 3), (10**9, 2)])
def test_a_folder_gives_back_what_was_written(tmp_path, config, shard_bytes, groups):
    variables = random_variables(config)
    layout = {"numSteps": config.steps} | ({"numSegments": config.segments} if config.conductor else {})
    folder = write_folder(tmp_path, variables, shard_bytes=shard_bytes, groups=groups, **layout)
    held = read_magenta_js(folder)
    assert held.variables.keys() == variables.keys()
    for name, values in variables.items():
        np.testing.assert_array_equal(held.variables[name], values)
    model = load_weights(folder, "mine")
    assert model.config == config
    assert (model.name, model.weights.source, model.weights.note) == ("mine", str(folder), "magenta-js")
    assert model.weights.sha256 == sha(variables)


@pytest.mark.parametrize(("quantized", "levels"), [("uint8", 255), ("uint16", 65_535), ("float16", 2**10)])
def test_quantized_weights(tmp_path, quantized, levels):
    variables = random_variables(FLAT)
    variables["encoder/mu/bias"][:] = -0.75  # one value only: a scale of 1
    held = read_magenta_js(write_folder(tmp_path, variables, quantized)).variables
    for name, values in variables.items():
        spread = np.ptp(values) if quantized != "float16" else abs(values).max()
        assert held[name].dtype == np.float32
        assert abs(held[name] - values).max() <= 0.51 * spread / levels + 1e-7
        assert np.array_equal(held[name], values) == (name == "encoder/mu/bias")
    assert load_weights(tmp_path).weights.note == f"magenta-js, quantized to {quantized}"


def test_quantized_bytes_by_hand(tmp_path):
    weights = [
        {
            "name": "a",
            "shape": [3],
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": 0.5, "min": -3},
        },
        {
            "name": "b",
            "shape": [1, 2],
            "dtype": "float32",
            "quantization": {"dtype": "uint16", "scale": 2, "min": 1},
        },
        {"name": "c", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {"name": "d", "shape": [], "dtype": "int32"},
        {"name": "e", "shape": [1], "dtype": "float32"},
    ]
    data = b"\x00\x01\xff" + b"\x01\x02\xff\xff" + b"\x00\x3c\x00\xc0" + b"\x05\0\0\0" + b"\x00\x00\xa0\x3f"
    (tmp_path / "first").write_bytes(data[:4])  # a value's two bytes lie in two shards
    (tmp_path / "second").write_bytes(data[4:])
    (tmp_path / "weights_manifest.json").write_text(
        json.dumps([{"paths": ["first", "second"], "weights": weights}])
    )
    held = read_magenta_js(tmp_path)
    assert {name: values.tolist() for name, values in held.variables.items()} == {
        "a": [-3.0, -2.5, 124.5],
        "b": [[1027.0, 131071.0]],
        "c": [1.0, -2.0],
        "d": 5.0,
        "e": [1.25],
    }
    assert (held.bars, held.segments) == (None, None)


@pytest.mark.parametrize(("steps", "bars"), [(32, 2), (64, 4), (256, 16)])
def test_the_length_of_melodies_is_the_folders(tmp_path, steps, bars):
    folder = write_folder(tmp_path, random_variables(FLAT), numSteps=steps)
    assert load_weights(folder).config.bars == bars
    line = None if bars == 2 else complaint(load_weights, folder, "musicvae_2bar", TWO_BAR_BIG)
    assert line is None or f"of {bars} bars without a conductor; musicvae_2bar is of 2 bars" in line


def test_segments_without_a_conductor(tmp_path):
    folder = write_folder(tmp_path, random_variables(FLAT), numSegments=16)
    assert "has 16 segments but no conductor" in complaint(load_weights, folder)


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"type": "MusicRNN", "dataConverter": MELODIES}, "of a MusicRNN for MelodyConverter"),
        ({"type": "MusicVAE", "dataConverter": {"type": "TrioConverter", "args": {}}}, "for TrioConverter"),
        ({"type": "MusicVAE", "dataConverter": MELODIES, "chordEncoder": "PitchChordEncoder"}, "on chords"),
        ({"type": "MusicVAE"}, "'dataConverter' is missing"),
        ([], "'dataConverter' is missing"),
    ],
)
def test_a_folder_that_says_it_is_of_another_model(tmp_path, config, what):
    folder = write_folder(tmp_path, random_variables(FLAT), config=config or [1])
    assert what in complaint(load_weights, folder)


@pytest.mark.parametrize(
    "arguments",
    [
        {"minPitch": 48},
        {"maxPitch": 83},
        {"numSteps": 31},
        {"numSteps": 0},
        {"numSteps": "32"},
        {"numSegments": 0},
    ],
)
def test_converters_that_are_not_ours(tmp_path, arguments):
    folder = write_folder(tmp_path, random_variables(FLAT), **arguments)
    value = str(next(iter(arguments.values())))
    assert value in complaint(load_weights, folder)


def test_shards_that_are_missing_short_or_long(tmp_path):
    folder = write_folder(tmp_path, random_variables(FLAT))
    shard = sorted(folder.glob("group1*"))[1]
    whole = shard.read_bytes()
    total = sum(file.stat().st_size for file in folder.glob("group1*"))
    for content, size in ((whole[:-1], total - 1), (whole + b"0", total + 1), (b"", total - 1000)):
        shard.write_bytes(content)
        assert f"{size} bytes, the manifest says {total}" in complaint(load_weights, folder)
    shard.unlink()
    assert f"{folder}: shard {shard.name} is missing" in complaint(load_weights, folder)


def manifest_of(**changes):
    weight = {"name": "encoder/mu/bias", "shape": [2], "dtype": "float32"}
    return [{"paths": ["shard"], "weights": [{**weight, **changes}]}]


@pytest.mark.parametrize(
    ("manifest", "what"),
    [
        ({}, "not a weights manifest"),
        ([], "not a weights manifest"),
        ([3], "'paths' is missing"),
        ([{"paths": ["shard"]}], "'weights' is missing"),
        ([{"paths": ["shard"], "weights": [None]}], "'name' is missing"),
        ([{"paths": ["../shard"], "weights": []}], "shard '../shard'"),
        ([{"paths": ["/etc/passwd"], "weights": []}], "shard '/etc/passwd'"),
        ([{"paths": [7], "weights": []}], "shard 7"),
        ([{"paths": [], "weights": manifest_of()[0]["weights"]}], "0 shards: 0 bytes, the manifest says 8"),
        (2 * manifest_of(), "'encoder/mu/bias' is listed twice"),
        (manifest_of(shape=[-2]), r"of shape (-2,)"),
        (manifest_of(shape=[True]), r"of shape (True,)"),
        (manifest_of(shape="2"), "'shape' is missing or is not a list"),
        (manifest_of(dtype="string"), "of string"),
        (manifest_of(dtype=None), "of None"),
        (manifest_of(shape=[10**9, 10**9]), "8 bytes, the manifest says 4000000000000000000"),
        (manifest_of(quantization={"dtype": "uint4", "scale": 1, "min": 0}), "quantized to uint4"),
        (manifest_of(quantization={"dtype": "uint8", "min": 0}), "has scale None"),
        (manifest_of(quantization={"dtype": "uint8", "scale": 1, "min": "0"}), "min 0"),
        (manifest_of(quantization={"dtype": "uint8", "scale": 10**400, "min": 0}), "min 0: must be numbers"),
        (manifest_of(quantization=3), "'quantization' is missing or is not a mapping"),
    ],
)
def test_manifests_that_are_not_right(tmp_path, manifest, what):
    (tmp_path / "shard").write_bytes(bytes(8))
    (tmp_path / "weights_manifest.json").write_text(json.dumps(manifest))
    assert what in complaint(load_weights, tmp_path)


def test_a_scale_that_leads_out_of_the_numbers(tmp_path):
    folder = write_folder(tmp_path, random_variables(FLAT), "uint8")
    path = folder / "weights_manifest.json"
    manifest = json.loads(path.read_text())
    manifest[0]["weights"][3]["quantization"]["scale"] = 1e307
    path.write_text(json.dumps(manifest))
    name = manifest[0]["weights"][3]["name"]
    assert f"variable '{name}' holds NaN or Inf" in complaint(load_weights, folder)


def test_a_manifest_that_is_cut_anywhere(tmp_path):
    folder = write_folder(tmp_path, {"encoder/mu/bias": np.ones(2, np.float32)})
    path = folder / "weights_manifest.json"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert "not JSON" in complaint(load_weights, folder)
    path.write_bytes(b"\xff\xfe" + whole)
    assert "not JSON" in complaint(load_weights, folder)


VALUES = st.none() | st.booleans() | st.integers(-3, 10**20) | st.text(max_size=3) | st.floats(allow_nan=True)
KEYS = st.sampled_from(["paths", "weights", "name", "shape", "dtype", "quantization", "min", "scale"])


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.recursive(
        VALUES | st.sampled_from(["shard", "float32", "uint8"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    )
)
def test_any_manifest_is_read_or_refused_in_one_line(tmp_path_factory, manifest):
    folder = tmp_path_factory.mktemp("manifest")
    (folder / "shard").write_bytes(bytes(8))
    (folder / "weights_manifest.json").write_text(json.dumps(manifest))
    refusal = ""
    try:
        held = read_magenta_js(folder)
    except InputError as error:
        refusal = str(error)
    else:
        assert all(isinstance(values, np.ndarray) for values in held.variables.values())
    assert "\n" not in refusal


# Files


def test_a_file_of_ours(tmp_path):
    model = randomly_initialised(lambda: MusicVAE(FLAT), 3)
    path = tmp_path / "ours.safetensors"
    save_file(model.state_dict(), path, metadata_of(FLAT))
    loaded = load_weights(path, "mine")
    assert loaded.config == FLAT
    assert loaded.weights.sha256 == state_sha256(model.state_dict())
    assert not loaded.training
    line = complaint(load_weights, path, "musicvae_16bar", SIXTEEN_BAR)
    assert "of 2 bars without a conductor; musicvae_16bar is of 16 bars with a conductor" in line
    bare = tmp_path / "bare.safetensors"
    save_file(model.state_dict(), bare)
    assert "does not say of what sizes" in complaint(load_weights, bare)
    assert load_weights(bare, like=FLAT).weights.sha256 == loaded.weights.sha256
    assert "of another architecture" in complaint(load_weights, bare, like=TWO_BAR_SMALL)


@BOTH
@pytest.mark.parametrize("separator", ["/", "_"])
def test_a_file_of_variables(tmp_path, config, separator):
    variables = random_variables(config)
    path = tmp_path / "theirs.safetensors"
    save_arrays({name.replace("/", separator): values for name, values in variables.items()}, path)
    model = load_weights(path)
    assert (model.config, model.weights.sha256) == (config, sha(variables))
    assert model.weights.note == "TensorFlow variables"


def test_paths_that_lead_nowhere(tmp_path):
    assert "nowhere.safetensors: no such file" in complaint(load_weights, tmp_path / "nowhere.safetensors")
    assert "holds neither weights_manifest.json nor" in complaint(load_weights, tmp_path)
    (tmp_path / "text.safetensors").write_text("nothing of the kind")
    assert "not a whole safetensors file" in complaint(load_weights, tmp_path / "text.safetensors")


@pytest.mark.parametrize(("name", "config"), [("musicvae_2bar", FLAT), ("musicvae_16bar", HIERARCHICAL)])
def test_by_name(tmp_path, name, config):
    layout = {"numSteps": config.steps} | ({"numSegments": config.segments} if config.conductor else {})
    folder = write_folder(tmp_path, random_variables(config), "uint16", **layout)
    model = load(name, weights=folder)
    assert (model.name, model.config) == (name, config)
    assert model.weights.source == str(folder)
    assert model.weights.note == "magenta-js, quantized to uint16"
    assert model.weights.sha256 == sha(read_magenta_js(folder).variables)
    other = "musicvae_16bar" if name == "musicvae_2bar" else "musicvae_2bar"
    assert f"; {other} is of" in complaint(load, other, weights=folder)


@pytest.mark.parametrize(
    ("name", "published"), [("musicvae_2bar", "cat-mel_2bar_big"), ("musicvae_16bar", "hierdec-mel_16bar")]
)
def test_published_weights_are_said_to_be_elsewhere(name, published):
    line = complaint(load, name)
    assert f"magentadata/models/music_vae/checkpoints/{published}.tar" in line
    assert "give the path" in line


# TensorFlow


class Reader:
    """The three words of TensorFlow's checkpoint reader that are used; it tells what was asked of it."""

    def __init__(self, variables):
        self.variables, self.asked = variables, []

    def get_variable_to_shape_map(self):
        return {name: list(np.shape(values)) for name, values in self.variables.items()}

    def get_tensor(self, name):
        self.asked.append(name)
        return self.variables[name]


@pytest.fixture
def tensorflow_holding(monkeypatch):
    """Put a module in TensorFlow's place that finds these variables in any checkpoint."""

    def put(variables):
        reader, opened = Reader(variables), []
        train = SimpleNamespace(load_checkpoint=lambda prefix: (opened.append(prefix), reader)[1])
        monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(train=train))
        return reader, opened

    return put


def write_checkpoint_files(folder, name="model.ckpt"):
    folder.mkdir(parents=True, exist_ok=True)
    for ending in ("index", "data-00000-of-00001"):
        (folder / f"{name}.{ending}").write_bytes(ending.encode())
    return folder / name


def archive_of(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


FILES = {"model.ckpt.index": b"index", "model.ckpt.data-00000-of-00001": b"data"}


@pytest.mark.parametrize("ending", ["", ".index", ".data-00000-of-00001"])
def test_a_checkpoint_by_any_of_its_names(tmp_path, tensorflow_holding, ending):
    variables = random_variables(FLAT)
    slots = {f"{name}/Adam_1": values for name, values in variables.items()}
    reader, opened = tensorflow_holding({**variables, **slots, "global_step": np.int64(5)})
    prefix = write_checkpoint_files(tmp_path)
    path = prefix.with_name(prefix.name + ending)
    assert is_checkpoint(path)
    model = load_weights(path)
    assert opened == [str(prefix)]
    assert sorted(reader.asked) == sorted(variables)  # the slots, twice the size of the weights, stay unread
    assert (model.weights.sha256, model.weights.note) == (sha(variables), "TensorFlow checkpoint")
    assert is_checkpoint(tmp_path)
    assert load_weights(tmp_path).weights.sha256 == model.weights.sha256


@pytest.mark.parametrize("inside", ["", "cat-mel_2bar_big/"])
def test_an_archive_as_published(tmp_path, tensorflow_holding, inside):
    _, opened = tensorflow_holding(random_variables(FLAT))
    path = archive_of(tmp_path / "published.tar", {inside + name: content for name, content in FILES.items()})
    assert is_checkpoint(path)
    assert load_weights(path, "musicvae_2bar", TWO_BAR_BIG).config == FLAT
    assert opened[0].endswith("/model.ckpt")
    assert not list(tmp_path.glob("model*"))  # unpacked elsewhere, and gone


def test_archives_that_are_not_right(tmp_path, tensorflow_holding):
    _, opened = tensorflow_holding(random_variables(FLAT))
    outside = archive_of(
        tmp_path / "outside.tar", {f"../../{name}": content for name, content in FILES.items()}
    )
    read_tensorflow(outside)  # its members are laid flat in a folder of their own
    assert ".." not in opened[0]
    two = archive_of(tmp_path / "two.tar", {**FILES, "other.index": b"", "other.data-00000-of-00001": b""})
    assert (
        "two.tar: must hold one checkpoint's .index file, holds model.ckpt.index, other.index"
        in complaint(load_weights, two)
    )
    none = archive_of(tmp_path / "none.tar", {"readme": b"text"})
    assert "holds none" in complaint(load_weights, none)
    no_data = archive_of(tmp_path / "index.tar", {"model.ckpt.index": b""})
    assert "there is no model.ckpt.data-00000-of-00001" in complaint(load_weights, no_data)
    cut = tmp_path / "cut.tar"
    cut.write_bytes(archive_of(tmp_path / "whole.tar", {**FILES, "z.index": bytes(4000)}).read_bytes()[:3300])
    assert "cut.tar: not a whole tar archive" in complaint(load_weights, cut)
    cut.write_bytes(b"not an archive")
    assert "cut.tar: not a whole tar archive" in complaint(load_weights, cut)


def test_without_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    line = complaint(load_weights, write_checkpoint_files(tmp_path))
    assert (
        "model.ckpt: TensorFlow, which reads it, is not installed: pip install 'tonotopy[tensorflow]'" in line
    )


def test_what_tensorflow_says_becomes_one_line(tmp_path, tensorflow_holding, monkeypatch):
    tensorflow_holding({})

    def fail(prefix):
        raise RuntimeError("Unable to open table file:\nData loss: bad magic number")

    monkeypatch.setattr(sys.modules["tensorflow"].train, "load_checkpoint", fail)
    line = complaint(load_weights, write_checkpoint_files(tmp_path))
    assert line.endswith("TensorFlow cannot read it (Unable to open table file:)")


def test_converting(tmp_path, tensorflow_holding):
    variables = random_variables(HIERARCHICAL)
    tensorflow_holding({**variables, "global_step": np.int64(5)})
    target = tmp_path / "converted.safetensors"
    assert convert(write_checkpoint_files(tmp_path), target) == sorted(variables)
    assert load_weights(target).weights.sha256 == sha(variables)
    assert "must be named .safetensors" in complaint(convert, tmp_path, tmp_path / "converted.pt")
    assert "cannot be written" in complaint(convert, tmp_path, tmp_path / "no" / "folder.safetensors")


def test_converting_needs_no_torch():
    code = "import sys, tonotopy.encoders.musicvae.tensorflow; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


@BOTH
def test_a_checkpoint_that_tensorflow_wrote(tmp_path, config):
    """With an optimizer's slots and a step count, in an archive as published, and converted."""
    tensorflow = pytest.importorskip("tensorflow").compat.v1
    variables = random_variables(config)
    prefix = tmp_path / "model.ckpt"
    with tensorflow.Graph().as_default(), tensorflow.Session() as session:
        step = tensorflow.train.get_or_create_global_step()
        made = [tensorflow.get_variable(n, initializer=v, use_resource=False) for n, v in variables.items()]
        loss = sum(tensorflow.reduce_sum(v**2) for v in made)
        tensorflow.train.AdamOptimizer().minimize(loss, step)
        session.run(tensorflow.global_variables_initializer())
        tensorflow.train.Saver().save(session, str(prefix), write_meta_graph=False)
        stored = {name for name, _ in tensorflow.train.list_variables(str(prefix))}
    assert {"global_step", "encoder/mu/kernel/Adam", "encoder/mu/kernel/Adam_1"} <= stored
    archive = archive_of(
        tmp_path / "as-published.tar", {f.name: f.read_bytes() for f in tmp_path.glob("model*")}
    )
    for path in (prefix, tmp_path, archive):
        assert load_weights(path).weights.sha256 == sha(variables)
    convert(archive, tmp_path / "converted.safetensors")
    assert load_weights(tmp_path / "converted.safetensors").weights.sha256 == sha(variables)
    prefix.with_name("model.ckpt.index").write_bytes(b"spoilt")
    assert "TensorFlow cannot read it" in complaint(load_weights, prefix)
