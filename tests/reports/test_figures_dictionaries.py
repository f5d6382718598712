"""The chapters of dictionaries: figures, sentences, tables and players, of made-up results of any kind."""

from __future__ import annotations

import base64
import io
import re
import wave

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PolyCollection
from matplotlib.patches import StepPatch

from tonotopy.probes.dictionaries.steering_table import TESTED
from tonotopy.probes.dictionaries.variables import VARIABLES
from tonotopy.probes.engine.schema import SCHEMA_VERSION
from tonotopy.probes.run.schema import validate_probe
from tonotopy.reports import figures, report
from tonotopy.reports.chapters import CHAPTERS
from tonotopy.reports.dictionary_audio import HIGHEST_RATE_HZ, feature_clips, steered_clips
from tonotopy.reports.figures.dictionaries.examples import feature_title
from tonotopy.reports.figures.dictionaries.explained import components_beside
from tonotopy.reports.figures.panels import MOST_STAGES, drawn_stages
from tonotopy.reports.numbers import table_of
from tonotopy.reports.runs import Subject, encoders_of

from ..reports import dictionaries as made_up
from ..reports import questions
from .illustrated import row_of
from .test_figures_latents import assert_whole, lines

LAYERS = made_up.LAYERS
MANY = tuple(f"layer_{i}" for i in range(24))


def beside(of, **values) -> dict[str, list[xr.Dataset]]:
    """Two networks of random weights and one of permuted weights."""
    return {"random": [of(**values), of(**values)], "permuted": [of(**values)]}


def subject(probes=None, random=None, permuted=None) -> Subject:
    """An encoder with what probes found, and its baselines."""
    children = {"toy": questions.subject(probes or {}, "toy")}
    for kind, each in (("random", random or []), ("permuted", permuted or [])):
        for i, found in enumerate(each):
            children[f"toy.{kind}{i}"] = questions.subject(found, "toy", "baseline", "toy", kind)
    return encoders_of(run_of(children))[0]


def run_of(children) -> xr.DataTree:
    attributes = {
        "schema_version": SCHEMA_VERSION, "created_at": "2026-01-01T00:00:00+00:00",
        "versions": '{"numpy": "2"}', "device": "cpu", "precision": "float32", "seed": 0, "command": "probe",
    }  # fmt: skip
    return xr.DataTree(xr.Dataset(attrs=attributes), children=children)


def findings(probe, **subjects) -> list[str]:
    return list(CHAPTERS[probe].findings(subject(**subjects)))


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("probe", ["dictionaries", "labels", "steering"])
def test_what_is_made_up_holds_what_the_schema_has_and_nothing_else(probe):
    found = getattr(made_up, probe)()
    validate_probe(f"toy/{probe}", VARIABLES[probe], found)
    missing = set(VARIABLES[probe]) - set(found.variables)
    assert all(name.startswith("other_") for name in missing)  # of labelers beside known truth


# figures


def test_the_funnel_is_the_data():
    drawn = figures.feature_funnel(made_up.dictionaries(), beside(made_up.dictionaries, surviving=40), "toy")
    assert_whole(drawn)
    by_frames, by_clips = drawn.figure.axes[:2]
    assert texts(by_frames) == ["20", "20", "40", "40"]
    assert texts(by_clips) == ["10", "10", "20", "20"]
    assert [t.get_text() for t in by_frames.get_yticklabels()] == [
        "trained", "frozen decoder", "random weights", "permuted weights",
    ]  # fmt: skip
    widths = np.array([patch.get_width() for patch in by_frames.patches]).reshape(4, 4).T
    assert widths.sum(1) == pytest.approx(100)
    assert widths[:, 0] == pytest.approx([20 / 0.64, 20 / 0.64, 40 / 0.64, 40 / 0.64])
    for dictionary, surviving, networks in (
        ("trained", 20, 1),
        ("frozen decoder", 20, 1),
        ("random weights", 40, 2),
    ):
        row = row_of(drawn.data, stage="layer_1", by="frames", dictionary=dictionary)
        assert row[["surviving", "networks"]].tolist() == [surviving, networks]
    assert by_frames.get_xlabel() == ""
    assert drawn.figure.axes[-1].get_xlabel() == "share of features (%)"
    alone = figures.dictionary_funnel(made_up.dictionaries(), stage="layer_1")
    assert texts(alone) == ["20", "20"]


