"""Tuning to chords: what responses follow, root, quality or position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ...selecting import at_stage, five_numbers, spread, stages_with
from ..drawing import LABEL_SIZE, RANDOM, TRAINED, Illustration, box, canvas, one_legend, seeds_label
from ..panels import MOST_STAGES, panel_rows, panels, shortened
from ..tables import Row, table

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
    stages = [str(s) for s in spread(np.array(stages_with(tuning, "root_share")), MOST_STAGES)]
    rows = []
    title = f"{name}: what responses to chords follow"
    with canvas(1.1 + 1.3 * panel_rows(len(stages)), title) as figure:
        below = "share of variance (1 = all)"
        for axes, stage in zip(panels(figure, len(stages), below), stages, strict=True):
            seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "root_share")]
            one = at_stage(tuning, stage)
            for factor, y in zip(FACTORS, np.arange(len(FACTORS), 0, -1), strict=True):
                own, among = _finite([one], factor), _finite(seeds, factor)
                box(axes, own, y + 0.19, TRAINED, name or "encoder")
                box(axes, among, y - 0.19, RANDOM, seeds_label(len(seeds)))
                levels = tuning.sizes[factor]
                rows += [_row(stage, factor, levels, who, v) for who, v in ((name, own), ("random", among))]
            axes.set_yticks([3, 2, 1], FACTORS)
            axes.set(xlim=(-0.02, 1.02), ylim=(0.5, 3.5), title=shortened(stage, 15))
        figure.supylabel("factor", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "chord-shares",
        "Root, quality or position",
        figure,
        "Does a channel's answer to a chord follow its root, its quality, or how its notes are laid out?",
        "Boxes span the middle half of the channels, whiskers 5 to 95 %. A factor with more levels can "
        "explain more by chance: read against the random weights.",
        "Box plots of the variance shares explained by root, quality and position over the channels of "
        f"{name} at {', '.join(stages)}{', random networks beside them' if random else ''}.",
        "Boxes of all channels: the further right, the more of the answer to a chord that factor explains.",
        table([row for row in rows if row]),
    )


def _row(stage: str, factor: str, levels: int, network: str, shares: np.ndarray) -> Row:
    if not len(shares):
        return {}
    ends = zip(("5 %", "25 %", "median", "75 %", "95 %"), five_numbers(shares), strict=True)
    about: Row = {"stage": stage, "factor": factor, "levels": levels, "network": network or "encoder"}
    return {**about, "channels": len(shares), **{f"{end} of shares (1)": float(v) for end, v in ends}}


def _finite(probes: Sequence[xr.Dataset], factor: str) -> np.ndarray:
    values = [p[f"{factor}_share"].values.ravel() for p in probes]
    joined = np.concatenate(values) if values else np.zeros(0)
    return joined[np.isfinite(joined)]
