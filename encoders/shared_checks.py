"""Checks that encoders of waveforms and of melodies have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..synth.errors import InputError
from . import faults
from .abilities import BASELINE_KINDS, draws


def check_members(encoder: Any, members: Sequence[str]) -> None:
    """Raise unless everything that the contract asks for is there."""
    for member in members:
        if getattr(encoder, member, None) is None:
            name = getattr(encoder, "name", type(encoder).__name__)
            raise faults.LacksMember(f"{name}: has no `{member}`; the contract asks for {', '.join(members)}")


def check_redraws(encoder: Any, same: Sequence[str], answers: Any) -> None:
    """Raise unless seeds alone tell what is drawn anew, in every kind of baseline there is, one at least.

    Parameters
    ----------
    encoder : Redraws
    same : sequence of str
        Attributes that every draw shares with the encoder.
    answers : callable
        encoder -> list of tensors that follow from its weights.
    """
    refusals = []
    for kind in BASELINE_KINDS:
        try:
            draw = draws(encoder.randomised, kind)
            drawn = [draw(seed) for seed in (1, 1, 2)]
        except InputError as refusal:  # it is not drawn in this kind, and says why
            refusals.append(refusal)
            continue
        _check_draws(encoder, kind, drawn, same, answers)
    if len(refusals) == len(BASELINE_KINDS):
        raise refusals[0]


def _check_draws(encoder: Any, kind: str, drawn: Sequence[Any], same: Sequence[str], answers: Any) -> None:
    one, again, other = drawn
    about = f"{encoder.name}: baseline {kind!r}"
    for attribute in same:
        if getattr(one, attribute, None) != getattr(encoder, attribute):
            raise faults.RedrawDiffers(f"{about} has another `{attribute}`")
    found = [answers(network) for network in (one, again, other)]
    if one.weights.sha256 != again.weights.sha256 or not equal(found[0], found[1]):
        raise faults.RedrawNotReproducible(f"{about}: `randomised(1)` twice gives two networks")
    if one.weights.sha256 == other.weights.sha256 or equal(found[0], found[2]):
        raise faults.RedrawIgnoresSeed(f"{about}: `randomised` of 1 and 2 is one network, or one hash")


def equal(found: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Whether two lists of tensors are the same, to the bit."""
    return all(
        one is not None and one.shape == other.shape and bool((one == other).all())
        for one, other in zip(found, expected, strict=True)
    )