def test_a_dictionary_stands_at_its_k_beside_components():
    found = made_up.dictionaries(explained=0.995, components=0.96)
    drawn = figures.explained_variance(found, beside(made_up.dictionaries, recovered=np.nan), "toy")
    assert_whole(drawn)
    curves = lines(drawn.figure.axes[0])
    assert curves["dictionary, trained"] == pytest.approx(np.array([[8, 0.005]]))
    at_k = curves["components, trained"][:, 0] == 8
    assert curves["components, trained"][at_k, 1] == pytest.approx(0.04)
    columns = ["components or features kept", "explained variance", "recovered of what zeros cost"]
    own = row_of(drawn.data, stage="layer_1", what="dictionary, trained")[columns]
    assert own.tolist() == pytest.approx([8, 0.995, 0.999])
    components = drawn.data[
        (drawn.data["stage"] == "layer_1") & (drawn.data["what"] == "components, trained")
    ]
    assert row_of(components, components_or_features_kept=8)["explained variance"] == pytest.approx(0.96)
    assert "says little alone" in drawn.title
    undefined = [text for axes in drawn.figure.axes for text in texts(axes)]
    assert undefined.count("undefined: random weights") == 4  # two stages, two ablations
    assert not any("trained" in text for text in undefined)


@pytest.mark.parametrize(("k", "ranks"), [(8, [8]), (5, [4, 8]), (300, [128])])
def test_components_that_were_not_measured_are_not_made_up(k, ranks):
    one = made_up.dictionaries(k=k).isel(stage=0)
    assert list(components_beside(one)) == ranks


@pytest.mark.parametrize("explained", [1.0, 0.0, -0.5, np.nan])
def test_explained_variance_of_any_size_is_drawn(explained):
    assert_whole(figures.explained_variance(made_up.dictionaries(explained=explained), {}, "toy"))


def test_an_encoder_without_codes_has_no_recovered_cross_entropy():
    drawn = figures.explained_variance(made_up.dictionaries(("latent",), with_codes=False), {}, "toy")
    assert_whole(drawn)
    assert "ecovered" not in drawn.reading + drawn.alt


def test_label_counts_are_the_data():
    found, others = made_up.labels(kept=9, frozen=2, shuffled=1), beside(made_up.labels, kept=0)
    drawn = figures.label_counts(found, others, "toy")
    assert_whole(drawn)
    expected = {
        "trained": 9, "frozen decoder": 2, "random weights": 0, "permuted weights": 0, "shuffled truths": 1
    }  # fmt: skip
    for dictionary, kept in expected.items():
        assert row_of(drawn.data, stage="layer_1", dictionary=dictionary, network=1)["kept"] == kept
    markers = {
        (line.get_marker(), *line.get_xydata()[0].tolist())
        for line in drawn.figure.axes[0].get_lines()
        if len(line.get_xydata()) == 1
    }
    assert {("o", 9, 0), ("|", 12, 0), ("s", 2, -1), ("x", 1, -4)} <= markers


@pytest.mark.parametrize("kept", [0, 1, 9, 64])
def test_labels_of_any_number_are_drawn(kept):
    found = made_up.labels(kept=kept)
    by_factor = figures.labels_by_factor(found, beside(made_up.labels, kept=1), "toy")
    for drawn in (figures.label_counts(found, {}, "toy"), by_factor):
        assert_whole(drawn)
    if kept == 9:
        where = {"stage": "layer_1", "dictionary": "trained"}
        numbers = [row_of(by_factor.data, factor=f, **where)["features"] for f in made_up.FACTORS]
        assert numbers == [5, 3, 1]
    trained = by_factor.data[by_factor.data["dictionary"] == "trained"]
    assert (trained["features"].sum() == 0) == (kept == 0)


