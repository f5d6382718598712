"""Reuse: whether a component keeps its codes among other sounds and at other phases."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ..statistics.resampling import RESAMPLES, permutation_p

TIE = 1e-9  # sums that differ by less are the same but for rounding


def agreements(tokens: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Count how often codes are alike.

    Parameters
    ----------
    tokens : int [N, C, K, F, Q]
        Codes of N components in C contexts at K phases in F frames.
    seed : int
        Of dealing the components anew.

    Returns
    -------
    found : dict of float64 [N, Q]
        By the names of the schema's group "codes"; `reuse_p` is [Q]. Same, different and context are
        compared at the same phase and in the same frame.
    """
    alike = tokens[:, :, None, None] == tokens[None, None]  # [N, C, N, C, K, F, Q]
    turned = tokens[:, :, :, None] == tokens[:, :, None]  # [N, C, K, K, F, Q]
    joint = np.logical_and.accumulate(alike, axis=-1)
    found = _paired(alike.mean((4, 5)), "agreement") | {"agreement_phase": _off_diagonal(turned)}
    together = _paired(joint.mean((4, 5)), "joint")
    found |= {name: together[name] for name in ("joint_same", "joint_different")}
    found["joint_phase"] = _off_diagonal(np.logical_and.accumulate(turned, axis=-1))
    found["reuse_p"] = _reuse_p(alike.mean((4, 5)), seed)
    return found


def _paired(alike: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Average [N, C, N, C, Q] over pairs: same component or not, same context or not."""
    n, contexts = alike.shape[:2]
    one, context = np.eye(n, dtype=bool), np.eye(contexts, dtype=bool)
    pairs = {"same": (one, ~context), "different": (~one, ~context), "context": (~one, context)}
    found = {}
    for kind, (who, where) in pairs.items():
        counted = (who[:, None, :, None] & where[None, :, None])[..., None]  # [N, C, N, C, 1]
        found[f"{name}_{kind}"] = np.where(counted, alike, 0).sum((1, 2, 3)) / counted.sum((1, 2, 3))
    return found


def _off_diagonal(turned: np.ndarray) -> np.ndarray:
    """Average [N, C, K, K, F, Q] over contexts, frames and pairs of different phases: [N, Q]."""
    count = turned.shape[2]
    return (turned.mean((1, 4)).sum((1, 2)) - count) / (count * (count - 1))


def _reuse_p(alike: np.ndarray, seed: int) -> np.ndarray:
    """How often namesakes agree as much once components are dealt anew within every context: [Q]."""
    n, contexts = alike.shape[:2]
    generator = np.random.default_rng(seed)
    named = np.tile(np.arange(n), (RESAMPLES + 1, contexts, 1))
    named[1:] = generator.permuted(named[1:], axis=-1)  # the first stays as it is
    found = np.zeros((len(named), alike.shape[-1]))
    for c, d in combinations(range(contexts), 2):
        found += alike[named[:, c], c, named[:, d], d].mean(1)  # [R, N, Q] -> [R, Q]
    return np.array([permutation_p(of[0], of[1:] + TIE) for of in found.T])
