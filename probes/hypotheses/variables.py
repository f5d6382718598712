"""What is said of a run: verdicts on hypotheses, and differences between runs."""

from __future__ import annotations

from ..engine.variable import Groups, Variable

VARIABLES: Groups = {
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
        "p_corrected": Variable(("hypothesis",), "1", "the same after Holm's correction over the family"),
        "least_p": Variable(
            ("hypothesis",), "1", "least corrected p that as many units could reach, other claims as they are"
        ),
        "family": Variable(("hypothesis",), "1", "claims that p is corrected for together"),
        "family_size": Variable(("hypothesis",), "1", "number of claims declared in the family"),
        "method": Variable(("hypothesis",), "1", "where p and interval come from"),
        "n_units": Variable(("hypothesis",), "1", "independent units that the interval is over"),
        "verdict": Variable(
            ("hypothesis",), "1", "supported, refuted, undecided, cannot be decided or no verdict"
        ),
        "needs": Variable(("hypothesis",), "1", "how many units would decide what is not decided"),
        "alternative": Variable(("hypothesis",), "1", "what else could give the verdict, not excluded"),
        "agrees": Variable(("hypothesis",), "1", "whether the verdict is what the source says: yes, no or –"),
        "controls": Variable(("hypothesis",), "1", "what the controls of this run gave, and must give"),
        "remark": Variable(("hypothesis",), "1", "why there is no verdict, or cannot be one"),
    },
    "compare": {
        "measure": Variable(("measure",), "1", "measure, with where it is taken"),
        "probe": Variable(("measure",), "1", "group of the result"),
        "variable": Variable(("measure",), "1", "variable of the group"),
        "at_stage": Variable(("measure",), "1", "stage that the measure is taken at"),
        "at": Variable(("measure",), "1", "whatever else it is taken at"),
        "unit_of": Variable(("measure",), "1", "dimension whose items the interval is over"),
        "n_units": Variable(("measure",), "1", "items that both runs have a value for"),
        "first": Variable(("measure",), "1", "mean in the first run"),
        "second": Variable(("measure",), "1", "mean in the second run"),
        "difference": Variable(("measure",), "1", "second less first, mean over paired items"),
        "low": Variable(("measure",), "1", "lower end of the difference's 95 % interval"),
        "high": Variable(("measure",), "1", "upper end of the difference's 95 % interval"),
        "p": Variable(("measure",), "1", "two-sided p of the mean of paired differences"),
        "flagged": Variable(("measure",), "1", "whether the interval excludes no difference"),
    },
}
