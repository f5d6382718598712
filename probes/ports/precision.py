"""In which precision activations were computed, by which numbers there are among them."""

from __future__ import annotations

import torch
from torch import Tensor

HALVES = {torch.bfloat16: "bfloat16", torch.float16: "float16"}  # most numbers of the first are of both


def precision_of(activations: Tensor) -> str:
    """Return the half precision that all activations are numbers of; "" where there is none.

    Examples
    --------
    >>> values = torch.randn(100)
    >>> precision_of(values), precision_of(values.half().float())
    ('', 'float16')
    """
    sizes = activations[activations != 0].abs()
    if not len(sizes) or not bool(sizes.isfinite().all()):
        return ""
    kept = (name for dtype, name in HALVES.items() if bool((activations.to(dtype) == activations).all()))
    return next(kept, "")
