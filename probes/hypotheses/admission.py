"""Admission: a claim is fit for verdicts if its own rule gets encoders of known truth right."""

from __future__ import annotations

import xarray as xr

from .hypothesis import REFUTED, SUPPORTED, Hypothesis, NoEvidence
from .verdicts import control_nodes, decide, deepest, family_sizes, found_at


def complaints(hypothesis: Hypothesis, run: xr.DataTree, seed: int = 0) -> list[str]:
    """Say of which encoders of known truth a run gives another verdict than truth demands.

    The rule is the hypothesis's own: same evidence, threshold, p, correction over the family, and interval.
    Only its other controls are not consulted.

    Parameters
    ----------
    hypothesis : Hypothesis
        With `positive` and `negative`.
    run : xarray.DataTree
        That holds them, measured by the hypothesis's probe; they are judged at their deepest stage.
    seed : int

    Returns
    -------
    complaints : list of str
        None if the claim is to be admitted.

    Examples
    --------
    >>> from .evidence import PerGroup
    >>> idle = Hypothesis(
    ...     "idle", "nothing", evidence=lambda run, node, stage: PerGroup([1.0, 1.1]), holds="above",
    ...     threshold=0.0, positive=("control:decimator",),
    ... )
    >>> complaints(idle, xr.DataTree())
    ['control:decimator was not measured']
    """
    sizes, found = family_sizes([hypothesis]), []
    for names, due in ((hypothesis.positive, SUPPORTED), (hypothesis.negative, REFUTED)):
        for name in names:
            nodes = [node for node, _ in control_nodes(run, name)]
            if not nodes:
                found.append(f"{name} was not measured")
            for node in nodes:
                try:
                    one = found_at(run, node, hypothesis, deepest(run, node, hypothesis), seed)
                except NoEvidence as reason:
                    found.append(str(reason))
                    continue
                decide([hypothesis], [one], sizes, seed)
                if one.verdict != due:
                    remark = f"; {one.remark}" if one.remark else ""
                    found.append(
                        f"{node} must be {due}, and is {one.verdict}: {one.effect:.3g} "
                        f"({one.low:.3g} to {one.high:.3g}){remark}"
                    )
    return found
