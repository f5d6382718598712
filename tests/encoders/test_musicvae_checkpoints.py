"""MusicVAE from magenta-js folders and from files, and by name."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from tonotopy.encoders import InputError, load
from tonotopy.encoders.musicvae.checkpoints import read_magenta_js
from tonotopy.encoders.musicvae.config import SIXTEEN_BAR, TWO_BAR_BIG, TWO_BAR_SMALL, metadata_of
from tonotopy.encoders.musicvae.loading import load_weights
from tonotopy.encoders.musicvae.model import MusicVAE
from tonotopy.encoders.weights import randomly_initialised, state_sha256

from .musicvae import BOTH, FLAT, HIERARCHICAL, complaint, random_variables, sha

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


def test_a_folder_of_2018_has_a_file_for_each_variable(tmp_path):
    variables = random_variables(FLAT)
    manifest = {}
    for name, values in variables.items():
        file = name.replace("/", "_")
        (tmp_path / file).write_bytes(values.astype("<f4").tobytes())
        manifest[name] = {"filename": file, "shape": list(values.shape)}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    model = load_weights(tmp_path)
    assert model.weights.note == "magenta-js"
    for name, values in read_magenta_js(tmp_path).variables.items():
        np.testing.assert_array_equal(values, variables[name])
    first = next(iter(manifest.values()))["filename"]
    (tmp_path / first).write_bytes(b"123")
    assert "3 bytes, the manifest says" in complaint(load_weights, tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"a": {"filename": "../a", "shape": [1]}}))
    assert "must be the name of a file beside the manifest" in complaint(load_weights, tmp_path)


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
