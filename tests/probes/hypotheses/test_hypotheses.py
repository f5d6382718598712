import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.hypotheses.admission import complaints
from tonotopy.probes.hypotheses.deciding import least_p, two_sided, verdict_p
from tonotopy.probes.hypotheses.evidence import PerGroup, PerUnit, Trend
from tonotopy.probes.hypotheses.exchanges import Association
from tonotopy.probes.hypotheses.hypothesis import Control, Hypothesis, NoEvidence, baselines, measured
from tonotopy.probes.hypotheses.matching import Matching
from tonotopy.probes.hypotheses.registry import HYPOTHESES
from tonotopy.probes.hypotheses.verdicts import evaluate
from tonotopy.probes.run.registry import schema
from tonotopy.probes.statistics.resampling import holm
from tonotopy.synth.errors import InputError


def a_run(qualities, controls=(), rate=24_000):
    """A run of subjects node -> (role, of, Q of the channels of the first layer)."""
    tree = xr.DataTree()
    for node, (role, of, quality) in {**qualities, **dict(controls)}.items():
        quality = np.asarray(quality, dtype=float)
        about = {"encoder": node, "role": role, "of": of, "sample_rate": rate, "modality": "waveform"}
        variables = {
            "stage": np.array(["first_layer"]),
            "channel": np.arange(len(quality)),
            "quality": quality[None],
        }
        tree[node] = xr.DataTree(xr.Dataset(attrs=about))
        tree[f"{node}/selectivity"] = xr.DataTree(dataset(schema()["selectivity"], variables))
    return tree


def sharpness(run, node, stage):
    return PerGroup(measured(run, node, "selectivity", "quality", stage))


def a_hypothesis(name="sharp", **changes):
    about = {
        "claim": "Filters are sharp.",
        "source_expects": "supported",
        "statement": "mean Q",
        "group": "selectivity",
        "stage": "first_layer",
        "holds": "above",
        "threshold": 1.0,
        "justification": "as narrow as it is high",
        "null": "signs about the threshold",
        "controls": (),
        "evidence": sharpness,
    }
    return Hypothesis(name, **{**about, **changes})


SHARP, BLUNT, BETWEEN = np.linspace(3.5, 4.5, 20), np.linspace(0.1, 0.3, 20), np.linspace(0.0, 2.0, 20)


@pytest.mark.parametrize(
    ("quality", "verdict", "agrees"),
    [(SHARP, "supported", "yes"), (BLUNT, "refuted", "no"), (BETWEEN, "undecided", "–")],
)
def test_verdict_says_on_which_side_of_the_threshold_the_effect_lies(quality, verdict, agrees):
    found = evaluate(a_run({"a": ("encoder", "", quality)}), [a_hypothesis()])["a"].isel(hypothesis=0)
    assert (found["verdict"].item(), found["agrees"].item()) == (verdict, agrees)
    assert found["effect"] == pytest.approx(np.mean(quality))
    assert found["low"] <= found["effect"] <= found["high"]
    below = evaluate(a_run({"a": ("encoder", "", quality)}), [a_hypothesis(holds="below")])["a"]
    mirrored = {"supported": "refuted", "refuted": "supported", "undecided": "undecided"}
    assert below["verdict"].item() == mirrored[verdict]


@pytest.mark.parametrize(
    ("quality", "verdict"),
    [(SHARP - 4, "supported"), (SHARP, "refuted"), (SHARP - 8, "refuted"), (3 * SHARP - 11, "undecided")],
)
def test_a_margin_is_kept_or_left_on_either_side(quality, verdict):
    within = a_hypothesis(holds="within", threshold=1.0)
    assert evaluate(a_run({"a": ("encoder", "", quality)}), [within])["a"]["verdict"].item() == verdict


@pytest.mark.parametrize(
    ("heard", "reason"),
    [
        ({}, "control good was not measured"),
        ({"good": ("control", "", np.ones(3))}, "a control fails: good 1 (must be >= 3)"),
        ({"good": ("control", "", np.full(3, np.nan))}, "has no value of quality"),
        ({"good": ("control", "", np.full(3, 4.0))}, ""),
    ],
)
def test_no_verdict_where_a_control_fails_or_was_not_heard(heard, reason):
    gated = a_hypothesis(controls=(Control("good", low=3.0),))
    found = evaluate(a_run({"a": ("encoder", "", SHARP)}, heard), [gated])["a"].isel(hypothesis=0)
    assert found["verdict"].item() == ("no verdict" if reason else "supported")
    assert reason in found["remark"].item()
    assert np.isfinite(found["p_corrected"].item()) == (not reason)
    assert found["effect"] == pytest.approx(4.0)  # shown all the same


