"""Checks that encoders of waveforms and of melodies have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import faults


def check_members(encoder: Any, members: Sequence[str]) -> None:
    """Raise unless everything that the contract asks for is there."""
    for member in members:
        if getattr(encoder, member, None) is None:
            name = getattr(encoder, "name", type(encoder).__name__)
            raise faults.LacksMember(f"{name}: has no `{member}`; the contract asks for {', '.join(members)}")


def check_redraws(encoder: Any, same: Sequence[str], answers: Any) -> None:
    """Raise unless seeds alone tell what is drawn anew.

    Parameters
    ----------
    encoder : Redraws
    same : sequence of str
        Attributes that every draw shares with the encoder.
    answers : callable
        encoder -> list of tensors that follow from its weights.
    """
    one, again, other = (encoder.randomised(seed) for seed in (1, 1, 2))
    for attribute in same:
        if getattr(one, attribute, None) != getattr(encoder, attribute):
            raise faults.RedrawDiffers(f"{encoder.name}: drawn anew it has another `{attribute}`")
    drawn = [answers(network) for network in (one, again, other)]
    if one.weights.sha256 != again.weights.sha256 or not equal(drawn[0], drawn[1]):
        raise faults.RedrawNotReproducible(f"{encoder.name}: `randomised(1)` twice gives two networks")
    if one.weights.sha256 == other.weights.sha256 or equal(drawn[0], drawn[2]):
        raise faults.RedrawIgnoresSeed(f"{encoder.name}: `randomised` of 1 and 2 is one network, or one hash")


def equal(found: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Whether two lists of tensors are the same, to the bit."""
    return all(
        one is not None and one.shape == other.shape and bool((one == other).all())
        for one, other in zip(found, expected, strict=True)
    )
