"""Claims by the four questions, on runs whose values are written down."""

import numpy as np
import pytest

from tonotopy.probes.hypotheses import composition, questions
from tonotopy.probes.hypotheses.deciding import least_p, verdict_p
from tonotopy.probes.hypotheses.evidence import PerGroup, PerUnit
from tonotopy.probes.hypotheses.hypothesis import NoEvidence
from tonotopy.probes.hypotheses.joint import Jointly, Part
from tonotopy.probes.hypotheses.registry import HYPOTHESES
from tonotopy.probes.hypotheses.verdicts import evaluate

from . import synthetic
from .synthetic import a_run, access, with_controls

BY_NAME = {h.name: h for h in HYPOTHESES}
STAGES = ("first_layer", "stack_end", "latent", "quantized")


def judged(groups, *names, **changes):
    return evaluate(with_controls(a_run(groups), **changes), [BY_NAME[name] for name in names])["a"]


def of_kind(kind, value, otherwise=0.9):
    return lambda condition: value if condition.kind == kind else otherwise


# --- presence, stability, place -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contained", "transferable", "verdict", "effect"),
    [
        (0.9, 0.9, "supported", 0.9 - 17 / 32),
        (0.95, 1 / 16, "refuted", 1 / 16 - 17 / 32),  # two bands: all traces are alike
        (0.1, 0.9, "refuted", -0.4),  # sign hash: told apart by what little is kept
        (0.2, 1 / 16, "refuted", 1 / 16 - 17 / 32),
        (0.505, 0.9, "undecided", 0.005),
        (0.9, 17 / 32 + 0.005, "undecided", 0.005),
    ],
)
def test_stable_partials_take_both_parts(contained, transferable, verdict, effect):
    groups = synthetic.questions(contained, transferable)
    found = judged(groups, "stable_partials_latent").isel(hypothesis=0)
    assert found["verdict"].item() == verdict
    assert found["effect"].item() == pytest.approx(effect, abs=1e-9)
    assert found["n_units"].item() == 8


def test_stages_have_verdicts_of_their_own():
    groups = synthetic.questions(stages=("first_layer", "latent"))
    groups["stability"]["containment_by_group"][1] -= 0.6
    found = judged(groups, *(f"stable_partials_{stage}" for stage in STAGES))
    assert found["verdict"].values.tolist() == ["supported", "no verdict", "refuted", "no verdict"]


def test_stability_without_presence_is_no_evidence():
    groups = synthetic.questions()
    del groups["presence"]
    found = judged(groups, "stable_partials_latent")
    assert found["remark"].item() == "presence was not measured of a"


@pytest.mark.parametrize(("share", "verdict"), [(0.9, "supported"), (0.2, "refuted"), (0.53, "undecided")])
def test_presence_and_place_are_held_against_half_way(share, verdict):
    found = judged(synthetic.questions(proportion=share), "partials_are_present")
    assert found["verdict"].item() == verdict
    found = judged(synthetic.questions(place=share - 0.03), "partials_have_a_place")
    assert found["verdict"].item() == verdict


@pytest.mark.parametrize("kind", ["pitch", "chord"])
def test_pitches_and_chords_take_their_own_condition(kind):
    name = {"pitch": "pitch_is_a_stable_direction", "chord": "chords_keep_across_positions"}[kind]
    others = synthetic.questions(transferable=of_kind(kind, 0.1))
    own = synthetic.questions(transferable=of_kind(kind, 0.9, 0.1), contained=of_kind(kind, 0.9, 0.1))
    assert judged(others, name, "stable_partials_latent")["verdict"].values.tolist() == [
        "refuted",
        "supported",
    ]
    assert judged(own, name, "stable_partials_latent")["verdict"].values.tolist() == ["supported", "refuted"]


def test_chords_and_pitches_have_trials_and_guessing_of_their_own():
    run = a_run(synthetic.questions())
    found = {kind: questions.presence_of(kind)(run, "a", "latent").trials for kind in synthetic.COMPONENTS}
    assert found == {"partial": 32, "pitch": 20, "chord": 18}
    assert questions.guessing(run, "a", "chord") == pytest.approx(5 / 9)


