"""What a MusicGen is asked for: values of factors, each a token that the blocks attend to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ...synth.errors import InputError

NOT_REQUESTED = -1

Request = Mapping[str, str]


class FactorConditions(nn.Module):
    """Tokens of factors; one that is not asked for is zero, and says nothing.

    Attention here has no biases: of a token that is zero the value is zero too. Where all are, the blocks go
    on exactly as without any condition.

    Parameters
    ----------
    factors : mapping of str to tuple of str
        Values of every factor.
    dimension : int
    """

    def __init__(self, factors: Mapping[str, tuple[str, ...]], dimension: int) -> None:
        super().__init__()
        self.factors = dict(factors)
        tables = [nn.Embedding(len(values), dimension) for values in factors.values()]
        for table in tables:
            nn.init.normal_(table.weight, std=dimension**-0.5)
        self.tables = nn.ModuleList(tables)

    def forward(self, chosen: Tensor) -> Tensor:
        """Return the tokens, float32 [B, factors, d], of values int64 [B, factors]; see `NOT_REQUESTED`."""
        tokens = torch.stack([table(chosen[:, i].clamp(min=0)) for i, table in enumerate(self.tables)], dim=1)
        return tokens * (chosen != NOT_REQUESTED).to(tokens)[..., None]

    def tokens(self, requested: Sequence[Request]) -> Tensor:
        """Return the tokens, float32 [B, factors, d], of values by name; see `indices`."""
        return self(self.indices(requested).to(next(self.parameters()).device))

    def indices(self, requested: Sequence[Request]) -> Tensor:
        """Return int64 [B, factors]: which value of each factor is asked for, `NOT_REQUESTED` for none.

        Raises
        ------
        InputError
            If a factor or a value is not there.

        Examples
        --------
        >>> conditions = FactorConditions({"texture": ("line", "chords")}, 8)
        >>> conditions.indices([{"texture": "chords"}, {}])
        tensor([[ 1],
                [-1]])
        """
        rows = []
        for one in requested:
            for name, value in one.items():
                if name not in self.factors:
                    raise InputError(f"condition {name!r}: there are {', '.join(self.factors) or 'none'}")
                if value not in self.factors[name]:
                    there = ", ".join(self.factors[name])
                    raise InputError(f"condition {name} {value!r}: must be one of {there}")
            rows.append(
                [
                    values.index(one[name]) if name in one else NOT_REQUESTED
                    for name, values in self.factors.items()
                ]
            )
        return torch.tensor(rows, dtype=torch.int64).reshape(len(requested), len(self.factors))