def test_one_control_may_be_asked_two_things():
    def count(run, node, stage):
        return PerUnit([float(measured(run, node, "selectivity", "quality", stage).size)])

    twice = a_hypothesis(controls=(Control("good", low=3.0), Control("good", high=5.0, evidence=count)))
    run = a_run({"a": ("encoder", "", SHARP)}, {"good": ("control", "", SHARP)})
    assert "a control fails: good 20 (must be <= 5)" in evaluate(run, [twice])["a"]["remark"].item()


def test_beyond_one_margin_is_not_within_both():
    """Equivalence takes both one-sided tests: what lies above the upper margin is surely above the lower."""
    for offset in (0.3, -0.3):
        holding, failing = verdict_p(PerGroup(offset + np.linspace(-0.05, 0.05, 20)), "within", 0.1)
        assert holding > 0.999
        assert failing < 0.01
    assert verdict_p(PerGroup(np.linspace(-0.05, 0.05, 20)), "within", 0.1)[0] < 0.01


def test_controls_are_taken_at_their_deepest_stage():
    run = a_run({"a": ("encoder", "", SHARP)}, {"good": ("control", "", SHARP)})
    variables = {
        "stage": np.array(["first_layer", "stack_end", "codes"]),
        "channel": np.arange(3),
        "quality": np.array([[1.0] * 3, [9.0] * 3, [2.0] * 3]),
    }
    run["good/selectivity"] = xr.DataTree(dataset(schema()["selectivity"], variables))
    gated = a_hypothesis(controls=(Control("good", low=3.0),))
    assert evaluate(run, [gated])["a"]["controls"].item() == "good 9 (must be >= 3)"


def test_deep_claims_are_judged_at_the_deepest_stage_where_there_is_no_latent():
    run = a_run({"a": ("encoder", "", SHARP), "b": ("encoder", "", SHARP)})
    variables = {
        "stage": np.array(["first_layer", "stack_end", "codes"]),
        "channel": np.arange(20),
        "quality": np.stack([SHARP, SHARP + 5, SHARP]),
    }
    run["a/selectivity"] = xr.DataTree(dataset(schema()["selectivity"], variables))
    deep = [a_hypothesis("deep", stage="latent", group="selectivity"), a_hypothesis("first")]
    found = evaluate(run, deep)
    assert found["a"]["judged_at"].values.tolist() == ["stack_end", "first_layer"]
    assert found["a"]["verdict"].values.tolist() == ["supported", "supported"]
    assert float(found["a"]["effect"][0] - found["a"]["effect"][1]) == pytest.approx(5)
    # one that was measured at its first layer only says nothing of deeper ones
    assert found["b"]["judged_at"].values.tolist() == ["latent", "first_layer"]
    assert found["b"]["verdict"].values.tolist() == ["no verdict", "supported"]


def test_controls_are_those_of_the_subject_s_sample_rate():
    gated = a_hypothesis(controls=(Control("good", low=3.0),))
    run = a_run({"a": ("encoder", "", SHARP)}, {"good": ("control", "", SHARP)})
    run["good"].attrs["sample_rate"] = 22_050
    assert evaluate(run, [gated])["a"]["remark"].item() == "control good was not measured"


def test_no_verdict_where_something_is_missing():
    run = a_run({"a": ("encoder", "", SHARP), "b": ("encoder", "", np.full(20, np.nan))})
    asked = [
        a_hypothesis(),
        a_hypothesis("deep", stage="latent"),
        a_hypothesis("other", evidence=lambda r, n, s: PerUnit(measured(r, n, "tiling", "gram", s))),
        a_hypothesis("narrow", evidence=lambda r, n, s: PerUnit(measured(r, n, "selectivity", "peak", s))),
    ]
    found = evaluate(run, asked)
    assert found["a"]["verdict"].values.tolist() == ["supported", *["no verdict"] * 3]
    assert found["a"]["remark"].values.tolist() == [
        "",
        "selectivity of a has no stage 'latent'",
        "tiling was not measured of a",
        "selectivity of a has no peak",
    ]
    assert found["b"]["remark"].values[0] == "selectivity of b has no value of quality at first_layer"