@pytest.mark.parametrize("told", [1, 7])
def test_classes_that_were_measured_are_drawn_beside_chance(told):
    found = made_up.labels(told=told)
    drawn = figures.class_recovery(found, "layer_1", beside(made_up.labels, told=told), "toy")
    assert_whole(drawn)
    for axes, chance in zip(drawn.figure.axes, (0.21, 0.01), strict=True):
        assert lines(axes)["chance: shuffled truths, mean"][:, 0] == pytest.approx(chance)
    names = [tick.get_text() for tick in drawn.figure.axes[0].get_yticklabels()]
    assert names == found["known_class"].values[:told].tolist()
    assert len(lines(drawn.figure.axes[0])["trained"]) == told
    assert lines(drawn.figure.axes[0])["trained"][0] == pytest.approx([0.9, 0.35 - 0.0875])
    assert f"{told} class{'es' * (told > 1)} at layer_1" in drawn.alt
    own = row_of(drawn.data, dictionary="trained", **{"class": "family: organ"})
    assert own["Matthews correlation"] == pytest.approx(0.85)
    chance = row_of(drawn.data, dictionary="shuffled truths", **{"class": "all, mean"})
    assert chance[["F1", "Matthews correlation"]].tolist() == pytest.approx([0.21, 0.01])


def test_of_too_many_classes_the_best_are_drawn():
    found = made_up.labels(told=60, factors={"program": [f"p{i}" for i in range(70)]})
    drawn = figures.class_recovery(found, "layer_1", {}, "toy")
    assert_whole(drawn)
    assert "12 classes of lower correlation not drawn" in drawn.reading
    names = [tick.get_text() for tick in drawn.figure.axes[0].get_yticklabels()]
    assert names == [f"program: p{i}" for i in range(48)]


@pytest.mark.parametrize("shown", [1, 12])
def test_features_are_drawn_over_the_clips_that_excite_them(shown):
    found = made_up.labels(kept=20, shown=shown)
    drawn = figures.feature_examples(found, "layer_1", "toy")
    assert_whole(drawn)
    (axes,) = drawn.figure.axes
    patches = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    assert len(patches) == 2 * 3 * shown
    filled = patches[0]
    firing = found["example_firing"].sel(stage="layer_1", shown=1)
    heights, edges, base = filled.get_data()
    assert heights - base == pytest.approx(firing.sel(example=1).values / float(firing.max()), abs=1e-6)
    assert edges[-1] == pytest.approx(made_up.FRAMES * made_up.HOP / made_up.RATE)
    waveforms = [one for one in axes.collections if isinstance(one, PolyCollection)]
    assert len(waveforms) == 3 * shown
    assert texts(axes)[0] == "0: family organ – AUC 0.99 (0.94 to 1.00), by chance 0.71"
    first = drawn.data.iloc[0]
    assert first[["label", "measure"]].tolist() == ["family organ", "AUC"]
    assert first[["score", "low (95 %)", "by chance"]].tolist() == pytest.approx([0.99, 0.94, 0.71])


def test_a_title_leaves_out_an_interval_that_is_not_there():
    found = made_up.labels().isel(stage=0)
    found["score_low"][:] = np.nan
    assert feature_title(found, 1) == "1: family reed – AUC 0.97, by chance 0.71"


def test_a_long_label_is_cut():
    found = made_up.labels(told=1, factors={"family": ["chromatic percussion of the southern hemisphere"]})
    title = feature_title(found.isel(stage=0), 1)
    assert len(title) == 80
    assert title.startswith("1: family chromatic percussion")
    assert title.endswith("… – AUC 0.97 (0.92 to 1.00), by chance 0.71")


