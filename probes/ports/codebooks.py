"""What may explain that codes differ although what they quantize does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...encoders.quantization import residual_quantization
from .findings import Finding
from .precision import HALVES
from .tokens import Flips

ALIKE = 0.99  # of codes, for an explanation to hold
CLOSE = 1e-5  # of the largest entry: two entries are the same


def explained_codes(
    stage: str,
    found: Flips,
    codes: Tensor,
    others: Tensor,
    latent: Tensor | None,
    codebooks: tuple[Sequence[Tensor], Sequence[Tensor]],
) -> Finding:
    """Return what explains that codes differ beyond margin.

    Parameters
    ----------
    stage : str
        At which they first show.
    found : Flips
    codes, others : int [B, Q, F]
    latent : float32 [B, D, F], optional
        Of the first.
    codebooks : pair of sequences of float32 [entries, D]
        Of both; empty where they are not known.
    """
    step = int(np.flatnonzero(found.beyond)[0])
    values: dict[str, float | str] = {
        "step": step + 1,
        "beyond": int(found.beyond.sum()),
        "frames": found.frames,
        "margins": "known" if found.has_margins else "unknown",
    }
    mine, theirs = codebooks
    if mine and theirs and len(mine) == len(theirs):
        order = [next((i for i, own in enumerate(mine) if _same(own, book)), -1) for book in theirs]
        if -1 not in order and sorted(order) == list(range(len(order))) != order:
            return Finding("codebook order", stage, values={**values, **_moved(order)})
        if order[step] == -1 and _same_entries(mine[step], theirs[step]):
            return Finding("renumbered codes", stage, values=values)
        changed = [i for i, k in enumerate(order) if k != i]
        for which, ones, rest in (("second", mine, theirs), ("first", theirs, mine)):
            for dtype, name in HALVES.items():
                if changed and all(torch.equal(ones[i].to(dtype).to(ones[i]), rest[i]) for i in changed):
                    return Finding("rounded weights", stage, values={**values, "dtype": name, "which": which})
        if order[step] == -1:
            books = ", ".join(str(i + 1) for i in changed)
            named = f"codebook {books}" if len(changed) == 1 else f"each of codebooks {books}"
            return Finding("codebook", stage, values={**values, "books": named})
    elif (known := mine or theirs) and latent is not None:
        order = _order(latent, others if mine else codes, known)
        if order is not None and order != sorted(order):
            return Finding("codebook order", stage, values={**values, **_moved(order)})
    if _one_to_one(codes[:, step].flatten(), others[:, step].flatten()):
        return Finding("renumbered codes", stage, values=values)
    return Finding("decisions", stage, values=values)


def _order(latent: Tensor, codes: Tensor, codebooks: Sequence[Tensor]) -> list[int] | None:
    """Return the order of codebooks that gives some codes [B, Q, F]; None where none does."""
    residual = latent.transpose(1, 2).flatten(0, 1)  # [N, D]
    left, order = list(range(len(codebooks))), []
    for wanted in codes.transpose(1, 2).flatten(0, 1).unbind(1):
        for i in left:
            chosen = residual_quantization(residual, [codebooks[i]])
            if float((chosen.codes[:, 0] == wanted).double().mean()) > ALIKE:
                break
        else:
            return None
        left.remove(i)
        order.append(i)
        residual = residual - chosen.vectors[:, 0]
    return order


def _moved(order: Sequence[int]) -> dict[str, float | str]:
    """Say which codebooks are not in their place, counted from 1."""
    moved = [f"{i + 1} is {k + 1}" for i, k in enumerate(order) if i != k]
    return {"order": ", ".join(moved)}


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return bool((one.cpu() - other.cpu()).abs().max() <= CLOSE * one.abs().max().cpu())


def _same_entries(one: Tensor, other: Tensor) -> bool:
    """Whether two codebooks hold the same entries in another order."""
    if one.shape != other.shape:
        return False
    nearest = torch.cdist(one.cpu().double(), other.cpu().double()).min(dim=1)
    return len(set(nearest.indices.tolist())) == len(one) and bool(
        nearest.values.max() <= CLOSE * one.abs().max().cpu() * one.shape[1] ** 0.5
    )


def _one_to_one(codes: Tensor, others: Tensor) -> bool:
    pairs = {(int(a), int(b)) for a, b in zip(codes, others, strict=True)}
    several = len(pairs) > 1 and len({a for a, _ in pairs}) == len(pairs)
    return several and len({b for _, b in pairs}) == len(pairs)
