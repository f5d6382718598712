"""What is measured of components: stability, readouts, chords, and waveform shape."""

from __future__ import annotations

from ..engine.variable import STAGE, Groups, Variable

_CONDITION = ("stage", "condition")

VARIABLES: Groups = {
    "compositionality": {
        **STAGE,
        "condition": Variable(("condition",), "1", "what is played: components, their level, their context"),
        "component_kind": Variable(("condition",), "1", "kind of component: partial, pitch or chord"),
        "density": Variable(("condition",), "1", "components in the context of the one that is tested"),
        "component_level_dbfs": Variable(
            ("condition",), "dB re full-scale sine", "level of every single component"
        ),
        "n_codebooks": Variable(("stage",), "1", "codebooks the vectors are summed from; 0 before them"),
        "component_frequency": Variable(
            ("condition", "component"), "Hz", "frequency, or fundamental frequency, of each component"
        ),
        "component_label": Variable(("condition", "component"), "1", "name of each component"),
        "component": Variable(("component",), "1", "number of the component"),
        "component_2": Variable(("component_2",), "1", "number of another component"),
        "context_pair": Variable(("context_pair",), "1", "number of the pair of contexts"),
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
        "index": Variable(_CONDITION, "1", "plane index of earlier versions: stability - confusion"),
        "index_low": Variable(_CONDITION, "1", "lower end of the index's 95 % interval"),
        "index_high": Variable(_CONDITION, "1", "upper end of the index's 95 % interval"),
        "index_p": Variable(_CONDITION, "1", "p of the index, components relabelled within contexts"),
        "auc": Variable(_CONDITION, "1", "how often same components overlap more than different ones"),
        "auc_low": Variable(_CONDITION, "1", "lower end of the AUC's 95 % interval"),
        "auc_high": Variable(_CONDITION, "1", "upper end of the AUC's 95 % interval"),
        "chance": Variable(_CONDITION, "1", "overlap of random planes: rank / dimensions"),
        "planarity": Variable(_CONDITION, "1", "share of a component's changes that its plane holds"),
        "unchanged": Variable(_CONDITION, "1", "share of components that leave the frame unchanged"),
        "additivity_error": Variable(
            _CONDITION, "1", "power of the interaction of component and context re their joint response"
        ),
        "tree_error": Variable(
            _CONDITION, "1", "held-out power of mixtures that sums of their parts leave, re all"
        ),
        "tree_error_shuffled": Variable(_CONDITION, "1", "the same with the parts of other mixtures"),
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
        "shuffle": Variable(("shuffle",), "1", "number of the shuffle"),
        "draw": Variable(("draw",), "1", "number of the subset that was drawn"),
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
        "shuffle": Variable(("shuffle",), "1", "number of the shuffle"),
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
        "sound": Variable(("sound",), "1", "sound: its kind, numbered"),
        "sound_kind": Variable(("sound",), "1", "kind of sound"),
        "sound_group": Variable(("sound",), "1", "group of the sound; groups are drawn independently"),
        "n_partials": Variable(("sound",), "1", "partials of the sound"),
        "detuning": Variable(("detuning",), "Hz", "how far every partial moved, up or down"),
        "window_centre": Variable(
            ("stage",), "samples", "centre of the samples that change a frame, after its nominal time"
        ),
        "window_duration": Variable(("stage",), "s", "effective duration of the samples that change a frame"),
        "change": Variable(("change",), "1", "what was done to a sound"),
        "similarity": Variable(
            ("stage", "change", "sound"),
            "1",
            "how alike a frame stays: 1 the same, 0 as of another sound, -1 the opposite",
        ),
        "windowed_similarity": Variable(
            ("stage", "change", "sound"), "1", "the same of the waveform under the frame's window"
        ),
        "shape_over_spectrum": Variable(
            ("stage", "sound"),
            "1",
            "similarity kept with the waveform less that kept with the spectrum, each re the windowed "
            "spectrum's: 1 only the waveform's shape counts, 0 as a windowed spectrum, -1 as its magnitude",
        ),
        "same_detuning": Variable(
            ("stage",), "Hz", "detuning that turns partials by a 32nd within a frame's window"
        ),
        "phase_distance": Variable(("stage", "sound"), "1", "change by scrambled phases, re the response"),
        "shift_distance": Variable(
            ("stage", "sound"), "1", "change by the sound beginning some ms earlier or later, re the response"
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
            ("stage",), "Hz", "detuning that turns partials by an eighth within a frame's window"
        ),
        "crossover": Variable(
            ("stage",), "Hz", "detuning that changes as much as scrambled phases; infinite if none does"
        ),
        "waveform_phase_distance": Variable(
            ("stage", "sound"), "1", "change of the waveform under the window, by scrambled phases"
        ),
        "waveform_detuning_distance": Variable(
            ("stage", "detuning", "sound"),
            "1",
            "change of the waveform under the window, by moved partials",
        ),
        "spectrum_phase_distance": Variable(
            ("sound",), "1", "change of the magnitude spectrum of 4 s, by scrambled phases"
        ),
        "spectrum_detuning_distance": Variable(
            ("detuning", "sound"), "1", "change of the magnitude spectrum of 4 s, by moved partials"
        ),
        "remark": Variable(("stage",), "1", "why there are no values, or what to know of them"),
    },
}
