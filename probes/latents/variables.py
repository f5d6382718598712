"""What is measured of the latents of melody models."""

from __future__ import annotations

from ..engine.variable import Groups, Variable

_MD = ("material", "dimension")
_MCT = ("material", "criterion", "threshold")
_OK = ("order", "kept", "measure")
_NF = ("rank", "feature")
_NG = ("rank", "group")
_MT = ("material", "activity")
_NK = ("rank", "dose")

_MATERIAL = {"material": Variable(("material",), "1", "what was encoded")}
_NEURON = {
    "rank": Variable(("rank",), "1", "place in the order of relevance, from 1"),
    "latent_dimension": Variable(("rank",), "1", "the model's dimension, from 0"),
}
_FEATURE = {
    "feature": Variable(("feature",), "1", "feature of jSymbolic, with the entry of a vector"),
    "feature_group": Variable(("feature",), "1", "pitch, rhythm or melody"),
    "feature_id": Variable(("feature",), "1", "jSymbolic's number of the feature"),
}

VARIABLES: Groups = {
    "latents": {
        **_MATERIAL,
        "dimension": Variable(("dimension",), "1", "the model's dimension, from 0"),
        "criterion": Variable(("criterion",), "1", "what makes a dimension a music rank"),
        "other_criterion": Variable(("other_criterion",), "1", "the criterion it is compared with"),
        "threshold": Variable(("threshold",), "1", "threshold of a criterion (divergence: nats)"),
        "n_melodies": Variable(("material",), "1", "melodies encoded"),
        "mean_mu": Variable(_MD, "1", "mean over melodies of the posterior's mean"),
        "variance_mu": Variable(_MD, "1", "variance over melodies of the posterior's mean"),
        "mean_sigma": Variable(_MD, "1", "mean over melodies of the posterior's standard deviation"),
        "mean_variance": Variable(_MD, "1", "mean over melodies of the posterior's variance"),
        "divergence": Variable(_MD, "nats", "mean divergence of the posterior from the prior"),
        "total_variance": Variable(
            _MD, "1", "variance of mu plus mean variance; 1 if posteriors fill the prior"
        ),
        "relevance": Variable(("dimension",), "1", "place in the order of variance of mu, from 1"),
        "is_active": Variable(
            ("criterion", "dimension"),
            "1",
            "whether the dimension carries music, by the criterion's own threshold",
        ),
        "count": Variable(_MCT, "1", "dimensions that carry music, over the threshold"),
        "agreement": Variable(
            ("criterion", "other_criterion"),
            "1",
            "dimensions that both criteria name over those that either does",
        ),
    },
    "reconstruction": {
        "order": Variable(("order",), "1", "in what order dimensions are kept"),
        "kept": Variable(("kept",), "1", "dimensions kept, all others zero"),
        "measure": Variable(("measure",), "1", "what is counted"),
        "accuracy": Variable(_OK, "1", "mean over melodies of the share that is right"),
        "accuracy_low": Variable(_OK, "1", "lower end of its 95 % interval over melodies"),
        "accuracy_high": Variable(_OK, "1", "upper end of its 95 % interval over melodies"),
        "loss_to_all": Variable(_OK, "1", "accuracy with all dimensions less accuracy, of the same melodies"),
        "loss_low": Variable(_OK, "1", "lower end of its 95 % interval over melodies"),
        "loss_high": Variable(_OK, "1", "upper end of its 95 % interval over melodies"),
    },
    "features": {
        **_NEURON,
        **_FEATURE,
        "group": Variable(("group",), "1", "pitch, rhythm or melody"),
        "phik": Variable(_NF, "1", "phik of the dimension's mu with the feature"),
        "p": Variable(_NF, "1", "p of phik against melodies dealt anew, uncorrected"),
        "p_corrected": Variable(_NF, "1", "p of phik, corrected over all pairs by the largest of each deal"),
        "answers": Variable(("rank",), "1", "group that the dimension goes with most, of those that count"),
        "other_group": Variable(("other_group",), "1", "pitch, rhythm or melody"),
        "group_correlation": Variable(
            ("group", "other_group"), "1", "Spearman's, over dimensions, of the largest phik of two groups"
        ),
        "explained": Variable(("rank",), "1", "share of mu's variance that rhythm features predict"),
        "conditional_phik": Variable(_NF, "1", "phik with melody features beyond what rhythm tells"),
        "conditional_p": Variable(
            _NF, "1", "p of it against deals among melodies alike in rhythm, uncorrected"
        ),
        "conditional_p_corrected": Variable(_NF, "1", "p of it, corrected over all pairs"),
        "melody": Variable(("rank",), "1", "whether melody counts beyond rhythm, with rhythm only, or not"),
    },
    "activation": {
        **_MATERIAL,
        "activity": Variable(("activity",), "1", "threshold of |mu|, in standard deviations of the prior"),
        "active": Variable(_MT, "1", "mean number of active latents whose |mu| is above the threshold"),
        "active_low": Variable(_MT, "1", "lower end of its 95 % interval over melodies"),
        "active_high": Variable(_MT, "1", "upper end of its 95 % interval over melodies"),
        "active_rest": Variable(_MT, "1", "mean number of other dimensions above the threshold"),
        "information": Variable(
            ("material",), "nats", "mean divergence of a melody's posterior from the prior"
        ),
    },
    "traversals": {
        **_NEURON,
        **_FEATURE,
        "group": Variable(("group",), "1", "pitch, rhythm or melody"),
        "dose": Variable(
            ("dose",), "1", "value the dimension is set to, in standard deviations of the prior"
        ),
        "step": Variable(("step",), "sixteenths", "time in the melody"),
        "concordance": Variable(_NF, "1", "Kendall's W of the feature over doses, between melodies"),
        "direction": Variable(_NF, "1", "mean rank correlation of dose and feature"),
        "p": Variable(_NF, "1", "p of the concordance against doses dealt anew, uncorrected"),
        "p_corrected": Variable(_NF, "1", "p of the concordance, corrected over all pairs"),
        "response": Variable(
            ("rank", "dose", "feature"),
            "1",
            "mean change from dose 0, in standard deviations of the feature",
        ),
        "changed": Variable(_NK, "1", "share of steps that differ from those at dose 0"),
        "example": Variable(("rank", "dose", "step"), "1", "one melody at every dose, as a roll"),
        "is_unused": Variable(
            ("rank",), "1", "whether the dimension is moved as a control: the least relevant"
        ),
        "claimed_feature": Variable(_NG, "1", "feature of the group that the dimension correlates with most"),
        "verdict": Variable(_NG, "1", "what moving the dimension makes of that correlation"),
    },
}