@pytest.mark.parametrize(("slope", "verdict"), [(-0.1, "supported"), (0.1, "refuted"), (-0.02, "undecided")])
def test_stability_over_density_is_a_slope_over_doublings_at_one_level(slope, verdict):
    def contained(condition):
        quiet = condition.level_dbfs < -20
        return 0.0 if quiet else 0.5 + slope * np.log2(condition.density)

    found = judged(synthetic.questions(contained), "stability_falls_with_density").isel(hypothesis=0)
    assert found["effect"].item() == pytest.approx(slope, abs=1e-9)
    assert found["verdict"].item() == verdict
    assert found["method"].item() == "t over slopes of groups"


def test_two_densities_are_no_trend():
    groups = synthetic.questions()
    groups["stability"]["density"][1] = 4
    groups["stability"]["component_level_dbfs"][1] = -35.0
    found = judged(groups, "stability_falls_with_density")
    assert found["remark"].item() == "stability of a was measured at 2 densities"


def test_a_control_that_fails_takes_the_verdict_with_it():
    found = judged(synthetic.questions(), "stable_partials_latent", transferable=0.8)
    assert found["verdict"].item() == "no verdict"
    assert "a control fails: control:decimator 0.269 (must be <= -0.35)" in found["remark"].item()
    found = judged(synthetic.questions(), "partials_are_present", "stable_partials_latent", proportion=0.8)
    assert found["verdict"].values.tolist() == ["no verdict", "supported"]


# --- access ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ({"auc": 0.9}, "supported"),
        ({"auc": 0.5, "linear": 0.9}, "supported"),
        ({"auc": 0.5}, "refuted"),
        ({"auc": 0.75}, "undecided"),
        ({"auc": lambda density: 0.9 if density < 16 else 0.5}, "refuted"),
    ],
)
def test_partials_are_readable_by_the_order_that_reads_better_among_sixteen(found, verdict):
    assert judged(access(**found), "readable_partials")["verdict"].item() == verdict


@pytest.mark.parametrize(("slope", "verdict"), [(-0.1, "supported"), (0.0, "refuted"), (-0.05, "undecided")])
def test_access_over_density_is_a_slope_of_the_order_that_reads_better(slope, verdict):
    falling = access(lambda density: 0.9 + slope * np.log2(density / 2), linear=0.55)
    found = judged(falling, "access_falls_with_density").isel(hypothesis=0)
    assert found["effect"].item() == pytest.approx(slope, abs=1e-9)
    assert found["verdict"].item() == verdict


@pytest.mark.parametrize(
    ("own", "verdict", "effect"),
    [
        ({}, "supported", 0.1),
        ({"bands": (0.03, -0.03, 0.02, 0.0)}, "supported", 0.07),
        ({"auc": 0.9}, "refuted", -0.15),  # though the networks drawn at random are no less readable
        ({"bands": (0.0, 0.0, 0.2, 0.0)}, "refuted", -0.1),  # one band is enough
        ({"bands": (0.0, -0.2, 0.2, 0.0)}, "refuted", -0.1),  # though the mean is the same
        ({"bands": (0.0, 0.1, 0.0, 0.0)}, "undecided", 0.0),
    ],
)
def test_architectural_takes_the_effect_and_then_the_same_in_every_band(own, verdict, effect):
    run = with_controls(a_run(access(**own)))
    twins = own.get("auc", 0.5)
    for i in range(3):
        a_run(access(twins, seed=i), "baseline", "a", f"a.matched{i}", run, "matched")
    found = evaluate(run, [BY_NAME["architectural"]])
    assert found["a"]["verdict"].item() == verdict
    assert found["a"]["effect"].item() == pytest.approx(effect, abs=1e-9)
    alike = "supported" if twins == 0.5 else "refuted"
    assert found["a.matched0"]["verdict"].item() == alike  # beside the other two


def test_architectural_takes_networks_at_the_trained_scale():
    run = with_controls(a_run(access()))
    for kind in ("random", "permuted"):
        a_run(access(), "baseline", "a", f"a.{kind}0", run, kind)
    found = evaluate(run, [BY_NAME["architectural"]])["a"]
    assert found["remark"].item() == ("0 random networks of a at its own scale: one draw is no baseline")


