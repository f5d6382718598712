"""What is measured of folding: ledgers, collapse, singular values, and what can be had back."""

from __future__ import annotations

from ..engine.variable import STAGE, Groups, Variable

_SC, _SQ = ("stage", "channel"), ("stage", "codebook")

VARIABLES: Groups = {
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
        "change_probability": Variable((*_SQ, "frequency"), "1", "share of codes that differ from silence's"),
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
            ("stage", "frequency", "frequency_2"),
            "1",
            "how alike the complex patterns of two partials are over channels and output frequencies",
        ),
        "collapse": Variable(
            ("stage",),
            "1",
            "how much more alike pairs that share a fold are than others as far apart, 1 for one sound",
        ),
        "collapse_low": Variable(("stage",), "1", "lower end of the 95 % interval of the collapse"),
        "collapse_high": Variable(("stage",), "1", "upper end of the 95 % interval of the collapse"),
        "collapse_p": Variable(("stage",), "1", "p of the collapse against folds dealt at random"),
        "collapse_chance": Variable(
            ("stage",),
            "1",
            "the collapse if tones of one fold answered in the channels no more alike than others",
        ),
        "n_sharing": Variable(("stage",), "1", "pairs that share a fold and are far enough apart"),
        "remark": Variable(("stage",), "1", "why there is no collapse"),
    },
    "intermodulation": {
        **STAGE,
        "pair": Variable(("pair",), "1", "pair of partials, by their frequencies"),
        "lower": Variable(("pair",), "Hz", "frequency of the lower partial"),
        "upper": Variable(("pair",), "Hz", "frequency of the upper partial"),
        "component": Variable(("component",), "1", "where output power is booked"),
        "coincident": Variable(
            ("stage", "pair", "component"), "1", "whether an earlier component has the bin"
        ),
        "share": Variable((*_SC, "pair", "component"), "1", "share of the channel's output power"),
        "response": Variable((*_SC, "pair"), "1", "RMS deviation from silence re RMS of the pair"),
        "change_probability": Variable((*_SQ, "pair"), "1", "share of codes that differ from silence's"),
        "bank_share": Variable(("stage", "pair", "component"), "1", "share of the bank's output power"),
        "n_below_floor": Variable(("stage",), "1", "pairs x channels below the floor, which have no ledger"),
    },
    "representability": {
        **STAGE,
        "signal": Variable(("signal",), "1", "signal: its kind, numbered"),
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
