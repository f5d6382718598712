"""A run about latents: what it holds, that it resumes, and what it refuses."""

from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from tonotopy.encoders import load
from tonotopy.encoders.musicvae.config import MusicVAEConfig
from tonotopy.encoders.musicvae.model import MusicVAE
from tonotopy.probes.engine.progress import Progress
from tonotopy.probes.engine.schema import subjects
from tonotopy.probes.latents import materials, measures
from tonotopy.probes.latents.probes import RECONSTRUCTION, TRAVERSALS
from tonotopy.probes.run.registry import registered
from tonotopy.probes.run.runner import probe
from tonotopy.probes.run.schema import validate
from tonotopy.reports import report
from tonotopy.synth.errors import InputError

SMALL: dict[str, Any] = {
    "samples": 200,
    "permutations": 19,
    "traversed": 2,
    "seed": 3,
    "baselines": 1,
    "modality": "melody",
}
REAL = "tonotopy.probes.latents.encodings.real_material"


def latents(models, out, weights="pretrained", **options):
    asked: dict[str, Any] = {**SMALL, "modality": "melody", "weights": weights, **options}
    return probe(models, out, **asked)


@pytest.fixture(autouse=True)
def no_real_melodies(monkeypatch):
    monkeypatch.setattr(REAL, lambda *_: None)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(REAL, lambda *_: None)
        return latents(["musicvae_tiny"], tmp_path_factory.mktemp("run") / "l.zarr", weights="random")


@pytest.fixture(scope="module")
def run(out):
    return xr.open_datatree(out, chunks=None).load()


def test_a_run_holds_the_model_a_random_network_and_the_control(run):
    validate(run)
    assert {n: node.attrs["role"] for n, node in subjects(run).items()} == {
        "musicvae_tiny": "encoder",
        "musicvae_tiny.random0": "baseline",
        "control.planted": "control",
    }
    assert run["musicvae_tiny"].attrs["latent_dimensions"] == 128
    shas = {node.attrs["weights_sha256"] for node in subjects(run).values()}
    assert len(shas) == 3  # the baseline is no copy of a model that is itself random


def test_the_control_gives_its_known_answers(run):
    told = run["control.planted"]
    own = told["latents"].to_dataset().isel(material=0)
    np.testing.assert_array_equal(own["is_active"].sum("dimension"), 3)
    assert set(np.flatnonzero(own["relevance"].values <= 3)) == {2, 6, 11}
    kept = told["reconstruction"].to_dataset().sel(order="relevance", measure="free-running")
    np.testing.assert_array_equal(kept["accuracy"].sel(kept=[3, 4, 8, 16]), 1)
    moved = told["traversals"].to_dataset()
    assert float(moved["changed"].isel(rank=-1).max()) == 0
    assert set(moved["verdict"].values[-1]) == {""}
    features = told["features"].to_dataset()
    rank = {int(d): i for i, d in enumerate(features["latent_dimension"].values)}
    for dimension, feature in ((11, "Most Common Pitch"), (6, "Note Density"), (2, "Range")):
        assert float(features["phik"].isel(rank=rank[dimension]).sel(feature=feature)) > 0.9


def test_verdicts_follow_from_what_is_stored(run):
    told = run["control.planted"]["traversals"].to_dataset()
    features = run["control.planted"]["features"].to_dataset()
    for i in range(told.sizes["rank"] - 1):
        for group in ("pitch", "rhythm", "melody"):
            claimed = str(told["claimed_feature"].isel(rank=i).sel(group=group).values)
            phik = features["phik"].isel(rank=i)
            assert float(phik.sel(feature=claimed)) == float(phik[features["feature_group"] == group].max())
            p = features["p_corrected"].isel(rank=i).sel(feature=claimed) <= 0.05
            p &= phik.sel(feature=claimed) >= 0.1
            moved = told["p_corrected"].isel(rank=i).sel(feature=claimed) <= 0.05
            expected = {
                (True, True): "confirmed",
                (True, False): "contradicted",
                (False, True): "moved only",
                (False, False): "neither",
            }
            assert told["verdict"].isel(rank=i).sel(group=group) == expected[bool(p), bool(moved)]