def test_encoders_are_compared_with_their_like():
    run = with_controls(a_run(access()))
    a_run(access(bands=(0.0, 0.0, 0.0, 0.3)), node="b", run=run)
    for of in "ab":
        a_run(access(0.6), "baseline", of, f"{of}.matched0", run, "matched")
    found = evaluate(run, [BY_NAME["same_across_encoders"]])
    effects = {node: one["effect"].item() for node, one in found.items()}
    assert effects == pytest.approx({"a": -0.2, "b": -0.2, "a.matched0": 0.1, "b.matched0": 0.1}, abs=1e-9)
    assert [one["verdict"].item() for one in found.values()] == ["refuted"] * 2 + ["supported"] * 2


def test_alone_there_is_nothing_to_compare_with():
    found = judged(access(), "same_across_encoders")
    assert found["remark"].item() == "no other encoder was measured"


def test_encoders_with_other_partials_are_not_compared():
    run = with_controls(a_run(access()))
    fewer = access()
    fewer["access"]["auc_of_each"] = fewer["access"]["auc_of_each"][..., :5]
    fewer["access"]["auc_by_group"] = fewer["access"]["auc_by_group"][..., :5]
    for i in range(2):
        a_run(fewer, "baseline", "a", f"a.matched{i}", run, "matched")
    with pytest.raises(NoEvidence, match="measured with different partials"):
        questions.unreadable_as_matched(run, "a", "latent")


# --- chords ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "proportion", "verdict"),
    [(0.05, 0.9, "supported"), (0.0, 1 / 9, "refuted"), (0.95, 0.9, "refuted"), (0.5, 0.9, "undecided")],
)
def test_sums_of_notes_count_where_chords_are_there(error, proportion, verdict):
    """To the decimator every sum is right, and every chord the same."""
    roots = np.arange(48, 60)
    sums = {
        "stage": np.array(["latent"]),
        "chord": np.array([f"{root} major" for root in roots]),
        "chord_root": roots,
        "sum_error": np.full((1, 12), error),
    }
    run = a_run({**synthetic.questions(proportion=of_kind("chord", proportion)), "chord_composition": sums})
    hypothesis = BY_NAME["chords_are_sums_of_pitches"]
    found = evaluate(run, [hypothesis])["a"].isel(hypothesis=0)
    assert found["effect"].item() == pytest.approx(min(0.5 - error, proportion - 5 / 9), abs=1e-9)
    for node, wrong, there in (
        ("filterbank.stft", 0.0, 0.97),
        ("control.decimator", 0.0, 0.06),
        ("control.texture", 1.0, 0.06),
    ):
        gate = {"chord_composition": {**sums, "sum_error": np.full((1, 12), wrong)}}
        a_run({**synthetic.questions(proportion=there), **gate}, "control", node=node, run=run)
    assert evaluate(run, [hypothesis])["a"]["verdict"].item() == verdict


def test_chords_of_one_root_are_one_draw():
    variables = {
        "stage": np.array(["latent"]),
        "chord": np.array(["48 major", "48 minor", "49 major", "49 minor", "50 major"]),
        "chord_root": np.array([48, 48, 49, 49, 50]),
        "sum_error": np.array([[0.2, 0.4, 0.5, np.nan, np.nan]]),
    }
    run = a_run({**synthetic.questions(), "chord_composition": variables})
    summed = composition.chord_sum(run, "a", "latent").parts[0].evidence
    assert isinstance(summed, PerUnit)
    assert summed.per_unit == pytest.approx([0.7, 0.5])


# --- joint evidence -------------------------------------------------------------------------------------


GENERATOR = np.random.default_rng(0)
HIGH = PerGroup(0.8 + 0.1 * GENERATOR.normal(size=8))
LOW = PerGroup(0.3 + 0.1 * GENERATOR.normal(size=8))
NEAR = PerGroup(0.02 + 0.03 * GENERATOR.normal(size=8))
PARTS = (Part(HIGH, "above", 0.5), Part(LOW, "below", 0.4), Part(NEAR, "within", 0.1))