@pytest.mark.parametrize(
    ("given", "kept", "said"),
    [(0, 0, ""), (1, 0, "Of 1 label by ear none holds."), (1, 1, "Of 1 label by ear 1 holds."),
     (5, 3, "Of 5 labels by ear 3 hold.")],
)  # fmt: skip
def test_labels_of_other_labelers_are_counted(given, kept, said):
    found = made_up.labels(("layer_1",), told=0).drop_dims("labeler").assign_coords(labeler=["ear"])
    there = np.arange(found.sizes["feature"])
    dims = ("stage", "labeler", "feature")
    found["other_label"] = dims, np.where(there < given, "bell", "")[None, None]
    found["other_is_kept"] = dims, (there < kept)[None, None]
    (sentence,) = findings("labels", probes={"labels": found})
    assert sentence.endswith(said or "onset rate 1.")


def test_steering_is_drawn_beside_its_rivals():
    found = made_up.steering(steered=3, survive=2)
    drawn = figures.steering_doses(found, "layer_1", "toy")
    assert_whole(drawn)
    assert [axes.get_title(loc="left") for axes in drawn.figure.axes[:3]] == [
        "10: register low", "11: register high", "12: level loud",
    ]  # fmt: skip
    first = drawn.figure.axes[0]
    assert first.get_ylabel() == "centroid (octaves)"
    assert lines(first)["difference of means"][-1] == pytest.approx([8, -1.6])
    random = found["change_random"].sel(stage="layer_1", descriptor="centroid").values
    band = lines(first)["random directions"]
    assert band[:, 0].tolist() == [TESTED, TESTED]
    assert band[:, 1] == pytest.approx(np.quantile(random, [0.025, 0.975]))
    steers = drawn.data.groupby("feature")["steers"].first()
    assert (steers == "yes").sum() == 2
    tested = drawn.data[(drawn.data["feature"] == 10) & (drawn.data["dose"] == TESTED)].iloc[0]
    low, high = np.quantile(random, [0.025, 0.975])
    assert tested["random directions, low (95 %)"] == pytest.approx(low)
    assert tested["random directions, high (95 %)"] == pytest.approx(high)
    assert tested["norm of the stream"] == pytest.approx(float(found["stream_norm"].sel(stage="layer_1")))


@pytest.mark.parametrize(("steered", "survive"), [(1, 0), (1, 1), (4, 4)])
def test_features_that_steer_are_in_the_data(steered, survive):
    found = made_up.steering(("layer_1",), steered=steered, survive=survive)
    drawn = figures.steering_effects(found, "toy")
    assert_whole(drawn)
    assert texts(drawn.figure.axes[0]) == ["layer_1"]
    features = drawn.data[drawn.data["feature"].notna()]
    numbers = ["effect", "effect of difference of means", "p", "p, corrected", "cost (nats)"]
    assert features.iloc[0][numbers].tolist() == pytest.approx(
        [1, 0.8, 0.01, 0.04, 0.2] if survive else [0.05, -0.15, 0.4, 1, 0.2], abs=0.005
    )
    assert features["units"].iloc[0] == "octaves"
    assert len(features) == steered
    assert (features["steers"] == "yes").sum() == survive
    random = row_of(drawn.data, label="random directions")["cost (nats)"]
    assert random == pytest.approx(0.1)
    assert_whole(figures.steering_doses(found, "layer_1", "toy"))


def test_a_large_model_is_drawn_at_some_stages():
    found = made_up.dictionaries(MANY)
    chosen = drawn_stages(found)
    assert len(chosen) == MOST_STAGES
    assert (chosen[0], chosen[-1]) == (MANY[0], MANY[-1])
    drawn = figures.feature_funnel(found, {}, "toy")
    assert_whole(drawn)
    assert "18 more stages are in the tables only" in drawn.reading
    assert "more stage" not in figures.feature_funnel(made_up.dictionaries(), {}, "toy").reading


# sentences


