from dataclasses import replace

import numpy as np
import pytest

from tonotopy.probes.dictionaries.labels.base import Evidence, Labeler, Truth, split_in_halves
from tonotopy.probes.dictionaries.labels.clap import Clap
from tonotopy.probes.dictionaries.labels.classifier import samplecnn_classifier
from tonotopy.probes.dictionaries.labels.endpoint import Endpoint
from tonotopy.probes.dictionaries.labels.known_truth import KnownTruth
from tonotopy.probes.dictionaries.labels.questions import Chat
from tonotopy.synth.errors import InputError

from .conftest import planted

ONES = np.eye(4, dtype=np.float32)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Truth("family", np.array([0, 2]), ("a", "b")), "2 for clip 1, -1 to 1 allowed"),
        (lambda: Truth("family", np.array([0, -2]), ("a", "b")), "-2 for clip 1"),
        (lambda: Truth("family", np.array([0.0]), ("a",)), "class indices"),
        (lambda: Truth("family", np.array([0]), ("a", "a")), "distinct"),
        (lambda: Truth("f0", np.array([1.0, np.inf])), "inf for clip 1"),
        (lambda: Truth("f0", np.zeros((2, 2))), r"numbers \[n_clips\]"),
        (lambda: Evidence(np.zeros(3)), r"float \[n_clips, M\] wanted"),
        (lambda: Evidence(np.full((2, 2), np.nan)), "NaN or Inf in clip 0, feature 0"),
        (lambda: Evidence(ONES, groups=np.arange(3)), r"groups: \[3\] given, \[4\] wanted"),
        (lambda: Evidence(ONES, (Truth("f0", np.zeros(3)),)), "truth 'f0'"),
        (lambda: Evidence(ONES, (Truth("f0", np.zeros(4)),) * 2), "distinct"),
        (lambda: Evidence(ONES, is_found_on=np.ones(4, bool)), "4 of 4 clips"),
        (lambda: Evidence(ONES, is_found_on=np.ones(4, int)), "int and bool wanted"),
        (lambda: Evidence(ONES, sounds=[np.zeros(2)] * 3), "none or 4 wanted"),
        (lambda: Evidence(ONES).sound(0), "one for each clip wanted"),
        (lambda: Evidence(ONES, sounds=[np.full(2, np.nan)] * 4, sample_rate=8).sound(1), "sound of clip 1"),
        (lambda: split_in_halves(np.array([3])), "at least 2"),
        (lambda: split_in_halves(np.array([3, 3, 3]), whole=True), "groups: 1 given"),
        (lambda: split_in_halves(np.arange(3), strata=np.arange(2)), "strata"),
    ],
)
def test_what_is_no_evidence_is_one_line(make, said):
    with pytest.raises(InputError, match=said) as error:
        make()
    assert "\n" not in str(error.value)


def test_halves_hold_half_of_every_group_and_class():
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 7))
    found = split_in_halves(groups, 1, strata=groups % 5)
    for group in range(20):
        assert found[groups == group].sum() in (3, 4)
    for stratum in range(5):
        assert found[groups % 5 == stratum].sum() == 14
    assert found.sum() == 70
    assert not np.array_equal(found, split_in_halves(groups, 2, strata=groups % 5))


def test_whole_groups_stay_together():
    groups = np.repeat(np.arange(24), 3)
    found = split_in_halves(groups, 0, strata=groups % 4, whole=True)
    for group in range(24):
        assert found[groups == group].sum() in (0, 3)
    for stratum in range(4):
        assert found[groups % 4 == stratum].sum() == 9


def test_halves_do_not_follow_the_order_of_clips():
    """Clips that are groups to themselves may alternate in what they are."""
    found = split_in_halves(np.arange(200))
    assert 30 < found[::2].sum() < 70


def test_top_clips_are_those_that_excite():
    activation = np.zeros((6, 2), np.float32)
    activation[[1, 4, 5], 0] = [1, 3, 2]
    evidence = Evidence(activation, is_found_on=np.array([1, 1, 0, 0, 1, 1], bool))
    assert evidence.top(0, evidence.found, 2).tolist() == [4, 5]
    assert evidence.top(0, evidence.found, 9).tolist() == [4, 5, 1]
    assert evidence.top(0, evidence.held_out, 9).tolist() == []
    assert evidence.active.tolist() == [0]


def test_groups_are_counted_from_0():
    evidence = planted(per_group=2)
    renamed = replace(evidence, groups=evidence.group_of * 7 - 3)
    assert np.array_equal(renamed.group_of, evidence.group_of)


def test_labelers_are_labelers(tmp_path):
    chat = Chat("http://127.0.0.1:9/v1", "none")
    labelers: list[Labeler] = [
        KnownTruth(), samplecnn_classifier("random"), Clap("none"), Endpoint(chat, tmp_path / "answers"),
    ]  # fmt: skip
    assert len({labeler.name for labeler in labelers}) == 4
    assert not list(tmp_path.iterdir())  # nothing is written, or sent, until it is used
