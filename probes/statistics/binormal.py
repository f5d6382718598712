"""Normal variables in bins: how far a correlation moves them from independence, and back."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.interpolate import CubicHermiteSpline

PANELS = 1024  # of the quadrature over the arc sine of the correlation, and pieces of the inverse
NODES = 4  # Gauss-Legendre nodes in each
REACH = 5.0  # the bins divide -5..5 standard deviations
AT_ONCE = 2**20  # densities held at a time


def correlation_of(distance: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the correlation at which normal variables in bins are so far from independence.

    Two standard normal variables of correlation rho are counted in equal bins that divide -5..5, `rows` of
    one and `columns` of the other. With p(rho) the chances of the cells, their distance from independence
    is ``D = sum((p(rho) - p(0))**2 / p(0))``; it grows with rho.

    Parameters
    ----------
    distance : float [...]
        D over its value at rho = 1; what lies outside 0..1 counts as 0 or 1.
    rows, columns : int [...]
        Of the same shape as `distance`.

    Returns
    -------
    correlation : float64 [...]
        0 to 1; NaN where there are fewer than two rows or columns.

    Notes
    -----
    The derivative of a bivariate normal distribution function by its correlation is the density at the
    corner (Plackett, Biometrika 41:351, 1954), so that the chances are integrals over rho; over arcsin(rho)
    they are smooth to both ends. The square root of D is inverted by cubic Hermite pieces with exact slopes.

    Examples
    --------
    Two by two bins have a closed form but for what lies outside, ``sin(pi / 2 * sqrt(distance))``:

    >>> correlation_of(np.array([0.25]), np.array([2]), np.array([2])).round(5)
    array([0.70711])
    """
    root = np.sqrt(np.clip(np.asarray(distance, dtype=float), 0.0, 1.0))
    few, many = np.minimum(rows, columns), np.maximum(rows, columns)
    out = np.full(root.shape, np.nan)
    shapes = few.astype(np.int64) << 32 | many.astype(np.int64)
    for shape in np.unique(shapes[few >= 2]).tolist():
        here = shapes == shape
        out[here] = np.sin(angle_curve(shape >> 32, shape & (2**32 - 1))(root[here]))
    return out


@lru_cache(maxsize=1024)
def angle_curve(rows: int, columns: int) -> CubicHermiteSpline:
    """Arc sine of the correlation as a curve over the square root of the distance, 0..1; see above."""
    from scipy.interpolate import CubicHermiteSpline

    angles = np.linspace(0.0, np.pi / 2, PANELS + 1)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = np.pi / 4 / PANELS
    independent = np.sqrt(_cells(rows)[:, None] * _cells(columns))  # [r, c]
    at_once = max(1, AT_ONCE // (NODES * (rows + 1) * (columns + 1)))
    moved, root, slope = np.zeros((rows, columns)), [], []
    for start in range(0, PANELS + 1, at_once):
        ends = angles[start : start + at_once]
        inner = (ends[:, None] + half * (1 + nodes))[: PANELS - start]  # [panels, nodes]
        panels = half * np.einsum("n,pnij->pij", weights, _cell_densities(inner, rows, columns))
        before = moved + np.concatenate([np.zeros((1, rows, columns)), panels.cumsum(0)])
        moved = before[-1]
        excess = before[: len(ends)] / independent  # [ends, r, c]
        rate = _cell_densities(ends, rows, columns) / independent
        root.append(np.sqrt(np.square(excess).sum((1, 2))))
        with np.errstate(invalid="ignore"):
            slope.append((excess * rate).sum((1, 2)) / root[-1])
        if start == 0:
            slope[0][0] = np.sqrt(np.square(rate[0]).sum())  # the limit of 0 / 0
    distance, steepness = np.concatenate(root), np.concatenate(slope)
    return CubicHermiteSpline(distance / distance[-1], angles, distance[-1] / steepness)


def _cells(bins: int) -> np.ndarray:
    """Chances of a standard normal variable to fall into equal bins over -5..5."""
    from scipy.special import ndtr

    edges = np.linspace(-REACH, REACH, bins + 1)
    nearer = np.sort(-np.abs(np.stack([edges[:-1], edges[1:]])), axis=0)  # mirrored: differences keep digits
    below = ndtr(nearer)
    crosses = edges[:-1] * edges[1:] < 0
    return np.where(crosses, 1 - below[0] - below[1], below[1] - below[0])


def _cell_densities(angles: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Differentiate the cells' chances by the arc sine of the correlation: [..., r, c]."""
    h, k = (np.linspace(-REACH, REACH, bins + 1) for bins in (rows, columns))
    sine = np.sin(angles)[..., None, None]
    spread = 2 * np.cos(angles)[..., None, None] ** 2
    apart = np.subtract.outer(h, k) ** 2  # h^2 - 2 h k s + k^2 is (h - k)^2 + 2 h k (1 - s)
    exponent = apart / np.maximum(spread, 1e-300) + np.multiply.outer(h, k) / (1 + sine)
    corners = np.exp(-exponent) / (2 * np.pi)
    return np.diff(np.diff(corners, axis=-1), axis=-2)
