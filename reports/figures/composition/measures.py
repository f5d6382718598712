"""What answers each of the four questions: which number, what chance gives, how it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from ....probes.composition.drawn_mixtures import CHORDS_TRIED
from ....probes.composition.draws import FAR_SEMITONES
from ...estimates import Estimate, estimate
from ...selecting import place_of_answers, values_at
from ..drawing import DARK, THIRD, TRAINED

Answers = Mapping[str, xr.Dataset]  # what was found of one network, by question
Beside = Mapping[str, Mapping[str, Sequence[xr.Dataset]]]  # of its baselines, by question and kind

KINDS = {
    "partial": ("partials", TRAINED, "o"), "pitch": ("pitches", "#D55E00", "^"),
    "chord": ("chords", THIRD, "s"),
}  # fmt: skip
STFT = "filterbank:stft"
CONTROLS = {STFT: (DARK, "--"), "filterbank:stft_magnitude": (THIRD, "-."),
            "control:decimator": (DARK, ":")}  # fmt: skip
CHANCE, CEILING = "#DDDDDD", "#888888"
CONTROL_NAMES = {STFT: "STFT", "filterbank:stft_magnitude": "magnitude of the STFT",
                 "control:decimator": "decimator"}  # fmt: skip
USUAL = 5  # components in the mixtures that stand for access


@dataclass(frozen=True)
class Measure:
    """The number that answers a question, and what chance gives.

    Parameters
    ----------
    question, title, variable : str
    axis : str
        What the axis says.
    chance : callable
        (result, stage, kind) -> float.
    lowest : float
        Where the axis begins.
    labels : mapping
        Where the variable is taken along its other dimensions.
    """

    question: str
    title: str
    variable: str
    axis: str
    chance: Callable[[xr.Dataset, str, str], float]
    lowest: float = 0.0
    labels: Mapping[str, object] = field(default_factory=dict)

    def of(self, result: xr.Dataset | None, stage: str, kind: str = "partial") -> Estimate:
        """Read it off a result; NaN where it is not."""
        labels = dict(self.labels)
        if kind == "chord" and "density" in labels:
            labels["density"] = max(CHORDS_TRIED)
        return estimate(result, stage, self.variable, kind, **labels)

    @property
    def called(self) -> str:
        """What it is called in tables: "presence", "access (linear)"."""
        return self.question + (f" ({self.labels['order']})" if "order" in self.labels else "")


def _guessing(result: xr.Dataset, stage: str, kind: str) -> float:
    place = place_of_answers(result, kind)
    return np.nan if place is None else float(values_at(result, "chance", place))


def _confusion(result: xr.Dataset, stage: str, kind: str) -> float:
    return estimate(result, stage, "confusion", kind, spacing_semitones=FAR_SEMITONES).value


_ACCESS = {
    order: Measure("access", f"Access: {how}?", "auc", "AUC (1)", lambda result, stage, kind: 0.5, 0.4,
                   {"order": order, "density": USUAL})
    for order, how in (("linear", "linearly"), ("quadratic", "by squares"))
}  # fmt: skip
MEASURES = {
    "presence": Measure("presence", "Presence: is it there?", "proportion", "found (share)", _guessing),
    "stability": Measure(
        "stability", "Stability: the same trace?", "containment", "of its energy (share)", _confusion
    ),
    **_ACCESS,
    "place": Measure(
        "place", "Place: the same channels?", "place", "place (1)", lambda result, stage, kind: 0.0
    ),
}
