"""Verdicts: what a run says of hypotheses, each by its own p, interval and controls, corrected by family."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from ...synth.errors import InputError
from ..engine.schema import dataset, subjects
from ..statistics.resampling import ALPHA, holm
from .deciding import (
    MOST_UNITS,
    UNDECIDED,
    least_p,
    place,
    two_sided,
    units_to_decide,
    units_to_reach,
    verdict_p,
)
from .evidence import Evidence
from .hypothesis import REFUTED, SUPPORTED, USUAL, Control, Hypothesis, NoEvidence
from .registry import HYPOTHESES
from .variables import VARIABLES

UNDECIDABLE, NO_VERDICT = "cannot be decided", "no verdict"
NO_CONTROL = "no control"  # a claim without any is judged all the same
DASH = "–"


@dataclass
class Finding:
    """What a run holds about a hypothesis, and what became of it; without a p it gets no verdict."""

    controls: str = ""
    remark: str = ""
    stage: str = ""
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    n_units: int = 0
    method: str = ""
    p: float = np.nan
    p_corrected: float = np.nan
    least_p: float = np.nan
    verdict: str = NO_VERDICT
    needs: str = ""
    family_size: int = 1
    evidence: Evidence | None = field(default=None, repr=False)


def evaluate(run: xr.DataTree, hypotheses: Sequence[Hypothesis], seed: int = 0) -> dict[str, xr.Dataset]:
    """Judge hypotheses by what a run holds, for every encoder of it and every random baseline.

    A hypothesis is *supported* if its two-sided p, after Holm's correction over its family, is at most 0.05
    and the 95 % interval of the effect lies where it holds; *refuted* if p is and the interval lies where
    it does not; else *undecided*. It *cannot be decided* where not even the clearest evidence of as many
    units would bring p to 0.05. It gets *no verdict* where the run lacks what it needs, or where one of its
    controls was not measured or does not give what theory says; `remark` then says why. Where claims of
    one family were measured, those of families of which nothing was are left out.

    Parameters
    ----------
    run : xarray.DataTree
    hypotheses : sequence of Hypothesis
        Those of the source are `tonotopy.probes.hypotheses.registry.HYPOTHESES`.
    seed : int
        Of resampling.

    Returns
    -------
    verdicts : dict of str to xarray.Dataset
        Node of the subject -> group "hypotheses", see `hypotheses.variables`.

    Raises
    ------
    InputError
        If two hypotheses have one name.

    Notes
    -----
    Source: Holm, Scandinavian Journal of Statistics 6:65, 1979. The family is what was declared, those of
    the source and those given here, whatever else was measured: a claim without a p counts as p = 1.
    Equivalence ("within") is tested by two one-sided tests: Schuirmann, Journal of Pharmacokinetics and
    Biopharmaceutics 15:657, 1987.
    """
    check_named_once(hypotheses)
    sizes = family_sizes(hypotheses)
    known: dict[tuple[str, str, Control], tuple[str, bool]] = {}
    verdicts = {}
    for node, subject in subjects(run).items():
        about = [h for h in hypotheses if h.modality == subject.attrs["modality"]]
        there = {h.family for h in about if not h.group or h.group in subject.children}
        about = [h for h in about if h.family in there or not there]
        if subject.attrs["role"] != "control" and about:
            rate = int(subject.attrs.get("sample_rate", 0))
            found = [_found(run, node, h, _gate(run, h, rate, known), seed) for h in about]
            decide(about, found, sizes, seed)
            verdicts[node] = _tabulated(about, found)
    return verdicts


def check_named_once(hypotheses: Sequence[Hypothesis]) -> None:
    """Raise where two hypotheses have one name."""
    names = [h.name for h in hypotheses]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"hypothesis {name!r}: given twice")


def family_sizes(hypotheses: Sequence[Hypothesis]) -> Counter[str]:
    """Count the claims that are declared in each family: those of the source, and those given.

    Examples
    --------
    >>> sum(family_sizes([]).values()) == len(HYPOTHESES)
    True
    """
    return Counter({h.name: h.family for h in (*HYPOTHESES, *hypotheses)}.values())


def _gate(
    run: xr.DataTree,
    hypothesis: Hypothesis,
    rate: int,
    known: dict[tuple[str, str, Control], tuple[str, bool]],
) -> tuple[str, str]:
    """Say what the hypothesis's controls gave, and, unless all is well, why there is no verdict."""
    said, failed = [], []
    for control in hypothesis.controls:
        node = next((n for n, r in control_nodes(run, control.encoder) if r == rate), None)
        if node is None:
            failed.append(f"control {control.encoder} was not measured")
            continue
        key = (hypothesis.name, node, control)
        if key not in known:
            known[key] = _checked(run, node, hypothesis, control)
        text, well = known[key]
        said.append(text)
        if not well:
            failed.append(f"a control fails: {text}")
    return "; ".join(said) or (NO_CONTROL if not hypothesis.controls else ""), "; ".join(failed)