def test_baselines_are_judged_beside_the_encoder_and_controls_are_not():
    run = a_run(
        {
            "a": ("encoder", "", SHARP),
            "a.random0": ("baseline", "a", BLUNT),
            "a.random1": ("baseline", "a", BLUNT),
            "b": ("encoder", "", SHARP),
            "b.random0": ("baseline", "b", BLUNT),
            "good": ("control", "", SHARP),
        }
    )
    assert list(evaluate(run, [a_hypothesis()])) == ["a", "a.random0", "a.random1", "b", "b.random0"]
    assert baselines(run, "a") == ["a.random0", "a.random1"]
    assert baselines(run, "a.random0") == ["a.random1"]


def test_a_level_is_chosen_where_there_are_several():
    run = a_run({"a": ("encoder", "", SHARP)})
    quiet = run["a/selectivity"].to_dataset()
    several = xr.concat([quiet, 2 * quiet, 3 * quiet], "level").assign_coords(
        level_dbfs=("level", [-60.0, -25.0, 0.0])
    )
    run["a/selectivity"] = xr.DataTree(several)
    assert measured(run, "a", "selectivity", "quality", "first_layer").mean() == pytest.approx(8.0)


FAMILY = {"family": "mine"}


def test_correction_is_over_the_family_that_was_declared():
    run = a_run({"a": ("encoder", "", 1.0 + np.array([1.0, 2.0, 3.0, 2.0, 2.5, 1.5, 0.2]))})
    alone = evaluate(run, [a_hypothesis()])["a"]
    assert (alone["verdict"].item(), alone["family"].item(), alone["family_size"].item()) == (
        "supported", "sharp", 1,
    )  # fmt: skip
    missing = [a_hypothesis(f"other {i}", stage="latent", **FAMILY) for i in range(29)]
    among = evaluate(run, [a_hypothesis(**FAMILY), *missing])["a"]
    assert among["p_corrected"][0] == pytest.approx(30 * alone["p"].item())  # though no other was measured
    assert among["family_size"].values.tolist() == [30] * 30
    assert among["verdict"].values.tolist() == ["undecided"] + ["no verdict"] * 29
    unlike = evaluate(run, [a_hypothesis(), a_hypothesis("other", family="theirs")])["a"]
    assert (unlike["p_corrected"] == alone["p"].item()).all()
    with pytest.raises(InputError, match="'sharp': given twice"):
        evaluate(run, [a_hypothesis(), a_hypothesis()])


def test_a_claim_of_the_source_is_always_of_its_whole_family():
    one = HYPOTHESES[0]
    found = evaluate(a_run({"a": ("encoder", "", SHARP)}), [one])["a"]
    assert found["family_size"].item() == sum(h.family == one.family for h in HYPOTHESES) > 20


def perfect(n):
    """Bounded units that all lie at the end of their range."""
    return lambda run, node, stage: PerUnit(np.ones(n), (0, 1))


@pytest.mark.parametrize(
    ("units", "size", "verdict", "needs"),
    [
        (5, 1, "cannot be decided", "6 units"),  # 2 / 2^5 is 0.06
        (6, 1, "supported", ""),
        (9, 22, "cannot be decided", "10 units"),  # 22 * 2 / 2^9 is 0.09
        (10, 22, "supported", ""),
    ],
)
def test_what_cannot_reach_the_level_is_not_called_undecided(units, size, verdict, needs):
    asked = [a_hypothesis(f"claim {i}", stage="latent", **FAMILY) for i in range(size - 1)]
    asked.append(a_hypothesis(threshold=0.5, evidence=perfect(units), **FAMILY))
    found = evaluate(a_run({"a": ("encoder", "", SHARP)}), asked)["a"].isel(hypothesis=-1)
    assert (found["verdict"].item(), found["needs"].item()) == (verdict, needs)
    assert found["least_p"].item() == pytest.approx(size * 2 / 2**units)
    assert (f"{units} units cannot reach 0.05 in a family of {size}" in found["remark"].item()) == bool(needs)
    assert (found["least_p"].item() > 0.05) == bool(needs)


