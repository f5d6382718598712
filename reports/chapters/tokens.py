"""Tokens: whether codes stay, and what they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..answers import Scale
from ..chapter import Chapter
from ..columns import as_judged, measured
from ..estimates import Estimate
from ..figures import Illustration
from ..figures.tokens.code_reuse import code_reuse
from ..figures.tokens.code_stability import code_stability
from ..judged_answers import judged_answer, side
from ..runs import Subject

HALF = 0.5  # of a partial's tokens


def _codes(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    found, random = subject.result("codes"), subject.of_baselines("codes")
    if found is not None:
        yield code_reuse(found, random, subject.name)
        yield code_stability(found, random, subject.name)


def _reuse(reuse: Estimate) -> tuple[str, str]:
    """Say whether a partial's tokens come back in other contexts."""
    return {
        1: "a partial has tokens of its own that come back in other contexts",
        0: "it is open whether a partial has tokens of its own that come back in other contexts",
        -1: "most of a partial's tokens are others in another context",
    }[side(reuse, HALF)], "reused beyond chance"


CODES = Chapter(
    "codes",
    question="Do tokens stand for components, and do they stay?",
    answer=judged_answer(
        "codes_are_reused", Scale(0.0, 1.0, "by chance", "always the same", "share"), _reuse
    ),
    columns=(
        measured("agreement_same", "Codes kept", "share of codes that a partial keeps in other contexts",
                 "share", np.mean, at_codes=True, is_side_by_side=True),
        measured("agreement_different", "Kept by chance", "the same of different partials", "share",
                 np.mean, at_codes=True, is_compared=False),
        as_judged("codes_are_reused", "Codes reused", "the same less chance, of the codebook best in other "
                  "contexts", "share", is_side_by_side=True),
        measured("agreement_phase", "At other phase", "share of codes that stay at another phase", "share",
                 np.mean, at_codes=True),
        measured("information", "Bits", "what a code tells in other contexts of which partial sounds, bit",
                 "1", np.mean, at_codes=True),
        measured("perplexity", "Perplexity", "entries that codes spread over as if evenly", "count",
                 np.mean, at_codes=True),
        measured("margin", "Margin", "median margin of decisions re the distance of the two entries", "1",
                 at_codes=True),
        measured("narrow_share", "Narrow", "decisions that rounding may turn", "share", np.mean,
                 at_codes=True),
    ),
    figures=_codes,
    panels={("agreement_same", "codebook 1"): "first code kept"},
)  # fmt: skip
CHAPTERS = (CODES,)
