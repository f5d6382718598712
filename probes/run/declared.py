"""What a probe declares, tried without measuring anything."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ...encoders.base import MODALITIES
from ...synth.stimuli import StimulusSet
from ..engine.probe import Probe
from ..engine.variable import Variable
from ..hypotheses.variables import VARIABLES as VERDICTS
from . import faults
from .registry import registered

RESERVED = ("stimuli", *VERDICTS)


def check_declared(probe: Probe) -> None:
    """Raise unless a probe is described in full, and all that it consists of fits together.

    Parameters and what is raised are those of `tonotopy.probes.check`; nothing is measured.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from tonotopy.probes.folding.invertibility import INVERTIBILITY
    >>> check_declared(INVERTIBILITY)
    >>> check_declared(replace(INVERTIBILITY, question="Invertible, or not"))
    Traceback (most recent call last):
    tonotopy.probes.run.faults.QuestionNotOneSentence: probe invertibility: question 'Invertible, or not'; \
must be one sentence that ends with "?"
    """
    _check_named(probe)
    _check_variables(probe)
    _check_called(probe)
    _check_compared(probe)
    _check_played(probe)


def _check_named(probe: Probe) -> None:
    name, question = probe.name, probe.question
    if not isinstance(name, str) or not name.isidentifier():
        raise faults.NameUnusable(f"probe {name!r}: its name must be an identifier, as in `bank_share`")
    others = [one.name for one in registered() if one.measure is not probe.measure]
    if name in (*others, *RESERVED):
        raise faults.NameTaken(f"probe {name}: the name is taken; give it another")
    # a mark inside, with a space after it, ends a sentence before the last
    inside = question[:-1] if isinstance(question, str) else ""
    marks = [mark for mark in (". ", "? ", "! ", "\n") if mark in f"{inside} "]
    if marks or not inside.strip() or not question.endswith("?"):
        raise faults.QuestionNotOneSentence(
            f'probe {name}: question {question!r}; must be one sentence that ends with "?"'
        )
    if probe.modality not in MODALITIES:
        raise faults.UnknownModality(
            f"probe {name}: modality {probe.modality!r}; must be {' or '.join(MODALITIES)}"
        )


def _check_variables(probe: Probe) -> None:
    for name, variable in probe.variables.items():
        if not isinstance(variable, Variable) or not (variable.units and variable.long_name):
            raise faults.VariableUndescribed(
                f'probe {probe.name}: variable {name!r} has no units ("1" where there are none) or no name'
            )
    for name, variable in probe.variables.items():
        for dim in variable.dims:
            if dim != "level" and (dim not in probe.variables or probe.variables[dim].dims != (dim,)):
                raise faults.DimensionUnlabelled(
                    f"probe {probe.name}: dimension {dim!r} of variable {name!r} has no coordinate"
                )


def _check_called(probe: Probe) -> None:
    """Raise unless all that is called with settings takes them."""
    about = f"probe {probe.name}"
    session, *settings = [*_parameters(probe.measure), None]
    if session is None or session.kind not in (session.POSITIONAL_ONLY, session.POSITIONAL_OR_KEYWORD):
        raise faults.TakesNoSession(f"{about}: `measure` takes no session; it is called with one")
    for setting in settings[:-1]:
        if setting.kind in (setting.VAR_KEYWORD, setting.VAR_POSITIONAL) or setting.default is setting.empty:
            raise faults.SettingUnknown(
                f"{about}: setting `{setting}` of `measure` needs a name and a default"
            )
    taken = [setting.name for setting in settings[:-1]]
    for name in probe.settings:
        if name not in taken:
            raise faults.SettingUnknown(f"{about}: set to have {name!r}, which `measure` does not take")
    for function, given in ((probe.refuses, (None,)), (probe.stimuli, ())):
        if function is None:
            continue
        called = "refuses" if given else "stimuli"
        try:
            inspect.signature(function).bind(*given)
        except TypeError as error:
            raise faults.TakesNoSession(f"{about}: `{called}` cannot be called: {error}") from None
        try:
            inspect.signature(function).bind(*given, **dict.fromkeys(taken))
        except TypeError as error:
            raise faults.SettingUnknown(
                f"{about}: `{called}` takes other settings than `measure`: {error}"
            ) from None


def _parameters(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values()) if callable(function) else []


def _check_compared(probe: Probe) -> None:
    if probe.compared is None:
        return
    unit, known = probe.compared.unit, probe.variables
    if unit not in known or known[unit].dims != (unit,):
        raise faults.ComparedUnknown(
            f"probe {probe.name}: compared over {unit!r}, which is no dimension of it"
        )
    for name in probe.compared.variables:
        if name not in known:
            raise faults.ComparedUnknown(
                f"probe {probe.name}: compared by {name!r}, which it does not declare"
            )


def _check_played(probe: Probe) -> None:
    played = probe.played()
    right = isinstance(played, Mapping) and all(
        isinstance(kind, str) and kind.isidentifier() and isinstance(stimuli, StimulusSet)
        for kind, stimuli in played.items()
    )
    if not right:
        raise faults.StimuliNotNamed(f"probe {probe.name}: `stimuli` must return StimulusSets by their kinds")
