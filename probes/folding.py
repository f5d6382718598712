"""Where frequencies land when only every so many samples are kept: arithmetic, no encoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

HARMONICS = 5  # the highest harmonic that gets a line of its own


def fold(frequency_hz: npt.ArrayLike, frame_rate_hz: npt.ArrayLike) -> np.ndarray:
    """Frequency at which a sinusoid appears once it is sampled at a frame rate.

    ``|f - round(f / R) R|``: at most half the frame rate R, the same for f + R and for R - f.

    Parameters
    ----------
    frequency_hz : float
    frame_rate_hz : float > 0
        Frames per second; broadcasts against the frequency.

    Notes
    -----
    Source: the sampling theorem; see Oppenheim & Schafer, Discrete-Time Signal Processing, section 4.2.

    Examples
    --------
    >>> fold([30.0, 70.0, 80.0, 440.0], 75.0)
    array([30.,  5.,  5., 10.])
    """
    frequency, rate = np.asarray(frequency_hz, dtype=float), np.asarray(frame_rate_hz, dtype=float)
    return np.abs(frequency - np.round(frequency / rate) * rate)


def folded_bin(cycles: npt.ArrayLike, n_frames: int) -> np.ndarray:
    """`fold` in whole numbers: the DFT bin, 0 to ``n_frames // 2``, of so many cycles in so many frames.

    Examples
    --------
    >>> folded_bin([3, 98, 104, -3], 101)
    array([3, 3, 3, 3])
    """
    rest = np.mod(np.asarray(cycles, dtype=np.int64), n_frames)
    return np.minimum(rest, n_frames - rest)


@dataclass(frozen=True)
class Lines:
    """Output bins that theory predicts for one stimulus, each named after what puts power there.

    Parameters
    ----------
    bins : int64 [n_lines]
    component : int64 [n_lines]
        Index into the components of the ledger.
    coincident : bool [n_lines]
        True where an earlier line has the same bin: the power there is counted for that one only.
    """

    bins: np.ndarray
    component: np.ndarray
    coincident: np.ndarray


def components(n_partials: int, harmonics: int = HARMONICS) -> tuple[str, ...]:
    """Name the ledger's components: the predicted ones in order of precedence, then the rest.

    Examples
    --------
    >>> components(1, 3), components(2, 2)[-2:]
    (('mean_shift', 'fold', 'harmonic_2', 'harmonic_3', 'rest'), ('intermodulation', 'rest'))
    """
    names = ["mean_shift", "fold", *(f"harmonic_{n}" for n in range(2, harmonics + 1))]
    return (*names, *(["intermodulation"] if n_partials > 1 else []), "rest")


def predicted_lines(cycles: np.ndarray, n_frames: int, harmonics: int = HARMONICS) -> Lines:
    """Predict the output bins of one partial, or of two with their intermodulation.

    Parameters
    ----------
    cycles : int [1 or 2]
        Whole cycles of each partial in the `n_frames` frames.
    n_frames : int > 0
    harmonics : int > 0

    Returns
    -------
    lines : Lines
        The mean; each partial's fold; the folds of harmonics 2 .. `harmonics`; with two partials
        those of the sums and differences of second and third order.

    Examples
    --------
    >>> predicted_lines(np.array([40]), 101, harmonics=3).bins
    array([ 0, 40, 21, 19])
    >>> predicted_lines(np.array([25]), 100, harmonics=4).coincident  # 75 folds to 25, 100 to 0
    array([False, False, False,  True,  True])
    """
    cycles = np.asarray(cycles, dtype=np.int64)
    orders = [(0, np.zeros(1, dtype=np.int64))]
    orders += [(n, n * cycles) for n in range(1, harmonics + 1)]
    if len(cycles) == 2:
        one, two = cycles
        mixed = [one + two, one - two, 2 * one + two, 2 * one - two, one + 2 * two, one - 2 * two]
        orders.append((harmonics + 1, np.array(mixed)))
    bins = folded_bin(np.concatenate([places for _, places in orders]), n_frames)
    component = np.concatenate([np.full(len(places), name) for name, places in orders])
    _, first = np.unique(bins, return_index=True)
    coincident = np.ones(len(bins), dtype=bool)
    coincident[first] = False
    return Lines(bins, component, coincident)


def separable(cycles: np.ndarray, n_frames: int, harmonics: int = HARMONICS) -> bool:
    """Whether every predicted line of a stimulus has a bin of its own."""
    return not predicted_lines(cycles, n_frames, harmonics).coincident.any()
