"""Hypotheses: named claims about encoders, each with what is measured, its threshold and its controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from ...synth.errors import InputError
from ..engine.schema import baselines_of
from ..engine.selecting import usual_level
from .evidence import Evidence

SUPPORTED, REFUTED = "supported", "refuted"
USUAL = "latent"  # stage of a claim that names none
MACHINES_ON_MUSIC = "Machines on Music"  # the family of the claims of the source


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

    Five fields say what is claimed; what else is given makes the claim harder to fool. Without controls it
    is judged all the same, and the verdict says that there was none.

    Parameters
    ----------
    name : str
    statement : str
        What is measured, in plain words.
    evidence : callable
        (run, node of the subject, stage) -> `Evidence`; see `measured`. Raises `NoEvidence` where something
        is missing.
    holds : {"above", "below", "within"}
        Where the effect lies if the hypothesis holds: above the threshold, below it, or no further than it
        from 0.
    threshold : float
    stage : str
        Stage that the verdict is about, by default the latent; of melody models "", as they have none.
        Controls are taken at their deepest, and so are encoders without a latent.
    group : str
        Group of the result that it needs; by default it is judged whatever was measured.
    claim : str
        The sentence of the source, word for word.
    source_expects : {"supported", "refuted", ""}
        What the source says of the hypothesis; nothing, where there is none.
    justification : str
        Why this threshold.
    null : str
        What is exchanged under the null.
    controls : sequence of Control
        Controls that must be in the run and give what theory says.
    modality : {"waveform", "melody"}
        Of the encoders that it is about.
    family : str
        Claims that p is corrected for together; by default the hypothesis is alone.
    alternative : str
        What else could give a verdict, which the measurement cannot exclude, in one sentence.
    positive, negative : sequence of str
        Encoders of known truth that the hypothesis's own rule must call supported, and refuted: see
        `tonotopy.probes.hypotheses.admission.complaints`.

    Raises
    ------
    InputError
        If a field holds none of what is allowed.

    Examples
    --------
    >>> from .evidence import PerUnit
    >>> def sharpness(run, node, stage):
    ...     return PerUnit(measured(run, node, "selectivity", "quality", stage), bounds=(0, 1e3))
    >>> sharp = Hypothesis(
    ...     "sharp_first_layer", statement="mean Q of a channel", evidence=sharpness, holds="above",
    ...     threshold=1.0, stage="first_layer", controls=[Control("filterbank:gammatone", low=4.0)],
    ... )
    >>> sharp.controls[0].bounds, sharp.family
    ('>= 4', 'sharp_first_layer')
    """

    name: str
    statement: str
    evidence: Callable[[xr.DataTree, str, str], Evidence]
    holds: Literal["above", "below", "within"]
    threshold: float
    stage: str = USUAL
    group: str = ""
    claim: str = ""
    source_expects: Literal["supported", "refuted", ""] = ""
    justification: str = "as declared"
    null: str = "signs of the units' distances from the threshold"
    controls: Sequence[Control] = ()
    modality: str = "waveform"
    family: str = ""
    alternative: str = ""
    positive: Sequence[str] = ()
    negative: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not callable(self.evidence):
            raise InputError(f"hypothesis {self.name!r}: evidence {self.evidence!r} is no function")
        for name, allowed in (
            ("source_expects", (SUPPORTED, REFUTED, "")),
            ("holds", ("above", "below", "within")),
        ):
            if getattr(self, name) not in allowed:
                there = " or ".join(one or "left out" for one in allowed)
                raise InputError(f"hypothesis {self.name!r}: {name} {getattr(self, name)!r}; it is {there}")
        for name in ("controls", "positive", "negative"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.holds == "within" and not self.threshold > 0:
            raise InputError(f"hypothesis {self.name!r}: threshold {self.threshold:g}; a margin is above 0")
        if twice := sorted(set(self.positive) & set(self.negative)):
            raise InputError(f"hypothesis {self.name!r}: {twice[0]} cannot be both positive and negative")
        if self.modality == "melody" and self.stage == USUAL:
            object.__setattr__(self, "stage", "")
        if not self.family:
            object.__setattr__(self, "family", self.name)


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
