"""phik against the package of that name, closed forms, and what it may not depend on."""

import warnings

import numba
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import chi2_contingency

from tonotopy.probes.statistics.binormal import angle_curve, correlation_of
from tonotopy.probes.statistics.phik import MISSING, Binned, binned, phik, phik_from_table, significance
from tonotopy.synth.errors import InputError

pytestmark = pytest.mark.numerical

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the package's own regard for pandas
    from phik.binning import auto_bin_data
    from phik.bivariate import chi2_from_phik
    from phik.phik import phik_from_hist2d, phik_from_rebinned_df
    from phik.significance import significance_from_hist2d

XTOL = 1e-5  # the package's roots are no nearer than that
ANCHORS = (
    ([[10, 2], [3, 15]], 0.7815015838, 0.8000892879),
    ([[30, 5, 2], [4, 40, 6], [1, 7, 25]], 0.9344662160, 0.9371653598),
)


def package_pair(x, y, bins, quantile, noise_correction=True):
    """Let the package bin and correlate two columns, NaN left out."""
    table = pd.DataFrame({"x": x, "y": y})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant columns; pandas on groups
        numbers = dict(zip("xy", bins, strict=True))
        codes, _ = auto_bin_data(table, ["x", "y"], bins=numbers, quantile=quantile, verbose=False)
        if len(codes.columns) < 2:
            return np.nan
        return phik_from_rebinned_df(codes, noise_correction, njobs=1).loc["x", "y"]


def some_pair(kind, n, generator):
    x, noise = generator.standard_normal((2, n))
    rho = generator.choice([0.05, 0.3, 0.6, 0.9, 0.99])
    if kind == "gaussian":
        return x, rho * x + np.sqrt(1 - rho**2) * noise
    if kind == "independent":
        return x, noise
    if kind == "parabola":
        return x, x**2
    if kind == "discrete":
        return np.round(2 * x), np.round(2 * x + noise)
    if kind == "heavy":
        return generator.standard_cauchy(n), np.exp(2 * noise)
    if kind == "constant":
        return np.full(n, 0.7), noise
    if kind == "binary":
        return (x > 0) * 1.0, (x + noise > 0.5) * 1.0
    if kind == "missing":
        y = x + noise
        return np.where(generator.random(n) < 0.2, np.nan, x), np.where(y > 0.5, np.nan, y)
    assert kind == "same"
    return x, 3 - 2 * x


KINDS = ("gaussian", "independent", "parabola", "discrete", "heavy", "constant", "binary", "missing", "same")


def test_two_hundred_pairs_of_many_kinds_equal_the_package():
    generator, compared, there = np.random.default_rng(0), 0, 0
    while compared < 207:
        for kind in KINDS:
            n = int(generator.choice([12, 60, 400, 3000]))
            bins = [int(b) for b in generator.integers(2, 21, 2)]
            quantile, noise_correction = bool(generator.integers(2)), bool(generator.integers(4))
            x, y = some_pair(kind, n, generator)
            ours = phik(
                binned(x[:, None], bins[0], quantile), binned(y[:, None], bins[1], quantile), noise_correction
            )[0, 0]
            theirs = package_pair(x, y, bins, quantile, noise_correction)
            assert ours == pytest.approx(theirs, abs=XTOL, nan_ok=True), (kind, n, bins, quantile)
            compared, there = compared + 1, there + (theirs > 0.01)
    assert there > 100  # zeros are easily equal


@pytest.mark.parametrize(("table", "corrected", "uncorrected"), ANCHORS)
def test_anchors_measured_with_the_package(table, corrected, uncorrected):
    assert phik_from_table(table) == pytest.approx(corrected, abs=XTOL)
    assert phik_from_table(table, noise_correction=False) == pytest.approx(uncorrected, abs=XTOL)
    assert phik_from_hist2d(np.array(table)) == pytest.approx(corrected, abs=1e-9)


def pearson(table):
    return float(np.asarray(chi2_contingency(table)[0]))


def package_curve(table, rho):
    """Return what chi2 the package expects at rho, less what the table has."""
    n, (r, c) = table.sum(), table.shape
    found = pearson(table)
    return chi2_from_phik(rho, n, subtract_from_chi2=found, pedestal=(r - 1) * (c - 1), nx=r, ny=c)


