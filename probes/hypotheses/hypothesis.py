"""Hypotheses: named claims about encoders, each with what is measured, its controls, and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from ...synth.errors import InputError
from ..engine.schema import baselines_of, dataset, subjects
from ..engine.selecting import usual_level
from ..statistics.resampling import ALPHA, holm
from .evidence import Evidence, tails
from .variables import VARIABLES

SUPPORTED, REFUTED, UNDECIDED, NO_VERDICT = "supported", "refuted", "undecided", "no verdict"
DASH = "–"


class NoEvidence(Exception):
    """Raised where a run does not hold what a hypothesis needs; the message says what is missing."""


@dataclass(frozen=True)
class Control:
    """What a control of the run must give, for its hypothesis to get a verdict: an effect in low..high.

    The effect is that of the hypothesis's own evidence, or of `evidence`.
    """

    encoder: str
    low: float = -np.inf
    high: float = np.inf
    evidence: Callable[[xr.DataTree, str, str], Evidence] | None = None

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        ends = [(self.low, ">="), (self.high, "<=")]
        return " and ".join(f"{sign} {end:g}" for end, sign in ends if np.isfinite(end))


@dataclass(frozen=True)
class Hypothesis:
    """A claim that a run can support or refute.

    Parameters
    ----------
    name : str
    claim : str
        The sentence of the source, word for word.
    source_expects : {"supported", "refuted"}
        What the source says of the hypothesis.
    statement : str
        What is measured, in plain words.
    group : str
        Group of the result that it needs.
    stage : str
        Stage that the verdict is about. Controls are taken at their deepest.
    holds : {"above", "below", "within"}
        Where the effect lies if the hypothesis holds: above the threshold, below it, or no further than it
        from 0.
    threshold : float
    justification : str
        Why this threshold.
    null : str
        What is exchanged under the null.
    controls : sequence of Control
        Controls that must be in the run and give what theory says.
    evidence : callable
        (run, node of the subject, stage) -> `Evidence`; see `measured`. Raises `NoEvidence` where something
        is missing.
    modality : {"waveform", "melody"}
        Of the encoders that it is about; `stage` of melody models is "".

    Examples
    --------
    >>> from .evidence import PerUnit
    >>> def sharpness(run, node, stage):
    ...     return PerUnit(measured(run, node, "selectivity", "quality", stage))
    >>> sharp = Hypothesis(
    ...     "sharp_first_layer", claim="", source_expects="refuted", statement="mean Q of a channel",
    ...     group="selectivity", stage="first_layer", holds="above", threshold=1.0,
    ...     justification="narrower than it is high", null="signs about the threshold",
    ...     controls=(Control("filterbank:gammatone", low=4.0),), evidence=sharpness,
    ... )
    >>> sharp.controls[0].bounds
    '>= 4'
    """

    name: str
    claim: str
    source_expects: Literal["supported", "refuted"]
    statement: str
    group: str
    stage: str
    holds: Literal["above", "below", "within"]
    threshold: float
    justification: str
    null: str
    controls: tuple[Control, ...]
    evidence: Callable[[xr.DataTree, str, str], Evidence]
    modality: str = "waveform"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("source_expects", (SUPPORTED, REFUTED)),
            ("holds", ("above", "below", "within")),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"hypothesis {self.name!r}: {name} {getattr(self, name)!r}; it is {' or '.join(allowed)}"
                )
        if self.holds == "within" and not self.threshold > 0:
            raise InputError(f"hypothesis {self.name!r}: threshold {self.threshold:g}; a margin is above 0")


def measured(
    run: xr.DataTree, node: str, group: str, variable: str, stage: str = "", **labels: object
) -> xr.DataArray:
    """Return a variable of a subject's probe at a stage, at the level nearest to -20 dBFS.

    Parameters
    ----------
    run : xarray.DataTree
    node : str
        Name of the subject.
    group, variable, stage : str
    labels : optional
        Dimension -> label to pick, as `component="fold"`.

    Raises
    ------
    NoEvidence
        If the run does not hold it, or holds no value of it.
    """
    if group not in run[node].children:
        raise NoEvidence(f"{group} was not measured of {node}")
    probe = run[node][group].to_dataset()
    if stage:
        labels = {"stage": stage, **labels}
    for name, label in labels.items():
        if label not in probe[name].values:
            raise NoEvidence(f"{group} of {node} has no {name} {label!r}")
    if variable not in probe:
        remark = probe["remark"].sel(stage=stage).item() if "remark" in probe and stage else ""
        raise NoEvidence(f"{group} of {node} has no {variable}" + (f" ({remark})" if remark else ""))
    values = probe[variable].sel({k: v for k, v in labels.items() if k in probe[variable].dims})
    if "level" in values.dims:
        values = values.isel(level=usual_level(probe))
    if not values.notnull().any():
        raise NoEvidence(f"{group} of {node} has no value of {variable}" + (f" at {stage}" if stage else ""))
    return values.load()


def baselines(run: xr.DataTree, node: str, kind: str = "random") -> list[str]:
    """Return the baselines of a subject's architecture in a run, of one kind, without the subject itself."""
    return [other for other in baselines_of(run, run[node].attrs["of"] or node, kind) if other != node]


