"""Known answers: what the controls must give, beside what they gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..encoders.filterbanks import erb_rate, stft_lower_frame_bound
from .figures.drawing import at_stage
from .numbers import picked
from .runs import Heard


@dataclass(frozen=True)
class Expected:
    """A closed-form answer of a control's first layer: the mean of a variable lies from low to high.

    Where the answer depends on the sample rate or on what was played, `exact` gives it, of both, and the
    variable is taken relative to it.
    """

    control: str
    what: str
    probe: str
    variable: str
    low: float
    high: float
    text: str
    pick: str = ""
    exact: Callable[[int, xr.Dataset], float] = lambda rate, probe: 1.0


@dataclass(frozen=True)
class Check:
    """An answer beside what was measured."""

    control: str
    what: str
    expected: str
    measured: str
    holds: bool


def _near(value: float, within: float, text: str) -> tuple[float, float, str]:
    return value - within, value + within, text


def _below_lowest_centre(frequency_hz: np.ndarray) -> float:
    """Return the share of the ERB-rate scale, from lowest to highest tone, below 50 Hz."""
    low, centre, high = erb_rate(np.array([frequency_hz.min(), 50.0, frequency_hz.max()]))
    return float((centre - low) / (high - low))


EXPECTED = (
    Expected("control:decimator", "share of power at the predicted fold", "aliasing", "bank_share",
             *_near(1, 1e-6, "1"), "fold"),
    Expected("control:decimator", "collapse", "aliasing", "collapse", *_near(1, 0.01, "1.00 ± 0.01")),
    Expected("control:decimator", "share at the folds of a pair of tones", "intermodulation", "bank_share",
             *_near(1, 1e-6, "1"), "fold"),
    Expected("control:decimator", "smallest singular value", "invertibility", "smallest_singular_value",
             0, 0, "0"),
    Expected("control:rectifier", "share of the mean shift, 8 / pi^2", "aliasing", "bank_share",
             *_near(0.8106, 0.002, "0.8106 ± 0.002"), "mean_shift"),
    Expected("control:rectifier", "share of the second harmonic", "aliasing", "bank_share",
             *_near(0.1801, 0.002, "0.1801 ± 0.002"), "harmonic_2"),
    Expected("control:rectifier", "share of the fourth harmonic", "aliasing", "bank_share",
             *_near(0.0072, 0.002, "0.0072 ± 0.002"), "harmonic_4"),
    Expected("filterbank:stft", "share of power at the predicted fold", "aliasing", "bank_share",
             *_near(1, 1e-6, "1"), "fold"),
    Expected("filterbank:stft", "collapse", "aliasing", "collapse", *_near(0, 0.01, "at most 0.01")),
    Expected("filterbank:stft", "smallest singular value re its closed form", "invertibility",
             "smallest_singular_value", *_near(1, 0.005, "1 ± 0.005"),
             exact=lambda rate, probe: np.sqrt(stft_lower_frame_bound(rate))),
    Expected("filterbank:stft", "distance of best frequencies from even linear spacing", "tiling",
             "spacing_distance", *_near(0, 0.01, "at most 0.01"), "linear"),
    Expected("filterbank:gammatone", "distance of best frequencies from even ERB spacing, re what lies "
             "below the lowest centre", "tiling", "spacing_distance", *_near(1, 0.03, "1 ± 0.03"), "erb",
             exact=lambda rate, probe: _below_lowest_centre(probe["frequency"].values)),
    Expected("control:texture", "share of codes that a partial keeps in other company", "codes",
             "agreement_same", 0, 0.05, "at most 0.05"),
    Expected("control:decimator", "highest re lowest response over frequency, dB", "tiling",
             "frame_bound_ratio", *_near(0, 0.001, "0 ± 0.001")),
    Expected("filterbank:stft", "index of partials in company", "compositionality", "index",
             0.99, 1.0, "at least 0.99", "partial"),
    Expected("control:decimator", "index of partials in company", "compositionality", "index",
             *_near(0, 0.01, "0.00 ± 0.01"), "partial"),
    Expected("control:decimator", "additivity error of partials in company", "compositionality",
             "additivity_error", 0, 1e-6, "0", "partial"),
    Expected("control:texture", "index of partials in company", "compositionality", "index",
             -0.05, 0.05, "at most 0.05", "partial"),
    Expected("filterbank:stft_magnitude", "index of partials in company", "compositionality", "index",
             0.5, 0.75, "0.5 to 0.75", "partial"),
    Expected("filterbank:stft_magnitude", "AUC of partials in company", "compositionality", "auc",
             0.99, 1.0, "at least 0.99", "partial"),
    Expected("filterbank:stft_magnitude", "AUC of partials read in pairs", "readout", "mean_auc",
             0.99, 1.0, "at least 0.99", "2"),
    Expected("control:decimator", "AUC of partials read in mixtures", "readout", "mean_auc",
             *_near(0.5, 0.05, "0.50 ± 0.05")),
    Expected("control:decimator", "preference for waveform over spectrum", "waveform_shape", "preference",
             *_near(1, 0.01, "1.00 ± 0.01")),
    Expected("filterbank:stft", "preference for waveform over spectrum", "waveform_shape", "preference",
             *_near(0.73, 0.02, "0.73 ± 0.02")),
    Expected("filterbank:stft_magnitude", "preference for waveform over spectrum", "waveform_shape",
             "preference", -1, -0.9, "at most -0.90"),
    Expected("filterbank:stft", "chord less the sum of its notes", "chord_composition", "sum_error",
             0, 1e-9, "0"),
    Expected("filterbank:stft", "chord less the notes of another", "chord_composition", "wrong_sum_error",
             *_near(2, 0.2, "2 ± 0.2")),
    Expected("control:decimator", "chord less the sum of its notes", "chord_composition", "sum_error",
             0, 1e-9, "0"),
)  # fmt: skip


def checks(controls: Sequence[Heard]) -> list[Check]:
    """Compare what controls gave with what they must give; what was not measured is left out."""
    found = []
    for heard in controls:
        for answer in EXPECTED:
            value = _measured(heard, answer)
            if np.isfinite(value):
                holds = bool(answer.low <= value <= answer.high)
                found.append(Check(heard.name, answer.what, answer.text, f"{value:.4g}", holds))
    return found


def _measured(heard: Heard, answer: Expected) -> float:
    probe = heard.probe(answer.probe)
    if heard.name != answer.control or probe is None or answer.variable not in probe:
        return np.nan
    one = at_stage(probe, str(probe["stage"].values[0]))
    value = float(picked(one[answer.variable], answer.pick).mean())
    return value / answer.exact(int(heard.encoder.attrs["sample_rate"]), probe)