def test_where_the_two_differ_ours_is_nearer_to_the_root():
    generator, nearer = np.random.default_rng(1), 0
    tables = [np.array(anchor[0]) for anchor in ANCHORS]
    tables += [generator.poisson(5 + 30 * np.eye(r, c)) for r, c in generator.integers(2, 8, (20, 2))]
    for table in tables:
        root = brentq(lambda rho, table=table: package_curve(table, rho), 0, 1, xtol=1e-14)
        assert isinstance(root, float)
        ours, theirs = phik_from_table(table), phik_from_hist2d(table)
        assert ours == pytest.approx(root, abs=2e-8)
        nearer += abs(ours - root) < abs(theirs - root)
    assert nearer >= 0.9 * len(tables)


def test_two_by_two_is_a_sine():
    """Cells of two by two are 1/4 +- arcsin(rho) / (2 pi); 1e-6 of the normal lies beyond the bins."""
    generator = np.random.default_rng(2)
    for table in generator.integers(5, 60, (50, 2, 2)):
        chi2, n = pearson(table), table.sum()
        expected = np.sin(np.pi / 2 * np.sqrt(max(0, chi2 - 1) / (n - 1)))
        assert phik_from_table(table) == pytest.approx(expected, abs=3e-6)


@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (5, 9), (10, 10), (3, 20), (20, 19), (40, 40)])
def test_the_curve_inverts_what_it_was_made_of(shape):
    """A sum over cells of scipy's bivariate normal, at correlations no panel ends at."""
    r, c = shape
    angles = np.array([0.011, 0.1, 0.5, 1.0, 1.3, 1.5])
    distance = [chi2_from_phik(np.sin(a), 1, scale=1, nx=r, ny=c) for a in [*angles, np.pi / 2]]
    found = correlation_of(np.array(distance[:-1]) / distance[-1], np.full(6, c), np.full(6, r))
    flat = 1e-9 / np.gradient(np.array(distance), np.append(angles, np.pi / 2))[:-1]  # rounding of chances
    assert np.all(np.abs(found - np.sin(angles)) <= 2e-6 + flat)
    assert np.all(np.diff(angle_curve(r, c).x) > 0)


def test_empty_bins_count_in_a_table_but_not_between_columns():
    table = np.array([[30, 5, 0, 2], [4, 40, 0, 6], [0, 0, 0, 0], [1, 7, 0, 25]])
    assert phik_from_table(table) == pytest.approx(phik_from_hist2d(table), abs=XTOL)
    rows, columns = (
        np.repeat(i, table.ravel()).astype(float) for i in np.indices(table.shape).reshape(2, -1)
    )
    dense = table[[0, 1, 3]][:, [0, 1, 3]]
    between = phik(binned(rows[:, None], 4), binned(columns[:, None], 4))
    assert between[0, 0] == pytest.approx(phik_from_table(dense), abs=1e-12)
    assert abs(phik_from_table(table) - phik_from_table(dense)) > 0.001


def test_tables_of_any_number_of_axes_and_degenerate_ones():
    tables = np.zeros((2, 3, 3, 3), int)
    tables[0, 1] = np.eye(3) * 7
    tables[1, 2] = 5
    tables[1, 0, 1] = [1, 2, 3]  # one row only
    got = phik_from_table(tables)
    assert got.shape == (2, 3)
    assert got[0, 1] == 1
    assert got[1, 2] == 0
    assert got[1, 0] == phik_from_hist2d(tables[1, 0]) == 0
    assert np.isnan(got[[0, 0, 1], [0, 2, 1]]).all()


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 16), st.integers(2, 16), st.booleans())
def test_columns_counted_in_pairs_are_what_each_is_by_itself(seed, x_bins, y_bins, missing):
    """Odd and even numbers of columns, packs of one and two, blocks of rows."""
    generator = np.random.default_rng(seed)
    x, y = generator.standard_normal((70, generator.integers(1, 6))), generator.standard_normal((70, 5))
    y[:, 1] = 1.0
    y[:, 2] = np.round(y[:, 2])
    if missing:
        x[generator.random(x.shape) < 0.3] = np.nan
        y[generator.random(y.shape) < 0.3] = np.nan
    x_binned, y_binned = binned(x, x_bins), binned(y, y_bins)
    whole = phik(x_binned, y_binned)
    for i in range(x.shape[1]):
        for j in range(5):
            table = np.zeros((x_bins, y_bins), int)
            a, b = x_binned.codes[i], y_binned.codes[j]
            there = (a != MISSING) & (b != MISSING)
            np.add.at(table, (a[there], b[there]), 1)
            table = table[table.any(1)][:, table.any(0)]
            expected = phik_from_table(table) if min(table.shape) > 1 else np.nan
            assert whole[i, j] == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_rows_beyond_what_a_small_counter_holds():
    n = 200_001
    x = (np.arange(n) % 100_000 == 7) * 1.0  # two to three rows of one kind, far over 65,535 of the other
    table = np.array([[n - 3, 0], [0, 3]]) if x.sum() == 3 else np.array([[n - 2, 0], [0, 2]])
    assert phik(binned(x[:, None]), binned(x[:, None]))[0, 0] == pytest.approx(
        phik_from_table(table), abs=1e-12
    )


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 254), st.booleans())
def test_bins_are_the_edges_the_package_makes(seed, bins, quantile):
    from phik.binning import bin_edges

    generator = np.random.default_rng(seed)
    column = np.round(generator.standard_cauchy(50), generator.integers(0, 6)) * 10.0 ** generator.integers(
        -9, 9
    )
    column[::7] = np.nan
    got = binned(column[:, None], bins, quantile)
    edges = bin_edges(column, bins, quantile)
    assert np.array_equal(got.edges[0], edges)
    there = ~np.isnan(column)
    assert np.array_equal(got.codes[0, there], np.searchsorted(edges, column[there]) - 1)
    assert (got.codes[0, ~there] == MISSING).all()
    assert got.bins == bins