def test_the_first_screen_tells_features_meaning_and_steering():
    probes = {
        "dictionaries": made_up.dictionaries(), "labels": made_up.labels(kept=9),
        "steering": made_up.steering(("layer_1",), steered=3, survive=2, directions=399),
    }  # fmt: skip
    random = [{"labels": made_up.labels(kept=k)} for k in (0, 2)]
    opening = findings("dictionaries", probes=probes, random=random)[0]
    assert opening == (
        "There are 64 features at each of layer_1 and layer_3. Of these mean something: 9 at layer_1 (random "
        "weights 0 to 2); 9 at layer_3 (random weights 0 to 2). Of 3 that were steered by 2 steer; "
        "difference of means steers for 3."
    )


@pytest.mark.parametrize(
    ("steered", "survive", "rivals", "said"),
    [
        (1, 0, 0, "Of 1 that was steered by none steers; difference of means steers for none."),
        (1, 1, 1, "Of 1 that was steered by 1 steers; difference of means steers for 1."),
        (4, 0, 4, "Of 4 that were steered by none steers; difference of means steers for 4."),
        (4, 4, 0, "Of 4 that were steered by 4 steer; difference of means steers for none."),
    ],
)
def test_the_first_screen_tells_how_many_steer(steered, survive, rivals, said):
    steering = made_up.steering(("layer_1",), steered, survive, rivals, directions=399)
    probes = {"dictionaries": made_up.dictionaries(("layer_1",)), "steering": steering}
    opening = findings("dictionaries", probes=probes)[0]
    assert opening == f"There are 64 features at layer_1. {said}"


def test_what_was_not_measured_is_not_on_the_first_screen():
    only = {"dictionaries": made_up.dictionaries(("layer_1",))}
    assert findings("dictionaries", probes=only)[0] == "There are 64 features at layer_1."
    none = made_up.steering(("layer_1",), steered=0)
    assert (
        findings("dictionaries", probes={**only, "steering": none})[0] == "There are 64 features at layer_1."
    )
    assert findings("dictionaries") == findings("labels") == findings("steering") == []


def test_dictionaries_of_several_sizes_are_counted_stage_by_stage():
    found = made_up.dictionaries()
    found["n_features"][:] = [64, 1]
    opening = findings("dictionaries", probes={"dictionaries": found})[0]
    assert opening == "There are 64 features at layer_1 and 1 feature at layer_3."


@pytest.mark.parametrize(
    ("surviving", "said"),
    [
        (0, "0 of 64 features (0 %) are active on 1 to 25 % of frames, 0 (0 %) on"),
        (1, "1 of 64 features (2 %) is active on 1 to 25 % of frames, 0 (0 %) on"),
        (64, "64 of 64 features (100 %) are active on 1 to 25 % of frames, 32 (50 %) on"),
    ],
)
def test_a_sentence_counts_what_survives(surviving, said):
    found = made_up.dictionaries(("layer_1",), surviving=surviving)
    assert findings("dictionaries", probes={"dictionaries": found})[1].startswith(f"layer_1: {said}")


def test_explained_variance_stands_beside_components_and_random_weights():
    found = made_up.dictionaries(("layer_1",), k=5)
    random = [{"dictionaries": made_up.dictionaries(("layer_1",), explained=e)} for e in (0.991, 0.993)]
    said = findings("dictionaries", probes={"dictionaries": found}, random=random)[1]
    components = [float(found["components_variance"].sel(rank=rank)[0]) for rank in (4, 8)]
    assert (
        f"explains 0.995 of the variance; 4 principal components {components[0]:.3f}, 8 principal components "
        f"{components[1]:.3f}, frozen decoder 0.895 and random weights 0.991 to 0.993."
    ) in said


