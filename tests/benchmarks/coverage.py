"""How often 95 % intervals over eight groups hold the mean of many.

Run with ``python -m tests.benchmarks.coverage [ENCODER ...]``; the outcome is in ``coverage.md``. Twelve
seeds give 96 groups, with components and contexts of their own, whose mean is taken for the truth. Eight of
them at a time, drawn 400 times, give intervals; counted is how often they hold it. (Eight of 96 spread by 4 %
less about their mean than eight of infinitely many would about theirs.)
"""

import sys

import numpy as np

from tonotopy.encoders import load
from tonotopy.probes import access, place, presence, stability
from tonotopy.probes.composition.draws import GROUPS
from tonotopy.probes.engine.session import Session
from tonotopy.probes.statistics.groups import group_interval, group_methods

SEEDS, REPEATS = 12, 400


def pooled(name: str, stage: str) -> dict[str, tuple[np.ndarray, int]]:
    """Values of all groups, and the trials each is a proportion of (0: it is none)."""
    found: dict[str, list[np.ndarray]] = {}
    encoder = load(name)
    trials: dict[str, int] = {}
    for seed in range(SEEDS):
        session = Session(encoder, [stage], seed=seed)
        there, same, where, read = (
            ask(session).sel(stage=stage) for ask in (presence, stability, place, access)
        )
        components = there.sizes["component"]
        values = {
            "presence": there.proportion_by_group,
            "transferable": there.transferable_by_group,
            "containment": same.containment_by_group,
            "confusion at 4.5 semitones": same.confusion_by_group.sel(spacing_semitones=4.5),
            "place": where.place_by_group,
            "linear access, of 5": read.auc_by_group.sel(order="linear", density=5),
            "quadratic access, of 5": read.auc_by_group.sel(order="quadratic", density=5),
        }
        trials = {"presence": 2 * components, "transferable": 2 * components}
        for what, of in values.items():
            found.setdefault(what, []).append(of.values)
    return {what: (np.concatenate(of), trials.get(what, 0)) for what, of in found.items()}


def covered(values: np.ndarray, trials: int, generator: np.random.Generator) -> tuple[float, float]:
    """Share of intervals over eight groups that hold the mean of all, and their mean half-width."""
    drawn = np.stack([generator.permutation(values)[:GROUPS] for _ in range(REPEATS)])
    low, high = group_interval(drawn, trials)
    truth = values.mean()
    return float(((low <= truth + 1e-9) & (truth - 1e-9 <= high)).mean()), float((high - low).mean() / 2)


def main(names: list[str]) -> None:
    """Print the table."""
    print("| encoder | measure | mean | half-width | holds |\n|---|---|---|---|---|", flush=True)
    for name in names:
        stage = next(iter(load(name).stages)) if ":" in name else "latent"
        for what, (values, trials) in pooled(name, stage).items():
            share, half = covered(values, trials, np.random.default_rng(0))
            rule = " (Wilson)" if len(group_methods(values, trials)) > 1 else ""
            print(f"| {name} | {what} | {values.mean():.3f} | {half:.3f} | {share:.3f}{rule} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["filterbank:stft_magnitude", "codec_tiny"])
