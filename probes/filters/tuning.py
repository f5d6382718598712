"""Numbers of a tuning curve: best frequency, bandwidths, Q, side lobes, and their references."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

SILENT = 1e-15  # re peak: a response of exactly zero reads -300 dB
UNDER_RESOLVED_SHARE = 0.01  # of the curve's area that may lie on intervals coarser than fs / (2 L)


@dataclass(frozen=True)
class TuningColumns:
    """What one tuning curve says; units in `filters.variables`."""

    best_frequency: float = math.nan
    peak_response: float = math.nan
    bandwidth_3db: float = math.nan
    bandwidth_10db: float = math.nan
    quality: float = math.nan
    equivalent_noise_bandwidth: float = math.nan
    side_lobe_level: float = math.nan
    n_pass_bands: float = math.nan
    resolved: bool = False
    open_band: bool = False


def tuning_columns(frequency_hz: np.ndarray, response: np.ndarray, step_hz: float) -> TuningColumns:
    """Read the columns off one tuning curve.

    Parameters
    ----------
    frequency_hz : float [n]
        Increasing.
    response : float [n]
        Linear, not negative. All zero (a dead channel) gives NaN throughout.
    step_hz : float > 0
        The widest grid step that resolves the curve: ``fs / (2 L)`` for a receptive field of L samples.
        Where the grid around the pass-band is wider, or the band narrower than one step of the grid (a
        nonlinear channel may answer at a single point), the bandwidth columns are NaN, `resolved` False.

    Returns
    -------
    columns : TuningColumns
        -3 and -10 dB bandwidths are of the band around the peak, crossings interpolated in amplitude; a band
        that runs to the edge of the grid is a lower bound (`open_band`). The equivalent noise bandwidth
        is the integral of the squared response over the grid, over its maximum. Side lobes are what lies
        beyond the first minima outside the -3 dB band; they and the number of pass-bands are NaN unless
        the whole grid is fine enough.

    Examples
    --------
    >>> f = np.arange(0.5, 200.0)
    >>> tuning_columns(f, np.exp(-(((f - 100) / 10) ** 2)), step_hz=2.0).best_frequency
    100.0
    """
    peak = int(np.argmax(response))
    if not response[peak] > 0:
        return TuningColumns()
    level_db = 20 * np.log10(np.maximum(response / response[peak], SILENT))
    low, high = _band(frequency_hz, level_db, peak, -3.0)
    low_10, high_10 = _band(frequency_hz, level_db, peak, -10.0)
    best, _ = interpolated_peak(frequency_hz, level_db, peak)
    columns = {
        "best_frequency": best,
        "peak_response": float(response[peak]),
        "open_band": low <= frequency_hz[0] or high >= frequency_hz[-1],
    }
    if _fine(frequency_hz, low, high, step_hz):
        columns |= {"resolved": True, "bandwidth_3db": high - low, "quality": best / (high - low)}
        if _fine(frequency_hz, low_10, high_10, step_hz):
            columns["bandwidth_10db"] = high_10 - low_10
    if np.diff(frequency_hz).max(initial=0.0) <= step_hz * (1 + 1e-9):
        inside = np.concatenate([[False], level_db >= -3.0, [False]])
        columns["n_pass_bands"] = float(np.count_nonzero(inside[1:] & ~inside[:-1]))
        columns["side_lobe_level"] = _side_lobe(level_db, peak)
    area = np.diff(frequency_hz) * (response[1:] ** 2 + response[:-1] ** 2) / 2
    if area[np.diff(frequency_hz) > step_hz * (1 + 1e-9)].sum() <= UNDER_RESOLVED_SHARE * area.sum():
        columns["equivalent_noise_bandwidth"] = float(area.sum() / response[peak] ** 2)
    return TuningColumns(**columns)


def stacked(columns: list[TuningColumns]) -> dict[str, np.ndarray]:
    """Turn one `TuningColumns` per channel into arrays [C]."""
    return {f.name: np.array([getattr(c, f.name) for c in columns]) for f in fields(TuningColumns)}


def rectangular_bandwidth(sample_rate: float, receptive_field: npt.ArrayLike) -> np.ndarray:
    """-3 dB bandwidth in Hz of a rectangular kernel of L samples away from DC and Nyquist: 0.886 fs/L.

    A reference, not a floor: a kernel can have a narrower -3 dB band at the price of side lobes.
    """
    return 0.886 * sample_rate / np.asarray(receptive_field, dtype=np.float64)


def noise_bandwidth_floor(
    best_frequency_hz: np.ndarray, sample_rate: float, receptive_field: int
) -> np.ndarray:
    """Smallest equivalent noise bandwidth over 0..fs/2 that any real kernel of L samples can have.

    By Cauchy-Schwarz the squared response at w is at most the kernel's energy times that of the unit
    vector's projection on the span of cos(wk) and sin(wk); its largest eigenvalue is
    (L + |sin(Lw)/sin w|)/2, and the mean of the squared response over frequency is the energy:
    ``(fs / L) / (1 + |sin(Lw) / (L sin w)|)``, ``w = 2 pi f / fs``.

    Examples
    --------
    >>> float(noise_bandwidth_floor(np.array([6000.0]), 24_000, 8)[0])
    3000.0
    """
    w = 2 * np.pi * np.asarray(best_frequency_hz, dtype=float) / sample_rate
    denominator = receptive_field * np.sin(w)
    near_edge = np.abs(np.sin(w)) < 1e-9
    ratio = np.where(near_edge, 1.0, np.sin(receptive_field * w) / np.where(near_edge, 1.0, denominator))
    return sample_rate / receptive_field / (1 + np.abs(ratio))


def closed_form_response(kernels: np.ndarray, frequency_hz: np.ndarray, sample_rate: float) -> np.ndarray:
    """Tuning curves of linear kernels: ``|sum_k w_k exp(-j w k)|``.

    Parameters
    ----------
    kernels : float [C, L]
    frequency_hz : float [n]
    sample_rate : float

    Returns
    -------
    response : float64 [C, n]
    """
    turn = np.exp(-2j * np.pi * np.outer(np.arange(kernels.shape[1]), frequency_hz) / sample_rate)
    return np.abs(kernels @ turn)


def interpolated_peak(frequency_hz: np.ndarray, curve: np.ndarray, peak: int) -> tuple[float, float]:
    """Vertex of the parabola through the highest point of a curve and its neighbours.

    Parameters
    ----------
    frequency_hz : float [n]
    curve : float [n]
        Re its highest point, which is 0.
    peak : int
        Index of the highest point.

    Returns
    -------
    frequency_hz, height : float
        Where the vertex is, and how far it rises above the highest point; at an edge, that point itself.

    Examples
    --------
    >>> interpolated_peak(np.array([0.0, 1.0, 2.0]), np.array([-2.0, 0.0, 0.0]), peak=1)
    (1.5, 0.25)
    """
    if peak in (0, len(curve) - 1):
        return float(frequency_hz[peak]), 0.0
    f0, _, f2 = frequency_hz[peak - 1 : peak + 2] - frequency_hz[peak]
    d0, d2 = curve[peak - 1], curve[peak + 1]
    curvature = (d2 / f2 - d0 / f0) / (f2 - f0)
    if curvature >= 0:
        return float(frequency_hz[peak]), 0.0
    slope = d0 / f0 - curvature * f0
    off = np.clip(-slope / (2 * curvature), f0, f2)
    return float(frequency_hz[peak] + off), float(slope * off + curvature * off**2)


def _band(
    frequency_hz: np.ndarray, level_db: np.ndarray, peak: int, threshold_db: float
) -> tuple[float, float]:
    below = np.flatnonzero(level_db < threshold_db)
    left, right = below[below < peak], below[below > peak]
    low = (
        _crossing(frequency_hz, level_db, left[-1], left[-1] + 1, threshold_db)
        if len(left)
        else frequency_hz[0]
    )
    high = (
        _crossing(frequency_hz, level_db, right[0], right[0] - 1, threshold_db)
        if len(right)
        else frequency_hz[-1]
    )
    return float(low), float(high)


def _crossing(
    frequency_hz: np.ndarray, level_db: np.ndarray, below: int, above: int, threshold_db: float
) -> float:
    """Frequency where the curve crosses the threshold; amplitude is straighter there than level."""
    low, high, threshold = 10 ** (np.array([level_db[below], level_db[above], threshold_db]) / 20)
    share = (threshold - low) / (high - low)
    return float(frequency_hz[below] + share * (frequency_hz[above] - frequency_hz[below]))


def _fine(frequency_hz: np.ndarray, low: float, high: float, step_hz: float) -> bool:
    """Whether every grid interval that touches [low, high] is at most `step_hz` wide, and the band wider."""
    step = np.diff(frequency_hz)[(frequency_hz[1:] >= low) & (frequency_hz[:-1] <= high)]
    return len(step) > 0 and bool((step <= step_hz * (1 + 1e-9)).all() and step.min() <= high - low)


def _side_lobe(level_db: np.ndarray, peak: int) -> float:
    """Highest level beyond the first minima outside the -3 dB band; NaN where there is nothing beyond."""
    beyond = []
    for side in (level_db[peak:], level_db[peak::-1]):
        outside = np.flatnonzero(side < -3.0)
        if len(outside):
            rising = np.flatnonzero(np.diff(side[outside[0] :]) > 0)
            beyond += [side[outside[0] + rising[0] :].max()] if len(rising) else []
    return float(max(beyond, default=math.nan))