def test_units_of_unknown_range_may_be_unlike_all_that_were_measured():
    """One unit in ten may hold all there is; ten units miss it in 35 % of cases, and look alike."""
    alike = np.linspace(0.99, 1.01, 10)
    few = a_hypothesis(evidence=lambda r, n, s: PerUnit(alike), threshold=0.1)
    found = evaluate(a_run({"a": ("encoder", "", SHARP)}), [few])["a"]
    assert (found["verdict"].item(), found["needs"].item()) == ("cannot be decided", "36 units")
    assert found["p"].item() == pytest.approx(2 * 0.9**10)
    assert "unknown range" in found["remark"].item()
    ranged = a_hypothesis(evidence=lambda r, n, s: PerUnit(alike, (0, 1.1)), threshold=0.1)
    assert evaluate(a_run({"a": ("encoder", "", SHARP)}), [ranged])["a"]["verdict"].item() == "supported"
    with pytest.raises(InputError, match=r"bounds 0 to 1: values go from 0\.99 to 1\.01"):
        PerUnit(alike, (0, 1))


def test_as_many_units_as_an_undecided_claim_needs_would_decide_it():
    generator = np.random.default_rng(3)
    values = generator.normal(0.6, 0.5, 12)
    claim = a_hypothesis(threshold=0.5, evidence=lambda r, n, s: PerGroup(values))
    found = evaluate(a_run({"a": ("encoder", "", SHARP)}), [claim])["a"]
    assert found["verdict"].item() == "undecided"
    about, count, unit = found["needs"].item().split()
    assert (about, unit) == ("about", "groups")
    more = np.resize(values, int(count.replace(",", "")) // 12 * 12 + 12)  # the same effect and spread
    again = a_hypothesis(threshold=0.5, evidence=lambda r, n, s: PerGroup(more))
    assert evaluate(a_run({"a": ("encoder", "", SHARP)}), [again])["a"]["verdict"].item() != "undecided"
    on = a_hypothesis(threshold=float(values.mean()), evidence=lambda r, n, s: PerGroup(values))
    found = evaluate(a_run({"a": ("encoder", "", SHARP)}), [on])["a"]
    assert found["needs"].item() == "more than 10,000 groups (it lies on the threshold)"


def test_what_is_decided_needs_nothing():
    found = evaluate(a_run({"a": ("encoder", "", SHARP)}), [a_hypothesis()])["a"]
    assert found["needs"].item() == found["remark"].item() == ""


# --- admission ------------------------------------------------------------------------------------------


def test_a_claim_is_admitted_if_its_own_rule_gets_known_truth_right():
    truths = {"good": ("control", "", SHARP), "bad": ("control", "", BLUNT), "dim": ("control", "", BETWEEN)}
    run = a_run(truths)
    assert complaints(a_hypothesis(positive=("good",), negative=("bad",)), run) == []
    wrong = complaints(a_hypothesis(positive=("bad", "dim"), negative=("good", "none")), run)
    assert [text.split(":")[0] for text in wrong] == [
        "bad must be supported, and is refuted",
        "dim must be supported, and is undecided",
        "good must be refuted, and is supported",
        "none was not measured",
    ]
    few = a_hypothesis(positive=("good",), evidence=lambda r, n, s: PerUnit([5.0] * 4, (-5, 7)))
    assert "cannot be decided" in complaints(few, run)[0]
    deep = a_hypothesis(positive=("good",), group="tiling")
    assert complaints(deep, run) == ["tiling was not measured of good"]
    with pytest.raises(InputError, match="both positive and negative"):
        a_hypothesis(positive=("good",), negative=("good",))


@pytest.mark.parametrize(
    "wrong", [{"holds": "about"}, {"source_expects": "yes"}, {"holds": "within", "threshold": 0.0}]
)
def test_a_hypothesis_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError, match="hypothesis 'sharp'"):
        a_hypothesis(**wrong)


def test_evaluation_repeats():
    run = a_run({"a": ("encoder", "", BETWEEN)})
    one, other = evaluate(run, [a_hypothesis()])["a"], evaluate(run, [a_hypothesis()])["a"]
    xr.testing.assert_identical(one, other)


# --- evidence -------------------------------------------------------------------------------------------


def test_repeats_widen_the_interval_by_what_they_differ():
    units = np.linspace(0, 1, 30)
    alike = PerGroup(np.tile(units, (3, 1)))
    assert alike.interval() == pytest.approx(PerGroup(units).interval())  # units that are not skewed
    apart = PerGroup(units + np.array([[-2.0], [0.0], [2.0]]))
    assert apart.effect == pytest.approx(0.5)
    assert np.diff(apart.interval(0)) > 5 * np.diff(alike.interval(0))


