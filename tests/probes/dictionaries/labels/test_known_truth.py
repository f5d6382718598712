from dataclasses import replace

import numpy as np
import pytest

from tonotopy.probes.dictionaries.labels.base import Evidence, Truth, split_in_halves
from tonotopy.probes.dictionaries.labels.known_truth import (
    KnownTruth,
    count_by_factor,
    measured_classes,
    shuffled,
)
from tonotopy.probes.dictionaries.labels.nulls import moves_by_group
from tonotopy.synth.errors import InputError

from .conftest import FAMILIES, planted

pytestmark = pytest.mark.numerical

PLANTED = {
    **dict(enumerate(FAMILIES)), 4: "C", 5: "D", 6: "E", 7: "higher level", 8: "lower level",
}  # fmt: skip


def test_planted_features_are_found_and_no_others(evidence):
    labels = KnownTruth(299).label(evidence)
    assert [label.feature for label in labels] == list(range(40))
    assert {label.feature: label.text for label in labels if label.kept} == PLANTED
    assert {label.feature for label in labels if label.beyond_chance} == set(PLANTED)
    assert count_by_factor(labels) == {"family": 4, "pitch class": 3, "level": 2}
    for label in labels:
        if label.kept:
            assert abs(label.score) > abs(label.baseline) > 0.5 * (label.measure == "AUC")
            assert label.low <= label.score <= label.high
            assert label.phik > 0.5
            assert label.held_out_p <= 0.05
        else:
            assert np.isnan([label.low, label.high]).all()


def test_a_label_says_which_null_it_was_tested_by(evidence):
    notes = {label.factor: label.note for label in KnownTruth(99).label(evidence)}
    assert notes["family"] == "exchanged among groups"
    assert notes["level"] == "exchanged within groups"


def test_a_feature_that_falls_silent_for_a_class_is_not_that_class():
    evidence = planted()
    activation = evidence.activation.copy()
    activation[:, 20] += 4 * (evidence.truths[0].values != 2)
    labels = KnownTruth(99).label(replace(evidence, activation=activation))
    assert (labels[20].text, labels[20].kept) == ("not reed", True)
    assert labels[20].score < labels[20].baseline < 0.5


def test_the_same_seed_gives_the_same_labels(evidence):
    first, second = (KnownTruth(99, seed=3).label(evidence) for _ in range(2))
    assert str(first) == str(second)


def test_shuffled_truths_keep_nothing(evidence):
    for seed in range(5):
        other = shuffled(evidence, seed)
        for before, after in zip(evidence.truths, other.truths, strict=True):
            assert moves_by_group(before, evidence.group_of) == moves_by_group(after, evidence.group_of)
            assert sorted(before.values) == sorted(after.values)
            assert not np.array_equal(before.values, after.values)
        assert not [label for label in KnownTruth(99).label(other) if label.kept]


def test_shuffling_whole_groups_keeps_the_classes_of_each_half():
    evidence = planted()
    found = split_in_halves(evidence.group_of, 0, evidence.truths[0].values, whole=True)
    other = shuffled(replace(evidence, is_found_on=found))
    for half in (found, ~found):
        before, after = (np.bincount(e.truths[0].values[half], minlength=4) for e in (evidence, other))
        np.testing.assert_array_equal(before, after)


def test_a_feature_of_a_program_is_none_of_its_family():
    """A feature that goes with one program of two tells clips of the family, but not programs."""
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(8), 32)
    activation = generator.random((256, 20)).astype(np.float32)
    activation[:, :8] += 5 * (groups[:, None] == np.arange(8))
    truth, found = Truth("family", groups % 4, FAMILIES), split_in_halves(groups, 0)
    labels = KnownTruth(199).label(Evidence(activation, (truth,), groups, found))
    assert not [label for label in labels if label.kept]
    by_clip = KnownTruth(199).label(Evidence(activation, (truth,), np.arange(256), found))
    assert len([label for label in by_clip if label.kept]) == 8  # what comes of taking clips for independent


def test_a_feature_of_groups_is_none_of_what_groups_have_in_common():
    """Low programs play low: a feature of programs has to do with pitch only through them."""
    generator = np.random.default_rng(1)
    groups = np.repeat(np.arange(16), 20)
    register = generator.normal(size=16)[groups]
    f0 = register + 0.3 * generator.normal(size=320)
    activation = (register[:, None] + 0.3 * generator.normal(size=(320, 6))).astype(np.float32)
    activation[:, 5] += f0
    labels = KnownTruth(199).label(Evidence(activation, (Truth("f0", f0, units="Hz"),), groups))
    assert [label.feature for label in labels if label.kept] == [5]
    assert min(label.score for label in labels) > 0.7  # for all that, they are correlated


