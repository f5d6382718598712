"""What is measured of filters: tuning, and how they share frequency out."""

from __future__ import annotations

from ..engine.variable import STAGE, Groups, Variable

_SC, _SQ = ("stage", "channel"), ("stage", "codebook")

VARIABLES: Groups = {
    "selectivity": {
        **STAGE,
        "frequency": Variable(("frequency",), "Hz", "frequency of the partial"),
        "response": Variable((*_SC, "frequency"), "1", "RMS deviation from silence re RMS of the tone"),
        "change_probability": Variable((*_SQ, "frequency"), "1", "share of codes that differ from silence's"),
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
            (*_SQ, "f0", "timbre"), "1", "share of codes that differ from silence's"
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
            (*_SQ, "root", "quality", "position"), "1", "share of codes that differ from silence's"
        ),
        "best_root": Variable(_SC, "MIDI note", "root of the strongest response, mean over the rest"),
        "root_share": Variable(_SC, "1", "share of the response's variance that the root explains"),
        "quality_share": Variable(_SC, "1", "share of the response's variance that the quality explains"),
        "position_share": Variable(_SC, "1", "share that inversion and voicing explain"),
    },
    "tiling": {
        **STAGE,
        "frequency": Variable(("frequency",), "Hz", "frequency of the partial"),
        "spacing": Variable(("spacing",), "1", "scale on which best frequencies would be evenly spread"),
        "n_live": Variable(("stage",), "1", "channels with a response above float noise"),
        "linear_share": Variable(_SC, "1", "share of the response's power in its first harmonic"),
        "rank": Variable(("rank",), "1", "place of the channel by best frequency"),
        "rank_2": Variable(("rank_2",), "1", "place of another channel by best frequency"),
        "gram": Variable(
            ("stage", "rank", "rank_2"), "1", "inner product of normalised responses, by best frequency"
        ),
        "gram_channel": Variable(
            ("stage", "rank"), "1", "channel of each row of the Gram matrix; -1 is padding"
        ),
        "mutual_coherence": Variable(("stage",), "1", "largest |inner product| of different channels"),
        "mean_coherence": Variable(("stage",), "1", "mean |inner product| of different channels"),
        "welch_bound": Variable(
            ("stage",), "1", "smallest mutual coherence of as many kernels of this length"
        ),
        "effective_rank": Variable(("stage",), "1", "dimensions that the responses fill"),
        "effective_rank_share": Variable(("stage",), "1", "effective rank / what count and length allow"),
        "coverage": Variable(("stage", "frequency"), "dB re mean", "power response summed over channels"),
        "frame_bound_low": Variable(("stage",), "1", "lowest summed power response, undecimated"),
        "frame_bound_high": Variable(("stage",), "1", "highest summed power response, undecimated"),
        "frame_bound_ratio": Variable(("stage",), "dB", "highest / lowest summed power response"),
        "evenly_covered_share": Variable(("stage",), "1", "share of frequency within 3 dB of mean coverage"),
        "spacing_distance": Variable(
            ("stage", "spacing"), "1", "Kolmogorov-Smirnov distance of best frequencies from even spacing"
        ),
        "neighbour_overlap": Variable(("stage",), "1", "mean cosine of |response| of neighbouring channels"),
        "best_frequency": Variable(_SC, "Hz", "frequency of the strongest response, interpolated"),
        "equivalent_noise_bandwidth": Variable(_SC, "Hz", "equivalent noise bandwidth over the grid"),
        "noise_bandwidth_floor": Variable(
            _SC, "Hz", "smallest equivalent noise bandwidth of any linear kernel"
        ),
        "nyquist_share": Variable(_SC, "1", "equivalent noise bandwidth / the stage's Nyquist frequency"),
        "even_bandwidth": Variable(("stage",), "Hz", "bandwidth of as many channels that share all evenly"),
    },
}
