"""What is measured of filters: tuning, folding, and how they share frequency out."""

from __future__ import annotations

from .variable import STAGE, Groups, Variable

_SC = ("stage", "channel")

FILTERS: Groups = {
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
    "aliasing": {
        **STAGE,
        "frequency": Variable(("frequency",), "Hz", "frequency of the partial"),
        "frequency_2": Variable(("frequency_2",), "Hz", "frequency of the other partial of a pair"),
        "component": Variable(("component",), "1", "where output power is booked"),
        "output": Variable(("output",), "1", "output frequency re the stage's Nyquist frequency"),
        "predicted_fold": Variable(("stage", "frequency"), "Hz", "output frequency that folding predicts"),
        "coincident": Variable(
            ("stage", "frequency", "component"),
            "1",
            "whether an earlier component has the bin",
        ),
        "apart": Variable(("stage",), "Hz", "pairs of tones further apart than this count for the collapse"),
        "share": Variable((*_SC, "frequency", "component"), "1", "share of the channel's output power"),
        "response": Variable((*_SC, "frequency"), "1", "RMS deviation from silence re RMS of the tone"),
        "change_probability": Variable((*_SC, "frequency"), "1", "share of codes that differ from silence's"),
        "bank_share": Variable(("stage", "frequency", "component"), "1", "share of the bank's output power"),
        "null_share": Variable(("stage", "frequency"), "1", "mean share at the folds of the other tones"),
        "fold_p": Variable(("stage",), "1", "p of the share at the fold against predictions dealt at random"),
        "n_below_floor": Variable(("stage",), "1", "tones x channels below the floor, which have no ledger"),
        "level_effect": Variable(
            ("stage",), "1", "share of power that changes component from the lowest to the highest level"
        ),
        "alias_map": Variable(("stage", "frequency", "output"), "1", "share of the bank's output power"),
        "rejection": Variable(_SC, "dB", "mean power response above the stage's Nyquist frequency re below"),
        "bank_rejection": Variable(("stage",), "dB", "the same for the power of all channels"),
        "similarity": Variable(
            ("stage", "frequency", "frequency_2"), "1", "cosine of the patterns of two partials"
        ),
        "collapse": Variable(
            ("stage",), "1", "mean similarity of pairs that share a fold less that of others as far apart"
        ),
        "collapse_low": Variable(("stage",), "1", "lower end of the 95 % interval of the collapse"),
        "collapse_high": Variable(("stage",), "1", "upper end of the 95 % interval of the collapse"),
        "collapse_p": Variable(("stage",), "1", "p of the collapse against folds dealt at random"),
        "collapse_chance": Variable(
            ("stage",),
            "1",
            "the collapse if tones of one fold excited the channels no more alike than others",
        ),
        "n_sharing": Variable(("stage",), "1", "pairs that share a fold and are far enough apart"),
    },
    "intermodulation": {
        **STAGE,
        "pair": Variable(("pair",), "1", "pair of partials"),
        "lower": Variable(("pair",), "Hz", "frequency of the lower partial"),
        "upper": Variable(("pair",), "Hz", "frequency of the upper partial"),
        "component": Variable(("component",), "1", "where output power is booked"),
        "coincident": Variable(
            ("stage", "pair", "component"), "1", "whether an earlier component has the bin"
        ),
        "share": Variable((*_SC, "pair", "component"), "1", "share of the channel's output power"),
        "response": Variable((*_SC, "pair"), "1", "RMS deviation from silence re RMS of the pair"),
        "change_probability": Variable((*_SC, "pair"), "1", "share of codes that differ from silence's"),
        "bank_share": Variable(("stage", "pair", "component"), "1", "share of the bank's output power"),
        "n_below_floor": Variable(("stage",), "1", "pairs x channels below the floor, which have no ledger"),
    },
    "representability": {
        **STAGE,
        "signal": Variable(("signal",), "1", "number of the signal"),
        "signal_kind": Variable(("signal",), "1", "kind of signal"),
        "n_partials": Variable(("signal",), "1", "partials of the signal"),
        "predicted": Variable(
            ("stage", "signal"), "1", "predicted: mean R^2 of the partials in one ideal channel"
        ),
        "clear": Variable(("stage", "signal"), "1", "mean share that is a partial's own where it lands"),
        "recovered": Variable(
            ("stage", "signal"), "1", "recovered: mean R^2 of the partials in an unseen draw"
        ),
        "in_band": Variable(("stage", "signal"), "1", "share of energy below the stage's Nyquist frequency"),
        "resolution": Variable(("stage",), "Hz", "folds no further apart count as one"),
        "n_rows": Variable(("stage",), "1", "windows that the readout has of a signal"),
        "correlation": Variable(("stage",), "1", "Spearman correlation of predicted and recovered"),
        "correlation_low": Variable(("stage",), "1", "lower end of its 95 % interval over signals"),
        "correlation_high": Variable(("stage",), "1", "upper end of its 95 % interval over signals"),
        "correlation_p": Variable(("stage",), "1", "p of the correlation against shuffled predictions"),
        "clear_correlation": Variable(("stage",), "1", "Spearman correlation of clear and recovered"),
        "density_correlation": Variable(
            ("stage",), "1", "Spearman correlation of -log(number of partials) and recovered"
        ),
        "partial_correlation": Variable(
            ("stage",), "1", "Spearman correlation of predicted and recovered given the number of partials"
        ),
        "partial_correlation_p": Variable(
            ("stage",), "1", "p of the partial correlation, shuffled among signals of as many partials"
        ),
        "remark": Variable(("stage",), "1", "why there is no correlation"),
    },
    "tiling": {
        **STAGE,
        "frequency": Variable(("frequency",), "Hz", "frequency of the partial"),
        "spacing": Variable(("spacing",), "1", "scale on which best frequencies would be evenly spread"),
        "n_live": Variable(("stage",), "1", "channels with a response above float noise"),
        "linear_share": Variable(_SC, "1", "share of the response's power in its first harmonic"),
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
    "invertibility": {
        **STAGE,
        "turn": Variable(("turn",), "1", "frequency of the frames, in turns per frame (0.5 is Nyquist)"),
        "method": Variable(("stage",), "1", "where the kernels are from: polyphase, jacobian or none"),
        "remark": Variable(("stage",), "1", "why there are no values, or what to know of them"),
        "smallest_singular_value": Variable(
            ("stage",), "1", "smallest gain of the bank, over frequency and all of its hop's columns"
        ),
        "smallest_nonzero_singular_value": Variable(
            ("stage",), "1", "smallest gain above the floor, over frequency"
        ),
        "largest_singular_value": Variable(("stage",), "1", "largest gain of the bank, over frequency"),
        "condition_number": Variable(("stage",), "1", "largest / smallest gain; infinite if not invertible"),
        "rank_share": Variable(("stage",), "1", "singular values above the floor / hop, mean over frequency"),
        "channels_per_hop": Variable(("stage",), "1", "channels / hop: below 1 no bank is invertible"),
        "kernel_length": Variable(("stage",), "samples", "samples that the kernels look back"),
        "linearisation_error": Variable(
            ("stage",), "1", "relative error of what the kernels foretell of noise at -60 dBFS"
        ),
        "smallest_by_turn": Variable(("stage", "turn"), "1", "smallest gain at a frequency"),
        "largest_by_turn": Variable(("stage", "turn"), "1", "largest gain at a frequency"),
    },
}
