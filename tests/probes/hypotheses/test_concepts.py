"""Claims about features of dictionaries, on runs whose values are written down."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from tonotopy.probes.dictionaries.numbers import funnel
from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.hypotheses.admission import complaints
from tonotopy.probes.hypotheses.concepts import CONCEPT_CLAIMS, SINGH, surviving_shares
from tonotopy.probes.hypotheses.deciding import least_p, two_sided
from tonotopy.probes.hypotheses.evidence import PerUnit
from tonotopy.probes.hypotheses.excess import Excess, Ordering, Survival, Together, exact_interval
from tonotopy.probes.hypotheses.joint import Part
from tonotopy.probes.hypotheses.registry import HYPOTHESES
from tonotopy.probes.hypotheses.verdicts import evaluate
from tonotopy.probes.run.registry import schema
from tonotopy.synth.errors import InputError

BY_NAME = {h.name: h for h in CONCEPT_CLAIMS}
PLANTED = "control.planted_stream"
VARIANTS = np.array(["trained", "frozen decoder"])
FATES = np.array(["unused", "too_rare", "too_frequent", "surviving"])
FACTORS = {"family": 12, "texture": 2, "register": 3, "density": 3}
CLASSES = sum(FACTORS.values())


def about(stages, features):
    return {
        "stage": np.array([f"layer_{i}" for i in range(stages)]),
        "variant": VARIANTS,
        "feature": np.arange(features),
    }


def rates(n, features, generator, copies=False, low=0.011, high=0.249):
    """Of a number of features that are active on a share of all, no two alike; the others never are."""
    one = np.zeros(features)
    one[:n] = 0.1 if copies else generator.uniform(low, high, n)
    return one


def dictionaries(frames, clips=None, stages=4, features=1024, k=8, copies=False, seed=0):
    """A dictionary of which so many features survive, by the share of frames and by that of clips."""
    generator = np.random.default_rng(seed)
    clips = frames if clips is None else clips
    by = [
        np.stack([np.stack([rates(n, features, generator, copies)] * 2) for _ in range(stages)])
        for n in (frames, clips)
    ]
    return {
        **about(stages, features),
        "definition": np.array(["frames", "clips"]),
        "fate": FATES,
        "n_features": np.full(stages, features),
        "k": np.full(stages, k),
        "token_rate": by[0],
        "clip_rate": by[1],
        "funnel": np.stack([np.stack([[funnel(r) for r in s] for s in d]) for d in by], axis=2),
    }


def labels(kept, best=0.5, frozen=0.1, shuffled=0, stages=4, features=1024, by_layer=None, seed=0):
    """A dictionary of which so many features keep a label; the best of each class correlates so much."""
    generator = np.random.default_rng(seed)
    mcc = np.stack([np.full((stages, CLASSES), best), np.full((stages, CLASSES), frozen)], axis=1)
    by_factor = np.zeros((stages, 2, len(FACTORS)), int)
    by_factor[:, 0, 0] = kept if by_layer is None else by_layer
    kept = by_factor[:, :, 0]
    return {
        **about(stages, features),
        "factor": np.array(list(FACTORS)),
        "known_class": np.array([f"{factor}: {i}" for factor, n in FACTORS.items() for i in range(n)]),
        "class_factor": np.repeat(list(FACTORS), list(FACTORS.values())),
        "n_clips": np.full(stages, 480),
        "n_kept": kept,
        "n_kept_shuffled": np.full(stages, shuffled),
        "n_by_factor": by_factor,
        "mcc": np.clip(mcc + generator.normal(0, 0.05, mcc.shape), -1, 1),
    }


def steering(p, effect=1.0, means=0.5, names=None, directions=399):
    """So many features as have p, steered at one layer."""
    p = np.asarray(p, dtype=float)
    n = len(p)
    least = 1 / (1 + directions)
    names = [f"label {i // 3}" for i in range(n)] if names is None else names
    return {
        "stage": np.array(["layer_1"]),
        "steered": 1 + np.arange(n + 1),  # one place is left empty
        "p": np.append(p, np.nan)[None],
        "p_holm": np.append(np.minimum(1, p * n), np.nan)[None],
        "survives": np.append(p * n <= 0.05, False)[None],
        "effect": np.append(np.full(n, effect), np.nan)[None],
        "effect_means": np.append(np.full(n, means), np.nan)[None],
        "label": np.array([[*names, ""]]),
        "label_factor": np.array([["family"] * n + [""]]),
    }, {"n_steered": n, "least_p": least, "remark": "of 60 features one alone cannot survive"}


def subject(run, node, role="encoder", of="", baseline="", **groups):
    attributes = {
        "encoder": node.replace(".", ":", 1),
        "role": role,
        "of": of,
        "baseline": baseline,
        "sample_rate": 24_000,
        "modality": "waveform",
        "weights_source": "none" if role == "control" else "pretrained",
    }
    run[node] = xr.DataTree(xr.Dataset(attrs=attributes))
    for group, found in groups.items():
        variables, more = found if isinstance(found, tuple) else (found, {})
        run[f"{node}/{group}"] = xr.DataTree(dataset(schema()[group], variables, more))


def a_run(own, draws=(), permuted=None, node="model", run=None):
    """A model beside draws of random and of permuted weights: of each subject group -> variables."""
    run = xr.DataTree() if run is None else run
    subject(run, node, **own)
    for kind, several in (("random", draws), ("permuted", draws if permuted is None else permuted)):
        for i, groups in enumerate(several):
            subject(run, f"{node}.{kind}{i}", "baseline", node, kind, **groups)
    if PLANTED not in run.children:
        stages, features = 2, 24
        subject(
            run, PLANTED, "control", dictionaries=dictionaries(24, stages=stages, features=features, k=3),
            labels=labels(24, 1.0, 0.4, stages=stages, features=features), steering=steering([0.0025] * 12),
        )  # fmt: skip
    return run


def verdict(run, name, node="model"):
    return evaluate(run, [BY_NAME[name]])[node].isel(hypothesis=0)


def of_counts(own, *draws, group=dictionaries, **settings):
    """A run of one group by counts: the model's, and those of its draws."""
    name = group.__name__
    others = [{name: group(n, seed=1 + i, **settings)} for i, n in enumerate(draws)]
    return a_run({name: group(own, **settings)}, others)


