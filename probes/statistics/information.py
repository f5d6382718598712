"""How much a token tells of which component sounds, in bits, corrected for bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .resampling import permutation_p

SHUFFLES = 199
SATURATED_BITS = 0.1  # nearer to the limit than this, shuffles leave nothing to be found


@dataclass(frozen=True)
class Information:
    """What tokens tell of components.

    Parameters
    ----------
    bits : float64 [components]
        Of each component; the mean over components is the mutual information, corrected for bias. NaN
        where there are so many tokens that shuffled components are distinguished as well.
    plugin_bits : float
        The mutual information of the counts as they are.
    null_bits : float
        Mean of the same over shuffles.
    p : float
        Of `plugin_bits` against the shuffles.
    """

    bits: np.ndarray
    plugin_bits: float
    null_bits: float
    p: float


def information(tokens: np.ndarray, seed: int = 0, shuffles: int = SHUFFLES) -> Information:
    """Measure the mutual information of components and tokens, both pooled over contexts.

    Parameters
    ----------
    tokens : int [components, contexts, samples]
        Each component in each context as often as every other.
    seed : int
        Of the shuffles.
    shuffles : int > 0

    Returns
    -------
    found : Information

    Notes
    -----
    Counts overstate information: with few samples per token every component seems to have tokens of its
    own. The bias is measured, as the mean I0 over shuffles that deal the components anew within every
    context, with their samples held together: they keep what tokens owe to contexts, and that samples of
    one sound resemble each other (so Miller and Madow's correction, for independent samples, would fall
    short). With H = log2(components) the corrected value is ``H (I - I0) / (H - I0)``: 0 for tokens that
    tell nothing, H for those that name the component. The difference ``I - I0`` alone would stay below H
    even then, as I0 is the larger the fewer contexts there are.

    A component's own bits are ``sum_t P(t|c) log2(P(t|c) / P(t))``, corrected alike; their mean is the
    whole.

    Source: the correction is that of the adjusted mutual information, Vinh, Epps & Bailey, Journal of
    Machine Learning Research 11:2837, 2010; a component's bits: DeWeese & Meister, Network 10:325, 1999.

    Examples
    --------
    >>> named = np.broadcast_to(np.arange(8)[:, None, None], (8, 4, 5))
    >>> round(float(information(named).bits.mean()), 6)
    3.0
    """
    n, n_contexts, n_samples = tokens.shape
    _, tokens = np.unique(tokens, return_inverse=True)
    tokens = tokens.reshape(n, n_contexts, n_samples)
    n_tokens = int(tokens.max()) + 1
    cell = np.arange(n * n_contexts).reshape(n, n_contexts, 1) * n_tokens + tokens
    counts = np.bincount(cell.ravel(), minlength=n * n_contexts * n_tokens).reshape(n, n_contexts, n_tokens)
    each = n_contexts * n_samples
    share = np.arange(each + 1) / each
    surprise = np.where(share > 0, share * np.log2(np.where(share > 0, share, 1)), 0.0)  # [count] p log2 p
    overall = counts.sum((0, 1)) / (n * each)  # [tokens]

    table = counts.sum(1)  # [components, tokens]
    own = surprise[table].sum(1) - table / each @ np.log2(overall)
    entropy = -overall @ np.log2(overall)
    generator = np.random.default_rng(seed)
    null = np.zeros(shuffles)
    for k in range(shuffles):
        dealt = np.zeros_like(table)
        for context in range(n_contexts):
            dealt += counts[generator.permutation(n), context]
        null[k] = entropy + surprise[dealt].sum() / n
    limit, chance, plugin = np.log2(n), float(null.mean()), float(own.mean())
    if limit - chance > SATURATED_BITS:
        bits = limit * (own - chance) / (limit - chance)
    else:
        bits = np.full(n, np.nan)
    # a tie but for rounding is a tie
    return Information(bits, plugin, chance, permutation_p(plugin, null + 1e-9))
