"""Tuning to chords: what responses follow, root, quality or position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ...selecting import at_stage, stages_with
from ...writing import listed
from ..drawing import RANDOM, TRAINED, Illustration, box, canvas, seeds_label

FACTORS = ("root", "quality", "position")


def chord_shares(tuning: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw the distribution over channels of the variance shares of root, quality and position.

    Parameters
    ----------
    tuning : xarray.Dataset
        Group "chord_tuning" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines, pooled.
    name : str
        What the encoder is called.
    """
    stages = stages_with(tuning, "root_share")
    found = []
    with canvas(0.9 + 1.7 * len(stages), f"{name}: what responses to chords follow") as figure:
        grid = figure.subplots(len(stages), 1, squeeze=False, sharex=True)[:, 0]
        for axes, stage in zip(grid, stages, strict=True):
            seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "root_share")]
            one = at_stage(tuning, stage)
            label = seeds_label(len(seeds))
            for factor, row in zip(FACTORS, np.arange(len(FACTORS), 0, -1), strict=True):
                shares = [_finite([one], factor), _finite(seeds, factor)]
                box(axes, shares[0], row + 0.19, TRAINED, name or "encoder")
                if len(shares[1]):
                    box(axes, shares[1], row - 0.19, RANDOM, label)
            axes.set_yticks([3, 2, 1], FACTORS)
            axes.set(xlim=(-0.02, 1.02), ylim=(0.5, 3.5), title=stage)
            axes.set_ylabel("factor")
            medians = [f"{f} {np.median(_finite([one], f)):.2f}" for f in FACTORS if len(_finite([one], f))]
            found.append(f"{stage}: {', '.join(medians)}")
        grid[-1].set_xlabel("share of the response's variance (1 = all)")
        known = {label: h for h, label in zip(*grid[0].get_legend_handles_labels(), strict=True)}
        figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=2)
    levels = tuning.sizes
    return Illustration(
        "chord-shares",
        "Root, quality or position",
        figure,
        "Does a channel's answer to a chord follow its root, its quality, or how its notes are laid out?",
        "Boxes span the middle half of the channels, whiskers 5 to 95 %. A factor with more levels can "
        "explain "
        f"more by chance ({levels['root']} roots, {levels['quality']} qualities, {levels['position']} "
        "positions): "
        f"read against the random weights. Medians: {listed(found)}.",
        "Box plots of the variance shares explained by root, quality and position over the channels of "
        f"{name} at "
        f"{', '.join(stages)}{', random networks beside them' if random else ''}.",
    )


def _finite(probes: Sequence[xr.Dataset], factor: str) -> np.ndarray:
    values = [p[f"{factor}_share"].values.ravel() for p in probes]
    joined = np.concatenate(values) if values else np.zeros(0)
    return joined[np.isfinite(joined)]