def of_labels(own, *draws, best=0.5, theirs=0.2, **settings):
    others = [{"labels": labels(n, theirs, seed=1 + i, **settings)} for i, n in enumerate(draws)]
    return a_run({"labels": labels(own, best, **settings)}, others)


# --- all of them ----------------------------------------------------------------------------------------


def test_they_are_one_family_that_every_run_is_judged_by():
    assert {h.family for h in CONCEPT_CLAIMS} == {SINGH}
    assert set(CONCEPT_CLAIMS) == {h for h in HYPOTHESES if h.family == SINGH}
    assert all(h.controls and h.alternative for h in CONCEPT_CLAIMS)


@pytest.mark.parametrize("name", BY_NAME)
def test_no_verdict_without_the_control(name):
    run = of_counts(300, 100, 101, 102)
    del run[PLANTED]
    found = verdict(run, name)
    assert found["verdict"] == "no verdict"
    assert found["remark"].item()


def test_what_was_not_measured_is_named():
    run = a_run({})
    for name, hypothesis in BY_NAME.items():
        assert verdict(run, name)["remark"].item() == f"{hypothesis.group} was not measured of model"


# --- discovered -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "draws", "due"),
    [
        (300, (100, 104, 98), "supported"),
        (100, (300, 305, 299), "refuted"),
        (200, (200, 204, 198), "undecided"),
        (400, (50, 200, 350), "undecided"),  # within what draws differ by
        (340, (100, 200, 300), "undecided"),  # beyond all of them
        (12, (0, 0, 0), "undecided"),  # draws that do not differ prove little
        (300, (100, 104), "undecided"),  # of two draws the spread is hardly known
    ],
)
def test_survivors_beside_draws(own, draws, due):
    found = verdict(of_counts(own, *draws), "discovered_features")
    assert found["verdict"].item() == due
    assert found["n_units"] == len(draws)
    assert found["effect"] == pytest.approx((own - np.mean(draws)) / 1024 - 0.01, abs=1e-9)


