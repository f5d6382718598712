import numpy as np
import pytest

from tonotopy.probes.dictionaries.labels.base import Evidence, Truth, split_in_halves

FAMILIES = ("bass", "organ", "reed", "pipe")


def planted(seed=0, n_features=40, n_groups=32, per_group=8, group_effect=0.7, plant=True):
    """Clips of programs: a family is a program's own, pitch class and level are drawn for each clip.

    Features 0 to 3 are families, 4 to 6 pitch classes 0 to 2, 7 is high and 8 is low at high levels.
    """
    generator = np.random.default_rng(seed)
    n = n_groups * per_group
    groups = np.repeat(np.arange(n_groups), per_group)
    family, pitch = groups % 4, generator.integers(4, size=n)
    level = generator.normal(size=n)
    own = group_effect * generator.normal(size=(n_groups, n_features))[groups]
    activation = np.maximum(0, generator.normal(size=(n, n_features)) + own - 0.5)
    if plant:
        for c in range(4):
            activation[:, c] += 4 * (family == c)
        for c in range(3):
            activation[:, 4 + c] += 4 * (pitch == c)
        activation[:, 7] += 2 * (level - level.min())
        activation[:, 8] += 2 * (level.max() - level)
    truths = (
        Truth("family", family, FAMILIES),
        Truth("pitch class", pitch, ("C", "D", "E", "F")),
        Truth("level", level, units="dB"),
    )
    found = split_in_halves(groups, seed, family)
    return Evidence(activation.astype(np.float32), truths, groups, found)


@pytest.fixture
def evidence():
    return planted()
