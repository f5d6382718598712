"""What a variable is, and what results have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """Dims, units ("1" where there is none) and name of a variable."""

    dims: tuple[str, ...]
    units: str
    long_name: str


Groups = Mapping[str, Mapping[str, Variable]]
STAGE = {
    "stage": Variable(("stage",), "1", "stage"),
    "channel": Variable(("channel",), "1", "channel"),
    "codebook": Variable(("codebook",), "1", "number of the codebook, from 1"),
    "n_channels": Variable(
        ("stage",), "1", "channels at the stage (of codes: codebooks); beyond them `channel` is padding"
    ),
    "hop": Variable(("stage",), "samples", "samples per frame"),
    "nyquist_hz": Variable(("stage",), "Hz", "half the stage's frame rate"),
    "receptive_field": Variable(("stage",), "samples", "samples a frame depends on; NaN when unbounded"),
    "kind": Variable(("stage",), "1", "kind of stage"),
    "first_frame": Variable(("stage",), "frames", "frames dropped before the steady state"),
    "n_frames": Variable(("stage",), "frames", "steady frames recorded"),
    "settled": Variable(("stage",), "1", "whether a steady state was reached"),
    "noise_floor": Variable(
        ("stage", "channel"), "activation", "RMS deviation of silence from silence, of stages with noise"
    ),
    "level": Variable(("level",), "dB re full-scale sine", "level of the stimulus, of several"),
    "level_dbfs": Variable(("level",), "dB re full-scale sine", "level of the stimulus"),
}
