"""The claims of the sources, as hypotheses, and those that others have registered."""

from __future__ import annotations

from importlib.metadata import entry_points

from ...synth.errors import InputError
from .composition import COMPOSITION_CLAIMS
from .concepts import CONCEPT_CLAIMS
from .filters import FILTER_CLAIMS
from .hypothesis import Hypothesis
from .questions import QUESTION_CLAIMS

ENTRY_POINT_GROUP = "tonotopy.hypotheses"
HYPOTHESES: tuple[Hypothesis, ...] = (
    *FILTER_CLAIMS,
    *QUESTION_CLAIMS,
    *COMPOSITION_CLAIMS,
    *CONCEPT_CLAIMS,
)


def registered() -> tuple[Hypothesis, ...]:
    """Return the claims of the sources and those of installed plug-ins, which the command line judges.

    A plug-in's entry point, of group "tonotopy.hypotheses", names a `Hypothesis` or a sequence of them.

    Raises
    ------
    InputError
        If an entry point names something else.
    """
    found = list(HYPOTHESES)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        several = point.load()
        several = [several] if isinstance(several, Hypothesis) else list(several)
        if not all(isinstance(one, Hypothesis) for one in several):
            raise InputError(f"hypothesis {point.name!r}: its entry point names no Hypothesis")
        found += several
    return tuple(found)
