import re

import numpy as np
import pytest
import xarray as xr

from tonotopy.encoders import available, load
from tonotopy.encoders.base import CANONICAL_STAGES
from tonotopy.probes.composition.waveform_shape import waveform_shape
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.tiling import tiling
from tonotopy.probes.folding.aliasing import aliasing
from tonotopy.probes.folding.collapse import collapse_remark
from tonotopy.probes.hypotheses import composition as composition_claims
from tonotopy.probes.hypotheses import filters as filter_claims
from tonotopy.probes.hypotheses import registry
from tonotopy.probes.hypotheses.concepts import ALL_STAGES, SINGH
from tonotopy.probes.hypotheses.deciding import two_sided, verdict_p
from tonotopy.probes.hypotheses.hypothesis import MACHINES_ON_MUSIC, Hypothesis, NoEvidence
from tonotopy.probes.hypotheses.registry import HYPOTHESES, registered
from tonotopy.probes.hypotheses.verdicts import evaluate
from tonotopy.probes.interventions.interventions import interventions
from tonotopy.probes.interventions.removal import OWN_ALONE, REMOVALS
from tonotopy.probes.run.registry import schema
from tonotopy.probes.run.suite import CONTROLS
from tonotopy.synth.errors import InputError

from ..composition.test_waveform_shape import nearest
from .synthetic import a_run

BY_NAME = {h.name: h for h in HYPOTHESES}


def test_every_claim_is_whole():
    assert len(BY_NAME) == len(HYPOTHESES)
    for hypothesis in HYPOTHESES:
        assert hypothesis.claim.strip(), hypothesis.name
        assert hypothesis.group in schema()
        assert hypothesis.stage in (*CANONICAL_STAGES, ALL_STAGES)
        assert {c.encoder for c in hypothesis.controls} <= set(CONTROLS["waveform"])
        assert all(c.bounds for c in hypothesis.controls)
        assert re.fullmatch("[a-z_]+", hypothesis.name)
        assert hypothesis.family in (MACHINES_ON_MUSIC, SINGH)
        assert hypothesis.alternative.strip(), f"{hypothesis.name} does not say what it cannot exclude"
        assert {*hypothesis.positive, *hypothesis.negative} <= set(available())


def test_an_empty_run_gives_reasons_and_no_verdicts():
    found = evaluate(a_run({}), HYPOTHESES)["a"]
    assert (found["verdict"] == "no verdict").all()
    assert all(found["remark"].values)


# --- codes, waveform shape, removal ----------------------------------------------------------------------


def test_codes_are_reused_beyond_chance():
    variables = {
        "stage": np.array(["codes"]),
        "component": np.geomspace(120, 6000, 16),
        "codebook": np.arange(1, 9),
        "reuse": np.linspace(0.5, 0.9, 16)[None],
        "reuse_chance": np.full((1, 16), 0.1),
    }
    found = composition_claims.reuse(a_run({"codes": variables}), "a", "codes")
    assert found.effect == pytest.approx(0.7)
    assert found.n_units == 16


def by_own_rule(hypothesis, evidence):
    """The verdict of a hypothesis on its own: no other is corrected for."""
    low, high = evidence.interval(0)
    p = two_sided(*verdict_p(evidence, hypothesis.holds, hypothesis.threshold))
    if p > 0.05:
        return "undecided"
    return (
        "supported"
        if low > hypothesis.threshold
        else "refuted"
        if high < hypothesis.threshold
        else "undecided"
    )


@pytest.mark.parametrize(
    ("encoder", "verdict"),
    [
        (lambda: load("control:texture"), "supported"),
        (lambda: nearest(256, 160), "supported"),
        (lambda: load("filterbank:stft"), "refuted"),
        (lambda: load("filterbank:stft_magnitude"), "refuted"),
        (lambda: load("filterbank:gammatone"), "refuted"),
        (lambda: load("filterbank:stft_mixed"), "refuted"),
        (lambda: load("filterbank:divisive_tracker"), "refuted"),
        (lambda: load("control:patches"), "refuted"),
        (lambda: load("control:patches_mixed"), "refuted"),
        (lambda: load("control:decimator"), "refuted"),
    ],
)
def test_waveform_shape_is_supported_for_patterns_alone(encoder, verdict):
    hypothesis, subject = BY_NAME["waveform_shape_over_spectrum"], encoder()
    found = waveform_shape(Session(subject), detunings_hz=[10.0])
    run = xr.DataTree()
    run["a/waveform_shape"] = xr.DataTree(found)
    assert by_own_rule(hypothesis, hypothesis.evidence(run, "a", str(found.stage.values[0]))) == verdict