def test_few_features_decide_little():
    assert verdict(of_counts(2, 0, 0, 0, features=2), "discovered_features")["verdict"] != "supported"
    assert verdict(of_counts(1, 0, 0, 0, features=24), "discovered_features")["verdict"] == "undecided"


def test_definitions_that_disagree_are_named():
    draws = [{"dictionaries": dictionaries(600 + i, 240 + i, seed=i)} for i in range(3)]
    found = verdict(a_run({"dictionaries": dictionaries(200, 400)}, draws), "discovered_features")
    assert found["verdict"] == "refuted"
    assert "by frames beside random weights -0.4" in found["method"].item()
    assert "by clips beside random weights +0.15" in found["method"].item()
    assert found["method"].item().endswith("they disagree")


def test_copies_of_a_feature_are_one():
    draws = [{"dictionaries": dictionaries(100 + i, seed=i)} for i in range(3)]
    copied = a_run({"dictionaries": dictionaries(300, copies=True)}, draws)
    assert surviving_shares(copied, "model") == {"frames": 1 / 1024, "clips": 1 / 1024}
    assert verdict(copied, "discovered_features")["verdict"] == "refuted"


def test_features_that_are_used_too_often_are_no_survivors():
    often = dictionaries(100)
    often["token_rate"][..., 100:900] = often["clip_rate"][..., 100:900] = 0.6
    run = a_run({"dictionaries": dictionaries(300)}, [{"dictionaries": often}] * 3)
    assert verdict(run, "discovered_features")["verdict"] == "supported"


def test_survivors_are_those_of_the_funnel_where_none_are_copies():
    run = of_counts(300, 100, 104, 98)
    fates = run["model/dictionaries"].to_dataset()["funnel"]
    counted = fates.sel(variant="trained", fate="surviving").mean("stage") / 1024
    assert list(surviving_shares(run, "model").values()) == counted.to_numpy().tolist()


@pytest.mark.parametrize(
    ("own", "draws", "permuted", "reason"),
    [
        ({}, 0, 0, "dictionaries of 0 models with random weights stand beside model: at least 2 are needed"),
        ({}, 1, 3, "dictionaries of 1 models with random weights"),
        ({}, 3, 0, "dictionaries of 0 models with permuted weights"),
        ({"features": 24}, 3, 3, "dictionaries of model and model.random0 are of other settings: 24"),
        ({"k": 32}, 3, 3, "n_features 1024; k 32"),
        ({"stages": 3}, 3, 3, "features at layer_0, layer_1, layer_2;"),
    ],
)  # fmt: skip
def test_baselines_must_be_there_and_of_the_same_settings(own, draws, permuted, reason):
    others = [{"dictionaries": dictionaries(20)}] * 3
    run = a_run({"dictionaries": dictionaries(24, **own)}, others[:draws], others[:permuted])
    found = verdict(run, "discovered_features")
    assert found["verdict"] == "no verdict"
    assert reason in found["remark"].item()


def test_a_control_without_weights_is_no_model_beside_random_ones():
    run = of_counts(300, 100, 104, 98)
    told = complaints(replace(BY_NAME["discovered_features"], positive=("control:planted_stream",)), run)
    assert told[0].endswith(f"; {PLANTED} has no weights to draw, so no random model stands beside it")