def evaluate(run: xr.DataTree, hypotheses: Sequence[Hypothesis], seed: int = 0) -> dict[str, xr.Dataset]:
    """Judge hypotheses by what a run holds, for every encoder of it and every baseline.

    A hypothesis is *supported* if its two-sided p, after Holm's correction over the set, is at most 0.05
    and the 95 % interval of the effect lies where it holds; *refuted* if p is and the interval lies where
    it does not; else *undecided*. It gets *no verdict* where the run lacks what it needs, or where one of
    its controls was not measured or does not give what theory says; `remark` then says why.

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
    Source: Holm, Scandinavian Journal of Statistics 6:65, 1979. Equivalence ("within") is tested by two
    one-sided tests: Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15:657, 1987.
    """
    check_named_once(hypotheses)
    known: dict[tuple[str, str, Control], tuple[str, bool]] = {}
    verdicts = {}
    for node, subject in subjects(run).items():
        about = [h for h in hypotheses if h.modality == subject.attrs["modality"]]
        if subject.attrs["role"] != "control" and about:
            rate = int(subject.attrs.get("sample_rate", 0))
            rows = [_judged(run, node, h, _gate(run, h, rate, known), seed) for h in about]
            verdicts[node] = _corrected(about, rows)
    return verdicts


def check_named_once(hypotheses: Sequence[Hypothesis]) -> None:
    """Raise where two hypotheses have one name."""
    names = [h.name for h in hypotheses]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"hypothesis {name!r}: given twice")


def verdict_p(evidence: Evidence, holds: str, threshold: float, seed: int = 0) -> tuple[float, float]:
    """Return one-sided p-values of the hypothesis holding, and of it not holding."""
    if holds == "within":
        beyond, inside_high = tails(evidence, threshold, seed)
        inside_low, short = tails(evidence, -threshold, seed)
        return max(inside_high, inside_low), min(1.0, 2 * min(beyond, short))
    above, below = tails(evidence, threshold, seed)
    return (above, below) if holds == "above" else (below, above)


def two_sided(holding: float, failing: float) -> float:
    """Return the p-value of either.

    Examples
    --------
    >>> two_sided(0.01, 0.99), two_sided(0.6, 0.5)
    (0.02, 1.0)
    """
    return min(1.0, 2 * min(holding, failing)) if np.isfinite([holding, failing]).all() else np.nan


def _place(holds: str, threshold: float, low: float, high: float) -> str:
    """Say on which side of the threshold an interval lies: that of a verdict, or none."""
    if holds == "within":
        inside, outside = -threshold < low and high < threshold, low > threshold or high < -threshold
    else:
        inside, outside = low > threshold, high < threshold
        if holds == "below":
            inside, outside = outside, inside
    return SUPPORTED if inside else REFUTED if outside else UNDECIDED


def _gate(
    run: xr.DataTree,
    hypothesis: Hypothesis,
    rate: int,
    known: dict[tuple[str, str, Control], tuple[str, bool]],
) -> tuple[str, str]:
    """Say what the hypothesis's controls gave, and, unless all is well, why there is no verdict."""
    said, failed = [], []
    for control in hypothesis.controls:
        node = _control_node(run, control.encoder, rate)
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
    return "; ".join(said), "; ".join(failed)