@pytest.mark.parametrize(("zero", "mean"), [(0.9, 0.9), (np.nan, 0.9), (np.nan, np.nan)])
def test_recovered_cross_entropy_that_is_undefined_is_said(zero, mean):
    found = made_up.dictionaries(("layer_1",))
    found["recovered"][:] = [[zero, mean]] * 2
    said = findings("dictionaries", probes={"dictionaries": found})[1]
    names = [name for name, value in (("zeros", zero), ("means", mean)) if np.isnan(value)]
    assert ("undefined" in said) == bool(names)
    assert f"undefined for {' and '.join(names)}, which" in said or not names
    assert "nan" not in said


@pytest.mark.parametrize(("seeds", "is_said"), [(0.7, False), (0.303, True), (0.1, True), (np.nan, False)])
def test_features_that_match_no_better_than_random_ones_are_cautioned_against(seeds, is_said):
    said = findings("dictionaries", probes={"dictionaries": made_up.dictionaries(seeds=seeds)})[1]
    assert ("no better than random directions" in said) == is_said


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (0, "no features have a label that holds on clips that it was not made from; beside it"),
        (1, "1 feature has a label that holds on clips that it was not made from; beside it"),
        (9, "9 features have a label that holds on clips that it was not made from; beside it"),
    ],
)
def test_a_sentence_counts_labels(kept, said):
    found = made_up.labels(("layer_1",), kept=kept, frozen=0)
    (sentence,) = findings("labels", probes={"labels": found})
    assert sentence.startswith(f"layer_1: {said} frozen decoder 0 and shuffled truths 0.")
    assert ("factor" in sentence) == (kept > 0)
    assert "no more than" not in sentence


@pytest.mark.parametrize(
    ("frozen", "random", "shuffled", "said"),
    [
        (2, (0, 3), 0, ""),
        (9, (0, 3), 0, "That is no more than with frozen decoder."),
        (2, (0, 9), 0, "That is no more than with random weights."),
        (9, (3, 12), 0, "That is no more than with frozen decoder and random weights."),
        (2, (0, 0), 10, "That is no more than with shuffled truths."),
    ],
)
def test_labels_that_are_no_more_than_those_beside_are_said_to_be(frozen, random, shuffled, said):
    found = made_up.labels(("layer_1",), kept=9, frozen=frozen, shuffled=shuffled)
    several = [{"labels": made_up.labels(("layer_1",), kept=kept)} for kept in random]
    (sentence,) = findings("labels", probes={"labels": found}, random=several)
    low, high = random
    assert f"random weights {low if low == high else f'{low} to {high}'} and shuffled truths" in sentence
    assert (said or "no more than") in sentence if said else "no more than" not in sentence


@pytest.mark.parametrize(
    ("kept", "factors", "said"),
    [
        (1, made_up.FACTORS, "By factor: family 1."),
        (5, made_up.FACTORS, "By factor: family 4, register 1."),
        (8, dict.fromkeys("abcd", ()), "Most by factor: a 2, b 2, c 2."),
    ],
)
def test_a_sentence_names_the_factors_with_most_labels(kept, factors, said):
    found = made_up.labels(("layer_1",), kept=kept, factors=factors, told=0)
    (sentence,) = findings("labels", probes={"labels": found})
    assert sentence.endswith(said)


@pytest.mark.parametrize(
    ("steered", "survive", "rivals", "beats", "said"),
    [
        (4, 0, 0, 0, "Of 4 features that were steered by, none changes its target as its label says, beyond "
         "399 random directions of the same norm (corrected p at most 0.05); difference of means does for "
         "none. None does more than difference of means."),
        (4, 1, 4, 1, "1 changes its target as its label says, beyond 399 random directions of the same norm "
         "(corrected p at most 0.05); difference of means does for all. 1 does more than"),
        (4, 3, 2, 3, "3 change their target as their label says, beyond 399 random directions of the same "
         "norm (corrected p at most 0.05); difference of means does for 2. 3 do more than"),
        (4, 4, 1, 4, "all change their target as their label says, beyond 399 random directions of the same "
         "norm (corrected p at most 0.05); difference of means does for 1. All do more than"),
        (1, 1, 0, 1, "The one feature that was steered by changes its target as its label says, beyond 399 "
         "random directions of the same norm (corrected p at most 0.05); difference of means does not. The "
         "feature does more than difference of means."),
        (1, 0, 1, 0, "The one feature that was steered by does not change its target as its label says, "
         "beyond 399 random directions of the same norm (corrected p at most 0.05); difference of means "
         "does. The feature does no more than difference of means."),
    ],
)  # fmt: skip
def test_sentences_tell_how_many_steer(steered, survive, rivals, beats, said):
    found = made_up.steering(("layer_1",), steered, survive, rivals, beats, directions=399)
    (sentence,) = findings("steering", probes={"steering": found})
    assert said in sentence