def test_discovered_features_are_admitted():
    """Positive and negative by the same rule, all in one run."""
    run = xr.DataTree()
    for node, own in (("better", 300), ("worse", 20), ("none", 0)):
        a_run(
            {"dictionaries": dictionaries(own)},
            [{"dictionaries": dictionaries(n, seed=n)} for n in (100, 104, 98)],
            node=node,
            run=run,
        )
    admitted = replace(BY_NAME["discovered_features"], positive=("better",), negative=("worse", "none"))
    assert complaints(admitted, run) == []


def test_random_models_are_judged_beside_the_others_of_their_kind():
    found = evaluate(of_counts(300, 100, 104, 98), [BY_NAME["discovered_features"]])
    assert found["model.random0"]["n_units"] == 2
    assert all(found[f"model.random{i}"]["verdict"] != "supported" for i in range(3))


# --- interpretable --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "draws", "changes", "due"),
    [
        (150, (8, 4, 6), {}, "supported"),
        (6, (8, 4, 6), {"theirs": 0.5}, "undecided"),  # as a random model, by three draws
        (6, (8, 4, 6, 5, 7), {"theirs": 0.5}, "refuted"),  # and by five
        (8, (150, 140, 155), {"best": 0.2, "theirs": 0.5}, "refuted"),
        (0, (0, 0, 0), {"best": 0.0, "theirs": 0.0}, "refuted"),  # no label at all
        (150, (20, 90, 160), {}, "undecided"),
        (150, (8, 4, 6), {"shuffled": 150}, "undecided"),  # as many labels by chance
        (150, (8, 4, 6), {"shuffled": 300}, "refuted"),
        (150, (8, 4, 6), {"frozen": 0.5}, "refuted"),  # a frozen decoder is as good
        (150, (8, 4, 6), {"theirs": 0.49}, "undecided"),  # copies of few features, none the better
        (150, (8, 4, 6, 5, 7), {"theirs": 0.49}, "refuted"),
        (23, (0, 0, 1), {"features": 24}, "supported"),
        (3, (0, 0, 1), {"features": 24}, "undecided"),
        (1, (0, 0, 0), {"features": 2}, "undecided"),
        (150, (8, 4, 6), {"stages": 1}, "supported"),
    ],
)
def test_labels_beside_draws(own, draws, changes, due):
    found = verdict(of_labels(own, *draws, **changes), "interpretable_features")
    assert found["verdict"].item() == due, found["method"].item()
    assert found["low"] <= found["effect"] <= found["high"]


def test_classes_that_draws_differ_by_decide_nothing():
    draws = [{"labels": labels(5, best, seed=i)} for i, best in enumerate((0.1, 0.3, 0.5))]
    assert (
        verdict(a_run({"labels": labels(150, 0.5)}, draws), "interpretable_features")["verdict"]
        == "undecided"
    )


def test_the_planted_dictionary_is_interpretable_and_its_like_without_truth_is_not():
    claim = BY_NAME["interpretable_features"]
    run = of_labels(150, 8, 4, 6)
    assert complaints(claim, run) == []
    for node, found in (
        ("control.shuffled", labels(1, 0.1, 0.4, 1, 2, 24)),
        ("control.frozen", labels(21, 0.4, 0.4, 0, 2, 24)),
    ):
        subject(run, node, "control", labels=found)
    assert complaints(replace(claim, negative=("control:shuffled", "control:frozen")), run) == []


def test_labels_of_dictionaries_of_other_sizes_are_not_compared():
    others = [{"labels": labels(5, seed=i)} for i in range(3)]
    found = verdict(a_run({"labels": labels(24, 0.9, features=24)}, others), "interpretable_features")
    assert "of other settings: 24 features" in found["remark"].item()


