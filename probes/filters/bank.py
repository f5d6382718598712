"""Numbers of a bank of filters: how its channels overlap, what they span and how they cover frequency."""

from __future__ import annotations

import numpy as np

from ...encoders.filterbanks import erb_rate
from .tuning import SILENT, interpolated_peak

SPACINGS = ("linear", "log", "mel", "erb")


def gram_matrix(products: np.ndarray) -> np.ndarray:
    """Normalise inner products [C, C] to ones on the diagonal; float64.

    Examples
    --------
    >>> gram_matrix(np.array([[4.0, 1.0], [1.0, 1.0]]))
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    size = np.sqrt(np.diagonal(products).astype(np.float64))
    return products / np.outer(size, size)


def mutual_coherence(gram: np.ndarray) -> tuple[float, float]:
    """Mutual coherence, ``max |G_ij|`` over pairs of channels, and the mean of ``|G_ij|``; NaN for one.

    Examples
    --------
    >>> mutual_coherence(np.array([[1.0, -0.5], [-0.5, 1.0]]))
    (0.5, 0.5)
    """
    pairs = np.abs(gram[np.triu_indices(len(gram), 1)])
    return (float(pairs.max()), float(pairs.mean())) if len(pairs) else (np.nan, np.nan)


def welch_bound(count: int, dimension: int) -> float:
    """Smallest mutual coherence that `count` unit vectors in so many real dimensions can have.

    ``sqrt((J - d) / (d (J - 1)))`` for J vectors in d dimensions, 0 for J <= d.

    Source: Welch 1974, Lower bounds on the maximum cross correlation of signals.

    Examples
    --------
    >>> welch_bound(3, 2), welch_bound(2, 3)
    (0.5, 0.0)
    """
    if count <= dimension:
        return 0.0
    return float(np.sqrt((count - dimension) / (dimension * (count - 1))))


def effective_rank(gram: np.ndarray) -> float:
    """Exponential of the entropy of a Gram matrix's eigenvalues: how many dimensions the channels fill.

    Source: Roy and Vetterli 2007, The effective rank; there of singular values, here of their squares,
    which are shares of energy.

    Examples
    --------
    >>> round(effective_rank(np.eye(3)), 6), round(effective_rank(np.ones((3, 3))), 6)
    (3.0, 1.0)
    """
    share = np.linalg.eigvalsh(gram) / len(gram)
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def spacing_distance(best_hz: np.ndarray, low_hz: float, high_hz: float, spacing: str) -> float:
    """Kolmogorov-Smirnov distance of best frequencies from an even spread between two frequencies.

    Parameters
    ----------
    best_hz : float [C]
    low_hz, high_hz : float > 0
    spacing : {"linear", "log", "mel", "erb"}
        The scale on which the spread is even: hertz, octaves, mel (O'Shaughnessy 1987, the scale of HTK)
        or ERB-rate (Glasberg and Moore 1990).

    Returns
    -------
    distance : float
        Largest difference between the share of channels below a frequency and the share of the scale
        below it. ``1 / (2 C)`` at the least, for channels in the middle of C equal parts; near 1 where all
        crowd at one end.

    Examples
    --------
    >>> spacing_distance(np.array([1.0, 3.0, 5.0, 7.0]), 0.1, 8.0, "linear") < 0.15
    True
    >>> round(spacing_distance(np.array([2.0, 4.0]), 1.0, 8.0, "log"), 3)
    0.333
    """
    low, high = on_scale(np.array([low_hz, high_hz]), spacing)
    place = np.sort((on_scale(best_hz, spacing) - low) / (high - low))
    rank = np.arange(len(place))
    return float(max(((rank + 1) / len(place) - place).max(), (place - rank / len(place)).max()))


def on_scale(frequency_hz: np.ndarray, spacing: str) -> np.ndarray:
    """Return where frequencies lie on one of `SPACINGS`, as in `spacing_distance`.

    Examples
    --------
    >>> on_scale(np.array([2.0, 8.0]), "log")
    array([1., 3.])
    """
    from librosa import hz_to_mel

    scales = {
        "linear": np.asarray,
        "log": np.log2,
        "mel": lambda f: np.asarray(hz_to_mel(f, htk=True)),
        "erb": erb_rate,
    }
    return scales[spacing](frequency_hz)


def in_order(best_hz: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Return the channels in order of best frequency, those at one edge of the grid by their mean frequency.

    Parameters
    ----------
    best_hz : float [C]
    response : float [C, n]
        Not negative, at evenly spaced frequencies.

    Examples
    --------
    >>> in_order(np.array([200.0, 100.0, 100.0]), np.array([[0.0, 1.0], [1.0, 0.5], [1.0, 0.0]]))
    array([2, 1, 0])
    """
    power = response**2
    mean = power @ np.arange(response.shape[1]) / power.sum(1)
    return np.lexsort((mean, best_hz))


def neighbour_overlap(response: np.ndarray) -> float:
    """Mean cosine of responses [C, n] that follow one another; NaN for a single channel.

    For responses without phase (magnitudes) it bounds |G_ij|, by Cauchy-Schwarz at every frequency: a sine
    and a cosine overlap wholly and are orthogonal all the same.

    Examples
    --------
    >>> neighbour_overlap(np.array([[1.0, 0.0], [3.0, 4.0]]))
    0.6
    """
    unit = response / np.linalg.norm(response, axis=1, keepdims=True)
    return float((unit[1:] * unit[:-1]).sum(1).mean()) if len(unit) > 1 else np.nan


def peaks(frequency_hz: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best frequency in Hz and height of every response's peak, both interpolated: float64 [C].

    The place is interpolated in dB, as in `tuning_columns`; the height in amplitude, where a zero beside
    the peak cannot throw it far.

    Examples
    --------
    >>> peaks(np.array([1.0, 2.0, 3.0, 4.0]), np.array([[0.0, 1.0, 1.0, 0.0]]))
    (array([2.5]), array([1.125]))
    """
    best, height = np.empty(len(response)), np.empty(len(response))
    for channel, curve in enumerate(response):
        peak = int(np.argmax(curve))
        share = curve / curve[peak]
        best[channel], _ = interpolated_peak(frequency_hz, 20 * np.log10(np.maximum(share, SILENT)), peak)
        _, rise = interpolated_peak(frequency_hz, share - 1, peak)
        height[channel] = curve[peak] * (1 + rise)
    return best, height


def coverage_columns(response: np.ndarray) -> dict[str, np.ndarray | float]:
    """How evenly the channels together cover frequency.

    Parameters
    ----------
    response : float [C, n]
        Gains at n evenly spaced frequencies.

    Returns
    -------
    columns : dict
        `coverage` float64 [n]: sum of the squared gains over channels, in dB re its mean over frequency.
        `frame_bound_low` and `frame_bound_high`: its extremes A and B. For linear filters h_c, at every
        sample, ``A |x|^2 <= sum_c |x * h_c|^2 <= B |x|^2``. `frame_bound_ratio`: B / A in dB.
        `evenly_covered_share`: share of the frequencies within 3 dB of the mean.

    Examples
    --------
    >>> even = coverage_columns(np.array([[3.0, 0.0], [0.0, 3.0]]))
    >>> even["frame_bound_low"], even["frame_bound_ratio"], even["evenly_covered_share"]
    (9.0, 0.0, 1.0)
    """
    total = (response**2).sum(0)
    level_db = 10 * np.log10(np.maximum(total / total.mean(), SILENT**2))
    return {
        "coverage": level_db,
        "frame_bound_low": float(total.min()),
        "frame_bound_high": float(total.max()),
        "frame_bound_ratio": float(np.ptp(level_db)),
        "evenly_covered_share": float((np.abs(level_db) <= 3.0).mean()),
    }