def test_several_stages_are_told_apart():
    found = made_up.steering(steered=3, survive=2, directions=399)
    assert findings("steering", probes={"steering": found})[1] == "By stage: layer_1 2 of 3, layer_3 2 of 3."


@pytest.mark.parametrize(("steered", "who"), [(1, "the one feature"), (4, "any of 4 features")])
def test_what_too_few_random_directions_cannot_decide_is_left_open(steered, who):
    found = made_up.steering(("layer_1",), steered, survive=0, means_survive=0, directions=9)
    (sentence,) = findings("steering", probes={"steering": found})
    least = {1: "0.1", 4: "0.4"}[steered]
    assert sentence == (
        f"It is not decided whether {who} steers: with 9 random directions the least p, corrected, is "
        f"{least}, above 0.05."
    )
    probes = {"dictionaries": made_up.dictionaries(("layer_1",)), "steering": found}
    assert "it is not decided whether any steers" in findings("dictionaries", probes=probes)[0]


def test_nothing_to_steer_by_is_cautioned_against_and_draws_nothing():
    found = made_up.steering(("layer_1",), steered=0)
    chapter, one = CHAPTERS["steering"], subject({"steering": found})
    assert list(chapter.findings(one)) == []
    assert list(chapter.figures(one, ())) == []
    assert chapter.sounds(found) is None
    (caution,) = chapter.cautions(found.isel(stage=0))
    assert "nothing is steered by" in caution
    assert list(chapter.cautions(made_up.steering().isel(stage=0))) == []
    values = {column.heading: column.of(found, "layer_1") for column in chapter.columns}
    assert values["Steered"] == values["Survive"] == 0
    assert np.isnan([values["Cost"], values["Cost of random"], values["Silent"]]).all()


# tables, sounds, the page


def test_tables_are_the_data():
    one = subject(
        {"dictionaries": made_up.dictionaries(), "labels": made_up.labels(), "steering": made_up.steering()}
    )
    rows = {}
    for probe in ("dictionaries", "labels", "steering"):
        table = table_of(CHAPTERS[probe], [one], [])
        cells = (cell.text for cell in table.rows[0].cells)
        rows[probe] = dict(zip((column.heading for column in table.columns), cells, strict=True))
    assert rows["dictionaries"] == {
        "Features": "64", "k": "8", "L0": "8", "Explained": "0.995", "Components": "0.96",
        "Frozen decoder": "0.895", "Recovered (zero)": "99.9 %", "Recovered (mean)": "99.8 %",
        "Unused": "52 %", "Surviving (frames)": "20", "Surviving (clips)": "10", "Seeds": "0.70",
        "Random": "0.30",
    }  # fmt: skip
    assert rows["labels"] == {
        "Clips": "240", "Beyond null": "12", "Kept": "9", "Frozen decoder": "2", "Shuffled": "0",
        "F1": "0.65", "Chance F1": "0.21", "MCC": "0.60", "Chance MCC": "0.01",
    }  # fmt: skip
    assert rows["steering"] == {
        "Steered": "3", "Survive": "2", "Means survive": "3", "Cost": "0.20", "Cost of means": "0.60",
        "Cost of random": "0.10", "Silent": "0.0 %", "Norm": "2", "Stream": "31",
    }  # fmt: skip


