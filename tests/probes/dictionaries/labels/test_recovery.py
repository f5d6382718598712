import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from tonotopy.probes.dictionaries.labels.base import Evidence
from tonotopy.probes.dictionaries.labels.recovery import matthews, recovery
from tonotopy.synth.errors import InputError

from .conftest import planted

pytestmark = pytest.mark.numerical


def test_planted_classes_are_recovered_and_shuffled_ones_are_not(evidence):
    found = recovery(evidence, shuffles=5)
    names = {(one.factor, one.name): one for one in found.classes}
    assert len(names) == 8
    for feature, key in enumerate([("family", name) for name in ("bass", "organ", "reed", "pipe")]):
        assert names[key].feature == feature
        assert names[key].mcc > 0.7
    assert names["pitch class", "F"].mcc < 0.4  # was not planted
    assert len(found.chance_mcc) == len(found.chance_f1) == 5
    assert abs(np.mean(found.chance_mcc)) < 0.12 < found.mcc
    assert max(found.chance_f1) < found.f1


def test_numbers_are_those_of_others(evidence):
    clips = evidence.held_out
    for one in recovery(evidence, shuffles=0).classes:
        (truth,) = (t for t in evidence.truths if t.name == one.factor)
        is_class = truth.values[clips] == truth.classes.index(one.name)
        says = evidence.activation[clips, one.feature] >= one.threshold
        assert one.mcc == pytest.approx(matthews_corrcoef(is_class, says))
        assert one.f1 == pytest.approx(f1_score(is_class, says))


def test_the_choice_is_the_best_of_all_features_and_thresholds():
    evidence = planted(n_features=9, n_groups=8)
    clips, truth = evidence.found, evidence.truths[1]
    values = np.round(evidence.activation, 1)  # with ties
    evidence = Evidence(values, (truth,), evidence.groups, evidence.is_found_on)
    for one in recovery(evidence, least_per_class=2, shuffles=0).classes:
        is_class = truth.values[clips] == truth.classes.index(one.name)
        tried = [(f, t) for f in range(9) for t in np.unique(values[clips, f])]
        every = {(f, t): matthews_corrcoef(is_class, values[clips, f] >= t) for f, t in tried}
        assert every[one.feature, np.float32(one.threshold)] == pytest.approx(max(every.values()))


def test_nothing_to_recover():
    dead = recovery(Evidence(np.zeros((60, 5), np.float32), planted(n_groups=15, per_group=4).truths))
    assert dead.classes == ()
    assert np.isnan(dead.mcc)
    assert float(matthews(np.array(3.0), np.array(5.0), np.array(3.0), np.array(5.0))) == 0
    with pytest.raises(InputError, match="shuffles: -1 given"):
        recovery(planted(), shuffles=-1)