def test_what_contexts_have_in_common_widens_the_interval():
    """Fifteen pairs of six contexts are six draws; as fifteen they would cover half as often."""
    generator, covered = np.random.default_rng(0), 0
    pairs = np.array([(i, j) for i in range(6) for j in range(i + 1, 6)])
    for draw in range(100):
        context = generator.normal(0, 0.1, 6)
        own = 0.5 + generator.normal(0, 0.02, (8, 1)) + context[pairs].sum(1)
        likeness = np.eye(8)[..., None] * own[:, None]
        low, high = Matching(likeness, pairs).interval(draw)
        covered += low <= 0.5 <= high
        assert Matching(likeness, pairs).of_units.effect == pytest.approx(Matching(likeness, pairs).effect)
    assert covered >= 90  # of 95, binomial 0.98


def test_things_that_overlap_with_all_others_are_one_draw_each():
    """Confusion is shared by two things: a mean over things is less sure than its values look."""
    generator, rejected = np.random.default_rng(0), 0
    for draw in range(200):
        trait = generator.normal(0, 0.1, 12)
        likeness = np.add.outer(trait, trait)
        np.fill_diagonal(likeness, 0.6)
        found = Matching(likeness[..., None]).of_units
        rejected += two_sided(*verdict_p(found, "above", 0.6, draw)) <= 0.05
    assert rejected <= 16  # of 10, binomial 0.975; were it forgotten, 60


def test_a_trend_is_a_slope_per_group():
    steps = np.array([0.0, 1.0, 2.0, 4.0])
    slopes = np.array([-1.0, -2.0, -1.5, 0.5])
    falling = Trend(np.array([[7.0], [3.0], [0.0], [1.0]]) + slopes[:, None] * steps, steps)
    assert falling.per_unit == pytest.approx(slopes)
    assert falling.tails(-0.5) == PerGroup(falling.per_unit).tails(-0.5)
    assert falling.interval() == PerGroup(falling.per_unit).interval()
    assert np.isnan(Trend([[1.0, 2.0]], [1.0, 1.0]).effect)  # there is no slope over nothing


def test_matching_is_what_a_thing_has_of_itself_beyond_others():
    likeness = np.array([[0.9, 0.1, 0.3], [0.2, 0.8, 0.0], [0.0, 0.3, 0.7]])
    matching = Matching(likeness[..., None])
    assert matching.effect == pytest.approx(0.8 - 0.15)
    assert matching.per_unit.mean() == pytest.approx(matching.effect)
    padded = np.full((4, 4, 2), np.nan)
    padded[:3, :3, 0] = likeness
    assert Matching(padded).effect == pytest.approx(matching.effect)


def test_matching_finds_what_is_there_and_knows_shared_places():
    generator = np.random.default_rng(0)
    noise = generator.random((8, 8, 6))
    pairs = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])
    nothing = Matching(noise, pairs)
    assert min(nothing.tails(0.0)) > 0.05
    assert Matching(noise + np.eye(8)[..., None], pairs).tails(0.0)[0] == 1 / 5000
    other = nothing.relabelled(0.0, generator)
    assert sorted(np.ravel(other.likeness)) == pytest.approx(sorted(np.ravel(nothing.likeness)))
    with pytest.raises(ValueError, match="threshold 0"):
        nothing.null(0.5, 0)


def test_a_place_s_names_change_together():
    """Were names dealt anew in every pair, three contexts that agree by chance would look like evidence."""
    names = np.array([[0, 1, 2, 3], [1, 0, 3, 2], [1, 0, 3, 2]])  # who is where, in three contexts
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    likeness = np.stack([(names[i][:, None] == names[j]).astype(float) for i, j in pairs], -1)
    drawn = Matching(likeness, pairs).null(0.0, 0)
    assert drawn.max() == pytest.approx(1.0)  # the names that make all three agree are among those drawn


def test_association_of_few_units_counts_all_orders():
    assert Association([1, 2, 3, 4], [1, 2, 3, 4]).tails(0.0) == (1 / 24, 1.0)
    assert least_p(Association([1, 2], [1, 2]), 4, "above", 0.0) == 2 / 24
    assert Association([1, 2, 3, np.nan], [3, 2, 1, 0]).effect == -1.0
    assert Association(np.arange(8), np.arange(8)).interval() == (1.0, 1.0)  # where BCa is undefined


