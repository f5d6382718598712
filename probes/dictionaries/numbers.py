"""Numbers of a dictionary: how sparse it is, what it explains, and which of its features are of use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ...synth.errors import InputError
from .dictionary import Dictionary
from .rows import MemoryRows, Rows

_BLOCK = 65_536  # rows in memory at a time
FATES = ("unused", "too_rare", "too_frequent", "surviving")
LEAST, MOST = 0.01, 0.25  # activation rates between which Singh et al. keep a feature


def l0(features: Tensor) -> float:
    """Return how many features [N, M] of a row are active, on average: a count, not a share.

    Examples
    --------
    >>> l0(torch.tensor([[0.0, 2.0, 1.0], [0.0, 0.0, 3.0]]))
    1.5
    """
    return (features != 0).sum(1).double().mean().item()


def explained_variance(rows: Tensor, reconstruction: Tensor) -> float:
    """Return the share of the variance of rows [N, d] that a reconstruction [N, d] explains.

    One less the squared error over squared deviations from the mean of every dimension: 0 for that mean, and
    a constant error counts. NaN where all rows are the same.

    Raises
    ------
    InputError
        If shapes differ.

    Examples
    --------
    >>> rows = torch.tensor([[1.0, 10.0], [3.0, 10.0]])
    >>> explained_variance(rows, rows.mean(0).expand(2, 2)), explained_variance(rows, rows)
    (0.0, 1.0)
    """
    if rows.shape != reconstruction.shape:
        raise InputError(
            f"rows {tuple(rows.shape)}, reconstruction {tuple(reconstruction.shape)}: must agree"
        )
    rows, reconstruction = rows.double(), reconstruction.double()
    total = (rows - rows.mean(0)).square().sum().item()
    return 1 - (rows - reconstruction).square().sum().item() / total if total > 0 else float("nan")


def principal_components_variance(rows: Rows | Tensor, ranks: Sequence[int]) -> list[float]:
    """Return the share of variance that the first principal components explain: what a dictionary must beat.

    Parameters
    ----------
    rows : Rows or float32 [N, d]
        Read in blocks.
    ranks : sequence of int, 0 to d
        Numbers of components, such as a dictionary's k.

    Raises
    ------
    InputError
        If a rank is out of range.

    Examples
    --------
    >>> rows = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> [round(share, 6) for share in principal_components_variance(rows, [0, 1, 2])]
    [0.0, 0.9, 1.0]
    """
    source = MemoryRows(rows) if isinstance(rows, Tensor) else rows
    if bad := [rank for rank in ranks if not 0 <= rank <= source.width]:
        raise InputError(f"rank {bad[0]}: must be 0 to the width of the activations, {source.width}")
    first = source.rows(0, 1).double()
    total, products = torch.zeros_like(first[0]), torch.zeros(source.width, source.width, dtype=torch.float64)
    for start in range(0, len(source), _BLOCK):
        some = source.rows(start, min(start + _BLOCK, len(source))).double() - first
        total += some.sum(0)
        products += some.T @ some
    mean = total / len(source)
    energies = torch.linalg.eigvalsh(products / len(source) - torch.outer(mean, mean)).clamp_min(0).flip(0)
    if not energies.sum() > 0:
        return [float("nan")] * len(ranks)
    return [(energies[:rank].sum() / energies.sum()).item() for rank in ranks]


def dead_share(ever_active: Tensor) -> float:
    """Return the share of features that were never active, from whether each was, bool [M].

    Examples
    --------
    >>> dead_share(torch.tensor([True, False, True, True]))
    0.25
    """
    return 1 - ever_active.bool().double().mean().item()


def matching_across_seeds(dictionary: Dictionary | Tensor, other: Dictionary | Tensor) -> float:
    """Return how alike two dictionaries are: the mean cosine of decoder rows, matched one to one.

    Parameters
    ----------
    dictionary, other : Dictionary or float32 [M, d]
        Two of different seeds, or rows of decoders.

    Raises
    ------
    InputError
        If they are of different widths.

    Notes
    -----
    The matching is the best there is (Hungarian). With different numbers of features the mean is over the
    smaller one's. Random directions reach more than zero: compare with those.

    Examples
    --------
    >>> both, zero = torch.eye(3), torch.zeros(3)
    >>> first = Dictionary(both, zero, both, zero, 1, "topk")
    >>> matching_across_seeds(first, Dictionary(both, zero, both[[2, 0, 1]], zero, 1, "topk"))
    1.0
    """
    decoders = [one if isinstance(one, Tensor) else one.decoder for one in (dictionary, other)]
    if decoders[0].shape[1] != decoders[1].shape[1]:
        widths = [one.shape[1] for one in decoders]
        raise InputError(f"dictionary of width {widths[0]}: the other is of width {widths[1]}")
    rows = [torch.nn.functional.normalize(one, dim=1) for one in decoders]
    cosines = (rows[0] @ rows[1].T).numpy()
    return float(cosines[linear_sum_assignment(cosines, maximize=True)].astype(np.float64).mean())


def funnel(rates: np.ndarray, least: float = LEAST, most: float = MOST) -> np.ndarray:
    """Count what becomes of features that are kept if they are active neither too rarely nor too often.

    Parameters
    ----------
    rates : float [M]
        How often each is active: the share of tokens, or that of clips (`activation_rates`). The two give
        different pictures; publish both.
    least, most : float
        Rates below and above are dropped; those equal to either are kept.

    Returns
    -------
    counts : int64 [4]
        In the order of `FATES`; they add up to M.

    Raises
    ------
    InputError
        If rates are not shares.

    Notes
    -----
    Source: Singh et al., arXiv 2505.18186, who drop rates of 0, above 0.25 and below 0.01.

    Examples
    --------
    >>> dict(zip(FATES, funnel(np.array([0.0, 0.001, 0.01, 0.25, 0.5])).tolist()))
    {'unused': 1, 'too_rare': 1, 'too_frequent': 1, 'surviving': 2}
    """
    if not 0 < least <= most <= 1:
        raise InputError(f"rates from {least} to {most}: must be in order, above 0 and up to 1")
    if rates.ndim != 1 or not ((rates >= 0) & (rates <= 1)).all():
        shown = f"from {rates.min()} to {rates.max()}" if rates.size else "none"
        raise InputError(f"rates of shape {rates.shape}, {shown}: must be shares [features], 0 to 1")
    unused, rare, frequent = rates == 0, (rates > 0) & (rates < least), rates > most
    counts = [int(some.sum()) for some in (unused, rare, frequent)]
    return np.array([*counts, len(rates) - sum(counts)])


def activation_rates(active: Tensor, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how often features are active: the share of tokens, and of clips that have one such token.

    Parameters
    ----------
    active : bool [N, M]
    clips : int [N]
        The clip of every token.

    Returns
    -------
    of_tokens, of_clips : float64 [M]

    Examples
    --------
    >>> active = torch.tensor([[True, False], [False, False], [False, False], [True, True]])
    >>> activation_rates(active, np.array([0, 0, 0, 7]))
    (array([0.5 , 0.25]), array([1. , 0.5]))
    """
    of = torch.from_numpy(np.unique(clips, return_inverse=True)[1].astype(np.int64))
    per_clip = torch.zeros(int(of.max()) + 1, active.shape[1]).index_add_(0, of, active.float())
    return active.double().mean(0).numpy(), (per_clip > 0).double().mean(0).numpy()


def recovered(base: float, with_dictionary: float, ablated: float, floor: float = 0.1) -> float:
    """Return the share of a model's cross-entropy that remains with activations out of a dictionary.

    Parameters
    ----------
    base, with_dictionary, ablated : float
        Cross-entropy (nats) of the model as it is, with reconstructed activations in place of its own, and
        with zeros or their mean in place of them: say which.
    floor : float
        Of what ablation costs. Where it costs less, as in a random model, there is nothing to recover: NaN.

    Examples
    --------
    >>> recovered(3.0, 3.25, 5.0), recovered(5.58, 5.57, 5.55)
    (0.875, nan)
    """
    cost = ablated - base
    return (ablated - with_dictionary) / cost if cost >= floor else float("nan")
