"""Answers whose number is the effect of a hypothesis: the same estimator as in the table of verdicts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from .answers import Answer, Scale, at, beside_random, shown
from .estimates import Estimate
from .runs import Subject
from .writing import capitalised

VERDICTS = "hypotheses"  # the group of a run that holds them


def effect_of(verdicts: xr.Dataset | None, hypothesis: str) -> Estimate | None:
    """Return the effect of a hypothesis with its interval; None where a run holds none."""
    if verdicts is None or hypothesis not in verdicts["hypothesis"].values:
        return None
    one = verdicts.sel(hypothesis=hypothesis)
    found = Estimate(*(float(one[name]) for name in ("effect", "low", "high")))
    return found if np.isfinite(found.value) else None


def judged_answer(
    hypothesis: str, scale: Scale, says: Callable[[Estimate], tuple[str, str]]
) -> Callable[[Subject], Answer | None]:
    """Return what answers a chapter's question by the effect of a hypothesis.

    Parameters
    ----------
    hypothesis : str
    scale : Scale
    says : callable
        (effect) -> the clause that follows "At the latent", and the number's name in it.

    Returns
    -------
    answer : callable
        (subject) -> Answer, None where the effect was not measured.
    """

    def answer(subject: Subject) -> Answer | None:
        verdicts = subject.result(VERDICTS)
        own = effect_of(verdicts, hypothesis)
        if verdicts is None or own is None:
            return None
        stage = str(verdicts["judged_at"].sel(hypothesis=hypothesis).item())
        beside = {
            kind: [one for seed in seeds if (one := effect_of(seed, hypothesis)) is not None]
            for kind, seeds in subject.by_kind(VERDICTS).items()
        }
        clause, name = says(own)
        said = f"{clause} ({name} {shown(own, scale.unit)})"
        random = beside_random(beside, scale.unit)
        sentence = f"{at(stage)} {said}.{f' {capitalised(random)}.' if random else ''}"
        return Answer(stage, sentence, said, random, own, scale, beside)

    return answer


def side(one: Estimate, threshold: float) -> int:
    """Say on which side of a threshold a whole interval lies: 1 above, -1 below, 0 on both.

    Examples
    --------
    >>> side(Estimate(0.7, 0.6, 0.8), 0.5), side(Estimate(0.5, 0.4, 0.6), 0.5)
    (1, 0)
    """
    return 1 if one.low > threshold else -1 if one.high < threshold else 0
