from dataclasses import replace

import numpy as np
import pytest
import torch

from tonotopy.encoders.samplecnn import samplecnn_tiny
from tonotopy.probes.dictionaries.labels.base import Evidence
from tonotopy.probes.dictionaries.labels.classifier import (
    Classified,
    folder_classifier,
    samplecnn_classifier,
)
from tonotopy.probes.dictionaries.labels.listening import for_each_clip, resample
from tonotopy.probes.dictionaries.labels.top_clips import TopClips, exchanged
from tonotopy.synth.errors import InputError

from .conftest import FAMILIES, planted

pytestmark = pytest.mark.numerical


def oracle(evidence, sure=0.7):
    """What a classifier says that is right of every clip."""
    return np.eye(4)[evidence.truths[0].values] * sure + (1 - sure) / 4


def test_planted_features_are_named_and_no_others(evidence):
    labels = TopClips(permutations=199).label(evidence, oracle(evidence), FAMILIES, "oracle", "probability")
    assert [label.feature for label in labels] == list(range(40))
    assert {label.feature: label.text for label in labels if label.kept} == dict(enumerate(FAMILIES))
    for label in labels[:4]:
        assert label.score == pytest.approx(0.775)
        assert label.baseline == pytest.approx(0.25, abs=0.02)
        assert label.low - 1e-6 <= label.score <= label.high + 1e-6  # float32


def test_top_clips_by_chance_keep_nothing():
    for seed in range(5):
        evidence = planted(seed, plant=False, n_features=100)
        labels = TopClips(permutations=99).label(
            evidence, oracle(evidence), FAMILIES, "oracle", "probability"
        )
        assert not [label for label in labels if label.kept]


def test_a_feature_of_one_program_is_beyond_chance_by_no_label(evidence):
    activation = evidence.activation.copy()
    activation[:, 30:] *= evidence.group_of[:, None] == np.arange(10)
    other = replace(evidence, activation=activation)
    labels = TopClips(permutations=199).label(other, oracle(other), FAMILIES, "oracle", "probability")
    assert not [label for label in labels[30:] if label.beyond_chance]


def test_a_feature_that_few_clips_excite_is_not_tested():
    activation = np.zeros((60, 2), np.float32)
    activation[[2, 7], 0] = 1
    found = np.arange(60) < 30
    activation[found, 1] = np.arange(30)
    said = np.tile([0.9, 0.1], (60, 1))
    evidence = Evidence(activation, is_found_on=found)
    first, second = TopClips().label(evidence, said, ("a", "b"), "oracle", "probability")
    assert (first.kept, second.kept) == (False, False)
    assert first.note == "excited by 0 of the clips to test it on: not tested"
    assert np.isnan(second.score)
    assert TopClips().label(replace(evidence, activation=0 * activation), said, ("a", "b"), "o", "p") == []


def test_groups_change_places_as_wholes_and_repeat_where_they_are_fewer():
    groups = np.array([0, 0, 0, 0, 1, 1, 2])
    for order in exchanged(groups, 50, np.random.default_rng(0)):
        guests = [set(groups[order[groups == g]]) for g in range(3)]
        assert sorted(len(guest) for guest in guests) == [1, 1, 1]
        assert set().union(*guests) == {0, 1, 2}
    alone = exchanged(np.arange(9), 20, np.random.default_rng(0))
    assert (np.sort(alone, axis=1) == np.arange(9)).all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda e: TopClips(top=1), "top: 1 given"),
        (lambda e: TopClips(permutations=9), "permutations: 9 given"),
        (lambda e: TopClips().label(e, np.zeros((3, 4)), FAMILIES, "x", "p"), r"\[3, 4\] of what is said"),
        (lambda e: TopClips().label(e, np.zeros((256, 0)), (), "x", "p"), "one class or more"),
        (
            lambda e: TopClips().label(e, np.full((256, 4), np.nan), FAMILIES, "x", "p"),
            "NaN or Inf of clip 0",
        ),
        (lambda e: Classified(lambda w, r: w[:, :2], ("a", "b")).label(e), "0 at 0 Hz given"),
    ],
)
def test_what_cannot_be_used_is_one_line(evidence, make, said):
    with pytest.raises(InputError, match=said) as error:
        make(evidence)
    assert "\n" not in str(error.value)