def samples_of(clip) -> tuple[int, np.ndarray]:
    with wave.open(io.BytesIO(base64.b64decode(clip.source.split(",")[1]))) as file:
        frames = file.readframes(file.getnframes())
        return file.getframerate(), np.frombuffer(frames, "<i2")


def test_clips_that_excite_a_feature_can_be_played():
    clips = feature_clips(made_up.labels(kept=2), ["layer_1"])
    assert [clip.label for clip in clips] == [
        "layer_1, feature 0: family organ, clip 1", "layer_1, feature 0: family organ, clip 2",
        "layer_1, feature 1: family reed, clip 1", "layer_1, feature 1: family reed, clip 2",
    ]  # fmt: skip
    rate, samples = samples_of(clips[0])
    assert rate == HIGHEST_RATE_HZ
    assert len(samples) == made_up.FRAMES * made_up.HOP // 2
    assert 0.8 < np.abs(samples).max() / 32767 < 0.95
    assert feature_clips(made_up.labels(kept=0), LAYERS) == []


def test_a_page_has_room_for_the_clips_of_a_large_model(monkeypatch):
    monkeypatch.setattr("tonotopy.reports.dictionary_audio.MOST_S", 4.0)
    found = made_up.labels(LAYERS, kept=20)
    clips = feature_clips(found, LAYERS)
    assert [sum(clip.label.startswith(layer) for clip in clips) for layer in LAYERS] == [2, 2]
    monkeypatch.setattr("tonotopy.reports.dictionary_audio.MOST_S", 1e4)
    assert len(feature_clips(found, LAYERS)) == 2 * 2 * 8


def test_sounds_can_be_compared_before_and_after():
    before, *after = steered_clips(made_up.steering(), LAYERS)
    assert before.label == "before: nothing is added"
    assert [clip.label for clip in after][:2] == [
        "after: layer_1, feature 10: register low, dose 4",
        "after: layer_1, feature 11: register high, dose 4",
    ]  # fmt: skip
    assert len(after) == 6
    loud, quiet = (np.abs(samples_of(clip)[1]).max() for clip in (before, after[0]))
    assert quiet == pytest.approx(loud / 2, rel=0.05)  # all at one gain


def test_the_page_holds_the_chapters(tmp_path):
    trained = {
        "dictionaries": made_up.dictionaries(), "labels": made_up.labels(), "steering": made_up.steering()
    }  # fmt: skip
    random = {
        "dictionaries": made_up.dictionaries(recovered=np.nan),
        "labels": made_up.labels(kept=0, told=0),
    }
    children = {
        "toy": questions.subject(trained, "toy"),
        "toy.random0": questions.subject(random, "toy", "baseline", "toy", "random"),
        "toy.permuted0": questions.subject(random, "toy", "baseline", "toy", "permuted"),
        "control.made_up": questions.subject(trained, "control:made_up", "control"),
    }
    page = report([run_of(children)], tmp_path / "page.html").read_text(encoding="utf-8")
    drawn = re.findall(r'<figure id="([^"]+)">', page)
    assert drawn[:10] == [
        "e0-dictionaries-feature-funnel", "e0-dictionaries-explained-variance", "e0-labels-label-counts",
        "e0-labels-labels-by-factor", "e0-labels-feature-examples-layer_1",
        "e0-labels-feature-examples-layer_3", "e0-labels-class-recovery-layer_1",
        "e0-labels-class-recovery-layer_3", "e0-steering-steering-effects",
        "e0-steering-steering-doses-layer_1",
    ]  # fmt: skip
    assert len([name for name in drawn if name.startswith("c")]) == 6
    assert page.count("<audio ") == 2 * 2 * 8 + 1 + 2 * 3
    for title in ("Sparse dictionaries", "What features mean", "Steering"):
        assert f">{title}</h2>" in page
    assert (
        "Labels that are not steered by, as no descriptor stands for their factor: chord quality: 2." in page
    )
