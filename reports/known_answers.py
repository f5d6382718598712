"""Known answers: what the controls must give, beside what they gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..probes.run.registry import registered
from .runs import Subject


@dataclass(frozen=True)
class Check:
    """An answer beside what was measured."""

    control: str
    what: str
    expected: str
    measured: str
    holds: bool


def checks(controls: Sequence[Subject]) -> list[Check]:
    """Compare what controls gave with what they must give; what was not measured is left out."""
    found = []
    for subject in controls:
        for probe in registered():
            for known in probe.known:
                result = subject.result(probe.name) if known.control == subject.name else None
                if result is not None and np.isfinite(value := known.value(result, subject.sample_rate)):
                    found.append(
                        Check(subject.name, known.what, known.text, f"{value:.4g}", known.holds(value))
                    )
    return found
