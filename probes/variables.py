"""Every variable that a result can hold, by probe: its dims, units and name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """Dims, units ("1" where there is none) and name of a variable."""

    dims: tuple[str, ...]
    units: str
    long_name: str


_SC = ("stage", "channel")
STAGE = {
    "stage": Variable(("stage",), "1", "stage"),
    "channel": Variable(("channel",), "1", "channel"),
    "n_channels": Variable(("stage",), "1", "channels at the stage; beyond them `channel` is padding"),
    "hop": Variable(("stage",), "samples", "samples per frame"),
    "nyquist_hz": Variable(("stage",), "Hz", "half the stage's frame rate"),
    "receptive_field": Variable(("stage",), "samples", "samples a frame depends on; NaN when unbounded"),
    "kind": Variable(("stage",), "1", "kind of stage"),
    "first_frame": Variable(("stage",), "frames", "frames dropped before the steady state"),
    "n_frames": Variable(("stage",), "frames", "steady frames heard"),
    "settled": Variable(("stage",), "1", "whether a steady state was reached"),
    "level_dbfs": Variable(("level",), "dB re full-scale sine", "level of the stimulus"),
}
SCHEMA: Mapping[str, Mapping[str, Variable]] = {
    "selectivity": {
        **STAGE,
        "frequency": Variable(("frequency",), "Hz", "frequency of the partial"),
        "response": Variable((*_SC, "frequency"), "1", "RMS deviation from silence re RMS of the tone"),
        "change_probability": Variable((*_SC, "frequency"), "1", "share of codes that differ from silence's"),
        "closed_form": Variable((*_SC, "frequency"), "1", "response computed from the kernel"),
        "closed_form_error": Variable(
            ("stage",), "dB", "median |measured - closed form| above -40 dB re peak"
        ),
        "best_frequency": Variable(_SC, "Hz", "frequency of the strongest response, interpolated"),
        "peak_response": Variable(_SC, "1", "strongest response"),
        "bandwidth_3db": Variable(_SC, "Hz", "width of the pass-band at -3 dB"),
        "bandwidth_10db": Variable(_SC, "Hz", "width of the pass-band at -10 dB"),
        "quality": Variable(_SC, "1", "best frequency / -3 dB bandwidth (Q)"),
        "equivalent_noise_bandwidth": Variable(_SC, "Hz", "equivalent noise bandwidth over the grid"),
        "noise_bandwidth_floor": Variable(
            _SC, "Hz", "smallest equivalent noise bandwidth of any linear kernel"
        ),
        "side_lobe_level": Variable(_SC, "dB re peak", "highest response outside the main lobe"),
        "n_pass_bands": Variable(_SC, "1", "separate bands within 3 dB of the peak"),
        "nyquist_share": Variable(_SC, "1", "-3 dB bandwidth / the stage's Nyquist frequency"),
        "rectangular_bandwidth": Variable(
            ("stage",), "Hz", "-3 dB bandwidth of a rectangular kernel, 0.886 fs/L"
        ),
        "resolved": Variable(_SC, "1", "whether the grid is fine enough for the bandwidth columns"),
        "open_band": Variable(_SC, "1", "whether the -3 dB band runs to the edge of the grid (lower bound)"),
    },
    "pitch_tuning": {
        **STAGE,
        "f0": Variable(("f0",), "Hz", "fundamental frequency"),
        "timbre": Variable(("timbre",), "1", "timbre"),
        "response": Variable((*_SC, "f0", "timbre"), "1", "RMS deviation from silence re RMS of the note"),
        "change_probability": Variable(
            (*_SC, "f0", "timbre"), "1", "share of codes that differ from silence's"
        ),
        "best_f0": Variable(_SC, "Hz", "fundamental of the strongest response, mean over timbres"),
        "f0_share": Variable(_SC, "1", "share of the response's variance that f0 explains"),
        "timbre_share": Variable(_SC, "1", "share of the response's variance that timbre explains"),
    },
    "chord_tuning": {
        **STAGE,
        "root": Variable(("root",), "MIDI note", "root of the chord"),
        "quality": Variable(("quality",), "1", "quality of the chord"),
        "position": Variable(("position",), "1", "inversion and voicing"),
        "response": Variable(
            (*_SC, "root", "quality", "position"), "1", "RMS deviation from silence re RMS of the chord"
        ),
        "change_probability": Variable(
            (*_SC, "root", "quality", "position"), "1", "share of codes that differ from silence's"
        ),
        "best_root": Variable(_SC, "MIDI note", "root of the strongest response, mean over the rest"),
        "root_share": Variable(_SC, "1", "share of the response's variance that the root explains"),
        "quality_share": Variable(_SC, "1", "share of the response's variance that the quality explains"),
        "position_share": Variable(_SC, "1", "share that inversion and voicing explain"),
    },
}
