"""What a probe is: one object that says what it asks, what it measures, and what controls must give."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from ...encoders.abilities import BASELINE_KINDS
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from .known import Known
from .selecting import usual_level
from .session import Session
from .variable import Variable

Played = Mapping[str, StimulusSet]  # what is played, by kind


@dataclass(frozen=True)
class Compared:
    """What two runs are compared by: variables with a value for every item of a dimension, which pairs them.

    Parameters
    ----------
    unit : str
        The dimension.
    variables : tuple of str
    read : callable, optional
        (result, variable) -> its values, if they are not the variable's own; None where there are none.
    """

    unit: str
    variables: tuple[str, ...]
    read: Callable[[xr.Dataset, str], xr.DataArray | None] = lambda result, variable: result.get(variable)

    def values(self, result: xr.Dataset, variable: str) -> xr.DataArray | None:
        """Return the values by which two runs are compared, at one level; None where there are none."""
        values = self.read(result, variable)
        if values is None or not {"stage", self.unit} <= set(values.dims):
            return None
        return values.isel(level=usual_level(result)) if "level" in values.dims else values


@dataclass(frozen=True)
class Probe:
    """A question to encoders: what is measured, of whom, and what is known of the answer.

    Parameters
    ----------
    name : str
        Of the probe, and of the group that holds its result.
    question : str
        One sentence.
    variables : mapping of str to Variable
        Whatever the result may hold.
    measure : callable
        ``measure(session, **settings) -> xarray.Dataset``.
    refuses : callable
        ``refuses(session, **settings)`` says why the probe has nothing to ask of an encoder at the session's
        stages, or returns None. It raises where what it is set to cannot be played.
    stimuli : callable, optional
        ``stimuli(**settings)`` returns what is played to everybody, by kind, to be kept beside the result.
    modality : {"waveform", "melody"}
        Of the encoders that it asks.
    asks_baselines : tuple of str
        Kinds of baselines that it asks too: among "random", "matched" and "permuted".
    compared : Compared, optional
    known : tuple of Known
    settings : mapping of str to object
        Keyword arguments of `measure`; see `with_settings`.
    by_default : bool
        Whether it asks every encoder of its modality; otherwise it is named where it is wanted.

    Raises
    ------
    InputError
        If a kind of baseline is none.
    """

    name: str
    question: str
    variables: Mapping[str, Variable]
    measure: Callable[..., xr.Dataset]
    refuses: Callable[..., str | None] = lambda session, **settings: None
    stimuli: Callable[..., Played] | None = None
    modality: str = "waveform"
    asks_baselines: tuple[str, ...] = ("random",)
    compared: Compared | None = None
    known: tuple[Known, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    by_default: bool = True

    def __post_init__(self) -> None:
        kinds = self.asks_baselines
        if not isinstance(kinds, tuple) or not all(kind in BASELINE_KINDS for kind in kinds):
            there = ", ".join(BASELINE_KINDS)
            raise InputError(f"probe {self.name!r}: asks_baselines {kinds!r}; must be a tuple of {there}")

    def __repr__(self) -> str:
        return f"<Probe {self.identity}: {self.question}>"

    @property
    def takes(self) -> frozenset[str]:
        """Names of the settings that it takes."""
        return frozenset(list(inspect.signature(self.measure).parameters)[1:])

    def with_settings(self, **settings: object) -> Probe:
        """Return the probe with other settings.

        Raises
        ------
        InputError
            If it has no such setting.
        """
        for name in settings:
            if name not in self.takes:
                raise InputError(f"probe {self.name!r}: has no setting {name!r}; it has {listed(self.takes)}")
        return replace(self, settings={**self.settings, **settings})

    def refusal(self, session: Session[Any]) -> str | None:
        """Say why the probe has nothing to ask of the session's encoder, or return None."""
        if session.encoder.modality != self.modality:
            return (
                f"{session.encoder.name} takes {session.encoder.modality}s, it asks {self.modality} encoders"
            )
        return self.refuses(session, **self.settings)

    def played(self) -> Played:
        """Return what is played to everybody, by kind; nothing where that depends on who is measured."""
        return {} if self.stimuli is None else self.stimuli(**self.settings)

    def __call__(self, session: Session[Any]) -> xr.Dataset:
        """Measure, with the probe's settings."""
        return self.measure(session, **self.settings)

    @property
    def identity(self) -> str:
        """What a result depends on, in words: the name and the settings, plain defaults among them."""
        parameters = list(inspect.signature(self.measure).parameters.values())[1:]
        plain = {p.name: p.default for p in parameters if isinstance(p.default, bool | int | float | str)}
        settings = {**plain, **self.settings}
        return f"{self.name}({', '.join(f'{name}={written(settings[name])}' for name in sorted(settings))})"


def written(value: object) -> str:
    """Write a setting whole: sounds and arrays by their digest, since their own words leave most of them out.

    Examples
    --------
    >>> written((1, "two")), written(np.zeros(10_000)) == written(np.zeros(10_001))
    ("(1, 'two')", False)
    """
    if isinstance(value, StimulusSet):
        return value.sha256
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(written, value))})"
    if is_dataclass(value) and not isinstance(value, type):
        parts = ", ".join(f"{f.name}={written(getattr(value, f.name))}" for f in fields(value))
        return f"{type(value).__name__}({parts})"
    return repr(value)


def listed(names: frozenset[str]) -> str:
    """Write names in order."""
    return ", ".join(sorted(names)) or "none"