def test_an_interrupted_run_goes_on_to_the_same_result(run, tmp_path):
    broken, repeated = [], []

    @wraps(measures.traversal)
    def interrupted(session, **settings):
        broken.append(session.encoder.name)
        raise KeyboardInterrupt

    @wraps(measures.reconstructions)
    def counted(session, **settings):
        repeated.append(session.encoder.name)
        return measures.reconstructions(session, **settings)

    def probes(traversal):
        own = {
            "traversals": replace(TRAVERSALS, measure=traversal),
            "reconstruction": replace(RECONSTRUCTION, measure=counted),
        }
        return tuple(own.get(one.name, one) for one in registered("melody"))

    with pytest.raises(KeyboardInterrupt):
        latents(["musicvae_tiny"], tmp_path / "l.zarr", weights="random", probes=probes(interrupted))
    assert broken == ["musicvae_tiny"]
    assert not (tmp_path / "l.zarr").exists()
    latents(["musicvae_tiny"], tmp_path / "l.zarr", weights="random", probes=probes(measures.traversal))
    assert repeated == ["musicvae_tiny", "control:planted"]  # the model's was not measured again
    again = xr.open_datatree(tmp_path / "l.zarr").load()
    for node in subjects(run):
        for name, group in run[node].children.items():
            xr.testing.assert_identical(group.to_dataset(), again[node][name].to_dataset())


def test_melodies_of_the_prior_have_nothing_to_do_with_each_other():
    """Not even with those of the batch before, at the same place: rows are one draw each in every null."""
    model = MusicVAE(MusicVAEConfig(encoder=(4,), decoder=(4,), latent_dimensions=3), "small").eval()
    rolls = materials.prior_material(model, 1024, 0, Progress(show=False)).rolls
    same = [np.mean(rolls[:512] == np.roll(rolls[512:], shift, axis=0)) for shift in range(8)]
    assert max(same) - min(same) < 0.02
    np.testing.assert_array_equal(rolls[:512], materials.prior_material(model, 512, 0, Progress(False)).rolls)


def test_a_directed_model_of_other_length_stands_beside_it(tmp_path):
    sizes = MusicVAEConfig(
        bars=4, encoder=(8,), decoder=(8,), latent_dimensions=6, conductor=(8,), segments=4
    )
    model = MusicVAE(sizes, "four bars").eval()
    path = latents([model, "control:planted"], tmp_path / "l.zarr", baselines=0)
    tree = xr.open_datatree(path)
    validate(tree)
    assert tree["four bars"].attrs["steps"] == 64
    assert tree["control.planted"].attrs["role"] == "encoder"
    page = report([path], tmp_path / "page.html").read_text()
    assert "four bars" in page
    assert '<figure id="compared-' in page


def test_the_page_says_what_was_found(out, tmp_path):
    page = report([out], tmp_path / "page.html").read_text()
    for words in ("128 of 128 dimensions", "data:audio/wav", "control:planted", "Holds"):
        assert words in page
    assert page.count("<figure") >= 12


def test_bad_input_is_one_line(out, tmp_path):
    with pytest.raises(InputError, match="tonotopy latents musicvae_tiny"):
        probe(["musicvae_tiny"], tmp_path / "p.zarr", modality="waveform")
    with pytest.raises(InputError, match="tonotopy probe filterbank:stft"):
        latents(["filterbank:stft"], tmp_path / "l.zarr")
    with pytest.raises(InputError, match="given twice"):
        latents(["control:planted", load("control:planted")], tmp_path / "l.zarr")
    with pytest.raises(InputError, match="exists already"):
        latents(["control:planted"], out)
    with pytest.raises(InputError, match="not known"):
        latents(["musicvae_huge"], tmp_path / "l.zarr")
    assert not list(tmp_path.glob("l.zarr*"))


def test_an_empty_folder_of_melodies_is_refused(tmp_path):
    (tmp_path / "midi").mkdir()
    with pytest.raises(InputError, match="midi"):
        materials.real_material(2, 10, tmp_path / "midi", 0)


def test_melodies_that_are_not_there_are_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(REAL, materials.real_material)
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        latents(["control:planted"], tmp_path / "l.zarr", melodies=str(tmp_path / "nowhere"))
    assert not list(tmp_path.iterdir())


def test_the_command_says_where_the_result_is(tmp_path, monkeypatch):
    from tonotopy.reports.cli import app

    out = str(tmp_path / "l.zarr")
    asked = ["latents", "control:planted", "--out", out, "--samples", "150", "--permutations", "19"]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    assert f"tonotopy report {out}" in told.output.replace("\n", "")