# --- steering -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "names", "due"),
    [
        ([0.0025] * 12, None, "supported"),  # four labels of three features
        ([0.0025] * 12, ["organ"] * 12, "cannot be decided"),  # one label twelve times
        ([0.0025] * 2 + [0.5] * 10, None, "undecided"),
        ([0.5] * 12, None, "undecided"),  # twelve are too few to refute 5 %
        ([0.04] * 12, None, "undecided"),  # chance alone, shared by all, would do that in one of 20 runs
    ],
)
def test_steering_beside_chance(p, names, due):
    found = verdict(a_run({"steering": steering(p, names=names)}), "steering_features")
    assert found["verdict"].item() == due
    assert found["effect"] == pytest.approx(np.mean(np.array(p) <= 0.05))


def test_many_labels_that_steer_nothing_refute():
    names = [f"label {i}" for i in range(150)]
    found = verdict(
        a_run({"steering": steering([0.5] * 150, names=names, directions=2999)}), "steering_features"
    )
    assert found["verdict"] == "refuted"
    strict = verdict(  # as many could not be shown by correction, and are there without
        a_run({"steering": steering([0.01] * 150, names=names, directions=2999)}), "steering_features"
    )
    assert strict["verdict"] == "undecided"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (steering([0.05] * 12, directions=19), "fewer than 399 random directions (least p 0.05)"),
        (steering([0.0025] * 60), "steering of model: of 60 features one alone cannot survive"),
        (steering([]), "steering of model: of 60"),
    ],
)
def test_steering_that_cannot_be_ranked_has_no_verdict(found, reason):
    told = verdict(a_run({"steering": found}), "steering_features")
    assert told["verdict"] == "no verdict"
    assert reason in told["remark"].item()


@pytest.mark.parametrize(
    ("effect", "means", "due"),
    [(1.0, 0.5, "supported"), (0.5, 1.0, "refuted"), (0.5, 0.5, "undecided")],
)
def test_the_rival_is_the_difference_of_means(effect, means, due):
    names = [f"label {i}" for i in range(12)]
    run = a_run({"steering": steering([0.0025] * 12, effect, means, names)})
    found = verdict(run, "steering_beyond_means")
    assert found["verdict"].item() == due
    few = verdict(a_run({"steering": steering([0.0025] * 12, effect, means)}), "steering_beyond_means")
    assert (few["verdict"].item(), few["needs"].item()) == ("cannot be decided", "8 labels")
    assert verdict(run, "steering_features")["verdict"] == "supported"


def test_steering_controls_gate_both():
    run = a_run({"steering": steering([0.0025] * 12)})
    subject(run, PLANTED, "control", steering=steering([0.5] * 12))
    for name in ("steering_features", "steering_beyond_means"):
        assert "a control fails: control:planted_stream 0" in verdict(run, name)["remark"].item()


# --- depth ----------------------------------------------------------------------------------------------


def of_layers(counts):
    return a_run({"labels": labels(0, by_layer=counts, stages=len(counts))})


@pytest.mark.parametrize(
    ("counts", "due", "needs"),
    [
        ([10, 40, 90, 160], "cannot be decided", "6 layers"),
        ([160, 90, 40, 10], "cannot be decided", "6 layers"),
        ([10, 40, 90, 160, 250, 350, 460, 600], "supported", ""),
        ([600, 460, 350, 250, 160, 90, 40, 10], "supported", ""),
        ([10, 200, 15, 190, 20, 180, 25, 170], "undecided", None),
        ([90, 40, 350, 10, 600, 160, 460, 250], "undecided", None),
    ],
)
def test_depth_orders_layers_or_cannot_be_decided(counts, due, needs):
    found = verdict(of_layers(counts), "depth_orders_features")
    assert found["verdict"].item() == due
    assert found["n_units"] == len(counts)
    if needs is not None:
        assert found["needs"].item() == needs


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([10], "labels of model were made at layer_0: an order needs 3 layers"),
        ([0, 0, 0, 0], "no label of model holds on other clips, at any layer"),
    ],
)
def test_depth_needs_layers_and_labels(counts, reason):
    assert verdict(of_layers(counts), "depth_orders_features")["remark"].item() == reason


