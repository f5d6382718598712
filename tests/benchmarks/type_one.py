"""How often a mean that is the threshold is rejected at 0.05, and how often intervals cover.

``python -m tests.benchmarks.type_one`` prints the tables that ``type_one.md`` beside this file keeps: 4000
draws a cell (correlations 1000), two-sided, standard error 0.35 points at 5 %..
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.stats import norm

from tonotopy.probes.hypotheses.deciding import two_sided
from tonotopy.probes.hypotheses.evidence import PerGroup, PerUnit
from tonotopy.probes.hypotheses.exchanges import Association
from tonotopy.probes.statistics.means import widest_tails

RECORD = Path(__file__).with_suffix(".md")
DRAWS, PAIRED_DRAWS = 4000, 1000
SIZES = (8, 10, 16)
ITEMS = 32  # of a group: 16 partials in two contexts
MOST = 20.0  # of a lognormal unit whose range is known
RESAMPLES = 399  # of the old method

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def one_in_ten(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """One unit in ten lies near 1, the others near 0."""
    near = 0.04 * generator.random(shape)
    return np.where(generator.random(shape) < 0.1, 1 - near, near)


UNITS: dict[str, tuple[Draw, float, tuple[float, float]]] = {
    # what units are, how they are drawn, their mean, and a range that holds them
    "normal": (lambda g, s: np.clip(g.normal(size=s), -4, 4), 0.0, (-4, 4)),
    "lognormal": (
        lambda g, s: np.minimum(g.lognormal(size=s), MOST),
        float(np.exp(0.5) * norm.cdf(np.log(MOST) - 1) + MOST * norm.sf(np.log(MOST))),
        (0, MOST),
    ),
    "one in ten": (one_in_ten, 0.1 * 0.98 + 0.9 * 0.02, (0, 1)),
}


def p_before(values: np.ndarray, threshold: float, seed: int) -> float:
    """Two-sided p of the method before: signs flipped, and percentile bootstrap; the larger."""
    generator, away = np.random.default_rng(seed), values - threshold
    signs = generator.choice([-1, 1], (RESAMPLES, len(away)))
    means = away[generator.integers(len(away), size=signs.shape)].mean(1)
    flipped = signs @ away / len(away)
    ends = [
        max((1 + np.sum(side * flipped >= side * away.mean())) / (1 + RESAMPLES), np.mean(side * means <= 0))
        for side in (1, -1)
    ]
    return two_sided(*ends)


def p_studentised(values: np.ndarray, threshold: float) -> float:
    """Two-sided p as if all units were known to be like those drawn."""
    return two_sided(*widest_tails(PerUnit(values).methods(), threshold))


METHODS: dict[str, Callable[[np.ndarray, float, tuple[float, float], int], float]] = {
    "before: signs and percentiles": lambda v, t, b, seed: p_before(v, t, seed),
    "PerUnit, its studentised part": lambda v, t, b, seed: p_studentised(v, t),
    "PerUnit": lambda v, t, b, seed: two_sided(*PerUnit(v).tails(t)),
    "PerUnit with bounds": lambda v, t, b, seed: two_sided(*PerUnit(v, b).tails(t)),
}


def rejected(method: str, kind: str, size: int, draws: int = DRAWS) -> float:
    """Share of draws in which a method rejects the true mean of single items."""
    draw, mean, bounds = UNITS[kind]
    several = draw(np.random.default_rng(size), (draws, size))
    return float(np.mean([METHODS[method](one, mean, bounds, i) <= 0.05 for i, one in enumerate(several)]))


def rejected_groups(kind: str, size: int, repeats: int = 1, draws: int = DRAWS) -> float:
    """Share of draws in which `PerGroup` rejects the true mean of groups of 32 items."""
    draw, mean, _ = UNITS[kind]
    generator = np.random.default_rng(size)
    found = []
    for _ in range(draws):
        groups = draw(generator, (repeats, size, ITEMS)).mean(2)
        if repeats > 1:  # that differ as much as groups do
            groups += draw(generator, (repeats, 1, ITEMS)).mean(2) - mean
        found.append(two_sided(*PerGroup(groups).tails(mean)) <= 0.05)
    return float(np.mean(found))


def covered(
    proportion: float, concentration: float, trials: int, groups: int = 8, draws: int = DRAWS
) -> float:
    """Share of intervals of eight groups' proportions that hold the true one."""
    generator = np.random.default_rng(trials)
    spread = (proportion * concentration, (1 - proportion) * concentration)
    found = []
    for _ in range(draws):
        own = generator.beta(*spread, groups) if np.isfinite(concentration) else np.full(groups, proportion)
        low, high = PerGroup(generator.binomial(trials, own) / trials, trials).interval()
        found.append(low <= proportion <= high)
    return float(np.mean(found))


def covered_correlation(correlation: float, size: int, draws: int = PAIRED_DRAWS) -> float:
    """Share of BCa intervals that hold the rank correlation of normal pairs."""
    generator, found = np.random.default_rng(size), []
    truth = 6 / np.pi * np.arcsin(correlation / 2)  # Pearson 1907
    for i in range(draws):
        pairs = generator.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size)
        low, high = Association(*pairs.T).interval(i)
        found.append(low <= truth <= high)
    return float(np.mean(found))


def table(title: str, columns: tuple[str, ...], rows: Iterator[tuple[str, list[float]]]) -> Iterator[str]:
    """Yield the lines of a table of shares, in percent."""
    yield from ("", f"## {title}", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|")
    for name, shares in rows:
        yield f"| {name} | {' | '.join(f'{100 * share:.1f}' for share in shares)} |"


def lines() -> Iterator[str]:
    """Yield all tables."""
    yield "# Rejections of the truth, and coverage, in percent"
    yield ""
    yield "Written by `python -m tests.benchmarks.type_one`. Nominal: 5 rejected, 95 covered."
    cells = tuple(f"{kind}, {size}" for kind in UNITS for size in SIZES)
    yield from table(
        "Single items: rejections",
        cells,
        ((m, [rejected(m, kind, size) for kind in UNITS for size in SIZES]) for m in METHODS),
    )
    yield from table(
        f"Groups of {ITEMS} items (PerGroup): rejections",
        cells,
        (
            (f"{repeats} repeats", [rejected_groups(k, n, repeats) for k in UNITS for n in SIZES])
            for repeats in (1, 2, 3)
        ),
    )
    proportions = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 1.0)
    yield from table(
        "Eight groups of binary outcomes (PerGroup with trials): coverage",
        tuple(f"p {p:g}" for p in proportions),
        (
            (
                f"{trials} trials, groups {'alike' if np.isinf(c) else f'spread as beta of {c}'}",
                [covered(p, c if p < 1 else np.inf, trials) for p in proportions],
            )
            for trials in (16, 32, 128)
            for c in (np.inf, 200, 30)
        ),
    )
    yield from table(
        "Rank correlation (Association, BCa): coverage",
        tuple(f"{size} units" for size in (8, 10, 20, 40)),
        ((f"r {r:g}", [covered_correlation(r, size) for size in (8, 10, 20, 40)]) for r in (0.0, 0.5, 0.9)),
    )


if __name__ == "__main__":
    found = []
    for line in lines():
        print(line, flush=True)
        found.append(line)
    RECORD.write_text("\n".join(found) + "\n")
