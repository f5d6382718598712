"""What is measured of sparse dictionaries, of their features' labels, and of steering by them."""

from __future__ import annotations

from ..engine.variable import STAGE, Groups, Variable

_S, _SV, _SF = ("stage",), ("stage", "variant"), ("stage", "feature")
_SVF = ("stage", "variant", "feature")
_SVA = ("stage", "variant", "ablation")
_SVDF = ("stage", "variant", "definition", "fate")
_SVC = ("stage", "variant", "known_class")
_SLF = ("stage", "labeler", "feature")
_SE = ("stage", "shown", "example")
_SP, _SPD = ("stage", "steered"), ("stage", "steered", "dose")
_SPDD = ("stage", "steered", "dose", "descriptor")

_STAGE = {name: STAGE[name] for name in ("stage", "n_channels", "hop", "kind")}
_VARIANT = {"variant": Variable(("variant",), "1", "which dictionary")}
_FEATURE = {"feature": Variable(("feature",), "1", "feature of the dictionary, from 0")}

VARIABLES: Groups = {
    "dictionaries": {
        **_STAGE,
        **_VARIANT,
        **_FEATURE,
        "rank": Variable(("rank",), "1", "principal components kept"),
        "ablation": Variable(("ablation",), "1", "what takes the place of the activations"),
        "definition": Variable(("definition",), "1", "what a feature's rate is a share of"),
        "fate": Variable(("fate",), "1", "what becomes of a feature in the funnel"),
        "n_features": Variable(_S, "1", "features of the dictionaries"),
        "k": Variable(_S, "1", "features kept of a frame"),
        "n_learnt_from": Variable(_S, "frames", "frames that dictionaries were learnt from"),
        "n_frames": Variable(_S, "frames", "frames of the clips that all else is measured on"),
        "l0": Variable(_SV, "1", "features active at a frame, on average"),
        "explained_variance": Variable(_SV, "1", "share of the variance about each channel's mean"),
        "components_variance": Variable(
            ("stage", "rank"), "1", "share of the variance that principal components explain"
        ),
        "unused_share": Variable(_SV, "1", "share of features that are never active"),
        "seeds_cosine": Variable(_S, "1", "mean cosine of features matched with those of another seed"),
        "random_cosine": Variable(_S, "1", "the same between random directions"),
        "cross_entropy": Variable(_S, "nats", "cross-entropy of a code, nothing changed"),
        "cross_entropy_with": Variable(_SV, "nats", "cross-entropy with reconstructed activations"),
        "cross_entropy_ablated": Variable(
            ("stage", "ablation"), "nats", "cross-entropy without the activations"
        ),
        "recovered": Variable(
            _SVA,
            "1",
            "share of what the ablation costs that is recovered; NaN where it costs hardly anything",
        ),
        "funnel": Variable(_SVDF, "1", "features by what becomes of them"),
        "token_rate": Variable(_SVF, "1", "share of frames at which the feature is active"),
        "clip_rate": Variable(_SVF, "1", "share of clips on which the feature is active"),
    },
    "labels": {
        **_STAGE,
        **_VARIANT,
        **_FEATURE,
        "factor": Variable(("factor",), "1", "what is known of clips"),
        "known_class": Variable(("known_class",), "1", "class of a factor"),
        "class_factor": Variable(("known_class",), "1", "the factor that a class is of"),
        "labeler": Variable(("labeler",), "1", "what labels beside known truth"),
        "shown": Variable(("shown",), "1", "place among the labels that are shown, from 1"),
        "example": Variable(("example",), "1", "place among the clips that excite a feature most, from 1"),
        "frame": Variable(("frame",), "frames", "frame of a clip"),
        "sample": Variable(("sample",), "samples", "sample of a clip"),
        "n_clips": Variable(_S, "1", "clips that features are labelled on"),
        "label": Variable(_SF, "1", "label of the feature"),
        "label_factor": Variable(_SF, "1", "what the label is of"),
        "measure": Variable(_SF, "1", "what the score is"),
        "score": Variable(_SF, "1", "score on clips that the label was not made from"),
        "baseline": Variable(_SF, "1", "what the best of all features scores by chance"),
        "score_low": Variable(_SF, "1", "lower end of its 95 % interval over groups of clips"),
        "score_high": Variable(_SF, "1", "upper end of its 95 % interval over groups of clips"),
        "p": Variable(_SF, "1", "p of the label on the clips it was made from, over features and factors"),
        "held_out_p": Variable(_SF, "1", "p on the other clips, over the labels that are beyond chance"),
        "is_kept": Variable(_SF, "1", "whether the label holds on clips it was not made from"),
        "other_label": Variable(_SLF, "1", "label that a labeler gives"),
        "other_score": Variable(_SLF, "1", "its score on clips that it was not made from"),
        "other_baseline": Variable(_SLF, "1", "what chance gives in the same measure"),
        "other_low": Variable(_SLF, "1", "lower end of the score's 95 % interval"),
        "other_high": Variable(_SLF, "1", "upper end of the score's 95 % interval"),
        "other_is_kept": Variable(_SLF, "1", "whether the label holds on clips it was not made from"),
        "n_beyond": Variable(_SV, "1", "features beyond the null where labels are made"),
        "n_kept": Variable(_SV, "1", "features whose label holds on the other clips"),
        "n_kept_shuffled": Variable(_S, "1", "features whose label holds where truths are shuffled"),
        "n_by_factor": Variable(("stage", "variant", "factor"), "1", "features whose label holds, by factor"),
        "f1": Variable(_SVC, "1", "F1 of the best feature of a class, on clips it was not chosen on"),
        "mcc": Variable(_SVC, "1", "Matthews correlation of the best feature of a class, the same"),
        "chance_f1": Variable(_S, "1", "mean F1 over classes where truths are shuffled"),
        "chance_mcc": Variable(_S, "1", "mean Matthews correlation over classes where truths are shuffled"),
        "shown_feature": Variable(("stage", "shown"), "1", "the feature that is shown; -1 for none"),
        "example_sound": Variable((*_SE, "sample"), "1", "sound of a clip, of full scale 32767"),
        "example_firing": Variable((*_SE, "frame"), "1", "the feature over the clip"),
    },
    "steering": {
        **_STAGE,
        "steered": Variable(("steered",), "1", "place among the features that are steered by, from 1"),
        "dose": Variable(("dose",), "1", "what is added, re the norm of dose 1; all p are of the attribute"),
        "descriptor": Variable(("descriptor",), "1", "what sounds are described by"),
        "descriptor_units": Variable(("descriptor",), "1", "units of a change of the descriptor"),
        "direction": Variable(("direction",), "1", "random direction, from 0"),
        "sample": Variable(("sample",), "samples", "sample of a sound"),
        "norm": Variable(_S, "1", "norm of what is added at dose 1"),
        "stream_norm": Variable(_S, "1", "mean norm of the residual stream on labelled clips"),
        "unsteered": Variable(
            ("descriptor",), "as of the descriptor", "mean over sounds that nothing is added to"
        ),
        "steered_feature": Variable(_SP, "1", "the feature that is steered by; -1 for none"),
        "label": Variable(_SP, "1", "label of the feature"),
        "label_factor": Variable(_SP, "1", "what the label is of"),
        "target": Variable(_SP, "1", "the descriptor that is to change"),
        "sign": Variable(_SP, "1", "which way it is to change, by the labelled clips"),
        "change": Variable(
            _SPDD, "as of the descriptor", "change of the descriptor, mean over seeds; undefined ones count 0"
        ),
        "change_error": Variable(_SPDD, "as of the descriptor", "standard error of the change over seeds"),
        "change_means": Variable(_SPDD, "as of the descriptor", "change by the difference of means"),
        "change_random": Variable(
            ("stage", "direction", "descriptor"),
            "as of the descriptor",
            "change by a random direction, at the tested dose",
        ),
        "effect": Variable(_SP, "as of the target", "change of the target as the label says, tested dose"),
        "effect_means": Variable(_SP, "as of the target", "the same by the difference of means"),
        "p": Variable(_SP, "1", "share of random directions, and of this, with at least the effect"),
        "p_means": Variable(_SP, "1", "the same of the difference of means"),
        "p_holm": Variable(_SP, "1", "p after Holm's correction over all features of all stages"),
        "p_means_holm": Variable(_SP, "1", "the same of the difference of means"),
        "survives": Variable(_SP, "1", "whether the corrected p is at most 0.05"),
        "means_survive": Variable(_SP, "1", "the same of the difference of means"),
        "means_cosine": Variable(_SP, "1", "cosine of the feature's direction and the difference of means"),
        "off_target_p": Variable(
            ("stage", "steered", "descriptor"),
            "1",
            "two-sided p of the change among random directions, tested dose, not corrected",
        ),
        "token_loss": Variable(_SPD, "nats", "cross-entropy of what is generated under the model as it is"),
        "token_loss_means": Variable(_SPD, "nats", "the same by the difference of means"),
        "token_loss_random": Variable(
            ("stage", "direction"), "nats", "the same by a random direction, at the tested dose"
        ),
        "silent_share": Variable(_SPD, "1", "share of sounds below -60 dB re full scale"),
        "silent_random": Variable(_S, "1", "the same by random directions, at the tested dose"),
        "undefined_share": Variable(_SPDD, "1", "share of seeds that count as unchanged: nothing to compare"),
        "sound_before": Variable((*_SP, "sample"), "1", "sound of seed 0, of full scale 32767"),
        "sound_after": Variable((*_SP, "sample"), "1", "the same, steered at the tested dose"),
    },
}
