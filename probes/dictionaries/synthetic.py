"""A language of known sparse features: what a dictionary should find, and how much of it one does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...synth.errors import InputError
from .dictionary import Dictionary


@dataclass(frozen=True)
class SyntheticFeatures:
    """Rows that are sums of a few of many random directions.

    Parameters
    ----------
    width : int > 0
        Channels, d.
    features : int > 0
        Directions, m; more than there are channels is what a dictionary is for.
    active : int, 1 to m
        Directions in a row, each as likely as any other.
    seed : int
        Of the directions.

    Raises
    ------
    InputError
        If a number is out of range.

    Examples
    --------
    >>> planted = SyntheticFeatures(width=8, features=16, active=2)
    >>> rows, active = planted.sample(100, seed=1)
    >>> rows.shape, active.sum(1).unique().tolist()
    (torch.Size([100, 8]), [2])
    """

    width: int = 64
    features: int = 128
    active: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.width < 1 or not 1 <= self.active <= self.features:
            raise InputError(
                f"synthetic features: width {self.width}, {self.active} of {self.features} active: "
                "must be a positive width, and 1 to all of them"
            )

    @property
    def directions(self) -> Tensor:
        """Unit vectors, float32 [m, d]."""
        found = np.random.default_rng(self.seed).standard_normal((self.features, self.width))
        return torch.from_numpy((found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32))

    def sample(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Draw rows.

        Parameters
        ----------
        n : int > 0
        seed : int

        Returns
        -------
        rows : float32 [n, d]
            Sums of active directions, each times 0.5 to 1.5.
        active : bool [n, m]
        """
        draws = np.random.default_rng([self.seed, seed])
        chosen = np.argpartition(draws.random((n, self.features), np.float32), self.active - 1, axis=1)
        active = np.zeros((n, self.features), bool)
        np.put_along_axis(active, chosen[:, : self.active], True, axis=1)
        magnitudes = draws.uniform(0.5, 1.5, (n, self.features)).astype(np.float32) * active
        return torch.from_numpy(magnitudes) @ self.directions, torch.from_numpy(active)


def mean_best_cosine(dictionary: Dictionary, directions: Tensor) -> float:
    """Return how well directions [m, d] are found: the mean of the largest cosine with a decoder row.

    Examples
    --------
    >>> both, zero = torch.eye(3), torch.zeros(3)
    >>> mean_best_cosine(Dictionary(both, zero, both, zero, 1, "topk"), torch.tensor([[0.0, 3.0, 4.0]]))
    0.800000011920929
    """
    rows = torch.nn.functional.normalize(dictionary.decoder, dim=1)
    wanted = torch.nn.functional.normalize(directions, dim=1)
    return (wanted @ rows.T).amax(1).mean().item()