def control_nodes(run: xr.DataTree, encoder: str) -> list[tuple[str, int]]:
    """Return where a control lies in a run, and its sample rates; it may have been measured as an encoder."""
    return [
        (node, int(subject.attrs.get("sample_rate", 0)))
        for node, subject in subjects(run).items()
        if subject.attrs["encoder"] == encoder
    ]


def _checked(run: xr.DataTree, node: str, hypothesis: Hypothesis, control: Control) -> tuple[str, bool]:
    try:
        measure = control.evidence or hypothesis.evidence
        effect = measure(run, node, deepest(run, node, hypothesis)).effect
    except NoEvidence as reason:
        return f"{control.encoder}: {reason}", False
    except Exception as error:
        return f"{control.encoder}: evidence raises {type(error).__name__}: {error}", False
    well = bool(control.low <= effect <= control.high)  # NaN is not well
    return f"{control.encoder} {effect:.3g} (must be {control.bounds})", well


def deepest(run: xr.DataTree, node: str, hypothesis: Hypothesis) -> str:
    """Return the stage at which a control is taken: its deepest, codes only where codes are judged.

    Raises
    ------
    NoEvidence
        If the run does not hold it.
    """
    if hypothesis.group and hypothesis.group not in run[node].children:
        raise NoEvidence(f"{hypothesis.group} was not measured of {node}")
    groups = [hypothesis.group] if hypothesis.group else list(run[node].children)
    staged = [run[node][group].to_dataset() for group in groups if "stage" in run[node][group].dims]
    if not staged:
        return hypothesis.stage
    stages = [str(s) for s in max(staged, key=lambda probe: probe.sizes["stage"])["stage"].values]
    deep = [s for s in stages if (s == "codes") == (hypothesis.stage == "codes")]
    if not deep:
        raise NoEvidence(f"{node} has no {hypothesis.stage}")
    return deep[-1]


def judged_at(run: xr.DataTree, node: str, hypothesis: Hypothesis) -> str:
    """Return the stage at which a hypothesis is judged; where there is no latent, the deepest there is."""
    if hypothesis.stage != USUAL or hypothesis.group not in run[node].children:
        return hypothesis.stage
    probe = run[node][hypothesis.group].to_dataset()
    if "stage" not in probe.dims or USUAL in probe["stage"].values:
        return hypothesis.stage
    stage = deepest(run, node, hypothesis)
    return hypothesis.stage if stage == "first_layer" else stage  # of which deep claims say nothing


def _found(run: xr.DataTree, node: str, hypothesis: Hypothesis, gate: tuple[str, str], seed: int) -> Finding:
    """Measure a hypothesis at a subject; what its gate refuses has an effect, and no p."""
    controls, refusal = gate
    stage = judged_at(run, node, hypothesis)
    found = found_at(run, node, hypothesis, stage, seed)
    found.controls, found.stage = controls, stage
    if refusal and found.evidence is not None:
        found.remark, found.p = refusal, np.nan
    return found


