"""Latents at the edges: one dimension or many, no note, one piece, deviations of nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tonotopy.encoders import load
from tonotopy.encoders.base import Weights
from tonotopy.encoders.musicvae import posterior
from tonotopy.encoders.musicvae.config import MusicVAEConfig
from tonotopy.encoders.musicvae.model import MusicVAE
from tonotopy.probes.engine.session import Session
from tonotopy.probes.latents import excitation, measures
from tonotopy.probes.latents.encodings import SAMPLES, Encodings, encodings, refuses
from tonotopy.probes.latents.materials import MELODIES, PRIOR, Material
from tonotopy.probes.latents.measures import MOST_CORRELATED
from tonotopy.probes.latents.probes import LATENTS
from tonotopy.probes.run.registry import registered
from tonotopy.probes.run.runner import _identity, probe
from tonotopy.probes.run.suite import Suite
from tonotopy.synth.errors import InputError
from tonotopy.synth.melodies import random_notes


class Summing:
    """Latents are weighted sums of classes; a latent is decoded to notes as high as its sums."""

    modality = "melody"
    name, steps, weights = "summing", 32, Weights("none", "")

    def __init__(self, latent_dimensions):
        self.latent_dimensions = latent_dimensions
        self.kernel = np.random.default_rng(0).normal(size=(latent_dimensions, 32))
        self.sigma = np.full(latent_dimensions, 0.5, np.float32)

    def encode(self, rolls):
        mu = (rolls / 45 - 1) @ self.kernel.T / 5
        return mu.astype(np.float32), np.repeat(self.sigma[None], len(rolls), 0)

    def decode(self, latents, temperature=None, seed=0):
        return np.clip(np.rint(40 + 5 * latents @ self.kernel), 2, 89).astype(np.uint8)

    def predict(self, latents, rolls):
        return self.decode(latents)


FAST: dict[str, Any] = {"permutations": 19}


def session_of(model, rolls, pieces):
    """Return a session whose melodies are given."""
    materials = {
        PRIOR: Material(PRIOR, random_notes(60), np.arange(60), ""),
        MELODIES: Material(MELODIES, np.asarray(rolls, np.uint8), np.asarray(pieces), ""),
    }
    session = Session(model)
    encoded = {name: posterior.encode(model, material.rolls) for name, material in materials.items()}
    session._made[session._key(encodings, SAMPLES, None)] = Encodings(materials, encoded)
    return session


@pytest.mark.parametrize(("dimensions", "moved"), [(1, 1), (2, 1), (80, MOST_CORRELATED)])
def test_as_many_dimensions_are_moved_as_there_are_and_are_correlated(dimensions, moved):
    session = session_of(Summing(dimensions), random_notes(2), [0, 1])
    told = measures.traversal(session, traversed=70, **FAST)
    assert told.sizes["rank"] == min(moved + 1, dimensions)
    np.testing.assert_array_equal(told["is_unused"], np.arange(told.sizes["rank"]) == moved)
    assert set(told["verdict"].values[:moved].ravel()) <= {
        "confirmed", "contradicted", "moved only", "neither", "",
    }  # fmt: skip
    assert (told["claimed_feature"].values[:moved, 0] != "").all()


def test_what_is_too_faint_to_count_is_neither_confirmed_nor_contradicted():
    session = session_of(Summing(2), random_notes(2), [0, 1])
    claims = {}
    for size in (0.05, 0.5):
        measures.features(session, **FAST)
        (key,) = (key for key in session._made if measures.correlation in key)
        known = session._made[key]
        same = np.full_like(known.phik, size), np.full_like(known.p_corrected, 0.001)
        session._made[key] = replace(known, phik=same[0], p_corrected=same[1])
        claims[size] = set(measures.traversal(session, **FAST)["verdict"].values[0])
    assert claims[0.05] <= {"moved only", "neither"}
    assert claims[0.5] <= {"confirmed", "contradicted"}


def test_a_deviation_of_nothing_diverges_finitely_and_others_are_refused():
    model = Summing(3)
    model.sigma[1] = 0
    told = posterior.encode(model, random_notes(8)).posterior
    assert np.isfinite(told.divergence).all()
    assert told.divergence[1] > 80
    for wrong in (np.nan, np.inf, -1):
        model.sigma[2] = wrong
        with pytest.raises(InputError, match=r"summing: mu .* in dimension 2 of melody 0"):
            posterior.encode(model, random_notes(8))


def test_melodies_without_notes_have_no_onsets_to_get_right():
    told = measures.reconstructions(session_of(Summing(3), np.zeros((4, 32)), range(4)))
    assert told["accuracy"].sel(measure="onsets").isnull().all()
    assert told["accuracy"].sel(measure="free-running").notnull().all()


def test_one_piece_says_nothing_of_others():
    session = session_of(Summing(3), random_notes(6), [5] * 6)
    kept, excited = measures.reconstructions(session), measures.activation(session)
    assert kept["loss_to_all"].notnull().all()
    assert kept["loss_low"].isnull().all()
    assert excited["active_low"].sel(material=MELODIES).isnull().all()
    assert excited["active_low"].sel(material=PRIOR).notnull().all()


def test_excited_dimensions_are_counted_piece_by_piece_whether_music_or_not():
    model = Summing(2)
    model.sigma[:] = [0.5, 1.0]  # the second is not active
    rolls = np.concatenate([np.repeat(random_notes(1), 9, 0), random_notes(2)[1:]])
    told = measures.activation(session_of(model, rolls, [0] * 9 + [1])).sel(material=MELODIES)
    size = np.abs(model.encode(rolls[[0, 9]])[0])
    for name, dimension in (("active", 0), ("active_rest", 1)):
        expected = (size[:, [dimension]] > excitation.THRESHOLDS).mean(0)
        np.testing.assert_allclose(told[name], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"samples": 0}, "samples 0"),
        ({"traversed": 0}, "traversed 0"),
        ({"permutations": 1.5}, "permutations 1.5"),
        ({"threshold": 1.0}, "threshold 1"),
        ({"threshold": float("nan")}, "threshold nan"),
    ],
)
def test_settings_out_of_range_are_refused(changed, told):
    with pytest.raises(InputError, match=told):
        Session(load("control:planted")).once(lambda session: refuses(session, **changed))


def test_a_run_goes_on_only_with_the_melodies_it_began_with(tmp_path):
    suite = Suite(("control:planted",), (LATENTS,), settings={"melodies": str(tmp_path)})
    (tmp_path / "one.mid").write_bytes(b"1")
    before = list(_identity(suite, {}, []))
    assert list(_identity(suite, {}, [])) == before
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "two.mid").write_bytes(b"2")
    assert list(_identity(suite, {}, [])) != before


@pytest.mark.parametrize(("half", "told"), [("encoder", "decoder only"), ("decoder", "encoder only")])
def test_half_a_model_is_refused_before_anything_is_drawn(half, told, tmp_path):
    model = MusicVAE(MusicVAEConfig(encoder=(4,), decoder=(4,), latent_dimensions=3), "half").eval()
    setattr(model, half, None)
    with pytest.raises(InputError, match=told):
        probe([model], tmp_path / "l.zarr", baselines=0)
    assert not list(tmp_path.iterdir())


def test_a_melody_is_of_whole_bars(tmp_path):
    model = Summing(3)
    model.steps = 24
    with pytest.raises(InputError, match="24 steps"):
        probe([model], tmp_path / "l.zarr", baselines=0)


@pytest.mark.parametrize(("samples", "traversed", "threshold"), [(100, 8, 0.1), (400, 1, 0.1), (400, 2, 0.9)])
def test_the_control_is_as_known_however_it_is_measured(samples, traversed, threshold, monkeypatch):
    monkeypatch.setattr("tonotopy.probes.latents.encodings.real_material", lambda *_: None)
    session = Session(load("control:planted"), seed=3)
    settings = {"samples": samples, "permutations": 19, "traversed": traversed, "threshold": threshold}
    checked = 0
    for one in registered("melody"):
        result = one.with_settings(**{k: v for k, v in settings.items() if k in one.takes})(session)
        for known in one.known:
            value = known.value(result, 0)
            checked += np.isfinite(value)
            assert known.holds(value) or np.isnan(value), (known.what, value)
    assert checked >= 7