def test_order_of_rows_direction_and_names_of_bins_do_not_matter():
    generator = np.random.default_rng(3)
    x = generator.standard_normal((500, 3))
    y = x[:, :2] + generator.standard_normal((500, 2))
    a, b = binned(x), binned(y, 7)
    first = phik(a, b)
    order = generator.permutation(500)
    assert np.allclose(phik(Binned(a.codes[:, order], a.edges), Binned(b.codes[:, order], b.edges)), first)
    assert np.allclose(phik(b, a).T, first)
    assert np.allclose(phik(Binned(9 - a.codes, a.edges), b), first)


def test_values_do_not_depend_on_threads():
    generator = np.random.default_rng(5)
    x, y = binned(generator.standard_normal((300, 9))), binned(generator.standard_normal((300, 4)))
    usual = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = phik(x, y)
    finally:
        numba.set_num_threads(usual)
    assert np.array_equal(alone, phik(x, y))


def test_significance_equals_the_packages_asymptotic_one():
    generator, compared = np.random.default_rng(4), 0
    for n, strength in ((40, 0.3), (300, 0.5), (3000, 0.2), (3000, 3.0), (300, 0.0)):
        x = generator.standard_normal(n)
        y = strength * x + generator.standard_normal(n)
        for bins in (2, 5, 10):
            a, b = binned(x[:, None], bins), binned(y[:, None], bins)
            table = np.zeros((bins, bins))
            np.add.at(table, (a.codes[0], b.codes[0]), 1)
            table = table[table.any(1)][:, table.any(0)]
            _, theirs = significance_from_hist2d(table, significance_method="asymptotic")
            assert significance(a, b)[0, 0] == pytest.approx(theirs, rel=1e-6, abs=1e-9)
            compared += 1
    assert compared == 15
    assert significance(a, b)[0, 0] < 3
    assert np.isnan(significance(binned(np.ones((5, 1))), binned(np.arange(5.0)[:, None])))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: binned([1.0, 2.0]), "values: float64 [2]"),
        (lambda: binned(np.zeros((0, 3))), "values: float64 [0, 3]"),
        (lambda: binned([["a"]]), "a matrix of numbers"),
        (lambda: binned([[1.0, 2.0], [0.0, np.inf]]), "inf in row 1, column 1"),
        (lambda: binned([[1.0]], bins=1), "bins: 1 given, a whole number of 2 to 254"),
        (lambda: binned([[1.0]], bins=255), "bins: 255 given"),
        (lambda: phik(binned([[1.0]]), binned([[1.0], [2.0]])), "rows: x has 1 and y 2"),
        (lambda: phik_from_table([[1, 2]]), "counts: int64 [1, 2]"),
        (lambda: phik_from_table([[1, -2], [3, 4]]), "counts: -2"),
        (lambda: phik_from_table([[1, 0.5], [3, 4]]), "counts: 0.5"),
    ],
)
def test_bad_input_is_told_in_one_line(call, told):
    with pytest.raises(InputError) as error:
        call()
    assert told in str(error.value)
    assert "\n" not in str(error.value)