def _control_node(run: xr.DataTree, encoder: str, rate: int) -> str | None:
    """Return the control's node, of the subject's sample rate; it may have been requested as an encoder."""
    found = (
        node
        for node, subject in subjects(run).items()
        if subject.attrs["encoder"] == encoder and int(subject.attrs.get("sample_rate", 0)) == rate
    )
    return next(found, None)


def _checked(run: xr.DataTree, node: str, hypothesis: Hypothesis, control: Control) -> tuple[str, bool]:
    try:
        measure = control.evidence or hypothesis.evidence
        effect = measure(run, node, _deepest(run, node, hypothesis)).effect
    except NoEvidence as reason:
        return f"{control.encoder}: {reason}", False
    except Exception as error:
        return f"{control.encoder}: evidence raises {type(error).__name__}: {error}", False
    well = bool(control.low <= effect <= control.high)  # NaN is not well
    return f"{control.encoder} {effect:.3g} (must be {control.bounds})", well


def _deepest(run: xr.DataTree, node: str, hypothesis: Hypothesis) -> str:
    """Return the stage at which a control is taken: its deepest, codes only where codes are judged."""
    if hypothesis.group not in run[node].children:
        raise NoEvidence(f"{hypothesis.group} was not measured of {node}")
    probe = run[node][hypothesis.group].to_dataset()
    if "stage" not in probe.dims:
        return hypothesis.stage
    stages = probe["stage"].values
    deep = [str(s) for s in stages if (s == "codes") == (hypothesis.stage == "codes")]
    if not deep:
        raise NoEvidence(f"{node} has no {hypothesis.stage}")
    return deep[-1]


def _judged(
    run: xr.DataTree, node: str, hypothesis: Hypothesis, gate: tuple[str, str], seed: int
) -> dict[str, object]:
    """Return the columns of one row, but for what correction over the set adds."""
    controls, refusal = gate
    row: dict[str, object] = {"controls": controls, "remark": refusal, "n_units": 0, "exact": False}
    row |= dict.fromkeys(("effect", "low", "high", "p"), np.nan)
    try:
        evidence = hypothesis.evidence(run, node, hypothesis.stage)
    except NoEvidence as reason:
        return row | {"remark": str(reason)}
    except Exception as error:  # a plug-in's: what was measured must not be lost by it
        return row | {"remark": f"its evidence raises {type(error).__name__}: {error}"}
    low, high = evidence.interval(seed)
    row |= {"effect": evidence.effect, "low": low, "high": high}
    row |= {"n_units": evidence.n_units, "exact": evidence.exact}
    if refusal:
        return row
    p = two_sided(*verdict_p(evidence, hypothesis.holds, hypothesis.threshold, seed))
    if not np.isfinite(p):
        return row | {"remark": f"{evidence.n_units} units with a value are too few"}
    return row | {"p": p, "place": _place(hypothesis.holds, hypothesis.threshold, low, high)}


def _corrected(hypotheses: Sequence[Hypothesis], rows: Sequence[dict[str, object]]) -> xr.Dataset:
    """Correct over the set, give verdicts, and build the dataset."""
    corrected = holm([row["p"] for row in rows])  # type: ignore[list-item]
    verdicts = [
        NO_VERDICT if row["remark"] else str(row["place"]) if p <= ALPHA else UNDECIDED
        for row, p in zip(rows, corrected, strict=True)
    ]
    agrees = [
        ("yes" if verdict == h.source_expects else "no") if verdict in (SUPPORTED, REFUTED) else DASH
        for h, verdict in zip(hypotheses, verdicts, strict=True)
    ]
    said = ("claim", "source_expects", "statement", "holds", "threshold", "justification", "null")
    found = ("effect", "low", "high", "p", "exact", "n_units", "controls", "remark")
    return dataset(
        VARIABLES["hypotheses"],
        {
            "hypothesis": np.array([h.name for h in hypotheses]),
            "judged_at": np.array([h.stage for h in hypotheses]),
            **{name: np.array([getattr(h, name) for h in hypotheses]) for name in said},
            **{name: np.array([row[name] for row in rows]) for name in found},
            "p_corrected": corrected,
            "verdict": np.array(verdicts),
            "agrees": np.array(agrees),
        },
        {"alpha": ALPHA},
    )
