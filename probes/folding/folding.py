"""Where frequencies land when only every so many samples are kept: arithmetic, no encoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...synth.errors import InputError

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


@dataclass(frozen=True)
class FoldPlan:
    """What the strides alone say of a signal's partials, at each of several hops.

    Parameters
    ----------
    fold_hz : float64 [n_hops, P]
        Where each partial appears in a single channel.
    in_band : float64 [n_hops]
        Share of the energy in partials below the stage's Nyquist frequency, which do not fold.
    clear : float64 [n_hops, P]
        Share of the energy within the resolution of a partial's fold that is its own.
    group : int64 [n_hops, P]
        Partials with the same number land on one another, directly or by way of a third between them;
        numbers count up from the lowest fold.
    """

    fold_hz: np.ndarray
    in_band: np.ndarray
    clear: np.ndarray
    group: np.ndarray


def fold_plan(
    frequency_hz: npt.ArrayLike,
    amplitude: npt.ArrayLike,
    sample_rate: float,
    hops: npt.ArrayLike,
    resolution_hz: npt.ArrayLike,
) -> FoldPlan:
    """Predict from strides and a partial list which partials land on one another.

    Parameters
    ----------
    frequency_hz, amplitude : float [P]
        The partials of one signal.
    sample_rate : float > 0
    hops : int > 0 [n_hops]
        Samples per frame of each stage.
    resolution_hz : float > 0 [n_hops] or one for all
        Folds no further apart than this count as one.

    Returns
    -------
    plan : FoldPlan
        ``clear[s, p] = a_p^2 / sum of a_q^2`` over the partials q, p among them, whose fold at hop s
        lies within the resolution of p's. If phases are independent that is the share of p's variance
        which a linear reader of one ideal channel recovers.

    Raises
    ------
    InputError
        If there is no partial, lists differ in length, or a number is not positive and finite.

    Examples
    --------
    >>> plan = fold_plan([10.0, 65.0, 30.0], [1.0, 3.0, 1.0], 24_000, [1, 320], 1e-6)
    >>> plan.fold_hz[1].tolist(), plan.clear[1].tolist(), plan.group[1].tolist()
    ([10.0, 10.0, 30.0], [0.1, 0.9, 1.0], [0, 0, 1])
    """
    frequency, size = np.atleast_1d(frequency_hz).astype(float), np.atleast_1d(amplitude).astype(float)
    hop = np.atleast_1d(hops).astype(float)
    resolution = np.broadcast_to(np.asarray(resolution_hz, dtype=float), hop.shape)
    named = {
        "frequency_hz": frequency, "amplitude": size, "sample_rate": np.array([sample_rate]),
        "hops": hop, "resolution_hz": resolution,
    }  # fmt: skip
    for name, values in named.items():
        wrong = ~(np.isfinite(values) & (values > 0))
        if wrong.any() or values.size == 0:
            value = values[wrong][0] if values.size else "of nothing"
            raise InputError(f"fold plan: {name} {value} must be positive and finite")
    if frequency.shape != size.shape:
        raise InputError(
            f"fold plan: {frequency.size} frequencies and {size.size} amplitudes must be as many"
        )
    energy = size**2
    folds = fold(frequency, sample_rate / hop[:, None])  # [H, P]
    near = np.abs(folds[:, :, None] - folds[:, None, :]) <= resolution[:, None, None]  # [H, P, P]
    order = np.argsort(folds, axis=1, kind="stable")
    gap = np.diff(np.take_along_axis(folds, order, axis=1), axis=1) > resolution[:, None]
    group = np.zeros(folds.shape, dtype=np.int64)
    np.put_along_axis(group, order[:, 1:], np.cumsum(gap, axis=1), axis=1)
    below = frequency < sample_rate / (2 * hop[:, None])
    return FoldPlan(folds, (below * energy).sum(1) / energy.sum(), energy / (near * energy).sum(2), group)


def one_channel_recovery(
    frequency_hz: npt.ArrayLike, amplitude: npt.ArrayLike, frame_rate_hz: float, frames: int, snr_db: float
) -> np.ndarray:
    """Share of each partial that some successive frames of one ideal channel tell, R^2 [P].

    The channel hears every frequency alike and keeps one sample a frame. Phases are independent and
    uniform, and noise lies `snr_db` below the signal. What is recovered are the two quadratures of a
    partial: ``R^2 = (a^2 / 4) (c' K^-1 c + s' K^-1 s)`` with c and s its cosine and sine at the frames
    and ``K = sum over partials of (a^2 / 2) (c c' + s s')``, plus the noise's variance on the diagonal.
    That is 1 for a partial that is alone, ``a^2 / sum a^2`` where several fold onto one another,
    something between where folds lie within a resolution, and no more than ``frames / 2`` partials
    in all.

    Parameters
    ----------
    frequency_hz, amplitude : float [P]
    frame_rate_hz : float > 0
    frames : int > 0
    snr_db : float

    Notes
    -----
    The linear least-squares estimate (Wiener filter): Kay, Fundamentals of Statistical Signal
    Processing: Estimation Theory, 1993, section 12.5.

    Examples
    --------
    >>> one_channel_recovery([10.0, 65.0, 30.0], [1.0, 3.0, 1.0], 75.0, 16, 60.0).round(2).tolist()
    [0.1, 0.9, 1.0]
    """
    frequency, size = np.atleast_1d(frequency_hz).astype(float), np.atleast_1d(amplitude).astype(float)
    turn = 2 * np.pi * fold(frequency, frame_rate_hz) / frame_rate_hz * np.arange(frames)[:, None]  # [F, P]
    waves = np.concatenate([size * np.cos(turn), size * np.sin(turn)], axis=1)  # [F, 2 P]
    power = np.square(size).sum() / 2
    covariance = waves @ waves.T / 2 + power * 10 ** (-snr_db / 10) * np.eye(frames)
    recovered = (waves * np.linalg.solve(covariance, waves)).sum(0) / 4
    return recovered.reshape(2, -1).sum(0)
