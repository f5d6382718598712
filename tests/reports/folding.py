"""Results of the aliasing and tiling probes, of known content."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.filters.bank import SPACINGS
from tonotopy.probes.folding.collapse import collapse_remark
from tonotopy.probes.folding.folding import components, fold
from tonotopy.probes.run.registry import schema

RATE = 22_050
STAGES = {"first_layer": (12, 3, 3.0, "convolution"), "stack_end": (20, 729, 1093.0, "nonlinear")}
FRAME_RATE_HZ = RATE / 729
# 12 tones, and for each of the last 9 one that shares its fold at stack_end
TONES_HZ = np.sort(np.concatenate([grid := np.geomspace(80.0, 4000.0, 12), grid[3:] + 40 * FRAME_RATE_HZ]))
LEVELS_DBFS = np.array([-40.0, -20.0, 0.0])
AT_FOLD = {"first_layer": 1.0, "stack_end": 0.25}
COLLAPSE = {"first_layer": np.nan, "stack_end": 0.6}


def coordinates(channels: bool = True) -> dict[str, np.ndarray]:
    width, hops, fields, kinds = (np.array(column) for column in zip(*STAGES.values(), strict=True))
    values = {
        "stage": np.array(list(STAGES)), "n_channels": width, "hop": hops, "nyquist_hz": RATE / (2 * hops),
        "receptive_field": fields, "kind": kinds,
    }  # fmt: skip
    if channels:
        settled = {"first_frame": np.zeros(2, int), "n_frames": np.full(2, 101), "settled": np.full(2, True)}
        values |= {"channel": np.arange(width.max()), **settled}
    return values


def shares(items: int, n_partials: int, levels: int) -> np.ndarray:
    """Return bank shares [stage, item, component(, level)]: what is not the fold is half mean shift."""
    names = components(n_partials)
    values = np.zeros((2, items, len(names), levels))
    for i, at_fold in enumerate(AT_FOLD.values()):
        values[i, :, names.index("fold")] = at_fold
        values[i, :, names.index("mean_shift")] = (1 - at_fold) / 2
        values[i, :, names.index("intermodulation" if n_partials > 1 else "rest")] = (1 - at_fold) / 2
    return values if levels > 1 else values[..., 0]


def aliasing(seed: int) -> xr.Dataset:
    generator = np.random.default_rng(seed)
    n, rows = len(TONES_HZ), 51
    rates = np.array([RATE / hop for _, hop, _, _ in STAGES.values()])
    folds = fold(TONES_HZ, rates[:, None])
    alias_map = np.full((2, n, rows, 3), 1e-4)
    row = np.rint(2 * folds / rates[:, None] * (rows - 1)).astype(int)
    for i, at_fold in enumerate(AT_FOLD.values()):
        alias_map[i, np.arange(n), row[i]] = at_fold
    similarity = np.full((2, n, n, 3), 0.1)
    similarity[1, np.abs(folds[1][:, None] - folds[1]) < 1e-6] = 0.7
    similarity[:, np.arange(n), np.arange(n)] = 1.0
    share = np.repeat(shares(n, 1, 3)[:, None], 20, axis=1)
    share[0, 12:] = np.nan
    collapse = np.repeat(np.array(list(COLLAPSE.values()))[:, None], 3, axis=1)
    rejection = generator.normal(-5.0, 3.0, (2, 20, 3))
    coincident = np.zeros((2, n, 7), dtype=bool)
    coincident[1, :4, 3] = True
    return dataset(
        schema()["aliasing"],
        {
            **coordinates(), "frequency": TONES_HZ, "frequency_2": TONES_HZ, "level_dbfs": LEVELS_DBFS,
            "component": np.array(components(1)), "output": np.linspace(0, 1, rows),
            "predicted_fold": folds, "coincident": coincident, "apart": np.array([100.0, 80.0]),
            "share": share, "response": np.ones((2, 20, n, 3)), "bank_share": shares(n, 1, 3),
            "null_share": np.full((2, n, 3), 0.02), "fold_p": np.full((2, 3), 0.001),
            "n_below_floor": np.array([[0, 0, 0], [40, 40, 40]]), "level_effect": np.array([0.0, 0.31]),
            "alias_map": alias_map, "rejection": rejection, "bank_rejection": np.full((2, 3), -4.5),
            "similarity": similarity, "collapse": collapse, "collapse_low": collapse - 0.1,
            "collapse_high": collapse + 0.1, "collapse_p": collapse * 0 + 0.001,
            "collapse_chance": collapse * 0 + 0.45, "n_sharing": np.array([[2] * 3, [9] * 3]),
            "remark": np.array([collapse_remark(np.nan, 2), ""]),
        },
    )  # fmt: skip


def intermodulation() -> xr.Dataset:
    lower = np.geomspace(100.0, 3000.0, 5)
    share = np.repeat(shares(5, 2, 1)[:, None], 20, axis=1)
    return dataset(
        schema()["intermodulation"],
        {
            **coordinates(), "pair": np.arange(5), "lower": lower, "upper": 1.26 * lower,
            "component": np.array(components(2)), "coincident": np.zeros((2, 5, 8), dtype=bool),
            "share": share, "response": np.ones((2, 20, 5)), "bank_share": shares(5, 2, 1),
            "n_below_floor": np.zeros(2),
        },
    )  # fmt: skip


def invertibility(seed: int) -> xr.Dataset:
    turn = np.linspace(0, 0.5, 65)
    smallest = np.stack([0.3 + 0.1 * np.cos(2 * np.pi * turn), np.zeros(65)]) * (1 + seed / 10)
    return dataset(
        schema()["invertibility"],
        {
            **coordinates(channels=False), "turn": turn, "method": np.array(["polyphase", "jacobian"]),
            "remark": np.array(["", "foretells no answers"]), "smallest_singular_value": smallest.min(1),
            "smallest_nonzero_singular_value": np.array([0.2, 0.01]),
            "largest_singular_value": np.array([2.0, 1.0]), "condition_number": np.array([10.0, np.inf]),
            "rank_share": np.array([1.0, 0.03]), "channels_per_hop": np.array([4.0, 20 / 729]),
            "kernel_length": np.array([3.0, 1093.0]), "linearisation_error": np.array([0.0, 0.8]),
            "smallest_by_turn": smallest, "largest_by_turn": np.stack([2 + 0 * turn, 1 + 0 * turn]),
        },
    )  # fmt: skip


def representability(seed: int) -> xr.Dataset:
    generator = np.random.default_rng(seed)
    predicted = generator.uniform(0.1, 1.0, (2, 12))
    nothing = np.array([np.nan, np.nan])
    return dataset(
        schema()["representability"],
        {
            **coordinates(), "signal": np.arange(12), "signal_kind": np.array(["single", "chord"] * 6),
            "n_partials": np.arange(1, 13), "predicted": predicted, "recovered": predicted**2,
            "in_band": np.ones((2, 12)), "resolution": np.array([10.0, 2.0]), "n_rows": np.full(2, 240),
            "correlation": np.array([0.82, np.nan]), "correlation_low": np.array([0.7, np.nan]),
            "correlation_high": np.array([0.9, np.nan]), "correlation_p": np.array([0.001, np.nan]),
            "density_correlation": nothing, "partial_correlation": nothing,
            "partial_correlation_p": nothing, "remark": np.array(["", "all are recovered alike"]),
        },
    )  # fmt: skip


def tiling(seed: int) -> xr.Dataset:
    generator = np.random.default_rng(seed)
    frequency = np.geomspace(40.0, 11_000.0, 64)
    half = generator.uniform(-0.5, 0.5, (2, 20, 20))
    gram = (half + half.transpose(0, 2, 1)) / 2
    gram[:, np.arange(20), np.arange(20)] = 1.0
    per_channel = generator.uniform(100.0, 5000.0, (2, 20))
    per_channel[0, 12:] = np.nan
    return dataset(
        schema()["tiling"],
        {
            **coordinates(), "frequency": frequency, "spacing": np.array(SPACINGS), "level_dbfs": -20.0,
            "n_live": np.array([12, 20]), "linear_share": np.where(np.isfinite(per_channel), 0.4, np.nan),
            "rank": np.arange(20), "rank_2": np.arange(20),
            "gram": gram, "gram_channel": np.array([[*range(12), *[-1] * 8], range(20)]),
            "mutual_coherence": np.array([0.9, 0.8]), "mean_coherence": np.array([0.3, 0.2]) + seed / 100,
            "welch_bound": np.array([0.5, 0.0]), "effective_rank": np.array([3.0, 11.0]),
            "effective_rank_share": np.array([1.0, 0.55]), "coverage": generator.normal(0, 3, (2, 64)),
            "frame_bound_low": np.array([0.5, 0.1]), "frame_bound_high": np.array([2.0, 3.0]),
            "frame_bound_ratio": np.array([6.0, 14.8]), "evenly_covered_share": np.array([0.8, 0.4]),
            "spacing_distance": np.array([[0.3, 0.4, 0.1, 0.2], [0.2, 0.5, 0.3, 0.4]]),
            "neighbour_overlap": np.array([0.7, 0.8]), "best_frequency": per_channel,
            "equivalent_noise_bandwidth": per_channel, "noise_bandwidth_floor": per_channel / 2,
            "nyquist_share": per_channel / 5000.0, "even_bandwidth": np.array([900.0, 500.0]),
        },
    )  # fmt: skip


def whole(seed: int) -> dict[str, xr.Dataset]:
    return {
        "aliasing": aliasing(seed),
        "intermodulation": intermodulation(),
        "invertibility": invertibility(seed),
        "representability": representability(seed),
        "tiling": tiling(seed),
    }