def test_all_hold_by_the_largest_p_and_one_fails_by_the_least_times_their_number():
    both = Jointly(PARTS)
    holding, failing = zip(
        *(verdict_p(part.evidence, part.holds, part.threshold) for part in PARTS), strict=True
    )
    assert both.tails(0.0) == (max(holding), min(1.0, 3 * min(failing)))
    wrong = Jointly((Part(HIGH, "below", 0.5), *PARTS[1:]))
    assert wrong.tails(0.0)[1] == pytest.approx(3 * HIGH.tails(0.5)[0])
    assert Jointly(PARTS[:1]).tails(0.0) == HIGH.tails(0.5)
    with pytest.raises(ValueError, match="parts' thresholds"):
        both.tails(0.5)


def test_the_interval_is_that_of_the_least_margin():
    both = Jointly(PARTS)
    assert both.effect == min(HIGH.effect - 0.5, 0.4 - LOW.effect, 0.1 - abs(NEAR.effect))
    lower = [HIGH.interval()[0] - 0.5, 0.4 - LOW.interval()[1], 0.1 - np.abs(NEAR.interval()).max()]
    level = 1 - 0.05 / 3
    near = NEAR.interval(0, level)
    nearest = 0.0 if near[0] <= 0 <= near[1] else np.abs(near).min()
    upper = [HIGH.interval(0, level)[1] - 0.5, 0.4 - LOW.interval(0, level)[0], 0.1 - nearest]
    assert both.interval() == pytest.approx((min(lower), min(upper)))


def test_a_margin_around_nothing_is_largest_at_nothing():
    around = Part(PerGroup([-0.05, 0.05, -0.03, 0.03]), "within", 0.1)
    low, high = around.margins(0, 0.95)
    assert high == 0.1
    assert low == pytest.approx(0.1 - around.evidence.interval()[1])
    beyond = Part(PerGroup([-0.35, -0.25, -0.33, -0.27]), "within", 0.1)
    assert beyond.margins(0, 0.95) == pytest.approx([0.1 + end for end in beyond.evidence.interval()])


def test_the_interval_of_a_margin_covers_it():
    """Two parts of one true margin, where the least of two observed is too small most often."""
    generator, covered, rejected = np.random.default_rng(0), 0, 0
    for draw in range(300):
        both = Jointly(tuple(Part(PerGroup(generator.normal(0.5, 0.1, 8)), "above", 0.5) for _ in range(2)))
        low, high = both.interval(draw)
        covered += low <= 0.0 <= high
        rejected += both.tails(0.0, draw)[0] <= 0.025
    assert covered >= 279  # 0.95 at least; binomial 0.05
    assert rejected <= 13  # 0.025 at most; binomial 0.975


def test_the_clearest_is_all_for_and_all_against():
    for_all, against = Jointly(PARTS).clearest(8)
    assert for_all.effect == pytest.approx(0.1)
    assert against.effect == pytest.approx(-1.5)
    assert [one.n_units for one in (for_all, against)] == [8, 8]
    assert for_all.tails(0.0)[0] < 1e-6
    assert against.tails(0.0)[1] < 1e-6
    assert least_p(Jointly(PARTS), 8, "above", 0.0) < 1e-6
    shares = Jointly((Part(PerGroup([1.0, 0.9], trials=4), "above", 0.5), PARTS[0]))
    assert np.isfinite([one.effect for one in shares.clearest(5)]).all()


def test_relabelling_is_about_each_part_s_threshold():
    other = Jointly(PARTS).relabelled(0.0, np.random.default_rng(3))
    for old, new in zip(PARTS, other.parts, strict=True):
        assert (new.holds, new.threshold) == (old.holds, old.threshold)
        assert isinstance(old.evidence, PerGroup)
        assert isinstance(new.evidence, PerGroup)
        deviations = np.abs(old.evidence.rows - old.threshold)
        assert np.abs(new.evidence.rows - old.threshold) == pytest.approx(deviations)


def test_parts_without_units_have_no_p():
    nothing = Jointly((PARTS[0], Part(PerGroup([]), "above", 0.5)))
    assert nothing.n_units == 0
    assert np.isnan([nothing.effect, *nothing.tails(0.0)]).all()