def odd_features():
    """Features of clips that are 60 of one class and 60 of another: see the names."""
    family = np.repeat([0, 1], 60)
    columns = {
        "dead": np.zeros(120),
        "constant": np.full(120, 0.3),
        "one clip": np.arange(120) == 3,
        "family": family + 0.1,
        "twin": family + 0.1,
        "only held out": np.zeros(120),
    }
    found = split_in_halves(np.arange(120), 0, family)
    columns["only held out"] = (~found) * np.arange(120)
    activation = np.stack([np.asarray(c, np.float32) for c in columns.values()], axis=1)
    return Evidence(activation, (Truth("family", family, ("organ", "reed")),), is_found_on=found), list(
        columns
    )


def test_odd_features():
    evidence, names = odd_features()
    labels = {names[label.feature]: label for label in KnownTruth(99).label(evidence)}
    assert set(labels) - {"one clip"} == {"family", "twin"}
    assert "one clip" not in labels or not labels["one clip"].beyond_chance
    assert labels["family"] == replace(labels["twin"], feature=labels["family"].feature)
    assert labels["family"].kept
    assert labels["family"].score in (0.0, 1.0)


def test_a_dictionary_that_never_fires_has_no_labels():
    evidence = Evidence(np.zeros((60, 5), np.float32), (Truth("f0", np.arange(60.0)),))
    assert KnownTruth(99).label(evidence) == []
    assert KnownTruth(99).label(replace(evidence, truths=())) == []


def test_thin_classes_are_left_out_and_named():
    family = np.repeat([0, 1, 2, 3, 4], [60, 60, 19, 30, 0])
    found = split_in_halves(np.arange(169), 0, family)
    found[family == 3] = True  # a class in one half only
    truths = (
        Truth("family", family, ("organ", "reed", "harp", "choir", "drum")),
        Truth("f0", np.where(np.arange(169) < 30, np.arange(169.0), np.nan), units="Hz"),
        Truth("one", np.zeros(169, int), ("all",)),
    )
    activation = np.random.default_rng(0).random((169, 3)).astype(np.float32)
    evidence = Evidence(activation, truths, is_found_on=found)
    assert measured_classes(evidence, truths[0]).tolist() == [0, 1]
    notes = KnownTruth(99).left_out(evidence)
    assert notes[0].startswith("family: harp, choir, drum left out: fewer than 20 clips")
    assert notes[1].startswith("f0: left out")
    assert notes[2].startswith("one: all left out")
    assert {label.factor for label in KnownTruth(99).label(evidence)} == {"family"}


def test_clips_of_unknown_class_do_not_count(evidence):
    truths = []
    unknown = np.arange(256) % 5 == 0
    for truth in evidence.truths:
        truths.append(replace(truth, values=np.where(unknown, -1 if truth.classes else np.nan, truth.values)))
    activation = evidence.activation.copy()
    activation[unknown] = 1000 * np.random.default_rng(0).random((unknown.sum(), 40))
    other = replace(evidence, truths=tuple(truths), activation=activation)
    assert {label.feature: label.text for label in KnownTruth(299).label(other) if label.kept} == PLANTED


def test_all_clips_of_a_class_in_one_group_are_one_instrument():
    """However clearly a feature follows a class of a single group, it may follow the group."""
    groups = np.repeat(np.arange(6), 20)
    family = groups // 3
    one = Truth("soloist", (groups == 0).astype(int), ("others", "soloist"))
    activation = np.stack([groups == 0, family], axis=1).astype(np.float32)
    activation += 0.01 * np.random.default_rng(0).random((120, 2)).astype(np.float32)
    labels = KnownTruth(99).label(Evidence(activation, (one,), groups))
    assert labels[0].score in (0.0, 1.0)
    assert not labels[0].beyond_chance


def test_too_few_permutations_are_refused(evidence):
    with pytest.raises(InputError, match="permutations: 50 given, at least 59 wanted for 3 factors"):
        KnownTruth(50).label(evidence)
    for wrong in ({"permutations": 0}, {"least_per_class": 1}):
        with pytest.raises(InputError, match="given, at least"):
            KnownTruth(**wrong)


@pytest.mark.slow
def test_family_wise_error_of_the_complete_null():
    """Nothing has to do with anything but groups: 1 of 40 seeds had a label beyond chance, and 0 kept one.

    One in twenty has at most; 7 or more of 40 do with probability .003.
    """
    beyond, kept = 0, 0
    for seed in range(40):
        labels = KnownTruth(199, seed=seed).label(planted(seed, n_features=200, plant=False))
        beyond += any(label.beyond_chance for label in labels)
        kept += any(label.kept for label in labels)
    assert beyond <= 6
    assert kept <= 2