KINDS = {
    "few units": lambda g: PerUnit(g.uniform(-1, 1, 9), (-1, 1)),
    "many units": lambda g: PerUnit(g.normal(size=60)),
    "groups": lambda g: PerGroup(g.normal(size=9)),
    "groups and repeats": lambda g: PerGroup(g.normal(size=(3, 9))),
    "slopes": lambda g: Trend(g.normal(size=(9, 5)), np.arange(5)),
    "matching": lambda g: Matching(g.random((9, 9, 3))),
    "association": lambda g: Association(g.normal(size=15), g.normal(size=15)),
}
REPEATS = 200


@pytest.mark.parametrize("kind", KINDS)
def test_false_positives_of_every_kind_of_evidence(kind):
    """Of 200 relabellings as many are rejected at 0.05 as the binomial 99 % interval allows."""
    from scipy.stats import binom

    generator = np.random.default_rng(1)
    evidence, rejected = KINDS[kind](generator), 0
    for _ in range(REPEATS):
        other = evidence.relabelled(0.0, generator)
        rejected += two_sided(*verdict_p(other, "above", 0.0)) <= 0.05
    low, high = binom.interval(0.99, REPEATS, 0.05)
    conservative = kind in ("few units", "many units", "groups and repeats")
    assert rejected <= high
    assert conservative or rejected >= low


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=10, unique=True),
    st.floats(-1e3, 1e3),
    st.floats(0.1, 10.0),
)
@settings(derandomize=True, deadline=None)
def test_p_values_keep_to_scale_and_mirror(values, threshold, gain):
    bounds = (min(values) - 1, max(values) + 1)
    for kind in (
        lambda sign: PerUnit(
            sign * gain * np.array(values),
            (min(sign * gain * end for end in bounds), max(sign * gain * end for end in bounds)),
        ),
        lambda sign: PerGroup(sign * gain * np.array(values)),
    ):
        plain = PerUnit(values, bounds) if isinstance(kind(1), PerUnit) else PerGroup(values)
        above, below = plain.tails(threshold, 0)
        assert kind(1).tails(gain * threshold, 0) == pytest.approx((above, below), abs=1e-6)
        assert kind(-1).tails(-gain * threshold, 0) == pytest.approx((below, above), abs=1e-6)
        assert above + below >= 1.0 - 1e-9
        low, high = plain.interval()
        assert low - 1e-9 <= plain.effect <= high + 1e-9
        p = two_sided(above, below)
        if abs(p - 0.05) > 1e-6 and bounds[0] <= threshold <= bounds[1]:  # p and interval are one thing
            assert (p < 0.05) == (threshold < low or threshold > high)


def test_no_units_no_p():
    for nothing in (PerUnit([]), Trend(np.full((2, 3), np.nan), [0, 1, 2]), Association([1, 2], [1, 2])):
        assert np.isnan(nothing.tails(0.0, 0)).all()
        assert np.isnan(nothing.effect)
    assert np.isnan(Matching(np.full((3, 3, 1), np.nan)).tails(0.0)).all()
    assert np.isnan(two_sided(np.nan, 0.1))


def test_evidence_may_be_missing():
    def never(run, node, stage):
        raise NoEvidence("the moon is not full")

    found = evaluate(a_run({"a": ("encoder", "", SHARP)}), [a_hypothesis(evidence=never)])["a"]
    assert found["remark"].item() == "the moon is not full"


# --- Holm -----------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(derandomize=True, deadline=None)
def test_holm_lies_between_no_correction_and_bonferroni_s_and_keeps_order(p):
    corrected = holm(p)
    assert (corrected >= np.array(p) - 1e-12).all()
    assert (corrected <= np.minimum(1, len(p) * np.array(p)) + 1e-12).all()
    assert (np.diff(corrected[np.argsort(p)]) >= -1e-12).all()


def test_holm_leaves_what_is_missing_out():
    assert holm([0.01, np.nan, 0.5]) == pytest.approx([0.02, np.nan, 0.5], nan_ok=True)
    assert holm([0.01, np.nan, 0.5], size=3) == pytest.approx([0.03, np.nan, 1.0], nan_ok=True)