def test_shape_counts_by_group_of_sounds():
    variables = {
        "stage": np.array(["latent"]),
        "sound": np.arange(5),
        "sound_group": np.array([0, 0, 1, 1, 2]),
        "shape_over_spectrum": np.array([[0.2, 0.4, 0.5, np.nan, np.nan]]),
    }
    found = composition_claims.shape_preference(a_run({"waveform_shape": variables}), "a", "latent")
    assert found.per_unit == pytest.approx([0.3, 0.5])


def test_removal_counts_by_mixture_and_lost_partials_count_as_nothing():
    beyond = np.full((1, len(REMOVALS), 6), np.nan)
    beyond[0, REMOVALS.index(OWN_ALONE)] = [10.0, 16.0, 8.0, 0.0, 0.0, 0.0]
    variables = {
        "stage": np.array(["latent"]),
        "trial": np.arange(6),
        "mixture": np.array([0, 0, 1, 1, 2, 2]),
        "removal": np.array(REMOVALS),
        "beyond_db": beyond,
    }
    found = composition_claims.specific_removal(a_run({"interventions": variables}), "a", "latent")
    assert found.per_unit.tolist() == [13.0, 4.0, 0.0]
    variables["beyond_db"] = np.full_like(beyond, np.nan)
    with pytest.raises(NoEvidence):
        composition_claims.specific_removal(a_run({"interventions": variables}), "a", "latent")


@pytest.mark.parametrize(
    ("codec", "verdict"), [("control:identity_codec", "supported"), ("control:mu_law_codec", "refuted")]
)
def test_removal_is_supported_where_all_adds_up_and_refuted_where_nothing_does(codec, verdict):
    found = interventions(Session(load(codec)), tested=1, doses=[0, 1], random_planes=1)
    run = xr.DataTree()
    run["a/interventions"] = xr.DataTree(found)
    hypothesis = BY_NAME["removable_partials"]
    assert by_own_rule(hypothesis, hypothesis.evidence(run, "a", "latent")) == verdict


# --- filters --------------------------------------------------------------------------------------------


def tiled(best, bandwidth=None, gram=None, length=100.0, kind="convolution"):
    best = np.asarray(best, dtype=float)
    bandwidth = np.ones_like(best) if bandwidth is None else np.asarray(bandwidth, dtype=float)
    gram = np.eye(len(best)) if gram is None else gram
    return a_run(
        {
            "tiling": {
                "stage": np.array(["first_layer"]),
                "kind": np.array([kind]),
                "receptive_field": np.array([length]),
                "best_frequency": best[None],
                "equivalent_noise_bandwidth": bandwidth[None],
                "nyquist_share": bandwidth[None] / 100.0,
                "gram": gram[None],
            }
        }
    )


def test_narrowness_is_counted_in_octaves_from_the_ear():
    best = np.array([100.0, 1000.0, 4000.0, np.nan])
    ear = np.array([35.5, 132.6, 456.4, np.nan])  # Glasberg and Moore 1990, to a tenth
    run = tiled(best, [*(4 * ear[:3]), np.nan])
    assert filter_claims.narrowness(run, "a", "first_layer").per_unit == pytest.approx([2.0] * 3, abs=2e-3)
    assert filter_claims.share_of_nyquist(tiled(best, [50, 100, 200, np.nan]), "a", "first_layer").effect == 0


@pytest.mark.parametrize("scale", filter_claims.SPACINGS)
def test_even_spacing_on_any_scale_is_even(scale):
    fine = np.geomspace(50, 10_000, 20_000)
    place = filter_claims.on_scale(fine, scale)
    best = np.interp(np.linspace(place[0], place[-1], 40), place, fine)
    assert filter_claims.unevenness(tiled(best), "a", "first_layer").effect < 0.01


def test_places_thrown_at_random_are_two_over_e_uneven():
    best = np.random.default_rng(0).uniform(100, 10_000, 4000)
    assert filter_claims.unevenness(tiled(best), "a", "first_layer").effect == pytest.approx(
        2 / np.e, abs=0.02
    )


@pytest.mark.parametrize("best", [[100.0, 200.0], [300.0] * 5])
def test_no_gaps_no_evidence(best):
    with pytest.raises(NoEvidence):
        filter_claims.unevenness(tiled(best), "a", "first_layer")


