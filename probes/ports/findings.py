"""What was found to differ between two encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = {
    "hop": "another hop",
    "channels": "another number of channels",
    "frames": "another number of frames",
    "not finite": "NaN or Inf",
    "silent": "nothing but zeros",
    "length": "differ only where a sound is no whole number of frames",
    "edges": "differ at the edges only",
    "precision": "computed in half precision",
    "delay": "the same of a sound that comes earlier or later",
    "polarity": "the same of the sound with polarity inverted",
    "gain": "the same of a louder or softer sound",
    "padding": "a layer padded on the other side",
    "receptive field": "frames see more samples, or fewer",
    "rounded weights": "weights rounded to half precision",
    "weight norm": "weight norm not folded",
    "channel gains": "each channel has a gain of its own",
    "bias": "each channel is off by a constant",
    "codebook order": "codebooks in another order",
    "codebook": "another codebook",
    "renumbered codes": "the same entries by other numbers",
    "decisions": "codes differ that lay near no decision",
    "unexplained": "differ, and nothing that was tried explains it",
}


@dataclass(frozen=True)
class Finding:
    """A difference, where it first shows, and what explains it.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    stage : str
        The first's name of the first stage that differs; "decode" for what decoders do with the same latent.
    sound : str
        On which the stages differ most.
    db : float
        Power of the difference re the response, there; NaN of what is no power.
    left_db : float
        What is left of it where the explanation is taken into account; NaN where it cannot be.
    values : mapping of str to number or str
        What the explanation says, by name.
    """

    kind: str
    stage: str
    sound: str = ""
    db: float = float("nan")
    left_db: float = float("nan")
    values: Mapping[str, Any] = field(default_factory=dict)
