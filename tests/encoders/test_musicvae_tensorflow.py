"""MusicVAE from TensorFlow's checkpoints; a reader stands in for TensorFlow where it is not installed."""

import io
import subprocess
import sys
import tarfile
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import SimpleNamespace

import numpy as np
import pytest

from tonotopy.encoders.musicvae.config import TWO_BAR_BIG
from tonotopy.encoders.musicvae.loading import load_weights
from tonotopy.encoders.musicvae.tensorflow import convert, is_checkpoint, read_tensorflow

from .musicvae import BOTH, FLAT, HIERARCHICAL, complaint, random_variables, sha


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
        stand_in = module_from_spec(ModuleSpec("tensorflow", None))
        stand_in.train = train  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "tensorflow", stand_in)
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