def test_depth_is_that_of_the_layers_names():
    run = of_layers([10, 600, 90, 460, 250, 350, 160, 40])
    order = np.argsort([10, 600, 90, 460, 250, 350, 160, 40])
    found = run["model/labels"].to_dataset()
    names = np.empty(8, "U7")
    names[order] = [f"layer_{i}" for i in range(8)]
    run["model/labels"] = xr.DataTree(found.assign_coords(stage=names))
    assert verdict(run, "depth_orders_features")["effect"] > 0.9


# --- kinds of evidence ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spread", "n", "trials"), [(0.05, 3, 1024), (0.0, 3, 24), (0.02, 2, 200), (0.05, 5, 64)]
)
def test_a_model_that_is_one_more_draw_is_seldom_set_apart(spread, n, trials):
    generator, rejected = np.random.default_rng(0), 0
    for _ in range(300):
        chance = np.clip(generator.normal(0.2, spread, n + 1), 0, 1)
        shares = generator.binomial(trials, chance) / trials
        rejected += two_sided(*Excess(shares[0], shares[1:], trials).tails(0.0)) <= 0.05
    assert rejected <= 0.05 * 300 + 2 * np.sqrt(300 * 0.05 * 0.95)


def test_tails_are_those_of_the_interval():
    one = Excess(0.3, [0.1, 0.15, 0.12], 500)
    for level in (0.8, 0.95, 0.99):
        low, high = one.interval(level=level)
        assert one.tails(low)[0] == pytest.approx((1 - level) / 2, abs=1e-6)
        assert one.tails(high)[1] == pytest.approx((1 - level) / 2, abs=1e-6)


def test_exact_intervals_are_those_of_scipy():
    from scipy.stats import binomtest

    for there, trials in ((0, 12), (3, 12), (12, 12), (1, 1024)):
        expected = binomtest(there, trials).proportion_ci(0.9, "exact")
        assert exact_interval(there / trials, trials, 0.9) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("shares", [(1.2, [0.1]), (0.1, []), (0.1, [np.nan])])
def test_shares_are_shares(shares):
    with pytest.raises(InputError, match="from 0 to 1"):
        Excess(*shares, 24)


def test_what_is_clearest_reaches_less_with_more_draws():
    both = Together(
        (Part(Excess(0.2, [0.1] * 3, 24), "above", 0.01), Part(PerUnit([0.5] * 9, (0, 1)), "above", 0.1)),
        ("a", "b"),
    )
    assert both.n_units == 3
    assert least_p(both, 3, "above", 0.0) < 0.01
    assert all(isinstance(one, Together) for one in both.clearest(3))


def test_layers_in_any_order_are_seldom_called_ordered():
    generator = np.random.default_rng(0)
    ordered = Ordering(np.arange(6), np.abs(np.subtract.outer(np.arange(6), np.arange(6))))
    p = [two_sided(*ordered.relabelled(0.0, generator).tails(0.0)) for _ in range(200)]
    assert np.mean(np.array(p) <= 0.05) <= 0.08
    with pytest.raises(ValueError, match="threshold 0"):
        ordered.tails(0.1)
    alike = Ordering(np.arange(4), np.zeros((4, 4)))
    assert np.isnan([*alike.tails(0.0), *alike.interval()]).all()


def test_survivors_by_chance_are_seldom_called_so():
    generator = np.random.default_rng(0)
    none = Survival(np.zeros(12), 1.0)
    p = [two_sided(*none.relabelled(0.05, generator).tails(0.05)) for _ in range(200)]
    assert np.mean(np.array(p) <= 0.05) <= 0.08


def test_features_that_pass_or_fail_as_one_are_seldom_called_survivors():
    """All p alike: the share is 0 or 1."""
    p = np.random.default_rng(0).random(2000)
    above = [Survival(np.full(6, one <= 0.05), min(1.0, 6 * one)).tails(0.05)[0] for one in p]
    assert 0.002 < np.mean(np.array(above) <= 0.005) <= 0.05 / 6 + 0.005
