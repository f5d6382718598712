"""Reuse: whether a component keeps its codes among other sounds and at other phases."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ..statistics.resampling import RESAMPLES, permutation_p

CHOOSING_CONTEXTS = 3  # a codebook is chosen on pairs of them, and held against one more
TIE = 1e-9  # sums that differ by less are the same but for rounding


def agreements(tokens: np.ndarray, seed: int = 0, apart: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Count how often codes are alike.

    Parameters
    ----------
    tokens : int [N, C, K, F, Q]
        Codes of N components in C contexts at K phases in F frames.
    seed : int
        Of dealing the components anew.
    apart : bool [N, C], optional
        As in `reuse`.

    Returns
    -------
    found : dict of float64 [N, Q]
        By the names of the schema's group "codes"; `reuse_p` is [Q], `reuse` and its chance are [N] (see
        `reuse`). Same, different and context are compared at the same phase and in the same frame.
    """
    alike = tokens[:, :, None, None] == tokens[None, None]  # [N, C, N, C, K, F, Q]
    turned = tokens[:, :, :, None] == tokens[:, :, None]  # [N, C, K, K, F, Q]
    joint = np.logical_and.accumulate(alike, axis=-1)
    found = _paired(alike.mean((4, 5)), "agreement") | {"agreement_phase": _off_diagonal(turned)}
    together = _paired(joint.mean((4, 5)), "joint")
    found |= {name: together[name] for name in ("joint_same", "joint_different")}
    found["joint_phase"] = _off_diagonal(np.logical_and.accumulate(turned, axis=-1))
    found["reuse_p"] = _reuse_p(alike.mean((4, 5)), seed)
    return found | reuse(alike.mean((4, 5)), joint.mean((4, 5)), apart)


def reuse(alike: np.ndarray, joint: np.ndarray, apart: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Ask for each component how far its codes of other contexts tell that it is there.

    Parameters
    ----------
    alike : float [N, C, N, C, Q]
        Share of codes alike of a component in a context and another in another.
    joint : float [N, C, N, C, Q]
        The same of all codebooks up to each at once.
    apart : bool [N, C], optional
        Whether the others of a context are all further from a component than a band is wide. Only these
        contexts count for it: two partials in one band are another sound there. All, if left out.

    Returns
    -------
    found : dict of float64 [N]
        `reuse`: how often the codes in a context are those that the component has in the others, less
        `reuse_chance`, how often those of other components in that context are. Of the codebook, or number
        of codebooks at once, for which this difference is largest in the other contexts: choosing adds
        nothing, since the context that counts has no part in it. NaN with fewer contexts that count than
        two, or three where there is something to choose from.

    Notes
    -----
    1 if some codebook has codes that a component always gets, in any context, and others never; 0 for codes
    that never change, and for those that depend on all that sounds. The rate of hits less that of false
    alarms is Youden's index, Cancer 3:32, 1950.

    Examples
    --------
    >>> own = np.eye(3)[:, None, :, None, None] * np.ones((1, 4, 1, 4, 1))  # a codebook of components
    >>> nothing = np.ones((3, 4, 3, 4, 1))  # and one that says nothing
    >>> found = reuse(np.concatenate([nothing, own], -1), np.concatenate([nothing, own], -1))
    >>> found["reuse"], found["reuse_chance"]
    (array([1., 1., 1.]), array([0., 0., 0.]))
    """
    among = np.concatenate([alike, joint[..., 1:]], axis=-1)  # [N, C, N, C, options]
    n, contexts, *_, options = among.shape
    apart = np.ones((n, contexts), dtype=bool) if apart is None else apart
    hits = np.einsum("icido->icdo", among)
    false = (np.einsum("icjdo->jcdo", among) - hits) / (n - 1)  # of others there, by the component's codes
    found = np.full((2, n), np.nan)
    for i in range(n):
        there = np.flatnonzero(apart[i])
        if len(there) < (CHOOSING_CONTEXTS if options > 1 else 2):
            continue
        own = np.stack([hits[i], false[i]])[:, there][:, :, there]  # [2, C, C, options]
        found[:, i] = np.mean([_held_out(own, held) for held in range(len(there))], axis=0)
    return {"reuse": found[0] - found[1], "reuse_chance": found[1]}


def _held_out(own: np.ndarray, held: int) -> np.ndarray:
    """Hits and false alarms [2] in one context, of what was best in the others: of [2, C, C, options]."""
    others = np.arange(own.shape[1]) != held
    pairs = np.outer(others, others) & ~np.eye(len(others), dtype=bool)
    best = (own[0] - own[1])[pairs].mean(0).argmax() if own.shape[-1] > 1 else 0
    return own[:, held, others, best].mean(1)


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
