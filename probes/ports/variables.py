"""Variables of a check of two encoders, by group."""

from __future__ import annotations

from ..engine.variable import Groups, Variable

VARIABLES: Groups = {
    "stages": {
        "stage": Variable(("stage",), "1", "stage, by the first's name; decode is of one latent"),
        "sound": Variable(("sound",), "1", "what was played"),
        "tone_hz": Variable(("tone_hz",), "Hz", "frequency of a single tone"),
        "side": Variable(("side",), "1", "which of the two"),
        "second_stage": Variable(("stage",), "1", "the second's name of the stage"),
        "hop": Variable(("side", "stage"), "samples", "samples per frame"),
        "n_channels": Variable(("side", "stage"), "1", "channels; of codes codebooks"),
        "n_frames": Variable(("side", "stage"), "frames", "frames of the same sound"),
        "difference_db": Variable(
            ("stage", "sound"), "dB re response", "power of the difference re the deviation from silence"
        ),
        "flipped": Variable(
            ("stage", "sound"), "1", "share of frames (of codes: of codes) in which another entry was chosen"
        ),
        "delay": Variable(("stage",), "samples", "by which the second comes later, by phase over frequency"),
        "polarity": Variable(("stage",), "1", "1, or -1 where the second is inverted"),
        "gain_db": Variable(("stage", "tone_hz"), "dB", "level of the second less that of the first"),
        "level_db": Variable(("stage", "tone_hz"), "dB re strongest", "level of the first's response"),
        "phase_left_deg": Variable(("stage",), "degrees", "RMS of what phase the delay leaves"),
        "rest_db": Variable(("stage",), "dB re response", "largest difference left, explained"),
    },
    "codes": {
        "near": Variable(("codebook",), "frames", "codes that differ and lay near a decision"),
        "beyond": Variable(("codebook",), "frames", "codes that differ and lay near none, as far as known"),
    },
    "round_trip": {
        "side": Variable(("side",), "1", "which of the two"),
        "tone_hz": Variable(("tone_hz",), "Hz", "frequency of a single tone"),
        "gain_db": Variable(("side", "tone_hz"), "dB", "level of the decoded tone less that of the tone"),
        "delay": Variable(("side",), "samples", "by which the decoded sound comes later"),
        "polarity": Variable(("side",), "1", "1, or -1 where it is inverted"),
        "phase_left_deg": Variable(("side",), "degrees", "RMS of what phase the delay leaves"),
    },
    "findings": {
        "finding": Variable(("finding",), "1", "number of what differs"),
        "kind": Variable(("finding",), "1", "what explains the difference"),
        "at_stage": Variable(("finding",), "1", "first stage that differs"),
        "on_sound": Variable(("finding",), "1", "sound on which it differs most"),
        "size_db": Variable(("finding",), "dB re response", "power of the difference there"),
        "left_db": Variable(("finding",), "dB re response", "what is left of it, explained"),
        "details": Variable(("finding",), "1", "what the explanation says, as JSON"),
    },
}
