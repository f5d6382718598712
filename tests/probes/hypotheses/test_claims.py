import re

import numpy as np
import pytest
import xarray as xr

from tonotopy.encoders import load
from tonotopy.encoders.base import CANONICAL_STAGES
from tonotopy.probes.engine.schema import dataset, subject_attributes
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.tiling import tiling
from tonotopy.probes.folding.aliasing import aliasing
from tonotopy.probes.folding.collapse import collapse_remark
from tonotopy.probes.hypotheses import composition as composition_claims
from tonotopy.probes.hypotheses import filters as filter_claims
from tonotopy.probes.hypotheses import registry
from tonotopy.probes.hypotheses.admission import complaints
from tonotopy.probes.hypotheses.deciding import two_sided, verdict_p
from tonotopy.probes.hypotheses.hypothesis import MACHINES_ON_MUSIC, Hypothesis, NoEvidence
from tonotopy.probes.hypotheses.registry import HYPOTHESES, registered
from tonotopy.probes.hypotheses.verdicts import evaluate
from tonotopy.probes.interventions.removal import OWN_ALONE, REMOVALS
from tonotopy.probes.run.registry import registered as probes_registered
from tonotopy.probes.run.registry import schema
from tonotopy.probes.run.suite import CONTROLS
from tonotopy.synth.errors import InputError

BY_NAME = {h.name: h for h in HYPOTHESES}
CONTEXT_PAIRS = np.array([[0, 1], [0, 2], [1, 2]])


def a_run(groups, role="encoder", of="", node="a", run=None):
    """A run, or one with another subject: group -> variables."""
    run = xr.DataTree() if run is None else run
    about = {
        "encoder": node.replace(".", ":", 1),
        "role": role,
        "of": of,
        "sample_rate": 24_000,
        "modality": "waveform",
    }
    run[node] = xr.DataTree(xr.Dataset(attrs=about))
    for group, variables in groups.items():
        run[f"{node}/{group}"] = xr.DataTree(dataset(schema()[group], variables))
    return run


def planes(index, stages=("latent",), spread=0.02, components=16, seed=0):
    """Compositionality of partials whose planes overlap so far with themselves, and with no other.

    `index` of a density, for 1 to 32 others and, as the last condition, of pitches.
    """
    generator = np.random.default_rng(seed)
    densities = [1, 2, 4, 8, 16, 32]
    overlap = np.zeros((len(stages), 7, components, components, 3))
    own = np.array([*(index(d) for d in densities), index(4)])[:, None, None]
    noise = spread * generator.normal(size=(components, 3))
    overlap[:, :, np.arange(components), np.arange(components)] = own + noise - noise.mean()
    return {
        "stage": np.array(stages),
        "component_kind": np.array(["partial"] * 6 + ["pitch"]),
        "density": np.array([*densities, 4]),
        "component_level_dbfs": np.full(7, -20.0),
        "overlap": overlap,
        "first_context": CONTEXT_PAIRS[:, 0],
        "second_context": CONTEXT_PAIRS[:, 1],
    }


def with_controls(run):
    for node, value in (("filterbank.stft", 1.0), ("control.decimator", 0.0), ("control.texture", 0.0)):
        flat = {"compositionality": planes(lambda d, v=value: v, spread=0.0)}
        a_run(flat, "control", node=node, run=run)
    return run


def judged(run, *names):
    return evaluate(run, [BY_NAME[name] for name in names])


def test_every_claim_is_whole():
    assert len(BY_NAME) == len(HYPOTHESES)
    for hypothesis in HYPOTHESES:
        assert hypothesis.claim.strip(), hypothesis.name
        assert hypothesis.group in schema()
        assert hypothesis.stage in CANONICAL_STAGES
        assert {c.encoder for c in hypothesis.controls} <= set(CONTROLS["waveform"])
        assert all(c.bounds for c in hypothesis.controls)
        assert re.fullmatch("[a-z_]+", hypothesis.name)
        assert hypothesis.family == MACHINES_ON_MUSIC
        assert hypothesis.alternative.strip(), f"{hypothesis.name} does not say what it cannot exclude"
        assert {*hypothesis.positive, *hypothesis.negative} <= set(CONTROLS["waveform"])


def test_an_empty_run_gives_reasons_and_no_verdicts():
    found = evaluate(a_run({}), HYPOTHESES)["a"]
    assert (found["verdict"] == "no verdict").all()
    assert all(found["remark"].values)


# --- components -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("index", "verdict"), [(0.9, "supported"), (0.2, "refuted"), (0.5, "undecided")])
def test_stable_partials_are_so_from_half_way_on(index, verdict):
    run = with_controls(a_run({"compositionality": planes(lambda d: index)}))
    found = judged(run, "stable_partials_latent", "pitch_is_a_stable_direction")["a"]
    assert found["verdict"].values.tolist() == [verdict] * 2
    assert found["effect"].values == pytest.approx([index] * 2, abs=1e-9)
    assert found["n_units"].values.tolist() == [16, 16]


def test_stages_have_verdicts_of_their_own():
    run = with_controls(a_run({"compositionality": planes(lambda d: 0.9, ("first_layer", "latent"))}))
    names = [f"stable_partials_{stage}" for stage in ("first_layer", "stack_end", "latent", "quantized")]
    found = judged(run, *names)["a"]
    assert found["verdict"].values.tolist() == ["supported", "no verdict", "supported", "no verdict"]