def test_kernels_drawn_at_random_are_rarely_taken_for_others():
    """A pair of kernels counts with both; were that forgotten, one bank in six would be."""
    generator, rejected, covered = np.random.default_rng(1), 0, 0
    for draw in range(200):
        kernels = generator.normal(size=(8, 7))
        kernels /= np.linalg.norm(kernels, axis=1, keepdims=True)
        run = tiled(np.arange(1.0, 9.0), gram=kernels @ kernels.T, length=7.0)
        found = filter_claims.overlap_of_channels(run, "a", "first_layer")
        low, high = found.interval(draw)
        rejected += two_sided(*verdict_p(found, "above", 1.0, draw)) <= 0.05
        covered += low <= 1.0 <= high
    assert rejected <= 16  # of 10, binomial 0.975
    assert covered >= 180  # percentile intervals of eight units are somewhat short


def test_kernels_drawn_at_random_overlap_as_the_threshold_says():
    kernels = np.random.default_rng(0).normal(size=(400, 25))
    kernels /= np.linalg.norm(kernels, axis=1, keepdims=True)
    run = tiled(np.arange(1.0, 401.0), gram=kernels @ kernels.T, length=25.0)
    assert filter_claims.overlap_of_channels(run, "a", "first_layer").effect == pytest.approx(1.0, abs=0.02)
    one = tiled(np.arange(1.0, 9.0), gram=np.ones((8, 8)), length=25.0)
    assert filter_claims.overlap_of_channels(one, "a", "first_layer").effect == pytest.approx(25.0)
    with pytest.raises(NoEvidence, match="no bank of kernels"):
        filter_claims.overlap_of_channels(tiled(np.arange(9), kind="nonlinear"), "a", "first_layer")


@pytest.fixture(scope="module")
def folds():
    """Aliasing of the controls that gate it."""
    run = xr.DataTree()
    for name in ("filterbank:stft", "control:decimator", "control:rectifier"):
        heard = aliasing(Session(load(name, sample_rate=8_000)))
        about = {"encoder": name, "role": "control", "of": "", "sample_rate": 8_000, "modality": "waveform"}
        run[name.replace(":", ".")] = xr.DataTree(xr.Dataset(attrs=about))
        run[f"{name.replace(':', '.')}/aliasing"] = xr.DataTree(heard)
    return run


def test_folds_of_the_controls(folds):
    at_fold = {n: filter_claims.power_at_the_fold(folds, n, "first_layer").effect for n in folds.children}
    assert at_fold["control.decimator"] > 0.9
    assert at_fold["filterbank.stft"] > 0.9
    assert abs(at_fold["control.rectifier"]) < 0.05


def test_collapse_per_tone_is_the_probe_s_collapse(folds):
    for node, closed_form in (("control.decimator", 1.0), ("filterbank.stft", 0.0)):
        effect = filter_claims.collapse_per_tone(folds, node, "first_layer").effect
        stored = folds[node]["aliasing"].to_dataset()["collapse"].sel(stage="first_layer")
        assert effect == pytest.approx(closed_form, abs=1e-3)
        assert effect == pytest.approx(float(stored.mean()), abs=1e-3)
    flat = filter_claims.collapse_per_tone(folds, "control.rectifier", "first_layer")  # nothing folds
    assert (np.asarray(flat.values) == 0).all()
    assert flat.n_units == 12


def test_without_pairs_to_compare_there_is_no_verdict_on_collapse(folds):
    near = folds.copy(deep=True)
    near["control.decimator/aliasing"]["apart"][:] = 4000.0
    near["control.decimator/aliasing"]["remark"].values = [collapse_remark(np.nan, 0)]
    with pytest.raises(NoEvidence, match="0 pairs share a fold"):
        filter_claims.collapse_per_tone(near, "control.decimator", "first_layer")


def test_the_gammatone_bank_is_the_ear_s():
    run = xr.DataTree()
    run["g"] = xr.DataTree(xr.Dataset(attrs={"encoder": "filterbank:gammatone"}))
    run["g/tiling"] = xr.DataTree(tiling(Session(load("filterbank:gammatone", sample_rate=8_000))))
    assert abs(filter_claims.narrowness(run, "g", "first_layer").effect) < 0.05
    assert filter_claims.unevenness(run, "g", "first_layer").effect < 0.1


# --- registry -------------------------------------------------------------------------------------------


class Point:
    def __init__(self, name, found):
        self.name, self._found = name, found

    def load(self):
        return self._found


def test_plug_ins_add_hypotheses(monkeypatch):
    mine = BY_NAME["superposition"]
    points = [Point("one", mine), Point("two", (mine, mine))]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    assert registered() == (*HYPOTHESES, mine, mine, mine)
    assert all(isinstance(h, Hypothesis) for h in registered())
    monkeypatch.setattr(registry, "entry_points", lambda group: [Point("bad", ["superposition"])])
    with pytest.raises(InputError, match="hypothesis 'bad': its entry point names no Hypothesis"):
        registered()
