"""phik of 512 latents by 100 features: ours in whole, the package's from a stated few pairs."""

import time
import warnings

import numpy as np
import pandas as pd

from tonotopy.probes.statistics.phik import binned, phik
from tonotopy.probes.statistics.phik_null import permutation_null

from .table import Row

ROWS = 100_000
LATENTS, FEATURES, NEURONS = 512, 100, 37
SUBSET = 2, 4  # columns of either side that the package is given: 6 to bin, 15 pairs
PERMUTATIONS = 199
MEASURED = 10  # permutations that are timed, and scaled up
REPEATS = 5  # the shortest counts: others' work on the machine only ever adds


def columns() -> tuple[np.ndarray, np.ndarray]:
    """Draw normal latents; features that follow one each, some of them in few steps, some far out."""
    generator = np.random.default_rng(0)
    latents = generator.standard_normal((ROWS, LATENTS), dtype=np.float32)
    features = latents[:, :FEATURES] + generator.standard_normal((ROWS, FEATURES), dtype=np.float32)
    features[:, 1::3] = np.round(features[:, 1::3])
    features[:, 2::3] = np.exp(features[:, 2::3])
    return latents, features


def package_seconds(table: pd.DataFrame) -> tuple[float, np.ndarray]:
    """Time the package on a few columns; scale its binning to all columns, and its pairs to all pairs."""
    from phik.binning import auto_bin_data
    from phik.phik import phik_from_rebinned_df

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own regard for pandas
        start = time.perf_counter()
        codes, _ = auto_bin_data(table, list(table.columns), verbose=False)
        binning = time.perf_counter() - start
        start = time.perf_counter()
        matrix = phik_from_rebinned_df(codes, njobs=1)  # more jobs are slower
        pairing = time.perf_counter() - start
    n = len(table.columns)
    each = pairing / (n * (n - 1) / 2)  # pairs of a column and itself take it no time
    return binning / n * (LATENTS + FEATURES) + each * LATENTS * FEATURES, matrix.to_numpy()


def rows() -> list[Row]:
    """Compare times and values; time the permutation null."""
    latents, features = columns()
    a, b = SUBSET
    few = pd.DataFrame(np.hstack([latents[:, :a], features[:, :b]]))
    times, theirs = [], []
    for _ in range(REPEATS):  # in turns
        start = time.perf_counter()
        found = phik(binned(latents), binned(features))
        times.append(time.perf_counter() - start)
        seconds, matrix = package_seconds(few)
        theirs.append(seconds)
    ours, package = min(times), min(theirs)
    difference = np.abs(matrix[:a, a:] - found[:a, :b]).max()
    x, y = binned(latents[:, :NEURONS]), binned(features)
    start = time.perf_counter()
    permutation_null(x, y, MEASURED)
    null = (time.perf_counter() - start) * PERMUTATIONS / MEASURED
    return [
        Row(
            f"phik: {LATENTS} x {FEATURES} columns, {ROWS:,} rows",
            f"{ours:.2f} s",
            f"package {package:.0f} s of {(a + b) * (a + b - 1) // 2} pairs",
            package / ours,
            400,
        ),
        Row("  greatest difference", f"{difference:.1e}", "package's xtol 1e-05", difference, 1e-5, True),
        Row(
            f"  null of {NEURONS} x {FEATURES}, {PERMUTATIONS} permutations",
            f"{null:.1f} s",
            "90 s",
            null / 90,
            1,
            True,
        ),
    ]


if __name__ == "__main__":
    for row in rows():
        print(row)
