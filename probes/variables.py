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
_SKQ, _SQ = ("stage", "component", "codebook"), ("stage", "codebook")
_CONDITION = ("stage", "condition")
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
    "compositionality": {
        **STAGE,
        "condition": Variable(("condition",), "1", "what is played: components, their level, their company"),
        "component_kind": Variable(("condition",), "1", "kind of component: partial, pitch or chord"),
        "density": Variable(("condition",), "1", "components in the company of the one that is tested"),
        "component_level_dbfs": Variable(
            ("condition",), "dB re full-scale sine", "level of every single component"
        ),
        "n_codebooks": Variable(("stage",), "1", "codebooks the vectors are summed from; 0 before them"),
        "component_frequency": Variable(
            ("condition", "component"), "Hz", "frequency, or fundamental frequency, of each component"
        ),
        "component_label": Variable(("condition", "component"), "1", "name of each component"),
        "first_context": Variable(("context_pair",), "1", "number of the pair's first context"),
        "second_context": Variable(("context_pair",), "1", "number of the pair's second context"),
        "rank": Variable(_CONDITION, "1", "dimensions of a response plane at most"),
        "overlap": Variable(
            (*_CONDITION, "component", "component_2", "context_pair"),
            "1",
            "mean cos^2 of the angles between the plane of one component in the pair's first context "
            "and that of another in its second",
        ),
        "stability": Variable(
            (*_CONDITION, "component"), "1", "overlap of a component's planes in different contexts"
        ),
        "confusion": Variable(
            (*_CONDITION, "component"), "1", "overlap with other components' planes in different contexts"
        ),
        "index": Variable(_CONDITION, "1", "compositional stability: stability - confusion"),
        "index_low": Variable(_CONDITION, "1", "lower end of the index's 95 % interval"),
        "index_high": Variable(_CONDITION, "1", "upper end of the index's 95 % interval"),
        "index_p": Variable(_CONDITION, "1", "p of the index, components relabelled within contexts"),
        "auc": Variable(_CONDITION, "1", "how often same components overlap more than different ones"),
        "auc_low": Variable(_CONDITION, "1", "lower end of the AUC's 95 % interval"),
        "auc_high": Variable(_CONDITION, "1", "upper end of the AUC's 95 % interval"),
        "chance": Variable(_CONDITION, "1", "overlap of random planes: rank / dimensions"),
        "planarity": Variable(_CONDITION, "1", "share of a component's changes that its plane holds"),
        "unheard": Variable(_CONDITION, "1", "share of components that leave the frame unchanged"),
        "additivity_error": Variable(
            _CONDITION, "1", "power of the interaction of component and company re their joint response"
        ),
        "tree_error": Variable(
            _CONDITION, "1", "held-out power of mixtures that sums of their parts leave, re all"
        ),
        "tree_error_shuffled": Variable(_CONDITION, "1", "the same with the parts of other mixtures"),
    },
    "hypotheses": {
        "hypothesis": Variable(("hypothesis",), "1", "hypothesis"),
        "judged_at": Variable(("hypothesis",), "1", "stage that the verdict is about"),
        "claim": Variable(("hypothesis",), "1", "sentence of the source"),
        "source_expects": Variable(("hypothesis",), "1", "what the source says: supported or refuted"),
        "statement": Variable(("hypothesis",), "1", "what is measured"),
        "holds": Variable(("hypothesis",), "1", "side of the threshold on which the hypothesis holds"),
        "threshold": Variable(("hypothesis",), "1", "value beyond which the hypothesis holds"),
        "justification": Variable(("hypothesis",), "1", "why this threshold"),
        "null": Variable(("hypothesis",), "1", "what is exchanged under the null"),
        "effect": Variable(("hypothesis",), "1", "value of the statistic"),
        "low": Variable(("hypothesis",), "1", "lower end of its 95 % interval"),
        "high": Variable(("hypothesis",), "1", "upper end of its 95 % interval"),
        "p": Variable(("hypothesis",), "1", "two-sided p against the null"),
        "p_corrected": Variable(("hypothesis",), "1", "the same after Holm's correction over the set"),
        "exact": Variable(("hypothesis",), "1", "whether all exchanges are counted, not a draw of them"),
        "n_units": Variable(("hypothesis",), "1", "independent units that the interval resamples"),
        "verdict": Variable(("hypothesis",), "1", "supported, refuted, undecided or no verdict"),
        "agrees": Variable(("hypothesis",), "1", "whether the verdict is what the source says: yes, no or –"),
        "controls": Variable(("hypothesis",), "1", "what the controls of this run gave, and must give"),
        "remark": Variable(("hypothesis",), "1", "why there is no verdict"),
    },
    "compare": {
        "measure": Variable(("measure",), "1", "number of the measure"),
        "probe": Variable(("measure",), "1", "group of the result"),
        "variable": Variable(("measure",), "1", "variable of the group"),
        "at_stage": Variable(("measure",), "1", "stage that the measure is taken at"),
        "at": Variable(("measure",), "1", "whatever else it is taken at"),
        "unit_of": Variable(("measure",), "1", "dimension whose items are resampled"),
        "n_units": Variable(("measure",), "1", "items that both runs have a value for"),
        "first": Variable(("measure",), "1", "mean in the first run"),
        "second": Variable(("measure",), "1", "mean in the second run"),
        "difference": Variable(("measure",), "1", "second less first, mean over paired items"),
        "low": Variable(("measure",), "1", "lower end of the difference's 95 % interval"),
        "high": Variable(("measure",), "1", "upper end of the difference's 95 % interval"),
        "p": Variable(("measure",), "1", "two-sided p of sign flips of paired differences"),
        "flagged": Variable(("measure",), "1", "whether the interval excludes no difference"),
    },
    "codes": {
        **STAGE,
        "component": Variable(("component",), "Hz", "frequency of the partial"),
        "codebook": Variable(("codebook",), "1", "number of the codebook, from 1"),
        "agreement_same": Variable(_SKQ, "1", "share of codes alike: same partial and phase, other company"),
        "agreement_different": Variable(_SKQ, "1", "share of codes alike: another partial, other company"),
        "agreement_company": Variable(_SKQ, "1", "share of codes alike: another partial, same company"),
        "agreement_phase": Variable(_SKQ, "1", "share of codes alike: same partial and company, other phase"),
        "reuse_p": Variable(_SQ, "1", "p of agreement_same against partials dealt anew in every company"),
        "joint_same": Variable(_SKQ, "1", "agreement_same of all codebooks up to this one at once"),
        "joint_different": Variable(_SKQ, "1", "agreement_different of all codebooks up to this one at once"),
        "joint_phase": Variable(_SKQ, "1", "agreement_phase of all codebooks up to this one at once"),
        "change_probability": Variable(
            _SKQ, "1", "share of codes that differ from those of the company alone"
        ),
        "information": Variable(_SKQ, "bit", "what a code tells of which partial sounds, corrected for bias"),
        "information_null": Variable(
            _SQ, "bit", "plug-in information of partials dealt anew in every company"
        ),
        "information_p": Variable(_SQ, "1", "p of the information against the same"),
        "joint_information": Variable(_SKQ, "bit", "information of all codebooks up to this one at once"),
        "joint_information_null": Variable(_SQ, "bit", "information_null of all codebooks up to this one"),
        "joint_information_p": Variable(_SQ, "1", "information_p of all codebooks up to this one"),
        "entries": Variable(_SQ, "1", "entries of the codebook; NaN where they are not known"),
        "used": Variable(_SQ, "1", "entries that what was played uses"),
        "perplexity": Variable(_SQ, "1", "2 ^ entropy of the codes of what was played"),
        "quantile": Variable(("quantile",), "1", "share of decisions with at most this margin"),
        "margin": Variable(
            ("stage", "quantile", "codebook"),
            "1",
            "distance to the runner-up less that to the nearest, re the distance between the two",
        ),
        "narrow_share": Variable(_SQ, "1", "share of decisions so narrow that rounding may turn them"),
        "generation": Variable(("generation",), "1", "how often the sound was decoded and encoded again"),
        "reencoded_same": Variable(
            ("stage", "generation", "component", "codebook"), "1", "share of codes still as at first"
        ),
        "reencoded_step": Variable(
            ("stage", "generation", "component", "codebook"), "1", "share of codes as one generation before"
        ),
        "delay": Variable(("delay",), "hops", "how much later the encoder begins to hear the same sound"),
        "shifted_same": Variable(
            ("stage", "delay", "component", "codebook"), "1", "share of codes that stay when the start moves"
        ),
        "unrelated_same": Variable(
            _SKQ, "1", "share of codes alike between sounds that share neither partial nor company"
        ),
        "arithmetic": Variable(("arithmetic",), "1", "how the same sum was done another way"),
        "arithmetic_changed": Variable(
            ("stage", "arithmetic", "codebook"), "1", "share of codes that another order of sums changes"
        ),
        "arithmetic_margin": Variable(
            ("stage", "arithmetic"), "1", "largest margin at which a frame's first changed code changed"
        ),
        "arithmetic_certainty": Variable(
            ("stage", "arithmetic"), "1", "the same re what rounding can turn: at most 1 if it explains all"
        ),
        "arithmetic_distance": Variable(
            ("stage", "arithmetic"), "1", "largest change of a latent, re its norm"
        ),
        "remark": Variable(("stage",), "1", "why there are no values, or what to know of them"),
    },
    "readout": {
        **STAGE,
        "remark": Variable(("stage",), "1", "why there are no values"),
        "density": Variable(("density",), "1", "partials in a mixture"),
        "component": Variable(("component",), "Hz", "frequency of the partial that is listened for"),
        "baseline": Variable(("baseline",), "1", "representation computed from the same sounds"),
        "auc": Variable(
            ("stage", "density", "component"),
            "1",
            "chance that a readout ranks a mixture with the partial above one without",
        ),
        "auc_quieter": Variable(
            ("stage", "component"), "1", "AUC in mixtures of two, quieter than any that was trained on"
        ),
        "auc_baseline": Variable(("baseline", "density", "component"), "1", "AUC of the baseline's readout"),
        "auc_quieter_baseline": Variable(
            ("baseline", "component"), "1", "AUC of the baseline's readout in quieter mixtures of two"
        ),
        "auc_null": Variable(
            ("stage", "density", "shuffle"), "1", "mean AUC of readouts trained on shuffled labels"
        ),
        "auc_p": Variable(("stage", "density"), "1", "p of the mean AUC against shuffled labels"),
        "mean_auc": Variable(("stage", "density"), "1", "mean AUC over partials"),
        "mean_auc_low": Variable(("stage", "density"), "1", "lower end of its 95 % interval over partials"),
        "mean_auc_high": Variable(("stage", "density"), "1", "upper end of its 95 % interval over partials"),
        "n_channels_used": Variable(("n_channels_used",), "1", "channels that the readout may use"),
        "capacity": Variable(
            ("stage", "n_channels_used", "draw"), "1", "mean AUC of a random subset of the channels"
        ),
        "task": Variable(("task",), "1", "what is read out of single chords and notes"),
        "held_out": Variable(("task",), "1", "what train and test never share"),
        "task_chance": Variable(("task",), "1", "score of guessing"),
        "task_score": Variable(("stage", "task"), "1", "accuracy (of f0: R^2) in unseen groups"),
        "task_score_baseline": Variable(("baseline", "task"), "1", "the baseline's score in unseen groups"),
        "task_leaky": Variable(("stage", "task"), "1", "score when rows, not groups, are held out"),
        "task_null": Variable(
            ("stage", "task", "shuffle"), "1", "score after shuffling labels within groups"
        ),
        "task_p": Variable(("stage", "task"), "1", "p of the score against shuffled labels"),
    },
    "chord_composition": {
        **STAGE,
        "remark": Variable(("stage",), "1", "why there are no values"),
        "chord": Variable(("chord",), "1", "chord"),
        "chord_root": Variable(("chord",), "MIDI note", "root of the chord"),
        "chord_quality": Variable(("chord",), "1", "quality of the chord"),
        "root": Variable(("root",), "MIDI note", "root"),
        "root_2": Variable(("root_2",), "MIDI note", "another root"),
        "baseline": Variable(("baseline",), "1", "representation computed from the same sounds"),
        "sum_error": Variable(
            ("stage", "chord"), "1", "power of chord minus sum of its notes, re the chord's response"
        ),
        "wrong_sum_error": Variable(("stage", "chord"), "1", "the same with the notes of another chord"),
        "offset_cosine": Variable(
            ("stage", "root", "root_2"), "1", "cosine of the offsets from major to minor at two roots"
        ),
        "offset_cosine_baseline": Variable(("baseline", "root", "root_2"), "1", "the same of a baseline"),
        "offset_cosine_shuffled": Variable(
            ("stage", "shuffle"), "1", "mean cosine over pairs of roots with qualities shuffled at each root"
        ),
        "offset_p": Variable(("stage",), "1", "p of the mean cosine against shuffled qualities"),
        "transfer_error": Variable(
            ("stage", "root"),
            "1",
            "squared error of minor = major + the other roots' mean offset, re the offset's own power",
        ),
        "transfer_error_baseline": Variable(("baseline", "root"), "1", "the same of a baseline"),
        "position_auc": Variable(
            ("stage", "chord"),
            "1",
            "chance that a chord is more like its inversions and voicings than like others in its position",
        ),
        "position_auc_baseline": Variable(("baseline", "chord"), "1", "the same of a baseline"),
    },
    "waveform_shape": {
        **STAGE,
        "sound": Variable(("sound",), "1", "number of the sound"),
        "sound_kind": Variable(("sound",), "1", "kind of sound"),
        "n_partials": Variable(("sound",), "1", "partials of the sound"),
        "detuning": Variable(("detuning",), "Hz", "how far every partial moved, up or down"),
        "heard_centre": Variable(
            ("stage",), "samples", "centre of the samples that a frame hears, after its nominal time"
        ),
        "heard_duration": Variable(("stage",), "s", "how long a frame hears, effectively"),
        "phase_distance": Variable(("stage", "sound"), "1", "change by scrambled phases, re the response"),
        "shift_distance": Variable(
            ("stage", "sound"), "1", "change by hearing the sound some ms later, re the response"
        ),
        "detuning_distance": Variable(
            ("stage", "detuning", "sound"), "1", "change by moved partials, re the response"
        ),
        "preference_by_detuning": Variable(
            ("stage", "detuning", "sound"), "1", "1: keeps waveform shape together, -1: keeps spectrum"
        ),
        "mean_preference": Variable(("stage", "detuning"), "1", "preference, mean over sounds"),
        "mean_preference_low": Variable(("stage", "detuning"), "1", "lower end of its 95 % interval"),
        "mean_preference_high": Variable(("stage", "detuning"), "1", "upper end of its 95 % interval"),
        "mean_preference_p": Variable(
            ("stage", "detuning"), "1", "p of its distance from 0, both ways, with the two changes exchanged"
        ),
        "preference": Variable(("stage", "sound"), "1", "preference at the reference detuning"),
        "reference_detuning": Variable(
            ("stage",), "Hz", "detuning that turns partials by an eighth within what a frame hears"
        ),
        "crossover": Variable(
            ("stage",), "Hz", "detuning that changes as much as scrambled phases; infinite if none does"
        ),
        "waveform_phase_distance": Variable(
            ("stage", "sound"), "1", "change of the waveform that a frame hears, by scrambled phases"
        ),
        "waveform_detuning_distance": Variable(
            ("stage", "detuning", "sound"),
            "1",
            "change of the waveform that a frame hears, by moved partials",
        ),
        "spectrum_phase_distance": Variable(
            ("sound",), "1", "change of the magnitude spectrum of 4 s, by scrambled phases"
        ),
        "spectrum_detuning_distance": Variable(
            ("detuning", "sound"), "1", "change of the magnitude spectrum of 4 s, by moved partials"
        ),
        "remark": Variable(("stage",), "1", "why there are no values, or what to know of them"),
    },
    "interventions": {
        **STAGE,
        "trial": Variable(("trial",), "1", "number of the trial: a partial removed from a mixture"),
        "mixture": Variable(("trial",), "1", "number of the mixture"),
        "removed_frequency": Variable(("trial",), "Hz", "frequency of the partial to remove"),
        "n_partials": Variable(("trial",), "1", "partials of the mixture"),
        "removal": Variable(("removal",), "1", "what is removed from the latent"),
        "dose": Variable(("dose",), "1", "how much of it is removed; 1 is all"),
        "removed_db": Variable(
            ("stage", "removal", "dose", "trial"), "dB", "change of the partial's level in the sound"
        ),
        "neighbours_db": Variable(
            ("stage", "removal", "dose", "trial"), "dB", "mean change of the other partials' levels"
        ),
        "worst_neighbour_db": Variable(
            ("stage", "removal", "dose", "trial"),
            "dB",
            "largest change, up or down, of another partial's level",
        ),
        "rest_db": Variable(
            ("stage", "removal", "dose", "trial"), "dB", "change of the level of everything but the partials"
        ),
        "held": Variable(
            ("stage", "removal", "trial"), "1", "share of the latent's deviation from silence that is removed"
        ),
        "mean_removed_db": Variable(("stage", "removal", "dose"), "dB", "removed_db, mean over mixtures"),
        "mean_removed_low": Variable(("stage", "removal", "dose"), "dB", "lower end of its 95 % interval"),
        "mean_removed_high": Variable(("stage", "removal", "dose"), "dB", "upper end of its 95 % interval"),
        "mean_neighbours_db": Variable(
            ("stage", "removal", "dose"), "dB", "neighbours_db, mean over mixtures"
        ),
        "mean_neighbours_low": Variable(("stage", "removal", "dose"), "dB", "lower end of its 95 % interval"),
        "mean_neighbours_high": Variable(
            ("stage", "removal", "dose"), "dB", "upper end of its 95 % interval"
        ),
        "specific_db": Variable(
            ("stage", "removal", "trial"),
            "dB",
            "how much more the partial falls than its neighbours, at dose 1",
        ),
        "specific_p": Variable(
            ("stage", "removal"), "1", "p of specific_db against that of random planes of equal energy"
        ),
        "reference_db": Variable(
            ("stage", "trial"), "dB", "level of the partial in the decoded sound re the one played"
        ),
        "ideal_removed_db": Variable(
            ("stage", "trial"), "dB", "change of the partial where the mixture is played without it"
        ),
        "ideal_neighbours_db": Variable(
            ("stage", "trial"), "dB", "mean change of the others where the mixture is played without it"
        ),
        "channels_removed": Variable(("channels_removed",), "1", "channels, most responsive first, silenced"),
        "channels_removed_db": Variable(
            ("stage", "channels_removed", "trial"), "dB", "change of the partial's level"
        ),
        "channels_neighbours_db": Variable(
            ("stage", "channels_removed", "trial"), "dB", "mean change of the other partials' levels"
        ),
        "codebooks": Variable(("codebooks",), "1", "codebooks that quantize the latent after the removal"),
        "quantized_removed_db": Variable(
            ("stage", "codebooks", "trial"),
            "dB",
            "change of the partial's level, own plane in company, dose 1",
        ),
        "quantized_neighbours_db": Variable(
            ("stage", "codebooks", "trial"), "dB", "mean change of the other partials' levels, same"
        ),
        "clip": Variable(("clip",), "1", "what is to be heard"),
        "clip_sample": Variable(("clip_sample",), "samples", "sample of the clips"),
        "sound": Variable(
            ("clip", "clip_sample"), "1", "sounds of the first trial whose partial is transmitted"
        ),
        "remark": Variable(("stage",), "1", "why there are no values, or what to know of them"),
    },
}