def sounding(n=40, sample_rate=22_050, seconds=0.3, **options):
    """Clips of two lengths: tones, and noise in every other; feature 0 goes with noise."""
    generator = np.random.default_rng(0)
    noise = generator.permutation(np.arange(n) % 2)
    sounds = []
    for clip in range(n):
        t = np.arange(int(seconds * sample_rate) + 50 * (clip % 3 == 0))
        tone = np.sin(2 * np.pi * (200 + 10 * clip) * t / sample_rate)
        sounds.append((0.2 * (generator.normal(size=len(t)) if noise[clip] else tone)).astype(np.float32))
    activation = np.stack([noise + 0.1 * generator.random(n), generator.random(n)], axis=1).astype(np.float32)
    return Evidence(activation, sounds=sounds, sample_rate=sample_rate, **options)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (lambda w, r: np.zeros((len(w), 3)), r"probabilities \[\d+, 3\]"),
        (lambda w, r: np.full((len(w), 2), np.nan), "nan to nan"),
        (lambda w, r: np.full((len(w), 2), 1.5), "1.5 to 1.5; probabilities are 0 to 1"),
    ],
)
def test_a_classifier_that_gives_no_probabilities(found, said):
    with pytest.raises(InputError, match=said):
        Classified(found, ("a", "b")).label(sounding())


def test_clips_of_several_lengths_come_back_in_order(monkeypatch):
    from tonotopy.probes.dictionaries.labels import listening

    evidence = sounding()
    sizes = []

    def work(waveforms):
        sizes.append(waveforms.shape)
        return waveforms[:, :1]

    expected = [[sound[0]] for sound in evidence.sounds]
    np.testing.assert_array_equal(for_each_clip(evidence, work, "test"), expected)
    assert len(sizes) == 2
    monkeypatch.setattr(listening, "_SAMPLES_AT_ONCE", 20_000)
    np.testing.assert_array_equal(for_each_clip(evidence, work, "test"), expected)
    assert max(rows * length for rows, length in sizes[2:]) <= 20_000


def test_samplecnn_says_what_it_says_and_resamples():
    labeler, evidence = samplecnn_classifier(), sounding()
    assert (labeler.name, len(labeler.classes)) == ("samplecnn_tiny", 12)
    waveforms = np.stack([evidence.sounds[1], evidence.sounds[2]])
    expected = samplecnn_tiny().classify(torch.from_numpy(waveforms)).numpy()
    np.testing.assert_allclose(labeler.classify(waveforms, 22_050), expected, atol=1e-6)
    faster = resample(waveforms, 22_050, 44_100)
    np.testing.assert_allclose(labeler.classify(faster, 44_100), expected, atol=0.1)  # but for its ends
    labels = {label.feature: label for label in labeler.label(evidence)}
    assert labels[0].kept  # noise is always said to be the same
    assert labels[0].text in labeler.classes
    assert not labels[1].kept


def small_classifier(path, **options):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ASTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_length=32,
        num_mel_bins=16, id2label={0: "low", 1: "middle", 2: "high"}, **options,
    )  # fmt: skip
    model = transformers.ASTForAudioClassification(config)
    with torch.no_grad():
        model.classifier.dense.weight.normal_(std=3)
    model.save_pretrained(path)
    transformers.ASTFeatureExtractor(num_mel_bins=16, max_length=32).save_pretrained(path)


@pytest.mark.parametrize("problem", [None, "multi_label_classification"])
def test_a_folder_of_transformers(tmp_path, problem):
    small_classifier(tmp_path, problem_type=problem)
    labeler, evidence = folder_classifier(tmp_path), sounding()
    assert labeler.classes == ("low", "middle", "high")
    said = labeler.classify(np.stack([evidence.sounds[1], evidence.sounds[2]]), 22_050)
    assert said.shape == (2, 3)
    assert np.allclose(said.sum(1), 1, atol=1e-5) == (problem is None)
    assert len(labeler.label(evidence)) == 2


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("config", ['{"model_type": "nothing"}', "not JSON", "{}"])
def test_a_folder_that_holds_no_classifier(tmp_path, config):
    pytest.importorskip("transformers")
    with pytest.raises(InputError, match="no such folder"):
        folder_classifier(tmp_path / "none")
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(InputError, match="no audio classifier") as error:
        folder_classifier(tmp_path)
    assert "\n" not in str(error.value)
