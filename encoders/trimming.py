"""Modules that pad what they are given to a multiple of some length: frames of the padding are left out."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Trim:
    """Leaves frames out that stand for padding alone, so that one more comes with every hop of samples.

    Attributes
    ----------
    samples : int
        Of the waveforms that are playing.
    grid : dict of str to (int, int)
        Of each stage that is trimmed its hop, and how many samples beyond ``t * hop`` have played before
        frame t stands for any.
    """

    samples: int = 0
    grid: dict[str, tuple[int, int]] = field(default_factory=dict)

    def due(self, stage: str, found: Tensor) -> Tensor:
        """Return the frames [B, C, F] of a stage that stand for samples.

        Examples
        --------
        >>> import torch
        >>> trim = Trim(samples=9, grid={"latent": (4, 0)})  # padded to 16 samples
        >>> trim.due("latent", torch.zeros(1, 2, 4)).shape
        torch.Size([1, 2, 3])
        """
        if stage not in self.grid:
            return found
        hop, late = self.grid[stage]
        return found[..., : max(0, -(-(self.samples - late) // hop))]
