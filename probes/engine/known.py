"""Answers of controls that are known in closed form, and how they are held against what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from .selecting import at_stage, picked


@dataclass(frozen=True)
class Known:
    """An answer of a control that is known beforehand: it lies from low to high.

    Parameters
    ----------
    control : str
        Name of the control.
    what : str
        What is known, in words.
    low, high : float
    text : str
        The range, in words.
    value : callable
        (result, sample rate or 0) -> what was measured; NaN where it was not. See `mean_of`.
    """

    control: str
    what: str
    low: float
    high: float
    text: str
    value: Callable[[xr.Dataset, int], float]

    def holds(self, value: float) -> bool:
        """Whether what was measured is what is known; NaN is not."""
        return bool(self.low <= value <= self.high)


def near(value: float, within: float, text: str) -> tuple[float, float, str]:
    """Return low, high and text of what lies within a distance of a value.

    Examples
    --------
    >>> near(1.0, 0.25, "1 ± 0.25")
    (0.75, 1.25, '1 ± 0.25')
    """
    return value - within, value + within, text


def mean_of(
    variable: str, pick: str = "", exact: Callable[[int, xr.Dataset], float] | None = None
) -> Callable[[xr.Dataset, int], float]:
    """Return what reads the mean of a variable at the first stage, at the usual level.

    Parameters
    ----------
    variable : str
    pick : str
        Label that it is taken at, as in `picked`.
    exact : callable, optional
        (sample rate, result) -> the closed form that it is taken relative to.
    """

    def read(result: xr.Dataset, sample_rate: int) -> float:
        if variable not in result:
            return np.nan
        one = at_stage(result, str(result["stage"].values[0]))
        value = float(picked(one[variable], pick).mean())
        return value if exact is None else value / exact(sample_rate, result)

    return read


def known_ranges(
    what: str, value: Callable[[xr.Dataset, int], float], ranges: Mapping[str, tuple[float, float]]
) -> tuple[Known, ...]:
    """Return what is known of several controls: a range each, of one value.

    Examples
    --------
    >>> [one.text for one in known_ranges("share", mean_of("share"), {"a": (0, 0.1), "b": (0.9, 1)})]
    ['0 to 0.1', '0.9 to 1']
    """
    return tuple(
        Known(control, what, low, high, f"{low:g} to {high:g}", value)
        for control, (low, high) in ranges.items()
    )
