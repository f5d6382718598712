"""Response planes: the directions in which a component moves a representation as its phases turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

NOISE = 1e-6  # of a float32 activation, re the frame it is part of
FAINT = 1e-4  # a direction this much weaker than the strongest one is none: mixed-in rounding


@dataclass(frozen=True)
class Planes:
    """Orthonormal directions of N components in F frames.

    Parameters
    ----------
    basis : float32 [N, F, C, r]
        From the strongest on; zero where a component has fewer directions, or leaves the frame unchanged.
    held : float64 [N, F]
        Share of the change's energy that the directions hold (the planarity); NaN where nothing changed.
    """

    basis: Tensor
    held: Tensor

    @property
    def dimensions(self) -> Tensor:
        """How many directions there are, [N, F]."""
        return self.basis.square().sum(2).round().sum(-1)


def response_planes(deviations: Tensor, rank: int, scale: Tensor | None = None) -> Planes:
    """Find the leading directions of a component's changes over its phases, frame by frame.

    Parameters
    ----------
    deviations : float [N, K, C, F]
        What each of K phases changes, ``z(context + component) - z(context)``.
    rank : int > 0
        Directions wanted: two for a partial, since a linear stage answers with a cosine and a sine part.
    scale : float [F], optional
        Norm of the frames without the component. Changes of a millionth of it or less are rounding.

    Returns
    -------
    planes : Planes
        By uncentred singular value decomposition over phases. At a linear stage they hold everything and
        do not depend on the frame, only on the component.

    Examples
    --------
    >>> turn = torch.linspace(0, 2 * torch.pi, 9)[:8]
    >>> circle = torch.stack([turn.cos(), turn.sin(), 0 * turn], dim=1)  # [K, C]
    >>> planes = response_planes(circle[None, :, :, None], rank=2)
    >>> round(planes.held.item(), 9), planes.basis[0, 0, 2].tolist()
    (1.0, [0.0, 0.0])
    """
    changes = deviations.double().permute(0, 3, 1, 2)  # [N, F, K, C]
    energy, turns = torch.linalg.eigh(changes @ changes.mT)  # ascending [N, F, K], [N, F, K, K]
    rank = min(rank, *changes.shape[-2:])
    leading = energy.flip(-1)[..., :rank].clamp_min(0)
    total = energy.clamp_min(0).sum(-1)
    floor = torch.zeros(deviations.shape[-1]) if scale is None else scale
    rounding = changes.shape[2] * (NOISE * floor.double()).square()  # [F]
    responds = leading > torch.maximum(rounding[:, None], FAINT**2 * leading[..., :1])
    root = torch.where(responds, leading, 1.0).sqrt()
    basis = changes.mT @ turns.flip(-1)[..., :rank] / root[..., None, :] * responds[..., None, :]
    held = torch.where(responds[..., 0], leading.sum(-1) / total.clamp_min(1e-300), torch.nan)
    return Planes(basis.float(), held)


def overlaps(first: Planes, second: Planes) -> Tensor:
    """Overlap of every component's plane with every other's: float32 [N, M], the mean over frames.

    The mean cos^2 of the principal angles (Björck & Golub 1973); where two planes have different
    numbers of dimensions, the missing angles are right ones. A component without a plane overlaps with
    nothing.
    """
    n, frames, _, _ = first.basis.shape
    rows = first.basis.permute(1, 0, 3, 2).flatten(1, 2)  # [F, N r, C]
    columns = second.basis.permute(1, 2, 0, 3).flatten(2, 3)  # [F, C, M s]
    cosines = (rows @ columns).square().reshape(frames, n, first.basis.shape[-1], -1, second.basis.shape[-1])
    dimensions = torch.maximum(first.dimensions.T[:, :, None], second.dimensions.T[:, None])  # [F, N, M]
    return (cosines.sum((2, 4)) / dimensions.clamp_min(1)).mean(0)


LEAST_ENERGY = 0.01  # of a plane's strongest direction: weaker ones are not part of what can be relied on


def leading_planes(changes: np.ndarray, least: float = LEAST_ENERGY) -> np.ndarray:
    """Find the directions in which components change a representation, if they have energy enough.

    Parameters
    ----------
    changes : float64 [..., K, m]
        At K phases each.
    least : float
        Energy that a direction must have, re the strongest's.

    Returns
    -------
    basis : float64 [..., m, K]
        Orthonormal directions, from the strongest on; zero where there are fewer, or nothing changes.

    Examples
    --------
    >>> turn = np.linspace(0, 2 * np.pi, 9)[:8]
    >>> ellipse = np.stack([np.cos(turn), 0.05 * np.sin(turn), 0 * turn], axis=1)  # [K, m]
    >>> np.abs(leading_planes(ellipse)).sum(0).round(9).tolist()[:3]
    [1.0, 0.0, 0.0]
    """
    energy, turns = np.linalg.eigh(changes @ changes.swapaxes(-1, -2))
    energy, turns = energy[..., ::-1].clip(0), turns[..., ::-1]
    kept = (energy > least * energy[..., :1]) & (energy > 0)
    scale = np.where(kept, 1 / np.sqrt(np.where(kept, energy, 1.0)), 0.0)
    return changes.swapaxes(-1, -2) @ turns * scale[..., None, :]


def captured_energy(changes: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Energy of changes [..., m] that lies in each of M planes [M, m, r]: [..., M].

    Examples
    --------
    >>> captured_energy(np.array([3.0, 4.0]), np.eye(2)[:, :, None]).tolist()
    [9.0, 16.0]
    """
    planes, m, rank = basis.shape
    flat = basis.transpose(1, 0, 2).reshape(m, planes * rank)
    return np.square(changes @ flat).reshape(*changes.shape[:-1], planes, rank).sum(-1)


def own_above_others(table: np.ndarray) -> np.ndarray:
    """How much more alike each of N is to itself than to the others, both ways, in a table [N, N]: [N].

    Examples
    --------
    >>> own_above_others(np.array([[1.0, 0.5], [0.0, 1.0]])).tolist()
    [0.75, 0.75]
    """
    own = np.diag(table)
    return own - ((table.sum(0) + table.sum(1)) / 2 - own) / (len(own) - 1)