def found_at(run: xr.DataTree, node: str, hypothesis: Hypothesis, stage: str, seed: int) -> Finding:
    """Measure a hypothesis at a stage of a subject, whatever its controls give."""
    try:
        evidence = hypothesis.evidence(run, node, stage)
    except NoEvidence as reason:
        return Finding(remark=str(reason))
    except Exception as error:  # a plug-in's: what was measured must not be lost by it
        return Finding(remark=f"its evidence raises {type(error).__name__}: {error}")
    low, high = evidence.interval(seed)
    p = two_sided(*verdict_p(evidence, hypothesis.holds, hypothesis.threshold, seed))
    remark = "" if np.isfinite(p) else f"{evidence.n_units} {evidence.unit} with a value are too few"
    return Finding(
        remark=remark, effect=evidence.effect, low=low, high=high, n_units=evidence.n_units,
        method=evidence.method, p=p, evidence=evidence,
    )  # fmt: skip


def decide(
    hypotheses: Sequence[Hypothesis], found: Sequence[Finding], sizes: Counter[str], seed: int
) -> None:
    """Correct the p-values of findings by family, and give verdicts."""
    for family in {h.family for h in hypotheses}:
        members = [i for i, h in enumerate(hypotheses) if h.family == family]
        p = np.array([found[i].p for i in members])
        for k, corrected in enumerate(holm(p, sizes[family])):
            one, hypothesis = found[members[k]], hypotheses[members[k]]
            one.family_size, one.p_corrected = sizes[family], float(corrected)
            if one.evidence is None or np.isnan(one.p):
                continue
            least = least_p(one.evidence, one.n_units, hypothesis.holds, hypothesis.threshold)
            # had the evidence been the clearest, with the other claims as they are
            others = np.where(np.arange(len(p)) == k, min(least, one.p), p)
            one.least_p = float(holm(others, sizes[family])[k])
            _say(one, one.evidence, hypothesis, seed)


def _say(one: Finding, evidence: Evidence, hypothesis: Hypothesis, seed: int) -> None:
    """Give the verdict, and say of what is not decided what it needs."""
    about = hypothesis.holds, hypothesis.threshold
    if one.p_corrected <= ALPHA:
        one.verdict = place(*about, one.low, one.high)
    elif one.least_p > ALPHA:
        one.verdict = UNDECIDABLE
    else:
        one.verdict = UNDECIDED
    if one.verdict == UNDECIDABLE:
        one.remark = (
            f"{one.n_units} {evidence.unit} cannot reach {ALPHA} in a family of {one.family_size} "
            f"(least p {one.least_p:.2g}; {one.method})"
        )
        enough = units_to_reach(evidence, ALPHA / one.family_size, *about)
        one.needs = f"{enough} {evidence.unit}" if enough else "another kind of evidence"
    elif one.verdict == UNDECIDED:
        enough = units_to_decide(evidence, one.family_size, *about, seed)
        on_threshold = f"more than {MOST_UNITS:,} {evidence.unit} (it lies on the threshold)"
        one.needs = f"about {enough:,} {evidence.unit}" if enough else on_threshold


def _tabulated(hypotheses: Sequence[Hypothesis], found: Sequence[Finding]) -> xr.Dataset:
    """Build the dataset of a subject's verdicts."""
    agrees = [
        ("yes" if one.verdict == h.source_expects else "no")
        if one.verdict in (SUPPORTED, REFUTED) and h.source_expects
        else DASH
        for h, one in zip(hypotheses, found, strict=True)
    ]
    declared = ("claim", "source_expects", "statement", "holds", "threshold", "justification", "null")
    declared += ("family", "alternative")
    measured = ("effect", "low", "high", "p", "p_corrected", "least_p", "family_size", "method", "n_units")
    measured += ("verdict", "needs", "controls", "remark")
    return dataset(
        VARIABLES["hypotheses"],
        {
            "hypothesis": np.array([h.name for h in hypotheses]),
            "judged_at": np.array([one.stage for one in found]),
            **{name: np.array([getattr(h, name) for h in hypotheses]) for name in declared},
            **{name: np.array([getattr(one, name) for one in found]) for name in measured},
            "agrees": np.array(agrees),
        },
        {"alpha": ALPHA},
    )
