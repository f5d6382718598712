"""What latents mean, on latents made for it: of one group, of several, of nothing."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from tonotopy.encoders.musicvae.control import MELODY, PITCH, RHYTHM, PlantedLatents
from tonotopy.probes.features import features
from tonotopy.probes.latents.correlation import correlate
from tonotopy.probes.latents.independence import beyond
from tonotopy.probes.statistics.phik import binned, phik
from tonotopy.probes.statistics.phik_null import permutation_null
from tonotopy.synth.errors import InputError

NAMES = ("height", "spread", "density", "length", "leaps", "turns", "metre")
GROUPS = ("pitch", "pitch", "rhythm", "rhythm", "melody", "melody", "rhythm")


def made(seed, n=2000):
    """Draw features: melody follows rhythm; one is missing at times, and the last is constant."""
    generator = np.random.default_rng(seed)
    height, spread, density, noise, own, more = generator.standard_normal((6, n))
    density = np.round(3 * density)
    length = -density + 2 * noise
    leaps = 0.5 * density + own
    turns = density**2 / 4 + 0.5 * length + more
    values = np.stack([height, spread, density, length, leaps, turns, np.full(n, 4.0)], axis=1)
    values[generator.random(n) < 0.05, 1] = np.nan
    return values, own, generator


def test_latents_are_told_apart():
    values, own, generator = made(0, 4000)
    height, density = values[:, 0], values[:, 2]
    noise = generator.standard_normal((4000, 6))
    mu = np.stack([height, density, density, own, density / 3, np.zeros(4000)], axis=1) + 0.6 * noise
    mu[:, 1] = density  # wholly
    mu[:, 4] += own
    found = correlate(mu, values, NAMES, GROUPS, permutations=39)
    assert found.answers[:4] == ("pitch", "rhythm", "rhythm", "melody")
    assert found.answers[5] == "none"
    assert found.melody == (
        "no melody",
        "with rhythm only",
        "with rhythm only",
        "beyond rhythm",
        "beyond rhythm",
        "no melody",
    )
    assert found.best[:4].tolist()[0][0] == 0
    assert (found.best[1:3, 1] == 2).all()
    assert found.best[3, 2] == 4
    assert found.phik[2, 5] > 0.3  # as large as a melody rank's, but for the rhythm
    assert found.explained[1] > 0.99
    assert np.isnan(found.conditional_phik[1]).all()
    assert found.explained[[0, 3, 5]] == pytest.approx(0, abs=0.02)
    assert found.explained[4] == pytest.approx(1.0 / (1 + 1 + 0.36), abs=0.05)


def test_what_is_constant_is_listed_and_has_no_values():
    values, own, _ = made(1, 500)
    mu = np.stack([own, np.full(500, 0.3)], axis=1)
    found = correlate(mu, values, NAMES, GROUPS, permutations=9)
    assert found.constant == ("metre",)
    for table in (found.phik, found.p, found.p_corrected, found.conditional_phik):
        assert np.isnan(table[:, 6]).all()
        assert np.isnan(table[1]).all()
    assert found.best[1].tolist() == [-1, -1, -1]
    assert np.isfinite(found.phik[0, :6]).all()
    assert np.isfinite(found.conditional_phik[0, 4:6]).all()
    assert np.isnan(found.conditional_phik[0, :4]).all()
    assert np.isnan(found.explained[1])
    assert found.answers[1] == "none"
    assert found.melody[1] == "no melody"


def test_values_are_phik_and_its_null():
    values, own, generator = made(2, 600)
    mu = np.stack([own, values[:, 0], generator.standard_cauchy(600)], axis=1)
    found = correlate(mu, values, NAMES, GROUPS, bins=7, permutations=19, seed=3)
    x, y = binned(mu, 7, quantile=True), binned(values, 7)
    assert np.array_equal(found.phik, phik(x, y), equal_nan=True)
    tested = permutation_null(x, y, 19, seed=3)
    assert np.array_equal(found.p_corrected, tested.corrected_p, equal_nan=True)
    assert np.array_equal(found.p, tested.p, equal_nan=True)
    assert np.array_equal(found.greatest, tested.greatest)


def test_groups_that_go_together():
    values, _, generator = made(3, 1500)
    strength = np.linspace(0, 2, 8)
    mu = strength * values[:, 2:3] + strength[::-1] * 2 * values[:, :1] + generator.standard_normal((1500, 8))
    found = correlate(mu, values, NAMES, GROUPS, permutations=1)
    tops = np.stack([np.nanmax(found.phik[:, [0, 1]], 1), np.nanmax(found.phik[:, [2, 3]], 1)])
    assert found.group_correlation[0, 1] == pytest.approx(spearmanr(*tops)[0])
    assert found.group_correlation[0, 1] < -0.8
    assert found.group_correlation[1, 2] > 0.8
    assert np.diag(found.group_correlation) == pytest.approx([1, 1, 1])
    assert np.isnan(correlate(mu[:, :2], values, NAMES, GROUPS, permutations=1).group_correlation).all()


@pytest.mark.parametrize("kept", [("pitch",), ("melody",), ("rhythm",), ("pitch", "rhythm")])
def test_groups_may_be_missing(kept):
    values, own, _ = made(4, 300)
    columns = [i for i, group in enumerate(GROUPS) if group in kept]
    found = correlate(
        own[:, None],
        values[:, columns],
        [NAMES[i] for i in columns],
        [GROUPS[i] for i in columns],
        permutations=39,
    )
    assert found.phik.shape == (1, len(columns))
    assert (found.best[0] >= 0).tolist() == [group in kept for group in ("pitch", "rhythm", "melody")]
    assert found.melody[0] == ("beyond rhythm" if kept == ("melody",) else "no melody")


def test_equally_filled_bins_keep_the_null_low():
    """A rare value that meets the end of a latent makes a phik of several tenths in equally wide ones."""
    generator = np.random.default_rng(5)
    mu, rare = generator.standard_normal((5000, 8)), (generator.random((5000, 8)) < 0.001) * 1.0
    found = correlate(mu, rare, list("abcdefgh"), ["pitch"] * 8, permutations=19)
    wide = permutation_null(binned(mu), binned(rare), 19)
    assert np.median(wide.greatest) > 0.12
    assert np.max(found.greatest) < 0.1


@pytest.mark.parametrize(
    "follows",
    [
        lambda given: given[:, 0],
        lambda given: np.abs(given[:, 0]) - given[:, 1],
        lambda given: given[:, 0] * given[:, 1],
        lambda given: 2.0 * np.isnan(given[:, 2]),
    ],
)
def test_what_follows_given_features_tells_nothing_beyond_them(follows):
    """However they are followed: a line, a fold, a product, whether one is missing at all."""
    rejected = 0
    for seed in range(6):
        generator = np.random.default_rng(seed)
        given = generator.uniform(-2, 2, (3000, 3))
        given[generator.random(3000) < 0.5, 2] = np.nan
        there = follows(given)
        mu = (there + 0.4 * generator.standard_normal(3000))[:, None]
        values = there[:, None] + 0.5 * generator.standard_normal((3000, 2))
        assert phik(binned(mu), binned(values)).min() > 0.5
        told = beyond(mu, values, given, permutations=19)
        rejected += told.tested.corrected_p.min() <= 0.1
        assert told.explained[0] > 0.6
        mixed = beyond(mu + 0.4 * (values[:, :1] - there[:, None]), values, given, permutations=19)
        assert mixed.tested.corrected_p[0, 0] == 0.05
        assert mixed.tested.phik[0, 0] > 0.3
    assert rejected <= 3  # binomial(6, 0.1): 99.9 % lie within


def test_what_is_missing_is_known_from_a_single_feature():
    generator = np.random.default_rng(11)
    given = np.where(generator.random((2000, 1)) < 0.3, np.nan, generator.standard_normal((2000, 1)))
    mu = np.isnan(given) + 0.1 * generator.standard_normal((2000, 1))
    told = beyond(mu, np.isnan(given) + generator.standard_normal((2000, 1)), given, permutations=19)
    assert told.explained[0] == pytest.approx(1 - 0.01 / (0.21 + 0.01), abs=0.01)


def test_noise_is_not_explained_however_many_features_are_given():
    """A fit to the same melodies would explain half of it."""
    generator = np.random.default_rng(12)
    told = beyond(
        *generator.standard_normal((2, 300, 3)), generator.standard_normal((300, 8)), permutations=1
    )
    assert told.explained.max() == 0


def test_p_is_uniform_where_a_latent_only_follows_the_given():
    rejected = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        given = np.round(3 * generator.standard_normal((300, 2)))
        mu = given[:, :1] + 2 * generator.standard_normal((300, 1))
        values = given + generator.standard_normal((300, 2))
        rejected += (
            beyond(mu, values, given, bins=5, permutations=9, seed=seed).tested.corrected_p.min() <= 0.1
        )
    assert 2 <= rejected <= 21  # binomial(100, 0.1): 99.9 % lie within


def test_nothing_given_is_no_condition():
    values, own, _ = made(7, 500)
    told = beyond(own[:, None], values[:, 4:6], np.zeros((500, 0)), permutations=9)
    assert told.explained[0] < 0.001
    assert told.tested.phik == pytest.approx(
        phik(binned(own[:, None], 10, True), binned(values[:, 4:6], 10, True)), abs=0.02
    )


def test_planted_latents_are_found():
    model = PlantedLatents()
    rolls = model.decode(np.random.default_rng(8).standard_normal((3000, model.latent_dimensions)))
    mu, _ = model.encode(rolls)
    told = features(rolls)
    kept = [i for i, one in enumerate(told.ids) if one not in ("M1", "P19")]
    found = correlate(
        mu[:, [PITCH, RHYTHM, MELODY, 0]],
        told.values[:, kept],
        [told.names[i] for i in kept],
        [told.groups[i] for i in kept],
        permutations=39,
    )
    assert found.answers[:2] == ("pitch", "rhythm")
    assert found.phik[2, found.best[2, 2]] > 0.95
    assert found.answers[3] == "none"
    assert found.melody[1:] == ("with rhythm only", "beyond rhythm", "no melody")
    assert "Initial Tempo" in found.constant


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_few_melodies_and_features_without_values_tell_nothing(n):
    generator = np.random.default_rng(10)
    values = generator.standard_normal((n, 3))
    values[:, 2] = np.nan
    groups = ("pitch", "rhythm", "melody")
    found = correlate(generator.standard_normal((n, 4)), values, "abc", groups, permutations=3)
    assert found.answers == ("none",) * 4
    assert found.melody == ("no melody",) * 4
    assert "c" in found.constant
    assert np.isnan(found.phik[:, 2]).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mu": np.zeros((9, 2))}, "latents [9, 2], features [30, 7]"),
        ({"mu": np.zeros(30)}, "latents [30]"),
        ({"mu": np.full((30, 2), np.nan)}, "latents: nan in row 0, column 0"),
        ({"names": NAMES[:3]}, "7 columns, 3 names, 7 groups"),
        ({"values": np.zeros((30, 0)), "names": (), "groups": ()}, "0 columns"),
        ({"groups": ("timbre",) * 7}, "feature group 'timbre'"),
        ({"bins": 1}, "bins: 1"),
        ({"permutations": 0}, "permutations: 0"),
    ],
)
def test_bad_input_is_told_in_one_line(change, told):
    values, _, generator = made(9, 30)
    good = {"mu": generator.standard_normal((30, 2)), "values": values, "names": NAMES, "groups": GROUPS}
    with pytest.raises(InputError) as error:
        correlate(**{**good, "permutations": 3, **change})
    assert told in str(error.value)
    assert "\n" not in str(error.value)