def test_traces_are_found_where_stability_is_not():
    run = with_controls(a_run({"compositionality": planes(lambda d: 0.2)}))
    found = judged(run, "partials_leave_traces", "stable_partials_latent")["a"]
    assert found["verdict"].values.tolist() == ["supported", "refuted"]
    none = planes(lambda d: 0.0, spread=0.0)
    none["overlap"] = np.random.default_rng(0).random(none["overlap"].shape)
    run = with_controls(a_run({"compositionality": none}))
    assert judged(run, "partials_leave_traces")["a"]["verdict"].item() == "undecided"


@pytest.mark.parametrize(("slope", "verdict"), [(-0.1, "supported"), (0.1, "refuted"), (-0.02, "undecided")])
def test_stability_over_density_is_a_slope_over_doublings(slope, verdict):
    falling = planes(lambda d: 0.5 + slope * np.log2(d))
    run = with_controls(a_run({"compositionality": falling}))
    found = judged(run, "stability_falls_with_density")["a"]
    assert found["effect"].item() == pytest.approx(slope, abs=1e-9)
    assert found["verdict"].item() == verdict
    assert found["method"].item() == "t over slopes of groups"


def test_company_is_counted_at_the_usual_level():
    probe = planes(lambda d: 0.9)
    probe["density"][0] = 4  # the first condition now has as much company, at another level
    probe["component_level_dbfs"][0] = -50.0
    probe["overlap"][:, 0] = 0.0
    found = composition_claims.stability_of("partial", 4)(a_run({"compositionality": probe}), "a", "latent")
    assert found.effect == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("trained", "verdict"), [(0.52, "supported"), (0.9, "refuted"), (0.1, "refuted"), (0.6, "undecided")]
)
def test_architectural_is_what_random_networks_have_too(trained, verdict):
    run = with_controls(a_run({"compositionality": planes(lambda d: trained)}))
    for i in range(3):
        a_run({"compositionality": planes(lambda d: 0.5, seed=i)}, "baseline", "a", f"a.random{i}", run)
    found = judged(run, "architectural")
    assert found["a"]["verdict"].item() == verdict
    assert found["a"]["effect"].item() == pytest.approx(trained - 0.5, abs=1e-9)
    assert found["a.random0"]["verdict"].item() == "supported"  # beside the other two


def test_encoders_are_compared_with_their_like():
    run = with_controls(a_run({"compositionality": planes(lambda d: 0.9)}))
    a_run({"compositionality": planes(lambda d: 0.5)}, node="b", run=run)
    for of in "ab":
        a_run({"compositionality": planes(lambda d: 0.7)}, "baseline", of, f"{of}.random0", run)
    found = judged(run, "same_across_encoders")
    effects = {node: one["effect"].item() for node, one in found.items()}
    assert effects == pytest.approx({"a": 0.4, "b": -0.4, "a.random0": 0.0, "b.random0": 0.0}, abs=1e-9)
    assert found["a.random0"]["verdict"].item() == "supported"


def test_alone_there_is_nothing_to_compare_with():
    run = with_controls(a_run({"compositionality": planes(lambda d: 0.9)}))
    found = judged(run, "architectural", "same_across_encoders")["a"]
    assert found["remark"].values.tolist() == [
        "no random networks of a were measured",
        "no other encoder was measured",
    ]


def test_a_control_that_fails_takes_the_verdicts_with_it():
    run = with_controls(a_run({"compositionality": planes(lambda d: 0.9)}))
    a_run({"compositionality": planes(lambda d: 0.3)}, "control", node="control.decimator", run=run)
    found = judged(run, "stable_partials_latent")["a"]
    assert found["verdict"].item() == "no verdict"
    assert "a control fails: control:decimator 0.3 (must be >= -0.01 and <= 0.01)" in found["remark"].item()


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


@pytest.mark.parametrize(
    ("claim", "variable"), [("chord_sum", "sum_error"), ("chord_likeness", "position_auc")]
)
def test_chords_of_one_root_are_one_draw(claim, variable):
    variables = {
        "stage": np.array(["latent"]),
        "chord": np.array(["48 major", "48 minor", "49 major", "49 minor", "50 major"]),
        "chord_root": np.array([48, 48, 49, 49, 50]),
        variable: np.array([[0.2, 0.4, 0.5, np.nan, np.nan]]),
    }
    found = getattr(composition_claims, claim)(a_run({"chord_composition": variables}), "a", "latent")
    assert found.per_unit == pytest.approx([0.3, 0.5])


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


# --- admission ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def truths():
    """What claims name as known truth, each measured by the claim's own probe."""
    run, probes = xr.DataTree(), {probe.name: probe for probe in probes_registered()}
    needed = {(name, h.group) for h in HYPOTHESES for name in (*h.positive, *h.negative)}
    for name, group in sorted(needed):
        encoder, node = load(name, sample_rate=24_000), name.replace(":", ".")
        if node not in run.children:
            run[node] = xr.DataTree(xr.Dataset(attrs=subject_attributes(encoder, "control")))
        run[f"{node}/{group}"] = xr.DataTree(probes[group].measure(Session(encoder)))
    return run


@pytest.mark.parametrize("name", [h.name for h in HYPOTHESES if h.positive or h.negative])
def test_every_claim_gets_known_truth_right_by_its_own_rule(name, truths):
    assert complaints(BY_NAME[name], truths) == []


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
